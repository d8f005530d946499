"""Representations in files: every format, files that are damaged, and files from strangers."""

import json
import os
import pickle
import shutil
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
import zarr
from safetensors.torch import save_file

from syzygy.errors import DataError, ShapeError, SpecificationError
from syzygy.representations import Representations
from syzygy.store import FolderStore
from test_representations import ITEMS, noise, refused, trajectory

X = noise(5, 3)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


class Trap:
    """What would run if it were unpickled."""

    def __reduce__(self):
        return os.mkdir, ("sprung",)


@pytest.fixture
def trap(tmp_path):
    """Bytes that make a folder if they are unpickled; afterwards it must not be there."""
    yield pickle.dumps(np.array([Trap()], dtype=object))
    assert not (tmp_path / "sprung").exists()


# Every format


def test_numpy(tmp_path):
    np.save("a.npy", X)
    np.savez("b.npz", first=X, second=2 * X, labels=np.arange(5), items=np.array(ITEMS))
    np.savez_compressed("c.npz", first=X)
    some = Representations.of(["a.npy", "b.npz", tmp_path / "c.npz"])
    assert some.names == ("a", "b/first", "b/second", "c/first")
    assert some.items == ITEMS
    assert some.unnamed == ("a", "c/first")
    assert some.left_out == ("labels of b.npz has 1 axes, and is no representation",)
    for index, factor in enumerate((1, 1, 2, 1)):
        np.testing.assert_array_equal(some.values(index), factor * X)
    assert some[0].where == {"file": "a.npy"}
    assert Representations.of("b.npz").names == ("first", "second")
    assert Representations.of("a.npy").names == ("a",)
    assert Representations.of({"mine": "a.npy", "x": "b.npz"}).names == ("mine", "x/first", "x/second")


def test_fortran_order_and_other_bytes():
    np.save("a.npy", np.asfortranarray(X.astype(">f4")))
    np.testing.assert_array_equal(Representations.of("a.npy").values(0), X.astype("f4"))


def test_safetensors():
    tensors = {"half": torch.tensor(X).to(torch.bfloat16), "whole": torch.tensor(X), "bias": torch.zeros(3)}
    save_file(tensors, "a.safetensors", metadata={"items": json.dumps(ITEMS)})
    some = Representations.of("a.safetensors")
    assert set(some.names) == {"half", "whole"}
    assert some.items == ITEMS
    assert some.left_out == ("bias of a.safetensors has 1 axes, and is no representation",)
    np.testing.assert_array_equal(some.values(some.names.index("whole")), X)
    np.testing.assert_array_equal(some.values(some.names.index("half")), tensors["half"].float().numpy())


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_zarr(zarr_format):
    group = zarr.open_group("a.zarr", mode="w", zarr_format=zarr_format)
    group.create_array("maps", data=noise(5, 2, 4), attributes={"items": list(ITEMS)})
    group.create_array("inner/hidden", data=X)
    group.create_array("labels", data=np.arange(5))
    zarr.create_array("alone.zarr", data=X, zarr_format=zarr_format)
    some = Representations.of("a.zarr")
    assert some.names == ("inner/hidden", "maps")
    assert some[1].shape == (5, 2, 4)
    assert some.items == ITEMS
    assert some.left_out == ("labels of a.zarr has 1 axes, and is no representation",)
    np.testing.assert_array_equal(some.values(0), X)
    alone = Representations.of("alone.zarr")
    assert alone.names == ("alone",)
    np.testing.assert_array_equal(alone.values(0), X)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_zarr_of_xarray(zarr_format):
    x = noise(2, 5, 3)
    given = xr.Dataset(
        {"hidden": (("step", "item", "unit"), x)}, coords={"item": list(ITEMS), "step": ("step", [0, 100])}
    )
    with warnings.catch_warnings():  # of texts, which this version of Zarr does not specify
        warnings.simplefilter("ignore")
        given.to_zarr("a.zarr", zarr_format=zarr_format, consolidated=False)
    some = Representations.of("a.zarr")
    assert some.names == ("hidden/step 0", "hidden/step 100")
    assert some.items == ITEMS
    assert some[1].where == {"file": "a.zarr", "step": 100}
    np.testing.assert_array_equal(some.values(1), x[1])


def test_files_of_one_name_are_told_apart():
    for place in ("x/deep", "y/deep"):
        Path(place).mkdir(parents=True)
        np.save(f"{place}/a.npy", X)
    np.savez("x/deep/a.npz", hidden=X)
    assert Representations.of(["x/deep/a.npy", "y/deep/a.npy"]).names == ("x/deep/a.npy", "y/deep/a.npy")
    assert Representations.of(["x/deep/a.npy", "x/deep/a.npz"]).names == ("a.npy", "a.npz/hidden")
    refused(["x/deep/a.npy", "x/deep/a.npy"], SpecificationError, "as 'a'")


