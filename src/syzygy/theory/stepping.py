"""Some systems of equations on their way, each at a time of its own: the steps of :mod:`syzygy.theory.runge_kutta`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import DOP853

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
Flags = NDArray[np.bool_]

#: From states ``(number, system)``, and what is given of these systems, to their changes per step.
Rate = Callable[[Array, Any], Array]
#: From the same to whether a system will not move any more, ``(system,)``.
Settled = Callable[[Array, Any], Flags]

#: Of the state and of the step that is being tried; SciPy's.
SAFETY, LEAST_FACTOR, MOST_FACTOR = 0.9, 0.2, 10.0
STAGES = len(DOP853.C)
#: Weights of each stage after the first; the last are the step itself, so its stage is the slope at its end.
WEIGHTS = [DOP853.A[stage, :stage] for stage in range(1, STAGES)] + [DOP853.B]
ERRORS = np.stack([DOP853.E5, DOP853.E3])
#: Shrinks with the step's error to the power of 1/8.
EXPONENT = -1 / 8


@dataclass
class _Step:
    """A step of some systems that was tried: where it began, how long it was, and which were taken."""

    begun: Array
    length: Array
    before: Array
    after: Array
    taken: Flags


class Systems:
    """Some systems on their way; those that have arrived are left out of every array."""

    def __init__(
        self,
        rate: Rate,
        state: Array,
        given: NDArray[Any],
        rtol: float,
        atol: Array,
        groups: Sequence[int] | None,
        settled: Settled | None,
    ):
        self._rate, self._rtol, self._settled = rate, rtol, settled
        self._groups = None if groups is None else np.array(groups)
        self.state, self.given, self._atol = np.ascontiguousarray(state), np.ascontiguousarray(given), atol
        self.time = np.zeros(state.shape[1])
        self._refused = np.zeros(len(self.time), dtype=bool)
        # Stages of a step, then those between which to interpolate; one place for all steps, for new memory is slow.
        self._places = np.empty((STAGES + 4, state.size))
        with np.errstate(all="ignore"):
            self._slope = rate(self.state, self.given)
            self._length = self._first_length()

    def fill(self, found: Array, times: Array, look: Rate, most: int) -> None:
        """Write what is seen at some times into ``(step, number, system)``, in so many steps at most."""
        place, due = np.arange(len(self.time)), np.zeros(len(self.time), dtype=np.intp)
        end = times[-1] if len(times) else 0.0
        with np.errstate(all="ignore"):  # what runs away is seen in what comes back
            begun = int(np.searchsorted(times, 0.0, side="right"))
            found[:begun] = look(self.state, self.given)
            due += begun
            for _ in range(most):
                lost = ~np.isfinite(self._length) | (self._length <= 4 * np.spacing(self.time))
                going = ~lost & (due < len(times))
                if self._settled:
                    still = self._settled(self.state, self.given) & going
                    if still.any():
                        view = look(self.state[:, still], self.given[..., still])
                        for one, (index, system) in enumerate(zip(due[still], place[still], strict=True)):
                            found[index:, :, system] = view[:, one]
                    going &= ~still
                if not going.all():
                    place, due = place[going], due[going]
                    self._only(going)
                if not len(place):
                    break
                step = self._step(end)
                reached = np.where(step.taken, np.searchsorted(times, self.time, side="right"), due)
                if (reached > due).any():
                    self._interpolate(found, step, times, place, due, reached, look)
                due = reached
                self._advance(step)

    def _step(self, end: float) -> _Step:
        """Try a step of every system, and set the time and the length of the next."""
        length, shape = np.minimum(self._length, end - self.time), self.state.shape
        stages = self._places[:, : self.state.size]
        stages[0] = self._slope.reshape(-1)
        moved = np.empty(shape)
        for stage, weights in enumerate(WEIGHTS, 1):
            np.dot(weights, stages[:stage], out=moved.reshape(-1))
            moved *= length
            moved += self.state
            stages[stage] = self._rate(moved, self.given).reshape(-1)
        error = self._error(stages[: STAGES + 1], length, moved)
        taken = (error < 1) & np.isfinite(error)
        factor = np.where(error > 0, SAFETY * error**EXPONENT, MOST_FACTOR)
        most = np.where(self._refused | ~taken, 1.0, MOST_FACTOR)
        factor = np.where(np.isfinite(error), np.clip(factor, LEAST_FACTOR, most), LEAST_FACTOR)
        begun = self.time
        # The last step to the end is cut short, and says nothing about the next.
        self._length, self._refused = length * factor, ~taken
        # Exactly the end, whatever the rounding: else a last, tiny step would be asked for.
        arrived = length == end - begun
        self.time = np.where(taken, np.where(arrived, end, begun + length), begun)
        return _Step(begun, length, self.state, moved, taken)

    def _advance(self, step: _Step) -> None:
        last = self._places[STAGES, : step.after.size].reshape(step.after.shape)
        if step.taken.all():
            self.state, self._slope = step.after, last.copy()
        else:
            self.state = np.where(step.taken, step.after, self.state)
            self._slope = np.where(step.taken, last, self._slope)

    def _interpolate(
        self, found: Array, step: _Step, times: Array, place: Rows, due: Rows, reached: Rows, look: Rate
    ) -> None:
        """Write what is seen at the times that a step has passed."""
        count = reached - due
        terms = self._polynomial(step)
        which = np.repeat(np.arange(len(count)), count)
        index = np.arange(len(which)) - np.repeat(np.cumsum(count) - count - due, count)
        share = (times[index] - step.begun[which]) / step.length[which]
        rest = 1 - share
        value = np.zeros((len(step.before), len(which)))
        for power, term in enumerate(reversed(terms)):
            value += np.take(term, which, axis=1)
            value *= rest if power % 2 else share
        value += np.take(step.before, which, axis=1)
        found[index, :, place[which]] = look(value, np.take(self.given, which, axis=-1)).T

    def _polynomial(self, step: _Step) -> list[Array]:
        """Terms of the polynomial of degree 7 through a step, ``(number, system)`` each."""
        shape = step.before.shape
        stages = self._places[:, : step.before.size]
        for stage, weights in enumerate(DOP853.A_EXTRA, STAGES + 1):
            moved = (weights[:stage] @ stages[:stage]).reshape(shape)
            moved *= step.length
            moved += step.before
            stages[stage] = self._rate(moved, self.given).reshape(-1)
        change = step.after - step.before
        first, last = (step.length * stages[stage].reshape(shape) for stage in (0, STAGES))
        higher = (DOP853.D @ stages).reshape(-1, *shape)
        higher *= step.length
        return [change, first - change, 2 * change - (first + last), *higher]

    def _error(self, stages: Array, length: Array, after: Array) -> Array:
        """Estimate a step's error in units of what is allowed, ``(system,)``: SciPy's norm of two estimates."""
        scale = self._atol + self._rtol * np.maximum(self._sizes(self.state), self._sizes(after))
        both = (ERRORS @ stages).reshape(2, *after.shape)
        both /= scale
        fifth, third = np.einsum("ens,ens->es", both, both)
        norm = length * fifth / np.sqrt((fifth + 0.01 * third) * len(after))
        return np.asarray(np.where(fifth == 0, 0.0, norm))

    def _first_length(self) -> Array:
        """Guess the first step from how large, and how fast, the state is (Hairer, Nørsett & Wanner, II.4)."""
        scale = self._atol + self._rtol * self._sizes(self.state)
        size, speed = (np.sqrt(np.mean((one / scale) ** 2, axis=0)) for one in (self.state, self._slope))
        guess = np.where((size < 1e-5) | (speed < 1e-5), 1e-6, 0.01 * size / speed)
        ahead = self._rate(self.state + guess * self._slope, self.given)
        bend = np.sqrt(np.mean(((ahead - self._slope) / scale) ** 2, axis=0)) / guess
        steep = np.maximum(speed, bend)
        bound = np.where(steep <= 1e-15, np.maximum(1e-6, 1e-3 * guess), (0.01 / np.maximum(steep, 1e-300)) ** 0.125)
        return np.asarray(np.minimum(100 * guess, bound))

    def _sizes(self, state: Array) -> Array:
        """Give what the error of each number is relative to: itself, or its vector's root mean square."""
        if self._groups is None:
            return np.abs(state)
        first = np.cumsum(self._groups) - self._groups
        square = np.add.reduceat(state**2, first, axis=0)
        return np.repeat(np.sqrt(square / self._groups[:, None]), self._groups, axis=0)

    def _only(self, going: Flags) -> None:
        self.time, self.given, self._atol = self.time[going], self.given[..., going], self._atol[:, going]
        self.state, self._slope = self.state[:, going], self._slope[:, going]
        self._length, self._refused = self._length[going], self._refused[going]
