"""The drawings of the alternatives: how much worse than the theory, and one network followed by all."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from syzygy.figures import COLOURS, Figure
from syzygy.fitting import PairCurves
from syzygy.fitting.problems import CURVES
from syzygy.published import published
from syzygy.studies.drawings.shared import LABELS
from syzygy.theory import PairState, PairTheory
from syzygy.theory.alternatives import ALTERNATIVES, integrate

THEORY = "theory"


def ratios(inside: pd.DataFrame, outside: pd.DataFrame) -> Figure:
    """Draw every error over that of the theory on the same seed, in and out of sample.

    Parameters
    ----------
    inside
        Columns ``seed``, ``equations``, ``scaling``, ``objective``.
    outside
        Columns ``seed``, ``equations``, ``cut``, ``total`` and one per curve; the first cut is drawn curve by curve.
    """
    first, *others = outside["cut"].unique()
    panels = {
        f"in sample, scaling {scaling}": part.assign(error=np.sqrt(part["objective"]))
        for scaling, part in inside.groupby("scaling", sort=False)
    }
    parts = {cut: outside[outside["cut"] == cut] for cut in (*others, first)}
    panels |= {f"held out after {cut:.0%}": part.assign(error=part["total"]) for cut, part in parts.items()}
    panels |= {f"after {first:.0%}, {LABELS[name]}": parts[first].assign(error=parts[first][name]) for name in CURVES}
    frames = []
    for panel, part in panels.items():
        errors = part.pivot(index="seed", columns="equations", values="error")
        ratio = errors.drop(columns=THEORY).div(errors[THEORY], axis=0)[[*ALTERNATIVES][1:]]
        frames.append(ratio.melt(ignore_index=False, value_name="ratio").reset_index().assign(panel=panel))
    return Figure(
        name="ratios",
        caption="Error of each changed right-hand side over that of the theory on the same network, one point a seed, "
        "the bar their median: right of the line the theory is better. In sample: fits to all steps, with both "
        "scalings of the residuals (root of the objective; crosses: the published one, of one network). Held out: "
        "fitted until ‖dy‖² has made so much of its rise, and scored on the rest of training.",
        frame=pd.concat(frames, ignore_index=True)[["panel", "seed", "equations", "ratio"]],
        draw=_draw_ratios,
    )


def _draw_ratios(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(10, 4.4)
    names, panels = list(frame["equations"].unique()), list(frame["panel"].unique())
    grid = canvas.subplots(2, -(-len(panels) // 2), sharex=True, sharey=True).ravel()
    for unused in grid[len(panels) :]:
        unused.set_visible(False)
    for axes, panel in zip(grid, panels, strict=False):
        part = frame[frame["panel"] == panel]
        for row, name in enumerate(names):
            values = part.loc[part["equations"] == name, "ratio"]
            there = values[np.isfinite(values)]
            axes.scatter(there, row + np.linspace(-0.25, 0.25, len(there)), s=14, color=COLOURS[row], linewidths=0)
            if len(there):
                axes.plot([there.median()] * 2, [row - 0.38, row + 0.38], color=COLOURS[row], linewidth=2)
            if panel.endswith("none"):
                known = published("alternatives", "objective")
                axes.plot(np.sqrt(known[name] / known[THEORY]), row, "x", color="black", markersize=5)
        axes.axvline(1, color="#777777", linewidth=0.9)
        axes.set_title(panel)
        axes.grid(visible=False, axis="y")
    grid[0].set_xscale("log")
    grid[0].xaxis.set_major_locator(LogLocator(base=10, subs=(1, 3)))
    grid[0].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    grid[0].xaxis.set_minor_locator(NullLocator())
    grid[0].set_yticks(range(len(names)), names)
    grid[0].set_ylim(len(names) - 0.5, -0.5)
    canvas.supxlabel("error over the theory's", fontsize=9)


def followed(curves: PairCurves, outside: pd.DataFrame) -> Figure:
    """Draw one network with all right-hand sides: the one whose theory's held-out error is the median.

    Parameters
    ----------
    curves
        Of all networks, in the order of the seeds.
    outside
        Held-out fits of one cut.
    """
    theory = outside[outside["equations"] == THEORY].dropna(subset="total").sort_values("total")
    chosen = theory.iloc[(len(theory) - 1) // 2]
    network = list(outside.loc[outside["equations"] == THEORY, "seed"]).index(chosen["seed"])
    seen = curves.steps <= 1.15 * chosen["until"]
    steps, start = curves.steps[seen], curves.initial
    initial = PairState(start.h2[network, 0], start.y2[network, 0], start.w[network, 0])
    frames = []
    for _, fit in outside[outside["seed"] == chosen["seed"]].iterrows():
        rates = PairTheory(fit["eta_h"], fit["eta_y"], curves.dx2[0], curves.dy2[0])
        state = integrate(ALTERNATIVES[fit["equations"]], rates, initial, steps - steps[0])
        frames.append(
            pd.DataFrame({"curve": fit["equations"], "step": steps, **{n: getattr(state, n) for n in CURVES}})
        )
    measured = {name: getattr(curves, name)[network, 0, seen] for name in CURVES}
    frames.append(pd.DataFrame({"curve": "measured", "step": steps, **measured}))
    return Figure(
        name="followed",
        caption=f"The network with the median error of the theory (seed {chosen['seed']}), measured (black) and as "
        f"each right-hand side says. The shaded part, up to step {chosen['fitted_until']:.0f}, is fitted; what "
        f"follows is scored, up to the dotted line at step {chosen['until']:.0f}.",
        frame=pd.concat(frames, ignore_index=True).assign(fitted_until=chosen["fitted_until"], until=chosen["until"]),
        draw=_draw_followed,
    )


def _draw_followed(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(10, 2.9)
    panels = canvas.subplots(1, len(CURVES))
    for axes, name in zip(panels, CURVES, strict=True):
        measured = frame[frame["curve"] == "measured"]
        axes.plot(measured["step"], measured[name], color="black", linewidth=2.5, alpha=0.5, label="measured")
        for index, equations in enumerate(ALTERNATIVES):
            curve = frame[frame["curve"] == equations]
            colour = "black" if equations == THEORY else COLOURS[index - 1]
            axes.plot(curve["step"], curve[name], color=colour, linestyle=(0, (5, 2)), label=equations)
        first, last = frame["fitted_until"].iloc[0], frame["until"].iloc[0]
        axes.axvspan(0, first, color="#f2f2f2", zorder=0)
        axes.axvline(last, color="#777777", linewidth=0.8, linestyle=":")
        axes.set_title(LABELS[name])
        axes.set_xlabel("step")
        low, high = measured[name].min(), measured[name].max()
        axes.set_ylim(low - 0.3 * (high - low), high + 0.3 * (high - low))
        axes.margins(x=0)
    panels[0].legend(fontsize=8, loc="upper left")
