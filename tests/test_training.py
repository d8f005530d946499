"""Training against a plain PyTorch loop, and everything that a seed, a kill or a neighbour must not change."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from syzygy.errors import RunError, ShapeError, SpecificationError, UnknownName
from syzygy.networks import Dropout, catalogue, setting
from syzygy.recording import Schedule, every, log_spaced, watched
from syzygy.seeds import generator, stream
from syzygy.store import FolderStore, MemoryStore
from syzygy.tasks import Task, two_points
from syzygy.training import Checkpoint, Job, train, train_zoo
from syzygy.training.fused import fused_sgd
from syzygy.training.learners import Single, Stack
from syzygy.versions import versions

OPTIMISERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}
SMALL = setting({"like": "shallow", "name": "small", "width": 20, "gain": 0.9, "learning_rate": 0.1})
KINDS = {
    "mlp": SMALL,
    "adam": SMALL.model_copy(update={"optimiser": "adam", "learning_rate": 0.01}),
    "dropout": setting({**SMALL.model_dump(), "type": "dropout"}),
    "residual": setting({**SMALL.model_dump(), "type": "residual", "depth": 4}),
    "convolutional": setting({**SMALL.model_dump(), "type": "convolutional", "width": 32}),
}
ROWS = {
    name: row.model_copy(update={"width": 60, "depth": 3 if row.type == "convolutional" else row.depth})
    for name, row in catalogue().items()
}
ROWS["cnn"] = ROWS["cnn"].model_copy(update={"layer": "hidden.2"})
TWO = two_points()


def crowd(items=11, inputs=3, outputs=2, probe=()):
    """A task of several items with a target that can be learned."""
    draw = np.random.default_rng(7)
    x = draw.normal(size=(items, inputs))
    y = np.sin(x @ draw.normal(size=(inputs, outputs)))
    return Task("crowd", x, y, tuple(f"item {i}" for i in range(items)), probe)


def arrays(trajectory):
    layers = {layer: trajectory.representation(layer) for layer in trajectory.layers}
    return {"loss": trajectory.loss, "outputs": trajectory.outputs} | layers


def far(ours, theirs):
    """The largest difference of anything recorded, relative to its largest magnitude."""
    ours, theirs = (t if isinstance(t, dict) else arrays(t) for t in (ours, theirs))
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert ours[name].shape == theirs[name].shape
        assert (np.isfinite(ours[name]) == np.isfinite(theirs[name])).all(), f"{name} is not finite at the same places"
    return max(np.nanmax(np.abs(ours[n] - theirs[n])) / np.nanmax(np.abs(theirs[n])) for n in ours)


def same(ours, theirs):
    """Whether everything recorded is equal bit for bit, NaN included."""
    ours, theirs = arrays(ours) | {"fates": ours.fates}, arrays(theirs) | {"fates": theirs.fates}
    return ours.keys() == theirs.keys() and all(
        np.array_equal(ours[n], theirs[n], equal_nan=n != "fates") for n in ours
    )


def network_of(trajectory, index):
    return {name: values[index : index + 1] for name, values in arrays(trajectory).items()}


def plain(task, network, layers, seed, steps, rate, optimiser="sgd"):
    """Full-batch training as anybody would write it, recorded at every step as (1, step, …)."""
    kind = next(network.parameters()).dtype
    descent = OPTIMISERS[optimiser](network.parameters(), lr=rate)
    x, y = torch.as_tensor(task.inputs, dtype=kind), torch.as_tensor(task.targets, dtype=kind)
    rows = []
    with watched(network, layers) as seen:
        for step in range(steps + 1):
            network.eval()
            with torch.no_grad():
                outputs = network(x)
            row = {"loss": ((outputs - y) ** 2).mean() / 2, "outputs": outputs} | seen
            rows.append({name: value.numpy().copy() for name, value in row.items()})
            network.train()
            noise = generator(seed, "noise", step)
            for module in network.modules():
                if isinstance(module, Dropout):
                    drawn = torch.rand(len(x), module.mask.shape[-1], dtype=torch.float64, generator=noise)
                    module.mask = (drawn >= 0.1).to(kind) / 0.9
            descent.zero_grad()
            (((network(x) - y) ** 2).mean() / 2).backward()
            descent.step()
    return {name: np.stack([row[name] for row in rows])[None] for name in rows[0]}


class Own(nn.Module):
    """Somebody's own network: convolution, batch normalisation, dropout."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(1, 12)
        self.convolution = nn.Conv1d(1, 4, 3)
        self.normal = nn.BatchNorm1d(4)
        self.drop = nn.Dropout(0.3)
        self.last = nn.Linear(40, 1)

    def forward(self, x):
        row = self.normal(self.convolution(torch.tanh(self.first(x)).unsqueeze(1)))
        return self.last(self.drop(torch.tanh(row)).flatten(1))


OWN = {"layers": ["first", "normal"], "steps": 20, "learning_rate": 0.05}


# Stack, single, and a plain loop


@pytest.mark.parametrize("name", ROWS)
def test_stack_single_and_a_plain_loop_learn_the_same_numbers_in_every_row(name):
    row, asked = ROWS[name], {"seeds": (0, 3), "steps": 200, "precision": "float64"}
    stack, single = (train(TWO, row, stack=s, **asked) for s in (True, False))
    loops = [plain(TWO, row.build(1, 1, s), [row.layer], s, 200, row.learning_rate, row.optimiser) for s in (0, 3)]
    loop = {key: np.concatenate([found[key] for found in loops]) for key in loops[0]}
    assert np.isfinite(loop["loss"]).all()
    assert far(stack, single) < 1e-10
    assert far(stack, loop) < 1e-10
    assert far(single, loop) < 1e-10
    assert stack.fates == single.fates == ("trained", "trained")


