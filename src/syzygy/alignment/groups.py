"""Representations that belong together: the layers of a network, the sessions of a subject."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from syzygy.axes import REPRESENTATION
from syzygy.errors import UnknownName


def groups(data: xr.Dataset, by: Sequence[str]) -> tuple[list[str], list[int]]:
    """Group representations by what is known of them.

    Parameters
    ----------
    data
        Of an :class:`~syzygy.alignment.Alignment`.
    by
        Coordinates of representations.

    Returns
    -------
    list, list
        The groups' names, in the order in which they appear, and the group of each representation.

    Raises
    ------
    UnknownName
        A coordinate that is not there.
    """
    known = [str(name) for name, values in data.coords.items() if values.dims == (REPRESENTATION,)]
    for name in by:
        if name not in known:
            raise UnknownName("coordinate", name, [one for one in known if one != REPRESENTATION])
    if len(by) == 1:
        values = data[by[0]].values
    else:
        columns = [data[name].values.astype(str) for name in by]
        values = np.array([" ".join(parts) for parts in zip(*columns, strict=True)])
    names = list(dict.fromkeys(values.tolist()))
    return names, [names.index(value) for value in values.tolist()]
