"""What is recorded of a training: the probe's view, row by row, and what became of each network."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from syzygy.errors import ShapeError
from syzygy.networks import Dropout
from syzygy.networks.timm import Timm
from syzygy.tasks import Task
from syzygy.training.checkpoint import Checkpoint, Rows
from syzygy.training.learners import Learner, Seen
from syzygy.training.measure import Measure
from syzygy.training.plan import Member, Plan
from syzygy.trajectory import Trajectory
from syzygy.versions import versions

#: So many feature maps are looked at together, to bound memory.
IMAGES = 256


class Probe:
    """What is watched: the training loss, and outputs and layers of the probe items."""

    def __init__(self, task: Task, plan: Plan, network: nn.Module, everything: tuple[Tensor, Tensor]):
        self.inputs, self.targets = plan.tensor(task.probe_inputs), plan.tensor(task.probe_targets)
        self._all = everything
        self._everything = task.probe_is_everything
        # Where training sees exactly what the probe would, its forward pass serves for both.  A module of one's own, or
        # a published one, may do one thing in training and another in evaluation.
        foreign = isinstance(plan.network, str) or isinstance(network, Timm)
        modal = foreign or any(isinstance(module, Dropout) for module in network.modules())
        self.is_batch = self._everything and plan.batch_size is None and not modal

    def digest(self) -> str:
        """Hash the data that is learned and watched."""
        total = hashlib.sha256()
        for tensor in (*self._all, self.inputs, self.targets):
            total.update(np.ascontiguousarray(tensor.cpu().numpy()).tobytes())
        return total.hexdigest()

    def see(self, learner: Learner) -> Seen:
        """See the probe, and the loss of everything."""
        watched = learner.observe(self.inputs, self.targets)
        if self._everything:
            return watched
        return Seen(self._loss(learner), watched.outputs, watched.layers)

    def _loss(self, learner: Learner) -> Tensor:
        """See everything, images a part at a time."""
        items = len(self._all[0])
        size = IMAGES if self._all[0].ndim > 2 else items
        parts = [tuple(all_[first : first + size] for all_ in self._all) for first in range(0, items, size)]
        losses = [learner.observe(*part).loss * (len(part[0]) / items) for part in parts]
        return torch.stack(losses).sum(0)


class Record:
    """The rows recorded so far, NaN where there is none, and what became of each network."""

    def __init__(self, plan: Plan, members: Sequence[Member], probe: Probe):
        self._plan, self._members, self._targets = plan, members, probe.targets
        self.steps = plan.record.at(plan.steps)
        if plan.measure is not None:
            self.steps = np.union1d(self.steps, plan.measure.at(plan.steps))
        self.due = {int(step): row for row, step in enumerate(self.steps)}
        self._rows: Rows = {}
        self._fates = ["trained"] * len(members)
        self._alive = list(range(len(members)))
        self._filled = self._saved = 0
        self._data = probe.digest()

    def put(self, step: int, seen: Seen) -> None:
        """Keep what the living networks gave at a step."""
        row = self.due[step]
        values = {"loss": seen.loss, "outputs": seen.outputs}
        for name, value in (values | {f"layer.{k}": v for k, v in seen.layers.items()}).items():
            if name not in self._rows:
                self._rows[name] = self._empty(name, tuple(value.shape[1:]))
            self._rows[name][self._alive, row] = value.cpu().numpy()
        self._filled = row + 1

    def measure(self, step: int, learner: Learner, measure: Measure) -> None:
        """Look into the living networks, if it is time to, or the end of one's training."""
        learned, diverged = self._outcomes(step)
        ending = (learned | (step == self._plan.steps)) & ~diverged
        inside = step in measure.due
        if not inside and not ending.any():
            return
        for position, weights in enumerate(learner.weights()):
            network = self._alive[position]
            if not diverged[position]:
                for (layer, name), value in measure.of(
                    network, weights, inside=inside, ending=ending[position]
                ).items():
                    key = f"measured.{name}.{layer}"
                    if key not in self._rows:
                        self._rows[key] = self._empty(key, value.shape)
                    self._rows[key][network, self.due[step]] = value

    def _outcomes(self, step: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Say which of the living networks have learned enough, and which have diverged."""
        loss = self._rows["loss"][self._alive, self.due[step]]
        learned = loss <= (self._plan.stop_loss if self._plan.stop_loss is not None else -np.inf)
        return learned, ~np.isfinite(loss)

    def retire(self, step: int, learner: Learner) -> bool:
        """Stop networks that diverged, or have learned enough; say whether any was."""
        learned, diverged = self._outcomes(step)
        going = ~diverged & ~learned
        for position, network in enumerate(self._alive):
            if not going[position]:
                self._fates[network] = "learned" if learned[position] else "diverged"
        if going.all():
            return False
        positions = np.flatnonzero(going).tolist()
        self._alive = [self._alive[position] for position in positions]
        learner.keep(positions)
        return True

    def save(self, step: int, learner: Learner, checkpoint: Checkpoint) -> None:
        """Save the training before the update of a step."""
        rows = {name: row[:, self._saved : self._filled] for name, row in self._rows.items()}
        checkpoint.save(step, self._alive, self._fates, learner.state(), rows, self._asked())
        self._saved = self._filled

    def resume(self, learner: Learner, checkpoint: Checkpoint) -> int:
        """Set everything as the checkpoint left it, and give the step to go on from."""
        loaded = checkpoint.load(self._asked())
        if loaded is None:
            return 0
        step, alive, self._fates, state, parts = loaded
        for part in parts:
            for name, rows in part.items():
                if name not in self._rows:
                    self._rows[name] = self._empty(name, rows.shape[2:])
                self._rows[name][:, self._filled : self._filled + rows.shape[1]] = rows
            self._filled += next(iter(part.values())).shape[1] if part else 0
        self._saved = self._filled
        if alive != self._alive:
            learner.keep(alive)
            self._alive = alive
        if alive:
            learner.restore(state)
        return step

    def _asked(self) -> str:
        """Identify the training, its data included: two tasks of one name may differ."""
        members = [asdict(member) for member in self._members]
        return json.dumps(self._plan.about() | {"members": members, "data": self._data}, sort_keys=True)

    def trajectory(self, task: Task) -> Trajectory:
        """Give everything recorded."""
        return Trajectory.of(
            steps=self.steps,
            loss=self._rows["loss"],
            outputs=self._rows["outputs"],
            representations={k.removeprefix("layer."): v for k, v in self._rows.items() if k.startswith("layer.")},
            inputs=task.probe_inputs,
            targets=task.probe_targets,
            items=task.probe_items,
            seeds=[member.seed for member in self._members],
            gains=[member.gain for member in self._members],
            fates=self._fates,
            about=self._plan.about() | {"versions": versions()},
            measured=self._measured(),
        )

    def _measured(self) -> dict[str, dict[str, NDArray[Any]]]:
        """By layer and name."""
        found: dict[str, dict[str, NDArray[Any]]] = {}
        for key, values in self._rows.items():
            if key.startswith("measured."):
                _, name, layer = key.split(".", 2)
                found.setdefault(layer, {})[name] = values
        return found

    def _empty(self, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
        if name == "outputs" and shape != tuple(self._targets.shape):
            raise ShapeError(
                f"the network gives outputs {shape} for targets {tuple(self._targets.shape)}, axes: item, output"
            )
        double = self._plan.precision == "float64" or name.startswith("measured.")
        dtype = np.float64 if double else np.float32
        return np.full((len(self._members), len(self.steps), *shape), np.nan, dtype)
