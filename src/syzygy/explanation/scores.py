"""One layer: the theory fitted to every pair, and judged by what it was not fitted to."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from syzygy.explanation.question import Places
from syzygy.explanation.simpler import SIMPLER
from syzygy.fitting import Fit, PairCurves, fit_pairs, pair_curves
from syzygy.fitting.certainty.intervals import Interval
from syzygy.fitting.score import deviation
from syzygy.trajectory import Trajectory

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: A forecast must reach this share of the variance, of ‖dh‖² and of ‖dy‖².  It stood here before anything was measured.
EXPLAINED: Final = 0.9

#: What is forecast: how far apart the representations are, and the outputs.
FORECAST: Final = ("h2", "y2")

#: Everything that forecasts; the theory is the first.
MODELS: Final = ("theory", *SIMPLER)

#: So many pairs are fitted together; between two such parts, progress is told.
TOGETHER: Final = 250
#: Bytes of the outputs' differences that are held at once.
HELD: Final = 128_000_000

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Scores:
    """A layer's pairs, fitted and judged.  Every array ends with ``(network, pair)``.

    Attributes
    ----------
    layer
        Its name.
    fit
        The theory fitted to all recorded steps: in sample.
    ahead
        The theory with the rates of the first part of the steps: out of sample there, from the measured start.
    forecast
        From each of :data:`MODELS` and :data:`FORECAST`, ``(model, curve, network, pair)``: one minus the mean squared
        error of the forecast over the later steps, in units of the variance of the whole curve; NaN where there is no
        forecast, or the curve does not vary.
    cut
        The first step of the later part, of each network, ``(network,)``.
    """

    layer: str
    fit: Fit
    ahead: Fit
    forecast: Array
    cut: Array

    @cached_property
    def reached(self) -> Bools:
        """Whether a model forecasts both curves as well as :data:`EXPLAINED` asks, ``(model, network, pair)``."""
        return np.asarray((self.forecast >= EXPLAINED).all(axis=1))

    @cached_property
    def score(self) -> Array:
        """The theory's worse forecast of the two."""
        return np.asarray(self.forecast[0].min(axis=0))

    @cached_property
    def closest(self) -> NDArray[np.str_]:
        """Which model's two errors are the smallest in sum; empty where there is no forecast by the theory."""
        lack = np.nan_to_num(np.sum(1 - self.forecast, axis=1), nan=np.inf)
        return np.where(np.isfinite(self.score), np.array(MODELS)[np.argmin(lack, axis=0)], "")

    @cached_property
    def explained(self) -> Bools:
        """Whether the theory forecasts both curves, and no curve without theory is closer."""
        return np.asarray(self.reached[0] & (self.closest == MODELS[0]))


def scored(
    trajectory: Trajectory,
    pairs: Places,
    ends: NDArray[np.intp],
    *,
    fitted: float = 0.5,
    inputs_known: bool = True,
    progress: Progress = lambda _: None,
) -> Scores:
    """Fit the theory to every pair, and let it and curves without theory forecast.

    Parameters
    ----------
    trajectory
        One layer.
    pairs
        Places of the two items of each.
    ends
        How many of the recorded steps there are of each network, ``(network,)``.
    fitted
        Share of these that a forecast sees.
    inputs_known
        If not, every pair counts as ``‖dx‖² = 1``.
    progress
        Told the share of the pairs that was finished since the last call.
    """
    parts = []
    for some in _parts(pairs, len(trajectory.seeds) * len(trajectory.steps) * trajectory.outputs.shape[-1]):
        curves = pair_curves(trajectory, pairs=some)
        if not inputs_known:
            curves = replace(curves, dx2=np.ones(len(some)))
        whole = fit_pairs(curves)
        found = [judged(_network(curves, n, end), fitted) for n, end in enumerate(ends)]
        eta_h, eta_y, forecast = (np.concatenate(one, axis=axis) for one, axis in
                                  zip(zip(*found, strict=True), (0, 0, 2), strict=True))  # fmt: skip
        parts.append((whole, whole.with_rates(eta_h, eta_y), forecast))
        progress(len(some) / len(pairs))
    fits, aheads, forecasts = zip(*parts, strict=True)
    cut = trajectory.steps[[round(fitted * end) for end in ends]].astype(np.float64)
    return Scores(trajectory.layers[0], joined(fits), joined(aheads), np.concatenate(forecasts, axis=-1), cut)


