"""What networks learn: each task is a function that gives a :class:`Task`."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from syzygy.tasks.digits import digits
from syzygy.tasks.mnist import mnist
from syzygy.tasks.task import Task, labelled
from syzygy.tasks.two_points import two_points

#: Every task by the name that the command line and specifications use.
TASKS: Final = MappingProxyType[str, Callable[..., Task]]({"two-points": two_points, "digits": digits, "mnist": mnist})

#: Numbers of inputs and outputs of tasks that must be read, or fetched, to be made: a report needs no data.
SIZES: Final = MappingProxyType({"digits": (64, 10), "mnist": (784, 10)})

__all__ = ["SIZES", "TASKS", "Task", "digits", "labelled", "mnist", "two_points"]
