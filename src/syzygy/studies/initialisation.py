"""How does random initialisation spread the final distance?  Many networks of each gain, and three densities."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from syzygy.checks import findings
from syzygy.claims import Claim, Expectation
from syzygy.errors import SpecificationError
from syzygy.recording import Schedule
from syzygy.result import Result, Table
from syzygy.studies.drawings.spreads import final_distances, over_gain, spreads
from syzygy.studies.perceptrons import Perceptrons
from syzygy.studies.study import Count, PositiveFloat, Recorded, Seeds
from syzygy.studies.tables.spreads import ends, rows, summed_up
from syzygy.studies.tables.trends import crossing
from syzygy.theory.initialisation import richness_of_fraction, start_of_fraction, start_of_layers
from syzygy.training import Job
from syzygy.trajectory import Trajectory

Gains = Annotated[tuple[PositiveFloat, ...], Field(min_length=1)]

#: A distribution agrees if no more than this share of networks is on the wrong side of any distance.
KS = 0.2


class Initialisation(Perceptrons):
    """Train many networks from initial weights of several gains, and compare where they end with densities.

    Attributes
    ----------
    gains
        Factors of the initial weights' standard deviation, rising.
    width
        Units per hidden layer.
    learning_rate
        Divided by ``(gain²/2)^depth`` where that exceeds one: what the layers amplify, each by ``gain²/2``.
    """

    about: ClassVar[str] = "random initial weights: how do they spread the final distance, from rich to lazy?"
    title: ClassVar[str] = "Initialisation"
    question: ClassVar[str] = "How does random initialisation spread the final distance?"
    references: ClassVar[tuple[str, ...]] = ("theory", "initialisation")
    expectations: ClassVar[tuple[Expectation, ...]] = (
        Expectation(
            "published-density",
            "Over initialisations, A_high is normal about zero with the variance 2G² that an early version of the "
            "published code assumes, G the gain of the whole untrained network; the final distance follows.",
            "code",
            "out of sample",
            "largest difference of measured and predicted cumulative share of networks (Kolmogorov–Smirnov); by gain",
            high=KS,
        ),
        Expectation(
            "centred",
            "Over initialisations, A_high is normal about zero, whatever its variance; the final distance follows.",
            "code",
            "out of sample",
            "the same, with the mean square of A_high over the untrained networks as variance; by gain",
            high=KS,
        ),
        Expectation(
            "normal",
            "Over initialisations, A_high is normal; the final distance follows.",
            "derived",
            "out of sample",
            "the same, with the mean and variance of A_high over the untrained networks; by gain",
            high=KS,
        ),
        Expectation(
            "push-forward",
            "The closed form carries the distribution of starts into that of final distances.",
            "derived",
            "out of sample",
            "the same, each network carried from its own start with the rates of other networks; by gain",
            high=KS,
        ),
        Expectation(
            "per-network",
            "The closed form says which of the networks of one gain end further apart.",
            "derived",
            "out of sample",
            "correlation over seeds of log final distance, measured and predicted from each network's own start with "
            "the rates of other networks; by gain",
            low=0.7,
        ),
        Expectation(
            "transition",
            "The gain at which initialisation begins to outweigh the data follows from the gain alone.",
            "code",
            "no fit",
            "gain at which |A_high| reaches A_low, predicted over measured; by how the start is predicted",
            low=0.8,
            high=1.25,
        ),
        Expectation(
            "lazy-shrinks",
            "Lazy networks end with their representations nearer than they began.",
            "derived",
            "no fit",
            "median over networks of last over first ‖dh‖²; by gain past the transition",
            high=1.0,
        ),
        Expectation(
            "direction",
            "Representations part if the outputs start nearer than their targets are, and approach if they start "
            "further, whatever the rates.",
            "derived",
            "no fit",
            "share of networks whose ‖dh‖² moved as the sign of ‖dy*‖² − ‖dy‖² at the start says; by gain",
            low=0.9,
        ),
    )

    study: Literal["initialisation"] = "initialisation"
    seeds: Seeds = tuple(range(50))
    gains: Gains = (0.5, 0.7, 1.0, 1.4, 2.0)
    width: Count = 50
    depth: Count = 3
    layer: Annotated[int, Field(ge=0)] = 1
    steps: Count = 4000
    learning_rate: PositiveFloat = 0.05
    learned_loss: PositiveFloat = 1e-3
    record: Recorded = Schedule("log", 400)
    stop_loss: PositiveFloat = 1e-8

    def jobs(self) -> dict[str, Job]:
        """Give what must be trained, by the network's name."""
        if list(self.gains) != sorted(set(self.gains)):
            raise SpecificationError(f"gains rise; got {', '.join(map(str, self.gains))}")
        rates = [self.learning_rate / max(1.0, (gain**2 / 2) ** self.depth) for gain in self.gains]
        return {
            f"gain-{gain:g}": self._job(f"gain-{gain:g}", width=self.width, gain=gain, learning_rate=rate)
            for gain, rate in zip(self.gains, rates, strict=True)
        }

    def analyse(self, trajectories: Mapping[str, Trajectory]) -> Result:
        """Predict every second network with the rates of the rest, and compare distributions."""
        evidence = self.evidence(trajectories)
        frames = [
            ends(gain, one, self._learned(one.trajectory))
            for gain, one in zip(self.gains, evidence, strict=True)
            if one.trajectory is not None
        ]
        if not frames:
            return self.nothing(trajectories, "Nothing has been trained yet.")
        networks = pd.concat(frames, ignore_index=True)
        gains = pd.DataFrame([self._gain(some) for _, some in networks.groupby("gain")])
        claims = self._claims(gains)
        return self.answer(
            trajectories,
            summary=_summary(gains, claims),
            findings=findings(evidence),
            tables=(Table("gains", GAINS_CAPTION, gains), Table("networks", NETWORKS_CAPTION, networks)),
            figures=(spreads(networks, gains, self.dx2), over_gain(gains), final_distances(networks)),
            claims=claims,
        )

    def _gain(self, networks: pd.DataFrame) -> dict[str, float]:
        """Sum up the networks of a gain, and predict their richness without any rate."""
        row, before = summed_up(networks, self.dx2, self.dy2), self.layer + 1
        fraction = before / (self.depth + 1)
        layers = start_of_layers(row["gain"], before, self.depth - self.layer, self.width, self.dx2)
        whole = start_of_fraction(row["network_gain"], fraction, self.dx2)
        for name, start in (("fraction", whole), ("layers", layers)):
            known = np.isfinite(start.h2) and start.h2 > 0
            row[f"richness_{name}"] = (
                float(richness_of_fraction(start, fraction, self.dx2, self.dy2)) if known else np.nan
            )
        return row

    def _claims(self, gains: pd.DataFrame) -> tuple[Claim, ...]:
        """Take each claim's value at each gain; the transition's from how richness grows with gain."""
        by_gain = {f"gain {row['gain']:g}": row for row in rows(gains)}
        columns = {
            "published-density": "ks_published",
            "centred": "ks_centred",
            "normal": "ks_normal",
            "push-forward": "ks_pushed",
            "per-network": "correlation_others",
            "direction": "direction",
        }
        cases = {claim: {name: row[column] for name, row in by_gain.items()} for claim, column in columns.items()}
        cases["lazy-shrinks"] = {name: row["moved"] for name, row in by_gain.items() if abs(row["richness"]) > 1}
        measured = crossing(gains.set_index("gain")["richness"])
        kinds = {"one gain, split by layers": "richness_fraction", "layer by layer": "richness_layers"}
        cases["transition"] = {
            kind: crossing(gains.set_index("gain")[column]) / measured for kind, column in kinds.items()
        }
        there, asked, tested = (int(gains[name].sum()) for name in ("learned", "networks", "tested"))
        note = f"{there} of {asked} networks learned, the others are left out; {tested} are tested, the rest give rates"
        return tuple(self.claim(one.name, cases[one.name], note=note) for one in self.expectations)


