"""A recorder in loops of one's own: it changes nothing, and sees what our own training sees."""

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import syzygy
from syzygy.errors import DataError, RunError, ShapeError, SpecificationError, UnknownName
from syzygy.explanation import explanation
from syzygy.recorder.identity import structure, weights
from syzygy.recorder.moments import Moments
from syzygy.recorder.optimiser import trained_by
from syzygy.recorder.placed import device_of, placed
from syzygy.recorder.targets import Targets
from syzygy.recording import Probe

STORES = ["memory", "folder"]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


class Block(nn.Module):
    """With all that behaves otherwise in evaluation."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(6)
        self.mlp = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Dropout(0.3))

    def forward(self, x):
        return x + self.mlp(self.norm(x))


class Sum(nn.Module):
    """Blocks that add up."""

    def __init__(self, blocks=3, outputs=3):
        super().__init__()
        self.blocks = nn.ModuleList(Block() for _ in range(blocks))
        self.head = nn.Linear(6, outputs)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def seeded(make, seed=0):
    """A model that is the same for the same seed, whatever was drawn before."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make()


@pytest.fixture
def model():
    return seeded(Sum)


@pytest.fixture
def probe():
    return torch.randn(8, 6, generator=generator())


def hooks(model):
    return sum(len(one._forward_hooks) + len(one._forward_pre_hooks) for one in model.modules())


def arrays(trajectory):
    layers = {layer: trajectory.representation(layer) for layer in trajectory.layers}
    return layers | {name: getattr(trajectory, name) for name in ("steps", "loss", "outputs", "inputs", "targets")}


def same(one, other):
    ours, theirs = arrays(one), arrays(other)
    return ours.keys() == theirs.keys() and all(
        ours[name].tobytes() == theirs[name].tobytes() and ours[name].shape == theirs[name].shape for name in ours
    )


# A loop of one's own


def learn(record, steps=30):
    """Learn classes with all that a loop may have; say everything that its numbers depend on."""
    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(3)
    model = seeded(Sum, 1)
    x = torch.randn(40, 6, generator=generator(2))
    loader = DataLoader(TensorDataset(x, (x[:, 0] > 0).long()), batch_size=8, shuffle=True)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    recorder = record(model)
    model.train()
    model.blocks[1].norm.eval()  # frozen by its owner
    step, losses = 0, []
    while step < steps:
        for batch, target in loader:
            loss = functional.cross_entropy(model(batch), target)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
            step += 1
            recorder(step)
    moments = [value for state in optimiser.state.values() for value in state.values()]
    tensors = [*model.state_dict().values(), *moments, *(one.grad for one in model.parameters()), torch.get_rng_state()]
    told = [
        np.random.random(),  # noqa: NPY002
        random.random(),
        losses,
        [module.training for module in model.modules()],
    ]
    return [one.numpy().tobytes() for one in tensors], told, hooks(model)


def test_the_training_does_not_know_that_it_is_recorded(probe):
    made = []

    def record(model):
        made.append(syzygy.Recorder(model, layers=["blocks.*.mlp", "head"], probe=probe, at=syzygy.every(3), batch=3))
        return made[0]

    assert learn(record) == learn(lambda _: lambda _: None)
    assert made[0].trajectory.steps.tolist() == list(range(3, 31, 3))


