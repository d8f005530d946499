"""Which layers align first: when each is half-way to what it will be."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from syzygy.linalg import Work
from syzygy.measures import Measure
from syzygy.measures.measure import checked
from syzygy.studies.tables.alignments import SEEDS, Place
from syzygy.trajectory import Trajectory

Array = NDArray[np.float64]

#: A layer whose alignment changes by less has no half of the way.
MOVED: Final = 0.02


def settling(
    trajectories: Mapping[str, Trajectory], some: Sequence[Place], measures: Iterable[Measure], frame: pd.DataFrame
) -> pd.DataFrame:
    """Say when each layer is half-way from its start to its end.

    Parameters
    ----------
    trajectories, some, measures
        As in :func:`~syzygy.studies.tables.alignments.every_pair`.
    frame
        What :func:`~syzygy.studies.tables.alignments.matched` gave.

    Returns
    -------
    DataFrame
        A row for each measure, network and layer: ``start`` is the score of the untrained layer against its own end;
        ``half_way`` the step at which half of what is missing there has been made up; ``half_seeds`` the step at which
        the calibrated alignment with the same layer of other seeds is half-way from its start to its end.  NaN where
        they change by less than :data:`MOVED`.
    """
    chosen, work = list(measures), Work(chance=False)
    rows = []
    for one in some:
        trajectory = trajectories[one.network]
        values = [checked(x, one.name) for x in trajectory.representation(one.layer)[one.row]]
        for measure in chosen:
            prepared = [measure.prepare(x, work) for x in values]
            own = measure.block(prepared, prepared[-1:], work)[:, 0]
            about = {"measure": measure.label, "network": one.network, "seed": one.seed, "layer": one.layer}
            own[-1] = measure.best
            rows.append(about | {"depth": one.depth, "start": own[0], "half_way": half_way(trajectory.steps, own)})
    found = pd.DataFrame(rows)
    keys = ["measure", "network", "layer", "seed"]
    return found.join(_with_other_seeds(frame).rename("half_seeds"), on=keys)


def _with_other_seeds(frame: pd.DataFrame) -> pd.Series:
    """Give the step at which a layer is half-way to its alignment with other seeds."""
    pairs = frame[frame["kind"] == SEEDS]
    both = pd.concat([pairs, pairs.assign(seed=pairs["other_seed"])])
    keys = ["measure", "network", "layer", "seed"]
    averaged = both.groupby([*keys, "step"])["calibrated"].mean().unstack("step")
    steps = averaged.columns.to_numpy(dtype=float)
    return pd.Series([half_way(steps, row) for row in averaged.to_numpy()], averaged.index, dtype=float)


def half_way(steps: NDArray[np.number], values: Array) -> float:
    """Give the first step at which values are half-way from the first to the last, between records by log(1 + step).

    NaN where first and last differ by less than :data:`MOVED`, or are not known.

    Examples
    --------
    >>> half_way(np.array([0, 1, 3, 7]), np.array([0.2, 0.2, 0.4, 1.0])).__round__(3)
    4.04
    """
    way = values[-1] - values[0]
    if not np.isfinite(values).all() or abs(way) < MOVED:
        return float("nan")
    share, time = (values - values[0]) / way, np.log1p(np.asarray(steps, dtype=float))
    after = int(np.argmax(share >= 0.5))
    before = after - 1
    part = (0.5 - share[before]) / (share[after] - share[before])
    return float(np.expm1(time[before] + part * (time[after] - time[before])))


def by_layer(found: pd.DataFrame) -> pd.DataFrame:
    """Sum up :func:`settling` over seeds: medians and extremes, a row for each measure, network and layer."""
    grouped = found.groupby(["measure", "network", "layer"], sort=False)
    frame = grouped[["depth", "start"]].mean()
    for name in ("half_way", "half_seeds"):
        for end, how in (("", "median"), ("_first", "min"), ("_last", "max")):
            frame[f"{name}{end}"] = grouped[name].agg(how)
    frame["seeds"] = grouped.size()
    return frame.reset_index()
