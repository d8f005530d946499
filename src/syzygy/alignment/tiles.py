"""Square tiles of all pairs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from syzygy.alignment.shelf import read_arrays, write_arrays

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Tile:
    """Some representations against some others.

    Attributes
    ----------
    rows, columns
        Their places.
    """

    rows: range
    columns: range

    @property
    def square(self) -> bool:
        """Whether they are compared with one another."""
        return self.rows == self.columns

    @property
    def name(self) -> str:
        """Its own among all tiles, of whatever size."""
        return f"{self.rows.start}-{self.rows.stop}x{self.columns.start}-{self.columns.stop}"

    @property
    def pairs(self) -> int:
        """How many pairs are computed."""
        return len(self.rows) * (len(self.rows) + 1) // 2 if self.square else len(self.rows) * len(self.columns)


def tiles(count: int, side: int, symmetric: bool) -> list[Tile]:
    """Cut all pairs into squares; of a symmetric measure, the diagonal and what is above it.

    Examples
    --------
    >>> [tile.name for tile in tiles(5, 3, symmetric=True)]
    ['0-3x0-3', '0-3x3-5', '3-5x3-5']
    """
    cuts = [range(start, min(start + side, count)) for start in range(0, count, side)]
    return [Tile(a, b) for i, a in enumerate(cuts) for j, b in enumerate(cuts) if j >= i or not symmetric]


class Answers:
    """What is known of all pairs, ``(representation, other representation)``, filled tile by tile.

    Parameters
    ----------
    count
        Of representations.
    symmetric
        Whether what is found above the diagonal holds below it.
    folder
        Where every tile is kept too, each a file that is there whole or not at all; None keeps none.

    Attributes
    ----------
    arrays
        By name; NaN where nothing is known.
    """

    def __init__(self, count: int, symmetric: bool, folder: Path | None = None):
        self.count, self.symmetric, self.folder = count, symmetric, folder
        self.arrays: dict[str, Array] = {}

    def put(self, tile: Tile, arrays: Mapping[str, Array]) -> None:
        """Keep the arrays of a tile, each ``(row, column)``."""
        if self.folder is not None:
            write_arrays(self.folder / f"{tile.name}.safetensors", arrays)
        self._fill(tile, arrays)

    def missing(self, some: Iterable[Tile]) -> list[Tile]:
        """Read the tiles that are kept, and give the others; a damaged one is another."""
        return [tile for tile in some if not self._read(tile)]

    def _read(self, tile: Tile) -> bool:
        path = None if self.folder is None else self.folder / f"{tile.name}.safetensors"
        if path is None or not path.is_file():
            return False
        try:
            self._fill(tile, read_arrays(path))
        except (OSError, ValueError, LookupError):
            return False
        return True

    def _fill(self, tile: Tile, arrays: Mapping[str, Array]) -> None:
        rows, columns = slice(tile.rows.start, tile.rows.stop), slice(tile.columns.start, tile.columns.stop)
        for name, values in arrays.items():
            whole = self.arrays.setdefault(name, np.full((self.count, self.count), np.nan))
            whole[rows, columns] = values
            if self.symmetric and tile.square:
                whole[rows, columns] = np.triu(values) + np.triu(values, 1).T  # the same to the last digit
            elif self.symmetric:
                whole[columns, rows] = values.T
