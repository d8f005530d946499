"""Networks that are measured while they train: the numbers are those of the network as it was, and it never notices."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from syzygy.errors import ShapeError, UnknownName
from syzygy.linearisation import linearise, tangent_kernel, travel
from syzygy.networks import setting
from syzygy.recording import every, log_spaced
from syzygy.store import FolderStore, MemoryStore, key
from syzygy.studies.two_items import held
from syzygy.tasks import Task, two_points
from syzygy.training import Checkpoint, Job, train, train_zoo
from syzygy.training.measure import KEPT
from syzygy.trajectory import MEASURES, Trajectory

SMALL = setting({"like": "shallow", "name": "small", "width": 12, "gain": 0.9, "learning_rate": 0.1})
KINDS = {
    "mlp": SMALL,
    "dropout": setting({**SMALL.model_dump(), "type": "dropout"}),
    "convolutional": setting({**SMALL.model_dump(), "type": "convolutional", "width": 32}),
}
#: Convolutions take their time.
HERE = ["mlp", "dropout", pytest.param("convolutional", marks=pytest.mark.slow)]
SKIP = setting({**SMALL.model_dump(), "type": "residual", "depth": 3})
TWO = two_points()
TRAVELS = {"encoder_travel", "decoder_travel"}
ASKED = {"seeds": (0, 3), "steps": 8, "record": every(6), "measure": every(4), "precision": "float64"}


def crowd(items=3, inputs=3, outputs=2):
    draw = np.random.default_rng(7)
    x = draw.normal(size=(items, inputs))
    return Task("crowd", x, np.sin(x @ draw.normal(size=(inputs, outputs))), tuple(f"item {i}" for i in range(items)))


def after(task, row, seed, steps, **asked):
    """The weights of a network after so many steps, from a training that measures nothing."""
    if not steps:
        return {
            name: weight.double()
            for name, weight in row.build(task.input_dim, task.output_dim, seed).state_dict().items()
        }
    kept = {}
    asked = {"precision": "float64"} | asked
    train(task, row, seeds=(seed,), steps=steps, on_end=lambda _, weights: kept.update(weights), **asked)
    return kept


def by_hand(first, last, names):
    """Relative distance of some weights from where they started."""
    apart = sum(float(((last[name] - first[name]) ** 2).sum()) for name in names)
    return math.sqrt(apart / sum(float((first[name] ** 2).sum()) for name in names))


def same(one, other, rtol=0.0):
    """Whether the same was measured, NaN at the same places."""
    assert set(one) == set(other)
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=rtol, atol=rtol, err_msg=name)


def centred(outputs=1):
    """A pair about zero, for which two linear maps have the rates of the theory at every step."""
    x, y = np.array([[-0.5, 0.2], [0.5, -0.2]]), np.array([[-0.3, 0.4, 0.1], [0.3, -0.4, -0.1]])[:, :outputs]
    return Task("centred", x, y, ("A", "B"))


def linear(_seed, outputs=1):
    return nn.Sequential(nn.Linear(2, 7, bias=False), nn.Linear(7, outputs, bias=False))


# What is measured


@pytest.mark.parametrize("stack", [True, False])
@pytest.mark.parametrize("kind", HERE)
def test_measured_numbers_are_those_of_the_network_as_it_was_at_that_step(kind, stack):
    row, task = KINDS[kind], crowd()
    seen = train(task, row, stack=stack, **ASKED)
    np.testing.assert_array_equal(seen.steps, [0, 4, 6, 8])
    found = seen.measured(row.layer)
    assert set(found) == set(MEASURES)
    for index, seed in enumerate(ASKED["seeds"]):
        for step in (0, 4, 8):
            weights = after(task, row, seed, step)
            network = row.build(task.input_dim, task.output_dim, seed)
            told = linearise(
                network, row.layer, task.inputs, task.targets, learning_rate=row.learning_rate, weights=weights
            )
            at = seen.steps.tolist().index(step)
            for name in KEPT:
                np.testing.assert_allclose(found[name][index, at], getattr(told, name), 1e-7, 1e-12, err_msg=name)
            kernels = tangent_kernel(network, task.inputs, row.layer, weights=weights)
            for name, kernel in zip(("encoder_kernel", "decoder_kernel"), kernels, strict=True):
                np.testing.assert_allclose(found[name][index, at], kernel, rtol=1e-8, err_msg=name)
    for name in set(MEASURES) - TRAVELS:
        assert np.isnan(found[name][:, 2]).all(), "step 6 is recorded and not measured"


def test_measured_numbers_are_those_of_a_plain_loop():
    task, row = crowd(), SMALL
    seen = train(task, row, **ASKED | {"seeds": (3,)})
    network = row.build(task.input_dim, task.output_dim, 3).double()
    x, y = torch.as_tensor(task.inputs), torch.as_tensor(task.targets)
    descent = torch.optim.SGD(network.parameters(), lr=row.learning_rate)
    for step in range(9):
        if step % 4 == 0:
            told = linearise(network, row.layer, x, y, learning_rate=row.learning_rate)
            at = seen.steps.tolist().index(step)
            for name in ("eta_h", "eta_y", "gram"):
                np.testing.assert_allclose(seen.measured(row.layer)[name][0, at], getattr(told, name), rtol=1e-7)
        descent.zero_grad()
        (((network(x) - y) ** 2).mean() / 2).backward()
        descent.step()


@pytest.mark.parametrize("outputs", [1, 3])
def test_two_linear_maps_about_zero_keep_their_rates_while_they_learn(outputs):
    asked = {"layers": ["0"], "steps": 60, "learning_rate": 0.3, "measure": log_spaced(6), "precision": "float64"}
    seen = train(centred(outputs), partial(linear, outputs=outputs), record=every(20), **asked)
    assert seen.loss[0, -1] < 0.2 * seen.loss[0, 0]
    found = seen.measured("0")
    there = np.isfinite(found["eta_h"])
    assert there.sum() >= 6
    for name in ("eta_h", "eta_y"):
        np.testing.assert_allclose(found[name][there], 0.5 * 0.3 / outputs, rtol=1e-12)


@pytest.mark.parametrize("kind", HERE)
def test_a_stack_is_measured_as_its_networks_are_one_by_one(kind):
    asked = ASKED | {"gains": (0.7, 1.1), "measure": every(8)}
    stack, single = (train(TWO, KINDS[kind], stack=s, **asked) for s in (True, False))
    assert stack.measured(SMALL.layer)["eta_h"].shape == (4, 3, 1)
    same(stack.measured(SMALL.layer), single.measured(SMALL.layer), 1e-7)


def test_several_layers_are_measured_each():
    seen = train(TWO, SMALL, layers=["hidden.0", "hidden.1"], **ASKED)
    for layer in ("hidden.0", "hidden.1"):
        alone = train(TWO, SMALL, layers=[layer], **ASKED)
        same(seen.measured(layer), alone.measured(layer), 1e-12)
    assert seen.measured("hidden.0")["encoder_travel"][0, -1] != seen.measured("hidden.1")["encoder_travel"][0, -1]


def test_gains_come_outermost_and_each_network_is_measured_as_if_alone():
    seen = train(TWO, SMALL, **ASKED | {"gains": (0.5, 1.2)})
    for index, gain in enumerate((0.5, 0.5, 1.2, 1.2)):
        alone = train(TWO, SMALL, **ASKED | {"gains": (gain,), "seeds": (ASKED["seeds"][index % 2],)})
        one = {name: values[index : index + 1] for name, values in seen.measured("hidden.1").items()}
        same(one, alone.measured("hidden.1"), 1e-9)


def test_what_is_measured_in_single_precision_is_computed_and_kept_in_double():
    seen = train(TWO, SMALL, **ASKED | {"precision": "float32"})
    assert seen.loss.dtype == np.float32
    found, double = (one.measured("hidden.1") for one in (seen, train(TWO, SMALL, **ASKED)))
    for name in found:
        assert found[name].dtype == np.float64
    np.testing.assert_allclose(found["eta_y"], double["eta_y"], rtol=1e-4)
    network = SMALL.build(1, 1, 0).float()
    told = linearise(network, "hidden.1", TWO.inputs, TWO.targets, learning_rate=SMALL.learning_rate)
    # Data are single in training, too: halves of a pair that is a fifth of one in 10⁷ away.
    np.testing.assert_allclose(found["gram"][0, 0], told.gram, rtol=1e-12)


# How far weights travel


@pytest.mark.parametrize("stack", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_travel_is_the_norm_of_the_way_over_that_of_the_start(kind, stack):
    row = KINDS[kind]
    seen = train(TWO, row, stack=stack, **{name: v for name, v in ASKED.items() if name != "measure"})
    found = seen.measured(row.layer)
    assert set(found) == TRAVELS
    for index, seed in enumerate(ASKED["seeds"]):
        first, last = after(TWO, row, seed, 0), after(TWO, row, seed, 8)
        network = row.build(1, 1, seed)
        names = [name for name, _ in network.named_parameters()]
        cut = 1 + max(i for i, name in enumerate(names) if name.startswith(f"{row.layer}."))
        sides = {"encoder_travel": names[:cut], "decoder_travel": names[cut:]}
        for name, side in sides.items():
            assert found[name][index, -1] == pytest.approx(by_hand(first, last, side), rel=1e-8)
        both = travel(network, row.layer, TWO.inputs, first, last)
        assert both == pytest.approx(tuple(found[name][index, -1] for name in sides), rel=1e-8)
        assert np.isnan(found["encoder_travel"][index, :-1]).all()


@pytest.mark.parametrize("stack", [True, False])
def test_adam_travels_and_has_no_rates(stack):
    row = SMALL.model_copy(update={"optimiser": "adam", "learning_rate": 0.01})
    seen = train(TWO, row, stack=stack, **ASKED)
    found = seen.measured("hidden.1")
    assert set(found) == TRAVELS
    names = [name for name, _ in row.build(1, 1, 0).named_parameters() if name.startswith("hidden.")]
    first, last = after(TWO, row, 0, 0), after(TWO, row, 0, 8)
    assert found["encoder_travel"][0, -1] == pytest.approx(by_hand(first, last, names), rel=1e-8)
    assert seen.about["measure"] == "every 4"
    np.testing.assert_array_equal(seen.steps, [0, 4, 6, 8])


@pytest.mark.parametrize("stack", [True, False])
def test_a_network_that_cannot_be_cut_travels_and_has_no_rates(stack):
    assert SKIP.layer == "hidden.1"
    seen = train(TWO, SKIP, stack=stack, **ASKED)
    found = seen.measured("hidden.1")
    assert set(found) == TRAVELS
    first, last = after(TWO, SKIP, 3, 0), after(TWO, SKIP, 3, 8)
    sides = [[name for name in first if name.startswith(("hidden.0.", "hidden.1."))]]
    sides.append([name for name in first if name not in sides[0]])
    for name, side in zip(("encoder_travel", "decoder_travel"), sides, strict=True):
        assert found[name][1, -1] == pytest.approx(by_hand(first, last, side), rel=1e-8)


class Mapped(nn.Module):
    """A feature map, of which a mean is watched."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv1d(1, 4, 2), nn.Linear(8, 1)

    def forward(self, x):
        return self.last(torch.tanh(self.first(x.unsqueeze(1))).flatten(1))


