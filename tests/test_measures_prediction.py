"""Linear predictivity: against scikit-learn fold by fold, chance against every permutation, and penalties."""

import copy
import pickle
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, KFold, LeaveOneOut, PredefinedSplit, cross_val_predict

from syzygy.errors import DataError, ShapeError, SpecificationError, UnknownName
from syzygy.linalg import FLOAT32, FLOAT64, centred
from syzygy.linalg.ridge import missed, split
from syzygy.measures import Inner, LinearPredictivity, linear_predictivity, measure
from syzygy.measures.prediction import AT_ONCE, Explained

WIDTHS = pytest.mark.parametrize("width", [3, 12, 19, 20, 60])


class Scaled(Ridge):
    """Ridge regression whose penalty is in units of the variance of what it is trained on, by its definition."""

    def fit(self, x, y):
        gram = centred(x) @ centred(x).T
        self._scaled = Ridge(self.alpha * np.linalg.eigvalsh(gram).mean()).fit(x, y)
        return self

    def predict(self, x):
        return self._scaled.predict(x)


def pair(width, items=20, seed=0, other=5):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(items, width)) * np.exp(draw.normal(size=width)) + 2
    return x, x @ draw.normal(size=(width, other)) / np.sqrt(width) + draw.normal(size=(items, other)) * np.arange(
        other
    )


def by_fold(x, y, penalty, folds):
    """Predictions of scikit-learn, each item from the other folds."""
    place = np.empty(len(x), int)
    for index, fold in enumerate(folds):
        place[fold] = index
    return cross_val_predict(Scaled(penalty), x, y, cv=PredefinedSplit(place))


def mean_correlation(y, guess):
    return np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(y.T, guess.T, strict=True)])


def general(**options):
    """The form that can do everything, where the fast one would be taken."""
    made = object.__new__(LinearPredictivity)
    made.__init__(**options)
    return made


# ── Folds ────────────────────────────────────────────────────────────────────────────────────────────


def test_contiguous_folds_are_those_of_scikit_learn_and_every_item_is_in_one():
    for items, folds in ((20, 5), (17, 4), (6, 6)):
        theirs = [test for _, test in KFold(folds).split(np.zeros(items))]
        for mine, other in zip(split(items, folds, None), theirs, strict=True):
            np.testing.assert_array_equal(mine, other)
        shuffled = split(items, folds, 3)
        assert sorted(np.concatenate(shuffled)) == list(range(items))
        assert [len(fold) for fold in shuffled] == [len(fold) for fold in theirs]
    assert [fold.tolist() for fold in split(3, 0, 5)] == [[0], [1], [2]]
    assert not np.array_equal(split(20, 5, 0)[0], split(20, 5, 1)[0])


# ── What is missed ───────────────────────────────────────────────────────────────────────────────────


@WIDTHS
@pytest.mark.parametrize("folds", [0, 2, 5])
def test_what_is_missed_is_what_scikit_learn_misses(width, folds):
    """Narrow, as wide as there are items, and wide: the two forms are one."""
    x, y = pair(width)
    parts, penalties = split(20, folds, 0), (1e-3, 0.1, 1.0, 30.0)
    for lost, penalty in zip(missed(x, parts, penalties), penalties, strict=True):
        np.testing.assert_allclose(lost @ y, y - by_fold(x, y, penalty, parts), atol=1e-10)
        np.testing.assert_allclose(lost.sum(axis=1), 0, atol=1e-11)
        for fold in parts:
            np.testing.assert_allclose(lost[np.ix_(fold, fold)], np.eye(len(fold)), atol=1e-11)


def test_fit_by_fit_and_from_one_decomposition_are_one(monkeypatch):
    x, _ = pair(7)
    parts, penalties = split(20, 4, 0), (1e-3, 0.1, 10.0)
    directly = missed(x, parts, penalties)
    monkeypatch.setattr("syzygy.linalg.ridge.DIRECT", 0)
    np.testing.assert_allclose(missed(x, parts, penalties), directly, atol=1e-11)


def test_units_that_are_zero_change_nothing_though_they_change_the_form():
    x, _ = pair(6)
    padded = np.concatenate([x, np.zeros((20, 30))], axis=1)
    parts = split(20, 5, 0)
    np.testing.assert_allclose(missed(padded, parts, (0.1, 2.0)), missed(x, parts, (0.1, 2.0)), atol=1e-12)