def test_the_example_runs_as_it_is_written(model, probe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, loader, probe_batch = seeded(lambda: Sum(8)), DataLoader(torch.ones(20, 6)), probe
    recorder = syzygy.Recorder(
        model, layers=["blocks.3", "blocks.7.mlp"], probe=probe_batch, at=syzygy.log_spaced(200), store="runs/vit"
    )
    for step, _batch in enumerate(loader):
        recorder(step)  # eval mode, no grad, restored afterwards
    trajectory = recorder.trajectory
    assert trajectory.steps.tolist() == [step for step in range(20) if step in Moments.of(syzygy.log_spaced(200))]
    assert trajectory.representation("blocks.7.mlp").shape == (1, len(trajectory.steps), 8, 6)


def test_what_is_recorded_is_what_the_model_gives(model, probe):
    model.train()
    recorder = syzygy.Recorder(model, layers=["blocks.0.mlp", "head"], probe=probe, at=[0, 2], batch=3)
    met = []
    counting = model.register_forward_pre_hook(lambda _, given: met.append(len(given[0])))
    assert [recorder(step) for step in range(4)] == [True, False, True, False]
    counting.remove()
    assert met == [3, 3, 2, 3, 3, 2]
    assert all(module.training for module in model.modules())
    trajectory = recorder.trajectory
    with torch.no_grad():
        model.eval()
        expected = model(probe).numpy(), model.blocks[0].mlp(model.blocks[0].norm(probe)).numpy()
    for step in range(2):
        np.testing.assert_allclose(trajectory.outputs[0, step], expected[0], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(trajectory.representation("head")[0, step], expected[0], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(
            trajectory.representation("blocks.0.mlp")[0, step], expected[1], rtol=1e-5, atol=1e-6
        )
    assert np.array_equal(trajectory.inputs, probe.numpy())
    assert trajectory.items == tuple(f"item {index}" for index in range(8))
    assert np.isnan(trajectory.loss).all()


def test_a_context_manager_follows_an_optimiser(model, probe):
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = syzygy.Recorder(model, layers=["head"], probe=probe, at=syzygy.every(4))

    def theirs(updates):
        for _ in range(updates):
            model(probe).square().mean().backward()
            optimiser.step()

    with recorder.following(optimiser):
        theirs(10)
    assert recorder.trajectory.steps.tolist() == [0, 4, 8, 10]
    theirs(5)
    assert recorder.steps == (0, 4, 8, 10)
    with recorder.following(optimiser, done=15):
        pass
    assert recorder.steps == (0, 4, 8, 10)  # nothing was learned
    with pytest.raises(TypeError), recorder.following(optimiser, done=15):
        theirs([theirs(2)])
    assert recorder.steps == (0, 4, 8, 10, 16)
    assert not optimiser._optimizer_step_post_hooks
    with torch.no_grad():
        assert np.allclose(recorder.trajectory.outputs[0, 3] != recorder.trajectory.outputs[0, 2], True)


@pytest.mark.parametrize(
    "wrap", [nn.DataParallel, pytest.param(partial(torch.compile, backend="eager"), marks=pytest.mark.slow)]
)
def test_wrapped_models_have_the_paths_of_what_is_in_them(model, probe, wrap):
    plain = syzygy.Recorder(model, layers=["head"], probe=probe, at=[0])
    inside = syzygy.Recorder(wrap(model), layers=["head"], probe=probe, at=[0])
    plain(0), inside(0)
    assert same(plain.trajectory, inside.trajectory)
    assert plain.trajectory.about["model"] == inside.trajectory.about["model"]


def test_a_probe_that_the_loop_writes_into_stays_what_it_was(model, probe):
    given = probe.clone()
    recorder = syzygy.Recorder(model, layers=["head"], probe=given, at=syzygy.every(1))
    recorder(0)
    given.zero_()
    recorder(1)
    outputs = recorder.trajectory.outputs
    assert np.array_equal(outputs[0, 0], outputs[0, 1])
    assert np.ptp(outputs[0, 1], axis=0).min() > 0


def test_the_last_step_and_others_can_be_asked_for(model, probe):
    recorder = syzygy.Recorder(model, layers=["head"], probe=probe, at=syzygy.every(10))
    assert [recorder(7, always=True), recorder(8), recorder(8, always=True), recorder(8, always=True)] == [
        *(True, False, True, False)
    ]
    assert recorder.steps == (7, 8)


# What our own training would give


def two_point_network(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(1, 60), nn.Tanh(), nn.Linear(60, 20), nn.Tanh(), nn.Linear(20, 1))


@pytest.fixture(scope="module")
def both():
    """The same network, trained by hand and by us."""
    task, steps, rate = syzygy.two_points(), 1200, 0.02
    ours = syzygy.train(task, two_point_network, layers=["1", "3"], steps=steps, learning_rate=rate,
                        record=syzygy.every(10))  # fmt: skip
    x, y = (torch.as_tensor(values, dtype=torch.float32) for values in (task.inputs, task.targets))
    with torch.random.fork_rng():
        model = two_point_network(0)
    recorder = syzygy.Recorder(model, layers=["1", "3"], probe=x, targets=y, items=task.items, at=syzygy.every(10))
    for step in range(steps + 1):
        recorder(step)
        model.zero_grad()
        (0.5 * (model(x) - y).square().mean()).backward()
        with torch.no_grad():
            for weight in model.parameters():
                weight.sub_(rate * weight.grad)
    return recorder.trajectory, ours


def test_a_hand_written_loop_gives_the_trajectory_of_our_training(both):
    theirs, ours = both
    for name, values in arrays(ours).items():
        np.testing.assert_allclose(arrays(theirs)[name], values, rtol=1e-5, atol=1e-5, err_msg=name)
    assert (theirs.items, theirs.layers, theirs.fates) == (ours.items, ours.layers, ours.fates)
    assert theirs.loss[0, -1] < 0.2 * theirs.loss[0, 0]


@pytest.mark.parametrize("layer", ["1", "3"])
def test_the_theory_fits_both_alike(both, layer):
    theirs, ours = (syzygy.fit_pairs(syzygy.pair_curves(one, layer)) for one in both)
    np.testing.assert_allclose(theirs.eta_h.value, ours.eta_h.value, rtol=1e-5)
    np.testing.assert_allclose(theirs.eta_y.value, ours.eta_y.value, rtol=1e-5)
    np.testing.assert_allclose(theirs.r2["h2"], ours.r2["h2"], atol=1e-5)


def test_recordings_are_aligned_over_training_and_layer_by_layer(probe):
    one, other = seeded(Sum), seeded(lambda: nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 3)), 1)
    recorders = [
        syzygy.Recorder(network, layers=layers, probe=probe, at=syzygy.every(1))
        for network, layers in ((one, ["blocks.*.mlp"]), (other, ["0", "1"]))
    ]
    for recorder in recorders:
        for step in range(3):
            recorder(step)
            with torch.no_grad():
                next(recorder.model.parameters()).add_(0.1)
    trajectories = [recorder.trajectory for recorder in recorders]
    over = syzygy.align(syzygy.Representations.of(trajectories[0], steps="all"), measures=["cka"])
    assert len(over.names) == 3 * 3
    both = syzygy.align({"a": trajectories[0], "b": trajectories[1]}, measures=["cka"])
    expected = syzygy.measures.cka(
        trajectories[0].representation("blocks.1.mlp")[0, -1], trajectories[1].representation("1")[0, -1]
    )
    names = [f"a/seed 0/blocks.{index}.mlp/step 2" for index in range(3)] + [f"b/seed 0/{at}/step 2" for at in (0, 1)]
    assert list(both.names) == names
    assert float(both.score("cka")[1, 4]) == pytest.approx(expected, abs=1e-5)


# Which steps


@pytest.mark.parametrize(
    ("at", "steps", "expected"),
    [
        (syzygy.every(4), None, [0, 4, 8]),
        (syzygy.every(4), 9, [0, 4, 8, 9]),
        (syzygy.log_spaced(4), 9, [0, 1, 3, 9]),
        (syzygy.log_spaced(7), None, [0, 1]),  # 0 and 1, 16, 251, …: those of a million updates
        ([1, 5], None, [1, 5]),
        (np.array([1, 5]), 9, [1, 5]),
        (range(2, 9, 3), None, [2, 5, 8]),
    ],
)
def test_schedules(at, steps, expected):
    moments = Moments.of(at, steps)
    assert [step for step in range(10) if step in moments] == expected


def test_steps_in_logarithmic_spacing_without_an_end_are_those_of_a_million():
    steps = sorted(Moments.of(syzygy.log_spaced(200)).steps)
    assert (steps[0], steps[1], steps[-1]) == (0, 1, 1_000_000)
    assert np.allclose(np.diff(np.log(steps[-50:])), np.log(1e6) / 198, rtol=1e-3)


@pytest.mark.parametrize("at", [100, "log 200", [0.5, 1.0], None, [[1]]])
def test_a_schedule_of_another_type_is_refused(model, probe, at):
    with pytest.raises(SpecificationError, match=r"at= is syzygy.every\(10\), syzygy.log_spaced\(200\) or a list of"):
        syzygy.Recorder(model, layers=["head"], probe=probe, at=at)


@pytest.mark.parametrize("at", [[3, 3], [3, 1], [], [-1, 2]])
def test_steps_of_a_list_rise(model, probe, at):
    with pytest.raises(SpecificationError, match=r"the steps of at= rise from 0 or later, at least one; got"):
        syzygy.Recorder(model, layers=["head"], probe=probe, at=at)


def test_the_number_of_updates_is_a_number(model, probe):
    for steps in (0, 10.0):
        with pytest.raises(SpecificationError, match=r"steps= is the number of updates of the training, 1 or more"):
            syzygy.Recorder(model, layers=["head"], probe=probe, at=syzygy.every(2), steps=steps)


# Targets and losses


def test_classes_become_one_hot_where_there_are_several_outputs():
    classes = torch.tensor([0, 2, 1])
    assert Targets.of(classes, 3, 3).values.tolist() == np.eye(3)[[0, 2, 1]].tolist()
    assert Targets.of([0, 2, 1], 3, 1).values.tolist() == [[0], [2], [1]]
    assert Targets.of([0.5, 2, 1], 3, 1).values.tolist() == [[0.5], [2], [1]]
    assert Targets.of(np.ones((3, 2, 2)), 3, 4).values.shape == (3, 4)
    assert Targets.of(None, 3, 4).values is None


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        ([0, 2], ShapeError, r"the probe has 3 items, and targets \(2,\); give one row per item"),
        (1.0, ShapeError, r"the probe has 3 items, and targets \(\); give one row per item"),
        ([0, 2, 4], DataError, r"classes lie between 0 and 3 for 4 outputs; got"),
        ([0, 2, -1], DataError, r"classes lie between 0 and 3 for 4 outputs; got"),
        (["a", "b", "c"], DataError, r"targets are numbers, \(item, output\) or a class per item; got <U1"),
        (np.ones((3, 2)), ShapeError, r"targets \(3, 2\) fit no outputs \(3, 4\); give them by output or class, or a"),
        ([0.5, 1, 2], ShapeError, r"targets \(3, 1\) fit no outputs \(3, 4\)"),
    ],
)
def test_targets_that_fit_nothing_are_refused(given, error, match):
    with pytest.raises(error, match=match):
        Targets.of(given, 3, 4)


