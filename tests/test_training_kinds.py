"""Trainings that are no networks of the catalogue: kept, resumed, joined and estimated as networks are."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from syzygy.cost import Cost
from syzygy.networks import setting
from syzygy.recording import every
from syzygy.snapshot import Snapshot
from syzygy.store import FolderStore, MemoryStore
from syzygy.training import Job, Training, costs, gathered, train_zoo
from syzygy.trajectory import Trajectory

NETWORKS = Job("two-points", {}, setting("two_layer").model_copy(update={"steps": 20}), (3, 4), every(10))
EPOCHS = 4


class Killed(Exception):
    """What a test raises in the middle."""


@dataclass(frozen=True)
class Doubled(Training):
    """Twice the outputs of some networks at each of a few epochs, and as many times the seed."""

    source: Job | None = None

    def asked(self):
        return {"kind": "doubled", "seeds": list(self.seeds), "source": self.source and self.source.asked()}

    @property
    def work(self):
        return 100.0 * len(self.seeds)

    @property
    def needs(self):
        return (self.source,) if self.source else ()

    def estimate(self):
        return Cost(2.0 * len(self.seeds), 7)

    def run(self, store, snapshot, progress):
        kept = Snapshot(snapshot, 0) if snapshot else None
        given = gathered(self.source, store).outputs[0, -1] if self.source else np.ones((2, 1))
        loaded = kept and kept.load(str(self.asked()))
        value, done = (
            (loaded[0]["value"], loaded[1]["epoch"]) if loaded else (torch.zeros(len(self.seeds), *given.shape), 0)
        )
        for epoch in range(done, EPOCHS):
            value = value + torch.tensor(self.seeds)[:, None, None] + torch.from_numpy(2 * given / EPOCHS)
            if kept:
                kept.save({"value": value}, {"epoch": epoch + 1}, str(self.asked()))
            progress(100.0 / EPOCHS)
        return Trajectory.of(steps=[EPOCHS], loss=None, outputs=None, inputs=None, targets=None, items=["a", "b"],
                             seeds=self.seeds, representations={"doubled": value.numpy()[:, None]})  # fmt: skip


def expected(seeds, store=None):
    given = gathered(NETWORKS, store).outputs[0, -1] if store else np.ones((2, 1))
    return np.stack([EPOCHS * seed + 2 * given for seed in seeds])


@pytest.mark.parametrize("folder", [False, True])
def test_it_trains_what_it_needs_before(folder, tmp_path):
    store = FolderStore(tmp_path) if folder else MemoryStore()
    asked = Doubled((1, 2), NETWORKS)
    told = []
    ((job, seen),) = train_zoo([asked], store, progress=told.append)
    assert job == asked
    assert NETWORKS.there(store)
    assert sum(told) == 100  # what it needs is told of by itself, where it is asked for
    np.testing.assert_allclose(seen.representation("doubled")[:, 0], expected((1, 2), store), rtol=1e-6)


@pytest.mark.parametrize("processes", [1, 2])
def test_those_that_need_others_come_after_them_and_their_seeds_apart(processes, tmp_path):
    store = FolderStore(tmp_path)
    asked = Doubled((5, 6), NETWORKS)
    told = []
    jobs = [*asked.parts(), *NETWORKS.parts()]
    order = [type(job) for job, _ in train_zoo(jobs, store, processes, told.append)]
    assert order == [Job, Doubled, Doubled]
    assert sum(told) == pytest.approx(sum(job.work for job in jobs))
    seen = gathered(asked, store)
    assert seen.seeds.tolist() == [5, 6]
    np.testing.assert_allclose(seen.representation("doubled")[:, 0], expected((5, 6), store), rtol=1e-6)


def test_what_is_there_is_not_trained_again(tmp_path, monkeypatch):
    store = FolderStore(tmp_path)
    asked = Doubled((1,))
    assert not asked.there(store)
    list(train_zoo([asked], store))
    assert asked.there(store)
    monkeypatch.setattr(Doubled, "run", pytest.fail)
    told = []
    ((_, seen),) = train_zoo([asked], store, progress=told.append)
    assert sum(told) == asked.work
    np.testing.assert_allclose(seen.representation("doubled")[:, 0], expected((1,)))


@pytest.mark.parametrize("after", range(EPOCHS))
def test_a_kill_costs_no_more_than_what_was_not_kept(tmp_path, after):
    store, asked, told = FolderStore(tmp_path), Doubled((1,)), []

    def killer(work):
        told.append(work)
        if len(told) == after + 1:
            raise Killed

    with pytest.raises(Killed):
        asked.into(store, killer)
    assert not asked.there(store)
    assert store.checkpoint(asked.asked()).is_dir()
    asked.into(store, told.append)
    assert len(told) == EPOCHS  # no epoch twice
    assert not store.checkpoint(asked.asked()).exists()
    np.testing.assert_allclose(gathered(asked, store).representation("doubled")[:, 0], expected((1,)))


def test_its_own_estimate_stands_beside_that_of_networks():
    ours, theirs = costs([Doubled((1, 2), NETWORKS), NETWORKS])
    assert ours == Cost(4.0, 7)
    assert theirs.seconds > 0
