"""Many small systems of equations followed at once, each with steps of its own.

The explicit Runge–Kutta method of order 8 of Dormand and Prince, with SciPy's coefficients and its error estimate
(:class:`scipy.integrate.DOP853`).  SciPy follows one system at a time, so that for small systems most of the time is
Python's; here a stage is evaluated for all systems together.  Tests hold the two against each other.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.errors import ShapeError, SpecificationError
from syzygy.theory.stepping import Array, Rate, Rows, Settled, Systems

__all__ = ["Rate", "Rows", "Settled", "follow"]

#: So many numbers of a stage, and so many systems, are worked on together: as many as there can be with some left for
#: every processor, for a call costs more than what it does for a few.
CHUNK, MOST_SYSTEMS = 100_000, 10_000
#: Steps of one system before it is given up.
MOST_STEPS = 100_000


def follow(
    rate: Rate,
    start: ArrayLike,
    steps: ArrayLike,
    *,
    given: NDArray[Any] | None = None,
    seen: Rate | None = None,
    rtol: float = 1e-8,
    atol: ArrayLike = 1e-12,
    groups: Sequence[int] | None = None,
    settled: Settled | None = None,
) -> Array:
    """Follow systems from their starts.

    Parameters
    ----------
    rate
        Change per step, of states ``(number, system)`` and what is given of these systems.
    start
        States at step 0, ``(number, system)``.
    steps
        Times at which to evaluate, in steps, rising, zero or more, ``(step,)``.
    given
        What ``rate`` knows of each system, ``(..., system)``; by default which system it is.
    seen
        What to give back of a state, of the same arguments as ``rate``; by default all of it.
    rtol, atol
        Bounds of a step's error, relative to each number and absolute (a number, or one per number and system).
    groups
        How many numbers, one after the other, form a vector, whose error is relative to its root mean square; by
        default each stands for itself.
    settled
        Says which states, ``(number, system)``, will not move any more; they stand still from there.

    Returns
    -------
    Array
        ``(step, number, system)``; NaN from where a system runs away, or cannot be followed.

    Raises
    ------
    ShapeError
        A start that is no table, groups that do not add up, or steps that do not rise from zero.
    SpecificationError
        Tolerances that are not positive.

    Examples
    --------
    Decay, at two rates:

    >>> rates = np.array([1.0, 2.0])
    >>> follow(lambda state, rows: -rates[rows] * state, [[1.0, 1.0]], [0, 1]).round(4).tolist()
    [[[1.0, 1.0]], [[0.3679, 0.1353]]]
    """
    state, times = np.array(start, dtype=np.float64), np.asarray(steps, dtype=np.float64)
    if state.ndim != 2:
        raise ShapeError(f"a start must be (number, system), got shape {state.shape}")
    if times.ndim != 1 or not np.all((times >= 0) & np.isfinite(times)) or np.any(np.diff(times) < 0):
        raise ShapeError("steps must be one row of finite numbers, zero or more, that do not fall")
    if not rtol > 0 or not np.all(np.asarray(atol) > 0):
        raise SpecificationError(f"tolerances must be positive; got rtol = {rtol!r}, atol = {atol!r}")
    numbers, systems = state.shape
    if groups is not None and (sum(groups) != numbers or min(groups) < 1):
        raise ShapeError(f"groups must add up to the {numbers} numbers of a state; got {list(groups)}")
    known: NDArray[Any] = np.arange(systems) if given is None else given
    look = seen or (lambda state, _: state)
    with np.errstate(all="ignore"):
        numbers_seen = len(look(state[:, :1], known[..., :1]))
    found = np.full((len(times), numbers_seen, systems), np.nan)
    least = np.broadcast_to(np.asarray(atol, dtype=np.float64), np.broadcast_shapes(np.shape(atol), (1, systems)))
    size = max(1, min(MOST_SYSTEMS, CHUNK // max(numbers, 1)))

    def one(first: int) -> None:
        part = slice(first, first + size)
        some = Systems(rate, state[:, part], known[..., part], rtol, least[:, part], groups, settled)
        some.fill(found[:, :, part], times, look, MOST_STEPS)

    if systems <= size:
        one(0)
    else:  # NumPy lets other threads work while it computes
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(one, range(0, systems, size)))
    return found
