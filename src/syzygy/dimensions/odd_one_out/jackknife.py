"""Which dimension decides a triplet: without which the choice would be another (Mahner et al. 2025)."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from scipy.stats import rankdata

from syzygy.dimensions.odd_one_out.choosing import similarities
from syzygy.dimensions.odd_one_out.given import Array, embedded, matched_embeddings, objects_of
from syzygy.dimensions.odd_one_out.triplets import Triplets
from syzygy.errors import SpecificationError

#: Triplets of a block.
BLOCK: Final = 4096


@dataclass(frozen=True)
class Deciding:
    """What each triplet loses with each dimension.

    Attributes
    ----------
    probability
        Of the chosen pair, with all dimensions, ``(triplet,)``.
    change
        What it loses without a dimension, ``(triplet, dimension)``; negative where the dimension speaks against the
        choice.
    dimension
        That of the largest change, up to sign, ``(triplet,)``; −1 where none changes anything.
    """

    probability: Array
    change: Array
    dimension: NDArray[np.intp]


def deciding(embedding: ArrayLike, triplets: Triplets | ArrayLike) -> Deciding:
    """Leave out each dimension in turn, and see how the probability of the chosen pair changes.

    Only the posterior mean is asked.  To draw from the posterior again without the dimension would add a noise that
    has nothing to do with it; so a dimension of zeros changes exactly nothing.

    Parameters
    ----------
    embedding
        ``(object, dimension)``.
    triplets
        Choices, or ``(triplet, 3)``: places of the objects, the odd one last.

    Raises
    ------
    ShapeError, DataError
        As :func:`~syzygy.dimensions.odd_one_out.similarity.probabilities`.

    Examples
    --------
    >>> x = [[2.0, 0.0, 0.5], [2.0, 0.0, 0.5], [0.0, 0.0, 0.5]]
    >>> found = deciding(x, [[0, 1, 2]])
    >>> found.dimension.tolist(), found.change.round(3).tolist()
    ([0], [[0.631, 0.0, 0.0]])
    """
    x = embedded(embedding)
    some = objects_of(triplets, len(x))
    blocks = [_without(x, some[start : start + BLOCK]) for start in range(0, len(some), BLOCK)]
    probability, change = (np.concatenate(one) for one in zip(*blocks, strict=True))
    size = np.abs(change)
    return Deciding(probability, change, np.where(size.max(axis=1) > 0, size.argmax(axis=1), -1))


def _without(x: Array, triplets: NDArray[np.integer]) -> tuple[Array, Array]:
    """Give the probability of the chosen pair, and what it loses without each dimension."""
    i, j, odd = (x[triplets[:, place]] for place in range(3))
    each = np.stack([i * j, i * odd, j * odd], axis=-1)  # (triplet, dimension, pair)
    whole = each.sum(axis=1)
    probability = softmax(whole, axis=-1)[:, 0]
    return probability, probability[:, None] - softmax(whole[:, None, :] - each, axis=-1)[..., 0]


@dataclass(frozen=True)
class Divergent:
    """Triplets on which two embeddings disagree most, the most first.

    Attributes
    ----------
    rows
        Places among the triplets.
    ranks
        Ranks of the chosen pair's probability among all triplets, from 0 to 1, by either: ``(triplet, 2)``.
    probabilities
        That probability, ``(triplet, 2)``.
    """

    rows: NDArray[np.intp]
    ranks: Array
    probabilities: Array


def divergent(left: ArrayLike, right: ArrayLike, triplets: Triplets | ArrayLike, count: int = 10) -> Divergent:
    """Find the triplets whose chosen pair is probable by one embedding and improbable by the other.

    Embeddings differ in how sure they are in general; so the probabilities are ranked among all triplets, and the
    largest difference of ranks comes first.

    Parameters
    ----------
    left, right
        ``(object, dimension)``, of the same objects.
    triplets
        Choices, or ``(triplet, 3)``: places of the objects, the odd one last.
    count
        So many.

    Raises
    ------
    ShapeError, DataError
        As :func:`deciding`; or other numbers of objects.
    SpecificationError
        None asked for.

    Examples
    --------
    >>> a, b = [[2.0, 0], [2, 0], [0, 1], [0, 1]], [[2.0, 0], [0, 2], [2, 0], [0, 2]]
    >>> divergent(a, b, [[0, 1, 2], [0, 2, 1], [1, 3, 2]], count=1).rows.tolist()
    [0]
    """
    if count < 1:
        raise SpecificationError(f"count must be at least 1; got {count}")
    x, y = matched_embeddings(left, right)
    some = objects_of(triplets, len(x))
    p = np.stack([softmax(similarities(one, some), axis=1)[:, 0] for one in (x, y)], axis=1)
    ranks = (rankdata(p, axis=0) - 0.5) / len(p)
    first = np.argsort(-np.abs(ranks[:, 0] - ranks[:, 1]), kind="stable")[:count]
    return Divergent(first, ranks[first], p[first])
