"""How far the weights have gone."""

import math
from collections.abc import Iterable

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from syzygy.linearisation.split import Split, Weights, chosen


def travel(
    network: nn.Module, layer: str, inputs: Tensor | ArrayLike, first: Weights, last: Weights
) -> tuple[float, float]:
    """Give how far the encoder's and the decoder's weights have gone, ``‖θ − θ₀‖/‖θ₀‖``.

    Parameters
    ----------
    network, layer
        As for :func:`~syzygy.linearisation.linearise`.
    inputs
        An item or more, ``(item, …)``: what they pass tells the sides apart.
    first, last
        Weights by name, θ₀ and θ; those not named are the network's own.  Trainable parameters count, buffers do not.

    Returns
    -------
    float, float
        The encoder's and the decoder's; NaN for a side without weights, infinite for one that leaves zero.

    Raises
    ------
    CannotSplit
        A layer that does not cut the network in two (:class:`~syzygy.linearisation.Split`).

    Examples
    --------
    >>> network = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    >>> first = {"0.weight": torch.tensor([[4.0]]), "1.weight": torch.tensor([[2.0]])}
    >>> travel(network, "0", [[1.0]], first, first | {"0.weight": torch.tensor([[5.0]])})
    (0.25, 0.0)
    """
    split = Split(network, layer, inputs, weights=first)
    end = chosen(network, last, double=True)
    return gone(split.weights, end, split.encoder), gone(split.weights, end, split.decoder)


def gone(first: Weights, last: Weights, names: Iterable[str]) -> float:
    """Give how far some weights have gone, over their size at the start; NaN for none, infinite from zero."""
    names = tuple(names)
    far, size = _length([last[name] - first[name] for name in names]), _length([first[name] for name in names])
    return far / size if size else (math.inf if far else math.nan)


def _length(weights: list[Tensor]) -> float:
    return math.hypot(*(torch.linalg.vector_norm(weight).item() for weight in weights))
