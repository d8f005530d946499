"""The command line: what it says, where it says it, and how it refuses."""

import gzip
import json
import os
import re
import struct
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from syzygy.cli import app
from syzygy.networks import catalogue
from syzygy.result import REFERENCES
from syzygy.tasks.mnist import DATA_VARIABLE, IMAGES, LABELS
from syzygy.theory import PairState, PairTheory, solve
from syzygy.training import job as jobs

QUICK = ("run", "two-points", "-n", "two_layer", "--seeds", "0..2", "--steps", "300")
TINY = ("run", "two-points", "-n", "two_layer", "--seeds", "0,1", "--steps", "30")
START = {"eta-h": 0.3, "eta-y": 0.6, "dx2": 1.2, "dy2": 0.5, "h": 0.4, "y": 0.3, "w": 0.1}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """A working folder and an environment of one's own (--data-dir sets a variable), and no sizes kept from before."""
    jobs._dimensions.cache_clear()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(DATA_VARIABLE, "x")
    monkeypatch.delenv(DATA_VARIABLE)


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def done(*arguments):
    outcome = call(*arguments)
    assert outcome.exit_code == 0, outcome.stderr
    return outcome


def refused(*arguments, says=()):
    """Exit status 2, nothing on standard output, one line on standard error; give the line."""
    outcome = call(*arguments)
    assert isinstance(outcome.exception, SystemExit), repr(outcome.exception)
    assert outcome.exit_code == 2
    assert outcome.stdout == ""
    lines = outcome.stderr.splitlines()
    assert len(lines) == 1, outcome.stderr
    assert lines[0].startswith("syzygy: ")
    assert "Traceback" not in lines[0]
    for word in (says,) if isinstance(says, str) else says:
        assert word in lines[0]
    return lines[0]


