"""The pair theory against what it is derived from: vectors, gradient descent and numerical integration.

No reference here uses the closed form under test.  ``follow_equations`` integrates the three equations;
``follow_vectors`` integrates the two linear maps beneath them, which stay smooth where ``dh`` is zero;
``descend`` is plain gradient descent on two data points.
"""

from functools import cache
from itertools import count, pairwise

import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import cumulative_simpson, solve_ivp

from syzygy.errors import ShapeError, SingularStart, SpecificationError
from syzygy.theory import REGIMES, PairState, PairTheory, solve

# Antiparallel outputs and a decoder that starts too strong: dh passes through zero on its way.
HAZARD = PairTheory(eta_h=0.3, eta_y=0.6, dx2=1.2, dy2=0.5)
HAZARD_START = {"h2": 0.4, "y2": 0.3}

# Evaluations of an integrator, far above what smooth equations take: wrong ones fail instead of hanging.
MOST_CALLS = 200_000


def towards(theory, h2, y2, cosine):
    """A start whose dy makes the angle of this cosine with dy*."""
    return PairState(h2, y2, y2 - cosine * np.sqrt(y2 * theory.dy2))


def numbers(state):
    """The three numbers as one array, its first axis over h2, y2, w."""
    return np.array([state.h2, state.y2, state.w])


def difference_error(theory, state):
    """Squared error ‖dy − dy*‖² of the difference, from the three numbers."""
    return 2 * state.w - state.y2 + theory.dy2


def follow_equations(theory, start, times, rtol=1e-12, atol=1e-14):
    """The three equations, integrated."""

    calls = count()

    def change(_, values):
        assert next(calls) < MOST_CALLS, "the equations blow up"
        return numbers(theory.rate(PairState(*values)))

    run = solve_ivp(change, (0, times[-1]), numbers(start), "DOP853", times, rtol=rtol, atol=atol)
    assert run.success, run.message
    return PairState(*run.y)


def follow_vectors(theory, start, times, rtol=1e-12, atol=1e-14):
    """Gradient flow of dh = u and of the decoder's Jacobian V, both with two components, V along u."""
    a, b, target = theory.eta_h * theory.dx2 / 2, theory.eta_y / 2, np.array([np.sqrt(theory.dy2), 0.0])
    along = (start.y2 - start.w) / target[0] if target[0] > 0 else np.sqrt(start.y2)
    outputs = np.array([along, np.sqrt(max(start.y2 - along**2, 0.0))])
    direction = np.array([0.6, 0.8])
    u0, calls = np.sqrt(start.h2) * direction, count()

    def change(_, values):
        assert next(calls) < MOST_CALLS, "the vectors blow up"
        u, v = values[:2], values[2:].reshape(2, 2)
        error = v @ u - target
        return np.concatenate([-a * v.T @ error, (-b * np.outer(error, u)).ravel()])

    initial = np.concatenate([u0, np.outer(outputs, u0).ravel() / start.h2])
    run = solve_ivp(change, (0, times[-1]), initial, "DOP853", times, rtol=rtol, atol=atol)
    assert run.success, run.message
    u, v = run.y[:2], run.y[2:].reshape(2, 2, -1)
    dy = np.einsum("opt,pt->ot", v, u)
    error = dy - target[:, None]
    return PairState((u**2).sum(0), (dy**2).sum(0), (dy * error).sum(0)), direction @ u


@cache
def descend(*, hidden=10, outputs=1, scale=0.05, rate_h=1.0, rate_y=1.0, rate_mean=0.4, seed=0):
    """Gradient descent on two points through h = D_h·x and y = ȳ + D_y·h, the rows of D_y along dh."""
    generator, dt, total, every = np.random.default_rng(seed), 2e-3, 30_000, 50
    inputs = np.array([[-0.3, -0.4], [0.3, 0.4]])  # ‖dx‖² = 1, mean zero
    targets = np.zeros((2, outputs))
    targets[:, 0] = np.array([-0.5, 0.5]) * np.sqrt(0.5) + 0.7  # ‖dy*‖² = 0.5, mean 0.7
    d_h, mean = scale * generator.standard_normal((hidden, 2)) / np.sqrt(hidden), np.zeros(outputs)
    dh = d_h @ (inputs[1] - inputs[0])
    d_y = np.outer(scale * generator.standard_normal(outputs), dh / np.linalg.norm(dh))
    rows, losses = [], []
    for step in range(total + 1):
        representations = inputs @ d_h.T
        predictions = mean + representations @ d_y.T
        errors = predictions - targets
        if step % every == 0:
            dh, dy = representations[1] - representations[0], predictions[1] - predictions[0]
            rows.append([dh @ dh, dy @ dy, dy @ (dy - targets[1] + targets[0])])
            losses.append(0.5 * (errors**2).sum(1).mean())
        gradient = errors / 2
        step_h, step_y = (gradient @ d_y).T @ inputs, gradient.T @ representations
        d_h = d_h - dt * rate_h * step_h
        d_y = d_y - dt * rate_y * step_y
        mean = mean - dt * rate_mean * gradient.sum(0)
    theory = PairTheory(rate_h / 2, rate_y / 2, dx2=1.0, dy2=0.5)
    times = dt * every * np.arange(len(rows))
    return theory, times, np.transpose(rows), np.array(losses), 0.49, rate_mean


