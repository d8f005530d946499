"""What networks learn by: the squared error that the theory assumes, and the logistic loss of labels."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Final, Literal

from torch import Tensor
from torch.nn.functional import softplus

from syzygy.errors import ShapeError

#: ``squared``: half the squared error; ``logistic``: that of targets that are labels, −1 and 1.
Loss = Literal["squared", "logistic"]


def half_mse(outputs: Tensor, targets: Tensor) -> Tensor:
    """Half the squared error, averaged over items and outputs: ``(..., item, output)`` to ``(...)``."""
    _fitting(outputs, targets)
    return 0.5 * (outputs - targets).square().mean(dim=(-2, -1))


def logistic(outputs: Tensor, targets: Tensor) -> Tensor:
    """``log(1 + exp(−target·output))``, averaged over items and outputs: ``(..., item, output)`` to ``(...)``.

    A target of 0 is a label that nobody tells: the loss is then ``log 2`` whatever the output.

    Examples
    --------
    >>> import torch
    >>> logistic(torch.tensor([[0.0, 3.0]]), torch.tensor([[1.0, 0.0]]))
    tensor(0.6931)
    """
    _fitting(outputs, targets)
    return softplus(-targets * outputs).mean(dim=(-2, -1))


#: Losses by the name that specifications use.
LOSSES: Final = MappingProxyType[str, Callable[[Tensor, Tensor], Tensor]]({"squared": half_mse, "logistic": logistic})


def _fitting(outputs: Tensor, targets: Tensor) -> None:
    if outputs.shape[-2:] != targets.shape[-2:]:
        raise ShapeError(
            f"the network gives outputs {tuple(outputs.shape[-2:])} for targets {tuple(targets.shape[-2:])}"
        )
