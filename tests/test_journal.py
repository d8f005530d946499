"""Recordings kept step by step, in memory and in a folder: one test-suite for both."""

import contextlib
import json
import shutil

import numpy as np
import pytest
import xarray as xr

from syzygy.errors import DataError, RunError, ShapeError, SpecificationError, UnknownName
from syzygy.journal import FolderJournal, Manifest, MemoryJournal, cut
from syzygy.trajectory import Trajectory

ITEMS = tuple(f"item {index}" for index in range(7))
WIDTHS = {"a.0": (3,), "mean(b)#2": (5,), "positions(c)": (4, 2)}


def manifest(**changed):
    rng = np.random.default_rng(1)
    known = {"inputs": rng.normal(size=(7, 6)).astype("f4"), "targets": rng.normal(size=(7, 2)), "seed": 11}
    return Manifest(**{"items": ITEMS, "model": "m", "data": "d", "about": {"layers": ["a.*"]}} | known | changed)


def seen(step, outputs=2):
    """What a network gives at a step, the same whenever it is asked; two positions are padding."""
    rng = np.random.default_rng([7, step])
    layers = {name: rng.normal(size=(7, *shape)).astype("f4") for name, shape in WIDTHS.items()}
    layers["positions(c)"][1, 2:] = np.nan
    return rng.normal(size=(7, outputs)).astype("f4"), layers


def put(journal, step, sizes=(7,), loss=None, layers=None):
    """Record a step in batches of such sizes."""
    outputs, given = seen(step)
    given = {name: given[name] for name in layers or given}
    with journal.step(step) as row:
        row.loss = step / 10 if loss is None else loss
        first = 0
        for size in sizes:
            part = slice(first, first + size)
            row.put(first, outputs[part], {name: values[part] for name, values in given.items()})
            first += size


def some(row, count, then=lambda: None):
    """Put the first items alone."""
    outputs, layers = seen(9)
    row.put(0, outputs[:count], {name: values[:count] for name, values in layers.items()})
    then()


def same(trajectory, steps):
    """Whether everything is there as it was put."""
    assert trajectory.steps.tolist() == list(steps)
    assert trajectory.items == ITEMS
    for place, step in enumerate(steps):
        outputs, layers = seen(step)
        np.testing.assert_array_equal(trajectory.outputs[0, place], outputs)
        assert trajectory.loss[0, place] == step / 10
        for name, values in layers.items():
            np.testing.assert_array_equal(trajectory.watched(name)[0, place], values)


@pytest.fixture(scope="session")
def begun(tmp_path_factory):
    """A folder that was begun; to copy it is faster than to begin another."""
    home = tmp_path_factory.mktemp("begun") / "run"
    FolderJournal.create(home, manifest()).close()
    return home


@pytest.fixture(params=["memory", "folder"])
def make(request, begun, tmp_path):
    """Make a journal of either kind."""
    with contextlib.ExitStack() as stack:

        def made(**changed):
            if request.param == "memory":
                return MemoryJournal(manifest(**changed))
            home = tmp_path / "run"
            if changed:
                return stack.enter_context(FolderJournal.create(home, manifest(**changed)))
            return stack.enter_context(FolderJournal.open(shutil.copytree(begun, home)))

        yield made


@pytest.fixture
def chunks(monkeypatch):
    """Chunks of three items."""
    monkeypatch.setattr(cut, "CHUNK_BYTES", 4 * 8 * 3)


def test_what_is_put_is_there(make, chunks):
    journal = make()
    assert journal.steps == ()
    for step in (0, 1, 5):
        put(journal, step)
    assert journal.steps == (0, 1, 5)
    trajectory = journal.trajectory
    same(trajectory, (0, 1, 5))
    assert (trajectory.layers, trajectory.fates, trajectory.seeds.tolist()) == (tuple(WIDTHS), ("trained",), [11])
    np.testing.assert_array_equal(trajectory.inputs, journal.manifest.inputs)
    np.testing.assert_array_equal(trajectory.targets, journal.manifest.targets)
    assert trajectory.about == {"layers": ["a.*"], "model": "m", "data": "d", "precision": "float32"}


