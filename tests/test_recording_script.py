"""TorchScript: what is seen inside of scripted, traced and saved networks is what hooks see in the network itself."""

import io
import warnings
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from syzygy.errors import DataError, UnknownName
from syzygy.recording import Layer, Probe, layers_of, look, script, show

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated:DeprecationWarning")


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.noise, self.act = nn.Linear(4, 4), nn.Dropout(0.5), nn.ReLU(inplace=True)

    def forward(self, x):
        return self.noise(self.act(self.linear(x)))


class Network(nn.Module):
    """Nested blocks, a loop over modules, a module called twice and by a method, a tuple, and a write in place."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Linear(3, 4), nn.BatchNorm1d(4)
        self.body = nn.Sequential(Block(), nn.Sequential(Block(), nn.Tanh()))
        self.several = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])
        self.pair = Pair()
        self.readout = nn.Linear(4, 2)

    def encode(self, x):
        return self.norm(self.stem(x))

    def forward(self, x, shift: float = 0.0):
        x = self.encode(x) + shift
        for one in self.several:
            x = one(x)
        x = self.body(x) + self.several[1](x)
        return {"logits": self.readout(self.pair(x)[0])}


class Pair(nn.Module):
    def forward(self, x):
        return 2 * x, -x


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.part, self.readout = nn.Linear(3, 3), nn.Linear(3, 1)

    def forward(self, x):
        if x.shape[0] > 1:
            x = self.part(x)
        return self.readout(x)


with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)

    @torch.jit.interface
    class Step(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            pass


class Doubled(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return 2 * self.linear(x)


class Named(NamedTuple):
    left: torch.Tensor
    right: torch.Tensor


class Split(nn.Module):
    def forward(self, x, shift: torch.Tensor | None = None):
        return Named(x, -x if shift is None else shift - x)


class Returning(nn.Module):
    """Leaves a loop in the middle of it."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x):
        for number in range(10):
            x = self.linear(x)
            if number == 2:
                return [x]
        return [x, x]


class Winding(nn.Module):
    """Branches in loops in branches, an interface, a named tuple, a list, a recurrent part, and writes in place."""

    step: Step

    def __init__(self):
        super().__init__()
        self.step, self.other, self.split, self.back = Doubled(), Doubled(), Split(), Returning()
        self.parts = nn.ModuleDict({"mix": nn.Linear(3, 3), "act": nn.ReLU(inplace=True), "never": nn.Tanh()})
        self.rnn = nn.LSTM(3, 4, batch_first=True)

    def mixed(self, x):
        return self.parts["mix"](x)

    def forward(self, x):
        x = self.step(x) + self.other(x)
        count = 0
        while count < 3:
            if count != 1:
                x = self.mixed(x)
                x = self.parts["act"](x)
            else:
                for _ in range(2):
                    x = self.other(x)
            count += 1
        if count > 3:
            x = self.parts["never"](x)
        left, right = self.split(x, self.back(x)[0])
        return self.rnn((left + right).unsqueeze(1))[0][:, 0]


X = torch.randn(5, 3)
NAMES = ["**", "output"]


def scripted(network):
    return torch.jit.script(network)


def traced(network):
    return torch.jit.trace(network.eval(), X, strict=False)


def loaded(module):
    kept = io.BytesIO()
    torch.jit.save(module, kept)
    kept.seek(0)
    return torch.jit.load(kept)


WAYS = {
    "scripted": scripted,
    "traced": traced,
    "loaded": lambda n: loaded(scripted(n)),
    "both": lambda n: loaded(traced(n)),
}


@pytest.mark.parametrize("way", ["scripted", "loaded"])
def test_calls_in_branches_and_loops_are_seen(way):
    torch.manual_seed(1)
    network, probe = Winding(), Probe.of(X)
    module = WAYS[way](network)
    text = str(module.graph)
    layers = [one for one in layers_of(network, NAMES) if one.path not in ("parts", "parts.never")]
    expected = look(network, probe, layers)
    for _ in range(3):
        found = look(module, probe, layers)
        assert list(found.layers) == list(expected.layers)
        for name, value in expected.layers.items():
            np.testing.assert_array_equal(found.layers[name], value, err_msg=name)
        np.testing.assert_array_equal(found.outputs, expected.outputs)
    assert {"other#3", "other.linear#1", "parts.mix#2", "back.linear#3", "step", "rnn"} <= found.layers.keys()
    assert (found.layers["parts.mix#1"] < 0).any()  # written into afterwards
    assert str(module.graph) == text
    with pytest.raises(DataError, match=r"layer 'parts\.never' was called never"):
        look(module, probe, [Layer("parts.never")])


