"""Pairs of items: which are meant, and which of them have a linearisation."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from syzygy.errors import DataError, ShapeError, SingularStart

Array = NDArray[np.float64]
Pairs = NDArray[np.intp]


def chosen_pairs(pairs: Sequence[tuple[int, int]] | None, items: int) -> Pairs:
    """Give the positions of the two items of each pair, ``(pair, 2)``; of all pairs if none are asked for."""
    if pairs is None:
        pairs = list(combinations(range(items), 2))
    both = np.asarray(pairs)
    fits = both.ndim == 2 and both.shape[1] == 2 and len(both) and both.dtype.kind in "iu"
    if not fits or both.min() < 0 or both.max() >= items or np.any(both[:, 0] == both[:, 1]):
        raise ShapeError(f"pairs must be two different items each, from 0 to {items - 1}, shape (pair, 2); got {pairs}")
    return both.astype(np.intp)


def refuse_singular(both: Pairs, layer: str, x: Tensor, h: Tensor, y: Tensor, wanted: Tensor) -> None:
    """Refuse pairs that have no linearisation."""
    first, second = both.T
    refuse_infinite(both, "an input", [x[first], x[second]])
    refuse_infinite(both, f"a representation at {layer!r}", [h[first], h[second]])
    refuse_infinite(both, "an output", [y[first], y[second]])
    refuse_infinite(both, "a target", [wanted[first], wanted[second]])
    for what, values in (("inputs", x), (f"representations at {layer!r}", h)):
        same = length(values[second] - values[first]) == 0
        if same.any():
            raise SingularStart(
                f"the {what} of items {_name(both[same][0])} are the same, and a difference of zero has no direction; "
                "leave the pair out, or take another layer, seed or step"
            )


def refuse_infinite(both: Pairs, what: str, found: Sequence[Tensor]) -> None:
    """Refuse pairs of which something, ``(pair, …)``, is not finite."""
    for values in found:
        wrong = ~values.reshape(len(values), -1).isfinite().all(1).cpu().numpy()
        if wrong.any():
            raise DataError(
                f"{what} of items {_name(both[wrong][0])} is not finite; look at the weights, or leave the pair out"
            )


def _name(pair: Pairs) -> str:
    return f"{pair[0]} and {pair[1]}"


def length(values: Tensor) -> Array:
    """Give the length of each of some vectors of any shape, ``(number, …)`` to ``(number,)``."""
    lengths = torch.linalg.vector_norm(values.reshape(len(values), -1), dim=1, dtype=torch.float64)
    return np.asarray(lengths.detach().cpu().numpy())
