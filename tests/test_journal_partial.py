"""Steps that were cut short and are gone on with: which items count as there, and what drops them."""

import errno
import os
import shutil

import numpy as np
import pytest

from syzygy.errors import DataError, RunError, ShapeError
from syzygy.journal import FolderJournal, MemoryJournal, Tree, cut, partial, read, tree
from test_journal import ITEMS, manifest, put, same, seen
from test_journal_folder import contents

NOTE, TREE = "partial.json", "trajectory.zarr"


@pytest.fixture(autouse=True)
def _chunks_of_three(monkeypatch):
    monkeypatch.setattr(cut, "CHUNK_BYTES", 4 * 8 * 3)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Recordings of steps 0 and 4 that nothing cut short, by precision."""
    homes = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cut, "CHUNK_BYTES", 4 * 8 * 3)
        for precision in ("float32", "float16"):
            homes[precision] = tmp_path_factory.mktemp("whole") / "run"
            with FolderJournal.create(homes[precision], manifest(precision=precision)) as journal:
                put(journal, 0, (3, 3, 1))
                put(journal, 4, (3, 3, 1))
    return {precision: contents(home) for precision, home in homes.items()}


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """A recording of step 0 whose step 4 was cut short after six items, not to be changed."""
    home = tmp_path_factory.mktemp("short") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cut, "CHUNK_BYTES", 4 * 8 * 3)
        with FolderJournal.create(home, manifest()) as journal:
            put(journal, 0, (3, 3, 1))
            cut_short(journal, 4, 6)
    return home


@pytest.fixture
def run(short, tmp_path):
    """The same, to be changed."""
    return shutil.copytree(short, tmp_path / "run")


def go(journal, step, stop=7, size=2):
    """Put the items that are not there, up to one at which it stops; say how many were there."""
    outputs, layers = seen(step)
    with journal.step(step, resume=True) as row:
        there, row.loss = row.filled, step / 10
        for first in range(there, stop, size):
            part = slice(first, min(first + size, stop))
            row.put(first, outputs[part], {name: values[part] for name, values in layers.items()})
        if stop < len(ITEMS):
            raise KeyboardInterrupt(there)
    return there


def cut_short(journal, step, stop):
    """Stop a step at an item; say how many were there."""
    with pytest.raises(KeyboardInterrupt) as stopped:
        go(journal, step, stop)
    return stopped.value.args[0]


@pytest.mark.parametrize(("precision", "reopened"), [("float32", False), ("float16", True)])
def test_a_step_goes_on_after_its_last_whole_chunk(tmp_path, whole, precision, reopened):
    home = tmp_path / "run"
    journal = FolderJournal.create(home, manifest(precision=precision))
    for step in (0, 4):
        for stop, there in ((2, 0), (4, 0), (4, 3), (6, 3), (4, 6)):
            assert cut_short(journal, step, stop) == there
            assert journal.steps == (0,) * (step > 0)
            if reopened:
                journal.close()
                journal = FolderJournal.open(home)
            assert journal.partial == (step if stop > 2 else None)
        assert (home / NOTE).is_file()
        assert go(journal, step) == 6
        assert journal.partial is None
    journal.close()
    assert contents(home) == whole[precision]


@pytest.mark.slow
def test_a_kill_at_any_write_leaves_what_can_be_gone_on_with(tmp_path, whole, monkeypatch):
    """Before every single file that is written the folder is copied, as a kill would leave it."""
    home, kept = tmp_path / "run", []

    def before(function):
        def changed(*arguments):
            kept.append(shutil.copytree(home, tmp_path / f"kill {len(kept)}"))
            return function(*arguments)

        return changed

    journal = FolderJournal.create(home, manifest())
    go(journal, 0)
    monkeypatch.setattr(tree, "whole_file", before(tree.whole_file))
    monkeypatch.setattr(tree, "write_text", before(tree.write_text))
    monkeypatch.setattr(partial, "write_text", before(partial.write_text))
    go(journal, 4)
    kept.append(shutil.copytree(home, tmp_path / "after"))
    (kept[-1] / NOTE).write_text('{"step": 4}', encoding="utf-8")  # killed before the note went
    monkeypatch.undo()
    monkeypatch.setattr(cut, "CHUNK_BYTES", 4 * 8 * 3)
    journal.close()
    filled = []
    for one in kept:
        with FolderJournal.open(one) as again:
            if again.steps == (0,):
                filled.append(go(again, 4))
            assert again.partial is None
            same(again.trajectory, (0, 4))
        (one / NOTE).unlink(missing_ok=True)
        assert contents(one) == whole["float32"]
    assert filled == sorted(filled)
    assert set(filled) == {0, 3, 6, 7}


@pytest.mark.parametrize(("how", "name"), [
    ("flipped", "layers/mean(b)#2/representation/0.1.1.0"), ("flipped", "outputs/0.1.1.0"),
    ("cut", "layers/positions(c)/representation/0.1.1.0.0"),
    ("gone", "layers/a.0/representation/0.1.1.0")])  # fmt: skip
def test_damaged_chunks_are_not_gone_on_with(run, whole, how, name):
    file = run / TREE / name
    data = bytearray(file.read_bytes())
    data[5] ^= 1
    file.write_bytes(data[:-4] if how == "cut" else data)
    if how == "gone":
        file.unlink()
    with FolderJournal.open(run) as journal:
        assert go(journal, 4) == 3
    assert contents(run) == whole["float32"]


def later(journal):
    put(journal, 5, loss=0)


def other(journal):
    cut_short(journal, 5, 2)


def alone(journal):
    with pytest.raises(KeyboardInterrupt), journal.step(4):
        raise KeyboardInterrupt


def forgotten(journal):
    journal.forget(4)


@pytest.mark.parametrize("drop", [later, other, alone, forgotten])
def test_what_drops_it(run, drop):
    with FolderJournal.open(run) as journal:
        assert list(run.glob(f"{TREE}/outputs/0.1.*"))
        assert read(run).steps.tolist() == [0]
        journal.forget(5)
        assert journal.partial == 4
        drop(journal)
        assert journal.partial is None
        assert not (run / NOTE).exists()
        if drop is later:
            assert journal.steps == (0, 5)
            return
        assert not list(run.glob(f"{TREE}/outputs/0.1.*"))
        assert go(journal, 4) == 0
        same(journal.trajectory, (0, 4))


def test_layers_stay_what_they_were_when_it_was_cut_short(tmp_path):
    with FolderJournal.create(tmp_path / "run", manifest()) as journal:
        cut_short(journal, 0, 4)
        outputs, layers = seen(0)
        with pytest.raises(ShapeError, match=r"layer 'a.0' gave \(3,\) an item before, and now \(9,\)"), \
                journal.step(0, resume=True) as row:  # fmt: skip
            row.put(3, outputs[3:], {name: part[3:] for name, part in layers.items()} | {"a.0": np.ones((4, 9))})
        with pytest.raises(ShapeError, match="item 3 of 7 is next"), journal.step(0, resume=True) as row:
            row.put(0, outputs, layers)
        assert go(journal, 0) == 3


def test_one_that_is_not_finished_is_not_taken_over(tmp_path):
    home = tmp_path / "run"
    with FolderJournal.create(home, manifest()) as journal:
        cut_short(journal, 0, 3)
    with pytest.raises(RunError, match=r"holds a step that is not finished; go on \(resume\)"):
        FolderJournal.create(home, manifest())
    with pytest.raises(RunError, match="nothing has been recorded"):
        read(home)


@pytest.mark.parametrize("text", ["", "{", "4", "[]", '{"at": 4}', '{"step": "4"}', '{"step": 0}', '{"step": -1}'])
def test_notes_that_say_nothing(tmp_path, text):
    (tmp_path / NOTE).write_text(text, encoding="utf-8")
    assert partial.noted(tmp_path, 0) is None


def test_chunks_without_a_note_are_removed(run):
    (run / NOTE).write_text('{"step": 0}', encoding="utf-8")
    with FolderJournal.open(run) as journal:
        assert journal.partial is None
        assert not list(run.glob(f"{TREE}/outputs/0.1.*"))


def test_a_note_that_is_a_link_is_refused(run, tmp_path):
    (run / NOTE).rename(tmp_path / "elsewhere")
    (run / NOTE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"partial\.json is a link"):
        FolderJournal.open(run)


def test_a_full_disk_keeps_whole_chunks(tmp_path, whole, monkeypatch):
    given, home = tree.whole_file, tmp_path / "run"

    def whole_file(path):
        if path.name.startswith("0.0.2"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return given(path)

    with FolderJournal.create(home, manifest()) as journal:
        monkeypatch.setattr(tree, "whole_file", whole_file)
        with pytest.raises(RunError, match=r"step 0 not written .*No space left"):
            go(journal, 0)
        monkeypatch.setattr(tree, "whole_file", given)
        assert go(journal, 0) == 6
        put(journal, 4)
    assert contents(home) == whole["float32"]


@pytest.mark.parametrize("outputs", [2, 0])
def test_outputs_are_given_again(tmp_path, outputs):
    values, layers = seen(3, outputs)
    for journal in (
        MemoryJournal(manifest(targets=None)),
        FolderJournal.create(tmp_path / "run", manifest(targets=None)),
    ):
        with journal, journal.step(3, resume=True) as row:
            row.put(0, values[:4], {name: part[:4] for name, part in layers.items()})
            with pytest.raises(ShapeError, match="the step lacks 3 of its items"):
                row.outputs()
            row.put(4, values[4:], {name: part[4:] for name, part in layers.items()})
            parts = list(row.outputs())
            assert [first for first, _ in parts] == [0] if isinstance(journal, MemoryJournal) or not outputs else [0, 3]
            np.testing.assert_array_equal(np.concatenate([part for _, part in parts]), values)


def test_outputs_that_were_damaged_meanwhile(tmp_path):
    home = tmp_path / "run"

    def damaged(row):
        row.put(0, *seen(0))
        (home / TREE / "outputs/0.0.1.0").unlink()
        list(row.outputs())

    with (
        FolderJournal.create(home, manifest()) as journal,
        journal.step(0) as row,
        pytest.raises(DataError, match=r"outputs in .* is missing or damaged"),
    ):
        damaged(row)


def test_a_step_that_is_not_to_be_resumed_leaves_no_note(tmp_path):
    home = tmp_path / "run"
    outputs, layers = seen(0)
    with FolderJournal.create(home, manifest()) as journal:
        with pytest.raises(ShapeError, match="step 0 lacks 3 of its items"), journal.step(0) as row:
            row.put(0, outputs[:4], {name: values[:4] for name, values in layers.items()})
        assert not list(home.glob(f"{TREE}/outputs/0.0.*"))
        assert not (home / NOTE).exists()
        assert Tree(home / TREE).items_together == 3
