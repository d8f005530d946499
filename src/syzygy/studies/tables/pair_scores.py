"""The table of a study of many pairs: every pair of every network, scored with rates from itself and from elsewhere."""

from typing import Final

import numpy as np
import pandas as pd

from syzygy.fitting import Fit, fit_pairs, from_other_networks
from syzygy.fitting.baseline import fit_logistic, mean_of_other_pairs
from syzygy.fitting.problems import CURVES, Scaling
from syzygy.fitting.score import r_squared, root_mean_square
from syzygy.result import Finding, Table
from syzygy.studies.drawings.pairs import KINDS
from syzygy.studies.drawings.shared import LABELS
from syzygy.trajectory import Trajectory

EXPLAINED = 0.9

PAIRS_CAPTION = (
    "Every pair of probe images in every network. r2_…: in sample, own rates, all steps; unscaled_…: the same, fitted "
    "by the absolute sum of squares, as in the published code. theory_…, logistic_h2: fitted to the first half of the "
    "recorded steps, R² on the second half (about the second half's own mean). other_pairs_…: rates of the pairs of "
    "the same network that share no image, R² over all steps; other_networks_h2: rates of the same pair in the other "
    "networks; mean_curve_h2: the mean curve of the pairs that share no image. …_error: root mean squared error of "
    "‖dh‖² over the same steps, as a share of its largest value. final_h2: the theory's end with own rates, with those "
    "of the first half, and with those of other pairs."
)
SHARES_CAPTION = (
    "Distribution over pairs: quantiles, and the share of pairs with R² above 0.9. In sample with own rates; on the "
    "second half of the steps with rates of the first; over all steps with rates of other pairs and of other networks. "
    "Without theory: a logistic of ‖dh‖² through the measured start with two fitted constants, and the mean curve of "
    "other pairs."
)

#: Columns of the table of pairs that are summarised: model, rates, steps.
SCORED: Final = {
    **{f"r2_{name}": (f"theory, {LABELS[name]}", "own rates", "all steps") for name in CURVES},
    **{f"unscaled_{name}": (f"theory, {LABELS[name]}", "own, unscaled", "all steps") for name in CURVES},
    **{f"theory_{name}": (f"theory, {LABELS[name]}", "first half", "second half") for name in CURVES},
    "logistic_h2": ("logistic, ‖dh‖²", "first half", "second half"),
    **{f"other_pairs_{name}": (f"theory, {LABELS[name]}", "other pairs", "all steps") for name in CURVES},
    "mean_curve_h2": ("mean curve, ‖dh‖²", "other pairs", "all steps"),
    "other_networks_h2": ("theory, ‖dh‖²", "other networks", "all steps"),
}


def score_pairs(name: str, trajectory: Trajectory, whole: Fit, elsewhere: Fit, scaling: Scaling) -> pd.DataFrame:
    """Score every pair of every network.

    Parameters
    ----------
    name
        Of the network.
    trajectory
        What was seen.
    whole, elsewhere
        Rates fitted to each pair itself, and those of the pairs that share no item with it.
    scaling
        Of the fit to the first half.

    Returns
    -------
    DataFrame
        A row per network and pair, pairs innermost; columns as :data:`PAIRS_CAPTION` says.
    """
    early, late = whole.curves.between(0, 0.5), whole.curves.between(0.5, 1)
    half, logistic = fit_pairs(early, scaling=scaling), fit_logistic(early.steps, early.h2)
    networks, unscaled = from_other_networks(whole), fit_pairs(whole.curves, scaling="none")
    frame = whole.to_pandas()
    frame.insert(1, "seed", trajectory.seeds[frame["network"]])
    frame.insert(2, "fate", np.array(trajectory.fates)[frame["network"]])
    frame["network"] = name
    frame.insert(4, "kind", np.where(frame["dy2"] > 0, *KINDS))
    for curve in CURVES:
        frame[f"unscaled_{curve}"] = unscaled.r2[curve].ravel()
    predicted, plain = half.predict(late), logistic.predict(late.steps)
    for curve in CURVES:
        frame[f"theory_{curve}"] = r_squared(getattr(late, curve), getattr(predicted, curve)).ravel()
    frame["logistic_h2"] = r_squared(late.h2, plain).ravel()
    for curve in CURVES:
        frame[f"other_pairs_{curve}"] = elsewhere.r2[curve].ravel()
    frame["other_networks_h2"] = networks.r2["h2"].ravel()
    mean, h2 = mean_of_other_pairs(whole.curves), whole.curves.h2
    frame["mean_curve_h2"] = r_squared(h2, mean).ravel()
    peak = np.max(np.nan_to_num(h2), axis=-1)
    for column, off in (
        ("theory_error", predicted.h2 - late.h2),
        ("logistic_error", plain - late.h2),
        ("other_pairs_error", elsewhere.predict().h2 - h2),
        ("mean_curve_error", mean - h2),
    ):
        frame[column] = (root_mean_square(off) / np.where(peak > 0, peak, np.nan)).ravel()
    frame["final_h2_half"] = half.final_h2.ravel()
    frame["final_h2_others"] = elsewhere.final_h2.ravel()
    return frame


