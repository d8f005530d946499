"""The logistic and the Bernoulli limit against the solution they are limits of, and against integration."""

from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from syzygy.errors import SpecificationError
from syzygy.theory import PairState, PairTheory, solve
from syzygy.theory.limits import agreeing, half_time, logistic, universal


def balanced(theory, h2):
    """The start with A_high = 0 whose output lies along the target."""
    y2 = h2**2 / theory.kappa
    return PairState(h2, y2, y2 - np.sqrt(y2 * theory.dy2))


def follow(theory, start, times):
    """Squared distance by integrating the three equations."""

    calls = count()

    def change(_, values):
        assert next(calls) < 200_000, "the equations blow up"
        rate = theory.rate(PairState(*values))
        return [rate.h2, rate.y2, rate.w]

    initial = [start.h2, start.y2, start.w]
    return solve_ivp(change, (0, times[-1]), initial, "DOP853", times, rtol=1e-12, atol=1e-16).y[0]


def positive(low, high):
    """Positive numbers, evenly on a logarithmic scale."""
    return st.floats(np.log(low), np.log(high)).map(lambda x: float(np.exp(x)))


# ── The logistic curve ───────────────────────────────────────────────────────────────────────────────


def test_balanced_aligned_start_follows_the_logistic_curve():
    """A_high = 0, dy along dy*: one S-shaped curve from h2 to A_low."""
    theory, times = PairTheory(0.3, 0.6, 1.0, 0.5), np.linspace(0, 60, 241)
    start = balanced(theory, 1e-3)
    assert start.y2 == pytest.approx(2e-6)
    curve = logistic(theory, 1e-3, times)
    np.testing.assert_allclose(curve, solve(theory, start, times).state.h2, atol=1e-12)
    np.testing.assert_allclose(curve, follow(theory, start, times), atol=1e-9)
    assert half_time(theory, 1e-3) == pytest.approx(20.7087, abs=5e-5)
    assert logistic(theory, 1e-3, [half_time(theory, 1e-3)])[0] == pytest.approx(theory.a_low / 2, rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(positive(0.01, 5), positive(0.01, 5), positive(0.1, 4), positive(0.01, 4), positive(1e-8, 3))
def test_logistic_curve_is_the_balanced_solution_at_any_rates(eta_h, eta_y, dx2, dy2, h2):
    theory = PairTheory(eta_h, eta_y, dx2, dy2)
    times = np.linspace(0, 40, 21)
    np.testing.assert_allclose(
        logistic(theory, h2, times), solve(theory, balanced(theory, h2), times).state.h2, rtol=1e-8
    )


def test_time_to_learn_is_inverse_to_the_distances_of_inputs_and_targets():
    """half_time·‖dx‖·‖dy*‖ is one number wherever the start is the same share of A_low."""
    dx, dy = np.meshgrid([0.2, 0.5, 1.0, 1.7, 3.0], [0.1, 0.4, 1.0, 2.5])
    theory = PairTheory(0.3, 0.6, dx**2, dy**2)
    times = half_time(theory, 1e-3 * theory.a_low)
    np.testing.assert_allclose(times * dx * dy, 16.27938, atol=5e-6)
    slope = np.polyfit(np.log(dx * dy).ravel(), np.log(times).ravel(), 1)[0]
    assert slope == pytest.approx(-1, abs=1e-12)


def test_logistic_curve_answers_for_many_theories():
    theory, times = PairTheory([0.3, 0.7], 0.6, 1.0, [0.5, 0.2]), np.linspace(0, 30, 5)
    curve = logistic(theory, [1e-3, 2e-3], times)
    assert curve.shape == (2, 5)
    np.testing.assert_array_equal(curve[1], logistic(PairTheory(0.7, 0.6, 1.0, 0.2), 2e-3, times))
    assert half_time(theory, [1e-3, 2e-3]).shape == (2,)


# ── Agreeing items ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("eta_y", "h2", "y2", "final"), [(0.6, 1.0, 0.3, 0.85), (0.1, 0.2, 0.5, 0.0), (0.6, 0.4, 0.0, 0.4)]
)
def test_agreeing_pair_ends_at_its_initialisations_share_or_merges(eta_y, h2, y2, final):
    """dy* = 0: the end is A_high where that is positive, else zero."""
    theory, times = PairTheory(0.3, eta_y, 1.0, 0.0), np.linspace(0, 60, 121)
    start = PairState(h2, y2, y2)
    curve = agreeing(theory, h2, y2, times)
    assert curve[0] == h2
    assert curve[-1] == pytest.approx(final, abs=1e-12)
    assert theory.final_h2(start) == pytest.approx(final, abs=1e-12)
    np.testing.assert_allclose(curve, solve(theory, start, times).state.h2, rtol=1e-9, atol=1e-14)
    early = times[times < 5]
    np.testing.assert_allclose(curve[: len(early)], follow(theory, start, early), atol=1e-10)


def test_merging_goes_at_the_rate_of_the_negative_share():
    """A_high = −7.3: h2 falls by exp(−eta_y·7.3) per step."""
    theory = PairTheory(0.3, 0.1, 1.0, 0.0)
    assert theory.a_high(PairState(0.2, 0.5, 0.5)) == pytest.approx(-7.3)
    late = agreeing(theory, 0.2, 0.5, [40.0, 50.0])
    assert np.log(late[0] / late[1]) / 10 == pytest.approx(0.73, rel=1e-10)


