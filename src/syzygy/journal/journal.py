"""What a journal is: steps of one network, each there whole or not at all."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from syzygy.journal.manifest import SCHEMA, Array, Manifest, Precision
from syzygy.trajectory import Trajectory

__all__ = ["SCHEMA", "Array", "Journal", "Manifest", "Precision", "Row"]


class Row(Protocol):
    """One step while it is written, a batch of items at a time."""

    loss: float

    @property
    def filled(self) -> int:
        """How many items are there; the next one to put."""

    def put(self, first: int, outputs: Array, layers: Mapping[str, Array]) -> None:
        """Keep what a batch gave; batches come in the order of the items.

        Parameters
        ----------
        first
            Place of the first item of the batch.
        outputs
            ``(item, output)``; of no outputs where they are unknown.
        layers
            From layer to ``(item, unit)``, or ``(item, position, unit)`` with NaN for positions that are padding.

        Raises
        ------
        ShapeError
            Other layers, units, positions or outputs than before; a batch that is not the next one.
        DataError
            A number beyond the precision; a layer whose name cannot be that of a folder.
        RunError
            It cannot be written: no permission, or no room.
        """

    def outputs(self) -> Iterator[tuple[int, Array]]:
        """Give the outputs of all items as they are kept, in parts, each with the place of its first item.

        Raises
        ------
        ShapeError
            Not all items were put.
        DataError
            They are damaged.
        """


class Journal(Protocol):
    """Where a recording is kept; what a memory and a folder have in common."""

    manifest: Manifest

    @property
    def steps(self) -> tuple[int, ...]:
        """Steps that are there, rising."""

    def step(self, step: int, resume: bool = False) -> AbstractContextManager[Row]:
        """Write a step later than all others: there when the block has ended, absent if it raises.

        With ``resume`` whole chunks of a step that is cut short may be kept, and the same step asked for again goes on
        after them: ``filled`` says how many items are there.

        Raises
        ------
        RunError
            A step that is not later, or a journal that is closed.
        ShapeError
            The block ended before all items were put.
        """

    def forget(self, step: int) -> None:
        """Drop this step and all later ones."""

    @property
    def trajectory(self) -> Trajectory:
        """Everything that is there.

        Raises
        ------
        RunError
            Nothing is.
        """

    def close(self) -> None:
        """Let others write."""
