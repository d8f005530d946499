"""The items at which a network is watched: what makes a probe, its parts, its hash, and what is refused."""

from collections import UserDict

import numpy as np
import pytest
import torch

from syzygy.errors import DataError, ShapeError
from syzygy.recording import Probe

X = torch.arange(12.0).reshape(4, 3)
IDS = torch.arange(20).reshape(4, 5)
MASK = torch.tensor([[1, 1, 0, 0, 0], [1, 1, 1, 1, 1], [0, 0, 0, 1, 1], [1, 0, 0, 0, 0]])


def test_one_tensor_several_in_order_or_several_by_name():
    assert Probe.of(X).inputs is X
    assert Probe.of(X.numpy()).inputs.tolist() == X.tolist()
    assert Probe.of(X.tolist()).inputs.tolist() == X.tolist()
    assert Probe.of((X, IDS.numpy(), "mode")).inputs[1].tolist() == IDS.tolist()
    assert Probe.of([X, IDS]).inputs == (X, IDS)
    by_name = Probe.of(UserDict(input_ids=IDS.numpy(), attention_mask=MASK, output_hidden_states=True))
    assert by_name.inputs["input_ids"].tolist() == IDS.tolist()
    assert by_name.inputs["output_hidden_states"] is True
    assert by_name.mask is MASK
    assert Probe.of({"attention_mask": torch.ones(4, 1, 5, 5), "x": X}).mask is None  # which is not of tokens
    assert Probe.of({"attention_mask": MASK, "x": X}, mask=MASK.flip(1)).mask.tolist() == MASK.flip(1).tolist()


def test_names_and_targets():
    probe = Probe.of(X)
    assert (len(probe), probe.items, probe.targets, probe.mask) == (4, tuple(f"item {i}" for i in range(4)), None, None)
    probe = Probe.of(X, items=["a", "b", "c", 4], targets=torch.tensor([0, 1, 2, 0]))
    assert probe.items == ("a", "b", "c", "4")
    assert probe.targets.tolist() == [[0], [1], [2], [0]]
    half = Probe.of(X, targets=torch.ones(4, 2, dtype=torch.bfloat16, requires_grad=True))
    assert half.targets.dtype == np.float64


def test_its_numbers_are_those_in_floating_point():
    probe = Probe.of({"x": X.half(), "ids": IDS, "maps": torch.ones(4, 2, 2)})
    np.testing.assert_array_equal(probe.flat, np.concatenate([X, np.ones((4, 4))], 1))
    assert probe.flat.dtype == np.float32
    assert Probe.of(IDS).flat.shape == (4, 0)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 9, None])
def test_parts_put_together_are_the_whole(size):
    probe = Probe.of({"input_ids": IDS, "attention_mask": MASK, "scale": torch.tensor(2.0), "mode": "x"}, targets=X)
    parts = list(probe.batches(size))
    assert [first for first, _ in parts] == list(range(0, 4, size or 4))
    assert sum((part.items for _, part in parts), ()) == probe.items
    for get in (lambda p: p.inputs["input_ids"], lambda p: p.mask, lambda p: torch.as_tensor(p.targets)):
        torch.testing.assert_close(torch.cat([get(part) for _, part in parts]), get(probe))
    assert all(part.inputs["scale"] == 2 and part.inputs["mode"] == "x" for _, part in parts)
    for given in (X, (X, IDS)):
        halves = [part.tensors for _, part in Probe.of(given).batches(3)]
        assert [len(tensors[0]) for tensors in halves] == [3, 1]


def test_its_hash_is_of_everything():
    def of(given=X, **known):
        return Probe.of(given, **known).digest()

    changed = X.clone()
    changed[3, 2] += 1e-6
    different = [
        of(), of(X.double()), of(X.reshape(4, 3, 1)), of(changed), of(X.bfloat16()), of(X.int()), of({"x": X}),
        of({"y": X}), of({"x": X, "mode": 1}), of({"x": X, "mode": 2}), of((X, X)), of(items="abcd"),
        of(items=["a", "b", "c\0", "d"]), of(items=["a", "b", "c", "\0d"]), of(targets=X), of(targets=changed.numpy()),
        of(mask=MASK), of(mask=MASK.bool()),
    ]  # fmt: skip
    assert len(set(different)) == len(different)
    again = X.T.contiguous().T  # the same numbers, elsewhere in memory
    assert of(again) == of(X.clone().requires_grad_()) == of()


@pytest.mark.parametrize(
    ("given", "known", "error", "says"),
    [
        (torch.ones(0, 3), {}, ShapeError, r"of the same items, at least one; got \[0\] items"),
        (torch.tensor(3.0), {}, ShapeError, r"got \[\] items"),
        ({"mode": 1}, {}, ShapeError, r"got \[\] items"),
        ((X, IDS[:3]), {}, ShapeError, r"of the same items, at least one; got \[3, 4\] items"),
        (X, {"items": ["a", "b"]}, ShapeError, "the probe has 4 items, and names for 2"),
        (X, {"items": ["a", "b", "a", "c"]}, DataError, "two items of the probe are named 'a'"),
        (X, {"targets": [1, 2, 3]}, ShapeError, "4 items, and targets for 3"),
        (X, {"targets": 1}, ShapeError, "4 items, and targets for none"),
        (X, {"mask": MASK[:2]}, ShapeError, "4 items, and mask for 2"),
        (X, {"mask": MASK[:, 0]}, ShapeError, r"a mask is \(item, position\), got \(4,\)"),
        (X, {"mask": MASK * (MASK[:, :1] == 1)}, DataError, "item 'item 2' has no token that counts; leave it out"),
        (object(), {}, DataError, "a probe is made of tensors or arrays of numbers; got object"),
        ([["a", "b"]], {}, DataError, "arrays of numbers; got list"),
        (X, {"targets": ["cat", "dog", "cat", "dog"]}, DataError, "arrays of numbers; got list"),
    ],
)
def test_what_is_no_probe_is_refused(given, known, error, says):
    with pytest.raises(error, match=says):
        Probe.of(given, **known)
