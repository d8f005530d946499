"""Moments over permutations: against all permutations, the published formulas, and many drawn ones."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform
from scipy.stats import kstest, norm, pearson3

from syzygy.chance import Moments, invariants, moments, quantiles, upper_tail
from syzygy.linalg import double_centred, u_centred


def symmetric(draw, n):
    matrix = draw.normal(size=(n, n))
    return matrix + matrix.T


def gram(draw, n, units=3):
    x = draw.normal(size=(n, units)) ** 3  # heavy tails: diagonals that differ
    return x @ x.T


MATRICES = {
    "random": symmetric,
    "centred": lambda draw, n: double_centred(gram(draw, n)),
    "u-centred": lambda draw, n: u_centred(gram(draw, n)),
    "dissimilarity": lambda draw, n: squareform(pdist(draw.normal(size=(n, 3)))),
    "integers": lambda draw, n: np.rint(symmetric(draw, n)),
}


def shuffled(a, b, orders):
    """The statistic itself."""
    return np.array([np.sum(a * b[np.ix_(order, order)]) for order in orders])


def by_enumeration(a, b):
    values = shuffled(a, b, list(permutations(range(len(a)))))
    deviation = values - values.mean()
    return values.mean(), deviation.std(), np.mean(deviation**3)


def in_closed_form(a, b):
    found = moments(invariants(a), invariants(b), len(a))
    third = 0.0 if found.spread == 0 else found.skewness * found.spread**3
    return float(found.mean), float(found.spread), float(third)


@pytest.mark.parametrize("items", [3, 4, 5, 6, 7])
@pytest.mark.parametrize(("left", "right"), [(kind, kind) for kind in MATRICES] + [("centred", "dissimilarity")])
def test_moments_are_those_of_all_permutations(items, left, right):
    if items == 3 and "u-centred" in (left, right):
        pytest.skip("three items cannot be U-centred")
    draw = np.random.default_rng(items)
    a, b = MATRICES[left](draw, items), MATRICES[right](draw, items)
    scale = np.linalg.norm(a) * np.linalg.norm(b)
    expected, found = by_enumeration(a, b), in_closed_form(a, b)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12 * max(scale, scale**3))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=30, max_size=30))
def test_moments_are_those_of_all_permutations_whatever_the_matrices(entries):
    pair = np.zeros((2, 5, 5))
    pair[:, *np.triu_indices(5)] = np.reshape(entries, (2, 15))
    a, b = pair + np.triu(pair, 1).swapaxes(1, 2)
    np.testing.assert_allclose(in_closed_form(a, b), by_enumeration(a, b), rtol=1e-8, atol=1e-7)


def kazi_aoual(a, b):
    """Mean and variance for centred Gram matrices, as Kazi-Aoual et al. (1995) write them."""
    n = len(a)
    (t, t2, s2), (u, u2, v2) = ((np.trace(m), np.sum(m * m), np.sum(np.diag(m) ** 2)) for m in (a, b))
    variance = 2 * ((n - 1) * t2 - t**2) * ((n - 1) * u2 - u**2) / ((n - 1) ** 2 * (n + 1) * (n - 2))
    left, right = (n * (n + 1) * s - (n - 1) * (w**2 + 2 * w2) for w, w2, s in ((t, t2, s2), (u, u2, v2)))
    return t * u / (n - 1), variance + left * right / ((n + 1) * n * (n - 1) * (n - 2) * (n - 3))


def mantel(a, b):
    """Mean and variance for matrices without diagonal: Mantel (1967)."""
    n = len(a)
    pairs, squares, rows = (
        (np.sum(a), np.sum(b)),
        (np.sum(a**2), np.sum(b**2)),
        (np.sum(a.sum(0) ** 2), np.sum(b.sum(0) ** 2)),
    )
    two, three = n * (n - 1), n * (n - 1) * (n - 2)
    apart = [pair**2 + 2 * square - 4 * row for pair, square, row in zip(pairs, squares, rows, strict=True)]
    second = 2 * squares[0] * squares[1] / two
    second += 4 * (rows[0] - squares[0]) * (rows[1] - squares[1]) / three + apart[0] * apart[1] / (three * (n - 3))
    mean = pairs[0] * pairs[1] / two
    return mean, second - mean**2


@pytest.mark.parametrize("items", [4, 5, 12, 60, 300])
@pytest.mark.parametrize(
    ("kind", "formula"), [("centred", kazi_aoual), ("dissimilarity", mantel), ("u-centred", mantel)]
)
def test_moments_are_those_of_the_published_formulas(items, kind, formula):
    draw = np.random.default_rng(items)
    a, b = MATRICES[kind](draw, items), MATRICES[kind](draw, items)
    mean, variance = formula(a, b)
    found = moments(invariants(a), invariants(b), items)
    scale = np.linalg.norm(a) * np.linalg.norm(b)
    assert found.mean == pytest.approx(mean, rel=1e-10, abs=1e-13 * scale)
    assert found.spread**2 == pytest.approx(variance, rel=1e-7)


@pytest.mark.parametrize("kind", ["random", "centred", "u-centred", "dissimilarity"])
def test_moments_are_those_of_many_permutations(kind):
    """Five standard errors at 20,000 draws: for the mean that of a normal, for the second and third moment that of a
    normal twice over, since tails are heavier."""
    items, draws, draw = 40, 20_000, np.random.default_rng(1)
    a, b = MATRICES[kind](draw, items), MATRICES[kind](draw, items)
    values = shuffled(a, b, [draw.permutation(items) for _ in range(draws)])
    found = moments(invariants(a), invariants(b), items)
    z = (values - found.mean) / found.spread
    assert abs(z.mean()) < 5 / np.sqrt(draws)
    assert np.std(z) == pytest.approx(1, abs=10 / np.sqrt(2 * draws))
    assert np.mean(z**3) == pytest.approx(found.skewness, abs=10 * np.sqrt(6 / draws))


def test_moments_answer_for_all_pairs_at_once():
    draw = np.random.default_rng(0)
    some = [symmetric(draw, 6) for _ in range(3)]
    known = np.stack([invariants(one) for one in some])
    every = moments(known[:, None], known[None], 6)
    assert every.mean.shape == every.spread.shape == every.skewness.shape == (3, 3)
    one = moments(known[0], known[2], 6)
    assert every.spread[0, 2] == pytest.approx(one.spread, rel=1e-13)
    assert every.skewness[0, 2] == pytest.approx(one.skewness, rel=1e-12)


def test_invariants_do_not_know_the_order():
    draw = np.random.default_rng(0)
    a, order = symmetric(draw, 9), draw.permutation(9)
    np.testing.assert_allclose(invariants(a[np.ix_(order, order)]), invariants(a), rtol=1e-11, atol=1e-11)


# ── Precision ────────────────────────────────────────────────────────────────────────────────────────


def test_a_constant_added_to_large_matrices_moves_nothing_but_the_mean():
    items, draw = 400, np.random.default_rng(0)
    a, b = symmetric(draw, items), symmetric(draw, items)
    plain, moved = (moments(invariants(m), invariants(b), items) for m in (a, a + 1e6))
    assert moved.spread == pytest.approx(plain.spread, rel=1e-7)
    assert moved.skewness == pytest.approx(plain.skewness, abs=1e-6)
    assert moved.mean == pytest.approx(plain.mean + 1e6 * b.sum(), rel=1e-9)


@pytest.mark.parametrize("kind", MATRICES)
def test_single_precision_is_good_enough(kind):
    draw = np.random.default_rng(2)
    a, b = MATRICES[kind](draw, 200), MATRICES[kind](draw, 200)
    double = moments(invariants(a), invariants(b), 200)
    single = moments(invariants(a.astype(np.float32)), invariants(b.astype(np.float32)), 200)
    assert single.mean == pytest.approx(double.mean, rel=1e-5, abs=1e-4 * double.spread)
    assert single.spread == pytest.approx(double.spread, rel=1e-4)
    assert single.skewness == pytest.approx(double.skewness, abs=1e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_matrices_that_no_permutation_changes_have_no_spread_and_no_p(dtype):
    draw = np.random.default_rng(0)
    same, other = np.full((7, 7), 0.1, dtype=dtype), symmetric(draw, 7).astype(dtype)
    np.fill_diagonal(same, 0.7)
    found = moments(invariants(same), invariants(other), 7)
    assert found.spread == 0
    assert np.isnan(found.skewness)
    assert np.isnan(upper_tail(np.asarray(np.sum(same * other)), found))


@pytest.mark.parametrize("seed", range(12))
def test_a_statistic_without_spread_between_matrices_that_vary_has_no_p(seed):
    """Rows of one add up to zero, the other is u_i + u_j: their product is always zero."""
    draw = np.random.default_rng(seed)
    centred, u = double_centred(symmetric(draw, 8)), draw.normal(size=8)
    found = moments(invariants(centred), invariants(u[:, None] + u), 8)
    assert found.spread == 0
    assert np.isnan(upper_tail(np.zeros(()), found))


def test_matrices_of_nan_have_no_chance():
    found = moments(invariants(np.full((5, 5), np.nan)), invariants(np.eye(5) + np.arange(5)), 5)
    assert np.isnan([found.mean, found.spread, upper_tail(np.zeros(()), found)]).all()


# ── The tail ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_tail_is_half_at_the_mean_of_a_symmetric_distribution_and_ends_where_a_skewed_one_does():
    one = Moments(np.zeros(3), np.ones(3), np.array([0.0, -1.0, np.nan]))
    np.testing.assert_allclose(upper_tail(np.array([0.0, 2.0 + 1e-9, 1.0]), one), [0.5, 0.0, norm.sf(1)], atol=1e-15)


@pytest.mark.parametrize("skewness", [-1.5, -0.3, 0.0, 0.5, 1.0, 1.5])
def test_quantiles_keep_mean_and_deviation_and_give_means_of_functions(skewness):
    found = quantiles(Moments(np.array(3.0), np.array(0.7), np.array(skewness)))
    assert found.mean() == pytest.approx(3, rel=1e-13)
    assert found.std() == pytest.approx(0.7, rel=1e-12)
    fine = pearson3.ppf((np.arange(20_000) + 0.5) / 20_000, skewness, 3, 0.7)
    assert np.sqrt(found + 3).mean() == pytest.approx(np.sqrt(fine + 3).mean(), rel=2e-4)
    assert np.sqrt(found + 3).std() == pytest.approx(np.sqrt(fine + 3).std(), rel=0.02)


def ranked(x):
    """Ranks of the distances, as a matrix without mean."""
    distances = pdist(x)
    ranks = squareform(distances.argsort().argsort() + 1.0)
    ranks -= (ranks.sum() / (len(x) * (len(x) - 1))) * (1 - np.eye(len(x)))
    return ranks


@pytest.mark.parametrize("matrix", [
    pytest.param(lambda x: double_centred(x @ x.T), id="biased CKA"),
    pytest.param(lambda x: u_centred(x @ x.T), id="debiased CKA"),
    pytest.param(lambda x: squareform(pdist(x)), id="RSA"),
    pytest.param(ranked, id="RSA of ranks")])  # fmt: skip
@pytest.mark.parametrize(("items", "units"), [(12, 2), (30, 5), (20, 60)])
def test_p_is_uniform_where_nothing_is_alike(matrix, items, units):
    """1,500 independent pairs: the Kolmogorov–Smirnov distance stays below its 0.1 % point, 1.95/√1500 = 0.050, and
    the share below 0.05 and 0.01 within four standard errors."""
    draw, trials = np.random.default_rng(items + units), 1500
    inner, left, right = np.empty(trials), [], []
    for trial in range(trials):
        a, b = (matrix(x) for x in draw.normal(size=(2, items, units)))
        inner[trial] = np.sum(a * b)
        left.append(invariants(a))
        right.append(invariants(b))
    p = upper_tail(inner, moments(np.stack(left), np.stack(right), items))
    assert kstest(p, "uniform").statistic < 1.95 / np.sqrt(trials)
    for level in (0.05, 0.01):
        assert np.mean(p < level) == pytest.approx(level, abs=4 * np.sqrt(level / trials))
