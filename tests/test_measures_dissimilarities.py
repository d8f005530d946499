"""Representational similarity analysis against SciPy and its definitions; representational distance by hand."""

from itertools import combinations, permutations

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from scipy.stats import pearsonr, spearmanr

from syzygy.errors import DataError, ShapeError, UnknownName
from syzygy.linalg import FLOAT32, FLOAT64
from syzygy.measures import RSA, RepresentationalDistance, cka, representational_distance, rsa
from syzygy.measures.dissimilarities import dissimilarities, ranks

KINDS = ("correlation", "cosine", "euclidean", "sqeuclidean")


def draw(seed=0, items=20, x_units=6, y_units=8):
    """Two representations that share something."""
    noise = np.random.default_rng(seed)
    x = noise.normal(size=(items, x_units)) + 0.5
    return x, x @ noise.normal(size=(x_units, y_units)) + noise.normal(size=(items, y_units))


def cosine(a, b):
    return a @ b / np.sqrt((a @ a) * (b @ b))


@pytest.mark.parametrize("kind", KINDS)
def test_dissimilarities_are_those_of_scipy(kind):
    x, _ = draw()
    x = np.concatenate([x, x[:3]])
    found, expected = dissimilarities(x, kind), squareform(pdist(x, kind))
    if kind.endswith("euclidean"):
        found, expected = found / found.max(), expected / expected.max()
    np.testing.assert_allclose(found, expected, atol=1e-14)
    assert np.all(found[-3:, :3].diagonal() == 0)


@pytest.mark.parametrize("kind", KINDS)
def test_comparisons_are_those_of_scipy(kind):
    x, y = draw()
    a, b = pdist(x, kind), pdist(y, kind)
    for comparison, expected in (
        ("pearson", pearsonr(a, b).statistic),
        ("spearman", spearmanr(a, b).statistic),
        ("cosine", cosine(a, b)),
    ):
        assert rsa(x, y, dissimilarity=kind, comparison=comparison) == pytest.approx(expected, abs=1e-13)


@pytest.mark.parametrize("kind", KINDS)
def test_whitened_comparison_has_the_covariance_of_distances_in_it(kind):
    """Diedrichsen et al. (2020): aᵀV⁻¹b, with V the squared inner products of all contrasts between two items."""
    x, y = draw(items=9)
    contrasts = np.array([np.eye(9)[i] - np.eye(9)[j] for i, j in combinations(range(9), 2)])
    inverse = np.linalg.inv((contrasts @ contrasts.T) ** 2)
    a, b = pdist(x, kind), pdist(y, kind)
    expected = a @ inverse @ b / np.sqrt((a @ inverse @ a) * (b @ inverse @ b))
    assert rsa(x, y, dissimilarity=kind, comparison="whitened") == pytest.approx(expected, abs=1e-12)


def test_whitened_comparison_of_squared_distances_is_biased_alignment():
    x, y = draw()
    found = rsa(x, y, dissimilarity="sqeuclidean", comparison="whitened")
    assert found == pytest.approx(cka(x, y, estimator="biased"), abs=1e-13)


def test_correlations_shuffled_are_zero_on_average_exactly():
    x, y = draw(items=5)
    for comparison in ("pearson", "spearman"):
        found = [rsa(x[list(order)], y, comparison=comparison) for order in permutations(range(5))]
        assert np.mean(found) == pytest.approx(0, abs=1e-14)


def test_ties_survive_a_rotation():
    """Items of one class are equal in the labels, and equal up to rounding once they are turned."""
    labels = np.repeat(np.eye(4), 6, axis=0)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0]
    other = labels @ turn * 3 + 1
    x, _ = draw(items=24)
    for kind in ("euclidean", "sqeuclidean"):
        a, b = (pdist(one.round(9), kind).round(9) for one in (labels, x))
        expected = spearmanr(a, b).statistic
        assert rsa(labels, x, dissimilarity=kind, comparison="spearman") == pytest.approx(expected, abs=1e-12)
        assert rsa(other, x, dissimilarity=kind, comparison="spearman") == pytest.approx(expected, abs=1e-12)


def test_ranks_share_ties_and_keep_what_differs():
    values = np.array([3.0, 1.0, 3.0 + 1e-13, 2.0, 3.0 + 1e-9])
    np.testing.assert_array_equal(ranks(values), [3.5, 1.0, 3.5, 2.0, 5.0])
    np.testing.assert_array_equal(ranks(np.zeros(4)), 2.5)


