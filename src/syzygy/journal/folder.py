"""A recording in a folder: it survives a kill, and is read while it is written.

====================  ==================================================================================
file                  what it is
====================  ==================================================================================
``manifest.json``     what is the same at every step: schema, items, hashes, seed, precision, versions
``trajectory.zarr``   the trajectory, in Zarr's version 2: ``xarray.open_datatree(…, engine="zarr")``
``partial.json``      a step that is not finished, and can be gone on with
``.lock``             held by the one who writes
====================  ==================================================================================

See :mod:`syzygy.journal.tree` for how a step comes to be there whole or not at all.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import numpy as np
from filelock import FileLock

from syzygy.axes import STEP
from syzygy.errors import RunError
from syzygy.interrupts import interrupts_wait
from syzygy.journal.chunks import Chunks
from syzygy.journal.found import free, read, tree_in
from syzygy.journal.held import LOCK, TREE, held, writing
from syzygy.journal.laid import axes_of, kept, laid, shapes_of
from syzygy.journal.manifest import Array, Manifest
from syzygy.journal.memory import later
from syzygy.journal.partial import filled, note, noted, outputs_in
from syzygy.journal.row import OUTPUTS, Filling
from syzygy.journal.tree import STEPS_TOGETHER, Tree
from syzygy.trajectory import Trajectory

__all__ = ["LOCK", "TREE", "FolderJournal"]


class FolderJournal:
    """A recording in a folder, held by one writer.  Use :meth:`create` or :meth:`open`.

    Attributes
    ----------
    folder
        Where it is.
    manifest
        What is the same at every step.
    partial
        A step that was cut short, and can be gone on with; None if there is none.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as home, FolderJournal.create(f"{home}/run", Manifest(("a", "b"))) as journal:
    ...     with journal.step(10) as row:
    ...         row.put(0, np.zeros((2, 1)), {"hidden": np.ones((2, 3))})
    ...     print(journal.trajectory)
    Trajectory({'network': 1, 'step': 1, 'item': 2}, layers=['hidden'])
    """

    def __init__(self, folder: Path, manifest: Manifest, tree: Tree, lock: FileLock):
        self.folder, self.manifest, self._tree, self._lock = folder, manifest, tree, lock
        self._steps, self._losses = axes_of(tree)
        self._shapes = shapes_of(tree) if tree.count else None
        self.partial = noted(folder, max(self._steps, default=-1))

    @classmethod
    def create(cls, folder: Path | str, manifest: Manifest) -> Self:
        """Begin a recording.

        Parameters
        ----------
        folder
            Made if it is not there; one in which nothing has been recorded is taken over.
        manifest
            What is the same at every step.

        Raises
        ------
        RunError
            A folder that holds a recording, is being written, or cannot be written.
        """
        with held(Path(folder), "begun") as (home, lock):
            free(home)
            manifest.save(home)
            return cls(home, manifest, laid(home, manifest, None), lock)

    @classmethod
    def open(cls, folder: Path | str) -> Self:
        """Go on with a recording, after the last of its steps that is whole.

        Raises
        ------
        RunError
            A folder without a recording, of another schema, or that is being written.
        DataError
            It is damaged.
        """
        with held(Path(folder), "opened", make=False) as (home, lock):
            known, tree = Manifest.load(home), Tree(tree_in(home, finish=True))
            given = {name: kept(tree, name) for name in ("inputs", "targets")}
            journal = cls(home, Manifest(**(vars(known) | given)), tree, lock)
            journal._repair()
            return journal

    @property
    def steps(self) -> tuple[int, ...]:
        """Steps that are there, rising."""
        return tuple(self._steps)

    @contextmanager
    def step(self, step: int, resume: bool = False) -> Iterator[Filling]:
        """Write a step later than all others: there when the block has ended, absent if it raises.

        Parameters
        ----------
        step
            Updates until then.
        resume
            Keep the chunks of a step that is cut short, by whatever raises or by a kill, and go on with them, if it is
            this step: ``filled`` of the row says how many items are there.  Without it they are dropped.
        """
        self._writable()
        later(step, self.steps)
        there, place, count = self._filled(step, resume), len(self._steps), len(self.manifest.items)
        writer = Chunks(count, place)

        def keep(first: int, batch: Mapping[str, Array]) -> None:
            with writing(self.folder, f"step {step} not written"):
                if self._shapes is None and first == 0:
                    self._tree = laid(self.folder, self.manifest, {name: v.shape[1:] for name, v in batch.items()})
                writer.put(self._tree, first, batch)
                if resume and self.partial is None and self._tree.items_together <= first + len(batch[OUTPUTS]) < count:
                    self._note(step)

        shapes = shapes_of(self._tree) if there else self._shapes
        row = Filling(self.manifest, shapes, keep, lambda: outputs_in(self._tree, place, count), there)
        try:
            yield row
            row.done(step)
            with writing(self.folder, f"step {step} not written"), interrupts_wait():
                self._commit([*self._steps, step], [*self._losses, row.loss])
                self._shapes = row.shapes
        except BaseException:
            with suppress(OSError):
                self._repair()
            raise

    def forget(self, step: int) -> None:
        """Drop this step and all later ones."""
        self._writable()
        if self.partial is not None and self.partial >= step:
            self._drop()
        count = sum(at < step for at in self._steps)
        if count == len(self._steps):
            return
        with writing(self.folder, f"step {step} not dropped"), interrupts_wait():
            self._tree.commit(count)
            self._steps, self._losses = self._steps[:count], self._losses[:count]
            self._shapes = self._shapes if count else None
            self._tree.repair()

    @property
    def trajectory(self) -> Trajectory:
        """Everything that is there; representations are read when they are asked for."""
        return read(self.folder)

    def close(self) -> None:
        """Let others write."""
        if self._lock.is_locked:
            with suppress(OSError):  # nobody needs what follows, and the next one who opens it does it again
                self._tree.follow()
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _writable(self) -> None:
        if not self._lock.is_locked:
            raise RunError(f"the recording in {self.folder} is closed; open it again to go on")

    def _filled(self, step: int, resume: bool) -> int:
        """Say how many items of a step are there to be gone on with; drop those of another one."""
        if resume and self.partial == step:
            return filled(self._tree, len(self.manifest.items))
        self._drop()
        return 0

    def _drop(self) -> None:
        """Drop what is there of a step that was cut short."""
        if self.partial is not None:
            with writing(self.folder, f"step {self.partial} not dropped"):
                self._note(None)
                self._repair()

    def _note(self, step: int | None) -> None:
        note(self.folder, step)
        self.partial = step

    def _repair(self) -> None:
        self._tree.repair(spared=0 if self.partial is None else 1)

    def _commit(self, steps: list[int], losses: list[float]) -> None:
        """Write the coordinates of all steps that lie with the last one, and let it count."""
        chunk = (len(steps) - 1) // STEPS_TOGETHER
        some = slice(chunk * STEPS_TOGETHER, None)
        self._tree.write(STEP, (chunk,), np.array(steps[some]))
        self._tree.write("loss", (0, chunk), np.array([losses[some]]))
        self._tree.commit(len(steps))
        self._steps, self._losses = steps, losses
        if self.partial is not None:
            with suppress(OSError):  # a note of a step that counts says nothing
                self._note(None)
            self.partial = None
