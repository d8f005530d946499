"""Representations as language: information, variation, regularity, disentanglement."""

from syzygy.dimensions.language.bandwidth import bandwidth, divergence
from syzygy.dimensions.language.binned import Binned
from syzygy.dimensions.language.course import cost, over_training
from syzygy.dimensions.language.doubts import DOUBT, doubts
from syzygy.dimensions.language.soft import Soft
from syzygy.dimensions.language.table import language

__all__ = ["DOUBT", "Binned", "Soft", "bandwidth", "cost", "divergence", "doubts", "language", "over_training"]
