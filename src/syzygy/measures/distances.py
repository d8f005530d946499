"""Distances between the items of one representation."""

import numpy as np
from numpy.typing import NDArray

from syzygy.linalg import FLOAT64, Work, centred
from syzygy.measures.measure import Array


def squared_distances(x: Array, work: Work = FLOAT64) -> NDArray[np.floating]:
    """Give the squared Euclidean distance of every two items, ``(item, other item)``; exactly 0 between equal ones.

    From inner products, |a|² + |b|² − 2 a·b, of items whose mean has been taken off.  Where less is left of that than
    rounding may have made, it is 0: the root of a rounding error would be no small number.

    Examples
    --------
    >>> squared_distances(np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 4.0]])).round(12).tolist()
    [[0.0, 25.0, 25.0], [25.0, 0.0, 0.0], [25.0, 0.0, 0.0]]
    """
    gram = work.product(centred(x))
    lengths = np.diag(gram)
    both = lengths[:, None] + lengths
    d2 = both - 2 * gram
    d2[d2 < 8 * np.finfo(gram.dtype).eps * both] = 0
    np.fill_diagonal(d2, 0)
    return np.asarray((d2 + d2.T) / 2)


def unit_size(x: Array) -> Array:
    """Take off the mean item, and make the largest number 1: powers of it overflow in no precision.

    Examples
    --------
    >>> unit_size(np.array([[1e200], [3e200]])).tolist()
    [[-1.0], [1.0]]
    """
    moved = centred(x)
    largest = float(np.abs(moved).max())
    return np.asarray(moved / largest if largest > 0 else moved, dtype=np.float64)
