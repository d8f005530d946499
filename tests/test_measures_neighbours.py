"""Neighbours: against sorting pair by pair, chance against every permutation, ties, and what CKNNA is made of."""

from itertools import pairwise, permutations
from math import comb

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from syzygy.errors import DataError, ShapeError, SpecificationError, UnknownName
from syzygy.linalg import FLOAT32, FLOAT64
from syzygy.linalg.nearest import arcs
from syzygy.measures.cknna import CKNNA, cknna
from syzygy.measures.kernels import cka
from syzygy.measures.neighbours import JaccardKNN, MutualKNN, jaccard_knn, mutual_knn

NEARNESSES = ("cosine", "dot", "euclidean")


def drawn(count, items, seed=0, shared=0.7):
    """Representations of different widths that share something."""
    draw = np.random.default_rng(seed)
    common = draw.normal(size=(items, 6))
    return [
        shared * common @ draw.normal(size=(6, 3 + i)) + draw.normal(size=(items, 3 + i)) + 0.3 for i in range(count)
    ]


def sorted_neighbours(x, k, nearness):
    """Sets of neighbours, by sorting; there must be no ties."""
    if nearness == "euclidean":
        near = -np.linalg.norm(x[:, None] - x[None], axis=2)
    else:
        y = x / np.linalg.norm(x, axis=1, keepdims=True) if nearness == "cosine" else x
        near = y @ y.T
    np.fill_diagonal(near, -np.inf)
    return [set(np.argsort(-row)[:k]) for row in near]


def shuffled(items):
    return [np.array(order) for order in permutations(range(items))]


# ── Who is near ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("nearness", NEARNESSES)
@pytest.mark.parametrize("k", [1, 4, 9])
def test_arcs_lead_to_the_neighbours_that_sorting_finds(nearness, k):
    (x,) = drawn(1, 30)
    starts, others, weights, _ = arcs(x, k, nearness)
    found = [set(others[a:b]) for a, b in pairwise(starts)]
    assert found == sorted_neighbours(x, k, nearness)
    assert (weights == 1).all()


def test_euclidean_and_cosine_neighbours_are_those_of_scikit_learn():
    (x,) = drawn(1, 40)
    for nearness in ("euclidean", "cosine"):
        there = NearestNeighbors(n_neighbors=5, metric=nearness).fit(x).kneighbors(return_distance=False)
        _, others, _, _ = arcs(x, 5, nearness)
        np.testing.assert_array_equal(others.reshape(40, 5), np.sort(there, axis=1))


def test_many_items_are_worked_on_in_pieces(monkeypatch):
    (x,) = drawn(1, 30)
    whole = arcs(x, 4, "euclidean")
    monkeypatch.setattr("syzygy.linalg.nearest.AT_ONCE", 100)
    for mine, theirs in zip(arcs(x, 4, "euclidean"), whole, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-13)


# ── Ties ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("nearness", NEARNESSES)
def test_copies_of_an_item_share_the_places_that_are_left(nearness):
    """Item 0 has one clear neighbour, 1, and then four copies for two places: each takes half of one."""
    x = np.array([[1.0, 0.0], [1.0, 0.1], *[[0.8, 0.3]] * 4, [-1.0, 0.2], [-1.0, -0.3]])
    starts, others, weights, _ = arcs(x, 3, nearness)
    assert others[: starts[1]].tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(weights[: starts[1]], [1, 0.5, 0.5, 0.5, 0.5])
    np.testing.assert_allclose(np.add.reduceat(weights, starts[:-1]), 3)


@pytest.mark.parametrize("measure", [MutualKNN(3), JaccardKNN(3), CKNNA(3), MutualKNN(3, "euclidean"), CKNNA(4, "dot")])
def test_the_order_of_the_items_decides_nothing_even_among_copies(measure):
    x, y = drawn(2, 20)
    x[5:9], y[7:12] = x[5], y[7]
    order = np.random.default_rng(1).permutation(20)
    assert measure(x[order], y[order]) == pytest.approx(measure(x, y), rel=1e-12)
    assert measure(x, x) == pytest.approx(1, rel=1e-12)
    moved, anew = measure.permuted(measure.prepare(y), order), measure.prepare(y[order])
    assert set(moved) == set(anew)
    for name in anew:
        np.testing.assert_allclose(moved[name], anew[name], atol=1e-10)


def test_ties_are_found_after_a_rotation_too():
    draw = np.random.default_rng(3)
    x = np.repeat(draw.normal(size=(6, 5)), 4, axis=0) * 1e6
    turn = np.linalg.qr(draw.normal(size=(5, 5)))[0]
    for nearness in NEARNESSES:
        assert mutual_knn(x, x @ turn, neighbours=5, nearness=nearness) == pytest.approx(1, rel=1e-12)