def closed_form_of_parallel_outputs(theory, h2, decoder2, dy, times):
    """Time course of parallel outputs by another route: a Riccati equation for z = exp(an angle)."""
    a, b, target = theory.eta_h * theory.dx2 / 2, theory.eta_y / 2, np.sqrt(theory.dy2)
    sigma, p, q, k = (
        np.sqrt(a * b) * target,
        (b * h2 + a * decoder2) / 2,
        np.sqrt(a * b) * dy,
        b * h2 - a * decoder2,
    )
    r = np.sqrt(sigma**2 + p**2 - q**2)
    high, low = (sigma + r) / (p + q), (sigma - r) / (p + q)
    c = (1 - high) / (1 - low) * np.exp(-2 * r * times)
    z = (high - low * c) / (1 - c)
    cosh, sinh = (z + 1 / z) / 2, (z - 1 / z) / 2
    s = (p * sinh + q * cosh) / np.sqrt(a * b)
    return np.array([(k / 2 + p * cosh + q * sinh) / b, s**2, s**2 - s * target]), 2 * r


def growing_share(theory, start):
    """Share of the start in the growing direction of the linearised flow, by numpy's eigenvectors."""
    a, b = theory.eta_h * theory.dx2 / 2, theory.eta_y / 2
    along = (start.y2 - start.w) / np.sqrt(theory.dy2) if theory.dy2 > 0 else 0.0
    across = np.sqrt(max(start.y2 - along**2, 0.0))
    q = np.array([np.sqrt(b * start.h2), np.sqrt(a / start.h2) * along, np.sqrt(a / start.h2) * across])
    k, sigma = (q[0] ** 2 - q[1] ** 2 - q[2] ** 2) / 2, np.sqrt(a * b * theory.dy2)
    values, vectors = np.linalg.eigh([[k, sigma, 0], [sigma, -k, 0], [0, 0, -k]])
    return np.linalg.norm(vectors[:, values > values[-1] * (1 - 1e-9)].T @ q) / np.linalg.norm(q)


def positive(low, high):
    """Positive numbers, evenly on a logarithmic scale."""
    return st.floats(np.log(low), np.log(high)).map(lambda x: float(np.exp(x)))


theories = st.builds(
    PairTheory, positive(0.05, 5), positive(0.05, 5), positive(0.1, 4), st.just(0.0) | positive(1e-2, 4)
)
starts = st.tuples(positive(1e-3, 3), st.just(0.0) | positive(1e-4, 3), st.floats(-1, 1))


# ── Where the equations come from ────────────────────────────────────────────────────────────────────


def test_the_three_equations_follow_from_vectors_that_move_along_their_line():
    """Differentiate ‖dh‖², ‖dy‖², dy·(dy − dy*) along gradient flow; let dh move along itself only."""
    eta_h, eta_y, dx2 = sp.symbols("eta_h eta_y dx2", positive=True)
    u, v, t = sp.Matrix(sp.symbols("u:3")), sp.Matrix(2, 3, sp.symbols("v:6")), sp.Matrix(sp.symbols("t:2"))
    dy = v * u
    error = dy - t
    h2, y2, w, dy2 = u.dot(u), dy.dot(dy), dy.dot(error), t.dot(t)
    h2_rate = 2 * u.dot(-eta_h * dx2 / 2 * v.T * error)
    dy_rate = -eta_y / 2 * error * h2 + dy * h2_rate / (2 * h2)  # V'u + Vu', where u' is along u
    rates = h2_rate, 2 * dy.dot(dy_rate), dy_rate.dot(2 * dy - t)
    gain = y2 / h2
    closed = (
        -eta_h * dx2 * w,
        -w * (eta_y * h2 + eta_h * dx2 * gain),
        -eta_y / 2 * (3 * w - y2 + dy2) * h2 - eta_h * dx2 / 2 * (y2 + w) * w / h2,
    )
    assert [sp.simplify(rate - form) for rate, form in zip(rates, closed, strict=True)] == [0, 0, 0]

    symbols = (eta_h, eta_y, dx2, *u, *v, *t)
    generator = np.random.default_rng(1)
    for _ in range(5):
        point = [sp.Rational(int(generator.integers(1, 40)), int(generator.integers(7, 30))) for _ in symbols]
        at = dict(zip(symbols, point, strict=True))
        theory = PairTheory(*(float(value.subs(at)) for value in (eta_h, eta_y, dx2, dy2)))
        state = PairState(*(float(value.subs(at)) for value in (h2, y2, w)))
        expected = [float(rate.subs(at)) for rate in rates]
        np.testing.assert_allclose(numbers(theory.rate(state)), expected, rtol=1e-12)


