"""The drawings of the study of transfer: pretrained beside random, layer by layer."""

from collections.abc import Callable, Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from syzygy.figures import COLOURS, Figure
from syzygy.studies.drawings.pairs import KINDS
from syzygy.studies.drawings.shared import cumulative, measured_over_predicted

STARTS: Mapping[str, str] = {"pretrained": COLOURS[0], "random": COLOURS[1]}


def distances(pairs: pd.DataFrame) -> Figure:
    """Draw by how much the distances of different classes change, pretrained and random, a panel a layer."""
    different = _different(pairs)
    frame = different[["start", "layer", "seed", "pair", "first_h2", "last_h2"]].copy()
    frame["change"] = frame["last_h2"] / frame["first_h2"]
    return Figure(
        name="distances",
        caption="Squared distance of two images of different classes at the end of training over that at its start: "
        "share of pairs below, over all networks. A pair that stays where it was is on the grey line.",
        frame=frame,
        draw=lambda canvas, frame: _panels(canvas, frame, {"change": "-"}, "last/first ‖dh‖²", _log_at_one),
    )


def regimes(pairs: pd.DataFrame) -> Figure:
    """Draw where the theory places the pairs, with rates of other pairs."""
    frame = _different(pairs)[["start", "layer", "seed", "pair", "richness_others"]]
    return Figure(
        name="regimes",
        caption="A_high/A_low of pairs of different classes, with rates of other pairs: share of pairs below. Between "
        "the grey lines a pair is rich; right of them it is encoder-lazy, left of them decoder-lazy.",
        frame=frame,
        draw=lambda canvas, frame: _panels(canvas, frame, {"richness_others": "-"}, "A_high/A_low", _regimes),
    )


def explained(pairs: pd.DataFrame) -> Figure:
    """Draw how much of the second half the theory explains, beside a logistic."""
    frame = _different(pairs)[["start", "layer", "seed", "pair", "theory_h2", "logistic_h2"]]
    return Figure(
        name="explained",
        caption="R² of ‖dh‖² over the second half of the steps, fitted to the first, for pairs of different classes: "
        "share of pairs below; further right is better. Solid: the theory. Dotted: a logistic with as many constants.",
        frame=frame,
        draw=lambda canvas, frame: _panels(
            canvas, frame, {"theory_h2": "-", "logistic_h2": ":"}, "R² of ‖dh‖²", _r_squared
        ),
    )


def final_distances(pairs: pd.DataFrame) -> Figure:
    """Draw final distances over predictions, a colour per start and layer."""
    different = _different(pairs)
    columns = {"last_h2": "measured", "final_h2": "in sample", "final_h2_others": "out of sample"}
    frame = different[["seed", "pair", *columns]].rename(columns=columns)
    frame.insert(0, "network", different["start"] + ", " + different["layer"])
    return measured_over_predicted(
        "final-distance",
        "Squared distance of two images of different classes at the end of training, over the theory's prediction: "
        "with rates fitted to the pair itself (left), and with those of pairs that share no image (right). The line is "
        "y = x.",
        frame,
    )


def _different(pairs: pd.DataFrame) -> pd.DataFrame:
    return pairs[pairs["kind"] == KINDS[0]]


def _panels(
    canvas: Canvas, frame: pd.DataFrame, columns: Mapping[str, str], label: str, prepare: Callable[[Axes], None]
) -> None:
    """Draw distributions of some columns, a panel a layer, a colour a start."""
    layers = list(frame["layer"].unique())
    canvas.set_size_inches(10, 3)
    panels = canvas.subplots(1, max(1, len(layers)), squeeze=False, sharex=True, sharey=True)[0]
    for axes, layer in zip(panels, layers, strict=False):
        for start, colour in STARTS.items():
            some = frame[(frame["layer"] == layer) & (frame["start"] == start)]
            for index, (column, line) in enumerate(columns.items()):
                if some[column].notna().any():
                    told = start if index == 0 else "_"
                    cumulative(axes, some[column], colour=colour, linestyle=line, label=told)
        axes.set_title(layer)
        axes.set_xlabel(label)
        prepare(axes)
    panels[0].set_ylabel("share of pairs below")
    if panels[-1].get_legend_handles_labels()[0]:
        panels[-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)


def _log_at_one(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.axvline(1, color="#777777", linewidth=0.8)


def _regimes(axes: Axes) -> None:
    axes.set_xscale("symlog", linthresh=1)
    for edge in (-1, 1):
        axes.axvline(edge, color="#777777", linewidth=0.8)


def _r_squared(axes: Axes) -> None:
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(-1000, 1.05)
    axes.set_xticks([-100, -1, 0, 1], ["−100", "−1", "0", "1"])
    axes.axvline(0, color="#777777", linewidth=0.8)
