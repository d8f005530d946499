"""What every measure of similarity declares, and the three forms in which all pairs are computed at once.

A measure prepares each representation once (:meth:`Measure.prepare`) and then compares blocks of prepared ones
(:meth:`Measure.block`).  What is prepared is a dictionary of arrays, so that it can wait on disk.

========================  =====================================================================================
form                      all pairs are
========================  =====================================================================================
:class:`Inner`            inner products of symmetric matrices of items: one matrix product
:class:`.Factors`         singular values of products of factors: batches of decompositions, values only
:class:`Paired`           computed pair by pair, from what was prepared once
========================  =====================================================================================
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, ClassVar, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.chance import Moments, invariants, moments
from syzygy.errors import DataError, ShapeError, UnknownName
from syzygy.linalg import FLOAT64, Work, pack, unpack

Array = NDArray[np.float64]

#: What was prepared of one representation.
Prepared = Mapping[str, NDArray[Any]]

#: Changes of a representation that a measure may not notice.
Invariance = Literal["translation", "scale", "permutation", "orthogonal", "linear", "unit_scale", "item_scale"]

INVARIANCES: Final[Mapping[Invariance, str]] = {
    "translation": "the same vector added to every item",
    "scale": "one positive factor for everything",
    "permutation": "units in another order",
    "orthogonal": "a rotation or reflection of the units",
    "linear": "any invertible linear map of the units",
    "unit_scale": "a positive factor for each unit",
    "item_scale": "a positive factor for each item",
}


class Measure(ABC):
    """A function of two representations of the same items that says what it is.

    Subclasses are frozen dataclasses; their fields are the measure's options.

    Attributes
    ----------
    name
        In the registry.
    about
        What it is, in a line.
    reference
        Where it comes from.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    reference: ClassVar[str]

    @property
    def kind(self) -> Literal["similarity", "distance"]:
        """``similarity``: alike is large; ``distance``: alike is zero."""
        return "similarity"

    @property
    def symmetric(self) -> bool:
        """Whether ``m(x, y) = m(y, x)``."""
        return True

    @property
    @abstractmethod
    def invariances(self) -> frozenset[Invariance]:
        """Changes of either representation that it does not notice."""

    @property
    def range(self) -> tuple[float, float]:
        """Least and greatest value."""
        return (0.0, 1.0)

    @property
    def metric(self) -> bool:
        """Whether the triangle inequality is claimed."""
        return False

    @property
    def whitens(self) -> bool:
        """Whether all directions count alike: then any two agree as soon as the rank of one is n − 1 for n items."""
        return False

    @property
    @abstractmethod
    def luck(self) -> str:
        """Where chance puts it, in a sentence."""

    @property
    def alias(self) -> str | None:
        """Its name in the naming of the similarity repository (Cloos et al.), if it has one there."""
        return None

    @property
    def least_items(self) -> int:
        """Number of items that it needs."""
        return 3

    @property
    def best(self) -> float:
        """Value of a representation with itself."""
        return 1.0 if self.kind == "similarity" else 0.0

    @property
    def label(self) -> str:
        """Its name and the options that are not the default, as in ``cka:estimator=biased``."""
        options = (f"{f.name}={_spoken(getattr(self, f.name))}" for f in fields(self)  # type: ignore[arg-type]
                   if getattr(self, f.name) != f.default)  # fmt: skip
        return ":".join((self.name, *options))

    @abstractmethod
    def prepare(self, x: Array, work: Work = FLOAT64) -> dict[str, NDArray[Any]]:
        """Do once what is done for a representation ``(item, unit)``, whatever it is compared with.

        ``x`` has been checked (:func:`checked`).
        """

    @abstractmethod
    def block(self, left: Sequence[Prepared], right: Sequence[Prepared] | None = None, work: Work = FLOAT64) -> Array:
        """Compare every ``left`` with every ``right``, ``(left, right)``; without ``right``, with one another."""

    @abstractmethod
    def permuted(self, prepared: Prepared, order: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
        """Give what would have been prepared of ``x[order]``."""

    def chance(self, left: Sequence[Prepared], right: Sequence[Prepared]) -> Moments | None:  # noqa: ARG002
        """Give the moments over all permutations of items, ``(left, right)``; None where there is no closed form."""
        return None

    def __call__(self, x: ArrayLike, y: ArrayLike) -> float:
        """Compare two representations of the same items.

        Parameters
        ----------
        x, y
            ``(item, unit)``; axes after the item are flattened into units.  Widths may differ.

        Raises
        ------
        ShapeError
            Different numbers of items, or fewer than the measure needs.
        DataError
            Something that is no finite real number, or (NaN would be the answer) items that are all the same.
        """
        a, b = checked(x, "x", self), checked(y, "y", self)
        if len(a) != len(b):
            raise ShapeError(f"x has {len(a)} items and y {len(b)}; a measure compares representations of the same")
        alone = Work(chance=False)
        value = float(self.block([self.prepare(a, alone)], [self.prepare(b, alone)], alone)[0, 0])
        if np.isnan(value):
            raise DataError(f"{self.label} is not defined: {_constant(a, b)}")
        return value


class Inner(Measure):
    """A measure that is a function of the inner product of two symmetric ``(item, item)`` matrices.

    Similarities rise with it, distances fall with it, so that chance in closed form holds for both.
    """

    @abstractmethod
    def matrix(self, x: Array, work: Work) -> NDArray[np.floating]:
        """Give the matrix of a representation, symmetric; of Frobenius norm one where the measure is a cosine."""

    def target(self, y: Array, work: Work) -> NDArray[np.floating]:
        """Give the matrix of the second representation, where the measure is not symmetric."""
        return self.matrix(y, work)

    def score(self, inner: Array, left: Array, right: Array) -> Array:  # noqa: ARG002
        """Give the measure from the inner product and the two squared norms, which broadcast."""
        return inner

    def prepare(self, x: Array, work: Work = FLOAT64) -> dict[str, NDArray[Any]]:
        """Pack the matrix, and keep what chance needs of it."""
        found = _packed(self.matrix(x, work), work, "")
        return found if self.symmetric else found | _packed(self.target(x, work), work, "target_")

    def block(self, left: Sequence[Prepared], right: Sequence[Prepared] | None = None, work: Work = FLOAT64) -> Array:
        """Multiply all with all."""
        return self.scored(self.products(left, right, work), left, right)

    def products(
        self, left: Sequence[Prepared], right: Sequence[Prepared] | None = None, work: Work = FLOAT64
    ) -> Array:
        """Give the inner products of all with all, ``(left, right)``, of which :meth:`chance` gives the moments."""
        mine = [one["vector"] for one in left]
        if self.symmetric and right is None:
            return work.inner(mine)
        to = "" if self.symmetric else "target_"
        return work.inner(mine, [one[f"{to}vector"] for one in (left if right is None else right)])

    def scored(self, inner: Array, left: Sequence[Prepared], right: Sequence[Prepared] | None = None) -> Array:
        """Give the measure from inner products ``(…, left, right)`` and the norms of what was prepared."""
        to, others = ("" if self.symmetric else "target_"), left if right is None else right
        norms = np.array([one["norm2"] for one in left])[:, None], np.array([one[f"{to}norm2"] for one in others])
        return self.score(inner, *norms)

    def permuted(self, prepared: Prepared, order: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
        """Reorder rows and columns; what chance needs stays."""
        moved = {name: pack(unpack(prepared[name])[np.ix_(order, order)]) for name in prepared if "vector" in name}
        return dict(prepared) | moved

    def chance(self, left: Sequence[Prepared], right: Sequence[Prepared]) -> Moments | None:
        """Give the moments of the inner product."""
        to = "" if self.symmetric else "target_"
        a = np.stack([one["invariants"] for one in left])[:, None]
        b = np.stack([one[f"{to}invariants"] for one in right])[None]
        return moments(a, b, int(np.sqrt(2 * left[0]["vector"].size)))


class Paired(Measure):
    """A measure that is computed pair by pair.  What it prepares has the item as first axis, unless it says more."""

    @abstractmethod
    def compare(self, a: Prepared, b: Prepared) -> float:
        """Compare two."""

    def block(
        self,
        left: Sequence[Prepared],
        right: Sequence[Prepared] | None = None,
        work: Work = FLOAT64,  # noqa: ARG002
    ) -> Array:
        """Compare all with all; where the measure is symmetric and they are the same, half of them."""
        if right is not None or not self.symmetric:
            others = left if right is None else right
            return np.array([[self.compare(a, b) for b in others] for a in left])
        scores = np.empty((len(left), len(left)))
        for i, a in enumerate(left):
            scores[i, i:] = scores[i:, i] = [self.compare(a, b) for b in left[i:]]
        return scores

    def permuted(self, prepared: Prepared, order: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
        """Reorder the items of everything."""
        return {name: values[order] for name, values in prepared.items()}


def checked(x: ArrayLike, name: str, measure: Measure | None = None) -> Array:
    """Give a representation as finite float64 ``(item, unit)``, or say why it is none.

    Integers, booleans and half precision are converted; axes after the item are flattened into units.

    Raises
    ------
    ShapeError
        No items or no units, one axis only, or fewer items than the measure needs.
    DataError
        Objects, text or complex numbers; NaN or infinite values.
    """
    array = np.asarray(x)
    if array.dtype.kind not in "biuf":
        what = {"O": "objects", "c": "complex numbers"}.get(array.dtype.kind, f"{array.dtype} values")
        remedy = "; give real and imaginary parts as units" if array.dtype.kind == "c" else ""
        raise DataError(f"{name} holds {what}, and a representation holds real numbers{remedy}")
    if array.ndim < 2 or not array.size:
        raise ShapeError(f"{name} must be (item, unit) with at least one of each, got shape {array.shape}")
    if measure and len(array) < measure.least_items:
        raise ShapeError(f"{measure.label} needs {measure.least_items} items, {name} has {len(array)}")
    flat = np.asarray(array.reshape(len(array), -1), dtype=np.float64)
    if not np.isfinite(flat).all():
        item, unit = np.argwhere(~np.isfinite(flat))[0]
        count = int(np.sum(~np.isfinite(flat)))
        raise DataError(f"{name} has {count} values that are not finite, the first at item {item}, unit {unit}")
    return flat


def unit_norm(matrix: NDArray[np.floating], scale: float) -> NDArray[np.floating]:
    """Divide by the Frobenius norm; NaN where nothing but rounding is left of numbers as large as ``scale``."""
    norm = float(np.sqrt(np.einsum("ij,ij->", matrix, matrix, dtype=np.float64)))
    tiny = np.finfo(matrix.dtype).eps * len(matrix) * scale
    return matrix / (norm if norm > tiny else np.nan)


def one_of(option: str, value: str, known: Iterable[str]) -> None:
    """Refuse a value that an option does not take."""
    if value not in known:
        raise UnknownName(option, value, known)


def _packed(matrix: NDArray[np.floating], work: Work, prefix: str) -> dict[str, NDArray[Any]]:
    found = {"vector": pack(matrix), "norm2": np.einsum("ij,ij->", matrix, matrix, dtype=np.float64)}
    if work.chance:
        found["invariants"] = invariants(matrix)
    return {f"{prefix}{name}": value for name, value in found.items()}


def _constant(a: Array, b: Array) -> str:
    for name, x in (("x", a), ("y", b)):
        if np.ptp(x, axis=0).max() == 0:
            return f"all {len(x)} items of {name} are the same"
    return "a representation does not vary in the way that it measures"


def _spoken(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(_spoken(one) for one in value)
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return str(getattr(value, "__name__", value))  # a function by its name, not by its address
