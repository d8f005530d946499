"""Dimensions of a representation: principal components up to the rank, or non-negative parts.

Both are fitted on some items and read off others.  Derived in ``docs/dimensions/universal.md``, section 1.
"""

import warnings
from dataclasses import dataclass
from typing import Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning

from syzygy.errors import DataError

Array = NDArray[np.float64]
Basis = Literal["pca", "nmf"]

#: The squared gap of two equal variances, over their square and times the number of items, exceeds it once in 20.
EQUAL: Final = 8 * np.log(20)
#: So many rounds find non-negative parts.
ROUNDS: Final = 1000


@dataclass(frozen=True)
class Components:
    """Directions in the space of units.

    Attributes
    ----------
    mean
        What is taken off first, ``(unit,)``; zero for non-negative parts.
    axes
        ``(component, unit)``.
    variance
        Of the items that they were fitted on, ``(component,)``, falling.
    items
        How many those were.
    model
        What reads non-negative parts off; None for principal components.
    """

    mean: Array
    axes: Array
    variance: Array
    items: int
    model: NMF | None = None

    @classmethod
    def principal(cls, x: Array, most: int | None = None, name: str = "x") -> Self:
        """Take all principal components up to the numerical rank.

        That is the number of singular values of the centred items above ``max(item, unit)·ε`` times the largest, with
        the ε of single precision if all values are of it: what is below is rounding, even where it was read as float64.

        Parameters
        ----------
        x
            ``(item, unit)``.
        most
            Keep the first so many.
        name
            Of the layer, for messages.

        Raises
        ------
        DataError
            All items are the same: there is no component.

        Examples
        --------
        >>> x = np.random.default_rng(0).normal(size=(20, 2)) @ [[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]
        >>> Components.principal(x).axes.shape
        (2, 3)
        """
        mean = x.mean(axis=0)
        _, sizes, axes = np.linalg.svd(x - mean, full_matrices=False)
        single = bool((x == x.astype(np.float32)).all())
        epsilon = max(x.shape) * float(np.finfo(np.float32 if single else np.float64).eps)
        there = sizes > epsilon * max(sizes[0], np.abs(x).max())
        rank = int(there.sum())
        if not rank:
            raise DataError(f"{name} is the same for all {len(x)} items: it has no dimensions; leave it out")
        kept = slice(0, rank if most is None else min(rank, most))
        axes = axes[kept] * np.sign(axes[kept][np.arange(len(axes[kept])), np.abs(axes[kept]).argmax(axis=1)])[:, None]
        return cls(mean, axes, sizes[kept] ** 2 / len(x), len(x))

    @classmethod
    def parts(cls, x: Array, count: int, seed: int = 0, name: str = "x") -> Self:
        """Take so many non-negative parts (Lee & Seung 1999), those that vary most first.

        Raises
        ------
        DataError
            Something negative, or the same for all items.

        Examples
        --------
        >>> x = np.abs(np.random.default_rng(0).normal(size=(20, 3)))
        >>> Components.parts(x, 2).scores(x).shape
        (20, 2)
        """
        if (x < 0).any():
            raise DataError(f"{name} has negative values, which have no non-negative parts; take basis='pca'")
        if not np.ptp(x, axis=0).any():
            raise DataError(f"{name} is the same for all {len(x)} items: it has no dimensions; leave it out")
        model = NMF(min(count, *x.shape), init="nndsvda", random_state=seed, max_iter=ROUNDS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # nearly converged parts are parts
            scores = model.fit_transform(x)
        order = np.argsort(-scores.var(axis=0), kind="stable")
        model.components_ = model.components_[order]
        return cls(np.zeros(x.shape[1]), model.components_, scores.var(axis=0)[order], len(x), model)

    def scores(self, x: Array) -> Array:
        """Read the components off items, ``(item, unit)`` to ``(item, component)``."""
        if self.model is not None:
            return np.asarray(self.model.transform(np.maximum(x, 0)), dtype=np.float64)
        return np.asarray((x - self.mean) @ self.axes.T)

    def rebuilt(self, scores: Array, kept: NDArray[np.intp]) -> Array:
        """Go back to units with some components alone: ``(item, component)`` to ``(item, unit)``."""
        return np.asarray(scores[:, kept] @ self.axes[kept] + self.mean)

    @property
    def eigenspaces(self) -> NDArray[np.intp]:
        """The eigenspace of each component, counted from 0, ``(component,)``.

        Two neighbours are in one if their variances differ by no more than those of equal components would in 19 of 20
        samples of n normal items, ``√(8 ln 20 / n)`` of their mean: other items would turn them into each other.
        Non-negative parts have none.

        Examples
        --------
        >>> Components(np.zeros(4), np.eye(4), np.array([9.0, 3.0, 2.8, 1.0]), 200).eigenspaces.tolist()
        [0, 1, 1, 2]
        """
        v = self.variance
        if self.model is not None:
            return np.arange(len(v))
        apart = v[:-1] - v[1:] > (v[:-1] + v[1:]) / 2 * np.sqrt(EQUAL / self.items)
        return np.concatenate([[0], np.cumsum(apart)])
