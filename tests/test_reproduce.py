"""The whole paper in one folder: shared trainings, studies that cannot be run, what a kill leaves, and the page."""

import csv
import json
import math
import re
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from filelock import FileLock
from typer.testing import CliRunner

import syzygy.reproduce
from processes import interruptible
from syzygy.claims import Claim, Expectation, to_pandas
from syzygy.cli import app
from syzygy.cost import Plan
from syzygy.errors import DataError, RunError, SpecificationError, UnknownName
from syzygy.networks import setting
from syzygy.recording import every
from syzygy.reproduce import SIZES, Reproduction, specifications
from syzygy.run import Run
from syzygy.studies import STUDIES, TwoPoints, study
from syzygy.training import Cost, Job, costs, makespan

TINY = {"like": "two_layer", "name": "tiny", "width": 8}
EXPECTED = Expectation("learned", "Networks learn.", "abstract", "no fit", "share of networks", low=0.5)


class Asked(TwoPoints):
    """A study of two points that claims something."""

    expectations = (EXPECTED,)

    def analyse(self, trajectories):
        done = sum(fate == "learned" for one in trajectories.values() for fate in one.fates)
        claim = self.claim("learned", {"tiny": done / len(self.seeds)})
        return self.answer(trajectories, summary=["They were trained."], claims=[claim])


def asked(**changes):
    return Asked.of(
        {"study": "two-points", "networks": [TINY], "seeds": "0..2", "steps": 400, "stop_loss": 0.4} | changes
    )


@pytest.fixture
def small(monkeypatch):
    """Two studies, of which the second needs the networks of the first and others."""
    wide = TINY | {"name": "wide", "width": 20}
    kept = {"one": asked(), "two": asked(networks=[TINY, wide])}
    monkeypatch.setattr(syzygy.reproduce, "specifications", lambda _size: kept)
    return kept


def reproduced(folder, names=()):
    begun = Reproduction.under(folder, "quick")
    chosen = begun.chosen(names)
    begun.plan(chosen)
    for name in begun.train(chosen):
        begun.analyse(name)
    return begun


# Claims


@pytest.mark.parametrize(
    ("cases", "verdict", "condition"),
    [
        ({"a": 0.6}, "holds", ""),
        ({"a": 0.4}, "not reproduced", ""),
        ({"a": math.nan}, "not reproduced", ""),
        ({"a": math.inf}, "not reproduced", ""),
        ({}, "undecided", ""),
        ({"a": 0.6, "b": 0.4}, "holds in part", "only for a"),
        ({"a": 0.6, "b": 0.4, "c": 0.5}, "holds in part", "but not for b"),
        ({str(i): i % 2 for i in range(30)}, "holds in part", "only for 1, 3, 5, 7, 9, 11, 13, 15 and 7 others"),
    ],
)
def test_a_verdict_follows_from_the_bounds(cases, verdict, condition):
    claim = Claim(EXPECTED, cases)
    assert claim.verdict == verdict
    assert claim.condition == condition


def test_a_part_decides_nothing():
    assert Claim(EXPECTED, {"a": 1.0}, complete=False).verdict == "undecided"


@pytest.mark.parametrize("bounds", [{}, {"low": 1, "high": 0}, {"low": math.nan}])
def test_bounds_that_decide_nothing_are_refused(bounds):
    with pytest.raises(SpecificationError, match="needs bounds that decide"):
        Expectation("x", "X.", "abstract", "no fit", "x", **bounds)


def test_bounds_are_said_in_words():
    said = [Expectation("x", "X.", "code", "no fit", "x", *b).expected for b in ((0, 1), (2,), (-math.inf, 3))]
    assert said == ["0 to 1", "at least 2", "at most 3"]


def test_a_claim_survives_json():
    claim = Claim(EXPECTED, {"a": 0.6, "b": math.nan}, (0, 2), {"a": 0.7}, "a note", complete=False)
    told = json.loads(json.dumps(claim.to_json(), allow_nan=False))
    again = Claim.of_json(told)
    assert told["verdict"] == "undecided"
    assert again.expectation == EXPECTED
    assert again.to_json() == claim.to_json()
    assert math.isnan(again.cases["b"])


