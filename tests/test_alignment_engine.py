"""All pairs, tile by tile: the same as a double loop, in any memory, after a kill, and nothing twice."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from filelock import FileLock

import syzygy
from processes import interruptible
from syzygy.alignment import engine as engines
from syzygy.alignment import layout as layouts
from syzygy.alignment import streamed
from syzygy.alignment.engine import Engine
from syzygy.alignment.layout import layout
from syzygy.alignment.settings import Settings, in_bytes
from syzygy.alignment.shelf import MAPPED, Shelf, read_arrays, write_arrays
from syzygy.alignment.streamed import LinearRows
from syzygy.alignment.tiles import Answers, Tile, tiles
from syzygy.chance import features, invariants
from syzygy.chance.features import feature_invariants
from syzygy.errors import DataError, RunError, ShapeError, SpecificationError, UnknownName
from syzygy.linalg import FLOAT64
from syzygy.measures import CKA, RV, Measure, measure, variants
from syzygy.representations import Representations, held

NAMES = ("score", "chance", "spread", "calibrated", "p", "q")


def some(count=6, items=40, seed=0):
    """Representations that share part of what they are, of different widths."""
    draw = np.random.default_rng(seed)
    common = draw.normal(size=(items, 6))
    return {f"r{i}": common @ draw.normal(size=(6, 5 + i)) + draw.normal(size=(items, 5 + i)) for i in range(count)}


def double_loop(one: Measure, given):
    prepared = [one.prepare(x, FLOAT64) for x in given.values()]
    return np.array([[one.block([a], [b], FLOAT64)[0, 0] for b in prepared] for a in prepared])


def small_tiles(monkeypatch, side=2, held=False):
    def cut(*arguments):
        return replace(layout(*arguments), side=side, held=held)

    monkeypatch.setattr(engines, "layout", cut)


def assert_same(ours, theirs, rtol=1e-12):
    xr.testing.assert_allclose(ours.data, theirs.data, rtol=rtol, atol=1e-14)
    assert ours.data.attrs == theirs.data.attrs


# The same as a double loop


@pytest.mark.parametrize("one", variants(), ids=lambda one: one.label)
@pytest.mark.parametrize(("dtype", "off"), [("float32", 1e-6), ("float64", 1e-10)])
def test_every_pair_is_what_a_double_loop_in_float64_finds(one, dtype, off):
    given = some()
    found = syzygy.align(given, one, dtype=dtype, permutations=0).score().values
    expected = double_loop(one, given)
    np.testing.assert_allclose(found, expected, rtol=off, atol=off)


@pytest.mark.parametrize("one", variants(), ids=lambda one: one.label)
def test_tiles_and_files_change_nothing(one, monkeypatch):
    given = some()
    whole = syzygy.align(given, one, permutations=5, bootstrap=3, dtype="float64")
    small_tiles(monkeypatch)
    assert_same(syzygy.align(given, one, permutations=5, bootstrap=3, dtype="float64"), whole, rtol=1e-9)


@pytest.mark.parametrize("one", variants(), ids=lambda one: one.label)
def test_torch_gives_the_same_numbers(one):
    given = some(4)
    theirs = syzygy.align(given, one, permutations=3, device="cpu").data
    xr.testing.assert_allclose(theirs, syzygy.align(given, one, permutations=3).data, rtol=2e-4, atol=1e-5)
    np.testing.assert_allclose(theirs["score"].values[0], double_loop(one, given), rtol=1e-6, atol=1e-6)


def test_large_means_cost_no_digits():
    given = {name: x + 1e4 for name, x in some().items()}
    found = syzygy.align(given, "cka").score().values
    np.testing.assert_allclose(found, double_loop(CKA(), given), atol=1e-6)


def test_items_of_other_orders_are_matched_by_their_names():
    given = some(3)
    names, order = [f"i{k}" for k in range(40)], np.random.default_rng(1).permutation(40)
    turned = [held(name, x) for name, x in given.items()]
    turned = [replace(one, items=tuple(names)) for one in turned]
    moved = given["r1"][order]
    turned[1] = replace(turned[1], read=lambda: moved, items=tuple(names[k] for k in order))
    np.testing.assert_allclose(syzygy.align(Representations(turned)).score(), syzygy.align(given).score(), atol=1e-7)


# What cannot be scored


def test_a_constant_representation_is_nan_and_said_once(monkeypatch):
    given = some(4) | {"still": np.ones((40, 3))}
    small_tiles(monkeypatch)
    found = syzygy.align(given, ["cka", "rsa"], permutations=3)
    for name in NAMES:
        lost = np.isnan(found.data[name].values[:, :-1, :-1])
        assert (lost == (np.eye(4, dtype=bool) & (name in "pq"))).all(), name
        assert np.isnan(found.data[name].values[:, -1]).all()
        assert np.isnan(found.data[name].values[:, :, -1]).all()
    assert found.warnings == tuple(
        f"{m} is not defined for 1 that do not vary as it needs: still" for m in ("cka", "rsa")
    )
    alone = syzygy.align(some(4), ["cka", "rsa"], permutations=3).data
    np.testing.assert_allclose(found.data["q"].values[:, :-1, :-1], alone["q"].values, rtol=1e-6)


@pytest.mark.parametrize("one", variants(), ids=lambda one: one.label)
def test_no_measure_loses_the_others_to_a_constant_one(one):
    found = syzygy.align(some(3) | {"still": np.full((40, 3), 0.1)}, one, permutations=0)
    np.testing.assert_allclose(
        found.score().values[:3, :3], syzygy.align(some(3), one, permutations=0).score(), atol=1e-6
    )


def test_a_single_representation_is_compared_with_itself():
    found = syzygy.align({"x": some()["r0"]})
    assert found.score().values == pytest.approx(1, abs=1e-6)
    assert len(found.to_pandas()) == 0


# What is asked


@pytest.mark.parametrize(("asked", "kind", "message"), [
    ({"measures": ["cak"]}, UnknownName, "unknown measure 'cak'; did you mean cka"),
    ({"measures": []}, SpecificationError, "no measure was given"),
    ({"measures": ["cka", CKA()]}, SpecificationError, "cka was given more than once"),
    ({"dtype": "float16"}, UnknownName, "unknown dtype 'float16'"),
    ({"device": "abacus"}, SpecificationError, "device 'abacus' cannot be used .*leave it out"),
    ({"memory": "a lot"}, SpecificationError, "memory is an amount as in 4GB, .*got 'a lot'"),
    ({"memory": 0}, SpecificationError, "memory is an amount"),
    ({"memory": "10KB"}, SpecificationError, "cka of 40 items needs .* GB beside the interpreter"),
    ({"permutations": -1}, SpecificationError, "permutations must be 0, for none, or at least 2; got -1"),
    ({"bootstrap": 1}, SpecificationError, "bootstrap must be 0"),
    ({"seed": -1}, SpecificationError, "seed must be a whole number from 0, got -1"),
])  # fmt: skip
def test_what_cannot_be_asked(asked, kind, message):
    with pytest.raises(kind, match=message):
        syzygy.align(some(), **asked)


def test_too_few_items_are_refused():
    with pytest.raises(ShapeError, match="cka needs 4 items, r5 has 3"):
        syzygy.align(some(items=3))


@pytest.mark.parametrize(("text", "number"), [("4GB", 4e9), ("4 gb", 4e9), ("4G", 4e9), ("512MiB", 2**29), (7, 7),
                                              ("0.5KB", 500)])  # fmt: skip
def test_amounts_of_memory(text, number):
    assert in_bytes(text) == number


def test_one_measure_needs_no_list():
    assert syzygy.align(some(2), "cka").measures == syzygy.align(some(2), CKA()).measures == (CKA(),)


def test_work_is_reported_in_shares_that_add_up_to_one(monkeypatch):
    for side in (None, 4):
        if side:
            small_tiles(monkeypatch, side)
        shares = []
        syzygy.align(some(), ["cka", "rsa"], progress=shares.append)
        assert sum(shares) == pytest.approx(1)
        assert min(shares) >= 0


# Tiles


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize(("count", "side"), [(1, 1), (5, 2), (6, 3), (7, 10)])
def test_tiles_cover_every_pair_once(count, side, symmetric):
    seen = np.zeros((count, count), int)
    for tile in tiles(count, side, symmetric):
        seen[np.ix_(tile.rows, tile.columns)] += 1
        assert max(len(tile.rows), len(tile.columns)) <= side
        assert tile.square == (tile.rows == tile.columns)
        if symmetric and not tile.square:
            seen[np.ix_(tile.columns, tile.rows)] += 1
    assert (seen == 1).all()


def test_what_was_prepared_is_the_same_from_memory_and_from_files(tmp_path):
    draw = np.random.default_rng(0)
    prepared = {"large": draw.normal(size=MAPPED).astype(np.float32), "small": draw.normal(size=(3, 2)),
                "number": np.asarray(2.5), "places": np.arange(5), "on": np.array([True, False])}  # fmt: skip
    for shelf in (Shelf(2), Shelf(2, tmp_path / "made" / "later")):
        assert 1 not in shelf
        shelf.put(1, prepared)
        assert 1 in shelf
        (found,) = shelf.some([1])
        assert set(found) == set(prepared)
        for name, values in prepared.items():
            np.testing.assert_array_equal(found[name], values)
            assert found[name].dtype == values.dtype
            assert found[name].shape == values.shape
        assert isinstance(found["large"], np.memmap) == (shelf.folder is not None)
        shelf.clear()
        assert 1 not in shelf


def test_vectors_in_memory_are_rows_of_one_matrix():
    shelf, rows = Shelf(3), np.random.default_rng(0).normal(size=(3, MAPPED))
    for index in (1, 0, 2):
        shelf.put(index, {"vector": rows[index].copy()})
    held = [one["vector"] for one in shelf.some(range(3))]
    assert all(one.base is held[0].base for one in held)
    np.testing.assert_array_equal(held, rows)


def test_a_damaged_tile_is_computed_again(tmp_path):
    tile = Tile(range(2), range(2))
    Answers(2, True, tmp_path).put(tile, {"score": np.eye(2)})
    (path,) = tmp_path.iterdir()
    again = Answers(2, True, tmp_path)
    assert again.missing([tile]) == []
    np.testing.assert_array_equal(again.arrays["score"], np.eye(2))
    path.write_bytes(path.read_bytes()[:-9])
    assert Answers(2, True, tmp_path).missing([tile]) == [tile]
    path.write_bytes(b"")
    assert Answers(2, True, tmp_path).missing([tile]) == [tile]


def test_arrays_that_are_read_cannot_be_written_to(tmp_path):
    write_arrays(tmp_path / "a", {"x": np.zeros(MAPPED), "y": np.zeros(2)})
    for array in read_arrays(tmp_path / "a").values():
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


# A folder


class Counted:
    """Representations that count how often they are read."""

    def __init__(self, given):
        self.reads = 0
        self.some = Representations([replace(held(n, x), read=lambda x=x: self._read(x)) for n, x in given.items()])

    def _read(self, x):
        self.reads += 1
        return x


def test_a_finished_comparison_is_found_again(tmp_path):
    given = Counted(some())
    first = syzygy.align(given.some, ["cka", "rsa"], out=tmp_path, permutations=3, bootstrap=2)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["alignment.zarr", "asked.json", "compare.lock"]
    reads = given.reads
    again = syzygy.align(given.some, ["cka", "rsa"], out=tmp_path, permutations=3, bootstrap=2)
    assert given.reads == reads + 6  # for the fingerprints alone
    assert_same(again, first)
    read = syzygy.Alignment.read(tmp_path)
    assert_same(read, first)
    assert read.measures == first.measures
    with xr.open_zarr(tmp_path / "alignment.zarr", consolidated=False) as opened:
        np.testing.assert_array_equal(opened["score"], first.data["score"])


@pytest.mark.parametrize(("change", "differ"), [
    ({"measures": ["cka", "rsa"]}, "measures"), ({"dtype": "float64"}, "dtype"), ({"seed": 1}, "seed"),
    ({"permutations": 7}, "permutations"), ({"bootstrap": 7}, "bootstrap"),
    ({"representations": some(5)}, "representations"), ({"representations": some(seed=1)}, "representations"),
])  # fmt: skip
def test_another_question_is_refused(tmp_path, change, differ):
    asked = {"representations": some(), "measures": ["cka"], "permutations": 3}
    syzygy.align(**asked, out=tmp_path)
    with pytest.raises(RunError, match=rf"holds another comparison \({differ} differ\); choose another folder"):
        syzygy.align(**asked | change, out=tmp_path)


def test_memory_and_device_are_no_part_of_the_question(tmp_path):
    first = syzygy.align(some(), out=tmp_path)
    assert_same(syzygy.align(some(), out=tmp_path, memory="1GB", device="cpu"), first)


def test_a_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / "diary.txt").write_text("dear")
    with pytest.raises(RunError, match=r"holds something else, as diary\.txt; choose an empty folder"):
        syzygy.align(some(), out=tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["diary.txt"]
    with pytest.raises(RunError, match="is a file, and a comparison is kept in a folder"):
        syzygy.align(some(), out=tmp_path / "diary.txt")


def test_a_folder_in_use_is_refused(tmp_path):
    with FileLock(tmp_path / "compare.lock"), pytest.raises(RunError, match="in use by another comparison"):
        syzygy.align(some(), out=tmp_path)


def test_a_damaged_question_is_refused(tmp_path):
    (tmp_path / "asked.json").write_text("{")
    with pytest.raises(RunError, match=r"asked\.json is damaged"):
        syzygy.align(some(), out=tmp_path)


def test_a_kernel_of_ones_own_is_not_kept(tmp_path):
    own = CKA(kernel=lambda x: x @ x.T)
    with pytest.raises(SpecificationError, match="no name that a folder can be found by"):
        syzygy.align(some(), own, out=tmp_path)
    np.testing.assert_allclose(syzygy.align(some(), own).score(), syzygy.align(some()).score(), atol=1e-6)


def test_a_file_is_known_by_its_size_and_time(tmp_path):
    paths = []
    for name, x in some(3).items():
        np.save(tmp_path / f"{name}.npy", x)
        paths.append(tmp_path / f"{name}.npy")
    first = syzygy.align(paths, out=tmp_path / "out")
    assert_same(syzygy.align(paths, out=tmp_path / "out"), first)
    os.utime(paths[0], ns=(1, 1))
    with pytest.raises(RunError, match="representations differ"):
        syzygy.align(paths, out=tmp_path / "out")


def test_nothing_finished_is_read_from_an_empty_folder(tmp_path):
    with pytest.raises(DataError, match="holds no finished comparison"):
        syzygy.Alignment.read(tmp_path)
    (tmp_path / "alignment.zarr").mkdir()
    with pytest.raises(DataError, match="is damaged"):
        syzygy.Alignment.read(tmp_path)


class Stopped(Exception):
    pass


@pytest.mark.parametrize("after", range(1, 13))
def test_what_was_stopped_goes_on_and_computes_nothing_twice(tmp_path, monkeypatch, after):
    small_tiles(monkeypatch, side=3)  # 6 are prepared, then 3 tiles, for each of two measures
    done, events, limit = [], iter(range(1, 100)), [after]
    prepare, tile = Engine._prepare, Engine._tile

    def once(call):
        def counted(self, *arguments):
            if next(events) > limit[0]:
                raise Stopped
            found = call(self, *arguments)
            done.append((self.measure.label, str(arguments[0])))
            return found

        return counted

    monkeypatch.setattr(Engine, "_prepare", once(prepare))
    monkeypatch.setattr(Engine, "_tile", once(tile))
    with pytest.raises(Stopped):
        syzygy.align(some(), ["cka", "rsa"], out=tmp_path, dtype="float64")
    limit[0] = 100
    resumed = syzygy.align(some(), ["cka", "rsa"], out=tmp_path, dtype="float64")
    assert len(done) == len(set(done)) == 18
    monkeypatch.undo()
    assert_same(resumed, syzygy.align(some(), ["cka", "rsa"], dtype="float64"), rtol=1e-6)


SLOW = """
import sys, time, numpy as np, syzygy
from pathlib import Path
from dataclasses import replace
from syzygy.alignment import engine
cut = engine.layout
engine.layout = lambda *given: replace(cut(*given), side=1, held=False)
tile = engine.Engine._tile
def slow(self, *given):
    time.sleep(0.05)
    return tile(self, *given)
