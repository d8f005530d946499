"""One thread where two would only wait for each other."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

#: Multiplications of a step below which a second thread costs more than it brings.
WORTH_SHARING = 2e8


@contextmanager
def one_thread() -> Iterator[None]:
    """Let PyTorch and BLAS use one thread while the block runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)
