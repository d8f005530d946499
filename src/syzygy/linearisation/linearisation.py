"""A network about its pairs: what starts the exact theory, the rates that it measures, and how far to believe them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from syzygy.errors import ShapeError, SpecificationError
from syzygy.linearisation.motion import motion
from syzygy.linearisation.pairs import chosen_pairs, length, refuse_infinite, refuse_singular
from syzygy.linearisation.products import backward, forward, gram
from syzygy.linearisation.split import Split, Weights
from syzygy.theory.exact import ExactState, ExactTheory

Array = NDArray[np.float64]

#: Second-order share up to which two items count as near each other; the follow-up's.
NEARBY = 0.1

#: Pairs whose Jacobian products are taken in one pass.
TOGETHER = 256


@dataclass(frozen=True)
class Linearisation:
    """What the theory needs to know of a network, for some pairs of items.

    Attributes
    ----------
    pairs
        Positions of the two items, ``(pair, 2)``; a difference is the second less the first.
    h2, dx2
        Squared distances of representations and inputs, ``(pair,)``.
    dy
        ``D_y dh`` with the decoder's Jacobian at the mean representation, ``(pair, output)``.
    gram
        ``D_y D_yᵀ``, ``(pair, output, output)``.
    y_mean
        ``D_y h̄``, what that Jacobian makes of the mean representation, ``(pair, output)``: the mean output itself, but
        for biases and what bends.
    dy_true, target
        Difference of the outputs, and of the targets, ``(pair, output)``.
    eta_h, eta_y
        Measured effective learning rates, per step, half of 1/tau, ``(pair,)``.  NaN where a rate has no direction to
        be measured along: no error of the difference or, for ``eta_h``, none that the decoder's Jacobian passes back.
    encoder_share, decoder_share
        Second order over first order of encoder and decoder about the pair's middle, ``(pair,)``; 0 for a linear map.
    encoder_coupling, decoder_coupling
        How much the mean error moves ``dh``, and ``dy`` at fixed ``dh``, over how much the theory says that the
        difference does, ``(pair,)``; 0 if the theory has it all.
    curvature
        The same for what changes in the decoder's Jacobian from one item to the other, ``(pair,)``.
    """

    pairs: NDArray[np.intp]
    h2: Array
    dx2: Array
    dy: Array
    gram: Array
    y_mean: Array
    dy_true: Array
    target: Array
    eta_h: Array
    eta_y: Array
    encoder_share: Array
    decoder_share: Array
    encoder_coupling: Array
    decoder_coupling: Array
    curvature: Array

    @property
    def nearby(self) -> NDArray[np.bool_]:
        """Whether both second-order shares are at most :data:`NEARBY`, ``(pair,)``."""
        return (self.encoder_share <= NEARBY) & (self.decoder_share <= NEARBY)

    @property
    def mean_coupling(self) -> Array:
        """The larger of the two couplings to the mean, ``(pair,)``."""
        return np.maximum(self.encoder_coupling, self.decoder_coupling)

    @property
    def state(self) -> ExactState:
        """Where the exact theory starts, ``(pair,)``.

        What rounding adds to ``h2·gram − dy dyᵀ``, which has no negative eigenvalue, is taken away.
        """
        outer = self.dy[:, :, None] * self.dy[:, None, :]
        values, vectors = np.linalg.eigh(self.h2[:, None, None] * self.gram - outer)
        across = (vectors * np.maximum(values, 0.0)[:, None, :]) @ vectors.swapaxes(-1, -2)
        return ExactState(self.h2, self.dy, (across + outer) / self.h2[:, None, None])

    @property
    def theory(self) -> ExactTheory:
        """The exact theory with the measured rates, ``(pair,)``.

        Raises
        ------
        SpecificationError
            A rate that is NaN or zero: a pair without an error, or a side without weights to learn with.
        """
        return ExactTheory(self.eta_h, self.eta_y, self.dx2, self.target)


def linearise(
    network: nn.Module,
    layer: str,
    inputs: Tensor | ArrayLike,
    targets: Tensor | ArrayLike,
    *,
    learning_rate: float,
    pairs: Sequence[tuple[int, int]] | None = None,
    weights: Weights | None = None,
    double: bool = True,
) -> Linearisation:
    """Measure what the theory needs to know of a network.

    Rates are those of a pair that learns alone by gradient descent on this library's training loss, half the squared
    error averaged over items and outputs: 1/tau is ``learning_rate/output`` for two linear maps.  For another
    loss, give the learning rate that makes it this one: of ``n`` items learned together, ``2/n`` of it.  Formulas are
    derived in ``docs/theory/linearisation.md``.  Jacobians are never built: only their products with vectors are.

    Parameters
    ----------
    network
        Any module that maps ``(item, …)`` to ``(item, output)``; used in evaluation mode, and left as it was.
    layer
        Module path of the representation, as in ``dict(network.named_modules())``.
    inputs, targets
        ``(item, …)`` and ``(item, output)``.
    learning_rate
        Of gradient descent, per step.
    pairs
        Positions of two items each; all pairs by default.
    weights
        By name, in place of the network's own: those of another step.
    double
        Compute in float64, whatever the network's own precision.

    Raises
    ------
    CannotSplit
        A layer that does not cut the network in two (:class:`~syzygy.linearisation.Split`).
    SingularStart
        A pair whose inputs, or whose representations, are the same.
    DataError
        Outputs, representations, Jacobians or gradients of a pair that are not finite.
    ShapeError
        Targets that do not fit the outputs, or pairs that are not pairs of these items.
    SpecificationError
        A learning rate that is not positive.

    Examples
    --------
    Two linear maps about zero measure their own learning rate, 1/tau_h = 1/tau_y:

    >>> network = nn.Sequential(nn.Linear(2, 9, bias=False), nn.Linear(9, 1, bias=False))
    >>> seen = linearise(network, "0", [[1.0, 2.0], [-1.0, -2.0]], [[1.0], [-1.0]], learning_rate=0.01)
    >>> (2 * seen.eta_h).round(12).tolist(), (2 * seen.eta_y).round(12).tolist()
    ([0.01], [0.01])
    """
    if not (np.isfinite(learning_rate) and learning_rate > 0):
        raise SpecificationError(f"learning_rate must be positive and finite, got {learning_rate}")
    split = Split(network, layer, inputs, weights=weights, double=double)
    x, wanted = split.inputs, split.tensor(targets)
    h, y = (values.detach() for values in split.both(x))
    if wanted.shape != y.shape:
        raise ShapeError(f"targets must be (item, output) = {tuple(y.shape)}, got {tuple(wanted.shape)}")
    both = chosen_pairs(pairs, len(x))
    refuse_singular(both, layer, x, h, y, wanted)
    speed = learning_rate / y.shape[1]
    parts = [_measured(split, x, wanted, h, y, both[n : n + TOGETHER], speed) for n in range(0, len(both), TOGETHER)]
    return Linearisation(both, **{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _measured(
    split: Split, x: Tensor, wanted: Tensor, h: Tensor, y: Tensor, both: NDArray[np.intp], speed: float
) -> dict[str, Array]:
    """Every field of some pairs; all but the motions are products that pairs share a pass for."""
    first, second = torch.from_numpy(both.T.copy()).to(x.device)
    (dx, mid_x), (dh, mid_h), (dy, mid_y) = ((v[second] - v[first], (v[second] + v[first]) / 2) for v in (x, h, y))
    target = wanted[second] - wanted[first]
    at_x, straight_h = forward(split.encode, mid_x, dx)
    at_h, straight_y = forward(split.decode, mid_h, dh)
    straight_mean = forward(split.decode, mid_h, mid_h)[1]
    pulled, spread = backward(split.decode, mid_h)[1](dy - target), gram(split.decode, mid_h)
    for whose, found in (("encoder", [straight_h]), ("decoder", [straight_y, pulled, spread])):
        refuse_infinite(both, f"the {whose}'s Jacobian at the middle of the two", found)
    moved = motion(split, x[both], wanted[both], pulled, speed)
    refuse_infinite(both, "the gradient of the weights", [moved.seen_h, moved.seen_y])
    told, told_y = length(moved.theory), length(moved.decoder_theory)
    seen_h, seen_y = _numbers(moved.seen_h), _numbers(moved.seen_y)
    dx2, h2 = length(dx) ** 2, length(dh) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        eta_h = 0.5 * speed * seen_h / (length(pulled) ** 2 * dx2)
        eta_y = 0.5 * speed * seen_y / (length(dy - target) ** 2 * h2)
    return {
        "h2": h2,
        "dx2": dx2,
        "dy": _numbers(straight_y),
        "gram": _numbers(spread),
        "y_mean": _numbers(straight_mean),
        "dy_true": _numbers(dy),
        "target": _numbers(target),
        "eta_h": eta_h,
        "eta_y": eta_y,
        "encoder_share": _share(2 * length(mid_h - at_x), length(straight_h)),
        "decoder_share": _share(2 * length(mid_y - at_h), length(straight_y)),
        "encoder_coupling": _share(length(moved.mean), told),
        "decoder_coupling": _share(length(moved.decoder_mean), told_y),
        "curvature": _share(length(moved.curvature), told),
    }


def _share(part: Array, whole: Array) -> Array:
    """Divide a part by the whole; none of nothing is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(part == 0, 0.0, part / whole)


def _numbers(values: Tensor) -> Array:
    return values.detach().cpu().numpy().astype(np.float64)
