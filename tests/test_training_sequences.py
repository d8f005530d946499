"""Training on commands: what is recorded, the same numbers however often it was stopped, and that it learns."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from syzygy.errors import RunError, SpecificationError
from syzygy.recording import Schedule
from syzygy.seeds import generator
from syzygy.snapshot import Snapshot
from syzygy.store import FolderStore, MemoryStore
from syzygy.tasks.commands import ACTIONS, WORDS, commands, encode
from syzygy.training import costs, gathered, train_zoo
from syzygy.training.sequence_learner import LAYER, SequenceLearner
from syzygy.training.sequences import PARTS, SequenceTraining, watched_commands

TINY = SequenceTraining(
    seeds=(0, 1),
    options={"verbs": 3, "directions": 2, "pairs": 2, "learned": 80},
    watched=10,
    width=8,
    depth=1,
    heads=2,
    updates=24,
    batch_size=16,
    learning_rate=3e-3,
    record=Schedule("every", 10),
)


class Killed(Exception):
    """Somebody ended it."""


@pytest.fixture(scope="module")
def seen():
    return TINY.run(MemoryStore())


def shifted(actions):
    """Give the action before each: the dot begins."""
    return torch.tensor([[ACTIONS.index("."), *row[:-1]] for row in actions.tolist()])


def same(one, other):
    assert one.tree.identical(other.tree)


def test_what_is_recorded(seen):
    drawn = commands(**TINY.options)
    assert seen.items == (*drawn.learned[:10], *drawn.held_out[:10], *drawn.unseen[:10]) == watched_commands(TINY)
    assert (seen.steps.tolist(), seen.seeds.tolist(), seen.fates) == ([0, 10, 20, 24], [0, 1], ("trained", "trained"))
    words, actions = encode(seen.items)
    np.testing.assert_array_equal(seen.inputs, words)
    np.testing.assert_array_equal(seen.targets, actions)
    assert seen.watched(LAYER).shape == (2, 4, 30, 7, 8)
    np.testing.assert_array_equal(np.isnan(seen.watched(LAYER)[1, 2]).all(-1), words == 0)
    assert seen.representation(LAYER).shape == (2, 4, (words > 0).sum(), 8)
    assert seen.about["parts"] == list(PARTS)
    untrained = seen.representation(LAYER)[:, 0]
    assert np.abs(untrained[0] - untrained[1]).max() > 0.1  # initial weights are each seed's own


def test_records_are_those_of_a_plain_loop():
    """The same network learns from the same commands with PyTorch's Adam, step by step."""
    asked = replace(TINY, seeds=(5,), weight_decay=0.0, precision="float64", updates=8, record=Schedule("every", 8))
    seen, network = asked.run(MemoryStore()), asked._learner(5).network
    words, actions = map(torch.as_tensor, encode(commands(**asked.options).learned))
    adam, order = torch.optim.Adam(network.parameters(), lr=3e-3), None
    for step in range(8):
        if step % 5 == 0:  # 80 commands, 16 at once
            order = torch.randperm(80, generator=generator(5, "order", step // 5))
        rows = order[16 * (step % 5) : 16 * (step % 5 + 1)]
        log = network(words[rows], shifted(actions[rows])).log_softmax(-1)
        there = actions[rows] > 0
        loss = -log.gather(-1, actions[rows][..., None])[..., 0][there].mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    with torch.no_grad():
        watched, answers = map(torch.as_tensor, encode(watched_commands(asked)))
        there = watched > 0
        got = seen.watched(LAYER)[0, -1][there.numpy()]
        np.testing.assert_allclose(got, network.encode(watched)[there].numpy(), atol=1e-9)
        log = network(watched, shifted(answers)).log_softmax(-1)
        first = answers[:10]
        mean = -log[:10].gather(-1, first[..., None])[..., 0][first > 0].mean()
        assert seen.loss[0, -1] == pytest.approx(float(mean), abs=1e-9)
        np.testing.assert_array_equal(seen.outputs[0, -1], log.argmax(-1))


def test_a_seed_is_the_same_whatever_trains_beside_it(seen):
    same(seen, replace(TINY, seeds=(0, 1)).run(MemoryStore()))
    alone = replace(TINY, seeds=(1,)).run(MemoryStore())
    np.testing.assert_array_equal(alone.outputs[0], seen.outputs[1])
    np.testing.assert_array_equal(alone.representation(LAYER)[0], seen.representation(LAYER)[1])


@pytest.mark.parametrize("killed", [1, 11, 30])
def test_resumes_to_the_byte(seen, tmp_path, monkeypatch, killed):
    monkeypatch.setattr(Snapshot, "due", True)
    update, calls = SequenceLearner.update, []

    def dies(self, step):
        calls.append(step)
        if len(calls) == killed:
            raise Killed
        update(self, step)

    monkeypatch.setattr(SequenceLearner, "update", dies)
    path = tmp_path / "state.safetensors"
    with pytest.raises(Killed):
        TINY.run(MemoryStore(), path)
    assert list(tmp_path.iterdir())
    same(TINY.run(MemoryStore(), path), seen)
    assert len(calls) == 2 * TINY.updates + 1  # nothing is learned twice
    assert not list(tmp_path.iterdir())


def test_a_snapshot_of_something_else_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Snapshot, "due", True)
    monkeypatch.setattr(SequenceLearner, "update", lambda *_: (_ for _ in ()).throw(Killed))
    asked, path = replace(TINY, seeds=(0,)), tmp_path / "state.safetensors"
    with pytest.raises(Killed):
        asked.run(MemoryStore(), path)
    with pytest.raises(RunError, match="is of another training"):
        replace(asked, width=16).run(MemoryStore(), path)


def test_a_zoo_trains_it_seed_by_seed(seen, tmp_path):
    store, told = FolderStore(tmp_path / "store"), []
    parts = TINY.parts()
    assert [part.seeds for part in parts] == [(0,), (1,)]
    list(train_zoo(parts, store, progress=told.append))
    assert all(part.there(store) for part in parts)
    assert 0 < sum(told) <= TINY.work == sum(part.work for part in parts)
    joined = gathered(TINY, store)
    np.testing.assert_array_equal(joined.representation(LAYER), seen.representation(LAYER))
    np.testing.assert_array_equal(joined.loss, seen.loss)


def test_what_it_is_known_by():
    asked = TINY.asked()
    json.dumps(asked, allow_nan=False)
    assert replace(TINY, device="meta").asked() == asked
    for name, value in {
        "seeds": (0,), "options": {}, "watched": 9, "width": 16, "depth": 2, "heads": 4, "updates": 25, "batch_size": 8,
        "learning_rate": 0.1, "weight_decay": 0.1, "record": Schedule("log", 4), "precision": "float64",
    }.items():  # fmt: skip
        assert replace(TINY, **{name: value}).asked() != asked, name


def test_cost_is_told_before():
    (cost,) = costs([TINY])
    kept = TINY.run(MemoryStore())
    recorded = sum(kept.tree[path].nbytes for path in ("loss", "outputs", f"layers/{LAYER}/representation"))
    assert recorded < cost.bytes < 2 * recorded
    assert cost.seconds > 0
    double = replace(TINY, updates=48)
    assert double.work == 2 * TINY.work


def test_weights_decay_apart_from_the_gradient():
    """Under a loss that asks for nothing, a weight shrinks by rate times decay at each update."""
    asked = replace(TINY, seeds=(0,), weight_decay=0.5)
    with_, without = asked._learner(0), replace(asked, weight_decay=0.0)._learner(0)
    name = "action_place.weight"  # the last places are not always needed
    start = without.network.state_dict()[name].clone()
    for learner in (with_, without):
        learner.update(0)
    shrunk = with_.network.state_dict()[name] - without.network.state_dict()[name]
    torch.testing.assert_close(shrunk, -3e-3 * 0.5 * start, rtol=1e-3, atol=1e-7)


def test_a_network_that_diverges_says_so_and_stops(monkeypatch):
    update, calls = SequenceLearner.update, []
    monkeypatch.setattr(SequenceLearner, "update", lambda self, step: (calls.append(step), update(self, step)))
    seen = replace(TINY, seeds=(0,), learning_rate=1e30).run(MemoryStore())
    assert len(calls) == 10  # seen at the next recorded step
    assert seen.fates == ("diverged",)
    assert np.isfinite(seen.loss[0, 0])
    assert np.isnan(seen.loss[0, -1])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"watched": 0}, "watched, updates and batch_size are 1 or more"),
        ({"learning_rate": 0.0}, "learning_rate above 0"),
        ({"weight_decay": -1.0}, "weight_decay 0 or more; got"),
        ({"batch_size": 81}, "batch_size is at most the 80 learned commands; got 81"),
        ({"watched": 81}, "watched is at most the 80 commands of the part learned; got 81"),
        ({"heads": 3}, "heads that divide its width"),
    ],
)
def test_what_cannot_be_trained(changes, says):
    with pytest.raises(SpecificationError, match=says):
        replace(TINY, **changes).run(MemoryStore())


