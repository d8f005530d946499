"""How much a score would vary if other items had been drawn: from halves of those that were.

Drawing items with replacement draws some twice, and an item that meets itself is as alike as can be: scores of
independent representations rise.  A half drawn without replacement has no such pairs, and varies about the whole by as
much as the whole does about its truth (``docs/measures/chance.md``, section 6).
"""

import numpy as np
from numpy.typing import NDArray

from syzygy.chance.permutation import Array


def half_samples(items: int, draws: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """Draw halves of the items without replacement, ``(draw, items // 2)``, each in rising order.

    Examples
    --------
    >>> half_samples(7, 4, np.random.default_rng(0)).shape
    (4, 3)
    """
    shuffled = generator.permuted(np.tile(np.arange(items), (draws, 1)), axis=1)
    return np.sort(shuffled[:, : items // 2], axis=1)


def intervals(score: Array, sampled: Array, level: float = 0.95) -> tuple[Array, Array]:
    """Give the interval of a score from what halves of the items gave.

    The deviations of the draws from their own mean are added to the score, so that a measure that is larger for fewer
    items does not shift its interval.

    Parameters
    ----------
    score
        On all items, of any shape.
    sampled
        ``(draw, …)`` of that shape.
    level
        How often the interval shall hold the truth.

    Returns
    -------
    Array, Array
        Lower and upper end, of the shape of the score.

    Examples
    --------
    >>> sampled = np.random.default_rng(0).normal(0.4, 0.1, size=(1000, 1))
    >>> low, high = intervals(np.array([0.5]), sampled)
    >>> low.round(1), high.round(1)
    (array([0.3]), array([0.7]))
    """
    deviation = sampled - sampled.mean(axis=0)
    low, high = np.quantile(deviation, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return score + low, score + high
