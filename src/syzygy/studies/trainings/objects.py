"""The objects among which odd ones are chosen: names, classes, pictures, and the reference that chooses."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from syzygy.errors import SpecificationError
from syzygy.studies.trainings.choosers import Chooser, Known, People, Rule
from syzygy.studies.trainings.known import known, pictures
from syzygy.studies.trainings.reading import array, digest, names_of, pictures_of
from syzygy.tasks import TASKS, Task
from syzygy.training import Job

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Objects:
    """What is known of the objects.

    Attributes
    ----------
    names
        Of each.
    named
        Whether choices in a file have these names, and not numbers.
    classes
        Of each, ``(object,)``; empty if there are none.
    shown
        ``(object, height, width)``, or with three channels last, from 0 for black (paper, of digits) to 1; None for no
        pictures.
    """

    names: tuple[str, ...]
    named: bool = False
    classes: tuple[int, ...] = ()
    shown: Array | None = None

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.names)

    @property
    def known(self) -> dict[str, Array]:
        """The known dimensions of the reference chooser; none for objects of files."""
        if self.shown is None or not self.classes:
            return {}
        return known(self.shown, self.classes)

    @classmethod
    def of_task(cls, job: Job, listed: str | None) -> "Objects":
        """Give the probe images of a task of digits."""
        task = _task(job.task, json.dumps(job.options, sort_keys=True))
        names = names_of(listed, len(task.probe)) if listed else task.probe_items
        classes = tuple(int(one) for one in task.probe_targets.argmax(axis=1))
        return cls(names, bool(listed), classes, pictures(task))

    @classmethod
    def of_files(cls, paths: Sequence[str], listed: str | None, folder: str | None) -> "Objects":
        """Give the objects of representations, of which there are a list of names and a folder of pictures, or neither.

        Raises
        ------
        SpecificationError
            Representations of different numbers of objects.
        """
        counts = {path: len(array(path)) for path in paths}
        if len(set(counts.values())) > 1:
            raise SpecificationError(f"representations must be of the same objects; got {counts}")
        count = next(iter(counts.values()))
        names = names_of(listed, count) if listed else tuple(f"object {number}" for number in range(count))
        return cls(names, bool(listed), (), pictures_of(Path(folder), count) if folder else None)

    def reference(self, choices: str | None, rule: Rule) -> Chooser:
        """Give the reference: people, if there are choices, or the chooser whose dimensions are known."""
        if choices is not None:
            return People(choices, digest(choices), self.count, self.names if self.named else None)
        weights = np.stack(list(self.known.values()), axis=1)
        return Known(tuple(map(tuple, weights.tolist())), self.names, rule)


def who(choices: str | None, embedding: str | None) -> str:
    """Say who the reference is."""
    if choices:
        return f"the choices of {Path(choices).stem}"
    return f"the dimensions of {Path(embedding).stem}" if embedding else "a chooser whose dimensions are known"


@cache
def _task(name: str, options: str) -> Task:
    """Make a task once: its objects are asked for often."""
    return TASKS[name](**json.loads(options))


def refused(representations: Sequence[str], choices: str | None, embedding: str | None, images: str | None) -> None:
    """Refuse files that do not go together.

    Raises
    ------
    SpecificationError
        The first that do not, with what to leave out or name.
    """
    if choices and embedding:
        raise SpecificationError("the reference has choices or an embedding, not both; leave one out")
    if representations and not (choices or embedding):
        raise SpecificationError(
            "the reference chooser knows the task's digits alone; with representations name choices or an embedding"
        )
    if images and not representations:
        raise SpecificationError("images are of the objects of representations; the task's own are shown anyway")
