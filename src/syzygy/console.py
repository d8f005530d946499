"""What the command line shows: progress on standard error, answers in a few lines, or as JSON."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table as Grid

from syzygy.cost import Plan
from syzygy.errors import SyzygyError
from syzygy.result import Result
from syzygy.training import Trainable


@contextmanager
def bar(name: str, jobs: Sequence[Trainable]) -> Iterator[Callable[[float], None]]:
    """Show the work done and the time left, and give what is to be called with work done."""
    title = f"{name}: {len(jobs)} training{'s' * (len(jobs) != 1)}"
    with share_bar(title, sum(job.work for job in jobs)) as advance:
        yield advance


@contextmanager
def share_bar(title: str, total: float = 1.0) -> Iterator[Callable[[float], None]]:
    """Show how much of a total is done and the time left, and give what is to be called with what was just done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
    )
    with Progress(*columns, console=Console(stderr=True), speed_estimate_period=60) as bars:
        task = bars.add_task(title, total=total)
        try:
            yield lambda work: bars.advance(task, work)
        except SyzygyError:
            bars.console.quiet = not bars.console.is_terminal  # the mistake says it all
            raise
        bars.update(task, completed=total)


def say_plan(plan: Plan, processes: int) -> None:
    """Say what the training will cost, and what cannot be run, before anything starts."""
    for name, some in plan.costs.items():
        if some:
            took = duration(sum(one.seconds for one in some))
            print(f"{name:<24} {len(some):>4} trainings, at most {took} of one core", file=sys.stderr)
    for name, why in plan.trouble.items():
        complain(f"{name} cannot be run: {why}")
    memory = f", {size(plan.memory * processes)} of memory" if plan.memory else ""
    print(
        f"training takes at most {duration(plan.seconds(processes))} in {processes} process{'es' * (processes > 1)}"
        f"{memory}, {size(plan.bytes)} of disk before compression",
        file=sys.stderr,
    )


def duration(seconds: float) -> str:
    """Say how long something takes.

    Examples
    --------
    >>> duration(12.3), duration(600), duration(10_000)
    ('12 s', '10 min', '2.8 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def size(count: float) -> str:
    """Say how many bytes something takes.

    Examples
    --------
    >>> size(180_400), size(1.7e9), size(25)
    ('180 kB', '1.7 GB', '25 bytes')
    """
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{count / unit:.{0 if count >= 10 * unit else 1}f} {name}"
    return f"{count:.0f} bytes"


def spoken(result: Result) -> str:
    """Give a result's summary and findings as lines of a hundred characters."""
    grid = Grid.grid(padding=(0, 1))
    for line in result.summary:
        grid.add_row(line)
    for finding in result.findings:
        grid.add_row(f"{finding.code}  {finding.title} ({len(finding.details)})")
    console = Console(width=100)
    with console.capture() as captured:
        console.print(grid, markup=False)
    return "\n".join(line.rstrip() for line in captured.get().rstrip().splitlines())


def print_json(content: object) -> None:
    """Print what programs read on standard output."""
    print(json.dumps(content, indent=2, ensure_ascii=False))


def complain(line: str) -> None:
    """Say what went wrong in one line on standard error."""
    print(f"syzygy: {' '.join(line.split())}", file=sys.stderr)
