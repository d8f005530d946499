"""Universal dimensions: the authors' simulation, closed forms, invariances, chance, and what cannot be asked."""

import os
from functools import partial
from itertools import combinations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import kstest, norm, ortho_group, pearsonr
from sklearn.base import clone

from syzygy.comparison import universal_dimensions
from syzygy.dimensions import UniversalDimensions
from syzygy.dimensions.universal.chance import discoveries, interval, middle, upper_rank
from syzygy.dimensions.universal.layers import joined
from syzygy.errors import DataError, ShapeError, SpecificationError, UnknownName
from syzygy.measures import rsa
from syzygy.representations import Representations, held
from syzygy.representations.grouped import grouped
from syzygy.trajectory import Trajectory

Quick = partial(UniversalDimensions, permutations=0)


def network(*layers):
    return {f"hidden.{place}": x for place, x in enumerate(layers)}


def related(items=120, seed=0, noise=0.3):
    """Three networks of one or two layers that share four of five dimensions."""
    draw = np.random.default_rng(seed)
    shared = draw.normal(size=(items, 4)) * [4, 3, 2, 1]
    views = [
        np.column_stack([shared, 1.5 * draw.normal(size=items)]) @ ortho_group.rvs(5, random_state=draw) for _ in "abc"
    ]
    a, b, c = (view + noise * draw.normal(size=view.shape) for view in views)
    return {"a": network(a, np.tanh(a)), "b": network(b), "c": network(c, c[:, :2] ** 2)}


def universality(given, **options):
    return Quick(**options).fit(given).universality_["a"]["hidden.0"]


# The authors' simulation


def orthonormal(draw, items, count):
    x = draw.normal(size=(items, count))
    return np.linalg.qr(x - x.mean(axis=0))[0] * np.sqrt(items)


def simulated(seed, items=500, features=10, networks=20):
    """One network shares what brains know, and the others something else; drawn independently."""
    draw = np.random.default_rng(seed)
    brain, other = orthonormal(draw, items, features), orthonormal(draw, items, features)
    noisy = (0.75 * draw.uniform(size=features) * draw.normal(size=(items, features)) for _ in range(networks))
    given = {f"{n}": network((other if n else brain) + noise) for n, noise in enumerate(noisy)}
    brains = {f"{n}": brain + 0.5 * draw.normal(size=(items, features)) for n in range(networks)}
    fitted = Quick(seed=seed).fit(given, given)
    similar = fitted.similarity(brains)
    first = (fitted.table_["network"] == "0").to_numpy()
    u = fitted.table_["universality"].to_numpy()
    return [u[first].mean(), similar.score[first].mean(), u[~first].mean(), similar.score[~first].mean()]


@pytest.mark.slow
def test_the_authors_simulation():
    """Universality and similarity to brains are two things: means over components and ten seeds."""
    networks = 20 if os.environ.get("SYZYGY_FULL") == "1" else 8
    found = np.mean([simulated(seed, networks=networks) for seed in range(10)], axis=0)
    assert abs(found[0]) < 0.05
    assert found[1] == pytest.approx(0.81, abs=0.04)
    assert found[2] == pytest.approx(0.85, abs=0.05)
    assert abs(found[3]) < 0.05


def test_the_simulation_small():
    found = np.mean([simulated(seed, networks=4) for seed in range(2)], axis=0)
    np.testing.assert_allclose(found, [0, 0.82, 0.85, 0], atol=0.12)


# The closed form


def noisy_view(seed, deviations, noise, items=2000, units=64):
    """A network without noise, and one that sees the same through noise."""
    draw = np.random.default_rng(seed)
    z = draw.normal(size=(items, len(deviations))) * deviations
    turned = [z @ ortho_group.rvs(units, random_state=draw)[: len(deviations)] for _ in "ab"]
    return {"a": network(turned[0]), "b": network(turned[1] + noise * draw.normal(size=(items, units)))}


def test_noise_in_the_predictor_has_a_closed_form():
    """√(v/(v + σ²)), less what 800 items cannot tell of 64 units: between least squares and no loss at all."""
    deviations = np.array([8, 6.5, 5, 4, 3, 2.2, 1.6, 1.2])
    found = np.mean([universality(noisy_view(seed, deviations, 2.0)) for seed in range(4)], axis=0)
    limit = deviations / np.sqrt(deviations**2 + 4)
    lost = (1 - limit**2) / limit**2 * 64 / (800 - 64 - 1)
    assert (found < limit + 0.006).all()
    assert (found > limit / np.sqrt(1 + lost) - 0.02).all()
    np.testing.assert_allclose(found, limit, atol=0.055)
    assert np.abs(found - limit)[:5].max() < 0.012


