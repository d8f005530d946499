"""Blocks of scores against chance: every route against shuffling the representations themselves."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from scipy.stats import kstest

from syzygy.alignment.calibration import (
    calibrated,
    compared,
    half_sampled,
    largest_null,
    largest_of,
    null_scores,
)
from syzygy.alignment.repeats import is_cosine, noise_ceilings
from syzygy.chance import ceilings, half_samples, orders, over_groups
from syzygy.errors import ShapeError
from syzygy.linalg import FLOAT32, centred, double_centred
from syzygy.measures import CKA, Inner, Paired
from syzygy.measures.dependence import DistanceCorrelation
from syzygy.measures.measure import unit_norm
from syzygy.measures.neighbours import MutualKNN
from syzygy.measures.representational import RepresentationalDistance


@dataclass(frozen=True)
class Spanned(Inner):
    """An inner product that is not symmetric, and whose score is its own field: how much of y the span of x misses."""

    name: ClassVar[str] = "spanned"
    about: ClassVar[str] = "share of y in the span of x"
    reference: ClassVar[str] = "this test"
    symmetric: ClassVar[bool] = False
    invariances = frozenset()
    luck = "the rank of x over the items"

    def matrix(self, x, _work):
        basis = np.linalg.qr(centred(x))[0]
        return basis @ basis.T - np.eye(len(x))

    def scored(self, inner, _left, _right=None):
        return 1 + inner

    def target(self, y, _work):
        return double_centred(y @ y.T) / np.sum(centred(y) ** 2)


@dataclass(frozen=True)
class Overlap(Inner):
    """Of projections of different ranks, over the smaller rank."""

    name: ClassVar[str] = "overlap"
    about: ClassVar[str] = "squared cosines of spans"
    reference: ClassVar[str] = "this test"
    invariances = frozenset()
    luck = "the larger rank over the items"

    def matrix(self, x, _work):
        basis = np.linalg.qr(centred(x[:, : 2 + int(np.median(x) > 0)]))[0]
        return basis @ basis.T

    def score(self, inner, left, right):
        return inner / np.minimum(left, right)


@dataclass(frozen=True)
class Angle(Inner):
    """A distance that is not linear in the inner product."""

    name: ClassVar[str] = "angle"
    about: ClassVar[str] = "angle of centred kernels"
    reference: ClassVar[str] = "this test"
    kind: ClassVar[str] = "distance"
    invariances = frozenset()
    luck = "below a right angle"

    def matrix(self, x, _work):
        return unit_norm(double_centred(x @ x.T), 1.0)

    def score(self, inner, _left, _right):
        return np.arccos(np.clip(inner, -1, 1))


@dataclass(frozen=True)
class Slope(Paired):
    """A similarity, or the distance that goes with it, without closed form."""

    name: ClassVar[str] = "slope"
    about: ClassVar[str] = "correlation of the first units"
    reference: ClassVar[str] = "this test"
    invariances = frozenset()
    luck = "0"

    def prepare(self, x, _work=None):
        return {"first": x[:, 0] - x[:, 0].mean()}

    def compare(self, a, b):
        return float(np.corrcoef(a["first"], b["first"])[0, 1])


@dataclass(frozen=True)
class Apart(Slope):
    kind: ClassVar[str] = "distance"

    def compare(self, a, b):
        return 1 - super().compare(a, b)


MEASURES = [CKA(), CKA("biased"), DistanceCorrelation(), DistanceCorrelation("biased"), RepresentationalDistance(),
            MutualKNN(4), Spanned(), Overlap(), Angle(), Slope(), Apart()]  # fmt: skip
NAMES = [measure.label for measure in MEASURES]


def data(count, items=20, units=4, shared=0.6, seed=0):
    draw = np.random.default_rng(seed)
    common = draw.normal(size=(items, units))
    return [shared * common + draw.normal(size=(items, units)) for _ in range(count)]


def prepared(measure, some):
    return [measure.prepare(x) for x in some]


@pytest.mark.parametrize("measure", MEASURES, ids=NAMES)
def test_null_scores_are_those_of_shuffled_items(measure):
    some = data(3)
    ready, draws = prepared(measure, some), orders(20, 3, np.random.default_rng(1))
    found = null_scores(measure, ready[:2], ready[2:], draws)
    for draw, order in zip(found, draws, strict=True):
        np.testing.assert_allclose(draw, measure.block(ready[:2], prepared(measure, [some[2][order]])), atol=1e-10)
    own = null_scores(measure, ready, None, draws)
    assert own.shape == (3, 3, 3)
    np.testing.assert_allclose(own[:, :2, 2:], found, atol=1e-12)
    if measure.symmetric:
        np.testing.assert_array_equal(own, own.swapaxes(1, 2))


@pytest.mark.parametrize("measure", MEASURES, ids=NAMES)
def test_chance_is_what_many_shuffles_give(measure):
    """1,500 draws: mean within five standard errors (and 1 % where the score is not linear in the inner product),
    spread within 15 %, p within five standard errors and 0.02 for the shape of the tail."""
    some, draws = data(2, shared=1.2), orders(20, 1500, np.random.default_rng(1))
    ready = prepared(measure, some)
    few = draws[:300]
    found = compared(measure, ready[:1], ready[1:], draws=few)
    null = null_scores(measure, ready[:1], ready[1:], draws)[:, 0, 0]
    score = found["score"].item()
    sign = 1 if measure.kind == "similarity" else -1
    error = null.std() / np.sqrt(len(few) if isinstance(measure, Slope) else 1500)
    assert found["chance"].item() == pytest.approx(
        null.mean(), abs=5 * error, rel=0.01 if isinstance(measure, Angle | DistanceCorrelation) else 0
    )
    assert found["spread"].item() == pytest.approx(null.std(), rel=0.15)
    p = np.mean(sign * null >= sign * score)
    assert found["p"].item() == pytest.approx(p, abs=5 * np.sqrt(p * (1 - p) / 300) + 0.02)
    assert found["p"].item() < 0.3  # they are alike
    expected = (score - found["chance"].item()) / (measure.best - found["chance"].item())
    assert found["calibrated"].item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("measure", MEASURES, ids=NAMES)
def test_a_block_is_a_part_of_the_whole(measure):
    some, draws = data(5), orders(20, 30, np.random.default_rng(1))
    ready = prepared(measure, some)
    whole = compared(measure, ready, draws=draws)
    part = compared(measure, ready[:2], ready[2:], draws=draws)
    for name, values in part.items():
        assert values.shape == (2, 3)
        np.testing.assert_allclose(values, whole[name][:2, 2:], rtol=1e-9, atol=1e-12)
    assert np.isnan(np.diag(whole["p"])).all()
    assert np.isfinite(whole["p"][~np.eye(5, dtype=bool)]).all()
    np.testing.assert_allclose(np.diag(whole["score"]), measure.best if measure.symmetric else 1.0, atol=1e-7)
    np.testing.assert_allclose(whole["score"], measure.block(ready), rtol=1e-12, atol=1e-14)
    if measure.symmetric:
        for values in whole.values():
            np.testing.assert_allclose(values, values.T, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("measure", [CKA(), RepresentationalDistance()])
def test_inner_products_at_hand_are_not_needed_but_used(measure):
    ready = prepared(measure, data(4))
    score = measure.block(ready)
    without = calibrated(measure, score, ready)
    given = calibrated(measure, score, ready, inner=measure.products(ready))
    for name in without:
        np.testing.assert_array_equal(without[name], given[name])
    wrong = calibrated(measure, score, ready, inner=measure.products(ready) - 100)
    np.testing.assert_allclose(wrong["p"][0, 1:], 1)


def test_a_near_copy_keeps_the_care_that_its_measure_takes():
    x = data(1)[0]
    ready = prepared(RepresentationalDistance(), [x, x * (1 + 1e-9)])
    assert compared(RepresentationalDistance(), ready[:1], ready[1:])["score"].item() == pytest.approx(
        RepresentationalDistance().block(ready)[0, 1], rel=1e-12
    )


def test_without_draws_chance_without_closed_form_is_unknown():
    found = compared(Slope(), prepared(Slope(), data(2)))
    assert np.isfinite(found["score"]).all()
    assert all(np.isnan(found[name]).all() for name in ("chance", "spread", "calibrated", "p"))


@pytest.mark.parametrize("measure", [CKA(), DistanceCorrelation(), Spanned()], ids=str)
def test_a_representation_without_score_has_no_chance(measure):
    x, y = data(2)
    ready = prepared(measure, [x, np.ones_like(y)] if not isinstance(measure, Spanned) else [x, y * np.nan])
    found = compared(measure, ready[:1], ready[1:])
    for name in ("score", "calibrated", "p"):
        assert np.isnan(found[name]).all(), name


@pytest.mark.parametrize("measure", [CKA(), DistanceCorrelation(), RepresentationalDistance(), Apart()], ids=str)
def test_p_is_uniform_where_nothing_is_alike(measure):
    """276 pairs of 24 independent representations, Kolmogorov–Smirnov below 1.95/√276 = 0.117."""
    ready = prepared(measure, data(24, items=25, shared=0))
    p = compared(measure, ready, draws=orders(25, 40, np.random.default_rng(2)))["p"][np.triu_indices(24, 1)]
    assert kstest(p, "uniform").statistic < 0.117


def test_single_precision_gives_the_same_chance():
    some = data(4, items=60)
    double = compared(CKA(), prepared(CKA(), some))
    single = compared(CKA(), [CKA().prepare(x, FLOAT32) for x in some], work=FLOAT32)
    for name in ("score", "chance", "spread", "p"):
        np.testing.assert_allclose(single[name], double[name], atol=2e-5, err_msg=name)


# ── Samples of items, layers, repeats ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("measure", [CKA(), MutualKNN(3), Apart()], ids=str)
def test_half_sampled_scores_are_those_of_the_sampled_items(measure):
    some, samples = data(3), half_samples(20, 4, np.random.default_rng(0))
    found = half_sampled(measure, some[:2], some[2:], samples)
    for draw, sample in zip(found, samples, strict=True):
        for i in range(2):
            assert draw[i, 0] == pytest.approx(measure(some[i][sample], some[2][sample]), rel=1e-9)
    np.testing.assert_allclose(half_sampled(measure, some, None, samples)[:, :2, 2:], found, rtol=1e-9)


def test_samples_of_too_few_items_are_refused():
    with pytest.raises(ShapeError, match="cka needs 4 items, a sample has 3; give more items, or ask for no intervals"):
        half_sampled(CKA(), data(2, items=7), None, half_samples(7, 2, np.random.default_rng(0)))


@pytest.mark.parametrize("measure", [CKA("biased"), RepresentationalDistance()], ids=str)
def test_the_best_pair_of_layers_is_that_of_a_loop(measure):
    groups, draws = [0, 0, 1, 2, 2, 2], orders(20, 25, np.random.default_rng(1))
    ready, sign = prepared(measure, data(6)), 1 if measure.kind == "similarity" else -1
    score = measure.block(ready)
    null = largest_null(measure, ready, None, (groups, groups), draws)
    every = null_scores(measure, ready, None, draws)
    found = largest_of(measure, score, null, groups)
    for i in range(3):
        for j in range(3):
            here = np.ix_(np.array(groups) == i, np.array(groups) == j)
            maxima = np.array([(sign * draw[here]).max() for draw in every])
            best = (sign * score[here]).max()
            assert found["score"][i, j] == pytest.approx(sign * best)
            assert found["chance"][i, j] == pytest.approx(sign * maxima.mean())
            if i != j:
                assert found["p"][i, j] == pytest.approx((1 + np.sum(maxima >= best)) / 26)
                above = (sign * best - sign * maxima.mean()) / (measure.best - sign * maxima.mean())
                assert found["calibrated"][i, j] == pytest.approx(above)
    assert np.isnan(np.diag(found["p"])).all()


def test_the_maximum_of_blocks_is_that_of_the_whole():
    groups, draws = [0, 0, 1, 2, 2, 2], orders(20, 5, np.random.default_rng(1))
    ready = prepared(CKA(), data(6))
    whole = largest_null(CKA(), ready, None, (groups, groups), draws)
    parts = np.fmax(
        largest_null(CKA(), ready[:2], ready, (groups[:2], groups), draws),
        largest_null(CKA(), ready[2:], ready, (groups[2:], groups), draws),
    )
    np.testing.assert_allclose(parts[:, 0, 1:], whole[:, 0, 1:], rtol=1e-12)
    np.testing.assert_allclose(parts[:, 1, 2], whole[:, 1, 2], rtol=1e-12)


def test_layers_of_independent_networks_are_no_more_alike_than_the_best_by_chance():
    """Ten networks of four related layers, 45 pairs: the least p of their layers is small, that of the maximum not."""
    draw, layers = np.random.default_rng(3), []
    for _ in range(10):
        base = draw.normal(size=(25, 6))
        layers += [base + 0.7 * draw.normal(size=(25, 6)) for _ in range(4)]
    groups = list(np.repeat(np.arange(10), 4))
    ready = prepared(CKA("biased"), layers)
    null = largest_null(CKA("biased"), ready, None, (groups, groups), orders(25, 99, draw))
    found = largest_of(CKA("biased"), CKA("biased").block(ready), null, groups)
    p = compared(CKA("biased"), ready)["p"]
    naive = -over_groups(-p, groups, groups, (10, 10))[np.triu_indices(10, 1)]
    corrected = found["p"][np.triu_indices(10, 1)]
    assert naive.mean() < 0.3
    assert corrected.mean() == pytest.approx(0.5, abs=4 / np.sqrt(12 * 45))
    assert abs(found["calibrated"][np.triu_indices(10, 1)].mean()) < 0.03


def test_ceilings_are_those_of_each_system():
    some = data(4, seed=1) + data(3, seed=2) + data(1, seed=3)
    groups = [0, 0, 0, 0, 1, 1, 1, 2]
    score = CKA().block(prepared(CKA(), some))
    found = noise_ceilings(CKA(), score, groups)
    assert (found["lower"][0], found["upper"][0]) == pytest.approx(ceilings(score[:4, :4]), rel=1e-12)
    assert found["between"][1] == pytest.approx(score[4:7, 4:7][~np.eye(3, dtype=bool)].mean())
    assert all(np.isnan(values[2]) for values in found.values())
    angles = Angle().block(prepared(Angle(), some))
    found = noise_ceilings(Angle(), angles, groups)
    assert np.isnan(found["lower"]).all()
    assert found["between"][0] > 0
    given = noise_ceilings(Angle(), angles, groups, np.cos(angles))
    assert given["upper"][0] == pytest.approx(ceilings(np.cos(angles)[:4, :4])[1], rel=1e-12)
    assert [is_cosine(measure) for measure in MEASURES] == [True] * 3 + [False] * 8
