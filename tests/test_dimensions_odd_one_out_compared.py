"""What is done with odd-one-out embeddings: identities first, then the same computed slowly, then known answers."""

from itertools import combinations, permutations

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from syzygy.chance import orders
from syzygy.dimensions.odd_one_out import (
    Triplets,
    accuracy,
    ceiling,
    ceiling_of_repeats,
    cross_entropy,
    cumulative,
    deciding,
    divergent,
    pairwise,
    probabilities,
    representational,
    reproducibility,
    shares,
    similarity,
)
from syzygy.dimensions.odd_one_out import similarity as public
from syzygy.dimensions.odd_one_out.correlation import correlations, fisher_mean
from syzygy.dimensions.odd_one_out.matching import _assigned
from syzygy.dimensions.odd_one_out.similarity import ROWS, chosen_together, products
from syzygy.errors import DataError, ShapeError, SpecificationError, UnknownName


def sparse(objects=40, dimensions=5, seed=0, density=0.35):
    draw = np.random.default_rng(seed)
    return (draw.random((objects, dimensions)) < density) * draw.gamma(4, 0.5, (objects, dimensions))


def asked(objects, count, seed=0):
    """Different objects in each triplet, in any order."""
    return np.random.default_rng(seed).permuted(np.tile(np.arange(objects), (count, 1)), axis=1)[:, :3]


def chosen(x, triplets, seed=0):
    """Put last the object that the softmax of an embedding draws as the odd one, written out."""
    draw, rows = np.random.default_rng(seed), []
    for i, j, k in triplets:
        e = np.exp([x[j] @ x[k], x[i] @ x[k], x[i] @ x[j]])
        odd = draw.choice(3, p=e / e.sum())
        rows.append([one for place, one in enumerate((i, j, k)) if place != odd] + [(i, j, k)[odd]])
    return np.array(rows)


def off(matrix):
    return matrix[~np.eye(len(matrix), dtype=bool)]


# Similarity


def slow_similarity(x):
    n, e = len(x), np.exp(x @ x.T)
    found = np.eye(n)
    for i, j in permutations(range(n), 2):
        others = [k for k in range(n) if k not in (i, j)]
        found[i, j] = np.mean([e[i, j] / (e[i, j] + e[i, k] + e[j, k]) for k in others])
    return found


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("objects", [3, 4, 50, ROWS + 3])
def test_similarity_is_a_third_on_average_whatever_the_embedding(objects, seed):
    x = np.random.default_rng(seed).normal(size=(objects, 1 + seed)) * 10 ** (seed - 2)
    found = similarity(x)
    assert off(found).mean() == pytest.approx(1 / 3, abs=1e-13)
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_array_equal(np.diag(found), 1)


@pytest.mark.parametrize("objects", [3, 4, 31, ROWS + 1])
def test_similarity_in_blocks_is_that_of_three_loops(objects):
    x = sparse(objects)
    np.testing.assert_allclose(similarity(x), slow_similarity(x), rtol=1e-12)


def test_exponentials_that_are_no_numbers():
    x = 25 * sparse(20)
    assert np.ptp(off(products(x))) > 5000
    assert off(similarity(x)).mean() == pytest.approx(1 / 3, abs=1e-12)
    small = products(sparse(20))
    shifted = small.copy()
    shifted[0, 1] = shifted[1, 0] = 5000  # this pair is always chosen, and the others are as they were without it
    found = chosen_together(shifted)
    assert found[0, 1] == 1
    np.testing.assert_allclose(found[2:, 2:], chosen_together(small)[2:, 2:], rtol=1e-12)


def test_objects_that_do_not_differ_are_alike_by_a_third():
    np.testing.assert_allclose(off(similarity(np.ones((9, 2)))), 1 / 3, rtol=1e-14)


