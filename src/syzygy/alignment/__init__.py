"""Representations × measures: every pair, at any size, against chance."""

from syzygy.alignment.align import align
from syzygy.alignment.alignment import Alignment

__all__ = ["Alignment", "align"]
