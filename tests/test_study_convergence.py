"""The study of convergence: known answers, a small real run, and what cannot be asked."""

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist, squareform
from scipy.stats import ortho_group, spearmanr

from syzygy.errors import SpecificationError, UnknownName
from syzygy.measures import cka, measure, procrustes
from syzygy.networks import setting
from syzygy.report import write_report
from syzygy.store import MemoryStore
from syzygy.studies import read_study, study
from syzygy.studies.claims.convergence import EXPECTATIONS
from syzygy.studies.tables.alignments import ARCHITECTURES, SEEDS, Place, apart, at_matched_depth, places
from syzygy.studies.tables.predicted import (
    COMPARISONS,
    KERNELS,
    PREDICTIONS,
    RANKS,
    THEORIES,
    compared,
    rich_end,
    shape,
)
from syzygy.studies.tables.settling import half_way
from syzygy.tasks import Task, digits, mnist
from syzygy.theory import ManyTheory
from syzygy.training import gathered, train, train_zoo
from syzygy.trajectory import Trajectory
from test_tasks import idx, pictures, write

NETWORKS = [
    {"like": "shallow", "name": "shallow", "width": 12, "gain": 0.6, "layer": "hidden.0", "learning_rate": 0.2},
    {"like": "tanh", "name": "tanh", "width": 12, "depth": 4, "gain": 1.0, "layer": "hidden.0", "learning_rate": 0.2},
]
OWN = {
    "study": "convergence",
    "networks": NETWORKS,
    "seeds": "0..2",
    "gains": [0.4, 1.2],
    "steps": 60,
    "per_class": 2,
    "measures": ["cka", "cka:estimator=biased"],
    "record": "log 5",
}
STEPS = np.array([0, 1, 3, 7, 15, 31])


@pytest.fixture(scope="module")
def real():
    made, store = study(OWN), MemoryStore()
    jobs = made.jobs()
    list(train_zoo([part for job in jobs.values() for part in job.parts()], store))
    seen = {name: gathered(job, store) for name, job in jobs.items()}
    return made, seen, made.analyse(seen)


def invented(name, when, *, common, seeds=3, noise=0.0, fates=None, seed=0):
    """Networks whose layers go from a random representation of their own to a common one, each at its own step."""
    draw, task = np.random.default_rng([seed, *name.encode()]), digits(per_class=2, held_out=True)
    layers = {}
    for number, half in enumerate(when):
        share = 1 / (1 + ((1 + half) / (1 + STEPS)) ** 4)
        share = ((share - share[0]) / (share[-1] - share[0]))[:, None, None]
        own = draw.normal(size=(seeds, 1, *common.shape))
        turned = np.stack([common @ ortho_group.rvs(common.shape[1], random_state=draw) for _ in range(seeds)])
        end = (1 - noise) * turned[:, None] + noise * draw.normal(size=(seeds, 1, *common.shape))
        layers[f"hidden.{number}"] = (1 - share) * own + share * end
    outputs = np.repeat(task.probe_targets[None, None], seeds, axis=0).repeat(len(STEPS), axis=1)
    return Trajectory.of(
        steps=STEPS,
        loss=np.ones((seeds, len(STEPS))),
        outputs=outputs,
        representations=layers,
        inputs=task.probe_inputs,
        targets=task.probe_targets,
        items=task.probe_items,
        seeds=range(seeds),
        fates=fates,
    )


def common(kind="random"):
    """What all networks come to: nothing in particular, or what the theory predicts."""
    task = digits(per_class=2, held_out=True)
    if kind == "random":
        return np.random.default_rng(5).normal(size=(20, 12))
    distances = rich_end(task.learned_inputs, task.learned_targets, task.probe_inputs)
    values, axes = np.linalg.eigh(-0.5 * (distances - distances.mean(0) - distances.mean(1)[:, None]))
    return axes[:, -12:] * np.sqrt(np.maximum(values[-12:], 0))


def answered(*, up=True, noise=0.0, kind="random", measures=("cka",), **changes):
    when = [2, 4, 8, 16] if up else [16, 8, 4, 2]
    ends = common(kind)
    seen = {
        "shallow": invented("shallow", when[:2], common=ends, noise=noise),
        "tanh": invented("tanh", when, common=ends, noise=noise),
        "shallow_gain_0.4": invented("low", when[:2], common=ends),
        "shallow_gain_1.2": invented("high", when[:2], common=ends, noise=0.7),
    }
    made = study(OWN | {"measures": list(measures)} | changes)
    return made.analyse({name: one for name, one in seen.items() if name in made.jobs()})


