"""Bins of equal width in each unit: the estimator of Conklin & Smith (2024)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.dimensions.language.given import Array, Codes
from syzygy.errors import ShapeError, SpecificationError

#: So many numbers a table of counts may have.
CELLS: Final = 2**18


@dataclass(frozen=True)
class Binned:
    """Count items in bins of equal width, unit by unit; entropies are means over units.

    Attributes
    ----------
    bins
        n, over the range of each unit; a unit that does not vary is in one bin.
    miller_madow
        Whether (occupied bins - 1)/(2 items) is added to each entropy (Miller 1955), which plug-in entropies lack to
        first order.
    limits
        Least and greatest of each unit, ``(unit,)`` each; by default those of the items given, at each step anew.
        Items beyond them are in the outermost bins.
    """

    bins: int = 20
    miller_madow: bool = True
    limits: tuple[ArrayLike, ArrayLike] | None = None

    def __post_init__(self) -> None:
        if self.bins < 2:
            raise SpecificationError(f"bins must be at least 2, got {self.bins}")

    def width(self, units: int) -> int:
        """Say how many numbers are kept of an item."""
        return units

    def assigned(self, x: NDArray[np.floating]) -> "Bins":
        """Assign items ``(item, unit)`` to bins.

        Raises
        ------
        ShapeError, SpecificationError
            Limits of another number of units, or in the wrong order.
        """
        low, high = self._limits(x)
        width = high - low
        flat = width <= 4 * np.finfo(x.dtype).eps * np.maximum(np.abs(low), np.abs(high))  # or rounding would be binned
        share = (x - low) / np.where(flat, 1, width)
        share[:, flat] = 0
        places = np.clip(np.floor(share * self.bins), 0, self.bins - 1)
        return Bins(places.astype(np.int64), self.bins, self.miller_madow)

    def _limits(self, x: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        if self.limits is None:
            return x.min(axis=0), x.max(axis=0)
        low, high = (np.asarray(one, dtype=np.float64) for one in self.limits)
        if low.shape != x.shape[1:] or high.shape != x.shape[1:]:
            raise ShapeError(f"limits are (unit,) each, of {x.shape[1]} units; got {low.shape} and {high.shape}")
        if not (low <= high).all():
            raise SpecificationError("limits are the least and the greatest of each unit, finite, in this order")
        return low, high


@dataclass(frozen=True)
class Bins:
    """Items in bins.

    Attributes
    ----------
    places
        The bin of each item in each unit, ``(item, unit)``.
    points
        Number of bins.
    miller_madow
        As asked.
    """

    places: NDArray[np.int64]
    points: int
    miller_madow: bool

    @property
    def floor(self) -> Array:
        """Entropy of each item alone, in nats, ``(item,)``: it is in one bin."""
        return np.zeros(len(self.places))

    @property
    def units(self) -> int:
        """Number of units."""
        return int(self.places.shape[1])

    @property
    def empty(self) -> float:
        """Share of the bins of all units in which there is no item."""
        every = np.zeros((1, len(self.places)), dtype=np.int64)
        occupied = sum(np.count_nonzero(self.counts(every, 1, units)[0]) for units in self.blocks(1))
        return 1 - occupied / (self.units * self.points)

    def only(self, items: NDArray[np.bool_]) -> "Bins":
        """Give some of the items."""
        return Bins(self.places[items], self.points, self.miller_madow)

    def blocks(self, labels: int) -> Iterator[slice]:
        """Give units, as many at once as a table of so many labels may have."""
        step = max(1, CELLS // (labels * self.points))
        yield from (slice(start, start + step) for start in range(0, self.units, step))

    def counts(self, codes: Codes, labels: int, units: slice) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Count items of each label in each bin.

        Parameters
        ----------
        codes
            Labels of the items, ``(draw, item)``.
        labels
            Their number.
        units
            Which.

        Returns
        -------
        Array, Array
            ``(draw, label, unit, bin)``, and the same again: a share of one is its own square.
        """
        places = self.places[:, units]
        width = places.shape[1]
        cell = places + self.points * np.arange(width)
        size = width * self.points
        counted = [
            np.bincount((cell + size * code[:, None]).ravel(), minlength=labels * size) for code in codes
        ]  # fmt: skip
        table = np.stack(counted).reshape(len(codes), labels, width, self.points)
        return table, table

    def read(self, table: Array, codes: Codes, units: slice) -> Array:
        """Sum over units what a table ``(label, unit, bin)`` has for each item, ``(item,)``."""
        places = self.places[:, units]
        return np.asarray(table[codes[:, None], np.arange(places.shape[1]), places].sum(axis=1))
