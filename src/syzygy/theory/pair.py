r"""The effective theory of two items: three numbers, two effective learning rates.

Two items at squared input distance ``dx2`` with targets at squared distance ``dy2`` have, at a chosen
hidden layer, representations at squared distance ``h2``, and outputs at squared distance ``y2``.  With
``w = dy·(dy − dy*)`` the theory of van Rossem & Saxe (2024) closes on these three, whatever the network:

.. math::
    h2' &= -η_h\, dx2\, w \\
    y2' &= -w\,(η_y\, h2 + η_h\, dx2\, y2 / h2) \\
    w'  &= -½ η_y (3w - y2 + dy2)\, h2 - ½ η_h\, dx2\, (y2 + w)\, w / h2

:meth:`PairTheory.rate` is this right-hand side.  :func:`solve` does not integrate it: the equations are a
rank-one linear network in disguise, whose time course is known in closed form from every start (derived
in ``docs/theory/pair.md``, section 3).  That form is smooth where the three equations are not: where ``dh``
passes through zero, at dead starts, at ``dy2 = 0`` and from starts of 1e-8.

Every number may be an array: a theory of shape ``(network, pair)`` is solved in one call.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.errors import ShapeError, SingularStart, SpecificationError

Array = NDArray[np.float64]

Regime = Literal["rich", "encoder-lazy", "decoder-lazy"]
REGIMES: tuple[Regime, ...] = get_args(Regime)

#: Relative excess over Cauchy–Schwarz that is put down to rounding of the numbers given.
CAUCHY_SCHWARZ_SLACK = 1e-6


@dataclass(frozen=True)
class PairState:
    """Where a pair stands.

    Attributes
    ----------
    h2
        Squared distance ‖dh‖² of the representations.
    y2
        Squared distance ‖dy‖² of the outputs.
    w
        Output alignment ``dy·(dy − dy*)``; zero once the difference is learned.
    """

    h2: Array
    y2: Array
    w: Array

    def __init__(self, h2: ArrayLike, y2: ArrayLike, w: ArrayLike):
        for name, value in (("h2", h2), ("y2", y2), ("w", w)):
            object.__setattr__(self, name, np.asarray(value, dtype=np.float64))


@dataclass(frozen=True)
class PairTheory:
    """Two effective learning rates and the two distances that the data fix.

    Parameters
    ----------
    eta_h
        Effective learning rate of the encoder, per step: 1/(2 tau_h) of the paper.  Positive.
    eta_y
        Effective learning rate of the decoder, per step: 1/(2 tau_y) of the paper.  Positive.
    dx2
        Squared distance ‖dx‖² of the two inputs.  Positive.
    dy2
        Squared distance ‖dy*‖² of the two targets.  Zero for an agreeing pair.

    Raises
    ------
    SpecificationError
        A rate or ``dx2`` that is not positive, or a negative ``dy2``.

    Examples
    --------
    >>> theory = PairTheory(eta_h=0.3, eta_y=0.6, dx2=1.2, dy2=0.5)
    >>> start = PairState(h2=0.4, y2=0.3, w=0.1)
    >>> round(float(theory.final_h2(start)), 6)
    0.523293
    >>> str(theory.regime(start))
    'rich'
    """

    eta_h: Array
    eta_y: Array
    dx2: Array
    dy2: Array

    def __init__(self, eta_h: ArrayLike, eta_y: ArrayLike, dx2: ArrayLike, dy2: ArrayLike):
        for name, value in (("eta_h", eta_h), ("eta_y", eta_y), ("dx2", dx2), ("dy2", dy2)):
            array = np.asarray(value, dtype=np.float64)
            allowed = array >= 0 if name == "dy2" else array > 0
            if not np.all(allowed & np.isfinite(array)):
                bound = "zero or more" if name == "dy2" else "positive"
                raise SpecificationError(f"{name} must be {bound} and finite, got {array}")
            object.__setattr__(self, name, array)

    @property
    def kappa(self) -> Array:
        """``eta_h·dx2/eta_y``: how much faster the encoder moves than the decoder."""
        return self.eta_h * self.dx2 / self.eta_y

    @property
    def a_low(self) -> Array:
        """The data's share of the final distance: ``sqrt(eta_h/eta_y)·‖dx‖·‖dy*‖`` (the paper's A_low)."""
        return np.sqrt(self.kappa * self.dy2)

    def a_high(self, state: PairState) -> Array:
        """Give the initialisation's share of the final distance: ``h2 − kappa·y2/h2`` (the paper's A_high).

        Constant along every solution: it is −kappa times :meth:`conserved`.
        """
        return state.h2 - self.kappa * self._gain(state)

    def conserved(self, state: PairState) -> Array:
        """``y2/h2 − h2/kappa``, constant along every solution (follow-up, 2507.09897; rederived)."""
        return self._gain(state) - state.h2 / self.kappa

    def rate(self, state: PairState) -> PairState:
        """Change of the state per step: the paper's three equations, in the prefactors of its code."""
        h2, y2, w = state.h2, state.y2, state.w
        encoder, gain = self.eta_h * self.dx2, self._gain(state)
        return PairState(
            h2=-encoder * w,
            y2=-w * (self.eta_y * h2 + encoder * gain),
            w=-0.5 * self.eta_y * (3 * w - y2 + self.dy2) * h2 - 0.5 * encoder * (y2 + w) * w / h2,
        )

    def final_h2(self, state: PairState) -> Array:
        """Squared distance at the end of learning: the positive root of H² − A_high·H − A_low² = 0.

        The paper's closed form.  It depends neither on ``w`` nor on the absolute rates.
        """
        return final_distance(self.a_high(state), self.a_low)

    def relaxation_rate(self, state: PairState) -> Array:
        """Rate per step at which ``h2`` approaches its end: Omega = eta_y·sqrt(A_high²/4 + A_low²).

        It is the paper's universal rate, for outputs that differ along ``dy*``.  Where ``dy`` also has a component
        across ``dy*``, that fades at ``eta_y·final_h2``, which is slower if A_high < 0; and an agreeing pair
        (``dy2 = 0``) goes at twice Omega.
        """
        return self.eta_y * np.sqrt(0.25 * self.a_high(state) ** 2 + self.a_low**2)

    def regime(self, state: PairState) -> NDArray[np.str_]:
        """Which share decides the final distance: ``rich``, ``encoder-lazy`` or ``decoder-lazy``.

        Rich where the data's share A_low exceeds |A_high|; else lazy, on the side of A_high's sign: a
        lazy encoder leaves the representations where they started, a lazy decoder leaves the work to the
        encoder.
        """
        high, low = self.a_high(state), self.a_low
        lazy = np.where(high > 0, "encoder-lazy", "decoder-lazy")
        return np.where(np.abs(high) <= low, "rich", lazy)

    @staticmethod
    def _gain(state: PairState) -> Array:
        """``y2/h2``, the squared gain of the decoder along ``dh``."""
        if np.any(state.h2 <= 0):
            raise SingularStart(
                "the pair's representations coincide (h2 = 0), where the decoder's gain y2/h2 is undefined; "
                "start from another layer, seed or step"
            )
        return state.y2 / state.h2


