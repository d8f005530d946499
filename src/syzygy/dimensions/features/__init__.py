"""How much of a representation each feature takes, and what that does to who reads it."""

from syzygy.dimensions.features.ablation import ablated
from syzygy.dimensions.features.causal import Flips, direction, flips
from syzygy.dimensions.features.doubts import doubts
from syzygy.dimensions.features.labels import Feature, read_features
from syzygy.dimensions.features.reader import Preference, preference
from syzygy.dimensions.features.variance import FeatureVariance

__all__ = [
    "Feature",
    "FeatureVariance",
    "Flips",
    "Preference",
    "ablated",
    "direction",
    "doubts",
    "flips",
    "preference",
    "read_features",
]
