"""Checkpoints: in which order, whatever they are wrapped in, and what does not fit."""

import struct

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from syzygy.errors import DataError, SpecificationError
from syzygy.extraction import apart, series
from syzygy.extraction.checkpoints import state_of
from syzygy.recorder.state import fill, own_name


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
        self.head.weight = self.embedding.weight


def same(one, other):
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def touched(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        torch.save(network().state_dict(), folder / name)
    return [folder / name for name in names]


# Steps


@pytest.mark.parametrize(("names", "steps", "said"), [
    (["ck-10.pt", "ck-9.pt", "ck-100.pt"], [9, 10, 100], "the last numbers of the names"),
    (["epoch=3-step=40.ckpt", "epoch=9-step=20-v1.ckpt"], [20, 40], "those after 'step' in the names"),
    (["checkpoint-20/weights.pt", "checkpoint-5/weights.pt"], [5, 20], "the last numbers of the folders' names"),
    (["b.pt", "a.pt", "c1.pt"], [0, 1, 2], "counted, in the order given: neither files nor names tell them"),
    (["run1-a.pt", "run1-b.pt"], [0, 1], "counted, in the order given: neither files nor names tell them"),
    (["v2/5.pt"], [5], "the last numbers of the names"),
])  # fmt: skip
def test_steps_are_in_the_names(tmp_path, names, steps, said):
    some, origin = series(touched(tmp_path / "of", *names))
    assert [one.step for one in some] == steps
    assert origin == f"steps are {said}"


def test_steps_that_files_tell_come_first(tmp_path):
    for name, step in (("a9.safetensors", 1000), ("b1.safetensors", 20)):
        save_file(network().state_dict(), tmp_path / name, metadata={"step": str(step)})
    torch.save({"state_dict": network().state_dict(), "global_step": 7}, tmp_path / "c3.ckpt")
    torch.save({"model": network().state_dict(), "step": torch.tensor(8)}, tmp_path / "d2.pt")
    some, origin = series(sorted(tmp_path.iterdir()))
    assert [(one.step, one.path.name[0]) for one in some] == [(7, "c"), (8, "d"), (20, "b"), (1000, "a")]
    assert origin == "steps are told by the files"
    save_file(network().state_dict(), tmp_path / "b1.safetensors", metadata={"step": "soon"})
    assert [one.step for one in series(sorted(tmp_path.iterdir()))[0]] == [1, 2, 3, 9]
    with pytest.raises(SpecificationError, match="given twice"):
        series([tmp_path / "a9.safetensors", tmp_path / "." / "a9.safetensors"])


# Weights


@pytest.mark.parametrize("wrap", [
    lambda state: state,
    lambda state: {"state_dict": state},
    lambda state: {"state_dict": {f"model.{name}": value for name, value in state.items()}, "epoch": 3},
    lambda state: {"model_state_dict": {f"module.{name}": value for name, value in state.items()}},
    lambda state: {"model": {f"_orig_mod.module.{name}": value for name, value in state.items()}, "lr": 0.1},
    lambda state: {f"model._orig_mod.{name}": value for name, value in state.items()},
])  # fmt: skip
@pytest.mark.parametrize("old", [False, True])
def test_weights_are_found_whatever_they_are_wrapped_in(tmp_path, wrap, old):
    wanted, model = network(1), network(2)
    torch.save(wrap(wanted.state_dict()), tmp_path / "a.pt", _use_new_zipfile_serialization=not old)
    fill(model, state_of(tmp_path / "a.pt"), "a.pt")
    assert same(model, wanted)
    save_file(wrap_flat(wrap(wanted.state_dict())), tmp_path / "a.safetensors")
    fill(network(3), state_of(tmp_path / "a.safetensors"), "a")


def wrap_flat(saved):
    return next((one for one in saved.values() if isinstance(one, dict)), saved)


def test_names_of_its_own_are_kept():
    assert own_name("model.weight", {"model.weight", "weight"}) == "model.weight"
    assert own_name("body._orig_mod.weight", {"body.weight"}) == "body.weight"
    assert own_name("module.other", {"weight"}) is None


def test_tied_weights_are_saved_once():
    model = Tied()
    fill(model, {"embedding.weight": torch.ones(5, 3)}, "tied")
    assert model.head.weight.eq(1).all()
    with pytest.raises(DataError, match=r"tied does not fit the network: it lacks 2 of 2 weights"):
        fill(model, {"other": torch.ones(5, 3)}, "tied")


def test_state_that_is_no_weight_and_weights_without_a_shape():
    class Kept(nn.Linear):
        def get_extra_state(self):
            return {"seen": 3}

        def set_extra_state(self, state):
            self.seen = state["seen"]

    kept = Kept(2, 2)
    fill(kept, {f"module.{name}": value for name, value in kept.state_dict().items()}, "kept", strict=True)
    assert kept.seen == 3
    with pytest.raises(DataError, match=r"^kept does not fit the network \(.*\)$"):
        fill(kept, kept.state_dict() | {"_extra_state": 5}, "kept")
    with pytest.raises(DataError, match=r"has weight as int instead of a tensor"):
        fill(kept, kept.state_dict() | {"weight": 5}, "kept")
    lazy = nn.LazyLinear(2)
    fill(lazy, kept.state_dict(), "lazy")
    assert torch.equal(lazy.weight, kept.weight)


def test_half_precision_and_what_training_adds(tmp_path):
    said, wanted, model = [], network(1), network(2)
    torch.save({"state_dict": {**wanted.half().state_dict(), "loss.weight": torch.ones(2)}}, tmp_path / "a.ckpt")
    fill(model, state_of(tmp_path / "a.ckpt"), "a.ckpt", said.append)
    assert torch.equal(model[0].weight, wanted[0].weight.float())
    assert said == ["a.ckpt holds 1 that the network lacks, passed over: loss.weight"]


def test_what_does_not_fit_is_named_in_one_line():
    state = network().state_dict()
    lacking = {name: value for name, value in state.items() if not name.startswith("0.")} | {"a": torch.ones(1)}
    before = network(5)
    model = network(5)
    says = r"it lacks 2 of 9 weights \(0.weight, 0.bias\); has 1 that the network lacks \(a\)$"
    with pytest.raises(DataError, match=rf"^x does not fit the network: {says}"):
        fill(model, lacking, "x")
    with pytest.raises(DataError, match=r"has 2.weight as \(3, 8\) instead of \(2, 8\)"):
        fill(model, state | {"2.weight": torch.ones(3, 8)}, "x")
    with pytest.raises(DataError, match=r"has 2.bias twice"):
        fill(model, state | {"module.2.bias": torch.ones(2)}, "x")
    assert same(model, before)


def test_files_that_are_no_weights(tmp_path):
    def refuses(says, error=DataError, read=state_of, name="a.pt"):
        with pytest.raises(error, match=says):
            read(tmp_path / name)

    refuses("is not there")
    (tmp_path / "a.csv").write_text("1", encoding="utf-8")
    refuses("is no checkpoint", SpecificationError, name="a.csv")
    (tmp_path / "a.pt").write_bytes(b"nothing of the kind")
    refuses("holds more than weights, or is damaged")
    torch.save(network(), tmp_path / "a.pt")
    refuses(r"nothing is unpickled; where it was saved, save model.state_dict\(\) alone")
    torch.save({"epoch": 3}, tmp_path / "a.pt")
    refuses("holds no weights")
    torch.save([1, 2], tmp_path / "a.pt")
    refuses("holds no weights")
    for size in (b"bad", struct.pack("<Q", 2**60) + b"{}"):
        (tmp_path / "a.safetensors").write_bytes(size)
        refuses("cannot be read", name="a.safetensors")


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return open, (str(tmp_path / "ran"), "w")

    torch.save({"state_dict": network().state_dict(), "hyper": Evil()}, tmp_path / "a.ckpt")
    with pytest.raises(DataError, match="holds more than weights"):
        series([tmp_path / "a.ckpt"])
    assert not (tmp_path / "ran").exists()


# What is shown and what is a checkpoint


def test_checkpoints_are_told_from_what_is_shown(tmp_path):
    save_file(network().state_dict(), tmp_path / "ck.safetensors")
    save_file(
        {f"model.{name}": value for name, value in network().state_dict().items()}, tmp_path / "wrapped.safetensors"
    )
    save_file({"x": torch.ones(3, 4)}, tmp_path / "data.safetensors")
    here = sorted(tmp_path.iterdir())
    data, checkpoints = apart(here, network())
    assert data.name == "data.safetensors"
    assert [path.name for path in checkpoints] == ["ck.safetensors", "wrapped.safetensors"]
    assert apart(["images", "a.pt", "b.ckpt"], network())[0].name == "images"
    with pytest.raises(SpecificationError, match=r"name one folder or file to show .* got none"):
        apart([tmp_path / "ck.safetensors"], network())
    with pytest.raises(SpecificationError, match=r"got 2: a.npz, b.txt"):
        apart(["a.npz", "b.txt"], network())
