"""A zoo learns: the loop, the two ways to do a step, and many networks over many processes."""

from syzygy.training.checkpoint import Checkpoint
from syzygy.training.loop import train
from syzygy.training.plan import versions
from syzygy.training.zoo import Job, split, train_zoo

__all__ = ["Checkpoint", "Job", "split", "train", "train_zoo", "versions"]
