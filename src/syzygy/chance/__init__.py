"""What luck would give: permutations of items in closed form and drawn, samples of items, many tests at once."""

from syzygy.chance.ceiling import between, ceilings
from syzygy.chance.drawn import drawn, orders
from syzygy.chance.largest import largest, over_groups, sidak
from syzygy.chance.many import false_discovery
from syzygy.chance.permutation import Moments, invariants, moments, quantiles, upper_tail
from syzygy.chance.sample import half_samples, intervals

__all__ = [
    "Moments",
    "between",
    "ceilings",
    "drawn",
    "false_discovery",
    "half_samples",
    "intervals",
    "invariants",
    "largest",
    "moments",
    "orders",
    "over_groups",
    "quantiles",
    "sidak",
    "upper_tail",
]
