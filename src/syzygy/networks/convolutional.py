"""The convolutional network: a linear layer, then convolutions along its units."""

from itertools import pairwise

from torch import Tensor, nn

from syzygy.errors import SpecificationError
from syzygy.networks.layers import ACTIVATIONS, Block

CHANNELS, KERNEL = 20, 11


class Convolutional(nn.Module):
    """A linear layer to ``width`` units, ``depth + 1`` one-dimensional convolutions, a linear readout.

    The convolutions go from 1 to 20 channels, stay there, and return to 1; each has 11 taps and shortens
    the row by 10, so any depth works that the width allows.  (The paper's code is right at depth 10 alone.)
    ``hidden.0`` is the linear layer, ``hidden.n`` the n-th convolution.

    Parameters
    ----------
    input_dim, output_dim
        Numbers of inputs (after flattening) and outputs.
    width
        Units of the first layer.
    depth
        Number of convolutions less one.
    activation
        A name in :data:`syzygy.networks.layers.ACTIVATIONS`.

    Raises
    ------
    SpecificationError
        The width does not allow the depth.
    """

    def __init__(self, input_dim: int, output_dim: int, *, width: int, depth: int, activation: str):
        super().__init__()
        remaining = width - (KERNEL - 1) * (depth + 1)
        if remaining < 1:
            raise SpecificationError(
                f"a convolutional network of depth {depth} needs a width of at least "
                f"{(KERNEL - 1) * (depth + 1) + 1}, got {width}; this width allows {(width - 1) // (KERNEL - 1) - 1}"
            )
        channels = [1] + [CHANNELS] * depth + [1]
        convolutions = (nn.Conv1d(i, o, KERNEL) for i, o in pairwise(channels))
        maps = [nn.Linear(input_dim, width), *convolutions]
        self.hidden = nn.ModuleList(Block(linear, ACTIVATIONS[activation]()) for linear in maps)
        self.readout = nn.Linear(remaining, output_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(item, …)`` to ``(item, output)``."""
        row = self.hidden[0](x.flatten(1)).unsqueeze(1)
        for convolution in list(self.hidden)[1:]:
            row = convolution(row)
        out: Tensor = self.readout(row.flatten(1))
        return out
