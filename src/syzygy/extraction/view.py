"""What is watched of a network: its layers, and the shape of what each gives for an item."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from torch import nn

from syzygy.errors import DataError, ShapeError, SyzygyError, UnknownName, reason
from syzygy.extraction.inputs import placed
from syzygy.journal.manifest import Precision
from syzygy.recording import POOLINGS, Layer, Probe, Seen, layers_of, look, show
from syzygy.recording.pooling import Pooling, tensor_in

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class View:
    """What is watched of a network.

    Attributes
    ----------
    layers
        The layers.
    shapes
        By label, what each gives for an item: ``(unit,)``, or ``(position, unit)``.
    outputs
        How many outputs an item has; 0 where the network gives none, or sequences or maps.
    precision
        In which representations are kept.
    longest
        The most tokens an item has, where each is kept; else None.
    """

    layers: tuple[Layer, ...]
    shapes: Mapping[str, tuple[int, ...]]
    outputs: int
    precision: Precision
    longest: int | None = None

    @property
    def item_bytes(self) -> int:
        """What is kept of an item; outputs always as float32."""
        numbers = sum(int(np.prod(shape)) for shape in self.shapes.values())
        return 4 * self.outputs + np.dtype(self.precision).itemsize * numbers

    def seen(self, model: nn.Module, probe: Probe) -> Seen:
        """Show a network some items, and give what is kept of them.

        Raises
        ------
        DataError
            Inputs that the network cannot take, or a layer that gives what is not finite.
        ShapeError
            A layer whose width is not what it was at first.
        """
        there = placed(probe, model)
        with _one_line(there):
            found = look(model, there, self.layers)
        _finite("the output", found.outputs, there)
        return Seen(found.outputs, {label: self._kept(label, value, there) for label, value in found.layers.items()})

    def _kept(self, label: str, value: Array, probe: Probe) -> Array:
        if self.longest is not None and value.ndim == 3 and probe.mask is not None:
            value = packed(value, probe.mask.bool().cpu().numpy(), self.longest)
        if value.shape[1:] != self.shapes.get(label):
            raise ShapeError(
                f"layer {label!r} gave {self.shapes.get(label, 'nothing')} an item, and {value.shape[1:]} for "
                f"{probe.items[0]!r}; pool over what changes, as in mean({Layer.parse(label).path}), or show items of "
                "one size"
            )
        _finite(f"layer {label!r}", value, probe)
        return value


def view(
    model: nn.Module,
    patterns: Sequence[str],
    probe: Probe,
    *,
    pooling: Pooling | None = None,
    precision: Precision = "float32",
    longest: Callable[[], int] | None = None,
) -> View:
    """Find out what layers give, by showing a few items.

    Parameters
    ----------
    model
        Any module.
    patterns
        As :func:`~syzygy.recording.layers_of` reads them.
    probe
        A few items.
    pooling
        Of layers that give tokens or maps, and name no pooling of their own.  By default tokens with a mask are
        averaged, and all else is kept as units.
    precision
        In which representations are kept.
    longest
        Gives the most tokens an item has, where items are of different lengths.

    Raises
    ------
    UnknownName
        A pooling, a precision or a layer that does not exist.
    """
    if pooling is not None and pooling not in POOLINGS:
        raise UnknownName("pooling", pooling, POOLINGS)
    if precision not in get_args(Precision):
        raise UnknownName("precision", precision, get_args(Precision))
    there, asked = placed(probe, model), layers_of(model, patterns)
    axes = _axes(model, there, asked)
    usual: Pooling = pooling or ("mean" if probe.mask is not None else "flatten")
    layers = tuple(
        replace(one, pooling=usual) if one.pooling == "flatten" and axes.get(one.path, 0) > 2 else one for one in asked
    )
    with _one_line(there):
        found = look(model, there, layers)
    most = longest() if longest and any(one.pooling == "positions" for one in layers) else None
    shapes = {
        label: (most, value.shape[2]) if most is not None and value.ndim == 3 else value.shape[1:]
        for label, value in found.layers.items()
    }
    return View(layers, shapes, found.outputs.shape[1], precision, most)


def packed(tokens: Array, mask: NDArray[np.bool_], longest: int) -> Array:
    """Put the tokens that count first, whatever else was in their batch: ``(item, longest, unit)``, padded by NaN.

    Examples
    --------
    >>> packed(np.array([[[1.0], [2.0]], [[3.0], [4.0]]]), np.array([[True, True], [False, True]]), 3)[..., 0]
    array([[ 1.,  2., nan],
           [ 4., nan, nan]])
    """
    whole = np.full((len(tokens), longest, tokens.shape[2]), np.nan, tokens.dtype)
    for row, one, there in zip(whole, tokens, mask, strict=True):
        row[: there.sum()] = one[there]
    return whole


def _finite(what: str, value: Array, probe: Probe) -> None:
    """Refuse what is not finite, but for tokens that do not count."""
    odd = ~np.isfinite(value)
    if value.ndim == 3 and probe.mask is not None:
        odd &= ~np.isnan(value).all(-1, keepdims=True)
    if odd.any():
        item = probe.items[int(np.flatnonzero(odd.reshape(len(value), -1).any(1))[0])]
        raise DataError(f"{what} gives what is not finite for {item!r}; leave it out, or look at the weights")


def _axes(model: nn.Module, probe: Probe, layers: Sequence[Layer]) -> dict[str, int]:
    """Count the axes of what layers give, by path."""
    found: dict[str, int] = {}

    def counting(path: str) -> Callable[[object], None]:
        return lambda output: found.update({path: tensor_in(output, path).ndim})

    with _one_line(probe):
        show(model, probe, [(path, counting(path)) for path in dict.fromkeys(one.path for one in layers)])
    return found


@contextmanager
def _one_line(probe: Probe) -> Iterator[None]:
    """Say in one line what a network made of inputs that it cannot take."""
    try:
        yield
    except SyzygyError:
        raise
    except Exception as odd:  # of networks that others wrote
        shapes = ", ".join(f"{tuple(one.shape)} {str(one.dtype).removeprefix('torch.')}" for one in probe.tensors)
        raise DataError(f"the network cannot be shown inputs {shapes}: {reason(odd)}") from odd
