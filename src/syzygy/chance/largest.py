"""The best of many layers, against the best that luck would give.

The maximum over all pairs of layers of two networks rises with their number, also where nothing is alike (Gröger, Wen
& Brbić 2026).  Its chance level is the mean of the maximum, with the items of all layers of one network shuffled
alike, so that layers that resemble one another do not count as many.
"""

from collections.abc import Sequence

import numpy as np

from syzygy.chance.drawn import drawn
from syzygy.chance.permutation import Array


def over_groups(score: Array, left: Sequence[int], right: Sequence[int], groups: tuple[int, int]) -> Array:
    """Take the maximum over layers, ``(…, left, right)`` to ``(…, group, other group)``.

    Parameters
    ----------
    score
        Larger is more alike: turn the sign of distances.
    left, right
        The group of every representation, counted from 0.
    groups
        How many there are on the left and on the right.

    Returns
    -------
    Array
        NaN where no pair of two groups is there, or has a score; so parts of all pairs are put together by
        ``numpy.fmax``.

    Examples
    --------
    >>> over_groups(np.array([[0.1, 0.4], [0.3, 0.2]]), [0, 0], [0, 1], (1, 2))
    array([[0.3, 0.4]])
    """
    rows = np.full((*score.shape[:-2], groups[0], score.shape[-1]), np.nan)
    for index, group in enumerate(left):
        rows[..., group, :] = np.fmax(rows[..., group, :], score[..., index, :])
    both = np.full((*rows.shape[:-1], groups[1]), np.nan)
    for index, group in enumerate(right):
        both[..., group] = np.fmax(both[..., group], rows[..., index])
    return both


def largest(score: Array, null: Array, best: float = 1.0) -> dict[str, Array]:
    """Calibrate maxima over layers.

    Parameters
    ----------
    score
        Maxima ``(group, other group)``, as :func:`over_groups` gives them.
    null
        Maxima with the items of one group shuffled, ``(draw, group, other group)``.
    best
        Score of a representation with itself (the sign of a distance turned, as above).

    Returns
    -------
    dict
        Arrays ``(group, other group)``: ``score``, ``chance`` and ``spread`` of the maximum, ``calibrated``, and ``p``,
        by rank whatever the number of draws, for a maximum is not normal.
    """
    chance, p = drawn(score, null, by_rank=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        calibrated = (score - chance.mean) / (best - chance.mean)
    return {"score": score, "chance": chance.mean, "spread": chance.spread, "calibrated": calibrated, "p": p}


def sidak(p: Array, tests: Array | int) -> Array:
    """Give the p-value of the least of several (Šidák 1967): ``1 − (1 − p)^tests``.

    Exact for independent tests, and too large (safe) where they depend positively, as layers of one network do.

    Examples
    --------
    >>> sidak(np.array([0.01]), 5).round(4)
    array([0.049])
    """
    with np.errstate(divide="ignore"):
        return np.asarray(-np.expm1(tests * np.log1p(-p)))
