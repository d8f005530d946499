"""Targets predicted from other measurements of the same items, each item without its fold; and how well.

Derived in ``docs/dimensions/universal.md``, section 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from syzygy.linalg import FLOAT64, Work, centred
from syzygy.linalg.decomposition import Decomposition
from syzygy.linalg.ridge import CONSTANT, Folds

Array = NDArray[np.float64]
Floats = NDArray[np.floating]

#: By what a penalty is chosen among the training items: Pearson's r of left-out predictions, or their squared error.
Criterion = Literal["pearson", "error"]

#: So many targets are predicted at once.
AT_ONCE: Final = 2048


class Score(NamedTuple):
    """How well targets are predicted.

    Attributes
    ----------
    correlation
        Mean over folds of Pearson's r, ``(target,)``; 0 in a fold whose predictions do not vary, NaN where a target is
        constant in a fold.
    error
        Its standard error over test items, ``(target,)``.
    """

    correlation: Array
    error: Array


def ridge(
    x: Array,
    targets: Floats,
    folds: Folds,
    penalties: Sequence[float],
    criterion: Criterion = "pearson",
    work: Work = FLOAT64,
) -> Array:
    """Predict each item from ridge regression on the items outside its fold; the penalty is chosen there, by target.

    One decomposition for each fold serves all penalties and targets, and leaves out one training item at a time in
    closed form.

    Parameters
    ----------
    x
        The predictor, ``(item, unit)``.
    targets
        ``(item, target)``.
    folds
        The items of each.
    penalties
        Positive, in units of the mean eigenvalue of the centred ``(item, item)`` Gram matrix of the training items.
    criterion
        What chooses.
    work
        Precision of the products with targets; systems are solved in float64.

    Returns
    -------
    NDArray
        Predictions, ``(item, target)``.

    Examples
    --------
    >>> from syzygy.linalg.ridge import split
    >>> x = np.random.default_rng(0).normal(size=(40, 3))
    >>> guess = ridge(x, x @ [[1.0], [2.0], [0.0]], split(40, 4, 0), [1e-9, 1.0])
    >>> bool(np.allclose(guess[:, 0], x @ [1, 2, 0]))
    True
    """
    found = np.empty(targets.shape)  # of what varies little about a mean, single precision would keep the mean
    for fold in folds:
        rest = np.setdiff1d(np.arange(len(x)), fold, assume_unique=True)
        fitted = Fitted.of(x[rest], x[fold], penalties, work)
        for start in range(0, targets.shape[1], AT_ONCE):
            some = slice(start, start + AT_ONCE)
            y = np.asarray(targets[rest, some], dtype=np.float64)
            mean = y.mean(axis=0)
            y -= mean
            size = np.linalg.norm(y, axis=0)
            size[size == 0] = 1
            guess = 0 if fitted is None else fitted.guess(work.cast(y / size), criterion)
            found[fold, some] = guess * size + mean
    return found


@dataclass(frozen=True)
class Fitted:
    """Ridge regression on some items at several penalties, ready to predict others.

    Attributes
    ----------
    scores, seen
        Of the items and of those to predict, ``(item, axis)``: see :class:`~syzygy.linalg.decomposition.Decomposition`.
    wide
        Whether units outnumber items.
    shrunk
        ``(penalty, axis)``: what predictions are made with.
    weights, kept_back
        ``(penalty, axis)`` and ``(penalty, item)``: what is missed, left out one at a time.
    """

    scores: Floats
    seen: Floats
    wide: bool
    shrunk: Floats
    weights: Floats
    kept_back: Floats

    @classmethod
    def of(cls, x: Array, new: Array, penalties: Sequence[float], work: Work) -> Self | None:
        """Decompose items; None if they are all the same."""
        mean = x.mean(axis=0)
        c = x - mean
        largest = float(np.abs(c).max())
        if largest <= CONSTANT * float(np.abs(x).max()):
            return None
        parts = Decomposition.of(c / largest)
        strengths = [one * parts.mean_eigenvalue for one in penalties]
        return cls(
            work.cast(parts.scores),
            work.cast(parts.seen_from((new - mean) / largest)),
            parts.wide,
            work.cast(np.array([1 / (parts.values + one) for one in strengths])),
            work.cast(np.array([parts.weights(one) for one in strengths])),
            work.cast(np.array([parts.kept_back(one) for one in strengths])),
        )

    def guess(self, y: Floats, criterion: Criterion) -> Floats:
        """Predict the new items with each target's best penalty; ``y`` is centred and of norm one, or zero."""
        z = self.scores.T @ y
        best = np.array([self._left_out(y, z, place, criterion) for place in range(len(self.weights))]).argmax(axis=0)
        return np.asarray(self.seen @ (z * self.shrunk[best].T))

    def _left_out(self, y: Floats, z: Floats, place: int, criterion: Criterion) -> Array:
        """Say how good predictions ``y − e`` of items left out one at a time are, ``(target,)``: larger is better."""
        d = self.kept_back[place][:, None]
        e = (self.scores / d) @ (self.weights[place][:, None] * z)
        if not self.wide:
            e += y / d
        squares = np.einsum("ij,ij->j", e, e)
        if criterion == "error":
            return np.asarray(-squares, dtype=np.float64)
        along, own = np.einsum("ij,ij->j", e, y), np.einsum("ij,ij->j", y, y)
        size = own - 2 * along + squares - len(y) * e.mean(axis=0) ** 2
        with np.errstate(invalid="ignore", divide="ignore"):
            r = (own - along) / np.sqrt(np.maximum(size, 0))
        return np.asarray(np.where(np.isfinite(r), r, -np.inf), dtype=np.float64)


