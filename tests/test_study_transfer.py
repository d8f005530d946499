"""Transfer: pretrained networks that follow the theory and stay, networks that do not, and a real one of each kind."""

import tomllib
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from syzygy.claims import VERDICTS
from syzygy.errors import SpecificationError
from syzygy.networks import setting
from syzygy.run import Run, run
from syzygy.studies import Transfer, study
from syzygy.studies.claims.transfer import LAZY, measured
from syzygy.studies.drawings.pairs import KINDS
from syzygy.studies.tables.transfer import by_layer
from syzygy.studies.transfer import NETWORK
from syzygy.theory import PairState, PairTheory, solve
from syzygy.training import train_zoo
from syzygy.trajectory import Trajectory
from test_networks_timm import NAME, ROW, put_weights
from test_tasks_images import put_images

STEPS = np.arange(0, 4001, 80)
ITEMS, SIDE = 5, 2.0
ETA_H, ETA_Y = 1.5e-3, 6e-5
#: A layer whose distances are so many times as large learns the same outputs at other rates.
LAYERS = {"hidden.0": 1.0, "hidden.2": 0.5}
LAZY_START, RICH_START = 40.0, 1.0
ASKED = {"study": "transfer", "layers": list(LAYERS), "seeds": "0..2", "per_class": 1}
NAMES = [expected.name for expected in Transfer.expectations]


def starts(start, networks=3):
    return start * np.linspace(0.8, 1.2, networks)


def simplex(start, *, noise=0.0, networks=3):
    """One item per class, all at one distance from each other, in networks that follow the theory at each layer."""
    eye, draw, first = np.eye(ITEMS), np.random.default_rng(1), starts(start, networks)
    state = solve(PairTheory(ETA_H, ETA_Y, 2 * SIDE**2, 2.0), PairState(first, 0 * first, 0 * first), STEPS).state
    hidden = np.sqrt(state.h2 / 2)[..., None, None] * eye
    outputs = ((state.y2 - state.w) / 2)[..., None, None] * eye
    return Trajectory.of(
        steps=STEPS,
        loss=0.5 * np.square(outputs - eye).mean((2, 3)),
        outputs=outputs,
        representations={
            layer: np.sqrt(scale) * hidden * (1 + noise * draw.normal(size=hidden.shape))
            for layer, scale in LAYERS.items()
        },
        inputs=SIDE * eye,
        targets=eye,
        items=[f"{i} #{i}" for i in range(ITEMS)],
        seeds=range(networks),
        about={"start": "0123456789abcdef" if start == LAZY_START else None},
    )


def known(start, layer):
    """What the theory gives, written out: first and final distance, and A_high/A_low, of each network."""
    scale, h2 = LAYERS[layer], starts(start)
    low = np.sqrt(ETA_H / ETA_Y * 2 * SIDE**2 * 2)
    return scale * h2, scale * (h2 / 2 + np.sqrt(h2**2 / 4 + low**2)), h2 / low


@pytest.fixture(scope="module")
def lazy():
    return study(ASKED).analyse({"pretrained": simplex(LAZY_START), "random": simplex(RICH_START)})


# Networks that follow the theory


def test_of_networks_that_follow_the_theory_everything_is_known(lazy):
    layers = lazy.table("layers").set_index(["start", "layer"])
    assert list(layers.index) == [(start, layer) for start in ("pretrained", "random") for layer in LAYERS]
    for (start, layer), row in layers.iterrows():
        first, final, richness = known(LAZY_START if start == "pretrained" else RICH_START, layer)
        assert row["pairs"] == 3 * 10
        assert row["first_h2"] == pytest.approx(np.median(first))
        assert row["richness"] == pytest.approx(np.median(richness), rel=1e-4)
        assert row["encoder_lazy"] == np.mean(richness > 1) == (start == "pretrained")
        assert row["rich"] == np.mean(richness <= 1)
        pairs = lazy.table("pairs").set_index(["start", "layer"]).loc[start, layer]
        for column in ("final_h2", "final_h2_half", "final_h2_others"):
            np.testing.assert_allclose(pairs[column], np.repeat(final, 10), rtol=1e-4)
        last = pairs["last_h2"].to_numpy()
        assert row["final_error"] == pytest.approx(np.median(np.abs(np.repeat(final, 10) / last - 1)), abs=1e-4)
        assert row["start_error"] == pytest.approx(np.median(np.abs(np.repeat(first, 10) / last - 1)))
        assert row["moved"] == pytest.approx(np.median(np.abs(np.log(last / np.repeat(first, 10)))))
        assert [row[name] for name in ("in_sample", "second_half", "other_pairs", "beats_logistic")] == [1.0] * 4


