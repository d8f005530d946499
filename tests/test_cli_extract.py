"""``syzygy extract``: what it says, what it writes, how it goes on, and how it refuses."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from processes import interruptible
from syzygy.extraction.view import View
from syzygy.representations import Representations
from test_cli import call, done, refused

X = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
CODE = """
import torch

def make():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))

def pictures():
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())
"""
USUAL = ("extract", "models.py:make", "data.npz", "--layers", "*", "--batch", 4)
SERIES = ("extract", "models.py:make", "ck-1.safetensors", "ck-9.safetensors", "ck-20.ckpt", "data.npz", "-l", "1")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """A working folder with a model, checkpoints, arrays and images."""
    monkeypatch.chdir(tmp_path)
    Path("models.py").write_text(CODE, encoding="utf-8")
    np.savez("data.npz", x=X, items=[f"n{k}" for k in range(10)], labels=np.arange(10) % 2)
    for step in (1, 9):
        save_file(network(step).state_dict(), f"ck-{step}.safetensors", metadata={"step": str(step)})
    torch.save({"state_dict": network(20).state_dict(), "global_step": 20}, "ck-20.ckpt")


def network(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))


def last(text):
    """The last line that was said."""
    return text.splitlines()[-1]


def test_what_is_extracted_is_said_and_written():
    outcome = done(*USUAL)
    assert outcome.stdout.splitlines()[-1] == "10 items, 1 step: reps"
    assert [line.split() for line in outcome.stdout.splitlines()[:3]] == [["0", "8"], ["1", "8"], ["2", "2"]]
    assert sorted(path.name for path in Path("reps").iterdir()) == [".lock", "manifest.json", "trajectory.zarr"]
    some = Representations.of("reps")
    assert some.items == tuple(f"n{k}" for k in range(10))
    with torch.no_grad():
        np.testing.assert_array_equal(some.values(0)[:4], network(0)[0](torch.from_numpy(X[:4])).numpy())


def test_code_is_named_before_it_runs():
    Path("models.py").write_text("print('running')\n" + CODE, encoding="utf-8")
    lines = done(*USUAL).output.splitlines()
    said = next(index for index, line in enumerate(lines) if line.startswith("syzygy: ") and "models.py" in line)
    assert said < lines.index("running")


def test_a_series_of_checkpoints():
    outcome = done(*SERIES, "--json")
    assert "syzygy: 3 checkpoints; steps are told by the files" in outcome.stderr
    said = json.loads(outcome.stdout)
    assert said == {"out": "reps", "items": 10, "steps": [1, 9, 20], "layers": {"1": [8]}}
    some = Representations.of("reps", steps="all")
    assert [one.where["step"] for one in some] == [1, 9, 20]
    with torch.no_grad():
        for place, seed in enumerate((1, 9, 20)):
            np.testing.assert_allclose(some.values(place), network(seed)[:2](torch.from_numpy(X)).numpy(), rtol=1e-6)


def test_two_extractions_with_different_layers_are_compared(monkeypatch):
    monkeypatch.setattr("syzygy.cli.compare.write_report", lambda _, folder: folder / "report.html")
    done(*USUAL, "--out", "a")
    done(*USUAL[:4], "1", "--limit", 10, "--precision", "float16", "--out", "b")
    said = json.loads(done("compare", "a", "b", "-m", "cka", "--json").stdout)
    names = said["specification"]["representations"]
    assert len(names) == 4
    sides = ("representation", "other representation")
    (same,) = [row for row in said["tables"]["pairs-cka"] if {row[side] for side in sides} == {names[1], names[3]}]
    assert same["score"] == pytest.approx(1, abs=1e-4)


def test_pairs_of_an_extraction_are_fitted():
    for step in range(10):
        save_file(network(step).state_dict(), f"of-{step}.safetensors")
    done("extract", "models.py:make", *Path().glob("of-*"), "data.npz", "-l", "1")
    said = json.loads(done("fit", "reps", "--layer", "1", "--pairs", "n0,n1", "--dry-run", "--json").stdout)
    assert said["pairs"] == 1


def test_images_of_a_folder():
    for index in range(5):
        Path("images/deep").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6, 6), (index, 0, 0)).save(f"images/deep/{index}.png")
    options = ("--layers", "*", "--pooling", "mean", "--batch", 2, "--limit", 3)
    assert "mean(0)" in done("extract", "models.py:pictures", "images", *options).stdout
    some = Representations.of("reps")
    assert some.items == ("deep/0.png", "deep/1.png", "deep/2.png")
    assert [one.shape for one in some] == [(3, 4), (3, 4)]


def test_a_dry_run_writes_nothing():
    before = sorted(Path().rglob("*"))
    text = done(*SERIES, "--dry-run").stdout.splitlines()
    assert text[0] == "10 items, 3 steps, batches of 32"
    assert text[1].split() == ["1", "8"]
    assert "of memory beside the interpreter's" in text[-1]
    assert "of disk" in text[-1]
    said = json.loads(done(*SERIES, "--dry-run", "--json").stdout)
    assert said["disk"] == 10 * 3 * (8 + 2) * 4
    assert {"seconds", "memory", "items", "steps", "outputs"} < set(said)
    assert [path for path in sorted(Path().rglob("*")) if "__pycache__" not in path.parts] == before


def test_an_interrupt_keeps_what_is_finished(monkeypatch):
    seen, looks = View.seen, []

    def interrupted(view, model, probe):
        looks.append(len(probe))
        if len(looks) == 5:
            raise KeyboardInterrupt
        return seen(view, model, probe)

    monkeypatch.setattr(View, "seen", interrupted)
    outcome = call(*SERIES, "--batch", 4)
    assert (outcome.exit_code, outcome.stdout) == (130, "")
    assert "what is finished is kept in reps, and the same command goes on" in last(outcome.stderr)
    assert [one.where["step"] for one in Representations.of("reps", steps="all")] == [1]
    done(*SERIES, "--batch", 4)
    assert looks[5:] == [4, 4, 2] * 2
    done(*SERIES, "--batch", 4, "--out", "whole")
    for some, other in zip(*(Representations.of(place, steps="all") for place in ("reps", "whole")), strict=True):
        np.testing.assert_array_equal(some.read(), other.read())


@pytest.mark.slow
def test_a_real_interrupt():
    slow = CODE.replace("torch.nn.Tanh()", "Slow()").replace("def make", """
