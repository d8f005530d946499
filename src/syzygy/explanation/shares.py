"""Shares and correlations over pairs, with intervals that know that pairs share items."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, rankdata

from syzygy.chance import half_samples
from syzygy.chance.sample import intervals
from syzygy.explanation.question import Places

Array = NDArray[np.float64]

#: Halves of the items that are drawn.
DRAWS: Final = 400
#: How often an interval shall hold the truth.
LEVEL: Final = 0.95
#: Below so many items, halves say nothing.
FEWEST_ITEMS: Final = 6


@dataclass(frozen=True)
class Estimate:
    """A number with its 95% interval over items; NaN where it cannot be known."""

    value: float
    low: float = np.nan
    high: float = np.nan

    def columns(self, name: str) -> dict[str, float]:
        """Give it as columns of a table."""
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}


class Halves:
    """Halves of the items without replacement: each holds the pairs of which it holds both items.

    Two hundred pairs of thirty items are not two hundred independent observations.  What an item does to all of its
    pairs is in these intervals as it should be; what is one pair's own is counted up to three times, because a half of
    the items has a quarter of the pairs.  So they are never too narrow for what they are of: other items.

    Where none or all of the pairs are counted, so are they in every half.  The interval is then that of Clopper and
    Pearson (1934) for as many independent observations as there are pairs without a common item; networks count once.
    That is exact where a pair counts if either item would do, and too wide otherwise (``docs/fitting.md``).

    Parameters
    ----------
    pairs
        Places of the two items of each.
    seed
        Of the draws.
    """

    def __init__(self, pairs: Places, seed: int):
        items, places = np.unique(np.array(pairs), return_inverse=True)
        first, second = places.reshape(-1, 2).T
        self.items = len(items)
        inside = np.zeros((DRAWS, self.items), dtype=bool)
        if self.items >= FEWEST_ITEMS:
            drawn = half_samples(self.items, DRAWS, np.random.default_rng(seed))
            np.put_along_axis(inside, drawn, values=True, axis=1)
        self._inside = (inside[:, first] & inside[:, second]).astype(np.float64)
        self._pairs = pairs

    def share(self, what: NDArray[np.bool_], among: NDArray[np.bool_] | None = None) -> Estimate:
        """Give the share of pairs, ``(network, pair)``, among all or some of them."""
        some = np.ones_like(what) if among is None else among
        moments = np.stack([some.sum(axis=0), (what & some).sum(axis=0)], axis=1).astype(np.float64)
        found = self._estimate(moments, _ratio, (0.0, 1.0))
        if found.value not in (0.0, 1.0) or self.items < FEWEST_ITEMS:
            return found
        apart = disjoint([self._pairs[place] for place in np.flatnonzero(some.any(axis=0))])
        ends = binomtest(round(found.value * apart), apart).proportion_ci(LEVEL, method="exact")
        return Estimate(found.value, float(ends.low), float(ends.high))

    def correlation(self, one: Array, other: Array) -> Estimate:
        """Give the rank correlation of two numbers of each pair, ``(network, pair)``; NaN are left out.

        In the halves, ranks are those over all pairs.
        """
        there = np.isfinite(one) & np.isfinite(other)
        ranks = np.zeros((2, *one.shape))
        for rank, values in zip(ranks, (one, other), strict=True):
            if there.any():
                rank[there] = (rankdata(values[there]) - 0.5) / there.sum() - 0.5
        x, y = ranks
        products = (there, x, y, x * x, y * y, x * y)
        return self._estimate(np.stack([values.sum(axis=0) for values in products], axis=1), _pearson, (-1.0, 1.0))

    def _estimate(self, moments: Array, number: Callable[[Array], Array], bounds: tuple[float, float]) -> Estimate:
        value = number(moments.sum(axis=0)[None])
        sampled = number(self._inside @ moments)
        known = sampled[np.isfinite(sampled)]
        if not np.isfinite(value).all() or len(known) < DRAWS / 2:
            return Estimate(float(value[0]))
        low, high = (float(np.clip(end[0], *bounds)) for end in intervals(value, known[:, None], LEVEL))
        return Estimate(float(value[0]), low, high)


def disjoint(pairs: Sequence[tuple[int, int]]) -> int:
    """Count pairs that share no item, taken in the order given: of all pairs of ``n`` items, ``n // 2``.

    Examples
    --------
    >>> disjoint([(0, 1), (0, 2), (1, 2), (2, 3)]), disjoint([(0, 1), (0, 2), (0, 3)])
    (2, 1)
    """
    taken: set[int] = set()
    for pair in pairs:
        if taken.isdisjoint(pair):
            taken.update(pair)
    return len(taken) // 2


def _ratio(sums: Array) -> Array:
    count, found = sums.T
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(found / count)


def _pearson(sums: Array) -> Array:
    count, x, y, xx, yy, xy = sums.T
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt(np.maximum(xx - x * x / count, 0) * np.maximum(yy - y * y / count, 0))
        return np.where(spread > 1e-12 * count, (xy - x * y / count) / spread, np.nan)