# Which layers match


def test_layers_match_at_the_nearest_relative_depth():
    some = [Place("a", 0, 0, f"hidden.{n}", (n + 1) / 2) for n in range(2)]
    some += [Place("b", row, row, f"hidden.{n}", (n + 1) / 4) for n in range(4) for row in range(2)]
    found = {(some[i].name, some[j].name) for i, j in at_matched_depth(some).T}
    # 1/4 and 3/4 lie as near to 1/2 as to nothing else, and 3/4 as near to 1 as to 1/2.
    between = {(0, 0), (0, 1), (0, 2), (1, 2), (1, 3)}
    expected = {(f"a 0 hidden.{i}", f"b {row} hidden.{j}") for i, j in between for row in range(2)}
    expected |= {(f"b 0 hidden.{n}", f"b 1 hidden.{n}") for n in range(4)}
    assert found == expected


def test_networks_that_diverged_have_no_places():
    one = invented("x", [3, 5], common=common(), fates=["trained", "diverged", "trained"])
    assert [(place.layer, place.seed) for place in places({"x": one})] == list(
        product(["hidden.0", "hidden.1"], [0, 2])
    )


# When a layer is half-way


def test_half_way_is_found_between_records():
    steps = np.array([0, 1, 3, 7])
    assert half_way(steps, np.array([0.0, 0.0, 1.0, 1.0])) == pytest.approx(np.expm1(np.log(2) * 1.5))
    assert half_way(steps, np.array([1.0, 0.9, 0.5, 0.0])) == pytest.approx(3)  # a fall has a half as well
    assert half_way(steps, np.array([0.0, 0.5, 0.0, 1.0])) == pytest.approx(1)  # the first time counts
    assert np.isnan(half_way(steps, np.array([0.5, 0.9, 0.1, 0.51])))
    assert np.isnan(half_way(steps, np.array([0.5, np.nan, 0.1, 0.9])))


# Predicted distances


def test_comparing_distances_is_comparing_their_representations():
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(30, 6)), draw.normal(size=(30, 9)) + 1
    d, e = (squareform(pdist(one, "sqeuclidean")) for one in (x, y))
    for how, expected in ((KERNELS, cka(x, y)), (RANKS, spearmanr(pdist(x), pdist(y)).statistic)):
        found = compared(shape(d, how)[None], np.stack([shape(e, how), shape(d, how)]))
        assert found["score"][0] == pytest.approx([expected, 1], abs=1e-12), how
        assert found["calibrated"][0, 1] == pytest.approx(1)
        assert found["p"][0, 0] > 1e-4 > found["p"][0, 1]


@pytest.mark.parametrize("how", COMPARISONS)
def test_chance_is_that_of_shuffled_items(how):
    draw = np.random.default_rng(1)
    x = draw.gamma(2.0, size=(16, 3))
    d, e = (squareform(pdist(one, "sqeuclidean")) for one in (x, x + 2.5 * draw.normal(size=x.shape)))
    found = compared(shape(d, how)[None], shape(e, how)[None])
    orders = [draw.permutation(16) for _ in range(4000)]
    shuffled = np.array([np.sum(shape(d, how) * shape(e[np.ix_(o, o)], how)) for o in orders])
    error = shuffled.std() / np.sqrt(len(orders))
    assert found["chance"].item() == pytest.approx(shuffled.mean(), abs=4 * error)
    share = np.mean(shuffled >= found["score"].item())
    assert 0.005 < share < 0.2
    assert found["p"].item() == pytest.approx(share, abs=0.02)  # in the tail, where it counts


def test_distances_that_are_all_alike_cannot_be_compared():
    assert np.isnan(shape(np.zeros((6, 6)), RANKS)).all()
    assert np.isnan(shape(np.zeros((6, 6)), KERNELS)).all()


def test_the_rich_end_of_learned_items_is_that_of_all_items():
    draw = np.random.default_rng(2)
    x, y = draw.normal(size=(25, 4)), np.eye(3)[draw.integers(0, 3, 25)]
    theory = ManyTheory(0.1, 0.1, x @ x.T, y, hidden_bias=True, output_bias=True)
    gram = theory.rich_gram(bias=y.mean(axis=0))
    size = np.diag(gram)
    np.testing.assert_allclose(rich_end(x, y, x), size[:, None] + size - 2 * gram, atol=1e-9)


