"""Networks of one setting: what is asked of them, and how long it takes."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from syzygy.errors import SpecificationError
from syzygy.networks import Setting
from syzygy.networks.timm import PREFIX, published
from syzygy.recording import Schedule
from syzygy.store import FolderStore, MemoryStore, Store
from syzygy.tasks import SIZES, TASKS
from syzygy.tasks.mnist import DATA_VARIABLE
from syzygy.training.checkpoint import Checkpoint
from syzygy.training.loop import train
from syzygy.training.losses import Loss
from syzygy.training.plan import STACK_OPERATIONS, Precision
from syzygy.training.start import Readout, Start, without_readout
from syzygy.training.trainable import Progress, Trainable
from syzygy.trajectory import Trajectory

#: A job reports after so many network updates.
REPORT_EVERY = 20
#: What a step costs besides its multiplications, in multiplications.
OVERHEAD = 500_000


@dataclass(frozen=True)
class Job:
    """Networks of one setting that train in one go: a stack of small ones, or a single large one.

    Attributes
    ----------
    task, options
        Name of the task, and what to make it with.
    network
        The setting; steps and learning rate are its own.
    seeds
        One network each.
    record
        Steps to record.
    batch_size, stop_loss, precision, layers
        As in :func:`syzygy.training.train`.
    start
        Where networks start, in place of random weights: from what another job has trained, each seed from its own
        or all from its only one; or from the ``published`` weights of a timm network.
    readout
        With a start, whether the readout is drawn ``new`` or ``kept``.
    keep
        Whether the trained weights are stored too, for others to start from.  It changes no number.
    measure
        Steps at which rates and kernels are measured.
    loss
        ``squared``, or ``logistic`` for targets that are labels.

    Raises
    ------
    SpecificationError
        A start that there cannot be.
    """

    task: str
    options: dict[str, Any]
    network: Setting
    seeds: tuple[int, ...]
    record: Schedule
    batch_size: int | None = None
    stop_loss: float | None = None
    precision: Precision = "float32"
    layers: tuple[str, ...] | None = None
    start: "Job | Literal['published'] | None" = None
    readout: Readout = "new"
    keep: bool = False
    measure: Schedule | None = None
    loss: Loss = "squared"

    def __post_init__(self) -> None:
        if isinstance(self.start, Job) and len(self.start.seeds) > 1 and self.start.seeds != self.seeds:
            raise SpecificationError(
                f"networks start each from the one of its own seed, or all from one; got seeds {self.start.seeds} for "
                f"{self.seeds}"
            )
        if self.start == "published" and (not self.network.type.startswith(PREFIX) or self.readout == "kept"):
            raise SpecificationError(
                f"published weights are of timm networks (type = '{PREFIX}…'), and their readout is new; got type "
                f"{self.network.type!r}, readout {self.readout!r}"
            )

    def asked(self) -> dict[str, Any]:
        """Give what identifies the numbers: everything but the words about them."""
        begun = self.start.asked() if isinstance(self.start, Job) else self.start
        start = {"start": begun, "readout": self.readout} if begun else {}
        measure = {} if self.measure is None else {"measure": str(self.measure)}
        loss = {} if self.loss == "squared" else {"loss": self.loss}
        return (
            start
            | measure
            | loss
            | {
                "task": self.task,
                "options": self.options,
                "network": self.network.model_dump(exclude={"name", "about"}),
                "seeds": list(self.seeds),
                "record": str(self.record),
                "batch_size": self.batch_size,
                "stop_loss": self.stop_loss,
                "precision": self.precision,
                "layers": self.layers and list(self.layers),
            }
        )

    @property
    def work(self) -> float:
        """About how long it takes, in multiplications; with what it starts from, which may be there."""
        return self._own_work + (self.start.work if isinstance(self.start, Job) else 0.0)

    @property
    def needs(self) -> tuple[Trainable, ...]:
        """Nothing that must be in the store: it trains what it starts from by itself."""
        return ()

    @property
    def _own_work(self) -> float:
        return float(self.network.steps * len(self.seeds) * (OVERHEAD + _operations(self)))

    def parts(self) -> list["Job"]:
        """Split it into those that train best apart: all seeds of a small network, or one of a large one."""
        return [self] if _operations(self) <= STACK_OPERATIONS else [_only(self, seed) for seed in self.seeds]

    def there(self, store: Store) -> bool:
        """Whether a store has its trajectory, and the trained weights if they are to be kept."""
        return self.asked() in store and (not self.keep or store.weights(self.asked()) is not None)

    def into(self, store: Store, progress: Progress | None = None) -> None:
        """Train, from where the last attempt stopped, and put into the store what came of it."""
        start = _start(self, store, progress)
        checkpoint = Checkpoint(store.checkpoint(self.asked())) if isinstance(store, FolderStore) else None
        if not self.keep:
            store.put(self.asked(), self.run(checkpoint, progress, start))
            return
        with store.alone(self.asked()):
            if not self.there(store):
                kept: dict[int, dict[str, Any]] = {}
                seen = self.run(checkpoint, progress, start, lambda seed, of: kept.update({seed: _arrays(of)}))
                store.put_weights(self.asked(), kept)
                store.put(self.asked(), seen)
            elif progress:
                progress(self._own_work)

    def run(
        self,
        checkpoint: Checkpoint | None = None,
        progress: Progress | None = None,
        start: Start | None = None,
        on_end: Callable[[int, Any], None] | None = None,
    ) -> Trajectory:
        """Train; what it starts from is trained before, unless it is given."""
        if self.start is not None and start is None:
            start = _start(self, MemoryStore(), progress)
        done, unit = 0, self._own_work / (self.network.steps * len(self.seeds))

        def count(updates: int) -> None:
            nonlocal done
            done += updates
            if progress and done >= REPORT_EVERY:
                progress(done * unit)
                done = 0

        return train(
            TASKS[self.task](**self.options),
            self.network,
            seeds=self.seeds,
            record=self.record,
            batch_size=self.batch_size,
            stop_loss=self.stop_loss,
            precision=self.precision,
            layers=self.layers,
            start=start,
            measure=self.measure,
            loss=self.loss,
            checkpoint=checkpoint,
            on_step=count,
            on_end=on_end,
        )


def _start(job: Job, store: Store, progress: Progress | None) -> Start | None:
    """Give the weights that the networks of a job start from: found, fetched, or trained now."""
    if job.start is None:
        return None
    if job.start == "published":
        folder = os.environ.get(DATA_VARIABLE)
        body = published(job.network.type.removeprefix(PREFIX), Path(folder) if folder else None)
        return dict.fromkeys(job.seeds, body)
    source = replace(job.start, keep=True)
    if not source.there(store):
        source.into(store, progress)
    elif progress:
        progress(source.work)
    found = store.weights(source.asked())
    assert found is not None, "trained weights are kept"
    chosen = {seed: found[seed if len(source.seeds) > 1 else source.seeds[0]] for seed in job.seeds}
    return chosen if job.readout == "kept" else {seed: without_readout(of) for seed, of in chosen.items()}


def _arrays(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    return {name: value.cpu().numpy().copy() for name, value in weights.items()}


def _operations(job: Job) -> int:
    return _multiplications(job.network, *_dimensions(job.task, json.dumps(job.options, sort_keys=True)))


@cache
def _multiplications(network: Setting, input_dim: int, output_dim: int) -> int:
    return network.operations(input_dim, output_dim)


@cache
def _dimensions(task: str, options: str) -> tuple[int, int]:
    asked = json.loads(options)
    if task in SIZES:
        return SIZES[task](asked)
    made = TASKS[task](**asked)
    return made.input_dim, made.output_dim


def _only(job: Job, seed: int) -> Job:
    """Give the part of a job that one seed is, with the part of the start that it needs."""
    start = job.start
    if isinstance(start, Job) and len(start.seeds) > 1:
        start = _only(start, seed)
    return replace(job, seeds=(seed,), start=start)
