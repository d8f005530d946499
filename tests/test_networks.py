"""The catalogue's networks: the published table, the published initialisation, and forward passes by hand."""

import re

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from syzygy.errors import SpecificationError, UnknownName
from syzygy.networks import ACTIVATIONS, TYPES, Dropout, catalogue, setting
from syzygy.networks.layers import initialise
from syzygy.recording import watched
from syzygy.seeds import generator

# The settings table as the paper's code prints it: type, activation, gain, learning rate, width, depth, layer.
PUBLISHED = {
    "default": ("mlp", "leaky_relu", 1.0, 0.01, 500, 20, 10),
    "shallow": ("mlp", "leaky_relu", 0.35, 0.02, 500, 2, 1),
    "narrow": ("mlp", "leaky_relu", 1.05, 0.01, 50, 20, 10),
    "linear": ("mlp", "none", 0.85, 0.0025, 500, 20, 10),
    "elu": ("mlp", "elu", 0.95, 0.0009, 500, 20, 10),
    "tanh": ("mlp", "tanh", 0.85, 0.0025, 500, 20, 10),
    "relu": ("mlp", "relu", 1.0, 0.01, 500, 20, 10),
    "swish": ("mlp", "silu", 1.7, 0.005, 500, 20, 10),
    "skip": ("residual", "leaky_relu", 0.1, 0.02, 500, 20, 10),
    "cnn": ("convolutional", "leaky_relu", 0.95, 0.004, 500, 10, 5),
    "dropout": ("dropout", "leaky_relu", 1.0, 0.01, 500, 10, 2),  # published as 5, which counts dropout modules
    "gain_0.9": ("mlp", "leaky_relu", 0.9, 0.03, 500, 20, 10),
    "gain_1.1": ("mlp", "leaky_relu", 1.1, 0.005, 500, 20, 10),
    "gain_1.2": ("mlp", "leaky_relu", 1.2, 0.0025, 500, 20, 10),
    "gain_1.3": ("mlp", "leaky_relu", 1.3, 0.0015, 500, 20, 10),
    "gain_1.4": ("mlp", "leaky_relu", 1.4, 0.0005, 500, 20, 10),
    "gain_1.6": ("mlp", "leaky_relu", 1.6, 3e-6, 500, 20, 10),
    "adam": ("mlp", "leaky_relu", 1.0, 1e-6, 500, 20, 10),
    "two_layer": ("mlp", "none", 0.1, 0.01, 500, 1, 0),
}

#: Rows that the published table lacks.
OWN = {"transformer"}

BY_HAND = {
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "relu": lambda x: np.maximum(x, 0),
    "elu": lambda x: np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1),
    "tanh": np.tanh,
    "silu": lambda x: x / (1 + np.exp(-x)),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "none": lambda x: x,
}

INPUTS = np.random.default_rng(1).normal(size=(5, 3))


def numbered(kind, **changes):
    values = {"name": "n", "type": kind, "activation": "tanh", "gain": 1.0, "learning_rate": 0.1, "steps": 1}
    return setting(values | {"width": 12, "depth": 4, "layer": "hidden.1"} | changes)


def with_biases(network):
    """The network with biases that are not zero, so that forgetting one shows."""
    source = torch.Generator().manual_seed(9)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter, generator=source)
    return network


def maps(network):
    """Weights and biases of the linear maps and convolutions in order."""
    found = [m for m in network.modules() if isinstance(m, nn.Linear | nn.Conv1d)]
    return [(m.weight.detach().numpy(), m.bias.detach().numpy()) for m in found]


def seen(network, inputs=INPUTS):
    """Every hidden layer's output as hooks see it, and the network's."""
    layers = [path for path, _ in network.named_modules() if re.fullmatch(r"hidden\.\d+", path)]
    with watched(network, layers) as found, torch.no_grad():
        outputs = network(torch.as_tensor(inputs)).numpy()
    return [found[layer].numpy() for layer in layers], outputs


def close(ours, by_hand):
    np.testing.assert_allclose(ours, by_hand, rtol=1e-12, atol=1e-13)


# The catalogue


def test_the_catalogue_is_the_published_table():
    rows = {
        name: (r.type, r.activation, r.gain, r.learning_rate, r.width, r.depth, int(r.layer.removeprefix("hidden.")))
        for name, r in catalogue().items()
        if name not in OWN
    }
    assert rows == PUBLISHED
    assert len(rows) == 19
    assert {r.steps for r in catalogue().values()} == {3000}
    assert {name for name, r in catalogue().items() if r.optimiser == "adam"} == {"adam"}
    assert {r.optimiser for r in catalogue().values()} == {"sgd", "adam"}
    assert all(r.name == name and r.about for name, r in catalogue().items())