@pytest.mark.parametrize("sizes", [(1,) * 7, (2, 4, 1)])
def test_batches_give_what_one_gives(make, chunks, sizes):
    journal = make()
    for step in (3, 4):
        put(journal, step, sizes)
    same(journal.trajectory, (3, 4))


def test_a_memory_and_a_folder_give_the_same_tree(tmp_path):
    memory, folder = MemoryJournal(manifest()), FolderJournal.create(tmp_path / "run", manifest())
    for step in range(3):
        put(memory, step)
        put(folder, step)
    given = memory.trajectory.tree
    xr.testing.assert_identical(given, folder.trajectory.tree)
    for node in given.subtree:
        for name, variable in node.variables.items():
            assert folder.trajectory.tree[node.path][str(name)].dtype == variable.dtype
    folder.close()


def test_a_step_that_raises_is_absent_and_the_next_one_is_whole(make, chunks):
    journal = make()
    for begun in (0, 1):
        with pytest.raises(ZeroDivisionError), journal.step(5 * begun) as row:
            some(row, 4, lambda: 1 / 0)
        assert journal.steps == (0,) * begun
        put(journal, begun)
        same(journal.trajectory, range(begun + 1))


def test_a_step_without_all_its_items_is_absent(make):
    journal = make()
    put(journal, 0)
    with pytest.raises(ShapeError, match="step 1 lacks 3 of its items"), journal.step(1) as row:
        some(row, 4)
    same(journal.trajectory, (0,))


def test_batches_come_in_order(make):
    journal = make()
    for first, count, got in ((1, 3, "1 to 3"), (0, 8, "0 to 7")):
        with pytest.raises(ShapeError, match=f"item 0 of 7 is next, got items {got}"), journal.step(0) as row:
            row.put(first, np.zeros((count, 2)), {"h": np.zeros((count, 3))})


def test_steps_rise(make):
    journal = make()
    put(journal, 4)
    for step, message in ((4, "step 4 comes after step 4"), (3, "step 3 comes after step 4"), (-1, "from 0; got -1")):
        with pytest.raises(RunError, match=message), journal.step(step):
            pass
    same(journal.trajectory, (4,))


def test_later_steps_are_forgotten(make, chunks):
    journal = make()
    for step in (0, 2, 4, 6):
        put(journal, step)
    journal.forget(7)
    assert journal.steps == (0, 2, 4, 6)
    journal.forget(3)
    same(journal.trajectory, (0, 2))
    put(journal, 3)
    same(journal.trajectory, (0, 2, 3))
    journal.forget(0)
    with pytest.raises(RunError, match="nothing has been recorded"):
        journal.trajectory  # noqa: B018
    put(journal, 1, layers=["a.0"])
    assert journal.trajectory.layers == ("a.0",)


def test_nothing_has_been_recorded(make):
    with pytest.raises(RunError, match=r"nothing has been recorded .*yet; record a step first"):
        make().trajectory  # noqa: B018


CHANGED = [
    ({"a.0": None}, "layer 'a.0' is missing"),
    ({"new": np.zeros((7, 1))}, "layer 'new' is new"),
    ({"a.0": np.zeros((7, 4))}, r"layer 'a.0' gave \(3,\) an item before, and now \(4,\)"),
    ({"positions(c)": np.zeros((7, 5, 2))}, r"gave \(4, 2\) an item before, and now \(5, 2\)"),
    ({"a.0": np.zeros((6, 3))}, "same items everywhere, got 7 of the output, 6 of layer 'a.0'"),
    ({"a.0": np.zeros(7)}, r"layer 'a.0' must be \(item, unit\)"),
    ({"a.0": np.zeros((7, 0))}, r"layer 'a.0' must be \(item, unit\)"),
]


def test_layers_stay_what_they_are(make):
    journal = make()
    put(journal, 0)
    outputs, given = seen(1)
    for changed, message in CHANGED:
        layers = {name: values for name, values in (given | changed).items() if values is not None}
        with pytest.raises(ShapeError, match=message), journal.step(1) as row:
            row.put(0, outputs, layers)
    same(journal.trajectory, (0,))


