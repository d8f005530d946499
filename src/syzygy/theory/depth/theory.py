"""What depth does: where deep linear networks that start small and balanced end, and rates that grow on the way.

In such a network every weight matrix ends with the same gain, so a pair moves from its inputs' distance to its
targets' by equal factors, one per matrix.  Derived in ``docs/theory/depth.md``, with what it needs: no activation,
data whose mean needs no learning, and a small start.  :class:`DepthTheory` is the theory of a pair whose two rates grow
as those of such networks do; a network that starts anyhow, but aligned, is a :class:`~syzygy.theory.depth.chain.Chain`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from syzygy.errors import SingularStart, SpecificationError
from syzygy.theory.depth.balanced import TOLERANCE, Balanced
from syzygy.theory.pair import Array, PairState, PairTheory, output_components

#: Of an output across the target, relative to the whole: what rounding of ``w`` leaves of none.
ROUNDING = 1e-7
#: Of Newton's method; a handful is enough.
MOST_TURNS = 60


def exponents(layer: int, layers: int) -> tuple[float, float]:
    """Give the powers of ‖dx‖ and ‖dy*‖ in the final ‖dh‖²: ``2(1 − l/N)`` and ``2·l/N``.

    Both are 1, the paper's product law, in the middle only.

    Parameters
    ----------
    layer
        Weight matrices before the representation, ``l``: 0 for the inputs, ``layers`` for the outputs.
    layers
        Weight matrices of the network, ``N``.

    Raises
    ------
    SpecificationError
        A layer that such a network lacks.

    Examples
    --------
    >>> exponents(3, 6)
    (1.0, 1.0)
    >>> tuple(round(power, 3) for power in exponents(2, 3))
    (0.667, 1.333)
    """
    if not 0 <= layer <= layers or layers < 1:
        raise SpecificationError(f"a network of {layers} weight matrices has layers 0 to {layers}; asked for {layer}")
    share = layer / layers
    return 2 * (1 - share), 2 * share


def final_h2(dx2: ArrayLike, dy2: ArrayLike, layer: int, layers: int) -> Array:
    """Squared distance ‖dh‖² at the end of learning: ``‖dx‖^{2(1 − l/N)}·‖dy*‖^{2l/N}``.

    Parameters
    ----------
    dx2, dy2
        Squared distances of inputs and targets; positive, and zero or more.
    layer, layers
        As in :func:`exponents`.

    Raises
    ------
    SpecificationError
        A layer that such a network lacks, or distances out of range.

    Examples
    --------
    >>> final_h2(4.0, 0.25, layer=1, layers=2).item(), final_h2(4.0, 0.25, layer=0, layers=2).item()
    (1.0, 4.0)
    """
    powers = exponents(layer, layers)
    inputs, targets = np.asarray(dx2, dtype=np.float64), np.asarray(dy2, dtype=np.float64)
    if not (np.all((inputs > 0) & np.isfinite(inputs)) and np.all((targets >= 0) & np.isfinite(targets))):
        raise SpecificationError(f"dx2 must be positive and dy2 zero or more, both finite; got {inputs}, {targets}")
    return np.asarray(inputs ** (powers[0] / 2) * targets ** (powers[1] / 2))


@dataclass(frozen=True)
class DepthTheory:
    """Two effective learning rates that grow by the law of depth, and the two distances that the data fix.

    With ``l`` of ``N`` weight matrices before the representation, encoder and decoder each balanced and the decoder
    along ``dh``, the rates are ``eta_h·l·(h2/dx2)^{1 − 1/l}`` and ``eta_y·(N − l)·(y2/h2)^{1 − 1/(N − l)}``.  A network
    has ``eta_h = eta_y = ½·learning rate``; as two constants that are fitted they make a rival to
    :class:`PairTheory`, which is the case ``l = 1, N = 2``.

    Parameters
    ----------
    eta_h, eta_y
        Effective learning rates of encoder and decoder at gains of one, per step and matrix.  Positive.
    dx2, dy2
        Squared distances of inputs and targets; positive, and zero or more.
    layer, layers
        Weight matrices before the representation, ``l``, and of the network, ``N``; ``0 < l < N``.

    Raises
    ------
    SpecificationError
        Rates or distances out of range, or a layer without an encoder or without a decoder.

    Examples
    --------
    >>> theory = DepthTheory(0.1, 0.1, dx2=4.0, dy2=0.25, layer=1, layers=3)
    >>> theory.final_h2(PairState(h2=4e-4, y2=4e-12, w=4e-12 - 1e-6)).round(4).item()  # 4^(2/3)·0.25^(1/3)
    1.5874
    """

    eta_h: Array
    eta_y: Array
    dx2: Array
    dy2: Array
    layer: int
    layers: int

    def __init__(self, eta_h: ArrayLike, eta_y: ArrayLike, dx2: ArrayLike, dy2: ArrayLike, layer: int, layers: int):
        pair = PairTheory(eta_h, eta_y, dx2, dy2)
        for name in ("eta_h", "eta_y", "dx2", "dy2"):
            object.__setattr__(self, name, getattr(pair, name))
        if not 0 < layer < layers:
            raise SpecificationError(
                f"the layer must have weight matrices before and after it: 0 < layer < {layers}, got {layer}"
            )
        object.__setattr__(self, "layer", layer)
        object.__setattr__(self, "layers", layers)

    @property
    def after(self) -> int:
        """Weight matrices after the representation, ``N − l``."""
        return self.layers - self.layer

    def rates(self, state: PairState) -> tuple[Array, Array]:
        """Effective learning rates ``eta_h, eta_y`` of this state, per step, in the sense of :class:`PairTheory`."""
        encoder, decoder = state.h2 / self.dx2, _gain(state)
        return (
            self.eta_h * self.layer * encoder ** (1 - 1 / self.layer),
            self.eta_y * self.after * decoder ** (1 - 1 / self.after),
        )

    def conserved(self, state: PairState) -> Array:
        """``(h2/dx2)^{1/l}/eta_h − (y2/h2)^{1/(N−l)}/eta_y``, constant along every solution, in steps.

        For ``l = 1, N = 2`` it is the paper's A_high over ``eta_h·dx2`` (derived in ``docs/theory/depth.md``).
        """
        encoder, decoder = (state.h2 / self.dx2) ** (1 / self.layer), _gain(state) ** (1 / self.after)
        return np.asarray(encoder / self.eta_h - decoder / self.eta_y)

    def rate(self, state: PairState) -> PairState:
        """Change of the state per step: the paper's three equations with :meth:`rates`, but for one term of ``w'``.

        A deep decoder turns towards the target more slowly than it grows, by ``1/(N − l)``; where ``dy`` lies along
        ``dy*`` that term is the paper's.
        """
        h2, y2, w = state.h2, state.y2, state.w
        eta_h, eta_y = self.rates(state)
        pull, n = eta_h * self.dx2 / h2, self.after
        with np.errstate(divide="ignore", invalid="ignore"):
            along = np.where(y2 > 0, (y2 + w) * w / y2, 0.0)
        turn = (3 * w - y2 + self.dy2 + (n - 1) * along) / n
        return PairState(
            h2=-eta_h * self.dx2 * w,
            y2=-w * (eta_y * h2 + pull * y2),
            w=-0.5 * eta_y * h2 * turn - 0.5 * pull * (y2 + w) * w,
        )

    def final_h2(self, initial: PairState) -> Array:
        """Squared distance at the end of learning, from the quantity that is conserved.

        It is ``dx2·(eta_h·α)^l``, where ``α − β`` is :meth:`conserved` and ``α^l·β^{N−l}`` what the targets ask for.  A
        pair that never learns ends where the smaller of ``α`` and ``β`` is zero: one with agreeing targets, and one
        whose outputs point away from them and whose weaker side is too deep to pass through zero.
        """
        before, after, kept = self.layer, self.after, self.conserved(initial)
        pairs, leading = self._balanced(initial)
        asked = self.dy2 / (self.dx2 * self.eta_h**before * self.eta_y**after)
        # The smaller of the two, m: few·ln m + many·ln(m + |kept|) = ln asked.
        few = np.where(kept >= 0, after, before)
        learns = (asked > 0) & ~pairs.dead().reshape(leading)
        with np.errstate(divide="ignore"):
            larger = np.log(np.where(learns, asked, 1.0)), np.log(np.abs(kept))
        small = np.where(learns, np.exp(_smaller(*larger, few, self.layers - few)), 0.0)
        return np.asarray(self.dx2 * (self.eta_h * (small + np.maximum(kept, 0))) ** before)

    def _balanced(self, initial: PairState) -> tuple[Balanced, tuple[int, ...]]:
        """Give the pairs in one row, each with its two gains, and the shape that they had."""
        along, across = output_components(PairTheory(self.eta_h, self.eta_y, self.dx2, self.dy2), initial)
        across = np.where(across <= ROUNDING * np.hypot(along, across), 0.0, across)
        numbers = np.broadcast_arrays(self.eta_h, self.eta_y, self.dx2, self.dy2, initial.h2, along, across)
        eta_h, eta_y, dx2, dy2, h2, along, across = (np.ravel(one) for one in numbers)
        return Balanced(eta_h, eta_y, dx2, dy2, self.layer, self.after, h2, along, across), numbers[0].shape


def solve_depth(theory: DepthTheory, initial: PairState, steps: ArrayLike, *, rtol: float = TOLERANCE) -> PairState:
    """Follow pairs, all at once, numerically: as two gains, that of an encoder's matrix and that of a decoder's.

    Parameters
    ----------
    theory
        Rates, distances and depth; broadcast against ``initial``.
    initial
        The state at step 0.
    steps
        Times at which to evaluate, in steps, rising, zero or more, finite, ``(step,)``.
    rtol
        Relative error of a gain in a step of the integrator; 1e-6 is enough for a fit, and about twice as fast.

    Returns
    -------
    PairState
        Each ``(..., step)``.

    Raises
    ------
    SingularStart
        The representations coincide at the start.
    SpecificationError
        A start that no pair of vectors has, or steps so late that the integrator gives up.
    ShapeError
        Steps that do not rise from zero, or are not finite.

    Examples
    --------
    >>> theory = DepthTheory(0.1, 0.1, dx2=4.0, dy2=0.25, layer=1, layers=3)
    >>> solve_depth(theory, PairState(h2=0.04, y2=4e-6, w=4e-6 - 1e-3), [0, 50, 1000]).h2.round(4).tolist()
    [0.04, 0.0708, 1.5874]
    """
    pairs, leading = theory._balanced(initial)
    h2, dy = pairs.at(steps, rtol)
    y2 = (dy**2).sum(0)
    w = y2 - dy[0] * np.sqrt(pairs.dy2)[:, None]
    return PairState(*(one.reshape(*leading, -1) for one in (h2, y2, w)))


def _gain(state: PairState) -> Array:
    """``y2/h2``, the squared gain of the decoder along ``dh``."""
    if np.any(state.h2 <= 0):
        raise SingularStart("the pair's representations coincide (h2 = 0); start from another layer, seed or step")
    return np.asarray(state.y2 / state.h2)


def _smaller(asked: Array, kept: Array, few: Array, many: Array) -> Array:
    """Solve ``few·x + many·ln(e^x + e^kept) = asked``: convex and rising in ``x``, so Newton always arrives."""
    x = asked / (few + many)
    for _ in range(MOST_TURNS):
        step = (few * x + many * np.logaddexp(x, kept) - asked) / (few + many * expit(x - kept))
        x = x - step
        if np.all(np.abs(step) <= 1e-14 * (1 + np.abs(x))):
            break
    return np.asarray(x)
