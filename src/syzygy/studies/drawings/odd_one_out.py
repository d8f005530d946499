"""The drawings of the study of odd-one-out dimensions."""

from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from syzygy.figures import COLOURS, Figure
from syzygy.studies.claims.odd_one_out import AGAIN, ARCHITECTURES, MATCHED, REFERENCE, SEEDS
from syzygy.studies.drawings.convergence import logarithmic
from syzygy.studies.tables.odd_one_out import TRAINED, UNTRAINED, Learned

Array = NDArray[np.float64]

GREY: Final = "#777777"
#: Objects of a matrix that are drawn, evenly chosen.
DRAWN: Final = 200
#: Similarity off the diagonal is a third on average.
MEAN: Final = 1 / 3


def matrices(some: Sequence[Learned], classes: Sequence[int]) -> Figure:
    """Draw similarity matrices of the reference, and of the first network of each architecture at both ends.

    Parameters
    ----------
    some
        The embeddings.
    classes
        Of the objects, which are drawn in their order; none if there are none.
    """
    chosen: dict[tuple[str, str], Learned] = {}
    for one in some:
        if one.usable and one.state in (REFERENCE, UNTRAINED, TRAINED):
            chosen.setdefault((one.architecture, one.state), one)
    order = np.argsort(classes, kind="stable") if len(classes) else np.arange(len(next(iter(some)).matrix))
    order = order[np.unique(np.linspace(0, len(order) - 1, min(DRAWN, len(order))).round().astype(int))]
    shown = {key: one.matrix[np.ix_(order, order)] for key, one in chosen.items()}
    where = np.triu_indices(len(order), 1)
    frame = pd.DataFrame({f"{name}, {state}": matrix[where] for (name, state), matrix in shown.items()})
    caption = (
        "How alike objects are: the probability that two are the pair, whatever the third; 1/3 on average. "
        + ("In the order of their classes. " if len(classes) else "")
        + "The reference, and the first seed of each architecture."
    )
    frame.insert(0, "object", order[where[0]])
    frame.insert(1, "other", order[where[1]])
    return Figure("matrices", caption, frame, partial(_draw_matrices, len(order)))


