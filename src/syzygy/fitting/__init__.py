"""Trajectory × theory: effective learning rates, and how much they explain."""

from syzygy.fitting.certainty.bootstrap import Bootstrap, bootstrap_rates
from syzygy.fitting.certainty.profile import Profile, profile_rates
from syzygy.fitting.elsewhere import (
    average_rates,
    from_other_networks,
    from_other_pairs,
    rates_by_network,
    rates_of_others,
)
from syzygy.fitting.fit import Fit, fit_pairs
from syzygy.fitting.joint import JointFit, Sharing, fit_jointly
from syzygy.fitting.pairs import PairCurves, pair_curves
from syzygy.fitting.rivals import Rivals, compare_models

__all__ = [
    "Bootstrap",
    "Fit",
    "JointFit",
    "PairCurves",
    "Profile",
    "Rivals",
    "Sharing",
    "average_rates",
    "bootstrap_rates",
    "compare_models",
    "fit_jointly",
    "fit_pairs",
    "from_other_networks",
    "from_other_pairs",
    "pair_curves",
    "profile_rates",
    "rates_by_network",
    "rates_of_others",
]