def start(**changes):
    values = START | {name.replace("_", "-"): value for name, value in changes.items()}
    return ("predict", *(part for name, value in values.items() for part in (f"--{name}", value)))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run that is finished, what was said of it, and its folder."""
    out = tmp_path_factory.mktemp("finished")
    outcome = done(*QUICK, "--out", out, "--json")
    (folder,) = out.iterdir()
    return outcome, folder


def real(*arguments, **options):
    command = [sys.executable, "-m", "syzygy.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **options)


# What each command says


def test_list_names_everything():
    known = json.loads(done("list", "--json").stdout)
    assert set(known) == {"studies", "tasks", "networks", "measures"}
    assert set(known["networks"]) == set(catalogue())
    text = done("list").stdout
    for rows in known.values():
        for name in rows:
            assert re.search(rf"^  {re.escape(name)} ", text, re.MULTILINE)


def test_cite():
    assert json.loads(done("cite", "--json").stdout) == dict(REFERENCES)
    text = done("cite").stdout
    assert "arXiv:2402.09142" in text
    assert len(text.splitlines()) == len(REFERENCES)


@pytest.mark.parametrize("command", ["list", "run", "report", "regimes", "predict", "cite"])
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_has_an_example(command, flag):
    text = done(command, flag).stdout
    assert f"Example: syzygy {command}" in text


def test_what_takes_long_says_so_beforehand(tmp_path, monkeypatch):
    assert "at most" not in done(*TINY, "--out", tmp_path / "short").stderr
    monkeypatch.setattr(sys.modules["syzygy.run"], "LONG", 1.0)
    told = done(*TINY, "--out", tmp_path / "long").stderr
    assert re.search(r"two-points +1 trainings, at most \d+ s of one core", told)
    assert re.search(r"training takes at most \d+ s in \d+ process(es)?, [\d.]+ GB of memory|MB of memory", told)
    assert "at most" not in done(*TINY, "--out", tmp_path / "long").stderr  # nothing is missing any more


def test_help_of_all():
    text = done("--help").stdout
    for command in ("list", "run", "report", "regimes", "predict", "cite"):
        assert command in text


def test_predict_is_the_theory():
    numbers = json.loads(done(*start(), "--json").stdout)
    theory, state = PairTheory(0.3, 0.6, 1.2, 0.5), PairState(0.4, 0.3, 0.1)
    assert round(numbers["final_h2"], 6) == 0.523293
    assert numbers["final_h2"] == float(theory.final_h2(state))
    assert numbers["relaxation_rate"] == float(theory.relaxation_rate(state))
    assert numbers["a_high"] == float(theory.a_high(state))
    assert numbers["a_low"] == float(theory.a_low)
    assert numbers["conserved"] == float(theory.conserved(state))
    assert numbers["regime"] == "rich"
    curves = numbers["curves"]
    assert len(curves["step"]) == 11
    solved = solve(theory, state, curves["step"]).state
    for name in ("h2", "y2", "w"):
        np.testing.assert_array_equal(curves[name], getattr(solved, name))
    text = done(*start()).stdout
    assert re.search(r"final_h2\s+0\.523293", text)
    assert len(text.splitlines()) == 6 + 1 + 1 + 11


def test_predict_until_a_step():
    curves = json.loads(done(*start(), "--steps", 7, "--json").stdout)["curves"]
    np.testing.assert_allclose(curves["step"], np.arange(11) * 0.7)


@pytest.mark.parametrize("changes", [{"dy2": 0, "y": 0, "w": 0}, {"dy2": 0, "w": 0.3}, {"h": 1e-8, "y": 1e-9, "w": 0}])
def test_predict_from_starts_at_the_edge(changes):
    numbers = json.loads(done(*start(**changes), "--json").stdout)
    assert np.isfinite(numbers["curves"]["h2"]).all()


def test_a_run_writes_page_tables_figures_and_numbers(finished):
    outcome, folder = finished
    said = json.loads(outcome.stdout)
    assert said["report"] == str(folder / "report.html")
    assert folder.name.startswith("two-points-")
    assert (folder / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert {path.name for path in (folder / "tables").iterdir()} == {"rates.csv", "rows.csv", "settings.csv"}
    assert {path.name for path in (folder / "figures").iterdir()} == {
        f"{name}.{kind}"
        for name in ("settings", "final-distance", "regimes", "trajectories-two_layer")
        for kind in ("svg", "pdf", "csv")
    }
    kept = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert kept == {name: value for name, value in said.items() if name != "report"}
    assert len(kept["tables"]["rates"]) == 3
    assert json.loads((folder / "specification.json").read_text(encoding="utf-8")) == kept["specification"]
    assert not list(folder.rglob("*.part"))


def test_progress_goes_to_standard_error(finished):
    outcome, _ = finished
    assert "two-points" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_the_same_command_trains_nothing_and_says_the_same(finished, monkeypatch):
    outcome, folder = finished
    monkeypatch.setattr("syzygy.training.job.train", lambda *_, **__: pytest.fail("trained again"))
    again = done(*QUICK, "--out", folder.parent, "--json")
    assert again.stdout == outcome.stdout
    assert [folder] == list(folder.parent.iterdir())


def test_a_specification_finds_the_same_run(finished, tmp_path, monkeypatch):
    outcome, folder = finished
    monkeypatch.setattr("syzygy.training.job.train", lambda *_, **__: pytest.fail("trained again"))
    toml = tmp_path / "quick.toml"
    toml.write_text('study = "two-points"\nnetworks = ["two_layer"]\nseeds = "0..2"\nsteps = 300\n', encoding="utf-8")
    kept = tmp_path / "copied.json"
    kept.write_bytes((folder / "specification.json").read_bytes())
    for file, options in ((kept, ("--seeds", "0..2")), (toml, ())):
        assert done("run", file, *options, "--out", folder.parent, "--json").stdout == outcome.stdout


def test_the_command_line_goes_over_the_file(finished, tmp_path):
    _, folder = finished
    options = ("--seeds", "5", "--steps", "20", "--record", "log 5", "--set", "dy2=0.25", "--set", "settings=table")
    said = json.loads(done("run", folder / "specification.json", *options, "--out", tmp_path / "o", "--json").stdout)
    asked = said["specification"]
    assert (asked["seeds"], asked["steps"], asked["record"]) == ([5], 20, "log 5")
    assert (asked["dy2"], asked["settings"]) == (0.25, "table")
    assert asked["networks"][0]["name"] == "two_layer"


def test_a_seed_is_a_number_too(tmp_path):
    said = json.loads(done(*TINY[:4], "--steps", 20, "--set", "seeds=3", "--out", tmp_path / "o", "--json").stdout)
    assert said["specification"]["seeds"] == [3]


def test_report_says_the_same_again_for_people(finished):
    _, folder = finished
    kept = {name: (folder / name).read_bytes() for name in ("report.html", "result.json", "tables/rates.csv")}
    lines = done("report", folder).stdout.splitlines()
    assert {name: (folder / name).read_bytes() for name in kept} == kept
    assert lines[-1] == f"report: {folder / 'report.html'}"
    assert any(line.startswith("SZ007  One pair only") for line in lines)
    assert all(len(line) <= 100 and line == line.rstrip() for line in lines[:-1])


def test_regimes_of_a_run(finished, monkeypatch):
    _, folder = finished
    monkeypatch.setattr("syzygy.training.job.train", lambda *_, **__: pytest.fail("trained again"))
    rows = json.loads(done("regimes", folder, "--json").stdout)
    assert [row["seed"] for row in rows] == [0, 1, 2]
    assert {row["network"] for row in rows} == {"two_layer"}
    assert set(rows[0]) == {"network", "seed", "pair", "richness", "regime", "kernel", "kernel_drift"} | {
        "encoder_travel",
        "decoder_travel",
    }
    map_ = (folder / "regimes.svg").read_bytes()
    outcome = done("regimes", folder, "--layer", "hidden.0")
    counts, place = outcome.stdout.splitlines()
    kinds = [row["regime"] for row in rows]
    assert counts == "two_layer: " + ", ".join(f"{kind} {kinds.count(kind)}" for kind in ("rich", "decoder-lazy"))
    assert place == f"map: {folder / 'regimes.svg'}"
    assert (folder / "regimes.svg").read_bytes() == map_
    assert {path.suffix for path in folder.glob("regimes.*")} == {".svg", ".pdf", ".csv"}
    again = {path.name for path in (folder / "figures").iterdir() if path.stem == "regimes"}
    assert again == {"regimes.svg", "regimes.pdf", "regimes.csv"}


def test_regimes_of_a_run_that_has_only_begun(finished, tmp_path, monkeypatch):
    _, folder = finished
    copy = tmp_path / "two-points-copy"
    copy.mkdir()
    asked = json.loads((folder / "specification.json").read_text(encoding="utf-8"))
    (copy / "specification.json").write_text(json.dumps(asked), encoding="utf-8")
    refused("regimes", copy, says="nothing has been trained yet")
    assert [path.name for path in copy.iterdir()] == ["specification.json"]
    both = asked | {"networks": [*asked["networks"], asked["networks"][0] | {"name": "other", "gain": 0.3}]}
    (copy / "specification.json").write_text(json.dumps(both), encoding="utf-8")
    (copy / "trajectories").symlink_to(folder / "trajectories")
    monkeypatch.setattr("syzygy.training.job.train", lambda *_, **__: pytest.fail("trained"))
    rows = json.loads(done("regimes", copy, "--json").stdout)
    assert {row["network"] for row in rows} == {"two_layer"}, "what there is"


def test_refused_regimes(finished, tmp_path):
    _, folder = finished
    (tmp_path / "file").touch()
    for place in ("nowhere", "file", tmp_path):
        refused("regimes", place, says="is no run")
    refused("regimes", folder, "--layer", "hidden.7", says=("unknown layer 'hidden.7'", "hidden.0"))


@pytest.mark.slow
def test_a_real_process(tmp_path):
    outcome = real(*TINY, "--out", tmp_path / "runs", "--json")
    assert outcome.returncode == 0, outcome.stderr
    assert json.loads(outcome.stdout)["study"] == "two-points"
    assert "1 training " in outcome.stderr
    assert "Warning" not in outcome.stderr
    outcome = real(*TINY, "--out", tmp_path / "runs", "--set", "dx2=0")
    assert (outcome.returncode, outcome.stdout) == (2, "")
    assert outcome.stderr == "syzygy: dx2 = 0: input should be greater than 0\n"


@pytest.mark.slow
def test_a_reader_that_has_seen_enough():
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "syzygy.cli", "list"]
    outcome = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    os.close(writer)
    assert "Traceback" not in outcome.stderr
    assert "Exception ignored" not in outcome.stderr


# What is refused


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "two-point"), ("unknown study 'two-point'", "did you mean two-points", "mnist-pair")),
        (("run", ""), "known: two-points"),
        ((*TINY[:2], "-n", "two_layers"), ("unknown network", "did you mean two_layer?", "default")),
        (("run", "mnist-pair", "--set", "task=digit"), ("'digits'", "'mnist'")),
        (("run", "mnist-pair", "-n", "shalow"), ("unknown network", "did you mean shallow")),
        ((*TINY, "--set", "dy=3"), ("unknown key", "did you mean dy2", "stop_loss")),
        ((*TINY, "--set", "limit=3"), "unknown key"),
        ((*TINY, "--set", "dy2"), "key=value"),
        ((*TINY, "--set", "=1"), "key=value"),
        ((*TINY, "--set", f"dx2={'[' * 100_000}"), "dx2"),
        ((*TINY, "--set", "study=3"), "study"),
        ((*TINY, "--steps", "-1"), "steps = -1"),
        ((*TINY, "--steps", "0"), "steps = 0"),
        ((*TINY, "--set", "dx2=0"), "dx2 = 0"),
        ((*TINY, "--set", "dx2=abc"), "dx2 = 'abc'"),
        ((*TINY, "--set", "dy2=-1"), "dy2 = -1"),
        ((*TINY, "--set", "dx2=NaN"), "finite"),
        ((*TINY, "--set", "dx2=Infinity"), "finite"),
        ((*TINY, "--set", "learning_rate=-Infinity"), "learning_rate"),
        ((*TINY, "--set", "learning_rate=0"), "learning_rate = 0"),
        ((*TINY, "--set", "stop_loss=0"), "stop_loss = 0"),
        ((*TINY, "--set", "input_dim=0"), "input_dim = 0"),
        ((*TINY, "--set", "output_dim=1.5"), "output_dim = 1.5"),
        ((*TINY, "--set", "precision=float16"), ("'float32'", "'float64'")),
        ((*TINY, "--set", "settings=book"), ("'notebook'", "'table'")),
        ((*TINY, "--processes", "0"), "--processes must be 1 or more, got 0"),
        ((*TINY, "--processes", "-2"), "-2"),
        (("run", "mnist-pair", "--set", "per_class=0"), "per_class = 0"),
        (("run", "mnist-pair", "--steps", "2", "--seeds", "0", "--set", "batch_size=0"), "batch_size = 0"),
    ],
)
def test_refused(arguments, says, tmp_path):
    refused(*arguments, *(("--out", tmp_path / "runs") if arguments[0] == "run" else ()), says=says)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "seeds", ["7..0", "a", "", "0,0", "0..2,1", "-1", "-1..2", "0..", "0..99999", "99999999999", "0.5", "0 1"]
)
def test_refused_seeds(seeds, tmp_path):
    assert "seeds" in refused(*TINY[:4], "--out", tmp_path / "runs", "--seeds", seeds)


@pytest.mark.parametrize("seeds", ["[1, 1]", "[-1]", "[]", "1.5", "null", '["a"]', "[[0]]", "-3"])
def test_refused_seeds_of_a_file(seeds, tmp_path):
    assert "seeds" in refused(*TINY[:4], "--out", tmp_path / "runs", "--set", f"seeds={seeds}")


@pytest.mark.parametrize("record", ["every", "every 0", "log 2", "now and then", "every -1", "", "every 1.5", "log"])
def test_refused_schedules(record, tmp_path):
    refused(*TINY, "--out", tmp_path / "runs", "--record", record, says=("'every N'", "'log N'"))


@pytest.mark.parametrize("record", ["3", '{"kind": "every", "number": 0}', '{"kind": "often", "number": 2}', "[1]"])
def test_refused_schedules_of_a_file(record, tmp_path):
    refused(
        *TINY,
        "--out",
        tmp_path / "runs",
        "--set",
        f"record={record}",
        says="record" if record in ("3", "[1]") else "every",
    )


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('{like="two_layer", name="x", widht=3}', ("unknown key in [networks] 'widht'", "did you mean width?")),
        ('{like="two_layer", name="x", gain=0}', "networks.gain = 0"),
        ('{like="two_layer", name="x", gain=-1.0}', "networks.gain = -1"),
        ('{like="two_layer", name="x", gain=nan}', "finite"),
        ('{like="two_layer", name="x", learning_rate=inf}', "finite"),
        ('{like="two_layer", name="x", steps=-1}', "networks.steps = -1"),
        ('{like="two_layer", name="x", width=0}', "networks.width = 0"),
        ('{like="two_layer", name="x", activation="tahn"}', ("unknown activation", "did you mean tanh?", "softplus")),
        ('{like="two_layer", name="x", type="mpl"}', ("unknown network type", "did you mean mlp?", "residual")),
        ('{like="two_layer", name="x", optimiser="adm"}', ("'sgd'", "'adam'")),
        ('{like="defualt", name="x"}', ("unknown network", "did you mean default")),
        ('{like=3, name="x"}', "unknown network"),
        ('{name="x"}', "width = {'name': 'x'}: field required"),
        ('{like="cnn", name="x", width=50}', ("width of at least 111", "got 50", "allows 3")),
        ('{like="cnn", name="x", depth=60}', ("width of at least 611", "allows 48")),
        ('"two_layers"', "did you mean two_layer?"),
        ("3", "networks"),
        ("[]", "networks"),
        ("true", "networks"),
        ('"two_layer", "two_layer"', "different names"),
        ("", "networks"),
    ],
)
def test_refused_networks(table, says, tmp_path):
    asked(tmp_path, f'study = "two-points"\nnetworks = [{table}]')
    refused("run", "asked.toml", "--out", "runs", says=says)
    assert not (tmp_path / "runs").exists()


def test_refused_like(tmp_path):
    asked(tmp_path, 'study = "two-points"\nnetworks = [{like=["a"], name="x"}]')
    refused("run", "asked.toml", "--out", "runs")


@pytest.mark.parametrize("name", ["a/b", "../x", "", "..", ".x", "a b", "x" * 80, "a\\\\b", "-x", "a\\u0000", "x\\n"])
def test_refused_names(name, tmp_path):
    asked(tmp_path, f'study = "two-points"\nnetworks = [{{like="two_layer", name="{name}"}}]')
    refused("run", "asked.toml", "--out", "runs", says="networks.name")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("like", "processes", "near"),
    [("two_layer", 1, "hidden.0"), ("default", 1, "hidden.9"), ("default", 2, "hidden.9")],
)
def test_refused_layers(like, processes, near, tmp_path):
    asked(tmp_path, f'study = "two-points"\nseeds = "0,1"\nnetworks = [{{like="{like}", name="x", layer="hidden.99"}}]')
    line = refused("run", "asked.toml", "--out", "runs", "--processes", processes, says="unknown layer 'hidden.99'")
    assert near in line.partition("did you mean")[2].partition("?")[0]


def test_a_refused_layer_leaves_no_folder(tmp_path):
    asked(tmp_path, 'study = "two-points"\nnetworks = [{like="two_layer", name="x", layer="hidden.99"}]')
    refused("run", "asked.toml", "--out", "runs")
    assert not (tmp_path / "runs").exists()


def test_an_image_network_may_change_one_of_the_catalogue(tmp_path):
    asked(tmp_path, 'study = "mnist-pair"\nnetwork = {like="shalow", name="x"}')
    refused("run", "asked.toml", "--out", "runs", says=("unknown network", "did you mean shallow"))
    asked(tmp_path, 'study = "mnist-pair"\nnetwork = {like="shallow", name="x", widht=3}')
    refused("run", "asked.toml", "--out", "runs", says="did you mean width?")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.toml", None, "No such file"),
        ("missing.json", None, "No such file"),
        ("binary.toml", b"\xff\xfe\x00\x80", "cannot be read"),
        ("binary.json", b"\x00\x01\x02", "not JSON"),
        ("text.toml", b"this is not", "not TOML"),
        ("twice.toml", b'study = "two-points"\nsteps = 1\nsteps = 2', "not TOML"),
        ("empty.toml", b"", "names its study"),
        ("empty.json", b"", "not JSON"),
        ("list.json", b"[1]", "not a table"),
        ("deep.json", b"[" * 100_000, "not JSON"),
        ("deep.toml", b"a = " + b"[" * 100_000, "not TOML"),
        ("long.toml", b'study = "two-points"\nsteps = ' + b"9" * 5000, "not TOML"),
        ("other.toml", b"dx2 = 1", "names its study"),
        ("study.toml", b'study = "two-pionts"', "did you mean two-points"),
        ("study.json", b'{"study": ["two-points"]}', "names its study"),
    ],
)
def test_refused_files(name, content, says, tmp_path):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    refused("run", name, "--out", "runs", says=says)
    assert not (tmp_path / "runs").exists()


def test_refused_folder_for_a_file(tmp_path):
    (tmp_path / "folder.toml").mkdir()
    refused("run", "folder.toml", says="Is a directory")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"steps": -3}, "steps = -3"),
        ({"steps": "many"}, "steps"),
        ({"stepps": 3}, "did you mean steps"),
        ({"study": "mnist-pair"}, "unknown key"),
        ({"study": None}, "names its study"),
        ({"networks": [{"name": "../../x"}]}, "networks"),
    ],
)
def test_refused_specification_that_was_tampered_with(finished, tmp_path, change, says):
    _, folder = finished
    changed = json.loads((folder / "specification.json").read_text(encoding="utf-8")) | change
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "specification.json").write_text(json.dumps(changed), encoding="utf-8")
    refused("run", copy / "specification.json", "--out", "runs", says=says)
    refused("report", copy, says=says)
    assert [path.name for path in copy.iterdir()] == ["specification.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_refused_report_of_a_damaged_specification(content, tmp_path):
    (tmp_path / "specification.json").write_bytes(content)
    refused("report", tmp_path, says="specification.json")


def test_refused_report_of_no_run(tmp_path):
    (tmp_path / "file").touch()
    for place in ("nowhere", "file", tmp_path):
        refused("report", place, says="is no run")


def test_refused_out_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    refused(*TINY, "--out", "file", says="file is a file, not a folder of runs")
    refused(*TINY, "--out", "file/below", says="file/below")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"w": 9}, ("w = 9", "-0.0872983", "0.687298")),
        ({"w": -0.1}, "w = -0.1"),
        ({"h": -1}, "cannot be negative"),
        ({"y": -1}, "cannot be negative"),
        ({"h": 0}, "coincide"),
        ({"h": "inf"}, "finite"),
        ({"w": "nan"}, "finite"),
        ({"eta_h": 0}, "eta_h must be positive"),
        ({"eta_y": 0}, "eta_y must be positive"),
        ({"eta_h": "nan"}, "eta_h"),
        ({"dx2": 0}, "dx2"),
        ({"dy2": -1}, "dy2"),
        ({"steps": 0}, "--steps"),
        ({"steps": -2}, "--steps"),
        ({"steps": "nan"}, "--steps"),
        ({"steps": "inf"}, "--steps"),
    ],
)
def test_refused_predictions(changes, says):
    refused(*start(**changes), says=says)


@pytest.mark.parametrize(
    "arguments", [("run",), ("report",), ("predict",), ("list", "--bogus"), (*TINY, "--steps", "x"), ("bogus",)]
)
def test_refused_usage(arguments):
    refused(*arguments)


def asked(folder, text):
    (folder / "asked.toml").write_text(text + "\n", encoding="utf-8")


# Data files


def mnist(folder, *, items=60, labels=None, images=None, pack=bytes):
    """Write a small training set in idx files."""
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (items, 28, 28), dtype=np.uint8) if images is None else images
    labels = np.arange(items, dtype=np.uint8) % 10 if labels is None else labels
    folder.mkdir(exist_ok=True)
    head = struct.pack(">4B3I", 0, 0, 8, 3, *images.shape)
    (folder / IMAGES).write_bytes(pack(head + images.tobytes()))
    (folder / LABELS).write_bytes(pack(struct.pack(">4BI", 0, 0, 8, 1, len(labels)) + labels.tobytes()))


MNIST = ("run", "mnist-pair", "--set", "task=mnist", "--set", "per_class=1", "--set", "batch_size=20")
SHORT = ("--steps", "40", "--record", "every 2", "--seeds", "0", "--out", "runs")


def test_data_dir(tmp_path):
    mnist(tmp_path / "data", pack=gzip.compress)
    said = json.loads(done(*MNIST, *SHORT, "--set", "limit=40", "--data-dir", "data", "--json").stdout)
    assert said["title"] == "Pairs of images: mnist"
    assert len(said["tables"]["pairs"]) == 45
    assert "mnist" in said["references"]


def cut(path, bytes_left):
    path.write_bytes(path.read_bytes()[:bytes_left])


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda folder: (folder / IMAGES).unlink(), ("no train-images", "--data-dir")),
        (lambda folder: (folder / LABELS).unlink(), "no train-labels"),
        (lambda folder: cut(folder / IMAGES, 5000), "holds"),
        (lambda folder: cut(folder / IMAGES, 3), "not an idx file"),
        (lambda folder: cut(folder / LABELS, 0), "not an idx file"),
        (lambda folder: cut(folder / LABELS, 20), "holds"),
        (lambda folder: (folder / IMAGES).write_bytes((folder / LABELS).read_bytes()), "not an idx file"),
        (lambda folder: (folder / IMAGES).write_bytes(b"\x1f\x8b" + b"x" * 50), "damaged"),
        (lambda folder: mnist(folder, labels=np.zeros(30, np.uint8)), "not MNIST"),
        (lambda folder: mnist(folder, labels=np.full(60, 77, np.uint8)), "not MNIST"),
        (lambda folder: mnist(folder, images=np.zeros((60, 8, 8), np.uint8)), "not MNIST"),
        (lambda folder: mnist(folder, items=0), "not MNIST"),
    ],
)
def test_refused_data(tmp_path, harm, says):
    mnist(tmp_path / "data")
    harm(tmp_path / "data")
    refused(*MNIST, *SHORT, "--data-dir", "data", says=says)


@pytest.mark.parametrize(
    ("option", "says"), [("limit=61", "between 1 and 60"), ("limit=0", "limit"), ("per_class=7", "between 1 and 6")]
)
def test_refused_shares_of_the_data(tmp_path, option, says):
    mnist(tmp_path / "data")
    refused(*MNIST, *SHORT, "--set", option, "--data-dir", "data", says=says)


def test_refused_batches_larger_than_the_data(tmp_path):
    mnist(tmp_path / "data")
    refused(*MNIST, *SHORT, "--set", "batch_size=61", "--data-dir", "data", says="batch_size")


def test_refused_data_dir_that_is_not_there():
    refused(*MNIST, *SHORT, "--data-dir", "nowhere", says="nowhere")


def test_a_report_needs_no_data(tmp_path):
    mnist(tmp_path / "data")
    done(*MNIST, *SHORT, "--data-dir", "data")
    (folder,) = (tmp_path / "runs").iterdir()
    for file in (tmp_path / "data").iterdir():
        file.unlink()
    jobs._dimensions.cache_clear()  # as in another process
    done("report", folder)


def test_a_study_of_one_network_takes_one(tmp_path):
    says = ["mnist-pair trains one network; got two_layer, shallow"]
    refused("run", "mnist-pair", "-n", "two_layer", "-n", "shallow", "--out", tmp_path, says=says)
    outcome = done(
        "run", "mnist-pair", "-n", "two_layer", "--seeds", "0..1", "--steps", 40, "--out", tmp_path, "--json"
    )
    written = json.loads(outcome.stdout)
    assert written["specification"]["network"]["name"] == "two_layer"
    assert "No pair could be fitted to half of the 3 recorded steps; record more often." in written["summary"]
