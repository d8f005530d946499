"""Representational distance: what the effective theory predicts of two representations, compared in its own units."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.linalg import FLOAT64, Work
from syzygy.measures.distances import squared_distances
from syzygy.measures.measure import Array, Inner, Invariance, Prepared

#: Share of the norms below which a squared difference is computed as one.
NEAR: Final = 1e-6


@dataclass(frozen=True)
class RepresentationalDistance(Inner):
    """Root mean squared difference of the squared distances of all pairs of items, in the units of the latter."""

    name: ClassVar[str] = "representational_distance"
    about: ClassVar[str] = "difference of the squared distances between items that the effective theory predicts"
    reference: ClassVar[str] = "docs/measures/kernels.md; the distances: docs/theory/pair.md"

    @property
    def kind(self) -> Literal["similarity", "distance"]:
        """A distance."""
        return "distance"

    @property
    def invariances(self) -> frozenset[Invariance]:
        """Those of distances, whose scale counts."""
        return frozenset({"translation", "permutation", "orthogonal"})

    @property
    def range(self) -> tuple[float, float]:
        """Unbounded."""
        return (0.0, np.inf)

    @property
    def metric(self) -> bool:
        """A Euclidean distance of matrices."""
        return True

    @property
    def luck(self) -> str:
        """Not zero."""
        return "the root of both variances of squared distances, and the squared difference of their means, added up"

    @property
    def least_items(self) -> int:
        """One pair."""
        return 2

    def matrix(self, x: Array, work: Work) -> NDArray[np.floating]:  # noqa: ARG002
        """Divide the squared distances by the root of the number of ordered pairs; in float64 whatever the work."""
        n = len(x)
        return np.asarray(squared_distances(x) / np.sqrt(n * (n - 1)))

    def products(
        self, left: Sequence[Prepared], right: Sequence[Prepared] | None = None, work: Work = FLOAT64
    ) -> Array:
        """Multiply in float64: from single precision the difference of near matrices would be rounding."""
        return super().products(left, right, replace(work, dtype="float64"))

    def score(self, inner: Array, left: Array, right: Array) -> Array:
        """Give ‖A − B‖."""
        return np.asarray(np.sqrt(np.maximum(left + right - 2 * inner, 0)))

    def block(self, left: Sequence[Prepared], right: Sequence[Prepared] | None = None, work: Work = FLOAT64) -> Array:
        """Multiply all with all; subtract the few that are so near that their norms would cancel."""
        found, others = super().block(left, right, work), left if right is None else right
        norms = np.array([one["norm2"] for one in left])[:, None] + np.array([one["norm2"] for one in others])
        for i, j in np.argwhere(found**2 <= NEAR * norms):
            found[i, j] = np.linalg.norm(left[i]["vector"] - others[j]["vector"])
        return found


def representational_distance(x: ArrayLike, y: ArrayLike) -> float:
    """Give the root mean squared difference of the squared distances between items, over all pairs of items.

    The squared distances ‖dh‖² are what the effective theory predicts, and their scale counts.

    Parameters
    ----------
    x, y
        ``(item, unit)``, of any widths.

    Returns
    -------
    float
        0 for representations that differ by a rotation and a shift, in the units of the representations, squared.

    Raises
    ------
    ShapeError, DataError
        As :meth:`Measure.__call__`.

    Examples
    --------
    >>> representational_distance([[0.0], [1.0]], [[0.0], [3.0]])
    8.0
    """
    return RepresentationalDistance()(x, y)
