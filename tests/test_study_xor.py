"""Exclusive or: the task, the limits of the theory, and what the study makes of networks whose distances are known."""

import os
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure as Canvas
from scipy.stats import t as student

from syzygy.checks import Evidence
from syzygy.errors import SpecificationError
from syzygy.fitting import PairCurves, fit_pairs
from syzygy.published import published
from syzygy.store import MemoryStore
from syzygy.studies import study
from syzygy.studies.drawings.matrices import square
from syzygy.studies.regimes import network
from syzygy.studies.tables.distances import averages, correlation, distances, scores
from syzygy.tasks import TASKS, xor
from syzygy.theory import PairState, PairTheory, solve
from syzygy.training import gathered, train_zoo
from syzygy.trajectory import Trajectory

PAIRS = list(combinations(range(4), 2))
NAMES = ("00", "01", "10", "11")
DX2 = np.array([1.0, 1.0, 2.0, 2.0, 1.0, 1.0])
DY2 = np.array([1.0, 1.0, 0.0, 0.0, 1.0, 1.0])
STEPS = np.arange(0.0, 4000, 10)
SMALL = {"study": "xor", "regimes": ["rich"], "seeds": "0,1", "width": 5, "depth": 2, "steps": 100}
PREDICTIONS = ("two_points", "other_seeds", "published", "in_sample", "start")


def test_the_task_is_exclusive_or():
    task = xor()
    assert task.items == NAMES
    for item, x, y in zip(task.items, task.inputs, task.targets, strict=True):
        a, b = int(item[0]), int(item[1])
        assert (x.tolist(), y.tolist()) == ([a, b], [a ^ b])
    dx2, dy2 = ([((array[i] - array[j]) ** 2).sum() for i, j in PAIRS] for array in (task.inputs, task.targets))
    np.testing.assert_array_equal(dx2, DX2)
    np.testing.assert_array_equal(dy2, DY2)
    assert TASKS["xor"] is xor


# Known pairs


def followed(h2, eta_h, eta_y, y2=1e-9, steps=STEPS):
    """Curves of the six pairs as the theory has them, from starts ``(network, pair)``."""
    theory = PairTheory(eta_h, eta_y, DX2, DY2)
    start = PairState(h2, np.full_like(h2, y2), np.where(DY2 > 0, y2 - 0.5 * np.sqrt(y2 * DY2), y2))
    state = solve(theory, start, steps).state
    pairs = tuple((NAMES[i], NAMES[j]) for i, j in PAIRS)
    mean = np.exp(-0.01 * steps) * np.ones_like(state.h2)
    return PairCurves(steps=steps, h2=state.h2, y2=state.y2, w=state.w, mean_error=mean, dx2=DX2, dy2=DY2, pairs=pairs)


def seen(networks, steps, fates=None, last=1e-6):
    """A trajectory of which only losses and fates matter."""
    loss = np.linspace(0.25, last, len(steps)) * np.ones((networks, 1))
    return Trajectory.of(
        steps=steps,
        loss=loss,
        outputs=np.zeros((networks, len(steps), 4, 1)),
        representations={"hidden.1": np.zeros((networks, len(steps), 4, 2))},
        inputs=xor().inputs,
        targets=xor().targets,
        items=NAMES,
        seeds=range(networks),
        fates=fates,
    )


def evidence_of(curves, **more):
    return Evidence("rich", seen(len(curves.h2), curves.steps, **more), fit_pairs(curves), range(len(curves.h2)))


@pytest.fixture(scope="module")
def rich():
    """Three networks near the rich limit, every pair with the same two rates."""
    starts = 1e-4 * np.random.default_rng(0).uniform(0.5, 2, (3, 6))
    return evidence_of(followed(starts, 6e-3, 6e-3 / 0.0189))


def test_predictions_with_the_true_rates_are_exact(rich):
    frame = distances(rich, {"two_points": (6e-3, 6e-3 / 0.0189), "published": (1.0, 1.0)})
    networks = scores(frame, PREDICTIONS)
    for name in ("two_points", "in_sample", "other_seeds"):
        np.testing.assert_allclose(networks[f"correlation_{name}"], 1, atol=1e-4)
        assert (networks[f"error_{name}"] < 0.02).all()
    assert (networks["error_published"] > 0.5).all()  # scale matters, and correlation is blind to it
    assert (networks["correlation_published"] > 0.99).all()
    assert (networks["error_start"] > 0.9).all()
    assert networks["learned"].all()


