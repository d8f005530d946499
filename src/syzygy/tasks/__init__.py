"""What networks learn: each task is a function that gives a :class:`Task`."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from syzygy.tasks.bits import bits
from syzygy.tasks.cifar10 import CLASSES, SIDE, cifar10
from syzygy.tasks.context import context
from syzygy.tasks.digits import digits
from syzygy.tasks.fitted import fitted
from syzygy.tasks.images import image_folder
from syzygy.tasks.mnist import mnist
from syzygy.tasks.noise import by_lot, noisy
from syzygy.tasks.task import Task, labelled
from syzygy.tasks.two_points import two_points
from syzygy.tasks.xor import xor

#: Every task by the name that the command line and specifications use.
TASKS: Final = MappingProxyType[str, Callable[..., Task]](
    {
        "two-points": two_points,
        "xor": xor,
        "context": context,
        "bits": bits,
        "digits": digits,
        "mnist": mnist,
        "cifar10": cifar10,
        "image-folder": image_folder,
        "fitted": fitted,
    }
)

#: Numbers of inputs and outputs, by the options, of tasks that must be read, or fetched, to be made: a report needs no
#: data.  How many classes a folder has is known only there; to the cost of a step they make no difference.
SIZES: Final = MappingProxyType[str, Callable[[Mapping[str, Any]], tuple[int, int]]](
    {
        "digits": lambda options: (64, len(options.get("classes") or range(10))),
        "mnist": lambda options: (options.get("size", 28) ** 2, 10),
        "cifar10": lambda options: (3 * options.get("size", SIDE) ** 2, len(CLASSES)),
        "image-folder": lambda options: (3 * options.get("size", SIDE) ** 2, 2),
        "bits": lambda options: (options.get("inputs", 32), 2),
        "fitted": lambda options: (64, 10),  # noqa: ARG005  (pooled MNIST is as large)
    }
)

__all__ = [
    "SIZES",
    "TASKS",
    "Task",
    "bits",
    "by_lot",
    "cifar10",
    "context",
    "digits",
    "fitted",
    "image_folder",
    "labelled",
    "mnist",
    "noisy",
    "two_points",
    "xor",
]
