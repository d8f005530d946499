"""The study of perfect fitting: known answers, a small real run, any recorded run, and what cannot be asked."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from syzygy.course import agreement, probed
from syzygy.errors import DataError, ShapeError, SpecificationError, UnknownName
from syzygy.measures import cka, procrustes
from syzygy.networks import setting
from syzygy.store import MemoryStore
from syzygy.studies import study
from syzygy.studies.claims.perfect_fitting import EXPECTATIONS, half_ways, left, measured, peaks, way
from syzygy.studies.tables.fitted import at_fit, by_setting, fits, summary
from syzygy.studies.tables.fitting import REGIONS, Fitting
from syzygy.studies.tables.watching import Watched
from syzygy.tasks import digits, fitted, two_points
from syzygy.training import gathered, train, train_zoo
from syzygy.trajectory import Trajectory

STEPS = np.array([0, 1, 3, 9, 27, 81])
NETWORK = {"like": "shallow", "width": 12, "gain": 0.7, "activation": "relu", "layer": "hidden.0"}
OWN = {
    "study": "perfect-fitting",
    "networks": [NETWORK | {"name": "one", "learning_rate": 2.0, "steps": 40}],
    "seeds": "0,1",
    "noises": [0.0],
    "learned": 40,
    "per_class": 2,
    "planes": 3,
    "side": 4,
    "batch_size": 20,
    "draws": 5,
    "measures": ["cka"],
    "record": "log 5",
}


def draw(*seed):
    return np.random.default_rng(seed)


def invented(layers=3, seeds=2, right=(0.1, 0.5, 0.8, 0.9, 1.0, 1.0), fates=None, classes=4):
    """Networks whose layers go from one random representation to another, the deeper the further."""
    task, items = draw(1), 60
    labels = np.arange(items) % classes
    outputs = np.zeros((seeds, len(STEPS), items, classes))
    for step, share in enumerate(right):
        order = draw(2, step).permutation(items)
        said = np.where(order < round(share * items), labels, (labels + 1) % classes)
        outputs[:, step] = np.eye(classes)[said]
    share = np.linspace(0, 1, len(STEPS))[:, None, None]
    first, last = task.normal(size=(2, seeds, 1, items, 6))
    far = {f"hidden.{n}": (1 - share) * first + share * (first + 2 * (n + 1) * last) for n in range(layers)}
    return Trajectory.of(
        steps=STEPS,
        loss=np.linspace(1, 0, len(STEPS))[None].repeat(seeds, 0),
        outputs=outputs,
        representations=far,
        inputs=task.normal(size=(items, 5)),
        targets=np.eye(classes)[labels],
        items=[f"{label} #{n}" for n, label in enumerate(labels)],
        seeds=range(seeds),
        fates=fates,
    )


@pytest.fixture(scope="module")
def seen():
    return invented()


@pytest.fixture(scope="module")
def found(seen):
    return Fitting.of(seen, measures=("cka", "procrustes"), draws=10, name="net")


@pytest.fixture(scope="module")
def real():
    made, store = study(OWN), MemoryStore()
    jobs = made.jobs()
    list(train_zoo([part for job in jobs.values() for part in job.parts()], store))
    there = {name: gathered(job, store) for name, job in jobs.items()}
    return made, there, made.analyse(there)


# Any recorded run


def test_every_step_is_compared_with_every_other_as_the_measures_say(seen, found):
    maps = found.maps[(found.maps["seed"] == 1) & (found.maps["layer"] == "hidden.2")]
    values = seen.representation("hidden.2")[1]
    for name, function in (("cka", cka), ("procrustes", procrustes)):
        matrix = maps[maps["measure"] == name].pivot(index="step", columns="other", values="score")
        assert matrix.index.tolist() == STEPS.tolist()
        np.testing.assert_allclose(matrix.loc[3, 27], function(values[2], values[4]), atol=1e-5)
        np.testing.assert_allclose(matrix, matrix.T, atol=1e-6)
        np.testing.assert_allclose(np.diag(matrix), 1.0 if name == "cka" else 0.0, atol=1e-3)


def test_decision_regions_are_those_of_probes_on_planes():
    """Recorded points of planes, and everything else by hand."""
    seen = invented()
    planes = np.arange(40, 60).reshape(4, 5)
    which = Watched.of(seen, learned=range(30), held_out=range(30, 40), planes=planes)
    maps = Fitting.of(seen, which, draws=4).maps
    own = maps[(maps["measure"] == REGIONS) & (maps["seed"] == 0) & (maps["layer"] == "hidden.1")]
    values = seen.representation("hidden.1")[0]
    said = probed(values[:, :30], np.arange(30) % 4, values[:, 40:], 4).argmax(-1).reshape(6, 4, 5)
    alike = agreement(said)
    np.testing.assert_allclose(own["score"], alike.mean(0).ravel())
    np.testing.assert_allclose(own["error"], (alike.std(0, ddof=1) / 2).ravel())
    assert (own.loc[own["step"] == own["other"], "score"] == 1).all()


def test_without_recorded_planes_they_go_through_what_was_recorded(seen, found):
    which = Watched.of(seen, count=20, side=10)
    assert which.planes.shape == (20, 3)
    assert which.weights.shape == (20, 100, 3)
    said = which.decisions(seen.representation("hidden.0")[0], 0.01)
    assert said.shape == (6, 20, 100)
    own = found.maps[(found.maps["measure"] == REGIONS) & (found.maps["seed"] == 0)]
    own = own[own["layer"] == "hidden.0"].pivot(index="step", columns="other", values="score")
    np.testing.assert_allclose(own, agreement(said).mean(0))


def test_curves_count_what_is_classified_as_labelled(found):
    curve = found.curves[found.curves["seed"] == 0]
    np.testing.assert_allclose(curve["train"], [0.1, 0.5, 0.8, 0.9, 1, 1], atol=0.01)
    np.testing.assert_array_equal(curve["test"], curve["train"])  # nobody said what was held out
    assert curve["perfect_fit"].tolist() == [False] * 4 + [True] * 2
    assert curve["by_lot"].isna().all()


def test_labels_may_be_given(seen):
    other = (np.arange(60) + 1) % 4
    curve = Fitting.of(seen, Watched.of(seen, labels=other), draws=4).curves
    assert curve["train"].iloc[-1] == 0


def test_networks_that_diverged_are_left_out_and_what_they_no_longer_saw():
    lost = Fitting.of(invented(fates=["diverged", "trained"]), draws=4)
    assert set(lost.maps["seed"]) == set(lost.curves["seed"]) == {1}
    with pytest.raises(DataError, match="every network of net diverged; lower the learning rate"):
        Fitting.of(invented(fates=["diverged"] * 2), name="net")
    stopped = invented()
    stopped.tree["loss"].values[1, 4:] = np.nan
    assert Fitting.of(stopped, draws=4).maps.groupby("seed")["step"].max().tolist() == [81, 9]


def test_a_layer_that_is_constant_at_a_step_is_said_and_the_others_stay():
    seen = invented()
    seen.tree["layers"]["hidden.1"]["representation"].values[0, 2] = 1.0
    found = Fitting.of(seen, draws=4)
    assert found.left_out == (
        "network, seed 0, hidden.1: at step 2 all items have the same representation; no probe can tell them",
    )
    own = found.maps[(found.maps["seed"] == 0) & (found.maps["layer"] == "hidden.1")]
    assert set(own["measure"]) == {"cka"}
    assert own[(own["step"] == 3) & (own["other"] == 9)]["score"].isna().all()
    rows = found.phases[(found.phases["seed"] == 0) & (found.phases["layer"] == "hidden.1")]
    assert rows["phases"].isna().all()


def test_runs_that_cannot_be_analysed(seen):
    line = train(two_points(), setting(NETWORK | {"name": "x", "learning_rate": 0.1, "steps": 2}))
    with pytest.raises(SpecificationError, match="the targets of this run are no labels; give labels="):
        Fitting.of(line)
    one_step = Trajectory(seen.tree.isel(step=[0]))
    with pytest.raises(ShapeError, match="need 2 recorded steps; got 1"):
        Fitting.of(one_step, draws=4)
    with pytest.raises(ShapeError, match="labels must be one per item, 60"):
        Watched.of(seen, labels=[0, 1])
    with pytest.raises(DataError, match="labels lie between 0 and 3, an output each; got 0 to 4"):
        Watched.of(seen, labels=np.arange(60) % 5)
    with pytest.raises(DataError, match="held_out must be places of the 60 recorded items"):
        Watched.of(seen, held_out=[60])
    with pytest.raises(DataError, match="learned must be places"):
        Watched.of(seen, learned=[])
    with pytest.raises(SpecificationError, match="got 2 items, count = 20, side = 10"):
        Watched.of(seen, held_out=[0, 1])
    for few in ({"count": 0}, {"side": 1}):
        with pytest.raises(SpecificationError, match="planes go through three items"):
            Watched.of(seen, **few)
    same = invented()
    same.tree["inputs"].values[:] = 1.0
    with pytest.raises(DataError, match="lie on one line; choose another seed, or give planes"):
        Watched.of(same)
    with pytest.raises(UnknownName, match="unknown measure 'ckaa'"):
        Fitting.of(seen, measures=["ckaa"])
    few = Watched.of(seen, learned=[0, 1, 2, 4, 5, 6, 8])
    lines = Fitting.of(seen, few, draws=4).left_out
    assert all("labels do not cover the classes: none of 7 items is of class 3; watch more" in line for line in lines)


# Phases


def test_a_layer_that_jumps_has_two_phases_where_it_jumps():
    seen = invented(layers=1, seeds=1)
    values = draw(5).normal(size=(2, 60, 6))
    seen.tree["layers"]["hidden.0"]["representation"].values[0] = values[[0, 0, 0, 1, 1, 1]]
    (row,) = Fitting.of(seen, draws=20).phases.to_dict("records")
    assert (row["start"], row["low"], row["high"], row["phases"]) == (9, 3, 9, 2)
    assert row["explained"] == pytest.approx(1)


def test_a_layer_that_stays_has_one_phase_and_a_row_without_a_start():
    seen = invented(layers=1, seeds=1)
    seen.tree["layers"]["hidden.0"]["representation"].values[:] = draw(6).normal(size=(60, 6))
    (row,) = Fitting.of(seen, draws=4).phases.to_dict("records")
    assert row["phases"] == 1
    assert "start" not in row


# Claims


def ends(scores, fit=4, measure="cka", layer="hidden.0", depth=1.0, seed=0):
    return pd.DataFrame({
        "network": "net", "seed": seed, "layer": layer, "depth": depth, "measure": measure, "step": STEPS,
        "score": scores, "perfect_fit": np.arange(len(STEPS)) >= fit,
    })  # fmt: skip


def test_what_is_left_at_perfect_fit_is_a_share_of_the_way():
    some = pd.concat([ends([0.2, 0.3, 0.4, 0.5, 0.8, 1.0]), ends([0.6, 0.6, 0.7, 0.7, 0.9, 1.0], layer="hidden.1")])
    np.testing.assert_allclose(left(some, "cka"), [0.25, 0.25])
    assert left(ends([0.2, 0.3, 0.4, 0.5, 0.8, 1.0], fit=6), "cka").isna().all()
    assert left(ends([0.2, 0.3, 0.4, 0.5, 0.8, 1.0], fit=5), "cka").isna().all()  # at the end nothing can be left


def test_half_way_is_found_between_records_and_counts_the_last_time():
    value = half_ways(ends([0.0, 0.8, 0.4, 0.4, 0.6, 1.0])).iloc[0]
    assert value == pytest.approx((np.log10(10) + np.log10(28)) / 2)
    assert half_ways(ends([1.0] * 6)).empty


def test_peaks_are_before_perfect_fit():
    curve = pd.DataFrame({"network": "n", "seed": 0, "step": STEPS, "train": 1.0,
                          "test": [0.1, 0.9, 0.8, 0.7, 0.6, 0.95], "perfect_fit": STEPS >= 27})  # fmt: skip
    (row,) = peaks(curve).to_dict("records")
    assert (row["peak_step"], row["fit_step"], row["end"]) == (1, 27, 0.95)
    assert row["fall"] == pytest.approx(0.3)
    (never,) = peaks(curve.assign(perfect_fit=False)).to_dict("records")
    assert np.isnan(never["fall"])


def test_claims_on_what_is_known(found):
    named = setting(NETWORK | {"name": "net", "learning_rate": 1.0})
    told = measured({"net": found}, [named])
    assert set(told) == {one.name for one in EXPECTATIONS}
    assert told["deeper_moves_further"] == {"net": pytest.approx(-1)}
    assert set(told["dip_under_sgd"]) == {"net"}
    ways = way(found)
    first = ways[(ways["measure"] == "cka") & (ways["depth"] == 1)].groupby("seed")["score"]
    assert told["dip_under_sgd"]["net"] == pytest.approx((first.first() - first.min()).mean())
    assert told["cka_saturates"]["net"] == pytest.approx(left(ways, "cka").mean())
    assert told["regions_still_move"]["net"] == pytest.approx((left(ways, REGIONS) - left(ways, "cka")).mean())
    assert told["sgd_phases_clearer"] == told["transformer_in_step"] == {}
    assert measured({"net": found}, [])["peak_before_fit"] == {}


def test_optimisers_and_types_are_paired(found):
    one = setting(NETWORK | {"name": "a", "learning_rate": 1.0})
    adam = one.model_copy(update={"name": "b", "optimiser": "adam"})
    wide = adam.model_copy(update={"name": "c", "width": 99})
    res, tra = (one.model_copy(update={"name": kind, "type": kind}) for kind in ("residual", "transformer"))
    every = [one, adam, wide, res, tra]
    some = {each.name: found for each in every}
    clearer = replace(found, phases=found.phases.assign(three=found.phases["three"] - 0.25))
    told = measured(some | {"b": clearer}, every)
    assert told["sgd_phases_clearer"] == {"a – b": pytest.approx(0.25)}
    assert told["transformer_in_step"] == {"residual – transformer": 0.0}
    assert told["transformer_phases_clearer"] == {"transformer – residual": 0.0}


# Tables


def test_tables_are_means_over_seeds(found):
    (row,) = fits({"net": found}).to_dict("records")
    assert (row["fitted"], row["seeds"], row["fit_step"]) == (2, 2, 27)
    assert row["at_fit"] == 1
    assert not row["twice"]
    ways = way(found)
    table = at_fit(ways)
    last = table[(table["measure"] == "cka") & (table["depth"] == 1)].iloc[0]
    own = ways[(ways["measure"] == "cka") & (ways["depth"] == 1)]
    assert last["untrained"] == pytest.approx(own.groupby("seed")["score"].first().mean())
    assert last["left"] == pytest.approx(left(own, "cka").mean(), rel=1e-3)
    apart = table[(table["measure"] != "cka") & (table["measure"] != "decision_regions")]
    for _, row in apart.iterrows():  # 0 at the end, where a distance is shortest
        course = ways[(ways["measure"] == row["measure"]) & (ways["layer"] == row["layer"])].groupby("seed")["score"]
        end = course.last()
        further = course.max() if (course.max() - end).mean() > 0 else course.min()
        assert row["furthest"] == pytest.approx(further.mean())
    (phases,) = by_setting(found.phases, ways).to_dict("records")
    assert phases["three"] == pytest.approx(found.phases.groupby(["seed", "layer"])["three"].first().mean())
    said = summary({"net": found}, ways, fits({"net": found}))
    assert said[0] == "1 of 1 settings fit every label in all their seeds."
    assert said[-1].endswith("the test error descends twice in none of the settings.")


def test_a_second_descent_is_said():
    shares = (0.1, 0.95, 0.4, 0.5, 0.6, 1.0)
    one = Fitting.of(invented(right=shares), draws=4)
    assert one.descent.twice
    table = fits({"net": one})
    assert (table["from"][0], table["through"][0], table["to"][0]) == (1, 3, 81)
    assert "descends twice in net, and in no other setting." in summary({"net": one}, way(one), table)[-1]


# A small real run


def test_a_run_is_answered_with_everything(real):
    made, there, result = real
    assert [table.name for table in result.tables] == ["fits", "to_the_end", "phases", "layers"]
    assert [figure.name for figure in result.figures] == [
        "accuracy", "to-the-end", "map-cka", "map-decision_regions", "phases"]  # fmt: skip
    assert set(result.table("fits")["network"]) == {"one", "one_noise_0"}
    curves = result.figures[0].frame
    assert curves.loc[curves["network"] == "one_noise_0", "by_lot"].isna().all()
    assert curves.loc[curves["network"] == "one", "by_lot"].notna().all()
    task = fitted(**made.jobs()["one"].options)
    np.testing.assert_array_equal(there["one"].targets, task.probe_targets)
    own = curves[(curves["network"] == "one") & (curves["seed"] == 0)]
    outputs = there["one"].outputs[0].argmax(-1)
    np.testing.assert_allclose(own["train"], (outputs[:, :40] == task.learned_targets.argmax(-1)).mean(-1))
    np.testing.assert_allclose(own["test"], (outputs[:, 40:60] == np.repeat(np.arange(10), 2)).mean(-1))
    assert {claim.expectation.name for claim in result.claims} == {one.name for one in EXPECTATIONS}
    assert result.claim("dip_under_sgd").cases.keys() == {"one"}
    json.loads(result.to_json())
    assert all(figure.svg().startswith("<svg") for figure in result.figures)


def test_nothing_trained_yet(real):
    made, there, _ = real
    assert made.analyse({}).summary == ("No network has been trained: there is nothing to analyse.",)
    part = made.analyse({"one": there["one"]})
    assert part.findings[0].details == ("one_noise_0: 2 of 2 networks are missing (seeds 0, 1)",)


def test_a_transformer_is_watched_by_the_mean_of_its_tokens_and_convolutions_whole():
    jobs = study(OWN | {"networks": [{"like": "transformer", "name": "t"}, {"like": "cnn", "name": "c", "depth": 1}]})
    assert jobs.jobs()["t"].layers == ("mean(hidden.0)", "mean(hidden.1)", "mean(hidden.2)")
    assert jobs.jobs()["c"].layers == ("hidden.0", "hidden.1", "hidden.2")  # a linear map, two convolutions
    assert jobs.jobs()["t_noise_0"].options["label_noise"] == 0


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"noises": [0.1, 0.1]}, "noises must differ"),
        ({"networks": ["tanh", "tanh"]}, "networks must have different names"),
        ({"measures": ["cka", "cka"]}, "measures must differ"),
        ({"measures": ["cka", "linear_predictivity"]}, "symmetric; linear_predictivity"),
        ({"measures": ["procrustes"]}, "the claims are about cka; give it too, besides procrustes"),
        ({"measures": ["nothing"]}, "unknown measure 'nothing'"),
    ],
)
def test_what_cannot_be_trained(wrong, says):
    with pytest.raises(SpecificationError, match=says):
        study(OWN | wrong).jobs()


@pytest.mark.parametrize("wrong", [{"label_noise": 1.2}, {"noises": [-0.1]}, {"draws": 1}, {"side": 1}, {"penalty": 0}])
def test_what_cannot_be_asked(wrong):
    with pytest.raises(SpecificationError, match=next(iter(wrong))):
        study(OWN | wrong)


def test_digits_of_another_run_need_nothing_but_the_run():
    seen = train(digits(per_class=4), "shallow", steps=3, learning_rate=0.1)
    found = Fitting.of(seen, draws=4)
    assert set(found.maps["measure"]) == {"cka", REGIONS}
    assert found.left_out == ()