def test_the_rich_limit_sorts_by_class(rich):
    """Diagonals merge, edges end at (eta_h/eta_y)^¼, .371 at the ratio of the default network."""
    frame = distances(rich, {"two_points": (6e-3, 6e-3 / 0.0189)})
    edges, diagonals = frame[~frame["same_class"]], frame[frame["same_class"]]
    assert set(diagonals["pair"]) == {"00-11", "01-10"}
    np.testing.assert_allclose(edges["two_points"], 0.0189**0.25, rtol=1e-3)
    assert round(0.0189**0.25, 3) == 0.371
    assert (diagonals["two_points"] < 0.015).all()
    np.testing.assert_allclose(edges["rich_limit"], 0.0189**0.25, rtol=1e-12)
    assert (diagonals["rich_limit"] == 0).all()
    np.testing.assert_allclose(scores(frame, ["two_points"])["edges"], 1, atol=2e-3)


def test_the_lazy_limit_is_the_start():
    starts = np.random.default_rng(1).uniform(1e3, 1e4, (2, 6))
    frame = distances(evidence_of(followed(starts, 1e-9, 1e-8, y2=1e3)), {"two_points": (1e-9, 1e-8)})
    np.testing.assert_allclose(frame["start"] ** 2, starts.ravel(), rtol=1e-12)
    np.testing.assert_allclose(frame["two_points"], frame["start"], rtol=1e-4)


def test_ones_own_rates_are_not_those_of_others():
    """Each network is predicted with the others' rates, although it has its own."""
    starts, ratios = np.full((3, 6), 1e-4), np.array([0.01, 0.02, 0.04])[:, None]
    frame = distances(evidence_of(followed(starts, 6e-3, 6e-3 / ratios)), {"two_points": (1.0, 1.0)})
    edges = frame[frame["pair"] == "00-01"]
    others = [np.sqrt(a * b) for a, b in ((0.02, 0.04), (0.01, 0.04), (0.01, 0.02))]
    np.testing.assert_allclose(edges["in_sample"], ratios.ravel() ** 0.25, rtol=0.01)
    np.testing.assert_allclose(edges["other_seeds"], np.power(others, 0.25), rtol=0.01)


def test_a_diverged_network_and_one_that_did_not_learn(rich):
    curves = rich.fit.curves
    gone = scores(distances(evidence_of(curves, fates=["diverged", "trained", "trained"]), {"a": (1, 1)}), ["a"])
    assert gone["learned"].tolist() == [False, True, True]
    assert gone.loc[0, ["separation", "moved", "edges", "correlation_a", "error_a"]].isna().all()
    assert gone.loc[1, ["separation", "moved", "edges", "correlation_a", "error_a"]].notna().all()
    assert not scores(distances(evidence_of(curves, last=0.2), {"a": (1, 1)}), ["a"])["learned"].any()


def test_no_rates_no_predictions(rich):
    networks = scores(distances(rich, {"two_points": (np.nan, np.nan)}), ["two_points", "in_sample"])
    assert networks[["correlation_two_points", "error_two_points", "edges"]].isna().all(axis=None)
    assert networks["error_in_sample"].notna().all()


def test_scores_by_hand():
    frame = pd.DataFrame(
        {
            "network": "n",
            "seed": 4,
            "fate": "trained",
            "last_loss": 0.0,
            "learned": True,
            "pair": ["a-b", "a-c", "b-c"],
            "same_class": [True, False, False],
            "rich_limit": [0.0, 2.0, 4.0],
            "measured": [1.0, 2.0, 4.0],
            "start": [10.0, 2.0, 2.5],
            "theory": [1.0, 3.0, 2.0],
        }
    )
    (row,) = scores(frame, ["theory"]).to_dict("records")
    assert row["separation"] == pytest.approx(1 / 3)
    assert row["moved"] == pytest.approx(0.9)
    assert row["edges"] == 1.0
    assert row["error_theory"] == pytest.approx(1 / (7 / 3))
    assert row["correlation_theory"] == pytest.approx(np.corrcoef([1, 2, 4], [1, 3, 2])[0, 1])
    means = averages(pd.concat([frame, frame.assign(seed=5, measured=[3.0, 2.0, 4.0])]), ["theory"])
    assert means["measured"].tolist() == [2.0, 2.0, 4.0]
    assert means["measured_deviation"].tolist() == [pytest.approx(2**0.5), 0.0, 0.0]