@pytest.mark.parametrize("kind", KINDS)
def test_shallow_networks_agree_in_float32_too(kind):
    # At a fifth of the rate: at the whole one a unit may pass its kink in one and not in the other.
    row = KINDS[kind].model_copy(update={"learning_rate": KINDS[kind].learning_rate / 5})
    asked = {"seeds": (0, 3), "steps": 200}
    stack, single = (train(TWO, row, stack=s, **asked) for s in (True, False))
    assert stack.outputs.dtype == single.loss.dtype == np.float32
    assert far(stack, single) < 1e-5
    loops = [
        plain(TWO, row.build(1, 1, s).float(), [row.layer], s, 200, row.learning_rate, row.optimiser) for s in (0, 3)
    ]
    assert far(single, {key: np.concatenate([found[key] for found in loops]) for key in loops[0]}) < 1e-5
    assert far(train(TWO, row, stack=False, precision="float64", **asked), single) < 1e-5


def learn(network, x, y, steps, rate, fused):
    """A few steps of gradient descent, with or without the fused path."""
    if fused:
        with fused_sgd(network, rate, x[:1]):
            for _ in range(steps):
                ((network(x) - y) ** 2).mean().div(2).backward()
                assert all(p.grad is None for p in network.parameters()), "a gradient was kept"
    else:
        with torch.no_grad():
            network(x[:1])  # as the fused path does; a spectral norm counts its passes
        descent = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=rate)
        for _ in range(steps):
            descent.zero_grad()
            ((network(x) - y) ** 2).mean().div(2).backward()
            descent.step()
    return network.state_dict()


class Shared(nn.Module):
    """One linear layer passed twice."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(70, 80), nn.Linear(80, 80), nn.Linear(80, 6)

    def forward(self, x):
        return self.c(torch.tanh(self.b(torch.tanh(self.b(torch.tanh(self.a(x)))))))


class Tied(nn.Module):
    """A layer passed once, whose weights are used once more behind its back."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(70, 80), nn.Linear(70, 6)

    def forward(self, x):
        return self.b(functional.linear(torch.tanh(self.a(x)), self.a.weight.t()))


