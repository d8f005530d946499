"""Networks that learn from sequences to sequences: encoder–decoders on commands and the actions they ask for."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from syzygy.cost import Cost
from syzygy.errors import SpecificationError
from syzygy.networks.encoder_decoder import EXPANSION, EncoderDecoder
from syzygy.recording import Schedule
from syzygy.seeds import stream
from syzygy.snapshot import Snapshot
from syzygy.store import Store
from syzygy.tasks.commands import ACTIONS, LONGEST, WORDS, commands, encode
from syzygy.training.job import OVERHEAD, REPORT_EVERY
from syzygy.training.plan import Precision
from syzygy.training.sequence_learner import LAYER, Rows, SequenceLearner
from syzygy.training.threads import one_thread
from syzygy.training.trainable import Progress
from syzygy.training.training import Training
from syzygy.trajectory import Trajectory
from syzygy.versions import versions

#: The three parts that are watched, in the order of the items.
PARTS: Final = ("learned", "held_out", "unseen")
#: Updates that are timed, after as many that are not.
TIMED: Final = 8


@dataclass(frozen=True)
class SequenceTraining(Training):
    """Encoder–decoders that learn commands with Adam: each action is told from the commands and the actions before it.

    What it gives is a trajectory of the watched commands.  ``loss`` is the cross-entropy of an action, in nats, over
    those of them that are learned; ``inputs`` are numbers of words, ``targets`` those of actions, and ``outputs`` the
    actions that are likeliest where all before are right.  A command is done right if all its actions are: the same
    commands are, if a network reads its own actions instead.  The layer ``encoder`` keeps the encoder's output for each
    word, ``(network, step, item, position, unit)``.

    Attributes
    ----------
    options
        Of :func:`syzygy.tasks.commands.commands`.
    watched
        So many commands of each part: learned, held out, unseen.
    width, depth, heads
        Of :class:`~syzygy.networks.encoder_decoder.EncoderDecoder`.
    updates, batch_size, learning_rate
        Number of updates, commands in each, step size.
    weight_decay
        Share of the step size by which weights shrink at each update (Loshchilov & Hutter 2019).
    record
        Updates after which networks are watched.
    precision
        ``float32`` or ``float64``; initial weights are the same but for rounding.
    device
        Where to train, as PyTorch names it.  It is not part of what identifies the numbers, for only rounding differs;
        commands are drawn on the processor.

    Raises
    ------
    SpecificationError
        A number out of range.
    """

    options: dict[str, Any] = field(default_factory=dict)
    watched: int = 150
    width: int = 32
    depth: int = 2
    heads: int = 4
    updates: int = 3000
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    record: Schedule = field(default_factory=lambda: Schedule("log", 20))
    precision: Precision = "float32"
    device: str = "cpu"

    def __post_init__(self) -> None:
        if min(self.watched, self.updates, self.batch_size) < 1 or self.learning_rate <= 0 or self.weight_decay < 0:
            raise SpecificationError(
                "watched, updates and batch_size are 1 or more, learning_rate above 0, weight_decay 0 or more; got "
                f"{self.watched}, {self.updates}, {self.batch_size}, {self.learning_rate:g} and {self.weight_decay:g}"
            )
        with torch.device("meta"):  # what cannot be built is refused now
            self._network()

    def _network(self) -> EncoderDecoder:
        return EncoderDecoder(
            len(WORDS), len(ACTIONS), longest=LONGEST, width=self.width, depth=self.depth, heads=self.heads
        )

    def asked(self) -> dict[str, Any]:
        """Give what identifies the numbers."""
        told = {name: value for name, value in asdict(self).items() if name not in ("device", "seeds", "record")}
        return {"training": "sequences", **told, "seeds": list(self.seeds), "record": str(self.record)}

    @property
    def work(self) -> float:
        """About how long it takes, in multiplications."""
        return self._update * self.updates * len(self.seeds)

    @property
    def _update(self) -> float:
        """Count the multiplications of an update: forwards, and twice that backwards."""
        block = (4 + 2 * EXPANSION) * self.width**2  # what attends to the words has four matrices more
        positions = LONGEST[0] * block + LONGEST[1] * (block + 4 * self.width**2)
        return 3.0 * self.batch_size * (self.depth * positions + LONGEST[1] * self.width * len(ACTIONS)) + OVERHEAD

    def estimate(self) -> Cost:
        """Measure a few updates and a look, and say what all will take."""
        begun = time.perf_counter()
        with one_thread():
            course = self._learner(self.seeds[0])
            begin, seen = time.perf_counter() - begun, _timed(course.see)
            pace = float(np.median([_timed(lambda: course.update(0)) for _ in range(2 * TIMED)][TIMED:]))
        looks = len(self.record.at(self.updates))
        row = sum(value.nbytes for value in course.see().values())
        return Cost(
            len(self.seeds) * (begin + self.updates * pace + looks * seen),
            len(self.seeds) * (looks * row + sum(3 * p.nbytes for p in course.network.parameters())),
        )

    def run(
        self,
        store: Store,  # noqa: ARG002  (it needs nothing from there)
        snapshot: Path | None = None,
        progress: Progress = lambda _: None,
    ) -> Trajectory:
        """Train one network after the other.

        Raises
        ------
        SpecificationError
            Options or a network that cannot be; :class:`~syzygy.errors.UnknownName` for names.
        RunError
            A snapshot that is damaged, or of another training.
        """
        parts = self.parts()
        kept = [Snapshot(_of(snapshot, part.seeds, self.seeds)) if snapshot else None for part in parts]
        with one_thread():
            seen = [part._learn(one, progress) for part, one in zip(parts, kept, strict=True)]
        for one in kept:
            if one:
                one.done()
        return Trajectory.join(seen)

    def _learn(self, kept: Snapshot | None, progress: Progress) -> Trajectory:
        """Train the one network there is; its last state stays in the snapshot."""
        asked = json.dumps(self.asked() | {"device": self.device}, sort_keys=True)
        course, steps = self._learner(self.seeds[0]), self.record.at(self.updates)
        place = {int(step): row for row, step in enumerate(steps)}
        state, told = (kept.load(asked) if kept else None) or ({}, {"step": 0})
        rows: Rows = {name.removeprefix("rows."): v.numpy() for name, v in state.items() if name.startswith("rows.")}
        if state:
            course.restore(state)

        def keep(step: int) -> None:
            if kept:
                kept.save(
                    course.state() | {f"rows.{k}": torch.from_numpy(v) for k, v in rows.items()}, {"step": step}, asked
                )

        for step in range(told["step"], self.updates + 1):
            if kept and kept.due:
                keep(step)
            if step in place:
                for name, value in course.see().items():
                    rows.setdefault(name, np.full((1, len(steps), *value.shape), np.nan, value.dtype))
                    rows[name][0, place[step]] = value
                if not np.isfinite(rows["loss"][0, place[step]]):
                    break
            if step < self.updates:
                course.update(step)
                if (step + 1) % REPORT_EVERY == 0:
                    progress(REPORT_EVERY * self._update)
        keep(self.updates + 1)
        return self._trajectory(rows)

    def _learner(self, seed: int) -> SequenceLearner:
        learned = commands(**self.options).learned
        if self.batch_size > len(learned):
            raise SpecificationError(
                f"batch_size is at most the {len(learned)} learned commands; got {self.batch_size}"
            )
        with torch.random.fork_rng(devices=[]):  # PyTorch's modules draw from the one global generator
            torch.default_generator.manual_seed(stream(seed, "weights"))
            made = self._network()
        return SequenceLearner(
            made.to(self.device, getattr(torch, self.precision)),
            seed,
            self._coded(learned),
            self._coded(watched_commands(self)),
            scored=self.watched,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
        )

    def _coded(self, some: tuple[str, ...]) -> tuple[Tensor, Tensor]:
        words, actions = (torch.from_numpy(part).to(self.device) for part in encode(some))
        return words, actions

    def _trajectory(self, rows: Rows) -> Trajectory:
        watched = watched_commands(self)
        words, actions = encode(watched)
        return Trajectory.of(
            steps=self.record.at(self.updates),
            loss=rows["loss"],
            outputs=rows["outputs"],
            representations={LAYER: rows[LAYER]},
            inputs=words.astype(np.float64),
            targets=actions.astype(np.float64),
            items=watched,
            seeds=self.seeds,
            fates=["trained" if np.isfinite(rows["loss"][0, -1]) else "diverged"],
            about=self.asked() | {"versions": versions(), "parts": PARTS},
        )


def watched_commands(asked: SequenceTraining) -> tuple[str, ...]:
    """Name the commands at which networks are watched: so many of each part.

    Raises
    ------
    SpecificationError
        A part that has fewer.
    """
    drawn = commands(**asked.options)
    for part in PARTS:
        if len(getattr(drawn, part)) < asked.watched:
            raise SpecificationError(
                f"watched is at most the {len(getattr(drawn, part))} commands of the part {part}; got {asked.watched}"
            )
    return tuple(one for part in PARTS for one in getattr(drawn, part)[: asked.watched])


def _of(snapshot: Path, seeds: tuple[int, ...], every: tuple[int, ...]) -> Path:
    """Name the file of one network's state, where there are several."""
    return snapshot if seeds == every else snapshot.with_stem(f"{snapshot.stem}-{seeds[0]}")


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