def test_a_linear_network_ends_there_for_items_it_never_saw():
    draw = np.random.default_rng(3)
    x = draw.normal(size=(40, 3))
    x -= x[:32].mean(axis=0)
    y = x @ draw.normal(size=(3, 2))  # without a mean, biases stay at zero
    task = Task("line", x, y - y[:32].mean(0), tuple(map(str, range(40))), probe=tuple(range(32, 40)), held_out=True)
    row = {"like": "two_layer", "name": "x", "width": 30, "gain": 0.01, "learning_rate": 0.1, "steps": 1800}
    seen = train(task, setting(row), precision="float64", record=study(OWN).record)
    found = squareform(pdist(seen.representation("hidden.0")[0, -1], "sqeuclidean"))
    expected = rich_end(task.learned_inputs, task.learned_targets, task.probe_inputs)
    np.testing.assert_allclose(found / found.mean(), expected / expected.mean(), atol=5e-3)
    np.testing.assert_allclose(found.mean(), expected.mean(), rtol=5e-3)  # both layers learn at one rate


# Networks whose answer is known


def test_networks_that_come_to_one_representation_converge():
    result = answered()
    training = result.table("alignment").set_index(["kind", "step"])
    for kind in (SEEDS, ARCHITECTURES):
        assert training.loc[(kind, 0), "calibrated"] == pytest.approx(0, abs=0.1)
        assert training.loc[(kind, 31), "score"] == pytest.approx(1, abs=1e-3)
        assert training.loc[(kind, 31), "significant"] == 1
    for name in ("above_chance", "seeds_align", "architectures_align", "universal"):
        assert result.claim(name).verdict == "holds", name
    assert result.claim("seeds_align").cases.keys() == {"cka, shallow", "cka, tanh"}
    assert result.claim("architectures_align").cases.keys() == {"cka, shallow, tanh"}
    assert result.claim("universal").cases["cka"] == pytest.approx(1, abs=1e-3)
    assert not result.table("apart")["not_above"].any()
    assert "between different architectures from" in result.summary[0]
    assert "(0 of 9 pairs of networks are no more alike than untrained)" in result.summary[0]


@pytest.mark.parametrize(("up", "verdict"), [(True, "holds"), (False, "not reproduced")])
def test_the_order_of_layers_is_seen(up, verdict):
    result = answered(up=up)
    claim = result.claim("early_layers_first")
    assert claim.cases == {"cka, tanh": pytest.approx(1 if up else -1)}  # two layers have no order
    assert claim.verdict == verdict
    layers = result.table("layers")
    own = layers[layers["network"] == "tanh"]
    assert own["half_way"].is_monotonic_increasing == own["half_seeds"].is_monotonic_increasing == up
    assert (layers["half_way_first"] <= layers["half_way"]).all()
    assert (layers["half_way"] <= layers["half_way_last"]).all()
    assert layers["seeds"].unique().tolist() == [3]


def test_networks_that_stay_random_do_not_converge():
    result = answered(noise=1.0)
    assert result.claim("above_chance").cases["cka"] < 0.3
    assert abs(result.claim("seeds_align").value) < 0.1
    assert result.table("apart").groupby("kind")["calibrated"].min().max() < 0.2


def test_seeds_of_a_noisy_gain_stay_apart():
    result = answered()
    gains = result.table("gains").set_index("gain")["calibrated"]
    assert gains.index.tolist() == [0.4, 0.6, 1.2]
    assert gains[0.4] == pytest.approx(1, abs=1e-3)
    assert gains[1.2] < 0.5
    assert result.claim("small_start_aligns").cases["cka"] < 0
    assert result.claim("small_start_aligns").seeds == (0, 1, 2)
    assert answered(gains=[0.4]).claim("small_start_aligns").cases == {}  # two gains make no trend


