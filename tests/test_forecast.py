"""Forecasts against gradient descent from stated starts: who is right, who is wrong and by how much."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch import nn

from syzygy.errors import UnknownName
from syzygy.forecast import FORECASTS, LEARNED, Mean, Start, forecast, time_to_learn
from syzygy.linearisation import linearise, tangent_kernel
from syzygy.theory import ExactState

WITH_MEAN = "exact, with the mean"
#: Those that need no more than a pair by itself.
NAMES = tuple(name for name in FORECASTS if name != WITH_MEAN)


def chain(weights):
    """Linear maps without biases, as a network; the representation after ``n`` of them is layer ``n − 1``."""
    maps = [nn.Linear(*w.shape[::-1], bias=False, dtype=torch.float64) for w in weights]
    for one, w in zip(maps, weights, strict=True):
        one.weight.data = torch.as_tensor(w)
    return nn.Sequential(*maps)


def descended(weights, x, y, layer, rate, steps):
    """Gradient descent on half the squared error, averaged over items and outputs: ‖dh‖² and ‖dy − dy*‖² by step."""
    maps, h2, error = [w.copy() for w in weights], [], []
    for _ in range(steps + 1):
        seen = [x]
        for w in maps:
            seen.append(seen[-1] @ w.T)
        h2.append(((seen[layer][1] - seen[layer][0]) ** 2).sum())
        error.append((((seen[-1] - y)[1] - (seen[-1] - y)[0]) ** 2).sum())
        back = (seen[-1] - y) / y.size
        for index in reversed(range(len(maps))):
            gradient = back.T @ seen[index]
            back = back @ maps[index]
            maps[index] -= rate * gradient
    return np.array(h2), np.array(error)


def about_zero(outputs=1):
    x = np.array([[0.3, -0.4, 0.1], [-0.3, 0.4, -0.1]])
    y = np.array([[0.5, -0.3], [-0.5, 0.3]])[:, :outputs]
    return x, y


def two_maps(seed, outputs, first, second, width=30):
    """Weights of two maps, normal with these deviations of what they pass on."""
    draw = np.random.default_rng(seed)
    return [first * draw.normal(size=(width, 3)), second * draw.normal(size=(outputs, width)) / np.sqrt(width)]


def begun(weights, x, y, rate, layer=1):
    seen = linearise(chain(weights), str(layer - 1), x, y, learning_rate=rate)
    return Start.of(seen, rate, layer, len(weights))


def plain(h2=1.0, dy=(0.1,), gram=((2.0,),), layer=1, layers=2, nominal=0.15, **changes):
    """One pair of which only a tenth of the decoder lies along dh; its encoder is half as fast as its decoder."""
    one = {"target": [[0.5] + [0.0] * (len(dy) - 1)], "dx2": [1.0], "eta_h": [0.1], "eta_y": [0.2], "goal": [0.04]}
    given = {name: np.array(value, dtype=float) for name, value in (one | changes).items()}
    state = ExactState([h2], [dy], [gram])
    return Start(state, nominal=nominal, layer=layer, layers=layers, **given)


# Two linear maps


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_exact_forecast_is_what_gradient_descent_does_and_the_papers_is_not(seed, outputs):
    x, y = about_zero(outputs)
    # A decoder of gain 1.5 in random directions: little of it lies along a dh as small as this one.
    weights, rate = two_maps(seed, outputs, 0.05, 1.5), 0.01
    start = begun(weights, x, y, rate)
    h2, error = descended(weights, x, y, 1, rate, 6000)
    learned = time_to_learn(np.arange(len(error)), error)
    assert error[-1] < 1e-12
    made = {name: (one["final_h2"].item(), one["learned"].item()) for name, one in forecast(start).items()}
    for name in ("exact", "exact, nominal rates"):
        assert made[name][0] == pytest.approx(h2[-1], rel=1e-3)
        assert made[name][1] == pytest.approx(learned, rel=0.01)
    for name in ("paper", "paper, nominal rates"):
        assert made[name][0] > 1.2 * h2[-1]
        assert made[name][1] > 1.2 * learned


def test_both_are_what_gradient_descent_does_where_the_decoder_lies_along_the_difference():
    x, y = about_zero()
    first, _ = two_maps(3, 1, 0.2, 1.0)
    dh = first @ (x[1] - x[0])
    weights, rate = [first, 0.3 * dh[None] / np.linalg.norm(dh)], 0.01
    h2, error = descended(weights, x, y, 1, rate, 6000)
    learned = time_to_learn(np.arange(len(error)), error)
    made = forecast(begun(weights, x, y, rate))
    for name in NAMES:
        assert made[name]["final_h2"].item() == pytest.approx(h2[-1], rel=1e-3), name
        assert made[name]["learned"].item() == pytest.approx(learned, rel=0.01), name


@pytest.mark.parametrize(
    "start",
    [plain(), plain(dx2=[3.0]), plain(dy=(0.1, -0.2), gram=((2.0, 0.3), (0.3, 1.0))), plain(dy=(-0.4,), goal=[0.3])],
    ids=["one output", "inputs further apart", "two outputs", "across the target"],
)
def test_the_exact_forecast_of_two_different_rates_is_the_integral_of_the_exact_system(start):
    outputs = start.target.shape[-1]
    a, b = 0.5 * start.eta_h[0] * start.dx2[0], 0.5 * start.eta_y[0]

    def rate(_, state):
        q, gram = state[1 : 1 + outputs], state[1 + outputs :].reshape(outputs, outputs)
        e = q - start.target[0]
        turned = -b * (np.outer(e, q) + np.outer(q, e))
        return np.concatenate([[-2 * a * q @ e], -a * gram @ e - b * state[0] * e, turned.ravel()])

    def reached(_, state):
        return ((state[1 : 1 + outputs] - start.target[0]) ** 2).sum() - start.goal[0]

    first = np.concatenate([start.state.h2, start.state.dy[0], start.state.gram[0].ravel()])
    found = solve_ivp(rate, (0, 2000), first, method="DOP853", rtol=1e-11, atol=1e-13, events=reached)
    made = forecast(start, ("exact", "paper"))
    assert made["exact"]["final_h2"].item() == pytest.approx(found.y[0, -1], rel=1e-6)
    assert made["exact"]["learned"].item() == pytest.approx(found.t_events[0][0], rel=1e-3)
    assert abs(made["paper"]["learned"].item() / found.t_events[0][0] - 1) > 0.2


@pytest.mark.parametrize("outputs", [1, 2])
def test_off_centre_the_forecast_with_the_mean_is_what_gradient_descent_does_and_the_pairs_is_not(outputs):
    x, y = about_zero(outputs)
    x, y = x + np.array([0.8, 0.2, -0.5]), y + 0.6
    weights, rate = two_maps(4, outputs, 0.1, 0.8), 0.01
    network, h = chain(weights), x @ weights[0].T
    kernels = tangent_kernel(network, x, "0")
    told = (*kernels, h @ h.T, h.mean(0) @ weights[1].T, h @ weights[1].T, y)
    start = replace(begun(weights, x, y, rate), mean=Mean(*(np.asarray(one)[None] for one in told)))
    h2, error = descended(weights, x, y, 1, rate, 8000)
    learned = time_to_learn(np.arange(len(error)), error)
    assert error[-1] < 1e-9
    made = forecast(start, (WITH_MEAN, "exact"))
    assert made[WITH_MEAN]["final_h2"].item() == pytest.approx(h2[-1], rel=1e-3)
    assert made[WITH_MEAN]["learned"].item() == pytest.approx(learned, rel=0.01)
    if outputs == 1:  # the mean of two outputs may pull where the difference does not
        assert abs(made["exact"]["final_h2"].item() / h2[-1] - 1) > 0.03
    lost = replace(start, mean=replace(start.mean, encoder_kernel=np.full((1, 2, 2), np.nan)))
    assert np.isnan(forecast(lost, (WITH_MEAN,))[WITH_MEAN]["final_h2"]).all()


# Deep chains


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_rates_that_grow_foretell_a_balanced_chain_and_constant_ones_do_not(layer):
    draw, gain, rate = np.random.default_rng(5), 0.6, 0.005
    x, y = np.array([[0.5, 0.0], [-0.5, 0.0]]), np.array([[0.4], [-0.4]])
    axes = [np.array([1.0, 0.0]), *(v / np.linalg.norm(v) for v in draw.normal(size=(3, 6))), np.array([1.0])]
    weights = [gain * np.outer(after, before) for before, after in pairwise(axes)]
    h2, error = descended(weights, x, y, layer, rate, 16_000)
    learned = time_to_learn(np.arange(len(error)), error)
    assert error[-1] < 1e-9
    made = forecast(begun(weights, x, y, rate, layer), ("growing", "paper"))
    assert made["growing"]["final_h2"].item() == pytest.approx(h2[-1], rel=1e-3)
    assert made["growing"]["learned"].item() == pytest.approx(learned, rel=0.01)
    assert abs(made["paper"]["learned"].item() / learned - 1) > 0.2
    if layer != 2:
        assert abs(made["paper"]["final_h2"].item() / h2[-1] - 1) > 0.1


def test_a_deep_chains_rates_are_measured_where_it_is():
    """The same chain a while later: its rates have grown, and the forecast of the end is still the same."""
    draw, rate = np.random.default_rng(5), 0.005
    x, y = np.array([[0.5, 0.0], [-0.5, 0.0]]), np.array([[0.4], [-0.4]])
    axes = [np.array([1.0, 0.0]), *(v / np.linalg.norm(v) for v in draw.normal(size=(3, 6))), np.array([1.0])]
    first, later = (begun([gain * np.outer(a, b) for b, a in pairwise(axes)], x, y, rate, 1) for gain in (0.5, 0.8))
    assert later.eta_y / first.eta_y == pytest.approx((0.8 / 0.5) ** 4, rel=1e-9)
    made = [forecast(one, ("growing", "paper")) for one in (first, later)]
    ends = [[one[name]["final_h2"].item() for one in made] for name in ("growing", "paper")]
    assert ends[0][1] == pytest.approx(ends[0][0], rel=1e-9)
    assert abs(ends[1][1] / ends[1][0] - 1) > 0.2


# Identities


@pytest.mark.parametrize("dy", [(0.1,), (0.1, 0.0), (0.1, -0.3)])
def test_along_the_difference_the_exact_forecast_is_the_papers(dy):
    start = plain(h2=0.7, dy=dy, gram=np.outer(dy, dy) + 0.4 * np.eye(len(dy)))
    along = replace(start, state=start.state.aligned)
    made, off = forecast(along), forecast(start)
    for one, other in (("exact", "paper"), ("exact, nominal rates", "paper, nominal rates")):
        for what in ("final_h2", "learned"):
            assert made[one][what] == pytest.approx(made[other][what], rel=1e-6)
            assert off[other][what] == pytest.approx(made[other][what], rel=1e-4), "the paper's knows no more"
    assert abs(off["exact"]["final_h2"] / off["paper"]["final_h2"] - 1) > 0.01


def test_with_one_map_on_either_side_rates_do_not_grow():
    made = forecast(plain())
    for what in ("final_h2", "learned"):
        assert made["growing"][what] == pytest.approx(made["paper"][what], rel=1e-6)
    deeper = forecast(plain(layer=3, layers=7), ("growing", "paper"))
    assert abs(deeper["growing"]["learned"] / deeper["paper"]["learned"] - 1) > 0.2


@pytest.mark.parametrize(("layer", "layers"), [(1, 2), (2, 5), (4, 5)])
def test_rates_twice_as_fast_halve_every_time_and_move_no_end(layer, layers):
    slow = plain(layer=layer, layers=layers)
    fast = replace(slow, eta_h=2 * slow.eta_h, eta_y=2 * slow.eta_y, nominal=2 * slow.nominal)
    for name in NAMES:
        one, other = (forecast(start, (name,))[name] for start in (slow, fast))
        assert one["final_h2"] == pytest.approx(other["final_h2"], rel=1e-9), name
        assert one["learned"] == pytest.approx(2 * other["learned"], rel=1e-6), name


def test_nominal_rates_are_those_that_were_given():
    start = plain()
    measured = replace(start, eta_h=np.array([0.15]), eta_y=np.array([0.15]))
    made, same = forecast(start), forecast(measured)
    for which in ("paper", "exact"):
        for what in ("final_h2", "learned"):
            assert made[f"{which}, nominal rates"][what] == same[which][what]
            assert made[which][what] != same[which][what]


# Starts


def test_a_start_is_what_was_seen():
    x, y = about_zero(2)
    weights = two_maps(0, 2, 0.2, 1.0)
    seen = linearise(chain(weights), "0", x, y, learning_rate=0.01)
    start = Start.of(seen, 0.01, 1, 2)
    dy = weights[1] @ weights[0] @ (x[1] - x[0])
    assert start.goal == pytest.approx(LEARNED * ((dy - (y[1] - y[0])) ** 2).sum())
    assert start.nominal == 0.01 / 2 / 2
    assert start.eta_h == pytest.approx(start.nominal)
    assert start.dx2 == pytest.approx(4 * 0.26)
    np.testing.assert_allclose(start.target, [[-1.0, 0.6]])
    assert (start.layer, start.layers) == (1, 2)


def test_every_pair_is_foretold_as_if_alone():
    draw = np.random.default_rng(0)
    dh, jacobian = draw.normal(size=(1, 3, 4)), draw.normal(size=(1, 3, 1, 4))
    whole = Start(
        ExactState.of(dh, jacobian),
        np.full((1, 3, 1), 0.5),
        np.array([[0.5, 1.0, 2.0]]),
        np.full((1, 3), 0.1),
        np.array([[0.1, 0.2, 0.3]]),
        np.full((1, 3), 0.1),
        0.05,
        2,
        4,
    )
    made = forecast(whole)
    for where in np.ndindex(1, 3):
        one = whole[where]
        assert (one.state.h2, one.dx2, one.eta_y) == (whole.state.h2[where], whole.dx2[where], whole.eta_y[where])
        assert (one.layer, one.layers, one.nominal) == (2, 4, 0.05)
        alone = forecast(one)
        for name in NAMES:
            for what in ("final_h2", "learned"):
                assert made[name][what].shape == (1, 3)
                np.testing.assert_array_equal(made[name][what][where], alone[name][what])


def test_the_forecasts_that_are_asked_for_are_made():
    assert list(forecast(plain(), ("paper",))) == ["paper"]
    assert list(forecast(plain())) == list(FORECASTS)
    assert np.isnan(forecast(plain())[WITH_MEAN]["final_h2"]).all(), "of the mean it has not been told"
    with pytest.raises(UnknownName, match="unknown forecast 'exat'; did you mean exact"):
        forecast(plain(), ("paper", "exat"))
    assert all(about for about, _ in FORECASTS.values())


RATED = [name for name in NAMES if "nominal" not in name]


@pytest.mark.parametrize("name", ["eta_h", "eta_y"])
@pytest.mark.parametrize("rate", [np.nan, 0.0, -0.1, np.inf])
def test_without_a_rate_nothing_is_foretold_that_needs_it(name, rate):
    made = forecast(plain(**{name: [rate]}))
    for forecasted, one in made.items():
        if forecasted == WITH_MEAN:
            continue
        assert np.isnan(one["final_h2"]).all() == np.isnan(one["learned"]).all() == (forecasted in RATED), forecasted
    assert np.isnan(forecast(plain(nominal=np.nan))["exact, nominal rates"]["final_h2"]).all()


@pytest.mark.parametrize(
    "changes", [{"dx2": [0.0]}, {"dx2": [-1.0]}, {"dx2": [np.nan]}, {"dx2": [np.inf]}, {"target": [[np.nan]]}]
)
def test_from_impossible_numbers_nothing_is_foretold(changes):
    for layer, layers in ((1, 2), (2, 4)):
        for name, one in forecast(plain(layer=layer, layers=layers, **changes)).items():
            assert np.isnan(one["final_h2"]).all(), name
            assert np.isnan(one["learned"]).all(), name


def test_a_pair_that_coincides_is_foretold_by_the_exact_theory_alone():
    made = forecast(plain(h2=0.0, dy=(0.0,)))
    # Half the encoder's part, from ½(0 − kappa·G) + sqrt(¼(kappa·G)² + kappa·dy*²) with kappa = ½.
    assert made["exact"]["final_h2"].item() == pytest.approx(-0.5 + np.sqrt(0.25 + 0.125))
    assert np.isfinite(made["exact"]["learned"]).all()
    for name in ("paper", "growing"):
        assert np.isnan(made[name]["final_h2"]).all()
    for one in forecast(plain(h2=0.0, dy=(0.0,), gram=((0.0,),))).values():
        assert np.isnan(one["final_h2"]).all()


@pytest.mark.parametrize(("layer", "layers"), [(0, 2), (2, 2), (0, 0), (3, 2)])
def test_rates_grow_only_with_maps_on_both_sides(layer, layers):
    made = forecast(plain(layer=layer, layers=layers))
    assert np.isnan(made["growing"]["final_h2"]).all()
    assert np.isfinite(made["paper"]["final_h2"]).all()


def test_rates_that_grow_from_nothing_are_not_foretold():
    made = forecast(plain(dy=(0.0,), gram=((0.0,),), layer=2, layers=4))
    assert np.isnan(made["growing"]["final_h2"]).all()
    assert np.isfinite(made["exact"]["final_h2"]).all()


def test_a_pair_that_has_learned_needs_no_time():
    for name, one in forecast(plain(dy=(0.5,), goal=[0.01]), NAMES).items():
        assert one["final_h2"].item() == pytest.approx(1.0), name
        assert one["learned"].item() == 0, name


def test_agreeing_targets_end_and_count_as_learned():
    made = forecast(plain(target=[[0.0]], goal=[0.0025]))
    for name in ("paper", "exact"):
        assert 0 < made[name]["final_h2"].item() < 1
        assert 0 < made[name]["learned"].item() < np.inf


def test_a_goal_that_is_never_reached_takes_for_ever():
    for name, one in forecast(plain(goal=[-1.0]), NAMES).items():
        assert one["learned"].item() == np.inf, name
        assert np.isfinite(one["final_h2"]).all()


# The time to learn


def test_the_time_to_learn_by_hand():
    assert time_to_learn([0, 10, 20], [1.0, 0.5, 0.0]).item() == 15
    assert time_to_learn([0, 10, 20], [1.0, 0.25, 0.0]).item() == 10
    assert time_to_learn([0, 10, 20], [1.0, 0.5, 0.0], goal=0.5).item() == 10
    assert time_to_learn([0, 10, 20], [1.0, 0.5, 0.0], goal=0.9).item() == pytest.approx(2)
    assert time_to_learn([5, 10, 20], [1.0, 0.5, 0.0], goal=1.0).item() == 5
    assert time_to_learn([0, 10, 20], [1.0, 0.5, 0.3]).item() == np.inf


def test_the_first_crossing_counts():
    curve = [1.0, 0.1, 2.0, 0.0]
    assert time_to_learn([0, 10, 20, 30], curve).item() == pytest.approx(10 * 0.75 / 0.9)


def test_what_was_not_seen_was_not_learned():
    nan = np.nan
    assert time_to_learn([0, 10, 20], [1.0, nan, nan]).item() == np.inf
    assert time_to_learn([0, 10, 20], [nan, nan, nan]).item() == np.inf
    assert time_to_learn([0, 10, 20], [1.0, 0.0, nan]).item() == 7.5
    assert 0 < time_to_learn([0, 10, 20], [1.0, nan, 0.0]).item() <= 20


def test_many_curves_each_with_its_goal():
    curves = np.stack([np.linspace(1, 0, 11), np.linspace(2, 0, 11), np.full(11, 1.0)])
    np.testing.assert_allclose(time_to_learn(np.arange(11), curves), [7.5, 7.5, np.inf])
    np.testing.assert_allclose(time_to_learn(np.arange(11), curves, [0.5, 0.5, 1.0]), [5, 7.5, 0])
    assert time_to_learn(np.arange(11), curves[:, None]).shape == (3, 1)


def test_of_an_exponential():
    steps = np.arange(0.0, 50, 0.1)
    assert time_to_learn(steps, 3 * np.exp(-steps / 7)).item() == pytest.approx(7 * np.log(1 / LEARNED), rel=1e-4)
