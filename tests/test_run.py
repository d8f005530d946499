"""Runs on disk: stopped, killed, resumed, shared, full and damaged."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from syzygy.cli import app
from syzygy.errors import DataError, RunError
from syzygy.figures import Figure
from syzygy.files import whole_file, whole_folder
from syzygy.run import Run, run
from syzygy.studies import TwoPoints, read_study, study

processes = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")

QUICK = {"study": "two-points", "networks": "two_layer", "seeds": "0..2", "steps": 60, "learning_rate": 0.05}

#: Two jobs for two processes: one is soon done and its process idle, the other is at work for seconds.
LONG = """
study = "two-points"
seeds = "0,1"
[[networks]]
like = "two_layer"
name = "brief"
steps = 50
[[networks]]
like = "narrow"
name = "long"
width = 40
steps = 450
"""

#: Saves its state ten times a second, in the processes that it starts too.
DRIVER = """
import syzygy.training.checkpoint
syzygy.training.checkpoint.Checkpoint.__init__.__defaults__ = (0.1,)
from syzygy.cli import main
if __name__ == "__main__":
    main()
"""


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def complaint(outcome, status):
    """One line of complaint and no traceback; give the line."""
    assert isinstance(outcome.exception, SystemExit), repr(outcome.exception)
    assert outcome.exit_code == status
    assert "Traceback" not in outcome.stderr
    (line,) = [line for line in outcome.stderr.splitlines() if line.startswith("syzygy: ")]
    return line


def numbers(folder):
    """Everything that must not depend on how a run came to its end."""
    told = Run.at(folder).trajectories()
    arrays = {(name, layer): t.representation(layer) for name, t in told.items() for layer in t.layers}
    arrays |= {(name, kind): getattr(t, kind) for name, t in told.items() for kind in ("loss", "outputs", "seeds")}
    return arrays, (folder / "tables" / "rates.csv").read_bytes(), (folder / "report.html").read_bytes()


def assert_same(first, second):
    assert first[0].keys() == second[0].keys()
    for name, values in first[0].items():
        np.testing.assert_array_equal(values, second[0][name], err_msg=str(name))
    assert first[1:] == second[1:]


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A finished run; copy it before changing it."""
    begun = Run.under(tmp_path_factory.mktemp("quick"), study(QUICK))
    begun.train()
    begun.report()
    return begun


@pytest.fixture
def copied(quick, tmp_path):
    shutil.copytree(quick.folder, tmp_path / "runs" / quick.folder.name)
    return Run.at(tmp_path / "runs" / quick.folder.name)


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# Finding and refusing folders


def test_a_run_is_found_by_what_was_asked(quick, tmp_path):
    again = Run.under(quick.folder.parent, study(dict(reversed(QUICK.items()))))
    assert again.folder == quick.folder
    assert again.missing == []
    assert Run.at(quick.folder).study == quick.study
    assert Run.under(tmp_path, study(QUICK | {"steps": 61})).folder.name != quick.folder.name


def test_a_begun_run_misses_everything(tmp_path):
    begun = Run.under(tmp_path / "a" / "b", study(QUICK))
    assert begun.missing == begun.jobs
    assert begun.trajectories() == {}
    assert not begun.page.exists()
    result = begun.report()
    assert [finding.code for finding in result.findings] == ["SZ001"]
    assert result.summary == ("Nothing has been trained yet.",)
    assert begun.page.exists()


def test_the_function_does_the_same(quick, tmp_path):
    told = []
    result = run(study(QUICK), tmp_path, progress=told.append)
    assert sum(told) == pytest.approx(sum(job.work for job in quick.jobs), rel=0.4)
    assert_same(numbers(quick.folder), numbers(tmp_path / quick.folder.name))
    assert result.to_json() + "\n" == (quick.folder / "result.json").read_text(encoding="utf-8")


def test_a_report_again_gives_the_same_bytes(copied):
    before = files(copied.folder)
    for part in ("tables", "figures"):
        shutil.rmtree(copied.folder / part)
    copied.page.unlink()
    copied.report()
    after = files(copied.folder)
    assert after.keys() == before.keys()
    assert [str(name) for name in after if after[name] != before[name] and name.suffix != ".pdf"] == []


def test_a_folder_that_is_no_run_is_left_alone(tmp_path):
    place = Run.under(tmp_path / "elsewhere", study(QUICK)).folder.name
    folder = tmp_path / "runs" / place
    folder.mkdir(parents=True)
    (folder / "thesis.tex").write_text("mine", encoding="utf-8")
    asked = tmp_path / "asked.json"
    asked.write_text(json.dumps(QUICK), encoding="utf-8")
    line = complaint(call("run", asked, "--out", tmp_path / "runs"), 2)
    assert "is no run" in line
    assert "nothing was changed" in line
    assert files(folder) == {Path("thesis.tex"): b"mine"}


