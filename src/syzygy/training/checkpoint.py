"""A training that survives a kill: its state, and what it has recorded so far.

The state is one file, replaced whole; the records are files of their own, one per checkpoint, that are
written once.  The state says how many of them count, so whatever a kill leaves behind is consistent.
"""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save
from safetensors.torch import save as save_tensors
from torch import Tensor

from syzygy.errors import RunError
from syzygy.files import whole_file

Rows = dict[str, NDArray[np.floating[Any]]]


class Checkpoint:
    """Where a training saves itself.

    Parameters
    ----------
    folder
        Made at the first save, removed by :meth:`done`.
    seconds
        Time between two saves.
    """

    def __init__(self, folder: Path, seconds: float = 20.0):
        self.folder, self.seconds = folder, seconds
        self._parts, self._saved = 0, time.monotonic()

    def part(self, index: int) -> "Checkpoint":
        """Give the checkpoint of one of several trainings."""
        return Checkpoint(self.folder / str(index), self.seconds)

    @property
    def due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self._saved >= self.seconds

    def save(
        self, step: int, alive: list[int], fates: list[str], state: dict[str, Tensor], rows: Rows, asked: str
    ) -> None:
        """Save the state before an update, and the rows recorded since the last save."""
        with whole_file(self._part(self._parts)) as part:
            part.write_bytes(save({name: np.ascontiguousarray(row) for name, row in rows.items()}))
        self._parts += 1
        told = {"step": step, "parts": self._parts, "alive": alive, "fates": fates, "asked": asked}
        with whole_file(self.folder / "state.safetensors") as part:
            tensors = {name: value.detach().cpu().contiguous().clone() for name, value in state.items()}
            part.write_bytes(save_tensors(tensors, metadata={"told": json.dumps(told)}))
        self._saved = time.monotonic()

    def load(self, asked: str) -> tuple[int, list[int], list[str], dict[str, Tensor], list[Rows]] | None:
        """Give what :meth:`save` was given, the rows of all saves in order; None if nothing was saved.

        Raises
        ------
        RunError
            A damaged checkpoint, or one of a training that was asked for something else.
        """
        if not (self.folder / "state.safetensors").is_file():
            return None
        try:
            with safe_open(self.folder / "state.safetensors", framework="pt") as file:
                told = json.loads(file.metadata()["told"])
                state: dict[str, torch.Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            parts = [load_file(self._part(index)) for index in range(told["parts"])]
        except (SafetensorError, OSError, KeyError, TypeError, json.JSONDecodeError) as damaged:
            raise RunError(
                f"the checkpoint in {self.folder} is damaged ({damaged}); remove that folder to train from the start"
            ) from damaged
        if told["asked"] != asked:
            raise RunError(f"the checkpoint in {self.folder} is of another training; give this one another folder")
        self._parts = told["parts"]
        return told["step"], told["alive"], told["fates"], state, parts

    def done(self) -> None:
        """Remove it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _part(self, index: int) -> Path:
        return self.folder / f"record-{index:05d}.safetensors"
