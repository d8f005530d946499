"""The theory of many items: against descending weights, the pair's theories, and what training keeps."""

import os

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp
from scipy.spatial.distance import pdist, squareform

from syzygy.errors import ShapeError, SingularStart, SpecificationError
from syzygy.fitting.pairs import PairCurves
from syzygy.tasks.digits import digits
from syzygy.tasks.two_points import two_points
from syzygy.tasks.xor import xor
from syzygy.theory import (
    ExactState,
    ExactTheory,
    ManyState,
    ManyTheory,
    PairState,
    PairTheory,
    solve,
    solve_exact,
    solve_many,
)
from syzygy.theory.many import solution as module
from syzygy.theory.runge_kutta import follow

FULL = os.environ.get("SYZYGY_FULL") == "1"
BIASES = [(False, False), (False, True), (True, False), (True, True)]
#: Learning rate of the weights; both effective rates are half of it.
RATE = 0.02


class Network:
    """Two linear layers and what they learn; every array of weights is its own."""

    def __init__(self, inputs, targets, hidden_bias, output_bias, seed=1, units=20, gain=0.5, aligned=False):
        draw = np.random.default_rng(seed)
        self.inputs, self.targets = np.asarray(inputs, float), np.asarray(targets, float)
        self.learns = hidden_bias, output_bias
        count, outputs = self.inputs.shape[1], self.targets.shape[1]
        first = gain * draw.normal(size=(units, count)) / np.sqrt(count)
        readout = gain * draw.normal(size=(outputs, units)) / np.sqrt(units)
        if aligned:  # the layers share the directions of what is to be learned
            u, _, v = np.linalg.svd(np.linalg.lstsq(self.inputs, self.targets, rcond=None)[0].T, full_matrices=False)
            frame = np.linalg.qr(first @ draw.normal(size=(count, len(v))))[0]
            first, readout = gain * frame @ v, gain * u @ frame.T
        bias = 0.3 * draw.normal(size=units) * hidden_bias
        self.start = first, bias, readout, 0.3 * draw.normal(size=outputs) * output_bias

    @property
    def theory(self):
        one, two = self.learns
        return ManyTheory.of(self.inputs, self.targets, RATE / 2, RATE / 2, hidden_bias=one, output_bias=two)

    def state(self, weights=None):
        first, bias, readout, c = self.start if weights is None else weights
        return ManyState.of(self.inputs @ first.T + bias, readout, c)

    def gradient(self, weights):
        first, bias, readout, c = weights
        hidden = self.inputs @ first.T + bias
        error = (hidden @ readout.T + c - self.targets) / len(self.inputs)
        back = error @ readout
        one, two = self.learns
        return back.T @ self.inputs, back.sum(0) * one, error.T @ hidden, error.sum(0) * two

    def descended(self, steps, rate=RATE):
        weights = self.start
        for _ in range(steps):
            weights = tuple(w - rate * g for w, g in zip(weights, self.gradient(weights), strict=True))
        return self.state(weights)

    def flowed(self, times):
        """States of gradient flow, by SciPy."""
        shapes = [one.shape for one in self.start]
        ends = np.cumsum([one.size for one in self.start])[:-1]

        def apart(flat):
            return [one.reshape(shape) for one, shape in zip(np.split(flat, ends), shapes, strict=True)]

        def rate(_, flat):
            return -RATE * np.concatenate([one.ravel() for one in self.gradient(apart(flat))])

        start = np.concatenate([one.ravel() for one in self.start])
        found = solve_ivp(rate, (0, times[-1]), start, "DOP853", times, rtol=1e-11, atol=1e-13)
        return [self.state(apart(one)) for one in found.y.T]


def task(seed=1, items=5, inputs=3, outputs=2, off=1.0):
    draw = np.random.default_rng(seed)
    return draw.normal(size=(items, inputs)) + off, draw.normal(size=(items, outputs)) + 0.5


