"""Two features in two contexts: the task, measures of what is kept, and the study where the answer is known."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas
from scipy.spatial.distance import pdist
from sklearn.decomposition import PCA

from syzygy.errors import SpecificationError
from syzygy.fitting import PairCurves, fit_pairs, pair_curves
from syzygy.store import MemoryStore
from syzygy.studies import study
from syzygy.studies.context import ROWS
from syzygy.studies.tables.feature_pairs import pairs_of, ratios, with_rates_of_others
from syzygy.studies.tables.features import angle, effects, embed, hidden_of, kept, last_of
from syzygy.tasks import TASKS, context
from syzygy.theory import PairState, PairTheory, solve
from syzygy.training import gathered, train_zoo
from syzygy.trajectory import Trajectory

SIDE = 5
STEPS = np.arange(0.0, 4000, 10)
SMALL = {"study": "context", "grid": SIDE, "every": 1, "seeds": "0,1", "batch_size": 25}


# The task


def test_a_blob_is_what_the_formula_says_pixel_by_pixel():
    task = context(grid=4, every=1)
    assert task.inputs.shape == (32, 27)
    pixels, centres = np.linspace(-1, 1, 5), np.linspace(-1, 1, 4)
    for item in range(32):
        which, i, j = np.unravel_index(item, (2, 4, 4))
        x, y = centres[i], centres[j]
        blob = np.array([[np.exp(-((p - x) ** 2 + (q - y) ** 2) / 2) for p in pixels] for q in pixels])
        np.testing.assert_allclose(task.inputs[item, :25], (blob / blob.sum()).ravel(), rtol=1e-12)
        assert task.inputs[item, 25:].tolist() == [1 - which, which]
        assert task.targets[item, 0] == (x, y)[which]
        assert task.items[item] == f"x {x:.2f}, y {y:.2f}, {'xy'[which]} counts".replace("-", "−")
    assert TASKS["context"] is context


def test_the_published_size():
    task = context()
    assert (len(task.items), task.input_dim, task.output_dim, len(task.probe)) == (1800, 27, 1, 200)
    np.testing.assert_allclose(task.inputs[:, :25].sum(axis=1), 1, rtol=1e-12)


@pytest.mark.parametrize(("grid", "every"), [(30, 3), (10, 1), (9, 2), (12, 5)])
def test_watched_centres_lie_in_the_middle(grid, every):
    task = context(grid, every)
    x = np.unique(task.probe_targets)
    assert len(x) ** 2 * 2 == len(task.probe)
    np.testing.assert_allclose(np.diff(x), every * 2 / (grid - 1), rtol=1e-12)
    assert abs(x[0] + x[-1]) <= 2 / (grid - 1) + 1e-12
    if every == 3:
        assert x[0] == pytest.approx(-x[-1])


@pytest.mark.parametrize("wrong", [{"grid": 1}, {"every": 0}, {"grid": 5, "every": 9}])
def test_the_task_refuses(wrong):
    with pytest.raises(SpecificationError, match="2 centres or more per side, and 2 of them watched; got grid="):
        context(**wrong)


# Measures


def on_grid(task):
    side = round((len(task.probe) / 2) ** 0.5)
    return task.probe_inputs.reshape(2, side, side, -1)


def sheet(relevant=1.0, irrelevant=1.0, degrees=90.0, offset=0.0):
    """Items on lines: coefficients of the two features, and the angle between the contexts' relevant directions."""
    x, y = np.meshgrid(*[np.linspace(-1, 1, SIDE)] * 2, indexing="ij")
    turn = np.radians(degrees)
    first, second = np.eye(6)[0], np.cos(turn) * np.eye(6)[0] + np.sin(turn) * np.eye(6)[1]
    contexts = [
        relevant * x[..., None] * first + irrelevant * y[..., None] * np.eye(6)[2] + offset * np.eye(6)[4],
        relevant * y[..., None] * second + irrelevant * x[..., None] * np.eye(6)[3],
    ]
    return np.stack(contexts)


def test_effects_add_up_to_the_variance():
    hidden = np.random.default_rng(0).normal(size=(3, 2, 2, 4, 4, 7))
    whole = hidden.reshape(3, 2, 2, 16, 7).var(axis=3).sum(axis=-1).mean(axis=-1)
    np.testing.assert_allclose(np.sum(effects(hidden), axis=0), whole, rtol=1e-12)
    assert (np.array(effects(hidden)) > 0).all()


