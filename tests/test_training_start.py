"""Networks that start from what others have learned: the same numbers as one long training, trained once."""

import threading

import numpy as np
import pytest
import torch

from syzygy.errors import DataError, RunError, ShapeError, SpecificationError, UnknownName
from syzygy.networks import setting
from syzygy.recording import every
from syzygy.store import FolderStore, MemoryStore
from syzygy.tasks import digits, two_points
from syzygy.training import Checkpoint, Job, train, train_zoo
from syzygy.training import job as job_module
from syzygy.training.start import begin, without_readout
from syzygy.trajectory import Trajectory

SMALL = setting({"like": "shallow", "name": "small", "width": 12, "gain": 0.9, "learning_rate": 0.1, "steps": 30})
KINDS = {
    "mlp": SMALL,
    "dropout": setting({**SMALL.model_dump(), "type": "dropout"}),
    "residual": setting({**SMALL.model_dump(), "type": "residual", "depth": 3}),
}
LARGE = setting({"like": "shallow", "name": "large", "width": 400, "steps": 3, "layer": "hidden.1"})
FIRST, SECOND = two_points(dx2=1.5), two_points(dx2=0.7, dy2=1.1)


def arrays(seen):
    return {layer: seen.representation(layer) for layer in seen.layers} | {"loss": seen.loss, "outputs": seen.outputs}


def same(ours, theirs):
    ours, theirs = arrays(ours), arrays(theirs)
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[n], theirs[n], equal_nan=True) for n in ours)


def trained(task, network, **asked):
    """Train, and give the weights of each network by its seed."""
    kept = {}
    train(task, network, on_end=lambda seed, of: kept.update({seed: {k: v.clone() for k, v in of.items()}}), **asked)
    return kept


def a_job(start=None, network=SMALL, seeds=(0, 1), **changes):
    return Job("two-points", {"dx2": 0.7}, network, seeds, every(10), start=start, **changes)


def before(network=SMALL, seeds=(0, 1), **changes):
    return Job("two-points", {"dx2": 1.5}, network, seeds, every(10), **changes)


# In the loop


@pytest.mark.parametrize("stack", [True, False])
@pytest.mark.parametrize("kind", ["mlp", "residual"])
def test_a_training_in_two_parts_is_one_training(kind, stack):
    asked = {"seeds": (0, 3), "stack": stack, "precision": "float64"}
    whole = train(FIRST, KINDS[kind], steps=24, record=every(4), **asked)
    weights = trained(FIRST, KINDS[kind], steps=12, **asked)
    rest = train(FIRST, KINDS[kind], steps=12, record=every(4), start=weights, **asked)
    for name, values in arrays(rest).items():
        np.testing.assert_array_equal(values, arrays(whole)[name][:, 3:])
    other = trained(SECOND, KINDS[kind], steps=12, **asked)
    assert rest.about["start"] != train(FIRST, KINDS[kind], steps=1, start=other, **asked).about["start"]
    assert "start" not in whole.about


@pytest.mark.parametrize("kind", KINDS)
def test_stack_and_single_end_with_the_same_weights_in_every_network(kind):
    asked = {"seeds": (0, 3), "steps": 9, "precision": "float64"}
    ours, theirs = (trained(FIRST, KINDS[kind], stack=stack, **asked) for stack in (True, False))
    names = set(KINDS[kind].build(1, 1, 0).state_dict())
    for seed in asked["seeds"]:
        assert set(ours[seed]) == set(theirs[seed]) == names
        for name in names:
            torch.testing.assert_close(ours[seed][name], theirs[seed][name], rtol=1e-9, atol=1e-12)
    assert not torch.equal(ours[0]["readout.weight" if kind != "dropout" else "readout.1.weight"],
                           ours[3]["readout.weight" if kind != "dropout" else "readout.1.weight"])  # fmt: skip


@pytest.mark.parametrize("stack", [True, False])
def test_a_network_that_diverged_is_lost_and_what_starts_from_it_has_diverged(stack):
    asked = {"seeds": (0, 1), "stack": stack}
    weights = trained(FIRST, SMALL, steps=5, **asked)
    weights[1] = {name: values * 1e20 for name, values in weights[1].items()}
    ended = trained(FIRST, SMALL, steps=5, start=weights, **asked)
    assert all(values.isnan().all() for values in ended[1].values())
    assert all(values.isfinite().all() for values in ended[0].values())
    seen = train(SECOND, SMALL, steps=20, start=ended, **asked)
    assert seen.fates == ("trained", "diverged")
    alone = train(SECOND, SMALL, steps=20, start=ended, seeds=(0,), stack=stack)
    np.testing.assert_allclose(seen.loss[0], alone.loss[0], rtol=1e-5)


