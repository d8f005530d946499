"""Products of a Jacobian with vectors, forward and back; the Jacobian itself is never built."""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.func import jvp, vjp

#: A tensor, or tensors by name.
Point = Any


def forward(function: Callable[[Point], Tensor], at: Point, along: Point) -> tuple[Tensor, Tensor]:
    """Give a function's value, and its Jacobian times a vector of the shape of its argument."""
    _loaded()
    value, change = jvp(function, (at,), (along,))[:2]
    return value, change


def backward(function: Callable[[Point], Any], at: Point) -> tuple[Any, Callable[[Any], Point]]:
    """Give a function's value, and what multiplies a vector of its shape with the transposed Jacobian."""
    found = vjp(function, at)
    back = found[1]
    return found[0], lambda vector: back(vector)[0]


def gram(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """Give Jacobian times transposed Jacobian of each item, ``(item, output, output)``.

    Column by column: one output back to where it comes from, and forward again, all items together.

    Examples
    --------
    >>> gram(lambda x: x @ torch.tensor([[3.0, 1.0], [4.0, 0.0]]), torch.zeros(1, 2)).tolist()
    [[[25.0, 3.0], [3.0, 1.0]]]
    """
    value, back = backward(function, at)
    columns = []
    for output in range(value.shape[1]):
        unit = torch.zeros_like(value)
        unit[:, output] = 1
        columns.append(forward(function, at, back(unit))[1])
    product = torch.stack(columns, -1)
    return (product + product.mT) / 2


@cache
def _loaded() -> None:
    """Let PyTorch load what forward differentiation needs, which warns of the compiler that PyTorch itself uses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        jvp(torch.sin, (torch.zeros(1),), (torch.zeros(1),))
