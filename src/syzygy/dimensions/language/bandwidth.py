"""How sharply an item is assigned to points of the sphere: von Mises–Fisher noise that leaves log n nats.

Derived in ``docs/dimensions/language.md``, section 3.
"""

from collections.abc import Callable
from typing import Final, Literal, get_args

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaln, ive, logsumexp

from syzygy.errors import SpecificationError, UnknownName

#: ``exact``; the published bound, and its leading order, for comparison.
Formula = Literal["exact", "bound", "leading"]

#: Below it a scaled Bessel function loses digits, and its series is summed instead.
TINY: Final = 1e-280


def log_partition(concentration: float, dimensions: int) -> float:
    """Give the log of the mean of exp(κ cos) over the sphere, ``log Γ(d/2) (2/κ)^ν I_ν(κ)`` with ν = d/2 - 1.

    It is the series ₀F₁(; d/2; κ²/4), all of whose terms are positive; that is summed where the Bessel function
    leaves the floating-point numbers, as it does for many dimensions.

    Examples
    --------
    >>> import math
    >>> math.isclose(log_partition(2.0, 3), math.log(math.sinh(2.0) / 2.0))
    True
    """
    order, bessel = dimensions / 2 - 1, ive(dimensions / 2 - 1, concentration)
    if bessel > TINY:
        return float(order * np.log(2 / concentration) + gammaln(dimensions / 2) + np.log(bessel) + concentration)
    k = np.arange(int(concentration) + 64.0)  # terms are largest before κ/2, and fall ever faster
    rising = gammaln(dimensions / 2 + k) - gammaln(dimensions / 2)
    return float(logsumexp(2 * k * np.log(concentration / 2) - gammaln(k + 1) - rising))


def divergence(concentration: float, dimensions: int) -> float:
    """Give KL(vMF(κ) || uniform) on the sphere, in nats: κ A(κ) - log Z(κ) with A the derivative of log Z.

    Parameters
    ----------
    concentration
        κ = 1/ε, positive.
    dimensions
        Of the space the sphere lies in, at least 2.

    Examples
    --------
    >>> round(divergence(1 / 0.048079, 8), 3), round(float(np.log(100)), 3)
    (4.605, 4.605)
    """
    here, above = (log_partition(concentration, d) for d in (dimensions, dimensions + 2))
    mean_cosine = concentration / dimensions * np.exp(above - here)  # dZ_d/dκ = κ/d Z_{d+2}
    return float(concentration * mean_cosine - here)


def lower_bound(concentration: float, dimensions: int) -> float:
    """Give the lower bound on :func:`divergence` that ``soft-entropy`` solves for; it has none on the circle.

    Both of its terms are bounded by those of Amos (1974) for ratios of Bessel functions.
    """
    d, order = dimensions, dimensions / 2 - 1
    root = np.hypot(concentration, order)
    partition = root - order + order * np.log((d - 2) / (order + root))
    return float(concentration**2 / (d / 2 + np.hypot(concentration, d / 2)) - partition)


def bandwidth(points: int, dimensions: int, formula: Formula = "exact") -> float:
    """Give the ε at which von Mises–Fisher noise of concentration 1/ε leaves log n nats of direction.

    Parameters
    ----------
    points
        n, at least 2.
    dimensions
        Units of a representation, at least 2.
    formula
        ``exact`` solves KL(vMF(1/ε) || uniform) = log n.  For comparison: ``bound`` solves it for the published lower
        bound of the divergence, and ``leading`` is 1/√(2 d log n).

    Raises
    ------
    SpecificationError
        Fewer points or dimensions, or the bound on the circle, where there is none.

    Examples
    --------
    >>> [round(bandwidth(100, 8, formula), 4) for formula in ("bound", "exact", "leading")]
    [0.029, 0.0481, 0.1165]
    """
    if formula not in get_args(Formula):
        raise UnknownName("bandwidth", str(formula), get_args(Formula))
    least = 3 if formula == "bound" else 2
    if points < 2 or dimensions < least:
        raise SpecificationError(
            f"bandwidth {formula!r} needs 2 points and {least} units or more; got {points} and {dimensions}"
        )
    leading = np.sqrt(2 * dimensions * np.log(points))
    if formula == "leading":
        return float(1 / leading)
    return 1 / _solved(divergence if formula == "exact" else lower_bound, leading, dimensions, np.log(points))


def _solved(rising: Callable[[float, int], float], start: float, dimensions: int, target: float) -> float:
    """Solve for the concentration, searched from the leading order upwards and downwards."""
    low = high = start
    while rising(low, dimensions) > target:
        low /= 2
    while rising(high, dimensions) < target:
        high *= 2
    return float(
        np.exp(brentq(lambda t: rising(np.exp(t), dimensions) - target, np.log(low), np.log(high), xtol=1e-13))
    )
