"""The linearisation against Jacobians written out, closed forms of linear networks, and steps of gradient descent."""

from copy import deepcopy
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd.functional import jacobian
from torch.func import functional_call

from syzygy.errors import CannotSplit, DataError, ShapeError, SingularStart, SpecificationError, UnknownName
from syzygy.linearisation import Split, kernel_drift, linearise, tangent_kernel, travel
from syzygy.linearisation.motion import motion
from syzygy.linearisation.products import backward, forward, gram
from syzygy.networks import catalogue, setting
from syzygy.theory import solve_exact
from syzygy.training.learners import half_mse

LR = 0.03


def drawn(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def filled(network, seed=0, scale=0.6):
    """The same network with known weights, in float64."""
    network = network.double()
    with torch.no_grad():
        for n, weight in enumerate(network.parameters()):
            weight.copy_(scale * drawn(100 * seed + n, *weight.shape))
    return network


def smooth(seed=0, outputs=2):
    """Two tanh layers, biases included."""
    return filled(nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, outputs)), seed)


def linear(seed=0, *, widths=(3, 6, 2), bias=False):
    return filled(nn.Sequential(*(nn.Linear(i, o, bias=bias) for i, o in pairwise(widths))), seed)


class Stranger(nn.Module):
    """A network of somebody else's: a map of features, batch statistics, writing in place, a name inside a name."""

    def __init__(self):
        super().__init__()
        self.stem = nn.ModuleDict({"conv": nn.Conv2d(1, 3, 3), "norm": nn.BatchNorm2d(3)})
        self.head = nn.Sequential(nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Flatten(), nn.Linear(48, 2))
        self.register_buffer("shift", torch.tensor([0.5, -0.5]))

    def forward(self, x):
        return self.head(self.stem["norm"](self.stem["conv"](x.reshape(-1, 1, 6, 6)))) + self.shift


class Attentive(nn.Module):
    """A transformer's layer, whose attention PyTorch fuses in evaluation."""

    def __init__(self):
        super().__init__()
        self.layer, self.last = nn.TransformerEncoderLayer(4, 2, 6, batch_first=True), nn.Linear(4, 2)

    def forward(self, x):
        return self.last(self.layer(x.reshape(len(x), 3, 4)).mean(1))


class Around(nn.Module):
    """What goes around ``inner``: nothing, inputs, their sign alone, the inner weights; or nothing goes through it."""

    def __init__(self, what=""):
        super().__init__()
        self.first, self.inner, self.last, self.what = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 2), what

    def forward(self, x):
        h = self.inner(self.first(x))
        if self.what == "inputs":
            h = h.tanh() + x
        elif self.what == "dead":
            h = h.tanh() + (x - 1e9).relu()
        elif self.what == "signs":
            h = h * (x > 0)
        elif self.what == "weights":
            h = h @ self.inner.weight
        elif self.what == "everything":
            h = self.first(x)
        return self.last(h)


class Root(nn.Module):
    """Cube roots, whose slope at zero is infinite."""

    def forward(self, x):
        return x.sign() * x.abs() ** (1 / 3)


# The cut


@pytest.mark.parametrize("double", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("name", "layer"), [
    ("default", "hidden.0"), ("default", "hidden.1.linear"), ("convolutional", "hidden.1"), ("dropout", "hidden.1"),
    ("stranger", "stem.conv"), ("stranger", "stem.norm"), ("stranger", "head.2"), ("skip", "hidden.0"),
    ("skip", "hidden.2")])  # fmt: skip
def test_encoder_and_decoder_make_the_network(name, layer, dtype, double):
    if name == "stranger":
        network, x = filled(Stranger()), drawn(1, 5, 36)
    else:
        kind = {"convolutional": "cnn"}.get(name, name)
        rows = {row.type: row for row in catalogue().values()}
        row = catalogue()[kind] if kind in catalogue() else rows[name]
        width = 60 if row.type == "convolutional" else 7
        network, x = (
            setting({**row.model_dump(), "name": "x", "width": width, "depth": 3}).build(3, 2, 0),
            drawn(1, 5, 3),
        )
    network, x = network.to(dtype), x.to(dtype)
    network.train()
    for module in list(network.modules())[1::2]:
        module.eval()
    modes = [module.training for module in network.modules()]
    before = deepcopy(network.state_dict())
    for weight in network.parameters():
        weight.grad = torch.ones_like(weight)
    split = Split(network, layer, x, double=double)
    seen = split.decode(split.encode(split.inputs))
    assert [module.training for module in network.modules()] == modes
    assert all(not module._forward_hooks for module in network.modules())
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(torch.equal(weight.grad, torch.ones_like(weight)) for weight in network.parameters())
    assert seen.dtype == (torch.float64 if double else dtype)
    torch.testing.assert_close(seen.to(dtype), network.eval()(x))
    names = [key for key, _ in network.named_parameters()]
    assert sorted(split.encoder + split.decoder) == sorted(names)
    assert names[0] in split.encoder
    assert names[-1] in split.decoder


