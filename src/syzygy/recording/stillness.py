"""A network left as it was: what is run in between does not show."""

import random
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from torch import nn


@contextmanager
def undisturbed(network: nn.Module) -> Iterator[None]:
    """Evaluate without gradients while the block runs; modes and random numbers are put back, module by module.

    Every module is in evaluation mode, and what is compiled runs as it is written, attention too: fused or compiled,
    its parts do not show.  Autocast stays as it is around the block, but keeps no cast weights: without gradients here,
    they would be without gradients in the rest of the training step.  Nothing is made in inference mode, even inside of
    it: what a network caches there could never be trained with.
    """
    learning = [module for module in network.modules() if getattr(module, "training", False)]
    fused, cached = torch.backends.mha.get_fastpath_enabled(), torch.is_autocast_cache_enabled()
    with ExitStack() as stack:
        stack.callback(torch.set_autocast_cache_enabled, cached)
        stack.callback(torch.backends.mha.set_fastpath_enabled, fused)
        stack.callback(_set_training, learning, True)
        torch.set_autocast_cache_enabled(False)
        torch.backends.mha.set_fastpath_enabled(False)
        _set_training(learning, False)
        stack.enter_context(same_random_numbers(network))
        if "torch._dynamo" in sys.modules and hasattr(torch.compiler, "set_stance"):  # nothing is compiled without it
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.no_grad())
        yield


@contextmanager
def same_random_numbers(network: nn.Module) -> Iterator[None]:
    """Put the random numbers of PyTorch (also those of the network's devices), NumPy and Python back in the end."""
    places = {one.device for one in (*network.parameters(), *network.buffers())}
    cards = [one for one in places if one.type == "cuda"]
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002  # others use it
    try:
        with torch.random.fork_rng(devices=cards, device_type="cuda"):
            yield
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)


def _set_training(modules: list[nn.Module], training: bool) -> None:
    """Set modes one by one: a module's own ``train()`` may do more, such as to keep a frozen part in evaluation."""
    for module in modules:
        module.training = training
