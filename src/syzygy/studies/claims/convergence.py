"""What the study of convergence claims, with the numbers that decide; the bounds were set before any was measured."""

from collections.abc import Iterable
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from syzygy.claims import Expectation
from syzygy.studies.tables.alignments import ARCHITECTURES, SEEDS
from syzygy.studies.tables.predicted import NAIVE, THEORIES

#: Level of a test.
SIGNIFICANT: Final = 0.05
#: Fewer layers have no order worth a correlation, fewer gains no trend.
LEAST_LAYERS, LEAST_GAINS = 3, 3
#: Correlation from which layers count as settling upwards.
UPWARDS: Final = 0.5

CALIBRATED: Final = "calibrated alignment (0 at chance, 1 of a representation with itself)"

EXPECTATIONS: Final[tuple[Expectation, ...]] = (
    Expectation(
        "above_chance",
        "Trained networks represent images they never saw more alike than chance would have it.",
        "abstract",
        "no fit",
        f"share of pairs of networks, layers at matched depth, with q ≤ {SIGNIFICANT} at the last step, by "
        "measure whose chance has a closed form",
        low=0.95,
    ),
    Expectation(
        "seeds_align",
        "As they learn, networks of one architecture become more alike than they were untrained.",
        "abstract",
        "no fit",
        f"{CALIBRATED} of two seeds at the last step, less that of the same two at step 0, mean over pairs and layers, "
        "by measure and architecture",
        low=0.0,
    ),
    Expectation(
        "architectures_align",
        "So do networks of different architectures.",
        "abstract",
        "no fit",
        "the same for networks of two architectures, layers at matched depth, by measure and pair of architectures",
        low=0.0,
    ),
    Expectation(
        "universal",
        "Trained networks of different architectures are nearly as alike as seeds of one.",
        "abstract",
        "no fit",
        f"{CALIBRATED} between architectures over that between seeds, means at the last step, by measure",
        low=0.8,
    ),
    Expectation(
        "early_layers_first",
        "Layers settle from the input upwards.",
        "literature",
        "no fit",
        "Spearman's correlation of a layer's place with the step at which it is half-way from its untrained to its "
        f"final representation, where {LEAST_LAYERS} or more move, mean over seeds, by measure and architecture",
        low=UPWARDS,
    ),
    Expectation(
        "small_start_aligns",
        "The smaller the initial weights, the more the data decide, and the more alike trained seeds are.",
        "derived",
        "no fit",
        f"Spearman's correlation of the gain with the {CALIBRATED} of two seeds at the last step, by measure",
        high=-0.5,
    ),
    Expectation(
        "theory_above_chance",
        "Distances that the theory predicts align with those measured.",
        "derived",
        "no fit",
        f"share of trained networks and layers with p ≤ {SIGNIFICANT}, by comparison and prediction",
        low=0.95,
    ),
    Expectation(
        "theory_beats_none",
        "They do so better than the best of what needs no theory: distances of inputs, of targets, and at the start.",
        "derived",
        "no fit",
        "calibrated alignment with the measured distances at the last step, less that of the best of these, mean over "
        "trained networks and layers, by comparison and prediction",
        low=0.0,
    ),
)


