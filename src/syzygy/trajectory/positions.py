"""Positions of items, such as tokens or places of a map, where each was kept."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from syzygy.trajectory.names import Array


def are_there(values: Array) -> NDArray[np.bool_]:
    """Say which positions of a layer are no padding, ``(item, position)``, by one step ``(item, position, unit)``."""
    return np.asarray(~np.isnan(values).all(-1))


def named_positions(items: Sequence[str], there: NDArray[np.bool_]) -> tuple[str, ...]:
    """Name the positions that are there.

    Examples
    --------
    >>> named_positions(["cat", "dog"], np.array([[True, True], [True, False]]))
    ('cat @ 0', 'cat @ 1', 'dog @ 0')
    """
    return tuple(f"{items[item]} @ {position}" for item, position in np.argwhere(there))
