"""Centred kernel alignment, and the RV coefficient that it grew out of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import squareform

from syzygy.errors import DataError, ShapeError, SpecificationError
from syzygy.linalg import Work, double_centred, u_centred
from syzygy.measures.distances import squared_distances, unit_size
from syzygy.measures.measure import Array, Inner, Invariance, one_of, unit_norm

Estimator = Literal["debiased", "biased"]
ESTIMATORS: Final = get_args(Estimator)

#: From ``(item, unit)`` to ``(item, item)``.
Kernel = Callable[[Array], NDArray[np.floating]]

#: What does not change distances, up to a common factor.
ISOMETRIES: Final[frozenset[Invariance]] = frozenset({"translation", "scale", "permutation", "orthogonal"})


@dataclass(frozen=True)
class CKA(Inner):
    """Centred kernel alignment: the cosine of two centred kernels."""

    name: ClassVar[str] = "cka"
    about: ClassVar[str] = "cosine of centred kernels"
    reference: ClassVar[str] = "Kornblith et al. 2019; debiased: Song et al. 2012, Murphy, Zylberberg & Fyshe 2024"

    estimator: Estimator = "debiased"
    kernel: Literal["linear", "rbf"] | Kernel = "linear"
    bandwidth: float = 1.0

    def __post_init__(self) -> None:
        one_of("estimator", self.estimator, ESTIMATORS)
        if not callable(self.kernel):
            one_of("kernel", self.kernel, ("linear", "rbf"))
        if not (self.bandwidth > 0 and np.isfinite(self.bandwidth)):
            raise SpecificationError(f"bandwidth is a positive factor of the median distance, got {self.bandwidth}")

    @property
    def invariances(self) -> frozenset[Invariance]:
        """Those of distances and angles; none is known of a kernel of one's own."""
        return frozenset() if callable(self.kernel) else ISOMETRIES

    @property
    def range(self) -> tuple[float, float]:
        """Debiased, it may be negative; as may that of a kernel that is not positive."""
        return (-1.0, 1.0) if self.estimator == "debiased" or callable(self.kernel) else (0.0, 1.0)

    @property
    def luck(self) -> str:
        """Nothing if debiased."""
        if self.estimator == "debiased":
            return "0 on average"
        return "about p/(n + p) for n items and p units" if self.kernel == "linear" else "above 0, and near 1 if p >> n"

    @property
    def alias(self) -> str | None:
        """That of the linear kernel; their bandwidths are no multiples of the median."""
        hsic = "song" if self.estimator == "debiased" else "gretton"
        return f"cka-kernel=linear-hsic={hsic}-score" if self.kernel == "linear" else None

    @property
    def least_items(self) -> int:
        """Debiasing divides by n(n − 3)."""
        return 4 if self.estimator == "debiased" else 3

    def matrix(self, x: Array, work: Work) -> NDArray[np.floating]:
        """Centre the kernel, and divide by its norm."""
        gram = self._gram(x, work)
        scale = float(np.abs(np.diag(gram)).max() if self.kernel == "linear" else np.abs(gram).max())
        return unit_norm(u_centred(gram) if self.estimator == "debiased" else double_centred(gram), scale)

    def _gram(self, x: Array, work: Work) -> NDArray[np.floating]:
        if self.kernel == "linear":
            return work.product(unit_size(x))
        return rbf(x, self.bandwidth, work) if self.kernel == "rbf" else own_kernel(self.kernel, x, work)


@dataclass(frozen=True)
class RV(Inner):
    """The RV coefficient: the correlation of two configurations of the same items."""

    name: ClassVar[str] = "rv"
    about: ClassVar[str] = "correlation of configurations: the biased linear CKA under its older name"
    reference: ClassVar[str] = "Robert & Escoufier 1976; modified: Smilde et al. 2009"

    estimator: Literal["biased", "modified"] = "biased"

    def __post_init__(self) -> None:
        one_of("estimator", self.estimator, ("biased", "modified"))

    @property
    def invariances(self) -> frozenset[Invariance]:
        """Those of distances and angles."""
        return ISOMETRIES

    @property
    def range(self) -> tuple[float, float]:
        """Without the diagonals it may be negative."""
        return (-1.0, 1.0) if self.estimator == "modified" else (0.0, 1.0)

    @property
    def luck(self) -> str:
        """Less without the diagonals, but not nothing."""
        more = "n" if self.estimator == "biased" else "n²"
        return f"about p/({more} + p) for n items and p units"

    @property
    def alias(self) -> str | None:
        """Those of CKA, which has three estimators there."""
        return f"cka-kernel=linear-hsic={'gretton' if self.estimator == 'biased' else 'lange'}-score"

    def matrix(self, x: Array, work: Work) -> NDArray[np.floating]:
        """Centre the units; modified, leave out the diagonal."""
        gram = work.product(unit_size(x))
        scale = float(np.abs(np.diag(gram)).max())
        gram = double_centred(gram)  # once more: what rounding left
        if self.estimator == "modified":
            np.fill_diagonal(gram, 0)
        return unit_norm(gram, scale)