def test_claims_are_a_table():
    claim = Claim(EXPECTED, {"a": 0.6, "b": 0.2, "c": math.nan}, (0, 1), {"x": 0.5, "y": 0.7})
    (row,) = to_pandas({"s": [claim]}).to_dict("records")
    assert row["study"] == "s"
    assert (row["cases"], row["holding"], row["seeds"]) == (3, 1, "0 1")
    assert row["value"] == pytest.approx(0.4)
    assert row["published"] == pytest.approx(0.6)
    assert (row["lowest"], row["highest"]) == (0.2, 0.6)


# Specifications


BEYOND_THE_PAPER = {
    "convergence",
    "feature-bias",
    "forecast",
    "language",
    "latent-dynamics",
    "odd-one-out",
    "perfect-fitting",
    "rivals",
    "universal-dimensions",
}


@pytest.mark.parametrize("size", SIZES)
def test_every_study_of_the_paper_has_a_specification(size):
    found = specifications(size)
    assert {one.study for one in found.values()} == set(STUDIES) - BEYOND_THE_PAPER
    assert next(iter(found)) == "two-points"


@pytest.mark.parametrize(("size", "name"), [(size, name) for size in SIZES for name in specifications(size)])
def test_specifications_can_be_asked_again_and_say_what_is_smaller(size, name):
    one = specifications(size)[name]
    assert name == one.study or name.startswith(one.study)
    assert one.jobs()
    assert study(one.specification()) == one
    if size == "quick":
        assert one.note
    assert one.expectations
    names = [expected.name for expected in one.expectations]
    assert len(set(names)) == len(names)


# Running


def test_networks_that_two_studies_need_are_trained_once(tmp_path, small):
    begun = Reproduction.under(tmp_path, "quick")
    assert [len(one.jobs) for one in begun.runs.values()] == [1, 2]
    assert len(begun.missing(["one", "two"])) == 2
    reproduced(tmp_path)
    assert len(list((tmp_path / "reproduction-quick/trajectories").glob("*.zarr"))) == 2
    assert not list((tmp_path / "reproduction-quick").glob("two-points-*/trajectories"))
    assert begun.missing(["one", "two"]) == []


def test_a_study_is_given_as_soon_as_its_networks_are_there(tmp_path, small):
    begun = Reproduction.under(tmp_path, "quick")
    assert sorted(begun.train(["one"])) == ["one"]
    assert sorted(begun.train(["one", "two"])) == ["one", "two"]
    assert begun.runs["one"].missing == []


def test_a_study_is_given_once_and_only_when_it_is_whole(tmp_path, small):
    begun = Reproduction.under(tmp_path, "quick")
    given = begun.train(["two"])
    assert next(given) == "two"
    assert begun.runs["two"].missing == []
    assert list(given) == []


def test_a_note_makes_no_other_run(tmp_path):
    noted, other = (Run.named(tmp_path, asked(**changes)).folder for changes in ({"note": "small"}, {"steps": 401}))
    assert Run.named(tmp_path, asked()).folder == noted
    assert noted != other


