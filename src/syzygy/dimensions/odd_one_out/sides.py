"""Sides of a split: no three objects are on two of them."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from syzygy.dimensions.odd_one_out.combinations import ranks
from syzygy.errors import SpecificationError


def sides(
    triplets: NDArray[np.integer], shares: Sequence[float], draw: np.random.Generator
) -> tuple[NDArray[np.bool_], ...]:
    """Say which triplets are on each side: all of the same three objects on one, however often and in what order.

    Parameters
    ----------
    triplets
        ``(triplet, 3)``.
    shares
        Of the different triplets, one for each side; together at most 1.
    draw
        Where each of them goes.

    Returns
    -------
    tuple of Array
        ``(triplet,)`` for each share.

    Raises
    ------
    SpecificationError
        Shares that are not positive or exceed 1 together, or a side that would be empty.

    Examples
    --------
    >>> one, other = sides(np.array([[0, 1, 2], [0, 1, 3], [2, 1, 0]]), (0.5, 0.5), np.random.default_rng(0))
    >>> bool(one[0] == one[2] != one[1]), (one ^ other).tolist()
    (True, [True, True, True])
    """
    if not len(shares) or min(shares) <= 0 or sum(shares) > 1 + 1e-9:
        raise SpecificationError(f"shares must be positive and at most 1 together, got {tuple(shares)}")
    different, which = np.unique(ranks(triplets), return_inverse=True)
    ends = np.round(np.cumsum([0.0, *shares]) * len(different)).astype(int)
    if (np.diff(ends) < 1).any():
        raise SpecificationError(f"{len(different)} different triplets are too few for shares of {tuple(shares)}")
    place = draw.permutation(len(different))[which]
    return tuple((place >= first) & (place < end) for first, end in pairwise(ends))
