"""The geometry of many images: known geometries, what needs no theory, and the published numbers."""

import json
import os
import tomllib
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist, squareform
from scipy.stats import pearsonr, spearmanr

from syzygy.errors import DataError, SpecificationError
from syzygy.fitting import fit_pairs, pair_curves
from syzygy.fitting.score import correlation
from syzygy.published import published
from syzygy.store import MemoryStore
from syzygy.studies import study
from syzygy.studies.claims.geometry import OURS, PUBLISHED, measured, summary
from syzygy.studies.tables.geometry import MEAN, NAIVE, PREDICTIONS, SCOPES, Geometry, correlations, permuted
from syzygy.tasks import digits
from syzygy.theory import class_pair_sums
from syzygy.training import gathered, train_zoo
from syzygy.trajectory import Trajectory

SHARED = Path(__file__).parents[1].parent / "shared"
REFERENCE = SHARED / "reference" / "mnist_struct_theory.npz"
FULL = os.environ.get("SYZYGY_FULL") == "1"
RATES = {OURS: np.array([[2e-3, 3e-3, 1e-3], [1e-2, 1e-2, 4e-2]])}


def geometry(seed=0, networks=3, items=24, classes=4):
    """A start and an input of no structure; the end is not yet said."""
    draw = np.random.default_rng(seed)
    labels = np.sort(np.arange(items) % classes)
    count = items * (items - 1) // 2
    first = draw.uniform(0.1, 0.4, (networks, count))
    return Geometry(
        seeds=np.arange(networks),
        first=first,
        last=np.full(first.shape, np.nan),
        first_y2=draw.uniform(0.001, 0.02, first.shape),
        dx2=pdist(draw.normal(size=(items, 5)), "sqeuclidean"),
        labels=labels,
    )


def end(rate, h2, y2, dx2, dy2):
    """The closed form, written out once more."""
    kappa = rate[0] / rate[1] * dx2
    high, low2 = h2 - kappa * y2 / h2, kappa * dy2
    return high / 2 + np.sqrt(high**2 / 4 + low2)


def scored(some, rates=RATES, sums=None, permutations=49):
    scores = correlations(some, some.predictions(rates, sums))
    draw = np.random.default_rng(0)
    return scores, permuted(some, rates, sums, permutations, draw)


def of(scores, scope, prediction, network=MEAN, column="pearson"):
    rows = scores[(scores["pairs"] == scope) & (scores["prediction"] == prediction) & (scores["network"] == network)]
    return rows[column].item()


# The measures


def test_correlation_is_scipys_over_what_is_there():
    draw = np.random.default_rng(1)
    x, y = draw.normal(size=(2, 3, 40))
    x[0, 5] = y[2, 7] = np.nan
    for row, found in enumerate(correlation(x, y)):
        both = np.isfinite(x[row]) & np.isfinite(y[row])
        assert found == pytest.approx(pearsonr(x[row, both], y[row, both]).statistic, rel=1e-12)
    assert np.isnan(correlation(x[1], np.ones(40)))
    assert correlation(x[1:], -x[1]).tolist()[0] == pytest.approx(-1)


def test_final_distances_are_the_closed_form():
    some = geometry()
    found = some.final_h2(RATES[OURS], some.different())
    i, j = np.triu_indices(24, 1)
    for network in range(3):
        for pair in (0, 17, 100, 275):
            dy2 = 2.0 * (some.labels[i[pair]] != some.labels[j[pair]])
            h2, y2 = some.first[network, pair], some.first_y2[network, pair]
            assert found[network, pair] == pytest.approx(end(RATES[OURS][:, network], h2, y2, some.dx2[pair], dy2))


def test_pairs_that_coincide_and_networks_without_rates_are_not_predicted():
    some = geometry()
    some.first[1, 4] = 0.0
    rates = RATES[OURS].copy()
    rates[0, 2] = np.nan
    found = some.final_h2(rates, some.different())
    assert np.isnan(found[2]).all()
    assert np.isnan(found[:, 4]).all()
    assert np.isfinite(np.delete(found[:2], 4, axis=1)).all()


