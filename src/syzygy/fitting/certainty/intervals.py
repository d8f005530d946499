"""How sure a fitted rate is, when deviations from the theory are correlated in time.

A trajectory recorded at 6,000 steps is not 6,000 independent observations: what the theory misses, it misses
for hundreds of steps.  The variance of each curve's deviations is multiplied by their integrated
autocorrelation time, and the degrees of freedom are divided by it.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from syzygy.fitting.least_squares import Residuals, jacobian

Array = NDArray[np.float64]

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A positive number with its 95% interval, symmetric in its logarithm.

    Attributes
    ----------
    value, low, high
        Arrays of one shape; NaN where there is no estimate.
    """

    value: Array
    low: Array
    high: Array

    @classmethod
    def of_log(cls, log: Array, variance: Array, freedom: Array) -> Self:
        """From an estimate of the logarithm, its variance and its degrees of freedom."""
        with np.errstate(over="ignore", invalid="ignore"):
            half = student.ppf(0.5 + LEVEL / 2, np.maximum(freedom, 1.0)) * np.sqrt(variance)
            return cls(np.exp(log), np.exp(log - half), np.exp(log + half))

    def reshape(self, shape: tuple[int, ...]) -> Self:
        """Give the same numbers in another shape."""
        return type(self)(self.value.reshape(shape), self.low.reshape(shape), self.high.reshape(shape))


def covariance(residuals: Residuals, theta: Array, there: NDArray[np.bool_], curves: int) -> tuple[Array, Array]:
    """Covariance of the parameters at a minimum, and the degrees of freedom behind it.

    Parameters
    ----------
    residuals
        As for the search; a problem's residuals are its curves, one after the other.
    theta
        Parameters at the minimum, ``(problem, parameter)``.
    there
        Which steps were recorded, ``(problem, step)``.
    curves
        Number of curves.

    Returns
    -------
    Array
        ``(problem, parameter, parameter)``, the :func:`sandwich` of :func:`moments`.
    Array
        Effective number of observations less parameters, ``(problem,)``.
    """
    bread, filling, effective = moments(residuals, theta, there, curves)
    return sandwich(bread, filling), effective - theta.shape[1]


def moments(residuals: Residuals, theta: Array, there: NDArray[np.bool_], curves: int) -> tuple[Array, Array, Array]:
    """Give what a covariance is made of: ``A = JJᵀ``, ``B = Σ_c τ_c s_c² J_cJ_cᵀ``, and the observations that count.

    Parameters are those of :func:`covariance`.

    Returns
    -------
    Array, Array
        ``A`` and ``B``, each ``(problem, parameter, parameter)``.
    Array
        Effective number of observations, ``(problem,)``: recorded steps over autocorrelation time, summed over the
        curves that depend on a parameter.
    """
    rows = np.arange(len(theta))
    split = (len(theta), curves, there.shape[1])
    deviations = residuals(theta, rows).reshape(split)
    slopes = jacobian(residuals, theta, rows).reshape(len(theta), theta.shape[1], *split[1:])
    count = there.sum(axis=1)
    time = autocorrelation_time(deviations, count)
    square = np.sum(deviations**2, axis=2) / np.maximum(count - theta.shape[1] / curves, 1)[:, None]
    bread = np.einsum("npct,nqct->npq", slopes, slopes)
    filling = np.einsum("nc,npct,nqct->npq", time * square, slopes, slopes)
    active = np.any(slopes != 0, axis=(1, 3))
    return bread, filling, np.sum(np.where(active, count[:, None] / time, 0.0), axis=1)


def sandwich(bread: Array, filling: Array) -> Array:
    """Give ``A⁻¹BA⁻¹``, infinite where the data do not tell the parameters apart."""
    # In units of each parameter's own curvature, so that "singular" does not depend on the units of a rate.
    unit, parameters = np.sqrt(np.einsum("npp->np", bread)), np.eye(bread.shape[-1])
    told_apart = (unit > 0).all(axis=1)
    told_apart &= np.linalg.cond(np.where(told_apart[:, None, None], bread / _outer(unit), parameters)) < 1e12
    safe = np.where(told_apart[:, None, None], bread, parameters)
    half = np.linalg.solve(safe, filling)
    found = np.linalg.solve(safe, half.transpose(0, 2, 1))
    return np.where(told_apart[:, None, None], found, np.inf)


def autocorrelation_time(deviations: Array, count: NDArray[np.integer]) -> Array:
    """Integrated autocorrelation time ``1 + 2Σρ_k``, summed up to the first ``ρ_k ≤ 0``, in recorded steps.

    Parameters
    ----------
    deviations
        ``(..., step)``; zero where nothing was recorded.
    count
        Steps recorded, broadcast against the leading axes but the last of them.

    Returns
    -------
    Array
        ``(...)``; at least 1, at most half of the steps.
    """
    length = deviations.shape[-1]
    spectrum = np.fft.rfft(deviations, 2 * length, axis=-1)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2, axis=-1)[..., :length]
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = np.nan_to_num(correlation / correlation[..., :1])
    positive = np.cumprod(correlation[..., 1:] > 0, axis=-1)
    time = 1 + 2 * np.sum(correlation[..., 1:] * positive, axis=-1)
    return np.asarray(np.clip(time, 1.0, np.maximum(count / 2, 1.0)[..., None]))


def _outer(unit: Array) -> Array:
    safe = np.where(unit > 0, unit, 1.0)
    return np.asarray(safe[:, :, None] * safe[:, None, :])
