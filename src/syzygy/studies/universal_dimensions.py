"""What do networks share, dimension by dimension?  How well each is told by other networks, over training."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from syzygy.checks import Evidence, findings
from syzygy.claims import Expectation
from syzygy.dimensions import UniversalDimensions
from syzygy.dimensions.universal.layers import Layers
from syzygy.errors import SpecificationError
from syzygy.recording import Schedule
from syzygy.result import Result, Table
from syzygy.studies.claims.universal_dimensions import EXPECTATIONS, measured, summary
from syzygy.studies.convergence import NETWORKS, watched_layers
from syzygy.studies.drawings import universal_dimensions as drawings
from syzygy.studies.study import Count, Networks, PositiveFloat, Recorded, Seeds, Study
from syzygy.studies.tables import universals
from syzygy.studies.tables.universals import LARGEST, UNIVERSAL
from syzygy.training import Job
from syzygy.trajectory import Trajectory


class SharedDimensions(Study):
    """Train networks of several architectures, and score every dimension of their layers by other networks.

    Attributes
    ----------
    task
        ``digits``, bundled with scikit-learn, or ``mnist``.
    networks
        Names of the catalogue, or tables that change one.  Every hidden layer is watched, but for the last of a
        convolutional network.
    seeds
        One network of each setting per seed; those of the last are held out, to judge by.
    steps, learning_rate
        Of all networks; by default the learning rate is each network's own.
    batch_size
        Items per update.
    per_class
        Probe images of each class; they are kept from training.
    probe_seed
        Seed that draws and parts them.
    limit
        Use only the first so many images of MNIST.
    judged
        Share of the probe images on which nothing is scored, to judge what universal dimensions keep; of the others,
        components are fitted on one half and scored on the other.
    folds
        Of the images on which components are scored.
    permutations
        So many components are shuffled for chance.
    counts
        So many of the most universal components of a layer are kept.
    record
        Steps at which universality is measured.
    """

    about: ClassVar[str] = "images, many architectures: which of their dimensions do other networks share?"
    title: ClassVar[str] = "Universal dimensions"
    question: ClassVar[str] = (
        "Which dimensions of a network do other networks share, when do they appear, what do they keep of a "
        "representation, and are they the ones that the theory calls rich?"
    )
    references: ClassVar[tuple[str, ...]] = ("universal-dimensions", "theory", "rsa", "discovery")
    expectations: ClassVar[tuple[Expectation, ...]] = EXPECTATIONS

    study: Literal["universal-dimensions"] = "universal-dimensions"
    task: Literal["digits", "mnist"] = "digits"
    networks: Networks = NETWORKS
    seeds: Seeds = (0, 1, 2, 3)
    steps: Count = 2000
    learning_rate: PositiveFloat | None = None
    batch_size: Count = 64
    per_class: Annotated[int, Field(ge=5)] = 60
    probe_seed: Annotated[int, Field(ge=0)] = 0
    limit: Count | None = None
    judged: Annotated[float, Field(gt=0, lt=1)] = 0.25
    folds: Annotated[int, Field(ge=2)] = 5
    permutations: Annotated[int, Field(ge=19)] = 1000
    counts: Annotated[tuple[Count, ...], Field(min_length=1)] = (1, 5, LARGEST)
    record: Recorded = Schedule("log", 7)

    def jobs(self) -> dict[str, Job]:
        """Give what must be trained, by the network's name."""
        names = [network.name for network in self.networks]
        if len(set(names)) != len(names):
            raise SpecificationError(f"networks must have different names; got {', '.join(names)}")
        if len(self.seeds) < 2:
            raise SpecificationError(f"the last seed is held out, so give two or more; got {self.seeds}")
        if len(self.networks) * (len(self.seeds) - 1) < 2:
            raise SpecificationError("one network alone has nothing to share; give more networks, or three seeds")
        if self.limit is not None and self.task != "mnist":
            raise SpecificationError(f"limit is of the task mnist only; leave it out for {self.task}")
        scored = self._parted(10 * self.per_class)[0]
        if len(scored) // 2 < 4 * self.folds:
            raise SpecificationError(
                f"{len(scored) // 2} images to score on are too few for {self.folds} folds of 4 or more; raise "
                "per_class"
            )
        options: dict[str, Any] = {"per_class": self.per_class, "probe_seed": self.probe_seed, "held_out": True}
        if self.limit is not None:
            options["limit"] = self.limit
        return {
            network.name: Job(
                task=self.task,
                options=options,
                network=network.model_copy(
                    update={"steps": self.steps, "learning_rate": self.learning_rate or network.learning_rate}
                ),
                seeds=self.seeds,
                record=self.record,
                batch_size=self.batch_size,
                precision=self.precision,
                layers=watched_layers(network),
            )
            for network in self.networks
        }

    def _parted(self, items: int) -> tuple[np.ndarray, np.ndarray]:
        """Part the images into those on which components are fitted and scored, and those to judge by."""
        order = np.random.default_rng([self.probe_seed, items]).permutation(items)
        judged = round(self.judged * items)
        return np.sort(order[judged:]), np.sort(order[:judged])

    def analyse(self, trajectories: Mapping[str, Trajectory]) -> Result:
        """Score every component of every layer at every step, and judge the universal ones."""
        own = {one.name: trajectories[one.name] for one in self.networks if one.name in trajectories}
        learning, last = self.seeds[:-1], -1
        if len(universals.network_layers(own, learning, last)) < 2:
            return self.nothing(trajectories, "Fewer than two networks have been trained: there is nothing to share.")
        evidence = [Evidence(name, trajectories.get(name), None, job.seeds) for name, job in self.jobs().items()]
        first = next(iter(own.values()))
        used, judged = self._parted(len(first.items))
        seen = [
            universals.some_items(universals.network_layers(own, learning, index), used)
            for index in range(len(first.steps))
        ]
        fits = {int(step): self._scored(one) for step, one in zip(first.steps, seen, strict=True)}
        fitted, untrained = fits[int(first.steps[last])], fits[int(first.steps[0])]
        told = np.stack([np.nanmedian(fitted.predicted_by(one)[1], axis=0) for one in seen])
        matched = UniversalDimensions(predictor="matching", permutations=0, **self._options()).fit(seen[last])
        matching = matched.table_["universality"].to_numpy()
        components = universals.described(fitted, told, first.steps, seen[0], matching)
        before = untrained.table_.assign(architecture=untrained.table_["network"].map(universals.architecture))
        training = universals.over_training(
            {step: one.table_ for step, one in fits.items()},
            told,
            (components["universality"] >= UNIVERSAL).to_numpy(),
        )
        kept = universals.by_count(
            fitted,
            universals.some_items(universals.network_layers(own, learning, last), judged),
            universals.some_items(universals.network_layers(own, self.seeds[-1:], last), judged),
            self.counts,
        )
        claimed = measured(components, before, kept)
        return self.answer(
            trajectories,
            summary=summary(training, kept, claimed),
            findings=findings(evidence),
            tables=self._tables(components, before, training, kept, fitted),
            figures=(
                drawings.distributions(components, before),
                drawings.over_training(training),
                drawings.kept(kept),
                drawings.regimes(components),
            ),
            claims=[self.claim(name, cases) for name, cases in claimed.items()],
            detail=self.task,
            references=(self.task,),
        )

    def _scored(self, seen: Layers) -> UniversalDimensions:
        return UniversalDimensions(permutations=self.permutations, **self._options()).fit(seen)

    def _options(self) -> dict[str, Any]:
        return {"folds": self.folds, "precision": "float32", "seed": self.probe_seed}

    def _tables(
        self, components: pd.DataFrame, before: pd.DataFrame, training: pd.DataFrame, kept: pd.DataFrame,
        fitted: UniversalDimensions,
    ) -> tuple[Table, ...]:  # fmt: skip
        largest = components.sort_values("universality", ascending=False, kind="stable", ignore_index=True)
        notes = pd.DataFrame({"note": list(fitted.notes_)})
        return (
            Table("architectures", universals.SUMMARY_CAPTION, universals.by_architecture(components, before)),
            Table("training", universals.TRAINING_CAPTION, training),
            Table("kept", universals.KEPT_CAPTION, kept),
            Table("regimes", universals.REGIMES_CAPTION, universals.by_regime(components)),
            Table("components", universals.COMPONENTS_CAPTION, largest),
            Table("notes", "What a reader should know of the components of the trained networks.", notes),
        )
