"""Classifiers of torchvision, where it is installed."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from syzygy.errors import DataError, SpecificationError, UnknownName, reason
from syzygy.extraction.sources.pictures import Pictures, noise_images
from syzygy.extraction.sources.source import Source
from syzygy.extraction.sources.weights import about, drawn


def torchvision_source(name: str, *, random_weights: bool, seed: int, shape: Sequence[int] | None) -> Source:
    """Make a classifier of torchvision.

    Parameters
    ----------
    name
        As torchvision names it, with the name of its weights or without: ``resnet18``, ``resnet18.IMAGENET1K_V1``.
        They are fetched by torchvision, checked against their hash, and read with ``weights_only=True``.
    random_weights, seed
        An untrained control; no weights are read.
    shape
        ``(3, side, side)`` of the images that it is shown, if they are not those of its training.

    Raises
    ------
    SpecificationError
        torchvision cannot be imported; images of another form.
    UnknownName
        A network or weights that it lacks.
    DataError
        Weights that cannot be fetched.
    """
    models = _library(name).models
    architecture, _, tag = name.partition(".")
    known = models.list_models(module=models)
    if architecture not in known:
        raise UnknownName("torchvision classifier", architecture, known)
    all_weights = models.get_model_weights(architecture)
    if tag and tag not in all_weights.__members__:
        raise UnknownName(f"weights of torchvision's {architecture}", tag, all_weights.__members__)
    weights = all_weights[tag] if tag else all_weights.DEFAULT
    with drawn(seed):
        model = models.get_model(architecture, weights=None)
    if not random_weights:
        model.load_state_dict(_fetched(name, weights))
    prepare = Pictures(weights.transforms(**_sizes(name, shape)))
    told = about(model, "torchvision", pretrained=not random_weights, seed=seed)
    told |= {} if random_weights else {"published": str(weights)}
    return Source(f"torchvision:{name}", model.eval(), prepare, "image", prepare(noise_images()), told)


def _sizes(name: str, shape: Sequence[int] | None) -> dict[str, int]:
    if shape is None:
        return {}
    if len(shape) != 3 or shape[0] != 3 or shape[1] != shape[2]:
        raise SpecificationError(
            f"torchvision:{name} is shown squares of 3 channels, as in 3,64,64; got {tuple(shape)}"
        )
    return {"crop_size": shape[1], "resize_size": shape[1]}


def _fetched(name: str, weights: Any) -> Any:
    try:
        return weights.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except Exception as failed:  # whatever a server and the network to it may raise
        raise DataError(
            f"no weights of torchvision:{name}: {weights.url} gave none ({reason(failed)}); fetch it into "
            "$TORCH_HOME/hub/checkpoints, or ask for --random-weights"
        ) from failed


def _library(name: str) -> Any:
    try:
        return import_module("torchvision")
    except (ImportError, RuntimeError) as missing:  # it refuses another torch like this
        raise SpecificationError(
            f"torchvision:{name} needs torchvision, which cannot be imported ({reason(missing)}); install the one made "
            "for your torch"
        ) from missing
