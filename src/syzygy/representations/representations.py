"""Representations of the same items, in the same order."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syzygy.errors import ShapeError, SpecificationError
from syzygy.measures import Measure
from syzygy.measures.measure import checked
from syzygy.representations.representation import Representation


class Representations(Sequence[Representation]):
    """Representations that can be compared: at least one, of the same items.

    Where items have names they are matched by name, whatever their order; else their number must agree.

    Raises
    ------
    SpecificationError
        None at all, or two of one name.
    ShapeError
        Different numbers of items, or items of other names.
    """

    def __init__(self, some: Sequence[Representation]):
        if not some:
            raise SpecificationError("there is nothing to compare; give at least one representation")
        self._some = tuple(some)
        self.names = tuple(one.name for one in some)
        if twice := sorted({name for name in self.names if self.names.count(name) > 1}):
            raise SpecificationError(f"{len(twice)} names stand for more than one representation, as {twice[0]!r}")
        self.items = next((one.items for one in some if one.items), None)
        self._orders = [self._order(one) for one in some]

    def __len__(self) -> int:
        return len(self._some)

    def __getitem__(self, index: Any) -> Any:
        return self._some[index]

    def __iter__(self) -> Iterator[Representation]:
        return iter(self._some)

    @property
    def item_count(self) -> int:
        """Number of items."""
        return self._some[0].shape[0]

    def values(self, index: int, measure: Measure | None = None) -> NDArray[np.float64]:
        """Read one as finite float64 ``(item, unit)``, its items in the common order.

        Raises
        ------
        ShapeError, DataError
            As :func:`~syzygy.measures.measure.checked`.
        """
        array = checked(self._some[index].read(), self.names[index], measure)
        order = self._orders[index]
        return array if order is None else array[order]

    @classmethod
    def of(cls, given: Any) -> "Representations":
        """Make them of whatever holds representations: see :func:`syzygy.align`."""
        if isinstance(given, Representations):
            return given
        if isinstance(given, Mapping):
            return cls([held(str(name), np.asarray(array)) for name, array in given.items()])
        return cls([held(str(index), np.asarray(array)) for index, array in enumerate(given)])

    def _order(self, one: Representation) -> NDArray[np.intp] | None:
        """Say in which order its items come into the common one; None if they are in it."""
        first = self._some[0]
        if one.shape[0] != first.shape[0]:
            raise ShapeError(
                f"{one.name} has {one.shape[0]} items and {first.name} {first.shape[0]}; "
                "representations are compared on the same items"
            )
        if one.items is None or self.items is None or one.items == self.items:
            return None
        there = {name: place for place, name in enumerate(one.items)}
        if missing := [name for name in self.items if name not in there]:
            raise ShapeError(f"{one.name} lacks {len(missing)} of the items, as {missing[0]!r}")
        return np.array([there[name] for name in self.items])


def held(name: str, array: NDArray[Any], **where: Any) -> Representation:
    """Make a representation of an array in memory."""
    return Representation(name, lambda: array, np.shape(array), where=where)
