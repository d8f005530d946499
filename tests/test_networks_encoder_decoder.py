"""The encoder–decoder: what each position may know, and its size."""

import pytest
import torch

from syzygy.errors import SpecificationError
from syzygy.networks.encoder_decoder import EncoderDecoder


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return EncoderDecoder(9, 7, longest=(6, 8), width=16, depth=2, heads=4).double()


@pytest.fixture(scope="module")
def asked():
    draw = torch.Generator().manual_seed(1)
    words, before = torch.randint(1, 9, (5, 4), generator=draw), torch.randint(1, 7, (5, 8), generator=draw)
    return words, before


@torch.no_grad()
def test_a_later_action_changes_nothing_earlier(network, asked):
    words, before = asked
    out = network(words, before)
    for position in range(1, before.shape[1]):
        changed = before.clone()
        changed[:, position] = changed[:, position] % 6 + 1
        again = network(words, changed)
        torch.testing.assert_close(again[:, :position], out[:, :position], rtol=0, atol=1e-12)
        assert (again[:, position:] - out[:, position:]).abs().amax(dim=(0, 2)).min() > 1e-6
    torch.testing.assert_close(network(words, before[:, :3]), out[:, :3], rtol=0, atol=1e-12)


@torch.no_grad()
def test_padding_changes_nothing(network, asked):
    words, before = asked
    out, read = network(words, before), network.encode(words)
    longer = torch.cat([words, torch.zeros_like(words[:, :2])], dim=1)
    torch.testing.assert_close(network(longer, before), out, rtol=0, atol=1e-12)
    torch.testing.assert_close(network.encode(longer)[:, :4], read, rtol=0, atol=1e-12)
    mixed = longer.clone()
    mixed[0, 2:] = 0  # another, shorter one beside them
    torch.testing.assert_close(network(mixed, before)[1:], out[1:], rtol=0, atol=1e-12)
    torch.testing.assert_close(network(mixed, before)[0], network(words[:1, :2], before[:1])[0], rtol=0, atol=1e-12)


@torch.no_grad()
def test_every_word_and_its_place_count(network, asked):
    words, before = asked
    out = network(words, before)
    for position in range(words.shape[1]):
        changed = words.clone()
        changed[:, position] = changed[:, position] % 8 + 1
        assert (network(changed, before) - out).abs().max() > 1e-4
        assert (network.encode(changed) - network.encode(words)).abs().amax(dim=(0, 2)).min() > 1e-4  # at all positions
    turned = words.flip(1)
    assert (network.encode(turned).flip(1) - network.encode(words)).abs().max() > 1e-3
    assert (network(words, before.flip(1)) - out.flip(1)).abs().max() > 1e-3


def test_size():
    """Per block, attention has 4 matrices with biases, the perceptron 2; the decoder attends twice."""
    width, attention = 8, 4 * (8 * 8 + 8)
    perceptron, norm = 8 * 16 + 16 + 16 * 8 + 8, 16
    encoder, decoder = attention + perceptron + 2 * norm, 2 * attention + perceptron + 3 * norm
    made = EncoderDecoder(5, 4, longest=(3, 6), width=width, depth=3, heads=2)
    embeddings, readout = (5 + 4 + 3 + 6) * width, (width + 1) * 4
    expected = 3 * (encoder + decoder) + 2 * norm + embeddings + readout
    assert sum(p.numel() for p in made.parameters()) == expected


@pytest.mark.parametrize("asked", [{"heads": 3}, {"width": 0}, {"depth": 0}, {"longest": (0, 3)}])
def test_what_cannot_be_built(asked):
    with pytest.raises(SpecificationError, match="numbers of 1 or more, and heads that divide its width; got width"):
        EncoderDecoder(5, 4, **({"longest": (3, 6), "width": 16} | asked))
