"""The theory on recorded pairs: which of them it explains, and how that depends on distance."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from syzygy.cli.command import Json, command
from syzygy.console import complain, duration, print_json, share_bar, size, spoken
from syzygy.errors import RunError, SpecificationError
from syzygy.explanation import explanation, plan, recordings
from syzygy.explanation.question import Asked, read_pair
from syzygy.explanation.summary import counted
from syzygy.report import write_report
from syzygy.run import SPECIFICATION, Run
from syzygy.trajectory import Trajectory


@command("fit", "syzygy fit runs/vit --layer 'blocks.*' --pairs 500 --out fit")
def fit(
    what: Annotated[Path, typer.Argument(help="Folder of a run or of a recording, or a .zarr trajectory.")],
    layer: Annotated[
        list[str] | None, typer.Option(help="A layer, or a pattern as in 'blocks.*'; give it again for more.")
    ] = None,
    pairs: Annotated[
        list[str] | None,
        typer.Option(
            help="all, classes (those whose targets differ), a number to draw, or two items as in 'a,b', again for "
            "more; by default all, or 2500 drawn."
        ),
    ] = None,
    fitted: Annotated[float, typer.Option(help="Share of the recorded steps that a forecast sees.")] = 0.5,
    seed: Annotated[int, typer.Option(help="Of pairs that are drawn, and of the intervals.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder of the answer: its numbers, and report.html.")] = Path("fit"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it takes, and stop.")] = False,
    as_json: Json = False,
) -> None:
    """Say which pairs of items the theory explains, at which layers, and how that depends on their distance.

    Its rates are fitted to the first part of the recorded steps, and forecast the rest.
    """
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file, not a folder of an answer; name another with --out")
    try:
        with Console(stderr=True).status("opening what was recorded"):
            given = _opened(what)
        asked = _asked(pairs or [], given)
        if dry_run:
            _say_plan(given, layer, asked, fitted, seed, as_json)
            return
        with share_bar("fitting pairs") as advance:
            result = explanation(given, layer, asked, fitted=fitted, seed=seed, progress=advance)
        with Console(stderr=True).status("writing the page"):
            page = write_report(result, out)
    except KeyboardInterrupt:
        complain("stopped; nothing was written that is not whole, and the same command begins again")
        raise typer.Exit(130) from None
    if as_json:
        print_json({"report": str(page), **json.loads(result.to_json())})
        return
    print(spoken(result))
    print(f"report: {page}")


def _opened(path: Path) -> dict[str, Trajectory]:
    """Open a run, or whatever else holds recordings."""
    if not (path / SPECIFICATION).is_file():
        return recordings(path)
    found = Run.at(path).trajectories()
    if not found:
        raise RunError(f"nothing has been trained in {path} yet; run it first")
    return found


def _asked(texts: list[str], given: dict[str, Trajectory]) -> Asked:
    """Read which pairs are meant."""
    if not texts:
        return None
    if len(texts) == 1 and texts[0].isdecimal() and len(texts[0]) < 10:
        return int(texts[0])
    if len(texts) == 1 and texts[0] in ("all", "classes"):
        return texts[0]  # type: ignore[return-value]
    if any("," not in text for text in texts):
        raise SpecificationError(
            f"--pairs takes all, classes, a number, or two items as in 'a,b'; got {', '.join(map(repr, texts))}"
        )
    return [read_pair(text, next(iter(given.values())).items) for text in texts]


def _say_plan(
    given: dict[str, Trajectory], layer: list[str] | None, asked: Asked, fitted: float, seed: int, as_json: bool
) -> None:
    """Say what it takes, and fit nothing."""
    with Console(stderr=True).status("measuring this machine"):
        planned = plan(given, layer, asked, fitted=fitted, seed=seed)
    if as_json:
        print_json(asdict(planned))
        return
    there = ((planned.pairs, "pair"), (planned.layers, "layer"), (planned.networks, "network"))
    print(f"{', '.join(counted(*one) for one in there)}: {counted(planned.fits, 'fit')}")
    print(f"about {duration(planned.seconds)}, {size(planned.memory)} of memory beside the interpreter's")
