"""Recorders in the training loops of Lightning and transformers, run by the libraries themselves."""

import importlib.util
import logging
import re
import warnings
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import syzygy
from test_recorder import arrays, hooks, same, seeded

#: What the libraries themselves warn of.
THEIRS = (
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    r"The '\w+' does not have many workers",
    r"The number of training batches .* is smaller than the logging interval",
    r"You defined a `validation_step` but have no `val_dataloader`",
    r"Be aware that when using `ckpt_path`, callbacks used to create the checkpoint need to be provided",
)
pytestmark = [pytest.mark.slow, *(pytest.mark.filterwarnings(f"ignore:{message}") for message in THEIRS)]


@pytest.fixture(params=["lightning.pytorch", "pytorch_lightning"])
def lightning(request, torchvision_operators):
    if importlib.util.find_spec(request.param.partition(".")[0]) is None:
        pytest.skip(f"{request.param} is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, while it is imported
        library = importlib.import_module(request.param)
    for name in ("lightning", "lightning.pytorch", "pytorch_lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return library


# Lightning

X = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))
QUIET = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False,
         "accelerator": "cpu", "devices": 1}  # fmt: skip
ASKED = {"layers": ["net.1"], "probe": X[:5].numpy(), "targets": X[:5, :2], "at": syzygy.every(2)}


def network():
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))


def module_of(library, fail_at=None):
    class Module(library.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = seeded(network)

        def forward(self, x):
            return self.net(x)

        def training_step(self, batch, *_):
            if self.global_step == fail_at:
                raise ZeroDivisionError
            return functional.mse_loss(self(batch[0]), batch[1])

        def validation_step(self, batch, *_):
            return self.training_step(batch)

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=0.1)

    return Module()


def loader(items=32):
    return DataLoader(TensorDataset(X[:items], X[:items, :2]), batch_size=4)


def fit(library, callbacks, module=None, checkpoint=None, **asked):
    module = module or module_of(library)
    keep = any("Checkpoint" in type(one).__name__ for one in callbacks)
    trainer = library.Trainer(callbacks=callbacks, **QUIET | {"enable_checkpointing": keep} | asked)
    trainer.fit(module, loader(), loader(8), ckpt_path=checkpoint)
    return module


def by_hand(updates, batches):
    """The same loop without the library: an update every so many batches."""
    model = seeded(network)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.1)
    asked = ASKED | {"layers": ["1"], "probe": torch.as_tensor(ASKED["probe"])}
    recorder = syzygy.Recorder(model, **asked)
    recorder(0)
    theirs = iter(loader())
    for step in range(1, updates + 1):
        optimiser.zero_grad()
        for _ in range(batches):
            try:
                x, y = next(theirs)
            except StopIteration:
                theirs = iter(loader())
                x, y = next(theirs)
            (functional.mse_loss(model(x), y) / batches).backward()
        optimiser.step()
        recorder(step, always=step == updates)
    return recorder.trajectory