def test_the_loss_falls(seen):
    assert (np.diff(seen.loss) < 0).all()
    assert (seen.loss[:, -1] < 0.9 * seen.loss[:, 0]).all()


@pytest.mark.slow
def test_the_network_learns_a_tiny_task():
    """All learned commands, and most others made of the same pairs."""
    asked = SequenceTraining(
        seeds=(0,),
        options={"verbs": 2, "directions": 2, "pairs": 1, "learned": 400},
        watched=60,
        depth=1,
        updates=240,
        learning_rate=3e-3,
        record=Schedule("every", 240),
    )
    seen = asked.run(MemoryStore())
    right = ((seen.outputs == seen.targets) | (seen.targets == 0)).all(-1)
    assert right[0, 0].mean() == 0
    assert right[0, -1, :60].mean() >= 0.9
    assert right[0, -1, 60:120].mean() >= 0.5
    # Reading its own actions it does the same commands right, word for word.
    network = _trained(asked)
    words, _ = map(torch.as_tensor, encode(seen.items))
    written = torch.zeros((180, 0), dtype=torch.long)
    with torch.no_grad():
        for _ in range(seen.targets.shape[1]):
            given = torch.cat([torch.full((180, 1), ACTIONS.index(".")), written], dim=1)
            written = torch.cat([written, network(words, given)[:, -1:].argmax(-1)], dim=1)
    alone = ((written.numpy() == seen.targets) | (seen.targets == 0)).all(-1)
    np.testing.assert_array_equal(alone, right[0, -1])


def _trained(asked):
    learner = asked._learner(asked.seeds[0])
    for step in range(asked.updates):
        learner.update(step)
    return learner.network


def test_places_of_symbols():
    assert (WORDS[0], ACTIONS[0], ACTIONS[1]) == ("·", "·", ".")
