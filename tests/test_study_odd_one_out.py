"""The study of odd-one-out dimensions: known answers, a small real run, people in a file, and what cannot be asked."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from syzygy.dimensions.odd_one_out import Triplets, accuracy, representational, similarity
from syzygy.errors import DataError, ShapeError, SpecificationError
from syzygy.report import write_report
from syzygy.store import MemoryStore
from syzygy.studies import study
from syzygy.studies.claims.odd_one_out import EXPECTATIONS, measured
from syzygy.studies.tables.odd_one_out import between_classes, learned, parted, weighed
from syzygy.studies.tables.odd_pairs import listed
from syzygy.studies.trainings.choosers import Known, Layer, People, Rule
from syzygy.studies.trainings.known import known
from syzygy.studies.trainings.odd_one_out import Embedding, embeddings
from syzygy.studies.trainings.reading import digest
from syzygy.training import train_zoo
from syzygy.trajectory import Trajectory

NETWORKS = [
    {"like": "shallow", "name": "shallow", "width": 12, "gain": 0.6, "layer": "hidden.0", "learning_rate": 0.2},
    {"like": "tanh", "name": "tanh", "width": 12, "depth": 2, "gain": 1.0, "layer": "hidden.0", "learning_rate": 0.2},
]
LEARN = {"epochs": 30, "stable": 20, "rate": 0.05, "dimensions": 16, "embedding_batch": 200, "triplets": 2000}
OWN = {
    "study": "odd-one-out", "networks": NETWORKS, "seeds": "0,1", "steps": 60, "per_class": 4, "permutations": 19,
    "record": "log 3", **LEARN,
}  # fmt: skip


def trained(asked):
    made, store = study(asked), MemoryStore()
    jobs = made.jobs()
    list(train_zoo([part for job in jobs.values() for part in job.parts()], store))
    seen = {name: Trajectory.join([store.get(part.asked()) for part in job.parts()]) for name, job in jobs.items()}
    return made, seen, made.analyse(seen)


@pytest.fixture(scope="module")
def real():
    return trained(OWN)


# A small real run


def test_networks_choose_at_both_ends_and_the_first_seed_between(real):
    made, _, _ = real
    jobs = made.jobs()
    assert list(jobs)[:2] == ["shallow", "tanh"]
    chosen = [name for name in jobs if name.startswith("tanh/")]
    assert chosen == ["tanh/0@0", "tanh/0@1", "tanh/0@60", "tanh/1@0", "tanh/1@60"]
    assert [jobs[name].seeds for name in chosen] == [(0, 1), (0,), (0, 1), (0, 1), (0, 1)]
    assert jobs["tanh/0@0"].chooser.layer == "hidden.1"
    assert jobs["reference"].needs == ()
    assert jobs["tanh/0@0"].needs == (jobs["tanh"],)


def test_what_is_learned_is_the_choice_of_that_layer_at_that_step(real):
    made, seen, _ = real
    jobs = made.jobs()
    for name, place in (("tanh/1@0", 0), ("tanh/1@60", -1)):
        x = seen["tanh"].representation("hidden.1")[1, place].astype(np.float64)
        expected = Triplets.drawn(x, 2000, seed=0).choices
        np.testing.assert_array_equal(jobs[name].chooser.triplets(seen["tanh"]).choices, expected)
    one, other = jobs["tanh/1@60"].sides(seen["tanh"])
    assert (len(one), len(other)) == (1800, 200)


def test_accuracies_are_of_triplets_that_were_held_out(real):
    made, seen, result = real
    table = result.table("embeddings")
    job = made.jobs()["tanh/1@60"]
    held_out = job.sides(seen["tanh"])[1]
    for seed, x in embeddings(seen["tanh/1@60"]).items():
        row = table[(table["network"] == "tanh/1") & (table["state"] == "trained") & (table["embedding"] == seed)]
        assert row["accuracy"].item() == pytest.approx(accuracy(x, held_out))
        assert row["dimensions"].item() == x.shape[1]
    assert (table[table["state"] != "reference"]["ceiling"] == 1).all()
    reference = table[table["state"] == "reference"]
    assert (reference["ceiling"] < 1).all()
    assert (reference["accuracy"] < reference["ceiling"] + 4 * 0.5 / np.sqrt(200)).all()
    assert (reference["accuracy"] > 0.37).all()  # four standard errors above luck would be 0.43: few triplets


def test_similarity_to_the_reference_is_that_of_the_matrices(real):
    made, seen, result = real
    some = {(one.name, one.state): one for one in learned(made.jobs(), seen)}
    row = result.table("reference").set_index(["network", "state"]).loc[("shallow/0", "trained")]
    expected = representational(some["shallow/0", "trained"].matrix, some["reference", "reference"].matrix).r
    assert row["pearson"] == pytest.approx(expected["pearson"])
    assert row["spearman"] == pytest.approx(expected["spearman"])
    assert row["pearson_low"] <= row["pearson"] <= row["pearson_high"]


def test_every_claim_is_measured(real):
    _, _, result = real
    assert [claim.expectation for claim in result.claims] == list(EXPECTATIONS)
    cases = {claim.expectation.name: set(claim.cases) for claim in result.claims}
    assert cases.pop("finds_what_decides") == {"reference"}
    assert cases.pop("reaches_ceiling") == {"shallow", "tanh", "reference"}
    assert all(names == {"shallow", "tanh"} for names in cases.values())
    assert "a chooser whose dimensions are known" in result.title + result.summary[0]
    assert len(result.table("recovered")) == 14


@pytest.mark.slow
def test_all_that_it_gives_can_be_written(real, tmp_path):
    _, _, result = real
    json.loads(result.to_json(), parse_constant=pytest.fail)
    page = write_report(replace(result, versions={}), tmp_path).read_text(encoding="utf-8")
    assert page.count("<svg") == len(result.figures) == 7
    assert page.count("data:image/png;base64") > 4  # pictures are in the page
    assert "<script" not in page


def test_less_than_was_asked(real):
    made, seen, _ = real
    nothing = "No network or no reference has dimensions: there is nothing to compare."
    assert made.analyse({}).summary == (nothing,)
    assert made.analyse({"reference": seen["reference"]}).summary == (nothing,)
    part = made.analyse({name: one for name, one in seen.items() if name != "tanh/1@60" and "shallow" not in name})
    assert set(part.table("reference")["network"]) == {"tanh/0", "tanh/1"}
    json.loads(part.to_json(), parse_constant=pytest.fail)
    undecided = {claim.expectation.name for claim in part.claims if claim.verdict == "undecided"}
    assert {"seeds_share", "training_shares"} <= undecided


def test_one_seed_is_a_part_of_both(real):
    made, seen, _ = real
    job = made.jobs()["reference"]
    store = MemoryStore()
    (alone,) = replace(job, seeds=(1,)).parts()
    alone.into(store)
    got = store.get(alone.asked())
    np.testing.assert_array_equal(got.representation("embedding")[0], seen["reference"].representation("embedding")[1])
    assert job.work == pytest.approx(2 * alone.work)
    cost = alone.estimate()
    assert cost.seconds > 0
    assert cost.bytes > 0


# People, and models of others


@pytest.fixture
def files(tmp_path):
    draw = np.random.default_rng(0)
    x = (draw.random((24, 3)) < 0.4) * draw.gamma(4, 0.7, (24, 3))
    names = [f"thing{number}" for number in range(24)]
    (tmp_path / "names.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    answers = Triplets.sampled(x, 1500, seed=3).choices
    lines = [",".join(names[place] for place in row) for row in [*answers, *answers[:200]]]
    (tmp_path / "people.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    np.save(tmp_path / "model.npy", x @ draw.normal(size=(3, 8)) + 0.1 * draw.normal(size=(24, 8)))
    np.save(tmp_path / "known.npy", x)
    (tmp_path / "pictures").mkdir()
    for name in names:
        Image.fromarray(draw.integers(0, 255, (20, 30, 3), dtype=np.uint8)).save(tmp_path / "pictures" / f"{name}.png")
    return {name: str(tmp_path / name) for name in ("names.txt", "people.csv", "model.npy", "known.npy", "pictures")}


def asked_of(files, **changes):
    plain = {"study": "odd-one-out", "permutations": 19, **LEARN, "triplets": 1500}
    plain |= {"representations": [files["model.npy"]], "objects": files["names.txt"]}
    return plain | {name: files[value] if value in list(files) else value for name, value in changes.items()}


def test_people_are_compared_with_a_model(files):
    made, seen, result = trained(asked_of(files, choices="people.csv", images="pictures"))
    assert list(seen) == ["model/0@end", "reference"]
    assert result.summary[0] == "The reference is the choices of people."
    table = result.table("embeddings").set_index("state")
    assert table.loc["reference", "ceiling"].max() <= 1  # of triplets that were asked twice
    assert "thing" in result.table("dimensions")["objects"][0]
    drawn = {figure.name for figure in result.figures}
    assert {"objects", "disagreements"} <= drawn
    assert {claim.expectation.name for claim in result.claims if claim.cases} >= {"best_pairs", "few_suffice"}
    assert all(not claim.cases for claim in result.claims if claim.expectation.name.startswith("training"))
    assert made.jobs()["reference"].asked()["embedding"]["choices"] == digest(files["people.csv"])


def test_known_dimensions_are_a_reference_too(files):
    _, seen, result = trained(asked_of(files, embedding="known.npy"))
    assert list(seen) == ["model/0@end"]
    assert result.summary[0] == "The reference is the dimensions of known."
    rows = result.table("dimensions")
    assert (rows["network"] == "reference").sum() == 3
    assert rows[rows["network"] == "reference"]["decides"].isna().all()
    json.loads(result.to_json(), parse_constant=pytest.fail)


# Definitions


def test_the_known_dimensions_are_what_they_are_called():
    images = np.zeros((4, 6, 6))
    images[0, 0, 2:5], images[1, 5, 2:5] = 1, 1  # high, low
    images[2, range(6), range(5, -1, -1)] = 1  # leans to the right
    images[3] = 0.9  # much ink
    found = known(images, [0, 1, 6, 6])
    assert {name: int(np.argmax(one)) for name, one in found.items() if name in ("height", "slant", "ink")} == {
        "height": 0, "slant": 2, "ink": 3}  # fmt: skip
    assert found["class 6"].tolist() == [0, 0, 1.8, 1.8]
    assert found["loop"].tolist() == [0.9, 0, 0.9, 0.9]
    assert min(one.min() for one in found.values()) == 0


def test_variance_between_classes_is_the_correlation_ratio():
    draw = np.random.default_rng(0)
    x, classes = draw.gamma(1, size=(30, 2)), np.repeat([4, 7, 9], 10)
    for column, share in zip(x.T, between_classes(x, classes), strict=True):
        means = np.array([column[classes == one].mean() for one in classes])
        assert share == pytest.approx(np.corrcoef(column, means)[0, 1] ** 2)
    assert weighed(x, classes) == pytest.approx(between_classes(x, classes) @ x.sum(axis=0) / x.sum())
    assert np.isnan(weighed(x, []))
    assert between_classes((classes == 4)[:, None] * 2.0, classes).tolist() == [pytest.approx(1)]


def test_names():
    assert parted("deep/3@200") == ("deep", 3, 200)
    assert parted("model/0@end") == ("model", 0, -1)
    assert parted("reference") == ("reference", 0, -1)
    assert listed(np.array([0.0, 2.0, 1.0]), "abc", 2) == "b, c"


def test_claims_follow_from_what_was_measured():
    shared = pd.DataFrame([
        ("x", "trained", "learned again", 0.9), ("x", "trained", "other seeds", 0.8),
        ("x", "trained", "other architectures", 0.7), ("x", "untrained", "other architectures", 0.4),
    ], columns=["architecture", "state", "kind", "r"])  # fmt: skip
    learned_ = pd.DataFrame([
        ("x", "untrained", 0.5, 1.0, 0.1), ("x", "trained", 0.9, 1.0, 0.6), ("reference", "reference", 0.6, 0.75, 0.8),
    ], columns=["architecture", "state", "accuracy", "ceiling", "classes"])  # fmt: skip
    alike = pd.DataFrame([("x", "untrained", 0.2, 3, 6), ("x", "trained", 0.5, 2, 8)],
                         columns=["architecture", "state", "pearson", "needed", "dimensions"])  # fmt: skip
    pairs = pd.DataFrame({"architecture": "x", "r": [0.9, 0.5, 0.3, 0.85]})
    found = measured(pd.DataFrame({"r": [0.9, 0.7]}), learned_, shared, alike, pairs)
    assert found.pop("reaches_ceiling") == {"x": 0.9, "reference": pytest.approx(0.8)}
    assert found.pop("finds_what_decides") == {"reference": 0.5}
    expected = {"comes_back": 0.9, "seeds_share": 0.8, "training_shares": 0.3, "training_aligns": 0.3,
                "few_suffice": 0.25, "best_pairs": 0.9, "not_all_pairs": 0.5, "classes_come": 0.5,
                "form_stays": -0.2}  # fmt: skip
    assert {name: cases["x"] for name, cases in found.items()} == {k: pytest.approx(v) for k, v in expected.items()}


def test_the_ceiling_of_choices_by_chance_is_that_of_their_probabilities():
    x = np.random.default_rng(0).gamma(1, size=(20, 3))
    rule = Rule(500, choice="sampled")
    seen = Trajectory.of(steps=[0], loss=None, outputs=None, representations={"h": x[None, None]}, inputs=None,
                         targets=None, items=[str(n) for n in range(20)], seeds=[4])  # fmt: skip
    one = Layer(None, 4, "h", 0, rule)
    asked = one.triplets(seen)
    same = Known(tuple(map(tuple, x.tolist())), tuple(map(str, range(20))), rule)
    assert one.ceiling(asked, seen) == pytest.approx(same.ceiling(asked))
    assert one.ceiling(asked, seen) < 1 == Layer(None, 4, "h", 0, Rule(500)).ceiling(asked, seen)
    np.testing.assert_array_equal(same.triplets().choices, Triplets.sampled(x, 500).choices)


def test_dimensions_that_were_not_kept_are_left_out_again():
    job = Embedding((0,), Known(((1.0,), (0.0,), (1.0,)), ("a", "b", "c"), Rule(1)), 3, {"dimensions": 5})
    x = np.zeros((1, 1, 3, 5))
    x[0, 0, :, :2] = [[1, 0], [0, 1], [1, 1]]
    seen = Trajectory.of(steps=[1], loss=None, outputs=None, representations={"embedding": x}, inputs=None,
                         targets=None, items="abc", seeds=[0])  # fmt: skip
    assert embeddings(seen)[0].tolist() == [[1, 0], [0, 1], [1, 1]]
    assert job.asked()["embedding"]["count"] == 1
    assert similarity(embeddings(seen)[0]).shape == (3, 3)


# What is asked


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"networks": [NETWORKS[0], NETWORKS[0]]}, "networks must have different names"),
        ({"representations": ["a@b.npy"], "choices": "people.csv"}, "none 'reference' or with '@'; got a@b"),
        ({"networks": [NETWORKS[0] | {"name": "reference"}]}, "none 'reference'"),
        ({"limit": 100}, "limit is of the task mnist only"),
        ({"embedding_seeds": "0"}, "two different seeds or more; got"),
        ({"choices": "a.csv", "embedding": "b.npy"}, "choices or an embedding, not both"),
        ({"representations": ["a.npy"]}, "name choices or an embedding"),
        ({"images": "pictures"}, "images are of the objects of representations"),
    ],
)
def test_what_cannot_be_asked(changes, says):
    with pytest.raises(SpecificationError, match=says):
        study(OWN | changes).jobs()


def test_files_that_cannot_be_used(files, tmp_path):
    np.save(tmp_path / "short.npy", np.ones((5, 3)))
    np.save(tmp_path / "nan.npy", np.full((24, 3), np.nan))
    np.save(tmp_path / "flat.npy", np.ones(24))
    (tmp_path / "text.npy").write_text("no array", encoding="utf-8")
    (tmp_path / "few.txt").write_text("a\nb\n", encoding="utf-8")
    (tmp_path / "unknown.csv").write_text("thing0,thing1,thing99\n", encoding="utf-8")
    (tmp_path / "twice.csv").write_text("thing0,thing1,thing0\n", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    at = {path.name: str(path) for path in tmp_path.iterdir()}
    for changes, error, says in (
        ({"embedding": "short.npy"}, SpecificationError, "has 5 objects, and there are 24"),
        ({"embedding": "nan.npy"}, DataError, "values that are not finite"),
        ({"embedding": "flat.npy"}, DataError, r"must hold an array \(object, number\)"),
        ({"embedding": "text.npy"}, DataError, "cannot be read as a .npy array"),
        ({"embedding": "none.npy"}, DataError, "cannot be read as a .npy array"),
        ({"choices": "none.csv"}, DataError, "cannot be read: No such file"),
        ({"choices": "people.csv", "objects": "few.txt"}, ShapeError, "names 2 objects, and there are 24"),
        ({"choices": "people.csv", "objects": "none.txt"}, DataError, "cannot be read as a list of names"),
        ({"choices": "people.csv", "images": "empty"}, ShapeError, "has 0 pictures"),
    ):
        with pytest.raises(error, match=says):
            study(asked_of(at, **changes)).jobs()
    for name in ("unknown.csv", "twice.csv"):
        chooser = People(at[name], digest(at[name]), 24, tuple(f"thing{number}" for number in range(24)))
        with pytest.raises(DataError, match="line 1"):
            chooser.triplets()
    (tmp_path / "pictures" / "thing3.png").write_text("no picture", encoding="utf-8")
    with pytest.raises(DataError, match=r"thing3.png cannot be read as an image"):
        study(asked_of(at, choices="people.csv", images="pictures")).jobs()
    np.save(tmp_path / "other.npy", np.ones((23, 3)))
    with pytest.raises(SpecificationError, match="must be of the same objects"):
        study(asked_of(at, choices="people.csv", representations=[at["model.npy"], str(tmp_path / "other.npy")])).jobs()
