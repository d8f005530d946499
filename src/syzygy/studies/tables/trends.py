"""How a number goes along a setting: it falls, it levels off, it crosses one."""

from typing import Final

import numpy as np
import pandas as pd
from scipy import stats

#: A trend takes so many places of the setting.
FEWEST: Final = 3
#: A number has levelled off where it is within this factor of that at the far end.
LEVEL: Final = 2.0
#: The far end is one in so many places.
FAR: Final = 4


def falling(values: pd.Series) -> float:
    """Spearman's correlation of a setting (the index) and values; NaN for fewer than three.

    Examples
    --------
    >>> falling(pd.Series([9.0, 4.0, 1.0], index=[1, 2, 8]))
    -1.0
    """
    return float(stats.spearmanr(values.index, values).statistic) if len(values) >= FEWEST else np.nan


def far_end(values: pd.Series) -> float:
    """Give the median over the last quarter of the places.

    Examples
    --------
    >>> far_end(pd.Series([9.0, 4.0, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0]))
    4.5
    """
    return float(values.iloc[-max(1, len(values) // FAR) :].median())


def levelled(values: pd.Series) -> float:
    """Give the first place from which on every value is within a factor of two of the far end; NaN for few.

    Examples
    --------
    >>> levelled(pd.Series([9.0, 1.0, 4.0, 1.9, 1.0], index=[1, 2, 3, 5, 8]))
    5.0
    """
    if len(values) < FEWEST:
        return np.nan
    outside = np.flatnonzero(np.abs(np.log(values / far_end(values))) > np.log(LEVEL))
    first = int(outside[-1]) + 1 if len(outside) else 0
    return float(values.index[first]) if first < len(values) else np.nan


def crossing(values: pd.Series) -> float:
    """Give where the absolute value first grows past one, on lines through logarithms; NaN if it never does.

    Examples
    --------
    >>> round(crossing(pd.Series([-0.1, -10.0], index=[1.0, 4.0])), 9)
    2.0
    """
    log = np.log(np.maximum(values.abs().to_numpy(dtype=float), 1e-300))
    after = np.flatnonzero((log[1:] > 0) & (log[:-1] <= 0))
    if not len(after):
        return np.nan
    first = int(after[0])
    low, high = np.log(values.index[first : first + 2].to_numpy(dtype=float))
    return float(np.exp(low - (high - low) * log[first] / (log[first + 1] - log[first])))
