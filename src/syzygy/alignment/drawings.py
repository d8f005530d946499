"""Drawings of alignments: heatmaps of all pairs, the map of representations, and alignment over training."""

from collections.abc import Sequence
from typing import Any, Final

import matplotlib as mpl
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

from syzygy.axes import OTHER_REPRESENTATION, REPRESENTATION
from syzygy.figures import COLOURS, STYLE

Array = NDArray[np.float64]

#: Up to so many representations have a label each; of more, groups have one.
LABELLED: Final = 60
#: Up to so many, the numbers stand in the cells.
WRITTEN: Final = 9
#: Up to so many groups are ruled off.
RULED: Final = 30
#: More than so many are averaged over neighbours.
CELLS: Final = 300
MARKERS: Final = "os^Dv<>P*X"


def short(names: Sequence[str]) -> list[str]:
    """Leave out of names, whose parts stand between slashes, what all of them share.

    Examples
    --------
    >>> short(["mlp/seed 0/hidden.2/step 100", "mlp/seed 1/hidden.2/step 100"])
    ['seed 0', 'seed 1']
    """
    parts = [name.split("/") for name in names]
    if len(set(map(len, parts))) != 1 or len(names) < 2:
        return list(names)
    kept = [place for place in range(len(parts[0])) if len({part[place] for part in parts}) > 1]
    return ["/".join(part[place] for place in kept) for part in parts] if kept else list(names)


