"""Training cut in two at one step, the turn, and what curves do on its two sides."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t

#: Share of the training loss's fall that is done at the turn.
FALLEN: Final = 0.9
#: Of the intervals over seeds.
LEVEL: Final = 0.95
#: Fewest recorded steps that have a slope.
LEAST: Final = 3


def turn(steps: NDArray[np.int64], loss: NDArray[np.floating]) -> int:
    """Give the first recorded step at which a loss has done :data:`FALLEN` of its way from the first to the least.

    Examples
    --------
    >>> turn(np.array([0, 1, 10, 100]), np.array([2.0, 1.0, 0.1, 0.0]))
    10
    """
    reached = loss <= loss[0] - FALLEN * (loss[0] - np.nanmin(loss))
    return int(steps[np.flatnonzero(reached)[0]])


def over_seeds(values: Sequence[float]) -> tuple[float, float, float]:
    """Give mean and the interval by Student's t; NaN where a value is missing, or where there is one alone.

    Examples
    --------
    >>> [round(one, 2) for one in over_seeds([1.0, 2.0, 3.0])]
    [2.0, -0.48, 4.48]
    """
    some = np.asarray(values, dtype=float)
    if len(some) < 2:
        return float(some.mean()) if len(some) else np.nan, np.nan, np.nan
    wide = t.ppf((1 + LEVEL) / 2, len(some) - 1) * some.std(ddof=1) / np.sqrt(len(some))
    return float(some.mean()), float(some.mean() - wide), float(some.mean() + wide)


def courses(spoken: pd.DataFrame, turns: Mapping[tuple[str, int], int]) -> pd.DataFrame:
    """Say of each curve what happens up to the turn and after it.

    Parameters
    ----------
    spoken
        As :func:`~syzygy.studies.tables.language.followed` gives it, of several networks.
    turns
        The turn by network and seed.

    Returns
    -------
    DataFrame
        A row for each ``network, seed, estimator, layer, depth, label, measure``: ``before`` and ``after``, what is
        gained from the first recorded step to the turn, and from there to the last; ``slope``, per tenfold step, of a
        straight line through the recorded steps from the turn on, NaN where they are fewer than :data:`LEAST`.
    """
    keys = ["network", "seed", "estimator", "layer", "depth", "label", "measure"]
    rows = []
    for key, curve in spoken.groupby(keys, sort=False):
        own = dict(zip(keys, key, strict=True))
        at, value = curve["step"].to_numpy(), curve["corrected"].to_numpy()
        later = at >= max(1, turns[str(own["network"]), int(str(own["seed"]))])
        here = value[np.argmax(later)]
        slope = np.polyfit(np.log10(at[later]), value[later], 1)[0] if later.sum() >= LEAST else np.nan
        rows.append(own | {"before": here - value[0], "after": value[-1] - here, "slope": slope})
    return pd.DataFrame(rows, columns=[*keys, "before", "after", "slope"])
