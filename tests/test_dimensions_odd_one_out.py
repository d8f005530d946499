"""Odd-one-out dimensions: triplets, the loss and its gradient, what is recovered, and what cannot be asked."""

import os
from collections import Counter
from itertools import combinations, count, permutations
from math import comb
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cosine
from scipy.special import log_softmax, logsumexp, softmax
from scipy.stats import norm
from sklearn.base import clone

from syzygy.dimensions.odd_one_out import OddOneOut, Triplets, shares, similarity
from syzygy.dimensions.odd_one_out.choosing import MATRIX, chosen, similarities
from syzygy.dimensions.odd_one_out.combinations import balanced, ranks, uniform, unranked
from syzygy.dimensions.odd_one_out.learner import Positive, Variational
from syzygy.dimensions.odd_one_out.learning import Learning
from syzygy.dimensions.odd_one_out.likelihood import _in_a_matrix, _in_rows, pulled
from syzygy.dimensions.odd_one_out.notes import notes
from syzygy.dimensions.odd_one_out.prior import SpikeSlab
from syzygy.dimensions.odd_one_out.pruning import significant
from syzygy.errors import DataError, Diverged, RunError, ShapeError, SpecificationError, UnknownName
from syzygy.seeds import generator
from syzygy.snapshot import Snapshot

FULL = os.environ.get("SYZYGY_FULL") == "1"
THINGS = Path(os.environ.get("SYZYGY_DATA", Path(__file__).parents[2] / "shared" / "data"), "things", "embedding.npy")


def made(objects=60, dimensions=5, seed=0):
    """A sparse positive embedding."""
    draw = np.random.default_rng(seed)
    return (draw.random((objects, dimensions)) < 0.35) * draw.gamma(4, 0.5, (objects, dimensions))


def best(truth, found):
    """Correlation of each true dimension with the one that is most like it."""
    return np.corrcoef(truth, found, rowvar=False)[: truth.shape[1], truth.shape[1] :].max(axis=1)


def quick(**options):
    return OddOneOut(**{"dimensions": 8, "batch": 256, "rate": 0.05, "epochs": 60, "stable": 40, **options})


# Triplets


def test_ranks_are_all_numbers_once():
    every = np.array(list(combinations(range(11), 3)))
    assert sorted(ranks(every)) == list(range(comb(11, 3)))
    np.testing.assert_array_equal(unranked(ranks(every), 11), every)
    for order in permutations(range(3)):
        np.testing.assert_array_equal(ranks(every[:, order]), ranks(every))
    last = np.array([comb(200_000, 3) - 1])
    assert unranked(last, 200_000).tolist() == [[199_997, 199_998, 199_999]]


@pytest.mark.parametrize("drawn", [uniform, balanced])
@pytest.mark.parametrize(("objects", "count"), [(3, 1), (4, 3), (12, 100), (12, 219), (12, 220), (40, 9000)])
def test_ranks_are_drawn_without_repeats(drawn, objects, count):
    found = drawn(objects, count, np.random.default_rng(0))
    assert len(found) == count == len(set(found.tolist()))
    assert found.min() >= 0
    assert found.max() < comb(objects, 3)


def test_uniform_sets_are_as_likely():
    """Each of the ten pairs of triplets of four and more objects comes as often: 2,000 draws, 4.5 standard errors."""
    draw = np.random.default_rng(1)
    seen = Counter(tuple(sorted(uniform(5, 2, draw).tolist())) for _ in range(2000))
    assert len(seen) == 45
    assert max(abs(count - 2000 / 45) for count in seen.values()) < 4.5 * np.sqrt(2000 / 45)


@pytest.mark.parametrize("count", [200, 4000, 9000])
def test_balanced_objects_occur_equally_often(count):
    def occurrences(sampling):
        return np.bincount(Triplets.drawn(np.eye(40), count, sampling=sampling).choices.ravel(), minlength=40)

    assert np.ptp(occurrences("balanced")) <= 4 < np.ptp(occurrences("uniform"))


def slow_choices(x, triplets, alike):
    """Which pair is most alike, one triplet at a time."""
    found = []
    for i, j, k in triplets:
        pairs = [(alike(x[a], x[b]), (a, b)) for a, b in ((i, j), (i, k), (j, k))]
        pair = max(pairs)[1]
        found.append([*pair, *({i, j, k} - set(pair))])
    return np.array(found)


@pytest.mark.parametrize(
    ("kind", "alike"),
    [
        ("dot", np.dot),
        ("cosine", lambda a, b: -cosine(a, b)),
        ("euclidean", lambda a, b: -np.linalg.norm(a - b)),
    ],
)
@pytest.mark.parametrize("rectified", [False, True])
def test_the_most_alike_pair_is_chosen(kind, alike, rectified):
    x = np.random.default_rng(0).normal(size=(14, 6)) + 0.5
    found = Triplets.drawn(x, 300, similarity=kind, rectified=rectified, seed=3)
    x = np.maximum(x, 0) if rectified else x
    np.testing.assert_array_equal(found.choices, slow_choices(x, np.sort(found.choices, axis=1), alike))
    assert found.ties == 0


