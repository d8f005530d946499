"""Sums of squares that features leave unexplained of items that they were not fitted to, and what luck would leave.

Derived in ``docs/dimensions/features.md``, sections 1 to 3.
"""

from collections.abc import Callable
from itertools import combinations
from math import comb
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from syzygy.dimensions.features.labels import Array
from syzygy.linalg.ridge import Folds

#: Shares are told apart over all orders of up to so many features: 2ⁿ regressions.
ORDERED: Final = 8
#: Columns are the same up to so small a singular value, over the largest.
SAME: Final = 1e-10
#: A representation is constant if its variance is this small a part of its mean square.
CONSTANT: Final = 1e-20


class Squares(NamedTuple):
    """What is missed of each item, and what there was to explain.

    Attributes
    ----------
    missed
        Squared distance of each item from its prediction, ``(…, item)``.
    total
        Squared distance of each item from the mean of the items that were fitted, ``(…, item)``.
    """

    missed: Array
    total: Array

    def share(self) -> Array:
        """Give the share of the variance that is explained, ``(…,)``: a ratio of sums; NaN where nothing varies.

        Examples
        --------
        >>> Squares(np.array([1.0, 1.0]), np.array([4.0, 4.0])).share()
        array(0.75)
        """
        total = self.total.sum(axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(1 - self.missed.sum(axis=-1) / np.where(total > 0, total, np.nan))

    def error(self) -> Array:
        """Give the standard error of :meth:`share` over items, by the influence of each on the ratio, ``(…,)``."""
        total, items = self.total.sum(axis=-1), self.total.shape[-1]
        with np.errstate(invalid="ignore", divide="ignore"):
            influence = self.missed - (1 - self.share())[..., None] * self.total
            return np.asarray(np.sqrt((influence**2).sum(axis=-1) * items / max(1, items - 1)) / total)


def squares(x: Array, design: Array, folds: Folds) -> Squares:
    """Predict each item by least squares on the items outside its fold.

    Parameters
    ----------
    x
        ``(…, item, unit)``.
    design
        ``(item, column)``, without a constant; no column at all predicts the mean.
    folds
        The items of each.

    Examples
    --------
    >>> x = np.array([[1.0], [3.0], [1.0], [3.0]])
    >>> squares(x, np.empty((4, 0)), [np.array([0, 1]), np.array([2, 3])])
    Squares(missed=array([1., 1., 1., 1.]), total=array([1., 1., 1., 1.]))
    """
    missed, total = np.empty((2, *x.shape[:-1]))
    for fold in folds:
        rest = np.setdiff1d(np.arange(x.shape[-2]), fold, assume_unique=True)
        solve, seen = _regression(design, rest, fold)
        mean = x[..., rest, :].mean(axis=-2, keepdims=True)
        known, new = x[..., rest, :] - mean, x[..., fold, :] - mean
        total[..., fold] = np.einsum("...u,...u->...", new, new)
        left = new - seen @ (solve @ known)
        missed[..., fold] = np.einsum("...u,...u->...", left, left)
    # Rounding is no variance.
    still = total.mean(axis=-1) <= CONSTANT * np.einsum("...iu,...iu->...", x, x) / x.shape[-2]
    total[still] = missed[still] = 0
    return Squares(missed, total)


def chance(design: Array, folds: Folds) -> float:
    """Give the share that would be found if items were shuffled, in the mean: it is below zero.

    A prediction is a sum of the other items with weights that add up to one, so what is missed is a contrast of items,
    whose mean square over all orders is known.

    Examples
    --------
    >>> design = np.repeat([[0.0], [1.0]], 10, axis=0)
    >>> round(chance(design, [np.arange(0, 20, 2), np.arange(1, 20, 2)]), 4)
    -0.0909
    """
    missed = total = 0.0
    for fold in folds:
        rest = np.setdiff1d(np.arange(len(design)), fold, assume_unique=True)
        solve, seen = _regression(design, rest, fold)
        # Σ of the squared weights, without the (item, item) matrix of them.
        missed += len(fold) * (1 + 1 / len(rest)) + float(((seen.T @ seen) * (solve @ solve.T)).sum())
        total += len(fold) * (1 + 1 / len(rest))
    return 1 - missed / total


def by_order(share: Callable[[tuple[int, ...]], Array], count: int) -> Array:
    """Give the mean over all orders of what each feature adds to those before it, ``(feature, …)`` (Shapley 1953).

    Parameters
    ----------
    share
        Gives what some features explain together.
    count
        Of features, at most :data:`ORDERED`.

    Examples
    --------
    >>> by_order(lambda some: np.float64(len(some) > 0), 2)  # two that say the same
    array([0.5, 0.5])
    """
    found = []
    for one in range(count):
        others = [other for other in range(count) if other != one]
        gains = [
            (share(tuple(sorted((*some, one)))) - share(some)) / (count * comb(count - 1, size))
            for size in range(count)
            for some in combinations(others, size)
        ]
        found.append(np.sum(gains, axis=0))
    return np.array(found)


def _regression(design: Array, rest: NDArray[np.intp], fold: NDArray[np.intp]) -> tuple[Array, Array]:
    """Give what turns centred items into coefficients, ``(column, item)``, and the columns of the items to predict."""
    mean = design[rest].mean(axis=0)
    return np.linalg.pinv(design[rest] - mean, rcond=SAME), design[fold] - mean