def matched(x: Array, targets: Floats, folds: Folds) -> Array:
    """Predict each item by the one unit that correlates most with the target, up to sign, outside the item's fold.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(40, 3))
    >>> guess = matched(x, -2 * x[:, 1:2], [np.arange(20), np.arange(20, 40)])
    >>> bool(np.allclose(guess[:, 0], -x[:, 1]))
    True
    """
    found = np.empty(targets.shape)
    for fold in folds:
        rest = np.setdiff1d(np.arange(len(x)), fold, assume_unique=True)
        c = _unit(x[rest])
        for start in range(0, targets.shape[1], AT_ONCE):
            some = slice(start, start + AT_ONCE)
            r = c.T @ _unit(np.asarray(targets[rest, some], dtype=np.float64))
            best = np.abs(r).argmax(axis=0)
            found[fold, some] = np.sign(r[best, np.arange(r.shape[1])]) * x[np.ix_(fold, best)]
    return found


def score(guess: Floats, targets: Floats, folds: Folds) -> Score:
    """Give the mean over folds of the correlation of predictions with the truth, and its standard error.

    The error is that of drawing other test items for the same regression: in each fold the root of the mean square of
    the influences ``z_ŷ z_y − r (z_ŷ² + z_y²)/2`` of its items (Hampel 1974) over its size less 3.

    Parameters
    ----------
    guess, targets
        ``(item, target)``.
    folds
        The items of each; at least four in each for an error.

    Examples
    --------
    >>> y = np.arange(8.0)[:, None]
    >>> score(y**3, y, [np.arange(4), np.arange(4, 8)]).correlation.round(3)
    array([0.948])
    """
    total, variance = np.zeros(targets.shape[1]), np.zeros(targets.shape[1])
    for start in range(0, targets.shape[1], AT_ONCE):
        some = slice(start, start + AT_ONCE)
        for fold in folds:
            y, p = (np.asarray(one[fold, some], dtype=np.float64) for one in (targets, guess))
            z_y, z_p = _unit(y) * np.sqrt(len(fold)), np.nan_to_num(_unit(p)) * np.sqrt(len(fold))
            r = np.einsum("ij,ij->j", z_y, z_p) / len(fold)
            influence = z_y * z_p - r * (z_y**2 + z_p**2) / 2
            total[some] += r / len(folds)
            with np.errstate(divide="ignore", invalid="ignore"):
                spread = np.einsum("ij,ij->j", influence, influence) / len(fold) / np.maximum(len(fold) - 3, 0)
            variance[some] += spread / len(folds) ** 2
    return Score(total, np.sqrt(variance))


def _unit(x: Array) -> Array:
    """Centre units and give them norm one; NaN where one is constant."""
    c = np.asarray(centred(x), dtype=np.float64)
    size = np.linalg.norm(c, axis=0)
    constant = size <= CONSTANT * np.sqrt(len(x)) * np.abs(x).max(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(c / np.where(constant, np.nan, size))
