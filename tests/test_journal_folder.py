"""Recordings in folders: what kills, full disks, strangers and second writers leave of them."""

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from syzygy.errors import DataError, RunError
from syzygy.journal import FolderJournal, Manifest, Tree, cut, folder, read, tree

ITEMS = ("a", "b", "c", "d", "e")
FULL = os.environ.get("SYZYGY_FULL") == "1"
CHUNK = "trajectory.zarr/layers/h.0/representation/0.1.0.0"


def seen(step):
    """What a network gives at a step, the same whenever it is asked."""
    rng = np.random.default_rng([3, step])
    layers = {"h.0": rng.normal(size=(5, 4)).astype("f4"), "mean(h.1)": rng.normal(size=(5, 2)).astype("f4")}
    return rng.normal(size=(5, 2)).astype("f4"), layers


def put(journal, step):
    with journal.step(step) as row:
        row.loss = step / 4
        row.put(0, *seen(step))


def same(trajectory, steps):
    assert trajectory.steps.tolist() == list(steps)
    assert trajectory.loss[0].tolist() == [step / 4 for step in steps]
    for place, step in enumerate(steps):
        outputs, layers = seen(step)
        np.testing.assert_array_equal(trajectory.outputs[0, place], outputs)
        for name, values in layers.items():
            np.testing.assert_array_equal(trajectory.seen(name, 0, place), values)


def contents(home):
    return {str(file.relative_to(home)): file.read_bytes() for file in home.rglob("*") if file.is_file()}


def counted(home):
    """All that counts: the file that steps lie in together may hold a later one, which does not."""
    return {name: data for name, data in contents(home).items() if name.split("/")[-2:-1] not in (["step"], ["loss"])}


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    """A recording of four steps, that is not to be changed."""
    home = tmp_path_factory.mktemp("recorded") / "run"
    with FolderJournal.create(home, Manifest(ITEMS, targets=np.eye(5, 2))) as journal:
        for step in range(4):
            put(journal, step)
    return home


@pytest.fixture
def run(recorded, tmp_path):
    """A recording of four steps, to be damaged."""
    return shutil.copytree(recorded, tmp_path / "run")


def test_xarray_alone_reads_it(run):
    with warnings.catch_warnings(), xr.open_datatree(run / "trajectory.zarr", engine="zarr") as found:
        warnings.simplefilter("error")
        assert found["step"].values.tolist() == [0, 1, 2, 3]
        assert json.loads(found.attrs["items"]) == list(ITEMS)
        one = found["layers"]["mean(h.1)"]["representation"]
        assert one.dims == ("network", "step", "item", "unit")
        np.testing.assert_array_equal(one[0, 2], seen(2)[1]["mean(h.1)"])
        with xr.open_datatree(run / "trajectory.zarr", engine="zarr", consolidated=False) as plain:
            xr.testing.assert_identical(found.load(), plain.load())


def test_it_is_read_while_it_is_written(run):
    with FolderJournal.open(run) as journal:
        before = read(run)
        with journal.step(4) as row:
            row.put(0, *seen(4))
            row.loss = 1
            same(read(run), range(4))
            same(journal.trajectory, range(4))
        same(before, range(4))
        same(read(run), range(5))


