"""The drawings of the study of representations as language."""

from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from syzygy.figures import COLOURS, Figure
from syzygy.training.sequences import PARTS

TURN: Final[dict[str, Any]] = {"color": "#777777", "linewidth": 0.9, "linestyle": "--"}
CHANCE: Final[dict[str, Any]] = {"linewidth": 0.9, "linestyle": ":"}
#: What is drawn of each measure: its name on the page.
MEASURES: Final = {
    "information": "information H(Z)/log n",
    "regularity": "regularity I/log n",
    "disentanglement": "disentanglement (nats)",
}
#: Labels with their colours.
LABELS: Final = dict(zip(("", "token", "bigram", "role", "position"), (COLOURS[6], *COLOURS), strict=False))


def learning(right: pd.DataFrame, turns: pd.DataFrame) -> Figure:
    """Draw loss and what is done right over training, a panel each setting.

    Parameters
    ----------
    right
        :func:`~syzygy.studies.tables.language.done_right` of all settings.
    turns
        :func:`~syzygy.studies.tables.language.learning` of them.
    """

    def draw(canvas: Canvas, frame: pd.DataFrame) -> None:
        names = list(dict.fromkeys(frame["network"]))
        canvas.set_size_inches(8.4, 0.7 + 2.1 * len(names))
        grid = canvas.subplots(len(names), 2, squeeze=False)
        for line, name in zip(grid, names, strict=True):
            own = frame[frame["network"] == name]
            for seed, one in own.groupby("seed"):
                first = seed == own["seed"].iloc[0]
                line[0].plot(one["step"], one["loss"], color=COLOURS[6])
                for part, colour in zip(PARTS, COLOURS, strict=False):
                    line[1].plot(one["step"], one[part], color=colour, label=_words(part) if first else None)
            line[0].set_yscale("log")
            line[0].set_ylabel("loss (nats)")
            line[1].set_ylabel("done right")
            line[1].set_ylim(-0.02, 1.02)
            for axes in line:
                axes.set_title(name)
                _stepped(axes, frame["step"].max(), turns[turns["network"] == name]["turn"])
        canvas.legend(*grid[0, 1].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=8)

    return Figure(
        name="learning",
        caption="How commands are learned, a line per seed: cross-entropy of an action of learned commands, and the "
        "share of commands all of whose actions are right, of those that are learned, of held-out ones made of learned "
        "pairs of verb and direction, and of unseen pairs. Dashed: the turn, the first recorded step at which the loss "
        "has done 90% of its fall.",
        frame=right,
        draw=draw,
    )


def phases(spoken: pd.DataFrame, turns: pd.DataFrame) -> Figure:
    """Draw the course of the encoder's measures, a row for each setting and estimator.

    Parameters
    ----------
    spoken
        :func:`~syzygy.studies.tables.language.sequences` of all settings.
    turns
        As for :func:`learning`.
    """

    def draw(canvas: Canvas, frame: pd.DataFrame) -> None:
        rows = list(dict.fromkeys(zip(frame["network"], frame["estimator"], strict=True)))
        canvas.set_size_inches(9.2, 0.8 + 1.9 * len(rows))
        grid = canvas.subplots(len(rows), len(MEASURES), squeeze=False)
        for place, (line, (name, estimator)) in enumerate(zip(grid, rows, strict=True), 1):
            own = frame[(frame["network"] == name) & (frame["estimator"] == estimator)]
            for axes, (measure, title) in zip(line, MEASURES.items(), strict=True):
                _labelled(axes, own[own["measure"] == measure])
                axes.set_title(title if place == 1 else "")
                _stepped(
                    axes, frame["step"].max(), turns[turns["network"] == name]["turn"], last_row=place == len(grid)
                )
            line[0].set_ylabel(f"{name}\n{estimator}")
        canvas.legend(*grid[0, 1].get_legend_handles_labels(), loc="outside upper center", ncols=5, fontsize=8)

    return Figure(
        name="phases",
        caption="What the encoder's outputs hold, and how regularly they tell labels of words, over training, a line "
        "per seed, without bias; dots are what shuffled labels give, before it is taken off. By setting and estimator, "
        "which have scales of their own. Dashed: the turn. Two phases would show as regularity and disentanglement "
        "that rise to its left, and information that falls to its right.",
        frame=_lean(spoken),
        draw=draw,
    )


def layers(spoken: pd.DataFrame, turns: pd.DataFrame, estimator: str) -> Figure:
    """Draw the measures of every layer of networks that learn images.

    Parameters
    ----------
    spoken
        :func:`~syzygy.studies.tables.language.images` of all networks.
    turns
        Columns ``network`` and ``turn``.
    estimator
        Which of the two.
    """
    own = spoken[spoken["estimator"] == estimator]
    keys = ["network", "layer", "depth", "measure", "step"]
    mean = own.groupby(keys, sort=False)[["corrected", "chance"]].mean().reset_index()

    def draw(canvas: Canvas, frame: pd.DataFrame) -> None:
        names = list(dict.fromkeys(frame["network"]))
        canvas.set_size_inches(9.2, 0.5 + 1.8 * len(names))
        grid = canvas.subplots(len(names), len(MEASURES), squeeze=False, sharey="col")
        for place, (line, name) in enumerate(zip(grid, names, strict=True), 1):
            some = frame[frame["network"] == name]
            for axes, (measure, title) in zip(line, MEASURES.items(), strict=True):
                for depth, one in some[some["measure"] == measure].groupby("depth"):
                    axes.plot(one["step"], one["corrected"], color=colormaps["viridis"](0.9 * float(str(depth))))
                axes.set_title(title if place == 1 else "")
                _stepped(axes, some["step"].max(), turns[turns["network"] == name]["turn"], last_row=place == len(grid))
            line[0].set_ylabel(name)

    return Figure(
        name=f"layers-{estimator}",
        caption=f"Networks that learn digits, {estimator} estimator: what each layer holds, and how regularly it tells "
        "classes of held-out images, mean over seeds, without bias; dark is the first layer, bright the last. Dashed: "
        "the turn of each seed.",
        frame=mean,
        draw=draw,
    )


def _labelled(axes: Axes, some: pd.DataFrame) -> None:
    """Draw one measure for every label and seed, with what chance gives."""
    for label, colour in LABELS.items():
        for number, (_, one) in enumerate(some[some["label"] == label].groupby("seed")):
            axes.plot(one["step"], one["corrected"], color=colour, alpha=0.8, label=label if not number else None)
            axes.plot(one["step"], one["chance"], color=colour, **CHANCE)


def _lean(spoken: pd.DataFrame) -> pd.DataFrame:
    return spoken[spoken["measure"].isin(list(MEASURES))].reset_index(drop=True)


def _stepped(axes: Axes, last: float, turns: pd.Series, *, last_row: bool = True) -> None:
    for step in np.unique(turns):
        axes.axvline(step, **TURN)
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(0, last)
    axes.set_xticks([0, *(ten for ten in (1, 10, 100, 1000, 10_000, 100_000) if ten <= last)])
    axes.set_xlabel("step" if last_row else "")


def _words(part: str) -> str:
    return part.replace("_", " ")
