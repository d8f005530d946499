"""Where a recording is kept: begun, or gone on with if it is of the same network, items and layers."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from syzygy.errors import RunError
from syzygy.journal import FolderJournal, Journal, Manifest, MemoryJournal, is_journal
from syzygy.journal.folder import TREE


def opened(store: str | Path | None, manifest: Manifest, resume: bool) -> Journal:
    """Open a folder, or memory where there is none.

    Parameters
    ----------
    store
        A folder; None for memory.
    manifest
        Of the recording.
    resume
        Whether to go on with what the folder holds, if it holds any step.

    Raises
    ------
    RunError
        A folder that holds steps of something else, or any without ``resume``; or that somebody writes to.
    """
    if store is None:
        return MemoryJournal(manifest)
    folder = Path(store)
    if resume and is_journal(folder) and (folder / TREE).is_dir():
        journal = FolderJournal.open(folder)
        if journal.steps:
            try:
                _check(folder, journal.manifest, manifest)
            except RunError:
                journal.close()
                raise
            return journal
        journal.close()
    return FolderJournal.create(folder, manifest)


def tell(journal: Journal, about: Mapping[str, Any]) -> None:
    """Say more of a recording that has no step yet; what was said before counts."""
    if not journal.steps:
        journal.manifest = replace(journal.manifest, about={**about, **journal.manifest.about})
        if isinstance(journal, FolderJournal):
            journal.manifest.save(journal.folder)


def _check(folder: Path, held: Manifest, asked: Manifest) -> None:
    """Refuse to mix recordings; the first weights may differ, for a resumed training starts from later ones."""
    for what, before, now in (
        ("a model of another structure", held.model, asked.model),
        ("another probe, other names or other targets", held.data, asked.data),
        ("other layers", held.about.get("layers"), asked.about.get("layers")),
        ("another precision", held.precision, asked.precision),
    ):
        if before != now:
            raise RunError(f"{folder} holds a recording of {what}; give another folder, or what it was begun with")
