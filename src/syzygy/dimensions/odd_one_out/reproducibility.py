"""Which dimensions come back when an embedding is learned again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.chance import drawn, orders
from syzygy.dimensions.odd_one_out.correlation import correlations, fisher_mean
from syzygy.dimensions.odd_one_out.given import Array, embedded
from syzygy.errors import ShapeError, SpecificationError


@dataclass(frozen=True)
class Reproducibility:
    """How well the dimensions of each embedding come back in the others.

    Attributes
    ----------
    names
        Of the embeddings.
    dimensions
        By embedding, ``(dimension,)``: mean over the other embeddings, in Fisher's z, of the correlation of a dimension
        with its match there.
    scores
        By embedding, ``(other embedding, dimension)``: with each, no row for itself.  NaN where a dimension, or its
        match, does not vary over the objects that score.
    mean
        By embedding: mean over its dimensions, in Fisher's z.
    best
        Name of the embedding whose dimensions come back best.
    p
        By embedding, ``(dimension,)``: probability of as much if the objects of the others are shuffled; empty if that
        was not asked for.
    """

    names: tuple[str, ...]
    dimensions: dict[str, Array]
    scores: dict[str, Array]
    mean: dict[str, float]
    best: str
    p: dict[str, Array]


def reproducibility(
    embeddings: Sequence[ArrayLike] | Mapping[str, ArrayLike], *, permutations: int = 0, seed: int = 0
) -> Reproducibility:
    """Match dimensions of embeddings on one half of the objects, and score the matches on the other.

    After Mahner et al. (2025); ``docs/dimensions/odd_one_out.md``, section 5.

    The best of many matches is good by luck; on objects that did not choose it, luck is worth nothing.  Both halves
    take both parts, and the two correlations are averaged.

    Parameters
    ----------
    embeddings
        Two or more, ``(object, dimension)`` each, of the same objects: a list, or a dictionary from a name.
    permutations
        So often the objects of the others are shuffled, for p; 0 for no p.
    seed
        Of the halves and the shuffles.

    Raises
    ------
    SpecificationError
        Fewer than two embeddings, or a negative number of permutations.
    ShapeError
        Other numbers of objects, or fewer than six.
    DataError
        What is no finite number.

    Examples
    --------
    >>> draw = np.random.default_rng(0)
    >>> x = draw.gamma(0.5, size=(80, 3))
    >>> found = reproducibility([x, x[:, ::-1] + 0.01 * draw.gamma(0.5, size=(80, 3)), draw.gamma(0.5, size=(80, 3))])
    >>> found.scores["0"].round(1).tolist()[0], found.best in ("0", "1")
    ([1.0, 1.0, 1.0], True)
    """
    given = embeddings if isinstance(embeddings, Mapping) else {str(n): one for n, one in enumerate(embeddings)}
    if len(given) < 2:
        raise SpecificationError(f"reproducibility needs two embeddings or more, of different seeds; got {len(given)}")
    if permutations < 0:
        raise SpecificationError(f"permutations must not be negative; got {permutations}")
    some = {str(name): embedded(one, least=6, what=f"embedding {name}") for name, one in given.items()}
    (first, n), *rest = ((name, len(one)) for name, one in some.items())
    if differ := [(name, count) for name, count in rest if count != n]:
        name, count = differ[0]
        raise ShapeError(f"embedding {name} has {count} objects and {first} {n}; give the same, in the same order")
    draw = np.random.default_rng(seed)
    order = draw.permutation(n)
    halves = (np.sort(order[: n // 2]), np.sort(order[n // 2 :]))
    scores = {name: np.stack([crossed(x, y, halves) for other, y in some.items() if other != name])
              for name, x in some.items()}  # fmt: skip
    dimensions = {name: fisher_mean(one) for name, one in scores.items()}
    mean = {name: float(fisher_mean(one)) for name, one in dimensions.items()}
    p: dict[str, Array] = {}
    if permutations:
        shuffled = orders(n, permutations, draw)
        for name, x in some.items():
            others = [y for other, y in some.items() if other != name]
            null = [fisher_mean(np.stack([crossed(x, y[one], halves) for y in others])) for one in shuffled]
            p[name] = drawn(dimensions[name], np.nan_to_num(np.stack(null)), by_rank=True)[1]
    best = max(mean, key=lambda name: np.nan_to_num(mean[name], nan=-np.inf))
    return Reproducibility(tuple(some), dimensions, scores, mean, best, p)


def crossed(x: Array, y: Array, halves: tuple[NDArray[np.intp], NDArray[np.intp]]) -> Array:
    """Match the dimensions of x to those of y on each half and score them on the other, ``(dimension,)``."""
    found = []
    for chosen, scored in (halves, halves[::-1]):
        match = np.argmax(np.nan_to_num(correlations(x[chosen], y[chosen]), nan=-np.inf), axis=1)
        found.append(correlations(x[scored], y[scored])[np.arange(x.shape[1]), match])
    return fisher_mean(np.stack(found))