def test_the_loss_is_half_the_mean_square_or_what_is_asked_for(model, probe):
    classes = torch.arange(8) % 3
    asked = {"layers": ["head"], "probe": probe, "targets": classes, "at": syzygy.every(1)}
    plain = syzygy.Recorder(model, **asked)
    entropy = syzygy.Recorder(model, **asked, loss=nn.CrossEntropyLoss(), batch=3)
    plain(0), entropy(0), plain(1, loss=torch.tensor(0.25, requires_grad=True)), plain(2, 7)
    with torch.no_grad():
        outputs = model.eval()(probe)
    half = 0.5 * (outputs - functional.one_hot(classes, 3)).square().mean()
    np.testing.assert_allclose(plain.trajectory.loss[0], [half, 0.25, 7], rtol=1e-6)
    np.testing.assert_allclose(entropy.trajectory.loss[0, 0], functional.cross_entropy(outputs, classes), rtol=1e-6)
    assert np.array_equal(plain.trajectory.targets, np.eye(3)[classes])


def test_targets_that_are_no_outputs_are_for_the_loss_alone(model, probe):
    words = torch.ones(8, 5)
    recorder = syzygy.Recorder(model, layers=["head"], probe=probe, targets=words, at=[0],
                               loss=lambda outputs, targets: float(targets.sum() + outputs.shape[1]))  # fmt: skip
    recorder(0)
    assert recorder.trajectory.loss.item() == 43
    assert np.isnan(recorder.trajectory.targets).all()


