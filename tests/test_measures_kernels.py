"""Kernels, distance correlation, minibatches and the feature-space form against their definitions, written out."""

from itertools import combinations, permutations

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist, squareform

from syzygy.errors import DataError, ShapeError, SpecificationError, UnknownName
from syzygy.linalg import FLOAT32, FLOAT64
from syzygy.measures import (
    CKA,
    RSA,
    RV,
    DistanceCorrelation,
    LinearKernels,
    MinibatchCKA,
    cka,
    distance_correlation,
    rsa,
    rv,
)
from syzygy.measures.distances import squared_distances


def draw(seed=0, items=24, x_units=5, y_units=7):
    """Two representations that share something."""
    noise = np.random.default_rng(seed)
    x = noise.normal(size=(items, x_units)) + 2
    return x, x @ noise.normal(size=(x_units, y_units)) + 2 * noise.normal(size=(items, y_units))


def cosine(a, b):
    return np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b))


def hsic1(kernel, other):
    """The unbiased estimate of Song et al. (2012), term by term."""
    n, ones = len(kernel), np.ones(len(kernel))
    k, l = kernel - np.diag(np.diag(kernel)), other - np.diag(np.diag(other))  # noqa: E741
    trace, sums, both = np.trace(k @ l), (ones @ k @ ones) * (ones @ l @ ones), ones @ k @ l @ ones
    return (trace + sums / ((n - 1) * (n - 2)) - 2 * both / (n - 2)) / (n * (n - 3))


def hsic1_cka(kernel, other):
    return hsic1(kernel, other) / np.sqrt(hsic1(kernel, kernel) * hsic1(other, other))


def centring(n):
    return np.eye(n) - 1 / n


# ── Centred kernel alignment ─────────────────────────────────────────────────────────────────────────


def test_unbiased_estimate_is_the_mean_over_four_different_items():
    """What the estimate estimates: E K12 L12 + E K12 L34 − 2 E K12 L13."""
    x, y = draw(items=6)
    k, other = x @ x.T, y @ y.T
    terms = [k[a, b] * (other[a, b] + other[c, d] - 2 * other[a, c]) for a, b, c, d in permutations(range(6), 4)]
    assert hsic1(k, other) == pytest.approx(np.mean(terms), rel=1e-12)


@pytest.mark.parametrize("items", [4, 5, 24, 60])
def test_debiased_alignment_is_the_ratio_of_unbiased_estimates(items):
    for seed in range(5):
        x, y = (one - one.mean(axis=0) for one in draw(seed, items))  # else the definition itself loses digits
        assert cka(x, y) == pytest.approx(hsic1_cka(x @ x.T, y @ y.T), abs=1e-12)


def test_biased_alignment_is_the_cosine_of_centred_kernels():
    x, y = draw()
    h = centring(len(x))
    assert cka(x, y, estimator="biased") == pytest.approx(cosine(h @ x @ x.T @ h, h @ y @ y.T @ h), abs=1e-13)
    units = np.linalg.norm((h @ y).T @ h @ x) ** 2
    lengths = np.linalg.norm((h @ x).T @ h @ x) * np.linalg.norm((h @ y).T @ h @ y)
    assert cka(x, y, estimator="biased") == pytest.approx(units / lengths, abs=1e-13)


def test_negative_alignment_stays_negative():
    scores = [cka(*np.random.default_rng(seed).normal(size=(2, 8, 3))) for seed in range(20)]
    assert min(scores) < -0.1


def test_debiased_alignment_of_shuffled_items_is_zero_on_average_exactly():
    x, y = draw(items=5)
    assert np.mean([cka(x[list(order)], y) for order in permutations(range(5))]) == pytest.approx(0, abs=1e-14)


