"""Does structure follow the regime?  Four points of exclusive or, their distances before and after learning."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar, Final, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from syzygy.checks import UNLEARNED, findings
from syzygy.claims import Claim, Expectation
from syzygy.errors import SpecificationError
from syzygy.figures import Figure
from syzygy.fitting import average_rates
from syzygy.published import published
from syzygy.recording import Schedule
from syzygy.result import Result, Table
from syzygy.studies.drawings.matrices import matrices
from syzygy.studies.drawings.shared import measured_over_predicted
from syzygy.studies.regimes import Origin, Regime, network
from syzygy.studies.study import Count, PositiveFloat, Recorded, Seeds, Study
from syzygy.studies.tables.distances import averages, distances, scores
from syzygy.studies.two_items import held
from syzygy.training import Job
from syzygy.trajectory import Trajectory

#: The two points of the published two-point experiment, of as many inputs as exclusive or has.
TWO_POINTS: Final = {"dx2": 1.0, "dy2": 0.5, "input_dim": 2}

#: Columns of the tables by where rates come from; with "start" nothing moves.
PREDICTIONS: Final = ("two_points", "other_seeds", "published", "in_sample", "start")


def _predictions(prefix: str, rates: str) -> tuple[Expectation, Expectation]:
    """Expect rates from one place to say which pairs end near each other, and how near."""
    return (
        Expectation(
            f"{prefix}correlation",
            f"In every regime the theory, with rates of {rates}, predicts which pairs end near each other.",
            "code",
            "out of sample",
            "correlation of predicted and measured distances over the six pairs, per network",
            low=0.9,
        ),
        Expectation(
            f"{prefix}error",
            f"In every regime the theory, with rates of {rates}, predicts the distances themselves.",
            "code",
            "out of sample",
            "mean absolute error over the six pairs, as a share of their mean distance, per network",
            high=0.2,
        ),
    )


class Xor(Study):
    """Train networks of several regimes on exclusive or, and predict the distances of every pair of its points.

    Attributes
    ----------
    regimes
        Rows of the published settings table.
    rate_seeds
        Seeds of the two-point networks from which rates are taken; none of ``seeds``.
    activation
        ``notebook``: rectifiers, as the published notebook forces.  ``table``: leaky ones, as its settings say.
    loss
        ``notebook``: the mean square, without the half that is taken everywhere else, so twice the learning rate here.
        ``table``: with it.
    width, depth, steps
        Units per hidden layer; hidden layers (``shallow`` has one); updates, in place of the settings table's.
    record, stop_loss
        Steps to record, and a loss at which a network stops; from there it counts as standing still.
    """

    about: ClassVar[str] = "exclusive or: do rich networks sort points by class, and lazy ones leave them in place?"
    title: ClassVar[str] = "Exclusive or"
    question: ClassVar[str] = (
        "Does the structure of a representation follow the task in the rich regime and the start in the lazy one, and "
        "does the two-point theory predict all distances with rates from elsewhere?"
    )
    references: ClassVar[tuple[str, ...]] = ("theory", "initialisation")
    expectations: ClassVar[tuple[Expectation, ...]] = (
        Expectation(
            "merging",
            "A rich network learns structure from the task: points of one class merge, those of two classes part.",
            "abstract",
            "no fit",
            "mean distance within classes over mean distance between them, after learning, per network",
            high=0.3,
        ),
        Expectation(
            "staying",
            "A lazy network learns the task without such structure.",
            "abstract",
            "no fit",
            "mean distance within classes over mean distance between them, after learning, per network",
            low=0.6,
        ),
        Expectation(
            "unmoved",
            "In the lazy regime the distances at the end are those at the start.",
            "derived",
            "no fit",
            "largest change of a pair's distance, as a share of its start, per network",
            high=0.05,
        ),
        Expectation(
            "edges",
            "In the rich regime the data alone set the distance of two classes: (η_h/η_y)^¼ for points at ‖dx‖ = 1.",
            "derived",
            "out of sample",
            "mean distance between classes over (η_h/η_y)^¼, with rates of two-point networks, per network",
            low=0.8,
            high=1.2,
        ),
        *_predictions("", "two-point networks of the same kind, other seeds"),
        *_predictions("published_", "the published default two-point network"),
    )

    study: Literal["xor"] = "xor"
    regimes: Annotated[tuple[Regime, ...], Field(min_length=1)] = ("rich", "intermediate", "lazy", "shallow")
    seeds: Seeds = (0, 1, 2)
    rate_seeds: Seeds = (100, 101)
    activation: Origin = "notebook"
    loss: Origin = "notebook"
    width: Count = 500
    depth: Count = 20
    steps: Count | None = None
    record: Recorded = Schedule("every", 10)
    stop_loss: PositiveFloat | None = 1e-7

    def jobs(self) -> dict[str, Job]:
        """Give what must be trained: each network on the four points, and on two points for its rates."""
        if len(set(self.regimes)) != len(self.regimes):
            raise SpecificationError(f"regimes must differ; got {', '.join(self.regimes)}")
        if common := sorted({*self.seeds} & {*self.rate_seeds}):
            raise SpecificationError(f"rates come from other networks: rate_seeds must differ from seeds; got {common}")
        found: dict[str, Job] = {}
        for regime in self.regimes:
            learner = network(regime, self.activation, self.loss, self.width, self.depth, self.steps)
            found[regime] = Job("xor", {}, learner, self.seeds, self.record)
            found[_on_two_points(regime)] = Job("two-points", dict(TWO_POINTS), learner, self.rate_seeds, self.record)
        return {name: replace(job, stop_loss=self.stop_loss, precision=self.precision) for name, job in found.items()}

    def analyse(self, trajectories: Mapping[str, Trajectory]) -> Result:
        """Predict every pair's distance four ways, and compare with what was measured."""
        whole = {name: held(one) for name, one in trajectories.items()}
        evidence = {one.name: one for one in self.evidence(whole)}
        found = findings(tuple(evidence.values()))
        known = published("xor", "rates")
        twos = {name: evidence[_on_two_points(name)].fit for name in self.regimes}
        rates = {name: average_rates(fit) if fit is not None else (np.nan, np.nan) for name, fit in twos.items()}
        parts = [
            distances(one, {"two_points": rates[name], "published": (known["eta_h"], known["eta_y"])})
            for name, one in evidence.items()
            if name in rates and one.fit is not None
        ]
        if not parts:
            return self.answer(trajectories, summary=("Nothing has been trained yet.",), findings=found)
        frame = pd.concat(parts, ignore_index=True)
        networks, means = scores(frame, PREDICTIONS), averages(frame, PREDICTIONS)
        names = means[["network", "pair"]].to_numpy()
        known_last = [published("xor", f"last_{name}").get(pair, np.nan) for name, pair in names]
        return self.answer(
            trajectories,
            summary=_summary(networks),
            findings=found,
            tables=(
                Table("networks", NETWORKS_CAPTION, networks),
                Table("means", MEANS_CAPTION, means.assign(published_last=known_last)),
                Table("distances", DISTANCES_CAPTION, frame),
            ),
            figures=(matrices("matrices", MATRICES_CAPTION, means, PANELS), _scatter(frame)),
            claims=self._claims(networks),
        )

    def _claims(self, networks: pd.DataFrame) -> list[Claim]:
        how = (
            f"Activation as in the {self.activation}, loss as in the {self.loss}. A network whose loss is still above "
            f"{UNLEARNED:.0%} of its start counts as one in which nothing holds."
        )
        wanted = {
            "merging": ("separation", ("rich",)),
            "staying": ("separation", ("lazy",)),
            "unmoved": ("moved", ("lazy",)),
            "edges": ("edges", ("rich",)),
            "correlation": ("correlation_two_points", self.regimes),
            "error": ("error_two_points", self.regimes),
            "published_correlation": ("correlation_published", self.regimes),
            "published_error": ("error_published", self.regimes),
        }
        claims = []
        for name, (column, regimes) in wanted.items():
            some = networks[networks["network"].isin(regimes)]
            values = some[column].where(some["learned"])
            cases = dict(zip(some["network"] + " " + some["seed"].astype(str), values, strict=True))
            claims.append(self.claim(name, cases, note=how))
        return claims


