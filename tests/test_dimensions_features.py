"""Shares of features: identities, closed forms, another implementation, and what cannot be asked."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold

from syzygy.comparison import feature_doubts, feature_variance
from syzygy.dimensions.features import (
    Feature,
    FeatureVariance,
    ablated,
    direction,
    doubts,
    flips,
    preference,
    read_features,
)
from syzygy.dimensions.features.causal import half_way
from syzygy.dimensions.features.shares import by_order, chance, squares
from syzygy.errors import DataError, ShapeError, SpecificationError, UnknownName
from syzygy.linalg.ridge import split
from syzygy.trajectory import Trajectory


def draw(seed=0):
    return np.random.default_rng(seed)


def signs(items, columns, seed=0):
    return draw(seed).choice([-1.0, 1.0], size=(items, columns))


# Shares


def test_shares_are_those_of_scikit_learn_fold_by_fold():
    """A ratio of sums over units and folds, with the mean of the fitted items in the denominator."""
    a, size = signs(90, 1)[:, 0], draw(1).normal(size=90)
    kind = draw(2).choice(["x", "y", "z"], size=90)
    x = np.outer(a, [2, 1, 0, 0]) + np.outer(size, [0, 0, 1, 1]) + draw(3).normal(size=(90, 4))
    found = FeatureVariance(folds=3, seed=4).fit(x, {"a": a, "size": size, "kind": kind})
    designs = {"a": a[:, None], "size": size[:, None], "kind": pd.get_dummies(kind).to_numpy(float)}
    for place, design in enumerate(designs.values()):
        missed = total = 0.0
        for fold in split(90, 3, 4):
            rest = np.setdiff1d(np.arange(90), fold)
            guess = LinearRegression().fit(design[rest], x[rest]).predict(design[fold])
            missed += ((x[fold] - guess) ** 2).sum()
            total += ((x[fold] - x[rest].mean(axis=0)) ** 2).sum()
        assert found.shares_["representation"][place] == pytest.approx(1 - missed / total, rel=1e-12)
    assert found.table_["feature"].tolist() == list(designs)
    np.testing.assert_array_equal(found.table_["share"], found.shares_["representation"])


def test_shares_of_what_is_built_are_known():
    """With independent features and orthogonal directions a feature's share is its part of the variance: 3 errors."""
    sizes, items = np.array([3.0, 1.0, 0.5]), 20_000
    x = signs(items, 3) * sizes + 0.5 * draw(1).normal(size=(items, 3))
    found = FeatureVariance().fit(x, {"a": x[:, 0] > 0, "b": signs(items, 3)[:, 1], "c": signs(items, 3)[:, 2]})
    table = found.table_.set_index("feature")
    whole = (sizes**2).sum() + 3 * 0.25
    for name, size in zip("bc", sizes[1:], strict=True):
        assert table["low"][name] - 0.003 < size**2 / whole < table["high"][name] + 0.003
    assert table["joint"].iloc[0] == pytest.approx(table["share"].sum(), abs=0.003)
    assert table["joint"].iloc[0] == pytest.approx((sizes**2).sum() / whole, abs=0.01)


def test_perfect_and_scaled_and_moved():
    a = signs(40, 1)[:, 0]
    x = np.outer(a, [1.0, 2.0])
    share = FeatureVariance().fit(x, {"a": a}).shares_["representation"]
    np.testing.assert_allclose(share, 1, atol=1e-12)
    noisy = x + draw().normal(size=x.shape)
    one = FeatureVariance().fit(noisy, {"a": a}).shares_["representation"]
    q = np.linalg.qr(draw(1).normal(size=(2, 2)))[0]
    other = FeatureVariance().fit(7 * noisy @ q + 100, {"a": a == 1}).shares_["representation"]
    np.testing.assert_allclose(one, other, rtol=1e-9)
    single = noisy.astype(np.float32)  # is read in double precision
    found = [FeatureVariance().fit(x, {"a": a}).shares_["representation"] for x in (single, single.astype(np.float64))]
    np.testing.assert_array_equal(*found)


