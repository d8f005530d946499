"""The small vision transformer: its forward pass by hand, by another library, and its patches."""

import numpy as np
import pytest
import torch
from torch import nn

from syzygy.networks import catalogue, setting
from syzygy.networks.transformer import GRID, HEADS, Attention, Transformer, TransformerBlock
from syzygy.recording import every, watched
from syzygy.tasks import digits
from syzygy.training import train

SMALL = {"like": "transformer", "name": "small", "width": 8, "depth": 2}


def small(inputs=64, outputs=3, **changes):
    return setting(SMALL | changes).build(inputs, outputs, seed=0)


def test_attention_is_that_of_another_library():
    ours, x = Attention(12).double(), torch.randn(3, 5, 12, dtype=torch.float64)
    theirs = nn.MultiheadAttention(12, HEADS, batch_first=True).double()
    with torch.no_grad():
        maps = (ours.query, ours.key, ours.value)
        theirs.in_proj_weight.copy_(torch.cat([one.weight for one in maps]))
        theirs.in_proj_bias.copy_(torch.cat([one.bias for one in maps]))
        theirs.out_proj.load_state_dict(ours.out.state_dict())
    torch.testing.assert_close(ours(x), theirs(x, x, x, need_weights=False)[0])


@pytest.mark.parametrize(("width", "heads"), [(8, 4), (6, 2), (7, 1)])
def test_heads_divide_the_width(width, heads):
    assert Attention(width).heads == heads


def test_a_block_is_another_librarys_layer_that_normalises_first():
    ours, x = TransformerBlock(8, "relu").double(), torch.randn(2, 5, 8, dtype=torch.float64)
    theirs = nn.TransformerEncoderLayer(8, HEADS, 16, dropout=0.0, batch_first=True, norm_first=True).double()
    with torch.no_grad():
        attention = ours.attention
        maps = (attention.query, attention.key, attention.value)
        theirs.self_attn.in_proj_weight.copy_(torch.cat([one.weight for one in maps]))
        theirs.self_attn.in_proj_bias.copy_(torch.cat([one.bias for one in maps]))
        theirs.self_attn.out_proj.load_state_dict(attention.out.state_dict())
        theirs.linear1.load_state_dict(ours.perceptron[0].state_dict())
        theirs.linear2.load_state_dict(ours.perceptron[2].state_dict())
    torch.testing.assert_close(ours(x), theirs.train()(x))


@pytest.mark.parametrize(("inputs", "channels", "side"), [(64, 1, 8), (784, 1, 28), (3 * 64, 3, 8), (16, 1, 4)])
def test_patches_are_squares_of_the_image(inputs, channels, side):
    network, size = Transformer(inputs, 2, width=8, depth=1, activation="relu"), side // GRID
    image = torch.arange(2.0 * inputs).reshape(2, channels, side, side)
    patches = network.patches(image)
    assert patches.shape == (2, GRID**2, inputs // GRID**2)
    for row in range(GRID):
        for column in range(GRID):
            part = image[:, :, row * size : (row + 1) * size, column * size : (column + 1) * size]
            torch.testing.assert_close(patches[:, row * GRID + column], part.flatten(1))
    torch.testing.assert_close(network.patches(image.flatten(1)), patches)


@pytest.mark.parametrize("inputs", [1, 3, 10, 49, 100 - 1, 75])
def test_of_what_is_no_image_every_number_is_a_token(inputs):
    network = Transformer(inputs, 2, width=8, depth=1, activation="relu")
    assert network.patches(torch.zeros(5, inputs)).shape == (5, inputs, 1)
    assert network(torch.zeros(5, inputs)).shape == (5, 2)


def test_a_place_tells_patches_apart():
    """Without places the mean over tokens would not see their order."""
    network, x = small(), torch.randn(4, 64, dtype=torch.float64)
    turned = x.reshape(4, 8, 8).flip(1).reshape(4, 64)
    with torch.no_grad():
        assert not torch.allclose(network(x), network(turned))
        network.place.weight.zero_()
        whole = x.reshape(4, 4, 2, 4, 2).flip(1).reshape(4, 64)  # the same patches in another order
        torch.testing.assert_close(network(x), network(whole))


def test_layers_are_tokens_of_which_the_readout_sees_the_mean():
    network, x = small(), torch.randn(5, 64, dtype=torch.float64)
    with watched(network, ["hidden.1", "mean(hidden.1)"]) as seen, torch.no_grad():
        outputs = network(x)
    tokens = seen["hidden.1"].reshape(5, GRID**2, 8)
    torch.testing.assert_close(seen["mean(hidden.1)"], tokens.mean(1))
    torch.testing.assert_close(outputs, network.readout(network.norm(tokens).mean(1)))


def test_weights_follow_from_the_seed_and_scale_with_the_gain():
    one, two, other = small().state_dict(), small(gain=2.0).state_dict(), setting(SMALL).build(64, 3, 1).state_dict()
    for name, value in one.items():
        assert name.endswith("bias") == bool((value == 0).all())
        torch.testing.assert_close(2 * value, two[name])
        assert name.endswith("bias") or not torch.equal(value, other[name])


def test_operations_count_a_map_once_a_token():
    row = setting(SMALL)
    maps = 4 * (8 * 8 + 8) + 2 * 8 * 16 + 16 + 8
    assert row.operations(64, 3) == GRID**2 * (4 * 8 + 8 + 2 * maps) + GRID**2 * 8 + 8 * 3 + 3
    assert catalogue()["transformer"].layer == "hidden.1"


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_a_stack_learns_what_each_would_alone(optimiser):
    asked = {"seeds": [0, 1], "steps": 3, "batch_size": 20, "record": every(3), "precision": "float64"}
    asked |= {"layers": ["mean(hidden.0)"], "optimiser": optimiser, "learning_rate": 0.01}
    one, two = (train(digits(held_out=True), setting(SMALL), stack=stack, **asked) for stack in (True, False))
    np.testing.assert_allclose(one.loss, two.loss, rtol=1e-7)
    np.testing.assert_allclose(
        one.representation("mean(hidden.0)"), two.representation("mean(hidden.0)"), rtol=1e-5, atol=1e-7
    )
    assert one.loss[0, -1] < one.loss[0, 0]
