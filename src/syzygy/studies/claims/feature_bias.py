"""What is claimed of feature bias, with its bounds, and what the study says of it."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from syzygy.claims import Expectation
from syzygy.studies.arms import Arm
from syzygy.studies.tables.bias import MARGIN
from syzygy.studies.tables.biased import COMPUTED, Biased

#: Accuracy of both features that a comparison of shares asks for.
EQUAL: Final = 0.99

EXPECTATIONS: Final[tuple[Expectation, ...]] = (
    Expectation(
        "equal_when_equal",
        "Two features that are equally easy take equal shares.",
        "literature",
        "out of sample",
        "size of the mean over seeds of one share less the other in the last hidden layer, by control arm",
        high=MARGIN,
    ),
    Expectation(
        "shares_add_up",
        "Shares of independent features add up.",
        "derived",
        "out of sample",
        "size of the sum of both shares less the share of both together, the largest of all seeds, last hidden layer, "
        "by arm",
        high=0.02,
    ),
    Expectation(
        "easy_takes_more",
        "At equal accuracy the easy feature takes far more variance than the hard one where learning is slow.",
        "literature",
        "out of sample",
        f"easy share less hard share in the last hidden layer of the slow arm, by seed; none if an accuracy is below "
        f"{EQUAL:.2f}",
        low=0.4,
    ),
    Expectation(
        "easier_less_biased",
        "The gap shrinks with the difficulty of the hard feature.",
        "literature",
        "out of sample",
        "mean gap with a parity of four bits less that with a parity of two, same learning rate",
        low=0.0,
    ),
    Expectation(
        "not_everywhere",
        "The bias depends on the setting: somewhere the harder feature takes about as much, or more.",
        "derived",
        "out of sample",
        "smallest mean gap over arms in which one feature is harder and every seed computes both",
        high=MARGIN,
    ),
    Expectation(
        "deeper_more_biased",
        "A deeper network is more biased.",
        "literature",
        "out of sample",
        "mean gap with four hidden layers less that with one, same learning rate",
        low=0.0,
    ),
    Expectation(
        "first_takes_more",
        "What is learned first takes more.",
        "literature",
        "out of sample",
        "mean gap where the easy feature was learned first less that where the hard one was",
        low=0.0,
    ),
    Expectation(
        "rare_takes_less",
        "What is rare takes less.",
        "literature",
        "out of sample",
        "mean share of the feature where it is present in few of the learned items less its share where it is in half, "
        "by feature; none if a seed does not compute both",
        high=0.0,
    ),
    Expectation(
        "small_shift_flips_hard",
        "A smaller shift flips what is read of the hard feature.",
        "derived",
        "out of sample",
        "length of the shift that flips half of the items' hard label over that for the easy one, each along its own "
        "direction, slow arm, by seed",
        high=0.5,
    ),
    Expectation(
        "reader_prefers_easy",
        "A linear reader for which either feature would do follows the easy one.",
        "literature",
        "out of sample",
        "share of the items on which the features differ that follow the easy one, slow arm, by seed",
        low=0.8,
    ),
    Expectation(
        "similarity_misleads",
        "Networks that compute both features are more like one that computes the easy one alone than like each other.",
        "literature",
        "out of sample",
        "Spearman's correlation of distances to networks of the easy feature alone less that to each other, slow arm",
        low=0.0,
    ),
)


def measured(
    found: Mapping[str, Biased], ends: pd.DataFrame, alike: pd.DataFrame, base: str, slow: str
) -> dict[str, dict[str, float]]:
    """Measure every claim.

    Parameters
    ----------
    found
        By arm.
    ends
        As :func:`~syzygy.studies.tables.bias.at_the_end` gives it.
    alike
        As :func:`~syzygy.studies.tables.bias.similarity` gives it.
    base, slow
        Arms with the hard feature at the usual and at a small learning rate.
    """
    arms = {name: one.arm for name, one in found.items()}
    computed = ends.groupby("arm", sort=False)["computed"].all()
    gaps = ends.groupby("arm", sort=False)["gap"].mean().where(computed)
    both = [name for name, arm in arms.items() if arm.learned == "both"]
    unequal = [name for name in both if computed[name] and arms[name].hard > arms[name].easy]
    off = (ends["share_easy"] + ends["share_hard"] - ends["joint"]).abs().groupby(ends["arm"], sort=False).max()
    told: dict[str, dict[str, float]] = {one.name: {} for one in EXPECTATIONS}
    told["equal_when_equal"] = {name: abs(float(gaps[name])) for name in both if arms[name].control}
    told["shares_add_up"] = {name: float(off[name]) for name in both}
    told["not_everywhere"] = {min(unequal, key=lambda name: gaps[name]): float(gaps[unequal].min())} if unequal else {}
    told["easier_less_biased"] = _difference(gaps, base, _changed(arms, base, hard=2))
    told["deeper_more_biased"] = _difference(gaps, base, _changed(arms, base, depth=1))
    told["first_takes_more"] = _difference(gaps, _first(arms, "easy"), _first(arms, "hard"))
    shares = ends.groupby("arm", sort=False)[["share_easy", "share_hard"]].mean()
    for what in ("easy", "hard"):
        rare = next((name for name, arm in arms.items() if getattr(arm, f"{what}_prevalence") < 0.5), None)
        if rare and base in arms:
            value = shares[f"share_{what}"][rare] - shares[f"share_{what}"][base]
            told["rare_takes_less"][what] = float(value) if computed[rare] and computed[base] else float("nan")
    if slow in found:
        told |= _slow(found[slow], ends[ends["arm"] == slow], alike[alike["arm"] == slow])
    return told


def _slow(one: Biased, ends: pd.DataFrame, alike: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Measure what is claimed of the slow arm, by seed."""
    exact = ends[["accuracy_easy", "accuracy_hard"]].min(axis=1) >= EQUAL
    gap = ends["gap"].where(exact)
    unknown = {f"seed {seed}": float("nan") for seed in ends["seed"]}
    flipped, follows = dict(unknown), dict(unknown)
    if len(one.halves):
        own = one.halves[one.halves["moved"] == one.halves["read"]].pivot(
            index="seed", columns="moved", values="length"
        )
        ratio = (own["hard"] / own["easy"]).where(np.isfinite(own["easy"]))
        flipped |= dict(zip((f"seed {seed}" for seed in ratio.index), ratio.tolist(), strict=True))
        follows |= dict(zip((f"seed {seed}" for seed in one.readers["seed"]), one.readers["share"], strict=True))
    return {
        "easy_takes_more": {f"seed {seed}": float(value) for seed, value in zip(ends["seed"], gap, strict=True)},
        "small_shift_flips_hard": flipped,
        "reader_prefers_easy": follows,
        "similarity_misleads": dict(zip(alike["arm"], alike["easy_alone"] - alike["each_other"], strict=True)),
    }


