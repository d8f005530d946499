"""Many trainings: spread over processes, each found in the store or put there."""

import multiprocessing
import multiprocessing.util
import os
import queue
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

from syzygy.store import FolderStore, Store
from syzygy.training.threads import one_thread
from syzygy.training.trainable import Progress, Trainable
from syzygy.trajectory import Trajectory


def train_zoo(
    jobs: Sequence[Trainable], store: Store, processes: int = 1, progress: Progress | None = None
) -> Iterator[tuple[Trainable, Trajectory]]:
    """Train what the store lacks, and give every trajectory as soon as it is there.

    Parameters
    ----------
    jobs
        What to train.  Those that need others come after all that need none.
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
    missing: list[Trainable] = []
    for job in jobs:
        if job.there(store):
            if progress:
                progress(job.work)
            yield job, store.get(job.asked())
        else:
            missing.append(job)
    for later in (False, True):
        wave = sorted((job for job in missing if bool(job.needs) == later), key=lambda job: -job.work)
        for job in _trained(wave, store, processes, progress):
            yield job, store.get(job.asked())


def _trained(wave: Sequence[Trainable], store: Store, processes: int, progress: Progress | None) -> Iterator[Trainable]:
    if processes > 1 and len(wave) > 1 and isinstance(store, FolderStore):
        yield from _in_processes(wave, store, min(processes, len(wave)), progress)
    else:
        yield from (_train(job, store, progress) for job in wave)


def _train(job: Trainable, store: Store, progress: Progress | None) -> Trainable:
    with one_thread():  # processes shall not compete
        job.into(store, progress)
    return job


def _in_processes(
    jobs: Sequence[Trainable], store: FolderStore, processes: int, progress: Progress | None
) -> Iterator[Trainable]:
    context = multiprocessing.get_context("spawn")
    # Only where somebody reads them: a process that has reported into a full pipe would never end.
    reports: multiprocessing.Queue[float] | None = context.Queue() if progress else None
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_worker, initargs=(reports,))
    try:
        with _uninterrupted():
            pending: set[Future[Trainable]] = {pool.submit(_train_here, job, store) for job in jobs}
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
    signal.signal(signal.SIGTERM, _ended)
    _reports = reports
    if reports:
        reports.cancel_join_thread()  # what nobody has read by the end, nobody needs
    threading.Thread(target=_follow, daemon=True).start()


def _ended(*_: Any) -> None:
    """End, and give back the locks that libraries have made: Python complains of those that nobody gives back."""
    multiprocessing.util._run_finalizers(0)  # type: ignore[attr-defined]
    os._exit(1)


def _follow() -> None:
    """End with the parent, however it ends: a process that waits for its next job would wait for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _train_here(job: Trainable, store: FolderStore) -> Trainable:
    return _train(job, store, _reports.put if _reports else None)
