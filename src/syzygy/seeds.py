"""One seed, many independent streams.

Everything random in a network's life (its weights, its order of items, its noise) comes from a generator
made here from the network's seed, the purpose and the step.  So a network is the same whatever trains
beside it, and step 1,000 needs no memory of the 999 before it: a killed run resumes with the same numbers.
"""

from typing import Literal, get_args

import numpy as np
import torch

Purpose = Literal["weights", "order", "noise", "probe"]


def stream(seed: int, purpose: Purpose, step: int = 0) -> int:
    """Give a 63-bit seed for one purpose at one step, independent of all others."""
    words = np.random.SeedSequence([seed, get_args(Purpose).index(purpose), step]).generate_state(1, np.uint64)
    return int(words[0] >> np.uint64(1))


def generator(seed: int, purpose: Purpose, step: int = 0) -> torch.Generator:
    """Make a generator on the CPU for one purpose at one step of the network with this seed.

    Examples
    --------
    >>> a, b = (torch.rand(3, generator=generator(7, "noise", step=2)) for _ in range(2))
    >>> bool((a == b).all())
    True
    """
    return torch.Generator().manual_seed(stream(seed, purpose, step))