def test_the_default_network_has_the_published_number_of_parameters():
    row = catalogue()["default"]
    assert row.size(1, 1) == 4_761_001 == (1 + 1) * 500 + 19 * (500 * 500 + 500) + 500 + 1
    assert sum(p.numel() for p in row.build(1, 1, seed=0).parameters()) == 4_761_001


def test_sizes_are_those_of_the_built_networks():
    for name in ("shallow", "narrow", "skip", "cnn", "dropout"):
        small = setting({"like": name, "name": "s", "width": 120, "depth": 3})
        assert small.size(3, 2) == sum(p.numel() for p in small.build(3, 2, seed=0).parameters())
    assert catalogue()["cnn"].size(1, 1) == 1000 + (20 * 11 + 20) + 9 * (20 * 20 * 11 + 20) + (20 * 11 + 1) + 391


def test_every_row_builds_and_has_the_layer_that_it_watches():
    for row in catalogue().values():
        narrow = row.model_copy(update={"width": 120})
        assert row.layer in dict(narrow.build(1, 1, seed=0).named_modules())


def test_matrices_are_those_up_to_the_watched_layer_and_all():
    for name, row in catalogue().items():
        names = [name for name, weight in row.build(3, 2, 0).named_parameters() if name.endswith("weight")]
        inside, total = row.matrices(3, 2)
        assert total == len(names)
        assert names[inside - 1].startswith(f"{row.layer}."), name
        assert not names[inside].startswith(f"{row.layer}."), name
    assert catalogue()["two_layer"].matrices(1, 1) == (1, 2)
    assert catalogue()["default"].matrices(1, 1) == (11, 21)
    first, last = (catalogue()["narrow"].model_copy(update={"layer": layer}) for layer in ("hidden.0", "readout"))
    assert first.matrices(5, 1) == (1, 21)
    assert last.matrices(5, 1) == (21, 21)


def test_operations_count_a_convolutions_weights_at_every_position():
    narrow = setting({"like": "narrow", "name": "x"})
    assert narrow.operations(1, 1) == narrow.size(1, 1)
    small = setting({"like": "cnn", "name": "x", "width": 60, "depth": 2, "layer": "hidden.1"})
    assert small.operations(1, 1) == 120 + (220 + 20) * 50 + (4400 + 20) * 40 + (220 + 1) * 30 + 31


def test_a_row_can_be_changed_by_likeness():
    wider = setting({"like": "default", "name": "wider", "width": 1000})
    assert wider.model_dump() == catalogue()["default"].model_dump() | {"name": "wider", "width": 1000}
    assert catalogue()["default"].width == 500
    assert setting("tanh") is catalogue()["tanh"]


def test_unknown_names_are_refused_with_the_near_ones():
    with pytest.raises(UnknownName, match=r"unknown network 'defualt'; did you mean default.* known: default, shallow"):
        setting("defualt")
    with pytest.raises(UnknownName, match=r"unknown network 'shalow'; did you mean shallow"):
        setting({"like": "shalow"})
    with pytest.raises(UnknownName, match=r"unknown network '5'; known: default"):
        setting({"like": 5})
    with pytest.raises(UnknownName, match=r"unknown network type 'mpl'; did you mean mlp\?"):
        setting({"like": "default", "type": "mpl"})
    with pytest.raises(UnknownName, match=r"unknown activation 'leaky_rleu'; did you mean leaky_relu\?"):
        setting({"like": "default", "activation": "leaky_rleu"})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("gain", 0),
        ("gain", -1.0),
        ("gain", float("nan")),
        ("learning_rate", 0),
        ("learning_rate", float("inf")),
        ("width", 0),
        ("width", 2.5),
        ("depth", 0),
        ("steps", 0),
        ("optimiser", "adamw"),
        ("name", "a/b"),
        ("name", ""),
        ("name", "../up"),
        ("momentum", 0.9),
    ],
)
def test_values_out_of_range_and_unknown_keys_are_refused_by_name(key, value):
    with pytest.raises(ValidationError, match=key):
        setting({"like": "default", key: value})


def test_a_setting_from_nothing_needs_its_values():
    with pytest.raises(ValidationError, match="learning_rate"):
        setting({"name": "x", "type": "mlp"})


def test_a_setting_cannot_change():
    with pytest.raises(ValidationError, match="frozen"):
        catalogue()["default"].width = 3


# Initial weights


