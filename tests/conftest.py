"""All tests run on one thread: two items are no work for two, and machines are shared."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def timm():
    """The library timm, if it is installed.

    It imports torchvision, which refuses to be imported where it was made for another build of torch, for lack of
    operators that nothing here uses.  There their names are defined without the operators.
    """
    found = importlib.util.find_spec("torchvision")
    if found is None or importlib.util.find_spec("timm") is None:
        pytest.skip("timm is not installed")
    library = torch.library.Library("torchvision", "FRAGMENT")
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        source = (Path(found.origin).parent / "_meta_registrations.py").read_text(encoding="utf-8")
        for name in sorted(set(re.findall(r'(?:torchvision::|register_meta\(")(\w+)"\)', source))):
            library.define(f"{name}() -> ()")
    return importlib.import_module("timm")
