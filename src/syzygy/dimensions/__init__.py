"""What representations share and mean: universal dimensions."""

from syzygy.dimensions.universal import Components, Similarity, UniversalDimensions

__all__ = ["Components", "Similarity", "UniversalDimensions"]
