"""A trajectory of one network on disk, as a Zarr group that grows by whole steps.

Chunks hold one step and some items each, so that a new step adds files and touches none that are there.  What says
how many steps there are is one file, the consolidated metadata (``.zmetadata``), which is replaced whole when the files
of a step have been written: who reads meets all of a step or nothing of it, and a kill leaves at most files that nobody
counts.  Every chunk has its checksum (CRC32), and none is left out for being empty, so that damage and loss are
noticed.  Chunks are not compressed: representations are dense numbers, and sizes can be told beforehand.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import xarray as xr
import zarr
from numcodecs import get_codec  # type: ignore[import-untyped]
from numpy.typing import NDArray

from syzygy.axes import STEP
from syzygy.errors import DataError, RunError
from syzygy.files import whole_file, whole_folder, write_text
from syzygy.interrupts import interrupts_wait
from syzygy.journal.contained import contained
from syzygy.journal.cut import CHUNK_BYTES, HELD_BYTES, STEPS_TOGETHER, encoded_as
from syzygy.journal.manifest import Precision
from syzygy.journal.row import OUTPUTS
from syzygy.trajectory import LAYERS, Trajectory

__all__ = ["CHUNK_BYTES", "HELD_BYTES", "METADATA", "STEPS_TOGETHER", "Spot", "Tree", "array_of", "counted"]

METADATA: Final = ".zmetadata"


@dataclass(frozen=True)
class Spot:
    """An array of the tree: its folder's name, as in ``layers/hidden/representation``, and its metadata."""

    name: str
    metadata: Mapping[str, Any]
    dims: tuple[str, ...]

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of a chunk."""
        return tuple(self.metadata["chunks"])

    def grown(self, count: int) -> dict[str, Any]:
        """Give the metadata for so many steps."""
        shape = [count if dim == STEP else size for dim, size in zip(self.dims, self.metadata["shape"], strict=True)]
        return {**self.metadata, "shape": shape}

    def files(self, count: int, first: int = 0) -> Iterator[str]:
        """Name the files of so many steps' chunks, within the tree; without those of earlier steps than the first."""
        shape = self.grown(count)["shape"]
        grid = (
            range(first // chunk if dim == STEP else 0, -(-size // chunk))
            for dim, size, chunk in zip(self.dims, shape, self.chunks, strict=True)
        )
        return (f"{self.name}/{'.'.join(map(str, place))}" for place in product(*grid))

    def encoded(self, values: NDArray[Any]) -> Any:
        """Encode a chunk, filled up with NaN, or with 0 among integers, if it is not whole."""
        dtype = np.dtype(self.metadata["dtype"])
        whole = np.full(self.chunks, np.nan if dtype.kind == "f" else 0, dtype)
        whole[tuple(slice(size) for size in values.shape)] = values
        data: Any = whole
        for codec in self.metadata["filters"]:
            data = get_codec(codec).encode(data)
        return data

    def decoded(self, data: Any) -> NDArray[Any]:
        """Decode a chunk; RuntimeError or ValueError if it is damaged."""
        for codec in reversed(self.metadata["filters"]):
            data = get_codec(codec).decode(data)
        return np.frombuffer(data, np.dtype(self.metadata["dtype"])).reshape(self.chunks)


class Tree:
    """A trajectory of one network on disk.

    Parameters
    ----------
    path
        Of a tree that :meth:`lay` made.

    Attributes
    ----------
    count
        Number of steps that are there.

    Raises
    ------
    DataError
        It is damaged, or leads out of itself.
    """

    def __init__(self, path: Path):
        self.path = path
        contained(path)
        with _reading(path):
            self._metadata: dict[str, Any] = json.loads((path / METADATA).read_text(encoding="utf-8"))
            known = self._metadata["metadata"]
            self.spots = {
                name: Spot(name, array, tuple(known[f"{name}/.zattrs"]["_ARRAY_DIMENSIONS"]))
                for name, array in ((key.removesuffix("/.zarray"), known[key]) for key in known if _array(key))
            }
            self.count = int(self.spots[STEP].metadata["shape"][0])
            self._check()

    @classmethod
    def lay(cls, path: Path, empty: Trajectory, precision: Precision) -> Self:
        """Make a tree without steps; an older one is replaced.

        Parameters
        ----------
        path
            Where.
        empty
            A trajectory of no steps, which has everything else.
        precision
            Of representations on disk.
        """
        encoding = encoded_as(empty, precision)
        with interrupts_wait(), whole_folder(path) as part, zarr.config.set({"array.write_empty_chunks": True}):
            empty.tree.to_zarr(part, mode="w", encoding=encoding, zarr_format=2, consolidated=False)
            zarr.consolidate_metadata(str(part), zarr_format=2)  # once; xarray would do so for each layer
        return cls(path)

    @property
    def items_together(self) -> int:
        """How many items lie in a chunk, the same in all arrays."""
        return self.spots["outputs"].chunks[2]

    @property
    def trajectory(self) -> Trajectory:
        """The steps that are there; representations are read when they are asked for, and not kept."""
        with _reading(self.path), interrupts_wait():
            return Trajectory(xr.open_datatree(self.path, engine="zarr", consolidated=True, chunks=None, cache=False))

    def numbers(self, name: str) -> NDArray[Any]:
        """Read an array that all layers share."""
        with _reading(self.path), interrupts_wait():
            group: Any = zarr.open_group(self.path, mode="r", zarr_format=2, use_consolidated=True)
            return np.asarray(group[name][...])

    def files_of(self, layer: str, place: int) -> list[Path]:
        """Name the files of a layer at one place among the steps."""
        name = array_of(layer)
        return [self.path / file for file in self.spots[name].files(place + 1, first=place)]

    def write(self, name: str, place: tuple[int, ...], values: NDArray[Any]) -> None:
        """Write a chunk, which counts once :meth:`commit` has been called."""
        spot = self.spots[name]
        with whole_file(self.path / name / ".".join(map(str, place))) as part:
            part.write_bytes(spot.encoded(values))

    def read(self, name: str, place: tuple[int, ...]) -> NDArray[Any]:
        """Read a chunk, whether it counts or not; OSError, RuntimeError or ValueError if it is missing or damaged."""
        return self.spots[name].decoded((self.path / name / ".".join(map(str, place))).read_bytes())

    def commit(self, count: int) -> None:
        """Let so many steps count, whose chunks have been written."""
        known = self._metadata["metadata"] | {f"{name}/.zarray": spot.grown(count) for name, spot in self._growing()}
        metadata = self._metadata | {"metadata": known}
        write_text(self.path / METADATA, json.dumps(metadata, ensure_ascii=False))
        self._metadata, self.count = metadata, count

    def repair(self, spared: int = 0) -> None:
        """Remove what a kill or a full disk has left behind, and whatever is not counted, but so many steps after."""
        for part in self.path.rglob("*.part"):
            part.unlink()
        for name, spot in self._growing():
            there = set(spot.files(self.count + spared))
            for file in (self.path / name).iterdir():
                if file.name[0] != "." and f"{name}/{file.name}" not in there:
                    file.unlink()
        self.follow()

    def missing(self) -> list[str]:
        """Name the files of chunks that should be there, and are not."""
        there = {f"{name}/{file.name}" for name in self.spots for file in (self.path / name).iterdir()}
        return [file for spot in self.spots.values() for file in spot.files(self.count) if file not in there]

    def follow(self) -> None:
        """Bring the metadata of each array in line with what counts, for whoever reads those alone.

        Replacing so many files takes longer than writing a small step, so this is done when writing begins and ends.
        """
        for name, spot in self._growing():
            text, file = json.dumps(spot.grown(self.count), indent=4), self.path / name / ".zarray"
            if file.read_text(encoding="utf-8") != text:
                write_text(file, text)

    def _growing(self) -> Iterator[tuple[str, Spot]]:
        return ((name, spot) for name, spot in self.spots.items() if STEP in spot.dims)

    def _check(self) -> None:
        """Refuse metadata that would be read from elsewhere, or unpickled."""
        for name, spot in self.spots.items():
            if any(part in ("", ".", "..") for part in name.split("/")) or "\\" in name:
                raise ValueError(f"its array {name!r} lies outside of it")
            codecs = [spot.metadata.get("compressor"), *(spot.metadata.get("filters") or [])]
            if any("pickle" in str(codec) for codec in codecs):
                raise ValueError(f"{name} is stored as pickled objects, which are never unpickled")
        if lost := self.missing():
            raise ValueError(f"{len(lost)} of its files are missing, as {lost[0]}")


def array_of(layer: str) -> str:
    """Name the array of a layer, or of the outputs."""
    return f"{LAYERS}/{layer}/representation" if layer != OUTPUTS else "outputs"


def counted(path: Path) -> Tree:
    """Open the tree of a recording that holds a step.

    Raises
    ------
    RunError
        It holds none.
    DataError
        It is damaged.
    """
    tree = Tree(path)
    if not tree.count:
        raise RunError(f"nothing has been recorded in {path} yet; record a step first")
    return tree


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn whatever is wrong with a tree into one line."""
    try:
        yield
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError) as damaged:
        told = " ".join(str(damaged).split()) or type(damaged).__name__
        raise DataError(f"{path} cannot be read: {told}") from damaged


def _array(key: str) -> bool:
    return key.endswith("/.zarray")