def test_effects_of_a_product_are_an_interaction():
    x = np.linspace(-1, 1, SIDE)
    product = np.stack([np.outer(x, x)] * 2)[..., None]
    np.testing.assert_allclose(effects(product), [0, 0, product[0].var()], atol=1e-15)


@pytest.mark.parametrize(("relevant", "irrelevant"), [(1.0, 0.0), (2.0, 1.0), (0.5, 1.5)])
def test_what_is_kept_is_the_square_of_the_coefficients(relevant, irrelevant):
    hidden = sheet(relevant, irrelevant, degrees=40, offset=3)
    assert kept(hidden) == pytest.approx((irrelevant / relevant) ** 2, abs=1e-12)
    turned = hidden @ np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0] + 5
    assert kept(turned) == pytest.approx((irrelevant / relevant) ** 2, abs=1e-12)
    assert np.isnan(kept(sheet(0.0, 0.0)))


def test_inputs_prefer_neither_feature():
    assert kept(on_grid(context())) == pytest.approx(1, rel=1e-12)
    assert angle(on_grid(context())) == pytest.approx(90, abs=1e-6)


@pytest.mark.parametrize("degrees", [0, 30, 90, 150])
def test_the_angle_is_that_of_the_lines(degrees):
    expected = min(degrees, 180 - degrees)
    assert angle(sheet(1, 0.3, degrees)) == pytest.approx(expected, abs=1e-5)
    both = np.stack([sheet(1, 0.3, degrees), sheet(1, 0.3, 60)])
    np.testing.assert_allclose(angle(both), [expected, 60], atol=1e-5)


def test_embedding_keeps_distances():
    items = np.random.default_rng(2).normal(size=(30, 2)) @ np.random.default_rng(3).normal(size=(2, 8))
    np.testing.assert_allclose(pdist(embed(items)), pdist(items), rtol=1e-9)
    other = np.random.default_rng(4).normal(size=(30, 8))
    np.testing.assert_allclose(np.abs(embed(other, 3)), np.abs(PCA(3).fit_transform(other)), atol=1e-9)


# Networks whose answer is known


def grow(end, gain=1e-3, loss=1e-6, fates=None, seeds=(0, 1), steps=12):
    """Networks that go from a representation that prefers neither feature to an end, ``(context, x, y, unit)``."""
    task, share = context(SIDE, 1), np.linspace(0, 1, steps)[:, None, None]
    first, last = (points.reshape(len(task.items), -1) for points in (gain * sheet(), end))
    hidden = np.stack([first + share * (last - first)] * len(seeds))
    outputs = np.ones((len(seeds), 1, 1, 1)) * (share * task.targets)
    losses = np.stack([0.25 * (1 - share[:, 0, 0]) ** 2 + loss] * len(seeds))
    if fates:
        lost = np.array(fates) == "diverged"
        losses[lost, -1], hidden[lost, -1], outputs[lost, -1] = np.nan, np.nan, np.nan
    return Trajectory.of(
        steps=10 * np.arange(steps),
        loss=losses,
        outputs=outputs,
        representations={"hidden.2": hidden},
        inputs=task.inputs,
        targets=task.targets,
        items=task.items,
        seeds=seeds,
        fates=fates,
    )


@pytest.fixture(scope="module")
def known():
    made = study(SMALL)
    seen = {
        "high, notebook": grow(10 * sheet(1, 0.9), gain=10),
        "low, notebook": grow(sheet(1, 0.3)),
        "very_low, notebook": grow(sheet(1, 0.1, degrees=20)),
    }
    return made, seen, made.analyse(seen)


