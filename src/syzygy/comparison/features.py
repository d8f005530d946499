"""Shares of features in representations from anywhere: arrays, files, stores, recorded runs, extracted models."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from syzygy.dimensions.features import FeatureVariance
from syzygy.dimensions.features.doubts import DOUBT
from syzygy.errors import ShapeError, SpecificationError
from syzygy.representations import Representations, Steps
from syzygy.result import Finding

#: What is known of where a representation comes from, in the order of the columns.
WHERE: Final = ("network", "seed", "gain", "file", "layer")


def feature_variance(
    given: Any,
    features: Mapping[str, ArrayLike] | pd.DataFrame,
    *,
    layers: Sequence[str] | None = None,
    steps: Steps = "last",
    **options: Any,
) -> FeatureVariance:
    """Measure the share of each feature in every layer, network and step.

    Parameters
    ----------
    given
        As :meth:`Representations.of <syzygy.representations.Representations.of>` takes it.
    features
        By name ``(item,)``, in the order of the items of ``given``; or a table whose index names items, which are then
        matched by name.
    layers, steps
        Of what was recorded; ``steps="all"`` follows a training, on the scale of its last step (``of_final``).
    options
        Of :class:`~syzygy.dimensions.features.FeatureVariance`.

    Returns
    -------
    FeatureVariance
        Fitted.  Its ``table_`` has columns ``representation``, and what is known of ``network``, ``seed``, ``gain``,
        ``file``, ``layer`` and ``step``, before the shares; its attributes by layer are by representation.

    Raises
    ------
    SpecificationError
        Options out of range, no feature, or an ``accuracy`` of each step, which is not for several networks.
    ShapeError
        Items of other names, or other numbers of items.
    DataError, UnknownName
        As :meth:`FeatureVariance.fit` and :meth:`Representations.of`.

    Examples
    --------
    >>> import numpy as np
    >>> bit = np.arange(100) % 2
    >>> x = np.outer(bit, [1.0, 2.0]) + np.random.default_rng(0).normal(size=(100, 2))
    >>> feature_variance({"a": x, "b": 3 * x}, {"bit": bit}).table_["share"].round(2).tolist()
    [0.37, 0.37]
    """
    if "accuracy" in options:
        raise SpecificationError("accuracy is of one network; give arrays to FeatureVariance.fit, which takes it")
    some = Representations.of(given, layers=layers, steps=steps)
    courses: dict[tuple[Any, ...], list[int]] = {}
    for place, one in enumerate(some):
        known = tuple(one.where.get(name) for name in WHERE)
        alone = one.name if one.where.get("step") is None else None
        courses.setdefault((*known, alone), []).append(place)
    for places in courses.values():
        places.sort(key=lambda place: some[place].where.get("step") or 0)
    named = {some[places[-1]].name: places for places in courses.values()}
    arrays = {name: np.stack([some.values(place) for place in places]) for name, places in named.items()}
    found = FeatureVariance(**options).fit(arrays, _matched(features, some))
    found.table_ = _placed(found.table_, some, named)
    return found


def feature_doubts(found: FeatureVariance) -> tuple[Finding, ...]:
    """Give the reasons to doubt shares of features: none, or one with a line for each case."""
    return (Finding(*DOUBT, found.notes_),) if found.notes_ else ()


def _matched(features: Mapping[str, ArrayLike] | pd.DataFrame, some: Representations) -> Any:
    """Put a table that names items into their order."""
    if not isinstance(features, pd.DataFrame) or some.items is None or isinstance(features.index, pd.RangeIndex):
        return features
    if missing := [name for name in some.items if name not in features.index]:
        raise ShapeError(f"the features lack {len(missing)} of the items, as {missing[0]!r}")
    return features.loc[list(some.items)]


def _placed(table: pd.DataFrame, some: Representations, named: Mapping[str, Sequence[int]]) -> pd.DataFrame:
    """Say where rows come from, before them."""
    rows = [some[named[name][step]] for name, step in zip(table["layer"], table["step"], strict=True)]
    told = pd.DataFrame({"representation": [one.name for one in rows]})
    for name in (*WHERE, "step"):
        values = [one.where.get(name) for one in rows]
        if any(value is not None for value in values):
            told[name] = values
    followed = any(len(places) > 1 for places in named.values())
    rest = table.drop(columns=["layer", "step"] if followed else ["layer", "step", "of_final"])
    return pd.concat([told, rest], axis=1)
