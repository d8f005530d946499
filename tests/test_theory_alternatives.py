"""Equations that the theory is compared with: what is changed, and that they are integrated rightly."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from syzygy.errors import SpecificationError
from syzygy.theory import ALTERNATIVES, PairState, PairTheory, integrate, solve

CURVES = ("h2", "y2", "w")
#: The start of the paper's main network, and rates near its own.
DEFAULT = PairTheory(7e-4, 0.035, 1.0, 0.5), PairState(8.3e-4, 2.9e-9, 3.8e-5)


def draw(count, seed=0):
    """Theories and states, any that a pair may have, ``(count,)``."""
    random = np.random.default_rng(seed)
    eta_h, eta_y, dx2, dy2, h2, y2 = np.exp(random.normal(-1, 1, (6, count)))
    cosine = random.uniform(-1, 1, count)
    return PairTheory(eta_h, eta_y, dx2, dy2), PairState(h2, y2, y2 - cosine * np.sqrt(y2 * dy2))


def one(theory, state, index):
    rates = (getattr(theory, name)[index] for name in ("eta_h", "eta_y", "dx2", "dy2"))
    return PairTheory(*rates), PairState(*(getattr(state, name)[index] for name in CURVES))


def test_the_first_is_the_theory():
    assert next(iter(ALTERNATIVES)) == "theory"
    theory, state = draw(200)
    found, expected = ALTERNATIVES["theory"].rate(theory, state), theory.rate(state)
    for name in CURVES:
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-12, atol=1e-14)


def test_each_change_is_what_it_says():
    theory, state = draw(200)
    rates = {name: side.rate(theory, state) for name, side in ALTERNATIVES.items()}
    true = rates.pop("theory")
    changed = {"y2_doubled": "y2", "h2_doubled": "h2", "w_flipped": "w", "y2_decoder_only": "y2"}
    assert set(changed) == set(rates)
    for name, rate in rates.items():
        for curve in CURVES:
            same = np.array_equal(getattr(rate, curve), getattr(true, curve))
            assert same == (curve != changed[name])
    decoder = theory.eta_y * state.h2
    np.testing.assert_allclose(rates["y2_doubled"].y2, 2 * true.y2)
    np.testing.assert_allclose(rates["h2_doubled"].h2, 2 * true.h2)
    np.testing.assert_allclose(rates["y2_decoder_only"].y2, -state.w * decoder)
    # The flipped term cancels in the sum; what is left is twice the other one.
    np.testing.assert_allclose(rates["w_flipped"].w + true.w, -decoder * (3 * state.w - state.y2 + theory.dy2))


def test_integrating_the_theory_gives_its_closed_form():
    """Where outputs do not start away from the target: else the three equations amplify rounding."""
    theory, state = draw(200, seed=1)
    towards = np.flatnonzero(state.y2 - state.w >= 0)
    assert len(towards) > 80
    for rates, start in [DEFAULT, *(one(theory, state, index) for index in towards)]:
        steps = np.linspace(0, 6000 if rates is DEFAULT[0] else 100, 101)
        found, expected = integrate(ALTERNATIVES["theory"], rates, start, steps), solve(rates, start, steps).state
        for name in CURVES:
            exact = getattr(expected, name)
            np.testing.assert_allclose(getattr(found, name), exact, atol=1e-6 * np.abs(exact).max(), rtol=0)


@pytest.mark.parametrize("name", ALTERNATIVES)
def test_another_integrator_finds_the_same(name):
    c1, c2, c3, c4 = {
        "theory": (1, 1, 1, 1),
        "y2_doubled": (1, 2, 1, 1),
        "h2_doubled": (2, 1, 1, 1),
        "w_flipped": (1, 1, 1, -1),
        "y2_decoder_only": (1, 1, 0, 1),
    }[name]

    def slope(_, state):
        h2, y2, w = state
        a, b, dy2 = 7e-4, 0.035, 0.5
        return [
            -c1 * a * w,
            -c2 * w * (b * h2 + c3 * a * y2 / h2),
            -b * (3 * w - y2 + dy2) * h2 / 2 - c4 * a * (y2 + w) * w / h2 / 2,
        ]

    theory, start = DEFAULT
    steps = np.linspace(0, 6000, 50)
    first = [float(getattr(start, curve)) for curve in CURVES]
    expected = solve_ivp(slope, (0, 6000), first, "DOP853", steps, rtol=1e-11, atol=1e-15).y
    found = integrate(ALTERNATIVES[name], theory, start, steps)
    for curve, exact in zip(CURVES, expected, strict=True):
        np.testing.assert_allclose(getattr(found, curve), exact, atol=1e-6 * np.abs(exact).max(), rtol=0)


def test_only_a_changed_w_keeps_the_balance_and_the_end():
    """The balance follows from the first two equations."""
    theory, start = PairTheory(0.3, 0.6, 1.2, 0.5), PairState(0.4, 0.3, 0.1)
    ends = {}
    for name, side in ALTERNATIVES.items():
        state = integrate(side, theory, start, np.linspace(0, 1000, 200))
        balance = theory.conserved(state)
        assert (np.ptp(balance) < 1e-7) == (name in ("theory", "w_flipped"))
        assert abs(float(state.w[-1])) < 1e-6
        ends[name] = float(state.h2[-1])
    end = float(theory.final_h2(start))
    assert {name for name, value in ends.items() if abs(value - end) < 1e-6} == {"theory", "w_flipped"}


def test_equations_that_run_away_give_nothing_and_say_nothing():
    """Warnings are errors here."""
    theory = PairTheory(0.1, 1e-3, 1.0, 0.5)
    state = integrate(ALTERNATIVES["w_flipped"], theory, DEFAULT[1], np.arange(0, 6000, 10))
    assert all(np.isnan(getattr(state, name)).all() for name in CURVES)


@pytest.mark.parametrize("start", [PairState(0.0, 0.0, 0.0), PairState([0.1, 0.2], [0.0, 0.0], [0.0, 0.0])])
def test_one_pair_at_a_time_that_starts_apart(start):
    with pytest.raises(SpecificationError, match="one pair at a time, with h2 > 0"):
        integrate(ALTERNATIVES["theory"], DEFAULT[0], start, [0.0, 1.0])
