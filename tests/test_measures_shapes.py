"""Products of factors, and distances of shapes: against full decompositions, matrix roots, and one another."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes, qr, sqrtm

from syzygy.errors import DataError, ShapeError, SpecificationError, UnknownName
from syzygy.linalg import FLOAT32, FLOAT64, Work
from syzygy.measures import factors
from syzygy.measures.correlations import CCA, cca
from syzygy.measures.directions import directions, rotated
from syzygy.measures.shapes import NEAR, Bures, Procrustes, Shape, bures, procrustes, shape

WIDTHS = (1, 3, 8, 12, 30, 60)


def drawn(seed, items=20, widths=WIDTHS):
    """Representations of the same items, narrow and wide, that share something."""
    draw = np.random.default_rng(seed)
    shared = draw.normal(size=(items, 4))
    return [shared @ draw.normal(size=(4, p)) + draw.normal(size=(items, p)) * 0.7 ** np.arange(p) for p in widths]


def normed(x):
    x = x - x.mean(axis=0)
    return x / np.linalg.norm(x)


def padded(x, y):
    width = max(x.shape[1], y.shape[1])
    return (np.pad(one, ((0, 0), (0, width - one.shape[1]))) for one in (x, y))


def turned(x, y):
    """Distance of configurations, the one turned by SciPy's solution of the orthogonal Procrustes problem."""
    x, y = padded(normed(x), normed(y))
    rotation, _ = orthogonal_procrustes(x, y)
    return np.linalg.norm(x @ rotation - y)


def whitened(x, alpha):
    """The definition: singular values mixed by a matrix root, which scaled by their root mean square."""
    x = x - x.mean(axis=0)
    gram = x.T @ x
    values, axes = np.linalg.eigh(gram)
    root = axes @ np.diag(values**-0.5) @ axes.T
    return x @ (alpha * np.eye(len(gram)) + (1 - alpha) * root * np.sqrt(np.trace(gram) / len(gram)))


def every_measure():
    return (Procrustes(), Procrustes("euclidean"), Procrustes("score"), Bures(), Shape(0.0), Shape(0.3), CCA())


def rotation(draw, size):
    return qr(draw.normal(size=(size, size)))[0]


# ── Factors ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("x", drawn(0))
def test_the_factor_is_one_of_the_centred_kernel(x):
    """To rounding of the kernel and not of its root; never more columns than items less one."""
    factor, centred = rotated(x) * np.abs(x).max(), x - x.mean(axis=0)
    assert factor.shape[1] == min(x.shape[1], len(x) - 1)
    np.testing.assert_allclose(factor @ factor.T, centred @ centred.T, atol=1e-13 * np.sum(centred**2))
    np.testing.assert_allclose(np.linalg.norm(factor, axis=0), np.linalg.svd(centred)[1][: factor.shape[1]], rtol=1e-9)


def test_directions_that_do_not_vary_are_left_out():
    draw = np.random.default_rng(1)
    x = draw.normal(size=(20, 4)) @ draw.normal(size=(4, 30))
    for rank, some in (
        (4, x),
        (4, x + 100),
        (4, np.hstack([x, np.full((20, 9), 0.1)])),
        (2, x[:, :2].repeat(3, axis=1)),
    ):
        assert Procrustes().prepare(some)["factor"].shape == (20, rank)
        assert directions(some, 1e-6)[0].shape == (20, rank)
    same = np.tile(draw.normal(size=40), (37, 1))  # whose mean is rounded
    assert rotated(same).shape == directions(same, 1e-6)[0].shape == (37, 0)
    graded = np.linalg.qr(x[:, :3] - x[:, :3].mean(axis=0))[0] * [1, 1e-3, 1e-5]
    assert [directions(graded, share)[0].shape[1] for share in (5e-6, 2e-5, 2e-3)] == [3, 2, 1]
    # In float32 what is below its rounding is left out too.
    faint = x + 1e-9 * draw.normal(size=x.shape)
    assert Procrustes().prepare(faint, FLOAT32)["factor"].shape == (20, 4)
    assert Procrustes().prepare(faint, FLOAT64)["factor"].shape == (20, 19)


