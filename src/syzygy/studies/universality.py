"""Do all architectures fall on one curve?  Each network in its own units of time and distance, from other seeds."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import pandas as pd

from syzygy.checks import findings
from syzygy.claims import Claim, Expectation
from syzygy.fitting.collapse import spread
from syzygy.networks import catalogue
from syzygy.result import Result, Table
from syzygy.studies.drawings.universality import collapse, deviations
from syzygy.studies.study import Networks
from syzygy.studies.tables.units import COLLAPSED, FATES, MEASURED_END, PREDICTED_TIME, RAW, Units
from syzygy.studies.two_items import TwoItems, least
from syzygy.trajectory import Trajectory

MOST_DEVIATION = 0.1

EXPECTATIONS = (
    Expectation(
        "collapse",
        "In time from the half-rise in units of 1/Ω, and distance in units of its end, all architectures fall on one "
        "curve; Ω and the end are predicted with the rates of other seeds.",
        "abstract",
        "out of sample",
        "spread of the curves as trained over their spread when rescaled; each the root mean square distance from the "
        "mean curve in standard deviations of all values",
        low=3,
    ),
    Expectation(
        "curve",
        "That one curve is the theory's, 1/(1 + e^(−t)).",
        "derived",
        "out of sample",
        "root mean square deviation from it for |t| ≤ 4, in units of the predicted end, median over seeds, by network",
        high=MOST_DEVIATION,
    ),
)


class Universality(TwoItems):
    """Draw networks of several settings in units that the theory predicts from other seeds.

    It trains what a study of two points of the same keys trains.

    Keys are those of :class:`~syzygy.studies.two_items.TwoItems`.
    """

    about: ClassVar[str] = "two items, many architectures: do all of them fall on one curve?"
    title: ClassVar[str] = "Universality"
    question: ClassVar[str] = (
        "Do two representations part along one curve, whatever the architecture, once time and distance are in the "
        "theory's units?"
    )
    references: ClassVar[tuple[str, ...]] = ("theory", "follow-up", "initialisation")
    expectations: ClassVar[tuple[Expectation, ...]] = EXPECTATIONS

    study: Literal["universality"] = "universality"
    networks: Networks = tuple(catalogue()[name] for name in ("default", "shallow", "narrow", "tanh", "two_layer"))

    def analyse(self, trajectories: Mapping[str, Trajectory]) -> Result:
        """Rescale every network, and compare what comes out with the theory's curve."""
        evidence = self.evidence(trajectories)
        seen = [one for one in evidence if one.fit is not None]
        if not seen:
            return self.answer(trajectories, summary=["Nothing has been trained yet."], findings=findings(evidence))
        every = [Units(one) for one in seen]
        networks = pd.concat([one.table() for one in every], ignore_index=True)
        rows = pd.DataFrame(
            [_row(one.name, some) for one in every for some in [networks[networks["network"] == one.name]]]
        )
        stages = _stages(every)
        there = networks["on_the_plot"]
        return self.answer(
            trajectories,
            summary=_summary(networks, rows, stages),
            findings=findings(evidence),
            tables=(
                Table("spread", SPREAD_CAPTION, stages),
                Table("rows", ROWS_CAPTION, rows),
                Table("networks", NETWORKS_CAPTION, networks),
            ),
            figures=(collapse(pd.concat([one.curves() for one in every])), deviations(networks, MOST_DEVIATION)),
            claims=self._claims(rows, stages, f"{there.sum()} of {len(there)} networks could be rescaled"),
        )

    def _claims(self, rows: pd.DataFrame, stages: pd.DataFrame, count: str) -> list[Claim]:
        share = stages.set_index("stage")["share"]
        factor = float(share[RAW] / share[COLLAPSED])
        left = rows.loc[rows["on_the_plot"] == 0, "network"]
        others = (
            f"; none of {', '.join(left)}, which the claim about the curve counts as not on it" if len(left) else ""
        )
        ends = f"With the measured end as the unit of distance: {float(share[RAW] / share[MEASURED_END]):.3g}"
        note = f"Over all networks at once. {count}{others}. The step of the half-rise is measured. {ends}."
        by_row = dict(zip(rows["network"], rows["deviation"], strict=True))
        missing = "A network that does not rise from below half of its predicted end, or has no prediction, counts as "
        missing += "the worst. With each network's own rates: column deviation_own of the table rows."
        return [
            self.claim("collapse", {"networks that rise": factor}, note=note),
            self.claim("curve", by_row, note=missing),
        ]


