"""How one step of gradient descent on a pair moves its differences, split by cause."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.func import vmap

from syzygy.linearisation.products import backward, forward
from syzygy.linearisation.split import Split, Weights

#: Weights of pairs that move together, as numbers; a network with more of them has its pairs move one by one.
TOGETHER = 1_000_000


@dataclass(frozen=True)
class Motion:
    """Change per step of pairs that learn alone by gradient descent, and the rates that are in it.

    Attributes
    ----------
    theory, curvature, mean
        Three parts of ``dh'``, ``(pair, …)`` as representations; their sum is all of it.  What the theory says,
        ``−¼·speed·ΔJ ΔJᵀ D_yᵀe``; what a decoder with one Jacobian for both items would not do; and what the mean
        error does.
    decoder_theory, decoder_mean
        Two parts of the change of ``dy`` at fixed representations, ``(pair, output)``; their sum is all of it.
    seen_h, seen_y
        ``‖ΔJᵀ D_yᵀe‖²`` and ``‖ΔJᵀe‖²``, ``(pair,)``, with the difference ΔJ of the items' parameter Jacobians, of
        ``h`` in the encoder's parameters and of ``y`` in the decoder's.
    """

    theory: Tensor
    curvature: Tensor
    mean: Tensor
    decoder_theory: Tensor
    decoder_mean: Tensor
    seen_h: Tensor
    seen_y: Tensor


def motion(split: Split, inputs: Tensor, targets: Tensor, pulled: Tensor, speed: float) -> Motion:
    """Move pairs by gradient descent on half their squared error, summed over outputs, averaged over the two items.

    Derived in ``docs/theory/linearisation.md``, section 3.  Gradients and their products with Jacobians, as large as
    the weights; never a Jacobian.

    Parameters
    ----------
    split
        The network.
    inputs, targets
        Of the two of each pair, ``(pair, 2, …)`` and ``(pair, 2, output)``.
    pulled
        ``D_yᵀe`` at the mean representation, ``(pair, …)`` as representations.
    speed
        Learning rate of that loss.
    """
    one = partial(_parts, split, speed)
    count = sum(weight.numel() for weight in split.moving(split.encoder + split.decoder).values())
    size = max(1, TOGETHER // max(1, count))
    starts = range(0, len(inputs), size)
    found = [_each(one, *(values[n : n + size] for values in (inputs, targets, pulled))) for n in starts]
    return Motion(*(torch.cat(parts) for parts in zip(*found, strict=True)))


def _each(one: Callable[..., tuple[Tensor, ...]], *pairs: Tensor) -> tuple[Tensor, ...]:
    """Apply a function of one pair to some: all at once, or, if the network asks what its numbers are, one by one."""
    if len(pairs[0]) > 1:
        try:
            together: tuple[Tensor, ...] = vmap(one)(*pairs)
            return together
        except RuntimeError:  # PyTorch's, of a module that branches on a value or writes over a constant
            pass
    found = [one(*pair) for pair in zip(*pairs, strict=True)]
    return tuple(torch.stack(parts) for parts in zip(*found, strict=True))


def _parts(split: Split, speed: float, inputs: Tensor, targets: Tensor, pulled: Tensor) -> tuple[Tensor, ...]:
    """Give the fields of a motion, of one pair."""
    encoder, decoder = split.moving(split.encoder), split.moving(split.decoder)
    (h, y), back = backward(partial(split.both, inputs), encoder | decoder)
    errors = y - targets
    mean, difference = (errors[0] + errors[1]) / 2, errors[1] - errors[0]
    seen = back((torch.stack([-pulled, pulled]), torch.zeros_like(y)))
    from_mean = back((torch.zeros_like(h), torch.stack([mean, mean]) / 2))
    from_difference = back((torch.zeros_like(h), torch.stack([-difference, difference]) / 4))
    theory = {name: seen[name] / 4 for name in encoder}
    curvature = {name: from_difference[name] - theory[name] for name in encoder}

    def represent(weights: Weights) -> Tensor:
        return split.encode(inputs, weights).diff(dim=0)[0]

    def read(weights: Weights) -> Tensor:
        return split.decode(h, weights).diff(dim=0)[0]

    return (
        _moved(represent, encoder, theory, speed),
        _moved(represent, encoder, curvature, speed),
        _moved(represent, encoder, from_mean, speed),
        _moved(read, decoder, from_difference, speed),
        _moved(read, decoder, from_mean, speed),
        _square(seen, encoder, y),
        16 * _square(from_difference, decoder, y),
    )


def _moved(function: Callable[[Weights], Tensor], weights: Weights, gradient: Weights, speed: float) -> Tensor:
    """Change of a function of some weights as they descend a gradient; none if there are none."""
    if not weights:
        return torch.zeros_like(function(weights))
    return forward(function, dict(weights), {name: -speed * gradient[name] for name in weights})[1]


def _square(gradient: Weights, names: Weights, like: Tensor) -> Tensor:
    """Squared length, summed in float64."""
    lengths = [torch.linalg.vector_norm(gradient[name], dtype=torch.float64) for name in names]
    return torch.stack([like.new_zeros((), dtype=torch.float64), *lengths]).square().sum()
