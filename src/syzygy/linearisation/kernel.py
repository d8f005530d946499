"""The neural tangent kernel, split at a layer, and how much it drifts."""

from functools import partial

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from syzygy.errors import DataError, ShapeError
from syzygy.linearisation.products import backward, forward
from syzygy.linearisation.split import Split, Weights

Array = NDArray[np.float64]


def tangent_kernel(
    network: nn.Module,
    inputs: Tensor | ArrayLike,
    layer: str,
    *,
    weights: Weights | None = None,
    double: bool = True,
) -> tuple[Array, Array]:
    """Give the neural tangent kernel on some items, the encoder's part and the decoder's.

    ``K_ij = Σ_o ∇y_o(x_i)·∇y_o(x_j)``, summed over outputs, with the gradient by the trainable parameters on one side
    of the layer (Jacot, Gabriel & Hongler, 2018).  The parts add up to the whole.  Each item and output takes one
    gradient, and two products of Jacobians with it; no Jacobian is built.

    Parameters
    ----------
    network, inputs, layer
        As for :func:`~syzygy.linearisation.linearise`; ``(item, …)``.
    weights
        By name, in place of the network's own: those of another step.
    double
        Compute in float64, whatever the network's own precision.

    Returns
    -------
    Array, Array
        Encoder's and decoder's part, each ``(item, item)``, output² per weight².

    Raises
    ------
    CannotSplit
        A layer that does not cut the network in two (:class:`~syzygy.linearisation.Split`).
    DataError
        Gradients that are not finite.

    Examples
    --------
    One weight on either side, ``y = w₂w₁x``: the gradients are ``w₂x`` and ``w₁x``.

    >>> network = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    >>> weights = {"0.weight": torch.tensor([[3.0]]), "1.weight": torch.tensor([[2.0]])}
    >>> [part.tolist() for part in tangent_kernel(network, [[1.0], [5.0]], "0", weights=weights)]
    [[[4.0, 20.0], [20.0, 100.0]], [[9.0, 45.0], [45.0, 225.0]]]
    """
    split = Split(network, layer, inputs, weights=weights, double=double)
    x, sides = split.inputs, (split.moving(split.encoder), split.moving(split.decoder))
    parts = [torch.zeros(len(x), len(x), dtype=torch.float64) for _ in sides]
    for item in range(len(x)):
        y, back = backward(partial(split.map, x[item : item + 1]), sides[0] | sides[1])
        for output in range(y.shape[1]):
            unit = torch.zeros_like(y)
            unit[:, output] = 1
            gradient = back(unit)
            for part, side in zip(parts, sides, strict=True):
                if side:
                    own = {name: gradient[name] for name in side}
                    change = forward(partial(split.map, x), side, own)[1]
                    part[:, item] += change[:, output].detach().cpu()
    for name, part in zip(("encoder", "decoder"), parts, strict=True):
        if not part.isfinite().all():
            raise DataError(f"the {name}'s part of the tangent kernel is not finite; look at the weights")
    encoder, decoder = ((part + part.mT) / 2 for part in parts)
    return encoder.numpy(), decoder.numpy()


def kernel_drift(first: ArrayLike, last: ArrayLike) -> float:
    """How much a kernel has turned: one less the cosine between two, from 0 (lazy) to 1.

    The kernel distance of Fort et al. (2020), with the cosine of Frobenius.  A kernel that only grows has not drifted.

    Parameters
    ----------
    first, last
        Kernels on the same items, ``(item, item)``.

    Raises
    ------
    ShapeError
        Kernels on different numbers of items.
    DataError
        A kernel that is zero, or not finite: no parameter can change the outputs, and it has no direction.

    Examples
    --------
    >>> kernel_drift([[1.0, 0.0], [0.0, 1.0]], [[3.0, 0.0], [0.0, 3.0]])
    0.0
    """
    one, other = np.asarray(first, dtype=np.float64), np.asarray(last, dtype=np.float64)
    if one.shape != other.shape or one.ndim != 2:
        raise ShapeError(f"two kernels must be on the same items, (item, item); got {one.shape} and {other.shape}")
    size = np.linalg.norm(one) * np.linalg.norm(other)
    if not (np.isfinite(size) and size > 0):
        raise DataError("a kernel is zero or not finite, and has no direction to turn from; look at the weights")
    return float(np.clip(1 - np.sum(one * other) / size, 0.0, 1.0))
