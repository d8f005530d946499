"""Pairs in deep linear networks whose encoder and decoder are each balanced: two gains and a direction.

All maps of the encoder have one gain, and all of the decoder one, which differ, as may the learning rates of the two.
The last map is a vector as long as its side's gain, along and across ``dy*``.  Derived in ``docs/theory/depth.md``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.errors import ShapeError, SpecificationError
from syzygy.theory.pair import Array
from syzygy.theory.runge_kutta import Rate, Rows, Settled, follow

#: Relative error of a gain in a step of the integrator; and the share of the target that is as good as learned, per map
#: and in units of that error: well above what the integrator leaves.
TOLERANCE, SETTLED = 1e-11, 20
#: A product of gains below this has died, or an output merged.
DEAD = 1e-30
#: Absolute error of a gain that starts at zero, in units of the largest.
LEAST = 1e-16


def followed(rate: Rate, start: Array, steps: ArrayLike, groups: Sequence[int], settled: Settled, rtol: float) -> Array:
    """Follow gains, ``(number, system)``, to some steps, ``(step, number, system)``, or say that it cannot be done."""
    times = np.asarray(steps, dtype=np.float64)
    if not np.all(np.isfinite(times)):
        raise ShapeError("steps must be finite; the end is final_h2")
    # Gains grow by shares of themselves, however small they start, so errors are relative; a zero has no share.
    least = np.where(start == 0, LEAST * np.abs(start).max(axis=0), 0.0) + 1e-300
    found = follow(rate, start, times, rtol=rtol, atol=least, groups=groups, settled=settled)
    if not np.all(np.isfinite(found)):
        raise SpecificationError(f"gains cannot be followed to step {times[-1]:g}; ask for earlier steps, or final_h2")
    return found


@dataclass(frozen=True)
class Balanced:
    """Pairs, and where each stands.

    Attributes
    ----------
    eta_h, eta_y
        Effective learning rates of encoder and decoder at gains of one, per step and map, ``(pair,)``.
    dx2, dy2
        Squared distances of inputs and targets, ``(pair,)``.
    before, after
        Maps of the encoder and of the decoder; one or more.
    h2
        Squared distance of the representations; positive, ``(pair,)``.
    along, across
        Lengths of ``dy`` along ``dy*``, signed, and across, ``(pair,)``.
    """

    eta_h: Array
    eta_y: Array
    dx2: Array
    dy2: Array
    before: int
    after: int
    h2: Array
    along: Array
    across: Array

    def at(self, steps: ArrayLike, rtol: float = TOLERANCE) -> tuple[Array, Array]:
        """Follow the pairs: squared distance ``h2``, ``(pair, step)``, and ``dy``, along and across, before that."""
        before, after = self.before, self.after
        dx, dy = np.sqrt(self.dx2), np.sqrt(self.dy2)

        def others(state: Array) -> tuple[Array, Array]:
            """Gains of all maps but one of the encoder and the last; and of all but the last."""
            decoder = np.hypot(state[1], state[2]) ** (after - 1)
            encoder = state[0] ** (before - 1)
            return encoder * decoder, encoder * decoder * state[0]

        def error(state: Array, rows: Rows) -> tuple[Array, Array]:
            enters = dx[rows] * others(state)[1]
            return enters * state[1] - dy[rows], enters * state[2]

        def rate(state: Array, rows: Rows) -> Array:
            first, last = others(state)
            along, across = error(state, rows)
            encoder = -0.5 * self.eta_h[rows] * dx[rows] * first * (state[1] * along + state[2] * across)
            decoder = -0.5 * self.eta_y[rows] * dx[rows] * last
            return np.stack([encoder, decoder * along, decoder * across])

        def settled(state: Array, rows: Rows) -> NDArray[np.bool_]:
            learned = np.hypot(*error(state, rows)) <= SETTLED * rtol * (before + after) * dy[rows] + DEAD
            return np.asarray(learned | (np.abs(others(state)[1]) <= DEAD))

        found = followed(rate, self._start(), steps, [1, 2], settled, rtol).transpose(1, 2, 0)
        return self.dx2[:, None] * found[0] ** (2 * before), dx[:, None] * others(found)[1] * found[1:]

    def dead(self) -> NDArray[np.bool_]:
        """Whether the outputs never turn round: they point away, and the weaker side, which would have to, cannot.

        A gain passes through zero only where it is that of a single map.
        """
        deep_encoder, deep_decoder = self.before > 1, self.after > 1
        kept, line = self._kept(), self.across == 0
        stuck = (kept >= 0) & deep_decoder | (kept <= 0) & deep_encoder
        dead = (self.along <= 0) & line & stuck
        turning = np.flatnonzero((self.along < 0) & ~line & (kept < 0) & (self.dy2 > 0) & deep_encoder)
        if len(turning):
            dead[turning] = self._too_late(turning)
        return np.asarray(dead)

    def _too_late(self, some: Rows) -> NDArray[np.bool_]:
        """Whether the encoder dies before the outputs have turned to right angles with the target.

        With ``x`` the log of the tangent of half the angle to the target, the decoder's gain ``v`` obeys
        ``dln(v)/dx = after·(‖dy‖/‖dy*‖ + tanh x)``, without time.
        """
        kept, angle = self._kept()[some], np.arctanh(-(self.along / np.hypot(self.along, self.across))[some])
        eta_h, eta_y, dx2, dy2 = (one[some] for one in (self.eta_h, self.eta_y, self.dx2, self.dy2))
        decoder = 0.5 * np.log((self.along**2 + self.across**2) / self.h2)[some]

        def rate(state: Array, rows: Rows) -> Array:
            weight = np.exp(2 * state[0] / self.after) / eta_y[rows]
            encoder = eta_h[rows] * np.maximum(kept[rows] + weight, 0)
            outputs = np.exp(state[0]) * np.sqrt(dx2[rows] * encoder**self.before / dy2[rows])
            return np.stack([-self.after * angle[rows] * (outputs + np.tanh(state[1])), -angle[rows]])

        end = follow(rate, [decoder, angle], [1.0], rtol=TOLERANCE, atol=TOLERANCE)[0, 0]
        return np.asarray(end <= 0.5 * self.after * np.log(-eta_y * kept))

    def _start(self) -> Array:
        """Gain of the encoder's maps, and the last map, along and across."""
        length = np.hypot(self.along, self.across)
        decoder = (length / np.sqrt(self.h2)) ** (1 / self.after)
        share = np.where(length > 0, decoder / np.where(length > 0, length, 1.0), 0.0)
        return np.stack([(self.h2 / self.dx2) ** (0.5 / self.before), share * self.along, share * self.across])

    def _kept(self) -> Array:
        start = self._start()
        return np.asarray(start[0] ** 2 / self.eta_h - (start[1] ** 2 + start[2] ** 2) / self.eta_y)
