"""The drawings of an explanation: layers, distances, and pairs that nobody has chosen."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import PercentFormatter

from syzygy.explanation.scores import FORECAST, MODELS, Scores
from syzygy.explanation.tables import DISTANCES
from syzygy.figures import COLOURS, Figure

LABELS: Final = {"h2": "‖dh‖²", "y2": "‖dy‖²"}
#: Of longer curves, so many steps are drawn.
DRAWN_STEPS: Final = 300
#: Of more layers, so many have their pairs drawn; of more, so many are lines over distance.
DRAWN_LAYERS: Final = 6

#: From so large over small, distances are drawn in logarithmic spacing; so are steps, where the last gap between two
#: is so much larger than the first.
WIDE: Final = 10

#: One for each layer, because many a share is none.
MARKERS: Final = "osD^v<"

#: Which pairs are drawn: from the best, the middle and the worst of those that were forecast.
EXAMPLES: Final = {"best": 1.0, "median": 0.5, "worst": 0.0}
#: The same of one pair, and of two.
FEWER: Final = ({"only": 0.0}, {"best": 1.0, "worst": 0.0})

#: Curves of a pair that are drawn: column, line, colour, label.
CURVES: Final = (("measured", "-", COLOURS[0], "measured"), ("ahead", (0, (4, 3)), COLOURS[1], "forecast"),
                 ("in sample", (0, (1, 1.2)), "black", "fitted to all steps"))  # fmt: skip

#: Shares of a layer that are drawn: column, label, marker.
SHARES: Final = (("explained", "explained: forecast, and nothing simpler is closer", "o"),
                 ("forecast", "forecast by the theory", "s"), ("in_sample", "described in sample", "D"))  # fmt: skip


def layers(frame: pd.DataFrame) -> Figure:
    """Draw the shares of every layer."""
    columns = [f"{name}{end}" for name, *_ in SHARES for end in ("", "_low", "_high")]
    return Figure(
        name="layers",
        caption="Share of pairs, layer by layer: explained by the theory; forecast by it well enough, whoever is "
        "closest; described in sample by rates fitted to all steps. Bars: 95% over items, if there are 6 or more. "
        "Crosses: forecast as well by a curve without theory.",
        frame=frame[["network", "layer", *columns, *MODELS[1:]]],
        draw=_draw_layers,
    )


def _draw_layers(canvas: Canvas, frame: pd.DataFrame) -> None:
    alone = frame["network"].nunique() == 1
    names = [row["layer"] if alone else f"{row['network']}: {row['layer']}" for _, row in frame.iterrows()]
    canvas.set_size_inches(8, 1.5 + 0.6 * len(names))
    axes = canvas.subplots()
    place = np.arange(len(names))
    drawn: list[Any] = []
    for index, (name, label, marker) in enumerate(SHARES):
        ends = [(frame[name] - frame[f"{name}_low"]).clip(lower=0), (frame[f"{name}_high"] - frame[name]).clip(lower=0)]
        drawn.append(axes.errorbar(frame[name], place + 0.11 * (index - 3), xerr=np.nan_to_num(ends), fmt=marker,
                                   markersize=4, linewidth=1, color=COLOURS[index], label=label))  # fmt: skip
    for index, name in enumerate(MODELS[1:]):
        label = f"forecast by a {name}".replace("a e", "an e")
        drawn.append(axes.scatter(frame[name], place + 0.11 * index, marker="x", s=22, linewidths=1,
                                  color=COLOURS[3 + index], label=label))  # fmt: skip
    axes.set_yticks(place, names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_ylabel("layer" if alone else "network: layer")
    axes.set_xlim(-0.03, 1.03)
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.set_xlabel("share of pairs")
    canvas.legend(handles=drawn, loc="outside upper left", ncols=2, fontsize=8)


def distance(frame: pd.DataFrame) -> Figure:
    """Draw the share explained over each distance."""
    return Figure(
        name="distance",
        caption="Share of pairs that the theory explains, over their squared distance: of the representations when "
        "first seen, of the inputs, of the targets. A point is a bin, at the middle of its distances; the bins of a "
        f"layer hold about as many pairs each. Bars: 95% over items. Of more than {DRAWN_LAYERS} layers, the first are "
        "drawn.",
        frame=frame,
        draw=_draw_distance,
    )


def _draw_distance(canvas: Canvas, frame: pd.DataFrame) -> None:
    there = [name for name in DISTANCES if (frame["distance"] == name).any()]
    canvas.set_size_inches(3.3 * len(there) + 0.6, 3.2)
    panels = canvas.subplots(1, len(there), sharey=True, squeeze=False)[0]
    alone = frame["network"].nunique() == 1
    for axes, name in zip(panels, there, strict=True):
        some = frame[frame["distance"] == name]
        if some["from"].min() > 0 and some["to"].max() > WIDE * some["from"].min():
            axes.set_xscale("log")
        for index, (key, bins) in enumerate(list(some.groupby(["network", "layer"], sort=False))[:DRAWN_LAYERS]):
            middle = 0.5 * (bins["from"] + bins["to"])
            ends = [(bins["explained"] - bins["explained_low"]).clip(lower=0),
                    (bins["explained_high"] - bins["explained"]).clip(lower=0)]  # fmt: skip
            axes.errorbar(middle, bins["explained"], yerr=np.nan_to_num(ends), marker=MARKERS[index], markersize=5,
                          markerfacecolor="none", linewidth=1, color=COLOURS[index],
                          label=f"layer {key[1]}" if alone else ": ".join(map(str, key)))  # fmt: skip
        axes.set_xlabel(f"squared distance\n{DISTANCES[name]}")
        axes.set_ylim(-0.03, 1.03)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    panels[0].set_ylabel("share explained")
    canvas.legend(handles=panels[0].get_legend_handles_labels()[0], loc="outside upper left", ncols=3, fontsize=8)


def examples(network: str, scores: Scores, seeds: Sequence[int], number: int) -> Figure:
    """Draw the best, the median and the worst forecast of a layer.

    Parameters
    ----------
    seeds
        Of the networks.
    number
        Of the figure, for its name.
    """
    order = np.argsort(np.where(np.isfinite(scores.score), scores.score, np.inf), axis=None)
    last, own, ahead = int(np.isfinite(scores.score).sum()) - 1, scores.fit.predict(), scores.ahead.predict()
    frames: list[pd.DataFrame] = []
    for name, quantile in EXAMPLES.items() if last > 1 else FEWER[last].items():
        at = np.unravel_index(order[round(quantile * last)], scores.score.shape)
        label = f"{name}: {_named(scores, seeds, at)}"
        frames += [_curves(label, quantity, scores, at, (own, ahead)) for quantity in FORECAST]
    return Figure(
        name=f"pairs-{number}",
        caption=f"{network}, layer {scores.layer}: pairs that the theory forecasts best, in the middle and worst. "
        "Solid blue: measured. Dashed orange: the theory with rates of the steps before the vertical line, out of "
        "sample after it; it may leave the panel. Dotted black: with rates fitted to all steps. Score: the worse of "
        "the two forecasts; 1 is perfect.",
        frame=pd.concat(frames, ignore_index=True),
        draw=_draw_examples,
    )


def _named(scores: Scores, seeds: Sequence[int], at: tuple[np.intp, ...]) -> str:
    """Name a pair, its network's seed if there are several, and its score."""
    which = f", seed {seeds[int(at[0])]}" if len(seeds) > 1 else ""
    score = f"{scores.score[at]:.2f}".replace("-", "−")
    return f"{' – '.join(scores.fit.curves.pairs[at[1]])}{which} (score {score})"