def test_training_items_that_are_all_the_same_predict_their_mean():
    """Only the items of the first fold differ, so that without it there is nothing to learn."""
    x = np.zeros((6, 2))
    x[:2] = [[1.0, 0.0], [0.0, 2.0]]
    for wide in (x, np.tile(x, 4)):
        (lost,) = missed(wide, split(6, 3, None), (1.0,))
        np.testing.assert_allclose(lost[:2], np.eye(2, 6) - np.array([0, 0, 1, 1, 1, 1]) / 4, atol=1e-12)
    assert np.isnan(missed(np.full((6, 2), 0.1), split(6, 3, None), (1.0,))).all()


# ── Against scikit-learn ─────────────────────────────────────────────────────────────────────────────


@WIDTHS
@pytest.mark.parametrize("folds", [0, 3, 5])
@pytest.mark.parametrize("order", ["shuffled", "contiguous"])
def test_scores_are_those_of_scikit_learns_predictions(width, folds, order):
    x, y = pair(width)
    parts = split(20, folds, 4 if order == "shuffled" else None)
    guess = by_fold(x, y, 0.3, parts)
    options = {"penalty": 0.3, "folds": folds, "order": order, "seed": 4}
    r2 = r2_score(y, guess, multioutput="variance_weighted")
    assert linear_predictivity(x, y, **options) == pytest.approx(r2, abs=1e-10)
    assert general(**options)(x, y) == pytest.approx(r2, abs=1e-10)
    assert linear_predictivity(x, y, score="pearson", **options) == pytest.approx(mean_correlation(y, guess), abs=1e-10)


def test_leaving_one_out_is_as_many_folds_as_items_and_knows_the_closed_form():
    x, y = pair(8)
    assert linear_predictivity(x, y, folds=0) == pytest.approx(linear_predictivity(x, y, folds=20), abs=1e-12)
    guess = cross_val_predict(Scaled(1.0), x, y, cv=LeaveOneOut())
    assert linear_predictivity(x, y, folds=0) == pytest.approx(r2_score(y, guess, multioutput="variance_weighted"))
    # One item left out of scikit-learn's closed form, at the penalty that leaving it out gives.
    fitted = RidgeCV([0.5 * np.sum(centred(x[1:]) ** 2) / 19], store_cv_results=True).fit(x, y)
    assert (missed(x, split(20, 0, None), (0.5,))[0] @ y)[0] ** 2 == pytest.approx(fitted.cv_results_[0, :, 0])


def test_a_mean_that_does_not_know_the_item_misses_more_than_all_of_it():
    """At a penalty without end only the mean of the others is left: 1 − (n/(n − 1))²."""
    x, y = pair(4)
    assert linear_predictivity(x, y, folds=0, penalty=1e12) == pytest.approx(1 - (20 / 19) ** 2, abs=1e-9)
    assert linear_predictivity(x, y, folds=0, penalty=1e9, score="pearson") < -0.99


# ── Several penalties ────────────────────────────────────────────────────────────────────────────────

GRID = (1e-3, 1e-2, 0.1, 1.0, 10.0)


@pytest.mark.parametrize("width", [4, 60])
@pytest.mark.parametrize("noise", [0.1, 20.0])
@pytest.mark.parametrize("order", ["shuffled", "contiguous"])
def test_penalties_are_chosen_on_the_training_folds_alone(width, noise, order):
    """A grid search within each training set, as scikit-learn does it, one target after another."""
    x, y = pair(width, 24)
    y = y + noise * np.random.default_rng(1).normal(size=y.shape)
    seed, guess = 2 if order == "shuffled" else None, np.empty_like(y)
    for fold in split(24, 4, seed):
        rest = np.delete(np.arange(24), fold)
        place = np.empty(len(rest), int)
        for index, inner in enumerate(split(len(rest), 4, seed)):
            place[inner] = index
        errors = [np.sum((y[rest] - cross_val_predict(Scaled(a), x[rest], y[rest], cv=PredefinedSplit(place))) ** 2)
                  for a in GRID]  # fmt: skip
        guess[fold] = Scaled(GRID[int(np.argmin(errors))]).fit(x[rest], y[rest]).predict(x[fold])
    options = {"penalty": GRID, "folds": 4, "order": order, "seed": 2}
    expected = r2_score(y, guess, multioutput="variance_weighted")
    assert linear_predictivity(x, y, **options) == pytest.approx(expected, abs=1e-10)
    assert linear_predictivity(x, y, score="pearson", **options) == pytest.approx(mean_correlation(y, guess), abs=1e-10)