def test_the_claims_are_the_table(lazy):
    layers = lazy.table("layers").set_index(["start", "layer"])
    own, control = layers.loc["pretrained"], layers.loc["random"]
    expected = {
        "second_half": own["second_half"],
        "second_half_beats_logistic": own["beats_logistic"],
        "final_distance": own["final_error"],
        "final_beats_start": own["final_error"] / own["start_error"],
        "encoder_lazy": own["encoder_lazy"],
        "lazier": own["encoder_lazy"] - control["encoder_lazy"],
        "stays": own["moved"],
        "stays_more": own["moved"] / control["moved"],
    }
    assert list(expected) == NAMES
    for name, values in expected.items():
        assert lazy.claim(name).cases == pytest.approx(values.to_dict())
        assert lazy.claim(name).seeds == (0, 1, 2)


def test_lazy_networks_that_follow_the_theory_meet_every_claim(lazy):
    assert {name: lazy.claim(name).verdict for name in NAMES} == dict.fromkeys(NAMES, "holds")
    assert lazy.claim("lazier").cases == dict.fromkeys(LAYERS, 1.0)


def test_pretrained_networks_that_are_rich_are_not_called_lazy():
    result = study(ASKED).analyse({"pretrained": simplex(RICH_START), "random": simplex(RICH_START)})
    assert {
        name: result.claim(name).verdict for name in ("encoder_lazy", "lazier", "stays", "stays_more")
    } == dict.fromkeys(("encoder_lazy", "lazier", "stays", "stays_more"), "not reproduced")
    assert result.claim("stays_more").cases == pytest.approx(dict.fromkeys(LAYERS, 1.0))
    assert result.claim("second_half").verdict == "holds"


def test_noise_is_not_explained():
    result = study(ASKED | {"starts": ["pretrained"]}).analyse({"pretrained": simplex(LAZY_START, noise=0.5)})
    assert result.claim("second_half").verdict == "not reproduced"
    assert result.claim("final_distance").verdict == "not reproduced"


def test_a_prediction_with_rates_of_other_pairs_has_not_seen_the_pair():
    """One image moves otherwise once training has begun: the predictions for its own pairs stay, all others change."""
    whole = simplex(LAZY_START)
    tree = whole.tree.copy(deep=True)
    for layer in LAYERS:
        tree[f"layers/{layer}/representation"].values[:, 1:, 0] *= np.linspace(1, 2, len(STEPS) - 1)[:, None]
    made = study(ASKED | {"starts": ["pretrained"]})
    before, after = (made.analyse({"pretrained": seen}).table("pairs") for seen in (whole, Trajectory(tree)))
    own = before["pair"].str.contains("0 #0")
    for column in ("final_h2_others", "richness_others"):
        np.testing.assert_array_equal(before[column][own], after[column][own])
        assert (before[column][~own] != after[column][~own]).all()
    assert (before["final_h2"][own] != after["final_h2"][own]).all()
    assert (before["regime_others"] == "encoder-lazy").all()


def test_the_bound_on_staying_is_the_most_that_an_encoder_lazy_pair_can_change():
    (bound,) = (one.high for one in Transfer.expectations if one.name == "stays")
    theory = PairTheory(1.0, 1.0, 1.0, np.linspace(1e-6, 1, 101) ** 2)  # A_low up to A_high = h2 = 1
    start = PairState(np.ones(101), np.zeros(101), np.zeros(101))
    change = np.log(theory.final_h2(start))
    assert change.max() == pytest.approx(np.log(LAZY)) == pytest.approx(bound, abs=5e-4)
    assert (theory.regime(start)[:-1] == "encoder-lazy").all()


