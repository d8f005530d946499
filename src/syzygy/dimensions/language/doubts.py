"""What to be wary of in a table of language: the evidence for one coded reason to doubt."""

from collections.abc import Iterator
from typing import Final

import pandas as pd

#: The code and title of these doubts, as a finding takes them.
DOUBT: Final = ("SZ023", "Labels or bins with too few items")
#: Shuffled labels should tell nothing; what they seem to is far from it above this, in units of log n.
FAR: Final = 0.05
#: Bins are many where more than this share of them has no item.
EMPTY: Final = 0.5


def doubts(table: pd.DataFrame) -> tuple[str, ...]:
    """Say what is doubtful, a line for each set of labels or layer.

    Parameters
    ----------
    table
        As :func:`~syzygy.dimensions.language.language` or :func:`~syzygy.dimensions.language.over_training` gives it.

    Examples
    --------
    >>> import numpy as np
    >>> from syzygy.dimensions.language import language
    >>> x, labels = np.random.default_rng(0).normal(size=(401, 3)), [*"ab" * 200, "c"]
    >>> for line in doubts(language(x, labels, permutations=0)):
    ...     print(line)
    label: 1 label with too few instances left out, 1 of them with a single one
    """
    return tuple(dict.fromkeys(line for check in (_rare, _far, _empty, _still) for line in check(table)))


def _rare(table: pd.DataFrame) -> Iterator[str]:
    """Labels left out for having too few instances."""
    rows = table[(table["measure"] == "regularity") & (table["left_out"] > 0)]
    for name, one in rows.groupby("label", sort=False):
        count, single = int(one["left_out"].max()), int(one["single"].max())
        alone = f", {single} of them with a single one" if single else ""
        yield f"{name}: {count} label{'s' * (count != 1)} with too few instances left out{alone}"


def _far(table: pd.DataFrame) -> Iterator[str]:
    """Shuffled labels that seem to tell much: labels are too many for the items."""
    rows = table[(table["measure"] == "regularity") & (table["chance"].abs() > FAR)]
    for (layer, name), one in rows.groupby(["layer", "label"], sort=False):
        chance, value = one[["chance", "value"]].to_numpy()[one["chance"].abs().to_numpy().argmax()]
        yield (
            f"{name} in {layer}: shuffled labels have a regularity of {chance:.2g}, the real ones of {value:.2g}; "
            "give more items or coarser labels"
        )


def _empty(table: pd.DataFrame) -> Iterator[str]:
    """Bins without items: a few far items make most of a range empty."""
    rows = table[(table["measure"] == "information") & (table["empty"] > EMPTY)]
    for layer, one in rows.groupby("layer", sort=False):
        yield f"{layer}: up to {one['empty'].max():.0%} of the bins have no item; use fewer bins, or look for far items"


def _still(table: pd.DataFrame) -> Iterator[str]:
    """Representations that are the same for all items."""
    rows = table[(table["measure"] == "information") & (table["value"] <= 0)]
    for layer in rows["layer"].unique():
        yield f"{layer}: all items have the same representation"
