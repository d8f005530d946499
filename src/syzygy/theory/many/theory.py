r"""The exact theory of many items: what the others do to a pair.

The pair theory looks at two items as if there were no others.  A linear network has all its items on one set of
weights.  With ``A = HᵀH`` the Gram matrix of the representations, ``Q`` the outputs without their bias ``c``, and
``G = W₂W₂ᵀ`` that of the readout,

.. math::
    A' &= -a\,(K E^T Q + Q^T E K) \\
    Q' &= -a\, G E K - b\, E A \\
    G' &= -b\,(E Q^T + Q E^T) \\
    c' &= -b_c\, E 1, \qquad E = Q + c\,1^T - Y,

where ``a = 2·eta_h/N``, ``b = 2·eta_y/N``, ``b_c = 2·eta_bias/N``, and ``K`` is the Gram matrix of the inputs, plus one
if the hidden layer has a bias.  Derived in ``docs/theory/many.md``, with the reason why no more directions of the items
move than there are inputs, so that thousands of items cost what tens do.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.errors import ShapeError, SpecificationError

Array = NDArray[np.float64]

#: Relative difference of two numbers that should be one, put down to rounding.
SLACK = 1e-6


@dataclass(frozen=True)
class ManyState:
    """Where many items stand.

    Attributes
    ----------
    gram
        ``A``, inner products of the representations, ``(..., item, item)``.
    outputs
        What the network says, its bias included, ``(..., item, output)``.
    decoder_gram
        ``G = W₂W₂ᵀ``, inner products of the readout's rows, ``(..., output, output)``.
    bias
        ``c``, the output's bias, ``(..., output)``; by default zero.

    Raises
    ------
    ShapeError
        Arrays that do not fit together.
    SpecificationError
        A Gram matrix that is not symmetric.
    """

    gram: Array
    outputs: Array
    decoder_gram: Array
    bias: Array

    def __init__(self, gram: ArrayLike, outputs: ArrayLike, decoder_gram: ArrayLike, bias: ArrayLike | None = None):
        said = np.asarray(outputs, dtype=np.float64)
        given = np.zeros(said.shape[-1:]) if bias is None else bias
        a, g, c = (np.asarray(value, dtype=np.float64) for value in (gram, decoder_gram, given))
        items, count = said.shape[-2:] if said.ndim > 1 else (-1, -1)
        if a.shape[-2:] != (items, items) or g.shape[-2:] != (count, count) or c.shape[-1:] != (count,):
            raise ShapeError(
                "a state is gram (..., item, item), outputs (..., item, output), decoder_gram (..., output, output) "
                f"and bias (..., output); got {a.shape}, {said.shape}, {g.shape} and {c.shape}"
            )
        _symmetric("gram", a)
        _symmetric("decoder_gram", g)
        for name, value in (("gram", a), ("outputs", said), ("decoder_gram", g), ("bias", c)):
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, hidden: ArrayLike, readout: ArrayLike, bias: ArrayLike | None = None) -> Self:
        """Give the state of a network's last two layers.

        Parameters
        ----------
        hidden
            Representations, ``(..., item, unit)``.
        readout
            Weights from them to the outputs, ``(..., output, unit)``.
        bias
            Of the outputs, ``(..., output)``.
        """
        h, w = np.asarray(hidden, dtype=np.float64), np.asarray(readout, dtype=np.float64)
        if h.ndim < 2 or w.ndim < 2 or h.shape[-1] != w.shape[-1]:
            raise ShapeError(f"hidden is (..., item, unit) and readout (..., output, unit); got {h.shape}, {w.shape}")
        c = np.zeros(w.shape[-2]) if bias is None else np.asarray(bias, dtype=np.float64)
        return cls(h @ _turned(h), h @ _turned(w) + c[..., None, :], w @ _turned(w), c)

    @property
    def distances(self) -> Array:
        """Squared distances ‖h_i − h_j‖² of the representations, ``(..., item, item)``.

        Differences of inner products: one that is smaller than 1e-9 of the largest is rounding.
        """
        size = np.einsum("...ii->...i", self.gram)
        return np.asarray(np.maximum(size[..., :, None] + size[..., None, :] - 2 * self.gram, 0.0))


@dataclass(frozen=True)
class ManyTheory:
    """Two effective learning rates, and what the data fix.

    Parameters
    ----------
    eta_h, eta_y
        Effective learning rates of encoder and decoder, per step, as in :class:`syzygy.theory.PairTheory`: half the
        learning rate of a two-layer linear network whose loss is half the squared error, averaged over items, summed
        over outputs.  Positive.
    inputs_gram
        Inner products of the inputs, ``(..., item, item)``; of an encoder that is not linear, its tangent kernel.
    targets
        ``(..., item, output)``
    hidden_bias
        Whether the hidden layer has a bias that learns, at the encoder's rate.
    output_bias
        Whether the outputs have a bias that learns.
    eta_bias
        Its rate; by default the decoder's.

    Raises
    ------
    SpecificationError
        A rate that is not positive, or data that are not finite or not symmetric.
    ShapeError
        Inputs and targets of different numbers of items.

    Examples
    --------
    Two classes on a line, and what the product law of a pair becomes for four items:

    >>> theory = ManyTheory.of([[-2], [-1], [1], [2]], [[-1], [-1], [1], [1]], eta_h=0.1, eta_y=0.1)
    >>> rich = ManyState(theory.rich_gram(), np.zeros((4, 1)), np.zeros((1, 1)))
    >>> rich.distances[0].round(3).tolist()
    [0.0, 0.6, 5.4, 9.6]
    """

    eta_h: Array
    eta_y: Array
    inputs_gram: Array
    targets: Array
    hidden_bias: bool
    output_bias: bool
    eta_bias: Array

    def __init__(
        self,
        eta_h: ArrayLike,
        eta_y: ArrayLike,
        inputs_gram: ArrayLike,
        targets: ArrayLike,
        hidden_bias: bool = False,
        output_bias: bool = False,
        eta_bias: ArrayLike | None = None,
    ):
        for name, value in (("eta_h", eta_h), ("eta_y", eta_y), ("eta_bias", eta_y if eta_bias is None else eta_bias)):
            rate = np.asarray(value, dtype=np.float64)
            if not np.all((rate > 0) & np.isfinite(rate)):
                raise SpecificationError(f"{name} must be positive and finite, got {rate}")
            object.__setattr__(self, name, rate)
        products, wanted = np.asarray(inputs_gram, dtype=np.float64), np.asarray(targets, dtype=np.float64)
        if wanted.ndim < 2 or products.shape[-2:] != wanted.shape[-2:-1] * 2:
            raise ShapeError(
                f"inputs_gram is (..., item, item), targets (..., item, output); got {products.shape}, {wanted.shape}"
            )
        if not np.all(np.isfinite(products)) or not np.all(np.isfinite(wanted)):
            raise SpecificationError("inputs and targets must be finite; got NaN or infinity")
        _symmetric("inputs_gram", products)
        for name, given in (("inputs_gram", products), ("targets", wanted)):
            object.__setattr__(self, name, given)
        object.__setattr__(self, "hidden_bias", hidden_bias)
        object.__setattr__(self, "output_bias", output_bias)

    @classmethod
    def of(
        cls,
        inputs: ArrayLike,
        targets: ArrayLike,
        eta_h: ArrayLike,
        eta_y: ArrayLike,
        *,
        hidden_bias: bool = False,
        output_bias: bool = False,
    ) -> Self:
        """Give the theory of a task, with inputs ``(..., item, input)`` and targets ``(..., item, output)``."""
        x = np.asarray(inputs, dtype=np.float64)
        return cls(eta_h, eta_y, x @ _turned(x), targets, hidden_bias, output_bias)

    @property
    def kernel(self) -> Array:
        """``K``: inner products of the inputs as the encoder's weights and biases see them, ``(..., item, item)``."""
        return self.inputs_gram + float(self.hidden_bias)

    @property
    def speeds(self) -> tuple[Array, Array, Array]:
        """``a``, ``b`` and ``b_c``, ``(...)`` each; the last is zero without an output bias."""
        a, b, c = (2 * rate / self.targets.shape[-2] for rate in (self.eta_h, self.eta_y, self.eta_bias))
        return a, b, c * float(self.output_bias)

    def rate(self, state: ManyState) -> tuple[Array, Array, Array, Array]:
        """Change of ``gram``, ``outputs``, ``decoder_gram`` and ``bias`` per step: the system, O(output·item²)."""
        a, b, c = (one[..., None, None] for one in self.speeds)
        error, bare = state.outputs - self.targets, state.outputs - state.bias[..., None, :]
        pulled = self.kernel @ error
        gram, decoder = a * (pulled @ _turned(bare)), b * (_turned(error) @ bare)
        bias = -c[..., 0] * error.sum(-2)
        outputs = -a * (pulled @ state.decoder_gram) - b * (state.gram @ error) + bias[..., None, :]
        return -(gram + _turned(gram)), outputs, -(decoder + _turned(decoder)), bias

    def loss(self, outputs: ArrayLike) -> Array:
        """Half the squared error, averaged over items, summed over outputs."""
        return np.asarray(0.5 * ((np.asarray(outputs) - self.targets) ** 2).sum(-1).mean(-1))

    def conserved(self, state: ManyState) -> Array:
        """Traces of ``M = b·W₁W₁ᵀ − a·W₂ᵀW₂`` and of its square, constant along every solution, ``(..., 2)``.

        Of a network whose representations are linear in the inputs; of others where ``K`` has an inverse.
        """
        a, b, _ = self.speeds
        bare = state.outputs - state.bias[..., None, :]
        inverse = np.linalg.pinv(self.kernel, hermitian=True)
        weights, mixed = inverse @ state.gram, _turned(bare) @ inverse @ bare
        first = b * np.einsum("...ii->...", weights) - a * np.einsum("...ii->...", state.decoder_gram)
        second = b**2 * np.einsum("...ij,...ji->...", weights, weights)
        second -= 2 * a * b * np.einsum("...ii->...", mixed)
        second += a**2 * (state.decoder_gram**2).sum((-1, -2))
        return np.stack([first, second], -1)

    def rich_gram(self, bias: ArrayLike = 0.0) -> Array:
        """Gram matrix at the end of learning from a vanishing start, ``(..., item, item)``.

        ``sqrt(eta_h/eta_y)·K^½ (K^-½ YᵀY K^-½)^½ K^½``, the geometric mean of the Gram matrices of inputs and targets:
        the product law of a pair, for many.  Targets outside the range of ``K`` are not learned, and do not count.

        Parameters
        ----------
        bias
            The output's bias at the end, ``(..., output)``; what it says, the weights need not.
        """
        wanted = self.targets - np.atleast_1d(np.asarray(bias, dtype=np.float64))[..., None, :]
        root, inverse = _powers(self.kernel)
        seen = inverse @ wanted
        middle, _ = _powers(seen @ _turned(seen))
        return np.sqrt(self.eta_h / self.eta_y)[..., None, None] * (root @ middle @ root)


def _powers(matrix: Array) -> tuple[Array, Array]:
    """Roots of a symmetric matrix without negative eigenvalues, and of its inverse on its range."""
    values, vectors = np.linalg.eigh(matrix)
    least = matrix.shape[-1] * np.finfo(float).eps * values[..., -1:]
    root = np.sqrt(np.where(values > least, values, 0.0))
    inverse = np.divide(1.0, root, out=np.zeros_like(root), where=root > 0)
    first, second = ((vectors * one[..., None, :]) @ _turned(vectors) for one in (root, inverse))
    return first, second


def _symmetric(name: str, matrix: Array) -> None:
    if np.any(np.abs(matrix - _turned(matrix)) > SLACK * np.abs(matrix).max(initial=0.0)):
        raise SpecificationError(f"{name} holds inner products and must be symmetric")


def _turned(one: Array) -> Array:
    return np.swapaxes(one, -1, -2)
