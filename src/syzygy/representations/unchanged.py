"""Files that must stay what they were when they were opened, and what reading them may raise."""

import os
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray
from safetensors import SafetensorError

from syzygy.errors import DataError
from syzygy.interrupts import interrupts_wait
from syzygy.journal import contained

__all__ = ["DAMAGE", "Read", "contained", "reading", "unchanged"]

#: What libraries raise for files that are damaged, or are not what their name says.
DAMAGE: Final = (
    OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError, EOFError, SyntaxError,
    zipfile.BadZipFile, zlib.error, SafetensorError,
)  # fmt: skip

Read = Callable[[], NDArray[Any]]


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong with a file into one line.

    Raises
    ------
    DataError
        It is missing, truncated, or something else.
    """
    try:
        yield
    except DAMAGE as damaged:
        if not path.exists():
            raise DataError(f"{path} is not there") from None
        raise DataError(
            f"{path} cannot be read: {' '.join(str(damaged).split()) or type(damaged).__name__}"
        ) from damaged


def unchanged(path: Path, files: Iterable[Path] | None = None) -> Callable[[Read], Read]:
    """Remember a file or folder as it is now; give what makes readers refuse what they read once it has changed.

    Sizes and times of change are compared: of every file in a folder, or only of those that are given.
    """
    some = None if files is None else tuple(files)
    before = _state(path, some)

    def watching(read: Read) -> Read:
        def guarded() -> NDArray[Any]:
            failed = None
            try:
                with reading(path), interrupts_wait():
                    array = read()
            except DataError as mistake:
                failed = mistake
            if _state(path, some) != before:  # which explains any damage, and is said first
                raise DataError(f"{path} changed while it was compared; begin again when it is finished") from failed
            if failed:
                raise failed
            return array

        return guarded

    return watching


def _state(path: Path, files: Iterable[Path] | None) -> tuple[tuple[str, int, int], ...]:
    if files is None and path.is_dir():
        files = sorted(Path(place, name) for place, _, names in os.walk(path) for name in names)
    known = ((file, file.stat()) for file in files or [path] if file.exists())
    return tuple((str(file), stat.st_size, stat.st_mtime_ns) for file, stat in known)
