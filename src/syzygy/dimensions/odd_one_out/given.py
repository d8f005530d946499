"""What is given to compare: embeddings, triplets and matrices of objects, checked."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.dimensions.given import numbers
from syzygy.errors import DataError, ShapeError

Array = NDArray[np.float64]


def embedded(embedding: ArrayLike, least: int = 1, what: str = "an embedding", dimensions: int = 1) -> Array:
    """Read an embedding of at least so many objects and dimensions as finite float64, ``(object, dimension)``.

    Raises
    ------
    ShapeError
        No two axes, or fewer objects or dimensions than needed.
    DataError
        What is no finite number.

    Examples
    --------
    >>> embedded([[1, 2], [3, 4]]).dtype
    dtype('float64')
    """
    x = _numbers(embedding, what)
    if x.ndim != 2 or len(x) < least or x.shape[1] < dimensions:
        raise ShapeError(
            f"{what} must be (object, dimension) with {least} or more objects and a dimension; got shape {x.shape}"
        )
    return x


def matched_embeddings(left: ArrayLike, right: ArrayLike, least: int = 3) -> tuple[Array, Array]:
    """Read two embeddings of the same objects.

    Raises
    ------
    ShapeError, DataError
        As :func:`embedded`; or other numbers of objects.
    """
    a, b = embedded(left, least), embedded(right, least)
    if len(a) != len(b):
        raise ShapeError(f"the embeddings have {len(a)} and {len(b)} objects; give the same, in the same order")
    return a, b


def objects_of(triplets: ArrayLike, objects: int) -> NDArray[np.integer]:
    """Read triplets as places of objects, ``(triplet, 3)``, the odd one last.

    Raises
    ------
    ShapeError
        No three columns.
    DataError
        No triplet, what is no place of an object, or one object twice.

    Examples
    --------
    >>> objects_of([[0, 2, 1]], 3).tolist()
    [[0, 2, 1]]
    """
    some = np.asarray(triplets)
    if some.ndim != 2 or some.shape[1] != 3:
        raise ShapeError(f"triplets are (triplet, 3), got shape {some.shape}")
    if not len(some):
        raise DataError("there are no triplets; give at least one")
    if some.dtype.kind not in "iu":
        raise DataError(f"triplets are whole numbers of objects, got {some.dtype}")
    if (wrong := first_wrong(some, objects)) is not None:
        row, says = wrong
        raise DataError(f"triplet {row} (from 0) {says}")
    return some


def first_wrong(triplets: NDArray[np.integer], objects: int) -> tuple[int, str] | None:
    """Give the first row that is no triplet, and what is wrong with it; None if there is none.

    Examples
    --------
    >>> first_wrong(np.array([[0, 2, 1], [0, 1, 3]]), 3)
    (1, '(0, 1, 3) has object 3; there are 0 to 2')
    """
    outside = (triplets < 0) | (triplets >= objects)
    first, second, odd = triplets.T
    twice = (first == second) | (first == odd) | (second == odd)
    bad = outside.any(axis=1) | twice
    if not bad.any():
        return None
    row = int(bad.argmax())
    shown = ", ".join(map(str, triplets[row]))
    if outside[row].any():
        return row, f"({shown}) has object {triplets[row][outside[row]][0]}; there are 0 to {objects - 1}"
    return row, f"({shown}) has the same object twice"


def upper_triangle(matrix: ArrayLike, what: str = "a similarity matrix") -> Array:
    """Read a symmetric matrix of three objects or more, and give what is above its diagonal, ``(pair,)``.

    Raises
    ------
    ShapeError
        It is not square, or smaller.
    DataError
        What is no finite number, or a matrix that is not symmetric.
    """
    some = _numbers(matrix, what)
    if some.ndim != 2 or some.shape[0] != some.shape[1] or len(some) < 3:
        raise ShapeError(f"{what} must be (object, object), three or more; got shape {some.shape}")
    if not np.allclose(some, some.T, rtol=1e-6, atol=1e-9):
        raise DataError(f"{what} must be symmetric; give the mean of it and its transpose")
    return some[np.triu_indices(len(some), 1)]


def _numbers(given: ArrayLike, what: str) -> Array:
    x: Array = numbers(given, what)
    if not (there := np.isfinite(x)).all():
        raise DataError(f"{what}: {int((~there).sum())} values that are not finite; take those objects out")
    return x
