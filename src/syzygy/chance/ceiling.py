"""How alike anything could be to a system that was measured several times: noise ceilings.

After Nili et al. (2014).  The matrices of items of all repeats, each of norm one, have a mean; how close each is to it
bounds what a perfect model of the system would reach, for the noise of a repeat is in no model.
"""

import numpy as np

from syzygy.chance.permutation import Array


def ceilings(inner: Array) -> tuple[float, float]:
    """Give the lower and the upper noise ceiling from inner products of repeats alone.

    The lower one is the mean cosine of each repeat with the mean of the others, the upper one that with the mean of
    all.  No matrix is averaged: with G the inner products, the cosine of repeat i with the mean of a set S is
    ``Σ_{j∈S} G_ij / √(Σ_{jk∈S} G_jk)``.

    Parameters
    ----------
    inner
        ``(repeat, repeat)``, at least two, one on the diagonal: scores of a measure that is the cosine of matrices of
        items, of the system with itself.

    Returns
    -------
    float, float
        NaN for a single repeat.

    Examples
    --------
    >>> low, high = ceilings(np.array([[1.0, 0.5, 0.5], [0.5, 1.0, 0.5], [0.5, 0.5, 1.0]]))
    >>> round(low, 4), round(high, 4)
    (0.5774, 0.8165)
    """
    if len(inner) < 2:
        return np.nan, np.nan
    rows, total, own = inner.sum(axis=1), inner.sum(), np.diag(inner)
    with np.errstate(invalid="ignore", divide="ignore"):
        others = (rows - own) / np.sqrt(total - 2 * rows + own)
        return float(np.mean(others / np.sqrt(own))), float(np.mean(rows / np.sqrt(own * total)))


def between(score: Array) -> float:
    """Give the mean score between different repeats, ``(repeat, repeat)``: a ceiling for any measure.

    It is the lower of all bounds: here both sides have noise.

    Examples
    --------
    >>> between(np.array([[1.0, 0.4], [0.6, 1.0]]))
    0.5
    """
    apart = ~np.eye(len(score), dtype=bool)
    return float(score[apart].mean()) if apart.any() else float("nan")
