"""How initialisation spreads the final distance: networks that follow the theory, or visibly do not."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import synthetic
from syzygy.errors import SpecificationError
from syzygy.run import run
from syzygy.studies import study
from syzygy.studies.tables.spreads import DENSITIES, densities
from syzygy.theory import final_distance
from syzygy.theory.initialisation import start_of_layers

SEEDS, LAYER, STEPS = 40, "hidden.1", np.arange(0, 4001, 20)
KAPPA = 0.2
#: Median ‖dh‖² and ‖dy‖² at the start, by gain: rich, and lazy on the encoder's side.
STARTS = {0.5: (0.02, 0.001), 1.0: (0.2, 0.02), 2.0: (3.0, 1.5)}


def asked(**changes):
    return study({"study": "initialisation", "gains": list(STARTS), "seeds": f"0..{SEEDS - 1}"} | changes)


def known(gain, **changes):
    draw = np.random.default_rng(int(10 * gain))
    h2 = STARTS[gain][0] * np.exp(draw.normal(0, 0.3, SEEDS))
    y2 = STARTS[gain][1] * np.exp(draw.normal(0, 0.1, SEEDS))
    return synthetic.pair([(0.01 * KAPPA, 0.01)] * SEEDS, h2, apart=y2, steps=STEPS, layer=LAYER, **changes)


@pytest.fixture(scope="module")
def seen():
    return {f"gain-{gain:g}": known(gain) for gain in STARTS}


@pytest.fixture(scope="module")
def result(seen):
    return asked().analyse(seen)


def test_what_follows_the_theory_is_predicted_network_by_network(result):
    networks, gains = result.table("networks"), result.table("gains")
    assert networks["learned"].all()
    np.testing.assert_array_equal(networks["tested"], networks["seed"] % 2 == 1)
    np.testing.assert_allclose(networks["final_h2_others"], networks["last_h2"], rtol=1e-3)
    high = networks["first_h2"] - KAPPA * networks["first_y2"] / networks["first_h2"]
    np.testing.assert_allclose(networks["a_low"], np.sqrt(KAPPA * 0.5), rtol=1e-3)
    np.testing.assert_allclose(networks["a_high"], high, rtol=1e-3, atol=1e-5)
    assert (gains["correlation_others"] > 0.99).all()
    for name in ("push-forward", "per-network", "direction", "normal"):
        assert result.claim(name).verdict == "holds", name
    assert set(result.claim("direction").cases.values()) == {1.0}


def test_densities_are_those_of_the_starts(result):
    gains = result.table("gains").to_dict("records")
    networks = result.table("networks")
    for row in gains:
        some = networks[(networks["gain"] == row["gain"]) & networks["tested"]]
        own = densities(row, 1.0)
        assert list(own) == list(DENSITIES)
        assert own["normal"].mean == pytest.approx(some["a_high"].mean())
        assert own["normal"].deviation == pytest.approx(some["a_high"].std())
        assert own["centred"].deviation == pytest.approx(np.sqrt((some["a_high"] ** 2).mean()), rel=0.02)
        assert own["published"].deviation == pytest.approx(np.sqrt(2 * some["first_y2"].mean()))
        assert own["weights"].deviation == pytest.approx(np.sqrt(2) * row["gain"])
        assert all(own[name].mean == 0 for name in ("published", "weights", "centred"))
        for name, density in own.items():
            distance = stats.kstest(some["last_h2"], density.cdf).statistic
            assert row[f"ks_{name}"] == pytest.approx(distance)
            assert row[f"ks_{name}_low"] <= row[f"ks_{name}_high"]
        pushed = stats.ks_2samp(some["last_h2"], some["final_h2_others"]).statistic
        assert row["ks_pushed"] == pytest.approx(pushed)


def test_a_mean_of_a_high_is_seen(result):
    """All starts of the lazy networks are on one side: nothing centred describes them."""
    for name in ("centred", "published-density"):
        assert result.claim(name).cases["gain 2"] > 0.3
        assert not result.claim(name).expectation.holds(result.claim(name).cases["gain 2"])


def test_rates_that_scatter_are_no_matter_of_the_start():
    """Networks that start alike and end apart: neither predicted one by one, nor in distribution."""
    draw = np.random.default_rng(3)
    rates = np.stack([0.002 * np.exp(draw.normal(0, 1, SEEDS)), np.full(SEEDS, 0.01)], axis=1)
    apart = synthetic.pair(rates, 0.01 * np.exp(draw.normal(0, 0.3, SEEDS)), steps=STEPS, layer=LAYER)
    one = asked(gains=[0.5]).analyse({"gain-0.5": apart})
    (row,) = one.table("gains").to_dict("records")
    assert row["correlation_own"] > 0.99
    assert abs(row["correlation_others"]) < 0.5
    assert row["spread"] > 10 * row["spread_others"]
    assert row["ks_pushed"] > 0.3
    assert one.claim("push-forward").verdict == one.claim("per-network").verdict == "not reproduced"


def test_no_network_is_predicted_with_its_own_rates(seen, result):
    """Whatever the tested networks do later, their predictions stay."""
    worse = seen["gain-1"]
    for network in range(1, SEEDS, 2):
        worse = synthetic.changed(worse, network, 60, hidden=1.5)
    before, after = (one.table("networks") for one in (result, asked().analyse(seen | {"gain-1": worse})))
    tested = before["tested"] & (before["gain"] == 1)
    assert (before["final_h2"] != after["final_h2"])[tested].all()
    np.testing.assert_array_equal(before["final_h2_others"], after["final_h2_others"])


def test_the_transition_is_where_shares_are_equal(result):
    gains = result.table("gains")
    rich = gains["richness"].to_numpy()
    assert rich[0] < rich[1] < 1 < rich[2]
    share = -np.log(rich[1]) / np.log(rich[2] / rich[1])
    measured = 2**share
    start = start_of_layers(gains["gain"].to_numpy(), 2, 2, 50, 1.0)
    layers = (start.h2 - start.y2 / start.h2) / np.sqrt(0.5)  # two layers on each side: kappa = 1
    np.testing.assert_allclose(gains["richness_layers"], layers)
    np.testing.assert_allclose(gains["richness_fraction"], 0, atol=1e-9)
    predicted = 2 ** (-np.log(layers[1]) / np.log(layers[2] / layers[1]))
    cases = result.claim("transition").cases
    assert cases["layer by layer"] == pytest.approx(predicted / measured)
    assert np.isnan(cases["one gain, split by layers"])
    assert list(result.claim("lazy-shrinks").cases) == ["gain 2"]


def test_which_networks_shrink():
    """Outputs that start further apart than their targets bring representations together."""
    wide = synthetic.pair([(0.002, 0.01)] * 20, np.linspace(2, 3, 20), apart=[2.0] * 20, steps=STEPS, layer=LAYER)
    one = asked(gains=[2.0], seeds="0..19").analyse({"gain-2": wide})
    assert one.claim("lazy-shrinks").cases["gain 2"] == pytest.approx(
        np.median(
            final_distance(np.linspace(2, 3, 20) - 0.4 / np.linspace(2, 3, 20), 0.1**0.5) / np.linspace(2, 3, 20)
        ),
        rel=1e-2,
    )
    assert one.claim("lazy-shrinks").verdict == one.claim("direction").verdict == "holds"
    (row,) = one.table("gains").to_dict("records")
    assert row["moved"] == pytest.approx(row["moved_others"], rel=1e-2)


def test_networks_that_did_not_learn_are_left_out(seen, result):
    worse = synthetic.changed(seen["gain-1"], 4, 0, hidden=5.0, loss=1e20)
    worse = synthetic.gone(worse, 7, 3, "diverged")
    one = asked().analyse(seen | {"gain-1": worse})
    assert one.table("gains")["learned"].tolist() == [SEEDS, SEEDS - 2, SEEDS]
    assert "118 of 120 networks learned" in one.summary[0]
    before, after = (some.table("gains").iloc[1] for some in (result, one))
    assert after["last_h2_high"] == pytest.approx(before["last_h2_high"], rel=0.2)
    networks = one.table("networks").query("gain == 1 and learned")
    assert 7 not in networks["seed"].tolist()
    np.testing.assert_allclose(networks["final_h2_others"], networks["last_h2"], rtol=1e-3)


def test_too_few_networks_give_no_distribution():
    few = synthetic.pair([(0.002, 0.01)] * 4, [0.01, 0.02, 0.03, 0.04], steps=STEPS, layer=LAYER)
    one = asked(gains=[0.5, 1.0], seeds="0..3").analyse({"gain-1": few})
    assert one.claim("normal").verdict == "not reproduced"
    assert np.isnan(one.claim("push-forward").cases["gain 1"])
    json.loads(one.to_json(), parse_constant=pytest.fail)
    stuck = synthetic.pair([(0.002, 0.01)] * 4, [0.01] * 4, steps=STEPS[:9], layer=LAYER)
    none = asked(gains=[1.0], seeds="0..3").analyse({"gain-1": stuck})
    assert none.table("gains")["learned"].tolist() == [0]
    assert asked().analyse({}).summary == ("Nothing has been trained yet.",)
    assert all(figure.svg() for figure in none.figures)


def test_learning_rates_fall_where_layers_amplify():
    jobs = asked(gains=[1.0, 2.0], depth=3, learning_rate=0.04).jobs()
    assert {name: job.network.learning_rate for name, job in jobs.items()} == {"gain-1": 0.04, "gain-2": 0.005}
    assert {job.network.gain for job in jobs.values()} == {1.0, 2.0}
    assert {(job.network.width, job.network.layer, job.stop_loss) for job in jobs.values()} == {(50, "hidden.1", 1e-8)}


@pytest.mark.parametrize(("changes", "says"), [({"gains": [2, 1]}, "gains rise"), ({"layer": 3}, "below depth = 3")])
def test_refused(changes, says):
    with pytest.raises(SpecificationError, match=says):
        asked(**changes).jobs()


def test_a_small_run(tmp_path):
    small = asked(gains=[1.0, 1.6], seeds="0..11", width=10, steps=300, record="log 80")
    done = run(small, tmp_path)
    json.loads(done.to_json(), parse_constant=pytest.fail)
    assert done.table("gains")["networks"].tolist() == [12, 12]
    assert isinstance(done.table("networks"), pd.DataFrame)
    (page,) = tmp_path.glob("*/report.html")
    assert page.read_text(encoding="utf-8").count("<svg") == 3
