"""Does the scale of the start decide what is kept of an irrelevant feature?  Two features, two contexts."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, ClassVar, Final, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from syzygy.checks import UNLEARNED, Evidence, findings
from syzygy.claims import Claim, Expectation
from syzygy.errors import SpecificationError
from syzygy.fitting import fit_pairs, pair_curves
from syzygy.networks import Setting
from syzygy.recording import Schedule
from syzygy.result import Result, Table
from syzygy.studies.drawings.features import WORDS, embedding, over_training
from syzygy.studies.regimes import Origin
from syzygy.studies.study import Count, PositiveFloat, Recorded, Seeds, Study
from syzygy.studies.tables.feature_pairs import pairs_of
from syzygy.studies.tables.features_kept import after_learning, over_steps
from syzygy.studies.two_items import held
from syzygy.training import Job
from syzygy.trajectory import Trajectory

Start = Literal["high", "low", "very_low"]

#: The published settings table: gain, learning rate, epochs.
ROWS: Final[Mapping[Start, tuple[float, float, int]]] = {
    "high": (2.0, 0.0015, 750),
    "low": (0.5, 0.015, 1500),
    "very_low": (0.275, 0.05, 2000),
}
ACTIVATIONS: Final[Mapping[Origin, str]] = {"notebook": "leaky_relu", "table": "tanh"}

KEPT = "variance of the irrelevant feature over that of the relevant one (1 in the inputs), after learning, per network"


class Context(Study):
    """Train networks from several scales on two features, of which a context says which one counts.

    Attributes
    ----------
    starts
        Rows of the published settings table, by the gain of the initial weights.
    activations
        ``notebook``: leaky rectifiers, with which the published notebook trains.  ``table``: hyperbolic tangents, which
        its settings ask for.  Claims are of the first, the others are shown.
    grid, every
        Centres of the blobs per side, and every so manieth is watched: :func:`syzygy.tasks.context`.
    width, depth
        Units per hidden layer, and hidden layers; the middle one is watched.
    batch_size, epochs
        Items per update, and share of the published epochs.
    record, stop_loss
        Steps to record, and a loss at which a network stops; from there it counts as standing still.
    """

    about: ClassVar[str] = "two features, one irrelevant: does the scale of the start decide what is kept of it?"
    title: ClassVar[str] = "Context"
    question: ClassVar[str] = (
        "Does the scale of the initial weights decide how much a network keeps of a feature that does not count, and "
        "does the two-point theory say how much?"
    )
    references: ClassVar[tuple[str, ...]] = ("theory", "initialisation")
    expectations: ClassVar[tuple[Expectation, ...]] = (
        Expectation(
            "compressed",
            "From small weights (rich) a network compresses the feature that does not count.",
            "code",
            "no fit",
            KEPT,
            high=0.2,
        ),
        Expectation(
            "kept",
            "From large weights (lazy) a network keeps the feature that does not count.",
            "code",
            "no fit",
            KEPT,
            low=0.5,
        ),
        Expectation(
            "monotone",
            "The larger the initial weights, the more is kept.",
            "code",
            "no fit",
            "what is kept from one gain less what is kept from the next smaller one, per seed",
            low=0.0,
        ),
        Expectation(
            "orthogonal",
            "From small weights each context's relevant feature lies along a line of its own, at a right angle to the "
            "other's, as the published experiment is called.",
            "code",
            "no fit",
            "degrees between the first principal axes of the two contexts' relevant features, per network",
            low=70.0,
        ),
        Expectation(
            "predicted",
            "The two-point theory, followed from each pair's start, says how much is kept.",
            "derived",
            "out of sample",
            "mean ‖dh‖² of pairs that differ in the irrelevant feature over that of pairs that differ in the relevant "
            "one, predicted less measured, per network; rates of the other networks' relevant pairs",
            low=-0.2,
            high=0.2,
        ),
    )

    study: Literal["context"] = "context"
    starts: Annotated[tuple[Start, ...], Field(min_length=1)] = ("high", "low", "very_low")
    activations: Annotated[tuple[Origin, ...], Field(min_length=1)] = ("notebook",)
    seeds: Seeds = (3, 4, 5)
    grid: Annotated[int, Field(ge=2)] = 30
    every: Count = 3
    width: Count = 100
    depth: Annotated[int, Field(ge=2)] = 4
    batch_size: Count = 64
    epochs: PositiveFloat = 1.0
    record: Recorded = Schedule("every", 140)
    stop_loss: PositiveFloat | None = 3e-4

    def jobs(self) -> dict[str, Job]:
        """Give what must be trained, one stack for each gain and activation."""
        for name in ("starts", "activations"):
            if len(set(getattr(self, name))) != len(getattr(self, name)):
                raise SpecificationError(f"{name} must differ; got {', '.join(getattr(self, name))}")
        if self.batch_size > (items := 2 * self.grid**2):
            raise SpecificationError(f"batch_size must be at most the task's {items} items; got {self.batch_size}")
        return {
            _name(start, activation): Job(
                task="context",
                options={"grid": self.grid, "every": self.every},
                network=self._network(start, activation),
                seeds=self.seeds,
                record=self.record,
                batch_size=self.batch_size,
                stop_loss=self.stop_loss,
                precision=self.precision,
            )
            for activation in self.activations
            for start in self.starts
        }

    def _network(self, start: Start, activation: Origin) -> Setting:
        gain, rate, epochs = ROWS[start]
        updates = self.epochs * epochs * (2 * self.grid**2 // self.batch_size)
        return Setting(
            name=f"{start}-{activation}",
            type="mlp",
            activation=ACTIVATIONS[activation],
            gain=gain,
            learning_rate=rate,
            width=self.width,
            depth=self.depth,
            layer=f"hidden.{self.depth // 2}",
            steps=max(1, round(updates)),
        )

    def analyse(self, trajectories: Mapping[str, Trajectory]) -> Result:
        """Measure what is kept, over training and at its end, and compare with the theory."""
        jobs, evidence, parts, curves = self.jobs(), [], [], []
        for activation in self.activations:
            for start in self.starts:
                name = _name(start, activation)
                trajectory = held(trajectories[name]) if name in trajectories else None
                fit = fit_pairs(pair_curves(trajectory, pairs=pairs_of(trajectory))) if trajectory else None
                evidence.append(Evidence(name, trajectory, fit, jobs[name].seeds))
                if trajectory:
                    where = {"activation": activation, "start": start}
                    parts.append(after_learning(evidence[-1]).assign(**where))
                    curves.append(over_steps(trajectory).assign(**where))
        found = findings(evidence)
        if not parts:
            return self.answer(trajectories, summary=("Nothing has been trained yet.",), findings=found)
        networks = pd.concat(parts, ignore_index=True)
        first: dict[str, Trajectory | None] = {
            start: trajectories.get(_name(start, self.activations[0])) for start in self.starts
        }
        return self.answer(
            trajectories,
            summary=_summary(networks),
            findings=found,
            tables=(Table("networks", NETWORKS_CAPTION, networks),),
            figures=(over_training(pd.concat(curves, ignore_index=True)), embedding(first)),
            claims=self._claims(networks[networks["activation"] == self.activations[0]]),
        )

    def _claims(self, networks: pd.DataFrame) -> list[Claim]:
        how = (
            f"Activation of the {self.activations[0]} ({ACTIVATIONS[self.activations[0]]}). A network whose loss is "
            f"still above {UNLEARNED:.0%} of its start counts as one in which nothing holds."
        )
        learned = networks.set_index(["start", "seed"]).where(networks.set_index(["start", "seed"])["learned"])

        def cases(column: str, *starts: Start) -> dict[str, float]:
            some = networks[networks["start"].isin(starts)][["start", "seed"]].to_numpy()
            return {f"{start} {seed}": float(learned.loc[(start, seed), column]) for start, seed in some}

        large = cases("kept", *ROWS)
        steps = [(more, less) for more, less in pairwise(ROWS) if more in self.starts and less in self.starts]
        rises = {
            f"{more} − {less} {seed}": large.get(f"{more} {seed}", np.nan) - large.get(f"{less} {seed}", np.nan)
            for more, less in steps
            for seed in self.seeds
        }
        difference = learned["ratio_predicted"] - learned["ratio_measured"]
        return [
            self.claim("compressed", cases("kept", "low", "very_low"), note=how),
            self.claim("kept", cases("kept", "high"), note=how),
            self.claim("monotone", rises, note=how),
            self.claim("orthogonal", cases("angle", "low", "very_low"), note=how),
            self.claim(
                "predicted",
                dict(zip((f"{start} {seed}" for start, seed in difference.index), difference, strict=True)),
                note=how,
            ),
        ]


NETWORKS_CAPTION = (
    "Each network: its last training loss (half the mean square), and whether that is at most 5% of the first; kept: "
    "variance along the irrelevant feature over that along the relevant one, before and after learning; interaction: "
    "share of the variance within a context that neither feature explains alone; angle: between the two contexts' "
    "relevant directions, in degrees; apart: variance between the contexts over that within them. ratio: mean ‖dh‖² of "
    "pairs that differ in the irrelevant feature over that of pairs that differ in the relevant one: at the start, "
    "measured at the end, predicted with rates of the other networks' relevant pairs, and with each pair's own."
)


def _name(start: Start, activation: Origin) -> str:
    return f"{start}, {activation}"


def _summary(networks: pd.DataFrame) -> list[str]:
    sentences = []
    for (activation, start), some in networks.groupby(["activation", "start"], sort=False):
        mean = some.mean(numeric_only=True)
        sentences.append(
            f"{WORDS[str(start)].capitalize()}, activation of the {activation}: {some['learned'].sum()} of {len(some)} "
            f"networks learned. The irrelevant feature has {mean['kept']:.2g} of the relevant one's variance (before "
            f"learning {mean['kept_start']:.2g}), and the two contexts' relevant directions are {mean['angle']:.0f}° "
            f"apart. Of squared distances, a share of {mean['ratio_measured']:.2g} is measured; the theory, with rates "
            f"of other networks, says {mean['ratio_predicted']:.2g}."
        )
    return sentences
