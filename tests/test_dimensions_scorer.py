"""Targets predicted from other measurements of the same items: against scikit-learn, loops and closed forms."""

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV
from sklearn.metrics import make_scorer

from syzygy.dimensions.universal.components import Components
from syzygy.dimensions.universal.scorer import Fitted, matched, ridge, score
from syzygy.errors import DataError
from syzygy.linalg import FLOAT32, FLOAT64
from syzygy.linalg.decomposition import Decomposition
from syzygy.linalg.ridge import split

PENALTIES = (1e-4, 1e-2, 1.0, 100.0)


def some(units, items=40, targets=4, seed=0):
    """A predictor and targets that hang on it in part, one of them on nothing."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(items, units)) * np.linspace(2, 0.1, units) + 3
    y = x[:, :1] + draw.normal(size=(items, targets)) * np.linspace(0.1, 3, targets)
    y[:, -1] = draw.normal(size=items)
    return x, y


def training(x, fold):
    rest = np.setdiff1d(np.arange(len(x)), fold)
    c = x[rest] - x[rest].mean(axis=0)
    return rest, np.square(c).sum() / len(c)


@pytest.mark.parametrize("units", [3, 31, 32, 33, 90])
def test_ridge_is_scikit_learns_with_its_own_choice_of_penalties(units):
    x, y = some(units)
    folds = split(40, 5, 0)
    found = ridge(x, y, folds, PENALTIES, "error")
    for fold in folds:
        rest, unit = training(x, fold)
        model = RidgeCV(np.multiply(PENALTIES, unit), alpha_per_target=True).fit(x[rest], y[rest])
        np.testing.assert_allclose(found[fold], model.predict(x[fold]), atol=1e-8)


@pytest.mark.parametrize("units", [3, 90])
def test_the_penalty_is_that_of_the_largest_correlation_of_left_out_predictions(units):
    """Scikit-learn's own closed form, with Pearson's r as its score, for one target at a time."""
    x, y = some(units, seed=1)
    folds = split(40, 4, 1)
    found = ridge(x, y, folds, PENALTIES)
    by = make_scorer(lambda truth, guess: pearsonr(truth, guess).statistic)
    for fold in folds:
        rest, unit = training(x, fold)
        for target in range(4):
            one = RidgeCV(np.multiply(PENALTIES, unit), scoring=by).fit(x[rest], y[rest, target])
            np.testing.assert_allclose(found[fold, target], one.predict(x[fold]), atol=1e-8)


@pytest.mark.parametrize("units", [4, 25])
def test_items_left_out_one_at_a_time_in_closed_form(units):
    x, y = some(units, 20, 1)
    c = x - x.mean(axis=0)
    parts = Decomposition.of(c)
    missed = parts.residual(0.7) @ y[:, 0] / parts.kept_back(0.7)
    for item in range(20):
        rest = np.delete(np.arange(20), item)
        guess = Ridge(0.7).fit(x[rest], y[rest, 0]).predict(x[[item]])
        assert y[item, 0] - guess[0] == pytest.approx(missed[item], abs=1e-9)


@pytest.mark.parametrize("units", [2, 20])
def test_penalties_are_ranked_by_what_is_left_out(units):
    """Few items with outliers, whose left-out predictions have a mean of their own."""
    draw = np.random.default_rng(2)
    x, y = draw.standard_cauchy(size=(12, units)), draw.exponential(size=12)
    y = (y - y.mean()) / np.linalg.norm(y - y.mean())
    fitted = Fitted.of(x, x, [0.01], FLOAT64)
    strength = 0.01 * np.square(x - x.mean(axis=0)).sum() / 12
    rest = [np.delete(np.arange(12), item) for item in range(12)]
    guess = np.array([Ridge(strength).fit(x[r], y[r]).predict(x[[item]])[0] for item, r in enumerate(rest)])
    assert abs(guess.mean()) > 0.02
    expected = {"pearson": pearsonr(guess, y).statistic, "error": -np.square(y - guess).sum()}
    for criterion, value in expected.items():
        found = fitted._left_out(y[:, None], fitted.scores.T @ y[:, None], 0, criterion)
        assert found[0] == pytest.approx(value, rel=1e-6)


def test_no_penalty_to_speak_of_is_least_squares():
    x, y = some(5)
    folds = split(40, 5, 0)
    found = ridge(x, y, folds, [1e-13])
    for fold in folds:
        rest, _ = training(x, fold)
        np.testing.assert_allclose(found[fold], LinearRegression().fit(x[rest], y[rest]).predict(x[fold]), atol=1e-8)


def test_scale_and_place_of_predictor_and_targets_do_not_matter():
    x, y = some(60)
    folds = split(40, 5, 0)
    plain = score(ridge(x, y, folds, PENALTIES), y, folds).correlation
    for a, b in ((1e-150 * x, y), (x, 1e-9 * y - 7), (-1e100 * x, y)):
        np.testing.assert_allclose(score(ridge(a, b, folds, PENALTIES), b, folds).correlation, plain, atol=1e-6)


def test_single_precision_agrees():
    x, y = some(60)
    folds = split(40, 5, 0)
    narrow = ridge(x, y, folds, PENALTIES, work=FLOAT32)
    wide = ridge(x, y, folds, PENALTIES)
    assert (narrow != wide).mean() > 0.9
    np.testing.assert_allclose(narrow, wide, atol=1e-4)


def test_a_predictor_that_is_constant_outside_a_fold_predicts_the_mean():
    x, y = np.zeros((12, 2)), some(2, 12)[1]
    x[:3] = np.random.default_rng(0).normal(size=(3, 2))
    folds = [np.arange(3), np.arange(3, 12)]
    found = ridge(x, y, folds, PENALTIES)
    np.testing.assert_allclose(found[:3], np.broadcast_to(y[3:].mean(axis=0), (3, 4)))
    assert score(found, y, folds[:1]).correlation.tolist() == [0, 0, 0, 0]


def test_the_best_single_unit_is_found_by_a_loop():
    x, y = some(9)
    y[:, 1] -= 3 * x[:, 4]
    folds = split(40, 5, 0)
    found = matched(x, y, folds)
    for fold in folds:
        rest, _ = training(x, fold)
        for target in range(4):
            r = [pearsonr(unit, y[rest, target]).statistic for unit in x[rest].T]
            best = int(np.argmax(np.abs(r)))
            np.testing.assert_allclose(found[fold, target], np.sign(r[best]) * x[fold, best])


def test_scores_are_means_over_folds_of_pearsons_r():
    x, y = some(5)
    folds = split(40, 5, 0)
    guess = ridge(x, y, folds, PENALTIES)
    found = score(guess, y, folds)
    expected = np.mean([[pearsonr(guess[f, t], y[f, t]).statistic for t in range(4)] for f in folds], axis=0)
    np.testing.assert_allclose(found.correlation, expected, rtol=1e-12)


def test_the_error_of_a_normal_correlation_is_the_textbooks():
    """(1 − r²)/√n, of F folds of n/F items the same."""
    draw = np.random.default_rng(0)
    truth = draw.normal(size=(2000, 200))
    for r in (0.0, 0.5, 0.9):
        guess = r * truth + np.sqrt(1 - r**2) * draw.normal(size=truth.shape)
        for folds in (1, 5):
            found = score(guess, truth, np.array_split(np.arange(2000), folds))
            assert found.error.mean() == pytest.approx((1 - r**2) / np.sqrt(2000), rel=0.015)
            assert found.correlation.std() == pytest.approx(found.error.mean(), rel=0.15)  # 200 draws: 5% each way


def test_a_target_that_is_constant_in_a_fold_has_no_score():
    x, y = some(5)
    y[:10, 1] = 2.0
    found = score(x[:, :4], y, [np.arange(10), np.arange(10, 40)]).correlation
    assert np.isnan(found).tolist() == [False, True, False, False]


# Components


def test_principal_components_are_scikit_learns():
    x = some(6, 30)[0]
    one, other = Components.principal(x), PCA().fit(x)
    np.testing.assert_allclose(one.variance * 30 / 29, other.explained_variance_)
    np.testing.assert_allclose(np.abs(one.scores(x + 1)), np.abs(other.transform(x + 1)), atol=1e-10)
    np.testing.assert_allclose(one.rebuilt(one.scores(x), np.arange(6)), x, atol=1e-10)
    assert Components.principal(x, 2).axes.shape == (2, 6)


@pytest.mark.parametrize(("items", "rank", "units"), [(30, 4, 9), (12, 11, 40), (7, 6, 6)])
def test_components_go_up_to_the_rank(items, rank, units):
    draw = np.random.default_rng(0)
    x = draw.normal(size=(items, rank)) @ draw.normal(size=(rank, units)) * 1e-3 + 5
    assert len(Components.principal(x).variance) == rank == np.linalg.matrix_rank(x - x.mean(axis=0), tol=1e-10)


def test_rounding_of_single_precision_is_no_component():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(60, 4)) @ draw.normal(size=(4, 9))
    single = x.astype(np.float32)
    assert [len(Components.principal(one).variance) for one in (x, single, single.astype(np.float64))] == [4, 4, 4]
    assert len(Components.principal(x + 1e-6 * draw.normal(size=x.shape)).variance) == 9


def test_eigenspaces_are_runs_of_variances_that_sampling_mixes():
    apart = Components(np.zeros(5), np.eye(5), np.array([10.0, 8.0, 4.0, 3.9, 1.0]), 800)  # 17% at 800 items
    assert apart.eigenspaces.tolist() == [0, 1, 2, 2, 3]
    few = Components(np.zeros(5), np.eye(5), apart.variance, 50)  # 69%
    assert few.eigenspaces.tolist() == [0, 0, 0, 0, 1]


def test_equal_variances_are_told_apart_in_one_sample_of_20():
    """The gap of two, over 2v/√n, has Rayleigh's distribution for normal items."""
    draw, found = np.random.default_rng(0), []
    for _ in range(1000):
        one = Components.principal(draw.normal(size=(200, 2)))
        found.append(one.eigenspaces.tolist() == [0, 1])
    assert np.mean(found) == pytest.approx(0.05, abs=0.021)  # three standard errors


