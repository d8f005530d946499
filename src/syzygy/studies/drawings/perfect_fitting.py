"""The drawings of the study of perfect fitting."""

from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from syzygy.figures import COLOURS, Figure

#: What is drawn of the curves, with its colour.
CURVES: Final = {
    "train": ("learned items, as labelled", COLOURS[0]),
    "by_lot": ("learned items with a label by lot", COLOURS[1]),
    "test": ("held-out items, true labels", COLOURS[2]),
}
FIT: Final[dict[str, Any]] = {"color": "#777777", "linewidth": 0.9, "linestyle": "--"}
#: Panels in a row.
ACROSS: Final = 4


def curves(frame: pd.DataFrame) -> Figure:
    """Draw accuracies over steps, with the step of perfect fit.

    Parameters
    ----------
    frame
        :attr:`~syzygy.studies.tables.fitting.Fitting.curves` of all networks.
    """
    return Figure(
        name="accuracy",
        caption="Accuracy over training by network, a line per seed: of learned items as they are labelled, of those "
        "among them whose label was drawn by lot, and of held-out items with their true labels. Dashed: the step from "
        "which on every label is fitted.",
        frame=frame,
        draw=_draw_curves,
    )


def _draw_curves(canvas: Canvas, frame: pd.DataFrame) -> None:
    names = list(dict.fromkeys(frame["network"]))
    panels = _panels(canvas, names, height=2.2)
    for axes, name in zip(panels, names, strict=True):
        own = frame[frame["network"] == name]
        for column, (label, colour) in CURVES.items():
            for number, (_, one) in enumerate(own.groupby("seed")):
                axes.plot(one["step"], one[column], color=colour, alpha=0.8, label=label if not number else None)
        _fits(axes, own)
        axes.set_ylim(0, 1.03)
    canvas.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=8)


def to_the_end(frame: pd.DataFrame, fits: pd.DataFrame) -> Figure:
    """Draw how alike each layer is to its own end.

    Parameters
    ----------
    frame
        :func:`~syzygy.studies.claims.perfect_fitting.way` of all networks.
    fits
        As for :func:`curves`.
    """
    keys = ["network", "measure", "layer", "depth", "step"]
    mean = frame.groupby(keys, sort=False)["score"].mean().reset_index()

    def draw(canvas: Canvas, shown: pd.DataFrame) -> None:
        names, measures = list(dict.fromkeys(shown["network"])), list(dict.fromkeys(shown["measure"]))
        canvas.set_size_inches(0.8 + 2.3 * len(measures), 0.8 + 1.5 * len(names))
        grid = canvas.subplots(len(names), len(measures), squeeze=False, sharey="col")
        for line, name in zip(grid, names, strict=True):
            line[0].set_ylabel(name)
            for axes, measure in zip(line, measures, strict=True):
                for depth, one in shown[(shown["network"] == name) & (shown["measure"] == measure)].groupby("depth"):
                    axes.plot(one["step"], one["score"], color=_shade(float(str(depth))))
                _fits(axes, fits[fits["network"] == name])
                axes.set_xlabel("step" if name == names[-1] else "")
        for axes, measure in zip(grid[0], measures, strict=True):
            axes.set_title(measure)

    return Figure(
        name="to-the-end",
        caption="How alike each layer is to its own end, by measure and network, mean over seeds: dark is the first "
        "layer, bright the last. For decision_regions it is the share of points on planes through triplets of images "
        "on which a linear probe decides as it will at the end. Dashed: perfect fit.",
        frame=mean,
        draw=draw,
    )