def test_a_representation_of_any_number_of_items_is_decoded():
    split = Split(smooth(), "1", drawn(0, 2, 3))
    assert torch.equal(split.decode(split.encode(drawn(1, 7, 3))), split.map(drawn(1, 7, 3)))


def test_a_representation_is_kept_from_what_writes_over_it():
    network, x = filled(Stranger()).eval(), drawn(1, 5, 36)
    given = network.stem["norm"](network.stem["conv"](x.reshape(-1, 1, 6, 6)))
    assert given.min() < 0
    assert torch.equal(Split(network, "stem.norm", x).encode(x), given)


def test_a_residual_network_is_cut_at_its_first_and_last_hidden_layers_alone():
    network = setting({"like": "skip", "name": "small", "width": 6, "depth": 6}).build(3, 1, 0)
    for n in range(6):
        if n in (0, 5):
            Split(network, f"hidden.{n}", drawn(0, 4, 3))
        else:
            with pytest.raises(CannotSplit, match=rf"after layer 'hidden.{n}': a path leads around it.*all paths meet"):
                Split(network, f"hidden.{n}", drawn(0, 4, 3))


@pytest.mark.parametrize(("what", "said"), [
    ("inputs", "a path leads around it"), ("dead", "a path leads around it"), ("signs", "a path leads around it"),
    ("weights", "'inner.weight' works on both sides of layer 'inner'"),
    ("everything", "outputs do not depend on")])  # fmt: skip
def test_what_goes_around_a_layer_is_refused(what, said):
    Split(Around(), "inner", drawn(0, 4, 3))
    with pytest.raises(CannotSplit, match=said):
        Split(Around(what), "inner", drawn(0, 4, 3))


def test_layers_that_are_no_cut_are_refused():
    twice = nn.Tanh()
    network = nn.Sequential(nn.Linear(3, 3), twice, nn.Linear(3, 3), twice)
    with pytest.raises(CannotSplit, match=r"'1' runs 2 times.*a module of its own"):
        Split(network, "1", drawn(0, 4, 3))
    idle = Around("everything")
    idle.add_module("idle", nn.Linear(3, 3))
    with pytest.raises(CannotSplit, match="'idle' runs 0 times"):
        Split(idle, "idle", drawn(0, 4, 3))
    for missing in ("4", ""):
        with pytest.raises(UnknownName, match="unknown layer"):
            Split(network, missing, drawn(0, 4, 3))

    class Recurrent(nn.Sequential):
        def forward(self, x):
            return self[1](self[0](x[:, None])[0][:, -1])

    with pytest.raises(CannotSplit, match=r"'0' gives tuple for 4 items, not one tensor \(item, …\)"):
        Split(Recurrent(nn.GRU(3, 2, batch_first=True), nn.Linear(2, 1)), "0", drawn(0, 4, 3))
    summed = nn.Sequential(nn.Flatten(0), nn.Unflatten(0, (4, 3)))
    with pytest.raises(CannotSplit, match=r"'0' gives \(12,\) for 4 items"):
        Split(summed, "0", drawn(0, 4, 3))
    with pytest.raises(CannotSplit, match="items of a batch see one another"):
        Split(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3, track_running_stats=False)), "0", drawn(0, 4, 3))
    with pytest.raises(ShapeError, match=r"must give outputs \(item, output\), it gives \(4, 3, 1\)"):
        Split(nn.Sequential(nn.Linear(3, 3), nn.Unflatten(1, (3, 1))), "0", drawn(0, 4, 3))


def test_weights_that_do_not_fit_are_refused():
    with pytest.raises(UnknownName, match=r"unknown weight '0.wait'; did you mean 0.weight"):
        Split(smooth(), "1", drawn(0, 2, 3), weights={"0.wait": drawn(0, 5, 3)})
    with pytest.raises(ShapeError, match=r"weight '0.weight' must be \(5, 3\), got \(3, 5\)"):
        Split(smooth(), "1", drawn(0, 2, 3), weights={"0.weight": drawn(0, 3, 5)})


