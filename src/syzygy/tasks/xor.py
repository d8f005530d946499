"""Exclusive or: the smallest task whose classes no straight line parts."""

import numpy as np

from syzygy.tasks.task import Task


def xor() -> Task:
    """Four points {0, 1}² whose target is 1 where exactly one coordinate is.

    Edges of the square join points of different classes at ``‖dx‖ = 1``, diagonals points of one class at ``√2``.

    Examples
    --------
    >>> task = xor()
    >>> dict(zip(task.items, task.targets[:, 0].tolist(), strict=True))
    {'00': 0.0, '01': 1.0, '10': 1.0, '11': 0.0}
    """
    inputs = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    return Task("xor", inputs, inputs.sum(axis=1, keepdims=True) % 2, ("00", "01", "10", "11"))
