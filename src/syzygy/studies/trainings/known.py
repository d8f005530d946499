"""A chooser whose dimensions are known, in place of people: what a comparison with people looks like."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from syzygy.tasks import Task

Array = NDArray[np.float64]

#: Digits with a closed loop.
LOOPS = (0, 6, 8, 9)
#: Weight of an object's class, of its loop, and of a standard deviation of its form.
CLASS, LOOP, FORM = 1.8, 0.9, 0.7


def known(images: Array, classes: Sequence[int]) -> dict[str, Array]:
    """Give the dimensions by which the reference chooser finds digits alike, ``(object,)`` each.

    One for each class; one for closed loops; and, of the form, how much ink there is, how high it stands, and how far
    it leans to the right: standardised, and only where above the mean.

    Parameters
    ----------
    images
        ``(object, height, width)``, ink above paper.
    classes
        The digit of each.

    Examples
    --------
    >>> found = known(np.random.default_rng(0).random((4, 8, 8)), [0, 1, 1, 6])
    >>> list(found), found["loop"].tolist()
    (['class 0', 'class 1', 'class 6', 'loop', 'ink', 'height', 'slant'], [0.9, 0.0, 0.0, 0.9])
    """
    labels = np.asarray(classes)
    ink = images - images.min()
    total = ink.sum(axis=(1, 2))
    rows, columns = (np.arange(size) - (size - 1) / 2 for size in ink.shape[1:])
    height = -np.einsum("ohw,h->o", ink, rows) / total
    across = np.einsum("ohw,w->o", ink, columns) / total
    slant = -np.einsum("ohw,h,w->o", ink, rows, columns) / total - height * across
    found = {f"class {one}": CLASS * (labels == one) for one in np.unique(labels)}
    found["loop"] = LOOP * np.isin(labels, LOOPS)
    for name, values in (("ink", total), ("height", height), ("slant", slant)):
        found[name] = FORM * np.maximum(0, (values - values.mean()) / values.std())
    return found


def pictures(task: Task) -> Array:
    """Give the probe images of a task of digits, ``(object, height, width)``, from 0 for paper to 1 for ink."""
    flat = task.probe_inputs.reshape(len(task.probe), -1)
    side = round(flat.shape[1] ** 0.5)
    square = flat.reshape(len(flat), side, side)
    return np.asarray((square - square.min()) / (square.max() - square.min()))