@pytest.mark.parametrize("measure", every_measure(), ids=lambda m: m.label)
def test_all_pairs_are_the_double_loop(measure):
    some = [*drawn(2), *drawn(3, widths=(8, 8, 40))]
    for work, within in ((FLOAT64, 1e-10), (FLOAT32, 1e-6)):
        prepared = [measure.prepare(x, work) for x in some]
        every = measure.block(prepared, None, work)
        loop = [[0.0 if x is y and measure.kind == "distance" else measure(x, y) for y in some] for x in some]
        np.testing.assert_allclose(every, loop, atol=within)
        np.testing.assert_array_equal(every, every.T)
        np.testing.assert_allclose(measure.block(prepared[2:5], prepared, work), every[2:5], atol=1e-12)
        np.testing.assert_allclose(np.diag(every), measure.best, atol=1e-12)


def test_batches_are_bounded_and_change_nothing(monkeypatch):
    sizes = []

    class Counting(Work):
        def singular_values(self, matrices, within=0.0):
            if within:
                sizes.append(matrices.nbytes)
            return super().singular_values(matrices, within)

    prepared = [Procrustes().prepare(x) for x in drawn(4, widths=(8,) * 12 + (60,) * 9 + (5,))]
    whole = Procrustes().block(prepared, None, Counting())
    assert len(sizes) == 22 + 12 + 21  # of each rank, one for all that stand before or are the last of it
    sizes.clear()
    monkeypatch.setattr(factors, "BATCH", 20_000)
    np.testing.assert_allclose(Procrustes().block(prepared, None, Counting()), whole, atol=1e-12)
    assert max(sizes) <= 20_000
    assert len(sizes) > 60


@pytest.mark.parametrize("decay", [1.0, 0.9, 0.5, 0.1])
def test_roots_of_eigenvalues_are_taken_only_where_they_are_good_enough(decay):
    """Sums of singular values are known: matrices are made of them.  Flat ones need no second decomposition."""
    draw = np.random.default_rng(14)
    values = decay ** np.arange(24.0)
    matrices = np.stack([rotation(draw, 30)[:, :24] * values @ rotation(draw, 24) for _ in range(3)])
    for some in (matrices, matrices.transpose(0, 2, 1), matrices * 1e-200):
        truth = np.full(3, values.sum() * np.abs(some).max() / np.abs(matrices).max())
        for within in (0.0, 1e-11, 1e-7):
            found = FLOAT64.singular_values(some, within * truth[0])
            np.testing.assert_allclose(found.sum(axis=1), truth, rtol=max(within, 1e-14))
            assert (np.diff(found) <= 0).all()
    _, off = FLOAT64._roots(matrices)
    roots = FLOAT64._roots(matrices)[0]
    assert (np.abs(roots.sum(axis=1) - values.sum()) <= off).all()
    assert (off < 1e-8).all() == (decay >= 0.9)
    assert not FLOAT64.singular_values(np.zeros((2, 3, 4)), 1e-7).any()


def test_a_representation_that_does_not_vary_is_like_none():
    x, y = drawn(5, widths=(8, 12))
    for measure in every_measure():
        prepared = [measure.prepare(one) for one in (x, np.full((20, 3), 0.1), y)]
        scores = measure.block(prepared)
        assert np.isnan(scores[1]).all()
        assert np.isnan(scores[:, 1]).all()
        assert np.isfinite(scores[np.ix_([0, 2], [0, 2])]).all()
        with pytest.raises(DataError, match="all 20 items of y are the same"):
            measure(x, np.zeros((20, 3)))


@pytest.mark.parametrize("measure", every_measure(), ids=lambda m: m.label)
def test_permuted_is_what_would_have_been_prepared(measure):
    x, y = drawn(6, widths=(8, 40))
    order = np.random.default_rng(0).permutation(20)
    shuffled = measure.permuted(measure.prepare(y), order)
    np.testing.assert_allclose(measure.block([measure.prepare(x)], [shuffled])[0, 0], measure(x, y[order]), atol=1e-10)


# ── Procrustes and Bures ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("x", "y"), list(product(drawn(7), repeat=2)))
def test_procrustes_is_what_is_left_after_the_best_rotation(x, y):
    assert procrustes(x, y, form="euclidean") == pytest.approx(turned(x, y), abs=1e-7 if x is y else 1e-12)
    cosine = procrustes(x, y, form="score")
    assert np.cos(procrustes(x, y)) == pytest.approx(cosine, abs=1e-12)
    assert procrustes(x, y, form="euclidean") == pytest.approx(np.sqrt(max(2 - 2 * cosine, 0)), abs=1e-7)