# Less than was asked, and networks that were lost


def test_without_a_control_what_is_compared_with_it_stays_undecided():
    result = study(ASKED).analyse({"pretrained": simplex(LAZY_START)})
    assert {result.claim(name).verdict for name in ("lazier", "stays_more")} == {"undecided"}
    assert result.claim("stays").verdict == "holds"
    assert result.findings[0].code == "SZ001"
    alone = study(ASKED | {"starts": ["random"]}).analyse({"random": simplex(RICH_START)})
    assert {claim.verdict for claim in alone.claims} == {"undecided"}
    assert "SZ001" not in [finding.code for finding in alone.findings]


def test_before_anything_is_fine_tuned_there_is_nothing_to_say():
    pretraining = simplex(RICH_START)
    for seen in ({}, {"pretraining": pretraining}):
        result = study(ASKED).analyse(seen)
        assert result.summary == ("No network has been fine-tuned yet.",)
        assert {claim.verdict for claim in result.claims} == {"undecided"}


@pytest.mark.filterwarnings("error")
def test_a_network_that_diverged_counts_as_failed():
    whole = simplex(LAZY_START)
    tree = whole.tree.copy(deep=True)
    for path in ("loss", "outputs", *(f"layers/{layer}/representation" for layer in LAYERS)):
        values = tree[path].values
        values[1, 3:] = np.nan
    tree.attrs["fates"] = '["trained", "diverged", "trained"]'
    result = study(ASKED).analyse({"pretrained": Trajectory(tree), "random": simplex(RICH_START)})
    for name in ("second_half", "encoder_lazy"):
        assert result.claim(name).cases == pytest.approx(dict.fromkeys(LAYERS, 2 / 3))
    assert "SZ002" in [finding.code for finding in result.findings]
    tree.attrs["fates"] = '["diverged", "diverged", "trained"]'
    most = study(ASKED).analyse({"pretrained": Trajectory(tree), "random": simplex(RICH_START)})
    for name in ("final_distance", "stays"):  # the median of the pairs is of a network that was lost
        assert all(np.isnan(value) for value in most.claim(name).cases.values())
        assert most.claim(name).verdict == "not reproduced"
    assert "nan" not in " ".join(most.summary).replace("nan%", "")


def test_pairs_of_one_class_are_left_out():
    """A table made by hand, whose medians and shares can be counted."""
    rows = {"kind": [*KINDS, KINDS[0], KINDS[0]], "fate": "trained", "start": "pretrained", "layer": "a"}
    columns = {
        "r2_h2": [0.95, 0, 0.85, 0.95], "theory_h2": [0.91, 1, 0.91, np.nan], "other_pairs_h2": [0, 1, 0, 0.99],
        "logistic_h2": [0.95, 0, 0.2, 0.3], "theory_error": [0.1, 0, 0.2, np.nan], "logistic_error": [0.2, 0, 0.1, 0.3],
        "first_h2": [1.0, 9, 2, 4], "last_h2": [2.0, 9, 2, 2], "final_h2_others": [3.0, 9, np.nan, 2],
        "richness_others": [0.5, 9, 3, -4], "regime_others": ["rich", "rich", "encoder-lazy", ""],
    }  # fmt: skip
    (row,) = by_layer(pd.DataFrame(rows | columns)).frame.to_dict("records")
    expected = {"pairs": 3, "in_sample": 2 / 3, "second_half": 2 / 3, "other_pairs": 1 / 3, "logistic": 1 / 3,
                "beats_logistic": 1 / 3, "first_h2": 2.0, "last_h2": 2.0, "moved": np.log(2), "final_error": 0.5,
                "start_error": 0.5, "rich": 1 / 3, "encoder_lazy": 1 / 3, "decoder_lazy": 0.0,
                "richness": 0.5}  # fmt: skip
    assert {name: row[name] for name in expected} == pytest.approx(expected)
    assert measured(pd.DataFrame([row]))["final_beats_start"] == {"a": 1.0}


