"""Epochs of learning, kept in a file, so that a kill costs seconds."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from syzygy.cost import Cost
from syzygy.dimensions.odd_one_out.learner import Learner
from syzygy.dimensions.odd_one_out.likelihood import GATHERED, multiplied
from syzygy.errors import Diverged
from syzygy.interrupts import interrupts_wait
from syzygy.seeds import generator, stream
from syzygy.snapshot import Snapshot

#: Seconds, and updates, from which the time of all is told.
TRIED: Final = (1.0, 8)
#: Arrays as large as the embedding while it is learned: values, gradients and Adam's moments twice, noise and draws.
ARRAYS: Final = 14


@dataclass
class History:
    """What was seen after each epoch.

    Attributes
    ----------
    kept
        Number of dimensions.
    loss, complexity
        Mean −log p over the epoch's batches, and what is added to it, in nats for a triplet.
    """

    kept: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    complexity: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Learning:
    """How long to learn from which triplets.

    Attributes
    ----------
    choices
        ``(triplet, 3)``, on the device.
    batch, epochs
        Triplets of an update, and epochs at most.
    stable
        Learning ends when so many epochs in a row have kept as many dimensions, fewer than there were to begin with.
    level, least
        A dimension is kept if more than ``least`` objects surely have some of it.
    seed
        Of order and noise; those of an epoch do not depend on any before.
    """

    choices: Tensor
    batch: int
    epochs: int
    stable: int
    level: float
    least: int
    seed: int

    def settled(self, kept: list[int], dimensions: int) -> bool:
        """Whether the number of dimensions is stable; all of them is not: none has been told from another yet."""
        last = kept[-self.stable :]
        return len(last) == self.stable and len(set(last)) == 1 and last[0] < dimensions

    def run(self, learner: Learner, snapshot: Path | None, asked: str, progress: Callable[[float], None]) -> History:
        """Learn until the number of dimensions is stable, or to the end.

        Parameters
        ----------
        learner
            Learns.
        snapshot
            File in which its state is kept now and then, and from which it goes on; None to keep none.
        asked
            All that the numbers depend on: a snapshot of anything else is refused.
        progress
            Told the share of all epochs done since the last call.

        Raises
        ------
        Diverged
            A loss that is no finite number.
        RunError
            A snapshot of something else, or a damaged one.
        """
        kept = Snapshot(snapshot) if snapshot else None
        history = _resumed(learner, kept, asked)
        done = len(history.kept)
        if done:
            progress(done / self.epochs)
        for epoch in range(done, self.epochs):
            if self.settled(history.kept, learner.values.shape[-1]):
                break
            self._epoch(learner, epoch, history, progress)
            if kept and kept.due:
                with interrupts_wait():
                    kept.save(learner.state(), asdict(history), asked)
        if len(history.kept) < self.epochs:
            progress(1 - len(history.kept) / self.epochs)
        if kept:
            kept.done()
        return history

    def batches(self, epoch: int) -> Iterator[Tensor]:
        """Give all triplets in the order of an epoch, ``(triplet, 3)`` at a time."""
        order = torch.randperm(len(self.choices), generator=generator(self.seed, "order", epoch))
        for places in torch.split(order.to(self.choices.device), self.batch):
            yield self.choices[places].long()

    def noise(self, epoch: int) -> torch.Generator:
        """Make the generator of an epoch's noise, on the device: its draws are too many to be moved there."""
        return torch.Generator(self.choices.device).manual_seed(stream(self.seed, "noise", epoch))

    def cost(self, learner: Learner) -> Cost:
        """Say what all epochs take, from a few updates that leave the learner somewhere else."""
        objects, dimensions = learner.values.shape[-2:]
        batch = min(self.batch, len(self.choices))
        products = objects**2 if multiplied(objects, batch) else 6 * GATHERED
        numbers = ARRAYS * objects * dimensions + products + 18 * batch + 7 * len(self.choices)
        return Cost(self._seconds(learner), 4 * numbers)

    def _seconds(self, learner: Learner) -> float:
        draw, batches = self.noise(0), chain.from_iterable(map(self.batches, count()))
        learner.update(next(batches), draw)
        begun, done = time.perf_counter(), 0
        while done < TRIED[1] or time.perf_counter() - begun < TRIED[0]:
            learner.update(next(batches), draw)
            done += 1
        update, begun = (time.perf_counter() - begun) / done, time.perf_counter()
        learner.surely(self.level), learner.complexity(draw), next(self.batches(1))
        once = time.perf_counter() - begun
        return self.epochs * (-(-len(self.choices) // self.batch) * update + once)

    def _epoch(self, learner: Learner, epoch: int, history: History, progress: Callable[[float], None]) -> None:
        draw, losses = self.noise(epoch), []
        for triplets in self.batches(epoch):
            losses.append(learner.update(triplets, draw))
            progress(len(triplets) / len(self.choices) / self.epochs)
        loss = float(torch.stack(losses).sum(dtype=torch.float64)) / len(self.choices)
        complexity = learner.complexity(draw)
        if not math.isfinite(loss + complexity):
            raise Diverged(f"the loss was no finite number in epoch {epoch} (from 0); lower rate={learner.rate}")
        history.loss.append(loss)
        history.complexity.append(complexity)
        history.kept.append(int((learner.surely(self.level) > self.least).sum()))


def _resumed(learner: Learner, kept: Snapshot | None, asked: str) -> History:
    if kept is None or (found := kept.load(asked)) is None:
        return History()
    state, told = found
    learner.restore(state)
    return History(**told)
