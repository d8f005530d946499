"""Representations as language, from anywhere: arrays, files, stores, recorded runs, extracted models."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pandas as pd
from numpy.typing import ArrayLike

from syzygy.dimensions.language import DOUBT, doubts
from syzygy.dimensions.language import language as measured
from syzygy.errors import DataError, ShapeError, SpecificationError
from syzygy.representations import Representation, Representations, Steps
from syzygy.result import Finding

#: What is known of where a representation comes from, in the order of the columns.
WHERE: Final = ("network", "seed", "gain", "file", "step")
#: An item's position, as it is named where positions were recorded.
POSITION: Final = re.compile(r"(.*) @ (\d+)", re.DOTALL)

#: Stands before the first token of an item.
START: Final = ""


def language(
    given: Any,
    labels: ArrayLike | Mapping[str, ArrayLike] | None = None,
    *,
    tokens: Mapping[str, Sequence[Any]] | None = None,
    layers: Sequence[str] | None = None,
    steps: Steps = "last",
    progress: Callable[[float], None] | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Measure how regularly representations tell labels: of arrays, or over the training of a recorded run.

    Parameters
    ----------
    given
        As :meth:`Representations.of <syzygy.representations.Representations.of>` takes it.
    labels
        As :func:`syzygy.dimensions.language.language` takes them, in the order of the items of ``given``.
    tokens
        From each item to its tokens, where positions of items were recorded (``cat @ 3``).  They become the sets of
        labels ``token`` and, within it, ``bigram``: a token and the one before it.
    layers, steps
        Of what was recorded; ``steps="all"`` follows a training.
    progress
        Called with the share of the whole that was just done.
    options
        Of :func:`syzygy.dimensions.language.language`.

    Returns
    -------
    pandas.DataFrame
        As that gives it, after columns ``representation`` (its name) and what is known of ``network``, ``seed``,
        ``gain``, ``file`` and ``step``.

    Raises
    ------
    SpecificationError
        Neither labels nor tokens, or one set given twice.
    DataError
        Items that name no position, have no tokens or too few.
    ShapeError, UnknownName
        As :meth:`Representations.of` and :func:`syzygy.dimensions.language.language`.

    Examples
    --------
    >>> import numpy as np
    >>> draw = np.random.default_rng(0)
    >>> kind = np.arange(200) % 2
    >>> some = {"told": draw.normal(size=(200, 4)) + 3 * kind[:, None], "not": draw.normal(size=(200, 4))}
    >>> table = language(some, kind, permutations=19)
    >>> table[table["measure"] == "regularity"].set_index("representation")["p"].round(2).to_dict()["told"]
    0.05
    """
    some = Representations.of(given, layers=layers, steps=steps)
    sets = {} if labels is None else dict(labels) if isinstance(labels, Mapping) else {"label": labels}
    if tokens is not None:
        if twice := [name for name in ("token", "bigram") if name in sets]:
            raise SpecificationError(f"labels {twice[0]!r} are given, and made of tokens too; give one of them")
        sets = token_labels(some.items or (), tokens) | sets
        options["within"] = {"bigram": "token"} | dict(options.get("within") or {})
    if not sets:
        raise SpecificationError("say what is to be told: labels, or tokens where positions of items were recorded")
    frames = []
    for place, one in enumerate(some):
        told = None if progress is None else _part(progress, len(some))
        frames.append(_placed(one, measured({_layer(one): some.values(place)}, sets, progress=told, **options)))
    found = pd.concat(frames, ignore_index=True)
    return found.drop(columns=[name for name in WHERE if found[name].isna().all()])


def language_doubts(table: pd.DataFrame) -> tuple[Finding, ...]:
    """Give the reasons to doubt a table of language: none, or one with a line for each case."""
    lines = doubts(table)
    return (Finding(*DOUBT, lines),) if lines else ()


def token_labels(items: Sequence[str], tokens: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """Give the token and the bigram at each position of items.

    Parameters
    ----------
    items
        Names of positions, as in ``cat @ 3``.
    tokens
        From an item to its tokens, from position 0.

    Returns
    -------
    dict
        ``token`` and ``bigram``, a label for each of ``items``.  The first token of an item has the bigram of nothing
        and itself.

    Raises
    ------
    ShapeError
        Items that are no positions.
    DataError
        An item without tokens, or with too few.

    Examples
    --------
    >>> token_labels(["one @ 0", "one @ 1"], {"one": ["a", "cat"]})
    {'token': ['a', 'cat'], 'bigram': [('', 'a'), ('a', 'cat')]}
    """
    found: dict[str, list[Any]] = {"token": [], "bigram": []}
    for item in items or [""]:
        match = POSITION.fullmatch(item)
        if match is None:
            raise ShapeError(f"tokens are of positions, named as in 'cat @ 3'; an item here is {item!r}: give labels")
        name, place = match[1], int(match[2])
        if name not in tokens or place >= len(tokens[name]):
            there = f"{len(tokens[name])} tokens" if name in tokens else "none"
            raise DataError(f"{item!r} needs the tokens of {name!r} up to position {place}; there are {there}")
        token = tokens[name][place]
        found["token"].append(token)
        found["bigram"].append((tokens[name][place - 1] if place else START, token))
    return found


def _layer(one: Representation) -> str:
    return str(one.where.get("layer", one.name))


def _part(progress: Callable[[float], None], count: int) -> Callable[[float], None]:
    return lambda share: progress(share / count)


def _placed(one: Representation, table: pd.DataFrame) -> pd.DataFrame:
    """Say where rows come from, before them."""
    table.insert(0, "representation", one.name)
    for place, name in enumerate(WHERE, 1):
        table.insert(place, name, one.where.get(name))
    return table
