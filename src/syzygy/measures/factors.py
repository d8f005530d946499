"""Measures that are functions of the singular values of products of factors, for all pairs in batches."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from syzygy.linalg import FLOAT64, Work
from syzygy.measures.measure import Array, Measure, Prepared

#: What a batch of products may take, in bytes.
BATCH: Final = 2**26

#: Directions are left out that carry, together, no more than this share of a factor's norm.
NEGLIGIBLE: Final = {"float64": 1e-13, "float32": 5e-8}

#: What the sum of singular values may be off, as a share of the norms of both factors.
SLACK: Final = {"float64": 2e-12, "float32": 1e-8}


class Factors(Measure):
    """A measure that is a function of the sum of singular values of ``FᵀG``, for a factor ``(item, rank)`` of each.

    Factors are kept in the working precision, and multiplied and decomposed in float64: NumPy decomposes nothing else,
    and what is close to 1 loses half of its digits as an angle.
    """

    @abstractmethod
    def factor(self, x: Array) -> Array:
        """Give the factor of a representation, its columns orthogonal and falling; none if it does not vary."""

    @abstractmethod
    def score(self, values: Array, left: Array, right: Array, ranks: tuple[int, int]) -> Array:
        """Give the measure from singular values ``(…, rank)`` and the squared norms and ranks of both factors.

        Only the sum of the values is good to the last digits.
        """

    def prepare(self, x: Array, work: Work = FLOAT64) -> dict[str, NDArray[Any]]:
        """Keep the factor, without what is negligible; a column of NaN where there is nothing."""
        factor = self.factor(x)
        tail = np.sqrt(np.cumsum(np.square(factor).sum(axis=0)[::-1])[::-1])
        kept = work.cast(factor[:, : np.sum(tail > NEGLIGIBLE[work.dtype] * tail[:1])])
        if not kept.size:
            return {"factor": np.full((len(x), 1), np.nan, work.dtype), "norm2": np.array(np.nan)}
        return {"factor": kept, "norm2": np.asarray(np.sum(np.square(kept, dtype=np.float64)))}

    def block(self, left: Sequence[Prepared], right: Sequence[Prepared] | None = None, work: Work = FLOAT64) -> Array:
        """Decompose the products of all with all, in batches of one shape; without ``right``, half of them."""
        others, exact = left if right is None else right, replace(work, dtype="float64")
        norms = np.array([one["norm2"] for one in left]), np.array([one["norm2"] for one in others])
        scores = np.full((len(left), len(others)), np.nan)
        for chunk in _of_one_rank(others):
            together = np.concatenate([others[j]["factor"] for j in chunk], axis=1, dtype=np.float64)
            size = together.shape[1] // len(chunk)
            for i in np.flatnonzero(np.isfinite(norms[0])).tolist():
                first = int(np.searchsorted(chunk, i)) if right is None else 0
                if first < len(chunk):
                    factor = left[i]["factor"]
                    products = exact.product(factor.T, together[:, first * size :].T)
                    batch = products.reshape(factor.shape[1], -1, size).transpose(1, 0, 2)
                    to = chunk[first:]
                    within = SLACK[work.dtype] * np.sqrt(norms[0][i] * norms[1][to].min())
                    values = exact.singular_values(batch, float(within))
                    scores[i, to] = self.score(values, norms[0][i], norms[1][to], (factor.shape[1], size))
        return scores if right is not None else np.where(np.tri(len(left), k=-1, dtype=bool), scores.T, scores)

    def permuted(self, prepared: Prepared, order: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
        """Reorder the items of the factor."""
        return dict(prepared) | {"factor": prepared["factor"][order]}


def _of_one_rank(some: Sequence[Prepared]) -> Iterator[NDArray[np.intp]]:
    """Give the places of factors of one rank, in groups whose products with one factor take no more than a batch."""
    ranks = np.array([one["factor"].shape[1] if np.isfinite(one["norm2"]) else 0 for one in some])
    for rank in np.unique(ranks[ranks > 0]):
        places = np.flatnonzero(ranks == rank)
        at_once = max(1, BATCH // (8 * rank * (len(some[0]["factor"]) + int(ranks.max()))))
        yield from (places[start : start + at_once] for start in range(0, len(places), at_once))
