"""The numbers of an explanation: pairs, layers, distances, items."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from syzygy.explanation.question import Places
from syzygy.explanation.scores import EXPLAINED, FORECAST, MODELS, Scores
from syzygy.explanation.shares import Halves

Array = NDArray[np.float64]

#: Distances on which the share may depend, by their name.
DISTANCES: Final[Mapping[str, str]] = {"representations": "of the representations, first seen",
                                       "inputs": "of the inputs", "targets": "of the targets"}  # fmt: skip
#: Bins of about as many pairs each.
BINS: Final = 5

CAPTIONS: Final = {
    "layers": "A row per layer. Shares of pairs, with 95% intervals over items: explained by the theory; forecast by "
    f"it (both scores of the later steps {EXPLAINED} or more), whoever is closest; forecast as well by a constant, a "
    "line, an exponential and a logistic; described in sample by rates fitted to all steps (R² of ‖dh‖² and of ‖dy‖² "
    f"{EXPLAINED} or more). Medians over pairs: forecast ‖dh‖² and ‖dy‖², the theory's scores; R², in sample; η_h and "
    "η_y, of the rates that are identified, per step. Numbers of pairs: unfitted, for which there are no rates; "
    "converged, where the search ended; identified; and of each regime.",
    "distance": "The share explained by squared distance: of the representations when first seen, of the inputs, of "
    "the targets. About as many pairs in each bin, from low to high; distances that are the same are not parted. "
    "Forecast: by the theory, whoever is closest. Intervals: 95% over items.",
    "trends": "Rank correlation, over pairs, of each squared distance with the theory's score (the worse of its two "
    "forecasts), with 95% intervals over items.",
    "items": "Every item of every layer, those of which the theory explains the fewest pairs first: the share of its "
    "pairs that is explained, and that the theory forecasts, whoever is closest; the median score of its pairs (the "
    "worse of the theory's two forecasts).",
    "pairs": "Every pair, the worst forecast first. Score: the worse of the theory's two. Forecast: the score of the "
    "later steps with rates of the first, one minus the mean squared error in units of the whole curve's variance; the "
    "same of curves without theory. Closest: whose two errors are the smallest in sum. Ahead η: rates of the first "
    "part, per step. η and R²: fitted to all steps, in sample, with 95% intervals.",
}


def pair_rows(network: str, scores: Scores, seeds: Sequence[int]) -> pd.DataFrame:
    """Give a row per network and pair of a layer."""
    fit, names = scores.fit, scores.fit.curves.pairs
    frame = fit.to_pandas().rename(columns={"network": "place"})
    one, other = zip(*names, strict=True)
    frame.insert(0, "network", network)
    frame.insert(1, "seed", np.array(seeds)[frame["place"]])
    frame.insert(2, "layer", scores.layer)
    frame.insert(3, "item", np.tile(np.array(one, dtype=object), len(seeds)))
    frame.insert(4, "other", np.tile(np.array(other, dtype=object), len(seeds)))
    judged: dict[str, Any] = {"explained": scores.explained, "score": scores.score}
    judged |= {f"forecast_{curve}": scores.forecast[0, place] for place, curve in enumerate(FORECAST)}
    judged |= {f"{model}_{curve}": scores.forecast[1 + index, place] for index, model in enumerate(MODELS[1:])
               for place, curve in enumerate(FORECAST)}  # fmt: skip
    judged |= {"closest": scores.closest, "ahead_eta_h": scores.ahead.eta_h.value,
               "ahead_eta_y": scores.ahead.eta_y.value}  # fmt: skip
    for place, (name, values) in enumerate(judged.items()):
        frame.insert(5 + place, name, values.ravel())
    return frame.drop(columns=["place", "pair"])


def layer_row(network: str, scores: Scores, halves: Halves) -> dict[str, Any]:
    """Summarise a layer."""
    fit, sure = scores.fit, scores.fit.identified
    described = np.all([fit.r2[curve] >= EXPLAINED for curve in FORECAST], axis=0)
    row: dict[str, Any] = {"network": network, "layer": scores.layer, "pairs": fit.fitted.size}
    row |= halves.share(scores.explained).columns("explained")
    row |= halves.share(scores.reached[0]).columns("forecast")
    row |= {model: halves.share(reached).value for model, reached in zip(MODELS[1:], scores.reached[1:], strict=True)}
    row |= halves.share(described).columns("in_sample")
    row |= {f"forecast_{curve}": _median(values) for curve, values in zip(FORECAST, scores.forecast[0], strict=True)}
    row |= {f"r2_{curve}": _median(fit.r2[curve]) for curve in ("h2", "y2", "w")}
    row |= {"unfitted": int((~fit.fitted).sum()), "converged": int(fit.converged.sum()), "identified": int(sure.sum())}
    row |= {name: _median(getattr(fit, name).value[sure]) for name in ("eta_h", "eta_y")}
    return row | {name: int((fit.regime == name).sum()) for name in ("rich", "encoder-lazy", "decoder-lazy")}


def distances(scores: Scores, inputs_known: bool) -> dict[str, Array]:
    """Give each distance of every pair, ``(network, pair)``, but for those that are unknown."""
    curves = scores.fit.curves
    shape = scores.score.shape
    found = {"representations": curves.h2[..., 0], "inputs": np.broadcast_to(curves.dx2, shape),
             "targets": np.broadcast_to(curves.dy2, shape)}  # fmt: skip
    return {name: values for name, values in found.items() if name != "inputs" or inputs_known}


def distance_rows(network: str, scores: Scores, known: Mapping[str, Array], halves: Halves) -> Iterator[dict[str, Any]]:
    """Give a row per distance and bin of a layer."""
    for name, values in known.items():
        bins = binned(values)
        for which in range(bins.max() + 1):
            some = bins == which
            row = {"network": network, "layer": scores.layer, "distance": name, "pairs": int(some.sum()),
                   "from": float(values[some].min()), "to": float(values[some].max())}  # fmt: skip
            row |= halves.share(scores.explained, some).columns("explained")
            yield row | {"forecast": halves.share(scores.reached[0], some).value}


def trend_rows(network: str, scores: Scores, known: Mapping[str, Array], halves: Halves) -> Iterator[dict[str, Any]]:
    """Give a row per distance of a layer: how its ranks go with those of the theory's score."""
    for name, values in known.items():
        found = halves.correlation(values, scores.score)
        yield {"network": network, "layer": scores.layer, "distance": name} | found.columns("correlation")


