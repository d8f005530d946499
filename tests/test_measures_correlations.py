"""Canonical correlations: against principal angles, chance in closed form, and the definition of their weights."""

import numpy as np
import pytest
from scipy.linalg import subspace_angles

from syzygy.errors import SpecificationError, UnknownName
from syzygy.linalg import FLOAT32
from syzygy.measures.correlations import CCA, SVCCA, SquaredCCA, SquaredSVCCA, cca, svcca
from syzygy.measures.directions import directions
from syzygy.measures.pwcca import PWCCA, pwcca

EVERY = (CCA(), SquaredCCA(), SVCCA(0.8), SquaredSVCCA(0.8), PWCCA())


def drawn(seed, items=40, widths=(5, 5, 9)):
    draw = np.random.default_rng(seed)
    shared = draw.normal(size=(items, 3))
    return [shared @ draw.normal(size=(3, p)) + draw.normal(size=(items, p)) for p in widths]


def correlations(x, y):
    """Cosines of SciPy's principal angles."""
    return np.sort(np.cos(subspace_angles(x - x.mean(axis=0), y - y.mean(axis=0))))[::-1]


def weighted(x, y):
    """Projection weighting, written out: directions of the first, and the sum of their products with its units."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    (qx, _), (qy, _) = np.linalg.qr(x), np.linalg.qr(y)
    u, rho, _ = np.linalg.svd(qx.T @ qy)
    directions = qx @ u
    weights = [sum(abs(directions[:, i] @ x[:, j]) for j in range(x.shape[1])) for i in range(len(rho))]
    return np.dot(weights, rho) / np.sum(weights)


def test_mean_and_mean_squared_of_the_cosines_of_principal_angles():
    some = drawn(0)
    for x in some:
        for y in some:
            rho = correlations(x, y)
            assert len(rho) == min(x.shape[1], y.shape[1])
            assert cca(x, y) == pytest.approx(rho.mean(), abs=1e-12)
            assert cca(x, y, mean="mean_squared") == pytest.approx((rho**2).mean(), abs=1e-12)


@pytest.mark.parametrize(
    "measure", [CCA(), SquaredCCA(), SVCCA(0.8), SquaredSVCCA(0.8), PWCCA()], ids=lambda m: m.label
)
def test_all_pairs_are_the_double_loop(measure):
    some = [*drawn(1), *drawn(2, widths=(1, 60, 9))]
    loop = np.array([[measure(x, y) for y in some] for x in some])
    np.testing.assert_allclose(np.diag(loop), 1, atol=1e-12)
    for work, within in ((FLOAT32, 1e-6), (None, 1e-10)):
        arguments = () if work is None else (work,)
        prepared = [measure.prepare(x, *arguments) for x in some]
        np.testing.assert_allclose(measure.block(prepared, None, *arguments), loop, atol=within)
    order = np.random.default_rng(0).permutation(40)
    shuffled = [measure.permuted(one, order) for one in prepared]
    truth = [[measure(x, y[order]) for y in some] for x in some]
    np.testing.assert_allclose(measure.block(prepared, shuffled), truth, atol=1e-10)


@pytest.mark.parametrize("measure", [CCA(), SquaredCCA(), SVCCA(), PWCCA()], ids=lambda m: m.label)
def test_no_directions_are_like_none(measure):
    x = drawn(3)[0]
    prepared = [measure.prepare(one) for one in (x, np.full((40, 3), 0.3))]
    np.testing.assert_array_equal(np.isnan(measure.block(prepared)), [[False, True], [True, True]])


def test_one_rank_of_all_items_makes_everything_alike():
    """A space of n − 1 directions holds every other; the measures say so of themselves."""
    draw = np.random.default_rng(4)
    for width in (9, 30):  # ten items have nine directions
        wide, narrow = draw.normal(size=(10, width)), draw.normal(size=(10, 2))
        for measure in (CCA(), SquaredCCA(), PWCCA(), SVCCA(1.0)):
            assert measure(wide, narrow) == pytest.approx(1, abs=1e-12)
            assert measure(narrow, wide) == pytest.approx(1, abs=1e-12)
            assert measure.whitens
            assert "1 as soon as one rank is n − 1" in measure.luck
    short = draw.normal(size=(10, 8))
    assert cca(short, narrow) < 1 - 1e-6


def test_mean_squared_correlation_of_shuffled_items_is_in_closed_form():
    """tr P tr Q/(n − 1), over the smaller rank: over permutations, and for independent data."""
    x, _, y = drawn(5)
    squared = SquaredCCA()
    a, b = squared.prepare(x), squared.prepare(y)
    assert squared.chance([a], [b]).mean[0, 0] == pytest.approx(5 * 9 / 39, rel=1e-12)
    draw = np.random.default_rng(5)
    p, q = directions(x, 1e-6)[0], directions(y, 1e-6)[0]
    scores = np.array([np.sum((p.T @ q[draw.permutation(40)]) ** 2) for _ in range(4000)])
    band = 4 / np.sqrt(4000) * scores.std()
    assert scores.mean() == pytest.approx(5 * 9 / 39, abs=band)
    assert scores.std() == pytest.approx(squared.chance([a], [b]).spread[0, 0], rel=0.06)
    independent = [cca(*draw.normal(size=(2, 40, 5)), mean="mean_squared") for _ in range(400)]
    assert np.mean(independent) == pytest.approx(5 / 39, abs=4 * np.std(independent) / 20)


def test_svcca_keeps_as_few_components_as_carry_the_variance():
    """Of variances 6, 3, 1: one carries .6, two .9, three all."""
    draw = np.random.default_rng(6)
    u, _ = np.linalg.qr(np.c_[np.ones(30), draw.normal(size=(30, 3))])
    x, y = u[:, 1:] * np.sqrt([6, 3, 1]), draw.normal(size=(30, 4))
    for share, kept in ((0.5, 1), (0.6, 1), (0.61, 2), (0.9, 2), (0.91, 3), (1.0, 3)):
        assert SVCCA(share).basis(x).shape == (30, kept)
    whole = directions(y, 1e-6)[0]
    rho = correlations(x[:, :2], whole)
    assert svcca(x, y, variance=0.9) != pytest.approx(cca(x, y))
    leading = SVCCA(0.9).basis(y)
    rho = correlations(x[:, :2], leading)
    assert svcca(x, y, variance=0.9) == pytest.approx(rho.mean(), abs=1e-12)
    assert svcca(x, y, variance=0.9, mean="mean_squared") == pytest.approx((rho**2).mean(), abs=1e-12)
    assert svcca(x, y, variance=1.0) == pytest.approx(cca(x, y), abs=1e-12)


def test_rounding_of_float32_is_no_direction():
    """Activations of rank four, stored in float32, have twenty directions to the last digit and four above it."""
    draw = np.random.default_rng(7)
    x = draw.normal(size=(60, 4)) @ draw.normal(size=(4, 20))
    y = x @ draw.normal(size=(20, 20))
    stored = [one.astype(np.float32) for one in (x, y)]
    assert directions(stored[0].astype(float), 1e-6)[0].shape == (60, 4)
    assert directions(stored[0].astype(float), 1e-12)[0].shape == (60, 20)
    assert cca(*stored) == pytest.approx(1, abs=1e-9)
    assert cca(*stored, tolerance=1e-12) < 0.8


def test_projection_weighting_is_the_original_definition():
    x, y, z = drawn(8)
    for a, b in ((x, y), (y, x), (x, z), (z, x)):
        assert pwcca(a, b) == pytest.approx(weighted(a, b), abs=1e-12)
    assert not PWCCA().symmetric
    assert pwcca(x, y) != pytest.approx(pwcca(y, x), abs=1e-3)


def test_weights_are_those_of_the_first():
    """Two orthogonal units of lengths 3 and 1, of which the other has one: the weight of it is a share of 4."""
    u, _ = np.linalg.qr(np.c_[np.ones(20), np.random.default_rng(9).normal(size=(20, 3))])
    x, long, short = u[:, 1:3] * [3, 1], u[:, [1, 3]], u[:, [2, 3]]
    assert pwcca(x, long) == pytest.approx(3 / 4, abs=1e-12)
    assert pwcca(x, short) == pytest.approx(1 / 4, abs=1e-12)
    assert pwcca(long, x) == pytest.approx(1 / 2, abs=1e-12)


def test_options_out_of_range_are_refused():
    x, y, _ = drawn(10)
    for call in (cca, svcca):
        with pytest.raises(UnknownName, match="unknown mean 'median'"):
            call(x, y, mean="median")
    for make in (CCA, SquaredCCA, PWCCA, lambda share: SVCCA(0.9, share), lambda share: SquaredSVCCA(0.9, share)):
        with pytest.raises(SpecificationError, match="tolerance must lie between 0 and 1, got 1"):
            make(1)
    with pytest.raises(SpecificationError, match=r"variance is the share that is kept, .* got 1\.1"):
        SVCCA(1.1)


def test_names_elsewhere():
    found = [m.alias for m in (CCA(), SquaredCCA(), SVCCA(), SquaredSVCCA(), PWCCA())]
    assert found == ["cca-score", "cca-squared_score", "svcca-var=0.99-score", None, "pwcca-score"]
