"""Does it hold on real data?  Every pair of probe images, against a curve without theory."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas

from syzygy.checks import Evidence, findings
from syzygy.errors import SpecificationError
from syzygy.figures import COLOURS, Figure
from syzygy.fitting import Fit, fit_pairs
from syzygy.fitting.baseline import fit_logistic
from syzygy.fitting.problems import CURVES
from syzygy.fitting.score import r_squared, root_mean_square
from syzygy.networks import Setting
from syzygy.recording import Schedule
from syzygy.result import Finding, Result, Table
from syzygy.studies.plots import LABELS, cumulative, measured_over_predicted
from syzygy.studies.study import Count, Network, PositiveFloat, Recorded, Seeds, Study
from syzygy.training import Job
from syzygy.trajectory import Trajectory

#: The network of the published MNIST experiment at digits' size: 4 layers, the middle one watched, gain 0.5.
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

LOWEST_R2 = -1000.0  # drawn
EXPLAINED = 0.9
KINDS = ("different classes", "same class")


class ImagePairs(Study):
    """Train networks on images, and fit the theory to every pair of probe images.

    The theory's two rates and the two constants of a logistic are fitted to the first half of the recorded
    steps, each from the measured start, and scored on the second half.

    Attributes
    ----------
    task
        ``digits``, bundled with scikit-learn, or ``mnist``.
    network
        Architecture, learning rate and number of steps.
    batch_size
        Items per update.
    per_class, probe_seed
        Probe images per class, and the seed that draws them.
    limit
        Use only the first so many training images of MNIST.
    record
        Steps to record.
    """

    about: ClassVar[str] = "real images: how many pairs does the theory explain, and does it beat a plain curve?"
    title: ClassVar[str] = "Pairs of images"
    question: ClassVar[str] = (
        "Does the two-point theory describe pairs of real images, learned among many others, better than a logistic "
        "curve with as many constants?"
    )
    references: ClassVar[tuple[str, ...]] = ("theory", "initialisation")

    study: Literal["image-pairs"] = "image-pairs"
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
        """Fit the first half of training, score the second, with theory and without."""
        evidence = self.evidence(trajectories)
        one = evidence[0]
        found = findings(evidence)
        tables: tuple[Table, ...] = ()
        figures: tuple[Figure, ...] = ()
        summary: tuple[str, ...] = ("Nothing has been trained yet.",)
        if one.fit is not None:
            pairs = _pairs(one, one.fit)
            shares = _shares(pairs)
            found, summary = (*found, *_no_better(shares)), _summary(pairs, one)
            tables = Table("shares", SHARES_CAPTION, shares), Table("pairs", PAIRS_CAPTION, pairs)
            figures = _distribution(pairs), _examples(one.fit, pairs), _final(pairs)
        return self.answer(
            trajectories,
            summary=summary,
            findings=found,
            tables=tables,
            figures=figures,
            detail=self.task,
            references=(self.task,),
        )


PAIRS_CAPTION = (
    "Every pair of probe images in every network. r2_…: in sample, fitted to all steps. theory_…, logistic_…: "
    "fitted to the first half of the recorded steps, R² on the second half (about the second half's own mean). "
    "…_error: root mean squared error of ‖dh‖² there, as a share of its largest value. final_h2_half: the theory's "
    "end from the first half."
)
SHARES_CAPTION = (
    "Distribution over pairs: quantiles, and the share of pairs with R² above 0.9. In sample over all steps for the "
    "theory; on the second half of the steps, fitted to the first, for the theory and for a logistic of ‖dh‖² through "
    "the measured start with two fitted constants."
)


def _pairs(one: Evidence, whole: Fit) -> pd.DataFrame:
    """Score every pair: the theory in sample, theory and logistic on the half that they have not seen."""
    assert one.trajectory is not None
    early, late = whole.curves.between(0, 0.5), whole.curves.between(0.5, 1)
    fit, logistic = fit_pairs(early), fit_logistic(early.steps, early.h2)
    frame = whole.to_pandas()
    frame.insert(1, "seed", one.trajectory.seeds[frame["network"]])
    frame["network"] = one.name
    frame.insert(3, "kind", np.where(frame["dy2"] > 0, *KINDS))
    predicted, plain = fit.predict(late), logistic.predict(late.steps)
    for name in CURVES:
        frame[f"theory_{name}"] = r_squared(getattr(late, name), getattr(predicted, name)).ravel()
    frame["logistic_h2"] = r_squared(late.h2, plain).ravel()
    peak = np.max(np.nan_to_num(whole.curves.h2), axis=-1)
    for name, values in (("theory", predicted.h2), ("logistic", plain)):
        frame[f"{name}_error"] = (root_mean_square(values - late.h2) / np.where(peak > 0, peak, np.nan)).ravel()
    frame["final_h2_half"] = fit.final_h2.ravel()
    return frame


def _shares(pairs: pd.DataFrame) -> pd.DataFrame:
    columns = [(f"r2_{name}", f"theory, {LABELS[name]}", "all steps") for name in CURVES]
    columns += [(f"theory_{name}", f"theory, {LABELS[name]}", "second half") for name in CURVES]
    columns += [("logistic_h2", f"logistic, {LABELS['h2']}", "second half")]
    rows = []
    for kind in KINDS:
        some = pairs[pairs["kind"] == kind]
        for column, label, steps in columns:
            values = some[column].dropna()
            row = {"pairs": kind, "model": label, "scored on": steps, "number": len(values)}
            row |= {f"quantile_{q}": values.quantile(q / 100) for q in (10, 25, 50, 75, 90)}
            rows.append(row | {"share_above_0.9": (values > EXPLAINED).mean()})
    return pd.DataFrame(rows)


def _summary(pairs: pd.DataFrame, one: Evidence) -> tuple[str, ...]:
    assert one.trajectory is not None
    trajectory = one.trajectory
    correct = trajectory.outputs[:, -1].argmax(-1) == trajectory.targets.argmax(-1)
    different, alike = (pairs[pairs["kind"] == kind] for kind in KINDS)
    same = f"; of pairs of one class for {(alike['r2_h2'] > EXPLAINED).mean():.0%}" if len(alike) else ""
    wins = (different["theory_error"] < different["logistic_error"])[different["theory_error"].notna()]
    there = (
        f"{len(pairs)} fits: {len(pairs) // len(trajectory.seeds)} pairs of {len(trajectory.items)} probe images in "
        f"{len(trajectory.seeds)} networks, which classify {correct.mean():.0%} of the probe images at the end."
    )
    if not len(wins):
        return (
            there,
            f"No pair could be fitted to half of the {len(trajectory.steps)} recorded steps; record more often.",
        )
    return (
        there,
        f"In sample, the theory explains more than {EXPLAINED:.0%} of the variance of ‖dh‖² for "
        f"{(different['r2_h2'] > EXPLAINED).mean():.0%} of the pairs of different classes (median R² "
        f"{different['r2_h2'].median():.2f}){same}.",
        f"Fitted to the first half of training and asked for the second, it is closer to ‖dh‖² than a logistic with as "
        f"many constants for {wins.mean():.0%} of the pairs of different classes (median error "
        f"{different['theory_error'].median():.0%} against {different['logistic_error'].median():.0%} of the largest "
        f"distance); median R² {different['theory_h2'].median():.2f} against {different['logistic_h2'].median():.2f}.",
    )


def _no_better(shares: pd.DataFrame) -> tuple[Finding, ...]:
    median = shares[shares["scored on"] == "second half"].set_index(["pairs", "model"])["quantile_50"]
    lines = []
    for kind in KINDS:
        theory, plain = (median.get((kind, f"{model}, ‖dh‖²"), np.nan) for model in ("theory", "logistic"))
        if theory <= plain:
            lines.append(f"{kind}: median R² of ‖dh‖² on the second half {theory:.2f}, of a logistic {plain:.2f}")
    return (
        (Finding("SZ010", "The theory predicts no better than a curve without theory", tuple(lines)),) if lines else ()
    )


def _distribution(pairs: pd.DataFrame) -> Figure:
    names = ["r2_h2", "theory_h2", "logistic_h2"]
    return Figure(
        name="distribution",
        caption="Share of pairs, over all networks, for which less than so much of the variance of ‖dh‖² is explained: "
        "curves further right are better, and left of zero the mean of the curve would have done better. Left: in "
        "sample, all steps. Right: fitted to the first half of the steps and scored on the second, the theory and a "
        "logistic with as many constants.",
        frame=pairs[["seed", "pair", "kind", *names]],
        draw=_draw_distribution,
    )


def _draw_distribution(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(8.5, 3.2)
    left, right = canvas.subplots(1, 2, sharey=True)
    for kind, line in zip(KINDS, ("-", ":"), strict=True):
        some = frame[frame["kind"] == kind]
        cumulative(left, some["r2_h2"], colour=COLOURS[0], linestyle=line, label=f"theory, {kind}")
        cumulative(right, some["theory_h2"], colour=COLOURS[0], linestyle=line, label=f"theory, {kind}")
        cumulative(right, some["logistic_h2"], colour=COLOURS[1], linestyle=line, label=f"logistic, {kind}")
    left.set_title("in sample, all steps")
    right.set_title("second half, fitted to the first")
    left.set_ylabel("share of pairs below")
    for axes in (left, right):
        axes.set_xscale("symlog", linthresh=1)
        axes.set_xlim(LOWEST_R2, 1.05)
        axes.axvline(0, color="#777777", linewidth=0.8)
        axes.set_xlabel("R² of ‖dh‖²")
        axes.legend(loc="upper left", fontsize=8)


def _examples(fit: Fit, pairs: pd.DataFrame) -> Figure:
    """Draw pairs at fixed quantiles of R², so that nobody has chosen them."""
    predicted = fit.predict()
    different = pairs[(pairs["kind"] == KINDS[0]) & pairs["r2_h2"].notna()].sort_values("r2_h2")
    frames = []
    for quantile in (0.1, 0.5, 0.9):
        position = different.index[round(quantile * (len(different) - 1))] if len(different) else None
        if position is None:
            continue
        where = np.unravel_index(position, fit.fitted.shape)
        for name in CURVES:
            curve = {"measured": getattr(fit.curves, name)[where], "predicted": getattr(predicted, name)[where]}
            row = pairs.loc[position]
            label = f"{row['pair']}, seed {row['seed']} ({quantile:.0%} quantile, R² {row['r2_h2']:.2f})"
            frames.append(pd.DataFrame({"pair": label, "quantity": name, "step": fit.curves.steps, **curve}))
    return Figure(
        name="examples",
        caption="Pairs of different classes at the 10%, 50% and 90% quantiles of R² (in sample): measured (solid) and "
        "the theory with fitted rates (dashed).",
        frame=pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["pair", "quantity"]),
        draw=_draw_examples,
    )


def _draw_examples(canvas: Canvas, frame: pd.DataFrame) -> None:
    canvas.set_size_inches(10, 2.8)
    labels = list(frame["pair"].unique())
    panels = canvas.subplots(1, max(1, len(labels)), squeeze=False)[0]
    for axes, label in zip(panels, labels, strict=False):
        for index, name in enumerate(CURVES):
            curve = frame[(frame["pair"] == label) & (frame["quantity"] == name)]
            scale = 1 / max(curve["measured"].abs().max(), 1e-300)
            axes.plot(curve["step"], curve["measured"] * scale, color=COLOURS[index], label=LABELS[name])
            axes.plot(curve["step"], curve["predicted"] * scale, color=COLOURS[index], linestyle=(0, (4, 3)))
        axes.set_title(label.replace(" (", "\n("), fontsize=8)
        axes.set_xlabel("step")
        axes.set_ylim(-1.6, 1.6)
    panels[0].set_ylabel("share of its largest value")
    if labels:
        panels[0].legend(fontsize=8)


def _final(pairs: pd.DataFrame) -> Figure:
    frame = pairs[["kind", "seed", "pair", "last_h2", "final_h2", "final_h2_half"]].rename(
        columns={"kind": "network", "last_h2": "measured", "final_h2": "in sample", "final_h2_half": "out of sample"}
    )
    return measured_over_predicted(
        "final-distance",
        "Squared distance of two images' representations at the end of training, over the theory's prediction: with "
        "rates fitted to all steps (left), and to the first half of them (right). The line is y = x. Pairs of one "
        "class that are predicted to merge (distance zero) cannot be drawn on these axes.",
        frame,
    )
