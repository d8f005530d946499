"""When a share of variance may mislead: features that hardly vary, that go together, or that are not computed."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from syzygy.dimensions.features.labels import Feature

#: The reason's code and title, for pages.
DOUBT: Final = ("SZ024", "A share of variance that may mislead")

#: A class with a smaller part of the items, or with fewer items, makes a feature nearly constant.
RARE, FEW = 0.02, 10
#: Features go together from this correlation on, if it is also beyond so many standard errors.
CORRELATED, ERRORS = 0.1, 4.0
#: A feature is computed from this accuracy on.
ACCURATE: Final = 0.95


def doubts(features: Mapping[str, Feature], accuracy: Mapping[str, ArrayLike] | None = None) -> Iterator[str]:
    """Say what speaks against reading shares of variance as what a representation says of each feature.

    Parameters
    ----------
    features
        By name.
    accuracy
        By name, how often a network tells the feature rightly; several numbers are of several networks.

    Examples
    --------
    >>> from syzygy.dimensions.features.labels import read_features
    >>> some = read_features({"rare": np.arange(500) < 5, "bit": np.arange(500) % 2})
    >>> list(doubts(some, {"bit": 0.61}))[0]
    "feature 'rare' is nearly constant: True has 5 of 500 items"
    """
    for feature in features.values():
        yield from _constant(feature)
    for one, other in combinations(features.values(), 2):
        r = correlation(one, other)
        if abs(r) >= max(CORRELATED, ERRORS / np.sqrt(len(one.design))):
            yield (
                f"features {one.name!r} and {other.name!r} correlate ({r:.2f}): their shares do not add up; see what "
                "each adds"
            )
    for name, given in (accuracy or {}).items():
        values = np.atleast_1d(np.asarray(given, dtype=np.float64)).ravel()
        if (low := values[values < ACCURATE]).size:
            which = f" in {low.size} of {values.size}" if values.size > 1 else ""
            yield f"feature {name!r} is told rightly for {low.min():.0%} of the items only{which}: not computed"


def correlation(one: Feature, other: Feature) -> float:
    """Give the correlation of columns of two features that is largest in size; 1 for a feature with itself."""
    r = np.corrcoef(one.design.T, other.design.T)[: one.design.shape[1], one.design.shape[1] :]
    return float(r.ravel()[np.abs(r).argmax()])


def _constant(feature: Feature) -> Iterator[str]:
    if feature.kind == "continuous":
        return
    classes, counts = np.unique(feature.values.astype(str), return_counts=True)
    rarest, items = int(counts.argmin()), len(feature.values)
    if counts[rarest] < max(FEW, RARE * items):
        yield (f"feature {feature.name!r} is nearly constant: {classes[rarest]} has {counts[rarest]} of {items} items")
