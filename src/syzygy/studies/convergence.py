"""Do representations converge?  Every pair of networks, layers and steps, against chance and untrained networks."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

import pandas as pd
from pydantic import Field

from syzygy.checks import Evidence, findings
from syzygy.claims import Expectation
from syzygy.errors import DataError, SpecificationError
from syzygy.measures import Measure, measure
from syzygy.networks import Setting, setting
from syzygy.recording import Schedule
from syzygy.result import Result, Table
from syzygy.studies.claims.convergence import EXPECTATIONS, measured, summary
from syzygy.studies.drawings import convergence as drawings
from syzygy.studies.drawings import predicted as predictions
from syzygy.studies.study import Count, Networks, PositiveFloat, Recorded, Seeds, Study
from syzygy.studies.tables import alignments, captions, predicted, settling
from syzygy.studies.tables.alignments import SEEDS
from syzygy.tasks import TASKS, Task
from syzygy.training import Job
from syzygy.trajectory import Trajectory

#: Small networks of the catalogue that learn digits by plain gradient descent at one rate.
RATE, STEPS = 0.2, 2000
NETWORKS: Final = tuple(
    setting({"layer": "hidden.0", "learning_rate": RATE, "steps": STEPS, "width": 100, **changes})
    for changes in (
        {"like": "default", "name": "deep", "depth": 6},
        {"like": "shallow", "name": "shallow", "gain": 0.5},
        {"like": "tanh", "name": "tanh", "depth": 4, "gain": 1.0},
        {"like": "linear", "name": "linear", "depth": 4, "gain": 0.7},
        {"like": "skip", "name": "skip", "depth": 5, "gain": 0.5},
        {"like": "cnn", "name": "cnn", "depth": 2, "gain": 1.0, "width": 44},
    )
)
#: Pairs of networks that are named as those that stay apart, by measure and kind.
NAMED: Final = 5


def watched_layers(network: Setting) -> tuple[str, ...]:
    """Name the hidden layers, but for a convolutional network's last, which has one channel and ends in the readout."""
    return tuple(f"hidden.{index}" for index in range(network.depth + (network.type == "convolutional")))


