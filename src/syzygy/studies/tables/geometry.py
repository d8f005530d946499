"""The distances of all pairs of many items: measured, predicted, and predicted by what is no theory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial.distance import pdist
from scipy.stats import rankdata

from syzygy.fitting.score import correlation
from syzygy.theory import PairState, PairTheory
from syzygy.theory.structure import ONE_HOT
from syzygy.trajectory import Trajectory

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

#: Every prediction by its column, in words.  Those of :data:`NAIVE` know no theory.
PREDICTIONS: Final = {
    "other_networks": "pair theory, rates of the other networks",
    "first_half": "pair theory, rates of the first half of training",
    "own": "pair theory, own rates (in sample)",
    "a_low": "‖dx‖·‖dy*‖, the product alone",
    "published": "published: sums of products over classes",
    "start": "no theory: ‖dh‖² at the start",
    "input": "no theory: ‖dx‖",
    "class": "no theory: different class or not",
}
NAIVE: Final = ("start", "input", "class")
#: Predictions of ‖dh‖² itself, not of something proportional to it.
SCALED: Final = ("other_networks", "first_half", "own", "start")

SCOPES: Final = ("all pairs", "different classes")
MEAN = "mean"


@dataclass(frozen=True)
class Geometry:
    """Squared distances of every pair of probe items, pairs in the order of :func:`scipy.spatial.distance.pdist`.

    Attributes
    ----------
    seeds
        Of the networks that did not diverge, ``(network,)``.
    first, last
        ‖dh‖² at the first and the last recorded step, ``(network, pair)``.
    first_y2
        ‖dy‖² at the first, ``(network, pair)``.
    dx2
        ‖dx‖², ``(pair,)``.
    labels
        Class of each probe item, ``(item,)``.
    """

    seeds: NDArray[np.int64]
    first: Array
    last: Array
    first_y2: Array
    dx2: Array
    labels: Labels

    @classmethod
    def of(cls, trajectory: Trajectory, layer: str) -> "Geometry":
        """Measure the networks of a trajectory that did not diverge."""
        there = np.flatnonzero(np.array(trajectory.fates) != "diverged")
        hidden, outputs = trajectory.representation(layer)[there], trajectory.outputs[there]
        first, last, y2 = (
            np.array([pdist(one.astype(np.float64), "sqeuclidean") for one in some])
            for some in (hidden[:, 0], hidden[:, -1], outputs[:, 0])
        )
        dx2 = pdist(trajectory.inputs.astype(np.float64), "sqeuclidean")
        return cls(trajectory.seeds[there], first, last, y2, dx2, trajectory.targets.argmax(axis=-1))

    def pairs(self, labels: Labels | None = None) -> NDArray[np.int64]:
        """Give the classes of both items of each pair, ``(2, pair)``."""
        both = np.triu_indices(len(self.labels), 1)
        return np.stack([(self.labels if labels is None else labels)[side] for side in both])

    def different(self, labels: Labels | None = None) -> NDArray[np.bool_]:
        """Say which pairs are of different classes, ``(pair,)``."""
        first, second = self.pairs(labels)
        return np.asarray(first != second)

    def final_h2(self, rates: Array, different: NDArray[np.bool_]) -> Array:
        """Give the pair theory's final ‖dh‖² of every pair from its own start, ``(network, pair)``.

        Parameters
        ----------
        rates
            ``eta_h`` and ``eta_y`` of each network, ``(2, network)``, of which only the ratio counts.
        different
            Which targets differ, ``(pair,)``.
        """
        found = np.full(self.first.shape, np.nan)
        apart = (self.dx2 > 0) & (self.first > 0).all(axis=0)  # the theory starts from two representations
        known = np.isfinite(rates).all(axis=0)
        if known.any() and apart.any():
            eta_h, eta_y = rates[:, known, None]
            theory = PairTheory(eta_h, eta_y, self.dx2[apart], ONE_HOT**2 * different[apart])
            start = PairState(*(values[np.ix_(known, apart)] for values in (self.first, self.first_y2, self.first_y2)))
            found[np.ix_(known, apart)] = theory.final_h2(start)  # w has no say
        return found

    def predictions(
        self, rates: Mapping[str, Array], sums: Array | None, labels: Labels | None = None
    ) -> dict[str, Array]:
        """Predict every pair in every way, ``(network, pair)`` each, up to a factor but for :data:`SCALED`.

        Parameters
        ----------
        rates
            By name of a prediction, ``(2, network)``.
        sums
            The published prediction by class, ``(class, class)``; left out if there is none.
        labels
            Other classes of the items than their own.
        """
        different = self.different(labels)
        found = {name: self.final_h2(rate, different) for name, rate in rates.items()}
        distance = np.sqrt(self.dx2)
        others = {"a_low": ONE_HOT * distance * different, "input": distance, "class": different.astype(np.float64)}
        if sums is not None:
            others["published"] = sums[tuple(self.pairs(labels))]
        found |= {name: np.broadcast_to(values, self.last.shape) for name, values in others.items()}
        found["start"] = self.first
        return {name: found[name] for name in PREDICTIONS if name in found}


def pairs_frame(geometry: Geometry, predicted: Mapping[str, Array], items: Sequence[str]) -> pd.DataFrame:
    """Give one row per pair: its items, what was measured and what was predicted, mean over networks."""
    first, second = (np.array(items)[side] for side in np.triu_indices(len(items), 1))
    named = {"first": first, "second": second, "different": geometry.different(), "measured": _mean(geometry.last)}
    return pd.DataFrame(named | {name: _mean(values) for name, values in predicted.items()})


def correlations(geometry: Geometry, predicted: Mapping[str, Array]) -> pd.DataFrame:
    """Correlate every prediction with what was measured, in each network and of the mean over networks.

    Returns
    -------
    DataFrame
        A row for each scope (all pairs; those of different classes), prediction and network: ``pearson``, ``spearman``;
        and for predictions of ‖dh‖² itself ``error``, the median of |predicted/measured − 1|.
    """
    names = [MEAN, *(f"seed {seed}" for seed in geometry.seeds)]
    rows = []
    for scope in SCOPES:
        some = np.ones(len(geometry.dx2), dtype=bool) if scope == SCOPES[0] else geometry.different()
        measured = _with_mean(geometry.last)[:, some]
        for prediction, values in predicted.items():
            told = _with_mean(values)[:, some]
            error = np.full(len(names), np.nan)
            if prediction in SCALED:
                off = np.abs(told / np.where(measured > 0, measured, np.nan) - 1)
                error = pd.DataFrame(off).median(axis=1).to_numpy()
            columns = {
                "network": names,
                "pearson": correlation(measured, told),
                "spearman": correlation(rankdata(measured, axis=1), rankdata(told, axis=1)),
                "error": error,
            }
            rows.append(pd.DataFrame({"pairs": scope, "prediction": prediction, **columns}))
    frame = pd.concat(rows, ignore_index=True)
    frame.insert(2, "in words", frame["prediction"].map(PREDICTIONS))
    return frame


def permuted(
    geometry: Geometry, rates: Mapping[str, Array], sums: Array | None, count: int, draw: np.random.Generator
) -> pd.DataFrame:
    """Compare correlations of the mean over networks with those after the classes of the items are shuffled.

    Pairs of different classes are here those that differ before and after.

    Parameters
    ----------
    rates, sums
        As in :meth:`Geometry.predictions`.
    count
        Number of permutations.
    draw
        Where they come from.

    Returns
    -------
    DataFrame
        A row for each scope and prediction: ``pearson``, the ``null`` median with its 2.5% and 97.5% quantiles, and
        ``p``, the share of correlations that are as high, the measured one among them.
    """
    measured, truth = _mean(geometry.last), geometry.different()

    def scores(labels: Labels) -> dict[tuple[str, str], float]:
        both = truth & geometry.different(labels)
        told = {name: _mean(values) for name, values in geometry.predictions(rates, sums, labels).items()}
        moving = {name: values for name, values in told.items() if name not in ("start", "input")}
        found = {(SCOPES[0], name): float(correlation(measured, values)) for name, values in moving.items()}
        return found | {
            (SCOPES[1], name): float(correlation(measured[both], v[both]))
            for name, v in moving.items()
            if name != "class"
        }

    seen = scores(geometry.labels)
    shuffled = pd.DataFrame([scores(draw.permutation(geometry.labels)) for _ in range(count)])
    rows = []
    for (scope, name), value in seen.items():
        null = shuffled[scope, name].to_numpy()
        low, middle, high = np.nanquantile(null, (0.025, 0.5, 0.975)) if np.isfinite(null).any() else [np.nan] * 3
        # Correlations that are equal but for rounding count as equal.
        as_high = np.sum(null >= value - 1e-12) if np.isfinite(value) else np.nan
        told = {"pairs": scope, "prediction": name, "in words": PREDICTIONS[name], "pearson": value}
        rows.append(told | {"null": middle, "null_low": low, "null_high": high, "p": (1 + as_high) / (1 + count)})
    return pd.DataFrame(rows)


def _with_mean(values: Array) -> Array:
    return np.concatenate([_mean(values)[None], values])


def _mean(values: Array) -> Array:
    """Average over the networks that have a value, ``(pair,)``; NaN where none has."""
    there = np.isfinite(values)
    total = np.where(there, values, 0.0).sum(axis=0)
    return np.where(there.any(axis=0), total / np.maximum(there.sum(axis=0), 1), np.nan)
