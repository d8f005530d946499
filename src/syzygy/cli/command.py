"""How a command is registered, and how its mistakes end: in one line."""

import functools
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from syzygy.console import complain
from syzygy.errors import SyzygyError

#: What typer raises for a command that it cannot read.
USAGE_ERROR: Any = typer.BadParameter.__mro__[1]


class _OneLine(TyperGroup):
    """Says what is wrong with a command in one line, as everything else here does."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        return _in_one_line(super().make_context, *args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        return _in_one_line(super().invoke, ctx)


def _in_one_line(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return function(*args, **kwargs)
    except USAGE_ERROR as mistake:
        if type(mistake).__name__ == "NoArgsIsHelpError":  # no mistake: it shows the help
            raise
        context = getattr(mistake, "ctx", None)
        tip = f"; {context.command_path} -h shows what there is" if context else ""
        complain(f"{mistake.format_message().rstrip('.')}{tip}")
        raise typer.Exit(2) from None


app = typer.Typer(
    cls=_OneLine,
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="When, how and why do the representations of neural networks align?",
)

Json = Annotated[bool, typer.Option("--json", help="Machine-readable output on standard output.")]


def command(name: str, example: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command whose mistakes end in one line."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> None:
            try:
                function(*args, **kwargs)
                sys.stdout.flush()  # here, where a reader that has gone away can still be met
            except SyzygyError as mistake:
                complain(str(mistake))
                raise typer.Exit(2) from None
            except KeyboardInterrupt:
                raise typer.Exit(130) from None
            except BrokenPipeError:  # whoever read standard output has seen enough
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise typer.Exit(1) from None
            except OSError as failed:
                complain(f"{failed.strerror or failed}{f': {failed.filename}' if failed.filename else ''}")
                raise typer.Exit(1) from None

        app.command(name, epilog=f"Example: {example}")(guarded)
        return function

    return register
