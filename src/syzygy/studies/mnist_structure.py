"""Does it predict the geometry of all classes?  Every pair of a hundred images, against what needs no theory."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from syzygy.checks import Evidence, findings
from syzygy.claims import Claim, Expectation
from syzygy.errors import DataError, SpecificationError
from syzygy.fitting import Fit, fit_pairs, pair_curves, rates_by_network, rates_of_others
from syzygy.fitting.problems import CURVES
from syzygy.fitting.score import last_finite
from syzygy.networks import Setting
from syzygy.recording import Schedule
from syzygy.result import Result, Table
from syzygy.seeds import stream
from syzygy.studies.claims.geometry import EXPECTATIONS, OURS, measured, summary
from syzygy.studies.drawings.geometry import correlation_figure, matrices, scatter
from syzygy.studies.study import Count, Network, PositiveFloat, Recorded, Seeds, Study
from syzygy.studies.tables.geometry import Geometry, correlations, pairs_frame, permuted
from syzygy.tasks import TASKS
from syzygy.theory import class_pair_sums
from syzygy.training import Job
from syzygy.trajectory import Trajectory

#: The published network; its optimiser and learning rate are those that ``settings`` names.
NETWORK = Setting(
    name="images",
    about="four hidden layers of 200, the third watched",
    type="mlp",
    activation="leaky_relu",
    gain=0.5,
    learning_rate=0.0005,
    width=200,
    depth=4,
    layer="hidden.2",
    steps=2000,
    optimiser="adam",
)

#: Optimiser and learning rate, by the name of the settings.
SETTINGS: Final[Mapping[str, tuple[str, float]]] = {
    "stable": ("adam", 0.0005),
    "published": ("adam", 0.005),
    "sgd": ("sgd", 0.1),
}

CORRELATIONS_CAPTION = (
    "How well each prediction says how far apart images end, of every network and of the mean over networks: Pearson's "
    "and Spearman's correlation with the measured squared distances, over all pairs of probe images and over those of "
    "different classes; and for predictions of ‖dh‖² itself the median relative error. Between classes the product "
    "‖dx‖·‖dy*‖ is ‖dx‖ up to a factor."
)
SHUFFLED_CAPTION = (
    "The same correlation, of the mean over networks, after the classes of the probe images are shuffled: median and "
    "95% of the permutations, and the share p of correlations as high as the measured one, itself among them. Where "
    "p is large, the prediction does as well without knowing the classes."
)
NETWORKS_CAPTION = (
    "Each network: its last training loss (of a batch), that over its lowest at a recorded step, the share of probe "
    "images that it classifies; geometric means of the rates fitted to some pairs of different classes, in sample, the "
    "share of these pairs whose rates are identified, and medians of R²."
)

Array = NDArray[np.float64]

#: Of both tasks.
CLASSES = 10


class MnistStructure(Study):
    """Train networks on images, and predict the distances of all pairs of many of them at the end.

    Attributes
    ----------
    task
        ``digits``, bundled with scikit-learn, or ``mnist``.
    network
        Architecture and number of steps; its optimiser and learning rate count with the settings ``network``.
    settings
        ``stable``: Adam at 0.0005.  ``published``: Adam at 0.005, at which the loss rises again.  ``sgd``: plain
        gradient descent at 0.1, as the theory assumes.  ``network``: as the network says.
    batch_size
        Items per update.
    steps, learning_rate
        In place of the network's steps and of the settings' learning rate.
    probe
        ``first``: the first images of the training set, as published.  ``drawn``: as many per class, drawn.
    items
        Number of probe images; of ``drawn`` ones a multiple of ten.
    probe_seed
        Seed that draws probe images, fitted pairs and permutations.
    limit
        Use only the first so many training images of MNIST.
    sums_over
        The published prediction sums over the first so many training images.
    fitted
        Rates are fitted to so many pairs of different classes, drawn.
    permutations
        Number of times that classes are shuffled.
    record
        Steps to record.
    """

    about: ClassVar[str] = "real images: is the geometry of all classes predicted, beyond what needs no theory?"
    title: ClassVar[str] = "The geometry of many images"
    question: ClassVar[str] = (
        "Does the theory predict how far apart a trained network places images of all classes, better than what needs "
        "no theory?"
    )
    references: ClassVar[tuple[str, ...]] = ("theory", "initialisation")
    expectations: ClassVar[tuple[Expectation, ...]] = EXPECTATIONS

    study: Literal["mnist-structure"] = "mnist-structure"
    task: Literal["digits", "mnist"] = "digits"
    network: Network = NETWORK
    settings: Literal["stable", "published", "sgd", "network"] = "stable"
    seeds: Seeds = tuple(range(10))
    batch_size: Count = 64
    steps: Count | None = None
    learning_rate: PositiveFloat | None = None
    probe: Literal["first", "drawn"] = "first"
    items: Annotated[int, Field(ge=4)] = 100
    probe_seed: Annotated[int, Field(ge=0)] = 0
    limit: Count | None = None
    sums_over: Count = 10_000
    fitted: Count = 100
    permutations: Count = 499
    record: Recorded = Schedule("every", 20)

    def jobs(self) -> dict[str, Job]:
        """Give what must be trained, by the network's name."""
        optimiser, rate = SETTINGS.get(self.settings, (self.network.optimiser, self.network.learning_rate))
        changes = {
            "optimiser": optimiser,
            "learning_rate": self.learning_rate or rate,
            "steps": self.steps or self.network.steps,
        }
        job = Job(
            task=self.task,
            options=self._options(),
            network=self.network.model_copy(update=changes),
            seeds=self.seeds,
            record=self.record,
            batch_size=self.batch_size,
            precision=self.precision,
        )
        return {self.network.name: job}

    def _options(self) -> dict[str, Any]:
        """Give what the task is made with."""
        if self.limit is not None and self.task != "mnist":
            raise SpecificationError(f"limit is of the task mnist only; leave it out for {self.task}")
        limit = {} if self.limit is None else {"limit": self.limit}
        if self.probe == "first":
            return {"first": self.items} | limit
        if self.items % CLASSES:
            raise SpecificationError(f"drawn items are as many of each of {CLASSES} classes; got items = {self.items}")
        return {"per_class": self.items // CLASSES, "probe_seed": self.probe_seed} | limit

    def analyse(self, trajectories: Mapping[str, Trajectory]) -> Result:
        """Predict all distances at the end, and correlate them with those measured."""
        ((name, job),) = self.jobs().items()
        trajectory = trajectories.get(name)
        if trajectory is None:
            return self.nothing(trajectories, "Nothing has been trained yet.")
        geometry = Geometry.of(trajectory, self.network.layer)
        fit, rates = self._rates(trajectory, geometry)
        sums, missing = self._sums()
        predicted = geometry.predictions(rates, sums)
        scores = correlations(geometry, predicted)
        draw = np.random.default_rng(stream(self.probe_seed, "probe", 2))
        null = permuted(geometry, {OURS: rates[OURS]}, sums, self.permutations, draw)
        frame = pairs_frame(geometry, predicted, trajectory.items)
        return self.answer(
            trajectories,
            summary=(*summary(scores, null, len(geometry.seeds)), *missing),
            findings=findings([Evidence(name, trajectory, fit, job.seeds)]),
            tables=(
                Table("correlations", CORRELATIONS_CAPTION, scores),
                Table("shuffled", SHUFFLED_CAPTION, null),
                Table("networks", NETWORKS_CAPTION, _networks(trajectory, fit)),
            ),
            figures=(matrices(frame, geometry.labels), correlation_figure(scores, null), scatter(frame)),
            claims=self._claims(scores, null),
            detail=self.task,
            references=(self.task,),
        )

    def _rates(self, trajectory: Trajectory, geometry: Geometry) -> tuple[Fit, dict[str, Array]]:
        """Fit some pairs of different classes, and give each network its rates from three places, ``(2, network)``."""
        both = np.stack(np.triu_indices(len(geometry.labels), 1), axis=1)[geometry.different()]
        draw = np.random.default_rng(stream(self.probe_seed, "probe", 1))
        chosen = both[np.sort(draw.choice(len(both), min(self.fitted, len(both)), replace=False))]
        curves = pair_curves(trajectory, self.network.layer, [(int(i), int(j)) for i, j in chosen])
        whole, early = fit_pairs(curves), fit_pairs(curves.between(0, 0.5))
        lived = np.array(trajectory.fates) != "diverged"
        own, first_half = (rates_by_network(fit)[:, lived] for fit in (whole, early))
        return whole, {OURS: rates_of_others(own), "first_half": first_half, "own": own}

    def _sums(self) -> tuple[Array | None, tuple[str, ...]]:
        """Give the published prediction by class, or the reason why it cannot be made: it needs the training images."""
        try:
            task = TASKS[self.task](**self._options())
        except DataError as missing:
            return None, (f"The published prediction needs the training images, and is left out: {missing}.",)
        inputs, targets = task.inputs[: self.sums_over], task.targets[: self.sums_over]
        return class_pair_sums(inputs.reshape(len(inputs), -1), targets.argmax(axis=-1)), ()

    def _claims(self, scores: pd.DataFrame, null: pd.DataFrame) -> list[Claim]:
        note = f"settings {self.settings!r}; {self.items} probe images, {self.probe}"
        return [self.claim(name, cases, note=note) for name, cases in measured(scores, null).items()]


def _networks(trajectory: Trajectory, fit: Fit) -> pd.DataFrame:
    """Say how each network learned, and which rates it has."""
    loss = trajectory.loss.astype(np.float64)
    last, lowest = last_finite(loss), np.min(np.where(np.isfinite(loss), loss, np.inf), axis=1)
    correct = (trajectory.outputs[:, -1].argmax(axis=-1) == trajectory.targets.argmax(axis=-1)).mean(axis=1)
    told = {"seed": trajectory.seeds, "fate": trajectory.fates, "last_loss": last, "last_over_lowest": last / lowest}
    rates = dict(zip(("eta_h", "eta_y"), rates_by_network(fit), strict=True))
    medians = {f"r2_{name}": np.nanmedian(fit.r2[name], axis=1) for name in CURVES}
    identified = {"identified": fit.identified.mean(axis=1)}
    return pd.DataFrame(told | {"probe_correct": correct} | rates | identified | medians)
