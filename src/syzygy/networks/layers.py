"""The parts that every network of the catalogue is built from: initialisation, activations, blocks."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor, nn

Activation = Callable[[], nn.Module]

#: Activations of the settings table, and softplus; ``none`` makes a linear network.
ACTIVATIONS: Final = MappingProxyType[str, Activation](
    {
        "leaky_relu": lambda: nn.LeakyReLU(0.01),
        "relu": nn.ReLU,
        "elu": nn.ELU,
        "tanh": nn.Tanh,
        "silu": nn.SiLU,
        "softplus": nn.Softplus,
        "none": nn.Identity,
    }
)


def initialise(network: nn.Module, gain: float, generator: torch.Generator) -> None:
    """Draw all weights from Xavier's normal distribution, and set all biases to zero, in place.

    The standard deviation is ``gain·sqrt(2/(fan_in + fan_out))``, Glorot & Bengio (2010), as in the
    paper's code.  Draw in float64 and cast afterwards, so that one seed means one network in any precision.
    """
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv1d):
            nn.init.xavier_normal_(module.weight, gain=gain, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class Block(nn.Sequential):
    """One hidden layer: a linear map, then its activation.  Its output is the layer's representation."""

    def __init__(self, linear: nn.Module, activation: nn.Module):
        super().__init__()
        self.linear, self.activation = linear, activation


class Dropout(nn.Module):
    """Dropout whose mask is drawn before the forward pass, from a generator that it is handed.

    So each network of a stack has noise of its own, fixed by its own seed.  In evaluation it does nothing.

    Parameters
    ----------
    features
        Width of what passes through.
    p
        Share of values set to zero; the others are divided by ``1 − p``.
    """

    mask: Tensor

    def __init__(self, features: int, p: float):
        super().__init__()
        self.p = p
        self.register_buffer("mask", torch.ones(1, features), persistent=False)

    def draw(self, items: int, generator: torch.Generator) -> Tensor:
        """Draw a mask for so many items, ``(item, unit)``; assign it to ``mask`` to use it."""
        shape = (items, self.mask.shape[-1])
        kept = torch.rand(shape, dtype=torch.float64, generator=generator) >= self.p
        return kept.to(self.mask) / (1 - self.p)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply by the mask while training."""
        return x * self.mask if self.training else x
