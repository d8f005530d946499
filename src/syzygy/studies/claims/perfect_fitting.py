"""What the study of perfect fitting claims, with the numbers that decide; bounds were set before any was measured."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from syzygy.claims import Expectation
from syzygy.networks import Setting
from syzygy.studies.tables.fitting import REGIONS, Fitting

#: The measure that decides.
CKA: Final = "cka"
#: What must be the same of two networks that differ by their optimiser.
ARCHITECTURE: Final = ("type", "activation", "width", "depth")

Pairs = list[tuple[str, str]]

EXPECTATIONS: Final[tuple[Expectation, ...]] = (
    Expectation(
        "deeper_moves_further",
        "Deeper layers end further from where they were.",
        "literature",
        "no fit",
        "Spearman's correlation of a layer's depth with the CKA of its untrained and its final representation, mean "
        "over seeds, by network of three layers or more",
        high=-0.5,
    ),
    Expectation(
        "peak_before_fit",
        "With noisy labels the test accuracy peaks before perfect fit.",
        "literature",
        "no fit",
        "highest test accuracy before perfect fit, less that at perfect fit, mean over seeds, by network with noisy "
        "labels",
        low=0.02,
    ),
    Expectation(
        "cka_saturates",
        "At perfect fit representations are all but final.",
        "literature",
        "no fit",
        "share of its way from the untrained to the final CKA with the end that a layer still has before it at perfect "
        "fit, mean over layers and seeds, by network with noisy labels",
        high=0.1,
    ),
    Expectation(
        "regions_still_move",
        "Decision regions are not: they move on.",
        "literature",
        "no fit",
        "the same share of decision regions, less that of CKA",
        low=0.05,
    ),
    Expectation(
        "dip_under_sgd",
        "Under SGD the last layer first moves away from where it will end.",
        "literature",
        "no fit",
        "CKA with the end of the last layer: untrained, less its lowest on the way, mean over seeds, by network under "
        "SGD with noisy labels",
        low=0.05,
    ),
    Expectation(
        "sgd_phases_clearer",
        "Phases are clearer under SGD than under Adam.",
        "literature",
        "no fit",
        "share of the scatter of a layer's course between its best three phases, mean over layers and seeds: under SGD "
        "less under Adam, by architecture",
        low=0.0,
    ),
    Expectation(
        "transformer_phases_clearer",
        "Phases are clearer in a transformer than in a residual network.",
        "literature",
        "no fit",
        "the same share: of the transformer less of the residual network, by optimiser",
        low=0.0,
    ),
    Expectation(
        "transformer_in_step",
        "The blocks of a transformer change together, the layers of a residual network one after the other.",
        "literature",
        "no fit",
        "standard deviation over layers of the logarithm (base 10) of the step at which a layer's CKA with the end is "
        "half-way, mean over seeds: of the residual network less that of the transformer, by optimiser",
        low=0.0,
    ),
)


def measured(found: Mapping[str, Fitting], networks: Sequence[Setting]) -> dict[str, dict[str, float]]:
    """Measure every claim, case by case.

    Parameters
    ----------
    found
        By network; those at other noise come under names of their own.
    networks
        The settings of all, noisy ones only.
    """
    noisy = {one.name: one for one in networks if one.name in found}
    ways = {name: way(one) for name, one in found.items()}
    clear = {name: _mean(found[name].phases.groupby(["seed", "layer"])["three"].first()) for name in noisy}
    spread = {name: _mean(half_ways(ways[name]).groupby(level=0).std()) for name in noisy}
    return {
        "deeper_moves_further": {name: _order(some) for name, some in ways.items() if some["layer"].nunique() > 2},
        "peak_before_fit": {name: _mean(peaks(found[name].curves)["fall"]) for name in noisy},
        "cka_saturates": {name: _mean(left(ways[name], CKA)) for name in noisy},
        "regions_still_move": {name: _mean(left(ways[name], REGIONS)) - _mean(left(ways[name], CKA)) for name in noisy},
        "dip_under_sgd": {name: _dip(ways[name]) for name, one in noisy.items() if one.optimiser == "sgd"},
        "sgd_phases_clearer": _apart(clear, _by_optimiser(noisy)),
        "transformer_phases_clearer": _apart(clear, [(other, one) for one, other in _by_type(noisy)]),
        "transformer_in_step": _apart(spread, _by_type(noisy)),
    }


def way(one: Fitting) -> pd.DataFrame:
    """Give every layer's similarity to its end: the maps' last column, by measure, with what is fitted by then."""
    keys = ["network", "seed"]
    last = one.maps.groupby(keys)["other"].transform("max")
    ends = one.maps[one.maps["other"] == last]
    return ends.merge(one.curves[[*keys, "step", "perfect_fit"]], on=[*keys, "step"])


def left(some: pd.DataFrame, measure: str) -> pd.Series:
    """Give the share of its way that each layer has before it at perfect fit; NaN where that is never."""
    own = some[some["measure"] == measure]
    rows = {}
    for key, curve in own.groupby(["seed", "layer"], sort=False):
        first, at = curve["score"].iloc[0], curve.loc[curve["perfect_fit"], "score"]
        rows[key] = (1 - at.iloc[0]) / (1 - first) if len(at) > 1 and first < 1 else np.nan
    return pd.Series(rows, dtype=float)


def peaks(curves: pd.DataFrame) -> pd.DataFrame:
    """Give for each seed the step of perfect fit, the best test accuracy before it and at it; NaN without one."""
    rows = []
    for seed, curve in curves.groupby("seed", sort=False):
        at, before = curve[curve["perfect_fit"]], curve[~curve["perfect_fit"]]
        best = (before if len(before) else curve).nlargest(1, "test").iloc[0]
        there = at["test"].iloc[0] if len(at) else np.nan
        rows.append({
            "network": curve["network"].iloc[0], "seed": seed, "peak_step": best["step"], "peak": best["test"],
            "fit_step": at["step"].iloc[0] if len(at) else np.nan, "at_fit": there, "fall": best["test"] - there,
            "end": curve["test"].iloc[-1], "train_end": curve["train"].iloc[-1],
        })  # fmt: skip
    return pd.DataFrame(rows)


def half_ways(some: pd.DataFrame) -> pd.Series:
    """Give log10 of the step at which each layer's CKA with the end last rises through the half of its way."""
    rows = {}
    for key, curve in some[some["measure"] == CKA].groupby(["seed", "layer"], sort=False):
        score, steps = curve["score"].to_numpy(), np.log10(1 + curve["step"].to_numpy())
        half = (score[0] + 1) / 2
        below = np.flatnonzero(score < half)
        if not below.size or below[-1] + 1 == len(score):
            continue
        before, after = below[-1], below[-1] + 1
        rows[key] = steps[before] + (steps[after] - steps[before]) * (half - score[before]) / (
            score[after] - score[before]
        )
    return pd.Series(rows, dtype=float)


