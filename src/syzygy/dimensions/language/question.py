"""What labels tell of representations: entropies given each label, and what shuffled labels would give."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from syzygy.dimensions.language.assigned import Assigned
from syzygy.dimensions.language.entropies import entropy, excess, jensen_shannon, lacking, pulls, surprise
from syzygy.dimensions.language.given import Array, Codes

#: So many numbers the tables of draws at once may have: they stay in the cache.
CELLS: Final = 2**18


@dataclass(frozen=True)
class Question:
    """Labels of items, each within a stratum: a coarser label, or all items.

    Attributes
    ----------
    codes
        Labels, ``(item,)``, from 0 without gaps.
    strata
        Of the items, ``(item,)``, the same for all items of a label.
    """

    codes: Codes
    strata: Codes

    @classmethod
    def of(cls, codes: Codes, strata: Codes | None = None) -> "Question":
        """Ask of labels, within all items if no strata are given."""
        return cls(codes, np.zeros_like(codes) if strata is None else np.unique(strata, return_inverse=True)[1])

    @property
    def sizes(self) -> Codes:
        """Items of each label."""
        return np.bincount(self.codes)

    @property
    def above(self) -> Codes:
        """Stratum of each label."""
        found = np.zeros(len(self.sizes), dtype=np.int64)
        found[self.codes] = self.strata
        return found

    def shuffled(self, draws: int, seed: int) -> Codes:
        """Shuffle labels within strata, ``(draw, item)``."""
        generator, base = np.random.default_rng(seed), np.argsort(self.strata, kind="stable")
        found = np.empty((draws, len(self.codes)), dtype=np.int64)
        for one in found:
            one[base] = self.codes[np.argsort(self.strata + generator.random(len(self.codes)))]
        return found

    @property
    def weights(self) -> Array:
        """Share of the items that each label has, ``(label,)``."""
        return self.sizes / len(self.codes)

    @property
    def nested(self) -> Array:
        """The same weight for every label of a stratum, and for every stratum, ``(label,)``."""
        above = self.above
        return np.asarray(1 / (np.bincount(above)[above] * len(np.unique(above))))

    @property
    def against(self) -> Array:
        """:attr:`nested`, of the labels that share their stratum with another: others are against none."""
        above = self.above
        beside = np.bincount(above)[above]
        strata = len(np.unique(above[beside > 1]))
        return np.where(beside > 1, 1 / (beside * max(strata, 1)), 0.0)


@dataclass(frozen=True)
class Answer:
    """Entropies, means over units, in nats; the first axis is plug-in, corrected to second order.

    Attributes
    ----------
    whole
        Of all items, ``(2,)``.
    coarse
        Given the stratum, weighted by items, ``(2,)``.
    given
        Given each label, ``(2, draw, label)``.
    divergence
        Of each label from the others of its stratum, ``(2, draw, label)``; NaN where there are none.
    """

    whole: Array
    coarse: Array
    given: Array
    divergence: Array


def answer(question: Question, assigned: Assigned, codes: Codes, *, compare: bool = True) -> Answer:
    """Answer a question for its own labels, or for shuffled ones.

    Parameters
    ----------
    question
        What is asked.
    assigned
        The items.
    codes
        ``(draw, item)``: labels of the same sizes, within the same strata.
    compare
        Whether divergences are wanted: they take longest.
    """
    above, labels, strata = question.above, len(question.sizes), int(question.strata.max()) + 1
    given, apart = np.zeros((2, 2, len(codes), labels))
    coarse, whole = np.zeros((2, strata)), np.zeros(2)
    for units in assigned.blocks(labels):
        outer = [one[0] for one in assigned.counts(question.strata[None], strata, units)]
        coarse += _both(*outer)
        whole += _both(*(one.sum(axis=0, keepdims=True) for one in outer))[:, 0]
        step = max(1, CELLS // (labels * outer[0][0].size))
        for start in range(0, len(codes), step):
            some = slice(start, start + step)
            inner = assigned.counts(codes[some], labels, units)
            given[:, some] += _both(*inner)
            if not compare:
                continue
            rest = [one[above] - own for one, own in zip(outer, inner, strict=True)]
            plain = jensen_shannon(inner[0], rest[0])
            apart[:, some] += np.stack([plain, plain - excess(*inner, *rest)]).sum(axis=-1)
    apart[:, :, (question.against == 0) | (not compare)] = np.nan
    share = np.bincount(question.strata) / len(question.strata)
    return Answer(*(one / assigned.units for one in (whole, coarse @ share, given, apart)))


def _both(counts: NDArray[Any], squares: NDArray[Any]) -> Array:
    """Give plug-in and corrected entropies, summed over units: ``(…, label, unit, point)`` to ``(2, …, label)``."""
    plain = entropy(counts)
    return np.asarray(np.stack([plain, plain + lacking(counts, squares)]).sum(axis=-1))


@dataclass(frozen=True)
class Influence:
    """By how much each item moves a number, times the number of items; ``(item,)``, with mean zero.

    Attributes
    ----------
    whole, coarse, given, uneven, divergence
        Of the entropy of all items, that given strata, that given labels (weighted by their items; and all alike, or
        nested), and the mean divergence.
    """

    whole: Array
    coarse: Array
    given: Array
    uneven: Array
    divergence: Array


def influence(question: Question, assigned: Assigned) -> Influence:
    """Give the influence of items on entropies and divergences (Hampel 1974; Jaeckel 1972)."""
    codes, strata, above = question.codes, question.strata, question.above
    whole, coarse, given, apart = (np.zeros(len(codes)) for _ in range(4))
    inside = np.zeros(len(question.sizes))
    against, own = question.against, question.weights
    rest = np.bincount(strata)[above] / len(codes) - own
    weigh = (
        np.divide(against, own)[:, None, None],
        np.divide(against, rest, out=0 * rest, where=rest > 0)[:, None, None],
    )
    for units in assigned.blocks(len(question.sizes)):
        of_strata = assigned.counts(strata[None], int(strata.max()) + 1, units)[0][0]
        table = assigned.counts(codes[None], len(own), units)[0][0]
        whole += assigned.read(surprise(of_strata.sum(axis=0))[None], 0 * codes, units)
        coarse += assigned.read(surprise(of_strata), strata, units)
        given += assigned.read(surprise(table), codes, units)
        inside += entropy(table).sum(axis=-1)
        mine, theirs = (w * one for w, one in zip(weigh, pulls(table, of_strata[above] - table), strict=True))
        everyone = np.zeros((len(of_strata), *theirs.shape[1:]))
        np.add.at(everyone, above, theirs)
        apart += assigned.read(mine - theirs + everyone[above], codes, units)
    parts = [one / assigned.units for one in (whole, coarse, given)]
    local = (question.nested / own)[codes] * (parts[2] - (inside / assigned.units)[codes])
    return Influence(*(_centred(one) for one in (*parts, local, apart / assigned.units)))


def _centred(values: NDArray[np.float64]) -> Array:
    return np.asarray(values - values.mean())
