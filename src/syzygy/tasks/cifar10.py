"""CIFAR-10, from the files of its binary version."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from syzygy.errors import DataError, SpecificationError
from syzygy.tasks.images import DEVIATION, MEAN, normalised, resized
from syzygy.tasks.mnist import DATA_VARIABLE
from syzygy.tasks.task import Task, labelled

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
FOLDERS = ("", "cifar10", "cifar-10-batches-bin")
SIDE = 32
RECORD = 1 + 3 * SIDE**2  # a label, then red, green and blue, each row by row


def cifar10(
    size: int = SIDE,
    per_class: int = 2,
    probe_seed: int = 0,
    limit: int | None = None,
    mean: Sequence[float] = MEAN,
    deviation: Sequence[float] = DEVIATION,
    data_dir: str | Path | None = None,
) -> Task:
    """32 × 32 photographs of ten classes, CIFAR-10's training images, with one-hot targets.

    They are read from the binary version, ``data_batch_1.bin`` … ``data_batch_5.bin``: the other versions are pickled
    or need MATLAB, and nothing is unpickled here.

    Parameters
    ----------
    size
        Images are resized to so many pixels a side (bilinear), as published networks may need.
    per_class
        Probe items per class; every pair of them is analysed.
    probe_seed
        Seed that draws them.
    limit
        Use only the first so many images; all 50,000 need ``24·size²`` bytes each.
    mean, deviation
        Of the three channels, by which pixels between 0 and 1 are normalised; by default ImageNet's.
    data_dir
        Folder with the files, in it, its ``cifar10/`` or its ``cifar-10-batches-bin/``.  By default the folder named by
        ``SYZYGY_DATA``.

    Returns
    -------
    Task
        Inputs ``(item, channel, height, width)``, red, green, blue.

    Raises
    ------
    DataError
        Files that are missing (the message says which were looked for), damaged, or of another set.
    SpecificationError
        An argument out of range.
    """
    folder = data_dir if data_dir is not None else os.environ.get(DATA_VARIABLE)
    if folder is None:
        raise DataError(f"CIFAR-10 is not fetched; {_advice()}")
    records = np.concatenate([_read(path) for path in _found(Path(folder))])
    if limit is not None and not 1 <= limit <= len(records):
        raise SpecificationError(f"limit must lie between 1 and {len(records)}, got {limit}")
    labels = records[:limit, 0].astype(np.int64)
    images = np.moveaxis(records[:limit, 1:].reshape(-1, 3, SIDE, SIDE), 1, -1)
    images = images if size == SIDE else resized(np.ascontiguousarray(images), size)
    return labelled("cifar10", normalised(images, mean, deviation), labels, per_class, probe_seed, classes=CLASSES)


def _found(folder: Path) -> list[Path]:
    """Find all files, in one folder."""
    for sub in FOLDERS:
        paths = [folder / sub / name for name in FILES]
        if all(path.is_file() for path in paths):
            return paths
    pickled = [folder / sub / "data_batch_1" for sub in (*FOLDERS, "cifar-10-batches-py")]
    seen = next((path for path in pickled if path.is_file()), None)
    other = f"; {seen} is of the Python version, which is pickled, and nothing is unpickled here" if seen else ""
    places = " and ".join(str(folder / sub) for sub in FOLDERS)
    raise DataError(f"no {FILES[0]} … {FILES[-1]} in any of {places}{other}; {_advice()}")


def _read(path: Path) -> NDArray[np.uint8]:
    """Read the records of a file, ``(item, byte)``."""
    try:
        content = np.fromfile(path, np.uint8)
    except OSError as unreadable:
        raise DataError(f"{path} cannot be read: {unreadable}") from unreadable
    if not len(content) or len(content) % RECORD:
        raise DataError(f"{path} holds {len(content)} bytes, no whole number of {RECORD}-byte records; fetch it again")
    records = content.reshape(-1, RECORD)
    if records[:, 0].max() >= len(CLASSES):
        raise DataError(f"{path} has a label {records[:, 0].max()}; CIFAR-10's are 0 … {len(CLASSES) - 1}")
    return records


def _advice() -> str:
    return (
        f"put the binary version's {FILES[0]} … {FILES[-1]} into a folder and name it by --data-dir or {DATA_VARIABLE}"
    )
