"""What depth does to the final distance: the law of a deep linear network that starts small and balanced.

In such a network every weight matrix ends with the same gain, so a pair moves from its inputs' distance to its
targets' by equal factors, one per matrix.  Derived in ``docs/theory.md``, section 7, with what it needs: no activation,
data whose mean needs no learning, and a small start.
"""

import numpy as np
from numpy.typing import ArrayLike

from syzygy.errors import SpecificationError
from syzygy.theory.pair import Array


def exponents(layer: int, layers: int) -> tuple[float, float]:
    """Give the powers of ‖dx‖ and ‖dy*‖ in the final ‖dh‖²: ``2(1 − l/N)`` and ``2·l/N``.

    Both are 1, the paper's product law, in the middle only.

    Parameters
    ----------
    layer
        Weight matrices before the representation, ``l``: 0 for the inputs, ``layers`` for the outputs.
    layers
        Weight matrices of the network, ``N``.

    Raises
    ------
    SpecificationError
        A layer that such a network lacks.

    Examples
    --------
    >>> exponents(3, 6)
    (1.0, 1.0)
    >>> tuple(round(power, 3) for power in exponents(2, 3))
    (0.667, 1.333)
    """
    if not 0 <= layer <= layers or layers < 1:
        raise SpecificationError(f"a network of {layers} weight matrices has layers 0 to {layers}; asked for {layer}")
    share = layer / layers
    return 2 * (1 - share), 2 * share


def final_h2(dx2: ArrayLike, dy2: ArrayLike, layer: int, layers: int) -> Array:
    """Squared distance ‖dh‖² at the end of learning: ``‖dx‖^{2(1 − l/N)}·‖dy*‖^{2l/N}``.

    Parameters
    ----------
    dx2, dy2
        Squared distances of inputs and targets; positive, and zero or more.
    layer, layers
        As in :func:`exponents`.

    Raises
    ------
    SpecificationError
        A layer that such a network lacks, or distances out of range.

    Examples
    --------
    >>> final_h2(4.0, 0.25, layer=1, layers=2).item(), final_h2(4.0, 0.25, layer=0, layers=2).item()
    (1.0, 4.0)
    """
    powers = exponents(layer, layers)
    inputs, targets = np.asarray(dx2, dtype=np.float64), np.asarray(dy2, dtype=np.float64)
    if not (np.all((inputs > 0) & np.isfinite(inputs)) and np.all((targets >= 0) & np.isfinite(targets))):
        raise SpecificationError(f"dx2 must be positive and dy2 zero or more, both finite; got {inputs}, {targets}")
    return np.asarray(inputs ** (powers[0] / 2) * targets ** (powers[1] / 2))
