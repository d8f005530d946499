"""Canonical correlations, weighted by projection."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.linalg import FLOAT64, Work
from syzygy.measures.directions import TOLERANCE, directions, share
from syzygy.measures.measure import Array, Invariance, Paired, Prepared


@dataclass(frozen=True)
class PWCCA(Paired):
    """Canonical correlations, weighted by how much of the first representation each direction accounts for."""

    name: ClassVar[str] = "pwcca"
    about: ClassVar[str] = "canonical correlations, weighted by what they account for in the first"
    reference: ClassVar[str] = "Morcos, Raghu & Bengio 2018"

    tolerance: float = TOLERANCE

    def __post_init__(self) -> None:
        share("tolerance", self.tolerance)

    @property
    def symmetric(self) -> bool:
        """Weights are those of the first."""
        return False

    @property
    def whitens(self) -> bool:
        """Weights change nothing where all correlations are 1."""
        return True

    @property
    def invariances(self) -> frozenset[Invariance]:
        """Weights are sums over units of the first, so that turning them changes them."""
        return frozenset({"translation", "scale", "permutation"})

    @property
    def luck(self) -> str:
        """No closed form, but where one space holds everything."""
        return "above 0, and 1 as soon as one rank is n − 1 for n items, whatever the other is"

    @property
    def alias(self) -> str | None:
        """As there."""
        return "pwcca-score"

    def prepare(self, x: Array, work: Work = FLOAT64) -> dict[str, NDArray[Any]]:
        """Keep the basis and how units load on it, ``(rank, unit)``."""
        u, s, vt = directions(x, self.tolerance)
        if not s.size:
            u, s, vt = np.full((len(x), 1), np.nan), np.ones(1), np.ones((1, 1))
        return {"basis": work.cast(u), "loadings": work.cast(s[:, None] * vt)}

    def compare(self, a: Prepared, b: Prepared) -> float:
        """Weight each correlation by the sum of |⟨h, x_j⟩| over units, with h the direction in the first."""
        one, other = (np.asarray(p["basis"], dtype=np.float64) for p in (a, b))
        if not (np.isfinite(one).all() and np.isfinite(other).all()):
            return float("nan")
        turn, correlations, _ = np.linalg.svd(one.T @ other, full_matrices=False)
        weights = np.abs(turn.T @ a["loadings"]).sum(axis=1)
        return float(np.minimum(correlations, 1) @ weights / weights.sum())

    def permuted(self, prepared: Prepared, order: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
        """Reorder the items of the basis; loadings know no items."""
        return dict(prepared) | {"basis": prepared["basis"][order]}


def pwcca(x: ArrayLike, y: ArrayLike, *, tolerance: float = TOLERANCE) -> float:
    """Give the projection-weighted canonical correlation of two representations of the same items.

    The original definition of Morcos, Raghu & Bengio (2018): with h_i the canonical directions of ``x`` among the
    items and x_j its centred units, correlation i has the weight Σ_j |⟨h_i, x_j⟩|.  Weights are always those of ``x``:
    it is not symmetric.  Programs differ in this; some take the narrower one's weights.  Where the ranks of both add
    up to n or more for n items, two or more correlations are 1, their directions are not determined, and neither are
    the weights: the third digit is then arbitrary.

    Parameters
    ----------
    x, y
        ``(item, unit)``, of any widths; weights are those of ``x``.
    tolerance
        Directions are left out whose singular value is at most this share of the largest.

    Returns
    -------
    float
        1 for representations that differ by an invertible linear map and a shift.

    Raises
    ------
    SpecificationError
        ``tolerance`` out of range.
    ShapeError, DataError
        As :meth:`Measure.__call__`.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.random.default_rng(0).normal(size=(2, 50, 8))
    >>> y[:, 0] = x[:, 0]  # what they share is large in x, and not in y
    >>> [round(pwcca(a, b), 2) for a, b in ((x * ([9] + 7 * [1]), y), (y, x * ([9] + 7 * [1])))]
    [0.55, 0.4]
    """
    return PWCCA(tolerance)(x, y)
