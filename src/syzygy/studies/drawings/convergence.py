"""The drawings of the study of convergence."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import NullFormatter

from syzygy.figures import COLOURS, Figure
from syzygy.studies.tables.alignments import ARCHITECTURES, SEEDS, Place

CHANCE: Final = {"color": "#777777", "linewidth": 0.9}
KINDS: Final = {SEEDS: COLOURS[0], ARCHITECTURES: COLOURS[1]}
CALIBRATED: Final = "calibrated alignment"


def over_training(frame: pd.DataFrame) -> Figure:
    """Draw the alignment of both kinds of pairs over training.

    Parameters
    ----------
    frame
        As :func:`syzygy.studies.tables.alignments.over_training` gives it.
    """
    return Figure(
        name="over-training",
        caption="Alignment of held-out images over training, by measure: mean over all pairs of networks, layers at "
        "matched depth, with the standard deviation over pairs (band). Above, calibrated: 0 is chance (grey), 1 is a "
        "representation with itself; dashed, the same pairs untrained. Below, the scores themselves, with the level "
        "of chance (dotted); a distance falls as networks align.",
        frame=frame,
        draw=_draw_over_training,
    )


def _draw_over_training(canvas: Canvas, frame: pd.DataFrame) -> None:
    measures = list(dict.fromkeys(frame["measure"]))
    canvas.set_size_inches(0.6 + 3.1 * len(measures), 5)
    panels = canvas.subplots(2, len(measures), squeeze=False, sharex=True, sharey="row" if len(measures) < 2 else False)
    for (above, below), measure in zip(panels.T, measures, strict=True):
        for kind, colour in KINDS.items():
            some = frame[(frame["measure"] == measure) & (frame["kind"] == kind)]
            steps, middle, width = some["step"], some["calibrated"], some["scatter"].fillna(0)
            above.fill_between(steps, middle - width, middle + width, color=colour, alpha=0.15, linewidth=0)
            above.plot(steps, middle, color=colour, marker=".", label=kind)
            above.plot(steps, some["untrained"], color=colour, linestyle="--", linewidth=0.9)
            below.plot(steps, some["score"], color=colour, marker=".")
            below.plot(steps, some["chance"], color=colour, linestyle=":", linewidth=1)
        above.axhline(0, **CHANCE)
        above.set_title(measure)
        above.set_ylim(top=1.02)
        below.set_xlabel("step")
        logarithmic(below)
    panels[0, 0].set_ylabel(CALIBRATED)
    panels[1, 0].set_ylabel("score")
    canvas.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=8)


def every_layer(last: xr.Dataset, some: Sequence[Place]) -> Figure:
    """Draw every layer of every network against every other, at the last step.

    Parameters
    ----------
    last
        The last step of what :func:`syzygy.studies.tables.alignments.every_pair` gives.
    some
        The layers, in its order.
    """
    (first, second), named = np.triu_indices(len(some), 1), np.array([one.name for one in some])
    frames = []
    for measure in last["measure"].values:
        own = last.sel(measure=measure)
        numbers = {name: own[name].values[first, second] for name in ("score", "chance", "calibrated", "p", "q")}
        names = {"one": named[first], "other": named[second]}
        frames.append(pd.DataFrame({"measure": str(measure)} | names | numbers))

    def draw(canvas: Canvas, frame: pd.DataFrame) -> None:
        _draw_every_layer(canvas, frame, some)

    return Figure(
        name="every-layer",
        caption="Every layer of every network against every other at the last step, calibrated: dark is chance and "
        "below, bright is 1. Networks are sorted by architecture, then by layer from first to last, then "
        "by seed; lines part architectures.",
        frame=pd.concat(frames, ignore_index=True),
        draw=draw,
    )


def _draw_every_layer(canvas: Canvas, frame: pd.DataFrame, some: Sequence[Place]) -> None:
    measures = list(dict.fromkeys(frame["measure"]))
    canvas.set_size_inches(0.9 + 3.2 * len(measures), 3.6)
    panels = canvas.subplots(1, len(measures), squeeze=False, sharey=True)[0]
    networks = [one.network for one in some]
    names = list(dict.fromkeys(networks))
    starts = np.array([networks.index(name) for name in names])
    middles = starts + np.array([networks.count(name) for name in names]) / 2 - 0.5
    for axes, measure in zip(panels, measures, strict=True):
        matrix = np.eye(len(some))
        first, second = np.triu_indices(len(some), 1)
        matrix[first, second] = matrix[second, first] = frame.loc[frame["measure"] == measure, "calibrated"]
        image = axes.imshow(matrix, vmin=0, vmax=1, cmap="viridis", interpolation="nearest")
        for start in starts[1:]:
            axes.axhline(start - 0.5, color="white", linewidth=0.7)
            axes.axvline(start - 0.5, color="white", linewidth=0.7)
        axes.set_xticks(middles, names, rotation=90)
        axes.set_yticks(middles, names)
        axes.grid(visible=False)
        axes.set_title(measure)
        image.set_rasterized(True)
    canvas.colorbar(image, ax=panels, label=CALIBRATED, shrink=0.8)


def half_ways(settled: pd.DataFrame) -> Figure:
    """Draw when each layer is half-way to its end.

    Parameters
    ----------
    settled
        As :func:`syzygy.studies.tables.settling.settling` gives it.
    """
    return Figure(
        name="half-ways",
        caption="Which layers align first: the step at which a layer is half-way from its untrained to its final "
        "representation, over its depth in the network (1 is the last hidden layer), by measure. Dots are seeds, "
        "lines the median.",
        frame=settled,
        draw=_draw_half_ways,
    )


def _draw_half_ways(canvas: Canvas, frame: pd.DataFrame) -> None:
    measures, names = list(dict.fromkeys(frame["measure"])), list(dict.fromkeys(frame["network"]))
    canvas.set_size_inches(1.6 + 2.9 * len(measures), 3.4)
    panels = canvas.subplots(1, len(measures), squeeze=False, sharey=True)[0]
    for axes, measure in zip(panels, measures, strict=True):
        for index, name in enumerate(names):
            some = frame[(frame["measure"] == measure) & (frame["network"] == name)]
            colour = COLOURS[index % len(COLOURS)]
            shift = 0.01 * (index - (len(names) - 1) / 2)
            axes.scatter(some["depth"] + shift, some["half_way"], s=9, color=colour, alpha=0.6, linewidths=0)
            middle = some.groupby("depth")["half_way"].median()
            axes.plot(middle.index + shift, middle, color=colour, label=name)
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_xlim(0, 1.06)
        axes.set_xlabel("relative depth")
        axes.set_title(measure)
    panels[0].set_ylabel("step, half-way to its end")
    canvas.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)


def gains(frame: pd.DataFrame) -> Figure:
    """Draw how the initial scale changes the alignment of seeds.

    Parameters
    ----------
    frame
        As :func:`syzygy.studies.tables.alignments.by_gain` gives it.
    """
    return Figure(
        name="gains",
        caption="Seeds of the first network from several gains of the initial weights: alignment over training, mean "
        "over pairs of seeds and layers, by measure. Dark is a small gain. Grey: chance.",
        frame=frame,
        draw=_draw_gains,
    )


def _draw_gains(canvas: Canvas, frame: pd.DataFrame) -> None:
    measures, every = list(dict.fromkeys(frame["measure"])), sorted(set(frame["gain"]))
    canvas.set_size_inches(1.4 + 2.9 * len(measures), 3)
    panels = canvas.subplots(1, len(measures), squeeze=False)[0]
    for axes, measure in zip(panels, measures, strict=True):
        for index, gain in enumerate(every):
            some = frame[(frame["measure"] == measure) & (frame["gain"] == gain)]
            shade = colormaps["viridis"](0.9 * index / max(1, len(every) - 1))
            axes.plot(some["step"], some["calibrated"], color=shade, marker=".", label=f"gain {gain:g}")
        axes.axhline(0, **CHANCE)
        axes.set_xlabel("step")
        axes.set_title(measure)
        logarithmic(axes)
    panels[0].set_ylabel(CALIBRATED)
    canvas.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)


def logarithmic(axes: Axes) -> None:
    """Put steps on a logarithmic axis that has a place for step 0."""
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(left=-0.2, right=1.3 * axes.dataLim.x1)
