"""Files of arrays: NumPy's and safetensors.  Shapes are read at once, arrays when they are asked for.

Nothing is unpickled: an array of objects is refused by its header.
"""

import json
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import numpy as np
import torch
from numpy.lib import format as npy_format
from numpy.typing import NDArray
from safetensors import safe_open

from syzygy.errors import DataError
from syzygy.representations.representation import Representation
from syzygy.representations.unchanged import reading, unchanged

#: What was found in a file: representations, and a line for each array that is none.
Found = tuple[list[Representation], list[str]]

#: In a file of several arrays, the one that names the items.
ITEMS: Final = "items"


class Header(NamedTuple):
    """What a ``.npy`` file says of its array."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]


def npy(path: Path) -> Found:
    """Open an array in a ``.npy`` file."""
    with reading(path), path.open("rb") as file:
        shape = described(file, path.stat().st_size, str(path)).shape
    read = partial(np.load, path, allow_pickle=False)
    return [Representation("", unchanged(path)(read), shape, where={"file": str(path)})], []


def npz(path: Path) -> Found:
    """Open each array of a ``.npz`` file; one named ``items`` names the items."""
    shapes: dict[str, tuple[int, ...]] = {}
    with reading(path), zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            with archive.open(member) as file:
                shapes[name] = described(file, member.file_size, f"{name} of {path}").shape
    read = partial(_member, path)
    items = None
    if ITEMS in shapes:
        with reading(path):
            items = tuple(str(name) for name in read(ITEMS).ravel())
    return _several(path, shapes, read, items)


def safetensors(path: Path) -> Found:
    """Open each tensor of a ``.safetensors`` file; ``items`` in its metadata, a JSON list, names the items."""
    with reading(path), safe_open(path, framework="pt") as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        named = (file.metadata() or {}).get(ITEMS)
        items = None if named is None else tuple(str(name) for name in json.loads(named))
    return _several(path, shapes, partial(_tensor, path), items)


def _several(
    path: Path,
    shapes: Mapping[str, tuple[int, ...]],
    read: Callable[[str], NDArray[Any]],
    items: tuple[str, ...] | None,
) -> Found:
    found, left_out, watched = [], [], unchanged(path)
    for name, shape in shapes.items():
        if name == ITEMS:
            continue
        if len(shape) < 2:
            left_out.append(f"{name} of {path} has {len(shape)} axes, and is no representation")
            continue
        found.append(Representation(name, watched(partial(read, name)), shape, items, {"file": str(path)}))
    if not found:
        raise DataError(f"{path} holds no array (item, unit)")
    return found, left_out


def _member(path: Path, name: str) -> NDArray[Any]:
    with np.load(path, allow_pickle=False) as archive:
        return np.asarray(archive[name])


def _tensor(path: Path, name: str) -> NDArray[Any]:
    with safe_open(path, framework="pt") as file:
        tensor = file.get_tensor(name)
    if tensor.is_floating_point() and tensor.dtype not in (torch.float16, torch.float32, torch.float64):
        tensor = tensor.to(torch.float32)  # NumPy knows no bfloat16
    return np.array(tensor.numpy())


def described(file: IO[bytes], size: int, what: str) -> Header:
    """Read the header of a ``.npy`` file of so many bytes, and stand behind it.

    Raises
    ------
    DataError
        It is empty, truncated, or holds objects.
    ValueError
        It is something else.
    """
    if not size:
        raise DataError(f"{what} is empty")
    version = npy_format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"its version {version[0]}.{version[1]} of the format is for fields with names")
    read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
    header = Header(*read(file))
    if header.dtype.hasobject:
        raise DataError(f"{what} holds objects, which are never unpickled; save real numbers")
    expected = file.tell() + header.dtype.itemsize * int(np.prod(header.shape, dtype=object))
    if size < expected:
        raise DataError(f"{what} is truncated: {size} bytes of {expected}")
    return header
