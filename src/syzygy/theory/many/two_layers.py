"""The smallest linear network with given Gram matrices, and how it learns.

Gram matrices say all that the N-point system needs of a network, so any network that has them will do; the smallest
has no more units than there are moving directions of the items and outputs together.  Followed as weights, Gram
matrices keep the rank and the sign that they must have, and small distances their digits (``docs/theory/many.md``,
section 4).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from syzygy.errors import SpecificationError
from syzygy.theory.many.theory import SLACK

Array = NDArray[np.float64]

#: Eigenvalues of a start that are rounding, in units of it.
RANK = 100.0


class Layers(NamedTuple):
    """Networks, or how they change per step.

    Attributes
    ----------
    hidden
        Representations of directions of the items, ``(system, direction, unit)``.
    readout
        ``(system, output, unit)``
    bias
        Of the outputs, ``(system, output)``.
    """

    hidden: Array
    readout: Array
    bias: Array

    @property
    def sizes(self) -> list[int]:
        """How many numbers each array has, for one system."""
        return [int(np.prod(one.shape[1:])) for one in self]

    @property
    def flat(self) -> Array:
        """All numbers, ``(number, system)``."""
        return np.concatenate([one.reshape(len(one), size) for one, size in zip(self, self.sizes, strict=True)], 1).T

    def like(self, flat: Array) -> Self:
        """Take ``(number, system)`` apart."""
        pieces = np.split(np.ascontiguousarray(flat.T), np.cumsum(self.sizes)[:-1], axis=1)
        return type(self)(*(new.reshape(-1, *old.shape[1:]) for new, old in zip(pieces, self, strict=True)))

    def only(self, which: NDArray[np.bool_]) -> Self:
        """Give some of the systems."""
        return type(self)(*(one[which] for one in self))


@dataclass(frozen=True)
class Flow:
    """What drives the networks.

    Attributes
    ----------
    kernel
        ``a·BᵀKB``, for an orthonormal basis ``B`` of directions of the items, ``(system, direction, direction)``.
    targets
        ``BᵀYᵀ``, ``(system, direction, output)``.
    ones
        ``Bᵀ1``, ``(direction,)``.
    decoder, bias
        The rates ``b`` and ``b_c``, ``(system, 1, 1)``.
    """

    kernel: Array
    targets: Array
    ones: Array
    decoder: Array
    bias: Array

    def only(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> "Flow":
        """Give some of the systems."""
        return Flow(self.kernel[which], self.targets[which], self.ones, self.decoder[which], self.bias[which])

    def error(self, now: Layers) -> Array:
        """``BᵀEᵀ``, ``(system, direction, output)``."""
        return now.hidden @ np.swapaxes(now.readout, -1, -2) + self.ones[:, None] * now.bias[:, None] - self.targets

    def change(self, now: Layers, error: Array) -> Layers:
        """Change per step at a given error: down the gradient."""
        return Layers(
            -(self.kernel @ error) @ now.readout,
            -self.decoder * (np.swapaxes(error, -1, -2) @ now.hidden),
            -self.bias[..., 0] * (self.ones @ error),
        )


def directions(matrices: Sequence[Array]) -> Array:
    """Give an orthonormal basis of what symmetric matrices without negative eigenvalues span, ``(item, direction)``.

    Parameters
    ----------
    matrices
        Each ``(item, item)``.
    """
    items = len(matrices[0])
    total = np.zeros((items, items))
    for one in matrices:  # the range of a sum of such matrices is the sum of their ranges
        size = np.trace(one)
        total += one / size if size > 0 else one
    values, vectors = np.linalg.eigh(total)
    kept = values > items * np.finfo(float).eps * values[-1]
    return np.eye(items) if kept.all() else np.ascontiguousarray(vectors[:, kept])


def smallest(gram: Array, outputs: Array, readout: Array, outside: Array) -> tuple[Array, Array]:
    """Give the hidden layer and readout with some inner products, of no more units than these have rank.

    Parameters
    ----------
    gram, outputs, readout
        Within and between directions and outputs: ``(system, direction, direction)``, ``(system, direction, output)``
        and ``(system, output, output)``.
    outside
        What of the outputs lies outside of the directions.

    Raises
    ------
    SpecificationError
        Numbers that no set of vectors has.
    """
    one, two = (np.sqrt(np.einsum("sii->s", matrix)[:, None, None]) for matrix in (gram, readout))
    first, second = (np.where(size > 0, size, 1.0) for size in (one, two))
    mixed = outputs / (first * second)
    joint = np.block([[gram / first**2, mixed], [np.swapaxes(mixed, -1, -2), readout / second**2]])
    values, vectors = np.linalg.eigh(joint)
    if np.any(values[:, 0] < -SLACK) or np.any(np.abs(outside) > SLACK * first * second):
        raise SpecificationError(
            "no hidden layer has these numbers: gram, outputs without their bias and decoder_gram are the inner "
            "products of one set of vectors"
        )
    # What rounding adds to the rank must not learn: units that are exactly zero stay so.
    kept = values > RANK * joint.shape[-1] * np.finfo(float).eps * values[:, -1:]
    used = kept.any(0)
    used[-1] = True  # a network without a unit is no network
    units = (vectors * np.sqrt(np.where(kept, values, 0.0))[:, None])[..., used]
    directions = gram.shape[-1]
    return first * units[:, :directions], second * units[:, directions:]
