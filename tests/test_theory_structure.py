"""The published prediction of many items' geometry, and the sums over classes that it is."""

from pathlib import Path

import numpy as np
import pytest

from syzygy.errors import ShapeError
from syzygy.tasks import mnist
from syzygy.theory.structure import class_pair_sums, products, smoothed

SHARED = Path(__file__).parents[1].parent / "shared"
PUBLISHED = SHARED / "reference" / "mnist_struct_theory.npz"


def pictures(items=60, classes=4, seed=0):
    """Pixels from 0 to 255, labels, and one-hot targets."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, classes, items)
    return draw.integers(0, 256, (items, 30)).astype(float), labels, np.eye(classes)[labels]


def test_products_are_those_of_the_definition():
    inputs, _, targets = pictures(items=7)
    found = products(inputs, targets)
    for i in range(7):
        for j in range(7):
            expected = np.linalg.norm(inputs[i] - inputs[j]) * np.linalg.norm(targets[i] - targets[j])
            assert found[i, j] == pytest.approx(expected, rel=1e-14, abs=0)


@pytest.mark.parametrize("seed", range(3))
def test_published_prediction_of_images_is_the_sum_over_classes(seed):
    """exp(−A) is 1 within a class and 0 between: 1e-300 of what is added up to rounding."""
    inputs, labels, targets = pictures(seed=seed)
    whole, sums = smoothed(products(inputs, targets)), class_pair_sums(inputs, labels)
    np.testing.assert_allclose(whole, sums[labels[:, None], labels], rtol=2e-14, atol=1e-190)


def test_published_prediction_of_near_items_is_no_sum_over_classes():
    """The identity needs distances in the hundreds; it is none of the formula."""
    inputs, labels, targets = pictures()
    whole = smoothed(products(inputs / 1000, targets))
    assert not np.allclose(whole, class_pair_sums(inputs / 1000, labels)[labels[:, None], labels], rtol=0.1)


def test_smoothed_is_the_double_sum():
    inputs, _, targets = pictures(items=6)
    a = products(inputs / 300, targets)
    expected = [[sum(np.exp(-a[i, k] - a[m, j]) * a[k, m] for k in range(6) for m in range(6)) for j in range(6)]
                for i in range(6)]  # fmt: skip
    np.testing.assert_allclose(smoothed(a), expected, rtol=1e-12)


def test_sums_are_those_of_every_pair_and_grow_with_the_number_of_items():
    inputs, labels, _ = pictures(items=25)
    sums = class_pair_sums(inputs, labels, gap=3.0)
    for a in range(4):
        for b in range(4):
            far = [np.linalg.norm(x - y) for x in inputs[labels == a] for y in inputs[labels == b]]
            assert sums[a, b] == pytest.approx(3.0 * sum(far) if a != b else 0.0, rel=1e-12)
    twice = class_pair_sums(np.repeat(inputs, 2, axis=0), np.repeat(labels, 2), gap=3.0)
    np.testing.assert_allclose(twice, 4 * sums, rtol=1e-12)


def test_a_class_without_items_has_no_sum():
    sums = class_pair_sums(np.array([[0.0], [2.0]]), np.array([0, 2]), gap=1.0)
    np.testing.assert_array_equal(sums, [[0, 0, 2], [0, 0, 0], [2, 0, 0]])


def test_refused():
    with pytest.raises(ShapeError, match="same items; got 2 and 3"):
        products(np.zeros((2, 1)), np.zeros((3, 1)))
    with pytest.raises(ShapeError, match=r"one per item, \(3,\); got \(2,\)"):
        class_pair_sums(np.zeros((3, 1)), np.zeros(2, dtype=int))


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="the published numbers are not there")
def test_published_matrix_is_the_sum_over_classes_of_the_first_ten_thousand_images():
    """Its rows are sorted by class; its labels are not, and need its order."""
    with np.load(PUBLISHED) as file:
        labels, matrix = file["labels"][file["order"]], file["pred"]
    assert (np.diff(labels) >= 0).all()
    task = mnist(data_dir=SHARED / "data", limit=10_000)
    pixels, classes = np.round((task.inputs * 0.3081 + 0.1307) * 255), task.targets.argmax(axis=-1)
    some = classes < 3
    sums = class_pair_sums(pixels[some], classes[some])
    rows = labels < 3
    np.testing.assert_allclose(matrix[np.ix_(rows, rows)], sums[labels[rows][:, None], labels[rows]], rtol=1e-12)
