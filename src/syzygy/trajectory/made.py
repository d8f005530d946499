"""The tree of a trajectory, made of arrays."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from syzygy.axes import INPUT, ITEM, NETWORK, OUTPUT, STEP
from syzygy.errors import ShapeError, UnknownName
from syzygy.trajectory.names import LAYERS, MEASURED, MEASURES, POSITIONED, WATCHED, Array


def made(
    *,
    steps: ArrayLike,
    loss: Array | None,
    outputs: Array | None,
    representations: Mapping[str, Array],
    inputs: Array | None,
    targets: Array | None,
    items: Sequence[str],
    seeds: ArrayLike,
    gains: ArrayLike | None,
    fates: Sequence[str] | None,
    about: Mapping[str, Any] | None,
    measured: Mapping[str, Mapping[str, Array]] | None,
) -> xr.DataTree:
    """Put arrays together; they are those of :meth:`~syzygy.trajectory.Trajectory.of`, with its errors."""
    shape = (len(np.atleast_1d(seeds)), np.size(steps), len(items))
    networks, _, count = shape
    arrays = _shared(loss, outputs, inputs, targets, shape)
    _check_counts({"inputs": inputs, "targets": targets}, count)
    _check_counts({"gains": gains, "fates": fates}, networks)
    coordinates = {
        STEP: (STEP, np.asarray(steps, dtype=np.int64)),
        "seed": (NETWORK, np.asarray(seeds, dtype=np.int64)),
        "gain": (NETWORK, np.asarray(np.ones(networks) if gains is None else gains, dtype=np.float64)),
    }
    told = {
        LAYERS: json.dumps(list(representations)),
        "items": json.dumps(list(items), ensure_ascii=False),
        "fates": json.dumps(list(fates or ["trained"] * networks)),
        "about": json.dumps(dict(about or {}), ensure_ascii=False, sort_keys=True),
    }
    tree = xr.DataTree(xr.Dataset(arrays, coords=coordinates, attrs=told))
    for layer, values in representations.items():
        rest = np.shape(values)[3:] if np.ndim(values) == len(POSITIONED) else np.shape(values)[-1:]
        _check(values, (*shape, *rest), f"layer {layer!r}")
        tree[f"{LAYERS}/{layer}"] = watched_node(values)
    for layer, some in (measured or {}).items():
        for name, values in some.items():
            if name not in MEASURES:
                raise UnknownName("measure", name, MEASURES)
            _check(values, (*shape[:2], *np.shape(values)[2:]), name)
        tree[f"{MEASURED}/{layer}"] = measured_node(some)
    return tree


def watched_node(values: Array) -> xr.DataTree:
    """Make the node of a layer, of ``(network, step, item, unit)`` or ``(network, step, item, position, unit)``."""
    axes = POSITIONED if np.ndim(values) == len(POSITIONED) else WATCHED
    return xr.DataTree(xr.Dataset({"representation": (axes, values)}))


def measured_node(values: Mapping[str, Array]) -> xr.DataTree:
    """Make the node of what was measured at a layer."""
    return xr.DataTree(xr.Dataset({name: ((NETWORK, STEP, *MEASURES[name]), values[name]) for name in sorted(values)}))


def _shared(
    loss: Array | None, outputs: Array | None, inputs: Array | None, targets: Array | None, shape: tuple[int, int, int]
) -> dict[str, tuple[tuple[str, ...], Array]]:
    """Give what all layers share, NaN or of no width where it is unknown; ``shape`` is ``(network, step, item)``.

    Unknown targets are left out: as NaN they would take twice the room of the outputs.
    """
    width = next((np.shape(one)[-1] for one in (targets, outputs) if one is not None), 0)
    loss = np.full(shape[:2], np.nan) if loss is None else loss
    outputs = np.full((*shape, width), np.nan, np.float32) if outputs is None else outputs
    inputs = np.zeros((shape[2], 0), np.float32) if inputs is None else inputs
    _check(outputs, (*shape, width), "outputs")
    _check(loss, shape[:2], "loss")
    flat = np.reshape(inputs, (len(inputs), np.size(inputs) // max(1, len(inputs))))
    known = {} if targets is None or np.isnan(targets).all() else {"targets": ((ITEM, OUTPUT), targets)}
    return {
        "loss": ((NETWORK, STEP), loss),
        "outputs": ((NETWORK, STEP, ITEM, OUTPUT), outputs),
        "inputs": ((ITEM, INPUT), flat),
        **known,
    }


def _check_counts(given: Mapping[str, Any], count: int) -> None:
    for what, some in given.items():
        if some is not None and len(np.atleast_1d(np.asarray(some))) != count:
            raise ShapeError(f"{what} must be {count}, one per item or network; got {len(np.atleast_1d(some))}")


def _check(array: Array, shape: tuple[int, ...], what: str) -> None:
    if np.shape(array) != shape:
        raise ShapeError(f"{what} must be (network, step, item, …) = {shape}, got {np.shape(array)}")
