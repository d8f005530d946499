"""Dimensions of networks beside those of the reference: their objects, their matches, and what they decide."""

from collections.abc import Sequence
from math import comb
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from syzygy.dimensions.odd_one_out import (
    cumulative,
    deciding,
    divergent,
    pairwise,
    probabilities,
)
from syzygy.dimensions.odd_one_out.combinations import uniform, unranked
from syzygy.result import Finding
from syzygy.studies.tables.odd_one_out import TRAINED, Learned, between_classes

Array = NDArray[np.float64]

#: The code and title of what this study itself finds.
UNSETTLED: Final = ("SZ021", "An embedding was still changing")
#: Objects that stand for a dimension.
NAMED: Final = 3
#: Triplets among which the most divergent are looked for, each with each object as the odd one.
LOOKED_AT: Final = 4000
#: So many of them are shown.
SHOWN: Final = 5

DIMENSIONS_CAPTION: Final = (
    "Every dimension of the reference and of the trained networks, the largest sum first. objects: the three with the "
    "largest weights; classes: share of its variance between classes; decides: share of the held-out choices that it "
    "decides, as the dimension without which their probability changes most. Then its match in the reference: by "
    "weights, with p by shuffled objects; alone: where no two have the same; by similarity: of their matrices."
)
DIVERGENT_CAPTION: Final = (
    "Triplets on which a network and the reference disagree most, by the difference of ranks of the probability that "
    "the first two are the pair: what either gives it, and the dimension of each that decides, with what the "
    "probability loses without it."
)


def dimensions(
    some: Sequence[Learned], reference: Learned, names: Sequence[str], classes: Sequence[int], permutations: int
) -> pd.DataFrame:
    """Give a row for each dimension of the reference and of trained networks."""
    frames = []
    for one in (reference, *(one for one in some if one.state == TRAINED)):
        x = one.best
        if not x.shape[1]:
            continue
        frame = pd.DataFrame({
            "architecture": one.architecture, "network": one.name, "dimension": np.arange(x.shape[1]) + 1,
            "sum": x.sum(axis=0), "objects": [listed(column, names) for column in x.T],
            "classes": between_classes(x, classes), "decides": _decides(one),
        })  # fmt: skip
        frames.append(frame.join(_matches(x, reference.best, permutations)) if one is not reference else frame)
    return pd.concat(frames, ignore_index=True)


def _matches(x: Array, y: Array, permutations: int) -> pd.DataFrame:
    best = pairwise(x, y, permutations=permutations)
    alone, matrices = pairwise(x, y, replacement=False), pairwise(x, y, by="similarity")
    told = {"": best, "_alone": alone, "_by_similarity": matrices}
    frame = {f"{what}{name}": getattr(one, what) for name, one in told.items() for what in ("match", "r")}
    for name in told:
        frame[f"match{name}"] = [int(number) + 1 if number >= 0 else None for number in frame[f"match{name}"]]
    return pd.DataFrame(frame | {"p": best.p})


def _decides(one: Learned) -> Array:
    """Give the share of held-out choices that each dimension decides."""
    if one.training is None:
        return np.full(one.best.shape[1], np.nan)
    found = deciding(one.best, one.training.sides(one.seen)[1]).dimension
    return np.bincount(found[found >= 0], minlength=one.best.shape[1]) / len(found)


def listed(weights: Array, names: Sequence[str], many: int = NAMED) -> str:
    """Name the objects of the largest weights.

    Examples
    --------
    >>> listed(np.array([0.1, 0.9, 0.0, 0.5]), ["cat", "dog", "cow", "hen"])
    'dog, hen, cat'
    """
    return ", ".join(names[place] for place in np.argsort(-weights, kind="stable")[:many])


def curves(some: Sequence[Learned], reference: Learned) -> pd.DataFrame:
    """Add dimensions one at a time: a row for each trained network and number of them."""
    rows = []
    for one in some:
        if one.state != TRAINED or not one.usable:
            continue
        found = cumulative(one.best, reference.matrix)
        rows += [
            {"architecture": one.architecture, "network": one.name, "count": many, "r": r, "needed": found.needed}
            for many, r in enumerate(found.r, 1)
        ]
    return pd.DataFrame(rows)


def disagreements(some: Sequence[Learned], reference: Learned, names: Sequence[str]) -> pd.DataFrame:
    """Find the triplets on which the first trained network of each architecture and the reference disagree most."""
    rows, seen = [], set[str]()
    every = _every(len(names))
    for one in some:
        if one.state != TRAINED or one.architecture in seen or not one.usable or not reference.usable:
            continue
        seen.add(one.architecture)
        found = divergent(one.best, reference.best, every, 3 * SHOWN)
        _, first = np.unique(np.sort(every[found.rows], axis=1), axis=0, return_index=True)
        shown = np.sort(first)[:SHOWN]  # each three objects once
        triplets = every[found.rows[shown]]
        told = [deciding(x, triplets) for x in (one.best, reference.best)]
        favourite = [probabilities(x, triplets).argmax(axis=1) for x in (one.best, reference.best)]
        for row, (triplet, p) in enumerate(zip(triplets, found.probabilities[shown], strict=True)):
            line: dict[str, object] = {"architecture": one.architecture, "network": one.name}
            line |= dict(zip(("first", "second", "third"), (names[place] for place in triplet), strict=True))
            for side, who in enumerate(("network", "reference")):
                number = int(told[side].dimension[row])
                change = told[side].change[row, number] if number >= 0 else 0.0
                line |= {f"p_{who}": p[side], f"odd_{who}": ("third", "second", "first")[favourite[side][row]],
                         f"dimension_{who}": number + 1 if number >= 0 else None, f"loses_{who}": change}  # fmt: skip
            rows.append(line | {"places": " ".join(map(str, triplet))})
    return pd.DataFrame(rows)


def _every(objects: int) -> NDArray[np.int64]:
    """Draw triplets, and give each with each of its objects as the odd one."""
    count = min(LOOKED_AT, comb(objects, 3))
    some = unranked(uniform(objects, count, np.random.default_rng(0)), objects)
    return np.concatenate([some[:, order] for order in ([0, 1, 2], [0, 2, 1], [1, 2, 0])])


def unsettled(learned: pd.DataFrame, stable: int, epochs: int) -> tuple[Finding, ...]:
    """Report embeddings whose number of dimensions was not yet stable for so many epochs."""
    moving = learned[~learned["settled"].astype(bool)]
    lines = tuple(
        f"{network}: {len(rows)} of its embeddings had no {stable} epochs in a row with as many dimensions, of {epochs}"
        for network, rows in moving.groupby("network", sort=False)
    )
    return (Finding(*UNSETTLED, lines),) if lines else ()