def final_distance(a_high: ArrayLike, a_low: ArrayLike) -> Array:
    """Give the positive root of H² − a_high·H − a_low² = 0, where learning ends.

    Examples
    --------
    >>> final_distance(a_high=[0.0, 1.5, -1.5], a_low=1.0).tolist()
    [1.0, 2.0, 0.5]
    """
    high, low = np.asarray(a_high, dtype=np.float64), np.asarray(a_low, dtype=np.float64)
    root = np.sqrt(0.25 * high**2 + low**2)
    # The sum cancels where a_high is large and negative; the product of the roots, −a_low², does not.
    with np.errstate(divide="ignore", invalid="ignore"):
        stable = np.where(high >= 0, 0.5 * high + root, low**2 / (root - 0.5 * high))
    return np.where(root == 0, 0.0, stable)


@dataclass(frozen=True)
class Solution:
    """A theory followed from a start.

    Attributes
    ----------
    theory, initial
        What was solved, and from where; their common shape is that of the leading axes.
    steps
        Times in steps, shape ``(step,)``.
    state
        The three numbers at these times, each ``(..., step)``.
    dh
        The signed distance, ``dh² = h2``; negative once ``dh`` has passed through zero and turned round.
    """

    theory: PairTheory
    initial: PairState
    steps: Array
    state: PairState
    dh: Array

    @property
    def final_h2(self) -> Array:
        """Squared distance at the end of learning, whatever the last of ``steps`` is."""
        return self.theory.final_h2(self.initial)

    def loss(self, mean_error: ArrayLike, eta_y_mean: ArrayLike) -> Array:
        """Half the squared error, averaged over the pair and summed over outputs, ``(..., step)``.

        ``½ exp(−2·eta_y_mean·t)·mean_error + w/4 + (dy2 − y2)/8``: the error of the pair's mean output
        decays by itself, the rest is the error of the difference.

        Parameters
        ----------
        mean_error
            Squared error ‖ȳ − ȳ*‖² of the pair's mean output at the start.
        eta_y_mean
            Effective learning rate of the mean, per step: 1/tau_ybar of the paper (no factor 1/2).
        """
        mean, rate = (np.asarray(value, dtype=np.float64)[..., None] for value in (mean_error, eta_y_mean))
        dy2 = self.theory.dy2[..., None]
        difference = 0.25 * self.state.w + 0.125 * (dy2 - self.state.y2)
        return 0.5 * np.exp(-2 * rate * self.steps) * mean + difference