def test_what_the_theory_predicts_is_recognised():
    told = answered(kind="theory")
    cases = told.claim("theory_beats_none").cases
    assert cases[f"{KERNELS}, all_items"] > 0
    assert told.claim("theory_above_chance").cases[f"{KERNELS}, all_items"] == 1
    table = told.table("theory").set_index(["comparison", "prediction"])
    assert table.loc[(KERNELS, "all_items"), "calibrated"] > 0.99
    assert table.loc[(KERNELS, "start"), "calibrated"] < 0.3
    assert set(table.index) == set(product(COMPARISONS, PREDICTIONS))
    lost = answered()
    assert lost.claim("theory_above_chance").cases[f"{KERNELS}, all_items"] < 0.5
    assert lost.claim("theory_above_chance").verdict != "holds"


def test_one_that_diverged_is_left_out_and_one_alone_is_not_compared():
    made = study(OWN | {"measures": ["cka"], "gains": []})
    lost = invented("shallow", [2, 4], common=common(), fates=["trained", "diverged", "trained"])
    result = made.analyse({"shallow": lost})
    assert set(result.table("apart")["kind"]) == {SEEDS}
    assert result.table("alignment")["pairs"].unique().tolist() == [2]
    assert {finding.code for finding in result.findings} >= {"SZ001", "SZ002"}
    assert result.claim("architectures_align").cases == {}
    alone = made.analyse({"shallow": invented("shallow", [2, 4], common=common(), seeds=1)})
    assert alone.summary[0].startswith("Fewer than two networks")
    assert made.analyse({}).summary == alone.summary


def test_chance_without_a_closed_form_is_drawn_for_one_network_of_each_setting():
    result = answered(measures=("procrustes",), permutations=40)
    training = result.table("alignment")
    assert np.isfinite(training["calibrated"]).all()
    assert training["significant"].isna().all()
    assert result.claim("above_chance").cases == {}
    last = training[training["step"] == 31]
    assert last["calibrated"].to_numpy() == pytest.approx(1, abs=1e-2)
    x = common()
    draw = np.random.default_rng(6)
    drawn = np.mean([procrustes(x, x[draw.permutation(20)]) for _ in range(100)])
    assert last["chance"].to_numpy() == pytest.approx(drawn, abs=0.02)


# A real run


def test_every_number_is_that_of_the_pair_by_itself(real):
    _, seen, result = real
    figure = {one.name: one for one in result.figures}["every-layer"].frame
    assert len(figure) == 2 * (18 * 17) // 2
    drawn = figure[figure["measure"] == "cka"].sample(5, random_state=0)
    for row in drawn.itertuples():
        sides = [name.split() for name in (row.one, row.other)]
        x, y = (seen[network].representation(layer)[int(seed), -1] for network, seed, layer in sides)
        assert row.score == pytest.approx(cka(x, y), abs=1e-5)
    training = result.table("alignment")
    for measured, estimator in (("cka", "debiased"), ("cka:estimator=biased", "biased")):
        for index, step in enumerate(seen["tanh"].steps):
            expected = [
                cka(*(seen[name].representation(layer)[row, index] for row in pair), estimator=estimator)
                for name in ("shallow", "tanh")
                for layer in seen[name].layers
                for pair in ((0, 1), (0, 2), (1, 2))
            ]
            own = training[(training["measure"] == measured) & (training["step"] == step)].set_index("kind")
            assert own.loc[SEEDS, "score"] == pytest.approx(np.mean(expected), abs=1e-5)
            assert own.loc[SEEDS, "pairs"] == len(expected) == 18
            assert own.loc[ARCHITECTURES, "pairs"] == 5 * 9


def test_untrained_is_step_0_of_the_same_pairs(real):
    _, seen, result = real
    training = result.table("alignment").set_index(["measure", "kind", "step"]).sort_index()
    assert seen["tanh"].steps[0] == 0
    for key in {key[:2] for key in training.index}:
        curve = training.loc[key]
        assert (curve["untrained"] == curve["calibrated"].iloc[0]).all()
        np.testing.assert_allclose(curve["gained"], curve["calibrated"] - curve["calibrated"].iloc[0], atol=1e-12)


def test_layers_start_at_their_alignment_with_their_own_end(real):
    _, seen, result = real
    layers = result.table("layers").set_index(["measure", "network", "layer"])
    for name, layer in (("tanh", "hidden.2"), ("shallow", "hidden.0")):
        values = seen[name].representation(layer)
        expected = np.mean([cka(one[0], one[-1]) for one in values])
        assert layers.loc[("cka", name, layer), "start"] == pytest.approx(expected, abs=1e-6)


