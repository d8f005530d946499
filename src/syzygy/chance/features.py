"""What chance needs to know of a matrix of items, from features of the items: where items outnumber features.

Derived in ``docs/measures/engine.md``.
"""

from typing import Final

import numpy as np

from syzygy.chance.permutation import INVARIANTS, Array

#: With more features than this their triple products take more than 130 MB, and the sum of cubes is left open.
FEATURES: Final = 256

#: So many numbers are multiplied at once.
PIECE: Final = 2**21


def feature_invariants(z: Array, form: Array, diagonal: Array) -> Array:
    """Give :func:`~syzygy.chance.invariants` of the matrix ``z form zᵀ`` with another diagonal.

    The mean of the diagonal and of the rest must be zero.

    Parameters
    ----------
    z
        Features, ``(item, feature)``.
    form
        Symmetric, ``(feature, other feature)``.
    diagonal
        Of the matrix, ``(item,)``.

    Returns
    -------
    Array
        ``(17,)``; the last eleven, of which the third moment is made, are NaN for more than :data:`FEATURES` features.

    Examples
    --------
    >>> from syzygy.chance import invariants
    >>> z = np.random.default_rng(0).normal(size=(9, 2))
    >>> z -= z.mean(axis=0)
    >>> gram = z @ z.T
    >>> mean = np.trace(gram) / 9
    >>> wide = np.column_stack([z, np.ones(9)])
    >>> found = feature_invariants(wide, np.diag([1, 1, mean / 8]), np.diag(gram) - mean)
    >>> bool(np.allclose(found[2:], invariants(gram)[2:]))
    True
    """
    turned, second = z @ form, z.T @ z
    own = np.einsum("ij,ij->i", turned, z)
    extra, d = own - diagonal, diagonal  # the matrix is z form zᵀ less `extra` on its diagonal
    squares = np.einsum("ij,ij->i", turned @ second, turned)
    rows2 = squares - 2 * own * extra + extra**2

    def times(v: Array) -> Array:
        return np.asarray(turned @ (z.T @ v) - extra * v)

    r, ad = times(np.ones(len(z))), times(d)
    ar, both = times(r), form @ second
    cube = np.einsum("ij,ji->", both @ both, both) + 3 * (own @ extra**2 - squares @ extra) - np.sum(extra**3)
    cubes = _cubes(z, form) - 3 * (own**2 @ extra) + 3 * (own @ extra**2) - np.sum(extra**3)
    third = [np.sum(d**3), d**2 @ r, d @ ad, d @ r**2, d @ ar, d @ rows2, cubes, rows2 @ r, r @ ar, np.sum(r**3), cube]
    found = np.array([0, 0, d @ d, d @ r, rows2.sum(), r @ r, *third])
    if np.isnan(cubes):
        found[6:] = np.nan
    assert len(found) == INVARIANTS
    return found


def _cubes(z: Array, form: Array) -> float:
    """Sum the cubes of all entries of ``z form zᵀ``: the squared norm of the triple products of features."""
    items, features = z.shape
    if features > FEATURES:
        return float(np.nan)
    triple, step = np.zeros((features**2, features)), max(1, PIECE // features**2)
    for start in range(0, items, step):
        some = z[start : start + step]
        triple += (some[:, :, None] * some[:, None, :]).reshape(len(some), -1).T @ some
    whole = triple.reshape(features, features, features)
    moved = np.einsum("abc,ax->xbc", whole, form)
    moved = np.einsum("xbc,by->xyc", moved, form) @ form
    return float(np.sum(moved * whole))
