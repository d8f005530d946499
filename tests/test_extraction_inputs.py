"""What is shown: images, texts and arrays, a batch at a time, and what is refused."""

import json
import os
import warnings
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_tensors
from torch import nn

from syzygy.errors import DataError, ShapeError, SpecificationError
from syzygy.extraction import Source, columns, items, shown
from syzygy.extraction.inputs import probes
from syzygy.extraction.texts import text_items
from syzygy.recording import Probe

X = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
ANY = Source("any", nn.Linear(4, 2), None, "array", None)


def gathered(some, source=ANY, size=3):
    """All inputs, put together from batches, and the sizes of the batches."""
    parts = list(probes(some, source, size))
    assert [first for first, _ in parts] == list(range(0, len(some), size))
    assert sum((probe.items for _, probe in parts), ()) == some.names
    return torch.cat([probe.inputs for _, probe in parts]).numpy(), [len(probe) for _, probe in parts]


def picture(path, size=(5, 4), colour=(10, 20, 30), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)
    return path


# Arrays


@pytest.mark.parametrize(
    "name", ["x.npy", "x.npz", "packed.npz", "x.safetensors", "columns.npy", "columns.npz", "big.npy"]
)
@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_files_give_what_memory_gives(tmp_path, name, size):
    path = tmp_path / name
    if name == "x.safetensors":
        save_file({"x": X}, path)
    elif name == "packed.npz":
        np.savez_compressed(path, inputs=X)
    else:
        array = {"c": np.asfortranarray(X), "b": X.astype(">f4")}.get(name[0], X)
        (np.save if path.suffix == ".npy" else np.savez)(path, array)
    given, sizes = gathered(shown(path), size=size)
    np.testing.assert_array_equal(given, X)
    np.testing.assert_array_equal(given, gathered(shown(X), size=size)[0])
    assert max(sizes) <= size
    assert shown(path).names == tuple(f"item {index}" for index in range(7))
    np.testing.assert_array_equal(gathered(shown(path).first(5), size=3)[0], X[:5])


def test_files_have_names_targets_and_masks(tmp_path):
    names, mask = [f"n{k}" for k in range(7)], np.arange(28).reshape(7, 4) % 3 > 0
    np.savez(tmp_path / "a.npz", x=X, items=names, y=np.arange(7), mask=mask)
    some = shown(tmp_path / "a.npz")
    assert some.names == tuple(names)
    np.testing.assert_array_equal(some.targets, np.arange(7))
    seen = np.concatenate([probe.mask.numpy() for _, probe in probes(some, ANY, 4)])
    np.testing.assert_array_equal(seen, mask)
    save_file(
        {"inputs": X, "targets": X[:, :2].copy()}, tmp_path / "a.safetensors", metadata={"items": json.dumps(names)}
    )
    some = shown(tmp_path / "a.safetensors").first(5)
    assert some.names == tuple(names[:5])
    np.testing.assert_array_equal(some.targets, X[:5, :2])


def test_arguments_by_name(tmp_path):
    ids, mask = np.arange(21).reshape(7, 3), np.ones((7, 3), np.int64)
    np.savez(tmp_path / "a.npz", input_ids=ids, attention_mask=mask, items=list("abcdefg"))
    probe = next(probes(shown(tmp_path / "a.npz"), ANY, 2))[1]
    assert set(probe.inputs) == {"input_ids", "attention_mask"}
    assert probe.inputs["input_ids"].dtype == torch.int64
    np.testing.assert_array_equal(probe.mask, mask[:2])


def test_narrow_numbers_are_read(tmp_path):
    save_tensors({"x": torch.from_numpy(X).bfloat16()}, tmp_path / "a.safetensors")
    given, _ = gathered(shown(tmp_path / "a.safetensors"))
    np.testing.assert_array_equal(given, torch.from_numpy(X).bfloat16().float())
    np.save(tmp_path / "a.npy", np.arange(8, dtype=np.uint8).reshape(4, 2))
    assert gathered(shown(tmp_path / "a.npy"))[0].dtype == np.int64


