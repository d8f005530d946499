"""How much a model is worth whose constants were fitted: Akaike's and Schwarz's criteria, for correlated deviations.

Deviations of curve ``c`` are taken as normal, with a variance of their own.  They are correlated in time, so of ``n_c``
recorded steps only ``n_c/T_c`` count, with the integrated autocorrelation time ``T_c``; it is a property of the data,
and the same for all models.  Up to a constant, minus twice the logarithm of the likelihood at its maximum is

    ``D = Σ_c (n_c/T_c)·ln(SSE_c/n_c)``

Derived in ``docs/theory/rivals.md``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

#: Deviations below this share of a curve's own standard deviation are rounding, and no evidence.
LEAST_DEVIATION = 1e-6
#: Scores that differ by less, relative to one and to themselves, are equal.
TIE = 1e-6


@dataclass(frozen=True)
class Criterion:
    """Information criteria; lower is better.  Arrays are ``(..., model)``.

    Attributes
    ----------
    deviance
        Minus twice the logarithm of the likelihood, up to a constant; NaN where there is no fit.
    parameters
        Constants and variances of each model, ``(..., model)``.
    observations
        Effective number of observations, ``(...)``.
    """

    deviance: Array
    parameters: Array
    observations: Array

    @property
    def aic(self) -> Array:
        """Akaike's: ``D + 2k``."""
        return self.deviance + 2 * self.parameters

    @property
    def aicc(self) -> Array:
        """Akaike's for small samples: ``D + 2k + 2k(k + 1)/(N − k − 1)``; infinite where N is too small."""
        k, left = self.parameters, self.observations[..., None] - self.parameters - 1
        with np.errstate(divide="ignore"):
            return np.where(
                np.isnan(self.deviance), np.nan, self.aic + np.where(left > 0, 2 * k * (k + 1) / left, np.inf)
            )

    @property
    def bic(self) -> Array:
        """Schwarz's: ``D + k·ln N``."""
        number = np.where(self.observations > 0, self.observations, np.nan)
        return self.deviance + self.parameters * np.log(number)[..., None]

    @property
    def weight(self) -> Array:
        """Akaike weights, ``e^{−Δ/2}`` over their sum, of :attr:`aicc`; zero without a fit, NaN without any."""
        behind = above_best(self.aicc)
        share = np.where(np.isnan(behind), 0.0, np.exp(-0.5 * behind))
        with np.errstate(invalid="ignore"):
            return np.asarray(share / share.sum(axis=-1, keepdims=True))


def criterion(sse: ArrayLike, count: ArrayLike, time: ArrayLike, unit: ArrayLike, constants: ArrayLike) -> Criterion:
    """Weigh fits of several models to the same curves.

    Parameters
    ----------
    sse
        Sum of squared deviations, ``(..., model, curve)``; NaN without a fit.
    count
        Recorded steps, ``(..., curve)``.
    time
        Integrated autocorrelation time in recorded steps, ``(..., curve)``.
    unit
        Standard deviation of each curve, ``(..., curve)``; curves that do not move, 0, do not count.
    constants
        Fitted constants of each model, without variances, ``(model,)``.

    Examples
    --------
    Two models of one curve, 100 independent observations; the second has a constant more:

    >>> found = criterion([[2.0], [1.9]], [100], [1.0], [1.0], [2, 3])
    >>> (found.aic - found.aic.min()).round(2).tolist()
    [3.13, 0.0]
    """
    left, number, memory, scale = (np.asarray(value, dtype=np.float64) for value in (sse, count, time, unit))
    moves = scale > 0
    effective = np.where(moves, number / memory, 0.0)
    least = (LEAST_DEVIATION * np.where(moves, scale, 1.0)) ** 2
    variance = np.maximum(left / np.maximum(number, 1)[..., None, :], least[..., None, :])
    terms = np.where(moves[..., None, :], effective[..., None, :] * np.log(variance), 0.0)
    parameters = np.asarray(constants, dtype=np.float64) + moves.sum(axis=-1)[..., None]
    deviance = np.where(np.isnan(left).any(axis=-1), np.nan, terms.sum(axis=-1))
    return Criterion(deviance, np.broadcast_to(parameters, left.shape[:-1]), effective.sum(axis=-1))


def above_best(score: Array) -> Array:
    """Give how far a score lies above the lowest of the models, ``(..., model)``; NaN where none is finite."""
    finite = np.where(np.isfinite(score), score, np.inf)
    best = finite.min(axis=-1, keepdims=True, initial=np.inf)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(np.isfinite(best), score - best, np.nan))


def ranked(score: Array, tie: float = TIE) -> NDArray[np.intp]:
    """Rank models by a score, 0 the best, ``(..., model)``; NaN comes last, and of equals the first wins.

    Examples
    --------
    >>> ranked(np.array([np.nan, 2.0, 1.0, 1.0, np.inf])).tolist()
    [4, 2, 0, 1, 3]
    """
    best = np.where(np.isnan(score), np.inf, score).min(axis=-1, keepdims=True, initial=np.inf)
    with np.errstate(invalid="ignore"):
        even = np.where(score <= best + tie * (1 + np.abs(best)), best, score)
    order = np.argsort(even, axis=-1, kind="stable")
    return np.argsort(order, axis=-1, kind="stable")
