"""All tests run on one thread: two items are no work for two, and machines are shared."""

import torch

torch.set_num_threads(1)
