"""The course of learning: planes, probes, decision regions, phases and perfect fit, against closed forms."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from syzygy.course import agreement, double_descent, mixed, perfect_fit, phases, probed, similarity
from syzygy.errors import DataError, ShapeError, SpecificationError
from syzygy.linalg.planes import grids, triplets


def draw(*seed):
    return np.random.default_rng(seed)


# Planes


@pytest.mark.parametrize("margin", [0.0, 0.1, 0.5])
def test_points_lie_on_a_rectangular_grid_in_the_plane_of_three(margin):
    corners = draw(0).normal(size=(6, 3, 8))
    corners[:2, 0], corners[:2, 1] = 0, np.eye(8)[0]
    corners[0, 2, 0], corners[1, 2, 0] = -2, 3  # the third beyond the first, and beyond the second
    weights = grids(corners, side=5, margin=margin)
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-12)
    for points, (a, b, c) in zip(weights @ corners, corners, strict=True):
        one = (b - a) / np.linalg.norm(b - a)
        two = (c - a) - (c - a) @ one * one
        two /= np.linalg.norm(two)
        x, y = ((points - a) @ axis for axis in (one, two))
        np.testing.assert_allclose((points - a), np.outer(x, one) + np.outer(y, two), atol=1e-10)
        for along, ends in ((x.reshape(5, 5)[0], [0, (b - a) @ one, (c - a) @ one]), (y[::5], [0, (c - a) @ two])):
            low, high = min(ends), max(ends)
            extra = margin * (high - low)
            np.testing.assert_allclose(along, np.linspace(low - extra, high + extra, 5), atol=1e-10)


def test_triplets_are_of_different_items_and_fixed_by_their_seed():
    found = triplets(7, 40, seed=3)
    assert all(len(set(three)) == 3 for three in found.tolist())
    assert set(found.ravel()) == set(range(7))
    np.testing.assert_array_equal(found, triplets(7, 40, seed=3))
    assert (found != triplets(7, 40, seed=4)).any()


def test_planes_that_are_none():
    line = np.arange(3.0)[None, :, None] * np.ones(4)
    found = grids(np.concatenate([draw(1).normal(size=(1, 3, 4)), line, np.ones((1, 3, 4))]), 4)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1:, :, 0]).all()


# Probes


@pytest.mark.parametrize("units", [4, 60])
def test_a_probe_is_the_ridge_regression_of_another_library(units):
    seen, asked = draw(3, units).normal(size=(3, 30, units)), draw(4, units).normal(size=(3, 7, units))
    labels = np.arange(30) % 3
    found = probed(seen, labels, asked, classes=3, penalty=0.2)
    for step in range(3):
        c = seen[step] - seen[step].mean(0)
        eigenvalues = np.linalg.eigvalsh(c @ c.T)
        ridge = Ridge(alpha=0.2 * eigenvalues.mean()).fit(seen[step], np.eye(3)[labels])
        np.testing.assert_allclose(found[step], ridge.predict(asked[step]), atol=1e-9)


def test_a_probe_is_indifferent_to_where_units_lie_and_how_they_turn():
    seen, asked = draw(5).normal(size=(2, 40, 6)), draw(6).normal(size=(2, 9, 6))
    labels = np.arange(40) % 4
    turn = np.linalg.qr(draw(7).normal(size=(6, 6)))[0]
    np.testing.assert_allclose(
        probed(seen, labels, asked, 4), probed(3 * seen @ turn + 5, labels, 3 * asked @ turn + 5, 4), atol=1e-9
    )


def test_probes_that_cannot_be():
    seen, labels = draw(8).normal(size=(2, 6, 3)), [0, 1, 2, 0, 1, 2]
    constant = seen.copy()
    constant[1] = 4.0
    with pytest.raises(DataError, match="at step 1 all items have the same representation"):
        probed(constant, labels, seen, 3)
    with pytest.raises(DataError, match="do not cover the classes: none of 6 items is of class 3; watch more"):
        probed(seen, labels, seen, 4)
    with pytest.raises(DataError, match="labels lie between 0 and 1; got 0 to 2"):
        probed(seen, labels, seen, 2)
    with pytest.raises(DataError, match="not finite"):
        probed(seen, labels, np.full_like(seen, np.nan), 3)
    with pytest.raises(ShapeError, match=r"got \(2, 6, 3\), \(5,\) and \(2, 6, 3\)"):
        probed(seen, labels[:5], seen, 3)
    with pytest.raises(ShapeError, match="same steps and units"):
        probed(seen, labels, seen[:1], 3)
    for penalty, classes in ((0, 3), (np.nan, 3), (0.1, 1)):
        with pytest.raises(SpecificationError, match="positive penalty and two classes"):
            probed(seen, labels, seen, classes, penalty)


# Decision regions


def test_a_probe_agrees_with_itself_and_as_one_counts_by_hand():
    decided = draw(9).integers(0, 4, size=(5, 3, 17))
    alike = agreement(decided)
    assert alike.shape == (3, 5, 5)
    np.testing.assert_array_equal(np.diagonal(alike, axis1=1, axis2=2), 1)
    by_hand = (decided[:, None] == decided[None]).mean(-1).transpose(2, 0, 1)
    np.testing.assert_allclose(alike, by_hand, atol=1e-7)
    np.testing.assert_allclose(agreement(decided[:2], decided[2:]), by_hand[:, :2, 2:], atol=1e-7)


def test_two_linear_classifiers_agree_on_the_area_that_their_borders_leave():
    """On the unit square x > a and x > b disagree on |a − b| of it; x > y and y > x everywhere."""
    square = np.array([[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
    points = (grids(square, 400, margin=0.0) @ square)[0]
    borders = np.array([0.2, 0.5, 0.9])
    alike = agreement((points[:, 0] > borders[:, None]).astype(int)[:, None])
    np.testing.assert_allclose(alike[0], 1 - np.abs(borders - borders[:, None]), atol=2 / 400)
    diagonals = np.stack([points[:, 0] > points[:, 1], points[:, 0] + points[:, 1] > 1]).astype(int)[:, None]
    assert agreement(diagonals)[0, 0, 1] == pytest.approx(0.5, abs=2 / 400)


def test_on_its_own_plane_a_probe_says_the_mixture_of_what_it_says_of_the_three():
    items, weights = draw(10).normal(size=(12, 5)), draw(11).normal(size=(5, 3))
    corners = triplets(12, 6, seed=0)
    mix = grids(items[corners], 9)
    direct = ((mix @ items[corners]) @ weights).argmax(-1)
    np.testing.assert_array_equal(mixed((items @ weights)[None], corners, mix)[0], direct)


def test_regions_that_cannot_be_compared():
    with pytest.raises(ShapeError, match="same planes"):
        agreement(np.zeros((2, 3, 4), int), np.zeros((2, 3, 5), int))
    with pytest.raises(ShapeError, match=r"\(step, plane, point\)"):
        agreement(np.zeros((3, 4), int))
    with pytest.raises(DataError, match="classes, integers"):
        agreement(np.zeros((2, 3, 4)))
    with pytest.raises(ShapeError, match="planes need scores"):
        mixed(np.zeros((2, 5, 3)), [[0, 1]], np.zeros((1, 4, 3)))


# Phases


def all_ways(curve, parts, cost):
    """Try every way to cut a curve."""
    found = {}
    for starts in combinations(range(1, len(curve)), parts - 1):
        edges = [0, *starts, len(curve)]
        found[starts] = sum(cost(curve[a:b], np.arange(a, b)) for a, b in pairwise(edges))
    return found


def scatter(values, _at):
    return float(np.square(values - values.mean(0)).sum())


def about_a_line(values, at):
    if len(values) < 2:
        return np.inf
    return float(np.square(values - np.polyval(np.polyfit(at, values, 1), at)).sum()) if len(values) > 2 else 0.0


@pytest.mark.parametrize("parts", [1, 2, 3, 4])
def test_cuts_are_the_best_of_all(parts):
    curves = draw(12).normal(size=(9, 2)).cumsum(axis=0)
    every = all_ways(curves, parts, scatter)
    best = min(every, key=every.get)
    found = phases(similarity(curves), count=parts)
    assert found.starts == best
    assert found.explained == pytest.approx(1 - every[best] / scatter(curves, None), abs=1e-9)


@pytest.mark.parametrize("parts", [2, 3])
def test_cuts_into_lines_are_the_best_of_all(parts):
    curve = draw(13).normal(size=10).cumsum()
    every = all_ways(curve, parts, about_a_line)
    best = min(every.values())
    found = phases(similarity(curve), count=parts, slopes=np.arange(10))
    assert every[found.starts] == pytest.approx(best, abs=1e-9)


def test_the_number_of_phases_is_that_of_the_least_penalised_scatter():
    curve = draw(14).normal(size=12).cumsum()
    for penalty in (0.005, 0.05, 0.3):
        least = [min(all_ways(curve, parts, scatter).values()) for parts in range(1, 7)]
        expected = int(np.argmin(np.array(least) / least[0] + penalty * np.arange(6))) + 1
        assert phases(similarity(curve), penalty=penalty).count == expected


def test_a_known_signal_is_cut_where_it_changes_whatever_is_added_to_all_steps():
    levels = np.repeat([[0.0, 1.0], [3.0, 1.0], [3.0, -4.0]], [4, 3, 5], axis=0)
    noisy = levels + 0.1 * draw(15).normal(size=levels.shape)
    assert phases(similarity(noisy)).starts == (4, 7)
    assert phases(noisy @ noisy.T).starts == (4, 7)
    assert phases((noisy + 100) @ (noisy + 100).T).starts == (4, 7)
    assert phases(similarity(noisy), count=1).starts == ()


def test_a_course_without_change_is_one_phase():
    assert phases(np.ones((6, 6))).count == 1
    assert phases(similarity(np.full(5, 2.0)), count=3).starts == ()


def test_intervals_hold_the_change_as_often_as_they_say():
    """100 curves of 16 steps that change at step 8, each with 40 draws of the same noise: 95% ± 4 standard errors."""
    levels, held = np.repeat([0.0, 1.0], 8), 0
    for seed in range(100):
        noise = draw(16, seed)
        curve = levels + 0.9 * noise.normal(size=16)
        again = [similarity(levels + 0.9 * noise.normal(size=16)) for _ in range(40)]
        found = phases(similarity(curve), again, count=2)
        held += found.low[0] <= 8 <= found.high[0]
        assert found.low <= found.high
    assert held / 100 > 0.95 - 4 * np.sqrt(0.95 * 0.05 / 100)


def test_draws_that_agree_give_points():
    sharp = similarity(np.repeat([0.0, 5.0], 4))
    found = phases(sharp, [sharp] * 9)
    assert (found.starts, found.low, found.high) == ((4,), (4,), (4,))
    assert phases(sharp).low == (4,)


def test_phases_that_cannot_be():
    gram = similarity(np.arange(6.0))
    with pytest.raises(ShapeError, match="two phases of 1 steps or more need 2 recorded steps; got 1"):
        phases([[1.0]])
    with pytest.raises(ShapeError, match="need 4 recorded steps; got 3"):
        phases(gram[:3, :3], slopes=np.arange(3))
    with pytest.raises(ShapeError, match=r"got \(6, 5\)"):
        phases(gram[:, :5])
    with pytest.raises(ShapeError, match=r"draws \(draw, step, step\)"):
        phases(gram, np.zeros((3, 5, 5)))
    for wrong in ({"penalty": 0}, {"most": 0}, {"level": 1.0}):
        with pytest.raises(SpecificationError, match="penalty > 0, most ≥ 1 and 0 < level < 1"):
            phases(gram, **wrong)
    for count in (0, 7):
        with pytest.raises(SpecificationError, match=f"6 steps make 1 to 6 phases; got count = {count}"):
            phases(gram, count=count)
    with pytest.raises(DataError, match="finite"):
        phases(np.where(np.eye(6) > 0, np.nan, gram))


# Perfect fit, and a second descent


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ([0.2, 0.9, 1, 1], 2),
        ([1, 1], 0),
        ([0.2, 1, 0.99], None),
        ([1, 0.5, 1], 2),
        ([np.nan, 1], 1),
        ([1, np.nan], None),
    ],
)
def test_perfect_fit_stays(curve, expected):
    assert perfect_fit(curve) == expected


def test_no_curve():
    for wrong in ([], [[1.0]]):
        with pytest.raises(ShapeError, match="a curve"):
            perfect_fit(wrong)


def answers(shares, items=400, *, seed=0):
    """Items that are classified independently, at each step so many."""
    return draw(17, seed).random((len(shares), items)) < np.array(shares)[:, None]


def test_an_error_that_descends_twice():
    found = double_descent(answers([0.3, 0.9, 0.6, 0.65, 0.9]))
    assert found.twice
    assert found.peak == 1
    assert found.trough == 2
    assert found.end == 4
    assert found.fall == pytest.approx(0.3, abs=0.1)
    assert found.rise == pytest.approx(0.3, abs=0.1)


def test_scores_are_paired_differences_over_their_standard_errors():
    right = answers([0.4, 0.8, 0.5, 0.7], items=50).astype(float)
    found = double_descent(right)
    fall, rise = right[found.peak] - right[found.trough], right[found.end] - right[found.trough]
    scores = [one.mean() / (one.std(ddof=1) / np.sqrt(50)) for one in (fall, rise)]
    assert found.score == pytest.approx(min(scores))


def test_an_error_that_descends_once_or_rises_is_none():
    for shares in ([0.1, 0.5, 0.9, 0.95], [0.9, 0.8, 0.5, 0.3], [0.3, 0.9, 0.7, 0.5]):
        assert not double_descent(answers(shares)).twice
    assert not double_descent(np.ones((5, 20))).twice


def test_turning_from_guess_to_guess_is_no_descent():
    early = [0.1, 0.3, 0.1, 0.2]
    assert not double_descent(answers([*early, 0.8, 0.9])).twice
    assert double_descent(answers([*early, 0.8, 0.5, 0.9])).peak == 4
    assert double_descent(answers([0.1, 0.2, 0.9])).score == -np.inf


def test_chance_seldom_descends_twice():
    """Ten steps of equal accuracy, 300 times: no more than 5% and 4 standard errors."""
    found = sum(double_descent(answers([0.7] * 10, items=200, seed=seed)).twice for seed in range(300))
    assert found / 300 < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 300)


def test_no_descent_can_be_looked_for():
    for shape in ((2, 10), (4, 1), (4,)):
        with pytest.raises(ShapeError, match="three steps and two items"):
            double_descent(np.ones(shape))
    with pytest.raises(DataError, match="between 0 and 1"):
        double_descent(np.full((3, 4), 2.0))