engine.Engine._tile = slow
draw = np.random.default_rng(0)
syzygy.align({str(i): draw.normal(size=(40, 5)) for i in range(8)}, out=Path(sys.argv[1]))
print("finished")
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_after_a_kill_finished_tiles_are_there_whole(tmp_path, how):
    out = tmp_path / "out"
    killed = subprocess.Popen([sys.executable, "-c", SLOW, str(out)], stderr=subprocess.PIPE, preexec_fn=interruptible)  # noqa: PLW1509
    while len(list(out.glob("tiles/0/*.safetensors"))) < 5:
        time.sleep(0.01)
        assert killed.poll() is None
    killed.send_signal(how)
    killed.communicate()
    assert killed.returncode != 0
    kept = {path: path.stat().st_mtime_ns for path in out.glob("tiles/0/*.safetensors")}
    assert 5 <= len(kept) < 36
    for path in kept:
        assert {values.shape for values in read_arrays(path).values()} == {(1, 1)}
    finished = subprocess.run([sys.executable, "-c", SLOW, str(out)], capture_output=True, text=True, check=True)
    assert finished.stdout == "finished\n"
    draw = np.random.default_rng(0)
    expected = syzygy.align({str(i): draw.normal(size=(40, 5)) for i in range(8)})
    xr.testing.assert_allclose(syzygy.Alignment.read(out).data, expected.data, rtol=1e-5, atol=1e-7)


