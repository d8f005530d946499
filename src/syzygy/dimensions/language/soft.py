"""Soft assignment to points of the sphere: Conklin's later estimator (2025), with the exact bandwidth."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import entr

from syzygy.dimensions.language.bandwidth import Formula, bandwidth
from syzygy.dimensions.language.given import Array, Codes
from syzygy.errors import ShapeError, SpecificationError
from syzygy.linalg.work import Precision

#: So many items are assigned at once.
ITEMS: Final = 2**14


@dataclass(frozen=True)
class Soft:
    """Assign the direction of each item to random points of the sphere: softmax of cosines over a bandwidth.

    Attributes
    ----------
    points
        n, uniform on the sphere.
    bandwidth
        ``exact``, or for comparison ``bound`` or ``leading``: :func:`~syzygy.dimensions.language.bandwidth.bandwidth`.
    seed
        Of the points.
    device
        Of PyTorch, as in ``cuda``; by default the processor.
    precision
        Of the assignments.
    """

    points: int = 100
    bandwidth: Formula = "exact"
    seed: int = 0
    device: str | None = None
    precision: Precision = "float64"

    def __post_init__(self) -> None:
        if self.points < 2:
            raise SpecificationError(f"points must be at least 2, got {self.points}")

    def sphere(self, units: int) -> Array:
        """Give the points, ``(point, unit)``.

        Examples
        --------
        >>> np.linalg.norm(Soft(points=3).sphere(8), axis=1).round(12).tolist()
        [1.0, 1.0, 1.0]
        """
        normal = np.random.default_rng(self.seed).standard_normal((self.points, units))
        return np.asarray(normal / np.linalg.norm(normal, axis=1, keepdims=True))

    def width(self, units: int) -> int:  # noqa: ARG002
        """Say how many numbers are kept of an item."""
        return self.points

    def assigned(self, x: NDArray[np.floating]) -> "Shares":
        """Assign items ``(item, unit)`` to points; an item of length zero, which has no direction, to all alike.

        Raises
        ------
        ShapeError
            One unit only.
        """
        units = x.shape[1]
        if units < 2:
            raise ShapeError("one unit has no directions; the soft estimator needs 2 or more, use the binned one")
        dtype = getattr(torch, self.precision)
        turned = torch.as_tensor(self.sphere(units).T / bandwidth(self.points, units, self.bandwidth), dtype=dtype)
        turned, found = turned.to(self.device), np.empty((len(x), self.points), dtype=self.precision)
        for start in range(0, len(x), ITEMS):
            some = np.asarray(x[start : start + ITEMS], dtype=np.float64)
            some = some / np.maximum(np.abs(some).max(axis=1, keepdims=True), np.finfo(np.float64).tiny)  # no overflow
            length = np.linalg.norm(some, axis=1, keepdims=True)
            there = torch.as_tensor(some / np.where(length > 0, length, 1), dtype=dtype).to(self.device)
            found[start : start + ITEMS] = torch.softmax(there @ turned, dim=1).cpu().numpy()
        return Shares(found, self.device)


@dataclass(frozen=True)
class Shares:
    """Items' shares in points.

    Attributes
    ----------
    shares
        ``(item, point)``; rows sum to one.
    device
        Where they are added up.
    units, miller_madow
        One table, and nothing to correct.
    """

    shares: NDArray[np.floating]
    device: str | None = None
    units: int = field(default=1, init=False)
    miller_madow: bool = field(default=False, init=False)

    @property
    def points(self) -> int:
        """Number of points."""
        return int(self.shares.shape[1])

    @property
    def floor(self) -> Array:
        """Entropy of each item alone, in nats, ``(item,)``."""
        return np.asarray(entr(self.shares).sum(axis=1), dtype=np.float64)

    @property
    def empty(self) -> float:
        """No point is ever without a share."""
        return 0.0

    def only(self, items: NDArray[np.bool_]) -> "Shares":
        """Give some of the items."""
        return Shares(self.shares[items], self.device)

    def blocks(self, labels: int) -> Iterator[slice]:  # noqa: ARG002
        """Give units: there is one table."""
        yield slice(0, 1)

    def counts(self, codes: Codes, labels: int, units: slice) -> tuple[Array, Array]:  # noqa: ARG002
        """Add up shares of items of each label, and their squares: ``(draw, item)`` to ``(draw, label, 1, point)``."""
        total = torch.zeros((len(codes), labels, 2 * self.points), dtype=torch.float64, device=self.device)
        for start in range(0, len(self.shares), ITEMS):
            some = torch.as_tensor(self.shares[start : start + ITEMS]).to(self.device).to(torch.float64)
            both = torch.cat([some, some**2], dim=1)
            for table, code in zip(total, codes[:, start : start + ITEMS], strict=True):
                table.index_add_(0, torch.as_tensor(code).to(self.device), both)
        found = np.asarray(total.cpu())[:, :, None]
        return found[..., : self.points], found[..., self.points :]

    def read(self, table: Array, codes: Codes, units: slice) -> Array:  # noqa: ARG002
        """Give the mean over points of what a table ``(label, 1, point)`` has for each item, ``(item,)``."""
        found = np.empty(len(codes))
        for start in range(0, len(codes), ITEMS):
            some = slice(start, start + ITEMS)
            found[some] = np.einsum("ip,ip->i", self.shares[some], table[codes[some], 0])
        return found