def test_gradient_flow_of_two_linear_maps_obeys_the_three_equations():
    """The closure is exact where the decoder's Jacobian lies along dh: two integrations agree."""
    theory, times = PairTheory(0.2, 0.7, 1.3, 0.5), np.linspace(0, 30, 61)
    start = towards(theory, 0.3, 0.02, 0.4)
    vectors, _ = follow_vectors(theory, start, times)
    np.testing.assert_allclose(numbers(vectors), numbers(follow_equations(theory, start, times)), atol=1e-10)


@pytest.mark.parametrize(
    "setting",
    [{}, {"outputs": 4}, {"rate_h": 4.0, "rate_y": 0.5}, {"scale": 1.0}],
    ids=["small", "four-outputs", "fast-encoder", "large"],
)
def test_gradient_descent_follows_the_equations_and_ends_at_the_final_distance(setting):
    """Thirty thousand steps of descent on two points: relative error below 1e-3, end within 1e-5."""
    theory, times, measured, *_ = descend(**setting)
    start = PairState(*measured[:, 0])
    followed, closed = follow_equations(theory, start, times), solve(theory, start, times).state
    scale = np.abs(measured).max(1, keepdims=True)
    assert np.all(np.abs(numbers(followed) - measured) < 1e-3 * scale)
    assert np.all(np.abs(numbers(closed) - measured) < 1e-3 * scale)
    np.testing.assert_allclose(measured[0, -1], theory.final_h2(start), rtol=1e-4 if setting.get("scale") else 1e-5)


def test_small_starts_end_at_the_datas_share():
    """‖dx‖·‖dy*‖ times the root of the rates' ratio: 0.7071, and 2 where the encoder is 8 times faster."""
    for setting, a_low in (({}, np.sqrt(0.5)), ({"rate_h": 4.0, "rate_y": 0.5}, 2.0)):
        theory, _, measured, *_ = descend(**setting)
        assert theory.a_low == pytest.approx(a_low, rel=1e-14)
        assert measured[0, -1] == pytest.approx(a_low, rel=2e-3)


# ── The loss ─────────────────────────────────────────────────────────────────────────────────────────


def test_an_eighth_of_the_differences_error_is_in_the_three_numbers():
    """⅛‖dy − dy*‖² = w/4 + (dy2 − y2)/8, with no mean error left."""
    generator = np.random.default_rng(2)
    dy, target = generator.standard_normal((2, 20, 3))
    theory = PairTheory(0.3, 0.6, 1.0, (target**2).sum(1))
    start = PairState(1.0, (dy**2).sum(1), (dy * (dy - target)).sum(1))
    loss = solve(theory, start, [0.0]).loss(0.0, 0.1)[:, 0]
    np.testing.assert_allclose(loss, ((dy - target) ** 2).sum(1) / 8, rtol=1e-12)


@pytest.mark.parametrize("setting", [{}, {"outputs": 4}], ids=["one-output", "four-outputs"])
def test_loss_of_gradient_descent_is_the_means_and_the_differences(setting):
    """The mean output, descended by itself at a rate of its own, adds an exponential."""
    theory, times, measured, losses, mean_error, rate_mean = descend(**setting)
    loss = solve(theory, PairState(*measured[:, 0]), times).loss(mean_error, rate_mean)
    np.testing.assert_allclose(loss, losses, atol=1e-3 * losses[0])
    assert losses[0] > 0.2
    assert losses[-1] < 1e-6


def test_loss_broadcasts_over_pairs():
    theory, times = PairTheory(0.3, 0.6, 1.0, [0.5, 0.2]), [0.0, 3.0, 9.0]
    solution = solve(theory, PairState(0.1, 0.01, [0.0, 0.02]), times)
    both = solution.loss([0.4, 0.1], [0.05, 0.2])
    assert both.shape == (2, 3)
    alone = solve(PairTheory(0.3, 0.6, 1.0, 0.2), PairState(0.1, 0.01, 0.02), times).loss(0.1, 0.2)
    np.testing.assert_array_equal(both[1], alone)


def test_error_of_the_difference_falls_at_the_rate_of_its_law():
    """d‖e‖²/dt = −eta_y·h2·‖e‖² − eta_h·dx2·w²/h2, at random states and along a run."""
    generator = np.random.default_rng(3)
    theory = PairTheory(*generator.uniform(0.1, 2, (4, 50)))
    state = towards(theory, *generator.uniform(0.1, 2, (2, 50)), generator.uniform(-1, 1, 50))
    rate = theory.rate(state)
    law = -theory.eta_y * state.h2 * difference_error(theory, state) - theory.eta_h * theory.dx2 * state.w**2 / state.h2
    np.testing.assert_allclose(2 * rate.w - rate.y2, law, rtol=1e-12)

    times = np.linspace(0, 40, 8001)
    run = solve(HAZARD, towards(HAZARD, **HAZARD_START, cosine=-0.5), times).state
    error = difference_error(HAZARD, run)
    law = -HAZARD.eta_y * run.h2 * error - HAZARD.eta_h * HAZARD.dx2 * run.w**2 / run.h2
    np.testing.assert_allclose(np.gradient(error, times)[1:-1], law[1:-1], atol=1e-5)
    assert np.all(np.diff(error) < 0)


