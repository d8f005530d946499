"""What a linear reader prefers where two features say different things."""

from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, RidgeClassifier

from syzygy.dimensions.features.labels import present, readable
from syzygy.errors import DataError, ShapeError, SpecificationError

Kind = Literal["logistic", "ridge"]

#: Readers by name.
READERS: Final = {"logistic": LogisticRegression(max_iter=2000), "ridge": RidgeClassifier()}


class Preference(NamedTuple):
    """Which of two features a reader follows.

    Attributes
    ----------
    share
        Of the items on which they differ, those whose first feature it follows; 0.5 is no preference.
    low, high
        Wilson's interval of it, over items.
    agreed
        How often it is right where they agree, on which it was fitted.
    items, learned
        How many items they differ on, and agree on.
    """

    share: float
    low: float
    high: float
    agreed: float
    items: int
    learned: int


def preference(
    representation: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    reader: Kind | Any = "logistic",
    level: float = 0.95,
) -> Preference:
    """Fit a linear reader where two binary features agree, and ask it where they differ.

    The representation is centred on the items that are learned, and divided by one number, the root of its variance:
    scaling each unit by itself would take away what is asked.

    Parameters
    ----------
    representation
        ``(item, unit)``.
    first, second
        Binary features, ``(item,)``; present at the larger value.
    reader
        ``logistic`` or ``ridge``, with scikit-learn's penalties of 1; or a classifier of scikit-learn.
    level
        Of the interval.

    Raises
    ------
    SpecificationError
        Another reader, or a level out of range.
    ShapeError
        Different numbers of items.
    DataError
        Features that are not binary, that never differ, or that agree on one value alone; values that are not finite.

    Examples
    --------
    >>> draw = np.random.default_rng(0)
    >>> a, b = draw.choice([-1, 1], size=(2, 400))
    >>> preference(np.column_stack([3 * a, b]), a, b).share
    1.0
    """
    x, one, other = readable(representation), present("first", first), present("second", second)
    if not len(x) == len(one) == len(other):
        raise ShapeError(f"the features have {len(one)} and {len(other)} items and the representation {len(x)}")
    if not 0 < level < 1:
        raise SpecificationError(f"level lies between 0 and 1; got {level}")
    agree = one == other
    if agree.all() or len(np.unique(one[agree])) < 2:
        raise DataError(
            f"a reader learns where the features agree, on both values, and is asked where they differ; they agree on "
            f"{int(agree.sum())} of {len(x)} items, of which both are present in {int(one[agree].sum())}"
        )
    centred = x - x[agree].mean(axis=0)
    spread = np.sqrt(np.square(centred[agree]).sum(axis=1).mean())
    if not spread > 0:
        raise DataError("the representation is the same for all items on which the features agree")
    fitted = clone(_reader(reader)).fit(centred[agree] / spread, one[agree])
    follows = fitted.predict(centred[~agree] / spread) == one[~agree]
    low, high = binomtest(int(follows.sum()), len(follows)).proportion_ci(level, method="wilson")
    agreed = float((fitted.predict(centred[agree] / spread) == one[agree]).mean())
    return Preference(float(follows.mean()), low, high, agreed, len(follows), int(agree.sum()))


def _reader(asked: Any) -> Any:
    if isinstance(asked, str):
        if asked not in READERS:
            raise SpecificationError(f"reader is logistic, ridge, or a classifier of scikit-learn; got {asked!r}")
        return READERS[asked]
    if not (hasattr(asked, "fit") and hasattr(asked, "predict")):
        raise SpecificationError(
            f"reader is logistic, ridge, or a classifier of scikit-learn; got {type(asked).__name__}"
        )
    return asked