def test_hooks_come_off_when_the_network_fails():
    network = smooth().train()
    with pytest.raises(RuntimeError):
        Split(network, "1", drawn(0, 2, 4))
    assert network.training
    assert not network[1]._forward_hooks


# Products


def test_products_are_those_of_the_jacobian():
    network, at = smooth(outputs=3), drawn(0, 4, 3)
    whole = torch.stack([jacobian(network, one[None])[0, :, 0] for one in at]).detach()
    along, back = drawn(1, 4, 3), drawn(2, 4, 3)
    torch.testing.assert_close(forward(network, at, along)[1].detach(), (whole @ along[..., None])[..., 0])
    torch.testing.assert_close(backward(network, at)[1](back).detach(), (whole.mT @ back[..., None])[..., 0])
    torch.testing.assert_close(gram(network, at).detach(), whole @ whole.mT)


# One pair written out


def written(network, cut, x, wanted):
    """Everything of one pair of a sequence of modules cut before ``cut``, with Jacobians in full."""
    encoder, decoder = network[:cut], network[cut:]

    def by_weights(part, at):
        names, values = zip(*part.named_parameters(), strict=True)
        found = jacobian(lambda *w: functional_call(part, dict(zip(names, w, strict=True)), (at,)), values)
        return torch.cat([one.reshape(len(at), -1, v.numel()) for one, v in zip(found, values, strict=True)], -1)

    h, y = encoder(x), network(x)
    dx, dh, dy = x[1] - x[0], h[1] - h[0], y[1] - y[0]
    decoded = jacobian(decoder, h.mean(0)[None])[0, :, 0]
    own = [jacobian(decoder, one[None])[0, :, 0] for one in h]
    encoded = jacobian(encoder, x.mean(0)[None])[0, :, 0]
    J, R = by_weights(encoder, x), by_weights(decoder, h.detach())
    e, mean = dy - (wanted[1] - wanted[0]), (y - wanted).mean(0)
    speed = LR / y.shape[1]
    v, unit = decoded.mT @ e / (decoded.mT @ e).norm(), e / e.norm()
    dJ, dR = J[1] - J[0], R[1] - R[0]
    theory = dJ @ dJ.mT @ decoded.mT @ e / 4
    difference = dJ @ (J[1].mT @ own[1].mT - J[0].mT @ own[0].mT) @ e / 4
    from_mean = dJ @ (J[1].mT @ own[1].mT + J[0].mT @ own[0].mT) @ mean / 2
    theory_y, from_mean_y = dR @ dR.mT @ e / 4, dR @ (R[0] + R[1]).mT @ mean / 2
    return {
        "h2": dh @ dh, "dx2": dx @ dx, "dy": decoded @ dh, "y_mean": decoded @ h.mean(0),
        "gram": decoded @ decoded.mT, "dy_true": dy,
        "target": wanted[1] - wanted[0],
        "eta_h": speed * (dJ.mT @ v).square().sum() / (dx @ dx) / 2,
        "eta_y": speed * (dR.mT @ unit).square().sum() / (dh @ dh) / 2,
        "encoder_share": (h.mean(0) - encoder(x.mean(0)[None])[0]).norm() / ((encoded @ dx).norm() / 2),
        "decoder_share": (y.mean(0) - decoder(h.mean(0)[None])[0]).norm() / ((decoded @ dh).norm() / 2),
        "encoder_coupling": from_mean.norm() / theory.norm(),
        "decoder_coupling": from_mean_y.norm() / theory_y.norm(),
        "curvature": (difference - theory).norm() / theory.norm(),
    }  # fmt: skip


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("cut", [2, 4])
def test_every_number_is_that_of_jacobians_written_out(cut, outputs):
    network, x, wanted = smooth(1, outputs), drawn(5, 2, 3), drawn(6, 2, outputs)
    seen = linearise(network, str(cut - 1), x, wanted, learning_rate=LR)
    for name, value in written(network, cut, x, wanted).items():
        np.testing.assert_allclose(getattr(seen, name)[0], value.detach().numpy(), rtol=1e-11, atol=1e-14, err_msg=name)
    assert seen.pairs.tolist() == [[0, 1]]
    assert seen.mean_coupling[0] == max(seen.encoder_coupling[0], seen.decoder_coupling[0])


