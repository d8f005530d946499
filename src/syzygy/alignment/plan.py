"""What a comparison will take: time, memory and disk, before anything starts."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from math import prod
from statistics import median
from typing import Any, Final

import numpy as np

from syzygy.alignment.align import chosen_of
from syzygy.alignment.calibration import compared
from syzygy.alignment.layout import Layout, answered, drawn, formed, layout, widest
from syzygy.alignment.settings import Settings, in_bytes
from syzygy.alignment.streamed import LinearRows
from syzygy.alignment.tiles import tiles
from syzygy.linalg import Work
from syzygy.linalg.work import Precision
from syzygy.measures import Inner, Measure
from syzygy.measures.measure import Prepared
from syzygy.representations import Representations

#: The measurement takes so many items at most; what more of them cost follows from the number of operations.  It is
#: prime, so that an axis of so many is one of items.
SAMPLE: Final = 397

#: Bytes a second that a disk reads or writes, if nothing better is known.
DISK: Final = 5e8


@dataclass(frozen=True)
class Share:
    """What one measure takes.

    Attributes
    ----------
    measure
        Its label.
    preparing, comparing
        Seconds for what is done once for each representation, and for all pairs.
    layout
        How all pairs are cut; its bytes are exact.
    tiles
        How many there are.
    """

    measure: str
    preparing: float
    comparing: float
    layout: Layout
    tiles: int


@dataclass(frozen=True)
class Plan:
    """What a comparison will take.

    Attributes
    ----------
    representations, items
        How many there are.
    shares
        What each measure takes.
    answers
        Bytes of the scores of all measures.
    """

    representations: int
    items: int
    shares: tuple[Share, ...]
    answers: int

    @property
    def seconds(self) -> float:
        """Of everything, on this machine as it is now."""
        return sum(share.preparing + share.comparing for share in self.shares)

    @property
    def memory(self) -> int:
        """Most bytes that are held at once, beside the interpreter."""
        return max(2 * self.answers, *(share.layout.memory for share in self.shares))

    @property
    def disk(self) -> int:
        """Most bytes on disk at once: what waits of one measure, and the answers, as tiles and at the end."""
        return max(share.layout.scratch for share in self.shares) + 2 * self.answers

    @property
    def tiles(self) -> int:
        """How many there are."""
        return sum(share.tiles for share in self.shares)


def plan(
    representations: Any,
    measures: str | Measure | Iterable[str | Measure] = ("cka",),
    *,
    permutations: int = 100,
    bootstrap: int = 0,
    dtype: Precision = "float32",
    device: str | None = None,
    memory: str | int = "4GB",
) -> Plan:
    """Say what :func:`syzygy.align` of the same arguments will take.

    Nothing is read but shapes.  Time follows from numbers of operations, and from a measurement on random numbers that
    takes a second or so for each measure; it is an estimate.

    Raises
    ------
    SyzygyError
        As :func:`syzygy.align`, for arguments.

    Examples
    --------
    >>> import numpy as np
    >>> found = plan({str(i): np.ones((100, 8)) for i in range(20)}, ["cka"])
    >>> found.tiles, found.disk, found.seconds < 60
    (1, 38400, True)
    """
    some, settings = (
        Representations.of(representations),
        Settings(dtype, device, in_bytes(memory), permutations, bootstrap),
    )
    chosen = chosen_of(measures)
    shares = tuple(_share(one, some, settings, len(chosen)) for one in chosen)
    return Plan(len(some), some.item_count, shares, answered(len(some), len(chosen), settings))


def _share(one: Measure, some: Representations, settings: Settings, measures: int) -> Share:
    units = [each.units for each in some]
    wide, items, count = units[widest(units)], some.item_count, len(some)
    shape = (count, items, wide)
    one = formed(one, shape, measures, settings)
    size = _size(one, items, wide, settings)
    cut = layout(one, shape, size, measures, settings)
    every = tiles(count, cut.side, one.symmetric)
    few, middle = min(items, max(SAMPLE, one.least_items)), int(median(units))
    preparing, left = _prepared(one, few, middle, settings)
    preparing *= count * _operations(one, items, middle) / _operations(one, few, middle)
    scored = sum(tile.pairs for tile in every)
    if drawn(one):  # shuffled, no measure is symmetric
        scored += settings.permutations * sum(len(tile.rows) * len(tile.columns) for tile in every)
    comparing = scored * _pair(one, left, (few, items), settings)
    if settings.bootstrap:
        blocks = sum(len(tile.rows) + (0 if tile.square else len(tile.columns)) for tile in every)
        comparing += settings.bootstrap * (preparing / 4 * blocks / count + comparing / 2)
    moved = 2 * cut.scratch * (1 + count / cut.side) / DISK
    return Share(one.label, preparing, comparing + moved, cut, len(every))


def _size(one: Measure, items: int, units: int, settings: Settings) -> int:
    """Give the bytes of what is prepared of one representation, by preparing one, if need be of fewer items."""
    few = items if items <= SAMPLE or not isinstance(one, Inner | LinearRows) else SAMPLE
    sizes: dict[int, int] = {few: items, few * (few + 1) // 2: items * (items + 1) // 2}
    shapes = [(*array.shape, array.itemsize) for array in one.prepare(_random(0, few, units), settings.work).values()]
    return sum(prod([sizes.get(size, size) for size in shape]) for shape in shapes)


def _prepared(one: Measure, items: int, units: int, settings: Settings) -> tuple[float, list[Prepared]]:
    """Measure how long one representation takes, and give a few."""
    made: list[Prepared] = [one.prepare(_random(seed, items, units), settings.work) for seed in range(8)]
    return _seconds(lambda: one.prepare(_random(0, items, units), settings.work)), made


def _pair(one: Measure, some: list[Prepared], items: tuple[int, int], settings: Settings) -> float:
    """Measure how long it takes to score a pair, from few items to all."""
    few, every = items
    if isinstance(one, Inner):
        whole = _seconds(partial(compared, one, some, work=settings.work))
        return float(every * (every + 1) / rate(settings.work) + whole / len(some) ** 2 / 8)
    taken = np.inf
    for side in (1, 4):  # what is computed together may be faster
        took = _seconds(partial(one.block, some[:side], some[side : 2 * side], settings.work))
        taken = min(taken, took / side**2)
        if took > 0.1:
            break
    return float(taken * (every / few) ** (1 if isinstance(one, LinearRows) else 1.5))


def _operations(one: Measure, items: int, units: int) -> float:
    """Count what preparing costs, up to a factor: a kernel and its cube, or a decomposition."""
    if isinstance(one, Inner):
        return items**2 * (items + units + 50.0)
    if isinstance(one, LinearRows):
        return float(items)
    return items * units * (min(items, units) + 50.0)


@cache
def rate(work: Work) -> float:
    """Measure how many operations a second a large matrix product does, in the precision and the place."""
    a = np.random.default_rng(0).normal(size=(1024, 1024)).astype(work.dtype)
    b = a[::-1].copy()
    return float(2 * len(a) ** 3 / _seconds(lambda: work.product(a, b)))


def _random(seed: int, items: int, units: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(seed).normal(size=(items, units))


def _seconds(call: Callable[[], object]) -> float:
    """Take the median of a few, for as long as half a second."""
    taken: list[float] = []
    while len(taken) < 5 and sum(taken) < 0.5:
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    return float(median(taken))
