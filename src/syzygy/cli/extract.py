"""Representations of models that others made, streamed to a folder."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from syzygy.cli.command import Json, command
from syzygy.console import complain, duration, print_json, share_bar, size
from syzygy.errors import RunError
from syzygy.extraction import Extraction, apart, extraction_of, plan, shown, taken


@command("extract", "syzygy extract timm:resnet18 images/ --layers 'layer*' --pooling mean --out reps")
def extract(
    source: Annotated[
        str,
        typer.Argument(help="hf:PATH, timm:NAME, torchvision:NAME, torchscript:FILE or FILE.py:FUNCTION."),
    ],
    what: Annotated[
        list[Path],
        typer.Argument(
            help="What is shown: a folder of images, .npz, .npy, .safetensors, or .txt with an item a line; all other "
            "files are checkpoints (.safetensors, .pt, .pth, .ckpt), a step each."
        ),
    ],
    layers: Annotated[
        list[str],
        typer.Option("--layers", "-l", help="A layer, or a pattern as in 'encoder.layer.*'; again for more."),
    ],
    out: Annotated[Path, typer.Option(help="Folder of what is extracted.")] = Path("reps"),
    pooling: Annotated[
        str | None,
        typer.Option(help="Over tokens or positions: mean, max, last, class, positions (items each), or flatten."),
    ] = None,
    batch: Annotated[int, typer.Option(help="Items that are shown at once.")] = 32,
    precision: Annotated[str, typer.Option(help="On disk: float32 or float16.")] = "float32",
    random_weights: Annotated[bool, typer.Option("--random-weights", help="An untrained control.")] = False,
    seed: Annotated[int, typer.Option(help="Of random weights.")] = 0,
    device: Annotated[str | None, typer.Option(help="Of PyTorch, as in cuda; by default the processor.")] = None,
    limit: Annotated[int | None, typer.Option(help="Show the first so many items only.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it takes, and write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Keep what layers of a model make of images, texts or arrays; at each of its checkpoints, if there are any.

    The same command goes on where it stopped.
    """
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file, not a folder of representations; name another with --out")
    options: dict[str, Any] = {"pooling": pooling, "precision": precision, "batch": batch, "seed": seed}
    try:
        model = taken(source, random_weights=random_weights, seed=seed, device=device, allow_code=complain)
        data, checkpoints = apart(what, model.model)
        with Console(stderr=True).status("looking at what is shown"):
            items = shown(data).first(limit)
        asked = extraction_of(model, items, layers=layers, checkpoints=checkpoints, say=complain, **options)
        if dry_run:
            _say_plan(asked, as_json)
            return
        title = f"{len(items)} items, {len(asked.steps)} step{'s' * (len(asked.steps) != 1)}"
        with share_bar(title) as advance:
            journal = asked.run(out, advance)
    except KeyboardInterrupt:
        complain(f"stopped; what is finished is kept in {out}, and the same command goes on")
        raise typer.Exit(130) from None
    said = {"out": str(out), "items": len(items), "steps": list(journal.steps), "layers": _listed(asked)}
    if as_json:
        print_json(said)
        return
    for label, shape in asked.view.shapes.items():
        print(f"{label:<40} {' × '.join(map(str, shape))}")
    print(f"{title}: {out}")


def _say_plan(asked: Extraction, as_json: bool) -> None:
    """Say what an extraction takes, and write nothing."""
    planned = plan(asked)
    if as_json:
        print_json(asdict(planned) | {"layers": _listed(asked)})
        return
    print(f"{planned.items} items, {planned.steps} step{'s' * (planned.steps != 1)}, batches of {asked.batch}")
    for label, shape in planned.layers.items():
        print(f"  {label:<40} {' × '.join(map(str, shape))}")
    print(f"about {duration(planned.seconds)}, {size(planned.memory)} of memory beside the interpreter's, "
          f"{size(planned.disk)} of disk")  # fmt: skip


def _listed(asked: Extraction) -> dict[str, list[int]]:
    return {label: list(shape) for label, shape in asked.view.shapes.items()}