@pytest.mark.parametrize("layer", ["layer", "layer.norm1"])
def test_attention_is_linearised(layer):
    network, x, wanted = filled(Attentive()), drawn(5, 3, 12), drawn(6, 3, 2)
    seen = linearise(network, layer, x, wanted, learning_rate=LR)
    split = Split(network, layer, x)
    h = split.encode(x)
    whole = jacobian(split.decode, (h[:1] + h[1:2]) / 2)[0, :, 0].flatten(1)
    np.testing.assert_allclose(seen.dy[0], whole @ (h[1] - h[0]).flatten(), rtol=1e-10)
    np.testing.assert_allclose(seen.gram[0], whole @ whole.T, rtol=1e-10)
    assert torch.backends.mha.get_fastpath_enabled()
    assert torch.backends.cuda.flash_sdp_enabled()


def test_each_of_many_pairs_is_as_it_is_alone():
    network, x, wanted = smooth(1), drawn(5, 4, 3), drawn(6, 4, 2)
    every = linearise(network, "1", x, wanted, learning_rate=LR)
    assert every.pairs.tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    for n, (i, j) in enumerate(every.pairs):
        alone = linearise(network, "1", x[[i, j]], wanted[[i, j]], learning_rate=LR)
        for name in every.__dataclass_fields__.keys() - {"pairs"}:
            np.testing.assert_allclose(getattr(every, name)[n], getattr(alone, name)[0], rtol=1e-12, err_msg=name)
    turned = linearise(network, "1", x, wanted, learning_rate=LR, pairs=[(3, 1)])
    np.testing.assert_allclose(turned.dy_true[0], -every.dy_true[4])
    np.testing.assert_allclose(turned.eta_h[0], every.eta_h[4])


@pytest.mark.parametrize("limit", ["linearisation.TOGETHER", "motion.TOGETHER"])
def test_pairs_of_more_than_one_pass_are_joined_in_order(limit, monkeypatch):
    network, x, wanted = smooth(1), drawn(5, 4, 3), drawn(6, 4, 2)
    every = linearise(network, "1", x, wanted, learning_rate=LR)
    weights = sum(weight.numel() for weight in network.parameters())
    for numbers in (1, 4) if limit[0] == "l" else (1, 4 * weights):
        monkeypatch.setattr(f"syzygy.linearisation.{limit}", numbers)
        again = linearise(network, "1", x, wanted, learning_rate=LR)
        for name in every.__dataclass_fields__:
            np.testing.assert_allclose(getattr(again, name), getattr(every, name), rtol=1e-11, err_msg=name)


class Branching(nn.Module):
    """Asks what its numbers are, which a pass of all pairs at once cannot answer."""

    def forward(self, x):
        return x.tanh() if x.sum() < 1e9 else x


def test_a_network_that_branches_on_a_value_has_its_pairs_moved_one_by_one():
    network, x, wanted = smooth(1), drawn(5, 4, 3), drawn(6, 4, 2)
    plain = linearise(network, "1", x, wanted, learning_rate=LR)
    network[3] = Branching()
    branching = linearise(network, "1", x, wanted, learning_rate=LR)
    for name in plain.__dataclass_fields__:
        np.testing.assert_allclose(getattr(branching, name), getattr(plain, name), rtol=1e-11, err_msg=name)


# Gradient descent


def stepped(network, x, wanted, rate):
    """Weights after one step on the training loss."""
    weights = dict(network.named_parameters())
    gradients = torch.autograd.grad(half_mse(network(x), wanted), list(weights.values()))
    return {
        name: (w - rate * g).detach() for (name, w), g in zip(weights.items(), gradients, strict=True)
    }  # fmt: skip


@pytest.mark.parametrize("outputs", [1, 3])
def test_parts_of_the_motion_make_one_step_of_gradient_descent(outputs):
    network, x, wanted = smooth(2, outputs), drawn(5, 2, 3), drawn(6, 2, outputs)
    split = Split(network, "1", x)
    h = split.encode(x)
    seen = linearise(network, "1", x, wanted, learning_rate=LR)
    pulled = backward(split.decode, h.mean(0)[None])[1](torch.from_numpy(seen.dy_true - seen.target))
    parts = motion(split, x[None], wanted[None], pulled, LR / outputs)
    small = 1e-4
    after, before = (stepped(network, x, wanted, sign * small * LR) for sign in (1, -1))

    def change(function):
        (a0, a1), (b0, b1) = function(after), function(before)
        return ((a1 - a0) - (b1 - b0)) / (2 * small)

    moved = change(lambda weights: split.encode(x, weights))
    torch.testing.assert_close((parts.theory + parts.curvature + parts.mean)[0], moved, rtol=1e-6, atol=1e-10)
    read = change(lambda weights: split.decode(h, {name: weights[name] for name in split.decoder}))
    torch.testing.assert_close((parts.decoder_theory + parts.decoder_mean)[0], read, rtol=1e-6, atol=1e-10)
    # The rates are what of the theory's parts lies along the error.
    a, b = seen.eta_h[0] * seen.dx2[0] / 2, seen.eta_y[0] / 2
    torch.testing.assert_close(parts.theory[0] @ pulled[0], -a * (pulled[0] @ pulled[0]))
    e = torch.from_numpy(seen.dy_true - seen.target)[0]
    torch.testing.assert_close(parts.decoder_theory[0] @ e, -b * seen.h2[0] * (e @ e))


