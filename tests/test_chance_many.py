"""Many pairs at once, and the best of many layers."""

import numpy as np
import pytest
from scipy.stats import kstest

from syzygy.chance import drawn, false_discovery, largest, over_groups, sidak


def by_hand(p):
    """Benjamini and Hochberg as they wrote it: the least over larger ones of p·m/rank."""
    order = np.argsort(p)
    q = np.empty(len(p))
    smallest = 1.0
    for rank in range(len(p), 0, -1):
        smallest = min(smallest, p[order[rank - 1]] * len(p) / rank)
        q[order[rank - 1]] = smallest
    return q


def test_each_pair_counts_once_and_the_diagonal_never():
    draw = np.random.default_rng(0)
    p = draw.random((6, 6)) ** 3
    p = np.triu(p, 1) + np.triu(p, 1).T  # zeros on the diagonal would be the best of all
    q = false_discovery(p)
    above = np.triu_indices(6, 1)
    np.testing.assert_allclose(q[above], by_hand(p[above]), rtol=1e-13)
    np.testing.assert_array_equal(q, q.T)
    assert np.isnan(np.diag(q)).all()


def test_ordered_pairs_are_two_tests():
    p = np.random.default_rng(0).random((5, 5)) ** 3
    q, apart = false_discovery(p, symmetric=False), ~np.eye(5, dtype=bool)
    np.testing.assert_allclose(q[apart], by_hand(p[apart]), rtol=1e-13)
    assert np.isnan(np.diag(q)).all()


def test_what_is_no_test_counts_for_none():
    p = np.array([[np.nan, 0.02, np.nan], [0.02, np.nan, 0.04], [np.nan, 0.04, np.nan]])
    np.testing.assert_allclose(false_discovery(p)[0, 1:], [0.04, np.nan])
    assert np.isnan(false_discovery(np.full((3, 3), np.nan))).all()
    assert np.isnan(false_discovery(np.array([[0.5]]))).all()


def test_the_share_of_false_discoveries_is_held():
    """300 sets of 190 pairs, 40 of them alike: the mean share of false ones at q = 0.1 is at most 0.1·150/190."""
    draw, false = np.random.default_rng(0), []
    for _ in range(300):
        p = np.full((20, 20), np.nan)
        values = draw.random(190)
        values[:40] = values[:40] ** 12
        p[np.triu_indices(20, 1)] = values
        found = false_discovery(p)[np.triu_indices(20, 1)] <= 0.1
        false.append(found[40:].sum() / max(found.sum(), 1))
    assert np.mean(false) == pytest.approx(0.1 * 150 / 190, abs=4 * np.std(false) / np.sqrt(300))


# ── The best of many layers ──────────────────────────────────────────────────────────────────────────


def test_maxima_over_groups_are_those_of_a_loop_and_of_their_parts():
    draw = np.random.default_rng(0)
    score, left, right = draw.normal(size=(2, 7, 6)), [0, 2, 0, 1, 2, 2, 0], [1, 0, 1, 1, 3, 0]
    found = over_groups(score, left, right, (3, 4))
    for i in range(3):
        for j in range(4):
            here = score[:, np.array(left) == i][:, :, np.array(right) == j].reshape(2, -1)
            expected = here.max(axis=1) if here.size else np.full(2, np.nan)
            np.testing.assert_array_equal(found[:, i, j], expected)
    parts = [over_groups(score[:, part], left[part], right, (3, 4)) for part in (slice(0, 3), slice(3, 7))]
    np.testing.assert_array_equal(np.fmax(*parts), found)


def test_a_layer_without_score_does_not_hide_the_others():
    assert over_groups(np.array([[np.nan, 0.3]]), [0], [0, 0], (1, 1)).tolist() == [[0.3]]


def layered(draw, trials, draws, layers, shared):
    """Scores of layers by chance, (1 + draw, trial, layer): normal, correlated among layers."""
    common = draw.normal(size=(1 + draws, trials, 1))
    return np.sqrt(shared) * common + np.sqrt(1 - shared) * draw.normal(size=(1 + draws, trials, layers))


@pytest.mark.parametrize("shared", [0.0, 0.7])
def test_p_of_the_best_layer_is_uniform_once_corrected_and_not_before(shared):
    """2,000 pairs of networks of 9 pairs of layers; Kolmogorov–Smirnov at 0.1 %, 1.95/√2000 = 0.044, and a step."""
    scores = layered(np.random.default_rng(0), 2000, 299, 9, shared)
    naive = drawn(scores[0], scores[1:])[1].min(axis=-1)
    found = largest(scores[0].max(axis=-1), scores[1:].max(axis=-1), best=10.0)
    assert kstest(found["p"], "uniform").statistic < 1.95 / np.sqrt(2000) + 1 / 300
    assert np.mean(naive < 0.05) > (0.3 if shared == 0 else 0.15)
    assert np.mean(found["calibrated"]) == pytest.approx(0, abs=4 * np.std(found["calibrated"]) / np.sqrt(2000))
    bounded = sidak(naive, 9)
    assert np.mean(bounded < 0.05) < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 2000)
    if shared == 0:
        assert kstest(bounded, "uniform").statistic < 1.95 / np.sqrt(2000) + 9 / 300


def test_the_calibrated_maximum_is_zero_at_chance_and_one_at_best():
    null = np.array([0.1, 0.2, 0.3])[:, None]
    for score, expected in ((0.2, 0.0), (1.0, 1.0), (0.6, 0.5)):
        assert largest(np.array([score]), null)["calibrated"] == pytest.approx(expected)


def test_sidak_is_exact_for_independent_tests_and_for_tiny_p():
    np.testing.assert_allclose(sidak(np.array([0.0, 0.3, 1.0]), 4), [0, 1 - 0.7**4, 1], rtol=1e-14)
    assert sidak(np.array([1e-20]), 5)[0] == pytest.approx(5e-20, rel=1e-12)
    assert np.isnan(sidak(np.array([np.nan]), 5)).all()
