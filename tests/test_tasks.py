"""Tasks: data as the paper's code makes them, files read exactly, and bad ones refused with advice."""

import gzip
import os
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
from sklearn.datasets import load_digits

from syzygy.errors import DataError, ShapeError, SpecificationError
from syzygy.tasks import TASKS, Task, digits, labelled, mnist, two_points
from syzygy.tasks.idx import read_idx

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def idx(array, *, promised=None, magic=None):
    """Bytes of an idx file, written here from the format's description."""
    sizes = array.shape if promised is None else promised
    begin = bytes([0, 0, 8, len(sizes)]) if magic is None else magic
    return begin + b"".join(size.to_bytes(4, "big") for size in sizes) + array.astype(np.uint8).tobytes()


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def pictures(items=40, side=28):
    """Random images, and labels that count through the classes."""
    return np.random.default_rng(3).integers(0, 256, (items, side, side), np.uint8), np.arange(items) % 10


def a_task(**changes):
    values = {
        "name": "mine",
        "inputs": np.arange(6.0).reshape(3, 2),
        "targets": np.ones((3, 1)),
        "items": ("a", "b", "c"),
    }
    return Task(**(values | changes))


# Two points


def test_two_points_are_those_of_the_published_code():
    task = two_points()
    np.testing.assert_allclose(task.inputs, [[-1.0], [0.0]], rtol=0, atol=1e-15)
    np.testing.assert_allclose(task.targets, [[0.6], [0.6 + 0.7071067811865476]], rtol=1e-15)
    assert task.items == task.probe_items == ("A", "B")
    assert task.pairs == ((0, 1),)
    assert task.probe_is_everything
    assert task.name == "two-points"


@pytest.mark.parametrize(("dx2", "dy2"), [(1.0, 0.5), (100.0, 0.0), (0.3, 2.0)])
@pytest.mark.parametrize("inputs", [1, 4, 7])
@pytest.mark.parametrize("outputs", [1, 3])
def test_two_points_are_copies_scaled_so_that_distances_do_not_depend_on_dimensions(dx2, dy2, inputs, outputs):
    task = two_points(dx2, dy2, input_dim=inputs, output_dim=outputs)
    x, y = np.array([-1, -1 + dx2**0.5]), np.array([0.6, 0.6 + dy2**0.5])
    np.testing.assert_allclose(task.inputs, np.stack([x] * inputs, axis=1) / inputs**0.5, rtol=1e-14, atol=1e-16)
    np.testing.assert_allclose(task.targets, np.stack([y] * outputs, axis=1) / outputs**0.5, rtol=1e-14)
    assert ((task.inputs[1] - task.inputs[0]) ** 2).sum() == pytest.approx(dx2, rel=1e-13)
    assert ((task.targets[1] - task.targets[0]) ** 2).sum() == pytest.approx(dy2, rel=1e-13)
    assert (task.input_dim, task.output_dim) == (inputs, outputs)


@pytest.mark.parametrize(
    "wrong", [{"dx2": 0.0}, {"dx2": -1.0}, {"dx2": np.inf}, {"dx2": np.nan}, {"dy2": -0.1}, {"dy2": np.inf}]
)
def test_two_points_refuse_distances_out_of_range(wrong):
    with pytest.raises(SpecificationError, match=r"two points need dx2 > 0 and dy2 ≥ 0, both finite; got dx2="):
        two_points(**wrong)


@pytest.mark.parametrize("wrong", [{"input_dim": 0}, {"output_dim": -2}])
def test_two_points_refuse_dimensions_below_one(wrong):
    with pytest.raises(SpecificationError, match="dimensions must be 1 or more; got input_dim="):
        two_points(**wrong)


# Digits and other labelled images


def test_digits_are_standardised_one_hot_and_in_the_order_of_scikit_learn():
    task, (images, labels) = digits(), load_digits(return_X_y=True)
    assert task.inputs.shape == (1797, 64)
    assert task.inputs.mean() == pytest.approx(0, abs=1e-12)
    assert task.inputs.std() == pytest.approx(1, rel=1e-12)
    np.testing.assert_allclose(task.inputs, (images - images.mean()) / images.std(), rtol=1e-12)
    assert set(np.unique(task.targets)) == {0.0, 1.0}
    assert (task.targets.sum(1) == 1).all()
    assert (task.targets.argmax(1) == labels).all()
    assert task.items[:2] == ("0 #0", "1 #1")
    assert not task.probe_is_everything


