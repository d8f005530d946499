"""Tables of what networks keep of two features: a row for each network, or for each of its recorded steps."""

import numpy as np
import pandas as pd

from syzygy.checks import UNLEARNED, Evidence
from syzygy.fitting.score import last_finite
from syzygy.studies.tables.feature_pairs import ratios
from syzygy.studies.tables.features import angle, effects, hidden_of, kept, last_of
from syzygy.trajectory import Trajectory


def after_learning(one: Evidence) -> pd.DataFrame:
    """Give a row for each network: its fate and loss, and what it keeps before and after learning.

    Parameters
    ----------
    one
        Networks, and the theory fitted to :func:`~syzygy.studies.tables.feature_pairs.pairs_of` them.

    Returns
    -------
    DataFrame
        Measures of :mod:`syzygy.studies.tables.features`, shares of the variance within a context (``interaction``)
        and in units of it (``apart``, of the variance between contexts), and ``ratio_…`` of
        :func:`~syzygy.studies.tables.feature_pairs.ratios`.  NaN for networks that diverged.
    """
    assert one.trajectory is not None
    assert one.fit is not None
    trajectory = one.trajectory
    hidden, loss = hidden_of(trajectory), trajectory.loss.astype(np.float64)
    there = np.asarray(trajectory.fates) != "diverged"
    first, last = hidden[:, 0], hidden[np.arange(len(hidden)), last_of(trajectory)]
    last[~there] = np.nan
    relevant, irrelevant, interaction = effects(last)
    within = relevant + irrelevant + interaction
    apart = np.square(np.diff(last.mean(axis=(2, 3)), axis=1)[:, 0] / 2).sum(axis=-1)
    frame = pd.DataFrame(
        {
            "seed": trajectory.seeds,
            "fate": trajectory.fates,
            "last_loss": last_finite(loss),
            "learned": there & (last_finite(loss) <= UNLEARNED * loss[:, 0]),
            "kept_start": kept(first),
            "kept": kept(last),
            "interaction": interaction / within,
            "angle_start": angle(first),
            "angle": angle(last),
            "apart": apart / within,
        }
    )
    ratio = {f"ratio_{name}": np.where(there, values, np.nan) for name, values in ratios(one.fit).items()}
    return frame.assign(**ratio)


def over_steps(trajectory: Trajectory) -> pd.DataFrame:
    """Give ``kept`` and ``loss``, a row for each network and recorded step."""
    network, step = (index.ravel() for index in np.indices(trajectory.loss.shape))
    values = {"kept": kept(hidden_of(trajectory)), "loss": trajectory.loss.astype(np.float64)}
    columns = {"seed": trajectory.seeds[network], "step": trajectory.steps[step]}
    return pd.DataFrame(columns | {name: value.ravel() for name, value in values.items()})
