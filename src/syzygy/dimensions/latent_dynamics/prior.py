"""Overdamped Langevin dynamics in the latent: a drift, a diffusion, and the law of one step.

Derived in ``docs/dimensions/latent_dynamics.md``, sections 1 and 3.
"""

import math
from itertools import pairwise
from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Diffusion = Literal["fixed", "learned"]

#: So many frames say what the mean of log D is.
REFERENCE: Final = 512


class Field(nn.Module):
    """A smooth vector field: a perceptron with tanh.

    Parameters
    ----------
    dimension
        Of what goes in and comes out.
    hidden
        Widths of the hidden layers.
    """

    def __init__(self, dimension: int, hidden: tuple[int, ...]):
        super().__init__()
        sizes = [dimension, *hidden, dimension]
        layers = [nn.Linear(a, b) for a, b in pairwise(sizes)]
        self.layers, self.last = nn.ModuleList(layers[:-1]), layers[-1]

    def forward(self, z: Tensor) -> Tensor:
        """Give the field at points, ``(item, coordinate)``."""
        for layer in self.layers:
            z = torch.tanh(layer(z))
        out: Tensor = self.last(z)
        return out

    def with_slopes(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Give the field, and the derivative of each component by its own coordinate, both ``(item, coordinate)``.

        One tangent for each coordinate goes along with the values, so that the result can be differentiated again.
        """
        tangents = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)[:, None]
        for layer in self.layers:
            z = torch.tanh(layer(z))
            tangents = (1 - z.square()) * functional.linear(tangents, layer.weight)  # type: ignore[arg-type]
        return self.last(z), torch.diagonal(functional.linear(tangents, self.last.weight), dim1=0, dim2=2)


class Langevin(nn.Module):
    """One step of ``z₁ = z₀ + D F + ∇·D + √(2D) ξ`` with D diagonal, in units of the lag.

    Parameters
    ----------
    dimension
        Of the latent.
    hidden
        Widths of the fields' hidden layers.
    diffusion
        ``fixed``: D is 1.  ``learned``: log D is a field too, whose mean over reference frames is taken off each
        coordinate, for its scale is not determined: that of the latent can make up for it.

    Examples
    --------
    >>> with torch.random.fork_rng(), torch.no_grad():
    ...     _ = torch.manual_seed(0)
    ...     free = Langevin(2, (8,), "learned")
    ...     free.refer(torch.randn(512, 2))
    ...     free.step(free.reference)[1].log().mean(0).abs() < 1e-6
    tensor([True, True])
    """

    reference: Tensor
    middle: Tensor
    width: Tensor

    def __init__(self, dimension: int, hidden: tuple[int, ...], diffusion: Diffusion):
        super().__init__()
        self.drift = Field(dimension, hidden)
        self.log_diffusion = Field(dimension, hidden) if diffusion == "learned" else None
        self.register_buffer("reference", torch.zeros(REFERENCE, dimension))
        self.register_buffer("middle", torch.zeros(dimension))
        self.register_buffer("width", torch.ones(()))

    def refer(self, z: Tensor) -> None:
        """Say where the latent is now, ``(item, coordinate)``.

        Fields see it from its middle and in units of its width, for tanh tells nothing of what is far from 0; and log D
        has mean 0 over so many of these points, evenly spaced.
        """
        places = torch.linspace(0, len(z) - 1, REFERENCE, device=z.device).long()
        self.reference.copy_(z[places])
        self.middle.copy_(z.mean(dim=0))
        self.width.copy_((z - self.middle).square().mean().sqrt().clamp_min(torch.finfo(z.dtype).eps))

    def force(self, z: Tensor) -> Tensor:
        """Give F, ``(item, coordinate)``."""
        out: Tensor = self.drift(self._seen(z))
        return out

    def _seen(self, z: Tensor) -> Tensor:
        return (z - self.middle) / self.width

    def step(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Give the mean of ``z₁ - z₀``, and D: half its variance.  Both ``(item, coordinate)``."""
        if self.log_diffusion is None:
            force = self.force(z)
            return force, torch.ones_like(force)
        value, slope = self.log_diffusion.with_slopes(self._seen(z))
        wide = torch.exp(value - self.log_diffusion(self._seen(self.reference)).mean(dim=0))
        return wide * (self.force(z) + slope / self.width), wide  # ∂D = D ∂log D

    def surprise(self, z0: Tensor, z1: Tensor) -> Tensor:
        """Give ``-log r(z₁|z₀)`` of each pair, ``(item,)``, in nats, with all constants.

        The step is normal with variance 2D, so it is the sum over coordinates of
        ``½ log(4πD) + (z₁ - z₀ - D F - ∇·D)²/(4D)``.
        """
        mean, wide = self.step(z0)
        return (0.5 * torch.log(4 * math.pi * wide) + (z1 - z0 - mean).square() / (4 * wide)).sum(dim=1)

    def draw(self, z: Tensor, normal: Tensor) -> Tensor:
        """Draw ``z₁ - z₀`` from standard normal numbers, ``(item, coordinate)``."""
        mean, wide = self.step(z)
        return mean + torch.sqrt(2 * wide) * normal
