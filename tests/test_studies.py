"""Studies: what they ask, what they compute, and what they refuse to see."""

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from syzygy.errors import SpecificationError
from syzygy.run import Run
from syzygy.store import MemoryStore, key
from syzygy.studies import STUDIES, MnistPair, Transfer, TwoPoints, study
from syzygy.studies.drawings.pairs import KINDS
from syzygy.studies.tables.pair_scores import SCORED
from syzygy.training import gathered, train_zoo
from syzygy.trajectory import Trajectory

LEARNED = {"study": "two-points", "networks": "two_layer", "seeds": "0..2", "learning_rate": 0.05, "record": "every 5"}
SMALL = {"study": "mnist-pair", "steps": 200, "record": "every 4", "seeds": "0,1"}


def trained(asked):
    """Train a study in memory; give it and its trajectories."""
    made, store = study(asked), MemoryStore()
    jobs = made.jobs()
    list(train_zoo([part for job in jobs.values() for part in job.parts()], store))
    return made, {name: gathered(job, store) for name, job in jobs.items()}


@pytest.fixture(scope="module")
def two_points():
    made, seen = trained(LEARNED | {"steps": 600})
    return made, seen, made.analyse(seen)


@pytest.fixture(scope="module")
def images():
    made, seen = trained(SMALL)
    return made, seen, made.analyse(seen)


def distances(trajectory, layer="hidden.0"):
    """‖dh‖² and ‖dy‖² of the two items, from the raw numbers."""
    hidden, outputs = (x.astype(np.float64) for x in (trajectory.representation(layer), trajectory.outputs))
    return [np.square(x[:, :, 1] - x[:, :, 0]).sum(-1) for x in (hidden, outputs)]


def drawn(result):
    """The numbers of the first drawing of trajectories."""
    return next(figure.frame for figure in result.figures if figure.name.startswith("trajectories-"))


def final(ratio, dx2, dy2, h2, y2):
    """The end of learning, from the paper's closed form written out once more."""
    kappa = ratio * dx2
    high, low = h2 - kappa * y2 / h2, np.sqrt(kappa * dy2)
    return high / 2 + np.sqrt(high**2 / 4 + low**2)


# Two points


def test_the_table_measures_what_was_recorded(two_points):
    _, seen, result = two_points
    h2, _ = distances(seen["two_layer"])
    rates = result.table("rates")
    assert rates["seed"].tolist() == [0, 1, 2]
    np.testing.assert_allclose(rates["first_h2"], h2[:, 0], rtol=1e-12)
    np.testing.assert_allclose(rates["last_h2"], h2[:, -1], rtol=1e-12)
    np.testing.assert_allclose(rates["last_loss"], seen["two_layer"].loss[:, -1])


def test_final_distances_are_the_closed_form(two_points):
    _, seen, result = two_points
    (h2, y2), rates = distances(seen["two_layer"]), result.table("rates")
    ratio = (rates["eta_h"] / rates["eta_y"]).to_numpy()
    np.testing.assert_allclose(rates["final_h2"], final(ratio, 1.0, 0.5, h2[:, 0], y2[:, 0]), rtol=1e-9)
    for index in range(3):
        others = np.exp(np.log(np.delete(ratio, index)).mean())
        expected = final(others, 1.0, 0.5, h2[index, 0], y2[index, 0])
        assert rates["final_h2_others"][index] == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(rates["last_h2"], rates["final_h2_others"], rtol=0.02)


def test_other_distances():
    """The distances of the data reach the theory, not only the task."""
    made, seen = trained(LEARNED | {"steps": 800, "dx2": 2.0, "dy2": 1.2, "input_dim": 3, "seeds": "0,1"})
    rates, (h2, y2) = made.analyse(seen).table("rates"), distances(seen["two_layer"])
    ratio = (rates["eta_h"] / rates["eta_y"]).to_numpy()
    np.testing.assert_allclose(rates["final_h2"], final(ratio, 2.0, 1.2, h2[:, 0], y2[:, 0]), rtol=1e-5)
    np.testing.assert_allclose(rates["last_h2"], rates["final_h2"], rtol=0.03)


