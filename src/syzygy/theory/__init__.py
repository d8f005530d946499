"""What should be seen: the effective theory, on plain arrays."""

from syzygy.theory.limits import agreeing, half_time, logistic
from syzygy.theory.pair import REGIMES, PairState, PairTheory, Solution, solve

__all__ = ["REGIMES", "PairState", "PairTheory", "Solution", "agreeing", "half_time", "logistic", "solve"]
