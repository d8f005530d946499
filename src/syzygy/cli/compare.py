"""Comparisons: every pair of representations, against chance."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from syzygy.alignment import align, plan
from syzygy.cli.command import Json, command
from syzygy.comparison import comparison
from syzygy.console import complain, duration, print_json, share_bar, size, spoken
from syzygy.errors import RunError, SpecificationError
from syzygy.report import write_report
from syzygy.representations import Representations, Steps

#: By what is compared if nothing is said.
USUAL = ("cka", "procrustes", "mutual_knn")


@command("compare", "syzygy compare a.npy b.npy runs/two-points-3f9a1c2b04de --measure cka --out comparison")
def compare(
    what: Annotated[
        list[Path],
        typer.Argument(help="Files (.npy, .npz, .safetensors), Zarr stores, folders of runs: of the same items."),
    ],
    measure: Annotated[
        list[str] | None,
        typer.Option("--measure", "-m", help="As in cka, or cka:estimator=biased; again for more."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of this comparison: its numbers, and report.html.")] = Path(
        "comparison"
    ),
    layer: Annotated[
        list[str] | None, typer.Option(help="Of runs: a layer, or a pattern as in 'hidden.*'; give it again for more.")
    ] = None,
    steps: Annotated[
        str, typer.Option(help="Of runs: last, first, all, 'log N', 'every N', or steps as in 0,100,1000.")
    ] = "last",
    memory: Annotated[str, typer.Option(help="For what is held at once, as in 4GB.")] = "4GB",
    device: Annotated[str | None, typer.Option(help="Of PyTorch, as in cuda; by default the processor.")] = None,
    dtype: Annotated[str, typer.Option(help="Precision of large products: float32 or float64.")] = "float32",
    permutations: Annotated[int, typer.Option(help="Shuffles of the items, where chance has no closed form.")] = 100,
    bootstrap: Annotated[int, typer.Option(help="Samples of the items for intervals of 95%; 0 gives none.")] = 0,
    seed: Annotated[int, typer.Option(help="Of shuffles and samples.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it takes, and stop.")] = False,
    as_json: Json = False,
) -> None:
    """Say how alike every two representations are, and how alike chance would make them.

    The same command goes on where it stopped.
    """
    with Console(stderr=True).status("opening what is compared"):
        some = Representations.of(what, layers=layer, steps=_steps(steps))
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file, not a folder of a comparison; name another with --out")
    measures = measure or USUAL
    settings: dict[str, Any] = {"permutations": permutations, "bootstrap": bootstrap, "dtype": dtype, "device": device,
                                "memory": memory}  # fmt: skip
    if dry_run:
        _say_plan(some, measures, settings, as_json)
        return
    try:
        with share_bar(f"{len(some)} representations of {some.item_count} items") as advance:
            alignment = align(some, measures, seed=seed, out=out, progress=advance, **settings)
        with Console(stderr=True).status("writing the page"):
            result = comparison(alignment, seed=seed)
            page = write_report(result, out)
    except KeyboardInterrupt:
        complain(f"stopped; what is finished is kept in {out}, and the same command goes on")
        raise typer.Exit(130) from None
    if as_json:
        print_json({"report": str(page), **json.loads(result.to_json())})
        return
    print(spoken(result))
    print(f"report: {page}")


def _steps(text: str) -> Steps:
    """Read numbers of steps; words are left to those who know them."""
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        return text
    if max(map(len, parts)) > 18:
        raise SpecificationError(f"--steps takes numbers of steps, got {text!r}")
    return [int(part) for part in parts]


def _say_plan(some: Representations, measures: Any, settings: dict[str, Any], as_json: bool) -> None:
    """Say what a comparison takes, and start nothing."""
    with Console(stderr=True).status("measuring this machine"):
        planned = plan(some, measures, **settings)
    totals = {"seconds": planned.seconds, "memory": planned.memory, "disk": planned.disk, "tiles": planned.tiles}
    if as_json:
        print_json(asdict(planned) | totals)
        return
    pairs = len(some) * (len(some) - 1) // 2
    print(f"{len(some)} representations of {some.item_count} items, {pairs} pairs")
    for share in planned.shares:
        took = f"preparing {duration(share.preparing)}, comparing {duration(share.comparing)}"
        print(f"  {share.measure:<24} {took}, {share.tiles} tile{'s' * (share.tiles != 1)}")
    print(f"about {duration(planned.seconds)}, {size(planned.memory)} of memory beside the interpreter's, "
          f"{size(planned.disk)} of disk")  # fmt: skip