def test_one_seed_has_no_others():
    made, seen = trained(LEARNED | {"steps": 100, "seeds": "4"})
    result = made.analyse(seen)
    assert result.table("rates")["final_h2_others"].isna().all()
    assert not any("other seeds" in sentence for sentence in result.summary)
    assert "SZ008" in [finding.code for finding in result.findings]


@pytest.mark.parametrize("output_dim", [1, 3])
def test_loss_of_the_theory_is_that_of_training(two_points, output_dim):
    """The training loss averages over outputs; the theory's is a sum."""
    if output_dim == 1:
        _, seen, result = two_points
    else:
        made, seen = trained(LEARNED | {"steps": 1500, "output_dim": output_dim})
        result = made.analyse(seen)
    frame = drawn(result)
    loss = frame[frame["quantity"] == "loss"]
    measured = seen["two_layer"].loss
    assert loss["measured"].iloc[0] == pytest.approx(measured[0, 0])
    start = np.square(seen["two_layer"].outputs[:, 0] - seen["two_layer"].targets).mean((1, 2)) / 2
    np.testing.assert_allclose(measured[:, 0], start, rtol=1e-5)
    for _, one in loss.groupby("seed"):
        np.testing.assert_allclose(one["predicted"].iloc[0], one["measured"].iloc[0], rtol=1e-5)
        np.testing.assert_allclose(one["predicted"], one["measured"], atol=0.04 * one["measured"].max())


def test_drawn_curves_are_those_recorded(two_points):
    _, seen, result = two_points
    frame, (h2, y2) = drawn(result), distances(seen["two_layer"])
    assert set(frame["quantity"]) == {"h2", "y2", "w", "loss"}
    for name, values in (("h2", h2), ("y2", y2)):
        one = frame[(frame["quantity"] == name) & (frame["seed"] == 1)]
        np.testing.assert_array_equal(one["step"], seen["two_layer"].steps)
        np.testing.assert_allclose(one["measured"], values[1], rtol=1e-12)


def test_settings_of_notebook_and_table():
    own = {"like": "two_layer", "name": "own", "steps": 150, "learning_rate": 0.1}
    base = {"study": "two-points", "networks": ["two_layer", own], "seeds": [0], "record": "every 10"}
    table, notebook = study(base | {"settings": "table"}).jobs(), study(base).jobs()
    for name in ("two_layer", "own"):
        assert notebook[name].network.steps == 2 * table[name].network.steps
        assert notebook[name].network.learning_rate == table[name].network.learning_rate / 2
    assert (table["own"].network.steps, table["own"].network.learning_rate) == (150, 0.1)
    for settings in ("table", "notebook"):
        (job, _) = study(base | {"settings": settings, "steps": 70, "learning_rate": 0.03}).jobs().values()
        assert (job.network.steps, job.network.learning_rate) == (70, 0.03)


def test_half_the_rate_for_twice_the_steps_is_the_same_flow():
    own = {"like": "two_layer", "name": "own", "steps": 150, "learning_rate": 0.1, "gain": 0.3}
    base = {"study": "two-points", "networks": own, "seeds": [0]}
    _, table = trained(base | {"settings": "table", "record": "every 5"})
    _, notebook = trained(base | {"settings": "notebook", "record": "every 10"})
    (first, _), (second, _) = distances(table["own"]), distances(notebook["own"])
    np.testing.assert_allclose(first, second, atol=0.03 * first.max())


def test_nothing_trained_yet():
    for asked in (LEARNED, SMALL):
        result = study(asked).analyse({})
        assert result.summary == ("Nothing has been trained yet.",)
        assert [finding.code for finding in result.findings] == ["SZ001"]
        json.loads(result.to_json())


