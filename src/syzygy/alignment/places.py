"""Where representations come from, as coordinates."""

from collections.abc import Hashable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from syzygy.axes import OTHER_REPRESENTATION, REPRESENTATION
from syzygy.representations import Representations


def places(some: Representations) -> dict[str, Any]:
    """Give what is known of representations as coordinates of both axes, as in ``layer`` and ``other layer``.

    What is not known of one is NaN among numbers, and empty among words.
    """
    known = {name: None for one in some for name in one.where}
    found = {name: (REPRESENTATION, _joined([one.where.get(name) for one in some])) for name in known}
    return found | {f"other {name}": (OTHER_REPRESENTATION, values) for name, (_, values) in found.items()}


def one_sided(data: xr.Dataset) -> xr.Dataset:
    """Leave out what :func:`two_sided` gives back: Zarr knows no coordinates with a space in their names."""
    return data.drop_vars(
        [name for name, values in data.coords.items() if _known_of(OTHER_REPRESENTATION, name, values)]
    )


def two_sided(data: xr.Dataset) -> xr.Dataset:
    """Say of the other representation too what is known of each."""
    known = {name: values for name, values in data.coords.items() if _known_of(REPRESENTATION, name, values)}
    return data.assign_coords({f"other {name}": (OTHER_REPRESENTATION, v.values) for name, v in known.items()})


def _known_of(axis: str, name: Hashable, values: xr.DataArray) -> bool:
    return values.dims == (axis,) and name != axis


def _joined(values: list[Any]) -> NDArray[Any]:
    given = [value for value in values if value is not None]
    if all(isinstance(value, int | np.integer) for value in given) and len(given) == len(values):
        return np.array(values, dtype=np.int64)
    if all(isinstance(value, int | float | np.number) for value in given):
        return np.array([np.nan if value is None else float(value) for value in values])
    return np.array(["" if value is None else str(value) for value in values])
