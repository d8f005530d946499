"""Many networks: grouped into jobs by their size, spread over processes, each found in the store or put there."""

import json
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
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
from syzygy.training.plan import STACK_OPERATIONS, Precision
from syzygy.training.start import Readout, Start, without_readout
from syzygy.training.threads import one_thread
from syzygy.trajectory import Trajectory

#: Called with the work done since the last call, in the units of :attr:`Job.work`.
Progress = Callable[[float], None]

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
        return (
            start
            | measure
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
    def _own_work(self) -> float:
        return float(self.network.steps * len(self.seeds) * (OVERHEAD + _operations(self)))

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
            checkpoint=checkpoint,
            on_step=count,
            on_end=on_end,
        )


def split(job: Job) -> list[Job]:
    """Split a job into those that train best apart: all seeds of a small network, or one of a large one."""
    if _operations(job) <= STACK_OPERATIONS:
        return [job]
    return [_only(job, seed) for seed in job.seeds]


def train_zoo(
    jobs: Sequence[Job], store: Store, processes: int = 1, progress: Progress | None = None
) -> Iterator[tuple[Job, Trajectory]]:
    """Train what the store lacks, and give every trajectory as soon as it is there.

    Parameters
    ----------
    jobs
        What to train.
    store
        Where trajectories are found and put.  Jobs run in several processes only with a folder.
    processes
        How many, of one thread each; the longest jobs go first.
    progress
        Called with the work done, of jobs found in the store too.

    Yields
    ------
    tuple
        A job and its trajectory, in no particular order.
    """
    missing = []
    for job in jobs:
        if _there(job, store):
            if progress:
                progress(job.work)
            yield job, store.get(job.asked())
        else:
            missing.append(job)
    missing.sort(key=lambda job: -job.work)
    if processes > 1 and len(missing) > 1 and isinstance(store, FolderStore):
        finished: Iterator[Job] = _in_processes(missing, store, min(processes, len(missing)), progress)
    else:
        finished = (_train(job, store, progress) for job in missing)
    for job in finished:
        yield job, store.get(job.asked())


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


def _there(job: Job, store: Store) -> bool:
    return job.asked() in store and (not job.keep or store.weights(job.asked()) is not None)


def _train(job: Job, store: Store, progress: Progress | None) -> Job:
    start = _start(job, store, progress)
    checkpoint = Checkpoint(store.checkpoint(job.asked())) if isinstance(store, FolderStore) else None
    with one_thread():  # processes shall not compete
        if not job.keep:
            store.put(job.asked(), job.run(checkpoint, progress, start))
            return job
        with store.alone(job.asked()):
            if not _there(job, store):
                kept: dict[int, dict[str, Any]] = {}
                seen = job.run(checkpoint, progress, start, lambda seed, of: kept.update({seed: _arrays(of)}))
                store.put_weights(job.asked(), kept)
                store.put(job.asked(), seen)
            elif progress:
                progress(job._own_work)
    return job


def _start(job: Job, store: Store, progress: Progress | None) -> Start | None:
    """Give the weights that the networks of a job start from: found, fetched, or trained now."""
    if job.start is None:
        return None
    if job.start == "published":
        folder = os.environ.get(DATA_VARIABLE)
        body = published(job.network.type.removeprefix(PREFIX), Path(folder) if folder else None)
        return dict.fromkeys(job.seeds, body)
    source = replace(job.start, keep=True)
    if not _there(source, store):
        _train(source, store, progress)
    elif progress:
        progress(source.work)
    found = store.weights(source.asked())
    assert found is not None, "trained weights are kept"
    chosen = {seed: found[seed if len(source.seeds) > 1 else source.seeds[0]] for seed in job.seeds}
    return chosen if job.readout == "kept" else {seed: without_readout(of) for seed, of in chosen.items()}


def _arrays(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    return {name: value.cpu().numpy().copy() for name, value in weights.items()}


def _in_processes(jobs: Sequence[Job], store: FolderStore, processes: int, progress: Progress | None) -> Iterator[Job]:
    context = multiprocessing.get_context("spawn")
    # Only where somebody reads them: a process that has reported into a full pipe would never end.
    reports: multiprocessing.Queue[float] | None = context.Queue() if progress else None
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_worker, initargs=(reports,))
    try:
        with _uninterrupted():
            pending: set[Future[Job]] = {pool.submit(_train_here, job, store) for job in jobs}
        while pending:
            done, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
            while progress and reports:
                try:
                    progress(reports.get_nowait())
                except queue.Empty:
                    break
            for future in done:
                yield future.result()
    except BaseException:
        # Nobody waits for jobs that an interrupt or a mistake has overtaken: their checkpoints are on disk.
        for process in list((pool._processes or {}).values()):
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        if reports:
            reports.close()


_reports: "multiprocessing.Queue[float] | None" = None


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let processes that start in here ignore interrupts from their first moment: those are their parent's business."""
    if threading.current_thread() is not threading.main_thread():  # where Python sets no handlers
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _worker(reports: "multiprocessing.Queue[float] | None") -> None:
    """Prepare a process: interrupts are its parent's business, and it ends with its parent."""
    global _reports  # noqa: PLW0603  (an initialiser has nowhere else to put what it is handed)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _reports = reports
    if reports:
        reports.cancel_join_thread()  # what nobody has read by the end, nobody needs
    threading.Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    """End with the parent, however it ends: a process that waits for its next job would wait for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _train_here(job: Job, store: FolderStore) -> Job:
    return _train(job, store, _reports.put if _reports else None)
