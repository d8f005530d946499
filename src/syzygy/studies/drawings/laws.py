"""The drawings of the study of the product law."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas

from syzygy.figures import COLOURS, Figure
from syzygy.studies.drawings.shared import measured_over_predicted

COLUMNS = 5
MARKS = ("o", "s", "^")


def final(kept: pd.DataFrame) -> Figure:
    """Draw every network's final distance over both predictions."""
    names = {"in_sample": "in sample", "out_of_sample": "out of sample"}
    return measured_over_predicted(
        "final-distance",
        "Squared distance of the two representations at the end, a dot per network of the grid, over the closed form's "
        "prediction: with rates fitted to the same network (left), and with the rates of other seeds on one other pair "
        "(right). The line is y = x. Pairs that are predicted to merge cannot be drawn.",
        kept[["network", "dx", "dy", "seed", "measured", *names]].rename(columns=names),
    )


def exponents(powers: pd.DataFrame, laws: pd.DataFrame, band: float) -> Figure:
    """Draw the exponents of every setting with their intervals, and what the two laws say.

    Parameters
    ----------
    powers
        Columns ``network``, ``reading``, and ``dx``, ``dy`` with ``…_low`` and ``…_high``.
    laws
        Columns ``network``, ``depth_dx``, ``depth_dy``.
    band
        How far from a law an exponent may lie.
    """

    def draw(canvas: Canvas, frame: pd.DataFrame) -> None:
        names, readings = list(dict.fromkeys(frame["network"])), list(dict.fromkeys(frame["reading"]))
        canvas.set_size_inches(10, 1.6 + 0.42 * len(names))
        panels = canvas.subplots(1, 2, sharey=True)
        for axes, power in zip(panels, ("dx", "dy"), strict=True):
            axes.axvspan(1 - band, 1 + band, color="#e4e4e4", linewidth=0)
            axes.axvline(1, color="#777777", linewidth=1, label="product law")
            for index, reading in enumerate(readings):
                some = frame[frame["reading"] == reading]
                ends = [some[power] - some[f"{power}_low"], some[f"{power}_high"] - some[power]]
                place = some["network"].map(names.index) + 0.22 * (index - (len(readings) - 1) / 2)
                style = {"color": COLOURS[index], "fmt": MARKS[index % len(MARKS)], "markersize": 4.5, "linewidth": 1.2}
                axes.errorbar(some[power], place, xerr=ends, label=f"{reading}", **style)
            depth = frame.drop_duplicates("network")
            marks = {"marker": "|", "s": 320, "color": "black", "linewidths": 2, "zorder": 4, "label": "law of depth"}
            axes.scatter(depth[f"depth_{power}"], depth["network"].map(names.index), **marks)
            axes.set_xlabel(f"exponent of ‖{power}‖ in ‖dh‖²")
        panels[0].set_yticks(range(len(names)), names)
        panels[0].set_ylim(len(names) - 0.5, -0.5)
        canvas.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=5, fontsize=8)

    return Figure(
        name="exponents",
        caption="Exponents of the final ‖dh‖² in ‖dx‖ and ‖dy‖, with 95% intervals from resampling networks: measured "
        "at the end, measured where the published code stops, and of the closed form's prediction. Grey: the product "
        f"law and {band:g} about it. Black: the law of depth, for perceptrons.",
        frame=powers.merge(laws[["network", "depth_dx", "depth_dy"]], on="network"),
        draw=draw,
    )


def grids(kept: pd.DataFrame) -> Figure:
    """Draw ‖dh‖² over ‖dy‖, a panel per setting and a colour per ‖dx‖: measured dots, predicted lines."""
    return Figure(
        name="grids",
        caption="Final ‖dh‖² over ‖dy‖ for every setting, a colour per ‖dx‖. Dots: measured, one per network. Lines: "
        "the closed form with the rates of other seeds on one other pair, averaged over the networks of a pair.",
        frame=kept[["network", "dx", "dy", "seed", "measured", "out_of_sample"]],
        draw=_draw_grids,
    )


def _draw_grids(canvas: Canvas, frame: pd.DataFrame) -> None:
    names, widths = list(dict.fromkeys(frame["network"])), sorted(frame["dx"].unique())
    rows = max(1, -(-len(names) // COLUMNS))
    canvas.set_size_inches(10, 0.5 + 2.5 * rows)
    panels = canvas.subplots(rows, min(COLUMNS, max(1, len(names))), squeeze=False).ravel()
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.85, len(widths)))
    for axes, name in zip(panels, names, strict=False):
        for dx, colour in zip(widths, colours, strict=True):
            some = frame[(frame["network"] == name) & (frame["dx"] == dx)]
            axes.scatter(some["dy"], some["measured"], s=11, color=colour, linewidths=0, label=f"{dx:g}")
            mean = some.groupby("dy")["out_of_sample"].mean()
            axes.plot(mean.index, mean, color=colour, linewidth=1)
        axes.set_title(name)
        axes.set_xlabel("‖dy‖")
        axes.set_ylim(bottom=0)
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    if names:
        panels[0].set_ylabel("final ‖dh‖²")
        canvas.legend(*panels[0].get_legend_handles_labels(), title="‖dx‖", loc="outside right center", fontsize=8)