@pytest.mark.parametrize(("n", "p"), [(32, 8), (32, 64), (100, 10), (100, 100)])
def test_biased_alignment_of_noise_is_near_p_over_n_plus_p(n, p):
    """To 0.015, of 20 draws; without its diagonals RV has p/(n² + p)."""
    noise = np.random.default_rng(p)
    pairs = [noise.normal(size=(2, n, p)) for _ in range(20)]
    assert np.mean([cka(x, y, estimator="biased") for x, y in pairs]) == pytest.approx(p / (n + p), abs=0.015)
    assert np.mean([rv(x, y, estimator="modified") for x, y in pairs]) == pytest.approx(p / (n**2 + p), abs=0.02)


def test_modified_rv_is_fooled_by_many_units():
    """Off the diagonal all entries of HXXᵀH are near −p/n: two matrices of one number are alike.

    Their mean has a share of p/(n² − 2n + 2 + p) of the mean square (moments of Wishart matrices).
    """
    noise = np.random.default_rng(0)
    found = np.mean([rv(*noise.normal(size=(2, 8, 640)), estimator="modified") for _ in range(20)])
    assert found == pytest.approx(640 / (64 - 16 + 2 + 640), abs=0.015)
    assert abs(np.mean([cka(*noise.normal(size=(2, 8, 640))) for _ in range(200)])) < 0.1


@pytest.mark.parametrize("bandwidth", [0.3, 1.0, 2.5])
def test_gaussian_kernel_has_the_median_distance_as_its_unit(bandwidth):
    x, y = draw()
    kernels = []
    for one in (x, y):
        sigma = bandwidth * np.median([np.linalg.norm(a - b) for a, b in combinations(one, 2)])
        kernels.append(np.array([[np.exp(-np.sum((a - b) ** 2) / (2 * sigma**2)) for b in one] for a in one]))
    h = centring(len(x))
    biased = cka(x, y, kernel="rbf", bandwidth=bandwidth, estimator="biased")
    assert biased == pytest.approx(cosine(h @ kernels[0] @ h, h @ kernels[1] @ h), abs=1e-12)
    assert cka(x, y, kernel="rbf", bandwidth=bandwidth) == pytest.approx(hsic1_cka(*kernels), abs=1e-12)


def test_wide_gaussian_kernel_is_the_linear_one():
    """exp(−d²/2σ²) → 1 − d²/2σ², whose centring is that of the inner products."""
    x, y = draw()
    assert cka(x, y, kernel="rbf", bandwidth=300.0) == pytest.approx(cka(x, y), abs=1e-5)


def test_kernel_of_ones_own():
    x, y = draw()

    def cubic(z):
        return (1 + z @ z.T) ** 3

    assert cka(x, y, kernel=lambda z: z @ z.T) == pytest.approx(cka(x, y), abs=1e-12)
    assert cka(x, y, kernel=cubic) == pytest.approx(hsic1_cka(cubic(x), cubic(y)), abs=1e-12)
    asked = CKA(kernel=cubic)
    assert asked.label == "cka:kernel=cubic"
    assert not asked.invariances
    assert asked.alias is None
    assert CKA("biased", cubic).range == (-1, 1)


def test_names_in_the_similarity_repository():
    assert CKA().alias == "cka-kernel=linear-hsic=song-score"
    assert CKA("biased").alias == RV().alias == "cka-kernel=linear-hsic=gretton-score"
    assert RV("modified").alias == "cka-kernel=linear-hsic=lange-score"
    assert DistanceCorrelation("biased").alias == "distance_correlation"
    assert CKA(kernel="rbf").alias is DistanceCorrelation().alias is None


@pytest.mark.parametrize(
    ("wrong", "kind", "message"),
    [
        (lambda z: z @ np.ones((z.shape[1], len(z))) + np.arange(len(z)), DataError, "must be symmetric"),
        (lambda z: z, ShapeError, r"must give a kernel \(item, item\) of shape \(24, 24\), got \(24, 5\)"),
        (lambda z: np.full((len(z), len(z)), np.nan), DataError, "finite real numbers"),
        (lambda z: (z @ z.T).astype(object), DataError, "finite real numbers, got object"),
        (lambda z: z @ z.T + 1j, DataError, "finite real numbers, got complex"),
    ],
)
def test_kernel_that_is_none_is_refused(wrong, kind, message):
    x, y = draw()
    with pytest.raises(kind, match=message):
        cka(x, y, kernel=wrong)
    with pytest.raises(kind, match=message):
        MinibatchCKA(wrong).update({"x": x, "y": y})


