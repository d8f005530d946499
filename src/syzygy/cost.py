"""What something long will cost, said before it starts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Cost:
    """What a job costs one process of one thread.

    Attributes
    ----------
    seconds
        At most: what has converged, learned or diverged stops earlier.
    bytes
        Of what it holds, or records: in memory while it runs and on disk afterwards (there before compression).
    """

    seconds: float
    bytes: int


def makespan(seconds: Iterable[float], processes: int) -> float:
    """Give the time that jobs take in several processes, the longest first.

    Examples
    --------
    >>> makespan([3, 3, 2, 2, 2], processes=2)
    7.0
    """
    busy = np.zeros(processes)
    for one in sorted(seconds, reverse=True):
        busy[np.argmin(busy)] += one
    return float(busy.max())


@dataclass(frozen=True)
class Plan:
    """What several will cost, and what of them cannot be run.

    Attributes
    ----------
    costs
        Of every training that is missing, by specification; a training that two need counts for the first.
    trouble
        Why a specification cannot be run, by its name.
    memory
        Of the largest process that was measured, in bytes; zero where the system does not tell.
    """

    costs: Mapping[str, tuple[Cost, ...]]
    trouble: Mapping[str, str]
    memory: int

    def seconds(self, processes: int) -> float:
        """Give the time of all training in several processes, at most."""
        return makespan((one.seconds for some in self.costs.values() for one in some), processes)

    @property
    def bytes(self) -> int:
        """What will be recorded, before compression."""
        return sum(one.bytes for some in self.costs.values() for one in some)


def peak_memory() -> int:
    """Give the most memory that this process has held, in bytes; zero where the system does not tell."""
    try:
        import resource  # noqa: PLC0415  (not on every system)
    except ImportError:
        return 0
    import sys  # noqa: PLC0415

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)
