"""What a training was asked for, with every default filled in."""

import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from syzygy.errors import SpecificationError
from syzygy.networks import Setting, setting
from syzygy.recording import Schedule, every
from syzygy.seeds import stream
from syzygy.tasks import Task
from syzygy.training.learners import Optimiser

#: Networks of up to so many parameters train as a stack (``benchmarks/training.py`` measures the crossover).
STACK_PARAMETERS = 50_000

Precision = Literal["float32", "float64"]
Factory = Callable[[int], nn.Module]


@dataclass(frozen=True)
class Member:
    """One network to train."""

    seed: int
    gain: float
    network: nn.Module


@dataclass(frozen=True)
class Plan:
    """What was asked, with every default filled in."""

    members: list[Member]
    layers: tuple[str, ...]
    steps: int
    learning_rate: float
    optimiser: Optimiser
    batch_size: int | None
    record: Schedule
    stop_loss: float | None
    dtype: torch.dtype
    device: torch.device
    stack: bool
    about: dict[str, Any]

    def tensor(self, array: NDArray[np.float64]) -> Tensor:
        return torch.as_tensor(array, dtype=self.dtype, device=self.device)


def make_plan(task: Task, network: str | Setting | Factory, asked: dict[str, Any]) -> Plan:
    row = setting(network) if isinstance(network, str) else network if isinstance(network, Setting) else None

    def choose(name: str, default: Any = None) -> Any:
        value = asked[name]
        if value is None:
            value = default if row is None else getattr(row, name)
        if value is None:
            raise SpecificationError(f"a network of one's own needs {name}=…; only the catalogue's have a default")
        return value

    steps, rate = int(choose("steps")), float(choose("learning_rate"))
    layers = tuple(asked["layers"] or ((row.layer,) if row else ()))
    batch_size, items = asked["batch_size"], len(task.items)
    if steps < 1 or not 0 < rate < np.inf:
        raise SpecificationError(f"steps must be 1 or more and learning_rate positive; got {steps} and {rate}")
    if batch_size is not None and not 1 <= batch_size <= items:
        raise SpecificationError(f"batch_size must lie between 1 and the {items} items of the task; got {batch_size}")
    if not layers:
        raise SpecificationError("name the layers to watch: layers=[…], as in dict(network.named_modules())")
    dtype = {"float32": torch.float32, "float64": torch.float64}[asked["precision"]]
    device = torch.device(asked["device"])
    members = [
        Member(seed, gain, _build(network, row, task, seed, gain).to(device=device, dtype=dtype))
        for gain in (asked["gains"] or [row.gain if row else 1.0])
        for seed in _seeds(asked["seeds"])
    ]
    small = sum(p.numel() for p in members[0].network.parameters()) <= STACK_PARAMETERS or device.type != "cpu"
    stack = (row is not None and small and len(members) > 1) if asked["stack"] is None else bool(asked["stack"])
    optimiser: Optimiser = choose("optimiser", "sgd")
    record = asked["record"] or every(1)
    about = {
        "task": task.name,
        "network": row.model_dump() if row else getattr(network, "__qualname__", str(network)),
        "steps": steps,
        "learning_rate": rate,
        "optimiser": optimiser,
        "batch_size": batch_size,
        "record": str(record),
        "stop_loss": asked["stop_loss"],
        "precision": asked["precision"],
        "device": str(device),
        "stack": stack,
        "versions": versions(),
    }
    return Plan(
        members, layers, steps, rate, optimiser, batch_size, record, asked["stop_loss"], dtype, device, stack, about
    )  # fmt: skip


def versions() -> dict[str, str]:
    """Give the versions that a result depends on."""
    names = ("syzygy", "torch", "numpy", "scipy")
    return {"python": platform.python_version(), "machine": platform.machine()} | {n: version(n) for n in names}


def _seeds(seeds: Iterable[int]) -> list[int]:
    listed = [int(seed) for seed in seeds]
    if not listed or len(set(listed)) != len(listed) or min(listed) < 0:
        raise SpecificationError(f"seeds must be different integers, zero or more, at least one; got {listed}")
    return listed


def _build(network: str | Setting | Factory, row: Setting | None, task: Task, seed: int, gain: float) -> nn.Module:
    if row is not None:
        return row.build(task.input_dim, task.output_dim, seed, gain)
    assert callable(network)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(stream(seed, "weights"))
        return network(seed)