def test_a_ratio_of_sums_is_not_a_mean_of_ratios():
    """Items near the mean have ratios without bound; the ratio of sums is scikit-learn's weighed by variance."""
    a, noise = signs(400, 1)[:, 0], draw(1).normal(size=(400, 3))
    x, folds = np.outer(a, [0.5, 0, 0]) + noise, split(400, 2, 0)
    own = squares(x, a[:, None], folds)
    ratios = 1 - own.missed / own.total
    assert ratios.mean() < 0 < own.share() < 0.15
    fold, rest = folds
    guess = LinearRegression().fit(a[rest, None], x[rest]).predict(a[fold, None])
    weighed = r2_score(x[fold], guess, multioutput="variance_weighted")
    missed, total = own.missed[fold].sum(), ((x[fold] - x[fold].mean(axis=0)) ** 2).sum()
    assert weighed == pytest.approx(1 - missed / total)


def test_chance_is_the_mean_over_shuffled_items():
    """Over all 720 orders of six items what is missed is a known contrast; over draws, 4 standard errors."""
    x, design, folds = draw().normal(size=(6, 2)) ** 3, np.array([[0.0, 1, 1, 0, 0, 1]]).T, split(6, 2, 0)
    sums = [[part.sum() for part in squares(x[list(order)], design, folds)] for order in permutations(range(6))]
    missed, total = np.mean(sums, axis=0)
    assert chance(design, folds) == pytest.approx(1 - missed / total, rel=1e-10)
    x, design, folds = draw(1).normal(size=(60, 3)), signs(60, 2), split(60, 5, 0)
    shares = [squares(x[draw(one).permutation(60)], design, folds).share() for one in range(100)]
    assert abs(np.mean(shares) - chance(design, folds)) < 4 * np.std(shares) / 10


def test_unbiased_share_of_few_items():
    """Of 12 items the plain share is too low; the other one is right in the mean: 4 standard errors of 200 draws."""
    found = []
    for seed in range(200):
        a = np.repeat([-1.0, 1.0], 6)
        x = np.outer(a, np.full(30, 1.0)) + draw(seed).normal(size=(12, 30))
        found.append(FeatureVariance(folds=2, seed=seed).fit(x, {"a": a}).table_.iloc[0])
    frame = pd.DataFrame(found)
    true = 0.5 / (0.5 + 0.5)
    plain, unbiased = frame["share"].mean(), frame["unbiased"].mean()
    assert plain < true - 0.04
    # The mean of a ratio is not that of its parts: 0.01 for it.
    assert abs(unbiased - true) < 4 * frame["unbiased"].std() / np.sqrt(200) + 0.01


def test_intervals_hold_the_share_of_the_population():
    """95% of 150 draws, within 4 binomial errors."""
    inside = 0
    for seed in range(150):
        a = signs(200, 1, seed)[:, 0]
        x = np.outer(a, [1.0, 0]) + draw(seed + 1000).normal(size=(200, 2))
        row = FeatureVariance(folds=2, seed=seed).fit(x, {"a": a}).table_.iloc[0]
        inside += row["low"] < 1 / 3 < row["high"]
    assert abs(inside / 150 - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 150)


def test_error_is_that_of_items_drawn_anew():
    """The influence of each item against the bootstrap: within a tenth."""
    a = signs(300, 1)[:, 0]
    own = squares(np.outer(a, [1.0, 0]) + draw(1).normal(size=(300, 2)) ** 3, a[:, None], split(300, 5, 0))
    again = draw(2).integers(300, size=(2000, 300))
    shares = 1 - own.missed[again].sum(axis=1) / own.total[again].sum(axis=1)
    assert own.error() == pytest.approx(shares.std(), rel=0.1)