def relative(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


def parts(state):
    return state.gram, state.outputs, state.decoder_gram, state.bias


# Networks


@pytest.mark.parametrize("biases", BIASES)
@pytest.mark.parametrize("aligned", [False, True])
def test_weights_that_flow_down_the_gradient_have_the_gram_matrices_of_the_theory(biases, aligned):
    network, times = Network(*task(), *biases, aligned=aligned), [0.0, 20, 100, 400]
    solution = solve_many(network.theory, network.state(), times)
    flowed = network.flowed(times)
    for index, truth in enumerate(flowed):
        assert_allclose(solution.outputs[index], truth.outputs, rtol=0, atol=1e-8)
        assert_allclose(squareform(solution.h2[:, index]), truth.distances, rtol=0, atol=1e-8)
    for found, expected in zip(parts(solution.last), parts(flowed[-1]), strict=True):
        assert_allclose(found, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("biases", BIASES)
@pytest.mark.parametrize("aligned", [False, True])
def test_gradient_descent_in_small_steps_follows_the_theory(biases, aligned):
    network = Network(*task(), *biases, aligned=aligned)
    solution = solve_many(network.theory, network.state(), [100])
    trained = network.descended(1000, RATE / 10)
    assert relative(solution.last.gram, trained.gram) < 1e-3
    assert relative(solution.last.outputs, trained.outputs) < 1e-3
    assert relative(solution.last.gram, network.state().gram) > 0.05


@pytest.mark.parametrize("biases", BIASES)
def test_the_rate_is_the_change_of_the_weights_gram_matrices(biases):
    network, step = Network(*task(), *biases), 1e-4
    weights, gradient = network.start, network.gradient(network.start)
    ahead, behind = (
        network.state([w + sign * step * g for w, g in zip(weights, gradient, strict=True)]) for sign in (-1, 1)
    )
    for found, one, other in zip(network.theory.rate(network.state()), parts(ahead), parts(behind), strict=True):
        assert_allclose(found, RATE * (one - other) / (2 * step), rtol=0, atol=1e-9)


def test_solution_is_what_an_integrator_makes_of_the_four_equations():
    network = Network(*task(), True, True)
    theory, start = network.theory, network.state()
    ends = np.cumsum([one.size for one in parts(start)])[:-1]

    def rate(state, _):
        pieces = np.split(state[:, 0], ends)
        now = ManyState(*(new.reshape(old.shape) for new, old in zip(pieces, parts(start), strict=True)))
        return np.concatenate([one.ravel() for one in theory.rate(now)])[:, None]

    first = np.concatenate([one.ravel() for one in parts(start)])[:, None]
    found = follow(rate, first, [100.0], rtol=1e-10, atol=1e-13)[0, :, 0]
    last = solve_many(theory, start, [100.0]).last
    assert_allclose(found, np.concatenate([one.ravel() for one in parts(last)]), rtol=0, atol=1e-8)


def test_hidden_bias_that_does_not_learn_leaves_a_start_outside_the_inputs():
    network = Network(*task(), False, False)
    first, _, readout, c = network.start
    network.start = first, np.full(len(first), 0.4), readout, c
    times = [0.0, 50, 300]
    solution = solve_many(network.theory, network.state(), times)
    assert_allclose(solution.outputs, [one.outputs for one in network.flowed(times)], rtol=0, atol=1e-8)


def test_output_bias_that_does_not_learn_shifts_the_targets():
    network = Network(*task(), True, False)
    first, bias, readout, _ = network.start
    network.start = first, bias, readout, np.array([0.3, -0.2])
    solution = solve_many(network.theory, network.state(), [0.0, 300])
    assert_allclose(solution.outputs[-1], network.flowed([0.0, 300])[-1].outputs, rtol=0, atol=1e-8)
    assert_allclose(solution.last.bias, [0.3, -0.2], rtol=0, atol=0)


def test_too_few_units_never_learn_what_they_cannot_hold():
    network = Network(*task(off=0.0), False, False, units=1, gain=1.0)
    solution = solve_many(network.theory, network.state(), [0.0, 1000, np.inf])
    assert_allclose(solution.outputs[1], network.flowed([0.0, 1000])[-1].outputs, rtol=0, atol=1e-8)
    assert np.linalg.matrix_rank(solution.last.gram, tol=1e-9) == 1
    assert max(np.abs(one).max() for one in network.theory.rate(solution.last)) < 1e-9
    best = network.inputs @ np.linalg.lstsq(network.inputs, network.targets, rcond=None)[0]
    assert solution.loss[-1] > 1.2 * network.theory.loss(best)


# Two items


def pair_start(mean=0.0, mean_target=0.0, hidden_bias=False, output_bias=False):
    """A stated start of two items: its pair theory, and its N-point theory about a mean."""
    draw = np.random.default_rng(3)
    dx, dy = np.array([1.0, 0.4, -0.3]), np.array([0.5, 0.5])
    first, readout = draw.normal(size=(30, 3)) * 0.3, draw.normal(size=(2, 30)) * 0.3
    exact = ExactTheory(0.02, 0.03, dx @ dx, dy), ExactState.of(first @ dx, readout)
    inputs, targets = (np.stack([m - 0.5 * d, m + 0.5 * d]) for m, d in ((mean, dx), (mean_target, dy)))
    theory = ManyTheory.of(inputs, targets, 0.02, 0.03, hidden_bias=hidden_bias, output_bias=output_bias)
    return exact, (theory, ManyState.of(inputs @ first.T, readout)), (inputs, targets, first, readout)


STEPS = np.array([0.0, 10, 50, 100, 200, 500])


@pytest.mark.parametrize("biases", BIASES)
def test_two_centred_items_are_the_exact_pair(biases):
    exact, many, _ = pair_start(np.zeros(3), np.zeros(2), *biases)
    found, expected = solve_many(*many, [*STEPS, np.inf]), solve_exact(*exact, STEPS, rtol=1e-12)
    for name in ("h2", "y2", "w"):
        assert_allclose(getattr(found, name)[0, :-1], getattr(expected.state, name), rtol=1e-9, atol=1e-9)
    assert_allclose(found.h2[0, -1], expected.final_h2, rtol=3e-9)


def test_two_centred_aligned_items_are_the_papers_pair():
    dx, dy, unit = np.array([1.2]), np.array([0.6]), np.eye(4)[:1]
    hidden = np.array([[-0.5], [0.5]]) * 0.7 * unit
    theory = ManyTheory.of(np.outer([-0.5, 0.5], dx), np.outer([-0.5, 0.5], dy), 0.05, 0.08)
    found = solve_many(theory, ManyState.of(hidden, 0.3 * unit), [0, 5, 20, 80, np.inf])
    paper = solve(PairTheory(0.05, 0.08, 1.44, 0.36), PairState(0.49, 0.21**2, 0.21**2 - 0.21 * 0.6), [0, 5, 20, 80])
    for name in ("h2", "y2", "w"):
        assert_allclose(getattr(found, name)[0, :-1], getattr(paper.state, name), rtol=0, atol=1e-9)
    assert_allclose(found.h2[0, -1], paper.final_h2, rtol=1e-9)


@pytest.mark.parametrize(
    ("mean", "mean_target", "biases", "least", "most"),
    [
        ("across", 0.0, (False, False), 1e-3, 2e-3),
        ("along", 0.0, (False, False), 8e-3, 2e-2),
        ("along", 0.6, (True, True), 1e-3, 2e-2),
        ("none", 0.6, (False, True), 0.0, 1e-9),
        ("none", 0.6, (True, True), 2e-5, 1e-4),
    ],
)
def test_what_the_mean_does_to_a_pair(mean, mean_target, biases, least, most):
    dx = np.array([1.0, 0.4, -0.3])
    across = np.cross(dx, [0, 0, 1.0]) / np.linalg.norm(np.cross(dx, [0, 0, 1.0]))
    place = {"across": across, "along": 0.5 * dx, "none": np.zeros(3)}[mean]
    exact, many, _ = pair_start(place, mean_target * np.ones(2) * np.array([0.5, 1 / 6]), *biases)
    found, alone = solve_many(*many, STEPS), solve_exact(*exact, STEPS, rtol=1e-12)
    assert least <= np.abs(found.h2[0] / alone.state.h2 - 1).max() <= most


def test_the_error_of_the_mean_moves_the_difference_by_what_the_formula_says():
    dx = np.array([1.0, 0.4, -0.3])
    _, (theory, state), (inputs, targets, first, readout) = pair_start(0.5 * dx + [0.2, 0, 0], np.array([0.6, 0.2]))
    hidden, mean = inputs @ first.T, inputs.mean(0)
    error = hidden @ readout.T - targets
    mean_error, e, dh = error.mean(0), error[1] - error[0], hidden[1] - hidden[0]
    change = -2 * 0.02 * (readout.T @ mean_error * (mean @ dx) + 0.25 * readout.T @ e * (dx @ dx))
    gram = theory.rate(state)[0]
    assert_allclose(gram[0, 0] + gram[1, 1] - 2 * gram[0, 1], 2 * dh @ change, rtol=1e-12)
    pull = 2 * 0.03 * (np.outer(mean_error, hidden.mean(0)) + 0.25 * np.outer(e, dh))
    assert_allclose(theory.rate(state)[2], -(pull @ readout.T + readout @ pull.T), rtol=1e-12)
    assert abs(mean @ dx) * np.linalg.norm(mean_error) > 0.1


def test_the_two_point_task_with_its_mean():
    network = Network(two_points().inputs, two_points().targets, True, True, units=30, gain=0.3)
    solution = solve_many(network.theory, network.state(), np.linspace(0, 1000, 1001))
    flowed = network.flowed([0.0, 1000])[-1]
    assert_allclose(solution.outputs[-1], flowed.outputs, rtol=0, atol=1e-8)
    curves = PairCurves(
        steps=solution.steps,
        **{name: getattr(solution, name)[None] for name in ("h2", "y2", "w", "mean_error")},
        dx2=np.array([1.0]),
        dy2=np.array([0.5]),
        pairs=(("A", "B"),),
    )
    assert_allclose(curves.loss[0, 0], solution.loss, rtol=1e-10, atol=1e-15)


# What training keeps


@pytest.mark.parametrize("biases", BIASES)
def test_the_balance_of_the_layers_is_conserved(biases):
    network = Network(*task(), *biases)
    solution = solve_many(network.theory, network.state(), [0, 100, np.inf])
    first, bias, readout, _ = network.start
    b = 2 * (RATE / 2) / 5
    balance = b * (first @ first.T + np.outer(bias, bias) - readout.T @ readout)
    expected = [np.trace(balance), np.trace(balance @ balance)]
    assert_allclose(network.theory.conserved(network.state()), expected, rtol=1e-9)
    assert_allclose(network.theory.conserved(solution.last), expected, rtol=1e-6)


def test_the_loss_never_rises():
    network = Network(*task(), True, True)
    solution = solve_many(network.theory, network.state(), [*np.linspace(0, 500, 200), np.inf])
    assert_allclose(solution.loss[0], network.theory.loss(network.state().outputs), rtol=1e-12)
    assert np.all(np.diff(solution.loss) < 0)


def test_the_order_of_items_does_not_matter():
    inputs, targets = task()
    order = np.array([3, 0, 4, 1, 2])
    one, other = (Network(inputs[some], targets[some], True, True) for some in (np.arange(5), order))
    first, second = (solve_many(n.theory, n.state(), [200, np.inf]).last.distances for n in (one, other))
    assert_allclose(second, first[np.ix_(order, order)], rtol=1e-7, atol=1e-9)


def test_directions_that_are_left_out_do_not_move(monkeypatch):
    network = Network(*task(items=9), True, True)
    theory, start = network.theory, network.state()
    few = module._Packed.of(theory, start)
    assert few.basis.shape == (9, 4)
    packed = solve_many(theory, start, [0, 30, 200])
    monkeypatch.setattr(module, "directions", lambda matrices: np.eye(len(matrices[0])))
    plain = solve_many(theory, start, [0, 30, 200])
    assert_allclose(packed.h2, plain.h2, rtol=0, atol=1e-9)
    assert_allclose(packed.outputs, plain.outputs, rtol=0, atol=1e-9)


def test_many_networks_in_one_call_are_each_alone():
    networks = [Network(*task(), True, True, seed=seed, gain=gain) for seed, gain in ((1, 1.2), (2, 0.1), (3, 0.5))]
    states = [one.state() for one in networks]
    together = ManyState(*(np.stack(some) for some in zip(*map(parts, states), strict=True)))
    steps = [0, 50, 200, np.inf]
    found = solve_many(networks[0].theory, together, steps)
    assert found.h2.shape == (3, 10, 4)
    assert found.outputs.shape == (3, 4, 5, 2)
    for index, state in enumerate(states):
        alone = solve_many(networks[0].theory, state, steps)
        for name in ("h2", "y2", "w", "loss", "mean_error"):
            assert_allclose(getattr(found, name)[index], getattr(alone, name), rtol=1e-6, atol=1e-8)


def test_rates_may_differ_between_systems():
    network = Network(*task(), False, True)
    inputs, targets = task()
    rates = np.array([0.5, 1.0, 2.0]) * RATE
    theory = ManyTheory.of(inputs, targets, rates, RATE, output_bias=True)
    found = solve_many(theory, network.state(), [100])
    for index, rate in enumerate(rates):
        alone = ManyTheory.of(inputs, targets, rate, RATE, output_bias=True)
        assert_allclose(found.h2[index], solve_many(alone, network.state(), [100]).h2, rtol=1e-7, atol=1e-10)


def test_the_output_bias_may_have_its_own_rate():
    inputs, targets = task()
    slow = ManyTheory(RATE, RATE, inputs @ inputs.T, targets, output_bias=True, eta_bias=0.25 * RATE)
    state = Network(inputs, targets, False, True).state()
    usual = ManyTheory(RATE, RATE, inputs @ inputs.T, targets, output_bias=True)
    assert_allclose(slow.rate(state)[3], 0.25 * usual.rate(state)[3], rtol=1e-12)
    assert_allclose(usual.rate(state)[3], -2 * RATE * (state.outputs - targets).mean(0), rtol=1e-12)


def test_long_rows_of_steps_are_taken_in_blocks(monkeypatch):
    network, steps = Network(*task(), True, True), np.linspace(0, 100, 41)
    whole = solve_many(network.theory, network.state(), steps)
    monkeypatch.setattr(module, "BLOCK", 500)
    assert_allclose(solve_many(network.theory, network.state(), steps).h2, whole.h2, rtol=1e-7)


# The end


@pytest.mark.parametrize("biases", BIASES)
def test_the_end_is_where_gradient_flow_ends(biases):
    network = Network(*task(inputs=2), *biases)
    solution = solve_many(network.theory, network.state(), [0, 8000, np.inf, np.inf])
    assert_allclose(solution.h2[:, 1], solution.h2[:, 2], rtol=0, atol=1e-3 * solution.h2[:, 2].max())
    assert_allclose(solution.h2[:, 2], solution.h2[:, 3], rtol=0)
    seen = np.concatenate([network.inputs, np.ones((5, 1))], 1) if any(biases) else network.inputs
    best = seen @ np.linalg.lstsq(seen, network.targets, rcond=None)[0]
    assert_allclose(solution.outputs[-1], best, rtol=0, atol=1e-6)


def test_the_end_of_learning_in_closed_form_from_a_vanishing_start():
    inputs, targets = task(items=6, inputs=3, outputs=2)
    targets = inputs @ np.random.default_rng(4).normal(size=(3, 2)) * [1.0, 0.6]
    theory = ManyTheory.of(inputs, targets, 0.03, 0.01)
    start = ManyState.of(inputs @ (1e-4 * np.random.default_rng(0).normal(size=(40, 3))).T, np.zeros((2, 40)))
    end = solve_many(theory, start, [np.inf]).last
    assert relative(end.gram, theory.rich_gram()) < 1e-3
    _, s, v = np.linalg.svd(np.linalg.lstsq(inputs, targets, rcond=None)[0].T, full_matrices=False)
    assert_allclose(theory.rich_gram(), np.sqrt(3) * inputs @ v.T @ np.diag(s) @ v @ inputs.T, rtol=1e-9, atol=1e-12)


def test_one_output_ends_rich_at_target_distances_over_what_the_inputs_charge_for_them():
    inputs, _ = task(items=4, inputs=4)
    targets = np.array([[0.0], [1.0], [1.0], [3.0]])
    theory = ManyTheory.of(inputs, targets, 0.02, 0.08)
    cost = np.sqrt(targets[:, 0] @ np.linalg.solve(theory.kernel, targets[:, 0]))
    rich = ManyState(theory.rich_gram(), targets, np.zeros((1, 1)))
    assert_allclose(rich.distances, 0.5 * (targets - targets.T) ** 2 / cost, rtol=1e-8, atol=1e-9)
    assert rich.distances[1, 2] < 1e-9


def test_the_rich_end_of_two_centred_items_is_the_product_law():
    theory = ManyTheory.of([[-0.6], [0.6]], [[-0.25], [0.25]], 0.06, 0.02)
    rich = ManyState(theory.rich_gram(), theory.targets, np.zeros((1, 1)))
    assert_allclose(rich.distances[0, 1], PairTheory(0.06, 0.02, 1.44, 0.25).a_low, rtol=1e-12)


def random_start(inputs, outputs, gain, seed=0, units=50):
    draw = np.random.default_rng(seed)
    hidden = inputs @ (gain * draw.normal(size=(units, inputs.shape[1])) / np.sqrt(units)).T
    return ManyState.of(hidden, gain * draw.normal(size=(outputs, units)) / np.sqrt(units))


def test_exclusive_or_is_beyond_a_linear_network_whatever_its_pairs_say():
    inputs, targets = xor().inputs, xor().targets
    theory = ManyTheory.of(inputs, targets, 0.05, 0.05, hidden_bias=True, output_bias=True)
    solution = solve_many(theory, random_start(inputs, 1, 0.05), [np.inf])
    assert_allclose(solution.loss, 1 / 8, rtol=1e-9)
    assert_allclose(solution.outputs, 0.5, rtol=0, atol=1e-6)
    assert solution.last.distances.max() < 0.01
    assert_allclose(PairTheory(0.05, 0.05, 1.0, 1.0).a_low, 1.0, rtol=1e-12)


@pytest.mark.parametrize("size", [0.5, 1.0, 2.0])
def test_exclusive_or_with_its_feature_ends_nearer_than_its_pairs_say(size):
    centred = xor().inputs - 0.5
    features = np.column_stack([centred, 2 * size * centred[:, 0] * centred[:, 1]])
    theory = ManyTheory.of(features, xor().targets, 0.05, 0.05, hidden_bias=True, output_bias=True)
    found = solve_many(theory, random_start(features, 1, 0.005), [np.inf]).last.distances
    edge, diagonal = (pdist(features, "sqeuclidean")[i] for i in (0, 2))
    assert_allclose(found[0, 3], 0, atol=1e-3)
    assert_allclose(found[0, 1], size, rtol=1e-3)
    assert_allclose(size, np.sqrt(edge) * np.sqrt(1 - diagonal / (2 * edge)), rtol=1e-12)


def test_items_with_equal_targets_merge_from_a_vanishing_start_and_not_from_a_large_one():
    inputs = np.array([[-2.0, 0.3], [-1.0, -0.3], [1.0, 0.3], [2.0, -0.3]])
    targets = np.array([[-1.0], [-1.0], [1.0], [1.0]])
    draw = np.random.default_rng(2)
    full = np.column_stack([inputs, 0.7 * draw.normal(size=(4, 2))])
    theory = ManyTheory.of(full, targets, 0.05, 0.05)
    ratios = []
    for gain in (0.001, 1.0):
        found = solve_many(theory, random_start(full, 1, gain), [np.inf]).last.distances
        ratios.append(max(found[0, 1], found[2, 3]) / found[0, 2])
    assert ratios[0] < 1e-3
    assert ratios[1] > 0.1


def test_identical_items_stay_together():
    inputs, targets = task()
    inputs[1], targets[1] = inputs[0], targets[0] + 1
    network = Network(inputs, targets, True, True)
    solution = solve_many(network.theory, network.state(), [0, 100, np.inf])
    assert np.abs(solution.h2[0]).max() < 1e-12
    # Two targets at one place: what is learned is their mean.
    assert_allclose(solution.outputs[-1, 0], solution.outputs[-1, 1], rtol=0, atol=1e-9)
    assert_allclose(solution.outputs[1], network.flowed([0.0, 100])[-1].outputs, rtol=0, atol=1e-8)


def test_equal_targets_are_learned_by_the_bias_and_need_no_hidden_layer():
    inputs, _ = task()
    theory = ManyTheory.of(inputs, np.full((5, 2), 0.7), 0.05, 0.05, output_bias=True)
    dead = ManyState(np.zeros((5, 5)), np.zeros((5, 2)), np.zeros((2, 2)))
    solution = solve_many(theory, dead, [0, 10, np.inf])
    assert_allclose(solution.outputs[1], 0.7 * (1 - np.exp(-0.1 * 10)), rtol=1e-8)
    assert_allclose(solution.outputs[-1], 0.7, rtol=1e-8)
    assert_allclose(solution.h2, 0, atol=0)


def test_weights_that_nothing_needs_fade():
    inputs, _ = task()
    theory = ManyTheory.of(inputs, np.zeros((5, 2)), 0.05, 0.05)
    solution = solve_many(theory, random_start(inputs, 2, 0.5), [0, np.inf])
    assert_allclose(solution.outputs[-1], 0, atol=1e-8)
    balanced = ManyTheory.of([[-1.0], [1.0]], [[0.0], [0.0]], 0.05, 0.05)
    end = solve_many(balanced, ManyState.of([[-0.5], [0.5]], [[0.5]]), [np.inf])
    assert_allclose(end.h2, 0, atol=1e-9)


def test_a_start_without_a_readout_learns():
    network = Network(*task(), True, True)
    first, bias, readout, c = network.start
    network.start = first, bias, 0 * readout, c
    times = [0.0, 30, 200]
    solution = solve_many(network.theory, network.state(), times)
    assert_allclose(solution.outputs, [one.outputs for one in network.flowed(times)], rtol=0, atol=1e-8)


# Real data


def linear_digits(items, gain, units=40):
    some = digits(per_class=items // 10)
    inputs, targets = some.probe_inputs.reshape(items, -1), some.probe_targets
    return Network(inputs, targets, True, True, units=units, gain=gain)


def test_digits_follow_gradient_descent_where_their_pairs_do_not():
    network = linear_digits(100, 0.05)
    first, _, readout, _ = network.start
    network.start = first, np.zeros(40), readout, np.zeros(10)
    solution = solve_many(network.theory, network.state(), [600])
    trained = network.descended(1200, RATE / 2)
    assert relative(solution.last.distances, trained.distances) < 1e-3
    dx2, dy2 = (pdist(one, "sqeuclidean") for one in (network.inputs, network.targets))
    start = solve_many(network.theory, network.state(), [0])
    h2, y2 = start.h2[:, 0], start.y2[:, 0]
    alone = PairTheory(RATE / 2, RATE / 2, dx2, dy2).final_h2(PairState(h2, y2, 0 * h2))
    apart = dy2 > 0
    assert np.median(alone[apart] / squareform(trained.distances, checks=False)[apart]) > 1.5


def test_what_inputs_say_a_thousand_times_more_softly_is_learned_too():
    inputs, targets = task(inputs=2, off=0.0)
    network = Network(inputs * [1.0, 1e-3], targets, False, False)
    solution = solve_many(network.theory, network.state(), [np.inf])
    best = inputs @ np.linalg.lstsq(inputs, targets, rcond=None)[0]
    assert_allclose(solution.outputs[0], best, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_hundreds_of_digits_reach_the_end_of_learning():
    network = linear_digits(300 if FULL else 100, 0.5)
    solution = solve_many(network.theory, network.state(), [np.inf], pairs=[(0, 1)])
    design = np.concatenate([network.inputs, np.ones((len(network.inputs), 1))], 1)
    best = design @ np.linalg.lstsq(design, network.targets, rcond=None)[0]
    assert_allclose(solution.outputs[0], best, rtol=0, atol=1e-6)
    before, after = (network.theory.conserved(one)[0] for one in (network.state(), solution.last))
    assert_allclose(after, before, rtol=1e-5)


# Bad input


def test_pairs_are_chosen():
    network = Network(*task(), True, True)
    every = solve_many(network.theory, network.state(), [10, 20])
    some = solve_many(network.theory, network.state(), [10, 20], pairs=[(3, 1)])
    row = [tuple(one) for one in every.pairs].index((1, 3))
    for name in ("h2", "y2", "w", "mean_error"):
        assert_allclose(getattr(some, name)[0], getattr(every, name)[row], rtol=1e-12)
    assert_allclose(some.last.distances[1, 3], some.h2[0, -1], rtol=1e-9)
    assert solve_many(network.theory, network.state(), [10], pairs=[]).h2.shape == (0, 1)


def test_a_start_of_nothing_is_singular():
    dead = ManyState(np.zeros((5, 5)), np.zeros((5, 2)), np.zeros((2, 2)))
    for bias in (False, True):
        with pytest.raises(SingularStart, match="nothing moves; take another layer"):
            solve_many(ManyTheory.of(*task(), 1, 1, output_bias=bias), dead, [1])


def changed(**values):
    inputs, targets = task()
    given = {"eta_h": 1.0, "eta_y": 1.0, "inputs_gram": inputs @ inputs.T, "targets": targets}
    return ManyTheory(**given | values)


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ({"eta_h": 0.0}, SpecificationError, "eta_h must be positive"),
        ({"eta_y": np.nan}, SpecificationError, "eta_y must be positive"),
        ({"eta_bias": -1.0}, SpecificationError, "eta_bias must be positive"),
        ({"targets": np.full((5, 2), np.nan)}, SpecificationError, "must be finite"),
        ({"inputs_gram": np.full((5, 5), np.inf)}, SpecificationError, "must be finite"),
        ({"inputs_gram": np.triu(np.ones((5, 5)))}, SpecificationError, "inputs_gram holds inner products and must be"),
        ({"targets": np.ones(5)}, ShapeError, r"targets \(..., item, output\); got"),
        ({"inputs_gram": np.eye(4)}, ShapeError, r"got \(4, 4\), \(5, 2\)"),
    ],
)
def test_theories_that_cannot_be(values, kind, message):
    with pytest.raises(kind, match=message):
        changed(**values)


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ((np.eye(4), np.zeros((5, 2)), np.eye(2)), ShapeError, "a state is gram"),
        ((np.eye(5), np.zeros((5, 2)), np.eye(3)), ShapeError, "a state is gram"),
        ((np.eye(5), np.zeros((5, 2)), np.eye(2), np.zeros(3)), ShapeError, "a state is gram"),
        ((np.eye(5), np.zeros(5), np.eye(2)), ShapeError, "a state is gram"),
        ((np.triu(np.ones((5, 5))), np.zeros((5, 2)), np.eye(2)), SpecificationError, "^gram holds inner products"),
        ((np.eye(5), np.zeros((5, 2)), np.triu(np.ones((2, 2)))), SpecificationError, "decoder_gram holds inner"),
    ],
)
def test_states_that_cannot_be(values, kind, message):
    with pytest.raises(kind, match=message):
        ManyState(*values)


