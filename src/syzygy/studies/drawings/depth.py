"""The drawing of a network's depth: how well the theory does at every layer, and with which rates."""

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas

from syzygy.figures import COLOURS, Figure
from syzygy.published import published

#: What the published code gives by layer.
PUBLISHED: Final = ("objective", "eta_h", "eta_y")
TITLES = {"objective": "squared error", "r2_h2": "R² of ‖dh‖²", "eta_h": "eta_h", "eta_y": "eta_y"}
#: Where claims expect the least error and the largest rate.
EXPECTED_LAYERS: Final = {"objective": (9, 15), "eta_y": (8, 13)}


def where_it_holds(fits: pd.DataFrame, *, beside: bool) -> Figure:
    """Draw error, R² and rates over layers, one line a seed.

    Parameters
    ----------
    fits
        A row per layer and seed, layers in their order.
    beside
        Whether to draw the published numbers too.
    """
    known = [fits["layer"].map(published("depth", name)) if beside else np.nan for name in PUBLISHED]
    names = [*PUBLISHED, "objective_elsewhere", "r2_h2", "r2_h2_elsewhere", "eta_h_low", "eta_h_high"]
    frame = fits[["layer", "seed", *names, "eta_y_low", "eta_y_high"]]
    return Figure(
        name="layers",
        caption="The theory at every hidden layer, counted from 0. Squared error and R² of ‖dh‖²: in sample (one "
        "colour a seed) and with the rates of the other seeds (dotted). Rates with 95% intervals. Dashed black: the "
        "published code, one network. Shaded: layers among which the best fit, or the largest eta_y, is expected.",
        frame=frame.assign(**{f"{n}_published": k for n, k in zip(PUBLISHED, known, strict=True)}),
        draw=_draw,
    )


def _draw(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(10, 5.2)
    panels = dict(
        zip(("objective", "r2_h2", "eta_h", "eta_y"), canvas.subplots(2, 2, sharex=True).ravel(), strict=True)
    )
    for name, axes in panels.items():
        for index, (seed, one) in enumerate(frame.groupby("seed")):
            colour, at = COLOURS[index % len(COLOURS)], np.arange(len(one))
            axes.plot(at, one[name], color=colour, marker=".", label=f"seed {seed}")
            if f"{name}_low" in one:
                axes.fill_between(at, one[f"{name}_low"], one[f"{name}_high"], color=colour, alpha=0.2, linewidth=0)
            if f"{name}_elsewhere" in one:
                axes.plot(at, one[f"{name}_elsewhere"], color=colour, linestyle=":")
        if f"{name}_published" in frame and frame[f"{name}_published"].notna().any():
            line = frame.drop_duplicates("layer")[f"{name}_published"]
            axes.plot(np.arange(len(line)), line, color="black", linestyle=(0, (4, 3)), label="published")
        if name in EXPECTED_LAYERS:
            axes.axvspan(*EXPECTED_LAYERS[name], color="#f0f0f0", zorder=0)
        axes.set_title(TITLES[name])
        axes.locator_params(axis="x", integer=True)
    for name in ("objective", "eta_h"):
        panels[name].set_yscale("log")
    panels["r2_h2"].set_ylim(-0.05, 1.02)
    panels["eta_y"].legend(fontsize=8)
    for name in ("eta_h", "eta_y"):
        panels[name].set_xlabel("hidden layer")
