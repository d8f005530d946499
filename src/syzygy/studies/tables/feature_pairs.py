"""Pairs of items that differ in one feature only, and what the two-point theory says of them."""

from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from syzygy.fitting import Fit
from syzygy.fitting.elsewhere import rates_by_network, rates_of_others
from syzygy.fitting.score import last_finite
from syzygy.studies.tables.features import side_of
from syzygy.trajectory import Trajectory

Array = NDArray[np.float64]

#: So many values of each feature, evenly spread, make pairs.
VALUES = 4


def pairs_of(trajectory: Trajectory) -> list[tuple[int, int]]:
    """Give pairs within a context that differ in one feature, over a coarse grid of both.

    Those that differ in the relevant feature have different targets, those that differ in the other the same.
    """
    side = side_of(trajectory)
    values = np.unique(np.linspace(0, side - 1, VALUES).round().astype(int)).tolist()
    items = np.arange(2 * side**2).reshape(2, side, side)
    lines = [line for which in items for grid in (which, which.T) for line in grid[np.ix_(values, values)]]
    return [(int(i), int(j)) for line in lines for i, j in combinations(line, 2)]


def ratios(fit: Fit) -> dict[str, Array]:
    """Compare pairs that differ in the irrelevant feature with those that differ in the relevant one.

    Parameters
    ----------
    fit
        Of :func:`pairs_of`, in one or more networks.

    Returns
    -------
    dict
        Mean ‖dh‖² of the first over that of the second, ``(network,)``: ``start`` and ``measured`` (at the end); and at
        the end as ``predicted`` with the rates of the other networks' relevant pairs, or ``in_sample`` with each
        pair's own.  NaN where there is none.
    """
    relevant = fit.curves.dy2 > 0
    distances = {
        "start": fit.curves.h2[..., 0],
        "measured": last_finite(fit.curves.h2),
        "predicted": with_rates_of_others(fit, relevant).final_h2,
        "in_sample": fit.final_h2,
    }
    return {name: _mean(h2[:, ~relevant]) / _mean(h2[:, relevant]) for name, h2 in distances.items()}


def with_rates_of_others(fit: Fit, chosen: NDArray[np.bool_]) -> Fit:
    """Predict every pair of every network with one pair of rates, the geometric mean of other networks' chosen pairs.

    Parameters
    ----------
    chosen
        Pairs whose identified rates count, ``(pair,)``.
    """
    some = replace(fit, identified=fit.identified & chosen)
    return fit.with_rates(*rates_of_others(rates_by_network(some))[..., None])


def _mean(h2: Array) -> Array:
    """Average over the pairs that have a value; NaN if none has, or if it is zero."""
    mean = np.ma.masked_invalid(h2).mean(axis=1)
    return np.asarray(np.ma.filled(mean, np.nan))
