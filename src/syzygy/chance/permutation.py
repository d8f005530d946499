"""What the inner product of two item matrices would be if the items of one were shuffled: in closed form.

The derivation is in ``docs/measures/chance.md``.  The statistic ``Σ_ij A_ij B_π(i)π(j)``, cubed, is a sum over three
pairs of items.  Which of those six items are the same is a partition of six places, and over all permutations the
mean depends on the partition alone: the sum of A over items that are distinct otherwise, times that of B, over the
number of ways to choose them.  Such sums are sums over all items, by inclusion and exclusion.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from math import factorial, perm
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, pearson3

Array = NDArray[np.float64]

#: A product of entries as a graph: an edge for every entry, from its row to its column.
Graph = tuple[tuple[int, int], ...]

#: The sums over all items that are not zero for a matrix without mean, in the order in which they are kept: r are sums
#: of rows, d is the diagonal.
CONNECTED: Final[dict[int, tuple[Graph, ...]]] = {
    2: (
        ((0, 0), (0, 0)),  # Σ d²
        ((0, 0), (0, 1)),  # Σ d r
        ((0, 1), (0, 1)),  # Σ a²
        ((0, 1), (0, 2)),  # Σ r²
    ),
    3: (
        ((0, 0), (0, 0), (0, 0)),  # Σ d³
        ((0, 0), (0, 0), (0, 1)),  # Σ d² r
        ((0, 0), (0, 1), (1, 1)),  # Σ d_i a_ij d_j
        ((0, 0), (0, 1), (0, 2)),  # Σ d r²
        ((0, 0), (0, 1), (1, 2)),  # Σ d_i a_ij r_j
        ((0, 0), (0, 1), (0, 1)),  # Σ d_i a_ij²
        ((0, 1), (0, 1), (0, 1)),  # Σ a³
        ((0, 1), (0, 1), (1, 2)),  # Σ a_ij² r_j
        ((0, 1), (1, 2), (2, 3)),  # Σ r_i a_ij r_j
        ((0, 1), (0, 2), (0, 3)),  # Σ r³
        ((0, 1), (1, 2), (2, 0)),  # Σ a_ij a_jk a_ki
    ),
}

#: How many numbers of a matrix decide the first three moments.
INVARIANTS: Final = 2 + len(CONNECTED[2]) + len(CONNECTED[3])

#: What is left of terms that cancel is nothing if it is smaller than this share of them.
ROUNDING: Final = 1e-13


@dataclass(frozen=True)
class Moments:
    """Mean, standard deviation and skewness over all permutations; arrays of one shape."""

    mean: Array
    spread: Array
    skewness: Array


def invariants(matrix: NDArray[np.floating]) -> Array:
    """Give what the moments need to know of a symmetric ``(item, item)`` matrix, ``(17,)``.

    Numbers that no permutation of the items changes: the mean of the diagonal and of the rest, and, with those taken
    off, the sums over items of :data:`CONNECTED`.
    """
    n = len(matrix)
    trace, total = float(np.trace(matrix, dtype=np.float64)), float(np.sum(matrix, dtype=np.float64))
    rest = (total - trace) / (n * (n - 1))
    a = matrix - matrix.dtype.type(rest)
    np.fill_diagonal(a, np.diag(matrix) - matrix.dtype.type(trace / n))
    d, r, square = np.diag(a).astype(np.float64), a.sum(axis=1, dtype=np.float64), np.square(a)
    rows2 = square.sum(axis=1, dtype=np.float64)
    if rows2.sum() <= (4 * n * np.finfo(matrix.dtype).eps * max(abs(trace / n), abs(rest))) ** 2:
        return np.array([trace / n - rest, rest, *np.zeros(INVARIANTS - 2)])  # nothing but rounding
    second = [d @ d, d @ r, rows2.sum(), r @ r]
    third = [
        *(np.sum(d**3), d**2 @ r, d @ (a @ d), d @ r**2, d @ (a @ r), d @ rows2),
        *(np.einsum("ij,ij->", square, a, dtype=np.float64), rows2 @ r, r @ (a @ r), np.sum(r**3)),
        np.einsum("ij,ij->", a @ a.T, a, dtype=np.float64),  # a matrix times its own transpose costs half
    ]
    return np.array([trace / n - rest, rest, *second, *third])


def moments(left: Array, right: Array, items: int) -> Moments:
    """Give the moments of ``Σ_ij A_ij B_π(i)π(j)`` over all permutations π.

    Exact for any symmetric matrices (tested against all permutations); for centred Gram matrices these are the
    moments of Kazi-Aoual et al. (1995), for matrices of dissimilarities those of Mantel (1967).

    Parameters
    ----------
    left, right
        :func:`invariants` of A and of B, ``(…, 17)``; they broadcast.
    items
        Size of the matrices.
    """
    a, a_rest, b, b_rest = left[..., 0], left[..., 1], right[..., 0], right[..., 1]
    mean = items * (a * b + a * b_rest + a_rest * b) + items**2 * a_rest * b_rest
    second = moment(CONNECTED[2], left[..., 2:6], right[..., 2:6], items)
    third = moment(CONNECTED[3], left[..., 6:], right[..., 6:], items)
    return standardised(mean, second, third)


def standardised(mean: Array, second: Array, third: Array) -> Moments:
    """Give standard deviation and skewness from central moments; no skewness where nothing varies."""
    spread = np.sqrt(np.maximum(second, 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return Moments(mean, spread, third / spread**3)


def upper_tail(inner: Array, chance: Moments) -> Array:
    """Give the probability of at least ``inner`` under a Pearson III distribution of these moments.

    Parameters
    ----------
    inner
        Of the shape of the moments.

    Returns
    -------
    Array
        NaN where chance has no spread.  A distribution with negative skewness ends, and beyond its end this is 0.
        Where the skewness is unknown (NaN) the distribution is taken for normal.
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        z = np.where(chance.spread > 0, (inner - chance.mean) / chance.spread, np.nan)
        return np.asarray(pearson3.sf(z, np.nan_to_num(chance.skewness)), dtype=np.float64)


