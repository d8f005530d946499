"""Zarr stores, plain or written by xarray.  Shapes are read at once, arrays when they are asked for."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import zarr
from numpy.typing import NDArray

from syzygy.axes import ITEM, UNIT
from syzygy.errors import DataError
from syzygy.journal import contained
from syzygy.representations.formats import ITEMS, Found
from syzygy.representations.labelled import separate
from syzygy.representations.representation import Representation
from syzygy.representations.unchanged import reading, unchanged

#: Files that say what a folder of Zarr is.
GROUP: Final = ".zgroup"
ARRAY: Final = ".zarray"
EITHER: Final = "zarr.json"


def is_zarr(folder: Path) -> bool:
    """Whether a folder is a Zarr group or array."""
    return any((folder / name).is_file() for name in (GROUP, ARRAY, EITHER))


def opened(folder: Path) -> Any:
    """Open a Zarr group or array for reading, as it lies there: consolidated metadata could name other places.

    Raises
    ------
    DataError
        It is damaged, links lead out of it, or it asks for something to be unpickled.
    """
    with reading(folder):
        contained(folder)
        for file in (*folder.rglob(ARRAY), *folder.rglob(EITHER)):
            if _pickled(json.loads(file.read_text(encoding="utf-8"))):
                raise DataError(f"{file.parent} is stored as pickled objects, which are never unpickled")
        if (folder / EITHER).is_file():
            alone = json.loads((folder / EITHER).read_text(encoding="utf-8"))["node_type"] == "array"
            version: Literal[2, 3] = 3
        else:
            alone, version = (folder / ARRAY).is_file(), 2
        if alone:
            return zarr.open_array(folder, mode="r", zarr_format=version)
        return zarr.open_group(folder, mode="r", zarr_format=version, use_consolidated=False)


def zarrs(folder: Path) -> Found:
    """Open each array of two axes or more in a Zarr store.

    Axes named ``item`` and ``unit`` are taken as such, and others make several representations; where axes have no
    names, items come first.  Items are named by a coordinate ``item`` beside the array, or an attribute ``items``.
    """
    top = opened(folder)
    watched = unchanged(folder)
    with reading(folder):
        arrays = {"": top} if isinstance(top, zarr.Array) else dict(_arrays(top))
    axes = {dim for array in arrays.values() for dim in _dims(array)} | {ITEMS}
    found: list[Representation] = []
    left_out = []
    for name, array in arrays.items():
        if array.ndim > 1:
            with reading(folder):
                labels = _labels(name, arrays, top.attrs)
            for one in separate(name, _dims(array), array.shape, partial(_part, array), labels):
                found.append(replace(one, read=watched(one.read), where={"file": str(folder), **one.where}))
        elif name.rpartition("/")[2] not in axes:
            left_out.append(f"{name or folder.name} of {folder} has {array.ndim} axes, and is no representation")
    if not found:
        raise DataError(f"{folder} holds no array (item, unit)")
    return found, left_out


def _labels(name: str, arrays: Mapping[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Read the coordinates of an array: arrays beside it that are called as its axes are, or an attribute."""
    group, array = name.rpartition("/")[0], arrays[name]
    beside = {dim: f"{group}/{dim}" if group else dim for dim in _dims(array)}
    found: dict[str, Any] = {dim: _part(arrays[path], ()) for dim, path in beside.items() if path in arrays}
    named = array.attrs.get(ITEMS, attributes.get(ITEMS))
    if named is not None:
        found.setdefault(ITEM, json.loads(named) if isinstance(named, str) else named)
    return found


def _arrays(group: Any) -> Any:
    return sorted((name, node) for name, node in group.members(max_depth=None) if isinstance(node, zarr.Array))


def _dims(array: Any) -> tuple[str, ...]:
    """Give the names of the axes; where they have none, the first is the item and the rest are units."""
    named = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    if named and all(named) and (ITEM in named or array.ndim == 1):
        return tuple(named)
    return (ITEM, *(f"{UNIT} {axis}" for axis in range(1, array.ndim)))


def _part(array: Any, index: tuple[Any, ...]) -> NDArray[Any]:
    return np.asarray(array[index])


def _pickled(metadata: Any) -> bool:
    """Whether a codec anywhere in the metadata would unpickle."""
    if isinstance(metadata, Mapping):
        names = (str(metadata.get(key)) for key in ("id", "name"))
        return any("pickle" in name for name in names) or any(_pickled(value) for value in metadata.values())
    return isinstance(metadata, list) and any(_pickled(value) for value in metadata)
