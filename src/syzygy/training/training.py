"""Trainings that are no networks of the catalogue: what a study fits, kept and resumed as networks are."""

import shutil
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from syzygy.cost import Cost
from syzygy.store import FolderStore, Store
from syzygy.training.trainable import Progress, Trainable
from syzygy.trajectory import Trajectory

STATE = "state.safetensors"


@dataclass(frozen=True)
class Training(ABC):
    """One thing that is trained once for each of some seeds: a frozen dataclass of what is asked of it.

    Attributes
    ----------
    seeds
        One fit each.
    """

    seeds: tuple[int, ...]

    @abstractmethod
    def asked(self) -> dict[str, Any]:
        """Give what identifies the numbers, fit for JSON: its kind, all options, the seeds, and what it needs."""

    @property
    @abstractmethod
    def work(self) -> float:
        """About how long it takes, in multiplications; without what it needs."""

    @abstractmethod
    def estimate(self) -> Cost:
        """Say what it will take at most, measured from a few updates on this machine; nothing is kept."""

    @abstractmethod
    def run(self, store: Store, snapshot: Path | None, progress: Progress) -> Trajectory:
        """Train.

        Parameters
        ----------
        store
            Has the trajectories of all it needs.
        snapshot
            File in which the state is kept now and then, and from which it goes on; None to keep none.
        progress
            Told the work done since the last call.
        """

    @property
    def needs(self) -> tuple[Trainable, ...]:
        """Others, whose trajectories must be in the store before it can begin: none."""
        return ()

    def parts(self) -> list[Self]:
        """Split it: each seed trains by itself."""
        return [replace(self, seeds=(seed,)) for seed in self.seeds]

    def there(self, store: Store) -> bool:
        """Whether a store has its trajectory."""
        return self.asked() in store

    def into(self, store: Store, progress: Progress | None = None) -> None:
        """Train, from where the last attempt stopped, and put into the store what came of it.

        What it needs is trained before, where the store lacks it.
        """
        for need in (part for one in self.needs for part in one.parts()):
            if not need.there(store):
                need.into(store)
        folder = store.checkpoint(self.asked()) if isinstance(store, FolderStore) else None
        store.put(self.asked(), self.run(store, folder and folder / STATE, progress or _nobody))
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def gathered(asked: Trainable, store: Store) -> Trajectory:
    """Give the trajectory of what has been trained, all its parts joined.

    Raises
    ------
    KeyError
        A part that the store lacks.
    """
    return Trajectory.join([store.get(part.asked()) for part in asked.parts()])


def _nobody(_: float) -> None:
    """Hear of progress, and do nothing."""
