"""A recording in memory."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Self

import numpy as np

from syzygy.errors import RunError
from syzygy.journal.manifest import Array, Manifest
from syzygy.journal.row import OUTPUTS, Filling, Shapes
from syzygy.trajectory import Trajectory


class MemoryJournal:
    """A recording in memory.

    Parameters
    ----------
    manifest
        What is the same at every step.
    """

    def __init__(self, manifest: Manifest):
        self.manifest = manifest
        self._shapes: Shapes | None = None
        self._rows: dict[int, dict[str, Array]] = {}
        self._losses: dict[int, float] = {}

    @property
    def steps(self) -> tuple[int, ...]:
        """Steps that are there, rising."""
        return tuple(self._rows)

    @contextmanager
    def step(self, step: int, resume: bool = False) -> Iterator[Filling]:  # noqa: ARG002
        """Write a step later than all others: there when the block has ended, absent if it raises.

        There is nothing to resume: a memory does not outlive a kill.
        """
        later(step, self.steps)
        values: dict[str, Array] = {}

        def keep(first: int, batch: Mapping[str, Array]) -> None:
            for name, part in batch.items():
                if first == 0:
                    kept = np.float32 if name == OUTPUTS else self.manifest.precision
                    values[name] = np.empty((len(self.manifest.items), *part.shape[1:]), kept)
                values[name][first : first + len(part)] = part

        row = Filling(self.manifest, self._shapes, keep, lambda: iter([(0, values[OUTPUTS])]))
        yield row
        row.done(step)
        self._rows[step], self._losses[step], self._shapes = values, row.loss, row.shapes

    def forget(self, step: int) -> None:
        """Drop this step and all later ones."""
        self._rows = {at: row for at, row in self._rows.items() if at < step}
        self._shapes = self._shapes if self._rows else None

    @property
    def trajectory(self) -> Trajectory:
        """Everything that is there."""
        if self._shapes is None:
            raise RunError("nothing has been recorded yet; record a step first")
        values = {
            name: np.stack([row[name] for row in self._rows.values()], dtype=np.float32)[None] for name in self._shapes
        }
        manifest = self.manifest
        return Trajectory.of(
            steps=self.steps,
            loss=np.array([[self._losses[step] for step in self.steps]]),
            outputs=values.pop(OUTPUTS),
            representations=values,
            inputs=manifest.inputs,
            targets=manifest.targets,
            items=manifest.items,
            seeds=[manifest.seed],
            about=manifest.told,
        )

    def close(self) -> None:
        """Do nothing: a memory has one user."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def later(step: int, steps: tuple[int, ...]) -> None:
    """Refuse a step that does not come after all others.

    Raises
    ------
    RunError
        It does not, or is less than none.
    """
    if step < 0:
        raise RunError(f"a step counts updates, from 0; got {step}")
    if steps and step <= steps[-1]:
        raise RunError(f"step {step} comes after step {steps[-1]}, which is recorded; forget later ones first")
