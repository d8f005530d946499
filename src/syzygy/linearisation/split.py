"""A network cut at a layer: an encoder before it, a decoder after it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from syzygy.errors import CannotSplit, ShapeError, UnknownName

#: Weights by name: what moves while the rest of the network stands still.
Weights = Mapping[str, Tensor]

#: Numbers that should be equal may differ by so much, relative to the largest: BLAS rounds a batch as it likes.
ROUNDING = 1e-4


class Split:
    """Encoder and decoder of any network, as functions of their weights.

    The encoder gives what the module at a named path gives.  The decoder is the network itself, whose module gives
    what it is told to: no part of it needs to be known.  The network is used in evaluation mode and left as it was:
    modes, buffers and gradients are untouched, and hooks come off.

    Parameters
    ----------
    network
        Any module that maps ``(item, …)`` to ``(item, output)``.
    layer
        Module path, as in ``dict(network.named_modules())``.  Its output may be of any shape, items first.
    inputs
        Items to try it with, ``(item, …)``.
    weights
        By name, in place of the network's own; those not named stay.
    double
        Compute in float64, whatever the network's own precision.  If not, in its own: for a module that makes
        float32 numbers as it runs.

    Attributes
    ----------
    inputs
        The items, in the precision of the weights.
    weights
        All parameters and buffers by name.
    encoder, decoder
        Names of the trainable parameters on either side.

    Raises
    ------
    UnknownName
        A layer or a weight that the network lacks.
    CannotSplit
        A layer that does not run exactly once, or gives something else than one tensor with an item axis; a path that
        leads around it; a parameter on both sides; items that see one another.
    ShapeError
        Outputs that are not ``(item, output)``, or weights of another shape than the network's.

    Examples
    --------
    >>> network = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
    >>> split = Split(network, "1", torch.zeros(4, 3))
    >>> split.encoder, split.decoder
    (('0.weight', '0.bias'), ('2.weight', '2.bias'))
    >>> split.decode(split.encode(torch.ones(6, 3).double())).shape
    torch.Size([6, 2])
    """

    def __init__(
        self,
        network: nn.Module,
        layer: str,
        inputs: Tensor | ArrayLike,
        *,
        weights: Weights | None = None,
        double: bool = True,
    ):
        modules = dict(network.named_modules())
        if layer not in modules or not layer:
            raise UnknownName("layer", layer, (path for path in modules if path))
        self.network, self.layer, self._module = network, layer, modules[layer]
        self.weights = chosen(network, weights or {}, double)
        self.inputs = self.tensor(inputs)
        self.encoder, self.decoder = self._sides()

    def encode(self, inputs: Tensor, moving: Weights | None = None) -> Tensor:
        """Give the layer's output for inputs, ``(item, …)``, with some weights in place of its own."""
        return self.both(inputs, moving)[0]

    def decode(self, representation: Tensor, moving: Weights | None = None) -> Tensor:
        """Give the outputs for a layer's output, ``(item, …)`` to ``(item, output)``."""
        # The network needs some input to run on, whose representation is thrown away.
        items = self.inputs[:1].expand(len(representation), *self.inputs.shape[1:])
        return self._given(representation, items, moving)

    def map(self, inputs: Tensor, moving: Weights | None = None) -> Tensor:
        """Give the whole network's outputs, ``(item, output)``."""
        return self.both(inputs, moving)[1]

    def moving(self, names: tuple[str, ...]) -> dict[str, Tensor]:
        """Give the weights of these names, to differentiate by."""
        return {name: self.weights[name] for name in names}

    def tensor(self, values: Tensor | ArrayLike) -> Tensor:
        """Give numbers in the precision, and on the device, of the weights."""
        given = values.detach() if isinstance(values, Tensor) else torch.from_numpy(np.array(values))
        for weight in self.weights.values():
            if weight.is_floating_point():
                return given.to(weight)
        return given

    def both(self, inputs: Tensor, moving: Weights | None = None) -> tuple[Tensor, Tensor]:
        """Give representations and outputs, of one pass."""
        seen: list[object] = []

        def keep(_module: nn.Module, _inputs: object, output: object) -> None:
            # A copy, for what follows may write over it.
            seen.append(output.clone() if isinstance(output, Tensor) else output)

        outputs = self._pass(inputs, moving, keep)
        if len(seen) != 1:
            raise CannotSplit(
                f"layer {self.layer!r} runs {len(seen)} times in a forward pass, and a cut needs one; "
                "name a module that runs once, or give each use a module of its own"
            )
        if not isinstance(seen[0], Tensor) or seen[0].ndim < 1 or len(seen[0]) != len(inputs):
            given = tuple(seen[0].shape) if isinstance(seen[0], Tensor) else type(seen[0]).__name__
            raise CannotSplit(
                f"layer {self.layer!r} gives {given} for {len(inputs)} items, not one tensor (item, …); "
                "cut inside or after it"
            )
        if not isinstance(outputs, Tensor) or outputs.ndim != 2 or len(outputs) != len(inputs):
            given = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
            raise ShapeError(f"the network must give outputs (item, output), it gives {given} for {len(inputs)} items")
        return seen[0], outputs

    def _given(self, representation: Tensor, inputs: Tensor, moving: Weights | None) -> Tensor:
        """Give the outputs of a pass in which the layer gives what it is told to."""
        outputs = self._pass(inputs, moving, lambda _module, _inputs, _output: representation.clone())
        assert isinstance(outputs, Tensor)  # a plain pass has shown that it is
        return outputs

    def _pass(self, inputs: Tensor, moving: Weights | None, hook: Callable[..., object]) -> object:
        with evaluating(self.network):
            handle = self._module.register_forward_hook(hook)
            try:
                return functional_call(self.network, {**self.weights, **(moving or {})}, (inputs,))
            finally:
                handle.remove()

    def _sides(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the trainable parameters before and after the cut, if it is one: what a graph says, not a value."""
        trainable = [name for name, weight in self.network.named_parameters() if weight.requires_grad]
        moving = {name: self.weights[name].clone().requires_grad_() for name in trainable}
        inputs = self.inputs.clone().requires_grad_(self.inputs.is_floating_point())
        with torch.enable_grad():
            representation = self.encode(inputs, moving)
            cut = representation.detach().requires_grad_()
            outputs = self._given(cut, inputs, moving)
        before = _met(representation, list(moving.values()))
        *after, reached, around = _met(outputs, [*moving.values(), cut, inputs])
        if not reached:
            raise CannotSplit(f"the outputs do not depend on layer {self.layer!r}; cut at a layer on their way")
        # Indices and masks made from inputs leave no graph; then only other inputs can tell.
        others = self.inputs.roll(1, 0)
        if around or not _same(outputs, self._given(cut.detach(), others, None)):
            raise CannotSplit(
                f"the network cannot be split after layer {self.layer!r}: a path leads around it, from inputs to "
                "outputs (a connection that skips it); cut where all paths meet"
            )
        both = [name for name, early, late in zip(trainable, before, after, strict=True) if early and late]
        if both:
            raise CannotSplit(
                f"parameter {both[0]!r} works on both sides of layer {self.layer!r}; encoder and decoder share it"
            )
        alone = self.both(self.inputs[:1].expand_as(self.inputs))
        if not (_same(representation[:1], alone[0][:1]) and _same(outputs[:1], alone[1][:1])):
            raise CannotSplit("items of a batch see one another in evaluation mode; normalise by running statistics")
        return (
            tuple(name for name, early in zip(trainable, before, strict=True) if early),
            tuple(name for name, late in zip(trainable, after, strict=True) if late),
        )


def chosen(network: nn.Module, weights: Weights, double: bool) -> dict[str, Tensor]:
    """Give all parameters and buffers by name, some of them replaced.

    Raises
    ------
    UnknownName
        A weight that the network lacks.
    ShapeError
        A weight of another shape than the network's.
    """
    known = dict(network.named_parameters(remove_duplicate=False)) | dict(network.named_buffers(remove_duplicate=False))
    for name, weight in weights.items():
        if name not in known:
            raise UnknownName("weight", name, known)
        if weight.shape != known[name].shape:
            raise ShapeError(f"weight {name!r} must be {tuple(known[name].shape)}, got {tuple(weight.shape)}")
    own = dict(network.named_parameters()) | dict(network.named_buffers())
    return {
        name: weights.get(name, weight)
        .detach()
        .to(weight.device, torch.float64 if double and weight.is_floating_point() else weight.dtype)
        for name, weight in own.items()
    }


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put a network, and each of its modules, into evaluation mode while the block runs.

    Attention is computed as it is written: fused, it has no forward derivative, and hides its parts from hooks.
    """
    learning = [module for module in network.modules() if module.training]
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    for module in learning:
        module.training = False
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        for module in learning:
            module.training = True


def _met(result: Tensor, leaves: list[Tensor]) -> list[bool]:
    """Whether each leaf is in the graph of a result."""
    wanted = [leaf for leaf in leaves if leaf.requires_grad]
    if not (result.requires_grad and wanted):
        return [False] * len(leaves)
    found = iter(torch.autograd.grad(result.sum(), wanted, allow_unused=True, retain_graph=True))
    return [leaf.requires_grad and next(found) is not None for leaf in leaves]


def _same(one: Tensor, other: Tensor) -> bool:
    """Equal up to rounding; what is not finite is another check's business."""
    apart, size = (one - other).abs().nan_to_num(), one.abs().nan_to_num()
    return not one.numel() or bool(apart.max() <= ROUNDING * size.max())
