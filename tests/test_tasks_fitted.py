"""Noisy labels, and the task that is watched wherever perfect fitting shows."""

import numpy as np
import pytest

from syzygy.errors import SpecificationError
from syzygy.tasks import SIZES, TASKS, Task, by_lot, digits, fitted, noisy

SMALL = {"learned": 60, "per_class": 2, "planes": 3, "side": 4}


def test_labels_by_lot_are_as_many_as_asked_and_named():
    clean, noise = digits(per_class=2), digits(per_class=2, label_noise=0.3, noise_seed=1)
    lots = by_lot(noise.items)
    assert lots.sum() == round(0.3 * len(clean.items))
    np.testing.assert_array_equal(noise.targets[~lots], clean.targets[~lots])
    assert [a for a, lot in zip(noise.items, lots, strict=True) if not lot] == [
        a for a, lot in zip(clean.items, lots, strict=True) if not lot
    ]
    for index in np.flatnonzero(lots):
        assert noise.items[index] == f"{clean.items[index]} as {noise.targets[index].argmax()}"
    np.testing.assert_array_equal(noise.targets.sum(1), 1)


def test_a_tenth_of_the_lots_falls_on_the_true_class():
    """539 lots of ten classes: a binomial, 4 standard deviations."""
    lots = by_lot(digits(label_noise=0.3).items)
    wrong = (digits(label_noise=0.3).targets != digits().targets).any(1)
    assert not wrong[~lots].any()
    assert abs(wrong[lots].mean() - 0.9) < 4 * np.sqrt(0.09 / lots.sum())
    drawn = digits(label_noise=0.3).targets[lots].mean(0)
    assert (abs(drawn - 0.1) < 4 * np.sqrt(0.09 / lots.sum())).all()


def test_items_that_are_held_out_keep_their_labels():
    task = digits(per_class=5, held_out=True, label_noise=1.0)
    assert by_lot(task.items).sum() == len(task.items) - 50
    assert not by_lot(task.probe_items).any()
    np.testing.assert_array_equal(task.probe_targets, digits(per_class=5).probe_targets)


def test_noise_is_fixed_by_its_seed_and_nothing_else():
    one, two = digits(label_noise=0.2), digits(label_noise=0.2, per_class=7)
    np.testing.assert_array_equal(one.targets, two.targets)
    assert (one.targets != digits(label_noise=0.2, noise_seed=1).targets).any()
    assert digits(label_noise=0.0).items == digits().items


def test_noise_that_cannot_be():
    for fraction, seed in ((-0.1, 0), (1.1, 0), (float("nan"), 0), (0.2, -1)):
        with pytest.raises(SpecificationError, match="a share from 0 to 1, noise_seed zero or more"):
            digits(label_noise=fraction, noise_seed=seed)
    with pytest.raises(SpecificationError, match="label noise needs one-hot targets; those of task 'line' are none"):
        noisy(Task("line", np.ones((4, 1)), np.arange(4.0)[:, None], tuple("abcd")), 0.5)


def test_what_is_watched_is_what_is_learned_what_is_not_and_planes():
    task = fitted(**SMALL)
    inputs, items = task.probe_inputs, task.probe_items
    assert len(items) == len(set(items)) == 60 + 20 + 3 * 16
    np.testing.assert_array_equal(inputs[:60], task.learned_inputs)
    np.testing.assert_array_equal(task.probe_targets[:60], task.learned_targets)
    assert by_lot(items[:60]).sum() == 12
    assert not by_lot(items[60:]).any()
    held = inputs[60:80]
    assert not (held[:, None] == task.learned_inputs[None]).all(-1).any()
    assert [name.split(" #")[0] for name in items[60:80]] == [str(digit) for digit in range(10) for _ in range(2)]
    np.testing.assert_array_equal(task.probe_targets[60:80], np.repeat(np.eye(10), 2, axis=0))
    np.testing.assert_array_equal(task.probe_targets[80:], 0)
    for points in inputs[80:].reshape(3, 16, 64):
        values = np.linalg.svd(points - points.mean(0), compute_uv=False)
        assert values[1] > 1e-3
        assert values[2] < 1e-9
        basis = np.linalg.svd(points - points[0])[2][:2]
        off = (held - points[0]) - (held - points[0]) @ basis.T @ basis
        assert (np.linalg.norm(off, axis=1) < 1e-8).sum() == 3  # the plane goes through three of those held out


def test_all_that_can_be_learned_is_learned_and_nothing_that_is_held_out():
    task = fitted(learned=1777, per_class=2, planes=1, side=2, label_noise=0.0)
    held, known = task.probe_items[1777:1797], task.probe_items[:1777]
    assert set(held).isdisjoint(known)
    assert {*held, *known} == set(digits().items)


def test_noise_changes_labels_and_nothing_else():
    none, some = fitted(**SMALL, label_noise=0.0), fitted(**SMALL, label_noise=0.4)
    np.testing.assert_array_equal(none.inputs, some.inputs)
    assert not by_lot(none.items).any()
    assert (none.targets != some.targets).any(1)[60:].sum() == (none.targets != some.targets).any(1)[:60].sum()
    assert (fitted(**SMALL, plane_seed=1).inputs[:-48] == none.inputs[:-48]).all()
    assert (fitted(**SMALL, plane_seed=1).inputs[-48:] != none.inputs[-48:]).any()


def test_it_is_known():
    assert TASKS["fitted"] is fitted
    task = fitted(**SMALL)
    assert SIZES["fitted"](SMALL) == (task.input_dim, task.output_dim)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"learned": 0}, "learned lies between 1 and 1777 of digits; got 0"),
        ({"learned": 1790}, "got 1790"),
        ({"images": "cats"}, "images are digits or mnist, got 'cats'"),
        ({"planes": 0}, "planes are 1 or more"),
        ({"side": 1}, "2 or more points a side"),
        ({"per_class": 0}, "per_class"),
        ({"label_noise": 2.0}, "a share from 0 to 1"),
    ],
)
def test_what_cannot_be(wrong, says):
    with pytest.raises(SpecificationError, match=says):
        fitted(**SMALL | wrong)
