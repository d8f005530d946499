"""The causal test: a representation is moved along a feature's direction, and its readout is asked what changed.

Derived in ``docs/dimensions/features.md``, section 5.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest

from syzygy.dimensions.features.labels import Array, all_present, present, readable
from syzygy.errors import DataError, ShapeError, SpecificationError
from syzygy.linalg.ridge import split

#: From ``(item, unit)`` to ``(item, output)``: one output per feature, above 0 where it is taken to be present.
Readout = Callable[[Array], ArrayLike]

#: Moves, in units of the difference between the two means: at 1 items without a feature come where those with it were.
SCALES: Final = tuple(np.linspace(0, 2, 41).round(3).tolist())
#: Times that items are drawn anew for an interval.
DRAWS: Final = 400


class Flips(NamedTuple):
    """What moving items along the directions of features does to what is read of them.

    Attributes
    ----------
    rates
        A row for each feature moved along, feature read and scale: ``moved``, ``read``, ``scale``, ``length`` (in units
        of the root of the representation's variance), ``flipped`` (share of items), ``low`` and ``high`` (Wilson's
        interval).
    halves
        A row for each feature moved along and feature read: ``half``, the scale at which half of the items have
        flipped (infinite where they never do), ``low`` and ``high`` (by items drawn anew), ``length``, as above, and
        ``direction``, the length of the direction in those units.
    """

    rates: pd.DataFrame
    halves: pd.DataFrame


def direction(representation: ArrayLike, feature: ArrayLike) -> Array:
    """Give the mean of the items in which a binary feature is present less that of the others, ``(unit,)``.

    Parameters
    ----------
    representation
        ``(item, unit)``.
    feature
        ``(item,)``, of two values; it is present at the larger one.

    Examples
    --------
    >>> direction([[1.0, 0.0], [3.0, 0.0], [0.0, 1.0], [0.0, 1.0]], [1, 1, 0, 0])
    array([ 2., -1.])
    """
    x, there = readable(representation), present("of the direction", feature)
    if len(there) != len(x):
        raise ShapeError(f"the feature has {len(there)} items and the representation {len(x)}")
    return np.asarray(x[there].mean(axis=0) - x[~there].mean(axis=0))


def flips(
    representation: ArrayLike,
    features: Mapping[str, ArrayLike],
    readout: Readout,
    *,
    scales: Sequence[float] = SCALES,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> Flips:
    """Move items along each feature's direction, away from what they are, and count whose readout flips.

    Directions come of one half of the items, and the items of the other half are moved: those with the feature by
    −scale times its direction, those without it by +scale.

    Parameters
    ----------
    representation
        ``(item, unit)``.
    features
        Binary ones by name, ``(item,)``.
    readout
        Gives ``(item, feature)`` of ``(item, unit)``, features in the order given: above 0 where one is present.
    scales
        Rising from 0 or more, in units of the direction.
    level, draws, seed
        Of the intervals; the seed also draws the halves.

    Raises
    ------
    SpecificationError
        Scales that do not rise, or fewer than two of them; a level or draws out of range.
    ShapeError
        Other axes; other numbers of items; a readout of something else.
    DataError
        Values that are not finite, a feature that is not binary, or that all items of a half share.

    Examples
    --------
    >>> draw = np.random.default_rng(0)
    >>> a, b = draw.choice([-1, 1], size=(2, 400))
    >>> x = np.outer(a, [2.0, 0]) + np.outer(b, [0, 1.0]) + 0.01 * draw.normal(size=(400, 2))
    >>> found = flips(x, {"a": a, "b": b}, lambda x: x).halves
    >>> found.set_index(["moved", "read"])["half"].round(1).to_dict()
    {('a', 'a'): 0.5, ('a', 'b'): inf, ('b', 'a'): inf, ('b', 'b'): 0.5}
    """
    x = readable(representation)
    grid = np.asarray(scales, dtype=np.float64)
    if grid.ndim != 1 or len(grid) < 2 or grid[0] < 0 or not (np.diff(grid) > 0).all() or not np.isfinite(grid).all():
        raise SpecificationError("scales are two or more numbers that rise from 0 or more")
    if not 0 < level < 1 or draws < 1:
        raise SpecificationError(f"level lies between 0 and 1, draws are 1 or more; got {level}, {draws}")
    there = all_present(features, len(x))
    own, judged = split(len(x), 2, seed)
    spread = float(np.sqrt(np.square(x - x.mean(axis=0)).sum(axis=1).mean()))
    before = decisions(readout, x[judged], len(there))
    rates, halves = [], []
    for moved, labels in there.items():
        if labels[own].all() or not labels[own].any():
            raise DataError(f"feature {moved!r} is the same for all items of a half; give more items")
        along = direction(x[own], labels[own])
        length = float(np.linalg.norm(along)) / spread if spread else np.nan
        away = np.where(labels[judged], -1.0, 1.0)[:, None] * along
        flipped = np.array([decisions(readout, x[judged] + scale * away, len(there)) != before for scale in grid])
        for index, read in enumerate(there):
            some, named = flipped[..., index], {"moved": moved, "read": read}
            rates += [named | _rate(scale, one, length, level) for scale, one in zip(grid, some, strict=True)]
            halves.append(named | _half(grid, some, length, level, draws, seed))
    return Flips(pd.DataFrame(rates), pd.DataFrame(halves))


def half_way(scales: Array, flipped: NDArray[np.floating]) -> float:
    """Give the scale at which a share first reaches a half, linear between those tried; infinite if it never does.

    Examples
    --------
    >>> half_way(np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.25, 0.75]))
    1.5
    """
    over = np.flatnonzero(flipped >= 0.5)
    if not len(over):
        return float("inf")
    after = int(over[0])
    if after == 0:
        return float(scales[0])
    before = after - 1
    way = (0.5 - flipped[before]) / (flipped[after] - flipped[before])
    return float(scales[before] + way * (scales[after] - scales[before]))


def decisions(readout: Readout, x: Array, count: int) -> NDArray[np.bool_]:
    """Read whether each feature is present, ``(item, feature)``.

    Parameters
    ----------
    readout
        As in :func:`flips`.
    x
        ``(item, unit)``.
    count
        Of features.

    Raises
    ------
    ShapeError, DataError
        Outputs of another shape, or that are not finite.
    """
    outputs = np.asarray(readout(x), dtype=np.float64)
    if outputs.shape != (len(x), count):
        raise ShapeError(f"the readout must give (item, feature) = {(len(x), count)}; it gave {outputs.shape}")
    if not np.isfinite(outputs).all():
        raise DataError("the readout gave values that are not finite")
    return np.asarray(outputs > 0)


def _rate(scale: float, flipped: NDArray[np.bool_], length: float, level: float) -> dict[str, float]:
    low, high = binomtest(int(flipped.sum()), len(flipped)).proportion_ci(level, method="wilson")
    return {"scale": scale, "length": scale * length, "flipped": float(flipped.mean()), "low": low, "high": high}


def _half(
    grid: Array, flipped: NDArray[np.bool_], length: float, level: float, draws: int, seed: int
) -> dict[str, float]:
    draw, items = np.random.default_rng([seed, 2]), flipped.shape[1]
    again = draw.multinomial(items, np.full(items, 1 / items), size=draws) @ flipped.T / items
    drawn = np.sort([half_way(grid, one) for one in again])
    place = (1 - level) / 2 * (draws - 1)  # order statistics: infinite ones have no quantiles between them
    half = half_way(grid, flipped.mean(axis=1))
    low, high = float(drawn[int(place)]), float(drawn[-1 - int(place)])
    return {"half": half, "low": low, "high": high, "length": half * length, "direction": length}
