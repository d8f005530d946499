"""What the outputs should be, and how far they are from it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from syzygy.errors import DataError, ShapeError

Array = NDArray[np.floating[Any]]

#: From outputs ``(item, output)`` and the targets as they were given to a number.
Loss = Callable[[Tensor, Any], Any]


@dataclass(frozen=True)
class Targets:
    """Targets of the probe items.

    Attributes
    ----------
    given
        As they were given.
    values
        ``(item, output)``; None where there are none of the outputs' width.
    """

    given: Any = None
    values: Array | None = None

    @classmethod
    def of(cls, given: Any, items: int, width: int, *, loss_knows: bool = False) -> Self:
        """Read targets of so many items for outputs of a width.

        Whole numbers ``(item,)`` are classes if there are several outputs: they become one-hot.  Other numbers
        ``(item,)`` are ``(item, 1)``, and more axes are flattened.

        Parameters
        ----------
        given
            Anything that is numbers; None for none.
        items, width
            Of the outputs.
        loss_knows
            A function of the user's measures the loss: targets that are no outputs are for it alone.

        Raises
        ------
        DataError
            Targets that are no numbers, or no classes.
        ShapeError
            Targets of other items, or that fit no output while no loss is there to read them.
        """
        if loss_knows and not width:
            raise ShapeError(
                "the model gives no outputs (item, output) for a loss= to measure; give the loss at each call instead"
            )
        if given is None:
            return cls()
        values = _numbers(given)
        if not values.ndim or len(values) != items:
            raise ShapeError(f"the probe has {items} items, and targets {values.shape}; give one row per item")
        if values.ndim == 1 and values.dtype.kind in "iu" and width > 1:
            values = _one_hot(values, width, loss_knows)
        values = values.reshape(items, -1)
        if values.shape[1] == width:
            return cls(given, values.astype(np.float64))
        if loss_knows:
            return cls(given)
        raise ShapeError(
            f"targets {values.shape} fit no outputs {(items, width)}; give them by output or class, or a loss= for them"
        )

    def loss(self, outputs: Array, function: Loss | None = None) -> float:
        """Measure outputs ``(item, output)`` by the function, or by half their mean squared error; NaN if unknown."""
        if function is not None:
            with torch.no_grad():
                return number(function(torch.from_numpy(outputs), self.given))
        if self.values is None:
            return float("nan")
        return float(0.5 * np.mean((outputs - self.values) ** 2))


def number(loss: Any) -> float:
    """Take a loss out of whatever holds it.

    Raises
    ------
    DataError
        It is no single number.
    """
    try:
        return float(loss.detach() if isinstance(loss, Tensor) else loss)
    except (TypeError, ValueError, RuntimeError):
        raise DataError(f"a loss is one number; got {str(loss)[:80]!r}") from None


def _numbers(given: Any) -> NDArray[Any]:
    values = given.detach().cpu().numpy() if isinstance(given, Tensor) else np.asarray(given)
    if values.dtype.kind not in "biuf":
        raise DataError(f"targets are numbers, (item, output) or a class per item; got {values.dtype}")
    return np.asarray(values)


def _one_hot(classes: NDArray[Any], width: int, loss_knows: bool) -> NDArray[Any]:
    if classes.min() < 0 or classes.max() >= width:
        if loss_knows:
            return classes
        raise DataError(f"classes lie between 0 and {width - 1} for {width} outputs; got {sorted(set(classes))[:8]}")
    one_hot: NDArray[Any] = np.eye(width)[classes]
    return one_hot