def test_less_than_was_asked(two_points):
    _, seen, _ = two_points
    more = study(LEARNED | {"networks": ["two_layer", "narrow"], "steps": 600})
    result = more.analyse(seen)
    assert result.findings[0].code == "SZ001"
    assert result.findings[0].details == ("narrow: 3 of 3 networks are missing (seeds 0, 1, 2)",)
    assert "(of 2 asked)" in result.summary[0]
    fewer = study(LEARNED | {"seeds": "0..4", "steps": 600}).analyse(seen)
    assert fewer.findings[0].details == ("two_layer: 2 of 5 networks are missing (seeds 3, 4)",)


def test_words_are_no_part_of_what_is_trained():
    plain, renamed = study(LEARNED), study(
        LEARNED | {"networks": {"like": "two_layer", "name": "other", "about": "mine"}}
    )  # fmt: skip
    assert plain.jobs()["two_layer"].asked() == renamed.jobs()["other"].asked()


# Specifications

TRAINED = {
    "networks": ["narrow", ["two_layer", "narrow"], {"like": "two_layer", "name": "two_layer", "gain": 0.2}],
    "seeds": ["0..3", [2, 1, 0]],
    "precision": ["float64"],
    "dx2": [1.5],
    "dy2": [0, 0.25],
    "input_dim": [2],
    "output_dim": [2],
    "settings": ["table"],
    "steps": [10],
    "learning_rate": [0.1],
    "record": ["every 11", "log 10"],
    "stop_loss": [1e-3],
}
PERCEPTRONS = {
    "seeds": ["0..3"],
    "precision": ["float64"],
    "gain": [2.0],
    "depth": [4],
    "layer": [0],
    "steps": [10],
    "learning_rate": [0.1],
    "learned_loss": [0.1],
    "dx2": [1.5],
    "dy2": [0.25],
    "record": ["every 11", "log 10"],
    "stop_loss": [1e-3],
}
CHANGES = {
    "two-points": TRAINED,
    "universality": TRAINED,
    "rivals": TRAINED
    | {
        "networks": ["narrow"],
        "seeds": [[2, 1, 0]],
        "dy2": [0.25],
        "cut": [0.6],
        "learned": [1e-3],
        "replicates": [50],
    },
    "forecast": TRAINED | {"networks": ["narrow"], "seeds": [[2, 1, 0]], "measure": ["log 6"]},
    "convergence": {
        "task": ["mnist"],
        "networks": ["narrow"],
        "seeds": [[2, 1, 0]],
        "gains": [[], [0.5]],
        "steps": [10],
        "learning_rate": [0.1],
        "batch_size": [32],
        "per_class": [3],
        "probe_seed": [1],
        "limit": [1000],
        "measures": [["cka"], ["mutual_knn:neighbours=5", "cka"]],
        "permutations": [10],
        "record": ["log 20"],
        "precision": ["float64"],
    },
    "perfect-fitting": {
        "images": ["mnist"],
        "networks": ["narrow"],
        "seeds": [[2, 1, 0]],
        "label_noise": [0.1],
        "noises": [[], [0.5]],
        "noise_seed": [1],
        "learned": [100],
        "per_class": [3],
        "probe_seed": [1],
        "planes": [5],
        "side": [4],
        "plane_seed": [1],
        "steps": [10],
        "learning_rate": [0.1],
        "batch_size": [32],
        "measures": [["cka"], ["mutual_knn:neighbours=5", "cka"]],
        "penalty": [0.1],
        "draws": [10],
        "record": ["log 20"],
        "precision": ["float64"],
    },
    "latent-dynamics": {
        "data": ["mine"],
        "frames": [50_000],
        "trajectories": [50],
        "draw": [1],
        "seeds": [[2, 1, 0]],
        "epochs": [10],
        "batch": [128],
        "beta": [5.0],
        "clusters": [16],
        "diffusion": ["fixed"],
        "others": [["plain"], []],
        "angle": [0.0],
        "lag": [1],
        "shown": [2000],
        "precision": [],
    },
    "feature-bias": {
        "arms": [[{"name": "one", "hard": 2}]],
        "base": ["xor2"],
        "slow": ["xor4"],
        "network": [{"like": "tanh", "name": "other"}],
        "seeds": [[2, 1, 0]],
        "inputs": [20],
        "learned": [100],
        "probe": [50],
        "task_seed": [1],
        "batch_size": [32],
        "readout": ["new"],
        "records": [5],
        "folds": [3],
        "precision": ["float64"],
    },
    "language": {
        "networks": ["narrow"],
        "seeds": [[2, 1, 0]],
        "learned": [900],
        "pairs": [5],
        "task_seed": [1],
        "watched": [90],
        "widths": [[16, 32]],
        "weight_decays": [[0.0]],
        "depth": [1],
        "heads": [2],
        "updates": [10],
        "batch_size": [16],
        "learning_rate": [0.01],
        "record": ["log 5"],
        "steps": [10],
        "images_per_update": [32],
        "per_class": [20],
        "probe_seed": [1],
        "image_record": ["log 5"],
        "bins": [10],
        "points": [50],
        "permutations": [19],
        "precision": ["float64"],
    },
    "universal-dimensions": {
        "task": ["mnist"],
        "networks": ["narrow"],
        "seeds": [[2, 1, 0]],
        "steps": [10],
        "learning_rate": [0.1],
        "batch_size": [32],
        "per_class": [20],
        "probe_seed": [1],
        "limit": [1000],
        "judged": [0.4],
        "folds": [3],
        "permutations": [99],
        "counts": [[2]],
        "record": ["log 20"],
        "precision": ["float64"],
    },
    "odd-one-out": {
        "task": ["mnist"],
        "networks": ["narrow"],
        "seeds": [[2, 1, 0]],
        "steps": [10],
        "learning_rate": [0.1],
        "batch_size": [32],
        "per_class": [20],
        "probe_seed": [1],
        "limit": [1000],
        "record": ["log 20"],
        "triplets": [500],
        "similarity": ["cosine", "euclidean"],
        "choice": ["sampled"],
        "embedding_seeds": ["0..2"],
        "dimensions": [10],
        "epochs": [10],
        "stable": [10],
        "rate": [0.1],
        "embedding_batch": [64],
        "beta": [0.5],
        "spike": [0.1],
        "slab": [2.0],
        "spike_share": [0.6],
        "permutations": [99],
        "representations": [["model.npy"]],
        "choices": ["people.csv"],
        "embedding": ["known.npy"],
        "objects": ["names.txt"],
        "images": ["pictures"],
        "precision": ["float64"],
    },
    "alternatives": TRAINED
    | {"networks": ["narrow"], "dy2": [0.25], "cuts": [[0.6], [0.3, 0.5, 0.7]], "learned": [1e-3]},
    "depth": TRAINED | {"networks": ["narrow"], "seeds": [[2, 1, 0]], "settings": ["notebook"]},
    "expressivity": PERCEPTRONS | {"widths": [[2, 3]]},
    "initialisation": {k: v for k, v in PERCEPTRONS.items() if k != "gain"} | {"gains": [[0.6, 1.1]], "width": [20]},
    "product-law": TRAINED
    | {
        "networks": ["narrow"],
        "seeds": [[2, 1, 0]],
        "most_loss": [1e-3],
        "grid_dx": [[0.6, 1.0]],
        "grid_dy": [[0.0, 1.0]],
        "grid_networks": [1],
        "grid_seed": [2000],
        "grid_rate": [0.2],
        "grid_base": ["halved"],
        "grid_steps": [10],
        "stop": ["notebook"],
        "grid_stop_loss": [1e-3],
        "grid_most_loss": [1e-2],
        "grid_record": ["log 20"],
    },
    "xor": {
        "regimes": [["lazy"]],
        "seeds": ["0..5"],
        "rate_seeds": [[9]],
        "activation": ["table"],
        "loss": ["table"],
        "width": [20],
        "depth": [6],
        "steps": [10],
        "record": ["log 20"],
        "stop_loss": [1e-3],
        "precision": ["float64"],
    },
    "context": {
        "starts": [["low"]],
        "activations": [["notebook", "table"]],
        "seeds": ["0..5"],
        "grid": [9],
        "every": [2],
        "width": [20],
        "depth": [3],
        "batch_size": [32],
        "epochs": [0.1],
        "record": ["log 20"],
        "stop_loss": [1e-2],
        "precision": ["float64"],
    },
    "mnist-pair": {
        "task": ["mnist"],
        "network": [MnistPair().network.model_copy(update={"width": 20}).model_dump()],
        "seeds": [[0], "0..5"],
        "precision": ["float64"],
        "batch_size": [32],
        "steps": [10],
        "learning_rate": [0.2],
        "per_class": [3],
        "probe_seed": [1, -1],
        "limit": [1000],
        "record": ["log 20"],
        "scaling": ["none"],
    },
    "mnist-structure": {
        "task": ["mnist"],
        "network": [MnistPair().network.model_dump()],
        "settings": ["published", "sgd", "network"],
        "seeds": [[0], "0..5"],
        "precision": ["float64"],
        "batch_size": [32],
        "steps": [10],
        "learning_rate": [0.2],
        "probe": ["drawn"],
        "items": [50],
        "probe_seed": [1],
        "limit": [1000],
        "sums_over": [500],
        "fitted": [20],
        "permutations": [99],
        "record": ["log 20"],
    },
    "transfer": {
        "task": ["cifar10"],
        "pretraining": ["mnist"],
        "network": [Transfer().network.model_copy(update={"width": 20}).model_dump()],
        "layers": [["hidden.1"]],
        "feature_maps": ["mean"],
        "starts": [["random"]],
        "pretrained_networks": ["one"],
        "readout": ["kept"],
        "seeds": [[0], "0..5"],
        "precision": ["float64"],
        "batch_size": [32],
        "steps": [10],
        "learning_rate": [0.2],
        "pretraining_steps": [10],
        "pretraining_learning_rate": [0.2],
        "per_class": [3],
        "probe_seed": [1],
        "limit": [1000],
        "size": [64],
        "mean": [[0.5, 0.5, 0.5]],
        "deviation": [[0.5, 0.5, 0.5]],
        "folder": ["mine"],
        "record": ["log 20"],
        "scaling": ["none"],
    },
}
EVERY_CHANGE = [(kind, name, value) for kind, names in CHANGES.items() for name, values in names.items()
                for value in values]  # fmt: skip


