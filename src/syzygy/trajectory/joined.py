"""Trees of some networks each, joined to one."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from syzygy.axes import NETWORK, STEP
from syzygy.errors import ShapeError
from syzygy.trajectory.made import measured_node, watched_node
from syzygy.trajectory.names import LAYERS, MEASURED, Array
from syzygy.trajectory.reading import measured, node, read, shared, targets, told


def joined(parts: Sequence[xr.DataTree]) -> xr.DataTree:
    """Join trees along ``network``.

    Raises
    ------
    ShapeError
        They were not recorded at the same steps, for the same items, inputs and targets, at the same layers.
    DataError
        One lies on disk, and is damaged.
    """
    _check_alike(parts)
    whole = xr.DataTree(xr.concat([part.to_dataset() for part in parts], NETWORK, data_vars="minimal"))
    whole.attrs["fates"] = json.dumps([fate for part in parts for fate in told(part, "fates")])
    for layer in told(parts[0], LAYERS):
        values = [read(node(part, layer), f"layer {layer!r}") for part in parts]
        whole[f"{LAYERS}/{layer}"] = watched_node(np.concatenate(values))
        if together := _together([(part.sizes[NETWORK], measured(part, layer)) for part in parts]):
            whole[f"{MEASURED}/{layer}"] = measured_node(together)
    return whole


def _check_alike(parts: Sequence[xr.DataTree]) -> None:
    first = parts[0]
    for index, part in enumerate(parts[1:], 1):
        same = {
            "steps": np.array_equal(shared(part, STEP), shared(first, STEP)),
            "items": told(part, "items") == told(first, "items"),
            "layers": told(part, LAYERS) == told(first, LAYERS),
            "inputs": np.array_equal(shared(part, "inputs"), shared(first, "inputs"), equal_nan=True),
            "targets": np.array_equal(targets(part), targets(first), equal_nan=True),
        }
        same |= {
            f"positions and units of {layer!r}": node(part, layer).shape[2:] == node(first, layer).shape[2:]
            for layer in told(first, LAYERS)
            if same["layers"]
        }
        if odd := [what for what, is_same in same.items() if not is_same]:
            raise ShapeError(
                f"trajectories 0 and {index} differ in their {odd[0]}, and cannot be joined; "
                "join networks of one architecture, recorded at the same steps for the same items"
            )


def _together(parts: Sequence[tuple[int, Mapping[str, Array]]]) -> dict[str, Array]:
    """Join what was measured of some networks each, NaN where it was not: of a network that was lost at once."""
    shapes = {name: values.shape[1:] for _, some in parts for name, values in some.items()}
    return {
        name: np.concatenate([some.get(name, np.full((networks, *shape), np.nan)) for networks, some in parts])
        for name, shape in shapes.items()
    }
