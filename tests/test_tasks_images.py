"""Images to transfer to: pooled MNIST, some of the digits, CIFAR-10's binary files, and folders of one's own."""

import os

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from syzygy.errors import DataError, SpecificationError
from syzygy.tasks import SIZES, TASKS, cifar10, digits, image_folder, mnist
from syzygy.tasks.cifar10 import CLASSES
from syzygy.tasks.images import DEVIATION, MEAN

PLAIN = {"mean": (0, 0, 0), "deviation": (1 / 255,) * 3}  # so that inputs are the bytes


# MNIST at the digits' size


def put_mnist(folder, images, labels):
    for name, array in (("train-images-idx3-ubyte", images), ("train-labels-idx1-ubyte", labels)):
        sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
        (folder / name).write_bytes(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes())
    return folder


def test_pooled_mnist_is_the_mean_of_each_block_of_its_middle_standardised(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (30, 28, 28), np.uint8)
    folder = put_mnist(tmp_path, images, (np.arange(30) % 10).astype(np.uint8))
    task = mnist(per_class=1, size=8, data_dir=folder)
    blocks = np.array([[[one[2 + 3 * i : 5 + 3 * i, 2 + 3 * j : 5 + 3 * j].mean() for j in range(8)] for i in range(8)]
                       for one in images])  # fmt: skip
    np.testing.assert_allclose(task.inputs.reshape(-1, 8, 8), (blocks - blocks.mean()) / blocks.std(), rtol=1e-10)
    assert task.inputs.shape == (30, 64)
    assert mnist(per_class=1, data_dir=folder).inputs.shape == (30, 784)
    with pytest.raises(SpecificationError, match="size of MNIST's images is 28, or 8 when pooled; got 14"):
        mnist(size=14, data_dir=folder)


# Some of the digits


def test_some_digits_have_an_output_each_and_keep_their_names_and_pixels():
    task, (_, labels) = digits(classes=[9, 5, 6], per_class=3), load_digits(return_X_y=True)
    used = np.isin(labels, [5, 6, 9])
    np.testing.assert_array_equal(task.inputs, digits().inputs[used])
    assert task.targets.shape == (used.sum(), 3)
    np.testing.assert_array_equal(np.array([5, 6, 9])[task.targets.argmax(1)], labels[used])
    assert [item.split()[0] for item in task.probe_items] == list("555666999")
    assert digits(classes=range(10)).items == digits().items


@pytest.mark.parametrize("classes", [[], [3], [3, 3], [3, 10], [-1, 2]])
def test_digits_that_there_are_not_are_refused(classes):
    with pytest.raises(SpecificationError, match="classes are two or more of the digits 0 … 9; got"):
        digits(classes=classes)


def test_sizes_are_those_of_the_tasks(tmp_path, monkeypatch):
    """A report needs no data: what it reads in this table must be what the tasks give."""
    put_mnist(
        tmp_path, np.zeros((20, 28, 28), np.uint8) + np.arange(28, dtype=np.uint8), np.arange(20, dtype=np.uint8) % 10
    )
    put_cifar(tmp_path)
    put_images(tmp_path / "images")
    monkeypatch.setenv("SYZYGY_DATA", str(tmp_path))
    for name, options in (("digits", {}), ("digits", {"classes": [0, 1, 2]}), ("mnist", {}), ("mnist", {"size": 8}),
                          ("cifar10", {}), ("cifar10", {"size": 8}), ("image-folder", {"size": 5})):  # fmt: skip
        task = TASKS[name](per_class=1, **options)
        assert SIZES[name](options)[0] == task.input_dim
        if name != "image-folder":
            assert SIZES[name](options)[1] == task.output_dim


# CIFAR-10