@pytest.mark.parametrize("kind", STUDIES)
def test_every_key_is_tried(kind):
    assert {"study", "note", *CHANGES[kind]} == set(STUDIES[kind].model_fields)


@pytest.mark.parametrize(("kind", "name", "value"), EVERY_CHANGE)
def test_every_key_makes_another_run(kind, name, value):
    plain = study(
        {"study": kind, "seeds": "0..2", "networks": "two_layer"} if CHANGES[kind] is TRAINED else {"study": kind}
    )
    changed = study(plain.specification() | {name: value})
    assert changed != plain
    assert key(changed.specification()) != key(plain.specification())
    again = study(json.loads(json.dumps(changed.specification())))
    assert again == changed
    assert again.specification() == changed.specification()


def test_the_same_said_otherwise_is_the_same():
    said = [
        {"study": "two-points", "seeds": "0..3"},
        {"study": "two-points", "seeds": [0, 1, 2, 3], "networks": "default", "dx2": 1, "record": " every  10 "},
        {"networks": [{"like": "default", "name": "default"}], "seeds": "0,1..3", "study": "two-points", "dy2": "0.5"},
    ]
    assert len({key(study(one).specification()) for one in said}) == 1
    assert study({"study": "two-points", "seeds": 3}).seeds == (3,)