def test_share_with_ties_is_the_mean_cosine_of_weights():
    """A place that is shared by four copies, against a neighbour for certain."""
    x = np.array([[1.0, 0.0], *[[0.8, 0.3]] * 4, [-1.0, 0.2], [-1.0, -0.3]])
    weights = np.zeros((2, 7, 7))
    y = x + np.random.default_rng(0).normal(size=x.shape) * 0.1
    for one, filled in zip((x, y), weights, strict=True):
        starts, others, values, _ = arcs(one, 2, "cosine")
        filled[np.repeat(np.arange(7), np.diff(starts)), others] = values
    cosines = (weights[0] * weights[1]).sum(1) / np.sqrt((weights[0] ** 2).sum(1) * (weights[1] ** 2).sum(1))
    assert mutual_knn(x, y, neighbours=2) == pytest.approx(cosines.mean(), rel=1e-12)
    assert jaccard_knn(x, y, neighbours=2) == pytest.approx((cosines / (2 - cosines)).mean(), rel=1e-12)
    assert 0 < cosines.mean() < 1


# ── All pairs ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("nearness", NEARNESSES)
def test_all_pairs_are_what_sorting_pair_by_pair_finds(nearness):
    some, k = drawn(5, 40), 6
    near = [sorted_neighbours(x, k, nearness) for x in some]
    both = np.array([[[len(a & b) for a, b in zip(x, y, strict=True)] for y in near] for x in near])
    for measure, expected in (
        (MutualKNN(k, nearness), both.mean(axis=2) / k),
        (JaccardKNN(k, nearness), (both / (2 * k - both)).mean(axis=2)),
    ):
        prepared = [measure.prepare(x) for x in some]
        np.testing.assert_allclose(measure.block(prepared), expected, atol=1e-13)
        np.testing.assert_allclose(measure.block(prepared[:2], prepared[1:]), expected[:2, 1:], atol=1e-13)
        narrow = [measure.prepare(x, FLOAT32) for x in some]
        np.testing.assert_allclose(measure.block(narrow, None, FLOAT32), expected, atol=1e-6)
        assert measure.compare(prepared[0], prepared[3]) == pytest.approx(expected[0, 3], rel=1e-12)


def test_cosine_neighbours_do_not_notice_the_length_of_items():
    x, y = drawn(2, 30)
    longer = x * np.random.default_rng(0).uniform(0.1, 9, size=(30, 1))
    assert mutual_knn(longer, y, neighbours=5) == pytest.approx(mutual_knn(x, y, neighbours=5), rel=1e-12)
    assert mutual_knn(longer, y, neighbours=5, nearness="dot") != mutual_knn(x, y, neighbours=5, nearness="dot")
    assert mutual_knn(x * 1e200, y * 1e-200, nearness="euclidean") == mutual_knn(x, y, nearness="euclidean")


# ── Chance ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("copies", [1, 3])
def test_chance_is_the_mean_and_variance_over_all_permutations(copies):
    x, y = drawn(2, 6)
    x[:copies] = x[0]
    for k in (1, 2, 3):
        measure = MutualKNN(k)
        a, b = measure.prepare(x), measure.prepare(y)
        scores = [measure.compare(a, measure.permuted(b, order)) for order in shuffled(6)]
        chance = measure.chance([a], [b])
        assert chance.mean[0, 0] == pytest.approx(np.mean(scores), abs=1e-12)
        assert chance.spread[0, 0] == pytest.approx(np.std(scores), abs=1e-12)
        if copies == 1:
            assert chance.mean[0, 0] == pytest.approx(k / 5, abs=1e-12)


def test_chance_of_many_items_is_k_over_the_others():
    draw = np.random.default_rng(0)
    measure = MutualKNN(10)
    prepared = [measure.prepare(draw.normal(size=(300, 5))) for _ in range(4)]
    chance = measure.chance(prepared, prepared)
    np.testing.assert_allclose(chance.mean, 10 / 299, rtol=1e-12)
    apart = ~np.eye(4, dtype=bool)
    z = ((measure.block(prepared) - chance.mean) / chance.spread)[apart]
    assert (np.abs(z) < 4).all()


def test_mean_of_the_jaccard_index_is_over_a_hypergeometric_number():
    x, y = drawn(2, 6)
    measure, k, n = JaccardKNN(2), 2, 6
    a, b = measure.prepare(x), measure.prepare(y)
    scores = [measure.compare(a, measure.permuted(b, order)) for order in shuffled(n)]
    ways = [comb(k, m) * comb(n - 1 - k, k - m) for m in range(k + 1)]
    expected = sum(w * m / (2 * k - m) for m, w in enumerate(ways)) / comb(n - 1, k)
    assert np.mean(scores) == pytest.approx(expected, abs=1e-12)
    assert expected < k / (n - 1)
    assert measure.chance([a], [b]) is None
    assert CKNNA(2).chance([a], [b]) is None


# ── CKNNA ────────────────────────────────────────────────────────────────────────────────────────────


