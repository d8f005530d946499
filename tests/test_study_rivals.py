"""The study of rivals, on networks that follow the paper's equations, one of the changed ones, or learn for real."""

from functools import partial

import numpy as np
import pytest

from synthetic import gone, pair
from syzygy.checks import Evidence
from syzygy.errors import SpecificationError
from syzygy.fitting import fit_pairs, pair_curves
from syzygy.studies import study
from syzygy.studies.rivals import MEASURED
from syzygy.studies.tables import rivals
from syzygy.studies.tables.rivals import QUANTITIES, sharing_of
from syzygy.tasks import two_points
from syzygy.theory import ALTERNATIVES, PairState, PairTheory, integrate
from syzygy.training import train
from syzygy.trajectory import Trajectory

STEPS = np.arange(0, 3001, 25)
RATES = [(7e-4, 0.035), (8e-4, 0.04), (7.5e-4, 0.045)]
ASKED = {"study": "rivals", "networks": "default", "seeds": "0..2", "replicates": 20}


def analysed(trajectory, **changes):
    return study(ASKED | changes).analyse({"default": trajectory})


@pytest.fixture
def only_paper(monkeypatch):
    """Leave out the models that are integrated: what is tested is not which one wins."""
    monkeypatch.setattr(rivals, "compare_models", partial(rivals.compare_models, models=("paper", "y2_doubled")))


def noisy(trajectory, size):
    """The same with white noise on what is measured, a share of each curve's largest value."""
    source = np.random.default_rng(0)
    hidden, outputs = trajectory.representation("hidden.10").copy(), trajectory.outputs.copy()
    for values in (hidden, outputs):
        values[:, 1:, 1] += size * values.max() * source.normal(size=values[:, 1:, 1].shape)
    return Trajectory.of(
        steps=trajectory.steps,
        loss=trajectory.loss,
        outputs=outputs,
        representations={"hidden.10": hidden},
        inputs=trajectory.inputs,
        targets=trajectory.targets,
        items=trajectory.items,
        seeds=trajectory.seeds,
    )


@pytest.fixture(scope="module")
def trajectory():
    return noisy(pair(RATES, [1e-3, 9e-4, 1.1e-3], steps=STEPS), 3e-3)


@pytest.fixture(scope="module")
def result(trajectory):
    return analysed(trajectory)


def test_the_papers_equations_win_where_networks_follow_them(result):
    ranking = result.table("ranking").set_index("model")
    changed = [name for name in ALTERNATIVES if name != "theory"]
    assert (ranking.loc[changed, "over_paper"] > 1).all()
    assert (ranking.loc[changed, "wins_held_out"] == 0).all()
    assert result.claim("changed_lose").verdict == "holds"
    assert (ranking["failed"] == 0).all()


def test_every_model_is_scored_on_every_network(result):
    models = result.table("models")
    assert models.groupby("model")["seed"].apply(sorted).map(tuple).unique().tolist() == [(0, 1, 2)]
    assert set(models["model"]) == {"paper", "exact", "depth", *ALTERNATIVES} - {"theory"}
    paper = models[models["model"] == "paper"]
    np.testing.assert_allclose(paper["over_paper"], 1.0)
    np.testing.assert_allclose(paper["eta_h"], np.array(RATES)[:, 0], rtol=0.1)
    np.testing.assert_allclose(paper["eta_y"], np.array(RATES)[:, 1], rtol=0.1)


def test_models_are_fitted_up_to_the_cut_and_scored_until_learned(trajectory, only_paper):
    models = analysed(trajectory, cut=0.3, learned=1e-3).table("models")
    curves = pair_curves(trajectory)
    for seed in range(3):
        row = models[(models["seed"] == seed) & (models["model"] == "paper")].iloc[0]
        assert row["fitted_until"] == STEPS[np.argmax(curves.y2[seed, 0] >= 0.3 * 0.5)]
        assert row["until"] == STEPS[np.argmax(trajectory.loss[seed] <= 1e-3)]


def test_intervals_hold_the_fit_and_the_ratio_is_of_the_rates(result, trajectory):
    fit = fit_pairs(pair_curves(trajectory))
    intervals = result.table("intervals")
    assert intervals["quantity"].unique().tolist() == list(QUANTITIES)
    for kind in ("profile", "bootstrap"):
        assert (intervals[f"{kind}_low"] < intervals["value"]).all()
        assert (intervals[f"{kind}_high"] > intervals["value"]).all()
    ratio = intervals[intervals["quantity"] == "ratio"]["value"]
    np.testing.assert_allclose(ratio, (fit.eta_h.value / fit.eta_y.value)[:, 0])
    assert intervals["curvature_low"].notna().sum() == 6
    assert result.claim("identified").verdict == "holds"


