"""The chain of gains against linear networks trained by gradient descent, and against closed forms."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import hyp2f1

from syzygy.errors import ShapeError, SpecificationError
from syzygy.theory import PairState, PairTheory, runge_kutta, solve
from syzygy.theory.depth.chain import Chain, solve_chain

WIDTHS = (3, 7, 5, 6, 8, 4, 2)
#: Gains of chains of two to six maps: balanced, and of any size and sign.
BALANCED = {maps: [0.4 ** (2 / maps)] * maps for maps in range(2, 7)}
ANYHOW = {2: [0.9, 0.1], 3: [-0.5, 0.8, -0.6], 4: [0.9, 0.3, 0.8, -0.7], 5: [0.9, 1.2, 0.5, 0.8, 0.7]}
ANYHOW[6] = [0.6, -1.1, 0.9, -1.0, 0.8, 0.9]


def unit(draw, size):
    vector = draw.standard_normal(size)
    return vector / np.linalg.norm(vector)


class Network:
    """A linear network of an aligned start, and its pair about zero; gradient descent written out."""

    def __init__(self, gains, dx2=1.3, dy2=0.9, across=0.0, seed=0):
        draw, widths = np.random.default_rng(seed), (*WIDTHS[: len(gains)], 2)
        ways = [unit(draw, width) for width in widths]
        stray = np.array([-ways[-1][1], ways[-1][0]])
        self.dx, self.target = np.sqrt(dx2) * ways[0], np.sqrt(dy2) * ways[-1]
        self.weights = [gain * np.outer(ways[i + 1], ways[i]) for i, gain in enumerate(gains)]
        self.weights[-1] = self.weights[-1] + across * np.outer(stray, ways[-2])
        self.items = np.array([-0.5, 0.5])

    def differences(self):
        """``dh`` after 0 … N maps."""
        found = [self.dx]
        for weight in self.weights:
            found.append(weight @ found[-1])
        return found

    def step(self, rate):
        activity = [np.outer(self.dx, self.items)]
        for weight in self.weights:
            activity.append(weight @ activity[-1])
        error = (activity[-1] - np.outer(self.target, self.items)) / 2
        for index in reversed(range(len(self.weights))):
            change = error @ activity[index].T
            error = self.weights[index].T @ error
            self.weights[index] = self.weights[index] - rate * change

    def trained(self, rate, steps):
        """``dh`` of every layer at some steps: a list of ``(step, unit)``."""
        seen, at = [], 0
        for step in steps:
            for _ in range(step - at):
                self.step(rate)
            at = step
            seen.append(self.differences())
        return [np.array(layer) for layer in zip(*seen, strict=True)]


@pytest.mark.parametrize("across", [0.0, 0.3])
@pytest.mark.parametrize("gains", [*BALANCED.values(), *ANYHOW.values()], ids=str)
def test_gradient_descent_of_a_linear_network_follows_the_chain(gains, across):
    """At every layer, to a thousandth of the curve's largest value.  One start points away, and passes through zero."""
    rate, steps = 4e-3, np.arange(0, 4001, 100)
    network = Network(gains, across=across)
    seen = network.trained(rate, steps)
    curves = solve_chain(Chain(gains, 1.3, 0.9, rate, across), steps)
    for layer, dh in enumerate(seen):
        h2 = np.square(dh).sum(1)
        np.testing.assert_allclose(curves.h2(layer), h2, atol=1e-3 * h2.max())
    state, dy = curves.state(1), seen[-1]
    np.testing.assert_allclose(state.y2, np.square(dy).sum(1), atol=1e-3)
    np.testing.assert_allclose(state.w, (dy * (dy - network.target)).sum(1), atol=1e-3)
    assert np.ptp(state.y2) > 0.2, "nothing was learned, nothing was tested"


@pytest.mark.parametrize("maps", range(2, 7))
def test_effective_rates_are_those_that_gradient_descent_shows(maps):
    """``D_h' dx = −‖dx‖²/(4·tau_h)·D_yᵀe`` and ``D_y' dh = −‖dh‖²/(4·tau_y)·e``: read off one tiny step, at times."""
    network, tiny = Network(ANYHOW[maps]), 1e-7
    for _ in range(4):
        squares = [np.square(np.linalg.norm(weight)) for weight in network.weights]
        before, old = network.differences(), list(network.weights)
        network.step(tiny)
        after, new, network.weights = network.differences(), network.weights, old
        error = before[-1] - network.target
        for layer in range(1, maps):
            jacobian = np.linalg.multi_dot([*old[layer:][::-1], np.eye(len(before[layer]))])
            moved = np.linalg.multi_dot([*new[layer:][::-1], np.eye(len(before[layer]))]) - jacobian
            pull = jacobian.T @ error
            tau_h = -4 * (after[layer] - before[layer]) @ pull / (1.3 * pull @ pull) / tiny
            dh = before[layer]
            tau_y = -4 * error @ moved @ dh / (dh @ dh * error @ error) / tiny
            eta_h, eta_y = Chain(np.sqrt(squares), 1.3, 0.9, 1.0).rates(layer)
            np.testing.assert_allclose([tau_h, tau_y], [2 * eta_h, 2 * eta_y], rtol=1e-5)
        for _ in range(300):
            network.step(4e-3)


