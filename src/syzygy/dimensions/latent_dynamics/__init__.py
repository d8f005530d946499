"""Latents that follow dynamics: an autoencoder whose latent moves as a particle does, and what it is compared with."""

from syzygy.dimensions.latent_dynamics.baselines import (
    PlainAutoencoder,
    SlicedWassersteinAutoencoder,
    VariationalAutoencoder,
)
from syzygy.dimensions.latent_dynamics.model import DynamicsAutoencoder
from syzygy.dimensions.latent_dynamics.score import AffineMap, covariance, drift_agreement, isotropy_error
from syzygy.dimensions.latent_dynamics.simulated import ThreeWells

__all__ = [
    "AffineMap",
    "DynamicsAutoencoder",
    "PlainAutoencoder",
    "SlicedWassersteinAutoencoder",
    "ThreeWells",
    "VariationalAutoencoder",
    "covariance",
    "drift_agreement",
    "isotropy_error",
]
