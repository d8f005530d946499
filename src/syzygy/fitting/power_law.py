"""Exponents: a power law fitted to points of a grid, and how far a power law with given exponents is off."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

#: Resamples of the bootstrap.
RESAMPLES = 2000


@dataclass(frozen=True)
class PowerLaw:
    """``constant · Π factor^exponent``, by least squares of logarithms.

    Attributes
    ----------
    constant
        Its constant.
    exponents, low, high
        One per factor, with 95% intervals from resampling points, ``(factor,)``; NaN where the points cannot tell.
    points
        How many it was fitted to.
    """

    constant: float
    exponents: Array
    low: Array
    high: Array
    points: int


def power_law(factors: ArrayLike, values: ArrayLike, seed: int = 0) -> PowerLaw:
    """Fit the exponents of a power law.

    Parameters
    ----------
    factors
        ``(point, factor)``.
    values
        ``(point,)``.  Points with a factor or a value that is not positive and finite are left out: a power law has
        nothing to say of them.
    seed
        Of the bootstrap.  Whole points are drawn, so the intervals hold the scatter between networks and whatever is no
        power law.

    Examples
    --------
    >>> law = power_law([[1, 1], [2, 1], [1, 3], [2, 3]], [5, 10, 45, 90])
    >>> law.exponents.round(9).tolist(), round(law.constant, 9)
    ([1.0, 2.0], 5.0)
    """
    base, measured = np.atleast_2d(np.asarray(factors, dtype=np.float64)), np.asarray(values, dtype=np.float64)
    there = (np.isfinite(base) & (base > 0)).all(axis=1) & np.isfinite(measured) & (measured > 0)
    design = np.concatenate([np.ones((there.sum(), 1)), np.log(base[there])], axis=1)
    log, (points, unknown) = np.log(measured[there]), design.shape
    if points < unknown or np.linalg.matrix_rank(design) < unknown:
        nothing = np.full(unknown - 1, np.nan)
        return PowerLaw(np.nan, nothing, nothing, nothing, points)
    drawn = np.random.default_rng(seed).integers(0, points, (RESAMPLES, points))
    # Resamples that cannot tell all exponents apart (the same column twice) are left out.
    drawn = drawn[np.linalg.matrix_rank(design[drawn]) == unknown]
    slopes = (np.linalg.pinv(design[drawn]) @ log[drawn][..., None])[:, 1:, 0]
    found = np.linalg.lstsq(design, log)[0]
    low, high = np.quantile(slopes, (0.025, 0.975), axis=0)
    return PowerLaw(float(np.exp(found[0])), found[1:], low, high, points)


def law_error(law: ArrayLike, values: ArrayLike) -> float:
    """Give the mean relative error of a law that lacks its constant, with the constant that suits it best.

    That constant is the geometric mean of ``values/law``; points where either is not positive and finite are left out.

    Examples
    --------
    >>> law_error([1.0, 2.0, 0.0], [3.0, 6.0, 1.0])
    0.0
    >>> round(law_error([1.0, 1.0], [1.0, 4.0]), 3)
    0.75
    """
    shape, measured = np.asarray(law, dtype=np.float64), np.asarray(values, dtype=np.float64)
    there = np.isfinite(shape) & (shape > 0) & np.isfinite(measured) & (measured > 0)
    if there.sum() < 2:  # one point fits any law
        return float("nan")
    log = np.log(measured[there] / shape[there])
    return float(np.abs(np.exp(log.mean() - log) - 1).mean())
