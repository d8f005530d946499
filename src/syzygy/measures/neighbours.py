"""Whether items have the same neighbours: mutual nearest neighbours, their Jaccard index, and CKNNA.

Derived in ``docs/measures/neighbours.md``.  All pairs of representations are compared item by item: the neighbours of
one item in all representations are a small matrix, and its product with itself counts what every two share.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Final, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from syzygy.chance import Moments, directed
from syzygy.errors import SpecificationError
from syzygy.linalg import FLOAT64, Work
from syzygy.linalg.nearest import Nearness, arcs
from syzygy.measures.measure import Array, Invariance, Paired, Prepared, one_of

#: What a representation and its neighbours may go through without a change of who is near, beside its own scale.
UNNOTICED: Final[dict[str, frozenset[Invariance]]] = {
    "cosine": frozenset({"scale", "permutation", "orthogonal", "item_scale"}),
    "dot": frozenset({"scale", "permutation", "orthogonal"}),
    "euclidean": frozenset({"scale", "permutation", "orthogonal", "translation"}),
}


@dataclass(frozen=True)
class MutualKNN(Paired):
    """Share of the k nearest neighbours that an item keeps from one representation to the other."""

    name: ClassVar[str] = "mutual_knn"
    about: ClassVar[str] = "share of k nearest neighbours in common"
    reference: ClassVar[str] = "Huh et al. 2024"

    neighbours: int = 10
    nearness: Nearness = "cosine"

    def __post_init__(self) -> None:
        one_of("nearness", self.nearness, get_args(Nearness))
        if self.neighbours < 1:
            raise SpecificationError(f"neighbours must be at least 1, got {self.neighbours}")

    @property
    def invariances(self) -> frozenset[Invariance]:
        """Those of the nearness."""
        return UNNOTICED[self.nearness]

    @property
    def luck(self) -> str:
        """So many of the others are neighbours."""
        return f"{self.neighbours}/(n − 1) for n items"

    @property
    def least_items(self) -> int:
        """With one less, all others are neighbours of everybody."""
        return self.neighbours + 2

    def prepare(self, x: Array, work: Work = FLOAT64) -> dict[str, NDArray[Any]]:
        """Find the neighbours; their weights have length one over all items."""
        starts, others, weights, _ = arcs(x, self.neighbours, self.nearness)
        n = len(x)
        lengths = np.sqrt(np.add.reduceat(weights**2, starts[:-1]) * n)
        weights = weights / np.repeat(lengths, np.diff(starts))
        if len(others) == n * (n - 1) and np.ptp(weights) == 0:  # nobody is nearer than anybody else
            weights = np.full_like(weights, np.nan)
        found: dict[str, NDArray[Any]] = {"starts": starts, "others": others, "weights": weights}
        if work.chance:
            found["invariants"] = directed.invariants(_matrix(found, weights))
        return found

    def block(self, left: Sequence[Prepared], right: Sequence[Prepared] | None = None, work: Work = FLOAT64) -> Array:
        """Add up, item by item, what every two share."""
        total = np.zeros((len(left), len(left if right is None else right)))
        for shared in _shared(left, right, work):
            total += shared
        return total

    def compare(self, a: Prepared, b: Prepared) -> float:
        """Compare two."""
        return float(self.block([a], [b])[0, 0])

    def permuted(self, prepared: Prepared, order: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
        """Rename the items; ties are shared, so that their order decides nothing."""
        moved = sparse.csr_array(_matrix(prepared, np.arange(1, len(prepared["others"]) + 1))[order][:, order])
        moved.sort_indices()
        found = {"starts": moved.indptr, "others": moved.indices}
        values = {name: prepared[name][moved.data - 1] for name in ("weights", "kernel") if name in prepared}
        return dict(prepared) | found | values

    def chance(self, left: Sequence[Prepared], right: Sequence[Prepared]) -> Moments | None:
        """Give the moments of the score itself."""
        a, b = (np.stack([one["invariants"] for one in some]) for some in (left, right))
        return directed.moments(a[:, None], b[None], len(left[0]["starts"]) - 1)


@dataclass(frozen=True)
class JaccardKNN(MutualKNN):
    """Common neighbours of an item over those that it has in either representation, averaged over items."""

    name: ClassVar[str] = "jaccard_knn"
    about: ClassVar[str] = "common over all neighbours, averaged over items"
    reference: ClassVar[str] = "Schumacher et al. 2021; Jaccard 1912"

    @property
    def luck(self) -> str:
        """Mean over a hypergeometric number of common neighbours."""
        return f"mean of m/({2 * self.neighbours} − m), m hypergeometric: below {self.neighbours}/(n − 1) for n items"

    def block(self, left: Sequence[Prepared], right: Sequence[Prepared] | None = None, work: Work = FLOAT64) -> Array:
        """Add up, item by item, the index c/(2 − c) of the share c."""
        total, items = np.zeros((len(left), len(left if right is None else right))), len(left[0]["starts"]) - 1
        for shared in _shared(left, right, work):
            total += shared / (2 - items * shared)
        return total

    def chance(self, left: Sequence[Prepared], right: Sequence[Prepared]) -> Moments | None:  # noqa: ARG002
        """Not linear in what is shared: no closed form beyond its mean."""
        return None


def mutual_knn(x: ArrayLike, y: ArrayLike, *, neighbours: int = 10, nearness: Nearness = "cosine") -> float:
    """Give the share of nearest neighbours that two representations of the same items have in common.

    ``1/n Σ_i |kNN_x(i) ∩ kNN_y(i)|/k``; nobody is their own neighbour.  Chance is exactly k/(n − 1).

    Parameters
    ----------
    x, y
        ``(item, unit)``, of any widths.
    neighbours
        k, at most the number of items less two.
    nearness
        What is near: ``cosine`` of the angle at the origin, largest ``dot`` product, or ``euclidean`` distance.
        Items that are equally near share the places that are left, so that their order decides nothing.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ShapeError, DataError
        As :meth:`Measure.__call__`; also where all items are equally near one another.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(50, 8))
    >>> round(mutual_knn(x, x[:, ::-1] * 3), 12)
    1.0
    """
    return MutualKNN(neighbours, nearness)(x, y)


def jaccard_knn(x: ArrayLike, y: ArrayLike, *, neighbours: int = 10, nearness: Nearness = "cosine") -> float:
    """Give the mean Jaccard index of the nearest neighbours, ``1/n Σ_i |kNN_x(i) ∩ kNN_y(i)|/|kNN_x(i) ∪ kNN_y(i)|``.

    It never exceeds :func:`mutual_knn`, of whose common neighbours per item it is a convex function.

    Parameters
    ----------
    x, y, neighbours, nearness
        As there.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ShapeError, DataError
        As there.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.random.default_rng(0).normal(size=(2, 50, 8))
    >>> jaccard_knn(x, y) < mutual_knn(x, y)
    True
    """
    return JaccardKNN(neighbours, nearness)(x, y)


def by_item(
    some: Sequence[Prepared], names: Sequence[str], dtype: str, *, turned: bool = False
) -> Iterator[tuple[NDArray[np.floating], ...]]:
    """Give, item by item, what is stored of its arcs, as arrays ``(representation, other item)`` that are used again.

    Parameters
    ----------
    some
        What was prepared.
    names
        Which numbers of each arc.
    dtype
        Of the arrays.
    turned
        Whether arcs are taken where they end.
    """
    items, sizes = len(some[0]["starts"]) - 1, [len(one["others"]) for one in some]
    here = np.concatenate([np.repeat(np.arange(items), np.diff(one["starts"])) for one in some])
    there, which = np.concatenate([one["others"] for one in some]), np.repeat(np.arange(len(some)), sizes)
    if turned:
        here, there = there, here
    order = np.argsort(here, kind="stable")
    there, which = there[order], which[order]
    numbers = [np.concatenate([one[name] for one in some])[order] for name in names]
    ends = np.concatenate([[0], np.cumsum(np.bincount(here, minlength=items))])
    rows = tuple(np.zeros((len(some), items), dtype) for _ in names)
    for start, end in pairwise(ends):
        place = which[start:end], there[start:end]
        for row, number in zip(rows, numbers, strict=True):
            row[place] = number[start:end]
        yield rows
        for row in rows:
            row[place] = 0


def _shared(left: Sequence[Prepared], right: Sequence[Prepared] | None, work: Work) -> Iterator[NDArray[np.floating]]:
    """Give, item by item, the inner products of its neighbours' weights, ``(left, right)``."""
    if right is None:
        yield from (work.product(rows) for (rows,) in by_item(left, ["weights"], work.dtype))
        return
    pairs = zip(by_item(left, ["weights"], work.dtype), by_item(right, ["weights"], work.dtype), strict=True)
    yield from (work.product(mine, theirs) for (mine,), (theirs,) in pairs)


def _matrix(prepared: Prepared, values: NDArray[Any]) -> "sparse.csr_array[Any]":
    items = len(prepared["starts"]) - 1
    return sparse.csr_array((values, prepared["others"], prepared["starts"]), shape=(items, items))
