"""What curves without theory do: a logistic with as many constants, and the mean curve of the other pairs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from syzygy.fitting.elsewhere import apart
from syzygy.fitting.least_squares import Residuals, levenberg_marquardt
from syzygy.fitting.pairs import PairCurves
from syzygy.fitting.score import deviation

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Logistic:
    """``height/(1 + e^{−rate·(t − shift)})``, the shift such that it passes through ``start`` at step 0.

    Attributes
    ----------
    start, height, rate
        Of each curve, ``(...)``; rates per step.  NaN where there is no fit.
    origin
        The step of the start.
    """

    start: Array
    height: Array
    rate: Array
    origin: float

    def predict(self, steps: Array) -> Array:
        """Give the curves at some steps, ``(..., step)``."""
        return _logistic(self.start, self.height, self.rate, steps - self.origin)


def fit_logistic(steps: Array, measured: Array) -> Logistic:
    """Fit height and rate, two constants as the theory has, to positive curves.

    Parameters
    ----------
    steps
        ``(step,)``
    measured
        ``(..., step)``; its first values are taken as measured.
    """
    flat = measured.reshape(-1, len(steps))
    there, times, scale = np.isfinite(flat), steps - steps[0], deviation(flat)
    curve = np.where(there, flat, 0.0)
    usable = np.flatnonzero((curve[:, 0] > 0) & (scale > 0) & (there.sum(axis=1) >= 4))

    def deviations(theta: Array, rows: NDArray[np.intp]) -> Array:
        some = usable[rows]
        predicted = _logistic(curve[some, 0], *_constants(theta), times)
        return np.asarray(np.where(there[some], predicted - curve[some], 0.0) / scale[some, None])

    height, rate = np.full(len(flat), np.nan), np.full(len(flat), np.nan)
    if len(usable):
        theta = _best(deviations, curve[usable], times)
        height[usable], rate[usable] = np.exp(theta.T)
    shape = measured.shape[:-1]
    return Logistic(curve[:, 0].reshape(shape), height.reshape(shape), rate.reshape(shape), float(steps[0]))


def mean_of_other_pairs(curves: PairCurves) -> Array:
    """Give the mean ‖dh‖² of the pairs of the same network that share no item with each, ``(network, pair, step)``.

    Nothing of the pair itself enters, not even its start: what any prediction with rates of other pairs must beat.
    """
    others = apart(curves).astype(np.float64)
    there = np.isfinite(curves.h2)
    total = np.einsum("nps,pq->nqs", np.where(there, curves.h2, 0.0), others)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / np.einsum("nps,pq->nqs", there, others))


def _best(residuals: Residuals, curves: Array, times: Array) -> Array:
    """Search from several rates and heights, and keep the lowest."""
    best, lowest = np.zeros((len(curves), 2)), np.full(len(curves), np.inf)
    for turnover in (1.0, 4.0, 16.0, 64.0, 256.0):
        for overshoot in (0.5, 1.0, 2.0):
            height = overshoot * curves.max(axis=1)
            start = np.log(np.stack([height, np.full(len(curves), turnover / times[-1])], axis=1))
            found = levenberg_marquardt(residuals, start, iterations=60)
            better = found.cost < lowest
            best[better], lowest[better] = found.theta[better], found.cost[better]
    return best


def _constants(theta: Array) -> tuple[Array, Array]:
    height, rate = np.exp(np.clip(theta.T, -300, 300))
    return height, rate


def _logistic(start: Array, height: Array, rate: Array, times: Array) -> Array:
    start, height, rate = (value[..., None] for value in (start, height, rate))
    return np.asarray(height / (1 + (height / start - 1) * np.exp(-rate * times)))
