"""Which layers and which pairs of items are asked about."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from syzygy.errors import SpecificationError, UnknownName

#: Every pair is asked about up to so many, which are those of 71 items; of more, so many are drawn.
MOST_PAIRS: Final = 2500

#: ``all``, ``classes``, a number of pairs to draw, or names; None asks about all up to :data:`MOST_PAIRS`.
Asked = Literal["all", "classes"] | int | Sequence[tuple[str, str]] | None

Places = tuple[tuple[int, int], ...]


def chosen_layers(asked: Sequence[str] | None, known: Sequence[str]) -> tuple[str, ...]:
    """Give the layers that names or patterns mean, in the order in which they were recorded.

    Raises
    ------
    UnknownName
        Nothing is called so.

    Examples
    --------
    >>> chosen_layers(["hidden.*"], ["stem", "hidden.0", "hidden.1"])
    ('hidden.0', 'hidden.1')
    """
    for pattern in asked or ():
        if not any(_means(pattern, layer) for layer in known):
            raise UnknownName("layer", pattern, known)
    return tuple(layer for layer in known if asked is None or any(_means(pattern, layer) for pattern in asked))


def chosen_pairs(
    asked: Asked, items: Sequence[str], targets: NDArray[Any], there: NDArray[np.intp], seed: int
) -> Places:
    """Give pairs of items, by their places.

    Parameters
    ----------
    asked
        ``all``; ``classes``, the pairs whose targets differ; a number of pairs to draw; names of two items each; or
        None for all pairs, of which :data:`MOST_PAIRS` are drawn if there are more.
    items
        All names, ``(item,)``.
    targets
        ``(item, output)``.
    there
        Places of the items that can be asked about.
    seed
        Of the draw.

    Returns
    -------
    tuple
        Rising places, in the order of the items; names in the order given.

    Raises
    ------
    SpecificationError
        A number below one, one item twice, or an item that cannot be asked about.
    UnknownName
        No such item, or no such word.

    Examples
    --------
    >>> given = ["a", "b", "c"], np.array([[0.0], [0.0], [1.0]]), np.arange(3), 0
    >>> chosen_pairs("classes", *given), chosen_pairs([("c", "a")], *given)
    (((0, 2), (1, 2)), ((2, 0),))
    """
    if isinstance(asked, str) and asked not in ("all", "classes"):
        raise UnknownName("choice of pairs", asked, ("all", "classes"))
    if isinstance(asked, bool) or (isinstance(asked, int) and asked < 1):
        raise SpecificationError(f"a number of pairs is 1 or more, got {asked!r}")
    if not isinstance(asked, str | int) and asked is not None:
        return tuple(_named(pair, items, there) for pair in asked)
    first, second = (there[side] for side in np.triu_indices(len(there), 1))
    if asked == "classes":
        differ = (targets[first] != targets[second]).any(axis=1)
        first, second = first[differ], second[differ]
    most = MOST_PAIRS if asked is None else len(first) if isinstance(asked, str) else asked
    if len(first) > most:
        drawn = np.sort(np.random.default_rng(seed).choice(len(first), most, replace=False))
        first, second = first[drawn], second[drawn]
    return tuple(zip(first.tolist(), second.tolist(), strict=True))


def read_pair(text: str, items: Sequence[str]) -> tuple[str, str]:
    """Read two names with a comma between them; names may hold commas.

    Raises
    ------
    SpecificationError
        It is no pair of names, or may be two.

    Examples
    --------
    >>> read_pair("cat, big,dog", ["cat, big", "dog", "cat"])
    ('cat, big', 'dog')
    """
    parts = text.split(",")
    splits = [(",".join(parts[:cut]).strip(), ",".join(parts[cut:]).strip()) for cut in range(1, len(parts))]
    found = [pair for pair in splits if pair[0] in items and pair[1] in items]
    if len(found) == 1:
        return found[0]
    if len(splits) == 1:
        raise UnknownName("item", next(name for name in splits[0] if name not in items), items)
    raise SpecificationError(f"pairs are 'all', 'classes', a number, or two names of items as in 'a,b'; got {text!r}")


def _means(pattern: str, layer: str) -> bool:
    return pattern == layer or fnmatchcase(layer, pattern)


def _named(pair: tuple[str, str], items: Sequence[str], there: NDArray[np.intp]) -> tuple[int, int]:
    if len(pair) != 2 or pair[0] == pair[1]:
        raise SpecificationError(f"a pair is two different items, got {pair!r}")
    for name in pair:
        if name not in items:
            raise UnknownName("item", name, items)
        if items.index(name) not in there:
            raise SpecificationError(f"item {name!r} cannot be asked about: its target is unknown")
    return items.index(pair[0]), items.index(pair[1])
