"""The study of feature bias: known answers, a small real run, and what cannot be asked."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from syzygy.dimensions.features import FeatureVariance
from syzygy.errors import SpecificationError
from syzygy.report import write_report
from syzygy.store import MemoryStore
from syzygy.studies import study
from syzygy.studies.arms import ARMS, Arm
from syzygy.studies.claims.feature_bias import EXPECTATIONS, measured, summary
from syzygy.studies.tables.bias import COMPARED, MARGIN, at_the_end, similarity, where
from syzygy.studies.tables.biased import Biased, readout
from syzygy.tasks.bits import told
from syzygy.training import gathered, train_zoo
from syzygy.trajectory import Trajectory

QUICK = {"learning_rate": 0.01, "steps": 100}
OWN = {
    "study": "feature-bias",
    "network": {"like": "relu", "name": "small", "width": 12, "gain": 0.577, "layer": "hidden.1"},
    "arms": [
        {"name": "control", "hard": 1, "depth": 2, **QUICK},
        {"name": "easy_alone", "hard": 2, "learned": "easy", "depth": 2, **QUICK},
        {"name": "easy_first", "hard": 2, "first": "easy", "first_steps": 100, "depth": 2, **QUICK},
    ],
    "base": "easy_first",
    "slow": "control",
    "seeds": "0,1",
    "inputs": 6,
    "learned": 256,
    "probe": 60,
    "records": 3,
}  # fmt: skip


@pytest.fixture(scope="module")
def real():
    made, store = study(OWN), MemoryStore()
    jobs = made.jobs()
    list(train_zoo([part for job in jobs.values() for part in job.parts()], store))
    seen = {name: gathered(job, store) for name, job in jobs.items()}
    return made, seen, store, made.analyse(seen)


# A small real run


def test_shares_are_those_of_the_estimator_on_items_that_nobody_learned(real):
    _, seen, _, result = real
    one = seen["control"]
    labels = one.inputs[:, :2]
    np.testing.assert_array_equal(one.targets, labels)
    found = FeatureVariance().fit(one.representation("hidden.1")[:, -1][:, None], labels)
    table = result.table("seeds").query("arm == 'control'")
    np.testing.assert_allclose(table[["share_easy", "share_hard"]], found.shares_["representation"][:, :, 0].T)
    right = ((one.outputs[:, -1] > 0) == (labels > 0)).mean(axis=1)
    np.testing.assert_allclose(table[["accuracy_easy", "accuracy_hard"]], right)
    np.testing.assert_allclose(table["gap"], table["share_easy"] - table["share_hard"])


def test_what_is_learned_first_is_trained_once_and_kept(real):
    made, seen, store, _ = real
    jobs = made.jobs()
    alone, after = jobs["easy_alone"], jobs["easy_first"]
    assert after.start.asked() == alone.asked()
    assert store.weights(alone.asked()) is not None
    np.testing.assert_allclose(seen["easy_first"].outputs[:, 0], seen["easy_alone"].outputs[:, -1], atol=1e-6)
    new = study(OWN | {"readout": "new"}).jobs()["easy_first"]
    assert new.readout == "new"


def test_the_readout_is_that_of_the_network(real):
    _, seen, _, _ = real
    one = seen["control"]
    for place in range(2):
        h, y = one.seen("hidden.1", place, -1).astype(float), one.outputs[place, -1].astype(float)
        assert np.abs(readout(h, y)(h) - y).max() < 1e-4 * np.abs(y).max()


def test_every_claim_is_listed_and_what_is_not_learned_is_no_accuracy(real):
    _, _, _, result = real
    assert [claim.expectation for claim in result.claims] == list(EXPECTATIONS)
    map_ = result.table("map").set_index("arm")
    assert map_["verdict"]["easy_alone"] == "learned alone"
    assert np.isnan(map_["accuracy_hard"]["easy_alone"])
    assert map_["learned"].tolist() == ["both", "easy alone", "easy first"]
    assert (map_["accuracy_easy"] > 0.95).all()
    (one,) = (one for one in result.findings if one.code == "SZ024") if map_["accuracy_hard"].min() < 0.95 else (None,)
    assert one is None or all("told rightly" in line for line in one.details)


@pytest.mark.slow
def test_all_that_it_gives_can_be_written(real, tmp_path):
    _, _, _, result = real
    json.loads(result.to_json(), parse_constant=pytest.fail)
    page = write_report(replace(result, versions={}), tmp_path)
    assert page.read_text(encoding="utf-8").count("<svg") == len(result.figures) == 5


def test_less_than_was_asked(real):
    made, seen, _, _ = real
    assert made.analyse({}).summary == ("No network has been trained: there is nothing to measure.",)
    part = made.analyse({"easy_alone": seen["easy_alone"]})
    assert part.table("map")["verdict"].tolist() == ["learned alone"]
    json.loads(part.to_json(), parse_constant=pytest.fail)


# Known answers


def made_of(arm, sizes, seeds=(0, 1), right=(1.0, 1.0)):
    """A trajectory whose last layer holds the features in directions of these sizes, read without fault or by luck."""
    draw = np.random.default_rng(len(arm.name))
    x = draw.choice([-1.0, 1.0], size=(200, 8))
    labels = told(x, arm.easy, arm.hard)
    layers = {}
    for place, layer in enumerate(arm.layers):
        whole = [labels * size + 0.01 * draw.normal(size=(200, 2)) for size in sizes]
        layers[layer] = np.stack([np.stack([0.5 * one, one]) for one in whole]) * (1 + place)
    outputs = np.stack([np.stack([labels * np.sign(draw.random((200, 2)) - 1 + np.array(right))] * 2) for _ in seeds])
    return Trajectory.of(steps=[0, 9], loss=np.ones((len(seeds), 2)), outputs=outputs, representations=layers, inputs=x,
                         targets=labels, items=[str(index) for index in range(200)], seeds=seeds)  # fmt: skip


def all_of(**arms):
    """Measure arms: by name the arm's own options, and the sizes of its features by seed."""
    found = {}
    for name, (options, sizes, *right) in arms.items():
        arm = Arm(name=name, depth=options.pop("depth", 2), **options)
        found[name] = Biased.of(arm, made_of(arm, sizes, right=right[0] if right else (1.0, 1.0)), folds=5, seed=0)
    return found