def test_features_that_say_the_same_share_what_they_explain():
    a, b = signs(400, 2).T
    x = np.column_stack([2 * a, b]) + 0.1 * draw(1).normal(size=(400, 2))
    found = FeatureVariance().fit(x, {"a": a, "again": -a, "b": b})
    table = found.table_.set_index("feature")
    assert table["share"]["a"] == pytest.approx(table["share"]["again"])
    np.testing.assert_allclose(table["added"][["a", "again"]], 0, atol=1e-12)
    assert table["shapley"]["a"] == pytest.approx(table["shapley"]["again"])
    assert table["shapley"].sum() == pytest.approx(table["joint"].iloc[0])
    assert table["shapley"]["a"] == pytest.approx(table["share"]["a"] / 2, abs=0.003)
    assert any("'a' and 'again' correlate (-1.00)" in line for line in found.notes_)


def test_shapley_is_the_mean_over_orders():
    worth = {(): 0.0, (0,): 0.2, (1,): 0.5, (2,): 0.1, (0, 1): 0.6, (0, 2): 0.35, (1, 2): 0.5, (0, 1, 2): 0.9}
    gains = np.zeros(3)
    for order in permutations(range(3)):
        for place, one in enumerate(order):
            before = tuple(sorted(order[:place]))
            gains[one] += (worth[tuple(sorted((*before, one)))] - worth[before]) / 6
    np.testing.assert_allclose(by_order(lambda some: np.float64(worth[some]), 3), gains)


def test_steps_and_layers_on_the_scale_of_the_end():
    a, b = signs(200, 2).T
    steps = np.stack([np.column_stack([grown * a, 0.5 * b]) for grown in (0.0, 1.0, 2.0)])
    both = np.stack([steps, 3 * steps])
    found = FeatureVariance().fit({"first": both, "second": steps}, {"a": a, "b": b}, accuracy={"a": [0.5, 0.9, 1.0]})
    table = found.table_
    assert list(table.columns[:4]) == ["layer", "network", "step", "feature"]
    assert len(table) == 2 * 3 * 2 + 3 * 2
    first = table[table["layer"] == "first"].pivot(index=["network", "step"], columns="feature", values="of_final")
    np.testing.assert_allclose(first["a"], np.tile([0, 1, 4], 2) / 4.25, atol=0.03)
    np.testing.assert_allclose(first["b"], 0.25 / 4.25, atol=0.01)
    last = table[(table["step"] == 2)]
    np.testing.assert_allclose(last["of_final"], last["share"])
    for layer, x in (("first", both), ("second", steps)):
        alone = FeatureVariance().fit(x[..., 1, :, :].reshape(-1, 200, 2)[-1], {"a": a, "b": b})
        np.testing.assert_allclose(found.shares_[layer][:, ..., 1].reshape(2, -1)[:, -1],
                                   alone.shares_["representation"])  # fmt: skip
    told = table[table["feature"] == "a"]
    np.testing.assert_array_equal(told["accuracy"], np.array([0.5, 0.9, 1.0])[told["step"]])
    assert table[table["feature"] == "b"]["accuracy"].isna().all()
    assert found.notes_ == ()


def test_a_layer_that_does_not_vary_has_no_share():
    a = signs(40, 1)[:, 0]
    found = FeatureVariance().fit({"dead": np.full((40, 3), 0.1), "alive": a[:, None]}, {"a": a})
    assert np.isnan(found.shares_["dead"]).all()
    assert found.notes_ == ("dead is the same for all items in 1 of 1 representations: no share",)


def test_p_by_shuffled_items():
    a, b = signs(60, 2).T
    x = np.column_stack([a, draw(1).normal(size=60)])
    found = FeatureVariance(permutations=99).fit(x, {"a": a, "b": b}).table_.set_index("feature")["p"]
    assert found["a"] == 0.01
    assert found["b"] > 0.05
    asked = [FeatureVariance(folds=2, permutations=19, seed=one) for one in range(40)]
    p = [one.fit(draw(seed).normal(size=(30, 2)), signs(30, 1, seed)).table_["p"][0] for seed, one in enumerate(asked)]
    assert abs(np.mean(np.array(p) <= 0.1) - 0.1) < 4 * np.sqrt(0.09 / 40)


