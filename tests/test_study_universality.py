"""The study of universality, on networks that follow the theory with known rates, and on some that do not."""

import json

import numpy as np
import pytest
from scipy.special import expit

from synthetic import STEPS, changed, delayed, gone, pair
from syzygy.fitting.collapse import half_rise, rescaled, spread
from syzygy.store import MemoryStore
from syzygy.studies import study
from syzygy.studies.tables.units import COLLAPSED, MEASURED_END, PREDICTED_TIME, RAW
from syzygy.theory import PairState, PairTheory
from syzygy.training import train_zoo
from syzygy.trajectory import Trajectory

ROWS = {"slow": (4e-4, 0.02), "fast": (1.5e-3, 0.08), "even": (3e-3, 5e-3)}
STARTS = [1e-4, 2e-4, 1.5e-4]


def asked(names, seeds="0..2"):
    networks = [{"like": "default", "name": name} for name in names]
    return study({"study": "universality", "networks": networks, "seeds": seeds})


@pytest.fixture(scope="module")
def trajectories():
    return {name: pair([rates] * 3, STARTS) for name, rates in ROWS.items()}


@pytest.fixture(scope="module")
def result(trajectories):
    return asked(ROWS).analyse(trajectories)


# Curves in units of their own


def test_a_half_rise_is_where_the_curve_is():
    steps = np.linspace(0, 100, 2001)
    centres, ends = np.array([31.234, 60.0]), np.array([2.0, 0.1])
    curves = ends[:, None] * expit(0.3 * (steps - centres[:, None]))
    np.testing.assert_allclose(half_rise(steps, curves, ends), centres, atol=1e-4)


@pytest.mark.parametrize("curve", [[0.6, 0.7, 1.0], [0.9, 0.2, 1.0], [0.0, 0.1, 0.4], [np.nan] * 3, [0.0, np.nan, 1.0]])
def test_what_does_not_rise_through_half_has_no_half_rise(curve):
    assert np.isnan(half_rise(np.arange(3.0), np.array([curve]), np.ones(1))).all()


def test_the_first_of_several_half_rises_counts():
    curve = np.array([[0.0, 1.0, 0.0, 1.0]])
    assert half_rise(np.arange(4.0), curve, np.ones(1)).tolist() == [0.5]


def test_rescaling_undoes_units():
    steps, grid = np.arange(0.0, 1001.0), np.linspace(-3, 3, 13)
    origin, rate, unit = np.array([300.0, 500.0]), np.array([0.02, 0.01]), np.array([5.0, 0.2])
    curves = unit[:, None] * np.sin(rate[:, None] * (steps - origin[:, None]))
    found = rescaled(steps, curves, origin, rate, unit, grid)
    np.testing.assert_allclose(found, [np.sin(grid)] * 2, atol=2e-4)


def test_nothing_is_made_up_where_a_curve_was_not_seen():
    steps, curves = np.arange(5.0), np.array([[0.0, 1.0, 2.0, np.nan, np.nan], [0.0, 1.0, 2.0, 3.0, 4.0]])
    one = np.ones(2)
    found = rescaled(steps, curves, np.array([1.0, np.nan]), one, one, np.array([-2.0, -1.0, 1.0, 2.0, 4.0]))
    np.testing.assert_array_equal(found[0], [np.nan, 0.0, 2.0, np.nan, np.nan])
    assert np.isnan(found[1]).all()


def test_spread_has_no_unit_and_knows_its_extremes():
    draw = np.random.default_rng(0)
    curves = draw.normal(size=(30, 50)) + np.linspace(0, 3, 50)
    one, other = spread(curves), spread(7.5 * curves)
    assert other.share == pytest.approx(one.share)
    assert other.deviation == pytest.approx(7.5 * one.deviation)
    by_hand = curves - curves.mean(axis=0)
    assert one.deviation == pytest.approx(by_hand.std())
    assert one.share == pytest.approx(np.sqrt((by_hand**2).sum() / ((curves - curves.mean()) ** 2).sum()))
    noise = spread(draw.normal(size=(400, 50)))
    assert noise.share == pytest.approx(1, abs=0.01)
    assert np.isnan(spread(curves[:1]).share)