@pytest.mark.parametrize("per_class", [1, 2, 5])
def test_the_probe_has_so_many_different_items_of_each_class_in_order(per_class):
    task, labels = digits(per_class=per_class, probe_seed=4), load_digits().target
    assert [labels[i] for i in task.probe] == [c for c in range(10) for _ in range(per_class)]
    assert len(set(task.probe)) == 10 * per_class
    assert task.probe_items == tuple(f"{labels[i]} #{i}" for i in task.probe)
    np.testing.assert_array_equal(task.probe_inputs, task.inputs[list(task.probe)])
    np.testing.assert_array_equal(task.probe_targets, task.targets[list(task.probe)])
    assert task.pairs == tuple(combinations(range(10 * per_class), 2))


def test_the_probe_seed_alone_decides_the_probe():
    assert digits(probe_seed=1).probe == digits(probe_seed=1).probe
    assert len({digits(probe_seed=seed).probe for seed in range(5)}) == 5
    np.testing.assert_array_equal(digits(probe_seed=1).inputs, digits(probe_seed=2).inputs)


@pytest.mark.parametrize("per_class", [0, -1, 175])
def test_more_probe_items_than_the_smallest_class_has_are_refused(per_class):
    with pytest.raises(SpecificationError, match="per_class must lie between 1 and 174, the smallest class of digits"):
        digits(per_class=per_class)


def test_labels_need_not_have_every_class():
    task = labelled("gappy", np.zeros((4, 2)), np.array([0, 3, 3, 0]), per_class=1, probe_seed=0)
    assert task.targets.shape == (4, 4)
    assert [task.items[i][0] for i in task.probe] == ["0", "3"]


def test_tasks_are_found_by_the_names_that_specifications_use():
    assert {name: TASKS[name]().name for name in ("two-points", "digits")} == {
        "two-points": "two-points",
        "digits": "digits",
    }
    assert set(TASKS) == {
        *("two-points", "xor", "context", "bits", "digits", "mnist", "cifar10", "image-folder", "fitted")
    }


# A task of one's own


def test_a_task_keeps_its_data_in_float64_and_watches_everything_by_default():
    task = a_task(inputs=np.arange(12, dtype=np.float32).reshape(3, 2, 2), targets=[[1], [2], [3]])
    assert task.inputs.dtype == task.targets.dtype == np.float64
    assert (task.input_dim, task.output_dim, task.probe) == (4, 1, (0, 1, 2))


@pytest.mark.parametrize("field", ["inputs", "targets"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_data_that_are_not_finite_are_refused_with_the_item(field, value):
    array = np.ones((3, 2))
    array[1, 0] = value
    with pytest.raises(DataError, match=f"{field} of task 'mine' are not finite, first at item 1; clean the data"):
        a_task(**{field: array})


@pytest.mark.parametrize("wrong", [{"inputs": np.ones((2, 2))}, {"targets": np.ones((4, 1))}, {"items": ("a", "b")}])
def test_data_of_different_items_are_refused_with_their_shapes(wrong):
    with pytest.raises(ShapeError, match=r"task 'mine' needs inputs \(item, …\), targets \(item, output\) and a name"):
        a_task(**wrong)


@pytest.mark.parametrize("probe", [(0,), (0, 0), (0, 3), (-1, 0)])
def test_a_probe_must_be_two_or_more_different_items_that_exist(probe):
    with pytest.raises(SpecificationError, match="the probe of task 'mine' must be two or more different items"):
        a_task(probe=probe)


def test_a_probe_in_another_order_is_not_everything():
    assert a_task(probe=(0, 1, 2)).probe_is_everything
    assert not a_task(probe=(1, 0, 2)).probe_is_everything
    assert a_task(probe=(2, 0)).probe_items == ("c", "a")


# The idx format


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["raw", "gzipped"])
@pytest.mark.parametrize("shape", [(5,), (3, 4, 2), (0, 4, 2)])
def test_idx_files_come_back_whatever_their_name(tmp_path, pack, shape):
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    read = read_idx(write(tmp_path / "any.name", pack(idx(array))), len(shape))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, array)


