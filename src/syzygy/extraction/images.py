"""Images in a folder, opened a batch at a time."""

import hashlib
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from PIL import Image

from syzygy.errors import DataError, reason
from syzygy.extraction.items import Items
from syzygy.representations.unchanged import contained, reading

#: By the ends of their names, and what Pillow may take them for: none of these formats runs a program.
ENDINGS: Final = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
FORMATS: Final = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")

#: Modes of eight bits that turn into red, green and blue without loss but for transparency.
MODES: Final = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")


def image_items(folder: Path) -> Items:
    """Take all images of a folder and its sub-folders, named by their paths in it, in the order of these names.

    Files whose names begin with a dot are passed over.  Headers are read at once, pixels when they are shown.

    Raises
    ------
    DataError
        No images, a file that is none or cannot be read, one that claims more pixels than Pillow allows, or a link that
        leads out of the folder; the message names it.
    """
    with reading(folder):
        contained(folder)
        paths = sorted(_found(folder), key=lambda path: path.relative_to(folder).as_posix())
    if not paths:
        raise DataError(f"{folder} holds no images ({', '.join(ENDINGS)})")
    for path in paths:
        with _pillow(path) as image:
            if image.mode not in MODES:
                raise DataError(f"{path} has pixels of mode {image.mode}; save it with 8 bits a channel")
    names = tuple(path.relative_to(folder).as_posix() for path in paths)

    def raw(count: int, size: int, start: int) -> Iterator[list[Image.Image]]:
        for first in range(start, count, size):
            yield [opened(path) for path in paths[first : min(first + size, count)]]

    return Items(names, "image", raw, lambda: _digest(paths, names), str(folder))


def opened(path: Path) -> Image.Image:
    """Read an image as red, green and blue; of an animation the first picture.

    Raises
    ------
    DataError
        It cannot be read.
    """
    with _pillow(path) as image:
        return image.convert("RGB")


@contextmanager
def _pillow(path: Path) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                yield image
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError,
            Image.DecompressionBombWarning) as broken:  # fmt: skip
        raise DataError(f"{path} cannot be read as an image ({reason(broken)}); remove or replace it") from broken


def _found(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(place, name)
            if name.startswith("."):
                continue
            if path.suffix.lower() not in ENDINGS or not path.is_file():
                raise DataError(f"{path} is no image ({', '.join(ENDINGS)}); remove it, or name another folder")
            yield path


def _refuse(failed: OSError) -> None:
    raise failed


def _digest(paths: list[Path], names: tuple[str, ...]) -> str:
    total = hashlib.sha256("\0".join(names).encode())
    for path in paths[: len(names)]:
        with reading(path), path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()
