"""Systems that were measured several times: how alike anything could be to them."""

from collections.abc import Sequence

import numpy as np

from syzygy.chance import between, ceilings
from syzygy.measures.measure import Array, Inner, Measure


def noise_ceilings(
    measure: Measure, score: Array, groups: Sequence[int], inner: Array | None = None
) -> dict[str, Array]:
    """Give the noise ceilings of systems that were measured several times.

    Parameters
    ----------
    score
        All scores, ``(representation, other representation)``.
    groups
        The system of which every representation is a repeat, counted from 0.
    inner
        Inner products of matrices of norm one, ``(representation, other representation)``, if the measure is a cosine
        of them; scores of similarity that are their own inner products need not be given again.

    Returns
    -------
    dict
        Arrays ``(group,)``: ``lower`` and ``upper`` after Nili et al. (2014), NaN if the measure has no matrices to be
        averaged; and ``between``, the mean score of different repeats.  NaN for a system measured once.
    """
    count, own = 1 + max(groups), np.asarray(groups)
    cosine = score if inner is None and is_cosine(measure) else inner
    found = {name: np.full(count, np.nan) for name in ("lower", "upper", "between")}
    for group in range(count):
        here = np.ix_(own == group, own == group)
        found["between"][group] = between(score[here])
        if cosine is not None:
            found["lower"][group], found["upper"][group] = ceilings(cosine[here])
    return found


def is_cosine(measure: Measure) -> bool:
    """Whether scores are inner products of matrices of norm one."""
    if not isinstance(measure, Inner) or not measure.symmetric:
        return False
    inner, left, right = np.array([-0.5, 0.25]), np.array([1.0, 4.0]), np.array([2.0, 3.0])
    return bool(np.array_equal(measure.score(inner, left, right), inner))  # an option may decide
