"""Arrays that a network is called with, from files or from memory."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from syzygy.errors import DataError, ShapeError
from syzygy.extraction.columns import Column, columns, item_names
from syzygy.extraction.items import Items, counted
from syzygy.recording import Probe
from syzygy.recording.probe import Inputs
from syzygy.representations.unchanged import reading

#: What arrays of a file are called: inputs, names, targets (or labels), and which tokens count.
INPUTS, ITEMS = ("inputs", "x"), "items"
TARGETS, MASKS = ("targets", "labels", "y"), ("mask", "attention_mask")

#: Inputs that have a name of their own come together with all others, as arguments by name.
NAMED: Final = ("input_ids", "inputs_embeds", "pixel_values", "input_values", "input_features")


def array_file(path: Path) -> Items:
    """Take the inputs of a ``.npy``, ``.npz`` or ``.safetensors`` file.

    They are called ``inputs`` or ``x``, or are the only array beside ``items``, ``targets`` (or ``labels``, ``y``) and
    ``mask``; or they have the names of arguments, one of them in :data:`NAMED`.

    Raises
    ------
    DataError
        A file that cannot be read, or whose inputs cannot be told.
    ShapeError
        Arrays of different items.
    """
    there = columns(path)
    chosen = _inputs(there, path)
    counts = {column.shape[0] if column.shape else 0 for column in chosen.values()}
    if len(counts) > 1:
        raise ShapeError(f"{path} has inputs of different numbers of items, {', '.join(map(str, sorted(counts)))}")
    count = counted(counts.pop(), str(path))
    masked = next((there[name] for name in MASKS if name in there and name not in chosen), None)

    def raw(number: int, size: int, start: int) -> Iterator[tuple[Inputs, Tensor | None]]:
        parts = {name: column.batches(number, size) for name, column in chosen.items()}
        masks = None if masked is None else masked.batches(number, size)
        for first in range(0, number, size):
            with reading(path):
                some: dict[str, Tensor] = {name: tensor(next(part), path) for name, part in parts.items()}
                mask = None if masks is None else tensor(next(masks), path).bool()
            if first >= start:  # a file is read from its beginning
                yield (next(iter(some.values())) if "" in some else some), mask

    with reading(path):
        names = _names(there, path, count)
        targets = _targets(there)
    return Items(names, "array", raw, lambda: _digest(path), str(path), targets)


def held_items(probe: Probe, place: str = "inputs") -> Items:
    """Take what is held in memory."""

    def raw(count: int, size: int, start: int) -> Iterator[tuple[Inputs, Tensor | None]]:
        for first, part in probe.batches(size):
            if start <= first < count:
                kept = next(part.batches(min(size, count - first)))[1]
                yield kept.inputs, kept.mask

    return Items(probe.items, "array", raw, probe.digest, place, probe.targets)


def tensor(array: NDArray[Any], what: object) -> Tensor:
    """Make a tensor of real numbers: floating ones as they are, whole ones as they count tokens.

    Raises
    ------
    DataError
        Complex numbers, or texts.
    """
    if array.dtype.kind in "iu":
        return torch.from_numpy(array.astype(np.int64))
    if array.dtype.kind not in "fb" or array.dtype.itemsize > 8:
        raise DataError(f"{what} holds {array.dtype} where inputs are real numbers; texts go into a .txt, a line each")
    return torch.from_numpy(array)


def _inputs(there: Mapping[str, Column], path: Path) -> dict[str, Column]:
    """Choose the inputs: one array, under the name ``""``, or several by name."""
    for name in INPUTS:
        if name in there:
            return {"": there[name]}
    rest = {name: one for name, one in there.items() if name not in (ITEMS, *TARGETS)}
    if any(name in rest for name in NAMED):
        return rest
    rest = {name: one for name, one in rest.items() if name not in MASKS}
    if len(rest) == 1:
        return {"": next(iter(rest.values()))}
    known = ", ".join(there) or "nothing"
    raise DataError(f"{path} holds {known}; call the inputs 'inputs' or 'x', and names 'items', targets 'targets'")


def _names(there: Mapping[str, Column], path: Path, count: int) -> tuple[str, ...]:
    named: Sequence[Any] | None = item_names(path)
    if ITEMS in there:
        named = there[ITEMS].whole().ravel().tolist()
    if named is None:
        return tuple(f"item {index}" for index in range(count))
    if len(named) != count:
        raise ShapeError(f"{path} has {count} items, and names for {len(named)}")
    return tuple(name.decode("utf-8") if isinstance(name, bytes) else str(name) for name in named)


def _targets(there: Mapping[str, Column]) -> NDArray[Any] | None:
    """Read targets; whole numbers, one an item, are classes."""
    column = next((there[name] for name in TARGETS if name in there), None)
    if column is None:
        return None
    values = column.whole()
    if values.dtype.kind not in "iufb":
        raise DataError(f"{column.what} holds {values.dtype}; targets are real numbers, or whole ones for classes")
    return values.ravel() if values.size == len(values) else values.reshape(len(values), -1)


def _digest(path: Path) -> str:
    with reading(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
