"""The drawings of the study of feature bias."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from syzygy.figures import COLOURS, Figure
from syzygy.studies.arms import Arm
from syzygy.studies.tables.biased import COMPUTED
from syzygy.tasks.bits import FEATURES

GREY: Final = "#777777"
HUES: Final = dict(zip(FEATURES, COLOURS, strict=False))
#: Panels beside each other.
COLUMNS: Final = 4


def where(ends: pd.DataFrame, map_: pd.DataFrame) -> Figure:
    """Draw the map: the shares of both features in every setting, beside their accuracies.

    Parameters
    ----------
    ends
        As :func:`~syzygy.studies.tables.bias.at_the_end` gives it.
    map_
        As :func:`~syzygy.studies.tables.bias.where` gives it.
    """
    verdicts = map_.set_index("arm")["verdict"]
    worst = map_.set_index("arm")[["accuracy_easy", "accuracy_hard"]].add_prefix("worst_")
    return Figure(
        name="map",
        caption="Where the bias holds: share of the last hidden layer's variance that each feature explains, a dot for "
        "each network, bars are means. Hollow dots are of networks that do not compute the feature "
        f"(accuracy below {COMPUTED}). To the right the worst accuracies of a seed, easy and hard, and the verdict.",
        frame=ends.assign(verdict=ends["arm"].map(verdicts)).join(worst, on="arm"),
        draw=_draw_where,
    )


def _draw_where(canvas: Canvas, frame: pd.DataFrame) -> None:
    names = list(dict.fromkeys(frame["arm"]))
    canvas.set_size_inches(8.2, 0.9 + 0.32 * len(names))
    axes = canvas.subplots()
    for row, name in enumerate(names):
        some = frame[frame["arm"] == name]
        for feature, off in zip(FEATURES, (-0.16, 0.16), strict=True):
            share, hue = some[f"share_{feature}"], HUES[feature]
            there = some[f"accuracy_{feature}"] >= COMPUTED
            axes.scatter(share[there], np.full(there.sum(), row + off), s=16, color=hue, zorder=3)
            axes.scatter(share[~there], np.full((~there).sum(), row + off), s=16, facecolors="none", edgecolors=hue)
            axes.plot([share.mean()] * 2, [row + off - 0.14, row + off + 0.14], color=hue, linewidth=2.2)
        first = some.iloc[0]
        told = [f"{first[f'worst_accuracy_{feature}']:.3f}" for feature in FEATURES]
        told = ["  –  " if one == "nan" else one for one in told]
        axes.text(1.04, row, f"{told[0]}   {told[1]}   {first['verdict']}", va="center", fontsize=8)
    axes.text(1.04, -0.95, "easy     hard     (worst accuracy)", va="center", fontsize=8, color=GREY)
    for feature in FEATURES:
        axes.scatter([], [], s=16, color=HUES[feature], label=feature)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.6)
    axes.set_xlim(-0.03, 1.02)
    axes.set_xlabel("share of the variance of the last hidden layer")
    axes.legend(loc="lower right", ncols=2, fontsize=8, bbox_to_anchor=(1, 1))


def over_training(shares: pd.DataFrame, arms: Mapping[str, Arm]) -> Figure:
    """Draw what each feature explains over training, on the scale of the end, with accuracies.

    Parameters
    ----------
    shares
        As :class:`~syzygy.studies.tables.biased.Biased` has it, of all arms.
    arms
        By name.
    """
    last = shares[[layer == arms[arm].layers[-1] for arm, layer in zip(shares["arm"], shares["layer"], strict=True)]]
    columns = ["arm", "seed", "step", "feature", "share", "low", "high", "of_final", "accuracy"]
    return Figure(
        name="over-training",
        caption="What each feature explains of the last hidden layer over training, as a share of its variance at the "
        "end (a common scale; thin lines are networks, thick ones means), and how often it is told rightly "
        "(dots, mean). Steps of what was learned first are left out.",
        frame=last[columns].reset_index(drop=True),
        draw=_draw_over_training,
    )


def _draw_over_training(canvas: Canvas, frame: pd.DataFrame) -> None:
    for axes, (_, some) in zip(_panels(canvas, frame["arm"], 1.7), frame.groupby("arm", sort=False), strict=False):
        for feature, one in some.groupby("feature", sort=False):
            for _, seed in one.groupby("seed"):
                axes.plot(seed["step"], seed["of_final"], color=HUES[str(feature)], linewidth=0.6, alpha=0.5)
            mean = one.groupby("step")[["of_final", "accuracy"]].mean()
            axes.plot(mean.index, mean["of_final"], color=HUES[str(feature)], linewidth=1.8, label=f"{feature}: share")
            axes.plot(mean.index, mean["accuracy"], ".", color=HUES[str(feature)], markersize=4,
                      label=f"{feature}: accuracy")  # fmt: skip
        axes.set_ylim(-0.05, max(1.05, 1.05 * float(some["of_final"].max())))
        axes.locator_params(axis="x", nbins=3)
    _legend(canvas, "step", "share, accuracy")


def by_layer(layers: pd.DataFrame, map_: pd.DataFrame) -> Figure:
    """Draw shares by layer at the end, of settings in which both features are learned.

    Parameters
    ----------
    layers
        As :func:`~syzygy.studies.tables.bias.by_layer` gives it.
    map_
        As :func:`~syzygy.studies.tables.bias.where` gives it.
    """
    told = map_[(map_["depth"] > 1) & ~map_["verdict"].isin(["learned alone", "not both computed"])]["arm"]
    return Figure(
        name="by-layer",
        caption="Share of each feature by hidden layer at the end, means over seeds, where every network computes "
        "both; settings with more than one layer.",
        frame=layers[layers["arm"].isin(told)].reset_index(drop=True),
        draw=_draw_by_layer,
    )


def _draw_by_layer(canvas: Canvas, frame: pd.DataFrame) -> None:
    for axes, (_, some) in zip(_panels(canvas, frame["arm"], 1.5), frame.groupby("arm", sort=False), strict=False):
        for feature, one in some.groupby("feature", sort=False):
            places = range(1, len(one) + 1)
            axes.plot(places, one["share"], marker=".", color=HUES[str(feature)], label=feature)
        axes.set_ylim(-0.03, 1.0)
        axes.set_xticks(places)
    _legend(canvas, "hidden layer", "share")


def flips(rates: pd.DataFrame) -> Figure:
    """Draw how often each feature is read otherwise once items are moved.

    Parameters
    ----------
    rates
        As :func:`~syzygy.dimensions.features.flips` gives it, of all arms and seeds.
    """
    return Figure(
        name="flips",
        caption="The causal test: items are moved along a feature's direction in the last hidden layer, away from what "
        "they are, by a length in units of the root of the layer's variance. Share of items whose easy or hard "
        "label is then read otherwise, medians over seeds that compute both: solid along the feature's own "
        "direction, dashed along the other's.",
        frame=rates,
        draw=_draw_flips,
    )


def _draw_flips(canvas: Canvas, frame: pd.DataFrame) -> None:
    if frame.empty:
        _nothing(canvas)
        return
    for axes, (_, some) in zip(_panels(canvas, frame["arm"], 1.5), frame.groupby("arm", sort=False), strict=False):
        for (moved, read), one in some.groupby(["moved", "read"], sort=False):
            middle = one.groupby("scale")[["length", "flipped"]].median()
            own = moved == read
            label = f"{read}, along {'its own' if own else 'the other'}"
            axes.plot(middle["length"], middle["flipped"], color=HUES[str(read)], linestyle="-" if own else "--",
                      label=label)  # fmt: skip
        axes.axhline(0.5, color=GREY, linewidth=0.7)
        axes.set_ylim(-0.05, 1.05)
        axes.locator_params(axis="x", nbins=4)
    _legend(canvas, "length of the shift", "flipped")


def readers(frame: pd.DataFrame, ends: pd.DataFrame) -> Figure:
    """Draw which feature a linear reader follows against the gap of their shares.

    Parameters
    ----------
    frame
        A row for each arm and seed, as :func:`~syzygy.dimensions.features.preference` gives it.
    ends
        As :func:`~syzygy.studies.tables.bias.at_the_end` gives it.
    """
    keys = ["arm", "seed"]
    told = frame.merge(ends[[*keys, "gap"]], on=keys) if len(frame) else frame
    return Figure(
        name="readers",
        caption="Which feature a linear reader follows where they differ, fitted where they agree, against the easy "
        "share less the hard share: a dot for each network that computes both, with its interval over items.",
        frame=told,
        draw=_draw_readers,
    )


def _draw_readers(canvas: Canvas, frame: pd.DataFrame) -> None:
    if frame.empty:
        _nothing(canvas)
        return
    canvas.set_size_inches(6.6, 3.4)
    axes = canvas.subplots()
    markers = "osD^v<>P"
    for index, (name, some) in enumerate(frame.groupby("arm", sort=False)):
        colour, marker = COLOURS[index % len(COLOURS)], markers[index // len(COLOURS) % len(markers)]
        spread = np.abs(some[["low", "high"]].to_numpy().T - some["share"].to_numpy())
        axes.errorbar(some["gap"], some["share"], yerr=spread, fmt=marker, color=colour, markersize=4, linewidth=0.6,
                      label=str(name))  # fmt: skip
    axes.axhline(0.5, color=GREY, linewidth=0.8)
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("easy share less hard share")
    axes.set_ylabel("follows the easy feature")
    canvas.legend(*axes.get_legend_handles_labels(), loc="outside right center", fontsize=8)


def _panels(canvas: Canvas, names: pd.Series, height: float) -> list[Axes]:
    """Make a panel for each arm, with its name on top."""
    listed = [str(name) for name in dict.fromkeys(names)]
    rows = max(1, -(-len(listed) // COLUMNS))
    canvas.set_size_inches(9, 0.7 + height * rows)
    panels = list(canvas.subplots(rows, COLUMNS, squeeze=False).ravel())
    for axes, name in zip(panels, listed, strict=False):
        axes.set_title(name)
    for axes in panels[len(listed) :]:
        axes.set_axis_off()
    return panels[: len(listed)]


def _legend(canvas: Canvas, x: str, y: str) -> None:
    if canvas.axes:
        handles = canvas.axes[0].get_legend_handles_labels()
        canvas.legend(*handles, loc="outside upper center", ncols=4, fontsize=8)
    canvas.supxlabel(x, fontsize=9)
    canvas.supylabel(y, fontsize=9)


def _nothing(canvas: Canvas) -> None:
    canvas.set_size_inches(4, 1)
    canvas.text(0.5, 0.5, "no network computes both features", ha="center")
