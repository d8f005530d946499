"""Does one theory describe every architecture?  Two items, many networks, two fitted rates each."""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
import pandas as pd

from syzygy.checks import POOR_R2, Evidence, findings
from syzygy.claims import Claim, Expectation
from syzygy.figures import Figure
from syzygy.fitting import from_other_networks
from syzygy.fitting.fit import IDENTIFIED_FACTOR
from syzygy.regimes import drawn, places
from syzygy.result import Result, Table
from syzygy.studies.claims import default_network
from syzygy.studies.drawings.shared import comparison_by_network, measured_over_predicted, trajectories_of_networks
from syzygy.studies.tables.rates import (
    RATES_CAPTION,
    ROWS_CAPTION,
    SETTINGS_CAPTION,
    rates_of_networks,
    row_of_setting,
    setting_row,
)
from syzygy.studies.two_items import TwoItems
from syzygy.trajectory import Trajectory

DRAWN_STEPS = 300

EXPECTATIONS = (
    Expectation(
        "explains_h2",
        "Two rates fitted to other seeds explain how two representations part, whatever the architecture.",
        "abstract",
        "out of sample",
        "R² of ‖dh‖² with the geometric mean of the other seeds' rates, median over seeds, by network",
        low=POOR_R2,
    ),
    Expectation(
        "explains_y2",
        "Two rates fitted to other seeds explain how the two outputs part, whatever the architecture.",
        "abstract",
        "out of sample",
        "R² of ‖dy‖² with the geometric mean of the other seeds' rates, median over seeds, by network",
        low=POOR_R2,
    ),
    Expectation(
        "predicts_end",
        "Rates fitted to other seeds predict the final distance of the two representations.",
        "code",
        "out of sample",
        "|predicted/measured − 1| of the final ‖dh‖², median over seeds, by network",
        high=0.1,
    ),
    Expectation(
        "identified",
        "One trajectory pins two effective learning rates down.",
        "code",
        "in sample",
        "factor from a rate to the upper end of its 95% interval, the larger of the two rates, largest over seeds, "
        "by network",
        high=IDENTIFIED_FACTOR,
    ),
)


class TwoPoints(TwoItems):
    """Train networks on two points, and fit the theory to their two representations.

    Keys are those of :class:`~syzygy.studies.two_items.TwoItems`.
    """

    about: ClassVar[str] = "two items, many architectures: does one theory describe them all?"
    title: ClassVar[str] = "Two points"
    question: ClassVar[str] = (
        "Does one theory with two fitted rates describe how two representations part, whatever the architecture?"
    )
    references: ClassVar[tuple[str, ...]] = ("theory", "follow-up", "initialisation")
    expectations: ClassVar[tuple[Expectation, ...]] = (*EXPECTATIONS, *default_network.EXPECTATIONS)

    study: Literal["two-points"] = "two-points"

    def analyse(self, trajectories: Mapping[str, Trajectory]) -> Result:
        """Fit, and compare what was seen with what the theory says."""
        evidence = self.evidence(trajectories)
        seen = [one for one in evidence if one.trajectory is not None]
        if not seen:
            return self.answer(trajectories, summary=["Nothing has been trained yet."], findings=findings(evidence))
        rates = pd.concat([rates_of_networks(one) for one in seen], ignore_index=True)
        rows = pd.DataFrame(
            [row_of_setting(one.name, some) for one in seen for some in [rates[rates["network"] == one.name]]]
        )
        beside = default_network.beside_published(seen, self.jobs())
        tables = [Table("rows", ROWS_CAPTION, rows), Table("rates", RATES_CAPTION, rates)]
        if len(beside):
            tables.append(Table("published", default_network.CAPTION, beside))
        tables.append(Table("settings", SETTINGS_CAPTION, self._settings_table()))
        regimes = pd.concat([places(one.name, one.trajectory, one.fit) for one in seen if one.trajectory and one.fit])
        return self.answer(
            trajectories,
            summary=(*_summary(rates, len(self.networks)), *_outcomes(rows)),
            findings=findings(evidence),
            tables=tables,
            figures=[
                comparison_by_network(rates),
                _final(rates),
                drawn(regimes),
                *(trajectories_of_networks(one.name, self._curves(one)) for one in seen),
            ],
            claims=(*self._claims(rows), *self._bands(seen)),
        )

    def _claims(self, rows: pd.DataFrame) -> list[Claim]:
        trained = f"Trained with settings = {self.settings}. "
        start = "Each prediction starts from the network's own first record, so an error in the time that it spends on "
        start += "its plateau counts in full. "
        measured = (
            ("explains_h2", "r2_h2_others", f"In sample: column r2_h2 of the table rows. {start}"),
            ("explains_y2", "r2_y2_others", f"In sample: column r2_y2 of the table rows. {start}"),
            ("predicts_end", "final_error_others", "In sample: column final_error of the table rows. "),
            ("identified", "uncertainty", ""),
        )
        return [
            self.claim(name, dict(zip(rows["network"], rows[column], strict=True)), note=(note + trained).strip())
            for name, column, note in measured
        ]

    def _bands(self, seen: list[Evidence]) -> list[Claim]:
        """Measure what is known of the paper's main network, if it is there at its own size."""
        name, jobs = default_network.NAME, self.jobs()
        there = [one for one in seen if one.name == name and default_network.of_published_size(name, jobs[name])]
        cases = default_network.bands(there[0]) if there else {}
        note = "" if there else f"Needs the network {name} at its own size, on the published pair, with its settings."
        claims = [self.claim(e.name, cases.get(e.name, {}), note=note) for e in default_network.EXPECTATIONS]
        return [replace(c, published={k: v for k, v in c.published.items() if k.startswith(name)}) for c in claims]

    def _settings_table(self) -> pd.DataFrame:
        trained = self.jobs()
        return pd.DataFrame([setting_row(network, trained[network.name].network) for network in self.networks])

    def _curves(self, one: Evidence) -> pd.DataFrame:
        """Measured and predicted curves, one row per seed, quantity and drawn step."""
        assert one.trajectory is not None
        assert one.fit is not None
        measured, own, others = one.fit.curves, one.fit.predict(), from_other_networks(one.fit).predict()
        drawn = np.unique(np.linspace(0, len(measured.steps) - 1, DRAWN_STEPS).round().astype(int))
        frames = []
        for index, seed in enumerate(one.trajectory.seeds):
            curves = {
                name: [getattr(some, name)[index, 0] for some in (measured, own, others)] for name in ("h2", "y2", "w")
            }
            # The training loss averages over outputs, the theory's sums over them.
            said = [some.loss[index, 0] / self.output_dim for some in (own, others)]
            curves["loss"] = [one.trajectory.loss[index].astype(np.float64), *said]
            columns = {"seed": int(seed), "step": measured.steps[drawn].astype(int)}
            frames += [
                pd.DataFrame(
                    columns | {"quantity": name} | dict(zip(DRAWN, (some[drawn] for some in lines), strict=True))
                )
                for name, lines in curves.items()
            ]
        return pd.concat(frames, ignore_index=True)


