"""The vocabulary of shapes: four axes, always in this order and always by these names.

Arrays that carry only some of them keep the order: a loss is ``(network, step)``, an output
``(network, step, item, output)``, a representation ``(network, step, item, unit)``.  Two items make a
``pair``; curves of pairs are ``(network, pair, step)``, with the step last because theory and fits run
along it.
"""

from typing import Final

NETWORK: Final = "network"
STEP: Final = "step"
ITEM: Final = "item"
UNIT: Final = "unit"

OUTPUT: Final = "output"
INPUT: Final = "input"
PAIR: Final = "pair"
POSITION: Final = "position"
OTHER_ITEM: Final = "other item"
OTHER_OUTPUT: Final = "other output"
REPRESENTATION: Final = "representation"
OTHER_REPRESENTATION: Final = "other representation"
MEASURE: Final = "measure"
