"""The drawings of models compared: their errors, and the profiles of the rates."""

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from syzygy.figures import COLOURS, Figure

#: Beyond it an error is drawn at the edge.
MOST: Final = 30.0


def errors_of_models(models: pd.DataFrame) -> Figure:
    """Draw the error of every model on steps that no fit has seen, over the paper's.

    Parameters
    ----------
    models
        As :func:`syzygy.studies.tables.rivals.models_of` gives it.
    """
    frame = models[["network", "seed", "model", "held_out", "over_paper", "delta_bic"]]
    return Figure(
        name="models",
        caption="Seven models, fitted to the first part of training and scored on the rest, a dot per seed, a colour "
        "per kind of network. Left: error over that of the paper's equations; left of the line a model is better. "
        f"What is above {MOST:g} times, or could not be fitted, is drawn at the edge. Right: Bayesian information "
        "criterion of the fit to all steps, above that of the best model.",
        frame=frame,
        draw=_draw_errors,
    )


def _draw_errors(canvas: Canvas, frame: pd.DataFrame) -> None:
    models, networks = list(dict.fromkeys(frame["model"])), list(dict.fromkeys(frame["network"]))
    canvas.set_size_inches(10, 1.3 + 0.42 * len(models))
    left, right = canvas.subplots(1, 2, sharey=True)
    shift = {name: (index + 0.5) / len(networks) - 0.5 for index, name in enumerate(networks)}
    for name, some in frame.groupby("network", sort=False):
        place = some["model"].map(models.index) + 0.7 * shift[name]
        colour = COLOURS[networks.index(name) % len(COLOURS)]
        ratio = some["over_paper"].fillna(np.inf).clip(1 / MOST, MOST)
        left.scatter(ratio, place, s=14, color=colour, linewidths=0, alpha=0.85, label=str(name))
        right.scatter(
            some["delta_bic"].fillna(np.inf).clip(0, 1e6), place, s=14, color=colour, linewidths=0, alpha=0.85
        )
    left.axvline(1, color="#777777", linewidth=0.8)
    left.set_xscale("log")
    left.set_xlim(0.8 / MOST, 1.25 * MOST)
    left.set_xlabel("error on held-out steps / the paper's")
    left.set_yticks(range(len(models)), models)
    left.invert_yaxis()
    right.set_xscale("symlog", linthresh=1)
    right.set_xlim(left=-0.3)
    right.set_xlabel("BIC above the best")
    if len(networks) > 1:
        canvas.legend(*left.get_legend_handles_labels(), loc="outside right center", fontsize=8)


def profiles(frame: pd.DataFrame) -> Figure:
    """Draw the profile of the likelihood of each rate and of their ratio.

    Parameters
    ----------
    frame
        As :func:`syzygy.studies.tables.rivals.profiles_of` gives it.
    """
    return Figure(
        name="profiles",
        caption="How much worse the paper's equations fit if a rate, or the ratio of the two, is held at another "
        "value and the rest may follow: fall of the log-likelihood over where its 95% interval ends (1, the line). A "
        "line per seed, a colour per kind of network. Narrow valleys are identified; what stays flat is not.",
        frame=frame,
        draw=_draw_profiles,
    )


def _draw_profiles(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(10, 3)
    names, networks = list(dict.fromkeys(frame["quantity"])), list(dict.fromkeys(frame["network"]))
    labels = {"eta_h": "encoder, eta_h", "eta_y": "decoder, eta_y", "ratio": "eta_h/eta_y"}
    panels = canvas.subplots(1, len(names), sharey=True)
    for axes, name in zip(panels, names, strict=True):
        for (network, seed), some in frame[frame["quantity"] == name].groupby(["network", "seed"], sort=False):
            first = seed == frame.loc[frame["network"] == network, "seed"].iloc[0]
            colour = COLOURS[networks.index(network) % len(COLOURS)]
            told = str(network) if first else "_"
            axes.plot(some["share"], some["fall"] / some["level"], color=colour, alpha=0.8, label=told)
        axes.axhline(1, color="#777777", linewidth=0.8)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=8))
        axes.set_ylim(0, 2)
        axes.set_title(labels[name])
        axes.set_xlabel("over its best value")
    panels[0].set_ylabel("fall / fall at the interval's end")
    if len(networks) > 1:
        canvas.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)
