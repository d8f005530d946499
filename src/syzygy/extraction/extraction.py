"""What is extracted: which network, shown what, and how much of it is kept."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from syzygy.errors import RunError
from syzygy.extraction.checkpoints import Checkpoint, state_of
from syzygy.extraction.inputs import probes
from syzygy.extraction.items import Items
from syzygy.extraction.sources.source import Source
from syzygy.extraction.view import View
from syzygy.journal import FolderJournal, Journal, Manifest, MemoryJournal, Row
from syzygy.journal.folder import LOCK, TREE
from syzygy.journal.manifest import is_journal
from syzygy.recorder.identity import INPUTS_BYTES, structure, weights
from syzygy.recorder.state import fill
from syzygy.recorder.targets import Targets
from syzygy.recording import Layer
from syzygy.versions import versions

#: Targets larger than this, as 64-bit numbers, are not kept, as inputs are not.  Both are held, where nothing else is
#: that grows with the number of items.
TARGETS_BYTES: Final = 64_000_000

#: Told the share of the work that was just done.
Progress = Callable[[float], None]


@dataclass(frozen=True)
class Extraction:
    """What is extracted.

    Attributes
    ----------
    source
        The model; with checkpoints its weights are replaced.
    items
        What it is shown.
    view
        What is watched.
    checkpoints
        Its weights at each step; none for those that it has.
    targets
        Of the items.
    batch
        Items that are shown at once.
    seed
        Of random weights.
    """

    source: Source
    items: Items
    view: View
    checkpoints: tuple[Checkpoint, ...]
    targets: Targets
    batch: int
    seed: int

    @property
    def steps(self) -> tuple[int, ...]:
        """Of the checkpoints; 0 without."""
        return tuple(one.step for one in self.checkpoints) or (0,)

    def run(self, out: Path | None, progress: Progress | None = None) -> Journal:
        """Show all items at every step that is missing, and keep what is seen as it comes.

        A step that was cut short goes on after the last chunk that is whole.

        Parameters
        ----------
        out
            A folder; what it has is not shown again.  None for memory.
        progress
            Told the share of the work that was just done.

        Returns
        -------
        Journal
            Closed: it can be read, and others may write.

        Raises
        ------
        RunError
            A folder that holds something else, or is in use.
        DataError, ShapeError
            An item that cannot be shown, or whose representation cannot be kept.
        """
        done = progress or _nobody
        journal: Journal = MemoryJournal(self.manifest()) if out is None else self._opened(out)
        with closing(journal):
            there = journal.steps
            missing = [step for step in self.steps if step not in there]
            if missing and there and missing[0] < there[-1]:
                raise RunError(
                    f"{out} goes to step {there[-1]}, and lacks step {missing[0]} before it; name another folder"
                )
            done(1 - len(missing) / len(self.steps))
            for step in missing:
                for one in self.checkpoints:
                    if one.step == step:
                        fill(self.source.model, state_of(one.path), one.path)
                with journal.step(step, resume=True) as row:
                    self._show(row, lambda share: done(share / len(self.steps)))
        return journal

    def manifest(self) -> Manifest:
        """Say what is the same at every step."""
        told: dict[str, Any] = {
            "network": {"name": self.source.name},
            "source": dict(self.source.about),
            "shown": self.items.place,
            "layers": [{"label": one, "pooling": Layer.parse(one).pooling} for one in self.view.shapes],
            "weights": "" if self.checkpoints else weights(self.source.model),
            "checkpoints": {str(one.step): f"{one.path.name} {one.digest()}" for one in self.checkpoints},
            "seed": self.seed,
            "versions": versions(),
        }
        return Manifest(
            items=self.items.names,
            inputs=self._inputs(),
            targets=self.targets.values,
            model=structure(self.source.model),
            data=self.items.digest(),
            seed=self.seed,
            precision=self.view.precision,
            about=told,
        )

    def _opened(self, out: Path) -> FolderJournal:
        """Begin a recording, or go on with one of the same extraction."""
        _free(out)
        manifest = self.manifest()
        if not (is_journal(out) and (out / TREE).is_dir()):
            return FolderJournal.create(out, manifest)
        journal = FolderJournal.open(out)
        try:
            if journal.steps or journal.partial is not None:
                journal.manifest = _continued(journal.manifest, manifest, out)
                journal.manifest.save(out)
                return journal
        except BaseException:
            journal.close()
            raise
        journal.close()
        return FolderJournal.create(out, manifest)

    def _show(self, row: Row, done: Progress) -> None:
        """Show all items that are not there yet."""
        count, targets = len(self.items), self.targets.values
        done(row.filled / count)
        if row.filled < count:
            for first, probe in probes(self.items, self.source, self.batch, row.filled):
                seen, before = self.view.seen(self.source.model, probe), row.filled
                new = slice(before - first, None)  # a batch goes on inside of a chunk
                row.put(before, seen.outputs[new], {label: values[new] for label, values in seen.layers.items()})
                done((row.filled - before) / count)
        if targets is not None:
            squares = (((part - targets[first : first + len(part)]) ** 2).sum() for first, part in row.outputs())
            row.loss = 0.5 * float(sum(squares)) / targets.size

    def _inputs(self) -> NDArray[np.float32] | None:
        """Gather the inputs, as numbers, if they are small; differences of inputs are what theory starts from."""
        _, few = next(probes(self.items.first(1), self.source, 1))
        width = few.flat.shape[1]
        if not width or 4 * width * len(self.items) > INPUTS_BYTES:
            return None
        parts = [probe.flat for _, probe in probes(self.items, self.source, self.batch)]
        return np.concatenate(parts) if len({part.shape[1] for part in parts}) == 1 else None


def holds(outputs: int, items: int) -> bool:
    """Whether targets for so many items are few enough to be held."""
    return 8 * outputs * items <= TARGETS_BYTES


def _nobody(_: float) -> None:
    """Hear of progress, and do nothing."""


def _free(out: Path) -> None:
    """Refuse a file, and a folder that is used for something else."""
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file, not a folder of representations; name another")
    if out.is_dir() and not is_journal(out) and any(path.name != LOCK for path in out.iterdir()):
        raise RunError(f"{out} exists and holds something else; name another folder, nothing was changed")


def _continued(before: Manifest, now: Manifest, out: Path) -> Manifest:
    """Give the manifest of an extraction that goes on; checkpoints may have been added."""
    known, asked = before.about.get("checkpoints", {}), now.about["checkpoints"]
    same = {
        "model": before.model == now.model,
        "weights": before.about.get("weights") == now.about["weights"],
        "items": before.items == now.items,
        "inputs": before.data == now.data,
        "targets": np.array_equal(np.asarray(before.targets, float), np.asarray(now.targets, float), equal_nan=True),
        "layers": before.about.get("layers") == now.about["layers"],
        "precision": before.precision == now.precision,
        "seed": before.seed == now.seed,
        "checkpoints": bool(known) == bool(asked) and all(known[step] == asked[step] for step in known.keys() & asked),
    }
    if odd := [what for what, is_same in same.items() if not is_same]:
        raise RunError(
            f"{out} holds another extraction, with other {', '.join(odd)}; name another folder, nothing was changed"
        )
    return replace(before, about={**before.about, "checkpoints": known | asked})
