"""An alignment, told: what was found, what speaks against it, and the page."""

from syzygy.comparison.comparison import comparison
from syzygy.comparison.universal import universal_dimensions

__all__ = ["comparison", "universal_dimensions"]
