"""Trajectories kept and found again: in memory and in a folder, whole or not at all."""

import errno
import json
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from syzygy.axes import ITEM, NETWORK, STEP, UNIT
from syzygy.errors import DataError, ShapeError, UnknownName
from syzygy.files import whole_file, whole_folder, write_text
from syzygy.store import FolderStore, MemoryStore, key
from syzygy.trajectory import Trajectory

ASKED = {"network": "default", "seeds": [0, 1], "options": {"dx2": 1.0, "dy2": 0.5}}


def values(networks=2, recorded=3, number=4, **changes):
    draw = np.random.default_rng(networks)

    def some(*shape):
        return draw.normal(size=shape).astype(np.float32)

    made = {
        "steps": np.arange(recorded) * 10,
        "loss": some(networks, recorded),
        "outputs": some(networks, recorded, number, 2),
        "representations": {
            "hidden.0": some(networks, recorded, number, 5),
            "hidden.1": some(networks, recorded, number, 7),
        },
        "inputs": draw.normal(size=(number, 3)),
        "targets": draw.normal(size=(number, 2)),
        "items": [f"Ding {i} ≥ ü" for i in range(number)],
        "seeds": np.arange(networks) + 5,
        "gains": np.linspace(1, 2, networks),
        "fates": ["trained", "diverged", "learned"][:networks],
        "about": {"task": "two-points", "nested": {"list": [1, 2.5, None]}},
    }
    return made | changes


def a_trajectory(**changes):
    return Trajectory.of(**values(**changes))


