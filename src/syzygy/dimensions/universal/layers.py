"""What is taken apart: networks, each a dictionary of layers ``(item, unit)`` of the same items."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.dimensions.given import numbers
from syzygy.errors import DataError, ShapeError, SpecificationError

Array = NDArray[np.float64]
#: From network to layer to ``(item, unit)``.
Layers = dict[str, dict[str, Array]]


@runtime_checkable
class Grouped(Protocol):
    """What knows which of its representations are layers of one network."""

    def by_network(self) -> Mapping[str, Mapping[str, ArrayLike]]:
        """Give ``(item, unit)`` by network and layer."""


Given = Mapping[str, Mapping[str, ArrayLike]] | Grouped


def checked(given: Given, least: int = 1, what: str = "representations") -> Layers:
    """Read networks and layers as finite float64, axes after the item flattened into units.

    Parameters
    ----------
    given
        From network to layer to ``(item, unit)``, or what groups itself so.
    least
        So many networks are needed.
    what
        They are, for messages.

    Raises
    ------
    SpecificationError
        Something else, fewer networks, or one without layers.
    ShapeError
        Different numbers of items, or no units.
    DataError
        What is no finite number.

    Examples
    --------
    >>> checked({"a": {"hidden": [[1, 2], [3, 4]]}})["a"]["hidden"].shape
    (2, 2)
    """
    some = given.by_network() if isinstance(given, Grouped) else given
    if not isinstance(some, Mapping):
        raise SpecificationError(
            f"{what}: a dictionary from network to a dictionary from layer to (item, unit); got {type(some).__name__}"
        )
    if empty := [str(name) for name, one in some.items() if not isinstance(one, Mapping) or not one]:
        raise SpecificationError(
            f"{empty[0]} of the {what} must be a dictionary from at least one layer to (item, unit)"
        )
    if len(some) < least:
        named = f" ({next(iter(some))})" if some else ""
        raise SpecificationError(
            f"{len(some)} network{'s' * (len(some) != 1)}{named} of the {what}: dimensions are predicted from other "
            f"networks; give at least {least}"
        )
    found = {
        str(network): {str(layer): _array(f"{layer} of {network}", x) for layer, x in layers.items()}
        for network, layers in some.items()
    }
    counts = {f"{layer} of {network}": len(x) for network, layers in found.items() for layer, x in layers.items()}
    (first, items), *others = counts.items()
    for name, count in others:
        if count != items:
            raise ShapeError(f"{name} has {count} items and {first} {items}; give the same items, in the same order")
    return found


def joined(layers: Mapping[str, Array]) -> Array:
    """Put all layers of a network side by side, ``(item, unit)``."""
    return np.concatenate(list(layers.values()), axis=1)


def _array(name: str, given: Any) -> Array:
    x = numbers(given, name)
    if x.ndim < 2 or 0 in x.shape:
        raise ShapeError(f"{name} must be (item, unit) with at least one of each, got shape {x.shape}")
    if not np.isfinite(x).all():
        raise DataError(f"{name} has values that are not finite; take those items out of every network")
    return x.reshape(len(x), -1)