def test_studies_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        study(LEARNED).dx2 = 3.0


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"study": "two-points", "networks": [3]}, "networks"),
        ({"study": "two-points", "networks": [None]}, "networks"),
        ({"study": "two-points", "seeds": [0, 0]}, "must differ"),
        ({"study": "two-points", "dx2": float("nan")}, "finite"),
        ({"study": "two-points", "dx2": 0, "dy2": -1}, "dx2 = 0.*dy2 = -1"),
        ({"study": "mnist-pair", "network": {"name": "x"}}, "network.width"),
        ({"study": "mnist-pair", "network": 3}, "network"),
        ({"study": "nothing"}, "unknown study 'nothing'.*two-points, "),
        ({}, "names its study"),
    ],
)
def test_refused(asked, says):
    with pytest.raises(SpecificationError, match=says):
        study(asked)


def test_names_must_differ():
    with pytest.raises(SpecificationError, match="different names"):
        TwoPoints.of({"networks": ["two_layer", {"like": "two_layer", "gain": 0.2}]}).jobs()


# Pairs of images


def test_every_pair_in_every_network(images):
    _, _, result = images
    pairs = result.table("pairs")
    assert len(pairs) == 190 * 2
    assert pairs["seed"].value_counts().to_dict() == {0: 190, 1: 190}
    assert set(pairs["network"]) == {"images"}
    assert pairs["kind"].value_counts().to_dict() == {KINDS[0]: 180 * 2, KINDS[1]: 10 * 2}
    classes = [pair.split(" – ") for pair in pairs["pair"]]
    same = np.array([first.split(" #")[0] == second.split(" #")[0] for first, second in classes])
    np.testing.assert_array_equal(same, pairs["kind"] == KINDS[1])
    np.testing.assert_allclose(pairs["dy2"], np.where(same, 0.0, 2.0))


