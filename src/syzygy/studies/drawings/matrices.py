"""Matrices of distances, side by side: one setting a row, a prediction or measurement a column."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

from syzygy.figures import Figure


def matrices(name: str, caption: str, frame: pd.DataFrame, columns: Mapping[str, str]) -> Figure:
    """Draw matrices of distances of a few items, with their numbers.

    Parameters
    ----------
    frame
        A row for each ``network`` and ``pair`` of items (``a-b``), and the columns to draw.
    columns
        From a column of ``frame`` to its title; each row of matrices has one scale, from zero.
    """
    return Figure(name=name, caption=caption, frame=frame, draw=partial(_draw, columns=columns))


def _draw(canvas: Canvas, frame: pd.DataFrame, columns: Mapping[str, str]) -> None:
    names = list(dict.fromkeys(frame["network"]))
    canvas.set_size_inches(1.9 * len(columns), 1.9 * len(names) + 0.2)
    panels = canvas.subplots(len(names), len(columns), squeeze=False)
    for row, name in enumerate(names):
        some = frame[frame["network"] == name]
        top = np.max(np.nan_to_num(some[list(columns)].to_numpy(dtype=float)), initial=1e-12)
        for axes, (column, title) in zip(panels[row], columns.items(), strict=True):
            matrix, items = square(some["pair"], some[column])
            axes.imshow(matrix, vmin=0, vmax=top, cmap="viridis")
            for (i, j), value in np.ndenumerate(matrix):
                colour = "white" if value <= 0.6 * top else "black"  # NaN is on white
                text = "–" if np.isnan(value) else f"{value:.2g}" if value < 100 else f"{value:.0f}"
                axes.text(j, i, "" if i == j else text, ha="center", va="center", fontsize=7.5, color=colour)
            axes.set_xticks(range(len(items)), items)
            axes.set_yticks(range(len(items)), items)
            axes.grid(visible=False)
            axes.set_title(title if row == 0 else "")
        panels[row, 0].set_ylabel(name)


def square(pairs: Sequence[str], values: Sequence[float]) -> tuple[NDArray[np.float64], list[str]]:
    """Give a symmetric matrix with zeros on its diagonal from values of pairs ``a-b``, and the items in order.

    Examples
    --------
    >>> square(["a-b", "a-c", "b-c"], [1, 2, 3])[0].tolist()
    [[0.0, 1.0, 2.0], [1.0, 0.0, 3.0], [2.0, 3.0, 0.0]]
    """
    named = [pair.split("-") for pair in pairs]
    items = sorted({item for pair in named for item in pair})
    matrix = np.zeros((len(items), len(items)))
    for (first, second), value in zip(named, values, strict=True):
        i, j = items.index(first), items.index(second)
        matrix[i, j] = matrix[j, i] = value
    return matrix, items
