"""Units matched with units: how alike single units are, not the spaces that they span."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from syzygy.errors import SpecificationError
from syzygy.linalg import FLOAT64, Work
from syzygy.measures.directions import rounding, scaled
from syzygy.measures.measure import Array, Invariance, Paired, Prepared, one_of
from syzygy.measures.transport import transport

Form = Literal["correlation", "distance"]
Assignment = Literal["bipartite", "best"]


class _Matching(Paired):
    """Measures of matched units: the mean correlation, or the root of the mean squared distance."""

    form: Form

    def __post_init__(self) -> None:
        one_of("form", self.form, get_args(Form))

    @property
    def kind(self) -> Literal["similarity", "distance"]:
        """By form."""
        return "distance" if self.form == "distance" else "similarity"

    @property
    def invariances(self) -> frozenset[Invariance]:
        """Correlations know no scale of a unit."""
        found: frozenset[Invariance] = frozenset({"translation", "scale", "permutation"})
        return found | {"unit_scale"} if self.form == "correlation" else found

    @property
    def range(self) -> tuple[float, float]:
        """Units may be matched with their opposites."""
        return (0.0, np.inf) if self.form == "distance" else (-1.0, 1.0)

    @property
    def luck(self) -> str:
        """No closed form."""
        return "above 0: the best of many matches; below the distance of unmatched units"

    def prepare(self, x: Array, work: Work = FLOAT64) -> dict[str, NDArray[Any]]:
        """Give units the norm one, each or (distance) in the mean square; constant units stay zero."""
        units = scaled(x)
        norms = np.linalg.norm(units, axis=0)
        varies = norms > rounding(x)
        units, norms = units * varies, np.where(varies, norms, 1)
        if not varies.any():
            return {"units": np.full_like(units, np.nan, dtype=work.dtype)}
        if self.form == "distance":
            norms = np.linalg.norm(units) / np.sqrt(x.shape[1])
        return {"units": work.cast(units / norms)}

    def compare(self, a: Prepared, b: Prepared) -> float:
        """Find the best plan, and what it gives; NaN if all units of one are constant."""
        one, other = (np.asarray(p["units"], dtype=np.float64) for p in (a, b))
        if not (np.isfinite(one).all() and np.isfinite(other).all()):
            return float("nan")
        gain = one.T @ other
        if self.form == "distance":
            gain = 2 * gain - np.square(one).sum(axis=0)[:, None] - np.square(other).sum(axis=0)
        rows, columns, masses = self.matched(gain)
        if self.form == "correlation":
            return float(gain[rows, columns] @ masses)
        # From what is left between units, for a difference of norms and products of like ones is rounding.
        return float(np.sqrt(np.square(one[:, rows] - other[:, columns]).sum(axis=0) @ masses))

    def matched(self, gain: Array) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
        """Give matched units, and the mass of each match, with the largest mean gain ``(unit, other unit)``."""
        raise NotImplementedError


@dataclass(frozen=True)
class PermutationMatching(_Matching):
    """Every unit of the narrower representation matched with another one of the wider."""

    name: ClassVar[str] = "permutation_matching"
    about: ClassVar[str] = "mean correlation of units matched one to one"
    reference: ClassVar[str] = "Li et al. 2015; Williams et al. 2021"

    form: Form = "correlation"
    assignment: Assignment = "bipartite"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("assignment", self.assignment, get_args(Assignment))
        if (self.form, self.assignment) == ("distance", "best"):
            raise SpecificationError("the best match of each unit is by correlation; give form=correlation")

    @property
    def symmetric(self) -> bool:
        """The best match of each unit is of those of the first."""
        return self.assignment == "bipartite"

    @property
    def alias(self) -> str | None:
        """As there."""
        return "hard_correlation_match" if self.label == self.name else None

    def matched(self, gain: Array) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
        """Match one to one, or each unit of the first with the one that is most like it."""
        if self.assignment == "best":
            rows, columns = np.arange(len(gain)), gain.argmax(axis=1)
        else:
            rows, columns = linear_sum_assignment(gain, maximize=True)
        return rows, columns, np.full(len(rows), 1 / len(rows))


@dataclass(frozen=True)
class SoftMatching(_Matching):
    """Units of two representations of any widths matched in parts, every unit as much as the others."""

    name: ClassVar[str] = "soft_matching"
    about: ClassVar[str] = "mean correlation of units matched in parts"
    reference: ClassVar[str] = "Khosla & Williams 2024"

    form: Form = "correlation"

    @property
    def metric(self) -> bool:
        """The distance is a Wasserstein distance of clouds of units."""
        return self.form == "distance"

    @property
    def range(self) -> tuple[float, float]:
        """Clouds of mean square one."""
        return (0.0, 2.0) if self.form == "distance" else (-1.0, 1.0)

    def matched(self, gain: Array) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
        """Carry every unit's mass to the others; at most p + q − 1 matches carry any."""
        plan = transport(-gain)
        rows, columns = np.nonzero(plan > 0)
        return rows, columns, plan[rows, columns]


def permutation_matching(
    x: ArrayLike, y: ArrayLike, *, form: Form = "correlation", assignment: Assignment = "bipartite"
) -> float:
    """Give how alike units of two representations of the same items are when they are matched one to one.

    Every unit of the narrower one has its own among those of the wider; what is left of the wider does not count.
    A constant unit has correlation 0 with all others.

    Parameters
    ----------
    x, y
        ``(item, unit)``, of any widths.
    form
        ``correlation``: the mean of those of matched units; ``distance``: the root of their mean squared distance, with
        units centred and all of a representation divided by the root mean square of their norms.
    assignment
        ``bipartite``: one to one, the largest sum; ``best``: each unit of ``x`` with the unit of ``y`` that is most
        like it, which may be the same for many (by correlation; not symmetric).  The gap between the two says how many
        units are alike (Li et al. 2015).

    Returns
    -------
    float
        1 (as a distance, 0) for representations that differ by the order of units, a shift and a factor.

    Raises
    ------
    UnknownName
        No such form or assignment.
    SpecificationError
        A distance of best matches.
    ShapeError, DataError
        As :meth:`Measure.__call__`.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.random.default_rng(0).normal(size=(2, 50, 8))
    >>> round(permutation_matching(x, x[:, ::-1]), 12)
    1.0
    >>> bool(permutation_matching(x, y) <= permutation_matching(x, y, assignment="best"))
    True
    """
    return PermutationMatching(form, assignment)(x, y)


def soft_matching(x: ArrayLike, y: ArrayLike, *, form: Form = "correlation") -> float:
    """Give how alike units of two representations of the same items are when they are matched in parts.

    Every unit of ``x`` has the mass 1/p, every unit of ``y`` takes 1/q, and mass is carried between like units: the
    optimal transport of Khosla & Williams (2024).  For equal widths it is :func:`permutation_matching`.

    Parameters
    ----------
    x, y
        ``(item, unit)``, of any widths.
    form
        ``correlation``: the mean over the mass, largest; ``distance``: the root of the mean squared distance, least,
        with units centred and all of a representation divided by the root mean square of their norms.

    Returns
    -------
    float
        1 (as a distance, 0) for representations that differ by the order of units, a shift and a factor, or in that
        each unit is there several times.

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
    >>> round(soft_matching(x, np.hstack([x, x])), 12)
    1.0
    """
    return SoftMatching(form)(x, y)