def test_a_file_in_the_place_of_a_run(tmp_path):
    place = Run.under(tmp_path / "elsewhere", study(QUICK)).folder.name
    (tmp_path / place).write_text("mine", encoding="utf-8")
    with pytest.raises(RunError, match="is a file"):
        Run.under(tmp_path, study(QUICK))
    assert (tmp_path / place).read_text(encoding="utf-8") == "mine"


def test_words_about_a_network_find_the_same_run(quick):
    network = quick.study.networks[0].model_copy(update={"about": "mine"})
    assert Run.under(quick.folder.parent, quick.study.model_copy(update={"networks": (network,)})).missing == []


def test_an_empty_folder_is_taken(tmp_path):
    place = Run.under(tmp_path / "elsewhere", study(QUICK)).folder.name
    (tmp_path / place).mkdir()
    assert Run.under(tmp_path, study(QUICK)).folder == tmp_path / place


def test_a_specification_that_was_changed_is_refused(copied):
    kept = copied.folder / "specification.json"
    kept.write_text(json.dumps(copied.study.specification() | {"steps": 61}), encoding="utf-8")
    before = files(copied.folder)
    with pytest.raises(RunError, match="nothing was changed"):
        Run.under(copied.folder.parent, copied.study)
    kept.write_text("{", encoding="utf-8")
    with pytest.raises(RunError, match="cannot be read"):
        Run.under(copied.folder.parent, copied.study)
    kept.write_bytes(before[Path("specification.json")])
    assert files(copied.folder) == before


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    def denied(self, *_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", denied)
    asked = tmp_path / "asked.json"
    asked.write_text(json.dumps(QUICK), encoding="utf-8")
    assert "cannot be written" in complaint(call("run", asked, "--out", tmp_path / "runs"), 2)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_without_the_right_to_write(tmp_path):
    (tmp_path / "runs").mkdir(mode=0o555)
    with pytest.raises(RunError, match="cannot be written"):
        Run.under(tmp_path / "runs", study(QUICK))


# Diverged networks


@pytest.mark.slow
def test_a_run_whose_networks_all_diverged_has_a_page(tmp_path):
    begun = Run.under(tmp_path, study(QUICK | {"learning_rate": 1e4}))
    begun.train()
    result = begun.report()
    assert result.findings[0].code == "SZ002"
    assert "3 of 3 networks" in result.findings[0].details[0]
    assert set(result.table("fates")["fate"]) == {"diverged"}
    assert result.summary == ("Every network diverged, all 3; nothing is claimed.",)
    assert "SZ002" in begun.page.read_text(encoding="utf-8")
    json.loads((begun.folder / "result.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)


@pytest.mark.slow
def test_one_diverged_among_several(tmp_path):
    wild = {"like": "two_layer", "name": "wild", "learning_rate": 1e3}
    changes = {"networks": ["two_layer", wild], "learning_rate": None, "steps": 200, "settings": "table"}
    begun = Run.under(tmp_path, study({k: v for k, v in (QUICK | changes).items() if v is not None}))
    begun.train()
    result = begun.report()
    (finding,) = [finding for finding in result.findings if finding.code == "SZ002"]
    assert len(finding.details) == 1
    assert finding.details[0].startswith("wild: 3 of 3")
    rates = result.table("rates").set_index("network")
    assert rates.loc["two_layer", "r2_h2"].notna().all()
    assert rates.loc["wild", "r2_h2"].isna().all()
    assert result.summary[0].startswith("6 networks of 2 settings.")


# A disk that is full


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def parts(folder):
    return [path.name for path in folder.rglob("*.part")]


def test_files_are_whole_or_not_there(tmp_path):
    (tmp_path / "file").write_text("old", encoding="utf-8")

    def write(whole, path, inside):
        with whole(path) as part:
            (part / inside).write_text("new", encoding="utf-8")
            full()

    for whole, name, inside in ((whole_file, "file", ""), (whole_folder, "folder", "inside")):
        with pytest.raises(OSError, match="No space"):
            write(whole, tmp_path / name, inside)
    assert files(tmp_path) == {Path("file"): b"old"}
    assert not (tmp_path / "folder").exists()


@pytest.mark.slow
def test_a_full_disk_keeps_what_is_finished(tmp_path, monkeypatch):
    second = {"like": "two_layer", "name": "second", "gain": 0.2}
    (tmp_path / "asked.json").write_text(json.dumps(QUICK | {"networks": ["two_layer", second]}), encoding="utf-8")
    command = ("run", tmp_path / "asked.json", "--out", tmp_path / "runs", "--processes", "1")
    write, written = xr.DataTree.to_zarr, []

    def first_only(tree, store, **options):
        write(tree, store, **options)
        written.append(store)
        if len(written) > 1:
            full()

    with monkeypatch.context() as patch:
        patch.setattr(xr.DataTree, "to_zarr", first_only)
        assert "No space left" in complaint(call(*command), 1)
    (folder,) = (tmp_path / "runs").iterdir()
    assert parts(folder) == []
    assert len(list((folder / "trajectories").glob("*.zarr"))) == 1
    assert len(Run.at(folder).missing) == 1
    kept = files(next((folder / "trajectories").glob("*.zarr")))
    assert call(*command).exit_code == 0
    assert Run.at(folder).missing == []
    assert (
        kept.items()
        <= {
            name.relative_to(*name.parts[:1]): content for name, content in files(folder / "trajectories").items()
        }.items()
    )


@pytest.mark.parametrize("target", [(Figure, "save"), (Path, "write_text")])
def test_a_full_disk_leaves_the_old_page_whole(copied, monkeypatch, target):
    before = copied.page.read_bytes(), (copied.folder / "result.json").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(*target, full)
        assert "No space left" in complaint(call("report", copied.folder), 1)
    assert parts(copied.folder) == []
    assert (copied.page.read_bytes(), (copied.folder / "result.json").read_bytes()) == before


# A store that is damaged


def chunk(store):
    return max((path for path in store.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


DAMAGE = {
    "a truncated chunk": lambda store: chunk(store).write_bytes(chunk(store).read_bytes()[:40]),
    "an empty chunk": lambda store: chunk(store).write_bytes(b""),
    "a chunk of something else": lambda store: chunk(store).write_bytes(b"something else" * 100),
    "metadata that are not JSON": lambda store: (store / "loss" / ".zarray").write_text("{", encoding="utf-8"),
    "a variable without metadata": lambda store: (store / "loss" / ".zarray").unlink(),
    "attributes that are not JSON": lambda store: (store / ".zattrs").write_text("{", encoding="utf-8"),
    "no attributes": lambda store: (store / ".zattrs").unlink(),
    "no loss": lambda store: shutil.rmtree(store / "loss"),
    "no layers": lambda store: shutil.rmtree(store / "layers"),
    "nothing": lambda store: [shutil.rmtree(store), store.mkdir()],
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.filterwarnings("ignore:Object at .* is not recognized")
def test_a_damaged_trajectory_is_named(copied, damage):
    (store,) = (copied.folder / "trajectories").glob("*.zarr")
    DAMAGE[damage](store)
    with pytest.raises(DataError, match="damaged") as raised:
        copied.report()
    assert str(store) in str(raised.value)
    line = complaint(call("report", copied.folder), 2)
    assert store.name in line
    assert "remove it and run again" in line


# Processes that are stopped


@contextmanager
def training(folder, *, count=2):
    """Train in processes of their own group, until one training is done and the other has saved itself."""
    folder.mkdir(exist_ok=True)
    (folder / "driver.py").write_text(DRIVER, encoding="utf-8")
    (folder / "asked.toml").write_text(LONG, encoding="utf-8")
    command = ["driver.py", "run", "asked.toml", "--out", "runs", "--processes", str(count)]
    with (folder / "said").open("w", encoding="utf-8") as said:
        parent = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            stdout=said,
            stderr=said,
            start_new_session=True,
            # Who runs the tests in the background may have interrupts ignored, which processes inherit.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
    try:
        yield parent
    finally:
        for process in group(parent.pid):
            os.kill(process, signal.SIGKILL)
        parent.wait(60)


def group(leader):
    """Processes of a group that live."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, number = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:3]
        except OSError:  # it has just ended
            continue
        if int(number) == leader and state != "Z":
            found.append(int(stat.parent.name))
    return found


def until(condition, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def at_work(folder):
    """Whether one training is done and the other has saved its state."""
    runs = list(folder.glob("runs/*/trajectories"))
    return bool(runs) and any(runs[0].glob("*.zarr")) and any(runs[0].glob("*.training/**/record-00001.safetensors"))


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    (folder / "asked.toml").write_text(LONG, encoding="utf-8")
    begun = Run.under(folder, study(read_study(folder / "asked.toml")))
    begun.train()
    begun.report()
    return numbers(begun.folder)


def resume(folder, uninterrupted):
    """What was stopped is reported as it is, goes on from its state, and ends as if nothing had happened."""
    (place,) = (folder / "runs").iterdir()
    saved = list(place.glob("trajectories/*.training/**/state.safetensors"))
    assert len(saved) == 1
    partial = call("report", place, "--json")
    assert partial.exit_code == 0, partial.stderr
    findings = {finding["code"]: finding["details"] for finding in json.loads(partial.stdout)["findings"]}
    assert findings["SZ001"] == ["long: 2 of 2 networks are missing (seeds 0, 1)"]
    assert len(json.loads(partial.stdout)["tables"]["rates"]) == 2
    assert saved[0].exists()
    outcome = call("run", folder / "asked.toml", "--out", folder / "runs", "--processes", "1")
    assert outcome.exit_code == 0, outcome.stderr
    assert not list(place.glob("trajectories/*.training"))
    assert parts(place) == []
    assert_same(numbers(place), uninterrupted)


@processes
@pytest.mark.slow
def test_an_interrupt(tmp_path, uninterrupted):
    with training(tmp_path) as parent:
        assert until(lambda: at_work(tmp_path), 180), (tmp_path / "said").read_text(encoding="utf-8")
        os.killpg(parent.pid, signal.SIGINT)
        assert parent.wait(30) == 130
        assert until(lambda: not group(parent.pid), 10)
    said = (tmp_path / "said").read_text(encoding="utf-8")
    assert "Traceback" not in said
    assert "leaked" not in said  # a process at work has locks that libraries made
    assert "syzygy: stopped; 1 of 2 trainings are finished and kept" in said
    resume(tmp_path, uninterrupted)


@processes
@pytest.mark.slow
def test_an_interrupt_while_processes_start(tmp_path):
    """Interrupts reach the whole group; whoever is still starting leaves them to the parent."""

    def started():
        for process in group(parent.pid):
            if process != parent.pid:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGINT)
        return any(tmp_path.glob("runs/*/trajectories/*.zarr")) or parent.poll() is not None

    with training(tmp_path) as parent:
        assert until(started, 180)
        assert parent.poll() is None
        os.killpg(parent.pid, signal.SIGINT)
        assert parent.wait(60) == 130
        assert until(lambda: not group(parent.pid), 30)
    assert "Traceback" not in (tmp_path / "said").read_text(encoding="utf-8")


@processes
@pytest.mark.slow
def test_a_kill_of_everything(tmp_path, uninterrupted):
    with training(tmp_path) as parent:
        assert until(lambda: at_work(tmp_path), 180), (tmp_path / "said").read_text(encoding="utf-8")
        os.killpg(parent.pid, signal.SIGKILL)
        assert until(lambda: not group(parent.pid), 10)
    resume(tmp_path, uninterrupted)


@processes
@pytest.mark.slow
def test_a_kill_of_the_parent_alone(tmp_path):
    """Who was at work stops, and so does who was idle."""
    with training(tmp_path) as parent:
        assert until(lambda: at_work(tmp_path), 180), (tmp_path / "said").read_text(encoding="utf-8")
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait(10)
        assert until(lambda: not group(parent.pid), 20), group(parent.pid)
    assert len(Run.at(next((tmp_path / "runs").iterdir())).missing) == 1


@processes
@pytest.mark.slow
def test_two_at_once(tmp_path, uninterrupted):
    """The second is refused, whatever it would train in; the first loses nothing, and the page may be asked for."""
    with training(tmp_path, count=1) as parent:
        started = lambda: any(tmp_path.glob("runs/*/trajectories/*.training"))  # noqa: E731
        assert until(started, 180), (tmp_path / "said").read_text(encoding="utf-8")
        outcome = call("run", tmp_path / "asked.toml", "--out", tmp_path / "runs", "--processes", "1")
        assert "another process is training" in complaint(outcome, 2)
        assert outcome.stdout == ""
        assert call("report", next((tmp_path / "runs").iterdir())).exit_code == 0
        assert parent.wait(300) == 0
    assert_same(numbers(next((tmp_path / "runs").iterdir())), uninterrupted)


def test_a_lock_left_behind_by_a_kill_locks_nothing(tmp_path):
    begun = Run.under(tmp_path, TwoPoints.of(QUICK | {"steps": 20}))
    (begun.folder / ".lock").touch()
    begun.train()
    assert begun.missing == []
