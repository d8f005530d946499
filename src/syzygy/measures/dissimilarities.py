"""Representational similarity analysis: matrices of dissimilarities between items, compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

from syzygy.errors import DataError
from syzygy.linalg import Work, double_centred
from syzygy.measures.distances import squared_distances, unit_size
from syzygy.measures.kernels import ISOMETRIES
from syzygy.measures.measure import Array, Inner, Invariance, checked, one_of, unit_norm

Dissimilarity = Literal["correlation", "cosine", "euclidean", "sqeuclidean"]
Comparison = Literal["pearson", "spearman", "cosine", "whitened"]

#: Share of the largest value below which two values are equal but for rounding.
ROUNDING: Final = 1e-12

_LUCK: Final[Mapping[str, str]] = {
    "pearson": "0 on average",
    "spearman": "0 on average",
    "cosine": "near 1, for dissimilarities are positive",
    "whitened": "above 0; about p/(n + p) for n items and p units with squared Euclidean distances",
}

#: Comparisons that the similarity repository knows, by dissimilarity: theirs of RSAtoolbox and of thingsvision.
_KNOWN: Final[Mapping[str, frozenset[str]]] = {
    "correlation": frozenset({"pearson", "spearman", "cosine", "whitened"}),
    "sqeuclidean": frozenset({"pearson", "spearman", "cosine", "whitened"}),
    "euclidean": frozenset({"pearson", "spearman"}),
    "cosine": frozenset({"pearson", "spearman"}),
}


@dataclass(frozen=True)
class RSA(Inner):
    """Representational similarity analysis: how alike two matrices of dissimilarities are, off their diagonals."""

    name: ClassVar[str] = "rsa"
    about: ClassVar[str] = "agreement of dissimilarities between items"
    reference: ClassVar[str] = "Kriegeskorte, Mur & Bandettini 2008; whitened: Diedrichsen et al. 2020"

    dissimilarity: Dissimilarity = "correlation"
    comparison: Comparison = "pearson"

    def __post_init__(self) -> None:
        one_of("dissimilarity", self.dissimilarity, get_args(Dissimilarity))
        one_of("comparison", self.comparison, get_args(Comparison))

    @property
    def invariances(self) -> frozenset[Invariance]:
        """Those of the dissimilarity, and of all comparisons a common factor."""
        if self.dissimilarity == "correlation":
            return frozenset({"scale", "permutation", "item_scale"})
        if self.dissimilarity == "cosine":
            return frozenset({"scale", "permutation", "orthogonal", "item_scale"})
        return ISOMETRIES

    @property
    def range(self) -> tuple[float, float]:
        """Correlations may be negative."""
        return (-1.0, 1.0) if self.comparison in ("pearson", "spearman") else (0.0, 1.0)

    @property
    def luck(self) -> str:
        """Decided by the comparison."""
        return _LUCK[self.comparison]

    @property
    def alias(self) -> str | None:
        """Where RSAtoolbox or thingsvision, from which the repository has them, know it."""
        if self.comparison not in _KNOWN[self.dissimilarity]:
            return None
        rdm = "squared_euclidean" if self.dissimilarity == "sqeuclidean" else self.dissimilarity
        return f"rsa-rdm={rdm}-compare={'cosine_cov' if self.comparison == 'whitened' else self.comparison}"

    @property
    def _lost(self) -> str:
        return "equal" if self.dissimilarity == "correlation" else "zero"

    def matrix(self, x: Array, work: Work) -> NDArray[np.floating]:
        """Standardise the dissimilarities, or whiten them.  Ranks and roots need all digits."""
        found = dissimilarities(x, self.dissimilarity)
        scale = float(found.max())
        if self.comparison == "whitened":
            return work.cast(unit_norm(double_centred(found), scale))  # a factor of −½ is no matter to a cosine
        if self.comparison == "cosine":
            return work.cast(unit_norm(found, scale))
        values = squareform(found, checks=False)  # every two items once
        if self.comparison == "spearman" and not np.isnan(scale):
            values = ranks(values)
        return work.cast(unit_norm(squareform(values - values.mean()), float(np.abs(values).max())))

    def __call__(self, x: ArrayLike, y: ArrayLike) -> float:
        """Compare two representations of the same items, as every measure.

        Raises
        ------
        ShapeError, DataError
            As :meth:`Measure.__call__`, and DataError that names the first item that has no direction.
        """
        for name, given in (("x", x), ("y", y)):
            lost = undirected(checked(given, name, self), self.dissimilarity)
            if lost.any():
                raise DataError(
                    f"{name} has {lost.sum()} items whose units are all {self._lost}, the first of them item "
                    f"{np.argmax(lost)}, and no {self.dissimilarity} with others; leave them out, or ask for euclidean"
                )
        return super().__call__(x, y)


def dissimilarities(x: Array, kind: Dissimilarity) -> Array:
    """Give the dissimilarity of every two items, ``(item, other item)``; NaN where one of them has no direction.

    Euclidean distances are in units of the largest number of the centred representation: no comparison sees that.

    Examples
    --------
    >>> dissimilarities(np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]]), "cosine").tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    """
    if kind == "euclidean":
        return np.asarray(np.sqrt(squared_distances(unit_size(x))), dtype=np.float64)
    if kind == "sqeuclidean":
        return np.asarray(squared_distances(unit_size(x)))
    vectors = x - x.mean(axis=1, keepdims=True) if kind == "correlation" else x
    lengths = np.linalg.norm(vectors, axis=1)
    lengths[undirected(x, kind)] = np.nan
    # Of unit vectors 1 − cos is half of the squared distance, which is exactly zero for equal ones.
    return np.asarray(squared_distances(vectors / lengths[:, None]) / 2)


def undirected(x: Array, kind: Dissimilarity) -> NDArray[np.bool_]:
    """Say which items have no direction, and so no correlation or cosine with any other: ``(item,)``."""
    if kind == "correlation":
        return np.asarray(np.ptp(x, axis=1) == 0)
    return np.asarray(~x.any(axis=1) if kind == "cosine" else np.zeros(len(x), dtype=bool))


def ranks(values: Array) -> Array:
    """Give average ranks; values that differ by rounding alone are equal, so that ties survive a rotation.

    Examples
    --------
    >>> ranks(np.array([0.3, 0.1 + 0.2, 0.1, 5.0])).tolist()
    [2.5, 2.5, 1.0, 4.0]
    """
    order = np.argsort(values)
    steps = np.diff(values[order]) > ROUNDING * np.abs(values).max()
    places = np.empty(len(values), dtype=np.int64)
    places[order] = np.concatenate([[0], np.cumsum(steps)])
    return np.asarray(rankdata(places), dtype=np.float64)


def rsa(
    x: ArrayLike,
    y: ArrayLike,
    *,
    dissimilarity: Dissimilarity = "correlation",
    comparison: Comparison = "pearson",
) -> float:
    """Compare the dissimilarities between items of two representations.

    Parameters
    ----------
    x, y
        ``(item, unit)``, of any widths.
    dissimilarity
        Of two items: ``correlation``, 1 − r over units; ``cosine``, 1 − cos; ``euclidean`` or ``sqeuclidean``, their
        distance or its square.
    comparison
        Of the dissimilarities of all pairs of items: ``pearson``; ``spearman``, of average ranks; ``cosine``; or
        ``whitened``, the cosine with regard to the covariance of estimated distances (Diedrichsen et al. 2020), for
        ``sqeuclidean`` the same number as the biased linear CKA.

    Returns
    -------
    float
        1 for equal dissimilarities up to a factor.

    Raises
    ------
    ShapeError
        As :meth:`Measure.__call__`.
    DataError
        As :meth:`Measure.__call__`; or an item without direction, where that is compared.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(20, 8))
    >>> round(rsa(x, x * np.arange(1, 21)[:, None]), 12)  # correlations do not notice how large an item is
    1.0
    >>> rsa(x, x * np.arange(1, 21)[:, None], dissimilarity="euclidean") < 0.9
    True
    """
    return RSA(dissimilarity, comparison)(x, y)