@pytest.mark.parametrize("layer", range(1, 5))
def test_balanced_rates_are_powers_of_the_gains(layer):
    gain, rate, maps = 0.7, 0.02, 5
    eta_h, eta_y = Chain([gain] * maps, 1.0, 1.0, rate).rates(layer)
    left = maps - layer
    assert 2 * eta_h == pytest.approx(rate * layer * (gain**layer) ** (2 - 2 / layer), rel=1e-14)
    assert 2 * eta_y == pytest.approx(rate * left * (gain**left) ** (2 - 2 / left), rel=1e-14)


@pytest.mark.parametrize("maps", range(1, 8))
def test_balanced_chains_take_the_time_that_the_quadrature_says(maps):
    """``t = 4/(γ‖dx‖²)·∫ds/(s^{N−1}(c − s^N))``, c = ‖dy*‖/‖dx‖: a logistic at two maps, hypergeometric beyond."""
    dx2, dy2, rate, start = 1.7, 2.9, 0.03, 0.2
    steps = np.array([1.0, 20.0, 60.0, 200.0])
    found, share = solve_chain(Chain([start] * maps, dx2, dy2, rate), steps).gains[:, 0], np.sqrt(dy2 / dx2)
    speed = rate * dx2 / 4

    def primitive(s):
        if maps == 1:
            return -np.log(share - s)
        if maps == 2:
            return np.log(s**2 / (share - s**2)) / (2 * share)
        power = (2 - maps) / maps
        return s ** (2 - maps) / ((2 - maps) * share) * hyp2f1(1, power, 1 + power, s**maps / share)

    np.testing.assert_allclose((primitive(found) - primitive(start)) / speed, steps, rtol=1e-7)
    by_sums, _ = quad(lambda s: 1 / (s ** (maps - 1) * (share - s**maps)), start, found[1])
    assert by_sums / speed == pytest.approx(20, rel=1e-7)


def test_two_maps_are_the_pair_theory():
    """Any two gains, outputs across the target as well: rates are half the learning rate, to 1e-9."""
    draw = np.random.default_rng(3)
    gains, across, dx2, dy2 = draw.uniform(0.1, 1.5, (50, 2)), draw.normal(size=50), *draw.uniform(0.2, 2, (2, 50))
    gains[::2, 1] *= -1
    steps, start = np.array([0.0, 3.0, 30.0, 300.0]), Chain(gains, dx2, dy2, 0.1, across)
    chain, closed = solve_chain(start, steps).state(1), solve(PairTheory(0.05, 0.05, dx2, dy2), start.state(1), steps)
    for name in ("h2", "y2", "w"):
        np.testing.assert_allclose(getattr(chain, name), getattr(closed.state, name), atol=1e-9)
    np.testing.assert_allclose(start.rates(1), 0.05)


def test_differences_of_squared_gains_are_conserved():
    start = Chain([[0.3, 0.9, -0.5, 0.8], [1.2, 0.1, 0.4, -0.2]], 1.1, [0.8, 0.3], 0.05, across=[0.4, 0.0])
    kept = solve_chain(start, [0, 10, 100, 1e6]).conserved
    np.testing.assert_allclose(kept, np.broadcast_to(start.conserved[:, None], kept.shape), atol=1e-10)


def test_many_chains_are_each_one():
    draw = np.random.default_rng(0)
    gains, dy2 = draw.uniform(-1, 1, (2, 3, 4)), draw.uniform(0.1, 1, 3)
    together = solve_chain(Chain(gains, 1.0, dy2, 0.1), [0, 40])
    assert together.gains.shape == (2, 3, 2, 4)
    alone = solve_chain(Chain(gains[1, 2], 1.0, dy2[2], 0.1), [0, 40])
    np.testing.assert_allclose(together.gains[1, 2], alone.gains, rtol=1e-9)