def test_options_that_do_not_exist():
    with pytest.raises(UnknownName, match="unknown estimator 'unbiased'"):
        CKA("unbiased")
    with pytest.raises(UnknownName, match="unknown kernel 'gauss'"):
        CKA(kernel="gauss")
    with pytest.raises(UnknownName, match="unknown kernel 'rbf'"):
        MinibatchCKA("rbf")
    with pytest.raises(UnknownName, match="unknown estimator 'adjusted'"):
        RV("adjusted")
    with pytest.raises(UnknownName, match="unknown estimator 'squared'"):
        DistanceCorrelation("squared")
    for bandwidth in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(SpecificationError, match="bandwidth is a positive factor of the median distance"):
            CKA(kernel="rbf", bandwidth=bandwidth)


@pytest.mark.parametrize(
    "asked", [CKA(), CKA("biased"), CKA(kernel="rbf"), RV(), RV("modified"), DistanceCorrelation(), RSA("sqeuclidean")]
)
def test_constant_representation_has_no_score(asked):
    x, y = draw()
    for constant in (np.zeros_like(x), np.full_like(x, 0.1), np.full_like(x, 1e9 + 0.1)):
        with pytest.raises(DataError, match="is not defined: all 24 items of x are the same"):
            asked(constant, y)
        with pytest.raises(DataError, match="all 24 items of y are the same"):
            asked(y, constant)


def test_bandwidth_needs_distances():
    """Where most items are one, their median distance is zero."""
    x, y = draw()
    x[5:] = x[5]
    with pytest.raises(DataError, match="does not vary in the way that it measures"):
        cka(x, y, kernel="rbf")
    assert 0 < cka(x, y) < 1


def test_debiasing_needs_four_items():
    x, y = draw(items=3)
    for function, name in ((cka, "cka"), (distance_correlation, "distance_correlation")):
        with pytest.raises(ShapeError, match=f"^{name} needs 4 items, x has 3"):
            function(x, y)
        assert 0 < function(x, y, estimator="biased") < 1


def test_large_numbers_do_not_overflow_in_single_precision():
    x, y = draw()
    for asked in (CKA(), CKA(kernel="rbf"), RV(), DistanceCorrelation("biased")):
        prepared = [asked.prepare(one, FLOAT32) for one in (x * 1e30, y * 1e-30)]
        assert asked.block(prepared, None, FLOAT32)[0, 1] == pytest.approx(asked(x, y), abs=1e-6)


# ── RV and distance correlation ──────────────────────────────────────────────────────────────────────


def test_rv_is_biased_alignment_under_its_older_name():
    x, y = draw()
    assert rv(x, y) == pytest.approx(cka(x, y, estimator="biased"), abs=1e-14)
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    covariances = np.trace(x.T @ y @ y.T @ x) / np.sqrt(
        np.trace((x.T @ x) @ (x.T @ x)) * np.trace((y.T @ y) @ (y.T @ y))
    )
    assert rv(x, y) == pytest.approx(covariances, abs=1e-13)


def test_modified_rv_leaves_the_diagonals_out():
    x, y = (one - one.mean(axis=0) for one in draw())
    a, b = x @ x.T, y @ y.T
    assert rv(x, y, estimator="modified") == pytest.approx(
        cosine(a - np.diag(np.diag(a)), b - np.diag(np.diag(b))), abs=1e-13
    )


