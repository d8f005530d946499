"""Which equations describe a network best: seven models of the same curves, judged alike."""

from syzygy.fitting.rivals.candidates import CHANGED, MODELS
from syzygy.fitting.rivals.comparison import Rivals, compare_models

__all__ = ["CHANGED", "MODELS", "Rivals", "compare_models"]
