"""A map of representations: points as far apart as the measure says that representations differ."""

from typing import Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from sklearn.manifold import smacof

from syzygy.alignment.repeats import is_cosine
from syzygy.axes import REPRESENTATION
from syzygy.errors import SpecificationError
from syzygy.measures import Measure

Array = NDArray[np.float64]

DIMENSION: Final = "dimension"

#: Up to so many points the search also starts from random places.
FEW: Final = 200
STARTS: Final = 4


def embedding(measure: Measure, score: xr.DataArray, dimensions: int = 2, seed: int = 0) -> xr.DataArray:
    """Place representations so that their distances are those of a measure: metric multidimensional scaling.

    The sum of squared differences is minimised by majorisation (de Leeuw 1977), from the classical solution
    (Torgerson 1952), and for few points from random ones too.  The map is turned to its principal axes.

    Parameters
    ----------
    measure
        What ``score`` is of; :func:`dissimilarity` says how it becomes a distance.
    score
        ``(representation, other representation)``.
    dimensions
        Of the map.
    seed
        Of the random starts.

    Returns
    -------
    xarray.DataArray
        ``(representation, dimension)``, with the coordinates of the representations; NaN for those without a score.
        Its attribute ``stress`` is that of Kruskal (1964), ``√(Σ(d − δ)² / Σd²)`` for distances ``d`` on the map and
        ``δ`` of the measure: 0 where the map is exact.

    Raises
    ------
    SpecificationError
        Fewer than one dimension.
    """
    if dimensions < 1:
        raise SpecificationError(f"a map has at least 1 dimension, got {dimensions}")
    apart = dissimilarity(measure, score.values)
    there = np.isfinite(np.diag(score.values)) & (np.isfinite(apart).sum(axis=0) > 1)
    there &= np.isfinite(apart[:, there]).all(axis=1)
    points, stress = np.full((len(apart), dimensions), np.nan), np.nan
    if there.sum() > 1:
        points[there], stress = _placed(apart[np.ix_(there, there)], dimensions, seed)
    elif there.any():
        points[there], stress = 0.0, 0.0
    known = {name: values for name, values in score.coords.items() if values.dims == (REPRESENTATION,)}
    return xr.DataArray(points, dims=(REPRESENTATION, DIMENSION),
                        coords={**known, DIMENSION: np.arange(1, dimensions + 1)},
                        attrs={"stress": stress, "measure": measure.label})  # fmt: skip


def dissimilarity(measure: Measure, score: Array) -> Array:
    """Give a distance for every score, ``(representation, other representation)``: symmetric, 0 on its diagonal.

    A distance is its own; a cosine becomes its angle, which obeys the triangle inequality; any other similarity, what
    it lacks of its best value.  Both directions of a measure that is not symmetric are averaged.
    """
    if measure.kind == "distance":
        apart = score
    elif is_cosine(measure):
        apart = np.arccos(np.clip(score, -1, 1))
    else:
        apart = measure.best - score
    apart = np.maximum((apart + apart.T) / 2, 0)
    np.fill_diagonal(apart, 0)
    return apart


def _placed(apart: Array, dimensions: int, seed: int) -> tuple[Array, float]:
    rng = np.random.default_rng(seed)
    spread = float(apart.max()) or 1.0
    starts = [_classical(apart, dimensions)]
    if len(apart) <= FEW:
        starts += [rng.normal(scale=spread, size=starts[0].shape) for _ in range(STARTS)]
    most = 300 if len(apart) <= FEW else 60  # of many, each takes a while, and the first ones do most
    found = [smacof(apart / spread, n_components=dimensions, init=start / spread, n_init=1, normalized_stress=False,
                    max_iter=most)[0] for start in starts]  # fmt: skip
    points, stress = min(((one * spread, _stress(one * spread, apart)) for one in found), key=lambda pair: pair[1])
    return _turned(points), stress


def _classical(apart: Array, dimensions: int) -> Array:
    """Give the points whose inner products are nearest to those of the distances."""
    squared = apart**2
    means = squared.mean(axis=0)
    values, vectors = np.linalg.eigh(-(squared - means - means[:, None] + means.mean()) / 2)
    kept = np.zeros((len(apart), dimensions))
    most = min(dimensions, len(apart))
    kept[:, :most] = (vectors * np.sqrt(np.maximum(values, 0)))[:, ::-1][:, :most]
    return kept


def _turned(points: Array) -> Array:
    """Turn points to their principal axes, each with most of its length on the positive side."""
    centred = points - points.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2]
    turned = centred @ axes.T
    turned = np.pad(turned, ((0, 0), (0, points.shape[1] - turned.shape[1])))
    return np.asarray(turned * np.where(np.sum(turned**3, axis=0) < 0, -1, 1))


def _stress(points: Array, apart: Array) -> float:
    placed = np.linalg.norm(points[:, None] - points, axis=-1)
    total = float(np.sum(placed**2))
    return float(np.sqrt(np.sum((placed - apart) ** 2) / total)) if total else float(apart.any())
