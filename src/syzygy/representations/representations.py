"""Representations of the same items, in the same order."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syzygy.errors import DataError, ShapeError, SpecificationError
from syzygy.measures import Measure
from syzygy.measures.measure import checked
from syzygy.representations.gathered import gathered
from syzygy.representations.grouped import grouped
from syzygy.representations.recorded import Steps
from syzygy.representations.representation import Representation


class Representations(Sequence[Representation]):
    """Representations that can be compared: at least one, of the same items.

    Where items have names they are matched by name, whatever their order; else their number must agree.

    Parameters
    ----------
    some
        The representations, each with a name of its own.
    left_out
        A line for everything that was given with them and cannot be compared.

    Attributes
    ----------
    names
        Of the representations.
    items
        Names of the items, in the common order; None if no representation names them.
    left_out
        As given.

    Raises
    ------
    SpecificationError
        None at all, or two of one name.
    ShapeError
        No items or units, different numbers of items, or items of other names.
    DataError
        Two items of one name.
    """

    def __init__(self, some: Sequence[Representation], left_out: Sequence[str] = ()):
        if not some:
            raise SpecificationError("there is nothing to compare; give at least one representation")
        self._some = tuple(some)
        self.names = tuple(one.name for one in some)
        if twice := [name for name, count in Counter(self.names).items() if count > 1]:
            raise SpecificationError(f"{len(twice)} names stand for more than one representation, as {twice[0]!r}")
        self.items = next((one.items for one in some if one.items), None)
        self._orders = [self._order(one) for one in some]
        self.left_out = tuple(left_out)

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

    @property
    def unnamed(self) -> tuple[str, ...]:
        """Those whose items have no names, where others' have: they are taken to be in the common order."""
        return tuple(one.name for one in self._some if one.items is None) if self.items else ()

    def values(self, index: int, measure: Measure | None = None) -> NDArray[np.float64]:
        """Read one as finite float64 ``(item, unit)``, its items in the common order.

        Raises
        ------
        ShapeError, DataError
            As :func:`~syzygy.measures.measure.checked`; or a file that changed, or cannot be read.
        """
        one = self._some[index]
        array = one.read()
        if np.shape(array) != one.shape:
            raise DataError(f"{one.name} was {one.shape} when it was opened, and is {np.shape(array)}")
        finite, order = checked(array, one.name, measure), self._orders[index]
        return finite if order is None else finite[order]

    def by_network(self) -> dict[str, dict[str, NDArray[np.float64]]]:
        """Read all, as layers of networks: from network to layer to ``(item, unit)``.

        As :func:`~syzygy.representations.grouped.grouped` says.

        Raises
        ------
        SpecificationError
            A layer of a network at several steps.
        ShapeError, DataError
            As :meth:`values`.
        """
        places = grouped(self._some)
        return {name: {layer: self.values(place) for layer, place in some.items()} for name, some in places.items()}

    @classmethod
    def of(cls, given: Any, *, layers: Sequence[str] | None = None, steps: Steps = "last") -> "Representations":
        """Make them of whatever holds representations.

        Parameters
        ----------
        given
            A dictionary from names to arrays ``(item, unit)`` (or to anything below); a list of arrays; an array
            ``(representation, item, unit)``; a DataArray or Dataset of xarray with axes ``item`` and ``unit``, where
            every other axis makes several representations; a :class:`~syzygy.trajectory.Trajectory`; a file (``.npy``,
            ``.npz``, ``.safetensors``), a ``.zarr``, the folder of a run or a :class:`~syzygy.store.FolderStore`, or a
            list of such paths.  Files are read when they are needed.
        layers
            Of what was recorded: names, or patterns as in ``hidden.*``; all by default.
        steps
            Of what was recorded: ``last``, ``first``, ``all``, ``log N``, ``every N``, or a list of steps.

        Raises
        ------
        SpecificationError
            Something else, nothing, two of one name, or steps that were not recorded.
        UnknownName
            A layer that was not recorded.
        ShapeError
            Items that do not match, or axes that say not which are items.
        DataError
            A file that is missing, empty, truncated or something else; objects, which are never unpickled; items of
            one name.

        Examples
        --------
        >>> import numpy as np
        >>> some = Representations.of({"a": np.ones((5, 3)), "b": np.ones((5, 8))})
        >>> some.names, some.item_count, [one.units for one in some]
        (('a', 'b'), 5, [3, 8])
        """
        return given if isinstance(given, Representations) else cls(*gathered(given, layers, steps))

    def _order(self, one: Representation) -> NDArray[np.intp] | None:
        """Say in which order its items come into the common one; None if they are in it."""
        first = self._some[0]
        if len(one.shape) < 2 or 0 in one.shape:
            raise ShapeError(f"{one.name} must be (item, unit) with at least one of each, got shape {one.shape}")
        if one.shape[0] != first.shape[0]:
            raise ShapeError(
                f"{one.name} has {one.shape[0]} items and {first.name} {first.shape[0]}; "
                "representations are compared on the same items"
            )
        if one.items is None or self.items is None:
            return None
        if len(one.items) != one.shape[0]:
            raise ShapeError(f"{one.name} has {one.shape[0]} items, and names for {len(one.items)}")
        there = {name: place for place, name in enumerate(one.items)}
        if len(there) < len(one.items):
            twice = next(name for name, count in Counter(one.items).items() if count > 1)
            raise DataError(f"{one.name} has more than one item named {twice!r}; items are matched by their names")
        if missing := [name for name in self.items if name not in there]:
            raise ShapeError(f"{one.name} lacks {len(missing)} of the items, as {missing[0]!r}")
        return None if one.items == self.items else np.array([there[name] for name in self.items])