def aligned(outputs):
    """Two maps without biases, of which the second reads out along ``dh`` alone."""
    network = linear(3, widths=(3, 6, outputs))
    dh = network[0].weight.detach() @ CENTRED[0]
    with torch.no_grad():
        network[1].weight.copy_(torch.outer(drawn(9, outputs), dh) / dh.norm())
    return network


CENTRED = torch.tensor([[0.5, -0.2, 0.9], [-0.5, 0.2, -0.9]], dtype=torch.float64)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("start", ["random", "aligned"])
def test_two_linear_maps_about_zero_measure_their_learning_rate(start, outputs):
    network = aligned(outputs) if start == "aligned" else linear(3, widths=(3, 6, outputs))
    wanted = drawn(1, 1, outputs) * torch.tensor([[1.0], [-1.0]])
    seen = linearise(network, "0", CENTRED, wanted, learning_rate=LR)
    # The loss is a mean over outputs too.
    np.testing.assert_allclose(2 * seen.eta_h * outputs, LR, rtol=1e-12)
    np.testing.assert_allclose(2 * seen.eta_y * outputs, LR, rtol=1e-12)
    np.testing.assert_allclose(seen.dy, seen.dy_true, rtol=1e-12)
    for name in ("encoder_share", "decoder_share", "encoder_coupling", "decoder_coupling", "curvature"):
        assert getattr(seen, name)[0] < 1e-12, name
    assert seen.nearby.all()


def test_off_centre_and_with_biases_the_rates_stay_and_the_mean_couples_in():
    network, x, wanted = linear(3, bias=True), drawn(5, 2, 3), drawn(6, 2, 2)
    seen = linearise(network, "0", x, wanted, learning_rate=LR)
    np.testing.assert_allclose([2 * seen.eta_h, 2 * seen.eta_y], LR / 2, rtol=1e-12)
    with torch.no_grad():
        h, errors = network[0](x), network(x) - wanted
        W, e, mean = network[1].weight, errors[1] - errors[0], errors.mean(0)
        dx, dh, mid_x, mid_h = x[1] - x[0], h[1] - h[0], x.mean(0), h.mean(0)
        encoder = 4 * (W.T @ mean).norm() * (mid_x @ dx).abs() / ((W.T @ e).norm() * (dx @ dx))
        decoder = 4 * mean.norm() * (mid_h @ dh).abs() / (e.norm() * (dh @ dh))
    np.testing.assert_allclose(seen.encoder_coupling[0], encoder, rtol=1e-12)
    np.testing.assert_allclose(seen.decoder_coupling[0], decoder, rtol=1e-12)
    assert seen.curvature[0] < 1e-12


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_deep_linear_networks_measure_the_rates_of_the_depth_law(layers):
    others, s = 4 - layers, 0.7
    axes = [CENTRED[1] / CENTRED[1].norm(), *(v / v.norm() for v in (drawn(n, 5) for n in range(3))), torch.ones(1)]
    network = linear(widths=(3, 5, 5, 5, 1))
    with torch.no_grad():
        for n, module in enumerate(network):
            module.weight.copy_(s * torch.outer(axes[n + 1], axes[n]))
    seen = linearise(network, str(layers - 1), CENTRED, [[0.3], [-0.3]], learning_rate=LR)
    np.testing.assert_allclose(2 * seen.eta_h, LR * layers * s ** (2 * (layers - 1)), rtol=1e-12)
    np.testing.assert_allclose(2 * seen.eta_y, LR * others * s ** (2 * (others - 1)), rtol=1e-12)


