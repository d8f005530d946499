"""Which equations describe a network best: seven models of the same curves, judged alike.

All models are fitted to the same curves from the same start, and searched for from the same first guesses of their
rates.  Two judges then rank them: the error on recorded steps that no fit has seen, and an information criterion.
Formulas are in ``docs/theory/rivals.md``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from syzygy.errors import SpecificationError
from syzygy.fitting.pairs import PairCurves
from syzygy.fitting.problems import CURVES, Problems
from syzygy.fitting.rivals.candidates import MODELS, models_of
from syzygy.fitting.rivals.criterion import Criterion, above_best, criterion, ranked
from syzygy.fitting.rivals.search import first_rates
from syzygy.fitting.rivals.trial import CONSTANTS, Trial
from syzygy.fitting.score import deviation
from syzygy.theory import ExactState

Array = NDArray[np.float64]

#: What models are ranked by.
SCORES: Final = ("held_out", "aicc", "bic")


@dataclass(frozen=True)
class Rivals:
    """Models of the same curves, and how they did.  Arrays are ``(network, pair, model)`` unless said otherwise.

    Attributes
    ----------
    curves
        What was fitted.
    models
        Names, in the order of the last axis.
    share
        Of the recorded steps, that which was fitted to be scored on the rest.
    constants
        Fitted to all recorded steps, ``(network, pair, model, 3)``: ``eta_h`` and ``eta_y`` per step, and the excess of
        the decoder's gain where a model has it; NaN elsewhere.
    objective
        Sum of squares at the minimum, over all recorded steps: the sum of 1 − R² over curves.
    rms
        Root mean square error on held-out steps, by curve; infinite where a model runs away on them.
    r2
        The same as a share, ``1 − (rms/deviation)²``, with the standard deviation of the whole curve; by curve.
    criterion
        AIC, AICc and BIC of the fits to all recorded steps.
    left_out
        Models that were asked for and could not be fitted to any pair, and why.
    notes
        Why there is no fit, or no score; empty where all is well.
    """

    curves: PairCurves
    models: tuple[str, ...]
    share: float
    constants: Array
    objective: Array
    rms: Mapping[str, Array]
    r2: Mapping[str, Array]
    criterion: Criterion
    left_out: Mapping[str, str]
    notes: NDArray[np.str_]

    @property
    def held_out(self) -> Array:
        """Error on held-out steps: root of the mean of ``1 − r2`` over the curves that move."""
        missed = 1 - np.stack(list(self.r2.values()))
        moves = ~np.isnan(missed)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.sqrt(np.where(moves, missed, 0.0).sum(axis=0) / moves.sum(axis=0)))

    def score(self, name: str) -> Array:
        """Give ``held_out``, ``aicc`` or ``bic``; lower is better.

        Raises
        ------
        SpecificationError
            Another score.
        """
        if name not in SCORES:
            raise SpecificationError(f"a score is one of {', '.join(SCORES)}; got {name!r}")
        scores: dict[str, Array] = {"held_out": self.held_out, "aicc": self.criterion.aicc, "bic": self.criterion.bic}
        return scores[name]

    def rank(self, name: str) -> NDArray[np.intp]:
        """Give the place of each model by a score, 0 the best; failed models come last."""
        return ranked(self.score(name))

    def wins(self, name: str) -> NDArray[np.intp]:
        """Count the pairs of each network in which a model is the best by a score, ``(network, model)``."""
        return np.asarray(np.sum((self.rank(name) == 0) & np.isfinite(self.score(name)), axis=1))

    def to_pandas(self) -> pd.DataFrame:
        """Give one row per network, pair and model."""
        network, pair, model = (index.ravel() for index in np.indices(self.objective.shape))
        columns: dict[str, object] = {
            "network": network,
            "pair": [" – ".join(self.curves.pairs[index]) for index in pair],
            "model": np.array(self.models)[model],
        }
        columns |= {name: self.constants[..., i].ravel() for i, name in enumerate(CONSTANTS)}
        columns["objective"] = self.objective.ravel()
        columns |= {f"rms_{curve}": values.ravel() for curve, values in self.rms.items()}
        columns |= {f"r2_{curve}": values.ravel() for curve, values in self.r2.items()}
        observations = np.broadcast_to(self.criterion.observations[..., None], self.objective.shape)
        columns |= {"observations": observations.ravel(), "parameters": self.criterion.parameters.ravel()}
        for name in SCORES:
            columns |= {name: self.score(name).ravel(), f"rank_{name}": self.rank(name).ravel() + 1}
        columns |= {f"delta_{name}": above_best(self.score(name)).ravel() for name in ("aicc", "bic")}
        columns |= {"weight": self.criterion.weight.ravel(), "note": self.notes.ravel()}
        return pd.DataFrame(columns)

    def summary(self) -> pd.DataFrame:
        """Give one row per model, those that were left out included.

        ``wins_…`` counts pairs of all networks in which a model is the best, ``networks_…`` networks in which it is so
        most often.  ``error`` is the median error on held-out steps in standard deviations of the curves, ``delta_…``
        the median distance from the best criterion.
        """
        frame = pd.DataFrame({"model": self.models, "pairs": np.isfinite(self.objective).sum(axis=(0, 1))})
        for name in SCORES:
            wins = self.wins(name)
            frame[f"wins_{name}"] = wins.sum(axis=0)
            frame[f"networks_{name}"] = np.sum((ranked(-wins.astype(np.float64)) == 0) & (wins > 0), axis=0)
        frame["error"] = _median(self.held_out)
        for name in ("aicc", "bic"):
            frame[f"delta_{name}"] = _median(above_best(self.score(name)))
        frame["weight"] = _median(self.criterion.weight)
        frame["failed"] = np.sum(~np.isfinite(self.objective + self.held_out), axis=(0, 1))
        missing = pd.DataFrame({"model": list(self.left_out), "note": list(self.left_out.values())})
        return pd.concat([frame.assign(note=""), missing], ignore_index=True) if len(missing) else frame.assign(note="")


def compare_models(
    curves: PairCurves,
    *,
    outputs: int,
    start: ExactState | None = None,
    target: ArrayLike | None = None,
    layer: int | None = None,
    layers: int | None = None,
    models: tuple[str, ...] = MODELS,
    share: float = 0.5,
) -> Rivals:
    """Fit several models to every pair of every network, and rank them.

    Parameters
    ----------
    curves
        What was measured.
    outputs
        Outputs of the network.  With one, ``exact`` fits the unknown gain of the decoder; with more it needs ``start``.
    start
        State of the exact theory at the first recorded step, ``(network, pair)``, as measured by linearising.
    target
        Differences of the targets, ``(pair, output)``; needed with ``start``.
    layer, layers
        Weight matrices before the representation, and of the whole network, for ``depth``.
    models
        Which, of :data:`syzygy.fitting.rivals.candidates.MODELS`.
    share
        Of the recorded steps: that which is fitted before the rest is predicted.

    Returns
    -------
    Rivals
        NaN for pairs that start from one representation, do not move, or run away from every start.

    Raises
    ------
    UnknownName
        A model that does not exist.
    SpecificationError
        A share that is not between 0 and 1, no outputs, half a start, or no model that can be fitted.
    ShapeError, DataError
        A start of other pairs, or not the one of the curves.

    Examples
    --------
    >>> from syzygy.fitting import pair_curves
    >>> from syzygy.tasks import two_points
    >>> from syzygy.training import train
    >>> curves = pair_curves(train(two_points(), "two_layer", steps=1000))
    >>> rivals = compare_models(curves, outputs=1, models=("paper", "exact"))
    >>> rivals.held_out.shape, rivals.to_pandas()["model"].tolist()
    ((1, 1, 2), ['paper', 'exact'])
    """
    if not 0 < share < 1:
        raise SpecificationError(f"share is a part of the recorded steps, between 0 and 1; got {share!r}")
    there, left_out = models_of(curves, outputs, start=start, target=target, layer=layer, layers=layers, names=models)
    whole, early = Problems(curves, "curve"), Problems(curves.between(0, share), "curve")
    rates = first_rates(whole), first_rates(early)
    trials = [Trial.of(model, whole, early, rates) for model in there]
    best = np.argmin([np.nan_to_num(trial.objective, nan=np.inf) for trial in trials], axis=0)
    time = np.take_along_axis(np.stack([trial.time for trial in trials]), best[None, :, None], axis=0)[0]
    shape = (*curves.h2.shape[:2], len(there))

    def side_by_side(name: str) -> NDArray[Any]:
        values = np.stack([getattr(trial, name) for trial in trials], axis=1)
        return values.reshape(*shape, *values.shape[2:])

    unit = deviation(np.where(whole.there[:, None], whole.measured, np.nan)).reshape(*shape[:2], -1)
    count = whole.there.sum(axis=1).reshape(*shape[:2], 1)
    rms = side_by_side("rms")
    with np.errstate(divide="ignore", invalid="ignore"):
        r2 = np.where(unit[:, :, None] > 0, 1 - (rms / unit[:, :, None]) ** 2, np.nan)
    fits = [model.constants for model in there]
    return Rivals(
        curves,
        tuple(model.name for model in there),
        share,
        side_by_side("constants"),
        side_by_side("objective"),
        {name: rms[..., i] for i, name in enumerate(CURVES)},
        {name: r2[..., i] for i, name in enumerate(CURVES)},
        criterion(side_by_side("sse"), count, time.reshape(*shape[:2], -1), unit, fits),
        left_out,
        side_by_side("note"),
    )


def _median(values: Array) -> Array:
    """Median over networks and pairs, ``(model,)``; NaN where there is none."""
    flat = values.reshape(-1, values.shape[-1])
    return np.array([np.median(one[~np.isnan(one)]) if (~np.isnan(one)).any() else np.nan for one in flat.T])
