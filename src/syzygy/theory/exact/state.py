"""Where a pair stands whose decoder's Jacobian may point anywhere."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from syzygy.errors import ShapeError, SingularStart, SpecificationError
from syzygy.theory.pair import Array, PairState

#: Relative excess over what vectors can do that is put down to rounding.
SLACK = 1e-9


@dataclass(frozen=True)
class ExactState:
    """Where a pair stands.

    Attributes
    ----------
    h2
        Squared distance ‖dh‖² of the representations, ``(...)``.
    dy
        Difference of the outputs, ``D_y dh``, ``(..., output)``.
    gram
        ``D_y D_yᵀ``, the decoder's Jacobian times its transpose, ``(..., output, output)``.

    Raises
    ------
    ShapeError
        Arrays that do not fit together.
    SpecificationError
        Numbers that are not finite, or that no ``dh`` and ``D_y`` have: ``h2·gram − dy dyᵀ`` has no negative
        eigenvalue.
    """

    h2: Array
    dy: Array
    gram: Array

    def __init__(self, h2: ArrayLike, dy: ArrayLike, gram: ArrayLike):
        one, vector, matrix = (np.asarray(value, dtype=np.float64) for value in (h2, dy, gram))
        outputs = vector.shape[-1:] * 2
        if vector.ndim < 1 or matrix.ndim < 2 or matrix.shape[-2:] != outputs:
            raise ShapeError(
                f"dy must be (..., output) and gram (..., output, output); got {vector.shape}, {matrix.shape}"
            )
        try:
            leading = np.broadcast_shapes(one.shape, vector.shape[:-1], matrix.shape[:-2])
        except ValueError:
            raise ShapeError(
                f"h2 {one.shape}, dy {vector.shape} and gram {matrix.shape} are of different pairs"
            ) from None
        object.__setattr__(self, "h2", np.broadcast_to(one, leading))
        object.__setattr__(self, "dy", np.broadcast_to(vector, leading + outputs[:1]))
        object.__setattr__(self, "gram", np.broadcast_to(matrix, leading + outputs))
        _possible(self)

    @classmethod
    def of(cls, dh: ArrayLike, jacobian: ArrayLike) -> "ExactState":
        """From the representations' difference, ``(..., unit)``, and the Jacobian ``D_y``, ``(..., output, unit)``.

        Examples
        --------
        >>> ExactState.of(dh=[3.0, 4.0], jacobian=[[1.0, 0.0]]).h2.item()
        25.0
        """
        u, v = np.asarray(dh, dtype=np.float64), np.asarray(jacobian, dtype=np.float64)
        if u.ndim < 1 or v.ndim < 2 or u.shape[-1] != v.shape[-1]:
            raise ShapeError(f"dh must be (..., unit) and the Jacobian (..., output, unit); got {u.shape}, {v.shape}")
        return cls((u**2).sum(-1), (v @ u[..., None])[..., 0], v @ np.swapaxes(v, -1, -2))

    @property
    def aligned(self) -> "ExactState":
        """The same distances with a Jacobian along ``dh``: what the paper's three equations take for granted."""
        if np.any(self.h2 <= 0):
            raise SingularStart("representations coincide (h2 = 0): no Jacobian lies along dh = 0")
        return ExactState(self.h2, self.dy, outer(self.dy, self.dy) / self.h2[..., None, None])

    def pair(self, target: ArrayLike) -> PairState:
        """Give the three numbers of the pair theory, with targets that differ by ``(..., output)``."""
        y2 = (self.dy**2).sum(-1)
        return PairState(self.h2, y2, y2 - (self.dy * np.asarray(target)).sum(-1))


def _possible(state: ExactState) -> None:
    """Refuse numbers that no two representations and no decoder have."""
    if not all(np.all(np.isfinite(one)) for one in (state.h2, state.dy, state.gram)):
        raise SpecificationError("the start must be finite; got NaN or infinity in h2, dy or gram")
    if np.any(state.h2 < 0):
        raise SpecificationError(f"h2 is a squared distance and cannot be negative; got {state.h2.min():g}")
    size = np.einsum("...ii->...", state.gram)
    if np.any(np.abs(state.gram - np.swapaxes(state.gram, -1, -2)).max((-1, -2)) > SLACK * np.abs(size)):
        raise SpecificationError("gram is D_y D_yᵀ and must be symmetric")
    apart = state.h2[..., None, None] * state.gram - outer(state.dy, state.dy)
    if state.dy.size and np.any(np.linalg.eigvalsh(apart)[..., 0] < -SLACK * (state.h2 * size + 1e-300)):
        raise SpecificationError(
            "no dh and D_y have these numbers: h2·gram − dy dyᵀ must have no negative eigenvalue, for dy = D_y dh"
        )


def outer(one: Array, other: Array) -> Array:
    """Give the matrices of products of two vectors, ``(..., one, other)``."""
    return np.asarray(one[..., :, None] * other[..., None, :])
