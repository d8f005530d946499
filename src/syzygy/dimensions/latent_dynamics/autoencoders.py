"""What is learned: four autoencoders, each with the terms of its loss."""

from abc import ABC, abstractmethod
from typing import Final

import torch
from torch import Tensor, nn

from syzygy.dimensions.latent_dynamics.prior import Langevin
from syzygy.dimensions.latent_dynamics.sliced_wasserstein import directions, sliced_wasserstein

#: The term that is held back in the first epoch, of the autoencoder that has dynamics.
INCREMENTS: Final = "increments"


class Autoencoder(nn.Module, ABC):
    """An encoder, a decoder, and a loss that is a weighted sum of terms.

    Frames are shifted by their mean and divided by one number, so that no feature is favoured and turning the data
    turns what goes in.

    Parameters
    ----------
    encoder, decoder
        As :func:`~syzygy.dimensions.latent_dynamics.encoders.coders` makes them.
    frames
        ``(frame, ...)``: those that say mean and scale.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, encoder: nn.Module, decoder: nn.Module, frames: Tensor):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.register_buffer("mean", frames.mean(dim=0))
        self.register_buffer("scale", (frames - self.mean).square().mean().sqrt())

    @property
    @abstractmethod
    def weights(self) -> dict[str, float]:
        """The weight of each term of the loss."""

    @abstractmethod
    def terms(self, frames: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Give the terms of the loss.

        Parameters
        ----------
        frames
            First all first frames of some pairs, then all second ones, ``(2 · pair, ...)``.
        generator
            On the CPU, wherever the network is.
        """

    def latent(self, frames: Tensor) -> Tensor:
        """Give the latent of frames, ``(frame, coordinate)``."""
        out: Tensor = self.encoder((frames - self.mean) / self.scale)
        return out

    def rebuilt(self, z: Tensor) -> Tensor:
        """Give the frames of latents, ``(frame, ...)``."""
        out: Tensor = self.decoder(z) * self.scale + self.mean
        return out

    def missed(self, z: Tensor, frames: Tensor) -> Tensor:
        """Give the share of the variance of frames that is not rebuilt."""
        return (self.rebuilt(z) - frames).square().mean() / self.scale.square()


class Plain(Autoencoder):
    """It rebuilds, and nothing else."""

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each term of the loss."""
        return {"reconstruction": 1.0}

    def terms(self, frames: Tensor, generator: torch.Generator) -> dict[str, Tensor]:  # noqa: ARG002
        """Give the share that is not rebuilt."""
        return {"reconstruction": self.missed(self.latent(frames), frames)}


class Variational(Autoencoder):
    """Latents are normal laws near the standard one (Kingma & Welling 2014); ``beta`` weighs how near."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module, frames: Tensor, beta: float):
        super().__init__(encoder, decoder, frames)
        self.beta = beta

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each term of the loss."""
        return {"reconstruction": 1.0, "divergence": self.beta}

    def latent(self, frames: Tensor) -> Tensor:
        """Give the mean of the law of each frame's latent."""
        return self._law(frames)[0]

    def terms(self, frames: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Give the share not rebuilt from latents that are drawn, and the divergence in nats."""
        mean, log_variance = self._law(frames)
        noise = torch.randn(mean.shape, generator=generator).to(mean.device)
        drawn = mean + torch.exp(0.5 * log_variance) * noise
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
        return {"reconstruction": self.missed(drawn, frames), "divergence": divergence}

    def _law(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = super().latent(frames).chunk(2, dim=1)
        return mean, log_variance


class SlicedWasserstein(Autoencoder):
    """Latents all together are standard normal (Kolouri et al. 2019); ``beta`` weighs how nearly."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module, frames: Tensor, beta: float, projections: int):
        super().__init__(encoder, decoder, frames)
        self.beta, self.projections = beta, projections

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each term of the loss."""
        return {"reconstruction": 1.0, "distance": self.beta}

    def terms(self, frames: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Give the share not rebuilt, and the squared distance of latents from normal numbers."""
        z = self.latent(frames)
        along = directions(self.projections, z.shape[1], generator).to(z.device)
        normal = torch.randn(z.shape, generator=generator).to(z.device)
        return {"reconstruction": self.missed(z, frames), "distance": sliced_wasserstein(z, normal, along)}


class Dynamical(Autoencoder):
    """Latents follow overdamped Langevin dynamics (Wang et al. 2024).

    The increments of a batch are to be distributed as those that the dynamics draw from the same first frames, by the
    sliced Wasserstein distance, with weight ``beta``; that moves encoder and decoder.  The dynamics learn from what
    the encoder gives, by ``-log r``; the one never sees the gradient of the other, so one sum serves both.
    """

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, frames: Tensor, beta: float, projections: int, prior: Langevin
    ):
        super().__init__(encoder, decoder, frames)
        self.beta, self.projections, self.prior = beta, projections, prior

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each term of the loss."""
        return {"reconstruction": 1.0, INCREMENTS: self.beta, "transition": 1.0}

    def terms(self, frames: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Give the share not rebuilt, the squared distance of increments, and ``-log r``."""
        z = self.latent(frames)
        first, second = z.chunk(2)
        along = directions(self.projections, z.shape[1], generator).to(z.device)
        normal = torch.randn(first.shape, generator=generator).to(z.device)
        with torch.no_grad():
            drawn = self.prior.draw(first, normal)
        return {
            "reconstruction": self.missed(z, frames),
            INCREMENTS: sliced_wasserstein(second - first, drawn, along),
            "transition": self.prior.surprise(first.detach(), second.detach()).mean(),
        }
