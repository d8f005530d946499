"""The multilayer perceptron, with or without dropout."""

from itertools import pairwise

from torch import Tensor, nn

from syzygy.networks.layers import ACTIVATIONS, Block, Dropout


class MLP(nn.Module):
    """``depth`` hidden layers ``hidden.0`` … of equal width, then a linear ``readout``.

    ``hidden.n`` gives the representation after the activation, the n-th of the paper's code.

    Parameters
    ----------
    input_dim, output_dim
        Numbers of inputs (after flattening) and outputs.
    width, depth
        Units per hidden layer, and number of hidden layers.
    activation
        A name in :data:`syzygy.networks.layers.ACTIVATIONS`.

    Examples
    --------
    >>> sum(p.numel() for p in MLP(1, 1, width=500, depth=20, activation="leaky_relu").parameters())
    4761001
    """

    def __init__(self, input_dim: int, output_dim: int, *, width: int, depth: int, activation: str):
        super().__init__()
        widths = [input_dim] + [width] * depth
        self.hidden = nn.Sequential(*(Block(nn.Linear(i, o), ACTIVATIONS[activation]()) for i, o in pairwise(widths)))
        self.readout: nn.Module = nn.Linear(widths[-1], output_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(item, …)`` to ``(item, output)``."""
        out: Tensor = self.readout(self.hidden(x.flatten(1)))
        return out


class DropoutMLP(MLP):
    """A multilayer perceptron with dropout (p = 0.1) before every linear map, that of the input included.

    Layers are numbered as in :class:`MLP`.  (The paper's code counts the dropout modules too: its layer 5
    is ``hidden.2`` here.)
    """

    P = 0.1

    def __init__(self, input_dim: int, output_dim: int, *, width: int, depth: int, activation: str):
        super().__init__(input_dim, output_dim, width=width, depth=depth, activation=activation)
        widths = [input_dim] + [width] * (depth - 1)
        self.hidden = nn.Sequential(
            *(nn.Sequential(Dropout(i, self.P), block) for i, block in zip(widths, self.hidden, strict=True))
        )
        self.readout = nn.Sequential(Dropout(width, self.P), self.readout)
