"""A zoo learns: the loop, the two ways to do a step, and many networks over many processes."""

from syzygy.training.checkpoint import Checkpoint
from syzygy.training.estimate import Cost, costs, makespan
from syzygy.training.loop import train
from syzygy.training.zoo import Job, split, train_zoo

__all__ = ["Checkpoint", "Cost", "Job", "costs", "makespan", "split", "train", "train_zoo"]
