"""The study of two points, on networks that follow the theory with known rates, and on some that do not."""

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from synthetic import STEPS, changed, delayed, gone, pair
from syzygy.fitting import fit_pairs, from_other_networks, pair_curves
from syzygy.networks import catalogue
from syzygy.published import published
from syzygy.studies import read_study, study
from syzygy.studies.claims.default_network import EXPECTATIONS, beside_published, of_published_size
from syzygy.studies.two_items import held, least
from syzygy.theory import PairState, PairTheory
from syzygy.trajectory import Trajectory

OWN = {"study": "two-points", "networks": "default", "seeds": "0..2"}
RATES, STARTS = [(7e-4, 0.035), (8e-4, 0.04), (6.5e-4, 0.0375)], [1e-3, 9e-4, 1.1e-3]
REFERENCE = Path(__file__).parents[1].parent / "shared" / "reference"
PAIRS = sorted(REFERENCE.glob("2p_*.npz"))
UNPREDICTED = {"explains_h2", "explains_y2", "predicts_end", "identified"}


def analysed(trajectory, **changes):
    return study(OWN | changes).analyse({"default": trajectory})


@pytest.fixture(scope="module")
def trajectory():
    return pair(RATES, STARTS)


@pytest.fixture(scope="module")
def result(trajectory):
    return analysed(trajectory)


# Out of sample


def test_known_rates_are_found_and_predict_the_others(result):
    rates = result.table("rates")
    for column, index in (("eta_h", 0), ("eta_y", 1)):
        np.testing.assert_allclose(rates[column], [one[index] for one in RATES], rtol=1e-3)
    for index in range(3):
        others = np.exp(np.log(np.delete(RATES, index, axis=0)).mean(axis=0))
        end = PairTheory(*others, 1.0, 0.5).final_h2(PairState(STARTS[index], 0.0, 0.0))
        assert rates["final_h2_others"][index] == pytest.approx(float(end), rel=1e-3)
    (row,) = result.table("rows").to_dict("records")
    error = (rates["final_h2_others"] / rates["last_h2"] - 1).abs()
    assert row["final_error_others"] == pytest.approx(error.median())
    assert row["final_error"] < 1e-3 < row["final_error_others"]
    assert result.claim("predicts_end").cases == {"default": row["final_error_others"]}
    assert result.claim("identified").cases["default"] < 1.2


def test_networks_with_the_same_rates_explain_each_other_wholly():
    result = analysed(pair([RATES[0]] * 3, STARTS))
    (row,) = result.table("rows").to_dict("records")
    for name in ("r2_h2", "r2_h2_others", "r2_y2", "r2_y2_others", "r2_w", "r2_w_others"):
        assert row[name] == pytest.approx(1, abs=1e-5)
    assert row["half_rise_error"] < 1e-4
    for name in ("explains_h2", "explains_y2", "predicts_end", "identified"):
        assert result.claim(name).verdict == "holds"


def test_explained_shares_are_those_of_the_other_seeds(trajectory, result):
    fit = fit_pairs(pair_curves(trajectory))
    expected = from_other_networks(fit).r2
    for curve in ("h2", "y2", "w"):
        column = result.table("rates")[f"r2_{curve}_others"]
        np.testing.assert_allclose(column, expected[curve][:, 0], rtol=1e-6)
        assert result.table("rows")[f"r2_{curve}_others"].item() == pytest.approx(column.median())
    assert result.claim("explains_h2").cases["default"] == pytest.approx(np.median(expected["h2"]))
    assert result.claim("explains_y2").cases["default"] == pytest.approx(np.median(expected["y2"]))


def test_a_prediction_does_not_see_what_it_predicts(trajectory, result):
    """Network 0 ends elsewhere: the prediction of its end stays, those of the others move."""
    moved = analysed(changed(trajectory, 0, 1, hidden=1.5))
    before, after = (one.table("rates")["final_h2_others"] for one in (result, moved))
    assert after[0] == pytest.approx(before[0], rel=1e-12)
    assert np.all(np.abs(after[1:] / before[1:] - 1) > 1e-3)


