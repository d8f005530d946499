"""The deep linear network that is exact: a chain of maps, each with one gain, that learns one pair.

``N`` linear maps ``W_i = s_i·u_i u_{i−1}ᵀ``, with ``u_0`` along ``dx``, keep that form under gradient flow, for data
about zero and no biases.  Their gains, of any size and sign, obey

.. math::
    s_i' = -½γ·½‖dx‖·(Π_{j≠i} s_j)·(‖dx‖·Π_j s_j - ‖dy*‖)

(derived in ``docs/theory/depth.md``, with the output across ``dy*`` that is left out here).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.errors import ShapeError, SpecificationError
from syzygy.theory.depth.balanced import DEAD, SETTLED, TOLERANCE, followed
from syzygy.theory.pair import Array, PairState
from syzygy.theory.runge_kutta import Rows


@dataclass(frozen=True)
class Chain:
    """A chain of linear maps, and the pair that it learns.

    Parameters
    ----------
    gains
        Signed gain ``s_i`` of each map, from the inputs on, ``(..., matrix)``; that of the last is its part along
        ``dy*``.
    dx2
        Squared distance ‖dx‖² of the two inputs.  Positive.
    dy2
        Squared distance ‖dy*‖² of the two targets.  Zero for an agreeing pair.
    learning_rate
        Of the weights, per step, where the loss is half the squared error, averaged over the two items.  Positive.
    across
        The last map's gain across ``dy*``.

    Raises
    ------
    ShapeError
        No map, or numbers that do not fit together.
    SpecificationError
        Numbers out of range.

    Examples
    --------
    >>> chain = Chain([0.5, 0.5, 0.5], dx2=4.0, dy2=0.25, learning_rate=0.1)
    >>> [chain.h2(layer).item() for layer in range(4)]
    [4.0, 1.0, 0.25, 0.0625]
    """

    gains: Array
    dx2: Array
    dy2: Array
    learning_rate: Array
    across: Array

    def __init__(
        self, gains: ArrayLike, dx2: ArrayLike, dy2: ArrayLike, learning_rate: ArrayLike, across: ArrayLike = 0.0
    ):
        given = {"gains": gains, "dx2": dx2, "dy2": dy2, "learning_rate": learning_rate, "across": across}
        numbers = {name: np.asarray(value, dtype=np.float64) for name, value in given.items()}
        if not numbers["gains"].ndim or not numbers["gains"].shape[-1]:
            raise ShapeError(f"a chain has a gain for each map, (..., matrix); got shape {numbers['gains'].shape}")
        for name, value in numbers.items():
            positive, least = name in ("dx2", "learning_rate"), 0.0 if name == "dy2" else -np.inf
            if not np.all(np.isfinite(value) & (value > 0 if positive else value >= least)):
                bound = "positive and " if positive else "zero or more and " if name == "dy2" else ""
                raise SpecificationError(f"{name} must be {bound}finite, got {value}")
            object.__setattr__(self, name, value)
        try:
            self._leading()
        except ValueError:
            shapes = {name: value.shape for name, value in numbers.items()}
            raise ShapeError(f"leading axes do not fit together: {shapes}") from None

    @property
    def layers(self) -> int:
        """Weight matrices of the network, ``N``."""
        return int(self.gains.shape[-1])

    @property
    def conserved(self) -> Array:
        """``s_{i+1}² − s_i²`` between neighbours, constant along every solution, ``(..., matrix − 1)``."""
        return np.diff(self._squares(), axis=-1)

    def h2(self, layer: int) -> Array:
        """Squared distance ‖dh‖² after ``layer`` maps: of the inputs after none, of the outputs after all."""
        self._asked(layer, 0, self.layers)
        return np.asarray(self.dx2 * self._squares()[..., :layer].prod(-1))

    def state(self, layer: int) -> PairState:
        """Three numbers of the pair, with the representation after ``layer`` maps."""
        h2, y2 = self.h2(layer), self.h2(self.layers)
        return PairState(h2, y2, y2 - np.sqrt(self.dx2 * self.dy2) * self.gains.prod(-1))

    def rates(self, layer: int) -> tuple[Array, Array]:
        """Effective learning rates ``eta_h, eta_y`` of the maps before and after ``layer``, along what they carry.

        ``½γ·Σ_i Π_{j≠i} s_j²`` over the maps of each side (derived in ``docs/theory/depth.md``).

        Parameters
        ----------
        layer
            Maps before the representation; at least one, and at least one is left.

        Raises
        ------
        SpecificationError
            A layer without an encoder or without a decoder.

        Examples
        --------
        >>> eta_h, eta_y = Chain([1.0, 2.0, 3.0], dx2=1.0, dy2=1.0, learning_rate=0.2).rates(layer=2)
        >>> round(float(eta_h), 3), round(float(eta_y), 3)  # 0.1·(2² + 1²), 0.1
        (0.5, 0.1)
        """
        self._asked(layer, 1, self.layers - 1)
        squares = np.moveaxis(self._squares(), -1, 0)
        eta_h, eta_y = (0.5 * self.learning_rate * _others(side).sum(0) for side in (squares[:layer], squares[layer:]))
        return np.asarray(eta_h), np.asarray(eta_y)

    def _squares(self) -> Array:
        last = np.zeros(self.layers)
        last[-1] = 1
        return np.asarray(self.gains**2 + last * self.across[..., None] ** 2)

    def _asked(self, layer: int, least: int, most: int) -> None:
        if not least <= layer <= most:
            raise SpecificationError(f"layer must lie between {least} and {most} of {self.layers} maps, got {layer}")

    def _leading(self) -> tuple[int, ...]:
        others = (self.dx2, self.dy2, self.learning_rate, self.across)
        return np.broadcast_shapes(self.gains.shape[:-1], *(other.shape for other in others))


def solve_chain(start: Chain, steps: ArrayLike, *, rtol: float = TOLERANCE) -> Chain:
    """Follow a chain, or many at once.

    Parameters
    ----------
    start
        The chain at step 0.
    steps
        Times at which to evaluate, in steps, rising, zero or more, finite, ``(step,)``.
    rtol
        Relative error of a gain in a step of the integrator.

    Returns
    -------
    Chain
        With gains of shape ``(..., step, matrix)``, so that its curves are ``(..., step)``.

    Raises
    ------
    ShapeError
        Steps that do not rise from zero, or are not finite.
    SpecificationError
        Steps so late that the integrator gives up; an agreeing pair moves for ever.

    Examples
    --------
    >>> learned = solve_chain(Chain([0.1, 0.1, 0.1], dx2=1.0, dy2=8.0, learning_rate=0.1), [0, 1000])
    >>> learned.h2(1).round(4).tolist()
    [0.01, 2.0]
    """
    leading = start._leading()
    gains = np.broadcast_to(start.gains, (*leading, start.layers)).reshape(-1, start.layers)
    first = np.vstack([gains.T, np.broadcast_to(start.across, leading).reshape(1, -1)])
    dx2, dy2, learning_rate = (
        np.broadcast_to(one, leading).ravel() for one in (start.dx2, start.dy2, start.learning_rate)
    )
    dx, dy = np.sqrt(dx2), np.sqrt(dy2)

    def error(state: Array, rows: Rows) -> tuple[Array, Array]:
        through = dx[rows] * state[:-2].prod(0)
        return through * state[-2] - dy[rows], through * state[-1]

    def rate(state: Array, rows: Rows) -> Array:
        lower, (along, across) = state[:-2], error(state, rows)
        speed = 0.25 * learning_rate[rows] * dx[rows]
        pull = along * state[-2] + across * state[-1]
        product = lower.prod(0)
        return np.concatenate([-speed * _others(lower) * pull, [-speed * product * along, -speed * product * across]])

    def settled(state: Array, rows: Rows) -> NDArray[np.bool_]:
        return np.asarray(np.hypot(*error(state, rows)) <= SETTLED * rtol * start.layers * dy[rows] + DEAD)

    groups = [1] * (start.layers - 1) + [2]
    found = followed(rate, first, steps, groups, settled, rtol)
    state = np.moveaxis(found, 0, -1).reshape(start.layers + 1, *leading, -1)
    dx2, dy2, learning_rate = (one[..., None] for one in (start.dx2, start.dy2, start.learning_rate))
    return Chain(np.moveaxis(state[:-1], 0, -1), dx2, dy2, learning_rate, state[-1])


def _others(factors: Array) -> Array:
    """Products of all factors but one, along the first axis; zeros are no exception."""
    ones = np.ones_like(factors[:1])
    before = np.cumprod(np.concatenate([ones, factors[:-1]]), axis=0)
    after = np.cumprod(np.concatenate([ones, factors[:0:-1]]), axis=0)[::-1]
    return np.asarray(before[: len(factors)] * after[: len(factors)])
