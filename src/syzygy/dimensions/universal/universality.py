"""Universal dimensions: how well each dimension of a network is told by other networks (Chen & Bonner 2025).

Derived in ``docs/dimensions/universal.md``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from syzygy.dimensions.universal.chance import shuffled
from syzygy.dimensions.universal.components import Basis, Components
from syzygy.dimensions.universal.fitted import FittedLayers
from syzygy.dimensions.universal.layers import Array, Given, Layers, checked
from syzygy.dimensions.universal.options import PENALTIES, Predictor, refused
from syzygy.dimensions.universal.reference import Similarity, similarity
from syzygy.dimensions.universal.scorer import Criterion
from syzygy.dimensions.universal.scoring import Scoring, median, universality
from syzygy.errors import ShapeError, SpecificationError, UnknownName
from syzygy.linalg import Work
from syzygy.linalg.ridge import split
from syzygy.linalg.work import Precision

#: A correlation needs so many test items for its error to be known.
IN_A_FOLD: Final = 4


class UniversalDimensions(BaseEstimator):  # type: ignore[misc]
    """Dimensions of networks, and how universal each is.

    The universality of a component of a layer is the median over all other networks of the mean over folds of the
    correlation, on items that were not learned from, between the component and its prediction from all layers of the
    other network together.  Components are fitted on some items and scored on others.

    Parameters
    ----------
    basis
        ``pca``: all principal components up to the numerical rank; ``nmf``: ``components`` non-negative parts.
    components
        At most so many of each layer; needed for ``nmf``.
    fitted
        Share of the items on which components are fitted, where :meth:`fit` is not given others for it.
    folds
        Of the items on which they are scored, shuffled by the seed.
    penalties
        Of the ridge regression, in units of the mean eigenvalue of the training items' Gram matrix; each component
        takes the best of them in each fold.
    criterion
        What is best, leaving out one training item at a time: ``pearson``, or ``error`` (the mean square).
    predictor
        ``ridge``; or ``matching``, a control: the one unit of the other network that correlates most.
    permutations
        So many components, drawn at random, are shuffled for chance; 0 for none.
    level
        Of the intervals.
    precision
        ``float64``, or ``float32``, which is twice as fast for many components.
    seed
        Of items, folds, shuffles and non-negative parts.

    Attributes
    ----------
    networks_
        Their names.
    universality_
        From network to layer to ``(component,)``.
    table_
        A row for each component: ``network``, ``layer``, ``component`` (from 0), ``variance`` of the items on which it
        was fitted, ``eigenspace`` (from 0 in its layer), ``eigenspace_size``, ``universality``, ``low`` and ``high``
        (the interval over items), ``p`` by chance and ``q``, corrected for the number of components.
    scores_
        Mean over folds of r, ``(network, component)``: by whom it is predicted; NaN by its own network.
    layers_
        The components of every layer.
    items_
        Places of the items on which components are scored.
    notes_
        Lines for what a reader should know: layers of low rank, components that do not vary where they are scored.

    Examples
    --------
    >>> draw = np.random.default_rng(0)
    >>> shared, own, noise = draw.normal(size=(3, 200, 3))
    >>> a, c = np.hstack([3 * shared, own]), shared + noise
    >>> some = UniversalDimensions(seed=1).fit({"a": {"hidden": a}, "b": {"hidden": shared}, "c": {"hidden": c}})
    >>> (some.universality_["a"]["hidden"] > 0.7).tolist()
    [True, True, True, False, False, False]
    """

    def __init__(
        self,
        *,
        basis: Basis = "pca",
        components: int | None = None,
        fitted: float = 0.5,
        folds: int = 5,
        penalties: tuple[float, ...] = PENALTIES,
        criterion: Criterion = "pearson",
        predictor: Predictor = "ridge",
        permutations: int = 1000,
        level: float = 0.95,
        precision: Precision = "float64",
        seed: int = 0,
    ):
        self.basis = basis
        self.components = components
        self.fitted = fitted
        self.folds = folds
        self.penalties = penalties
        self.criterion = criterion
        self.predictor = predictor
        self.permutations = permutations
        self.level = level
        self.precision = precision
        self.seed = seed

    def fit(self, representations: Given, fitted_on: Given | None = None) -> Self:
        """Find the components of every layer and score them.

        Parameters
        ----------
        representations
            From network to layer to ``(item, unit)``, at least two networks; or
            :class:`~syzygy.representations.Representations`.
        fitted_on
            The same layers for other items: components are fitted on them, and scored on all of ``representations``.

        Raises
        ------
        SpecificationError
            Options out of range, one network alone, or no layers.
        ShapeError
            Different items, too few of them for the folds, or layers of other widths in ``fitted_on``.
        UnknownName
            A network or layer that ``fitted_on`` lacks.
        DataError
            What is no finite number, a layer that is the same for all items, or negative values for ``nmf``.
        """
        refused(self.get_params())
        given = checked(representations, least=2)
        self.networks_ = tuple(given)
        self.count_ = len(next(iter(given[self.networks_[0]].values())))
        order = np.random.default_rng([self.seed, 0]).permutation(self.count_)
        used = round(self.fitted * self.count_) if fitted_on is None else 0
        self.items_ = np.sort(order[used:])
        if len(self.items_) < IN_A_FOLD * self.folds or (fitted_on is None and used < 2):
            raise ShapeError(
                f"{len(self.items_)} of {self.count_} items to score on are too few for {self.folds} folds of "
                f"{IN_A_FOLD} or more; give more items, or fewer folds"
            )
        others = (
            _some(given, np.sort(order[:used])) if fitted_on is None else checked(fitted_on, what="items to fit on")
        )
        folds = split(len(self.items_), self.folds, self.seed)
        self.scoring_ = Scoring(folds, self.predictor, self.penalties, self.criterion, Work(self.precision))
        self.layers_ = FittedLayers.of(others, self.basis, self.components, self.seed)
        self.layers_.fits(given, whole=True)
        self._score(_some(given, self.items_))
        return self

    def transform(self, representations: Given, top: int | None = 10) -> Layers:
        """Read the most universal components off items, the most universal first.

        Give items that universality was not measured on, if what follows is to be judged on them.

        Parameters
        ----------
        representations
            Networks and layers that were fitted, or some of them: ``(item, unit)``.
        top
            So many of each layer; None for all.

        Returns
        -------
        dict
            From network to layer to ``(item, component)``.

        Raises
        ------
        SpecificationError
            Before :meth:`fit`, or none asked for.
        UnknownName
            A network or layer that was not fitted.
        ShapeError, DataError
            As :meth:`fit`.
        """
        return self._each(representations, top, lambda one, x, kept: one.scores(x)[:, kept])

    def rebuilt(self, representations: Given, top: int | None = 10) -> Layers:
        """Give representations with all but the most universal components taken out: as :meth:`transform`, in units."""
        return self._each(representations, top, lambda one, x, kept: one.rebuilt(one.scores(x), kept))

    def predicted_by(self, others: Given) -> tuple[tuple[str, ...], Array]:
        """Score the components by other networks, untrained ones or the same at another step, on the same items.

        Parameters
        ----------
        others
            From network to layer to ``(item, unit)``, items as given to :meth:`fit`.

        Returns
        -------
        tuple, Array
            Names, and ``(network, component)``: mean over folds of r.  NaN where the other network is called as that
            of the component: they are kin.

        Raises
        ------
        SpecificationError, ShapeError, DataError
            As :meth:`fit`.
        """
        self._done()
        given = checked(others, what="other networks")
        count = len(next(iter(next(iter(given.values())).values())))
        if count != self.count_:
            raise ShapeError(f"the other networks have {count} items, and those fitted {self.count_}; give the same")
        return tuple(given), self.scoring_.across(_some(given, self.items_), self.targets_, self._owner())[0]

    def similarity(self, subjects: Mapping[str, ArrayLike]) -> Similarity:
        """Score the components by a reference system, which predicts them: brain, behaviour, another network.

        Parameters
        ----------
        subjects
            From subject to ``(item, measurement)``, items as given to :meth:`fit`.

        Returns
        -------
        Similarity
            Arrays ``(component,)``, in the order of :attr:`table_`.

        Raises
        ------
        SpecificationError, ShapeError, DataError
            No subjects, other numbers of items, or what is no finite number.
        """
        self._done()
        return similarity(subjects, self.items_, self.count_, self.targets_, self.scoring_)

    def median(self, by: Sequence[str]) -> Array:
        """Give universality by some of the networks alone, ``(component,)``; NaN where none but its own is left.

        Raises
        ------
        UnknownName
            A network that was not fitted.
        """
        self._done()
        if unknown := [name for name in by if name not in self.networks_]:
            raise UnknownName("network", unknown[0], self.networks_)
        return median(self.scores_, self.networks_, self._owner(), by)

    def _score(self, scored: Layers) -> None:
        """Let every network predict the components of all others, and shuffled ones."""
        self.targets_ = self.layers_.scores(scored)
        self.notes_ = self.layers_.notes(scored, self.targets_)
        table = self.layers_.table()
        null = shuffled(self.targets_, self.permutations, np.random.default_rng([self.seed, 1]))
        owner = table["network"].to_numpy(dtype=object)
        everyone = np.concatenate([owner, np.full(null.shape[1], None)])
        scores, errors = self.scoring_.across(scored, np.concatenate([self.targets_, null], axis=1), everyone)
        found = universality(scores, errors, self.networks_, owner, self.level)
        self.scores_, self.table_ = scores[:, : len(table)], table.join(found)
        self.universality_ = self.layers_.nested(self.table_["universality"].to_numpy())

    def _each(
        self, given: Given, top: int | None, read: Callable[[Components, Array, NDArray[np.intp]], Array]
    ) -> Layers:
        """Read something off every layer, of its most universal components."""
        self._done()
        if top is not None and top < 1:
            raise SpecificationError(f"top must be at least 1, or None for all; got {top}")
        some = checked(given)
        self.layers_.fits(some)
        return {
            network: {
                layer: read(self.layers_.components[network][layer], x, self._first(network, layer)[:top])
                for layer, x in layers.items()
            }
            for network, layers in some.items()
        }

    def _first(self, network: str, layer: str) -> NDArray[np.intp]:
        """Give the components of a layer, the most universal first, those without a value last."""
        return np.argsort(-np.nan_to_num(self.universality_[network][layer], nan=-np.inf), kind="stable")

    def _owner(self) -> NDArray[np.object_]:
        return np.asarray(self.table_["network"].to_numpy(dtype=object))

    def _done(self) -> None:
        if not hasattr(self, "table_"):
            raise SpecificationError("nothing has been fitted; call fit(representations) first")


def _some(given: Layers, items: NDArray[np.intp]) -> Layers:
    return {network: {layer: x[items] for layer, x in layers.items()} for network, layers in given.items()}
