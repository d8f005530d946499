"""Linear kernels where items outnumber units: all pairs from the covariances of units, in one pass over the items.

The inner product of two linear kernels is the squared norm of the units' covariances, so that no ``(item, item)``
matrix is needed, and items may arrive in chunks.  Debiased, it needs of every item its squared length, no more.
Derived in ``docs/measures/kernels.md``.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.errors import ShapeError, SpecificationError
from syzygy.linalg import FLOAT64, Work
from syzygy.measures.kernels import ESTIMATORS, Estimator
from syzygy.measures.measure import Array, checked, one_of

#: So many items are multiplied in the working precision before their sum is added in float64.
ROWS: Final = 4096


class LinearKernels:
    """Inner products of the centred linear kernels of several representations, gathered over chunks of items.

    Parameters
    ----------
    widths
        Units of each representation.
    items
        How many there will be; with fewer nothing is answered.
    work
        In which precision, and where, units are multiplied.  Sums over chunks are added up in float64.

    Raises
    ------
    SpecificationError
        No representation, or a width below 1.

    Notes
    -----
    The memory is 8·P² bytes for P units of all representations together.  Items are shifted by the mean of the first
    chunk while they are added up, and by what is left of their mean at the end, so that no digits are lost to a mean
    that is large beside the spread.

    Examples
    --------
    >>> import numpy as np
    >>> from syzygy.measures import cka
    >>> draw = np.random.default_rng(0)
    >>> x, y = draw.normal(size=(300, 3)), draw.normal(size=(300, 5))
    >>> kernels = LinearKernels([3, 5], items=300)
    >>> for start in range(0, 300, 100):
    ...     kernels.update([x[start : start + 100], y[start : start + 100]])
    >>> bool(np.isclose(kernels.scores("debiased")[0, 1], cka(x, y)))
    True
    """

    def __init__(self, widths: Sequence[int], items: int, work: Work = FLOAT64):
        if not widths or min(widths) < 1:
            raise SpecificationError(f"every representation has at least one unit, got widths {list(widths)}")
        self.widths, self.items, self.work, self.seen = tuple(widths), items, work, 0
        ends = np.cumsum(self.widths)
        self._places = [slice(end - width, end) for end, width in zip(ends, self.widths, strict=True)]
        units, some = int(ends[-1]), len(self.widths)
        self._starts: NDArray[np.intp] = np.asarray(ends - self.widths, dtype=np.intp)
        self._shift: Array | None = None
        self._sums, self._products = np.zeros(units), np.zeros((units, units))
        # Of the squared length of every item: its sum, its products, and the sums of items that it weighs.
        self._lengths, self._squares, self._weighted = np.zeros(some), np.zeros((some, some)), np.zeros((some, units))

    def update(self, chunk: Sequence[ArrayLike]) -> None:
        """Add the next items of all representations, each ``(item, unit)``.

        Raises
        ------
        ShapeError
            Not as many representations as there are widths, other widths, or different numbers of items.
        DataError
            As :func:`~syzygy.measures.measure.checked`.
        """
        rows = [checked(x, f"representation {place}") for place, x in enumerate(chunk)]
        if tuple(x.shape[1] for x in rows) != self.widths or len({len(x) for x in rows}) != 1:
            shapes = [x.shape for x in rows]
            raise ShapeError(f"a chunk has the same items of representations of widths {self.widths}, got {shapes}")
        joined = np.concatenate(rows, axis=1)
        if self._shift is None:
            self._shift = joined.mean(axis=0)
        joined -= self._shift
        self.seen += len(joined)
        for start in range(0, len(joined), ROWS):
            self._add(joined[start : start + ROWS])

    def inner(self, estimator: Estimator = "debiased") -> Array:
        """Give the inner products of all kernels, ``(representation, other representation)``.

        Of the kernels centred in both directions (``biased``), or U-centred (``debiased``).

        Raises
        ------
        ShapeError
            Not all items have been seen, or fewer than four of them are to be debiased.
        """
        one_of("estimator", estimator, ESTIMATORS)
        if self.seen != self.items:
            raise ShapeError(f"{self.seen} items were given, and {self.items} were announced")
        n, mean = self.items, self._sums / self.items
        covariances = np.zeros_like(self._squares)
        for place, mine in enumerate(self._places):
            block = self._products[mine] - n * np.outer(mean[mine], mean)
            covariances[place] = np.add.reduceat(np.einsum("ij,ij->j", block, block), self._starts)
        if estimator == "biased":
            return covariances
        if n < 4:
            raise ShapeError(f"to debias needs 4 items, got {n}")
        traces, products = self._diagonals(mean)
        ones = np.outer(traces, traces) / ((n - 1) * (n - 2))
        return np.asarray(covariances - products * n / (n - 2) + ones)

    def scores(self, estimator: Estimator = "debiased") -> Array:
        """Give the linear CKA of all pairs; NaN where a representation is constant.

        Raises
        ------
        ShapeError
            As :meth:`inner`.
        """
        inner = self.inner(estimator)
        own = np.diag(inner)
        # What a constant representation leaves is the rounding of its products, and of the lengths of its items.
        tiny = 256 * (np.finfo(self.work.dtype).eps ** 2 + np.finfo(np.float64).eps) * self._lengths**2
        norms = np.sqrt(np.where(own > tiny, own, np.nan))
        return np.asarray(inner / norms[:, None] / norms)

    def _add(self, rows: Array) -> None:
        self._sums += rows.sum(axis=0)
        self._products += self.work.product(np.ascontiguousarray(rows.T))
        lengths = np.add.reduceat(rows**2, self._starts, axis=1)
        self._lengths += lengths.sum(axis=0)
        self._squares += lengths.T @ lengths
        self._weighted += lengths.T @ rows

    def _diagonals(self, mean: Array) -> tuple[NDArray[np.float64], Array]:
        """Give the trace of every kernel, and the inner products of their diagonals.

        The diagonal is |z − m|² = |z|² − 2 z·m + |m|², with z the shifted items and m what is left of their mean.
        """
        n, some = self.items, len(self.widths)
        means = np.zeros((some, len(mean)))  # of one representation each, zero elsewhere
        for place, mine in enumerate(self._places):
            means[place, mine] = mean[mine]
        lengths = np.add.reduceat(mean**2, self._starts)
        crossed = np.outer(self._lengths, lengths) - 2 * self._weighted @ means.T
        products = self._squares + crossed + crossed.T
        products += 4 * means @ self._products @ means.T - 3 * n * np.outer(lengths, lengths)
        return self._lengths - n * lengths, products
