"""Published architectures: their layers by name, their weights from a file, and what is said where there are none."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from syzygy.errors import DataError, ShapeError, SpecificationError, UnknownName
from syzygy.networks import Setting, setting
from syzygy.networks import timm as ours
from syzygy.networks.timm import Timm, published
from syzygy.recording import every, watched
from syzygy.seeds import stream
from syzygy.store import MemoryStore
from syzygy.tasks import Task
from syzygy.training import Job, train, train_zoo
from syzygy.training import job as job_module

NAME = "resnet18.a1_in1k"
ROW = {
    "name": "resnet18",
    "type": f"timm:{NAME}",
    "gain": 1.0,
    "learning_rate": 0.01,
    "layer": "body.layer4",
    "steps": 2,
}
LAYERS = tuple(f"body.layer{number}" for number in range(1, 5))


def pictures(items=6, side=32, classes=3):
    draw, labels = np.random.default_rng(0), np.arange(items) % classes
    inputs = draw.normal(size=(items, 3, side, side)) + labels[:, None, None, None]
    return Task("pictures", inputs, np.eye(classes)[labels], tuple(f"{label} #{i}" for i, label in enumerate(labels)))


def put_weights(timm, folder, model=NAME, seed=5):
    """Save an architecture with random weights as its publisher would, its head included."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = timm.create_model(model, pretrained=False)
    for name, buffer in made.named_buffers():
        if name.endswith("running_mean"):
            buffer.add_(0.1)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(made.state_dict(), folder / f"{model}.safetensors")
    return made


# The network


def test_it_is_timms_architecture_below_a_readout(timm):
    task, network = pictures(), setting(ROW).build(3 * 32**2, 3, seed=0)
    body = timm.create_model("resnet18", num_classes=0)
    assert {name: tuple(value.shape) for name, value in network.body.state_dict().items()} == {
        name: tuple(value.shape) for name, value in body.state_dict().items()
    }
    x = torch.as_tensor(task.inputs)
    network.eval()
    with torch.no_grad(), watched(network, LAYERS) as seen:
        outputs = network(x)
        body.double().load_state_dict(network.body.state_dict())
        features = body.eval()(x)
        torch.testing.assert_close(outputs, features @ network.readout.weight.T + network.readout.bias)
        torch.testing.assert_close(outputs, network(x.flatten(1)))
    assert [seen[layer].shape[1] for layer in LAYERS] == [64 * 8 * 8, 128 * 4 * 4, 256 * 2 * 2, 512]


def test_the_seed_decides_all_weights_and_leaves_the_global_random_state(timm):
    row, before = setting(ROW), torch.random.get_rng_state()
    first, again, other = (row.build(3072, 3, seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    for name in ("body.conv1.weight", "body.layer3.0.conv1.weight", "readout.weight"):
        assert not torch.equal(first[name], other[name])
    wider = row.model_copy(update={"gain": 3.0}).build(3072, 3, 0).state_dict()  # the readout's alone
    torch.testing.assert_close(wider["readout.weight"], 3 * first["readout.weight"])
    assert torch.equal(wider["body.layer1.0.conv1.weight"], first["body.layer1.0.conv1.weight"])


def test_a_body_of_linear_layers_keeps_the_weights_that_timm_draws(timm):
    row = setting({**ROW, "type": "timm:vit_tiny_patch16_224", "layer": "body.blocks.3"})
    drawn = row.build(3 * 224**2, 3, seed=4).body.state_dict()
    with torch.random.fork_rng():
        torch.manual_seed(stream(4, "weights"))
        theirs = timm.create_model("vit_tiny_patch16_224", pretrained=False, num_classes=0).double().state_dict()
    assert all(torch.equal(drawn[name], values) for name, values in theirs.items())


def test_its_size_is_known_without_building_it(timm):
    assert setting(ROW).size(3072, 10) == 11_176_512 + 512 * 10 + 10
    # A convolution uses each of its weights at every position: the first at 16 × 16, of a stride of 2.
    assert setting(ROW).operations(3072, 10) > 16 * 16 * 64 * 3 * 7 * 7 + 11_176_512
    jobs = Job("cifar10", {}, setting(ROW), (0, 1), every(1)).parts()
    assert [job.seeds for job in jobs] == [(0,), (1,)]


def test_what_an_architecture_has_settled_is_not_asked():
    assert setting(ROW) == setting({**ROW, "width": 1, "depth": 1, "activation": "none"})
    assert Setting.model_validate(setting(ROW).model_dump()) == setting(ROW)
    for wrong in ({"width": 5}, {"depth": 2}, {"activation": "relu"}):
        with pytest.raises(
            SpecificationError, match=f"{next(iter(wrong))} of timm:.* is the architecture's own; leave it"
        ):
            setting({**ROW, **wrong})
    for kind in ("timm:", "timm:../x", "timm:a b", "timmy"):
        with pytest.raises((UnknownName, ValidationError), match="timm"):
            setting({**ROW, "type": kind, "width": 1, "depth": 1, "activation": "none"})


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("resnet81", "unknown timm network 'resnet81'; did you mean resnet18"),
        ("resnet18.a1_in1", r"unknown timm network 'resnet18\.a1_in1'; did you mean resnet18\.a"),
    ],
)
def test_an_architecture_that_timm_lacks_is_refused_with_the_near_ones(timm, model, says):
    with pytest.raises(UnknownName, match=says):
        Timm(3072, 10, model=model)