def test_spread_leaves_out_what_only_one_has_seen():
    curves = np.array([[0.0, 1.0, 5.0], [0.0, 1.0, np.nan], [np.nan] * 3])
    found = spread(curves)
    assert (found.deviation, found.share, found.curves) == (0.0, 0.0, 2)


# Networks that follow the theory


def test_networks_of_one_theory_are_one_curve(result):
    assert result.claim("collapse").verdict == "holds"
    assert result.claim("curve").verdict == "holds"
    assert max(result.claim("curve").cases.values()) < 0.005
    shares = result.table("spread").set_index("stage")["share"]
    assert shares[RAW] > 0.5
    for stage in (COLLAPSED, MEASURED_END, PREDICTED_TIME):
        assert shares[stage] < 0.02  # the slowest is 1% from its end at the last step
    assert list(result.claim("collapse").cases.values()) == [pytest.approx(shares[RAW] / shares[COLLAPSED])]
    assert result.table("networks")["on_the_plot"].all()


def test_units_are_the_theorys(result):
    table = result.table("networks").set_index(["network", "seed"])
    for name, (eta_h, eta_y) in ROWS.items():
        for seed, start in enumerate(STARTS):
            theory, state = PairTheory(eta_h, eta_y, 1.0, 0.5), PairState(start, 0.0, 0.0)
            row = table.loc[(name, seed)]
            assert row["omega"] == pytest.approx(float(theory.relaxation_rate(state)), rel=1e-3)
            assert row["end"] == pytest.approx(float(theory.final_h2(state)), rel=1e-3)
            assert row["half_rise"] == pytest.approx(row["half_rise_predicted"], rel=1e-3)
            assert row["start_over_end"] == pytest.approx(start / row["end"])


def test_raw_spread_is_that_of_the_distances_over_training(trajectories, result):
    curves = np.concatenate([np.square(t.representation("hidden.10")[:, :, 1, 1]) for t in trajectories.values()])
    grid = np.array([[np.interp(t, STEPS, one) for t in np.linspace(0, 6000, 161)] for one in curves])
    by_hand = np.sqrt(((grid - grid.mean(axis=0)) ** 2).sum() / ((grid - grid.mean()) ** 2).sum())
    assert result.table("spread")["share"].iloc[0] == pytest.approx(by_hand)


def test_units_do_not_see_the_network_that_they_are_for(trajectories, result):
    moved = asked(ROWS).analyse(trajectories | {"slow": changed(trajectories["slow"], 0, 1, hidden=1.3)})
    before, after = (one.table("networks").iloc[0] for one in (result, moved))
    assert after["omega"] == pytest.approx(before["omega"], rel=1e-12)
    assert after["end"] == pytest.approx(before["end"], rel=1e-12)
    assert after["last_h2"] == pytest.approx(1.69 * before["last_h2"], rel=1e-6)
    assert after["deviation"] > 0.2


def test_measured_ends_and_own_rates_are_said_apart(trajectories):
    """A network that ends 69% further out: in its own units it is nearly on the curve, in others' it is not."""
    other = pair([ROWS["slow"], ROWS["slow"], (8e-4, 0.02)], STARTS)
    table = asked(["slow"]).analyse({"slow": other}).table("networks")
    assert table["deviation_own"].max() < 0.005
    assert table["deviation"].max() > 0.05


def test_a_longer_plateau_moves_only_the_half_rise(trajectories, result):
    """Network 0 waits for 600 steps; its units are those of the others, so nothing else of it changes."""
    late = delayed(pair([ROWS["fast"]], STARTS[:1]), 60)
    others = pair([ROWS["fast"]] * 2, STARTS[1:], seeds=[1, 2])
    after = asked(["fast"]).analyse({"fast": Trajectory.join([late, others])}).table("networks").iloc[0]
    before = result.table("networks").set_index("network").loc["fast"].iloc[0]
    assert after["half_rise"] - before["half_rise"] == pytest.approx(600, abs=0.1)
    assert after["half_rise_predicted"] == pytest.approx(before["half_rise_predicted"], rel=1e-4)
    assert after["deviation"] == pytest.approx(before["deviation"], abs=1e-3)