@pytest.mark.parametrize("kind", ["dot", "cosine", "euclidean"])
def test_few_triplets_are_compared_as_many(kind):
    """Without the matrix of all pairs, and with it."""
    x = np.random.default_rng(0).normal(size=(50, 7))
    triplets = unranked(uniform(50, 400, np.random.default_rng(1)), 50)
    few = np.concatenate([similarities(x, part, kind) for part in np.split(triplets, 8)])
    np.testing.assert_allclose(similarities(x, triplets, kind), few, rtol=1e-12)
    assert len(x) <= MATRIX


@pytest.mark.parametrize("count", [5, 200])
def test_distances_far_from_the_origin(count):
    """Dot products of such objects lose all digits in which they differ; differences lose none."""
    x = np.round(np.random.default_rng(0).normal(size=(12, 3)) * 2**10) / 2**10
    near, far = (Triplets.drawn(x + shift, count, similarity="euclidean") for shift in (0, 2.0**40))
    np.testing.assert_array_equal(near.choices, far.choices)


def test_ties_are_broken_by_luck_and_counted():
    x = np.ones((30, 2))
    found = Triplets.drawn(x, 4000, seed=1)
    assert found.ties == 4000
    assert np.any(found.choices != Triplets.drawn(x, 4000, seed=2).choices)
    # Where in ascending order the odd one is: each place a third of the time, within 4 standard errors.
    place = (np.sort(found.choices, axis=1) == found.choices[:, 2:]).argmax(axis=1)
    assert np.abs(np.bincount(place) / 4000 - 1 / 3).max() < 4 * np.sqrt(2 / 9 / 4000)
    assert chosen(np.array([[1.0, 0, 0], [0, 1, 1], [0, 0, 1]]), "argmax", 1.0, np.random.default_rng(0))[1] == 1


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_sampled_choices_follow_the_softmax(temperature):
    """The log-likelihood of 9,880 choices is as expected, within 4 standard errors."""
    x = made(40)
    found = Triplets.sampled(x, comb(40, 3), temperature=temperature)
    logs = log_softmax(found.similarities(x) / temperature, axis=1)
    p = np.exp(logs)
    mean, square = (p * logs).sum(axis=1), (p * logs**2).sum(axis=1)
    assert abs((logs[:, 0] - mean).sum()) < 4 * np.sqrt((square - mean**2).sum())


def test_what_is_drawn_depends_on_the_seed():
    x = made(20)
    one, same, other = (Triplets.drawn(x, 100, seed=seed).choices for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert np.any(one != other)


def test_sides_share_no_three_objects():
    """Several people answered the same triplets, in other orders and differently."""
    draw = np.random.default_rng(0)
    once = unranked(uniform(12, 150, draw), 12)
    asked = draw.permuted(np.repeat(once, 5, axis=0), axis=1)
    whole = Triplets(asked, 12, names=tuple("abcdefghijkl"), ties=3)
    sides = whole.split((0.6, 0.3, 0.1), seed=4)
    seen = [set(ranks(side.choices).tolist()) for side in sides]
    assert [len(one) for one in seen] == [90, 45, 15]
    assert [len(side) for side in sides] == [450, 225, 75]
    assert all(not one & other for one, other in combinations(seen, 2))
    assert {side.names for side in sides} == {whole.names}
    kept = [row for row in asked.tolist() if ranks(np.array([row]))[0] in seen[0]]
    assert sides[0].choices.tolist() == kept
    assert np.any(whole.split((0.6,), seed=5)[0].choices != sides[0].choices)
    assert len(whole.split((0.5,))) == 1


@pytest.mark.parametrize(
    ("shares", "says"),
    [((0.7, 0.4), "at most 1"), ((1.0, 0.0), "positive"), ((), "positive"), ((0.9, 0.01), "too few for shares")],
)
def test_shares_that_cannot_be(shares, says):
    with pytest.raises(SpecificationError, match=says):
        Triplets.drawn(np.eye(5), 10).split(shares)


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"count": 11}, SpecificationError, "5 objects have 10 different triplets; ask for 1 to all of them, not 11"),
        ({"count": 0}, SpecificationError, "ask for 1"),
        ({"similarity": "cos"}, UnknownName, "unknown similarity 'cos'"),
        ({"choice": "softmax"}, UnknownName, "known: argmax, sampled"),
        ({"sampling": "even"}, UnknownName, "known: uniform, balanced"),
        ({"temperature": 0.0}, SpecificationError, "temperature must be positive and finite, got 0.0"),
        ({"representations": np.eye(2)}, ShapeError, r"3 or more objects and a dimension; got shape \(2, 2\)"),
        ({"representations": np.ones(9)}, ShapeError, r"got shape \(9,\)"),
        (
            {"representations": np.full((5, 2), np.inf)},
            DataError,
            "representations: 10 values that are not finite",
        ),
        ({"names": ("a", "b")}, ShapeError, "5 objects have 2 names"),
    ],
)
def test_what_cannot_be_drawn(given, error, says):
    with pytest.raises(error, match=says):
        Triplets.drawn(**{"representations": np.eye(5), "count": 5, **given})


