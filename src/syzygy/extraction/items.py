"""What is shown to a network, a batch at a time."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from numpy.typing import NDArray

from syzygy.errors import DataError, ShapeError, SpecificationError
from syzygy.extraction.sources.source import Kind

#: More items than this are taken for a file that lies about its size.
MOST: Final = 10_000_000


@dataclass(frozen=True)
class Items:
    """What is shown to a network, a batch at a time.

    Attributes
    ----------
    names
        Of the items, all different.
    kind
        ``image`` and ``text`` are prepared for the network, ``array`` is what it is called with.
    raw
        Opens so many of the first items in batches of a size, but for those before a batch's first item, ``raw(count,
        size, start)``: lists of Pillow's images or of texts, or ``(inputs, mask)``.  No more than one batch is held.
    digest
        Hashes what is shown; it may read all of it.
    place
        Where it is, for messages.
    targets
        ``(item, output)``, or the class of each item, whole numbers ``(item,)``; or None.

    Raises
    ------
    DataError
        No items, too many, two of one name, or a name that is no text.
    ShapeError
        Targets of other items.
    """

    names: tuple[str, ...]
    kind: Kind
    raw: Callable[[int, int, int], Iterator[Any]]
    digest: Callable[[], str]
    place: str
    targets: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        counted(len(self.names), self.place)
        if len(set(self.names)) < len(self.names):
            twice = next(name for name, count in Counter(self.names).items() if count > 1)
            raise DataError(f"{self.place} has more than one item named {twice!r}; items are told apart by their names")
        for name in self.names:
            if not name.isascii() and name != name.encode("utf-8", "replace").decode("utf-8"):
                raise DataError(f"{name!r} in {self.place} is not UTF-8; rename it")
        if self.targets is not None and len(self.targets) != len(self.names):
            raise ShapeError(f"{self.place} has {len(self.names)} items, and targets for {len(self.targets)}")

    def __len__(self) -> int:
        return len(self.names)

    def first(self, limit: int | None) -> "Items":
        """Give the first so many; all if None."""
        if limit is not None and limit < 1:
            raise SpecificationError(f"limit must be 1 or more, got {limit}")
        if limit is None or limit >= len(self):
            return self
        return replace(self, names=self.names[:limit], targets=None if self.targets is None else self.targets[:limit])


def counted(count: int, place: str) -> int:
    """Refuse no items, and more than anybody has.

    Raises
    ------
    DataError
        There are none, or more than ten million.
    """
    if not 0 < count <= MOST:
        raise DataError(f"{place} holds {count or 'no'} items; from 1 to {MOST:,} can be shown")
    return count
