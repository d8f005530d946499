"""Autoencoders that know nothing of time, with the same interface: what the constraint is compared with."""

from collections.abc import Sequence

import torch

from syzygy.dimensions.latent_dynamics.autoencoders import Autoencoder, Plain, SlicedWasserstein, Variational
from syzygy.dimensions.latent_dynamics.estimator import LatentEstimator


class PlainAutoencoder(LatentEstimator):
    """An autoencoder that rebuilds frames, and nothing else.

    Parameters and attributes are those of :class:`~syzygy.dimensions.latent_dynamics.estimator.LatentEstimator`.
    """

    def _network(self, shape: tuple[int, ...], frames: torch.Tensor) -> Autoencoder:
        encoder, decoder = self._coders(shape, self.latent)
        return Plain(encoder, decoder, frames)


class VariationalAutoencoder(LatentEstimator):
    """A variational autoencoder (Kingma & Welling 2014); the latent of a frame is the mean of its law.

    Parameters
    ----------
    beta
        Weight of the divergence from a standard normal law, in nats, beside the share of the variance not rebuilt.

    The others are those of :class:`~syzygy.dimensions.latent_dynamics.estimator.LatentEstimator`.
    """

    def __init__(
        self,
        *,
        latent: int = 2,
        lag: int = 1,
        hidden: Sequence[int] = (32, 32, 32),
        epochs: int = 15,
        batch: int = 256,
        learning_rate: float = 1e-3,
        settle: float = 1 / 3,
        test: float = 0.2,
        beta: float = 0.01,
        shown: int = 0,
        device: str = "cpu",
        seed: int = 0,
    ):
        super().__init__(
            latent=latent, lag=lag, hidden=hidden, epochs=epochs, batch=batch, learning_rate=learning_rate,
            settle=settle, test=test, shown=shown, device=device, seed=seed,
        )  # fmt: skip
        self.beta = beta

    def _network(self, shape: tuple[int, ...], frames: torch.Tensor) -> Autoencoder:
        encoder, decoder = self._coders(shape, 2 * self.latent)
        return Variational(encoder, decoder, frames, self.beta)


class SlicedWassersteinAutoencoder(LatentEstimator):
    """An autoencoder whose latents are standard normal by the sliced Wasserstein distance (Kolouri et al. 2019).

    Parameters
    ----------
    beta
        Weight of the squared distance, beside the share of the variance not rebuilt.
    projections
        Random directions of it.

    The others are those of :class:`~syzygy.dimensions.latent_dynamics.estimator.LatentEstimator`.
    """

    def __init__(
        self,
        *,
        latent: int = 2,
        lag: int = 1,
        hidden: Sequence[int] = (32, 32, 32),
        epochs: int = 15,
        batch: int = 256,
        learning_rate: float = 1e-3,
        settle: float = 1 / 3,
        test: float = 0.2,
        beta: float = 1.0,
        projections: int = 50,
        shown: int = 0,
        device: str = "cpu",
        seed: int = 0,
    ):
        super().__init__(
            latent=latent, lag=lag, hidden=hidden, epochs=epochs, batch=batch, learning_rate=learning_rate,
            settle=settle, test=test, shown=shown, device=device, seed=seed,
        )  # fmt: skip
        self.beta = beta
        self.projections = projections

    def _network(self, shape: tuple[int, ...], frames: torch.Tensor) -> Autoencoder:
        encoder, decoder = self._coders(shape, self.latent)
        return SlicedWasserstein(encoder, decoder, frames, self.beta, self.projections)
