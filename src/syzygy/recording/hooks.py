"""Layers watched by name, with hooks that always come off."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from torch import Tensor, nn

from syzygy.errors import DataError, SpecificationError, UnknownName
from syzygy.recording.layer import Layer
from syzygy.recording.modules import modules_of
from syzygy.recording.pooling import pooled, tensor_in


@contextmanager
def hooked(network: nn.Module, keep: Iterable[tuple[str, Callable[[object], None]]]) -> Iterator[None]:
    """Hand what modules give to functions, call by call, while the block runs.

    Parameters
    ----------
    network
        Any module.
    keep
        Module paths, each with what is called with every output of that module.

    Raises
    ------
    UnknownName
        A path that the network lacks; the near ones are listed.
    DataError
        A module that cannot be watched, for it is not run by Python.
    """
    modules = modules_of(network)
    with ExitStack() as hooks:
        for path, take in keep:
            if path not in modules:
                raise UnknownName("layer", path, modules)
            try:
                handle = modules[path].register_forward_hook(lambda _m, _i, output, take=take: take(output))
            except RuntimeError as error:
                raise DataError(f"layer {path!r} cannot be watched ({error}); watch a module around it") from error
            hooks.callback(handle.remove)
        yield


@contextmanager
def watched(network: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Keep what named layers gave last, with its gradient, while the block runs.

    Parameters
    ----------
    network
        Any module.
    layers
        Module paths, as in ``dict(network.named_modules())``.  ``mean(path)`` is the mean over the positions of a
        feature map, a unit per channel; other poolings likewise, see :class:`syzygy.recording.Layer`.

    Yields
    ------
    dict
        From layer to its last output, as ``(item, unit)``; filled by each forward pass.

    Raises
    ------
    UnknownName
        A layer that the network lacks; the near ones are listed.
    SpecificationError
        A layer that cannot be read, or one of several calls: it is the last that is kept.
    ShapeError
        A layer in whose output there is no tensor with an item axis, or none with positions to pool over.
    """
    asked = {name: Layer.parse(name) for name in layers}
    seen: dict[str, Tensor] = {}

    def keep(name: str, layer: Layer) -> Callable[[object], None]:
        if layer.call is not None:
            raise SpecificationError(
                f"the last call of a layer is kept in training; watch {layer.path!r}, not {name!r}"
            )

        def take(output: object) -> None:
            seen[name] = pooled(tensor_in(output, name), layer.pooling, None, name, layer.axes)

        return take

    with hooked(network, [(layer.path, keep(name, layer)) for name, layer in asked.items()]):
        yield seen