def test_cosine_of_procrustes_is_the_bures_similarity_of_kernels():
    """tr (K^½ L K^½)^½ with SciPy's matrix root."""
    draw = np.random.default_rng(8)
    x, y = draw.normal(size=(7, 9)), draw.normal(size=(7, 12))
    k, other = (normed(one) @ normed(one).T for one in (x, y))
    jitter = 1e-15 * np.eye(7)  # SciPy's root wants regular matrices
    root = sqrtm(k + jitter).real
    fidelity = np.trace(sqrtm(root @ other @ root + jitter).real)
    assert bures(x, y, form="score") == pytest.approx(fidelity, abs=1e-6)
    assert np.cos(procrustes(x, y)) == pytest.approx(bures(x, y, form="score"), abs=1e-12)
    assert bures(x, y) ** 2 == pytest.approx(np.trace(k) + np.trace(other) - 2 * fidelity, abs=2e-6)
    assert bures(x, y, form="angular") == pytest.approx(procrustes(x, y), abs=1e-12)


@pytest.mark.parametrize("step", [1e-1, 1e-4, 1e-7, 1e-10, 1e-13])
def test_small_distances_keep_their_digits(step):
    """Axes stay and lengths change: the distance is that of the lengths, and 1 − cos has no digits left of it."""
    draw = np.random.default_rng(9)
    u, _ = np.linalg.qr(draw.normal(size=(40, 6)) - draw.normal(size=(40, 6)).mean(axis=0))
    u, _ = np.linalg.qr(u - u.mean(axis=0))
    lengths, change = np.arange(6.0, 0, -1), np.array([1.0, -1, 2, 0, 1, 1])
    one, other = lengths, lengths + step * change
    truth = 2 * np.arcsin(np.linalg.norm(one / np.linalg.norm(one) - other / np.linalg.norm(other)) / 2)
    x, y = u * one, (u * other) @ rotation(draw, 6)
    assert procrustes(x, y) == pytest.approx(truth, rel=1e-6, abs=3e-15)
    prepared = [Procrustes().prepare(z, FLOAT32) for z in (x, y)]
    assert Procrustes().block(prepared, None, FLOAT32)[0, 1] == pytest.approx(truth, abs=2e-7)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["angular", "euclidean"]), st.sampled_from([0.0, 0.4, 1.0]),
       st.floats(1e-6, 1), st.tuples(*3 * [st.sampled_from([1, 2, 4, 9, 15])]))  # fmt: skip
def test_the_triangle_inequality(seed, form, alpha, noise, widths):
    """For representations near to and far from one another, of any widths."""
    draw = np.random.default_rng(seed)
    source = draw.normal(size=(10, 15))
    some = [source[:, :p] + noise * draw.normal(size=(10, p)) for p in widths]
    assert Shape(alpha, form).metric
    d = Shape(alpha, form).block([Shape(alpha, form).prepare(x) for x in some])
    for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        assert d[a, b] <= d[a, c] + d[c, b] + 1e-9


def test_a_score_is_no_metric():
    assert not Procrustes("score").metric
    assert not Bures("score").metric
    assert (Procrustes("score").kind, Procrustes().kind) == ("similarity", "distance")


def test_float32_keeps_its_promise_where_angles_are_small():
    """What is left out, rounded and let off together stays below 1e-6 of any angle; of these, a tenth of it."""
    draw = np.random.default_rng(16)
    x, beside = draw.normal(size=(2, 300, 60))
    for step in (3e-6, 1e-3, 0.015, 0.025, 0.04, 0.1):
        y = (x + step * beside) @ rotation(draw, 60)
        prepared = [Procrustes().prepare(one, FLOAT32) for one in (x, y, np.hstack([x, 3 * step * beside[:, :1]]))]
        found = Procrustes().block(prepared, None, FLOAT32)[0, 1:]
        truth = [procrustes(x, y), procrustes(x, np.hstack([x, 3 * step * beside[:, :1]]))]
        np.testing.assert_allclose(found, truth, atol=1e-7)