@pytest.mark.parametrize("gain", [0.35, 1.0, 1.7])
def test_weights_have_xaviers_deviation_and_biases_are_zero(gain):
    linear = setting({"like": "default", "name": "x", "depth": 3, "width": 300}).build(20, 5, seed=1, gain=gain)
    conv = setting({"like": "cnn", "name": "x", "width": 60, "depth": 3}).build(20, 5, seed=1, gain=gain)
    for module in [*linear.modules(), *conv.modules()]:
        if isinstance(module, nn.Linear | nn.Conv1d):
            taps = module.kernel_size[0] if isinstance(module, nn.Conv1d) else 1
            expected = gain * np.sqrt(2 / (taps * (module.weight.shape[0] + module.weight.shape[1])))
            weights = module.weight.detach().numpy()
            # The deviation of N normal numbers scatters by 1/sqrt(2N); their mean by 1/sqrt(N).
            assert weights.std() == pytest.approx(expected, rel=4.5 / np.sqrt(2 * weights.size))
            assert abs(weights.mean()) < 4.5 * expected / np.sqrt(weights.size)
            assert (module.bias == 0).all()


def test_weights_are_normal_and_not_uniform():
    weights = setting("two_layer").build(400, 1, seed=0).hidden[0].linear.weight.detach().numpy()
    scaled = weights.ravel() / weights.std()
    assert (scaled**4).mean() == pytest.approx(3, abs=5 * np.sqrt(96 / scaled.size))  # uniform: 1.8


def test_maps_without_a_bias_are_initialised_too():
    network = nn.Linear(300, 300, bias=False)
    initialise(network, 2.0, generator(0, "weights"))
    assert float(network.weight.detach().std()) == pytest.approx(2 * np.sqrt(1 / 300), rel=0.02)


@pytest.mark.parametrize("kind", TYPES)
def test_one_seed_means_the_same_weights_whatever_happened_before(kind):
    row = numbered(kind, width=80)
    first = row.build(3, 2, seed=5)
    torch.rand(7)
    row.build(3, 2, seed=6)
    again, other = row.build(3, 2, seed=5), row.build(3, 2, seed=6)
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name])
        if name.endswith("weight"):
            assert not torch.equal(weight, other.state_dict()[name])
    assert all(weight.dtype == torch.float64 for weight in first.state_dict().values())


def test_gain_scales_the_weights_of_a_seed_and_nothing_else():
    row = numbered("mlp")
    one, two = row.build(3, 2, seed=5), row.build(3, 2, seed=5, gain=2.0)
    for (a, _), (b, _) in zip(maps(one), maps(two), strict=True):
        np.testing.assert_allclose(2 * a, b, rtol=1e-14)


def test_activations_that_differ_get_the_same_weights():
    one, two = (numbered("mlp", activation=name).build(3, 2, seed=5) for name in ("relu", "tanh"))
    for (a, _), (b, _) in zip(maps(one), maps(two), strict=True):
        np.testing.assert_array_equal(a, b)


# Forward passes by hand


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_perceptron_is_its_definition_and_layers_come_after_their_activation(activation):
    network = with_biases(numbered("mlp", activation=activation).build(3, 2, seed=2))
    layers, outputs = seen(network)
    *hidden, (w, b) = maps(network)
    a, f = INPUTS, BY_HAND[activation]
    assert len(layers) == len(hidden) == 4
    for (weight, bias), layer in zip(hidden, layers, strict=True):
        a = f(a @ weight.T + bias)
        close(layer, a)
    close(outputs, a @ w.T + b)


@pytest.mark.parametrize("depth", [1, 2, 3, 7])
def test_the_residual_network_adds_the_layer_before_the_last(depth):
    network = with_biases(numbered("residual", depth=depth).build(3, 2, seed=2))
    layers, outputs = seen(network)
    *hidden, (w, b) = maps(network)
    a = []
    for n, (weight, bias) in enumerate(hidden):
        a.append(np.tanh((a[-1] if n else INPUTS) @ weight.T + bias) + (a[n - 2] if n >= 2 else 0))
        close(layers[n], a[n])
    close(outputs, a[-1] @ w.T + b)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_the_convolutional_network_is_its_definition_by_explicit_loops(depth):
    network = with_biases(numbered("convolutional", width=10 * (depth + 1) + 3, depth=depth).build(3, 2, seed=2))
    layers, outputs = seen(network, INPUTS[:2])
    (w, b), *convolutions, (w_out, b_out) = maps(network)
    shapes = [weight.shape for weight, _ in convolutions]
    assert shapes == [(20, 1, 11)] + [(20, 20, 11)] * (depth - 1) + [(1, 20, 11)]
    for item, x in enumerate(INPUTS[:2]):
        row = np.tanh(w @ x + b)[None]
        close(layers[0][item], row[0])
        for n, (weight, bias) in enumerate(convolutions):
            after = np.empty((len(weight), row.shape[1] - 10))
            for channel, place in np.ndindex(*after.shape):
                after[channel, place] = (weight[channel] * row[:, place : place + 11]).sum() + bias[channel]
            row = np.tanh(after)
            close(layers[n + 1][item], row.ravel())
        assert row.shape == (1, 3)
        close(outputs[item], w_out @ row[0] + b_out)