@pytest.mark.parametrize(
    ("choices", "error", "says"),
    [
        (np.zeros((0, 3), int), DataError, "there are no triplets"),
        (np.zeros((4, 2), int), ShapeError, r"\(triplet, 3\), got shape \(4, 2\)"),
        (np.ones((4, 3)), DataError, "whole numbers of objects, got float64"),
        ([[0, 1, 2], [0, 4, 2]], DataError, r"triplet 1 \(from 0\) \(0, 4, 2\) has object 4; there are 0 to 3"),
        ([[0, 1, -1]], DataError, "has object -1"),
        ([[0, 1, 2], [1, 2, 3], [3, 0, 3]], DataError, r"triplet 2 \(from 0\) \(3, 0, 3\) has the same object twice"),
    ],
)
def test_what_are_no_triplets(choices, error, says):
    with pytest.raises(error, match=says):
        Triplets(np.asarray(choices), 4)


def test_similarities_are_of_the_same_objects():
    some = Triplets(np.array([[0, 1, 2]]), 3)
    assert some.similarities([[1.0], [2.0], [3.0]]).tolist() == [[2, 3, 6]]
    with pytest.raises(ShapeError, match="the embedding has 4 objects, and the triplets 3"):
        some.similarities(np.eye(4))
    with pytest.raises(DataError, match="3 values that are not finite"):
        some.similarities(np.full((3, 1), np.nan))


# Files


@pytest.mark.parametrize(
    ("name", "text", "options"),
    [
        ("a.csv", "0,1,2\n3,1,0\n", {}),
        ("a.tsv", "0\t1\t2\n\n3\t1\t0\n", {"objects": 4}),
        ("a.txt", "0 1   2\n3\t1 0", {"objects": 4}),
        ("a.csv", "2,0,1\n0,3,1\n", {"odd": 0}),
        ("a.csv", "first, out ,second\n0,2,1\n3,0,1\n", {"odd": "out"}),
        ("a.csv", 'ant,"bee, honey",cat\n dog ,"bee, honey",ant\n', {"names": ("ant", "bee, honey", "cat", "dog")}),
        ("a.txt", "odd x y\ncat ant bee\nant dog bee", {"names": ("ant", "bee", "cat", "dog"), "odd": "odd"}),
    ],
)
def test_choices_are_read(tmp_path, name, text, options):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    found = Triplets.read(path, **options)
    assert found.choices.tolist() == [[0, 1, 2], [3, 1, 0]]
    assert (found.objects, found.names) == (4, options.get("names"))


def test_choices_are_read_from_an_array(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.array([[2, 0, 1], [0, 3, 1]], dtype=np.uint16))
    assert Triplets.read(path, odd=0, objects=9).choices.tolist() == [[0, 1, 2], [3, 1, 0]]
    np.save(path, np.array([["a", "b", "c"]]))
    assert Triplets.read(str(path), names="abc").choices.tolist() == [[0, 1, 2]]