def test_claims_measure_what_they_say(known):
    _, _, result = known
    assert result.claim("compressed").cases == pytest.approx(
        {"low 0": 0.09, "low 1": 0.09, "very_low 0": 0.01, "very_low 1": 0.01}
    )
    assert result.claim("kept").cases == pytest.approx({"high 0": 0.81, "high 1": 0.81})
    assert result.claim("monotone").cases == pytest.approx(
        {"high − low 0": 0.72, "high − low 1": 0.72, "low − very_low 0": 0.08, "low − very_low 1": 0.08}
    )
    assert result.claim("orthogonal").cases == pytest.approx(
        {"low 0": 90, "low 1": 90, "very_low 0": 20, "very_low 1": 20}
    )
    assert len(result.claim("predicted").cases) == 6
    networks = result.table("networks").set_index(["start", "seed"])
    for (start, seed), row in networks.iterrows():
        difference = row["ratio_predicted"] - row["ratio_measured"]
        assert result.claim("predicted").cases[f"{start} {seed}"] == pytest.approx(difference, nan_ok=True)
    verdicts = {claim.expectation.name: claim.verdict for claim in result.claims}
    assert verdicts["orthogonal"] == "holds in part"
    assert [verdicts[name] for name in ("compressed", "kept", "monotone")] == ["holds"] * 3


def test_the_table(known):
    _, _, result = known
    networks = result.table("networks").set_index(["start", "seed"])
    high = networks.loc[("high", 1)]
    assert high["kept_start"] == pytest.approx(1)
    assert (high["interaction"], high["apart"]) == (pytest.approx(0), pytest.approx(0))
    assert high["ratio_measured"] == pytest.approx(0.81)
    assert high["ratio_start"] == pytest.approx(1)
    assert high["learned"]


def test_the_other_way_round_nothing_holds(known):
    made, seen, _ = known
    low, high = seen["very_low, notebook"], seen["high, notebook"]
    result = made.analyse({"high, notebook": low, "low, notebook": high, "very_low, notebook": high})
    for name in ("compressed", "kept"):
        assert result.claim(name).verdict == "not reproduced"
    assert result.claim("monotone").verdict == "holds in part"  # what is equal does not fall


def test_contexts_apart(known):
    made, _, _ = known
    table = made.analyse({"low, notebook": grow(sheet(1, 0, offset=2))}).table("networks")
    variance = np.var(np.linspace(-1, 1, SIDE))
    np.testing.assert_allclose(table["apart"], 1 / variance)  # centroids at a distance of 2, each 1 from their middle


def test_diverged_and_unlearned_networks_support_nothing(known):
    made, seen, _ = known
    result = made.analyse(seen | {"low, notebook": grow(sheet(1, 0.3), fates=["diverged", "trained"])})
    cases = result.claim("compressed").cases
    assert np.isnan(cases["low 0"])
    lost = result.table("networks").set_index(["start", "seed"]).loc[("low", 0)]
    assert (
        lost[["kept", "angle", "interaction", "apart", "ratio_measured", "ratio_predicted"]].isna().tolist()
        == [True] * 6
    )
    assert cases["low 1"] == pytest.approx(0.09)
    assert result.claim("compressed").verdict == "holds in part"
    assert "SZ002" in [finding.code for finding in result.findings]
    lazy = made.analyse(seen | {"high, notebook": grow(10 * sheet(1, 0.9), gain=10, loss=0.1)})
    assert lazy.claim("kept").verdict == "not reproduced"
    assert np.isnan(lazy.claim("monotone").cases["high − low 0"])
    assert np.isnan(lazy.claim("predicted").cases["high 0"])


def test_less_than_was_asked(known):
    made, seen, _ = known
    result = made.analyse({"low, notebook": seen["low, notebook"]})
    assert result.claim("kept").verdict == "undecided"
    assert set(result.claim("compressed").cases) == {"low 0", "low 1"}
    assert result.claim("monotone").verdict == "not reproduced"  # nothing to compare with
    assert "SZ001" in [finding.code for finding in result.findings]
    assert made.analyse({}).summary == ("Nothing has been trained yet.",)
    nothing = made.analyse({"low, notebook": grow(sheet(1, 0.3), fates=["diverged", "diverged"])})
    assert np.isnan(list(nothing.claim("compressed").cases.values())).all()
    for figure in nothing.figures:
        figure.draw(Canvas(), figure.frame)


