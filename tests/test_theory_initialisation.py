"""Densities of the final distance over initialisations, against calculus, samples and networks."""

import numpy as np
import pytest
import sympy
from scipy import stats
from scipy.integrate import quad

from syzygy.errors import SpecificationError
from syzygy.networks import Setting
from syzygy.theory import FinalDistance, PairState, PairTheory, final_distance
from syzygy.theory.initialisation import richness_of_fraction, start_of_fraction, start_of_layers

CASES = [(1.0, 0.5**0.5, 0.0), (1.0, 0.3, 0.8), (0.2, 2.0, -1.5), (3.0, 0.1, 0.0)]


def test_the_density_is_a_change_of_variables():
    """The formula of an early version of the paper's code has the variance 2G²."""
    x, low, g = sympy.symbols("x a g", positive=True)
    a_high = x - low**2 / x
    normal = sympy.exp(-(a_high**2) / (4 * g**2)) / sympy.sqrt(4 * sympy.pi * g**2)
    known = (1 + low**2 / x**2) / (2 * sympy.sqrt(sympy.pi) * g)
    known *= sympy.exp(-((a_high / (sympy.sqrt(2) * g)) ** 2) / 2)
    assert sympy.simplify(normal * sympy.diff(a_high, x) - known) == 0
    at = np.array([0.3, 1.0, 2.5])
    ours = FinalDistance(a_low=0.8, deviation=np.sqrt(2) * 0.6).pdf(at)
    theirs = [float(known.subs({x: value, low: 0.8, g: 0.6})) for value in at]
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_density_share_and_quantile_belong_together(case):
    one = FinalDistance(*case)
    low, high = one.quantile([1e-12, 1 - 1e-12])
    middle = one.quantile([0.01, 0.3, 0.5, 0.7, 0.99])
    whole, _ = quad(one.pdf, low, high, points=middle, limit=200, epsabs=1e-10)
    assert whole == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(one.cdf(middle), [0.01, 0.3, 0.5, 0.7, 0.99], rtol=1e-9)
    step = 1e-6 * middle
    slope = (one.cdf(middle + step) - one.cdf(middle - step)) / (2 * step)
    np.testing.assert_allclose(one.pdf(middle), slope, rtol=1e-6)
    assert one.median == pytest.approx(middle[2])
    assert one.median == pytest.approx(final_distance(case[2], case[0]))


def test_nothing_lies_below_zero():
    one = FinalDistance(1.0, 0.5)
    np.testing.assert_array_equal(one.pdf([-1.0, 0.0]), 0)
    np.testing.assert_array_equal(one.cdf([-1.0, 0.0]), 0)


def test_centred_initialisations_leave_the_median_and_the_mean_logarithm_to_the_data():
    one = FinalDistance(a_low=[1.0, 0.3], deviation=0.7)
    np.testing.assert_allclose(one.median, [1.0, 0.3])
    probability = (np.arange(100_000) + 0.5) / 100_000
    for low in (1.0, 0.3):
        assert np.log(FinalDistance(low, 0.7).quantile(probability)).mean() == pytest.approx(np.log(low), abs=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_samples_follow_it(case):
    low, deviation, mean = case
    draws = np.random.default_rng(0).normal(mean, deviation, 200_000)
    ends = draws / 2 + np.sqrt(draws**2 / 4 + low**2)  # the closed form, written out
    assert stats.ks_1samp(ends, FinalDistance(*case).cdf).statistic < 0.005  # 95% of samples: below 0.003


def test_the_final_distance_is_the_positive_root():
    high = np.array([-1e9, -30.0, -0.1, 0.0, 0.1, 30.0, 1e9])
    end = final_distance(high, 0.7)
    assert (end > 0).all()
    np.testing.assert_allclose(end - 0.49 / end, high, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(final_distance([-1.0, 0.0, 2.0], 0.0), [0, 0, 2])


@pytest.mark.parametrize(
    ("case", "says"), [((0, 1, 0), "a_low"), ((1, 0, 0), "deviation"), ((1, 1, np.nan), "mean must be finite")]
)
def test_refused(case, says):
    with pytest.raises(SpecificationError, match=says):
        FinalDistance(*case)


def test_representations_approach_exactly_where_outputs_start_further_than_their_targets():
    """Whatever the rates: H* > H0 if and only if Y0 < dy2."""
    draw = np.random.default_rng(1)
    eta_h, eta_y, dx2, dy2, h2, y2 = np.exp(draw.normal(0, 2, (6, 1000)))
    theory = PairTheory(eta_h, eta_y, dx2, dy2)
    end = theory.final_h2(PairState(h2, y2, y2))
    clear = np.abs(end / h2 - 1) > 1e-9
    assert clear.mean() > 0.9
    np.testing.assert_array_equal((end > h2)[clear], (y2 < dy2)[clear])


# Starts


def test_one_gain_split_by_layers():
    start = start_of_fraction(3.0, 0.25, dx2=2.0)
    assert (start.h2, start.y2) == (pytest.approx(3**0.5 * 2), pytest.approx(18))
    rich = richness_of_fraction(start, 0.25, 2.0, 0.5)
    kappa = 2 / 3
    assert rich == pytest.approx((start.h2 - kappa * start.y2 / start.h2) / np.sqrt(kappa * 0.5))
    gains = np.geomspace(0.1, 10, 9)
    np.testing.assert_allclose(richness_of_fraction(start_of_fraction(gains, 0.5, 1.0), 0.5, 1.0, 0.5), 0, atol=1e-12)
    for fraction in (0.0, 1.0):
        with pytest.raises(SpecificationError, match="between 0 and 1"):
            richness_of_fraction(start, fraction, 1.0, 0.5)


@pytest.mark.parametrize(("activation", "passed"), [("leaky_relu", 0.50005), ("none", 1.0)])
def test_starts_layer_by_layer_are_means_over_networks(activation, passed):
    """400 networks: means within four of their standard errors."""
    import torch

    row = {"name": "x", "type": "mlp", "learning_rate": 1, "layer": "hidden.1", "steps": 1}
    network = Setting(**row, activation=activation, gain=1.3, width=12, depth=3)
    x = torch.tensor([[0.5], [1.7]], dtype=torch.float64)
    h2, gain = [], []
    for seed in range(400):
        module = network.build(1, 1, seed)
        with torch.no_grad():
            hidden = module.hidden[:2](x)
            y2 = (module(x)[1] - module(x)[0]).square().sum()
        h2.append(float((hidden[1] - hidden[0]).square().sum()))
        gain.append(float(y2) / h2[-1])
    start = start_of_layers(1.3, 2, 2, width=12, dx2=1.2**2, passed=passed)
    for measured, expected in ((h2, start.h2), (gain, start.y2 / start.h2)):
        assert abs(np.mean(measured) - expected) < 4 * np.std(measured) / 20
        assert np.std(measured) / 20 < 0.15 * expected
