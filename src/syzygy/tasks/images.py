"""Images of one's own: a folder with a sub-folder per class."""

import os
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from syzygy.errors import DataError, SpecificationError
from syzygy.tasks.mnist import DATA_VARIABLE
from syzygy.tasks.task import Task, labelled

ENDINGS = (".png", ".jpg", ".jpeg")

#: Of the channels of ImageNet, by which published networks expect their inputs to be normalised.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def image_folder(
    folder: str = "images",
    size: int = 32,
    per_class: int = 2,
    probe_seed: int = 0,
    limit: int | None = None,
    mean: Sequence[float] = MEAN,
    deviation: Sequence[float] = DEVIATION,
    data_dir: str | Path | None = None,
) -> Task:
    """Images of a folder, ``folder/class/*.png`` or ``.jpg``, with one-hot targets.

    Classes and images come in the order of their names.  All are held in memory: ``24·size²`` bytes each, and half of
    that again in training; so mind ``size`` and ``limit``.

    Parameters
    ----------
    folder
        Name of the folder, inside ``data_dir``.
    size
        Images are resized to so many pixels a side (bilinear), whatever their shape.
    per_class
        Probe items per class; every pair of them is analysed.
    probe_seed
        Seed that draws them.
    limit
        Use only the first so many images of each class.
    mean, deviation
        Of the three channels, by which pixels between 0 and 1 are normalised.
    data_dir
        By default the folder named by ``SYZYGY_DATA``.

    Returns
    -------
    Task
        Inputs ``(item, channel, height, width)``, red, green, blue.

    Raises
    ------
    DataError
        No such folder, fewer than two classes, a class with too few images, an image that cannot be read, or a link
        that leads out of the folder; the message names it.
    SpecificationError
        An argument out of range.
    """
    place = data_dir if data_dir is not None else os.environ.get(DATA_VARIABLE)
    if place is None:
        raise DataError(f"image-folder reads {folder}/class/*.png or .jpg; name the folder that holds {folder} by "
                        f"--data-dir or {DATA_VARIABLE}")  # fmt: skip
    if limit is not None and limit < 1:
        raise SpecificationError(f"limit must be 1 or more, got {limit}")
    root = _inside(Path(place), Path(place) / folder)
    if not root.is_dir():
        raise DataError(f"no folder {root}; it shall hold a sub-folder per class with {' or '.join(ENDINGS)} images")
    classes = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(classes) < 2:
        raise DataError(f"{root} holds {len(classes)} sub-folders; two classes or more are needed")
    images, labels = [], []
    for label, name in enumerate(classes):
        paths = sorted(path for path in (root / name).iterdir() if path.suffix.lower() in ENDINGS)[:limit]
        if len(paths) < max(per_class, 1):
            raise DataError(f"class {name!r} in {root} has {len(paths)} images; per_class = {per_class} asks for more")
        images += [_read(_inside(root, path), size) for path in paths]
        labels += [label] * len(paths)
    pixels = normalised(np.stack(images), mean, deviation)
    return labelled("image-folder", pixels, np.array(labels), per_class, probe_seed, classes=classes)


def resized(images: Iterable[NDArray[np.uint8]], size: int) -> NDArray[np.uint8]:
    """Resize images ``(height, width, channel)`` to a square, ``(item, size, size, channel)``."""
    if size < 1:
        raise SpecificationError(f"size must be 1 or more, got {size}")
    shape = (size, size)
    made = [Image.fromarray(one).resize(shape, Image.Resampling.BILINEAR) for one in images]
    return np.stack([np.asarray(one, dtype=np.uint8) for one in made])


def normalised(images: NDArray[np.uint8], mean: Sequence[float], deviation: Sequence[float]) -> NDArray[np.float64]:
    """Normalise ``(item, height, width, channel)`` by channel, and put the channels first."""
    if len(mean) != 3 or len(deviation) != 3 or not min(deviation) > 0:
        raise SpecificationError(f"mean and deviation are of three channels, deviations positive: {mean}, {deviation}")
    channels = np.moveaxis(images, -1, 1)
    scale, shift = np.array(deviation)[:, None, None], np.array(mean)[:, None, None]
    return np.asarray((channels / 255.0 - shift) / scale)


def _read(path: Path, size: int) -> NDArray[np.uint8]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=("PNG", "JPEG")) as image:
                one: NDArray[np.uint8] = resized([np.asarray(image.convert("RGB"))], size)[0]
                return one
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as broken:
        raise DataError(f"{path} cannot be read as an image ({broken}); remove or replace it") from broken


def _inside(root: Path, path: Path) -> Path:
    """Give a path below a folder, and refuse one that leads out of it."""
    if not path.resolve().is_relative_to(root.resolve()):
        raise DataError(f"{path} leads out of {root}, to {path.resolve()}; put the images themselves there")
    return path
