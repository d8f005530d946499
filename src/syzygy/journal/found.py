"""Recordings found in folders: what is checked before one is read, gone on with, or begun."""

import shutil
from pathlib import Path

from syzygy.errors import RunError
from syzygy.journal.held import NOTE, TREE, own
from syzygy.journal.manifest import FILE, Manifest, is_journal
from syzygy.journal.tree import METADATA, Tree, counted
from syzygy.trajectory import Trajectory


def read(folder: Path | str) -> Trajectory:
    """Read a recording, which may be finished, killed, or still being written: the steps that are whole.

    Representations are read when they are asked for, and not kept.

    Raises
    ------
    RunError
        A folder without a recording, of another schema, or in which nothing has been recorded yet.
    DataError
        It is damaged.
    """
    return opened(Path(folder)).trajectory


def opened(folder: Path) -> Tree:
    """Check a recording without writing to it, and give its tree.

    Raises
    ------
    RunError, DataError
        As :func:`read`.
    """
    own(folder)
    Manifest.load(folder)
    return counted(tree_in(folder))


def free(folder: Path) -> None:
    """Refuse a folder that holds a recording, or something else in its place.

    Raises
    ------
    RunError
        It does.
    """
    for name in (FILE, TREE):
        if (folder / name).exists() and not is_journal(folder):
            raise RunError(f"{folder / name} is there, and is of no recording; give another folder")
    if not is_journal(folder):
        return
    Manifest.load(folder)
    if (folder / TREE).is_dir():
        if count := Tree(folder / TREE).count:
            raise RunError(f"{folder} holds a recording of {count} steps; go on (resume), or give another folder")
        if (folder / NOTE).exists():
            raise RunError(f"{folder} holds a step that is not finished; go on (resume), or give another folder")


def tree_in(folder: Path, finish: bool = False) -> Path:
    """Give the place of a tree; whoever writes may finish the laying out that a kill has cut short.

    Raises
    ------
    RunError
        There is none.
    """
    part = folder / f"{TREE}.part"
    if finish and (part / METADATA).is_file():  # which is written last
        shutil.rmtree(folder / TREE, ignore_errors=True)
        part.replace(folder / TREE)
    if not (folder / TREE).is_dir():
        raise RunError(f"nothing has been recorded in {folder}: there is no {TREE}; begin it anew, without resume")
    return folder / TREE
