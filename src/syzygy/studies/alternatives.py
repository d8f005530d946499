"""Would any other equations fit as well?  Five right-hand sides with two rates each, on steps they have not seen."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import pandas as pd
from pydantic import Field

from syzygy.checks import findings
from syzygy.claims import Claim, Expectation
from syzygy.figures import Figure
from syzygy.fitting import PairCurves, pair_curves
from syzygy.fitting.problems import CURVES
from syzygy.networks import catalogue
from syzygy.result import Result, Table
from syzygy.studies.drawings.alternatives import followed, ratios
from syzygy.studies.drawings.shared import LABELS
from syzygy.studies.study import Networks, PositiveFloat, Seeds
from syzygy.studies.tables.ablation import THEORY, against_theory, held_out, in_sample, over_theory, wins
from syzygy.studies.two_items import TwoItems, held
from syzygy.trajectory import Trajectory

Share = Annotated[float, Field(gt=0, lt=1)]


class Alternatives(TwoItems):
    """Fit the theory and four changed right-hand sides to the first part of training, and score them on the rest.

    Attributes
    ----------
    cuts
        Where the part that is fitted ends: at the first recorded step at which ‖dy‖² has made such a share of its rise
        to ‖dy*‖².  The first cut decides the claim.
    learned
        Training loss at which scoring ends: later steps stand still, and any equations with the right end win.
    """

    about: ClassVar[str] = "two points: would other equations with two rates do as well as the theory?"
    title: ClassVar[str] = "Alternatives"
    question: ClassVar[str] = (
        "Would any other equations with two fitted rates describe two points as well as the theory does?"
    )
    references: ClassVar[tuple[str, ...]] = ("theory", "initialisation")
    expectations: ClassVar[tuple[Expectation, ...]] = (
        Expectation(
            "predicts",
            "Steps that no fit has seen are predicted better by the theory than by equations with one term changed.",
            "code",
            "out of sample",
            "p of a one-sided sign test over seeds that the theory's error is the smaller, for each change",
            high=0.05,
        ),
        Expectation(
            "predicts_each_curve",
            "That is so for each of the three curves by itself.",
            "code",
            "out of sample",
            "p of a one-sided sign test over seeds that the theory's error is the smaller, for each change and curve",
            high=0.05,
        ),
        Expectation(
            "fits",
            "Equations with one term changed fit worse, however residuals are scaled.",
            "code",
            "in sample",
            "objective over that of the theory, median over seeds, for each change and scaling",
            low=1.0,
        ),
        Expectation(
            "published",
            "The published objectives could be those of one more of our networks.",
            "code",
            "in sample",
            "p of a t-test of the published logarithm against ours, for each right-hand side",
            low=0.01,
        ),
    )

    study: Literal["alternatives"] = "alternatives"
    networks: Annotated[Networks, Field(max_length=1)] = (catalogue()["default"],)
    seeds: Seeds = tuple(range(10))
    dy2: PositiveFloat = 0.5
    cuts: Annotated[tuple[Share, ...], Field(min_length=1)] = (0.5, 0.3, 0.7)
    learned: PositiveFloat = 1e-4

    def analyse(self, trajectories: Mapping[str, Trajectory]) -> Result:
        """Fit five right-hand sides to the whole and to parts of each curve, and compare."""
        found = findings(self.evidence(trajectories))
        if not trajectories:
            return self.answer(trajectories, summary=["Nothing has been trained yet."], findings=found)
        (trajectory,) = (held(one) for one in trajectories.values())
        curves = pair_curves(trajectory)
        inside = in_sample(curves, trajectory.seeds)
        parts = [held_out(curves, trajectory, cut, self.learned) for cut in self.cuts]
        outside = pd.concat(parts, ignore_index=True)
        against, fits, best = against_theory(outside), over_theory(inside), wins(outside)
        return self.answer(
            trajectories,
            summary=_summary(against, fits, best, self.cuts[0]),
            findings=found,
            claims=self._claims(against, fits),
            tables=(
                Table("held-out", HELD_OUT_CAPTION, against),
                Table("wins", WINS_CAPTION, best),
                Table("in-sample", IN_SAMPLE_CAPTION, fits),
                Table("fits", FITS_CAPTION, pd.concat([outside, inside], ignore_index=True)),
            ),
            figures=self._figures(curves, inside, outside),
        )

    def _claims(self, against: pd.DataFrame, fits: pd.DataFrame) -> tuple[Claim, ...]:
        decisive = against[against["cut"] == self.cuts[0]]
        total, single = (decisive[decisive["curve"].isin(curves)] for curves in (["total"], CURVES))
        whole = dict(zip(total["equations"], total["p"], strict=True))
        each = {f"{row['equations']} in {LABELS[row['curve']]}": row["p"] for _, row in single.iterrows()}
        changed = fits[fits["equations"] != THEORY]
        ratio = {f"{row['equations']} with scaling {row['scaling']}": row["ratio"] for _, row in changed.iterrows()}
        beside = fits[fits["scaling"] == "none"]
        known = dict(zip(beside["equations"], beside["chance"], strict=True)) if self.as_by_default else {}
        others = against[(against["cut"] != self.cuts[0]) & (against["curve"] == "total")]
        elsewhere = "; ".join(f"at {cut:.0%} {_counted(rows)}" for cut, rows in others.groupby("cut", sort=False))
        part = f"Fitted until ‖dy‖² has made {self.cuts[0]:.0%} of its rise, scored to a loss of {self.learned:g}."
        note = f"{part} Seeds in which the theory is better: {_counted(total)}."
        note += f" With the cut elsewhere, which decides nothing here: {elsewhere}." if elsewhere else ""
        stopped = "One published network; its searches for h2_doubled and w_flipped stopped above the minimum."
        return (
            self.claim("predicts", whole, note=note),
            self.claim("predicts_each_curve", each, note=part),
            self.claim("fits", ratio),
            self.claim("published", known, note=stopped),
        )

    def _figures(self, curves: PairCurves, inside: pd.DataFrame, outside: pd.DataFrame) -> tuple[Figure, ...]:
        decisive = outside[outside["cut"] == self.cuts[0]]
        drawn = ratios(inside, outside)
        return (drawn, followed(curves, decisive)) if decisive["total"].notna().any() else (drawn,)


HELD_OUT_CAPTION = (
    "Each changed right-hand side against the theory, on steps that neither has seen. cut: share of its rise that "
    "‖dy‖² has made where the fit ends. better: seeds in which the theory's error is smaller. p: one-sided sign test. "
    "ratio: error over the theory's, median over seeds with its 95% interval (of order statistics, which is infinite "
    "for few seeds). Errors are root mean squares in standard deviations of the curve."
)
WINS_CAPTION = "Seeds in which each right-hand side, of five, predicts the held-out steps best."
IN_SAMPLE_CAPTION = (
    "Objectives of fits to all recorded steps: residuals as they are (none), so that the largest curve rules, as in "
    "the published code; or in standard deviations of each curve (curve). objective: median over seeds. ratio: over "
    "the theory's, median, smallest and largest. chance: p of the published objective, of one network, as one more of "
    "ours."
)
FITS_CAPTION = "Every fit: up to a cut, with its error on the held-out steps; and to all steps, with its objective."


def _counted(rows: pd.DataFrame) -> str:
    return ", ".join(f"{row['equations']} {row['better']} of {row['seeds']}" for _, row in rows.iterrows())


def _summary(against: pd.DataFrame, fits: pd.DataFrame, best: pd.DataFrame, cut: float) -> tuple[str, ...]:
    total = against[(against["cut"] == cut) & (against["curve"] == "total")]
    seeds = total["seeds"].max()
    if not seeds > 0:
        return ("No network got far enough to be fitted to a part of its training and scored on the rest.",)
    better = ", ".join(
        f"{row['equations']} in {row['better']} of {row['seeds']} seeds (error {row['ratio']:.2g} times its own)"
        for _, row in total.iterrows()
    )
    first = best[best["cut"] == cut].set_index("curve")
    curves = ", ".join(
        f"{LABELS[name]}: {first.loc[name].drop('cut').astype(int).idxmax()} in {first.loc[name].drop('cut').max():.0f}"
        for name in CURVES
    )
    inside = "; ".join(
        ("as they are: " if scaling == "none" else "in standard deviations of each curve: ")
        + ", ".join(
            f"{row['equations']} {row['ratio']:.2g}" for _, row in part.iterrows() if row["equations"] != THEORY
        )
        for scaling, part in fits.groupby("scaling", sort=False)
    )
    return (
        f"Fitted until ‖dy‖² has made {cut:.0%} of its rise and asked for the rest, by its error over all three curves "
        f"the theory is better than {better}.",
        f"Curve by curve, the equations that are best most often, in so many of {seeds} seeds: {curves}.",
        f"In sample, objectives over the theory's (medians), with residuals {inside}.",
    )