@pytest.mark.parametrize("stack", [True, False])
def test_a_killed_training_resumes_from_its_checkpoint_and_not_from_its_start(tmp_path, stack):
    start = trained(FIRST, SMALL, steps=5, seeds=(0, 1), stack=stack)
    asked = {"seeds": (0, 1), "stack": stack, "steps": 12, "start": start}
    whole, ended, left = train(SECOND, SMALL, **asked), {}, [7]

    def stop(_updates):
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(SECOND, SMALL, checkpoint=Checkpoint(tmp_path / "c", 0), on_step=stop, **asked)
    other = asked | {"start": trained(FIRST, SMALL, steps=6, seeds=(0, 1), stack=stack)}
    with pytest.raises(RunError, match="of another training"):
        train(SECOND, SMALL, checkpoint=Checkpoint(tmp_path / "c", 0), **other)
    resumed = train(SECOND, SMALL, checkpoint=Checkpoint(tmp_path / "c", 0), on_end=ended.__setitem__, **asked)
    assert same(resumed, whole)
    theirs = trained(SECOND, SMALL, **asked)
    assert all(torch.equal(ended[seed][name], theirs[seed][name]) for seed in theirs for name in theirs[seed])


def test_weights_that_are_not_given_stay_as_they_were_drawn():
    weights = trained(FIRST, SMALL, steps=8)[0]
    network, drawn = SMALL.build(1, 1, 5), SMALL.build(1, 1, 5).state_dict()
    body = without_readout(weights)
    assert set(weights) - set(body) == {"readout.weight", "readout.bias"}
    begin(network, body)
    for name, values in network.state_dict().items():
        assert torch.equal(values, drawn[name] if name.startswith("readout") else weights[name].double())


@pytest.mark.parametrize(
    ("weights", "error", "says"),
    [
        ({}, SpecificationError, "a start without any weights"),
        ({"hidden.7.linear.weight": np.zeros((2, 2))}, UnknownName, r"unknown weight 'hidden\.7\.linear\.weight'"),
        ({"hidden.0.linear.bias": np.zeros(3)}, ShapeError, r"gives \(3,\) for hidden\.0\.linear\.bias \(12,\)$"),
        (
            {"readout.bias": np.zeros(3)},
            ShapeError,
            r"readout\.bias \(1,\) \(of another task, the readout must be new\)",
        ),
    ],
)
def test_a_start_that_does_not_fit_is_refused(weights, error, says):
    with pytest.raises(error, match=says):
        train(FIRST, SMALL, start={0: weights})


def test_what_cannot_be_started_or_kept_is_refused():
    with pytest.raises(SpecificationError, match=r"weights for every seed; it has none for \[1\]"):
        train(FIRST, SMALL, seeds=(0, 1), start=trained(FIRST, SMALL, steps=2))
    for asked in ({"stop_loss": 1e-3}, {"gains": (0.5, 0.9)}):
        with pytest.raises(SpecificationError, match="no stop_loss, no gains"):
            trained(FIRST, SMALL, steps=2, **asked)


# In the zoo


def test_a_start_is_part_of_what_identifies_a_job():
    plain, started = a_job(), a_job(before())
    assert "start" not in plain.asked()
    assert started.asked() == plain.asked() | {"start": before().asked(), "readout": "new"}
    assert a_job(before(), readout="kept").asked() != started.asked()
    assert a_job(before(precision="float64")).asked() != started.asked()
    assert before(keep=True).asked() == before().asked()


@pytest.mark.parametrize("store", ["memory", "folder", "none"])
def test_a_job_starts_from_what_another_has_trained(tmp_path, store):
    job = a_job(before(), layers=("hidden.0", "hidden.1"))
    if store == "none":
        seen = job.run()
    else:
        ((_, seen),) = train_zoo([job], MemoryStore() if store == "memory" else FolderStore(tmp_path))
    weights = trained(FIRST, SMALL, seeds=(0, 1), steps=30)
    start = {seed: without_readout(of) for seed, of in weights.items()}
    expected = train(two_points(dx2=0.7), SMALL, seeds=(0, 1), steps=30, record=every(10), start=start,
                     layers=("hidden.0", "hidden.1"))  # fmt: skip
    assert same(seen, expected)