@pytest.mark.parametrize("inputs", [3071, 64, 2 * 32**2, 0])
def test_inputs_that_are_no_square_images_are_refused(inputs):
    with pytest.raises(
        SpecificationError, match=f"square images of 3 channels; the task gives {inputs} numbers an item"
    ):
        Timm(inputs, 10, model=NAME)


@pytest.mark.parametrize("how", [ImportError("No module named 'timm'"), RuntimeError("operator does not exist")])
def test_without_timm_it_is_said_how_to_get_it(monkeypatch, how):
    def fail(_name):
        raise how

    monkeypatch.setattr(ours, "import_module", fail)
    with pytest.raises(SpecificationError, match=r"needs the library timm.*pip install 'syzygy\[transfer\]'"):
        Timm(3072, 10, model=NAME)


# Its weights


@pytest.mark.parametrize("sub", ["", "timm"])
def test_weights_come_from_a_file_without_their_head(timm, tmp_path, sub):
    made = put_weights(timm, tmp_path / sub)
    weights = published(NAME, tmp_path)
    theirs = {name: value for name, value in made.state_dict().items() if not name.startswith("fc.")}
    assert weights.keys() == {f"body.{name}" for name in theirs}
    assert all(torch.equal(weights[f"body.{name}"], value) for name, value in theirs.items())


def fetching(monkeypatch, answer):
    """Stand in for the hub; give what it was asked for."""
    asked, hub = [], type(sys)("huggingface_hub")

    def download(*arguments):
        asked.append(arguments)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    hub.hf_hub_download = download
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    return asked


def test_weights_come_from_timms_hub_as_safetensors_where_no_file_is(timm, monkeypatch, tmp_path):
    put_weights(timm, tmp_path)
    asked = fetching(monkeypatch, tmp_path / f"{NAME}.safetensors")
    assert published(NAME, tmp_path / "elsewhere").keys() == published(NAME, tmp_path).keys()
    assert asked == [(f"timm/{NAME}", "model.safetensors")]


@pytest.mark.parametrize("folder", [True, False])
def test_weights_that_are_nowhere_are_named_with_the_places_and_what_to_do(timm, monkeypatch, tmp_path, folder):
    fetching(monkeypatch, OSError("no route to host\nsecond line"))
    looked = rf"looked for .*{NAME}\.safetensors and .*timm/{NAME}\.safetensors, and asked" if folder else "asked"
    says = rf"no weights of {NAME}; {looked} the hub for model\.safetensors of timm/{NAME} \(no route to host\); put "
    with pytest.raises(DataError, match=says):
        published(NAME, tmp_path if folder else None)
    with pytest.raises(DataError, match=r"timm publishes none under this name; put resnet18_nowhere\.safetensors"):
        ours.found("resnet18_nowhere", {}, tmp_path)


def test_weights_of_another_network_and_damaged_ones_are_refused(timm, tmp_path):
    path = tmp_path / f"{NAME}.safetensors"
    put_weights(timm, tmp_path)
    held = load_file(path)
    changed = held | {"layer1.0.conv1.weight": torch.zeros(64, 64, 1, 1)}
    save_file(changed, path)
    with pytest.raises(DataError, match=r"it has \(64, 64, 1, 1\) for layer1\.0\.conv1\.weight \(64, 64, 3, 3\)"):
        published(NAME, tmp_path)
    del changed["layer1.0.conv1.weight"]
    save_file(changed, path)
    with pytest.raises(DataError, match=rf"is not of {NAME}: it has nothing for layer1\.0\.conv1\.weight"):
        published(NAME, tmp_path)
    path.write_bytes(b"\x80\x04not safetensors")
    with pytest.raises(DataError, match=r"cannot be read as safetensors .*; fetch it again"):
        published(NAME, tmp_path)