def test_what_does_not_vary_correlates_with_nothing():
    same, other = pd.Series([1.0, 1.0, 1.0]), pd.Series([1.0, 2.0, 3.0])
    assert np.isnan(correlation(same, other))
    assert np.isnan(correlation(other, same))
    assert np.isnan(correlation(other, pd.Series([1.0, np.nan, 3.0])))


def test_a_square_of_pairs():
    matrix, items = square(["00-01", "00-11", "01-11"], [1, 2, 3])
    assert items == ["00", "01", "11"]
    np.testing.assert_array_equal(matrix, [[0, 1, 2], [1, 0, 3], [2, 3, 0]])


# The study


def walk(first, last, steps=20, loss=1e-8):
    """Two networks whose four points go from one place to another along a line, while the outputs become right."""
    share = np.linspace(0, 1, steps)[:, None, None]
    points = np.stack([first + share * (last - first)] * 2)
    outputs = share * xor().targets * np.ones((2, 1, 1, 1))
    losses = (0.25 * (1 - share[:, 0, 0]) ** 2 + loss) * np.ones((2, 1))
    about = {"steps": 10 * np.arange(steps), "inputs": xor().inputs, "targets": xor().targets, "items": NAMES}
    return Trajectory.of(loss=losses, outputs=outputs, representations={"hidden.1": points}, seeds=[0, 1], **about)


def two_points(ratio, steps=STEPS):
    """Two networks that follow the theory on two points with known rates."""
    theory, start = PairTheory(5e-3, 5e-3 / ratio, 1.0, 0.5), PairState(1e-3, 1e-7, 1e-7 - 0.5e-4)
    solution = solve(theory, start, steps)
    along = (solution.state.y2 - solution.state.w) / np.sqrt(0.5)
    middle, half = 0.6 + np.sqrt(0.5) / 2, np.array([-0.5, 0.5])
    outputs = (middle + along[:, None] * half)[None, ..., None].repeat(2, axis=0)
    hidden = (solution.dh[:, None] * half)[None, ..., None].repeat(2, axis=0)
    targets = np.array([[0.6], [0.6 + np.sqrt(0.5)]])
    loss = np.square(outputs - targets).mean(axis=(2, 3)) / 2
    about = {"steps": steps, "inputs": np.array([[-1.0], [0.0]]), "targets": targets, "items": ("A", "B")}
    return Trajectory.of(loss=loss, outputs=outputs, representations={"hidden.1": hidden}, seeds=[100, 101], **about)


CLASSES = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


@pytest.fixture(scope="module")
def known():
    made = study(SMALL | {"regimes": ["rich", "lazy"], "seeds": "0,1"})
    ratio = 0.02
    edge = ratio**0.25
    merged = edge * CLASSES + 0.01 * CORNERS
    seen = {
        "rich": walk(0.01 * CORNERS, merged),
        "rich, two points": two_points(ratio),
        "lazy": walk(80 * CORNERS, 80.8 * CORNERS),
        "lazy, two points": two_points(ratio),
    }
    return made, seen, made.analyse(seen), edge


def test_claims_measure_what_they_say(known):
    _, _, result, edge = known
    within = np.mean([np.hypot(0.01, 0.01)] * 2)  # 00-11 and 01-10 differ by the corners alone
    between = np.mean([np.hypot(edge, 0.01), edge + 0.01, edge - 0.01, np.hypot(edge, 0.01)])
    assert result.claim("merging").cases["rich 0"] == pytest.approx(within / between, rel=1e-6)
    assert result.claim("edges").cases["rich 1"] == pytest.approx(between / edge, rel=1e-3)
    assert result.claim("staying").cases["lazy 0"] == pytest.approx(2**0.5, rel=1e-6)
    assert result.claim("unmoved").cases["lazy 1"] == pytest.approx(0.01, rel=1e-6)
    assert set(result.claim("correlation").cases) == {"rich 0", "rich 1", "lazy 0", "lazy 1"}
    assert result.claim("error").cases["lazy 0"] == pytest.approx(0.8 / 80.8, rel=1e-2)
    assert result.claim("error").cases["rich 0"] < 0.1
    assert {claim.expectation.name: claim.verdict for claim in result.claims} == dict.fromkeys(
        ("merging", "staying", "unmoved", "edges", "correlation", "error", "published_correlation", "published_error"),
        "holds",
    )
    assert result.claim("merging").published == {"rich": 0.02825}


