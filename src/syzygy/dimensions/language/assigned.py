"""Items assigned to bins or points, by whichever estimator."""

from collections.abc import Iterator
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from syzygy.dimensions.language.given import Array, Codes


class Assigned(Protocol):
    """What every estimator makes of representations; tables are ``(label, unit, point)``."""

    @property
    def points(self) -> int:
        """Bins or points."""

    @property
    def units(self) -> int:
        """Tables side by side, over which entropies are averaged."""

    @property
    def miller_madow(self) -> bool:
        """Whether entropies are told with what they lack to second order."""

    @property
    def floor(self) -> Array:
        """Entropy of each item alone, in nats, ``(item,)``."""

    @property
    def empty(self) -> float:
        """Share of the points at which there is no item."""

    def only(self, items: NDArray[np.bool_]) -> Self:
        """Give some of the items."""

    def blocks(self, labels: int) -> Iterator[slice]:
        """Give units, as many at once as tables of so many labels may have."""

    def counts(self, codes: Codes, labels: int, units: slice) -> tuple[NDArray[Any], NDArray[Any]]:
        """Add up shares of items of each label, and squares: ``(draw, item)`` to ``(draw, label, unit, point)``."""

    def read(self, table: Array, codes: Codes, units: slice) -> Array:
        """Sum over units what a table has for each item, ``(item,)``."""
