"""Three different objects in any order, as one number: drawn without repeats, and without a loop over triplets.

The combinatorial number system: of ``i < j < k``, counted from 0, the rank is ``C(i, 1) + C(j, 2) + C(k, 3)``.  Ranks
are all whole numbers below ``C(objects, 3)``, each once.
"""

from math import comb
from typing import Final

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]

#: Each fills about half of the places left, or more; what is left after so many is filled without balance.
ROUNDS: Final = 20


def ranks(triplets: NDArray[np.integer]) -> Whole:
    """Give the rank of each triplet of different objects, ``(triplet, 3)`` to ``(triplet,)``, whatever their order.

    Examples
    --------
    >>> ranks(np.array([[0, 1, 2], [3, 0, 1], [1, 3, 0]])).tolist()
    [0, 1, 1]
    """
    i, j, k = np.sort(triplets.astype(np.int64), axis=1).T
    return np.asarray(i + j * (j - 1) // 2 + k * (k - 1) * (k - 2) // 6)


def unranked(numbers: Whole, objects: int) -> Whole:
    """Give the triplets of some ranks, ``(rank,)`` to ``(triplet, 3)``, each in ascending order.

    Examples
    --------
    >>> unranked(np.array([0, 1, 3]), objects=4).tolist()
    [[0, 1, 2], [0, 1, 3], [1, 2, 3]]
    """
    count = np.arange(objects, dtype=np.int64)
    pairs, triples = count * (count - 1) // 2, count * (count - 1) * (count - 2) // 6
    k = np.searchsorted(triples, numbers, side="right") - 1
    rest = numbers - triples[k]
    j = np.searchsorted(pairs, rest, side="right") - 1
    return np.stack([rest - pairs[j], j, k], axis=1)


def uniform(objects: int, count: int, draw: np.random.Generator) -> Whole:
    """Draw ``count`` different ranks, every set of them as likely, in random order.

    Of more than half of all those that are left out are drawn: no draw has to find the last few.
    """
    total = comb(objects, 3)
    if 2 * count > total:
        return draw.permutation(_others(uniform(objects, total - count, draw), total))
    return _beside(np.zeros(0, dtype=np.int64), count, total, draw)


def balanced(objects: int, count: int, draw: np.random.Generator) -> Whole:
    """Draw ``count`` different ranks in which objects occur equally often, up to the few that cannot be placed.

    Places are dealt out to the objects, shuffled and cut into threes.  Threes with an object twice, or that are there
    already, go back, and their places are dealt out again.  What is left out of a balanced set is balanced as well.
    """
    total = comb(objects, 3)
    if 2 * count > total:
        return draw.permutation(_others(balanced(objects, total - count, draw), total))
    left = np.full(objects, 3 * count // objects)
    left[draw.permutation(objects)[: 3 * count % objects]] += 1
    found = np.zeros(0, dtype=np.int64)
    for _ in range(ROUNDS):
        threes = draw.permutation(np.repeat(np.arange(objects), left)).reshape(-1, 3)
        first, second, third = threes.T
        apart = (first != second) & (first != third) & (second != third)
        more = _new(ranks(threes[apart]), found)
        left -= np.bincount(unranked(more, objects).ravel(), minlength=objects)
        found = np.concatenate([found, more])
        if np.count_nonzero(left) < 3:
            break
    return draw.permutation(np.concatenate([found, _beside(found, count - len(found), total, draw)]))


def _beside(found: Whole, count: int, total: int, draw: np.random.Generator) -> Whole:
    """Draw different ranks that were not found yet: with them no more than half of all."""
    new = np.zeros(0, dtype=np.int64)
    while len(new) < count:
        more = draw.integers(total, size=(count - len(new)) * 5 // 4 + 8)
        new = _new(np.concatenate([new, more]), found)
    return draw.permutation(new)[:count]


def _new(some: Whole, found: Whole) -> Whole:
    """Give those that were not found, each once, in order; sorted, which for millions is faster than hashed."""
    order = np.sort(some)
    once: Whole = order[np.concatenate([[True], order[1:] != order[:-1]])[: len(order)]]
    return np.asarray(once[~np.isin(once, found, assume_unique=True, kind="sort")]) if len(found) else once


def _others(some: Whole, total: int) -> Whole:
    left = np.ones(total, dtype=bool)
    left[some] = False
    return np.flatnonzero(left)