def tables(pairs: pd.DataFrame) -> tuple[Table, Table]:
    """Give the distribution over pairs, ``shares``, and the pairs themselves."""
    rows = []
    for kind in KINDS:
        some = pairs[pairs["kind"] == kind]
        for column, (model, rates, steps) in SCORED.items():
            values = some[column].dropna()
            row: dict[str, object] = {
                "pairs": kind,
                "model": model,
                "rates": rates,
                "scored on": steps,
                "number": len(values),
            }
            row |= {f"quantile_{q}": values.quantile(q / 100) for q in (10, 25, 50, 75, 90)}
            rows.append(row | {"share_above_0.9": (values > EXPLAINED).mean()})
    return Table("shares", SHARES_CAPTION, pd.DataFrame(rows)), Table("pairs", PAIRS_CAPTION, pairs)


def no_better(shares: pd.DataFrame) -> tuple[Finding, ...]:
    """Say for which kinds of pairs the theory's median R² on the second half is no higher than a logistic's."""
    median = shares[shares["scored on"] == "second half"].set_index(["pairs", "model"])["quantile_50"]
    lines = []
    for kind in KINDS:
        theory, plain = (median.get((kind, f"{model}, ‖dh‖²"), np.nan) for model in ("theory", "logistic"))
        if theory <= plain:
            lines.append(f"{kind}: median R² of ‖dh‖² on the second half {theory:.2f}, of a logistic {plain:.2f}")
    return (
        (Finding("SZ010", "The theory predicts no better than a curve without theory", tuple(lines)),) if lines else ()
    )


def summary(pairs: pd.DataFrame, trajectory: Trajectory) -> tuple[str, ...]:
    """Say what came out, in sample and out of sample."""
    correct = trajectory.outputs[:, -1].argmax(-1) == trajectory.targets.argmax(-1)
    different, alike = (pairs[pairs["kind"] == kind] for kind in KINDS)
    same = f"; of pairs of one class for {_explained(alike['r2_h2'])}" if len(alike) else ""
    there = (
        f"{len(pairs)} fits: {len(pairs) // len(trajectory.seeds)} pairs of {len(trajectory.items)} probe images in "
        f"{len(trajectory.seeds)} networks, which classify {correct.mean():.0%} of the probe images at the end."
    )
    if not different["theory_error"].notna().any():
        steps = len(trajectory.steps)
        return there, f"No pair could be fitted to half of the {steps} recorded steps; record more often."
    sentences = [
        there,
        f"In sample, the theory explains more than {EXPLAINED:.0%} of the variance of ‖dh‖² for "
        f"{_explained(different['r2_h2'])} of the pairs of different classes (median R² "
        f"{different['r2_h2'].median():.2f}){same}; fitted as in the published code, so that ‖dh‖² rules, for "
        f"{_explained(different['unscaled_h2'])} (of ‖dy‖² and w then for {_explained(different['unscaled_y2'])} and "
        f"{_explained(different['unscaled_w'])}).",
        f"Fitted to the first half of training and asked for the second, it does so for "
        f"{_explained(different['theory_h2'])}, and is closer to ‖dh‖² than a logistic with as many constants for "
        f"{closer(different, 'theory', 'logistic').mean():.0%} (median error {different['theory_error'].median():.0%} "
        f"against {different['logistic_error'].median():.0%} of the largest distance; median R² "
        f"{different['theory_h2'].median():.2f} against {different['logistic_h2'].median():.2f}).",
    ]
    if different["other_pairs_error"].notna().any():
        sentences.append(
            f"With the rates of pairs that share no image, it does so for {_explained(different['other_pairs_h2'])}, "
            f"and is closer than the mean curve of those pairs for "
            f"{closer(different, 'other_pairs', 'mean_curve').mean():.0%} (median R² "
            f"{different['other_pairs_h2'].median():.2f} against {different['mean_curve_h2'].median():.2f})."
        )
    if different["other_networks_h2"].notna().any():
        sentences.append(
            f"With the rates of the same pair in the other networks, it does so for "
            f"{_explained(different['other_networks_h2'])} (median R² {different['other_networks_h2'].median():.2f})."
        )
    return tuple(sentences)


def closer(pairs: pd.DataFrame, one: str, other: str) -> "pd.Series[bool]":
    """Say where the error of one is smaller; a pair that could not be predicted counts as not."""
    return pairs[f"{one}_error"] < pairs[f"{other}_error"]


def _explained(r2: "pd.Series[float]") -> str:
    return f"{(r2 > EXPLAINED).mean():.0%}"