def test_calls_are_told_as_they_come():
    module, told = scripted(Winding()), []
    paths = ["step", "back.linear", "parts.act", "output", "parts.act"]
    show(module, Probe.of(X), [(path, lambda _, path=path: told.append(path)) for path in paths])
    assert told == ["step", *["parts.act"] * 4, *["back.linear"] * 3, "output"]
    assert not script._TOLD


def test_what_is_raised_by_who_is_told_comes_through():
    class Own(KeyError):
        pass

    def refuse(output):
        raise Own("first\nsecond")

    def interrupt(output):
        raise KeyboardInterrupt

    module = scripted(Winding())
    for take, error in ((refuse, Own), (interrupt, KeyboardInterrupt)):
        with pytest.raises(error):
            show(module, Probe.of(X), [("parts.mix", take)])
    assert not script._TOLD


def test_a_look_within_a_look():
    """What is told may look at another network, or at the same one."""
    module, probe, inner = scripted(Winding()), Probe.of(X), []
    layers = layers_of(module, ["rnn", "other"])
    show(module, probe, [("step", lambda _: inner.append(look(module, probe, layers).layers))])
    (found,) = inner
    for name, value in look(module, probe, layers).layers.items():
        np.testing.assert_array_equal(found[name], value)


def test_a_network_that_was_looked_at_still_learns():
    torch.manual_seed(1)
    network = Winding().train()
    module = scripted(network)
    look(module, Probe.of(X), layers_of(module, ["rnn", "parts.*", "output"])[:2])
    for one in (network, module):
        one(X).square().sum().backward()
    grads = [{name: value.grad for name, value in one.named_parameters()} for one in (network, module)]
    assert grads[0]["parts.mix.weight"].any()
    for name, grad in grads[0].items():
        assert (grad is None and grads[1][name] is None) or torch.equal(grad, grads[1][name]), name


class Forking(nn.Module):
    def __init__(self):
        super().__init__()
        self.aside, self.part = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x):
        future = torch.jit.fork(self.aside, x)
        return self.part(x) + torch.jit.wait(future)


def test_a_forked_call_is_not_seen_and_that_is_said():
    module = scripted(Forking())
    assert look(module, Probe.of(X), [Layer("part")]).layers["part"].shape == (5, 3)
    with pytest.raises(DataError, match=r"layer 'aside' was called never .* TorchScript .* forked"):
        look(module, Probe.of(X), [Layer("aside")])


