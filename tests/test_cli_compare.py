"""``syzygy compare``: what it says, how it goes on, and how it refuses."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import syzygy
from processes import interruptible
from syzygy.alignment import Alignment
from syzygy.alignment.engine import Engine
from syzygy.store import FolderStore
from test_cli import call, done, refused
from test_representations import trajectory

KNN = ("-m", "mutual_knn:neighbours=3")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """A working folder with two files and a run."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 5))
    np.save("a.npy", x)
    np.savez("b.npz", near=x + 0.5 * rng.normal(size=x.shape), far=rng.normal(size=(30, 8)))
    store = FolderStore(tmp_path / "run" / "trajectories")
    store.put({"seeds": 1}, trajectory(fates=["trained", "diverged"]))
    Path("run/specification.json").write_text("{}", encoding="utf-8")


@pytest.fixture
def quickly(monkeypatch):
    """Draw nothing: a page takes longer than the rest of a test."""
    monkeypatch.setattr("syzygy.cli.compare.write_report", lambda _, folder: folder / "report.html")


def test_a_comparison_is_written_and_said():
    lines = done("compare", "a.npy", "b.npz", "-m", "cka").stdout.splitlines()
    assert lines[0] == "3 representations of 30 items, 3 pairs, by 1 measure."
    assert lines[-1] == f"report: {Path('comparison/report.html')}"
    assert any(line.startswith("SZ018  No more alike than chance") for line in lines)
    assert all(len(line) <= 100 for line in lines)
    assert {path.name for path in Path("comparison").iterdir()} == {
        "alignment.zarr", "asked.json", "compare.lock", "figures", "report.html", "result.json", "tables"}  # fmt: skip
    assert not list(Path().rglob("*.part"))
    direct = syzygy.align(["a.npy", "b.npz"], ["cka"])
    np.testing.assert_array_equal(Alignment.read("comparison").data["score"], direct.data["score"])
    assert direct.names == ("a", "b/near", "b/far")


def test_numbers_go_to_standard_output_and_progress_to_standard_error():
    outcome = done("compare", "a.npy", "b.npz", *KNN, "--permutations", 9, "--seed", 3, "--out", "o", "--json")
    said = json.loads(outcome.stdout)
    kept = json.loads(Path("o/result.json").read_text(encoding="utf-8"))
    assert kept == {name: value for name, value in said.items() if name != "report"}
    assert said["report"] == str(Path("o/report.html"))
    assert said["specification"]["permutations"] == 9
    assert said["specification"]["seed"] == 3
    assert len(said["tables"]["pairs-mutual_knn-neighbours-3"]) == 3
    assert "3 representations of 30 items" in outcome.stderr


@pytest.mark.usefixtures("quickly")
def test_three_measures_if_nothing_is_said():
    np.save("c.npy", np.random.default_rng(1).normal(size=(30, 4)))
    said = json.loads(done("compare", "a.npy", "c.npy", "--json").stdout)
    assert said["specification"]["measures"] == ["cka", "procrustes", "mutual_knn"]


@pytest.mark.usefixtures("quickly")
def test_layers_and_steps_of_a_run():
    options = ("-m", "cka", "--layer", "*.1", "--steps", "0,100", "--json")
    said = json.loads(done("compare", "run", *options).stdout)
    names = [f"narrow/seed 0/hidden.1/step {step}" for step in (0, 100)]
    assert said["specification"]["representations"] == names
    assert [finding["code"] for finding in said["findings"] if "diverged" in str(finding)] == ["SZ017"]


def test_a_dry_run_starts_nothing():
    text = done("compare", "a.npy", "b.npz", "-m", "cka", "--dry-run").stdout.splitlines()
    assert text[0] == "3 representations of 30 items, 3 pairs"
    assert text[1].split()[0] == "cka"
    assert re.fullmatch(r"about .*, \d.* of memory beside the interpreter's, \d.* of disk", text[-1])
    said = json.loads(done("compare", "a.npy", "b.npz", "-m", "cka", "--dry-run", "--json").stdout)
    assert {"seconds", "memory", "disk", "tiles", "shares"} < set(said)
    assert said["tiles"] == 1
    assert not Path("comparison").exists()


# Going on


@pytest.mark.usefixtures("quickly")
def test_the_same_command_compares_nothing_twice(monkeypatch):
    command = ("compare", "a.npy", "b.npz", *KNN, "--json")
    first = done(*command).stdout
    monkeypatch.setattr(Engine, "run", lambda *_: pytest.fail("compared again"))
    assert done(*command).stdout == first


