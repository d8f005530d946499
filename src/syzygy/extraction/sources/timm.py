"""Networks of timm: published ones by name, one's own from a folder."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from syzygy.errors import DataError, SpecificationError, reason
from syzygy.extraction.sources.pictures import Pictures, noise_images
from syzygy.extraction.sources.source import Source
from syzygy.extraction.sources.weights import about, drawn
from syzygy.networks.timm import WEIGHTS, created, found, library
from syzygy.tasks.mnist import DATA_VARIABLE


def timm_source(name: str, *, random_weights: bool, seed: int, shape: Sequence[int] | None) -> Source:
    """Make a network of timm with its head.

    Parameters
    ----------
    name
        As timm names it, with the tag of its weights or without; or a folder with ``config.json`` and
        ``model.safetensors``, as timm saves it.  Published weights are looked for in the folder named by
        ``SYZYGY_DATA``, then on the hub.
    random_weights, seed
        An untrained control; no weights are read.
    shape
        ``(channel, height, width)`` of the images that it is shown, if they are not those of its training.

    Raises
    ------
    SpecificationError
        timm is not installed; images of another form.
    UnknownName
        An architecture that it lacks.
    DataError
        No weights, or those of another network.
    """
    data = library(name).data
    with drawn(seed):
        model = _own(name) if (Path(name) / "config.json").is_file() else created(name)
    if not random_weights:
        model = _with_weights(name, model.pretrained_cfg)
    wanted = data.resolve_model_data_config(model)
    side = getattr(getattr(model, "patch_embed", None), "img_size", None)  # a transformer sees no other
    size = tuple(shape) if shape else (wanted["input_size"][0], *side) if side else wanted["input_size"]
    if len(size) != 3:
        raise SpecificationError(f"timm:{name} is shown images (channel, height, width), as in 3,64,64; got {size}")
    prepare = Pictures(data.create_transform(**wanted | {"input_size": size}, is_training=False), size[0])
    told = about(model, "timm", pretrained=not random_weights, seed=seed)
    return Source(f"timm:{name}", model.eval(), prepare, "image", prepare(noise_images()), told)


def _own(folder: str) -> Any:
    """Make the architecture that a folder describes."""
    try:
        return library(folder).create_model(f"local-dir:{folder}", pretrained=False)
    except Exception as failed:  # whatever a description that is not one makes of timm
        raise DataError(f"{folder}/config.json describes no network of timm ({reason(failed)})") from failed


def _with_weights(name: str, told: dict[str, Any]) -> Any:
    """Make it again from safetensors; timm itself adapts those of its older versions."""
    local, path = told.get("source") == "local-dir", Path(name) / WEIGHTS
    if not local:
        folder = os.environ.get(DATA_VARIABLE)
        path = found(name, told, Path(folder) if folder else None)
    elif not path.is_file():
        raise DataError(f"{name} has no {WEIGHTS}; save it with timm.models.save_for_hf(…, safe_serialization=True)")
    asked, from_file = f"local-dir:{name}" if local else name, {"source": "", "file": str(path)}
    try:
        return library(name).create_model(asked, pretrained=True, pretrained_cfg_overlay=from_file)
    except Exception as failed:  # damaged files, and weights of other names and shapes
        why = "; ".join(line.strip() for line in str(failed).splitlines()[:2])
        raise DataError(f"{path} does not hold the weights of {name} ({why})") from failed
