"""Studies: run, reported, reproduced."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from syzygy.cli.command import Json, command
from syzygy.console import bar, complain, print_json, say_plan, spoken
from syzygy.errors import DataError, SpecificationError, UnknownName
from syzygy.regimes import regime_map
from syzygy.reproduce import KEPT as REPRODUCTION
from syzygy.reproduce import Reproduction
from syzygy.run import Run
from syzygy.studies import STUDIES, Study, read_study, study
from syzygy.tasks.mnist import DATA_VARIABLE


@command("run", "syzygy run two-points --network default --network tanh --seeds 0..7 --out runs/")
def run(
    what: Annotated[
        str, typer.Argument(help="A study (syzygy list shows them), or a specification: a TOML or JSON file.")
    ],
    network: Annotated[
        list[str] | None, typer.Option("--network", "-n", help="A network of the catalogue; give it again for more.")
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="As in 0..7, 3 or 0,2,5: one network per seed.")] = None,
    steps: Annotated[int | None, typer.Option(help="Number of updates, in place of the setting's own.")] = None,
    record: Annotated[str | None, typer.Option(help="Steps to record: 'every N' or 'log N'.")] = None,
    option: Annotated[
        list[str] | None, typer.Option("--set", help="Any other key of the specification, as in dy2=0.25.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of runs; the run gets a folder of its own in it.")] = Path("runs"),
    data_dir: Annotated[Path | None, typer.Option(help="Folder with data files (MNIST's idx files).")] = None,
    processes: Annotated[
        int | None, typer.Option(help="Processes to train in, of one thread each; by default one per core.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train what a study needs, fit the theory, write the page.

    The same specification finds the same run: it goes on where it stopped, and trains nothing twice.
    """
    _prepare(processes, data_dir)
    given = {"networks": network or None, "seeds": seeds, "steps": steps, "record": record}
    asked = _asked(what, {k: v for k, v in given.items() if v is not None} | _options(option or []))
    begun = Run.under(out, asked)
    try:
        _train(begun, processes or _cores())
    except KeyboardInterrupt:
        left = len(begun.missing)
        done = len(begun.jobs) - left
        complain(
            f"stopped; {done} of {done + left} trainings are finished and kept, the others kept their last checkpoint"
        )
        complain(f"the same command goes on; syzygy report {begun.folder} shows what there is")
        raise typer.Exit(130) from None
    _say(begun, as_json)


