"""What the theory needs to know of a network: its Jacobians about a pair, and the pair's rates, measured."""

from syzygy.linearisation.kernel import kernel_drift, tangent_kernel
from syzygy.linearisation.linearisation import NEARBY, Linearisation, linearise
from syzygy.linearisation.split import Split
from syzygy.linearisation.travel import travel

__all__ = ["NEARBY", "Linearisation", "Split", "kernel_drift", "linearise", "tangent_kernel", "travel"]