@pytest.mark.parametrize("depth", [1, 3, 10, 40])
def test_the_convolutional_network_runs_at_every_depth_that_its_width_allows(depth):
    network = TYPES["convolutional"](1, 1, width=500, depth=depth, activation="leaky_relu")
    assert network(torch.ones(2, 1)).shape == (2, 1)
    assert network.readout.in_features == 500 - 10 * (depth + 1)
    assert len(network.hidden) == depth + 2


@pytest.mark.parametrize(
    ("width", "depth", "least", "allows"), [(500, 49, 501, 48), (110, 10, 111, 9), (60, 9, 101, 4)]
)
def test_a_width_that_does_not_allow_the_depth_is_refused_with_what_would(width, depth, least, allows):
    says = f"of depth {depth} needs a width of at least {least}, got {width}; this width allows {allows}"
    with pytest.raises(SpecificationError, match=says):
        numbered("convolutional", width=width, depth=depth).build(1, 1, seed=0)
    for w, d in ((least, depth), (width, allows)):
        assert TYPES["convolutional"](1, 1, width=w, depth=d, activation="relu")(torch.ones(1, 1)).shape == (1, 1)


def test_dropout_masks_before_every_map_in_training_and_does_nothing_in_evaluation():
    network = with_biases(numbered("dropout").build(3, 2, seed=2))
    plain = with_biases(numbered("mlp").build(3, 2, seed=2))
    network.eval()
    for ours, theirs in zip(seen(network)[0], seen(plain)[0], strict=True):
        close(ours, theirs)
    close(seen(network)[1], seen(plain)[1])

    network.train()
    masked = [m for m in network.modules() if isinstance(m, Dropout)]
    assert [m.mask.shape[-1] for m in masked] == [3, 12, 12, 12, 12]
    assert [m.p for m in masked] == [0.1] * 5
    source = generator(3, "noise", 0)
    for module in masked:
        module.mask = module.draw(5, source)
    layers, outputs = seen(network)
    *hidden, (w, b) = maps(network)
    a = INPUTS
    for module, (weight, bias), layer in zip(masked, hidden, layers, strict=False):
        a = np.tanh((a * module.mask.numpy()) @ weight.T + bias)
        close(layer, a)
    close(outputs, (a * masked[-1].mask.numpy()) @ w.T + b)
    network.eval()
    close(seen(network)[1], seen(plain)[1])


def test_a_mask_drops_one_in_ten_and_scales_the_others_up():
    module = Dropout(100, 0.1)
    mask = module.draw(1000, generator(0, "noise")).numpy()
    assert mask.shape == (1000, 100)
    assert sorted(set(mask.ravel().tolist())) == pytest.approx([0, 1 / 0.9])
    assert (mask == 0).mean() == pytest.approx(0.1, abs=4.5 * np.sqrt(0.09 / mask.size))
    assert mask.mean() == pytest.approx(1, abs=0.005)
    again, other = (module.draw(1000, generator(0, "noise", step)).numpy() for step in (0, 1))
    np.testing.assert_array_equal(mask, again)
    assert (mask != other).any()


def test_masks_of_one_seed_are_the_same_in_both_precisions():
    single, double = Dropout(50, 0.1), Dropout(50, 0.1).double()
    a, b = (module.draw(20, generator(1, "noise")) for module in (single, double))
    assert (a.dtype, b.dtype) == (torch.float32, torch.float64)
    assert ((a == 0) == (b == 0)).all()


@pytest.mark.parametrize("kind", TYPES)
def test_inputs_of_more_axes_are_flattened(kind):
    network = numbered(kind, width=80).build(6, 2, seed=0).eval()
    pictures = torch.as_tensor(np.random.default_rng(0).normal(size=(4, 2, 3)))
    assert torch.equal(network(pictures), network(pictures.reshape(4, 6)))


@pytest.mark.parametrize("kind", TYPES)
def test_float32_is_float64_but_for_rounding(kind):
    row = numbered(kind, width=80)
    double, single = row.build(3, 2, seed=4).eval(), row.build(3, 2, seed=4).float().eval()
    for name, weight in double.state_dict().items():
        assert torch.equal(weight.float(), single.state_dict()[name])
    with torch.no_grad():
        wide, narrow = double(torch.as_tensor(INPUTS)), single(torch.as_tensor(INPUTS).float())
    assert float((wide - narrow).abs().max()) < 1e-5 * float(wide.abs().max())
