"""Arrays in files, read a batch of rows at a time: no more is ever held, however small the file claims to be."""

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor

from syzygy.errors import DataError
from syzygy.representations.formats import Header, described
from syzygy.representations.unchanged import reading

#: So many bytes are read at once at most: of a batch, or of an array that is held whole.
MOST: Final = 4 * 10**9

#: Opens a file at the beginning of an array; gives its header too.
Open = Callable[[], AbstractContextManager[tuple[IO[bytes], Header]]]


@dataclass(frozen=True)
class Column:
    """An array of a file.

    Attributes
    ----------
    what
        Its name and its file, for messages.
    shape
        ``(item, …)``.
    item_bytes
        Of one item.
    rows
        Reads so many of the first items in batches of a size, ``rows(count, size)``.
    """

    what: str
    shape: tuple[int, ...]
    item_bytes: int
    rows: Callable[[int, int], Iterator[NDArray[Any]]]

    def batches(self, count: int, size: int) -> Iterator[NDArray[Any]]:
        """Read so many of the first items in batches, ``(item, …)``.

        Raises
        ------
        DataError
            A batch of more than 4 GB, or a file that cannot be read.
        """
        if self.item_bytes * min(size, count) > MOST:
            raise DataError(
                f"{self.what} has {self.item_bytes / 1e9:.3g} GB an item, too much for a batch of {min(size, count)}"
            )
        return self.rows(count, size)

    def whole(self) -> NDArray[Any]:
        """Read all of it."""
        return next(self.batches(self.shape[0], self.shape[0])) if self.shape and self.shape[0] else np.zeros(0)


def columns(path: Path) -> dict[str, Column]:
    """Open the arrays of a ``.npy``, ``.npz`` or ``.safetensors`` file; that of a ``.npy`` is called ``inputs``.

    Raises
    ------
    DataError
        It is missing, damaged, holds objects, or an array is stored by columns and too large to be read whole.
    """
    with reading(path):
        if path.suffix == ".npy":
            return {"inputs": _of_npy(str(path), partial(_file, path))}
        if path.suffix == ".npz":
            with zipfile.ZipFile(path) as archive:
                members = [(one.filename, one.filename.removesuffix(".npy")) for one in archive.infolist()]
            return {name: _of_npy(f"{name} of {path}", partial(_member, path, file)) for file, name in members}
        with safe_open(path, framework="pt") as file:
            return {name: _of_slice(path, name, file.get_slice(name)) for name in file.keys()}  # noqa: SIM118


def item_names(path: Path) -> list[str] | None:
    """Read the names of the items that a ``.safetensors`` file has in its metadata; None if it has none."""
    if path.suffix != ".safetensors":
        return None
    with reading(path), safe_open(path, framework="pt") as file:
        named = (file.metadata() or {}).get("items")
        return None if named is None else [str(name) for name in json.loads(named)]


@contextmanager
def _file(path: Path) -> Iterator[tuple[IO[bytes], Header]]:
    with path.open("rb") as file:
        yield file, described(file, path.stat().st_size, str(path))


@contextmanager
def _member(path: Path, name: str) -> Iterator[tuple[IO[bytes], Header]]:
    """Open an array in an archive, where it is; its name is never that of a file to write."""
    with zipfile.ZipFile(path) as archive, archive.open(name) as file:
        yield file, described(file, archive.getinfo(name).file_size, f"{name} of {path}")


def _of_npy(what: str, opened: Open) -> Column:
    with opened() as (_, header):
        shape, dtype = header.shape, header.dtype
    item = dtype.itemsize * int(np.prod(shape[1:], dtype=object))
    if header.fortran_order and item * shape[0] > MOST:
        raise DataError(f"{what} is stored by columns, and too large to be read whole; save np.ascontiguousarray of it")

    def rows(count: int, size: int) -> Iterator[NDArray[Any]]:
        with opened() as (file, _):
            if header.fortran_order:
                flat = np.frombuffer(_exactly(file, item * shape[0], what), dtype)
                array = flat.reshape(shape, order="F")
                yield from (array[first : min(first + size, count)].copy() for first in range(0, count, size))
                return
            for first in range(0, count, size):
                some = min(size, count - first)
                part = np.frombuffer(_exactly(file, item * some, what), dtype)
                yield part.astype(dtype.newbyteorder("="), copy=True).reshape(some, *shape[1:])

    return Column(what, shape, item, rows)


def _exactly(file: IO[bytes], size: int, what: str) -> bytes:
    read = file.read(size)
    if len(read) < size:
        raise DataError(f"{what} is truncated: it ends {size - len(read)} bytes early")
    return read


def _of_slice(path: Path, name: str, described: Any) -> Column:
    shape = tuple(described.get_shape())
    width = torch.empty(0, dtype=_DTYPES.get(described.get_dtype(), torch.float64)).element_size()

    def rows(count: int, size: int) -> Iterator[NDArray[Any]]:
        with safe_open(path, framework="pt") as file:
            part = file.get_slice(name)
            for first in range(0, count, size):
                yield _numpy(part[first : min(first + size, count)])

    return Column(f"{name} of {path}", shape, width * int(np.prod(shape[1:], dtype=object)), rows)


_DTYPES: Final[Mapping[str, torch.dtype]] = {"BOOL": torch.bool, "U8": torch.uint8, "I8": torch.int8, "F16": torch.half,
                                             "BF16": torch.bfloat16, "F32": torch.float32}  # fmt: skip


def _numpy(tensor: Tensor) -> NDArray[Any]:
    """Give a tensor to NumPy, which knows no bfloat16 and narrower ones."""
    if tensor.is_floating_point() and tensor.dtype not in (torch.float16, torch.float32, torch.float64):
        tensor = tensor.float()
    return np.array(tensor.numpy())
