"""Encoders and decoders: perceptrons for features, convolutions for images."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Final

from torch import Tensor, nn

#: Channels of the two convolutions, each of which halves an image, and the width of the layer behind them.
CHANNELS: Final = (16, 32)
BEHIND: Final = 64


def perceptron(sizes: Sequence[int]) -> nn.Sequential:
    """Give linear layers with ReLU between them.

    Examples
    --------
    >>> import torch
    >>> perceptron([2, 8, 3])(torch.zeros(5, 2)).shape
    torch.Size([5, 3])
    """
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Cropped(nn.Module):
    """Cut images to a height and a width, ``(item, channel, height, width)``."""

    def __init__(self, height: int, width: int):
        super().__init__()
        self.height, self.width = height, width

    def forward(self, images: Tensor) -> Tensor:
        """Leave out what is below and to the right."""
        return images[..., : self.height, : self.width]


def coders(shape: tuple[int, ...], latent: int, hidden: Sequence[int], outputs: int) -> tuple[nn.Module, nn.Module]:
    """Make an encoder and a decoder.

    Parameters
    ----------
    shape
        Of a frame: ``(feature,)``, or ``(channel, height, width)``.
    latent
        Numbers that the decoder takes.
    hidden
        Widths of the hidden layers for features; the decoder has them in reverse.
    outputs
        Numbers that the encoder gives.

    Examples
    --------
    >>> import torch
    >>> encoder, decoder = coders((1, 9, 14), 2, (), 2)
    >>> decoder(encoder(torch.zeros(3, 1, 9, 14))).shape
    torch.Size([3, 1, 9, 14])
    """
    if len(shape) == 1:
        return perceptron([*shape, *hidden, outputs]), perceptron([latent, *reversed(hidden), *shape])
    channels, height, width = shape
    few, many = CHANNELS
    small = (many, -(-height // 4), -(-width // 4))
    encoder = nn.Sequential(
        nn.Conv2d(channels, few, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(few, many, 3, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(), perceptron([prod(small), BEHIND, outputs]),
    )  # fmt: skip
    decoder = nn.Sequential(
        perceptron([latent, BEHIND, prod(small)]), nn.ReLU(), nn.Unflatten(1, small),
        nn.ConvTranspose2d(many, few, 4, stride=2, padding=1), nn.ReLU(),
        nn.ConvTranspose2d(few, channels, 4, stride=2, padding=1), Cropped(height, width),
    )  # fmt: skip
    return encoder, decoder
