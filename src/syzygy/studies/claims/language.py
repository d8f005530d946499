"""What the study of representations as language claims, with the statistics and bounds that decide.

Written down before any of it was measured.  Training is cut in two at one step, the *turn*: the first recorded step at
which the training loss has done 90% of its fall.  Two phases are there if what is claimed of each is: regularity and
disentanglement rise up to the turn, and more than after it; H(Z) falls after the turn, and more than up to it.  Were
the phases the other way round, both comparisons would be below zero.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from syzygy.claims import Expectation
from syzygy.studies.tables.turning import LEAST, over_seeds

#: Labels that the claims on commands are about.
TOLD: Final = ("token", "bigram")
#: The label of what has none.
ALL: Final = ""

OVER_SEEDS: Final = "lower end of its 95% interval over seeds"
GAIN: Final = f"from untrained to the turn, {OVER_SEEDS}, by setting, estimator and label"

EXPECTATIONS: Final[tuple[Expectation, ...]] = (
    Expectation(
        "regularity_rises",
        "While the training loss falls, representations become more regular.",
        "literature",
        "no fit",
        f"gain of regularity, {GAIN}",
        low=0.0,
    ),
    Expectation(
        "disentanglement_rises",
        "While the training loss falls, representations of different labels part.",
        "literature",
        "no fit",
        f"gain of disentanglement (nats), {GAIN}",
        low=0.0,
    ),
    Expectation(
        "aligns_first",
        "Regularity is gained while the loss falls rather than after.",
        "literature",
        "no fit",
        f"gain of regularity up to the turn, less that after it, {OVER_SEEDS}, by setting, estimator and label",
        low=0.0,
    ),
    Expectation(
        "compresses",
        "After the loss has fallen, representations are compressed.",
        "literature",
        "no fit",
        "slope of H(Z)/log n per tenfold step from the turn on, upper end of its 95% interval over seeds, by setting "
        "and estimator",
        high=0.0,
    ),
    Expectation(
        "compresses_later",
        "They are compressed after the loss has fallen rather than before.",
        "literature",
        "no fit",
        f"fall of H(Z)/log n after the turn, less that up to it, {OVER_SEEDS}, by setting and estimator",
        low=0.0,
    ),
    Expectation(
        "generalises_later",
        "After the loss has fallen, networks go on to generalise to combinations that were never learned.",
        "literature",
        "no fit",
        f"rise from the turn to the end of the share of unseen commands that are done right, {OVER_SEEDS}, by setting",
        low=0.05,
    ),
    Expectation(
        "estimators_agree",
        "Binned and soft estimators see the same course.",
        "literature",
        "no fit",
        "Spearman's correlation over recorded steps between the two, mean over seeds, by setting: of H(Z), and of the "
        "regularity and disentanglement of tokens",
        low=0.5,
    ),
    Expectation(
        "classes_regularity_rises",
        "So it is with digits: while the loss falls, the last layer becomes more regular as to classes.",
        "literature",
        "no fit",
        f"gain of regularity from untrained to the turn, {OVER_SEEDS}, by network and estimator",
        low=0.0,
    ),
    Expectation(
        "classes_compress",
        "And after it has fallen the last layer is compressed.",
        "literature",
        "no fit",
        "slope of its H(Z)/log n per tenfold step from the turn on, upper end of its 95% interval over seeds, by "
        "network and estimator",
        high=0.0,
    ),
    Expectation(
        "deeper_is_more_regular",
        "Deeper layers are more regular as to classes.",
        "literature",
        "no fit",
        "Spearman's correlation of depth and regularity after training, mean over seeds, by network of three layers or "
        "more and estimator",
        low=0.5,
    ),
)  # fmt: skip


def measured(
    commands: pd.DataFrame, images: pd.DataFrame, spoken: pd.DataFrame, right: pd.DataFrame, ends: pd.DataFrame
) -> dict[str, dict[str, float]]:
    """Measure every claim.

    Parameters
    ----------
    commands, images
        :func:`~syzygy.studies.tables.turning.courses` of the networks that learn commands, and of those that learn
        images.
    spoken
        The curves of the former.
    right
        :func:`~syzygy.studies.tables.language.done_right` of these, with ``turn``.
    ends
        The curves of the networks that learn images, at their last step.
    """
    told = commands[commands["label"].isin(TOLD)]
    entropy = commands[commands["measure"] == "information"]
    last = images[images["depth"] == 1]
    classes, spread = last[last["measure"] == "regularity"], last[last["measure"] == "information"]
    regularity, parted = (told[told["measure"] == name] for name in ("regularity", "disentanglement"))
    by, single = ["network", "estimator", "label"], ["network", "estimator"]
    return {
        "regularity_rises": _ends(regularity, by, regularity["before"], 1),
        "disentanglement_rises": _ends(parted, by, parted["before"], 1),
        "aligns_first": _ends(regularity, by, regularity["before"] - regularity["after"], 1),
        "compresses": _ends(entropy, single, entropy["slope"], 2),
        "compresses_later": _ends(entropy, single, entropy["before"] - entropy["after"], 1),
        "generalises_later": _ends(right, ["network"], right["unseen"] - right["unseen_at_turn"], 1),
        "estimators_agree": _agreement(spoken),
        "classes_regularity_rises": _ends(classes, single, classes["before"], 1),
        "classes_compress": _ends(spread, single, spread["slope"], 2),
        "deeper_is_more_regular": _with_depth(ends),
    }


def two_phases(cases: Mapping[str, Mapping[str, float]]) -> dict[str, bool]:
    """Say by setting and estimator whether all that is claimed of both phases holds: alignment, then compression."""
    known = {one.name: one for one in EXPECTATIONS}
    needed = ("regularity_rises", "disentanglement_rises", "aligns_first", "compresses", "compresses_later")
    return {
        case: all(
            known[name].holds(value)
            for name in needed
            for own, value in cases[name].items()
            if own == case or own.startswith(f"{case} · ")
        )
        for case in cases["compresses"]
    }


def summary(told: pd.DataFrame, courses: pd.DataFrame, cases: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Answer the question with what was measured.

    Parameters
    ----------
    told
        :func:`~syzygy.studies.tables.language.learning`.
    courses
        Of the networks that learn commands.
    cases
        What :func:`measured` gave.
    """
    said, found = [], two_phases(cases)
    if found:
        there = [case for case, is_there in found.items() if is_there]
        only = f": {'; '.join(there)}" if there and len(there) < len(found) else ""
        said.append(
            f"Alignment and then compression, by all that was written down beforehand, are there in {len(there)} of "
            f"{len(found)} settings and estimators{only}."
        )
    for name, some in told.groupby("network", sort=False):
        said.append(
            f"{_capital(name)}: the loss has done 90% of its fall at step {some['turn'].median():.0f}, where "
            f"{some['unseen_at_turn'].mean():.0%} of unseen commands are done right; at the end it is "
            f"{some['unseen'].mean():.0%}."
        )
    for key, some in courses.groupby(["network", "estimator"], sort=False):
        tokens = some[(some["measure"] == "regularity") & (some["label"] == "token")]
        spread = some[some["measure"] == "information"]
        said.append(
            f"{_capital(_case(key))}: regularity of tokens changes by {tokens['before'].mean():+.3f} up to that step "
            f"and by {tokens['after'].mean():+.3f} after it, H(Z)/log n by {spread['before'].mean():+.3f} and by "
            f"{spread['after'].mean():+.3f}."
        )
    return said


