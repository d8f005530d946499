"""One recorded run through and past perfect fitting: curves, similarity to itself at other steps, phases."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from syzygy.alignment import align
from syzygy.chance.sample import half_samples
from syzygy.course import Descent, agreement, double_descent, perfect_fit, phases
from syzygy.course.probes import PENALTY
from syzygy.errors import DataError
from syzygy.linalg import u_centred
from syzygy.measures import Measure, measure
from syzygy.studies.tables.watching import Watched
from syzygy.trajectory import Trajectory

Array = NDArray[np.float64]

#: What decision regions are called among the measures.
REGIONS: Final = "decision_regions"
#: So many phases are compared between networks: before, during and after memorising.
THREE: Final = 3


@dataclass(frozen=True)
class Fitting:
    """What became of the networks of one setting while they fitted their labels.

    Attributes
    ----------
    curves
        A row for each seed and recorded step: ``loss``; ``train`` and ``test``, the shares of learned and held-out
        items that are classified as labelled; ``by_lot``, that of learned items whose label was drawn by lot; and
        ``perfect_fit``, whether every label is fitted from this step on.
    maps
        A row for each seed, layer, measure and pair of steps: ``score``, and for :data:`REGIONS` its standard error
        over planes, ``error``.
    phases
        A row for each seed, layer and start of a phase: ``start``, the first step of the later one; ``low`` and
        ``high``, between which the change lies with 95%; ``phases``, their number; ``explained``, the share of the
        scatter between them; and ``three``, that of the best three.  A layer of one phase has a row without a start.
    descent
        Whether the test error descends twice, over all seeds; None with fewer than three steps.
    left_out
        A line for everything that could not be compared.
    """

    curves: pd.DataFrame
    maps: pd.DataFrame
    phases: pd.DataFrame
    descent: Descent | None
    left_out: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        seen: Trajectory,
        watched: Watched | None = None,
        measures: Iterable[str | Measure] = ("cka",),
        *,
        name: str = "network",
        draws: int = 50,
        penalty: float = PENALTY,
        seed: int = 0,
    ) -> Self:
        """Analyse any recorded run of a classification.

        Parameters
        ----------
        seen
            The run.
        watched
            What its items are; by default :meth:`Watched.of` it.
        measures
            By which each layer is compared with itself at every other step, at the held-out items.
        name
            Of the setting.
        draws
            Halves of the held-out items, for the intervals of phases.
        penalty
            Of the probes.
        seed
            Of the draws.

        Raises
        ------
        DataError
            Every network diverged.
        ShapeError
            One step only, or fewer items than a measure needs.
        SpecificationError
            Targets that are no labels.

        Examples
        --------
        >>> from syzygy.recording import log_spaced
        >>> from syzygy.tasks import digits
        >>> from syzygy.training import train
        >>> seen = train(digits(per_class=2), "shallow", steps=60, learning_rate=0.2, record=log_spaced(5))
        >>> found = Fitting.of(seen)
        >>> found.maps[found.maps["step"] == found.maps["other"]].groupby("measure")["score"].mean().round(6).tolist()
        [1.0, 1.0]
        """
        which = watched or Watched.of(seen)
        rows = [row for row, fate in enumerate(seen.fates) if fate != "diverged"]
        if not rows:
            raise DataError(f"every network of {name} diverged; lower the learning rate")
        some, left = [measure(one) for one in measures], list[str]()
        maps, cuts = [], []
        for row in rows:
            there = np.isfinite(seen.loss[row])
            steps, about = seen.steps[there], {"network": name, "seed": int(seen.seeds[row])}
            for depth, layer in enumerate(seen.layers):
                values = seen.representation(layer)[row, there].astype(np.float64)
                place = about | {"layer": layer, "depth": (depth + 1) / len(seen.layers)}
                held = values[:, which.held_out]
                maps += [_long(score, steps, place | {"measure": label}) for label, score in _alike(held, some).items()]
                try:
                    maps.append(_regions(which.decisions(values, penalty), steps, place))
                except DataError as none:
                    left.append(f"{name}, seed {about['seed']}, {layer}: {none}")
                cuts.append(_phases(held, steps, place, draws, seed))
        curves = pd.concat([_curves(seen, which, row, name) for row in rows], ignore_index=True)
        return cls(
            curves,
            pd.concat(maps, ignore_index=True),
            pd.concat(cuts, ignore_index=True),
            _descent(seen, which, rows),
            tuple(left),
        )


def _alike(held: Array, measures: Sequence[Measure]) -> dict[str, Array]:
    """Compare a layer at each step with itself at each other, ``(step, step)`` by measure: through the engine."""
    found = align({str(place): one for place, one in enumerate(held)}, measures, permutations=0)
    return {one.label: found.score(one).values for one in measures}


def _long(score: Array, steps: NDArray[np.int64], about: dict[str, object], error: Array | None = None) -> pd.DataFrame:
    first, second = np.indices(score.shape).reshape(2, -1)
    spread = np.full(score.size, np.nan) if error is None else error.ravel()
    return pd.DataFrame(about | {"step": steps[first], "other": steps[second], "score": score.ravel(), "error": spread})


def _regions(decided: NDArray[np.intp], steps: NDArray[np.int64], about: dict[str, object]) -> pd.DataFrame:
    alike = agreement(decided)
    error = alike.std(axis=0, ddof=1) / np.sqrt(len(alike)) if len(alike) > 1 else None
    return _long(alike.mean(axis=0), steps, about | {"measure": REGIONS}, error)


def _phases(held: Array, steps: NDArray[np.int64], about: dict[str, object], draws: int, seed: int) -> pd.DataFrame:
    """Cut a layer's own course, by debiased CKA; halves of the items give the intervals."""
    middle = held - held.mean(axis=1, keepdims=True)
    grams = middle @ middle.transpose(0, 2, 1)
    halves = half_samples(held.shape[1], draws, np.random.default_rng(seed))
    whole, sampled = _cka(grams), np.array([_cka(grams[:, items[:, None], items]) for items in halves])
    if not (np.isfinite(whole).all() and np.isfinite(sampled).all()):
        return pd.DataFrame([about | {"phases": np.nan}])  # at some step all items are the same
    found = phases(whole, sampled)
    three = phases(whole, count=min(THREE, len(held))).explained
    numbers = {"phases": found.count, "explained": found.explained, "three": three}
    rows = [
        {"start": steps[start], "low": steps[max(0, low - 1)], "high": steps[high]}
        for start, low, high in zip(found.starts, found.low, found.high, strict=True)
    ]
    return pd.DataFrame([about | numbers | row for row in rows or [{}]])