def test_pairs_are_those_recorded(images):
    _, seen, result = images
    (trajectory,), pairs = seen.values(), result.table("pairs")
    hidden, items = trajectory.representation("hidden.2").astype(np.float64), list(trajectory.items)
    for row in pairs.sample(20, random_state=0).itertuples():
        first, second = (items.index(name) for name in row.pair.split(" – "))
        h2 = np.square(hidden[row.seed, :, second] - hidden[row.seed, :, first]).sum(-1)
        assert row.first_h2 == pytest.approx(h2[0], rel=1e-9)
        assert row.last_h2 == pytest.approx(h2[-1], rel=1e-9)
        dx2 = np.square(trajectory.inputs[second].astype(np.float64) - trajectory.inputs[first]).sum()
        assert row.dx2 == pytest.approx(dx2)


def test_shares_count_the_pairs(images):
    _, _, result = images
    shares, pairs = result.table("shares"), result.table("pairs")
    assert len(shares) == len(KINDS) * len(SCORED)
    assert set(shares["pairs"]) == set(KINDS)
    for kind in KINDS:
        some = pairs[pairs["kind"] == kind]
        for column, model, steps in (
            ("r2_h2", "theory, ‖dh‖²", "all steps"),
            ("theory_h2", "theory, ‖dh‖²", "second half"),
            ("logistic_h2", "logistic, ‖dh‖²", "second half"),
        ):
            row = shares[(shares["pairs"] == kind) & (shares["model"] == model) & (shares["scored on"] == steps)].iloc[
                0
            ]
            values = some[column].dropna()
            assert row["number"] == len(values)
            assert row["quantile_50"] == pytest.approx(np.median(values))
            assert row["share_above_0.9"] == pytest.approx(np.mean(values > 0.9))


def late_noise(trajectory, first):
    """The same trajectory, its second half replaced by something else."""
    draw, late = np.random.default_rng(5), slice(first, None)
    tree = trajectory.tree.copy(deep=True)
    for dataset, name in ((tree, "outputs"), (tree["layers/hidden.2"], "representation")):
        values = np.array(dataset[name].values)
        values[:, late] *= draw.uniform(0.5, 2, (values.shape[0], values.shape[1] - first, 1, 1))
        dataset[name] = xr.DataArray(values.astype(np.float32), dims=dataset[name].dims)
    return Trajectory(tree)


