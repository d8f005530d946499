"""Files of one's own: arrays, names and pictures of objects."""

import hashlib
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from syzygy.errors import DataError, ShapeError

Array = NDArray[np.float64]

#: Pictures are shown with so many pixels a side.
SIDE: Final = 48
ENDINGS: Final = (".png", ".jpg", ".jpeg")


def array(path: str) -> Array:
    """Read ``(object, number)`` from a ``.npy`` file.

    Raises
    ------
    DataError
        A file that cannot be read, or holds something else.
    """
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as broken:
        raise DataError(f"{path} cannot be read as a .npy array: {' '.join(str(broken).split())}") from broken
    if not isinstance(found, np.ndarray) or found.ndim != 2 or found.dtype.kind not in "fiu":
        raise DataError(f"{path} must hold an array (object, number); it holds something else")
    if not np.isfinite(found).all():
        raise DataError(f"{path} has values that are not finite; take those objects out everywhere")
    return found.astype(np.float64)


def digest(path: str) -> str:
    """Hash a file's content.

    Raises
    ------
    DataError
        It cannot be read.
    """
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]
    except OSError as missing:
        raise DataError(f"{path} cannot be read: {missing.strerror}; name another file") from missing


def names_of(path: str, count: int) -> tuple[str, ...]:
    """Read a name for each object, a line each.

    Raises
    ------
    DataError
        A file that cannot be read.
    ShapeError
        Other numbers of names.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as broken:
        raise DataError(f"{path} cannot be read as a list of names: {broken}") from broken
    names = tuple(line.strip() for line in lines if line.strip())
    if len(names) != count:
        raise ShapeError(f"{path} names {len(names)} objects, and there are {count}; give a line for each")
    return names


def pictures_of(folder: Path, count: int) -> Array:
    """Read pictures in the order of their names, ``(object, side, side, 3)``, from 0 to 1.

    Raises
    ------
    DataError
        One that cannot be read.
    ShapeError
        Other numbers of pictures.
    """
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in ENDINGS)
    if len(found) != count:
        raise ShapeError(f"{folder} has {len(found)} pictures ({', '.join(ENDINGS)}), and there are {count} objects")
    try:
        read = []
        for path in found:
            with Image.open(path, formats=("PNG", "JPEG")) as image:
                read.append(np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as broken:
        raise DataError(f"{path} cannot be read as an image ({broken}); replace it") from broken
    return np.stack(read) / 255.0
