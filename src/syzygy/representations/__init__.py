"""Representations of the same items, from wherever they are."""

from syzygy.representations.representation import Representation
from syzygy.representations.representations import Representations, held

__all__ = ["Representation", "Representations", "held"]