def test_grid_search_of_scikit_learn_chooses_the_same():
    """Folds of one size, so that its mean over folds is ours over items."""
    x, y = pair(8, 25, seed=3)
    guess = np.empty_like(y)
    for fold in split(25, 5, None):
        rest = np.delete(np.arange(25), fold)
        search = GridSearchCV(Scaled(), {"alpha": GRID}, scoring="neg_mean_squared_error", cv=KFold(5))
        guess[fold] = search.fit(x[rest], y[rest]).predict(x[fold])
    found = linear_predictivity(x, y, penalty=GRID, order="contiguous")
    assert found == pytest.approx(r2_score(y, guess, multioutput="variance_weighted"), abs=1e-10)


def test_one_penalty_in_a_grid_is_that_penalty():
    x, y = pair(8)
    for score in ("r2", "pearson"):
        alone = linear_predictivity(x, y, penalty=0.2, score=score)
        assert linear_predictivity(x, y, penalty=(0.2,), score=score) == pytest.approx(alone, abs=1e-12)
        assert linear_predictivity(x, y, penalty=(0.2, 0.2), score=score) == pytest.approx(alone, abs=1e-12)


# ── All pairs, orders, precision ─────────────────────────────────────────────────────────────────────

KINDS = (
    LinearPredictivity(0.2),
    LinearPredictivity(0.2, 0),
    LinearPredictivity(0.2, 3, "pearson"),
    LinearPredictivity(GRID, 3),
    LinearPredictivity(GRID, 3, "pearson"),
)


@pytest.mark.parametrize("asked", KINDS, ids=lambda one: one.label)
def test_all_ordered_pairs_are_the_double_loop(asked, monkeypatch):
    some = [np.concatenate(pair(width, seed=width), axis=1) for width in (2, 7, 30)]
    expected = np.array([[asked(x, y) for y in some] for x in some])
    prepared = [asked.prepare(x) for x in some]
    np.testing.assert_allclose(asked.block(prepared), expected, atol=1e-12)
    np.testing.assert_allclose(asked.block(prepared[1:], prepared[:2]), expected[1:, :2], atol=1e-12)
    for most in (1, 15, AT_ONCE):
        monkeypatch.setattr("syzygy.measures.prediction.AT_ONCE", most)
        np.testing.assert_allclose(asked.block(prepared), expected, atol=1e-12)
    narrow = [asked.prepare(x, FLOAT32) for x in some]
    np.testing.assert_allclose(asked.block(narrow, None, FLOAT32), expected, atol=3e-6)
    assert not np.allclose(expected, expected.T, atol=1e-3)


@pytest.mark.parametrize("asked", KINDS, ids=lambda one: one.label)
def test_folds_go_with_their_items(asked):
    """What is permuted is what scikit-learn finds with folds that have moved along."""
    x, y = pair(6, 12)
    order = np.random.default_rng(0).permutation(12)
    a, b = asked.prepare(x), asked.prepare(y)
    together = asked.block([asked.permuted(a, order)], [asked.permuted(b, order)])
    np.testing.assert_allclose(together, asked.block([a], [b]), atol=1e-12)
    forth, back = asked.block([a], [asked.permuted(b, order)]), asked.block([asked.permuted(a, np.argsort(order))], [b])
    np.testing.assert_allclose(forth, back, atol=1e-12)
    np.testing.assert_allclose(forth, asked.block([a], [asked.prepare(y[order])]), atol=1e-10)
    again = asked.permuted(asked.permuted(a, order), np.argsort(order))
    np.testing.assert_allclose(asked.block([again], [b]), asked.block([a], [b]), atol=1e-12)


