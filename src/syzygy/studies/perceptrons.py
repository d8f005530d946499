"""What studies of many small perceptrons share: the pair that they learn, and which of them have learned it."""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from syzygy.checks import Evidence
from syzygy.errors import SpecificationError
from syzygy.networks import Setting
from syzygy.recording import Schedule
from syzygy.studies.study import Count, PositiveFloat, Recorded, Study
from syzygy.studies.two_items import held
from syzygy.training import Job
from syzygy.trajectory import Trajectory


class Perceptrons(Study):
    """Perceptrons of leaky rectifiers that learn two points with one input and one output.

    Attributes
    ----------
    depth, layer
        Number of hidden layers, and the one that is watched, counted from 0.
    steps
        Number of updates.
    learned_loss
        A network whose last loss is larger has not learned, and is left out.
    dx2, dy2
        The task, :func:`syzygy.tasks.two_points`.
    record
        Steps to record.
    stop_loss
        Stop a network at the first recorded step with so small a loss; from there it counts as standing still.
    """

    depth: Count = 5
    layer: Annotated[int, Field(ge=0)] = 2
    steps: Count = 10_000
    learned_loss: PositiveFloat = 0.01
    dx2: PositiveFloat = 1.0
    dy2: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.5
    record: Recorded = Schedule("every", 10)
    stop_loss: PositiveFloat | None = None

    def evidence(self, trajectories: Mapping[str, Trajectory], layer: str | None = None) -> list[Evidence]:
        """Fit the theory to every network; one that was stopped because it had learned stands still from there."""
        return super().evidence({name: held(one) for name, one in trajectories.items()}, layer)

    def _job(self, name: str, *, width: int, gain: float, learning_rate: float) -> Job:
        if self.layer >= self.depth:
            raise SpecificationError(f"layer counts from 0 and lies below depth = {self.depth}; got {self.layer}")
        network = Setting(
            name=name,
            type="mlp",
            activation="leaky_relu",
            gain=gain,
            learning_rate=learning_rate,
            width=width,
            depth=self.depth,
            layer=f"hidden.{self.layer}",
            steps=self.steps,
        )
        return Job(
            task="two-points",
            options={"dx2": self.dx2, "dy2": self.dy2},
            network=network,
            seeds=self.seeds,
            record=self.record,
            stop_loss=self.stop_loss,
            precision=self.precision,
        )

    def _learned(self, trajectory: Trajectory) -> NDArray[np.bool_]:
        """Whether each network ends with a loss small enough, ``(network,)``."""
        return np.array([fate != "diverged" for fate in trajectory.fates]) & (
            trajectory.loss[:, -1] <= self.learned_loss
        )
