"""Numbers that the paper's published code gives, kept as a small table with its source."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any


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


def source() -> str:
    """Say where the numbers come from."""
    return str(_table()["source"])


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads((files("syzygy") / "published.toml").read_text(encoding="utf-8"))
