"""A zoo learns: the loop, the two ways to do a step, and many networks over many processes."""

from syzygy.cost import Cost, makespan
from syzygy.training.checkpoint import Checkpoint
from syzygy.training.estimate import costs
from syzygy.training.job import Job
from syzygy.training.loop import train
from syzygy.training.trainable import Progress, Trainable
from syzygy.training.training import Training, gathered
from syzygy.training.zoo import train_zoo

__all__ = [
    "Checkpoint",
    "Cost",
    "Job",
    "Progress",
    "Trainable",
    "Training",
    "costs",
    "gathered",
    "makespan",
    "train",
    "train_zoo",
]
