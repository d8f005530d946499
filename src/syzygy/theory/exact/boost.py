r"""The exact pair with several outputs: encoder and decoder that are mixed by boosts.

Side by side, ``R = (√b·dh, √a·D_yᵀ)``, the two change by ``R' = -R E``, where ``E`` swaps the first column with the
others along the error: a boost of special relativity.  So ``R = R₀ L`` with a Lorentz matrix ``L``, of which only the
first column ``λ`` is needed, and what it makes of the target, ``ζ``:

.. math::
    λ' = ζ - H λ + J T₀ λ, \qquad  ζ' = (σ² - q·s)\, λ, \qquad H = λᵀT₀λ, \quad q·s = λᵀT₀ζ

with ``T₀ = R₀ᵀR₀`` and ``J = diag(1, -1, …, -1)`` (``docs/theory/exact.md``, section 5).  What is followed is ``λ``
without its first number, and the target as it looks from the frame of ``λ``, which turns: for ``o`` outputs ``2·o``
numbers, not the ``(o + 1)(o + 2)/2`` of ``h2``, ``dy`` and ``gram``; and in the axes of ``gram``, work in proportion
to ``o``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from syzygy.theory.runge_kutta import follow

Array = NDArray[np.float64]

#: The end of learning, in times of the slowest change: by then a pair that has an end is there.
LONG = 1e4
#: Relative error of ``h2`` by rounding, at which it counts as lost: starts of decoders thousands of times too strong.
LOST = 1e-6
#: Outputs below this part of the target need not be known to all digits.
SMALL = 1e-3


def mix(
    a: Array, b: Array, h2: Array, gram: Array, dy: Array, target: Array, times: Array, *, rtol: float, each: bool
) -> Array:
    """Follow pairs of several outputs, all together.

    Parameters
    ----------
    a, b
        Weights of encoder and decoder, ``eta_h·dx2/2`` and ``eta_y/2``, ``(pair,)``.
    h2, gram, dy
        At the start: ‖dh‖², ``(pair,)``; ``D_y D_yᵀ``, ``(pair, output, output)``; difference of the outputs,
        ``(pair, output)``.
    target
        Difference of the targets, ``(pair, output)``.
    times
        In steps, ``(step,)``; ``inf`` is the end of learning.
    rtol
        Relative error of an integrator's step.
    each
        Whether to give the outputs one by one too, which takes ``output²`` more numbers.

    Returns
    -------
    Array
        ``h2``, ``y2`` and ``w``, and with ``each`` the outputs, ``(step, number, pair)``.
    """
    both = np.sqrt(a * b)
    gain, axes = np.linalg.eigh(a[:, None, None] * gram)
    turn = np.moveaxis(axes, 0, -1)  # (output, axis of gram, pair)
    first, goal = (both * np.einsum("oip,po->ip", turn, one) for one in (dy, target))
    directions = np.concatenate([goal[:, None], *([np.swapaxes(turn, 0, 1)] if each else [])], axis=1)
    flow = _Boosts(*directions.shape[:2])
    size, output, whole = _norm(goal), _norm(first), b * h2 + gain.sum(-1)
    reach = size + output
    given = np.concatenate([gain.T, first, [b * h2, reach]])
    least = np.concatenate([[(output + SMALL * size) / (size + whole)], SMALL * _norm(directions)])
    groups = [flow.outputs] * (1 + flow.directions)
    found = follow(
        flow.rate,
        np.concatenate([np.zeros_like(goal), np.swapaxes(directions, 0, 1).reshape(-1, len(a))]),
        _finite(times, np.where(size > 0, size**2 / (size + whole), whole)),
        given=given,
        seen=flow.seen,
        rtol=rtol,
        atol=np.repeat(rtol * least + 1e-300, flow.outputs, axis=0),
        groups=groups,
        settled=lambda state, given: flow.settled(state, given, rtol),
    )
    merged = size == 0
    if np.isinf(times).any() and merged.any():
        last = np.zeros((found.shape[1], merged.sum()))
        last[0] = _agreed(b[merged] * h2[merged], first[:, merged], gain[merged])
        found[np.ix_(np.isinf(times), np.arange(len(last)), merged)] = last
    found[:, 0] /= b
    found[:, 1:3] /= a * b
    found[:, 3:] /= both
    return found


@dataclass(frozen=True)
class _Boosts:
    """The flow of ``λ``, and of some directions of the output space as they look from its frame, the target first.

    A state is ``λ`` without its first number, and these vectors, one by one, ``(number, pair)``.  Given are, of the
    start, the eigenvalues of ``G``, in its axes ``q``, ``H``, and how far outputs have to go.
    """

    outputs: int
    directions: int

    def _now(self, state: Array, given: Array) -> tuple[Array, ...]:
        """Give ``λ`` but its first, that, ``q`` as the boost leaves it, ``H`` and the turned directions."""
        o = self.outputs
        boost, turned = state[:o], state[o:].reshape(self.directions, o, -1)
        stretch = np.sqrt(1 + _dot(boost, boost))
        spread = given[:o] * boost
        spread += given[o : 2 * o] * stretch
        ahead = given[2 * o] * stretch + _dot(given[o : 2 * o], boost)
        along = _dot(boost, spread)
        outputs = boost * (ahead + along / (1 + stretch))
        outputs += spread
        return boost, stretch, outputs, stretch * ahead + along, turned

    def rate(self, state: Array, given: Array) -> Array:
        """Change of a state."""
        boost, stretch, outputs, _, turned = self._now(state, given)
        outputs -= turned[0]  # the error
        change = np.empty_like(state)
        share = 1 / (1 + stretch)
        np.multiply(boost, -share * _dot(boost, outputs), out=change[: self.outputs])
        change[: self.outputs] -= outputs
        turning = change[self.outputs :].reshape(turned.shape)
        np.multiply(outputs, (share * np.einsum("kip,ip->kp", turned, boost))[:, None], out=turning)
        turning -= boost * (share * np.einsum("kip,ip->kp", turned, outputs))[:, None]
        return change

    def seen(self, state: Array, given: Array) -> Array:
        """Squared distances and alignment, then the outputs; NaN where rounding has eaten the digits of ``h2``."""
        _, stretch, outputs, h, turned = self._now(state, given)
        # A sum over T₀, whose terms are so much larger than it; of pairs that agree it may be as small as it likes.
        rounding = np.finfo(float).eps * stretch**2 * (given[2 * self.outputs] + given[: self.outputs].sum(0))
        h = np.where((rounding > LOST * h) & turned[0].any(0), np.nan, h)
        return np.stack(
            [
                h,
                _dot(outputs, outputs),
                _dot(outputs, outputs - turned[0]),
                *np.einsum("kip,ip->kp", turned[1:], outputs),
            ]
        )

    def settled(self, state: Array, given: Array, rtol: float) -> NDArray[np.bool_]:
        """Whether the error is as small a part of the target as a step's error."""
        _, _, outputs, _, turned = self._now(state, given)
        return np.asarray(_norm(outputs - turned[0]) <= rtol * given[2 * self.outputs + 1])


