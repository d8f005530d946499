"""In which precision, and where, large products are computed."""

import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray

#: So many columns are multiplied in the working precision before their sum is added in float64.
COLUMNS: Final = 32768

#: Products of a matrix with its own transpose are halved down to so many rows; smaller ones cost more than they save.
ROWS: Final = 256

#: The working precisions.
Precision = Literal["float32", "float64"]


@dataclass(frozen=True)
class Work:
    """How large products are computed.

    Attributes
    ----------
    dtype
        The working precision.  Sums over many columns are accumulated in float64 whatever it is.
    device
        A device of PyTorch, as in ``cuda``; by default the processor.
    chance
        Whether what the closed forms of chance need of each representation is prepared with it.
    """

    dtype: Precision = "float64"
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
        total = torch.zeros((len(left), len(left if right is None else right)), dtype=torch.float64, device=self.device)
        for start in range(0, len(left[0]), COLUMNS):
            piece = self._moved(self._piece(left, start))
            if right is None:
                _add_square(total, piece)
            else:
                total += piece @ self._moved(self._piece(right, start)).T
        if right is None:
            total = total.triu() + total.triu(1).T
        return np.asarray(total.cpu())

    def singular_values(self, matrices: NDArray[Any], within: float = 0.0) -> NDArray[np.float64]:
        """Give the singular values of ``(matrix, row, column)``, falling, in float64.

        Parameters
        ----------
        matrices
            ``(matrix, row, column)``.
        within
            How far their sum may be off.  Above 0, they are roots of eigenvalues of the square wherever that is good
            enough, which takes half the time; small ones have lost digits.  If it is not good enough for the first
            matrix, it is not tried on the others.
        """
        if within > 0:
            values, off = self._roots(matrices[:1])
            if off[0] <= within:
                values, off = self._roots(matrices)
                for index in np.flatnonzero(off > within):
                    values[index] = self.singular_values(matrices[index : index + 1])[0]
                return values
        if self.device is None:
            return np.asarray(np.linalg.svd(self.cast(matrices), compute_uv=False), dtype=np.float64)
        return np.asarray(torch.linalg.svdvals(self._there(self.cast(matrices))).cpu(), dtype=np.float64)

    def _roots(self, matrices: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give singular values as roots of eigenvalues λ of the square, and a bound on what their sum is off.

        Always in float64.  Rounding moves an eigenvalue by about ε λ_max at most (LAPACK Users' Guide); with δ four
        times that, to be safe, its root moves by δ/√λ or √δ, whichever is less.
        """
        wide = np.asarray(matrices, dtype=np.float64)
        wide = wide if wide.shape[1] <= wide.shape[2] else wide.transpose(0, 2, 1)
        if self.device is None:
            squares = np.linalg.eigvalsh(wide @ wide.transpose(0, 2, 1))
        else:
            there = self._there(wide)
            squares = np.asarray(torch.linalg.eigvalsh(there @ there.mT).cpu())
        values = np.sqrt(np.maximum(squares[:, ::-1], 0))
        moved = np.maximum(4 * np.finfo(np.float64).eps * values[:, :1] ** 2, 1e-290)  # squares underflow
        return values, np.sum(moved / np.maximum(values, np.sqrt(moved)), axis=1)

    def _piece(self, vectors: Sequence[NDArray[Any]], start: int) -> NDArray[np.floating]:
        """Give some columns of vectors as a matrix: a view where they are rows of one, else a copy."""
        together = _rows(vectors)
        if together is not None:
            return self.cast(together[:, start : start + COLUMNS])
        piece = np.stack([self.cast(one[start : start + COLUMNS]) for one in vectors])
        for one in vectors:
            _forget(one)
        return piece

    def _there(self, array: NDArray[np.floating]) -> torch.Tensor:
        return self._moved(np.ascontiguousarray(array))

    def _moved(self, array: NDArray[np.floating]) -> torch.Tensor:
        return torch.from_numpy(array if array.flags.writeable else array.copy()).to(self.device)


def _add_square(total: torch.Tensor, piece: torch.Tensor) -> None:
    """Add a product of rows with themselves, on the diagonal and above it; what is below may be left out."""
    half = len(piece) // 2
    if len(piece) <= ROWS:
        total += piece @ piece.T
        return
    total[:half, half:] += piece[:half] @ piece[half:].T
    _add_square(total[:half, :half], piece[:half])
    _add_square(total[half:, half:], piece[half:])


def _forget(array: Any) -> None:
    """Give the memory of a mapped file back: what was read of it need not stay."""
    if isinstance(array, np.memmap) and hasattr(mmap, "MADV_DONTNEED"):
        getattr(array, "_mmap").madvise(mmap.MADV_DONTNEED)  # noqa: B009


def _rows(vectors: Sequence[NDArray[Any]]) -> NDArray[Any] | None:
    """Give the matrix of which vectors are the rows, one after the other; None if there is none."""
    whole = vectors[0].base
    if not isinstance(whole, np.ndarray) or isinstance(whole, np.memmap) or whole.ndim != 2:
        return None
    step = whole.strides[0]
    first, start = divmod(_address(vectors[0]) - _address(whole), step)
    together = not start and all(
        one.base is whole and one.shape == whole.shape[1:] and one.strides == whole.strides[1:]
        and _address(one) - _address(whole) == (first + index) * step
        for index, one in enumerate(vectors)
    )  # fmt: skip
    return whole[first : first + len(vectors)] if together else None


def _address(array: NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])


FLOAT64: Final = Work()
FLOAT32: Final = Work("float32")