def test_long_files_are_read_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("syzygy.dimensions.odd_one_out.reading.LINES", 7)
    some = Triplets.drawn(np.eye(9), 50)
    np.savetxt(tmp_path / "a.csv", some.choices, fmt="%d", delimiter=",")
    np.testing.assert_array_equal(Triplets.read(tmp_path / "a.csv").choices, some.choices)
    with (tmp_path / "a.csv").open("a") as file:
        file.write("\n1,2,x\n")
    with pytest.raises(DataError, match="line 52: 'x' is no whole number"):
        Triplets.read(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("name", "text", "options", "error", "says"),
    [
        ("a.csv", "", {}, DataError, "has no triplets"),
        ("a.csv", "\n\n", {}, DataError, "has no triplets"),
        ("a.csv", "x,y,z\n", {"odd": "z"}, DataError, "has no triplets"),
        ("a.csv", "0,1,2\n0,1\n", {}, DataError, "line 2: a triplet has three columns, and here are 2"),
        ("a.txt", "0 1 2 1\n", {}, DataError, "line 1: a triplet has three columns, and here are 4"),
        ("a.csv", "0,1,2\n\n0,1.5,2\n", {}, DataError, "line 3: '1.5' is no whole number; give names"),
        ("a.csv", "a,b,odd\n0,1,2\n", {}, DataError, "line 1: 'a' is no whole number.*odd='…' if this line names"),
        ("a.csv", f"0,1,{10**30}\n", {}, DataError, "line 1: '1000.* is no whole number"),
        (
            "a.csv",
            "0,1,2\n2,1,3\n",
            {"objects": 3},
            DataError,
            r"line 2: the triplet \(2, 1, 3\) has object 3; there are",
        ),
        ("a.csv", "0,1,-2\n", {}, DataError, "line 1: the triplet .* has object -2"),
        ("a.csv", "0,1,2\n1,1,2\n", {}, DataError, "line 2: the triplet .* has the same object twice"),
        ("a.csv", "a,b,c\na,b,bee\n", {"names": ("a", "b", "c")}, DataError, "line 2: unknown object 'bee'"),
        ("a.csv", "a,b,c\n", {"names": ("a", "b", "c", "a")}, SpecificationError, "must be different"),
        ("a.csv", "a,b,c\n", {"names": ("a", "b", "c"), "objects": 4}, ShapeError, "4 objects have 3 names"),
        ("a.csv", "a,b,c\n", {"odd": "d"}, UnknownName, "unknown column of a.csv 'd'; known: a, b, c"),
        ("a.csv", "a,b,c,d\n", {"odd": "d"}, DataError, "line 1: a triplet has three columns, and here are 4"),
        ("a.csv", "0,1,2\n", {"odd": 3}, SpecificationError, "one of the columns 0, 1 and 2"),
        ("a.xlsx", "0,1,2\n", {}, UnknownName, "unknown kind of file with triplets '.xlsx'"),
        ("a.npy", "0,1,2\n", {}, DataError, "nothing is unpickled"),
    ],
)
def test_files_that_hold_no_triplets(tmp_path, name, text, options, error, says):
    (tmp_path / name).write_text(text)
    with pytest.raises(error, match=says) as raised:
        Triplets.read(tmp_path / name, **options)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("array", "options", "says"),
    [
        (np.array([[0, 1, None]]), {}, "nothing is unpickled"),
        (np.zeros((3, 3)), {}, "type float64; whole numbers were asked for"),
        (np.zeros((3, 3), int), {"names": "abc"}, "type int64; names were asked for"),
        (np.zeros((3, 4), int), {}, r"shape \(3, 4\)"),
        (np.array([[0, 1, 2], [0, 0, 1]]), {}, "line 2: the triplet"),
    ],
)
def test_arrays_that_are_no_triplets(tmp_path, array, options, says):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(DataError, match=says):
        Triplets.read(tmp_path / "a.npy", **options)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        Triplets.read(tmp_path / "none.csv")
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00,1,2\n")
    with pytest.raises(DataError, match="cannot be read"):
        Triplets.read(tmp_path / "a.csv")
    with pytest.raises(SpecificationError, match=r"columns of .* have no names"):
        Triplets.read(tmp_path / "a.npy", odd="out")


# The prior


@pytest.mark.parametrize("shape", ["gaussian", "laplace"])
@pytest.mark.parametrize(("spike", "slab", "share"), [(0.25, 1.0, 0.5), (0.1, 2.0, 0.8)])
def test_the_prior_is_a_density_and_its_slope_the_derivative(shape, spike, slab, share):
    prior = SpikeSlab(spike, slab, share, shape)
    x = torch.linspace(-60, 60, 48_001, dtype=torch.float64, requires_grad=True)
    logs = prior.log_density(x)
    logs.sum().backward()
    assert float(torch.trapezoid(logs.exp(), x).detach()) == pytest.approx(1, abs=1e-4)
    there = x.detach() != 0
    torch.testing.assert_close(prior.slope(x.detach())[there], x.grad[there])
    assert torch.isfinite(logs).all()