def test_a_new_readout_is_that_of_the_seed_and_the_body_that_of_pretraining():
    """Before the first step: the representations are those that pretraining ended with, whichever readout follows."""
    task = {"dx2": 0.7}
    last = Job("two-points", task, SMALL, (0, 1), every(10), start=before(), readout="kept").run()
    new = Job("two-points", task, SMALL, (0, 1), every(10), start=before()).run()
    plain = Job("two-points", task, SMALL, (0, 1), every(10)).run()
    layer = SMALL.layer
    np.testing.assert_array_equal(new.representation(layer)[:, 0], last.representation(layer)[:, 0])
    assert not np.allclose(new.outputs[:, 0], last.outputs[:, 0], atol=1e-3)
    for index in range(2):  # the output is the drawn readout of the pretrained representation
        readout = SMALL.build(1, 1, index).readout.float()
        hidden = torch.as_tensor(new.representation(layer)[index, 0])
        np.testing.assert_allclose(readout(hidden).detach().numpy(), new.outputs[index, 0], rtol=1e-4, atol=1e-6)
    assert not np.allclose(plain.outputs[:, 0], new.outputs[:, 0], atol=1e-3)


def test_all_may_start_from_one_network():
    one = a_job(before(seeds=(4,)), seeds=(0, 1, 2)).run()
    weights = without_readout(trained(FIRST, SMALL, seeds=(4,), steps=30)[4])
    expected = train(
        two_points(dx2=0.7), SMALL, seeds=(0, 1, 2), record=every(10), start=dict.fromkeys(range(3), weights)
    )
    assert same(one, expected)
    assert (one.representation(SMALL.layer)[0, 0] == one.representation(SMALL.layer)[2, 0]).all()


def test_a_job_is_split_together_with_its_start():
    each, one = (a_job(before(LARGE, seeds), LARGE, seeds=(0, 1, 2)) for seeds in ((0, 1, 2), (7,)))
    assert [(part.seeds, part.start.seeds) for part in each.parts()] == [((s,), (s,)) for s in range(3)]
    assert [(part.seeds, part.start.seeds) for part in one.parts()] == [((s,), (7,)) for s in range(3)]
    assert before(LARGE, (0, 1), keep=True).parts()[0].asked() == each.parts()[0].start.asked()
    assert each.work == pytest.approx(a_job(network=LARGE, seeds=(0, 1, 2)).work + before(LARGE, (0, 1, 2)).work)


def test_another_number_of_outputs_needs_a_new_readout():
    classes = Job("digits", {"classes": [0, 1, 2]}, SMALL, (0,), every(30), batch_size=16)
    job = Job("digits", {"classes": [3, 4, 5, 6]}, SMALL, (0,), every(30), batch_size=16, start=classes)
    assert job.run().outputs.shape[-1] == 4
    with pytest.raises(ShapeError, match="the readout must be new"):
        Job(**(vars(job) | {"readout": "kept"})).run()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"start": before(seeds=(1, 2))}, r"each from the one of its own seed, or all from one; got seeds \(1, 2\)"),
        ({"start": "published"}, "published weights are of timm networks"),
    ],
)
def test_a_start_that_there_cannot_be_is_refused(wrong, says):
    with pytest.raises(SpecificationError, match=says):
        a_job(**wrong)


# Once


def counted(monkeypatch):
    """Count the trainings of each task option, from now on."""
    calls, real, lock = [], job_module.train, threading.Lock()

    def counting(task, *arguments, **options):
        with lock:
            calls.append(round(float(((task.inputs[1] - task.inputs[0]) ** 2).sum()), 3))
        return real(task, *arguments, **options)

    monkeypatch.setattr(job_module, "train", counting)
    return calls


@pytest.mark.parametrize("store", ["memory", "folder"])
def test_a_shared_start_is_trained_once_and_found_again(tmp_path, monkeypatch, store):
    calls, store = counted(monkeypatch), MemoryStore() if store == "memory" else FolderStore(tmp_path)
    source = before(seeds=(5,), keep=True)
    jobs = [a_job(source, seeds=(seed,)) for seed in range(3)]
    done = []
    monkeypatch.setattr(job_module, "REPORT_EVERY", 1)
    list(train_zoo([source, *jobs], store, progress=done.append))
    assert sorted(calls) == [0.7] * 3 + [1.5]
    assert sum(done) == pytest.approx(sum(job.work for job in [source, *jobs]))
    list(train_zoo([source, *jobs, a_job(source, seeds=(9,))], store))
    assert sorted(calls) == [0.7] * 4 + [1.5]