def test_measured_distances_are_those_of_the_representations():
    draw = np.random.default_rng(2)
    hidden, outputs = draw.normal(size=(3, 4, 6, 5)).astype(np.float32), draw.normal(size=(3, 4, 6, 2))
    inputs, targets = draw.normal(size=(6, 3)), np.eye(2)[[0, 0, 0, 1, 1, 1]]
    hidden[1, 2:] = np.nan
    seen = Trajectory.of(
        steps=range(4), loss=np.ones((3, 4)), outputs=outputs, representations={"hidden.2": hidden}, inputs=inputs,
        targets=targets, items=list("abcdef"), seeds=[3, 5, 8], fates=["trained", "diverged", "learned"],
    )  # fmt: skip
    some = Geometry.of(seen, "hidden.2")
    assert some.seeds.tolist() == [3, 8]
    for network, k in enumerate((0, 2)):
        for values, recorded in (
            (some.first, hidden[k, 0]),
            (some.last, hidden[k, -1]),
            (some.first_y2, outputs[k, 0]),
        ):
            apart = np.square(recorded[:, None].astype(float) - recorded).sum(-1)
            np.testing.assert_allclose(squareform(values[network]), apart, rtol=1e-12)
    np.testing.assert_allclose(squareform(some.dx2), np.square(inputs[:, None] - inputs).sum(-1), rtol=1e-12)
    assert squareform(some.different())[0].tolist() == [False, False, False, True, True, True]


def test_scores_are_scipys_with_and_without_the_blocks_of_one_class():
    some = geometry()
    some = replace(some, last=np.random.default_rng(3).uniform(0, 3, some.first.shape))
    sums = class_pair_sums(np.random.default_rng(4).normal(size=(24, 5)), some.labels)
    predicted = some.predictions(RATES, sums)
    scores = correlations(some, predicted)
    i, j = np.triu_indices(24, 1)
    different = some.labels[i] != some.labels[j]
    for scope, mask in zip(SCOPES, (different | True, different), strict=True):
        for name, values in predicted.items():
            for network, told, last in (
                (MEAN, values.mean(0), some.last.mean(0)), ("seed 2", values[2], some.last[2]),
            ):  # fmt: skip
                found = of(scores, scope, name, network)
                if name == "class" and scope == SCOPES[1]:
                    assert np.isnan(found)  # it does not vary
                    continue
                assert found == pytest.approx(pearsonr(told[mask], last[mask]).statistic, rel=1e-9)
                rank = of(scores, scope, name, network, "spearman")
                assert rank == pytest.approx(spearmanr(told[mask], last[mask]).statistic, rel=1e-9)
    np.testing.assert_array_equal(predicted["published"][1], sums[some.labels[i], some.labels[j]])
    error = np.median(abs(predicted[OURS][1] / some.last[1] - 1)[different])
    assert of(scores, SCOPES[1], OURS, "seed 1", "error") == pytest.approx(error)


def test_between_classes_the_product_is_the_distance_of_inputs():
    some = geometry()
    some = replace(some, last=np.random.default_rng(3).uniform(0, 3, some.first.shape))
    scores, _ = scored(some)
    for network in (MEAN, "seed 0", "seed 1", "seed 2"):
        pair = [of(scores, SCOPES[1], name, network) for name in ("a_low", "input")]
        assert pair[0] == pytest.approx(pair[1], rel=1e-12)


def test_scaling_inputs_changes_no_correlation_once_rates_are_fitted():
    """So raw pixels and normalised ones are one prediction: eta_h·dx2 and a factor of the sums."""
    some = geometry()
    some = replace(some, last=np.random.default_rng(3).uniform(0, 3, some.first.shape))
    raw = replace(some, dx2=some.dx2 * 78.6**2)
    rates = {OURS: RATES[OURS] / [[78.6**2], [1.0]]}
    inputs = np.random.default_rng(4).normal(size=(24, 5))
    one = correlations(some, some.predictions(RATES, class_pair_sums(inputs, some.labels)))
    two = correlations(raw, raw.predictions(rates, class_pair_sums(inputs * 78.6, some.labels)))
    pd.testing.assert_frame_equal(one, two, rtol=1e-9)