@pytest.fixture(scope="module")
def known():
    return all_of(
        control=({"hard": 1}, [(1.05, 1), (1.05, 1)]),
        base=({}, [(2, 1), (2, 1)]),
        easier=({"hard": 2}, [(1, 1), (1, 2)]),
        slow=({"learning_rate": 1e-4}, [(3, 0.5), (4, 0.5)]),
        shallow=({"depth": 1}, [(1.2, 1), (1.2, 1)]),
        early=({"first": "easy", "first_steps": 5}, [(2, 1), (2, 1)]),
        late=({"first": "hard", "first_steps": 5}, [(1, 2), (1, 2)]),
        rare=({"hard_prevalence": 0.1}, [(2, 0.5), (2, 0.5)]),
        lost=({"optimiser": "sgd"}, [(1, 0.1), (1, 0.1)], (1.0, 0.5)),
        easy=({"learned": "easy"}, [(1, 0), (1, 0)]),
    )


def part(a, b):
    return a * a / (a * a + b * b)


def test_verdicts_follow_from_gaps_and_accuracies(known):
    ends = at_the_end(known)
    map_ = where(known, ends).set_index("arm")
    assert map_["verdict"].to_dict() == {
        "control": "neither", "base": "easy takes more", "easier": "hard takes more", "slow": "easy takes more",
        "shallow": "easy takes more", "early": "easy takes more", "late": "hard takes more", "rare": "easy takes more",
        "lost": "not both computed", "easy": "learned alone",
    }  # fmt: skip
    assert map_["gap"]["slow"] == pytest.approx(part(3, 0.5) + part(4, 0.5) - 1, abs=0.02)
    assert map_["share_easy"]["base"] == pytest.approx(0.8, abs=0.02)
    assert map_["accuracy_hard"]["lost"] < 0.7
    assert known["lost"].notes[0].startswith("feature 'hard' is told rightly for")
    assert known["lost"].readers.empty


