"""A representation: the same items, seen by one layer of one network at one step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class Representation:
    """Something that gives ``(item, unit)`` when it is asked for, and says beforehand how large that is.

    Attributes
    ----------
    name
        Its own among those it is compared with.
    read
        Gives the array; axes after the item are flattened into units later.  It may be memory-mapped.
    shape
        Of that array.
    items
        Names of the items, in the order of the array; None if they have none.
    where
        Where it comes from, as far as known: ``network``, ``seed``, ``layer``, ``step``, ``file``.
    """

    name: str
    read: Callable[[], NDArray[Any]]
    shape: tuple[int, ...]
    items: tuple[str, ...] | None = None
    where: Mapping[str, Any] = field(default_factory=dict)

    @property
    def units(self) -> int:
        """Width, with all axes after the item flattened."""
        units = 1
        for size in self.shape[1:]:
            units *= size
        return units