def cells(data: xr.Dataset) -> pd.DataFrame:
    """Give the numbers of a heatmap, a row per cell; where there are too many, cells are means of their neighbours.

    Parameters
    ----------
    data
        ``score`` and ``calibrated`` of one measure, ``(representation, other representation)``.
    """
    step = -(-data.sizes[REPRESENTATION] // CELLS)
    names = data[REPRESENTATION].values.astype(object)[::step]
    small = {name: _averaged(data[name].values, step) for name in ("score", "calibrated")}
    row, column = np.indices(small["score"].shape).reshape(2, -1)
    about = {"measure": str(data["measure"].values), REPRESENTATION: names[row], OTHER_REPRESENTATION: names[column]}
    return pd.DataFrame(about | {name: values.ravel() for name, values in small.items()})


def heatmaps(canvas: Canvas, frame: pd.DataFrame, *, distance: Sequence[str] = ()) -> None:
    """Draw scores and calibrated scores side by side, a row per measure of :func:`cells`.

    Parameters
    ----------
    distance
        Measures that are distances: alike is dark, as it is bright for similarities.
    """
    measures = list(dict.fromkeys(frame["measure"]))
    names = list(dict.fromkeys(frame[REPRESENTATION]))
    side = float(np.clip(1.6 + 0.13 * len(names), 2.6, 4.3))
    labels = short(names)
    room = 0.065 * max(map(len, labels)) if len(names) <= LABELLED else 0.9
    canvas.set_size_inches(2 * side + room + 1.6, len(measures) * (side + 0.4) + room + 0.2)
    panels = canvas.subplots(len(measures), 2, squeeze=False)
    for place, (row, measure) in enumerate(zip(panels, measures, strict=True), start=1):
        some = frame[frame["measure"] == measure]
        for axes, column in zip(row, ("score", "calibrated"), strict=True):
            matrix = some[column].to_numpy(dtype=float).reshape(len(names), len(names))
            turned = measure in distance and column == "score"
            _heatmap(axes, matrix, "viridis_r" if turned else "viridis", column == "calibrated")
            axes.set_title(f"{measure}: {column}")
            _ticks(axes, names, labels, left=column == "score", below=place == len(measures))
            axes.figure.colorbar(axes.images[0], ax=axes, shrink=0.85, pad=0.02).outline.set_visible(False)


def plotted(frame: pd.DataFrame, distance: Sequence[str]) -> Canvas:
    """Draw heatmaps on a canvas of their own."""
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        canvas = Canvas()
        heatmaps(canvas, frame, distance=distance)
    return canvas


def maps(canvas: Canvas, frame: pd.DataFrame) -> None:
    """Draw the map of each measure: a colour per network, a marker per layer, lines along training.

    Parameters
    ----------
    frame
        A row per measure and representation: ``measure``, ``representation``, ``1``, ``2``, ``stress``, ``network``,
        ``seed``, ``layer``, ``step``; empty where they are not known.
    """
    measures = list(dict.fromkeys(frame["measure"]))
    columns = min(3, len(measures))
    rows = -(-len(measures) // columns)
    canvas.set_size_inches(3.6 * columns + 1.2, 3.5 * rows)
    panels = canvas.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(measures) :]:
        axes.set_visible(False)
    for axes, measure in zip(panels, measures, strict=False):
        some = frame[frame["measure"] == measure]
        _map(axes, some)
        axes.set_title(f"{measure}, stress {some['stress'].iloc[0]:.2f}")
    handles, words = panels[0].get_legend_handles_labels()
    if len(words) > 1:
        canvas.legend(handles, words, loc="outside right center", fontsize=8)


def over_training(canvas: Canvas, frame: pd.DataFrame) -> None:
    """Draw how alike networks are at each step, and how alike each is to its own last step; a row per measure.

    Parameters
    ----------
    frame
        A row per measure and pair: ``measure``, ``between`` (``networks`` or ``own last step``), ``line``, ``group``,
        ``step``, ``score``, ``chance``.
    """
    measures = list(dict.fromkeys(frame["measure"]))
    kinds = list(dict.fromkeys(frame["between"]))
    canvas.set_size_inches(4.4 * len(kinds) + 1.2, 2.6 * len(measures) + 0.3)
    panels = canvas.subplots(len(measures), len(kinds), squeeze=False, sharex=True)
    for row, measure in zip(panels, measures, strict=True):
        for axes, kind in zip(row, kinds, strict=True):
            _lines(axes, frame[(frame["measure"] == measure) & (frame["between"] == kind)])
            axes.set_title(f"{measure}: {'between networks' if kind == 'networks' else 'with its own last step'}")
    for axes in panels[-1]:
        axes.set_xlabel("step")
    for axes in panels[0]:
        axes.legend(fontsize=7)


def _averaged(matrix: Array, step: int) -> Array:
    if step == 1:
        return matrix
    edges = range(0, len(matrix), step)
    known = np.isfinite(matrix)
    total = np.add.reduceat(np.add.reduceat(np.where(known, matrix, 0), edges, axis=0), edges, axis=1)
    count = np.add.reduceat(np.add.reduceat(known.astype(float), edges, axis=0), edges, axis=1)
    return np.asarray(total / np.where(count > 0, count, np.nan))


def _heatmap(axes: Axes, matrix: Array, colours: str, calibrated: bool) -> None:
    """Draw a matrix; its diagonal, which everybody knows, does not decide the scale."""
    off = matrix[~np.eye(len(matrix), dtype=bool)]
    known = off[np.isfinite(off)]
    low, high = (known.min(), known.max()) if len(known) else (0.0, 1.0)
    low, high = (min(0.0, low), max(high, 0.1)) if calibrated or low >= 0 else (low, max(high, 0.1))
    colour = mpl.colormaps[colours].with_extremes(bad="#dddddd")
    axes.imshow(matrix, vmin=low, vmax=high, cmap=colour, interpolation="nearest")
    axes.grid(visible=False)
    if len(matrix) > WRITTEN:
        return
    for (i, j), value in np.ndenumerate(matrix):
        place = (value - low) / (high - low)
        dark = np.isfinite(value) and (place < 0.6 if colours == "viridis" else place > 0.4)
        text = "–" if np.isnan(value) else f"{round(value, 2) + 0.0:.2f}".replace("-", "−")
        axes.text(j, i, text, ha="center", va="center", fontsize=7, color="white" if dark else "black")


def _ticks(axes: Axes, names: Sequence[str], labels: Sequence[str], *, left: bool, below: bool) -> None:
    """Label rows on the left, columns below; of too many, groups by the first part of their names."""
    if len(names) <= LABELLED:
        places: list[float] = list(range(len(labels)))
        shown, size = list(labels), float(np.clip(260 / len(labels), 3.6, 8))
    else:
        heads = [label.split("/")[0] for label in labels]
        starts = [place for place, head in enumerate(heads) if place == 0 or head != heads[place - 1]]
        if len(starts) > LABELLED:
            starts = starts[:: -(-len(starts) // LABELLED)]
        ends = [*starts[1:], len(heads)]
        places = [(start + end - 1) / 2 for start, end in zip(starts, ends, strict=True)]
        shown, size = [heads[start] for start in starts], float(np.clip(260 / len(starts), 3.6, 8))
        for start in starts[1:] if len(starts) <= RULED else []:
            axes.axhline(start - 0.5, color="white", linewidth=0.5)
            axes.axvline(start - 0.5, color="white", linewidth=0.5)
    axes.tick_params(length=1.5, width=0.4)
    axes.set_yticks([])
    axes.set_xticks([])
    if left:
        axes.set_yticks(places, shown, fontsize=size)
    if below:
        axes.set_xticks(places, shown, fontsize=size, rotation=90)


def _map(axes: Axes, some: pd.DataFrame) -> None:
    kind = "network" if some["network"].nunique() > 1 else "seed"
    kinds, layers = list(dict.fromkeys(some[kind])), list(dict.fromkeys(some["layer"]))
    for (network, layer, seed), group in some.groupby(["network", "layer", "seed"], sort=False, dropna=False):
        one = network if kind == "network" else seed
        colour = COLOURS[kinds.index(one) % len(COLOURS)]
        line = group.sort_values("step")
        named = str(network) if kind == "network" else f"seed {seed}" if len(kinds) > 1 else ""
        label = "/".join(part for part in (named, str(layer) if len(layers) > 1 else "") if part)
        drawn = label in axes.get_legend_handles_labels()[1]
        marker = MARKERS[layers.index(layer) % len(MARKERS)]
        look: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 4, "linewidth": 0.6, "alpha": 0.8}
        trained = line["step"].nunique() == len(line) > 1
        look["linestyle"] = "-" if trained else ""
        axes.plot(line["1"], line["2"], label=None if drawn else label, **look)
        if trained:  # where training ended
            axes.plot(line["1"].iloc[-1:], line["2"].iloc[-1:], color=colour, marker=marker, markersize=7)
    if len(some) <= 12:
        for name, x, y in zip(short(list(some[REPRESENTATION])), some["1"], some["2"], strict=True):
            axes.annotate(name, (x, y), xytext=(3, 3), textcoords="offset points", fontsize=7)
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.15)
    axes.tick_params(labelsize=7)


def _lines(axes: Axes, some: pd.DataFrame) -> None:
    groups = list(dict.fromkeys(some["group"]))
    for group, rows in some.groupby("group", sort=False):
        colour = COLOURS[groups.index(group) % len(COLOURS)]
        lines = list(rows.groupby("line", sort=False))
        for _, line in lines[:200]:
            axes.plot(line["step"], line["score"], color=colour, linewidth=0.5, alpha=0.35)
        middle = rows.groupby("step")["score"].median()
        axes.plot(middle.index, middle.to_numpy(), color=colour, linewidth=1.8, label=str(group))
    chance = some.groupby("step")["chance"].mean()
    if chance.notna().any():
        axes.plot(chance.index, chance.to_numpy(), color="#777777", linewidth=1, linestyle="--", label="chance")
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(left=-0.05)
