"""Architectures that others publish, with random weights at small size: blocks by pattern, masks, channels last."""

import numpy as np
import pytest
import torch

from syzygy.recording import Probe, layers_of, look

pytestmark = pytest.mark.slow  # to import these libraries takes its time


def test_blocks_of_a_language_model_are_pooled_over_its_tokens(timm):  # which makes torchvision ready to be imported
    transformers = pytest.importorskip("transformers")
    sizes = {"vocab_size": 30, "hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 12}
    network = transformers.BertForSequenceClassification(
        transformers.BertConfig(num_hidden_layers=3, max_position_embeddings=10, **sizes)
    )
    ids = torch.randint(0, 30, (4, 6))
    mask = torch.tensor([[1] * 6, [1] * 4 + [0] * 2, [1] * 2 + [0] * 4, [1] * 5 + [0]])
    probe = Probe.of({"input_ids": ids, "attention_mask": mask, "output_hidden_states": True})
    layers = layers_of(
        network, ["mean(bert.encoder.layer.*)", "positions(bert.embeddings)", "class(**.layer.2.output)"]
    )
    assert len(layers) == 5
    found = look(network, probe, layers)
    assert network.training
    with torch.no_grad():
        expected = network.eval()(**probe.inputs)
    np.testing.assert_allclose(found.outputs, expected.logits, atol=1e-6)
    for block, hidden in enumerate(expected.hidden_states[1:]):
        means = [one[row.bool()].mean(0) for one, row in zip(hidden, mask, strict=True)]
        np.testing.assert_allclose(
            found.layers[f"mean(bert.encoder.layer.{block})"], torch.stack(means), rtol=1e-4, atol=1e-5
        )
    np.testing.assert_allclose(
        found.layers["class(bert.encoder.layer.2.output)"], expected.hidden_states[-1][:, 0], rtol=1e-4, atol=1e-5
    )
    assert (np.isfinite(found.layers["positions(bert.embeddings)"]).all(-1) == mask.bool().numpy()).all()


def test_channels_last_are_told_by_name(timm):
    network = timm.create_model(
        "swin_tiny_patch4_window7_224",
        img_size=32,
        window_size=4,
        embed_dim=8,
        depths=(1, 1),
        num_heads=(1, 1),
        num_classes=3,
    )
    images = torch.randn(4, 3, 32, 32)
    found = look(network, Probe.of(images), layers_of(network, ["mean(layers.*@NHWC)", "positions(layers.1@NHWC)"]))
    with torch.no_grad():
        maps = network.eval().forward_features(images)
        logits = network(images)
    assert found.layers["mean(layers.0@NHWC)"].shape == (4, 8)
    assert found.layers["positions(layers.1@NHWC)"].shape == (4, 16, 16)
    normed = network.norm(torch.from_numpy(found.layers["positions(layers.1@NHWC)"])).detach()
    np.testing.assert_allclose(normed, maps.flatten(1, 2), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.outputs, logits, rtol=1e-4, atol=1e-5)
