"""What a recording is of: hashes of a network's structure and weights."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import torch
from torch import nn

from syzygy.journal import Manifest, Precision
from syzygy.recording import Layer, Probe
from syzygy.versions import versions

#: Inputs larger than this are not kept beside what the network makes of them (bytes, as 32-bit numbers).
INPUTS_BYTES: Final = 64_000_000

#: Where a function lies in memory, which modules may say of themselves.
ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]+")


def manifest_of(
    network: nn.Module,
    probe: Probe,
    layers: Iterable[str],
    seed: int | None,
    precision: Precision,
    about: Mapping[str, Any],
) -> Manifest:
    """Say what is the same at every step of a recording that begins now.

    Parameters
    ----------
    network, probe
        What is recorded.
    layers
        Their labels.
    seed, precision
        As of :class:`~syzygy.journal.Manifest`.
    about
        Whatever else made it, fit for JSON.
    """
    inputs = probe.flat
    told = {
        "network": {"name": type(network).__name__},
        "layers": [{"label": one, "pooling": Layer.parse(one).pooling} for one in layers],
        "weights": weights(network),
        "versions": versions(),
    }
    return Manifest(
        items=probe.items,
        inputs=inputs if 0 < inputs.nbytes <= INPUTS_BYTES else None,
        targets=probe.targets,
        model=structure(network),
        data=probe.digest(),
        seed=seed or 0,
        precision=precision,
        about=told | dict(about),
    )


def structure(network: nn.Module) -> str:
    """Hash the names, kinds and shapes of all that a network is made of, not its weights.

    Examples
    --------
    >>> structure(nn.Linear(2, 3)) == structure(nn.Linear(2, 3)) != structure(nn.Linear(3, 2))
    True
    """
    total = hashlib.sha256()
    for path, module in network.named_modules(remove_duplicate=False):
        said = ADDRESS.sub("", module.extra_repr())
        total.update(f"{path}: {type(module).__qualname__}({said})\n".encode())
    for name, tensor in network.state_dict(keep_vars=True).items():
        if isinstance(tensor, torch.Tensor):  # a module may keep other things in its state
            total.update(f"{name}: {tensor.dtype} {tuple(tensor.shape)}\n".encode())
    return total.hexdigest()


def weights(network: nn.Module) -> str:
    """Hash the weights and buffers of a network.

    Examples
    --------
    >>> weights(nn.Linear(2, 3)) == weights(nn.Linear(2, 3))
    False
    """
    total = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        if isinstance(tensor, torch.Tensor):
            total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            dense = tensor.detach() if tensor.layout == torch.strided else tensor.detach().to_dense()
            total.update(dense.cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return total.hexdigest()