def test_shared_and_private_dimensions_alternate():
    draw = np.random.default_rng(0)
    shared, items, given = draw.normal(size=(2000, 4)) * [8, 6, 4, 3], 2000, {}
    for name in "abc":
        private = draw.normal(size=(items, 4)) * [7, 5, 3.5, 2.5]
        both = np.stack([shared, private], axis=2).reshape(items, 8)
        given[name] = network(both @ ortho_group.rvs(32, random_state=draw)[:8] + draw.normal(size=(items, 32)))
    found = Quick().fit(given).universality_["b"]["hidden.0"]
    variance = np.array([64, 36, 16, 9])
    np.testing.assert_allclose(found[:8:2], variance / (variance + 1), atol=0.03)  # noise on both sides
    assert found[1:8:2].max() < 0.35
    assert np.abs(found[8:]).max() < 0.12


# Against itself, against others, and what changes nothing


def test_a_network_tells_itself():
    given = related(noise=0)
    found = Quick().fit({"a": given["a"], "b": given["a"]})
    np.testing.assert_allclose(found.table_["universality"], 1, atol=1e-5)


def test_shuffled_items_share_nothing():
    given, draw = related(300), np.random.default_rng(1)
    found = []
    for _ in range(5):
        shuffled = {name: network(*(x[draw.permutation(300)] for x in given[name].values())) for name in "bc"}
        found.append(universality({"a": given["a"], **shuffled}))
    assert abs(np.mean(found)) < 0.05  # 25 components; standard error 0.02
    assert universality(given)[:3].min() > 0.9


def test_rotations_scale_and_place_of_any_network_change_nothing():
    given, turn = related(), partial(ortho_group.rvs, random_state=3)
    plain = universality(given)
    for name in "abc":
        x = given[name]["hidden.0"]
        changed = given | {name: given[name] | {"hidden.0": 3 * x @ turn(5) + 7}}
        if len(given[name]) > 1:  # layers of one network keep their scales to one another
            changed[name] = {layer: 3 * y @ turn(y.shape[1]) - 1 for layer, y in given[name].items()}
        np.testing.assert_allclose(universality(changed), plain, atol=1e-9)


def test_any_invertible_map_of_the_predictor_changes_nothing_but_regularisation():
    given, draw = related(), np.random.default_rng(0)
    mapped = {name: network(*(x @ draw.normal(size=(x.shape[1],) * 2) for x in given[name].values())) for name in "bc"}
    free = {"penalties": (1e-13,)}
    np.testing.assert_allclose(universality(given | mapped, **free), universality(given, **free), atol=1e-7)
    np.testing.assert_allclose(universality(given | mapped), universality(given), atol=0.02)


def test_universality_is_the_median_over_others_of_the_mean_over_folds():
    given = related()
    fitted = Quick(seed=3).fit(given)
    scored, folds = fitted.items_, fitted.scoring_.folds
    one = fitted.layers_.components["a"]["hidden.1"]
    for place, y in enumerate(one.scores(given["a"]["hidden.1"][scored]).T):
        by_others = []
        for name in "bc":
            guess = fitted.scoring_.predict(joined(given[name])[scored], y[:, None])[:, 0]
            by_others.append(np.mean([pearsonr(guess[fold], y[fold]).statistic for fold in folds]))
        assert fitted.universality_["a"]["hidden.1"][place] == pytest.approx(np.median(by_others))
    rows = (fitted.table_["network"] == "a").to_numpy()
    for by in (["b"], ["a", "b"]):
        np.testing.assert_allclose(fitted.median(by)[rows], fitted.scores_[1, rows])
    assert np.isnan(fitted.median(["b"])[(fitted.table_["network"] == "b").to_numpy()]).all()
    assert np.isnan(fitted.scores_[0, rows]).all()


