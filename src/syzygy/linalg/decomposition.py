"""Centred items, decomposed once: ridge regression from them at any penalty, for any targets.

Derived in ``docs/measures/prediction.md``, section 3.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Decomposition:
    """Eigenvalues and axes of the smaller of ``C Cᵀ`` and ``CᵀC``.

    Attributes
    ----------
    centred
        C, ``(item, unit)``.
    values
        Not negative, ``(axis,)``.
    scores
        ``(item, axis)``; where units outnumber items they are the axes without their mean, else ``C`` times the axes.
    axes
        Eigenvectors, ``(item or unit, axis)``.
    """

    centred: Array
    values: Array
    scores: Array
    axes: Array

    @classmethod
    def of(cls, c: Array) -> Self:
        """Decompose centred items, ``(item, unit)``."""
        wide = c.shape[1] >= len(c)
        values, axes = np.linalg.eigh(c @ c.T if wide else c.T @ c)
        return cls(c, np.maximum(values, 0), axes - axes.mean(axis=0) if wide else c @ axes, axes)

    @property
    def wide(self) -> bool:
        """Whether there are as many units as items, or more."""
        items, units = self.centred.shape
        return bool(units >= items)

    @property
    def mean_eigenvalue(self) -> float:
        """Of ``C Cᵀ``, zeros counted: the variance of the items, summed over units."""
        return float(np.einsum("ij,ij->", self.centred, self.centred)) / len(self.centred)

    def weights(self, strength: float | Array) -> Array:
        """Give w of ``G = scores w scoresᵀ``, to which ``I − 11ᵀ/n`` is added unless :attr:`wide`.

        With the intercept free and the penalty λ, ``G = λ(CCᵀ + λ)⁻¹ − 11ᵀ/n`` tells what ridge regression misses of
        the items themselves: ``G y``.

        Parameters
        ----------
        strength
            λ, positive; one, or a column of one for each item.
        """
        if self.wide:  # 11ᵀ/n has been taken out of the axes, and a small λ loses no digits
            return np.asarray(1 / (1 + self.values / strength))
        return np.asarray(-1 / (self.values + strength))

    def residual(self, strength: float | Array, out: Array | None = None) -> Array:
        """Give G, ``(item, item)``.

        Parameters
        ----------
        strength
            As of :meth:`weights`.
        out
            Where to put it.
        """
        found = np.matmul(self.scores * self.weights(strength), self.scores.T, out=out)
        return found if self.wide else np.add(found, np.eye(len(found)) - 1 / len(found), out=found)

    def kept_back(self, strength: float) -> Array:
        """Give the diagonal of G, ``(item,)``: 1 less the leverage.

        Over it, what is missed of an item becomes what is missed of it left out (Allen 1974).

        Examples
        --------
        >>> Decomposition.of(np.array([[-1.0], [0.0], [1.0]])).kept_back(2.0).round(3).tolist()
        [0.417, 0.667, 0.417]
        """
        own = np.asarray(self.scores**2 @ self.weights(strength))
        return own if self.wide else own + 1 - 1 / len(own)

    def seen_from(self, new: Array) -> Array:
        """Give what predicts new items, less the same mean, ``(new item, axis)``.

        With S the result, ``S (values + λ)⁻¹ scoresᵀ y`` and the mean of y is what ridge regression says of them.
        """
        return np.asarray((new @ self.centred.T) @ self.scores if self.wide else new @ self.axes)