def test_the_prior_is_a_mixture_and_no_sum_of_logarithms():
    """The weighted sum of logs is one normal of deviation .351 and no wide tail; at 2 it is off by 14 nats."""
    x = np.linspace(-4, 4, 9)
    parts = np.log(0.5) + norm.logpdf(x[:, None], scale=[0.25, 2.0])
    ours = SpikeSlab(0.25, 2.0, 0.5).log_density(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(ours, logsumexp(parts, axis=1), rtol=1e-12)
    wrong = norm.logpdf(x[:, None], scale=[0.25, 2.0]).mean(axis=1)
    curvature = np.diff(wrong, 2)
    np.testing.assert_allclose(np.sqrt(-1 / curvature), 0.351, atol=5e-4)
    assert (ours[6], wrong[6]) == (pytest.approx(-2.8, abs=0.05), pytest.approx(-16.8, abs=0.05))


# The loss and its gradient


def some_triplets(objects, count, seed=0):
    return torch.from_numpy(Triplets.drawn(np.eye(objects), count, seed=seed).choices).long()


def plain_loss(x, triplets):
    """One triplet at a time, by the definition."""
    total = x.new_zeros(())
    for i, j, k in triplets.tolist():
        alike = torch.stack([x[i] @ x[j], x[i] @ x[k], x[j] @ x[k]])
        total = total - alike[0] + torch.logsumexp(alike, 0)
    return total


@pytest.mark.parametrize("way", [_in_rows, _in_a_matrix])
def test_the_gradient_is_that_of_autograd(way, monkeypatch):
    monkeypatch.setattr("syzygy.dimensions.odd_one_out.likelihood.GATHERED", 40)
    x = torch.from_numpy(made(12, 4)).requires_grad_()
    triplets = torch.cat([some_triplets(12, 60), some_triplets(12, 20, seed=1)])
    loss = plain_loss(x, triplets)
    loss.backward()
    found, gradient = way(x.detach().clone(), triplets)
    torch.testing.assert_close(found, loss.detach())
    torch.testing.assert_close(gradient, x.grad)


def test_both_ways_are_taken(monkeypatch):
    taken = []
    for name in ("_in_rows", "_in_a_matrix"):
        monkeypatch.setattr(
            f"syzygy.dimensions.odd_one_out.likelihood.{name}", lambda *_, name=name: taken.append(name)
        )
    for many in (3, 200):
        pulled(torch.zeros(30, 2), some_triplets(30, many))
    assert taken == ["_in_rows", "_in_a_matrix"]


@pytest.mark.parametrize("shape", ["gaussian", "laplace"])
def test_an_update_is_one_of_adam_on_the_published_loss(shape):
    """All terms written out and left to autograd, with the same noise, for three updates."""
    prior, weight, triplets = SpikeSlab(0.25, 1.0, 0.4, shape), 0.003, some_triplets(10, 50)
    ours = Variational(10, 3, prior, weight, 0.01, seed=5, device="cpu")
    ours.values[1].sub_(torch.linspace(0, 1, 30).view(10, 3))
    mean, log = (part.clone().requires_grad_() for part in ours.values)
    adam = torch.optim.Adam([mean, log], lr=0.01)
    draw, again = generator(5, "noise"), generator(5, "noise")
    for _ in range(3):
        adam.zero_grad()
        z = mean + log.exp() * torch.empty(10, 3).normal_(generator=again)
        divergence = torch.distributions.Normal(mean, log.exp()).log_prob(z).sum() - prior.log_density(z).sum()
        likely = plain_loss(z.relu(), triplets)
        (likely / 50 + weight * divergence).backward()
        adam.step()
        torch.testing.assert_close(ours.update(triplets, draw), likely.detach())
    torch.testing.assert_close(ours.values, torch.stack([mean, log]).detach(), rtol=1e-5, atol=1e-6)
    z = mean + log.exp() * torch.empty(10, 3).normal_(generator=again)
    divergence = torch.distributions.Normal(mean, log.exp()).log_prob(z).sum() - prior.log_density(z).sum()
    assert ours.complexity(draw) == pytest.approx(weight * float(divergence.detach()), rel=1e-5)


def test_where_learning_begins():
    """Means of variance 2 / dimensions, within 4 standard errors of 8,000, and the deviation of the spike."""
    mean, log = Variational(400, 20, SpikeSlab(0.3), 1.0, 0.01, seed=0, device="cpu").values
    assert float(mean.var()) == pytest.approx(0.1, rel=4 * np.sqrt(2 / 8000))
    torch.testing.assert_close(log.exp(), torch.full((400, 20), 0.3))


def test_an_update_of_positive_weights():
    triplets = some_triplets(10, 50)
    ours = Positive(10, 3, penalty=0.02, rate=0.05, seed=1, device="cpu")
    weights = ours.values.clone().requires_grad_()
    adam = torch.optim.Adam([weights], lr=0.05)
    for _ in range(3):
        adam.zero_grad()
        (plain_loss(weights, triplets) / 50 + 0.02 * weights.sum() / 10).backward()
        adam.step()
        with torch.no_grad():
            weights.clamp_(min=0)
        ours.update(triplets, generator(0, "noise"))
    torch.testing.assert_close(ours.values, weights.detach(), rtol=1e-5, atol=1e-6)
    assert 0 < float((ours.values == 0).sum()) < 30
    assert ours.complexity(generator(0, "noise")) == pytest.approx(0.002 * float(weights.sum().detach()), rel=1e-5)
    assert ours.surely(0.05).tolist() == (weights.detach().numpy().max(axis=0) > 0.1).astype(int).dot(10).tolist()


# Pruning


def by_the_step_up_rule(p, level):
    """Benjamini & Hochberg (1995), as it is written: all up to the last that is low enough."""
    order = np.argsort(p)
    low = [place for place, one in enumerate(p[order], start=1) if one <= place / len(p) * level]
    return max(low, default=0)


def test_significant_objects_follow_the_step_up_rule():
    draw = np.random.default_rng(0)
    mean, deviation = draw.normal(0.4, 0.6, (25, 400)), draw.uniform(0.1, 0.5, (25, 400))
    found = significant(mean, deviation, 0.05)
    p = norm.cdf(0, loc=mean, scale=deviation)
    assert found.tolist() == [by_the_step_up_rule(column, 0.05) for column in p.T]
    # Stopping at the first that is too high, the step-down mistake, would give something else.
    first = [int(np.cumprod(np.sort(column) <= np.arange(1, 26) / 25 * 0.05).sum()) for column in p.T]
    assert found.tolist() != first
    # Three just above their own shares are carried by the last.
    p = np.array([0.02, 0.03, 0.04, 0.05])
    assert significant(-norm.ppf(p)[:, None], np.ones((4, 1)), 0.05).tolist() == [4]


# What is recovered


def test_three_dimensions_are_recovered():
    truth = made(40, 3, seed=1)
    train, test = Triplets.sampled(truth, 4400, seed=1).split((10 / 11, 1 / 11))
    model = quick().fit(train, test)
    assert model.embedding_.shape == model.deviation_.shape == (40, 3)
    assert best(truth, model.embedding_).min() > 0.98
    assert np.all(np.diff(model.embedding_.sum(axis=0)) <= 0)
    assert np.all(model.embedding_ >= 0)
    assert np.all(model.deviation_ > 0)
    logs = log_softmax(test.similarities(model.embedding_), axis=1)
    np.testing.assert_allclose(model.probabilities(test), np.exp(logs))
    np.testing.assert_allclose(model.probabilities(test).sum(axis=1), 1)
    assert model.cross_entropy_ == pytest.approx(-logs[:, 0].mean())
    assert model.accuracy_ == model.score(test) == model.score(test.choices)
    assert model.accuracy_ == pytest.approx(shares(test.similarities(model.embedding_)).mean())
    # At the ceiling: that of the truth, within 4 standard errors of 400 triplets.
    assert abs(model.accuracy_ - shares(test.similarities(truth)).mean()) < 4 * np.sqrt(0.25 / 400)
    assert len(model.kept_) == len(model.history_["loss"]) == len(model.history_["complexity"]) == model.epochs_
    assert model.converged_ == (not model.notes_)


def recovered(train, test, truth, **options):
    model = OddOneOut(dimensions=20, stable=2000, **options).fit(train, test)
    above = np.triu_indices(len(truth), 1)
    alike = np.corrcoef(similarity(truth)[above], similarity(model.embedding_)[above])[0, 1]
    return model, best(truth, model.embedding_), alike


@pytest.mark.slow
def test_five_sparse_dimensions_are_recovered():
    """From 20,000 sampled choices among 60 objects; reduced: a larger rate, fewer epochs."""
    truth = made()
    train, test = Triplets.sampled(truth, 24_000).split((20 / 24, 4 / 24))
    options = {"batch": 512, "epochs": 1500 if FULL else 200, "rate": 0.01 if FULL else 0.02}
    model, r, alike = recovered(train, test, truth, **options)
    assert len(train) == 20_000
    assert r.min() >= 0.98
    assert 5 <= model.embedding_.shape[1] <= 7
    assert alike >= 0.99
    # 4 standard errors of the difference, which comes from the triplets that the two order otherwise.
    hits, ceiling = (shares(test.similarities(x)) for x in (model.embedding_, truth))
    assert abs((hits - ceiling).mean()) < 4 * (hits - ceiling).std() / np.sqrt(len(test))
    entropies = [-log_softmax(test.similarities(x), axis=1)[:, 0].mean() for x in (model.embedding_, truth)]
    assert model.cross_entropy_ == pytest.approx(entropies[0])
    assert entropies[0] == pytest.approx(entropies[1], abs=0.01)


@pytest.mark.slow
@pytest.mark.skipif(not THINGS.is_file(), reason="needs things/embedding.npy of the shared data")
def test_dimensions_of_things_are_recovered():
    """From sampled choices of 1,854 objects in 42 dimensions: a million; reduced: 200 objects, all they can tell."""
    truth = np.load(THINGS).astype(np.float64)
    if FULL:
        count, least, options = 1_000_000, 20, {"dimensions": 70, "rate": 0.01, "epochs": 100}
    else:
        truth = truth[:200]
        truth = truth[:, (truth > 0.3).sum(axis=0) > 5]
        count, least, options = 250_000, 15, {"dimensions": 50, "rate": 0.02, "epochs": 80}
    model = OddOneOut(batch=8192, **options).fit(Triplets.sampled(truth, count))
    assert (best(truth, model.embedding_) >= 0.8).sum() >= least


def test_positive_weights_with_a_penalty():
    truth = made(40, 3, seed=1)
    train, test = Triplets.sampled(truth, 4400, seed=1).split((10 / 11, 1 / 11))
    model = quick(method="spose", penalty=0.04, rate=0.03, epochs=90, stable=90).fit(train, test)
    assert model.embedding_.shape == (40, 3)
    assert best(truth, model.embedding_).min() > 0.98
    assert np.all(model.embedding_ >= 0)
    assert not model.deviation_.any()
    assert model.score(test) > 0.65


# Learning: seeds, files, progress, cost


class Stopped(Exception):
    """A kill."""


@pytest.mark.parametrize("method", ["vice", "spose"])
def test_a_killed_fit_goes_on_with_the_same_numbers(tmp_path, monkeypatch, method):
    monkeypatch.setattr(Snapshot, "due", True)
    some = Triplets.sampled(made(40, 3, seed=1), 500)
    told = []
    whole = quick(method=method, epochs=12).fit(some, progress=told.append)
    assert sum(told) == pytest.approx(1)

    def kill(share):
        told.append(share)
        if sum(told) > 0.6:
            raise Stopped

    path, told = tmp_path / "state", []
    with pytest.raises(Stopped):
        quick(method=method, epochs=12).fit(some, snapshot=path, progress=kill)
    assert path.is_file()
    told = []
    resumed = quick(method=method, epochs=12).fit(some, snapshot=path, progress=told.append)
    assert told[0] == pytest.approx(7 / 12)
    assert sum(told) == pytest.approx(1)
    assert not path.exists()
    for name in ("embedding_", "deviation_", "kept_"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(resumed, name))
    for name, losses in whole.history_.items():
        np.testing.assert_array_equal(losses, resumed.history_[name])


def test_a_snapshot_of_something_else_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Snapshot, "due", True)
    some, path = Triplets.sampled(made(40, 3, seed=1), 300), tmp_path / "state"

    def kill(_):
        if path.exists():
            raise Stopped

    with pytest.raises(Stopped):
        quick(epochs=5).fit(some, snapshot=path, progress=kill)
    others = Triplets.sampled(made(40, 3, seed=1), 300, seed=1)
    for model, given in ((quick(epochs=5, beta=0.5), some), (quick(epochs=5), others), (quick(epochs=5, seed=1), some)):
        with pytest.raises(RunError, match="is of "):
            model.fit(given, snapshot=path)