# Fine-tuned


def a_job(**changes):
    job = Job("cifar10", {"size": 32}, setting(ROW), (0, 1), every(1), batch_size=4, start="published")
    return replace(job, **changes)


def test_fine_tuning_starts_from_the_file_and_learns_as_a_plain_loop(timm, tmp_path, monkeypatch):
    """Batch normalisation in training mode for updates and in evaluation mode where the network is observed."""
    put_weights(timm, tmp_path)
    monkeypatch.setenv("SYZYGY_DATA", str(tmp_path))
    monkeypatch.setattr(job_module, "TASKS", {"cifar10": lambda size: pictures(side=size)})
    job = a_job(layers=("body.layer4", "mean(body.layer1)"), precision="float64", batch_size=None)
    (_, seen), (_, other) = train_zoo(job.parts(), MemoryStore())
    network, task = setting(ROW).build(3072, 3, int(seen.seeds[0])), pictures()
    network.load_state_dict(network.state_dict() | published(NAME, tmp_path))
    x, y = torch.as_tensor(task.inputs), torch.as_tensor(task.targets)
    descent = torch.optim.SGD(network.parameters(), lr=0.01)
    for step in range(3):
        network.eval()
        with torch.no_grad(), watched(network, ["body.layer4", "body.layer1"]) as layers:
            outputs = network(x)
        np.testing.assert_allclose(seen.outputs[0, step], outputs.numpy(), rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(
            seen.representation("body.layer4")[0, step], layers["body.layer4"], rtol=1e-6, atol=1e-8
        )
        means = layers["body.layer1"].reshape(6, 64, -1).mean(-1)
        np.testing.assert_allclose(seen.representation("mean(body.layer1)")[0, step], means, rtol=1e-6, atol=1e-8)
        network.train()
        descent.zero_grad()
        (0.5 * ((network(x) - y) ** 2).mean()).backward()
        descent.step()
    np.testing.assert_array_equal(seen.representation("body.layer4")[0, 0], other.representation("body.layer4")[0, 0])
    assert not np.array_equal(seen.outputs[0, 0], other.outputs[0, 0])  # its readout is its own


def test_a_job_without_weights_says_so(timm, tmp_path, monkeypatch):
    fetching(monkeypatch, OSError("no route to host"))
    monkeypatch.setenv("SYZYGY_DATA", str(tmp_path))
    with pytest.raises(DataError, match=f"no weights of {NAME}; looked for"):
        list(train_zoo([a_job()], MemoryStore()))


def test_published_weights_have_no_readout_to_keep():
    with pytest.raises(
        SpecificationError, match=r"their readout is new; got type 'timm:resnet18\.a1_in1k', readout 'kept'"
    ):
        a_job(readout="kept")
    assert a_job().asked()["start"] == "published"


# Means over positions, of any network


class Maps(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.maps, self.flat = torch.nn.Conv2d(1, 4, 3), torch.nn.Linear(4, 2)

    def forward(self, x):
        return self.flat(self.maps(x).mean((2, 3)))


def test_a_mean_over_positions_is_one():
    network, x = Maps(), torch.randn(5, 1, 8, 8)
    with watched(network, ["maps", "mean(maps)"]) as seen:
        network(x)
    assert seen["maps"].shape == (5, 4 * 6 * 6)
    torch.testing.assert_close(seen["mean(maps)"], network.maps(x).mean((2, 3)))
    with watched(network, ["mean(flat)"]), pytest.raises(ShapeError, match=r"mean\(flat\) needs a map .* got \(5, 2\)"):
        network(x)
    with pytest.raises(UnknownName, match="unknown layer 'map'"), watched(network, ["mean(map)"]):
        pass


def test_means_are_kept_in_a_trajectory(tmp_path):
    from syzygy.store import FolderStore

    task = Task("maps", np.random.default_rng(0).normal(size=(5, 1, 8, 8)), np.eye(2)[[0, 1, 0, 1, 0]], tuple("abcde"))
    seen = train(task, lambda _seed: Maps(), layers=["mean(maps)"], steps=2, learning_rate=0.1)
    store = FolderStore(tmp_path)
    store.put({"a": 1}, seen)
    again = store.get({"a": 1}).representation("mean(maps)")
    assert again.shape == (1, 3, 5, 4)
    np.testing.assert_array_equal(again, seen.representation("mean(maps)"))
