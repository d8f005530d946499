"""What representations share and mean: universal dimensions."""

from syzygy.dimensions.components import Components
from syzygy.dimensions.reference import Similarity
from syzygy.dimensions.universality import UniversalDimensions

__all__ = ["Components", "Similarity", "UniversalDimensions"]