def rbf(x: Array, bandwidth: float, work: Work) -> NDArray[np.floating]:
    """Give the Gaussian kernel exp(−d²/2σ²), with σ = ``bandwidth`` × the median distance d of two different items.

    NaN where that median is zero.
    """
    d2 = squared_distances(unit_size(x), work)
    median = np.median(np.sqrt(squareform(d2, checks=False)))
    sigma2 = (bandwidth * median) ** 2
    return np.asarray(np.exp(-d2 / (2 * sigma2) if sigma2 > 0 else np.full_like(d2, np.nan)))


def own_kernel(kernel: Kernel, x: Array, work: Work) -> NDArray[np.floating]:
    """Ask a kernel that somebody wrote, and believe nothing.

    Raises
    ------
    ShapeError
        It gives something that is not ``(item, item)``.
    DataError
        It gives something that is not real, finite and symmetric.
    """
    name, gram, square = getattr(kernel, "__name__", "the kernel"), np.asarray(kernel(x)), (len(x), len(x))
    if gram.shape != square:
        raise ShapeError(f"{name} must give a kernel (item, item) of shape {square}, got {gram.shape}")
    if gram.dtype.kind not in "biuf" or not np.isfinite(gram).all():
        raise DataError(f"{name} must give finite real numbers, got {gram.dtype} with others among them")
    gram = gram.astype(np.float64)
    if not np.allclose(gram, gram.T, rtol=0, atol=1e-8 * float(np.abs(gram).max())):
        raise DataError(f"{name} must be symmetric, and differs from its transpose by {np.abs(gram - gram.T).max():g}")
    return work.cast(gram)


def cka(
    x: ArrayLike,
    y: ArrayLike,
    *,
    estimator: Estimator = "debiased",
    kernel: Literal["linear", "rbf"] | Kernel = "linear",
    bandwidth: float = 1.0,
) -> float:
    """Give the centred kernel alignment of two representations of the same items.

    Parameters
    ----------
    x, y
        ``(item, unit)``, of any widths.
    estimator
        ``debiased``: 0 on average for independent representations, and sometimes below; ``biased``: about p/(n + p).
    kernel
        ``linear``; ``rbf``, the Gaussian exp(−d²/2σ²); or a function from ``(item, unit)`` to a symmetric
        ``(item, item)``.
    bandwidth
        σ of ``rbf``, in units of the median distance between different items of each representation.

    Returns
    -------
    float
        1 for representations that differ by a rotation, a shift and a factor.

    Raises
    ------
    SpecificationError
        An unknown option, or a bandwidth that is not positive.
    ShapeError, DataError
        As :meth:`Measure.__call__`, and where a kernel of one's own gives no finite symmetric ``(item, item)``.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(50, 8))
    >>> round(cka(x, x[:, ::-1] * 3 + 1), 12)
    1.0
    >>> round(cka(x, np.tanh(x), kernel="rbf"), 3) > round(cka(x, x**2, kernel="rbf"), 3)
    True
    """
    return CKA(estimator, kernel, bandwidth)(x, y)


def rv(x: ArrayLike, y: ArrayLike, *, estimator: Literal["biased", "modified"] = "biased") -> float:
    """Give the RV coefficient of two representations of the same items.

    Parameters
    ----------
    x, y
        ``(item, unit)``, of any widths.
    estimator
        ``biased``: of Robert & Escoufier (1976), the same number as the biased linear CKA; ``modified``: of Smilde et
        al. (2009), without the diagonals of the two matrices.

    Raises
    ------
    ShapeError, DataError
        As :meth:`Measure.__call__`.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(50, 8))
    >>> round(rv(x, 2 - x), 12)
    1.0
    """
    return RV(estimator)(x, y)
