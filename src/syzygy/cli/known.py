"""What there is, and what to cite."""

from syzygy.cli.command import Json, command
from syzygy.console import print_json
from syzygy.measures import MEASURES
from syzygy.networks import catalogue
from syzygy.result import REFERENCES
from syzygy.studies import STUDIES
from syzygy.tasks import TASKS


@command("list", "syzygy list")
def list_(as_json: Json = False) -> None:
    """List studies, tasks, networks and measures, one line each."""
    networks = {
        name: f"{row.about}: {row.type}, {row.activation}, width {row.width}, depth {row.depth}, gain {row.gain:g}"
        for name, row in catalogue().items()
    }
    tasks = {name: (make.__doc__ or "").split("\n")[0] for name, make in TASKS.items()}
    known = {"studies": {name: kind.about for name, kind in STUDIES.items()}, "tasks": tasks, "networks": networks,
             "measures": {name: kind.about for name, kind in MEASURES.items()}}  # fmt: skip
    if as_json:
        print_json(known)
        return
    for title, rows in known.items():
        print(title)
        width = max(map(len, rows))
        for name, about in rows.items():
            print(f"  {name:<{width}}  {about}")


@command("cite", "syzygy cite")
def cite(as_json: Json = False) -> None:
    """Say what to cite."""
    if as_json:
        print_json(dict(REFERENCES))
        return
    for key, reference in REFERENCES.items():
        print(f"{key}: {reference}")
