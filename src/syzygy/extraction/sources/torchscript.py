"""TorchScript archives: programs with their weights."""

import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from syzygy.errors import DataError, SpecificationError, reason
from syzygy.extraction.sources.pictures import noise
from syzygy.extraction.sources.source import Allow, Source, announce
from syzygy.extraction.sources.weights import about


def torchscript_source(path: Path, *, allow_code: Allow, random_weights: bool, shape: Sequence[int] | None) -> Source:
    """Read a TorchScript archive.

    PyTorch's own reader takes it apart: Python's pickle is not involved, and no Python code is run.  But an archive is
    a program, which PyTorch runs when the model is called.  What its modules give can be watched.

    Parameters
    ----------
    path
        What ``torch.jit.save`` wrote.
    allow_code
        Told that the program runs.
    random_weights
        Refused: an archive does not know how its weights were drawn.
    shape
        Of one item; an archive does not tell.

    Raises
    ------
    SpecificationError
        Random weights were asked for, or its program is not allowed.
    DataError
        No file, or one that holds something else.
    """
    if random_weights:
        raise SpecificationError(
            f"an archive does not know how its weights were drawn, so {path} has no random control; take one from the "
            "code that made it, as path/to/file.py:factory"
        )
    if not path.is_file():
        raise DataError(f"{path} is not there, or no file")
    if not is_archive(path):
        raise DataError(
            f"{path} is no TorchScript archive; weights alone hold no network: name the code that makes it, as "
            "path/to/file.py:factory, and give them as its checkpoint"
        )
    announce(allow_code, f"runs the program in {path}")
    model = _read(path).eval()
    told = about(model, "torch", pretrained=None, seed=0)
    return Source(f"torchscript:{path}", model, None, "array", noise(shape) if shape else None, told)


def is_archive(path: Path) -> bool:
    """Tell a TorchScript archive from weights, and from anything else."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _read(path: Path) -> nn.Module:
    try:
        with warnings.catch_warnings():
            # Deprecated in favour of another format; archives remain.
            warnings.filterwarnings("ignore", message=".*torch.jit.load.*", category=DeprecationWarning)
            model: nn.Module = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
    except Exception as failed:  # whatever a damaged archive makes of its reader
        raise DataError(f"{path} cannot be read as TorchScript ({reason(failed)}); it is damaged, or of a newer PyTorch"
                        ) from failed  # fmt: skip
    return model
