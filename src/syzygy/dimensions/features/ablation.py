"""What a readout still tells without the directions of largest variance, or with these alone."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from syzygy.dimensions.features.causal import Readout, decisions
from syzygy.dimensions.features.labels import all_present, readable
from syzygy.errors import SpecificationError
from syzygy.linalg.ridge import split


def ablated(
    representation: ArrayLike,
    features: Mapping[str, ArrayLike],
    readout: Readout,
    *,
    counts: Sequence[int] = (0, 1, 2, 4, 8, 16),
    seed: int = 0,
) -> pd.DataFrame:
    """Take away the components of largest variance, or all but these, and see what a readout still tells.

    Components are fitted on one half of the items, and the items of the other half are read.

    Parameters
    ----------
    representation, features, readout
        As in :func:`~syzygy.dimensions.features.flips`.
    counts
        So many components; more than there are count as all.
    seed
        Draws the halves.

    Returns
    -------
    DataFrame
        ``feature``, ``count``, ``without`` and ``only``: how often the feature is read rightly without so many
        components, and with them only.

    Raises
    ------
    SpecificationError
        Counts below zero, or none.
    ShapeError, DataError
        As :func:`~syzygy.dimensions.features.flips`.

    Examples
    --------
    >>> draw = np.random.default_rng(0)
    >>> a, b = draw.choice([-1, 1], size=(2, 400))
    >>> x = np.column_stack([3.0 * a, b])
    >>> ablated(x, {"a": a, "b": b}, lambda x: x, counts=[1]).round(1)["only"].tolist()
    [1.0, 0.5]
    """
    x = readable(representation)
    there = all_present(features, len(x))
    if not len(counts) or min(counts) < 0:
        raise SpecificationError(f"counts are one or more numbers, zero or more; got {list(counts)}")
    own, judged = split(len(x), 2, seed)
    mean = x[own].mean(axis=0)
    axes = np.linalg.svd(x[own] - mean, full_matrices=False)[2]
    rows = []
    for count in counts:
        kept = (x[judged] - mean) @ axes[:count].T @ axes[:count]
        only, without = (decisions(readout, some, len(there)) for some in (kept + mean, x[judged] - kept))
        rows += [
            {
                "feature": name,
                "count": int(count),
                "without": float((without[:, index] == one[judged]).mean()),
                "only": float((only[:, index] == one[judged]).mean()),
            }
            for index, (name, one) in enumerate(there.items())
        ]
    return pd.DataFrame(rows)
