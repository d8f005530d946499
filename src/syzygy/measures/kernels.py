"""Centred kernel alignment, and what else compares kernels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.linalg import Work, centred, double_centred, u_centred
from syzygy.measures.measure import Array, Inner, Invariance, one_of, unit_norm

Estimator = Literal["debiased", "biased"]

#: From ``(item, unit)`` to ``(item, item)``.
Kernel = Callable[[Array], NDArray[np.floating]]


@dataclass(frozen=True)
class CKA(Inner):
    """Centred kernel alignment: the cosine of two centred kernels."""

    name: ClassVar[str] = "cka"
    about: ClassVar[str] = "cosine of centred kernels"
    reference: ClassVar[str] = "Kornblith et al. 2019; debiased: Song et al. 2012, Murphy, Zylberberg & Fyshe 2024"

    estimator: Estimator = "debiased"

    def __post_init__(self) -> None:
        one_of("estimator", self.estimator, get_args(Estimator))

    @property
    def invariances(self) -> frozenset[Invariance]:
        """Those of the linear kernel."""
        return frozenset({"translation", "scale", "permutation", "orthogonal"})

    @property
    def range(self) -> tuple[float, float]:
        """Debiased, it may be negative."""
        return (-1.0, 1.0) if self.estimator == "debiased" else (0.0, 1.0)

    @property
    def luck(self) -> str:
        """Nothing if debiased."""
        return "about 0" if self.estimator == "debiased" else "about p/(n + p) for n items and p units"

    @property
    def least_items(self) -> int:
        """Debiasing divides by n(n − 3)."""
        return 4 if self.estimator == "debiased" else 3

    def matrix(self, x: Array, work: Work) -> NDArray[np.floating]:
        """Centre the kernel, and divide by its norm."""
        gram = work.product(centred(x))
        scale = float(np.abs(np.diag(gram)).max())
        return unit_norm(u_centred(gram) if self.estimator == "debiased" else double_centred(gram), scale)


def cka(x: ArrayLike, y: ArrayLike, *, estimator: Estimator = "debiased") -> float:
    """Give the centred kernel alignment of two representations of the same items.

    Parameters
    ----------
    x, y
        ``(item, unit)``, of any widths.
    estimator
        ``debiased``: about 0 for independent representations, and sometimes below; ``biased``: about p/(n + p).

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
    >>> x = np.random.default_rng(0).normal(size=(50, 8))
    >>> round(cka(x, x[:, ::-1] * 3 + 1), 12)
    1.0
    """
    return CKA(estimator)(x, y)
