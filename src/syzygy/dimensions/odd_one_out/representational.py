"""Representational similarity of two matrices of objects, with chance and an interval (Kriegeskorte et al. 2008)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from syzygy.chance import drawn, half_samples, intervals, orders
from syzygy.dimensions.odd_one_out.correlation import correlation
from syzygy.dimensions.odd_one_out.given import Array, upper_triangle
from syzygy.errors import ShapeError, SpecificationError


@dataclass(frozen=True)
class Alike:
    """Representational similarity of two matrices of objects, ``pearson`` and ``spearman``.

    Attributes
    ----------
    r
        Correlation of what is above the diagonals.
    low, high
        Interval over objects, of halves of them.
    p
        Probability of as much if the objects of one are shuffled.
    """

    r: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]
    p: dict[str, float]


def representational(
    left: ArrayLike, right: ArrayLike, *, permutations: int = 999, draws: int = 200, level: float = 0.95, seed: int = 0
) -> Alike:
    """Compare two similarity matrices of the same objects: Pearson's and Spearman's r of their upper triangles.

    Parameters
    ----------
    left, right
        ``(object, object)``, symmetric: of :func:`~syzygy.dimensions.odd_one_out.similarity.similarity`, or any.
    permutations, draws
        Shuffles of the objects for p, halves of them for the interval; 0 for none.
    level
        Of the interval.
    seed
        Of both.

    Raises
    ------
    ShapeError, DataError
        No such matrices, or of other numbers of objects.
    SpecificationError
        Options out of range.

    Examples
    --------
    >>> x = np.random.default_rng(0).gamma(0.5, size=(30, 4))
    >>> from syzygy.dimensions.odd_one_out.similarity import similarity
    >>> found = representational(similarity(x), similarity(x[:, :3]), permutations=99)
    >>> found.r["pearson"] > found.r["spearman"] > 0.5, found.p["spearman"]
    (True, 0.01)
    """
    a, b = _squares(left, right)
    if min(permutations, draws) < 0 or not 0 < level < 1:
        raise SpecificationError(
            f"permutations and draws must not be negative and level a share; got {permutations}, {draws} and {level}"
        )
    n, draw = len(a), np.random.default_rng(seed)
    where = np.triu_indices(n, 1)
    ranked = {"pearson": (a, b), "spearman": (_ranks(a), _ranks(b))}
    r = {name: correlation(x[where], y[where]) for name, (x, y) in ranked.items()}
    nothing = dict.fromkeys(r, float("nan"))
    p, low, high = dict(nothing), dict(nothing), dict(nothing)
    if permutations:
        shuffled = orders(n, permutations, draw)
        for name, (x, y) in ranked.items():
            null = np.array([correlation(x[where], y[np.ix_(one, one)][where]) for one in shuffled])
            p[name] = float(drawn(np.array([r[name]]), null[:, None], by_rank=True)[1][0])
    if draws and n >= 6:
        halves = half_samples(n, draws, draw)
        fewer = np.triu_indices(halves.shape[1], 1)
        for name, whole in r.items():
            some = [tuple(m[np.ix_(one, one)][fewer] for m in (a, b)) for one in halves]
            each = [correlation(*(rankdata(v) if name == "spearman" else v for v in two)) for two in some]
            ends = intervals(np.array([whole]), np.array(each)[:, None], level)
            low[name], high[name] = (float(np.clip(one[0], -1, 1)) for one in ends)
    return Alike(r, low, high, p)


def _ranks(matrix: Array) -> Array:
    """Give the matrix of ranks of what is above the diagonal, symmetric again."""
    where, ranks = np.triu_indices(len(matrix), 1), np.zeros(matrix.shape)
    ranks[where] = rankdata(matrix[where])
    return ranks + ranks.T


def _squares(left: ArrayLike, right: ArrayLike) -> tuple[Array, Array]:
    a, b = np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
    for one in (a, b):
        upper_triangle(one)
    if len(a) != len(b):
        raise ShapeError(f"the matrices are of {len(a)} and {len(b)} objects; give the same, in the same order")
    return a, b
