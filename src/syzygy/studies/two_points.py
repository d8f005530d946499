"""Does one theory describe every architecture?  Two items, many networks, two fitted rates each."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from syzygy.checks import Evidence, findings
from syzygy.errors import SpecificationError
from syzygy.figures import Figure
from syzygy.fitting import from_other_networks
from syzygy.fitting.score import last_finite
from syzygy.networks import Setting, catalogue
from syzygy.recording import Schedule
from syzygy.result import Result, Table
from syzygy.studies.plots import measured_over_predicted, trajectories_of_networks
from syzygy.studies.study import Count, Networks, PositiveFloat, Recorded, Seeds, Study
from syzygy.training import Job
from syzygy.trajectory import Trajectory

DRAWN_STEPS = 300


class TwoPoints(Study):
    """Train networks on two points, and fit the theory to their two representations.

    Attributes
    ----------
    networks
        Names of the catalogue, or tables that change one.
    dx2, dy2, input_dim, output_dim
        The task, :func:`syzygy.tasks.two_points`.
    settings
        ``notebook`` trains as the published notebooks do: half the settings table's learning rate, twice
        its steps.  ``table`` trains as the table says.
    steps, learning_rate
        In place of these.
    record
        Steps to record: ``every N`` or ``log N``.
    stop_loss
        Stop a network at the first recorded step with so small a loss.
    """

    about: ClassVar[str] = "two items, many architectures: does one theory describe them all?"
    title: ClassVar[str] = "Two points"
    question: ClassVar[str] = (
        "Does one theory with two fitted rates describe how two representations part, whatever the architecture?"
    )
    references: ClassVar[tuple[str, ...]] = ("theory", "follow-up", "initialisation")

    study: Literal["two-points"] = "two-points"
    networks: Networks = (catalogue()["default"],)
    seeds: Seeds = (0, 1, 2, 3)
    dx2: PositiveFloat = 1.0
    dy2: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.5
    input_dim: Count = 1
    output_dim: Count = 1
    settings: Literal["notebook", "table"] = "notebook"
    steps: Count | None = None
    learning_rate: PositiveFloat | None = None
    record: Recorded = Schedule("every", 10)
    stop_loss: PositiveFloat | None = None

    def jobs(self) -> dict[str, Job]:
        """Give what must be trained, by the network's name."""
        names = [network.name for network in self.networks]
        if len(set(names)) != len(names):
            raise SpecificationError(f"networks must have different names; got {', '.join(names)}")
        options = {"dx2": self.dx2, "dy2": self.dy2, "input_dim": self.input_dim, "output_dim": self.output_dim}
        return {
            network.name: Job(
                task="two-points",
                options=options,
                network=self._trained(network),
                seeds=self.seeds,
                record=self.record,
                stop_loss=self.stop_loss,
                precision=self.precision,
            )
            for network in self.networks
        }

    def analyse(self, trajectories: Mapping[str, Trajectory]) -> Result:
        """Fit, and compare what was seen with what the theory says."""
        evidence = self.evidence(trajectories)
        seen = [one for one in evidence if one.trajectory is not None]
        rates = pd.concat([_rates(one) for one in seen], ignore_index=True) if seen else pd.DataFrame()
        figures = [trajectories_of_networks(one.name, self._curves(one)) for one in seen]
        if seen:
            figures.append(_final(rates))
        return self.answer(
            trajectories,
            summary=_summary(rates, len(self.networks)),
            findings=findings(evidence),
            tables=(Table("rates", RATES_CAPTION, rates),) if seen else (),
            figures=figures,
        )

    def _trained(self, network: Setting) -> Setting:
        halved = self.settings == "notebook"
        steps = self.steps or network.steps * (2 if halved else 1)
        rate = self.learning_rate or network.learning_rate * (0.5 if halved else 1)
        return network.model_copy(update={"steps": steps, "learning_rate": rate})

    def _curves(self, one: Evidence) -> pd.DataFrame:
        """Measured and predicted curves, one row per seed, quantity and drawn step."""
        assert one.trajectory is not None
        assert one.fit is not None
        measured, predicted = one.fit.curves, one.fit.predict()
        drawn = np.unique(np.linspace(0, len(measured.steps) - 1, DRAWN_STEPS).round().astype(int))
        frames = []
        for index, seed in enumerate(one.trajectory.seeds):
            curves = {name: (getattr(measured, name)[index, 0], getattr(predicted, name)[index, 0])
                      for name in ("h2", "y2", "w")}  # fmt: skip
            # The training loss averages over outputs, the theory's sums over them.
            curves["loss"] = one.trajectory.loss[index], predicted.loss[index, 0] / self.output_dim
            frames += [
                pd.DataFrame(
                    {
                        "seed": int(seed),
                        "quantity": name,
                        "step": measured.steps[drawn].astype(int),
                        "measured": seen[drawn],
                        "predicted": said[drawn],
                    }
                )
                for name, (seen, said) in curves.items()
            ]
        return pd.concat(frames, ignore_index=True)


RATES_CAPTION = (
    "Effective learning rates per step, fitted to each network, with 95% intervals; the share of variance that the "
    "theory explains; and the squared distance at the end: measured, predicted with the network's own rates (in "
    "sample), and predicted with the geometric mean of the other seeds' identified rates (out of "
    "sample)."
)


def _rates(one: Evidence) -> pd.DataFrame:
    assert one.trajectory is not None
    assert one.fit is not None
    frame = one.fit.to_pandas()
    frame["network"] = one.name
    frame.insert(1, "seed", one.trajectory.seeds)
    frame.insert(2, "fate", one.trajectory.fates)
    elsewhere = from_other_networks(one.fit)
    frame.insert(list(frame.columns).index("final_h2") + 1, "final_h2_others", elsewhere.final_h2[:, 0])
    frame["last_loss"] = last_finite(one.trajectory.loss.astype(np.float64))
    return frame.drop(columns=["pair", "dx2", "dy2"])


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
    if not len(rates):
        return ("Nothing has been trained yet.",)
    count = rates["network"].nunique()
    there = f"{len(rates)} networks of {count} setting{'s' * (count != 1)}"
    if count < asked:
        there += f" (of {asked} asked)"
    parts = [f"{label} {rates[name].median():.3f}" for label, name in R2_LABELS if rates[name].notna().any()]
    sure = rates[rates["identified"]]
    error = (sure["final_h2_others"] / sure["last_h2"] - 1).abs()
    if not parts:
        return (f"{there}. The theory could be fitted to none of them.",)
    sentences = [
        f"{there}. Median share of variance explained by the theory with two fitted rates: {', '.join(parts)}."
    ]
    if error.notna().any():
        sentences.append(
            f"Where the rates are identified ({len(sure)} networks), the final distance predicted with those of other "
            f"seeds is off by {error.median():.1%} (median; worst {error.max():.1%})."
        )
    regimes = sure["regime"].value_counts()
    if len(regimes):
        sentences.append("Regimes: " + ", ".join(f"{name} {number}" for name, number in regimes.items()) + ".")
    return tuple(sentences)


R2_LABELS = (("‖dh‖²", "r2_h2"), ("‖dy‖²", "r2_y2"), ("w", "r2_w"))
