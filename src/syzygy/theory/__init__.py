"""What should be seen: the effective theory, on plain arrays."""

from syzygy.theory import depth
from syzygy.theory.alternatives import ALTERNATIVES, RightHandSide, integrate
from syzygy.theory.initialisation import FinalDistance
from syzygy.theory.limits import agreeing, half_time, logistic, universal
from syzygy.theory.pair import REGIMES, PairState, PairTheory, Solution, final_distance, solve
from syzygy.theory.structure import class_pair_sums, products, smoothed

__all__ = [
    "ALTERNATIVES",
    "REGIMES",
    "FinalDistance",
    "PairState",
    "PairTheory",
    "RightHandSide",
    "Solution",
    "agreeing",
    "class_pair_sums",
    "depth",
    "final_distance",
    "half_time",
    "integrate",
    "logistic",
    "products",
    "smoothed",
    "solve",
    "universal",
]
