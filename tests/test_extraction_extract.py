"""Representations streamed from models: the numbers, what is kept, how it goes on, and what is refused."""

import errno
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from syzygy.errors import DataError, RunError, ShapeError, SpecificationError, UnknownName
from syzygy.extraction import Source, extract, extraction_of, plan, shown, taken
from syzygy.extraction.pace import Pace, pace
from syzygy.extraction.view import packed
from syzygy.files import whole_file
from syzygy.fitting import fit_pairs, pair_curves
from syzygy.journal import FolderJournal, cut, read
from syzygy.recorder import record_series
from syzygy.representations import Representations
from test_extraction_sources import put_tokenizer

X = torch.from_numpy(np.random.default_rng(0).normal(size=(11, 4)).astype(np.float32))


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(), nn.Linear(8, 2))


class Reader(nn.Module):
    """Reads tokens, and gives logits of as many positions."""

    def __init__(self, scale=1.0):
        super().__init__()
        self.embed, self.scale = nn.Embedding(30, 3), scale

    def forward(self, input_ids, attention_mask):  # noqa: ARG002
        return self.embed(input_ids) * self.scale


def letters(texts, left=False):
    """Take letters for tokens, padded to the longest text."""
    longest = max(map(len, texts))
    ids, mask = torch.zeros(2, len(texts), longest, dtype=torch.int64)
    for row, text in enumerate(texts):
        at = slice(longest - len(text), longest) if left else slice(len(text))
        ids[row, at], mask[row, at] = torch.tensor([ord(letter) - 96 for letter in text]), 1
    return {"input_ids": ids, "attention_mask": mask}


def reader(**options):
    return Source("reader", Reader(), lambda texts: letters(texts, **options), "text", None)


def saved(folder, *steps):
    folder.mkdir(exist_ok=True)
    for step in steps:
        save_file(network(step + 1).state_dict(), folder / f"{step}.safetensors")
    return [folder / f"{step}.safetensors" for step in steps]


# Numbers


@pytest.mark.parametrize(("batch", "stored"), [(1, False), (4, True), (11, False), (100, False)])
def test_what_is_extracted_is_what_the_model_gives(tmp_path, batch, stored):
    model = network().train()
    out = tmp_path / "reps" if stored else None
    seen = extract(model, X, layers=["1", "0"], batch=batch, out=out, items=[f"n{k}" for k in range(11)], seed=3)
    assert model.training
    model.eval()
    with torch.no_grad():
        parts = [(model[0](part), model(part)) for part in X.split(batch)]
    hidden, outputs = (torch.cat(some).numpy() for some in zip(*parts, strict=True))
    np.testing.assert_array_equal(seen.representation("0")[0, 0], hidden)
    np.testing.assert_array_equal(seen.outputs[0, 0], outputs)
    np.testing.assert_allclose(seen.representation("1")[0, 0], np.tanh(hidden), rtol=1e-5)
    np.testing.assert_array_equal(seen.inputs, X)
    assert (seen.layers, seen.steps.tolist(), seen.seeds.tolist()) == (("1", "0"), [0], [3])
    assert seen.items == tuple(f"n{k}" for k in range(11))
    assert np.isnan(seen.loss).all()


def test_a_series_is_what_a_recorder_would_have_seen(tmp_path):
    paths = saved(tmp_path / "ck", 100, 5, 20)
    seen = extract(network(), X, layers=["*"], checkpoints=paths, out=tmp_path / "reps", targets=X[:, :2])
    states = [(step, network(step + 1).state_dict()) for step in (5, 20, 100)]
    other = record_series(network(), states, layers=["*"], probe=X, targets=X[:, :2])
    assert seen.steps.tolist() == [5, 20, 100]
    for layer in ("0", "1", "2", "3"):
        np.testing.assert_array_equal(seen.representation(layer), other.representation(layer))
    np.testing.assert_array_equal(seen.outputs, other.outputs)
    np.testing.assert_allclose(seen.loss, other.loss, rtol=1e-6)
    assert fit_pairs(pair_curves(seen, "1")).eta_h.value.shape[0] == 1