class Convergence(Study):
    """Train networks of several architectures, and compare all their layers while they learn.

    Attributes
    ----------
    task
        ``digits``, bundled with scikit-learn, or ``mnist``.
    networks
        Names of the catalogue, or tables that change one.  Every hidden layer is watched, but for the last of a
        convolutional network.
    gains
        The first network is trained from these gains too, besides its own.
    steps, learning_rate
        Of all networks; by default the learning rate is each network's own.
    batch_size
        Items per update.
    per_class
        Probe images of each class; they are kept from training.
    probe_seed
        Seed that draws them.
    limit
        Use only the first so many images of MNIST.
    measures
        By which representations are compared; options as in ``cka:estimator=biased``.
    permutations
        So often items are shuffled where a measure's chance has no closed form; 2 or more.
    record
        Steps at which they are compared.
    """

    about: ClassVar[str] = "images, many architectures: do their representations align as they learn?"
    title: ClassVar[str] = "Convergence"
    question: ClassVar[str] = (
        "Do representations of different architectures, seeds and layers align as networks learn, beyond chance and "
        "beyond untrained networks?"
    )
    references: ClassVar[tuple[str, ...]] = ("theory", "initialisation")
    expectations: ClassVar[tuple[Expectation, ...]] = EXPECTATIONS

    study: Literal["convergence"] = "convergence"
    task: Literal["digits", "mnist"] = "digits"
    networks: Networks = NETWORKS
    seeds: Seeds = (0, 1, 2, 3)
    gains: tuple[PositiveFloat, ...] = (0.7, 0.85, 1.2, 1.4)
    steps: Count = STEPS
    learning_rate: PositiveFloat | None = None
    batch_size: Count = 64
    per_class: Annotated[int, Field(ge=1)] = 15
    probe_seed: Annotated[int, Field(ge=0)] = 0
    limit: Count | None = None
    measures: Annotated[tuple[str, ...], Field(min_length=1)] = ("cka", "procrustes", "mutual_knn")
    permutations: Annotated[int, Field(ge=2)] = 5
    record: Recorded = Schedule("log", 13)

    def jobs(self) -> dict[str, Job]:
        """Give what must be trained, by the network's name."""
        self._measures()
        every = [*self.networks, *self._at_gains().values()]
        names = [network.name for network in every]
        if len(set(names)) != len(names):
            raise SpecificationError(f"networks must have different names; got {', '.join(names)}")
        return {network.name: self._job(network) for network in every}

    def _at_gains(self) -> dict[float, Setting]:
        """Give the first network from other gains than its own, by gain."""
        first = self.networks[0]
        if len(set(self.gains)) != len(self.gains):
            raise SpecificationError(f"gains must differ; got {self.gains}")
        changes = {gain: {"name": f"{first.name}_gain_{gain:g}", "gain": gain} for gain in sorted(self.gains)}
        return {gain: first.model_copy(update=told) for gain, told in changes.items() if gain != first.gain}

    def _job(self, network: Setting) -> Job:
        changes = {"steps": self.steps, "learning_rate": self.learning_rate or network.learning_rate}
        return Job(
            task=self.task,
            options=self._options(),
            network=network.model_copy(update=changes),
            seeds=self.seeds,
            record=self.record,
            batch_size=self.batch_size,
            precision=self.precision,
            layers=watched_layers(network),
        )

    def _options(self) -> dict[str, Any]:
        """Give what the task is made with."""
        if self.limit is not None and self.task != "mnist":
            raise SpecificationError(f"limit is of the task mnist only; leave it out for {self.task}")
        limit = {} if self.limit is None else {"limit": self.limit}
        return {"per_class": self.per_class, "probe_seed": self.probe_seed, "held_out": True} | limit

    def _measures(self) -> list[Measure]:
        made = [measure(one) for one in self.measures]
        if len({one.label for one in made}) != len(made):
            raise SpecificationError(f"measures must differ; got {', '.join(self.measures)}")
        if unfit := [one.label for one in made if not one.symmetric]:
            raise SpecificationError(f"measures of this study are symmetric; {', '.join(unfit)} is not")
        return made

    def analyse(self, trajectories: Mapping[str, Trajectory]) -> Result:
        """Compare every pair of layers at every step, and with what the theory predicts."""
        own = {one.name: trajectories[one.name] for one in self.networks if one.name in trajectories}
        evidence = [Evidence(name, trajectories.get(name), None, job.seeds) for name, job in self.jobs().items()]
        some = alignments.places(own)
        if len({(one.network, one.row) for one in some}) < 2:
            return self.nothing(trajectories, "Fewer than two networks have been trained: there is nothing to compare.")
        chosen = self._measures()
        every = alignments.every_pair(own, some, chosen, self.permutations)
        pairs = alignments.matched(every, some)
        last = pairs[pairs["step"] == pairs["step"].max()]
        settled = settling.settling(own, some, chosen, pairs)
        gains = self._gains(trajectories, pairs)
        task, missing = self._task()
        theory = predicted.against_measured(own, some, task)
        final = theory[theory["step"] == theory["step"].max()]
        told = measured(last, settled, gains[gains["step"] == gains["step"].max()], final)
        training, layers = alignments.over_training(pairs), settling.by_layer(settled)
        least = alignments.apart(pairs, NAMED)
        return self.answer(
            trajectories,
            summary=(*summary(training, told, least), *missing),
            findings=findings(evidence),
            tables=(
                Table("alignment", captions.ALIGNMENT, training),
                Table("depths", captions.DEPTHS, alignments.by_depth(pairs)),
                Table("architectures", captions.ARCHITECTURES, alignments.by_architecture(pairs)),
                Table("apart", captions.APART, least),
                Table("layers", captions.LAYERS, layers),
                Table("gains", captions.GAINS, gains[gains["step"] == gains["step"].max()]),
                Table("theory", captions.THEORY, predicted.summed(final)),
                Table("networks", captions.NETWORKS, _networks(trajectories)),
            ),
            figures=(
                drawings.over_training(training),
                drawings.every_layer(every.isel(step=-1), some),
                drawings.half_ways(settled),
                drawings.gains(gains),
                predictions.over_training(predicted.summed(theory)),
                predictions.over_depth(final),
            ),
            claims=[self.claim(name, cases) for name, cases in told.items()],
            detail=self.task,
            references=(self.task,),
        )

    def _gains(self, trajectories: Mapping[str, Trajectory], pairs: pd.DataFrame) -> pd.DataFrame:
        """Compare seeds of the first network at each gain: a row for each measure, gain and step."""
        first = self.networks[0]
        found = [pairs[(pairs["kind"] == SEEDS) & (pairs["network"] == first.name)].assign(gain=first.gain)]
        for gain, network in self._at_gains().items():
            some = {network.name: trajectories[network.name]} if network.name in trajectories else {}
            places = alignments.places(some)
            if len({one.row for one in places}) > 1:
                every = alignments.every_pair(some, places, self._measures(), self.permutations)
                found.append(alignments.matched(every, places).assign(gain=gain))
        return alignments.by_gain(pd.concat(found, ignore_index=True))

    def _task(self) -> tuple[Task | None, tuple[str, ...]]:
        """Give the task, or the reason why what needs the images that were learned cannot be predicted."""
        try:
            return TASKS[self.task](**self._options()), ()
        except DataError as missing:
            return None, (f"The prediction from all learned images is left out: {missing}.",)


def _networks(trajectories: Mapping[str, Trajectory]) -> pd.DataFrame:
    """Say how each network learned: its last loss, and the share of the held-out images that it classifies."""
    rows = [
        {
            "network": name,
            "seed": int(seed),
            "gain": float(seen.gains[row]),
            "fate": seen.fates[row],
            "last_loss": float(seen.loss[row, -1]),
            "correct": float((seen.outputs[row, -1].argmax(-1) == seen.targets.argmax(-1)).mean()),
        }
        for name, seen in trajectories.items()
        for row, seed in enumerate(seen.seeds)
    ]
    return pd.DataFrame(rows)
