"""Linear kernels where items outnumber units: no matrix of items is ever made."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from syzygy.chance import Moments, moments
from syzygy.chance.features import feature_invariants
from syzygy.linalg import FLOAT64, Work, centred
from syzygy.measures import CKA, RV, Measure
from syzygy.measures.feature_space import LinearKernels
from syzygy.measures.kernels import Estimator
from syzygy.measures.measure import Array, Invariance, Prepared

#: So many items are read of every representation at once.
CHUNK: Final = 4096


@dataclass(frozen=True)
class LinearRows(Measure):
    """A measure of linear kernels, computed from the covariances of units.

    Attributes
    ----------
    of
        The measure: :class:`~syzygy.measures.CKA` or :class:`~syzygy.measures.RV`.
    """

    name: ClassVar[str] = "linear_rows"
    about: ClassVar[str] = "cosine of linear kernels, from the covariances of units"
    reference: ClassVar[str] = "Kornblith et al. 2019"

    of: Measure

    @property
    def estimator(self) -> Estimator:
        """Of the inner products."""
        return "debiased" if getattr(self.of, "estimator", "") == "debiased" else "biased"

    @property
    def label(self) -> str:
        """That of the measure."""
        return self.of.label

    @property
    def invariances(self) -> frozenset[Invariance]:
        """Those of the measure."""
        return self.of.invariances

    @property
    def luck(self) -> str:
        """That of the measure."""
        return self.of.luck

    @property
    def least_items(self) -> int:
        """As many as the measure."""
        return self.of.least_items

    def prepare(self, x: Array, work: Work = FLOAT64) -> dict[str, NDArray[Any]]:
        """Keep the items themselves, and what chance needs of their kernel."""
        rows = np.asarray(centred(x), dtype=np.float64)
        if np.abs(rows).max() <= np.finfo(np.float64).eps * len(x) * np.abs(x).max():
            rows = np.zeros_like(rows)  # nothing but rounding
        found = {"rows": work.cast(rows)}
        return found | {"invariants": self._invariants(rows)} if work.chance else found

    def block(self, left: Sequence[Prepared], right: Sequence[Prepared] | None = None, work: Work = FLOAT64) -> Array:
        """Gather the covariances of all units, chunk by chunk."""
        rows = [one["rows"] for one in (*left, *(right or ()))]
        items = len(rows[0])
        kernels = LinearKernels([one.shape[1] for one in rows], items, work)
        for start in range(0, items, CHUNK):
            kernels.update([one[start : start + CHUNK] for one in rows])
        scores = kernels.scores(self.estimator)
        return scores[: len(left), len(left) if right is not None else 0 :]

    def permuted(self, prepared: Prepared, order: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
        """Reorder the items; what chance needs stays."""
        return dict(prepared) | {"rows": prepared["rows"][order]}

    def chance(self, left: Sequence[Prepared], right: Sequence[Prepared]) -> Moments:
        """Give the moments of the cosine; without skewness where that would need too many products of units."""
        a, b = (np.stack([one["invariants"] for one in some]) for some in (left, right))
        found = moments(a[:, None], b[None], len(left[0]["rows"]))
        open_ = np.isnan(a[:, None, 6:]).any(axis=-1) | np.isnan(b[None, :, 6:]).any(axis=-1)
        return Moments(found.mean, found.spread, np.where(open_, 0.0, found.skewness))

    def _invariants(self, x: Array) -> Array:
        """Give what chance needs of the kernel of norm one; x has no mean."""
        n, ones = len(x), np.ones((len(x), 1))
        d = np.einsum("ij,ij->i", x, x)
        trace = d.sum()
        if self.estimator == "biased":
            rest, width = -trace / (n * (n - 1)), x.shape[1]
            form = np.diag([*np.ones(width), -rest])
            norm = np.linalg.norm(x.T @ x)
            found = feature_invariants(np.hstack([x, ones]), form, d - trace / n)
            found[:2] = trace / n - rest, rest
        else:
            form = np.eye(x.shape[1] + 2)
            form[-2:, -2:] = [[0, 1 / (n - 2)], [1 / (n - 2), -trace / ((n - 1) * (n - 2))]]
            found = feature_invariants(np.hstack([x, d[:, None], ones]), form, np.zeros(n))
            norm = np.sqrt(found[4])
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(found / norm ** np.repeat([1, 2, 3], [2, 4, 11]))


def in_feature_space(one: Measure, items: int, units: int, fits: bool) -> Measure:
    """Give the form in which a measure is computed: from covariances if that is less work, or all that fits."""
    linear = (isinstance(one, CKA) and one.kernel == "linear") or (isinstance(one, RV) and one.estimator == "biased")
    return LinearRows(one) if linear and (items > 2 * units**2 or not fits) else one