# What is trained


def test_three_trainings_of_which_one_comes_first():
    jobs = study({"study": "transfer", "pretraining": "mnist", "steps": 70, "pretraining_steps": 40,
                  "pretraining_learning_rate": 0.7, "learning_rate": 0.2, "seeds": "0..2"}).jobs()  # fmt: skip
    assert list(jobs) == ["pretraining", "pretrained", "random"]
    before, own, control = jobs.values()
    assert own.start == before
    assert (before.task, before.options["size"], before.keep) == ("mnist", 8, True)
    assert (before.network.steps, before.network.learning_rate) == (40, 0.7)
    assert {(job.network.steps, job.network.learning_rate) for job in (own, control)} == {(70, 0.2)}
    assert own.asked() == control.asked() | {"start": before.asked(), "readout": "new"}
    assert before.seeds == own.seeds == (0, 1, 2)
    assert study({"study": "transfer", "pretrained_networks": "one", "seeds": "3..5"}).jobs()["pretraining"].seeds == (
        3,
    )


def test_digits_are_halved_and_maps_are_averaged():
    jobs = study({"study": "transfer", "feature_maps": "mean", "readout": "kept", "starts": ["pretrained"]}).jobs()
    assert list(jobs) == ["pretraining", "pretrained"]
    assert jobs["pretraining"].options["classes"] == [0, 1, 2, 3, 4]
    assert jobs["pretrained"].options["classes"] == [5, 6, 7, 8, 9]
    assert jobs["pretrained"].layers == tuple(f"mean({layer})" for layer in Transfer().layers)
    assert jobs["pretrained"].readout == "kept"
    assert list(study({"study": "transfer", "starts": ["random"]}).jobs()) == ["random"]


def test_photographs_start_from_published_weights():
    asked = {
        "study": "transfer",
        "task": "image-folder",
        "pretraining": "published",
        "network": ROW,
        "folder": "mine",
        "size": 40,
        "limit": 9,
        "mean": [0.5, 0.5, 0.5],
        "deviation": [0.2, 0.2, 0.2],
        "layers": ["body.layer1"],
    }
    jobs = study(asked).jobs()
    assert list(jobs) == ["pretrained", "random"]
    assert (jobs["pretrained"].start, jobs["random"].start) == ("published", None)
    assert jobs["random"].options == {"per_class": 2, "probe_seed": 0, "folder": "mine", "size": 40, "limit": 9,
                                      "mean": [0.5, 0.5, 0.5], "deviation": [0.2, 0.2, 0.2]}  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (
            {"task": "cifar10"},
            "published weights are for cifar10 and image-folder.*got task = cifar10, pretraining = dig",
        ),
        ({"pretraining": "published"}, "got task = digits, pretraining = published"),
        ({"limit": 10}, "limit has no meaning for digits after digits; leave it out"),
        ({"size": 10}, "size has no meaning"),
        ({"folder": "x"}, "folder has no meaning"),
        ({"mean": [0, 0, 0]}, "mean has no meaning"),
        ({"task": "cifar10", "pretraining": "published", "pretraining_steps": 5}, "pretraining_steps has no meaning"),
        ({"task": "cifar10", "pretraining": "published", "folder": "x"}, "folder has no meaning for cifar10"),
        ({"task": "cifar10", "pretraining": "published"}, r"published weights are of timm networks \(type = 'timm:"),
        ({"mean": [0, 0]}, "mean"),
        ({"starts": []}, "starts"),
        ({"layers": []}, "layers"),
    ],
)
def test_what_cannot_be_is_refused(wrong, says):
    with pytest.raises(SpecificationError, match=says):
        study({"study": "transfer"} | wrong).jobs()