def test_a_network_whose_layers_do_not_fit():
    with pytest.raises(ShapeError, match=r"readout \(..., output, unit\)"):
        ManyState.of(np.zeros((5, 4)), np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("theory", "state", "kind", "message"),
    [
        ({}, {"gram": np.full((5, 5), np.nan)}, SpecificationError, "start must be finite"),
        ({}, {"gram": -np.eye(5)}, SpecificationError, "^gram holds inner products, and cannot have"),
        ({}, {"outputs": np.full((5, 2), 9.0)}, SpecificationError, "no hidden layer has these numbers"),
        ({"inputs_gram": np.zeros((5, 5))}, {}, SpecificationError, "inputs are all zero"),
        ({"inputs_gram": np.diag([1.0, 1, 1, 1, -1])}, {}, SpecificationError, "cannot have negative eigenvalues"),
        ({"inputs_gram": np.eye(4), "targets": np.zeros((4, 2))}, {}, ShapeError, "4 items and 2 outputs"),
    ],
)
def test_starts_that_cannot_be_solved(theory, state, kind, message):
    usual = {"gram": np.eye(5), "outputs": np.zeros((5, 2)), "decoder_gram": np.eye(2)}
    with pytest.raises(kind, match=message):
        solve_many(changed(**theory), ManyState(**usual | state), [1])


def test_outputs_outside_of_what_the_representations_hold():
    gram, outputs = np.diag([1.0, 0, 0, 0, 0]), np.eye(5)[:, 3:]
    with pytest.raises(SpecificationError, match="no hidden layer has these numbers"):
        solve_many(changed(inputs_gram=np.diag([1.0, 1, 0, 0, 0])), ManyState(gram, outputs, np.eye(2)), [1])


@pytest.mark.parametrize("steps", [[], [2, 1], [-1, 2], [[1, 2]], [np.nan], [np.inf, 1]])
def test_steps_that_do_not_rise(steps):
    with pytest.raises(ShapeError, match="steps must be one rising row"):
        solve_many(changed(), ManyState(np.eye(5), np.zeros((5, 2)), np.eye(2)), steps)


@pytest.mark.parametrize("pairs", [[(0, 5)], [(-1, 2)], [(1, 1)]])
def test_pairs_that_are_not_there(pairs):
    with pytest.raises(SpecificationError, match="two different positions among the 5 items"):
        solve_many(changed(), ManyState(np.eye(5), np.zeros((5, 2)), np.eye(2)), [1], pairs=pairs)