def test_a_loss_is_one_number(model, probe):
    recorder = syzygy.Recorder(model, layers=["head"], probe=probe, at=[0], loss=lambda outputs, _: outputs)
    with pytest.raises(DataError, match=r"a loss is one number; got"):
        recorder(0)
    assert recorder.steps == ()
    assert hooks(model) == 0


def test_a_model_without_outputs_has_no_loss(probe):
    model = nn.Conv1d(6, 4, 1)
    with pytest.raises(ShapeError, match=r"no outputs \(item, output\) for a loss= to measure; give the loss at each"):
        syzygy.Recorder(nn.Sequential(model), layers=["0"], probe=probe[:, :, None], at=[0], loss=nn.MSELoss())


# Who is recorded


@pytest.mark.parametrize("store", STORES)
def test_who_follows_an_optimiser_tells_of_it(model, probe, tmp_path, store):
    optimiser = torch.optim.SGD(model.parameters(), lr=torch.tensor(0.25), momentum=0.5)
    asked = {"layers": ["head"], "probe": probe, "at": syzygy.every(1), "targets": torch.arange(8) % 3}
    asked |= {"store": tmp_path / "run"} if store == "folder" else {}
    recorder = syzygy.Recorder(model, **asked, about={"loss": "mse", "optimiser": "my own"})
    with recorder.following(optimiser):
        optimiser.step()
    recorder.close()
    told = {"optimiser": "my own", "learning_rate": 0.25, "momentum": 0.5, "loss": "mse"}
    assert told.items() <= recorder.trajectory.about.items()  # what was said counts
    if store == "folder":
        assert told.items() <= json.loads((tmp_path / "run/manifest.json").read_text(encoding="utf-8"))["about"].items()
        adam = torch.optim.Adam(model.parameters())
        with syzygy.Recorder(model, **asked, resume=True) as again, again.following(adam, done=1):
            pass
        assert told.items() <= again.trajectory.about.items()  # what its steps were made by


@pytest.mark.parametrize("store", STORES)
def test_what_has_begun_is_not_told_anew(model, probe, tmp_path, store):
    place = tmp_path / "run" if store == "folder" else None
    recorder = syzygy.Recorder(model, layers=["head"], probe=probe, at=syzygy.every(1), store=place)
    recorder(0)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    with recorder.following(optimiser, done=1):
        optimiser.step()
    assert recorder.steps == (0, 2)
    assert "optimiser" not in recorder.trajectory.about
    if place:
        assert "optimiser" not in json.loads((place / "manifest.json").read_text(encoding="utf-8"))["about"]


def test_a_fit_knows_who_was_followed():
    x = torch.randn(4, 3, generator=generator())
    model = seeded(lambda: nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1)))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    recorder = syzygy.Recorder(model, layers=["1"], probe=x, targets=x[:, :1], at=syzygy.every(1))
    with recorder.following(optimiser):
        for _ in range(12):
            optimiser.zero_grad()
            (model(x) - x[:, :1]).square().mean().backward()
            optimiser.step()
    found = explanation(recorder.trajectory, ["1"], [("item 0", "item 1")]).findings
    (details,) = (one.details for one in found if one.code == "SZ019")
    unlike = "trained by Adam, not by gradient descent; its rates are no constants"
    assert details[0] == "this recording: loss unknown; say so in about={…} when recording"
    assert details[1] == f"this recording: {unlike}"
    with pytest.raises(UnknownName, match=r"unknown item 0; known: item 0, item 1"):
        explanation(recorder.trajectory, ["1"], [(0, 1)])


