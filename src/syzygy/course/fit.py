"""When a network fits every label that it was given, and whether its test error descends twice."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from syzygy.errors import DataError, ShapeError

#: How often a curve that only fluctuates is taken for one that descends twice.
LEVEL: Final = 0.05


def perfect_fit(accuracy: ArrayLike) -> int | None:
    """Give the first place in a curve from which on the accuracy is one; None if it does not end there.

    Raises
    ------
    ShapeError
        Something else than one curve, ``(step,)``.

    Examples
    --------
    >>> perfect_fit([0.1, 1.0, 0.9, 1.0, 1.0]), perfect_fit([0.5, 0.9]), perfect_fit([1.0])
    (3, None, 0)
    """
    curve = np.asarray(accuracy, dtype=np.float64)
    if curve.ndim != 1 or not curve.size:
        raise ShapeError(f"accuracy is a curve (step,), got shape {curve.shape}")
    short = np.flatnonzero(~(curve >= 1))
    first = int(short[-1]) + 1 if short.size else 0
    return first if first < len(curve) else None


@dataclass(frozen=True)
class Descent:
    """The accuracy's clearest fall that is followed by a rise: an error that descends, ascends and descends again.

    Attributes
    ----------
    peak, trough, end
        Places in the curve: the highest before, the lowest between, the highest after.
    fall, rise
        Accuracy lost from peak to trough, and won from trough to end.
    score
        The smaller of the two, in standard errors over items.
    needed
        What the score of a curve that only fluctuates stays below, with a probability of 95% or more.
    """

    peak: int
    trough: int
    end: int
    fall: float
    rise: float
    score: float
    needed: float

    @property
    def twice(self) -> bool:
        """Whether the error descends twice beyond what drawing other items would make of one that does not."""
        return self.score > self.needed


def double_descent(correct: ArrayLike) -> Descent:
    """Look for an error that descends twice.

    Every pair of steps is compared item by item: the mean difference over its standard error.  Among all fall-and-rise
    triplets the one is taken whose weaker half is the clearest, and the needed score is corrected for the number of
    pairs (Bonferroni).  The first descent must have happened: a peak counts from half of the accuracy that is ever won,
    for before that networks turn from one guess to another.

    Parameters
    ----------
    correct
        Whether a test item is classified, ``(step, item)``; or the share of several networks that do.

    Raises
    ------
    ShapeError
        Fewer than three steps, or than two items.
    DataError
        Shares outside of 0 and 1.

    Examples
    --------
    >>> first, fallen = np.repeat([1.0, 0.0], [90, 10]), np.repeat([1.0, 0.0], [60, 40])
    >>> double_descent([first, fallen, first]).twice, double_descent([fallen, first, fallen]).twice
    (True, False)
    """
    right = np.asarray(correct, dtype=np.float64)
    if right.ndim != 2 or right.shape[0] < 3 or right.shape[1] < 2:
        raise ShapeError(f"a double descent needs three steps and two items, (step, item); got {right.shape}")
    if not ((right >= 0) & (right <= 1)).all():
        raise DataError("an item is classified or not: shares lie between 0 and 1")
    steps = len(right)
    gained = right[None] - right[:, None]  # (from, to, item)
    mean, error = gained.mean(-1), gained.std(-1, ddof=1) / np.sqrt(right.shape[1])
    score = np.divide(mean, error, out=np.where(mean == 0, 0.0, np.copysign(np.inf, mean)), where=error > 0)
    later = np.triu(np.ones((steps, steps), dtype=bool), 1)
    level = right.mean(axis=1)
    learned = level - level[0] >= (level.max() - level[0]) / 2
    falls, rises = np.where(later & learned[:, None], -score, -np.inf), np.where(later, score, -np.inf)
    weaker = np.minimum(falls[:, :, None], rises[None])  # (peak, trough, end)
    peak, trough, end = (int(place) for place in np.unravel_index(int(weaker.argmax()), weaker.shape))
    needed = float(norm.isf(LEVEL / later.sum()))
    return Descent(peak, trough, end, -float(mean[peak, trough]), float(mean[trough, end]), float(weaker.max()), needed)
