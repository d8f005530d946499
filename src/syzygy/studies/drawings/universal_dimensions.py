"""The drawings of the study of universal dimensions."""

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas

from syzygy.figures import COLOURS, Figure
from syzygy.studies.drawings.convergence import logarithmic
from syzygy.studies.tables.universals import LEAST_UNIVERSAL, UNIVERSAL, UNIVERSALLY

GREY: Final = "#777777"
STATES: Final = {"trained": "-", "untrained": "--"}
#: A share outside is drawn at the edge.
EDGES: Final = (1e-2, 1e2)
#: A_high = A_low: above, a dimension is lazy.
LAZY: Final = (np.sqrt(5) - 1) / 2


def distributions(trained: pd.DataFrame, untrained: pd.DataFrame) -> Figure:
    """Draw how many dimensions of a network are how universal.

    Parameters
    ----------
    trained, untrained
        A row for each component: ``architecture``, ``network``, ``universality``.
    """
    columns = ["architecture", "network", "layer", "component", "universality"]
    both = [trained[columns].assign(state="trained"), untrained[columns].assign(state="untrained")]
    return Figure(
        name="distributions",
        caption="How universal the dimensions of a network are, by architecture: the number of dimensions of a network "
        "(mean over seeds) that are at least so universal, trained (lines) and untrained (dashes). To the right of the "
        "grey line other networks tell half of their variance.",
        frame=pd.concat(both, ignore_index=True),
        draw=_draw_distributions,
    )


def _draw_distributions(canvas: Canvas, frame: pd.DataFrame) -> None:
    names = list(dict.fromkeys(frame["architecture"]))
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    canvas.set_size_inches(1 + 2.6 * columns, 0.6 + 2 * rows)
    panels = canvas.subplots(rows, columns, squeeze=False, sharex=True)
    for axes, name in zip(panels.ravel(), names, strict=False):
        for colour, (state, line) in zip(COLOURS, STATES.items(), strict=False):
            some = frame[(frame["architecture"] == name) & (frame["state"] == state)]
            values = np.sort(some["universality"].dropna())
            left = np.arange(len(values), 0, -1) / max(1, some["network"].nunique())
            axes.step(values, left, where="pre", color=colour, linestyle=line, label=state)
        axes.axvline(UNIVERSAL, color=GREY, linewidth=0.9)
        axes.set_title(name)
        axes.set_ylim(bottom=0)
    for axes in panels.ravel()[len(names) :]:
        axes.set_axis_off()
    for axes in panels[-1]:
        axes.set_xlabel("universality")
    panels[0, 0].set_ylabel("dimensions")
    canvas.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=8)


def over_training(frame: pd.DataFrame) -> Figure:
    """Draw how universal dimensions appear.

    Parameters
    ----------
    frame
        As :func:`syzygy.studies.tables.universals.over_training` gives it.
    """
    return Figure(
        name="over-training",
        caption="When universal dimensions appear. Left: how many there are, of the networks as they are at each step. "
        "Right: universality of the median dimension and of the ten largest of each layer, and how well other networks "
        "tell, as they are at that step, what will be universal at the end.",
        frame=frame,
        draw=_draw_over_training,
    )


def _draw_over_training(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(7.4, 2.9)
    left, right = canvas.subplots(1, 2)
    left.plot(frame["step"], frame["universal"], color=COLOURS[0], marker=".")
    left.set_ylabel("universal dimensions")
    left.set_ylim(bottom=0)
    named = {"told": "universal at the end", "largest": "ten largest of a layer", "median": "median dimension"}
    for colour, (column, label) in zip(COLOURS, named.items(), strict=False):
        right.plot(frame["step"], frame[column], color=colour, marker=".", label=label)
    right.axhline(UNIVERSAL, color=GREY, linewidth=0.9)
    right.set_ylabel("universality")
    for axes in (left, right):
        axes.set_xlabel("step")
        logarithmic(axes)
    right.legend(fontsize=8)


def kept(frame: pd.DataFrame) -> Figure:
    """Draw what a few components keep of the similarity to held-out networks.

    Parameters
    ----------
    frame
        As :func:`syzygy.studies.tables.universals.by_count` gives it.
    """
    return Figure(
        name="kept",
        caption="Share of a layer's similarity to held-out networks that so many of its components keep, chosen by "
        "universality, by variance, or the least universal ones: a dot for each architecture, lines are means.",
        frame=frame,
        draw=_draw_kept,
    )


def _draw_kept(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(4.6, 3)
    axes = canvas.subplots()
    counts = sorted(set(frame["count"]))
    for index, chosen in enumerate((UNIVERSALLY, "variance", LEAST_UNIVERSAL)):
        some = frame[frame["chosen"] == chosen]
        places = some["count"].map(counts.index) + 0.08 * (index - 1)
        axes.scatter(places, some["kept"], s=12, color=COLOURS[index], alpha=0.6, linewidths=0)
        means = some.groupby("count")["kept"].mean()
        axes.plot([counts.index(count) for count in means.index], means, color=COLOURS[index], label=chosen)
    axes.axhline(1, color=GREY, linewidth=0.9)
    axes.set_xticks(range(len(counts)), [str(count) for count in counts])
    axes.set_xlabel("components kept")
    axes.set_ylabel("share of the similarity")
    axes.legend(fontsize=8)


def regimes(components: pd.DataFrame) -> Figure:
    """Draw universality against the theory's richness of each dimension.

    Parameters
    ----------
    components
        As :func:`syzygy.studies.tables.universals.described` gives it.
    """
    columns = ["architecture", "network", "layer", "component", "variance", "start_share", "richness", "universality"]
    return Figure(
        name="regimes",
        caption="Universality of every dimension of the trained networks against the share of its variance that was "
        "there untrained: to the left of the upright line, where A_high/A_low is 1, it is rich, to the right lazy; "
        "beyond 1 it shrank.",
        frame=components[columns],
        draw=_draw_regimes,
    )


def _draw_regimes(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(6.2, 3.2)
    axes = canvas.subplots()
    for index, (name, some) in enumerate(frame.groupby("architecture", sort=False)):
        colour = COLOURS[index % len(COLOURS)]
        share = some["start_share"].clip(*EDGES)
        axes.scatter(share, some["universality"], s=5, color=colour, alpha=0.4, linewidths=0, label=str(name))
    axes.set_xscale("log")
    axes.axvline(LAZY, color=GREY, linewidth=0.9)
    axes.axhline(UNIVERSAL, color=GREY, linewidth=0.9)
    axes.set_xlabel("share of its variance that was there untrained")
    axes.set_ylabel("universality")
    canvas.legend(*axes.get_legend_handles_labels(), loc="outside right center", fontsize=8, markerscale=2)
