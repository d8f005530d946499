"""What was prepared of representations: in memory, or in files that are there whole or not at all."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from syzygy.files import whole_file
from syzygy.measures.measure import Prepared

#: Arrays of fewer bytes are read, larger ones mapped.
MAPPED: Final = 65536

_DTYPES: Final = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "<i1",
                  "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "<u1", "BOOL": "?"}  # fmt: skip


class Shelf:
    """What was prepared of some representations by one measure, by their place.

    Parameters
    ----------
    count
        Of how many.
    folder
        Where its files are; without one everything stays in memory, arrays of one shape as rows of one.
    """

    def __init__(self, count: int, folder: Path | None = None):
        self.count, self.folder = count, folder
        self._held: dict[int, Prepared] = {}
        self._rows: dict[str, NDArray[Any]] = {}

    def __contains__(self, index: int) -> bool:
        return index in self._held or (self.folder is not None and self._path(index).is_file())

    def __getitem__(self, index: int) -> Prepared:
        """Give what was prepared of one; large arrays of files are mapped."""
        return self._held[index] if self.folder is None else read_arrays(self._path(index))

    def some(self, indices: Iterable[int]) -> list[Prepared]:
        """Give what was prepared of several."""
        return [self[index] for index in indices]

    def put(self, index: int, prepared: Prepared) -> None:
        """Keep what was prepared of one."""
        if self.folder is not None:
            write_arrays(self._path(index), prepared)
        else:
            self._held[index] = {name: self._row(name, index, array) for name, array in prepared.items()}

    def clear(self) -> None:
        """Forget everything."""
        self._held, self._rows = {}, {}
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _row(self, name: str, index: int, array: NDArray[Any]) -> NDArray[Any]:
        """Copy a large vector into a matrix of all of them, so that a product of all needs no copy."""
        if array.ndim != 1 or array.nbytes < MAPPED:
            return array
        rows = self._rows.setdefault(name, np.empty((self.count, *array.shape), array.dtype))
        if rows.shape[1:] != array.shape or rows.dtype != array.dtype:
            return array
        rows[index] = array
        return np.asarray(rows[index])

    def _path(self, index: int) -> Path:
        assert self.folder is not None
        return self.folder / f"{index}.safetensors"


def write_arrays(path: Path, arrays: Prepared) -> None:
    """Write named arrays as safetensors, whole or not at all."""
    with whole_file(path) as part:
        save_file({name: np.ascontiguousarray(array).reshape(np.shape(array)) for name, array in arrays.items()}, part)


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read what :func:`write_arrays` wrote; large arrays are mapped, and may not be written to."""
    found = {}
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        for name, about in header.items():
            if name == "__metadata__":
                continue
            start, end = about["data_offsets"]
            dtype, shape = np.dtype(_DTYPES[about["dtype"]]), tuple(about["shape"])
            if end - start < MAPPED:
                file.seek(8 + length + start)
                found[name] = np.frombuffer(file.read(end - start), dtype).reshape(shape)
            else:
                found[name] = np.memmap(path, dtype, mode="r", offset=8 + length + start, shape=shape)
    return found