def doubled(self, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
    return (2 * inputs[0],)


def moved(self, inputs: tuple[torch.Tensor], output: torch.Tensor) -> torch.Tensor:
    return output + 1


@pytest.mark.parametrize("hook", [("register_forward_pre_hook", doubled), ("register_forward_hook", moved)])
def test_hooks_that_were_scripted_are_refused_where_they_would_not_show(hook):
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    getattr(network, hook[0])(hook[1])
    module, probe = scripted(network), Probe.of(X)
    whole = look(module, probe, [Layer("output")])
    np.testing.assert_array_equal(whole.outputs, network(X).detach())
    with pytest.raises(DataError, match="the scripted network has hooks that were scripted with it; watch its output"):
        look(module, probe, [Layer("0")])
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    getattr(network[0], hook[0])(hook[1])
    module = scripted(network)
    found = look(module, probe, [Layer("1"), Layer("output")])
    np.testing.assert_array_equal(found.layers["1"], network(X).detach())
    if hook[1] is moved:
        with pytest.raises(DataError, match="layer '0' has hooks that were scripted with it; watch a module around it"):
            look(module, probe, [Layer("0")])
    else:
        np.testing.assert_array_equal(look(module, probe, [Layer("0")]).layers["0"], network[0](X).detach())


@pytest.mark.parametrize("way", WAYS)
def test_what_is_seen_inside_is_what_hooks_see(way):
    torch.manual_seed(0)
    network, probe = Network(), Probe.of(X)
    network.norm.running_mean.add_(0.5)
    expected = look(network, probe, [one for one in layers_of(network, NAMES) if one.path != "several"])
    module = WAYS[way](network)
    modes = [part.training for part in module.modules()]
    text, state = str(module.graph), {name: value.clone() for name, value in module.state_dict().items()}
    layers = [one for one in layers_of(module, NAMES) if one.path != "several"]
    assert [str(one) for one in layers] == [str(one) for one in layers_of(network, NAMES) if one.path != "several"]
    before = torch.get_rng_state()
    found = look(module, probe, layers)
    assert list(found.layers) == list(expected.layers)
    assert {"several.1#1", "several.1#2", "body.1.0.linear", "output"} <= found.layers.keys()
    for name, value in expected.layers.items():
        np.testing.assert_allclose(found.layers[name], value, rtol=1e-6, atol=1e-7, err_msg=name)
    np.testing.assert_allclose(found.outputs, expected.outputs, rtol=1e-6, atol=1e-7)
    assert (found.layers["body.0.linear"] < 0).any()  # the activation behind it writes zeros into it
    assert [part.training for part in module.modules()] == modes
    assert str(module.graph) == text
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
    assert torch.equal(torch.get_rng_state(), before)


def test_a_layer_alone_and_the_output_alone():
    module, probe = scripted(Network()), Probe.of(X)
    whole = look(module, probe, layers_of(module, ["body.1.0.linear", "output"])).layers
    for name in ("body.1.0.linear", "output"):
        alone = look(module, probe, [Layer(name)])
        assert list(alone.layers) == [name]
        np.testing.assert_array_equal(alone.layers[name], whole[name])
    np.testing.assert_array_equal(look(module, probe, []).outputs, whole["output"])
    second = look(module, probe, [Layer("several.1", call=2)]).layers
    assert list(second) == ["several.1#2"]


def test_inputs_come_in_order_or_by_name():
    network = Network()
    module = scripted(network)
    for given in ((X, 2.0), {"x": X, "shift": 2.0}, {"shift": 2.0, "x": X}):
        probe = Probe.of(given)
        found, expected = (look(one, probe, [Layer("body.0")]) for one in (module, network))
        np.testing.assert_allclose(found.layers["body.0"], expected.layers["body.0"], rtol=1e-6)


@pytest.mark.parametrize("given", [{"y": X}, {"x": X, "z": 1}, (X, 1.0, 2.0)])
def test_inputs_that_it_does_not_take_are_refused(given):
    with pytest.raises(DataError, match="the scripted network takes x, shift; the probe has "):
        look(scripted(Network()), Probe.of(given), [])


def test_a_call_in_a_branch_is_seen_if_it_happens():
    network = Branching()
    module = scripted(network)
    found = look(module, Probe.of(X), [Layer("part"), Layer("readout")]).layers
    np.testing.assert_array_equal(found["part"], network.part(X).detach())
    np.testing.assert_array_equal(found["readout"], network(X).detach())
    with pytest.raises(DataError, match=r"layer 'part' was called never"):
        look(module, Probe.of(X[:1]), [Layer("part")])


def test_a_frozen_module_has_only_its_output():
    module = torch.jit.freeze(scripted(Network()).eval())
    assert look(module, Probe.of(X), layers_of(module, ["output"])).layers["output"].shape == (5, 2)
    with pytest.raises(UnknownName, match=r"unknown layer 'body'; .*known: output$"):
        layers_of(module, ["body"])
    with pytest.raises(UnknownName, match="unknown layer 'body'"):
        look(module, Probe.of(X), [Layer("body")])


def test_a_scripted_part_of_a_network_cannot_be_watched_and_that_is_said():
    network = nn.Sequential(nn.Linear(3, 3), scripted(Branching()), nn.Tanh())
    assert look(network, Probe.of(X), [Layer("2")]).layers["2"].shape == (5, 1)
    for path in ("1", "1.readout"):
        with pytest.raises(
            DataError, match=rf"layer '{path}' cannot be watched \(.*ScriptModules\); watch a module around"
        ):
            look(network, Probe.of(X), [Layer("0"), Layer(path)])
    assert not network[0]._forward_hooks
    network[1] = torch.jit.trace(nn.Sequential(nn.Linear(3, 3)), X)
    with pytest.raises(DataError, match=r"layer '1\.0' was called never .* TorchScript"):
        look(network, Probe.of(X), [Layer("1.0")])