def test_a_late_rise_costs_explained_variance_but_not_the_end():
    """A network that stays 1000 steps longer on its plateau than the other seeds' rates say."""
    late = delayed(pair([RATES[0]], STARTS[:1], seeds=[2]), 100)
    result = analysed(Trajectory.join([pair([RATES[0]] * 2, STARTS[:2]), late]))
    row = result.table("rates").iloc[2]
    assert row["half_rise"] - row["half_rise_others"] == pytest.approx(1000, rel=0.2)
    assert row["r2_h2_others"] < 0.8 < row["r2_h2"]


# Networks that cannot speak


def test_a_network_that_was_stopped_stands_still(trajectory):
    stopped = gone(trajectory, 1, 500, "learned")
    kept = held(stopped)
    assert np.isnan(stopped.loss[1, 500:]).all()
    np.testing.assert_array_equal(kept.loss[1, 500:], trajectory.loss[1, 499])
    np.testing.assert_array_equal(kept.outputs[1, 500:], trajectory.outputs[1, [499] * 101])
    np.testing.assert_array_equal(
        kept.representation("hidden.10")[[0, 2]], trajectory.representation("hidden.10")[[0, 2]]
    )
    assert held(trajectory) is trajectory
    soon = gone(trajectory, 1, 300, "learned")
    row, whole = (analysed(one).table("rates").iloc[1] for one in (soon, trajectory))
    assert row["r2_h2_others"] == pytest.approx(whole["r2_h2_others"], abs=2e-3)  # of a curve of the same length
    assert row["eta_h"] == pytest.approx(whole["eta_h"], rel=5e-3)


def test_a_network_that_diverged_is_not_held():
    lost = held(gone(gone(pair(RATES, STARTS), 0, 300, "diverged"), 1, 500, "learned"))
    assert np.isnan(lost.loss[0, 300:]).all()
    assert np.isfinite(lost.loss[1]).all()


def test_rows_that_say_nothing_are_named(trajectory):
    """One network diverged, three never left their plateau: claims count them as not holding."""
    lost = gone(trajectory, 0, 500, "diverged")  # after it had learned
    flat = delayed(trajectory, len(STEPS))
    made = study(OWN | {"networks": ["default", {"like": "default", "name": "flat"}]})
    result = made.analyse({"default": lost, "flat": flat})
    rows = result.table("rows").set_index("network")
    assert rows.loc["default", ["diverged", "unlearned"]].tolist() == [1, 1]
    assert rows.loc["flat", "unlearned"] == 3
    said = result.summary[-1]
    assert "Diverged: default 1 of 3" in said
    assert "Did not learn within their steps: default 1 of 3, flat 3 of 3" in said
    for name in ("explains_h2", "explains_y2", "predicts_end"):
        assert "flat" not in result.claim(name).holding
    json.loads(result.to_json(), parse_constant=pytest.fail)


def test_one_seed_predicts_nothing_and_says_so():
    result = analysed(pair(RATES[:1], STARTS[:1]), seeds="0")
    for name in ("explains_h2", "explains_y2", "predicts_end"):
        assert np.isnan(result.claim(name).cases["default"])
        assert result.claim(name).verdict == "not reproduced"


def test_missing_networks_leave_the_rest():
    made = study(OWN | {"networks": ["default", "tanh"]})
    result = made.analyse({"default": pair(RATES, STARTS)})
    assert result.table("rows")["network"].tolist() == ["default"]
    assert made.analyse({}).claim("explains_h2").verdict == "undecided"


def test_the_worst_counts():
    assert least(np.array([0.9, np.nan, 0.8])) == 0.8
    assert np.isnan(least(np.array([0.9, np.nan, np.nan])))
    assert np.isnan(least(np.array([])))


# The paper's main network


