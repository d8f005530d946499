"""What is shown, from whatever holds it; and how it becomes what a network is called with."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from syzygy.errors import DataError, ShapeError, SpecificationError, SyzygyError, reason
from syzygy.extraction.arrays import array_file, held_items
from syzygy.extraction.images import image_items
from syzygy.extraction.items import Items
from syzygy.extraction.sources.source import Source
from syzygy.extraction.texts import text_file, text_items
from syzygy.recorder.placed import device_of
from syzygy.recorder.placed import placed as copied
from syzygy.recording import Probe
from syzygy.recording.probe import Inputs

#: Files of arrays, by the ends of their names.
ARRAYS: Final = (".npy", ".npz", ".safetensors")


def shown(given: Any, *, items: Sequence[str] | None = None, targets: Any = None, mask: Any = None) -> Items:
    """Take what is shown from whatever holds it.

    Parameters
    ----------
    given
        A folder of images, a file (``.npy``, ``.npz``, ``.safetensors``, ``.txt``), a list of texts, or what the
        network is called with: a tensor or array ``(item, …)``, several as a tuple or, by name, as a dictionary; or a
        :class:`~syzygy.recording.Probe`.
    items, targets, mask
        Names, ``(item, output)`` and ``(item, position)``, of what is held in memory; files have their own.

    Raises
    ------
    SpecificationError
        Something else.
    DataError
        It is missing, damaged or empty.
    ShapeError
        Names, targets or mask of other items.
    """
    if isinstance(given, str | Path):
        if items is not None or targets is not None or mask is not None:
            raise SpecificationError(f"{given} has names, targets and mask of its own; give them with arrays in memory")
        return _at(Path(given))
    if isinstance(given, list) and given and all(isinstance(one, str) for one in given):
        return replace(text_items(given, names=items), targets=_numbers(targets))
    if isinstance(given, Probe):
        return held_items(given)
    return replace(held_items(Probe.of(given, items=items, mask=mask)), targets=_numbers(targets))


def probes(items: Items, source: Source, size: int, there: int = 0) -> Iterator[tuple[int, Probe]]:
    """Make what a network is called with, a batch at a time, each with the place of its first item.

    Parameters
    ----------
    items, source
        What is shown, and to whom.
    size
        Of a batch.
    there
        So many of the first items are not needed.  Batches stay what they are: the first one may hold some of them, for
        a network's numbers depend, by rounding, on what else is in a batch.

    Raises
    ------
    SpecificationError
        Images for what reads texts, or texts for what reads images, or of which nothing is known.
    ShapeError
        Images of different sizes for a network of which no preparation is known.
    DataError
        Inputs that are not finite, or that cannot be prepared; the message names the item.
    """
    if items.kind != "array" and source.kind not in (items.kind, "array"):
        raise SpecificationError(f"{source.name} reads {source.kind}s, and {items.place} holds {items.kind}s")
    if items.kind == "text" and source.prepare is None:
        raise SpecificationError(f"nothing is known of how {source.name} reads texts; give arrays of tokens (.npz)")
    first = there // size * size
    for given in items.raw(len(items), size, first):
        names = items.names[first : first + size]
        inputs, mask = given if items.kind == "array" else (_prepared(given, names, source), None)
        probe = Probe.of(inputs, items=names, mask=mask)
        _finite(probe)
        yield first, probe
        first += size


def placed(probe: Probe, model: nn.Module) -> Probe:
    """Move inputs to where a network is."""
    return replace(probe, inputs=copied(probe.inputs, device_of(model), always=False))


def _at(path: Path) -> Items:
    if path.is_dir():
        return image_items(path)
    if not path.exists():
        raise DataError(f"{path} is not there")
    if path.suffix in ARRAYS:
        return array_file(path)
    if path.suffix == ".txt":
        return text_file(path)
    raise SpecificationError(f"{path} is no folder of images, {', '.join(ARRAYS)} or .txt; nothing else is shown")


def _prepared(given: Sequence[Any], names: Sequence[str], source: Source) -> Inputs:
    try:
        return _pixels(given, names, source) if source.prepare is None else source.prepare(given)
    except SyzygyError:
        raise
    except Exception as odd:  # of libraries that others wrote
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        raise DataError(f"{source.name} cannot prepare {names[0]!r}{more}: {reason(odd)}") from odd


def _pixels(images: Sequence[Image.Image], names: Sequence[str], source: Source) -> Tensor:
    """Give pixels between 0 and 1, ``(item, channel, height, width)``; of one channel for who reads one."""
    for image, name in zip(images, names, strict=True):
        if image.size != images[0].size:
            raise ShapeError(
                f"nothing is known of how {source.name} prepares images, and {name!r} has {_sides(image)} pixels where "
                f"{names[0]!r} has {_sides(images[0])}; resize them"
            )
    grey = isinstance(source.example, Tensor) and source.example.ndim == 4 and source.example.shape[1] == 1
    arrays = [np.asarray(image.convert("L" if grey else "RGB"), dtype=np.float32) / 255 for image in images]
    stacked = torch.from_numpy(np.stack(arrays))
    return stacked.unsqueeze(1) if grey else stacked.permute(0, 3, 1, 2).contiguous()


def _sides(image: Image.Image) -> str:
    return f"{image.width}×{image.height}"


def _finite(probe: Probe) -> None:
    for one in probe.tensors:
        if one.is_floating_point() and one.ndim:
            odd = ~torch.isfinite(one.flatten(1) if one.ndim > 1 else one.unsqueeze(1)).all(1)
            if bool(odd.any()):
                raise DataError(f"the inputs of {probe.items[int(odd.nonzero()[0, 0])]!r} are not finite")


def _numbers(targets: Any) -> Any:
    return (
        targets.detach().cpu().numpy()
        if isinstance(targets, Tensor)
        else None
        if targets is None
        else np.asarray(targets)
    )
