"""What happens in the course of learning: decision regions that move, phases, perfect fit."""

from syzygy.course.fit import Descent, double_descent, perfect_fit
from syzygy.course.phases import Phases, phases, similarity
from syzygy.course.probes import probed
from syzygy.course.regions import agreement, mixed

__all__ = ["Descent", "Phases", "agreement", "double_descent", "mixed", "perfect_fit", "phases", "probed", "similarity"]
