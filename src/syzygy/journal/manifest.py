"""What is the same at every step of a recording, and its file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from syzygy.errors import DataError, RunError, SpecificationError
from syzygy.files import write_text

Array = NDArray[np.floating[Any]]
Precision = Literal["float16", "float32"]

#: Of the layout of a journal's folder; another one is refused.
SCHEMA: Final = 1

FILE: Final = "manifest.json"
CODE: Final = ("syzygy", "torch", "numpy", "xarray", "zarr")


@dataclass(frozen=True)
class Manifest:
    """What is the same at every step of a recording.

    Attributes
    ----------
    items
        A name per item.
    inputs, targets
        ``(item, input)`` and ``(item, output)``; None where they are unknown, or too large to keep.
    model, data
        Hashes of the network's structure and first weights, and of the probe.
    seed
        Of the network, as far as its owner told.
    precision
        In which representations are kept; they are read back as float32.  Half precision keeps three digits of numbers
        between 6e-5 and 65504, fewer below, and refuses larger ones.
    about
        Whatever else made it, fit for JSON: layers, schedule, source, versions.

    Raises
    ------
    SpecificationError
        No items, an unknown precision, or something that JSON cannot hold.
    DataError
        Two items of one name.
    """

    items: tuple[str, ...]
    inputs: Array | None = None
    targets: Array | None = None
    model: str = ""
    data: str = ""
    seed: int = 0
    precision: Precision = "float32"
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.items:
            raise SpecificationError("a recording needs at least one item, each with a name")
        if len(set(self.items)) < len(self.items):
            raise DataError("two items of a recording have one name; items are told apart by their names")
        if self.precision not in get_args(Precision):
            raise SpecificationError(f"precision is {' or '.join(get_args(Precision))}, got {self.precision!r}")
        try:
            json.dumps(dict(self.about))
        except (TypeError, ValueError) as odd:
            raise SpecificationError(f"what a recording is about must be fit for JSON: {odd}") from None

    @property
    def told(self) -> dict[str, Any]:
        """What a trajectory says it was made by: ``about``, hashes and precision."""
        return {**self.about, "model": self.model, "data": self.data, "precision": self.precision}

    def save(self, folder: Path) -> None:
        """Write everything but the arrays, with the versions of the code, whole or not at all."""
        kept = {name: getattr(self, name) for name in ("items", "model", "data", "seed", "precision", "about")}
        told = {"schema": SCHEMA, **kept, "versions": {name: version(name) for name in CODE}}
        write_text(folder / FILE, json.dumps(told, ensure_ascii=False, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read everything but the arrays.

        Raises
        ------
        RunError
            A folder of another schema, or none at all.
        DataError
            A damaged file.
        """
        path = folder / FILE
        if not path.is_file():
            raise RunError(f"{folder} holds no recording: there is no {FILE}")
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            schema = told.pop("schema")
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as damaged:
            raise DataError(f"{path} cannot be read: {' '.join(str(damaged).split())}") from damaged
        if schema != SCHEMA:
            raise RunError(f"{folder} is laid out by schema {schema}, and this version reads {SCHEMA}; use the other")
        try:
            told.pop("versions")
            return cls(items=tuple(map(str, told.pop("items"))), **told)
        except (LookupError, TypeError) as damaged:
            raise DataError(f"{path} is not what was written: {' '.join(str(damaged).split())}") from damaged


def is_journal(folder: Path) -> bool:
    """Whether a folder holds a recording, of whatever schema."""
    path = folder / FILE
    if not path.is_file():
        return False
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return (folder / "trajectory.zarr").is_dir()
    return isinstance(told, dict) and {"schema", "items"} <= told.keys()