def distance_covariance(x, y):
    """Székely, Rizzo & Bakirov (2007), loop by loop, squared."""
    n, total = len(x), 0.0
    a, b = ([[float(np.linalg.norm(p - q)) for q in z] for p in z] for z in (x, y))
    rows = [[sum(row) / n for row in m] for m in (a, b)]
    means = [sum(r) / n for r in rows]
    for i in range(n):
        for j in range(n):
            left = a[i][j] - rows[0][i] - rows[0][j] + means[0]
            total += left * (b[i][j] - rows[1][i] - rows[1][j] + means[1])
    return total / n**2


def test_distance_correlation_is_the_root_of_a_double_loop():
    x, y = draw(items=12)
    squared = distance_covariance(x, y) / np.sqrt(distance_covariance(x, x) * distance_covariance(y, y))
    assert distance_correlation(x, y, estimator="biased") == pytest.approx(np.sqrt(squared), abs=1e-12)


def test_debiased_distance_correlation_is_that_of_the_t_test():
    """Székely & Rizzo (2013) write it with modified distances A* and their diagonals, without U-centring."""

    def modified(z):
        n, a = len(z), cdist(z, z)
        rows, mean = a.mean(axis=1), a.mean()
        found = n / (n - 1) * (a - rows[:, None] - rows + mean - a / n)
        np.fill_diagonal(found, n / (n - 1) * (rows - mean))
        return found

    def product(a, b):
        n, diagonals = len(a), np.diag(a) @ np.diag(b)
        return np.sum(a * b) - diagonals - 2 / (n - 2) * diagonals

    x, y = draw(items=12)
    a, b = modified(x), modified(y)
    expected = product(a, b) / np.sqrt(product(a, a) * product(b, b))
    assert distance_correlation(x, y) == pytest.approx(expected, abs=1e-12)


def test_squared_distance_correlation_is_whitened_comparison_of_distances():
    x, y = draw()
    found = distance_correlation(x, y, estimator="biased") ** 2
    assert found == pytest.approx(rsa(x, y, dissimilarity="euclidean", comparison="whitened"), abs=1e-12)


def test_distance_correlation_sees_what_no_line_shows():
    """Points of a circle: both coordinates are uncorrelated, and each decides the other up to a sign."""
    angle = 2 * np.pi * np.arange(40) / 40
    x, y = np.cos(angle)[:, None], np.sin(angle)[:, None]
    assert abs(np.corrcoef(x.T, y.T)[0, 1]) < 1e-12
    assert cka(x, y, estimator="biased") < 1e-12
    assert distance_correlation(x, y, estimator="biased") > 0.15


# ── Minibatches ──────────────────────────────────────────────────────────────────────────────────────


def test_one_batch_is_the_whole():
    x, y = draw(items=60)
    total = MinibatchCKA()
    total.update({"x": x, "y": y})
    assert total.scores().sel({"representation": "x", "other representation": "y"}) == pytest.approx(
        cka(x, y), abs=1e-12
    )
    np.testing.assert_allclose(np.diag(total.scores()), 1, rtol=1e-12)
    assert total.hsic().values[0, 1] == pytest.approx(hsic1(x @ x.T, y @ y.T), rel=1e-10)
    assert total.items == 60


def test_estimates_of_all_batches_average_to_that_of_the_whole():
    """Exactly, over all 35 batches of 4 of 7 items: whatever the size of a batch, nothing is added by chance."""
    x, y = draw(items=7)
    total = MinibatchCKA()
    for batch in combinations(range(7), 4):
        total.update({"x": x[list(batch)], "y": y[list(batch)]})
    assert total.hsic().values[0, 1] == pytest.approx(hsic1(x @ x.T, y @ y.T), rel=1e-12)
    assert total.scores().values[0, 1] == pytest.approx(cka(x, y), abs=1e-12)


def test_the_size_of_batches_does_not_matter_where_that_of_biased_ones_does():
    """2000 items, batches of 8 to 500: within 0.03 of the whole, while averages of biased scores are up to 0.2 off."""
    x, y = draw(1, 2000, 12, 12)
    whole = cka(x, y)
    for size in (8, 32, 128, 500):
        total, biased = MinibatchCKA(), []
        for start in range(0, 2000, size):
            batch = slice(start, start + size)
            total.update({"x": x[batch], "y": y[batch]})
            biased.append(cka(x[batch], y[batch], estimator="biased"))
        assert total.scores().values[0, 1] == pytest.approx(whole, abs=0.03)
        if size == 8:
            assert np.mean(biased) > whole + 0.1


