"""Representations × measures: every pair, at any size, against chance."""

from syzygy.alignment.align import align
from syzygy.alignment.alignment import Alignment
from syzygy.alignment.plan import Plan, plan

__all__ = ["Alignment", "Plan", "align", "plan"]
