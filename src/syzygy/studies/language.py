"""Do representations first align with what is meant, and are they then compressed?  Words, and digits."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Literal

import pandas as pd
from pydantic import Field

from syzygy.checks import Evidence, findings
from syzygy.claims import Expectation
from syzygy.dimensions.language import DOUBT, doubts
from syzygy.errors import SpecificationError
from syzygy.networks import setting
from syzygy.recording import Schedule
from syzygy.result import Finding, Result, Table
from syzygy.studies.claims import language as claims
from syzygy.studies.drawings import language as drawings
from syzygy.studies.study import Count, Networks, PositiveFloat, Recorded, Seeds, Study
from syzygy.studies.tables import language as tables
from syzygy.studies.tables.language import Ruler
from syzygy.studies.tables.turning import courses
from syzygy.tasks.commands import VERBS
from syzygy.training import Job, Trainable
from syzygy.training.sequences import SequenceTraining, watched_commands
from syzygy.trajectory import Trajectory

#: Who learns digits: one network of each kind, all with Adam.
ADAM: Final = {"optimiser": "adam", "learning_rate": 2e-3, "layer": "hidden.0", "steps": 2000}
PERCEPTRON: Final = {"depth": 4, "width": 64, "activation": "relu"}
NETWORKS: Final = tuple(
    setting({**ADAM, **changes})
    for changes in (
        {"like": "relu", "name": "mlp", **PERCEPTRON, "gain": 0.5},
        {"like": "skip", "name": "residual", **PERCEPTRON, "gain": 0.4},
        {"like": "cnn", "name": "cnn", "activation": "leaky_relu", "width": 33, "depth": 1, "gain": 1.0},
        {"like": "transformer", "name": "transformer", "width": 24, "learning_rate": 4e-3, "steps": 1000},
    )
)
#: A network that does less than this of its learned commands right has not learned them.
LEARNED: Final = 0.95

Natural = Annotated[int, Field(ge=0)]
Decay = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Language(Study):
    """Train encoder–decoders on commands, and networks of the catalogue on digits; measure both as language.

    Attributes
    ----------
    networks
        Names of the catalogue, or tables that change one, that learn digits.  All hidden layers are watched.
    learned, pairs, task_seed
        Of the task: commands to learn, pairs of verb and direction that are held out, and the seed that draws both.
    watched
        So many commands of each part are watched: learned, held out, unseen.
    widths, weight_decays
        A setting for each width and each decay of the weights.
    depth, heads
        Blocks of encoder and decoder, heads of attention.
    updates, batch_size, learning_rate
        Of the networks that learn commands, by Adam.
    record
        Steps at which these are watched.
    steps
        Of the networks that learn digits, in place of each network's own.
    images_per_update, per_class, probe_seed
        Digits in an update; held-out digits of each class that are watched, and the seed that draws them.
    image_record
        Steps at which networks that learn digits are watched.
    bins, points
        Of the binned and of the soft estimator.
    permutations
        Shuffles of the labels after training.
    """

    about: ClassVar[str] = "sequences and digits: do representations align with meaning, and are then compressed?"
    title: ClassVar[str] = "Representations as language"
    question: ClassVar[str] = (
        "How regularly do representations tell words and classes while they are learned, and are there two phases: "
        "first alignment, then compression?"
    )
    references: ClassVar[tuple[str, ...]] = ("language", "soft-entropy", "commands", "digits")
    expectations: ClassVar[tuple[Expectation, ...]] = claims.EXPECTATIONS

    study: Literal["language"] = "language"
    networks: Networks = NETWORKS
    seeds: Seeds = (0, 1, 2, 3)
    learned: Count = 1000
    pairs: Annotated[int, Field(ge=1, le=len(VERBS))] = 6
    task_seed: Natural = 0
    watched: Count = 100
    widths: Annotated[tuple[Count, ...], Field(min_length=1)] = (32,)
    weight_decays: Annotated[tuple[Decay, ...], Field(min_length=1)] = (0.0, 0.1)
    depth: Count = 2
    heads: Count = 4
    updates: Count = 3000
    batch_size: Count = 32
    learning_rate: PositiveFloat = 1e-3
    record: Recorded = Schedule("log", 17)
    steps: Count | None = None
    images_per_update: Count = 64
    per_class: Annotated[int, Field(ge=5)] = 50
    probe_seed: Natural = 0
    image_record: Recorded = Schedule("log", 10)
    bins: Annotated[int, Field(ge=2)] = 20
    points: Annotated[int, Field(ge=2)] = 100
    permutations: Natural = 39

    def jobs(self) -> dict[str, Trainable]:
        """Give what must be trained: each setting on commands, each network on digits."""
        names = [*self._settings(), *(network.name for network in self.networks)]
        if len(set(names)) != len(self.widths) * len(self.weight_decays) + len(self.networks):
            raise SpecificationError(f"networks, widths and weight_decays must differ; got {', '.join(names)}")
        commands = {
            name: SequenceTraining(
                seeds=self.seeds,
                options={"learned": self.learned, "pairs": self.pairs, "seed": self.task_seed},
                watched=self.watched,
                width=width,
                depth=self.depth,
                heads=self.heads,
                updates=self.updates,
                batch_size=self.batch_size,
                learning_rate=self.learning_rate,
                weight_decay=decay,
                record=self.record,
                precision=self.precision,
            )
            for name, (width, decay) in self._settings().items()
        }
        watched_commands(next(iter(commands.values())))  # refused now, where there are too few
        return commands | {network.name: self._job(network.name) for network in self.networks}

    def _settings(self) -> dict[str, tuple[int, float]]:
        """Name the networks that learn commands."""
        return {
            f"width {width}" + (f" decay {decay:g}" if decay else ""): (width, decay)
            for width in self.widths
            for decay in self.weight_decays
        }

    def _job(self, name: str) -> Job:
        (network,) = (one for one in self.networks if one.name == name)
        layers = [f"hidden.{index}" for index in range(network.depth + 2 * (network.type == "convolutional"))]
        if network.type == "transformer":
            layers = [f"mean({layer})" for layer in layers]
        return Job(
            task="digits",
            options={"per_class": self.per_class, "probe_seed": self.probe_seed, "held_out": True},
            network=network.model_copy(update={"steps": self.steps or network.steps}),
            seeds=self.seeds,
            record=self.image_record,
            batch_size=self.images_per_update,
            precision=self.precision,
            layers=tuple(layers),
        )

    def analyse(self, trajectories: Mapping[str, Trajectory]) -> Result:
        """Measure every network at every recorded step, find each one's turn, and what happens on its two sides."""
        there = {name: one for name, one in trajectories.items() if "trained" in one.fates}
        if not there:
            return self.nothing(trajectories, "No network has been trained: there is nothing to measure.")
        own = {name: there[name] for name in self._settings() if name in there}
        seen = {one.name: there[one.name] for one in self.networks if one.name in there}
        ruler = Ruler(self.bins, self.points, self.permutations)
        turned = {key: step for name, one in there.items() for key, step in tables.turns(one, name).items()}
        spoken = tables.joined([tables.sequences(one, name, ruler) for name, one in own.items()], tables.FOLLOWED)
        pictured = tables.joined([tables.images(one, name, ruler) for name, one in seen.items()], tables.FOLLOWED)
        right = tables.joined([tables.done_right(one, name) for name, one in own.items()], tables.RIGHT)
        told = tables.learning(right, turned)
        by_words, by_classes = courses(spoken, turned), courses(pictured, turned)
        cases = claims.measured(by_words, by_classes, spoken, told, pictured[tables.is_last(pictured)])
        evidence = [Evidence(name, trajectories.get(name), None, job.seeds) for name, job in self.jobs().items()]
        at_turn = pd.DataFrame([(*key, step) for key, step in turned.items()], columns=["network", "seed", "turn"])
        return self.answer(
            trajectories,
            summary=claims.summary(told, by_words, cases),
            findings=(*findings(evidence), *_few(spoken, pictured), *_unlearned(told)),
            tables=(*_of_words(told, by_words, spoken), *_of_classes(by_classes, pictured)),
            figures=(
                *((drawings.learning(right, told), drawings.phases(spoken, told)) if own else ()),
                *((drawings.layers(pictured, at_turn, one) for one in ("binned", "soft")) if seen else ()),
            ),
            claims=[self.claim(name, values) for name, values in cases.items()],
        )


