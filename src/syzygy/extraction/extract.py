"""Representations of a model that others made, streamed to where they are kept."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from syzygy.errors import DataError, ShapeError, SpecificationError, reason
from syzygy.extraction.checkpoints import series, state_of
from syzygy.extraction.extraction import Extraction, holds
from syzygy.extraction.inputs import probes, shown
from syzygy.extraction.items import Items
from syzygy.extraction.source import source as found
from syzygy.extraction.sources.source import Source
from syzygy.extraction.view import view
from syzygy.journal.manifest import Precision
from syzygy.recorder.state import fill
from syzygy.recorder.targets import Targets
from syzygy.recording import unwrapped
from syzygy.recording.pooling import Pooling
from syzygy.trajectory import Trajectory

Say = Callable[[str], None]


def extract(
    source: str | Path | nn.Module | Source,
    inputs: Any,
    *,
    layers: Sequence[str] | str,
    out: str | Path | None = None,
    checkpoints: Sequence[str | Path] = (),
    pooling: Pooling | None = None,
    batch: int = 32,
    precision: Precision = "float32",
    random_weights: bool = False,
    seed: int = 0,
    device: str | None = None,
    limit: int | None = None,
    items: Sequence[str] | None = None,
    targets: Any = None,
    mask: Tensor | None = None,
    allow_code: Say | None = None,
    say: Say | None = None,
) -> Trajectory:
    """Show items to a model, and keep what its layers make of them; at each of its checkpoints, if there are any.

    Parameters
    ----------
    source
        The model: any module, or what :func:`~syzygy.extraction.source` reads, as in ``hf:path``, ``timm:resnet18`` or
        ``models.py:make``.  With checkpoints it ends with the weights of the last one.
    inputs
        What is shown: a folder of images, a file (``.npz``, ``.npy``, ``.safetensors``, ``.txt``), a list of texts, or
        what the model is called with.
    layers
        Module paths with ``*`` and ``?``, each alone or with a pooling, as in ``mean(blocks.*)``.
    out
        A folder, written while items are shown; the same call goes on where it stopped.  By default memory.
    checkpoints
        Files of weights; each becomes a step.
    pooling
        Of layers that give tokens or maps and name none.  By default tokens are averaged, and maps kept whole.
    batch
        Items that are shown at once.
    precision
        ``float32`` or ``float16``, in which representations are kept.
    random_weights
        An untrained control: of sources by name.
    seed
        Of random weights; kept with the trajectory.
    device
        Of PyTorch, as in ``cuda``; by default where the model is.
    limit
        Show the first so many items only.
    items, targets, mask
        Of inputs in memory, as :class:`~syzygy.recorder.Recorder` takes them.
    allow_code
        Called with a line before a source that is code is run; without it, such a source is refused.
    say
        Called with lines that a user should see: where steps are from, what of a checkpoint was passed over.  Targets
        that do not fit the outputs are passed over too, and refused if nobody is told.

    Returns
    -------
    Trajectory
        Of one network.  Its step is 0, or those of the checkpoints.

    Raises
    ------
    SpecificationError
        A source, layer, device or option that does not exist.
    DataError
        Inputs or checkpoints that are damaged, do not fit the model, or are not finite.
    ShapeError
        Layers whose width changes between items, or names and targets of other items.
    RunError
        A folder that cannot be used: another run's, in use, or a file.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    >>> trajectory = extract(model, torch.randn(10, 4), layers=["*"], batch=4)
    >>> trajectory.layers, trajectory.representation("1").shape
    (('0', '1', '2'), (1, 1, 10, 8))
    """
    model = taken(source, random_weights=random_weights, seed=seed, device=device, allow_code=allow_code)
    shown_items = shown(inputs, items=items, targets=targets, mask=mask).first(limit)
    asked = extraction_of(model, shown_items, layers=layers, checkpoints=checkpoints, pooling=pooling, batch=batch,
                       precision=precision, seed=seed, say=say)  # fmt: skip
    return asked.run(None if out is None else Path(out)).trajectory


def taken(
    given: str | Path | nn.Module | Source,
    *,
    random_weights: bool = False,
    seed: int = 0,
    device: str | None = None,
    allow_code: Say | None = None,
) -> Source:
    """Take a model from whatever holds it, and move it to a device.

    Raises
    ------
    SpecificationError
        A source or device that does not exist, or random weights for a model that is already there.
    """
    if isinstance(given, str | Path):
        one = found(str(given), random_weights=random_weights, seed=seed, allow_code=allow_code)
    elif random_weights:
        raise SpecificationError("random_weights is for sources by name; a model that is there has its weights")
    else:
        one = given if isinstance(given, Source) else _bare(unwrapped(given))
    if device is not None:
        try:
            one.model.to(device)
        except (RuntimeError, AssertionError, NotImplementedError) as odd:
            raise SpecificationError(f"device {device!r} cannot be used: {reason(odd)}") from odd
    return one


def _bare(model: nn.Module) -> Source:
    return Source(type(model).__name__, model, None, "array", None)


def extraction_of(
    source: Source,
    items: Items,
    *,
    layers: Sequence[str] | str,
    checkpoints: Sequence[str | Path] = (),
    pooling: Pooling | None = None,
    batch: int = 32,
    precision: Precision = "float32",
    seed: int = 0,
    say: Say | None = None,
) -> Extraction:
    """Look at a few items, and refuse what cannot be extracted before anything is written.

    Parameters and errors are those of :func:`extract`.
    """
    if batch < 1:
        raise SpecificationError(f"batch must be 1 or more, got {batch}")
    steps, origin = series(checkpoints) if checkpoints else ((), "")
    if steps:
        fill(source.model, state_of(steps[0].path), steps[0].path, say)
        if say:
            say(f"{len(steps)} checkpoints; {origin}")

    def longest() -> int:
        return max(int(probe.mask.sum(1).max()) for _, probe in probes(items, source, batch) if probe.mask is not None)

    _, few = next(probes(items.first(2), source, 2))
    ragged = items.kind == "text" and few.mask is not None
    seen = view(source.model, [layers] if isinstance(layers, str) else layers, few, pooling=pooling,
                precision=precision, longest=longest if ragged else None)  # fmt: skip
    return Extraction(source, items, seen, steps, _targets(items, seen.outputs, say), batch, seed)


def _targets(items: Items, outputs: int, say: Say | None) -> Targets:
    """Read targets, if they fit the outputs; a network without its head has others."""
    if items.targets is None:
        return Targets()
    try:
        if not holds(outputs, len(items)):
            raise ShapeError(f"{len(items)} × {outputs} targets are too many to be kept; show fewer items (limit)")
        return Targets.of(items.targets, len(items), outputs)
    except (ShapeError, DataError) as odd:
        if say is None:
            raise
        say(f"targets of {items.place} are passed over: {odd}")
        return Targets()
