"""What a score would be if the items of one representation were shuffled: by shuffling them."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from syzygy.chance.permutation import Array, Moments

#: From so many draws on, p is read off the rank of the score among them; below, a normal distribution is assumed.
ENOUGH: Final = 199


def orders(items: int, draws: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """Draw orders of the items, ``(draw, item)``.

    Examples
    --------
    >>> orders(5, 2, np.random.default_rng(0)).shape
    (2, 5)
    """
    return generator.permuted(np.tile(np.arange(items), (draws, 1)), axis=1)


def drawn(score: Array, null: Array, *, by_rank: bool | None = None) -> tuple[Moments, Array]:
    """Give the moments of scores of shuffled items, and the probability of at least ``score`` by chance.

    By rank it is ``(1 + b)/(1 + K)`` where b of K draws reach the score: valid whatever the distribution (Phipson &
    Smyth 2010), and never below ``1/(1 + K)``.  With fewer draws it is the upper tail, at ``(score − mean)/(sd √(1 +
    1/K))``, of the t distribution with K − 1 degrees of freedom: exact where scores by chance are normal.

    Parameters
    ----------
    score
        Of any shape; larger is more alike, so turn the sign of distances.
    null
        ``(draw, …)`` of that shape, at least two draws.
    by_rank
        Whether by rank; by default if there are 199 draws.

    Returns
    -------
    Moments
        Of the draws.
    Array
        NaN where a score is, or where the draws do not differ.

    Examples
    --------
    >>> null = np.random.default_rng(0).normal(size=(999, 1))
    >>> drawn(np.array([9.0]), null)[1]
    array([0.001])
    """
    draws = len(null)
    mean, spread = null.mean(axis=0), null.std(axis=0, ddof=1)
    flat = spread <= 1e-12 * np.abs(mean)
    spread = np.where(flat, 0.0, spread)
    with np.errstate(invalid="ignore", divide="ignore"):
        skewness = np.mean((null - mean) ** 3, axis=0) / spread**3
        z = (score - mean) / (spread * np.sqrt(1 + 1 / draws))
    if draws >= ENOUGH if by_rank is None else by_rank:
        p = (1 + np.sum(null >= score, axis=0)) / (1 + draws)
    else:
        p = t.sf(z, draws - 1)
    return Moments(mean, spread, skewness), np.where(flat | np.isnan(score - mean), np.nan, p)