def test_outputs_across_the_target_fade_with_the_distance_travelled():
    """The output across dy*, relative to h2, decays as exp(−eta_y·∫h2 dt)."""
    times = np.linspace(0, 40, 4001)
    run = solve(HAZARD, towards(HAZARD, **HAZARD_START, cosine=-0.5), times).state
    across = (run.y2 - (run.y2 - run.w) ** 2 / HAZARD.dy2) / run.h2
    area = cumulative_simpson(run.h2, x=times, initial=0)
    np.testing.assert_allclose(across, across[0] * np.exp(-HAZARD.eta_y * area), atol=1e-9)
    assert across[0] == pytest.approx(0.3 * 0.75 / 0.4)


# ── What stays constant ──────────────────────────────────────────────────────────────────────────────


def test_the_balance_of_decoder_and_encoder_is_conserved():
    """y2/h2 − h2/kappa keeps its value, under the three equations and under the closed form."""
    theory, times = PairTheory(0.2, 0.7, 1.3, 0.5), np.linspace(0, 60, 301)
    start = towards(theory, 0.3, 0.02, -0.4)
    expected = 0.02 / 0.3 - 0.7 * 0.3 / (0.2 * 1.3)
    assert theory.conserved(start) == pytest.approx(expected, rel=1e-14)
    assert np.ptp(theory.conserved(follow_equations(theory, start, times))) < 1e-9
    np.testing.assert_allclose(theory.conserved(solve(theory, start, times).state), expected, rtol=1e-12)


def test_the_balance_is_conserved_through_zero_distance():
    """Where dh passes through zero the closed form and the vectors keep it."""
    start, times = towards(HAZARD, **HAZARD_START, cosine=-1), np.linspace(0, 60, 301)
    for state in (solve(HAZARD, start, times).state, follow_vectors(HAZARD, start, times)[0]):
        np.testing.assert_allclose(HAZARD.conserved(state), HAZARD.conserved(start), rtol=1e-9)


@settings(max_examples=60, deadline=None)
@given(theories, starts)
def test_the_balance_is_conserved_from_any_start(theory, start):
    state = towards(theory, *start)
    run = solve(theory, state, np.linspace(0, 8 / float(theory.relaxation_rate(state) + 0.1), 20)).state
    # Against its two terms: their difference may cancel.
    size = run.y2 / run.h2 + run.h2 / theory.kappa
    assert np.all(np.abs(theory.conserved(run) - theory.conserved(state)) <= 1e-7 * size)


# ── Where learning ends ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("cosine", "least"), [(-0.99, 0.0), (-0.5, 0.134), (0.0, 0.262), (0.5, 0.366), (0.99, 0.4)])
def test_final_distance_does_not_depend_on_the_alignment_it_starts_with(cosine, least):
    """The way differs, down to a distance of zero; the end is one."""
    start = towards(HAZARD, **HAZARD_START, cosine=cosine)
    times = np.linspace(0, 120, 24_001)
    solution = solve(HAZARD, start, times)
    vectors, dh = follow_vectors(HAZARD, start, times)
    assert HAZARD.final_h2(start) == pytest.approx(0.523293, abs=1e-6)
    assert solution.final_h2 == HAZARD.final_h2(start)
    for state in (solution.state, vectors):
        assert state.h2[-1] == pytest.approx(0.523293, abs=1e-6)
        assert state.h2.min() == pytest.approx(least, abs=1e-3)
    np.testing.assert_allclose(solution.dh, dh, atol=1e-9)
    if cosine == -0.99:
        crossing = times[np.argmax(solution.dh < 0)]
        assert crossing == pytest.approx(9.417, abs=0.006)
        assert solution.dh[-1] < 0
    else:
        assert np.all(solution.dh > 0)


def test_antiparallel_start_with_a_strong_decoder_is_followed_through_zero():
    """The three equations are singular on the way; the closed form is smooth."""
    start, times = towards(HAZARD, **HAZARD_START, cosine=-1), np.linspace(0, 100, 5001)
    solution = solve(HAZARD, start, times)
    assert np.all(numbers(solution.state)[:2] >= 0)
    assert np.all(np.isfinite(numbers(solution.state)))
    assert solution.state.h2[-1] == pytest.approx(0.523293, abs=1e-6)
    assert solution.state.h2.min() < 1e-5
    vectors, dh = follow_vectors(HAZARD, start, times)
    np.testing.assert_allclose(numbers(solution.state), numbers(vectors), atol=1e-9)
    np.testing.assert_allclose(solution.dh, dh, atol=1e-9)


