"""Whether members that were fitted together may share their rates."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as fisher

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sharing:
    """By how much the sum of squares rises when members share rates, against what chance makes of it.

    Every array is ``(group,)``, NaN for groups with fewer than two members.

    Attributes
    ----------
    statistic
        The rise over its expectation if all true rates are the same: about one where they are.
    freedom, residual_freedom
        Degrees of freedom of the rise, and of the noise.
    p
        Probability of such a rise, or a larger one, by chance (F distribution).
    """

    statistic: Array
    freedom: Array
    residual_freedom: Array
    p: Array

    @classmethod
    def of(
        cls, groups: NDArray[np.intp], count: int, rise: Array, bread: Array, filling: Array, effective: Array
    ) -> Self:
        """Test from what is known of each member.

        If the scores of members are independent with covariances ``B``, the rise is a sum of squares with weights
        ``λ``, of which ``Σλ`` and ``Σλ²`` are known; Satterthwaite's multiple of chi-square has the same two.

        Parameters
        ----------
        groups
            The group of each member, ``(member,)``.
        count
            Number of groups.
        rise
            Sum of squares of each member with shared rates, less that with its own, ``(member,)``.
        bread, filling, effective
            ``A``, ``B`` and effective observations of each member with its own rates
            (:func:`syzygy.fitting.certainty.intervals.moments`).
        """

        def summed(values: Array) -> Array:
            total = np.zeros((count, *values.shape[1:]))
            np.add.at(total, groups, values)
            return total

        own = _inverse(bread) @ filling
        together = _inverse(summed(bread))
        shared = together @ summed(filling)
        mixed = own @ together[groups] @ filling
        expected = summed(_trace(own)) - _trace(shared)
        square = summed(_trace(own @ own) - 2 * _trace(mixed)) + _trace(shared @ shared)
        members = summed(np.ones(len(groups)))
        with np.errstate(divide="ignore", invalid="ignore"):
            tested = (members > 1) & (expected > 0)
            statistic = np.where(tested, summed(rise) / expected, np.nan)
            freedom = np.where(tested, expected**2 / square, np.nan)
            left = np.where(tested, np.maximum(summed(effective) - 2 * members, 1.0), np.nan)
            return cls(statistic, freedom, left, np.asarray(fisher.sf(statistic, freedom, left)))


def _inverse(matrix: Array) -> Array:
    """Invert, in units of the diagonal; zero along what the data do not tell."""
    unit = np.sqrt(np.einsum("npp->np", matrix))
    scale = np.where(unit > 0, 1 / np.where(unit > 0, unit, 1.0), 0.0)
    scale = scale[:, :, None] * scale[:, None, :]
    return np.asarray(np.linalg.pinv(matrix * scale, rcond=1e-12, hermitian=True) * scale)


def _trace(matrix: Array) -> Array:
    return np.asarray(np.einsum("npp->n", matrix))