def test_reading_back_needs_only_xarray(tmp_path):
    seen = extract(network(), X, layers=["1"], out=tmp_path / "reps", precision="float16")
    with xr.open_datatree(tmp_path / "reps/trajectory.zarr", engine="zarr") as tree:
        np.testing.assert_array_equal(tree["layers/1/representation"].values, seen.representation("1"))
    whole = extract(network(), X, layers=["1"]).representation("1")
    np.testing.assert_allclose(seen.representation("1"), whole, atol=1e-3)
    assert not np.array_equal(seen.representation("1"), whole)


def test_classes_become_targets_of_the_outputs(tmp_path):
    np.savez(tmp_path / "a.npz", x=X, labels=np.arange(11) % 2)
    seen = extract(network(), tmp_path / "a.npz", layers=["1"], batch=3)
    np.testing.assert_array_equal(seen.targets, np.eye(2)[np.arange(11) % 2])
    np.testing.assert_allclose(seen.loss, 0.5 * np.mean((seen.outputs[0, 0] - seen.targets) ** 2), rtol=1e-6)
    said = []
    np.savez(tmp_path / "b.npz", x=X, labels=np.arange(11))
    assert np.isnan(extract(network(), tmp_path / "b.npz", layers=["1"], say=said.append).targets).all()
    assert said[0].startswith(f"targets of {tmp_path / 'b.npz'} are passed over: classes lie between 0 and 1")
    with pytest.raises(DataError, match="classes lie between 0 and 1"):
        extract(network(), X, layers=["1"], targets=np.arange(11))


def test_half_precision_models_and_double_inputs():
    assert extract(network().bfloat16(), X.double(), layers=["1"]).representation("1").shape == (1, 1, 11, 8)


def test_what_wraps_a_model_does_not_show():
    seen = extract(nn.DataParallel(network()), X, layers=["1"])
    assert (seen.layers, seen.about["network"]["name"]) == (("1",), "Sequential")


def test_large_inputs_are_not_kept(monkeypatch):
    monkeypatch.setattr("syzygy.extraction.extraction.INPUTS_BYTES", 11 * 4 * 4 - 1)
    assert extract(network(), X, layers=["1"]).inputs.shape == (11, 0)


def test_large_targets_are_not_kept_and_outputs_are(monkeypatch):
    monkeypatch.setattr("syzygy.extraction.extraction.TARGETS_BYTES", 11 * 2 * 8 - 1)
    seen, said = extract(network(), X, layers=["output"]), []
    np.testing.assert_array_equal(seen.outputs, seen.representation("output"))
    assert plan(extraction_of(taken(network()), shown(X), layers=["1"])).disk == 11 * (8 + 2) * 4
    with pytest.raises(ShapeError, match="11 × 2 targets are too many to be kept"):
        extract(network(), X, layers=["1"], targets=X[:, :2])
    seen = extract(network(), X, layers=["1"], targets=X[:, :2], say=said.append)
    assert (len(said), seen.outputs.shape) == (1, (1, 1, 11, 2))


# Pooling


def test_maps_are_pooled_where_there_is_something_to_pool():
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(12, 2))
    images = torch.randn(5, 1, 4, 4)
    seen = extract(model, images, layers=["*", "max(0)"], pooling="mean", batch=2)
    assert seen.layers == ("mean(0)", "1", "2", "max(0)")
    whole = extract(model, images, layers=["*"])
    assert whole.layers == ("0", "1", "2")
    maps = whole.representation("0")[0, 0].reshape(5, 3, 4)
    np.testing.assert_allclose(seen.representation("mean(0)")[0, 0], maps.mean(-1), rtol=1e-5)
    np.testing.assert_allclose(seen.representation("max(0)")[0, 0], maps.max(-1), rtol=1e-5)
    with pytest.raises(UnknownName, match="unknown pooling 'middle'"):
        extract(model, images, layers=["0"], pooling="middle")