# Geometries whose verdict is known


def test_a_geometry_that_is_the_theorys_supports_it():
    """Starts of no structure, so nothing without theory knows what the theory knows."""
    some = geometry()
    some = replace(some, dx2=np.random.default_rng(5).lognormal(0, 2, len(some.dx2)))
    some = replace(some, last=some.final_h2(RATES[OURS], some.different()))
    scores, null = scored(some)
    found = measured(scores, null)
    for name in ("all_pairs", "different_classes"):
        assert list(found[name].values()) == pytest.approx([1.0] * 4, abs=1e-9)
    assert min(found["all_pairs_beyond"].values()) > 0.05
    assert found["classes_matter"] == {MEAN: 1 / 50}
    assert of(scores, SCOPES[0], OURS, column="error") == pytest.approx(0, abs=1e-9)
    assert found["published_all_pairs"] == {}


@pytest.mark.parametrize(("rival", "prediction"), [("class", "different class or not"), ("input", "‖dx‖")])
def test_a_geometry_that_needs_no_theory_is_no_support(rival, prediction):
    some = geometry()
    distance = {"class": 1.0 * some.different(), "input": np.sqrt(some.dx2)}[rival]
    some = replace(some, last=np.broadcast_to(distance, some.first.shape))
    scores, null = scored(some)
    found = measured(scores, null)
    assert of(scores, SCOPES[0], rival) == pytest.approx(1)
    assert max(found["all_pairs_beyond"].values()) < 0
    said = " ".join(summary(scores, null, 3))
    assert "this correlation is no support for the theory" in said
    assert f"{prediction} 1.00" in said


def test_beyond_is_the_margin_over_the_best_rival():
    some = geometry()
    some = replace(some, last=np.random.default_rng(3).uniform(0, 3, some.first.shape))
    sums = class_pair_sums(np.random.default_rng(4).normal(size=(24, 5)), some.labels)
    scores, null = scored(some, sums=sums)
    found = measured(scores, null)
    for name, scope, own in (("all_pairs_beyond", 0, OURS), ("different_classes_beyond", 1, OURS),
                             ("published_beyond", 0, PUBLISHED)):  # fmt: skip
        for network, value in found[name].items():
            rivals = [of(scores, SCOPES[scope], rival, network) for rival in NAIVE]
            expected = of(scores, SCOPES[scope], own, network) - max(r for r in rivals if np.isfinite(r))
            assert value == pytest.approx(expected)
    assert set(found["published_beyond"]) == {MEAN, "seed 0", "seed 1", "seed 2"}


def test_shuffled_classes_are_shuffled_by_hand():
    some = geometry()
    some = replace(some, last=np.random.default_rng(3).uniform(0, 3, some.first.shape) + some.different())
    sums = class_pair_sums(np.random.default_rng(4).normal(size=(24, 5)), some.labels)
    _, null = scored(some, sums=sums, permutations=60)
    draw, i, j = np.random.default_rng(0), *np.triu_indices(24, 1)
    last, truth = some.last.mean(0), some.different()
    by_hand = {"class": [], PUBLISHED: [], "between": []}
    for _ in range(60):
        labels = draw.permutation(some.labels)
        differ, told = labels[i] != labels[j], sums[labels[i], labels[j]]
        by_hand["class"].append(np.corrcoef(differ, last)[0, 1])
        by_hand[PUBLISHED].append(np.corrcoef(told, last)[0, 1])
        both = differ & truth
        by_hand["between"].append(np.corrcoef(told[both], last[both])[0, 1])
    rows = null.set_index(["pairs", "prediction"])
    for (scope, name), key in (((SCOPES[0], "class"), "class"), ((SCOPES[0], PUBLISHED), PUBLISHED),
                               ((SCOPES[1], PUBLISHED), "between")):  # fmt: skip
        row, values = rows.loc[(scope, name)], np.array(by_hand[key])
        assert row["null"] == pytest.approx(np.median(values))
        assert row["null_low"] == pytest.approx(np.quantile(values, 0.025))
        assert row["p"] == (1 + np.sum(values >= row["pearson"])) / 61
    assert rows.loc[(SCOPES[0], "class"), "p"] < 0.05
    assert rows.loc[(SCOPES[1], "a_low"), "p"] > 0.05