def test_items_that_score_choose_nothing():
    given = related()
    fitted = Quick().fit(given)
    changed = {name: {layer: x.copy() for layer, x in layers.items()} for name, layers in given.items()}
    for layers in changed.values():
        for x in layers.values():
            x[fitted.items_] = np.random.default_rng(0).normal(size=(60, x.shape[1]))
    again = Quick().fit(changed)
    for name, layers in fitted.layers_.components.items():
        for layer, one in layers.items():
            np.testing.assert_array_equal(again.layers_.components[name][layer].axes, one.axes)
    rest = np.setdiff1d(np.arange(120), fitted.items_)
    parts = [{n: {k: x[i] for k, x in v.items()} for n, v in given.items()} for i in (fitted.items_, rest)]
    np.testing.assert_array_equal(Quick().fit(*parts).layers_.components["a"]["hidden.0"].axes,
                                  fitted.layers_.components["a"]["hidden.0"].axes)  # fmt: skip


def test_single_units_tell_less_than_regression():
    given = related(noise=0.1)
    assert (universality(given, predictor="matching")[:3] < universality(given)[:3] - 0.02).all()


def test_single_precision_is_enough():
    given = related()
    np.testing.assert_allclose(universality(given, precision="float32"), universality(given), atol=1e-4)


# Chance, and intervals


def test_p_is_uniform_where_nothing_is_shared():
    found = []
    for seed in range(25):
        draw = np.random.default_rng(seed)
        own = [draw.standard_t(3, size=(100, 4)), draw.normal(size=(100, 9)), draw.exponential(size=(100, 60))]
        fitted = UniversalDimensions(permutations=200, components=4, seed=seed).fit(
            dict(zip("abc", map(network, own), strict=True))
        )
        found.append(fitted.table_["p"].to_numpy()[[0, 4, 8]])
    assert kstest(np.ravel(found), "uniform").pvalue > 0.01
    assert np.mean(np.array(found) <= 0.2) == pytest.approx(0.2, abs=0.14)  # three standard errors


def test_what_is_shared_is_significant_and_what_is_not_is_not():
    fitted = UniversalDimensions(permutations=499).fit(related(noise=0.1))
    first = fitted.table_[(fitted.table_["network"] == "a") & (fitted.table_["layer"] == "hidden.0")]
    told = first["universality"] > 0.5
    assert told.sum() == 4
    assert (first.loc[told, "q"] < 0.01).all()
    assert (first.loc[~told, "p"] > 0.01).all()


def test_intervals_hold_the_truth():
    """At least as often as they say: the median of others is surer than each of them."""
    held, deviations = [], np.array([4.0, 2.0, 1.0])
    for seed in range(40):
        found = noisy_view(seed, deviations, 1.5, items=400, units=3)
        table = Quick(seed=seed).fit(found).table_.query("network == 'a'")
        truth = deviations / np.sqrt(deviations**2 + 1.5**2)
        held.append((table["low"] < truth) & (truth < table["high"]))
    assert 0.88 < np.mean(held) <= 1


def test_shuffles_ranks_and_corrections():
    null = np.random.default_rng(0).normal(size=999)
    np.testing.assert_allclose(upper_rank(np.array([0.0, 1.645]), null), norm.sf([0, 1.645]), atol=0.05)
    assert np.isnan(upper_rank(np.array([1.0]), np.array([]))).all()
    np.testing.assert_allclose(discoveries(np.array([0.01, 0.02, np.nan, 0.5])), [0.03, 0.03, np.nan, 0.5])
    value, error = middle(np.array([[0.1], [0.5], [0.3], [0.9]]), np.array([[1.0], [2.0], [4.0], [8.0]]))
    assert (value[0], error[0]) == pytest.approx((0.4, 3.0))
    low, high = interval(np.array([1.0, 0.0]), np.array([0.0, 0.1]), 0.95)
    np.testing.assert_allclose([low, high], [[1, -0.193], [1, 0.193]], atol=1e-3)


# Reference systems, and other networks


