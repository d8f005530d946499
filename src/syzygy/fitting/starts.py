"""Where to start a fit: in closed form from the curves, and from a coarse scan for when noise spoils that."""

import numpy as np
from numpy.typing import NDArray

from syzygy.fitting.least_squares import Residuals, levenberg_marquardt
from syzygy.fitting.problems import Problems, Rows

Array = NDArray[np.float64]

SCAN_STEPS, COARSE_STEPS = 40, 120
KAPPA_DECADES = np.linspace(-3, 3, 13)
RELAXATIONS = np.geomspace(0.3, 3000, 15)  # relaxation rate times the length of the training
TRIED = 3


def closed_form(problems: Problems, chosen: Rows) -> Array:
    """Log rates from two laws of the theory, ``(problem, 2)``; NaN where noise makes one negative.

    ``y2/h2 − h2/kappa`` is constant, so the slope of ``y2/h2`` over ``h2`` is ``1/kappa``, the ratio of the
    rates; and ``h2' = −eta_h·dx2·w``, so the slope of ``h2`` over ``−dx2·∫w`` is ``eta_h``.  Both are taken by
    least squares through the start.
    """
    h2, y2, w = np.moveaxis(problems.measured[chosen], 1, 0)
    there = problems.there[chosen]
    dx2 = problems.dx2[chosen]
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(there & (h2 > 0), y2 / h2, 0.0)
        moved = np.where(there, h2 - h2[:, :1], 0.0)
        kappa = np.sum(moved**2, axis=1) / np.sum(moved * np.where(there, gain - gain[:, :1], 0.0), axis=1)
        trapezoids = 0.5 * (w[:, 1:] + w[:, :-1]) * np.diff(problems.times)
        pushed = -dx2[:, None] * np.concatenate([np.zeros((len(w), 1)), np.cumsum(trapezoids, axis=1)], axis=1)
        eta_h = np.sum(pushed * moved, axis=1) / np.sum(np.where(there, pushed, 0.0) ** 2, axis=1)
        log = np.log(np.stack([eta_h, eta_h * dx2 / kappa], axis=1))
    return np.where(np.isfinite(log).all(axis=1, keepdims=True), log, np.nan)


def valleys(problems: Problems, chosen: Rows) -> Array:
    """Log rates near the deepest minimum, ``(problem, 2)``: the best of several searches on some steps."""
    best, lowest = np.full((len(chosen), 2), np.nan), np.full(len(chosen), np.inf)
    residuals = problems.residuals(chosen, _some(len(problems.times), COARSE_STEPS))
    for start in (closed_form(problems, chosen), *_scan(problems, chosen)):
        rows = np.flatnonzero(np.isfinite(start).all(axis=1))
        if not len(rows):
            continue
        found = levenberg_marquardt(_of(residuals, rows), start[rows], iterations=40)
        better = found.cost < lowest[rows]
        best[rows[better]], lowest[rows[better]] = found.theta[better], found.cost[better]
    return best


def _scan(problems: Problems, chosen: Rows) -> Array:
    """Give the lowest few points of a grid in kappa and the relaxation rate, ``(tried, problem, 2)``."""
    residuals = problems.residuals(chosen, _some(len(problems.times), SCAN_STEPS))
    length = problems.times[np.maximum(problems.there[chosen].sum(axis=1) - 1, 1)]
    h2, dx2, dy2 = problems.measured[chosen, 0], problems.dx2[chosen], problems.dy2[chosen]
    gain = problems.measured[chosen, 1, 0] / h2[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        # The scale at which kappa matters: where the data's share alone would give the largest distance seen.
        centre = np.where(dy2 > 0, np.max(h2, axis=1) ** 2 / dy2, h2[:, 0] / gain)
    centre = np.where(np.isfinite(centre) & (centre > 0), centre, dx2)
    points, costs = [], []
    for decade in KAPPA_DECADES:
        kappa = centre * 10**decade
        span = np.sqrt(0.25 * (h2[:, 0] - kappa * gain) ** 2 + kappa * dy2)
        for relaxation in RELAXATIONS:
            eta_y = relaxation / length / np.maximum(span, 1e-3 * h2[:, 0])  # zero where dy2 is, and A_high
            point = np.log(np.stack([kappa * eta_y / dx2, eta_y], axis=1))
            points.append(point)
            costs.append(np.sum(residuals(point, np.arange(len(chosen))) ** 2, axis=1))
    order = np.argsort(np.nan_to_num(np.array(costs), nan=np.inf), axis=0)[:TRIED]
    return np.take_along_axis(np.array(points), order[..., None], axis=0)


def _some(length: int, count: int) -> Rows:
    """Spread steps evenly, and more densely at the start, where fast pairs move."""
    even = np.linspace(0, length - 1, count // 2)
    early = np.geomspace(1, max(length - 1, 1), count // 2)
    return np.unique(np.concatenate([even, early]).round().astype(np.intp))


def _of(residuals: Residuals, rows: Rows) -> Residuals:
    return lambda theta, inner: residuals(theta, rows[inner])