def put_cifar(folder, items=12, files=5):
    """Write files of records by the format's description; give labels and images (item, channel, row, column)."""
    draw = np.random.default_rng(1)
    labels, images = np.arange(items * files) % 10, draw.integers(0, 256, (items * files, 3, 32, 32), np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        rows = range(number * items, (number + 1) * items)
        content = b"".join(bytes([labels[row]]) + images[row].tobytes() for row in rows)
        (folder / f"data_batch_{number + 1}.bin").write_bytes(content)
    return labels, images


@pytest.mark.parametrize("sub", ["", "cifar10", "cifar-10-batches-bin"])
@pytest.mark.parametrize("by_variable", [False, True])
def test_cifar_is_read_record_by_record_in_the_order_of_its_files(tmp_path, monkeypatch, sub, by_variable):
    labels, images = put_cifar(tmp_path / sub)
    monkeypatch.setenv("SYZYGY_DATA", str(tmp_path) if by_variable else "/nowhere")
    task = cifar10(data_dir=None if by_variable else tmp_path, **PLAIN)
    np.testing.assert_allclose(task.inputs, images, atol=1e-10)
    np.testing.assert_array_equal(task.targets.argmax(1), labels)
    assert task.items[:3] == ("airplane #0", "automobile #1", "bird #2")
    assert len(task.probe) == 20
    assert task.name == "cifar10"


def test_cifar_is_normalised_by_channel(tmp_path):
    _, images = put_cifar(tmp_path)
    task = cifar10(data_dir=tmp_path)
    for channel in range(3):
        expected = (images[:, channel] / 255 - MEAN[channel]) / DEVIATION[channel]
        np.testing.assert_allclose(task.inputs[:, channel], expected, rtol=1e-12)


def test_cifar_is_resized_as_pillow_does(tmp_path):
    _, images = put_cifar(tmp_path)
    task = cifar10(data_dir=tmp_path, size=48, limit=20, per_class=1, **PLAIN)
    assert task.inputs.shape == (20, 3, 48, 48)
    picture = Image.fromarray(np.moveaxis(images[7], 0, -1)).resize((48, 48), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(task.inputs[7], np.moveaxis(np.asarray(picture), -1, 0), atol=1e-10)


def test_missing_cifar_files_are_named_with_the_places_and_what_to_do(tmp_path, monkeypatch):
    says = r"no data_batch_1\.bin … data_batch_5\.bin in any of .*cifar-10-batches-bin; put the binary .* SYZYGY_DATA"
    put_cifar(tmp_path / "cifar10", files=4)
    with pytest.raises(DataError, match=says):
        cifar10(data_dir=tmp_path)
    monkeypatch.delenv("SYZYGY_DATA", raising=False)
    with pytest.raises(DataError, match="CIFAR-10 is not fetched; put the binary version's"):
        cifar10()


@pytest.mark.parametrize("sub", ["", "cifar10", "cifar-10-batches-py"])
def test_pickled_cifar_files_are_not_read_and_the_reason_is_said(tmp_path, sub):
    (tmp_path / sub).mkdir(exist_ok=True)
    (tmp_path / sub / "data_batch_1").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(DataError, match="data_batch_1 is of the Python version, which is pickled, and nothing is unp"):
        cifar10(data_dir=tmp_path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda content: content[:-1], "holds 36875 bytes, no whole number of 3073-byte records"),
        (lambda content: content + b"xyz", "holds 36879 bytes, no whole number"),
        (lambda content: content[:0], "holds 0 bytes"),
        (lambda content: b"\x0a" + content[1:], r"has a label 10; CIFAR-10's are 0 … 9"),
    ],
)
def test_a_wrong_cifar_file_is_refused_with_what_is_wrong(tmp_path, change, says):
    put_cifar(tmp_path)
    path = tmp_path / "data_batch_3.bin"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match=rf"data_batch_3\.bin {says}"):
        cifar10(data_dir=tmp_path)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"limit": 0}, "limit must lie between 1 and 60, got 0"),
        ({"limit": 61}, "limit must lie between 1 and 60, got 61"),
        ({"size": 0}, "size must be 1 or more"),
        ({"mean": (0.5,)}, "mean and deviation are of three channels"),
        ({"deviation": (1, 1, 0)}, "deviations positive"),
        ({"per_class": 7}, "per_class must lie between 1 and 6, the smallest class of cifar10"),
    ],
)
def test_arguments_of_cifar_out_of_range_are_refused(tmp_path, wrong, says):
    put_cifar(tmp_path)
    with pytest.raises(SpecificationError, match=says):
        cifar10(data_dir=tmp_path, **wrong)


def test_the_classes_of_cifar_are_ten():
    assert len(CLASSES) == len(set(CLASSES)) == 10


# A folder of images


def put_images(folder, classes=("cat", "dog"), items=3, side=6):
    """Write a PNG per item, each of one colour that tells class and item; give the colours."""
    colours = {}
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for item in range(items):
            colours[name, item] = (10 * label, 20 + item, 200 - item)
            Image.new("RGB", (side + item, side), colours[name, item]).save(folder / name / f"{item:03d}.png")
    return colours


def test_a_folder_is_read_in_the_order_of_its_names_and_resized(tmp_path):
    colours = put_images(tmp_path / "images")
    (tmp_path / "images" / "cat" / "notes.txt").write_text("no image")
    (tmp_path / "images" / ".cache").mkdir()
    task = image_folder(size=4, data_dir=tmp_path, **PLAIN)
    assert task.inputs.shape == (6, 3, 4, 4)
    expected = [colours[name, item] for name in ("cat", "dog") for item in range(3)]
    np.testing.assert_allclose(task.inputs, np.array(expected)[:, :, None, None] * np.ones((1, 1, 4, 4)), atol=1e-10)
    np.testing.assert_array_equal(task.targets, np.repeat(np.eye(2), 3, axis=0))
    assert task.items == ("cat #0", "cat #1", "cat #2", "dog #3", "dog #4", "dog #5")
    assert image_folder(size=4, data_dir=tmp_path, limit=2).items == ("cat #0", "cat #1", "dog #2", "dog #3")