def _ends(frame: pd.DataFrame, by: list[str], values: pd.Series, which: int) -> dict[str, float]:
    """Give an end of the interval over seeds, by case."""
    grouped = values.groupby([frame[name] for name in by], sort=False)
    return {_case(key): over_seeds(some.tolist())[which] for key, some in grouped}


def _agreement(spoken: pd.DataFrame) -> dict[str, float]:
    found = {}
    for measure, label in (("information", ALL), ("regularity", "token"), ("disentanglement", "token")):
        own = spoken[(spoken["measure"] == measure) & (spoken["label"] == label)]
        for name, some in own.groupby("network", sort=False):
            both = some.pivot(index=["seed", "step"], columns="estimator", values="corrected")
            each = [_spearman(one["binned"], one["soft"]) for _, one in both.groupby("seed")]
            found[f"{name} · {'H(Z)' if label == ALL else measure}"] = float(np.mean(each))
    return found


def _with_depth(ends: pd.DataFrame) -> dict[str, float]:
    own, found = ends[ends["measure"] == "regularity"], {}
    for key, some in own.groupby(["network", "estimator"], sort=False):
        if some["layer"].nunique() >= LEAST:
            each = [_spearman(one["depth"], one["corrected"]) for _, one in some.groupby("seed")]
            found[_case(key)] = float(np.mean(each))
    return found


def _spearman(one: pd.Series, other: pd.Series) -> float:
    varies = len(one) >= LEAST and np.ptp(one) > 0 and np.ptp(other) > 0
    return float(spearmanr(one.to_numpy(), other.to_numpy()).statistic) if varies else np.nan


def _capital(name: object) -> str:
    return str(name).capitalize()


def _case(key: object) -> str:
    return " · ".join(map(str, key)) if isinstance(key, tuple) else str(key)
