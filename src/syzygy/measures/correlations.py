"""Canonical correlations: how well the directions of two representations can be matched, whatever their size."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.errors import SpecificationError
from syzygy.linalg import Work
from syzygy.measures.directions import TOLERANCE, directions, share
from syzygy.measures.factors import Factors
from syzygy.measures.measure import Array, Inner, Invariance, Measure, one_of

Mean = Literal["mean", "mean_squared"]


class _Canonical(Measure):
    """Measures of two spaces of directions, for which each has an orthonormal basis."""

    tolerance: float

    def __post_init__(self) -> None:
        share("tolerance", self.tolerance)

    @property
    def invariances(self) -> frozenset[Invariance]:
        """All that leave the space of directions as it is."""
        return frozenset({"translation", "scale", "permutation", "orthogonal", "linear", "unit_scale"})

    @property
    def whitens(self) -> bool:
        """All directions count alike."""
        return True

    def basis(self, x: Array) -> Array:
        """Give an orthonormal basis of the directions, ``(item, rank)``."""
        return directions(x, self.tolerance)[0]


class _Mean(_Canonical, Factors):
    """The mean of the singular values of the product of two bases: of the canonical correlations."""

    @property
    def luck(self) -> str:
        """No closed form, but where one space holds everything."""
        return "above 0, and 1 as soon as one rank is n − 1 for n items, whatever the other is"

    def factor(self, x: Array) -> Array:
        """Give the basis."""
        return self.basis(x)

    def score(self, values: Array, left: Array, right: Array, ranks: tuple[int, int]) -> Array:  # noqa: ARG002
        """Divide by the smaller rank: there are no more correlations than that."""
        return np.asarray(np.minimum(values, 1).sum(axis=-1) / min(ranks))


class _MeanSquared(_Canonical, Inner):
    """The mean of the squares: an inner product of projections, over the smaller rank."""

    @property
    def luck(self) -> str:
        """The mean over permutations, exactly."""
        return "r/(n − 1) for n items and the larger rank r, so 1 as soon as one rank is n − 1, whatever the other is"

    def matrix(self, x: Array, work: Work) -> NDArray[np.floating]:
        """Project onto the directions."""
        basis = self.basis(x)
        return work.product(basis) if basis.size else np.full((len(x), len(x)), np.nan)

    def score(self, inner: Array, left: Array, right: Array) -> Array:
        """Divide by the smaller rank, which is the squared norm of a projection."""
        return np.asarray(np.minimum(inner / np.minimum(left, right), 1))


@dataclass(frozen=True)
class CCA(_Mean):
    """Mean canonical correlation."""

    name: ClassVar[str] = "cca"
    about: ClassVar[str] = "mean canonical correlation"
    reference: ClassVar[str] = "Hotelling 1936; as a measure of similarity: Raghu et al. 2017"

    tolerance: float = TOLERANCE

    @property
    def alias(self) -> str | None:
        """As there."""
        return "cca-score"


@dataclass(frozen=True)
class SquaredCCA(_MeanSquared):
    """Mean squared canonical correlation."""

    name: ClassVar[str] = "cca_squared"
    about: ClassVar[str] = "mean squared canonical correlation"
    reference: ClassVar[str] = "Hotelling 1936; Ramsay, ten Berge & Styan 1984; Kornblith et al. 2019"

    tolerance: float = TOLERANCE

    @property
    def alias(self) -> str | None:
        """As there."""
        return "cca-squared_score"


class _Leading(_Canonical):
    """Directions that carry most of the variance; the rest is left out first."""

    variance: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.variance <= 1:
            raise SpecificationError(f"variance is the share that is kept, above 0 and at most 1, got {self.variance}")

    @property
    def invariances(self) -> frozenset[Invariance]:
        """Those of principal axes and their order."""
        return frozenset({"translation", "scale", "permutation", "orthogonal"})

    @property
    def alias(self) -> str | None:
        """For the mean."""
        return f"svcca-var={self.variance:g}-score" if isinstance(self, Factors) else None

    def basis(self, x: Array) -> Array:
        """Keep as few as carry the share of the variance."""
        u, s, _ = directions(x, self.tolerance)
        carried = np.cumsum(s**2)
        return u[:, : 1 + int(np.searchsorted(carried, self.variance * carried[-1] * (1 - 1e-12)))] if s.size else u


@dataclass(frozen=True)
class SVCCA(_Leading, _Mean):
    """Mean canonical correlation of the leading principal components."""

    name: ClassVar[str] = "svcca"
    about: ClassVar[str] = "mean canonical correlation of principal components with most of the variance"
    reference: ClassVar[str] = "Raghu, Gilmer, Yosinski & Sohl-Dickstein 2017"

    variance: float = 0.99
    tolerance: float = TOLERANCE


@dataclass(frozen=True)
class SquaredSVCCA(_Leading, _MeanSquared):
    """Mean squared canonical correlation of the leading principal components."""

    name: ClassVar[str] = "svcca_squared"
    about: ClassVar[str] = "mean squared canonical correlation of principal components with most of the variance"
    reference: ClassVar[str] = "Raghu, Gilmer, Yosinski & Sohl-Dickstein 2017; Kornblith et al. 2019"

    variance: float = 0.99
    tolerance: float = TOLERANCE


def cca(x: ArrayLike, y: ArrayLike, *, mean: Mean = "mean", tolerance: float = TOLERANCE) -> float:
    """Give the mean canonical correlation of two representations of the same items.

    Divided by the smaller rank, for there are no more correlations than that.  As soon as one rank is n − 1 for n items
    it is 1, whatever the other representation is.

    Parameters
    ----------
    x, y
        ``(item, unit)``, of any widths.
    mean
        ``mean``: of the correlations (:class:`CCA`); ``mean_squared``: of their squares (:class:`SquaredCCA`), with
        chance in closed form and all pairs from one matrix product.
    tolerance
        Directions are left out whose singular value is at most this share of the largest; the default is above the
        rounding of float32.

    Returns
    -------
    float
        1 for representations that differ by an invertible linear map and a shift.

    Raises
    ------
    UnknownName
        No such mean.
    SpecificationError
        ``tolerance`` out of range.
    ShapeError, DataError
        As :meth:`Measure.__call__`.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.random.default_rng(0).normal(size=(2, 50, 8))
    >>> round(cca(x, x @ y[:8]), 12), round(cca(x, y), 2), round(cca(x, y, mean="mean_squared"), 2)
    (1.0, 0.34, 0.16)
    """
    one_of("mean", mean, get_args(Mean))
    return (CCA(tolerance) if mean == "mean" else SquaredCCA(tolerance))(x, y)


def svcca(
    x: ArrayLike, y: ArrayLike, *, variance: float = 0.99, mean: Mean = "mean", tolerance: float = TOLERANCE
) -> float:
    """Give the mean canonical correlation of the leading principal components of two representations.

    Parameters
    ----------
    x, y
        ``(item, unit)``, of any widths.
    variance
        As few components are kept as carry this share of the variance.
    mean, tolerance
        As for :func:`cca`.

    Returns
    -------
    float
        1 for representations that differ by a rotation, a shift and a factor.

    Raises
    ------
    UnknownName
        No such mean.
    SpecificationError
        ``variance`` or ``tolerance`` out of range.
    ShapeError, DataError
        As :meth:`Measure.__call__`.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.random.default_rng(0).normal(size=(2, 50, 8))
    >>> bool(svcca(x, y, variance=0.5) < svcca(x, y, variance=1.0) == cca(x, y))
    True
    """
    one_of("mean", mean, get_args(Mean))
    return (SVCCA if mean == "mean" else SquaredSVCCA)(variance, tolerance)(x, y)
