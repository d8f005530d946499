"""Ridge regression as a matrix of items: what it misses of items that it has not seen, whatever the target.

Derived in ``docs/measures/prediction.md``.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from syzygy.linalg.decomposition import Decomposition
from syzygy.linalg.gram import centred
from syzygy.linalg.work import Precision

Array = NDArray[np.float64]
Folds = Sequence[NDArray[np.intp]]

#: So many fits are solved one by one, if there are more items than units; else one decomposition serves them all.
DIRECT: Final = 32

#: Items are all the same if their variance is this small a part of that of all.
CONSTANT: Final = 1e-12


def split(items: int, folds: int, seed: int | None) -> Folds:
    """Cut items into folds of nearly one size: shuffled with a seed, else as they come; 0 leaves out one at a time.

    Examples
    --------
    >>> [fold.tolist() for fold in split(5, 2, None)]
    [[0, 1, 2], [3, 4]]
    """
    order = np.arange(items) if seed is None or folds == 0 else np.random.default_rng(seed).permutation(items)
    return [np.sort(fold) for fold in np.array_split(order, folds or items)]


def missed(x: Array, folds: Folds, penalties: Sequence[float], dtype: Precision = "float64") -> NDArray[np.floating]:
    """Give E for each penalty: row i of ``E y`` is what ``y_i`` is off when predicted without its fold.

    With the intercept free, λ = penalty × mean eigenvalue of the centred ``(item, item)`` Gram matrix of the other
    folds, which is their variance summed over units.

    Parameters
    ----------
    x
        ``(item, unit)``.
    folds
        The items of each; together all, once.
    penalties
        Positive.
    dtype
        Of what is given; systems are solved in float64.

    Returns
    -------
    NDArray
        ``(penalty, item, item)``; its rows add up to zero.  NaN if all items of ``x`` are the same.  Where those of
        the training set are, their mean is the prediction.
    """
    c, n = np.asarray(centred(x), dtype=np.float64), len(x)
    largest = float(np.abs(c).max())
    if largest <= np.finfo(np.float64).eps * n * float(np.abs(x).max()):
        return np.full((len(penalties), n, n), np.nan, dtype)
    c = c / largest
    squares = np.sum(c**2, axis=1)
    strengths = np.array([_variance_without(c, fold, squares) for fold in folds])[:, None] * np.asarray(penalties)
    if x.shape[1] < n and strengths.size <= DIRECT:
        return _from_training(c, folds, strengths, dtype)
    return _from_all(c, folds, strengths, dtype)


def _from_training(c: Array, folds: Folds, strengths: Array, dtype: Precision) -> NDArray[np.floating]:
    """Solve for each fold and penalty: ``E_f = 1_f − (c_f − m)(CᵀC + λ)⁻¹Cᵀ − 11ᵀ/others``, C the others less m."""
    n, units = c.shape
    total, narrow, found = c.T @ c, c.astype(dtype), np.empty((strengths.shape[1], n, n), dtype)
    for fold, several in zip(folds, strengths, strict=True):
        others = n - len(fold)
        mean = -c[fold].sum(axis=0) / others
        gone = np.concatenate([c[fold], np.sqrt(others) * mean[None]])
        gram = total - gone.T @ gone
        for rows, strength in zip(found, several, strict=True):
            weights = np.zeros((len(fold), units))
            if strength < np.inf:
                regular = gram.copy(order="F")  # so that the factor takes its place
                regular.ravel("K")[:: units + 1] += strength
                factor = cho_factor(regular, overwrite_a=True, check_finite=False)
                weights = cho_solve(factor, (gone[:-1] - mean).T, check_finite=False).T
            some = weights.astype(dtype) @ narrow.T
            np.subtract(((weights @ mean) - 1 / others).astype(dtype)[:, None], some, out=some)
            some[:, fold] = np.eye(len(fold))
            rows[fold] = some
    return found


def _from_all(c: Array, folds: Folds, strengths: Array, dtype: Precision) -> NDArray[np.floating]:
    """Decompose once for all folds and penalties: ``E_f = (G_ff)⁻¹ G_f`` with ``G = λ(K + λ)⁻¹ − 11ᵀ/n``."""
    n, parts = len(c), Decomposition.of(c)
    found, strength = np.empty((strengths.shape[1], n, n)), np.empty((n, 1))
    for matrix, several in zip(found, strengths.T, strict=True):
        for fold, one in zip(folds, several, strict=True):
            strength[fold] = one
        parts.residual(strength, out=matrix)
        for fold in folds:
            matrix[fold] = np.linalg.inv(matrix[np.ix_(fold, fold)]) @ matrix[fold]
    return found.astype(dtype, copy=False)


def _variance_without(c: Array, fold: NDArray[np.intp], squares: Array) -> float:
    """Give the variance of the other items, summed over units, of centred ones; infinite if they are all the same."""
    others = len(c) - len(fold)
    mean = c[fold].sum(axis=0) / others  # of the others, with its sign turned
    variance = float((squares.sum() - squares[fold].sum()) / others - mean @ mean)
    return variance if variance > CONSTANT * squares.mean() else np.inf
