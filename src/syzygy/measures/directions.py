"""The directions among the items along which a representation varies."""

from typing import Final

import numpy as np

from syzygy.errors import SpecificationError
from syzygy.linalg import centred
from syzygy.measures.measure import Array

#: Directions smaller than this share of the largest count as rounding of float32 activations.
TOLERANCE: Final = 1e-6


def directions(x: Array, tolerance: float) -> tuple[Array, Array, Array]:
    """Decompose the centred representation into U S Vᵀ, up to a factor, without directions that hardly vary.

    Parameters
    ----------
    x
        ``(item, unit)``.
    tolerance
        Directions are left out whose singular value is at most this share of the largest.

    Returns
    -------
    tuple
        U ``(item, rank)``, S ``(rank,)`` falling, Vᵀ ``(rank, unit)``; rank 0 if all items are the same.
    """
    u, s, vt = np.linalg.svd(scaled(x), full_matrices=False)
    kept = (s > tolerance * s[0]) & (s > rounding(x))
    return u[:, kept], s[kept], vt[kept]


def rotated(x: Array) -> Array:
    """Give the centred representation in its principal axes, ``(item, rank)``, the largest first.

    That is U S, up to a factor, exact to rounding: axes are eigenvectors of FᵀF, which are orthogonal even where their
    eigenvalues have lost digits.  Where units outnumber items, a triangle takes the place of units first; it has a
    column less than items, for its columns add up to zero.
    """
    factor = scaled(x)
    if x.shape[1] >= len(x):
        factor = np.asarray(np.linalg.qr(factor.T, mode="r"))[: len(x) - 1].T
    axes = np.linalg.eigh(factor.T @ factor)[1][:, ::-1]
    turned = factor @ axes
    return np.asarray(turned[:, np.linalg.norm(turned, axis=0) > rounding(x)])


def scaled(x: Array) -> Array:
    """Divide by the largest number, so that no square is too large or too small, and centre."""
    return np.asarray(centred(x / (np.abs(x).max() or 1.0)), dtype=np.float64)


def rounding(x: Array) -> float:
    """Say how large a direction of :func:`scaled` can be that is nothing but rounding of the mean."""
    return float(8 * np.finfo(np.float64).eps * np.sqrt(x.size))


def share(option: str, value: float) -> None:
    """Refuse a tolerance that is no share."""
    if not 0 < value < 1:
        raise SpecificationError(f"{option} must lie between 0 and 1, got {value}")
