"""Rates of other equations: the same curves and the same search for every right-hand side.

The equations of :mod:`syzygy.theory.alternatives` have no closed form, so each evaluation is an integration, and
problems are solved one by one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from syzygy.fitting.pairs import PairCurves
from syzygy.fitting.problems import CURVES, Problems, Rows, Scaling
from syzygy.fitting.starts import closed_form, valleys
from syzygy.theory import PairState, PairTheory
from syzygy.theory.alternatives import ALTERNATIVES, integrate

Array = NDArray[np.float64]

#: Shifts of the theory's rates that are tried as starts: of their ratio, and of both.
RATIOS, SPEEDS = np.log([0.1, 1 / 3, 1.0, 3.0, 10.0]), np.log([0.5, 1.0, 2.0])
#: So many of the best starts are searched from.
SEARCHED = 3
#: Relative step of the finite differences, well above the integrator's tolerance.
STEP = (1e-4, 1e-4)
#: Residual, in every step, of rates with which the equations run away.
LOST = 1e3


@dataclass(frozen=True)
class AlternativeFit:
    """A right-hand side fitted to curves.  Every array is ``(network, pair)``.

    Attributes
    ----------
    name
        Of the right-hand side, in :data:`syzygy.theory.alternatives.ALTERNATIVES`.
    curves
        What was fitted.
    eta_h, eta_y
        Rates per step; NaN where there is no fit.
    objective
        The sum of squares that was minimised.
    """

    name: str
    curves: PairCurves
    eta_h: Array
    eta_y: Array
    objective: Array

    def predict(self, steps: Array) -> dict[str, Array]:
        """Follow the equations with the fitted rates from the measured start, ``(network, pair, step)`` by curve.

        Parameters
        ----------
        steps
            Rising, and none before the first of the fitted curves.
        """
        shape = self.objective.shape
        values = {name: np.full((*shape, len(steps)), np.nan) for name in CURVES}
        from_start = np.concatenate([[0.0], steps - self.curves.steps[0]])
        start = self.curves.initial
        for where in np.argwhere(np.isfinite(self.objective)):
            at = tuple(where)
            theory = PairTheory(self.eta_h[at], self.eta_y[at], self.curves.dx2[at[1]], self.curves.dy2[at[1]])
            initial = PairState(start.h2[at], start.y2[at], start.w[at])
            state = integrate(ALTERNATIVES[self.name], theory, initial, from_start)
            for name in CURVES:
                values[name][at] = getattr(state, name)[1:]
        return values


def fit_alternative(curves: PairCurves, name: str, *, scaling: Scaling = "curve") -> AlternativeFit:
    """Fit two rates of a right-hand side to every pair of every network, from several starts.

    Starts are the theory's rates, found in closed form, and a grid around them; the theory itself is fitted in the
    same way, so that all have the same chance.

    Parameters
    ----------
    curves
        What was measured.
    name
        In :data:`syzygy.theory.alternatives.ALTERNATIVES`.
    scaling
        As in :func:`syzygy.fitting.fit_pairs`.

    Returns
    -------
    AlternativeFit
        NaN for pairs that start from one representation, do not move, or run away from every start.

    Examples
    --------
    >>> from syzygy.fitting import pair_curves
    >>> from syzygy.recording import every
    >>> from syzygy.tasks import two_points
    >>> from syzygy.training import train
    >>> curves = pair_curves(train(two_points(), "two_layer", steps=400, learning_rate=0.05, record=every(10)))
    >>> bool(fit_alternative(curves, "theory").objective < fit_alternative(curves, "y2_doubled").objective)
    True
    """
    problems, shape = Problems(curves, scaling), curves.h2.shape[:2]
    theta, objective = np.full((shape[0] * shape[1], 2), np.nan), np.full(shape[0] * shape[1], np.nan)
    for problem, starts in zip(problems.usable, _starts(problems), strict=True):
        theta[problem], objective[problem] = _search(_Residuals(problems, problem, name), starts)
    eta_h, eta_y = np.exp(theta).T.reshape(2, *shape)
    return AlternativeFit(name, curves, eta_h, eta_y, objective.reshape(shape))


class _Residuals:
    """Weighted deviations of one problem from a right-hand side, over log rates."""

    def __init__(self, problems: Problems, problem: int, name: str):
        there = problems.there[problem]
        self._side, self._steps = ALTERNATIVES[name], problems.times[there]
        self._measured = problems.measured[problem][:, there]
        self._weight = problems.weight[problem][:, None]
        self._start = PairState(*self._measured[:, 0])
        self._distances = float(problems.dx2[problem]), float(problems.dy2[problem])

    def __call__(self, theta: Array) -> Array:
        eta_h, eta_y = np.exp(np.clip(theta, -100.0, 100.0))
        state = integrate(self._side, PairTheory(eta_h, eta_y, *self._distances), self._start, self._steps)
        found = self._weight * (np.stack([state.h2, state.y2, state.w]) - self._measured)
        lost = LOST * self._weight * np.ones_like(found)
        return np.ravel(np.where(np.abs(found) < lost, found, lost))  # NaN is not below anything

    def cost(self, theta: Array) -> float:
        return float(np.sum(self(theta) ** 2))


def _starts(problems: Problems) -> Array:
    """Log rates to begin with, ``(problem, start, 2)``: the theory's, and a grid around them."""
    chosen: Rows = problems.usable
    if not len(chosen):
        return np.empty((0, 0, 2))
    near = valleys(problems, chosen)
    near = np.where(np.isfinite(near), near, closed_form(problems, chosen))
    ratio, speed = np.meshgrid(RATIOS, SPEEDS, indexing="ij")
    shifts = np.stack([speed + ratio / 2, speed - ratio / 2], axis=-1).reshape(-1, 2)
    return np.asarray(near[:, None] + shifts)


def _search(residuals: _Residuals, starts: Array) -> tuple[Array, float]:
    """Search from the best few starts, and keep the lowest; NaN if there is none."""
    finite = starts[np.isfinite(starts).all(axis=1)]
    best, lowest = np.full(2, np.nan), np.nan
    for start in sorted(finite, key=residuals.cost)[:SEARCHED]:
        found = least_squares(residuals, start, method="lm", diff_step=STEP, ftol=1e-9, xtol=1e-6, max_nfev=300)
        if not 2 * found.cost >= lowest:
            best, lowest = found.x, 2 * found.cost
    return best, lowest