@command("reproduce", "syzygy reproduce --quick --out runs/")
def reproduce(
    studies: Annotated[
        list[str] | None, typer.Argument(help="Studies to run (syzygy list shows them); by default all.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Few seeds, reduced sizes: minutes.")] = False,
    full: Annotated[bool, typer.Option("--full", help="The paper's sizes: days; see the estimate first.")] = False,
    estimate: Annotated[bool, typer.Option("--estimate", help="Print the estimate, and stop.")] = False,
    out: Annotated[Path, typer.Option(help="Folder of runs; the reproduction gets a folder of its own in it.")] = Path(
        "runs"
    ),
    data_dir: Annotated[Path | None, typer.Option(help="Folder with data files (MNIST's idx files).")] = None,
    processes: Annotated[
        int | None, typer.Option(help="Processes to train in, of one thread each; by default one per core.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run every experiment of the paper, and write one page: claim by claim.

    It prints an estimate first, measured from a few steps on this machine.  The same command goes on where it stopped.
    """
    if quick == full:
        raise SpecificationError("say --quick (minutes, reduced) or --full (the paper's sizes)")
    _prepare(processes, data_dir)
    reproduction = Reproduction.under(out, "quick" if quick else "full")
    names = reproduction.chosen(studies or [])
    with Console(stderr=True).status("timing a few steps of every kind of training"):
        plan = reproduction.plan(names)
    say_plan(plan, processes or _cores())
    if set(names) <= set(plan.trouble):
        raise DataError(next(iter(plan.trouble.values())))
    if estimate:
        return
    try:
        _reproduce(reproduction, names, processes or _cores())
    except KeyboardInterrupt:
        complain("stopped; what was trained is kept, and the same command goes on")
        complain(f"syzygy report {reproduction.folder} shows what there is")
        raise typer.Exit(130) from None
    _say_claims(reproduction, as_json)


@command("report", "syzygy report runs/two-points-3f9a1c2b04de")
def report(
    folder: Annotated[Path, typer.Argument(help="The folder of a run, or of a reproduction.")],
    as_json: Json = False,
) -> None:
    """Write the page of a run or a reproduction again, finished or not; nothing is trained."""
    if not (folder / REPRODUCTION).is_file():
        _say(Run.at(folder), as_json)
        return
    reproduction = Reproduction.at(folder)
    with Console(stderr=True).status("analysing every study"):
        for name in reproduction.runs:
            reproduction.analyse(name)
    _say_claims(reproduction, as_json)


@command("regimes", "syzygy regimes runs/two-points-3f9a1c2b04de")
def regimes(
    folder: Annotated[Path, typer.Argument(help="The folder of a run.")],
    layer: Annotated[str | None, typer.Option(help="A watched layer; by default the first.")] = None,
    as_json: Json = False,
) -> None:
    """Draw where the networks of a run sit between rich, encoder-lazy and decoder-lazy; nothing is trained."""
    begun = Run.at(folder)
    with Console(stderr=True).status("fitting the theory"):
        figure = regime_map(begun.trajectories(), layer)
    figure.save(folder)
    if as_json:
        print_json(json.loads(figure.frame.to_json(orient="records")))
        return
    for network, some in figure.frame.groupby("network", sort=False):
        counts = some["regime"].replace("", "not fitted").value_counts()
        print(f"{network}: {', '.join(f'{regime} {number}' for regime, number in counts.items())}")
    print(f"map: {folder / figure.name}.svg")


def _asked(what: str, given: dict[str, Any]) -> Study:
    """Read a study's name or specification file, and put what was given on the command line over it."""
    if Path(what).suffix in (".toml", ".json"):
        asked = read_study(Path(what)) | given
    elif what in STUDIES:
        asked = {"study": what} | given
    else:
        raise UnknownName("study", what, STUDIES)
    kind = STUDIES.get(str(asked.get("study")))
    if kind and "network" in kind.model_fields and "networks" in given:
        if len(given["networks"]) > 1:
            raise SpecificationError(f"{asked['study']} trains one network; got {', '.join(given['networks'])}")
        asked["network"] = asked.pop("networks")[0]
    return study(asked)


def _options(pairs: list[str]) -> dict[str, Any]:
    """Read ``key=value``; a value is JSON, or else a text."""
    read: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise SpecificationError(f"--set takes key=value, as in --set dy2=0.25; got {pair!r}")
        try:
            read[key.strip()] = json.loads(value)
        except (ValueError, RecursionError):
            read[key.strip()] = value
    return read


def _prepare(processes: int | None, data_dir: Path | None) -> None:
    if processes is not None and processes < 1:
        raise SpecificationError(f"--processes must be 1 or more, got {processes}")
    if data_dir is not None:
        os.environ[DATA_VARIABLE] = str(data_dir.resolve())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _train(begun: Run, processes: int) -> None:
    if begun.long:
        with Console(stderr=True).status("timing a few steps of every kind of training"):
            plan = begun.plan()
        say_plan(plan, processes)
    with bar(begun.study.study, begun.jobs) as advance:
        begun.train(processes, advance)


def _reproduce(reproduction: Reproduction, names: Sequence[str], processes: int) -> None:
    """Train, analyse each study as soon as it can be, and write the page anew each time."""
    for name in names:
        if name in reproduction.trouble:
            reproduction.analyse(name)
    with bar(f"reproduce --{reproduction.size}", reproduction.missing(names)) as advance:
        for name in reproduction.train(names, processes, advance):
            reproduction.analyse(name)
            reproduction.report()


def _say_claims(reproduction: Reproduction, as_json: bool) -> None:
    claims = reproduction.report()
    if as_json:
        print_json(json.loads((reproduction.folder / "claims.json").read_text(encoding="utf-8")))
        return
    for name, some in claims.items():
        for claim in some:
            where = f" ({claim.condition})" if claim.condition else ""
            print(f"{claim.verdict:<15} {name}: {claim.expectation.name}{where}")
    print(f"report: {reproduction.page}")


def _say(begun: Run, as_json: bool) -> None:
    """Analyse, write the page, and say what came out and where it is."""
    with Console(stderr=True).status("fitting the theory, writing the page"):
        result = begun.report()
    if as_json:
        print_json({"report": str(begun.page), **json.loads(result.to_json())})
        return
    print(spoken(result))
    print(f"report: {begun.page}")