def test_names_that_are_no_folder_are_refused(make):
    journal = make()
    for name in ("..", ".", "a/b", "../../stolen", "/etc/passwd", "a\\b", "a\0b", "x" * 241):
        with pytest.raises(DataError, match="cannot be the name of a folder"), journal.step(0) as row:
            row.put(0, np.zeros((7, 2)), {name: np.zeros((7, 3))})


def test_outputs_are_as_many_as_targets_or_unknown(make):
    journal = make()
    with pytest.raises(ShapeError, match="there are 3 outputs and 2 targets an item"), journal.step(0) as row:
        row.put(0, np.zeros((7, 3)), {"h": np.ones((7, 3))})
    with pytest.raises(ShapeError, match=r"outputs must be \(item, output\), got \(7,\)"), journal.step(0) as row:
        row.put(0, np.zeros(7), {"h": np.ones((7, 3))})
    with journal.step(0) as row:
        row.put(0, np.zeros((7, 0)), {"h": np.ones((7, 3))})
    assert journal.trajectory.outputs.shape == (1, 1, 7, 2)
    assert np.isnan(journal.trajectory.outputs).all()


@pytest.mark.parametrize("outputs", [0, 3])
def test_what_is_unknown_is_nan_or_of_no_width(make, outputs):
    journal = make(inputs=None, targets=None)
    with journal.step(0) as row:
        row.put(0, np.ones((7, outputs)), {"h": np.ones((7, 3))})
    trajectory = journal.trajectory
    assert np.isnan(trajectory.loss).all()
    assert trajectory.inputs.shape == (7, 0)
    assert trajectory.outputs.shape == (1, 1, 7, outputs)
    assert trajectory.targets.shape == (7, outputs)
    assert np.isnan(trajectory.targets).all()


def test_unknown_targets_take_no_room(make):
    journal = make(targets=None)
    put(journal, 0)
    trajectory = journal.trajectory
    assert "targets" not in trajectory.tree
    assert trajectory.targets.strides == (0, 0)
    again = Trajectory.of(steps=[0], loss=None, outputs=trajectory.outputs, representations={}, inputs=None,
                          targets=trajectory.targets, items=ITEMS, seeds=[1])  # fmt: skip
    assert "targets" not in again.tree
    assert (again.targets.shape, np.isnan(again.targets).all()) == ((7, 2), True)


def test_positions_are_items_without_those_that_are_padding(make):
    journal = make()
    put(journal, 0)
    put(journal, 1)
    trajectory, layer = journal.trajectory, "positions(c)"
    names = trajectory.items_of(layer)
    assert len(names) == 7 * 4 - 2
    assert names[4:7] == ("item 1 @ 0", "item 1 @ 1", "item 2 @ 0")
    whole = seen(1)[1][layer]
    expected = [whole[ITEMS.index(item), int(at)] for item, _, at in (name.rpartition(" @ ") for name in names)]
    np.testing.assert_array_equal(trajectory.representation(layer)[0, 1], expected)
    np.testing.assert_array_equal(trajectory.seen(layer, 0, 1), expected)
    assert trajectory.representation(layer).shape == (1, 2, 26, 2)
    assert trajectory.units_of(layer) == 2
    assert trajectory.items_of("a.0") == ITEMS
    np.testing.assert_array_equal(trajectory.seen("a.0", 0, 1), trajectory.representation("a.0")[0, 1])
    for ask in (trajectory.items_of, trajectory.units_of, trajectory.representation, trajectory.watched):
        with pytest.raises(UnknownName, match="unknown layer 'b'"):
            ask("b")


def test_half_precision_is_read_as_single(make):
    journal = make(precision="float16")
    put(journal, 0)
    kept = journal.trajectory.representation("a.0")
    assert kept.dtype == np.float32
    np.testing.assert_array_equal(kept[0, 0], seen(0)[1]["a.0"].astype(np.float16).astype(np.float32))
    np.testing.assert_array_equal(journal.trajectory.outputs[0, 0], seen(0)[0])