# A recorded run


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "pair-0123456789ab"
    store = FolderStore(folder / "trajectories")
    store.put({"seeds": 1}, trajectory())
    store.put({"seeds": 2}, trajectory(seeds=[7, 8], fates=["trained", "diverged"]))
    (folder / "specification.json").write_text("{}", encoding="utf-8")
    return folder


def test_a_run(run):
    some = Representations.of(run, steps="all", layers=["hidden.1"])
    assert len(some) == 12
    assert set(some.names) >= {f"narrow/seed {seed}/hidden.1/step {step}" for seed in (0, 1, 7) for step in (0, 100)}
    assert some.left_out == ("narrow/seed 8 diverged",)
    assert some.items == ITEMS
    index = some.names.index("narrow/seed 1/hidden.1/step 10")
    np.testing.assert_array_equal(some.values(index), trajectory().representation("hidden.1")[1, 2])
    assert Representations.of([run, run / "trajectories"]).names[0].startswith("pair-0123456789ab/narrow/seed")


def test_a_folder_of_trajectories_or_one_of_them(run):
    assert len(Representations.of(run / "trajectories")) == 6
    assert Representations.of(FolderStore(run / "trajectories")).names == Representations.of(run / "trajectories").names
    one, other = sorted((run / "trajectories").iterdir())
    assert len(Representations.of(one)) + len(Representations.of(other)) == 6


def test_networks_in_files_of_the_same_seed_are_told_apart(run):
    one = next((run / "trajectories").iterdir())
    shutil.copytree(one, run / "trajectories" / "other.zarr")
    names = Representations.of(run).names
    assert len(set(names)) == len(names)
    assert any(name.startswith("other/narrow/gain 1/seed") for name in names)


def test_runs_without_trajectories(tmp_path):
    folder = tmp_path / "pair-a"
    folder.mkdir()
    (folder / "specification.json").write_text("{}", encoding="utf-8")
    refused(folder, DataError, "holds no finished trajectories", "run it first")
    (tmp_path / "trajectories").mkdir()
    refused(folder, DataError, f"share {tmp_path / 'trajectories'}")


# What is damaged


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.safetensors", "a.zarr", "a"])
def test_what_is_missing(name):
    refused(name, DataError, f"{name} is not there")


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.safetensors"])
@pytest.mark.parametrize("content", [b"", b"\x00" * 200, b"garbage" * 50, b"\x93NUMPY\x01\x00\xff\xff", b"PK\x03\x04"])
def test_garbage(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    refused(name, DataError, name)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_what_is_truncated(share, tmp_path):
    np.save("a.npy", X)
    np.savez("a.npz", hidden=X)
    save_file({"hidden": torch.tensor(X)}, "a.safetensors")
    for name in ("a.npy", "a.npz", "a.safetensors"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: int(share * len(content))])
        refused(name, DataError, name)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"zarr_format": 3}', b'{"node_type": "array"}'])
def test_garbage_for_zarr(content, tmp_path):
    (tmp_path / "a.zarr").mkdir()
    for name in ("zarr.json", ".zarray"):
        (tmp_path / "a.zarr" / name).write_bytes(content)
    refused("a.zarr", DataError, "a.zarr")


def test_a_damaged_chunk(tmp_path):
    zarr.create_array("a.zarr", data=X)
    (chunk,) = (path for path in (tmp_path / "a.zarr/c").rglob("*") if path.is_file())
    chunk.write_bytes(chunk.read_bytes()[:-9])
    refused("a.zarr", DataError, "a.zarr cannot be read")


def test_damaged_trajectories(run):
    one = next((run / "trajectories").iterdir())
    (one / ".zattrs").write_text('{"layers": "[]"', encoding="utf-8")
    refused(run, DataError, "cannot be read")
    (one / ".zattrs").write_text("{}", encoding="utf-8")
    refused(run, DataError, "cannot be read")