@pytest.mark.parametrize("outputs", [1, 2])
def test_gradient_descent_follows_the_exact_theory_from_what_is_measured(outputs):
    network, rate, steps = linear(3, widths=(3, 6, outputs)), 0.01, 1500
    wanted = drawn(1, 1, outputs) * torch.tensor([[1.0], [-1.0]])
    seen = linearise(network, "0", CENTRED, wanted, learning_rate=rate)
    told = solve_exact(seen.theory, seen.state, np.arange(steps)).state.h2[0]
    found, optimiser = [], torch.optim.SGD(network.parameters(), lr=rate)
    for _ in range(steps):
        h = network[0](CENTRED).detach()
        found.append((h[1] - h[0]).square().sum().item())
        optimiser.zero_grad()
        half_mse(network(CENTRED), wanted).backward()
        optimiser.step()
    assert abs(found[-1] / found[0] - 1) > 0.05
    np.testing.assert_allclose(told, found, rtol=2e-3)


# How far apart is too far


class Square(nn.Module):
    def forward(self, x):
        return x**2


def test_second_order_shares_of_a_square_are_known():
    network = nn.Sequential(Square(), nn.Identity(), Square()).double()
    seen = linearise(network, "1", [[0.9], [1.1]], [[0.0], [1.0]], learning_rate=LR)
    # Of t², second order over first is half the distance over twice the middle.
    np.testing.assert_allclose(seen.encoder_share, 0.1 / 2 / 1.0, rtol=1e-12)
    np.testing.assert_allclose(seen.decoder_share, 0.2 / 2 / 1.01, rtol=1e-12)
    assert seen.nearby.tolist() == [True]
    for apart, near in ((0.399, True), (0.401, False)):
        seen = linearise(network[:2], "0", [[1 - apart / 2], [1 + apart / 2]], [[0.0], [1.0]], learning_rate=LR)
        assert seen.nearby.tolist() == [near]


def test_shares_fade_with_distance_and_curvature_does_not():
    network, wanted = smooth(1, 1), drawn(6, 2, 1)
    near, nearer = (
        linearise(network, "1", drawn(5, 1, 3) + far * drawn(7, 2, 3), wanted, learning_rate=LR) for far in (1e-2, 1e-3)
    )
    for share in ("encoder_share", "decoder_share"):
        np.testing.assert_allclose(getattr(nearer, share), getattr(near, share) / 10, rtol=0.05)
    np.testing.assert_allclose(nearer.curvature, near.curvature, rtol=0.05)
    assert near.curvature > 0.01


# Precision, weights of another step, and sides that do not learn


def test_a_network_in_single_precision_is_measured_in_double():
    network, x, wanted = smooth(1), drawn(5, 3, 3).float(), drawn(6, 3, 2).float()
    single = deepcopy(network).float()
    asked = {"learning_rate": LR}
    exact = linearise(deepcopy(single).double(), "1", x.double(), wanted.double(), **asked)
    double, own = (linearise(single, "1", x, wanted, **asked, double=d) for d in (True, False))
    for name in exact.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(double, name), getattr(exact, name), err_msg=name)
        np.testing.assert_allclose(getattr(own, name), getattr(exact, name), rtol=1e-3, atol=1e-6, err_msg=name)
    assert not np.array_equal(own.eta_h, exact.eta_h)


def test_rounding_leaves_a_start_that_vectors_have():
    for outputs in (1, 3):
        seen = linearise(aligned(outputs).float(), "0", CENTRED, drawn(1, 2, outputs), learning_rate=LR, double=False)
        start = seen.state
        np.testing.assert_allclose(start.gram, seen.gram, rtol=1e-4, atol=1e-6 * seen.gram.max())
        np.testing.assert_array_equal(start.h2, seen.h2)
        assert np.isfinite(solve_exact(seen.theory, start, [0, 10]).state.h2).all()


def test_weights_of_another_step_are_those_of_a_network_that_has_them():
    network, x, wanted = filled(Stranger()), drawn(5, 3, 36), drawn(6, 3, 2)
    other = deepcopy(network)
    with torch.no_grad():
        for value in other.state_dict().values():
            value.add_(1)
    given = linearise(network, "stem.norm", x, wanted, learning_rate=LR, weights=other.state_dict())
    own = linearise(other, "stem.norm", x, wanted, learning_rate=LR)
    for name in own.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(given, name), getattr(own, name), err_msg=name)
    part = {"head.3.bias": other.head[3].bias}
    assert Split(network, "stem.norm", x, weights=part).weights["head.3.weight"].equal(network.head[3].weight)


