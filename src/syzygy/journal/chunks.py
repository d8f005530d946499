"""Chunks that are made of batches."""

from collections.abc import Mapping

import numpy as np

from syzygy.journal.manifest import Array
from syzygy.journal.tree import Tree, array_of


class Chunks:
    """Makes chunks of batches, and holds one chunk of each layer at most.

    Parameters
    ----------
    count
        Number of items.
    place
        Of the step among the others.
    """

    def __init__(self, count: int, place: int):
        self._count, self._place = count, place
        self._held: dict[str, Array] = {}

    def put(self, tree: Tree, first: int, batch: Mapping[str, Array]) -> None:
        """Write the chunks that a batch fills, and hold the rest; the first batch begins with a chunk."""
        for name, values in batch.items():
            array = array_of(name)
            size = tree.items_together
            held = self._held.setdefault(name, np.empty((size, *values.shape[1:]), np.float32))
            at, end = first, first + len(values)
            while at < end:
                stop = min(end, (at // size + 1) * size)
                held[at % size : at % size + stop - at] = values[at - first : stop - first]
                if values[0].size and stop in ((at // size + 1) * size, self._count):
                    place = (0, self._place, at // size, *[0] * (values.ndim - 1))
                    tree.write(array, place, held[None, None, : stop - at // size * size])
                at = stop
