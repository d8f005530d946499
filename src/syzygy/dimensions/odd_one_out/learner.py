"""The embedding while it is learned: its state, and one update of it."""

import math
from abc import ABC, abstractmethod
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from syzygy.dimensions.odd_one_out.likelihood import pulled
from syzygy.dimensions.odd_one_out.prior import SpikeSlab
from syzygy.dimensions.odd_one_out.pruning import Array, significant
from syzygy.seeds import generator

#: Weights of SPoSE begin here, and differ by this (Zheng et al. 2019: all small and positive).
START: Final = (0.1, 0.01)
#: A dimension without uncertainty is kept if it exceeds this for some object.
LEAST_WEIGHT: Final = 0.1


class Learner(ABC):
    """Numbers, and an optimiser (Adam) that is given their gradient in closed form."""

    def __init__(self, values: Tensor, rate: float):
        self.values, self.rate = values, rate
        self.gradient = values.grad = torch.zeros_like(values)
        self.adam = torch.optim.Adam([values], lr=rate, fused=values.device.type in ("cpu", "cuda"))

    @abstractmethod
    def update(self, triplets: Tensor, draw: torch.Generator) -> Tensor:
        """Learn from a batch ``(triplet, 3)``, and give its loss, summed, before."""

    @abstractmethod
    def complexity(self, draw: torch.Generator) -> float:
        """Give what is added to the mean loss of a triplet."""

    @abstractmethod
    def posterior(self) -> tuple[Array, Array]:
        """Give mean and standard deviation of each entry, ``(object, dimension)``."""

    @abstractmethod
    def surely(self, level: float) -> NDArray[np.intp]:
        """Count the objects that surely have some of each dimension, ``(dimension,)``."""

    def state(self) -> dict[str, Tensor]:
        """Give all that the next update depends on, besides its triplets and its draw."""
        return {"values": self.values, **self.adam.state[self.values]}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go back to a state."""
        kept = dict(state)
        self.values.copy_(kept.pop("values"))
        self.adam.load_state_dict({**self.adam.state_dict(), "state": {0: kept}})


class Variational(Learner):
    """A normal posterior for each entry (VICE, Muttenthaler et al. 2022).

    The loss of a batch is the mean of its −log p, and β/n of ``log q(z) − log p(z)`` summed over all entries: n is the
    number of triplets to learn from, and ``z = μ + σε`` is drawn once.  An object is ``max(z, 0)``.

    With ε given, ``log q(z) = −log σ − ε²/2 + …`` has the gradient −1 by each log σ, and 0 by μ.  With g the gradient
    of all the rest by z, that by μ is g, and that by log σ is ``g·σε``.  So g is all that has to be found: no graph.

    Parameters
    ----------
    objects, dimensions
        How many.
    prior
        p.
    weight
        β/n.
    rate
        Of Adam.
    seed, device
        Of where it begins, and where it is kept.
    """

    def __init__(
        self, objects: int, dimensions: int, prior: SpikeSlab, weight: float, rate: float, seed: int, device: str
    ):
        self.prior, self.weight = prior, weight
        mean = torch.randn(objects, dimensions, generator=generator(seed, "weights")) * math.sqrt(2 / dimensions)
        super().__init__(torch.stack([mean, torch.full_like(mean, math.log(prior.spike))]).to(device), rate)
        self.noise = torch.empty_like(self.values[0])

    def update(self, triplets: Tensor, draw: torch.Generator) -> Tensor:
        """Learn from a batch ``(triplet, 3)``, and give its loss, summed, before."""
        by_mean, by_log = self.gradient
        away, z = self._drawn(draw)
        x = z.relu()
        loss, pull = pulled(x, triplets)
        pull.mul_(x.sign_()).div_(len(triplets))
        torch.sub(pull, self.prior.slope(z), alpha=self.weight, out=by_mean)
        torch.mul(by_mean, away, out=by_log).sub_(self.weight)
        self.adam.step()
        return loss

    def complexity(self, draw: torch.Generator) -> float:
        """Give β/n of ``log q(z) − log p(z)``, at one draw."""
        _, z = self._drawn(draw)
        log_q = -self.values[1] - self.noise.square() / 2 - math.log(2 * math.pi) / 2
        return self.weight * float((log_q - self.prior.log_density(z)).sum(dtype=torch.float64))

    def posterior(self) -> tuple[Array, Array]:
        """Give mean and standard deviation of each entry, ``(object, dimension)``, nothing rectified."""
        mean, log = self.values.cpu().double()
        return mean.numpy(), log.exp().numpy()

    def surely(self, level: float) -> NDArray[np.intp]:
        """Count the objects whose weight is significantly positive, ``(dimension,)``."""
        return significant(*self.posterior(), level)

    def _drawn(self, draw: torch.Generator) -> tuple[Tensor, Tensor]:
        mean, log = self.values
        away = torch.exp(log).mul_(self.noise.normal_(generator=draw))
        return away, mean + away


class Positive(Learner):
    """Positive weights under an L1 penalty (SPoSE, Zheng et al. 2019).

    The loss of a batch is the mean of its −log p, and the penalty times the mean over objects of the sum of their
    weights.  Weights that an update makes negative are set to 0, in place of a further penalty on them.

    Parameters
    ----------
    objects, dimensions, rate, seed, device
        As :class:`Variational`.
    penalty
        Of the weights.
    """

    def __init__(self, objects: int, dimensions: int, penalty: float, rate: float, seed: int, device: str):
        self.penalty = penalty
        middle, spread = START
        start = torch.randn(objects, dimensions, generator=generator(seed, "weights")) * spread + middle
        super().__init__(start.clamp_min_(0).to(device), rate)

    def update(self, triplets: Tensor, draw: torch.Generator) -> Tensor:  # noqa: ARG002
        """Learn from a batch ``(triplet, 3)``, and give its loss, summed, before; nothing is drawn."""
        loss, pull = pulled(self.values, triplets)
        torch.add(pull.div_(len(triplets)), self.penalty / len(self.values), out=self.gradient)
        self.adam.step()
        self.values.clamp_min_(0)
        return loss

    def complexity(self, draw: torch.Generator) -> float:  # noqa: ARG002
        """Give the penalty."""
        return self.penalty * float(self.values.sum(dtype=torch.float64)) / len(self.values)

    def posterior(self) -> tuple[Array, Array]:
        """Give the weights, ``(object, dimension)``, and no deviation."""
        weights = self.values.cpu().double().numpy()
        return weights, weights * 0

    def surely(self, level: float) -> NDArray[np.intp]:  # noqa: ARG002
        """Count all objects where some weight is large, and none elsewhere, ``(dimension,)``; there is no level."""
        large = (self.values.amax(0) > LEAST_WEIGHT).cpu().numpy()
        return np.where(large, len(self.values), 0)
