"""Labels that are partly wrong: some learned items get another label, drawn from all classes."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from syzygy.errors import SpecificationError
from syzygy.seeds import stream
from syzygy.tasks.task import Task

#: What stands between the name of an item and the class that it was given by lot.
AS: Final = " as "


def noisy(task: Task, fraction: float, seed: int = 0) -> Task:
    """Draw the labels of some learned items again, from all classes alike; items that are held out keep theirs.

    About one in as many as there are classes is drawn as what it was.  Names say which were drawn:
    ``3 #17 as 5``, or ``3 #17 as 3``.

    Parameters
    ----------
    task
        With one-hot targets.
    fraction
        Of the learned items, from 0 to 1; rounded to whole items.
    seed
        Of the draw.

    Raises
    ------
    SpecificationError
        A fraction or a seed out of range, or targets that are no labels.

    Examples
    --------
    >>> task = Task("six", np.eye(6), np.eye(6), tuple("abcdef"))
    >>> by_lot(noisy(task, fraction=0.5, seed=0).items).sum()
    np.int64(3)
    """
    if not 0 <= fraction <= 1 or seed < 0:
        raise SpecificationError(f"label_noise is a share from 0 to 1, noise_seed zero or more; got {fraction}, {seed}")
    if fraction == 0:
        return task
    classes = task.output_dim
    if not np.array_equal(task.targets, np.eye(classes)[task.targets.argmax(axis=1)]):
        raise SpecificationError(f"label noise needs one-hot targets; those of task {task.name!r} are none")
    learned = np.setdiff1d(np.arange(len(task.items)), task.probe if task.held_out else ())
    draw = np.random.default_rng(stream(seed, "noise"))
    which = draw.choice(learned, round(fraction * len(learned)), replace=False)
    targets, items = task.targets.copy(), list(task.items)
    for item, label in zip(which, draw.integers(0, classes, len(which)), strict=True):
        targets[item] = np.eye(classes)[label]
        items[item] = f"{items[item]}{AS}{label}"
    return replace(task, targets=targets, items=tuple(items))


def by_lot(items: Iterable[str]) -> NDArray[np.bool_]:
    """Say which items got their label by lot, from their names, ``(item,)``.

    Examples
    --------
    >>> by_lot(["3 #17", "3 #18 as 5"]).tolist()
    [False, True]
    """
    return np.array([AS in name for name in items], dtype=bool)
