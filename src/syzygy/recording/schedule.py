"""When to look at a network: schedules of steps."""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from syzygy.errors import SpecificationError


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
