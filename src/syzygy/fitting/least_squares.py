"""Many small least-squares problems at once: Levenberg–Marquardt over a leading axis.

``scipy.optimize.least_squares`` solves one problem a call; a study has thousands of two constants each.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: From parameters ``(problem, parameter)`` of some problems, by number, to ``(problem, residual)``.
Residuals = Callable[[Array, NDArray[np.intp]], Array]

STEP = 1e-6  # of the finite differences; parameters are logarithms, of order one
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Minimum:
    """Where the searches ended.

    Attributes
    ----------
    theta
        Parameters, ``(problem, parameter)``.
    cost
        Sum of squared residuals there, ``(problem,)``.
    converged
        Whether the last step was below tolerance, ``(problem,)``.
    """

    theta: Array
    cost: Array
    converged: NDArray[np.bool_]


def levenberg_marquardt(
    residuals: Residuals, start: Array, iterations: int = 100, *, step_size: float = STEP, tolerance: float = TOLERANCE
) -> Minimum:
    """Minimise the sum of squares of every problem, each from its own start and with its own damping.

    Parameters
    ----------
    residuals
        Of some problems at some parameters.
    start
        Parameters to begin with, ``(problem, parameter)``.
    iterations
        At most so many steps.
    step_size
        Of the finite differences; residuals that are integrated need one well above their error.
    tolerance
        A search ends with a step below this, or with one that gains less than a thousandth of this share of the cost.
    """
    theta = np.array(start, dtype=np.float64)
    everything = np.arange(len(theta))
    current = residuals(theta, everything)
    cost = _cost(current)
    damping = np.full(len(theta), 1e-3)
    converged = np.zeros(len(theta), dtype=bool)
    going = np.isfinite(cost)
    for _ in range(iterations):
        rows = np.flatnonzero(going)
        if not len(rows):
            break
        slope = jacobian(residuals, theta[rows], rows, current[rows], step_size)
        normal = np.einsum("npr,nqr->npq", slope, slope)
        pull = np.einsum("npr,nr->np", slope, current[rows])
        diagonal = np.einsum("npp->np", normal)
        bound = damping[rows, None] * diagonal + 1e-12 * diagonal.max(axis=1, keepdims=True) + 1e-300
        step = -np.linalg.solve(normal + np.einsum("np,pq->npq", bound, np.eye(theta.shape[1])), pull[..., None])[
            ..., 0
        ]
        step = np.clip(step, -2.0, 2.0)  # at most a factor e² at a time
        trial = theta[rows] + step
        found = residuals(trial, rows)
        found_cost = _cost(found)
        better = found_cost < cost[rows]
        gain = cost[rows] - found_cost
        small = (np.abs(step).max(axis=1) < tolerance) | (better & (gain < 1e-3 * tolerance * cost[rows]))
        small |= found_cost < 1e-28
        taken = rows[better]
        theta[taken], current[taken], cost[taken] = trial[better], found[better], found_cost[better]
        damping[rows] = np.where(better, np.maximum(damping[rows] / 5, 1e-12), damping[rows] * 4)
        # No descent even along the gradient: a minimum to working precision.
        flat = ~better & (damping[rows] > 1e10)
        converged[rows[small | flat]] = True
        going[rows[small | flat]] = False
    return Minimum(theta, cost, converged)


def jacobian(
    residuals: Residuals, theta: Array, rows: NDArray[np.intp], at: Array | None = None, step_size: float = STEP
) -> Array:
    """Differentiate the residuals, ``(problem, parameter, residual)``; central if ``at`` is not given."""
    slopes = []
    for parameter in range(theta.shape[1]):
        shift = np.zeros(theta.shape[1])
        shift[parameter] = step_size
        if at is None:
            slopes.append((residuals(theta + shift, rows) - residuals(theta - shift, rows)) / (2 * step_size))
        else:
            slopes.append((residuals(theta + shift, rows) - at) / step_size)
    return np.stack(slopes, axis=1)


def _cost(residual: Array) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        cost = np.einsum("nr,nr->n", residual, residual)
    return np.where(np.isfinite(cost), cost, np.inf)
