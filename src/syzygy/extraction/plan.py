"""What an extraction will take: time, memory and disk, before anything is written."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from torch import nn

from syzygy.extraction.checkpoints import state_of
from syzygy.extraction.extraction import Extraction
from syzygy.extraction.inputs import placed, probes
from syzygy.extraction.pace import pace
from syzygy.journal.tree import HELD_BYTES
from syzygy.recorder.identity import INPUTS_BYTES
from syzygy.recorder.state import fill
from syzygy.recording import Probe, show, watchable
from syzygy.recording.pooling import tensors_in

#: Bytes a second that a disk takes, and that SHA-256 goes through, if nothing better is known.
DISK: Final = 2e8
HASHED: Final = 5e8


@dataclass(frozen=True)
class Plan:
    """What an extraction will take.

    Attributes
    ----------
    items, steps
        How many there are.
    layers
        By label, the shape of what each gives for an item: ``(unit,)`` or ``(position, unit)``.
    outputs
        Outputs of an item that are kept.
    disk
        Bytes; nothing is compressed.
    memory
        Bytes that are held at once beside the interpreter: weights, a batch, and what is written at once.
    seconds
        Of everything, on this machine as it is now.
    """

    items: int
    steps: int
    layers: Mapping[str, tuple[int, ...]]
    outputs: int
    disk: int
    memory: int
    seconds: float


def plan(extraction: Extraction) -> Plan:
    """Say what an extraction will take.

    Sizes on disk are exact but for names, inputs and targets.  Time is measured on a few batches and on a small
    recording in a temporary folder; memory follows from what the network's modules give for an item.  Both are
    estimates.

    Raises
    ------
    SyzygyError
        As :meth:`~syzygy.extraction.extraction.Extraction.run`, for these items.
    """
    source, view = extraction.source, extraction.view
    count, steps = len(extraction.items), len(extraction.steps)
    _, probe = next(probes(extraction.items.first(1), source, 1))
    loading, saved = 0.0, 0
    if extraction.checkpoints:
        one = extraction.checkpoints[0].path
        begun, saved = time.perf_counter(), one.stat().st_size
        fill(source.model, state_of(one), one)
        loading = time.perf_counter() - begun
    disk = count * steps * view.item_bytes
    weights = sum(one.nbytes for one in (*source.model.parameters(), *source.model.buffers()))
    inputs = sum(one.nbytes for one in probe.tensors)
    # What goes into a module and what comes out of it are there at once; so is a batch in float32 and as it is kept.
    item = 2 * inputs + 2 * _largest(source.model, probe) + 4 * view.item_bytes
    memory = weights + saved + item * min(extraction.batch, count) + min(HELD_BYTES, disk // steps)
    there = pace(extraction)
    passes = steps + (0 < 4 * probe.flat.size * count <= INPUTS_BYTES)  # small inputs are kept, after one pass more
    hashed = sum(one.path.stat().st_size for one in extraction.checkpoints) + inputs * count
    seconds = there.begin + (steps - 1) * there.step + steps * loading + disk / DISK + hashed / HASHED
    seconds += count * (passes * there.prepare + steps * there.show)
    return Plan(count, steps, dict(view.shapes), view.outputs, disk, memory, seconds)


def _largest(model: nn.Module, probe: Probe) -> int:
    """Give the bytes of the largest thing that any module gives for an item."""
    _, one = next(probe.batches(1))
    largest = 0

    def weigh(output: object) -> None:
        nonlocal largest
        largest = max([largest, *(tensor.nbytes for tensor in tensors_in(output))])

    show(model, placed(one, model), [(path, weigh) for path in watchable(model)])
    return largest
