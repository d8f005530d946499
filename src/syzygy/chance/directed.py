"""How many arcs two directed graphs of the same items would share if the items of one were shuffled.

As :mod:`syzygy.chance.permutation`, for matrices without diagonal that need not be symmetric: who is whose neighbour.
The statistic is again ``Σ_ij A_ij B_π(i)π(j)``.
"""

from typing import Any, Final

import numpy as np
from scipy import sparse

from syzygy.chance.permutation import ROUNDING, Array, Graph, Moments, moment, standardised

#: A matrix as ``scipy.sparse.csr_array``, whose types differ between releases.
Sparse = Any

#: The sums over all items that are not zero for a matrix whose entries off the diagonal have mean zero, in the order
#: in which they are kept: r are sums of rows, c of columns.
CONNECTED: Final[dict[int, tuple[Graph, ...]]] = {
    2: (
        ((0, 1), (0, 1)),  # Σ a²
        ((0, 1), (1, 0)),  # Σ a_ij a_ji
        ((0, 1), (0, 2)),  # Σ r²
        ((0, 1), (2, 0)),  # Σ r c
        ((1, 0), (2, 0)),  # Σ c²
    ),
    3: (
        ((0, 1), (0, 1), (0, 1)),  # Σ a³
        ((0, 1), (0, 1), (1, 0)),  # Σ a_ij² a_ji
        ((0, 1), (0, 1), (0, 2)),  # Σ a_ij² r_i
        ((0, 1), (0, 1), (2, 0)),  # Σ a_ij² c_i
        ((0, 1), (0, 1), (1, 2)),  # Σ a_ij² r_j
        ((0, 1), (0, 1), (2, 1)),  # Σ a_ij² c_j
        ((0, 1), (1, 0), (0, 2)),  # Σ a_ij a_ji r_i
        ((0, 1), (1, 0), (2, 0)),  # Σ a_ij a_ji c_i
        ((0, 1), (0, 2), (0, 3)),  # Σ r³
        ((0, 1), (0, 2), (3, 0)),  # Σ r² c
        ((0, 1), (2, 0), (3, 0)),  # Σ r c²
        ((1, 0), (2, 0), (3, 0)),  # Σ c³
        ((0, 1), (0, 2), (1, 3)),  # Σ r_i a_ij r_j
        ((0, 1), (0, 2), (3, 1)),  # Σ r_i a_ij c_j
        ((0, 1), (2, 0), (1, 3)),  # Σ c_i a_ij r_j
        ((0, 1), (2, 0), (3, 1)),  # Σ c_i a_ij c_j
        ((0, 1), (1, 2), (2, 0)),  # Σ a_ij a_jk a_ki
        ((0, 1), (1, 2), (0, 2)),  # Σ a_ij a_jk a_ik
    ),
}

#: How many numbers of a matrix decide the first three moments.
INVARIANTS: Final = 1 + len(CONNECTED[2]) + len(CONNECTED[3])


def invariants(adjacency: Sparse) -> Array:
    """Give what the moments need to know of a sparse ``(item, item)`` matrix with nothing on its diagonal, ``(24,)``.

    Only what is stored is worked on: k neighbours of n items take of the order of nk² steps.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> ring = csr_array(np.roll(np.eye(5), 1, axis=1))  # everybody knows the next one
    >>> chance = moments(invariants(ring), invariants(ring), 5)
    >>> round(float(chance.mean), 10)  # one of four others, five times
    1.25
    """
    s = adjacency.astype(np.float64)
    n = s.shape[0]
    rest = float(s.sum()) / (n * (n - 1))
    r, c = s.sum(axis=1) - rest * (n - 1), s.sum(axis=0) - rest * (n - 1)
    # With a_ij = s_ij − rest off the diagonal, a² and a_ij a_ji are again sparse matrices and one number elsewhere.
    square, both = s.multiply(s - 2 * rest * _ones(s)), s.multiply(s.T) - rest * (s + s.T)
    level = rest**2
    square_r, square_c = square.sum(axis=1) + level * (n - 1), square.sum(axis=0) + level * (n - 1)
    both_r = both.sum(axis=1) + level * (n - 1)
    if square_r.sum() <= ROUNDING * s.multiply(s).sum():
        return np.array([rest, *np.zeros(INVARIANTS - 1)])  # nothing but rounding

    def times(v: Array) -> Array:
        return np.asarray(s @ v - rest * (v.sum() - v))

    def with_square(t: Sparse) -> float:
        """Sum over a_ij² t_ij, t less its mean."""
        return float(square.multiply(t).sum() + level * t.sum() - rest * square_r.sum())

    def triangles(t: Sparse, mirrored: bool) -> float:
        """Sum over (a a)_ik t_ik, t less its mean; mirrored where t is the transpose."""
        # Off the diagonal, a a is (s s) + 2 rest s − rest (out_i + into_k) + rest² (n − 2).
        stored = (s @ s + 2 * rest * s).multiply(t).sum()
        out, into = s.sum(axis=1), s.sum(axis=0)
        lines, columns = (into, out) if mirrored else (out, into)
        stored += rest**2 * (n - 2) * t.sum() - rest * (out @ lines + into @ columns)
        paths = c @ r  # Σ (a a)_ik over all i and k
        return float(stored - rest * (paths - both_r.sum()))

    second = [square_r.sum(), both_r.sum(), r @ r, r @ c, c @ c]
    third = [
        *(with_square(s), with_square(s.T), square_r @ r, square_r @ c, square_c @ r, square_c @ c),
        *(both_r @ r, both_r @ c, np.sum(r**3), r**2 @ c, r @ c**2, np.sum(c**3)),
        *(r @ times(r), r @ times(c), c @ times(r), c @ times(c), triangles(s.T, True), triangles(s, False)),
    ]
    return np.array([rest, *second, *third])


def moments(left: Array, right: Array, items: int) -> Moments:
    """Give the moments of ``Σ_ij A_ij B_π(i)π(j)`` over all permutations π; exact.

    Two graphs of k neighbours share nk · k/(n − 1) arcs on average.

    Parameters
    ----------
    left, right
        :func:`invariants` of A and of B, ``(…, 24)``; they broadcast.
    items
        Size of the matrices.
    """
    mean = items * (items - 1) * left[..., 0] * right[..., 0]
    second = moment(CONNECTED[2], left[..., 1:6], right[..., 1:6], items, directed=True)
    third = moment(CONNECTED[3], left[..., 6:], right[..., 6:], items, directed=True)
    return standardised(mean, second, third)


def _ones(s: Sparse) -> Sparse:
    return sparse.csr_array((np.ones_like(s.data), s.indices, s.indptr), shape=s.shape)
