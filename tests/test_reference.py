"""Fits to the trajectories that the paper's published code gives, against the rates that it gives."""

from pathlib import Path

import numpy as np
import pytest

from syzygy.fitting import PairCurves, fit_pairs
from syzygy.fitting.problems import CURVES

REFERENCE = Path(__file__).parents[1].parent / "shared" / "reference"
PAIRS = sorted(path.name for path in REFERENCE.glob("2p_*.npz"))

pytestmark = pytest.mark.skipif(not PAIRS, reason="the published numbers are not there")


def published(name):
    """The file's arrays, and its curves."""
    with np.load(REFERENCE / name) as file:
        numbers = {key: file[key] for key in file.files}
    measured = {key: np.atleast_2d(numbers[key]).astype(np.float64)[None] for key in CURVES}
    count, steps = measured["h2"].shape[1:]
    return numbers, PairCurves(
        steps=np.arange(float(steps)),
        **measured,
        mean_error=np.full((1, count, steps), np.nan),
        **{key: np.atleast_1d(numbers[key]).astype(np.float64) for key in ("dx2", "dy2")},
        pairs=tuple((f"{i}a", f"{i}b") for i in range(count)),
    )


def rates(fit):
    return fit.eta_h.value[0], fit.eta_y.value[0]


def test_every_published_setting_is_compared():
    assert len(PAIRS) == 10
    assert sum(float(published(name)[0]["eta_h"]) > 0 for name in PAIRS) == 9


@pytest.mark.parametrize("name", PAIRS)
def test_unscaled_fit_is_as_low_as_the_published_and_has_its_rates(name):
    """The published steps are stretched by 1/5999, which alone moves rates by .02% and the objective by less."""
    numbers, curves = published(name)
    fit = fit_pairs(curves, scaling="none")
    assert fit.fitted.all()
    for rate, key in zip(rates(fit), ("eta_h", "eta_y"), strict=True):
        assert np.all((rate > 0) & np.isfinite(rate))
        if numbers["eta_h"] > 0:
            np.testing.assert_allclose(rate, numbers[key], rtol=0.05)
    if numbers["eta_h"] > 0:
        assert fit.objective.item() <= float(numbers["fit_loss"]) * (1 + 1e-3)
        assert fit.converged.all()
        assert fit.identified.all()


def test_negative_published_rates_become_positive_and_are_not_identified():
    numbers, curves = published("2p_gain_1.3_s0.npz")
    assert numbers["eta_h"] < 0
    for scaling in ("none", "curve"):
        fit = fit_pairs(curves, scaling=scaling)
        assert all(np.all((rate > 0) & np.isfinite(rate)) for rate in rates(fit))
        assert not fit.identified.any()


def test_pairs_of_images_are_fitted_as_low_as_published():
    """Rates agree where the published search ended in the minimum; in one of ten it stopped 15% above."""
    numbers, curves = published("mnist_traj_0.npz")
    fit = fit_pairs(curves, scaling="none")
    assert np.all(fit.objective[0] <= numbers["fit_loss"] * (1 + 1e-3))
    there = fit.objective[0] > 0.95 * numbers["fit_loss"]
    assert there.sum() == 9
    for rate, key in zip(rates(fit), ("eta_h", "eta_y"), strict=True):
        np.testing.assert_allclose(rate[there], numbers[key][there], rtol=0.05)


def test_theory_with_published_rates_has_the_published_curves():
    """The closed form against the published integrator, whose tolerance is 1e-3."""
    numbers, curves = published("2p_shallow.npz")
    fit = fit_pairs(curves, scaling="none")
    predicted = fit.predict()
    for index, name in enumerate(CURVES):
        np.testing.assert_allclose(getattr(predicted, name)[0, 0], numbers["z"][index], atol=5e-3)
