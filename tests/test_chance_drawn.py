"""Chance by drawing: ranks and the t distribution."""

import numpy as np
import pytest
from scipy.stats import kstest, t

from syzygy.chance import drawn, orders


def test_orders_are_permutations_and_repeat_with_their_generator():
    found = orders(7, 50, np.random.default_rng(0))
    assert found.shape == (50, 7)
    np.testing.assert_array_equal(np.sort(found, axis=1), np.tile(np.arange(7), (50, 1)))
    np.testing.assert_array_equal(found, orders(7, 50, np.random.default_rng(0)))
    assert len(np.unique(found, axis=0)) > 40


def test_p_is_a_rank_from_199_draws_on():
    null = np.arange(199.0)[:, None]
    for score, p in ((198.5, 1 / 200), (198.0, 2 / 200), (-1.0, 1.0), (99.0, 101 / 200)):
        assert drawn(np.array([score]), null)[1] == pytest.approx(p, rel=1e-14)
    assert drawn(np.array([198.5]), null[:-1])[1] == pytest.approx(
        drawn(np.array([198.5]), null[:-1], by_rank=False)[1]
    )


def test_p_of_few_draws_is_that_of_a_new_observation():
    """A normal null of K draws: a further one lies at t of K − 1 degrees of freedom, times √(1 + 1/K)."""
    null = np.random.default_rng(0).normal(2, 3, size=(20, 4))
    score = np.array([2.0, 5.0, 11.0, -4.0])
    chance, p = drawn(score, null)
    z = (score - null.mean(axis=0)) / (null.std(axis=0, ddof=1) * np.sqrt(21 / 20))
    np.testing.assert_allclose(p, t.sf(z, 19), rtol=1e-12)
    np.testing.assert_allclose(chance.mean, null.mean(axis=0))
    np.testing.assert_allclose(chance.spread, null.std(axis=0, ddof=1))


@pytest.mark.parametrize("draws", [5, 20, 199, 999])
def test_p_is_uniform_where_nothing_is_alike(draws):
    """3,000 normal scores: the Kolmogorov–Smirnov distance stays below its 0.1 % point, 1.95/√3000, and a step."""
    everything = np.random.default_rng(draws).normal(1, 2, size=(1 + draws, 3000))
    p = drawn(everything[0], everything[1:])[1]
    step = 1 / (1 + draws) if draws >= 199 else 0
    assert kstest(p, "uniform").statistic < 1.95 / np.sqrt(3000) + step


def test_ranks_are_uniform_whatever_the_distribution():
    everything = np.random.default_rng(0).pareto(1.2, size=(200, 3000))
    p = drawn(everything[0], everything[1:])[1]
    assert kstest(p, "uniform").statistic < 1.95 / np.sqrt(3000) + 1 / 200
    by_t = drawn(everything[0], everything[1:], by_rank=False)[1]
    assert kstest(by_t, "uniform").statistic > 0.2  # for which a normal null is needed


def test_draws_that_do_not_differ_say_nothing():
    for draws in (20, 300):
        chance, p = drawn(np.array([1.0, np.nan]), np.full((draws, 2), 0.3))
        np.testing.assert_array_equal(chance.spread, 0)
        assert np.isnan(p).all()


def test_a_score_that_is_none_has_no_p():
    null = np.random.default_rng(0).normal(size=(300, 2))
    assert np.isnan(drawn(np.array([np.nan, 0.0]), null)[1]).tolist() == [True, False]
    null[3, 1] = np.nan
    assert np.isnan(drawn(np.array([0.0, 0.0]), null)[1]).tolist() == [False, True]
