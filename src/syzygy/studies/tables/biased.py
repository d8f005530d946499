"""What the study of feature bias measures of one arm."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from syzygy.dimensions.features import FeatureVariance, ablated, flips, preference
from syzygy.studies.arms import Arm
from syzygy.tasks.bits import FEATURES, told
from syzygy.trajectory import Trajectory

Array = NDArray[np.float64]

#: A feature is computed from this accuracy on.
COMPUTED: Final = 0.95


@dataclass(frozen=True)
class Biased:
    """What is measured of one arm.

    Attributes
    ----------
    arm
        Its setting.
    shares
        A row for each seed, step, layer and feature, as :class:`~syzygy.dimensions.features.FeatureVariance` gives it.
    computed
        By seed, whether both features are computed at the end.
    last
        By seed, the last hidden layer at the end, ``(item, unit)``.
    rates, halves, readers, ablation
        Of the seeds that compute both: what becomes of items that are moved, which feature a reader follows, and what
        is left without the largest components.
    notes
        Reasons to doubt.
    """

    arm: Arm
    shares: pd.DataFrame
    computed: Mapping[int, bool]
    last: Mapping[int, Array]
    rates: pd.DataFrame
    halves: pd.DataFrame
    readers: pd.DataFrame
    ablation: pd.DataFrame
    notes: tuple[str, ...]

    @classmethod
    def of(cls, arm: Arm, seen: Trajectory, *, folds: int, seed: int) -> Self | None:
        """Measure an arm; None if all of its networks diverged.

        Parameters
        ----------
        arm
            Its setting.
        seen
            Its networks.
        folds, seed
            Of the watched items.
        """
        alive = np.flatnonzero([fate != "diverged" for fate in seen.fates])
        if not len(alive):
            return None
        labels = told(seen.inputs.astype(np.float64), arm.easy, arm.hard)
        outputs = seen.outputs[alive].astype(np.float64)
        right = ((outputs > 0) == (labels > 0)).mean(axis=2)
        learned = dict(zip(FEATURES, np.moveaxis(right, -1, 0), strict=True))
        found = FeatureVariance(folds=folds, seed=seed).fit(
            {layer: seen.representation(layer)[alive] for layer in seen.layers},
            dict(zip(FEATURES, labels.T, strict=True)),
            accuracy={name: one for name, one in learned.items() if arm.learned in ("both", name)},
        )
        shares = found.table_.rename(columns={"network": "seed"})
        shares["seed"], shares["step"] = seen.seeds[alive][shares["seed"]], seen.steps[shares["step"]]
        shares.insert(0, "arm", arm.name)
        layer = seen.layers[-1]
        last = {int(seen.seeds[one]): seen.seen(layer, int(one), -1).astype(np.float64) for one in alive}
        computed = {int(seen.seeds[one]): bool((right[place, -1] >= COMPUTED).all()) for place, one in enumerate(alive)}
        some = [one for one, both in computed.items() if both]
        features = dict(zip(FEATURES, labels.T, strict=True))
        ends = dict(zip(last, outputs[:, -1], strict=True))
        tested = {one: flips(last[one], features, readout(last[one], ends[one]), seed=seed) for one in some}
        return cls(
            arm,
            shares,
            computed,
            last,
            _joined(arm, {one: test.rates for one, test in tested.items()}),
            _joined(arm, {one: test.halves for one, test in tested.items()}),
            _joined(arm, {one: pd.DataFrame([preference(last[one], *labels.T)._asdict()]) for one in some}),
            _joined(arm, {one: ablated(last[one], features, readout(last[one], ends[one]), seed=seed) for one in some}),
            tuple(found.notes_),
        )


def readout(representation: Array, outputs: Array) -> Callable[[Array], Array]:
    """Recover the linear map from a last hidden layer to the outputs.

    It is exact for whatever lies in the span of the items, as means of them and their differences do.

    Parameters
    ----------
    representation
        ``(item, unit)``.
    outputs
        ``(item, output)``.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(20, 3))
    >>> bool(np.allclose(readout(x, x @ [[1.0], [2.0], [3.0]] + 4)(x[:1] - x[1:2]), (x[0] - x[1]) @ [1, 2, 3] + 4))
    True
    """
    mean = representation.mean(axis=0)
    weights = np.linalg.lstsq(representation - mean, outputs - outputs.mean(axis=0), rcond=1e-6)[0]
    return lambda x: (x - mean) @ weights + outputs.mean(axis=0)


def _joined(arm: Arm, frames: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    parts = []
    for seed, frame in frames.items():
        frame.insert(0, "seed", seed)
        frame.insert(0, "arm", arm.name)
        parts.append(frame)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