def test_final_distance_needs_more_steps_than_a_fixed_horizon_has():
    """After 1e5 steps at rates of 1e-4 learning is under way: only the closed form knows its end."""
    theory = PairTheory(1e-4, 1e-4, 1.0, 0.5)
    start = towards(theory, 1e-3, 5e-7, np.array([0.0, 1.0, -1.0]))
    solution = solve(theory, start, [1e5])
    np.testing.assert_allclose(solution.state.h2[:, 0], [0.208, 0.388, 0.025], atol=5e-4)
    np.testing.assert_allclose(solution.final_h2, 0.7074, atol=5e-5)
    for i, expected in enumerate([0.208, 0.388, 0.025]):
        one = PairState(1e-3, 5e-7, start.w[i])
        assert follow_vectors(theory, one, [1e5])[0].h2[-1] == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize(
    ("high", "h2", "regime", "law"),
    [
        (10.0, 10.0990, "encoder-lazy", 10.1),
        (-10.0, 0.0990, "decoder-lazy", 0.1),
        (0.01, 1.0050, "rich", 1.005),
        (-0.01, 0.9950, "rich", 0.995),
    ],
)
def test_three_regimes_and_the_law_of_each(high, h2, regime, law):
    """A_low = 1: A_high + A_low²/A_high, A_low²/|A_high| and A_low + A_high/2."""
    theory = PairTheory(eta_h=0.4, eta_y=0.2, dx2=0.5, dy2=1.0)
    assert theory.a_low == pytest.approx(1, rel=1e-14)
    start = PairState(20.0, (20.0 - high) * 20.0, (20.0 - high) * 20.0)  # kappa = 1
    assert theory.a_high(start) == pytest.approx(high, abs=1e-12)
    assert theory.final_h2(start) == pytest.approx(h2, abs=5e-5)
    assert theory.final_h2(start) == pytest.approx(law, rel=0.02)
    assert str(theory.regime(start)) == regime
    assert regime in REGIMES


def test_regime_is_rich_up_to_equal_shares_and_answers_for_arrays():
    theory = PairTheory(1.0, 1.0, 1.0, 1.0)  # kappa = A_low = 1
    start = PairState([2.0, 1.0, 1.0, 1.0, 1.0], [2.0, 2.0, 2.01, 0.0, 1.0], [2.0, 2.0, 2.01, 0.0, 1.0])
    assert theory.a_high(start) == pytest.approx([1.0, -1.0, -1.01, 1.0, 0.0])
    assert theory.regime(start).tolist() == ["rich", "rich", "decoder-lazy", "rich", "rich"]
    assert theory.regime(PairState(1.1, 0.0, 0.0)) == "encoder-lazy"
    assert REGIMES == ("rich", "encoder-lazy", "decoder-lazy")


@pytest.mark.parametrize(("y2", "expected"), [(0.15, 0.025), (0.16, 0.0), (0.17, 0.0)])
def test_agreeing_items_merge_once_the_decoder_outweighs_the_encoder(y2, expected):
    """dy* = 0: the two become one where h2² ≤ kappa·y2."""
    theory, start = PairTheory(0.5, 0.5, 1.0, 0.0), PairState(0.4, y2, y2)
    assert theory.final_h2(start) == pytest.approx(expected, abs=1e-12)
    assert solve(theory, start, [1e12]).state.h2[0] == pytest.approx(expected, abs=1e-11)


def test_final_distance_keeps_its_digits_where_the_decoder_dominates():
    """A_high = −1e8, A_low = 1: the sum of the root formula would cancel to nothing."""
    theory = PairTheory(1.0, 1.0, 1.0, 1.0)
    assert theory.final_h2(PairState(1.0, 1e8, 1e8)) == pytest.approx(1e-8, rel=1e-7)


@settings(max_examples=80, deadline=None)
@given(theories, starts)
def test_final_distance_is_the_limit_of_the_solution_and_does_not_know_w(theory, start):
    state = towards(theory, *start)
    other = towards(theory, *start[:2], 0.3)
    final = theory.final_h2(state)
    assert final == theory.final_h2(other)
    assert final**2 - theory.a_high(state) * final == pytest.approx(theory.a_low**2, abs=1e-12 + 1e-12 * final**2)
    assume(growing_share(theory, state) > 1e-9)
    assert solve(theory, state, [1e15]).state.h2[0] == pytest.approx(final, rel=1e-9, abs=1e-13)


# ── How it gets there ────────────────────────────────────────────────────────────────────────────────


def test_rates_of_the_three_equations_at_the_end_of_learning():
    """Eigenvalues 0, −eta_y·h2 and −Omega, Omega = ½(eta_y·h2 + eta_h·dx2·dy2/h2), by central differences."""
    theory, start = PairTheory(0.2, 0.7, 1.3, 0.5), PairState(0.3, 0.02, 0.02)
    final = float(theory.final_h2(start))
    end, step = np.array([final, 0.5, 0.0]), 1e-6
    columns = [
        (numbers(theory.rate(PairState(*(end + shift)))) - numbers(theory.rate(PairState(*(end - shift))))) / (2 * step)
        for shift in step * np.eye(3)
    ]
    values = np.sort(np.linalg.eigvals(np.transpose(columns)).real)
    np.testing.assert_allclose(values, [-0.413004, -0.31667, 0], atol=1e-6)
    np.testing.assert_allclose(values, [-0.7 * final, -theory.relaxation_rate(start), 0], atol=1e-6)