def test_similarity_is_a_mean_over_subjects_and_reliability_one_over_pairs():
    given, draw = related(), np.random.default_rng(7)
    brains = {
        name: given["b"]["hidden.0"] + sd * draw.normal(size=(120, 5))
        for name, sd in zip("xyz", (1, 2, 3), strict=True)
    }
    fitted = Quick().fit(given)
    found = fitted.similarity(brains)
    y, folds = fitted.targets_[:, 0], fitted.scoring_.folds
    guesses = [fitted.scoring_.predict(x[fitted.items_], y[:, None])[:, 0] for x in brains.values()]
    each = [np.mean([pearsonr(guess[f], y[f]).statistic for f in folds]) for guess in guesses]
    np.testing.assert_allclose(found.scores[:, 0], each)
    assert found.score[0] == pytest.approx(np.mean(each))
    agreed = np.mean([[pearsonr(a[f], b[f]).statistic for f in folds] for a, b in combinations(guesses, 2)])
    assert found.reliability[0] == pytest.approx(agreed)
    assert found.adjusted[0] == pytest.approx(max(np.mean(each), 0) / np.sqrt(agreed))
    assert (found.adjusted[~np.isnan(found.adjusted)] >= 0).all()
    other = draw.normal(size=(120, 4))
    unlike = fitted.similarity({"x": other, "y": other + 0.01 * draw.normal(size=other.shape)})
    assert unlike.reliability.min() > 0.5
    assert (unlike.adjusted[unlike.score < 0] == 0).all()
    assert (unlike.score < 0).any()
    alone = fitted.similarity({"x": brains["x"]})
    assert np.isnan(alone.reliability).all()
    assert np.isnan(alone.adjusted).all()
    assert (alone.errors > 0).all()


def test_other_networks_tell_components_unless_they_are_kin():
    given = related()
    fitted = Quick().fit(given)
    names, found = fitted.predicted_by({"new": given["b"], "b": given["b"]})
    assert names == ("new", "b")
    own = (fitted.table_["network"] == "b").to_numpy()
    np.testing.assert_allclose(found[0, ~own], fitted.scores_[1, ~own])
    assert np.isnan(found[1, own]).all()
    np.testing.assert_allclose(found[0, own], 1, atol=1e-4)


# As an estimator


def test_the_most_universal_come_first():
    given, new = related(), related(seed=1)
    fitted = Quick().fit(given)
    u, one = fitted.universality_["a"]["hidden.0"], fitted.layers_.components["a"]["hidden.0"]
    order = np.argsort(-u)
    x = new["a"]["hidden.0"]
    read = fitted.transform({"a": {"hidden.0": x}}, top=3)
    np.testing.assert_allclose(read["a"]["hidden.0"], one.scores(x)[:, order[:3]])
    whole, part = (fitted.rebuilt({"a": {"hidden.0": x}}, top)["a"]["hidden.0"] for top in (None, 3))
    np.testing.assert_allclose(whole, x, atol=1e-10)
    np.testing.assert_allclose(one.scores(part)[:, order[3:]], 0, atol=1e-10)
    assert fitted.transform(new).keys() == new.keys()
    assert rsa(part, x) > 0.8


def test_it_keeps_the_conventions_of_scikit_learn():
    asked = UniversalDimensions(folds=4, seed=2)
    assert asked.get_params()["folds"] == 4
    assert asked.set_params(folds=3).folds == 3
    copy = clone(asked.fit(related()))
    assert copy.get_params() == asked.get_params()
    assert not hasattr(copy, "table_")
    again = copy.fit(related())
    assert again is copy
    np.testing.assert_array_equal(again.table_["p"], asked.table_["p"])
    assert asked.table_.columns.tolist() == ["network", "layer", "component", "variance", "eigenspace",
        "eigenspace_size", "universality", "low", "high", "p", "q"]  # fmt: skip


def test_non_negative_parts_are_another_basis():
    given = {name: network(*(np.abs(x) for x in layers.values())) for name, layers in related().items()}
    fitted = Quick(basis="nmf", components=2).fit(given)
    assert fitted.table_.groupby(["network", "layer"], sort=False).size().tolist() == [2] * 5
    assert fitted.transform(given, 1)["a"]["hidden.0"].shape == (120, 1)
    assert fitted.scores_.shape == (3, 10)


def test_what_a_reader_should_know_is_noted():
    given = related()
    x = given["b"]["hidden.0"]
    fitted = Quick()
    scored = fitted.fit(given).items_
    flat = np.where(np.isin(np.arange(120), scored), 0.0, np.random.default_rng(0).normal(size=120))
    given["b"] = network(np.column_stack([x, x]), np.column_stack([flat, x[:, 0]]))
    fitted.fit(given)
    said = "\n".join(fitted.notes_)
    assert "hidden.0 of b has 5 components of 10 units" in said
    assert "share an eigenspace" in said
    dead = given | {"b": network(x, np.column_stack([flat]))}
    found = Quick(permutations=50).fit(dead)
    assert "hidden.1 of b: 1 components are constant over the 60 items" in "\n".join(found.notes_)
    row = found.table_.query("network == 'b' and layer == 'hidden.1'")
    assert row[["universality", "p", "q"]].isna().all(axis=None)
    assert found.table_["q"].notna().sum() == len(found.table_) - 1
    assert found.transform(dead)["b"]["hidden.1"].shape == (120, 1)


