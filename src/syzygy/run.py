"""A study, run into a folder: train what is missing, analyse what is there, write the page.

.. code-block:: text

    runs/two-points-3f9a1c2b04de/
      specification.json   what was asked
      trajectories/        what has been trained, one Zarr group each; unfinished trainings beside them
      result.json          what came out, with tables/*.csv and figures/*.{svg,pdf,csv}
      report.html          the page

A run is found by what was asked: the same specification finds the same folder, goes on where it stopped, and
trains nothing twice.  Runs of one reproduction share the trajectories in the folder above them.
"""

import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from syzygy.cost import Plan, peak_memory
from syzygy.errors import RunError
from syzygy.files import write_text
from syzygy.report import write_report
from syzygy.result import Result
from syzygy.store import FolderStore, key
from syzygy.studies import Study, study
from syzygy.training import Progress, Trainable, Training, costs, train_zoo
from syzygy.trajectory import Trajectory

SPECIFICATION, TRAJECTORIES = "specification.json", "trajectories"

#: About half a minute of one core, in multiplications.
LONG = 1e11


@dataclass(frozen=True)
class Run:
    """A run on disk.

    Attributes
    ----------
    folder
        Where it is.
    study
        What was asked.
    """

    folder: Path
    study: Study

    @classmethod
    def under(cls, parent: Path, study: Study) -> "Run":
        """Find or begin the run of a study in a folder of runs.

        Raises
        ------
        RunError
            The folder cannot be used: a file is in its place, or something that is not this run.
        """
        run = cls.named(parent, study)
        for place in (parent, run.folder):
            if place.exists() and not place.is_dir():
                raise RunError(f"{place} is a file, not a folder of runs; name another with --out")
        kept = run.folder / SPECIFICATION
        if run.folder.exists() and any(run.folder.iterdir()) and not kept.is_file():
            raise RunError(f"{run.folder} exists and is no run; name another folder with --out, nothing was changed")
        if kept.is_file() and _identity(cls.at(run.folder).study.specification()) != _identity(study.specification()):
            raise RunError(f"{kept} is not what was asked here at first; move the folder away, nothing was changed")
        if not kept.is_file() and run.jobs:  # what cannot be trained is refused before there is a folder
            try:
                write_text(kept, json.dumps(study.specification(), indent=2, ensure_ascii=False) + "\n")
            except OSError as unwritable:
                raise RunError(f"{run.folder} cannot be written: {unwritable}") from unwritable
        return run

    @classmethod
    def named(cls, parent: Path, study: Study) -> "Run":
        """Give the run of a study in a folder of runs, begun or not."""
        return cls(parent / f"{study.study}-{key(_identity(study.specification()))}", study)

    @classmethod
    def at(cls, folder: Path) -> "Run":
        """Open a run that has been begun.

        Raises
        ------
        RunError
            No run is there.
        """
        kept = folder / SPECIFICATION
        if not kept.is_file():
            raise RunError(f"{folder} is no run: it has no {SPECIFICATION}")
        try:
            asked = json.loads(kept.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as damaged:
            raise RunError(f"{kept} cannot be read: {damaged}") from damaged
        if not isinstance(asked, dict):
            raise RunError(f"{kept} is not a specification")
        return cls(folder, study(asked))

    @cached_property
    def jobs(self) -> list[Trainable]:
        """Everything that must be trained."""
        return [part for job in self.study.jobs().values() for part in job.parts()]

    @property
    def store(self) -> FolderStore:
        """Where trajectories are: the run's own, or those that all runs beside it share."""
        shared = self.folder.parent / TRAJECTORIES
        return FolderStore(shared if shared.is_dir() else self.folder / TRAJECTORIES)

    @property
    def missing(self) -> list[Trainable]:
        """What has not been trained yet."""
        store = self.store
        return [job for job in self.jobs if job.asked() not in store]

    @property
    def page(self) -> Path:
        """Where the report is, or will be."""
        return self.folder / "report.html"

    @property
    def long(self) -> bool:
        """Whether what is missing takes long enough for the time to be told beforehand."""
        return any(isinstance(job, Training) for job in self.missing) or sum(job.work for job in self.missing) > LONG

    def plan(self) -> Plan:
        """Measure a few steps of everything that is missing.

        Raises
        ------
        SyzygyError
            What training would raise at once.
        """
        return Plan({self.study.study: tuple(costs(self.missing))}, {}, peak_memory())

    def train(self, processes: int = 1, progress: Progress | None = None) -> None:
        """Train what is missing.

        Raises
        ------
        RunError
            Another process is at it.
        """
        with self._alone():
            for _ in train_zoo(self.jobs, self.store, processes, progress):
                pass

    def report(self) -> Result:
        """Analyse what has been trained, whole or not, and write numbers, figures and page.

        A part decides no claim; and where every network diverged, that is the first line.
        """
        trajectories = self.trajectories()
        fates = [fate for one in trajectories.values() for fate in one.fates]
        if not fates:
            result = self.study.nothing(trajectories, "Nothing has been trained yet.")
        elif set(fates) == {"diverged"}:
            result = self.study.nothing(trajectories, f"Every network diverged, all {len(fates)}; nothing is claimed.")
        else:
            result = self.study.analyse(trajectories)
        if self.missing:
            result = result.undecided()
        write_report(result, self.folder)
        return result

    def refuse(self, why: str) -> Result:
        """Write the page of a study that cannot be run, with the reason in its first line."""
        result = self.study.nothing({}, why).undecided()
        write_report(result, self.folder)
        return result

    def trajectories(self) -> dict[str, Trajectory]:
        """Give what has been trained, by the network's name."""
        found = {}
        for name, job in self.study.jobs().items():
            parts = [self.store.get(part.asked()) for part in job.parts() if part.asked() in self.store]
            if parts:
                found[name] = Trajectory.join(parts)
        return found

    def _alone(self) -> AbstractContextManager[Any]:
        if not self.missing:
            return nullcontext()
        lock = FileLock(self.folder / ".lock", blocking=False)
        try:
            return lock.acquire()
        except Timeout:
            raise RunError(f"another process is training in {self.folder}; wait for it, or stop it") from None


def _identity(specification: Any) -> Any:
    """Leave out the words about networks, which change no number."""
    if isinstance(specification, dict):
        return {name: _identity(value) for name, value in specification.items() if name not in ("about", "note")}
    return [_identity(value) for value in specification] if isinstance(specification, list) else specification


def run(study: Study, out: str | Path = "runs", *, processes: int = 1, progress: Progress | None = None) -> Result:
    """Train what a study needs, analyse it, and write its page.

    Parameters
    ----------
    study
        What to ask, as in ``TwoPoints(networks=["default", "tanh"], seeds=range(4))``.
    out
        Folder of runs; the run gets a folder of its own in it.
    processes
        Processes to train in, of one thread each.  With more than one, a script needs the usual
        ``if __name__ == "__main__":``.
    progress
        Called with the work done since the last call.

    Returns
    -------
    Result
        Also written to the run's folder.

    Examples
    --------
    >>> import tempfile
    >>> from syzygy import TwoPoints
    >>> with tempfile.TemporaryDirectory() as runs:
    ...     result = run(TwoPoints(networks="two_layer", seeds=range(3), steps=2000), runs)
    >>> bool((result.table("rates")["r2_h2"] > 0.9).all())
    True
    """
    begun = Run.under(Path(out), study)
    begun.train(processes, progress)
    return begun.report()