def measured(
    pairs: pd.DataFrame, settled: pd.DataFrame, gains: pd.DataFrame, predicted: pd.DataFrame
) -> dict[str, dict[str, float]]:
    """Measure every claim, case by case.

    Parameters
    ----------
    pairs
        Pairs of layers at matched depth at the last step, as :func:`~syzygy.studies.tables.alignments.matched` of the
        whole: ``measure``, ``kind``, ``network``, ``other``, ``calibrated``, ``untrained``, ``q``.
    settled
        :func:`~syzygy.studies.tables.settling.settling`.
    gains
        A row for each measure and gain: ``calibrated`` between seeds at the last step.
    predicted
        :func:`~syzygy.studies.tables.predicted.against_measured` at the last step.
    """
    known = pairs.dropna(subset=["q"])
    gained = pairs.assign(gained=pairs["calibrated"] - pairs["untrained"])
    seeds, others = (gained[gained["kind"] == kind] for kind in (SEEDS, ARCHITECTURES))
    ratio = others.groupby("measure", sort=False)["calibrated"].mean() / seeds.groupby("measure")["calibrated"].mean()
    best = predicted[predicted["prediction"].isin(NAIVE)].groupby(["comparison", "network", "seed", "layer"])
    most = predicted.join(best["calibrated"].max().rename("naive"), on=["comparison", "network", "seed", "layer"])
    theory = most[most["prediction"].isin(THEORIES)]
    by_theory = ["comparison", "prediction"]
    return {
        "above_chance": _cases((known["q"] <= SIGNIFICANT).groupby(known["measure"], sort=False).mean()),
        "seeds_align": _cases(seeds.groupby(["measure", "network"], sort=False)["gained"].mean()),
        "architectures_align": _cases(others.groupby(["measure", "network", "other"], sort=False)["gained"].mean()),
        "universal": _cases(ratio.dropna()),
        "early_layers_first": _order(settled),
        "small_start_aligns": _trend(gains),
        "theory_above_chance": _cases((theory["p"] <= SIGNIFICANT).groupby([theory[c] for c in by_theory]).mean()),
        "theory_beats_none": _cases(
            (theory["calibrated"] - theory["naive"]).groupby([theory[c] for c in by_theory]).mean()
        ),
    }


def _order(settled: pd.DataFrame) -> dict[str, float]:
    """Correlate the place of a layer with the step at which it is half-way, network by network."""
    found: dict[str, float] = {}
    for (measure, network), some in settled.groupby(["measure", "network"], sort=False):
        if some["layer"].nunique() >= LEAST_LAYERS:
            moved = [one.dropna(subset=["half_way"]) for _, one in some.groupby("seed")]
            each = [_correlation(one["depth"], one["half_way"]) for one in moved if len(one) >= LEAST_LAYERS]
            found[f"{measure}, {network}"] = float(np.mean(each)) if each else np.nan
    return found


def _trend(gains: pd.DataFrame) -> dict[str, float]:
    return {
        str(measure): _correlation(some["gain"], some["calibrated"])
        for measure, some in gains.groupby("measure", sort=False)
        if some["gain"].nunique() >= LEAST_GAINS
    }


def _correlation(x: Iterable[float], y: Iterable[float]) -> float:
    """Give Spearman's, NaN where one of the two is constant or unknown."""
    a, b = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if not np.isfinite([a, b]).all() or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(spearmanr(a, b).statistic)


def _cases(values: pd.Series) -> dict[str, float]:
    """Give values by what they are of, in words."""
    return {", ".join(key) if isinstance(key, tuple) else str(key): float(value) for key, value in values.items()}


def summary(training: pd.DataFrame, told: dict[str, dict[str, float]], least: pd.DataFrame) -> list[str]:
    """Answer the question with what was measured.

    Parameters
    ----------
    training, least
        :func:`~syzygy.studies.tables.alignments.over_training` and :func:`~syzygy.studies.tables.alignments.apart`.
    told
        What :func:`measured` gave.
    """
    said = []
    for measure, some in training.groupby("measure", sort=False):
        parts = []
        for kind, curve in some.groupby("kind", sort=False):
            first, last = curve["calibrated"].iloc[0], curve["calibrated"].iloc[-1]
            own = least[(least["measure"] == measure) & (least["kind"] == kind)].iloc[0]
            if np.isfinite([first, last]).all():
                kept = f"{own['not_above']} of {own['of']} pairs of networks are no more alike than untrained"
                parts.append(f"between {kind} from {first:.2f} to {last:.2f} ({kept})")
        if parts:
            said.append(f"{measure}: calibrated alignment goes {', and '.join(parts)}; 0 is chance, 1 is the same.")
    order = [value for value in told["early_layers_first"].values() if np.isfinite(value)]
    if order:
        upwards = sum(value >= UPWARDS for value in order)
        said.append(f"Layers settle from the input upwards in {upwards} of {len(order)} architectures and measures.")
    beaten = told["theory_beats_none"]
    if beaten:
        name, best = max(beaten.items(), key=lambda one: one[1])
        how = "more" if best > 0 else "less"
        said.append(
            f"The theory's best prediction of distances ({name}) aligns by {abs(best):.2f} {how} with those measured "
            "than the best of what needs no theory."
        )
    return said
