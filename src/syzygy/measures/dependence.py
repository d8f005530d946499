"""Distance correlation: zero, with enough items, only where two representations are independent."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.linalg import Work, double_centred, u_centred
from syzygy.measures.distances import squared_distances, unit_size
from syzygy.measures.kernels import ESTIMATORS, ISOMETRIES, Estimator
from syzygy.measures.measure import Array, Inner, Invariance, one_of, unit_norm


@dataclass(frozen=True)
class DistanceCorrelation(Inner):
    """Cosine of centred matrices of distances: debiased as it is, biased its root."""

    name: ClassVar[str] = "distance_correlation"
    about: ClassVar[str] = "cosine of centred distances between items"
    reference: ClassVar[str] = "Székely, Rizzo & Bakirov 2007; debiased: Székely & Rizzo 2013"

    estimator: Estimator = "debiased"

    def __post_init__(self) -> None:
        one_of("estimator", self.estimator, ESTIMATORS)

    @property
    def invariances(self) -> frozenset[Invariance]:
        """Those of distances, up to a common factor."""
        return ISOMETRIES

    @property
    def range(self) -> tuple[float, float]:
        """Debiased, it may be negative."""
        return (-1.0, 1.0) if self.estimator == "debiased" else (0.0, 1.0)

    @property
    def luck(self) -> str:
        """Nothing if debiased."""
        return "0 on average" if self.estimator == "debiased" else "above 0, and near 1 where units outnumber items"

    @property
    def alias(self) -> str | None:
        """Theirs is biased."""
        return "distance_correlation" if self.estimator == "biased" else None

    @property
    def least_items(self) -> int:
        """Debiasing divides by n(n − 3)."""
        return 4 if self.estimator == "debiased" else 3

    def matrix(self, x: Array, work: Work) -> NDArray[np.floating]:
        """Centre the distances, and divide by the norm.  Roots of small numbers need all digits."""
        distances = np.sqrt(squared_distances(unit_size(x)))
        centre = u_centred if self.estimator == "debiased" else double_centred
        return work.cast(unit_norm(centre(distances), float(distances.max())))

    def score(self, inner: Array, left: Array, right: Array) -> Array:  # noqa: ARG002
        """Take the root of what is biased."""
        return inner if self.estimator == "debiased" else np.sqrt(np.maximum(inner, 0))


def distance_correlation(x: ArrayLike, y: ArrayLike, *, estimator: Estimator = "debiased") -> float:
    """Give the distance correlation of two representations of the same items.

    Parameters
    ----------
    x, y
        ``(item, unit)``, of any widths.
    estimator
        ``debiased``: the bias-corrected *squared* distance correlation of Székely & Rizzo (2013), 0 on average for
        independent representations and sometimes below; ``biased``: the distance correlation of Székely, Rizzo &
        Bakirov (2007), the root of the squared one.

    Returns
    -------
    float
        1 for representations that differ by a rotation, a shift and a factor.

    Raises
    ------
    ShapeError, DataError
        As :meth:`Measure.__call__`.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(50, 1))
    >>> round(distance_correlation(x, 3 - 2 * x), 12)
    1.0
    >>> distance_correlation(x, x**2) > 0.1  # which no linear measure sees
    True
    """
    return DistanceCorrelation(estimator)(x, y)
