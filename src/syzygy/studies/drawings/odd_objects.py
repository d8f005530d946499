"""Objects as pictures: what has most of a dimension, and triplets on which two disagree."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from syzygy.figures import COLOURS, Figure
from syzygy.studies.claims.odd_one_out import REFERENCE
from syzygy.studies.tables.odd_one_out import TRAINED, Learned

Array = NDArray[np.float64]

#: Dimensions of an embedding that are shown, and objects of each.
ROWS: Final = 10
OBJECTS: Final = 8
#: Between pictures, in pixels.
GAP: Final = 1


def dimensions(
    some: Sequence[Learned], names: Sequence[str], shown: Array | None, every: pd.DataFrame
) -> tuple[Figure, ...]:
    """Draw the objects with the largest weights: of the reference, and of the first trained network of each kind.

    Parameters
    ----------
    some
        The embeddings.
    names
        Of the objects.
    shown
        Their pictures; without, there are names.
    every
        A row for each dimension, with its share of the decisions.
    """
    first: dict[str, Learned] = {}
    for one in some:
        if one.state in (REFERENCE, TRAINED) and one.usable:
            first.setdefault(one.architecture, one)
    rows = [row for one in first.values() for row in _weights(one, names, every)]
    if not rows:
        return ()
    caption = (
        f"The largest dimensions of the reference and of trained networks (the first seed of each), as the {OBJECTS} "
        "objects that have most of each, the most on the left. Beside: the share of held-out choices that it decides, "
        "and, of a network, the dimension of the reference that correlates most."
    )
    return (Figure("objects", caption, pd.DataFrame(rows), partial(_draw_dimensions, shown)),)


def _weights(one: Learned, names: Sequence[str], every: pd.DataFrame) -> list[dict[str, object]]:
    told = every[every["network"] == one.name].set_index("dimension")
    rows = []
    for number, column in enumerate(one.best.T[:ROWS], 1):
        for rank, place in enumerate(np.argsort(-column, kind="stable")[:OBJECTS], 1):
            rows.append({"network": one.name, "dimension": number, "rank": rank, "place": int(place),
                         "object": names[place], "weight": column[place], "decides": told.loc[number, "decides"],
                         "r": told.loc[number, "r"], "match": told.loc[number, "match"]})  # fmt: skip
    return rows


def _draw_dimensions(shown: Array | None, canvas: Canvas, frame: pd.DataFrame) -> None:
    networks = list(dict.fromkeys(frame["network"]))
    columns = min(2, len(networks))
    lines = -(-len(networks) // columns)
    canvas.set_size_inches(7.6, 0.2 + 3.5 * lines)
    panels = canvas.subplots(lines, columns, squeeze=False).ravel()
    for axes, name in zip(panels, networks, strict=False):
        some = frame[frame["network"] == name]
        axes.set_title(name)
        _labelled(axes, some)
        if shown is None:
            for row in some[some["rank"] == 1].itertuples():
                words = some[some["dimension"] == row.dimension]["object"].head(4)
                axes.text(0, row.dimension - 1, "  ".join(map(str, words)), fontsize=6, va="center")
            axes.set_xlim(0, OBJECTS)
            axes.set_ylim(some["dimension"].max() - 0.5, -0.5)
        else:
            grid = [some[some["dimension"] == number]["place"].tolist() for number in some["dimension"].unique()]
            drawn(axes, shown, grid)
    for axes in panels[len(networks) :]:
        axes.set_axis_off()


def _labelled(axes: Axes, some: pd.DataFrame) -> None:
    """Write beside each row its number, and which dimension of the reference each is."""
    firsts = some[some["rank"] == 1]
    axes.set_yticks(range(len(firsts)), [str(number) for number in firsts["dimension"]])
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for place, row in enumerate(firsts.itertuples()):
        words = f"{_percent(row.decides)}  {_matched(row.match, row.r)}"
        axes.annotate(words, (1.01, place), xycoords=("axes fraction", "data"), fontsize=6.5, va="center")


def _percent(share: Any) -> str:
    return f"{share:.0%}" if np.isfinite(share) else ""


def _matched(match: Any, r: Any) -> str:
    return f"ref. {match:.0f}: {r:.2f}" if np.isfinite(r) else ""


def drawn(axes: Axes, shown: Array, grid: Sequence[Sequence[int]]) -> None:
    """Draw pictures in rows, as one image; a row is one unit high and starts at 0.

    Parameters
    ----------
    axes
        Where to.
    shown
        ``(object, height, width)`` of ink from 0 to 1, or with three channels last.
    grid
        Places of the objects, by row.
    """
    height, width = shown.shape[1:3]
    paper = 0.0 if shown.ndim == 3 else 1.0
    columns = max(map(len, grid))
    size = (len(grid) * (height + GAP), columns * (width + GAP), *shown.shape[3:])
    canvas = np.full(size, paper)
    for row, places in enumerate(grid):
        for column, place in enumerate(places):
            top, left = row * (height + GAP), column * (width + GAP)
            canvas[top : top + height, left : left + width] = shown[place]
    axes.imshow(
        canvas, cmap="gray_r" if shown.ndim == 3 else None, vmin=0, vmax=1, aspect="auto", interpolation="nearest",
        extent=(0, columns, len(grid) - 0.5, -0.5),
    )  # fmt: skip


def disagreements(frame: pd.DataFrame, shown: Array | None, names: Sequence[str]) -> tuple[Figure, ...]:
    """Draw the triplets on which networks and the reference disagree most; without pictures, the table has to do.

    Parameters
    ----------
    frame
        As :func:`syzygy.studies.tables.odd_pairs.disagreements` gives it.
    shown
        Pictures of the objects.
    names
        Of the objects.
    """
    if shown is None or not len(frame):
        return ()
    assert len(names) == len(shown)
    caption = (
        "Triplets on which a trained network and the reference disagree most. The frame marks the odd one: blue, of "
        "the network; orange, of the reference. Below, the dimension of each that decides."
    )
    return (Figure("disagreements", caption, frame, partial(_draw_disagreements, shown)),)


def _draw_disagreements(shown: Array, canvas: Canvas, frame: pd.DataFrame) -> None:
    networks = list(dict.fromkeys(frame["network"]))
    most = int(frame.groupby("network").size().max())
    canvas.set_size_inches(7.6, 0.3 + 0.95 * len(networks))
    panels = canvas.subplots(len(networks), most, squeeze=False)
    for line, name in zip(panels, networks, strict=True):
        for axes in line:
            axes.set_axis_off()
        line[0].set_title(name)
        for axes, row in zip(line, frame[frame["network"] == name].itertuples(), strict=False):
            drawn(axes, shown, [[int(place) for place in row.places.split()]])
            for colour, odd, inset in zip(COLOURS, (row.odd_network, row.odd_reference), (0.02, 0.08), strict=False):
                left = ("first", "second", "third").index(odd)
                axes.add_patch(_frame(left, inset, colour))
            axes.set_xlim(-0.05, 3.05)
            axes.set_ylim(0.95, -0.55)
            axes.set_aspect("equal")
            axes.text(1.5, 0.75, f"{_number(row.dimension_network)} / {_number(row.dimension_reference)}", ha="center",
                      fontsize=7)  # fmt: skip


def _frame(left: float, inset: float, colour: str) -> Rectangle:
    box = (left + inset, -0.5 + inset)
    return Rectangle(box, 0.92 - 2 * inset, 0.98 - 2 * inset, fill=False, edgecolor=colour, linewidth=1.4)


def _number(value: float) -> str:
    return f"{value:.0f}" if np.isfinite(value) else "none"