class Slow(torch.nn.Module):
    def forward(self, x):
        import time
        time.sleep(0.05)
        return x.tanh()

def make""")  # fmt: skip
    Path("models.py").write_text(slow, encoding="utf-8")
    command = [sys.executable, "-m", "syzygy.cli", *map(str, SERIES), "--batch", "1"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, preexec_fn=interruptible)  # noqa: PLW1509
    done_at = Path("reps/trajectory.zarr/layers/1/representation/0.1.0.0")
    for _ in range(1200):
        if done_at.parent.is_dir() and any(done_at.parent.glob("0.0.*")):
            break
        time.sleep(0.05)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert last(said) == "syzygy: stopped; what is finished is kept in reps, and the same command goes on"
    assert [one.where["step"] for one in Representations.of("reps", steps="all")][:1] == [1]
    done(*SERIES, "--batch", 1)
    done(*SERIES, "--batch", 1, "--out", "whole")
    for some, other in zip(*(Representations.of(place, steps="all") for place in ("reps", "whole")), strict=True):
        np.testing.assert_array_equal(some.read(), other.read())


def test_mistakes_end_in_one_line():
    def refuses(says, *arguments):
        outcome = call("extract", *arguments)
        assert outcome.exit_code == 2
        assert outcome.stdout == ""
        lines = [line for line in outcome.stderr.splitlines() if "runs the code of" not in line]
        assert len(lines) == 1, outcome.stderr
        assert says in lines[0]

    make, layers = "models.py:make", ("--layers", "1")
    refused("extract", "nonsense", "data.npz", *layers, says="a source is one of")
    refuses("none.npz is not there", make, "none.npz", *layers)
    refuses("got none", make, "ck-1.safetensors", *layers)
    refuses("got 2: data.npz, models.py", make, "data.npz", "models.py", *layers)
    refuses("nothing else is shown", make, "models.py", *layers)
    refuses("unknown layer 'encoder.*'", make, "data.npz", "--layers", "encoder.*")
    refuses("unknown pooling", make, "data.npz", *layers, "--pooling", "middle")
    refuses("device 'gpu' cannot be used", make, "data.npz", *layers, "--device", "gpu")
    refuses("models.py is a file", make, "data.npz", *layers, "--out", "models.py")
    Path("full").mkdir()
    Path("full/notes.txt").write_text("mine", encoding="utf-8")
    refuses("holds something else", make, "data.npz", *layers, "--out", "full")
    Path("empty").mkdir()
    refuses("empty holds no images", make, "empty", *layers)
    np.savez("nan.npz", x=X * np.nan)
    refuses("the inputs of 'item 0' are not finite", make, "nan.npz", *layers)
    np.savez("objects.npz", x=np.array([{}], dtype=object))
    refuses("never unpickled", make, "objects.npz", *layers)
    torch.save(network(0), "whole.pt")
    refuses("nothing is unpickled", make, "whole.pt", "data.npz", *layers)
    assert not Path("reps").exists()
    assert os.listdir("full") == ["notes.txt"]  # noqa: PTH208


def test_another_extraction_in_the_folder():
    done(*USUAL)
    outcome = call(*USUAL, "--layers", "0")
    assert outcome.exit_code == 0  # the same layers, one of them named twice
    outcome = call(*SERIES)
    assert outcome.exit_code == 2
    assert last(outcome.stderr).startswith("syzygy: reps holds another extraction, with other weights")


@pytest.mark.slow
def test_an_untrained_control_of_a_library(timm):
    Image.new("RGB", (40, 30)).save("a.png")
    Path("images").mkdir()
    for name in "ab":
        Image.new("RGB", (40, 30), (ord(name), 0, 0)).save(f"images/{name}.png")
    command = ("extract", "timm:resnet10t", "images", "-l", "layer1", "--pooling", "mean", "--random-weights")
    done(*command)
    done(*command, "--seed", 1, "--out", "other")
    one, other = (Representations.of(place).values(0) for place in ("reps", "other"))
    assert one.shape == other.shape == (2, 64)
    assert not np.allclose(one, other)


def test_help_has_an_example():
    assert "Example: syzygy extract timm:resnet18 images/" in done("extract", "--help").stdout
