"""From which width on does the theory describe a network?  One pair, many widths, many seeds."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar, Final, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from pydantic import Field

from syzygy.checks import Evidence, findings
from syzygy.claims import Claim, Expectation
from syzygy.errors import SpecificationError
from syzygy.figures import COLOURS, Figure
from syzygy.fitting import fit_pairs, from_other_networks
from syzygy.fitting.problems import CURVES
from syzygy.fitting.score import last_finite
from syzygy.result import Result, Table
from syzygy.studies.perceptrons import Perceptrons
from syzygy.studies.study import Count, PositiveFloat, Seeds
from syzygy.studies.tables.trends import FEWEST, LEVEL, falling, far_end, levelled
from syzygy.training import Job
from syzygy.trajectory import Trajectory

#: Errors of a network by column: what it is, and whether the rates are its own.
ERRORS: Final = {
    "squares": ("sum of squares", "in sample"),
    "unexplained": ("1 − R²", "in sample"),
    "unexplained_others": ("time course", "out of sample"),
    "final_others": ("final distance", "out of sample"),
}
Widths = Annotated[tuple[Count, ...], Field(min_length=1)]


class Expressivity(Perceptrons):
    """Train networks of many widths on two points, and see how the error of the theory falls.

    Attributes
    ----------
    widths
        Units per hidden layer.
    gain, learning_rate
        At width 1: the gain falls as ``1/sqrt(width)``, the learning rate grows as ``sqrt(width)``.
    """

    about: ClassVar[str] = "networks of few units: from which width on does the theory describe them?"
    title: ClassVar[str] = "Expressivity"
    question: ClassVar[str] = "From which width on does the theory describe a network?"
    references: ClassVar[tuple[str, ...]] = ("theory", "initialisation")
    expectations: ClassVar[tuple[Expectation, ...]] = (
        Expectation(
            "falls",
            "The theory describes wide networks better than narrow ones: its error falls with width.",
            "code",
            "out of sample",
            "Spearman's correlation of width and median error of the networks that learned, with the rates of the "
            "other seeds of their width; by error",
            high=-0.8,
        ),
        Expectation(
            "falls-in-sample",
            "The error of the fit falls with width.",
            "code",
            "in sample",
            "Spearman's correlation of width and median error of the networks that learned, with their own rates; by "
            "error",
            high=-0.8,
        ),
        Expectation(
            "ratio",
            "Narrow networks are described at least twice as badly as wide ones.",
            "code",
            "out of sample",
            "median error at the narrowest width that learned, over that of the widest quarter of widths; by error",
            low=LEVEL,
        ),
        Expectation(
            "saturates",
            "From some width on, more units do not help: the error has levelled off.",
            "code",
            "out of sample",
            "first width from which on every median error is within a factor of two of that of the widest quarter, as "
            "a share of the largest width; by error",
            high=0.5,
        ),
    )

    study: Literal["expressivity"] = "expressivity"
    seeds: Seeds = tuple(range(10))
    widths: Widths = (1, 2, 4, 8, 16, 29)
    gain: PositiveFloat = 4.0
    learning_rate: PositiveFloat = 0.001

    def jobs(self) -> dict[str, Job]:
        """Give what must be trained, by the network's name."""
        if list(self.widths) != sorted(set(self.widths)):
            raise SpecificationError(f"widths rise; got {', '.join(map(str, self.widths))}")
        jobs = {}
        for width, root in zip(self.widths, np.sqrt(self.widths).tolist(), strict=True):
            rate = self.learning_rate * root
            jobs[f"width-{width}"] = self._job(f"width-{width}", width=width, gain=self.gain / root, learning_rate=rate)
        return jobs

    def analyse(self, trajectories: Mapping[str, Trajectory]) -> Result:
        """Fit every network, and take medians over those that learned."""
        evidence = self.evidence(trajectories)
        of_width = dict(zip(self.widths, evidence, strict=True))
        frames = [self._errors(width, one) for width, one in of_width.items() if one.trajectory is not None]
        if not frames:
            return self.nothing(trajectories, "Nothing has been trained yet.")
        networks = pd.concat(frames, ignore_index=True)
        widths = _by_width(networks)
        claims = self._claims(widths)
        return self.answer(
            trajectories,
            summary=_summary(widths, claims),
            findings=findings(evidence),
            tables=(Table("widths", WIDTHS_CAPTION, widths), Table("networks", NETWORKS_CAPTION, networks)),
            figures=(Figure("width", FIGURE_CAPTION, networks, _draw),),
            claims=tuple(claims.values()),
        )

    def _errors(self, width: int, one: Evidence) -> pd.DataFrame:
        """Give what became of each network of a width, and how well the theory describes it."""
        assert one.trajectory is not None
        assert one.fit is not None
        fit, learned = one.fit, self._learned(one.trajectory)
        # Rates of networks that did not learn say nothing of those that did.
        others = from_other_networks(replace(fit, identified=fit.identified & learned[:, None]))
        absolute, measured = fit_pairs(fit.curves, scaling="none").predict(), last_finite(fit.curves.h2)[:, 0]
        squares = sum((getattr(fit.curves, name) - getattr(absolute, name)) ** 2 for name in CURVES)
        errors = {
            "squares": np.trapezoid(squares, fit.curves.steps)[:, 0],
            "unexplained": 1 - np.mean([fit.r2[name][:, 0] for name in CURVES], axis=0),
            "unexplained_others": 1 - np.mean([others.r2[name][:, 0] for name in CURVES], axis=0),
            "final_others": np.abs(others.final_h2[:, 0] / measured - 1),
        }
        rates = {"eta_h": fit.eta_h.value[:, 0], "eta_y": fit.eta_y.value[:, 0], "identified": fit.identified[:, 0]}
        loss = last_finite(one.trajectory.loss.astype(np.float64))
        start = {"width": width, "seed": one.trajectory.seeds, "last_loss": loss, "learned": learned}
        return pd.DataFrame(start | {"last_h2": measured} | errors | rates | {"richness": fit.richness[:, 0]})

    def _claims(self, widths: pd.DataFrame) -> dict[str, Claim]:
        cases: dict[str, dict[str, float]] = {one.name: {} for one in self.expectations}
        for name, (label, sample) in ERRORS.items():
            median = widths.set_index("width")[name].dropna()
            if sample == "in sample":
                cases["falls-in-sample"][label] = falling(median)
            else:
                cases["falls"][label] = falling(median)
                cases["ratio"][label] = median.iloc[0] / far_end(median) if len(median) >= FEWEST else np.nan
                cases["saturates"][label] = levelled(median) / max(self.widths)
        note = (
            f"{widths['learned'].sum()} of {widths['networks'].sum()} networks learned; the others are left out, as in "
            "the published code. The weights' gain falls with width, so wide networks also start nearer the rich limit."
        )
        return {name: self.claim(name, some, note=note) for name, some in cases.items()}


