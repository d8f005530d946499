"""Pooling: against loops over items and positions, for every side of padding and every order of axes."""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from syzygy.errors import ShapeError
from syzygy.recording.pooling import POOLINGS, pooled, tensor_in

DRAW = np.random.default_rng(0)
TOKENS = DRAW.normal(size=(4, 5, 3))
SIDES = {
    "right": [[1, 1, 1, 0, 0], [1, 0, 0, 0, 0], [1, 1, 1, 1, 1], [1, 1, 0, 0, 0]],
    "left": [[0, 0, 1, 1, 1], [0, 0, 0, 0, 1], [1, 1, 1, 1, 1], [0, 0, 0, 1, 1]],
    "between": [[0, 1, 0, 1, 0], [1, 0, 0, 0, 1], [0, 0, 1, 0, 0], [1, 1, 0, 1, 1]],
    "none": [[1] * 5] * 4,
}
OVER = {
    "mean": lambda kept: kept.mean(0),
    "max": lambda kept: kept.max(0),
    "last": lambda kept: kept[-1],
    "class": lambda kept: kept[0],
}


def by_hand(tokens, mask, pooling):
    """The obvious loop."""
    if pooling in OVER:
        return np.stack([OVER[pooling](one[row.astype(bool)]) for one, row in zip(tokens, mask, strict=True)])
    found = np.full_like(tokens, np.nan if pooling == "positions" else 0)
    found[mask.astype(bool)] = tokens[mask.astype(bool)]
    return found if pooling == "positions" else found.reshape(len(found), -1)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("kind", [torch.bool, torch.int64, torch.float32])
def test_tokens_are_pooled_over_those_that_count(pooling, side, kind):
    mask = np.array(SIDES[side])
    found = pooled(torch.tensor(TOKENS), pooling, torch.tensor(mask).to(kind))
    np.testing.assert_allclose(found.numpy(), by_hand(TOKENS, mask, pooling), rtol=1e-12)
    if side == "none":
        without = pooled(torch.tensor(TOKENS), pooling)
        np.testing.assert_allclose(without.numpy(), found.numpy(), rtol=1e-12)


def test_what_does_not_count_may_be_anything():
    mask, odd = torch.tensor(SIDES["left"]), torch.tensor(TOKENS)
    odd[mask == 0] = torch.inf
    odd[0, 0] = torch.nan
    for pooling in POOLINGS:
        np.testing.assert_array_equal(pooled(odd, pooling, mask), pooled(torch.tensor(TOKENS), pooling, mask))


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("sides", [(6,), (2, 3), (1, 2, 3)])
def test_maps_are_pooled_over_positions_in_either_order_of_axes(pooling, sides):
    channels_last = DRAW.normal(size=(4, *sides, 3))
    channels_first = np.moveaxis(channels_last, -1, 1)
    expected = by_hand(channels_last.reshape(4, -1, 3), np.ones((4, 6)), pooling)
    letters = "DHW"[-len(sides) :]
    found = pooled(torch.tensor(channels_last), pooling, axes=f"N{letters}C")
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)
    found = pooled(torch.tensor(channels_first), pooling, axes=f"NC{letters}")
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)
    if len(sides) > 1:  # a mask is of tokens, which these are not
        found = pooled(torch.tensor(channels_last), pooling, torch.ones(4, 5), axes=f"N{letters}C")
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)
        # What four axes are unless one says otherwise:
        found = pooled(torch.tensor(channels_first), pooling, mask=torch.ones(4, 5))
        expected = channels_first.reshape(4, -1) if pooling == "flatten" else expected
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


def test_items_may_come_second():
    mask = torch.tensor(SIDES["left"])
    for pooling in POOLINGS:
        found = pooled(torch.tensor(TOKENS).transpose(0, 1), pooling, mask, axes="TNC")
        np.testing.assert_array_equal(found, pooled(torch.tensor(TOKENS), pooling, mask))
    np.testing.assert_array_equal(pooled(torch.tensor(TOKENS[0]), "flatten", axes="CN"), TOKENS[0].T)


def test_units_stay_units():
    flat = torch.tensor(TOKENS[:, 0])
    assert pooled(flat, "flatten") is not None
    np.testing.assert_array_equal(pooled(flat, "flatten", torch.ones(4, 5)), flat)
    np.testing.assert_array_equal(pooled(flat[:, 0], "flatten"), flat[:, :1])
    np.testing.assert_array_equal(pooled(torch.tensor(TOKENS), "flatten"), TOKENS.reshape(4, 15))


def test_what_has_no_positions_is_not_pooled_over_them():
    for pooling in POOLINGS[1:]:
        says = rf"{pooling}\(flat\) needs a map .* or tokens .*, got \(5, 2\)"
        with pytest.raises(ShapeError, match=says):
            pooled(torch.ones(5, 2), pooling, label=f"{pooling}(flat)")


def test_a_mask_of_other_tokens_is_refused():
    for pooling in POOLINGS:
        with pytest.raises(ShapeError, match=r"deep gives 5 positions for 4 items, and the mask is of \(4, 7\); watch"):
            pooled(torch.tensor(TOKENS), pooling, torch.ones(4, 7), "deep")


def test_axes_of_another_number_are_refused():
    with pytest.raises(ShapeError, match=r"maps@NHWC has 4 axes by its name, and gives \(4, 5, 3\)"):
        pooled(torch.tensor(TOKENS), "mean", label="maps@NHWC", axes="NHWC")


@dataclass
class Answer:
    loss: torch.Tensor | None
    hidden: tuple


X, Y = torch.ones(2, 3), torch.zeros(2, 3)


@pytest.mark.parametrize(
    "output",
    [X, (X, Y), [X], {"a": X, "b": Y}, (None, X), (("note", 3, torch.tensor(1.0)), [X, Y]), {"a": {"b": (X,)}},
     OrderedDict(first=X, second=Y), Answer(None, (X, Y)), Answer(torch.tensor(2.0), ([], X))],
)  # fmt: skip
def test_the_first_tensor_with_an_axis_is_found(output):
    assert tensor_in(output, "layer") is X


@pytest.mark.parametrize("output", [None, 3, "tensor", (), {"a": torch.tensor(1.0)}, Answer(None, ()), Answer])
def test_no_tensor_is_refused(output):
    with pytest.raises(ShapeError, match=rf"layer 'deep' gives {type(output).__name__}, in which there is no tensor"):
        tensor_in(output, "deep")
