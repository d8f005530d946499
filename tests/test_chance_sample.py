"""Halves of the items: their variance, why none is drawn twice, and how often intervals hold the truth."""

from itertools import combinations

import numpy as np
import pytest

from syzygy.chance import half_samples, intervals
from syzygy.linalg import Work
from syzygy.measures import CKA
from syzygy.measures.neighbours import MutualKNN

ALONE = Work(chance=False)


def score(measure, x, y):
    return float(measure.block([measure.prepare(x, ALONE)], [measure.prepare(y, ALONE)], ALONE)[0, 0])


def test_halves_hold_nothing_twice_and_repeat_with_their_generator():
    found = half_samples(9, 300, np.random.default_rng(0))
    assert found.shape == (300, 4)
    assert np.all(np.diff(found, axis=1) > 0)
    assert found.min() == 0
    assert found.max() == 8
    np.testing.assert_array_equal(found, half_samples(9, 300, np.random.default_rng(0)))
    np.testing.assert_allclose(np.bincount(found.ravel()) / 300, 4 / 9, atol=5 * np.sqrt(20 / 81 / 300))


def test_the_mean_of_a_half_varies_as_much_as_that_of_new_items():
    """Over all halves of eight: exactly the unbiased variance over n."""
    x = np.random.default_rng(0).normal(size=8)
    means = [x[list(half)].mean() for half in combinations(range(8), 4)]
    assert np.var(means) == pytest.approx(x.var(ddof=1) / 8, rel=1e-12)


@pytest.mark.parametrize("measure", [CKA(), MutualKNN(5)])
def test_items_that_meet_themselves_would_look_alike(measure):
    """Independent representations of 60 items: drawn with replacement they score above chance, halves do not."""
    draw, halves, doubled = np.random.default_rng(0), [], []
    x, y = draw.normal(size=(2, 60, 20))
    for sample in half_samples(60, 100, draw):
        again = draw.integers(60, size=60)
        halves.append(score(measure, x[sample], y[sample]))
        doubled.append(score(measure, x[again], y[again]))
    half, whole, error = (0.0, 0.0, 0.05) if isinstance(measure, CKA) else (5 / 29, 5 / 59, 0.02)
    assert np.mean(halves) == pytest.approx(half, abs=error)
    assert np.mean(doubled) > whole + 0.15


def test_the_interval_is_about_the_score_whatever_the_mean_of_the_halves():
    sampled = np.random.default_rng(0).normal(3, 1, size=(4000, 2))
    low, high = intervals(np.array([0.0, 10.0]), sampled, 0.9)
    np.testing.assert_allclose(low, [-1.645, 8.355], atol=0.1)
    np.testing.assert_allclose(high, [1.645, 11.645], atol=0.1)
    assert np.isnan(intervals(np.array([np.nan]), sampled[:, :1])).all()


def covered(measure, items, noise, trials, draws=60):
    """How often 95 % intervals hold the mean score, for two views of five latent variables."""
    draw = np.random.default_rng(items)
    a, b = draw.normal(size=(2, 5, 20)) / np.sqrt(5)
    scores, sampled = np.empty(trials), np.empty((draws, trials))
    for trial in range(trials):
        z = draw.normal(size=(items, 5))
        x, y = (z @ view + noise * draw.normal(size=(items, 20)) for view in (a, b))
        scores[trial] = score(measure, x, y)
        sampled[:, trial] = [score(measure, x[half], y[half]) for half in half_samples(items, draws, draw)]
    low, high = intervals(scores, sampled)
    return np.mean((low <= scores.mean()) & (scores.mean() <= high))


def test_intervals_hold_the_truth():
    """60 trials at 95 %: at least 86 %, three standard errors below."""
    assert covered(CKA(), 50, 0.5, 60) >= 0.86


@pytest.mark.slow
@pytest.mark.parametrize(("measure", "items", "noise"), [
    (CKA(), 20, 0.5), (CKA(), 50, 2.0), (CKA(), 200, 0.5), (MutualKNN(5), 50, 0.5)])  # fmt: skip
def test_intervals_hold_the_truth_at_any_size(measure, items, noise):
    assert covered(measure, items, noise, 60) >= 0.86
