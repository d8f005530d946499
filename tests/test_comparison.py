"""The page of a comparison: what it says, what speaks against it, and the map."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.spatial.distance import pdist, squareform

import syzygy
from syzygy.alignment import Alignment
from syzygy.alignment.drawings import CELLS, LABELLED, short
from syzygy.alignment.embedding import dissimilarity, embedding
from syzygy.comparison import comparison
from syzygy.comparison.doubts import CLOSE, LEVEL, PER_UNIT
from syzygy.comparison.tables import LEAST_P
from syzygy.errors import SpecificationError, UnknownName
from syzygy.measures import measure
from syzygy.report import render, write_report
from syzygy.representations import Representation, Representations, held
from test_representations import trajectory

DOCUMENT = Path(__file__).parents[1] / "docs" / "checks.md"
ITEMS, WIDTH = 60, 6


def noise(seed, items=ITEMS, width=WIDTH):
    return np.random.default_rng(seed).normal(size=(items, width))


def aligned(given, measures=("cka",), **settings):
    return syzygy.align(given, list(measures), permutations=settings.pop("permutations", 19), **settings)


X = noise(0)
ALIKE = {"x": X, "x again": X + 0.3 * noise(1), "x still": X + 0.5 * noise(2)}


def fired(alignment):
    return {finding.code: finding.details for finding in comparison(alignment).findings}


# Reasons to doubt


def test_good_evidence_gives_no_reason_to_doubt():
    assert fired(aligned(ALIKE, ["cka", "procrustes", "mutual_knn"])) == {}


def test_too_few_items_for_the_width():
    wide = {name: np.hstack([values, noise(9 + i, width=200)]) for i, (name, values) in enumerate(ALIKE.items())}
    details = fired(aligned(wide, ["cka", "cka:estimator=biased"]))["SZ014"]
    assert len(details) == 1, "debiased CKA does not suffer"
    assert details[0].startswith("cka:estimator=biased: 60 items, up to 206 units; chance is ")


def test_few_items_are_those_below_twice_the_units():
    def few(width, items=ITEMS):
        rng = np.random.default_rng(3)
        return "SZ014" in fired(aligned(list(rng.normal(size=(3, items, width))), ["cka:estimator=biased"]))

    assert few(31)
    assert not few(30), "chance is as near, but there are two items for every unit"


def test_items_and_units_that_are_the_same():
    twice = X.copy()
    twice[[5, 7]] = twice[3]
    still = np.hstack([X, np.zeros((ITEMS, 2)), np.full((ITEMS, 1), -3.0), X[:, :1]])
    details = fired(aligned(ALIKE | {"twice": twice, "still": still, "minus": still * -1.0}))
    assert details["SZ015"] == ("twice: 2 of 60 items are the same as another",)
    counts = "of 10 units, 2 zero, 1 constant, 1 twice there"
    assert details["SZ016"] == (f"still: {counts}", f"minus: {counts}")


def test_what_was_left_out_is_said():
    some = Representations.of(trajectory(networks=3, fates=["trained", "trained", "diverged"], layers=("h",)))
    assert fired(aligned(some))["SZ017"] == ("narrow/seed 2 diverged",)
    names = tuple(f"item {i}" for i in range(ITEMS))
    some = [Representation("named", lambda: X, X.shape, names), held("plain", X + noise(1))]
    (line,) = fired(aligned(some))["SZ017"]
    assert line.startswith("1 have no names of items, as plain")
    (line,) = fired(aligned(ALIKE | {"flat": np.ones((ITEMS, 2))}))["SZ017"]
    assert "flat" in line


def test_pairs_at_chance_are_counted():
    details = fired(aligned(ALIKE | {"noise": noise(8)}, ["cka", "procrustes"]))["SZ018"]
    assert details[0] == "cka: 3 of 6 pairs (q of 0.05 or more)"


def test_thresholds_are_those_of_the_document():
    text = " ".join(DOCUMENT.read_text(encoding="utf-8").split())
    assert f"more than {CLOSE:.0%} of the way to the best value" in text
    assert f"q of a pair is {LEVEL:g} or more" in text
    assert PER_UNIT == 2
    assert "fewer than twice the units" in text


# What it says


def test_the_result_holds_every_number():
    alignment = aligned(ALIKE | {"noise": noise(8)}, ["cka", "procrustes", "linear_predictivity"], bootstrap=10)
    result = comparison(alignment)
    assert [table.name for table in result.tables] == [
        "pairs-cka", "pairs-procrustes", "pairs-linear_predictivity", "measures", "representations"]  # fmt: skip
    pairs = result.table("pairs-cka")
    assert len(pairs) == 6
    assert pairs["calibrated"].is_monotonic_decreasing
    assert list(pairs) == ["representation", "other representation", "score", "score_low", "score_high", "chance",
                           "spread", "calibrated", "p", "q"]  # fmt: skip
    first = pairs.iloc[0]
    assert {first["representation"], first["other representation"]} == {"x", "x again"}
    data = alignment.data.sel(measure="cka", representation="x", **{"other representation": "x again"})
    for name, column in {"score": "score", "low": "score_low", "spread": "spread", "calibrated": "calibrated"}.items():
        assert first[column] == float(data[name])
    assert (pairs["p"] >= LEAST_P).all()
    assert len(result.table("pairs-linear_predictivity")) == 12, "both directions"
    about = result.table("measures").set_index("measure")
    score = alignment.score("procrustes").values
    assert about.loc["procrustes", "score"] == pytest.approx(score[~np.eye(4, dtype=bool)].mean())
    assert about.loc["cka", "above chance"] == 0.5
    assert about.loc["cka", "stress"] == pytest.approx(alignment.embedding("cka").attrs["stress"])
    assert result.table("representations").set_index("representation").loc["x", "most like"] == "x again"
    assert result.summary[0] == "4 representations of 60 items, 6 pairs, by 3 measures."
    assert result.summary[-1].startswith("Most alike by cka: x and x again, 0.")
    assert {"cka", "shapes", "chance", "discovery"} == set(result.references)


def test_the_page_is_written(tmp_path):
    result = comparison(aligned(ALIKE, ["mutual_knn:neighbours=3"]))
    page = write_report(result, tmp_path)
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 2
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {
        "scores-mutual_knn-neighbours-3", "map"}  # fmt: skip
    assert json.loads((tmp_path / "result.json").read_text())["study"] == "compare"
    cells = pd.read_csv(tmp_path / "figures/scores-mutual_knn-neighbours-3.csv")
    assert len(cells) == 9
    assert cells["score"].max() == pytest.approx(1)


def test_a_comparison_that_was_read_again_says_the_same(tmp_path):
    alignment = aligned(ALIKE, ["cka"], out=tmp_path / "out")
    there, again = comparison(alignment), comparison(Alignment.read(tmp_path / "out"))
    pd.testing.assert_frame_equal(there.table("pairs-cka"), again.table("pairs-cka"))
    assert there.summary == again.summary


@pytest.mark.parametrize("count", [1, 2])
def test_one_and_two(count):
    result = comparison(aligned(dict(list(ALIKE.items())[:count])))
    assert "<svg" in render(result)
    assert [figure.name for figure in result.figures] == ["scores-cka"]


def test_without_chance():
    result = comparison(aligned(ALIKE, ["mutual_knn:neighbours=3", "soft_matching"], permutations=0))
    assert "<svg" in result.figures[1].svg()
    assert result.summary[2].startswith("soft_matching: 0.")
    assert "chance" not in result.summary[2]
    assert result.table("pairs-soft_matching")["score"].is_monotonic_decreasing


def test_a_representation_without_scores_is_shown_as_such():
    alignment = aligned(ALIKE | {"flat": np.ones((ITEMS, 2))})
    assert "<svg" in render(comparison(alignment))
    places = alignment.embedding("cka")
    assert np.isnan(places.sel(representation="flat")).all()
    assert np.isfinite(places[:3]).all()


# Over training


def recorded():
    """Three networks whose representations become alike: noise of their own that falls."""
    steps, rng = (0, 1, 10, 100), np.random.default_rng(0)
    shared = rng.normal(size=(ITEMS, WIDTH))
    own = rng.normal(size=(3, 1, ITEMS, WIDTH))
    falling = np.array([4, 2, 1, 0.1])[:, None, None]
    seen = trajectory(
        networks=3, steps=steps, layers=("h",), items=[f"item {i}" for i in range(ITEMS)],
        outputs=np.zeros((3, 4, ITEMS, 1)), inputs=np.zeros((ITEMS, 2)), targets=np.zeros((ITEMS, 1)),
        representations={"h": shared + falling * own},
    )  # fmt: skip
    return aligned(Representations.of(seen, steps="all"), ["cka", "procrustes"])


def test_alignment_over_training():
    alignment = recorded()
    result = comparison(alignment)
    (figure,) = (one for one in result.figures if one.name == "training")
    frame = figure.frame[figure.frame["measure"] == "cka"]
    between, own = (frame[frame["between"] == kind] for kind in ("networks", "own last step"))
    assert len(between) == 3 * 4
    assert (between.groupby("step").size() == 3).all()
    assert between.groupby("step")["score"].mean().is_monotonic_increasing
    assert set(between["group"]) == {"seeds of one kind"}
    assert len(own) == 3 * 3
    assert sorted(set(own["step"])) == [0, 1, 10]
    name = "narrow/seed {}/h/step {}"
    score = alignment.score("cka").sel(representation=name.format(1, 10))
    line = own[(own["line"] == "narrow 1 1.0") & (own["step"] == 10)]["score"].item()
    assert line == float(score.sel({"other representation": name.format(1, 100)}))
    assert result.summary[-1].startswith("Most alike of different networks by cka: narrow/seed 0/h/step 100")
    assert "<svg" in figure.svg()


def test_without_steps_nothing_is_drawn_over_training():
    assert "training" not in {figure.name for figure in comparison(aligned(ALIKE)).figures}


# The map


def score_of(points):
    names = [f"r{i}" for i in range(len(points))]
    return xr.DataArray(
        squareform(pdist(points)), dims=("representation", "other representation"), coords={"representation": names}
    )


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_distances_of_a_plane_are_found_again(dimensions):
    points = np.random.default_rng(4).normal(size=(12, dimensions))
    placed = embedding(measure("bures"), score_of(points), dimensions)
    np.testing.assert_allclose(pdist(placed.values), pdist(points), atol=1e-3)
    assert placed.attrs["stress"] < 1e-3
    assert list(placed.representation.values[:2]) == ["r0", "r1"]


def test_stress_is_that_of_the_map():
    points = np.random.default_rng(5).normal(size=(15, 6))
    placed = embedding(measure("bures"), score_of(points))
    there, asked = pdist(placed.values), pdist(points)
    assert placed.attrs["stress"] == pytest.approx(np.sqrt(np.sum((there - asked) ** 2) / np.sum(there**2)))
    assert 0.05 < placed.attrs["stress"] < 0.5
    again = embedding(measure("bures"), score_of(points))
    xr.testing.assert_identical(placed, again)


def test_what_is_drawn_of_a_score():
    cosine = np.array([[1, 0.5], [0.5, 1]])
    assert dissimilarity(measure("cka"), cosine)[0, 1] == pytest.approx(np.pi / 3)
    assert dissimilarity(measure("mutual_knn"), cosine)[0, 1] == 0.5
    assert dissimilarity(measure("bures"), cosine)[0, 1] == 0.5
    directed = np.array([[0.9, 0.2], [0.6, 0.9]])
    np.testing.assert_allclose(dissimilarity(measure("linear_predictivity"), directed), [[0, 0.6], [0.6, 0]])
    assert dissimilarity(measure("cka"), np.array([[1, 1 + 1e-9], [1 + 1e-9, 1]]))[0, 1] == 0


def test_refused_maps_and_plots():
    alignment = aligned(ALIKE)
    with pytest.raises(SpecificationError, match="at least 1 dimension, got 0"):
        alignment.embedding(dimensions=0)
    with pytest.raises(UnknownName, match="unknown measure 'ckb'"):
        alignment.embedding("ckb")
    with pytest.raises(UnknownName, match="unknown measure 'ckb'"):
        alignment.plot("ckb")


# Drawings


def test_plots(tmp_path):
    alignment = aligned(ALIKE, ["cka", "procrustes"])
    both, one = alignment.plot(), alignment.plot("procrustes")
    assert [axes.get_title(loc="left") for axes in both.axes[:4:1] if axes.images] == [
        "cka: score", "cka: calibrated", "procrustes: score", "procrustes: calibrated"]  # fmt: skip
    np.testing.assert_allclose(one.axes[0].images[0].get_array(), alignment.score("procrustes").values)
    one.savefig(tmp_path / "a.png")


@pytest.mark.parametrize("count", [LABELLED, LABELLED + 1, CELLS + 1])
def test_many_representations_have_labels_of_groups(count):
    rng = np.random.default_rng(0)
    names = [f"network {i // 20}/seed {i % 20}" for i in range(count)]
    alignment = aligned(dict(zip(names, rng.normal(size=(count, 8, 2)), strict=True)))
    canvas = alignment.plot()
    labels = [text.get_text() for text in canvas.axes[0].get_yticklabels()]
    if count <= LABELLED:
        assert labels == names
    else:
        assert labels == [f"network {i}" for i in range(-(-count // 20))]
    side = canvas.axes[0].images[0].get_array().shape[0]
    assert side == count if count <= CELLS else side == -(-count // 2)
    if count > CELLS:
        block = alignment.score("cka").values[:2, 2:4]
        assert canvas.axes[0].images[0].get_array()[0, 1] == pytest.approx(block.mean())


def test_short_names():
    assert short(["a/x/1", "a/y/1"]) == ["x", "y"]
    assert short(["a", "b/c"]) == ["a", "b/c"]
    assert short(["a/b"]) == ["a/b"]