def test_the_other_way_round_nothing_holds(known):
    """Lazy networks that merge, and rich ones that stay, are not reproduced."""
    made, seen, _, _ = known
    swapped = seen | {"rich": seen["lazy"], "lazy": seen["rich"]}
    result = made.analyse(swapped)
    for name in ("merging", "staying", "unmoved", "edges"):
        assert result.claim(name).verdict == "not reproduced"


def test_a_network_that_did_not_learn_supports_nothing(known):
    made, seen, _, _ = known
    result = made.analyse(seen | {"lazy": walk(80 * CORNERS, 80.8 * CORNERS, loss=0.2)})
    for name in ("staying", "unmoved"):
        assert np.isnan(list(result.claim(name).cases.values())).all()
        assert result.claim(name).verdict == "not reproduced"
    assert "SZ003" in [finding.code for finding in result.findings]
    assert result.claim("merging").verdict == "holds"


def test_a_network_that_stopped_stands_still(known):
    """The rates of one that stopped early are those of one that stays there, and not those of the whole."""
    made, seen, result, _ = known
    one = seen["rich, two points"]
    stop = int(np.argmax(one.outputs[0, :, 1, 0] - one.outputs[0, :, 0, 0] > 0.95 * 0.5**0.5))

    def ended(fate, fill):
        arrays = [x.copy() for x in (one.loss, one.outputs, one.representation("hidden.1"))]
        for array in arrays:
            array[:, stop + 1 :] = np.nan if fill else array[:, stop : stop + 1]
        loss, outputs, hidden = arrays
        about = {"inputs": one.inputs, "targets": one.targets, "items": one.items, "seeds": one.seeds}
        values = {"steps": one.steps, "loss": loss, "outputs": outputs, "representations": {"hidden.1": hidden}}
        two = Trajectory.of(fates=[fate] * 2, **values, **about)
        return made.analyse(seen | {"rich, two points": two}).claim("edges").cases["rich 0"]

    assert ended("learned", fill=True) == ended("trained", fill=False)
    assert abs(ended("learned", fill=True) - result.claim("edges").cases["rich 0"]) > 0.01


def test_less_than_was_asked(known):
    made, seen, _, _ = known
    result = made.analyse({"rich": seen["rich"]})
    assert result.claim("merging").verdict == "holds"
    assert result.claim("correlation").verdict == "not reproduced"  # no rates from elsewhere
    assert result.claim("staying").verdict == "undecided"
    assert "SZ001" in [finding.code for finding in result.findings]
    only = made.analyse({"rich, two points": seen["rich, two points"]})
    assert only.summary == ("Nothing has been trained yet.",)
    assert {claim.verdict for claim in only.claims} == {"undecided"}


def test_the_page_shows_published_distances_beside_ours(known):
    _, _, result, _ = known
    means = result.table("means").set_index(["network", "pair"])
    assert means.loc[("rich", "00-01"), "published_last"] == 0.3179
    assert means.loc[("lazy", "01-10"), "published_last"] == 31.25
    assert len(result.table("distances")) == 2 * 2 * 6
    for figure in result.figures:
        canvas = Canvas()
        figure.draw(canvas, figure.frame)
        assert canvas.axes
    matrices = result.figures[0].frame.set_index(["network", "pair"])
    assert matrices.loc[("lazy", "00-01"), "measured"] == pytest.approx(80.8)


def test_notebook_and_table():
    plain = {"study": "xor", "regimes": ["rich"]}
    made = {
        (activation, loss): study(plain | {"activation": activation, "loss": loss}).jobs()["rich"].network
        for activation in ("notebook", "table")
        for loss in ("notebook", "table")
    }
    assert {key[0]: one.activation for key, one in made.items()} == {"notebook": "relu", "table": "leaky_relu"}
    assert {key[1]: one.learning_rate for key, one in made.items()} == {"notebook": 0.03, "table": 0.015}


