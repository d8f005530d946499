"""Trajectories on disk, found by what was asked.

A store is a folder.  A trajectory lies in it under a key, the hash of the specification that made it, as a
Zarr group that xarray (``xr.open_datatree``) reads without us.  It is there whole or not at all.  Beside it lie the
trained weights, as safetensors, where other trainings start from them.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import xarray as xr
from filelock import FileLock
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from syzygy.axes import NETWORK, STEP
from syzygy.errors import DataError
from syzygy.files import whole_file, whole_folder
from syzygy.interrupts import interrupts_wait
from syzygy.trajectory import Trajectory

SCHEMA = 1
CHUNK_BYTES = 16_000_000

Specification = Mapping[str, Any]

#: Of each network, by its seed: from the name of a weight to its values.
Weights = Mapping[int, Mapping[str, NDArray[Any]]]


def key(asked: Specification) -> str:
    """Hash a specification: the same for the same content, whatever the order of its keys.

    Examples
    --------
    >>> key({"a": 1, "b": [2]}) == key({"b": [2], "a": 1})
    True
    """
    canonical = json.dumps({"schema": SCHEMA, **asked}, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


class Store(Protocol):
    """Where trajectories are kept; what a memory and a folder have in common."""

    def __contains__(self, asked: Specification) -> bool:
        """Whether the trajectory of this specification is there."""

    def get(self, asked: Specification) -> Trajectory:
        """Give the trajectory of a specification; ``KeyError`` if it is not there."""

    def put(self, asked: Specification, trajectory: Trajectory) -> None:
        """Keep a trajectory under its specification."""

    def weights(self, asked: Specification) -> Weights | None:
        """Give the trained weights of a specification; None if they are not there."""

    def put_weights(self, asked: Specification, weights: Weights) -> None:
        """Keep trained weights under their specification."""

    def alone(self, asked: Specification) -> AbstractContextManager[Any]:
        """Wait until nobody else trains this specification, and keep others waiting."""


class MemoryStore:
    """Trajectories in memory."""

    def __init__(self) -> None:
        self._kept: dict[str, Trajectory] = {}
        self._weights: dict[str, Weights] = {}

    def __contains__(self, asked: Specification) -> bool:
        return key(asked) in self._kept

    def get(self, asked: Specification) -> Trajectory:
        """Give the trajectory of a specification."""
        return self._kept[key(asked)]

    def put(self, asked: Specification, trajectory: Trajectory) -> None:
        """Keep a trajectory under its specification."""
        self._kept[key(asked)] = trajectory

    def weights(self, asked: Specification) -> Weights | None:
        """Give the trained weights of a specification; None if they are not there."""
        return self._weights.get(key(asked))

    def put_weights(self, asked: Specification, weights: Weights) -> None:
        """Keep trained weights under their specification."""
        self._weights[key(asked)] = weights

    def alone(self, asked: Specification) -> AbstractContextManager[Any]:  # noqa: ARG002  (a memory has one user)
        """Go on at once."""
        return nullcontext()


class FolderStore:
    """Trajectories in a folder, one Zarr group each.

    Parameters
    ----------
    folder
        Made when the first trajectory is put.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def __contains__(self, asked: Specification) -> bool:
        return self._path(asked).is_dir()

    def get(self, asked: Specification) -> Trajectory:
        """Read the trajectory of a specification.

        Raises
        ------
        KeyError
            It is not there.
        DataError
            It is there, but damaged.
        """
        if asked not in self:
            raise KeyError(key(asked))
        path = self._path(asked)
        try:
            with interrupts_wait(), xr.open_datatree(path, engine="zarr", consolidated=False) as tree:
                loaded = tree.load()
            if loaded.attrs.pop("digest") != _digest(loaded):
                raise ValueError("its content is not what was written")
            return Trajectory(loaded)
        except (OSError, ValueError, LookupError, RuntimeError) as damaged:
            raise DataError(f"{path} is damaged ({damaged}); remove it and run again") from damaged

    def put(self, asked: Specification, trajectory: Trajectory) -> None:
        """Write a trajectory, whole or not at all."""
        with interrupts_wait(), whole_folder(self._path(asked)) as part:
            tree = trajectory.tree.copy()
            tree.attrs["digest"] = _digest(trajectory.tree)
            encoding = {node.path: _chunks(node.to_dataset(inherit=False)) for node in tree.subtree}
            tree.to_zarr(part, mode="w", encoding=encoding, zarr_format=2, consolidated=False)

    def weights(self, asked: Specification) -> Weights | None:
        """Read the trained weights of a specification; None if they are not there.

        Raises
        ------
        DataError
            They are there, but damaged.
        """
        path = self._weights_path(asked)
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="np") as file:
                read = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                if (file.metadata() or {}).get("digest") != _digest_of_weights(read):
                    raise ValueError("its content is not what was written")
            found: dict[int, dict[str, NDArray[Any]]] = {}
            for name, values in read.items():
                seed, _, weight = name.partition("/")
                found.setdefault(int(seed), {})[weight] = values
            return found
        except (SafetensorError, OSError, ValueError) as damaged:
            raise DataError(f"{path} is damaged ({damaged}); remove it and run again") from damaged

    def put_weights(self, asked: Specification, weights: Weights) -> None:
        """Write trained weights, whole or not at all."""
        flat = {f"{seed}/{name}": np.ascontiguousarray(v) for seed, of in weights.items() for name, v in of.items()}
        with whole_file(self._weights_path(asked)) as part:
            part.write_bytes(save(flat, metadata={"digest": _digest_of_weights(flat)}))

    def alone(self, asked: Specification) -> AbstractContextManager[Any]:
        """Wait until no other process trains this specification; a process that ends, however, lets go."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / f"{key(asked)}.lock")

    def checkpoint(self, asked: Specification) -> Path:
        """Where the unfinished training of a specification keeps its checkpoints."""
        return self.folder / f"{key(asked)}.training"

    def _path(self, asked: Specification) -> Path:
        return self.folder / f"{key(asked)}.zarr"

    def _weights_path(self, asked: Specification) -> Path:
        return self.folder / f"{key(asked)}.safetensors"


def _digest(tree: xr.DataTree) -> str:
    """Hash everything: Zarr itself gives other numbers for some damaged chunks, and NaN for missing ones."""
    total = hashlib.sha256(json.dumps(dict(tree.attrs), sort_keys=True).encode())
    for node in sorted(tree.subtree, key=lambda node: node.path):
        for name, variable in sorted(node.to_dataset(inherit=False).variables.items()):
            total.update(f"{node.path}/{name} {variable.dtype} {variable.shape}".encode())
            total.update(np.ascontiguousarray(variable.values).tobytes())
    return total.hexdigest()


def _digest_of_weights(weights: Mapping[str, NDArray[Any]]) -> str:
    total = hashlib.sha256()
    for name, values in sorted(weights.items()):
        total.update(f"{name} {values.dtype} {values.shape}".encode())
        total.update(np.ascontiguousarray(values).tobytes())
    return total.hexdigest()


def _chunks(node: xr.Dataset) -> dict[str, Any]:
    """One network and about 16 MB of steps a chunk: what an analysis reads together lies together."""
    encoding = {}
    for name, variable in node.data_vars.items():
        sizes = dict(variable.sizes)
        if NETWORK in sizes and STEP in sizes:
            row = variable.nbytes // max(1, sizes[NETWORK] * sizes[STEP])
            sizes |= {NETWORK: 1, STEP: min(sizes[STEP], max(1, CHUNK_BYTES // max(1, row)))}
            encoding[str(name)] = {"chunks": tuple(sizes.values())}
    return encoding