SPREAD_CAPTION = (
    "How far the curves of all networks that could be rescaled are from their mean curve: root mean square (deviation, "
    "in the unit of the distance), and the same in standard deviations of all values (share), which has no unit: 0 is "
    "one curve, 1 is nothing in common. Steps are shares of all steps where they are not in units of 1/Ω. Of other "
    "seeds unless it says own; the half-rise is measured unless it says predicted."
)
ROWS_CAPTION = (
    "A row per setting. on_the_plot: number of networks that could be rescaled; of the others, unpredicted have no "
    "other seed with identified rates, and starts_high start above half of the predicted end, never_half do not "
    "reach it. deviation: root mean square distance from the theory's curve in units of the predicted end, median "
    "over seeds, one that is not on the plot as the worst. deviation_own: with the network's own rates. "
    "deviation_theory: from the theory's curve for this very start (same rates of other seeds, same half-rise), "
    "which is not quite the common one. end_error, half_rise_error: median of |predicted/measured − 1| of the final "
    "‖dh‖², and of the half-rise."
)
NETWORKS_CAPTION = (
    "A row per network. omega: rate of relaxation per step, and end: final ‖dh‖², both predicted with the rates of "
    "other seeds. half_rise: the step at which ‖dh‖² reaches half of that end. start_over_end: ‖dh‖² at the start "
    "over that end. fate: why a network is not on the plot."
)


def _stages(every: list[Units]) -> pd.DataFrame:
    parts = [one.stages() for one in every]
    rows = []
    for name in parts[0]:
        found = spread(np.concatenate([part[name] for part in parts]))
        rows.append({"stage": name, "deviation": found.deviation, "share": found.share, "networks": found.curves})
    frame = pd.DataFrame(rows)
    return frame.assign(reduced_by=frame["share"].iloc[0] / frame["share"])


def _row(name: str, networks: pd.DataFrame) -> dict[str, object]:
    row: dict[str, object] = {"network": name, "networks": len(networks), "on_the_plot": networks["on_the_plot"].sum()}
    row |= {fate: int((networks["fate"] == fate).sum()) for fate in FATES}
    for column in ("deviation", "deviation_own", "deviation_theory"):
        row[column] = -least(-networks[column].to_numpy())
    for error, predicted, measured in (
        ("end_error", "end", "last_h2"),
        ("half_rise_error", "half_rise_predicted", "half_rise"),
    ):
        row[error] = -least(-(networks[predicted] / networks[measured] - 1).abs().to_numpy())
    return row


def _summary(networks: pd.DataFrame, rows: pd.DataFrame, stages: pd.DataFrame) -> tuple[str, ...]:
    there, share = networks["on_the_plot"], stages.set_index("stage")["share"]
    left = rows.loc[rows["on_the_plot"] == 0, "network"]
    said = [
        f"{there.sum()} of {len(there)} networks rise from below half of the end that other seeds' rates predict"
        + (f"; of {', '.join(left)} none does." if len(left) else ".")
    ]
    if there.sum() < 2:
        return (*said, "Fewer than two curves make no spread.")
    timed = (networks["half_rise_predicted"] / networks["half_rise"] - 1).abs()
    on_it = (rows["deviation"] <= MOST_DEVIATION).sum()
    return (
        *said,
        f"Their spread falls from {share[RAW]:.2f} to {share[COLLAPSED]:.2f} standard deviations of all values; with "
        f"measured ends it falls to {share[MEASURED_END]:.2f}, and with the predicted half-rise, where "
        f"nothing but the start is measured, to {share[PREDICTED_TIME]:.2f}.",
        f"{on_it} of {len(rows)} settings lie within {MOST_DEVIATION:g} of the theory's curve. The step of the "
        f"half-rise, which the collapse takes as measured, is predicted to {timed.median():.0%} (median).",
    )
