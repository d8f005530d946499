"""The study of forecasts: on a real run, on pairs whose answer is known, and where there is nothing to measure."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from synthetic import gone, pair
from syzygy.forecast import FORECASTS, LEARNED, Mean, Start, forecast, time_to_learn
from syzygy.linearisation import linearise, tangent_kernel
from syzygy.networks import setting
from syzygy.run import Run
from syzygy.store import MemoryStore
from syzygy.studies import read_study, study
from syzygy.studies.forecast import CLAIMED, EXPECTATIONS
from syzygy.studies.tables.forecast import network_of
from syzygy.tasks import two_points
from syzygy.theory import ExactState, ExactTheory, solve_exact
from syzygy.training import gathered, train_zoo
from syzygy.trajectory import Trajectory

SMALL = {"like": "two_layer", "name": "small", "width": 60, "gain": 0.5}
OWN = {
    "study": "forecast",
    "networks": [SMALL],
    "seeds": "0..2",
    "learning_rate": 0.1,
    "steps": 600,
    "measure": "log 5",
}
RATES, TARGET = (0.01, 0.02), np.sqrt(0.5)


def trained(**changes):
    made, store = study(OWN | changes), MemoryStore()
    jobs = made.jobs()
    list(train_zoo([part for job in jobs.values() for part in job.parts()], store))
    return made, {name: gathered(job, store) for name, job in jobs.items()}


@pytest.fixture(scope="module")
def real():
    made, seen = trained(
        stop_loss=1e-7, networks=[SMALL, {"like": "two_layer", "name": "large", "width": 60, "gain": 2.0}]
    )
    return made, seen, made.analyse(seen)


def known(seeds=3, at=(0, 20, 100), rates=RATES, told=RATES):
    """Networks that obey the exact theory with these rates, and are measured to have others."""
    steps = np.arange(0.0, 1501, 5)
    h2, dy, gram = (np.array(x)[:seeds] for x in ([0.01, 0.02, 0.015], [0.002, -0.004, 0.006], [0.6, 0.2, 0.4]))
    start, theory = ExactState(h2, dy[:, None], gram[:, None, None]), ExactTheory(*rates, 1.0, [TARGET])
    solved = solve_exact(theory, start, steps)
    plain = pair([(7e-4, 0.035)] * seeds, h2, steps=steps.astype(int), layer="hidden.0")
    outputs = plain.targets.mean() + np.array([-0.5, 0.5])[:, None] * solved.dy[:, :, None]
    hidden = np.zeros((seeds, len(steps), 2, 3))
    hidden[:, :, 1, 1] = np.sqrt(solved.state.h2)
    slope = (theory.eta_y / (theory.eta_h * theory.dx2)).item()
    found = {
        "h2": solved.state.h2[..., None],
        "dy": solved.dy[:, :, None],
        # h2 − kappa·gram is conserved.
        "gram": (gram[:, None] + slope * (solved.state.h2 - h2[:, None]))[:, :, None, None, None],
        "eta_h": np.full((seeds, len(steps), 1), told[0]),
        "eta_y": np.full((seeds, len(steps), 1), told[1]),
    }
    found |= dict.fromkeys(("encoder_share", "decoder_share", "encoder_coupling", "decoder_coupling"), 0 * found["h2"])
    # Of the mean they say nothing, and the forecast with it is not made.
    found |= {"y_mean": np.full((seeds, len(steps), 1, 1), np.nan)}
    found |= dict.fromkeys(("encoder_kernel", "decoder_kernel"), np.full((seeds, len(steps), 2, 2), np.nan))
    there = np.isin(steps, at)
    for name, values in found.items():
        found[name] = values.copy()
        found[name][:, ~there] = np.nan
    return Trajectory.of(
        steps=steps.astype(int),
        loss=0.5 * np.square(outputs - plain.targets).mean((2, 3)),
        outputs=outputs,
        representations={"hidden.0": hidden},
        inputs=plain.inputs,
        targets=plain.targets,
        items=("A", "B"),
        seeds=range(seeds),
        about={"measure": "log 3", "optimiser": "sgd"},
        measured={"hidden.0": found},
    )


def answered(trajectory, **changes):
    return study(OWN | changes).analyse({"small": trajectory})


def row_of(result):
    (row,) = result.table("networks").to_dict("records")
    return row


# Known answers


def test_networks_that_obey_the_exact_theory_are_foretold():
    result = answered(known())
    row = row_of(result)
    assert row["final_error"] < 1e-3
    assert row["learned_factor"] < 1.005
    assert row["exact_over_paper"] < 0.05
    assert row["error of paper"] > 0.05
    assert row["rates_vary"] == 1
    assert (row["network"], row["networks"]) == ("small", 3)
    assert {claim.verdict for claim in result.claims} == {"holds"}
    assert result.summary[0].endswith(
        "within 25% for 1 of 1 kinds of network, and the time to learn within a factor of two for 1."
    )


def test_forecasts_that_are_made_later_are_of_the_same_end_and_time():
    made = answered(known()).table("forecasts")
    exact = made[made["forecast"] == "exact"]
    assert set(exact["step"]) == {0, 20, 100}
    np.testing.assert_allclose(exact["final_h2"], exact["measured_final_h2"], rtol=1e-3)
    np.testing.assert_allclose(exact["learned"], exact["measured_learned"], rtol=5e-3)
    assert exact.groupby("seed")["measured_learned"].nunique().max() == 1


def test_wrong_rates_are_wrong_by_as_much():
    slow = answered(known(told=(RATES[0] / 4, RATES[1] / 4)))
    assert row_of(slow)["final_error"] < 1e-3, "the end knows the ratio alone"
    assert row_of(slow)["learned_factor"] == pytest.approx(4, rel=0.02)
    assert slow.claim("final_exact").verdict == "holds"
    assert slow.claim("time_exact").verdict == "not reproduced"
    skewed = answered(known(told=(0.01, 0.0005)))
    assert skewed.claim("final_exact").verdict == skewed.claim("measuring_helps").verdict == "not reproduced"


def test_once_a_pair_is_learned_nothing_is_foretold():
    seen = known(at=(0, 20, 1500))
    made = answered(seen).table("forecasts")
    assert made["measured_learned"].max() < 1500
    assert set(made["step"]) == {0, 20}
    inside = answered(seen).table("rates")
    assert set(inside["step"]) == {0, 20, 1500}


def test_rates_vary_until_the_pair_is_learned_and_no_longer():
    seen = known(at=(0, 20, 1500))
    found = {name: values.copy() for name, values in seen.measured("hidden.0").items()}
    found["eta_h"][:, seen.steps == 20] *= np.array([3.0, 2.0, 1.0])[:, None, None]
    found["eta_y"][:, seen.steps == 20] /= np.array([1.0, 5.0, 4.0])[:, None, None]
    found["eta_y"][:, seen.steps == 1500] = 100
    row = row_of(answered(Trajectory.of(**parts(seen) | {"measured": {"hidden.0": found}})))
    assert row["rates_vary"] == pytest.approx(4)  # the median of 3, 5 and 4


def parts(seen):
    return {
        "steps": seen.steps,
        "loss": seen.loss,
        "outputs": seen.outputs,
        "representations": {"hidden.0": seen.representation("hidden.0")},
        "inputs": seen.inputs,
        "targets": seen.targets,
        "items": seen.items,
        "seeds": seen.seeds,
        "fates": seen.fates,
        "about": seen.about,
        "measured": {"hidden.0": seen.measured("hidden.0")},
    }


def test_claims_are_the_columns_of_the_table():
    result = answered(known())
    row = row_of(result)
    assert set(CLAIMED) == {expectation.name for expectation in EXPECTATIONS}
    for name, column in CLAIMED.items():
        assert result.claim(name).cases == {"small": row[column]}, name
    made = result.table("forecasts")
    first = made[made["step"] == 0].set_index("forecast")
    ratio = first["final_h2"] / first["measured_final_h2"]
    assert row["final_error"] == pytest.approx((ratio["exact"] - 1).abs().median())
    times = np.log(first["learned"] / first["measured_learned"]).abs()
    assert row["learned_factor"] == pytest.approx(np.exp(times["exact"].median()))
    off = {name: np.log(ratio[name]).abs().to_numpy() for name in FORECASTS}
    assert row["exact_over_paper"] == pytest.approx(np.median(off["exact"] / off["paper"]))
    assert row["measured_over_nominal"] == pytest.approx(np.median(off["exact"] / off["exact, nominal rates"]))
    for name in FORECASTS:
        if np.isfinite(row[f"error of {name}"]):
            assert row[f"error of {name}"] == pytest.approx(np.median(off[name]))


def test_a_seed_that_cannot_be_foretold_counts_as_the_worst():
    made = answered(known()).table("forecasts")
    inside = answered(known()).table("rates")
    lost = made.copy()
    lost.loc[(lost["seed"] == 0) & (lost["forecast"] == "exact"), ["final_h2", "learned"]] = np.nan
    one, other = (network_of("small", frame, inside) for frame in (made, lost))
    assert other["final_error"] >= one["final_error"]
    lost.loc[(lost["seed"] == 1) & (lost["forecast"] == "exact"), ["final_h2", "learned"]] = np.nan
    worst = network_of("small", lost, inside)
    for column in ("final_error", "learned_factor", "exact_over_paper"):
        assert np.isnan(worst[column]), column


# A real run


def test_forecasts_are_those_of_the_untrained_network(real):
    made, seen, result = real
    job, task = made.jobs()["small"], two_points()
    assert set(seen["small"].fates) == {"learned"}, "stopped, and still measured"
    frame = result.table("forecasts")
    learned = time_to_learn(seen["small"].steps, difference(seen["small"]))
    for seed in (0, 2):
        network = job.network.build(1, 1, seed).float()
        seen_ = linearise(network, "hidden.0", task.inputs, task.targets, learning_rate=0.1)
        told = forecast(replace(Start.of(seen_, 0.1, 1, 2), mean=mean_of(network, seen_, task)))
        some = frame[(frame["network"] == "small") & (frame["seed"] == seed) & (frame["step"] == 0)]
        assert some["forecast"].tolist() == list(FORECASTS)
        for row in some.itertuples():
            for what in ("final_h2", "learned"):
                np.testing.assert_allclose(getattr(row, what), told[row.forecast][what].item(), rtol=1e-3)
            hidden = seen["small"].representation("hidden.0")[seed].astype(float)
            last = hidden[np.isfinite(hidden).all(axis=(1, 2))][-1]
            assert row.measured_final_h2 == pytest.approx(((last[1] - last[0]) ** 2).sum())
            assert row.measured_learned == pytest.approx(learned[seed])


def mean_of(network, seen, task):
    """What a network says of the mean of its two items, with the hidden layer written out."""
    x = torch.as_tensor(task.inputs, dtype=torch.float32)
    hidden, outputs = network.hidden[0](x).detach().double(), network(x).detach().double()
    kernels = tangent_kernel(network, task.inputs, "hidden.0")
    told = (*kernels, hidden @ hidden.T, seen.y_mean[0], outputs, task.targets)
    return Mean(*(np.asarray(one)[None] for one in told))


def difference(trajectory):
    error = trajectory.outputs.astype(float) - trajectory.targets
    return ((error[:, :, 1] - error[:, :, 0]) ** 2).sum(-1)


def test_the_goal_is_a_quarter_of_the_first_error_whenever_a_forecast_is_made(real):
    _, seen, result = real
    made = result.table("forecasts")
    error = difference(seen["small"])
    for row in made[(made["network"] == "small") & (made["forecast"] == "exact")].itertuples():
        at = np.searchsorted(seen["small"].steps, row.measured_learned)
        assert error[row.seed, at - 1] > LEARNED * error[row.seed, 0] >= error[row.seed, at]
        assert row.learned >= row.step


def test_the_page_of_a_real_run(real):
    _, _, result = real
    assert [table.name for table in result.tables] == ["networks", "forecasts", "rates", "regimes"]
    assert [figure.name for figure in result.figures] == ["forecasts", "rates", "errors", "regimes"]
    for figure in result.figures:
        assert len(figure.frame)
        assert figure.svg().startswith("<svg")
    assert result.table("networks")["network"].tolist() == ["small", "large"]
    inside = result.table("rates")
    assert (inside["encoder_share"].dropna() >= 0).all()
    first = inside[(inside["network"] == "small") & (inside["step"] == 0)]
    assert np.isfinite(first[["eta_h", "eta_y", "fitted_eta_h", "encoder_coupling"]]).all(axis=None)
    claims = {claim.expectation.name: claim for claim in result.claims}
    assert list(claims) == [expectation.name for expectation in EXPECTATIONS]
    assert all(claim.note == "" for claim in result.claims)
    assert not {"SZ001", "SZ013"} & {finding.code for finding in result.findings}
    json.loads(result.to_json())


@pytest.mark.slow
def test_a_run_writes_it_all(tmp_path):
    run = Run.under(tmp_path, study(OWN | {"seeds": [0], "steps": 60}))
    run.train()
    assert run.report().table("networks")["networks"].tolist() == [1]
    assert (run.folder / "tables" / "forecasts.csv").is_file()
    assert (run.folder / "figures" / "errors.svg").is_file()


def test_more_outputs_than_one():
    made, seen = trained(output_dim=2, input_dim=3, seeds="0,1", steps=300, measure="log 3")
    frame = made.analyse(seen).table("forecasts")
    start = frame[(frame["step"] == 0) & (frame["forecast"] == "exact")]
    assert np.isfinite(start["final_h2"]).all()
    network = made.jobs()["small"].network.build(3, 2, 0).float()
    task = two_points(input_dim=3, output_dim=2)
    seen_ = linearise(network, "hidden.0", task.inputs, task.targets, learning_rate=0.1)
    told = forecast(Start.of(seen_, 0.1), ("exact", "exact, nominal rates"))
    np.testing.assert_allclose(start["final_h2"].iloc[0], told["exact"]["final_h2"].item(), rtol=1e-3)
    nominal = frame[(frame["step"] == 0) & (frame["forecast"] == "exact, nominal rates")]
    np.testing.assert_allclose(nominal["learned"].iloc[0], told["exact, nominal rates"]["learned"].item(), rtol=1e-3)


# Networks that cannot be measured, that are missing, or that were lost


def test_networks_without_rates_are_left_out_and_named():
    skip = {"like": "skip", "name": "skip", "width": 20, "depth": 3, "layer": "hidden.1"}
    adam = SMALL | {"like": "adam", "name": "adam", "depth": 1, "layer": "hidden.0", "width": 20}
    asked = {"networks": [SMALL, skip, adam], "seeds": "0", "steps": 40, "measure": "log 3"}
    made, seen = trained(**asked)
    result = made.analyse(seen)
    said = "skip: it cannot be split after hidden.1, or diverged at once. adam: Adam has no effective learning rates."
    assert result.summary[-1] == said
    assert result.table("networks")["network"].tolist() == ["small"]
    assert result.claim("final_exact").note == "Not measured: skip, adam."
    assert set(result.table("regimes")["network"]) == {"small", "skip", "adam"}
    assert "SZ013" in [finding.code for finding in result.findings]
    for names in (["skip"], ["adam"], ["skip", "adam"]):
        alone = study(OWN | asked | {"networks": [n for n in (skip, adam) if n["name"] in names]})
        result = alone.analyse({name: seen[name] for name in names})
        assert result.summary[0].startswith("Of no network could the rates be measured. ")
        for name in names:
            assert f"{name}: " in result.summary[0]
        assert {claim.verdict for claim in result.claims} == {"undecided"}
        assert "fates" in [table.name for table in result.tables]


def test_networks_that_are_missing_leave_the_rest(real):
    made, seen, whole = real
    result = made.analyse({"large": seen["large"]})
    assert result.table("networks")["network"].tolist() == ["large"]
    pd.testing.assert_frame_equal(
        result.table("networks"), whole.table("networks").iloc[1:].reset_index(drop=True), check_dtype=False
    )
    assert result.claim("time_exact").note == "Not measured: small."
    assert "SZ001" in [finding.code for finding in result.findings]
    nothing = made.analyse({})
    assert nothing.summary[0].startswith("Of no network could the rates be measured.")


def test_a_network_that_diverged_is_the_worst_of_its_kind():
    seen = known()
    lost = gone(seen, 1, 10, "diverged")
    result = answered(Trajectory.of(**parts(lost) | {"measured": {"hidden.0": lost_from(seen, 1, 10)}}))
    made = result.table("forecasts")
    assert np.isinf(made.loc[made["seed"] == 1, "measured_learned"]).all()
    assert row_of(result)["networks"] == 3
    assert "SZ002" in [finding.code for finding in result.findings]
    for figure in result.figures:
        assert figure.svg().startswith("<svg")


def lost_from(seen, network, first):
    found = {name: values.copy() for name, values in seen.measured("hidden.0").items()}
    for values in found.values():
        values[network, first:] = np.nan
    return found


def test_a_network_of_which_nothing_was_measured_is_foretold_nothing():
    seen = known()
    made = answered(Trajectory.of(**parts(seen) | {"measured": {"hidden.0": lost_from(seen, 0, 0)}})).table("forecasts")
    assert made.loc[made["seed"] == 0, ["final_h2", "learned"]].isna().all(axis=None)
    assert np.isfinite(made.loc[(made["seed"] == 1) & (made["forecast"] == "exact"), "final_h2"]).all()


def test_one_network_decides_and_draws_too():
    result = answered(known(seeds=1), seeds="0")
    assert row_of(result)["networks"] == 1
    for figure in result.figures:
        assert figure.svg().startswith("<svg")


# What is asked


def test_every_training_is_that_of_two_points_and_measured():
    asked = {"networks": ["two_layer"], "seeds": "0..2"}
    ours, theirs = (study({"study": name} | asked).jobs()["two_layer"] for name in ("forecast", "two-points"))
    assert replace(ours, measure=None) == theirs
    assert str(ours.measure) == "log 12"
    assert ours.asked() == theirs.asked() | {"measure": "log 12"}


def test_by_default_small_networks_of_many_kinds_are_asked():
    names = [network.name for network in study({"study": "forecast"}).networks]
    assert names == ["two_layer", "shallow", "linear_200", "tanh_200", "default_200", "gain_1.3_200"]
    assert setting("shallow") in study({"study": "forecast"}).networks


def test_the_specification_of_the_whole_catalogue_is_kept():
    asked = read_study(Path(__file__).parents[1] / "studies" / "forecast.toml")
    assert asked["study"] == "forecast"
    assert len(study(asked).jobs()) == len(asked["networks"]) > 15


def test_every_claim_has_a_bound_and_a_source():
    for expectation in EXPECTATIONS:
        assert np.isfinite(expectation.high)
        assert expectation.sample == "no fit"
        assert expectation.source in ("derived", "abstract")
