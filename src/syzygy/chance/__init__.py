"""What luck would give: permutations of items in closed form and drawn, samples of items, many tests at once."""

from syzygy.chance.permutation import Moments, invariants, moments, upper_tail

__all__ = ["Moments", "invariants", "moments", "upper_tail"]