# Jobs


@pytest.mark.parametrize(
    ("settings", "expected"),
    [("stable", ("adam", 0.0005)), ("published", ("adam", 0.005)), ("sgd", ("sgd", 0.1)), ("network", ("adam", 0.02))],
)
def test_settings_name_optimiser_and_rate(settings, expected):
    network = study({"study": "mnist-structure"}).network.model_copy(update={"learning_rate": 0.02}).model_dump()
    (job,) = study({"study": "mnist-structure", "settings": settings, "network": network}).jobs().values()
    assert (job.network.optimiser, job.network.learning_rate) == expected
    (job,) = study({"study": "mnist-structure", "settings": settings, "learning_rate": 0.3}).jobs().values()
    assert (job.network.optimiser, job.network.learning_rate) == (expected[0], 0.3)


def test_probes_are_the_first_items_by_class_or_drawn():
    (job,) = study({"study": "mnist-structure", "items": 30}).jobs().values()
    assert job.options == {"first": 30}
    task = digits(first=30)
    labels = task.probe_targets.argmax(-1)
    assert sorted(task.probe) == list(range(30))
    assert (np.diff(labels) >= 0).all()
    assert [p for p, label in zip(task.probe, labels, strict=True) if label == 4] == [4, 14, 24]
    (job,) = study({"study": "mnist-structure", "probe": "drawn", "items": 30, "probe_seed": 4}).jobs().values()
    assert job.options == {"per_class": 3, "probe_seed": 4}
    (job,) = study({"study": "mnist-structure", "task": "mnist", "limit": 500}).jobs().values()
    assert job.options == {"first": 100, "limit": 500}


@pytest.mark.parametrize("first", [1, 1798])
def test_refused_first_items(first):
    with pytest.raises(SpecificationError, match=f"first must lie between 2 and the 1797 items of digits; got {first}"):
        digits(first=first)


def test_refused():
    with pytest.raises(SpecificationError, match="limit is of the task mnist only"):
        study({"study": "mnist-structure", "limit": 100}).jobs()
    with pytest.raises(SpecificationError, match="as many of each of 10 classes; got items = 33"):
        study({"study": "mnist-structure", "probe": "drawn", "items": 33}).jobs()


# A real run

SMALL = {"study": "mnist-structure", "items": 30, "seeds": "0..2", "steps": 250, "record": "every 10", "fitted": 20,
         "permutations": 19, "settings": "network", "network": {"like": "narrow", "name": "images", "optimiser": "adam",
         "width": 30, "depth": 3, "layer": "hidden.2", "gain": 0.5, "learning_rate": 0.003}}  # fmt: skip


@pytest.fixture(scope="module")
def run():
    made, store = study(SMALL), MemoryStore()
    (job,) = made.jobs().values()
    list(train_zoo(job.parts(), store))
    seen = {"images": gathered(job, store)}
    return made, seen, made.analyse(seen)


def altered(trajectory, change, fates=None):
    """The same, its representations changed."""
    return Trajectory.of(
        steps=trajectory.steps,
        loss=trajectory.loss,
        outputs=trajectory.outputs,
        representations={"hidden.2": change(trajectory.representation("hidden.2").copy())},
        inputs=trajectory.inputs,
        targets=trajectory.targets,
        items=trajectory.items,
        seeds=trajectory.seeds,
        fates=fates,
    )


