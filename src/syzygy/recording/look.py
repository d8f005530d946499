"""One look at a network: a forward pass that leaves no trace."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from syzygy.errors import DataError, ShapeError
from syzygy.recording.hooks import hooked
from syzygy.recording.layer import Layer
from syzygy.recording.modules import unwrapped
from syzygy.recording.pooling import pooled, tensor_in, tensors_in
from syzygy.recording.probe import Inputs, Probe
from syzygy.recording.script import call_scripted
from syzygy.recording.stillness import undisturbed

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Seen:
    """What a network gave for some items, as float32.

    Attributes
    ----------
    outputs
        ``(item, output)``; no outputs, ``(item, 0)``, where the network gives no tensor ``(item, output)``.
    layers
        From layer to ``(item, unit)``, or ``(item, position, unit)``.
    """

    outputs: Array
    layers: Mapping[str, Array]


def look(network: nn.Module, probe: Probe, layers: Sequence[Layer]) -> Seen:
    """Show a network the probe, and give what its layers made of it.

    Modes, gradients, random numbers and hooks are afterwards what they were, and the probe too.  Every layer is kept
    as it was when its module gave it, whatever is written into it later.  The network is called without what it is
    wrapped in (``DataParallel``, ``DistributedDataParallel``, ``torch.compile``).  A probe in floating point of a
    precision that no weight has is brought to that of the first weight.

    Parameters
    ----------
    network
        Any module.
    probe
        All its items go through the network at once; :meth:`Probe.batches` makes smaller ones.
    layers
        Of :func:`layers_of`.  One that is called several times is several layers, ``path#1``, ``path#2`` and so on.

    Raises
    ------
    UnknownName
        A layer that the network lacks.
    ShapeError
        A layer whose first axis is not the items, or without a tensor, or that cannot be pooled as asked.
    DataError
        A layer that did not fire, or gave no real numbers; a probe on another device than the network; a network
        without numbers.
    """
    fired: dict[Layer, list[Tensor | None]] = {layer: [] for layer in layers}
    output = show(network, probe, [(layer.path, _taking(probe, layer, outputs)) for layer, outputs in fired.items()])
    outputs = _outputs(output, len(probe))
    return Seen(outputs, {str(one): _array(value) for layer in fired for one, value in _calls(layer, fired[layer])})


def show(network: nn.Module, probe: Probe, keep: Sequence[tuple[str, Callable[[object], None]]]) -> object:
    """Show a network the probe as :func:`look` does, and hand what its modules give to functions, call by call.

    Parameters
    ----------
    network
        Any module, in TorchScript too.
    probe
        All its items go through the network at once.
    keep
        Module paths, of :func:`watchable`, each with what is called with every output of that module, as it comes:
        what is not copied then may be written into.

    Returns
    -------
    object
        What the network gives.

    Raises
    ------
    UnknownName
        A path that the network lacks.
    DataError
        A module that cannot be watched; a probe on another device than the network; a network without numbers.

    Examples
    --------
    >>> network = nn.Sequential(nn.Linear(3, 2), nn.Tanh())
    >>> output = show(network, Probe.of(torch.ones(4, 3)), [("0", lambda output: print(output.shape))])
    torch.Size([4, 2])
    """
    inner = unwrapped(network)
    check_device(inner, probe)
    with undisturbed(inner):
        inputs = _as_weights(inner, probe.inputs)
        if isinstance(inner, torch.jit.ScriptModule):
            return call_scripted(inner, inputs, keep)
        with hooked(inner, keep):
            return _called(inner, inputs)


def check_device(network: nn.Module, probe: Probe) -> None:
    """Raise DataError if a probe is on another device than a network, or the network has no numbers yet."""
    weights = [*network.parameters(), *network.buffers()]
    if any(nn.parameter.is_lazy(one) for one in weights):
        raise DataError("the network has lazy layers without a shape yet; call it once with an input, then record it")
    places = {one.device for one in weights}
    if places == {torch.device("meta")}:
        raise DataError("the network is on device meta, where weights have no numbers; load them onto a device first")
    for one in probe.tensors:
        if places and one.device not in places:
            there = weights[0].device
            raise DataError(
                f"the probe is on {one.device}, the network on {there}; move the probe: .to({str(there)!r})"
            )


def _taking(probe: Probe, layer: Layer, outputs: list[Tensor | None]) -> Callable[[object], None]:
    """Give a hook that keeps a layer's output at once: networks write into what layers gave."""

    def take(output: object) -> None:
        wanted = layer.call in (None, len(outputs) + 1)
        outputs.append(_pooled(output, probe, layer) if wanted else None)

    return take


def _pooled(output: object, probe: Probe, layer: Layer) -> Tensor:
    tensor = tensor_in(output, str(layer)).detach()
    if tensor.is_complex():
        raise DataError(f"layer {str(layer)!r} gives complex numbers; watch one that gives real ones")
    items = 0 if layer.axes is None else layer.axes.index("N")
    if items < tensor.ndim and tensor.shape[items] != len(probe):
        raise ShapeError(
            f"layer {str(layer)!r} gives {tuple(tensor.shape)} for {len(probe)} items; its first axis must be the "
            f"items, unless its name says where they are, as in {layer.path}@TNC"
        )
    value = pooled(tensor.float(), layer.pooling, probe.mask, str(layer), layer.axes)
    shared = value.untyped_storage().data_ptr() == tensor.untyped_storage().data_ptr()
    return value.clone() if shared else value


def _calls(layer: Layer, outputs: Sequence[Tensor | None]) -> list[tuple[Layer, Tensor]]:
    """Name each call of a module that is called more than once."""
    kept = [(call, one) for call, one in enumerate(outputs, 1) if one is not None]
    if not kept:
        times = {0: "never", 1: "once"}.get(len(outputs), f"{len(outputs)} times")
        raise DataError(
            f"layer {str(layer)!r} was called {times} while the network saw the probe; watch a module that fires, "
            f"around it or inside of it (in TorchScript no forked calls are seen, and none at all if only a part of "
            f"the network is TorchScript)"
        )
    return [(layer if len(outputs) == 1 else replace(layer, call=call), one) for call, one in kept]


def _called(network: nn.Module, inputs: Inputs) -> object:
    if isinstance(inputs, Tensor):
        return network(inputs)
    return network(**inputs) if isinstance(inputs, Mapping) else network(*inputs)


def _as_weights(network: nn.Module, inputs: Inputs) -> Inputs:
    """Copy inputs, for networks write into them, in a precision that the network has."""
    precisions = [weight.dtype for weight in network.parameters() if weight.is_floating_point()]

    def own(one: Any) -> Any:
        if not isinstance(one, Tensor):
            return one
        fits = not one.is_floating_point() or not precisions or one.dtype in precisions
        return one.detach().to(one.dtype if fits else precisions[0], copy=True)

    if isinstance(inputs, Tensor):
        copied: Tensor = own(inputs)
        return copied
    if isinstance(inputs, Mapping):
        return {name: own(one) for name, one in inputs.items()}
    return tuple(own(one) for one in inputs)


def _outputs(output: object, count: int) -> Array:
    """Give the logits, or else the first tensor, if it is ``(item, output)``; sequences and maps are no outputs."""
    found = next(tensors_in(getattr(output, "logits", output)), None)
    if found is None or found.ndim > 2 or len(found) != count or found.is_complex():
        return np.zeros((count, 0), np.float32)
    return _array(found.detach().reshape(count, -1).clone())


def _array(value: Tensor) -> Array:
    array: Array = value.float().cpu().numpy()
    return array
