"""Whatever holds representations, taken apart into them."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from syzygy.errors import DataError, ShapeError, SpecificationError
from syzygy.journal import METADATA, is_journal, opened
from syzygy.representations.formats import Found, npy, npz, safetensors
from syzygy.representations.labelled import joined, labelled
from syzygy.representations.recorded import Record, Steps, recorded, stored
from syzygy.representations.representation import Representation
from syzygy.representations.zarrs import is_zarr, zarrs
from syzygy.store import FolderStore
from syzygy.trajectory import Trajectory

#: How files are opened, by the end of their name.
FORMATS: Final[Mapping[str, Callable[[Path], Found]]] = {".npy": npy, ".npz": npz, ".safetensors": safetensors}


def gathered(given: Any, layers: Sequence[str] | None = None, steps: Steps = "last") -> Found:
    """Take apart whatever holds representations.

    Parameters
    ----------
    given
        As :meth:`~syzygy.representations.Representations.of` says.
    layers, steps
        Of what was recorded, as :func:`~syzygy.representations.recorded.recorded` says.

    Returns
    -------
    tuple
        Representations, and a line for whatever was left out.
    """
    if isinstance(given, str | Path):
        return _of_path(Path(given), "", layers, steps)
    if isinstance(given, FolderStore):
        return _of_path(given.folder, "", layers, steps)
    if isinstance(given, Trajectory | Representation | xr.DataArray | xr.Dataset):
        return _named("", given, layers, steps)
    if isinstance(given, Mapping):
        if records := _records(given):
            return recorded(records, layers, steps)
        return _all(_named(str(name), one, layers, steps) for name, one in given.items())
    if isinstance(given, np.ndarray) and given.ndim < 3:
        raise ShapeError(f"one array {given.shape} was given; give several, as a list or a dictionary")
    if not isinstance(given, Iterable):
        raise SpecificationError(f"representations come as arrays, files or folders; got {type(given).__name__}")
    some = list(given)
    paths = [Path(one) for one in some if isinstance(one, str | Path)]
    names = iter(_apart(paths) if len(some) > 1 else [""] * len(paths))
    return _all(
        _of_path(Path(one), next(names), layers, steps)
        if isinstance(one, str | Path)
        else _named("" if isinstance(one, Representation) else str(index), one, layers, steps)
        for index, one in enumerate(some)
    )


def held(name: str, array: Any, **where: Any) -> Representation:
    """Make a representation of an array in memory, or of one that knows its shape and gives itself when asked."""
    if isinstance(array, torch.Tensor):
        array = array.detach().cpu().numpy()
    if hasattr(array, "shape") and hasattr(array, "dtype") and not isinstance(array, np.ndarray):  # of Zarr, HDF5
        return Representation(name, lambda: np.asarray(array[...]), tuple(array.shape), where=where)
    there = _array(name, array)
    return Representation(name, lambda: there, there.shape, where=where)


def _named(name: str, one: Any, layers: Sequence[str] | None, steps: Steps) -> Found:
    if isinstance(one, Representation):
        return [replace(one, name=name or one.name)], []
    if isinstance(one, Trajectory):
        return recorded([Record.of(one, name)], layers, steps)
    if isinstance(one, xr.DataArray | xr.Dataset):
        own = name or str(getattr(one, "name", None) or "")
        found = list(labelled(own, one))
        return [replace(each, name=each.name or "array") for each in found], []
    if isinstance(one, str | Path):
        return _of_path(Path(one), name, layers, steps)
    return [held(name, one)], []


def _of_path(path: Path, name: str, layers: Sequence[str] | None, steps: Steps) -> Found:
    """Open a file or folder.  A lone array is called by the file, several by their own names if the file is alone.

    The network of a recording is called by its folder, so that networks of several recordings are told apart.
    """
    if is_journal(path):
        return recorded([Record.growing(opened(path).path, name or path.resolve().name)], layers, steps)
    if path.is_dir():
        found, left_out = _of_folder(path, layers, steps)
    elif not path.exists():
        raise DataError(f"{path} is not there")
    elif path.suffix in FORMATS:
        found, left_out = FORMATS[path.suffix](path)
    else:
        raise SpecificationError(f"{path} is no {', '.join(FORMATS)}, .zarr or folder of a run; nothing else is read")
    return [replace(one, name=joined(name, one.name) or path.stem) for one in found], left_out


def _of_folder(folder: Path, layers: Sequence[str] | None, steps: Steps) -> Found:
    if is_zarr(folder):
        if _is_trajectory(folder):
            grows = (folder / METADATA).is_file()
            return recorded([Record.growing(folder) if grows else Record.at(folder)], layers, steps)
        return zarrs(folder)
    if journals := sorted(one for one in folder.iterdir() if is_journal(one)):
        return recorded([Record.growing(opened(one).path, one.name) for one in journals], layers, steps)
    if records := stored(folder):
        return recorded(records, layers, steps)
    what = "is empty" if not any(folder.iterdir()) else "is neither a run, nor Zarr"
    raise DataError(f"{folder} {what}; name files ({', '.join(FORMATS)}), a .zarr or the folder of a run")


def _is_trajectory(folder: Path) -> bool:
    return (folder / "layers").is_dir() and (folder / "loss").is_dir() and (folder / "outputs").is_dir()


def _records(given: Mapping[Any, Any]) -> list[Record]:
    """Take trajectories together, so that all of their networks are named alike; nothing unless all are."""
    if not given or not all(isinstance(one, Trajectory) for one in given.values()):
        return []
    return [Record.of(one, str(name)) for name, one in given.items()]


def _all(several: Iterable[Found]) -> Found:
    found: list[Representation] = []
    left_out: list[str] = []
    for some, without in several:
        found += some
        left_out += without
    return found, left_out


def _apart(paths: Sequence[Path]) -> list[str]:
    """Name files by as little of their path as tells them apart."""
    ways: list[list[str]] = [[path.stem if path.is_file() else path.name for path in paths]]
    ways += [["/".join(path.parts[-depth:]) for path in paths] for depth in range(1, 12)]
    return next((names for names in ways if max(Counter(names).values(), default=1) == 1), ways[0])


def _array(name: str, given: Any) -> NDArray[Any]:
    try:
        return np.asarray(given)
    except (ValueError, TypeError, RuntimeError) as odd:
        raise DataError(f"{name} is no array: {' '.join(str(odd).split())}") from odd