def test_merging_is_algebraic_where_the_shares_cancel():
    """A_high = 0: h2/(1 + eta_y·h2·t)."""
    theory, times = PairTheory(0.5, 0.5, 1.0, 0.0), np.linspace(0, 1000, 101)
    expected = 0.25 / (1 + 0.5 * 0.25 * times)
    np.testing.assert_allclose(agreeing(theory, 0.25, 0.0625, times), expected, atol=1e-12)
    np.testing.assert_allclose(solve(theory, PairState(0.25, 0.0625, 0.0625), times).state.h2, expected, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(positive(0.01, 5), positive(0.01, 5), positive(0.1, 4), positive(1e-8, 3), st.floats(0, 3))
def test_agreeing_curve_is_the_solution_at_any_rates(eta_h, eta_y, dx2, h2, y2):
    theory, times = PairTheory(eta_h, eta_y, dx2, 0.0), np.array([0.0, 0.1, 1.0, 10.0, 1e3, 1e12])
    curve = agreeing(theory, h2, y2, times)
    assert np.all(np.isfinite(curve))
    np.testing.assert_allclose(curve, solve(theory, PairState(h2, y2, y2), times).state.h2, rtol=1e-6, atol=1e-12)


def test_agreeing_curve_answers_for_many_theories():
    theory, times = PairTheory([0.3, 0.7], [0.6, 0.1], 1.0, 0.0), np.linspace(0, 30, 5)
    curve = agreeing(theory, [1.0, 0.2], [0.3, 0.5], times)
    assert curve.shape == (2, 5)
    np.testing.assert_array_equal(curve[1], agreeing(PairTheory(0.7, 0.1, 1.0, 0.0), 0.2, 0.5, times))


# ── One curve ────────────────────────────────────────────────────────────────────────────────────────


def test_the_logistic_is_the_one_curve():
    """Exactly, from any start below the end: with the logistic's own half-time as the origin."""
    theory, start = PairTheory([0.3, 2.0], [0.6, 0.05], [1.0, 1.7], [0.5, 0.2]), np.array([1e-3, 0.1])
    steps = np.linspace(0, 60, 61)
    omega = np.sqrt(theory.eta_h * theory.eta_y * theory.dx2 * theory.dy2)
    times = omega[:, None] * (steps - half_time(theory, start)[:, None])
    np.testing.assert_allclose(logistic(theory, start, steps) / theory.a_low[:, None], universal(times), rtol=1e-12)


def off_the_curve(theory, scale, seed):
    """Largest deviation of 40 pairs that start at random near the saddle, some with outputs against the target."""
    draw, a, b = np.random.default_rng(seed), 0.5 * theory.eta_h * theory.dx2, 0.5 * theory.eta_y
    encoder, decoder = scale * draw.uniform(0.5, 1, 40) / np.sqrt(b), scale * draw.uniform(-0.3, 1, 40) / np.sqrt(a)
    h2, dy = encoder**2, encoder * decoder
    start = PairState(h2, dy**2, dy**2 - dy * np.sqrt(theory.dy2))
    omega, end = theory.relaxation_rate(start), theory.final_h2(start)
    steps = np.linspace(0, 40 / omega.min(), 40_001)
    rises = solve(theory, start, steps).state.h2 / end[:, None]
    deviations = []
    for rise, rate in zip(rises, omega, strict=True):
        first = rise.argmin()  # outputs against the target make it fall at first
        half = np.interp(0.5, rise[first:], steps[first:])
        times = rate * (steps - half)
        shown = np.abs(times) < 5
        deviations.append(np.abs(rise - universal(times))[shown].max())
    return max(deviations)


def test_small_starts_follow_one_curve():
    """Whatever the rates, and balanced or not; a start ten times smaller is a hundred times nearer."""
    for seed, theory in enumerate([PairTheory(0.3, 0.6, 1.2, 0.5), PairTheory(0.02, 1.5, 0.7, 2.0)]):
        far, near = (off_the_curve(theory, scale, seed) for scale in (0.1, 0.01))  # of Q, so its square is 100 times
        assert near < 1e-3
        assert near < 0.05 * far


def test_lazy_pairs_are_not_on_the_one_curve():
    theory, start = PairTheory(0.3, 0.6, 1.0, 0.5), PairState(5.0, 0.0, 0.0)
    assert theory.regime(start) == "encoder-lazy"
    assert start.h2 > 0.5 * theory.final_h2(start)


# ── What is refused ──────────────────────────────────────────────────────────────────────────────────


def test_differing_targets_do_not_agree():
    with pytest.raises(SpecificationError, match=r"an agreeing pair has dy2 = 0, got .*use solve\(\)"):
        agreeing(PairTheory(0.3, 0.6, 1.0, [0.0, 0.5]), 0.4, 0.1, [0.0])


@pytest.mark.parametrize("h2", [0.0, -0.1, [0.1, 0.0]])
@pytest.mark.parametrize("curve", ["logistic", "half_time", "agreeing"])
def test_limits_start_from_a_positive_distance(curve, h2):
    ask = {
        "logistic": lambda: logistic(PairTheory(0.3, 0.6, 1.0, 0.5), h2, [0.0]),
        "half_time": lambda: half_time(PairTheory(0.3, 0.6, 1.0, 0.5), h2),
        "agreeing": lambda: agreeing(PairTheory(0.3, 0.6, 1.0, 0.0), h2, 0.1, [0.0]),
    }[curve]
    with pytest.raises(SpecificationError, match="squared distance at the start must be positive, got"):
        ask()


def test_a_logistic_needs_different_targets():
    theory = PairTheory(0.3, 0.6, 1.0, 0.0)
    for curve in (lambda: logistic(theory, 1e-3, [0.0]), lambda: half_time(theory, 1e-3)):
        with pytest.raises(SpecificationError, match=r"needs different targets, dy2 > 0; see agreeing\(\)"):
            curve()


def test_a_start_past_the_end_has_no_time_of_half_rise():
    with pytest.raises(SpecificationError, match="is past the end"):
        half_time(PairTheory(0.3, 0.6, 1.0, 0.5), 0.6)
