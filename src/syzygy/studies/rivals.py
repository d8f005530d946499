"""Which equations describe it best, and do the data pin their constants down?  Seven models, three intervals."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar, Final, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from syzygy.checks import findings
from syzygy.claims import Claim, Expectation
from syzygy.fitting.fit import IDENTIFIED_FACTOR
from syzygy.fitting.rivals.candidates import CHANGED
from syzygy.networks import catalogue, setting
from syzygy.recording import Schedule
from syzygy.result import Result, Table
from syzygy.studies.drawings.rivals import errors_of_models, profiles
from syzygy.studies.study import Count, Networks, PositiveFloat, Seeds
from syzygy.studies.tables.rivals import (
    INTERVALS_CAPTION,
    MODELS_CAPTION,
    PAPER,
    RANKING_CAPTION,
    SHARING_CAPTION,
    intervals_of,
    models_of,
    profiles_of,
    ranking_of,
    sharing_of,
)
from syzygy.studies.two_items import TwoItems
from syzygy.training import Job
from syzygy.trajectory import Trajectory

Share = Annotated[float, Field(gt=0, lt=1)]

#: Only what the exact theory starts from is needed of the networks themselves.
MEASURED: Final = Schedule("log", 3)

EXPECTATIONS: Final = (
    Expectation(
        "changed_lose",
        "Steps that no fit has seen are predicted better by the paper's equations than by those with one term changed.",
        "code",
        "out of sample",
        "held-out error of the best of the four changed equations over the paper's, median over seeds, by network",
        low=1.0,
    ),
    Expectation(
        "exact_wins",
        "The exact equations, from the decoder's measured Jacobian, predict them at least as well as the paper's.",
        "derived",
        "out of sample",
        "held-out error of the exact equations over the paper's, median over seeds, by network",
        high=1.0,
    ),
    Expectation(
        "depth_wins",
        "Rates that grow by the law of depth predict them at least as well as constant ones.",
        "derived",
        "out of sample",
        "held-out error with growing rates over the paper's, median over seeds, by network",
        high=1.0,
    ),
    Expectation(
        "identified",
        "One trajectory pins both rates down, by the profile of the likelihood.",
        "derived",
        "in sample",
        "factor from a rate to the upper end of its 95% interval, the larger of the two rates, largest over seeds, by "
        "network",
        high=IDENTIFIED_FACTOR,
    ),
    Expectation(
        "shared",
        "Networks that differ in their initial weights alone have the same rates.",
        "derived",
        "in sample",
        "p of the test that all seeds share one pair of rates, by network",
        low=0.05,
    ),
)


class ModelComparison(TwoItems):
    """Fit seven models to networks that learn two points, and ask how sure their constants are.

    Keys are those of :class:`~syzygy.studies.two_items.TwoItems`, and

    Attributes
    ----------
    cut
        Where the part that is fitted ends: at the first recorded step at which ‖dy‖² has made such a share of its rise
        to ‖dy*‖².
    learned
        Training loss at which scoring ends: later steps stand still, and any equations with the right end win.
    replicates
        Of the bootstrap.
    """

    about: ClassVar[str] = "two items, seven models: which describes them best, and how sure are its rates?"
    title: ClassVar[str] = "Rivals"
    question: ClassVar[str] = "Which equations describe two points best, and do the data pin their constants down?"
    references: ClassVar[tuple[str, ...]] = ("theory", "initialisation")
    expectations: ClassVar[tuple[Expectation, ...]] = EXPECTATIONS

    study: Literal["rivals"] = "rivals"
    networks: Networks = (
        catalogue()["two_layer"],
        catalogue()["shallow"],
        setting({"like": "tanh", "name": "tanh_200", "width": 200}),
        setting({"like": "default", "name": "default_200", "width": 200}),
    )
    seeds: Seeds = tuple(range(5))
    dy2: PositiveFloat = 0.5
    cut: Share = 0.5
    learned: PositiveFloat = 1e-4
    replicates: Annotated[Count, Field(ge=20)] = 200

    def jobs(self) -> dict[str, Job]:
        """Give what must be trained, by the network's name."""
        return {name: replace(job, measure=MEASURED) for name, job in super().jobs().items()}

    def analyse(self, trajectories: Mapping[str, Trajectory]) -> Result:
        """Fit every model to every network, and sum up."""
        evidence = self.evidence(trajectories)
        seen = [one for one in evidence if one.fit is not None and one.fit.fitted.any()]
        trained = {name: job.network for name, job in self.jobs().items()}
        models = pd.concat(
            [pd.DataFrame(), *(models_of(one, trained[one.name], self.cut, self.learned) for one in seen)]
        )
        if models.empty:
            return self.nothing(trajectories, "No network got far enough for any model to be fitted and scored.")
        ranking = ranking_of(models)
        intervals = pd.concat([intervals_of(one, self.replicates) for one in seen], ignore_index=True)
        sharing = pd.DataFrame([sharing_of(one) for one in seen])
        return self.answer(
            trajectories,
            summary=_summary(models, ranking, intervals, sharing),
            findings=findings(evidence),
            tables=[
                Table("ranking", RANKING_CAPTION, ranking),
                Table("intervals", INTERVALS_CAPTION, intervals),
                Table("sharing", SHARING_CAPTION, sharing),
                Table("models", MODELS_CAPTION, models.reset_index(drop=True)),
            ],
            figures=[
                errors_of_models(models.reset_index(drop=True)),
                profiles(pd.concat([profiles_of(one) for one in seen], ignore_index=True)),
            ],
            claims=self._claims(models, ranking, intervals, sharing),
        )

    def _claims(
        self, models: pd.DataFrame, ranking: pd.DataFrame, intervals: pd.DataFrame, sharing: pd.DataFrame
    ) -> list[Claim]:
        over = ranking.pivot(index="network", columns="model", values="over_paper")
        errors = models.pivot(index=["network", "seed"], columns="model", values="held_out")
        rivals = errors[[name for name in CHANGED if name in errors]].min(axis=1) / errors[PAPER]
        rates = intervals[intervals["quantity"].isin(["eta_h", "eta_y"])]
        factor = (rates["profile_high"] / rates["value"]).groupby(rates["network"]).max()
        measured = {
            "changed_lose": rivals.groupby("network").median(),
            "exact_wins": over.get("exact", pd.Series(dtype=float)),
            "depth_wins": over.get("depth", pd.Series(dtype=float)),
            "identified": factor,
            "shared": sharing.set_index("network")["p"],
        }
        names = [network.name for network in self.networks]
        return [
            self.claim(name, {network: float(values.get(network, np.nan)) for network in names})
            for name, values in measured.items()
        ]