def test_each_seed_is_half_way_to_the_others_by_itself(real):
    _, seen, result = real
    settled = {one.name: one for one in result.figures}["half-ways"].frame
    values = seen["tanh"].representation("hidden.3")
    for seed, others in ((0, (1, 2)), (2, (0, 1))):
        curve = [np.mean([cka(values[seed, t], values[other, t]) for other in others]) for t in range(values.shape[1])]
        row = settled.query(f"measure == 'cka' and network == 'tanh' and layer == 'hidden.3' and seed == {seed}")
        expected = half_way(seen["tanh"].steps, np.array(curve))
        assert np.isfinite(expected)
        assert row["half_seeds"].item() == pytest.approx(expected, rel=1e-2)


def test_the_best_that_needs_no_theory_is_beaten_or_not(real):
    _, _, result = real
    assert set(result.claim("theory_beats_none").cases) == {f"{c}, {p}" for c in COMPARISONS for p in THEORIES}
    depth = {one.name: one for one in result.figures}["theory-over-depth"].frame
    mean = depth.groupby(["comparison", "prediction"])["calibrated"].mean()
    for comparison, prediction in product(COMPARISONS, THEORIES):
        naive = [mean[comparison, name] for name in PREDICTIONS if name not in THEORIES]
        gain = result.claim("theory_beats_none").cases[f"{comparison}, {prediction}"]
        weighted = mean[comparison, prediction] - max(naive)  # the best of the means is at most the mean of the best
        assert weighted - 0.5 < gain <= weighted + 1e-9


def test_probe_images_are_held_out_and_balanced(real):
    made, seen, _ = real
    task = digits(**made.jobs()["tanh"].options)
    assert len(task.learned_inputs) == 1797 - 20
    assert seen["tanh"].items == task.probe_items
    assert np.bincount(task.probe_targets.argmax(1)).tolist() == [2] * 10


@pytest.mark.slow
def test_a_page_can_be_written_and_read(real, tmp_path):
    _, _, result = real
    page = write_report(replace(result, versions={}), tmp_path)
    assert page.read_text(encoding="utf-8").count("<svg") == len(result.figures) == 6
    json.loads(result.to_json(), parse_constant=pytest.fail)


def test_pairs_that_stay_apart_are_those_least_alike():
    rows = [
        {"measure": "cka", "step": step, "kind": SEEDS, "network": "a", "other": "a", "seed": 0, "other_seed": other,
         "calibrated": value * (1 + step), "untrained": 0.25}
        for step, (other, value) in product((0, 1), ((1, 0.4), (2, 0.1), (3, 0.2), (1, 0.2)))
    ]  # fmt: skip
    found = apart(pd.DataFrame(rows), 2)
    assert found["other_seed"].tolist() == [2, 3]
    assert found["calibrated"].tolist() == pytest.approx([0.2, 0.4])
    assert found["above_untrained"].tolist() == [False, True]
    assert found["of"].tolist() == [3, 3]
    assert found["not_above"].tolist() == [1, 1]


# What is asked


def test_jobs_watch_every_hidden_layer_of_the_same_images():
    jobs = study({"study": "convergence"}).jobs()
    assert set(jobs) == {
        "deep",
        "shallow",
        "tanh",
        "linear",
        "skip",
        "cnn",
        *(f"deep_gain_{g}" for g in (0.7, 0.85, 1.2, 1.4)),
    }
    assert [len(jobs[name].layers) for name in ("deep", "shallow", "cnn")] == [6, 2, 3]
    assert {str(job.options) for job in jobs.values()} == {"{'per_class': 15, 'probe_seed': 0, 'held_out': True}"}
    assert jobs["deep_gain_0.7"].network.gain == 0.7
    changed = study({"study": "convergence", "task": "mnist", "limit": 500, "steps": 7, "learning_rate": 0.01}).jobs()
    assert changed["cnn"].options["limit"] == 500
    assert {(job.network.steps, job.network.learning_rate) for job in changed.values()} == {(7, 0.01)}
    assert set(study(OWN | {"gains": [0.6]}).jobs()) == {"shallow", "tanh"}  # its own gain is no other


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"limit": 100}, SpecificationError, "limit is of the task mnist only"),
        ({"networks": [NETWORKS[0], NETWORKS[0]]}, SpecificationError, "networks must have different names"),
        ({"gains": [0.5, 0.5]}, SpecificationError, "gains must differ"),
        ({"measures": ["cca_of_dreams"]}, UnknownName, "unknown measure 'cca_of_dreams'"),
        ({"measures": ["cka", "cka"]}, SpecificationError, "measures must differ"),
        ({"measures": ["linear_predictivity"]}, SpecificationError, "are symmetric; linear_predictivity is not"),
    ],
)
def test_what_cannot_be_asked(changes, error, says):
    with pytest.raises(error, match=says):
        study(OWN | changes).jobs()