def test_no_more_than_a_batch_is_read_at_once(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros((1000, 50), np.float32))
    read = []
    exactly = columns._exactly
    monkeypatch.setattr(columns, "_exactly", lambda file, size, what: read.append(size) or exactly(file, size, what))
    some = shown(tmp_path / "a.npz")
    assert read == []
    assert len(list(probes(some, ANY, 10))) == 100
    assert set(read) == {10 * 50 * 4}


def test_what_is_held_in_memory():
    probe = Probe.of((torch.ones(3, 2), torch.zeros(3)), items=list("abc"))
    some = shown(probe)
    assert [part.inputs[0].shape for _, part in probes(some, ANY, 2)] == [(2, 2), (1, 2)]
    assert [len(part) for _, part in probes(some.first(1), ANY, 2)] == [1]
    assert shown(X, targets=torch.arange(7)).targets.tolist() == list(range(7))
    assert shown({"a": torch.ones(3, 1)}, items=list("xyz")).names == ("x", "y", "z")


def zipped(path, **members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in members.items():
            with archive.open(name, "w") as file:
                np.lib.format.write_array(file, np.asarray(array))


def test_names_in_archives_are_never_paths(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    zipped(inside / "a.npz", **{"../../climbs.npy": X, "items.npy": [f"../../up {k}" for k in range(7)]})
    some = shown(inside / "a.npz")
    np.testing.assert_array_equal(gathered(some)[0], X)
    assert some.names[0] == "../../up 0"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.npz", "inside"]


def test_arrays_that_are_refused(tmp_path):
    def refuses(says, error=DataError, **arrays):
        np.savez(tmp_path / "bad.npz", **arrays)
        with pytest.raises(error, match=says):
            list(probes(shown(tmp_path / "bad.npz"), ANY, 3))

    refuses("never unpickled", x=np.array([{}, []], dtype=object))
    refuses("call the inputs 'inputs' or 'x'", a=X, b=X)
    refuses("holds no items", x=X[:0])
    refuses("more than one item named 'a'", x=X[:2], items=["a", "a"])
    refuses("2 items, and names for 3", ShapeError, x=X[:2], items=["a", "b", "c"])
    refuses("2 items, and targets for 3", ShapeError, x=X[:2], y=[1, 2, 3])
    refuses("different numbers of items, 2, 3", ShapeError, input_ids=X[:2], token_type_ids=X[:3])
    refuses("complex64 where inputs are real numbers", x=X.astype(np.complex64))
    refuses("texts go into a .txt", x=["a", "b"])
    refuses("targets are real numbers", x=X[:2], y=["a", "b"])
    refuses("the inputs of 'item 4' are not finite", x=np.where(np.arange(7)[:, None] == 4, np.nan, X))
    refuses("holds no items", x=np.float32(3))
    np.save(tmp_path / "short.npy", X)
    cut = (tmp_path / "short.npy").read_bytes()[:-4]
    for name, content in {
        "short.npy": cut,
        "bad.npy": b"no",
        "bad.npz": b"no",
        "bad.safetensors": b"no",
        "empty.npy": b"",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=name):
            shown(tmp_path / name)
    with pytest.raises(DataError, match="is not there"):
        shown(tmp_path / "none.npz")
    with pytest.raises(SpecificationError, match=r"nothing else is shown"):
        shown(picture(tmp_path / "a.png"))
    with pytest.raises(SpecificationError, match="targets and mask of its own"):
        shown(tmp_path / "bad.npz", targets=[1])


def test_archives_that_swell_are_never_read_whole(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "wide.npz", x=np.zeros((2, 1_000_000), np.float32))
    monkeypatch.setattr(columns, "MOST", 7_000_000)
    with pytest.raises(DataError, match=r"0.004 GB an item, too much for a batch of 2"):
        list(probes(shown(tmp_path / "wide.npz"), ANY, 3))
    np.save(tmp_path / "columns.npy", np.asfortranarray(np.zeros((2, 1_000_000), np.float32)))
    with pytest.raises(DataError, match="stored by columns, and too large"):
        shown(tmp_path / "columns.npy")
    np.savez_compressed(tmp_path / "long.npz", x=np.zeros(9_000_000, np.int8))
    monkeypatch.setattr(items, "MOST", 1_000_000)
    with pytest.raises(DataError, match=r"holds 9000000 items; from 1 to 1,000,000"):
        shown(tmp_path / "long.npz")


def test_a_file_that_is_cut_while_it_is_read(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((100, 1000)))
    batches = probes(shown(tmp_path / "a.npy"), ANY, 10)
    next(batches)
    os.truncate(tmp_path / "a.npy", 200_000)
    with pytest.raises(DataError, match="truncated"):
        list(batches)


# Images


def test_images_come_in_the_order_of_their_paths(tmp_path):
    for index, name in enumerate(["b.png", "a/2.jpg", "a/1.PNG", "c/d/x.webp", "z.gif", "y.bmp", "t.tiff"]):
        picture(tmp_path / name, colour=(index * 10, 0, 0))
    picture(tmp_path / ".hidden.png")
    picture(tmp_path / ".cache/a.png")
    some = shown(tmp_path)
    assert some.names == ("a/1.PNG", "a/2.jpg", "b.png", "c/d/x.webp", "t.tiff", "y.bmp", "z.gif")
    given, _ = gathered(some)
    assert given.shape == (7, 3, 4, 5)
    np.testing.assert_allclose(given[2], np.zeros((3, 4, 5)))
    np.testing.assert_allclose(given[0, 0] * 255, 20, atol=1e-4)
    before = some.digest()
    assert shown(tmp_path).digest() == before
    picture(tmp_path / "b.png", colour=(1, 0, 0))
    assert shown(tmp_path).digest() != before


def test_images_are_opened_batch_by_batch(tmp_path, monkeypatch):
    for index in range(6):
        picture(tmp_path / f"{index}.png")
    some, loaded = shown(tmp_path), []
    load = Image.Image.convert
    monkeypatch.setattr(Image.Image, "convert", lambda self, mode: loaded.append(1) or load(self, mode))
    batches = some.raw(6, 2, 0)
    assert len(next(batches)) == 2
    assert len(loaded) == 2


def test_grey_images_for_who_reads_one_channel(tmp_path):
    picture(tmp_path / "a.png", colour=77, mode="L")
    grey = Source("grey", nn.Linear(4, 2), None, "array", torch.zeros(2, 1, 4, 5))
    given, _ = gathered(shown(tmp_path), grey)
    assert given.shape == (1, 1, 4, 5)
    np.testing.assert_allclose(given * 255, 77, rtol=1e-6)


def test_a_source_prepares_its_images(tmp_path):
    picture(tmp_path / "a.png", size=(9, 9))
    picture(tmp_path / "b.png", size=(5, 5))
    source = Source(
        "any", nn.Linear(4, 2), lambda some: torch.tensor([[float(one.width)] for one in some]), "image", None
    )
    assert gathered(shown(tmp_path), source)[0].tolist() == [[9], [5]]
    with pytest.raises(ShapeError, match=r"prepares images, and 'b.png' has 5×5 pixels where 'a.png' has 9×9"):
        gathered(shown(tmp_path))


def test_images_that_are_refused(tmp_path, monkeypatch):
    def refuses(says):
        with pytest.raises(DataError, match=says):
            list(probes(shown(tmp_path / "images"), ANY, 2))

    folder = tmp_path / "images"
    folder.mkdir()
    refuses("images holds no images")
    picture(folder / "a.png")
    for name, content in (("b.png", b"not a picture"), ("empty.png", b""), ("readme.txt", b"hello")):
        (folder / name).write_bytes(content)
        refuses(name)
        (folder / name).unlink()
    (folder / "cut.png").write_bytes(picture(tmp_path / "whole.png", size=(300, 300)).read_bytes()[:200])
    refuses(r"cut.png cannot be read as an image")
    (folder / "cut.png").unlink()
    picture(folder / "deep.png", colour=40_000, mode="I;16")
    refuses(r"deep.png has pixels of mode I;16; save it with 8 bits")
    (folder / "deep.png").unlink()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 15)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whoever does not see warnings is not to see the pixels either
        refuses(r"a.png cannot be read as an image \(.*decompression bomb")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 8)
    refuses(r"a.png cannot be read as an image \(.*decompression bomb")


