"""Folders that came from elsewhere, and shall not lead out of themselves."""

import os
from pathlib import Path

from syzygy.errors import DataError


def contained(folder: Path) -> None:
    """Refuse a folder with links that lead out of it: what a stranger sends shall not read one's other files.

    Raises
    ------
    DataError
        There is such a link.
    """
    home = folder.resolve()
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            entry = Path(place, name)
            if entry.is_symlink() and not entry.resolve().is_relative_to(home):
                raise DataError(f"{entry} is a link that leads out of {folder}; copy what it points at")
