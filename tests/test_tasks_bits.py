"""Binary vectors with an easy and a hard feature."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import binomtest

from syzygy.errors import SpecificationError
from syzygy.tasks import SIZES, TASKS, bits
from syzygy.tasks.bits import told


def test_features_are_the_majority_and_the_parity_of_other_bits():
    """Of all vectors of six bits: counted, not computed."""
    x = np.array(list(product([-1.0, 1.0], repeat=6)))
    easy, hard = told(x, 3, 2).T
    for row, one, other in zip(x, easy, hard, strict=True):
        assert one == (1 if (row[:3] > 0).sum() >= 2 else -1)
        assert other == (-1 if (row[3:5] < 0).sum() % 2 else 1)
    assert np.mean(easy) == np.mean(hard) == np.mean(easy * hard) == 0  # independent over all vectors


@pytest.mark.parametrize(("easy", "hard"), [(1, 1), (1, 4), (5, 2)])
def test_targets_follow_from_the_inputs(easy, hard):
    task = bits(easy=easy, hard=hard, items=300, probe=50)
    np.testing.assert_array_equal(task.targets, told(task.inputs, easy, hard))
    assert set(np.unique(task.inputs)) == set(np.unique(task.targets)) == {-1.0, 1.0}
    assert task.learned_inputs.shape == (300, 32)
    assert task.probe_inputs.shape == (50, 32)
    assert task.held_out


def test_features_are_independent_and_no_single_bit_tells_the_hard_one():
    """Correlations of 40,000 items: 4.5 standard errors, over 34 of them."""
    task = bits(hard=4, items=40_000, probe=2)
    both = np.column_stack([task.learned_inputs, task.learned_targets[:, 1]])
    r = np.corrcoef(both.T) - np.eye(33)
    assert np.abs(r).max() < 4.5 / np.sqrt(40_000)
    assert abs(np.corrcoef(task.learned_targets.T)[0, 1]) < 4.5 / np.sqrt(40_000)


@pytest.mark.parametrize(("easy", "hard"), [(1, 3), (3, 3), (1, 1)])
def test_prevalence_is_of_what_is_learned_alone(easy, hard):
    """Binomial tests at 1e-4 each."""
    task = bits(easy=easy, hard=hard, items=8000, probe=2000, easy_prevalence=0.1, hard_prevalence=0.8)
    present = (task.learned_targets > 0).sum(axis=0)
    assert binomtest(int(present[0]), 8000, 0.1).pvalue > 1e-4
    assert binomtest(int(present[1]), 8000, 0.8).pvalue > 1e-4
    joint = ((task.learned_targets > 0).all(axis=1)).sum()
    assert binomtest(int(joint), 8000, 0.08).pvalue > 1e-4
    for column in (task.probe_targets > 0).sum(axis=0):
        assert binomtest(int(column), 2000, 0.5).pvalue > 1e-4


def test_prevalence_changes_nothing_else():
    """Given its parity, and given its majority, every way to have it is as likely: 4.5 standard errors."""
    task = bits(easy=3, hard=2, items=40_000, probe=2, easy_prevalence=0.2, hard_prevalence=0.9)
    x, (easy, hard) = task.learned_inputs, task.learned_targets.T
    some = x[hard > 0]
    assert abs((some[:, 3] > 0).mean() - 0.5) < 4.5 * 0.5 / np.sqrt(len(some))
    ways = (x[easy > 0][:, :3] < 0).sum(axis=1)  # none of three is against in one way of four
    assert abs((ways == 0).mean() - 0.25) < 4.5 * np.sqrt(0.1875 / len(ways))
    assert np.abs(x[:, 5:].mean(axis=0)).max() < 4.5 / np.sqrt(40_000)


def test_what_is_not_learned_has_no_target():
    both, one, other = (bits(items=50, probe=10, learned=what) for what in ("both", "easy", "hard"))
    np.testing.assert_array_equal(one.targets + other.targets, both.targets)
    assert not one.targets[:, 1].any()
    assert not other.targets[:, 0].any()
    np.testing.assert_array_equal(one.inputs, both.inputs)


def test_items_are_fixed_by_their_seed():
    one, same, other = (bits(items=50, probe=10, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.inputs, same.inputs)
    assert (one.inputs != other.inputs).any()
    harder = bits(items=50, probe=10, hard=2)
    np.testing.assert_array_equal(one.learned_inputs[:, 5:], harder.learned_inputs[:, 5:])


def test_it_is_found_by_its_name_and_its_size_is_told():
    assert TASKS["bits"] is bits
    assert SIZES["bits"]({}) == (bits(items=2, probe=2).input_dim, 2)
    assert SIZES["bits"]({"inputs": 9}) == (9, 2)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"easy": 2}, "majority of an odd number of the 32 bits"),
        ({"hard": 0}, "got easy = 1, hard = 0"),
        ({"easy": 5, "hard": 4, "inputs": 8}, "got easy = 5, hard = 4"),
        ({"items": 0}, "one item or more is learned"),
        ({"probe": 1}, "two or more are watched"),
        ({"seed": -1}, "seed is no less than zero"),
        ({"learned": "none"}, "learned is both, easy or hard; got 'none'"),
        ({"hard_prevalence": 1.0}, "hard_prevalence lies between 0 and 1; got 1.0"),
        ({"easy_prevalence": 0.0}, "easy_prevalence lies between 0 and 1; got 0.0"),
    ],
)
def test_what_cannot_be(options, says):
    with pytest.raises(SpecificationError, match=says):
        bits(**{"items": 20, "probe": 5} | options)
