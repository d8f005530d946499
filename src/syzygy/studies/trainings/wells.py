"""A particle in three wells, seen in warped coordinates: simulated, or from files."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from syzygy.dimensions.latent_dynamics import ThreeWells
from syzygy.dimensions.latent_dynamics.score import cell_means
from syzygy.dimensions.latent_dynamics.simulated import wells
from syzygy.errors import DataError

Array = NDArray[np.float64]

#: Files of a folder of data.
FILES: Final = ("positions.npy", "warped.npy")


@dataclass(frozen=True)
class Wells:
    """Trajectories, and what is known of them.

    Attributes
    ----------
    true, given
        For each trajectory, ``(frame, coordinate)``: where the particle is, and what is seen of it.
    force
        Displacement that the true force makes in a frame, for each trajectory.
    centres, populations
        Of the wells, ``(well, coordinate)`` and ``(well,)``: by the law that is simulated, or counted in the files.
    """

    true: list[Array]
    given: list[Array]
    force: list[Array]
    centres: Array
    populations: Array


@lru_cache(maxsize=2)
def simulated(frames: int, trajectories: int, draw: int) -> Wells:
    """Simulate so many frames in all, in trajectories of one length."""
    law = ThreeWells()
    true, given = law.simulate(trajectories=trajectories, frames=frames // trajectories, seed=draw)
    return Wells(
        true, given, [law.interval * law.force(one) for one in true], np.asarray(law.centres[:3]), law.populations()
    )


@lru_cache(maxsize=2)
def of_files(folder: str, frames: int, lag: int) -> Wells:
    """Read the first frames of files.

    The force is the mean displacement in cells of a grid, over the lag; wells are what k-means finds, the largest
    first.

    Raises
    ------
    DataError
        Files that are missing, damaged, or of other shapes.
    """
    true, given = (_read(path)[:frames] for path in files(folder))
    if true.shape != given.shape:
        raise DataError(f"{' and '.join(FILES)} must be of the same frames; got {true.shape} and {given.shape}")
    moved = np.zeros_like(true)
    if len(true) > lag:
        moved[:-lag] = cell_means((true[lag:] - true[:-lag]) / lag, true[:-lag])
    centres = KMeans(3, n_init=4, random_state=0).fit(true[:: max(1, len(true) // 10_000)]).cluster_centers_
    shares = np.bincount(wells(true, centres), minlength=3) / len(true)
    order = np.argsort(-shares, kind="stable")
    return Wells([true], [given], [moved], centres[order], shares[order])


def files(folder: str) -> list[Path]:
    """Give the files of a folder of data.

    Raises
    ------
    DataError
        One that is missing.
    """
    paths = [Path(folder).expanduser() / name for name in FILES]
    for path in paths:
        if not path.is_file():
            raise DataError(f"no {path.name} in {folder}; put {' and '.join(FILES)} there, (frame, 2) each")
    return paths


def _read(path: Path) -> Array:
    try:
        read = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as damaged:
        raise DataError(f"{path} cannot be read: {damaged}") from damaged
    if read.ndim != 2 or read.shape[1] != 2 or not np.isfinite(read).all():
        raise DataError(f"{path} must hold finite numbers, (frame, 2); got the shape {read.shape}")
    return np.asarray(read, dtype=np.float64)


def digest(path: Path) -> str:
    """Name what is in a file."""
    told = path.stat()
    return _digest(path, told.st_size, told.st_mtime_ns)


@lru_cache(maxsize=8)
def _digest(path: Path, size: int, changed: int) -> str:  # noqa: ARG001
    return hashlib.sha256(path.read_bytes()).hexdigest()
