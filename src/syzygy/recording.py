"""When to look at a network, and how: schedules of steps, and layers watched by name."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from syzygy.errors import ShapeError, SpecificationError, UnknownName


@dataclass(frozen=True)
class Schedule:
    """The steps at which a network is recorded; the first and the last are always among them.

    Parameters
    ----------
    kind
        ``every`` so many steps, or about so many steps in ``log`` spacing.
    number
        The spacing, or the number of steps.

    Examples
    --------
    >>> Schedule.parse("every 4").at(10).tolist()
    [0, 4, 8, 10]
    >>> Schedule.parse("log 6").at(1000).tolist()
    [0, 1, 6, 32, 178, 1000]
    """

    kind: Literal["every", "log"]
    number: int

    def __post_init__(self) -> None:
        if self.number < (1 if self.kind == "every" else 3):
            raise SpecificationError(f"a schedule is 'every N' with N ≥ 1 or 'log N' with N ≥ 3; got '{self}'")

    @classmethod
    def parse(cls, text: str) -> "Schedule":
        """Read ``every N`` or ``log N``."""
        match = re.fullmatch(r"\s*(every|log)\s+(\d+)\s*", text)
        if not match:
            raise SpecificationError(f"a schedule is 'every N' or 'log N', as in 'every 10'; got {text!r}")
        return cls("every" if match[1] == "every" else "log", int(match[2]))

    def at(self, steps: int) -> NDArray[np.int64]:
        """Give the recorded steps of a run of so many updates, rising, ``(step,)``."""
        if self.kind == "every":
            return np.unique(np.append(np.arange(0, steps + 1, self.number), steps))
        spaced = np.geomspace(1, steps, min(self.number, steps + 1) - 1).round()
        return np.unique(np.append(spaced, [0, steps]).astype(np.int64))

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"


def every(number: int) -> Schedule:
    """Record every so many steps, and the last."""
    return Schedule("every", number)


def log_spaced(number: int) -> Schedule:
    """Record about so many steps, dense at first, sparse later."""
    return Schedule("log", number)


def path_of(layer: str) -> str:
    """Give the module path of a watched layer, ``path`` or ``mean(path)``.

    Examples
    --------
    >>> path_of("hidden.3"), path_of("mean(body.layer4)")
    ('hidden.3', 'body.layer4')
    """
    return (re.fullmatch(r"mean\((.+)\)", layer) or {1: layer})[1]


@contextmanager
def watched(network: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Collect what named layers give, while the block runs.

    Parameters
    ----------
    network
        Any module.
    layers
        Module paths, as in ``dict(network.named_modules())``.  ``mean(path)`` is the mean over the positions of a
        feature map, a unit per channel.

    Yields
    ------
    dict
        From layer to its last output, flattened to ``(item, unit)``; filled by each forward pass.

    Raises
    ------
    UnknownName
        A layer that the network lacks; the near ones are listed.
    ShapeError
        A layer whose output is not one tensor with an item axis, or has no positions to take a mean over.
    """
    modules = dict(network.named_modules())
    paths = {layer: path_of(layer) for layer in layers}
    for path in paths.values():
        if path not in modules or not path:
            raise UnknownName("layer", path, (path for path in modules if path))
    seen: dict[str, Tensor] = {}

    def keep(layer: str, output: object) -> None:
        if not isinstance(output, Tensor) or output.ndim < 1:
            raise ShapeError(
                f"layer {layer!r} gives {type(output).__name__}, not a tensor (item, …); watch one inside it"
            )
        if layer != paths[layer]:
            if output.ndim < 3:
                raise ShapeError(f"{layer} needs a map (item, channel, position …), got {tuple(output.shape)}")
            output = output.flatten(2).mean(-1)
        seen[layer] = output.flatten(1) if output.ndim > 1 else output.unsqueeze(1)

    hooks = [
        modules[paths[layer]].register_forward_hook(lambda _m, _i, output, layer=layer: keep(layer, output))
        for layer in layers
    ]
    try:
        yield seen
    finally:
        for handle in hooks:
            handle.remove()
