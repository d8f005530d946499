"""What a training was asked for, with every default filled in."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from syzygy.errors import SpecificationError, UnknownName
from syzygy.networks import Setting, setting
from syzygy.recording import Schedule, every
from syzygy.seeds import stream
from syzygy.tasks import Task
from syzygy.training.learners import Optimiser
from syzygy.training.losses import Loss
from syzygy.training.start import Start, begin, digest

#: Networks of up to so many multiplications per item train as a stack (``benchmarks/training.py`` shows the crossover).
STACK_OPERATIONS = 150_000

Precision = Literal["float32", "float64"]
Factory = Callable[[int], nn.Module]


@dataclass(frozen=True)
class Member:
    """One network to train, by the seed and the gain of its initial weights."""

    seed: int
    gain: float


@dataclass(frozen=True)
class Plan:
    """What was asked, with every default filled in.  Arguments as in :func:`syzygy.training.train`."""

    make: Callable[[Member], nn.Module]
    members: tuple[Member, ...]
    layers: tuple[str, ...]
    steps: int
    learning_rate: float
    optimiser: Optimiser
    batch_size: int | None
    record: Schedule
    stop_loss: float | None
    precision: Precision
    device: str
    stack: bool
    items: int
    task: str
    network: dict[str, Any] | str
    start: str | None = None
    measure: Schedule | None = None
    loss: Loss = "squared"

    def tensor(self, array: NDArray[np.float64]) -> Tensor:
        """Put an array where, and in the precision in which, networks train."""
        return torch.as_tensor(array, dtype=self._dtype, device=self.device)

    def build(self, member: Member) -> nn.Module:
        """Make a network with its initial weights."""
        return self.make(member).to(device=self.device, dtype=self._dtype)

    @property
    def _dtype(self) -> torch.dtype:
        return torch.float64 if self.precision == "float64" else torch.float32

    @property
    def work(self) -> int:
        """About the multiplications of a step's forward pass: each weight once per item."""
        with torch.random.fork_rng(devices=[]):
            network = self.make(self.members[0])
        together = len(self.members) if self.stack else 1
        return together * self.items * sum(weight.numel() for weight in network.parameters())

    def about(self) -> dict[str, Any]:
        """Give everything that the numbers depend on, fit for JSON."""
        told = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "make"}
        told = {name: value for name, value in told.items() if name not in ("start", "measure") or value is not None}
        if self.loss == "squared":  # as it always was
            del told["loss"]
        if self.measure is not None:
            told["measure"] = str(self.measure)
        return told | {"members": [asdict(member) for member in self.members], "record": str(self.record)}


def make_plan(
    task: Task,
    network: str | Setting | Factory,
    *,
    seeds: Iterable[int],
    gains: Iterable[float] | None,
    layers: Sequence[str] | None,
    steps: int | None,
    learning_rate: float | None,
    optimiser: Optimiser | None,
    batch_size: int | None,
    record: Schedule | None,
    stop_loss: float | None,
    precision: Precision,
    device: str,
    stack: bool | None,
    start: Start | None,
    measure: Schedule | None,
    loss: Loss,
) -> Plan:
    """Fill in what was not asked from the network's setting, and refuse what cannot be."""
    row = setting(network) if isinstance(network, str) else network if isinstance(network, Setting) else None
    steps = steps if steps is not None else row.steps if row else None
    learning_rate = learning_rate if learning_rate is not None else row.learning_rate if row else None
    layers = tuple(layers or ((row.layer,) if row else ()))
    if steps is None or learning_rate is None or not layers:
        raise SpecificationError(
            "a network of one's own needs steps=, learning_rate= and layers= (module paths, as in "
            "dict(network.named_modules())); only the catalogue's have a default"
        )
    if steps < 1 or not 0 < learning_rate < math.inf:
        raise SpecificationError(f"steps must be 1 or more and learning_rate positive; got {steps}, {learning_rate}")
    items = len(task.items) - len(task.probe) * task.held_out
    if batch_size is not None and not 1 <= batch_size <= items:
        raise SpecificationError(f"batch_size must lie between 1 and the task's {items} items; got {batch_size}")
    if precision not in get_args(Precision):
        raise UnknownName("precision", precision, get_args(Precision))
    if optimiser is not None and optimiser not in get_args(Optimiser):
        raise UnknownName("optimiser", optimiser, get_args(Optimiser))
    if loss not in get_args(Loss):
        raise UnknownName("loss", loss, get_args(Loss))
    if loss != "squared" and measure is not None:
        raise SpecificationError(f"rates and kernels are of the squared loss; leave measure out with loss = {loss!r}")
    listed = _seeds(seeds)
    members = tuple(Member(seed, gain) for gain in _gains(gains, row) for seed in listed)
    if start is not None and (without := [seed for seed in listed if seed not in start]):
        raise SpecificationError(f"a start gives weights for every seed; it has none for {without}")
    if stack is None:
        small = row is not None and row.operations(task.input_dim, task.output_dim) <= STACK_OPERATIONS
        stack = len(members) > 1 and row is not None and (small or device != "cpu")
    return Plan(
        make=_maker(network, row, task, start),
        members=members,
        layers=layers,
        steps=steps,
        learning_rate=learning_rate,
        optimiser=optimiser or (row.optimiser if row else "sgd"),
        batch_size=batch_size,
        record=record or every(1),
        stop_loss=stop_loss,
        precision=precision,
        device=device,
        stack=stack,
        items=batch_size or items,
        task=task.name,
        network=row.model_dump() if row else getattr(network, "__qualname__", str(network)),
        start=None if start is None else digest({seed: start[seed] for seed in listed}),
        measure=measure,
        loss=loss,
    )


def _gains(gains: Iterable[float] | None, row: Setting | None) -> list[float]:
    listed = [row.gain if row else 1.0] if gains is None else [float(gain) for gain in gains]
    if row is None and gains is not None:
        raise SpecificationError("gains are of the catalogue's networks; a network of one's own draws its own weights")
    if not listed or not all(0 < gain < math.inf for gain in listed):
        raise SpecificationError(f"gains must be positive numbers, at least one; got {listed}")
    return listed


def _seeds(seeds: Iterable[int]) -> list[int]:
    listed = [int(seed) for seed in seeds]
    if not listed or len(set(listed)) != len(listed) or min(listed) < 0:
        raise SpecificationError(f"seeds must be different integers, zero or more, at least one; got {listed}")
    return listed


def _maker(
    network: str | Setting | Factory, row: Setting | None, task: Task, start: Start | None
) -> Callable[[Member], nn.Module]:
    make = _drawn(network, row, task)
    if start is None:
        return make

    def started(member: Member) -> nn.Module:
        made = make(member)
        begin(made, start[member.seed])
        return made

    return started


def _drawn(network: str | Setting | Factory, row: Setting | None, task: Task) -> Callable[[Member], nn.Module]:
    if row is not None:
        return lambda member: row.build(task.input_dim, task.output_dim, member.seed, member.gain)
    if isinstance(network, nn.Module) or not callable(network):
        raise SpecificationError(
            "a network is a name of the catalogue, a setting, or a function from a seed to a module; "
            f"got {type(network).__name__}"
        )

    def own(member: Member) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(stream(member.seed, "weights"))
            made = network(member.seed)
        if not isinstance(made, nn.Module):
            raise SpecificationError(f"a network's function must give a torch.nn.Module; it gave {type(made).__name__}")
        return made

    return own
