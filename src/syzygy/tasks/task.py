"""What a network learns, and the items at which it is watched."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from syzygy.errors import DataError, ShapeError, SpecificationError
from syzygy.seeds import stream


@dataclass(frozen=True)
class Task:
    """Inputs, targets and probe items.

    Parameters
    ----------
    name
        What the task is called.
    inputs
        Training inputs, ``(item, …)``.
    targets
        Training targets, ``(item, output)``.
    items
        A name for every item.
    probe
        Indices of the items whose representations are watched; by default all.
    held_out
        Whether probe items are watched only, and not learned.

    Raises
    ------
    ShapeError
        Inputs, targets and names that are not of the same items.
    DataError
        NaN or infinity in the data.
    SpecificationError
        Fewer than two probe items, one given twice, or one that does not exist; nothing left to learn.
    """

    name: str
    inputs: NDArray[np.float64]
    targets: NDArray[np.float64]
    items: tuple[str, ...]
    probe: tuple[int, ...] = ()
    held_out: bool = False

    def __post_init__(self) -> None:
        for field in ("inputs", "targets"):
            array = np.asarray(getattr(self, field), dtype=np.float64)
            if array.ndim < 2:
                raise ShapeError(f"{field} of task {self.name!r} must be (item, …), two axes or more: {array.shape}")
            if not np.all(np.isfinite(array)):
                bad = int(np.argwhere(~np.isfinite(array))[0][0])
                raise DataError(f"{field} of task {self.name!r} are not finite, first at item {bad}; clean the data")
            object.__setattr__(self, field, array)
        if self.targets.ndim != 2 or not len(self.inputs) == len(self.targets) == len(self.items):
            raise ShapeError(
                f"task {self.name!r} needs inputs (item, …), targets (item, output) and a name per item; got "
                f"{self.inputs.shape}, {self.targets.shape} and {len(self.items)} names"
            )
        object.__setattr__(self, "probe", tuple(self.probe) or tuple(range(len(self.items))))
        unknown = [index for index in self.probe if not 0 <= index < len(self.items)]
        if unknown or len(set(self.probe)) != len(self.probe) or len(self.probe) < 2:
            raise SpecificationError(
                f"the probe of task {self.name!r} must be two or more different items among "
                f"0 … {len(self.items) - 1}; got {self.probe[:20]}"
            )
        if self.held_out and len(self.probe) == len(self.items):
            raise SpecificationError(f"all {len(self.items)} items of task {self.name!r} are held out; watch fewer")

    @property
    def output_dim(self) -> int:
        """Number of outputs."""
        return int(self.targets.shape[1])

    @property
    def input_dim(self) -> int:
        """Number of inputs per item, all axes flattened."""
        return int(np.prod(self.inputs.shape[1:]))

    @property
    def learned_inputs(self) -> NDArray[np.float64]:
        """Inputs of the items that are learned, ``(item, …)``: all but those held out."""
        return np.delete(self.inputs, self.probe, axis=0) if self.held_out else self.inputs

    @property
    def learned_targets(self) -> NDArray[np.float64]:
        """Targets of the items that are learned, ``(item, output)``."""
        return np.delete(self.targets, self.probe, axis=0) if self.held_out else self.targets

    @property
    def probe_inputs(self) -> NDArray[np.float64]:
        """Inputs of the probe items, ``(item, …)``."""
        return self.inputs[list(self.probe)]

    @property
    def probe_targets(self) -> NDArray[np.float64]:
        """Targets of the probe items, ``(item, output)``."""
        return self.targets[list(self.probe)]

    @property
    def probe_items(self) -> tuple[str, ...]:
        """Names of the probe items."""
        return tuple(self.items[index] for index in self.probe)

    @property
    def probe_is_everything(self) -> bool:
        """Whether the probe is the whole training set, in its order."""
        return self.probe == tuple(range(len(self.items)))

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Every pair of probe items, as positions in the probe."""
        return tuple(combinations(range(len(self.probe)), 2))


def labelled(
    name: str,
    images: NDArray[np.float64],
    labels: NDArray[np.int64],
    per_class: int,
    probe_seed: int,
    first: int | None = None,
    classes: Sequence[str] | None = None,
    held_out: bool = False,
) -> Task:
    """Make a task of images with one-hot targets, watched at a few items per class, or at its first items.

    Parameters
    ----------
    images, labels
        ``(item, …)`` and ``(item,)``; classes are ``0 … max(labels)``, or positions in ``classes``.
    per_class
        Probe items per class, drawn without replacement.
    probe_seed
        Seed of that draw.
    first
        Watch the first so many items instead, sorted by class.
    classes
        Names of the classes; by default their numbers.
    held_out
        Whether the watched items are kept from training.
    """
    if probe_seed < 0:
        raise SpecificationError(f"probe_seed must be zero or more, got {probe_seed}")
    named = [str(label) for label in range(int(labels.max()) + 1)] if classes is None else classes
    items = tuple(f"{named[label]} #{index}" for index, label in enumerate(labels))
    targets = np.eye(len(named))[labels]
    if first is not None:
        if not 2 <= first <= len(labels):
            raise SpecificationError(f"first must lie between 2 and the {len(labels)} items of {name}; got {first}")
        return Task(name, images, targets, items, tuple(np.argsort(labels[:first], kind="stable").tolist()), held_out)
    there, counts = np.unique(labels, return_counts=True)
    if not 1 <= per_class <= counts.min():
        raise SpecificationError(
            f"per_class must lie between 1 and {counts.min()}, the smallest class of {name}; got {per_class}"
        )
    draw = np.random.default_rng(stream(probe_seed, "probe"))
    probe = [int(i) for c in there for i in np.sort(draw.choice(np.flatnonzero(labels == c), per_class, replace=False))]
    return Task(name, images, targets, items, tuple(probe), held_out)
