"""The effective learning rates of pairs, and how well the theory with them describes what was seen.

Two constants, ``eta_h`` and ``eta_y``, are fitted to three curves; a third, ``eta_y_mean``, to the error of
the mean output.  Initial values are taken as measured.  The theory is evaluated in closed form, so thousands of
pairs are fitted together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from syzygy.errors import SpecificationError
from syzygy.fitting.certainty.intervals import Interval, covariance
from syzygy.fitting.least_squares import Residuals, levenberg_marquardt
from syzygy.fitting.pairs import PairCurves
from syzygy.fitting.problems import CURVES, Problems, Scaling
from syzygy.fitting.score import deviation, last_finite, r_squared
from syzygy.fitting.starts import valleys
from syzygy.theory import PairState, PairTheory, solve

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: A rate counts as identified if its interval spans less than this factor either way.
IDENTIFIED_FACTOR = 2.0

#: So many numbers of one array are worked on at a time, to bound memory and stay near the processor.
CHUNK = 400_000


@dataclass(frozen=True)
class Fit:
    """Theory × curves: the fitted rates, and what they explain.  Every array is ``(network, pair)``.

    Attributes
    ----------
    curves
        What was fitted.
    eta_h, eta_y, eta_y_mean
        Effective learning rates per step, with 95% intervals; NaN where a pair could not be fitted.  The
        intervals speak of deviations of this trajectory from the theory (their correlation in time is
        taken into account), not of other seeds.
    r2
        Share of variance explained, by curve: ``h2``, ``y2``, ``w`` and ``mean_error``; NaN for a curve
        that does not vary.
    objective
        The sum of squares that was minimised.
    converged
        Whether the search ended in a minimum.
    identified
        Whether the data pin both rates down to within a factor of two.
    """

    curves: PairCurves
    eta_h: Interval
    eta_y: Interval
    eta_y_mean: Interval
    r2: dict[str, Array]
    objective: Array
    converged: Bools
    identified: Bools

    @property
    def fitted(self) -> Bools:
        """Where there are rates."""
        return np.isfinite(self.eta_h.value)

    def predict(self, curves: PairCurves | None = None) -> PairCurves:
        """Follow the theory with the fitted rates.

        Parameters
        ----------
        curves
            Whose steps and pairs to predict, each from the start of the *fitted* curves; by default these.

        Returns
        -------
        PairCurves
            NaN for pairs that could not be fitted.
        """
        steps = (curves or self.curves).steps
        times = steps - self.curves.steps[0]
        values = {name: np.full((*self.fitted.shape, len(steps)), np.nan) for name in CURVES}
        if self.fitted.any():
            theory, start = self._theory()
            state = solve(theory, start, times).state
            for name in CURVES:
                values[name][self.fitted] = getattr(state, name)
        mean = self.curves.mean_error[..., :1] * np.exp(-2 * self.eta_y_mean.value[..., None] * times)
        fixed = {"dx2": self.curves.dx2, "dy2": self.curves.dy2, "pairs": self.curves.pairs}
        return PairCurves(steps=steps, **values, mean_error=mean, **fixed)  # type: ignore[arg-type]

    def with_rates(self, eta_h: Array, eta_y: Array) -> "Fit":
        """Give the same curves with rates from elsewhere: every prediction becomes one out of sample.

        Parameters
        ----------
        eta_h, eta_y
            Per step, broadcast to ``(network, pair)``; NaN where there are none.

        Returns
        -------
        Fit
            Without intervals, and with R² of what these rates predict from each pair's own start.
        """
        shape = self.fitted.shape
        known = [np.where(self._startable, np.broadcast_to(rate, shape), np.nan) for rate in (eta_h, eta_y)]
        known = [np.where(np.isfinite(known[0] + known[1]), rate, np.nan) for rate in known]
        nothing = np.full(shape, np.nan)
        never = np.zeros(shape, dtype=bool)
        encoder, decoder = (Interval(rate, nothing, nothing) for rate in known)
        moved = Fit(self.curves, encoder, decoder, self.eta_y_mean, {}, nothing, never, never)
        moved.r2.update(_r2(moved))
        return moved

    @cached_property
    def final_h2(self) -> Array:
        """The theory's squared distance at the end of learning."""
        return self._of_theory(lambda theory, start: theory.final_h2(start))

    @cached_property
    def relaxation_rate(self) -> Array:
        """The theory's rate of approach to that end, per step."""
        return self._of_theory(lambda theory, start: theory.relaxation_rate(start))

    @cached_property
    def richness(self) -> Array:
        """``A_high/A_low``: near zero is rich, large is encoder-lazy, large and negative decoder-lazy."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._of_theory(lambda theory, start: theory.a_high(start) / theory.a_low)

    @cached_property
    def regime(self) -> NDArray[np.str_]:
        """``rich``, ``encoder-lazy``, ``decoder-lazy``, or empty where a pair could not be fitted."""
        names = np.full(self.fitted.shape, "", dtype="<U12")
        if self.fitted.any():
            theory, start = self._theory()
            names[self.fitted] = theory.regime(start)
        return names

    def to_pandas(self) -> pd.DataFrame:
        """Give one row per network and pair."""
        network, pair = (index.ravel() for index in np.indices(self.fitted.shape))
        columns: dict[str, object] = {
            "network": network,
            "pair": [" – ".join(self.curves.pairs[index]) for index in pair],
            "dx2": self.curves.dx2[pair],
            "dy2": self.curves.dy2[pair],
        }
        for name in ("eta_h", "eta_y", "eta_y_mean"):
            rate: Interval = getattr(self, name)
            columns |= {
                name: rate.value.ravel(),
                f"{name}_low": rate.low.ravel(),
                f"{name}_high": rate.high.ravel(),
            }
        columns |= {f"r2_{name}": values.ravel() for name, values in self.r2.items()}
        columns |= {
            "first_h2": self.curves.h2[..., 0].ravel(),
            "last_h2": last_finite(self.curves.h2).ravel(),
        }
        for name in ("final_h2", "relaxation_rate", "richness", "regime", "converged", "identified"):
            columns[name] = getattr(self, name).ravel()
        return pd.DataFrame(columns)

    @property
    def _startable(self) -> Bools:
        """Where the theory has a start: two representations that differ, and everything finite."""
        start = self.curves.initial
        return np.isfinite(start.y2 + start.w) & (np.nan_to_num(start.h2) > 0)

    def _theory(self) -> tuple[PairTheory, PairState]:
        """Theories and starts of all pairs that were fitted, in a row."""
        where, shape = self.fitted, self.fitted.shape
        dx2, dy2 = (np.broadcast_to(value, shape)[where] for value in (self.curves.dx2, self.curves.dy2))
        start = self.curves.initial
        theory = PairTheory(self.eta_h.value[where], self.eta_y.value[where], dx2, dy2)
        return theory, PairState(start.h2[where], start.y2[where], start.w[where])

    def _of_theory(self, number: Callable[[PairTheory, PairState], Array]) -> Array:
        values = np.full(self.fitted.shape, np.nan)
        if self.fitted.any():
            values[self.fitted] = number(*self._theory())
        return values


def fit_pairs(curves: PairCurves, *, scaling: Scaling = "curve") -> Fit:
    """Fit the effective learning rates of every pair of every network.

    Start values come in closed form (:func:`syzygy.fitting.starts.closed_form`); a coarse scan guards against
    starts that noise has spoiled.  Rates are sought in their logarithms, so they are positive.

    Parameters
    ----------
    curves
        What was measured.
    scaling
        Residuals of each curve in units of its standard deviation (``curve``), so that the objective is the
        sum of 1 − R² over curves; or as they are (``none``, as in the paper's code), so that the largest rules.

    Returns
    -------
    Fit
        NaN, and not converged, for pairs that start from one representation, or do not move at all.

    Raises
    ------
    SpecificationError
        Another scaling.

    Examples
    --------
    >>> from syzygy.fitting import pair_curves
    >>> from syzygy.tasks import two_points
    >>> from syzygy.training import train
    >>> fit = fit_pairs(pair_curves(train(two_points(), "two_layer", steps=1000)))
    >>> bool(fit.converged.all()), bool((fit.r2["y2"] > 0.98).all())
    (True, True)
    """
    if scaling not in ("curve", "none"):
        raise SpecificationError(f"scaling is 'curve' or 'none', got {scaling!r}")
    problems, shape = Problems(curves, scaling), curves.h2.shape[:2]
    count = shape[0] * shape[1]
    theta, variance = np.full((2, count, 2), np.nan)
    objective, freedom, converged = (
        np.full(count, np.nan),
        np.full(count, np.nan),
        np.zeros(count, dtype=bool),
    )
    size = max(1, CHUNK // len(curves.steps))
    for chunk in (problems.usable[i : i + size] for i in range(0, len(problems.usable), size)):
        residuals = problems.residuals(chunk)
        minimum = levenberg_marquardt(residuals, valleys(problems, chunk))
        theta[chunk], objective[chunk], converged[chunk] = minimum.theta, minimum.cost, minimum.converged
        spread, freedom[chunk] = covariance(residuals, minimum.theta, problems.there[chunk], len(CURVES))
        variance[chunk] = np.einsum("npp->np", spread)
    rates = [Interval.of_log(theta[:, i], variance[:, i], freedom) for i in range(2)]
    narrow = np.all([rate.high < IDENTIFIED_FACTOR * rate.value for rate in rates], axis=0)
    eta_h, eta_y = (rate.reshape(shape) for rate in rates)
    found = converged.reshape(shape), (converged & narrow).reshape(shape)
    fit = Fit(curves, eta_h, eta_y, _fit_mean(curves), {}, objective.reshape(shape), *found)
    fit.r2.update(_r2(fit))
    return fit


def _r2(fit: Fit) -> dict[str, Array]:
    predicted = fit.predict()
    return {name: r_squared(getattr(fit.curves, name), getattr(predicted, name)) for name in (*CURVES, "mean_error")}


def _fit_mean(curves: PairCurves) -> Interval:
    """Fit ``mean_error(0)·e^{−2·eta_y_mean·t}`` to the error of the mean output."""
    flat = curves.mean_error.reshape(-1, len(curves.steps))
    there = np.isfinite(flat)
    measured, times = np.where(there, flat, 0.0), curves.steps - curves.steps[0]
    start, scale = measured[:, 0], deviation(flat)
    usable = np.flatnonzero((start > 0) & (scale > 0) & (there.sum(axis=1) >= 4))

    def of(chosen: NDArray[np.intp]) -> Residuals:
        def deviations(theta: Array, rows: NDArray[np.intp]) -> Array:
            some = chosen[rows]
            decay = start[some, None] * np.exp(-2 * np.exp(np.clip(theta, -300, 300)) * times)
            return np.asarray(np.where(there[some], decay - measured[some], 0.0) / scale[some, None])

        return deviations

    log, variance, freedom = (np.full(len(flat), np.nan) for _ in range(3))
    if len(usable):
        # ∫ e^{−2ηt} dt = 1/2η, for the part of the curve that was seen; the search does the rest.
        seen = np.trapezoid(measured[usable], times, axis=1) / start[usable]
        guess = -np.log(2 * np.maximum(seen, 0.25 * times[1]))[:, None]
        minimum = levenberg_marquardt(of(usable), guess)
        spread, freedom[usable] = covariance(of(usable), minimum.theta, there[usable], 1)
        log[usable], variance[usable] = minimum.theta[:, 0], spread[:, 0, 0]
    return Interval.of_log(log, variance, freedom).reshape(curves.mean_error.shape[:2])
