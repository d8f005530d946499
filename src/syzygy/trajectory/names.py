"""How the tree of a trajectory is made up: its nodes, axes, and what can be measured."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from syzygy.axes import ITEM, NETWORK, OTHER_ITEM, OTHER_OUTPUT, OUTPUT, PAIR, POSITION, STEP, UNIT

Array = NDArray[np.floating[Any]]

LAYERS, MEASURED = "layers", "measured"

#: Axes of a layer, and of one whose positions were kept.
WATCHED: Final = (NETWORK, STEP, ITEM, UNIT)
POSITIONED: Final = (NETWORK, STEP, ITEM, POSITION, UNIT)

#: What can be measured of the networks themselves, besides ``network`` and ``step``; see :mod:`syzygy.linearisation`.
MEASURES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        **dict.fromkeys(("eta_h", "eta_y", "h2"), (PAIR,)),
        **dict.fromkeys(("dy", "y_mean"), (PAIR, OUTPUT)),
        "gram": (PAIR, OUTPUT, OTHER_OUTPUT),
        **dict.fromkeys(("encoder_share", "decoder_share", "encoder_coupling", "decoder_coupling"), (PAIR,)),
        **dict.fromkeys(("encoder_kernel", "decoder_kernel"), (ITEM, OTHER_ITEM)),
        **dict.fromkeys(("encoder_travel", "decoder_travel"), ()),
    }
)
