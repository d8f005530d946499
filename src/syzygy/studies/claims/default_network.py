"""What the published code gives for its networks, and where ours lie beside it.

Bands for its main network, the catalogue's ``default``, and a table of every published number.  They speak of
networks of the published size, trained on the published pair as the published notebook does; others are not compared.
"""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from syzygy.checks import Evidence
from syzygy.claims import Expectation
from syzygy.fitting import fit_pairs
from syzygy.fitting.score import last_finite
from syzygy.networks import catalogue
from syzygy.published import published
from syzygy.training import Job

NAME = "default"

#: Of the main network, seed by seed.
EXPECTATIONS = (
    Expectation(
        "r2_h2",
        "Two fitted rates explain ‖dh‖² of the paper's main network.",
        "code",
        "in sample",
        "R² of ‖dh‖², seed by seed",
        low=0.985,
    ),
    Expectation(
        "r2_y2",
        "Two fitted rates explain ‖dy‖² of the paper's main network.",
        "code",
        "in sample",
        "R² of ‖dy‖², seed by seed",
        low=0.985,
    ),
    Expectation(
        "r2_w",
        "Two fitted rates explain w of the paper's main network.",
        "code",
        "in sample",
        "R² of w, seed by seed",
        low=0.9,
    ),
    Expectation(
        "ratio",
        "The decoder of the paper's main network learns some fifty times faster than its encoder.",
        "code",
        "in sample",
        "eta_h/eta_y, seed by seed",
        low=0.01,
        high=0.035,
    ),
    Expectation(
        "last_h2",
        "The paper's main network places the two items at a squared distance near 0.09.",
        "code",
        "no fit",
        "‖dh‖² at the end, mean over seeds",
        low=0.08,
        high=0.105,
    ),
    Expectation(
        "final_error",
        "The closed form with a network's own rates gives its final distance.",
        "code",
        "in sample",
        "|predicted/measured − 1| of the final ‖dh‖² of the main network, seed by seed",
        high=0.06,
    ),
    Expectation(
        "mean_loss",
        "The error of the mean makes up most of the loss at the start.",
        "derived",
        "no fit",
        "half the squared error of the mean output of the main network at step 0, seed by seed",
        low=0.4543,
        high=0.4549,
    ),
    Expectation(
        "mean_half_life",
        "The mean is learned first, long before the two items part.",
        "code",
        "no fit",
        "steps after which half of the mean's loss is gone, mean over seeds of the main network",
        low=28,
        high=32,
    ),
    Expectation(
        "largest_rise",
        "The loss of the difference never rises, but for what finite steps allow.",
        "derived",
        "no fit",
        "largest rise of w/4 + (‖dy*‖² − ‖dy‖²)/8 between recorded steps of the main network, seed by seed",
        high=2e-4,
    ),
)

#: Quantities of the table that are fitted, and those that are measured.
FITTED = ("eta_h", "eta_y", "ratio", "r2_h2", "r2_y2", "r2_w")
MEASURED = ("first_h2", "last_h2")

CAPTION = (
    "Beside the published code: mean and standard deviation over seeds here, the published number (a mean where there "
    "are several seeds), and how far it lies from the mean, in standard errors of the difference that the scatter of "
    "our seeds leaves. Rates and R² are here those of the published, unscaled fit. No distance is given for networks "
    "that are not of the published size, or for a single seed."
)


def of_published_size(name: str, job: Job) -> bool:
    """Whether a job trains a row of the catalogue as the published notebook does: its size, pair, rate and steps."""
    row = catalogue().get(name)
    if row is None or dict(job.options) != {"dx2": 1.0, "dy2": 0.5, "input_dim": 1, "output_dim": 1}:
        return False
    row = row.model_copy(update={"steps": 2 * row.steps, "learning_rate": 0.5 * row.learning_rate})
    return bool(job.asked()["network"] == row.model_dump(exclude={"name", "about"}))


def bands(one: Evidence) -> dict[str, dict[str, float]]:
    """Measure what :data:`EXPECTATIONS` speaks of, by claim and case, of the main network's evidence."""
    assert one.trajectory is not None
    assert one.fit is not None
    curves, fit = one.fit.curves, one.fit
    last, mean = last_finite(curves.h2)[:, 0], 0.5 * curves.mean_error[:, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        by_seed = {
            **{f"r2_{name}": fit.r2[name][:, 0] for name in ("h2", "y2", "w")},
            "ratio": fit.eta_h.value[:, 0] / fit.eta_y.value[:, 0],
            "final_error": np.abs(fit.final_h2[:, 0] / last - 1),
            "mean_loss": mean[:, 0],
            "largest_rise": np.array([_largest_rise(rest) for rest in curves.loss[:, 0] - mean]),
        }
    cases = {
        claim: {f"seed {seed}": float(value) for seed, value in zip(one.trajectory.seeds, values, strict=True)}
        for claim, values in by_seed.items()
    }
    half_lives = np.array([_half_life(curves.steps, error) for error in mean])
    return cases | {"last_h2": {"mean": float(last.mean())}, "mean_half_life": {"mean": float(half_lives.mean())}}


def beside_published(evidence: list[Evidence], jobs: Mapping[str, Job]) -> pd.DataFrame:
    """Give every published number of these networks with ours, one row each."""
    rows = []
    for one in evidence:
        if one.fit is None:
            continue
        frame = fit_pairs(one.fit.curves, scaling="none").to_pandas()
        frame["ratio"] = frame["eta_h"] / frame["eta_y"]
        for quantity in (*MEASURED, *FITTED):
            known = [value for case, value in published("two-points", quantity).items() if _row(case) == one.name]
            ours = frame[quantity].dropna().to_numpy()
            if known and len(ours):
                same = of_published_size(one.name, jobs[one.name])
                rows.append(_compared(one.name, quantity, ours, np.array(known), same))
    return pd.DataFrame(rows)


def _compared(name: str, quantity: str, ours: np.ndarray, known: np.ndarray, same: bool) -> dict[str, object]:
    scatter = float(ours.std(ddof=1)) if len(ours) > 1 else math.nan
    distance = math.nan
    if same and scatter > 0:
        distance = float(known.mean() - ours.mean()) / (scatter * math.sqrt(1 / len(ours) + 1 / len(known)))
    return {
        "network": name,
        "quantity": quantity,
        "seeds": len(ours),
        "mean": float(ours.mean()),
        "scatter": scatter,
        "published": float(known.mean()),
        "published_seeds": len(known),
        "published_size": same,
        "distance": distance,
    }


def _row(case: str) -> str:
    """Name the catalogue's row of a published case: ``default 2`` is a seed of ``default``."""
    return case.partition(" ")[0]


def _half_life(steps: np.ndarray, error: np.ndarray) -> float:
    """First step with half of the first error; between recorded steps it falls as an exponential."""
    below = np.flatnonzero(error <= 0.5 * error[0])
    if not len(below) or below[0] == 0:
        return math.nan
    after = int(below[0])
    log = np.log(error[[after, after - 1]] / (0.5 * error[0]))
    return float(np.interp(0.0, log, steps[[after, after - 1]]))


def _largest_rise(rest: np.ndarray) -> float:
    """Largest change between recorded steps; NaN for a network that diverged."""
    return float(np.max(np.diff(rest))) if len(rest) > 1 and np.isfinite(rest).all() else math.nan
