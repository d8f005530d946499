"""One look at a network: it sees what a forward pass gives, says what it cannot see, and leaves no trace."""

import copy
import random
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from syzygy.errors import DataError, ShapeError, SpecificationError, UnknownName
from syzygy.recording import Layer, Probe, layers_of, look, watched

SIDE = 6


class Small(nn.Module):
    """Batch norm (one of them frozen), dropout as a module and by function, and two writes in place."""

    def __init__(self):
        super().__init__()
        self.maps, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
        self.frozen = nn.BatchNorm1d(4)
        self.noise, self.act = nn.Dropout(0.5), nn.ReLU(inplace=True)
        self.readout = nn.Linear(4, 2)
        self.frozen.eval()
        self.frozen.weight.requires_grad_(False)

    def forward(self, x):
        x -= 0.5  # into what it was given
        x = self.act(self.norm(self.maps(x)))
        x = self.frozen(self.noise(x.mean((2, 3))))
        return self.readout(functional.dropout(x, 0.2, self.training))


def small(seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Small()


def pictures(items=5, seed=1):
    return torch.randn(items, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def hooks(network):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in network.modules())


def state(network):
    """Everything of a network that a look could disturb."""
    modules = [(path, m.training, sorted(vars(m))) for path, m in network.named_modules()]
    weights = [(n, p.requires_grad, None if p.grad is None else p.grad.tolist()) for n, p in network.named_parameters()]
    return modules, weights, hooks(network), {name: value.tolist() for name, value in network.state_dict().items()}


def seen_by(network, names, probe=None):
    return look(network, Probe.of(pictures()) if probe is None else probe, layers_of(network, names))


# It sees what there is


def test_it_sees_what_a_forward_pass_in_evaluation_gives_before_anything_is_written_into_it():
    network = small()
    network.norm.running_mean.add_(0.3)
    x = pictures()
    found = seen_by(network, ["maps", "norm", "mean(norm)", "positions(act)", "noise", "readout", "output"])
    frozen = copy.deepcopy(network).eval()
    with torch.no_grad():
        maps = frozen.maps(x - 0.5)
        norm = frozen.norm(maps)
        act = norm.relu()
        out = frozen.readout(frozen.frozen(act.mean((2, 3))))
    assert (norm < 0).any()  # the rest writes zeros over these
    expected = {
        "maps": maps.flatten(1), "norm": norm.flatten(1), "mean(norm)": norm.mean((2, 3)),
        "positions(act)": act.flatten(2).transpose(1, 2), "noise": act.mean((2, 3)), "readout": out, "output": out,
    }  # fmt: skip
    assert list(found.layers) == list(expected)
    for name, value in expected.items():
        assert found.layers[name].dtype == np.float32
        np.testing.assert_array_equal(found.layers[name], value.numpy())
    np.testing.assert_array_equal(found.outputs, out.numpy())


def test_what_it_gives_is_its_own():
    network, probe = small().eval(), Probe.of(pictures())
    first = seen_by(network, ["readout", "maps"], probe)
    before = {name: value.copy() for name, value in first.layers.items()}
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(1)
    second = seen_by(network, ["readout", "maps"], probe)
    for name, value in before.items():
        np.testing.assert_array_equal(first.layers[name], value)
        assert not np.shares_memory(first.layers[name], second.layers[name])
    assert not np.shares_memory(first.outputs, first.layers["readout"])


def test_a_probe_in_batches_gives_the_same():
    network, probe = small(), Probe.of(pictures(7))
    layers = layers_of(network, ["mean(maps)", "positions(act)", "readout"])
    whole, parts = look(network, probe, layers), [look(network, part, layers) for _, part in probe.batches(3)]
    for name, value in whole.layers.items():
        np.testing.assert_allclose(np.concatenate([part.layers[name] for part in parts]), value, rtol=1e-5, atol=1e-6)


class Twice(nn.Module):
    """One module called twice, another in two places, and one that nobody calls."""

    def __init__(self):
        super().__init__()
        self.cell, self.idle = nn.Linear(3, 3), nn.Linear(3, 3)
        self.first = self.last = nn.Linear(3, 3)

    def forward(self, x):
        return self.last(self.cell(torch.tanh(self.cell(self.first(x)))))


def test_every_call_of_a_module_is_a_layer():
    network, x = Twice(), torch.randn(4, 3)
    found = seen_by(network, ["cell", "first"], Probe.of(x)).layers
    first = network.first(x)
    cell = network.cell(first)
    calls = {"cell#1": cell, "cell#2": network.cell(cell.tanh()), "first#1": first}
    calls["first#2"] = network.last(calls["cell#2"])
    assert list(found) == list(calls)
    for name, value in calls.items():
        np.testing.assert_array_equal(found[name], value.detach().numpy())
    only = seen_by(network, ["cell#2", "last#1"], Probe.of(x)).layers
    assert list(only) == ["cell#2", "last#1"]
    np.testing.assert_array_equal(only["cell#2"], found["cell#2"])
    np.testing.assert_array_equal(only["last#1"], found["first#1"])


def test_a_call_that_is_not_asked_for_may_give_anything():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.part = nn.Identity()

        def forward(self, x):
            self.part("words")
            return self.part(x)

    x = torch.randn(4, 3)
    np.testing.assert_array_equal(seen_by(Odd(), ["part#2"], Probe.of(x)).layers["part#2"], x)
    with pytest.raises(ShapeError, match="layer 'part' gives str, in which there is no tensor"):
        seen_by(Odd(), ["part"], Probe.of(x))


@dataclass
class Answer:
    loss: torch.Tensor
    hidden: torch.Tensor
    logits: torch.Tensor


class Gives(nn.Module):
    def __init__(self, give):
        super().__init__()
        self.part, self.give = nn.Identity(), give

    def forward(self, *args, **kwargs):
        return self.part(self.give(*args, **kwargs))


X, TOKENS = torch.randn(4, 3), torch.randn(4, 5, 3)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (X, X), (X[:, 0], X[:, :1]), ((X, TOKENS), X), ({"a": X}, X), (Answer(torch.tensor(1.0), TOKENS, X), X),
        (TOKENS, X[:, :0]), ("words", X[:, :0]), (X[:2], X[:, :0]), (X > 0, X > 0), (X.double(), X), (X + 0j, X[:, :0]),
    ],
)  # fmt: skip
def test_outputs_are_one_row_of_numbers_per_item_or_none(output, expected):
    found = look(Gives(lambda _: output), Probe.of(X), []).outputs
    assert found.dtype == np.float32
    assert not np.shares_memory(found, X.numpy())
    np.testing.assert_array_equal(found, expected.numpy())


