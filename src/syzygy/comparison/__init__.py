"""An alignment, told: what was found, what speaks against it, and the page."""

from syzygy.comparison.comparison import comparison

__all__ = ["comparison"]
