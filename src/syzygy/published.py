"""Numbers that the paper's published code gives, kept as a small table with its source."""

import math
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student


def published(study: str, quantity: str) -> Mapping[str, float]:
    """Give a quantity by case; empty where the published code gives none.

    Parameters
    ----------
    study
        As ``syzygy list`` names it.
    quantity
        As a claim of that study, or a column of its tables, is named.

    Examples
    --------
    >>> published("two-points", "ratio")["shallow"]
    0.503
    """
    return MappingProxyType(_table().get(study, {}).get(quantity, {}))


def chance(number: float, measured: ArrayLike) -> float:
    """Say how likely one more of our networks is to lie as far from the others as a published number does.

    Parameters
    ----------
    number
        Published, of one network; positive.
    measured
        The same of our networks, one each, ``(network,)``; what is not finite and positive is left out.

    Returns
    -------
    float
        Two-sided p of Student's t of the logarithms, NaN for fewer than two networks.

    Examples
    --------
    >>> round(chance(2.0, [1.0, 2.0, 4.0]), 6), round(chance(40.0, [1.0, 2.0, 4.0]), 3)
    (1.0, 0.065)
    """
    values = np.asarray(measured, dtype=np.float64)
    log = np.log(values[np.isfinite(values) & (values > 0)])
    if len(log) < 2 or not number > 0:
        return math.nan
    distance = abs(math.log(number) - log.mean())
    spread = log.std(ddof=1) * math.sqrt(1 + 1 / len(log))
    return float(2 * student.sf(distance / spread, len(log) - 1)) if spread > 0 else float(distance == 0)


def source() -> str:
    """Say where the numbers come from."""
    return str(_table()["source"])


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads((files("syzygy") / "published.toml").read_text(encoding="utf-8"))
