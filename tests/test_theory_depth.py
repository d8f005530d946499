"""The law of depth against networks that obey it, and what makes others depart from it."""

from itertools import pairwise

import numpy as np
import pytest

from syzygy.errors import SpecificationError
from syzygy.fitting.power_law import power_law
from syzygy.tasks import Task, two_points
from syzygy.theory.depth import exponents, final_h2

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
