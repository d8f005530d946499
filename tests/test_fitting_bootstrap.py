"""The bootstrap: noise that is known is found and drawn again, and intervals hold the truth as often as they say."""

import os
from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import lfilter

from noisy import STARTS, clean, coverage, recorded
from syzygy.errors import SpecificationError
from syzygy.fitting import bootstrap_rates, fit_pairs, profile_rates
from syzygy.fitting.certainty.noise import Noise, fit_noise

TRUTH = {"eta_h": 0.03, "eta_y": 0.06, "ratio": 0.5, "product": 0.0018}
FULL = os.environ.get("SYZYGY_FULL") == "1"


def everything(deviations):
    return np.ones((len(deviations), deviations.shape[-1]), dtype=bool)


def process(coefficients, shape, seed=0):
    """A stationary autoregression: its first thousand steps are thrown away."""
    drawn = np.random.default_rng(seed).standard_normal((*shape[:-1], shape[-1] + 1000))
    return lfilter([1], [1, *(-np.array(coefficients))], drawn, axis=-1)[..., 1000:]


# Noise


@pytest.mark.parametrize("coefficients", [[], [0.9], [-0.6], [1.5, -0.7], [0.5, 0.0, -0.4]])
def test_autoregressions_are_found_with_their_order(coefficients):
    """In 20,000 steps: constants to 0.03, the order in most of twelve series, the size to a tenth."""
    series = process(coefficients, (12, 1, 20_000))
    found = fit_noise(series, everything(series))
    expected = np.zeros(8)
    expected[: len(coefficients)] = coefficients
    np.testing.assert_allclose(found.coefficients, np.broadcast_to(expected, (12, 1, 8)), atol=0.03)
    order = np.sum(found.partial != 0, axis=-1)
    assert np.sum(order == len(coefficients)) >= 9 or len(coefficients) == 3  # where the second is zero
    np.testing.assert_allclose(found.deviation, series.std(axis=-1), rtol=0.1)


def test_partial_correlations_are_levinsons():
    """Against the equations of Yule and Walker: the process with these coefficients has these correlations."""
    partial = np.array([[[0.7, -0.4, 0.3]]])
    noise = Noise(partial, np.ones((1, 1)), np.ones((1, 1, 1)), np.full((1, 1), 100))
    series = process(noise.coefficients[0, 0], (1, 1, 400_000))[0, 0]
    correlation = np.array([series[lag:] @ series[: len(series) - lag] for lag in range(4)]) / (series @ series)
    matrix = correlation[np.abs(np.subtract.outer(np.arange(3), np.arange(3)))]
    np.testing.assert_allclose(np.linalg.solve(matrix, correlation[1:]), noise.coefficients[0, 0], atol=0.01)
    first, second = correlation[1], (correlation[2] - correlation[1] ** 2) / (1 - correlation[1] ** 2)
    np.testing.assert_allclose([first, second], partial[0, 0, :2], atol=0.01)


def test_drawn_noise_is_the_noise_that_was_fitted():
    """Size, memory and what curves share, of two problems, in 600 draws."""
    shared = np.array([[[1, 0.6, 0], [0.6, 1, -0.3], [0, -0.3, 1]], np.eye(3)])
    partial = np.array([[[0.9, 0.0], [0.9, 0.0], [0.0, 0.0]], [[0.8, -0.5], [0.0, 0.0], [-0.4, 0.0]]])
    noise = Noise(partial, np.array([[1.0, 2.0, 0.5], [3.0, 0.0, 1.0]]), shared, np.full((2, 3), 200))
    for problem in range(2):
        drawn = noise.draw(200, 600, np.random.default_rng(problem), problem)
        assert drawn.shape == (600, 3, 200)
        found = fit_noise(drawn, everything(drawn), np.full((600, 3), 2))
        size = np.sqrt(np.mean(drawn**2, axis=(0, 2)))
        np.testing.assert_allclose(size, noise.deviation[problem], rtol=0.04)
        np.testing.assert_allclose(np.sqrt(np.mean(drawn[..., 0] ** 2, axis=0)), size, rtol=0.15)  # from the first step
        some = noise.deviation[problem] > 0
        np.testing.assert_allclose(found.partial.mean(axis=0)[some, :2], partial[problem][some], atol=0.02)
        expected = np.where(np.outer(some, some), shared[problem], np.eye(3))
        np.testing.assert_allclose(found.shared.mean(axis=0), expected, atol=0.03)


