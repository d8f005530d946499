"""A training that survives a kill: its state, and what it has recorded so far.

The state is one file, replaced whole; the records are files of their own, one per checkpoint, that are
written once.  The state says how many of them count, so whatever a kill leaves behind is consistent.
"""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save
from torch import Tensor

from syzygy.errors import RunError
from syzygy.files import whole_file
from syzygy.snapshot import Snapshot

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
        self._state, self._parts = Snapshot(folder / "state.safetensors", seconds), 0

    def part(self, index: int) -> "Checkpoint":
        """Give the checkpoint of one of several trainings."""
        return Checkpoint(self.folder / str(index), self.seconds)

    @property
    def due(self) -> bool:
        """Whether it is time to save."""
        return self._state.due

    def save(
        self, step: int, alive: list[int], fates: list[str], state: dict[str, Tensor], rows: Rows, asked: str
    ) -> None:
        """Save the state before an update, and the rows recorded since the last save."""
        with whole_file(self._part(self._parts)) as part:
            part.write_bytes(save({name: np.ascontiguousarray(row) for name, row in rows.items()}))
        self._parts += 1
        self._state.save(state, {"step": step, "parts": self._parts, "alive": alive, "fates": fates}, asked)

    def load(self, asked: str) -> tuple[int, list[int], list[str], dict[str, Tensor], list[Rows]] | None:
        """Give what :meth:`save` was given, the rows of all saves in order; None if nothing was saved.

        Raises
        ------
        RunError
            A damaged checkpoint, or one of a training that was asked for something else.
        """
        loaded = self._state.load(asked)
        if loaded is None:
            return None
        state, told = loaded
        try:
            parts = [load_file(self._part(index)) for index in range(told["parts"])]
        except (SafetensorError, OSError) as damaged:
            raise RunError(
                f"the checkpoint in {self.folder} is damaged ({damaged}); remove that folder to train from the start"
            ) from damaged
        self._parts = told["parts"]
        return told["step"], told["alive"], told["fates"], state, parts

    def done(self) -> None:
        """Remove it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _part(self, index: int) -> Path:
        return self.folder / f"record-{index:05d}.safetensors"
