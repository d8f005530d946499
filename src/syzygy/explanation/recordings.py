"""Recordings on disk, opened as trajectories; representations are read layer by layer."""

from pathlib import Path

import xarray as xr

from syzygy.errors import DataError
from syzygy.interrupts import interrupts_wait
from syzygy.journal import METADATA, counted, is_journal, opened
from syzygy.representations.unchanged import reading
from syzygy.representations.zarrs import is_zarr
from syzygy.representations.zarrs import opened as checked
from syzygy.trajectory import LAYERS, Trajectory


def recordings(path: Path) -> dict[str, Trajectory]:
    """Open what lies at a path: a recording, which may still be growing; several of them; or a trajectory in Zarr.

    Parameters
    ----------
    path
        A folder that :class:`syzygy.Recorder` or ``syzygy extract`` wrote, a folder of such folders, or a Zarr store
        that holds a trajectory.

    Returns
    -------
    dict
        By the name of the folder.

    Raises
    ------
    DataError
        Nothing of the kind is there, or it is damaged.
    RunError
        A recording without a step.
    """
    if not path.is_dir():
        why = "is not there" if not path.exists() else "is a file, and recordings are folders"
        raise DataError(f"{path} {why}; name the folder of a run or of a recording, or a .zarr trajectory")
    if is_journal(path):
        return {path.resolve().name: opened(path).trajectory}
    if is_zarr(path):
        return {path.resolve().stem: _zarr(path)}
    inside = sorted(one for one in path.iterdir() if is_journal(one))
    if inside:
        return {one.name: opened(one).trajectory for one in inside}
    raise DataError(f"{path} is no recording; name the folder of a run or of a recording, or a .zarr trajectory")


def _zarr(path: Path) -> Trajectory:
    """Open a trajectory in Zarr, after a look at its links and codecs."""
    if (path / METADATA).is_file() and (path.parent / "manifest.json").is_file():
        return counted(path).trajectory
    group = checked(path)
    if LAYERS not in getattr(group, "attrs", {}) or not {"loss", "outputs", "inputs"} <= set(group):
        raise DataError(f"{path} is Zarr, but no trajectory; it needs loss, outputs, inputs and layers")
    with reading(path), interrupts_wait():
        return Trajectory(xr.open_datatree(path, engine="zarr", consolidated=False, cache=False, chunks=None))
