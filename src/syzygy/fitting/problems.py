"""The curves of all pairs of all networks as one row of least-squares problems."""

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from syzygy.fitting.least_squares import Residuals
from syzygy.fitting.pairs import PairCurves
from syzygy.fitting.score import deviation
from syzygy.theory import PairState, PairTheory, solve

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

Scaling = Literal["curve", "none"]

CURVES: Final = ("h2", "y2", "w")

#: Fewer recorded steps than this cannot tell two rates from noise.
FEWEST_STEPS = 4


class Problems:
    """One problem per network and pair, in two parameters, ``log eta_h`` and ``log eta_y``.

    Parameters
    ----------
    curves
        What was measured.
    scaling
        Unit of each curve's residuals: its standard deviation, or one.

    Attributes
    ----------
    measured
        ``(problem, curve, step)``, zero where nothing was recorded.
    there
        Where something was, ``(problem, step)``.
    usable
        Problems that can be solved: those that start apart and move.
    """

    def __init__(self, curves: PairCurves, scaling: Scaling):
        networks = len(curves.h2)
        self.times = curves.steps - curves.steps[0]
        self.dx2, self.dy2 = np.tile(curves.dx2, networks), np.tile(curves.dy2, networks)
        flat = np.stack([getattr(curves, name).reshape(-1, len(self.times)) for name in CURVES], axis=1)
        self.there = np.isfinite(flat).all(axis=1)
        scale = deviation(np.where(self.there[:, None], flat, np.nan))
        self.measured = np.where(self.there[:, None], flat, 0.0)
        with np.errstate(divide="ignore"):
            self.weight = np.where(scale > 0, 1.0 if scaling == "none" else 1 / scale, 0.0)
        if scaling == "curve":  # the objective is then the sum of 1 − R² over curves
            self.weight /= np.sqrt(np.maximum(self.there.sum(axis=1), 1))[:, None]
        starts_apart = self.there[:, 0] & (self.measured[:, 0, 0] > 0) & (self.dx2 > 0)
        moves = (scale[:, :2] > 0).any(axis=1)
        self.usable: Rows = np.flatnonzero(starts_apart & moves & (self.there.sum(axis=1) >= FEWEST_STEPS))

    def initial(self, problems: Rows) -> PairState:
        """Give the measured starts."""
        return PairState(*self.measured[problems, :, 0].T)

    def theory(self, theta: Array, problems: Rows) -> PairTheory:
        """Give the theories with these log rates."""
        rates = np.exp(np.clip(theta, -300.0, 300.0))
        return PairTheory(rates[:, 0], rates[:, 1], self.dx2[problems], self.dy2[problems])

    def residuals(self, problems: Rows, steps: Rows | None = None) -> Residuals:
        """Weighted deviations, ``(problem, curve × step)``, of some problems at all or some of the steps."""
        at = np.arange(len(self.times)) if steps is None else steps
        times, there, measured = (
            self.times[at],
            self.there[problems][:, at],
            self.measured[problems][:, :, at],
        )
        weight = self.weight[problems] * np.sqrt(len(self.times) / len(at))

        def deviations(theta: Array, rows: Rows) -> Array:
            state = solve(self.theory(theta, problems[rows]), self.initial(problems[rows]), times).state
            predicted = np.stack([state.h2, state.y2, state.w], axis=1)
            left = np.where(there[rows][:, None], predicted - measured[rows], 0.0)
            return np.asarray((left * weight[rows][..., None]).reshape(len(rows), -1))

        return deviations
