"""Centred kernel alignment of representations that arrive batch by batch."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from syzygy.axes import OTHER_REPRESENTATION, REPRESENTATION
from syzygy.errors import ShapeError, SpecificationError
from syzygy.linalg import FLOAT64, Work, centred, pack, u_centred
from syzygy.measures.kernels import Kernel, own_kernel
from syzygy.measures.measure import Array, checked, one_of


class MinibatchCKA:
    """Debiased CKA of all pairs of representations, from batches of items that are forgotten once they are added.

    The unbiased estimates of the Hilbert–Schmidt independence criterion are averaged over batches, weighted by their
    items, and divided at the end (Nguyen, Raghu & Kornblith 2021).  Each is right on average whatever the size of its
    batch, so that batches may be small and need not be equal; averages of the biased estimate are not.

    Parameters
    ----------
    kernel
        ``linear``, or a function from ``(item, unit)`` to a symmetric ``(item, item)`` that is the same for every
        batch.  (A bandwidth that follows the median of its batch is not; therefore there is no ``rbf``.)
    work
        In which precision, and where, products are computed.

    Raises
    ------
    UnknownName
        No such kernel.

    Examples
    --------
    >>> import numpy as np
    >>> draw, total = np.random.default_rng(0), MinibatchCKA()
    >>> for _ in range(100):
    ...     x = draw.normal(size=(16, 8))
    ...     total.update({"x": x, "rotated": x[:, ::-1], "other": draw.normal(size=(16, 8))})
    >>> total.scores().sel({"representation": "x"}).values.round(1).tolist()
    [1.0, 1.0, 0.0]
    """

    def __init__(self, kernel: Literal["linear"] | Kernel = "linear", work: Work = FLOAT64):
        if not callable(kernel):
            one_of("kernel", kernel, ("linear",))
        self.kernel, self.work, self.items = kernel, work, 0
        self.names: tuple[str, ...] = ()

    def update(self, batch: Mapping[str, ArrayLike]) -> None:
        """Add a batch of the same items of every representation, each ``(item, unit)``.

        Raises
        ------
        SpecificationError
            Other names than in the batches before, or none.
        ShapeError
            Fewer than four items, or different numbers of them.
        DataError
            As :func:`~syzygy.measures.measure.checked`.
        """
        if not batch or (self.names and set(batch) != set(self.names)):
            known = f"; the batches before hold {', '.join(self.names)}" if self.names else ""
            raise SpecificationError(
                f"every batch holds the same representations, got {', '.join(batch) or 'none'}{known}"
            )
        names = self.names or tuple(batch)
        rows = [checked(batch[name], name) for name in names]
        sizes = {len(x) for x in rows}
        if len(sizes) != 1 or min(sizes) < 4:
            counts = ", ".join(f"{name}: {len(x)}" for name, x in zip(names, rows, strict=True))
            raise ShapeError(f"a batch holds the same items of every representation, at least 4; got {counts}")
        if not self.names:
            self._total, self._rounding = np.zeros((len(rows), len(rows))), np.zeros(len(rows))
        n, grams = len(rows[0]), [self._gram(x) for x in rows]
        weight = 1 / (n - 3)  # of n(n − 3) estimates, times n items
        self._total += weight * self.work.inner([pack(u_centred(gram)) for gram in grams])
        largest = np.array([np.abs(gram).max() for gram in grams], dtype=np.float64)
        self._rounding += weight * (n * np.finfo(grams[0].dtype).eps * largest) ** 2
        self.names, self.items = names, self.items + n

    def hsic(self) -> xr.DataArray:
        """Give the unbiased estimates themselves, ``(representation, other representation)``.

        Raises
        ------
        SpecificationError
            There was no batch.
        """
        if not self.names:
            raise SpecificationError("there is nothing to compare; give at least one batch")
        return self._labelled(self._total / self.items)

    def scores(self) -> xr.DataArray:
        """Give the debiased CKA of all pairs so far; NaN where a representation does not vary.

        Raises
        ------
        SpecificationError
            There was no batch.
        """
        hsic = self.hsic().values
        own = np.diag(hsic)
        norms = np.sqrt(np.where(own * self.items > self._rounding, own, np.nan))
        return self._labelled(hsic / norms[:, None] / norms)

    def _gram(self, x: Array) -> NDArray[np.floating]:
        if callable(self.kernel):
            return own_kernel(self.kernel, x, self.work)
        return self.work.product(centred(x))

    def _labelled(self, values: Array) -> xr.DataArray:
        names = list(self.names)
        coords = {REPRESENTATION: names, OTHER_REPRESENTATION: names}
        return xr.DataArray(values, coords=coords, dims=(REPRESENTATION, OTHER_REPRESENTATION))
