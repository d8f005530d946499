"""The drawings of forecasts: against what came, over the step at which they were made, and the rates behind them."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas

from syzygy.figures import COLOURS, Figure
from syzygy.forecast import FORECASTS

MARKERS: Final = "os^Dv<>P*X"
#: What is drawn over what, with its label.
SIDES: Final = {"final_h2": "final ‖dh‖²", "learned": "time to learn"}
#: Of more kinds of network than this, lines are medians over seeds.
MANY: Final = 6
#: The one that is followed over training.
FOLLOWED: Final = "exact"


def forecasts_against_measured(made: pd.DataFrame) -> Figure:
    """Draw forecasts of untrained networks against what came, a column per forecast.

    Parameters
    ----------
    made
        As :func:`syzygy.studies.tables.forecast.forecasts_of` gives it.
    """
    return Figure(
        name="forecasts",
        caption="Forecasts made before training, from the untrained network alone, against what came of it: the "
        "squared distance of the two representations at the end (top), and the step at which ‖dy − dy*‖² has fallen "
        "to a quarter (bottom). A dot per seed, a colour and sign per kind of network; the line is y = x. Columns: "
        "what is taken for granted, the least to the left.",
        frame=made[made["step"] == 0].reset_index(drop=True),
        draw=_draw_forecasts,
    )


def _draw_forecasts(canvas: Canvas, frame: pd.DataFrame) -> None:
    names = [name for name in FORECASTS if name in set(frame["forecast"])]
    canvas.set_size_inches(1.1 + 1.9 * len(names), 4.6)
    panels = canvas.subplots(len(SIDES), len(names), squeeze=False, sharex="row", sharey="row")
    looks = _looks(frame)
    for row, (side, label) in zip(panels, SIDES.items(), strict=True):
        for axes, name in zip(row, names, strict=True):
            for network, some in frame[frame["forecast"] == name].groupby("network", sort=False):
                axes.scatter(some[side], some[f"measured_{side}"], s=20, label=str(network), **looks[str(network)])
            axes.set_xlabel("forecast")
        row[0].set_ylabel(f"measured {label}")
        _diagonal(row, frame[[side, f"measured_{side}"]].to_numpy(dtype=float))
    for axes, name in zip(panels[0], names, strict=True):
        axes.set_title(name.replace(", ", ",\n"))
    if len(looks) > 1:
        canvas.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside right center", fontsize=8)


def measured_rates(inside: pd.DataFrame) -> Figure:
    """Draw the measured rates over training, and beside them the fitted ones.

    Parameters
    ----------
    inside
        As :func:`syzygy.studies.tables.forecast.rates_of` gives it.
    """
    return Figure(
        name="rates",
        caption="Effective learning rates measured in the network while it learns, over training; the theory takes "
        "them to be constant. A line per seed, or of many kinds of network the median over seeds. Dots at the right "
        "edge: the rates that were fitted to the whole curve. Right: how much the error of the mean moves the "
        "difference, over what the difference's own error does; where it is above 1 the theory of a pair by itself "
        "does not apply yet.",
        frame=inside,
        draw=_draw_rates,
    )


def _draw_rates(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(10, 3.4)
    panels = canvas.subplots(1, 3)
    looks, last = _looks(frame), frame["step"].max()
    for axes, (column, title) in zip(panels, RATE_PANELS.items(), strict=True):
        for network, label, some in _lines(frame):
            axes.plot(some["step"], some[column], color=looks[network]["color"], alpha=0.8, label=label)
            if f"fitted_{column}" in some:
                axes.scatter(1.6 * last, some[f"fitted_{column}"].iloc[0], s=14, **looks[network])
        seen = frame[column].to_numpy(dtype=float)
        seen = seen[np.isfinite(seen) & (seen > 0)]
        axes.set_xscale("symlog", linthresh=1)
        if len(seen):  # about zero nothing couples to the mean
            axes.set_yscale("log")
            axes.set_ylim(seen.min() / 3, seen.max() * 3)  # rates that the fit did not find may lie anywhere
        axes.set_xlim(left=-0.2)
        axes.set_xlabel("step")
        axes.set_title(title)
    panels[2].axhline(1, color="#777777", linewidth=0.8)
    if len(looks) > 1:
        canvas.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)


RATE_PANELS: Final = {
    "eta_h": "encoder, eta_h per step",
    "eta_y": "decoder, eta_y per step",
    "encoder_coupling": "coupling to the mean",
}


def errors_over_training(made: pd.DataFrame) -> Figure:
    """Draw how wrong a forecast is, over the step at which it is made.

    Parameters
    ----------
    made
        As :func:`syzygy.studies.tables.forecast.forecasts_of` gives it.
    """
    frame = made[made["forecast"] == FOLLOWED].copy()
    frame["share"] = frame["step"] / frame["measured_learned"]
    return Figure(
        name="errors",
        caption=f"The forecast “{FOLLOWED}”, made anew as the network learns, over what came: of the final ‖dh‖² "
        "(left) and of the step at which the pair is learned (right). From left to right, forecasts are made later, "
        "as a share of the time that the pair took to learn. A line per seed, or of many kinds of network the median "
        "over seeds.",
        frame=frame.reset_index(drop=True),
        draw=_draw_errors,
    )


def _draw_errors(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(10, 3.2)
    panels, looks = canvas.subplots(1, 2), _looks(frame)
    for axes, (side, label) in zip(panels, SIDES.items(), strict=True):
        for network, told, some in _lines(frame):
            ratio = (some[side] / some[f"measured_{side}"]).replace(np.inf, np.nan)
            axes.plot(some["share"], ratio, color=looks[network]["color"], alpha=0.8, marker=".", label=told)
        axes.axhline(1, color="#777777", linewidth=0.8)
        axes.set_yscale("log")
        axes.set_xscale("symlog", linthresh=1e-3)
        axes.set_xlim(left=-2e-4)
        axes.set_title(f"{label}, forecast/measured")
        axes.set_xlabel("step of the forecast / time to learn")
    if len(looks) > 1:
        canvas.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)


def _lines(frame: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Give the lines of a frame with their kind of network, and their label in a legend."""
    if frame["network"].nunique() > MANY:
        for network, some in frame.groupby("network", sort=False):
            yield str(network), str(network), some.groupby("step").median(numeric_only=True).reset_index()
        return
    for network, every in frame.groupby("network", sort=False):
        for index, (_, some) in enumerate(every.groupby("seed", sort=False)):
            yield str(network), "_" if index else str(network), some


def _looks(frame: pd.DataFrame) -> dict[str, dict[str, object]]:
    return {
        str(network): {
            "color": COLOURS[index % len(COLOURS)],
            "marker": MARKERS[index // len(COLOURS) % len(MARKERS)],
            "alpha": 0.85,
            "linewidths": 0,
        }
        for index, network in enumerate(dict.fromkeys(frame["network"]))
    }


def _diagonal(row: np.ndarray, values: np.ndarray) -> None:
    positive = values[np.isfinite(values) & (values > 0)]
    for axes in row:
        axes.set_xscale("log")
        axes.set_yscale("log")
        if len(positive):
            ends = positive.min() / 1.5, positive.max() * 1.5
            axes.plot(ends, ends, color="#777777", linewidth=0.8, zorder=0)