def test_bands_measure_the_main_network(trajectory, result):
    curves = pair_curves(trajectory)
    expected = {
        "ratio": {f"seed {i}": h / y for i, (h, y) in enumerate(RATES)},
        "last_h2": {"mean": float(np.mean(curves.h2[:, 0, -1]))},
        "mean_half_life": {"mean": 30.0},
        "mean_loss": {f"seed {i}": 0.5 * float(trajectory.targets.mean()) ** 2 for i in range(3)},
    }
    for name, cases in expected.items():
        assert result.claim(name).cases == pytest.approx(cases, rel=2e-3)
    assert max(result.claim("final_error").cases.values()) < 1e-3
    assert all(0.99 < value <= 1 for name in ("r2_h2", "r2_y2", "r2_w") for value in result.claim(name).cases.values())
    assert max(result.claim("largest_rise").cases.values()) <= 1e-12
    assert {e.name for e in EXPECTATIONS} == {c.expectation.name for c in result.claims} - UNPREDICTED
    assert result.claim("mean_half_life").verdict == "holds"


def test_a_half_life_lies_between_recorded_steps():
    for half_life in (7.0, 33.3):
        cases = analysed(pair(RATES, STARTS, half_life=half_life)).claim("mean_half_life").cases
        assert cases["mean"] == pytest.approx(half_life, rel=1e-6)


def test_a_rise_of_the_difference_is_seen(trajectory):
    """Two units of the outputs' distance at one record make a step of the difference's loss that is known."""
    networks = changed(trajectory, 2, 0)
    networks.outputs[2, 400, :, 0] += np.array([-0.1, 0.1])  # dy is 0.2 too large there, and nearly learned
    rise = analysed(networks).claim("largest_rise").cases
    assert rise["seed 2"] == pytest.approx(0.2**2 / 8, rel=0.05)
    assert rise["seed 0"] <= 1e-12


@pytest.mark.parametrize(
    "other",
    [
        {"networks": {"like": "default", "name": "default", "width": 100}},
        {"dy2": 0.25},
        {"settings": "table"},
        {"learning_rate": 0.01},
    ],
)
def test_bands_are_of_the_published_size_only(trajectory, other):
    result = analysed(trajectory, **other)
    for expected in EXPECTATIONS:
        claim = result.claim(expected.name)
        assert claim.verdict == "undecided"
        assert "at its own size" in claim.note
    assert not result.table("published")["published_size"].any()
    assert result.table("published")["distance"].isna().all()


def test_published_numbers_of_the_main_network_stand_beside(result):
    for name in ("r2_h2", "ratio", "last_h2", "final_error", "mean_half_life"):
        known = result.claim(name).published
        assert set(known) == {"default 0", "default 1", "default 2"}
        assert known == {case: value for case, value in published("two-points", name).items() if case in known}
        assert all(result.claim(name).expectation.holds(value) for value in known.values())


def test_distance_from_published_is_in_standard_errors(result):
    table = result.table("published").set_index(["network", "quantity"])
    ours = result.table("rates")["last_h2"]
    known = np.array([published("two-points", "last_h2")[f"default {seed}"] for seed in range(3)])
    row = table.loc[("default", "last_h2")]
    assert row["mean"] == pytest.approx(ours.mean())
    assert row["published"] == pytest.approx(known.mean())
    pooled = ours.std() * np.sqrt(1 / 3 + 1 / 3)
    assert row["distance"] == pytest.approx((known.mean() - ours.mean()) / pooled)
    assert set(table.index.get_level_values("network")) == {"default"}


def test_published_fits_are_compared_with_unscaled_ones():
    """Where the theory is only nearly right, the two scalings differ; the published fit is unscaled."""
    networks = changed(pair(RATES, STARTS), 0, 250, outputs=1.05)
    made = study(OWN)
    (one,) = made.evidence({"default": networks})
    frame = beside_published([one], made.jobs()).set_index("quantity")
    unscaled = fit_pairs(one.fit.curves, scaling="none")
    assert frame.loc["eta_y", "mean"] == pytest.approx(unscaled.eta_y.value.mean())
    assert frame.loc["eta_y", "mean"] != pytest.approx(one.fit.eta_y.value.mean(), rel=1e-3)