def test_folders_of_something_else(tmp_path):
    (tmp_path / "empty").mkdir()
    refused("empty", DataError, "empty is empty", ".npy, .npz, .safetensors")
    (tmp_path / "empty/a.txt").touch()
    refused("empty", DataError, "neither a run, nor Zarr")
    refused("empty/a.txt", SpecificationError, "nothing else is read")
    zarr.open_group("bare.zarr", mode="w")
    refused("bare.zarr", DataError, "holds no array (item, unit)")
    np.savez("bare.npz", labels=np.arange(5))
    refused("bare.npz", DataError, "holds no array (item, unit)")
    np.save("flat.npy", np.arange(5))
    refused("flat.npy", ShapeError, "flat must be (item, unit)")
    np.save("named.npy", np.zeros((5, 2), dtype=[("a", "f8")]))
    refused("named.npy", DataError, "named")


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.safetensors", "a.zarr"])
def test_files_that_change_are_refused(name, tmp_path):
    def write(array):
        np.save("a.npy", array)
        np.savez("a.npz", hidden=array)
        save_file({"hidden": torch.tensor(array)}, "a.safetensors")
        zarr.create_array("a.zarr", data=array, overwrite=True)

    write(X)
    some = Representations.of(name)
    some.values(0)
    write(2 * X)
    with pytest.raises(DataError, match="changed while it was compared"):
        some.values(0)
    shutil.rmtree(name) if name == "a.zarr" else Path(name).unlink()
    with pytest.raises(DataError, match="changed while it was compared"):
        some.values(0)


# What comes from strangers


def test_pickles_are_never_loaded(tmp_path, trap):
    np.save("a.npy", np.array([[Trap()]], dtype=object), allow_pickle=True)
    refused("a.npy", DataError, "objects", "never unpickled")
    np.savez("a.npz", hidden=np.array([[Trap()]], dtype=object))
    refused("a.npz", DataError, "never unpickled")
    np.savez("b.npz", hidden=X, items=np.array([Trap()] * 5, dtype=object))
    refused("b.npz", DataError, "never unpickled")
    for name in ("b.npy", "c.npz", "b.safetensors"):
        (tmp_path / name).write_bytes(trap)
        refused(name, DataError, name)
    with zipfile.ZipFile("d.npz", "w") as archive:
        archive.writestr("hidden.npy", trap)
    refused("d.npz", DataError, "d.npz")


@pytest.mark.parametrize(
    "changes",
    [
        {"filters": [{"id": "pickle"}]},
        {"compressor": {"id": "pickle"}},
        {"dtype": "|O", "filters": [{"id": "pickle"}]},
        {"dtype": "|O", "filters": [{"id": "json2"}]},
    ],
)
def test_zarr_unpickles_nothing(changes, tmp_path, trap):
    zarr.create_array("a.zarr", data=X, zarr_format=2, compressors=None)
    place = tmp_path / "a.zarr"
    asked = json.loads((place / ".zarray").read_text()) | changes
    (place / ".zarray").write_text(json.dumps(asked))
    (place / "0.0").write_bytes(trap)
    refused("a.zarr", DataError, "a.zarr")


def test_codecs_that_would_unpickle_are_refused_before_zarr_sees_them(tmp_path):
    zarr.create_array("a.zarr", data=X, zarr_format=3)
    place = tmp_path / "a.zarr/zarr.json"
    asked = json.loads(place.read_text())
    asked["codecs"].append({"name": "numcodecs.pickle", "configuration": {}})
    place.write_text(json.dumps(asked))
    refused("a.zarr", DataError, "never unpickled")


def test_links_that_lead_out_are_refused(tmp_path):
    np.save("secret.npy", X)
    zarr.create_array("outside/a", data=X)
    zarr.open_group("a.zarr", mode="w").create_array("fine", data=X)
    (tmp_path / "a.zarr/linked").symlink_to(tmp_path / "outside/a")
    refused("a.zarr", DataError, "a.zarr/linked is a link that leads out")
    (tmp_path / "a.zarr/linked").unlink()
    (tmp_path / "a.zarr/linked").symlink_to(tmp_path / "a.zarr/fine")
    assert Representations.of("a.zarr").names == ("fine", "linked")


def test_names_in_archives_lead_nowhere(tmp_path):
    (tmp_path / "here").mkdir()
    with zipfile.ZipFile("here/a.npz", "w") as archive:
        np.save("b.npy", X)
        archive.write("b.npy", "../../outside.npy")
    some = Representations.of("here/a.npz")
    np.testing.assert_array_equal(some.values(0), X)
    assert {path.name for path in tmp_path.iterdir()} == {"here", "b.npy"}
    group = zarr.open_group("a.zarr", mode="w", zarr_format=2)
    group.create_array("fine", data=X)
    zarr.create_array("outside", data=X, zarr_format=2)
    meta = {f"../outside/{n}": json.loads((tmp_path / "outside" / n).read_text()) for n in (".zarray", ".zattrs")}
    meta[".zgroup"] = {"zarr_format": 2}
    (tmp_path / "a.zarr/.zmetadata").write_text(json.dumps({"zarr_consolidated_format": 1, "metadata": meta}))
    assert Representations.of("a.zarr").names == ("fine",)