CUBE = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
WRONG_IDX = {
    "empty": (b"", "not an idx file of bytes with 3 axes: it begins with nothing"),
    "header truncated": (idx(CUBE)[:11], "not an idx file of bytes with 3 axes"),
    "magic truncated": (idx(CUBE)[:3], "it begins with 000008, not 00000803"),
    "magic of shorts": (idx(CUBE, magic=bytes([0, 0, 11, 3])), "begins with 00000b03"),
    "magic of text": (b"<html>not found, sorry</html>", "it begins with 3c68746d"),
    "fewer axes": (idx(CUBE[0, 0]), "not an idx file of bytes with 3 axes: it begins with 00000801"),
    "more axes": (idx(CUBE[None]), "not an idx file of bytes with 3 axes: it begins with 00000804"),
    "body truncated": (idx(CUBE)[:-1], "says that it holds 24 bytes, but holds 23; fetch it again"),
    "no body": (idx(CUBE)[:16], "says that it holds 24 bytes, but holds 0; fetch it again"),
    "too long": (idx(CUBE) + b"\0", "says that it holds 24 bytes, but holds more; fetch it again"),
    "huge": (idx(CUBE, promised=(2**32 - 1,) * 3), "cannot be read|but holds 24; fetch it again"),
    "large": (idx(CUBE, promised=(2**16, 2**16, 2**8)), "cannot be read|but holds 24; fetch it again"),
}


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["raw", "gzipped"])
@pytest.mark.parametrize(("content", "says"), WRONG_IDX.values(), ids=WRONG_IDX)
def test_a_wrong_idx_file_is_refused_with_what_is_wrong(tmp_path, pack, content, says):
    path = write(tmp_path / "file", pack(content))
    with pytest.raises(DataError, match=says):
        read_idx(path, 3)


@pytest.mark.parametrize("cut", [5, 25, -9, -1])
def test_a_truncated_gzip_is_refused(tmp_path, cut):
    path = write(tmp_path / "file.gz", gzip.compress(idx(CUBE))[:cut])
    with pytest.raises(DataError, match=r"is truncated or damaged \(.+\); fetch it again"):
        read_idx(path, 3)


def test_a_gzip_with_any_byte_changed_never_gives_other_values(tmp_path):
    good = gzip.compress(idx(CUBE), mtime=0)
    for position in range(2, len(good)):
        path = write(tmp_path / "file.gz", good[:position] + bytes([good[position] ^ 0x55]) + good[position + 1 :])
        try:
            values = read_idx(path, 3)
        except DataError as refused:
            assert str(path) in str(refused)  # noqa: PT017
        else:  # the time stamp, flags and name in the header carry no values
            assert position < 10
            np.testing.assert_array_equal(values, CUBE)


def test_a_file_that_is_not_there_or_is_a_folder_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match=r"nowhere cannot be read: .*No such file"):
        read_idx(tmp_path / "nowhere", 3)
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path, 3)


# MNIST


@pytest.mark.parametrize("separator", ["-idx", ".idx"])
@pytest.mark.parametrize("zipped", [False, True], ids=["raw", "gzipped"])
@pytest.mark.parametrize("folder", ["", "mnist"])
@pytest.mark.parametrize("by_variable", [False, True], ids=["argument", "variable"])
def test_mnist_is_found_under_both_spellings(tmp_path, monkeypatch, separator, zipped, folder, by_variable):
    images, labels = pictures()
    for name, array in ((IMAGES, images), (LABELS, labels)):
        path = tmp_path / folder / (name.replace("-idx", separator) + (".gz" if zipped else ""))
        write(path, gzip.compress(idx(array)) if zipped else idx(array))
    if by_variable:
        monkeypatch.setenv("SYZYGY_DATA", str(tmp_path))
    else:
        monkeypatch.setenv("SYZYGY_DATA", "/nowhere")  # the argument goes first
    task = mnist(per_class=1, data_dir=None if by_variable else tmp_path)
    np.testing.assert_allclose(task.inputs, (images.reshape(40, 784) / 255 - 0.1307) / 0.3081, rtol=1e-12)
    assert (task.targets.argmax(1) == labels).all()
    assert task.targets.shape == (40, 10)
    assert task.name == "mnist"


def put_mnist(folder, images, labels):
    write(folder / IMAGES, idx(images))
    write(folder / LABELS, idx(labels))
    return folder


def test_mnist_can_be_limited_to_its_first_images(tmp_path):
    folder = put_mnist(tmp_path, *pictures())
    whole, part = mnist(per_class=1, data_dir=folder), mnist(per_class=1, limit=20, data_dir=str(folder))
    np.testing.assert_array_equal(part.inputs, whole.inputs[:20])
    assert part.items == whole.items[:20]


