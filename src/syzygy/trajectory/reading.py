"""The tree of a trajectory, read; it may lie on disk."""

import json
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from syzygy.errors import DataError, UnknownName
from syzygy.interrupts import interrupts_wait
from syzygy.trajectory.names import LAYERS, MEASURED, Array


def told(tree: xr.DataTree, name: str) -> Any:
    """Read what is kept as JSON: ``layers``, ``items``, ``fates`` or ``about``."""
    return json.loads(tree.attrs[name])


def shared(tree: xr.DataTree, name: str) -> NDArray[Any]:
    """Read an array that all layers share.

    Raises
    ------
    DataError
        It lies on disk, and is damaged.
    """
    return read(tree[name], name)


def targets(tree: xr.DataTree) -> Array:
    """Read targets, ``(item, output)``; those that are unknown are not kept, and NaN, one number for all of them."""
    if "targets" in tree:
        return shared(tree, "targets")
    return np.broadcast_to(np.nan, tree["outputs"].shape[2:])


def node(tree: xr.DataTree, layer: str) -> Any:  # a DataArray, which xarray's types do not say
    """Give a layer's array, unread.

    Raises
    ------
    UnknownName
        A layer that was not watched.
    """
    layers = told(tree, LAYERS)
    if layer not in layers:
        raise UnknownName("layer", layer, tuple(layers))
    return tree[LAYERS][layer]["representation"]


def measured(tree: xr.DataTree, layer: str) -> dict[str, Array]:
    """Read what was measured at a layer; nothing if nothing was."""
    if f"/{MEASURED}/{layer}" not in tree.groups:
        return {}
    found = tree[MEASURED][layer]
    return {str(name): np.asarray(variable.values) for name, variable in found.data_vars.items()}


def read(variable: Any, what: str) -> NDArray[Any]:
    """Read what may lie on disk.

    Raises
    ------
    DataError
        It does, and is damaged.
    """
    try:
        with interrupts_wait():
            return np.asarray(variable.values)
    except (OSError, ValueError, LookupError, RuntimeError, TypeError) as damaged:
        raise DataError(
            f"{what} cannot be read: {' '.join(str(damaged).split()) or type(damaged).__name__}"
        ) from damaged