def _summary(models: pd.DataFrame, ranking: pd.DataFrame, intervals: pd.DataFrame, sharing: pd.DataFrame) -> list[str]:
    wins = ranking.groupby("model", sort=False)[["wins_held_out", "wins_bic"]].sum()
    count = len(models[["network", "seed"]].drop_duplicates())

    def listed(column: str) -> str:
        ordered = wins[column].sort_values(ascending=False, kind="stable")
        return ", ".join(f"{name} {number}" for name, number in ordered.items() if number)

    rates = intervals[intervals["quantity"].isin(["eta_h", "eta_y"])]
    ratio = intervals[intervals["quantity"] == "ratio"]
    width = [(some["profile_high"] / some["value"]).replace(np.inf, np.nan).median() for some in (rates, ratio)]
    return [
        f"Best on steps that no fit has seen, of {count} networks: {listed('wins_held_out')}. By the Bayesian "
        f"information criterion: {listed('wins_bic')}.",
        f"A rate's 95% interval reaches {width[0]:.2f} times its value, that of the ratio of the two {width[1]:.2f} "
        "times (profile likelihood, medians).",
        f"That all seeds share one pair of rates is rejected at 5% for {(sharing['p'] < 0.05).sum()} of {len(sharing)} "
        "kinds of network.",
    ]
