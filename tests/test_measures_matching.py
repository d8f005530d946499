"""Matched units: against all permutations, a linear program, and clouds whose distance is known."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from syzygy.errors import DataError, SpecificationError, UnknownName
from syzygy.linalg import FLOAT32
from syzygy.measures import transport as transport_module
from syzygy.measures.matching import PermutationMatching, SoftMatching, permutation_matching, soft_matching
from syzygy.measures.transport import by_program, transport

EVERY = (PermutationMatching(), PermutationMatching("distance"), PermutationMatching(assignment="best"),
         SoftMatching(), SoftMatching("distance"))  # fmt: skip


def drawn(seed, items=30, widths=(4, 4, 6)):
    draw = np.random.default_rng(seed)
    shared = draw.normal(size=(items, 3))
    return [shared @ draw.normal(size=(3, p)) + draw.normal(size=(items, p)) for p in widths]


def correlation(x, y):
    return np.corrcoef(x.T, y.T)[: x.shape[1], x.shape[1] :]


def replicated(cost):
    """Cheapest plan by matching copies: so many of each unit that widths agree."""
    p, q = cost.shape
    copies = np.lcm(p, q)
    large = cost.repeat(copies // p, axis=0).repeat(copies // q, axis=1)
    return large[linear_sum_assignment(large)].mean()


def clouds(x, y):
    """Squared distances of units, of clouds of mean square one."""
    x, y = (one - one.mean(axis=0) for one in (x, y))
    x, y = (one / np.sqrt((one**2).sum() / one.shape[1]) for one in (x, y))
    return ((x[:, :, None] - y[:, None, :]) ** 2).sum(axis=0)


def test_matching_one_to_one_is_the_best_of_all_permutations():
    x, y, z = drawn(0)
    for a, b in ((x, y), (x, z)):
        matches = [(np.arange(4), np.array(order)) for order in permutations(range(b.shape[1]), 4)]
        best = max(correlation(a, b)[match].mean() for match in matches)
        near = min(clouds(a, b)[match].mean() for match in matches)
        for first, second in ((a, b), (b, a)):
            assert permutation_matching(first, second) == pytest.approx(best, abs=1e-12)
            assert permutation_matching(first, second, form="distance") ** 2 == pytest.approx(near, abs=1e-12)


def test_the_best_match_of_each_unit_and_the_gap_to_one_to_one():
    x, y, _ = drawn(1)
    best = permutation_matching(x, y, assignment="best")
    assert best == pytest.approx(correlation(x, y).max(axis=1).mean(), abs=1e-12)
    assert best > permutation_matching(x, y)
    # Two of three units are the same, and the other has it once: all find it, only one can have it.
    u, _ = np.linalg.qr(np.c_[np.ones(30), np.random.default_rng(1).normal(size=(30, 4))])
    twice, once = u[:, [1, 1, 2]], u[:, [1, 2, 3]]
    assert permutation_matching(twice, once, assignment="best") == pytest.approx(1, abs=1e-12)
    assert permutation_matching(twice, once) == pytest.approx(2 / 3, abs=1e-12)
    assert permutation_matching(once, twice, assignment="best") == pytest.approx(2 / 3, abs=1e-12)


@pytest.mark.parametrize("form", ["correlation", "distance"])
def test_soft_matching_is_one_to_one_at_equal_widths(form):
    x, y = drawn(2, widths=(12, 12))
    assert soft_matching(x, y, form=form) == pytest.approx(permutation_matching(x, y, form=form), abs=1e-12)
    # The linear program knows nothing of permutations.
    cost = -correlation(x, y)
    assert np.sum(by_program(cost) * cost) == pytest.approx(np.sum(transport(cost) * cost), abs=1e-12)


@pytest.mark.parametrize("pot", [False, True])
@pytest.mark.parametrize("widths", [(4, 6), (9, 7), (1, 5), (12, 5)])
def test_soft_matching_is_the_matching_of_copies(widths, pot, monkeypatch):
    if pot:
        pytest.importorskip("ot")
    else:
        monkeypatch.setattr(transport_module, "find_spec", lambda _: None)
    x, y = drawn(3, widths=widths)
    for first, second in ((x, y), (y, x)):
        assert soft_matching(first, second) == pytest.approx(-replicated(-correlation(first, second)), abs=1e-12)
        near = replicated(clouds(first, second))
        assert soft_matching(first, second, form="distance") ** 2 == pytest.approx(near, abs=1e-12)
    plan = transport(-correlation(x, y))
    np.testing.assert_allclose(plan.sum(axis=1), 1 / widths[0], atol=1e-12)
    np.testing.assert_allclose(plan.sum(axis=0), 1 / widths[1], atol=1e-12)
    assert np.sum(plan > 0) <= sum(widths) - 1


def test_units_that_are_there_twice_change_nothing():
    x, _, y = drawn(4)
    twice = np.hstack([x, x])[:, np.random.default_rng(0).permutation(8)]
    assert soft_matching(x, twice, form="distance") == pytest.approx(0, abs=1e-12)
    assert soft_matching(x, twice) == pytest.approx(1, abs=1e-12)
    for form in ("correlation", "distance"):
        assert soft_matching(twice, y, form=form) == pytest.approx(soft_matching(x, y, form=form), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.floats(1e-6, 1), st.tuples(*3 * [st.integers(1, 6)]))
def test_the_triangle_inequality_of_soft_matching(seed, noise, widths):
    draw = np.random.default_rng(seed)
    source = draw.normal(size=(8, 6))
    soft = SoftMatching("distance")
    d = soft.block([soft.prepare(source[:, :p] + noise * draw.normal(size=(8, p))) for p in widths])
    assert soft.metric
    for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        assert d[a, b] <= d[a, c] + d[c, b] + 1e-9


def test_one_to_one_is_no_metric_where_widths_differ():
    """What is left of the wider does not count: a part is no distance from the whole, wherever another part lies."""
    x = drawn(5, widths=(6,))[0]
    x /= np.linalg.norm(x - x.mean(axis=0), axis=0)
    parts = [x[:, :3], x[:, 3:], x]
    d = np.array([[permutation_matching(a, b, form="distance") for b in parts] for a in parts])
    assert d[0, 1] > d[0, 2] + d[2, 1] + 0.1
    assert not PermutationMatching("distance").metric


def test_small_distances_keep_their_digits():
    """A shift of one unit by 1e-9 along something new is 1e-9 of the root mean square."""
    u, _ = np.linalg.qr(np.c_[np.ones(30), np.random.default_rng(6).normal(size=(30, 3))])
    x, y = u[:, 1:3], u[:, 1:3] + 1e-9 * np.c_[u[:, 3], np.zeros(30)]
    for call in (permutation_matching, soft_matching):
        assert call(x, y[:, ::-1], form="distance") == pytest.approx(1e-9 / np.sqrt(2), rel=1e-6)
        assert call(x, x[:, ::-1] * 7 + 3, form="distance") == pytest.approx(0, abs=1e-15)


def test_constant_units_have_correlation_zero():
    x, _, _ = drawn(7)
    silent = np.hstack([x, np.full((30, 1), 0.1)])
    for call in (permutation_matching, soft_matching):
        assert call(silent, silent) == pytest.approx(4 / 5, abs=1e-12)
        assert call(silent, silent, form="distance") == pytest.approx(0, abs=1e-12)
        assert call(silent, x) <= 1
    for measure in EVERY:
        with pytest.raises(DataError, match="all 30 items of y are the same"):
            measure(x, np.full((30, 2), 0.1))


@pytest.mark.parametrize("measure", EVERY, ids=lambda m: m.label)
def test_all_pairs_are_the_double_loop_and_permuted_is_what_would_have_been_prepared(measure):
    some = drawn(8, widths=(4, 4, 6, 40))
    loop = np.array([[measure(x, y) for y in some] for x in some])
    np.testing.assert_allclose(np.diag(loop), measure.best, atol=1e-12)
    prepared = [measure.prepare(x, FLOAT32) for x in some]
    np.testing.assert_allclose(measure.block(prepared, None, FLOAT32), loop, atol=1e-6)
    prepared = [measure.prepare(x) for x in some]
    np.testing.assert_allclose(measure.block(prepared), loop, atol=1e-10)
    assert measure.symmetric == np.allclose(loop, loop.T)
    order = np.random.default_rng(0).permutation(30)
    shuffled = [measure.permuted(one, order) for one in prepared]
    truth = [[measure(x, y[order]) for y in some] for x in some]
    np.testing.assert_allclose(measure.block(prepared, shuffled), truth, atol=1e-10)


def test_what_it_does_not_see_and_what_it_does():
    draw = np.random.default_rng(9)
    x, y, _ = drawn(9)
    order, factors, turn = draw.permutation(4), draw.uniform(0.5, 2, 4), np.linalg.qr(draw.normal(size=(4, 4)))[0]
    for measure in EVERY:
        value = measure(x, y)
        assert measure(x[:, order] * 3 + 1, y) == pytest.approx(value, abs=1e-12)
        assert (measure(x * factors, y) == pytest.approx(value, abs=1e-12)) == ("unit_scale" in measure.invariances)
        assert measure(x @ turn, y) != pytest.approx(value, abs=1e-3)


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e300])
def test_very_small_and_very_large_numbers(scale):
    x, y, _ = drawn(11)
    for measure in EVERY:
        assert measure(scale * x, y) == pytest.approx(measure(x, y), abs=1e-12)


def test_values_stay_in_their_range():
    x, y = np.random.default_rng(10).normal(size=(2, 5, 1))
    for measure in EVERY:
        for a, b in combinations([x, y, -x, -y], 2):
            low, high = measure.range
            assert low - 1e-12 <= measure(a, b) <= high + 1e-12
    assert soft_matching(x, -x) == pytest.approx(-1)
    assert soft_matching(x, -x, form="distance") == pytest.approx(2)


def test_options_out_of_range_are_refused():
    with pytest.raises(UnknownName, match="unknown form 'score'"):
        SoftMatching("score")
    with pytest.raises(UnknownName, match="unknown assignment 'greedy'"):
        PermutationMatching(assignment="greedy")
    with pytest.raises(SpecificationError, match="the best match of each unit is by correlation"):
        PermutationMatching("distance", "best")


def test_names_elsewhere():
    assert PermutationMatching().alias == "hard_correlation_match"
    assert PermutationMatching("distance").alias is None