def item_rows(network: str, scores: Scores, pairs: Places, items: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Give a row per item of a layer."""
    places = np.array(pairs)
    for item in np.unique(places):
        some = (places == item).any(axis=1)
        yield {"network": network, "layer": scores.layer, "item": items[item], "pairs": scores.explained[:, some].size,
               "explained": scores.explained[:, some].mean(), "forecast": scores.reached[0][:, some].mean(),
               "score": _median(scores.score[:, some])}  # fmt: skip


def binned(values: Array) -> NDArray[np.intp]:
    """Put numbers into :data:`BINS` bins of about as many each, or fewer where many are the same; −1 is no number.

    Examples
    --------
    >>> binned(np.array([2.0, 0.0, 2.0, 2.0, np.nan])), binned(np.arange(10.0))
    (array([ 1,  0,  1,  1, -1]), array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4]))
    """
    there = np.isfinite(values)
    found = np.full(values.shape, -1)
    if there.any():
        # Rounded, for distances between targets that are the same but for rounding.
        known = np.array([float(f"{value:.6g}") for value in values[there]])
        edges = np.unique(known)
        if len(edges) > BINS:
            edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:], method="lower"))
        _, found[there] = np.unique(np.searchsorted(edges, known), return_inverse=True)
    return found


def _median(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else np.nan
