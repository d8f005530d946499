"""Representations of the same items, from wherever they are."""

from syzygy.representations.gathered import held
from syzygy.representations.recorded import Steps
from syzygy.representations.representation import Representation
from syzygy.representations.representations import Representations

__all__ = ["Representation", "Representations", "Steps", "held"]