def masked_estimate(kx, ky, k):
    """The unbiased estimate of masked kernels by its formula, with whole matrices, in both orders."""
    n, mask = len(kx), 1
    for kernel in (kx, ky):
        hollow = np.where(np.eye(n, dtype=bool), -np.inf, kernel)
        mask = mask * (hollow >= np.sort(hollow, axis=1)[:, n - k, None])
    a, b = mask * kx, mask * ky

    def one(a, b):
        return np.trace(a @ b) + a.sum() * b.sum() / ((n - 1) * (n - 2)) - 2 * (a @ b).sum() / (n - 2)

    return one(a, b), one(b, a)


@pytest.mark.parametrize("nearness", ["cosine", "dot"])
@pytest.mark.parametrize("k", [1, 2, 3, 8])
def test_cknna_is_the_mean_of_both_orders_of_the_formula(nearness, k):
    """As the masks are not symmetric, neither is the formula; the two orders differ."""
    some = drawn(4, 25)
    normed = [x / np.linalg.norm(x, axis=1, keepdims=True) if nearness == "cosine" else x for x in some]
    kernels = [x @ x.T for x in normed]
    own = [masked_estimate(kernel, kernel, k)[0] for kernel in kernels]
    expected = np.array(
        [[np.mean(masked_estimate(a, b, k)) / np.sqrt(o * p) for b, p in zip(kernels, own, strict=True)]
         for a, o in zip(kernels, own, strict=True)])  # fmt: skip
    measure = CKNNA(k, nearness)
    prepared = [measure.prepare(x) for x in some]
    np.testing.assert_allclose(measure.block(prepared), expected, atol=1e-12)
    np.testing.assert_allclose(measure.block(prepared[1:], prepared[:1]), expected[1:, :1], atol=1e-12)
    if k == 8:
        forth, back = masked_estimate(kernels[0], kernels[1], k)
        assert abs(forth - back) > 1e-6


def test_cknna_of_all_neighbours_is_debiased_alignment():
    x, y = drawn(2, 20)
    unit = [one / np.linalg.norm(one, axis=1, keepdims=True) for one in (x, y)]
    assert cknna(x, y, neighbours=19) == pytest.approx(cka(*unit), abs=1e-12)
    assert cknna(x, y, neighbours=19, nearness="dot") == pytest.approx(cka(x, y), abs=1e-12)


def test_cknna_is_zero_where_nobody_is_a_neighbour_twice():
    """Two pairings of four items: 01 23 against 02 13."""
    x = np.array([[1.0, 0.1], [1.0, 0.0], [-1.0, 0.1], [-1.0, 0.0]])
    y = x[[0, 2, 1, 3]]
    assert cknna(x, y, neighbours=1) == 0
    assert mutual_knn(x, y, neighbours=1) == 0
    assert cknna(x, x, neighbours=1) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize(("items", "expected"), [(200, 0.045), (30, 0.327)])
def test_cknna_of_noise_is_of_the_order_of_k_over_the_others(items, expected):
    """The mean of twenty draws scatters by 0.0007 and 0.0074: a band of six of those."""
    draw, measure = np.random.default_rng(0), CKNNA(10)
    scores = [measure(draw.normal(size=(items, 5)), draw.normal(size=(items, 5))) for _ in range(20)]
    assert np.mean(scores) == pytest.approx(expected, abs=0.0045 if items == 200 else 0.045)
    assert 0.5 < np.mean(scores) * (items - 1) / 10 < 1.5


# ── What is refused ──────────────────────────────────────────────────────────────────────────────────


def test_errors_say_what_is_wrong():
    x, y = drawn(2, 11)
    with pytest.raises(ShapeError, match="mutual_knn needs 12 items, x has 11"):
        mutual_knn(x, y)
    with pytest.raises(ShapeError, match="cknna:neighbours=11 needs 12 items, x has 11"):
        cknna(x, y, neighbours=11)
    with pytest.raises(ShapeError, match="cknna:neighbours=1 needs 4 items, x has 3"):
        cknna(x[:3], y[:3], neighbours=1)
    with pytest.raises(SpecificationError, match="neighbours must be at least 1, got 0"):
        jaccard_knn(x, y, neighbours=0)
    with pytest.raises(UnknownName, match="nearness"):
        MutualKNN(nearness="manhattan")
    with pytest.raises(SpecificationError, match="cosine or dot, got euclidean"):
        CKNNA(nearness="euclidean")
    for function in (mutual_knn, jaccard_knn, cknna):
        with pytest.raises(DataError, match="all 11 items of y are the same"):
            function(x, np.ones((11, 3)), neighbours=3)
    with pytest.raises(DataError, match="does not vary"):
        mutual_knn(np.arange(1, 12)[:, None] * [[1.0, 2.0]], y, neighbours=3)


def test_a_representation_that_cannot_be_scored_gives_nan_among_others():
    some = [*drawn(2, 12), np.zeros((12, 2))]
    for measure in (MutualKNN(3), JaccardKNN(3), CKNNA(3), MutualKNN(3, "euclidean")):
        scores = measure.block([measure.prepare(x) for x in some], None, FLOAT64)
        assert np.isnan(scores[2]).all()
        assert np.isfinite(scores[:2, :2]).all()
