"""Which of several processes that train one network looks at it and writes."""

import os

import torch.distributed as processes
from torch import nn

from syzygy.errors import SpecificationError

#: Classes of networks of which no process has all weights; a look would have to be taken by all of them together.
SHARDED = ("FullyShardedDataParallel", "FSDPModule")


def is_first() -> bool:
    """Whether this is the process of rank 0, or the only one."""
    if not processes.is_available():
        return True
    if processes.is_initialized():
        return processes.get_rank() == 0
    return not processes.is_torchelastic_launched() or os.environ.get("RANK", "0") == "0"


def refuse_sharded(network: nn.Module) -> None:
    """Refuse a network of which this process has but a part.

    Raises
    ------
    SpecificationError
        It is sharded over processes.
    """
    for path, module in network.named_modules():
        if any(kind.__name__ in SHARDED for kind in type(module).__mro__):
            raise SpecificationError(
                f"{path or 'the model'} is sharded over processes ({type(module).__name__}), and one process alone "
                "cannot run it; save checkpoints, and record them with syzygy.record_series"
            )
