"""How a step is done: one network at a time, or many of one architecture as a stack.

Both learn the same numbers (tests compare them).  Small networks are cheaper in a stack, where one call
serves all; large ones one by one, where no temporary is larger than a layer (``benchmarks/training.py``
shows the crossover).  On a GPU the stack wins.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal, Protocol, Self

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from syzygy.errors import SpecificationError
from syzygy.networks import Dropout
from syzygy.recording import watched
from syzygy.seeds import generator, stream
from syzygy.training.fused import fused_sgd
from syzygy.training.losses import half_mse

Optimiser = Literal["sgd", "adam"]

_OPTIMISERS: dict[Optimiser, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
}


@dataclass(frozen=True)
class Seen:
    """What networks give for some items.

    Attributes
    ----------
    loss
        ``(network,)``
    outputs
        ``(network, item, output)``
    layers
        From layer to ``(network, item, unit)``.
    """

    loss: Tensor
    outputs: Tensor
    layers: dict[str, Tensor]


class Learner(Protocol):
    """Some networks that learn side by side, ``seeds`` those still learning."""

    seeds: list[int]

    def __enter__(self) -> Self:
        """Put hooks on the networks."""

    def __exit__(self, *exception: object) -> None:
        """Take them off."""

    def forward(self, inputs: Tensor, targets: Tensor, step: int) -> Seen:
        """See a batch, ``(item, …)`` or ``(network, item, …)``, in a way that :meth:`update` can learn from."""

    def update(self) -> None:
        """Learn from the last forward pass."""

    def observe(self, inputs: Tensor, targets: Tensor) -> Seen:
        """See items in evaluation mode, without learning."""

    def keep(self, positions: Sequence[int]) -> None:
        """Go on with the networks at these positions alone."""

    def weights(self) -> list[dict[str, Tensor]]:
        """Give the weights, buffers included, of each network that is still learning."""

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on."""

    def restore(self, state: dict[str, Tensor]) -> None:
        """Set what :meth:`state` gave."""


class Single:
    """One network.

    Parameters
    ----------
    network
        Any module.
    seed
        Fixes its noise.
    layers
        Module paths to watch.
    optimiser, learning_rate
        How it learns.
    example
        An input, ``(item, …)``.
    loss
        By which it learns: from outputs and targets, ``(item, output)``, to a number.
    """

    def __init__(
        self,
        network: nn.Module,
        seed: int,
        layers: Sequence[str],
        optimiser: Optimiser,
        learning_rate: float,
        example: Tensor,
        loss: Callable[[Tensor, Tensor], Tensor] = half_mse,
    ):
        self.network, self.seeds, self._layers = network, [seed], layers
        self._rate, self._example, self._score = learning_rate, example, loss
        self._optimiser = None if optimiser == "sgd" else _OPTIMISERS[optimiser](network.parameters(), lr=learning_rate)
        self._noisy = [module for module in network.modules() if isinstance(module, Dropout)]
        self._hooks = ExitStack()
        self._loss: Tensor | None = None

    def __enter__(self) -> Self:
        self._seen = self._hooks.enter_context(watched(self.network, self._layers))
        if self._optimiser is None:
            self._hooks.enter_context(fused_sgd(self.network.eval(), self._rate, self._example))
        return self

    def __exit__(self, *exception: object) -> None:
        self._hooks.close()

    def forward(self, inputs: Tensor, targets: Tensor, step: int) -> Seen:
        _switch(self.network, training=True)
        if targets.ndim == 3:
            inputs, targets = inputs[0], targets[0]
        if self._noisy:
            source = generator(self.seeds[0], "noise", step)
            for module in self._noisy:
                module.mask = module.draw(len(inputs), source)
        else:
            torch.default_generator.manual_seed(stream(self.seeds[0], "noise", step))
        self._loss, seen = self._pass(inputs, targets)
        return seen

    def update(self) -> None:
        assert self._loss is not None, "update() follows forward()"
        if self._optimiser is None:
            self._loss.backward()  # type: ignore[no-untyped-call]
        else:
            self._optimiser.zero_grad()
            self._loss.backward()  # type: ignore[no-untyped-call]
            self._optimiser.step()
        self._loss = None

    @torch.no_grad()
    def observe(self, inputs: Tensor, targets: Tensor) -> Seen:
        _switch(self.network, training=False)
        return self._pass(inputs, targets)[1]

    def keep(self, positions: Sequence[int]) -> None:
        self.seeds = [self.seeds[position] for position in positions]

    def weights(self) -> list[dict[str, Tensor]]:
        return [{k: v.detach() for k, v in self.network.state_dict().items()} for _ in self.seeds]

    def state(self) -> dict[str, Tensor]:
        weights = {f"network.{k}": v.detach() for k, v in self.network.state_dict().items()}
        return weights | _optimiser_state(self._optimiser)

    def restore(self, state: dict[str, Tensor]) -> None:
        own = {k.removeprefix("network."): v for k, v in state.items() if k.startswith("network.")}
        self.network.load_state_dict(own)
        _restore_optimiser(self._optimiser, state)

    def _pass(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Seen]:
        outputs = self.network(inputs)
        loss = self._score(outputs, targets)
        layers = {layer: value.detach().unsqueeze(0) for layer, value in self._seen.items()}
        return loss, Seen(loss.detach().unsqueeze(0), outputs.detach().unsqueeze(0), layers)


#: Modules that draw from the one global generator.
_NOISY = nn.modules.dropout._DropoutNd


