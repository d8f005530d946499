"""Does it hold in a pretrained network?  Fine-tuning beside training from random weights, at named layers."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import pandas as pd
from pydantic import Field

from syzygy.checks import Evidence, findings
from syzygy.claims import Claim, Expectation
from syzygy.errors import SpecificationError
from syzygy.fitting import fit_pairs, from_other_pairs, pair_curves
from syzygy.fitting.problems import Scaling
from syzygy.networks import Setting
from syzygy.recording import Schedule
from syzygy.result import Result, Table
from syzygy.studies.claims.transfer import EXPECTATIONS, PRETRAINED, RANDOM, measured
from syzygy.studies.drawings.transfer import distances, explained, final_distances, regimes
from syzygy.studies.study import Count, Network, PositiveFloat, Recorded, Seeds, Study
from syzygy.studies.tables.pair_scores import PAIRS_CAPTION, score_pairs
from syzygy.studies.tables.transfer import by_layer, networks, summary
from syzygy.training import Job
from syzygy.trajectory import Trajectory

#: Small enough to be pretrained on the spot: four hidden layers, as in the study of pairs of images.
NETWORK = Setting(
    name="small",
    about="four hidden layers, the third watched",
    type="mlp",
    activation="leaky_relu",
    gain=0.5,
    learning_rate=0.1,
    width=100,
    depth=4,
    layer="hidden.2",
    steps=5600,
)

#: Images per class by which it is told how well a network was pretrained.
SEEN = 20

Begun = Literal["pretrained", "random"]
Channels = Annotated[tuple[float, ...], Field(min_length=3, max_length=3)]
Layers = Annotated[tuple[str, ...], Field(min_length=1)]


class Transfer(Study):
    """Fine-tune pretrained networks, and beside them train the same from random weights; fit every pair at each layer.

    Attributes
    ----------
    task
        What is fine-tuned on: ``digits``, ``cifar10`` or ``image-folder``.
    pretraining
        ``mnist``: on MNIST, pooled to the digits' size.  ``digits``: on the digits 0 – 4, and fine-tuned on 5 – 9:
        bundled data alone.  ``published``: weights of timm, for the two tasks of photographs.
    network
        Architecture, learning rate and number of steps.
    layers
        Module paths of the layers at which pairs are watched.
    feature_maps
        Layers that give maps are watched ``whole``, or as the ``mean`` over their positions.
    starts
        Which networks are trained.
    pretrained_networks
        ``each`` seed starts from its own pretrained network, or all from ``one``, that of the first seed.
    readout
        Drawn ``new`` for the task, or ``kept`` from pretraining.
    batch_size
        Items per update.
    steps, learning_rate, pretraining_steps, pretraining_learning_rate
        In place of the network's own.
    per_class, probe_seed
        Probe images per class, and the seed that draws them.
    limit, size, mean, deviation, folder
        As the tasks ``cifar10`` and ``image-folder`` take them.
    record
        Steps to record.
    scaling
        As in the study of pairs of images.
    """

    about: ClassVar[str] = "fine-tuning pretrained networks: does the theory hold, and are they lazy, as it says?"
    title: ClassVar[str] = "Transfer"
    question: ClassVar[str] = (
        "Does the two-point theory describe how a pretrained network is fine-tuned, and does it know beforehand that "
        "representations which are already far apart stay where they are?"
    )
    references: ClassVar[tuple[str, ...]] = ("theory", "initialisation")
    expectations: ClassVar[tuple[Expectation, ...]] = EXPECTATIONS

    study: Literal["transfer"] = "transfer"
    task: Literal["digits", "cifar10", "image-folder"] = "digits"
    pretraining: Literal["mnist", "digits", "published"] = "digits"
    network: Network = NETWORK
    layers: Layers = ("hidden.0", "hidden.2", "hidden.3")
    feature_maps: Literal["whole", "mean"] = "whole"
    starts: Annotated[tuple[Begun, ...], Field(min_length=1)] = ("pretrained", "random")
    pretrained_networks: Literal["each", "one"] = "each"
    readout: Literal["new", "kept"] = "new"
    seeds: Seeds = (0, 1, 2)
    batch_size: Count = 64
    steps: Count | None = None
    learning_rate: PositiveFloat | None = None
    pretraining_steps: Count | None = None
    pretraining_learning_rate: PositiveFloat | None = None
    per_class: Count = 2
    probe_seed: int = 0
    limit: Count | None = None
    size: Count | None = None
    mean: Channels | None = None
    deviation: Channels | None = None
    folder: str | None = None
    record: Recorded = Schedule("every", 56)
    scaling: Scaling = "curve"

    def jobs(self) -> dict[str, Job]:
        """Give what must be trained: the two kinds of networks, and before them what the one starts from."""
        photographs, published = self.task != "digits", self.pretraining == "published"
        if photographs != published:
            raise SpecificationError(
                f"published weights are for cifar10 and image-folder, pretraining on mnist or digits for digits; got "
                f"task = {self.task}, pretraining = {self.pretraining}"
            )
        only = {"limit": photographs, "size": photographs, "mean": photographs, "deviation": photographs,
                "folder": self.task == "image-folder",
                "pretraining_steps": not published, "pretraining_learning_rate": not published}  # fmt: skip
        for key, used in only.items():
            if not used and getattr(self, key) is not None:
                raise SpecificationError(f"{key} has no meaning for {self.task} after {self.pretraining}; leave it out")
        network = _changed(self.network, steps=self.steps, learning_rate=self.learning_rate)
        options: dict[str, Any] = {"per_class": self.per_class, "probe_seed": self.probe_seed}
        options |= {k: _plain(getattr(self, k)) for k in ("limit", "size", "mean", "deviation", "folder")
                    if getattr(self, k) is not None}  # fmt: skip
        if self.pretraining == "digits":
            options["classes"] = [5, 6, 7, 8, 9]
        layers = self.layers if self.feature_maps == "whole" else tuple(f"mean({layer})" for layer in self.layers)
        drawn = Job(
            task=self.task,
            options=options,
            network=network,
            seeds=self.seeds,
            record=self.record,
            batch_size=self.batch_size,
            precision=self.precision,
            layers=layers,
        )
        if PRETRAINED not in self.starts:
            return {RANDOM: drawn}
        before = None if published else self._pretraining()
        jobs = {"pretraining": before} if before else {}
        jobs[PRETRAINED] = replace(drawn, start=before or "published", readout=self.readout)
        return jobs | ({RANDOM: drawn} if RANDOM in self.starts else {})

    def analyse(self, trajectories: Mapping[str, Trajectory]) -> Result:
        """Score every pair at every layer, and compare pretrained networks with those from random weights."""
        jobs, frames, evidence = self.jobs(), [], []
        for name, job in jobs.items():
            seen = trajectories.get(name)
            if seen is None or name == "pretraining":
                evidence.append(Evidence(name, seen, None, job.seeds))
                continue
            for layer, label in zip(job.layers or (), self.layers, strict=True):
                fit = fit_pairs(pair_curves(seen, layer), scaling=self.scaling)
                others = from_other_pairs(fit)
                pairs = score_pairs(name, seen, fit, others, self.scaling).rename(columns={"network": "start"})
                pairs.insert(1, "layer", label)
                pairs["richness_others"], pairs["regime_others"] = others.richness.ravel(), others.regime.ravel()
                frames.append(pairs)
                evidence.append(Evidence(f"{name}, {label}", seen, fit, job.seeds))
        if not frames:
            return self.nothing(trajectories, "No network has been fine-tuned yet.")
        pairs = pd.concat(frames, ignore_index=True)
        layers = by_layer(pairs)
        return self.answer(
            trajectories,
            summary=summary(layers.frame, trajectories),
            findings=findings(evidence),
            tables=(
                layers,
                networks(trajectories),
                Table("pairs", f"{PAIRS_CAPTION} …_others: with rates of other pairs.", pairs),
            ),
            figures=(distances(pairs), regimes(pairs), explained(pairs), final_distances(pairs)),
            claims=self._claims(layers.frame),
            detail=f"{self.pretraining} to {self.task}",
            references=tuple(dict.fromkeys(one for one in (self.pretraining, self.task) if one in ("mnist", "digits"))),
        )

    def _pretraining(self) -> Job:
        """Give the training whose weights are fine-tuned; it is only recorded to see whether it learned."""
        options: dict[str, Any] = {"size": 8} if self.pretraining == "mnist" else {"classes": [0, 1, 2, 3, 4]}
        return Job(
            task=self.pretraining,
            options=options | {"per_class": SEEN},
            network=_changed(self.network, steps=self.pretraining_steps, learning_rate=self.pretraining_learning_rate),
            seeds=self.seeds if self.pretrained_networks == "each" else self.seeds[:1],
            record=Schedule("log", 8),
            batch_size=self.batch_size,
            precision=self.precision,
            keep=True,
        )

    def _claims(self, layers: pd.DataFrame) -> list[Claim]:
        note = (
            f"{self.pretraining} to {self.task}; every pair of {self.per_class} images per class, drawn with seed "
            f"{self.probe_seed}. Half mean square and {self.network.optimiser}; the published notebook of a pretrained "
            "network, which tracks no representations, has cross entropy on sigmoid outputs, and Adam."
        )
        return [self.claim(name, values, note=note) for name, values in measured(layers).items()]


def _changed(network: Setting, **values: float | None) -> Setting:
    return network.model_copy(update={name: value for name, value in values.items() if value is not None})


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