def test_distance_relaxes_at_the_relaxation_rate():
    """The last decades of |h2 − end|, where the encoder outweighs the decoder."""
    theory = PairTheory(0.2, 0.7, 1.0, 0.5)
    start = PairState(0.3, 0.02, -0.08)
    assert theory.relaxation_rate(start) == pytest.approx(0.28226, abs=5e-6)
    late = np.array([60.0, 80.0])
    gap = np.log(np.abs(solve(theory, start, late).state.h2 - theory.final_h2(start)))
    assert -np.diff(gap)[0] / 20 == pytest.approx(0.28226, abs=3e-4)
    gap = np.log(np.abs(follow_equations(theory, start, late).h2 - theory.final_h2(start)))
    assert -np.diff(gap)[0] / 20 == pytest.approx(0.28226, abs=3e-3)


def test_outputs_across_the_target_slow_a_strong_decoder_down():
    """With A_high < 0 they leave at eta_y·h2, slower than Omega, and h2 waits for them."""
    theory, strong = PairTheory(0.3, 0.6, 1.2, 0.05), PairState(0.4, 0.6, 0.6)
    assert theory.a_high(strong) < 0 < theory.a_low
    final, omega = float(theory.final_h2(strong)), float(theory.relaxation_rate(strong))
    times = np.array([12.0, 18.0]) / (0.6 * final)
    gap = np.log(np.abs(solve(theory, strong, times).state.h2 - final))
    assert -np.diff(gap)[0] / np.diff(times)[0] == pytest.approx(0.6 * final, rel=1e-4)
    assert 0.6 * final < 0.2 * omega


def test_a_decoder_that_dominates_turns_its_outputs_at_the_slow_rate():
    """A_high = −1e8: across over along dy* falls as exp(−eta_y·h2·t/2), a rate of 5e-9 beside one of 5e7."""
    theory, start = PairTheory(1.0, 1.0, 1.0, 1.0), PairState(1.0, 1e8, 1e8 - 6e3)
    times = np.array([0.5e8, 2e8])
    state = solve(theory, start, times).state
    along = state.y2 - state.w
    slope = np.diff(np.log((state.y2 - along**2) / along**2))[0] / np.diff(times)[0]
    assert slope == pytest.approx(-theory.final_h2(start), rel=1e-6)


@pytest.mark.parametrize(
    ("theory", "h2", "dy"),
    [
        (PairTheory(0.2, 0.7, 1.3, 0.5), 0.3, 0.15),
        (PairTheory(0.3, 0.6, 1.0, 0.0), 0.4, 0.3),
        (HAZARD, 0.4, -np.sqrt(0.3)),
        (PairTheory(0.5, 0.3, 0.8, 0.7), 1.1, -0.2),
    ],
    ids=["parallel", "agreeing", "antiparallel-through-zero", "antiparallel"],
)
def test_parallel_outputs_follow_the_hyperbolic_closed_form(theory, h2, dy):
    """A second closed form, by hyperbolic functions and one Riccati equation; its rate is Omega."""
    times = np.linspace(0, 50, 501)
    start = PairState(h2, dy**2, dy**2 - dy * np.sqrt(theory.dy2))
    expected, rate = closed_form_of_parallel_outputs(theory, h2, dy**2 / h2, dy, times)
    np.testing.assert_allclose(numbers(solve(theory, start, times).state), expected, atol=1e-11)
    np.testing.assert_allclose(numbers(follow_vectors(theory, start, times)[0]), expected, atol=1e-9)
    assert theory.relaxation_rate(start) == pytest.approx(rate, rel=1e-12)