def test_frozen_weights_do_not_learn():
    network, x, wanted = smooth(1), drawn(5, 2, 3), drawn(6, 2, 2)
    network[0].requires_grad_(False)
    seen = linearise(network, "1", x, wanted, learning_rate=LR)
    assert seen.eta_h[0] == 0
    assert seen.eta_y[0] > 0
    assert Split(network, "1", x).encoder == ()
    with pytest.raises(SpecificationError, match="eta_h must be positive"):
        _ = seen.theory
    encoder, decoder = tangent_kernel(network, x, "1")
    assert not encoder.any()
    assert decoder.any()
    assert np.isnan(travel(network, "1", x, {}, {})[0])


# Bad input


def test_pairs_without_a_direction_are_refused():
    network, x, wanted = smooth(1), drawn(5, 3, 3), drawn(6, 3, 2)
    x[2] = x[1]
    with pytest.raises(SingularStart, match=r"the inputs of items 1 and 2 are the same.*leave the pair out"):
        linearise(network, "1", x, wanted, learning_rate=LR)
    linearise(network, "1", x, wanted, learning_rate=LR, pairs=[(0, 1), (0, 2)])
    dead = filled(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)))
    with torch.no_grad():
        dead[0].bias.fill_(-100)
    with pytest.raises(SingularStart, match="the representations at '1' of items 0 and 1 are the same"):
        linearise(dead, "1", drawn(5, 3, 3), wanted, learning_rate=LR)


def test_agreeing_targets_are_measured_and_no_error_has_no_rate():
    network, x = smooth(1), drawn(5, 2, 3)
    seen = linearise(network, "1", x, torch.ones(2, 2), learning_rate=LR)
    assert not seen.target.any()
    assert seen.eta_h[0] > 0
    assert seen.eta_y[0] > 0
    seen = linearise(network, "1", x, network(x), learning_rate=LR)
    assert np.isnan([seen.eta_h[0], seen.eta_y[0]]).all()
    assert not np.isnan([seen.encoder_coupling[0], seen.decoder_coupling[0], seen.encoder_share[0]]).any()
    off = linearise(network, "1", x, network(x) + torch.tensor([1.0, 2.0]), learning_rate=LR)
    assert off.encoder_coupling[0] > 1e9


def test_a_decoder_that_passes_nothing_back_measures_no_encoder():
    network, x, wanted = smooth(1), drawn(5, 2, 3), drawn(6, 2, 2)
    with torch.no_grad():
        network[4].weight.zero_()
    seen = linearise(network, "1", x, wanted, learning_rate=LR)
    assert np.isnan(seen.eta_h[0])
    assert not seen.gram.any()


def test_what_is_not_finite_is_named():
    network, x, wanted = smooth(1), drawn(5, 3, 3), drawn(6, 3, 2)

    def broken(name, value):
        return {name: torch.full_like(network.get_parameter(name), float(value))}

    def measured(x=x, wanted=wanted, weights=None):
        return linearise(network, "1", x, wanted, learning_rate=LR, weights=weights)

    with pytest.raises(DataError, match="a representation at '1' of items 0 and 1 is not finite; look at the weights"):
        measured(weights=broken("0.weight", "nan"))
    with pytest.raises(DataError, match="an output of items 0 and 1 is not finite"):
        measured(weights=broken("4.bias", "inf"))
    for what, values in (("an input", {"x": x.clone()}), ("a target", {"wanted": wanted.clone()})):
        next(iter(values.values()))[2, 0] = torch.nan
        with pytest.raises(DataError, match=f"{what} of items 0 and 2 is not finite"):
            measured(**values)
    with pytest.raises(DataError, match="the encoder's part of the tangent kernel is not finite"):
        tangent_kernel(network, x, "1", weights=broken("2.weight", "nan"))


def test_jacobians_that_are_not_finite_are_named():
    x, wanted = torch.tensor([[1.0, -2.0], [-1.0, 2.0]]), [[1.0], [2.0]]
    asked = {"learning_rate": LR}
    steep = filled(nn.Sequential(nn.Linear(2, 2, bias=False), Root(), nn.Linear(2, 1)))
    with pytest.raises(
        DataError, match="the decoder's Jacobian at the middle of the two of items 0 and 1 is not finite"
    ):
        linearise(steep, "0", x, wanted, **asked)
    with pytest.raises(DataError, match="the encoder's Jacobian at the middle of the two of items 0 and 1 is not"):
        linearise(steep, "1", x, wanted, **asked)
    with torch.no_grad():
        steep[0].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    with pytest.raises(DataError, match="the gradient of the weights of items 0 and 1 is not finite"):
        linearise(steep, "1", [[1.0, 0.0], [2.0, 1.0]], wanted, **asked)


