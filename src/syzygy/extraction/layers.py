"""What can be watched of a model: its modules, and what each gives for a probe."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from syzygy.errors import DataError, SpecificationError, SyzygyError, reason
from syzygy.extraction.sources.source import Source
from syzygy.recording import Probe, layers_of, modules_of, show, watchable
from syzygy.recording.pooling import tensors_in

#: Representations are told in single precision.
BYTES = 4


@dataclass(frozen=True)
class Fired:
    """A module, and what it gave for a probe.

    Attributes
    ----------
    path
        Its name among layers.
    type
        Its class.
    shape
        Of the tensor it gave, or of the first one, at its first call; None where it gave none.
    bytes
        Of that tensor for one item, in single precision, if all of it is kept; None where it has no item axis.
    calls
        How often it was called.
    note
        What else one should know: that it never fired, or gave several tensors.
    """

    path: str
    type: str
    shape: tuple[int, ...] | None
    bytes: int | None
    calls: int
    note: str


def layers(source: Source, match: Sequence[str] = ()) -> list[Fired]:
    """Show a model its example, and tell what its modules gave.

    Parameters
    ----------
    source
        A model with its example.
    match
        Patterns of paths, as layers are named; all modules without any.

    Returns
    -------
    list
        In the order of the model, parents first; ``output``, the last, is the model itself.

    Raises
    ------
    SpecificationError
        A model without an example; :class:`~syzygy.errors.UnknownName` for a pattern that nothing matches.
    DataError
        A model that cannot be called with its example.

    Examples
    --------
    >>> import torch
    >>> mine = Source("mine", nn.Sequential(nn.Linear(4, 8), nn.Tanh()), None, "array", torch.ones(2, 4))
    >>> [(one.path, one.type, one.shape, one.bytes) for one in layers(mine)]
    [('0', 'Linear', (2, 8), 32), ('1', 'Tanh', (2, 8), 32), ('output', 'Sequential', (2, 8), 32)]
    """
    modules = modules_of(source.model)
    wanted = {layer.path for layer in layers_of(source.model, match)} if match else set(modules)
    if source.example is None:
        raise SpecificationError(
            f"nothing tells what {source.name} is called with; say the shape of one item, as in --shape 3,32,32"
        )
    probe = Probe.of(source.example)
    fired: dict[str, list[tuple[str, list[tuple[int, ...]]]]] = {path: [] for path in wanted}
    seen = [path for path in watchable(source.model) if path in wanted]
    _show(source, probe, [(path, _taking(fired[path])) for path in seen])
    first: dict[nn.Module, str] = {}
    return [
        _told(path, module, fired[path] if path in seen else None, len(probe), first.setdefault(module, path))
        for path, module in modules.items()
        if path in wanted
    ]


def _taking(to: list[Any]) -> Callable[[object], None]:
    """Give a hook that keeps shapes, and no numbers."""
    return lambda output: to.append((type(output).__name__, [tuple(one.shape) for one in tensors_in(output)]))


def _show(source: Source, probe: Probe, keep: Sequence[tuple[str, Callable[[object], None]]]) -> None:
    try:
        show(source.model, probe, keep)
    except SyzygyError:
        raise
    except Exception as raised:  # whatever a model makes of what it is not made for
        given = ", ".join(str(tuple(one.shape)) for one in probe.tensors)
        raise DataError(
            f"{source.name} cannot be called with {given} ({type(raised).__name__}: {reason(raised)}); say the shape "
            "of one item, as in --shape 3,32,32"
        ) from raised


def _told(path: str, module: nn.Module, outputs: list[Any] | None, items: int, first: str) -> Fired:
    kind = getattr(module, "original_name", type(module).__name__)
    if not outputs:
        note = "TorchScript: cannot be watched" if outputs is None else "never called"
        return Fired(path, kind, None, None, 0, note)
    container, shapes = outputs[0]
    notes = [] if first == path else [f"the same module as {first}"]
    if not shapes:
        return Fired(path, kind, None, None, len(outputs), "; ".join([*notes, f"{container}, no tensor in it"]))
    if container != Tensor.__name__:
        several = f"{len(shapes)} tensors in it; the first" if len(shapes) > 1 else "one tensor in it"
        notes.append(f"{container}, {several}")
    if any(other != shapes[0] for _, (other, *_) in outputs[1:]):
        notes.append("calls of other shapes")
    if shapes[0][0] != items:
        notes.append(f"its first axis is not the {items} items")
        return Fired(path, kind, shapes[0], None, len(outputs), "; ".join(notes))
    total = BYTES
    for length in shapes[0][1:]:
        total *= length
    return Fired(path, kind, shapes[0], total, len(outputs), "; ".join(notes))