def test_inputs_come_in_order_or_by_name_and_a_mask_pools():
    mask = torch.tensor([[0, 1, 1, 1, 1], [0, 0, 0, 0, 1], [1] * 5, [0, 0, 1, 1, 1]])
    network = Gives(lambda tokens, attention_mask, scale=1: (tokens * attention_mask[..., None] * scale,))
    by_name = Probe.of({"tokens": TOKENS, "attention_mask": mask, "scale": 2})
    in_order = Probe.of((TOKENS, mask, 2), mask=mask)
    for probe in (by_name, in_order):
        found = look(network, probe, [Layer("part", "mean"), Layer("part", "positions"), Layer("part", "class")]).layers
        counted = mask.bool()
        expected = torch.stack([2 * one[row].mean(0) for one, row in zip(TOKENS, counted, strict=True)])
        np.testing.assert_allclose(found["mean(part)"], expected, rtol=1e-5, atol=1e-6)
        assert (np.isfinite(found["positions(part)"]).all(-1) == counted.numpy()).all()
        np.testing.assert_array_equal(found["class(part)"][0], 2 * TOKENS[0, 1])


def test_maps_with_channels_last_and_items_second_are_told_by_name():
    maps, series = torch.randn(4, 2, 2, 3), torch.randn(5, 4, 3)
    found = look(Gives(lambda _: maps), Probe.of(X), [Layer.parse("mean(part@NHWC)")]).layers["mean(part@NHWC)"]
    np.testing.assert_allclose(found, maps.mean((1, 2)), rtol=1e-5, atol=1e-6)
    found = look(Gives(lambda _: (series,)), Probe.of(X), [Layer.parse("last(part@TNC)")]).layers["last(part@TNC)"]
    np.testing.assert_array_equal(found, series[-1])


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64])
def test_a_probe_is_brought_to_the_precision_of_the_weights(kind):
    plain = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
    network, probe = copy.deepcopy(plain).to(kind), Probe.of(X)
    found = seen_by(network, ["*"], probe)
    with torch.no_grad():
        np.testing.assert_array_equal(found.layers["1"], network(X.to(kind)).float())
        np.testing.assert_allclose(found.layers["1"], plain(X), atol=2e-2)
    mixed = nn.Sequential(nn.LayerNorm(3), Gives(lambda x: x.to(kind)), copy.deepcopy(network))
    np.testing.assert_array_equal(seen_by(mixed, ["0"], probe).layers["0"], mixed[0](X).detach())
    assert probe.inputs.dtype == torch.float32


