"""The drawings of forecasts: against what came, over the step at which they were made, and the rates behind them."""

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas

from syzygy.figures import COLOURS, Figure
from syzygy.forecast import FORECASTS

MARKERS: Final = "os^Dv<>P*X"
#: What is drawn over what, with its label.
SIDES: Final = {"final_h2": "final ‖dh‖²", "learned": "step at which it is learned"}
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
            axes.set_xlabel(f"forecast {label}" if axes is row[0] else "forecast")
        row[0].set_ylabel("measured")
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
        "them to be constant. A line per seed, a colour per kind of network. Dots at the right edge: the rates that "
        "were fitted to the whole curve. Right: how much the error of the mean moves the difference, over what the "
        "difference's own error does; where it is above 1 the theory of a pair by itself does not apply yet.",
        frame=inside,
        draw=_draw_rates,
    )


def _draw_rates(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(10, 3.4)
    panels = canvas.subplots(1, 3)
    looks, last = _looks(frame), frame["step"].max()
    for axes, (column, label) in zip(panels, RATE_PANELS.items(), strict=True):
        for (network, _), some in frame.groupby(["network", "seed"], sort=False):
            colour = looks[str(network)]["color"]
            first = some["seed"].iloc[0] == frame.loc[frame["network"] == network, "seed"].iloc[0]
            axes.plot(some["step"], some[column], color=colour, alpha=0.8, label=str(network) if first else "_")
            if f"fitted_{column}" in some:
                axes.scatter(1.6 * last, some[f"fitted_{column}"].iloc[0], s=14, **looks[str(network)])
        axes.set_xscale("symlog", linthresh=1)
        if (frame[column] > 0).any():  # about zero nothing couples to the mean
            axes.set_yscale("log")
        axes.set_xlim(left=-0.2)
        axes.set_xlabel("step")
        axes.set_title(label)
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
        "as a share of the time that the pair took to learn. A line per seed.",
        frame=frame.reset_index(drop=True),
        draw=_draw_errors,
    )


def _draw_errors(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(10, 3.2)
    panels, looks = canvas.subplots(1, 2), _looks(frame)
    for axes, (side, label) in zip(panels, SIDES.items(), strict=True):
        for (network, seed), some in frame.groupby(["network", "seed"], sort=False):
            first = seed == frame.loc[frame["network"] == network, "seed"].iloc[0]
            ratio = (some[side] / some[f"measured_{side}"]).replace(np.inf, np.nan)
            colour, told = looks[str(network)]["color"], str(network) if first else "_"
            axes.plot(some["share"], ratio, color=colour, alpha=0.8, marker=".", label=told)
        axes.axhline(1, color="#777777", linewidth=0.8)
        axes.set_yscale("log")
        axes.set_xscale("symlog", linthresh=1e-3)
        axes.set_xlim(left=-2e-4)
        axes.set_title(f"{label}, forecast/measured")
        axes.set_xlabel("step of the forecast / time to learn")
    if len(looks) > 1:
        canvas.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)


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
