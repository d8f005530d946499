"""Reasons not to believe an explanation, each with a stable code that ``docs/checks.md`` explains."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from syzygy.checks import Evidence, findings
from syzygy.explanation.question import Places
from syzygy.explanation.scores import MODELS, Scores
from syzygy.result import Finding
from syzygy.trajectory import Trajectory

#: Rounding may be so much of a distance.
ROUNDED: Final = 0.01
#: What gradient descent is called.
DESCENT: Final = ("sgd", "gd", "gradient descent")
#: What a squared error is called, in part.
SQUARED: Final = ("mse", "squared", "l2")


@dataclass(frozen=True)
class Case:
    """One layer of one recording, as it was asked about."""

    name: str
    trajectory: Trajectory
    pairs: Places
    scores: Scores


def doubts(cases: Sequence[Case], left_out: Sequence[str]) -> tuple[Finding, ...]:
    """Run every check: those of fits, and those of an explanation."""
    evidence = [Evidence(case.name, case.trajectory, case.scores.fit, tuple(case.trajectory.seeds.tolist()))
                for case in cases]  # fmt: skip
    own = (
        ("SZ010", "The theory predicts no better than a curve without theory", tuple(_no_better(cases))),
        ("SZ017", "Something was left out", tuple(left_out)),
        ("SZ019", "Not known to be trained as the theory assumes", tuple(dict.fromkeys(_otherwise(cases)))),
        ("SZ020", "Distances near the precision of the record", tuple(_rounded(cases))),
    )
    found = [*findings(evidence), *(Finding(code, title, details) for code, title, details in own if details)]
    return tuple(sorted(found, key=lambda one: one.code))


def _no_better(cases: Sequence[Case]) -> Iterator[str]:
    for case in cases:
        theory, *simpler = case.scores.reached.mean(axis=(1, 2))
        best = int(np.argmax(simpler))
        if simpler[best] >= theory:
            said = f"a {MODELS[1 + best]} {simpler[best]:.1%}".replace("a e", "an e")
            yield f"{case.name}: the theory forecasts {theory:.1%} of the pairs, {said}"


def _otherwise(cases: Sequence[Case]) -> Iterator[str]:
    """Say where something else than gradient descent on a squared error is known, or nothing is."""
    for case in cases:
        about = case.trajectory.about
        name = case.name.partition(": ")[0] if ": " in case.name else "this recording"
        own = "members" in about  # our own training keeps who took part, and knows one loss
        optimiser, loss = about.get("optimiser"), "mean squared error" if own else about.get("loss")
        unknown = [what for what, known in (("optimiser", optimiser), ("loss", loss),
                                            ("learning rate", about.get("learning_rate"))) if not known]  # fmt: skip
        if unknown:
            yield f"{name}: {', '.join(unknown)} unknown; say so in about={{…}} when recording"
        if optimiser and str(optimiser).lower() not in DESCENT:
            yield f"{name}: trained by {optimiser}, not by gradient descent; its rates are no constants"
        if loss and not any(word in str(loss).lower() for word in SQUARED):
            yield f"{name}: trained on {loss}, not on a squared error; outputs never arrive at the theory's y*"
        first, last = _error(case.trajectory)
        if last > first:
            yield (f"{name}: outputs end farther from the targets (mean square {last:.3g}) than they began "
                   f"({first:.3g}); if they are logits, they never arrive at the theory's y*")  # fmt: skip


def _error(trajectory: Trajectory) -> tuple[float, float]:
    """Give the mean squared error of the outputs, first and last seen, over items whose target is known."""
    off = (trajectory.outputs.astype(np.float64) - trajectory.targets)[
        :, :, np.isfinite(trajectory.targets).all(axis=1)
    ]
    square = np.mean(off**2, axis=(0, 2, 3))
    known = square[np.isfinite(square)]
    return (float(known[0]), float(known[-1])) if len(known) else (np.nan, np.nan)


def _rounded(cases: Sequence[Case]) -> Iterator[str]:
    """Say where rounding, which adds up to ε²/12 of each representation's square, may be a share of a distance."""
    for case in cases:
        values = case.trajectory.representation(case.trajectory.layers[0])[:, 0]
        kept = case.trajectory.about.get("precision")  # a recording in half precision is read as float32
        dtype = np.dtype("float16" if kept == "float16" else values.dtype)
        precision = float(np.finfo(dtype).eps)
        norm = np.sum(values.astype(np.float64) ** 2, axis=-1)
        first, second = np.array(case.pairs).T
        added = (norm[:, first] + norm[:, second]) * precision**2 / 12
        with np.errstate(invalid="ignore"):
            near = added > ROUNDED * case.scores.fit.curves.h2[..., 0]
        if near.any():
            yield (f"{case.name}: recorded as {dtype}; rounding may be over {ROUNDED:.0%} of the first ‖dh‖² of "
                   f"{near.sum()} of {near.size} pairs")  # fmt: skip