@pytest.mark.parametrize("name", ["quick/transfer", "quick/transfer-digits", "full/transfer"])
def test_specifications_name_what_they_train(name):
    text = files("syzygy").joinpath(f"specifications/{name}.toml").read_text(encoding="utf-8")
    made = study(tomllib.loads(text))
    jobs = made.jobs()
    assert {"pretrained", "random"} <= set(jobs)
    assert len(made.seeds) >= 3
    if name == "full/transfer":
        assert jobs["pretrained"].start == "published"
        assert jobs["pretrained"].network.type == f"timm:{NAME}"
        assert jobs["pretrained"].layers == tuple(f"mean(body.layer{number})" for number in range(1, 5))
    else:
        assert jobs["pretraining"].network.steps == NETWORK.steps


# Really run


SMALL = {"study": "transfer", "steps": 60, "pretraining_steps": 60, "record": "every 6", "seeds": "0,1", "per_class": 1,
         "network": setting({**NETWORK.model_dump(), "width": 20}).model_dump(), "layers": ["hidden.3"]}  # fmt: skip


def test_a_small_run_is_whole_and_found_again(tmp_path):
    result = run(study(SMALL), tmp_path)
    networks = result.table("networks").set_index(["network", "seed"])
    assert set(networks.index.get_level_values(0)) == {"pretraining", "pretrained", "random"}
    assert (networks.loc["random", "started_from"] == "random weights").all()
    assert networks.loc["pretrained", "started_from"].nunique() == 1
    assert all(claim.verdict in VERDICTS[:3] for claim in result.claims)
    assert len(result.table("pairs")) == 2 * 2 * 10
    folder = Run.under(tmp_path, study(SMALL)).folder
    assert len(list((folder / "trajectories").glob("*.safetensors"))) == 1
    assert not Run.at(folder).missing
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == len(result.figures) == 4


def test_the_representation_before_fine_tuning_is_the_pretrained_one(tmp_path):
    made = study(SMALL | {"readout": "kept"})
    from syzygy.store import FolderStore

    store = FolderStore(tmp_path)
    seen = {name: trajectory for (name, job) in made.jobs().items() for _, trajectory in train_zoo([job], store)}
    pairs = made.analyse(seen).table("pairs").set_index(["start", "seed"])
    hidden = seen["pretrained"].representation("hidden.3")[0, 0].astype(float)
    first = pairs.loc[("pretrained", 0), "first_h2"].to_numpy()
    assert first[0] == pytest.approx(np.square(hidden[1] - hidden[0]).sum(), rel=1e-6)
    network = made.jobs()["pretraining"].network.build(64, 5, 0).float()
    weights = store.weights(made.jobs()["pretraining"].asked())[0]
    import torch

    network.load_state_dict({name: torch.as_tensor(values) for name, values in weights.items()})
    inputs = torch.as_tensor(seen["pretrained"].inputs, dtype=torch.float32)
    np.testing.assert_allclose(network.hidden(inputs).detach(), hidden, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_published_network_is_fine_tuned_on_a_folder_of_images(timm, tmp_path, monkeypatch):
    """The whole way, with random weights in the place of published ones: file, images, training, fits, page."""
    put_weights(timm, tmp_path / "data" / "timm")
    put_images(tmp_path / "data" / "photographs", items=4, side=20)
    monkeypatch.setenv("SYZYGY_DATA", str(tmp_path / "data"))
    asked = {"study": "transfer", "task": "image-folder", "folder": "photographs", "pretraining": "published",
             "network": ROW | {"steps": 6}, "layers": ["body.layer3", "body.layer4"], "feature_maps": "mean",
             "seeds": "0,1", "batch_size": 4, "record": "every 1"}  # fmt: skip
    result = run(study(asked), tmp_path / "runs")
    networks = result.table("networks").set_index(["network", "seed"])
    assert (networks["fate"] == "trained").all()
    assert (networks["last_loss"] != networks["first_loss"]).all()
    (started,) = networks.loc["pretrained", "started_from"].unique()  # both seeds from the same weights
    assert started != "random weights"
    layers = result.table("layers")
    assert layers["layer"].tolist() == ["body.layer3", "body.layer4"] * 2
    assert layers["pairs"].tolist() == [2 * 4] * 4
    assert all(claim.verdict in VERDICTS[:3] for claim in result.claims)