def test_what_optimisers_tell():
    class Wrapped(torch.optim.SGD):  # as accelerate does
        def __init__(self, optimizer):
            super().__init__([torch.zeros(1)], lr=9.0)
            self.optimizer = optimizer

    one, other = (nn.Parameter(torch.zeros(1)) for _ in range(2))
    groups = [{"params": [one], "lr": 0.5}, {"params": [other]}]
    assert trained_by([]) == trained_by([None]) == {}
    assert trained_by([torch.optim.SGD([one], lr=0.5)]) == {"optimiser": "SGD", "learning_rate": 0.5}
    assert trained_by([torch.optim.AdamW(groups, lr=0.1)]) == {"optimiser": "AdamW", "learning_rate": [0.1, 0.5]}
    warm = torch.optim.AdamW([one], lr=0.5)
    torch.optim.lr_scheduler.LambdaLR(warm, lambda _: 0.0)
    both = trained_by([Wrapped(warm), torch.optim.SGD([other], lr=0.5)])
    assert both == {"optimiser": ["AdamW", "SGD"], "learning_rate": 0.5}


def test_the_manifest_says_what_was_recorded(model, probe):
    recorder = syzygy.Recorder(model, layers=["head", "blocks.*.mlp"], probe=probe, at=syzygy.log_spaced(5), seed=7,
                               about={"source": "mine"})  # fmt: skip
    recorder(0)
    about = recorder.trajectory.about
    assert about["model"] == structure(model)
    assert about["weights"] == weights(model)
    assert about["data"] == Probe.of(probe).digest()
    assert about["layers"] == [
        {"label": label, "pooling": "flatten"} for label in ("head", *(f"blocks.{index}.mlp" for index in range(3)))
    ]
    assert (about["record"], about["seed"], about["source"], about["precision"]) == ("log 5", 7, "mine", "float32")
    assert about["versions"]["torch"] == torch.__version__
    assert about["versions"].keys() >= {"syzygy", "python"}
    assert about["network"] == {"name": "Sum"}
    assert recorder.trajectory.seeds.tolist() == [7]


def test_hashes_know_structure_and_weights():
    one, other, wider = (seeded(lambda width=width: Sum(outputs=width), seed) for seed, width in enumerate((3, 3, 4)))
    assert structure(one) == structure(other) != structure(wider)
    assert weights(one) == weights(seeded(Sum)) != weights(other)
    assert structure(nn.Sequential(nn.Tanh())) != structure(nn.Sequential(nn.ReLU()))
    assert structure(nn.Linear(2, 2)) != structure(nn.Linear(2, 2).half())
    assert structure(nn.MaxPool2d(2)) != structure(nn.MaxPool2d(3))
    with torch.no_grad():
        before = weights(one)
        one.blocks[0].norm.running_mean += 1
    assert weights(one) != before


class Odd(nn.Module):
    """Says where a function lies in memory, and holds a sparse matrix."""

    def __init__(self, scale=1.0):
        super().__init__()
        self.register_buffer("graph", torch.eye(3).to_sparse() * scale)
        self.function = lambda x: x

    def extra_repr(self):
        return str(self.function)


def test_hashes_do_not_know_where_things_lie():
    assert structure(Odd()) == structure(Odd())
    assert weights(Odd()) == weights(Odd()) != weights(Odd(2.0))


# What cannot be recorded


@pytest.mark.parametrize(
    ("asked", "error", "match"),
    [
        ({"layers": ["blocks.9"]}, UnknownName, r"unknown layer 'blocks.9'; .*known: .*blocks, blocks.0"),
        ({"layers": []}, SpecificationError, r"name at least one layer"),
        ({"layers": ["blocks.0.dropout(x"]}, SpecificationError, r"layer"),
        ({"layers": ["blocks"]}, DataError, r"layer 'blocks' was called never"),
        ({"probe": "images"}, DataError, r"probe"),
        ({"probe": None}, DataError, r"probe"),
        ({"probe": torch.ones(8, 5)}, DataError, r"the model cannot be called with the probe \(.+\)$"),
        ({"probe": (torch.ones(8, 6), torch.ones(8))}, DataError,
         r"the model cannot be called with the probe \(.+\); a tuple is its arguments in order: give the inputs alone"),
        ({"probe": torch.ones(8, 6, device="meta")}, DataError, r"the probe is on meta, the network on cpu; move the"),
        ({"items": ["a", "b"]}, ShapeError, r"8 items"),
        ({"items": ["a"] * 8}, DataError, r"two items of the probe are named 'a'"),
        ({"precision": "float8"}, UnknownName, r"unknown precision 'float8'; known: float16, float32|did you mean"),
        ({"batch": 0}, SpecificationError, r"batch= is the number of items of a forward pass, 1 or more; got 0"),
        ({"about": {"x": {1}}}, SpecificationError, r"JSON"),
    ],
)  # fmt: skip
def test_what_cannot_be_recorded_is_refused_before_the_training(model, probe, asked, error, match):
    with pytest.raises(error, match=match) as raised:
        syzygy.Recorder(model, **({"layers": ["head"], "probe": probe, "at": [0]} | asked))
    assert "\n" not in str(raised.value)
    assert hooks(model) == 0


def test_a_model_is_a_module(probe):
    with pytest.raises(SpecificationError, match=r"a recorder watches a torch.nn.Module; got function"):
        syzygy.Recorder(lambda x: x, layers=["head"], probe=probe, at=[0])


def test_a_single_layer_needs_no_list(model, probe):
    assert [str(one) for one in syzygy.Recorder(model, layers="head", probe=probe, at=[0]).layers] == ["head"]


