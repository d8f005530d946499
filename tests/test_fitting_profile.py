"""Profiles against curvature where it is exact, against scipy along the valley, and where rates cannot be told."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from noisy import BASE, STARTS, clean, coverage, noisy, recorded
from syzygy.errors import SpecificationError
from syzygy.fitting import fit_pairs, profile_rates
from syzygy.fitting.certainty.intervals import covariance
from syzygy.fitting.problems import CURVES, Problems
from syzygy.theory import PairState, PairTheory

NAMES = ("eta_h", "eta_y", "ratio", "product")
#: What log eta_h and log eta_y are multiplied with.
SIGNS = {"eta_h": (1, 0), "eta_y": (0, 1), "ratio": (1, -1), "product": (1, 1)}


def spread(fit, scaling="curve"):
    """Covariance of the two log rates."""
    problems, theta = Problems(fit.curves, scaling), rates(fit)
    found, _ = covariance(problems.residuals(problems.usable), theta, problems.there, 3)
    return found


def rates(fit):
    return np.log(np.stack([fit.eta_h.value.ravel(), fit.eta_y.value.ravel()], axis=1))


# Where curvature is exact


@pytest.mark.parametrize("name", STARTS)
@pytest.mark.parametrize("scaling", ["curve", "none"])
def test_profiles_are_the_curvature_where_noise_is_tiny(name, scaling):
    """To 0.1%: the theory is a straight line over noise of a ten thousandth."""
    fit = fit_pairs(recorded(name, 200, 1e-4, networks=3, seed=2), scaling=scaling)
    found = profile_rates(fit, scaling=scaling, points=0)
    half = np.log(fit.eta_h.high / fit.eta_h.value).ravel()
    student = half / np.sqrt(spread(fit, scaling)[:, 0, 0])
    for quantity, signs in SIGNS.items():
        interval = getattr(found, quantity)
        expected = student * np.sqrt(np.einsum("p,npq,q->n", signs, spread(fit, scaling), signs))
        best = np.exp(rates(fit) @ signs)
        np.testing.assert_allclose(interval.value.ravel(), best, rtol=1e-12)
        np.testing.assert_allclose(np.log(interval.high / interval.value).ravel(), expected, rtol=1e-3)
        np.testing.assert_allclose(np.log(interval.value / interval.low).ravel(), expected, rtol=1e-3)
    assert found.identified.all()
    assert found.grid == found.fall == found.other == {}


# Along the valley


@pytest.mark.parametrize("name", ["eta_h", "ratio"])
def test_a_profile_is_what_scipy_finds_along_the_valley(name):
    """From noise so large that the valley bends: the fall, the other quantity, and where the interval ends."""
    fit = fit_pairs(recorded("balanced", 60, 0.5, seed=7))
    found = profile_rates(fit, points=9)
    problems, best = Problems(fit.curves, "curve"), rates(fit)[0]
    residuals = problems.residuals(problems.usable)
    turn = {"eta_h": np.eye(2), "ratio": np.array([[0.5, -0.5], [0.5, 0.5]])}[name]
    signs, across = SIGNS[name], {"eta_h": (0, 1), "ratio": (1, 1)}[name]

    def lowest(moved):
        def cost(followed):
            return np.sum(residuals((best + moved * turn[0] + followed * turn[1])[None], np.array([0])) ** 2)

        return minimize_scalar(cost, (-0.1, 0.1), tol=1e-10)

    covered = spread(fit)[0]
    shape = np.linalg.inv(hessian(residuals, best))
    noise = (signs @ covered @ signs) / (signs @ shape @ signs)
    for value, fall, other in zip(found.grid[name][0, 0], found.fall[name][0, 0], found.other[name][0, 0], strict=True):
        minimum = lowest(np.log(value) - best @ signs)
        assert fall == pytest.approx((minimum.fun - fit.objective.item()) / (2 * noise), rel=1e-4, abs=1e-6)
        assert np.log(other) == pytest.approx(best @ across + minimum.x, abs=1e-4)
    interval = getattr(found, name)
    for end, side in ((interval.low, -1), (interval.high, 1)):
        distance = brentq(
            lambda x, side=side: lowest(side * x).fun - fit.objective.item() - 2 * noise * found.level.item(), 1e-3, 9
        )
        assert side * np.log(end / interval.value).item() == pytest.approx(distance, rel=1e-3)
    sides = np.log(interval.high / interval.value) / np.log(interval.value / interval.low)
    assert abs(sides - 1) > 0.01  # it does bend


def hessian(residuals, best, step=1e-5):
    """Half the second derivatives of a sum of squares by those of its residuals."""
    slopes = []
    for parameter in range(2):
        shift = step * np.eye(2)[parameter]
        ends = [residuals((best + sign * shift)[None], np.array([0]))[0] for sign in (1, -1)]
        slopes.append((ends[0] - ends[1]) / (2 * step))
    return np.array(slopes) @ np.array(slopes).T


def test_drawn_profiles_are_centred_on_the_best_and_go_beyond_the_interval():
    found = profile_rates(fit_pairs(recorded("rich", 100, 0.05, networks=3, seed=1)), points=21)
    for name in NAMES:
        interval, grid, fall = getattr(found, name), found.grid[name], found.fall[name]
        assert grid.shape == fall.shape == found.other[name].shape == (3, 1, 21)
        assert np.all(np.diff(grid) > 0)
        np.testing.assert_allclose(grid[..., 10], interval.value)
        np.testing.assert_array_equal(fall[..., 10], 0)
        assert np.all(fall[..., [0, -1]] > found.level[..., None])
        assert np.all((grid[..., 0] < interval.low) & (interval.high < grid[..., -1]))
    # A point on the one valley is one on the others: the ratio and the product of two rates are theirs.
    np.testing.assert_allclose(found.other["ratio"][..., 10], found.product.value)
    np.testing.assert_allclose(found.other["eta_y"][..., 10], found.eta_h.value)


# What is not identified


def test_the_end_of_learning_tells_the_ratio_and_no_rate():
    """A start, and records from when all is over: where it ends depends on the ratio, and that it is over on neither.

    Rates must have been fast enough, so they are limited from below; the curvature sees no valley without end.
    """
    theory, start, _ = STARTS["balanced"]
    curves = clean(theory, start, np.concatenate([[0.0], np.linspace(600, 900, 60)]))
    found = profile_rates(fit_pairs(noisy(curves, 0.02, networks=20, seed=1)))
    for rate, truth in ((found.eta_h, 0.03), (found.eta_y, 0.06), (found.product, 0.0018)):
        assert np.isinf(rate.high).all()
        assert np.all((rate.low > 0) & (rate.low < truth))
    assert not found.identified.any()
    assert np.all((found.ratio.low > 0.45) & (found.ratio.high < 0.55))
    assert coverage(found.ratio, 0.5) >= 0.8
    # The valley of eta_h is a straight line, eta_y = 2·eta_h, and level.
    beyond = found.grid["eta_h"] > 1
    assert beyond.any()
    np.testing.assert_allclose((found.other["eta_h"] / found.grid["eta_h"])[beyond], 2, rtol=0.05)
    assert np.all(found.fall["eta_h"][beyond] < np.broadcast_to(found.level[..., None], beyond.shape)[beyond])


def test_an_encoder_that_does_not_matter_has_no_lower_limit():
    """A frozen representation: ‖dh‖² stays, so the encoder is slow, and how slow is not seen.

    Chance gives one in forty a lower limit; at most two in ten here.
    """
    theory = PairTheory(1e-30, 0.06, 1.0, 0.5)
    start = PairState(1.0, 0.01, 0.01 - np.sqrt(0.005))
    curves = noisy(clean(theory, start, np.linspace(0, 400, 100)), 0.01, networks=10, seed=3)
    found = profile_rates(fit_pairs(curves), points=0)
    unlimited = found.eta_h.low == 0
    assert unlimited.sum() >= 8
    assert np.all(found.eta_h.high < 2e-3)
    np.testing.assert_array_equal(found.ratio.low[unlimited], 0)
    assert np.all((found.eta_y.low > 0.057) & (found.eta_y.high < 0.063))
    np.testing.assert_array_equal(found.identified, ~unlimited)


def test_a_bare_plateau_tells_neither_rate():
    """Before anything has moved beyond the noise: most have no limit on some side, and no two limits are close."""
    theory, start, last = STARTS["tiny start"]
    curves = noisy(clean(theory, start, np.linspace(0, 0.06 * last, 40)), 3.0, networks=10, seed=2)
    fit = fit_pairs(curves)
    assert fit.fitted.all()
    found = profile_rates(fit, points=0)
    assert found.identified.sum() <= 4
    assert not np.any((found.eta_h.high < 2 * found.eta_h.low) & (found.eta_y.high < 2 * found.eta_y.low))


# Coverage


@pytest.mark.parametrize("name", ["rich", "balanced", "decoder-lazy"])
def test_profiles_cover_the_true_rates(name):
    """Of 200 trajectories with 50 records of white noise: 0.95 less three binomial errors, and no more than 0.99."""
    fit = fit_pairs(recorded(name, 50, 0.1, networks=200, seed=21))
    found = profile_rates(fit, points=0)
    for quantity, truth in (("eta_h", 0.03), ("eta_y", 0.06), ("ratio", 0.5), ("product", 0.0018)):
        assert 0.9 <= coverage(getattr(found, quantity), truth) <= 0.99


def test_few_independent_stretches_leave_profiles_as_short_as_curvature():
    """A hundred records of noise that remembers ten: both estimate its memory too short (see the bootstrap)."""
    fit = fit_pairs(recorded("balanced", 100, 0.05, networks=200, seed=21, memory=0.9))
    found = profile_rates(fit, points=0)
    for rate, truth in (("eta_h", 0.03), ("eta_y", 0.06)):
        assert coverage(getattr(found, rate), truth) == pytest.approx(coverage(getattr(fit, rate), truth), abs=0.015)
        assert coverage(getattr(found, rate), truth) >= 0.85
    assert 0.82 <= coverage(found.ratio, 0.5) <= 0.93


# What it is asked


def test_pairs_without_rates_have_no_profile_and_spoil_no_other():
    good = recorded("balanced", 60, 0.05, networks=3, seed=4)
    spoiled = replace(good, h2=np.where(np.arange(3)[:, None, None] == 1, np.nan, good.h2))
    found, alone = profile_rates(fit_pairs(spoiled)), profile_rates(fit_pairs(good))
    for name in NAMES:
        interval, expected = getattr(found, name), getattr(alone, name)
        for end in ("value", "low", "high"):
            assert np.isnan(getattr(interval, end)[1]).all()
            np.testing.assert_allclose(getattr(interval, end)[[0, 2]], getattr(expected, end)[[0, 2]], rtol=1e-6)
        assert np.isnan(found.fall[name][1]).all()
        np.testing.assert_allclose(found.fall[name][2], alone.fall[name][2], rtol=1e-3, atol=1e-3)
    assert found.identified.ravel().tolist() == [True, False, True]
    nothing = profile_rates(fit_pairs(replace(good, h2=np.full_like(good.h2, np.nan))))
    assert np.isnan(nothing.eta_h.low).all()


def test_only_the_minimum_of_a_fit_has_a_profile():
    fit = fit_pairs(recorded("balanced", 60, 0.05))
    with pytest.raises(SpecificationError, match="no minimum with scaling 'none'"):
        profile_rates(fit, scaling="none")
    with pytest.raises(SpecificationError, match="give a fit of fit_pairs"):
        profile_rates(fit.with_rates(BASE.eta_h, BASE.eta_y))
    assert set(fit.r2) > set(CURVES)
