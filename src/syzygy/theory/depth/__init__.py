"""What depth does to a pair: where each layer ends, and effective rates that grow."""

from syzygy.theory.depth.chain import Chain, solve_chain
from syzygy.theory.depth.theory import DepthTheory, exponents, final_h2, solve_depth

__all__ = ["Chain", "DepthTheory", "exponents", "final_h2", "solve_chain", "solve_depth"]
