"""The exact theory of many items: what the others, and the mean of all, do to a pair."""

from syzygy.theory.many.solution import ManySolution, solve_many
from syzygy.theory.many.theory import ManyState, ManyTheory

__all__ = ["ManySolution", "ManyState", "ManyTheory", "solve_many"]
