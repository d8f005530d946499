"""The command line: it asks the library, and says what came out.

Results go to standard output, progress to standard error.  The user's mistakes end in one line and status 2, an
interrupt in status 130; what was trained or compared until then is kept.
"""

from syzygy.cli import compare, extract, fit, known, layers, predict, studies  # noqa: F401  (each registers its commands)
from syzygy.cli.command import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line."""
    app(prog_name="syzygy")
