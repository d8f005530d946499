"""What is given: representations, and labels of their items."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from syzygy.dimensions.given import numbers
from syzygy.errors import DataError, ShapeError, SpecificationError

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

#: What a set of labels is called that was given without a name.
UNNAMED: Final = "label"


def layers(given: ArrayLike | Mapping[str, ArrayLike]) -> dict[str, NDArray[np.floating]]:
    """Read representations ``(item, unit)`` by layer, axes after the item flattened into units.

    Raises
    ------
    ShapeError
        No items or units, or different numbers of items.
    DataError
        What is no finite number.
    SpecificationError
        No layers.

    Examples
    --------
    >>> {name: x.shape for name, x in layers(np.ones((4, 2, 3))).items()}
    {'representation': (4, 6)}
    """
    some = given if isinstance(given, Mapping) else {"representation": given}
    found = {str(name): _finite(str(name), x) for name, x in some.items()}
    if not found:
        raise SpecificationError("there are no representations; give (item, unit), or a dictionary of them by layer")
    (first, whole), *others = found.items()
    for name, x in others:
        if len(x) != len(whole):
            raise ShapeError(f"{name} has {len(x)} items and {first} {len(whole)}; give the same items")
    return found


def _finite(name: str, given: Any) -> NDArray[np.floating]:
    x = numbers(given, name, single=True)
    if x.ndim < 2 or 0 in x.shape:
        raise ShapeError(f"{name} must be (item, unit) with at least one of each, got shape {x.shape}")
    if not np.isfinite(x).all():
        raise DataError(f"{name} has values that are not finite; take those items out, and their labels")
    return np.asarray(x.reshape(len(x), -1))


def label_sets(given: ArrayLike | Mapping[str, ArrayLike], items: int) -> dict[str, Codes]:
    """Read labels as codes ``(item,)`` by the name of their set; -1 where an item has none.

    Parameters
    ----------
    given
        ``(item,)``, or ``(item, part)`` whose rows are labels; a dictionary from name to these.  None and NaN are no
        label, and a row that has one is none.
    items
        How many there must be.

    Raises
    ------
    ShapeError
        Another number, or more axes.
    SpecificationError
        No labels at all.

    Examples
    --------
    >>> label_sets({"token": ["a", "b", None], "bigram": [("a", 1), ("a", 2), ("a", 1)]}, 3)
    {'token': array([ 0,  1, -1]), 'bigram': array([0, 1, 0])}
    """
    some = given if isinstance(given, Mapping) else {UNNAMED: given}
    if not some:
        raise SpecificationError("there are no labels; give one for each item, or a dictionary of such sets")
    found = {}
    for name, one in some.items():
        array = np.asarray(one) if isinstance(one, np.ndarray) else np.asarray(_listed(one), dtype=object)
        if array.ndim not in {1, 2} or len(array) != items:
            raise ShapeError(f"labels {name!r} must be (item,) or (item, part) of {items} items, got {array.shape}")
        parts = [array] if array.ndim == 1 else list(array.T)
        found[str(name)] = joint([np.asarray(pd.factorize(part)[0], dtype=np.int64) for part in parts])
    return found


def _listed(one: Any) -> list[Any]:
    values = one.tolist() if hasattr(one, "tolist") else list(one)  # of pandas, xarray and PyTorch too
    return list(values)


def joint(parts: list[Codes]) -> Codes:
    """Give a code to every tuple of codes that occurs, in the order of their sorting; -1 where a part is none.

    Examples
    --------
    >>> joint([np.array([0, 0, 1, -1]), np.array([0, 1, 0, 0])])
    array([ 0,  1,  2, -1])
    """
    together = parts[0]
    for part in parts[1:]:
        missing = (together < 0) | (part < 0)
        pairs = np.where(missing, -1, together * (part.max(initial=0) + 1) + part)
        values, codes = np.unique(pairs, return_inverse=True)
        together = codes.astype(np.int64) - int(values[0] < 0)
    return together


@dataclass(frozen=True)
class Kept:
    """Labels with enough instances, and the items that have them.

    Attributes
    ----------
    items
        Which are kept, ``(item,)`` of all.
    codes
        Their labels, ``(kept item,)``, from 0 without gaps.
    sizes
        Instances of each label, ``(label,)``.
    left_out
        Labels with too few.
    single
        Labels with one instance.
    """

    items: NDArray[np.bool_]
    codes: Codes
    sizes: Codes
    left_out: int
    single: int

    @classmethod
    def of(cls, codes: Codes, least: int) -> "Kept":
        """Leave out labels with fewer instances than ``least``.

        Examples
        --------
        >>> kept = Kept.of(np.array([0, 0, 1, -1, 2, 2]), least=2)
        >>> kept.codes.tolist(), kept.sizes.tolist(), kept.left_out, kept.single
        ([0, 0, 1, 1], [2, 2], 1, 1)
        """
        counted = np.bincount(codes[codes >= 0])
        enough = counted >= max(least, 1)
        items = (codes >= 0) & enough[np.maximum(codes, 0)] if enough.any() else np.zeros(len(codes), dtype=bool)
        renamed = np.cumsum(enough) - 1
        return cls(
            items,
            renamed[codes[items]],
            counted[enough],
            int(((counted > 0) & ~enough).sum()),
            int((counted == 1).sum()),
        )