def test_the_page_and_the_table_hold_every_claim(tmp_path, small):
    begun = reproduced(tmp_path)
    claims = begun.report()
    assert {name: [claim.verdict for claim in some] for name, some in claims.items()} == {
        "one": ["holds"],
        "two": ["holds"],
    }
    told = json.loads((begun.folder / "claims.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert told["verdicts"] == {"holds": 2, "holds in part": 0, "not reproduced": 0, "undecided": 0}
    assert told["claims"]["one"][0]["cases"] == {"tiny": 1.0}
    with (begun.folder / "claims.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["study"], row["claim"], row["verdict"]) for row in rows] == [
        ("one", "learned", "holds"),
        ("two", "learned", "holds"),
    ]
    page = begun.page.read_text(encoding="utf-8")
    for wanted in (
        "Networks learn.",
        "at least 0.5",
        "2 holds",
        "share of networks",
        "0–2",
        "the paper&#39;s abstract",
    ):
        assert wanted in page
    links = Links(page)
    assert all((begun.folder / link).is_file() for link in links.relative)
    assert len(links.ids) == len(set(links.ids))


class Links(HTMLParser):
    """Relative links and ids of a page."""

    def __init__(self, page):
        super().__init__()
        self.relative, self.ids = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "href" and tag == "a" and not value.startswith(("#", "http", "data:")):
                self.relative.append(value)
            if name == "id":
                self.ids.append(value)


def test_a_study_that_has_not_been_run_claims_nothing(tmp_path, small):
    begun = reproduced(tmp_path, ["one"])
    claims = begun.report()
    assert [claim.verdict for claim in claims["two"]] == ["undecided"]
    assert "Not run yet." in begun.page.read_text(encoding="utf-8")


def test_a_part_of_a_study_claims_nothing(tmp_path, small):
    """The second study has half of its networks from the first; analysed, it is still undecided."""
    begun = reproduced(tmp_path, ["one"])
    begun.analyse("two")
    assert [claim.verdict for claim in begun.runs["two"].report().claims] == ["undecided"]
    claims = begun.report()
    assert claims["two"][0].cases
    assert claims["two"][0].verdict == "undecided"


def test_a_complete_result_of_other_networks_claims_nothing(tmp_path, small):
    begun = reproduced(tmp_path)
    for one in (begun.folder / "trajectories").glob("*.zarr"):
        one.rename(one.with_suffix(".gone"))
    assert {claim.verdict for some in begun.report().values() for claim in some} == {"undecided"}


def test_every_network_diverged(tmp_path, small):
    small |= {"one": asked(learning_rate=1e6)}
    begun = reproduced(tmp_path, ["one"])
    claims = begun.report()
    assert [claim.verdict for claim in claims["one"]] == ["undecided"]
    result = json.loads((begun.runs["one"].folder / "result.json").read_text(encoding="utf-8"))
    assert result["summary"] == ["Every network diverged, all 3; nothing is claimed."]
    assert "Every network diverged" in begun.page.read_text(encoding="utf-8")


def test_a_study_without_its_data_does_not_stop_the_others(tmp_path, small, monkeypatch):
    def missing(jobs, _on_job):
        if any(job.network.width == 20 for job in jobs):
            raise DataError("no train-images in data; looked for x, y")
        return [Cost(1.0, 1) for _ in jobs]

    monkeypatch.setattr(syzygy.reproduce, "costs", missing)
    begun = reproduced(tmp_path)
    begun.analyse("two")
    claims = begun.report()
    assert begun.trouble == {"two": "no train-images in data; looked for x, y"}
    assert [claim.verdict for some in claims.values() for claim in some] == ["holds", "undecided"]
    assert "looked for x, y" in begun.page.read_text(encoding="utf-8")


def test_why_nothing_could_be_trained_stays_on_the_page(tmp_path, small):
    begun = Reproduction.under(tmp_path, "quick")
    begun.runs["two"].refuse("no train-images in data; looked for x, y")
    begun.analyse("two")
    assert "looked for x, y" in begun.runs["two"].page.read_text(encoding="utf-8")


def test_unknown_studies_are_refused_with_the_known(tmp_path, small):
    begun = Reproduction.under(tmp_path, "quick")
    with pytest.raises(UnknownName, match=r"unknown study .three.*known: one, two"):
        begun.chosen(["three"])
    assert begun.chosen(["two-points"]) == ("one", "two")
    assert begun.chosen([]) == ("one", "two")
    assert begun.chosen(["two", "one"]) == ("one", "two")


def test_two_at_once_are_refused(tmp_path, small):
    begun = Reproduction.under(tmp_path, "quick")
    with FileLock(begun.folder / ".lock"), pytest.raises(RunError, match="another process is training"):
        list(begun.train(["one"]))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"size": "huge"}'])
def test_a_damaged_reproduction_is_refused(tmp_path, small, text):
    begun = Reproduction.under(tmp_path, "quick")
    (begun.folder / "reproduction.json").write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match=r"reproduction\.json"):
        Reproduction.at(begun.folder)