@pytest.mark.usefixtures("quickly")
def test_an_interrupt_keeps_what_is_finished(monkeypatch):
    command = ("compare", "a.npy", "b.npz", "-m", "cka", *KNN, "--json")
    run = Engine.run

    def interrupted(engine, progress=None):
        if engine.measure.name == "mutual_knn":
            raise KeyboardInterrupt
        return run(engine, progress)

    monkeypatch.setattr(Engine, "run", interrupted)
    outcome = call(*command)
    assert (outcome.exit_code, outcome.stdout) == (130, "")
    assert "what is finished is kept in comparison, and the same command goes on" in outcome.stderr
    assert len(list(Path("comparison/tiles/0").glob("*.safetensors"))) == 1
    assert not Path("comparison/report.html").exists()
    compared = []
    tile = Engine._tile
    monkeypatch.setattr(Engine, "run", run)
    monkeypatch.setattr(Engine, "_tile", lambda self, *a: compared.append(self.measure.name) or tile(self, *a))
    again = done(*command).stdout
    assert compared == ["mutual_knn"]
    direct = done(*command[:-1], "--out", "other", "--json").stdout
    assert again.replace("comparison", "other") == direct


@pytest.mark.slow
def test_a_real_interrupt():
    rng = np.random.default_rng(0)
    np.savez("many.npz", **{f"r{i}": rng.normal(size=(100, 20)) for i in range(30)})
    command = [sys.executable, "-m", "syzygy.cli", "compare", "many.npz", "-m", "cka", "-m", "procrustes",
               "--permutations", "2000"]  # fmt: skip
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, preexec_fn=interruptible)  # noqa: PLW1509
    for _ in range(600):
        if list(Path("comparison").glob("tiles/0/*.safetensors")):
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    said, complained = process.communicate(timeout=100)
    assert (process.returncode, said) == (130, "")
    assert "Traceback" not in complained
    assert "the same command goes on" in complained
    assert list(Path("comparison/tiles/0").glob("*.safetensors"))


# What is refused


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("c.npy",), "c.npy is not there"),
        (("a.npy", "-m", "ckb"), ("unknown measure 'ckb'", "cka")),
        (("a.npy", "-m", "cka:estimator=none"), ("unknown estimator 'none'", "debiased")),
        (("a.npy", "-m", "cka:kind=none"), "unknown option of cka 'kind'"),
        (("a.npy", "-m", "cka", "-m", "cka"), "more than once"),
        (("a.npy", "a.npy"), "as 'a'"),
        (("a.npy", "run"), "5 items"),
        (("run", "--layer", "hidden.9"), ("unknown layer 'hidden.9'", "hidden.0")),
        (("run", "--steps", "7"), "step 7 was not recorded; recorded are 0, 1, 10, 100"),
        (("run", "--steps", "often"), "a schedule is 'every N' or 'log N'"),
        (("run", "--steps", "9" * 30), "--steps takes numbers"),
        (("a.npy", "--memory", "much"), "memory is an amount as in 4GB"),
        (("a.npy", "--dtype", "float16"), "unknown dtype 'float16'"),
        (("a.npy", "--device", "nowhere"), "device 'nowhere' cannot be used"),
        (("a.npy", "--permutations", "-1"), "permutations must be 0, for none, or at least 2; got -1"),
        (("a.npy", "--bootstrap", "1"), "bootstrap must be 0"),
        (("a.npy", "--seed", "-1"), "seed must be a whole number"),
        (("a.npy", "--seed", "x"), "compare -h shows"),
        (("empty.npy",), "empty.npy is empty"),
        (("objects.npy",), "never unpickled"),
        (("empty",), "empty is empty"),
        (("untrained",), "holds no finished trajectories"),
        ((), "compare -h shows"),
    ],
)
def test_refused(arguments, says):
    Path("empty.npy").touch()
    np.save("objects.npy", np.array([[{}]], dtype=object))
    Path("empty").mkdir()
    Path("untrained").mkdir()
    Path("untrained/specification.json").write_text("{}", encoding="utf-8")
    refused("compare", *arguments, says=says)
    assert not Path("comparison").exists()


@pytest.mark.usefixtures("quickly")
def test_another_question_in_the_same_folder_is_refused():
    done("compare", "a.npy", "b.npz", *KNN)
    kept = Path("comparison/asked.json").read_bytes()
    refused("compare", "a.npy", "b.npz", "-m", "cka", says="comparison holds another comparison")
    np.save("a.npy", np.ones((30, 5)))
    refused("compare", "a.npy", "b.npz", *KNN, says="representations differ")
    assert Path("comparison/asked.json").read_bytes() == kept
    Path("mine").mkdir()
    Path("mine/letter.txt").touch()
    refused("compare", "a.npy", "b.npz", "--out", "mine", says="mine holds something else, as letter.txt")
    refused("compare", "a.npy", "b.npz", "--out", "a.npy", says="a.npy is a file, not a folder")
    assert {path.suffix for path in Path("mine").iterdir()} == {".txt"}


def test_values_that_are_not_finite_are_refused():
    np.save("nan.npy", np.full((30, 3), np.nan))
    refused_while_reading = call("compare", "a.npy", "nan.npy", "-m", "cka")
    assert (refused_while_reading.exit_code, refused_while_reading.stdout) == (2, "")
    assert refused_while_reading.stderr.splitlines()[-1].startswith("syzygy: nan has 90 values that are not finite")
