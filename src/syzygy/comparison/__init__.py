"""An alignment, told: what was found, what speaks against it, and the page."""

from syzygy.comparison.comparison import comparison
from syzygy.comparison.features import feature_doubts, feature_variance
from syzygy.comparison.language import language, language_doubts, token_labels
from syzygy.comparison.universal import universal_dimensions

__all__ = [
    "comparison",
    "feature_doubts",
    "feature_variance",
    "language",
    "language_doubts",
    "token_labels",
    "universal_dimensions",
]