def test_each_epoch_has_its_own_order_and_noise():
    choices = some_triplets(10, 100)
    learning = Learning(choices, batch=30, epochs=9, stable=2, level=0.05, least=5, seed=3)
    first, again, other = (list(learning.batches(epoch)) for epoch in (0, 0, 7))
    assert [len(batch) for batch in first] == [30, 30, 30, 10]
    assert torch.equal(torch.cat(first), torch.cat(again))
    assert not torch.equal(torch.cat(first), torch.cat(other))
    assert sorted(torch.cat(other).tolist()) == sorted(choices.tolist())
    one, same, else_ = (torch.randn(5, generator=learning.noise(epoch)) for epoch in (2, 2, 3))
    assert torch.equal(one, same)
    assert not torch.equal(one, else_)


def test_seeds_decide():
    some = Triplets.sampled(made(40, 3, seed=1), 300)
    one, same, other = (quick(epochs=3, least=0, level=0.9, seed=seed).fit(some) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.embedding_, same.embedding_)
    assert one.embedding_.shape != other.embedding_.shape or np.any(one.embedding_ != other.embedding_)
    copy = clone(one)
    assert copy.get_params() == one.get_params()
    assert not hasattr(copy, "embedding_")


def test_learning_ends_when_the_number_is_stable():
    some = Triplets.sampled(made(40, 3, seed=1), 3000)
    told = []
    model = quick(stable=8, epochs=300).fit(some, progress=told.append)
    assert model.converged_
    assert not model.notes_
    assert model.epochs_ < 300
    assert len(set(model.kept_[-8:].tolist())) == 1
    assert len(set(model.kept_[-9:].tolist())) == 2
    assert sum(told) == pytest.approx(1)
    # All there were is no stable number: none has been told from another.
    few = quick(dimensions=1, stable=2, epochs=30).fit(some)
    assert not few.converged_