def test_noise_is_always_stationary():
    """However short or one-sided a series is."""
    rows = np.stack([np.linspace(0, 1, 30) ** 2, np.cos(np.arange(30)), np.ones(30), np.zeros(30)])[:, None]
    found = fit_noise(rows, everything(rows))
    assert np.all(np.abs(found.partial) < 1)
    assert np.isfinite(found.shared).all()
    for problem in range(4):
        assert np.isfinite(found.draw(30, 5, np.random.default_rng(0), problem)).all()


def test_what_was_not_recorded_has_no_say_in_the_noise():
    series = process([0.8], (3, 2, 300))
    there = everything(series)
    there[:, 200:] = False
    there[:, 0] = False
    order = np.ones((3, 2), dtype=int)
    found, expected = fit_noise(series, there, order), fit_noise(series[..., 1:200], there[:, 1:200], order)
    np.testing.assert_allclose(found.partial, expected.partial)
    np.testing.assert_allclose(found.deviation, expected.deviation)
    np.testing.assert_allclose(found.shared, expected.shared)


def test_calibration_moves_noise_by_what_replicates_fall_short():
    shared = np.eye(1)[None]
    noise = Noise(np.array([[[0.8, 0.0]]]), np.array([[2.0]]), shared, np.array([[100]]))
    same = noise.calibrated(Noise(np.tile(noise.partial, (4, 1, 1)), np.full((4, 1), 2.0), shared, noise.steps))
    np.testing.assert_allclose(same.partial, noise.partial)
    np.testing.assert_allclose(same.deviation, 2.0)
    short = Noise(np.full((4, 1, 2), np.tanh(0.5)), np.full((4, 1), 1.6), shared, noise.steps)
    more = noise.calibrated(short)
    assert np.arctanh(more.partial[0, 0, 0]) == pytest.approx(2 * np.arctanh(0.8) - 0.5)
    assert more.partial[0, 0, 1] == 0
    assert more.deviation.item() == pytest.approx(2.0 * 2.0 / 1.6)
    assert noise.calibrated(replace(short, partial=short.partial * 0)).partial[0, 0, 0] <= 0.99


# Replicates


def test_replicates_scatter_as_the_curvature_says_where_noise_is_white():
    """To a tenth: 400 replicates know a deviation to 4%, the time of white noise is a few percent too long."""
    fit = fit_pairs(recorded("balanced", 400, 0.01, networks=2, seed=3))
    found = bootstrap_rates(fit)
    for rate, drawn in ((fit.eta_h, found.drawn_h), (fit.eta_y, found.drawn_y)):
        width = np.log(rate.high / rate.low) / (2 * 1.96)
        np.testing.assert_allclose(np.log(drawn).std(axis=0), width, rtol=0.12)
        np.testing.assert_allclose(np.log(drawn).mean(axis=0), np.log(rate.value), atol=0.2 * width.max())
    ratio = np.log(found.drawn_h / found.drawn_y)
    student = np.quantile(ratio, (0.025, 0.975), axis=0)  # of hundreds of observations, nearly those
    ends = np.log(np.stack([found.ratio.low, found.ratio.high]))
    np.testing.assert_allclose(ends, student, atol=0.1 * np.ptp(student))
    np.testing.assert_allclose(found.product.value, fit.eta_h.value * fit.eta_y.value)


def test_noise_that_curves_share_is_drawn_shared():
    """One noise in all three curves: their parts in the scatter of a rate add up, or cancel.

    The scatter of 80 fits, known to a twelfth, within a quarter; independent draws miss it.
    """
    theory, start, last = STARTS["balanced"]
    exact = clean(theory, start, np.linspace(0, last, 100))
    one = 0.002 * np.random.default_rng(3).standard_normal((80, 1, 100))
    one[..., 0] = 0
    curves = replace(
        exact, h2=exact.h2 + one, y2=exact.y2 + one, w=exact.w + one, mean_error=np.full((80, 1, 100), np.nan)
    )
    fit = fit_pairs(curves)
    some = replace(curves, **{name: getattr(curves, name)[:12] for name in ("h2", "y2", "w", "mean_error")})
    found = bootstrap_rates(fit_pairs(some), replicates=60)
    seen = [np.log(rate.value).std() for rate in (fit.eta_h, fit.eta_y)]
    drawn = [np.log(rates).std(axis=0).mean() for rates in (found.drawn_h, found.drawn_y)]
    np.testing.assert_allclose(drawn, seen, rtol=0.25)


