"""Who is near whom."""

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from syzygy.linalg.gram import centred

Array = NDArray[np.float64]

#: What is near: a small angle at the origin, a large dot product, a small distance.
Nearness = Literal["cosine", "dot", "euclidean"]

#: Similarities that differ by less than this share of the largest possible are equal: rounding is a hundredth of it.
EQUAL: Final = 1e-12

#: So many similarities are computed at once.
AT_ONCE: Final = 2**22


def arcs(x: Array, neighbours: int, nearness: Nearness) -> tuple[NDArray[np.intp], NDArray[np.int32], Array, Array]:
    """Find the nearest neighbours of every item of ``(item, unit)``; nobody is their own.

    Those that are equally near where places run out share the places that are left, each with the same part of one.
    The order of the items thus decides nothing, and copies of an item are neighbours of everybody alike.

    Returns
    -------
    starts
        ``(item + 1,)``: the arcs of item i are those from ``starts[i]`` to ``starts[i + 1]``, as in a compressed
        sparse row.
    others
        Where each arc leads, rising for each item.
    weights
        1 for a neighbour, less for one that shares its place; they add up to the number of neighbours.
    similarities
        Of the two items, of the representation divided by its largest entry.

    Examples
    --------
    >>> import numpy as np
    >>> starts, others, weights, _ = arcs(np.array([[0.0], [1.0], [1.0], [5.0]]), 1, "euclidean")
    >>> others.tolist(), weights.tolist()
    ([1, 2, 2, 1, 1, 2], [0.5, 0.5, 1.0, 1.0, 0.5, 0.5])
    """
    y, sizes = _placed(x, nearness)
    n, pieces = len(y), []
    for start in range(0, n, max(1, AT_ONCE // n)):
        here = slice(start, start + max(1, AT_ONCE // n))
        near = y[here] @ y.T
        if nearness == "euclidean":
            near = 2 * near - sizes[here, None] ** 2 - sizes**2
        np.fill_diagonal(near[:, start:], -np.inf)
        last = np.partition(near, n - neighbours, axis=1)[:, n - neighbours]
        slack = (
            EQUAL * sizes[here] * sizes.max() if nearness != "euclidean" else EQUAL * (sizes[here] + sizes.max()) ** 2
        )
        mine, others = np.nonzero(near >= (last - slack)[:, None])
        similarity = near[mine, others]
        sure = similarity > (last + slack)[mine]
        taken, tied = (np.bincount(mine[chosen], minlength=len(near)) for chosen in (sure, ~sure))
        weights = np.where(sure, 1.0, ((neighbours - taken) / tied)[mine])
        pieces.append((taken + tied, others.astype(np.int32), weights, similarity))
    counts, to, shares, similarities = zip(*pieces, strict=True)
    starts = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    return starts, np.concatenate(to), np.concatenate(shares), np.concatenate(similarities)


def _placed(x: Array, nearness: Nearness) -> tuple[Array, Array]:
    """Give items whose products say who is near, and their lengths; large numbers are divided away."""
    y = np.asarray(centred(x) if nearness == "euclidean" else x, dtype=np.float64)
    largest = np.abs(y).max(axis=1, keepdims=True) if nearness == "cosine" else np.abs(y).max(keepdims=True)
    y = y / np.where(largest > 0, largest, 1)
    sizes: Array = np.linalg.norm(y, axis=1)
    if nearness != "cosine":
        return y, sizes
    return y / np.where(sizes > 0, sizes, 1)[:, None], np.ones_like(sizes)
