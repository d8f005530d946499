"""What studies of two points share: the networks that learn them, and how they are trained.

Studies of one specification ask for the same trainings, which are then done once.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from syzygy.checks import UNLEARNED, Evidence
from syzygy.errors import SpecificationError
from syzygy.fitting.score import Array, last_finite
from syzygy.networks import Setting, catalogue
from syzygy.recording import Schedule
from syzygy.studies.study import Count, Networks, PositiveFloat, Recorded, Seeds, Study
from syzygy.training import Job
from syzygy.trajectory import Trajectory


class TwoItems(Study):
    """Networks of several settings that learn two points.

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
        Stop a network at the first recorded step with so small a loss; from there it counts as standing still.
    """

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

    def evidence(self, trajectories: Mapping[str, Trajectory], layer: str | None = None) -> list[Evidence]:
        """Fit the theory to every network; one that was stopped because it had learned stands still from there."""
        return super().evidence({name: held(one) for name, one in trajectories.items()}, layer)

    @property
    def as_by_default(self) -> bool:
        """Whether the task and the trained networks are those of the defaults, but for seeds and what is recorded."""
        free = dict.fromkeys(("seeds", "record", "stop_loss", "precision"))
        plain, own = (
            [job.asked() | free for job in study.jobs().values()] for study in (type(self)(study=self.study), self)
        )
        return plain == own

    def _trained(self, network: Setting) -> Setting:
        halved = self.settings == "notebook"
        steps = self.steps or network.steps * (2 if halved else 1)
        rate = self.learning_rate or network.learning_rate * (0.5 if halved else 1)
        return network.model_copy(update={"steps": steps, "learning_rate": rate})


def held(trajectory: Trajectory) -> Trajectory:
    """Let networks that were stopped because they had learned keep what they last gave, up to the last step.

    Examples
    --------
    >>> from syzygy.recording import every
    >>> from syzygy.tasks import two_points
    >>> from syzygy.training import train
    >>> asked = {"steps": 400, "learning_rate": 0.1, "record": every(10), "stop_loss": 1e-3}
    >>> stopped = train(two_points(), "two_layer", **asked)
    >>> bool(np.isnan(stopped.loss[0, -1])), bool(0 < held(stopped).loss[0, -1] <= 1e-3)
    (True, True)
    """
    done = np.array([fate == "learned" for fate in trajectory.fates])
    if not done.any():
        return trajectory
    last = np.max(np.where(np.isfinite(trajectory.loss), np.arange(len(trajectory.steps)), 0), axis=1)
    index = np.minimum(np.arange(len(trajectory.steps)), np.where(done, last, len(trajectory.steps))[:, None])
    network = np.arange(len(done))[:, None]
    return Trajectory.of(
        steps=trajectory.steps,
        loss=trajectory.loss[network, index],
        outputs=trajectory.outputs[network, index],
        representations={layer: trajectory.representation(layer)[network, index] for layer in trajectory.layers},
        inputs=trajectory.inputs,
        targets=trajectory.targets,
        items=trajectory.items,
        seeds=trajectory.seeds,
        gains=trajectory.gains,
        fates=trajectory.fates,
        about=trajectory.about,
        measured={layer: trajectory.measured(layer) for layer in trajectory.layers},
    )


def unlearned(trajectory: Trajectory) -> np.ndarray:
    """Whether each network ends with more than 5% of its first loss, or diverged, ``(network,)``."""
    loss = trajectory.loss.astype(np.float64)
    with np.errstate(invalid="ignore"):
        left = last_finite(loss) / loss[:, 0]
    return np.asarray(~(left <= UNLEARNED) | np.array([fate == "diverged" for fate in trajectory.fates]))


def least(values: Array) -> float:
    """Give the median over networks, of which one without a value counts as the worst, below all others.

    Examples
    --------
    >>> least(np.array([0.5, np.nan, 0.9, 0.8])), least(np.array([0.5, np.nan]))
    (0.65, nan)
    """
    median = float(np.median(np.where(np.isfinite(values), values, -np.inf))) if len(values) else np.nan
    return median if np.isfinite(median) else np.nan