def test_a_run_answers_every_claim(run):
    made, seen, result = run
    assert {claim.expectation.name for claim in result.claims} == {one.name for one in made.expectations}
    for claim in result.claims:
        assert claim.cases
        assert np.isfinite(list(claim.cases.values())).all()
    scores = result.table("correlations")
    assert len(scores) == len(SCOPES) * len(PREDICTIONS) * 4
    some = Geometry.of(seen["images"], "hidden.2")
    expected = pearsonr(some.last[1], some.first[1]).statistic
    assert of(scores, SCOPES[0], "start", "seed 1") == pytest.approx(expected)
    json.loads(result.to_json(), parse_constant=pytest.fail)
    for figure in result.figures:
        assert figure.svg()


def test_rates_of_other_networks_have_not_seen_the_network(run):
    """Whatever becomes of a network at the end, its own prediction stays, and those of the others move."""
    made, seen, _ = run

    def change(values):
        values[1, 5:] *= np.linspace(1, 2, values.shape[1] - 5)[:, None, None]
        return values

    both = seen["images"], altered(seen["images"], change)
    before, after = (made._rates(one, Geometry.of(one, "hidden.2"))[1] for one in both)
    np.testing.assert_allclose(before[OURS][:, 1], after[OURS][:, 1], rtol=1e-13)
    assert (before[OURS][:, [0, 2]] != after[OURS][:, [0, 2]]).all()
    assert (before["own"][:, 1] != after["own"][:, 1]).all()


def test_rates_of_the_first_half_have_not_seen_the_second(run):
    made, seen, _ = run

    def change(values):
        values[:, round(0.5 * values.shape[1]) :] *= 2
        return values

    both = seen["images"], altered(seen["images"], change)
    before, after = (made._rates(one, Geometry.of(one, "hidden.2"))[1] for one in both)
    np.testing.assert_array_equal(before["first_half"], after["first_half"])
    assert (before["own"] != after["own"]).all()


def test_fitted_pairs_are_of_different_classes(run):
    made, seen, result = run
    (trajectory,) = seen.values()
    fit, rates = made._rates(trajectory, Geometry.of(trajectory, "hidden.2"))
    assert len(fit.curves.pairs) == 20
    assert all(first.split()[0] != second.split()[0] for first, second in fit.curves.pairs)
    np.testing.assert_allclose(fit.curves.dy2, 2)
    positions = [tuple(trajectory.items.index(name) for name in pair) for pair in fit.curves.pairs]
    again = fit_pairs(pair_curves(trajectory, "hidden.2", positions))
    use = again.identified[0]
    np.testing.assert_allclose(rates["own"][0, 0], np.exp(np.log(again.eta_h.value[0, use]).mean()))
    np.testing.assert_array_equal(result.table("networks")["eta_h"], rates["own"][0])


def test_without_the_training_images_the_published_prediction_is_left_out(run, monkeypatch):
    made, seen, _ = run

    def gone(**_):
        raise DataError("no train-images here")

    monkeypatch.setattr("syzygy.studies.mnist_structure.TASKS", {"digits": gone})
    result = made.analyse(seen)
    assert result.summary[-1].endswith("is left out: no train-images here.")
    for name in ("published_all_pairs", "published_different_classes", "published_beyond"):
        assert result.claim(name).verdict == "undecided"
    assert result.claim("all_pairs").cases
    assert PUBLISHED not in set(result.table("correlations")["prediction"])


def test_a_diverged_network_is_left_out_and_said(run):
    made, seen, _ = run

    def change(values):
        values[0, 9:] = np.nan
        return values

    result = made.analyse({"images": altered(seen["images"], change, ["diverged", "trained", "trained"])})
    assert list(result.claim("all_pairs").cases) == [MEAN, "seed 1", "seed 2"]
    assert "SZ002" in [finding.code for finding in result.findings]
    assert result.table("networks")["fate"].tolist() == ["diverged", "trained", "trained"]
    assert "mean of 2 networks" in result.summary[0]