def _finite(times: Array, slowest: Array) -> Array:
    """Put a time at which all has been learned in place of infinity."""
    last = np.max(times, initial=0.0, where=np.isfinite(times))
    return np.where(np.isinf(times), max(last, LONG / np.min(slowest, initial=np.inf, where=slowest > 0)), times)


def _agreed(h: Array, q: Array, gain: Array) -> Array:
    """Give the positive eigenvalue of the conserved matrix, else zero: the end of pairs that agree, ``(pair,)``."""
    whole = np.zeros((len(h), len(q) + 1, len(q) + 1))
    whole[:, 0, 0], whole[:, 0, 1:], whole[:, 1:, 0] = h, q.T, q.T
    whole[:, np.arange(1, len(q) + 1), np.arange(1, len(q) + 1)] = gain
    size, axes = np.linalg.eigh(whole)
    root = np.sqrt(np.maximum(size, 0.0))[..., None] * np.swapaxes(axes, -1, -2)
    sign = np.where(np.arange(len(q) + 1) == 0, 1.0, -1.0)
    value = np.linalg.eigvalsh((root * sign) @ np.swapaxes(root, -1, -2))[:, -1]
    return np.where(value > 1e-14 * size.sum(-1), value, 0.0)


def _dot(one: Array, other: Array) -> Array:
    return np.asarray(np.einsum("ip,ip->p", one, other))


def _norm(vectors: Array) -> Array:
    return np.asarray(np.sqrt((vectors**2).sum(0)))
