"""How large tiles are, and what lies in memory and on disk: from the budget, before anything is computed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from syzygy.alignment.settings import Settings
from syzygy.alignment.streamed import LinearRows, in_feature_space
from syzygy.chance.features import FEATURES
from syzygy.errors import SpecificationError
from syzygy.linalg.work import COLUMNS
from syzygy.measures import Inner, Measure

#: Of what is known of a pair: score, chance, spread, calibrated, p, q; and the two ends of an interval.
KNOWN, ENDS = 6, 2

#: Numbers of float64 that are held for each pair of a tile while its chance is computed, beside those of each draw.
CLOSED: Final = 24

#: The same, where a score is no inner product: 32 quantiles of it, and what is made of them.
CURVED: Final = CLOSED + 4 * 32

#: A tile is at most so wide; narrower where pairs are computed one by one, so that one of them is done soon.
SIDES: Final = {True: 1024, False: 64}


@dataclass(frozen=True)
class Layout:
    """How all pairs of one measure are cut.

    Attributes
    ----------
    side
        Representations on a side of a tile.
    held
        Whether everything that was prepared stays in memory.
    prepared
        Bytes of everything that was prepared.
    memory
        Most bytes that are held at once, answers included.
    """

    side: int
    held: bool
    prepared: int
    memory: int

    @property
    def scratch(self) -> int:
        """Bytes of everything that was prepared, if it waits on disk."""
        return 0 if self.held else self.prepared


def layout(measure: Measure, shape: tuple[int, int, int], size: int, measures: int, settings: Settings) -> Layout:
    """Cut all pairs so that they fit the memory.

    Parameters
    ----------
    measure
        By what is compared.
    shape
        Numbers of representations, items, and units of the widest.
    size
        Bytes of what is prepared of one.
    measures
        How many measures' answers are held.
    settings
        The memory, and what is drawn.

    Raises
    ------
    SpecificationError
        Not even one pair fits.
    """
    count, items, units = shape
    answers = 2 * answered(count, measures, settings)  # as they are found, and again as they are put together
    free = settings.memory - answers
    making = preparing(measure, items, units, settings)
    each, pair = _one(measure, items, units, size, settings), _pair(measure, units, settings)
    least = max(making, each + pair)
    if free < least:
        raise SpecificationError(
            f"{measure.label} of {items:,} items needs {(answers + least) / 1e9:.2g} GB beside the interpreter, and "
            f"memory is {settings.memory / 1e9:.2g} GB; allow more, or compare fewer items"
        )
    held = count * size <= (free - least) / 2
    room = free - (count * size if held else 0)
    side = (np.sqrt(each**2 + 4 * pair * room) - each) / (2 * pair)
    side = int(max(1, min(count, side, SIDES[isinstance(measure, Inner)])))
    used = (count * size if held else 0) + max(making, side * each + side**2 * pair)
    return Layout(side, held, count * size, int(answers + used))


def formed(measure: Measure, shape: tuple[int, int, int], measures: int, settings: Settings) -> Measure:
    """Give the form in which a measure is computed: without matrices of items where they are more work, or too large.

    Parameters
    ----------
    measure, shape, measures, settings
        As :func:`layout`.
    """
    count, items, units = shape
    needed = 2 * answered(count, measures, settings) + preparing(measure, items, units, settings)
    return in_feature_space(measure, items, units, fits=needed < settings.memory)


def answered(count: int, measures: int, settings: Settings) -> int:
    """Give the bytes of all answers."""
    return 8 * count**2 * measures * (KNOWN + (ENDS if settings.bootstrap else 0))


def preparing(measure: Measure, items: int, units: int, settings: Settings) -> int:
    """Give the bytes that are held while a representation is prepared."""
    reals = np.dtype(settings.dtype).itemsize
    rows = 3 * 8 * items * units
    if isinstance(measure, LinearRows):
        return rows + 3 * 8 * min(units + 2, FEATURES) ** 3
    return rows + (6 * reals * items**2 if isinstance(measure, Inner) else 0)


def drawn(measure: Measure) -> bool:
    """Whether chance has no closed form, and is drawn."""
    return type(measure).chance is Measure.chance


def _one(measure: Measure, items: int, units: int, size: int, settings: Settings) -> int:
    """Give the bytes that a tile needs for each of its rows, and column."""
    need = 2 * COLUMNS * np.dtype(settings.dtype).itemsize if isinstance(measure, Inner) else 2 * size
    if drawn(measure) and settings.permutations:
        need += size
    if settings.bootstrap:
        need += 2 * 8 * items * units + 2 * size
    return need


def _pair(measure: Measure, units: int, settings: Settings) -> int:
    """Give the bytes that a tile needs for each of its pairs."""
    curved = isinstance(measure, Inner) and type(measure).score is not Inner.score
    draws = 4 * settings.permutations if drawn(measure) else 0
    covariances = 12 * units**2 if isinstance(measure, LinearRows) else 0
    return 8 * ((CURVED if curved else CLOSED) + draws + covariances + 4 * settings.bootstrap)


def widest(units: Sequence[int]) -> int:
    """Give the place of the widest representation."""
    return max(range(len(units)), key=units.__getitem__)
