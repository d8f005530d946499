"""Gradient descent inside the backward pass: each weight is updated as soon as its gradient is known.

A plain loop writes every gradient to memory, and reads it again to update.  For a layer of ``p × q`` weights
and a batch of two items the gradient is an outer product of rank two: it is never built here, but added to
the weights in place.  So a step reads each weight twice (forward and backward) and writes it once, and no
memory holds a gradient.  The result is that of ``torch.optim.SGD`` up to the order of rounding, which tests
compare.

For batches of a few items the products are matrix–vector products, for which the BLAS of SciPy is up to five
times as fast as PyTorch's on some processors (``benchmarks/training.py`` measures it here).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from scipy.linalg import blas
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.nn.functional import linear as affine

#: Up to so many rows, one BLAS call per row beats one matrix product.
FEW_ROWS = 4
#: Below so many weights the calls cost more than the bytes.
SMALL = 64 * 64

_BLAS = {torch.float32: (blas.sgemv, blas.sger), torch.float64: (blas.dgemv, blas.dger)}


@contextmanager
def fused_sgd(network: nn.Module, learning_rate: float, example: Tensor) -> Iterator[None]:
    """Make ``loss.backward()`` the whole step of gradient descent, while the block runs.

    Parameters
    ----------
    network
        Any module.  Its ``nn.Linear`` layers that an input passes once are updated by outer products;
        every other parameter is updated when its gradient is complete.
    learning_rate
        Step size.
    example
        An input, passed once to see which layers it meets, and how often.
    """
    linear = _met_once(network, example)
    owned = {id(p) for module in linear for p in (module.weight, module.bias)}
    others = [p for p in network.parameters() if id(p) not in owned and p.requires_grad]
    threads = threadpool_limits(1, user_api="blas")  # row by row there is nothing to share out
    hooks = [p.register_post_accumulate_grad_hook(lambda p: _descend(p, learning_rate)) for p in others]  # type: ignore[no-untyped-call]
    for module in linear:
        module.forward = _fused(module, learning_rate)  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        threads.restore_original_limits()
        for hook in hooks:
            hook.remove()
        for module in linear:
            del module.forward


def _fused(module: nn.Linear, learning_rate: float) -> Callable[[Tensor], Tensor]:
    def forward(x: Tensor) -> Tensor:
        out: Tensor = _Linear.apply(x, module.weight, module.bias, learning_rate)  # type: ignore[no-untyped-call]
        return out

    return forward


def _met_once(network: nn.Module, example: Tensor) -> list[nn.Linear]:
    """Linear layers, with trainable parameters of their own, that an input passes exactly once."""
    calls: dict[nn.Linear, int] = {}
    uses: dict[int, int] = {}
    for module in network.modules():
        for parameter in module.parameters(recurse=False):
            uses[id(parameter)] = uses.get(id(parameter), 0) + 1
        if type(module) is nn.Linear and all(p.requires_grad for p in module.parameters()):
            calls[module] = 0

    def count(module: nn.Module, _inputs: object, _output: object) -> None:
        calls[module] += 1  # type: ignore[index]

    hooks = [module.register_forward_hook(count) for module in calls]
    try:
        with torch.no_grad():
            network(example)
    finally:
        for hook in hooks:
            hook.remove()
    return [m for m, n in calls.items() if n == 1 and all(uses[id(p)] == 1 for p in m.parameters())]


@torch.no_grad()
def _descend(parameter: Tensor, learning_rate: float) -> None:
    assert parameter.grad is not None
    parameter.add_(parameter.grad, alpha=-learning_rate)
    parameter.grad = None


class _Linear(torch.autograd.Function):
    """``x·Wᵀ + b`` whose backward pass updates ``W`` and ``b`` in place, and gives them no gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, learning_rate: float) -> Tensor:
        ctx.save_for_backward(x, weight, bias)
        ctx.learning_rate = learning_rate
        return _affine(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, None, None, None]:
        x, weight, bias = ctx.saved_tensors
        (gradient,) = gradients
        upstream = _times(gradient, weight) if ctx.needs_input_grad[0] else None  # before the weights move
        rows, entered = gradient.flatten(0, -2), x.flatten(0, -2)
        if bias is not None:
            bias.add_(rows.sum(0), alpha=-ctx.learning_rate)
        _add_outer(weight, rows, entered, -ctx.learning_rate)
        return upstream, None, None, None


def _by_rows(rows: Tensor, weight: Tensor) -> bool:
    return (
        rows.ndim == 2
        and len(rows) <= FEW_ROWS
        and weight.numel() >= SMALL
        and weight.device.type == "cpu"
        and weight.dtype in _BLAS
        and weight.is_contiguous()
    )


def _affine(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if not _by_rows(x, weight):
        return affine(x, weight, bias)
    gemv, transposed = _BLAS[weight.dtype][0], weight.detach().numpy().T
    out = x.new_empty(len(x), len(weight)) if bias is None else bias.detach().expand(len(x), -1).contiguous()
    beta = 0.0 if bias is None else 1.0
    for row, into in zip(x.detach().contiguous().numpy(), out.numpy(), strict=True):
        gemv(1.0, transposed, row, beta=beta, y=into, trans=1, overwrite_y=1)
    return out


def _times(gradient: Tensor, weight: Tensor) -> Tensor:
    if not _by_rows(gradient, weight):
        return gradient @ weight
    gemv, transposed = _BLAS[weight.dtype][0], weight.detach().numpy().T
    out = gradient.new_empty(len(gradient), weight.shape[1])
    for row, into in zip(gradient.contiguous().numpy(), out.numpy(), strict=True):
        gemv(1.0, transposed, row, beta=0.0, y=into, overwrite_y=1)
    return out


def _add_outer(weight: Tensor, rows: Tensor, entered: Tensor, factor: float) -> None:
    """Add ``factor·rowsᵀ·entered`` to the weights in place."""
    if not _by_rows(rows, weight):
        weight.addmm_(rows.t(), entered, alpha=factor)
        return
    ger, transposed = _BLAS[weight.dtype][1], weight.detach().numpy().T
    for row, x in zip(rows.contiguous().numpy(), entered.detach().contiguous().numpy(), strict=True):
        ger(factor, x, row, a=transposed, overwrite_a=1)
    torch.autograd.graph.increment_version(weight)  # NumPy wrote behind autograd's back
