"""All tests run on one thread: two items are no work for two, and machines are shared."""

import importlib.util

import pytest
import torch

from operators import named_operators

torch.set_num_threads(1)


def pytest_collection_modifyitems(items):
    """Begin with the files that take longest, so that processes that get whole files end together (see Makefile)."""
    heavy = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in heavy)


@pytest.fixture(scope="session")
def torchvision_operators():
    """What libraries that import torchvision need, where it refuses to be imported for lack of operators."""
    return named_operators()


@pytest.fixture(scope="session")
def torchvision(torchvision_operators):
    """The library torchvision, if it is installed."""
    return _installed("torchvision")


@pytest.fixture(scope="session")
def timm(torchvision):
    """The library timm, if it is installed; it imports torchvision."""
    return _installed("timm")


@pytest.fixture(scope="session")
def transformers(torchvision_operators):
    """The library transformers, if it is installed; it imports torchvision where there is one."""
    library = _installed("transformers")
    library.logging.set_verbosity_error()
    library.logging.disable_progress_bar()
    return library


def _installed(name):
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    return importlib.import_module(name)