GAINS_CAPTION = (
    "By gain: networks, those that learned, those of them that are tested (every second), and those of the rest with "
    "identified rates, which predict. Then of those tested: network_gain, root mean square of ‖dy‖/‖dx‖ before "
    "training; A_low, A_high (mean, deviation) and richness (median), with the rates of the rest; richness without any "
    "rate, from one gain split by layers (fraction) and layer by layer. ‖dh‖² before, after and predicted, median with "
    "10% and 90%. spread: standard deviation of the logarithm of the last ‖dh‖², measured and predicted. correlation: "
    "of these logarithms, with the rates of the rest, and with the network's own (in sample). moved: last over first "
    "‖dh‖². direction: share of networks that part or approach as their start says. ks_…: Kolmogorov–Smirnov distance "
    "of measured and predicted distribution, with 95% intervals over networks: variance 2G² with G of the untrained "
    "network (published) and of its weights (weights), centred, normal, and each start carried to its end (pushed)."
)
NETWORKS_CAPTION = (
    "Every network: A_low, A_high and final ‖dh‖² with the mean rates of every second network of its gain, which "
    "those tested are not among, and (final ‖dh‖²) with its own."
)


def _summary(gains: pd.DataFrame, claims: tuple[Claim, ...]) -> tuple[str, ...]:
    first, last = gains.iloc[0], gains.iloc[-1]
    parts = [f"{gains['learned'].sum()} of {gains['networks'].sum()} networks learned their two points."]
    for row in (first, last):
        parts.append(
            f"At gain {row['gain']:g} the logarithm of the final ‖dh‖² spreads by {row['spread']:.2f} over "
            f"initialisations (standard deviation); predicted from each start {row['spread_others']:.2f}, with a "
            f"correlation of {row['correlation_others']:.2f}."
        )
    held = {claim.expectation.name: claim for claim in claims}
    parts.append(
        "Kolmogorov–Smirnov distance to the measured distribution, median over gains: "
        + ", ".join(
            f"{label} {held[name].value:.2f}"
            for name, label in (
                ("push-forward", "each start carried"),
                ("normal", "A_high normal"),
                ("centred", "A_high centred"),
                ("published-density", "A_high centred with variance 2G²"),
            )
        )
        + "."
    )
    lazy = held["lazy-shrinks"]
    if lazy.cases:
        parts.append(f"Past the transition, last over first ‖dh‖² is {lazy.measured}.")
    return tuple(parts)
