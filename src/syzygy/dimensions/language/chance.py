"""What shuffled labels give on average, exactly: counts in bins are then hypergeometric.

Derived in ``docs/dimensions/language.md``, section 5.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, xlogy

from syzygy.dimensions.language.assigned import Assigned
from syzygy.dimensions.language.given import Array
from syzygy.dimensions.language.question import Question

#: With more terms than this to add up, chance is the mean of what was drawn.
TERMS: Final = 10**8
#: So many standard deviations of a count are added up on either side: what is beyond is below rounding.
WIDE: Final = 12
#: So many terms are added up at once.
PIECE: Final = 2**21


def expected(question: Question, assigned: Assigned) -> tuple[Array, Array] | None:
    """Give the mean of entropies and divergences over all shuffles of labels within strata.

    Parameters
    ----------
    question
        What is asked.
    assigned
        Items in bins.

    Returns
    -------
    tuple or None
        Entropy given each label and divergence of each, plug-in and corrected, ``(2, label)`` each; None where it would
        take too long, or where items have shares in points, of which nothing is known but by drawing.
    """
    counted = _bins(question, assigned)
    if counted is None:
        return None
    above, sizes, units = question.above, question.sizes, assigned.units
    tasks = [(stratum, int(size)) for stratum in range(len(counted)) for size in np.unique(sizes[above == stratum])]
    if sum(len(counted[stratum][0]) * _reach(*counted[stratum][::2], size) for stratum, size in tasks) > TERMS:
        return None
    given, apart = np.full((2, 2, len(sizes)), np.nan)
    for stratum, size in tasks:
        both = (above == stratum) & (sizes == size)
        logs, occupied, divergence, over = hypergeometric(*counted[stratum], size) / units
        plain = np.log(size) - logs / size
        given[:, both] = np.array([plain, plain + (occupied - 1) / (2 * size)])[:, None]
        if size < counted[stratum][2]:
            apart[:, both] = np.array([divergence, divergence - over])[:, None]
    return given, apart


def hypergeometric(columns: NDArray[Any], often: NDArray[Any], total: int, size: int) -> Array:
    """Sum expectations over bins of which ``size`` of ``total`` items are drawn at random.

    Parameters
    ----------
    columns
        Items in a bin, all numbers that occur, ``(bin,)``.
    often
        How many bins have so many, ``(bin,)``.
    total
        Items.
    size
        Items drawn.

    Returns
    -------
    Array
        Sums over bins of the means of four numbers, with k items drawn: k log k; whether there is any; what the bin
        adds to the Jensen–Shannon divergence of the drawn and the others; and to its excess.

    Examples
    --------
    >>> hypergeometric(np.array([1]), np.array([4]), total=4, size=2)[:2].round(12) + 0.0  # four bins of one item
    array([0., 2.])
    """
    found, factorial, reach = np.zeros(4), gammaln(np.arange(total + 1) + 1.0), _reach(columns, total, size)
    every = factorial[total] - factorial[size] - factorial[total - size]
    step = max(1, PIECE // reach)
    for start in range(0, len(columns), step):
        c = columns[start : start + step, None]
        first = np.maximum(np.maximum(0, c + size - total), (c * size) // total - reach // 2)
        k = first + np.arange(reach)
        there = k <= np.minimum(c, size)
        k = np.where(there, k, first)
        chosen = factorial[c] - factorial[k] - factorial[c - k]
        rest = factorial[total - c] - factorial[size - k] - factorial[total - c - size + k]
        p = np.where(there, np.exp(chosen + rest - every), 0) * often[start : start + step, None]
        found += [np.sum(p * part) for part in (xlogy(k, k), k > 0, *_apart(k, c - k, size, max(total - size, 1)))]
    return found


def _apart(k: NDArray[Any], others: NDArray[Any], size: int, rest: int) -> tuple[Array, Array]:
    """Give what a bin adds to the divergence of two samples, and to its excess."""
    p, q = k / size, others / rest
    noise = p * (1 - p) / size + q * (1 - q) / rest
    over = (1 - p) * (k > 0) / size + (1 - q) * (others > 0) / rest - noise / (p + q)  # no bin is empty of both
    return (xlogy(p, p) + xlogy(q, q)) / 2 - xlogy((p + q) / 2, (p + q) / 2), over / 4


def _reach(columns: NDArray[Any], total: int, size: int) -> int:
    """Say how many values a count can take, but for what is beyond many standard deviations."""
    most = int(columns.max(initial=0))
    share = columns / total
    spread = np.sqrt(np.max(size * share * (1 - share) * (total - size) / max(total - 1, 1), initial=0))
    return int(min(most, size, 2 * WIDE * (spread + 2))) + 2


def _bins(question: Question, assigned: Assigned) -> list[tuple[NDArray[Any], NDArray[Any], int]] | None:
    """Give for each stratum which numbers of items its bins have, how many bins have each, and its items."""
    strata = int(question.strata.max()) + 1
    total, found = np.bincount(question.strata), [np.zeros(0, dtype=np.int64)] * strata
    for units in assigned.blocks(strata):
        table = assigned.counts(question.strata[None], strata, units)[0][0]
        if table.dtype.kind == "f":
            return None
        for stratum in range(strata):
            counted = np.bincount(table[stratum].ravel(), minlength=int(total[stratum]) + 1)
            before = found[stratum]
            found[stratum] = counted + before if len(before) else counted
    values = [np.flatnonzero(one[1:]) + 1 for one in found]
    return [(c, one[c], int(n)) for c, one, n in zip(values, found, total, strict=True)]