@settings(max_examples=40, deadline=None)
@given(theories, starts)
def test_solution_is_what_an_integrator_finds_from_any_start(theory, start):
    state = towards(theory, *start)
    times = np.linspace(0, 8 / float(theory.relaxation_rate(state) + 0.2), 9)
    solution = solve(theory, state, times)
    vectors, dh = follow_vectors(theory, state, times)
    np.testing.assert_allclose(numbers(solution.state), numbers(vectors), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(solution.dh, dh, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(numbers(solution.state)[:, 0], numbers(state), rtol=1e-9, atol=1e-9)
    if vectors.h2.min() > 0.02 * state.h2 and np.all(dh > 0) and start[2] > 0:
        equations = follow_equations(theory, state, times)
        np.testing.assert_allclose(numbers(solution.state), numbers(equations), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("cosine", [-0.9, 0.0, 1.0])
@pytest.mark.parametrize("h2", [1e-8, 1e-16])
def test_tiny_starts_are_followed_with_all_their_digits(h2, cosine):
    theory = PairTheory(0.3, 0.6, 1.2, 0.5)
    start, times = towards(theory, h2, 3e-9 * h2, cosine), np.linspace(0, 200, 41)
    solution = solve(theory, start, times)
    vectors, _ = follow_vectors(theory, start, times, atol=1e-22)
    np.testing.assert_allclose(solution.state.h2, vectors.h2, rtol=1e-7)
    np.testing.assert_allclose(solution.state.y2, vectors.y2, rtol=1e-7)
    assert solution.state.h2[-1] == pytest.approx(theory.a_low, rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(theories, starts)
def test_huge_step_numbers_neither_overflow_nor_lose_the_end(theory, start):
    state = towards(theory, *start)
    solution = solve(theory, state, np.concatenate([[0.0], np.logspace(-3, 15, 40)]))
    everything = np.concatenate([numbers(solution.state), solution.dh[None]])
    assert np.all(np.isfinite(everything))
    assert np.all(everything[:2] >= 0)
    assert np.all(np.isfinite(solution.loss(0.3, 0.01)))
    assert solution.state.h2[-2] == pytest.approx(solution.state.h2[-1], rel=1e-6, abs=1e-12)


# ── Starts that never learn ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("h2", [0.1, 0.37, 1e-8])
@pytest.mark.parametrize("eta_h", [0.3, 0.7, 1.0])
def test_dead_start_falls_monotonically_to_zero(eta_h, h2):
    """Balanced and antiparallel: encoder and decoder extinguish each other, and nothing is learned."""
    theory = PairTheory(eta_h, 0.6, 1.2, 0.5)
    start = towards(theory, h2, h2**2 / theory.kappa, -1)
    solution = solve(theory, start, np.concatenate([np.linspace(0, 300, 601), [1e4, 1e12]]))
    assert np.all(np.isfinite(numbers(solution.state)))
    assert np.all(np.diff(solution.state.h2) <= 0)
    assert np.all(np.diff(solution.state.h2[:200]) < 0)
    assert solution.state.h2[-1] == 0
    assert solution.loss(0.0, 0.1)[-1] == pytest.approx(0.5 / 8)
    early = np.linspace(0, 8, 9)
    vectors, _ = follow_vectors(theory, start, early)
    np.testing.assert_allclose(solve(theory, start, early).state.h2, vectors.h2, atol=1e-9)


@pytest.mark.parametrize("excess", [-1e-9, 1e-9, -1e-13, 1e-13])
def test_a_start_beside_a_dead_one_learns_after_a_plateau(excess):
    """The stronger decoder wins and dh turns round, or the stronger encoder and the outputs do."""
    theory = PairTheory(0.3, 0.6, 1.2, 0.5)
    start = towards(theory, 0.1, 0.1**2 / theory.kappa * (1 + excess), -1)
    solution = solve(theory, start, [40.0, 1e3])
    assert solution.state.h2[0] < 1e-4
    assert solution.state.h2[1] == pytest.approx(theory.a_low, rel=1e-9)
    assert np.sign(solution.dh[1]) == -np.sign(excess)


def test_dead_starts_with_an_output_across_the_target():
    """A decoder that dominates has its own: dh fades, the decoder keeps a useless direction."""
    theory, k, s2 = PairTheory(0.8, 0.5, 1.0, 0.9), -0.2, 0.25
    a, b = 0.4, 0.25
    r = np.hypot(k, np.sqrt(a * b * 0.9))
    angle = 0.5 * np.arccos(k / r)  # of the growing direction; the start is across it
    q = np.array([np.sqrt(s2) * np.sin(angle), -np.sqrt(s2) * np.cos(angle), np.sqrt(-2 * k * (1 + s2 / (2 * r)))])
    assert (q[0] ** 2 - q[1] ** 2 - q[2] ** 2) / 2 == pytest.approx(k)
    h2, dy = q[0] ** 2 / b, q[0] * q[1:] / np.sqrt(a * b)
    start = PairState(h2, dy @ dy, dy @ dy - dy[0] * np.sqrt(0.9))
    solution = solve(theory, start, np.linspace(0, 100, 201))
    assert np.all(np.diff(solution.state.h2) < 0)
    assert solution.state.h2[-1] < 1e-8
    assert theory.final_h2(start) > 0.1
    early = np.linspace(0, 10, 11)
    vectors, _ = follow_vectors(theory, start, early)
    np.testing.assert_allclose(solve(theory, start, early).state.h2, vectors.h2, atol=1e-9)


# ── Arrays ───────────────────────────────────────────────────────────────────────────────────────────


def test_many_theories_at_once_are_each_alone():
    """Bit for bit, over networks and pairs."""
    generator = np.random.default_rng(4)
    shape = (3, 4)
    parameters = [*generator.uniform(0.1, 2, (3, *shape)), generator.uniform(0, 2, shape)]
    parameters[3][0, 0] = 0.0
    theory = PairTheory(*parameters)
    start = towards(theory, *generator.uniform(0.01, 2, (2, *shape)), generator.uniform(-1, 1, shape))
    times = np.linspace(0, 30, 7)
    together = solve(theory, start, times)
    assert together.state.w.shape == (*shape, 7)
    for index in np.ndindex(shape):
        alone_theory = PairTheory(*(values[index] for values in parameters))
        alone_start = PairState(start.h2[index], start.y2[index], start.w[index])
        alone = solve(alone_theory, alone_start, times)
        np.testing.assert_array_equal(numbers(together.state)[:, *index], numbers(alone.state))
        np.testing.assert_array_equal(together.dh[index], alone.dh)
        assert together.final_h2[index] == alone.final_h2
        assert theory.relaxation_rate(start)[index] == alone_theory.relaxation_rate(alone_start)


def test_one_theory_follows_many_starts_and_one_start_many_theories():
    times = [0.0, 2.0]
    theory = PairTheory([0.3, 0.4], 0.6, 1.0, 0.5)
    assert solve(theory, PairState(0.1, 0.02, 0.0), times).state.h2.shape == (2, 2)
    starts_of_three = PairState([0.1, 0.2, 0.3], 0.02, 0.0)
    assert solve(PairTheory(0.3, 0.6, 1.0, 0.5), starts_of_three, times).state.y2.shape == (3, 2)
    assert solve(theory, PairState([[0.1], [0.2], [0.3]], 0.02, 0.0), times).state.w.shape == (3, 2, 2)


def test_solution_remembers_what_was_asked():
    start = PairState(0.1, 0.02, 0.0)
    solution = solve(HAZARD, start, [0, 1, 2])
    assert solution.theory is HAZARD
    assert solution.initial is start
    assert solution.steps.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(solution.dh**2, solution.state.h2)
    assert all(before <= after for before, after in pairwise(solution.state.h2))
    assert solve(HAZARD, start, []).state.h2.shape == (0,)


# ── What is refused ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf, [0.5, -0.5]])
@pytest.mark.parametrize("name", ["eta_h", "eta_y", "dx2", "dy2"])
def test_theory_refuses_impossible_numbers(name, value):
    numbers_given = {"eta_h": 0.3, "eta_y": 0.6, "dx2": 1.0, "dy2": 0.5, name: value}
    bound = "zero or more" if name == "dy2" else "positive"
    with pytest.raises(SpecificationError, match=f"{name} must be {bound} and finite, got"):
        PairTheory(**numbers_given)


@pytest.mark.parametrize("name", ["eta_h", "eta_y", "dx2"])
def test_theory_refuses_a_zero_but_for_equal_targets(name):
    with pytest.raises(SpecificationError, match=f"{name} must be positive"):
        PairTheory(**{"eta_h": 0.3, "eta_y": 0.6, "dx2": 1.0, "dy2": 0.0, name: 0.0})


@pytest.mark.parametrize("ask", ["a_high", "conserved", "rate", "final_h2", "relaxation_rate", "regime", "solve"])
def test_coinciding_representations_are_refused(ask):
    start = PairState([0.4, 0.0], [0.1, 0.0], [0.1, 0.0])
    with pytest.raises(SingularStart, match="representations coincide"):
        solve(HAZARD, start, [0.0]) if ask == "solve" else getattr(HAZARD, ask)(start)


@pytest.mark.parametrize("steps", [3.0, [[0.0, 1.0]], [0.0, -1.0], [0.0, np.nan]])
def test_steps_must_be_a_row_from_zero_on(steps):
    with pytest.raises(ShapeError, match="steps must be one row of numbers, zero or more"):
        solve(HAZARD, PairState(0.4, 0.3, 0.1), steps)


@pytest.mark.parametrize("name", ["h2", "y2", "w"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_start_must_be_finite(name, value):
    with pytest.raises(SpecificationError, match="the start must be finite"):
        solve(HAZARD, PairState(**{"h2": 0.4, "y2": 0.3, "w": 0.1, name: value}), [0.0])


@pytest.mark.parametrize("name", ["h2", "y2"])
def test_start_must_not_have_negative_squares(name):
    with pytest.raises(SpecificationError, match="squared distances and cannot be negative"):
        solve(HAZARD, PairState(**{"h2": 0.4, "y2": 0.3, "w": 0.1, name: -0.1}), [0.0])


@pytest.mark.parametrize("sign", [-1, 1])
def test_start_must_be_possible_for_vectors(sign):
    """|dy·dy*| ≤ ‖dy‖‖dy*‖; an excess of rounding is let pass, and cut off."""
    edge = 0.3 + sign * np.sqrt(0.3 * 0.5)
    with pytest.raises(SpecificationError, match=r"no two outputs have w = .* lies between -0.0872983 and 0.687298"):
        solve(HAZARD, PairState(0.4, [0.2, 0.3], [0.2, edge + sign * 1e-3]), [0.0])
    rounded = solve(HAZARD, PairState(0.4, 0.3, edge + sign * 1e-9), [0.0, 5.0]).state
    exact = solve(HAZARD, PairState(0.4, 0.3, edge), [0.0, 5.0]).state
    np.testing.assert_allclose(numbers(rounded), numbers(exact), atol=1e-8)


@pytest.mark.parametrize("w", [0.2, 0.4, -0.3])
def test_agreeing_start_must_have_w_equal_to_y2(w):
    theory = PairTheory(0.3, 0.6, 1.0, 0.0)
    with pytest.raises(SpecificationError, match=r"no two outputs have w = .*lies between 0.3 and 0.3"):
        solve(theory, PairState(0.4, 0.3, w), [0.0])