LEARNING: Final = (
    "Every network that learns commands: its turn, the first recorded step at which the loss has done 90% of its fall; "
    "the loss at the end; and the shares of learned, held-out and unseen commands that are done right at the end, and "
    "at the turn."
)
PHASES: Final = (
    "What happens up to the turn and after it: what is gained of each number (without bias), and its slope per tenfold "
    "step from the turn on, means over seeds with 95% intervals."
)
AT_THE_END: Final = (
    "After training, means over seeds: each number, what shuffled labels give, and what is left without that bias; the "
    "largest p of a seed; how many items and labels it is of; and the same untrained. information, variation and "
    "regularity are over log n, share and residual over H(Z), disentanglement in nats."
)


def _of_words(told: pd.DataFrame, sides: pd.DataFrame, spoken: pd.DataFrame) -> tuple[Table, ...]:
    if not len(told):
        return ()
    return (
        Table("learning", LEARNING, told),
        Table("phases", PHASES, tables.summed(sides)),
        Table("words", AT_THE_END, tables.at_the_end(spoken)),
    )


def _of_classes(sides: pd.DataFrame, pictured: pd.DataFrame) -> tuple[Table, ...]:
    if not len(pictured):
        return ()
    return (
        Table("layer_phases", f"Networks that learn digits, every layer. {PHASES}", tables.summed(sides)),
        Table("classes", f"Networks that learn digits, every layer. {AT_THE_END}", tables.at_the_end(pictured)),
    )


def _few(*spoken: pd.DataFrame) -> tuple[Finding, ...]:
    """Doubt numbers of few items."""
    lines = [
        f"{name}, {line}"
        for some in spoken
        for name, one in some.groupby("network", sort=False)
        for line in doubts(one)
    ]
    return (Finding(*DOUBT, tuple(lines)),) if lines else ()


def _unlearned(told: pd.DataFrame) -> tuple[Finding, ...]:
    """Doubt what is said of networks that have not learned their commands."""
    poor = told[told["learned"] < LEARNED]
    lines = tuple(
        f"{name}: seed {seed} does {share:.0%} of them right"
        for name, seed, share in zip(poor["network"], poor["seed"], poor["learned"], strict=True)
    )
    return (Finding("SZ026", "Learned commands are not done right", lines),) if lines else ()