def test_components_of_one_eigenspace_turn_and_others_do_not():
    draw = np.random.default_rng(0)
    spread = np.sqrt([16.0, 4.0, 3.9, 1.0])
    one, other = (Components.principal(draw.normal(size=(400, 4)) * spread) for _ in range(2))
    assert one.eigenspaces.tolist() == other.eigenspaces.tolist() == [0, 1, 1, 2]
    overlap = np.abs(np.sum(one.axes * other.axes, axis=1))
    assert overlap[[0, 3]].min() > 0.99 > overlap[[1, 2]].max()


def test_non_negative_parts_are_found():
    draw = np.random.default_rng(0)
    parts = np.kron(np.eye(3), np.ones((1, 4))) * draw.uniform(1, 2, 12)
    weights = draw.exponential(size=(60, 3)) * (draw.uniform(size=(60, 3)) < 0.6) * [1, 2, 3]
    one = Components.parts(weights @ parts, 3)
    assert (one.axes >= 0).all()
    assert (np.diff(one.variance) <= 0).all()
    r = np.abs(np.corrcoef(one.scores(weights @ parts).T, weights.T)[:3, 3:])
    assert r.max(axis=1).min() > 0.999
    assert one.eigenspaces.tolist() == [0, 1, 2]
    np.testing.assert_allclose(one.rebuilt(one.scores(weights @ parts), np.arange(3)), weights @ parts, atol=0.05)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Components.principal(np.ones((5, 2)), name="h of a"), "h of a is the same for all 5 items"),
        (lambda: Components.parts(np.ones((5, 2)), 1), "the same for all 5 items"),
        (lambda: Components.parts(-np.eye(3), 2, name="h of a"), "h of a has negative values"),
    ],
)
def test_layers_without_components(make, says):
    with pytest.raises(DataError, match=says):
        make()
