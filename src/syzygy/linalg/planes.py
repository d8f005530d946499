"""Planes through three items: grids of points, as weights of the three."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: A grid reaches so far beyond its three items, as a share of what they span.
MARGIN: Final = 0.1
#: Three items lie on a line if the third is this near to it, as a share of the distance of the first two.
FLAT: Final = 1e-9


def triplets(items: int, count: int, seed: int) -> NDArray[np.intp]:
    """Draw triplets of different items, of which there are three or more: ``(plane, 3)``.

    Examples
    --------
    >>> [sorted(three) for three in triplets(3, 2, seed=0).tolist()]
    [[0, 1, 2], [0, 1, 2]]
    """
    draw = np.random.default_rng(seed)
    return np.array([draw.choice(items, 3, replace=False) for _ in range(count)])


def grids(corners: Array, side: int, margin: float = MARGIN) -> Array:
    """Give the points of a grid on each plane through three items as weights of the three, which add up to one.

    The grid fills the smallest rectangle around the three that has a side along the first two, and a margin, as in
    Somepalli et al. (2022).  A point is ``weights @ corners``; a map that is linear on the plane gives it the same
    mixture of what it gives the three.

    Parameters
    ----------
    corners
        ``(plane, 3, unit)``.
    side
        Points along each of the two directions, two or more.
    margin
        As a share of the rectangle, on either side.

    Returns
    -------
    NDArray
        ``(plane, point, 3)``, ``side²`` points; NaN where the three lie on one line.

    Examples
    --------
    >>> triangle = np.array([[[0.0, 0.0], [2.0, 0.0], [0.0, 1.0]]])
    >>> (grids(triangle, 2, margin=0.0) @ triangle)[0].tolist()
    [[0.0, 0.0], [2.0, 0.0], [0.0, 1.0], [2.0, 1.0]]
    """
    base, other = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    length = np.linalg.norm(base, axis=1)
    along = np.einsum("pu,pu->p", base, other) / np.where(length > 0, length, 1)
    height = np.linalg.norm(other - (along / np.where(length > 0, length, 1))[:, None] * base, axis=1)
    flat = ~(height > FLAT * np.linalg.norm(other, axis=1)) | ~(length > 0)
    length = np.where(flat, np.nan, length)
    left, right = np.minimum(0, along), np.maximum(length, along)
    share = np.linspace(-margin, 1 + margin, side)
    third = np.repeat(share, side)  # of the height
    across = np.tile(left[:, None] + (right - left)[:, None] * share, side)
    second = (across - third * along[:, None]) / length[:, None]
    return np.stack([1 - second - third, second, np.broadcast_to(third, second.shape)], axis=-1)