def test_it_follows_scikit_learn():
    asked = FeatureVariance(folds=3, permutations=5)
    assert clone(asked).get_params() == {"folds": 3, "level": 0.95, "permutations": 5, "seed": 0}
    assert KFold(3).get_n_splits() == asked.folds


# Features


def test_kinds_of_features():
    table = pd.DataFrame(
        {"bit": [0, 1] * 5, "name": list("abcabcabca"), "size": np.arange(10) / 7, "sign": [-1.0, 1] * 5}
    )
    kinds = {name: one.kind for name, one in read_features(table).items()}
    assert kinds == {"bit": "binary", "name": "categorical", "size": "continuous", "sign": "binary"}
    assert [one.kind for one in read_features(np.column_stack([table["bit"], table["sign"]])).values()] == [
        "binary"
    ] * 2
    assert list(read_features(np.array([0, 1, 0, 1]))) == ["0"]
    assert read_features({"place": draw().normal(size=(6, 2))})["place"].design.shape == (6, 2)


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({}, SpecificationError, "there are no features"),
        ({"a": [0, 1, 0, 1, 1]}, ShapeError, "feature 'a' has 5 items and the representation 6"),
        ({"a": np.zeros((6, 2, 2))}, ShapeError, r"must be \(item,\), or \(item, column\)"),
        (np.zeros((2, 2, 2)), ShapeError, r"features are \(item, feature\)"),
        ({"a": [0, 1.5, 2, np.nan, 1, 1]}, DataError, "'a' has values that are not finite"),
        ({"a": [[0, 1.0]] * 5 + [[np.inf, 0]]}, DataError, "'a' has values that are not finite"),
        ({"a": ["x"] * 6}, DataError, "'a' is x for all 6 items"),
        ({"a": [0, 0, 0, 1, 1, 2]}, DataError, "2 of feature 'a' has one item"),
        ({"a": [0, 0, None, 1, 1, 1]}, DataError, "'a' lacks a value for some items"),
        ({"a": [[1, 2.0]] * 6}, DataError, "'a' has a column that is the same for all 6 items"),
        ({"a": [["x", "y"]] * 6}, DataError, "'a' of several columns must be of numbers"),
    ],
)
def test_features_that_cannot_be(given, error, says):
    with pytest.raises(error, match=says):
        FeatureVariance(folds=2).fit(draw().normal(size=(6, 2)), given)


@pytest.mark.parametrize(
    ("options", "x", "error", "says"),
    [
        ({"folds": 1}, np.zeros((6, 2)), SpecificationError, "folds are 2 or more"),
        ({"level": 1.0}, np.zeros((6, 2)), SpecificationError, "level lies between 0 and 1"),
        ({"permutations": -1}, np.zeros((6, 2)), SpecificationError, "permutations are 0 or more"),
        ({"folds": 4}, np.zeros((6, 2)), ShapeError, "6 items are too few for 4 folds"),
        ({}, {}, SpecificationError, "there are no layers"),
        ({}, np.zeros(6), ShapeError, r"must be \(item, unit\) or with step"),
        ({}, np.full((6, 2), np.nan), DataError, "leave out networks that diverged"),
        ({}, [["a"] * 2] * 6, DataError, "no array of numbers"),
        ({}, {"a": np.zeros((6, 2)), "b": np.zeros((5, 2))}, ShapeError, "b has 5 items and a 6"),
    ],
)
def test_representations_that_cannot_be(options, x, error, says):
    with pytest.raises(error, match=says):
        FeatureVariance(**{"folds": 2} | options).fit(x, {"a": [0, 1, 0, 1, 0, 1]})


def test_accuracies_that_cannot_be():
    x, a = np.zeros((3, 6, 2)), {"a": [0, 1, 0, 1, 0, 1]}
    with pytest.raises(UnknownName, match="unknown feature 'b'"):
        FeatureVariance(folds=2).fit(x, a, accuracy={"b": 1.0})
    with pytest.raises(ShapeError, match=r"accuracy of 'a' is \(2,\); the representation has \(3,\)"):
        FeatureVariance(folds=2).fit(x, a, accuracy={"a": [1.0, 1.0]})