def _by_width(networks: pd.DataFrame) -> pd.DataFrame:
    """Medians over the networks that learned, and how many there are."""
    rows = []
    for width, some in networks.groupby("width"):
        good = some[some["learned"]]
        row = {"width": width, "networks": len(some), "learned": len(good), "identified": good["identified"].sum()}
        told = good if len(good) >= FEWEST else good.iloc[:0]
        for name in ERRORS:
            values = told[name].dropna()
            row |= {name: values.median(), f"{name}_low": values.quantile(0.1), f"{name}_high": values.quantile(0.9)}
        rows.append(row | {"richness": told["richness"].abs().median()})
    return pd.DataFrame(rows)


WIDTHS_CAPTION = (
    "By width: networks, those that learned, and those of them with identified rates; median errors over those that "
    "learned, with 10% and 90% quantiles; none where fewer than three learned. squares: the published objective, "
    "squared deviations of ‖dh‖², ‖dy‖² and w summed over all updates. unexplained: 1 − R², the mean over the three "
    "curves. …_others: with the mean rates of the other seeds of the same width; final: relative error of the final "
    "‖dh‖². richness: |A_high/A_low|."
)
NETWORKS_CAPTION = "Every network; columns as above."
FIGURE_CAPTION = (
    "Error of the theory against width, networks that learned: each (dots), median (line), 10% to 90% (band); grey is "
    "within a factor of two of the widest quarter. From left to right: the published objective, own rates; share of "
    "variance unexplained, with own rates (blue) and those of the other seeds of that width (orange); relative error "
    "of the final distance with the latter; and the share of networks that learned at all."
)
PANELS: Final = {
    "sum of squares": {"squares": 0},
    "1 − R²": {"unexplained": 0, "unexplained_others": 1},
    "error of final ‖dh‖²": {"final_others": 1},
}


def _draw(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(10, 2.8)
    *panels, last = canvas.subplots(1, len(PANELS) + 1)
    good = frame[frame["learned"]]
    for axes, (title, columns) in zip(panels, PANELS.items(), strict=True):
        axes.set_yscale("log" if len(good) else "linear")
        for name, colour in columns.items():
            _draw_quantiles(axes, good, name, COLOURS[colour])
        limits = axes.get_ylim()  # a few networks are far beyond
        for name, colour in columns.items():
            axes.scatter(good["width"], good[name], s=4, color=COLOURS[colour], alpha=0.4, linewidths=0)
        axes.set_ylim(*limits)
        axes.set_title(title)
    share = frame.groupby("width")["learned"].mean()
    last.plot(share.index, share, color=COLOURS[2], marker="o", markersize=3)
    last.set_ylim(0, 1.04)
    last.set_title("share that learned")
    for axes in (*panels, last):
        axes.set_xlabel("units per layer")


def _draw_quantiles(axes: Axes, good: pd.DataFrame, name: str, colour: str) -> None:
    groups = good.groupby("width")[name]
    low, median, high = (groups.quantile(q) for q in (0.1, 0.5, 0.9))
    if len(median):
        axes.axhspan(far_end(median) / LEVEL, far_end(median) * LEVEL, color="#dddddd", alpha=0.6, linewidth=0)
    axes.fill_between(median.index, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(median.index, median, color=colour, marker="o", markersize=3)


def _summary(widths: pd.DataFrame, claims: Mapping[str, Claim]) -> tuple[str, ...]:
    first, last = widths.iloc[0], widths.iloc[-1]
    parts = [
        f"{widths['learned'].sum()} of {widths['networks'].sum()} networks learned their two points "
        f"({first['learned']:.0f} of {first['networks']:.0f} at width {first['width']:.0f}, {last['learned']:.0f} of "
        f"{last['networks']:.0f} at width {last['width']:.0f}); the others are left out."
    ]
    level, ratio = (claims[name].cases["time course"] for name in ("saturates", "ratio"))
    if np.isfinite(ratio):
        parts.append(
            f"With the rates of other seeds, the theory leaves {ratio:.3g} times as much of the time course "
            f"unexplained at the narrowest width as at the widest."
        )
    if np.isfinite(level):
        parts.append(f"That error has levelled off from {level * last['width']:.0f} units on.")
    return tuple(parts)
