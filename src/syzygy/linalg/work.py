"""In which precision, and where, large products are computed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray

#: So many columns are multiplied in the working precision before their sum is added in float64.
COLUMNS: Final = 16384


@dataclass(frozen=True)
class Work:
    """How large products are computed.

    Attributes
    ----------
    dtype
        The working precision.  Sums over many columns are accumulated in float64 whatever it is.
    device
        A device of PyTorch, as in ``cuda``; by default NumPy does the work.
    chance
        Whether what the closed forms of chance need of each representation is prepared with it.
    """

    dtype: Literal["float32", "float64"] = "float64"
    device: str | None = None
    chance: bool = True

    def cast(self, array: NDArray[Any]) -> NDArray[np.floating]:
        """Give an array in the working precision."""
        return np.asarray(array, dtype=self.dtype)

    def product(self, left: NDArray[Any], right: NDArray[Any] | None = None) -> NDArray[np.floating]:
        """Multiply ``left (row, column)`` with the transpose of ``right (other row, column)``, in the precision.

        Without ``right``, ``left`` is multiplied with its own transpose, at half the cost.
        """
        a = self.cast(left)
        b = a if right is None else self.cast(right)
        if self.device is None:
            return np.asarray(a @ b.T)  # NumPy sees a matrix times its own transpose, and does half of it
        return np.asarray((self._there(a) @ self._there(b).T).cpu())

    def inner(self, left: Sequence[NDArray[Any]], right: Sequence[NDArray[Any]] | None = None) -> NDArray[np.float64]:
        """Give the inner products of vectors, ``(left, right)``, added up in float64.

        Parameters
        ----------
        left, right
            Vectors of one length; they may be memory-mapped, and are read in pieces, once.
        """
        total = np.zeros((len(left), len(left if right is None else right)))
        for start in range(0, len(left[0]), COLUMNS):
            piece = slice(start, start + COLUMNS)
            a = np.stack([self.cast(one[piece]) for one in left])
            total += self.product(a) if right is None else self.product(a, np.stack([one[piece] for one in right]))
        return total

    def singular_values(self, matrices: NDArray[Any]) -> NDArray[np.float64]:
        """Give the singular values of ``(matrix, row, column)``, falling, in float64."""
        if self.device is None:
            return np.asarray(np.linalg.svd(self.cast(matrices), compute_uv=False), dtype=np.float64)
        return np.asarray(torch.linalg.svdvals(self._there(self.cast(matrices))).cpu(), dtype=np.float64)

    def _there(self, array: NDArray[np.floating]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)


FLOAT64: Final = Work()
FLOAT32: Final = Work("float32")
