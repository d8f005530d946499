r"""The exact theory of two items: the decoder's Jacobian may point anywhere.

:mod:`syzygy.theory.pair` is exact only where the decoder's Jacobian ``D_y`` lies along ``dh``.  Two maps that descend
the loss of a pair do not need that: ``H = ‖dh‖²``, the vector ``q = D_y dh`` and the matrix ``G = D_y D_yᵀ`` close
among themselves, for any number of outputs,

.. math::
    H' &= -2a\, q·e \\
    q' &= -a\, G e - b\, H e \\
    G' &= -b\,(e qᵀ + q eᵀ), \qquad e = q - dy^*,

with ``a = eta_h·dx2/2`` and ``b = eta_y/2``.  Derived in ``docs/theory/exact.md``.  For one output the time course is
known in closed form (:mod:`syzygy.theory.exact.hyperbola`); for more, all pairs are integrated in one call, in fewer
numbers that say the same (:mod:`syzygy.theory.exact.boost`).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from syzygy.errors import ShapeError, SingularStart, SpecificationError
from syzygy.theory.exact.boost import mix
from syzygy.theory.exact.hyperbola import travel
from syzygy.theory.exact.state import ExactState, outer
from syzygy.theory.pair import Array, PairState

__all__ = ["ExactSolution", "ExactState", "ExactTheory", "conserved", "solve_exact"]

#: Relative error of a step of the integrator.
RTOL = 1e-8


@dataclass(frozen=True)
class ExactTheory:
    """Two effective learning rates, and what the data fix.

    Parameters
    ----------
    eta_h, eta_y
        Effective learning rates of encoder and decoder, per step, as in :class:`syzygy.theory.PairTheory`.  Positive.
    dx2
        Squared distance ‖dx‖² of the two inputs, ``(...)``.  Positive.
    target
        Difference ``dy*`` of the two targets, ``(..., output)``.

    Raises
    ------
    SpecificationError
        A rate or distance that is not positive, or targets that are not finite.

    Examples
    --------
    A decoder of which little points along ``dh``, and what the paper's formula makes of it:

    >>> theory = ExactTheory(eta_h=0.5, eta_y=0.5, dx2=1.0, target=[0.5])
    >>> start = ExactState(h2=1.0, dy=[0.1], gram=[[2.0]])
    >>> theory.final_h2(start).round(4).item(), theory.final_h2(start.aligned).round(4).item()
    (1.078, 1.1986)
    """

    eta_h: Array
    eta_y: Array
    dx2: Array
    target: Array

    def __init__(self, eta_h: ArrayLike, eta_y: ArrayLike, dx2: ArrayLike, target: ArrayLike):
        for name, value in (("eta_h", eta_h), ("eta_y", eta_y), ("dx2", dx2)):
            array = np.asarray(value, dtype=np.float64)
            if not np.all((array > 0) & np.isfinite(array)):
                raise SpecificationError(f"{name} must be positive and finite, got {array}")
            object.__setattr__(self, name, array)
        difference = np.asarray(target, dtype=np.float64)
        if difference.ndim < 1 or not np.all(np.isfinite(difference)):
            raise SpecificationError(f"target must be finite, (..., output); got {difference}")
        object.__setattr__(self, "target", difference)

    @property
    def kappa(self) -> Array:
        """``eta_h·dx2/eta_y``: how much faster the encoder moves than the decoder."""
        return self.eta_h * self.dx2 / self.eta_y

    def rate(self, state: ExactState) -> tuple[Array, Array, Array]:
        """Change of ``h2``, ``dy`` and ``gram`` per step: the exact system."""
        a, b = 0.5 * self.eta_h * self.dx2, 0.5 * self.eta_y
        error = state.dy - self.target
        turned = (state.gram @ error[..., None])[..., 0]
        return (
            -2 * a * (state.dy * error).sum(-1),
            -a[..., None] * turned - (b * state.h2)[..., None] * error,
            -b[..., None, None] * (outer(error, state.dy) + outer(state.dy, error)),
        )

    def final_h2(self, initial: ExactState) -> Array:
        """Squared distance at the end of learning.

        For one output in closed form (``docs/theory/exact.md``, section 4),

            ``½(h2 − kappa·G) + sqrt(¼(h2 + kappa·G)² + kappa·(dy*² − dy²))``;

        for more, by following the pair until it has learned: there are fewer conserved numbers than unknown ones,
        unless the targets agree.  Then the pair ends at the positive eigenvalue of :func:`conserved` over ``eta_y/2``
        or, if there is none, merges (section 6).
        """
        if self.target.shape[-1] > 1:
            return solve_exact(self, initial, [np.inf]).state.h2[..., 0]
        h2, gain = initial.h2, initial.gram[..., 0, 0]
        high = h2 - self.kappa * gain
        # ¼(h2 + kappa·G)² − kappa·dy² as ¼·high² + kappa·(h2·G − dy²), which does not cancel.
        unaligned = np.maximum(h2 * gain - initial.dy[..., 0] ** 2, 0.0)
        low2 = self.kappa * (self.target[..., 0] ** 2 + unaligned)
        root = np.sqrt(0.25 * high**2 + low2)
        with np.errstate(divide="ignore", invalid="ignore"):
            stable = np.where(high >= 0, 0.5 * high + root, low2 / (root - 0.5 * high))
        return np.where(root == 0, 0.0, stable)


@dataclass(frozen=True)
class ExactSolution:
    """The exact theory followed from a start.

    Attributes
    ----------
    theory, initial
        What was solved, and from where.
    steps
        Times in steps, ``(step,)``.
    state
        ``h2``, ``y2`` and ``w`` at these times, each ``(..., step)``; NaN for a pair that could not be followed.
    rtol
        Relative error of an integrator's step.
    """

    theory: ExactTheory
    initial: ExactState
    steps: Array
    state: PairState
    rtol: float

    @cached_property
    def dy(self) -> Array:
        """Difference of the outputs, ``(..., step, output)``; of several it is followed when it is first asked for."""
        return np.moveaxis(_curves(self.theory, self.initial, self.steps, self.rtol, each=True)[3:], 0, -1)

    @property
    def final_h2(self) -> Array:
        """Squared distance at the end of learning, whatever the last of ``steps`` is."""
        return self.theory.final_h2(self.initial)


def solve_exact(theory: ExactTheory, initial: ExactState, steps: ArrayLike, *, rtol: float = RTOL) -> ExactSolution:
    """Follow pairs from their starts: one output in closed form, more by integrating all pairs together.

    Parameters
    ----------
    theory
        Rates and distances; broadcast against ``initial``.
    initial
        The state at step 0.
    steps
        Times at which to evaluate, in steps from the start, rising, ``(step,)``; ``inf`` is the end of learning.
    rtol
        Relative error of an integrator's step.

    Returns
    -------
    ExactSolution
        States of shape ``(..., step)``.

    Raises
    ------
    SingularStart
        A start from which nothing moves, and that has not learned: representations coincide, and the decoder cannot
        see the difference of the targets.
    ShapeError
        Different numbers of outputs or pairs, or steps that are not one rising row of numbers, zero or more.

    Examples
    --------
    >>> theory = ExactTheory(eta_h=0.5, eta_y=0.5, dx2=1.0, target=[0.5, 0.0])
    >>> start = ExactState.of(dh=[1.0, 0.0], jacobian=[[0.1, 1.0], [0.0, 1.0]])
    >>> solve_exact(theory, start, [0, 10, np.inf]).state.h2.round(4).tolist()
    [1.0, 1.1333, 1.1417]
    """
    times = np.asarray(steps, dtype=np.float64)
    if times.ndim != 1 or not np.all(times >= 0) or not np.all(times[1:] >= times[:-1]):
        raise ShapeError(f"steps must be one rising row of numbers, zero or more; got shape {times.shape}")
    if theory.target.shape[-1] != initial.dy.shape[-1]:
        raise ShapeError(f"the targets have {theory.target.shape[-1]} outputs, the start {initial.dy.shape[-1]}")
    return ExactSolution(theory, initial, times, PairState(*_curves(theory, initial, times, rtol)[:3]), rtol)


def conserved(theory: ExactTheory, dh: ArrayLike, jacobian: ArrayLike) -> Array:
    """Give the matrix ``b·dh dhᵀ − a·D_yᵀD_y``, constant along every solution, ``(..., unit, unit)``.

    Its trace, ``b·h2 − a·tr(gram)``, is the paper's ``A_high`` times ``b`` where the Jacobian lies along ``dh``.

    Parameters
    ----------
    theory
        ``a = eta_h·dx2/2`` and ``b = eta_y/2``.
    dh
        Difference of the representations, ``(..., unit)``.
    jacobian
        ``D_y``, ``(..., output, unit)``.
    """
    u, v = np.asarray(dh, dtype=np.float64), np.asarray(jacobian, dtype=np.float64)
    a, b = (np.asarray(one)[..., None, None] for one in (0.5 * theory.eta_h * theory.dx2, 0.5 * theory.eta_y))
    return np.asarray(b * outer(u, u) - a * (np.swapaxes(v, -1, -2) @ v))


def _curves(theory: ExactTheory, initial: ExactState, times: Array, rtol: float, *, each: bool = False) -> Array:
    """Give ``h2``, ``y2``, ``w`` and, with ``each``, the outputs, ``(number, ..., step)``."""
    a, b, target = 0.5 * theory.eta_h * theory.dx2, 0.5 * theory.eta_y, theory.target
    try:
        leading = np.broadcast_shapes(a.shape, b.shape, target.shape[:-1], initial.h2.shape)
    except ValueError:
        raise ShapeError(
            f"rates {a.shape}, targets {target.shape[:-1]} and start {initial.h2.shape} are of different pairs"
        ) from None
    a, b, h2 = (np.broadcast_to(one, leading).ravel() for one in (a, b, initial.h2))
    outputs = target.shape[-1]
    goal, dy = (np.broadcast_to(one, (*leading, outputs)).reshape(-1, outputs) for one in (target, initial.dy))
    gram = np.broadcast_to(initial.gram, (*leading, outputs, outputs)).reshape(-1, outputs, outputs)
    pushed = (goal[:, None] @ gram)[:, 0]
    if np.any((h2 == 0) & (pushed == 0).all(-1) & (goal != 0).any(-1)):
        raise SingularStart(
            "representations coincide and the decoder does not see the targets' difference: nothing moves; "
            "take another layer or seed"
        )
    if outputs == 1:
        found, signed = travel(a, b, h2, gram[:, 0, 0], dy[:, 0], goal[:, 0], times)
        curves = np.stack([found, signed**2, signed * (signed - goal), signed])
    else:
        curves = np.ascontiguousarray(np.moveaxis(mix(a, b, h2, gram, dy, goal, times, rtol=rtol, each=each), 0, -1))
    return curves.reshape(len(curves), *leading, len(times))
