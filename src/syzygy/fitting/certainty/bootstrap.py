"""Parametric bootstrap: curves that the fitted theory and its own deviations could have given, fitted again.

The spread of the rates of such replicates is an interval that needs no curvature.  The deviations are drawn with the
memory and the correlation between curves that was seen; because a fit takes some of both away, they are first
calibrated so that *refitted* replicates show what was seen (derived in ``docs/theory/identifiability.md``).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student

from syzygy.errors import SpecificationError
from syzygy.fitting.certainty.intervals import LEVEL, Interval, moments
from syzygy.fitting.certainty.noise import fit_noise
from syzygy.fitting.certainty.optimum import Optimum
from syzygy.fitting.fit import CHUNK, Fit
from syzygy.fitting.least_squares import levenberg_marquardt
from syzygy.fitting.pairs import PairCurves
from syzygy.fitting.problems import CURVES, Problems, Rows, Scaling
from syzygy.theory import solve

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Replicates that the noise is calibrated with.
PILOTS = 40
#: Steps of each search: it starts at the optimum, and rounding keeps some from ever standing still.
SEARCH = 12
#: Fewer replicates than this have no tails.
FEWEST = 20


@dataclass(frozen=True)
class Bootstrap:
    """How the rates of a fit would scatter if its deviations were drawn again.

    Attributes
    ----------
    eta_h, eta_y, ratio, product
        The rates, ``eta_h/eta_y`` and ``eta_h·eta_y``, with 95% percentile intervals, ``(network, pair)``.  They speak
        of the deviations of this trajectory, not of other seeds, and are a little short where it holds only a few
        independent stretches.  Replicates are searched from the fitted rates, so where a rate is not identified
        :func:`syzygy.fitting.profile_rates` is the one to ask.
    drawn_h, drawn_y
        Rates of the replicates, ``(replicate, network, pair)``.
    """

    eta_h: Interval
    eta_y: Interval
    ratio: Interval
    product: Interval
    drawn_h: Array
    drawn_y: Array


def bootstrap_rates(fit: Fit, *, replicates: int = 400, seed: int = 0, scaling: Scaling = "curve") -> Bootstrap:
    """Draw the deviations of a fit again, many times, and refit.

    Parameters
    ----------
    fit
        Of :func:`syzygy.fitting.fit_pairs`.
    replicates
        How many, 20 or more; tails of an interval need hundreds.
    seed
        Of the draws.  Those of a pair depend on it and on the places of network and pair, on nothing else.
    scaling
        The one that the fit was made with.

    Returns
    -------
    Bootstrap
        NaN for pairs that could not be fitted.

    Raises
    ------
    SpecificationError
        Too few replicates, a fit with another scaling, or rates from elsewhere.

    Examples
    --------
    >>> from syzygy.fitting import fit_pairs, pair_curves
    >>> from syzygy.tasks import two_points
    >>> from syzygy.training import train
    >>> fit = fit_pairs(pair_curves(train(two_points(), "two_layer", steps=1000)))
    >>> found = bootstrap_rates(fit, replicates=50)
    >>> found.drawn_h.shape, bool((found.eta_h.low < found.eta_h.high).all())
    ((50, 1, 1), True)
    """
    if replicates < FEWEST:
        raise SpecificationError(f"an interval needs {FEWEST} replicates or more, got {replicates}")
    optimum, shape = Optimum.of(fit, scaling), fit.fitted.shape
    drawn, freedom = np.full((replicates, fit.fitted.size, 2), np.nan), np.full(fit.fitted.size, np.nan)
    size = max(1, CHUNK // (replicates * len(fit.curves.steps)))
    for chunk in (np.arange(len(optimum.rows))[i : i + size] for i in range(0, len(optimum.rows), size)):
        rows = optimum.rows[chunk]
        again = _Replicates(fit, optimum, chunk, scaling, seed)
        again.calibrate()
        drawn[:, rows], freedom[rows] = again.rates(replicates), again.freedom
    log = np.log(np.stack([fit.eta_h.value.ravel(), fit.eta_y.value.ravel()], axis=1))
    both = np.array([[1.0, 0.0, 1.0, 1.0], [0.0, 1.0, -1.0, 1.0]])  # the rates, their ratio, their product
    share = norm.cdf(student.ppf(0.5 + LEVEL / 2, np.maximum(freedom, 1.0)))
    found, spread = log @ both, np.sort(drawn @ both, axis=0)
    intervals = []
    for quantity in range(4):
        ends = [_quantile(spread[..., quantity], at) for at in (1 - share, share)]
        intervals.append(Interval(*(np.exp(values).reshape(shape) for values in (found[:, quantity], *ends))))
    drawn_h, drawn_y = np.moveaxis(np.exp(drawn), -1, 0).reshape(2, replicates, *shape)
    return Bootstrap(intervals[0], intervals[1], intervals[2], intervals[3], drawn_h, drawn_y)


class _Replicates:
    """Some problems at their optimum, and the noise around it."""

    def __init__(self, fit: Fit, optimum: Optimum, chunk: Rows, scaling: Scaling, seed: int):
        problems, self._rows, self._theta = optimum.problems, optimum.rows[chunk], optimum.theta[chunk]
        self._problems, self._steps, self._scaling, self._seed = problems, fit.curves.steps, scaling, seed
        self._predicted, deviations, seen = _left(problems, self._rows, self._theta)
        self.noise = fit_noise(deviations, seen)
        there = problems.there[self._rows]
        *_, effective = moments(problems.residuals(self._rows), self._theta, there, len(CURVES))
        self.freedom = effective - 2

    def calibrate(self) -> None:
        """Change the noise until refitted replicates have the memory and the size that was seen; once is enough."""
        problems, theta = self._refitted(PILOTS, purpose=0)
        _, deviations, seen = _left(problems, np.arange(len(theta)), theta)
        order = np.tile(np.sum(self.noise.partial != 0, axis=-1), (PILOTS, 1))
        self.noise = self.noise.calibrated(fit_noise(deviations, seen, order))

    def rates(self, count: int) -> Array:
        """Give log rates of replicates, ``(count, problem, 2)``."""
        return self._refitted(count, purpose=1)[1].reshape(count, len(self._rows), 2)

    def _refitted(self, count: int, purpose: int) -> tuple[Problems, Array]:
        """Draw replicates and search again from the optimum: the problems, and their log rates."""
        there = self._problems.there[self._rows]
        noise = np.stack(
            [
                self.noise.draw(there.shape[1], count, np.random.default_rng([self._seed, purpose, row]), number)
                for number, row in enumerate(self._rows)
            ],
            axis=1,
        )
        noise[..., 0] = 0  # starts are taken as measured
        values = np.where(there[:, None], self._predicted + noise, np.nan)
        dx2, dy2 = (data[self._rows] for data in (self._problems.dx2, self._problems.dy2))
        names = tuple((str(row), "") for row in self._rows)
        h2, y2, w = np.moveaxis(values, 2, 0)
        curves = PairCurves(self._steps, h2, y2, w, np.full_like(h2, np.nan), dx2, dy2, names)
        problems = Problems(curves, self._scaling)
        everything = np.arange(count * len(self._rows))
        found = levenberg_marquardt(problems.residuals(everything), np.tile(self._theta, (count, 1)), SEARCH)
        return problems, found.theta


def _left(problems: Problems, rows: Rows, theta: Array) -> tuple[Array, Array, Bools]:
    """Predictions and deviations, ``(problem, curve, step)``, and where there are any; the start has none."""
    state = solve(problems.theory(theta, rows), problems.initial(rows), problems.times).state
    predicted, seen = np.stack([state.h2, state.y2, state.w], axis=1), problems.there[rows].copy()
    seen[:, 0] = False
    return predicted, np.where(seen[:, None], problems.measured[rows] - predicted, 0.0), seen


def _quantile(ordered: Array, share: Array) -> Array:
    """Give a quantile of each column, at a share of its own.

    One more number drawn likewise lies below the k-th of n with probability k/(n + 1).
    """
    place = np.clip(share * (len(ordered) + 1) - 1, 0, len(ordered) - 1)
    low = np.nan_to_num(np.floor(place)).astype(np.intp)
    high = np.minimum(low + 1, len(ordered) - 1)
    below, above = (np.take_along_axis(ordered, at[None], axis=0)[0] for at in (low, high))
    return np.asarray(below + (place - low) * (above - below))
