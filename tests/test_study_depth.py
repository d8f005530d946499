"""The study of depth, on layers whose rates and whose noise are known."""

import json
import os

import numpy as np
import pytest

from synthetic import pair
from syzygy.networks import catalogue
from syzygy.published import chance, published
from syzygy.store import MemoryStore
from syzygy.studies import study
from syzygy.training import gathered, train_zoo
from syzygy.trajectory import Trajectory

OWN = {"study": "depth", "seeds": "0..2"}
RATES, START = [(7e-4, 0.035), (8e-4, 0.036), (7.5e-4, 0.04)], 1e-3
#: Stretching ‖dh‖² by c makes eta_h c times as large and eta_y 1/c times, and changes nothing else.
STRETCH = np.geomspace(0.3, 30, 20)
STRETCH[:11] = np.linspace(10, 1, 11)


def layered(noise, rates=RATES, stretch=STRETCH, seeds=None, steps=None):
    """Networks of many layers that follow the theory, each with a share of noise in ‖dh‖² after the start."""
    one = pair(rates, [START] * len(rates), seeds=seeds, steps=np.arange(0, 6001, 50) if steps is None else steps)
    hidden = one.representation("hidden.10")
    random, layers = np.random.default_rng(0), {}
    for index, (factor, share) in enumerate(zip(stretch, noise, strict=True)):
        wobble = 1 + share * random.normal(size=hidden.shape[:2])
        wobble[:, 0] = 1
        layers[f"hidden.{index}"] = hidden * np.sqrt(factor * np.maximum(wobble, 0))[..., None, None]
    return Trajectory.of(
        steps=one.steps,
        loss=one.loss,
        outputs=one.outputs,
        representations=layers,
        inputs=one.inputs,
        targets=one.targets,
        items=one.items,
        seeds=one.seeds,
        fates=one.fates,
    )


def analysed(trajectory, **changes):
    return study(OWN | changes).analyse({"default": trajectory})


@pytest.fixture(scope="module")
def result():
    noise = np.full(20, 0.02)
    noise[[0, 12]] = 0.3, 0.0
    return analysed(layered(noise))


def test_every_hidden_layer_is_watched_in_one_training():
    (job,) = study(OWN).jobs().values()
    assert job.layers == tuple(f"hidden.{index}" for index in range(20))
    assert (job.network.steps, job.network.learning_rate) == (3000, 0.01)
    (job,) = study(OWN | {"settings": "notebook", "networks": "shallow"}).jobs().values()
    assert job.layers == ("hidden.0", "hidden.1")
    assert job.network.steps == 6000


def test_rates_of_every_layer_are_found(result):
    fits = result.table("fits")
    assert len(fits) == 60
    quiet = fits[fits["layer"] == "hidden.12"]
    for index, name in enumerate(("eta_h", "eta_y")):
        factor = STRETCH[12] if name == "eta_h" else 1 / STRETCH[12]
        np.testing.assert_allclose(quiet[name], [one[index] * factor for one in RATES], rtol=1e-4)
    for layer, rows in fits.groupby("layer", sort=False):
        factor = STRETCH[int(layer.split(".")[1])]
        np.testing.assert_allclose(rows["eta_h"] / rows["eta_y"], [h / y * factor**2 for h, y in RATES], rtol=0.1)
        assert np.all(rows["eta_h_low"] <= rows["eta_h"])
        assert np.all(rows["eta_h_high"] >= rows["eta_h"])


def test_the_quiet_layer_is_the_best_and_the_noisy_one_the_worst(result):
    assert set(result.claim("best_layer").cases.values()) == {12.0}
    assert result.claim("best_layer").verdict == "holds"
    assert min(result.claim("first_over_best").cases.values()) > 1e4
    layers = result.table("layers").set_index("layer")
    assert layers["r2"].idxmax() == "hidden.12"
    assert layers["r2"].idxmin() == "hidden.0"
    assert "least at hidden.12" in result.summary[0]


def test_growth_and_peak_are_those_of_the_layers(result):
    growth = np.array(list(result.claim("eta_h_growth").cases.values()))
    np.testing.assert_allclose(growth, STRETCH[-1] / STRETCH[0], rtol=0.1)
    assert result.claim("eta_h_growth").verdict == "not reproduced"
    assert set(result.claim("eta_y_peak").cases.values()) == {float(np.argmin(STRETCH))}


def test_objectives_are_sums_over_every_step():
    """Of residuals as they are, as if every step had been recorded: recording half as often changes little."""
    noise = np.full(3, 0.1)
    fine, coarse = (
        analysed(layered(noise, stretch=np.ones(3), steps=np.arange(0, 6001, spacing)), networks="narrow")
        for spacing in (10, 20)
    )
    rows = fine.table("fits")
    assert rows["objective"].median() == pytest.approx(coarse.table("fits")["objective"].median(), rel=0.3)
    # The noise is a tenth of ‖dh‖² itself, which stays at its end: .1·.07 or so, squared, for some 5000 steps.
    end = rows["last_h2"].median()
    assert rows["objective"].median() == pytest.approx((0.1 * end) ** 2 * 4500, rel=0.3)