def test_seeds_share_rates_only_if_they_do(result):
    same = noisy(pair([RATES[0]] * 3, [1e-3, 9e-4, 1.1e-3], steps=STEPS), 3e-3)
    row = sharing_of(Evidence("default", same, fit_pairs(pair_curves(same)), (0, 1, 2)))
    assert row["p"] > 0.05
    assert row["eta_h_low"] < RATES[0][0] < row["eta_h_high"]
    assert result.claim("shared").verdict == "not reproduced"  # rates 15% and 30% apart


def test_a_changed_equation_wins_where_networks_follow_it():
    task, dy2, name = two_points(), 0.5, "h2_doubled"
    hidden, outputs = np.zeros((1, len(STEPS), 2, 1)), np.zeros((1, len(STEPS), 2, 2))
    for network, one in enumerate(RATES[:1]):
        state = integrate(ALTERNATIVES[name], PairTheory(*one, 1.0, dy2), PairState(1e-3, 0.0, 0.0), STEPS)
        hidden[network, :, 1, 0] = np.sqrt(state.h2)
        along = (state.y2 - state.w) / np.sqrt(dy2)
        outputs[network, :, 1] = np.stack([along, np.sqrt(np.maximum(state.y2 - along**2, 0))], axis=-1)
    targets = np.concatenate([task.targets - task.targets[0], np.zeros((2, 1))], axis=1)
    followed = Trajectory.of(
        steps=STEPS,
        loss=0.25 * np.square(outputs - targets).sum((2, 3)),
        outputs=outputs,
        representations={"hidden.10": hidden},
        inputs=task.inputs,
        targets=targets,
        items=("A", "B"),
        seeds=range(1),
    )
    result = analysed(followed, output_dim=2, seeds="0")
    ranking = result.table("ranking").set_index("model")
    assert ranking.loc[name, "wins_held_out"] == 1
    assert "exact" not in ranking.index  # two outputs, and no Jacobian was measured
    claim = result.claim("changed_lose")
    assert claim.verdict == "not reproduced"
    assert not np.isfinite(result.claim("exact_wins").value)


def test_networks_that_never_get_to_the_cut_are_left_out(trajectory, only_paper):
    few = gone(trajectory, 1, 6, "diverged")
    assert set(analysed(few).table("models")["seed"]) == {0, 2}
    nothing = trajectory
    for network in range(3):
        nothing = gone(nothing, network, 6, "diverged")
    told = analysed(nothing)
    assert told.summary[0] == "No network got far enough for any model to be fitted and scored."
    assert all(claim.verdict == "undecided" for claim in told.claims)


def test_figures_have_their_numbers_and_can_be_drawn(result):
    models, profiles = result.figures
    assert (models.name, profiles.name) == ("models", "profiles")
    for figure in result.figures:
        assert figure.svg().startswith("<svg")
    at_best = profiles.frame.loc[profiles.frame.groupby(["seed", "quantity"])["fall"].idxmin()]
    np.testing.assert_allclose(at_best["share"], 1.0)


def test_the_decoders_jacobian_is_measured_before_training():
    jobs = study(ASKED).jobs()
    assert all(job.measure == MEASURED for job in jobs.values())
    assert MEASURED.at(1000)[0] == 0


def test_a_real_network_has_every_model_from_its_measured_start():
    small = {"like": "shallow", "name": "small", "width": 30}
    asked = study(ASKED | {"networks": small, "seeds": "0", "learned": 1e-3, "steps": 3000})
    (job,) = asked.jobs().values()
    seen = train(two_points(), job.network, seeds=job.seeds, record=job.record, measure=job.measure)
    result = asked.analyse({"small": seen})
    models = result.table("models").set_index("model")
    assert np.isfinite(models.loc[["paper", "exact", "depth"], "held_out"]).all()
    assert np.isnan(models.loc["exact", "excess"])  # known from the Jacobian, not fitted


@pytest.mark.parametrize(
    ("key", "value"), [("cut", 1.0), ("cut", 0.0), ("learned", 0.0), ("replicates", 19), ("dy2", 0)]
)
def test_values_out_of_range_are_refused(key, value):
    with pytest.raises(SpecificationError, match=key):
        study(ASKED | {key: value})
