"""The best pair of layers of every two networks, against the best that chance would give."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from syzygy.alignment.calibration import largest_null, largest_of
from syzygy.alignment.engine import Engine
from syzygy.alignment.settings import Settings
from syzygy.chance import over_groups, sidak
from syzygy.measures import Measure
from syzygy.measures.measure import Array
from syzygy.representations import Representations


def by_shuffling(
    measure: Measure, score: Array, some: Representations, of: Sequence[int], settings: Settings
) -> dict[str, Array]:
    """Calibrate the best pair of layers by shuffling items, the layers of a network alike.

    Parameters
    ----------
    score
        ``(representation, other representation)``.
    of
        The group of each representation, counted from 0.

    Returns
    -------
    dict
        As :func:`~syzygy.alignment.calibration.largest_of`.
    """
    with TemporaryDirectory(prefix="syzygy-", ignore_cleanup_errors=True) as folder:
        engine = Engine(measure, some, settings, scratch=Path(folder))
        return largest_of(measure, score, _null(engine, of), of)


def by_number(measure: Measure, score: Array, p: Array, of: Sequence[int]) -> dict[str, Array]:
    """Calibrate the best pair of layers by the number of pairs alone; what chance would give stays open."""
    count, sign = 1 + max(of), 1 if measure.kind == "similarity" else -1
    best = sign * over_groups(sign * score, of, of, (count, count))
    least = -over_groups(-p, of, of, (count, count))
    sizes = np.bincount(of)
    tests = np.where(np.eye(count, dtype=bool), np.nan, np.outer(sizes, sizes))
    nothing = np.full_like(best, np.nan)
    return {"score": best, "chance": nothing, "spread": nothing, "calibrated": nothing, "p": sidak(least, tests)}


def _null(engine: Engine, of: Sequence[int]) -> Array:
    """Give the best of every shuffle, ``(draw, group, other group)``, tile by tile."""
    draws, count = engine.draws, 1 + max(of)
    assert draws is not None
    null = np.full((len(draws), count, count), np.nan)
    cut = engine.cut()
    shelf = engine.prepared(range(len(of)), cut)
    for tile in engine.tiles(cut):
        left, right = shelf.some(tile.rows), None if tile.square else shelf.some(tile.columns)
        mine, others = [of[index] for index in tile.rows], [of[index] for index in tile.columns]
        found = largest_null(engine.measure, left, right, (mine, others), draws, engine.settings.work)
        seen = found.shape[-1]  # no group of the block comes later
        null[:, :seen, :seen] = np.fmax(null[:, :seen, :seen], found)
    return np.fmax(null, null.swapaxes(1, 2)) if engine.measure.symmetric else null