def test_two_at_once_train_a_shared_start_once(tmp_path, monkeypatch):
    calls, source = counted(monkeypatch), before(SMALL.model_copy(update={"steps": 300}), seeds=(5,))
    jobs, found, store = [a_job(source, seeds=(seed,)) for seed in (0, 1)], {}, FolderStore(tmp_path)

    def one(job):
        ((_, found[job.seeds]),) = train_zoo([job], store)

    threads = [threading.Thread(target=one, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls.count(1.5) == 1
    assert len(found) == 2
    assert len(list(tmp_path.glob("*.safetensors"))) == 1


@pytest.mark.slow
def test_two_processes_give_the_numbers_of_one(tmp_path):
    jobs = [a_job(before(seeds=(5,)), seeds=(seed,)) for seed in (0, 1)]
    one = {job.seeds: seen for job, seen in train_zoo(jobs, MemoryStore())}
    two = {job.seeds: seen for job, seen in train_zoo(jobs, FolderStore(tmp_path), processes=2)}
    assert all(same(one[seeds], two[seeds]) for seeds in one)
    assert len(list(tmp_path.glob("*.safetensors"))) == 1
    assert not list(tmp_path.glob("*.training"))


def test_a_pretraining_that_was_killed_goes_on(tmp_path, monkeypatch):
    job, store, done, left = a_job(before()), FolderStore(tmp_path), [], [9]
    monkeypatch.setattr(job_module, "Checkpoint", lambda folder: Checkpoint(folder, 0))
    monkeypatch.setattr(job_module, "REPORT_EVERY", 1)

    def stop(_work):
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(train_zoo([job], store, progress=stop))
    assert store.checkpoint(before().asked()).is_dir()
    assert store.weights(before().asked()) is None
    ((_, resumed),) = train_zoo([job], store, progress=done.append)
    assert sum(done) < 0.9 * job.work
    assert same(resumed, job.run())


def test_weights_that_were_lost_are_trained_again(tmp_path, monkeypatch):
    store, source = FolderStore(tmp_path), before(keep=True)
    list(train_zoo([source], store))
    (path,) = tmp_path.glob("*.safetensors")
    content = path.read_bytes()
    path.unlink()
    calls = counted(monkeypatch)
    list(train_zoo([a_job(source)], store))
    assert sorted(calls) == [0.7, 1.5]
    assert path.read_bytes() == content


# In the store


def some_weights():
    draw = np.random.default_rng(0)
    return {seed: {"hidden.0.weight": draw.normal(size=(3, 2)).astype(np.float32), "batches": np.array(7)}
            for seed in (0, 12)}  # fmt: skip


@pytest.mark.parametrize("kind", ["memory", "folder"])
def test_weights_come_back(tmp_path, kind):
    store, weights = MemoryStore() if kind == "memory" else FolderStore(tmp_path), some_weights()
    assert store.weights({"a": 1}) is None
    store.put_weights({"a": 1}, weights)
    assert store.weights({"a": 2}) is None
    found = store.weights({"a": 1})
    assert found.keys() == weights.keys()
    for seed, of in weights.items():
        assert found[seed].keys() == of.keys()
        for name, values in of.items():
            assert found[seed][name].dtype == values.dtype
            np.testing.assert_array_equal(found[seed][name], values)
    assert {"a": 1} not in store  # a trajectory is another thing


@pytest.mark.parametrize("damage", ["truncated", "empty", "garbage", "a number", "foreign"])
def test_damaged_weights_are_named(tmp_path, damage):
    store = FolderStore(tmp_path)
    store.put_weights({"a": 1}, some_weights())
    (path,) = tmp_path.glob("*.safetensors")
    content = path.read_bytes()
    if damage == "foreign":
        from safetensors.numpy import save_file

        save_file({"weight": np.zeros(3)}, path)
    else:
        changed = {"truncated": content[:-3], "empty": b"", "garbage": b"x" * 99,
                   "a number": content[:-1] + bytes([content[-1] ^ 1])}  # fmt: skip
        path.write_bytes(changed[damage])
    with pytest.raises(DataError, match=rf"{path.name} is damaged .*; remove it and run again"):
        store.weights({"a": 1})


# Looked at in parts


def test_the_loss_of_images_is_that_of_all_of_them(monkeypatch):
    """Feature maps are looked at some at a time; the loss does not depend on how many."""
    from dataclasses import replace

    flat = digits(classes=[0, 1])
    task = replace(flat, inputs=flat.inputs.reshape(-1, 1, 8, 8))
    asked = {"seeds": (0, 1), "steps": 6, "batch_size": 16, "precision": "float64"}
    whole = train(flat, SMALL, **asked)
    for images in (100, 7):
        monkeypatch.setattr("syzygy.training.record.IMAGES", images)
        for stack in (True, False):
            parts: Trajectory = train(task, SMALL, stack=stack, **asked)
            np.testing.assert_allclose(parts.loss, whole.loss, rtol=1e-12)
