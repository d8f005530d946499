"""Many networks: grouped into jobs by their size, spread over processes, each found in the store or put there."""

import json
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from syzygy.networks import Setting
from syzygy.recording import Schedule
from syzygy.store import FolderStore, Store
from syzygy.tasks import SIZES, TASKS
from syzygy.training.checkpoint import Checkpoint
from syzygy.training.loop import train
from syzygy.training.plan import STACK_OPERATIONS, Precision
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

    def asked(self) -> dict[str, Any]:
        """Give what identifies the numbers: everything but the words about them."""
        return {
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

    @property
    def work(self) -> float:
        """About how long it takes, in multiplications."""
        return float(self.network.steps * len(self.seeds) * (OVERHEAD + _operations(self)))

    def run(self, checkpoint: Checkpoint | None = None, progress: Progress | None = None) -> Trajectory:
        """Train."""
        done, unit = 0, self.work / (self.network.steps * len(self.seeds))

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
            checkpoint=checkpoint,
            on_step=count,
        )


def split(job: Job) -> list[Job]:
    """Split a job into those that train best apart: all seeds of a small network, or one of a large one."""
    if _operations(job) <= STACK_OPERATIONS:
        return [job]
    return [Job(**(vars(job) | {"seeds": (seed,)})) for seed in job.seeds]


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
        if job.asked() in store:
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
    if task in SIZES:
        return SIZES[task]
    made = TASKS[task](**json.loads(options))
    return made.input_dim, made.output_dim


def _train(job: Job, store: Store, progress: Progress | None) -> Job:
    checkpoint = Checkpoint(store.checkpoint(job.asked())) if isinstance(store, FolderStore) else None
    with one_thread():  # processes shall not compete
        store.put(job.asked(), job.run(checkpoint, progress))
    return job


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