def test_means_of_half_precision_are_taken_in_full():
    large = torch.full((4, 3000, 2), 60000.0).half()  # their sum is not one of its numbers
    found = look(Gives(lambda _: large), Probe.of(X, mask=torch.ones(4, 3000)), [Layer("part", "mean")])
    np.testing.assert_allclose(found.layers["mean(part)"], float(large[0, 0, 0]))


def test_the_parts_of_a_fused_encoder_are_seen():
    block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    network = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
    names = ["layers.*", "mean(layers.1.self_attn)", "layers.0.linear1"]
    tokens = torch.randn(4, 5, 8)
    found = seen_by(network, names, Probe.of(tokens)).layers
    assert found["layers.0.linear1"].shape == (4, 5 * 16)
    assert torch.backends.mha.get_fastpath_enabled()
    with torch.no_grad():
        np.testing.assert_allclose(found["layers.1"], network.eval()(tokens).flatten(1), rtol=1e-3, atol=1e-5)


# It leaves no trace


def learn(looks=0, ambient=None, seed=0):
    """Train a few steps; look at any moment of a step that a loop could choose, inside and outside of autocast."""
    network, probe, start = small(seed), Probe.of(pictures(seed=9)), pictures(seed=9)
    layers = layers_of(network, ["**", "mean(maps)"])
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)

    def see():
        for _ in range(looks):
            look(network, probe, layers)

    torch.manual_seed(5)
    random.seed(5)
    for step in range(4):
        network.maps.train(step % 2 == 0)  # one of them in another mode
        x, y = pictures(8, seed=step), torch.randn(8, 2)
        see()
        with torch.autocast("cpu", torch.bfloat16, enabled=ambient == "autocast"):
            see()
            outputs = network(x.clone())
            see()
            loss = functional.mse_loss(outputs.float(), y + random.random())
        optimiser.zero_grad()
        see()
        loss.backward()
        see()
        optimiser.step()
    assert torch.equal(probe.inputs, start)
    return state(network), torch.get_rng_state().tolist(), random.getstate(), loss.item()


@pytest.mark.parametrize("ambient", [None, "autocast"])
def test_training_learns_the_same_numbers_if_it_is_looked_at(ambient):
    assert learn(2, ambient) == learn(0, ambient)
    assert learn(0, ambient) != learn(0, ambient, seed=1)


def test_gradients_flow_in_autocast_after_a_look():
    network, probe = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1)), Probe.of(X)
    with torch.autocast("cpu", torch.bfloat16):
        seen_by(network, ["*"], probe)
        loss = network(X).float().sum()
        assert torch.is_autocast_cache_enabled()
    loss.backward()  # weights that were cast without gradients would be used again here
    assert all(weight.grad is not None for weight in network.parameters())


def test_nothing_is_fused_or_cached_while_it_looks():
    """Releases of PyTorch differ in what else keeps parts from being fused, and casts without gradients from use."""
    inside = []

    def note(x):
        inside.extend([torch.is_autocast_cache_enabled(), torch.backends.mha.get_fastpath_enabled()])
        inside.extend([torch.is_grad_enabled(), torch.is_inference_mode_enabled()])
        return x

    with torch.inference_mode():
        look(Gives(note), Probe.of(X), [])
        assert torch.is_inference_mode_enabled()
    assert inside == [False] * 4
    assert torch.is_autocast_cache_enabled()
    assert torch.backends.mha.get_fastpath_enabled()


