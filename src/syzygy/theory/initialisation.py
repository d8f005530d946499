"""How random initial weights spread the final distance: a density in closed form, and richness from the gain.

Derived in ``docs/theory/initialisation.md``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from syzygy.errors import SpecificationError
from syzygy.theory.pair import Array, PairState, PairTheory, final_distance


@dataclass(frozen=True)
class FinalDistance:
    """The squared distance at the end of learning, if A_high is normal over initialisations.

    Parameters
    ----------
    a_low
        The data's share of the final distance; positive.
    deviation
        Standard deviation of A_high, the initialisation's share; positive.
    mean
        Mean of A_high.

    Raises
    ------
    SpecificationError
        An ``a_low`` or ``deviation`` that is not positive: the distance then has no density.

    Examples
    --------
    >>> spread = FinalDistance(a_low=1.0, deviation=0.5)
    >>> spread.pdf([0.5, 1.0, 2.0]).round(4).tolist()
    [0.0443, 1.5958, 0.0111]
    >>> spread.cdf(1.0).item(), spread.median.item()
    (0.5, 1.0)
    """

    a_low: Array
    deviation: Array
    mean: Array

    def __init__(self, a_low: ArrayLike, deviation: ArrayLike, mean: ArrayLike = 0.0):
        for name, value in (("a_low", a_low), ("deviation", deviation), ("mean", mean)):
            array = np.asarray(value, dtype=np.float64)
            if not np.all(np.isfinite(array) & ((array > 0) | (name == "mean"))):
                bound = "finite" if name == "mean" else "positive and finite"
                raise SpecificationError(f"{name} must be {bound}, got {array}")
            object.__setattr__(self, name, array)

    def pdf(self, h2: ArrayLike) -> Array:
        """Density at some squared distances: that of A_high at ``h2 − a_low²/h2``, times ``1 + a_low²/h2²``."""
        place = np.asarray(h2, dtype=np.float64)
        there = np.where(place > 0, place, 1.0)
        bell = np.exp(-0.5 * self._standard(there) ** 2) / (np.sqrt(2 * np.pi) * self.deviation)
        return np.where(place > 0, (1 + (self.a_low / there) ** 2) * bell, 0.0)

    def cdf(self, h2: ArrayLike) -> Array:
        """Probability of a smaller squared distance."""
        place = np.asarray(h2, dtype=np.float64)
        return np.where(place > 0, ndtr(self._standard(np.where(place > 0, place, 1.0))), 0.0)

    def quantile(self, probability: ArrayLike) -> Array:
        """Squared distance that is not exceeded with some probability, the inverse of :meth:`cdf`."""
        return final_distance(self.mean + self.deviation * ndtri(np.asarray(probability)), self.a_low)

    @property
    def median(self) -> Array:
        """The median: ``a_low`` where A_high is centred."""
        return self.quantile(0.5)

    def _standard(self, h2: Array) -> Array:
        """Invert the final distance for A_high, in standard units."""
        return np.asarray((h2 - self.a_low**2 / h2 - self.mean) / self.deviation)


def start_of_fraction(gain: ArrayLike, fraction: ArrayLike, dx2: ArrayLike) -> PairState:
    """Start of a network whose gain is split between encoder and decoder (an early version of the paper's code).

    ``h2 = gain^(2·fraction)·dx2`` and ``y2 = gain²·dx2``; ``w`` is not modelled, and NaN.

    Parameters
    ----------
    gain
        Of the whole untrained network, ``‖dy‖/‖dx‖``; positive.
    fraction
        The encoder's share of the layers, between 0 and 1.
    dx2
        Squared distance of the inputs.
    """
    whole, share, inputs = (np.asarray(value, dtype=np.float64) for value in (gain, fraction, dx2))
    h2, y2 = np.broadcast_arrays(whole ** (2 * share) * inputs, whole**2 * inputs)
    return PairState(h2, y2, np.full(h2.shape, np.nan))


def start_of_layers(
    gain: ArrayLike, encoder: int, decoder: int, width: int, dx2: ArrayLike, passed: float = 0.5
) -> PairState:
    """Mean start of a wide perceptron, layer by layer, from Xavier's normal weights without biases.

    One number comes in, one goes out, and both inputs lie on one side of zero.  ``h2`` is a mean over initial
    weights; ``y2`` is ``h2`` times the mean squared gain of the decoder; ``w`` is not modelled, and NaN.

    Parameters
    ----------
    gain
        Factor of the weights' standard deviation, ``gain·sqrt(2/(fan_in + fan_out))``.
    encoder, decoder
        Number of linear maps before and after the layer; one or more.
    width
        Units per hidden layer.
    dx2
        Squared distance of the inputs.
    passed
        Share of the mean square that the activation lets through: ½ for a rectifier, 1 for none.

    Examples
    --------
    >>> start = start_of_layers(gain=1.0, encoder=2, decoder=2, width=50, dx2=1.0)
    >>> start.h2.round(4).item(), start.y2.round(4).item()
    (0.4902, 0.0096)
    """
    inner, inputs = passed * np.asarray(gain, dtype=np.float64) ** 2, np.asarray(dx2, dtype=np.float64)
    h2 = 2 * width / (width + 1) * inner**encoder * inputs
    squared_gain = 2 / (width + 1) / passed * inner**decoder
    return PairState(h2, squared_gain * h2, np.full(np.shape(h2), np.nan))


def richness_of_fraction(start: PairState, fraction: ArrayLike, dx2: ArrayLike, dy2: ArrayLike) -> Array:
    """``A_high/A_low`` if each side learns as fast as it has layers: ``eta_h/eta_y = fraction/(1 − fraction)``.

    Near zero is rich, large is encoder-lazy, large and negative decoder-lazy.

    Examples
    --------
    >>> richness_of_fraction(start_of_fraction(2.0, 0.75, 1.0), 0.75, 1.0, 0.5).round(4).item()
    -1.1547
    """
    share = np.asarray(fraction, dtype=np.float64)
    if not np.all((share > 0) & (share < 1)):
        raise SpecificationError(f"the encoder's fraction lies between 0 and 1, got {share}")
    theory = PairTheory(share, 1 - share, dx2, dy2)
    return np.asarray(theory.a_high(start) / theory.a_low)
