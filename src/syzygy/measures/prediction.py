"""How well one representation predicts another, linearly: ridge regression on items that it has not seen.

Derived in ``docs/measures/prediction.md``.  What regression from x misses of any y is a matrix of items that does not
know y, so that R² of every pair is an inner product.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.errors import SpecificationError
from syzygy.linalg import FLOAT64, Work, centred, pack, unpack
from syzygy.linalg.ridge import Folds, missed, split
from syzygy.measures.left_out import in_order, nested, squares, standardised, target
from syzygy.measures.measure import Array, Inner, Invariance, Measure, Prepared, one_of

Score = Literal["r2", "pearson"]
Order = Literal["shuffled", "contiguous"]

#: So many units are predicted at once.
AT_ONCE = 4096


@dataclass(frozen=True)
class LinearPredictivity(Measure):
    """Ridge regression from the first to the second: R² over all units, or the mean correlation of a unit."""

    # With one penalty and R² it is an Explained, all pairs of which are one matrix product.  Here are the others: a
    # penalty chosen for each pair and fold by cross-validation on the other folds alone, and correlations.

    name: ClassVar[str] = "linear_predictivity"
    about: ClassVar[str] = "ridge regression from one to the other, cross-validated"
    reference: ClassVar[str] = "Hoerl & Kennard 1970; left-out residuals: Allen 1974"

    penalty: float | tuple[float, ...] = 1.0
    folds: int = 5
    score: Score = "r2"
    order: Order = "shuffled"
    seed: int = 0

    def __new__(cls, penalty: float | tuple[float, ...] = 1.0, folds: int = 5, score: Score = "r2",  # noqa: ARG004
                order: Order = "shuffled", seed: int = 0) -> Self:  # noqa: ARG004  # fmt: skip
        """Choose the form that computes it fastest."""
        fast = cls is LinearPredictivity and score == "r2" and not isinstance(penalty, tuple)
        return object.__new__(Explained if fast else cls)  # type: ignore[return-value]

    def __getnewargs__(self) -> tuple[object, ...]:
        """Say of which options a copy is made."""
        return tuple(getattr(self, one.name) for one in fields(self))

    def __post_init__(self) -> None:
        one_of("score", self.score, get_args(Score))
        one_of("order", self.order, get_args(Order))
        if not self.penalties or not all(0 < one < np.inf for one in self.penalties):
            raise SpecificationError(f"a penalty must be positive and finite, got {self.penalty}")
        if self.folds < 0 or self.folds == 1:
            raise SpecificationError(
                f"folds must be at least 2, or 0 to leave out one item at a time, got {self.folds}"
            )
        if self.chosen and not self.folds:
            raise SpecificationError("a penalty is chosen within folds: give at least 2 folds, or one penalty")

    @property
    def symmetric(self) -> bool:
        """The first predicts the second."""
        return False

    @property
    def penalties(self) -> tuple[float, ...]:
        """All that there are."""
        return self.penalty if isinstance(self.penalty, tuple) else (self.penalty,)

    @property
    def chosen(self) -> bool:
        """Whether there is a choice."""
        return len(self.penalties) > 1

    @property
    def invariances(self) -> frozenset[Invariance]:
        """The penalty grows with the variance; a correlation is of a unit, whatever its scale."""
        shared: frozenset[Invariance] = frozenset({"translation", "scale", "permutation"})
        return shared | {"orthogonal"} if self.score == "r2" else shared

    @property
    def range(self) -> tuple[float, float]:
        """Predictions can be worse than the mean."""
        return (-np.inf, 1.0) if self.score == "r2" else (-1.0, 1.0)

    @property
    def luck(self) -> str:
        """Nothing is learned, and what is fitted to noise costs."""
        return "below 0: what is fitted to noise costs"

    @property
    def least_items(self) -> int:
        """Every fold has an item; so does every fold of the others, where a penalty is chosen on them."""
        return max(3, self.folds + 2 if self.chosen else self.folds)

    def prepare(self, x: Array, work: Work = FLOAT64) -> dict[str, NDArray[Any]]:
        """Keep what regression from x misses, and x as a target."""
        folds = self.cut(len(x))
        found: dict[str, NDArray[Any]] = {"order": np.arange(len(x)), "target": pack(target(x, work))}
        maps = missed(x, folds, self.penalties, work.dtype)
        if self.score == "pearson":
            found |= {"maps": maps, "units": work.cast(standardised(x))}
        else:
            found["outer"] = squares(maps, folds)
        if self.chosen:
            found["inner"] = nested(x, folds, self.cut, self.penalties, work)
        return found

    def block(self, left: Sequence[Prepared], right: Sequence[Prepared] | None = None, work: Work = FLOAT64) -> Array:
        """Choose the penalties of all pairs, and compare."""
        mine, others = [in_order(one) for one in left], left if right is None else right
        best = self._best(mine, others, work)
        if self.score == "pearson":
            return np.stack([self._correlations(one, others, to, work) for one, to in zip(mine, best, strict=True)])
        lost = self._products("outer", mine, others, work)
        return np.asarray(1 - np.take_along_axis(lost, best[:, :, None], axis=2).sum(axis=(1, 2)))

    def permuted(self, prepared: Prepared, order: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
        """Reorder the target at once, and what predicts when it is needed; folds go with their items."""
        moved = {"target": pack(unpack(prepared["target"])[np.ix_(order, order)])}
        moved |= {name: prepared[name][order] for name in ("units", "order") if name in prepared}
        return dict(prepared) | moved

    def cut(self, items: int) -> Folds:
        """Give the folds of so many items."""
        return split(items, self.folds, self.seed if self.order == "shuffled" else None)

    def _best(self, left: Sequence[Prepared], right: Sequence[Prepared], work: Work) -> NDArray[np.intp]:
        """Give the place of the penalty with the least error within the other folds, ``(left, fold, right)``."""
        if not self.chosen:
            return np.zeros((len(left), self.folds or len(left[0]["order"]), len(right)), dtype=np.intp)
        return np.asarray(self._products("inner", left, right, work).argmin(axis=2))

    def _products(self, name: str, left: Sequence[Prepared], right: Sequence[Prepared], work: Work) -> Array:
        """Give squared errors, ``(left, fold, penalty, right)``."""
        inner = work.inner([row for one in left for row in one[name]], [one["target"] for one in right])
        return inner.reshape(len(left), -1, len(self.penalties), len(right))

    def _correlations(self, one: Prepared, right: Sequence[Prepared], best: NDArray[np.intp], work: Work) -> Array:
        """Give the mean correlation of units predicted from one, ``(right,)``; ``best`` is ``(fold, right)``."""
        found, start, items = np.empty(len(right)), 0, len(one["order"])
        place = np.empty(items, dtype=np.intp)
        for fold, members in enumerate(self.cut(items)):
            place[members] = fold
        place = place[one["order"]]
        while start < len(right):
            stop = start + 1 + int(np.sum(np.cumsum([y["units"].shape[1] for y in right[start:]])[1:] <= AT_ONCE))
            widths = np.array([y["units"].shape[1] for y in right[start:stop]])
            y = np.concatenate([y["units"] for y in right[start:stop]], axis=1)
            errors = work.product(one["maps"].reshape(-1, items), y.T)
            errors = errors.reshape(len(self.penalties), items, y.shape[1])
            chosen = np.repeat(best[place, start:stop], widths, axis=1)
            guess = centred(y - np.take_along_axis(errors, chosen[None], axis=0)[0])
            sizes = np.linalg.norm(guess, axis=0)
            correlation = np.sum(guess * y, axis=0, dtype=np.float64) / np.where(sizes > 0, sizes, 1)
            which = np.repeat(np.arange(stop - start), widths)
            with np.errstate(invalid="ignore"):
                found[start:stop] = np.bincount(which, correlation, stop - start) / widths
            start = stop
        return found


@dataclass(frozen=True)
class Explained(Inner, LinearPredictivity):
    """R² at one penalty: 1 less the inner product of what x misses with the Gram matrix of y."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.score != "r2" or self.chosen:
            raise SpecificationError("Explained is R² at one penalty; for others make a LinearPredictivity")

    def matrix(self, x: Array, work: Work) -> NDArray[np.floating]:
        """Give what is missed, with its sign turned, so that the measure rises with the inner product."""
        (lost,) = missed(x, self.cut(len(x)), self.penalties, work.dtype)
        return -work.product(lost.T)

    def target(self, y: Array, work: Work) -> NDArray[np.floating]:
        """Give the centred Gram matrix, its trace one."""
        return target(y, work)

    def scored(self, inner: Array, left: Sequence[Prepared], right: Sequence[Prepared] | None = None) -> Array:  # noqa: ARG002
        """Take from one what is missed."""
        return 1 + inner