# From anywhere


def test_representations_are_grouped_into_networks(tmp_path):
    given = related()
    plain = Quick().fit(given)
    for name, layers in given.items():
        np.savez(tmp_path / f"{name}.npz", **layers)
    files = universal_dimensions([tmp_path / f"{name}.npz" for name in "abc"], permutations=0)
    assert files.networks_ == ("a", "b", "c")
    np.testing.assert_allclose(files.table_["universality"], plain.table_["universality"])
    array = xr.DataArray(np.stack([given[n]["hidden.0"] for n in "abc"]), dims=("network", "item", "unit"),
                         coords={"network": list("abc")})  # fmt: skip
    labelled = universal_dimensions(array, permutations=0)
    only = Quick().fit({name: network(layers["hidden.0"]) for name, layers in given.items()})
    assert labelled.networks_ == ("a", "b", "c")
    np.testing.assert_allclose(labelled.table_["universality"], only.table_["universality"])
    alone = universal_dimensions({name: layers["hidden.0"] for name, layers in given.items()}, permutations=0)
    np.testing.assert_allclose(alone.table_["universality"], only.table_["universality"])


def recorded(seed=0):
    given = related(seed=seed)
    x = np.stack([given[n]["hidden.0"] for n in "abc"])[:, None]
    return Trajectory.of(
        steps=[0, 5], loss=np.ones((3, 2)), outputs=np.zeros((3, 2, 120, 1)), inputs=np.zeros((120, 1)),
        targets=np.zeros((120, 1)), items=[f"{n}" for n in range(120)], seeds=[0, 1, 2],
        representations={"hidden.0": np.concatenate([x[::-1], x], axis=1), "hidden.1": np.concatenate([x, x], axis=1)},
        about={"network": {"name": "own"}},
    )  # fmt: skip


def test_recorded_runs_are_networks_by_seed():
    found = universal_dimensions(
        {"own": recorded()}, layers=["hidden.0"], fitted_on={"own": recorded(1)}, permutations=0
    )
    assert found.networks_ == ("own/seed 0", "own/seed 1", "own/seed 2")
    assert len(found.items_) == 120
    both = Representations.of({"own": recorded()}).by_network()
    assert {name: list(layers) for name, layers in both.items()}["own/seed 1"] == ["hidden.0", "hidden.1"]
    with pytest.raises(SpecificationError, match=r"hidden\.0 of own/seed 0 is there more than once"):
        universal_dimensions({"own": recorded()}, steps="all")
    first = universal_dimensions({"own": recorded()}, layers=["hidden.0"], steps="first", permutations=0)
    assert first.networks_ == found.networks_


def test_networks_are_called_by_as_little_as_tells_them_apart():
    def one(name, **where):
        return held(name, A, layer="h", **where)

    plain = [one(str(seed), network="n", seed=seed, gain=1.0, file="f") for seed in (0, 1)]
    assert list(grouped(plain)) == ["n/seed 0", "n/seed 1"]
    gained = [one(str(gain), network="n", seed=0, gain=gain, file="f") for gain in (0.5, 1.0)]
    assert list(grouped(gained)) == ["n/seed 0/gain 0.5", "n/seed 0/gain 1.0"]
    filed = [one(file, network="n", seed=0, gain=1.0, file=file) for file in ("f", "g")]
    assert list(grouped(filed)) == ["n/seed 0/gain 1.0/f", "n/seed 0/gain 1.0/g"]
    assert list(grouped([one(file, file=file) for file in ("x/f.npz", "y/f.npz")])) == ["x/f.npz", "y/f.npz"]
    assert list(grouped([one(file, file=file) for file in ("x/f.npz", "y/g.npz")])) == ["f", "g"]


# What cannot be asked