def test_questions_without_an_answer_are_refused():
    network, x, wanted = smooth(1), drawn(5, 3, 3), drawn(6, 3, 2)
    for rate in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(SpecificationError, match="learning_rate must be positive and finite"):
            linearise(network, "1", x, wanted, learning_rate=rate)
    with pytest.raises(ShapeError, match=r"targets must be \(item, output\) = \(3, 2\), got \(3, 1\)"):
        linearise(network, "1", x, wanted[:, :1], learning_rate=LR)
    for pairs in ([], [(0, 0)], [(0, 3)], [(-1, 0)], [0, 1], [(0, 1, 2)], [(0.0, 1.0)]):
        with pytest.raises(ShapeError, match="pairs must be two different items each, from 0 to 2"):
            linearise(network, "1", x, wanted, learning_rate=LR, pairs=pairs)


# Kernel and travel


@pytest.mark.parametrize("outputs", [1, 3])
def test_the_kernel_is_that_of_jacobians_written_out(outputs):
    network, x = smooth(1, outputs), drawn(5, 4, 3)
    names, values = zip(*network.named_parameters(), strict=True)
    full = jacobian(lambda *w: functional_call(network, dict(zip(names, w, strict=True)), (x,)), values)
    blocks = [one.reshape(4, -1) @ one.reshape(4, -1).T if outputs == 1 else
              torch.einsum("iop,jop->ij", *[one.reshape(4, outputs, -1)] * 2) for one in full]  # fmt: skip
    encoder, decoder = tangent_kernel(network, x, "1")
    np.testing.assert_allclose(encoder, sum(blocks[:2]), rtol=1e-11)
    np.testing.assert_allclose(decoder, sum(blocks[2:]), rtol=1e-11)


def test_kernel_of_two_linear_maps():
    network, x = linear(3), drawn(5, 4, 3)
    first, second = (module.weight.detach() for module in network)
    encoder, decoder = tangent_kernel(network, x, "0")
    np.testing.assert_allclose(encoder, second.square().sum() * (x @ x.T), rtol=1e-12)
    np.testing.assert_allclose(decoder, 2 * (x @ first.T @ first @ x.T), rtol=1e-12)


def test_the_kernels_of_a_pair_hold_its_decoders_rate():
    network, x, wanted = smooth(1, 1), drawn(5, 2, 3), drawn(6, 2, 1)
    seen = linearise(network, "1", x, wanted, learning_rate=LR)
    decoder = tangent_kernel(network, x, "1")[1]
    apart = decoder[0, 0] + decoder[1, 1] - 2 * decoder[0, 1]
    np.testing.assert_allclose(2 * seen.eta_y, LR * apart / seen.h2, rtol=1e-11)


def test_drift_is_the_turn_of_a_kernel():
    kernel = tangent_kernel(smooth(1), drawn(5, 4, 3), "1")[0]
    assert kernel_drift(kernel, 7 * kernel) < 1e-15
    assert kernel_drift([[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]]) == 1
    angle = 0.3
    turned = [[np.cos(angle), 0.0], [0.0, np.sin(angle)]]
    assert kernel_drift([[1.0, 0.0], [0.0, 0.0]], turned) == pytest.approx(1 - np.cos(angle), rel=1e-12)
    assert kernel_drift(-kernel, kernel) == 1  # no kernel is negative
    with pytest.raises(ShapeError, match=r"on the same items.*got \(4, 4\) and \(3, 3\)"):
        kernel_drift(kernel, kernel[:3, :3])
    for wrong in (0 * kernel, np.nan * kernel):
        with pytest.raises(DataError, match="has no direction to turn from"):
            kernel_drift(kernel, wrong)


def test_travel_of_either_side():
    network = smooth(1)
    first = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    last = {name: weight * (1.1 if name[0] == "0" else 0.5) for name, weight in first.items()}
    encoder, decoder = travel(network, "1", drawn(0, 1, 3), first, last)
    assert encoder == pytest.approx(0.1)
    assert decoder == pytest.approx(0.5)
    assert travel(network, "1", drawn(0, 1, 3), first, first) == (0, 0)
    zero = {name: 0 * weight for name, weight in first.items()}
    assert travel(network, "1", drawn(0, 1, 3), zero, last) == (np.inf, np.inf)
    last.pop("4.bias")
    assert travel(network, "1", drawn(0, 1, 3), first, last)[1] < decoder
