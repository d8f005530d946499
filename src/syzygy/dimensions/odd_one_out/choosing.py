"""What representations choose: how alike the pairs of a triplet are, and which pair comes first."""

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

Array = NDArray[np.float64]
Similarity = Literal["dot", "cosine", "euclidean"]
Choice = Literal["argmax", "sampled"]

#: Pairs of a triplet by the places of its objects, and the odd one of each.
PAIRS: Final = ((0, 1), (0, 2), (1, 2))
#: Triplets from here: the chosen pair first, the odd one last.
ORDERS: Final = np.array([[0, 1, 2], [0, 2, 1], [1, 2, 0]])
#: Of so many objects or fewer all pairs are compared once, in a matrix of 0.5 GB at most.
MATRIX: Final = 8000
#: Numbers gathered at a time, where there is no matrix.
GATHERED: Final = 1 << 21


def similarities(x: Array, triplets: NDArray[np.integer], kind: Similarity = "dot") -> Array:
    """Compare the three pairs of each triplet.

    Parameters
    ----------
    x
        ``(object, unit)``.
    triplets
        ``(triplet, 3)``.
    kind
        Dot product; cosine (0 with an object that is zero); or minus the distance, which is taken from the difference
        and not from dot products: objects far from the origin and near to each other keep their order.

    Returns
    -------
    Array
        ``(triplet, 3)``: of first & second, first & third, second & third.
    """
    if kind == "cosine":
        lengths = np.linalg.norm(x, axis=1, keepdims=True)
        x, kind = np.divide(x, lengths, out=np.zeros_like(x), where=lengths > 0), "dot"
    if len(x) <= MATRIX and len(x) ** 2 <= 8 * len(triplets):
        every = x @ x.T if kind == "dot" else -cdist(x, x)
        return np.stack([every[triplets[:, a], triplets[:, b]] for a, b in PAIRS], axis=1)
    block = max(1, GATHERED // max(1, x.shape[1]))
    found = np.empty((len(triplets), 3))
    for first in range(0, len(triplets), block):
        some = x[triplets[first : first + block]]
        for column, (a, b) in enumerate(PAIRS):
            found[first : first + block, column] = (
                np.einsum("tu,tu->t", some[:, a], some[:, b])
                if kind == "dot"
                else -np.linalg.norm(some[:, a] - some[:, b], axis=1)
            )
    return found


def chosen(
    values: Array, choice: Choice, temperature: float, draw: np.random.Generator
) -> tuple[NDArray[np.intp], int]:
    """Choose a pair of each triplet.

    Parameters
    ----------
    values
        ``(triplet, 3)``: similarities of the pairs.
    choice
        The first of them, ties by luck; or a draw from the softmax of ``values / temperature``: the first after Gumbel
        noise was added.

    Returns
    -------
    Array, int
        Columns ``(triplet,)``, and how many triplets were tied.
    """
    if choice == "sampled":
        return (values / temperature + draw.gumbel(size=values.shape)).argmax(axis=1), 0
    best = values == values.max(axis=1, keepdims=True)
    luck = draw.random(values.shape)
    return np.where(best, luck, -1.0).argmax(axis=1), int((best.sum(axis=1) > 1).sum())