def test_similarity_of_small_embeddings_is_of_centred_products():
    """p is 1/3 + (2 S_ij − S_ik − S_jk)/9 to first order; the mean over k leaves out i and j."""
    x = 0.01 * sparse(20)
    s = x @ x.T
    others = (s.sum(axis=1) - np.diag(s))[:, None] - s  # Σ_k S_ik without i and j
    expected = 1 / 3 + (2 * s - (others + others.T) / 18) / 9
    np.testing.assert_allclose(off(similarity(x)), off(expected), atol=np.square(s).max())


def test_order_of_objects_and_dimensions_does_not_matter():
    x, order = sparse(30), np.random.default_rng(1).permutation(30)
    np.testing.assert_allclose(similarity(x[order][:, ::-1]), similarity(x)[np.ix_(order, order)], rtol=1e-12)


def test_probabilities_are_those_of_the_chosen_pair_first():
    x = sparse(10)
    found = probabilities(x, [[4, 7, 2]])[0]
    e = np.exp([x[4] @ x[7], x[4] @ x[2], x[7] @ x[2]])
    np.testing.assert_allclose(found, e / e.sum())


# Accuracy


def test_without_dimensions_accuracy_is_luck():
    triplets = asked(30, 500)
    assert accuracy(np.zeros((30, 4)), triplets) == pytest.approx(1 / 3, abs=1e-12)
    assert cross_entropy(np.zeros((30, 4)), triplets) == pytest.approx(np.log(3))


def test_what_is_next_to_impossible_has_a_finite_cross_entropy():
    assert cross_entropy([[40, 0], [0, 40], [40, 0]], [[0, 1, 2]]) == pytest.approx(1600)


def test_triplets_are_taken_as_their_choices():
    x = sparse(20)
    some = Triplets.sampled(x, 200)
    np.testing.assert_array_equal(np.asarray(some), some.choices)
    assert np.asarray(some, dtype=float).dtype == float
    assert accuracy(x, some) == accuracy(x, some.choices)
    np.testing.assert_array_equal(probabilities(x, some), probabilities(x, some.choices))


def test_ties_share_as_guessing_does():
    values = np.random.default_rng(0).integers(0, 3, size=(2000, 3)).astype(float)
    draw = np.random.default_rng(1)
    guesses = np.mean([np.argmax(values + 1e-6 * draw.random(values.shape), axis=1) == 0 for _ in range(400)], axis=0)
    np.testing.assert_allclose(shares(values), guesses, atol=0.12)  # five standard errors of 400 guesses
    assert set(shares(values)) == {0, 1 / 3, 1 / 2, 1}


def test_expected_accuracy_of_the_true_model_is_the_ceiling_exactly():
    """Over all three choices of each triplet, weighed by their probabilities."""
    x = sparse(12)
    every = np.array(list(combinations(range(12), 3)))
    expected = 0.0
    for order in ([0, 1, 2], [0, 2, 1], [1, 2, 0]):
        some = every[:, order]
        values = np.stack([(x[some[:, a]] * x[some[:, b]]).sum(axis=1) for a, b in ((0, 1), (0, 2), (1, 2))], axis=1)
        expected += (probabilities(x, some)[:, 0] * shares(values)).mean()
    assert expected == pytest.approx(ceiling(x, every).accuracy, rel=1e-12)
    assert (shares(values) == 1 / 3).any()  # there are ties


@pytest.mark.parametrize("seed", range(3))
def test_the_true_model_is_at_the_ceiling_and_counting_ties_as_hits_is_above_it(seed):
    x = sparse(60, seed=seed)
    triplets = chosen(x, asked(60, 6000, seed), seed)
    top, error = ceiling(x, triplets).accuracy, 0.5 / np.sqrt(6000)
    assert abs(accuracy(x, triplets) - top) < 4 * error
    naive = np.mean(probabilities(x, triplets).argmax(axis=1) == 0)
    assert naive > top + 0.07  # up to a third of the triplets have no best pair
    for other in (x[:, :4], x + 0.5 * np.random.default_rng(9).random(x.shape), np.roll(x, 1, axis=0)):
        assert accuracy(other, triplets) < top + 4 * error