# Where items outnumber units


@pytest.mark.parametrize("one", [CKA(), CKA("biased"), RV()], ids=lambda one: one.label)
@pytest.mark.parametrize(("dtype", "off"), [("float32", 1e-6), ("float64", 1e-10)])
def test_covariances_of_units_give_the_same_as_matrices_of_items(one, dtype, off, monkeypatch):
    given = some(5, items=500) | {"still": np.ones((500, 3))}
    assert isinstance(streamed.in_feature_space(one, 500, 9, fits=True), LinearRows)
    small_tiles(monkeypatch, side=2)
    found = syzygy.align(given, one, dtype=dtype, bootstrap=2)
    np.testing.assert_allclose(found.score().values, double_loop(one, given), atol=off)
    monkeypatch.undo()
    monkeypatch.setattr(layouts, "in_feature_space", lambda one, *_, **__: one)
    expected = syzygy.align(given, one, dtype="float64", bootstrap=2)
    for name in NAMES:
        np.testing.assert_allclose(found.data[name], expected.data[name], rtol=300 * off, atol=off)
    assert found.data.attrs["warnings"] == expected.data.attrs["warnings"]


def test_covariances_are_taken_where_they_are_less_work_or_all_that_fits():
    assert streamed.in_feature_space(CKA(), 2 * 8**2, 8, fits=True) == CKA()
    assert streamed.in_feature_space(CKA(), 2 * 8**2 + 1, 8, fits=True) == LinearRows(CKA())
    assert streamed.in_feature_space(CKA(), 100, 1000, fits=False) == LinearRows(CKA())
    for other in (CKA(kernel="rbf"), measure("rsa"), measure("rv:estimator=modified")):
        assert streamed.in_feature_space(other, 10**6, 2, fits=False) is other


