r"""The end of learning: linear networks followed past all time scales.

What a network learns of data is as slow as the data's least direction is weak: handwritten digits ask for 10⁷ times the
time that their mean takes, and no step of an explicit method may exceed the fastest.  But the weights ``z`` descend a
sum of squares, ``z' = −Jᵀe``, and in Gauss and Newton's approximation an implicit Euler step is
``z − hJᵀ(1 + hL)⁻¹e`` with ``L = JJᵀ = a·K⊗G + (b·A + b_c·11ᵀ)⊗1``: in the eigenvectors of ``G``, one linear system
per output.  Steps in ``1, 2, …`` parts are extrapolated to a high order, which asks no exact Jacobian (Hairer & Wanner,
*Solving Ordinary Differential Equations II*, sections IV.7 and IV.9).
"""

import numpy as np
from numpy.typing import NDArray

from syzygy.theory.many.two_layers import Flow, Layers

Array = NDArray[np.float64]

#: A step is taken in one part, two parts, and so on; as many as the method's order.
ORDER = 7
#: Shares of the step before that the next may be, and of the length that its error suggests.
LEAST_FACTOR, MOST_FACTOR, SAFETY = 0.2, 8.0, 0.8
#: Nothing is left to learn once an endless step, in units of the fastest change, would not move the weights.
ENDLESS = 1e10
#: Or once the gradient is so small a part of the error times the weights.
VANISHED = 1e-9
#: Below this share of the start, the error of weights that fade is not relative to them any more.
FADED = 1e-4
#: Steps before a system is given up.
MOST_STEPS = 2_000


def settle(flow: Flow, start: Layers, rtol: float) -> Layers:
    """Follow systems until nothing is left to learn.

    Parameters
    ----------
    flow, start
        What drives them, and from where.
    rtol
        Relative error of a step, and relative change of the weights that an endless step may still make.

    Returns
    -------
    Layers
        The end; NaN for a system that does not arrive.
    """
    found = Layers(*(np.full_like(one, np.nan) for one in start))
    place, now, begun = np.arange(len(start.bias)), start, _scales(flow, start)
    length = 1e-2 / _fastest(flow, now)
    for _ in range(MOST_STEPS):
        arrived = _arrived(flow, now, begun[:, place], rtol)
        for whole, part in zip(found, now, strict=True):
            whole[place[arrived]] = part[arrived]
        going = ~arrived & np.isfinite(length)
        if not going.all():
            place, length, flow, now = place[going], length[going], flow.only(going), now.only(going)
        if not len(place):
            break
        with np.errstate(all="ignore"):  # what runs away is refused
            after, error = _step(flow, now, length, FADED * begun[:, place])
            taken = error <= rtol
            factor = np.where(np.isfinite(error), SAFETY * (error / rtol) ** (-1 / ORDER), LEAST_FACTOR)
        now = Layers(*(np.where(_wide(taken, old), new, old) for old, new in zip(now, after, strict=True)))
        length = length * np.clip(factor, LEAST_FACTOR, MOST_FACTOR)
    return found


def _step(flow: Flow, now: Layers, length: Array, least: Array) -> tuple[Layers, Array]:
    """Extrapolate a step from itself in more and more parts; its error is relative."""
    before: list[Layers] = []
    for parts in range(1, ORDER + 1):
        row = [_in_parts(flow, now, length, parts)]
        for column, coarse in enumerate(before, start=1):
            weight = parts / column - 1
            row.append(Layers(*(f + weight * (f - c) for f, c in zip(row[-1], coarse, strict=True))))
        before = row
    errors = [_size(one - other) for one, other in zip(before[-1], before[-2], strict=True)]
    scales = np.maximum(np.maximum(_scales(flow, now), _scales(flow, before[-1])), least)
    return before[-1], np.max(errors / scales, axis=0)


def _in_parts(flow: Flow, now: Layers, length: Array, parts: int) -> Layers:
    """Take a step in equal parts, each implicit in the error."""
    h = length[:, None, None] / parts
    for _ in range(parts):
        change = flow.change(now, _relaxed(flow, now, h))
        now = Layers(now.hidden + h * change[0], now.readout + h * change[1], now.bias + h[..., 0] * change[2])
    return now


def _relaxed(flow: Flow, now: Layers, h: Array) -> Array:
    """Solve ``(1 + hL)e⁺ = e``."""
    gains, axes = np.linalg.eigh(now.readout @ np.swapaxes(now.readout, -1, -2))
    common = flow.decoder * (now.hidden @ np.swapaxes(now.hidden, -1, -2))
    common = common + flow.bias * np.outer(flow.ones, flow.ones)
    matrix = h[:, None] * (gains[..., None, None] * flow.kernel[:, None] + common[:, None])
    matrix += np.eye(len(flow.ones))
    error = np.swapaxes(flow.error(now) @ axes, -1, -2)[..., None]
    relaxed = np.linalg.solve(matrix, error)[..., 0]
    return np.asarray(np.swapaxes(relaxed, -1, -2) @ np.swapaxes(axes, -1, -2))


def _arrived(flow: Flow, now: Layers, begun: Array, rtol: float) -> NDArray[np.bool_]:
    """Whether an endless step would leave the weights as they are, or the gradient has vanished."""
    h, error = ENDLESS / _fastest(flow, now), flow.error(now)
    # Weights that fade do so for ever, relative to themselves.
    scales = np.maximum(_scales(flow, now), begun)
    left = flow.change(now, _relaxed(flow, now, h[:, None, None]))
    gradient = flow.change(now, error)
    # An error that no weight can mend is still there, and bounds the products that should be zero.
    most = _size(flow.kernel @ error) * scales[1], _size(flow.decoder * error) * scales[0], _size(flow.bias * error)
    moves = [_size(one) > rtol * scale / h for one, scale in zip(left, scales, strict=True)]
    pulls = [_size(one) > VANISHED * bound for one, bound in zip(gradient, most, strict=True)]
    return np.asarray(~(np.any(moves, axis=0) & np.any(pulls, axis=0)))


def _fastest(flow: Flow, now: Layers) -> Array:
    """Bound the rates of the error: the sum of the traces that make ``L``."""
    encoder, decoder, bias = np.einsum("sii->s", flow.kernel), flow.decoder[:, 0, 0], flow.bias[:, 0, 0]
    traces = encoder * _size(now.readout) ** 2 + decoder * _size(now.hidden) ** 2 + bias * (flow.ones**2).sum()
    return np.asarray(np.maximum(traces, 1e-300))


def _scales(flow: Flow, now: Layers) -> Array:
    """Give what errors are relative to, ``(array, system)``."""
    hidden, readout = _size(now.hidden), _size(now.readout)
    return np.stack([hidden, readout, _size(now.bias) + hidden * readout + _size(flow.targets)]) + 1e-300


def _size(one: Array) -> Array:
    return np.asarray(np.sqrt((one**2).reshape(len(one), -1).sum(-1)))


def _wide(mask: NDArray[np.bool_], like: Array) -> NDArray[np.bool_]:
    return mask.reshape(-1, *[1] * (like.ndim - 1))