def test_the_ceiling_of_repeats_encloses_that_of_the_truth():
    x = sparse(30)
    triplets = np.repeat(asked(30, 1500), 5, axis=0)
    answered = chosen(x, triplets)
    shuffled = answered[:, :2][:, ::-1]  # the pair may come in any order
    answered[::2, :2] = shuffled[::2]
    found, top = ceiling_of_repeats(answered), ceiling(x, triplets)
    assert found.low < top.accuracy < found.high
    assert found.high - found.low < 0.2
    assert found.agreement == pytest.approx(top.agreement, abs=0.015)  # four standard errors
    assert found.triplets == len(np.unique(np.sort(triplets, axis=1), axis=0))
    once = np.array(list(combinations(range(30, 36), 3)))  # asked once each, of other objects
    assert ceiling_of_repeats(np.concatenate([answered, once])) == found


def test_repeats_by_hand():
    found = ceiling_of_repeats([[0, 1, 2]] * 3 + [[1, 2, 0]] + [[3, 4, 5]])
    assert found.triplets == 1
    assert found.high == pytest.approx(3 / 4)
    assert found.low == pytest.approx(3 / 4)  # the three are named by the other two, the fourth is not
    assert found.agreement == pytest.approx(1 / 2)
    assert found.accuracy == pytest.approx(3 / 4)


# Reproducibility


def test_copies_come_back_and_noise_does_not():
    x, draw = sparse(60, 4), np.random.default_rng(1)
    found = reproducibility({"a": x, "b": x[:, ::-1] * 3 + 1, "noise": draw.gamma(0.5, size=(60, 4))}, permutations=99)
    np.testing.assert_allclose(found.scores["a"][0], 1)
    assert found.best in "ab"
    assert found.scores["a"].shape == (2, 4)  # no row for itself
    assert np.abs(fisher_mean(found.scores["noise"])).max() < 0.5
    assert (found.p["a"] == 0.01).all()
    assert found.p["noise"].min() > 0.01
    assert found.mean["noise"] < 0.3 < found.mean["a"]


def test_the_best_of_many_matches_is_worth_nothing_on_objects_that_did_not_choose_it():
    draw = np.random.default_rng(0)
    given = [draw.normal(size=(40, 30)) for _ in range(4)]
    found = reproducibility(given)
    best = np.mean([pairwise(given[0], one).r.mean() for one in given[1:]])
    assert best > 0.3  # the largest of 30 by luck
    assert abs(np.mean(list(found.mean.values()))) < 0.04  # 120 dimensions: four standard errors


def test_reproducibility_is_a_mean_in_fishers_z_of_both_halves():
    x, y = sparse(41, 3), sparse(41, 3) + 0.7 * np.random.default_rng(2).random((41, 3))
    order = np.random.default_rng(5).permutation(41)
    halves = order[:20], order[20:]
    expected = []
    for d in range(3):
        z = []
        for mine, theirs in (halves, halves[::-1]):
            match = max(range(3), key=lambda e: pearsonr(x[mine, d], y[mine, e]).statistic)
            z.append(np.arctanh(pearsonr(x[theirs, d], y[theirs, match]).statistic))
        expected.append(np.tanh(np.mean(z)))
    found = reproducibility([x, y], seed=5)
    np.testing.assert_allclose(found.dimensions["0"], expected, rtol=1e-9)
    assert found.mean["0"] == pytest.approx(np.tanh(np.mean(np.arctanh(expected))))


def test_a_dimension_that_does_not_vary_has_no_value():
    x = sparse(30, 3)
    x[:, 1] = 0
    found = reproducibility([x, sparse(30, 3, seed=4)])
    assert np.isnan(found.dimensions["0"]).tolist() == [False, True, False]
    assert np.isfinite(found.mean["0"])
    assert np.isnan(correlations(np.full((9, 1), 0.1), sparse(9, 1))).all()


# Similarity of similarities


def test_both_correlations_are_scipys():
    a, b = similarity(sparse(25)), similarity(sparse(25, seed=3))
    found, where = representational(a, b, permutations=0, draws=0), np.triu_indices(25, 1)
    assert found.r["pearson"] == pytest.approx(pearsonr(a[where], b[where]).statistic)
    assert found.r["spearman"] == pytest.approx(spearmanr(a[where], b[where]).statistic)
    assert abs(found.r["pearson"] - found.r["spearman"]) > 0.005  # one is not the other
    assert np.isnan(found.p["pearson"])


