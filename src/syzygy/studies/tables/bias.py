"""The tables of the study of feature bias."""

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial.distance import pdist
from scipy.stats import rankdata

from syzygy.studies.arms import Arm
from syzygy.studies.tables.biased import COMPUTED, Biased
from syzygy.tasks.bits import FEATURES

Array = NDArray[np.float64]

#: One feature takes more than the other if the mean difference of their shares is larger: that of features that are
#: equally easy was up to 0.13 in earlier networks.
MARGIN: Final = 0.15
#: Similarities are of so many items.
COMPARED: Final = 250
KEYS: Final = ["arm", "seed"]

MAP: Final = (
    "Where it holds: every setting, means over seeds, last hidden layer at the end. accuracy_…: of the worst seed, on "
    "items that nobody learned and in which both features are even. gap: easy share less hard share, with the smallest "
    f"and the largest of a seed. verdict: {FEATURES[0]} or {FEATURES[1]} takes more where the mean gap is beyond "
    f"±{MARGIN}, and not told where a seed does not compute both (accuracy below {COMPUTED})."
)
SEEDS: Final = (
    "Each network: share and accuracy of both features in its last hidden layer at the end, of both together, and "
    f"whether it computes both (accuracy of {COMPUTED} or more)."
)
LAYERS: Final = (
    "Shares by layer at the end, means over seeds, with the accuracy of the worst. together: of both features; chance: "
    "the mean if items were shuffled; added: what each feature adds to the other; variance: what shares are of."
)
CAUSAL: Final = (
    "The causal test on the last hidden layer, medians over seeds that compute both: items are moved along the "
    "direction of one feature, away from what they are. half: the scale, in units of that direction, at which half of "
    "them are read otherwise (infinite: never up to 2); length: the same in units of the root of the representation's "
    "variance; direction: the length of the direction in these units."
)
READERS: Final = (
    "A logistic reader that is fitted to the last hidden layer where both features agree, and asked where they differ: "
    "the share of items in which it follows the easy one, by seed, with its interval over items. agreed: how often it "
    "is right where they agree."
)
ABLATION: Final = (
    "How often each feature is read rightly from the last hidden layer without so many components of largest variance, "
    "and with these alone; means over seeds that compute both."
)
SIMILARITY: Final = (
    "Spearman's correlation of the distances between items in the last hidden layers of two networks, means over "
    "pairs: two of one setting that compute both features; one of these, and one that learned the easy feature alone, "
    "or the hard one."
)


def at_the_end(found: Mapping[str, Biased]) -> pd.DataFrame:
    """Give a row for each arm and seed: shares and accuracies in the last hidden layer at the end."""
    rows = []
    for one in found.values():
        last = one.shares[
            (one.shares["step"] == one.shares["step"].max()) & (one.shares["layer"] == one.arm.layers[-1])
        ]
        wide = last.pivot(index=KEYS, columns="feature", values=["share", "accuracy"])
        wide.columns = [f"{what}_{feature}" for what, feature in wide.columns]
        joint = last.groupby(KEYS)["joint"].first()
        rows.append(wide.assign(joint=joint, gap=wide["share_easy"] - wide["share_hard"]).reset_index())
    frame = pd.concat(rows, ignore_index=True)
    frame["computed"] = [found[arm].computed[seed] for arm, seed in zip(frame["arm"], frame["seed"], strict=True)]
    return pd.DataFrame(frame)


def where(found: Mapping[str, Biased], ends: pd.DataFrame) -> pd.DataFrame:
    """Give the map: a row for each arm, its setting, its shares beside its accuracies, and the verdict."""
    rows = []
    for name, one in found.items():
        some, arm = ends[ends["arm"] == name], one.arm
        gap = float(some["gap"].mean())
        both = bool(some["computed"].all())
        rows.append({
            "arm": name, "easy_bits": arm.easy, "hard_bits": arm.hard, "learned": _order(arm),
            "easy_prevalence": arm.easy_prevalence, "hard_prevalence": arm.hard_prevalence,
            "optimiser": arm.optimiser, "learning_rate": arm.learning_rate, "loss": arm.loss, "depth": arm.depth,
            "steps": arm.steps, "share_easy": some["share_easy"].mean(), "share_hard": some["share_hard"].mean(),
            "accuracy_easy": some["accuracy_easy"].min(), "accuracy_hard": some["accuracy_hard"].min(),
            "gap": gap, "gap_low": some["gap"].min(), "gap_high": some["gap"].max(),
            "verdict": _verdict(arm, gap, both),
        })  # fmt: skip
    return pd.DataFrame(rows)


def by_layer(found: Mapping[str, Biased]) -> pd.DataFrame:
    """Give a row for each arm, layer and feature at the end, means over seeds."""
    frames: list[pd.DataFrame] = []
    for one in found.values():
        last = one.shares[one.shares["step"] == one.shares["step"].max()]
        grouped = last.groupby(["arm", "layer", "feature"], sort=False)
        told_of = (
            grouped[["share", "added", "joint", "chance", "variance"]].mean().rename(columns={"joint": "together"})
        )
        frames.append(told_of.assign(accuracy=grouped["accuracy"].min()).reset_index())
    return pd.concat(frames, ignore_index=True)


def over_seeds(found: Mapping[str, Biased], what: str, keys: list[str], how: str) -> pd.DataFrame:
    """Give the mean or the median over seeds of what has been measured of each arm."""
    rows = together(found, what)
    if rows.empty:
        return pd.DataFrame(columns=["arm", *keys])
    grouped = rows.groupby(["arm", *keys], sort=False)
    return pd.DataFrame(grouped.agg(how, numeric_only=True)).drop(columns="seed").reset_index()


def together(found: Mapping[str, Biased], what: str) -> pd.DataFrame:
    """Put the rows of all arms together; none has any where no network computes both features."""
    frames = [frame for one in found.values() if len(frame := getattr(one, what))]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def similarity(found: Mapping[str, Biased]) -> pd.DataFrame:
    """Give how alike networks that compute both features are: to each other, and to those of one feature alone."""
    ranks = {name: {seed: _ranks(x) for seed, x in one.last.items()} for name, one in found.items()}
    alone = {what: [name for name, one in found.items() if one.arm.learned == what] for what in FEATURES}
    rows = []
    for name, one in found.items():
        some = [ranks[name][seed] for seed, both in one.computed.items() if both]
        if not some or one.arm.learned != "both":
            continue
        row: dict[str, object] = {"arm": name, "each_other": _mean([a @ b for a, b in combinations(some, 2)])}
        for what, names in alone.items():
            others = [rank for other in names for rank in ranks[other].values()]
            row[f"{what}_alone"] = _mean([a @ b for a, b in product(some, others)])
        rows.append(row)
    return pd.DataFrame(rows, columns=["arm", "each_other", *(f"{what}_alone" for what in FEATURES)])


def _ranks(x: Array) -> Array:
    """Give ranks of the distances between items, centred and of norm one: products are Spearman's correlations."""
    ranks = rankdata(pdist(x[:COMPARED]))
    centred = ranks - ranks.mean()
    size = np.linalg.norm(centred)
    return np.asarray(centred / size if size > 0 else centred * np.nan)


def _mean(values: Sequence[Any]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _order(arm: Arm) -> str:
    if arm.first:
        return f"{arm.first} first"
    return arm.learned if arm.learned == "both" else f"{arm.learned} alone"


def _verdict(arm: Arm, gap: float, both: bool) -> str:
    if arm.learned != "both":
        return "learned alone"
    if not both:
        return "not both computed"
    return f"{FEATURES[gap < 0]} takes more" if abs(gap) > MARGIN else "neither"