class Alias(nn.Module):
    """Two layers that own one weight."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(70, 70), nn.Linear(70, 70), nn.Linear(70, 6)
        self.b.weight = self.a.weight

    def forward(self, x):
        return self.c(torch.tanh(self.b(torch.tanh(self.a(x)))))


class Embedded(nn.Module):
    """A layer that passes a vector without an item axis, and one that is never passed."""

    def __init__(self):
        super().__init__()
        self.code, self.embed = nn.Parameter(torch.ones(70)), nn.Linear(70, 70)
        self.c, self.idle = nn.Linear(70, 6), nn.Linear(2, 2)

    def forward(self, x):
        return self.c(torch.tanh(x * self.embed(self.code)))


def layered(*, bias=True, frozen=(), spectral=False):
    network = nn.Sequential(
        nn.Linear(70, 80, bias=bias), nn.Tanh(), nn.Linear(80, 90, bias=bias), nn.Tanh(), nn.Linear(90, 6, bias=bias)
    )
    for name in frozen:
        network.get_parameter(name).requires_grad_(False)
    if spectral:
        nn.utils.spectral_norm(network[2])
    return network


NETWORKS = {
    "plain": layered,
    "no bias": partial(layered, bias=False),
    "frozen weight": partial(layered, frozen=("2.weight",)),
    "frozen bias": partial(layered, frozen=("0.bias",)),
    "frozen first": partial(layered, frozen=("0.weight", "0.bias")),
    "weight from a hook": partial(layered, spectral=True),
    "shared": Shared,
    "tied": Tied,
    "alias": Alias,
    "embedded": Embedded,
}


@pytest.mark.parametrize("shape", [(1,), (2,), (4,), (10,), (2, 3), (2, 1)], ids=str)
@pytest.mark.parametrize("kind", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_fused_step_is_that_of_torch(name, kind, shape):
    def made():
        torch.manual_seed(4)
        return NETWORKS[name]().to(kind)

    with torch.random.fork_rng(devices=[]):
        x, y = torch.randn(*shape, 70, dtype=kind), torch.randn(*shape, 6, dtype=kind)
        fused, by_torch = (learn(made(), x, y, 8, 0.1, fused=f) for f in (True, False))
        before = made().state_dict()
    tolerance = 1e-12 if kind is torch.float64 else 2e-5
    moved = 0
    for path, weight in by_torch.items():
        assert float((fused[path] - weight).abs().max()) <= tolerance * float(weight.abs().max()), path
        moved += not torch.equal(weight, before[path])
    still = {"frozen weight": 1, "frozen bias": 1, "frozen first": 2, "embedded": 2}.get(name, 0)
    assert moved == len(by_torch) - still


def test_noncontiguous_inputs_are_passed_right():
    network, by_torch = layered().double(), layered().double()
    by_torch.load_state_dict(network.state_dict())
    x, y = torch.randn(70, 2, dtype=torch.float64).t(), torch.ones(2, 6, dtype=torch.float64)
    ours, theirs = learn(network, x, y, 3, 0.1, fused=True), learn(by_torch, x, y, 3, 0.1, fused=False)
    assert max(float((ours[path] - theirs[path]).abs().max()) for path in ours) < 1e-13


def test_after_the_fused_block_a_network_is_as_before_even_if_it_raised():
    network, x = layered(), torch.ones(2, 70)
    hooks = [dict(m._forward_hooks) for m in network.modules()]
    with pytest.raises(KeyboardInterrupt), fused_sgd(network, 0.1, x):  # noqa: PT012
        assert "forward" in vars(network[0])
        network(x).sum().backward()
        raise KeyboardInterrupt
    assert all("forward" not in vars(module) for module in network.modules())
    assert [dict(m._forward_hooks) for m in network.modules()] == hooks
    before = {path: weight.clone() for path, weight in network.state_dict().items()}
    network(x).sum().backward()
    assert all(p.grad is not None for p in network.parameters())
    assert all(torch.equal(weight, before[path]) for path, weight in network.state_dict().items())


def test_watching_ends_with_its_block_even_if_it_raised():
    network = layered()
    with pytest.raises(RuntimeError), watched(network, ["0"]):
        network(torch.ones(2, 3))
    assert not network[0]._forward_hooks


def half_frozen(_seed):
    """A network with weights that stay, and some that nothing uses."""
    network = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
    network.idle = nn.Parameter(torch.ones(2))
    network[0].weight.requires_grad_(False)
    return network


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_frozen_and_idle_parameters_are_left_alone_in_a_stack_too(optimiser):
    asked = {"seeds": (0, 1), "layers": ["0"], "steps": 30, "learning_rate": 0.1, "precision": "float64"}
    stack, single = (train(crowd(), half_frozen, stack=s, optimiser=optimiser, **asked) for s in (True, False))
    assert far(stack, single) < 1e-12


# A seed is a network


@pytest.mark.parametrize("stack", [True, False])
@pytest.mark.parametrize("batch_size", [None, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_the_same_network_whatever_is_trained_beside_it(kind, batch_size, stack):
    asked = {"steps": 30, "batch_size": batch_size, "precision": "float64", "stack": stack}
    task = crowd()
    together = train(task, KINDS[kind], seeds=(5, 0, 9), **asked)
    alone = train(task, KINDS[kind], seeds=(9,), **asked)
    assert far(network_of(together, 2), arrays(alone)) < 1e-12
    other = train(task, KINDS[kind], seeds=(5,), **asked)
    assert far(network_of(together, 0), arrays(other)) < 1e-12
    assert far(arrays(other), arrays(alone)) > 1e-3
    assert same(together, train(task, KINDS[kind], seeds=(5, 0, 9), **asked))


@pytest.mark.parametrize("stack", [True, False])
def test_gains_come_outermost_and_change_only_the_scale_of_the_start(stack):
    both = train(TWO, SMALL, seeds=iter([4, 2]), gains=(0.5, 1.0), steps=5, precision="float64", stack=stack)
    assert both.seeds.tolist() == [4, 2, 4, 2]
    assert both.gains.tolist() == [0.5, 0.5, 1.0, 1.0]
    alone = train(TWO, SMALL.model_copy(update={"gain": 0.5}), seeds=(2,), steps=5, precision="float64")
    assert far(network_of(both, 1), arrays(alone)) < 1e-12
    # Three maps of a homogeneous network: half the gain, an eighth of the output.
    np.testing.assert_allclose(both.outputs[2:, 0] / 8, both.outputs[:2, 0], rtol=1e-12)


def test_minibatches_pass_every_item_at_most_once_an_epoch_in_an_order_of_ones_own():
    task, met = crowd(items=11), {0: [], 1: []}

    def made(seed):
        network = nn.Sequential(nn.Linear(3, 2))
        network.register_forward_hook(lambda module, x, _: met[seed].append(x[0]) if module.training else None)
        return network

    train(task, made, seeds=(0, 1), layers=["0"], steps=6, learning_rate=0.1, batch_size=3, precision="float64")
    items = {
        seed: [[int(np.flatnonzero((task.inputs == x).all(1))[0]) for x in b.numpy()] for b in met[seed]]
        for seed in met
    }
    for batches in items.values():
        assert [len(batch) for batch in batches] == [3] * 6  # one for each update, and none only to be looked at
        first, second = [*chain(*batches[:3])], [*chain(*batches[3:6])]
        assert len(set(first)) == len(set(second)) == 9
        assert first != second
    assert items[0] != items[1]
    expected = torch.randperm(11, generator=generator(1, "order", 0))[:9].tolist()
    assert [*chain(*items[1][:3])] == expected


@pytest.mark.parametrize("stack", [True, False])
def test_minibatch_training_is_that_of_a_plain_loop_over_the_same_batches(stack):
    task, seeds = crowd(items=7), (3, 8)
    ours = train(task, SMALL, seeds=seeds, steps=40, batch_size=2, precision="float64", stack=stack)
    for index, seed in enumerate(seeds):
        network = SMALL.build(3, 2, seed)
        x, y = torch.as_tensor(task.inputs), torch.as_tensor(task.targets)
        descent = torch.optim.SGD(network.parameters(), lr=SMALL.learning_rate)
        for step in range(41):
            with torch.no_grad():
                np.testing.assert_allclose(ours.outputs[index, step], network(x).numpy(), rtol=0, atol=1e-11)
                whole = float(((network(x) - y) ** 2).mean() / 2)
            assert ours.loss[index, step] == pytest.approx(whole, rel=1e-10)  # of all items, not of the batch
            rows = torch.randperm(7, generator=generator(seed, "order", step // 3))[step % 3 * 2 :][:2]
            descent.zero_grad()
            (((network(x[rows]) - y[rows]) ** 2).mean() / 2).backward()
            descent.step()


def test_the_probe_is_seen_in_its_own_order_and_the_loss_is_that_of_all_items():
    whole = train(crowd(), SMALL, steps=10, precision="float64")
    part = train(crowd(probe=(4, 1)), SMALL, steps=10, precision="float64")
    np.testing.assert_allclose(part.outputs, whole.outputs[:, :, [4, 1]], rtol=1e-10)
    np.testing.assert_allclose(part.loss, whole.loss, rtol=1e-10)
    np.testing.assert_allclose(
        part.representation("hidden.1"), whole.representation("hidden.1")[:, :, [4, 1]], atol=1e-12
    )
    assert part.items == ("item 4", "item 1")


# Recording


@pytest.mark.parametrize("stack", [True, False])
@pytest.mark.parametrize("schedule", [every(1), every(7), log_spaced(6), Schedule.parse("every 100")], ids=str)
def test_recorded_steps_are_those_of_the_whole_record(schedule, stack):
    asked = {"seeds": (1, 2), "steps": 30, "precision": "float64", "stack": stack}
    whole, some = train(TWO, SMALL, **asked), train(TWO, SMALL, record=schedule, **asked)
    assert whole.steps.tolist() == list(range(31))
    assert some.steps.tolist() == schedule.at(30).tolist()
    assert some.steps[0] == 0
    assert some.steps[-1] == 30
    for name, values in arrays(some).items():
        np.testing.assert_array_equal(values, arrays(whole)[name][:, schedule.at(30)])


def test_step_zero_is_the_untrained_network_and_the_last_has_had_every_update():
    seen = train(TWO, SMALL, steps=2, precision="float64")
    start = SMALL.build(1, 1, 0)
    x, y = torch.as_tensor(TWO.inputs), torch.as_tensor(TWO.targets)
    for step in range(3):
        outputs = start(x)
        np.testing.assert_allclose(seen.outputs[0, step], outputs.detach().numpy(), rtol=1e-12)
        loss = ((outputs - y) ** 2).mean() / 2
        assert seen.loss[0, step] == pytest.approx(float(loss.detach()), rel=1e-12)
        gradients = torch.autograd.grad(loss, list(start.parameters()))
        with torch.no_grad():
            for weight, gradient in zip(start.parameters(), gradients, strict=True):
                weight.sub_(SMALL.learning_rate * gradient)


def test_schedules_are_read_from_their_words():
    assert Schedule.parse(" every 4 ").at(10).tolist() == [0, 4, 8, 10]
    assert Schedule.parse("log 50") == log_spaced(50)
    assert str(every(3)) == "every 3"
    assert every(5).at(1).tolist() == log_spaced(9).at(1).tolist() == [0, 1]
    for steps in (1, 2, 5, 100, 12_345):
        for number in (3, 10, 500):
            taken = log_spaced(number).at(steps)
            assert taken[0] == 0
            assert taken[-1] == steps
            assert len(taken) <= number + 1
            assert (np.diff(taken) > 0).all()


@pytest.mark.parametrize("text", ["daily", "every", "every -1", "every 2.5", "log", "every 3 log 4", ""])
def test_words_that_are_no_schedule_are_refused(text):
    with pytest.raises(SpecificationError, match="a schedule is 'every N' or 'log N', as in 'every 10'; got"):
        Schedule.parse(text)


@pytest.mark.parametrize("make", [partial(every, 0), partial(log_spaced, 2), partial(Schedule.parse, "every 0")])
def test_schedules_of_too_few_steps_are_refused(make):
    with pytest.raises(SpecificationError, match="'every N' with N ≥ 1 or 'log N' with N ≥ 3; got"):
        make()


def test_several_layers_are_watched_after_their_activation_and_inside():
    layers = ["hidden.0", "hidden.1.linear", "hidden.1", "readout"]
    seen = train(TWO, SMALL.model_copy(update={"activation": "relu"}), layers=layers, steps=3)
    assert seen.layers == tuple(layers)
    inside, outside = seen.representation("hidden.1.linear"), seen.representation("hidden.1")
    np.testing.assert_array_equal(np.maximum(inside, 0), outside)
    assert (inside < 0).any()
    np.testing.assert_array_equal(seen.representation("readout"), seen.outputs)


def test_updates_are_counted():
    counted = []
    train(TWO, SMALL, seeds=range(3), steps=10, stack=True, on_step=counted.append)
    assert counted == [3] * 10
    counted.clear()
    train(TWO, SMALL, seeds=range(3), steps=10, stack=False, on_step=counted.append)
    assert counted == [1] * 30


def test_a_trajectory_says_what_made_it():
    told = train(TWO, SMALL, seeds=(3,), steps=4, record=every(2)).about
    assert told["network"] == SMALL.model_dump()
    assert told["members"] == [{"seed": 3, "gain": 0.9}]
    assert (told["steps"], told["record"], told["optimiser"]) == (4, "every 2", "sgd")
    assert told["versions"] == versions()
    assert versions()["torch"] == torch.__version__


# Divergence, and stopping


@pytest.mark.parametrize("batch_size", [None, 4])
@pytest.mark.parametrize("stack", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_network_that_diverges_ends_in_nan_and_leaves_the_others_unchanged(kind, stack, batch_size):
    asked = {"seeds": (0, 1), "steps": 60, "record": every(3), "precision": "float64", "batch_size": batch_size}
    task, huge = crowd(), {"adam": 1e200}.get(kind, 1e5)
    mixed = train(task, KINDS[kind], gains=(0.6, huge), stack=stack, **asked)
    alone = train(task, KINDS[kind], gains=(0.6,), stack=stack, **asked)
    assert mixed.fates == ("trained", "trained", "diverged", "diverged")
    assert np.isfinite(mixed.loss[:2]).all()
    assert np.isnan(mixed.loss[2:, -1]).all()
    assert np.isnan(mixed.outputs[2:, -1]).all()
    assert np.isnan(mixed.representation(KINDS[kind].layer)[2:, -1]).all()
    for index in range(2):
        assert far(network_of(mixed, index), network_of(alone, index)) < 1e-12


@pytest.mark.parametrize("stack", [True, False])
def test_all_networks_may_diverge(stack):
    seen = train(TWO, SMALL, seeds=range(3), steps=50, learning_rate=1e6, stack=stack)
    assert seen.fates == ("diverged",) * 3
    assert np.isfinite(seen.loss[:, 0]).all()
    assert np.isnan(seen.loss[:, -1]).all()


@pytest.mark.parametrize("stack", [True, False])
@pytest.mark.parametrize("kind", ["mlp", "adam", "dropout", "half frozen"])
def test_a_network_stops_at_the_first_recorded_step_with_the_loss_asked_for(kind, stack):
    asked = {"seeds": range(4), "steps": 60, "record": every(5), "precision": "float64", "stack": stack}
    network = KINDS.get(kind, half_frozen)
    if network is half_frozen:
        asked |= {"layers": ["0"], "learning_rate": 0.1}
    whole = train(crowd(), network, **asked)
    limit = float(whole.loss[:, 6].min()) * (1 + 1e-9)  # the first gets there half way
    ends = set()
    stopped = train(crowd(), network, stop_loss=limit, **asked)
    for index in range(4):
        reached = whole.loss[index] <= limit
        assert stopped.fates[index] == ("learned" if reached.any() else "trained")
        kept = int(reached.argmax()) + 1 if reached.any() else len(whole.steps)
        ends.add(kept)
        np.testing.assert_allclose(stopped.loss[index, :kept], whole.loss[index, :kept], rtol=1e-10)
        np.testing.assert_allclose(stopped.outputs[index, :kept], whole.outputs[index, :kept], rtol=0, atol=1e-10)
        assert np.isnan(stopped.loss[index, kept:]).all()
        assert np.isnan(stopped.outputs[index, kept:]).all()
    assert min(ends) < max(ends) - 1  # some went on for several rows without the others


# A kill


class Killed(Exception):
    """In place of a kill."""


def killer(at):
    """Raise after so many calls."""
    left = [at]

    def count(_updates):
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    return count


@pytest.mark.parametrize("case", ["full", "minibatch", "diverging", "stopping"])
@pytest.mark.parametrize("stack", [True, False])
@pytest.mark.parametrize("kind", ["mlp", "adam", "dropout"])
def test_a_killed_training_resumes_with_the_same_numbers(tmp_path, kind, stack, case):
    task = crowd()
    asked = {"seeds": (0, 1), "steps": 12, "record": every(2), "stack": stack, "gains": (0.9,)}
    if case == "minibatch":
        asked["batch_size"] = 3
    if case == "diverging":
        asked["gains"] = (0.9, 1e30)
    if case == "stopping":
        asked["stop_loss"] = float(train(task, KINDS[kind], **asked).loss[0, 3])
    whole = train(task, KINDS[kind], **asked)
    if case == "diverging":
        assert whole.fates[2:] == ("diverged", "diverged")
    if case == "stopping":
        assert "learned" in whole.fates
    for step in (1, 2, 5, 11, 12):
        folder = tmp_path / str(step)
        for again in (step, 2):  # killed, and killed once more
            try:
                first = train(task, KINDS[kind], checkpoint=Checkpoint(folder, 0), on_step=killer(again), **asked)
            except Killed:
                assert folder.is_dir()
            else:
                assert same(first, whole)
        assert same(train(task, KINDS[kind], checkpoint=Checkpoint(folder, 0), **asked), whole)
        assert not folder.exists()


def test_a_kill_of_all_but_finished_networks_resumes(tmp_path):
    asked = {"seeds": (0, 1), "steps": 30, "learning_rate": 1e6}
    for stack in (True, False):
        whole = train(TWO, SMALL, stack=stack, **asked)
        folder = tmp_path / str(stack)
        with pytest.raises(Killed):
            train(TWO, SMALL, stack=stack, checkpoint=Checkpoint(folder, 0), on_step=killer(2), **asked)
        assert same(train(TWO, SMALL, stack=stack, checkpoint=Checkpoint(folder, 0), **asked), whole)


def test_saving_between_two_steps_of_many_keeps_every_recorded_row(tmp_path, monkeypatch):
    asked = {"seeds": (0, 1), "steps": 40, "record": every(3), "stack": True}
    whole, clock = train(TWO, SMALL, **asked), [0.0]
    monkeypatch.setattr("syzygy.snapshot.time.monotonic", lambda: clock.__setitem__(0, clock[0] + 1) or clock[0])
    with pytest.raises(Killed):
        train(TWO, SMALL, checkpoint=Checkpoint(tmp_path / "c", 7), on_step=killer(33), **asked)
    assert 1 < len(list((tmp_path / "c" / "0").glob("record-*"))) < 12
    assert same(train(TWO, SMALL, checkpoint=Checkpoint(tmp_path / "c", 7), **asked), whole)


class Batchnormed(nn.Module):
    """Two names for one layer, buffers that training changes, and a layer that training freezes."""

    def __init__(self):
        super().__init__()
        self.a, self.normal, self.b = nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Linear(8, 2)
        self.same, self.idle = self.b, nn.Linear(1, 1)
        self.a.bias.requires_grad_(False)

    def forward(self, x):
        return self.same(torch.tanh(self.normal(self.a(x))))


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
@pytest.mark.parametrize("stack", [True, False])
def test_a_network_of_ones_own_resumes_with_its_buffers(tmp_path, stack, optimiser):
    asked = {"seeds": (0, 1), "layers": ["normal"], "steps": 10, "learning_rate": 0.1}
    asked |= {"stack": stack, "optimiser": optimiser}
    whole = train(crowd(), lambda _: Batchnormed(), **asked)
    with pytest.raises(Killed):
        train(crowd(), lambda _: Batchnormed(), checkpoint=Checkpoint(tmp_path / "c", 0), on_step=killer(6), **asked)
    assert same(train(crowd(), lambda _: Batchnormed(), checkpoint=Checkpoint(tmp_path / "c", 0), **asked), whole)


def killed_folder(folder, **changes):
    asked = {"seeds": (0, 1), "steps": 12, "stack": True} | changes
    with pytest.raises(Killed):
        train(TWO, SMALL, checkpoint=Checkpoint(folder, 0), on_step=killer(6), **asked)
    return asked


@pytest.mark.parametrize("name", ["state.safetensors", "record-00002.safetensors"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "garbage", "gone"])
def test_a_damaged_checkpoint_is_refused_with_what_to_do(tmp_path, name, damage):
    asked = killed_folder(tmp_path / "c")
    path = tmp_path / "c" / "0" / name
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes({"truncated": content[:-5], "empty": b"", "garbage": b"\x07" * len(content)}[damage])
    again = partial(train, TWO, SMALL, checkpoint=Checkpoint(tmp_path / "c", 0), **asked)
    if (name, damage) == ("state.safetensors", "gone"):
        assert same(again(), train(TWO, SMALL, **asked))  # nothing was saved, then: from the start
        return
    with pytest.raises(
        RunError, match=r"c/0.* is damaged \(.+\); remove (it|that folder) to (begin anew|train from the start)"
    ):
        again()


@pytest.mark.parametrize(
    "change",
    [{"seeds": (0, 2)}, {"steps": 13}, {"learning_rate": 0.2}, {"gains": (0.8,)}, {"precision": "float64"}],
    ids=lambda change: next(iter(change)),
)
def test_a_checkpoint_of_another_training_is_refused(tmp_path, change):
    asked = killed_folder(tmp_path / "c")
    with pytest.raises(RunError, match=r"c/0/state.safetensors is of another training; remove it, or name"):
        train(TWO, SMALL, checkpoint=Checkpoint(tmp_path / "c", 0), **(asked | change))


SCRIPT = """
    import os, signal, sys
    from pathlib import Path
    import torch
    from syzygy import Checkpoint, every, setting, train, two_points
    from syzygy.store import FolderStore

    torch.set_num_threads(1)
    folder, left = Path(sys.argv[1]), [int(sys.argv[3])]

    def count(_updates):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    row = setting({"like": "dropout", "name": "d", "width": 30, "depth": 3, "layer": "hidden.1"})
    seen = train(two_points(), row, seeds=(0, 1), steps=60, record=every(4), optimiser="adam", learning_rate=0.003,
                 stack=sys.argv[2] == "stack", checkpoint=Checkpoint(folder / "checkpoint", 0), on_step=count)
    FolderStore(folder / "store").put({}, seen)