def test_a_kill_at_any_write_leaves_whole_steps_and_going_on_gives_the_same_bytes(recorded, tmp_path, monkeypatch):
    """Before every single file that is written, the folder is copied as a kill would leave it."""
    kept = []

    def snapshot(*_):
        kept.append(shutil.copytree(home, tmp_path / f"kill {len(kept)}"))
        shutil.copyfile(recorded / "manifest.json", kept[-1] / "half.part")

    def whole_file(path):
        snapshot()
        return given(path)

    def write_text(path, text):
        snapshot()
        (path.parent / f"{path.name}.part").write_text(text[: len(text) // 2], encoding="utf-8")
        snapshot()
        written(path, text)

    home, given, written = tmp_path / "run", tree.whole_file, tree.write_text
    with FolderJournal.create(home, Manifest(ITEMS, targets=np.eye(5, 2))) as journal:
        put(journal, 0)
        put(journal, 1)
        put(journal, 2)
        monkeypatch.setattr(tree, "whole_file", whole_file)
        monkeypatch.setattr(tree, "write_text", write_text)
        put(journal, 3)
        monkeypatch.undo()
        snapshot()
    assert len(kept) == 3 + 2 + 2 + 1  # layers and outputs; step and loss; the metadata, begun and half; all
    for one in kept:
        there = 4 if one == kept[-1] else 3
        same(read(one), range(there))
        (one / "half.part").unlink()
        with FolderJournal.open(one) as journal:
            assert journal.steps == tuple(range(there))
            assert not [*one.rglob("*.part"), *one.glob(f"trajectory.zarr/layers/*/*/0.{there}.*")]
            for step in range(there, 4):
                put(journal, step)
        assert contents(one) == contents(recorded)


def test_a_kill_before_the_first_step_leaves_what_can_be_begun_again(tmp_path, monkeypatch):
    home = tmp_path / "run"
    FolderJournal.create(home, Manifest(ITEMS, inputs=np.ones((5, 3)))).close()
    with pytest.raises(RunError, match=r"nothing has been recorded in .* yet"):
        read(home)
    (home / "trajectory.zarr").rename(home / "trajectory.zarr.part")  # killed between the removal and the renaming
    with pytest.raises(RunError, match=r"there is no trajectory\.zarr; begin it anew"):
        read(home)
    with FolderJournal.open(home) as journal:
        assert journal.steps == ()
        np.testing.assert_array_equal(journal.manifest.inputs, np.ones((5, 3)))
        put(journal, 0)
        same(journal.trajectory, [0])
    shutil.rmtree(home / "trajectory.zarr")
    with pytest.raises(RunError, match="begin it anew, without resume"):
        FolderJournal.open(home)
    with FolderJournal.create(home, Manifest(ITEMS)) as journal:
        put(journal, 5)
    same(read(home), [5])


WRITER = """
import sys
import types
sys.modules["syzygy"] = types.ModuleType("syzygy")  # the facade, which imports much that is not needed here
sys.modules["syzygy"].__path__ = [sys.argv[2]]
import test_journal_folder as here
from syzygy.journal import FolderJournal, Manifest
journal = FolderJournal.open(sys.argv[1])
print("ready", flush=True)
for step in range(len(journal.steps), 100_000):
    here.put(journal, step)
"""


def writer(home):
    """Start a process that records until it is killed."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    package = str(Path(folder.__file__).parents[1])
    started = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(home), package], env=environment, stdout=subprocess.PIPE
    )
    assert started.stdout.readline() == b"ready\n"
    return started


@pytest.mark.slow
def test_who_is_killed_lets_go_and_leaves_whole_steps(run, tmp_path):
    """Killed at random moments; the second writer is refused until then."""
    whole = tmp_path / "whole"
    count = 4
    for one in range(25 if FULL else 5):
        killed = writer(run)
        try:
            with pytest.raises(RunError, match="is being written by somebody else"):
                FolderJournal.open(run)
            with pytest.raises(subprocess.TimeoutExpired):
                killed.wait(random.Random(one).uniform(0.02, 0.2))
        finally:
            killed.kill()
            killed.communicate()
        there = len(read(run).steps)
        assert there >= count
        same(read(run), range(there))
        with FolderJournal.open(run) as journal:
            assert journal.steps == tuple(range(there))
            put(journal, there)
        count = there + 1
    with FolderJournal.create(whole, Manifest(ITEMS, targets=np.eye(5, 2))) as journal:
        for step in range(count):
            put(journal, step)
    assert contents(run) == contents(whole)


def test_one_writes_and_others_are_refused(run):
    with FolderJournal.open(run):
        for begin in (FolderJournal.open, lambda home: FolderJournal.create(home, Manifest(ITEMS))):
            with pytest.raises(RunError, match=f"{run} is being written by somebody else; wait for it"):
                begin(run)
    with FolderJournal.open(run) as journal:
        put(journal, 4)
    for change in (lambda: journal.forget(0), lambda: put(journal, 5)):
        with pytest.raises(RunError, match="is closed; open it again to go on"):
            change()
    journal.close()
    same(journal.trajectory, range(5))


def test_folders_that_cannot_be_begun_or_gone_on_with(run, tmp_path):
    with pytest.raises(RunError, match=r"holds a recording of 4 steps; go on \(resume\)"):
        FolderJournal.create(run, Manifest(ITEMS))
    (run / "manifest.json").unlink()
    with pytest.raises(RunError, match=r"trajectory\.zarr is there, and is of no recording"):
        FolderJournal.create(run, Manifest(ITEMS))
    other = tmp_path / "other"
    other.mkdir()
    (other / "manifest.json").write_text('{"name": "of a browser"}')
    with pytest.raises(RunError, match=r"manifest\.json is there, and is of no recording"):
        FolderJournal.create(other, Manifest(ITEMS))
    for ask in (FolderJournal.open, read):
        with pytest.raises(RunError, match="holds no recording"):
            ask(run)
    with pytest.raises(RunError, match="holds no recording to go on with"):
        FolderJournal.open(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"not begun in .*exists"):
        FolderJournal.create(tmp_path / "file", Manifest(ITEMS))


@pytest.mark.parametrize("ask", [read, FolderJournal.open, lambda home: FolderJournal.create(home, Manifest(ITEMS))])
def test_manifests_of_another_schema_or_damaged(run, ask):
    file = run / "manifest.json"
    told = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(told | {"schema": 2}))
    with pytest.raises(RunError, match="is laid out by schema 2, and this version reads 1"):
        ask(run)
    file.write_text(json.dumps(told | {"colour": 2}))
    with pytest.raises(DataError, match=r"manifest\.json is not what was written: .*colour"):
        ask(run)
    file.write_text('{"schema": 1, "it')
    with pytest.raises(DataError, match=r"manifest\.json cannot be read: Unterminated"):
        ask(run)


@pytest.mark.parametrize("how", ["flipped", "cut", "empty"])
def test_damaged_chunks_are_noticed_when_they_are_read(run, how):
    data = bytearray((run / CHUNK).read_bytes())
    data[20] ^= 4
    (run / CHUNK).write_bytes({"flipped": data, "cut": data[:-7], "empty": b""}[how])
    trajectory = read(run)
    np.testing.assert_array_equal(trajectory.seen("h.0", 0, 0), seen(0)[1]["h.0"])
    for ask in (lambda: trajectory.seen("h.0", 0, 1), lambda: trajectory.representation("h.0")):
        with pytest.raises(DataError, match=r"layer 'h\.0' cannot be read: \w+"):
            ask()


@pytest.mark.parametrize(
    "name", [CHUNK, "trajectory.zarr/step/0", "trajectory.zarr/loss/0.0", "trajectory.zarr/seed/0"]
)
def test_missing_chunks_are_noticed_at_once(run, name):
    (run / name).unlink()
    for ask in (read, FolderJournal.open):
        with pytest.raises(DataError, match=f"1 of its files are missing, as {name.partition('/')[2]}"):
            ask(run)


def test_damaged_steps_are_noticed_at_once(run):
    (run / "trajectory.zarr/step/0").write_bytes(b"")
    for ask in (read, FolderJournal.open):
        with pytest.raises(DataError, match=r"trajectory\.zarr cannot be read"):
            ask(run)


@pytest.mark.parametrize(("change", "message"), [
    (lambda told: told.pop("metadata"), "cannot be read: 'metadata'"),
    (lambda told: told["metadata"].pop("step/.zarray"), "cannot be read: 'step'"),
    (lambda told: told["metadata"]["loss/.zarray"].update(filters=[{"id": "pickle"}]), "loss is stored as pickled"),
    (lambda told: told["metadata"]["loss/.zarray"].update(compressor={"id": "pickle"}), "never unpickled"),
    (lambda told: told["metadata"].update({f"../../x/.{end}": told["metadata"][f"loss/.{end}"]
                                           for end in ("zarray", "zattrs")}), "lies outside of it")])  # fmt: skip
def test_metadata_that_leads_elsewhere(run, change, message):
    file = run / "trajectory.zarr/.zmetadata"
    told = json.loads(file.read_text(encoding="utf-8"))
    change(told)
    file.write_text(json.dumps(told))
    for ask in (read, FolderJournal.open):
        with pytest.raises(DataError, match=message):
            ask(run)


@pytest.mark.parametrize("name", ["manifest.json", "trajectory.zarr", ".lock", CHUNK])
def test_links_that_lead_out_are_refused(run, tmp_path, name):
    (run / name).rename(tmp_path / "elsewhere")
    (run / name).symlink_to(tmp_path / "elsewhere")
    for ask in (read, FolderJournal.open, lambda home: FolderJournal.create(home, Manifest(ITEMS))):
        with pytest.raises(DataError, match="is a link"):
            ask(run)


def test_the_folder_itself_may_be_a_link(run, tmp_path):
    (tmp_path / "short").symlink_to(run)
    same(read(tmp_path / "short"), range(4))


@pytest.mark.parametrize(("refused", "at"), [(errno.ENOSPC, 0), (errno.EACCES, 2), (errno.ENOSPC, 4)])
def test_a_full_disk_and_no_permission_leave_earlier_steps(run, recorded, monkeypatch, refused, at):
    """At the first file of a step, in between, and at the last chunk: outputs, two layers, steps, losses."""
    given, left = tree.whole_file, [at]

    def whole_file(path):
        left[0] -= 1
        if left[0] == -1:
            raise OSError(refused, os.strerror(refused))
        return given(path)

    with FolderJournal.open(run) as journal:
        monkeypatch.setattr(tree, "whole_file", whole_file)
        with pytest.raises(RunError, match=f"step 4 not written in {run}: {os.strerror(refused)}; what was there is"):
            put(journal, 4)
        monkeypatch.undo()
        same(journal.trajectory, range(4))
        assert counted(run) == counted(recorded)
        put(journal, 4)
        same(journal.trajectory, range(5))


def test_a_full_disk_when_a_step_is_counted_or_dropped(run, recorded, monkeypatch):
    def write_text(path, text):
        raise OSError(errno.ENOSPC, "No space left on device")

    with FolderJournal.open(run) as journal:
        for change, what in (
            (lambda: put(journal, 4), "step 4 not written"),
            (lambda: journal.forget(2), "not dropped"),
        ):
            monkeypatch.setattr(tree, "write_text", write_text)
            with pytest.raises(RunError, match=f"{what} in .*: No space left on device"):
                change()
            monkeypatch.undo()
            assert journal.steps == (0, 1, 2, 3)
            same(journal.trajectory, range(4))
            assert counted(run) == counted(recorded)


def test_no_permission_for_the_folder(tmp_path, monkeypatch):
    def mkdir(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(RunError, match=r"not begun in .*run: Permission denied"):
        FolderJournal.create(tmp_path / "run", Manifest(ITEMS))


def test_an_interrupt_waits_for_the_step_to_be_counted(run, monkeypatch):
    def write_text(path, text):
        signal.raise_signal(signal.SIGINT)
        written(path, text)

    written, before = tree.write_text, signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with FolderJournal.open(run) as journal:
            monkeypatch.setattr(tree, "write_text", write_text)
            with pytest.raises(KeyboardInterrupt):
                put(journal, 4)
            monkeypatch.undo()
            same(journal.trajectory, range(5))
            put(journal, 5)
            same(journal.trajectory, range(6))
    finally:
        signal.signal(signal.SIGINT, before)


def test_many_steps_lie_together(tmp_path, monkeypatch):
    monkeypatch.setattr(cut, "STEPS_TOGETHER", 3)
    monkeypatch.setattr(folder, "STEPS_TOGETHER", 3)
    with FolderJournal.create(tmp_path / "run", Manifest(ITEMS)) as journal:
        for step in range(8):
            put(journal, step)
        same(journal.trajectory, range(8))
        journal.forget(4)
        same(journal.trajectory, range(4))
        put(journal, 4)
    same(read(tmp_path / "run"), range(5))


def test_bytes_are_those_of_the_numbers(recorded):
    """Four bytes a number, and four of checksum a chunk."""
    assert (recorded / CHUNK).stat().st_size == 5 * 4 * 4 + 4
    chunks = Tree(recorded / "trajectory.zarr").files_of("h.0", 1)
    assert chunks == [recorded / CHUNK]


@pytest.mark.parametrize(("widths", "items", "expected"), [
    ((1000,), 100, 100), ((1000,), 100_000, 4_000), ((5_000_000,), 10, 1), ((400_000,) * 8, 100, 4),
    ((400_000,), 100, 10), ((400_000,), 11, 6)])  # fmt: skip
def test_items_of_a_chunk(widths, items, expected):
    """At most 16 MB a chunk, 64 MB those of all layers, and chunks that are equal as far as can be."""
    from unittest.mock import Mock

    shapes = {str(index): (1, 0, items, width) for index, width in enumerate(widths)}
    empty = Mock(items=range(items), layers=tuple(shapes), outputs=np.zeros((1, 0, 1, 2)))
    empty.watched = lambda name: np.zeros(shapes[name], np.int8)
    assert cut.chunk_items(empty) == expected


def test_memory_does_not_grow_with_steps_and_trajectories_are_read_when_asked(tmp_path):
    """A step of 2 MB is written in chunks of 64 kB, in batches of 512 kB."""
    widths, items = 512, tuple(f"item {index}" for index in range(1024))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cut, "CHUNK_BYTES", 64_000)
        journal = FolderJournal.create(tmp_path / "run", Manifest(items))

        def record(step):
            with journal.step(step) as row:
                for first in range(0, 1024, 256):
                    row.put(first, np.zeros((256, 1), "f4"), {"h": np.full((256, widths), step, "f4")})

        record(0)
        tracemalloc.start()
        try:
            record(1)
            before, peak = tracemalloc.get_traced_memory()
            for step in range(2, 7):
                record(step)
            assert peak < 256 * widths * 4 * 1.5  # a batch, and a chunk
            assert tracemalloc.get_traced_memory()[0] - before < 50_000
            tracemalloc.reset_peak()
            trajectory = journal.trajectory
            assert (trajectory.seen("h", 0, 4) == 4).all()
            assert tracemalloc.get_traced_memory()[1] - before < 3.5 * 1024 * widths * 4  # of 7 steps
        finally:
            tracemalloc.stop()
            journal.close()