def test_draws_depend_on_the_seed_and_on_the_place_alone():
    curves = recorded("balanced", 60, 0.05, networks=3, seed=4)
    first = replace(curves, **{name: getattr(curves, name)[:1] for name in ("h2", "y2", "w", "mean_error")})
    together, alone = (bootstrap_rates(fit_pairs(one), replicates=30) for one in (curves, first))
    np.testing.assert_allclose(together.drawn_h[:, :1], alone.drawn_h, rtol=1e-6)
    again = bootstrap_rates(fit_pairs(first), replicates=30, seed=1)
    assert np.all(again.drawn_h != alone.drawn_h)
    correlation = np.corrcoef(np.log(together.drawn_h[..., 0]).T) - np.eye(3)
    assert np.all(np.abs(correlation) < 0.6)  # three errors of a correlation of thirty draws


def test_pairs_without_rates_have_no_replicates_and_spoil_no_other():
    curves = recorded("balanced", 60, 0.05, networks=3, seed=4)
    curves.y2[1] = np.nan
    curves.w[2, :, 40:] = np.nan  # stopped early
    found = bootstrap_rates(fit_pairs(curves), replicates=30)
    assert np.isnan(found.drawn_h[:, 1]).all()
    for end in ("value", "low", "high"):
        assert np.isfinite(getattr(found.eta_y, end)).ravel().tolist() == [True, False, True]
    wide = np.log(found.eta_y.high / found.eta_y.low).ravel()
    assert wide[2] > wide[0]


def test_what_cannot_be_drawn_is_refused():
    fit = fit_pairs(recorded("balanced", 60, 0.05))
    with pytest.raises(SpecificationError, match="20 replicates or more, got 5"):
        bootstrap_rates(fit, replicates=5)
    with pytest.raises(SpecificationError, match="no minimum with scaling 'none'"):
        bootstrap_rates(fit, scaling="none")


# Coverage


def test_replicates_scatter_as_fits_do_where_noise_remembers():
    """Against the fits of 400 trajectories: within 0.95 and 1.15 of their scatter; without calibration it is 0.9.

    Of the first fifty, intervals hold the truth: 0.95 less four binomial errors.  The slow test has the full band.
    """
    many = recorded("balanced", 100, 0.05, networks=400, seed=21, memory=0.9)
    fit = fit_pairs(many)
    few = replace(many, **{name: getattr(many, name)[:50] for name in ("h2", "y2", "w", "mean_error")})
    found = bootstrap_rates(fit_pairs(few), replicates=50)
    for name, drawn in (("eta_h", found.drawn_h), ("eta_y", found.drawn_y)):
        scatter = np.log(getattr(fit, name).value).std()
        assert 0.95 < np.log(drawn).std(axis=0).mean() / scatter < 1.15
        assert coverage(getattr(found, name), TRUTH[name]) >= 0.82


@pytest.mark.slow
@pytest.mark.parametrize("memory", [0.0, 0.9])
@pytest.mark.parametrize("name", ["rich", "balanced", "decoder-lazy"])
def test_replicates_cover_the_true_rates(name, memory):
    """95% intervals of 200 (400) trajectories of a hundred records: 0.91 to 0.98 of them hold the true rates.

    That is 0.95 with about three binomial errors, for white noise.  A memory of ten records leaves five independent
    stretches a curve, from which the memory itself is not well known: 0.87 to 0.98.
    """
    networks, replicates = (400, 400) if FULL else (200, 100)
    fit = fit_pairs(recorded(name, 100, 0.05, networks=networks, seed=22, memory=memory))
    found = bootstrap_rates(fit, replicates=replicates)
    for quantity in ("eta_h", "eta_y"):
        held = coverage(getattr(found, quantity), TRUTH[quantity])
        assert (0.87 if memory else 0.91) <= held <= 0.98


def test_curvature_and_profile_miss_by_more_where_few_stretches_are_independent():
    """The encoder that is done in a few records: by the time of the whole curve its interval is too wide."""
    fit = fit_pairs(recorded("decoder-lazy", 100, 0.05, networks=24, seed=21, memory=0.9))
    kinds = [fit.eta_h, profile_rates(fit, points=0).eta_h, bootstrap_rates(fit, replicates=40).eta_h]
    width = [np.median(np.log(kind.high / kind.low)) for kind in kinds]
    assert width[1] == pytest.approx(width[0], rel=0.1)
    assert width[2] < 0.8 * width[0]
    assert coverage(kinds[2], 0.03) >= 0.8
