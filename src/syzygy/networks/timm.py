"""Published architectures, and their published weights, through the timm library."""

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from syzygy.errors import DataError, SpecificationError, UnknownName, reason

#: What the type of such a network begins with; the name that timm knows it by follows.
PREFIX = "timm:"
CHANNELS = 3
WEIGHTS = "model.safetensors"


class Timm(nn.Module):
    """An architecture of timm below a new linear readout.

    Its layers are found below ``body``: ``body.layer1`` … ``body.layer4`` of a residual network.  The body gives
    its own pooled features to ``readout``.

    Parameters
    ----------
    input_dim
        Three channels times the pixels of a square.
    output_dim
        Number of outputs.
    model
        As timm names it, with the tag of its weights or without, as in ``resnet18.a1_in1k``.

    Raises
    ------
    SpecificationError
        timm is not installed, or inputs that are no square images; :class:`~syzygy.errors.UnknownName` for an
        architecture that it lacks.
    """

    def __init__(self, input_dim: int, output_dim: int, *, model: str):
        super().__init__()
        self.side = math.isqrt(input_dim // CHANNELS)
        if input_dim != CHANNELS * self.side**2 or not self.side:
            raise SpecificationError(
                f"{PREFIX}{model} sees square images of {CHANNELS} channels; the task gives {input_dim} numbers an item"
            )
        self.body = created(model, num_classes=0)
        self.readout = nn.Linear(self.body.num_features, output_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``(item, channel, height, width)``, or the same flattened, to ``(item, output)``."""
        images = x.reshape(len(x), CHANNELS, self.side, self.side) if x.ndim == 2 else x
        out: Tensor = self.readout(self.body(images))
        return out


def published(model: str, folder: Path | None) -> dict[str, Tensor]:
    """Give the published weights of a network's body, as :class:`Timm` names them.

    Parameters
    ----------
    model
        As timm names it, with the tag of its weights.
    folder
        Looked into first, for ``<model>.safetensors`` in it or in its ``timm/``; then timm's hub is asked, for
        safetensors alone: nothing is unpickled.

    Raises
    ------
    DataError
        No weights, or those of another network.
    """
    body = created(model, num_classes=0)
    path = found(model, body.pretrained_cfg, folder)
    try:
        held = load_file(path)
    except (SafetensorError, OSError) as damaged:
        raise DataError(f"{path} cannot be read as safetensors ({damaged}); fetch it again") from damaged
    wanted = body.state_dict()
    for name, value in wanted.items():
        if name not in held or held[name].shape != value.shape:
            shape = tuple(held[name].shape) if name in held else "nothing"
            raise DataError(f"{path} is not of {model}: it has {shape} for {name} {tuple(value.shape)}")
    return {f"body.{name}": held[name] for name in wanted}  # the head stays behind


def found(model: str, told: Mapping[str, Any], folder: Path | None) -> Path:
    """Find the published weights of a model in a folder, or fetch them.

    Parameters
    ----------
    model
        As timm names it, with the tag of its weights.
    told
        Its ``pretrained_cfg``.
    folder
        As for :func:`published`.

    Raises
    ------
    DataError
        No weights.
    """
    places = [folder / sub / f"{model}.safetensors" for sub in ("", "timm")] if folder else []
    for place in places:
        if place.is_file():
            return place
    looked = f"looked for {' and '.join(map(str, places))}, and asked" if places else "asked"
    hub = told.get("hf_hub_id")
    advice = f"put {model}.safetensors into a folder and name it by --data-dir or SYZYGY_DATA"
    if not hub:
        raise DataError(f"no weights of {model}: timm publishes none under this name; {advice}")
    try:
        with quiet_hub():
            return Path(import_module("huggingface_hub").hf_hub_download(hub, WEIGHTS))
    except Exception as failed:  # whatever a hub and the network to it may raise
        raise DataError(
            f"no weights of {model}; {looked} the hub for {WEIGHTS} of {hub} ({reason(failed)}); {advice}"
        ) from failed


@contextmanager
def quiet_hub() -> Iterator[None]:
    """Keep what the hub's library says of its attempts to itself; its bars remain."""
    logger = logging.getLogger("huggingface_hub")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def created(model: str, **options: Any) -> Any:
    """Make an architecture of timm with random weights.

    Parameters
    ----------
    model
        As timm names it, with the tag of its weights or without.
    **options
        For ``timm.create_model``, such as ``num_classes=0`` for none but the body.

    Raises
    ------
    SpecificationError
        timm is not installed; :class:`~syzygy.errors.UnknownName` for an architecture that it lacks.
    """
    timm = library(model)
    if model.partition(".")[0] not in timm.list_models() or (
        "." in model and model not in timm.list_pretrained(model.partition(".")[0] + ".*")
    ):
        raise UnknownName("timm network", model, [*timm.list_models(), *timm.list_pretrained()])
    return timm.create_model(model, pretrained=False, **options)


def library(model: str) -> Any:
    """Import timm for a model, or say what it takes."""
    try:
        return import_module("timm")
    except (ImportError, RuntimeError) as missing:  # torchvision, which timm needs, refuses another torch like this
        raise SpecificationError(
            f"{PREFIX}{model} needs the library timm, which cannot be imported ({missing}); "
            "pip install 'syzygy[transfer]', with the torchvision made for your torch"
        ) from missing
