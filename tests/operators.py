"""Names of operators that torchvision's import asks for, where it was made for another build of torch."""

import importlib.util
import re
import sys
from pathlib import Path

import torch


def named_operators():
    """Define torchvision's operators by name, and nothing behind the names, if it cannot be imported without.

    Libraries import it for things that nothing here uses.  The definitions last as long as what is returned; None if
    there is no need for any.
    """
    found = importlib.util.find_spec("torchvision")
    if found is None:
        return None
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
    else:
        return None
    library = torch.library.Library("torchvision", "FRAGMENT")
    source = (Path(found.origin).parent / "_meta_registrations.py").read_text(encoding="utf-8")
    for name in sorted(set(re.findall(r'(?:torchvision::|register_meta\(")(\w+)"\)', source))):
        library.define(f"{name}() -> ()")
    return library