def test_matrices_that_do_not_fit_are_not_made():
    draw = np.random.default_rng(0)
    given = {f"r{i}": draw.normal(size=(1200, 50)) for i in range(3)}
    found = syzygy.align(given, "cka", memory="20MB")  # a matrix of float32 alone has 6
    np.testing.assert_allclose(found.score(), syzygy.align(given, "cka").score(), atol=1e-6)
    with pytest.raises(SpecificationError, match=r"cka:kernel=rbf of 1,200 items needs"):
        syzygy.align(given, "cka:kernel=rbf", memory="20MB")


@pytest.mark.parametrize("shape", [(30, 3), (8, 12)])
def test_chance_from_features_is_that_of_the_matrix(shape):
    draw = np.random.default_rng(0)
    z, form = draw.normal(size=shape), draw.normal(size=(shape[1], shape[1]))
    z, form = np.hstack([z, np.ones((len(z), 1))]), form + form.T
    whole = np.zeros((shape[1] + 1, shape[1] + 1))
    whole[:-1, :-1] = form
    matrix, n = z @ whole @ z.T, shape[0]
    whole[-1, -1] = -(matrix.sum() - np.trace(matrix)) / (n * (n - 1))  # the rest has mean zero
    diagonal = draw.normal(size=n)
    diagonal -= diagonal.mean()
    matrix += whole[-1, -1]
    np.fill_diagonal(matrix, diagonal)
    np.testing.assert_allclose(feature_invariants(z, whole, diagonal)[2:], invariants(matrix)[2:], rtol=1e-9)


