"""What representations share and mean, a room for each way to ask."""

from syzygy.dimensions.features import FeatureVariance
from syzygy.dimensions.latent_dynamics import (
    DynamicsAutoencoder,
    PlainAutoencoder,
    SlicedWassersteinAutoencoder,
    VariationalAutoencoder,
)
from syzygy.dimensions.odd_one_out import OddOneOut, Triplets
from syzygy.dimensions.universal import Components, Similarity, UniversalDimensions

__all__ = [
    "Components",
    "DynamicsAutoencoder",
    "FeatureVariance",
    "OddOneOut",
    "PlainAutoencoder",
    "Similarity",
    "SlicedWassersteinAutoencoder",
    "Triplets",
    "UniversalDimensions",
    "VariationalAutoencoder",
]
