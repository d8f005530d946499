"""What is seen of one network while it learns, kept step by step: in memory, or in a folder that survives a kill."""

from syzygy.journal.contained import contained
from syzygy.journal.folder import FolderJournal
from syzygy.journal.found import opened, read
from syzygy.journal.journal import Journal, Row
from syzygy.journal.manifest import SCHEMA, Manifest, Precision, is_journal
from syzygy.journal.memory import MemoryJournal
from syzygy.journal.tree import METADATA, Tree, counted

__all__ = [
    "METADATA",
    "SCHEMA",
    "FolderJournal",
    "Journal",
    "Manifest",
    "MemoryJournal",
    "Precision",
    "Row",
    "Tree",
    "contained",
    "counted",
    "is_journal",
    "opened",
    "read",
]
