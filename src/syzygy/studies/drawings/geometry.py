"""The drawings of a study of the geometry of many items."""

from functools import partial
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray
from scipy.spatial.distance import squareform

from syzygy.figures import COLOURS, Figure
from syzygy.studies.tables.geometry import MEAN, PREDICTIONS, SCOPES

#: Columns drawn, with their titles.
DRAWN: Final = {
    "measured": "measured ‖dh‖²",
    "other_networks": "pair theory,\nrates of other networks",
    "published": "published:\nsums over classes",
    "start": "no theory:\n‖dh‖² at the start",
}
DOTS_PER_INCH = 200


def matrices(frame: pd.DataFrame, labels: NDArray[np.int64]) -> Figure:
    """Draw measured and predicted distances of all items, sorted by class, as matrices.

    Parameters
    ----------
    frame
        A row per pair, in the order of :func:`scipy.spatial.distance.pdist`, with the columns of :data:`DRAWN`.
    labels
        Class of each item, ``(item,)``.
    """
    return Figure(
        name="matrices",
        caption="Squared distances of the probe images, sorted by class, mean over networks: measured at the end of "
        "training, predicted by the pair theory, by the published formula, and at the start of training. Each matrix "
        "has a scale of its own, from zero (dark) to its largest value (bright).",
        frame=frame,
        draw=partial(_draw_matrices, labels=labels),
    )


def _draw_matrices(canvas: Canvas, frame: pd.DataFrame, labels: NDArray[np.int64]) -> None:
    canvas.set_size_inches(10, 3.1)
    canvas.set_dpi(DOTS_PER_INCH)
    there = [column for column in DRAWN if column in frame]
    classes, first, counts = np.unique(labels, return_index=True, return_counts=True)
    for axes, column in zip(canvas.subplots(1, len(there), squeeze=False)[0], there, strict=True):
        axes.imshow(squareform(frame[column].to_numpy()), cmap="viridis", vmin=0, interpolation="nearest")
        for edge in first[1:]:
            axes.axhline(edge - 0.5, color="white", linewidth=0.4)
            axes.axvline(edge - 0.5, color="white", linewidth=0.4)
        axes.set_xticks(first + (counts - 1) / 2, classes)
        axes.set_yticks(first + (counts - 1) / 2, classes)
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.set_title(DRAWN[column])


def scatter(frame: pd.DataFrame) -> Figure:
    """Draw what was measured over each prediction, a dot per pair.

    Parameters
    ----------
    frame
        As in :func:`matrices`, with ``different``.
    """
    return Figure(
        name="scatter",
        caption="Measured squared distance of every pair of probe images (mean over networks) over each prediction: "
        "pairs of different classes in blue, of one class in orange. The line in the first panel is y = x; the "
        "others are predicted up to a factor, or are no prediction of the end.",
        frame=frame,
        draw=_draw_scatter,
    )


def _draw_scatter(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(10, 2.9)
    canvas.set_dpi(DOTS_PER_INCH)
    titles = {column: title for column, title in DRAWN.items() if column in frame and column != "measured"}
    titles |= {"input": "no theory:\n‖dx‖"}
    panels = canvas.subplots(1, len(titles), sharey=True, squeeze=False)[0]
    for axes, (column, title) in zip(panels, titles.items(), strict=True):
        for index, (different, some) in enumerate(frame.groupby("different", sort=False)):
            label = "different classes" if different else "same class"
            colour = COLOURS[0 if different else 1]
            axes.scatter(
                some[column], some["measured"], s=3, alpha=0.4, color=colour, linewidths=0, label=label,
                rasterized=True, zorder=2 + index,
            )  # fmt: skip
        axes.set_title(title)
        axes.set_xlim(left=0)
        axes.locator_params(axis="x", nbins=4)
    top = frame["measured"].max()
    panels[0].plot([0, top], [0, top], color="#777777", linewidth=0.8, zorder=1)
    panels[0].set_ylabel("measured ‖dh‖²")
    panels[0].set_ylim(bottom=0)
    panels[0].legend(fontsize=8, markerscale=3, loc="upper left")


def correlation_figure(scores: pd.DataFrame, null: pd.DataFrame) -> Figure:
    """Draw the correlation of every prediction with what was measured.

    Parameters
    ----------
    scores, null
        As ``correlations`` and ``permuted`` of :mod:`syzygy.studies.tables.geometry` give them.
    """
    bands = null[["pairs", "prediction", "null_low", "null_high"]]
    return Figure(
        name="correlation",
        caption="Pearson's correlation of each prediction with the measured squared distances, over all pairs and over "
        "those of different classes. Filled: of the mean over networks; open: of each network; grey: 95% of the "
        "correlations after the classes of the images are shuffled. Predictions that know no theory are orange.",
        frame=scores.merge(bands, on=["pairs", "prediction"], how="left"),
        draw=_draw_correlations,
    )


def _draw_correlations(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(10, 3.2)
    names = [name for name in PREDICTIONS if name in set(frame["prediction"])]
    panels = canvas.subplots(1, len(SCOPES), sharey=True)
    for axes, scope in zip(panels, SCOPES, strict=True):
        for row, name in enumerate(names):
            _draw_row(axes, row, frame[(frame["pairs"] == scope) & (frame["prediction"] == name)])
        axes.axvline(0, color="#777777", linewidth=0.8)
        axes.set_xlim(min(-0.2, float(frame["pearson"].min()) - 0.05), 1.02)
        axes.set_title(scope)
        axes.set_xlabel("correlation with measured ‖dh‖²")
    panels[0].set_yticks(range(len(names)), [PREDICTIONS[name] for name in names])
    panels[0].invert_yaxis()


def _draw_row(axes: Axes, row: int, some: pd.DataFrame) -> None:
    colour = COLOURS[1 if some["in words"].str.startswith("no theory").any() else 0]
    axes.plot(some[["null_low", "null_high"]].iloc[0], [row, row], color="#bbbbbb", linewidth=7, solid_capstyle="butt")
    mean = some["network"] == MEAN
    each = some.loc[~mean, "pearson"]
    axes.scatter(each, np.full(len(each), row), s=14, facecolors="none", edgecolors=colour, linewidths=0.7, zorder=3)
    axes.scatter(some.loc[mean, "pearson"], [row], s=42, color=colour, zorder=4)
