"""A step that was cut short, and can be gone on with.

Chunks of a step that is not finished are files that nobody counts, and are removed, unless a note says which step they
are of.  Items count as there if their chunks are whole in all arrays.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syzygy.axes import ITEM, STEP
from syzygy.errors import DataError
from syzygy.files import write_text
from syzygy.journal.held import NOTE
from syzygy.journal.manifest import Array
from syzygy.journal.row import OUTPUTS
from syzygy.journal.tree import Spot, Tree, array_of


def noted(folder: Path, last: int) -> int | None:
    """Read which step after the last one was begun; None if none was."""
    try:
        step = json.loads((folder / NOTE).read_text(encoding="utf-8"))["step"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return step if isinstance(step, int) and step > last else None


def note(folder: Path, step: int | None) -> None:
    """Write down which step is begun; None for none."""
    if step is None:
        (folder / NOTE).unlink(missing_ok=True)
    else:
        write_text(folder / NOTE, json.dumps({"step": step}))


def filled(tree: Tree, count: int) -> int:
    """Say how many of so many items of the step after the last one are there; every chunk is read, for its checksum."""
    names, size = [name for name, spot in tree.spots.items() if _grows(spot)], tree.items_together
    for chunk in range(-(-count // size)):
        if not names or any(_chunk(tree, name, tree.count, chunk) is None for name in names):
            return chunk * size
    return count


def outputs_in(tree: Tree, place: int, count: int) -> Iterator[tuple[int, Array]]:
    """Read the outputs of so many items at a place among the steps, counted or not, a chunk at a time.

    Raises
    ------
    DataError
        One is missing or damaged.
    """
    name = array_of(OUTPUTS)
    if not _grows(tree.spots[name]):
        yield 0, np.zeros((count, 0), np.float32)
        return
    for first in range(0, count, tree.items_together):
        values = _chunk(tree, name, place, first // tree.items_together)
        if values is None:
            raise DataError(f"{name} in {tree.path} is missing or damaged; extract or record the step again")
        yield first, values[: count - first]


def _grows(spot: Spot) -> bool:
    """Whether an array holds what items give at a step; those of no width have no chunks."""
    return STEP in spot.dims and ITEM in spot.dims and 0 not in spot.grown(1)["shape"]


def _chunk(tree: Tree, name: str, place: int, chunk: int) -> NDArray[Any] | None:
    """Read a chunk of one step, ``(item, …)``; None if it is not whole."""
    try:
        found = tree.read(name, (0, place, chunk, *[0] * (len(tree.spots[name].dims) - 3)))
    except (OSError, ValueError, RuntimeError):
        return None
    return np.asarray(found[0, 0])
