"""Saved weights of one network at several steps."""

import hashlib
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from syzygy.errors import DataError, SpecificationError
from syzygy.recorder.state import State, own_name
from syzygy.representations.unchanged import reading

#: Files of weights, by the ends of their names.
SAFETENSORS: Final = ".safetensors"
ENDINGS: Final = (SAFETENSORS, ".pt", ".pth", ".ckpt", ".bin")

#: Where others put the weights in what they save.
PLACES: Final = ("state_dict", "model_state_dict", "model", "module", "net", "weights")

#: What they call the step.
STEPS: Final = ("step", "global_step")
NUMBER, AFTER_STEP = r"[0-9]+", r"(?i)step[=_-]?([0-9]+)"


@dataclass(frozen=True)
class Checkpoint:
    """Weights in a file.

    Attributes
    ----------
    path
        The file.
    step
        Updates until then.
    """

    path: Path
    step: int

    def digest(self) -> str:
        """Hash the file."""
        with reading(self.path), self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def series(paths: Sequence[str | Path]) -> tuple[tuple[Checkpoint, ...], str]:
    """Put checkpoints in order.

    Steps are those that all files tell (``step`` in the metadata of safetensors, ``step`` or ``global_step`` in
    others); else the numbers after ``step`` in their names; else the last numbers of their names, then of their
    folders' names; else 0, 1, 2 in the order given.  Whatever is taken, all must have it, and all must differ.

    Returns
    -------
    tuple
        The checkpoints, by rising steps, and a line that says where the steps are from.

    Raises
    ------
    DataError
        A file that is missing or damaged, or holds more than weights.
    SpecificationError
        A file of another kind, or one that is given twice.
    """
    files = [Path(path) for path in paths]
    if len({path.resolve() for path in files}) < len(files):
        raise SpecificationError("a checkpoint was given twice; each is one step")
    told = [told_step(path) for path in files]
    for steps, origin in (
        (told, "told by the files"),
        ([_last(AFTER_STEP, path.stem) for path in files], "those after 'step' in the names"),
        ([_last(NUMBER, path.stem) for path in files], "the last numbers of the names"),
        ([_last(NUMBER, path.resolve().parent.name) for path in files], "the last numbers of the folders' names"),
        (list(range(len(files))), "counted, in the order given: neither files nor names tell them"),
    ):
        known = [step for step in steps if step is not None]
        if len(set(known)) == len(files):
            some = sorted(map(Checkpoint, files, known), key=lambda one: one.step)
            return tuple(some), f"steps are {origin}"
    raise AssertionError("numbers from 0 always differ")


def apart(what: Sequence[str | Path], model: nn.Module) -> tuple[Path, list[Path]]:
    """Tell what is shown from checkpoints.

    Checkpoints are ``.pt``, ``.pth``, ``.ckpt`` and ``.bin`` files, and ``.safetensors`` in which a tensor has the name
    of one of the network's weights.  Of anything else there is one, which is shown.

    Raises
    ------
    SpecificationError
        Nothing is shown, or more than one thing.
    """
    paths = [Path(one) for one in what]
    wanted = model.state_dict(keep_vars=True)

    def saved(path: Path) -> bool:
        if path.suffix == SAFETENSORS and path.is_file():
            return any(own_name(name, wanted) for name in names_in(path))
        return path.suffix in ENDINGS

    checkpoints = [path for path in paths if saved(path)]
    data = [path for path in paths if path not in checkpoints]
    if len(data) != 1:
        given = f"{len(data)}: {_few([str(path) for path in data])}" if data else "none"
        raise SpecificationError(f"name one folder or file to show (all others are checkpoints), got {given}")
    return data[0], checkpoints


def told_step(path: Path) -> int | None:
    """Read the step that a checkpoint tells; None if it tells none."""
    if path.suffix == SAFETENSORS:
        with reading(path), safe_open(path, framework="pt") as file:
            found: Any = (file.metadata() or {}).get("step")
    else:
        saved = _loaded(path)
        found = next((saved[name] for name in STEPS if name in saved), None) if isinstance(saved, Mapping) else None
    if isinstance(found, Tensor) and found.numel() == 1:
        found = found.item()
    return int(found) if str(found).isascii() and str(found).isdigit() and len(str(found)) <= 18 else None


def state_of(path: Path) -> State:
    """Read the weights of a checkpoint, whatever they lie in.

    Raises
    ------
    DataError
        It is missing or damaged, holds more than weights, or none.
    SpecificationError
        It is a file of another kind.
    """
    if path.suffix == SAFETENSORS:
        with reading(path):
            tensors: State = load_file(path)
            return tensors
    saved = _loaded(path)
    for one in (*(saved.get(place) for place in PLACES if isinstance(saved, Mapping)), saved):
        if isinstance(one, Mapping) and (tensors := {str(n): v for n, v in one.items() if isinstance(v, Tensor)}):
            return tensors
    raise DataError(f"{path} holds no weights; save model.state_dict()")


def names_in(path: Path) -> frozenset[str]:
    """Give the names of the tensors in a ``.safetensors`` file."""
    with reading(path), safe_open(path, framework="pt") as file:
        return frozenset(file.keys())


def _loaded(path: Path) -> Any:
    """Open what PyTorch saved: tensors and plain values; nothing else is ever unpickled."""
    if path.suffix not in ENDINGS:
        raise SpecificationError(f"{path} is no checkpoint ({', '.join(ENDINGS)})")
    if not path.is_file():
        raise DataError(f"{path} is not there")
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except OSError as failed:
        raise DataError(f"{path} cannot be read: {failed.strerror or failed}") from failed
    except Exception as odd:  # whatever a stranger's file makes of PyTorch
        raise DataError(
            f"{path} holds more than weights, or is damaged, and nothing is unpickled; where it was saved, save "
            "model.state_dict() alone, best as .safetensors"
        ) from odd


def _last(pattern: str, text: str) -> int | None:
    found = re.findall(pattern, text)
    return int(found[-1]) if found and len(found[-1]) <= 18 else None


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (", …" if len(names) > 4 else "")