def test_each_network_learns_both_tasks_alike():
    jobs = study({"study": "xor"}).jobs()
    assert len(jobs) == 8
    for name in ("rich", "intermediate", "lazy", "shallow"):
        four, two = jobs[name], jobs[f"{name}, two points"]
        assert four.network == two.network
        assert (four.task, two.task) == ("xor", "two-points")
        assert not {*four.seeds} & {*two.seeds}
        assert TASKS[two.task](**two.options).input_dim == xor().input_dim
    assert (jobs["shallow"].network.depth, jobs["shallow"].network.layer) == (1, "hidden.0")
    assert (jobs["lazy"].network.layer, jobs["lazy"].network.steps) == ("hidden.10", 1000)
    assert network("rich", "table", "table", width=9, depth=6, steps=7).layer == "hidden.3"


def test_refused():
    with pytest.raises(SpecificationError, match=r"rate_seeds must differ from seeds; got \[1\]"):
        study(SMALL | {"rate_seeds": "1,2"}).jobs()
    with pytest.raises(SpecificationError, match="regimes must differ; got rich, rich"):
        study(SMALL | {"regimes": ["rich", "rich"]}).jobs()
    with pytest.raises(SpecificationError, match="regimes"):
        study(SMALL | {"regimes": ["poor"]})


# Real networks


def trained(asked):
    made, store = study(asked), MemoryStore()
    jobs = made.jobs()
    list(train_zoo([part for job in jobs.values() for part in job.parts()], store))
    return made, {name: gathered(job, store) for name, job in jobs.items()}


def test_distances_are_those_of_the_recorded_representations():
    made, seen = trained(SMALL | {"regimes": ["shallow"], "steps": 200, "rate_seeds": 9})
    result = made.analyse(seen)
    hidden = seen["shallow"].representation("hidden.0")[:, [0, -1]].astype(np.float64)
    table = result.table("distances")
    assert seen["shallow"].fates == ("trained", "trained")
    for column, position in (("start", 0), ("measured", 1)):
        measured = [np.linalg.norm(one[i] - one[j]) for one in hidden[:, position] for i, j in PAIRS]
        np.testing.assert_allclose(table[column], measured, rtol=1e-5)
    assert len(table) == 12


def test_starts_are_as_large_as_the_published_ones():
    """Mean distance of the six pairs before learning; the published network is one draw from ours, to 4 deviations."""
    for regime in ("rich", "lazy"):
        row = network(regime, "notebook", "notebook", width=500, depth=11, steps=None)  # as deep as the watched layer
        logs = []
        for seed in range(5):
            encoder, h = row.build(2, 1, seed).hidden, torch.as_tensor(xor().inputs)
            with torch.no_grad():
                for block in encoder:
                    h = block(h)
            logs.append(np.log(np.mean([np.linalg.norm(h[i] - h[j]) for i, j in PAIRS])))
        theirs = np.log(np.mean(list(published("xor", f"first_{regime}").values())))
        assert abs(theirs - np.mean(logs)) < 4 * np.std(logs, ddof=1)


@pytest.mark.slow
def test_rich_networks_end_where_the_published_one_does():
    """Edges and their share within classes: the published network lies in the 95% prediction interval of ours."""
    seeds = "0..4" if os.environ.get("SYZYGY_FULL") else "0..2"
    made, store = study({"study": "xor", "regimes": ["rich"], "seeds": seeds, "stop_loss": 1e-4}), MemoryStore()
    parts = [trajectory for _, trajectory in train_zoo(made.jobs()["rich"].parts(), store)]
    frame = made.analyse({"rich": Trajectory.join(parts)}).table("distances")
    edges = frame[~frame["same_class"]].groupby("seed")["measured"].mean().to_numpy()
    ours, theirs = np.log(edges), np.log(np.mean([published("xor", "last_rich")[p] for p in ("00-01", "01-11")]))
    width = student.ppf(0.975, len(ours) - 1) * np.std(ours, ddof=1) * np.sqrt(1 + 1 / len(ours))
    assert abs(theirs - ours.mean()) < max(width, 0.1)  # rounding alone moves the end by up to 10%