def test_a_folder_of_something_else_is_left_alone(tmp_path, small):
    (tmp_path / "reproduction-quick").mkdir()
    (tmp_path / "reproduction-quick/notes").write_text("mine", encoding="utf-8")
    with pytest.raises(RunError, match="is no reproduction"):
        Reproduction.under(tmp_path, "quick")
    (tmp_path / "reproduction-full").write_text("mine", encoding="utf-8")
    with pytest.raises(RunError, match="is a file"):
        Reproduction.under(tmp_path, "full")


def test_a_drawing_from_elsewhere_runs_nothing(tmp_path, small):
    begun = reproduced(tmp_path, ["one"])
    folder = begun.runs["one"].folder
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    drawing = '<svg width="1" height="1" version="1.1" onload="alert(1)"><script>alert(2)</script><g id="a"/></svg>'
    (folder / "figures").mkdir(exist_ok=True)
    (folder / "figures/x.svg").write_text(drawing, encoding="utf-8")
    (begun.folder / "secret.svg").write_text(drawing.replace("a", "secret"), encoding="utf-8")
    for name, seen in (("x", True), ("../../secret", False)):
        result["figures"] = [{"name": name, "caption": "<b>caption</b>"}]
        (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
        begun.report()
        page = begun.page.read_text(encoding="utf-8")
        assert ("&lt;b&gt;caption" in page) is seen
        assert "alert" not in page
        assert "secret" not in page


# The command line


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in ("reproduce", *arguments)])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "say --quick (minutes, reduced) or --full"),
        (("--quick", "--full"), "say --quick (minutes, reduced) or --full"),
        (("--quick", "three"), "unknown study 'three'; known: one, two"),
        (("--quick", "--processes", 0), "--processes must be 1 or more, got 0"),
    ],
)
def test_what_cannot_be_reproduced_is_refused_in_one_line(tmp_path, small, arguments, says):
    outcome = call(*arguments, "--out", tmp_path)
    assert outcome.exit_code == 2
    assert outcome.stdout == ""
    assert outcome.stderr.count("\n") == 1
    assert says in outcome.stderr


def test_an_estimate_trains_nothing(tmp_path, small):
    outcome = call("--quick", "--estimate", "--out", tmp_path)
    assert outcome.exit_code == 0
    assert "one                         1 trainings, at most" in outcome.stderr
    assert "two                         1 trainings, at most" in outcome.stderr
    assert re.search(r"training takes at most \d+ s in \d+ process.*B of memory.*B of disk", outcome.stderr)
    assert not list(tmp_path.rglob("*.zarr"))


def test_verdicts_are_said_and_said_again_without_training(tmp_path, small, monkeypatch):
    page = tmp_path / "reproduction-quick/report.html"
    outcome = call("--quick", "one", "--out", tmp_path, "--processes", 1)
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stdout == f"holds           one: learned\nundecided       two: learned\nreport: {page}\n"
    outcome = call("--quick", "--out", tmp_path, "--processes", 1)
    assert outcome.stdout == f"holds           one: learned\nholds           two: learned\nreport: {page}\n"
    before = page.read_text(encoding="utf-8")
    page.unlink()
    monkeypatch.setattr("syzygy.training.job.train", pytest.fail)
    again = CliRunner().invoke(app, ["report", str(page.parent)])
    assert again.exit_code == 0, again.stderr
    assert again.stdout == outcome.stdout
    assert page.read_text(encoding="utf-8") == before
    told = json.loads(CliRunner().invoke(app, ["report", str(page.parent), "--json"]).stdout)
    assert told["verdicts"]["holds"] == 2


