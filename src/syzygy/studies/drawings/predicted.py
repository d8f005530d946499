"""Predicted distances against measured ones, drawn over training and over depth."""

from typing import Final

import pandas as pd
from matplotlib.figure import Figure as Canvas

from syzygy.figures import COLOURS, Figure
from syzygy.studies.drawings.convergence import CALIBRATED, CHANCE, logarithmic
from syzygy.studies.tables.predicted import COMPARISONS, PREDICTIONS

#: The looks of a prediction: theories are solid, the others dashed.
LOOKS: Final = {
    name: {"color": COLOURS[index], "linestyle": "--" if about.startswith("no theory") else "-"}
    for index, (name, about) in enumerate(PREDICTIONS.items())
}


def over_training(frame: pd.DataFrame) -> Figure:
    """Draw how well every prediction aligns with the measured distances, over training.

    Parameters
    ----------
    frame
        As :func:`syzygy.studies.tables.predicted.summed` gives it.
    """
    return Figure(
        name="theory-over-training",
        caption="Predicted against measured distances of the held-out images over training, mean over networks, seeds "
        "and layers: the theory's predictions (solid) and what needs no theory (dashed). Grey: chance.",
        frame=frame,
        draw=_draw_over_training,
    )


def _draw_over_training(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(10, 3.8)
    panels = canvas.subplots(1, len(COMPARISONS))
    for axes, (comparison, title) in zip(panels, COMPARISONS.items(), strict=True):
        for prediction, some in frame[frame["comparison"] == comparison].groupby("prediction", sort=False):
            name = str(prediction)
            axes.plot(some["step"], some["calibrated"], marker=".", label=PREDICTIONS[name], **LOOKS[name])
        axes.axhline(0, **CHANCE)
        axes.set_title(title)
        axes.set_xlabel("step")
        logarithmic(axes)
    panels[0].set_ylabel(CALIBRATED)
    canvas.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)


def over_depth(last: pd.DataFrame) -> Figure:
    """Draw how well every prediction aligns with each layer at the last step.

    Parameters
    ----------
    last
        The last step of what :func:`syzygy.studies.tables.predicted.against_measured` gives.
    """
    keys = ["comparison", "prediction", "network", "layer"]
    frame = last.groupby(keys, sort=False)[["depth", "calibrated"]].mean().reset_index()
    frame["scatter"] = last.groupby(keys, sort=False)["calibrated"].std().to_numpy()
    return Figure(
        name="theory-over-depth",
        caption="Predicted against measured distances at the last step in every layer, mean over seeds. Lines as in "
        "the figure before; above by kernels, below by ranks of distances.",
        frame=frame,
        draw=_draw_over_depth,
    )


def _draw_over_depth(canvas: Canvas, frame: pd.DataFrame) -> None:
    names = list(dict.fromkeys(frame["network"]))
    canvas.set_size_inches(max(4.0, 0.5 + 1.7 * len(names)), 4.6)
    panels = canvas.subplots(len(COMPARISONS), len(names), squeeze=False, sharex=True, sharey=True)
    for row, comparison in zip(panels, COMPARISONS, strict=True):
        for axes, name in zip(row, names, strict=True):
            own = frame[(frame["comparison"] == comparison) & (frame["network"] == name)]
            for prediction, some in own.groupby("prediction", sort=False):
                axes.plot(some["depth"], some["calibrated"], marker=".", **LOOKS[str(prediction)])
            axes.axhline(0, **CHANCE)
            axes.set_xlim(0, 1.06)
        row[0].set_ylabel(f"{CALIBRATED},\n{comparison}")
    for axes, name in zip(panels[0], names, strict=True):
        axes.set_title(name)
    for axes in panels[-1]:
        axes.set_xlabel("relative depth")
