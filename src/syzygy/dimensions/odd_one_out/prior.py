"""What is believed of an embedding before any choice is seen: most entries are near zero, some are not."""

import math
from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Tensor

Shape = Literal["gaussian", "laplace"]

#: Logarithm of what the density at zero times the scale is.
AT_ZERO: Final[dict[Shape, float]] = {"gaussian": -0.5 * math.log(2 * math.pi), "laplace": -math.log(2)}


@dataclass(frozen=True)
class SpikeSlab:
    """A spike at zero and a slab, as a true mixture: ``log[π p(x; spike) + (1 − π) p(x; slab)]``.

    The weighted sum of the two logarithms that is found in published code is no mixture: it is one normal density,
    narrower than the slab, and has no wide tails (``docs/dimensions/odd_one_out.md``).

    Attributes
    ----------
    spike, slab
        Scales: standard deviations of ``gaussian``, mean absolute values of ``laplace``.
    share
        Of the spike, π, between 0 and 1 and neither.
    shape
        Of both densities.

    Examples
    --------
    >>> prior = SpikeSlab(spike=0.25, slab=1.0, share=0.5)
    >>> round(float(prior.log_density(torch.tensor(2.0))), 4)
    -3.6121
    """

    spike: float = 0.25
    slab: float = 1.0
    share: float = 0.5
    shape: Shape = "gaussian"

    def log_density(self, x: Tensor) -> Tensor:
        """Give the logarithm of the density, in units of x, of the same shape; exact far from zero as well."""
        parts = (
            math.log(weight / scale) + AT_ZERO[self.shape] - self._distance(x / scale)
            for weight, scale in ((self.share, self.spike), (1 - self.share, self.slab))
        )
        return torch.logaddexp(*parts)

    def slope(self, x: Tensor) -> Tensor:
        """Give the derivative of :meth:`log_density`, of the same shape.

        Each density pulls by its share in the mixture at x, which is a logistic function of x² (or of its size).
        """
        odds = math.log(self.share / self.spike) - math.log((1 - self.share) / self.slab)
        if self.shape == "gaussian":
            narrow, wide = -(self.spike**-2), -(self.slab**-2)
            at = torch.full((), odds, dtype=x.dtype, device=x.device)
            pull = torch.addcmul(at, x, x, value=(narrow - wide) / 2)
            return pull.sigmoid_().mul_(narrow - wide).add_(wide).mul_(x)
        narrow, wide = -1 / self.spike, -1 / self.slab
        pull = x.abs().mul_(narrow - wide).add_(odds)
        return pull.sigmoid_().mul_(narrow - wide).add_(wide).mul_(x.sign())

    def _distance(self, x: Tensor) -> Tensor:
        return x.square() / 2 if self.shape == "gaussian" else x.abs()
