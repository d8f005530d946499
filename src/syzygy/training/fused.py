"""Gradient descent inside the backward pass: each weight is updated as soon as its gradient is known.

A plain loop writes every gradient to memory, and reads it again to update.  For a layer of ``p × q`` weights
and a batch of two items the gradient is an outer product of rank two: it is never built here, but added to
the weights in place.  So a step reads each weight twice (forward and backward) and writes it once, and no
memory holds a gradient.  The result is that of ``torch.optim.SGD`` up to the order of rounding, which tests
compare.

For batches of a few items the products are matrix–vector products, for which the BLAS of SciPy is up to five
times as fast as PyTorch's on some processors (``benchmarks/training.py`` measures it here).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from scipy.linalg import blas
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.nn.functional import linear as affine

#: Up to so many rows, one BLAS call per row beats one matrix product.
FEW_ROWS = 4
#: Below so many weights the calls cost more than the bytes.
SMALL = 64 * 64

#: Weights begin at multiples of so many numbers, the width of a cache line.
ALIGNED = 16

_GER = {torch.float32: blas.sger, torch.float64: blas.dger}


@contextmanager
def fused_sgd(network: nn.Module, learning_rate: float, example: Tensor) -> Iterator[None]:
    """Make ``loss.backward()`` the whole step of gradient descent, while the block runs.

    Parameters
    ----------
    network
        Any module.  Its ``nn.Linear`` layers that an input passes once are updated by outer products;
        what else gives a parameter a gradient updates it when that gradient is complete.
    learning_rate
        Step size.
    example
        An input, passed once to see which layers it meets, and how often.
    """
    linear = _met_once(network, example)
    _side_by_side([module.weight for module in linear])
    trainable = [p for p in network.parameters() if p.requires_grad]
    threads = threadpool_limits(1, user_api="blas")  # row by row there is nothing to share out
    hooks = [p.register_post_accumulate_grad_hook(lambda p: _descend(p, learning_rate)) for p in trainable]  # type: ignore[no-untyped-call]
    for module in linear:
        module.forward = _Layer(module, learning_rate)  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        threads.restore_original_limits()
        for hook in hooks:
            hook.remove()
        for module in linear:
            del module.forward


def _side_by_side(weights: list[Tensor]) -> None:
    """Move large weights on the CPU into one block of memory, which NumPy asks the system to map in large pages."""
    large = [w for w in weights if w.numel() >= SMALL and w.device.type == "cpu" and w.dtype in _GER]
    if not large or len({w.dtype for w in large}) > 1:
        return
    ends = np.cumsum([-(-w.numel() // ALIGNED) * ALIGNED for w in large])
    block = np.empty(ends[-1], dtype=large[0].detach().numpy().dtype)
    for weight, start in zip(large, [0, *ends], strict=False):
        place = block[start : start + weight.numel()].reshape(tuple(weight.shape))
        place[...] = weight.detach().numpy()
        weight.data = torch.from_numpy(place)


def _met_once(network: nn.Module, example: Tensor) -> list[nn.Linear]:
    """Linear layers, with trainable parameters of their own, that an input passes exactly once."""
    calls: dict[nn.Linear, int] = {}
    uses: dict[int, int] = {}
    for module in network.modules():
        for parameter in module.parameters(recurse=False):
            uses[id(parameter)] = uses.get(id(parameter), 0) + 1
        if (
            type(module) is nn.Linear
            and isinstance(module.weight, nn.Parameter)
            and all(p.requires_grad for p in module.parameters())
        ):
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
    if parameter.grad is not None:  # None where a fused layer was the only use
        parameter.add_(parameter.grad, alpha=-learning_rate)
        parameter.grad = None


class _Layer:
    """A linear layer that can pass items, pass gradients back, and descend, all without a stored gradient."""

    def __init__(self, module: nn.Linear, learning_rate: float):
        self.weight, self.bias, self.learning_rate = module.weight, module.bias, learning_rate
        weight = module.weight.detach()
        fits = weight.numel() >= SMALL and weight.device.type == "cpu" and weight.dtype in _GER
        # Views: they change with the parameters, and the parameters with them.
        self._weight: Any = weight.numpy() if fits and weight.is_contiguous() else None
        self._bias = module.bias.detach().numpy() if fits and module.bias is not None else None
        self._ger: Any = _GER.get(weight.dtype)

    def __call__(self, x: Tensor) -> Tensor:
        out: Tensor = _Pass.apply(x, self.weight, self)  # type: ignore[no-untyped-call]
        return out

    def few(self, rows: Tensor) -> bool:
        """Whether NumPy and BLAS are the faster way."""
        return self._weight is not None and rows.ndim == 2 and rows.shape[0] <= FEW_ROWS

    def affine(self, x: Tensor) -> Tensor:
        """Give ``x·Wᵀ + b``."""
        if not self.few(x):
            return affine(x, self.weight, self.bias)
        out = x.numpy() @ self._weight.T
        if self._bias is not None:
            out += self._bias
        return torch.from_numpy(out)

    def back(self, gradient: Tensor) -> Tensor:
        """Give ``gradient·W``."""
        return torch.from_numpy(gradient.numpy() @ self._weight) if self.few(gradient) else gradient @ self.weight

    def descend(self, gradient: Tensor, x: Tensor) -> None:
        """Subtract ``learning_rate·gradientᵀ·x`` from the weights, and the gradient's sum from the bias."""
        if not self.few(gradient):
            gradient, x = gradient.reshape(-1, gradient.shape[-1]), x.reshape(-1, x.shape[-1])
            self.weight.addmm_(gradient.t(), x, alpha=-self.learning_rate)
            if self.bias is not None:
                self.bias.sub_(gradient.sum(0), alpha=self.learning_rate)
            return
        columns = self._weight.T  # in the order that BLAS updates in place
        for row, entered in zip(gradient.numpy(), x.numpy(), strict=True):
            self._ger(-self.learning_rate, entered, row, a=columns, overwrite_a=1)
            if self._bias is not None:
                self._bias -= self.learning_rate * row
        torch.autograd.graph.increment_version(self.weight)  # BLAS wrote behind autograd's back


class _Pass(torch.autograd.Function):
    """A layer whose backward pass is also its update, and gives the weights no gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, layer: _Layer) -> Tensor:
        ctx.save_for_backward(x, weight)  # the weight too, so that autograd notices if another changes it
        ctx.layer = layer
        return layer.affine(x.detach().contiguous())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, None, None]:
        x, _weight = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        before = ctx.layer.back(gradient) if ctx.needs_input_grad[0] else None  # with the weights as they were
        ctx.layer.descend(gradient, x.detach().contiguous())
        return before, None, None
