"""Networks predict the components of others: how they do it, and what comes of all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from syzygy.dimensions.universal.chance import discoveries, interval, middle, upper_rank
from syzygy.dimensions.universal.layers import Array, Layers, joined
from syzygy.dimensions.universal.options import Predictor
from syzygy.dimensions.universal.scorer import Criterion, matched, ridge, score
from syzygy.errors import DataError
from syzygy.linalg import Work
from syzygy.linalg.ridge import Folds

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Scoring:
    """How components are predicted; as :class:`~syzygy.dimensions.UniversalDimensions` is asked."""

    folds: Folds
    predictor: Predictor
    penalties: Sequence[float]
    criterion: Criterion
    work: Work

    def predict(self, x: Array, targets: Floats) -> Floats:
        """Predict targets, ``(item, target)``, each item without its fold."""
        if self.predictor == "matching":
            return matched(x, targets, self.folds)
        return ridge(x, targets, self.folds, self.penalties, self.criterion, self.work)

    def across(self, networks: Layers, targets: Floats, owner: NDArray[np.object_]) -> tuple[Array, Array]:
        """Let networks predict the targets of others.

        Parameters
        ----------
        networks
            Which predict, with all their layers.
        targets
            ``(item, target)``.
        owner
            Name of the network of each target, ``(target,)``; what is nobody's is predicted by all.

        Returns
        -------
        Array, Array
            Mean over folds of r and its standard error, ``(network, target)``; NaN by their own.

        Raises
        ------
        DataError
            A network that is the same for all items.
        """
        scores, errors = np.full((2, len(networks), targets.shape[1]), np.nan)
        for row, (network, layers) in enumerate(networks.items()):
            x, there = joined(layers), np.flatnonzero(owner != network)
            if not np.ptp(x, axis=0).any():
                raise DataError(f"{network} is the same for all {len(x)} items that score; leave it out")
            some = targets[:, there]
            scores[row, there], errors[row, there] = score(self.predict(x, some), some, self.folds)
        return scores, errors


def median(scores: Array, networks: Sequence[str], owner: NDArray[np.object_], by: Sequence[str]) -> Array:
    """Give the median over some networks but a component's own, ``(component,)``; NaN where none is left.

    Examples
    --------
    >>> scores = np.array([[np.nan, 0.1], [0.2, np.nan], [0.4, 0.5]])
    >>> median(scores, ["a", "b", "c"], np.array(["a", "b"], dtype=object), ["a", "b", "c"]).round(2)
    array([0.3, 0.3])
    """
    found = np.full(scores.shape[1], np.nan)
    for network in dict.fromkeys(owner.tolist()):
        rows = np.array([row for row, name in enumerate(networks) if name in by and name != network], dtype=np.intp)
        if len(rows):
            places = np.flatnonzero(owner == network)
            found[places] = np.median(scores[np.ix_(rows, places)], axis=0)
    return found


def universality(
    scores: Array, errors: Array, networks: Sequence[str], owner: NDArray[np.object_], level: float
) -> pd.DataFrame:
    """Give ``universality``, ``low``, ``high``, ``p`` and ``q`` of each component.

    Parameters
    ----------
    scores, errors
        ``(network, component and shuffled component)``, as :meth:`Scoring.across` gives them.
    networks
        The rows.
    owner
        Of each component alone, ``(component,)``.
    level
        Of the interval.
    """
    count = len(owner)
    found = {name: np.full(count, np.nan) for name in ("universality", "low", "high", "p")}
    for row, network in enumerate(networks):
        places, others = np.flatnonzero(owner == network), np.arange(len(networks)) != row
        value, error = middle(scores[np.ix_(others, places)], errors[np.ix_(others, places)])
        p = upper_rank(value, np.median(scores[others, count:], axis=0))
        for numbers, own in zip(found.values(), (value, *interval(value, error, level), p), strict=True):
            numbers[places] = own
    return pd.DataFrame(found | {"q": discoveries(found["p"])})