def test_constant_units_do_not_count_and_a_constant_target_is_nan():
    x, y = pair(6)
    for asked in KINDS:
        more = np.concatenate([y, np.full((20, 3), 0.1)], axis=1)
        assert asked(x, more) == pytest.approx(asked(x, y), abs=1e-10)
        scores = asked.block([asked.prepare(one) for one in (x, y, np.full((20, 2), 0.1))])
        assert np.isnan(scores[2]).all()
        assert np.isnan(scores[:, 2]).all()
        assert np.isfinite(scores[:2, :2]).all()
        with pytest.raises(DataError, match="all 20 items of y are the same"):
            asked(x, np.ones((20, 2)))


# ── Chance ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("items", "folds"), [(5, 0), (5, 2), (6, 3)])
def test_chance_is_the_mean_and_variance_over_all_permutations(items, folds):
    x, y = pair(3, items)
    asked = LinearPredictivity(0.5, folds)
    a, b = asked.prepare(x), asked.prepare(y)
    every = [asked.permuted(b, np.array(order)) for order in permutations(range(items))]
    scores = asked.block([a], every)[0]
    chance = asked.chance([a], [b])
    assert isinstance(asked, Inner)
    assert 1 + chance.mean[0, 0] == pytest.approx(scores.mean(), abs=1e-10)
    assert chance.spread[0, 0] == pytest.approx(scores.std(), rel=1e-9)
    skewness = np.mean((scores - scores.mean()) ** 3) / scores.std() ** 3
    assert chance.skewness[0, 0] == pytest.approx(skewness, abs=1e-8)
    # Its mean in words: the squared errors of a target that is nothing but noise.
    (lost,) = missed(x, asked.cut(items), (0.5,))
    assert 1 + chance.mean[0, 0] == pytest.approx(1 - np.sum(lost**2) / (items - 1), abs=1e-12)


def test_other_forms_have_no_closed_form():
    x, y = pair(3)
    for asked in KINDS[2:]:
        assert asked.chance([asked.prepare(x)], [asked.prepare(y)]) is None


# ── The measure itself ───────────────────────────────────────────────────────────────────────────────


def test_a_measure_takes_the_form_that_it_needs_and_survives_copies_and_words():
    assert isinstance(LinearPredictivity(), Explained)
    assert not any(isinstance(one, Explained) for one in KINDS[2:])
    for one in KINDS:
        for same in (copy.deepcopy(one), pickle.loads(pickle.dumps(one)), measure(one.label)):
            assert same == one
            assert type(same) is type(one)
    assert measure("linear_predictivity:penalty=0.1,1:folds=3").penalty == (0.1, 1.0)
    assert replace(LinearPredictivity(), folds=3) == LinearPredictivity(folds=3)
    with pytest.raises(SpecificationError, match="make a LinearPredictivity"):
        replace(LinearPredictivity(), score="pearson")


def test_errors_say_what_is_wrong():
    x, y = pair(3)
    with pytest.raises(SpecificationError, match=r"must be positive and finite, got 0"):
        LinearPredictivity(0.0)
    for empty in ((), (1.0, -1.0), np.inf):
        with pytest.raises(SpecificationError, match="must be positive and finite"):
            LinearPredictivity(empty)
    for folds in (1, -2):
        with pytest.raises(SpecificationError, match=f"folds must be at least 2, .* got {folds}"):
            linear_predictivity(x, y, folds=folds)
    with pytest.raises(SpecificationError, match="give at least 2 folds"):
        LinearPredictivity(GRID, 0)
    with pytest.raises(UnknownName, match="unknown score 'r3'"):
        linear_predictivity(x, y, score="r3")
    with pytest.raises(UnknownName, match="unknown order"):
        linear_predictivity(x, y, order="sorted")
    with pytest.raises(SpecificationError, match="penalty of linear_predictivity must be a float"):
        measure("linear_predictivity:penalty=1,much")
    with pytest.raises(ShapeError, match="needs 5 items, x has 4"):
        linear_predictivity(x[:4], y[:4])
    with pytest.raises(ShapeError, match="needs 7 items, x has 6"):
        linear_predictivity(x[:6], y[:6], penalty=GRID)
    assert np.isfinite(linear_predictivity(x[:7], y[:7], penalty=GRID))
    assert np.isfinite(LinearPredictivity(folds=0).block([LinearPredictivity(folds=0).prepare(x[:3])], None, FLOAT64))
