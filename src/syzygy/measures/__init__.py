"""How alike two representations of the same items are.

A measure is a frozen dataclass of its options; :func:`measure` finds one by its name.  A function of the same name
compares two arrays at once.
"""

from syzygy.measures.kernels import CKA, cka
from syzygy.measures.measure import INVARIANCES, Factors, Inner, Measure, Paired
from syzygy.measures.registry import MEASURES, measure, variants

__all__ = ["CKA", "INVARIANCES", "MEASURES", "Factors", "Inner", "Measure", "Paired", "cka", "measure", "variants"]
