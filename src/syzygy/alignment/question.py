"""A folder in which one comparison is made, and found again after a kill."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from syzygy.alignment.settings import Settings
from syzygy.errors import RunError, SpecificationError
from syzygy.files import write_text
from syzygy.measures import Measure, measure
from syzygy.representations import Representation, Representations

ASKED = "asked.json"


def asked(measures: Sequence[Measure], some: Representations, settings: Settings) -> dict[str, Any]:
    """Say what decides the answer: the same question has the same answer, wherever and in however many pieces.

    Raises
    ------
    SpecificationError
        A kernel of one's own, which has no name by which it is found again.
    """
    for one in measures:
        if not _again(one):
            raise SpecificationError(f"{one.label} has no name that a folder can be found by; leave `out` away")
    return {
        "measures": [one.label for one in measures],
        "dtype": settings.dtype,
        "permutations": settings.permutations,
        "bootstrap": settings.bootstrap,
        "seed": settings.seed,
        "representations": {one.name: {"shape": list(one.shape), "content": _fingerprint(one)} for one in some},
        "items": None if some.items is None else _hash(json.dumps(some.items).encode()),
    }


@contextmanager
def alone(folder: Path, question: Mapping[str, Any]) -> Iterator[None]:
    """Use a folder for one question, alone.

    Raises
    ------
    RunError
        It holds another comparison or something else, or is in use.
    """
    path, lock = folder / ASKED, folder / "compare.lock"
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file, and a comparison is kept in a folder; choose another name")
    folder.mkdir(parents=True, exist_ok=True)
    strange = [one.name for one in folder.iterdir() if one != lock]
    if strange and not path.is_file():
        raise RunError(f"{folder} holds something else, as {strange[0]}; choose an empty folder")
    try:
        with FileLock(lock, timeout=0):
            if not path.is_file():
                write_text(path, json.dumps(question, indent=1, ensure_ascii=False))
            elif differ := _differences(path, question):
                raise RunError(f"{folder} holds another comparison ({differ} differ); choose another folder")
            yield
    except Timeout:
        raise RunError(f"{folder} is in use by another comparison; wait for it, or choose another folder") from None


def _differences(path: Path, question: Mapping[str, Any]) -> str:
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise RunError(f"{path} is damaged; choose another folder") from None
    return ", ".join(name for name in question if there.get(name) != question[name])


def _again(one: Measure) -> bool:
    try:
        return measure(one.label) == one
    except SpecificationError:
        return False


def _fingerprint(one: Representation) -> str:
    """Give what changes with the content: of a file its size and time of change, else the content itself."""
    path = Path(str(one.where.get("file", "")))
    if path.is_file():
        stat = path.stat()
        return f"file {stat.st_size} {stat.st_mtime_ns}"
    array = np.ascontiguousarray(one.read())
    return _hash(f"{array.dtype} {array.shape}".encode(), array)


def _hash(*parts: Any) -> str:
    total = hashlib.blake2b(digest_size=12)
    for part in parts:
        total.update(part.data if isinstance(part, np.ndarray) else part)
    return total.hexdigest()
