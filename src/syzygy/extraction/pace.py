"""How fast an extraction is on this machine as it is now, measured on a few items."""

import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from syzygy.extraction.extraction import Extraction
from syzygy.extraction.inputs import probes
from syzygy.extraction.view import View
from syzygy.journal import FolderJournal, Manifest

#: So many items are shown first; they make all warm, and say whether a whole batch can be waited for.
SAMPLE: Final = 32

#: Measuring ends after so many seconds, or batches.
LONG: Final = 1.0
BATCHES: Final = 4


@dataclass(frozen=True)
class Pace:
    """How fast an extraction is, in seconds.

    Attributes
    ----------
    begin, step
        What a folder takes to be laid out, with its first step, and what each later step takes, beside their numbers.
    prepare, show
        What an item takes to be read and prepared, and to be shown, in batches.
    """

    begin: float
    step: float
    prepare: float
    show: float


def pace(extraction: Extraction) -> Pace:
    """Measure how fast an extraction is.

    Raises
    ------
    SyzygyError
        As :meth:`~syzygy.extraction.extraction.Extraction.run`, for these items.
    """
    return Pace(*_recording(extraction.view), *_showing(extraction))


def _recording(view: View) -> tuple[float, float]:
    """Record two steps of one item, in a folder that is gone afterwards."""
    layers = {label: np.zeros((1, *shape), np.float32) for label, shape in view.shapes.items()}
    outputs = np.zeros((1, view.outputs), np.float32)
    with TemporaryDirectory() as home:
        begun, ends = time.perf_counter(), []
        with FolderJournal.create(Path(home, "run"), Manifest(("item",), precision=view.precision)) as journal:
            for step in range(2):
                with journal.step(step) as row:
                    row.put(0, outputs, layers)
                ends.append(time.perf_counter())
    return ends[0] - begun, ends[1] - ends[0]


def _showing(extraction: Extraction) -> tuple[float, float]:
    """Show some batches as they will be shown: smaller ones than :data:`SAMPLE` tell little, larger ones may last."""
    items, source, view = extraction.items, extraction.source, extraction.view
    size = min(SAMPLE, extraction.batch)
    begun = time.perf_counter()
    _, probe = next(probes(items.first(size), source, size))
    view.seen(source.model, probe)
    if (time.perf_counter() - begun) * extraction.batch / size < LONG:
        size = extraction.batch
    prepared = shown = 0.0
    count, begun = 0, time.perf_counter()
    for _, probe in probes(items.first(BATCHES * size), source, size):
        ready = time.perf_counter()
        view.seen(source.model, probe)
        ended = time.perf_counter()
        prepared, shown, count = prepared + ready - begun, shown + ended - ready, count + len(probe)
        if prepared + shown > LONG:
            break
        begun = time.perf_counter()
    return prepared / count, shown / count