@pytest.mark.parametrize(("dtype", "promise"), [("float64", 1e-10), ("float32", 1e-6)])
def test_what_sums_may_be_off_keeps_the_promise_of_the_smallest_angle_that_is_made_of_them(dtype, promise):
    found = []

    class Recording(Work):
        def singular_values(self, matrices, within=0.0):
            found.append(within)
            return super().singular_values(matrices, within)

    prepared = [
        {"factor": one["factor"] * 3, "norm2": one["norm2"] * 9} for one in map(Procrustes().prepare, drawn(17))
    ]
    Procrustes().block(prepared, None, Recording(dtype))
    norms = max(float(one["norm2"]) for one in prepared)
    assert 0 < max(found) / norms <= promise * np.sqrt(2 * NEAR)


# ── Shapes ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("alpha", [0.0, 0.2, 0.7, 1.0])
def test_shape_is_procrustes_of_what_is_whitened_in_part(alpha):
    for x, y in product(drawn(10, items=60, widths=(3, 8, 12)), repeat=2):
        if x is not y:
            truth = turned(whitened(x, alpha), whitened(y, alpha))
            assert shape(x, y, alpha=alpha, form="euclidean") == pytest.approx(truth, abs=1e-10)


def test_the_ends_are_procrustes_and_canonical_correlation():
    some = drawn(11, items=40, widths=(8, 8, 12, 60))
    for x, y in product(some, repeat=2):
        assert shape(x, y, alpha=1) == pytest.approx(procrustes(x, y), abs=1e-7)
    x, y, z, _ = some
    assert np.cos(shape(x, y, alpha=0)) == pytest.approx(cca(x, y), abs=1e-12)
    assert shape(x, z, alpha=0, form="score") == pytest.approx(cca(x, z) * 8 / np.sqrt(8 * 12), abs=1e-12)


def test_what_is_whitened_forgets_any_linear_map_and_what_is_not_does_not():
    draw = np.random.default_rng(12)
    (x,) = drawn(12, widths=(5,))
    mapped = x @ draw.normal(size=(5, 5)) + 3
    assert shape(x, mapped, alpha=0) == pytest.approx(0, abs=1e-12)
    assert shape(x, mapped, alpha=0.1) > 0.01
    for alpha in (0.1, 0.5, 1):  # turned, scaled and moved; whitening does not know the scale
        assert shape(x, 1e3 * x @ rotation(draw, 5) - 2, alpha=alpha) == pytest.approx(0, abs=1e-12)
    assert [Shape(alpha).whitens for alpha in (0.0, 0.1, 1.0)] == [True, False, False]
    assert "linear" in Shape(0.0).invariances
    assert "linear" not in Shape(0.1).invariances


def test_whitened_everything_is_alike_once_units_reach_the_items():
    x, y = np.random.default_rng(13).normal(size=(2, 10, 12))
    assert shape(x, y, alpha=0) == pytest.approx(0, abs=1e-10)
    assert procrustes(x, y) > 0.3


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Shape(1.5), r"alpha goes from 0 \(whitened\) to 1 \(as it is\), got 1.5"),
    (lambda: Shape(tolerance=0.0), "tolerance must lie between 0 and 1, got 0.0"),
    (lambda: Shape(form="angle"), "unknown form 'angle'; did you mean angular"),
    (lambda: Procrustes("arc"), "unknown form 'arc'"),
    (lambda: Bures("root"), "unknown form 'root'")])  # fmt: skip
def test_options_out_of_range_are_refused(make, message):
    with pytest.raises(UnknownName if "form" in message else SpecificationError, match=message):
        make()


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e300])
def test_very_small_and_very_large_numbers(scale):
    x, y = drawn(15, widths=(8, 30))
    for measure in every_measure():
        assert measure(scale * x, y) == pytest.approx(measure(x, y), abs=1e-12)


def test_two_items_are_too_few():
    with pytest.raises(ShapeError, match="procrustes needs 3 items, x has 2"):
        procrustes(np.eye(2), np.eye(2))


def test_names_elsewhere():
    assert Procrustes().alias == "procrustes-distance=angular"
    assert Bures("score").alias == Procrustes("score").alias == "nbs-score"
    assert Shape(0.0).alias == "shape_metric-alpha=0-distance=angular"
    assert Shape().alias is None
    assert Bures().alias is None
