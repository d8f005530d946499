"""The state of something long, kept in one file, so that a kill costs seconds and not hours."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from syzygy.errors import RunError
from syzygy.files import whole_file

State = Mapping[str, Tensor]


class Snapshot:
    """One file with tensors and a few words, replaced whole.

    Parameters
    ----------
    path
        Of the file.  Its folder is made at the first save.
    seconds
        Between two saves.

    Examples
    --------
    >>> import tempfile, torch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     kept = Snapshot(Path(folder, "state.safetensors"))
    ...     kept.save({"weight": torch.ones(2)}, {"epoch": 3}, asked="a fit with seed 0")
    ...     state, told = kept.load(asked="a fit with seed 0")
    >>> state["weight"].tolist(), told
    ([1.0, 1.0], {'epoch': 3})
    """

    def __init__(self, path: Path, seconds: float = 20.0):
        self.path, self.seconds = path, seconds
        self._saved = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self._saved >= self.seconds

    def save(self, state: State, told: Mapping[str, Any], asked: str) -> None:
        """Keep tensors, what is told beside them (fit for JSON), and what was asked for."""
        tensors = {name: value.detach().cpu().contiguous().clone() for name, value in state.items()}
        with whole_file(self.path) as part:
            part.write_bytes(save(tensors, metadata={"told": json.dumps(dict(told)), "asked": asked}))
        self._saved = time.monotonic()

    def load(self, asked: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Give what :meth:`save` was given; None if nothing was saved.

        Raises
        ------
        RunError
            A damaged file, or one of something else than is asked for now.
        """
        if not self.path.is_file():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                words = file.metadata()
                told, kept = json.loads(words["told"]), words["asked"]
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, KeyError, TypeError, json.JSONDecodeError) as damaged:
            raise RunError(f"{self.path} is damaged ({damaged}); remove it to begin anew") from damaged
        if kept != asked:
            raise RunError(f"{self.path} is of another training; remove it, or name another place")
        return state, told

    def done(self) -> None:
        """Remove it."""
        self.path.unlink(missing_ok=True)
