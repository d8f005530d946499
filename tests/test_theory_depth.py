"""The law of depth against networks that obey it, and what makes others depart from it."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from syzygy.errors import ShapeError, SingularStart, SpecificationError
from syzygy.fitting.power_law import power_law
from syzygy.tasks import Task, two_points
from syzygy.theory import PairState, PairTheory, runge_kutta, solve
from syzygy.theory.depth import DepthTheory, exponents, final_h2, solve_depth
from syzygy.theory.depth.chain import Chain, solve_chain

LAYERS = 6
DISTANCES = (0.7, 1.4)


def centred(dx, dy):
    """Two items about zero, on both sides: the mean output is right from the start and stays so."""
    half = np.array([[-0.5], [0.5]])
    return Task("centred", half * dx, half * dy, ("A", "B"))


def off_centre(dx, dy):
    return two_points(dx**2, dy**2)


def learned(task, layers=LAYERS, width=30, gain=0.25, rate=0.2, steps=20_000, stop=1e-9, seed=0):
    """Gradient descent of a linear network, written out: representations, weights and biases, before and after."""
    inputs, targets = task.inputs.T, task.targets.T
    draw, widths = np.random.default_rng(seed), [1] + [width] * (layers - 1) + [1]
    weights = [gain * np.sqrt(2 / (i + o)) * draw.standard_normal((o, i)) for i, o in pairwise(widths)]
    biases = [np.zeros((o, 1)) for o in widths[1:]]
    before = [weight.copy() for weight in weights]
    for _ in range(steps):
        hidden = [inputs]
        for weight, bias in zip(weights, biases, strict=True):
            hidden.append(weight @ hidden[-1] + bias)
        error = hidden[-1] - targets
        if 0.5 * np.square(error).mean() < stop:
            break
        error = error / error.size
        for index in reversed(range(layers)):
            change, shift = error @ hidden[index].T, error.sum(axis=1, keepdims=True)
            error = weights[index].T @ error
            weights[index] -= rate * change
            biases[index] -= rate * shift
    else:
        assert stop == 0, "not learned"
    return hidden, before, weights, biases


def ends(task, dx, dy):
    """Final ‖dh‖² of two networks at every layer between inputs and outputs, ``(network, layer)``."""
    runs = [learned(task(dx, dy), seed=seed)[0][1:-1] for seed in range(2)]
    return np.array([[np.square(hidden[:, 1] - hidden[:, 0]).sum() for hidden in run] for run in runs])


@pytest.fixture(scope="module")
def grid():
    """Final ‖dh‖² of centred networks by distances."""
    return {(dx, dy): ends(centred, dx, dy) for dx in DISTANCES for dy in DISTANCES}


def measured(found, layer):
    """Exponents of ‖dx‖ and ‖dy‖ at a layer, and the constant."""
    points = [(*distances, value) for distances, h2 in found.items() for value in h2[:, layer - 1]]
    law = power_law([point[:2] for point in points], [point[2] for point in points])
    return law.exponents, law.constant


@pytest.mark.parametrize("layer", range(1, LAYERS))
def test_deep_linear_networks_end_where_the_law_of_depth_says(grid, layer):
    """Exponents within 0.03: a start of finite size leaves that much, and more from larger ones."""
    powers, constant = measured(grid, layer)
    np.testing.assert_allclose(powers, exponents(layer, LAYERS), atol=0.03)
    assert constant == pytest.approx(1, abs=0.05)
    for (dx, dy), h2 in grid.items():
        np.testing.assert_allclose(h2[:, layer - 1], final_h2(dx**2, dy**2, layer, LAYERS), rtol=0.1)


def test_centred_data_leave_the_biases_alone():
    *_, biases = learned(centred(1.0, 0.8))
    assert max(np.abs(bias).max() for bias in biases) < 1e-12


def test_a_mean_that_must_be_learned_spoils_the_law():
    """Data off centre, as the paper's code has them: exponents move by ten times the tolerance above."""
    found = {(dx, dy): ends(off_centre, dx, dy) for dx in DISTANCES for dy in DISTANCES}
    powers, _ = measured(found, LAYERS // 2)
    assert np.abs(powers - exponents(LAYERS // 2, LAYERS)).min() > 0.25


@pytest.mark.parametrize(("task", "taken"), [(centred, False), (off_centre, True)])
def test_what_biases_take_is_missing_from_the_balance(task, taken):
    """W₂ᵀW₂ − W₁W₁ᵀ − b₁b₁ᵀ is conserved but for the size of a step, and b₁ stays zero for centred data only."""
    asked = {"layers": 3, "width": 5, "gain": 0.5, "stop": 0.0}
    _, before, weights, biases = learned(task(1.0, 0.8), rate=2e-3, steps=12_000, **asked)
    start = before[1].T @ before[1] - before[0] @ before[0].T
    balance = weights[1].T @ weights[1] - weights[0] @ weights[0].T
    np.testing.assert_allclose(balance - biases[0] @ biases[0].T, start, atol=2e-3)
    assert bool(np.abs(balance - start).max() > 0.01) is taken


def test_inputs_outputs_and_the_middle():
    for layers in (1, 2, 5, 6):
        assert final_h2(1.7, 0.3, 0, layers) == pytest.approx(1.7)
        assert final_h2(1.7, 0.3, layers, layers) == pytest.approx(0.3)
        powers = [exponents(layer, layers) for layer in range(layers + 1)]
        np.testing.assert_allclose(np.sum(powers, axis=1), 2)
    assert final_h2(1.7, 0.3, 3, 6) == pytest.approx(np.sqrt(1.7 * 0.3))  # the product law
    assert final_h2(4.0, 9.0, 2, 3) == pytest.approx(2 ** (2 / 3) * 3 ** (4 / 3))
    np.testing.assert_allclose(final_h2([1.0, 4.0], 0.0, 1, 2), 0)


@pytest.mark.parametrize(("layer", "layers"), [(-1, 3), (4, 3), (0, 0)])
def test_layers_that_are_not_there(layer, layers):
    with pytest.raises(SpecificationError, match=f"asked for {layer}"):
        exponents(layer, layers)


@pytest.mark.parametrize(("dx2", "dy2"), [(0.0, 1.0), (1.0, -1.0), (np.nan, 1.0), (1.0, np.inf)])
def test_distances_out_of_range(dx2, dy2):
    with pytest.raises(SpecificationError, match="dx2 must be positive"):
        final_h2(dx2, dy2, 1, 2)


# The theory of a pair whose rates grow

#: Maps before the representation, and of the network.
PLACES = [(1, 2), (1, 3), (2, 3), (2, 4), (1, 5), (3, 5), (4, 6)]
NUMBERS = ("h2", "y2", "w")


def pairs(number, seed=0, along=None):
    """Random rates, distances and starts; outputs as far along their target as asked, or anyhow."""
    draw = np.random.default_rng(seed)
    eta_h, eta_y, dx2, dy2, h2, y2 = draw.uniform(0.2, 1.0, (6, number))
    cosine = draw.uniform(-1, 1, number) if along is None else np.full(number, along)
    return (eta_h, eta_y, dx2, dy2), PairState(h2, y2, y2 - cosine * np.sqrt(y2 * dy2))


def stacked(state):
    return np.array([getattr(state, name) for name in NUMBERS])


def test_one_hidden_layer_is_the_pair_theory():
    given, start = pairs(60)
    deep, pair, steps = DepthTheory(*given, 1, 2), PairTheory(*given), np.array([0.0, 2.0, 10.0, 50.0, 1e9])
    np.testing.assert_allclose(
        stacked(solve_depth(deep, start, steps)), stacked(solve(pair, start, steps).state), atol=1e-9
    )
    np.testing.assert_allclose(stacked(deep.rate(start)), stacked(pair.rate(start)), rtol=1e-12)
    np.testing.assert_allclose(deep.rates(start), given[:2])
    np.testing.assert_allclose(deep.final_h2(start), pair.final_h2(start), rtol=1e-11)
    np.testing.assert_allclose(deep.conserved(start) * pair.eta_h * pair.dx2, pair.a_high(start), rtol=1e-11)


@pytest.mark.parametrize(("layer", "layers"), PLACES)
def test_a_chain_with_balanced_sides_is_followed(layer, layers):
    """Encoder and decoder of different gains, outputs across the target: the chain itself, with all its gains."""
    draw, steps = np.random.default_rng(layers), np.array([0.0, 5.0, 20.0, 100.0])
    encoder, decoder, angle = (
        draw.uniform(0.3, 1.0, (2, 20, 1))[0],
        draw.uniform(0.3, 1.0, (20, 1)),
        draw.uniform(-1, 1, 20),
    )
    gains = np.hstack([encoder] * layer + [decoder] * (layers - layer))
    gains[:, -1] *= np.cos(angle)
    chain = Chain(gains, 1.3, 0.9, 0.2, across=decoder[:, 0] * np.sin(angle))
    curves, theory = solve_chain(chain, steps), DepthTheory(0.1, 0.1, 1.3, 0.9, layer, layers)
    found = solve_depth(theory, chain.state(layer), steps)
    np.testing.assert_allclose(stacked(found), stacked(curves.state(layer)), atol=1e-8)
    over_time = DepthTheory(0.1, 0.1, 1.3, 0.9, layer, layers).rates(found)
    np.testing.assert_allclose(over_time, curves.rates(layer), atol=1e-8)


@pytest.mark.parametrize(("layer", "layers"), PLACES)
def test_the_three_equations_are_the_same_flow(layer, layers):
    """Unequal rates, outputs beside the target: the three numbers integrated by SciPy."""
    given, start = pairs(4, seed=layers, along=0.4)
    theory, steps = DepthTheory(*given, layer, layers), np.linspace(0, 40, 9)
    found = stacked(solve_depth(theory, start, steps))
    for index in range(4):
        one = DepthTheory(*(number[index] for number in given), layer, layers)

        def rate(_, state, one=one):
            return stacked(one.rate(PairState(*state)))

        asked = {"method": "DOP853", "rtol": 1e-11, "atol": 1e-13, "t_eval": steps}
        by_scipy = solve_ivp(rate, (0, 40), stacked(start)[:, index], **asked).y
        np.testing.assert_allclose(found[:, index], by_scipy, atol=1e-9)


@pytest.mark.parametrize(("layer", "layers"), PLACES)
def test_the_balance_of_gains_is_conserved(layer, layers):
    given, start = pairs(100, seed=1, along=0.2)
    found = solve_depth(DepthTheory(*given, layer, layers), start, [0, 3, 30, 300])
    theory = DepthTheory(*(number[:, None] for number in given), layer, layers)
    kept = theory.conserved(found)
    np.testing.assert_allclose(kept, np.broadcast_to(kept[:, :1], kept.shape), atol=1e-8)


@pytest.mark.parametrize(("layer", "layers"), PLACES)
@pytest.mark.parametrize("along", [None, -1.0])
def test_the_end_is_where_the_curves_go(layer, layers, along):
    """From any start, also of outputs that point away; some of those die, and some pass through zero."""
    given, start = pairs(60, seed=2, along=along)
    theory = DepthTheory(*given, layer, layers)
    found, end = solve_depth(theory, start, [1e7]), theory.final_h2(start)
    learned = np.abs(found.y2[:, 0] / given[3] - 1) < 1e-6
    np.testing.assert_allclose(found.h2[:, 0], end, atol=2e-3)
    np.testing.assert_allclose(found.h2[learned, 0], end[learned], rtol=1e-7)
    died = np.abs(found.w[:, 0]) < 1e-4
    assert np.all(learned | died)
    if layers > 2:
        assert learned.any() or (along == -1.0 and layer > 1 and layers - layer > 1)
        assert (~learned).any() or (along is None and layer == 1)


def test_outputs_that_point_away_and_two_deep_sides():
    """On one line, of two sides that cannot pass through zero one dies, and the other keeps the difference."""
    theory = DepthTheory(0.3, 0.3, 1.0, 0.5, 2, 4)
    for h2, y2, end in ((0.81, 0.0081, (0.9 - 0.1**0.5 * 0.1**0.5) ** 2), (0.04, 0.04 * 0.5, 0.0)):
        start = PairState(h2, y2, y2 + np.sqrt(y2 * 0.5))
        assert theory.final_h2(start) == pytest.approx(end, rel=1e-9)
        found = solve_depth(theory, start, [1e5])
        assert (found.h2[0], found.y2[0]) == pytest.approx((end, 0), abs=1e-6)


def test_outputs_that_coincide_wait_for_ever_behind_a_deep_decoder_only():
    start = PairState(0.3, 0.0, 0.0)
    assert DepthTheory(0.3, 0.3, 1.0, 0.5, 1, 3).final_h2(start) == pytest.approx(0.3)
    np.testing.assert_allclose(solve_depth(DepthTheory(0.3, 0.3, 1.0, 0.5, 1, 3), start, [0, 1e9]).h2, 0.3)
    alive = DepthTheory(0.3, 0.3, 1.0, 0.5, 2, 3)
    assert solve_depth(alive, start, [1e6]).h2[0] == pytest.approx(alive.final_h2(start))


@pytest.mark.parametrize(("layer", "layers"), PLACES)
def test_small_starts_end_at_the_law(layer, layers):
    """One learning rate gives the law, two its constant ``(eta_h/eta_y)^{l(N−l)/N}``."""
    dx2, dy2, small = np.array([0.5, 2.0]), np.array([1.5, 0.3]), 1e-3
    start = Chain([small] * layers, dx2, dy2, 1.0).state(layer)
    law = final_h2(dx2, dy2, layer, layers)
    np.testing.assert_allclose(DepthTheory(0.1, 0.1, dx2, dy2, layer, layers).final_h2(start), law, rtol=1e-9)
    constant = 4 ** (layer * (layers - layer) / layers)
    np.testing.assert_allclose(
        DepthTheory(0.4, 0.1, dx2, dy2, layer, layers).final_h2(start), constant * law, rtol=1e-4
    )


@pytest.mark.parametrize(("layer", "layers"), PLACES)
def test_agreeing_pairs_merge_once_the_decoder_outweighs_the_encoder(layer, layers):
    """One map dies exponentially.  Several together fade as powers of time, so that the end takes its time to come.

    With ``p²`` their squared gain and the other side at its end, ``(p²)' = −rate·p^{2·maps}``.
    """
    theory, after, time = DepthTheory(0.2, 0.4, 1.5, 0.0, layer, layers), layers - layer, 1e9
    for encoder, decoder in ((0.9, 0.5), (0.3, 0.9)):
        h2 = 1.5 * encoder ** (2 * layer)
        start = PairState(h2, h2 * decoder ** (2 * after), h2 * decoder ** (2 * after))
        left = encoder**2 - 0.5 * decoder**2
        end = 1.5 * max(left, 0) ** layer
        assert theory.final_h2(start) == pytest.approx(end, rel=1e-12)
        found = solve_depth(theory, start, [time])
        squares = (found.h2[0] / 1.5) ** (1 / layer), (found.y2[0] / found.h2[0]) ** (1 / after)
        dying, maps, rate = (
            (squares[1], after, 0.4 * end) if left > 0 else (squares[0], layer, 0.3 * (-2 * left) ** after)
        )
        law = ((maps - 1) * rate * time) ** (-1 / (maps - 1)) if maps > 1 else 0.0
        assert dying == pytest.approx(law, rel=0.02, abs=1e-12)


@pytest.mark.parametrize("layer", [1, 5])
def test_the_product_law_fails_where_the_law_of_depth_holds(layer):
    """Six balanced maps of gain 0.3, ‖dx‖ = 0.7 and ‖dy*‖ = 1.4, gradient descent: 1/2 and 2 in the other's place.

    The paper's formula with rates of half the learning rate says ‖dx‖·‖dy*‖ at every layer.
    """
    rate, weights = 0.02, np.full(6, 0.3)
    for _ in range(100_000):
        product = weights.prod()
        weights = weights - 0.25 * rate * 0.7 * (0.7 * product - 1.4) * product / weights
    found = 0.49 * weights[0] ** (2 * layer)
    start = Chain([0.3] * 6, 0.49, 1.96, rate).state(layer)
    deep, pair = DepthTheory(0.01, 0.01, 0.49, 1.96, layer, 6), PairTheory(0.01, 0.01, 0.49, 1.96)
    assert deep.final_h2(start) == pytest.approx(found, rel=1e-3)
    assert abs(pair.final_h2(start) / found - 1) > 0.35


def test_a_fit_may_ask_for_less():
    given, start = pairs(30, seed=5)
    theory, steps = DepthTheory(*given, 2, 5), [0, 10, 100, 1e6]
    coarse, fine = (stacked(solve_depth(theory, start, steps, rtol=rtol)) for rtol in (1e-6, 1e-11))
    np.testing.assert_allclose(coarse, fine, atol=1e-4)
    assert np.abs(coarse - fine).max() > 1e-9, "and gets it"


def test_many_pairs_are_each_one():
    given, start = pairs(6, seed=4)
    steps, shape = [0, 7, 70], (2, 3)
    theory = DepthTheory(*(number.reshape(shape) for number in given), 2, 4)
    start = PairState(*stacked(start).reshape(3, *shape))
    together, ends = solve_depth(theory, start, steps), theory.final_h2(start)
    assert together.h2.shape == (2, 3, 3)
    assert ends.shape == shape
    alone = DepthTheory(*(number[4] for number in given), 2, 4)
    one = PairState(*stacked(start)[:, 1, 1])
    np.testing.assert_allclose(stacked(solve_depth(alone, one, steps)), stacked(together)[:, 1, 1], atol=1e-9)
    assert alone.final_h2(one) == pytest.approx(ends[1, 1], rel=1e-12)


@pytest.mark.parametrize(("layer", "layers"), [(0, 2), (2, 2), (1, 1), (-1, 3)])
def test_layers_without_an_encoder_or_a_decoder(layer, layers):
    with pytest.raises(SpecificationError, match="before and after it"):
        DepthTheory(0.1, 0.1, 1.0, 1.0, layer, layers)


def test_starts_and_steps_that_cannot_be(monkeypatch):
    theory, start = DepthTheory(0.1, 0.1, 1.0, 1.0, 1, 3), PairState(0.5, 0.1, 0.0)
    with pytest.raises(SpecificationError, match="eta_h must be positive"):
        DepthTheory(0.0, 0.1, 1.0, 1.0, 1, 3)
    for call in (theory.final_h2, theory.rates, theory.rate, lambda one: solve_depth(theory, one, [0, 1])):
        with pytest.raises(SingularStart, match="coincide"):
            call(PairState(0.0, 0.1, 0.0))
    with pytest.raises(SpecificationError, match="no two outputs have"):
        solve_depth(theory, PairState(0.5, 0.1, 9.0), [0, 1])
    with pytest.raises(ShapeError, match="must be finite"):
        solve_depth(theory, start, [0, np.inf])
    monkeypatch.setattr(runge_kutta, "MOST_STEPS", 3)
    with pytest.raises(SpecificationError, match="cannot be followed to step 1000"):
        solve_depth(theory, start, [1000])
