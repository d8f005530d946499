"""Two embeddings of the same objects, of people and a network: how alike, how soon, and dimension by dimension."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from syzygy.chance import drawn, orders
from syzygy.dimensions.odd_one_out.correlation import correlation, correlations
from syzygy.dimensions.odd_one_out.given import Array, embedded, matched_embeddings, upper_triangle
from syzygy.dimensions.odd_one_out.similarity import similarity
from syzygy.errors import ShapeError, SpecificationError, UnknownName

By = Literal["weights", "similarity"]

#: So much of the final r² is most of it.
MOST: Final = 0.95


@dataclass(frozen=True)
class Cumulative:
    """What the first dimensions of an embedding explain of a reference's similarities.

    Attributes
    ----------
    dimensions
        In the order in which they are added, ``(dimension,)``.
    r
        Correlation with so many, ``(dimension,)``.
    needed
        So many reach ``share`` of the final r²; 0 if that is nothing, or negative.
    share
        95% of it, by default.
    """

    dimensions: NDArray[np.intp]
    r: Array
    needed: int
    share: float


def cumulative(embedding: ArrayLike, reference: ArrayLike, *, share: float = MOST) -> Cumulative:
    """Add dimensions one at a time, the largest sum first, and compare with a reference each time (Mahner et al. 2025).

    Parameters
    ----------
    embedding
        ``(object, dimension)``.
    reference
        Its similarity matrix, ``(object, object)``.
    share
        Of the final r², to be reached.

    Raises
    ------
    ShapeError, DataError
        No such arrays, or of other numbers of objects.
    SpecificationError
        A share outside of 0 and 1.

    Examples
    --------
    >>> x = np.random.default_rng(0).gamma(0.5, size=(40, 4)) * [3, 2, 0.1, 0.1]
    >>> cumulative(x, similarity(x)).needed
    2
    """
    x, target = embedded(embedding, least=3), upper_triangle(reference, "the reference")
    if len(x) != (others := len(np.asarray(reference))):
        raise ShapeError(f"{len(x)} objects in the embedding and {others} in the reference; give the same, in order")
    if not 0 < share <= 1:
        raise SpecificationError(f"share lies above 0 and up to 1; got {share}")
    order = np.argsort(-np.abs(x).sum(axis=0), kind="stable")
    where = np.triu_indices(len(x), 1)
    r = np.array([correlation(similarity(x[:, order[:many]])[where], target) for many in range(1, len(order) + 1)])
    reached = (r > 0) & (r**2 >= share * r[-1] ** 2)
    return Cumulative(order, r, int(np.argmax(reached)) + 1 if r[-1] > 0 else 0, share)


@dataclass(frozen=True)
class Pairs:
    """Dimensions of one embedding, each with its match in another.

    Attributes
    ----------
    match
        Place of the match, ``(dimension,)``; −1 for none.
    r
        Correlation with it, ``(dimension,)``; NaN for none.
    p
        Probability of as large a best correlation if the objects of the other are shuffled, ``(dimension,)``; NaN if
        that was not asked for.
    """

    match: NDArray[np.intp]
    r: Array
    p: Array


def pairwise(
    left: ArrayLike,
    right: ArrayLike,
    *,
    by: By = "weights",
    replacement: bool = True,
    permutations: int = 0,
    seed: int = 0,
) -> Pairs:
    """Match each dimension of one embedding to the dimension of another that correlates most.

    Parameters
    ----------
    left, right
        ``(object, dimension)``, of the same objects.
    by
        What is correlated: ``weights`` of the objects, or the ``similarity`` matrices of single dimensions.
    replacement
        Whether a dimension may be the match of several; if not, the sum of all correlations is made the largest.
    permutations
        So often the objects of ``right`` are shuffled for p; 0 for none.
    seed
        Of the shuffles.

    Raises
    ------
    ShapeError, DataError
        No such arrays, or of other numbers of objects.
    UnknownName
        Another name for ``by``.
    SpecificationError
        A negative number of permutations.

    Examples
    --------
    >>> x = np.random.default_rng(0).gamma(0.5, size=(40, 3))
    >>> pairwise(x, x[:, [2, 0, 1]], replacement=False).match.tolist()
    [1, 2, 0]
    """
    if by not in get_args(By):
        raise UnknownName("way to match", str(by), get_args(By))
    if permutations < 0:
        raise SpecificationError(f"permutations must not be negative; got {permutations}")
    x, y = matched_embeddings(left, right)
    n = len(x)
    where = np.triu_indices(n, 1)
    if by == "weights":
        found = correlations(x, y)
    else:
        x, y = (np.stack([similarity(one[:, [d]]) for d in range(one.shape[1])], axis=-1) for one in (x, y))
        found = correlations(x[where], y[where])
    match = _assigned(found, replacement)
    r = np.where(match >= 0, found[np.arange(len(match)), match], np.nan)
    p = np.full(len(match), np.nan)
    if permutations:
        shuffled = orders(n, permutations, np.random.default_rng(seed))
        some = (correlations(x, y[one]) if by == "weights" else correlations(x[where], y[np.ix_(one, one)][where])
                for one in shuffled)  # fmt: skip
        null = np.stack([np.max(np.nan_to_num(one, nan=-1.0), axis=1) for one in some])
        p = drawn(r, null, by_rank=True)[1]
    return Pairs(match, r, p)


def _assigned(found: Array, replacement: bool) -> NDArray[np.intp]:
    """Give the match of each row; rows and columns without a correlation have none."""
    told = np.nan_to_num(found, nan=-2.0)
    match = np.full(len(found), -1)
    if replacement:
        match[:] = told.argmax(axis=1)
    else:
        rows, columns = linear_sum_assignment(told, maximize=True)
        match[rows] = columns
    return np.where(np.isnan(found[np.arange(len(found)), match]), -1, match)
