"""What "Which measure should I use?" advises, on reduced sizes; the page's own numbers where there is time."""

import os
import re
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "benchmarks"))
advice = import_module("advice")
PAGE = (ROOT / "docs/measures/which.md").read_text(encoding="utf-8")


def test_questions():
    found = advice.changes(draws=2, items=100)
    same, rotated, stretched = (found[name] for name in ("units shuffled", "rotated", "stretched"))
    alike = ["cka", "distance_correlation", "cca", "mutual_knn", "soft_matching"]
    assert same[alike].min() > 0.999
    assert rotated[alike[:-1]].min() > 0.999
    assert rotated["soft_matching"] < 0.6  # only units that are matched with units notice a rotation
    assert stretched["cca"] > 0.999  # only these keep what is there, whatever its geometry
    assert stretched["linear_predictivity"] == pytest.approx(same["linear_predictivity"], abs=0.02)
    assert stretched[["cka", "rsa", "mutual_knn"]].max() < 0.8
    assert found["nothing shared"]["cca"] > 0.5  # and no similarity is as far from zero for nothing


def test_width():
    found = advice.width(draws=3, items=50)
    free = ["cka", "rsa", "distance_correlation"]
    assert found.loc[free].abs().to_numpy().max() < 0.05
    assert found.loc["cka:estimator=biased"].to_numpy() == pytest.approx([1 / 11, 1 / 2, 10 / 11], abs=0.05)
    assert found.loc["cca"].to_numpy()[1:] == pytest.approx([1, 1])
    assert found.loc["mutual_knn"].to_numpy() == pytest.approx(np.full(3, 10 / 49), abs=0.05)
    assert (np.diff(found.loc["procrustes"]) < 0).all()


def test_items():
    found = advice.items(draws=8, items=200)
    small, large = (found[f"independent, {n} items"] for n in (12, 200))
    assert (small / large)[["cka", "cka:estimator=biased", "rsa", "linear_predictivity"]].min() > 4


def test_neighbours():
    kept, moved = (column for _, column in advice.neighbours(draws=2, items=150).items())
    assert kept["cka"] > moved["cka"] + 0.1
    assert kept["mutual_knn"] < moved["mutual_knn"] - 0.1


def test_dominant():
    found = advice.dominant(draws=2, items=100)
    assert found.loc[["cka", "rsa", "rsa:comparison=spearman"], "30 times"].min() > 0.95
    assert found.loc[["cka", "rsa"], "30 times, taken off"].max() < 0.1
    assert np.ptp(found.loc["cca"]) < 0.1
    assert found.loc["mutual_knn", "30 times"] < 0.6


def test_outlier():
    found = advice.outlier(draws=2, items=100)
    assert abs(found.loc["cka", "1 item"]) < 0.1
    assert found.loc["cka", "2 items"] > 0.5
    assert found.loc[["cka:estimator=biased", "rsa:dissimilarity=euclidean"], "1 item"].min() > 0.5
    assert found.loc["mutual_knn"].max() < 0.15


def test_nonlinear():
    found = advice.nonlinear(draws=2, items=150)
    for name in ("cka", "linear_predictivity"):
        assert found.loc[name, ["squares", "angle, twice as fast"]].max() < 0.05
    seen = ["cka:kernel=rbf:bandwidth=0.3", "mutual_knn:nearness=euclidean"]
    assert (found.loc[seen, "angle, twice as fast"] > found.loc[seen, "independent"] + 0.1).all()


def test_noise():
    found = advice.noise(draws=4, items=150)
    assert found.loc["cka", "noise 1"] < 0.6 * found.loc["cka", "noise 0"]
    assert found.loc["cka, corrected", "noise 1"] == pytest.approx(found.loc["cka", "noise 0"], abs=0.05)
    assert found.loc["mutual_knn, corrected", "noise 1"] > 2 * found.loc["mutual_knn", "noise 0"]


def test_recorded():
    found = advice.recorded(draws=2, items=100)
    assert np.ptp(found.loc["linear_predictivity"]) < 0.08
    assert found.loc["cka", "1000 units"] > found.loc["cka", "10 units"] + 0.3


def test_direction():
    there, back = (column for _, column in advice.direction(draws=2, items=100).items())
    assert there["linear_predictivity"] > 0.7
    assert back["linear_predictivity"] < 0.4
    rest = there.index != "linear_predictivity"
    assert there[rest].to_numpy() == pytest.approx(back[rest].to_numpy())


def test_layers():
    found = advice.layers(draws=8, items=40)
    for name in ("cka", "cka:estimator=biased", "mutual_knn"):
        assert (np.diff(found.loc[name]) > 0).all()
        assert found.loc[f"{name}, p < 0.05", "12 × 12"] > 0.9
        assert found.loc[f"{name}, corrected p < 0.05", "12 × 12"] < 0.5


def test_training():
    found = advice.training(draws=1, items=100)
    for name in ("cka", "rsa", "mutual_knn"):
        assert found.loc[name, "step 0"] > 0.5  # untrained networks are alike already
        assert found.loc[name, "step 300"] > found.loc[name, "step 0"] > found.loc[name, "items shuffled"] + 0.4


# The page


def tables(text):
    """Numbers of every table that names measures, by the experiment named before it."""
    found = re.findall(r"`python benchmarks/advice.py (\w+)`.*?\n\n((?:\|.*\n)+)", text)
    lines = {name: re.findall(r"^\| (`.+) \|$", table, re.M) for name, table in found}
    return {name: [[float(cell) for cell in line.split(" | ")[1:]] for line in table] for name, table in lines.items()}


def test_every_experiment_stands_in_the_page():
    assert list(tables(PAGE)) == list(advice.EXPERIMENTS)


@pytest.mark.slow
@pytest.mark.parametrize("name", advice.EXPERIMENTS)
def test_the_numbers_of_the_page_are_those_of_the_experiment(name):
    long = ("items", "layers", "changes", "training", "dominant", "width")
    if name in long and not os.environ.get("SYZYGY_FULL"):
        pytest.skip("takes long; whole with SYZYGY_FULL=1")
    found = advice.EXPERIMENTS[name]().to_numpy()
    # Training and p-values near a threshold differ between machines.
    assert np.array(tables(PAGE)[name]) == pytest.approx(found, abs={"training": 0.05, "layers": 0.1}.get(name, 0.02))