@pytest.mark.slow
def test_the_second_half_is_not_seen_by_what_is_scored_on_it(images):
    made, seen, result = images
    (name,) = seen
    first = round(0.5 * len(seen[name].steps))
    changed = made.analyse({name: late_noise(seen[name], first)})
    before, after = result.table("pairs"), changed.table("pairs")
    np.testing.assert_array_equal(before["final_h2_half"], after["final_h2_half"])  # rates and start of the first half
    for column in ("theory_h2", "theory_y2", "theory_w", "logistic_h2", "r2_h2", "eta_h"):
        assert (before[column] != after[column]).mean() > 0.9
    sooner = made.analyse({name: late_noise(seen[name], first - 3)}).table("pairs")
    assert (before["final_h2_half"] != sooner["final_h2_half"]).mean() > 0.9  # the test can see a leak


def test_held_out_scores_are_those_of_the_second_half(images):
    """The logistic, evaluated by hand from its two constants."""
    from syzygy.fitting import pair_curves
    from syzygy.fitting.baseline import fit_logistic

    _, seen, result = images
    (trajectory,), pairs = seen.values(), result.table("pairs")
    curves = pair_curves(trajectory)
    half = round(0.5 * len(curves.steps))
    early = fit_logistic(curves.steps[:half], curves.h2[..., :half])
    time = curves.steps[half:]
    height, rate, start = (value[..., None] for value in (early.height, early.rate, curves.h2[..., 0]))
    predicted = height / (1 + (height / start - 1) * np.exp(-rate * time))
    late = curves.h2[..., half:]
    left = np.square(late - predicted).sum(-1) / np.square(late - late.mean(-1, keepdims=True)).sum(-1)
    np.testing.assert_allclose(pairs["logistic_h2"], (1 - left).ravel(), rtol=1e-6, atol=1e-6)
    error = np.sqrt(np.square(late - predicted).mean(-1)) / curves.h2.max(-1)
    np.testing.assert_allclose(pairs["logistic_error"], error.ravel(), rtol=1e-6, atol=1e-9)


def test_no_better_than_a_curve_is_said(images):
    _, _, result = images
    (finding,) = [one for one in result.findings if one.code == "SZ010"]
    shares = result.table("shares")
    for kind in KINDS:
        late = shares[(shares["pairs"] == kind) & (shares["scored on"] == "second half")].set_index("model")
        worse = late.loc["theory, ‖dh‖²", "quantile_50"] <= late.loc["logistic, ‖dh‖²", "quantile_50"]
        assert any(line.startswith(kind) for line in finding.details) == worse


def test_better_than_a_curve_is_not_blamed(images):
    from syzygy.studies.tables.pair_scores import no_better

    _, _, result = images
    shares = result.table("shares").copy()
    shares.loc[shares["model"].str.startswith("theory"), "quantile_50"] = 0.99
    shares.loc[shares["model"].str.startswith("logistic"), "quantile_50"] = 0.5
    assert no_better(shares) == ()


def test_one_image_per_class_has_no_pairs_of_one_class():
    made, seen = trained(SMALL | {"per_class": 1, "seeds": "0", "steps": 60})
    result = made.analyse(seen)
    assert set(result.table("pairs")["kind"]) == {KINDS[0]}
    assert "nan" not in " ".join(result.summary)
    json.loads(result.to_json(), parse_constant=pytest.fail)


def test_options_reach_the_job():
    job = study({"study": "mnist-pair", "task": "mnist", "limit": 500, "per_class": 3, "probe_seed": 9}).jobs()[
        "images"
    ]
    assert job.options == {"per_class": 3, "probe_seed": 9, "limit": 500}
    job = study(SMALL | {"learning_rate": 0.3, "batch_size": 7}).jobs()["images"]
    assert (job.network.steps, job.network.learning_rate, job.batch_size) == (200, 0.3, 7)


def test_a_page_of_images(images, tmp_path):
    """All that a study gives can be written."""
    from syzygy.report import write_report

    _, _, result = images
    page = write_report(replace(result, versions={}), tmp_path)
    assert page.read_text(encoding="utf-8").count("<svg") == len(result.figures)
    assert Run.under(tmp_path / "runs", study(SMALL)).missing