def _draw_matrices(size: int, canvas: Canvas, frame: pd.DataFrame) -> None:
    names = [str(name) for name in frame.columns[2:]]
    columns = min(4, len(names))
    rows = -(-len(names) // columns)
    canvas.set_size_inches(0.8 + 1.75 * columns, 0.3 + 1.85 * rows)
    panels = canvas.subplots(rows, columns, squeeze=False)
    drawn = None
    for axes, name in zip(panels.ravel(), names, strict=False):
        matrix = np.full((size, size), np.nan)
        matrix[np.triu_indices(size, 1)] = frame[name]
        matrix = np.where(np.isnan(matrix), matrix.T, matrix)
        drawn = axes.imshow(matrix, cmap="cividis", vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(name.removesuffix(f", {REFERENCE}"), fontsize=8)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.grid(visible=False)
    for axes in panels.ravel()[len(names) :]:
        axes.set_axis_off()
    if drawn is not None:
        canvas.colorbar(drawn, ax=panels.ravel().tolist(), shrink=0.7, ticks=[0, MEAN, 1], format="%.2f")


def over_training(alike: pd.DataFrame, learned: pd.DataFrame) -> Figure:
    """Draw when networks find alike what the reference does, and when their dimensions follow classes.

    Parameters
    ----------
    alike
        As :func:`syzygy.studies.tables.odd_one_out.by_network` gives it.
    learned
        As :func:`syzygy.studies.tables.odd_one_out.by_embedding` gives it.
    """
    means = learned.groupby(["network", "step"], sort=False)[["classes", "accuracy"]].mean().reset_index()
    frame = alike.merge(means, on=["network", "step"], how="left")
    columns = ["architecture", "network", "step", "pearson", "spearman", "dimensions", "classes", "accuracy"]
    return Figure(
        name="over-training",
        caption="What comes with training. Left: correlation of a network's similarity matrix with the reference's "
        "(Pearson's r; dashed, Spearman's). Middle: share of its dimensions' variance between classes. Right: number "
        "of dimensions. Dots are networks, lines the first seed.",
        frame=frame[columns],
        draw=_draw_over_training,
    )


def _draw_over_training(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(7.6, 2.8)
    panels = canvas.subplots(1, 3)
    named = {
        "pearson": "similarity to the reference",
        "classes": "variance between classes",
        "dimensions": "dimensions",
    }
    for axes, (column, label) in zip(panels, named.items(), strict=True):
        for index, (name, some) in enumerate(frame.groupby("architecture", sort=False)):
            colour = COLOURS[index % len(COLOURS)]
            axes.scatter(some["step"], some[column], s=10, color=colour, alpha=0.7, linewidths=0)
            first = some[some["network"] == some["network"].iloc[0]]
            axes.plot(first["step"], first[column], color=colour, label=str(name))
            if column == "pearson":
                axes.plot(first["step"], first["spearman"], color=colour, linestyle="--")
        if frame["step"].nunique() > 1:
            logarithmic(axes)
        axes.set_xlabel("step")
        axes.set_title(label)
        axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
    panels[-1].yaxis.set_major_locator(MaxNLocator(integer=True))
    canvas.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=8)


def shared(frame: pd.DataFrame) -> Figure:
    """Draw who shares dimensions with whom.

    Parameters
    ----------
    frame
        As :func:`syzygy.studies.tables.odd_one_out.sharing` gives it.
    """
    return Figure(
        name="shared",
        caption="Who shares dimensions: correlation of a dimension with its match in the embedding of the same "
        "choices learned again, of networks of other seeds, of other architectures, and of the reference, matched on "
        "one half of the objects and scored on the other. A dot is the mean of one embedding's dimensions in another; "
        "bars are means.",
        frame=frame,
        draw=_draw_shared,
    )


def _draw_shared(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(6.4, 3)
    axes = canvas.subplots()
    kinds = [AGAIN, SEEDS, ARCHITECTURES, REFERENCE]
    names = [name for name in dict.fromkeys(frame["architecture"]) if name != REFERENCE]
    for shift, (state, marker) in enumerate({UNTRAINED: "o", TRAINED: "D"}.items()):
        for index, name in enumerate(names):
            some = frame[(frame["architecture"] == name) & (frame["state"] == state)]
            for place, kind in enumerate(kinds):
                values = some[some["kind"] == kind]["r"]
                x = place + (shift - 0.5) * 0.42 + (index - (len(names) - 1) / 2) * 0.3 / max(1, len(names))
                colour = COLOURS[index % len(COLOURS)]
                face = colour if state == TRAINED else "none"
                axes.scatter([x] * len(values), values, s=11, marker=marker, facecolors=face, edgecolors=colour,
                             linewidths=0.7, alpha=0.8, label=f"{name}, {state}" if not place else None)  # fmt: skip
                if len(values):
                    axes.plot([x - 0.05, x + 0.05], [values.mean()] * 2, color=colour, linewidth=2)
    own = frame[(frame["architecture"] == REFERENCE) & (frame["kind"] == AGAIN)]["r"]
    axes.scatter([0] * len(own), own, s=22, marker="*", color="black", label="the reference")
    axes.axhline(0, color=GREY, linewidth=0.9)
    axes.set_xticks(range(len(kinds)), ["learned again", "other seeds", "other architectures", "the reference"])
    axes.set_ylabel("correlation with the match")
    axes.grid(visible=False, axis="x")
    canvas.legend(*axes.get_legend_handles_labels(), loc="outside right center", fontsize=7.5)


def added(frame: pd.DataFrame) -> Figure:
    """Draw how soon the first dimensions reach the similarity of all.

    Parameters
    ----------
    frame
        As :func:`syzygy.studies.tables.odd_pairs.curves` gives it.
    """
    return Figure(
        name="added",
        caption="Dimensions of trained networks, added one at a time, the largest first: share of the reference's "
        "similarities that they explain (r²). Circles: 95% of the final one.",
        frame=frame,
        draw=_draw_added,
    )


def _draw_added(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(4.8, 2.9)
    axes = canvas.subplots()
    for index, (name, some) in enumerate(frame.groupby("architecture", sort=False)):
        for number, (_, one) in enumerate(some.groupby("network", sort=False)):
            colour, label = COLOURS[index % len(COLOURS)], str(name) if not number else None
            axes.plot(one["count"], one["r"] ** 2, color=colour, label=label, alpha=0.8)
            there = one[one["count"] == one["needed"]]
            axes.scatter(there["count"], there["r"] ** 2, s=22, facecolors="none", edgecolors=colour)
    axes.set_xlabel("dimensions")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("r² with the reference")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8)


def pairs(frame: pd.DataFrame) -> Figure:
    """Draw how well each dimension of a network is matched by one of the reference.

    Parameters
    ----------
    frame
        As :func:`syzygy.studies.tables.odd_pairs.dimensions` gives it, of networks alone.
    """
    columns = ["architecture", "network", "dimension", "match", "r", "match_alone", "r_alone", "match_by_similarity",
               "r_by_similarity", "p"]  # fmt: skip
    return Figure(
        name="pairs",
        caption="Dimensions of trained networks, each with its match in the reference, the best on the left (mean over "
        "seeds): the match of the largest correlation; where no two dimensions have the same match; and of similarity "
        f"matrices of single dimensions. Grey: r = {MATCHED:g}.",
        frame=frame[columns],
        draw=_draw_pairs,
    )


def _draw_pairs(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(7.4, 2.7)
    kinds = {"r": "any match", "r_alone": "each match once", "r_by_similarity": "by similarity"}
    panels = canvas.subplots(1, len(kinds), sharey=True)
    for axes, (column, title) in zip(panels, kinds.items(), strict=True):
        for index, (name, some) in enumerate(frame.groupby("architecture", sort=False)):
            lines = [np.sort(one[column].dropna())[::-1] for _, one in some.groupby("network")]
            most = max((len(one) for one in lines), default=0)
            whole = np.full((len(lines), most), np.nan)
            for row, one in enumerate(lines):
                whole[row, : len(one)] = one
            if most:
                mean = np.nanmean(whole, axis=0)
                axes.plot(np.arange(most) + 1, mean, color=COLOURS[index % len(COLOURS)], marker=".", label=str(name))
        axes.axhline(MATCHED, color=GREY, linewidth=0.9)
        axes.set_title(title)
        axes.set_xlabel("dimension, best first")
    panels[0].set_ylabel("correlation")
    panels[0].legend(fontsize=8)
