"""The idx format of the MNIST files: a magic number, big-endian sizes, bytes; gzipped or not."""

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from syzygy.errors import DataError

UNSIGNED_BYTES = 0x08


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Read an idx file of unsigned bytes.

    Parameters
    ----------
    path
        The file; gzipped if its first two bytes say so, whatever its name.
    dimensions
        The number of axes that it must have: 3 for images, 1 for labels.

    Raises
    ------
    DataError
        Not an idx file of bytes with so many axes, or shorter or longer than it says.
    """
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path) if zipped else path.open("rb") as file:
            header = file.read(4 + 4 * dimensions)
            if len(header) < 4 + 4 * dimensions or header[:4] != bytes([0, 0, UNSIGNED_BYTES, dimensions]):
                raise DataError(
                    f"{path} is not an idx file of bytes with {dimensions} axes: it begins with "
                    f"{header.hex() or 'nothing'}, not {bytes([0, 0, UNSIGNED_BYTES, dimensions]).hex()} and sizes"
                )
            shape = [int(n) for n in np.frombuffer(header, ">u4", offset=4)]
            expected = int(np.prod(shape, dtype=object))
            body = file.read(expected + 1)  # one more than promised, so that a longer file shows
    except (EOFError, zlib.error, gzip.BadGzipFile) as broken:
        raise DataError(f"{path} is truncated or damaged ({broken}); fetch it again") from broken
    except (OSError, OverflowError, MemoryError) as unreadable:
        raise DataError(f"{path} cannot be read: {unreadable}") from unreadable
    if len(body) != expected:
        found = f"{len(body)}" if len(body) < expected else "more"
        raise DataError(f"{path} says that it holds {expected} bytes, but holds {found}; fetch it again")
    return np.frombuffer(body, np.uint8).reshape(shape)
