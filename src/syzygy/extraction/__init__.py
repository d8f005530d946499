"""Representations of models and checkpoints that others made: sources, inputs, streams to disk."""

from syzygy.extraction.checkpoints import Checkpoint, apart, series
from syzygy.extraction.extract import extract, extraction_of, taken
from syzygy.extraction.extraction import Extraction
from syzygy.extraction.inputs import shown
from syzygy.extraction.items import Items
from syzygy.extraction.plan import Plan, plan
from syzygy.extraction.source import Source, source

__all__ = [
    "Checkpoint",
    "Extraction",
    "Items",
    "Plan",
    "Source",
    "apart",
    "extract",
    "extraction_of",
    "plan",
    "series",
    "shown",
    "source",
    "taken",
]
