"""Features of items: what each is, and the columns by which it explains a representation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from syzygy.dimensions.given import numbers
from syzygy.errors import DataError, ShapeError, SpecificationError

Array = NDArray[np.float64]
Kind = Literal["binary", "categorical", "continuous"]

#: Features by name, each ``(item,)``, or continuous ones of several columns; a table; or ``(item, feature)``.
Given = Mapping[str, ArrayLike] | pd.DataFrame | ArrayLike


@dataclass(frozen=True)
class Feature:
    """One feature of some items.

    Attributes
    ----------
    name
        What it is called.
    kind
        ``binary`` and ``categorical`` features have classes, ``continuous`` ones have none.
    values
        As they were given, ``(item,)``; of a continuous feature ``(item, column)``.
    design
        What a representation is regressed on besides a constant, ``(item, column)``: whether an item is of each class
        but the first, or the values.
    """

    name: str
    kind: Kind
    values: NDArray[Any]
    design: Array

    @classmethod
    def of(cls, name: str, given: ArrayLike) -> Self:
        """Read a feature: floats are continuous unless they take two values alone; all else has classes.

        Raises
        ------
        ShapeError
            Something else than a value, or a few numbers, per item.
        DataError
            No finite number, one value alone, or a class of one item.

        Examples
        --------
        >>> [Feature.of("f", some).kind for some in (["a", "b", "a", "b"], [0.5, 0.1, 0.2], [1.0, -1, 1, -1])]
        ['binary', 'continuous', 'binary']
        """
        values = np.asarray(given)
        if values.ndim not in (1, 2) or 0 in values.shape:
            raise ShapeError(f"feature {name!r} must be (item,), or (item, column) of numbers; got {values.shape}")
        real = values.dtype.kind in "fc"
        if real and not np.isfinite(values).all():
            raise DataError(f"feature {name!r} has values that are not finite; take those items out")
        several = values.ndim == 2 and values.shape[1] > 1
        if several or (real and len(np.unique(values)) > 2):
            return cls(name, "continuous", values, _varied(name, values.reshape(len(values), -1)))
        classes, codes, counts = _classes(name, values.reshape(len(values)))
        if len(classes) < 2:
            raise DataError(f"feature {name!r} is {classes[0]} for all {len(values)} items: it explains nothing")
        if (counts < 2).any():
            alone = classes[int(counts.argmin())]
            raise DataError(
                f"{alone} of feature {name!r} has one item; each class needs two, one to learn from and one to judge "
                "by (a feature of numbers is given as floats)"
            )
        kind: Kind = "binary" if len(classes) == 2 else "categorical"
        return cls(name, kind, values.reshape(len(values)), np.eye(len(classes))[codes][:, 1:])


def read_features(given: Given, items: int | None = None) -> dict[str, Feature]:
    """Read features by name, all of the same items.

    Raises
    ------
    SpecificationError
        None at all.
    ShapeError
        Different numbers of items.
    DataError
        As :meth:`Feature.of`.

    Examples
    --------
    >>> found = read_features({"bit": [0, 1, 0, 1], "size": [0.1, 0.2, 0.3, 0.4]})
    >>> {name: one.kind for name, one in found.items()}
    {'bit': 'binary', 'size': 'continuous'}
    """
    if isinstance(given, pd.DataFrame):
        named: Mapping[str, Any] = {str(name): given[name].to_numpy() for name in given}
    elif isinstance(given, Mapping):
        named = {str(name): values for name, values in given.items()}
    else:
        array = np.asarray(given)
        if array.ndim not in (1, 2):
            raise ShapeError(f"features are (item, feature), or a dictionary from names to (item,); got {array.shape}")
        named = {str(index): column for index, column in enumerate(np.atleast_2d(array.T))}
    if not named:
        raise SpecificationError("there are no features; give at least one")
    found = {name: Feature.of(name, values) for name, values in named.items()}
    for name, one in found.items():
        if items is not None and len(one.values) != items:
            raise ShapeError(f"feature {name!r} has {len(one.values)} items and the representation {items}")
    return found


def present(name: str, given: ArrayLike) -> NDArray[np.bool_]:
    """Read a binary feature as whether it is present: the larger of its two values, ``(item,)``.

    Raises
    ------
    DataError
        A feature that is not binary; or as :meth:`Feature.of`.

    Examples
    --------
    >>> present("bit", [-1, 1, 1, -1]).tolist()
    [False, True, True, False]
    """
    feature = Feature.of(name, given)
    if feature.kind != "binary":
        raise DataError(f"feature {name!r} is {feature.kind}; present or absent are binary features only")
    return np.asarray(feature.design[:, 0] > 0)


def all_present(features: Mapping[str, ArrayLike], items: int) -> dict[str, NDArray[np.bool_]]:
    """Read binary features of so many items as whether each is present, ``(item,)`` by name.

    Raises
    ------
    ShapeError
        Another number of items.
    DataError
        As :func:`present`.

    Examples
    --------
    >>> {name: there.tolist() for name, there in all_present({"bit": [0, 1, 1, 0]}, 4).items()}
    {'bit': [False, True, True, False]}
    """
    there = {name: present(name, one) for name, one in features.items()}
    for name, one in there.items():
        if len(one) != items:
            raise ShapeError(f"feature {name!r} has {len(one)} items and the representation {items}")
    return there


def readable(given: ArrayLike, name: str = "representation", axes: Sequence[int] = (2,)) -> Array:
    """Read a representation as finite float64 with one of these numbers of axes, the last two ``(item, unit)``.

    Raises
    ------
    ShapeError
        Other axes, or an empty one.
    DataError
        Values that are no finite numbers.
    """
    x = numbers(given, name)
    if x.ndim not in axes or 0 in x.shape:
        before = " or with step, or network and step, before them" if len(axes) > 1 else ""
        raise ShapeError(f"{name} must be (item, unit){before}, at least one of each; got shape {x.shape}")
    if not np.isfinite(x).all():
        raise DataError(f"{name} has values that are not finite; leave out networks that diverged, and such items")
    return x


def _varied(name: str, values: NDArray[Any]) -> Array:
    try:
        x = values.astype(np.float64)
    except (TypeError, ValueError) as odd:
        raise DataError(f"feature {name!r} of several columns must be of numbers") from odd
    if not np.isfinite(x).all():
        raise DataError(f"feature {name!r} has values that are not finite; take those items out")
    if not np.ptp(x, axis=0).all():
        raise DataError(f"feature {name!r} has a column that is the same for all {len(x)} items; leave it out")
    return x


def _classes(name: str, values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp], NDArray[np.intp]]:
    """Give the classes, the class of each item, and how many items each has."""
    if values.dtype.kind == "O":
        if pd.isna(values).any():
            raise DataError(f"feature {name!r} lacks a value for some items; take those items out")
        values = values.astype(str)
    classes, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    return classes, codes, counts