def test_a_cost_is_that_of_all_epochs(monkeypatch):
    """By a clock that ticks when it is read: 2 ticks for 8 updates, of which an epoch has 4, and 1 for its end."""
    some = Triplets.sampled(made(40, 3, seed=1), 1000)
    place = "syzygy.dimensions.odd_one_out.learning.time"
    for given, epochs in ((some, 60), (some.choices, 120)):
        monkeypatch.setattr(place, SimpleNamespace(perf_counter=count().__next__))
        model = quick(epochs=epochs)
        cost = model.cost(given)
        assert cost.seconds == epochs * (4 * 2 / 8 + 1)
        assert cost.bytes > 4 * 14 * 40 * 8
        assert not hasattr(model, "embedding_")


def test_reasons_to_doubt():
    some = Triplets(Triplets.sampled(made(40, 3, seed=1), 300).choices, 43, names=tuple(map(str, range(100, 143))))
    model = quick(epochs=1, least=43).fit(some)
    assert model.embedding_.shape == (43, 0)
    unsettled, few, never = model.notes_
    assert "was not stable for 40 epochs within 1" in unsettled
    assert few.startswith("0 dimensions were kept")
    assert never == "3 objects are in no triplet and have nothing but the prior: 140, 141, 142"
    assert model.accuracy_ is None
    assert model.score(some) == pytest.approx(1 / 3)
    np.testing.assert_allclose(model.probabilities(some), 1 / 3)


