"""Blocks of scores against chance: what luck would give each pair, and how far above it a score is.

Every function takes what was prepared of the representations of a block (:meth:`Measure.prepare`), knows nothing of
other blocks, and keeps nothing: whoever compares all pairs calls it block by block.  Where chance must be drawn, all
blocks are given the same ``draws``, so that a draw shuffles the items of all representations alike.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from syzygy.chance import Moments, drawn, largest, over_groups, quantiles, upper_tail
from syzygy.errors import ShapeError
from syzygy.linalg import FLOAT64, Work
from syzygy.measures.measure import Array, Inner, Measure, Prepared

#: Orders of the items, ``(draw, item)``.
Orders = NDArray[np.intp]


def compared(
    measure: Measure,
    left: Sequence[Prepared],
    right: Sequence[Prepared] | None = None,
    *,
    draws: Orders | None = None,
    work: Work = FLOAT64,
) -> dict[str, Array]:
    """Compare a block, and say what chance would give.

    Parameters
    ----------
    measure
        By what.
    left, right
        What was prepared; without ``right``, ``left`` is compared with itself.
    draws
        Orders of the items, ``(draw, item)``, as :func:`syzygy.chance.orders` gives them; used where chance has no
        closed form.  Without them such chance is NaN.
    work
        Precision and device.

    Returns
    -------
    dict
        Arrays ``(left, right)``: ``score``, and the four of :func:`calibrated`.

    Examples
    --------
    >>> from syzygy.measures import CKA
    >>> x, y = np.random.default_rng(0).normal(size=(2, 50, 8))
    >>> found = compared(CKA("biased"), [CKA("biased").prepare(x)], [CKA("biased").prepare(y)])
    >>> {name: round(float(values[0, 0]), 2) for name, values in found.items()}
    {'score': 0.13, 'chance': 0.14, 'spread': 0.02, 'calibrated': -0.0, 'p': 0.5}
    """
    if not isinstance(measure, Inner) or type(measure).block is not Inner.block:
        score = measure.block(left, right, work)
        return {"score": score} | calibrated(measure, score, left, right, draws=draws, work=work)
    inner = measure.products(left, right, work)
    score = measure.scored(inner, left, right)
    return {"score": score} | calibrated(measure, score, left, right, inner=inner, draws=draws, work=work)


def calibrated(
    measure: Measure,
    score: Array,
    left: Sequence[Prepared],
    right: Sequence[Prepared] | None = None,
    *,
    inner: Array | None = None,
    draws: Orders | None = None,
    work: Work = FLOAT64,
) -> dict[str, Array]:
    """Say what chance would give a block of scores.

    Parameters
    ----------
    measure, left, right, draws, work
        As :func:`compared`.
    score
        ``(left, right)``.
    inner
        The inner products that the scores were made of, ``(left, right)``, if the measure is :class:`Inner` and they
        are at hand; else they are computed again.

    Returns
    -------
    dict
        Arrays ``(left, right)``: ``chance`` and ``spread``, mean and standard deviation of the score over permutations
        of the items of one of the two; ``calibrated``, ``(score − chance)/(best − chance)``; and ``p``, the
        probability of being this much alike by chance, NaN for a representation with itself.
    """
    chance = measure.chance(left, left if right is None else right)
    if chance is None:
        chance, p = _drawn(measure, score, left, right, draws, work)
    elif isinstance(measure, Inner):
        p = upper_tail(measure.products(left, right, work) if inner is None else inner, chance)
        chance = _of_score(measure, chance, left, right)
    else:
        p = upper_tail(*_rising(measure, score, chance))
    if right is None:
        p = np.where(np.eye(len(left), dtype=bool), np.nan, p)
    with np.errstate(invalid="ignore", divide="ignore"):
        above = (score - chance.mean) / (measure.best - chance.mean)
    return {"chance": chance.mean, "spread": chance.spread, "calibrated": above, "p": p}


def null_scores(
    measure: Measure,
    left: Sequence[Prepared],
    right: Sequence[Prepared] | None,
    draws: Orders,
    work: Work = FLOAT64,
) -> Array:
    """Score a block with the items of ``right`` shuffled, ``(draw, left, right)``.

    Where ``right`` is ``left`` and the measure symmetric, what is above the diagonal is repeated below it.
    """
    others = left if right is None else right
    found = np.stack([measure.block(left, [measure.permuted(one, order) for one in others], work) for order in draws])
    if right is None and measure.symmetric:
        below = np.tril_indices(len(left), -1)
        found[:, below[0], below[1]] = found[:, below[1], below[0]]
    return found


def half_sampled(
    measure: Measure,
    left: Sequence[Array],
    right: Sequence[Array] | None,
    samples: NDArray[np.intp],
    work: Work = FLOAT64,
) -> Array:
    """Score a block on samples of the items, ``(draw, left, right)``: what :func:`syzygy.chance.intervals` takes.

    Parameters
    ----------
    left, right
        Representations ``(item, unit)`` themselves, for a sample is prepared anew; each is read once in every draw.
    samples
        ``(draw, item)``, as :func:`syzygy.chance.half_samples` gives them.

    Raises
    ------
    ShapeError
        Samples of fewer items than the measure needs.
    """
    if samples.shape[1] < measure.least_items:
        raise ShapeError(f"{measure.label} needs {measure.least_items} items, a sample has {samples.shape[1]}; "
                         "give more items, or ask for no intervals")  # fmt: skip
    alone = Work(work.dtype, work.device, chance=False)

    def prepared(some: Sequence[Array], sample: NDArray[np.intp]) -> list[Prepared]:
        return [measure.prepare(some[index][sample], alone) for index in range(len(some))]

    return np.stack(
        [
            measure.block(prepared(left, sample), None if right is None else prepared(right, sample), alone)
            for sample in samples
        ]
    )


def largest_null(
    measure: Measure,
    left: Sequence[Prepared],
    right: Sequence[Prepared] | None,
    groups: tuple[Sequence[int], Sequence[int]],
    draws: Orders,
    work: Work = FLOAT64,
) -> Array:
    """Give the maximum over layers of a block with shuffled items, ``(draw, group, other group)``.

    For distances it is minus the minimum.  Blocks are put together by ``numpy.fmax``, and calibrated by
    :func:`largest_of`.

    Parameters
    ----------
    groups
        The group (network) of every representation (layer) of ``left`` and of ``right``, counted from 0.
    """
    count = 1 + max(*groups[0], *groups[1])
    found = [over_groups(_sign(measure) * null_scores(measure, left, right, order[None], work)[0], *groups,
                         (count, count)) for order in draws]  # fmt: skip
    return np.stack(found)


def largest_of(measure: Measure, score: Array, null: Array, groups: Sequence[int]) -> dict[str, Array]:
    """Calibrate the best pair of layers of every two groups.

    Parameters
    ----------
    score
        All scores, ``(representation, other representation)``.
    null
        ``(draw, group, other group)``, of :func:`largest_null`.
    groups
        The group of every representation, counted from 0.

    Returns
    -------
    dict
        Arrays ``(group, other group)``: ``score``, ``chance``, ``spread``, ``calibrated``, ``p`` as in
        :func:`calibrated`; a group with itself is no test.
    """
    sign, count = _sign(measure), null.shape[-1]
    found = largest(over_groups(sign * score, groups, groups, (count, count)), null, sign * measure.best)
    own = np.eye(count, dtype=bool)
    return {
        "score": sign * found["score"],
        "chance": sign * found["chance"],
        "spread": found["spread"],
        "calibrated": found["calibrated"],
        "p": np.where(own, np.nan, found["p"]),
    }


def _drawn(
    measure: Measure,
    score: Array,
    left: Sequence[Prepared],
    right: Sequence[Prepared] | None,
    draws: Orders | None,
    work: Work,
) -> tuple[Moments, Array]:
    if draws is None:
        nothing = np.full_like(score, np.nan)
        return Moments(nothing, nothing, nothing), nothing
    sign = _sign(measure)
    chance, p = drawn(sign * score, sign * null_scores(measure, left, right, draws, work))
    return Moments(sign * chance.mean, chance.spread, sign * chance.skewness), p


def _of_score(measure: Inner, chance: Moments, left: Sequence[Prepared], right: Sequence[Prepared] | None) -> Moments:
    """Give the moments of the score from those of the inner product."""
    ends = np.stack([chance.mean - chance.spread, chance.mean + chance.spread])
    if np.array_equal(measure.scored(ends, left, right), ends, equal_nan=True):
        return chance
    scores = measure.scored(quantiles(chance), left, right)
    return Moments(scores.mean(axis=0), scores.std(axis=0), chance.skewness)


def _rising(measure: Measure, score: Array, chance: Moments) -> tuple[Array, Moments]:
    sign = _sign(measure)
    return sign * score, Moments(sign * chance.mean, chance.spread, sign * chance.skewness)


def _sign(measure: Measure) -> int:
    return 1 if measure.kind == "similarity" else -1