def test_programs_that_pose_as_images_are_not_run(tmp_path):
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\nshowpage\n")
    with pytest.raises(DataError, match=r"a.png cannot be read as an image"):
        shown(tmp_path)


def test_links_out_of_the_folder_are_refused(tmp_path):
    picture(tmp_path / "images/a.png")
    secret = picture(tmp_path / "secret/b.png")
    (tmp_path / "images/b.png").symlink_to(secret)
    with pytest.raises(DataError, match=r"b.png is a link that leads out of"):
        shown(tmp_path / "images")
    (tmp_path / "images/b.png").unlink()
    (tmp_path / "images/more").symlink_to(tmp_path / "secret", target_is_directory=True)
    with pytest.raises(DataError, match=r"more is a link that leads out of"):
        shown(tmp_path / "images")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_and_names_that_are_no_text(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a.png is no image"):
        shown(tmp_path)
    (tmp_path / "a.png").unlink()
    picture(tmp_path / "ok.png").rename(os.fsdecode(os.fsencode(tmp_path) + b"/b\xff.png"))
    with pytest.raises(DataError, match=r"is not UTF-8; rename it"):
        shown(tmp_path)


# Texts


def test_texts_are_the_lines_that_are_not_empty(tmp_path):
    (tmp_path / "a.txt").write_bytes("a cat\r\n\n  \na dog\na cat\nnaïve\u2028one".encode())
    some = shown(tmp_path / "a.txt")
    assert some.names == ("a cat", "a dog", "a cat #2", "naïve\u2028one")
    assert list(some.raw(4, 3, 0)) == [["a cat", "a dog", "a cat"], ["naïve\u2028one"]]
    long = shown(["x" * 100, "x" * 200])
    assert long.names == ("x" * 79 + "…", "x" * 79 + "… #2")
    assert shown(["a", "b"], items=["first", "second"], targets=[0, 1]).names == ("first", "second")
    assert text_items(["a b"]).digest() == text_items(["a b"]).digest() != text_items(["a", "b"]).digest()


def test_texts_that_are_refused(tmp_path):
    (tmp_path / "a.txt").write_text("\n\n", encoding="utf-8")
    with pytest.raises(DataError, match="holds no items"):
        shown(tmp_path / "a.txt")
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"a.txt cannot be read"):
        shown(tmp_path / "a.txt")
    with pytest.raises(SpecificationError, match=r"how any reads texts; give arrays of tokens"):
        gathered(shown(["a"]))


def test_who_reads_what(tmp_path):
    picture(tmp_path / "a.png")
    reader = Source("reader", nn.Linear(4, 2), lambda texts: torch.ones(len(texts), 4), "text", None)
    with pytest.raises(SpecificationError, match=r"reader reads texts, and .* holds images"):
        gathered(shown(tmp_path), reader)
    assert gathered(shown(["a", "b"]), reader)[0].shape == (2, 4)

    def broken(_):
        raise KeyError("no such\ntoken")

    with pytest.raises(DataError, match=r"broken cannot prepare 'a' and 1 more: 'no such"):
        gathered(shown(["a", "b"]), Source("broken", nn.Linear(4, 2), broken, "text", None))