def test_batches_of_many_networks_in_any_order_and_precision():
    x, y = draw(items=64)
    kernels = {"linear": "linear", "own": lambda z: np.exp(-cdist(z, z, "sqeuclidean") / 50)}
    for name, kernel in kernels.items():
        exact, single = MinibatchCKA(kernel), MinibatchCKA(kernel, FLOAT32)
        for start in (0, 16, 32, 48):
            some = {"x": x[start : start + 16], "y": y[start : start + 16], "z": x[start : start + 16] * 3 + 1}
            exact.update(some if start % 32 else dict(reversed(some.items())))  # names matter, not their order
            single.update(dict(reversed(some.items())))
        assert exact.scores().dims == ("representation", "other representation")
        ordered = {"representation": list("xyz"), "other representation": list("xyz")}
        np.testing.assert_allclose(single.scores().sel(ordered), exact.scores().sel(ordered), atol=2e-6)
        assert (exact.scores().sel(ordered).values[0, 2] == pytest.approx(1)) == (name == "linear")


def test_constant_network_is_nan_among_the_batches():
    x, y = draw()
    total = MinibatchCKA()
    for _ in range(3):
        total.update({"x": x, "constant": np.full_like(x, 0.1), "y": y})
    assert np.isnan(total.scores().sel({"representation": "constant"})).all()
    assert total.scores().values[0, 2] == pytest.approx(cka(x, y), abs=1e-12)


def test_batches_that_do_not_fit():
    x, y = draw()
    total = MinibatchCKA()
    with pytest.raises(SpecificationError, match="there is nothing to compare; give at least one batch"):
        total.scores()
    with pytest.raises(SpecificationError, match="got none"):
        total.update({})
    with pytest.raises(ShapeError, match="at least 4; got x: 3, y: 3"):
        total.update({"x": x[:3], "y": y[:3]})
    with pytest.raises(ShapeError, match="the same items of every representation, at least 4; got x: 24, y: 23"):
        total.update({"x": x, "y": y[1:]})
    total.update({"x": x, "y": y})
    with pytest.raises(SpecificationError, match="same representations, got x, z; the batches before hold x, y"):
        total.update({"x": x, "z": y})
    with pytest.raises(DataError, match="y has 1 values that are not finite, the first at item 2, unit 1"):
        total.update({"x": x, "y": np.where(np.arange(168).reshape(24, 7) == 15, np.nan, y)})
    assert total.items == 24
    assert total.scores().values[0, 1] == pytest.approx(cka(x, y), abs=1e-12)


# ── Feature space ────────────────────────────────────────────────────────────────────────────────────


def gathered(some, work=FLOAT64, size=50):
    found = LinearKernels([one.shape[1] for one in some], len(some[0]), work)
    for start in range(0, len(some[0]), size):
        found.update([one[start : start + size] for one in some])
    return found


def many(items=300):
    """Of several widths, far from zero, and drifting: the mean of the first items is not that of all."""
    noise = np.random.default_rng(2)
    x = noise.normal(size=(items, 6)) + np.linspace(0, 4, items)[:, None]
    return [
        x,
        x[:, :3] + 1000,
        x @ noise.normal(size=(6, 9)) + 5 * noise.normal(size=(items, 9)),
        noise.normal(size=(items, 1)),
    ]


@pytest.mark.parametrize("estimator", ["debiased", "biased"])
@pytest.mark.parametrize(("work", "tolerance"), [(FLOAT64, 1e-10), (FLOAT32, 1e-6)])
@pytest.mark.parametrize("size", [1, 7, 50, 300])
def test_feature_space_form_is_the_matrix_of_items(estimator, work, tolerance, size):
    some = many()
    expected = [[cka(x, y, estimator=estimator) for y in some] for x in some]
    np.testing.assert_allclose(gathered(some, work, size).scores(estimator), expected, rtol=0, atol=tolerance)