def maps(frame: pd.DataFrame, measure: str, fits: pd.DataFrame) -> Figure:
    """Draw a layer at each step against itself at each other.

    Parameters
    ----------
    frame
        :attr:`~syzygy.studies.tables.fitting.Fitting.maps` of all networks.
    measure
        Which of them.
    fits
        As for :func:`curves`.
    """
    own = frame[frame["measure"] == measure]
    mean = own.groupby(["network", "layer", "step", "other"], sort=False)["score"].mean().reset_index()

    def draw(canvas: Canvas, shown: pd.DataFrame) -> None:
        names = list(dict.fromkeys(shown["network"]))
        layers = {name: list(dict.fromkeys(shown.loc[shown["network"] == name, "layer"])) for name in names}
        across = max(len(some) for some in layers.values())
        canvas.set_size_inches(1.2 + 1.35 * across, 0.6 + 1.35 * len(names))
        grid = canvas.subplots(len(names), across, squeeze=False)
        lowest = min(0.0, float(shown["score"].min())) if measure == "cka" else float(shown["score"].min())
        for line, name in zip(grid, names, strict=True):
            fit = fits[(fits["network"] == name) & ~fits["perfect_fit"]].groupby("seed").size()
            for axes in line:
                axes.set_axis_off()
            for axes, layer in zip(line, layers[name], strict=False):
                matrix = shown[(shown["network"] == name) & (shown["layer"] == layer)].pivot(
                    index="step", columns="other", values="score"
                )
                image = axes.imshow(matrix, vmin=lowest, vmax=1, cmap="viridis", origin="lower")
                image.set_rasterized(True)
                axes.set_axis_on()
                axes.set_xticks([])
                axes.set_yticks([])
                if len(fit) and fit.median() < len(matrix):
                    axes.axvline(fit.median() - 0.5, color="white", linewidth=0.8, linestyle="--")
                    axes.axhline(fit.median() - 0.5, color="white", linewidth=0.8, linestyle="--")
                axes.set_title(layer, fontsize=7)
            line[0].set_ylabel(name)
        canvas.colorbar(image, ax=grid, label=measure, shrink=0.6)

    return Figure(
        name=f"map-{measure.replace(':', '-').replace('=', '-')}",
        caption=f"Every layer at each recorded step against itself at each other, by {measure}, mean over seeds: steps "
        "rise to the right and upwards as they were recorded, layers from left to right. Dashed: perfect fit.",
        frame=mean,
        draw=draw,
    )


def starts(frame: pd.DataFrame, fits: pd.DataFrame) -> Figure:
    """Draw where phases begin, with intervals.

    Parameters
    ----------
    frame
        :attr:`~syzygy.studies.tables.fitting.Fitting.phases` of all networks.
    fits
        As for :func:`curves`.
    """
    shown = frame.dropna(subset=["start"]) if "start" in frame else frame.iloc[:0]

    def draw(canvas: Canvas, some: pd.DataFrame) -> None:
        names = list(dict.fromkeys(fits["network"]))
        panels = _panels(canvas, names, height=1.9)
        for axes, name in zip(panels, names, strict=True):
            own = some[some["network"] == name]
            for number, (_, one) in enumerate(own.groupby("seed")):
                ends = np.abs(one[["low", "high"]].to_numpy(dtype=float).T - one["start"].to_numpy(dtype=float))
                axes.errorbar(one["start"], one["depth"] + 0.02 * number, xerr=ends, fmt="o", markersize=2.5,
                              linewidth=0.8, color=COLOURS[number % len(COLOURS)])  # fmt: skip
            _fits(axes, fits[fits["network"] == name])
            axes.set_ylim(0, 1.12)
        panels[0].set_ylabel("relative depth")

    return Figure(
        name="phases",
        caption="Where a layer's course changes: the first step of each later phase over the layer's depth, by "
        "network, a colour per seed; lines are intervals of 95% from halves of the images, and reach back to the step "
        "recorded before. Dashed: perfect fit.",
        frame=shown,
        draw=draw,
    )


def _panels(canvas: Canvas, names: list[str], height: float) -> list[Axes]:
    """Make a panel for each network, with steps on a logarithmic axis."""
    rows = -(-len(names) // ACROSS)
    canvas.set_size_inches(0.6 + 2.5 * min(ACROSS, len(names)), 0.7 + height * rows)
    grid = canvas.subplots(rows, min(ACROSS, len(names)), squeeze=False, sharey=True).ravel()
    for axes in grid[len(names) :]:
        axes.set_axis_off()
    for axes, name in zip(grid, names, strict=False):
        axes.set_title(name)
        axes.set_xlabel("step")
    return list(grid[: len(names)])


def _fits(axes: Axes, curves: pd.DataFrame) -> None:
    """Mark the step of perfect fit of each seed, and make steps logarithmic from one on."""
    for _, one in curves[curves["perfect_fit"]].groupby("seed"):
        axes.axvline(one["step"].iloc[0], **FIT)
    axes.set_xscale("symlog", linthresh=1)
    last = int(curves["step"].max())
    axes.set_xlim(0, last)
    axes.set_xticks([0, *(ten for ten in (1, 100, 10_000, 1_000_000) if ten <= last)])


def _shade(depth: float) -> tuple[float, float, float, float]:
    return colormaps["viridis"](0.9 * depth)