def test_it_computes_as_where_it_is_called():
    network, probe = nn.Sequential(nn.Linear(3, 3), nn.Tanh()), Probe.of(X)
    plain = seen_by(network, ["*"], probe).layers["1"]
    with torch.autocast("cpu", torch.bfloat16):
        rounded = seen_by(network, ["*"], probe).layers["1"]
        again = network(X).float().detach().numpy()
    np.testing.assert_array_equal(rounded, again)
    assert 0 < np.abs(rounded - plain).max() < 0.02
    for ambient in (torch.no_grad, torch.inference_mode, torch.enable_grad):
        with ambient():
            np.testing.assert_array_equal(seen_by(network, ["*"], probe).layers["1"], plain)
    with torch.inference_mode():
        inside = Probe.of(X + 0)
    np.testing.assert_array_equal(seen_by(network, ["*"], inside).layers["1"], plain)


def test_what_a_network_keeps_for_later_can_be_trained_with():
    class Caching(nn.Module):
        def __init__(self):
            super().__init__()
            self.part, self.kept = nn.Linear(3, 1), None

        def forward(self, x):
            if self.kept is None:
                self.kept = torch.ones(3)
            return self.part(x * self.kept)

    network = Caching()
    with torch.inference_mode():
        seen_by(network, ["part"], Probe.of(X))
    network(X.clone().requires_grad_()).sum().backward()
    assert not network.kept.is_inference()


def test_networks_that_draw_numbers_while_they_are_evaluated_draw_the_same_later():
    def drawn(_):
        return torch.rand(4, 3) + random.random() + torch.from_numpy(np.random.rand(4, 3)).float()  # noqa: NPY002

    network = Gives(drawn)
    torch.manual_seed(1), random.seed(1), np.random.seed(1)  # noqa: NPY002
    expected = network(X)
    torch.manual_seed(1), random.seed(1), np.random.seed(1)  # noqa: NPY002
    seen = look(network, Probe.of(X), [Layer("part")]).layers["part"]
    np.testing.assert_array_equal(seen, network(X))
    np.testing.assert_array_equal(seen, expected)


class Breaks(Exception):
    """Of a network."""


@pytest.mark.parametrize("error", [Breaks, KeyboardInterrupt])
def test_everything_is_put_back_if_the_network_raises(error):
    def breaking(_):
        raise error

    network = nn.Sequential(small(), Gives(breaking))
    torch.manual_seed(3)
    before, numbers = state(network), torch.get_rng_state()
    with pytest.raises(error):
        seen_by(network, ["**"])
    assert state(network) == before
    assert hooks(network) == 0
    assert torch.equal(torch.get_rng_state(), numbers)
    assert torch.is_grad_enabled()
    assert torch.backends.mha.get_fastpath_enabled()
    with pytest.raises(ShapeError):
        seen_by(small(), ["mean(readout)"])
    with pytest.raises(UnknownName):
        look(network, Probe.of(pictures()), [Layer("0.maps"), Layer("0.map")])
    with pytest.raises(UnknownName), watched(network, ["0.maps", "0.map"]):
        pass
    assert hooks(network) == 0


def test_others_hooks_stay():
    network, calls = small(), []
    handle = network.maps.register_forward_hook(lambda *_: calls.append(1))
    seen_by(network, ["maps"])
    assert (hooks(network), len(calls)) == (1, 1)
    handle.remove()


# Wrappers


def test_a_wrapper_is_not_called():
    class Costly(nn.DataParallel):
        def forward(self, *_):
            raise Breaks

    assert seen_by(Costly(small()), ["readout"]).layers["readout"].shape == (5, 2)


