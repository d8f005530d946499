"""Seven models of the same three curves: constants in, curves out, many pairs in one call.

``paper`` is solved in closed form, and so is ``exact`` for one output; all else is integrated, all pairs together.
"""

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from syzygy.fitting.problems import CURVES, Problems
from syzygy.theory import ALTERNATIVES, ExactState, ExactTheory, PairState, PairTheory, solve, solve_exact
from syzygy.theory.depth import DepthTheory, solve_depth
from syzygy.theory.runge_kutta import Rows, follow

Array = NDArray[np.float64]


#: Excess of the decoder's gain with which a search begins, over the gain that balances encoder and decoder.
EXCESSES: Final = np.log([1e-3, 0.03, 1.0, 30.0])
#: Relative error of the integrator, and absolute in units of each number.
RTOL, ATOL = 1e-8, 1e-9
#: What has shrunk to this share of its scale stands still.
SETTLED = 1e-9
#: Equations that would change so often while they are watched are given up.
FASTEST = 2e4


class Model(Protocol):
    """Equations for the three curves of a pair, with a few positive constants."""

    @property
    def name(self) -> str:
        """Of :data:`syzygy.fitting.rivals.candidates.MODELS`."""

    @property
    def constants(self) -> int:
        """How many are fitted: ``eta_h``, ``eta_y``, and for some a third."""

    def starts(self, rates: Array, problems: Problems, chosen: Rows) -> Array:
        """Give logarithms of constants to search from, ``(problem, start, constant)``, with such log rates."""

    def curves(self, constants: Array, problems: Problems, chosen: Rows, times: Array) -> Array:
        """Follow pairs from their measured starts, ``(problem, curve, step)``; NaN where they run away.

        Parameters
        ----------
        constants
            Positive, ``(problem, constant)``.
        problems, chosen
            What was measured, and which of it is meant, ``(problem,)``.
        times
            In steps from the start, ``(step,)``.
        """


class _TwoRates:
    constants = 2

    def starts(self, rates: Array, problems: Problems, chosen: Rows) -> Array:  # noqa: ARG002
        return rates


@dataclass(frozen=True)
class Paper(_TwoRates):
    """The paper's three equations, in closed form (:func:`syzygy.theory.solve`)."""

    name: str = "paper"

    def curves(self, constants: Array, problems: Problems, chosen: Rows, times: Array) -> Array:
        """As :meth:`Model.curves`."""
        theory = PairTheory(constants[:, 0], constants[:, 1], problems.dx2[chosen], problems.dy2[chosen])
        return _stacked(solve(theory, problems.initial(chosen), times).state)


@dataclass(frozen=True)
class Exact(_TwoRates):
    """The exact pair from a start that is known (:func:`syzygy.theory.solve_exact`).

    Attributes
    ----------
    start
        ``h2``, ``dy`` and ``gram`` of every problem.
    target
        Difference of the targets, ``(problem, output)``.
    """

    start: ExactState
    target: Array
    name: str = "exact"

    def curves(self, constants: Array, problems: Problems, chosen: Rows, times: Array) -> Array:
        """As :meth:`Model.curves`."""
        eta_h, eta_y = constants.T
        dx2, gram, target = problems.dx2[chosen], self.start.gram[chosen], self.target[chosen]
        a, b, size = eta_h * dx2, eta_y, np.sqrt(np.sum(target**2, axis=1))
        speed = b * self.start.h2[chosen] + a * np.einsum("pkk->p", gram) + np.sqrt(a * b) * size
        found = np.full((len(chosen), len(CURVES), len(times)), np.nan)
        if (slow := times[-1] * speed <= FASTEST).any():
            theory = ExactTheory(eta_h[slow], eta_y[slow], dx2[slow], target[slow])
            start = ExactState(self.start.h2[chosen[slow]], self.start.dy[chosen[slow]], gram[slow])
            found[slow] = _stacked(solve_exact(theory, start, times).state)
        return found


