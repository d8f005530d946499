"""Arrays with named axes: items and units make a representation, every other axis makes several."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from syzygy.axes import ITEM, UNIT
from syzygy.errors import ShapeError
from syzygy.representations.representation import Representation

#: From an index of all axes to the array that is there.
Part = Callable[[tuple[Any, ...]], NDArray[Any]]


def separate(
    name: str, dims: Sequence[str], shape: Sequence[int], part: Part, labels: Mapping[str, Sequence[Any]]
) -> Iterator[Representation]:
    """Cut an array with named axes into representations.

    Parameters
    ----------
    name
        Of the array; the labels of what is cut are added to it, as in ``hidden/seed 3/step 100``.
    dims, shape
        Names and sizes of the axes.  One is ``item``; ``unit``, or whatever begins so, are units.  If none does and one
        axis is left, that one is.
    part
        Reads a part of the array.
    labels
        Of the axes that have any; those of ``item`` are the names of the items.

    Raises
    ------
    ShapeError
        No axis ``item``, or nothing that could be units.
    """
    others = [dim for dim in dims if dim != ITEM]
    units = [dim for dim in others if dim.startswith(UNIT)] or (others if len(others) == 1 else [])
    if ITEM not in dims or not units:
        raise ShapeError(f"{name or 'an array'} has the axes ({', '.join(dims)}); it needs one named item, one unit")
    apart = [dim for dim in others if dim not in units]
    sizes = dict(zip(dims, shape, strict=True))
    items = tuple(str(label) for label in labels[ITEM]) if ITEM in labels else None
    for places in product(*(range(sizes[dim]) for dim in apart)):
        at = dict(zip(apart, places, strict=True))
        where = {dim: _plain(labels[dim][place]) if dim in labels else place for dim, place in at.items()}
        yield Representation(
            joined(name, *(spoken(dim, label) for dim, label in where.items())),
            _reader(part, tuple(at.get(dim, slice(None)) for dim in dims), [dim for dim in dims if dim not in at]),
            (sizes[ITEM], *(sizes[dim] for dim in units)),
            items,
            where,
        )


def labelled(name: str, given: xr.DataArray | xr.Dataset) -> Iterator[Representation]:
    """Cut what xarray holds into representations: each variable of a Dataset that has items."""
    if isinstance(given, xr.Dataset):
        there = {str(key): array for key, array in given.data_vars.items() if ITEM in array.dims and array.ndim > 1}
        if not there:
            raise ShapeError(f"no variable of {name or 'the Dataset'} has the axes item and unit")
        for key, array in there.items():
            yield from labelled(joined(name, key), array)
        return
    labels = {str(dim): given.coords[dim].values for dim in given.dims if dim in given.coords}
    yield from separate(
        name, [str(dim) for dim in given.dims], given.shape, lambda index: np.asarray(given[index].values), labels
    )


def joined(*parts: str) -> str:
    """Put the parts of a name together, without those that are empty."""
    return "/".join(part for part in parts if part)


def spoken(dim: str, label: Any) -> str:
    """Name a place on an axis: text by itself, a number with its axis."""
    return label if isinstance(label, str) else f"{dim} {label}"


def _reader(part: Part, index: tuple[Any, ...], dims: Sequence[str]) -> Callable[[], NDArray[Any]]:
    return lambda: np.moveaxis(part(index), dims.index(ITEM), 0)


def _plain(label: Any) -> Any:
    return label.item() if isinstance(label, np.integer | np.floating | np.bool_) else str(label)
