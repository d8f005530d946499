"""Decision regions on planes through items, and how far two steps agree about them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.errors import DataError, ShapeError

Array = NDArray[np.float64]


def agreement(decided: ArrayLike, others: ArrayLike | None = None) -> Array:
    """Give the share of the points of each plane on which two decide alike.

    Its mean over planes is the decision-region similarity of Sharon & Dar (2024), after the reproducibility score of
    Somepalli et al. (2022).

    Parameters
    ----------
    decided
        Classes, ``(step, plane, point)``: of a probe, or of a network.
    others
        To compare with, ``(other step, plane, point)``; by default the same.

    Returns
    -------
    NDArray
        ``(plane, step, other step)``.

    Raises
    ------
    ShapeError
        Planes that do not match, or no points.
    DataError
        Classes that are no integers.

    Examples
    --------
    >>> agreement([[[0, 0, 1, 1]], [[0, 1, 1, 1]]]).tolist()
    [[[1.0, 0.75], [0.75, 1.0]]]
    """
    one = np.asarray(decided)
    two = one if others is None else np.asarray(others)
    if one.ndim != 3 or two.ndim != 3 or one.shape[1:] != two.shape[1:] or not one.size:
        raise ShapeError(f"decisions must be (step, plane, point) on the same planes; got {one.shape} and {two.shape}")
    if one.dtype.kind not in "biu" or two.dtype.kind not in "biu":
        raise DataError(f"decisions are classes, integers; got {one.dtype} and {two.dtype}")
    left, right = one.transpose(1, 0, 2), two.transpose(1, 2, 0)
    alike = np.zeros((left.shape[0], left.shape[1], right.shape[2]), dtype=np.float32)
    for label in np.intersect1d(one, two):
        alike += (left == label).astype(np.float32) @ (right == label).astype(np.float32)
    return np.asarray(alike / one.shape[2], dtype=np.float64)


def mixed(scores: ArrayLike, corners: ArrayLike, weights: ArrayLike) -> NDArray[np.intp]:
    """Decide on planes in the space of a layer, where a probe is linear: from what it says of their three items.

    For recorded runs that did not watch points of planes.  What a layer makes of a plane of inputs is curved; its own
    plane through the three representations is not, and a probe's score there is the mixture of the three.

    Parameters
    ----------
    scores
        Of a probe, ``(step, item, class)``.
    corners
        Items through which the planes go, ``(plane, 3)``.
    weights
        ``(plane, point, 3)``, of :func:`syzygy.linalg.planes.grids`.

    Returns
    -------
    NDArray
        Classes, ``(step, plane, point)``.

    Raises
    ------
    ShapeError
        Arrays that do not fit together.
    """
    said, at, mix = np.asarray(scores), np.asarray(corners), np.asarray(weights)
    if said.ndim != 3 or at.ndim != 2 or mix.ndim != 3 or not at.shape[1] == mix.shape[2] == 3 or len(at) != len(mix):
        raise ShapeError(
            "planes need scores (step, item, class), corners (plane, 3) and weights (plane, point, 3); "
            f"got {said.shape}, {at.shape} and {mix.shape}"
        )
    return np.asarray((mix @ said[:, at]).argmax(axis=-1))