def test_with_very_many_features_skewness_is_left_open(monkeypatch):
    monkeypatch.setattr(features, "FEATURES", 6)
    form, draw = LinearRows(CKA()), np.random.default_rng(0)
    few, many = (form.prepare(draw.normal(size=(300, units))) for units in (3, 9))
    assert np.isnan(many["invariants"][6:]).all()
    skewness = form.chance([few, many], [few, many]).skewness
    assert skewness[0, 0] > 0
    np.testing.assert_array_equal(skewness.ravel()[1:], 0)


# Memory


def test_what_does_not_fit_waits_on_disk_and_is_cut():
    size, shape = 4 * 1000 * 1001 // 2, (1000, 50)
    large, small = Settings(memory=200 * 10**6), Settings(memory=60 * 10**6)
    held, cut = layout(CKA(), (20, *shape), size, 1, large), layout(CKA(), (400, *shape), size, 1, small)
    assert (held.held, held.side, held.scratch) == (True, 20, 0)
    assert (cut.held, cut.scratch) == (False, 400 * size)
    assert 100 < cut.side < 400
    assert held.memory <= large.memory
    assert cut.memory <= small.memory


@pytest.mark.parametrize("memory", [60, 100, 1000])
def test_a_tile_is_as_wide_as_memory_allows(memory):
    settings = Settings(memory=memory * 10**6)
    cut = layout(CKA(), (600, 1000, 50), 2 * 10**6, 1, settings)
    assert cut.memory <= settings.memory
    assert 1 <= cut.side <= 600


def test_measure_of_a_label_is_the_measure():
    for one in variants():
        assert measure(one.label) == one
