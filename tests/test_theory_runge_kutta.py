"""Many systems at once against SciPy, one at a time."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from syzygy.errors import ShapeError, SpecificationError
from syzygy.theory import runge_kutta
from syzygy.theory.runge_kutta import follow

SPEEDS = np.array([0.3, 1.0, 2.5, 9.0])
STARTS = np.array([[1.0, 0.5, 2.0, 0.1], [0.0, 1.0, -1.0, 0.3]])
TIMES = np.array([0.0, 0.4, 1.7, 3.0, 12.0])


def pendulum(state, speeds):
    """A pendulum per column: nonlinear, and of a period that depends on where it began."""
    return np.stack([state[1], -(speeds**2) * np.sin(state[0])])


def by_scipy(start, speed, times=TIMES, rtol=1e-8, atol=1e-12):
    run = solve_ivp(
        lambda _, state: pendulum(state, speed), (0, times[-1]), start, "DOP853", times, rtol=rtol, atol=atol
    )
    return run.y.T


@pytest.mark.parametrize("rtol", [1e-3, 1e-6, 1e-10])
def test_each_system_takes_scipys_steps(rtol):
    found = follow(pendulum, STARTS, TIMES, given=SPEEDS, rtol=rtol)
    for system, speed in enumerate(SPEEDS):
        # At the same tolerances the steps are the same, so the results are far nearer than their errors.
        np.testing.assert_allclose(found[:, :, system], by_scipy(STARTS[:, system], speed, rtol=rtol), atol=2e-11)


def test_what_is_interpolated_is_right():
    fine = np.linspace(0, 12, 400)
    found = follow(pendulum, STARTS, fine, given=SPEEDS, rtol=1e-7)
    for system, speed in enumerate(SPEEDS):
        np.testing.assert_allclose(found[:, :, system], by_scipy(STARTS[:, system], speed, fine, 1e-12), atol=2e-5)


def test_without_anything_given_a_rate_hears_which_systems_are_left():
    found = follow(lambda state, rows: pendulum(state, SPEEDS[rows]), STARTS, TIMES)
    np.testing.assert_array_equal(found, follow(pendulum, STARTS, TIMES, given=SPEEDS))


def test_parts_and_threads_change_nothing(monkeypatch):
    together = follow(pendulum, STARTS, TIMES, given=SPEEDS)
    monkeypatch.setattr(runge_kutta, "CHUNK", 3)  # one system of two numbers at a time
    apart = follow(pendulum, STARTS, TIMES, given=SPEEDS)
    np.testing.assert_allclose(apart, together, rtol=1e-12, atol=1e-14)
    alone = [follow(pendulum, STARTS[:, [one]], TIMES, given=SPEEDS[[one]])[..., 0] for one in range(len(SPEEDS))]
    np.testing.assert_allclose(np.stack(alone, -1), together, rtol=1e-12, atol=1e-14)


def test_a_step_that_is_refused_is_tried_again_from_the_same_slope():
    """Beside one that is not: stages of the refused step must not be left in its place."""

    def kick(state, centres):
        return np.stack([np.ones_like(centres), np.cos(40 * np.maximum(state[0] - centres, 0)) - 1])

    centres = np.array([0.3, 5.0, 20.0])
    start, times = np.zeros((2, 3)), np.array([1.0, 6.0, 11.0])
    found = follow(kick, start, times, given=centres, rtol=1e-9)
    late = np.maximum(times[:, None] - centres, 0)
    np.testing.assert_allclose(found[:, 0], np.broadcast_to(times[:, None], (3, 3)), rtol=1e-12)
    np.testing.assert_allclose(found[:, 1], np.sin(40 * late) / 40 - late, atol=1e-7)


def test_what_is_seen_is_a_function_of_the_state():
    def energy(state, speeds):
        return (0.5 * state[1] ** 2 - speeds**2 * np.cos(state[0]))[None]

    found = follow(pendulum, STARTS, TIMES, given=SPEEDS, seen=energy, rtol=1e-11)
    assert found.shape == (len(TIMES), 1, len(SPEEDS))
    np.testing.assert_allclose(found[:, 0] - energy(STARTS, SPEEDS), 0, atol=1e-8)


def test_a_system_that_runs_away_harms_no_other():
    """x' = x² from 1 ends at time 1; from -1 it does not."""
    found = follow(lambda state, _: state**2, [[1.0, -1.0, 0.1]], [0.0, 0.5, 0.9, 2.0, 3.0])
    np.testing.assert_allclose(found[:3, 0, 0], [1, 2, 10], rtol=1e-6)
    assert np.isnan(found[3:, 0, 0]).all()
    np.testing.assert_allclose(found[:, 0, 1], [-1, -1 / 1.5, -1 / 1.9, -1 / 3, -1 / 4], rtol=1e-7)
    np.testing.assert_allclose(found[:, 0, 2], [0.1, 0.1 / 0.95, 0.1 / 0.91, 0.1 / 0.8, 0.1 / 0.7], rtol=1e-7)