def solve(theory: PairTheory, initial: PairState, steps: ArrayLike) -> Solution:
    """Follow a pair from its start, in closed form.

    The decoder's Jacobian is taken along ``dh``, which is what the three equations assume; then
    ``Q = (√b·dh, √a·D∥, √a·D⊥)``, with ``a = eta_h·dx2/2``, ``b = eta_y/2`` and the decoder's gain along
    and across ``dy*``, obeys ``Q' = B·Q − ½|Q|²Q`` with a constant symmetric ``B``.  Its solution is
    ``e^{Bt}Q₀ / sqrt(1 + ∫₀ᵗ|e^{Bτ}Q₀|²dτ)``.  Derived in ``docs/theory/pair.md``, section 3.

    Parameters
    ----------
    theory
        Rates and distances; broadcast against ``initial``.
    initial
        The state at step 0.
    steps
        Times at which to evaluate, in steps from the start, shape ``(step,)``; zero or more.

    Returns
    -------
    Solution
        States of shape ``(..., step)``.

    Raises
    ------
    SingularStart
        The representations coincide at the start.
    SpecificationError
        A start that no pair of vectors has: negative squares, or ``w`` outside ``y2 ± sqrt(y2·dy2)``.
    ShapeError
        Steps that are not one row of non-negative numbers.

    Examples
    --------
    >>> theory = PairTheory(eta_h=0.3, eta_y=0.6, dx2=1.2, dy2=0.5)
    >>> solution = solve(theory, PairState(h2=0.4, y2=0.3, w=0.1), steps=[0, 10, 1000])
    >>> solution.state.h2.round(4).tolist()
    [0.4, 0.4683, 0.5233]
    """
    times = np.asarray(steps, dtype=np.float64)
    if times.ndim != 1 or not np.all(times >= 0):
        raise ShapeError(f"steps must be one row of numbers, zero or more; got shape {times.shape}")
    along, across = output_components(theory, initial)
    start = np.sqrt(initial.h2)
    a, b = 0.5 * theory.eta_h * theory.dx2, 0.5 * theory.eta_y
    encoder, decoder, stray = _flow(
        np.sqrt(b) * start,
        np.sqrt(a) * along / start,
        np.sqrt(a) * across / start,
        np.sqrt(a * b * theory.dy2),
        times,
    )
    a, b, dy = a[..., None], b[..., None], np.sqrt(theory.dy2)[..., None]
    dh, dy_along, dy_across = (
        encoder / np.sqrt(b),
        encoder * decoder / np.sqrt(a * b),
        encoder * stray / np.sqrt(a * b),
    )
    y2 = dy_along**2 + dy_across**2
    state = PairState(h2=dh**2, y2=y2, w=y2 - dy_along * dy)
    return Solution(theory, initial, times, state, dh)


