"""What is left over, as a random process: deviations from the theory that can be drawn again.

Each curve's deviations follow an autoregression, ``x_t = Σ_k φ_k x_{t−k} + e_t``, whose innovations ``e`` are normal
and correlated between the curves.  Time is counted in recorded steps, as for the autocorrelation time of intervals.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Longest memory that is tried, in recorded steps; and at least so many steps per constant.
ORDER, STEPS_PER_CONSTANT = 8, 10


@dataclass(frozen=True)
class Noise:
    """Autoregressions, one per problem and curve.

    Attributes
    ----------
    partial
        Partial correlations at lags 1, 2, …, ``(problem, curve, lag)``; zero beyond the order of each curve.
    deviation
        Root mean square, ``(problem, curve)``.
    shared
        Correlation of the innovations of the curves, ``(problem, curve, curve)``.
    steps
        How many it was fitted to, ``(problem, curve)``.
    """

    partial: Array
    deviation: Array
    shared: Array
    steps: NDArray[np.intp]

    @property
    def coefficients(self) -> Array:
        """``φ``, ``(problem, curve, lag)``, by Levinson's recursion from the partial correlations."""
        found = np.zeros_like(self.partial)
        for lag in range(found.shape[-1]):
            one = self.partial[..., lag : lag + 1]
            found[..., :lag] -= one * found[..., :lag][..., ::-1]
            found[..., lag] = one[..., 0]
        return found

    def draw(self, steps: int, count: int, generator: np.random.Generator, problem: int) -> Array:
        """Draw the noise of one problem ``count`` times, ``(count, curve, step)``."""
        # As long again before it, in which the beginning is forgotten.
        values = generator.standard_normal((count, 2 * steps, self.deviation.shape[1]))
        values = values @ np.linalg.cholesky(self.shared[problem]).T
        size = (self.deviation * np.sqrt(np.prod(1 - self.partial**2, axis=-1)))[problem]
        filters = np.concatenate([np.ones((len(size), 1)), -self.coefficients[problem]], axis=1)
        drawn = [lfilter([size[i]], filters[i], values[..., i], axis=-1)[:, steps:] for i in range(len(size))]
        return np.stack(drawn, axis=1)

    def calibrated(self, found: "Noise") -> "Noise":
        """Give noise changed by as much as what was found in replicates of it falls short of it.

        Parameters
        ----------
        found
            In the refitted replicates, all problems of the first, of the second, …: ``(replicate × problem, …)``.
        """
        partial = np.arctanh(found.partial).reshape(-1, *self.partial.shape).mean(axis=0)
        square = np.mean(found.deviation.reshape(-1, *self.deviation.shape) ** 2, axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            deviation = np.where(square > 0, self.deviation**2 / np.sqrt(square), 0.0)
        moved = _stationary(np.tanh(2 * np.arctanh(self.partial) - partial), self.steps)
        return Noise(np.where(self.partial != 0, moved, 0.0), deviation, self.shared, self.steps)


def fit_noise(deviations: Array, there: Bools, order: NDArray[np.intp] | None = None) -> Noise:
    """Fit autoregressions by Burg's method, about zero.

    Burg's forward and backward errors need no windows, so a memory of many steps shows in short series too, and every
    process that it gives is stationary.

    Parameters
    ----------
    deviations
        ``(problem, curve, step)``.
    there
        Where there are any, ``(problem, step)``.
    order
        How many lags, ``(problem, curve)``; by default as many as Schwarz's criterion asks for, up to 8.

    Examples
    --------
    >>> series = lfilter([1], [1, -0.8], np.random.default_rng(0).standard_normal((1, 1, 4000)))
    >>> fit_noise(series, np.ones((1, 4000), dtype=bool)).coefficients.round(2)[..., :2].tolist()
    [[[0.8, 0.0]]]
    """
    present = np.broadcast_to(there[:, None], deviations.shape)
    forward = backward = np.where(present, deviations, 0.0)
    counted = np.maximum(present.sum(axis=-1), 1)
    deviation = np.sqrt(np.sum(forward**2, axis=-1) / counted)
    longest = int(max(1, min(ORDER, (there.shape[-1] - 1) // STEPS_PER_CONSTANT)))
    partial, kept, errors = np.zeros((*deviation.shape, longest)), present, [np.ones_like(deviation)]
    for lag in range(longest):
        forward, backward, kept = forward[..., 1:], backward[..., :-1], present[..., lag + 1 :] & kept[..., :-1]
        both = np.sum(np.where(kept, forward**2 + backward**2, 0.0), axis=-1)
        product = np.sum(np.where(kept, forward * backward, 0.0), axis=-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            one = _stationary(np.where(both > 0, 2 * product / both, 0.0), counted)
        partial[..., lag] = one
        errors.append(errors[-1] * (1 - one**2))
        forward, backward = forward - one[..., None] * backward, backward - one[..., None] * forward
    if order is None:
        penalty = np.arange(longest + 1) * np.log(counted)[..., None]
        order = np.argmin(counted[..., None] * np.log(np.stack(errors, axis=-1)) + penalty, axis=-1)
    partial = np.where(np.arange(longest) < order[..., None], partial, 0.0)
    return Noise(partial, deviation, _shared(np.where(present, deviations, 0.0), present, partial), counted)


def _shared(deviations: Array, present: Bools, partial: Array) -> Array:
    """Correlation of what is left of the curves once each has been predicted from its own past."""
    noise = Noise(partial, np.ones(partial.shape[:2]), np.empty(0), np.empty(0, dtype=np.intp))
    left, known = deviations.copy(), present.copy()
    for lag, coefficient in enumerate(np.moveaxis(noise.coefficients, -1, 0), start=1):
        left[..., lag:] -= coefficient[..., None] * deviations[..., :-lag]
        known[..., lag:] &= present[..., :-lag]
        known[..., :lag] = False
    left = np.where(known, left, 0.0)
    product = np.einsum("pcs,pds->pcd", left, left)
    unit = np.sqrt(np.einsum("pcc->pc", product))
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = product / (unit[:, :, None] * unit[:, None, :])
    identity = np.eye(partial.shape[1])
    # A little of the identity keeps curves that are one another's copies positive definite.
    return np.asarray((1 - 1e-9) * np.where(np.isfinite(correlation), correlation, identity) + 1e-9 * identity)


def _stationary(partial: Array, steps: NDArray[np.intp]) -> Array:
    """Keep partial correlations from ±1, where a process never forgets: by one over the steps that were seen."""
    bound = (1 - 1 / np.maximum(steps, 2)).reshape(*steps.shape, *(1,) * (partial.ndim - steps.ndim))
    return np.asarray(np.clip(partial, -bound, bound))
