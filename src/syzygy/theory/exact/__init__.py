"""The exact theory of two items: the decoder's Jacobian may point anywhere."""

from syzygy.theory.exact.state import ExactState
from syzygy.theory.exact.theory import ExactSolution, ExactTheory, conserved, solve_exact

__all__ = ["ExactSolution", "ExactState", "ExactTheory", "conserved", "solve_exact"]