# Networks that are not on the plot


def test_lazy_rows_are_counted_as_not_on_the_curve(trajectories):
    lazy = pair([(1e-4, 1e-3)] * 3, [2.0, 2.1, 1.9])
    result = asked([*ROWS, "lazy"]).analyse(trajectories | {"lazy": lazy})
    row = result.table("rows").set_index("network").loc["lazy"]
    assert (row["on_the_plot"], row["starts_high"] + row["unpredicted"]) == (0, 3)
    claim = result.claim("curve")
    assert np.isnan(claim.cases["lazy"])
    assert (claim.verdict, claim.condition) == ("holds in part", "but not for lazy")
    assert "9 of 12" in result.claim("collapse").note
    assert "lazy" in result.claim("collapse").note
    assert "lazy" in result.summary[0]
    json.loads(result.to_json(), parse_constant=pytest.fail)


def test_every_reason_is_named(trajectories):
    """Diverged; never at half of the predicted end; starts above half of it; and has no other seed."""
    lost = gone(trajectories["slow"], 0, 50, "diverged")
    low, high = (changed(trajectories["even"], 1, 0, hidden=factor) for factor in (0.5, 50))
    result = asked(["lost", "low", "high"]).analyse({"lost": lost, "low": low, "high": high})
    table = result.table("networks").set_index(["network", "seed"])
    assert table.loc[("lost", 0), "fate"] == "diverged"
    assert table.loc[("low", 1), "fate"] == "never_half"
    assert table.loc[("high", 1), "fate"] == "starts_high"
    rows = result.table("rows").set_index("network")
    assert (rows.loc["lost", "diverged"], rows.loc["low", "never_half"], rows.loc["high", "starts_high"]) == (1, 1, 1)
    alone = asked(["slow"], "0").analyse({"slow": pair([ROWS["slow"]], STARTS[:1])})
    assert alone.table("networks")["fate"].tolist() == ["unpredicted"]
    assert alone.claim("curve").verdict == alone.claim("collapse").verdict == "not reproduced"


def test_nothing_trained():
    result = asked(ROWS).analyse({})
    assert result.summary == ("Nothing has been trained yet.",)
    assert {claim.verdict for claim in result.claims} == {"undecided"}


def test_figures_show_every_network(result):
    collapse, deviations = result.figures
    assert set(collapse.frame["network"]) == set(ROWS)
    one = collapse.frame[(collapse.frame["network"] == "fast") & (collapse.frame["seed"] == 1)]
    near = one[one["time"].abs() < 4]
    np.testing.assert_allclose(near["distance"], expit(near["time"]), atol=0.02)
    assert all("<svg" in figure.svg() for figure in (collapse, deviations))


# Networks that learned


@pytest.mark.parametrize("kind", ["universality", "two-points"])
def test_agreeing_items_and_hardly_begun_runs_have_a_page(kind):
    """Equal targets, so the end may be no distance at all; and three records of a network that will not learn."""
    base = {"study": kind, "networks": "two_layer", "seeds": "0..1", "record": "every 40"}
    for asked_for in (
        {"dy2": 0, "steps": 400, "learning_rate": 0.1},
        {"steps": 80},
        {"learning_rate": 1e6, "steps": 80},
    ):
        made, store = study(base | asked_for), MemoryStore()
        (job,) = made.jobs().values()
        list(train_zoo([job], store))
        result = made.analyse({"two_layer": store.get(job.asked())})
        assert all("<svg" in figure.svg() for figure in result.figures)
        json.loads(result.to_json(), parse_constant=pytest.fail)


def test_two_linear_layers_are_on_the_curve():
    made = study(
        {"study": "universality", "networks": "two_layer", "seeds": "0..2", "learning_rate": 0.05, "steps": 600}
    )
    store = MemoryStore()
    list(train_zoo([part for job in made.jobs().values() for part in job.parts()], store))
    seen = {n: Trajectory.join([store.get(p.asked()) for p in job.parts()]) for n, job in made.jobs().items()}
    result = made.analyse(seen)
    assert result.claim("curve").cases["two_layer"] < 0.02
    assert result.table("networks")["on_the_plot"].all()