@pytest.mark.parametrize("step", [-1, 0.5, "1", None])
def test_steps_are_numbers_of_updates(model, probe, step):
    recorder = syzygy.Recorder(model, layers=["head"], probe=probe, at=[0])
    with pytest.raises(SpecificationError, match=r"a step is the number of updates made, 0 or more; got"):
        recorder(step)


@pytest.mark.parametrize("later", [4, 3])
def test_steps_rise(model, probe, later):
    recorder = syzygy.Recorder(model, layers=["head"], probe=probe, at=[0])
    recorder(4)
    with pytest.raises(SpecificationError, match=rf"steps rise from call to call; got {later} after 4"):
        recorder(later)


def test_nothing_recorded_is_no_trajectory(model, probe):
    recorder = syzygy.Recorder(model, layers=["head"], probe=probe, at=[5])
    recorder(0)
    with pytest.raises(RunError, match=r"nothing is recorded yet; call the recorder with a step of its schedule, 5"):
        _ = recorder.trajectory


def test_a_layer_that_fails_in_the_middle_leaves_nothing_behind(model, probe):
    recorder = syzygy.Recorder(model, layers=["head"], probe=probe, at=syzygy.every(1))
    model.train()
    recorder(0)
    model.head = nn.Linear(6, 5)  # of another width: not the network that was recorded
    with pytest.raises(ShapeError, match=r"the output gave \(3,\) an item before, and now \(5,\)"):
        recorder(1)
    assert recorder.steps == (0,)
    assert hooks(model) == 0
    assert all(module.training for module in model.modules())


# A store


def begun(folder, model, probe, **asked):
    return syzygy.Recorder(model, **({"layers": ["head"], "probe": probe, "at": syzygy.every(2)} | asked), store=folder)


def test_memory_and_folder_hold_the_same(model, probe, tmp_path):
    recorders = [begun(store, model, probe, targets=torch.arange(8) % 3, batch=3) for store in (None, tmp_path / "run")]
    for step in range(5):
        for recorder in recorders:
            recorder(step)
        with torch.no_grad():
            model.head.weight += 0.1
    one, other = (recorder.trajectory for recorder in recorders)
    assert same(one, other)
    assert one.about == other.about
    assert not np.array_equal(one.outputs[0, 0], one.outputs[0, 1])
    with recorders[1]:
        pass
    assert same(recorders[1].trajectory, one)
    with pytest.raises(RunError, match=r"the recorder is closed; make another one with resume=True to go on"):
        recorders[1](6)


def test_a_store_that_holds_a_recording_is_refused(model, probe, tmp_path):
    with begun(tmp_path / "run", model, probe) as recorder:
        recorder(0)
        with pytest.raises(RunError, match=r"run is being written by somebody else"):
            begun(tmp_path / "run", model, probe, resume=True)
    with pytest.raises(RunError, match=r"run holds a recording of 1 steps?; .*resume.*another folder"):
        begun(tmp_path / "run", model, probe)
    with begun(tmp_path / "run", model, probe, resume=True) as recorder:
        assert recorder.steps == (0,)


def test_a_store_in_which_nothing_was_recorded_is_taken_over(model, probe, tmp_path):
    begun(tmp_path / "run", model, probe).close()
    begun(tmp_path / "run", seeded(lambda: Sum(2)), probe, resume=True).close()
    with begun(tmp_path / "run", model, probe) as recorder:
        assert recorder(0)


@pytest.mark.parametrize(
    ("asked", "match"),
    [
        ({"model": seeded(lambda: Sum(outputs=4))}, r"a model of another structure"),
        ({"probe": torch.zeros(8, 6)}, r"another probe, other names or other targets"),
        ({"items": list("abcdefgh")}, r"another probe, other names or other targets"),
        ({"targets": torch.zeros(8, 3)}, r"another probe, other names or other targets"),
        ({"layers": ["mean(blocks.0)", "head"]}, r"other layers"),
        ({"precision": "float16"}, r"another precision"),
    ],
)
def test_another_recording_is_not_resumed(model, probe, tmp_path, asked, match):
    with begun(tmp_path / "run", model, probe) as recorder:
        recorder(0)
    if "mean(blocks.0)" in asked.get("layers", []):
        asked = {"layers": ["blocks.0", "head"]}
    held = []  # errors, and with them whatever was open
    for _ in range(2):  # the second time nobody holds it either
        with pytest.raises(RunError, match=rf"run holds a recording of {match}; give another fold") as refused:
            begun(tmp_path / "run", **({"model": model, "probe": probe} | asked), resume=True)
        held.append(refused.value)
    with begun(tmp_path / "run", seeded(Sum, 5), probe, resume=True) as recorder:  # other weights: it has learned
        assert recorder.steps == (0,)