def output_components(theory: PairTheory, initial: PairState) -> tuple[Array, Array]:
    """Give the lengths of the initial ``dy`` along ``dy*``, signed, and across, each ``(...)``.

    Raises
    ------
    SingularStart
        The representations coincide.
    SpecificationError
        No two outputs have these numbers.
    """
    h2, y2, w, dy2 = np.broadcast_arrays(initial.h2, initial.y2, initial.w, theory.dy2)
    if not np.all(np.isfinite(h2) & np.isfinite(y2) & np.isfinite(w)):
        raise SpecificationError("the start must be finite; got NaN or infinity in h2, y2 or w")
    if np.any(h2 < 0) or np.any(y2 < 0):
        raise SpecificationError("h2 and y2 are squared distances and cannot be negative")
    PairTheory._gain(initial)  # raises where representations coincide
    length = np.sqrt(y2)
    with np.errstate(divide="ignore", invalid="ignore"):
        along = np.where(dy2 > 0, (y2 - w) / np.sqrt(dy2), 0.0)
    slack = CAUCHY_SCHWARZ_SLACK * (length + np.abs(w) / np.sqrt(np.where(dy2 > 0, dy2, 1.0)))
    impossible = np.abs(along) > length + slack + 1e-12
    disagrees = (dy2 == 0) & (np.abs(w - y2) > CAUCHY_SCHWARZ_SLACK * (np.abs(w) + y2) + 1e-12)
    if np.any(impossible | disagrees):
        where = tuple(int(i[0]) for i in np.nonzero(np.atleast_1d(impossible | disagrees)))
        low, high = (np.atleast_1d(y2 + sign * np.sqrt(y2 * dy2))[where] for sign in (-1, 1))
        raise SpecificationError(
            f"no two outputs have w = {np.atleast_1d(w)[where]:g} at y2 = {np.atleast_1d(y2)[where]:g}, "
            f"dy2 = {np.atleast_1d(dy2)[where]:g}: w = dy·(dy − dy*) lies between {low:g} and {high:g}"
        )
    along = np.clip(along, -length, length)
    return along, np.sqrt((length - along) * (length + along))


def _flow(q1: Array, q2: Array, q3: Array, sigma: Array, times: Array) -> tuple[Array, Array, Array]:
    """Solve ``Q' = BQ − ½|Q|²Q`` from ``Q = (q1, q2, q3)``; each result is ``(..., step)``.

    ``B = [[k, sigma, 0], [sigma, −k, 0], [0, 0, −k]]`` with the conserved ``k = ½(q1² − q2² − q3²)``.  Numerator
    and denominator are multiplied by ``e^{−rt}``, the inverse of the fastest growth, so nothing overflows.
    """
    q1, q2, q3, sigma = np.broadcast_arrays(q1, q2, q3, sigma)
    k = 0.5 * (q1**2 - q2**2 - q3**2)
    r = np.hypot(k, sigma)
    cos, sin = _growing_direction(k, sigma, r)
    growing, decaying = q1 * cos + q2 * sin, q2 * cos - q1 * sin
    # Below rounding the growing part is zero: a dead start stays dead.
    growing = np.where(np.abs(growing) <= 8 * np.finfo(float).eps * np.hypot(q1, q2), 0.0, growing)

    r, k, cos, sin, growing, decaying, q3 = (v[..., None] for v in (r, k, cos, sin, growing, decaying, q3))
    fade = np.exp(-2 * r * times)
    # r + k without cancellation where k < 0, and the two factors of ∫e^{−2kτ}dτ, neither of which overflows.
    with np.errstate(divide="ignore", invalid="ignore"):
        r_plus_k = np.where(k >= 0, r + k, np.where(r > k, sigma[..., None] ** 2 / (r - k), 0.0))
    stray_fade = np.exp(-2 * np.where(k >= 0, r, r_plus_k) * times)
    norm = (
        fade
        + (growing**2 + decaying**2 * fade) * _elapsed(2 * r, times)
        + q3**2 * stray_fade * _elapsed(2 * np.abs(k), times)
    )
    with np.errstate(divide="ignore"):
        scale = np.where(norm > 0, 1 / np.sqrt(norm), 0.0)
    return (
        (growing * cos - decaying * fade * sin) * scale,
        (growing * sin + decaying * fade * cos) * scale,
        q3 * np.exp(-r_plus_k * times) * scale,
    )


def _growing_direction(k: Array, sigma: Array, r: Array) -> tuple[Array, Array]:
    """Eigenvector (cos, sin) of ``[[k, sigma], [sigma, −k]]`` to the eigenvalue ``+r``, without cancellation."""
    with np.errstate(divide="ignore", invalid="ignore"):
        large = np.sqrt(0.5 * (1 + np.abs(k) / r))
        small = 0.5 * sigma / (r * large)
    large, small = np.where(r > 0, large, 1.0), np.where(r > 0, small, 0.0)
    return np.where(k >= 0, large, small), np.where(k >= 0, small, large)


def _elapsed(rate: Array, times: Array) -> Array:
    """``∫₀ᵗ e^{−rate·τ} dτ``: the time itself where the rate is zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(rate > 0, -np.expm1(-rate * times) / rate, times)
