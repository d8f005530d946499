"""``syzygy fit``: what it opens, what it says, and how it refuses."""

import json
import shutil
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import zarr

from processes import interruptible
from syzygy.cli import fit as command
from syzygy.errors import DataError
from syzygy.explanation import explanation, recordings
from syzygy.explanation.simpler import SIMPLER, constant
from syzygy.journal import FolderJournal, Manifest
from syzygy.store import FolderStore
from test_cli import call, done, refused
from test_explanation import NAMES, TOLD, learned, recording

COUPLE = ("--pairs", "a0,b0")


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A trajectory in Zarr."""
    store = FolderStore(tmp_path_factory.mktemp("stored"))
    store.put({"a": 1}, recording(*learned(), layers=("body.0", "body.1")))
    (path,) = store.folder.glob("*.zarr")
    return path


@pytest.fixture(autouse=True)
def _elsewhere(stored, tmp_path, monkeypatch):
    """A working folder with that trajectory."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(stored, "seen.zarr")


@pytest.fixture
def quickly(monkeypatch):
    """Draw nothing, and forecast by constants alone: these take longer than the rest of a test."""
    monkeypatch.setattr("syzygy.explanation.scores.SIMPLER", dict.fromkeys(SIMPLER, constant))
    monkeypatch.setattr("syzygy.cli.fit.write_report", lambda _, folder: folder / "report.html")


def journal(folder, *, first=None):
    """A recording as a recorder writes it."""
    seen = recording(*learned())
    manifest = Manifest(items=seen.items, inputs=seen.inputs, targets=seen.targets, about=TOLD | {"layers": ["hidden"]})
    kept = FolderJournal.create(folder, manifest)
    for place, step in list(enumerate(seen.steps.tolist()))[:first]:
        with kept.step(step) as row:
            row.put(0, seen.outputs[0, place], {"hidden": seen.representation("hidden")[0, place]})
    return kept


@pytest.mark.slow
def test_an_answer_is_written_and_said():
    lines = done("fit", "seen.zarr", *COUPLE, "--layer", "*.0").stdout.splitlines()
    assert lines[0].startswith("1 pair, 1 layer, 1 network; rates fitted to the first 50% of 27 recorded steps")
    assert "The theory explains 100% of the pairs at layer body.0." in lines
    assert lines[-1] == f"report: {Path('fit/report.html')}"
    assert all(len(line) <= 100 for line in lines)
    assert {path.name for path in Path("fit").iterdir()} == {"figures", "report.html", "result.json", "tables"}
    assert {path.name for path in Path("fit/tables").iterdir()} == {
        f"{name}.csv" for name in ("layers", "distance", "trends", "items", "pairs")}  # fmt: skip
    assert not list(Path().rglob("*.part"))


@pytest.mark.usefixtures("quickly")
def test_numbers_go_to_standard_output_and_progress_to_standard_error():
    outcome = done("fit", "seen.zarr", "--pairs", "1", "--seed", 5, "--fitted", 0.4, "--layer", "body.1", "--json")
    said = json.loads(outcome.stdout)
    assert said["report"] == str(Path("fit/report.html"))
    assert said["specification"] == {"recordings": ["seen"], "layers": ["body.1"], "pairs": 1, "fitted": 0.4,
                                     "explained": 0.9, "seed": 5}  # fmt: skip
    direct = explanation(recordings(Path("seen.zarr")), ["body.1"], 1, fitted=0.4, seed=5)
    assert said["summary"] == list(direct.summary)
    assert [row["eta_h"] for row in said["tables"]["pairs"]] == direct.table("pairs")["eta_h"].tolist()
    assert "fitting pairs" in outcome.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("quickly")
def test_a_run_gives_the_rates_of_its_own_table():
    options = ("-n", "two_layer", "--seeds", "0..1", "--steps", "300", "--out", "runs", "--json")
    ran = json.loads(done("run", "two-points", *options).stdout)
    (folder,) = Path("runs").iterdir()
    rows = json.loads(done("fit", folder, "--json").stdout)["tables"]["pairs"]
    for row in rows:
        (own,) = [one for one in ran["tables"]["rates"] if one["seed"] == row["seed"]]
        for name in ("eta_h", "eta_h_low", "eta_y", "eta_y_high", "r2_h2", "r2_y2", "r2_w", "final_h2", "regime"):
            assert row[name] == own[name], name
        assert row["network"] == "two_layer"
    assert {row["seed"] for row in rows} == {0, 1}


@pytest.mark.usefixtures("quickly")
def test_a_recording_is_read_while_it_grows():
    kept = journal("growing")
    said = json.loads(done("fit", "growing", *COUPLE, "--json").stdout)
    (row,) = said["tables"]["pairs"]
    assert row["network"] == "growing"
    assert row["explained"]
    assert "SZ019" not in [finding["code"] for finding in said["findings"]]
    kept.close()
    (tree,) = recordings(Path("growing/trajectory.zarr")).values()
    np.testing.assert_array_equal(tree.outputs, recording(*learned()).outputs.astype(np.float32))
    assert list(recordings(Path("growing"))) == ["growing"]


def test_a_folder_of_recordings(monkeypatch):
    monkeypatch.setattr(import_module("syzygy.explanation.plan"), "_seconds", lambda *_: 1.0)
    journal("several/one", first=8).close()
    shutil.copytree("several/one", "several/two")
    assert list(recordings(Path("several"))) == ["one", "two"]
    assert json.loads(done("fit", "several", *COUPLE, "--dry-run", "--json").stdout)["networks"] == 2


