"""What was seen: losses, outputs and representations of some networks over their training."""

from syzygy.trajectory.names import LAYERS, MEASURED, MEASURES, POSITIONED
from syzygy.trajectory.positions import are_there, named_positions
from syzygy.trajectory.trajectory import Trajectory

__all__ = ["LAYERS", "MEASURED", "MEASURES", "POSITIONED", "Trajectory", "are_there", "named_positions"]