class Stack:
    """Many networks of one architecture, their weights stacked along a leading ``network`` axis.

    The networks never meet, so the gradient of the sum of their losses is each one's own gradient.
    Parameters as in :class:`Single`.
    """

    def __init__(
        self,
        networks: Sequence[nn.Module],
        seeds: Sequence[int],
        layers: Sequence[str],
        optimiser: Optimiser,
        learning_rate: float,
        loss: Callable[[Tensor, Tensor], Tensor] = half_mse,
    ):
        for path, module in networks[0].named_modules():
            if isinstance(module, _NOISY):
                raise SpecificationError(
                    f"{path} ({type(module).__name__}) cannot train in a stack, for its noise would be shared; train "
                    "one by one, stack=False"
                )
        self.seeds, self._layers = list(seeds), layers
        self._kind, self._rate, self._score = optimiser, learning_rate, loss
        self._template = networks[0]
        # Now, for a pass of the stack may leave to a layer of two names what cannot be read outside of it.
        names = list(self._template.state_dict())
        self._masks = {f"{path}.mask": m for path, m in self._template.named_modules() if isinstance(m, Dropout)}
        weights, self._buffers = stack_module_state(list(networks))
        self._buffers |= {name: weight for name, weight in weights.items() if not weight.requires_grad}
        self._adopt({name: weight.detach() for name, weight in weights.items() if weight.requires_grad})
        self._names = [name for name in names if name in self._weights or name in self._buffers]
        self._losses: Tensor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def forward(self, inputs: Tensor, targets: Tensor, step: int) -> Seen:
        _switch(self._template, training=True)
        items = targets.shape[-2]
        sources = [generator(seed, "noise", step) for seed in self.seeds] if self._masks else []
        for name, module in self._masks.items():
            self._buffers[name] = torch.stack([module.draw(items, source) for source in sources])
        self._losses, seen = self._pass(inputs, targets)
        return seen

    def update(self) -> None:
        assert self._losses is not None, "update() follows forward()"
        gradients = torch.autograd.grad(self._losses.sum(), list(self._weights.values()), allow_unused=True)
        for weight, gradient in zip(self._weights.values(), gradients, strict=True):
            weight.grad = gradient
        self._optimiser.step()
        self._optimiser.zero_grad()
        self._losses = None

    @torch.no_grad()
    def observe(self, inputs: Tensor, targets: Tensor) -> Seen:
        _switch(self._template, training=False)
        return self._pass(inputs, targets)[1]

    def keep(self, positions: Sequence[int]) -> None:
        self.seeds = [self.seeds[position] for position in positions]
        rows = torch.as_tensor(positions, dtype=torch.long)
        moments = {k: v if v.ndim == 0 else v[rows] for k, v in _optimiser_state(self._optimiser).items()}
        self._buffers = {name: buffer[rows] for name, buffer in self._buffers.items()}
        self._adopt({name: weight.detach()[rows] for name, weight in self._weights.items()})
        _restore_optimiser(self._optimiser, moments)

    def weights(self) -> list[dict[str, Tensor]]:
        there = self._weights | self._buffers
        return [{name: there[name][row].detach() for name in self._names} for row in range(len(self.seeds))]

    def state(self) -> dict[str, Tensor]:
        weights = {f"network.{k}": v.detach() for k, v in (self._weights | self._buffers).items()}
        return weights | _optimiser_state(self._optimiser)

    def restore(self, state: dict[str, Tensor]) -> None:
        self._buffers = {name: state[f"network.{name}"].to(buffer) for name, buffer in self._buffers.items()}
        self._adopt({name: state[f"network.{name}"].to(weight) for name, weight in self._weights.items()})
        _restore_optimiser(self._optimiser, state)

    def _adopt(self, weights: dict[str, Tensor]) -> None:
        self._weights = {name: weight.clone().requires_grad_() for name, weight in weights.items()}
        self._optimiser = _OPTIMISERS[self._kind](self._weights.values(), lr=self._rate)

    def _pass(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Seen]:
        own = 0 if targets.ndim == 3 else None
        outputs, layers = vmap(self._member, in_dims=(0, 0, own))(self._weights, self._buffers, inputs)
        losses = self._score(outputs, targets)
        return losses, Seen(losses.detach(), outputs.detach(), {k: v.detach() for k, v in layers.items()})

    def _member(
        self, weights: dict[str, Tensor], buffers: dict[str, Tensor], inputs: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        with watched(self._template, self._layers) as seen:
            outputs = functional_call(self._template, (weights, buffers), (inputs,))
        return outputs, dict(seen)


def _switch(network: nn.Module, *, training: bool) -> None:
    """Set a network's mode, if it is in the other: to go through all modules at every step costs more than it seems."""
    if network.training != training:
        network.train(training)


def _optimiser_state(optimiser: torch.optim.Optimizer | None) -> dict[str, Tensor]:
    if optimiser is None:
        return {}
    state = optimiser.state_dict()["state"]
    return {f"optimiser.{i}.{name}": value for i, row in state.items() for name, value in row.items()}


def _restore_optimiser(optimiser: torch.optim.Optimizer | None, state: dict[str, Tensor]) -> None:
    if optimiser is None:
        return
    rows: dict[int, dict[str, Tensor]] = {}
    for path, value in state.items():
        if path.startswith("optimiser."):
            _, index, name = path.split(".", 2)
            rows.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict({"state": rows, "param_groups": optimiser.state_dict()["param_groups"]})