def test_a_look_goes_inside_of_data_parallel():
    network, inner = small(), small()
    inner.maps = nn.DataParallel(inner.maps)
    expected = seen_by(network, ["**", "output"])
    for wrapped in (nn.DataParallel(small()), inner, nn.DataParallel(nn.DataParallel(small()))):
        found = seen_by(wrapped, ["**", "output"])
        assert list(found.layers) == list(expected.layers)
        for name, value in expected.layers.items():
            np.testing.assert_array_equal(found.layers[name], value)
        assert hooks(wrapped) == 0


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of the compiler's
def test_a_look_goes_inside_of_compiled_networks_and_nothing_is_compiled_again():
    compiled = []

    def backend(graph, _):
        compiled.append(graph)
        return graph.forward

    class Body(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(3, 3)

        def forward(self, x):
            return torch.tanh(self.inner(x))

    class Nested(nn.Module):
        def __init__(self, ways):
            super().__init__()
            self.body, self.readout = Body(), nn.Linear(3, 1)
            if ways == "part":
                self.body = torch.compile(self.body, backend=backend)
            if ways == "part in place":
                self.body.compile(backend=backend)

        def forward(self, x):
            return self.readout(self.body(x))

    def made(ways):
        torch.manual_seed(0)
        network = Nested(ways)
        if ways == "in place":
            network.compile(backend=backend)
        return torch.compile(network, backend=backend) if ways == "whole" else network

    probe, names = Probe.of(X), ["**", "output"]
    expected = seen_by(made("no"), names, probe)
    for ways in ("whole", "in place", "part", "part in place"):
        torch._dynamo.reset()
        network = made(ways)
        network(X).sum().backward()
        before = len(compiled)
        assert before, ways
        found = seen_by(network, names, probe)
        assert list(found.layers) == list(expected.layers)
        for name, value in expected.layers.items():
            np.testing.assert_array_equal(found.layers[name], value)
        network(X).sum().backward()
        assert len(compiled) == before
        compiled.clear()
    torch._dynamo.reset()


# What it cannot see, it says


def test_a_layer_that_never_fires_is_refused():
    probe = Probe.of(torch.randn(4, 3))
    with pytest.raises(
        DataError, match=r"layer 'idle' was called never while the network saw the probe.*watch a module"
    ):
        seen_by(Twice(), ["cell", "idle"], probe)
    with pytest.raises(DataError, match="layer 'cell#3' was called 2 times while"):
        seen_by(Twice(), ["cell#3"], probe)
    with pytest.raises(DataError, match="layer 'output#2' was called once while"):
        seen_by(Twice(), ["output#2"], probe)


def test_a_layer_of_other_items_is_refused():
    for odd, shape in ((TOKENS.transpose(0, 1), r"\(5, 4, 3\)"), (X[:3], r"\(3, 3\)")):
        network = Gives(lambda _, odd=odd: odd)
        with pytest.raises(ShapeError, match=rf"layer 'part' gives {shape} for 4 items; its first .* as in part@TNC"):
            seen_by(network, ["part"], Probe.of(X))


def test_numbers_that_are_not_real_are_refused():
    with pytest.raises(DataError, match="layer 'part' gives complex numbers"):
        seen_by(Gives(lambda _: X + 1j), ["part"], Probe.of(X))


def test_a_probe_on_another_device_is_refused():
    network = nn.Linear(3, 1)
    with pytest.raises(DataError, match=r"the probe is on meta, the network on cpu; move the probe: \.to\('cpu'\)"):
        look(network, Probe.of(X.to("meta")), [Layer("output")])
    with pytest.raises(DataError, match="the probe is on meta"):
        look(network, Probe.of({"x": X, "mask": torch.ones(4, 3, device="meta")}), [])
    network = network.to("meta")
    with pytest.raises(DataError, match="the network is on device meta, where weights have no numbers; load them"):
        look(network, Probe.of(X), [Layer("output")])


def test_a_network_without_shapes_is_refused_and_stays_so():
    network = nn.Sequential(nn.LazyLinear(3))
    with pytest.raises(DataError, match="lazy layers without a shape yet; call it once"):
        look(network, Probe.of(X), [Layer("0")])
    assert network[0].has_uninitialized_params()


def test_a_single_call_is_not_for_training():
    network = Twice()
    with (
        pytest.raises(
            SpecificationError, match="the last call of a layer is kept in training; watch 'cell', not 'cell#2'"
        ),
        watched(network, ["cell#2"]),
    ):
        pass
    with watched(network, ["cell"]) as seen:
        network(X)
    expected = network.cell(torch.tanh(network.cell(network.first(X))))
    torch.testing.assert_close(seen["cell"], expected)
    assert seen["cell"].requires_grad
