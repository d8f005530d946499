"""Perfect fitting: what becomes of representations until a network fits every label, and after."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

import pandas as pd
from pydantic import Field

from syzygy.checks import Evidence, findings
from syzygy.claims import Expectation
from syzygy.errors import SpecificationError
from syzygy.measures import Measure, measure
from syzygy.networks import Setting, setting
from syzygy.recording import Schedule
from syzygy.result import Result, Table
from syzygy.studies.claims import perfect_fitting as claims
from syzygy.studies.drawings import perfect_fitting as drawings
from syzygy.studies.study import Count, Networks, PositiveFloat, Recorded, Seeds, Study
from syzygy.studies.tables import fitted
from syzygy.studies.tables.fitting import REGIONS, Fitting
from syzygy.studies.tables.watching import Watched
from syzygy.training import Job
from syzygy.trajectory import Trajectory

#: Architectures, widths and optimisers: nearly all fit 400 noisy digits within their steps.
PERCEPTRON: Final = {"width": 100, "depth": 5, "gain": 0.5}
TOKENS: Final = {"like": "transformer", "width": 24}
NETWORKS: Final = tuple(
    setting({"layer": "hidden.0", "activation": "relu", **changes})
    for changes in (
        {"like": "relu", "name": "mlp_sgd", **PERCEPTRON, "learning_rate": 1.5, "steps": 12000},
        {"like": "relu", "name": "mlp_adam", **PERCEPTRON, "optimiser": "adam", "learning_rate": 2e-3, "steps": 1500},
        {"like": "relu", "name": "narrow_adam", **PERCEPTRON, "width": 30, "gain": 0.8, "optimiser": "adam",
         "learning_rate": 4e-3, "steps": 8000},
        {"like": "cnn", "name": "cnn_adam", "activation": "leaky_relu", "width": 33, "depth": 1, "gain": 1.0,
         "optimiser": "adam", "learning_rate": 2e-3, "steps": 8000},
        {"like": "skip", "name": "residual_sgd", **PERCEPTRON, "gain": 0.4, "learning_rate": 0.7, "steps": 12000},
        {"like": "skip", "name": "residual_adam", **PERCEPTRON, "gain": 0.4, "optimiser": "adam",
         "learning_rate": 2e-3, "steps": 1500},
        {**TOKENS, "name": "transformer_sgd", "learning_rate": 0.7, "steps": 15000},
        {**TOKENS, "name": "transformer_adam", "optimiser": "adam", "learning_rate": 4e-3, "steps": 1500},
    )
)  # fmt: skip

Share = Annotated[float, Field(ge=0, le=1)]
Natural = Annotated[int, Field(ge=0)]


FITS: Final = (
    "Every setting, means over seeds: the step from which on every learned label is fitted, where all seeds do; the "
    "best test accuracy before, and its step; test accuracy at perfect fit and at the end; and whether the test error "
    "descends twice: the clearest fall of the accuracy that a rise follows, the weaker of the two in standard errors "
    "over images, and what it needs beyond chance."
)
TO_THE_END: Final = (
    "Each layer's likeness to its end: untrained, at its furthest, and at perfect fit, means over seeds (of those that "
    "fit before the end). left is the share of the way from untrained to the end that a layer has before it then."
)
PHASES: Final = (
    "Phases of each setting, means over seeds and layers: their number, the share of the scatter between them, that of "
    "the best three; and how far layers are apart when they are half-way to their end: the standard deviation of log10 "
    "of the step."
)
LAYERS: Final = (
    "Every start of a phase: the first recorded step of the later phase, and the steps between which the change lies "
    "with 95%. A layer that changes nowhere has a row without a start."
)


class PerfectFitting(Study):
    """Train networks on partly wrong labels until they fit them all, and beyond.

    Attributes
    ----------
    images
        ``digits``, bundled with scikit-learn; or ``mnist``, pooled to the same 8 × 8 pixels.
    networks
        Names of the catalogue, or tables that change one: their optimiser, width and type are the sweep.
    label_noise
        Share of the learned images whose label is drawn again.
    noises
        The first network is trained with these shares too.
    noise_seed
        Seed that draws the labels.
    learned
        So many images are learned.
    per_class, probe_seed
        Held-out images of each class, and the seed that draws them and those that are learned.
    planes, side, plane_seed
        Planes through triplets of held-out images, points along each side of their grids, and the seed of the triplets.
    steps, learning_rate
        Of all networks, in place of each network's own.
    batch_size
        Images per update.
    measures
        By which a layer is compared with itself at other steps, besides decision regions; ``cka`` is among them.
    penalty
        Of the linear probes.
    draws
        Halves of the held-out images, for the intervals of phases.
    record
        Steps at which networks are watched.
    """

    about: ClassVar[str] = "noisy labels: what becomes of representations through and past perfect fitting?"
    title: ClassVar[str] = "Perfect fitting"
    question: ClassVar[str] = (
        "How do representations and decision regions change until a network fits every label, wrong ones included, and "
        "what of it goes on after?"
    )
    references: ClassVar[tuple[str, ...]] = ("perfect-fitting", "cka")
    expectations: ClassVar[tuple[Expectation, ...]] = claims.EXPECTATIONS

    study: Literal["perfect-fitting"] = "perfect-fitting"
    images: Literal["digits", "mnist"] = "digits"
    networks: Networks = NETWORKS
    seeds: Seeds = (0, 1, 2)
    label_noise: Share = 0.2
    noises: tuple[Share, ...] = (0.0, 0.4)
    noise_seed: Natural = 0
    learned: Count = 400
    per_class: Count = 20
    probe_seed: Natural = 0
    planes: Count = 20
    side: Annotated[int, Field(ge=2)] = 8
    plane_seed: Natural = 0
    steps: Count | None = None
    learning_rate: PositiveFloat | None = None
    batch_size: Count = 40
    measures: Annotated[tuple[str, ...], Field(min_length=1)] = ("cka", "procrustes", "mutual_knn")
    penalty: PositiveFloat = 0.01
    draws: Annotated[int, Field(ge=2)] = 50
    record: Recorded = Schedule("log", 16)

    def jobs(self) -> dict[str, Job]:
        """Give what must be trained, by the network's name."""
        self._measures()
        if len(set(self.noises)) != len(self.noises):
            raise SpecificationError(f"noises must differ; got {self.noises}")
        names = [network.name for network in self.networks]
        if len(set(names)) != len(names):
            raise SpecificationError(f"networks must have different names; got {', '.join(names)}")
        some = {network.name: self._job(network, self.label_noise) for network in self.networks}
        return some | {name: self._job(self.networks[0], noise) for name, noise in self._at_noises().items()}

    def _at_noises(self) -> dict[str, float]:
        """Name the first network at other noise than that of all."""
        first = self.networks[0].name
        return {f"{first}_noise_{noise:g}": noise for noise in self.noises if noise != self.label_noise}

    def _job(self, network: Setting, noise: float) -> Job:
        changes = {
            "steps": self.steps or network.steps,
            "learning_rate": self.learning_rate or network.learning_rate,
        }
        layers = [f"hidden.{index}" for index in range(network.depth + 2 * (network.type == "convolutional"))]
        if network.type == "transformer":
            layers = [f"mean({layer})" for layer in layers]
        return Job(
            task="fitted",
            options=self._options(noise),
            network=network.model_copy(update=changes),
            seeds=self.seeds,
            record=self.record,
            batch_size=self.batch_size,
            precision=self.precision,
            layers=tuple(layers),
        )

    def _options(self, noise: float) -> dict[str, Any]:
        """Give what the task is made with."""
        keys = ("images", "learned", "per_class", "probe_seed", "noise_seed", "planes", "side", "plane_seed")
        return {key: getattr(self, key) for key in keys} | {"label_noise": noise}

    def _measures(self) -> list[Measure]:
        made = [measure(one) for one in self.measures]
        labels = [one.label for one in made]
        if len(set(labels)) != len(labels):
            raise SpecificationError(f"measures must differ; got {', '.join(self.measures)}")
        if unfit := [one.label for one in made if not one.symmetric]:
            raise SpecificationError(f"measures of this study are symmetric; {', '.join(unfit)} is not")
        if claims.CKA not in labels:
            raise SpecificationError(f"the claims are about {claims.CKA}; give it too, besides {', '.join(labels)}")
        return made

    def _watched(self, seen: Trajectory) -> Watched:
        """Say which of the recorded items are what: they come in the order of :func:`syzygy.tasks.fitted`."""
        known, points = len(seen.items), self.planes * self.side**2
        return Watched.of(
            seen,
            learned=range(self.learned),
            held_out=range(self.learned, known - points),
            planes=[range(known - points + first, known - points + first + self.side**2)
                    for first in range(0, points, self.side**2)],
        )  # fmt: skip

    def analyse(self, trajectories: Mapping[str, Trajectory]) -> Result:
        """Compare every layer with itself at every other step, and find phases and perfect fit."""
        there = {name: trajectories[name] for name in self.jobs() if name in trajectories}
        alive = {name: seen for name, seen in there.items() if set(seen.fates) != {"diverged"}}
        if not alive:
            return self.nothing(trajectories, "No network has been trained: there is nothing to analyse.")
        found = {
            name: Fitting.of(
                seen, self._watched(seen), self._measures(), name=name, draws=self.draws, penalty=self.penalty
            )
            for name, seen in alive.items()
        }
        noisy = list(self.networks) if self.label_noise > 0 else []
        told = claims.measured(found, noisy)
        curves, maps, cuts = (pd.concat([getattr(one, what) for one in found.values()], ignore_index=True)
                              for what in ("curves", "maps", "phases"))  # fmt: skip
        fits, ways = fitted.fits(found), pd.concat([claims.way(one) for one in found.values()], ignore_index=True)
        evidence = [Evidence(name, trajectories.get(name), None, job.seeds) for name, job in self.jobs().items()]
        return self.answer(
            trajectories,
            summary=fitted.summary(found, ways, fits),
            findings=findings(evidence),
            tables=(
                Table("fits", FITS, fits),
                Table("to_the_end", TO_THE_END, fitted.at_fit(ways)),
                Table("phases", PHASES, fitted.by_setting(cuts, ways)),
                Table("layers", LAYERS, cuts),
            ),
            figures=(
                drawings.curves(curves),
                drawings.to_the_end(ways, curves),
                drawings.maps(maps, claims.CKA, curves),
                drawings.maps(maps, REGIONS, curves),
                drawings.starts(cuts, curves),
            ),
            claims=[self.claim(name, cases) for name, cases in told.items()],
            detail=self.images,
            references=(self.images,),
        )