def test_figures_show_what_was_measured(known):
    _, seen, result = known
    curves, places = (figure.frame for figure in result.figures)
    one = curves[(curves["start"] == "low") & (curves["seed"] == 1)]
    np.testing.assert_array_equal(one["step"], seen["low, notebook"].steps)
    assert one["kept"].iloc[0] == pytest.approx(1)
    assert one["kept"].iloc[-1] == pytest.approx(0.09)
    low = places[places["start"] == "low"]
    alone = low[low["context"] == 0].filter(like="alone_")
    np.testing.assert_allclose(pdist(alone), pdist(sheet(1, 0.3)[0].reshape(-1, 6)), rtol=1e-9)
    both = embed(sheet(1, 0.3).reshape(-1, 6))
    np.testing.assert_allclose(np.square(low.filter(like="together_")).sum(), np.square(both).sum(axis=0), rtol=1e-9)
    x = np.linspace(-1, 1, SIDE)
    first, second = low[low["context"] == 0], low[low["context"] == 1]
    np.testing.assert_allclose(first["relevant"], x.repeat(SIDE))
    np.testing.assert_allclose(first["irrelevant"], np.tile(x, SIDE))
    np.testing.assert_allclose(second["relevant"], np.tile(x, SIDE))
    np.testing.assert_allclose(second["irrelevant"], x.repeat(SIDE))
    for figure in result.figures:
        canvas = Canvas()
        figure.draw(canvas, figure.frame)
        assert canvas.axes


# The theory


def test_pairs_differ_in_one_feature():
    trajectory = grow(sheet())
    pairs, task = pairs_of(trajectory), context(SIDE, 1)
    assert len(pairs) == len(set(pairs)) == 2 * 2 * 4 * 6
    places = np.stack([*np.unravel_index(range(len(task.items)), (2, SIDE, SIDE))], axis=1)
    curves = pair_curves(trajectory, pairs=pairs)
    for (i, j), dy2 in zip(pairs, curves.dy2, strict=True):
        which, differs = places[i, 0], places[i] != places[j]
        assert not differs[0]
        assert differs.sum() == 1
        assert (dy2 > 0) == differs[1 + which]
    assert (curves.dy2 > 0).sum() == len(pairs) // 2


def followed(ratio, h2=1e-4):
    """Curves of four pairs in networks with known rates; two pairs differ in the irrelevant feature."""
    dx2, dy2 = np.array([1.0, 1.5, 1.0, 2.0]), np.array([1.0, 0.5, 0.0, 0.0])
    eta_h = 5e-3 * np.ones((len(ratio), 1))
    theory = PairTheory(eta_h, eta_h / np.array(ratio)[:, None], dx2, dy2)
    start = PairState(h2 * np.ones((len(ratio), 4)), 1e-9, np.where(dy2 > 0, 1e-9 - 1e-5 * np.sqrt(dy2), 1e-9))
    state = solve(theory, start, STEPS).state
    mean = np.exp(-0.01 * STEPS) * np.ones_like(state.h2)
    names = tuple(combinations("abcd", 2))[:4]
    given = {"dx2": dx2, "dy2": dy2, "pairs": names, "mean_error": mean}
    return PairCurves(steps=STEPS, h2=state.h2, y2=state.y2, w=state.w, **given), theory, start


def test_every_network_is_predicted_by_the_others():
    curves, _, start = followed([0.01, 0.04, 0.09])
    fit = fit_pairs(curves)
    moved = with_rates_of_others(fit, curves.dy2 > 0)
    expected = np.sqrt([0.04 * 0.09, 0.01 * 0.09, 0.01 * 0.04])
    np.testing.assert_allclose((moved.eta_h.value / moved.eta_y.value)[:, 0], expected, rtol=0.02)
    assert np.ptp(moved.eta_h.value / moved.eta_y.value, axis=1).max() == 0
    theory = PairTheory(expected[:, None], 1.0, curves.dx2, curves.dy2)
    final = theory.final_h2(start)
    np.testing.assert_allclose(moved.final_h2, final, rtol=0.02, atol=1e-6)
    found = ratios(fit)
    np.testing.assert_allclose(found["predicted"], final[:, 2:].mean(1) / final[:, :2].mean(1), rtol=0.03)
    np.testing.assert_allclose(found["measured"], curves.h2[:, 2:, -1].mean(1) / curves.h2[:, :2, -1].mean(1))
    np.testing.assert_allclose(found["start"], 1)
    assert (found["measured"] < 0.01).all()


def test_rates_of_other_pairs_do_not_count():
    """Identified rates of pairs that were not chosen change nothing, whatever they are."""
    fit = fit_pairs(followed([0.01, 0.04])[0])
    odd = fit.eta_h.value * np.array([1.0, 1.0, 50.0, 50.0])
    other = replace(
        fit, eta_h=replace(fit.eta_h, value=odd), identified=np.ones_like(fit.identified), converged=fit.converged
    )
    moved = with_rates_of_others(other, np.array([True, False, False, False]))
    one = fit.eta_h.value[::-1, 0] / fit.eta_y.value[::-1, 0]
    np.testing.assert_allclose(moved.eta_h.value / moved.eta_y.value, one[:, None] * np.ones(4), rtol=1e-12)


