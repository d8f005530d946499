"""Files that exist whole or not at all.

Everything is written beside its place under a ``.part`` name and renamed into it, so that a kill, a full
disk or a second reader never meets half a file.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Write a file that appears only when it is complete.

    Parameters
    ----------
    path
        Where the file shall be.  Its folder is made.

    Yields
    ------
    Path
        Where to write it: a ``.part`` file beside ``path``, removed if the block raises.
    """
    part = _part(path)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Write a folder that appears only when it is complete; an older one there is replaced.

    Parameters
    ----------
    path
        Where the folder shall be.

    Yields
    ------
    Path
        An empty ``.part`` folder beside ``path``, removed if the block raises.
    """
    part = _part(path)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    try:
        yield part
        if path.exists():
            shutil.rmtree(path)
        part.replace(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path``, whole or not at all."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")


def _part(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(path.name + ".part")