def test_one_network_has_no_rates_of_others(run):
    _, seen, _ = run
    (trajectory,) = seen.values()
    alone = Trajectory.of(
        steps=trajectory.steps, loss=trajectory.loss[:1], outputs=trajectory.outputs[:1],
        representations={"hidden.2": trajectory.representation("hidden.2")[:1]}, inputs=trajectory.inputs,
        targets=trajectory.targets, items=trajectory.items, seeds=[0],
    )  # fmt: skip
    result = study(SMALL | {"seeds": "0"}).analyse({"images": alone})
    assert result.claim("all_pairs").verdict in ("undecided", "not reproduced")
    assert np.isfinite(list(result.claim("published_all_pairs").cases.values())).all()
    json.loads(result.to_json(), parse_constant=pytest.fail)


@pytest.mark.parametrize("size", ["quick", "full"])
@pytest.mark.parametrize("name", ["mnist-structure", "mnist-structure-digits"])
def test_specifications(size, name):
    text = (files("syzygy") / "specifications" / size / f"{name}.toml").read_text(encoding="utf-8")
    assert text.startswith("# ")
    made = study(tomllib.loads(text))
    (job,) = made.jobs().values()
    assert (job.network.layer, job.network.gain, job.network.optimiser) == ("hidden.2", 0.5, "adam")
    assert len(job.seeds) == 10
    assert made.task == ("digits" if name.endswith("digits") else "mnist")
    assert bool(made.note) == (size == "quick")


# What the published code gives


@pytest.mark.skipif(not REFERENCE.is_file(), reason="the published numbers are not there")
def test_published_numbers_are_those_of_its_matrices():
    """Rows are sorted by class, labels are not; so labels, and nothing else, need the order."""
    with np.load(REFERENCE) as file:
        labels, told, seen = file["labels"][file["order"]], file["pred"], file["dist2_h_av"].astype(float)
    i, j = np.triu_indices(100, 1)
    told, seen, different = told[i, j], seen[i, j], labels[i] != labels[j]
    assert (told[~different] == 0).all()
    assert (told[different] > 0).all()
    whole, between = pearsonr(told, seen).statistic, pearsonr(told[different], seen[different]).statistic
    alone = pearsonr(different, seen).statistic
    kept = published("mnist-structure", "correlation")
    for name, value in (("different class or not, all pairs", alone), ("published, all pairs", whole),
                        ("published, different classes", between)):  # fmt: skip
        assert kept[name] == pytest.approx(value, abs=1e-4)
    assert published("mnist-structure", "published_all_pairs")["mean"] == pytest.approx(whole, abs=1e-4)
    assert published("mnist-structure", "published_different_classes")["mean"] == pytest.approx(between, abs=1e-4)
    (beyond,) = published("mnist-structure", "published_beyond").values()
    assert beyond == pytest.approx(whole - alone, abs=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "data" / "mnist").is_dir(), reason="the MNIST files are not here")
def test_published_prediction_of_our_networks_does_as_well_as_published(monkeypatch):
    """The published correlations lie within three deviations of single networks from our mean.

    After as many steps as the small specification asks for: between classes the correlation falls during training,
    and is 0.25 ± 0.05 after half of them.
    """
    monkeypatch.setenv("SYZYGY_DATA", str(SHARED / "data"))
    text = (files("syzygy") / "specifications/quick/mnist-structure.toml").read_text(encoding="utf-8")
    reduced = {} if FULL else {"seeds": "0..2", "fitted": 20, "permutations": 19}
    made, store = study(tomllib.loads(text) | reduced), MemoryStore()
    (job,) = made.jobs().values()
    list(train_zoo(job.parts(), store))
    result = made.analyse({"images": gathered(job, store)})
    for name in ("published_all_pairs", "published_different_classes"):
        each = [value for case, value in result.claim(name).cases.items() if case != MEAN]
        assert abs(published("mnist-structure", name)["mean"] - np.mean(each)) < 3 * np.std(each, ddof=1)