def test_a_rising_function_changes_pearson_alone():
    a = similarity(sparse(25))
    found = representational(a, np.exp(9 * a), permutations=0, draws=0).r
    assert found["spearman"] == pytest.approx(1, abs=1e-4)  # but for ties by rounding
    assert found["pearson"] < 0.95


def test_chance_shuffles_objects_and_not_pairs():
    """Shuffled pairs would take the entries of one object for independent."""
    a, b, where = similarity(sparse(16)), similarity(sparse(16, seed=2)), np.triu_indices(16, 1)
    found = representational(a, b, permutations=199, draws=0, seed=5)
    shuffled = orders(16, 199, np.random.default_rng(5))
    for name, correlate in (("pearson", pearsonr), ("spearman", spearmanr)):
        null = [correlate(a[where], b[np.ix_(one, one)][where]).statistic for one in shuffled]
        assert found.p[name] == (1 + np.sum(np.array(null) >= found.r[name])) / 200
    alike = representational(a, a, permutations=99, draws=50)
    assert alike.p == {"pearson": 0.01, "spearman": 0.01}
    assert (alike.low["pearson"], alike.high["pearson"]) == pytest.approx((1, 1))


def test_the_interval_is_about_the_value():
    noise = np.random.default_rng(0).random((50, 5))
    found = representational(similarity(sparse(50)), similarity(sparse(50) + noise), permutations=0)
    for name, r in found.r.items():
        assert found.low[name] < r < found.high[name]
        assert found.high[name] - found.low[name] < 0.5


# Cumulative and pairwise


def test_dimensions_are_added_the_largest_first():
    x = sparse(30, 4) * [0.4, 3, 0.1, 1]
    target = similarity(x)
    found, where = cumulative(x, target), np.triu_indices(30, 1)
    assert found.dimensions.tolist() == [1, 3, 0, 2]
    two = pearsonr(similarity(x[:, [1, 3]])[where], target[where]).statistic
    assert found.r[1] == pytest.approx(two)
    assert found.r[-1] == pytest.approx(1)
    assert found.needed == int(np.argmax(found.r**2 >= 0.95)) + 1
    assert cumulative(x, target, share=1.0).needed == 4
    other = cumulative(x, similarity(x + np.random.default_rng(0).random(x.shape)), share=0.95)
    assert other.r[-1] < 0.9  # so that r and its square are not the same
    assert other.needed == int(np.argmax(other.r**2 >= 0.95 * other.r[-1] ** 2)) + 1
    assert other.needed != int(np.argmax(other.r**2 >= 0.95 * other.r[-1])) + 1
    assert cumulative(x, 1 - target).needed == 0


def test_what_is_as_large_and_negative_is_not_reached():
    x = sparse(30, 2) * [1.5, 0.5]
    x = x[:, np.argsort(-x.sum(axis=0))]
    found = cumulative(x, similarity(x) - 1.5 * similarity(x[:, :1]))
    assert found.r[0] < 0 < found.r[1]
    assert found.r[0] ** 2 > found.r[1] ** 2
    assert found.needed == 2


@pytest.mark.parametrize("by", ["weights", "similarity"])
def test_permuted_dimensions_are_found(by):
    x = sparse(30, 5)
    found = pairwise(x, x[:, [3, 0, 4, 1, 2]], by=by, replacement=False, permutations=19)
    assert found.match.tolist() == [1, 3, 4, 0, 2]
    np.testing.assert_allclose(found.r, 1)
    assert (found.p == 0.05).all()