def test_lightning_counts_updates_and_learns_the_same(lightning):
    callback = syzygy.LightningRecorder(**ASKED, about={"source": "mine"})
    assert isinstance(callback, lightning.Callback)
    assert isinstance(callback, syzygy.LightningRecorder)
    with pytest.raises(syzygy.errors.RunError, match=r"nothing is recorded yet; the training has not begun"):
        _ = callback.trajectory
    module = fit(lightning, [callback], max_steps=7, accumulate_grad_batches=2)
    alone = fit(lightning, [], max_steps=7, accumulate_grad_batches=2)
    assert all(torch.equal(one, other) for one, other in zip(module.parameters(), alone.parameters(), strict=True))
    assert callback.trajectory.steps.tolist() == [0, 2, 4, 6, 7]
    about = callback.trajectory.about
    assert (about["optimiser"], about["learning_rate"], about["source"]) == ("Adam", 0.1, "mine")
    assert hooks(module) == 0
    expected, seen = arrays(by_hand(7, 2)), arrays(callback.trajectory)
    for name in ("outputs", "loss", "steps", "targets", "inputs"):
        np.testing.assert_allclose(seen[name], expected[name], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(seen["net.1"], expected["1"], rtol=1e-5, atol=1e-6)


def test_lightning_may_show_the_probe_to_a_part(lightning):
    callback = syzygy.LightningRecorder(**ASKED | {"layers": ["1"]}, network="net")
    fit(lightning, [callback], max_steps=2)
    assert callback.trajectory.layers == ("1",)
    with pytest.raises(syzygy.errors.UnknownName, match=r"unknown submodule 'nett'; did you mean net"):
        fit(lightning, [syzygy.LightningRecorder(**ASKED, network="nett")], max_steps=2)


def test_lightning_tells_how_long_it_trains(lightning):
    callback = syzygy.LightningRecorder(**ASKED | {"at": syzygy.log_spaced(4)})
    fit(lightning, [callback], max_epochs=2)
    assert callback.trajectory.steps.tolist() == syzygy.log_spaced(4).at(16).tolist()


def test_lightning_may_stop_before_anybody_knew(lightning):
    class Stop(lightning.Callback):
        def on_train_batch_end(self, trainer, *_):
            trainer.should_stop = trainer.global_step == 3

    callback = syzygy.LightningRecorder(**ASKED | {"at": syzygy.every(100)})
    fit(lightning, [callback, Stop()], max_steps=50)
    assert callback.trajectory.steps.tolist() == [0, 3]


def test_lightning_goes_on_from_its_checkpoint_after_an_exception(lightning, tmp_path):
    whole, failed, resumed = (
        syzygy.LightningRecorder(**ASKED, store=tmp_path / name, resume=True) for name in ("whole", "cut", "cut")
    )
    fit(lightning, [whole], max_steps=15)
    keep = lightning.callbacks.ModelCheckpoint(tmp_path / "kept", save_top_k=-1)  # at the end of each epoch of 8
    module = module_of(lightning, fail_at=13)
    with pytest.raises(ZeroDivisionError):
        fit(lightning, [failed, keep], module, max_steps=15)
    assert hooks(module) == 0
    assert syzygy.Representations.of(tmp_path / "cut", steps="all")[-1].name.endswith("step 12")
    fit(lightning, [resumed], checkpoint=tmp_path / "kept" / "epoch=0-step=8.ckpt", max_steps=15)
    assert resumed.trajectory.steps.tolist() == [0, 2, 4, 6, 8, 10, 12, 14, 15]
    assert same(resumed.trajectory, whole.trajectory)


# transformers


@pytest.fixture
def transformers(torchvision_operators, tmp_path, monkeypatch):
    if importlib.util.find_spec("transformers") is None or importlib.util.find_spec("accelerate") is None:
        pytest.skip("transformers is not installed")
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, while it is imported
        library = importlib.import_module("transformers")
        _ = library.Trainer
    library.utils.logging.set_verbosity_error()
    return library


SILENT = {"per_device_train_batch_size": 4, "use_cpu": True, "report_to": [], "disable_tqdm": True, "seed": 1,
          "logging_strategy": "no", "save_strategy": "no", "learning_rate": 0.01}  # fmt: skip


class Texts(torch.utils.data.Dataset):
    """Token numbers of different length, with a class each."""

    def __len__(self):
        return 24

    def __getitem__(self, index):
        draw = torch.Generator().manual_seed(index)
        tokens = torch.randint(1, 20, (7,), generator=draw)
        length = 3 + index % 5
        mask = (torch.arange(7) < length).long()
        return {"input_ids": tokens * mask, "attention_mask": mask, "labels": tokens[0] % 2}


def bert(library):
    asked = {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
             "intermediate_size": 16, "max_position_embeddings": 8, "num_labels": 2}  # fmt: skip
    return seeded(lambda: library.BertForSequenceClassification(library.BertConfig(**asked)))


def seen_texts(count=5):
    texts = [Texts()[index] for index in range(count)]
    return {name: torch.stack([text[name] for text in texts]) for name in ("input_ids", "attention_mask")}


def tokens(**asked):
    layers = ["mean(bert.encoder.layer.*)", "classifier"]
    return syzygy.HuggingFaceRecorder(
        **{"layers": layers, "probe": seen_texts(), "targets": [0, 1, 0, 1, 1], "at": syzygy.every(2)} | asked
    )


def trained(library, folder, callbacks, resume=None, model=None, **asked):
    trainer = library.Trainer(
        model or bert(library), library.TrainingArguments(str(folder), **SILENT | {"max_steps": 7} | asked),
        train_dataset=Texts(), eval_dataset=Texts(), callbacks=callbacks,
    )  # fmt: skip
    trainer.train(resume_from_checkpoint=resume)
    return trainer.model


def outputs_of(library, folder):
    model = library.BertForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        return model(**seen_texts()).logits.numpy()


def test_transformers_counts_updates_and_learns_the_same(transformers, tmp_path):
    callback = tokens()
    assert isinstance(callback, transformers.TrainerCallback)
    asked = {"gradient_accumulation_steps": 2, "save_strategy": "steps", "save_steps": 4}
    model = trained(transformers, tmp_path / "a", [callback], **asked)
    alone = trained(transformers, tmp_path / "b", [], **asked)
    assert all(torch.equal(one, other) for one, other in zip(model.parameters(), alone.parameters(), strict=True))
    trajectory = callback.trajectory
    assert trajectory.steps.tolist() == [0, 2, 4, 6, 7]
    assert (trajectory.about["optimiser"], trajectory.about["learning_rate"]) == ("AdamW", 0.01)
    assert trajectory.layers == ("mean(bert.encoder.layer.0)", "mean(bert.encoder.layer.1)", "classifier")
    np.testing.assert_allclose(
        trajectory.outputs[0, 2], outputs_of(transformers, tmp_path / "a/checkpoint-4"), atol=1e-6
    )
    with torch.no_grad():
        np.testing.assert_allclose(trajectory.outputs[0, -1], model.eval()(**seen_texts()).logits, atol=1e-6)
    assert hooks(model) == 0


def test_transformers_goes_on_from_its_checkpoint_after_an_exception(transformers, tmp_path):
    class Fail(transformers.TrainerCallback):
        def on_step_begin(self, args, state, *_, **__):
            assert args
            if state.global_step == 7:
                raise ZeroDivisionError

    whole, failed = (tokens(store=tmp_path / name, resume=True) for name in ("whole", "cut"))
    asked = {"save_strategy": "steps", "save_steps": 4, "max_steps": 9}
    trained(transformers, tmp_path / "a", [whole], **asked)
    with pytest.raises(ZeroDivisionError):
        trained(transformers, tmp_path / "b", [failed, Fail], **asked)
    assert syzygy.Representations.of(tmp_path / "cut", steps="all")[-1].name.endswith("step 6")
    failed.close()
    trained(transformers, tmp_path / "b", [failed], resume=str(tmp_path / "b/checkpoint-4"), **asked)
    assert failed.trajectory.steps.tolist() == [0, 2, 4, 6, 8, 9]
    assert same(failed.trajectory, whole.trajectory)


def test_transformers_stops_early_and_loads_its_best_weights_afterwards(transformers, tmp_path):
    callback = tokens(at=syzygy.every(100))
    asked = {"eval_strategy": "steps", "eval_steps": 2, "save_strategy": "steps", "save_steps": 2, "max_steps": 50}
    trained(transformers, tmp_path / "a", [callback, transformers.EarlyStoppingCallback(2)], learning_rate=1.0,
            load_best_model_at_end=True, metric_for_best_model="loss", **asked)  # fmt: skip
    last = int(callback.trajectory.steps[-1])
    assert 0 < last < 50
    assert max(int(one.name.split("-")[1]) for one in (tmp_path / "a").iterdir()) == last
    seen = outputs_of(transformers, tmp_path / "a" / f"checkpoint-{last}")
    np.testing.assert_allclose(callback.trajectory.outputs[0, -1], seen, atol=1e-5)


def test_transformers_may_end_with_weights_that_are_not_the_last(transformers):
    for best, steps in ((True, (0,)), (False, (0, 3))):
        callback, arguments = tokens(), SimpleNamespace(load_best_model_at_end=best)
        callback.on_train_begin(arguments, SimpleNamespace(global_step=0, max_steps=9), None, model=bert(transformers))
        callback.on_train_end(arguments, SimpleNamespace(global_step=3), None)
        assert callback.recorder.steps == steps


# The document


def blocks():
    """Blocks of the document that need one of the libraries."""
    text = (Path(__file__).parents[1] / "docs/recording.md").read_text(encoding="utf-8")
    return re.findall(r"^```py\n(.*?)^```", text, re.M | re.S)


def test_the_document_records_with_lightning(lightning, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lightning, "Trainer", partial(lightning.Trainer, **QUIET))
    names = {"syzygy": syzygy, "x": X, "module": module_of(lightning), "loader": loader()}
    exec(blocks()[0].replace("lightning.pytorch", lightning.__name__), names)
    assert names["trajectory"].steps.tolist() == syzygy.log_spaced(30).at(50).tolist()
    assert len(syzygy.Representations.of("runs/pl")) == 2


def test_the_document_records_with_transformers(transformers):
    arguments = transformers.TrainingArguments("theirs", max_steps=7, **SILENT)
    names = {"syzygy": syzygy, "transformers": transformers, "bert": bert(transformers), "arguments": arguments}
    exec(blocks()[1], names | {"tokens": seen_texts(), "texts": Texts()})
    assert len(syzygy.Representations.of("runs/hf", steps="all")) == 3 * 3
    assert len(blocks()) == 2
