"""The study of universal dimensions: known answers, a small real run, and what cannot be asked."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from syzygy.dimensions import UniversalDimensions
from syzygy.errors import SpecificationError
from syzygy.report import write_report
from syzygy.store import MemoryStore
from syzygy.studies import study
from syzygy.studies.claims.universal_dimensions import EXPECTATIONS, measured, partial
from syzygy.studies.tables.universals import (
    UNIVERSAL,
    architecture,
    by_count,
    network_layers,
    over_training,
    regimes,
    richness,
)
from syzygy.theory import PairState, PairTheory
from syzygy.training import gathered, train_zoo
from syzygy.trajectory import Trajectory

NETWORKS = [
    {"like": "shallow", "name": "shallow", "width": 12, "gain": 0.6, "layer": "hidden.0", "learning_rate": 0.2},
    {"like": "tanh", "name": "tanh", "width": 12, "depth": 3, "gain": 1.0, "layer": "hidden.0", "learning_rate": 0.2},
]
OWN = {
    "study": "universal-dimensions",
    "networks": NETWORKS,
    "seeds": "0..2",
    "steps": 60,
    "per_class": 9,
    "permutations": 39,
    "counts": [1, 10],
    "record": "log 3",
}


@pytest.fixture(scope="module")
def real():
    made, store = study(OWN), MemoryStore()
    jobs = made.jobs()
    list(train_zoo([part for job in jobs.values() for part in job.parts()], store))
    seen = {name: gathered(job, store) for name, job in jobs.items()}
    return made, seen, made.analyse(seen)


# A small real run


def test_components_are_those_of_the_estimator_on_the_images_that_are_not_judged(real):
    made, seen, result = real
    used, judged = made._parted(90)
    assert sorted([*used, *judged]) == list(range(90))
    given = {name: {layer: x[used] for layer, x in layers.items()}
             for name, layers in network_layers(seen, (0, 1), -1).items()}  # fmt: skip
    assert list(given) == ["shallow/0", "shallow/1", "tanh/0", "tanh/1"]
    fitted = UniversalDimensions(folds=5, permutations=39, precision="float32").fit(given)
    table = result.table("components").sort_values(["network", "layer", "component"])
    expected = fitted.table_.sort_values(["network", "layer", "component"])
    for column in ("universality", "low", "p", "variance"):
        np.testing.assert_allclose(table[column], expected[column], atol=1e-5)
    own = table["architecture"] == "tanh"
    scores = pd.DataFrame(fitted.scores_, index=list(fitted.networks_)).T
    others = scores.loc[expected.index[own.to_numpy()], ["shallow/0", "shallow/1"]].median(axis=1)
    np.testing.assert_allclose(table.loc[own, "by_architectures"], others, atol=1e-5)


def test_what_is_not_scored_changes_no_universality(real):
    """Neither the images to judge by, nor the networks that are held out."""
    made, seen, result = real
    _, judged = made._parted(90)
    changed = {}
    for name, one in seen.items():
        tree = one.tree.copy(deep=True)
        for layer in one.layers:
            values = one.representation(layer).copy()
            values[:, :, judged] = np.random.default_rng(0).normal(size=values[:, :, judged].shape)
            values[-1] = np.random.default_rng(1).normal(size=values[-1].shape)
            tree[f"layers/{layer}"]["representation"].values = values
        changed[name] = Trajectory(tree)
    again = made.analyse(changed)
    pd.testing.assert_frame_equal(again.table("components"), result.table("components"))
    assert (again.table("kept")["score"] != result.table("kept")["score"]).all()


def test_every_claim_is_measured(real):
    _, _, result = real
    assert [claim.expectation for claim in result.claims] == list(EXPECTATIONS)
    assert all(set(claim.cases) == {"shallow", "tanh"} for claim in result.claims)
    assert "universal" in result.summary[0]
    assert result.table("training")["step"].tolist()[0] == 0
    assert result.table("training")["components"].iloc[-1] == len(result.table("components"))


@pytest.mark.slow
def test_all_that_it_gives_can_be_written(real, tmp_path):
    _, _, result = real
    json.loads(result.to_json(), parse_constant=pytest.fail)
    page = write_report(replace(result, versions={}), tmp_path)
    assert page.read_text(encoding="utf-8").count("<svg") == len(result.figures) == 4


def test_less_than_was_asked(real):
    made, seen, _ = real
    assert made.analyse({}).summary == ("Fewer than two networks have been trained: there is nothing to share.",)
    part = made.analyse({"tanh": seen["tanh"]})
    assert part.table("components")["by_architectures"].isna().all()
    assert part.table("kept")["score"].isna().all()
    json.loads(part.to_json(), parse_constant=pytest.fail)


# Definitions


def test_richness_is_that_of_the_pair_theory_with_outputs_at_zero():
    start, theory = np.geomspace(0.01, 10, 7), PairTheory(eta_h=0.3, eta_y=0.7, dx2=1.3, dy2=0.5)
    state = PairState(start, np.zeros(7), np.zeros(7))
    share = start / theory.final_h2(state)
    np.testing.assert_allclose(richness(share), theory.a_high(state) / theory.a_low)
    np.testing.assert_array_equal(np.where(richness(share) <= 1, "rich", "encoder-lazy"), theory.regime(state))
    assert {"rich", "encoder-lazy"} == set(theory.regime(state))


def test_a_dimension_that_grew_is_rich_and_one_that_stayed_is_lazy():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(80, 3)) * [5, 3, 1]
    before = x * np.sqrt([0.1, 0.75, 4.0])
    fitted = UniversalDimensions(permutations=0).fit({"a/0": {"h": x}, "b/0": {"h": x}})
    found = regimes(fitted, {"a/0": {"h": before}, "b/0": {"h": before}})
    np.testing.assert_allclose(found["start_share"], [0.1, 0.75, 4.0] * 2, rtol=0.15)
    assert found["regime"].tolist() == ["rich", "encoder-lazy", "encoder-lazy"] * 2
    assert np.isinf(found["richness"][2])


def test_similarity_that_is_kept_is_spearmans_of_dissimilarities():
    draw = np.random.default_rng(0)
    shared = draw.normal(size=(90, 4)) * [3, 2, 1.5, 1]
    views = {f"{name}/0": shared @ draw.normal(size=(4, 8)) + 0.1 * draw.normal(size=(90, 8)) for name in "abc"}
    views["a/0"] += 6 * np.outer(draw.normal(size=90), draw.normal(size=8))  # large, and its own
    fitted = UniversalDimensions(permutations=0).fit({name: {"h": x[:60]} for name, x in views.items()})
    judged = {name: {"h": x[60:]} for name, x in views.items()}
    held_out = {"a/9": {"h": views["c/0"][60:]}, "c/9": {"g": views["a/0"][60:], "h": views["b/0"][60:]}}
    found = by_count(fitted, judged, held_out, [2]).set_index(["architecture", "chosen"])
    rebuilt = fitted.rebuilt(judged, 2)["a/0"]["h"]
    target = pdist(held_out["c/9"]["h"], "correlation")  # the last layer, for it is the last; of another architecture
    score = spearmanr(pdist(rebuilt, "correlation"), target).statistic
    whole = spearmanr(pdist(views["a/0"][60:], "correlation"), target).statistic
    assert found.loc[("a", "universality"), "score"] == pytest.approx(score)
    assert found.loc[("a", "universality"), "kept"] == pytest.approx(score / whole)
    one = fitted.layers_.components["a/0"]["h"]
    largest = one.rebuilt(one.scores(views["a/0"][60:]), np.arange(2))
    by_variance = spearmanr(pdist(largest, "correlation"), target).statistic
    assert found.loc[("a", "variance"), "score"] == pytest.approx(by_variance)
    assert abs(by_variance - score) > 0.01  # other components
    assert found.loc[("a", "least universal"), "kept"] < found.loc[("a", "universality"), "kept"] - 0.3
    mine, theirs = fitted.rebuilt(judged, 2)["b/0"]["h"], (held_out["a/9"]["h"], held_out["c/9"]["h"])
    both = np.mean([spearmanr(pdist(mine, "correlation"), pdist(x, "correlation")).statistic for x in theirs])
    assert found.loc[("b", "universality"), "score"] == pytest.approx(both)


def test_steps_are_summed_up():
    table = pd.DataFrame({"network": ["a", "a", "b"], "component": [0, 20, 3], "universality": [0.8, 0.2, 0.7]})
    told = np.array([[0.1, 0.2, 0.3], [0.5, 0.6, 0.7]])
    found = over_training({0: table, 9: table}, told, np.array([True, False, True]))
    assert found["universal"].tolist() == [1, 1]
    assert found["largest"].tolist() == pytest.approx([0.75, 0.75])
    assert found["told"].tolist() == pytest.approx([0.2, 0.6])
    assert found["networks"].tolist() == [2, 2]
    assert architecture("a/b/3") == "a/b"
    assert pytest.approx(0.5) == UNIVERSAL**2


def test_claims_follow_from_what_was_measured():
    draw, count = np.random.default_rng(0), 400
    rich = np.arange(count) % 2 == 0
    components = pd.DataFrame({
        "architecture": "x", "component": np.arange(count) % 40, "variance": draw.uniform(size=count),
        "universality": np.where(rich, 0.9, 0.1) + 0.01 * draw.normal(size=count), "q": np.where(rich, 0.0, 1.0),
        "half_way": np.where(rich, 10.0, 50.0) + draw.normal(size=count), "start_share": np.where(rich, 0.1, 2.0),
        "regime": np.where(rich, "rich", "encoder-lazy"),
    })  # fmt: skip
    untrained = components.assign(universality=np.where(np.arange(count) % 4 == 0, 0.9, 0.1))
    kept = pd.DataFrame({"architecture": "x", "chosen": ["universality", "variance"], "count": 10, "kept": [0.9, 0.7]})
    found = {name: cases["x"] for name, cases in measured(components, untrained, kept).items()}
    assert found["above_chance"] == found["few_universal"] == pytest.approx(0.5)
    assert found["training_makes_universal"] == pytest.approx(2)
    assert (found["ten_keep_similarity"], found["universal_beats_large"]) == pytest.approx((0.9, 0.2))
    assert found["universal_first"] < -0.7
    assert found["rich_are_universal"] == pytest.approx(0.8, abs=0.01)
    assert found["rich_beyond_variance"] > 0.7
    assert list(found) == [expected.name for expected in EXPECTATIONS]


def test_correlation_at_equal_variance():
    draw = np.random.default_rng(1)
    cause, a, b = draw.normal(size=(3, 3000))
    related = pd.DataFrame({"a": cause + a, "b": cause + b, "c": cause})
    assert spearmanr(related["a"], related["b"]).statistic > 0.4
    assert abs(partial(related)) < 0.06  # three standard errors
    assert partial(related.assign(b=cause + a)) == pytest.approx(1)
    assert np.isnan(partial(related[:5]))
    assert np.isnan(partial(related.assign(c=1.0)))


# What is asked


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"seeds": "0"}, "the last seed is held out"),
        ({"seeds": "0,1", "networks": NETWORKS[:1]}, "one network alone has nothing to share"),
        ({"limit": 100}, "limit is of the task mnist only"),
        ({"networks": [NETWORKS[0], NETWORKS[0]]}, "networks must have different names"),
        ({"per_class": 5}, "19 images to score on are too few for 5 folds"),
    ],
)
def test_what_cannot_be_asked(changes, says):
    with pytest.raises(SpecificationError, match=says):
        study(OWN | changes).jobs()


def test_jobs_watch_every_hidden_layer_of_the_same_images():
    jobs = study({"study": "universal-dimensions"}).jobs()
    assert [len(jobs[name].layers) for name in ("deep", "shallow", "cnn")] == [6, 2, 3]
    assert {str(job.options) for job in jobs.values()} == {"{'per_class': 60, 'probe_seed': 0, 'held_out': True}"}
    changed = study({"study": "universal-dimensions", "task": "mnist", "limit": 500, "steps": 7, "learning_rate": 0.01})
    assert {(job.network.steps, job.network.learning_rate) for job in changed.jobs().values()} == {(7, 0.01)}
    assert {job.options["limit"] for job in changed.jobs().values()} == {500}