def test_a_study_asked_for_alone_whose_data_is_missing_is_refused(tmp_path, small, monkeypatch):
    def missing(_jobs, _on_job):
        raise DataError("no train-images in data; looked for x, y")

    monkeypatch.setattr(syzygy.reproduce, "costs", missing)
    outcome = call("--quick", "two", "--out", tmp_path)
    assert outcome.exit_code == 2
    assert "looked for x, y" in outcome.stderr


# Estimates


def tiny_job(**changes):
    network = setting(TINY).model_copy(update={"steps": 300})
    return Job(
        **({"task": "two-points", "options": {}, "network": network, "seeds": (0, 1), "record": every(10)} | changes)
    )


def test_an_estimate_grows_with_steps_and_records():
    few, many, dense = costs(
        [tiny_job(), tiny_job(network=tiny_job().network.model_copy(update={"steps": 3000})), tiny_job(record=every(1))]
    )
    assert many.seconds > few.seconds > 0
    # Of every recorded step: its number, and of two networks a loss, two outputs, two representations of 8 units, and
    # how far encoder and decoder have travelled.
    row = 8 + 2 * (4 * (1 + 2 + 2 * 8) + 8 * 2)
    assert [one.bytes for one in (few, many, dense)] == [31 * row, 301 * row, 301 * row]


def test_jobs_that_cost_the_same_are_measured_once(monkeypatch):
    measured = []
    real = syzygy.training.estimate._measure
    monkeypatch.setattr(syzygy.training.estimate, "_measure", lambda job: measured.append(job) or real(job))
    other = tiny_job(options={"dx2": 2.0}, network=setting(TINY | {"gain": 0.2}))
    costs([tiny_job(), other, tiny_job(seeds=(4, 5)), tiny_job(seeds=(1,)), tiny_job(precision="float64")])
    assert [len(job.seeds) for job in measured] == [2, 1, 2]


def test_what_a_training_starts_from_is_counted(monkeypatch):
    monkeypatch.setattr(syzygy.training.estimate, "_measure", lambda _job: syzygy.training.estimate._Pace(5, 1, 3, 2))
    before, own = tiny_job(keep=True), tiny_job()
    (cost,) = costs([tiny_job(start=before)])
    assert cost.seconds == 2 * (5 + own.network.steps + 3 * 31)
    assert cost.bytes == 2 * 31


def test_an_estimate_meets_what_training_would():
    with pytest.raises(UnknownName, match="unknown layer"):
        costs([tiny_job(layers=("hidden.7",))])


def test_a_plan_counts_what_processes_share():
    plan = Plan({"a": (Cost(4, 10), Cost(2, 10)), "b": (Cost(3, 5),)}, {}, 0)
    assert plan.seconds(1) == 9
    assert plan.seconds(2) == 5
    assert plan.bytes == 25
    assert makespan([], 2) == 0


def test_every_job_of_the_quick_size_can_be_split():
    assert all(job.parts() for one in specifications("quick").values() for job in one.jobs().values())


# A kill


DRIVER = """
import sys
import syzygy.reproduce
from syzygy.cli import main
from syzygy.studies import study

asked = {"study": "two-points", "networks": ["shallow"], "seeds": "0..7", "steps": 1500}
syzygy.reproduce.specifications = lambda size: {"one": study(asked)}
main()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_an_interrupt_keeps_what_was_trained(tmp_path):
    driver = tmp_path / "driver.py"
    driver.write_text(DRIVER, encoding="utf-8")
    command = [sys.executable, str(driver), "reproduce", "--quick", "--out", str(tmp_path), "--processes", "1"]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=interruptible,  # noqa: PLW1509
    )
    folder = tmp_path / "reproduction-quick"
    deadline = time.monotonic() + 120
    while not list(folder.glob("trajectories/*.zarr")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "what was trained is kept" in complaint
    kept = len(list(folder.glob("trajectories/*.zarr")))
    assert 1 <= kept < 8
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert outcome.returncode == 0, outcome.stderr
    assert "Traceback" not in complaint + outcome.stderr
    assert len(list(folder.glob("trajectories/*.zarr"))) == 8
    assert f"report: {Path(folder / 'report.html')}" in outcome.stdout
