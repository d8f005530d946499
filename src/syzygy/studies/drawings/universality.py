"""The drawings of the study of universality."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas

from syzygy.figures import COLOURS, Figure
from syzygy.theory import universal

LINES = ("-", "--", ":")
SHOWN = (-8.0, 8.0)


def collapse(frame: pd.DataFrame) -> Figure:
    """Draw all networks as trained and in units of their own, with the theory's curve.

    Parameters
    ----------
    frame
        Columns ``network``, ``seed``, ``step``, ``h2``, ``time``, ``distance``.
    """
    return Figure(
        name="collapse",
        caption="Left: squared distance of the two representations of every network over the steps, as trained. "
        "Right: each network in time from its half-rise in units of 1/Ω, and in units of its end; Ω and the end are "
        "predicted with the rates of other seeds. Black: the theory's curve, 1/(1 + e^(−t)). Networks that do not "
        "rise from below half of the predicted end, or have no prediction, are on the left only.",
        frame=frame,
        draw=_draw_collapse,
    )


def _draw_collapse(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(10, 4.2)
    left, right = canvas.subplots(1, 2)
    for index, (name, networks) in enumerate(frame.groupby("network", sort=False)):
        style = {"color": COLOURS[index % len(COLOURS)], "linestyle": LINES[index // len(COLOURS) % len(LINES)]}
        for number, (_, curve) in enumerate(networks.groupby("seed")):
            left.plot(curve["step"], curve["h2"], linewidth=0.9, alpha=0.8, label=name if not number else None, **style)
            right.plot(curve["time"], curve["distance"], linewidth=0.9, alpha=0.8, **style)
    left.set_yscale("log")
    left.set_xlabel("step")
    left.set_ylabel("‖dh‖²")
    left.set_title("as trained")
    times = np.linspace(*SHOWN, 200)
    right.plot(times, universal(times), color="black", linewidth=2.2, alpha=0.9, zorder=5)
    right.set_xlim(*SHOWN)
    right.set_ylim(-0.05, 1.6)
    right.set_xlabel("Ω · (step − half-rise)")
    right.set_ylabel("‖dh‖² over its predicted end")
    right.set_title("in units from other seeds")
    canvas.legend(*left.get_legend_handles_labels(), loc="outside right center", fontsize=8)


def deviations(networks: pd.DataFrame, bound: float) -> Figure:
    """Draw how far each network is from the theory's curve, with the bound of the claim.

    Parameters
    ----------
    networks
        Columns ``network``, ``seed``, ``deviation``, ``deviation_own``.
    bound
        Largest deviation that the claim allows.
    """

    def draw(canvas: Canvas, frame: pd.DataFrame) -> None:
        names = list(dict.fromkeys(frame["network"]))
        canvas.set_size_inches(8, 1.2 + 0.25 * len(names))
        axes = canvas.subplots()
        place = frame["network"].map(names.index)
        for column, label, face, shift in (
            ("deviation", "other seeds' units", COLOURS[0], -0.12),
            ("deviation_own", "own units", "none", 0.12),
        ):
            axes.scatter(
                frame[column], place + shift, s=18, edgecolors=COLOURS[0], facecolors=face, linewidths=1, label=label
            )
        for name in set(names) - set(frame.loc[frame["deviation"].notna(), "network"]):
            edge = axes.get_yaxis_transform()
            axes.text(
                0.99,
                names.index(name),
                "none rises, or none is predicted",
                transform=edge,
                ha="right",
                va="center",
                fontsize=7.5,
                color="#777777",
            )
        axes.axvline(bound, color="#777777", linewidth=0.9)
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set_xlim(left=0)
        axes.set_xlabel("root mean square deviation from the theory's curve, in units of the end")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=8)

    return Figure(
        name="deviations",
        caption="Deviation of every network from the theory's curve for |t| ≤ 4, with units predicted from other "
        f"seeds (filled) and from its own rates (open). The line is the claim's bound, {bound:g}.",
        frame=networks[["network", "seed", "deviation", "deviation_own"]],
        draw=draw,
    )
