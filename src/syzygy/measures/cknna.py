"""Kernel alignment over mutual neighbours; derived in ``docs/measures/neighbours.md``."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.chance import Moments
from syzygy.errors import SpecificationError
from syzygy.linalg import FLOAT64, Work
from syzygy.linalg.nearest import Nearness, arcs
from syzygy.measures.measure import Array, Prepared
from syzygy.measures.neighbours import MutualKNN, by_item


@dataclass(frozen=True)
class CKNNA(MutualKNN):
    """Unbiased kernel alignment over pairs of items that are neighbours in both representations."""

    name: ClassVar[str] = "cknna"
    about: ClassVar[str] = "debiased kernel alignment, over mutual neighbours"
    reference: ClassVar[str] = "Huh et al. 2024; unbiased HSIC: Song et al. 2012"

    @property
    def range(self) -> tuple[float, float]:
        """The three sums run over different pairs of items, so that nothing bounds it."""
        return (-np.inf, np.inf)

    @property
    def luck(self) -> str:
        """The estimate is unbiased, but both kernels are masked by the same pairs, where both are large."""
        return f"above 0, of the order of {self.neighbours}/(n − 1) for n items"

    @property
    def least_items(self) -> int:
        """The unbiased estimate needs four."""
        return max(4, self.neighbours + 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nearness == "euclidean":
            raise SpecificationError("cknna compares kernels, so its nearness is cosine or dot, got euclidean")

    def prepare(self, x: Array, work: Work = FLOAT64) -> dict[str, NDArray[Any]]:
        """Find the neighbours, the kernel there, and the estimate of a representation with itself."""
        starts, others, weights, kernel = arcs(x, self.neighbours, self.nearness)
        found: dict[str, NDArray[Any]] = {"starts": starts, "others": others, "weights": weights, "kernel": kernel}
        alone = float(_unbiased([found], [found], work)[0, 0])
        scale = float(np.sum((weights**2 * kernel) ** 2))
        found["norm2"] = np.asarray(alone if alone > 1e-12 * scale else np.nan)
        return found

    def block(self, left: Sequence[Prepared], right: Sequence[Prepared] | None = None, work: Work = FLOAT64) -> Array:
        """Divide the estimate by those of each with itself."""
        norms = [np.array([one["norm2"] for one in some]) for some in (left, left if right is None else right)]
        return np.asarray(_unbiased(left, right, work) / np.sqrt(norms[0][:, None] * norms[1]))

    def chance(self, left: Sequence[Prepared], right: Sequence[Prepared]) -> Moments | None:  # noqa: ARG002
        """Nothing in closed form: the mask changes with the pair."""
        return None


def cknna(x: ArrayLike, y: ArrayLike, *, neighbours: int = 10, nearness: Nearness = "cosine") -> float:
    """Give the kernel alignment over mutual neighbours (CKNNA).

    The unbiased estimate of the Hilbert–Schmidt independence criterion of two kernels that are zero except where j is
    a neighbour of i in both representations, over the root of those of each representation with itself.

    Parameters
    ----------
    x, y
        ``(item, unit)``, of any widths.
    neighbours
        At most the number of items less one; then it is debiased CKA of these kernels.
    nearness
        The kernel, whose largest values are the neighbours: ``cosine`` or ``dot``.

    Returns
    -------
    float
        1 for a representation with itself, 0 where no two items are neighbours in both.  It may be negative, or above 1
        for few items; for independent representations it is of the order of k/(n − 1).

    Raises
    ------
    ShapeError, DataError
        As :meth:`Measure.__call__`; also where the estimate of a representation with itself is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(50, 8))
    >>> round(cknna(x, x[:, ::-1] * 3), 12)
    1.0
    """
    return CKNNA(neighbours, nearness)(x, y)


def _unbiased(left: Sequence[Prepared], right: Sequence[Prepared] | None, work: Work) -> Array:
    """Give n(n − 3) times the unbiased estimate, of kernels masked by one another's neighbours, ``(left, right)``.

    With A and B the masked kernels: ``tr AB + ΣA·ΣB/((n − 1)(n − 2)) − (1ᵀAB1 + 1ᵀBA1)/(n − 2)``.
    """
    exact, others = Work("float64", work.device), left if right is None else right
    n, shape = len(left[0]["starts"]) - 1, (len(left), len(others))
    trace, one_sum, other_sum, paths = (np.zeros(shape) for _ in range(4))
    names = ("kernel", "weights")
    rows = (by_item(some, names, "float64", turned=turned) for some in (left, others) for turned in (False, True))
    for (kx, w), (kx_in, w_in), (ky, v), (ky_in, v_in) in zip(*rows, strict=True):
        a, a_in, b, b_in = kx * w, kx_in * w_in, ky * v, ky_in * v_in
        a_out, b_out = exact.product(a, v), exact.product(w, b)
        trace += exact.product(a * w_in, b_in * v)
        one_sum += a_out
        other_sum += b_out
        paths += exact.product(a_in, v_in) * b_out + exact.product(w_in, b_in) * a_out
    return trace + one_sum * other_sum / ((n - 1) * (n - 2)) - paths / (n - 2)