def linear_predictivity(
    x: ArrayLike,
    y: ArrayLike,
    *,
    penalty: float | tuple[float, ...] = 1.0,
    folds: int = 5,
    score: Score = "r2",
    order: Order = "shuffled",
    seed: int = 0,
) -> float:
    """Give how well ridge regression from x predicts y on items that it has not seen.

    Parameters
    ----------
    x, y
        ``(item, unit)``, of any widths.
    penalty
        In units of the variance of the training items, summed over units, which is the mean eigenvalue of their
        centred ``(item, item)`` Gram matrix.  Of several, that with the least squared error in a cross-validation
        within the training items is taken, for each fold anew.
    folds
        How many; 0 leaves out one item at a time.
    score
        ``r2``: 1 less the squared errors of all units over their squared distance from the mean of all items, which is
        scikit-learn's variance-weighted R² of all predictions together; ``pearson``: mean over units of the
        correlation of all predictions with the truth.
    order
        Which items are a fold: ``shuffled`` by the seed, or ``contiguous`` in their order.
    seed
        Of the shuffle.

    Returns
    -------
    float
        At most 1; below 0 where the mean predicts better.  Units of y that are constant do not count.

    Raises
    ------
    ShapeError, DataError
        As :meth:`Measure.__call__`.
    SpecificationError
        A penalty that is not positive, one fold, or several penalties without folds.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(50, 8))
    >>> round(linear_predictivity(x, x[:, :2] @ [[1.0, 2.0, 3.0], [0.0, 1.0, 1.0]], penalty=1e-6), 6)
    1.0
    """
    return LinearPredictivity(penalty, folds, score, order, seed)(x, y)