def joined(fits: Sequence[Fit]) -> Fit:
    """Join fits of different pairs of the same networks."""
    first = fits[0]
    curves = {name: np.concatenate([getattr(fit.curves, name) for fit in fits], axis=1)
              for name in ("h2", "y2", "w", "mean_error")}  # fmt: skip
    data = {name: np.concatenate([getattr(fit.curves, name) for fit in fits]) for name in ("dx2", "dy2")}
    together = PairCurves(first.curves.steps, **curves, **data, pairs=sum((fit.curves.pairs for fit in fits), ()))
    found: dict[str, Any] = {"curves": together}
    for name in ("eta_h", "eta_y", "eta_y_mean"):
        ends = ([getattr(getattr(fit, name), end.name) for fit in fits] for end in fields(Interval))
        found[name] = Interval(*(np.concatenate(one, axis=1) for one in ends))
    found["r2"] = {name: np.concatenate([fit.r2[name] for fit in fits], axis=1) for name in first.r2}
    for name in ("objective", "converged", "identified"):
        found[name] = np.concatenate([getattr(fit, name) for fit in fits], axis=1)
    return Fit(**found)


def _parts(pairs: Places, numbers: int) -> Iterator[Places]:
    size = max(1, min(TOGETHER, HELD // (8 * max(1, numbers))))
    return (pairs[first : first + size] for first in range(0, len(pairs), size))


def _network(curves: PairCurves, network: int, end: int) -> PairCurves:
    """Give the curves of one network up to a record."""
    cut = {name: getattr(curves, name)[[network], :, :end] for name in ("h2", "y2", "w", "mean_error")}
    return replace(curves, steps=curves.steps[:end], **cut)


def judged(curves: PairCurves, fitted: float) -> tuple[Array, Array, Array]:
    """Give the rates of the first part, and every model's scores on the rest, ``(model, curve, network, pair)``."""
    early, late = curves.between(0, fitted), curves.between(fitted, 1)
    half = fit_pairs(early)
    theory = half.predict(late)
    scores = np.full((len(MODELS), len(FORECAST), 1, len(curves.pairs)), np.nan)
    for place, name in enumerate(FORECAST):
        whole, seen, measured = (getattr(some, name)[0] for some in (curves, early, late))
        forecasts = [getattr(theory, name)[0], *(go(early.steps, seen, late.steps) for go in SIMPLER.values())]
        scores[:, place, 0] = [share(measured, forecast, whole) for forecast in forecasts]
    return half.eta_h.value, half.eta_y.value, scores


def share(measured: Array, forecast: Array, whole: Array) -> Array:
    """Give one minus the mean squared error in units of the variance of the whole curve.

    R² about the later steps' own mean would ask more of a curve that has come to rest, the nearer to rest it is.

    Parameters
    ----------
    measured, forecast
        The later steps, ``(…, step)``.
    whole
        All steps, ``(…, step)``.

    Examples
    --------
    >>> share(np.array([3.0, 4.0]), np.array([3.0, 3.0]), np.array([0.0, 1.0, 3.0, 4.0])).item()
    0.8
    """
    there, scale = np.isfinite(measured), deviation(whole)
    count = there.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        error = np.sum(np.where(there, forecast - np.where(there, measured, 0.0), 0.0) ** 2, axis=-1) / count
        return np.where((scale > 0) & (count > 0), 1 - error / scale**2, np.nan)
