"""How good a latent is, where the true coordinates are known; plain arrays."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from syzygy.errors import DataError, ShapeError

Array = NDArray[np.float64]

#: Cells along each coordinate, and frames of a cell for its mean to count.
CELLS: Final = 20
LEAST: Final = 50
#: A direction of the latent in which frames spread so much less than along the widest has collapsed.
COLLAPSED: Final = 0.01


@dataclass(frozen=True)
class AffineMap:
    """The affine map from coordinates to the latent that is best by least squares.

    Attributes
    ----------
    matrix
        ``(coordinate, latent)``.
    shift
        ``(latent,)``.
    r2
        Share of the variance of the latent that it explains, a ratio of sums over frames and latent coordinates.
    singular_values
        Of the matrix, falling, ``(latent,)``: how much it stretches.
    """

    matrix: Array
    shift: Array
    r2: float
    singular_values: Array

    @classmethod
    def fitted(cls, latent: Array, coordinates: Array) -> Self:
        """Fit it.

        Parameters
        ----------
        latent
            ``(frame, latent)``.
        coordinates
            ``(frame, coordinate)``.

        Raises
        ------
        ShapeError
            Different frames.
        DataError
            A latent that does not vary.

        Examples
        --------
        >>> x = np.random.default_rng(0).normal(size=(50, 2))
        >>> found = AffineMap.fitted(x @ [[0.0, 6.0], [-3.0, 0.0]] + 1, x)
        >>> round(found.r2, 6), found.singular_values.round(6), round(found.condition, 6)
        (1.0, array([6., 3.]), 2.0)
        """
        if latent.ndim != 2 or coordinates.ndim != 2 or len(latent) != len(coordinates):
            raise ShapeError(
                f"latent and coordinates must be of the same frames; got {latent.shape}, {coordinates.shape}"
            )
        middle, centre = latent.mean(axis=0), coordinates.mean(axis=0)
        whole = np.square(latent - middle).sum()
        if not whole > 0:
            raise DataError(f"the latent is the same for all {len(latent)} frames; nothing can be read from it")
        matrix = np.linalg.lstsq(coordinates - centre, latent - middle, rcond=None)[0]
        left = np.square(latent - middle - (coordinates - centre) @ matrix).sum()
        sizes = np.linalg.svd(matrix, compute_uv=False)
        return cls(matrix, middle - centre @ matrix, float(1 - left / whole), sizes)

    @property
    def condition(self) -> float:
        """Largest over smallest singular value: 1 for turning, mirroring and scaling; infinite if one is lost."""
        return float(self.singular_values[0] / self.singular_values[-1]) if self.singular_values[-1] > 0 else np.inf

    @property
    def scale(self) -> float:
        """The geometric mean of the singular values."""
        return float(np.exp(np.log(np.maximum(self.singular_values, np.finfo(float).tiny)).mean()))

    def back(self, latent: Array) -> Array:
        """Give coordinates of latents, ``(frame, latent)`` to ``(frame, coordinate)``; the shortest of many."""
        return np.asarray((latent - self.shift) @ np.linalg.pinv(self.matrix))


def covariance(increments: Array) -> Array:
    """Give the covariance of increments, ``(latent, latent)``; ``2·I`` is asked for.

    Examples
    --------
    >>> covariance(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]))
    array([[0.5, 0. ],
           [0. , 0.5]])
    """
    away = increments - increments.mean(axis=0)
    return np.asarray(away.T @ away / len(away))


def isotropy_error(increments: Array) -> float:
    """Give how far the covariance is from ``2·I``: the largest of ``|eigenvalue/2 - 1|``, whatever the axes.

    Examples
    --------
    >>> round(isotropy_error(np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 2.2], [0.0, -2.2]])), 3)
    0.21
    """
    return float(np.abs(np.linalg.eigvalsh(covariance(increments)) / 2 - 1).max())


def collapsed(latent: NDArray[np.floating]) -> list[str]:
    """Say whether a latent has collapsed: a line if frames spread along a direction hardly at all.

    Parameters
    ----------
    latent
        ``(frame, coordinate)``.

    Examples
    --------
    >>> line = np.outer(np.arange(9.0), [1.0, 2.0])
    >>> collapsed(line)
    ['the latent has collapsed: along 1 of 2 directions frames spread less than 1% of what they do along the widest']
    >>> collapsed(line + np.outer(np.arange(9) % 2, [1.0, 0.0]))
    []
    """
    away = np.asarray(latent, dtype=np.float64) - np.mean(latent, axis=0, dtype=np.float64)
    widths = np.linalg.svd(away, compute_uv=False)
    flat = int((widths <= COLLAPSED * widths[0]).sum())
    said = (
        f"along {flat} of {latent.shape[1]} directions frames spread less than {COLLAPSED:.0%} of what they do along "
    )
    return [f"the latent has collapsed: {said}the widest"] if flat else []


@dataclass(frozen=True)
class DriftAgreement:
    """How well a learned drift is the true one.

    Attributes
    ----------
    correlation
        Pearson's, over cells and coordinates together.
    slope
        Of the learned drift on the true one, through 0.
    cells
        So many had enough frames.
    """

    correlation: float
    slope: float
    cells: int


def drift_agreement(
    learned: Array, true: Array, coordinates: Array, *, cells: int = CELLS, least: int = LEAST
) -> DriftAgreement:
    """Compare drifts, both as means over the cells of a grid over the coordinates.

    Parameters
    ----------
    learned, true
        Displacement per lag at each frame, ``(frame, latent)``: the second mapped into the latent.
    coordinates
        Where the frames are, ``(frame, 2)`` or of another dimension.
    cells
        Along each coordinate, from the lowest to the highest.
    least
        Frames of a cell for it to count.

    Raises
    ------
    DataError
        No two cells with enough frames.

    Examples
    --------
    >>> x = np.random.default_rng(0).uniform(-1, 1, size=(4000, 2))
    >>> found = drift_agreement(-0.9 * x, -x, x, cells=5)
    >>> round(found.correlation, 6), round(found.slope, 6), found.cells
    (1.0, 0.9, 25)
    """
    cell = _cells(coordinates, cells)
    there, place, sizes = np.unique(cell, return_inverse=True, return_counts=True)
    enough = sizes >= least
    if enough.sum() < 2:
        raise DataError(f"{int(enough.sum())} cells have {least} frames or more; give more frames, or fewer cells")
    a, b = (
        np.stack([np.bincount(place, column, len(there)) / sizes for column in field.T], axis=1)[enough].ravel()
        for field in (learned, true)
    )
    spread = np.std(a) * np.std(b)
    correlation = float(np.mean((a - a.mean()) * (b - b.mean())) / spread) if spread > 0 else np.nan
    return DriftAgreement(correlation, float(a @ b / (b @ b)), int(enough.sum()))


def cell_means(values: Array, coordinates: Array, *, cells: int = CELLS) -> Array:
    """Give each frame the mean of its cell, ``(frame, value)``: of displacements, the drift as the frames show it.

    Examples
    --------
    >>> cell_means(np.array([[1.0], [3.0], [7.0]]), np.array([[0.0], [0.1], [1.0]]), cells=2).ravel()
    array([2., 2., 7.])
    """
    _, place, sizes = np.unique(_cells(coordinates, cells), return_inverse=True, return_counts=True)
    means = np.stack([np.bincount(place, column, len(sizes)) / sizes for column in values.T], axis=1)
    return np.asarray(means[place])


def _cells(coordinates: Array, cells: int) -> NDArray[np.int64]:
    low, wide = coordinates.min(axis=0), np.ptp(coordinates, axis=0)
    index = np.minimum((coordinates - low) / np.where(wide > 0, wide, 1) * cells, cells - 1).astype(np.int64)
    return np.asarray(np.ravel_multi_index(tuple(index.T), (cells,) * index.shape[1]))
