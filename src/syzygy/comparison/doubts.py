"""Reasons not to believe a comparison, each with a stable code that ``docs/checks.md`` explains."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from syzygy.alignment import Alignment
from syzygy.measures import Measure
from syzygy.result import Finding

#: Pairs with q below it count as more alike than chance.
LEVEL: Final = 0.05
#: A measure suffers where chance takes it so far towards its best value.
CLOSE: Final = 0.2
#: Items are few where there are not so many for every unit.
PER_UNIT: Final = 2


def doubts(alignment: Alignment, rows: pd.DataFrame) -> tuple[Finding, ...]:
    """Run every check of a comparison.

    Parameters
    ----------
    alignment
        What was found.  What needs the representations is skipped if it has them no more.
    rows
        A row per measure and pair.
    """
    same, silent = _of_values(alignment)
    found = (
        ("SZ014", "Too few items for the width", tuple(_few_items(alignment))),
        ("SZ015", "Items that are the same", tuple(same)),
        ("SZ016", "Units that say nothing", tuple(silent)),
        ("SZ017", "Something was left out", tuple(_left_out(alignment))),
        ("SZ018", "No more alike than chance", tuple(_at_chance(alignment, rows))),
    )
    return tuple(Finding(code, title, details) for code, title, details in found if details)


def _few_items(alignment: Alignment) -> Iterator[str]:
    """Chance alone comes near the best value, because units are many and items few."""
    some = alignment.representations
    if some is None:
        return
    items = some.item_count
    wide = np.array([items < PER_UNIT * one.units for one in some])
    if not wide.any():
        return
    widest = max(one.units for one in some)
    involved = (wide[:, None] | wide) & ~np.eye(len(wide), dtype=bool)
    for one in alignment.measures:
        near = _towards_best(one, alignment.data["chance"].sel(measure=one.label).values)[involved]
        near = near[np.isfinite(near)]
        if len(near) and near.max() > CLOSE:
            yield f"{one.label}: {items} items, up to {widest} units; chance is {near.max():.0%} of the way to the best"


def _towards_best(measure: Measure, chance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give how far chance goes from the worst value, 0 or the greatest distance, towards the best."""
    if measure.kind == "similarity":
        return chance / measure.best
    return 1 - chance / measure.range[1]  # an unbounded distance is never near


def _of_values(alignment: Alignment) -> tuple[list[str], list[str]]:
    """Read every representation once: items that coincide, and units that do not vary or are there twice."""
    same: list[str] = []
    silent: list[str] = []
    some = alignment.representations
    for index, one in enumerate(some or ()):
        assert some is not None
        values = some.values(index)
        if repeated := len(values) - _distinct(values):
            same.append(f"{one.name}: {repeated} of {len(values)} items are the same as another")
        constant = np.ptp(values, axis=0) == 0
        zero = constant & (values[0] == 0)
        varying = values.T[~constant]
        counts = {"zero": zero.sum(), "constant": (constant & ~zero).sum(), "twice there": len(varying) -
                  _distinct(varying)}  # fmt: skip
        if any(counts.values()):
            said = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
            silent.append(f"{one.name}: of {one.units} units, {said}")
    return same, silent


def _distinct(rows: NDArray[np.float64]) -> int:
    """Count rows that differ."""
    if not len(rows):
        return 0
    plain = np.ascontiguousarray(rows) + 0.0  # −0 is 0
    return len(np.unique(plain.view(np.dtype((np.void, plain.shape[1] * plain.itemsize)))))


def _left_out(alignment: Alignment) -> Iterator[str]:
    yield from alignment.warnings
    some = alignment.representations
    if some is None:
        return
    yield from some.left_out
    if some.unnamed:
        number, first = len(some.unnamed), some.unnamed[0]
        yield f"{number} have no names of items, as {first}; theirs are taken to be in the order of the others"


def _at_chance(alignment: Alignment, rows: pd.DataFrame) -> Iterator[str]:
    for one in alignment.measures:
        measure, some = one.label, rows[rows["measure"] == one.label]
        known = some["q"].dropna()
        low = int((known >= LEVEL).sum())
        if low:
            line = f"{measure}: {low} of {len(known)} pairs (q of {LEVEL:g} or more)"
            draws = int(alignment.about.get("permutations", 0))
            if draws and low == len(known) and some["p"].min() >= 1 / (draws + 1):
                line += f"; with {draws} permutations no p is below {1 / (draws + 1):.2g}"
            yield line