def test_pairs_are_those_of_loops():
    x, y = sparse(20, 3), sparse(20, 4, seed=7)
    where = np.triu_indices(20, 1)
    by_weights = [[pearsonr(a, b).statistic for b in y.T] for a in x.T]
    by_matrix = [[pearsonr(similarity(a[:, None])[where], similarity(b[:, None])[where]).statistic for b in y.T]
                 for a in x.T]  # fmt: skip
    for by, expected in (("weights", by_weights), ("similarity", by_matrix)):
        found = pairwise(x, y, by=by)
        np.testing.assert_array_equal(found.match, np.argmax(expected, axis=1))
        np.testing.assert_allclose(found.r, np.max(expected, axis=1))
        alone = pairwise(x, y, by=by, replacement=False)
        best = max(sum(expected[d][e] for d, e in enumerate(one)) for one in permutations(range(4), 3))
        assert alone.r.sum() == pytest.approx(best)


@pytest.mark.parametrize("by", ["weights", "similarity"])
def test_p_of_a_match_shuffles_objects(by):
    x, y, where = sparse(12, 2), sparse(12, 3, seed=7), np.triu_indices(12, 1)

    def best(a, one):
        if by == "weights":
            return max(pearsonr(a, b[one]).statistic for b in y.T)
        own = similarity(a[:, None])[where]
        return max(pearsonr(own, similarity(b[one][:, None])[where]).statistic for b in y.T)

    found = pairwise(x, y, by=by, permutations=39, seed=3)
    for a, r, p in zip(x.T, found.r, found.p, strict=True):
        null = [best(a, one) for one in orders(12, 39, np.random.default_rng(3))]
        assert p == (1 + np.sum(np.array(null) >= r)) / 40


def test_without_replacement_some_stay_alone():
    found = _assigned(np.array([[0.9, 0.8], [0.9, 0.1], [0.2, np.nan]]), replacement=False)
    assert found.tolist() == [1, 0, -1]
    assert _assigned(np.array([[np.nan, np.nan], [0.1, 0.2]]), replacement=True).tolist() == [-1, 1]
    dead = np.hstack([sparse(20, 1), np.zeros((20, 1))])
    assert pairwise(dead, sparse(20, 2)).match[1] == -1


def test_p_of_a_match_knows_that_it_is_the_best_of_many():
    draw = np.random.default_rng(0)
    p = np.concatenate([pairwise(*draw.normal(size=(2, 15, 6)), permutations=39, seed=s).p for s in range(30)])
    assert abs(p.mean() - 0.5) < 4 * 0.29 / np.sqrt(30)  # 30 independent draws at least


# What decides


def test_without_a_dimension_is_to_compute_again():
    x, triplets = sparse(20), asked(20, 300)
    found = deciding(x, triplets)
    for d in range(5):
        without = probabilities(np.delete(x, d, axis=1), triplets)[:, 0]
        np.testing.assert_allclose(found.probability - without, found.change[:, d], atol=1e-12)
    np.testing.assert_allclose(found.probability, probabilities(x, triplets)[:, 0], rtol=1e-12)
    decides = found.dimension >= 0
    np.testing.assert_array_equal(found.dimension[decides], np.abs(found.change).argmax(axis=1)[decides])


def test_a_dead_dimension_decides_exactly_nothing():
    x, triplets = sparse(60), asked(60, 5000)
    dead = np.insert(x, 2, 0, axis=1)
    found = deciding(dead, triplets)
    np.testing.assert_array_equal(found.change[:, 2], 0.0)
    assert 2 not in found.dimension
    np.testing.assert_array_equal(found.change[:, [0, 1, 3, 4, 5]], deciding(x, triplets).change)
    assert (deciding(np.zeros((60, 3)), triplets).dimension == -1).all()


def test_disagreement_is_found_and_ranked():
    x = sparse(30, 4)
    y = x.copy()
    y[[3, 8]] = [[0, 0, 0, 9.0], [0, 0, 0, 9.0]]  # one embedding has made a pair of two objects
    x[3], x[8] = [2, 0, 0, 0], [0, 2, 0, 0]
    others = [k for k in range(30) if k not in (3, 8)]
    triplets = np.array([[3, 8, k] for k in others] + asked(28, 300).tolist())
    triplets[28:] = np.array(others)[triplets[28:]]
    found = divergent(x, y, triplets, count=10)
    assert (found.rows < 28).all()
    gaps = np.abs(found.ranks[:, 0] - found.ranks[:, 1])
    assert (np.diff(gaps) <= 0).all()
    np.testing.assert_allclose(found.probabilities[:, 0], probabilities(x, triplets[found.rows])[:, 0])
    same = divergent(x, x, triplets, count=3)
    np.testing.assert_array_equal(same.ranks[:, 0], same.ranks[:, 1])


