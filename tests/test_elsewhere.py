"""Rates from elsewhere, against what they are by definition."""

import numpy as np
import pytest

from syzygy.fitting import PairCurves, average_rates, fit_pairs, from_other_networks
from syzygy.theory import PairState, PairTheory, solve

STEPS = np.arange(0.0, 4000, 20)
ETA_H, ETA_Y = np.array([1e-3, 2e-3, 4e-3]), np.array([2e-2, 1e-2, 3e-2])
START = {"h2": np.array([0.01, 0.02, 0.03]), "y2": np.array([1e-5, 2e-5, 3e-5]), "w": np.array([-1e-3, -2e-3, 1e-3])}


def curves(eta_h=ETA_H, eta_y=ETA_Y, start=START, missing=()):
    """Three networks, one pair, exactly as the theory has it."""
    state = solve(PairTheory(eta_h, eta_y, 1.0, 0.5), PairState(**start), STEPS).state
    measured = {name: getattr(state, name)[:, None].copy() for name in ("h2", "y2", "w")}
    for network in missing:
        for curve in measured.values():
            curve[network] = np.nan
    return PairCurves(
        steps=STEPS,
        **measured,
        mean_error=np.full((len(state.h2), 1, len(STEPS)), np.nan),
        dx2=np.array([1.0]),
        dy2=np.array([0.5]),
        pairs=(("A", "B"),),
    )


def test_every_network_gets_the_geometric_mean_of_the_others():
    fit = fit_pairs(curves())
    elsewhere = from_other_networks(fit)
    for index in range(3):
        others = [i for i in range(3) if i != index]
        for rate, true in ((elsewhere.eta_h, ETA_H), (elsewhere.eta_y, ETA_Y)):
            assert rate.value[index, 0] == pytest.approx(np.sqrt(np.prod(true[others])), rel=1e-5)
        start = PairState(**{name: value[index] for name, value in START.items()})
        theory = PairTheory(elsewhere.eta_h.value[index, 0], elsewhere.eta_y.value[index, 0], 1.0, 0.5)
        predicted = solve(theory, start, STEPS).state.h2
        np.testing.assert_allclose(elsewhere.predict().h2[index, 0], predicted, rtol=1e-9)
        measured = fit.curves.h2[index, 0]
        explained = 1 - np.sum((measured - predicted) ** 2) / np.sum((measured - measured.mean()) ** 2)
        assert elsewhere.r2["h2"][index, 0] == pytest.approx(explained)
        assert elsewhere.final_h2[index, 0] == pytest.approx(float(theory.final_h2(start)))


def test_a_network_does_not_see_its_own_rates():
    """Its own curve may be anything: the prediction of it stays."""
    before = from_other_networks(fit_pairs(curves()))
    after = from_other_networks(fit_pairs(curves(eta_h=ETA_H * [1, 1, 3], eta_y=ETA_Y * [1, 1, 0.3])))
    assert after.eta_h.value[2, 0] == pytest.approx(before.eta_h.value[2, 0], rel=1e-5)
    assert after.eta_h.value[0, 0] != pytest.approx(before.eta_h.value[0, 0], rel=0.1)


def test_rates_that_are_not_identified_are_not_handed_on():
    fit = fit_pairs(curves(missing=[1]))
    elsewhere = from_other_networks(fit)
    assert not fit.fitted[1, 0]
    assert elsewhere.eta_h.value[0, 0] == pytest.approx(ETA_H[2], rel=1e-5)
    assert np.isnan(elsewhere.eta_h.value[1, 0])  # without a start there is nothing to predict
    assert np.isnan(elsewhere.predict().h2[1, 0]).all()


def test_one_network_has_no_others():
    one = {name: value[:1] for name, value in START.items()}
    fit = fit_pairs(curves(ETA_H[:1], ETA_Y[:1], one))
    elsewhere = from_other_networks(fit)
    assert not elsewhere.fitted.any()
    assert np.isnan(elsewhere.final_h2).all()
    assert np.isnan(elsewhere.r2["h2"]).all()


def test_own_rates_given_back_change_nothing():
    fit = fit_pairs(curves())
    same = fit.with_rates(fit.eta_h.value, fit.eta_y.value)
    np.testing.assert_array_equal(same.predict().h2, fit.predict().h2)
    np.testing.assert_array_equal(same.r2["w"], fit.r2["w"])
    assert not same.identified.any()


def test_rates_half_known_are_not_known():
    fit = fit_pairs(curves())
    half = fit.with_rates(np.where(np.arange(3)[:, None] == 1, np.nan, fit.eta_h.value), fit.eta_y.value)
    assert half.fitted[:, 0].tolist() == [True, False, True]
    assert np.isnan(half.eta_y.value[1, 0])


def test_averages_are_geometric_and_of_identified_rates():
    fit = fit_pairs(curves())
    eta_h, eta_y = average_rates(fit)
    assert eta_h == pytest.approx(np.prod(ETA_H) ** (1 / 3), rel=1e-5)
    assert eta_y == pytest.approx(np.prod(ETA_Y) ** (1 / 3), rel=1e-5)
    assert np.isnan(average_rates(fit.with_rates(fit.eta_h.value, fit.eta_y.value))).all()