LARGE = {
    "float16": [(65520.0, r"layer 'h' holds 6\.55e\+04, beyond 65504 of float16; record in float32"), (-7e4, "7e")],
    "float32": [(1e39, r"layer 'h' holds 1e\+39, beyond 3\.4028e\+38 of float32")],
}


@pytest.mark.parametrize("precision", LARGE)
def test_no_number_becomes_infinite_and_those_that_are_stay(make, precision):
    journal, values = make(precision=precision), np.zeros((7, 3))
    for number, message in LARGE[precision]:
        values[2, 1] = number
        with pytest.raises(DataError, match=message), journal.step(0) as row:
            row.put(0, np.zeros((7, 2)), {"h": values})
    assert journal.steps == ()
    values[2] = 65504, np.inf, np.nan
    with journal.step(0) as row:
        row.put(0, np.zeros((7, 2)), {"h": values})
    np.testing.assert_array_equal(journal.trajectory.representation("h")[0, 0], values)


@pytest.mark.parametrize(("changed", "error", "message"), [
    ({"items": ()}, SpecificationError, "at least one item"),
    ({"items": ("a", "a")}, DataError, "two items of a recording have one name"),
    ({"precision": "float8"}, SpecificationError, "precision is float16 or float32, got 'float8'"),
    ({"about": {"what": object()}}, SpecificationError, "must be fit for JSON")])  # fmt: skip
def test_manifests_that_cannot_be(changed, error, message):
    with pytest.raises(error, match=message):
        Manifest(**{"items": ("a", "b")} | changed)


def test_the_manifest_is_read_as_it_was_written(tmp_path):
    with FolderJournal.create(tmp_path / "run", manifest()) as journal:
        put(journal, 0)
    told = json.loads((tmp_path / "run/manifest.json").read_text(encoding="utf-8"))
    assert told["schema"] == 1
    assert {"syzygy", "torch", "zarr"} <= told["versions"].keys()
    with FolderJournal.open(tmp_path / "run") as again:
        for name, value in vars(manifest()).items():
            np.testing.assert_array_equal(getattr(again.manifest, name), value)


def journals(count, **changed):
    made = [MemoryJournal(manifest(seed=seed)) for seed in range(count)]
    for journal in made:
        for step in (0, 3):
            put(journal, step, **changed)
    return [journal.trajectory for journal in made]


def test_recordings_of_one_architecture_are_joined():
    joined = Trajectory.join(journals(3))
    assert joined.seeds.tolist() == [0, 1, 2]
    assert joined.representation("positions(c)").shape == (3, 2, 26, 2)
    assert joined.watched("positions(c)").shape == (3, 2, 7, 4, 2)
    np.testing.assert_array_equal(joined.representation("a.0")[2, 1], seen(3)[1]["a.0"])


def test_recordings_that_differ_are_not_joined():
    first = journals(1)[0]
    later = MemoryJournal(manifest())
    put(later, 1)
    few = journals(1, layers=["a.0"])[0]
    other = MemoryJournal(manifest(items=ITEMS[::-1]))
    wide = MemoryJournal(manifest())
    inputs, targets = MemoryJournal(manifest(inputs=None)), MemoryJournal(manifest(targets=None))
    for step in (0, 3):
        for journal in (other, inputs, targets):
            put(journal, step)
        with wide.step(step) as row:
            row.put(0, np.ones((7, 2)), seen(0)[1] | {"a.0": np.ones((7, 9))})
    for odd, what in ((later.trajectory, "steps"), (few, "layers"), (other.trajectory, "items"),
                      (wide.trajectory, "positions and units of 'a.0'"), (inputs.trajectory, "inputs"),
                      (targets.trajectory, "targets")):  # fmt: skip
        with pytest.raises(ShapeError, match=f"trajectories 0 and 1 differ in their {what}, and cannot be joined"):
            Trajectory.join([first, odd])
