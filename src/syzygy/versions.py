"""The versions that a result depends on."""

import platform
from importlib.metadata import version


def versions() -> dict[str, str]:
    """Give the versions that a result depends on.

    Examples
    --------
    >>> sorted(versions())
    ['machine', 'numpy', 'python', 'scipy', 'syzygy', 'torch']
    """
    names = ("syzygy", "torch", "numpy", "scipy")
    return {"python": platform.python_version(), "machine": platform.machine()} | {n: version(n) for n in names}
