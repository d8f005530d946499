"""Whether the curves of many networks are one curve, each in its own units of time and distance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from syzygy.fitting.score import Array


def half_rise(steps: Array, curves: Array, end: Array) -> Array:
    """Give the step at which each curve first reaches half of its end from below.

    Parameters
    ----------
    steps
        Rising, ``(step,)``.
    curves, end
        ``(..., step)`` and ``(...)``.

    Returns
    -------
    Array
        ``(...)``, between recorded steps by a straight line; NaN for a curve that does not start below half of its
        end, or does not get there.

    Examples
    --------
    >>> half_rise(np.array([0.0, 10.0, 20.0]), np.array([[0.0, 0.4, 0.8], [0.9, 1.0, 1.0]]), np.array([1.0, 1.0]))
    array([12.5,  nan])
    """
    half = 0.5 * np.asarray(end, dtype=np.float64)[..., None]
    with np.errstate(invalid="ignore"):
        below, above = curves[..., :-1] < half, curves[..., 1:] >= half
    crossing = below & above
    first = np.argmax(crossing, axis=-1)[..., None]
    low, high = (np.take_along_axis(curves, first + after, axis=-1)[..., 0] for after in (0, 1))
    first = first[..., 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        step = steps[first] + (half[..., 0] - low) / (high - low) * (steps[first + 1] - steps[first])
        rises = crossing.any(axis=-1) & (curves[..., 0] < half[..., 0])
    return np.where(rises, step, np.nan)


def rescaled(steps: Array, curves: Array, origin: Array, rate: Array, unit: Array, grid: Array) -> Array:
    """Give ``curve(origin + grid/rate)/unit``: each curve in time and distance of its own.

    Parameters
    ----------
    steps
        Rising, ``(step,)``.
    curves
        ``(curve, step)``.
    origin, rate, unit
        Of each curve, ``(curve,)``: the step that becomes 0, what one step becomes, and what becomes 1.
    grid
        Times, ``(time,)``.

    Returns
    -------
    Array
        ``(curve, time)``; NaN where a curve was not seen, or lacks one of the three.
    """
    found = np.full((len(curves), len(grid)), np.nan)
    for row in np.flatnonzero(np.isfinite(origin + rate + unit)):
        found[row] = (
            np.interp(origin[row] + grid / rate[row], steps, curves[row], left=np.nan, right=np.nan) / unit[row]
        )
    return found


@dataclass(frozen=True)
class Spread:
    """How far curves are from being one.

    Attributes
    ----------
    deviation
        Root mean square of their distances from their mean curve, in their own unit.
    share
        The same in units of the standard deviation of all their values: it has no unit, and is 0 for one curve and
        about 1 for curves that have nothing in common.
    curves
        How many there are.
    """

    deviation: float
    share: float
    curves: int


def spread(curves: Array) -> Spread:
    """Measure how far curves are from their mean curve.

    Parameters
    ----------
    curves
        ``(curve, time)``; NaN where a curve was not seen.  Times at which fewer than two were seen are left out.

    Returns
    -------
    Spread
        NaN for fewer than two curves.

    Examples
    --------
    >>> rise = np.linspace(0.0, 1.0, 5)
    >>> spread(np.array([rise, rise])).share, spread(np.array([rise, 1 - rise])).share
    (0.0, 1.0)
    """
    there: NDArray[np.bool_] = np.isfinite(curves)
    kept = there[:, there.sum(axis=0) >= 2]
    values = curves[:, there.sum(axis=0) >= 2]
    count = int(there.any(axis=1).sum())
    if not kept.any():
        return Spread(np.nan, np.nan, count)
    mean = np.nanmean(values, axis=0)
    deviation = float(np.sqrt(np.mean((values - mean)[kept] ** 2)))
    total = float(np.std(values[kept]))
    return Spread(deviation, deviation / total if total > 0 else np.nan, count)
