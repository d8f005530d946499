"""The drawings that studies share."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from syzygy.figures import COLOURS, Figure

#: Quantities of a pair, with their labels on axes.
LABELS = {"h2": "‖dh‖²", "y2": "‖dy‖²", "w": "w", "loss": "loss"}


def trajectories_of_networks(name: str, frame: pd.DataFrame) -> Figure:
    """Draw measured and predicted curves of one setting, all seeds together.

    Parameters
    ----------
    name
        Of the network.
    frame
        Columns ``seed``, ``quantity``, ``step``, ``measured``, ``predicted``, and ``others``, predicted out of sample.
    """
    return Figure(
        name=f"trajectories-{name}",
        caption=f"{name}: squared distance of the representations ‖dh‖² and of the outputs ‖dy‖², output alignment w, "
        f"and training loss, over steps. Solid: measured, one colour per seed. Dashed black: the theory with the "
        f"rates fitted to that network. Dotted, in the seed's colour: with the rates of the other seeds.",
        frame=frame,
        draw=_draw_trajectories,
    )


def _draw_trajectories(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(10, 2.5)
    panels = canvas.subplots(1, len(LABELS))
    for axes, (quantity, label) in zip(panels, LABELS.items(), strict=True):
        for index, (_, curve) in enumerate(frame[frame["quantity"] == quantity].groupby("seed")):
            colour = COLOURS[index % len(COLOURS)]
            axes.plot(curve["step"], curve["measured"], color=colour, alpha=0.85)
            axes.plot(curve["step"], curve["others"], color=colour, linestyle=":", linewidth=1.1)
            axes.plot(curve["step"], curve["predicted"], color="black", linestyle=(0, (4, 3)), linewidth=0.9)
        axes.set_title(label)
        axes.set_xlabel("step")
        if quantity != "w":
            axes.set_ylim(bottom=0)
        axes.ticklabel_format(axis="x", style="plain")
        axes.locator_params(axis="x", nbins=4)


def comparison_by_network(rates: pd.DataFrame) -> Figure:
    """Draw what the theory explains and the fitted rates, a line per setting and a dot per seed.

    Parameters
    ----------
    rates
        Columns ``network``, ``identified``, ``r2_h2``, ``r2_h2_others``, and ``eta_h``, ``eta_y`` with ``…_low`` and
        ``…_high``.
    """
    columns = [f"{rate}{end}" for rate in ("eta_h", "eta_y") for end in ("", "_low", "_high")]
    return Figure(
        name="settings",
        caption="Every setting, a dot per seed. Left: share of the variance of ‖dh‖² that the theory explains with "
        "rates fitted to the same network (filled) and to the other seeds (open); what is below −1 or missing is drawn "
        "at the edge. Right: the two rates per step, with 95% intervals; rates that are not identified are left out.",
        frame=rates[["network", "seed", "identified", "r2_h2", "r2_h2_others", *columns]],
        draw=_draw_comparison_by_network,
    )


def _draw_comparison_by_network(canvas: Canvas, frame: pd.DataFrame) -> None:
    names = list(dict.fromkeys(frame["network"]))
    canvas.set_size_inches(10, 1.2 + 0.27 * len(names))
    left, right = canvas.subplots(1, 2, sharey=True)
    order = frame.groupby("network").cumcount()
    jitter = 0.5 * (order / max(1, order.max()) - 0.5)
    place = frame["network"].map(names.index) + jitter
    for column, colour, face in (("r2_h2", COLOURS[0], COLOURS[0]), ("r2_h2_others", COLOURS[1], "none")):
        values = frame[column].fillna(-np.inf).clip(lower=-1)
        label = "own rates" if column == "r2_h2" else "other seeds' rates"
        left.scatter(values, place, s=16, edgecolors=colour, facecolors=face, linewidths=1, label=label)
    left.set_xlabel("R² of ‖dh‖²")
    left.set_yticks(range(len(names)), names)
    left.invert_yaxis()
    sure = frame[frame["identified"]]
    for rate, label, colour in (("eta_h", "encoder, eta_h", COLOURS[0]), ("eta_y", "decoder, eta_y", COLOURS[1])):
        ends = [(sure[rate] - sure[f"{rate}_low"]), (sure[f"{rate}_high"] - sure[rate])]
        right.errorbar(
            sure[rate], place[sure.index], xerr=ends, fmt="o", markersize=3.5, linewidth=1, color=colour, label=label
        )
    right.set_xscale("log")
    right.set_xlabel("effective learning rate per step")
    for axes in (left, right):
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=8)


def measured_over_predicted(name: str, caption: str, frame: pd.DataFrame) -> Figure:
    """Draw measurements over two predictions with the line y = x, on logarithmic axes.

    Parameters
    ----------
    frame
        Columns ``network``, ``measured``, ``in sample``, ``out of sample``.
    """
    return Figure(name=name, caption=caption, frame=frame, draw=_draw_measured_over_predicted)


def _draw_measured_over_predicted(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(8.5, 3.9)
    panels = canvas.subplots(1, 2, sharex=True, sharey=True)
    groups = list(frame.groupby("network", sort=False))
    for axes, kind in zip(panels, ("in sample", "out of sample"), strict=True):
        for index, (network, points) in enumerate(groups):
            axes.scatter(
                points[kind],
                points["measured"],
                s=18 if len(points) < 100 else 5,
                alpha=0.8 if len(points) < 100 else 0.4,
                color=COLOURS[index % len(COLOURS)],
                marker="os^Dv<>P*X"[index // len(COLOURS) % 10],
                linewidths=0,
                label=str(network),
            )
        axes.set_title(kind)
        axes.set_xlabel("predicted ‖dh‖²")
    panels[0].set_ylabel("measured ‖dh‖²")
    values = frame[["measured", "in sample", "out of sample"]].to_numpy(dtype=float)
    diagonal(panels, values)
    if len(groups) > 1:
        panels[1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)


def diagonal(panels: np.ndarray, values: np.ndarray) -> None:
    """Draw y = x on logarithmic axes that hold all positive values."""
    positive = values[np.isfinite(values) & (values > 0)]
    if not len(positive):
        return
    low, high = positive.min() / 1.5, positive.max() * 1.5
    for axes in panels:
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(low, high)
        axes.set_ylim(low, high)
        axes.set_aspect("equal")
        axes.plot([low, high], [low, high], color="#777777", linewidth=0.8, zorder=0)


def cumulative(axes: Axes, values: pd.Series, *, colour: str, linestyle: str, label: str) -> None:
    """Draw the share of finite values below each value."""
    finite = np.sort(values[np.isfinite(values)])
    axes.step(
        finite, np.arange(1, len(finite) + 1) / max(1, len(finite)), color=colour, linestyle=linestyle, label=label
    )
