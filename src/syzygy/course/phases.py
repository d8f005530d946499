"""Phases: where a course of learning changes, by its own numbers and with intervals.

Steps are cut into phases so that the scatter within phases is least (Fisher 1958; with kernels, Harchaoui & Cappé
2007): exactly, by dynamic programming.  Anything with inner products between steps can be cut: a curve, several, or a
layer's representation itself, whose inner products are its similarity to itself at every other step.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.errors import DataError, ShapeError, SpecificationError

Array = NDArray[np.float64]

#: A further phase must take away so much of the scatter of all steps about their mean.
PENALTY: Final = 0.05
#: More phases are not looked for.
MOST: Final = 6
#: Scatter that is this small a part of the numbers is rounding.
ROUNDING: Final = 1e-12


@dataclass(frozen=True)
class Phases:
    """Steps cut into phases.

    Attributes
    ----------
    starts
        Places of the first step of the second and every later phase, rising.
    low, high
        Ends of the intervals of these, as places of steps.
    explained
        Share of the scatter that lies between phases.
    """

    starts: tuple[int, ...]
    low: tuple[int, ...]
    high: tuple[int, ...]
    explained: float

    @property
    def count(self) -> int:
        """Number of phases."""
        return len(self.starts) + 1


def similarity(curves: ArrayLike) -> Array:
    """Give inner products between the steps of curves ``(step,)`` or ``(step, curve)``, less their means."""
    several = np.atleast_2d(np.asarray(curves, dtype=np.float64).T).T
    middle = several - several.mean(axis=0)
    return np.asarray(middle @ middle.T)


def phases(
    alike: ArrayLike,
    draws: ArrayLike | None = None,
    *,
    count: int | None = None,
    penalty: float = PENALTY,
    most: int = MOST,
    slopes: ArrayLike | None = None,
    level: float = 0.95,
) -> Phases:
    """Cut steps into phases.

    The number of phases k minimises ``scatter within phases / scatter of all + penalty·(k − 1)``.

    Parameters
    ----------
    alike
        Inner products between steps, ``(step, step)``: of :func:`similarity`, or the similarity of a representation to
        itself, as long as it is positive semidefinite up to rounding and sampling.
    draws
        The same from other draws of the items, ``(draw, step, step)``.  They are cut into as many phases; quantiles of
        their starts are the intervals.  Without draws an interval is its own start.
    count
        Number of phases, if it is known.
    penalty
        Positive: what a further phase must take away of the scatter.
    most
        More phases are not looked for.
    slopes
        Positions of the steps, ``(step,)``: phases are then straight lines over these instead of levels.
    level
        How often an interval shall hold the start.

    Raises
    ------
    ShapeError
        Inner products that are no square, or draws of other steps; fewer steps than a phase has.
    SpecificationError
        A number out of range.
    DataError
        Numbers that are not finite.

    Examples
    --------
    >>> phases(similarity([0.0, 0.1, 0.0, 3.0, 3.1, 3.0, 9.0, 9.0])).starts
    (3, 6)
    >>> at = np.arange(9.0)
    >>> phases(similarity(np.maximum(0, at - 4.5)), slopes=at).starts
    (5,)
    """
    gram = np.asarray(alike, dtype=np.float64)
    drawn = np.empty((0, *gram.shape)) if draws is None else np.asarray(draws, dtype=np.float64)
    least = 1 if slopes is None else 2
    _check(gram, drawn, least, count, penalty, most, level)
    design = None if slopes is None else np.stack([np.ones(len(gram)), np.asarray(slopes, dtype=np.float64)], axis=1)
    longest = min(most if count is None else count, len(gram) // least)
    cost = _costs(gram, design)
    best, ends = _shortest(cost, longest)
    whole = best[0]
    if whole <= ROUNDING * np.abs(gram).max(initial=0):
        return Phases((), (), (), 1.0)
    parts = count or int(np.argmin(best / whole + penalty * np.arange(longest))) + 1
    starts = _starts(ends, parts)
    found = np.array([_starts(_shortest(_costs(one, design), parts)[1], parts) for one in drawn], dtype=int)
    low, high = starts, starts
    if len(found):
        edges = np.quantile(found, [(1 - level) / 2, (1 + level) / 2], axis=0)
        low, high = np.floor(edges[0]).astype(int).tolist(), np.ceil(edges[1]).astype(int).tolist()
    return Phases(tuple(starts), tuple(low), tuple(high), float(1 - best[parts - 1] / whole))


def _costs(gram: Array, design: Array | None) -> Array:
    """Give the scatter within each stretch of steps, ``(first, one after the last)``; infinite if it is too short."""
    steps = len(gram)
    cost = np.full((steps + 1, steps + 1), np.inf)
    if design is None:
        sums = np.zeros((steps + 1, steps + 1))
        sums[1:, 1:] = gram.cumsum(0).cumsum(1)
        own = np.concatenate([[0.0], np.diag(gram).cumsum()])
        first, after = np.triu_indices(steps + 1, 1)
        square = sums[after, after] - sums[first, after] - sums[after, first] + sums[first, first]
        cost[first, after] = own[after] - own[first] - square / (after - first)
        return np.asarray(np.maximum(cost, 0))
    for start in range(steps):
        for end in range(start + design.shape[1], steps + 1):
            basis, _ = np.linalg.qr(design[start:end])
            inside = gram[start:end, start:end]
            cost[start, end] = max(0.0, float(np.trace(inside) - np.sum(basis * (inside @ basis))))
    return cost


def _shortest(cost: Array, longest: int) -> tuple[Array, NDArray[np.intp]]:
    """Give the least scatter in 1 … ``longest`` phases, and where the last of each begins: by dynamic programming."""
    best, before = np.empty((longest, len(cost))), np.zeros((longest, len(cost)), dtype=np.intp)
    best[0] = cost[0]
    for part in range(1, longest):
        through = best[part - 1][:, None] + cost
        before[part] = through.argmin(axis=0)
        best[part] = through.min(axis=0)
    return best[:, -1], before


def _starts(before: NDArray[np.intp], parts: int) -> list[int]:
    """Go back from the end."""
    found, place = [], before.shape[1] - 1
    for part in range(parts - 1, 0, -1):
        place = int(before[part, place])
        found.append(place)
    return found[::-1]


def _check(gram: Array, drawn: Array, least: int, count: int | None, penalty: float, most: int, level: float) -> None:
    if gram.ndim != 2 or gram.shape[0] != gram.shape[1] or drawn.ndim != 3 or drawn.shape[1:] != gram.shape:
        raise ShapeError(f"phases need (step, step) and draws (draw, step, step); got {gram.shape} and {drawn.shape}")
    if len(gram) < 2 * least:
        raise ShapeError(f"two phases of {least} steps or more need {2 * least} recorded steps; got {len(gram)}")
    if not penalty > 0 or most < 1 or not 0 < level < 1:
        raise SpecificationError(f"penalty > 0, most ≥ 1 and 0 < level < 1; got {penalty:g}, {most} and {level:g}")
    if count is not None and not 1 <= count <= len(gram) // least:
        raise SpecificationError(f"{len(gram)} steps make 1 to {len(gram) // least} phases; got count = {count}")
    if not (np.isfinite(gram).all() and np.isfinite(drawn).all()):
        raise DataError("phases need finite numbers; leave out steps that were not reached")
