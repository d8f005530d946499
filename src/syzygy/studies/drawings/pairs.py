"""The drawings of a study of many pairs: distributions over them, and examples that nobody has chosen."""

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from syzygy.figures import COLOURS, Figure
from syzygy.fitting import Fit
from syzygy.fitting.problems import CURVES
from syzygy.studies.drawings.shared import LABELS, cumulative, measured_over_predicted

KINDS: Final = ("different classes", "same class")

LOWEST_R2 = -1000.0  # drawn

#: Panels of the distributions: title, and by column the colour and label of a curve.
PANELS: Final = {
    "in sample, all steps": {"r2_h2": (0, "theory")},
    "rates of the first half, second half": {"theory_h2": (0, "theory"), "logistic_h2": (1, "logistic")},
    "rates from elsewhere, all steps": {
        "other_pairs_h2": (0, "theory, other pairs"),
        "other_networks_h2": (2, "theory, other seeds"),
        "mean_curve_h2": (1, "mean curve of others"),
    },
}


def distributions(pairs: pd.DataFrame) -> Figure:
    """Draw how much of ‖dh‖² is explained, over pairs: in sample, of the second half, and with rates from elsewhere.

    Parameters
    ----------
    pairs
        A row per pair and network, with ``seed``, ``pair``, ``kind`` and the columns of :data:`PANELS`.
    """
    columns = [column for panel in PANELS.values() for column in panel]
    return Figure(
        name="distribution",
        caption="Share of pairs, over all networks, for which less than so much of the variance of ‖dh‖² is explained: "
        "curves further right are better, and left of zero the mean of the curve would have done better. Left: in "
        "sample. Middle: rates of the first half of the steps, scored on the second; a logistic with as many constants "
        "beside it. Right: rates of pairs that share no image, or of the same pair in the other networks; the mean "
        "curve of the pairs that share no image beside it. Solid: different classes; dotted: same class.",
        frame=pairs[["seed", "pair", "kind", *columns]],
        draw=_draw_distributions,
    )


def _draw_distributions(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(10, 3.4)
    drawn = canvas.subplots(1, len(PANELS), sharey=True)
    for axes, (title, columns) in zip(drawn, PANELS.items(), strict=True):
        for kind, line in zip(KINDS, ("-", ":"), strict=True):
            some = frame[frame["kind"] == kind]
            for column, (colour, label) in columns.items():
                told = label if kind == KINDS[0] else "_"
                cumulative(axes, some[column], colour=COLOURS[colour], linestyle=line, label=told)
        axes.set_title(title)
        _r2_axis(axes)
    drawn[0].set_ylabel("share of pairs below")


def _r2_axis(axes: Axes) -> None:
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(LOWEST_R2, 1.05)
    axes.set_xticks([-100, -1, 0, 1], ["−100", "−1", "0", "1"])
    axes.axvline(0, color="#777777", linewidth=0.8)
    axes.set_xlabel("R² of ‖dh‖²")
    axes.legend(loc="upper left", fontsize=8)


def examples(fit: Fit, elsewhere: Fit, pairs: pd.DataFrame) -> Figure:
    """Draw pairs at fixed quantiles of R², so that nobody has chosen them.

    Parameters
    ----------
    fit, elsewhere
        Rates fitted to the pairs, and rates from elsewhere.
    pairs
        Their table, a row per network and pair in this order.
    """
    own, other = fit.predict(), elsewhere.predict()
    different = pairs[(pairs["kind"] == KINDS[0]) & pairs["r2_h2"].notna()].sort_values("r2_h2")
    frames = [pd.DataFrame(columns=["pair", "quantity", "step", "measured", "in sample", "out of sample"])]
    for quantile in (0.1, 0.5, 0.9) if len(different) else ():
        position = different.index[round(quantile * (len(different) - 1))]
        where, row = np.unravel_index(position, fit.fitted.shape), pairs.loc[position]
        label = f"{row['pair']}, seed {row['seed']} ({quantile:.0%} quantile, R² {row['r2_h2']:.2f})"
        for name in CURVES:
            measured, *predicted = (getattr(curves, name)[where] for curves in (fit.curves, own, other))
            curve = {"measured": measured, "in sample": predicted[0], "out of sample": predicted[1]}
            frames.append(pd.DataFrame({"pair": label, "quantity": name, "step": fit.curves.steps, **curve}))
    return Figure(
        name="examples",
        caption="Pairs of different classes at the 10%, 50% and 90% quantiles of R² (in sample), each curve as a share "
        "of its largest value: measured (solid), the theory with the pair's own fitted rates (dashed) and with those "
        "of pairs that share no image with it (dotted).",
        frame=pd.concat(frames[1:], ignore_index=True) if frames[1:] else frames[0],
        draw=_draw_examples,
    )


def _draw_examples(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(10, 2.9)
    labels = list(frame["pair"].unique())
    panels = canvas.subplots(1, max(1, len(labels)), squeeze=False)[0]
    lines = {"measured": "-", "in sample": (0, (4, 3)), "out of sample": (0, (1, 1.2))}
    for axes, label in zip(panels, labels, strict=False):
        for index, name in enumerate(CURVES):
            curve = frame[(frame["pair"] == label) & (frame["quantity"] == name)]
            scale = 1 / max(curve["measured"].abs().max(), 1e-300)
            for column, style in lines.items():
                told = LABELS[name] if column == "measured" else "_"
                axes.plot(curve["step"], curve[column] * scale, color=COLOURS[index], linestyle=style, label=told)
        axes.set_title(label.replace(" (", "\n("), fontsize=8)
        axes.set_xlabel("step")
        axes.set_ylim(-1.6, 1.6)
    panels[0].set_ylabel("share of its largest value")
    if labels:
        panels[0].legend(fontsize=8)


def final_distances(pairs: pd.DataFrame) -> Figure:
    """Draw final distances over predictions: own rates, and rates of other pairs."""
    columns = {"kind": "network", "last_h2": "measured", "final_h2": "in sample", "final_h2_others": "out of sample"}
    return measured_over_predicted(
        "final-distance",
        "Squared distance of two images' representations at the end of training, over the theory's prediction: with "
        "rates fitted to the pair itself (left), and to the pairs that share no image with it (right). The line is "
        "y = x. Pairs of one class that are predicted to merge (distance zero) cannot be drawn on these axes.",
        pairs[["seed", "pair", *columns]].rename(columns=columns),
    )