"""


@pytest.mark.parametrize("kind", ["stack", "single"])
def test_a_really_killed_process_is_resumed_by_another(tmp_path, kind):
    def launch(kill):
        command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(tmp_path), kind, str(kill)]
        return subprocess.run(command, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"}).returncode

    assert launch(37) == -signal.SIGKILL
    assert (tmp_path / "checkpoint").is_dir()
    assert not (tmp_path / "store").exists()
    assert launch(0) == 0
    row = setting({"like": "dropout", "name": "d", "width": 30, "depth": 3, "layer": "hidden.1"})
    asked = {"seeds": (0, 1), "steps": 60, "record": every(4), "optimiser": "adam", "learning_rate": 0.003}
    assert same(FolderStore(tmp_path / "store").get({}), train(two_points(), row, stack=kind == "stack", **asked))


# A network of one's own


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_a_network_of_ones_own_trains_reproducibly_and_leaves_the_global_random_state(optimiser):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = train(crowd(inputs=1, outputs=1), lambda _: Own(), seeds=(0, 1), optimiser=optimiser, **OWN)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(5)
    assert same(first, train(crowd(inputs=1, outputs=1), lambda _: Own(), seeds=(0, 1), optimiser=optimiser, **OWN))
    alone = train(crowd(inputs=1, outputs=1), lambda _: Own(), seeds=(1,), optimiser=optimiser, **OWN)
    assert far(network_of(first, 1), arrays(alone)) == 0
    assert (first.loss[:, -1] < first.loss[:, 0]).all()
    assert first.representation("normal").shape == (2, 21, 11, 40)


@pytest.mark.parametrize("kind", [SMALL, KINDS["dropout"], KINDS["adam"]], ids=["mlp", "dropout", "adam"])
@pytest.mark.parametrize("stack", [True, False])
def test_training_leaves_the_global_random_state_alone(kind, stack):
    before = torch.get_rng_state()
    train(crowd(), kind, seeds=(0, 1), steps=3, batch_size=4, stack=stack)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_network_of_ones_own_starts_from_the_stream_of_its_seed():
    made = []
    train(TWO, lambda seed: made.append((seed, nn.Sequential(nn.Linear(1, 1)))) or made[-1][1], seeds=(6,),
          layers=["0"], steps=1, learning_rate=1e-30)  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream(6, "weights"))
        expected = nn.Linear(1, 1).weight
    assert made[0][0] == 6
    assert torch.equal(made[0][1][0].weight, expected)


def test_dropout_by_function_is_off_where_the_network_is_observed():
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(1, 30), nn.Linear(30, 1)

        def forward(self, x):
            return self.b(functional.dropout(torch.tanh(self.a(x)), 0.5, self.training))

    made = []
    seen = train(TWO, lambda _: made.append(Noisy()) or made[0], layers=["a"], steps=3, learning_rate=0.1)
    with torch.no_grad():
        outputs = made[0].eval()(torch.as_tensor(TWO.inputs, dtype=torch.float32))
    np.testing.assert_allclose(seen.outputs[0, -1], outputs.numpy(), rtol=1e-6)


def test_a_layer_that_does_not_exist_is_refused_with_the_near_ones():
    for stack in (True, False):
        with pytest.raises(UnknownName, match=r"unknown layer 'hidden\.7'; did you mean hidden\.1.*known: hidden, "):
            train(TWO, SMALL, layers=["hidden.7"], steps=2, stack=stack)
    with pytest.raises(UnknownName, match=r"unknown layer 'fist'; did you mean first, last\?"):
        train(TWO, lambda _: Own(), **(OWN | {"layers": ["fist"]}))
    with pytest.raises(UnknownName, match=r"unknown layer ''"):
        train(TWO, SMALL, layers=[""], steps=2)
    with pytest.raises(UnknownName, match=r"unknown layer 'hidden\.1'"):  # changed depth, forgotten layer
        train(TWO, setting({"like": "shallow", "depth": 1}), steps=2)


def test_a_layer_that_gives_no_tensor_is_refused():
    class Sizes(nn.Module):
        def forward(self, x):
            return {"shape": tuple(x.shape)}

    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell, self.out = Sizes(), nn.Linear(1, 1)

        def forward(self, x):
            self.cell(x)
            return self.out(x)

    with pytest.raises(ShapeError, match=r"layer 'cell' gives dict, in which there is no tensor \(item, …\)"):
        train(TWO, lambda _: Counting(), layers=["cell"], steps=2, learning_rate=0.1)


@pytest.mark.parametrize(("gives", "wants"), [(3, 1), (3, 2), (1, 2)])
@pytest.mark.parametrize("stack", [True, False])
def test_outputs_that_do_not_fit_the_targets_are_refused_with_both_shapes(gives, wants, stack):
    says = rf"the network gives outputs \(2, {gives}\) for targets \(2, {wants}\)"
    with pytest.raises(ShapeError, match=says):
        train(
            two_points(output_dim=wants),
            lambda _: nn.Sequential(nn.Linear(1, gives)),
            layers=["0"],
            steps=2,
            learning_rate=0.1,
            stack=stack,
        )


def test_outputs_with_an_axis_too_few_or_too_many_are_refused():
    class Flat(nn.Sequential):
        def forward(self, x):
            return super().forward(x)[:, 0]

    class Deep(nn.Sequential):
        def forward(self, x):
            return super().forward(x).expand(3, -1, -1)

    for network in (Flat, Deep):
        with pytest.raises(ShapeError, match=r"the network gives outputs \(.*2.*\) for targets \(2, 1\)"):
            train(TWO, lambda _, made=network: made(nn.Linear(1, 1)), layers=["0"], steps=2, learning_rate=0.1)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"steps": 0}, "steps must be 1 or more and learning_rate positive; got 0"),
        ({"learning_rate": 0.0}, "learning_rate positive; got 3000, 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate positive; got 3000, nan"),
        ({"batch_size": 0}, "batch_size must lie between 1 and the task's 2 items; got 0"),
        ({"batch_size": 3}, "batch_size must lie between 1 and the task's 2 items; got 3"),
        ({"seeds": ()}, r"seeds must be different integers, zero or more, at least one; got \[\]"),
        ({"seeds": (1, 1)}, r"seeds must be different integers, zero or more, at least one; got \[1, 1\]"),
        ({"seeds": (-1,)}, r"seeds must be different integers, zero or more, at least one; got \[-1\]"),
        ({"gains": ()}, r"gains must be positive numbers, at least one; got \[\]"),
        ({"gains": (1, 0)}, r"gains must be positive numbers, at least one; got \[1.0, 0.0\]"),
        (
            {"precision": "float16"},
            r"unknown precision 'float16'; did you mean float32, float64\?|did you mean float64",
        ),
        ({"optimiser": "adamw"}, r"unknown optimiser 'adamw'; did you mean adam\?"),
    ],
)
def test_what_cannot_be_asked_is_refused(wrong, says):
    with pytest.raises(SpecificationError, match=says):
        train(TWO, SMALL, **wrong)


@pytest.mark.parametrize("missing", ["steps", "learning_rate", "layers"])
def test_a_network_of_ones_own_needs_what_only_the_catalogue_knows(missing):
    given = {key: value for key, value in OWN.items() if key != missing}
    with pytest.raises(SpecificationError, match=r"a network of one's own needs steps=, learning_rate= and layers="):
        train(TWO, lambda _: Own(), **given)


def test_a_network_of_ones_own_has_no_gains():
    with pytest.raises(SpecificationError, match="gains are of the catalogue's networks; a network of one's own draws"):
        train(TWO, lambda _: Own(), gains=(1.0,), **OWN)


@pytest.mark.parametrize("network", [Own(), 42], ids=["instance", "number"])
def test_a_network_must_be_a_name_a_setting_or_a_function(network):
    says = f"a function from a seed to a module; got {type(network).__name__}"
    with pytest.raises(SpecificationError, match=says):
        train(TWO, network, **OWN)


def test_an_unknown_network_is_refused_by_name():
    with pytest.raises(UnknownName, match="unknown network 'defautl'; did you mean default"):
        train(TWO, "defautl")


# Many jobs


def jobs():
    record = every(10)
    return [
        Job("two-points", {"dx2": 1.5}, SMALL.model_copy(update={"steps": 40}), (0, 1, 2), record),
        Job("two-points", {}, KINDS["dropout"].model_copy(update={"steps": 30}), (4,), record, precision="float64"),
        Job("two-points", {}, SMALL.model_copy(update={"steps": 20}), (5, 6), record, batch_size=1, stop_loss=1e-3),
    ]


def test_a_job_trains_what_train_trains():
    first = jobs()[0]
    ours = first.run()
    theirs = train(two_points(dx2=1.5), SMALL, seeds=(0, 1, 2), steps=40, record=every(10))
    assert same(ours, theirs)


def test_a_jobs_name_and_words_do_not_decide_where_it_is_found():
    first = jobs()[0]
    renamed = first.network.model_copy(update={"name": "other", "about": "words"})
    assert Job(**(vars(first) | {"network": renamed})).asked() == first.asked()
    for change in (
        {"seeds": (0, 1)},
        {"options": {}},
        {"record": every(5)},
        {"precision": "float64"},
        {"batch_size": 1},
    ):
        assert Job(**(vars(first) | change)).asked() != first.asked()


def test_jobs_are_split_by_the_size_of_their_network():
    small = Job("two-points", {}, setting({"like": "shallow", "width": 30}), (0, 1, 2), every(10))
    assert small.parts() == [small]
    for name in ("default", "cnn"):
        large = Job("two-points", {}, setting(name), (0, 1, 2), every(10))
        parts = large.parts()
        assert [part.seeds for part in parts] == [(0,), (1,), (2,)]
        assert {part.network for part in parts} == {large.network}
    assert large.work == pytest.approx(sum(part.work for part in parts))


def test_the_zoo_gives_the_same_numbers_from_every_store_and_trains_nothing_twice(tmp_path, monkeypatch):
    stores, done = (MemoryStore(), FolderStore(tmp_path)), []
    zoos = [{job.seeds: t for job, t in train_zoo(jobs(), store, progress=done.append)} for store in stores]
    assert sum(done) <= 2 * sum(job.work for job in jobs()) * (1 + 1e-9)
    for job in jobs():
        assert same(zoos[0][job.seeds], zoos[1][job.seeds])
        assert same(zoos[0][job.seeds], job.run())
    assert not list(tmp_path.glob("*.training"))

    def never(*_arguments, **_options):
        raise AssertionError("trained again")

    monkeypatch.setattr("syzygy.training.job.train", never)
    for store, zoo in zip(stores, zoos, strict=True):
        done.clear()
        found = {job.seeds: t for job, t in train_zoo(jobs(), store, progress=done.append)}
        assert all(same(found[seeds], zoo[seeds]) for seeds in zoo)
        assert sum(done) == pytest.approx(sum(job.work for job in jobs()))


def test_the_longest_job_goes_first():
    order = [job.work for job, _ in train_zoo(jobs(), MemoryStore())]
    assert order == sorted(order, reverse=True)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_processes_that_nobody_listens_to_end(tmp_path):
    """More reports than a pipe holds: without a reader, they must not be sent."""
    network = setting({"like": "two_layer", "name": "tiny", "width": 2, "steps": 5000})
    parts = [Job("two-points", {}, network, tuple(range(20 * i, 20 * i + 20)), every(5000)) for i in range(2)]
    assert len(list(train_zoo(parts, FolderStore(tmp_path), processes=2))) == 2


def test_two_processes_give_the_numbers_of_one(tmp_path):
    done = []
    one = {job.seeds: t for job, t in train_zoo(jobs(), MemoryStore())}
    two = {job.seeds: t for job, t in train_zoo(jobs(), FolderStore(tmp_path), processes=2, progress=done.append)}
    assert one.keys() == two.keys()
    assert all(same(one[seeds], two[seeds]) for seeds in one)


def test_a_job_that_fails_in_another_process_fails_here_with_its_message(tmp_path):
    bad = [
        Job("two-points", {}, SMALL.model_copy(update={"steps": 20, "layer": "hidden.9"}), (seed,), every(10))
        for seed in (0, 1)
    ]
    with pytest.raises(UnknownName, match=r"unknown layer 'hidden\.9'; did you mean hidden\.1"):
        list(train_zoo(bad, FolderStore(tmp_path), processes=2))


def test_a_full_disk_is_said_as_such_and_leaves_no_half_file(tmp_path, monkeypatch):
    def full(_path, _content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left on device"):
        train(two_points(), SMALL, steps=20, record=every(10), checkpoint=Checkpoint(tmp_path, seconds=0))
    assert not list(tmp_path.rglob("*.part"))


def test_a_zoo_that_was_interrupted_goes_on_from_its_checkpoints(tmp_path, monkeypatch):
    first, store = jobs()[0], FolderStore(tmp_path)
    monkeypatch.setattr("syzygy.training.job.Checkpoint", lambda folder: Checkpoint(folder, 0))
    monkeypatch.setattr("syzygy.training.job.REPORT_EVERY", 1)
    with pytest.raises(Killed):
        list(train_zoo([first], store, progress=killer(9)))
    assert store.checkpoint(first.asked()).is_dir()
    steps = []
    ((_, resumed),) = train_zoo([first], store, progress=steps.append)
    assert sum(steps) < first.work
    assert same(resumed, first.run())
    assert not store.checkpoint(first.asked()).exists()


@pytest.mark.parametrize(
    "start", [lambda: list(train_zoo(jobs()[:1], MemoryStore())), lambda: train(TWO, SMALL, steps=2)]
)
def test_small_networks_use_one_thread_and_the_number_is_restored(monkeypatch, start):
    threads, step = [], Single.update

    def update(learner):
        threads.append(torch.get_num_threads())
        step(learner)

    monkeypatch.setattr(Single, "update", update)
    monkeypatch.setattr(Stack, "update", lambda _: threads.append(torch.get_num_threads()))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        start()
        assert set(threads) == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


# What cannot be is refused


def test_a_checkpoint_of_other_data_is_refused(tmp_path):
    def stop(_updates):
        raise KeyboardInterrupt

    asked = {"network": "two_layer", "steps": 50, "record": every(10)}
    with pytest.raises(KeyboardInterrupt):
        train(two_points(dx2=1.0), **asked, checkpoint=Checkpoint(tmp_path, seconds=0), on_step=stop)
    with pytest.raises(RunError, match="of another training"):
        train(two_points(dx2=2.0), **asked, checkpoint=Checkpoint(tmp_path, seconds=0))


def test_modules_with_noise_of_their_own_are_not_stacked():
    def network(_seed):
        return nn.Sequential(nn.Linear(1, 8), nn.Dropout(0.1), nn.Linear(8, 1))

    with pytest.raises(SpecificationError, match="cannot train in a stack"):
        train(two_points(), network, seeds=range(2), layers=["0"], steps=5, learning_rate=0.1, stack=True)


def test_a_function_that_gives_no_module_is_refused():
    with pytest.raises(SpecificationError, match=r"must give a torch\.nn\.Module; it gave int"):
        train(two_points(), lambda seed: seed, layers=["0"], steps=5, learning_rate=0.1)
