"""What can be watched of a model that others made."""

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console

from syzygy.cli.command import Json, command
from syzygy.console import complain, print_json
from syzygy.errors import SpecificationError
from syzygy.extraction.layers import Fired, layers
from syzygy.extraction.source import FORMS, LIBRARIES, source
from syzygy.recording import Probe

HEADS = ("layer", "type", "output", "bytes/item", "calls", "")


@command("layers", "syzygy layers timm:resnet18 --match 'layer4.*'")
def layers_(
    asked: Annotated[str, typer.Argument(metavar="SOURCE", help=f"A model: {FORMS}.")],
    match: Annotated[
        list[str] | None, typer.Option("--match", help="Of these layers alone, as in 'blocks.*'; again for more.")
    ] = None,
    shape: Annotated[str | None, typer.Option(help="Of one item, where nothing else tells it, as in 3,32,32.")] = None,
    as_json: Json = False,
) -> None:
    """List the layers of a model: module paths, shapes for two items, and bytes per item in single precision.

    Libraries make the model without its weights, which are not fetched: shapes do not need them.
    """
    size = _shape(shape)
    with Console(stderr=True).status(f"opening {asked}"):
        library = asked.partition(":")[0] in LIBRARIES
        model = source(asked, random_weights=library, allow_code=complain, shape=size)
        rows = layers(model, match or ())
    shown = [list(one.shape) for one in Probe.of(model.example).tensors]
    if as_json:
        print_json({"source": asked, "kind": model.kind, "library": model.about["library"], "shown": shown,
                    "layers": [asdict(row) for row in rows]})  # fmt: skip
        return
    print(f"{asked}: {model.about['library']}, shown {', '.join(str(tuple(one)) for one in shown)}")
    _print_table([HEADS, *map(_cells, rows)])


def _shape(text: str | None) -> tuple[int, ...] | None:
    parts = [] if text is None else text.replace("x", ",").split(",")
    if not all(part.strip().isdecimal() and len(part) < 10 for part in parts):
        raise SpecificationError(f"--shape takes the shape of one item, as in 3,32,32; got {text!r}")
    return tuple(map(int, parts)) or None


def _cells(row: Fired) -> tuple[str, ...]:
    size = "-" if row.bytes is None else f"{row.bytes:,}"
    return row.path, row.type, "-" if row.shape is None else str(row.shape), size, str(row.calls), row.note


def _print_table(rows: Any) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    numbers = (3, 4)
    for row in rows:
        cells = [
            cell.rjust(w) if i in numbers else cell.ljust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
