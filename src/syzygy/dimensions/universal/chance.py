"""What universality would be by chance, and how far the items that were drawn let it be known.

Derived in ``docs/dimensions/universal.md``, sections 4 and 5.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, norm

Array = NDArray[np.float64]

#: Correlations are taken for at most so much before they are spread out by Fisher's z.
MOST: Final = 1 - 1e-12


def shuffled(targets: NDArray[np.floating], draws: int, generator: np.random.Generator) -> NDArray[np.floating]:
    """Draw targets that vary and shuffle the items of each, ``(item, draw)``.

    Examples
    --------
    >>> shuffled(np.arange(6.0).reshape(3, 2), 4, np.random.default_rng(0)).shape
    (3, 4)
    """
    there = np.flatnonzero(np.ptp(targets, axis=0) > 0)
    if not len(there):
        return np.empty((len(targets), 0))
    return generator.permuted(targets[:, generator.choice(there, draws)], axis=0)


def upper_rank(values: Array, null: Array) -> Array:
    """Give ``(1 + b)/(1 + K)`` where b of K draws reach a value (Phipson & Smyth 2010); NaN where there is none.

    Examples
    --------
    >>> upper_rank(np.array([0.5, 9.0, np.nan]), np.arange(9.0))
    array([0.9, 0.1, nan])
    """
    if not len(null):
        return np.full(values.shape, np.nan)
    reached = len(null) - np.searchsorted(np.sort(null), values, side="left")
    return np.where(np.isnan(values), np.nan, (1 + reached) / (1 + len(null)))


def discoveries(p: Array) -> Array:
    """Correct p-values for their number (Benjamini & Hochberg 1995); what is NaN is no test.

    Examples
    --------
    >>> discoveries(np.array([0.01, np.nan, 0.04])).round(3)
    array([0.02,  nan, 0.04])
    """
    q, tested = np.full(p.shape, np.nan), ~np.isnan(p)
    if tested.any():
        q[tested] = false_discovery_control(p[tested])
    return q


def middle(scores: Array, errors: Array) -> tuple[Array, Array]:
    """Give the median over networks and the standard error of it that items are to blame for.

    It is that of the network in the middle.  Of an even number it is the mean of the two there, for all were scored on
    the same items.

    Parameters
    ----------
    scores, errors
        ``(network, component)``.

    Examples
    --------
    >>> middle(np.array([[0.1], [0.9], [0.4]]), np.array([[1.0], [2.0], [3.0]]))
    (array([0.4]), array([3.]))
    """
    order = np.argsort(scores, axis=0)
    places = order[[(len(order) - 1) // 2, len(order) // 2]]
    value, error = (np.take_along_axis(one, places, axis=0).mean(axis=0) for one in (scores, errors))
    return value, error


def interval(value: Array, error: Array, level: float) -> tuple[Array, Array]:
    """Give the interval of a correlation from its standard error, symmetric in Fisher's z.

    Examples
    --------
    >>> low, high = interval(np.array([0.9]), np.array([0.05]), 0.95)
    >>> low.round(2), high.round(2)
    (array([0.74]), array([0.96]))
    """
    r = np.clip(value, -MOST, MOST)
    wide = norm.ppf((1 + level) / 2) * error / (1 - r**2)
    return np.tanh(np.arctanh(r) - wide), np.tanh(np.arctanh(r) + wide)