def test_what_comes_after_the_checkpoint_is_recorded_again(model, probe, tmp_path):
    with begun(tmp_path / "run", model, probe) as recorder:
        for step in range(10):
            recorder(step)
        recorder(9, always=True)
        assert recorder.steps == (0, 2, 4, 6, 8, 9)
    with begun(tmp_path / "run", model, probe, resume=True) as recorder:
        assert not recorder(5)
        assert recorder.steps == (0, 2, 4)
        assert recorder(6)
        with pytest.raises(SpecificationError, match=r"steps rise from call to call; got 4 after 6"):
            recorder(4)
    with begun(tmp_path / "run", model, probe, resume=True) as recorder:
        assert recorder(8)  # later than all: nothing is dropped
        assert recorder.trajectory.steps.tolist() == [0, 2, 4, 6, 8]


def test_a_file_in_the_way_and_a_folder_without_permission(model, probe, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"not begun in .*file/run: Not a directory"):
        begun(tmp_path / "file" / "run", model, probe)
    if os.geteuid() == 0:
        return  # who may write anywhere
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(RunError, match=r"not begun in .*locked/run: Permission denied"):
        begun(tmp_path / "locked" / "run", model, probe)


def test_a_recording_is_read_by_name_of_its_folder(model, probe, tmp_path):
    with begun(tmp_path / "run", model, probe) as recorder:
        recorder(0), recorder(2)
    found = syzygy.Representations.of(tmp_path / "run", steps="all")
    assert [one.name for one in found] == ["run/seed 0/head/step 0", "run/seed 0/head/step 2"]


LOOP = """
    import os, signal, sys
    import torch, syzygy
    from torch import nn

    def learn(folder, store, kill=None, updates=60):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.Dropout(0.4), nn.Tanh(), nn.Linear(16, 2))
        optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
        x, checkpoint, first = torch.randn(32, 4), f"{folder}/checkpoint.pt", 0
        if os.path.exists(checkpoint):
            held = torch.load(checkpoint, weights_only=True)
            model.load_state_dict(held["model"]), optimiser.load_state_dict(held["optimiser"])
            torch.set_rng_state(held["random"])
            first = held["step"]

        def loss_of(outputs, targets):
            if kill and step == kill:
                os.kill(os.getpid(), signal.SIGKILL)  # in the middle of a step that is being written
            return (outputs - targets).square().mean()

        step = first
        recorder = syzygy.Recorder(model, layers=["0", "3"], probe=x[:6], targets=x[:6, :2], loss=loss_of,
                                   at=syzygy.every(3), store=store, resume=True, batch=4)
        if first == 0:
            recorder(0)
        for step in range(first + 1, updates + 1):
            batch = x[torch.randperm(32)[:8]]
            optimiser.zero_grad()
            (model(batch) - batch[:, :2]).square().mean().backward()
            optimiser.step()
            recorder(step)
            if step % 10 == 0:
                held = {"model": model.state_dict(), "optimiser": optimiser.state_dict()}
                torch.save(held | {"random": torch.get_rng_state(), "step": step}, checkpoint)
        recorder.close()
        return recorder.trajectory
"""


@pytest.mark.slow
def test_a_killed_training_is_resumed_with_the_same_numbers(tmp_path):
    names = {}
    exec(textwrap.dedent(LOOP), names)
    for name in ("killed", "whole"):
        (tmp_path / name).mkdir()
    with torch.random.fork_rng():
        whole = names["learn"](tmp_path / "whole", tmp_path / "whole" / "run")
    script = f"{textwrap.dedent(LOOP)}\ntorch.set_num_threads(1)\nlearn(*sys.argv[1:3], kill=48)"
    command = [sys.executable, "-c", script, str(tmp_path / "killed"), str(tmp_path / "killed" / "run")]
    done = subprocess.run(command, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == -signal.SIGKILL
    with torch.random.fork_rng():
        resumed = names["learn"](tmp_path / "killed", tmp_path / "killed" / "run")
    assert resumed.steps.tolist() == list(range(0, 61, 3))
    assert same(resumed, whole)


# Checkpoints without a loop


def states(model, count=3):
    for step in range(count):
        yield 10 * step, {name: value + 0.1 * step for name, value in model.state_dict().items()}


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod."])
def test_a_series_of_checkpoints_is_a_trajectory(model, probe, prefix):
    model = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 3))
    live = syzygy.Recorder(model, layers=["1"], probe=probe, at=syzygy.every(10), targets=torch.arange(8) % 3, seed=4)
    kept = list(states(model))
    for step, state in kept:
        model.load_state_dict(state)
        live(step)
    named = ((step, {f"{prefix}{name}": value for name, value in state.items()}) for step, state in kept)
    blank = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 3))
    series = syzygy.record_series(blank, named, layers=["1"], probe=probe, targets=torch.arange(8) % 3, seed=4)
    assert same(series, live.trajectory)
    assert series.about["weights"] == live.trajectory.about["weights"]