def _cka(grams: Array) -> Array:
    """Give the debiased alignment of all linear kernels ``(step, item, item)`` with all, ``(step, step)``."""
    flat = np.array([u_centred(gram).ravel() for gram in grams])
    norm = np.linalg.norm(flat, axis=1)
    rounding = np.finfo(np.float64).eps * grams.shape[1] * np.abs(grams).max(axis=(1, 2))
    flat /= np.where(norm > rounding, norm, np.nan)[:, None]
    return np.asarray(flat @ flat.T)


def _curves(seen: Trajectory, which: Watched, row: int, name: str) -> pd.DataFrame:
    right = _right(seen, which, row)
    train = right[:, which.learned].mean(axis=1)
    fitted = perfect_fit(train)
    return pd.DataFrame(
        {
            "network": name,
            "seed": int(seen.seeds[row]),
            "step": seen.steps[np.isfinite(seen.loss[row])],
            "loss": seen.loss[row][np.isfinite(seen.loss[row])],
            "train": train,
            "test": right[:, which.held_out].mean(axis=1),
            "by_lot": right[:, which.learned[which.by_lot]].mean(axis=1) if which.by_lot.any() else np.nan,
            "perfect_fit": np.arange(len(train)) >= (len(train) if fitted is None else fitted),
        }
    )


def _right(seen: Trajectory, which: Watched, row: int) -> NDArray[np.bool_]:
    """Say which items are classified as labelled, ``(step, item)``, while the network lived."""
    there = np.isfinite(seen.loss[row])
    return np.asarray(seen.outputs[row, there].argmax(axis=-1) == which.labels)


def _descent(seen: Trajectory, which: Watched, rows: Sequence[int]) -> Descent | None:
    """Look at the test error of all seeds together, where they lived through the same steps."""
    several = [_right(seen, which, row)[:, which.held_out] for row in rows]
    steps = min(len(one) for one in several)
    if steps < 3 or which.held_out.size < 2:
        return None
    return double_descent(np.mean([one[:steps] for one in several], axis=0))
