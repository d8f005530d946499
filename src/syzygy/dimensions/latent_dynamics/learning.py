"""The loop: epochs of batches, with a state from which it goes on."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor

from syzygy.dimensions.latent_dynamics.autoencoders import INCREMENTS, Autoencoder, Dynamical
from syzygy.dimensions.latent_dynamics.clusters import batches, labels
from syzygy.errors import Diverged
from syzygy.seeds import generator
from syzygy.snapshot import Snapshot

#: In the first epoch increments count for so much of their weight, and steps are so much smaller.
FIRST_WEIGHT: Final = 0.01
FIRST_RATE: Final = 0.1
#: So many updates between two words on progress.
TOLD: Final = 20
#: Pairs that are held out and judged at the end of an epoch; frames that are encoded at once.
JUDGED: Final = 4096
AT_ONCE: Final = 16384


@dataclass(frozen=True)
class Plan:
    """How long, how fast, and in what order.

    Attributes
    ----------
    epochs, batch, rate, seed
        As the estimators have them.
    settle
        Share of the epochs over which steps shrink to 0 at the end.
    lag
        Frames from the first to the second of a pair.
    clusters, bias_factor
        Of an autoencoder with dynamics.
    """

    epochs: int
    batch: int
    rate: float
    settle: float
    lag: int
    seed: int
    clusters: int = 1
    bias_factor: float = 1.0

    def rate_at(self, done: float) -> float:
        """Give the step size after so many epochs: steady, then falling evenly to 0.

        Examples
        --------
        >>> plan = Plan(epochs=10, batch=1, rate=1.0, settle=0.2, lag=1, seed=0)
        >>> [plan.rate_at(done) for done in (0, 8, 9, 10)]
        [1.0, 1.0, 0.5, 0.0]
        """
        left = (self.epochs - done) / (self.settle * self.epochs) if self.settle else 1.0
        return self.rate * min(1.0, left)


@dataclass
class Learner:
    """A network on its way: all that changes while it learns.

    Attributes
    ----------
    network, frames, first, held_out, plan
        What learns from what: frames ``(frame, ...)`` and first frames of pairs, ``(pair,)``, on the network's device.
    shown
        Frames whose latents are kept at the end of every epoch, ``(frame,)``.
    epoch, update
        Where it is.
    order
        The batches of this epoch: first frames, ``(update, item)``; none before it has begun.
    history
        A row for each epoch.
    latents
        ``(shown frame, coordinate)`` at the end of each epoch.
    """

    network: Autoencoder
    frames: Tensor
    first: Tensor
    held_out: Tensor
    plan: Plan
    shown: Tensor
    epoch: int = 0
    update: int = 0
    order: Tensor | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    latents: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.updates = len(self.first) // self.plan.batch
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=self.plan.rate, fused=True)
        self._told: dict[str, Any] = {}

    def learn(self, snapshot: Snapshot | None, asked: str, progress: Callable[[float], None]) -> None:
        """Learn to the end; a snapshot stays.

        Raises
        ------
        Diverged
            A loss that is no finite number.
        """
        whole = self.plan.epochs * self.updates
        if snapshot and (kept := snapshot.load(asked)):
            self._restore(*kept)
            progress(self._done / whole)
        told = self._done
        while self.epoch < self.plan.epochs:
            if self.order is None:
                self.begin()
            while self.update < self.updates:
                if snapshot and snapshot.due:
                    snapshot.save(self._state(), self._words(), asked)
                self.step()
                if self._done - told >= TOLD or self._done == whole:
                    progress((self._done - told) / whole)
                    told = self._done
            self.end()

    @property
    def _done(self) -> int:
        return self.epoch * self.updates + self.update

    def begin(self) -> None:
        """Draw the batches of an epoch: from the second on, those of dynamics each from a region of the latent."""
        source, count = generator(self.plan.seed, "order", self.epoch), self.updates * self.plan.batch
        self._told = {}
        if self.epoch and isinstance(self.network, Dynamical):
            z = self.latent(self.first)
            regions, distance = labels(z, self.plan.clusters, self.plan.batch)
            self.network.prior.refer(z)
            self._told = {"clusters": int(regions.max()) + 1, "distance": distance}
            places = batches(regions.cpu(), self.updates, self.plan.batch, self.plan.bias_factor, source)
        else:
            places = torch.randperm(len(self.first), generator=source)[:count].view(self.updates, self.plan.batch)
        self.order = self.first[places.to(self.first.device)]

    def step(self) -> None:
        """Take one step of Adam on one batch."""
        assert self.order is not None, "begin() comes before step()"
        first = self.order[self.update]
        frames = self.frames[torch.cat([first, first + self.plan.lag])]
        terms = self.network.terms(frames, generator(self.plan.seed, "noise", self._done))
        weights, rate = self.network.weights, self.plan.rate_at(self._done / self.updates)
        if not self.epoch and INCREMENTS in weights:
            weights[INCREMENTS] *= FIRST_WEIGHT
            rate *= FIRST_RATE
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.update += 1

    @torch.no_grad()
    def end(self) -> None:
        """Judge the network on what is held out, and go to the next epoch."""
        first = self.held_out if len(self.held_out) else self.first
        first = first[:: -(-len(first) // JUDGED)]
        frames = self.frames[torch.cat([first, first + self.plan.lag])]
        terms = self.network.terms(frames, generator(self.plan.seed, "probe"))
        found = {name: float(term) for name, term in terms.items()}
        if not all(-float("inf") < value < float("inf") for value in found.values()):
            raise Diverged(
                f"the loss is no finite number after epoch {self.epoch} at the learning rate {self.plan.rate:g}; "
                "lower it"
            )
        self.history.append({"epoch": self.epoch, **found, **self._told})
        if len(self.shown):
            self.latents.append(self.latent(self.shown).cpu())
        self.epoch, self.update, self.order = self.epoch + 1, 0, None

    @torch.no_grad()
    def latent(self, places: Tensor) -> Tensor:
        """Give the latent of some frames, ``(frame, coordinate)``."""
        return torch.cat([self.network.latent(self.frames[part]) for part in torch.split(places, AT_ONCE)])

    def pace(self, updates: int) -> tuple[float, float]:
        """Measure seconds for an update, and for what comes once an epoch; the network is spoilt by it."""
        begun = time.perf_counter()
        self.epoch = 1
        self.begin()
        once = time.perf_counter() - begun
        times = [time.perf_counter()]
        for _ in range(min(updates, self.updates)):
            self.step()
            times.append(time.perf_counter())
        begun = time.perf_counter()
        self.end()
        each = torch.tensor(times, dtype=torch.float64).diff()
        return float(each[len(each) > 1 :].median()), once + time.perf_counter() - begun

    def _words(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "update": self.update, "history": self.history, "told": self._told}

    def _state(self) -> dict[str, Tensor]:
        state = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        for index, row in self.optimiser.state_dict()["state"].items():
            state |= {f"optimiser.{index}.{name}": value for name, value in row.items()}
        if self.order is not None:
            state["order"] = self.order
        if self.latents:
            state["latents"] = torch.stack(self.latents)
        return state

    def _restore(self, state: dict[str, Tensor], words: dict[str, Any]) -> None:
        self.epoch, self.update = words["epoch"], words["update"]
        self.history, self._told = words["history"], words["told"]
        device = self.frames.device
        self.order = state["order"].to(device) if "order" in state else None
        self.latents = list(state.get("latents", torch.empty(0)).unbind())
        own = {name.removeprefix("network."): value for name, value in state.items() if name.startswith("network.")}
        self.network.load_state_dict(own)
        rows: dict[int, dict[str, Tensor]] = {}
        for name, value in state.items():
            if name.startswith("optimiser."):
                _, index, what = name.split(".", 2)
                rows.setdefault(int(index), {})[what] = value
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": rows, "param_groups": groups})