def test_a_series_goes_on_where_it_stopped(model, probe, tmp_path):
    class Stop(Exception):
        pass

    def some(count):
        yield from states(model, count)
        raise Stop

    asked = {"layers": ["head"], "probe": probe, "store": tmp_path / "run"}
    fresh = seeded(Sum, 2)
    with pytest.raises(Stop):
        syzygy.record_series(fresh, some(2), **asked)
    looked = []
    watch = fresh.head.register_forward_hook(lambda *_: looked.append(1))
    held = list(states(model, 3))
    held[1] = (10, {})  # what is recorded is not loaded
    series = syzygy.record_series(fresh, held, **asked, resume=True)
    watch.remove()
    assert len(looked) == 2  # the first look, and the one checkpoint that was not recorded
    assert same(series, syzygy.record_series(fresh, states(model, 3), **(asked | {"store": None})))


def test_checkpoints_that_cannot_be_recorded(model, probe):
    with pytest.raises(DataError, match=r"there is no checkpoint to record"):
        syzygy.record_series(model, [], layers=["head"], probe=probe)
    with pytest.raises(DataError, match=r"checkpoint of step 5 does not fit the network: it lacks 23 of 23 weights"):
        syzygy.record_series(model, [(5, {})], layers=["head"], probe=probe)
    more = model.state_dict() | {"loss.weight": torch.ones(1)}
    with pytest.raises(DataError, match=r"step 5 does not fit .*: it has 1 that the network lacks \(loss.weight\)$"):
        syzygy.record_series(model, [(5, more)], layers=["head"], probe=probe)
    with pytest.raises(SpecificationError, match=r"steps rise from call to call; got 3 after 5"):
        syzygy.record_series(model, [(5, model.state_dict()), (3, model.state_dict())], layers=["head"], probe=probe)


# Several processes


def test_only_the_first_process_looks(model, probe, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("RANK", "1")
    recorder = begun(tmp_path / "run", model, probe)
    assert not recorder(0)
    assert recorder.steps == ()
    assert not (tmp_path / "run").exists()
    with pytest.raises(RunError, match=r"this process records nothing: of several, the one of rank 0 does"):
        _ = recorder.trajectory
    recorder.close()
    monkeypatch.setenv("RANK", "0")
    assert begun(tmp_path / "run", model, probe)(0)


def test_a_sharded_model_is_refused(probe):
    class FullyShardedDataParallel(Sum):
        """By name: the real one needs several processes."""

    with pytest.raises(SpecificationError, match=r"the model is sharded over processes .*; save checkpoints, and rec"):
        syzygy.Recorder(FullyShardedDataParallel(), layers=["head"], probe=probe, at=[0])


TWO = """
    import os, sys
    import torch, syzygy
    from torch import nn
    from torch.distributed import barrier, init_process_group, destroy_process_group
    from torch.nn.parallel import DistributedDataParallel
    from syzygy.errors import RunError

    torch.set_num_threads(1)
    init_process_group("gloo")
    rank, folder = int(os.environ["RANK"]), sys.argv[1]
    torch.manual_seed(0)
    model = DistributedDataParallel(nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 2)))
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    probe = torch.randn(6, 4)
    recorder = syzygy.Recorder(model, layers=["2"], probe=probe, at=syzygy.every(2), store=f"{folder}/run")
    torch.manual_seed(rank)  # each process has batches of its own
    with recorder.following(optimiser):
        for _ in range(5):
            optimiser.zero_grad()
            model(torch.randn(8, 4)).square().mean().backward()
            optimiser.step()
    assert recorder.steps == ((0, 2, 4, 5) if rank == 0 else ()), recorder.steps
    weights = [torch.zeros(8, 4) for _ in range(2)]
    torch.distributed.all_gather(weights, model.module[0].weight.detach())
    assert torch.equal(*weights)
    if rank == 0:
        with torch.no_grad():
            seen = model.module.eval()(probe).numpy()
        assert (abs(recorder.trajectory.outputs[0, -1] - seen) < 1e-6).all()
        print("recorded", flush=True)
    barrier()
    destroy_process_group()
"""


@pytest.mark.slow
def test_of_two_processes_that_train_one_model_one_writes(tmp_path):
    (tmp_path / "train.py").write_text(textwrap.dedent(TWO))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run([*command, str(tmp_path / "train.py"), str(tmp_path)], check=False, capture_output=True,
                          text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("recorded") == 1
    assert syzygy.Representations.of(tmp_path / "run", steps="all")[3].name.endswith("step 5")


# Adapters, without their libraries


def test_tensors_move_to_where_the_model_is(model):
    moved = placed({"a": np.ones(2), "b": [torch.ones(1), 3], "c": None}, device_of(model.to("meta")))
    assert moved["a"].device.type == moved["b"][0].device.type == "meta"
    assert (moved["b"][1], moved["c"]) == (3, None)


@pytest.mark.parametrize(
    ("kind", "library"), [(syzygy.LightningRecorder, "lightning"), (syzygy.HuggingFaceRecorder, "transformers")]
)
def test_a_library_that_is_not_installed_is_named(kind, library, probe, monkeypatch):
    for name in ("lightning.pytorch", "pytorch_lightning", "transformers"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr("syzygy.recorder.lightning.find_spec", lambda _: None)
    with pytest.raises(SpecificationError, match=rf"{kind.__name__} needs the library {library}.*; pip install"):
        kind(layers=["head"], probe=probe, at=[0])