DISTANCES_CAPTION = (
    "Distance ‖dh‖ (not squared) of every pair in every network: at the start, at the end, and at the end as predicted "
    "with rates from elsewhere (two_points, other_seeds, published) and with its own (in_sample)."
)
MEANS_CAPTION = "The same, averaged over networks that did not diverge; published_last is of one network."
NETWORKS_CAPTION = (
    "Each network: its last training loss (half the mean square), and whether that is at most 5% of the first; "
    "separation: mean distance within classes over that between them; moved: largest change of a distance, as a share "
    "of its start; edges: mean distance between classes over (η_h/η_y)^¼. Then correlation and error (mean absolute, "
    "as a share of the mean distance) over the six pairs, with rates of two-point networks of other seeds, the average "
    "of other_seeds here, the published ones, the pair's own in_sample; and if nothing moved (start)."
)
MATRICES_CAPTION = (
    "Distances ‖dh‖ of the four points, averaged over networks, one regime a row: at the start; at the end, predicted "
    "with rates of two-point networks, published ones, the pair's own (in sample); measured. One scale a row from zero."
)
PANELS = {"start": "start", "two_points": "two-point rates", "published": "published rates", "in_sample": "own rates",
          "measured": "measured"}  # fmt: skip


def _on_two_points(name: str) -> str:
    return f"{name}, two points"


def _summary(networks: pd.DataFrame) -> list[str]:
    sentences = []
    for name, some in networks.groupby("network", sort=False):
        mean = some.mean(numeric_only=True)
        said = [f"{mean[f'correlation_{rates}']:.2f} and {mean[f'error_{rates}']:.0%} with {words}"
                for rates, words in (("two_points", "rates of two-point networks"), ("published", "published ones"))
                if np.isfinite(mean[f"error_{rates}"])]  # fmt: skip
        sentences.append(
            f"{str(name).capitalize()}: {some['learned'].sum()} of {len(some)} networks learned. Distances within "
            f"classes are {mean['separation']:.2f} of those between them. The six distances are predicted with a "
            f"correlation and an error of {'; '.join(said) or 'nothing, for want of rates'} (had nothing moved: "
            f"{mean['error_start']:.0%})."
        )
    return sentences


def _scatter(frame: pd.DataFrame) -> Figure:
    squared = {"measured": "measured", "in sample": "in_sample", "out of sample": "two_points"}
    return measured_over_predicted(
        "final-distance",
        "Squared distance of every pair in every network at the end, over its prediction: with rates of the pair "
        "itself (left), of two-point networks of other seeds (right). Pairs predicted to merge cannot be drawn.",
        frame[["network", "seed", "pair"]].assign(**{to: frame[of] ** 2 for to, of in squared.items()}),
    )
