"""Arcs that two directed graphs share: against all permutations, the undirected case, and many drawn ones."""

from itertools import permutations

import numpy as np
import pytest
from scipy.sparse import csr_array

from syzygy.chance import directed, invariants, moments, upper_tail


def graph(draw, n, weighted):
    matrix = draw.normal(size=(n, n)) if weighted else (draw.random((n, n)) < 0.5).astype(float)
    np.fill_diagonal(matrix, 0)
    return matrix


def neighbours(draw, items, k, units=3):
    """Who is among whose k nearest, (item, item)."""
    x = draw.normal(size=(items, units))
    distance = np.square(x[:, None] - x[None]).sum(axis=-1)
    np.fill_diagonal(distance, np.inf)
    matrix = np.zeros((items, items))
    np.put_along_axis(matrix, distance.argsort(axis=1)[:, :k], 1, axis=1)
    return matrix


def in_closed_form(a, b):
    return directed.moments(directed.invariants(csr_array(a)), directed.invariants(csr_array(b)), len(a))


@pytest.mark.parametrize("items", [3, 4, 5, 6, 7])
@pytest.mark.parametrize("weighted", [False, True])
def test_moments_are_those_of_all_permutations(items, weighted):
    draw = np.random.default_rng(items)
    a, b = graph(draw, items, weighted), graph(draw, items, weighted)
    values = np.array([np.sum(a * b[np.ix_(order, order)]) for order in permutations(range(items))])
    deviation, found = values - values.mean(), in_closed_form(a, b)
    assert found.mean == pytest.approx(values.mean(), rel=1e-10)
    assert found.spread == pytest.approx(deviation.std(), rel=1e-9)
    assert found.skewness == pytest.approx(np.mean(deviation**3) / deviation.std() ** 3, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("items", [6, 30])
def test_an_undirected_graph_is_a_symmetric_matrix(items):
    draw = np.random.default_rng(0)
    a, b = (m + m.T for m in (graph(draw, items, True), graph(draw, items, True)))
    here, there = in_closed_form(a, b), moments(invariants(a), invariants(b), items)
    for name in ("mean", "spread", "skewness"):
        assert getattr(here, name) == pytest.approx(getattr(there, name), rel=1e-8)


@pytest.mark.parametrize(("items", "k"), [(20, 3), (50, 10), (200, 10), (1000, 10)])
def test_neighbours_are_shared_by_chance_with_probability_k_of_the_others(items, k):
    draw = np.random.default_rng(items)
    found = in_closed_form(neighbours(draw, items, k), neighbours(draw, items, k))
    assert found.mean / (items * k) == pytest.approx(k / (items - 1), rel=1e-12)


def test_moments_of_neighbours_are_those_of_many_permutations():
    """Five standard errors at 20,000 draws, as for symmetric matrices."""
    items, draws, draw = 40, 20_000, np.random.default_rng(1)
    a, b = neighbours(draw, items, 5, 1), neighbours(draw, items, 5, 6)
    rows, columns = a.nonzero()
    values = np.empty(draws)
    for index in range(draws):
        order = draw.permutation(items)
        values[index] = b[order[rows], order[columns]].sum()
    found = in_closed_form(a, b)
    z = (values - found.mean) / found.spread
    assert abs(z.mean()) < 5 / np.sqrt(draws)
    assert z.std() == pytest.approx(1, abs=10 / np.sqrt(2 * draws))
    assert np.mean(z**3) == pytest.approx(found.skewness, abs=10 * np.sqrt(6 / draws))


def test_p_of_shared_neighbours_is_uniform_where_nothing_is_alike():
    """Counts are few, so p of a continuous distribution at the middle of a step is compared: shares below 0.5, 0.05 and
    0.01 of 400 pairs within four standard errors, and half a step."""
    items, k, trials, draw = 40, 5, 400, np.random.default_rng(0)
    shared, left, right = np.empty(trials), [], []
    for trial in range(trials):
        a, b = neighbours(draw, items, k), neighbours(draw, items, k)
        shared[trial] = np.sum(a * b)
        left.append(directed.invariants(csr_array(a)))
        right.append(directed.invariants(csr_array(b)))
    chance = directed.moments(np.stack(left), np.stack(right), items)
    for level in (0.5, 0.05, 0.01):
        band = 4 * np.sqrt(level * (1 - level) / trials)
        p = upper_tail(shared - 0.5, chance)  # at least so many: half a step below
        assert np.mean(p < level) < level + band
        assert np.mean(upper_tail(shared + 0.5, chance) < level) > level - band


def test_moments_answer_for_all_pairs_at_once():
    draw = np.random.default_rng(0)
    known = np.stack([directed.invariants(csr_array(neighbours(draw, 12, 3))) for _ in range(3)])
    every = directed.moments(known[:, None], known[None], 12)
    assert every.spread.shape == (3, 3)
    assert every.skewness[0, 2] == pytest.approx(directed.moments(known[0], known[2], 12).skewness, rel=1e-10)


@pytest.mark.parametrize("weight", [1.0, 0.1])
def test_everybody_being_everybodys_neighbour_leaves_nothing_to_chance(weight):
    everybody = weight * (1 - np.eye(9))
    found = in_closed_form(everybody, neighbours(np.random.default_rng(0), 9, 3))
    assert found.mean == pytest.approx(27 * weight)
    assert found.spread == 0
    assert np.isnan(upper_tail(np.asarray(27 * weight), found))


def test_booleans_count_as_one():
    a = neighbours(np.random.default_rng(0), 12, 3)
    np.testing.assert_array_equal(directed.invariants(csr_array(a.astype(bool))), directed.invariants(csr_array(a)))
