"""Every study of the paper in one folder, with one page: claim by claim.

.. code-block:: text

    runs/reproduction-quick/
      reproduction.json        which studies, at which size
      trajectories/            what has been trained, shared by all studies
      two-points-3f9a1c2b04de/ a run of each study, with a page of its own
      claims.csv, claims.json  every claim with its verdict
      report.html              the page

Studies that ask for the same networks train them once.  A study is analysed as soon as its networks are there.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal, get_args

from filelock import FileLock, Timeout

from syzygy.claims import VERDICTS, Claim, to_pandas
from syzygy.cost import Cost, Plan, peak_memory
from syzygy.errors import DataError, RunError, SpecificationError, SyzygyError, UnknownName
from syzygy.files import whole_file, write_text
from syzygy.overview import Chapter, overview
from syzygy.published import source
from syzygy.run import TRAJECTORIES, Run
from syzygy.store import FolderStore, key
from syzygy.studies import STUDIES, Study, read_study, study
from syzygy.training import Trainable, costs, train_zoo

Size = Literal["quick", "full"]
SIZES: tuple[Size, ...] = get_args(Size)

KEPT = "reproduction.json"
TITLE = "When representations align: the whole paper, claim by claim"


@cache
def specifications(size: Size) -> Mapping[str, Study]:
    """Give every specification of a size by its name, in the order of the page.

    A study may have several: ``mnist-pair-digits`` is the study ``mnist-pair`` on other images.

    Examples
    --------
    >>> "depth" in specifications("quick")
    True
    """
    folder = files("syzygy") / "specifications" / size
    paths = sorted(Path(str(path)) for path in folder.iterdir() if path.name.endswith(".toml"))
    found = {path.stem: study(read_study(path)) for path in paths}
    order = list(STUDIES)
    return dict(sorted(found.items(), key=lambda item: (order.index(item[1].study), item[0])))


@dataclass(frozen=True)
class Reproduction:
    """Runs of all studies, side by side.

    Attributes
    ----------
    folder
        Where it is.
    size
        ``quick`` or ``full``.
    runs
        By the name of their specification.
    trouble
        Why some cannot be run, by name.
    """

    folder: Path
    size: Size
    runs: Mapping[str, Run]
    trouble: dict[str, str] = field(default_factory=dict)

    @classmethod
    def under(cls, parent: Path, size: Size) -> "Reproduction":
        """Find or begin the reproduction of a size in a folder of runs.

        Raises
        ------
        RunError
            The folder cannot be used.
        """
        folder = parent / f"reproduction-{size}"
        if folder.is_dir() and any(folder.iterdir()) and not (folder / KEPT).is_file():
            raise RunError(f"{folder} exists and is no reproduction; name another folder with --out")
        if folder.exists() and not folder.is_dir():
            raise RunError(f"{folder} is a file, not a folder; name another with --out")
        try:
            write_text(folder / KEPT, json.dumps({"size": size}) + "\n")
            (folder / TRAJECTORIES).mkdir(exist_ok=True)
        except OSError as unwritable:
            raise RunError(f"{folder} cannot be written: {unwritable}") from unwritable
        begun = cls(folder, size, {name: Run.named(folder, asked) for name, asked in specifications(size).items()})
        for name, run in begun.runs.items():
            try:
                Run.under(folder, run.study)
            except (DataError, SpecificationError) as mistake:  # the other studies can still be run
                begun.trouble[name] = str(mistake)
        return begun

    @classmethod
    def at(cls, folder: Path) -> "Reproduction":
        """Open a reproduction that has been begun.

        Raises
        ------
        RunError
            None is there.
        """
        try:
            size = json.loads((folder / KEPT).read_text(encoding="utf-8"))["size"]
        except (OSError, ValueError, LookupError, TypeError) as damaged:
            raise RunError(f"{folder / KEPT} cannot be read: {damaged}") from damaged
        if size not in SIZES:
            raise RunError(f"{folder / KEPT} names a size {size!r}; known: {', '.join(SIZES)}")
        return cls.under(folder.parent, size)

    @property
    def page(self) -> Path:
        """Where the page is, or will be."""
        return self.folder / "report.html"

    def chosen(self, names: Iterable[str]) -> tuple[str, ...]:
        """Give the specifications of some names: of studies, which may have several, or their own.

        Raises
        ------
        UnknownName
            Neither.
        """
        found: list[str] = []
        for name in names:
            some = [own for own, run in self.runs.items() if name in (own, run.study.study)]
            if not some:
                raise UnknownName("study", name, self.runs)
            found += [own for own in some if own not in found]
        return tuple(name for name in self.runs if name in found) or tuple(self.runs)

    def missing(self, names: Sequence[str]) -> list[Trainable]:
        """Give everything that some studies need and that has not been trained."""
        return [job for jobs in self._missing(names).values() for job in jobs]

    def plan(self, names: Sequence[str], on_job: Callable[[], None] = lambda: None) -> Plan:
        """Measure a few steps of everything that is missing, and find out what cannot be run."""
        found: dict[str, tuple[Cost, ...]] = {}
        for name, jobs in self._missing(names).items():
            try:
                found[name] = tuple(costs(jobs, on_job))
            except SyzygyError as mistake:
                self.trouble[name] = str(mistake)
        return Plan(found, dict(self.trouble), peak_memory())

    def train(
        self, names: Sequence[str], processes: int = 1, progress: Callable[[float], None] | None = None
    ) -> Iterator[str]:
        """Train what is missing of some studies, and give the name of each as soon as all it needs is there.

        Raises
        ------
        RunError
            Another process is at it.
        """
        lock = FileLock(self.folder / ".lock", blocking=False)
        try:
            lock.acquire()
        except Timeout:
            raise RunError(f"another process is training in {self.folder}; wait for it, or stop it") from None
        with lock:
            left = {name: {key(job.asked()) for job in self.runs[name].missing} for name in names}
            left = {name: some for name, some in left.items() if name not in self.trouble}
            yield from (name for name, some in left.items() if not some)
            for job, _ in train_zoo(self.missing(names), FolderStore(self.folder / TRAJECTORIES), processes, progress):
                for name, some in left.items():
                    if key(job.asked()) in some:
                        some.remove(key(job.asked()))
                        if not some:
                            yield name

    def analyse(self, name: str) -> None:
        """Analyse one study, and write its page; where nothing has been trained, why stays as it was said."""
        run = self.runs[name]
        if name in self.trouble:
            run.refuse(self.trouble[name])
        elif len(run.missing) < len(run.jobs):
            run.report()

    def report(self) -> Mapping[str, tuple[Claim, ...]]:
        """Write the page from what the studies have written; nothing is trained or analysed."""
        chapters = {name: self._chapter(name) for name in self.runs}
        claims = {name: one.claims for name, one in chapters.items()}
        frame = to_pandas(claims)
        with whole_file(self.folder / "claims.csv") as part:
            frame.to_csv(part, index=False)
        counts: dict[str, int] = {
            verdict: sum(one.verdict == verdict for some in claims.values() for one in some) for verdict in VERDICTS
        }
        write_text(self.folder / "claims.json", _as_json(self.size, counts, claims))
        write_text(self.page, overview(TITLE, counts, chapters, size=self.size, source=source()))
        return claims

    def _chapter(self, name: str) -> Chapter:
        """Read what a study has written; a study that is not finished claims nothing."""
        run = self.runs[name]
        read = Chapter.read(run.folder, name)
        if read is None:
            run.refuse(self.trouble.get(name, "Not run yet."))
            read = Chapter.read(run.folder, name)
            assert read is not None
        if name in self.trouble or run.missing:
            read = replace(read, claims=tuple(replace(claim, complete=False) for claim in read.claims))
        return read

    def _missing(self, names: Sequence[str]) -> dict[str, list[Trainable]]:
        """Give the trainings that are missing, each with the first study that needs it."""
        seen: set[str] = set()
        found: dict[str, list[Trainable]] = {}
        for name in names:
            if name in self.trouble:
                continue
            found[name] = [job for job in self.runs[name].missing if key(job.asked()) not in seen]
            seen |= {key(job.asked()) for job in found[name]}
        return found


def _as_json(size: Size, counts: Mapping[str, int], claims: Mapping[str, Sequence[Claim]]) -> str:
    told = {name: [claim.to_json() for claim in some] for name, some in claims.items()}
    return json.dumps({"size": size, "verdicts": counts, "claims": told}, indent=2, ensure_ascii=False) + "\n"
