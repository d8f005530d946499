"""How much of a representation each of several features explains (Lampinen, Chan and Hermann 2024).

Derived in ``docs/dimensions/features.md``.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm
from sklearn.base import BaseEstimator

from syzygy.axes import NETWORK, STEP
from syzygy.dimensions.features.doubts import doubts
from syzygy.dimensions.features.labels import Array, Feature, Given, read_features, readable
from syzygy.dimensions.features.shares import ORDERED, Squares, by_order, chance, squares
from syzygy.errors import ShapeError, SpecificationError, UnknownName
from syzygy.linalg.ridge import split

#: What a representation is called that is given without a name.
UNNAMED: Final = "representation"
#: Axes before the items, by how many there are.
BEFORE: Final = {2: (), 3: (STEP,), 4: (NETWORK, STEP)}


class _Parts(NamedTuple):
    """What is found of a layer: shares alone, together, added and over orders; and the squares of each feature."""

    shares: Array
    joint: Array
    added: Array
    orders: Array
    alone: list[Squares]


class FeatureVariance(BaseEstimator):  # type: ignore[misc]
    """Share of a representation's variance that each feature explains, on items that it was not fitted to.

    For each fold of the items the representation is regressed on a feature by least squares, with a constant, on the
    other folds.  The share is 1 − Σ‖x − x̂‖² / Σ‖x − m‖², sums over the items of all folds, m the mean of the items
    that were fitted.

    Parameters
    ----------
    folds
        Of the items, shuffled by the seed; 2 fits on one half and judges by the other, both ways.
    level
        Of the intervals, over items.
    permutations
        So many times items are shuffled for p; 0 for none.  What chance gives in the mean has a closed form.
    seed
        Of folds and shuffles.

    Attributes
    ----------
    features_
        What was read of each feature, by name.
    shares_
        From layer to ``(feature, …)``: each feature alone.
    joint_
        From layer to ``(…,)``: all features together.
    added_
        From layer to ``(feature, …)``: what each adds to all others.
    shapley_
        From layer to ``(feature, …)``: what each adds to those before it, mean over all orders; NaN for more than
        :data:`~syzygy.dimensions.features.shares.ORDERED` features.
    chance_
        What shuffled items would give in the mean, by feature.
    table_
        A row for each feature of each layer (and network and step): ``share``, ``low`` and ``high``, ``chance``,
        ``unbiased`` (the share without what fitting to few items costs), ``added``, ``shapley``, ``joint``,
        ``variance`` (mean ‖x − m‖², the denominator); with steps ``of_final`` (what is explained, as a share of the
        variance at the last step); with permutations ``p``; with accuracies ``accuracy``.
    notes_
        What speaks against reading a share as it stands.

    Examples
    --------
    >>> draw = np.random.default_rng(0)
    >>> a, b = draw.integers(2, size=(2, 400))
    >>> x = np.outer(a, [3.0, 0, 0]) + np.outer(b, [0, 1.0, 0]) + 0.1 * draw.normal(size=(400, 3))
    >>> found = FeatureVariance().fit(x, {"a": a, "b": b})
    >>> found.shares_["representation"].round(1).tolist(), found.joint_["representation"].round(2).tolist()
    ([0.9, 0.1], 0.99)
    """

    def __init__(self, *, folds: int = 5, level: float = 0.95, permutations: int = 0, seed: int = 0):
        self.folds = folds
        self.level = level
        self.permutations = permutations
        self.seed = seed

    def fit(
        self,
        representation: ArrayLike | Mapping[str, ArrayLike],
        features: Given,
        *,
        accuracy: Mapping[str, ArrayLike] | None = None,
    ) -> Self:
        """Measure the shares.

        Parameters
        ----------
        representation
            ``(item, unit)``, ``(step, item, unit)`` or ``(network, step, item, unit)``; or a dictionary from layers to
            such arrays.  Items that the network did not learn from.
        features
            By name ``(item,)``, or ``(item, column)`` of numbers; a table; or ``(item, feature)``.  Floats of more than
            two values are continuous, all else has classes.
        accuracy
            How often a network tells each feature rightly, by name: a number, ``(step,)`` or ``(network, step)``, at
            the last step of which it is judged.  A share of what is not computed says nothing.

        Raises
        ------
        SpecificationError
            Options out of range, no layer, no feature.
        UnknownName
            An accuracy of no feature.
        ShapeError
            Other axes, different numbers of items, fewer items than two a fold.
        DataError
            Values that are not finite, a feature of one value, or a class of one item.
        """
        named = dict(representation) if isinstance(representation, Mapping) else {UNNAMED: representation}
        if not named:
            raise SpecificationError("there are no layers; give a dictionary from layers to (item, unit), or an array")
        layers = {str(name): readable(x, str(name), tuple(BEFORE)) for name, x in named.items()}
        items = next(iter(layers.values())).shape[-2]
        if other := next((name for name, x in layers.items() if x.shape[-2] != items), None):
            raise ShapeError(f"{other} has {layers[other].shape[-2]} items and {next(iter(layers))} {items}")
        self._check(items)
        self.features_ = read_features(features, items)
        given = {str(name): np.asarray(one, dtype=np.float64) for name, one in (accuracy or {}).items()}
        if unknown := next((name for name in given if name not in self.features_), None):
            raise UnknownName("feature", unknown, self.features_)
        parts = [self._of(x) for x in layers.values()]
        self.chance_ = {name: chance(one.design, self._folds(items)) for name, one in self.features_.items()}
        self.shares_ = {layer: part.shares for layer, part in zip(layers, parts, strict=True)}
        self.joint_ = {layer: part.joint for layer, part in zip(layers, parts, strict=True)}
        self.added_ = {layer: part.added for layer, part in zip(layers, parts, strict=True)}
        self.shapley_ = {layer: part.orders for layer, part in zip(layers, parts, strict=True)}
        rows = [self._rows(name, x, part.alone, given) for (name, x), part in zip(layers.items(), parts, strict=True)]
        self.table_ = pd.concat(rows, ignore_index=True)
        last = {name: values[..., -1] if values.ndim else values for name, values in given.items()}
        self.notes_ = (*doubts(self.features_, last), *self._still(layers))
        return self

    def _check(self, items: int) -> None:
        if self.folds < 2 or not 0 < self.level < 1 or self.permutations < 0:
            raise SpecificationError(
                f"folds are 2 or more, level lies between 0 and 1, permutations are 0 or more; got {self.folds}, "
                f"{self.level}, {self.permutations}"
            )
        if items < 2 * self.folds:
            raise ShapeError(f"{items} items are too few for {self.folds} folds of two or more")

    def _folds(self, items: int) -> Any:
        return split(items, self.folds, self.seed)

    def _of(self, x: Array) -> _Parts:
        designs = [one.design for one in self.features_.values()]
        count, folds = len(designs), self._folds(x.shape[-2])

        @cache
        def explained(some: tuple[int, ...]) -> Squares:
            return squares(x, np.concatenate([designs[one] for one in some], axis=1), folds)

        def share(some: tuple[int, ...]) -> Array:
            return explained(some).share() if some else np.zeros(x.shape[:-2])

        every = tuple(range(count))
        alone, joint = [explained((one,)) for one in every], share(every)
        shares = np.array([one.share() for one in alone])
        added = np.array([joint - share(tuple(other for other in every if other != one)) for one in every])
        orders = by_order(share, count) if count <= ORDERED else np.full_like(shares, np.nan)
        return _Parts(shares, joint, added, orders, alone)

    def _rows(self, layer: str, x: Array, alone: list[Squares], accuracy: Mapping[str, Array]) -> pd.DataFrame:
        """Put what was found of a layer into rows, features innermost."""
        axes, shape = BEFORE[x.ndim], x.shape[:-2]
        error = np.array([one.error() for one in alone])
        share, unlucky = self.shares_[layer], self._by_feature(list(self.chance_.values()), shape)
        width = norm.ppf((1 + self.level) / 2) * error
        variance = alone[0].total.mean(axis=-1)
        columns = {
            "share": share,
            "low": share - width,
            "high": share + width,
            "chance": unlucky,
            "unbiased": 1 - (1 - share) / (1 - unlucky),
            "added": self.added_[layer],
            "shapley": self.shapley_[layer],
            "joint": np.broadcast_to(self.joint_[layer], share.shape),
            "variance": np.broadcast_to(variance, share.shape),
        }
        if axes:
            last = np.where(variance[..., -1:] > 0, variance[..., -1:], np.nan)
            columns["of_final"] = np.nan_to_num(share) * variance / last
        if self.permutations:
            columns["p"] = np.array([self._luck(x, one) for one in self.features_.values()])
        for name in self.features_ if accuracy else ():
            if name in accuracy and accuracy[name].shape not in ((), shape, shape[-1:]):
                raise ShapeError(f"accuracy of {name!r} is {accuracy[name].shape}; the representation has {shape}")
        if accuracy:
            unknown = np.float64(np.nan)
            told = [np.broadcast_to(accuracy.get(name, unknown), shape) for name in self.features_]
            columns["accuracy"] = np.array(told)
        places = np.indices((*shape, len(alone)))
        where = {axis: places[index].ravel() for index, axis in enumerate(axes)}
        names = np.array(list(self.features_), dtype=object)[places[-1].ravel()]
        numbers = {name: np.moveaxis(values, 0, -1).ravel() for name, values in columns.items()}
        return pd.DataFrame({"layer": layer} | where | {"feature": names} | numbers)

    def _by_feature(self, values: list[float], shape: tuple[int, ...]) -> Array:
        return np.broadcast_to(np.reshape(values, (-1,) + (1,) * len(shape)), (len(values), *shape))

    def _luck(self, x: Array, feature: Feature) -> Array:
        """Give (1 + b)/(1 + K), b of K shufflings of the items reaching the share (Phipson and Smyth 2010)."""
        folds, draw = self._folds(x.shape[-2]), np.random.default_rng([self.seed, 1])
        own, reached = squares(x, feature.design, folds).share(), np.ones(x.shape[:-2])
        for _ in range(self.permutations):
            order = draw.permutation(len(feature.design))
            reached += squares(x, feature.design[order], folds).share() >= own
        return np.where(np.isfinite(own), reached / (1 + self.permutations), np.nan)

    def _still(self, layers: Mapping[str, NDArray[Any]]) -> Iterator[str]:
        for layer in layers:
            if (still := ~np.isfinite(self.shares_[layer][0])).any():
                yield f"{layer} is the same for all items in {still.sum()} of {still.size} representations: no share"
