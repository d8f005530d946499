"""Distances of shapes: what is left between two configurations of items when one may be turned."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from syzygy.errors import SpecificationError
from syzygy.linalg import FLOAT64, Work
from syzygy.measures.directions import TOLERANCE, directions, rotated, share
from syzygy.measures.factors import Factors
from syzygy.measures.measure import Array, Invariance, Prepared, one_of

Form = Literal["angular", "euclidean", "score"]

#: Nearer than this to 1, a cosine says too little about the distance, which is then computed from what is left.
#: That is an angle of 0.02, where what the cosine is off counts 50 times.
NEAR: Final = 2e-4


class _Shapes(Factors):
    """Measures that are functions of ‖FᵀG‖_*/(‖F‖‖G‖), the cosine of two configurations turned onto each other."""

    form: Form

    def __post_init__(self) -> None:
        one_of("form", self.form, get_args(Form))

    @property
    def kind(self) -> Literal["similarity", "distance"]:
        """The cosine is a similarity."""
        return "similarity" if self.form == "score" else "distance"

    @property
    def metric(self) -> bool:
        """Both distances are those of points on a sphere, up to rotations."""
        return self.form != "score"

    @property
    def range(self) -> tuple[float, float]:
        """A nuclear norm is not negative, so no angle is obtuse."""
        return (0.0, {"angular": np.pi / 2, "euclidean": np.sqrt(2), "score": 1.0}[self.form])

    @property
    def invariances(self) -> frozenset[Invariance]:
        """Those of centred configurations of norm one."""
        return frozenset({"translation", "scale", "permutation", "orthogonal"})

    @property
    def luck(self) -> str:
        """No closed form."""
        return f"{'nearer to 1' if self.form == 'score' else 'nearer to 0'} the more units there are for the items"

    def score(self, values: Array, left: Array, right: Array, ranks: tuple[int, int]) -> Array:  # noqa: ARG002
        """Give the cosine."""
        return np.asarray(np.minimum(values.sum(axis=-1) / np.sqrt(left * right), 1))

    def factor(self, x: Array) -> Array:
        """Centre, and turn into principal axes."""
        return rotated(x)

    def block(self, left: Sequence[Prepared], right: Sequence[Prepared] | None = None, work: Work = FLOAT64) -> Array:
        """Give cosines or distances; those of nearly the same configurations from what is left between them."""
        cosine = super().block(left, right, work)
        if self.form == "score":
            return cosine
        distance, near = np.sqrt(2 - 2 * cosine), cosine > 1 - NEAR
        if right is None:
            distance[np.diag_indices_from(distance)] *= 0
            for i, j in np.argwhere(np.triu(near, 1)).tolist():
                distance[i, j] = distance[j, i] = apart(left[i]["factor"], left[j]["factor"])
        else:
            for i, j in np.argwhere(near).tolist():
                distance[i, j] = apart(left[i]["factor"], right[j]["factor"])
        return distance if self.form == "euclidean" else np.asarray(2 * np.arcsin(distance / 2))


@dataclass(frozen=True)
class Procrustes(_Shapes):
    """What is left between two configurations of norm one when one is turned onto the other."""

    name: ClassVar[str] = "procrustes"
    about: ClassVar[str] = "angle between configurations, the one turned onto the other"
    reference: ClassVar[str] = "Williams et al. 2021"

    form: Form = "angular"

    @property
    def alias(self) -> str | None:
        """Their Euclidean distance is of configurations that are not of norm one."""
        return {"angular": "procrustes-distance=angular", "score": "nbs-score"}.get(self.form)


@dataclass(frozen=True)
class Bures(_Shapes):
    """The Bures distance of centred kernels of trace one: the Procrustes distance of the configurations."""

    name: ClassVar[str] = "bures"
    about: ClassVar[str] = "Bures distance of centred kernels: the Procrustes distance, seen from the items"
    reference: ClassVar[str] = "Harvey, Larsen & Williams 2023; score: Tang, Maddox, Dickens, Diethe & Damianou 2020"

    form: Form = "euclidean"

    @property
    def alias(self) -> str | None:
        """Their Bures distance is of kernels that are not of trace one."""
        return {"angular": "nbs-distance=angular", "score": "nbs-score"}.get(self.form)


@dataclass(frozen=True)
class Shape(_Shapes):
    """The distance of configurations that are whitened in part."""

    name: ClassVar[str] = "shape"
    about: ClassVar[str] = "distance of configurations, whitened in part: from CCA (alpha=0) to Procrustes (alpha=1)"
    reference: ClassVar[str] = "Williams et al. 2021"

    alpha: float = 0.5
    form: Form = "angular"
    tolerance: float = TOLERANCE

    def __post_init__(self) -> None:
        super().__post_init__()
        share("tolerance", self.tolerance)
        if not 0 <= self.alpha <= 1:
            raise SpecificationError(f"alpha goes from 0 (whitened) to 1 (as it is), got {self.alpha}")

    @property
    def invariances(self) -> frozenset[Invariance]:
        """Whitened, that to any linear map of the units too."""
        found = super().invariances
        return found | {"linear", "unit_scale"} if self.whitens else found

    @property
    def whitens(self) -> bool:
        """Whether nothing is left of how much directions vary."""
        return self.alpha == 0

    @property
    def alias(self) -> str | None:
        """Between the ends, their whitening depends on the scale."""
        same = self.form == "angular" and self.alpha in (0, 1)
        return f"shape_metric-alpha={self.alpha:g}-distance=angular" if same else None

    def factor(self, x: Array) -> Array:
        """Mix singular values with their root mean square."""
        u, s, _ = directions(x, self.tolerance)
        return u * (self.alpha * s + (1 - self.alpha) * np.sqrt(np.mean(s**2))) if s.size else u


def apart(left: Array, right: Array) -> float:
    """Give the Euclidean distance of two factors of norm one, the one turned onto the other, to rounding.

    With F of r columns and G of s ≥ r, and the decomposition FᵀG = WΣZᵀ, it is ‖(FW, 0) − GZ‖.
    """
    f, g = (np.asarray(one, dtype=np.float64) for one in sorted((left, right), key=lambda one: one.shape[1]))
    f, g = f / np.linalg.norm(f), g / np.linalg.norm(g)
    w, _, zt = np.linalg.svd(f.T @ g)
    rest = g @ zt.T
    rest[:, : f.shape[1]] -= f @ w
    return float(np.linalg.norm(rest))


def procrustes(x: ArrayLike, y: ArrayLike, *, form: Form = "angular") -> float:
    """Give the Procrustes distance of two representations of the same items: least over all rotations.

    Both are centred and divided by their Frobenius norm; the narrower is padded with zeros.

    Parameters
    ----------
    x, y
        ``(item, unit)``, of any widths.
    form
        ``angular``: the angle between the two on the sphere, in radians, arccos of ``score``; ``euclidean``:
        √(2 − 2 score); ``score``: ‖XᵀY‖_*/(‖X‖‖Y‖), a similarity, also known as normalised Bures similarity.

    Returns
    -------
    float
        0 (as a score, 1) for representations that differ by a rotation, a shift and a factor.

    Raises
    ------
    UnknownName
        No such form.
    ShapeError, DataError
        As :meth:`Measure.__call__`.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(50, 8))
    >>> round(procrustes(x, x[:, ::-1] * 3 + 1), 12)
    0.0
    """
    return Procrustes(form)(x, y)


def bures(x: ArrayLike, y: ArrayLike, *, form: Form = "euclidean") -> float:
    """Give the Bures distance of the centred kernels of two representations of the same items.

    With K = XXᵀ and L = YYᵀ, centred and of trace one, it is √(2 − 2 tr (K^½ L K^½)^½), and the trace is ‖XᵀY‖_*: it is
    :func:`procrustes` seen from the items, under the name that it has there.

    Parameters
    ----------
    x, y
        ``(item, unit)``, of any widths.
    form
        ``euclidean``: the Bures distance; ``angular``: the angle; ``score``: its cosine, the root of the fidelity of
        quantum states.

    Returns
    -------
    float
        0 (as a score, 1) for representations that differ by a rotation, a shift and a factor.

    Raises
    ------
    UnknownName
        No such form.
    ShapeError, DataError
        As :meth:`Measure.__call__`.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.random.default_rng(0).normal(size=(2, 50, 8))
    >>> bool(np.isclose(np.arccos(bures(x, y, form="score")), procrustes(x, y)))
    True
    """
    return Bures(form)(x, y)


def shape(
    x: ArrayLike, y: ArrayLike, *, alpha: float = 0.5, form: Form = "angular", tolerance: float = TOLERANCE
) -> float:
    """Give the distance of two representations of the same items, whitened in part, least over all rotations.

    Each is centred, and its singular values s become αs + (1 − α)s̄ with s̄ their root mean square, so that whitening
    keeps the total variance and the factor of a representation does not matter.

    Parameters
    ----------
    x, y
        ``(item, unit)``, of any widths.
    alpha
        1: :func:`procrustes`; 0: an angle whose cosine is the mean canonical correlation (:func:`.cca`) where ranks
        agree.  What is whitened is close to everything once the rank comes near the number of items less one.
    form
        As for :func:`procrustes`.
    tolerance
        Directions are left out whose singular value is at most this share of the largest.

    Returns
    -------
    float
        0 (as a score, 1) for representations that differ by a rotation, a shift and a factor.

    Raises
    ------
    SpecificationError
        ``alpha`` or ``tolerance`` out of range, or no such form.
    ShapeError, DataError
        As :meth:`Measure.__call__`.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(50, 2))
    >>> [round(shape(x, x * [1, 9], alpha=alpha), 3) for alpha in (0, 0.5, 1)]
    [0.0, 0.321, 0.639]
    """
    return Shape(alpha, form, tolerance)(x, y)