def quantiles(chance: Moments, count: int = 32) -> Array:
    """Give quantiles of a Pearson III distribution of these moments, ``(quantile, …)``.

    Each stands for an equal part of the distribution: the mean of a function of the statistic is the mean over them.
    Their own mean and standard deviation are those of the moments.  After Wilson & Hilferty (1931): the cube
    root of a gamma variable is close to normal.

    Parameters
    ----------
    chance
        Moments of any shape.
    count
        Number of quantiles.
    """
    u = norm.ppf((np.arange(count) + 0.5) / count).reshape(-1, *[1] * np.ndim(chance.mean))
    s = np.where(np.abs(chance.skewness) > 1e-4, chance.skewness, 1e-4)
    z = 2 / s * (np.maximum(1 + s * u / 6 - s**2 / 36, 0) ** 3 - 1)
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    return np.asarray(chance.mean + chance.spread * z)


def moment(connected: tuple[Graph, ...], left: Array, right: Array, items: int, *, directed: bool = False) -> Array:
    """Give the mean of a power of the statistic, of matrices whose diagonal and rest have mean zero.

    Parameters
    ----------
    connected
        The products of as many entries as the power that have sums which are not zero.
    left, right
        Those sums, ``(…, product)``; they broadcast.
    items
        Size of the matrices.
    directed
        Whether entries ij and ji differ.
    """
    form, size = _form(connected, items, directed)
    total = np.einsum("...i,...i->...", left @ form, right)
    most = np.einsum("...i,...i->...", np.abs(left) @ size, np.abs(right))
    return np.where(np.abs(total) <= ROUNDING * most, 0.0, total)


@cache
def _form(connected: tuple[Graph, ...], items: int, directed: bool) -> tuple[Array, Array]:
    """Give the bilinear form of the connected sums of both matrices, and what it is without signs."""
    patterns = [(count / perm(items, places), row) for count, places, row in _patterns(connected, directed)
                if places <= items]  # fmt: skip
    signed = sum(weight * np.outer(row, row) for weight, row in patterns)
    return np.asarray(signed), np.asarray(sum(weight * np.outer(np.abs(row), np.abs(row)) for weight, row in patterns))


@cache
def _patterns(connected: tuple[Graph, ...], directed: bool) -> tuple[tuple[int, int, Array], ...]:
    """Give every pattern of equal items: how often it occurs, of how many items, and its sum from connected sums."""
    found: dict[Graph, tuple[int, int, Array]] = {}
    known = {_canonical(graph, directed): index for index, graph in enumerate(connected)}
    for partition in _partitions(2 * len(connected[0])):
        graph, blocks = _canonical(_graph(partition), directed), max(partition) + 1
        if graph in found:
            count, _, row = found[graph]
            found[graph] = (count + 1, blocks, row)
            continue
        row = np.zeros(len(known))
        for coarser in _partitions(blocks):  # Möbius: a sum over distinct items from sums over all items
            merged = _canonical(tuple((coarser[i], coarser[j]) for i, j in _graph(partition)), directed)
            if merged in known:
                sizes = Counter(coarser).values()
                row[known[merged]] += np.prod([(-1) ** (size - 1) * factorial(size - 1) for size in sizes])
        found[graph] = (1, blocks, row)
    return tuple(found.values())


def _partitions(size: int) -> Iterator[tuple[int, ...]]:
    """Give every partition of so many places: the block of each, blocks numbered as they appear."""
    partial: list[tuple[int, ...]] = [()]
    for _ in range(size):
        partial = [(*one, block) for one in partial for block in range(max(one, default=-1) + 2)]
    yield from partial


def _graph(partition: Sequence[int]) -> Graph:
    return tuple(zip(partition[::2], partition[1::2], strict=True))


def _canonical(graph: Graph, directed: bool) -> Graph:
    """Give the same graph for all that differ by names of vertices and the order (and direction) of edges."""
    vertices = sorted({vertex for edge in graph for vertex in edge})
    renamed = (
        [(name[i], name[j]) for i, j in graph]
        for name in (dict(zip(vertices, order, strict=True)) for order in permutations(range(len(vertices))))
    )
    return min(tuple(sorted(edges if directed else [(min(e), max(e)) for e in edges])) for edges in renamed)
