"""Many pairs tested at once: how many of those that are called alike are so by luck."""

import numpy as np
from scipy.stats import false_discovery_control

from syzygy.chance.permutation import Array


def false_discovery(p: Array, *, symmetric: bool = True) -> Array:
    """Correct the p-values of all pairs for their number (Benjamini & Hochberg 1995).

    Of the pairs whose corrected value is at most q, a share q is alike by luck, on average at most.

    Parameters
    ----------
    p
        ``(representation, other representation)``.  What is NaN is no test; the diagonal never is one.
    symmetric
        Whether (i, j) and (j, i) are one test; it is then read above the diagonal.

    Returns
    -------
    Array
        Of the same shape, NaN on the diagonal and where p is.

    Examples
    --------
    >>> false_discovery(np.array([[0.0, 0.01, 0.04], [0.01, 0.0, 0.03], [0.04, 0.03, 0.0]])).round(3).tolist()
    [[nan, 0.03, 0.04], [0.03, nan, 0.04], [0.04, 0.04, nan]]
    """
    tested = np.triu(np.ones(p.shape, dtype=bool), 1) if symmetric else ~np.eye(len(p), dtype=bool)
    tested &= ~np.isnan(p)
    q = np.full(p.shape, np.nan)
    if tested.any():
        q[tested] = false_discovery_control(p[tested])
    if symmetric:
        q.T[tested] = q[tested]
    return q