def test_without_the_learned_images_one_prediction_is_left_out(monkeypatch, tmp_path):
    monkeypatch.setenv("SYZYGY_DATA", str(tmp_path))
    made = study(OWN | {"task": "mnist", "measures": ["cka"], "gains": []})
    ends = common()
    result = made.analyse(
        {"shallow": invented("shallow", [2, 4], common=ends), "tanh": invented("tanh", [2, 4], common=ends)}
    )
    assert set(result.table("theory")["prediction"]) == set(PREDICTIONS) - {"all_items"}
    assert "is left out: no train-images-idx3-ubyte in" in result.summary[-1]


def test_the_larger_specification_is_kept():
    asked = read_study(Path(__file__).parents[1] / "studies" / "convergence.toml")
    jobs = study(asked).jobs()
    plain = study({"study": "convergence"}).jobs()
    assert len(jobs) >= len(plain)
    assert sum(job.work for job in jobs.values()) > 2 * sum(job.work for job in plain.values())


def test_every_claim_has_a_bound_a_source_and_no_fit():
    for expectation in EXPECTATIONS:
        assert np.isfinite(expectation.low) or np.isfinite(expectation.high)
        assert expectation.sample == "no fit"
        assert expectation.source in ("abstract", "derived", "literature")


def test_default_measures_are_local_and_global_and_symmetric():
    made = [measure(name) for name in study({"study": "convergence"}).measures]
    assert all(one.symmetric for one in made)
    assert {one.name for one in made} >= {"cka", "mutual_knn"}


# Items that are held out


def test_items_that_are_held_out_are_watched_and_not_learned():
    task = digits(per_class=3, held_out=True)
    rest = np.setdiff1d(np.arange(1797), task.probe)
    np.testing.assert_array_equal(task.learned_inputs, digits().inputs[rest])
    np.testing.assert_array_equal(task.learned_targets, digits().targets[rest])
    np.testing.assert_array_equal(task.probe_inputs, digits(per_class=3).probe_inputs)
    plain = digits(per_class=3)
    assert plain.learned_inputs is plain.inputs
    assert not digits(first=30, held_out=True).probe_is_everything


def test_what_is_held_out_changes_no_weight():
    """The same training with other probe targets gives the same outputs."""
    draw = np.random.default_rng(4)
    x, y = draw.normal(size=(12, 3)), draw.normal(size=(12, 1))
    row = NETWORKS[0]

    def outputs(targets, held_out):
        task = Task("mine", x, targets, tuple(map(str, range(12))), probe=(0, 5), held_out=held_out)
        return train(task, setting(row), steps=20, record=study(OWN).record)

    other = y.copy()
    other[[0, 5]] += 10
    one, two = outputs(y, True), outputs(other, True)
    np.testing.assert_array_equal(one.outputs, two.outputs)
    np.testing.assert_array_equal(one.loss, two.loss)
    assert np.abs(outputs(y, False).outputs - outputs(other, False).outputs).max() > 1e-3


def test_nothing_left_to_learn_is_refused():
    with pytest.raises(SpecificationError, match="all 3 items of task 'mine' are held out"):
        Task("mine", np.ones((3, 2)), np.ones((3, 1)), ("a", "b", "c"), held_out=True)
    with pytest.raises(SpecificationError, match="batch_size must lie between 1 and the task's 1777 items"):
        train(digits(held_out=True), "shallow", batch_size=1778)


def test_mnist_can_be_held_out_too(tmp_path):
    images, labels = pictures(60)
    write(tmp_path / "train-images-idx3-ubyte", idx(images))
    write(tmp_path / "train-labels-idx1-ubyte", idx(labels.astype(np.uint8)))
    task = mnist(data_dir=tmp_path, held_out=True)
    assert len(task.learned_inputs) == 40