def _order(some: pd.DataFrame) -> float:
    first = some[(some["measure"] == CKA) & (some["step"] == some["step"].min())]
    each = [
        spearmanr(one["depth"], one["score"]).statistic for _, one in first.groupby("seed") if one["score"].std() > 0
    ]
    return float(np.mean(each)) if each else np.nan


def _dip(some: pd.DataFrame) -> float:
    last = some[(some["measure"] == CKA) & (some["depth"] == 1)].groupby("seed")["score"]
    return float((last.first() - last.min()).mean())


def _by_optimiser(noisy: Mapping[str, Setting]) -> Pairs:
    """Pair networks that differ by their optimiser: SGD first."""
    return [
        (one.name, other.name)
        for one in noisy.values()
        for other in noisy.values()
        if (one.optimiser, other.optimiser) == ("sgd", "adam")
        and all(getattr(one, key) == getattr(other, key) for key in ARCHITECTURE)
    ]


def _by_type(noisy: Mapping[str, Setting]) -> Pairs:
    """Pair residual networks with transformers of one optimiser."""
    return [
        (one.name, other.name)
        for one in noisy.values()
        for other in noisy.values()
        if (one.type, other.type) == ("residual", "transformer") and one.optimiser == other.optimiser
    ]


def _apart(values: Mapping[str, float], pairs: Pairs) -> dict[str, float]:
    return {f"{one} – {other}": values[one] - values[other] for one, other in pairs}


def _mean(values: pd.Series) -> float:
    """Give the mean; NaN where one is missing, for a mean over those that fitted would choose them."""
    return float(values.mean(skipna=False)) if len(values) else np.nan