def test_feature_space_inner_products_are_those_of_the_definitions():
    some = many(40)
    h = centring(40)
    for i, x in enumerate(some):
        for j, y in enumerate(some):
            biased = np.sum((h @ x @ x.T @ h) * (h @ y @ y.T @ h))
            assert gathered(some).inner("biased")[i, j] == pytest.approx(biased, rel=1e-9)
            unbiased = 40 * 37 * hsic1((h @ x) @ (h @ x).T, (h @ y) @ (h @ y).T)
            assert gathered(some).inner()[i, j] == pytest.approx(unbiased, rel=1e-8, abs=1e-6)


def test_feature_space_form_has_no_matrix_of_items():
    """100,000 items would be 80 GB of it; noise stays noise, and a rotation is seen."""
    noise = np.random.default_rng(3)
    found = LinearKernels([4, 4, 4], 100_000)
    for _ in range(10):
        x = noise.normal(size=(10_000, 4))
        found.update([x, x[:, ::-1], noise.normal(size=(10_000, 4))])
    np.testing.assert_allclose(found.scores(), [[1, 1, 0], [1, 1, 0], [0, 0, 1]], atol=1e-3)


def test_constant_representation_in_feature_space_is_nan():
    x, y = draw(items=200)
    for work in (FLOAT64, FLOAT32):
        for estimator in ("debiased", "biased"):
            scores = gathered([x, np.full_like(x, 0.1), y], work).scores(estimator)
            assert np.isnan(scores[1]).all()
            assert scores[0, 2] == pytest.approx(cka(x, y, estimator=estimator), abs=1e-6)


def test_chunks_that_do_not_fit():
    x, y = draw()
    for widths in ([], [3, 0]):
        with pytest.raises(SpecificationError, match="every representation has at least one unit"):
            LinearKernels(widths, 4)
    found = LinearKernels([5, 7], 24)
    for chunk in ([x], [y, x], [x, y[1:]]):
        with pytest.raises(ShapeError, match=r"the same items of representations of widths \(5, 7\), got"):
            found.update(chunk)
    with pytest.raises(DataError, match="representation 1 has 168 values that are not finite"):
        found.update([x, y * np.nan])
    found.update([x[:20], y[:20]])
    with pytest.raises(ShapeError, match="20 items were given, and 24 were announced"):
        found.scores()
    found.update([x[20:], y[20:]])
    assert found.scores()[0, 1] == pytest.approx(cka(x, y), abs=1e-12)
    with pytest.raises(UnknownName, match="unknown estimator"):
        found.inner("unbiased")
    with pytest.raises(ShapeError, match="to debias needs 4 items, got 3"):
        gathered([x[:3], y[:3]]).inner()


def test_distances_of_equal_items_are_zero():
    """The root of what rounding leaves of |a|² + |b|² − 2 a·b would be 1e-8."""
    x = np.repeat(np.random.default_rng(4).normal(size=(10, 300)) * 100, 2, axis=0)
    found = DistanceCorrelation("biased").matrix(x, FLOAT64)
    d = squareform(pdist(x))
    np.testing.assert_array_equal(squared_distances(x) == 0, d == 0)
    np.testing.assert_allclose(np.sqrt(squared_distances(x)), d, atol=1e-9)
    h = centring(20)
    np.testing.assert_allclose(found, h @ d @ h / np.linalg.norm(h @ d @ h), atol=1e-14)


def test_distances_of_items_far_from_zero_keep_their_digits():
    """|a|² + |b|² − 2 a·b of items a million away would be off by 1e-4."""
    x = np.random.default_rng(5).normal(size=(12, 4)) + 1e6
    np.testing.assert_allclose(squared_distances(x), squareform(pdist(x, "sqeuclidean")), rtol=1e-11, atol=1e-12)
