"""Where networks start, if not from random weights: those that another training left, or published ones."""

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from syzygy.errors import ShapeError, SpecificationError, UnknownName

#: Of each network, by its seed: from the name of a weight to its values.
Start = Mapping[int, Mapping[str, Any]]

#: Whether the readout is drawn anew, as is usual where another task follows, or goes on from what it has learned.
Readout = Literal["new", "kept"]


def begin(network: nn.Module, weights: Mapping[str, Any]) -> None:
    """Put weights in the place of a network's own; those that are not given stay as they were drawn.

    Parameters
    ----------
    network
        Changed in place.
    weights
        From names, as in ``network.state_dict()``, to arrays or tensors of the same shapes.

    Raises
    ------
    UnknownName
        A weight that the network lacks.
    ShapeError
        A weight of another shape.
    SpecificationError
        No weight at all.
    """
    own = network.state_dict()
    if not weights:
        raise SpecificationError("a start without any weights; leave it out to start from random ones")
    for name, given in weights.items():
        if name not in own:
            raise UnknownName("weight", name, own)
        if tuple(given.shape) != tuple(own[name].shape):
            new = " (of another task, the readout must be new)" if _is_readout(name) else ""
            raise ShapeError(f"the start gives {tuple(given.shape)} for {name} {tuple(own[name].shape)}{new}")
    network.load_state_dict(own | {name: torch.as_tensor(given) for name, given in weights.items()})


def without_readout(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Give all weights but those of the readout."""
    return {name: values for name, values in weights.items() if not _is_readout(name)}


def lost(network: nn.Module) -> dict[str, Tensor]:
    """Give the weights of a network that diverged, NaN: what starts from them has diverged too."""
    return {k: torch.full_like(v, torch.nan) if v.is_floating_point() else v for k, v in network.state_dict().items()}


def digest(start: Start) -> str:
    """Hash weights, network by network: the same for the same content, whichever seed starts from it."""
    total = hashlib.sha256()
    for _, weights in sorted(start.items()):
        for name, values in sorted(weights.items()):
            array = np.ascontiguousarray(torch.as_tensor(values).cpu().numpy())
            total.update(f"{name} {array.dtype} {array.shape}".encode())
            total.update(array.tobytes())
    return total.hexdigest()


def _is_readout(name: str) -> bool:
    return name.partition(".")[0] == "readout"