@pytest.mark.parametrize(("left", "batch", "stored"), [(False, 1, False), (True, 2, True), (True, 5, False)])
def test_tokens_do_not_depend_on_who_else_is_in_the_batch(left, batch, stored, tmp_path):
    texts, source = ["a", "abcd", "bb", "cab", "d"], reader(left=left)
    out = tmp_path / "reps" if stored else None
    seen = extract(source, texts, layers=["embed", "positions(embed)"], batch=batch, out=out)
    assert seen.layers == ("mean(embed)", "positions(embed)")
    assert seen.outputs.shape[-1] == 0
    weights = source.model.embed.weight.detach().numpy()
    told = [weights[[ord(letter) - 96 for letter in text]] for text in texts]
    np.testing.assert_allclose(seen.representation("mean(embed)")[0, 0], [one.mean(0) for one in told], rtol=1e-5)
    np.testing.assert_array_equal(seen.representation("positions(embed)")[0, 0], np.concatenate(told))
    names = [f"{text} @ {place}" for text in texts for place in range(len(text))]
    assert list(seen.items_of("positions(embed)")) == names


def test_packed_tokens():
    rng = np.random.default_rng(0)
    tokens, mask = rng.normal(size=(4, 5, 2)), rng.random((4, 5)) > 0.5
    whole = packed(tokens, mask, 6)
    for row, one, there in zip(whole, tokens, mask, strict=True):
        np.testing.assert_array_equal(row[~np.isnan(row).any(1)], one[there])
        assert np.isnan(row[there.sum() :]).all()


# Going on


def test_the_same_call_goes_on_where_it_stopped(tmp_path, monkeypatch):
    paths, out = saved(tmp_path / "ck", 1, 2, 3), tmp_path / "reps"
    whole = extract(network(), X, layers=["1"], checkpoints=paths, batch=4, out=tmp_path / "whole")
    looks = []

    def counting(model, part):
        looks.append(len(part))
        if len(looks) == 6:  # in the second step
            raise KeyboardInterrupt

    hooked = network()
    hooked.register_forward_pre_hook(lambda model, arguments: counting(model, arguments[0]))
    asked = extraction_of(taken(hooked), shown(X), layers=["1"], checkpoints=paths, batch=4)
    looks.clear()
    with pytest.raises(KeyboardInterrupt):
        asked.run(out)
    assert kept(out) == [1]
    looks.clear()
    model = network()
    model.register_forward_pre_hook(lambda *_: looks.append(1))
    progress = []
    again = extraction_of(taken(model), shown(X), layers=["1"], checkpoints=paths, batch=4)
    looks.clear()
    journal = again.run(out, progress.append)
    assert len(looks) == 2 * 3
    assert sum(progress) == pytest.approx(1)
    assert journal.steps == (1, 2, 3)
    np.testing.assert_array_equal(journal.trajectory.representation("1"), whole.representation("1"))
    looks.clear()
    again.run(out)
    assert looks == []


@pytest.mark.parametrize(("batch", "again"), [(3, [3, 2]), (4, [4, 3]), (2, [2, 2, 1])])
def test_a_model_goes_on_after_its_last_whole_chunk(tmp_path, monkeypatch, batch, again):
    """Chunks of three items; a batch that lies in part in a whole chunk is shown again, for the same numbers."""
    monkeypatch.setattr("syzygy.journal.cut.CHUNK_BYTES", 4 * 8 * 3)
    looks, model, progress = [], network(), []
    model.register_forward_pre_hook(lambda _, arguments: looked(len(arguments[0])))

    def looked(count):
        looks.append(count)
        if sum(looks) > 8:  # items 6 to 8 are not there yet
            raise KeyboardInterrupt

    asked = extraction_of(taken(model), shown(X, targets=X[:, :2]), layers=["1"], batch=batch)
    looks.clear()
    with pytest.raises(KeyboardInterrupt):
        asked.run(tmp_path / "reps")
    looks[:] = [-100]
    asked.run(tmp_path / "reps", progress.append)
    assert looks[1:] == again
    assert sum(progress) == pytest.approx(1)
    looks[:] = [-100]
    asked.run(tmp_path / "whole")
    assert contents(tmp_path / "reps") == contents(tmp_path / "whole")
    loss = 0.5 * np.mean((model.eval()(X) - X[:, :2]).detach().numpy() ** 2)
    np.testing.assert_allclose(read(tmp_path / "reps").loss, loss, rtol=1e-6)