def test_a_start_that_is_not_a_number_gives_none():
    found = follow(lambda state, _: -state, [[np.nan, 1.0]], [1.0, 2.0])
    assert np.isnan(found[:, 0, 0]).all()
    np.testing.assert_allclose(found[:, 0, 1], np.exp([-1.0, -2.0]), rtol=1e-8)


def test_a_system_that_takes_too_many_steps_is_given_up(monkeypatch):
    monkeypatch.setattr(runge_kutta, "MOST_STEPS", 60)
    found = follow(pendulum, STARTS, [0.1, 100.0], given=np.array([0.01, 0.01, 0.01, 9.0]))
    assert np.isnan(found[1, :, 3]).all()
    assert np.isfinite(found[:, :, :3]).all()
    assert np.isfinite(found[0]).all()


def test_settled_systems_stand_still_and_cost_nothing():
    calls = np.zeros(2)

    def decay(state, rows):
        calls[rows] += 1
        return -state * np.array([1.0, 1e-3])[rows]

    times = np.array([0.0, 5.0, 1e3, 2e3])
    found = follow(decay, [[1.0, 1.0]], times, settled=lambda state, _: state[0] < 1e-4)
    assert found[2, 0, 0] == found[3, 0, 0] < 1e-4
    np.testing.assert_allclose(found[:, 0, 1], np.exp(-1e-3 * times), rtol=1e-7)
    np.testing.assert_allclose(found[1, 0, 0], np.exp(-5), rtol=1e-6)
    everything = calls.copy()
    calls[:] = 0
    follow(decay, [[1.0, 1.0]], times)
    assert calls[0] > 5 * everything[0]


def test_error_of_a_vector_is_relative_to_its_length():
    """A number that is small beside its vector need not be known to all of its own digits."""
    calls = [0]

    def turn(state, _):
        calls[0] += 1
        return np.stack([-state[1], state[0]])

    apart = follow(turn, [[1.0], [0.0]], [20.0], rtol=1e-6, atol=1e-30)
    each, calls[0] = calls[0], 0
    together = follow(turn, [[1.0], [0.0]], [20.0], rtol=1e-6, atol=1e-30, groups=[2])
    assert calls[0] < each
    for found in (apart, together):
        np.testing.assert_allclose(found[0, :, 0], [np.cos(20), np.sin(20)], atol=1e-5)


def test_no_systems_and_no_steps():
    assert follow(pendulum, np.zeros((2, 0)), TIMES, given=np.zeros(0)).shape == (len(TIMES), 2, 0)
    assert follow(pendulum, STARTS, [], given=SPEEDS).shape == (0, 2, 4)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"start": [1.0, 2.0]}, ShapeError, r"a start must be \(number, system\), got shape \(2,\)"),
        ({"steps": [2.0, 1.0]}, ShapeError, "that do not fall"),
        ({"steps": [-1.0, 1.0]}, ShapeError, "zero or more"),
        ({"steps": [0.0, np.inf]}, ShapeError, "finite numbers"),
        ({"steps": [[0.0, 1.0]]}, ShapeError, "one row"),
        ({"rtol": 0.0}, SpecificationError, "tolerances must be positive; got rtol = 0.0"),
        ({"atol": [[1e-9, 0.0]]}, SpecificationError, "tolerances must be positive"),
        ({"groups": [1, 2]}, ShapeError, "groups must add up to the 2 numbers"),
        ({"groups": [0, 2]}, ShapeError, "groups must add up"),
    ],
)
def test_bad_arguments_are_refused(change, error, text):
    arguments = {"start": STARTS, "steps": TIMES} | change
    with pytest.raises(error, match=text):
        follow(pendulum, given=SPEEDS, **arguments)
