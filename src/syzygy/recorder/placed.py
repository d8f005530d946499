"""Copies of what a model is called with, where they are wanted."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


def placed(given: Any, device: torch.device | None = None, *, always: bool = True) -> Any:
    """Copy a tensor, or those in a tuple, list or mapping, to a device or where they are; arrays become tensors.

    Parameters
    ----------
    given
        Whatever a model is called with; what is no tensor stays what it is.
    device
        Where copies are wanted.
    always
        Copy what is there already, too.

    Examples
    --------
    >>> placed({"tokens": [torch.ones(1), 3]})
    {'tokens': (tensor([1.]), 3)}
    """
    if isinstance(given, Mapping):
        return {name: placed(one, device, always=always) for name, one in given.items()}
    if isinstance(given, tuple | list) and any(isinstance(one, Tensor | np.ndarray) for one in given):
        return tuple(placed(one, device, always=always) for one in given)
    if isinstance(given, np.ndarray):
        given = torch.as_tensor(given)
    return given.detach().to(device or given.device, copy=always) if isinstance(given, Tensor) else given


def device_of(model: nn.Module) -> torch.device | None:
    """Say where a model is; None for one without weights."""
    return next((one.device for one in (*model.parameters(), *model.buffers())), None)
