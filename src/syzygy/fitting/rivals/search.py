"""The same search for every model: the same first guesses, the same steps, the same end."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from syzygy.fitting.least_squares import Residuals, levenberg_marquardt
from syzygy.fitting.problems import CURVES, Problems, Rows
from syzygy.fitting.rivals.models import Model
from syzygy.fitting.starts import closed_form, valleys

Array = NDArray[np.float64]

#: Shifts of the paper's rates that are tried as starts: of their ratio, and of both.
RATIOS, SPEEDS = np.log([0.1, 1 / 3, 1.0, 3.0, 10.0]), np.log([0.5, 1.0, 2.0])
#: So many of the best starts around each centre are searched from.
SEARCHED = 2
#: Relaxations in the time that the error lasted.
TURNS = 3.0
#: Most steps of a search, that of its finite differences, and the step that ends it.
ITERATIONS, STEP, TOLERANCE = 60, 1e-4, 1e-6
#: Residual, in standard deviations of a curve, of constants with which the equations run away.
LOST = 1e3
#: Starts are compared on so many steps.
COMPARED = 60
#: So many numbers of one array are worked on at a time.
CHUNK = 200_000


@dataclass(frozen=True)
class Found:
    """A model fitted to curves.

    Attributes
    ----------
    model, problems
        What was fitted, to what.
    constants
        ``(problem, constant)``; NaN without a fit.
    objective
        Sum of squares at the minimum, ``(problem,)``.
    converged
        Whether the search ended in a minimum.
    """

    model: Model
    problems: Problems
    constants: Array
    objective: Array
    converged: NDArray[np.bool_]

    def predict(self, times: Array) -> Array:
        """Follow the model from the measured starts, ``(problem, curve, step)``; NaN without a fit."""
        found = np.full((len(self.objective), len(CURVES), len(times)), np.nan)
        fitted = np.flatnonzero(np.isfinite(self.objective))
        for chunk in _chunks(fitted, len(times)):
            found[chunk] = self.model.curves(self.constants[chunk], self.problems, chunk, times)
        return found


def first_rates(problems: Problems) -> Array:
    """Give logarithms of rates to begin with, ``(problem, centre, start, 2)``: two guesses, and a grid around each.

    One guess is the paper's, found in closed form, which is far off where the curves are far from the paper's.  The
    other needs no equations: rates that balance encoder and decoder at the largest distance seen, in the time seen.
    """
    centres = np.zeros((len(problems.there), 2, 2))
    for chunk in _chunks(problems.usable, len(problems.times)):
        found = valleys(problems, chunk)
        found = np.where(np.isfinite(found), found, closed_form(problems, chunk))
        centres[chunk, 1] = _balanced(problems, chunk)
        centres[chunk, 0] = np.where(np.isfinite(found), found, centres[chunk, 1])
    ratio, speed = np.meshgrid(RATIOS, SPEEDS, indexing="ij")
    return np.asarray(centres[:, :, None] + np.stack([speed + ratio / 2, speed - ratio / 2], axis=-1).reshape(-1, 2))


def _balanced(problems: Problems, chosen: Rows) -> Array:
    """Give log rates with ``a_low`` at the largest ``h2``, and as fast as the error fell, ``(problem, 2)``."""
    h2, y2, w = np.moveaxis(problems.measured[chosen], 1, 0)
    dx2, dy2, there = problems.dx2[chosen], problems.dy2[chosen], problems.there[chosen]
    error = np.where(there, 2 * w - y2 + dy2[:, None], 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        lasted = np.trapezoid(error, problems.times, axis=1) / error[:, 0]
        most = np.max(h2, axis=1)
        kappa = np.where(dy2 > 0, most**2 / dy2, most * h2[:, 0] / y2[:, 0])
    lasted = np.where(np.isfinite(lasted), np.clip(lasted, problems.times[1], None), problems.times[-1])
    eta_y = TURNS / (lasted * most)
    kappa = np.where(np.isfinite(kappa) & (kappa > 0), kappa, dx2)
    return np.asarray(np.log(np.stack([kappa * eta_y / dx2, eta_y], axis=1)))


def search(model: Model, problems: Problems, rates: Array) -> Found:
    """Fit a model to every problem that can be fitted, from several starts: the best of :func:`first_rates`.

    Parameters
    ----------
    model, problems
        What to fit, to what.
    rates
        Of :func:`first_rates`; the same for all models.
    """
    count = len(problems.there)
    theta, objective = np.full((count, model.constants), np.nan), np.full(count, np.nan)
    converged = np.zeros(count, dtype=bool)
    for chunk in _chunks(problems.usable, len(problems.times)):
        starts = _best(model, problems, chunk, rates[chunk])
        many = np.repeat(chunk, starts.shape[1])
        minimum = levenberg_marquardt(
            _residuals(model, problems, many),
            starts.reshape(len(many), -1),
            ITERATIONS,
            step_size=STEP,
            tolerance=TOLERANCE,
        )
        lowest = np.argmin(minimum.cost.reshape(len(chunk), -1), axis=1) + starts.shape[1] * np.arange(len(chunk))
        theta[chunk], objective[chunk] = minimum.theta[lowest], minimum.cost[lowest]
        converged[chunk] = minimum.converged[lowest]
    there = objective < LOST**2 / np.maximum(problems.there.sum(axis=1), 1)  # the square of one step that is lost
    constants = np.where(there[:, None], _positive(theta), np.nan)
    return Found(model, problems, constants, np.where(there, objective, np.nan), converged & there)


def _best(model: Model, problems: Problems, chosen: Rows, rates: Array) -> Array:
    """Give the starts with the lowest costs, as many from each centre, ``(problem, start, constant)``."""
    centres = rates.shape[1]
    starts = model.starts(rates.reshape(len(rates), -1, 2), problems, chosen)
    many = np.repeat(chosen, starts.shape[1])
    some = np.unique(np.linspace(0, len(problems.times) - 1, COMPARED).round().astype(np.intp))
    tried = _residuals(model, problems, many, some)(starts.reshape(len(many), -1), np.arange(len(many)))
    cost = np.sum(tried**2, axis=1).reshape(len(chosen), centres, -1)
    order = np.argsort(cost, axis=2, kind="stable")[..., :SEARCHED, None]
    best = np.take_along_axis(starts.reshape(*cost.shape, -1), order, axis=2)
    return np.asarray(best.reshape(len(chosen), -1, starts.shape[2]))


def _residuals(model: Model, problems: Problems, chosen: Rows, steps: Rows | None = None) -> Residuals:
    """Weighted deviations of some problems, ``(problem, curve × step)``, over logarithms of constants."""
    at = np.arange(len(problems.times)) if steps is None else steps
    there, weight = problems.there[:, at], problems.weight * np.sqrt(len(problems.times) / len(at))

    def deviations(theta: Array, rows: Rows) -> Array:
        which = chosen[rows]
        missed = model.curves(_positive(theta), problems, which, problems.times[at])
        with np.errstate(invalid="ignore", over="ignore"):
            missed = (missed - problems.measured[which][:, :, at]) * weight[which][..., None]
        most = LOST / np.sqrt(np.maximum(problems.there[which].sum(axis=1), 1))[:, None, None]
        missed = np.where(np.abs(missed) < most, missed, most)  # NaN is not below anything
        return np.asarray(np.where(there[which][:, None], missed, 0.0).reshape(len(rows), -1))

    return deviations


def _positive(theta: Array) -> Array:
    return np.exp(np.clip(theta, -100.0, 100.0))


def _chunks(rows: Rows, steps: int) -> list[Rows]:
    size = max(1, CHUNK // steps)
    return [rows[first : first + size] for first in range(0, len(rows), size)]
