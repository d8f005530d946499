"""MNIST: from local idx files, or through scikit-learn from OpenML."""

import os
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from syzygy.errors import DataError, SpecificationError
from syzygy.tasks.idx import read_idx
from syzygy.tasks.noise import noisy
from syzygy.tasks.task import Task, labelled

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
MEAN, DEVIATION = 0.1307, 0.3081  # of all training pixels, as the paper's code normalises them
DATA_VARIABLE = "SYZYGY_DATA"


def mnist(
    per_class: int = 2,
    probe_seed: int = 0,
    limit: int | None = None,
    data_dir: str | Path | None = None,
    first: int | None = None,
    size: Literal[8, 28] = 28,
    held_out: bool = False,
    label_noise: float = 0.0,
    noise_seed: int = 0,
) -> Task:
    """28 × 28 digits, normalised by mean 0.1307 and deviation 0.3081, with one-hot targets.

    Parameters
    ----------
    per_class
        Probe items per class; every pair of them is analysed.
    probe_seed
        Seed that draws them.
    limit
        Use only the first so many training images; by default all 60,000.
    data_dir
        Folder with the idx files of the training set, gzipped or not, in it or in its ``mnist/``.  By
        default the folder named by ``SYZYGY_DATA``; without that, the set is fetched from OpenML through
        scikit-learn, which keeps it for the next time.
    first
        Watch the first so many training images instead, sorted by class.
    size
        Pixels of a side.  8 makes images like the bundled digits of :func:`syzygy.tasks.digits`: of the middle 24 × 24
        pixels each 3 × 3 are averaged, and all are standardised together.
    held_out
        Whether the probe items are kept from training.
    label_noise, noise_seed
        Share of the learned items whose label is drawn again, and the seed of that; see :func:`syzygy.tasks.noisy`.

    Raises
    ------
    DataError
        Files that are missing (the message says which were looked for), damaged, or of another set.
    SpecificationError
        ``limit``, ``per_class``, ``first`` or ``size`` out of range.
    """
    folder = data_dir if data_dir is not None else os.environ.get(DATA_VARIABLE)
    images, labels = _from_files(Path(folder)) if folder else _from_openml()
    if limit is not None and not 1 <= limit <= len(labels):
        raise SpecificationError(f"limit must lie between 1 and {len(labels)}, got {limit}")
    if size not in (8, 28):
        raise SpecificationError(f"size of MNIST's images is 28, or 8 when pooled; got {size}")
    pixels = (images[:limit] / 255.0 - MEAN) / DEVIATION if size == 28 else _pooled(images[:limit])
    codes = labels[:limit].astype(np.int64)
    flat = pixels.reshape(len(pixels), -1)
    clean = labelled("mnist", flat, codes, per_class, probe_seed, first, held_out=held_out)
    return noisy(clean, label_noise, noise_seed)


def _pooled(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Average the 3 × 3 blocks of the middle 24 × 24 pixels, and standardise, ``(item, 8, 8)``."""
    blocks = images[:, 2:26, 2:26].reshape(-1, 8, 3, 8, 3).mean(axis=(2, 4))
    return np.asarray((blocks - blocks.mean()) / blocks.std())


def _from_files(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    images, labels = read_idx(_find(folder, IMAGES), 3), read_idx(_find(folder, LABELS), 1)
    if len(images) != len(labels) or images.shape[1:] != (28, 28) or not len(labels) or labels.max() > 9:
        raise DataError(
            f"the idx files in {folder} are not MNIST: {len(images)} images of {images.shape[1:]} and "
            f"{len(labels)} labels up to {labels.max(initial=0)}"
        )
    return images, labels


def _find(folder: Path, name: str) -> Path:
    places = [folder / sub / (name.replace("-idx", sep) + end)
              for sub in ("", "mnist") for sep in ("-idx", ".idx") for end in ("", ".gz")]  # fmt: skip
    for place in places:
        if place.is_file():
            return place
    raise DataError(
        f"no {name} in {folder}; looked for {', '.join(str(p.relative_to(folder)) for p in places)}. "
        f"Put the MNIST training files there, name their folder by --data-dir or {DATA_VARIABLE}, or give "
        "none to fetch the set from OpenML"
    )


def _from_openml() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    from sklearn.datasets import fetch_openml  # noqa: PLC0415  (only who downloads pays for the import)

    try:
        images, labels = fetch_openml("mnist_784", version=1, return_X_y=True, as_frame=False, parser="liac-arff")
    except (OSError, ValueError) as failed:
        raise DataError(
            f"MNIST could not be fetched from OpenML ({failed}); put {IMAGES} and {LABELS}, gzipped or not, "
            f"into a folder and name it by --data-dir or {DATA_VARIABLE}"
        ) from failed
    return images[:60_000].astype(np.uint8).reshape(-1, 28, 28), labels[:60_000].astype(np.uint8)
