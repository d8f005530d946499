"""Where the pair theory becomes a textbook curve: the logistic and the Bernoulli equation.

Special cases of :func:`syzygy.theory.pair.solve`, kept because they are what one draws on a blackboard:
each has one rate and one end.  Derived in ``docs/theory/pair.md``, section 4.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from syzygy.errors import SpecificationError
from syzygy.theory.pair import Array, PairTheory


def logistic(theory: PairTheory, h2: ArrayLike, steps: ArrayLike) -> Array:
    """Squared distance over time of an aligned pair with A_high = 0, the rich limit.

    ``A_low / (1 + (A_low/h2 − 1)·e^{−rt})`` with ``r = sqrt(eta_h·eta_y)·‖dx‖·‖dy*‖``.

    Parameters
    ----------
    theory
        Rates and distances, with ``dy2 > 0``.
    h2
        Squared distance at the start; positive.
    steps
        Times in steps, shape ``(step,)``.

    Returns
    -------
    Array
        Squared distances, shape ``(..., step)``.

    Examples
    --------
    >>> theory = PairTheory(eta_h=0.3, eta_y=0.6, dx2=1.0, dy2=0.5)
    >>> logistic(theory, 1e-3, [0, 20.7087, 1000]).round(4).tolist()
    [0.001, 0.25, 0.5]
    """
    start, low = _positive(h2), _disagreeing(theory).a_low[..., None]
    odds = low / start[..., None] - 1
    return np.asarray(low / (1 + odds * np.exp(-_logistic_rate(theory)[..., None] * np.asarray(steps))))


def universal(times: ArrayLike) -> Array:
    """Distance over its end, over time from the half-rise in units of 1/Omega: one for all pairs in the rich limit.

    ``1/(1 + e^{−t}) = (1 + tanh(t/2))/2``.  A pair that starts close to the saddle where nothing has been learned is
    on it, whatever its rates, its distances and its start (``docs/theory/pair.md``, section 4).

    Parameters
    ----------
    times
        ``relaxation_rate·(step − half-rise)``, any shape.

    Examples
    --------
    >>> universal([-2.0, 0.0, 2.0]).round(4).tolist()
    [0.1192, 0.5, 0.8808]
    """
    return np.asarray(expit(np.asarray(times, dtype=np.float64)))


def half_time(theory: PairTheory, h2: ArrayLike) -> Array:
    """Step at which :func:`logistic` reaches half of its end: ``ln(A_low/h2 − 1)/r``.

    For a fixed ``A_low/h2`` it is proportional to ``1/(‖dx‖·‖dy*‖)``.

    Raises
    ------
    SpecificationError
        Equal targets, or a start that is not below ``A_low``.

    Examples
    --------
    >>> round(float(half_time(PairTheory(0.3, 0.6, 1.0, 0.5), 1e-3)), 4)
    20.7087
    """
    start = _positive(h2)
    if np.any(start >= _disagreeing(theory).a_low):
        raise SpecificationError(f"a start of {start} is past the end, {theory.a_low}, so it has no time of half-rise")
    return np.asarray(np.log(theory.a_low / start - 1) / _logistic_rate(theory))


def agreeing(theory: PairTheory, h2: ArrayLike, y2: ArrayLike, steps: ArrayLike) -> Array:
    """Squared distance over time of a pair with equal targets, a Bernoulli equation.

    ``h2' = eta_y·h2·(A_high − h2)``: towards A_high if that is positive, else the two items merge, at the
    rate ``eta_y·|A_high|``, or as ``h2/(1 + eta_y·h2·t)`` where A_high is zero.

    Parameters
    ----------
    theory
        Rates and distances, with ``dy2 = 0``.
    h2, y2
        Squared distances of representations and outputs at the start; ``h2`` positive.
    steps
        Times in steps, shape ``(step,)``.

    Returns
    -------
    Array
        Squared distances, shape ``(..., step)``.

    Examples
    --------
    >>> agreeing(PairTheory(0.3, 0.6, 1.0, 0.0), 0.4, 0.0, [0, 1000]).round(4).tolist()
    [0.4, 0.4]
    """
    if np.any(theory.dy2 != 0):
        raise SpecificationError(f"an agreeing pair has dy2 = 0, got {theory.dy2}; use solve()")
    start = _positive(h2)
    high = (start - theory.kappa * np.asarray(y2, dtype=np.float64) / start)[..., None]
    rate, start = theory.eta_y[..., None], start[..., None]
    time = np.asarray(steps, dtype=np.float64)
    # h2(t) = h2 e^{gt}/(1 + h2·eta_y·∫e^{gτ}dτ), g = eta_y·A_high; both multiplied by e^{−gt} where g > 0.
    growth = rate * high
    with np.errstate(divide="ignore", invalid="ignore"):
        elapsed = np.where(growth == 0, time, -np.expm1(-np.abs(growth) * time) / np.abs(growth))
    fade = np.exp(-np.abs(growth) * time)
    growing = start / (fade + start * rate * elapsed)
    return np.asarray(np.where(growth > 0, growing, start * fade / (1 + start * rate * elapsed)))


def _logistic_rate(theory: PairTheory) -> Array:
    return np.sqrt(theory.eta_h * theory.eta_y * theory.dx2 * theory.dy2)


def _disagreeing(theory: PairTheory) -> PairTheory:
    if np.any(theory.dy2 == 0):
        raise SpecificationError("the logistic needs different targets, dy2 > 0; see agreeing()")
    return theory


def _positive(h2: ArrayLike) -> Array:
    start = np.asarray(h2, dtype=np.float64)
    if not np.all((start > 0) & np.isfinite(start)):
        raise SpecificationError(f"the squared distance at the start must be positive, got {start}")
    return start
