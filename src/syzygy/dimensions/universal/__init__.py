"""Universal dimensions: what networks share, dimension by dimension."""

from syzygy.dimensions.universal.components import Components
from syzygy.dimensions.universal.reference import Similarity
from syzygy.dimensions.universal.universality import UniversalDimensions

__all__ = ["Components", "Similarity", "UniversalDimensions"]
