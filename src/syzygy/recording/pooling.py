"""How what a layer gives becomes one row of units per item."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Final, Literal, get_args

import torch
from torch import Tensor

from syzygy.errors import ShapeError, SpecificationError

#: ``flatten`` keeps everything as units; ``mean``, ``max``, ``last`` and ``class`` (the first) go over positions or
#: tokens; ``positions`` makes each position an item of its own.
Pooling = Literal["flatten", "mean", "max", "last", "class", "positions"]
POOLINGS: Final[tuple[str, ...]] = get_args(Pooling)


def tensor_in(output: object, label: str) -> Tensor:
    """Find the tensor in what a module gives: itself, or the first one in tuples, dictionaries or dataclasses.

    Raises
    ------
    ShapeError
        There is none.
    """
    found = next(tensors_in(output), None)
    if found is None:
        raise ShapeError(f"layer {label!r} gives {type(output).__name__}, in which there is no tensor (item, …)")
    return found


def tensors_in(output: object) -> Iterator[Tensor]:
    """Give all tensors with an axis in what a module gives, in order."""
    if isinstance(output, Tensor):
        if output.ndim > 0:
            yield output
        return
    parts: Iterator[object] = iter(())
    if isinstance(output, Mapping):
        parts = iter(output.values())
    elif isinstance(output, tuple | list):
        parts = iter(output)
    elif is_dataclass(output) and not isinstance(output, type):
        parts = (getattr(output, field.name) for field in fields(output))
    for part in parts:
        yield from tensors_in(part)


def checked(axes: str) -> str:
    """Give an order of axes back, if it is one.

    Raises
    ------
    SpecificationError
        No ``N`` or no ``C``, or a letter twice.
    """
    if not {"N", "C"} <= set(axes) or len(set(axes)) < len(axes):
        raise SpecificationError(
            f"axes are a letter each, N the items, C the units and others positions, as in NHWC; got {axes!r}"
        )
    return axes


def pooled(
    output: Tensor, pooling: Pooling, mask: Tensor | None = None, label: str = "", axes: str | None = None
) -> Tensor:
    """Pool an output over its positions.

    Parameters
    ----------
    output
        ``(item, unit)``; tokens ``(item, position, unit)``; or maps ``(item, unit, position, position …)``.
    pooling
        See :data:`Pooling`.
    mask
        Which tokens count, ``(item, position)``, padded on either side or in between; of tokens alone.
    label
        Of the layer, for messages.
    axes
        Order of the axes, where it is another one: see :class:`syzygy.recording.Layer`.

    Returns
    -------
    Tensor
        ``(item, unit)``; positions that do not count are 0 where all are kept as units.  Or ``(item, position, unit)``
        for ``positions``, NaN where they do not count.

    Raises
    ------
    ShapeError
        An output without positions to pool over, of other axes, or a mask of other tokens.
    """
    if axes is not None:
        output = _arranged(output, axes, label)
        mask = mask if len(axes) == 3 else None
    if pooling == "flatten" and (output.ndim != 3 or mask is None):
        return output.flatten(1) if output.ndim > 1 else output.unsqueeze(1)
    if output.ndim < 3:
        raise ShapeError(
            f"{label} needs a map (item, channel, position …) or tokens (item, position, unit), "
            f"got {tuple(output.shape)}"
        )
    if pooling == "mean" and (mask is None or output.ndim > 3):
        return output.mean(1) if output.ndim == 3 else output.flatten(2).mean(-1)
    tokens = output if output.ndim == 3 else output.flatten(2).transpose(1, 2)
    if mask is None or output.ndim > 3:
        mask = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
    if mask.shape != tokens.shape[:2]:
        raise ShapeError(
            f"{label} gives {tokens.shape[1]} positions for {tokens.shape[0]} items, and the mask is of "
            f"{tuple(mask.shape)}; watch a layer with a position per token, or leave the mask out"
        )
    return _over(tokens, mask.bool().to(tokens.device), pooling)


def _arranged(output: Tensor, axes: str, label: str) -> Tensor:
    """Bring an output into the order ``(item, position, unit)``, or ``(item, unit)`` if it has no positions."""
    if output.ndim != len(axes):
        raise ShapeError(f"{label} has {len(axes)} axes by its name, and gives {tuple(output.shape)}")
    places = [index for index, axis in enumerate(axes) if axis not in "NC"]
    ordered = output.permute(axes.index("N"), *places, axes.index("C"))
    return ordered.flatten(1, -2) if places else ordered


def _over(tokens: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    """Pool tokens ``(item, position, unit)`` over the positions that count."""
    there = mask.unsqueeze(-1)
    if pooling == "flatten":
        return tokens.masked_fill(~there, 0).flatten(1)
    if pooling == "mean":
        return tokens.masked_fill(~there, 0).sum(1) / there.sum(1)
    if pooling == "max":
        return tokens.masked_fill(~there, -torch.inf).amax(1)
    if pooling == "positions":
        return tokens.masked_fill(~there, torch.nan)
    # The first or the last token that counts, whichever side the padding is on.
    places = torch.arange(tokens.shape[1], device=tokens.device).expand(mask.shape)
    first, last = places.masked_fill(~mask, tokens.shape[1] - 1).amin(1), places.masked_fill(~mask, 0).amax(1)
    return tokens[torch.arange(len(tokens), device=tokens.device), last if pooling == "last" else first]
