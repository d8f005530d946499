"""Recordings as representations: finished, killed, or still being written."""

import json

import numpy as np
import pytest

from syzygy.alignment import align
from syzygy.errors import DataError, RunError, ShapeError, SpecificationError, UnknownName
from syzygy.journal import FolderJournal, Manifest, MemoryJournal
from syzygy.representations import Representations

ITEMS = ("cat", "dog", "owl", "eel", "ant", "bee")


def put(journal, step, layers=("a.0", "a.1"), loss=np.nan):
    rng = np.random.default_rng([5, step])
    with journal.step(step) as row:
        row.loss = loss
        row.put(0, np.zeros((6, 0)), {name: rng.normal(size=(6, 3)).astype("f4") for name in layers})


def of_step(step, layer):
    rng = np.random.default_rng([5, step])
    return [rng.normal(size=(6, 3)).astype("f4") for _ in range(layer + 1)][layer]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two recordings of different layers, in one folder, whose losses nobody told."""
    home = tmp_path_factory.mktemp("runs")
    for name, layers in (("vit", ("a.0", "a.1")), ("resnet", ("stem", "mean(body)"))):
        with FolderJournal.create(home / name, Manifest(ITEMS, seed=3)) as journal:
            for step in (0, 10, 100):
                put(journal, step, layers)
    return home


def test_a_recording_is_read_by_layer_and_step(runs):
    last = Representations.of(runs / "vit")
    assert last.names == ("vit/seed 3/a.0/step 100", "vit/seed 3/a.1/step 100")
    assert last.items == ITEMS
    some = Representations.of(str(runs / "vit"), layers=["*.1"], steps=[0, 10])
    assert some.names == ("vit/seed 3/a.1/step 0", "vit/seed 3/a.1/step 10")
    np.testing.assert_array_equal(some.values(1), of_step(10, 1))
    assert some[1].where == {
        "network": "vit", "seed": 3, "gain": 1.0, "layer": "a.1", "step": 10, "file": str(runs / "vit/trajectory.zarr")
    }  # fmt: skip
    assert len(Representations.of(runs / "vit", steps="all")) == 6
    with pytest.raises(UnknownName, match="unknown layer 'b'"):
        Representations.of(runs / "vit", layers=["b"])
    with pytest.raises(SpecificationError, match="step 5 was not recorded; recorded are 0, 10, 100"):
        Representations.of(runs / "vit", steps=[5])


def test_the_trajectory_alone_is_read_likewise(runs):
    tree = Representations.of(runs / "vit/trajectory.zarr", steps="first")
    np.testing.assert_array_equal(tree.values(0), of_step(0, 0))
    assert tree.items == ITEMS


GIVEN = {
    "list": lambda home: [home / "vit", home / "resnet"],
    "folder": lambda home: home,
    "dictionary": lambda home: {"vit": home / "vit", "resnet": str(home / "resnet")},
}


@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
def test_networks_of_several_recordings_are_told_apart(runs, given):
    both = Representations.of(given(runs))
    assert {one.where["network"] for one in both} == {"vit", "resnet"}
    assert "resnet/seed 3/mean(body)/step 100" in both.names


def test_different_layers_are_compared_layer_by_layer(runs):
    scores = align([runs / "vit", runs / "resnet"], measures=["cka"]).data
    networks = scores["network"].values
    assert sorted(set(networks.tolist())) == ["resnet", "vit"]
    between = scores["score"].values[0][np.ix_(networks == "vit", networks == "resnet")]
    assert between.shape == (2, 2)
    assert np.isfinite(between).all()


def test_positions_are_items_of_their_own(tmp_path):
    values = np.random.default_rng(0).normal(size=(6, 3, 2)).astype("f4")
    values[1, 2] = np.nan
    with FolderJournal.create(tmp_path / "run", Manifest(ITEMS, precision="float16")) as journal:
        for step in range(2):
            with journal.step(step) as row:
                row.put(0, np.zeros((6, 0)), {"positions(x)": values + step, "mean(x)": np.nanmean(values, 1)})
        from_memory = Representations.of(journal.trajectory, layers=["positions(x)"])
    found = Representations.of(tmp_path / "run", layers=["positions*"])
    for some in (found, from_memory):
        assert some.items[3:6] == ("dog @ 0", "dog @ 1", "owl @ 0")
        assert some.item_count == 17
        assert some[0].units == 2
        expected = (values + 1).astype(np.float16)[~np.isnan(values[..., 0])]
        np.testing.assert_array_equal(some.values(0), expected)
    with pytest.raises(ShapeError, match="compared on the same items"):
        Representations.of(tmp_path / "run")


def test_a_recording_is_read_while_it_grows(tmp_path):
    with FolderJournal.create(tmp_path / "run", Manifest(ITEMS)) as journal:
        with pytest.raises(RunError, match=r"nothing has been recorded in .* yet"):
            Representations.of(tmp_path / "run")
        put(journal, 0)
        put(journal, 1)
        found = Representations.of(tmp_path / "run")
        with journal.step(2) as row:
            row.put(0, np.zeros((6, 0)), {name: np.zeros((6, 3)) for name in ("a.0", "a.1")})
            assert Representations.of(tmp_path / "run").names == found.names
            np.testing.assert_array_equal(found.values(0), of_step(1, 0))
        np.testing.assert_array_equal(found.values(0), of_step(1, 0))
        assert Representations.of(tmp_path / "run").names[0].endswith("step 2")
        journal.forget(1)
        with pytest.raises(DataError, match="changed while it was compared"):
            found.values(0)
        put(journal, 1)
        with pytest.raises(DataError, match="changed while it was compared"):
            found.values(0)


def test_steps_are_there_whether_or_not_their_loss_was_told(tmp_path):
    with FolderJournal.create(tmp_path / "run", Manifest(ITEMS)) as journal:
        for step, loss in ((0, 1.0), (1, np.nan), (2, 0.5), (3, np.nan)):
            put(journal, step, loss=loss)
    assert len(Representations.of(tmp_path / "run", layers=["a.0"], steps="all")) == 4
    memory = MemoryJournal(Manifest(ITEMS))
    for step in range(3):
        put(memory, step)
    assert len(Representations.of(memory.trajectory, layers=["a.0"], steps="all")) == 3


@pytest.mark.parametrize("name", ["a.0", "a.1"])
def test_damage_is_one_line(tmp_path, name):
    with FolderJournal.create(tmp_path / "run", Manifest(ITEMS)) as journal:
        put(journal, 0)
    chunk = tmp_path / f"run/trajectory.zarr/layers/{name}/representation/0.0.0.0"
    data = chunk.read_bytes()
    chunk.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(DataError, match=f"layer '{name}' cannot be read"):
        Representations.of(tmp_path / "run", layers=[name]).values(0)
    chunk.unlink()
    with pytest.raises(DataError, match="1 of its files are missing"):
        Representations.of(tmp_path / "run")
    manifest = tmp_path / "run/manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text(encoding="utf-8")) | {"schema": 9}))
    with pytest.raises(RunError, match="laid out by schema 9"):
        Representations.of(tmp_path / "run")
