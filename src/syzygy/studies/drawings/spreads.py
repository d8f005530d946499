"""The drawings of a study of initialisations: distributions of the final distance, and what becomes of it with gain."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import LogLocator, NullFormatter
from scipy.special import ndtr

from syzygy.figures import COLOURS, Figure
from syzygy.studies.drawings.shared import measured_over_predicted
from syzygy.studies.tables.spreads import densities, rows
from syzygy.theory import FinalDistance

#: Lines by kind: colour and style.
KINDS = {
    "measured": ("black", "-"),
    "each network's start, carried": (COLOURS[0], "-"),
    "A_high normal": (COLOURS[1], "--"),
    "A_high centred": (COLOURS[2], ":"),
    "A_high centred, variance 2G²": (COLOURS[3], "-."),
}


def spreads(networks: pd.DataFrame, gains: pd.DataFrame, dx2: float) -> Figure:
    """Draw cumulative distributions of the final distance, a panel per gain.

    Parameters
    ----------
    networks, gains
        Tables of :mod:`syzygy.studies.tables.spreads`.
    dx2
        Squared distance of the inputs.
    """
    frames = [pd.DataFrame(columns=["gain", "kind", "h2", "share"])]
    for row in rows(gains):
        some = networks[(networks["gain"] == row["gain"]) & networks["tested"]]
        found = {"measured": _steps(some["last_h2"]), "each network's start, carried": _steps(some["final_h2_others"])}
        smooth = densities(row, dx2)
        names = {"A_high normal": "normal", "A_high centred": "centred", "A_high centred, variance 2G²": "published"}
        found |= {kind: _curve(smooth[name]) for kind, name in names.items() if name in smooth}
        frames += [
            pd.DataFrame({"gain": row["gain"], "kind": kind} | one) for kind, one in found.items() if len(one["h2"])
        ]
    return Figure(
        name="spread",
        caption="Share of networks that end with a smaller ‖dh‖², a panel per gain of the initial weights. Black: "
        "measured. Blue: each network carried from its own start, with the rates of other networks. Orange: A_high "
        "normal with the mean and variance measured over starts. Green: normal about zero, with the measured mean "
        "square. Pink: normal about zero, with variance 2G², G the gain of the whole untrained network.",
        frame=pd.concat(frames[1:], ignore_index=True) if frames[1:] else frames[0],
        draw=_draw_spreads,
    )


def _steps(values: pd.Series) -> dict[str, np.ndarray]:
    finite = np.sort(values.dropna().to_numpy(dtype=float))
    return {"h2": finite, "share": (np.arange(len(finite)) + 0.5) / max(1, len(finite))}


def _curve(density: FinalDistance) -> dict[str, np.ndarray]:
    share = ndtr(np.linspace(-2.5, 2.5, 101))
    return {"h2": density.quantile(share), "share": share}


def _draw_spreads(canvas: Canvas, frame: pd.DataFrame) -> None:
    gains = list(frame["gain"].unique())
    columns = min(4, max(1, len(gains)))
    lines = -(-max(1, len(gains)) // columns)
    canvas.set_size_inches(10, 0.5 + 2.2 * lines)
    panels = canvas.subplots(lines, columns, sharey=True, squeeze=False)
    for index, axes in enumerate(panels.ravel()):
        axes.set_visible(index < len(gains))
        for kind, (colour, style) in KINDS.items() if index < len(gains) else ():
            one = frame[(frame["gain"] == gains[index]) & (frame["kind"] == kind)]
            axes.plot(one["h2"], one["share"], color=colour, linestyle=style, label=kind)
        if index < len(gains):
            axes.set_title(f"gain {gains[index]:g}")
            known = frame[(frame["gain"] == gains[index]) & frame["kind"].isin(list(KINDS)[:2])]["h2"]
            if len(known):
                axes.set_xscale("log")
                axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axes.xaxis.set_major_formatter("{x:g}")
                axes.xaxis.set_minor_formatter(NullFormatter())
                axes.set_xlim(known.min() / 2, known.max() * 2)
    for axes in panels[-1]:
        axes.set_xlabel("final ‖dh‖²")
    for axes in panels[:, 0]:
        axes.set_ylabel("share of networks")
    canvas.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)


def final_distances(networks: pd.DataFrame) -> Figure:
    """Draw final distances over predictions: own rates, and rates of the other networks.

    Parameters
    ----------
    networks
        The table of :mod:`syzygy.studies.tables.spreads`.
    """
    good = networks[networks["tested"]]
    frame = good[["gain", "seed", "last_h2", "final_h2", "final_h2_others"]].rename(
        columns={"last_h2": "measured", "final_h2": "in sample", "final_h2_others": "out of sample"}
    )
    frame.insert(0, "network", [f"gain {gain:g}" for gain in frame["gain"]])
    return measured_over_predicted(
        "final-distance",
        "Squared distance of the two representations at the end of training, over the theory's prediction from each "
        "network's own start: with rates fitted to the same network (left), and with those of other networks of "
        "its gain (right). The line is y = x. The left panel is no independent test: the fit has seen the end.",
        frame,
    )


def over_gain(gains: pd.DataFrame) -> Figure:
    """Draw richness, and distances at the start and at the end, against gain.

    Parameters
    ----------
    gains
        The table of :mod:`syzygy.studies.tables.spreads`, with ``richness_fraction`` and ``richness_layers``.
    """
    return Figure(
        name="richness",
        caption="Left: richness A_high/A_low of the untrained networks against the gain of their weights: measured, "
        "with the rates of other networks (median); and predicted without any rate, with one gain split by the "
        "encoder's share of layers, and layer by layer. Beyond ±1 (grey) initialisation outweighs the data. Right: "
        "‖dh‖² before and after training, median and 10% to 90%, and the prediction with the rates of other networks.",
        frame=gains,
        draw=_draw_over_gain,
    )


def _draw_over_gain(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(10, 3.4)
    left, right = canvas.subplots(1, 2)
    names = {
        "richness": "measured",
        "richness_fraction": "one gain, split by layers",
        "richness_layers": "layer by layer",
    }
    for (name, label), colour, style in zip(names.items(), ("black", *COLOURS[1:]), ("-", "--", ":"), strict=False):
        left.plot(frame["gain"], frame[name], color=colour, linestyle=style, marker="o", markersize=3, label=label)
    left.axhspan(-1, 1, color="#dddddd", alpha=0.5, linewidth=0)
    left.set_yscale("symlog", linthresh=0.1)
    left.set_ylabel("A_high/A_low")
    ends = {"first_h2": "before", "last_h2": "after", "final_h2_others": "after, predicted"}
    for (name, label), colour, style in zip(
        ends.items(), (COLOURS[2], "black", COLOURS[0]), ("-", "-", "--"), strict=True
    ):
        right.plot(frame["gain"], frame[name], color=colour, linestyle=style, marker="o", markersize=3, label=label)
        right.fill_between(
            frame["gain"], frame[f"{name}_low"], frame[f"{name}_high"], color=colour, alpha=0.12, linewidth=0
        )
    if frame["last_h2"].notna().any():
        right.set_yscale("log")
    right.set_ylabel("‖dh‖²")
    for axes in (left, right):
        axes.set_xlabel("gain of the initial weights")
        axes.legend(fontsize=8)
