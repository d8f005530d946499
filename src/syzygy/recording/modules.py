"""The modules of a network by name, whatever it is wrapped in."""

from torch import nn
from torch.jit import ScriptModule

#: The network's own output, where it has no module of this name.
OUTPUT = "output"


def unwrapped(network: nn.Module) -> nn.Module:
    """Give the module inside of ``DataParallel``, ``DistributedDataParallel`` and ``torch.compile``.

    Examples
    --------
    >>> unwrapped(nn.DataParallel(nn.Tanh()))
    Tanh()
    """
    while (inner := _inner(network)) is not None:
        network = inner
    return network


def modules_of(network: nn.Module) -> dict[str, nn.Module]:
    """Name all modules of a network, parents first, as if nothing in it were wrapped.

    Returns
    -------
    dict
        From path, as in ``dict(network.named_modules(remove_duplicate=False))`` of the bare network, to module.  A
        module in two places has two paths.  The network itself is :data:`OUTPUT`, unless it has a module of that name.

    Examples
    --------
    >>> list(modules_of(nn.Sequential(nn.DataParallel(nn.Sequential(nn.Tanh())))))
    ['0', '0.0', 'output']
    """
    network = unwrapped(network)
    raw = dict(network.named_modules(remove_duplicate=False))
    shown, found = {"": ""}, dict[str, nn.Module]()
    for path, module in raw.items():
        if path:
            above, _, name = path.rpartition(".")
            inside = above in raw and _inner(raw[above]) is module
            shown[path] = shown[above] if inside else f"{shown.get(above, above)}.{name}".removeprefix(".")
            found[shown[path]] = module
    found.setdefault(OUTPUT, network)
    return found


def watchable(network: nn.Module) -> dict[str, nn.Module]:
    """Name those modules of a network whose calls can be seen.

    Returns
    -------
    dict
        As :func:`modules_of`, without what is TorchScript in a network that is not: PyTorch runs it where no hooks are.
        Of a network that is TorchScript as a whole, all modules.
    """
    modules = modules_of(network)
    if isinstance(unwrapped(network), ScriptModule):
        return modules
    return {path: module for path, module in modules.items() if not isinstance(module, ScriptModule)}


def _inner(network: nn.Module) -> nn.Module | None:
    """Give what a wrapper wraps; a compiled module is known by its attribute, for to name its class imports it."""
    parallel = isinstance(network, nn.DataParallel | nn.parallel.DistributedDataParallel)
    inner = getattr(network, "module" if parallel else "_orig_mod", None)
    return inner if isinstance(inner, nn.Module) else None
