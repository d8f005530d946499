"""Language over training, and what it costs."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from syzygy.cost import Cost
from syzygy.dimensions.language.given import label_sets, layers
from syzygy.dimensions.language.question import CELLS
from syzygy.dimensions.language.table import chosen, language
from syzygy.errors import ShapeError, SpecificationError

#: So many items and shuffles are tried for what all of them will cost.
TRIED_ITEMS: Final = 2048
TRIED: Final = 4

Given = ArrayLike | Mapping[str, ArrayLike] | Iterable[tuple[int, Any]]


def over_training(
    representations: Given,
    labels: ArrayLike | Mapping[str, ArrayLike],
    *,
    steps: Iterable[int] | None = None,
    progress: Callable[[float], None] | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Follow :func:`~syzygy.dimensions.language.language` over training.

    Labels are shuffled alike at every step, so that steps can be compared.

    Parameters
    ----------
    representations
        ``(network, step, item, unit)``, or ``(step, item, unit)``, or a dictionary from layer to these; or pairs of a
        step and what :func:`language` takes, which are read one by one.
    labels
        As :func:`language` takes them, the same at every step.
    steps
        Numbers of the steps of an array, ``(step,)``; by default from 0.
    progress
        Called with the share of the whole that was just done, where the number of steps is known.
    options
        Of :func:`language`.

    Returns
    -------
    pandas.DataFrame
        As of :func:`language`, after columns ``network`` (its place) and ``step``.

    Raises
    ------
    ShapeError
        An array with other axes, or another number of steps.
    SpecificationError
        Steps beside pairs that name them, or none at all.
    DataError, UnknownName
        As :func:`language`.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(2, 3, 40, 5))
    >>> told = over_training(x, np.arange(40) % 2, steps=[0, 10, 100], permutations=0)
    >>> told.groupby(["network", "step"]).size().tolist()
    [7, 7, 7, 7, 7, 7]
    """
    pairs, count = _pairs(representations, steps)
    frames = []
    for network, step, some in pairs:
        told = None if progress is None or count is None else _part(progress, count)
        frame = language(some, labels, progress=told, **options)
        frame.insert(0, "network", network)
        frame.insert(1, "step", step)
        frames.append(frame)
    if not frames:
        raise SpecificationError("there are no steps; give at least one")
    return pd.concat(frames, ignore_index=True)


def _part(progress: Callable[[float], None], count: int) -> Callable[[float], None]:
    return lambda share: progress(share / count)


def _pairs(given: Given, steps: Iterable[int] | None) -> tuple[Iterator[tuple[int, int, Any]], int | None]:
    """Give network, step and representations one by one, and how many there are, if that is known."""
    if not isinstance(given, Mapping) and not hasattr(given, "ndim"):
        if steps is not None:
            raise SpecificationError("pairs name their steps; give steps with an array alone")
        some: Any = given
        return ((0, int(step), one) for step, one in some), len(given) if isinstance(given, Sized) else None
    named: Mapping[str, Any] = given if isinstance(given, Mapping) else {"representation": given}
    arrays = {name: np.asarray(one) for name, one in named.items()}
    arrays = {name: one[None] if one.ndim == 3 else one for name, one in arrays.items()}
    shapes = {one.shape[:3] for one in arrays.values()}
    if len(shapes) != 1 or any(one.ndim != 4 for one in arrays.values()):
        raise ShapeError(
            "representations over training are (network, step, item, unit), the same for all layers; got "
            f"{[np.shape(one) for one in named.values()]}"
        )
    networks, count, _ = next(iter(shapes))
    numbers = list(range(count)) if steps is None else [int(step) for step in steps]
    if len(numbers) != count:
        raise ShapeError(f"there are {count} steps, and numbers for {len(numbers)}")
    every = ((network, place) for network in range(networks) for place in range(count))
    return (
        (network, numbers[place], {name: one[network, place] for name, one in arrays.items()})
        for network, place in every
    ), networks * count


def cost(
    representations: ArrayLike | Mapping[str, ArrayLike],
    labels: ArrayLike | Mapping[str, ArrayLike],
    *,
    steps: int = 1,
    permutations: int = 200,
    **options: Any,
) -> Cost:
    """Say what :func:`~syzygy.dimensions.language.language` will take, from a few shuffles of some items.

    Parameters
    ----------
    representations, labels, permutations, options
        As for :func:`language`.
    steps
        Networks × steps, for :func:`over_training`.

    Returns
    -------
    Cost
        Seconds at most, and bytes that it holds besides what is given.

    Raises
    ------
    ShapeError, DataError, SpecificationError
        As :func:`language`.

    Examples
    --------
    >>> found = cost(np.random.default_rng(0).normal(size=(100, 5)), np.arange(100) % 2, permutations=10)
    >>> found.seconds > 0 and found.bytes > 0
    True
    """
    some = layers(representations)
    items = len(next(iter(some.values())))
    sets = label_sets(labels, items)
    order = np.random.default_rng(0).permutation(items)[:TRIED_ITEMS]
    # Of missing labels nothing is told; as numbers they cost as much as others.
    fewer = {name: one[order] for name, one in sets.items()}, {name: one[order] for name, one in some.items()}
    least = options.pop("least", 5) if len(order) == items else 1
    seconds = []
    for draws in (0, TRIED):
        start = time.perf_counter()
        language(fewer[1], fewer[0], permutations=draws, least=least, **options)
        seconds.append(time.perf_counter() - start)
    once, each = seconds[0], max(seconds[1] - seconds[0], 0) / TRIED
    estimator = chosen(options.get("estimator", "binned"))
    widest = max(estimator.width(one.shape[1]) for one in some.values())
    return Cost((once + each * permutations) * steps * items / len(order), 8 * (2 * items * widest + 16 * CELLS))