def test_one_that_is_cut_short_is_not_taken_over_by_another(tmp_path, monkeypatch):
    monkeypatch.setattr("syzygy.journal.cut.CHUNK_BYTES", 4 * 8 * 3)
    bad = nn.Sequential(Log(), nn.Linear(4, 8))
    positive = X.abs()
    positive[8] = 0
    with pytest.raises(DataError, match="gives what is not finite for 'item 8'"):
        extract(bad, positive, layers=["1"], batch=3, out=tmp_path / "reps")
    with pytest.raises(RunError, match="holds another extraction, with other layers; name another folder"):
        extract(bad, positive, layers=["0"], batch=3, out=tmp_path / "reps")


KILLED = """
import sys, time, types
sys.modules["syzygy"] = types.ModuleType("syzygy")  # the facade, which imports much that is not needed here
sys.modules["syzygy"].__path__ = [sys.argv[1]]
import test_extraction_extract as here
from syzygy.journal import cut
cut.CHUNK_BYTES = 4 * 8 * 3
model = here.network()
model.register_forward_pre_hook(lambda *_: time.sleep(0.2))
here.extract(model, here.X, layers=["1"], batch=1, out=sys.argv[2], targets=here.X[:, :2])
"""


@pytest.mark.slow
def test_a_model_goes_on_after_a_kill(tmp_path, monkeypatch):
    out, package = tmp_path / "reps", str(Path(cut.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    started = subprocess.Popen([sys.executable, "-c", KILLED, package, str(out)], env=environment)
    try:
        while started.poll() is None and not (out / "trajectory.zarr/layers/1/representation/0.0.1.0").exists():
            time.sleep(0.02)
    finally:
        started.kill()
        started.communicate()
    assert started.returncode == -signal.SIGKILL
    monkeypatch.setattr(cut, "CHUNK_BYTES", 4 * 8 * 3)
    looks, model = [], network()
    model.register_forward_pre_hook(lambda *_: looks.append(1))
    asked = extraction_of(taken(model), shown(X, targets=X[:, :2]), layers=["1"], batch=1)
    looks.clear()
    asked.run(out)
    assert len(looks) in (5, 2)  # of 11: six were there, or nine
    asked.run(tmp_path / "whole")
    assert contents(out) == contents(tmp_path / "whole")


def contents(home):
    return {str(file.relative_to(home)): file.read_bytes() for file in home.rglob("*") if file.is_file()}


def kept(out):
    return [one.where["step"] for one in Representations.of(out, steps="all")]


def test_checkpoints_are_added_at_the_end(tmp_path):
    folder, out = tmp_path / "ck", tmp_path / "reps"
    extract(network(), X, layers=["1"], checkpoints=saved(folder, 1, 5), out=out)
    seen = extract(network(), X, layers=["1"], checkpoints=saved(folder, 1, 5, 9), out=out)
    assert seen.steps.tolist() == [1, 5, 9]
    assert list(json.loads((out / "manifest.json").read_text())["about"]["checkpoints"]) == ["1", "5", "9"]
    with pytest.raises(RunError, match="goes to step 9, and lacks step 3 before it"):
        extract(network(), X, layers=["1"], checkpoints=saved(folder, 1, 3), out=out)
    save_file(network(77).state_dict(), folder / "5.safetensors")
    with pytest.raises(RunError, match=r"holds another extraction, with other checkpoints"):
        extract(network(), X, layers=["1"], checkpoints=[*saved(folder, 1), folder / "5.safetensors"], out=out)


def test_another_extraction_is_refused_and_nothing_changed(tmp_path):
    out = tmp_path / "reps"
    options = {"layers": ["1"], "out": out, "targets": X[:, :2]}
    extract(network(), X, **options)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    for what, model, inputs, change in (
        ("weights", network(9), X, {}),
        ("model", nn.Sequential(*network(), nn.Tanh()), X, {}),
        ("inputs", network(), X + 1, {}),
        ("items, inputs", network(), X, {"items": list("abcdefghijk")}),
        ("targets", network(), X, {"targets": X[:, 1:3]}),
        ("layers", network(), X, {"layers": ["0"]}),
        ("precision", network(), X, {"precision": "float16"}),
        ("seed", network(), X, {"seed": 1}),
    ):
        with pytest.raises(RunError, match=f"holds another extraction, with other {what}; name another folder"):
            extract(model, inputs, **(options | change))
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    extract(network(), X, **options, batch=2)  # how much at once is no other question


def test_folders_that_cannot_be_used(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(RunError, match="is a file, not a folder"):
        extract(network(), X, layers=["1"], out=tmp_path / "file")
    with pytest.raises(RunError, match="holds something else; name another folder"):
        extract(network(), X, layers=["1"], out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_second_writer_is_refused(tmp_path):
    extract(network(), X, layers=["1"], out=tmp_path / "reps")
    with FolderJournal.open(tmp_path / "reps"), pytest.raises(RunError, match="is being written by somebody else"):
        extract(network(), X, layers=["1"], out=tmp_path / "reps")
    extract(network(), X, layers=["1"], out=tmp_path / "reps")


def test_a_folder_that_was_only_begun_is_taken_over(tmp_path):
    def broken(_):
        raise KeyboardInterrupt

    asked = extraction_of(taken(network()), shown(X), layers=["1"])
    with pytest.raises(KeyboardInterrupt):
        asked.run(tmp_path / "reps", broken)
    assert (tmp_path / "reps/manifest.json").is_file()
    assert extract(network(9), X, layers=["0"], out=tmp_path / "reps").layers == ("0",)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_may_not_be_written(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(RunError, match=r"not begun .* Permission denied"):
        extract(network(), X, layers=["1"], out=tmp_path / "reps")


def test_a_full_disk_loses_nothing(tmp_path, monkeypatch):
    paths, out, written = saved(tmp_path / "ck", 1, 2), tmp_path / "reps", []

    def full(path):
        written.append(path)
        if "layers" in str(path) and path.name.startswith("0.1."):
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole_file(path)

    monkeypatch.setattr("syzygy.journal.tree.whole_file", full)
    with pytest.raises(RunError, match=r"step 2 not written .*No space left on device"):
        extract(network(), X, layers=["1"], checkpoints=paths, out=out)
    assert kept(out) == [1]
    monkeypatch.undo()
    assert extract(network(), X, layers=["1"], checkpoints=paths, out=out).steps.tolist() == [1, 2]


# What is refused


def test_refused_before_anything_is_written(tmp_path):
    def refuses(error, says, inputs=X, model=None, **options):
        with pytest.raises(error, match=says):
            extract(model or network(), inputs, **({"layers": ["1"], "out": tmp_path / "reps"} | options))
        assert not (tmp_path / "reps").exists()

    refuses(UnknownName, "unknown layer '9'", layers=["9"])
    refuses(UnknownName, "unknown precision 'float8'", precision="float8")
    refuses(SpecificationError, "batch must be 1 or more", batch=0)
    refuses(SpecificationError, "limit must be 1 or more", limit=0)
    refuses(SpecificationError, "device 'nowhere' cannot be used", device="nowhere")
    refuses(SpecificationError, "random_weights is for sources by name", random_weights=True)
    refuses(DataError, r"cannot be shown inputs \(2, 5\) float32: mat1 and mat2", torch.ones(3, 5))
    refuses(DataError, r"the inputs of 'item 1' are not finite", torch.tensor([[0.0] * 4, [np.inf] * 4]))
    refuses(DataError, r"does not fit the network", checkpoints=[wrong(tmp_path)])


def wrong(folder):
    save_file({"0.weight": torch.ones(2)}, folder / "wrong.safetensors")
    return folder / "wrong.safetensors"


def test_a_layer_whose_width_changes():
    ragged = Source("reader", Reader(), letters, "text", None)
    with pytest.raises(ShapeError, match=r"layer 'embed' gave \(6,\) an item, and \(12,\) for 'abcd'; pool over"):
        extract(ragged, ["ab", "ba", "abcd"], layers=["embed"], pooling="flatten", batch=2)


@pytest.mark.parametrize("stored", [False, True])
def test_numbers_that_cannot_be_kept(tmp_path, stored):
    model = nn.Sequential(nn.Identity(), nn.Linear(4, 2))
    options = {"layers": ["0"], "batch": 4, "out": tmp_path / "reps" if stored else None}
    large = X.clone()
    large[9, 2] = 1e6
    assert extract(model, large, layers=["0"]).representation("0").max() == np.float32(1e6)
    with pytest.raises(DataError, match=r"layer '0' holds 1e\+06, beyond 65504 of float16"):
        extract(model, large, precision="float16", **options)
    logs = nn.Sequential(Log(), nn.Linear(4, 2))
    X_ = X.abs()
    X_[6, 1] = 0
    with pytest.raises(DataError, match="gives what is not finite for 'item 6'"):
        extract(logs, X_, **(options | {"out": tmp_path / "logs" if stored else None}))
    with pytest.raises(DataError, match="layer '0' gives what is not finite for 'item 6'"):
        extract(nn.Sequential(Log(), nn.Tanh()), X_, layers=["0"])  # whose output is finite


class Log(nn.Module):
    def forward(self, x):
        return torch.log(x)


# Two networks, and what it takes


def test_networks_with_different_layers_are_compared(tmp_path):
    extract(network(), X, layers=["0", "1"], out=tmp_path / "a", items=[f"n{k}" for k in range(11)])
    order = torch.arange(10, -1, -1)
    wide = nn.Sequential(nn.Linear(4, 16), nn.ReLU())
    extract(wide, X[order], layers=["1"], out=tmp_path / "b", items=[f"n{k}" for k in order])
    some = Representations.of([tmp_path / "a", tmp_path / "b"])
    assert [one.shape for one in some] == [(11, 8), (11, 8), (11, 16)]
    with torch.no_grad():
        np.testing.assert_allclose(some.values(2), wide(X), rtol=1e-5)


def test_images_end_to_end(tmp_path):
    for index in range(5):
        Image.new("RGB", (6, 6), (40 * index, 0, 0)).save(tmp_path / f"{index}.png")
    model = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.LazyLinear(2))
    model(torch.zeros(1, 3, 6, 6))
    seen = extract(model, tmp_path, layers=["mean(0)"], batch=2, out=tmp_path.parent / f"{tmp_path.name}-reps")
    assert seen.items == tuple(f"{index}.png" for index in range(5))
    assert seen.inputs.shape == (5, 108)
    np.testing.assert_allclose(np.diff(seen.representation("mean(0)")[0, 0], axis=0, n=2), 0, atol=1e-5)


def test_a_plan_says_what_it_takes(tmp_path):
    paths = saved(tmp_path / "ck", 1, 2)
    asked = extraction_of(taken(network()), shown(X), layers=["0", "1"], checkpoints=paths, precision="float16")
    planned = plan(asked)
    assert (planned.items, planned.steps, planned.outputs) == (11, 2, 2)
    assert planned.layers == {"0": (8,), "1": (8,)}
    assert planned.disk == 2 * 11 * (2 * 16 + 4 * 2)
    assert planned.memory > sum(one.nbytes for one in network().parameters())
    assert 0 < planned.seconds < 60
    asked.run(tmp_path / "reps")
    tree = tmp_path / "reps/trajectory.zarr"
    chunks = [path for path in tree.rglob("*") if path.is_file() and path.name[0].isdigit()]
    size = sum(path.stat().st_size - 4 for path in chunks if "layers" in path.parts or "outputs" in path.parts)
    assert size == planned.disk
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("ck", "reps")] == []


def test_a_plan_counts_what_is_done_to_an_item(tmp_path, monkeypatch):
    def seconds(**options):
        asked = extraction_of(taken(network()), shown(X), layers=["1"], **options)
        planned = plan(asked)
        return round(planned.seconds - (0.0 if options else planned.disk / 2e8), 1)

    module = import_module("syzygy.extraction.plan")
    monkeypatch.setattr(module, "pace", lambda _: Pace(begin=1e2, step=1e3, prepare=1e4, show=1e6))
    assert seconds() == 100 + 11 * (2e4 + 1e6)  # once more for inputs that are kept
    monkeypatch.setattr(module, "INPUTS_BYTES", 11 * 4 * 4 - 1)
    assert seconds() == 100 + 11 * (1e4 + 1e6)
    paths = saved(tmp_path, 1, 2, 3)
    assert seconds(checkpoints=paths) == pytest.approx(100 + 2e3 + 11 * 3 * (1e4 + 1e6), abs=10)
    clock = itertools.count()
    with monkeypatch.context() as patched:
        patched.setattr(module, "time", SimpleNamespace(perf_counter=lambda: 1e8 * next(clock)))
        assert seconds(checkpoints=paths) == pytest.approx(100 + 2e3 + 11 * 3 * (1e4 + 1e6) + 3e8, abs=10)  # loaded
    monkeypatch.setattr(module, "HASHED", 1e-3)
    hashed = sum(path.stat().st_size for path in paths) + X.nbytes
    assert seconds(checkpoints=paths) == pytest.approx(100 + 2e3 + 11 * 3 * (1e4 + 1e6) + 1e3 * hashed, abs=10)


@pytest.mark.parametrize(("tick", "batch", "sizes"), [
    (0.0, 5, [2, 5, 5, 1]),  # a few items, then whole batches
    (0.0, 2, [2, 2, 2, 2, 2]),
    (0.45, 5, [2, 2, 2]),  # a whole batch would last
    (1.1, 5, [2, 2]),
])  # fmt: skip
def test_time_is_measured_on_batches_as_they_will_be_shown(tmp_path, monkeypatch, tick, batch, sizes):
    """A clock that ticks whenever it is looked at."""
    clock, met, model = itertools.count(), [], network()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    module = import_module("syzygy.extraction.pace")
    monkeypatch.setattr(module, "SAMPLE", 2)
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: tick * next(clock)))
    asked = extraction_of(taken(model), shown(X), layers=["1"], batch=batch)
    model.register_forward_pre_hook(lambda _, given: met.append(len(given[0])))
    measured = pace(asked)
    assert met == sizes
    assert (measured.begin, measured.step) == pytest.approx((tick, tick))
    count = sum(sizes[1:])
    assert measured.prepare * count == pytest.approx(measured.show * count) == pytest.approx(tick * (len(sizes) - 1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_texts_for_a_model_from_a_folder(transformers, tmp_path):
    small = {"num_attention_heads": 2, "hidden_size": 16, "num_hidden_layers": 2, "intermediate_size": 32}
    torch.manual_seed(0)
    config = transformers.BertConfig(**small, vocab_size=30, max_position_embeddings=8)
    transformers.BertModel(config).save_pretrained(tmp_path / "bert")
    put_tokenizer(transformers, tmp_path / "bert")
    texts = ["a dog saw the cat", "one text", "which is longer", "a cat"]
    (tmp_path / "texts.txt").write_text("\n".join(texts), encoding="utf-8")
    options = {"layers": ["encoder.layer.*", "pooler", "positions(encoder.layer.1)"], "batch": 2}
    seen = extract(f"hf:{tmp_path / 'bert'}", tmp_path / "texts.txt", out=tmp_path / "reps", **options)
    assert seen.items == tuple(texts)
    labels = ("mean(encoder.layer.0)", "mean(encoder.layer.1)", "pooler", "positions(encoder.layer.1)")
    assert seen.layers == labels
    tokens = seen.representation(labels[3])[0, 0]
    ends = np.cumsum([len(text.split()) for text in texts])
    means = [part.mean(0) for part in np.split(tokens, ends[:-1])]
    np.testing.assert_allclose(seen.representation(labels[1])[0, 0], means, rtol=1e-4, atol=1e-5)
    alone = extract(f"hf:{tmp_path / 'bert'}", texts[::-1], **options | {"batch": 1})
    np.testing.assert_allclose(alone.representation(labels[1])[0, 0, ::-1], means, rtol=1e-4, atol=1e-5)
