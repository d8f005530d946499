"""What a comparison answers, as a result that has a page."""

import re
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd

from syzygy.alignment import Alignment
from syzygy.alignment.drawings import cells, heatmaps, maps, over_training
from syzygy.axes import MEASURE, OTHER_REPRESENTATION, REPRESENTATION
from syzygy.comparison.doubts import LEVEL, doubts
from syzygy.comparison.tables import LEAST_P, measures, nearest, pairs, placed, representations, training
from syzygy.figures import Figure
from syzygy.measures import Measure
from syzygy.result import Result, Table

TITLE: Final = "Every pair, against chance"
QUESTION: Final = "How alike are these representations of the same items, and how alike would chance make them?"

#: References by the name of a measure.
SOURCES: Final = {
    "bures": "shapes", "cka": "cka", "cknna": "platonic", "distance_correlation": "distance-correlation",
    "jaccard_knn": "platonic", "mutual_knn": "platonic", "permutation_matching": "convergent",
    "procrustes": "shapes", "pwcca": "pwcca", "representational_distance": "theory", "rsa": "rsa", "rv": "rv",
    "shape": "shapes", "soft_matching": "soft-matching", "svcca": "svcca", "svcca_squared": "svcca",
}  # fmt: skip


def comparison(alignment: Alignment, *, seed: int = 0) -> Result:
    """Tell what an alignment found: findings, tables, figures.

    Parameters
    ----------
    alignment
        Of :func:`syzygy.align`.  Where it still has its representations, they are read once more, for what speaks
        against them.
    seed
        Of the maps.

    Returns
    -------
    Result
        ``syzygy.report.write_report`` writes its page.

    Examples
    --------
    >>> import numpy as np
    >>> from syzygy.alignment import align
    >>> x, y = np.random.default_rng(0).normal(size=(2, 50, 8))
    >>> comparison(align({"x": x, "twice x": 2 * x, "y": y})).summary[0]
    '3 representations of 50 items, 3 pairs, by 1 measure.'
    """
    rows, along, points = pairs(alignment), training(alignment), placed(alignment, seed)
    about = measures(alignment, points)
    figures = [_heatmap(alignment, one) for one in alignment.measures]
    if len(alignment.names) > 2:
        figures.append(_map(points))
    if len(along):
        figures.append(_training(along))
    used = dict.fromkeys(SOURCES[one.name] for one in alignment.measures if one.name in SOURCES)
    return Result(
        study="compare",
        title=TITLE,
        question=QUESTION,
        summary=tuple(_summary(alignment, rows, about)),
        specification=_specification(alignment),
        findings=doubts(alignment, rows),
        tables=(
            *(_pairs_table(alignment, one, rows) for one in alignment.measures),
            Table("measures", "What was measured, where chance puts it, and what came out: means over all pairs, and "
                  f"the share of pairs with q below {LEVEL:g}.", about),
            Table("representations", "What was compared. Most like: by the first measure, calibrated where it can be.",
                  representations(alignment)),
        ),
        figures=tuple(figures),
        references=(*used, "chance", "discovery"),
        versions=alignment.about["versions"],
    )  # fmt: skip


def _specification(alignment: Alignment) -> dict[str, Any]:
    about = alignment.about
    asked = {name: about[name] for name in ("dtype", "permutations", "bootstrap", "seed", "items")}
    return {"measures": [one.label for one in alignment.measures], "representations": list(alignment.names)} | asked


def _summary(alignment: Alignment, rows: pd.DataFrame, about: pd.DataFrame) -> Iterator[str]:
    count, items = len(alignment.names), alignment.about["items"]
    number = count * (count - 1) // 2
    yield (f"{count} representation{'s' * (count != 1)} of {items} items, {number} pair{'s' * (number != 1)}, by "
           f"{len(about)} measure{'s' * (len(about) != 1)}.")  # fmt: skip
    for _, one in about.iterrows():
        if not np.isfinite(one["score"]):
            continue
        said = f"{one['measure']}: {one['score']:.2f} on average"
        if np.isfinite(one["chance"]):
            said += f", where chance would give {one['chance']:.2f}"
        if np.isfinite(one["above chance"]):
            said += f"; {one['above chance']:.0%} of pairs are more alike than chance (q below {LEVEL:g})"
        yield said.replace("-0.00", "0.00").replace(" -", " −") + "."
    best = nearest(alignment, rows)
    if best is not None:
        apart = "" if best["alone"] else " of different networks"
        yield (f"Most alike{apart} by {best['measure']}: {best[REPRESENTATION]} and {best[OTHER_REPRESENTATION]}, "
               f"{best['score']:.2f}.")  # fmt: skip


def _pairs_table(alignment: Alignment, one: Measure, rows: pd.DataFrame) -> Table:
    some = rows[rows["measure"] == one.label].drop(columns="measure")
    count = len(alignment.names)
    number = count * (count - 1) // (2 if one.symmetric else 1)
    caption = (
        f"Every pair by {one.label}, those farthest above chance first. Chance and spread: mean and standard deviation "
        "of the score if the items of one were shuffled. Calibrated: 0 at chance, 1 at best. p: the probability of "
        f"being this much alike by chance; q: corrected for the number of pairs. Neither is given below {LEAST_P:g}."
    )
    if not one.symmetric:
        caption += " The first of a pair predicts the other."
    if number > len(some):
        caption += f" The first {len(some)} of {number}; all are in alignment.zarr."
    if "score_low" in some:
        caption += " In brackets: 95% over items."
    return Table(f"pairs-{_file(one)}", caption, some)


def _file(one: Measure) -> str:
    return re.sub(r"[^\w.]+", "-", one.label)


def _heatmap(alignment: Alignment, one: Measure) -> Figure:
    frame = cells(alignment.data.sel({MEASURE: one.label}))
    coarse = "" if len(frame) == len(alignment.names) ** 2 else " Cells are means over neighbours."
    order = "" if one.symmetric else " Rows predict columns."
    return Figure(
        name=f"scores-{_file(one)}",
        caption=f"{one.label}: {one.about}. Left the score of every pair, right the same calibrated: 0 at chance, 1 "
        f"at best. Bright is alike.{order}{coarse} "
        f"By chance: {one.luck}.",
        frame=frame,
        draw=partial(heatmaps, distance=[one.label] if one.kind == "distance" else []),
    )


def _map(points: pd.DataFrame) -> Figure:
    return Figure(
        name="map",
        caption="The map: points are as far apart as a measure says that representations differ, as well as a plane "
        "can show it. Stress is what it cannot: 0 is exact, above 0.2 the map misleads. Cosines are drawn by their "
        "angle, other similarities by what they lack of 1. Lines follow training, to the larger marker.",
        frame=points,
        draw=maps,
    )


def _training(along: pd.DataFrame) -> Figure:
    return Figure(
        name="training",
        caption="Alignment over training. Left: every two networks at the same step and layer; right: each network "
        "with its own last recorded step. Thin lines are pairs or networks, thick ones medians, dashes the mean of "
        "chance.",
        frame=along,
        draw=over_training,
    )
