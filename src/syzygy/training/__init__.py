"""A zoo learns: the loop, and the two ways to do a step."""

from syzygy.training.checkpoint import Checkpoint
from syzygy.training.loop import train
from syzygy.training.plan import versions

__all__ = ["Checkpoint", "train", "versions"]