def test_images_are_upright(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 7, 7, 3), np.uint8)
    for name, one in zip("ab", pixels, strict=True):
        (tmp_path / "images" / name).mkdir(parents=True)
        Image.fromarray(one).save(tmp_path / "images" / name / "one.png")
    task = image_folder(size=7, per_class=1, data_dir=tmp_path, **PLAIN)
    np.testing.assert_allclose(task.inputs, np.moveaxis(pixels, -1, 1), atol=1e-10)


def test_grey_images_and_those_with_a_palette_have_three_channels(tmp_path):
    for index, mode in enumerate(("L", "P", "RGBA", "1")):
        (tmp_path / "images" / str(index % 2)).mkdir(parents=True, exist_ok=True)
        Image.new(mode, (5, 5)).save(tmp_path / "images" / str(index % 2) / f"{index}.png")
    Image.new("RGB", (5, 5), (250, 250, 250)).save(tmp_path / "images" / "1" / "last.JPG", "JPEG")
    task = image_folder(size=5, data_dir=tmp_path, **PLAIN)
    assert task.inputs.shape == (5, 3, 5, 5)
    np.testing.assert_allclose(task.inputs[-1], 250, atol=2)


def test_the_folder_is_named_by_the_variable(tmp_path, monkeypatch):
    put_images(tmp_path / "mine")
    monkeypatch.setenv("SYZYGY_DATA", str(tmp_path))
    assert len(image_folder("mine", size=2).items) == 6
    monkeypatch.delenv("SYZYGY_DATA")
    with pytest.raises(DataError, match="name the folder that holds mine by --data-dir or SYZYGY_DATA"):
        image_folder("mine")


def broken(change):
    """Do something to the second image of the first class."""
    return lambda folder: change(folder / "cat" / "001.png")


UNREADABLE = r"cat/001\.png cannot be read as an image"
WRONG = {
    "one class": (lambda folder: (folder / "dog").rename(folder.parent / "dog"), "holds 1 sub-folders; two classes or"),
    "too few": (lambda folder: (folder / "dog" / "001.png").unlink(), "class 'dog' in .* has 2 images; per_class = 3"),
    "empty": (lambda folder: (folder / "ant").mkdir(), "class 'ant' in .* has 0 images"),
    "text": (broken(lambda image: image.write_text("hello")), UNREADABLE),
    "cut": (broken(lambda image: image.write_bytes(image.read_bytes()[:45])), UNREADABLE),
    "a folder": (broken(lambda image: (image.unlink(), image.mkdir())), UNREADABLE),
    "another format": (broken(lambda image: Image.new("RGB", (4, 4)).save(image, "BMP")), UNREADABLE),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_folder_that_cannot_be_used_is_refused_with_what_is_wrong(tmp_path, case):
    change, says = WRONG[case]
    put_images(tmp_path / "images")
    change(tmp_path / "images")
    with pytest.raises(DataError, match=says):
        image_folder(size=4, per_class=3, data_dir=tmp_path)
    with pytest.raises(DataError, match=r"no folder .*nowhere; it shall hold a sub-folder per class"):
        image_folder("nowhere", data_dir=tmp_path)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_an_image_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    put_images(tmp_path / "images")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    with pytest.raises(DataError, match=r"cat/000\.png cannot be read as an image .*exceeds limit"):
        image_folder(size=4, data_dir=tmp_path)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
@pytest.mark.parametrize("what", ["image", "class", "folder", "name"])
def test_what_leads_out_of_the_folder_is_refused(tmp_path, what):
    put_images(tmp_path / "data" / "images")
    put_images(tmp_path / "outside")
    folder = "images"
    if what == "image":
        (tmp_path / "data" / "images" / "cat" / "009.png").symlink_to(tmp_path / "outside" / "cat" / "000.png")
    elif what == "class":
        (tmp_path / "data" / "images" / "ant").symlink_to(tmp_path / "outside" / "cat")
    elif what == "folder":
        (tmp_path / "data" / "linked").symlink_to(tmp_path / "outside")
        folder = "linked"
    else:
        folder = "../outside"
    with pytest.raises(DataError, match=r"leads out of .*, to .*outside"):
        image_folder(folder, size=4, data_dir=tmp_path / "data")


def test_a_link_within_the_folder_is_followed(tmp_path):
    put_images(tmp_path / "images")
    (tmp_path / "images" / "cat" / "009.png").symlink_to(tmp_path / "images" / "dog" / "000.png")
    assert len(image_folder(size=4, data_dir=tmp_path).items) == 7


def test_a_limit_out_of_range_is_refused(tmp_path):
    put_images(tmp_path / "images")
    with pytest.raises(SpecificationError, match="limit must be 1 or more, got 0"):
        image_folder(limit=0, data_dir=tmp_path)
