"""Joint fits: of members that do share rates, of members that do not, and of some that cannot be used."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import least_squares

from noisy import STARTS, clean, coverage, noisy, recorded
from syzygy.errors import ShapeError, SpecificationError
from syzygy.fitting import fit_jointly, fit_pairs
from syzygy.fitting.certainty.intervals import moments
from syzygy.fitting.joint.groups import labels_of
from syzygy.fitting.joint.sharing import Sharing
from syzygy.fitting.problems import CURVES, Problems
from syzygy.theory import PairTheory, solve

MEMBERS = 8


def beside(*curves):
    """One set of networks, several pairs."""
    joined = {name: np.concatenate([getattr(one, name) for one in curves], axis=1) for name in (*CURVES, "mean_error")}
    data = {name: np.concatenate([getattr(one, name) for one in curves]) for name in ("dx2", "dy2")}
    return replace(curves[0], **joined, **data, pairs=tuple((str(i), "b") for i in range(len(curves))))


def teams(name, count, records, share, *, memory=0.0, seed=0, factor=1.0):
    """Groups of members from one start, every other one with an encoder that is faster by a factor."""
    theory, start, last = STARTS[name]
    rows = []
    for faster in (1.0, factor):
        changed = PairTheory(theory.eta_h * faster, theory.eta_y, theory.dx2, theory.dy2)
        exact = clean(changed, start, np.linspace(0, last, records))
        rows.append(noisy(exact, share, networks=count * MEMBERS, seed=seed, memory=memory))
    other = np.arange(count * MEMBERS)[:, None, None] % 2 == 1
    values = {name: np.where(other, getattr(rows[1], name), getattr(rows[0], name)) for name in CURVES}
    return replace(rows[0], **values), np.repeat(np.arange(count), MEMBERS)[:, None]


# One pair of rates


def test_a_group_of_one_is_the_fit_alone():
    curves = beside(*(recorded(name, 60, 0.05, networks=2, seed=3) for name in ("rich", "balanced")))
    joint, alone = fit_jointly(curves, np.arange(4).reshape(2, 2)), fit_pairs(curves)
    for name in ("eta_h", "eta_y"):
        for end in ("value", "low", "high"):
            expected = getattr(getattr(alone, name), end).ravel()
            np.testing.assert_allclose(getattr(getattr(joint, name), end), expected, rtol=1e-6)
    np.testing.assert_allclose(joint.objective, alone.objective.ravel(), rtol=1e-9)
    assert joint.converged.all()
    assert joint.members.tolist() == [1, 1, 1, 1]
    assert np.isnan(joint.sharing.p).all()


@pytest.mark.parametrize("scaling", ["curve", "none"])
def test_the_sum_is_never_above_the_best_of_thirty_searches_by_scipy(scaling):
    """Of two pairs of two networks, one of them with a different theory, that no rates suit."""
    other = clean(PairTheory(0.3, 0.02, 1.2, 0.5), STARTS["balanced"][1], np.linspace(0, 400, 60))
    curves = beside(recorded("balanced", 60, 0.3, networks=2, seed=3), noisy(other, 0.3, networks=2, seed=4))
    problems = Problems(curves, scaling)
    residuals = problems.residuals(problems.usable)

    def together(log):
        return residuals(np.tile(np.clip(log, -50, 50), (4, 1)), np.arange(4)).ravel()

    generator, lowest = np.random.default_rng(5), np.inf
    for _ in range(30):
        guess = np.log(10.0 ** generator.uniform(-4, 1, 2))
        lowest = min(lowest, 2 * least_squares(together, guess, max_nfev=60).cost)
    joint = fit_jointly(curves, scaling=scaling)
    assert joint.objective.item() <= lowest * (1 + 1e-6)
    log = np.log([joint.eta_h.value.item(), joint.eta_y.value.item()])
    assert np.sum(together(log) ** 2) == pytest.approx(joint.objective.item(), rel=1e-9)
    assert joint.fits[0].r2["h2"].mean() < joint.separate[0].r2["h2"].mean()
    np.testing.assert_allclose(joint.fits[0].eta_h.value, joint.eta_h.value.item())


def test_shared_rates_scatter_less_by_the_number_of_members():
    """Variances of 200 groups of eight: a ratio of 8 within a factor of 1.4 (F distribution, 99.9%)."""
    curves, groups = teams("balanced", 200, 24, 0.05, seed=5)
    joint = fit_jointly(curves, groups)
    assert joint.converged.all()
    for name, truth in (("eta_h", 0.03), ("eta_y", 0.06)):
        shared = np.log(getattr(joint, name).value / truth)
        own = np.log(getattr(joint.separate[0], name).value / truth)
        assert MEMBERS / 1.4 < np.mean(own**2) / np.mean(shared**2) < MEMBERS * 1.4
        assert 0.9 <= coverage(getattr(joint, name), truth) <= 0.995


def test_intervals_are_of_the_summed_moments():
    curves, groups = teams("rich", 2, 60, 0.05, memory=0.5, seed=6)
    joint = fit_jointly(curves, groups)
    problems = Problems(curves, "curve")
    shared = np.log(np.stack([joint.eta_h.value, joint.eta_y.value], axis=1))[groups[:, 0]]
    bread, filling, _ = (
        part.reshape(2, MEMBERS, *part.shape[1:]).sum(axis=1)
        for part in moments(problems.residuals(problems.usable), shared, problems.there, 3)
    )
    expected = np.linalg.inv(bread) @ filling @ np.linalg.inv(bread)
    half = np.log(np.stack([joint.eta_h.high / joint.eta_h.value, joint.eta_y.high / joint.eta_y.value], axis=1))
    ratio = half**2 / np.einsum("gpp->gp", expected)
    assert np.all((ratio > 1.95**2) & (ratio < 2.1**2))


# Whether they share


def test_sharing_is_the_textbooks_for_white_noise():
    """Equal variances s²: the rise over 2(M − 1)·s², with as many degrees of freedom."""
    generator = np.random.default_rng(0)
    bread = np.einsum("mip,miq->mpq", *2 * [generator.standard_normal((6, 9, 2))])
    rise, effective, groups = generator.random(6), np.full(6, 50.0), np.array([0, 0, 0, 0, 1, 1])
    test = Sharing.of(groups, 3, rise, bread, 0.3 * bread, effective)
    np.testing.assert_allclose(test.statistic, [rise[:4].sum() / (6 * 0.3), rise[4:].sum() / (2 * 0.3), np.nan])
    np.testing.assert_allclose(test.freedom, [6, 2, np.nan])
    np.testing.assert_allclose(test.residual_freedom, [192, 96, np.nan])
    assert np.isnan(test.p).tolist() == [False, False, True]


def test_sharing_with_unlike_noise_is_chance_with_the_first_two_moments_right():
    """Scores drawn with the covariances given: the rise of a quadratic, in 20,000 draws, to 3% and 8%."""
    generator = np.random.default_rng(1)
    bread, filling = (np.einsum("mip,miq->mpq", *2 * [generator.standard_normal((5, 4, 2))]) for _ in range(2))
    scores = np.einsum("mpq,nmq->nmp", np.linalg.cholesky(filling), generator.standard_normal((20_000, 5, 2)))
    rise = np.einsum("nmp,mpq,nmq->n", scores, np.linalg.inv(bread), scores)
    total = scores.sum(axis=1)
    rise -= np.einsum("np,pq,nq->n", total, np.linalg.inv(bread.sum(axis=0)), total)
    test = Sharing.of(np.zeros(5, dtype=int), 1, rise[:5], bread, filling, np.full(5, 1e6))
    assert rise[:5].sum() / test.statistic.item() == pytest.approx(rise.mean(), rel=0.03)
    assert 2 * rise.mean() ** 2 / rise.var() == pytest.approx(test.freedom.item(), rel=0.08)


def test_what_a_member_does_not_tell_counts_neither_way():
    bread = np.array([[[2.0, 0.5], [0.5, 1.0]]] * 3 + [[[1.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]])
    test = Sharing.of(np.zeros(5, dtype=int), 1, np.full(5, 1.0), bread, bread, np.full(5, 9.0))
    assert test.freedom.item() == pytest.approx(2 * 3 + 1 + 0 - 2)


@pytest.mark.parametrize(("memory", "records"), [(0.0, 40), (0.9, 100)])
def test_true_sharing_is_accepted(memory, records):
    """At most 12% of 60 groups fall to the test of 5%; the rise is its expectation within 25%."""
    curves, groups = teams("balanced", 60, records, 0.05, memory=memory, seed=7)
    test = fit_jointly(curves, groups).sharing
    assert np.mean(test.p < 0.05) <= 0.12
    assert 0.75 < test.statistic.mean() < 1.25


def test_rates_that_differ_by_thirty_percent_are_refused():
    for memory, records in ((0.0, 40), (0.9, 100)):
        curves, groups = teams("balanced", 10, records, 0.05, memory=memory, seed=8, factor=1.3)
        assert np.all(fit_jointly(curves, groups).sharing.p < 1e-3)


# Who shares


def test_groups_by_name():
    one = beside(*(recorded(name, 30, 0.05, networks=2, seed=3) for name in ("rich", "balanced", "decoder-lazy")))
    several = [one, one]

    def given(share):
        known, index = np.unique(np.stack(labels_of(several, share)), return_inverse=True)
        return len(known), index.reshape(2, 2, 3).tolist()

    assert given("seeds") == (6, [[[0, 1, 2], [0, 1, 2]], [[3, 4, 5], [3, 4, 5]]])
    assert given("pairs") == (4, [[[0, 0, 0], [1, 1, 1]], [[2, 2, 2], [3, 3, 3]]])
    assert given("layers") == (6, [[[0, 1, 2], [3, 4, 5]]] * 2)
    assert given(("seeds", "pairs")) == (2, [[[0] * 3] * 2, [[1] * 3] * 2])
    assert given(["layers", "seeds"]) == (3, [[[0, 1, 2], [0, 1, 2]]] * 2)
    assert given("all") == (1, [[[0] * 3] * 2] * 2)
    mine = [np.array([[4], [9]]), np.array([4, -1, 9])]
    assert [label.tolist() for label in labels_of(several, mine)] == [[[4] * 3, [9] * 3], [[4, -1, 9]] * 2]


def test_layers_of_unlike_length_share_where_they_are_alike():
    layers = [recorded("balanced", records, 0.05, networks=2, seed=records) for records in (40, 70)]
    joint = fit_jointly(layers, "layers")
    assert joint.members.tolist() == [2, 2]
    np.testing.assert_allclose(joint.eta_h.value, 0.03, rtol=0.05)
    np.testing.assert_array_equal(joint.fits[0].eta_h.value, joint.fits[1].eta_h.value)
    assert joint.fits[1].predict().h2.shape == (2, 1, 70)
    own = fit_jointly(layers, "seeds")
    assert own.members.tolist() == [2, 2]
    np.testing.assert_allclose(own.eta_y.value, [fit_jointly(one).eta_y.value.item() for one in layers], rtol=1e-6)


def test_members_that_cannot_be_used_are_left_out_and_named():
    curves = beside(*(recorded("balanced", 50, 0.05, networks=3, seed=seed) for seed in (1, 2)))
    curves.h2[0, 1] = np.nan  # was never seen
    curves.w[1, 0, 20:] = np.nan  # stopped early
    curves.y2[2] = np.nan
    joint = fit_jointly(curves, [np.array([[0, 0], [0, -5], [7, 7]])])
    assert joint.groups[0].tolist() == [[0, -1], [0, -1], [-1, -1]]
    assert joint.left_out[0].tolist() == [[False, True], [False, False], [True, True]]
    assert joint.members.tolist() == [2, 0]
    assert np.isfinite(joint.eta_h.low).tolist() == [True, False]
    assert np.isfinite(joint.objective).tolist() == joint.converged.tolist() == [True, False]
    assert np.isfinite(joint.fits[0].eta_h.value).tolist() == [[True, False], [True, False], [False, False]]
    assert joint.fits[0].r2["h2"][1, 0] > 0.9
    curves.h2[:] = np.nan
    assert np.isnan(fit_jointly(curves).eta_h.value).all()


def test_whole_seeds_may_be_what_is_independent():
    """Ten networks whose rates scatter by 20%: intervals of their deviations miss the mean, those of seeds hold it.

    In 40 draws: below 0.7, and 0.95 less four binomial errors at least.
    """
    theory, start, last = STARTS["balanced"]
    factor = np.exp(0.2 * np.random.default_rng(9).standard_normal((400, 1)))
    own = PairTheory(theory.eta_h * factor, theory.eta_y * factor, theory.dx2, theory.dy2)
    state = solve(own, start, np.linspace(0, last, 30)).state
    exact = replace(
        clean(theory, start, np.linspace(0, last, 30)), h2=state.h2, y2=state.y2, w=state.w, mean_error=state.w * np.nan
    )
    curves, groups = noisy(exact, 0.01, networks=400, seed=4), np.repeat(np.arange(40), 10)[:, None]
    kinds = [fit_jointly(curves, groups, independent=kind) for kind in ("members", "seeds")]
    held = [coverage(kind.eta_h, 0.03) for kind in kinds]
    assert held[0] < 0.7
    assert held[1] >= 0.81
    np.testing.assert_array_equal(kinds[0].eta_h.value, kinds[1].eta_h.value)


def test_one_seed_alone_says_nothing_of_seeds():
    curves = beside(*(recorded("balanced", 40, 0.05, seed=seed) for seed in (1, 2)))
    joint = fit_jointly(curves, independent="seeds")
    assert np.isfinite(joint.eta_h.value).all()
    assert joint.eta_h.low.tolist() == [0.0]
    assert joint.eta_h.high.tolist() == [np.inf]


def test_what_cannot_be_shared_is_refused():
    two, three = (recorded("balanced", 30, 0.05, networks=count) for count in (2, 3))
    with pytest.raises(SpecificationError, match=r"'weights'\] cannot share"):
        fit_jointly(two, "weights")
    with pytest.raises(SpecificationError, match="no curves"):
        fit_jointly([])
    with pytest.raises(SpecificationError, match="every member is left out"):
        fit_jointly(two, np.array([[-1]]))
    with pytest.raises(SpecificationError, match="'members' or 'seeds'"):
        fit_jointly(two, independent="pairs")
    with pytest.raises(ShapeError, match="network by network"):
        fit_jointly([two, three], "layers")
    with pytest.raises(ShapeError, match="one array of groups per curves: 2; got 1"):
        fit_jointly([two, three], [np.array([[0]])])
    for wrong in (np.zeros((3, 1), dtype=int), np.zeros((2, 1)), np.zeros((1, 2, 1), dtype=int)):
        with pytest.raises(ShapeError, match="integers that broadcast"):
            fit_jointly(two, wrong)
