"""Weights: drawn under a seed, and what is told of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import nn
from torch.jit import ScriptModule

from syzygy.recorder.identity import weights
from syzygy.seeds import stream


@contextmanager
def drawn(seed: int) -> Iterator[None]:
    """Draw weights under a seed while the block runs; the global random state is afterwards what it was."""
    with torch.random.fork_rng(devices=[]):  # foreign architectures draw from the one global generator
        torch.default_generator.manual_seed(stream(seed, "weights"))
        yield


def about(model: nn.Module, library: str, *, pretrained: bool | None, seed: int) -> dict[str, Any]:
    """Say what a model is: library and version, class, weights and whether they are pretrained.

    Parameters
    ----------
    model
        Any module.
    library
        A distribution that is installed, whose version is told.
    pretrained
        False for random weights, of which the seed is told; None where nobody knows.
    seed
        Of random weights.
    """
    try:
        told = f"{library} {version(library)}"
    except PackageNotFoundError:
        told = library
    whose = {"weights": "random", "seed": seed} if pretrained is False else {"weights": weights(model)}
    kind = f"TorchScript of {model.original_name}" if isinstance(model, ScriptModule) else type(model).__qualname__
    return {"library": told, "class": kind, "pretrained": pretrained, **whose}