def test_every_layer_ends_between_inputs_and_targets():
    """Steps far beyond learning cost nothing: the chain rests."""
    learned = solve_chain(Chain([1e-3] * 5, 1.44, 0.25, 0.2), [1e12])
    share = (0.25 / 1.44) ** (np.arange(6) / 5)
    np.testing.assert_allclose([learned.h2(layer)[0] for layer in range(6)], 1.44 * share, rtol=1e-8)


def test_two_dead_maps_stay_dead_and_one_comes_alive():
    still = solve_chain(Chain([0.7, 0.0, 0.0], 1.0, 1.0, 0.1), [0, 100, 1e9]).gains
    np.testing.assert_array_equal(still, np.broadcast_to([0.7, 0.0, 0.0], still.shape))
    start = Chain([0.7, 0.0, 0.9], 1.0, 1.0, 0.1)
    assert [float(rate) for rate in start.rates(2)] == pytest.approx([0.05 * 0.7**2, 0.05])
    assert solve_chain(start, [1e6]).h2(3)[0] == pytest.approx(1.0)


def test_a_balanced_chain_that_points_away_dies():
    """``s' = −¼γ‖dx‖ s²(‖dy*‖ + s³‖dx‖)`` for three maps: 1/s grows by ¼γ‖dx‖‖dy*‖ per step, at least."""
    steps = np.array([0.0, 100.0, 1000.0, 10_000.0])
    gains = np.abs(solve_chain(Chain([-0.5, 0.5, 0.5], 1.0, 1.0, 0.1), steps).gains)
    np.testing.assert_allclose(gains, gains[:, :1] * np.ones(3), rtol=1e-6)
    grown = 1 / gains[:, 0] - 2
    assert np.all((grown >= 0.025 * steps) & (grown <= 0.025 * steps * 1.125))


def test_agreeing_targets_cost_the_weakest_map_its_gain():
    """All squares fall together until the least of them is zero."""
    start = np.array([0.9, 0.4, 0.7])
    ended = solve_chain(Chain(start, 1.0, 0.0, 0.1), [1e5])
    np.testing.assert_allclose(ended.gains[0] ** 2, start**2 - 0.16, atol=1e-9)
    assert ended.state(1).w == pytest.approx(ended.state(1).y2)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"gains": []}, ShapeError, "a gain for each map"),
        ({"gains": 0.5}, ShapeError, "a gain for each map"),
        ({"gains": [0.5, np.nan]}, SpecificationError, "gains must be finite"),
        ({"dx2": 0.0}, SpecificationError, "dx2 must be positive"),
        ({"dy2": -1.0}, SpecificationError, "dy2 must be zero or more"),
        ({"learning_rate": 0.0}, SpecificationError, "learning_rate must be positive"),
        ({"across": np.inf}, SpecificationError, "across must be finite"),
        ({"dx2": [1.0, 2.0], "dy2": [1.0, 2.0, 3.0]}, ShapeError, "do not fit together"),
    ],
)
def test_chains_that_cannot_be(changed, error, message):
    with pytest.raises(error, match=message):
        Chain(**{"gains": [0.5, 0.5], "dx2": 1.0, "dy2": 1.0, "learning_rate": 0.1} | changed)


def test_layers_that_are_not_there():
    chain = Chain([0.5, 0.5], 1.0, 1.0, 0.1)
    for layer in (0, 2):
        with pytest.raises(SpecificationError, match="between 1 and 1 of 2 maps"):
            chain.rates(layer)
    with pytest.raises(SpecificationError, match="between 0 and 2 of 2 maps, got 3"):
        chain.h2(3)


def test_steps_that_cannot_be_asked_for(monkeypatch):
    chain = Chain([0.5, 0.9], 1.0, 0.0, 0.1)
    with pytest.raises(ShapeError, match="must be finite"):
        solve_chain(chain, [0, np.inf])
    with pytest.raises(ShapeError, match="do not fall"):
        solve_chain(chain, [1, 0])
    monkeypatch.setattr(runge_kutta, "MOST_STEPS", 3)
    with pytest.raises(SpecificationError, match="cannot be followed to step 1000"):
        solve_chain(chain, [1000])


def test_a_state_names_the_layer():
    chain = Chain([0.5, -0.4], 4.0, 0.25, 0.1, across=0.3)
    state = chain.state(1)
    assert isinstance(state, PairState)
    assert [float(v) for v in (state.h2, state.y2)] == pytest.approx([1.0, 0.25])
    assert float(state.w) == pytest.approx(0.25 + 0.4 * 0.5)
