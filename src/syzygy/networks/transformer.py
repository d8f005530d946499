"""The small vision transformer: patches of an image that attend to one another."""

import math

import torch
from torch import Tensor, nn

from syzygy.networks.layers import ACTIVATIONS

#: A side of an image is cut into so many patches.
GRID = 4
#: Heads of attention, as far as they divide the width.
HEADS = 4
#: Units between the two maps of a block's perceptron, for each of its width.
EXPANSION = 2


class Attention(nn.Module):
    """Self-attention with several heads (Vaswani et al. 2017): ``(item, token, unit)`` to the same."""

    def __init__(self, width: int):
        super().__init__()
        self.heads = math.gcd(width, HEADS)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Give each token the mean of all values, weighted by how well its query meets their keys."""
        split = (*x.shape[:2], self.heads, -1)
        query, key, value = (part(x).reshape(split).transpose(1, 2) for part in (self.query, self.key, self.value))
        weights = (query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])).softmax(-1)
        out: Tensor = self.out((weights @ value).transpose(1, 2).reshape(x.shape))
        return out


class TransformerBlock(nn.Module):
    """Attention and a perceptron, each added to what came in; before each a token is normalised over its units.

    The normalisation has no scale and shift of its own: the linear maps behind it have both.
    """

    def __init__(self, width: int, activation: str):
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.attention = Attention(width)
        self.perceptron = nn.Sequential(
            nn.Linear(width, EXPANSION * width), ACTIVATIONS[activation](), nn.Linear(EXPANSION * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Attend, then transform: ``(item, token, unit)`` to the same."""
        attended = x + self.attention(self.norm(x))
        out: Tensor = attended + self.perceptron(self.norm(attended))
        return out


class Transformer(nn.Module):
    """Patches of an image with their places, ``depth`` blocks of attention, the mean over patches, a linear readout.

    After Dosovitskiy et al. (2021), with normalisation before each part and without a token for the class.
    ``hidden.n`` gives the tokens of the n-th block, ``(item, token, unit)``; watch ``mean(hidden.n)`` for their mean.

    A square image of one or three channels whose side can be divided by four is cut into 4 × 4 patches.  Of any other
    input every number is a token.

    Parameters
    ----------
    input_dim, output_dim
        Numbers of inputs (after flattening) and outputs.
    width, depth
        Units of a token, and number of blocks.
    activation
        A name in :data:`syzygy.networks.layers.ACTIVATIONS`.

    Examples
    --------
    >>> small = Transformer(64, 10, width=8, depth=2, activation="relu")
    >>> small.patches(torch.arange(64.0)[None])[0, 1]
    tensor([ 2.,  3., 10., 11.])
    """

    def __init__(self, input_dim: int, output_dim: int, *, width: int, depth: int, activation: str):
        super().__init__()
        self.channels, self.side = _image(input_dim)
        tokens = GRID**2 if self.side else input_dim
        self.embedding = nn.Linear(input_dim // tokens, width)
        self.place = nn.Linear(tokens, width, bias=False)
        self.register_buffer("places", torch.eye(tokens), persistent=False)
        self.hidden = nn.Sequential(*(TransformerBlock(width, activation) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.readout = nn.Linear(width, output_dim)

    def patches(self, x: Tensor) -> Tensor:
        """Cut ``(item, …)`` into ``(item, token, number)``."""
        if not self.side:
            return x.reshape(len(x), -1, 1)
        size = self.side // GRID
        cut = x.reshape(len(x), self.channels, GRID, size, GRID, size)
        return cut.permute(0, 2, 4, 1, 3, 5).reshape(len(x), GRID**2, -1)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(item, …)`` to ``(item, output)``."""
        tokens = self.embedding(self.patches(x)) + self.place(self.places)
        out: Tensor = self.readout(self.norm(self.hidden(tokens)).mean(1))
        return out


def _image(input_dim: int) -> tuple[int, int]:
    """Give the channels of an image of so many numbers and its side; 0 if it is none that can be cut."""
    for channels in (1, 3):
        side = math.isqrt(input_dim // channels)
        if channels * side**2 == input_dim and side and side % GRID == 0:
            return channels, side
    return 1, 0