@pytest.mark.parametrize("limit", [0, -1, 41])
def test_a_limit_out_of_range_is_refused(tmp_path, limit):
    folder = put_mnist(tmp_path, *pictures())
    with pytest.raises(SpecificationError, match=f"limit must lie between 1 and 40, got {limit}"):
        mnist(limit=limit, data_dir=folder)


def test_missing_mnist_files_are_named_with_the_places_and_what_to_do(tmp_path):
    with pytest.raises(DataError, match=f"no {IMAGES} in .*; looked for {IMAGES}, .*mnist.*Put the MNIST training"):
        mnist(data_dir=tmp_path)
    write(tmp_path / IMAGES, idx(pictures()[0]))
    with pytest.raises(DataError, match=rf"no {LABELS} in .*mnist/train-labels\.idx1-ubyte\.gz\. Put .* SYZYGY_DATA"):
        mnist(data_dir=tmp_path)


def test_files_of_another_set_are_refused_with_what_they_hold(tmp_path):
    images, labels = pictures()
    sets = {
        r"40 images of \(28, 28\) and 39 labels up to 9": (images, labels[:-1]),
        r"39 images of \(28, 28\) and 40 labels up to 9": (images[1:], labels),
        r"40 images of \(27, 28\) and 40 labels": (images[:, 1:], labels),
        r"40 images of \(28, 28\) and 40 labels up to 49": (images, labels + 40),
        r"40 images of \(28, 28\) and 40 labels up to 10": (images, np.maximum(labels, 1) + 1),
        r"0 images of \(28, 28\) and 0 labels up to 0": (images[:0], labels[:0]),
    }
    for says, (some, others) in sets.items():
        with pytest.raises(DataError, match=rf"the idx files in .* are not MNIST: {says}"):
            mnist(data_dir=put_mnist(tmp_path, some, others))


def test_a_failed_download_says_what_to_do(monkeypatch):
    def fail(*_arguments, **_options):
        raise OSError("no route to host")

    monkeypatch.delenv("SYZYGY_DATA", raising=False)
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fail)
    says = (
        rf"could not be fetched from OpenML \(no route to host\); put {IMAGES} and {LABELS}.*--data-dir or SYZYGY_DATA"
    )
    with pytest.raises(DataError, match=says):
        mnist()


def test_a_downloaded_set_is_read_as_the_files_are(tmp_path, monkeypatch):
    images, labels = pictures()

    def fetch(name, **options):
        assert (name, options["version"], options["return_X_y"], options["as_frame"]) == ("mnist_784", 1, True, False)
        return images.reshape(40, 784).astype(float), np.array([str(label) for label in labels], dtype=object)

    monkeypatch.delenv("SYZYGY_DATA", raising=False)
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    fetched, read = mnist(per_class=1), mnist(per_class=1, data_dir=put_mnist(tmp_path, images, labels))
    np.testing.assert_array_equal(fetched.inputs, read.inputs)
    np.testing.assert_array_equal(fetched.targets, read.targets)
    assert (fetched.items, fetched.probe) == (read.items, read.probe)


def real_mnist():
    beside = Path(__file__).parents[1].parent / "shared" / "data"
    folder = Path(os.environ.get("SYZYGY_DATA", beside))
    return folder if list(folder.glob("**/train-images*")) else None


@pytest.mark.skipif(real_mnist() is None, reason="the MNIST files are not here")
def test_the_real_mnist_has_its_known_counts_and_moments():
    task = mnist(data_dir=real_mnist())
    assert task.inputs.shape == (60_000, 784)
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert task.targets.sum(0).astype(int).tolist() == counts
    assert [item.split()[0] for item in task.items[:10]] == list("5041921314")
    assert task.inputs.mean() == pytest.approx(0, abs=2e-4)  # so the normalisation is that of these pixels
    assert task.inputs.std() == pytest.approx(1, abs=2e-4)
    assert len(task.pairs) == 190


@pytest.mark.parametrize("field", ["inputs", "targets"])
@pytest.mark.parametrize("array", [np.zeros(3), np.float64(1.0)])
def test_data_without_an_item_axis_and_another_are_refused(field, array):
    with pytest.raises(ShapeError, match=rf"{field} of task 'mine' must be \(item, …\), two axes or more"):
        a_task(**{field: array})


def test_a_negative_seed_of_the_probe_is_refused():
    with pytest.raises(SpecificationError, match="probe_seed must be zero or more"):
        digits(probe_seed=-1)