# ── What has no score ────────────────────────────────────────────────────────────────────────────────


def test_items_without_a_direction_are_named():
    x, y = draw()
    dead, flat = x.copy(), x.copy()
    dead[[4, 7]], flat[5] = 0, 2.5
    with pytest.raises(
        DataError, match="y has 2 items whose units are all zero, the first of them item 4, and no cosine"
    ):
        rsa(x, dead, dissimilarity="cosine")
    with pytest.raises(
        DataError, match="x has 1 items whose units are all equal, the first of them item 5, and no corr"
    ):
        rsa(flat, y)
    assert rsa(flat, y, dissimilarity="cosine") > 0
    assert rsa(dead, y, dissimilarity="euclidean") > 0


def test_items_without_a_direction_are_nan_among_all_pairs():
    x, y = draw()
    dead = x.copy()
    dead[4] = 0
    for comparison in ("pearson", "spearman", "cosine", "whitened"):
        asked = RSA("cosine", comparison)
        found = asked.block([asked.prepare(one) for one in (x, dead, y)])
        assert np.isnan(found[1]).all()
        assert found[0, 2] == pytest.approx(asked(x, y), abs=1e-12)


def test_items_that_are_equally_far_apart_have_nothing_to_correlate():
    x, _ = draw(items=5)
    simplex = np.linalg.qr(np.random.default_rng(2).normal(size=(5, 5)))[0]
    for comparison in ("pearson", "spearman"):
        with pytest.raises(DataError, match="does not vary in the way that it measures"):
            rsa(simplex, x, dissimilarity="euclidean", comparison=comparison)
    assert 0 < rsa(simplex, x, dissimilarity="euclidean", comparison="cosine") < 1


def test_options_that_do_not_exist():
    with pytest.raises(UnknownName, match="unknown dissimilarity 'mahalanobis'"):
        RSA("mahalanobis")
    with pytest.raises(UnknownName, match="unknown comparison 'kendall'"):
        RSA(comparison="kendall")


def test_names_in_the_similarity_repository():
    assert RSA("sqeuclidean", "whitened").alias == "rsa-rdm=squared_euclidean-compare=cosine_cov"
    assert RSA().alias == "rsa-rdm=correlation-compare=pearson"
    assert RSA("cosine", "whitened").alias is None


# ── Representational distance ────────────────────────────────────────────────────────────────────────


def test_representational_distance_is_that_of_all_pairs_of_items():
    x, y = draw(items=7)
    squared = [(np.sum((x[i] - x[j]) ** 2) - np.sum((y[i] - y[j]) ** 2)) ** 2 for i, j in combinations(range(7), 2)]
    assert representational_distance(x, y) == pytest.approx(np.sqrt(np.mean(squared)), rel=1e-12)


def test_representational_distance_of_one_pair_is_the_difference_of_its_squares():
    """What the effective theory follows: ‖dh‖² of two items in two networks."""
    assert representational_distance([[0.0, 0.0], [3.0, 4.0]], [[1.0], [3.0]]) == pytest.approx(25 - 4)


def test_scale_counts():
    x, _ = draw()
    rms = np.sqrt(np.mean(pdist(x, "sqeuclidean") ** 2))
    assert representational_distance(x, 2 * x) == pytest.approx(3 * rms, rel=1e-12)
    assert representational_distance(x, np.zeros_like(x)) == pytest.approx(rms, rel=1e-12)


@pytest.mark.parametrize("work", [FLOAT64, FLOAT32])
@pytest.mark.parametrize("step", [1e-2, 3e-3, 1e-4, 1e-6, 1e-9])
def test_near_representations_keep_their_digits(work, step):
    """Norms that cancel would leave 1e-8 of the size, whatever the difference."""
    x, other = draw()
    y = x + step * other[:, :6]
    exact = pdist(x, "sqeuclidean") - pdist(y, "sqeuclidean")
    asked = RepresentationalDistance()
    found = asked.block([asked.prepare(one, work) for one in (x, y, other)], None, work)
    assert found[0, 1] == pytest.approx(np.sqrt(np.mean(exact**2)), rel=1e-5)
    assert np.all(np.diag(found) == 0)
    np.testing.assert_array_equal(found, found.T)


def test_representational_distance_needs_a_pair():
    with pytest.raises(ShapeError, match="representational_distance needs 2 items, x has 1"):
        representational_distance([[1.0]], [[2.0]])