def assert_same(ours, theirs):
    for name in ("steps", "seeds", "gains", "loss", "outputs", "inputs", "targets"):
        mine, yours = getattr(ours, name), getattr(theirs, name)
        assert mine.dtype == yours.dtype
        np.testing.assert_array_equal(mine, yours)
    for name in ("items", "fates", "about"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert ours.layers == theirs.layers
    for layer in ours.layers:
        assert ours.representation(layer).dtype == theirs.representation(layer).dtype
        np.testing.assert_array_equal(ours.representation(layer), theirs.representation(layer))


@pytest.fixture(params=["memory", "folder"])
def store(request, tmp_path):
    return MemoryStore() if request.param == "memory" else FolderStore(tmp_path / "made" / "when needed")


# What every store does


def test_what_was_put_comes_back_the_same(store):
    put = a_trajectory()
    assert ASKED not in store
    store.put(ASKED, put)
    assert ASKED in store
    assert_same(store.get(ASKED), put)


def test_nothing_comes_back_for_what_was_never_put(store):
    with pytest.raises(KeyError, match=key(ASKED)):
        store.get(ASKED)
    store.put(ASKED, a_trajectory())
    with pytest.raises(KeyError, match=key(ASKED | {"seeds": [1]})):
        store.get(ASKED | {"seeds": [1]})
    assert ASKED | {"seeds": [0]} not in store


def test_the_order_of_keys_does_not_matter(store):
    store.put(ASKED, a_trajectory())
    turned = {"options": {"dy2": 0.5, "dx2": 1.0}, "seeds": [0, 1], "network": "default"}
    assert turned in store
    assert_same(store.get(turned), a_trajectory())


def test_what_is_put_again_replaces_what_was_there(store):
    store.put(ASKED, a_trajectory())
    store.put(ASKED, a_trajectory(networks=3, recorded=2))
    assert_same(store.get(ASKED), a_trajectory(networks=3, recorded=2))


def test_two_specifications_are_kept_apart(store):
    for networks in (1, 2, 3):
        store.put({"networks": networks}, a_trajectory(networks=networks))
    for networks in (1, 2, 3):
        assert_same(store.get({"networks": networks}), a_trajectory(networks=networks))


def test_nan_and_infinity_come_back(store):
    loss = np.array([[1, np.inf, np.nan], [np.nan, np.nan, np.nan]], dtype=np.float32)
    store.put(ASKED, a_trajectory(loss=loss, outputs=np.full((2, 3, 4, 2), np.nan)))
    assert_same(store.get(ASKED), a_trajectory(loss=loss, outputs=np.full((2, 3, 4, 2), np.nan)))


# Keys


def test_a_key_is_that_of_the_content():
    assert len(key(ASKED)) == 12
    assert int(key(ASKED), 16) >= 0
    assert key({"a": {"b": 1, "c": 2}}) == key({"a": {"c": 2, "b": 1}})
    assert key({"a": (1, 2)}) == key({"a": [1, 2]})
    different = [{}, {"a": 1}, {"a": 2}, {"b": 1}, {"a": "1"}, {"a": [1]}, {"a": [1, 2]}, {"a": [2, 1]}, {"a": None}]
    assert len({key(asked) for asked in different}) == len(different)


def test_a_key_is_the_same_in_every_process():
    code = f"from syzygy.store import key; print(key({ASKED!r}))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == key(ASKED)


def test_a_specification_that_is_not_a_number_has_no_key():
    with pytest.raises(ValueError, match="JSON"):
        key({"rate": float("nan")})


# The folder


def test_xarray_alone_reads_what_was_put(tmp_path):
    FolderStore(tmp_path).put(ASKED, a_trajectory())
    with xr.open_datatree(tmp_path / f"{key(ASKED)}.zarr", engine="zarr", consolidated=False) as tree:
        put = values()
        assert tree["outputs"].dims == (NETWORK, STEP, ITEM, "output")
        assert tree["loss"].dims == (NETWORK, STEP)
        np.testing.assert_array_equal(tree["outputs"].values, put["outputs"])
        np.testing.assert_array_equal(tree["step"].values, [0, 10, 20])
        node = tree["layers/hidden.1"]["representation"]
        assert node.dims == (NETWORK, STEP, ITEM, UNIT)
        np.testing.assert_array_equal(node.values, put["representations"]["hidden.1"])
        assert node.sel(step=20).shape == (2, 4, 7)  # a layer knows its steps
        assert json.loads(tree.attrs["items"]) == put["items"]


def test_a_large_layer_is_cut_along_network_and_step(tmp_path, monkeypatch):
    monkeypatch.setattr("syzygy.store.CHUNK_BYTES", 300)
    store, put = FolderStore(tmp_path), a_trajectory(recorded=50)
    store.put(ASKED, put)
    folder = tmp_path / f"{key(ASKED)}.zarr" / "layers" / "hidden.0" / "representation"
    assert json.loads((folder / ".zarray").read_text())["chunks"] == [1, 3, 4, 5]  # 80 bytes a step
    assert_same(store.get(ASKED), put)


DAMAGED = {
    "group": ".zgroup",
    "attributes": ".zattrs",
    "array": "loss/.zarray",
    "layer": "layers/hidden.1/representation/1.0.0.0",
    "outputs": "outputs/0.0.0.0",
    "loss": "loss/0.0",
    "seeds": "seed/0",
}


@pytest.mark.filterwarnings("ignore:Object at .* is not recognized")  # Zarr, of what is left
@pytest.mark.parametrize("how", ["truncated", "empty", "garbage", "gone"])
@pytest.mark.parametrize("where", DAMAGED)
def test_a_damaged_trajectory_is_refused_with_its_place(tmp_path, where, how):
    store = FolderStore(tmp_path)
    store.put(ASKED, a_trajectory(number=40))
    path = tmp_path / f"{key(ASKED)}.zarr"
    damaged = DAMAGED[where]
    content = (path / damaged).read_bytes()
    (path / damaged).unlink()
    if how != "gone":
        (path / damaged).write_bytes(
            {"truncated": content[: len(content) // 2], "empty": b"", "garbage": b"\x07" * len(content)}[how]
        )
    with pytest.raises(DataError, match=rf"{key(ASKED)}\.zarr is damaged \(.*\); remove it and run again"):
        store.get(ASKED)
    (path / damaged).write_bytes(content)
    assert_same(store.get(ASKED), a_trajectory(number=40))


def test_an_empty_folder_is_no_trajectory(tmp_path):
    (tmp_path / f"{key(ASKED)}.zarr").mkdir()
    with pytest.raises(DataError, match="is damaged"):
        FolderStore(tmp_path).get(ASKED)


def test_a_full_disk_leaves_nothing_and_what_was_there_before(tmp_path, monkeypatch):
    store = FolderStore(tmp_path)

    def full(_tree, part, **_options):
        (part / "loss").mkdir()
        (part / "loss" / "0.0").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(xr.DataTree, "to_zarr", full)
        with pytest.raises(OSError, match="No space left"):
            store.put(ASKED, a_trajectory())
    assert ASKED not in store
    assert list(tmp_path.iterdir()) == []
    store.put(ASKED, a_trajectory())
    with monkeypatch.context() as patched:
        patched.setattr(xr.DataTree, "to_zarr", full)
        with pytest.raises(OSError, match="No space left"):
            store.put(ASKED, a_trajectory(networks=3))
    assert_same(store.get(ASKED), a_trajectory())
    assert [path.name for path in tmp_path.iterdir()] == [f"{key(ASKED)}.zarr"]


def test_what_a_killed_writer_left_is_no_trajectory_and_in_nobodys_way(tmp_path):
    store, left = FolderStore(tmp_path), tmp_path / f"{key(ASKED)}.zarr.part"
    (left / "loss").mkdir(parents=True)
    (left / ".zgroup").write_text("{")
    assert ASKED not in store
    store.put(ASKED, a_trajectory())
    assert_same(store.get(ASKED), a_trajectory())
    assert not left.exists()


def test_an_unfinished_training_keeps_its_checkpoints_beside_its_trajectory(tmp_path):
    assert FolderStore(tmp_path).checkpoint(ASKED) == tmp_path / f"{key(ASKED)}.training"


# Files


def test_a_file_appears_only_when_it_is_complete(tmp_path):
    path = tmp_path / "some" / "folder" / "file.txt"
    with whole_file(path) as part:
        assert part.parent == path.parent
        part.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_could_not_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "file.txt"
    write_text(path, "old ≥ ü")
    with pytest.raises(OSError, match="No space"), whole_file(path) as part:  # noqa: PT012
        part.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_text(encoding="utf-8") == "old ≥ ü"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_appears_only_when_it_is_complete_and_replaces_an_older_one(tmp_path):
    path = tmp_path / "deep" / "folder"
    (tmp_path / "deep" / "folder.part" / "left by a killed writer").mkdir(parents=True)
    for name in ("one", "two"):
        with whole_folder(path) as part:
            assert list(part.iterdir()) == []
            (part / name).write_text(name)
            assert not (path / name).exists()
        assert [file.name for file in path.iterdir()] == [name]
    with pytest.raises(KeyboardInterrupt), whole_folder(path) as part:  # noqa: PT012
        (part / "three").write_text("three")
        raise KeyboardInterrupt
    assert [file.name for file in path.iterdir()] == ["two"]
    assert list(path.parent.iterdir()) == [path]


# Trajectories


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"loss": np.zeros((3, 3))}, r"loss must be .* = \(2, 3\), got \(3, 3\)"),
        ({"outputs": np.zeros((2, 3, 5, 2))}, r"outputs must be .* = \(2, 3, 4, 2\), got \(2, 3, 5, 2\)"),
        ({"outputs": np.zeros((2, 3, 4))}, r"outputs must be .* = \(2, 3, 4, 2\), got \(2, 3, 4\)"),
        ({"outputs": np.zeros((2, 3, 4, 3))}, r"outputs must be .* = \(2, 3, 4, 2\), got \(2, 3, 4, 3\)"),
        ({"steps": [0, 1]}, r"outputs must be .* = \(2, 2, 4, 2\), got \(2, 3, 4, 2\)"),
        ({"seeds": [0]}, r"outputs must be .* = \(1, 3, 4, 2\), got \(2, 3, 4, 2\)"),
        ({"items": ["a"]}, r"outputs must be .* = \(2, 3, 1, 2\), got"),
        (
            {"representations": {"h": np.zeros((2, 3, 5, 1))}},
            r"layer 'h' must be .* = \(2, 3, 4, 1\), got \(2, 3, 5, 1\)",
        ),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused_with_their_shapes(wrong, says):
    with pytest.raises(ShapeError, match=says):
        a_trajectory(**wrong)


def test_a_trajectory_gives_what_it_was_made_of():
    put, made = values(), a_trajectory()
    assert made.layers == ("hidden.0", "hidden.1")
    assert made.items == tuple(put["items"])
    assert made.fates == ("trained", "diverged")
    assert made.about == put["about"]
    np.testing.assert_array_equal(made.inputs, put["inputs"])
    np.testing.assert_array_equal(made.representation("hidden.0"), put["representations"]["hidden.0"])
    assert repr(made) == "Trajectory({'network': 2, 'step': 3, 'item': 4}, layers=['hidden.0', 'hidden.1'])"


def test_gains_are_one_fates_trained_and_inputs_flat_by_default():
    made = a_trajectory(gains=None, fates=None, about=None, inputs=np.zeros((4, 2, 3)), representations={})
    assert made.gains.tolist() == [1.0, 1.0]
    assert made.fates == ("trained", "trained")
    assert made.about == {}
    assert made.inputs.shape == (4, 6)
    assert made.layers == ()


def test_a_layer_that_was_not_watched_is_refused_with_those_that_were():
    with pytest.raises(UnknownName, match=r"unknown layer 'hidden\.2'; did you mean .*known: hidden\.0, hidden\.1"):
        a_trajectory().representation("hidden.2")
    with pytest.raises(UnknownName, match=r"unknown layer 'hidden\.0'; there are none"):
        a_trajectory(representations={}).representation("hidden.0")


def test_joined_trajectories_lie_one_behind_the_other():
    parts = [a_trajectory(networks=n, inputs=values()["inputs"], targets=values()["targets"]) for n in (1, 3, 2)]
    joined = Trajectory.join(parts)
    assert joined.seeds.tolist() == [5, 5, 6, 7, 5, 6]
    assert joined.fates == ("trained", "trained", "diverged", "learned", "trained", "diverged")
    assert joined.layers == parts[0].layers
    for name in ("loss", "outputs", "gains"):
        np.testing.assert_array_equal(getattr(joined, name), np.concatenate([getattr(part, name) for part in parts]))
    np.testing.assert_array_equal(joined.representation("hidden.1")[1:4], parts[1].representation("hidden.1"))
    for name in ("steps", "inputs", "targets"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(parts[0], name))
    assert joined.about == parts[0].about
    assert joined.items == parts[0].items
    assert Trajectory.join(parts[:1]) is parts[0]


def test_a_joined_trajectory_can_be_stored(store):
    parts = [a_trajectory(inputs=values()["inputs"], targets=values()["targets"]) for _ in range(2)]
    joined = Trajectory.join(parts)
    store.put(ASKED, joined)
    assert_same(store.get(ASKED), joined)


@pytest.mark.parametrize("field", ["inputs", "targets", "gains", "fates"])
def test_a_trajectory_of_too_few_items_or_networks_is_refused(field):
    fields = {
        "steps": [0, 1],
        "loss": np.zeros((3, 2)),
        "outputs": np.zeros((3, 2, 4, 1)),
        "representations": {"hidden.0": np.zeros((3, 2, 4, 5))},
        "inputs": np.zeros((4, 1)),
        "targets": np.zeros((4, 1)),
        "items": list("abcd"),
        "seeds": range(3),
        "gains": [1.0] * 3,
        "fates": ["trained"] * 3,
    }
    assert Trajectory.of(**fields).layers == ("hidden.0",)
    with pytest.raises(ShapeError, match=field):
        Trajectory.of(**(fields | {field: fields[field][:-1]}))
