"""What should be seen: the effective theory, on plain arrays."""

from syzygy.theory.alternatives import ALTERNATIVES, RightHandSide, integrate
from syzygy.theory.depth import Chain, DepthTheory, solve_chain, solve_depth
from syzygy.theory.exact import ExactSolution, ExactState, ExactTheory, conserved, solve_exact
from syzygy.theory.initialisation import FinalDistance
from syzygy.theory.limits import agreeing, half_time, logistic, universal
from syzygy.theory.many import ManySolution, ManyState, ManyTheory, solve_many
from syzygy.theory.pair import REGIMES, PairState, PairTheory, Solution, final_distance, solve
from syzygy.theory.structure import class_pair_sums, products, smoothed

__all__ = [
    "ALTERNATIVES",
    "REGIMES",
    "Chain",
    "DepthTheory",
    "ExactSolution",
    "ExactState",
    "ExactTheory",
    "FinalDistance",
    "ManySolution",
    "ManyState",
    "ManyTheory",
    "PairState",
    "PairTheory",
    "RightHandSide",
    "Solution",
    "agreeing",
    "class_pair_sums",
    "conserved",
    "final_distance",
    "half_time",
    "integrate",
    "logistic",
    "products",
    "smoothed",
    "solve",
    "solve_chain",
    "solve_depth",
    "solve_exact",
    "solve_many",
    "universal",
]
