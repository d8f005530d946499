"""Which dimensions are there: those of which several objects surely have something."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import false_discovery_control

Array = NDArray[np.float64]


def significant(mean: Array, deviation: Array, level: float) -> NDArray[np.intp]:
    """Count the objects whose weight is surely positive, per dimension.

    The posterior puts p = Φ(−μ/σ) below zero.  Within a dimension these are corrected for the number of objects by
    the step-up rule of Benjamini & Hochberg (1995): with the p-values in order, all up to the *last* that is at most
    its share of the level are significant, those between included.

    Parameters
    ----------
    mean, deviation
        ``(object, dimension)``, before anything is rectified.
    level
        Share of false ones among those called significant, at most.

    Returns
    -------
    Array
        ``(dimension,)``.

    Examples
    --------
    >>> significant(np.array([[1.0, 0.1], [0.9, 0.0], [0.0, 0.1]]), np.full((3, 2), 0.2), 0.05).tolist()
    [2, 0]
    """
    below = ndtr(-mean / deviation)
    return np.asarray((false_discovery_control(below, axis=0) <= level).sum(axis=0))
