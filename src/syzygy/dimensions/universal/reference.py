"""How well a reference system (a brain, behaviour, another network) tells the dimensions of networks.

The decoding direction: the system predicts each dimension, by the same regression and folds as other networks do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.dimensions.universal.layers import Array, checked
from syzygy.dimensions.universal.scorer import score
from syzygy.dimensions.universal.scoring import Scoring
from syzygy.errors import ShapeError, SpecificationError

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Similarity:
    """Similarity of components to a reference system.

    Attributes
    ----------
    subjects
        Names of its subjects.
    score
        Mean over subjects of the mean over folds of Pearson's r, ``(component,)``.
    scores, errors
        Of each subject, ``(subject, component)``, and its standard error over items.
    reliability
        Correlation of what two subjects predict, mean over pairs and folds, ``(component,)``; NaN for one subject.
    adjusted
        ``score/√reliability``, 0 where the score is negative and NaN where no two subjects agree.
    """

    subjects: tuple[str, ...]
    score: Array
    scores: Array
    errors: Array
    reliability: Array
    adjusted: Array


def similarity(
    subjects: Mapping[str, ArrayLike], items: NDArray[np.intp], count: int, targets: Floats, scoring: Scoring
) -> Similarity:
    """Let every subject predict targets, and compare what two of them predict.

    Parameters
    ----------
    subjects
        From subject to ``(item, measurement)``, of all items.
    items, count
        Those on which components are scored, out of so many.
    targets
        ``(item, component)``.
    scoring
        How they are predicted.

    Raises
    ------
    SpecificationError
        No subjects.
    ShapeError
        Other numbers of items.
    DataError
        What is no finite number.
    """
    if not isinstance(subjects, Mapping) or not subjects:
        raise SpecificationError("a reference system is a dictionary from subject to (item, measurement); it is empty")
    found = checked({"reference": subjects}, what="reference")["reference"]
    for name, x in found.items():
        if len(x) != count:
            raise ShapeError(f"{name} of the reference has {len(x)} items and the networks had {count}; give the same")
    guesses = [scoring.predict(x[items], targets) for x in found.values()]
    each = [score(guess, targets, scoring.folds) for guess in guesses]
    scores = np.stack([one.correlation for one in each])
    mean = scores.mean(axis=0)
    agreed = [score(one, other, scoring.folds).correlation for one, other in combinations(guesses, 2)]
    reliability = np.mean(agreed, axis=0) if agreed else np.full(mean.shape, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        adjusted = np.where(reliability > 0, np.maximum(mean, 0) / np.sqrt(reliability), np.nan)
    return Similarity(tuple(found), mean, scores, np.stack([one.error for one in each]), reliability, adjusted)