# Reasons to doubt


def test_doubts_fire_and_stay_silent_just_inside():
    def lines(accuracy=None, **given):
        return list(doubts(read_features(given), accuracy))

    items = np.arange(1000)
    assert lines(a=items < 19) == ["feature 'a' is nearly constant: True has 19 of 1000 items"]
    assert lines(a=items < 20) == []
    assert lines(a=np.arange(100) < 9) == ["feature 'a' is nearly constant: True has 9 of 100 items"]
    a, b = items % 2, np.where(items < 124, items % 2, (items // 2) % 2)
    r = abs(np.corrcoef(a, b)[0, 1])
    assert 0.12 < r < 0.13  # below four errors of 1000 items, 0.1265: silent or not, as it should
    assert bool(lines(a=a, b=b)) == (r >= 4 / np.sqrt(1000))
    assert len(lines(a=a, b=np.where(items < 200, items % 2, (items // 2) % 2))) == 1
    assert lines({"a": 0.95}, a=a) == []
    assert lines({"a": [0.94, 1.0]}, a=a) == [
        "feature 'a' is told rightly for 94% of the items only in 1 of 2: not computed"
    ]


# The causal test


def moved(items=400, noise=0.01):
    labels = signs(items, 2)
    x = labels * [3.0, 0.5] + noise * draw(1).normal(size=(items, 2))
    return x, {"a": labels[:, 0], "b": labels[:, 1]}


def test_direction_is_a_difference_of_means():
    x, labels = moved()
    there = labels["a"] > 0
    np.testing.assert_array_equal(direction(x, labels["a"]), x[there].mean(axis=0) - x[~there].mean(axis=0))


def test_flips_of_a_linear_readout_have_a_closed_form():
    """An item flips at f(x)/|w·d| against its sign: the median of that is the half-way scale, to a step of the grid."""
    x, labels = moved(noise=0.5)
    weights, grid = np.array([[1.0, 0.3], [-0.2, 1.0]]), np.linspace(0, 3, 151)
    found = flips(x, labels, lambda x: x @ weights + 0.1, scales=grid, seed=5)
    own, judged = split(400, 2, 5)
    for row in found.halves.itertuples():
        along = direction(x[own], labels[row.moved][own])
        column = ["a", "b"].index(row.read)
        f = x[judged] @ weights[:, column] + 0.1
        step = -np.where(labels[row.moved][judged] > 0, 1, -1) * (along @ weights[:, column])
        with np.errstate(divide="ignore"):
            at = np.where(step * np.sign(f) < 0, np.abs(f) / np.abs(step), np.inf)
        middle = np.sort(at)[99:101]
        if np.isfinite(row.half):
            assert middle[0] - 0.021 <= row.half <= middle[1] + 0.021
            assert row.low <= row.half <= row.high
        else:
            assert middle[1] > 3
        spread = np.sqrt(((x - x.mean(axis=0)) ** 2).sum(axis=1).mean())
        assert row.direction == pytest.approx(np.linalg.norm(along) / spread)
        some = found.rates[(found.rates["moved"] == row.moved) & (found.rates["read"] == row.read)]
        np.testing.assert_allclose(some["flipped"], [(at < scale).mean() for scale in grid], atol=0.021)


def test_a_shorter_shift_flips_the_smaller_feature():
    x, labels = moved()
    halves = flips(x, labels, lambda x: x).halves.set_index(["moved", "read"])
    assert halves["length"]["b", "b"] / halves["length"]["a", "a"] == pytest.approx(0.5 / 3, rel=0.02)
    assert np.isinf(halves["half"]["a", "b"])
    assert np.isinf(halves["high"]["a", "b"])


def test_half_way():
    grid = np.array([0.0, 1.0, 2.0])
    assert half_way(grid, np.array([0.0, 0.0, 0.4])) == np.inf
    assert half_way(grid, np.array([0.6, 1.0, 1.0])) == 0.0
    assert half_way(grid, np.array([0.0, 0.5, 1.0])) == 1.0


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"scales": [0.0]}, SpecificationError, "scales are two or more numbers that rise"),
        ({"scales": [1.0, 0.5]}, SpecificationError, "scales are two or more numbers that rise"),
        ({"scales": [-1.0, 0.5]}, SpecificationError, "scales are two or more numbers that rise"),
        ({"level": 0.0}, SpecificationError, "level lies between 0 and 1"),
        ({"draws": 0}, SpecificationError, "draws are 1 or more"),
        ({"features": {"a": [0, 1] * 2}}, ShapeError, "feature 'a' has 4 items and the representation 40"),
        ({"features": {"a": np.arange(40) % 3}}, DataError, "'a' is categorical; present or absent are binary"),
        ({"readout": lambda x: x[:, :1]}, ShapeError, r"must give \(item, feature\) = \(20, 2\); it gave \(20, 1\)"),
        ({"readout": lambda x: x * np.nan}, DataError, "the readout gave values that are not finite"),
        ({"representation": np.zeros(40)}, ShapeError, r"must be \(item, unit\)"),
    ],
)
def test_shifts_that_cannot_be(options, error, says):
    x, labels = moved(40)
    asked = {"representation": x, "features": labels, "readout": lambda x: x} | options
    with pytest.raises(error, match=says):
        flips(asked.pop("representation"), asked.pop("features"), asked.pop("readout"), **asked)


def test_a_feature_that_all_items_of_a_half_share():
    x, labels = moved(40)
    own, _ = split(40, 2, 0)
    alone = np.isin(np.arange(40), own)
    with pytest.raises(DataError, match="'a' is the same for all items of a half"):
        flips(x, {"a": alone, "b": labels["b"]}, lambda x: x)
    with pytest.raises(ShapeError, match="the feature has 4 items and the representation 40"):
        direction(x, [0, 1, 0, 1])


# Readers and ablation


def test_a_reader_is_that_of_scikit_learn_where_the_features_differ():
    x, labels = moved(noise=1.0)
    a, b = labels["a"] > 0, labels["b"] > 0
    agree = a == b
    centred = x - x[agree].mean(axis=0)
    scaled = centred / np.sqrt((centred[agree] ** 2).sum(axis=1).mean())
    guess = LogisticRegression(max_iter=2000).fit(scaled[agree], a[agree]).predict(scaled[~agree])
    found = preference(x, labels["a"], labels["b"])
    assert found.share == (guess == a[~agree]).mean()
    assert (found.items, found.learned) == ((~agree).sum(), agree.sum())
    assert found.low < found.share <= found.high
    turned = preference(x, labels["b"], labels["a"])
    assert turned.share == pytest.approx(1 - found.share)
    assert preference(1000 * x - 5, labels["a"], labels["b"]).share == found.share
    ridge = preference(x, labels["a"], labels["b"], reader="ridge")
    assert ridge.share > 0.9
    assert ridge.agreed > 0.9


def test_equal_features_are_not_preferred():
    """A coin for each draw: the mean over 40 within 4 errors."""
    shares = []
    for seed in range(40):
        labels = signs(200, 2, seed)
        x = labels + 0.5 * draw(seed + 99).normal(size=(200, 2))
        shares.append(preference(x, *labels.T).share)
    assert abs(np.mean(shares) - 0.5) < 4 * np.std(shares) / np.sqrt(40)


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"reader": "forest"}, SpecificationError, "reader is logistic, ridge, or a classifier of scikit-learn"),
        ({"reader": 3}, SpecificationError, "got int"),
        ({"level": 2.0}, SpecificationError, "level lies between 0 and 1"),
        ({"second": np.arange(30) % 2}, ShapeError, "the features have 40 and 30 items and the representation 40"),
        ({"second": np.arange(40) % 2}, DataError, "they agree on 40 of 40 items"),
        ({"representation": np.ones((40, 2))}, DataError, "the same for all items on which the features agree"),
    ],
)
def test_readers_that_cannot_be(changes, error, says):
    asked = {"representation": moved(40)[0], "first": np.arange(40) % 2, "second": (np.arange(40) // 2) % 2} | changes
    with pytest.raises(error, match=says):
        preference(asked.pop("representation"), asked.pop("first"), asked.pop("second"), **asked)


def test_without_its_largest_component_the_large_feature_is_gone():
    x, labels = moved()
    table = ablated(x, labels, lambda x: x, counts=[0, 1, 9]).set_index(["feature", "count"])
    assert table["without"]["a", 0] == table["only"]["a", 1] == table["only"]["b", 9] == 1
    assert table["without"]["b", 1] == 1
    assert table["only"]["b", 1] < 0.7
    assert table["without"]["a", 1] < 0.7
    with pytest.raises(SpecificationError, match="counts are one or more numbers, zero or more"):
        ablated(x, labels, lambda x: x, counts=[])
    with pytest.raises(ShapeError, match="feature 'a' has 4 items and the representation 400"):
        ablated(x, {"a": [0, 1, 0, 1]}, lambda x: x)


# Recorded runs


def recorded(names, seeds=(3, 5)):
    a, b = signs(30, 2).T
    steps = np.stack([np.column_stack([grown * a, b]) for grown in (0.5, 1.0, 2.0)])
    return Trajectory.of(
        steps=[0, 5, 9], loss=np.ones((2, 3)), outputs=None, inputs=None, targets=None, items=names, seeds=seeds,
        representations={"hidden.0": np.stack([steps, steps[::-1]]), "hidden.1": np.stack([steps, 2 * steps])},
        about={"network": {"name": "own"}},
    ), a, b  # fmt: skip


def test_recorded_runs_over_layers_and_steps():
    names = [f"item {index}" for index in range(30)]
    seen, a, b = recorded(names)
    found = feature_variance(seen, {"a": a, "b": b}, steps="all", folds=2)
    table = found.table_
    assert list(table.columns[:6]) == ["representation", "network", "seed", "gain", "layer", "step"]
    assert len(table) == 2 * 2 * 3 * 2
    some = table[(table["seed"] == 5) & (table["layer"] == "hidden.0") & (table["feature"] == "a")]
    assert some["step"].tolist() == [0, 5, 9]
    alone = FeatureVariance(folds=2).fit(seen.representation("hidden.0")[1], {"a": a, "b": b}).table_
    np.testing.assert_allclose(some["share"], alone[alone["feature"] == "a"]["share"])
    np.testing.assert_allclose(some["of_final"], alone[alone["feature"] == "a"]["of_final"])
    last = feature_variance(seen, {"a": a}, layers=["hidden.1"], folds=2).table_
    assert last["step"].tolist() == [9, 9]
    assert "of_final" not in last
    assert found.shares_.keys() == set(table[table["step"] == 9]["representation"])


def test_features_of_named_items_are_matched():
    names = [f"item {index}" for index in range(30)]
    seen, a, b = recorded(names)
    table = pd.DataFrame({"a": a, "b": b}, index=names)
    mixed = feature_variance(seen, table.sample(frac=1, random_state=0), folds=2)
    np.testing.assert_array_equal(mixed.table_["share"], feature_variance(seen, table, folds=2).table_["share"])
    with pytest.raises(ShapeError, match="the features lack 1 of the items, as 'item 0'"):
        feature_variance(seen, table[1:], folds=2)
    with pytest.raises(SpecificationError, match="accuracy is of one network"):
        feature_variance(seen, table, accuracy={"a": 1.0})


def test_doubts_for_pages():
    x, labels = moved(40)
    assert feature_doubts(feature_variance({"x": x}, labels)) == ()
    (one,) = feature_doubts(feature_variance({"x": x}, labels | {"again": labels["a"]}))
    assert (one.code, len(one.details)) == ("SZ024", 1)


def test_a_feature_is_read_once():
    with pytest.raises(ShapeError, match=r"'f' must be \(item,\)"):
        Feature.of("f", [])