A = np.random.default_rng(0).normal(size=(50, 3))
GIVEN = {"a": {"h": A}, "b": {"h": A + 1}}


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"a": {"h": A}}, SpecificationError, r"1 network \(a\) of the representations"),
        ({}, SpecificationError, "0 networks of the representations"),
        ([A, A], SpecificationError, "a dictionary from network to a dictionary from layer.*got list"),
        ({"a": {"h": A}, "b": A}, SpecificationError, "b of the representations must be a dictionary"),
        ({"a": {"h": A}, "b": {}}, SpecificationError, "b of the representations must be a dictionary"),
        ({"a": {"h": A}, "b": {"h": A[:40]}}, ShapeError, "h of b has 40 items and h of a 50"),
        ({"a": {"h": A[:30]}, "b": {"h": A[:30]}}, ShapeError, "15 of 30 items to score on are too few for 5 folds"),
        ({"a": {"h": A}, "b": {"h": A[:, 0]}}, ShapeError, r"h of b must be \(item, unit\)"),
        ({"a": {"h": A}, "b": {"h": A * np.inf}}, DataError, "h of b has values that are not finite"),
        ({"a": {"h": A}, "b": {"h": [["x"]]}}, DataError, "h of b is no array of numbers"),
        ({"a": {"h": A}, "b": {"h": np.ones((50, 2))}}, DataError, "h of b is the same for all 25 items"),
    ],
)
def test_representations_that_cannot_be_used(given, error, says):
    with pytest.raises(error, match=says):
        Quick().fit(given)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"basis": "ica"}, UnknownName, "unknown basis 'ica'"),
        ({"predictor": "lasso"}, UnknownName, "unknown predictor 'lasso'"),
        ({"criterion": "r2"}, UnknownName, "unknown criterion 'r2'"),
        ({"precision": "float16"}, UnknownName, "unknown precision 'float16'"),
        ({"folds": 1}, SpecificationError, "folds must be at least 2, got 1"),
        ({"fitted": 1.0}, SpecificationError, "fitted is a share between 0 and 1"),
        ({"penalties": (0.0, 1.0)}, SpecificationError, "penalties must be positive and finite"),
        ({"penalties": ()}, SpecificationError, "penalties must be positive and finite"),
        ({"components": 0}, SpecificationError, "components must be at least 1"),
        ({"basis": "nmf"}, SpecificationError, "say how many components basis='nmf' shall find"),
        ({"permutations": -1}, SpecificationError, "permutations must not be negative"),
        ({"level": 1.0}, SpecificationError, "level must be between 0 and 1"),
        ({"basis": "nmf", "components": 2}, DataError, "h of a has negative values"),
    ],
)
def test_options_that_cannot_be_asked(options, error, says):
    with pytest.raises(error, match=says):
        UniversalDimensions(**options).fit(GIVEN)


@pytest.mark.parametrize(
    ("ask", "error", "says"),
    [
        (lambda one: one.fit(GIVEN, {"a": {"h": A}}), UnknownName, "unknown network 'b'"),
        (lambda one: one.fit(GIVEN, GIVEN | {"c": {"h": A}}), UnknownName, "unknown fitted layer 'c/h'"),
        (lambda one: one.fit(GIVEN, GIVEN | {"b": {"h": A[:, :2]}}), ShapeError, "has 3 units, and was fitted with 2"),
        (lambda one: one.transform({"c": {"h": A}}), UnknownName, "unknown network 'c'"),
        (lambda one: one.transform({"a": {"k": A}}), UnknownName, "unknown layer of a 'k'"),
        (lambda one: one.transform(GIVEN, top=0), SpecificationError, "top must be at least 1"),
        (lambda one: one.median(["z"]), UnknownName, "unknown network 'z'"),
        (lambda one: one.predicted_by({"c": {"h": A[:20]}}), ShapeError, "the other networks have 20 items"),
        (lambda one: one.similarity({}), SpecificationError, "a dictionary from subject"),
        (lambda one: one.similarity({"s": A[:9]}), ShapeError, "s of the reference has 9 items"),
        (lambda one: clone(one).transform(GIVEN), SpecificationError, r"call fit\(representations\) first"),
        (lambda one: one.predicted_by({"c": {"h": np.ones((50, 2))}}), DataError, "c is the same for all 25 items"),
    ],
)  # fmt: skip
def test_what_a_fitted_one_cannot_do(ask, error, says):
    with pytest.raises(error, match=says):
        ask(Quick().fit(GIVEN))
