"""The study of alternatives, on networks that follow the theory, and on networks that follow another equation."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from synthetic import gone, pair
from syzygy.errors import SpecificationError
from syzygy.fitting import fit_pairs, pair_curves
from syzygy.fitting.problems import CURVES
from syzygy.published import chance, published
from syzygy.store import MemoryStore
from syzygy.studies import read_study, study
from syzygy.studies.alternatives import Alternatives
from syzygy.studies.tables.ablation import held_out
from syzygy.tasks import two_points
from syzygy.theory import ALTERNATIVES, PairState, PairTheory, integrate
from syzygy.training import gathered, train_zoo
from syzygy.trajectory import Trajectory

OWN = {"study": "alternatives", "networks": "default"}
STEPS = np.arange(0, 4001, 20)
RATES = [(7e-4, 0.035), (8e-4, 0.04), (6.5e-4, 0.0375), (9e-4, 0.03), (7.5e-4, 0.045)]
CHANGED = [name for name in ALTERNATIVES if name != "theory"]


def analysed(trajectory, **changes):
    return study(OWN | {"seeds": list(map(int, trajectory.seeds))} | changes).analyse({"default": trajectory})


def following(name, rates, start=1e-3):
    """Networks that follow a right-hand side; their outputs have an axis across the target for what it asks of them."""
    task, dy2 = two_points(), 0.5
    hidden, outputs = np.zeros((len(rates), len(STEPS), 2, 1)), np.zeros((len(rates), len(STEPS), 2, 2))
    for network, one in enumerate(rates):
        state = integrate(ALTERNATIVES[name], PairTheory(*one, 1.0, dy2), PairState(start, 0.0, 0.0), STEPS)
        hidden[network, :, 1, 0] = np.sqrt(state.h2)
        along = (state.y2 - state.w) / np.sqrt(dy2)
        outputs[network, :, 1] = np.stack([along, np.sqrt(np.maximum(state.y2 - along**2, 0))], axis=-1)
    targets = np.concatenate([task.targets - task.targets[0], np.zeros((2, 1))], axis=1)
    loss = 0.25 * np.square(outputs - targets).sum((2, 3))
    return Trajectory.of(
        steps=STEPS,
        loss=loss,
        outputs=outputs,
        representations={"hidden.10": hidden},
        inputs=task.inputs,
        targets=targets,
        items=("A", "B"),
        seeds=range(len(rates)),
    )


@pytest.fixture(scope="module")
def trajectory():
    return pair(RATES, [1e-3, 9e-4, 1.1e-3, 8e-4, 1e-3], steps=STEPS)


@pytest.fixture(scope="module")
def few():
    return pair(RATES[:2], [1e-3, 9e-4], steps=STEPS)


@pytest.fixture(scope="module")
def result(trajectory):
    return analysed(trajectory, cuts=[0.5])


# Networks that follow the theory


def test_the_theory_wins_every_network_that_follows_it(result):
    held = result.table("held-out")
    assert held["cut"].unique().tolist() == [0.5]
    assert (held["better"] == 5).all()
    assert (held["theory_error"] < 1e-3).all()
    np.testing.assert_allclose(held["p"], 0.5**5)
    assert (result.table("wins")["theory"] == 5).all()
    assert (result.table("wins")[CHANGED] == 0).all(axis=None)
    for name in ("predicts", "predicts_each_curve", "fits"):
        assert result.claim(name).verdict == "holds"
    assert list(result.claim("predicts").cases) == CHANGED
    assert len(result.claim("predicts_each_curve").cases) == 12
    assert len(result.claim("fits").cases) == 8
    assert result.claim("predicts").expectation.sample == "out of sample"


def test_its_rates_are_those_of_the_networks_at_every_cut(result):
    fits = result.table("fits")
    for _, part in fits[fits["equations"] == "theory"].groupby(["cut", "scaling"], dropna=False):
        np.testing.assert_allclose(part["eta_h"], [one[0] for one in RATES], rtol=1e-3)
        np.testing.assert_allclose(part["eta_y"], [one[1] for one in RATES], rtol=1e-3)


def test_where_fits_and_scores_end(few):
    result = analysed(few, cuts=[0.6, 0.3])
    assert result.table("held-out")["cut"].unique().tolist() == [0.6, 0.3]
    assert "at 30% y2_doubled 2 of 2" in result.claim("predicts").note
    fits = result.table("fits").dropna(subset="cut")
    curves = pair_curves(few)
    for _, row in fits.iterrows():
        network = int(row["seed"])
        risen = STEPS[curves.y2[network, 0] >= row["cut"] * curves.dy2[0]]
        assert row["fitted_until"] == risen.min()
        assert row["until"] == STEPS[few.loss[network] <= 1e-4].min()


def test_errors_are_of_held_out_steps_in_deviations_of_the_curve(few):
    curves = pair_curves(few)
    found = held_out(curves, few, 0.4, 1e-3)
    row = found[(found["equations"] == "h2_doubled") & (found["seed"] == 1)].iloc[0]
    rates = PairTheory(row["eta_h"], row["eta_y"], 1.0, curves.dy2[0])
    start = PairState(*(getattr(curves.initial, name)[1, 0] for name in CURVES))
    state = integrate(ALTERNATIVES["h2_doubled"], rates, start, STEPS)
    first, last = np.searchsorted(STEPS, [row["fitted_until"], row["until"]])
    late, counted = slice(first + 1, last + 1), slice(last + 1)
    squares = []
    for name in CURVES:
        measured = getattr(curves, name)[1, 0]
        error = np.sqrt(np.square(getattr(state, name) - measured)[late].mean()) / measured[counted].std()
        assert row[name] == pytest.approx(error, rel=1e-5)
        squares.append(error**2)
    assert row["total"] == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-5)


def test_nothing_after_the_cut_is_fitted(few):
    """Whatever comes later changes no rate: the first part is the same, the rest goes on as it stood."""
    curves = pair_curves(few)
    before = held_out(curves, few, 0.5, 1e-4)
    last = int(np.searchsorted(STEPS, before["fitted_until"].max()))
    values = {name: getattr(curves, name).copy() for name in CURVES}
    for one in values.values():
        one[..., last + 1 :] = one[..., [last]]
    after = held_out(replace(curves, **values), few, 0.5, 1e-4)
    np.testing.assert_allclose(after[["eta_h", "eta_y"]], before[["eta_h", "eta_y"]])
    assert (after["total"] > before["total"])[before["equations"] == "theory"].all()


def test_objectives_of_the_theory_are_those_of_the_closed_form():
    disturbed = pair([(7e-4, 0.035)], [1e-3], steps=STEPS)
    hidden = disturbed.representation("hidden.10") * np.linspace(1, 1.3, len(STEPS))[None, :, None, None]
    disturbed = Trajectory.of(
        steps=STEPS, loss=disturbed.loss, outputs=disturbed.outputs, representations={"hidden.10": hidden},
        inputs=disturbed.inputs, targets=disturbed.targets, items=disturbed.items, seeds=disturbed.seeds,
    )  # fmt: skip
    fits = analysed(disturbed, cuts=[0.5]).table("fits")
    for scaling, unit in (("none", 20.0), ("curve", 1.0)):
        expected = fit_pairs(pair_curves(disturbed), scaling=scaling).objective[:, 0] * unit
        one = fits[(fits["scaling"] == scaling) & (fits["equations"] == "theory")]
        np.testing.assert_allclose(one["objective"], expected, rtol=1e-5)
    assert (fits["objective"].dropna() > 1e-3).all()


# Networks that do not


def test_networks_that_follow_another_equation_are_won_by_it():
    result = analysed(following("h2_doubled", RATES[:2]), cuts=[0.5])
    wins = result.table("wins")
    assert (wins["h2_doubled"] == 2).all()
    assert (wins["theory"] == 0).all()
    held = result.table("held-out").set_index(["cut", "curve", "equations"])
    assert held.loc[(0.5, "total", "h2_doubled"), "p"] == 1
    assert held.loc[(0.5, "total", "h2_doubled"), "ratio"] < 0.1
    claim = result.claim("predicts")
    assert claim.verdict in ("holds in part", "not reproduced")
    assert "h2_doubled" not in claim.holding
    assert not [case for case in result.claim("fits").holding if case.startswith("h2_doubled")]
    assert "h2_doubled in 2" in " ".join(result.summary)


def test_the_sign_test_counts_networks():
    """Two follow the theory, one another equation."""
    right, wrong = following("theory", RATES[:2]), following("h2_doubled", RATES[2:3])
    both = Trajectory.of(
        steps=STEPS,
        loss=np.concatenate([right.loss, wrong.loss]),
        outputs=np.concatenate([right.outputs, wrong.outputs]),
        representations={"hidden.10": np.concatenate([one.representation("hidden.10") for one in (right, wrong)])},
        inputs=right.inputs,
        targets=right.targets,
        items=right.items,
        seeds=[3, 1, 9],
    )
    result = analysed(both, cuts=[0.5])
    held = result.table("held-out").set_index(["cut", "curve", "equations"])
    row = held.loc[(0.5, "total", "h2_doubled")]
    assert (row["seeds"], row["better"]) == (3, 2)
    assert row["p"] == pytest.approx(binomtest(2, 3, alternative="greater").pvalue)
    assert result.claim("predicts").cases["h2_doubled"] == row["p"]
    fits = result.table("fits").dropna(subset="cut")
    fits = fits[fits["cut"] == 0.5].pivot(index="seed", columns="equations", values="total")
    assert row["ratio"] == pytest.approx((fits["h2_doubled"] / fits["theory"]).median())
    assert fits.loc[9, "h2_doubled"] < fits.loc[9, "theory"]


# What there is, and what is asked


def test_published_numbers_stand_beside_the_published_network_only(result):
    table = result.table("in-sample")
    plain = table[table["scaling"] == "none"].set_index("equations")
    values = result.table("fits").query("scaling == 'none' and equations == 'y2_doubled'")["objective"]
    assert plain.loc["y2_doubled", "published"] == published("alternatives", "objective")["y2_doubled"]
    assert plain.loc["y2_doubled", "chance"] == pytest.approx(chance(3.56, values))
    assert result.claim("published").cases["y2_doubled"] == pytest.approx(chance(3.56, values))
    assert result.claim("fits").published["w_flipped with scaling none"] == 1.793
    other = analysed(pair(RATES[:1], [1e-3], steps=STEPS), learning_rate=0.02, cuts=[0.5])
    assert other.claim("published").verdict == "undecided"


def test_networks_that_stop_or_diverge(few):
    stopped = analysed(gone(gone(few, 0, 150, "learned"), 1, 60, "diverged"), cuts=[0.5])
    held = stopped.table("held-out")
    assert set(held["seeds"]) == {1}
    assert "SZ002" in [finding.code for finding in stopped.findings]
    fits = stopped.table("fits")
    assert fits.loc[(fits["seed"] == 1) & fits["cut"].notna(), "total"].isna().all()
    assert fits.loc[fits["seed"] != 1, ["eta_h", "eta_y"]].notna().all(axis=None)
    json.loads(stopped.to_json(), parse_constant=pytest.fail)
    assert all(figure.svg() for figure in stopped.figures)


def test_networks_that_never_rise_decide_nothing(trajectory):
    early = Trajectory.of(
        steps=STEPS[:40], loss=trajectory.loss[:, :40], outputs=trajectory.outputs[:, :40],
        representations={"hidden.10": trajectory.representation("hidden.10")[:, :40]}, inputs=trajectory.inputs,
        targets=trajectory.targets, items=trajectory.items, seeds=trajectory.seeds,
    )  # fmt: skip
    result = analysed(early, cuts=[0.5])
    assert result.summary[0].startswith("No network got far enough")
    assert np.isnan(list(result.claim("predicts").cases.values())).all()
    assert result.claim("predicts").verdict == "not reproduced"
    assert len(result.figures) == 1
    assert result.figures[0].svg()


def test_one_network_proves_nothing(trajectory):
    result = analysed(pair(RATES[:1], [1e-3], steps=STEPS), cuts=[0.5])
    assert set(result.table("held-out")["p"]) == {0.5}
    assert result.claim("predicts").verdict == "not reproduced"
    assert np.isnan(result.claim("published").cases["theory"])


def test_nothing_trained_yet():
    result = study(OWN).analyse({})
    assert result.summary == ("Nothing has been trained yet.",)
    assert {claim.verdict for claim in result.claims} == {"undecided"}


def test_networks_are_those_of_two_points(tmp_path):
    for size in ("quick", "full"):
        from importlib.resources import files

        folder = files("syzygy") / "specifications" / size
        ours, theirs = (
            study(read_study(folder / f"{name}.toml")).jobs()["default"] for name in ("alternatives", "two-points")
        )
        shared = {part.seeds: part.asked() for part in ours.parts()}
        assert all(shared[part.seeds] == part.asked() for part in theirs.parts())


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"cuts": []}, "cuts"),
        ({"cuts": [0.5, 1.0]}, "less than 1"),
        ({"dy2": 0}, "dy2 = 0"),
        ({"networks": ["narrow", "default"]}, "at most 1"),
        ({"learned": 0}, "learned = 0"),
    ],
)
def test_refused(asked, says):
    with pytest.raises(SpecificationError, match=says):
        study(OWN | asked)


def test_the_figures_show_what_the_tables_say(result):
    ratios, followed = result.figures
    panel = ratios.frame[ratios.frame["panel"] == "held out after 50%"]
    median = panel.groupby("equations")["ratio"].median()
    held = result.table("held-out").query("cut == 0.5 and curve == 'total'").set_index("equations")
    for name in CHANGED:
        assert median[name] == pytest.approx(held.loc[name, "ratio"])
    assert set(followed.frame["curve"]) == {"measured", *ALTERNATIVES}
    assert all(figure.svg().startswith("<svg") for figure in result.figures)


@pytest.mark.slow
def test_published_objectives_could_be_those_of_one_more_network():
    """Student's t with the scatter between our seeds; h2_doubled was not searched to its minimum."""
    seeds = "0..9" if os.environ.get("SYZYGY_FULL") else "0,1"
    made, store = Alternatives(seeds=seeds, stop_loss=1e-8, cuts=(0.5,)), MemoryStore()
    jobs = made.jobs()
    list(train_zoo([part for job in jobs.values() for part in job.parts()], store))
    seen = {n: gathered(job, store) for n, job in jobs.items()}
    cases = made.analyse(seen).claim("published").cases
    assert all(value > 0.01 for name, value in cases.items() if name != "h2_doubled")