def test_claims_are_measured_as_they_say(known):
    ends, alike = at_the_end(known), similarity(known)
    found = measured(known, ends, alike, "base", "slow")
    assert list(found) == [one.name for one in EXPECTATIONS]
    assert found["equal_when_equal"]["control"] == pytest.approx(2 * part(1.05, 1) - 1, abs=0.02)  # within the margin
    assert max(found["shares_add_up"].values()) < 0.02
    assert set(found["easy_takes_more"]) == {"seed 0", "seed 1"}
    assert found["easy_takes_more"]["seed 0"] == pytest.approx(2 * part(3, 0.5) - 1, abs=0.02)
    assert found["easier_less_biased"] == {"base and easier": pytest.approx(0.6 + 0.3, abs=0.03)}
    assert found["deeper_more_biased"]["base and shallow"] == pytest.approx(0.6 - (2 * part(1.2, 1) - 1), abs=0.03)
    assert found["first_takes_more"]["early and late"] == pytest.approx(1.2, abs=0.03)
    assert found["rare_takes_less"] == {"hard": pytest.approx(part(0.5, 2) - 0.2, abs=0.02)}
    assert list(found["not_everywhere"]) == ["late"]
    halves = known["slow"].halves.query("seed == 0 and moved == read").set_index("moved")["length"]
    assert found["small_shift_flips_hard"]["seed 0"] == halves["hard"] / halves["easy"]
    # Means of 100 items let some of the large feature into the small one's direction.
    assert halves["hard"] / halves["easy"] == pytest.approx(0.5 / 3, rel=0.5)
    assert found["reader_prefers_easy"] == {"seed 0": 1.0, "seed 1": 1.0}
    said = summary(where(known, ends), found, "slow")
    assert said[0].startswith("Where learning is slow (slow) the easy feature takes 98%")
    assert "the easy one takes more in 5, the hard one in 2, neither in 0; in 1 a network does not" in said[1]


def test_an_inaccurate_arm_decides_nothing():
    found = all_of(base=({}, [(2, 1)] * 2), slow=({"learning_rate": 1e-4}, [(3, 0.5)] * 2, (1.0, 0.5)),
                   easier=({"hard": 2}, [(1, 1)] * 2, (0.5, 1.0)))  # fmt: skip
    told_of = measured(found, at_the_end(found), similarity(found), "base", "slow")
    for name in ("easy_takes_more", "small_shift_flips_hard", "reader_prefers_easy"):
        assert np.isnan(list(told_of[name].values())).all()
        assert len(told_of[name]) == 2
    assert np.isnan(told_of["easier_less_biased"]["base and easier"])


def test_similarity_is_spearmans_of_distances(known):
    table = similarity(known).set_index("arm")
    one, other = (pdist(known["slow"].last[seed][:COMPARED]) for seed in (0, 1))
    alone = pdist(known["easy"].last[0][:COMPARED]), pdist(known["easy"].last[1][:COMPARED])
    assert table["each_other"]["slow"] == pytest.approx(spearmanr(one, other).statistic)
    expected = np.mean([spearmanr(a, b).statistic for a in (one, other) for b in alone])
    assert table["easy_alone"]["slow"] == pytest.approx(expected)
    assert table["hard_alone"].isna().all()
    assert "easy" not in table.index
    assert "lost" not in table.index


def test_networks_that_diverged_are_left_out():
    arm = Arm(name="one", depth=1)
    seen = made_of(arm, [(2, 1), (1, 1)])
    tree = seen.tree.copy(deep=True)
    tree.attrs["fates"] = json.dumps(["trained", "diverged"])
    tree["layers/hidden.0"]["representation"].values[1] = np.nan
    found = Biased.of(arm, Trajectory(tree), folds=5, seed=0)
    assert set(found.shares["seed"]) == {0}
    tree.attrs["fates"] = json.dumps(["diverged", "diverged"])
    assert Biased.of(arm, Trajectory(tree), folds=5, seed=0) is None


# What is asked


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"arms": [{"name": "a"}, {"name": "a", "hard": 2}]}, "arms must have different names; got a, a"),
        ({"arms": [{"name": "a", "first": "easy"}]}, "first and first_steps go together"),
        ({"arms": [{"name": "a", "first": "easy", "first_steps": 3, "learned": "hard"}]}, "and lead to learning both"),
        ({"arms": [{"name": "a", "easy": 0}]}, "easy"),
        ({"network": "cnn"}, "networks of this study are perceptrons"),
    ],
)
def test_what_cannot_be_asked(changes, says):
    with pytest.raises(SpecificationError, match=says):
        study({"study": "feature-bias"} | changes).jobs()


def test_arms_change_one_thing_at_a_time():
    jobs = study({"study": "feature-bias"}).jobs()
    assert list(jobs) == [arm.name for arm in ARMS]
    base = jobs["xor4"]
    assert jobs["xor4_shallow"].layers == ("hidden.0",)
    assert base.layers == tuple(f"hidden.{index}" for index in range(4))
    assert jobs["hard_first"].start.asked() == jobs["hard_alone"].asked()
    assert jobs["easy_first"].start.asked() == jobs["easy_alone"].asked()
    assert (jobs["xor4_squared"].loss, base.loss) == ("squared", "logistic")
    assert {job.options["learned"] for job in jobs.values()} == {"both", "easy", "hard"}
    assert 0 < MARGIN < 0.4
    frame = pd.DataFrame([arm.model_dump() for arm in ARMS])
    assert not frame.drop(columns="name").duplicated().any()
