"""How long a training will take and how much it will hold, measured from a few of its steps on this machine."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from syzygy.axes import STEP
from syzygy.cost import Cost
from syzygy.recording import every
from syzygy.training.job import Job
from syzygy.training.threads import one_thread
from syzygy.training.trainable import Trainable
from syzygy.training.training import Training
from syzygy.trajectory import Trajectory

#: Steps that are timed: jobs report every 20 updates, and the first report does not count.
STEPS = 64
#: Keys of a setting that change what is learned, and hardly what it costs.
FREE = ("activation", "gain", "learning_rate", "steps")
#: Options of tasks that change what the data are, and not how many.
FREE_OPTIONS = ("dx2", "dy2", "easy", "easy_prevalence", "hard", "hard_prevalence", "probe_seed", "seed")


def costs(jobs: Sequence[Trainable], on_job: Callable[[], None] = lambda: None) -> list[Cost]:
    """Estimate trainings; of several networks that cost the same, one is measured.

    Parameters
    ----------
    jobs
        What is to be trained; nothing is kept of the few steps that are.
    on_job
        Called after each job.

    Raises
    ------
    SyzygyError
        What training would raise at once: missing data, an unknown layer.
    """
    measured: dict[str, _Pace] = {}

    def cost(job: Trainable) -> Cost:
        if isinstance(job, Training):
            return job.estimate()
        assert isinstance(job, Job), "there is no third kind"
        if isinstance(job.start, Job):  # what it starts from is a training of its own
            before, own = cost(job.start), cost(replace(job, start=None))
            return Cost(before.seconds + own.seconds, own.bytes)
        kind = _kind(job)
        if kind not in measured:
            measured[kind] = _measure(job)
        return measured[kind].of(job)

    found = []
    for job in jobs:
        found.append(cost(job))
        on_job()
    return found


@dataclass(frozen=True)
class _Pace:
    """Seconds to begin, seconds per step and per recorded step, and bytes per recorded step."""

    begin: float
    step: float
    record: float
    row: float

    def of(self, job: Job) -> Cost:
        rows = len(job.record.at(job.network.steps))
        return Cost(self.begin + job.network.steps * self.step + rows * self.record, round(rows * self.row))


def _kind(job: Job) -> str:
    """Name what the cost depends on: everything but the numbers that only change what is learned."""
    asked = replace(job, start=None).asked()
    asked["network"] = {name: value for name, value in asked["network"].items() if name not in FREE}
    asked["options"] = {k: v for k, v in job.options.items() if k not in FREE_OPTIONS}
    asked |= {"seeds": len(job.seeds), "record": None, "stop_loss": None}
    return json.dumps(asked, sort_keys=True)


def _measure(job: Job) -> _Pace:
    """Run a short copy of a job twice: with no step recorded but the first and last, and with every step."""
    plain, elapsed, _ = _run(job, STEPS)
    watched, _, seen = _run(job, 1)
    variables = [one for node in seen.tree.subtree for one in node.to_dataset(inherit=False).variables.values()]
    row = sum(one.nbytes for one in variables if STEP in one.dims) / len(seen.steps)
    return _Pace(max(elapsed - STEPS * plain, 0.0), plain, max(watched - plain, 0.0), row)


def _run(job: Job, record: int) -> tuple[float, float, Trajectory]:
    """Give the seconds of a step, of the whole copy, and what it saw; nothing stops it early, nor trains a start."""
    network = job.network.model_copy(update={"steps": STEPS, "learning_rate": 1e-12})  # so that none diverges
    copy = replace(job, network=network, record=every(record), stop_loss=None, start=None)
    begun = time.perf_counter()
    reports = [(begun, 0.0)]
    with one_thread():
        seen = copy.run(progress=lambda work: reports.append((time.perf_counter(), work)))
    times, work = np.diff([when for when, _ in reports]), np.array([done for _, done in reports])
    # The first report is of the start too.  The median is not moved by what else the machine does.
    step = float(np.median(times[1:] / work[2:])) * copy.work / STEPS
    return step, time.perf_counter() - begun, seen