DRAWN = ("measured", "predicted", "others")


def _final(rates: pd.DataFrame) -> Figure:
    frame = rates[["network", "seed", "last_h2", "final_h2", "final_h2_others"]].rename(
        columns={"last_h2": "measured", "final_h2": "in sample", "final_h2_others": "out of sample"}
    )
    return measured_over_predicted(
        "final-distance",
        "Squared distance of the two representations at the end of training, over the theory's prediction: with rates "
        "fitted to the same network (left), and with the rates of the other seeds (right). The line is y = x. The "
        "left panel is no independent test: the fit has seen the end.",
        frame,
    )


def _summary(rates: pd.DataFrame, asked: int) -> tuple[str, ...]:
    count = rates["network"].nunique()
    there = f"{len(rates)} networks of {count} setting{'s' * (count != 1)}"
    if count < asked:
        there += f" (of {asked} asked)"
    sure = rates[rates["identified"]]
    error = (sure["final_h2_others"] / sure["last_h2"] - 1).abs()
    medians = [
        ", ".join(
            f"{label} {rates[name + whose].median():.3f}" for label, name in R2_LABELS if rates[name + whose].any()
        )
        for whose in ("", "_others")
    ]
    if not medians[0]:
        return (f"{there}. The theory could be fitted to none of them.",)
    sentences = [f"{there}. Median share of variance explained by the theory with two fitted rates: {medians[0]}."]
    if medians[1]:
        sentences.append(f"With the rates of other seeds: {medians[1]}.")
    if error.notna().any():
        sentences.append(
            f"Where the rates are identified ({len(sure)} networks), the final distance predicted with those of other "
            f"seeds is off by {error.median():.1%} (median; worst {error.max():.1%})."
        )
    regimes = sure["regime"].value_counts()
    if len(regimes):
        sentences.append("Regimes: " + ", ".join(f"{name} {number}" for name, number in regimes.items()) + ".")
    return tuple(sentences)


def _outcomes(rows: pd.DataFrame) -> tuple[str, ...]:
    """Name the settings that cannot speak for the theory, and why."""
    said = [
        f"{label}: "
        + ", ".join(f"{row.network} {row[column]} of {row.networks}" for _, row in rows.iterrows() if row[column])
        for column, label in OUTCOMES
        if rows[column].any()
    ]
    return (". ".join(said) + ".",) if said else ()


R2_LABELS = (("‖dh‖²", "r2_h2"), ("‖dy‖²", "r2_y2"), ("w", "r2_w"))
OUTCOMES = (
    ("diverged", "Diverged"),
    ("unlearned", "Did not learn within their steps"),
    ("unidentified", "Rates not identified"),
)
