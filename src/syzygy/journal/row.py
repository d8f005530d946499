"""One step while it is written: what is put must be the next items, in the shapes of before."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np

from syzygy.errors import DataError, ShapeError
from syzygy.journal.manifest import Array, Manifest

#: Under which name a network's outputs are among its layers; no layer has it.
OUTPUTS: Final = ""

#: From layer to ``(unit,)`` or ``(position, unit)``, and from :data:`OUTPUTS` to ``(output,)``.
Shapes = Mapping[str, tuple[int, ...]]

#: Given the place of a batch, and the batch.
Keep = Callable[[int, Mapping[str, Array]], None]

#: Gives the outputs of all items, in parts with the place of the first item of each.
Read = Callable[[], Iterator[tuple[int, Array]]]


class Filling:
    """One step while it is written.

    Parameters
    ----------
    manifest
        What is the same at every step.
    shapes
        Of one item, at earlier steps; None if this is the first.
    keep
        Takes what was put, in float32, when it has been found right.
    read
        Gives the outputs of all items, once they were kept.
    filled
        How many items are there already.
    """

    def __init__(self, manifest: Manifest, shapes: Shapes | None, keep: Keep, read: Read, filled: int = 0):
        self.loss, self.shapes, self.filled = float("nan"), shapes, filled
        self._manifest, self._keep, self._read = manifest, keep, read

    def put(self, first: int, outputs: Array, layers: Mapping[str, Array]) -> None:
        """Keep what a batch gave."""
        count, given = len(self._manifest.items), {OUTPUTS: self._as_many(outputs), **layers}
        batch = {name: self._finite(name, values) for name, values in given.items()}
        sizes = {name: len(values) for name, values in batch.items()}
        if len(set(sizes.values())) > 1:
            raise ShapeError(f"a batch must be of the same items everywhere, got {_said(sizes)}")
        if first != self.filled or first + sizes[OUTPUTS] > count:
            raise ShapeError(
                f"batches come in order: item {self.filled} of {count} is next, "
                f"got items {first} to {first + sizes[OUTPUTS] - 1}"
            )
        self._same({name: values.shape[1:] for name, values in batch.items()})
        self._keep(first, batch)
        self.filled += sizes[OUTPUTS]

    def outputs(self) -> Iterator[tuple[int, Array]]:
        """Give the outputs of all items, once they were put, in parts."""
        self._complete("the step")
        return self._read()

    def done(self, step: int) -> None:
        """Refuse to end before all items were put."""
        self._complete(f"step {step}")

    def _complete(self, what: str) -> None:
        if self.filled < len(self._manifest.items):
            raise ShapeError(f"{what} lacks {len(self._manifest.items) - self.filled} of its items")

    def _as_many(self, outputs: Array) -> Array:
        """Give outputs as many as targets; those that are unknown are NaN."""
        targets, outputs = self._manifest.targets, np.asarray(outputs)
        if outputs.ndim != 2:
            raise ShapeError(f"outputs must be (item, output), got {outputs.shape}")
        if targets is None or outputs.shape[1] == targets.shape[1]:
            return outputs
        if outputs.shape[1]:
            raise ShapeError(
                f"there are {outputs.shape[1]} outputs and {targets.shape[1]} targets an item; give as many"
            )
        return np.full((len(outputs), targets.shape[1]), np.nan, np.float32)

    def _finite(self, name: str, values: Array) -> Array:
        """Give float32; refuse numbers that the precision would turn into infinities."""
        values = np.asarray(values)
        if name != OUTPUTS and (values.ndim not in (2, 3) or 0 in values.shape[1:]):
            raise ShapeError(f"layer {name!r} must be (item, unit) or (item, position, unit), got {values.shape}")
        kept = np.dtype(np.float32 if name == OUTPUTS else self._manifest.precision)
        if values.dtype.itemsize > kept.itemsize or values.dtype.kind != "f":
            with np.errstate(over="ignore"):
                lost = np.isinf(values.astype(kept)) & np.isfinite(values)
            if lost.any():
                worst = float(np.abs(values[lost].astype(np.float64)).max())
                raise DataError(
                    f"{_called(name)} holds {worst:.3g}, beyond {np.finfo(kept).max:.5g} of {kept}; "
                    "record in float32, or scale it"
                )
        return values.astype(np.float32, copy=False)

    def _same(self, shapes: Shapes) -> None:
        if self.shapes is None:
            for name in shapes:
                _named(name)
            self.shapes = shapes
        if shapes.keys() != self.shapes.keys():
            odd = sorted(shapes.keys() ^ self.shapes.keys())
            raise ShapeError(f"{_called(odd[0])} is {'new' if odd[0] in shapes else 'missing'}; layers stay the same")
        for name, shape in shapes.items():
            if shape != self.shapes[name]:
                raise ShapeError(f"{_called(name)} gave {self.shapes[name]} an item before, and now {shape}")


def _named(layer: str) -> None:
    """Refuse the name of a layer that would lead out of its folder, or into another layer's."""
    if layer in (".", "..") or any(sign in layer for sign in "/\\\0") or len(layer.encode()) > 240:
        raise DataError(f"layer {layer!r} cannot be the name of a folder; rename the module")


def _called(name: str) -> str:
    return f"layer {name!r}" if name != OUTPUTS else "the output"


def _said(sizes: Mapping[str, Any]) -> str:
    return ", ".join(f"{size} of {_called(name)}" for name, size in list(sizes.items())[:4])
