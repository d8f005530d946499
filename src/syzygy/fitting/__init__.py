"""Trajectory × theory: effective learning rates, and how much they explain."""

from syzygy.fitting.elsewhere import (
    average_rates,
    from_other_networks,
    from_other_pairs,
    rates_by_network,
    rates_of_others,
)
from syzygy.fitting.fit import Fit, fit_pairs
from syzygy.fitting.pairs import PairCurves, pair_curves

__all__ = [
    "Fit",
    "PairCurves",
    "average_rates",
    "fit_pairs",
    "from_other_networks",
    "from_other_pairs",
    "pair_curves",
    "rates_by_network",
    "rates_of_others",
]
