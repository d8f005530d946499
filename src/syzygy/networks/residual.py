"""The residual network: the perceptron with connections that skip one layer."""

from itertools import pairwise

from torch import Tensor, nn

from syzygy.networks.layers import ACTIVATIONS, Block


class SkipBlock(Block):
    """A hidden layer to whose activation the output of the layer before the last is added."""

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        """Give ``f(W·x) + skip``."""
        out: Tensor = self.activation(self.linear(x))
        return out if skip is None else out + skip


class Residual(nn.Module):
    """``a_n = f(W_n·a_{n−1}) + a_{n−2}`` for every hidden layer ``n ≥ 2``, as in the paper's code.

    ``hidden.n`` gives ``a_n``, the sum included.  Parameters as in :class:`syzygy.networks.mlp.MLP`.
    """

    def __init__(self, input_dim: int, output_dim: int, *, width: int, depth: int, activation: str):
        super().__init__()
        widths = [input_dim] + [width] * depth
        self.hidden = nn.ModuleList(SkipBlock(nn.Linear(i, o), ACTIVATIONS[activation]()) for i, o in pairwise(widths))
        self.readout = nn.Linear(widths[-1], output_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(item, …)`` to ``(item, output)``."""
        before, last = None, x.flatten(1)
        for n, layer in enumerate(self.hidden):
            before, last = last, layer(last, before if n >= 2 else None)
        out: Tensor = self.readout(last)
        return out