def test_ratios_use_rates_of_relevant_pairs_alone():
    fit = fit_pairs(followed([0.01, 0.04])[0])
    odd = fit.eta_h.value * np.where(fit.curves.dy2 > 0, 1.0, 50.0)
    other = replace(fit, eta_h=replace(fit.eta_h, value=odd), identified=np.ones_like(fit.identified))
    plain = replace(fit, identified=np.ones_like(fit.identified) & (fit.curves.dy2 > 0))
    np.testing.assert_array_equal(ratios(other)["predicted"], ratios(plain)["predicted"])


def test_one_network_has_no_others():
    found = ratios(fit_pairs(followed([0.02])[0]))
    assert np.isnan(found["predicted"]).all()
    assert np.isfinite(found["measured"]).all()


def test_the_last_record_of_a_network_that_stopped():
    trajectory = grow(sheet(), fates=["diverged", "trained"], steps=8)
    assert last_of(trajectory).tolist() == [6, 7]
    assert hidden_of(trajectory).shape == (2, 8, 2, SIDE, SIDE, 6)


# Settings


def test_the_published_settings():
    jobs = study({"study": "context", "activations": ["notebook", "table"]}).jobs()
    assert len(jobs) == 6
    for activation, used in (("notebook", "leaky_relu"), ("table", "tanh")):
        for start, (gain, rate, epochs) in ROWS.items():
            job = jobs[f"{start}, {activation}"]
            assert (job.network.activation, job.network.gain, job.network.learning_rate) == (used, gain, rate)
            assert (job.network.width, job.network.depth, job.network.layer) == (100, 4, "hidden.2")
            assert (job.network.steps, job.batch_size) == (epochs * 28, 64)  # 1800 items make 28 batches of 64
    assert study(SMALL | {"epochs": 0.5}).jobs()["low, notebook"].network.steps == 750 * 2


def test_refused():
    with pytest.raises(SpecificationError, match="starts must differ; got low, low"):
        study(SMALL | {"starts": ["low", "low"]}).jobs()
    with pytest.raises(SpecificationError, match="activations must differ; got table, table"):
        study(SMALL | {"activations": ["table", "table"]}).jobs()
    with pytest.raises(SpecificationError, match="batch_size must be at most the task's 50 items; got 51"):
        study(SMALL | {"batch_size": 51}).jobs()
    with pytest.raises(SpecificationError, match="starts"):
        study(SMALL | {"starts": ["huge"]})


# Real networks


def trained(asked):
    made, store = study(asked), MemoryStore()
    jobs = made.jobs()
    list(train_zoo([part for job in jobs.values() for part in job.parts()], store))
    return made, {name: gathered(job, store) for name, job in jobs.items()}


def test_a_short_training():
    made, seen = trained(
        SMALL | {"starts": ["high"], "activations": ["notebook", "table"], "epochs": 0.05, "width": 10}
    )
    result = made.analyse(seen)
    networks = result.table("networks")
    assert networks["activation"].tolist() == ["notebook"] * 2 + ["table"] * 2
    hidden = seen["high, table"].representation("hidden.2")[1, -1].reshape(2, SIDE, SIDE, 10).astype(np.float64)
    assert networks["kept"].iloc[3] == pytest.approx(float(kept(hidden)))
    assert set(result.claim("kept").cases) == {"high 0", "high 1"}


@pytest.mark.slow
def test_small_weights_compress_what_large_ones_keep():
    """On a quarter of the pictures, each start to a loss of 0.003: the order of high and low, by a factor of two."""
    made, seen = trained(
        {"study": "context", "starts": ["high", "low"], "grid": 15, "every": 1, "seeds": "0..2", "epochs": 2}
        | {"stop_loss": 3e-3, "record": "log 30"}
    )
    networks = made.analyse(seen).table("networks")
    assert networks["learned"].all()
    high, low = (networks.loc[networks["start"] == start, "kept"] for start in ("high", "low"))
    assert high.min() > 2 * low.max()