def test_the_same_rates_elsewhere_predict_as_well_as_own():
    result = analysed(layered(np.zeros(20), rates=[RATES[0]] * 3))
    same = result.table("fits")
    assert same["objective_elsewhere"].max() < 1e-5
    assert same[["r2_h2_elsewhere", "r2_y2_elsewhere"]].to_numpy().min() > 0.999
    np.testing.assert_allclose(same["final_h2_elsewhere"], same["final_h2"], rtol=1e-4)
    assert result.claim("holds").verdict == "holds"


def test_other_rates_elsewhere_do_not(result):
    different = analysed(layered(np.zeros(20), rates=[RATES[0], (7e-5, 0.0035), (2e-4, 0.01)]))
    fits = different.table("fits")
    assert fits["r2_h2"].min() > 0.99
    assert different.claim("holds").verdict == "not reproduced"
    assert (fits["objective_elsewhere"] > 1e3 * fits["objective"]).all()
    assert result.claim("holds").expectation.sample == "out of sample"


def test_one_network_has_no_others():
    result = analysed(layered(np.zeros(20), rates=RATES[:1]), seeds="0")
    assert result.table("fits")["r2_h2_elsewhere"].isna().all()
    assert result.claim("best_layer_elsewhere").verdict == "not reproduced"
    assert result.claim("holds").verdict == "not reproduced"
    json.loads(result.to_json(), parse_constant=pytest.fail)


def test_claims_are_of_twenty_layers():
    small = catalogue()["default"].model_copy(update={"name": "small", "depth": 3, "layer": "hidden.1"})
    result = analysed(layered(np.zeros(3), stretch=STRETCH[:3]), networks=[small])
    assert {claim.verdict for claim in result.claims} == {"undecided"}
    assert len(result.table("layers")) == 3
    assert not [name for name in result.table("layers") if "published" in name]


def test_published_numbers_stand_beside_the_published_network_only(result):
    layers = result.table("layers").set_index("layer")
    assert layers.loc["hidden.7", "objective_published"] == published("depth", "objective")["hidden.7"]
    fits = result.table("fits").set_index("layer")
    expected = chance(published("depth", "eta_y")["hidden.7"], fits.loc["hidden.7", "eta_y"])
    assert result.claim("published").cases["eta_y at hidden.7"] == pytest.approx(expected)
    assert len(result.claim("published").cases) == 60
    other = analysed(layered(np.zeros(20)), dy2=0.4)
    assert other.claim("published").verdict == "undecided"


def test_a_network_that_diverged_is_left_out():
    whole = layered(np.zeros(20))
    lost = Trajectory.of(
        steps=whole.steps,
        loss=np.where(np.arange(3)[:, None] == 1, np.nan, whole.loss),
        outputs=np.where((np.arange(3) == 1)[:, None, None, None], np.nan, whole.outputs),
        representations={n: np.where((np.arange(3) == 1)[:, None, None, None], np.nan, whole.representation(n))
                         for n in whole.layers},
        inputs=whole.inputs,
        targets=whole.targets,
        items=whole.items,
        seeds=whole.seeds,
        fates=["trained", "diverged", "trained"],
    )  # fmt: skip
    result = analysed(lost)
    assert "SZ002" in [finding.code for finding in result.findings]
    for name in ("best_layer", "best_layer_elsewhere", "first_over_best", "first_over_best_elsewhere"):
        assert np.isnan(result.claim(name).cases["seed 1"])
    assert result.claim("best_layer").verdict != "holds"
    assert result.table("layers")["seeds"].tolist() == [2] * 20
    json.loads(result.to_json(), parse_constant=pytest.fail)


def test_nothing_trained_yet():
    result = study(OWN).analyse({})
    assert result.summary == ("Nothing has been trained yet.",)
    assert {claim.verdict for claim in result.claims} == {"undecided"}


def test_a_small_real_run_can_be_drawn():
    small = {"like": "default", "name": "small", "width": 20, "depth": 3, "layer": "hidden.1"}
    made, store = study(OWN | {"networks": small, "steps": 200, "record": "every 20"}), MemoryStore()
    jobs = made.jobs()
    list(train_zoo([part for job in jobs.values() for part in job.parts()], store))
    seen = {n: gathered(job, store) for n, job in jobs.items()}
    result = made.analyse(seen)
    assert seen["small"].layers == ("hidden.0", "hidden.1", "hidden.2")
    assert all(figure.svg().startswith("<svg") for figure in result.figures)


@pytest.mark.slow
def test_published_numbers_could_be_those_of_one_more_network():
    """Student's t with the scatter between our seeds; a chance of 0.001 in each of 60 comparisons."""
    full = bool(os.environ.get("SYZYGY_FULL"))
    made, store = study(OWN | ({"seeds": "0..2"} if full else {"seeds": "0,1", "stop_loss": 1e-8})), MemoryStore()
    jobs = made.jobs()
    list(train_zoo([part for job in jobs.values() for part in job.parts()], store))
    seen = {n: gathered(job, store) for n, job in jobs.items()}
    result = made.analyse(seen)
    assert result.claim("published").verdict == "holds"
    assert result.claim("best_layer").verdict == "holds"
    assert result.claim("eta_y_peak").verdict == "holds"
