"""The soft estimator, and that of its author: ``pip install syzygy[oracle]``, ``pytest -m oracle``."""

import numpy as np
import pytest

from syzygy.dimensions.language import Soft, bandwidth, language

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]  # theirs, of which there are some


def clusters(units, items=1000):
    draw = np.random.default_rng(units)
    labels = draw.integers(0, 10, items)
    return draw.normal(size=(10, units))[labels] + 0.3 * draw.normal(size=(items, units)), labels


def ours(x, labels, formula, seed=0):
    found = language(x, labels, estimator=Soft(bandwidth=formula, seed=seed), permutations=0, least=1)
    values = found.set_index(["label", "measure"])["value"]
    return values["", "information"], values["label", "regularity"]


@pytest.mark.parametrize("units", [8, 64, 300])
@pytest.mark.parametrize(("formula", "theirs"), [("bound", "find_eps"), ("leading", "leading_order")])
def test_with_the_same_points_and_bandwidth_both_agree(units, formula, theirs):
    peer = pytest.importorskip("soft_entropy.numpy")
    x, labels = clusters(units)
    whole, told = ours(x, labels, formula, seed=3)
    assert whole == pytest.approx(peer.soft_entropy(x, seed=3, calibration=theirs), abs=1e-12)
    mutual = peer.soft_mutual_information(x, labels, seed=3, calibration=theirs)
    assert told == pytest.approx(mutual, abs=1e-7)  # theirs takes no logarithm below 1e-9


def test_their_bandwidth_is_a_bound_and_40_percent_off_for_8_units():
    peer = pytest.importorskip("soft_entropy.temp_calibration")
    for units, off in ((8, 0.40), (16, 0.145), (64, 0.022)):
        theirs = peer.find_eps(100, units)
        assert theirs == pytest.approx(bandwidth(100, units, "bound"), rel=1e-6)
        assert 1 - theirs / bandwidth(100, units) == pytest.approx(off, abs=0.005)
    x, labels = clusters(8)
    numpy = pytest.importorskip("soft_entropy.numpy")
    assert ours(x, labels, "exact")[1] < numpy.soft_mutual_information(x, labels) - 0.01


def test_their_exact_bandwidth_is_ours_where_it_exists():
    peer = pytest.importorskip("soft_entropy.temp_calibration")
    for units in (2, 3, 8, 64, 256):
        theirs = peer.sphere_temp_calibration(100, units, mode="exact")
        assert theirs == pytest.approx(bandwidth(100, units), rel=1e-7)
    with pytest.raises(ValueError, match="NaN"):
        peer.sphere_temp_calibration(100, 1024, mode="exact")
    assert bandwidth(100, 1024) == pytest.approx(0.010228, abs=1e-6)
    with pytest.raises(ValueError, match="d_dim > 2"):
        peer.find_eps(100, 2)
    assert bandwidth(100, 2) == pytest.approx(2.31e-4, rel=1e-3)
