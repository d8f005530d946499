"""How alike two objects are to someone who chooses odd ones out: the mean probability that they are the pair.

Derived in ``docs/dimensions/odd_one_out.md``, section 4.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import softmax

from syzygy.dimensions.odd_one_out.choosing import similarities
from syzygy.dimensions.odd_one_out.given import Array, embedded, objects_of
from syzygy.dimensions.odd_one_out.triplets import Triplets

#: Rows of a block: with 2,000 objects it has a megabyte, which a cache holds.
ROWS: Final = 64
#: Exponentials of products that lie further apart than this are not all numbers.
FURTHEST: Final = 600.0


def similarity(embedding: ArrayLike) -> Array:
    """Give the similarity of every two objects: how probably they are the pair, with any third object.

    ``R_ij`` is the mean over all other objects k of ``exp(x_i·x_j)/(exp(x_i·x_j) + exp(x_i·x_k) + exp(x_j·x_k))``
    (Zheng et al. 2019, Hebart et al. 2020).  Whatever the embedding, its mean off the diagonal is 1/3: the three
    probabilities of a triplet add up to one, and each pair is in ``N − 2`` triplets.

    Parameters
    ----------
    embedding
        ``(object, dimension)``, three objects or more.

    Returns
    -------
    Array
        ``(object, object)``, symmetric, 1 on the diagonal.

    Raises
    ------
    ShapeError
        No such array, or fewer than three objects.
    DataError
        What is no finite number.

    Notes
    -----
    An exponential is of a pair, so there are ``N²/2`` of them, and what is left is a sum and a division for each of the
    ``N³/6`` triplets, in blocks of a megabyte.

    Examples
    --------
    >>> found = similarity([[2, 0], [2, 0], [0, 2], [0, 1]])
    >>> found.round(2)[0].tolist()
    [1.0, 0.96, 0.06, 0.06]
    >>> float(found[~np.eye(4, dtype=bool)].mean().round(9))
    0.333333333
    """
    return chosen_together(products(embedded(embedding, least=3)))


def products(embedding: Array) -> Array:
    """Give the inner products of all objects, ``(object, object)``."""
    return np.asarray(embedding @ embedding.T)


def chosen_together(products: Array) -> Array:
    """Give the similarity of objects from their inner products, ``(object, object)`` both."""
    n = len(products)
    there = products[~np.eye(n, dtype=bool)]
    sums = _shared(np.exp(products - there.max())) if np.ptp(there) <= FURTHEST else _apart(products)
    found = np.triu(sums, 1) / (n - 2)
    found += found.T
    np.fill_diagonal(found, 1)
    return found


def _shared(e: Array) -> Array:
    """Give the sums over k of ``e_ij/(e_ij + e_ik + e_jk)``, above the diagonal: each triplet is computed once."""
    n, sums = len(e), np.zeros(e.shape)
    room = np.empty(ROWS * n)  # new memory for each block would cost more than the sums
    for start in range(0, n, ROWS):
        stop = min(n, start + ROWS)
        inside = np.arange(stop - start)
        for i in range(stop - 1):
            first = max(start, i + 1) - start  # i < j < k
            rows = e[start + first : stop, start:]
            block = np.add(rows, e[i, start:], out=room[: rows.size].reshape(rows.shape))
            block += e[i, start + first : stop, None]
            np.reciprocal(block, out=block)
            square = block[:, : stop - start]
            square[inside[first:] - first, inside[first:]] = 0
            square[:, :first] = 0
            sums[start + first : stop, start:] += block
            sums[i, start + first : stop] += block.sum(axis=1)
            sums[i, stop:] += block[:, stop - start :].sum(axis=0)
    return sums * e


def _apart(products: Array) -> Array:
    """Give the same where the exponentials are no numbers: plainly, an exponential for each pair of each triplet."""
    n, sums = len(products), np.zeros(products.shape)
    with np.errstate(over="ignore"):
        for i in range(n):
            pair = products[i, :, None]
            p = 1 / (1 + np.exp(products[i, None, :] - pair) + np.exp(products - pair))
            p[:, i] = 0
            np.fill_diagonal(p, 0)
            sums[i] = p.sum(axis=1)
    return sums


def probabilities(embedding: ArrayLike, triplets: Triplets | ArrayLike) -> Array:
    """Give how probable each pair of a triplet is as the one that is alike, ``(triplet, 3)``.

    Parameters
    ----------
    embedding
        ``(object, dimension)``.
    triplets
        Choices, or ``(triplet, 3)``: places of the objects, the odd one last.

    Returns
    -------
    Array
        The chosen pair first; then the first and the odd one, the second and the odd one.

    Raises
    ------
    ShapeError
        No such arrays.
    DataError
        What is no finite number, an object that there is not, or one that is twice in a triplet.

    Examples
    --------
    >>> probabilities([[1, 0], [1, 0], [0, 1]], [[0, 1, 2]]).round(3).tolist()
    [[0.576, 0.212, 0.212]]
    """
    x = embedded(embedding)
    return np.asarray(softmax(similarities(x, objects_of(triplets, len(x))), axis=1))
