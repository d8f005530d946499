"""Does it hold on real data?  Every pair of probe images, with rates from elsewhere, against curves without theory."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from syzygy.checks import Evidence, findings
from syzygy.claims import Claim, Expectation
from syzygy.errors import SpecificationError
from syzygy.fitting import fit_pairs, from_other_pairs, pair_curves
from syzygy.fitting.problems import CURVES, Scaling
from syzygy.networks import Setting
from syzygy.recording import Schedule
from syzygy.result import Result
from syzygy.studies.drawings.pairs import KINDS, distributions, examples, final_distances
from syzygy.studies.study import Count, Network, PositiveFloat, Recorded, Seeds, Study
from syzygy.studies.tables.pair_scores import EXPLAINED, closer, no_better, score_pairs, summary, tables
from syzygy.training import Job
from syzygy.trajectory import Trajectory

#: The network of the published MNIST experiment at digits' size: 4 layers, the third watched, gain 0.5.
NETWORK = Setting(
    name="images",
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

SHARE = f"share of the pairs of different classes, by network, with R² of ‖dh‖² above {EXPLAINED}"


class MnistPair(Study):
    """Train networks on images, and ask the theory about every pair of probe images.

    Its two rates come from the pair itself (in sample), from the first half of the recorded steps, from the pairs that
    share no image with it, and from the same pair in the other networks; every prediction starts at the measured start.

    Attributes
    ----------
    task
        ``digits``, bundled with scikit-learn, or ``mnist``.
    network
        Architecture, learning rate and number of steps.
    batch_size
        Items per update.
    steps, learning_rate
        In place of the network's own.
    per_class, probe_seed
        Probe images per class, and the seed that draws them.
    limit
        Use only the first so many training images of MNIST.
    record
        Steps to record.
    scaling
        ``curve``: each curve is fitted in units of its deviation.  ``none``: as it is, as in the published code, so
        that ‖dh‖² rules.
    """

    about: ClassVar[str] = "real images: does the theory predict pairs, and does it beat curves without theory?"
    title: ClassVar[str] = "Pairs of images"
    question: ClassVar[str] = (
        "Does the two-point theory describe pairs of real images, learned among many others, with rates from "
        "elsewhere, and better than curves without theory?"
    )
    references: ClassVar[tuple[str, ...]] = ("theory", "initialisation")
    expectations: ClassVar[tuple[Expectation, ...]] = (
        Expectation(
            "second_half",
            "The theory, fitted to the first half of training, explains how two images part in the second.",
            "code",
            "out of sample",
            f"{SHARE} over the second half of the recorded steps",
            low=0.5,
        ),
        Expectation(
            "second_half_beats_logistic",
            "There it is closer than a logistic curve with as many constants, for most pairs.",
            "code",
            "out of sample",
            "share of the pairs of different classes, by network, whose error is smaller",
            low=0.5,
        ),
        Expectation(
            "other_pairs",
            "One pair of rates serves all pairs of a network: those of other pairs explain a pair's whole course.",
            "abstract",
            "out of sample",
            f"{SHARE} over all steps, with the mean rates of the pairs that share no image",
            low=0.5,
        ),
        Expectation(
            "other_pairs_beat_mean_curve",
            "There it is closer than the mean measured curve of those other pairs, for most pairs.",
            "abstract",
            "out of sample",
            "share of the pairs of different classes, by network, whose error is smaller",
            low=0.5,
        ),
        Expectation(
            "other_networks",
            "The rates of the same pair in other networks explain a pair's whole course.",
            "abstract",
            "out of sample",
            f"{SHARE} over all steps, with the mean rates of the other seeds",
            low=0.5,
        ),
        Expectation(
            "final_distance",
            "The rates of other pairs predict how far apart two images end.",
            "code",
            "out of sample",
            "median over the pairs of different classes, by network, of |predicted/measured − 1| of the last ‖dh‖²",
            high=0.25,
        ),
        Expectation(
            "in_sample",
            "The theory can be fitted to how the representations of two images part.",
            "code",
            "in sample",
            f"{SHARE} over all steps, with the pair's own rates",
            low=0.5,
        ),
        Expectation(
            "in_sample_unscaled",
            "It can be if rates are fitted as in the published code, where the largest curve, ‖dh‖², rules.",
            "code",
            "in sample",
            f"{SHARE} over all steps, with the pair's own rates, by the absolute sum of squares",
            low=0.5,
        ),
        Expectation(
            "in_sample_all_curves",
            "The same rates fit the outputs too.",
            "code",
            "in sample",
            f"share of the pairs of different classes, by network, with R² of ‖dh‖², ‖dy‖² and w all above {EXPLAINED}",
            low=0.5,
        ),
    )

    study: Literal["mnist-pair"] = "mnist-pair"
    task: Literal["digits", "mnist"] = "digits"
    network: Network = NETWORK
    seeds: Seeds = (0, 1, 2, 3, 4)
    batch_size: Count = 64
    steps: Count | None = None
    learning_rate: PositiveFloat | None = None
    per_class: Count = 2
    probe_seed: int = 0
    limit: Count | None = None
    record: Recorded = Schedule("every", 28)
    scaling: Scaling = "curve"

    def jobs(self) -> dict[str, Job]:
        """Give what must be trained, by the network's name."""
        options: dict[str, object] = {"per_class": self.per_class, "probe_seed": self.probe_seed}
        if self.limit is not None:
            if self.task != "mnist":
                raise SpecificationError(f"limit is of the task mnist only; leave it out for {self.task}")
            options["limit"] = self.limit
        changes = {"steps": self.steps, "learning_rate": self.learning_rate}
        network = self.network.model_copy(update={k: v for k, v in changes.items() if v is not None})
        job = Job(
            task=self.task,
            options=options,
            network=network,
            seeds=self.seeds,
            record=self.record,
            batch_size=self.batch_size,
            precision=self.precision,
        )
        return {network.name: job}

    def analyse(self, trajectories: Mapping[str, Trajectory]) -> Result:
        """Predict every pair with rates from itself and from elsewhere, and score it beside curves without theory."""
        ((name, job),) = self.jobs().items()
        trajectory = trajectories.get(name)
        if trajectory is None:
            return self.nothing(trajectories, "Nothing has been trained yet.")
        fit = fit_pairs(pair_curves(trajectory), scaling=self.scaling)
        elsewhere = from_other_pairs(fit)
        pairs = score_pairs(name, trajectory, fit, elsewhere, self.scaling)
        shares, whole = tables(pairs)
        return self.answer(
            trajectories,
            summary=summary(pairs, trajectory),
            findings=(*findings([Evidence(name, trajectory, fit, job.seeds)]), *no_better(shares.frame)),
            tables=(shares, whole),
            figures=(distributions(pairs), examples(fit, elsewhere, pairs), final_distances(pairs)),
            claims=self._claims(pairs),
            detail=self.task,
            references=(self.task,),
        )

    def _claims(self, pairs: pd.DataFrame) -> list[Claim]:
        """Measure every claim, network by network."""
        some = pairs[pairs["kind"] == KINDS[0]]
        off = (some["final_h2_others"] / some["last_h2"] - 1).abs()
        all_curves = np.all([some[f"r2_{name}"] > EXPLAINED for name in CURVES], axis=0)
        by_claim: dict[str, pd.Series[Any]] = {
            "second_half": some["theory_h2"] > EXPLAINED,
            "second_half_beats_logistic": closer(some, "theory", "logistic"),
            "other_pairs": some["other_pairs_h2"] > EXPLAINED,
            "other_pairs_beat_mean_curve": closer(some, "other_pairs", "mean_curve"),
            "other_networks": some["other_networks_h2"] > EXPLAINED,
            "in_sample": some["r2_h2"] > EXPLAINED,
            "in_sample_unscaled": some["unscaled_h2"] > EXPLAINED,
            "in_sample_all_curves": pd.Series(all_curves, some.index),
        }
        cases = {name: _by_network(some, met) for name, met in by_claim.items()}
        cases["final_distance"] = _by_network(some, off.fillna(np.inf), median=True)
        if some["seed"].nunique() < 2:  # nothing can be said about others where there are none
            cases["other_networks"] = {}
        each = some["pair"].nunique()
        note = (
            f"{each} pairs of different classes: every pair of {self.per_class} images per class, drawn with seed "
            f"{self.probe_seed}; a pair that could not be predicted counts as not explained."
        )
        return [self.claim(name, values, note=note) for name, values in cases.items()]


def _by_network(pairs: pd.DataFrame, values: "pd.Series[Any]", *, median: bool = False) -> dict[str, float]:
    """Take the mean or the median of each network's pairs; NaN for a network that diverged."""
    found = {}
    for seed, some in pairs.groupby("seed"):
        chosen = values[some.index].astype(float)
        lost = (some["fate"] == "diverged").any()
        found[f"seed {seed}"] = float("nan") if lost else float(chosen.median() if median else chosen.mean())
    return found
