"""What is claimed of the geometry of many items, with its bounds, and how it is measured."""

from typing import Final

import pandas as pd

from syzygy.claims import Expectation
from syzygy.studies.tables.geometry import MEAN, NAIVE, PREDICTIONS, SCOPES

#: The predictions that are claimed: with the rates of the other networks, and the published one.
OURS, PUBLISHED = "other_networks", "published"

PEARSON = "Pearson's correlation with the measured squared distances, of each network and of the mean over networks"
MARGIN = (
    "that correlation less the highest of three that need no theory: different class or not, ‖dx‖, and ‖dh‖² at the "
    "start"
)

EXPECTATIONS: Final = (
    Expectation(
        "all_pairs",
        "The pair theory predicts the geometry of images of all classes.",
        "derived",
        "out of sample",
        f"{PEARSON}, over all pairs, rates of the other networks",
        low=0.7,
    ),
    Expectation(
        "different_classes",
        "It does so without the blocks of one class too.",
        "derived",
        "out of sample",
        f"{PEARSON}, over pairs of different classes, rates of the other networks",
        low=0.5,
    ),
    Expectation(
        "all_pairs_beyond",
        "It does better than what needs no theory.",
        "derived",
        "out of sample",
        f"over all pairs, {MARGIN}",
        low=0.05,
    ),
    Expectation(
        "different_classes_beyond",
        "It does better than what needs no theory without the blocks of one class too.",
        "derived",
        "out of sample",
        f"over pairs of different classes, {MARGIN}",
        low=0.05,
    ),
    Expectation(
        "classes_matter",
        "The prediction needs the classes: with shuffled ones it fails.",
        "derived",
        "out of sample",
        "share of permutations of the classes with as high a correlation over all pairs, mean over networks",
        high=0.01,
    ),
    Expectation(
        "published_all_pairs",
        "The published prediction is the geometry of images of all classes.",
        "code",
        "no fit",
        f"{PEARSON}, over all pairs",
        low=0.7,
    ),
    Expectation(
        "published_different_classes",
        "The published prediction is the geometry of the classes without the blocks of one class too.",
        "code",
        "no fit",
        f"{PEARSON}, over pairs of different classes",
        low=0.5,
    ),
    Expectation(
        "published_beyond",
        "The published prediction does better than what needs no theory.",
        "code",
        "no fit",
        f"over all pairs, {MARGIN}",
        low=0.05,
    ),
)


def measured(scores: pd.DataFrame, null: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Measure every claim, by case: the mean over networks, and each network.

    Parameters
    ----------
    scores, null
        As ``correlations`` and ``permuted`` of :mod:`syzygy.studies.tables.geometry` give them.

    Returns
    -------
    dict
        Without cases where a prediction could not be made.
    """
    (every, different), there = SCOPES, set(scores["prediction"])
    found = {
        "all_pairs": _pearson(scores, every, OURS),
        "different_classes": _pearson(scores, different, OURS),
        "all_pairs_beyond": _beyond(scores, every, OURS),
        "different_classes_beyond": _beyond(scores, different, OURS),
        "published_all_pairs": _pearson(scores, every, PUBLISHED),
        "published_different_classes": _pearson(scores, different, PUBLISHED),
        "published_beyond": _beyond(scores, every, PUBLISHED),
    }
    chance = null[(null["pairs"] == every) & (null["prediction"] == OURS)]["p"]
    found["classes_matter"] = dict(zip([MEAN], chance, strict=False))
    needed = {name: PUBLISHED if name.startswith(PUBLISHED) else OURS for name in found}
    return {name: cases if needed[name] in there else {} for name, cases in found.items()}


def _pearson(scores: pd.DataFrame, scope: str, prediction: str) -> dict[str, float]:
    some = scores[(scores["pairs"] == scope) & (scores["prediction"] == prediction)]
    return {str(name): float(value) for name, value in zip(some["network"], some["pearson"], strict=True)}


def _beyond(scores: pd.DataFrame, scope: str, prediction: str) -> dict[str, float]:
    """Subtract the best of what needs no theory, case by case."""
    # Between classes, "different class or not" does not vary: it has no correlation, and is no rival.
    best = pd.DataFrame([_pearson(scores, scope, name) for name in NAIVE]).max()
    return {case: value - float(best[case]) for case, value in _pearson(scores, scope, prediction).items()}


def summary(scores: pd.DataFrame, null: pd.DataFrame, networks: int) -> tuple[str, ...]:
    """Say what came out of the mean over networks, beside what needs no theory."""
    mean = scores[scores["network"] == MEAN].set_index(["pairs", "prediction"])["pearson"]
    sentences = []
    for scope in SCOPES:
        there = [name for name in (OURS, PUBLISHED) if (scope, name) in mean.index]
        told = [f"{PREDICTIONS[name]}: {mean[scope, name]:.2f}" for name in there]
        naive = mean[scope][list(NAIVE)].dropna()
        plain = ", ".join(
            f"{PREDICTIONS[name].removeprefix('no theory: ')} {value:.2f}" for name, value in naive.items()
        )
        sentences.append(
            f"Correlation with the measured distances, {scope} (mean of {networks} networks): {'; '.join(told)}. "
            f"Without theory: {plain}."
        )
        best = naive.max()
        for name in there:
            if not mean[scope, name] > best:
                sentences.append(
                    f"Over {scope}, “{PREDICTIONS[name]}” does no better than what needs no theory ({best:.2f}): this "
                    "correlation is no support for the theory."
                )
    chance = null[(null["pairs"] == SCOPES[1]) & (null["prediction"] == OURS)]["p"]
    sentences += [
        f"Between classes, the pair theory does as well with shuffled classes in {value:.0%} of the permutations."
        for value in chance
    ]
    return tuple(sentences)
