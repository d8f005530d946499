"""What the study of universal dimensions claims; the bounds were set before any was measured."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import rankdata, spearmanr

from syzygy.claims import Expectation
from syzygy.studies.tables.universals import LARGEST, UNIVERSAL, UNIVERSALLY

#: Level of a test.
SIGNIFICANT: Final = 0.05
#: Fewer components have no order worth a correlation.
LEAST: Final = 10

EXPECTATIONS: Final[tuple[Expectation, ...]] = (
    Expectation(
        "above_chance",
        "Other networks tell the largest dimensions of a network better than chance would have it.",
        "literature",
        "out of sample",
        f"share of the {LARGEST} components of largest variance of each layer with q ≤ {SIGNIFICANT}, trained, by "
        "architecture",
        low=0.95,
    ),
    Expectation(
        "few_universal",
        "Most dimensions of a trained network are not universal.",
        "literature",
        "out of sample",
        f"share of all components with a universality of {UNIVERSAL:.2f} or more, trained, by architecture",
        high=0.5,
    ),
    Expectation(
        "training_makes_universal",
        "Training makes more dimensions universal than there were.",
        "literature",
        "out of sample",
        "number of universal components in trained networks over that in the same networks untrained, by architecture",
        low=1.0,
    ),
    Expectation(
        "ten_keep_similarity",
        "The ten most universal dimensions of a layer keep its similarity to a network that was held out.",
        "literature",
        "out of sample",
        "representational similarity to held-out networks of other architectures on held-out images, with ten "
        "components over that with all, means over layers and networks, by architecture",
        low=0.9,
    ),
    Expectation(
        "universal_beats_large",
        "They keep it at least as well as the ten of largest variance.",
        "literature",
        "out of sample",
        "the same with the ten most universal components less that with the ten of largest variance, by architecture",
        low=0.0,
    ),
    Expectation(
        "universal_first",
        "Universal dimensions are told by other networks earlier in training than the rest.",
        "derived",
        "out of sample",
        "Spearman's correlation of a component's universality at the end with the step at which other networks tell it "
        "half as well as at the end, by architecture",
        high=0.0,
    ),
    Expectation(
        "rich_are_universal",
        "Dimensions that the theory calls rich are more universal than those it calls lazy.",
        "derived",
        "out of sample",
        "median universality of rich components less that of the others, trained, by architecture",
        low=0.0,
    ),
    Expectation(
        "rich_beyond_variance",
        "They are so at equal variance as well.",
        "derived",
        "out of sample",
        "partial Spearman correlation of universality with how little of a component's variance was there untrained, "
        "at equal variance, by architecture",
        low=0.0,
    ),
)


def measured(components: pd.DataFrame, untrained: pd.DataFrame, kept: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Measure every claim, by architecture.

    Parameters
    ----------
    components
        A row for each component of trained networks, as :func:`~syzygy.studies.tables.universals.described` gives it.
    untrained
        The same of untrained networks: ``architecture`` and ``universality``.
    kept
        As :func:`~syzygy.studies.tables.universals.by_count` gives it.
    """
    grouped = components.groupby("architecture", sort=False)
    largest = components[components["component"] < LARGEST]
    universal = grouped["universality"].agg(_universal)
    before = untrained.groupby("architecture")["universality"].agg(_universal)
    with np.errstate(divide="ignore", invalid="ignore"):
        gained = universal / before.reindex(universal.index)
    tens = kept[kept["count"] == LARGEST].pivot(index="architecture", columns="chosen", values="kept")
    frames: Mapping[str, pd.Series] = {
        "above_chance": (largest["q"] <= SIGNIFICANT).groupby(largest["architecture"], sort=False).mean(),
        "few_universal": universal / grouped.size(),
        "training_makes_universal": gained,
        "ten_keep_similarity": tens[UNIVERSALLY] if len(tens) else pd.Series(dtype=float),
        "universal_beats_large": tens[UNIVERSALLY] - tens["variance"] if len(tens) else pd.Series(dtype=float),
    }
    told = {name: {str(key): float(value) for key, value in some.items()} for name, some in frames.items()}
    told |= {"universal_first": {}, "rich_are_universal": {}, "rich_beyond_variance": {}}
    for name, some in grouped:
        told["universal_first"][str(name)] = _correlation(some[["universality", "half_way"]])
        rich = some["regime"] == "rich"
        gap = some.loc[rich, "universality"].median() - some.loc[~rich, "universality"].median()
        told["rich_are_universal"][str(name)] = float(gap)
        told["rich_beyond_variance"][str(name)] = -partial(some[["universality", "start_share", "variance"]])
    return told


def partial(frame: pd.DataFrame) -> float:
    """Give Spearman's correlation of the first two columns at equal third one; NaN where there are too few rows.

    It is the correlation of what is left of their ranks once the third one's are regressed out.

    Examples
    --------
    >>> cause, a, b = np.random.default_rng(0).normal(size=(3, 5000))
    >>> bool(abs(partial(pd.DataFrame({"a": cause + a, "b": cause + b, "c": cause}))) < 0.1)
    True
    """
    there = frame[np.isfinite(frame).all(axis=1)].to_numpy(dtype=float)
    if len(there) < LEAST:
        return float("nan")
    a, b, c = (rankdata(column) - (len(there) + 1) / 2 for column in there.T)
    if not (c @ c) > 0:
        return float("nan")
    left, right = a - c * (a @ c) / (c @ c), b - c * (b @ c) / (c @ c)
    size = np.linalg.norm(left) * np.linalg.norm(right)
    return float(left @ right / size) if size > 1e-9 * len(there) ** 2 else float("nan")


def _universal(values: pd.Series) -> int:
    return int((values >= UNIVERSAL).sum())


def _correlation(frame: pd.DataFrame) -> float:
    there = frame[np.isfinite(frame).all(axis=1)].to_numpy(dtype=float)
    if len(there) < LEAST or (np.ptp(there, axis=0) == 0).any():
        return float("nan")
    return float(spearmanr(*there.T).statistic)


def summary(training: pd.DataFrame, kept: pd.DataFrame, told: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Answer the question with what was measured.

    Parameters
    ----------
    training
        :func:`~syzygy.studies.tables.universals.over_training`.
    kept
        As of :func:`measured`.
    told
        What that gave.
    """
    first, last = training.iloc[0], training.iloc[-1]
    said = [
        f"Of {last['components']:.0f} dimensions of {last['networks']:.0f} trained networks, {last['universal']:.0f} "
        f"are universal (at least {UNIVERSAL:.2f}: other networks tell half of their variance); untrained, "
        f"{first['universal']:.0f} of {first['components']:.0f}.",
    ]
    for count, some in kept[kept["chosen"] == UNIVERSALLY].groupby("count"):
        other = kept[(kept["chosen"] == "variance") & (kept["count"] == count)]["kept"].mean()
        many = f"{count} most universal dimensions" if count != 1 else "most universal dimension"
        said.append(
            f"Of its similarity to held-out networks a layer keeps {some['kept'].mean():.0%} with its {many}, "
            f"{other:.0%} with as many of largest variance."
        )
    gaps = [value for value in told["rich_are_universal"].values() if np.isfinite(value)]
    if gaps:
        more = sum(value >= 0 for value in gaps)
        said.append(f"Rich dimensions are more universal than lazy ones in {more} of {len(gaps)} architectures.")
    return said
