"""Can the end of learning be foretold?  Forecasts from untrained networks, and what became of them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Final, Literal

import numpy as np
import pandas as pd

from syzygy.checks import Evidence, findings
from syzygy.claims import Claim, Expectation
from syzygy.networks import catalogue, setting
from syzygy.recording import Schedule
from syzygy.regimes import REGIMES_CAPTION, drawn, places
from syzygy.result import Result, Table
from syzygy.studies.drawings.forecast import errors_over_training, forecasts_against_measured, measured_rates
from syzygy.studies.study import Networks, Recorded
from syzygy.studies.tables.forecast import (
    FORECASTS_CAPTION,
    NETWORKS_CAPTION,
    RATES_CAPTION,
    forecasts_of,
    network_of,
    rates_of,
    without_rates,
)
from syzygy.studies.two_items import TwoItems
from syzygy.training import Job
from syzygy.trajectory import Trajectory

SMALL: Final = ("two_layer", "shallow", *("linear", "tanh", "default", "gain_1.3"))

EXPECTATIONS: Final = (
    Expectation(
        "final_exact",
        "The exact formula with rates measured on the untrained network foretells the final distance.",
        "derived",
        "no fit",
        "|forecast/measured − 1| of the final ‖dh‖², median over seeds, by network",
        high=0.25,
    ),
    Expectation(
        "time_exact",
        "It foretells when the pair is learned.",
        "derived",
        "no fit",
        "factor between forecast and measured step at which ‖dy − dy*‖² has fallen to a quarter (the larger over the "
        "smaller), median over seeds, by network",
        high=2.0,
    ),
    Expectation(
        "exact_beats_paper",
        "From the same start and rates, the exact formula is nearer to the final distance than the paper's.",
        "derived",
        "no fit",
        "error |log(forecast/measured)| of the exact formula over that of the paper's, median over seeds, by network",
        high=1.0,
    ),
    Expectation(
        "measuring_helps",
        "Measured rates foretell the final distance better than those of a two-layer linear network.",
        "derived",
        "no fit",
        "error |log(forecast/measured)| of the exact formula with measured rates over that with nominal ones, median "
        "over seeds, by network",
        high=1.0,
    ),
    Expectation(
        "constant_rates",
        "Effective learning rates are constant while the pair is learned, as the theory assumes.",
        "abstract",
        "no fit",
        "largest over smallest measured rate until the pair is learned, the larger of the two rates, median over "
        "seeds, by network",
        high=2.0,
    ),
)


class Forecasting(TwoItems):
    """Measure untrained networks, foretell what they will learn, train them and compare.

    Keys are those of :class:`~syzygy.studies.two_items.TwoItems`, and

    Attributes
    ----------
    measure
        Steps at which rates are measured, and forecasts made: ``every N`` or ``log N``.
    """

    about: ClassVar[str] = "two items, before training: how far will they end, and when?"
    title: ClassVar[str] = "Forecast"
    question: ClassVar[str] = "Does theory foretell, from an untrained network alone, where a pair will end and when?"
    references: ClassVar[tuple[str, ...]] = ("theory", "initialisation")
    expectations: ClassVar[tuple[Expectation, ...]] = EXPECTATIONS

    study: Literal["forecast"] = "forecast"
    networks: Networks = tuple(
        catalogue()[name] if name in SMALL[:2] else setting({"like": name, "name": f"{name}_200", "width": 200})
        for name in SMALL
    )
    measure: Recorded = Schedule("log", 12)

    def jobs(self) -> dict[str, Job]:
        """Give what must be trained, by the network's name."""
        return {name: replace(job, measure=self.measure) for name, job in super().jobs().items()}

    def analyse(self, trajectories: Mapping[str, Trajectory]) -> Result:
        """Compare what was foretold with what came."""
        evidence = self.evidence(trajectories)
        seen = [one for one in evidence if one.trajectory is not None]
        measured = [one for one in seen if not without_rates(one)]
        if not measured:
            return self.nothing(trajectories, "Of no network could the rates be measured. " + self._left_out(seen))
        rates = {job: self.jobs()[job].network for job in self.jobs()}
        made = pd.concat([forecasts_of(one, rates[one.name]) for one in measured], ignore_index=True)
        inside = pd.concat([rates_of(one) for one in measured], ignore_index=True)
        rows = pd.DataFrame([network_of(name, made, inside) for name in dict.fromkeys(made["network"])])
        regimes = pd.concat([places(one.name, one.trajectory, one.fit) for one in seen if one.trajectory and one.fit])
        return self.answer(
            trajectories,
            summary=_summary(rows, self._left_out(seen)),
            findings=findings(evidence),
            tables=[
                Table("networks", NETWORKS_CAPTION, rows),
                Table("forecasts", FORECASTS_CAPTION, made),
                Table("rates", RATES_CAPTION, inside),
                Table("regimes", REGIMES_CAPTION, regimes),
            ],
            figures=[
                forecasts_against_measured(made),
                measured_rates(inside),
                errors_over_training(made),
                drawn(regimes),
            ],
            claims=self._claims(rows),
        )

    def _claims(self, rows: pd.DataFrame) -> list[Claim]:
        """Of the forecasts that were made at step 0."""
        missing = [network.name for network in self.networks if network.name not in set(rows["network"])]
        note = f"Not measured: {', '.join(missing)}." if missing else ""
        return [
            self.claim(name, dict(zip(rows["network"], rows[column], strict=True)), note=note)
            for name, column in CLAIMED.items()
        ]

    @staticmethod
    def _left_out(seen: list[Evidence]) -> str:
        reasons = {one.name: without_rates(one) for one in seen}
        return " ".join(f"{name}: {why}." for name, why in reasons.items() if why)


#: By claim, the column of the table of networks.
CLAIMED: Final = {
    "final_exact": "final_error",
    "time_exact": "learned_factor",
    "exact_beats_paper": "exact_over_paper",
    "measuring_helps": "measured_over_nominal",
    "constant_rates": "rates_vary",
}


def _summary(rows: pd.DataFrame, left_out: str) -> list[str]:
    count = len(rows)
    near, soon = (rows["final_error"] <= 0.25).sum(), (rows["learned_factor"] <= 2).sum()
    said = [
        f"From the untrained network alone, with measured rates, the exact formula foretells the final distance within "
        f"25% for {near} of {count} kinds of network, and the time to learn within a factor of two for {soon}.",
        f"Its error is smaller than the paper's from the same start and rates for "
        f"{(rows['exact_over_paper'] < 1).sum()} of {count}.",
    ]
    with_mean = rows["error of exact, with the mean"].to_numpy(dtype=float)
    if np.isfinite(with_mean).any():
        better = (with_mean < rows["error of exact"]).sum()
        said.append(f"With the mean that the two items share, it is smaller still for {better} of {count}.")
    vary = rows["rates_vary"].to_numpy(dtype=float)
    if np.isfinite(vary).any():
        said.append(f"Until a pair is learned, measured rates change by a factor of {np.nanmedian(vary):.3g} (median).")
    return [*said, *([left_out] if left_out else [])]