def _curves(label: str, quantity: str, scores: Scores, at: tuple[np.intp, ...], predicted: tuple) -> pd.DataFrame:  # type: ignore[type-arg]
    curves = scores.fit.curves
    measured, own, ahead = (getattr(some, quantity)[at] for some in (curves, *predicted))
    there = np.flatnonzero(np.isfinite(measured))
    drawn = there[np.unique(np.linspace(0, len(there) - 1, DRAWN_STEPS).round().astype(int))]
    steps = curves.steps[drawn]
    columns = {"pair": label, "quantity": quantity, "step": steps.astype(int), "later": steps >= scores.cut[at[0]]}
    return pd.DataFrame(columns | {"measured": measured[drawn], "ahead": ahead[drawn], "in sample": own[drawn]})


def _draw_examples(canvas: Canvas, frame: pd.DataFrame) -> None:
    labels = list(frame["pair"].unique())
    canvas.set_size_inches(0.4 + 3.2 * max(2, len(labels)), 4.9)
    panels = canvas.subplots(len(FORECAST), len(labels), sharex=True, squeeze=False)
    for row, quantity in zip(panels, FORECAST, strict=True):
        for axes, label in zip(row, labels, strict=True):
            _draw_pair(axes, frame[(frame["pair"] == label) & (frame["quantity"] == quantity)])
            if quantity == FORECAST[0]:
                axes.set_title(label.replace(" (", "\n("), fontsize=8)
        row[0].set_ylabel(LABELS[quantity])
    for axes in panels[-1]:
        axes.set_xlabel("step")
    canvas.legend(handles=panels[0, 0].get_legend_handles_labels()[0], loc="outside upper left", ncols=3, fontsize=8)


def _draw_pair(axes: Axes, curve: pd.DataFrame) -> None:
    """Draw one quantity of a pair: measured, forecast, and as fitted to all of it."""
    for column, style, colour, label in CURVES:
        axes.plot(curve["step"], curve[column], color=colour, linestyle=style, label=label)
    axes.axvline(curve["step"][curve["later"].astype(bool)].min(), color="#777777", linewidth=0.8)
    top = curve["measured"].max()
    axes.set_ylim(0, 1.3 * top if top > 0 else 1)
    gaps = np.diff(curve["step"])
    if len(gaps) and gaps[-1] > WIDE * gaps[0]:
        axes.set_xscale("symlog", linthresh=1)
        axes.set_xlim(left=curve["step"].min())
