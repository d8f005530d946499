"""A recording's folder, held by one writer: locks, links, and what a file system refuses."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from syzygy.errors import DataError, RunError
from syzygy.journal.manifest import FILE, is_journal

TREE: Final = "trajectory.zarr"
LOCK: Final = ".lock"

#: Says which step is not finished, and can be gone on with.
NOTE: Final = "partial.json"


def own(folder: Path) -> None:
    """Refuse links in the place of a recording's files: they would be written, or read, elsewhere.

    Raises
    ------
    DataError
        There is one.
    """
    for name in (FILE, TREE, f"{TREE}.part", NOTE, LOCK):
        if (folder / name).is_symlink():
            raise DataError(f"{folder / name} is a link, which leads out of the recording; copy what it points at")


@contextmanager
def held(folder: Path, what: str, make: bool = True) -> Iterator[tuple[Path, FileLock]]:
    """Hold a folder alone; let go if the block raises.

    Yields
    ------
    Path, FileLock
        The folder, and what to release.

    Raises
    ------
    RunError
        Somebody else holds it, it cannot be made, or it holds no recording and none is to be made.
    """
    with writing(folder, f"not {what}"):
        own(folder)
        if make:
            folder.mkdir(parents=True, exist_ok=True)
        elif not is_journal(folder):
            raise RunError(f"{folder} holds no recording to go on with: there is no {FILE}")
        lock = FileLock(folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RunError(f"{folder} is being written by somebody else; wait for it, or give another folder") from None
        try:
            yield folder, lock
        except BaseException:
            lock.release()
            raise


@contextmanager
def writing(folder: Path, what: str) -> Iterator[None]:
    """Turn what the file system refuses into one line.

    Raises
    ------
    RunError
        No permission, no room, or what else there is.
    """
    try:
        yield
    except OSError as refused:
        told = refused.strerror or refused
        raise RunError(f"{what} in {folder}: {told}; what was there is whole, go on when this is mended") from refused