def _difference(gaps: pd.Series, more: str | None, less: str | None) -> dict[str, float]:
    if more is None or less is None or not {more, less} <= set(gaps.index):
        return {}
    return {f"{more} and {less}": float(gaps[more] - gaps[less])}


def _changed(arms: Mapping[str, Arm], base: str, **changes: int) -> str | None:
    """Find the arm that differs from another in what is changed, and in how long it learns."""
    if base not in arms:
        return None
    wanted = arms[base].model_copy(update=changes).model_dump(exclude={"name", "steps"})
    return next((name for name, arm in arms.items() if arm.model_dump(exclude={"name", "steps"}) == wanted), None)


def _first(arms: Mapping[str, Arm], what: str) -> str | None:
    return next((name for name, arm in arms.items() if arm.first == what), None)


def summary(map_: pd.DataFrame, told: Mapping[str, Mapping[str, float]], slow: str) -> list[str]:
    """Answer the question with what was measured.

    Parameters
    ----------
    map_
        As :func:`~syzygy.studies.tables.bias.where` gives it.
    told
        As :func:`measured` gives it.
    slow
        The slow arm.
    """
    said = []
    for row in map_[map_["arm"] == slow].itertuples():
        said.append(
            f"Where learning is slow ({slow}) the easy feature takes {row.share_easy:.0%} of the variance of the last "
            f"hidden layer and the hard one {row.share_hard:.0%}, told rightly for at least {row.accuracy_easy:.1%} "
            f"and {row.accuracy_hard:.1%} of unseen items."
        )
    fair = map_[(map_["learned"] != "easy alone") & (map_["learned"] != "hard alone")]
    hard = fair[fair["hard_bits"] > fair["easy_bits"]]
    counts = hard["verdict"].value_counts()
    said.append(
        f"Of {len(hard)} settings with a harder feature the easy one takes more in {counts.get('easy takes more', 0)}, "
        f"the hard one in {counts.get('hard takes more', 0)}, neither in {counts.get('neither', 0)}; in "
        f"{counts.get('not both computed', 0)} a network does not compute both (accuracy below {COMPUTED}), and shares "
        "tell nothing."
    )
    lengths = [value for value in told["small_shift_flips_hard"].values() if np.isfinite(value)]
    if lengths:
        said.append(
            f"There a shift {np.median(lengths):.2g} times as long as for the easy feature flips the hard one, and a "
            f"linear reader for which either would do follows the easy one in "
            f"{np.nanmedian(list(told['reader_prefers_easy'].values())):.0%} of the items (medians over seeds)."
        )
    return said
