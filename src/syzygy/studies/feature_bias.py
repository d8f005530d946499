"""Which features take the variance of a representation?  Easy and hard ones that a network computes alike."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from syzygy.checks import Evidence, findings
from syzygy.claims import Expectation
from syzygy.dimensions.features.doubts import DOUBT
from syzygy.errors import SpecificationError
from syzygy.networks import setting
from syzygy.result import Finding, Result, Table
from syzygy.studies.arms import ARMS, Arm
from syzygy.studies.claims import feature_bias as claims
from syzygy.studies.drawings import feature_bias as drawings
from syzygy.studies.study import Count, Network, Seeds, Study
from syzygy.studies.tables import bias
from syzygy.studies.tables.biased import Biased
from syzygy.training import Job
from syzygy.trajectory import Trajectory

#: Initial weights about as large as PyTorch draws them: larger ones leave more of them as they were.
NETWORK = setting({"like": "relu", "name": "perceptron", "width": 64, "depth": 4, "gain": 0.577, "layer": "hidden.3"})


class FeatureBias(Study):
    """Train networks on an easy and a hard feature of binary vectors, and measure what each takes of every layer.

    Attributes
    ----------
    arms
        The sweep: a table for each setting.
    base, slow
        Arms, by name, that claims compare with others: the hard feature at the usual and at a small learning rate.
    network
        Type, activation, width and gain of all.
    seeds
        One network of each setting per seed.
    inputs, learned, probe, task_seed
        Number of bits; items that are learned, and that are watched; the seed that draws them.
    batch_size
        Items per update.
    readout
        After what is learned first, ``kept`` or drawn ``new``.
    records
        About so many steps are recorded.
    folds
        Of the watched items: a layer is regressed on a feature on all but one, and judged on that.
    """

    about: ClassVar[str] = "easy and hard features, both computed: which take a representation's variance, and where?"
    title: ClassVar[str] = "Feature bias"
    question: ClassVar[str] = (
        "When a network computes an easy and a hard feature equally well, does the easy one take more of its "
        "representations, in which settings, and what does that do to whoever reads them?"
    )
    references: ClassVar[tuple[str, ...]] = ("feature-bias", "rsa")
    expectations: ClassVar[tuple[Expectation, ...]] = claims.EXPECTATIONS

    study: Literal["feature-bias"] = "feature-bias"
    arms: Annotated[tuple[Arm, ...], Field(min_length=1)] = ARMS
    base: str = "xor4"
    slow: str = "xor4_slow"
    network: Network = NETWORK
    seeds: Seeds = (3, 4, 5, 6, 7)
    inputs: Count = 32
    learned: Count = 16384
    probe: Annotated[int, Field(ge=40)] = 500
    task_seed: Annotated[int, Field(ge=0)] = 0
    batch_size: Count = 128
    readout: Literal["kept", "new"] = "kept"
    records: Count = 12
    folds: Annotated[int, Field(ge=2, le=20)] = 5

    def jobs(self) -> dict[str, Job]:
        """Give what must be trained, by the arm's name."""
        names = [arm.name for arm in self.arms]
        if len(set(names)) != len(names):
            raise SpecificationError(f"arms must have different names; got {', '.join(names)}")
        if self.network.type != "mlp":
            raise SpecificationError(f"networks of this study are perceptrons, type 'mlp'; got {self.network.type!r}")
        options = {"inputs": self.inputs, "items": self.learned, "probe": self.probe, "seed": self.task_seed}
        return {
            arm.name: arm.job(
                self.network,
                options,
                seeds=self.seeds,
                records=self.records,
                readout=self.readout,
                batch_size=self.batch_size,
                precision=self.precision,
            )
            for arm in self.arms
        }

    def analyse(self, trajectories: Mapping[str, Trajectory]) -> Result:
        """Measure the share of each feature in every layer at every step, and what follows from it at the end."""
        found: dict[str, Biased] = {}
        for arm in self.arms:
            seen = trajectories.get(arm.name)
            one = seen and Biased.of(arm, seen, folds=self.folds, seed=self.task_seed)
            if one:
                found[arm.name] = one
        if not found:
            return self.nothing(trajectories, "No network has been trained: there is nothing to measure.")
        ends, alike = bias.at_the_end(found), bias.similarity(found)
        told, map_ = claims.measured(found, ends, alike, self.base, self.slow), bias.where(found, ends)
        causal = bias.over_seeds(found, "halves", ["moved", "read"], "median")
        ablation = bias.over_seeds(found, "ablation", ["feature", "count"], "mean")
        readers = bias.together(found, "readers")
        return self.answer(
            trajectories,
            summary=claims.summary(map_, told, self.slow),
            findings=self._findings(trajectories, found),
            tables=(
                Table("map", bias.MAP, map_),
                Table("seeds", bias.SEEDS, ends),
                Table("layers", bias.LAYERS, bias.by_layer(found)),
                Table("causal", bias.CAUSAL, causal),
                Table("readers", bias.READERS, readers),
                Table("ablation", bias.ABLATION, ablation),
                Table("similarity", bias.SIMILARITY, alike),
            ),
            figures=(
                drawings.where(ends, map_),
                drawings.over_training(bias.together(found, "shares"), {name: one.arm for name, one in found.items()}),
                drawings.by_layer(bias.by_layer(found), map_),
                drawings.flips(bias.together(found, "rates")),
                drawings.readers(readers, ends),
            ),
            claims=[self.claim(name, cases) for name, cases in told.items()],
        )

    def _findings(self, trajectories: Mapping[str, Trajectory], found: Mapping[str, Biased]) -> tuple[Finding, ...]:
        """Give the reasons to doubt: those of any networks, and features of which a share says nothing."""
        evidence = [Evidence(name, trajectories.get(name), None, job.seeds) for name, job in self.jobs().items()]
        lines = tuple(f"{name}: {line}" for name, one in found.items() for line in one.notes)
        own = (Finding(*DOUBT, lines),) if lines else ()
        return tuple(sorted((*findings(evidence), *own), key=lambda one: one.code))
