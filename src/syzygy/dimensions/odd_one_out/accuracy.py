"""How often the chosen pair comes first, where ties are luck; and how often it could."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_softmax

from syzygy.dimensions.odd_one_out.choosing import similarities
from syzygy.dimensions.odd_one_out.given import Array, embedded, objects_of
from syzygy.dimensions.odd_one_out.similarity import probabilities
from syzygy.dimensions.odd_one_out.triplets import Triplets
from syzygy.errors import DataError


def shares(similarities: ArrayLike) -> Array:
    """Give what each triplet adds to the accuracy: 1 for a hit, 1/t where t pairs tie for first place, 0 for a miss.

    A pair that ties with others is chosen by luck; to call it a hit would let an embedding without any dimension be
    right always.

    Parameters
    ----------
    similarities
        ``(triplet, 3)``: of the three pairs, the chosen one first.  Anything that grows with its probability.

    Returns
    -------
    Array
        ``(triplet,)``.

    Examples
    --------
    >>> shares([[2.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.0, 2.0]]).round(3).tolist()
    [1.0, 0.5, 0.333, 0.0]
    """
    given = np.asarray(similarities)
    best = given == given.max(axis=1, keepdims=True)
    return np.asarray(best[:, 0] / best.sum(axis=1), dtype=np.float64)


def accuracy(embedding: ArrayLike, triplets: Triplets | ArrayLike) -> float:
    """Give the share of choices that an embedding puts first; those of pairs that tie are luck.

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
    >>> accuracy([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [[0, 1, 2]]), accuracy(np.zeros((3, 1)), [[0, 1, 2]])
    (1.0, 0.3333333333333333)
    """
    x = embedded(embedding)
    return float(shares(similarities(x, objects_of(triplets, len(x)))).mean())


def cross_entropy(embedding: ArrayLike, triplets: Triplets | ArrayLike) -> float:
    """Give the mean of minus the logarithm of the probability of what was chosen, in nats; ``ln 3`` for no idea.

    Parameters, errors
        As of :func:`accuracy`.

    Examples
    --------
    >>> round(cross_entropy(np.zeros((3, 1)), [[0, 1, 2]]), 4)
    1.0986
    """
    x = embedded(embedding)
    return -float(log_softmax(similarities(x, objects_of(triplets, len(x))), axis=1)[:, 0].mean())


@dataclass(frozen=True)
class Ceiling:
    """What the best of all embeddings would reach, for choices are made with chance.

    Attributes
    ----------
    accuracy
        Of whoever knows every probability, and so names the most probable pair.
    low, high
        It lies between them; both are it where probabilities are known.
    agreement
        How often two choices for one triplet are the same.
    triplets
        So many triplets say so.
    """

    accuracy: float
    low: float
    high: float
    agreement: float
    triplets: int


def ceiling(embedding: ArrayLike, triplets: Triplets | ArrayLike) -> Ceiling:
    """Give the ceiling of choices that were drawn with the probabilities of an embedding: the mean of the largest.

    Parameters, errors
        As of :func:`accuracy`; what was chosen does not matter.

    Examples
    --------
    >>> round(ceiling([[1, 0], [1, 0], [0, 1]], [[0, 1, 2]]).accuracy, 3)
    0.576
    """
    p = probabilities(embedding, triplets)
    best = float(p.max(axis=1).mean())
    return Ceiling(best, best, best, float(np.square(p).sum(axis=1).mean()), len(p))


def ceiling_of_repeats(triplets: Triplets | ArrayLike) -> Ceiling:
    """Give the ceiling of choices whose probabilities nobody knows, from triplets that were asked several times.

    Of a triplet with ``n`` choices, whoever names the most frequent pair of the others is right less often than with
    the true probabilities (``low``), and whoever names the most frequent pair of all is so more often (``high``), on
    average: as lower and upper noise ceilings do, the two enclose it.  ``accuracy`` is their middle.

    Parameters
    ----------
    triplets
        Choices, or ``(triplet, 3)``: places of the objects, the odd one last, in whatever order the other two.

    Raises
    ------
    ShapeError, DataError
        No such array, or no triplet that was asked twice.

    Examples
    --------
    >>> found = ceiling_of_repeats([[0, 1, 2], [1, 0, 2], [0, 2, 1]])
    >>> round(found.low, 3), round(found.high, 3), round(found.agreement, 3)
    (0.333, 0.667, 0.333)
    """
    some = objects_of(triplets, np.iinfo(np.int64).max)
    ordered = np.sort(some, axis=1)
    _, which = np.unique(ordered, axis=0, return_inverse=True)
    counts = np.zeros((which.max() + 1, 3))
    np.add.at(counts, (which.ravel(), np.argmax(ordered == some[:, 2:], axis=1)), 1)
    counts = counts[counts.sum(axis=1) > 1]
    if not len(counts):
        raise DataError(f"none of {len(some)} triplets was asked twice; the ceiling needs some that were")
    asked = counts.sum(axis=1)
    high = counts.max(axis=1) / asked
    others = counts[:, None, :] - np.eye(3)  # what is left if a choice of each place is taken away
    right = np.stack([shares(np.roll(others[:, place], -place, axis=1)) for place in range(3)], axis=1)
    low = (counts * right).sum(axis=1) / asked
    agreed = (counts * (counts - 1)).sum(axis=1) / (asked * (asked - 1))
    return Ceiling(
        accuracy=float((low + high).mean() / 2),
        low=float(low.mean()),
        high=float(high.mean()),
        agreement=float(agreed.mean()),
        triplets=len(counts),
    )
