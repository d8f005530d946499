"""Matrices of items, centred and packed."""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.floating]


def centred(x: Matrix) -> Matrix:
    """Take its mean from every unit: ``(item, unit)`` to the same."""
    return np.asarray(x - x.mean(axis=0, dtype=np.float64).astype(x.dtype))


def double_centred(matrix: Matrix) -> Matrix:
    """Make the rows and columns of a symmetric ``(item, item)`` matrix add up to zero.

    With ``H = I − 11ᵀ/n`` this is ``H K H``.
    """
    rows = matrix.mean(axis=1, dtype=np.float64)
    shift = (rows - rows.mean() / 2).astype(matrix.dtype)
    return np.asarray(matrix - shift[:, None] - shift[None, :])


def u_centred(matrix: Matrix) -> Matrix:
    """Zero the diagonal of a symmetric matrix, and make its rows add up to zero over what is left.

    The U-centring of Székely and Rizzo (2014): inner products of two such matrices are n(n − 3) times the unbiased
    estimate of the Hilbert–Schmidt independence criterion of Song et al. (2012).  It needs four items.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(5, 2))
    >>> bool(np.allclose(u_centred(x @ x.T).sum(axis=0), 0))
    True
    """
    n = len(matrix)
    hollow = matrix.copy()
    np.fill_diagonal(hollow, 0)
    rows = hollow.sum(axis=1, dtype=np.float64)
    shift = (rows / (n - 2) - rows.sum() / (2 * (n - 1) * (n - 2))).astype(matrix.dtype)
    hollow -= shift[:, None]
    hollow -= shift[None, :]
    np.fill_diagonal(hollow, 0)
    return hollow


def pack(matrix: Matrix) -> Matrix:
    """Give the upper triangle of a symmetric matrix as a vector with the same inner products.

    Off the diagonal every entry is multiplied by √2, for it stands for two.

    Examples
    --------
    >>> import numpy as np
    >>> a, b = np.array([[1.0, 2.0], [2.0, 3.0]]), np.array([[0.5, 1.0], [1.0, -1.0]])
    >>> bool(np.isclose(pack(a) @ pack(b), np.sum(a * b)))
    True
    """
    n = len(matrix)
    vector, start = np.empty(n * (n + 1) // 2, dtype=matrix.dtype), 0
    for row in range(n):
        vector[start : start + n - row] = matrix[row, row:]
        vector[start + 1 : start + n - row] *= np.sqrt(2)
        start += n - row
    return vector


def unpack(vector: Matrix) -> Matrix:
    """Give the symmetric matrix that :func:`pack` packed."""
    n = int(np.sqrt(2 * len(vector)))
    matrix, start = np.zeros((n, n), dtype=vector.dtype), 0
    for row in range(n):
        matrix[row, row:] = vector[start : start + n - row]
        matrix[row, row + 1 :] /= np.sqrt(2)
        start += n - row
    return matrix + np.triu(matrix, 1).T
