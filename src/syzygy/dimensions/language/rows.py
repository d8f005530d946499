"""Rows of the table of one layer: each number with what shuffled labels give, its error, and p.

Derived in ``docs/dimensions/language.md``, sections 4 to 6.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from syzygy.dimensions.language.assigned import Assigned
from syzygy.dimensions.language.chance import expected
from syzygy.dimensions.language.given import Array, Codes, Kept, joint
from syzygy.dimensions.language.question import Answer, Influence, Question, answer, influence
from syzygy.errors import DataError

#: Over labels: as often as they occur, which makes a mutual information, or all alike, as published.
Mean = Literal["weighted", "unweighted"]
#: Numbers closer than this are the same.
SAME: Final = 1e-12

Row = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """Options of :func:`~syzygy.dimensions.language.language`."""

    within: Mapping[str, str]
    mean: Mean
    least: int
    permutations: int
    level: float
    seed: int


@dataclass(frozen=True)
class Told:
    """A question, its answer, what shuffled labels answer and what on average, and how much each item matters."""

    question: Question
    answer: Answer
    null: Answer
    given: Array
    divergence: Array
    influence: Influence

    @classmethod
    def of(cls, question: Question, assigned: Assigned, asked: Asked, *, compare: bool) -> "Told":
        """Answer a question about items, and shuffle labels within its strata; ``compare`` for divergences too."""
        own = answer(question, assigned, question.codes[None])
        null = answer(question, assigned, question.shuffled(asked.permutations, asked.seed), compare=compare)
        exact = expected(question, assigned)
        if exact is None and asked.permutations:
            exact = null.given.mean(axis=1), null.divergence.mean(axis=1)
        missing = np.full((2, len(question.sizes)), np.nan)
        given, divergence = exact or (missing, missing)
        return cls(question, own, null, given, divergence, influence(question, assigned))


@dataclass(frozen=True)
class Number:
    """A measure, of labels and by chance; the first axis is plug-in, corrected to second order.

    Attributes
    ----------
    value, chance
        ``(2,)`` each.
    null
        Of each shuffle, ``(2, draw)``.
    sound
        What shuffled labels should give, but for bias: 0, or for what is left over the whole, ``(2,)``.
    scores
        Influence of each item, ``(item,)``.
    """

    value: Array
    chance: Array
    null: Array
    sound: Array
    scores: Array

    def over(self, whole: Array, scores: Array) -> "Number":
        """Divide it by another, ``(2,)``, whose items have influence too."""
        if whole[0] <= SAME:
            return Number(
                *(np.full_like(one, np.nan) for one in (self.value, self.chance, self.null, self.sound, scores))
            )
        moved = (self.scores - self.value[0] / whole[0] * scores) / whole[0]
        return Number(self.value / whole, self.chance / whole, self.null / whole[:, None], self.sound / whole, moved)

    def row(self, label: str, measure: str, kind: int, asked: Asked, about: Row, sign: int = 1) -> Row:
        """Give it as a row.

        Parameters
        ----------
        label, measure
            Of what.
        kind
            Which of the two is its value.
        asked
            Options.
        about
            More columns.
        sign
            -1 where p is of values as low.
        """
        corrected = self.value[1] - (self.chance[1] - self.sound[1])
        count = len(self.scores)
        error = float(np.sqrt(np.sum(self.scores**2) / (count * max(count - 1, 1))))
        if self.null.shape[1] > 1:
            error = max(error, float(self.null[1].std(ddof=1)))  # where labels say nothing, all is of second order
        wide = norm.ppf((1 + asked.level) / 2) * error
        numbers = {
            "value": self.value[kind], "chance": self.chance[kind], "corrected": corrected, "error": error,
            "low": corrected - wide, "high": corrected + wide,
            "p": _rank(sign * self.value[kind], sign * self.null[kind]),
        }  # fmt: skip
        return {"label": label, "measure": measure} | numbers | about


def information(assigned: Assigned, asked: Asked) -> Row:
    """Give the row of H(Z)/log n of all items, corrected to second order."""
    question, top = Question.of(np.zeros(len(assigned.floor), dtype=np.int64)), np.log(assigned.points)
    whole = answer(question, assigned, question.codes[None]).whole / top
    number = Number(whole, whole, np.empty((2, 0)), whole, influence(question, assigned).whole / top)
    about = {
        "chance": np.nan,
        "floor": assigned.floor.mean() / top,
        "empty": assigned.empty,
        "items": len(question.codes),
    }
    return number.row("", "information", int(assigned.miller_madow), asked, about)


def of_set(name: str, sets: Mapping[str, Codes], assigned: Assigned, asked: Asked) -> Iterator[Row]:
    """Give the rows of a set of labels: variation, regularity, share, disentanglement.

    Raises
    ------
    DataError
        Fewer than two labels with enough instances.
    """
    outer = asked.within.get(name)
    kept = Kept.of(sets[name] if outer is None else joint([sets[outer], sets[name]]), asked.least)
    _enough(name, kept, asked.least)
    some, top, kind = assigned.only(kept.items), np.log(assigned.points), int(assigned.miller_madow)
    about = _about(kept) | {"empty": some.empty}
    told = inner = Told.of(Question.of(kept.codes), some, asked, compare=outer is None)
    if outer is not None:
        inner = Told.of(Question.of(kept.codes, sets[outer][kept.items]), some, asked, compare=True)
    even = asked.mean == "weighted"
    weights = told.question.weights if even else inner.question.nested
    whole, moved, left = (
        told.answer.whole,
        told.influence.whole,
        told.influence.given if even else inner.influence.uneven,
    )
    variation = _mean(told, weights, whole, left)
    regularity = _less(whole, moved, variation)
    unit = np.full(2, top), np.zeros_like(moved)
    yield variation.over(*unit).row(name, "variation", kind, asked, about | {"floor": some.floor.mean() / top}, -1)
    yield regularity.over(*unit).row(name, "regularity", kind, asked, about)
    yield regularity.over(whole, moved).row(name, "share", kind, asked, about)
    yield _apart(inner).row(name, "disentanglement", 0, asked, about)


def residuals(sets: Mapping[str, Codes], assigned: Assigned, asked: Asked) -> Iterator[Row]:
    """Give what each set tells beyond those before it, over H(Z), and what none of them tells."""
    parts: list[Codes] = []
    kind, rest, taken = int(assigned.miller_madow), None, np.zeros(2)
    for name, codes in sets.items():
        kept = Kept.of(joint([*parts, codes]), asked.least)
        if not len(kept.sizes):
            yield {"label": name, "measure": "residual"} | _about(kept)
            return
        question = Question.of(kept.codes, joint(parts)[kept.items] if parts else None)
        told = Told.of(question, assigned.only(kept.items), asked, compare=False)
        whole = told.answer.whole, told.influence.whole
        left = _mean(told, question.weights, told.answer.coarse, told.influence.given)
        number = _less(told.answer.coarse, told.influence.coarse, left).over(*whole)
        yield number.row(name, "residual", kind, asked, _about(kept))
        taken, parts = taken + number.chance, [*parts, codes]
        rest = left.over(*whole), kept
    if rest is not None:
        number, kept = rest
        number = Number(number.value, -taken, np.empty((2, 0)), np.zeros(2), number.scores)
        yield number.row("", "residual", kind, asked, _about(kept) | {"chance": np.nan})


def _mean(told: Told, weights: Array, sound: Array, scores: Array) -> Number:
    """Take the mean over labels of entropies given them."""
    own = told.answer.given[:, 0]
    return Number(own @ weights, told.given @ weights, told.null.given @ weights, sound, scores)


def _less(whole: Array, scores: Array, part: Number) -> Number:
    """Take entropies given labels from an entropy."""
    moved, null = scores - part.scores, whole[:, None] - part.null
    return Number(whole - part.value, whole - part.chance, null, np.zeros(2), moved)


def _apart(told: Told) -> Number:
    """Take the mean over labels of divergences from the others, of labels that have others."""
    weights = told.question.against
    there = weights > 0
    if not there.any():
        weights, there = weights * np.nan, ~there
    each = (told.answer.divergence[:, 0], told.divergence, told.null.divergence)
    own, chance, null = (one[..., there] @ weights[there] for one in each)
    return Number(own, chance, null, np.zeros(2), told.influence.divergence)


def _about(kept: Kept) -> Row:
    return {"items": len(kept.codes), "labels": len(kept.sizes), "left_out": kept.left_out, "single": kept.single}


def _enough(name: str, kept: Kept, least: int) -> None:
    if not len(kept.sizes):
        raise DataError(
            f"labels {name!r}: none of {kept.left_out} has {least} instances or more; give more items, coarser labels, "
            "or a smaller least"
        )
    if len(kept.sizes) == 1:
        rare = f", besides {kept.left_out} with fewer than {least} instances" if kept.left_out else ""
        raise DataError(f"labels {name!r} are one class{rare}; what they tell takes two or more")


def _rank(value: float, null: NDArray[np.float64]) -> float:
    """Give (1 + b)/(1 + K) where b of K draws reach a value (Phipson & Smyth 2010)."""
    if not len(null) or np.isnan(value):
        return float(np.nan)
    return float((1 + np.sum(null >= value - SAME)) / (1 + len(null)))
