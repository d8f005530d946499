"""A model put to the test: fitted to the whole of each curve, and to its first part."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from syzygy.fitting.certainty.intervals import autocorrelation_time
from syzygy.fitting.problems import FEWEST_STEPS, Problems
from syzygy.fitting.rivals.models import Model
from syzygy.fitting.rivals.search import Found, search

Array = NDArray[np.float64]

CONSTANTS: Final = ("eta_h", "eta_y", "excess")


@dataclass(frozen=True)
class Trial:
    """One model, fitted to all steps, and to the first of them to be scored on the rest.

    Attributes
    ----------
    constants
        :data:`CONSTANTS` of the fit to all steps, ``(problem, 3)``; NaN where a model has none.
    objective
        Its sum of squares, ``(problem,)``.
    sse, time
        Sum of its squared deviations, and their autocorrelation time in recorded steps, ``(problem, curve)``.
    rms
        Root mean square error of the other fit on the steps it has not seen, ``(problem, curve)``.
    note
        Why there is no fit, or no score, ``(problem,)``.
    """

    constants: Array
    objective: Array
    sse: Array
    time: Array
    rms: Array
    note: NDArray[np.str_]

    @classmethod
    def of(cls, model: Model, whole: Problems, early: Problems, rates: tuple[Array, Array]) -> "Trial":
        """Fit a model twice, each time from :func:`~syzygy.fitting.rivals.search.first_rates`."""
        fit, part = (search(model, *given) for given in zip((whole, early), rates, strict=True))
        there = whole.there[:, None]
        missed = np.where(there, fit.predict(whole.times) - whole.measured, 0.0)
        constants = np.full((len(there), len(CONSTANTS)), np.nan)
        constants[:, : model.constants] = fit.constants
        time = autocorrelation_time(np.nan_to_num(missed), whole.there.sum(axis=1))
        return cls(
            constants, fit.objective, np.sum(missed**2, axis=2), time, _ahead(part, whole), _note(fit, part, whole)
        )


def _ahead(part: Found, whole: Problems) -> Array:
    """Root mean square error on the steps after those that were fitted, ``(problem, curve)``."""
    late = whole.there & (np.arange(len(whole.times)) >= len(part.problems.times))
    missed = np.where(late[:, None], part.predict(whole.times) - whole.measured, 0.0)
    scored = np.isfinite(part.objective) & (late.sum(axis=1) >= FEWEST_STEPS)
    error = np.sqrt(np.sum(missed**2, axis=2) / np.maximum(late.sum(axis=1), 1)[:, None])
    return np.where(scored[:, None], np.where(np.isnan(error), np.inf, error), np.nan)


def _note(fit: Found, part: Found, whole: Problems) -> NDArray[np.str_]:
    """Say why there is no fit, or no score."""
    count = len(whole.there)
    usable, able = (np.isin(np.arange(count), found.problems.usable) for found in (fit, part))
    late = whole.there[:, len(part.problems.times) :].sum(axis=1)
    reasons = (
        (~usable, "representations coincide, nothing moves, or too little was recorded"),
        (np.isnan(fit.objective), "the equations run away from every start of the search"),
        (~able, "nothing moves in the steps to fit"),
        (np.isnan(part.objective), "the equations run away from every start of the search, on the steps to fit"),
        (late < FEWEST_STEPS, f"fewer than {FEWEST_STEPS} held-out steps"),
        (~fit.converged | ~part.converged, "the search ended before a minimum"),
    )
    return np.select([where for where, _ in reasons], [said for _, said in reasons], default="")