# What is trained


def specification(size, name):
    return study(read_study(files("syzygy") / "specifications" / size / f"{name}.toml"))


@pytest.mark.parametrize("size", ["quick", "full"])
def test_both_studies_of_two_points_share_every_training(size):
    points, universality = (specification(size, name) for name in ("two-points", "universality"))
    assert [job.asked() for job in points.jobs().values()] == [job.asked() for job in universality.jobs().values()]
    assert set(points.jobs()) == {*catalogue(), "cnn_5"} - {"transformer"}
    assert (size == "full") == all(
        of_published_size(name, job) for name, job in points.jobs().items() if name != "cnn_5"
    )
    assert of_published_size("default", points.jobs()["default"])
    assert (size == "quick") == bool(points.note)


def test_the_table_of_settings_shows_both_sources():
    table = analysed(pair(RATES, STARTS)).table("settings").iloc[0]
    assert (table["table_learning_rate"], table["table_steps"]) == (0.01, 3000)
    assert (table["learning_rate"], table["steps"]) == (0.005, 6000)
    assert "settings = notebook" in analysed(pair(RATES, STARTS)).claim("explains_h2").note


def test_drawn_curves_are_measured_own_and_others(trajectory, result):
    (figure,) = [one for one in result.figures if one.name == "trajectories-default"]
    frame = figure.frame[(figure.frame["quantity"] == "h2") & (figure.frame["seed"] == 1)]
    fit = fit_pairs(pair_curves(trajectory))
    place = np.searchsorted(STEPS, frame["step"])
    np.testing.assert_allclose(frame["predicted"], fit.predict().h2[1, 0, place], rtol=1e-6)
    np.testing.assert_allclose(frame["others"], from_other_networks(fit).predict().h2[1, 0, place], rtol=1e-6)
    assert isinstance(figure.svg(), str)
    assert all("<svg" in one.svg() for one in result.figures)
    assert isinstance(result.table("rates"), pd.DataFrame)


# The kept numbers of the published code


@pytest.mark.skipif(not PAIRS, reason="the published numbers are not there")
@pytest.mark.parametrize("path", PAIRS, ids=lambda path: path.stem)
def test_the_kept_table_is_that_of_the_published_files(path):
    with np.load(path) as file:
        d = {name: np.asarray(file[name], dtype=np.float64) for name in file.files if name != "setting"}
    name = path.stem.removeprefix("2p_").replace("default_s", "default ").removesuffix("_s0")
    h2, y2, w, loss = (d[key].ravel() for key in ("h2", "y2", "w", "train_loss"))
    difference = 0.25 * w + 0.125 * (0.5 - y2)
    mean = loss - difference
    expected = {"first_h2": h2[0], "last_h2": h2[-1]}
    if d["eta_h"] > 0:
        expected |= {"eta_h": d["eta_h"], "eta_y": d["eta_y"], "ratio": d["eta_h"] / d["eta_y"]}
        expected |= {"final_error": abs(d["h_inf_theory"] / h2[-1] - 1)}
        said = dict(zip(("h2", "y2", "w"), d["z"], strict=True))
        expected |= {f"r2_{k}": 1 - np.mean((v - d[k].ravel()) ** 2) / d[k].var() for k, v in said.items()}
    if name.startswith("default"):
        expected |= {"mean_loss": mean[0], "largest_rise": np.diff(difference).max()}
        expected |= {"mean_half_life": np.interp(-0.5 * mean[0], -mean[:200], np.arange(200))}
    for quantity, value in expected.items():
        assert published("two-points", quantity)[name] == pytest.approx(float(value), rel=4e-3), quantity
    tables = ("first_h2", "eta_h", "final_error", "mean_loss")
    assert [name in published("two-points", quantity) for quantity in tables] == [q in expected for q in tables]
