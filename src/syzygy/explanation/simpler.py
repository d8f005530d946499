"""Curves without theory that forecast as well as they can: what the theory has to beat.

Each sees the first part of one curve, and says how it goes on.  The theory has two constants for all three curves of a
pair; a line, an exponential and a logistic have two for each curve.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from syzygy.fitting.baseline import fit_logistic
from syzygy.fitting.least_squares import levenberg_marquardt
from syzygy.fitting.score import last_finite

Array = NDArray[np.float64]

#: Rates that are tried for an exponential, in units of one over the length of what it sees: from a line to a jump.
TRIED: Final = np.geomspace(1e-3, 1e3, 121)


def constant(steps: Array, seen: Array, later: Array) -> Array:
    """Go on where the curve was last seen, ``(curve, later step)``.

    Examples
    --------
    >>> constant(np.arange(3.0), np.array([[0.0, 1.0, 3.0]]), np.array([3.0, 4.0]))
    array([[3., 3.]])
    """
    del steps
    return np.repeat(last_finite(seen)[..., None], len(later), axis=-1)


def line(steps: Array, seen: Array, later: Array) -> Array:
    """Go on along the straight line of least squares, ``(curve, later step)``.

    Examples
    --------
    >>> line(np.arange(3.0), np.array([[0.0, 1.0, 2.0]]), np.array([3.0, 4.0])).round(9)
    array([[3., 4.]])
    """
    there = np.isfinite(seen)
    count, values = there.sum(axis=-1), np.where(there, seen, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        middle, level = (there @ steps) / count, values.sum(axis=-1) / count
        apart = np.where(there, steps - middle[..., None], 0.0)
        slope = np.sum(apart * values, axis=-1) / np.sum(apart**2, axis=-1)
    return np.asarray(level[..., None] + slope[..., None] * (later - middle[..., None]))


def exponential(steps: Array, seen: Array, later: Array) -> Array:
    """Go on towards a level, at a rate: ``q₀ + a·(1 − e^{−rate·t})`` through the first value, by least squares.

    For each rate the best ``a`` is known in closed form, so the search has one unknown.

    Examples
    --------
    >>> import math
    >>> times = np.arange(6.0)
    >>> ahead = exponential(times, 3 - 2 * np.exp(-times[None] / 2), np.array([10.0])).item()
    >>> round(ahead, 3), round(3 - 2 * math.exp(-5), 3)
    (2.987, 2.987)
    """
    times, length = steps - steps[0], steps[-1] - steps[0]
    there = np.isfinite(seen) & np.isfinite(seen[..., :1])
    moved = np.where(there, seen - np.where(there[..., :1], seen[..., :1], 0.0), 0.0)
    rates = TRIED / length
    shapes = -np.expm1(-rates[:, None] * times)  # (rate, step)
    with np.errstate(invalid="ignore", divide="ignore"):
        gained = (moved @ shapes.T) ** 2 / (there @ (shapes**2).T)
    log = np.log(rates[np.argmax(np.nan_to_num(gained), axis=-1)])

    def best(theta: Array, rows: NDArray[np.intp], at: Array) -> tuple[Array, Array]:
        rate = np.exp(np.clip(theta, np.log(rates[0]), np.log(rates[-1])))
        shape = -np.expm1(-rate * times) * there[rows]
        square = np.sum(shape**2, axis=-1)
        height = np.sum(shape * moved[rows], axis=-1) / np.where(square > 0, square, 1.0)
        return height[:, None] * -np.expm1(-rate * at), height[:, None] * shape - moved[rows]

    scale = np.sqrt(np.mean(moved**2, axis=-1))
    unit = np.where(scale > 0, scale, 1.0)[:, None]
    everything = np.arange(len(seen))
    found = levenberg_marquardt(lambda theta, rows: best(theta, rows, times)[1] / unit[rows], log[:, None])
    ahead = seen[:, :1] + best(found.theta, everything, later - steps[0])[0]
    return np.where(there.any(axis=-1, keepdims=True), ahead, np.nan)


def logistic(steps: Array, seen: Array, later: Array) -> Array:
    """Go on along the logistic of :func:`syzygy.fitting.baseline.fit_logistic`, ``(curve, later step)``."""
    return fit_logistic(steps, seen).predict(later)


#: Forecasts by name: from steps ``(step,)``, curves ``(curve, step)`` and later steps to ``(curve, later step)``.
SIMPLER: Final[Mapping[str, Callable[[Array, Array, Array], NDArray[Any]]]] = MappingProxyType(
    {"constant": constant, "line": line, "exponential": exponential, "logistic": logistic}
)