def test_one_dimension_is_a_reason_to_doubt_and_two_are_not():
    some = Triplets.drawn(np.eye(5), 10)
    assert [len(notes(some, kept)) for kept in (0, 1, 2)] == [1, 1, 0]


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"method": "vise"}, UnknownName, "did you mean vice"),
        ({"prior": "normal"}, UnknownName, "known: gaussian, laplace"),
        ({"dimensions": 0}, SpecificationError, "dimensions must be a whole number of at least 1, got 0"),
        ({"batch": 2.5}, SpecificationError, "batch must be a whole number"),
        ({"epochs": 0}, SpecificationError, "epochs must be"),
        ({"stable": 1}, SpecificationError, "stable must be a whole number of at least 2"),
        ({"least": -1}, SpecificationError, "least must be"),
        ({"rate": 0.0}, SpecificationError, "rate must be positive and finite, got 0.0"),
        ({"spike": -1.0}, SpecificationError, "spike must be positive"),
        ({"spike": 1.0}, SpecificationError, "narrower than the slab; got 1.0 and 1.0"),
        ({"beta": -0.1}, SpecificationError, "beta must be finite and not negative"),
        ({"penalty": np.inf}, SpecificationError, "penalty must be finite"),
        ({"spike_share": 1.0}, SpecificationError, "spike_share must be between 0 and 1, got 1.0"),
        ({"level": 0.0}, SpecificationError, "level must be between 0 and 1"),
        ({"device": "nowhere"}, SpecificationError, "device 'nowhere' is not here"),
    ],
)
def test_options_that_cannot_be(options, error, says):
    some = Triplets.drawn(np.eye(4), 4)
    for call in (quick(**options).fit, quick(**options).cost):
        with pytest.raises(error, match=says):
            call(some)


def test_what_cannot_be_learned_from():
    some = Triplets.drawn(np.eye(5), 10)
    with pytest.raises(DataError, match="there are no triplets"):
        quick().fit(np.zeros((0, 3), int))
    with pytest.raises(DataError, match="whole numbers"):
        quick().fit([[0.0, 1.0, 2.0]])
    with pytest.raises(DataError, match="the same object twice"):
        quick().fit([[0, 1, 1]])
    with pytest.raises(ShapeError, match="triplets of 6 objects do not fit those of 5"):
        quick().fit(some, Triplets.drawn(np.eye(6), 3))
    with pytest.raises(DataError, match="has object 7; there are 0 to 4"):
        quick().fit(some, [[0, 1, 7]])
    with pytest.raises(SpecificationError, match="nothing has been fitted"):
        quick().score(some)
    with pytest.raises(Diverged, match="lower rate=1e\\+30"):
        quick(rate=1e30).fit(some)
    fitted = quick(epochs=1).fit(some)
    with pytest.raises(DataError, match="has object 5"):
        fitted.probabilities([[0, 1, 5]])
    with pytest.raises(ShapeError, match="triplets of 6 objects"):
        fitted.score(Triplets.drawn(np.eye(6), 3))


def test_probabilities_are_the_softmax_of_products():
    model = quick(epochs=40).fit(Triplets.sampled(made(40, 3, seed=1), 1500))
    x = model.embedding_
    i, j, k = 3, 20, 7
    np.testing.assert_allclose(
        model.probabilities([[i, j, k]])[0], softmax([x[i] @ x[j], x[i] @ x[k], x[j] @ x[k]]), rtol=1e-12
    )