@pytest.mark.parametrize(("pairs", "number"), [(("--pairs", "classes"), 22), (("--pairs", "all"), 28), ((), 28),
                         ((*COUPLE, "--pairs", "b1,a2"), 2)])  # fmt: skip
def test_choices_of_pairs(pairs, number, monkeypatch):
    monkeypatch.setattr(import_module("syzygy.explanation.plan"), "_seconds", lambda *_: 1.0)
    said = json.loads(done("fit", "seen.zarr", *pairs, "--dry-run", "--json").stdout)
    assert (said["pairs"], said["layers"], said["networks"], said["fits"]) == (number, 2, 1, 2 * number)


def test_a_dry_run_fits_nothing(monkeypatch):
    monkeypatch.setattr(import_module("syzygy.explanation.plan"), "_seconds", lambda *_: 1.0)
    monkeypatch.setattr(command, "explanation", lambda *_, **__: pytest.fail("fitted"))
    lines = done("fit", "seen.zarr", "--dry-run").stdout.splitlines()
    assert lines[0] == "28 pairs, 2 layers, 1 network: 56 fits"
    assert lines[1].startswith("about 56 s, ")
    assert lines[1].endswith("B of memory beside the interpreter's")
    counts, _ = done("fit", "seen.zarr", *COUPLE, "--layer", "body.0", "--dry-run").stdout.splitlines()
    assert counts == "1 pair, 1 layer, 1 network: 1 fit"
    assert not Path("fit").exists()


# Refusals


def _linked():
    shutil.copytree("seen.zarr", "linked.zarr")
    Path("linked.zarr/away").symlink_to(Path("seen.zarr").resolve())


def _unfinished():
    Path("unfinished").mkdir()
    Path("unfinished/specification.json").write_text('{"study": "two-points"}', encoding="utf-8")


MADE = {
    "empty": lambda: Path("empty").mkdir(),
    "file": lambda: Path("file").touch(),
    "array.zarr": lambda: zarr.save_group("array.zarr", x=np.ones((3, 2)), zarr_format=2),
    "short": lambda: journal("short", first=5).close(),
    "nothing": lambda: journal("nothing", first=0).close(),
    "linked.zarr": _linked,
    "unfinished": _unfinished,
}


@pytest.mark.parametrize(("arguments", "says"), [
    (("nowhere",), "nowhere is not there"), (("seen.zarr/.zattrs",), "is a file"), (("empty",), "is no recording"),
    (("seen.zarr", "--layer", "head"), "unknown layer 'head'"),
    (("seen.zarr", "--pairs", "a0,zz"), "unknown item 'zz'"), (("seen.zarr", "--pairs", "0"), "1 or more"),
    (("seen.zarr", "--pairs", "some"), "--pairs takes all, classes, a number"),
    (("seen.zarr", "--pairs", "all", "--pairs", "a0,b0"), "--pairs takes"),
    (("seen.zarr", "--fitted", "1.5"), "from 0.1 to 0.9"), (("seen.zarr", "--seed", "-1"), "seed must"),
    (("seen.zarr", "--out", "file"), "file is a file"), (("array.zarr",), "is Zarr, but no trajectory"),
    (("short",), "5 steps were recorded"), (("unfinished",), "nothing has been trained"),
    (("nothing",), "nothing has been recorded"), (("linked.zarr",), "a link that leads out"),
])  # fmt: skip
def test_refusals_are_one_line(arguments, says):
    for name in {*arguments} & MADE.keys():
        MADE[name]()
    refused("fit", *arguments, says=says)
    assert not Path("fit").exists()


def test_a_damaged_trajectory_is_one_line():
    for chunk in Path("seen.zarr/layers").rglob("representation/0.*"):
        chunk.write_bytes(b"no")
    refused("fit", "seen.zarr", *COUPLE)


def test_an_interrupt_writes_nothing(monkeypatch):
    def interrupted(*_, progress, **__):
        progress(0.1)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "explanation", interrupted)
    outcome = call("fit", "seen.zarr", *COUPLE)
    assert (outcome.exit_code, outcome.stdout) == (130, "")
    assert "stopped; nothing was written that is not whole" in outcome.stderr
    assert not Path("fit").exists()


#: The command, which says when it fits a second time: it is then at work, and has told progress.
SAYING = """
import sys
from syzygy.cli import main
from syzygy.explanation import scores

fit, scores.TOGETHER, fitted = scores.fit_pairs, 1, []

def saying(curves):
    fitted.append(curves)
    if len(fitted) == 3:
        print("at work", file=sys.stderr, flush=True)
    return fit(curves)

scores.fit_pairs = saying
main()
"""


@pytest.mark.slow
def test_a_real_interrupt():
    asked = [sys.executable, "-c", SAYING, "fit", "seen.zarr", "--pairs", "all"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(asked, stdout=pipe, stderr=pipe, text=True, preexec_fn=interruptible)  # noqa: PLW1509
    while "at work" not in (line := process.stderr.readline()):
        assert line, "it ended before it was at work"
    process.send_signal(signal.SIGINT)
    said, complained = process.communicate(timeout=100)
    assert (process.returncode, said) == (130, "")
    assert "stopped; nothing was written that is not whole" in complained
    assert "Traceback" not in complained
    assert not Path("fit").exists()


def test_recordings_name_what_is_there():
    (name,) = recordings(Path("seen.zarr"))
    assert name == "seen"
    some = recordings(Path("seen.zarr"))[name]
    assert some.items == tuple(NAMES)
    Path("empty").mkdir()
    with pytest.raises(DataError, match="is no recording"):
        recordings(Path("empty"))
    np.testing.assert_array_equal(some.representation("body.0"), recording(*learned()).representation("hidden"))
