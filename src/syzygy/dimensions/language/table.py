"""Representations as language (Conklin & Smith 2024): how regularly they tell labels, as a table.

Derived in ``docs/dimensions/language.md``.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, get_args

import pandas as pd
from numpy.typing import ArrayLike

from syzygy.dimensions.language.binned import Binned
from syzygy.dimensions.language.given import label_sets, layers
from syzygy.dimensions.language.rows import Asked, Mean, information, of_set, residuals
from syzygy.dimensions.language.soft import Soft
from syzygy.errors import SpecificationError, UnknownName

Estimator = Binned | Soft | Literal["binned", "soft"]

#: Columns of the table, in order.
COLUMNS: Final = (
    "layer", "label", "measure", "value", "chance", "corrected", "error", "low", "high", "p", "floor", "empty", "items",
    "labels", "left_out", "single",
)  # fmt: skip


def language(
    representations: ArrayLike | Mapping[str, ArrayLike],
    labels: ArrayLike | Mapping[str, ArrayLike],
    *,
    estimator: Estimator = "binned",
    within: Mapping[str, str] | None = None,
    mean: Mean = "weighted",
    least: int = 5,
    permutations: int = 200,
    level: float = 0.95,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> pd.DataFrame:
    """Measure how much representations hold, and how regularly they tell labels.

    Parameters
    ----------
    representations
        ``(item, unit)``, or a dictionary from layer to that.  An item is one instance, such as a token of a sentence.
    labels
        ``(item,)``: integers or text; ``(item, part)`` for tuples, such as bigrams; a dictionary from name to these
        for several sets, the coarse before the fine.  None and NaN are no label: that item is left out for that set.
    estimator
        :class:`Binned` or :class:`Soft`; as text, with their defaults.
    within
        From a set to a coarser one: the labels of one are compared with others of the same coarser label, as bigrams
        of one token (``{"bigram": "token"}``), and unweighted means are taken within it first.
    mean
        Over labels of H(Z|l): ``weighted`` by how often they occur, which makes regularity a mutual information; or
        ``unweighted``, as published.
    least
        Labels with fewer instances are left out, with their items.
    permutations
        Shuffles of the labels, for p, and for chance where it has no closed form.
    level
        Of the intervals.
    seed
        Of the shuffles.
    progress
        Called with the share of the whole that was just done.

    Returns
    -------
    pandas.DataFrame
        A row for each ``layer``, ``label`` and ``measure``.

        Measures: ``information`` H(Z)/log n; ``variation`` H(Z|l)/log n; ``regularity`` [H(Z) - H(Z|l)]/log n;
        ``share`` [H(Z) - H(Z|l)]/H(Z); ``disentanglement``, the mean over labels of the Jensen–Shannon divergence
        between a label and the others, in nats, at most log 2; ``residual``, what a set tells beyond those before it,
        over H(Z); with the label "", what none of them tells.

        Columns: ``value``; ``chance``, the mean of it under shuffled labels (of residuals, within the sets before);
        ``corrected``, without bias; ``error``, and ``low`` to ``high`` about the corrected value, for other items of
        the same labels; ``p``, by shuffles; ``floor``, what H would be if items of a label were one
        point; ``empty``, the share of bins without items; ``items`` and ``labels`` that count; labels ``left_out``, and
        of them those with a ``single`` instance.

    Raises
    ------
    DataError
        What is no finite number; labels of one class, or all too rare.
    ShapeError
        Labels of another number of items, layers of different ones, or one unit for the soft estimator.
    SpecificationError
        Options out of range.

    Examples
    --------
    >>> import numpy as np
    >>> draw = np.random.default_rng(0)
    >>> word = draw.integers(0, 4, 1000)
    >>> told = language(draw.normal(size=(1000, 8)) + 3 * np.eye(4, 8)[word], word, permutations=19)
    >>> for row in told.set_index("measure").loc[["regularity", "disentanglement"]].itertuples():
    ...     print(f"{row.Index}: {row.corrected:.2f}, by chance {row.chance:.2f}, p {row.p:.2f}")
    regularity: 0.07, by chance 0.00, p 0.05
    disentanglement: 0.10, by chance 0.01, p 0.05
    """
    some = layers(representations)
    sets = label_sets(labels, len(next(iter(some.values()))))
    asked = Asked(dict(within or {}), mean, least, permutations, level, seed)
    _refused(asked, sets)
    by, rows = chosen(estimator), []
    told, share = progress or _silent, 1 / (len(some) * (len(sets) + 1))
    for layer, x in some.items():
        assigned = by.assigned(x)
        rows += [{"layer": layer} | information(assigned, asked)]
        for name in sets:
            rows += [{"layer": layer} | row for row in of_set(name, sets, assigned, asked)]
            told(share)
        rows += [{"layer": layer} | row for row in residuals(sets, assigned, asked)]
        told(share)
    return pd.DataFrame(rows).reindex(columns=list(COLUMNS))


def chosen(given: Estimator) -> Binned | Soft:
    """Give an estimator, by name with its defaults.

    Raises
    ------
    UnknownName
        No name of one.
    """
    if isinstance(given, Binned | Soft):
        return given
    known: dict[str, type[Binned] | type[Soft]] = {"binned": Binned, "soft": Soft}
    if given not in known:
        raise UnknownName("estimator", str(given), known)
    return known[given]()


def _refused(asked: Asked, sets: Mapping[str, Any]) -> None:
    if asked.mean not in get_args(Mean):
        raise UnknownName("mean", str(asked.mean), get_args(Mean))
    for pair in asked.within.items():
        for name in pair:
            if name not in sets:
                raise UnknownName("set of labels", str(name), sets)
        if pair[0] == pair[1]:
            raise SpecificationError(f"labels {pair[0]!r} cannot be within themselves; name a coarser set")
    for fine, says in (
        (asked.least >= 1, f"least must be at least 1, got {asked.least}"),
        (asked.permutations >= 0, f"permutations must not be negative, got {asked.permutations}"),
        (0 < asked.level < 1, f"level must be between 0 and 1, got {asked.level}"),
    ):
        if not fine:
            raise SpecificationError(says)


def _silent(_: float) -> None:
    """Nobody asked."""
