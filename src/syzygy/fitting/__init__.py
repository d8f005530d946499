"""Trajectory × theory: effective learning rates, and how much they explain."""

from syzygy.fitting.fit import Fit, fit_pairs
from syzygy.fitting.pairs import PairCurves, pair_curves

__all__ = ["Fit", "PairCurves", "fit_pairs", "pair_curves"]