# What is refused


X, T = sparse(10), [[0, 1, 2]]
BAD = np.where(np.eye(10, 5) > 0, np.nan, 1.0)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: similarity(BAD), DataError, "values that are not finite"),
        (lambda: similarity([["a"]]), DataError, "no array of numbers"),
        (lambda: similarity(X[:2]), ShapeError, r"with 3 or more objects and a dimension; got shape \(2, 5\)"),
        (lambda: similarity(X[0]), ShapeError, "got shape"),
        (lambda: accuracy(X, [[0, 1, 10]]), DataError, r"triplet 0 .* \(0, 1, 10\) has object 10; there are 0 to 9"),
        (lambda: accuracy(X, [[0, 1, 2], [0, -1, 2]]), DataError, "triplet 1 .* has object -1"),
        (lambda: accuracy(X, [[0, 1, 2], [3, 4, 3]]), DataError, r"triplet 1 .* \(3, 4, 3\) has the same object twice"),
        (lambda: accuracy(X, [[0, 1, 1]]), DataError, r"triplet 0 .* \(0, 1, 1\) has the same object twice"),
        (lambda: accuracy(X, [[0, 1]]), ShapeError, r"triplets are \(triplet, 3\), got shape \(1, 2\)"),
        (lambda: accuracy(X, np.zeros((0, 3), int)), DataError, "give at least one"),
        (lambda: cross_entropy(X, [[0, 1, 2.5]]), DataError, "whole numbers of objects, got float64"),
        (lambda: ceiling_of_repeats(T), DataError, "none of 1 triplets was asked twice"),
        (lambda: reproducibility([X]), SpecificationError, "two embeddings or more, of different seeds; got 1"),
        (lambda: reproducibility([X, X], permutations=-1), SpecificationError, "permutations must not be negative"),
        (lambda: reproducibility([X, X[:9]]), ShapeError, "embedding 1 has 9 objects and 0 10"),
        (lambda: reproducibility([X[:5], X[:5]]), ShapeError, "embedding 0 must be .* with 6 or more objects"),
        (lambda: representational(np.eye(4), np.eye(5)), ShapeError, "of 4 and 5 objects"),
        (lambda: representational(np.ones((4, 3)), np.eye(4)), ShapeError, r"must be \(object, object\)"),
        (lambda: representational(np.arange(9.0).reshape(3, 3), np.eye(3)), DataError, "must be symmetric"),
        (lambda: representational(np.eye(4), np.eye(4), draws=-1), SpecificationError, "draws must not be negative"),
        (lambda: representational(np.eye(4), np.eye(4), level=1), SpecificationError, "level a share"),
        (lambda: cumulative(X, np.eye(9)), ShapeError, "10 objects in the embedding and 9 in the reference"),
        (lambda: cumulative(X, np.eye(10), share=0), SpecificationError, "share lies above 0"),
        (lambda: pairwise(X, X[:9]), ShapeError, "the embeddings have 10 and 9 objects"),
        (lambda: pairwise(X, X, by="weight"), UnknownName, "unknown way to match 'weight'; did you mean weights"),
        (lambda: pairwise(X, X, permutations=-1), SpecificationError, "permutations must not be negative; got -1"),
        (lambda: deciding(X, [[0, 0, 1]]), DataError, "has the same object twice"),
        (lambda: divergent(X, X, T, count=0), SpecificationError, "count must be at least 1; got 0"),
    ],
)
def test_refused(call, error, says):
    with pytest.raises(error, match=says) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_the_name_of_the_room_is_the_function():
    assert public is similarity