@dataclass(frozen=True)
class ExactScalar:
    """The exact pair of one output, whose decoder's gain ``‖D_y‖²`` at the start is not known.

    The three curves hold its part along ``dh``, ``y2/h2``; the excess over it is a third constant.  Without excess
    this is the paper's theory.
    """

    name: str = "exact"
    constants: int = 3

    def starts(self, rates: Array, problems: Problems, chosen: Rows) -> Array:
        """As :meth:`Model.starts`: the same rates, each with every one of a few excesses."""
        # The gain that balances encoder and decoder, A_high = 0, is h2/kappa.
        balance = (
            np.log(problems.measured[chosen, 0, 0] / problems.dx2[chosen])[:, None] + rates[..., 1] - rates[..., 0]
        )
        excess = (balance[..., None] + EXCESSES).reshape(len(rates), -1, 1)
        return np.concatenate([np.repeat(rates, len(EXCESSES), axis=1), excess], axis=2)

    def curves(self, constants: Array, problems: Problems, chosen: Rows, times: Array) -> Array:
        """As :meth:`Model.curves`."""
        start, dy2 = problems.initial(chosen), problems.dy2[chosen]
        length = np.sqrt(start.y2)
        with np.errstate(divide="ignore", invalid="ignore"):
            signed = np.where(dy2 > 0, np.clip((start.y2 - start.w) / np.sqrt(dy2), -length, length), length)
        theory = ExactTheory(constants[:, 0], constants[:, 1], problems.dx2[chosen], np.sqrt(dy2)[:, None])
        gain = start.y2 / start.h2 + constants[:, 2]
        initial = ExactState(start.h2, signed[:, None], gain[:, None, None])
        return _stacked(solve_exact(theory, initial, times).state)


@dataclass(frozen=True)
class Depth(_TwoRates):
    """The pair whose rates grow by the law of depth (:func:`syzygy.theory.depth.solve_depth`).

    Attributes
    ----------
    layer, layers
        Weight matrices before the representation, and of the network.
    """

    layer: int
    layers: int
    name: str = "depth"

    def curves(self, constants: Array, problems: Problems, chosen: Rows, times: Array) -> Array:
        """As :meth:`Model.curves`."""
        start, theory = problems.initial(chosen), self._theory(constants, problems, chosen)
        end = PairState(theory.final_h2(start), problems.dy2[chosen], 0.0)
        slow = np.ones(len(chosen), dtype=bool)
        for state in (start, end):
            with np.errstate(all="ignore"):
                encoder, decoder = theory.rates(PairState(np.maximum(state.h2, 1e-300), state.y2, state.w))
                slow &= times[-1] * (encoder * theory.dx2 * state.y2 / state.h2 + decoder * state.h2) <= FASTEST
        found = np.full((len(chosen), len(CURVES), len(times)), np.nan)
        if slow.any():
            theory = self._theory(constants[slow], problems, chosen[slow])
            found[slow] = _stacked(solve_depth(theory, problems.initial(chosen[slow]), times))
        return found

    def _theory(self, constants: Array, problems: Problems, chosen: Rows) -> DepthTheory:
        distances = problems.dx2[chosen], problems.dy2[chosen]
        return DepthTheory(constants[:, 0], constants[:, 1], *distances, self.layer, self.layers)


@dataclass(frozen=True)
class Changed(_TwoRates):
    """The paper's equations with one term changed (:data:`syzygy.theory.ALTERNATIVES`).

    A pair whose representations meet stands still there: the equations divide by their distance.
    """

    name: str

    def curves(self, constants: Array, problems: Problems, chosen: Rows, times: Array) -> Array:
        """As :meth:`Model.curves`."""
        side, start, dy2 = ALTERNATIVES[self.name], problems.measured[chosen, :, 0].T, problems.dy2[chosen]
        encoder, decoder = constants[:, 0] * problems.dx2[chosen], constants[:, 1]
        least, scale, span = SETTLED * start[0], SETTLED * (dy2 + np.abs(start[1])), times[-1] + 1.0

        def rate(state: Array, rows: Rows) -> Array:
            h2, y2, w = state
            change = np.stack(side.change(h2, y2, w, encoder[rows], decoder[rows], dy2[rows]))
            fast = span * (encoder[rows] * np.abs(y2 / h2) + decoder[rows] * np.abs(h2)) > FASTEST
            return np.where(fast, np.nan, change)

        def settled(state: Array, rows: Rows) -> NDArray[np.bool_]:
            h2, y2, w = state
            learned = (np.abs(w) <= scale[rows]) & (np.abs(y2 - dy2[rows]) <= scale[rows])
            return np.asarray(learned | (h2 <= least[rows]))

        atol = ATOL * np.stack([start[0], *np.broadcast_to(1e-3 * dy2 + np.abs(start[1]), (2, len(dy2)))]) + 1e-300
        return np.moveaxis(follow(rate, start, times, rtol=RTOL, atol=atol, settled=settled), -1, 0).transpose(0, 2, 1)


def _stacked(state: PairState) -> Array:
    return np.stack([state.h2, state.y2, state.w], axis=1)