def test_a_mean_over_positions_is_no_place_to_cut():
    layers = ["mean(first)", "first"]
    seen = train(crowd(outputs=1), lambda _: Mapped(), layers=layers, learning_rate=0.1, **ASKED)
    assert set(seen.measured("mean(first)")) == TRAVELS
    assert set(seen.measured("first")) == set(MEASURES)
    same({name: seen.measured("first")[name] for name in TRAVELS}, seen.measured("mean(first)"))


def sequence(_seed, *, first=True, start=None):
    """Two maps, of which the first may be frozen, and something without weights before them."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(1, 6), nn.ReLU(inplace=True), nn.Linear(6, 1))
    network[1].requires_grad_(first)
    if start is not None:
        nn.init.zeros_(network[1].weight)
        nn.init.constant_(network[1].bias, start)
    return network


@pytest.mark.parametrize(("layer", "first"), [("0", True), ("1", False), ("2", False)])
def test_an_encoder_that_cannot_learn_travels_nowhere_and_stops_nothing(layer, first):
    asked = {"layers": [layer], "learning_rate": 0.1} | ASKED
    found = train(TWO, partial(sequence, first=first), **asked).measured(layer)
    assert np.isnan(found["encoder_travel"]).all()
    assert (found["decoder_travel"][:, -1] > 0).all()
    assert (found["encoder_kernel"][:, 0] == 0).all()


def test_what_follows_a_layer_in_place_does_not_change_its_side():
    found = train(TWO, sequence, layers=["1"], learning_rate=0.1, **ASKED).measured("1")
    assert (found["encoder_travel"][:, -1] > 0).all()
    assert np.isfinite(found["eta_h"][:, 0]).all()


# Networks that end before the others


@pytest.mark.parametrize("stack", [True, False])
def test_a_network_that_was_stopped_has_its_travel_there_and_nothing_after(stack):
    asked = {"seeds": range(3), "steps": 40, "record": every(5), "precision": "float64", "stack": stack}
    whole = train(crowd(), SMALL, **asked)
    limit = float(whole.loss[:, 4].min()) * (1 + 1e-9)  # the first gets there half way
    seen = train(crowd(), SMALL, stop_loss=limit, measure=every(20), **asked)
    assert set(seen.fates) == {"learned", "trained"}
    found, (x, y) = seen.measured("hidden.1"), (crowd().inputs, crowd().targets)
    for index, fate in enumerate(seen.fates):
        end = int(np.isfinite(seen.loss[index]).sum()) - 1
        assert (end < 8) == (fate == "learned")
        travelled = np.isfinite(found["encoder_travel"][index])
        assert travelled.tolist() == [at == end or (at % 4 == 0 and at < end) for at in range(9)]
        first, last = after(crowd(), SMALL, index, 0), after(crowd(), SMALL, index, 5 * end)
        names = [name for name in first if name.startswith("hidden.")]
        assert found["encoder_travel"][index, end] == pytest.approx(by_hand(first, last, names), rel=1e-8)
        measured = np.isfinite(found["eta_h"][index]).all(axis=1)
        assert measured.tolist() == travelled.tolist(), "rates are measured where it ends, too"
        if fate == "learned":
            network = SMALL.build(3, 2, index)
            told = linearise(network, "hidden.1", x, y, learning_rate=SMALL.learning_rate, weights=last)
            np.testing.assert_allclose(found["eta_h"][index, end], told.eta_h, rtol=1e-7)
    stopped = held(seen).measured("hidden.1")
    same(stopped, found)


@pytest.mark.parametrize("stack", [True, False])
def test_a_network_that_diverges_is_measured_until_then_and_leaves_the_others_unchanged(stack):
    asked = ASKED | {"stack": stack, "steps": 60, "measure": every(30), "record": every(4)}
    mixed = train(TWO, SMALL, gains=(0.6, 1e5), **asked)
    assert mixed.fates == ("trained", "trained", "diverged", "diverged")
    found, alone = (one.measured("hidden.1") for one in (mixed, train(TWO, SMALL, gains=(0.6,), **asked)))
    same({name: values[:2] for name, values in found.items()}, alone, 1e-9)
    assert np.isfinite(found["eta_y"][2:, 0]).all()
    for name in MEASURES:
        assert np.isnan(found[name][2:, -1]).all(), name


@pytest.mark.parametrize("stack", [True, False])
def test_representations_that_coincide_leave_a_gap_for_their_network_alone(stack):
    def made(seed):
        return sequence(seed, start=-1.0 if seed else None)  # rectifiers that are off

    asked = {"layers": ["2"], "learning_rate": 0.1, "stack": stack} | ASKED
    seen = train(TWO, made, **asked | {"seeds": (0, 1)})
    alone = train(TWO, made, **asked | {"seeds": (0,)})
    found = seen.measured("2")
    assert set(found) == set(MEASURES)
    same({name: values[:1] for name, values in found.items()}, alone.measured("2"), 1e-9)
    assert np.isnan(found["eta_h"][1]).all()
    assert np.isfinite(found["encoder_travel"][1, -1])


# Nothing else changes


@pytest.mark.parametrize("batch_size", [None, 1])
@pytest.mark.parametrize("stack", [True, False])
@pytest.mark.parametrize("kind", [*KINDS, "skip", "adam"])
def test_measuring_changes_no_trained_number(kind, stack, batch_size):
    row = {"skip": SKIP, "adam": SMALL.model_copy(update={"optimiser": "adam"})}.get(kind) or KINDS[kind]
    asked = {"seeds": (0, 3), "steps": 12, "record": every(3), "stack": stack, "batch_size": batch_size}
    plain, seen = train(TWO, row, **asked), train(TWO, row, measure=every(5), **asked)
    rows = np.isin(seen.steps, plain.steps)
    assert len(seen.steps) > len(plain.steps)
    np.testing.assert_array_equal(seen.loss[:, rows], plain.loss)
    np.testing.assert_array_equal(seen.outputs[:, rows], plain.outputs)
    np.testing.assert_array_equal(seen.representation(row.layer)[:, rows], plain.representation(row.layer))


class Noisy(nn.Module):
    """Dropout and batch normalisation: a mode that is left on, or a hook, would show."""

    def __init__(self):
        super().__init__()
        self.first, self.normal = nn.Linear(3, 8), nn.BatchNorm1d(8)
        self.drop, self.last = nn.Dropout(0.4), nn.Linear(8, 2)

    def forward(self, x):
        return self.last(self.drop(torch.tanh(self.normal(self.first(x)))))


def test_a_network_of_ones_own_is_left_as_training_leaves_it():
    made = []

    def own(_seed):
        made.append(Noisy())
        return made[-1]

    def trained(**asked):
        return train(crowd(), own, **asked), made[-1]

    asked = {"layers": ["normal"], "learning_rate": 0.05, "seeds": (2,), "steps": 10, "record": every(2)}
    (plain, first), (seen, second) = trained(**asked), trained(measure=every(5), **asked | {"record": every(2)})
    np.testing.assert_array_equal(plain.loss, seen.loss[:, seen.steps % 2 == 0])
    for one, other in zip(first.modules(), second.modules(), strict=True):
        assert one.training == other.training
        assert not other._forward_hooks
        assert not other._forward_pre_hooks
    for (name, one), other in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
        assert torch.equal(one, other), name
    assert all(weight.grad is None for weight in second.parameters())


def test_the_global_random_state_is_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(TWO, SMALL, **ASKED)
    assert torch.equal(torch.rand(3), expected)


# A kill


class Killed(Exception):
    """In place of a kill."""


@pytest.mark.parametrize("stop", [False, True])
@pytest.mark.parametrize("stack", [True, False])
def test_a_training_that_goes_on_from_a_checkpoint_measures_the_same(tmp_path, stack, stop):
    asked = ASKED | {"gains": (0.6, 1e5), "stack": stack, "steps": 16, "measure": every(8)}
    if stop:
        asked["stop_loss"] = float(train(TWO, SMALL, **asked).loss[0, 2])
    whole = train(TWO, SMALL, **asked)
    assert ("learned" in whole.fates) == stop
    for kill in (1, 4 if stop else 9):
        left = [kill]

        def count(_updates, left=left):
            left[0] -= 1
            if left[0] == 0:
                raise Killed

        folder = tmp_path / str(kill)
        with pytest.raises(Killed):
            train(TWO, SMALL, checkpoint=Checkpoint(folder, 0), on_step=count, **asked)
        again = train(TWO, SMALL, checkpoint=Checkpoint(folder, 0), **asked)
        assert again.fates == whole.fates
        same(again.measured("hidden.1"), whole.measured("hidden.1"))
        np.testing.assert_array_equal(again.loss, whole.loss)


# Trajectories


@pytest.fixture(scope="module")
def seen():
    return train(crowd(), SMALL, **ASKED)


@pytest.mark.parametrize("kind", ["folder", "memory"])
def test_what_was_measured_comes_back_from_a_store(seen, kind, tmp_path):
    store = FolderStore(tmp_path / "store") if kind == "folder" else MemoryStore()
    store.put({"a": 1}, seen)
    again = store.get({"a": 1})
    same(again.measured("hidden.1"), seen.measured("hidden.1"))
    assert again.tree.equals(seen.tree)
    joined = Trajectory.join([again, seen])
    store.put({"a": 2}, joined)
    same(store.get({"a": 2}).measured("hidden.1"), joined.measured("hidden.1"))


def test_what_was_measured_has_its_axes_by_name(seen):
    node = seen.tree["measured/hidden.1"]
    for name, axes in MEASURES.items():
        assert node[name].dims == ("network", "step", *axes)
    assert node["gram"].shape == (2, 4, 3, 2, 2)
    assert node["encoder_kernel"].shape == (2, 4, 3, 3)


def test_joined_trajectories_are_measured_one_behind_the_other(seen):
    joined = Trajectory.join([seen, seen])
    for name, values in seen.measured("hidden.1").items():
        np.testing.assert_array_equal(joined.measured("hidden.1")[name], np.concatenate([values, values]))


def test_a_part_that_was_not_measured_joins_as_a_gap(seen):
    plain = Trajectory.of(
        steps=seen.steps,
        loss=seen.loss,
        outputs=seen.outputs,
        representations={"hidden.1": seen.representation("hidden.1")},
        inputs=seen.inputs,
        targets=seen.targets,
        items=seen.items,
        seeds=[8, 9],
    )
    assert plain.measured("hidden.1") == {}
    for parts, there in (([seen, plain], slice(0, 2)), ([plain, seen], slice(2, 4))):
        found = Trajectory.join(parts).measured("hidden.1")
        same({name: values[there] for name, values in found.items()}, seen.measured("hidden.1"))
        for name, values in found.items():
            gap = np.delete(values, np.r_[there], axis=0)
            assert gap.shape == seen.measured("hidden.1")[name].shape
            assert np.isnan(gap).all(), name
    assert Trajectory.join([plain, plain]).measured("hidden.1") == {}


def test_what_was_measured_of_no_layer_is_refused(seen):
    with pytest.raises(UnknownName, match=r"unknown layer 'hidden.7'.*hidden.1"):
        seen.measured("hidden.7")


@pytest.mark.parametrize(
    ("measured", "error", "says"),
    [
        ({"eta": np.zeros((2, 4, 3))}, UnknownName, "unknown measure 'eta'.*eta_h"),
        ({"eta_h": np.zeros((2, 5, 3))}, ShapeError, r"eta_h must be .* = \(2, 4, 3\), got \(2, 5, 3\)"),
        ({"encoder_travel": np.zeros((3, 4))}, ShapeError, r"encoder_travel must be .* = \(2, 4\), got \(3, 4\)"),
    ],
)
def test_measures_that_do_not_fit_are_refused(seen, measured, error, says):
    with pytest.raises(error, match=says):
        Trajectory.of(
            steps=seen.steps,
            loss=seen.loss,
            outputs=seen.outputs,
            representations={"hidden.1": seen.representation("hidden.1")},
            inputs=seen.inputs,
            targets=seen.targets,
            items=seen.items,
            seeds=seen.seeds,
            measured={"hidden.1": measured},
        )


# Jobs


def test_a_job_that_measures_nothing_is_asked_as_it_always_was():
    row = setting(
        {"name": "own", "type": "mlp", "activation": "tanh", "gain": 1.0, "learning_rate": 0.1, "width": 7, "depth": 2}
        | {"layer": "hidden.0", "steps": 10}
    )
    job = Job("two-points", {"dx2": 1.0}, row, (0, 1), every(5))
    assert key(job.asked()) == "c3a0b892d08b", "trajectories that were kept before would not be found again"
    measured = Job("two-points", {"dx2": 1.0}, row, (0, 1), every(5), measure=every(2))
    assert measured.asked() == job.asked() | {"measure": "every 2"}
    assert "measure" not in train(TWO, row, record=every(5)).about


def test_a_job_is_measured_in_all_its_parts():
    job = Job("two-points", {}, SMALL.model_copy(update={"steps": 8}), (0, 1), every(4), measure=every(2))
    big = Job("two-points", {}, SMALL.model_copy(update={"steps": 2, "width": 500}), (0, 1), every(2), measure=every(1))
    assert [len(one.parts()) for one in (job, big)] == [1, 2]
    for one in (job, big):
        parts = [trajectory for _, trajectory in train_zoo(one.parts(), MemoryStore())]
        found = Trajectory.join(parts).measured("hidden.1")
        assert np.isfinite(found["eta_h"]).all(axis=(1, 2)).any()
        assert np.isfinite(found["encoder_travel"][:, -1]).all()
