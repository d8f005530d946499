"""What the project claims of trained networks, measured on networks trained here."""

import os
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import least_squares
from scipy.stats import ttest_ind

from syzygy.fitting import fit_pairs, pair_curves
from syzygy.fitting.baseline import Logistic
from syzygy.fitting.problems import CURVES
from syzygy.published import published
from syzygy.recording import every
from syzygy.store import MemoryStore
from syzygy.studies.mnist_pair import MnistPair
from syzygy.studies.tables.pair_scores import SCORED
from syzygy.tasks import two_points
from syzygy.theory import PairState, PairTheory, solve
from syzygy.training import train, train_zoo
from syzygy.trajectory import Trajectory

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

FULL = os.environ.get("SYZYGY_FULL") == "1"
SEEDS = range(5 if FULL else 2)


# ── The default network learns two points ────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def default_networks():
    """The paper's main network, as its notebook trains it: half the table's rate, twice its steps."""
    task = two_points()
    return Trajectory.join(
        [
            train(task, "default", seeds=[seed], learning_rate=0.005, steps=6000, record=every(1), stack=False)
            for seed in SEEDS
        ]
    )


@pytest.fixture(scope="module")
def default_curves(default_networks):
    return pair_curves(default_networks, "hidden.10")


@pytest.fixture(scope="module")
def default_fit(default_curves):
    """Fitted to every tenth step, as ``record=every(10)`` would have seen it."""
    tenth = {name: getattr(default_curves, name)[..., ::10] for name in ("steps", "h2", "y2", "w", "mean_error")}
    return fit_pairs(replace(default_curves, **tenth))


def test_default_network_learns_from_a_tiny_output(default_networks, default_curves):
    assert set(default_networks.fates) == {"trained"}
    assert np.all(default_networks.loss[:, -1] < 1e-9)
    first = default_curves.h2[..., 0]
    assert np.all((first > 4e-4) & (first < 1.6e-3))
    assert np.all(default_curves.y2[..., 0] < 1e-7)


def test_theory_explains_the_default_network(default_fit):
    assert default_fit.converged.all()
    assert default_fit.identified.all()
    assert np.all(default_fit.r2["h2"] > 0.985)
    assert np.all(default_fit.r2["y2"] > 0.985)
    assert np.all(default_fit.r2["w"] > 0.9)
    assert set(default_fit.regime.ravel()) == {"rich"}


def test_encoder_of_the_default_network_is_fifty_times_slower_than_its_decoder(default_fit):
    ratio = default_fit.eta_h.value / default_fit.eta_y.value
    assert np.all((ratio > 0.01) & (ratio < 0.035))


def test_final_distance_of_the_default_network_is_the_theorys(default_fit):
    last = default_fit.curves.h2[..., -1]
    assert 0.08 < last.mean() < 0.105
    assert np.all(np.abs(default_fit.final_h2 - last) < 0.06 * last)


def test_the_default_network_is_the_published_one_within_the_scatter_of_seeds(default_fit):
    """A t-test of our seeds against the three published ones: no quantity differs at one in a hundred.

    Rates are those of the unscaled fit, which is the published one.
    """
    table = fit_pairs(default_fit.curves, scaling="none").to_pandas()
    table["ratio"] = table["eta_h"] / table["eta_y"]
    for quantity in ("first_h2", "last_h2", "eta_h", "eta_y", "ratio"):
        known = [value for case, value in published("two-points", quantity).items() if case.startswith("default ")]
        assert len(known) == 3
        assert ttest_ind(np.log(table[quantity]), np.log(known)).pvalue > 0.01, quantity


def test_training_loss_is_the_means_and_the_differences(default_networks, default_curves):
    """Here the task has one output, so the training loss averages over nothing else than the pair."""
    np.testing.assert_allclose(default_networks.loss, default_curves.loss[:, 0], rtol=1e-5, atol=1e-6)


def test_mean_is_learned_first(default_curves):
    """Half of the mean's loss of 0.4546 is gone after 28 to 32 steps in the mean over seeds, 27 to 33 in each."""
    mean = 0.5 * default_curves.mean_error[:, 0]
    np.testing.assert_allclose(mean[:, 0], 0.4546, atol=3e-4)
    half = [np.interp(-0.5 * one[0], -one[:100], np.arange(100)) for one in mean]
    assert 28 < np.mean(half) < 32
    assert 27 < min(half) <= max(half) < 33
    assert np.all(mean[:, 300:] < 1e-3)


def test_difference_stays_on_its_plateau_and_then_falls(default_curves):
    """At dy2/8 while the mean is learned, and for hundreds of steps more; then down, but for small steps.

    The published ones rise by at most 2e-4; where a network leaves its plateau is decided by rounding, and so is this:
    2.0e-4 on one machine, more on another.
    """
    difference = default_curves.loss[:, 0] - 0.5 * default_curves.mean_error[:, 0]
    np.testing.assert_allclose(difference[:, :150], 0.5 / 8, atol=5e-4)
    np.testing.assert_allclose(difference[:, :300], 0.5 / 8, rtol=0.03)
    assert np.all(np.diff(difference, axis=1) <= 4e-4)
    assert np.all(difference[:, -1] < 1e-6)


# ── Pairs of images ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def digits():
    """The study of image pairs, its trajectories and its answer; a seventh of the steps unless in full."""
    study = MnistPair() if FULL else MnistPair(steps=800)
    name = study.network.name
    (job,) = study.jobs().values()
    ((_, trajectory),) = train_zoo([job], MemoryStore())
    return study, trajectory, study.analyse({name: trajectory})


def distances(trajectory, layer, pair):
    """Curves of one pair of every network, by the definition."""
    i, j = (trajectory.items.index(item) for item in pair.split(" – "))
    hidden = trajectory.representation(layer).astype(np.float64)
    outputs, targets = trajectory.outputs.astype(np.float64), trajectory.targets.astype(np.float64)
    dh, dy = hidden[:, :, j] - hidden[:, :, i], outputs[:, :, j] - outputs[:, :, i]
    target, dx = targets[j] - targets[i], trajectory.inputs[j].astype(np.float64) - trajectory.inputs[i]
    return np.stack([(dh**2).sum(-1), (dy**2).sum(-1), (dy * (dy - target)).sum(-1)], axis=1), dx @ dx, target @ target


def explained(measured, predicted):
    return 1 - np.sum((measured - predicted) ** 2) / np.sum((measured - measured.mean()) ** 2)


def test_study_of_images_compares_every_pair_of_every_network(digits):
    study, trajectory, result = digits
    pairs = result.table("pairs")
    count = len(trajectory.items)
    assert len(study.seeds) == 5
    assert count * (count - 1) // 2 >= 100
    assert len(pairs) == 5 * count * (count - 1) // 2
    assert not pairs.duplicated(["seed", "pair"]).any()
    assert np.isfinite(trajectory.loss).all()
    agreeing = pairs["kind"] == "same class"
    np.testing.assert_array_equal(agreeing, [a.split()[0] == a.split(" – ")[1].split()[0] for a in pairs["pair"]])
    assert np.all(pairs.loc[agreeing, "dy2"] == 0)
    np.testing.assert_allclose(pairs.loc[~agreeing, "dy2"], 2)


def test_shares_are_those_of_the_pairs(digits):
    _, _, result = digits
    pairs, shares = result.table("pairs"), result.table("shares")
    columns = list(SCORED)
    assert len(shares) == 2 * len(columns)
    for kind, some in shares.groupby("pairs", sort=False):
        for column, (_, row) in zip(columns, some.iterrows(), strict=True):
            values = pairs.loc[pairs["kind"] == kind, column].to_numpy()
            values = values[~np.isnan(values)]
            assert row["number"] == len(values)
            if not len(values):  # a part of the steps pins no rates down
                assert np.isnan([row["quantile_50"], row["quantile_10"], row["share_above_0.9"]]).all()
                continue
            assert row["quantile_50"] == pytest.approx(np.median(values))
            assert row["quantile_10"] == pytest.approx(np.quantile(values, 0.1))
            assert row["share_above_0.9"] == pytest.approx(np.mean(values > 0.9))


def some_pairs(pairs, number=12):
    """Spread over the table, of both kinds."""
    chosen = []
    for kind in ("different classes", "same class"):
        fitted = pairs.index[(pairs["kind"] == kind) & pairs["theory_h2"].notna() & pairs["logistic_h2"].notna()]
        chosen += [*fitted[np.linspace(0, len(fitted) - 1, number // 2).round().astype(int)]]
    assert len(chosen) == number
    return pairs.loc[chosen]


def test_rates_of_image_pairs_give_the_variance_explained_that_is_reported(digits):
    study, trajectory, result = digits
    steps, layer = trajectory.steps.astype(np.float64), study.network.layer
    for _, row in some_pairs(result.table("pairs")).iterrows():
        curves, dx2, dy2 = distances(trajectory, layer, row["pair"])
        measured = curves[trajectory.seeds.tolist().index(row["seed"])]
        assert row["dx2"] == pytest.approx(dx2, rel=1e-9)
        theory = PairTheory(row["eta_h"], row["eta_y"], dx2, dy2)
        state = solve(theory, PairState(*measured[:, 0]), steps).state
        for name, curve in zip(CURVES, measured, strict=True):
            assert row[f"r2_{name}"] == pytest.approx(explained(curve, getattr(state, name)), abs=1e-6)
        assert row["first_h2"] == pytest.approx(measured[0, 0], rel=1e-9)
        assert row["last_h2"] == pytest.approx(measured[0, -1], rel=1e-9)


def lowest(deviations, guesses):
    searches = [least_squares(deviations, guess, xtol=1e-12, ftol=1e-12, max_nfev=200) for guess in guesses]
    return min(searches, key=lambda search: search.cost)


def test_predictions_of_the_second_half_have_not_seen_it(digits):
    """Fitted again with scipy to the first half of the steps, from many starts, and scored on the second."""
    study, trajectory, result = digits
    steps = trajectory.steps.astype(np.float64)
    half = round(len(steps) / 2)
    rng = np.random.default_rng(0)
    guesses = np.log(10.0 ** rng.uniform(-6, 0, (40, 2)))
    compared = 0
    for _, row in some_pairs(result.table("pairs")).iterrows():
        curves, dx2, dy2 = distances(trajectory, study.network.layer, row["pair"])
        measured = curves[trajectory.seeds.tolist().index(row["seed"])]
        start, unit = PairState(*measured[:, 0]), measured[:, :half].std(axis=1, keepdims=True)

        def followed(log, start=start, dx2=dx2, dy2=dy2):
            state = solve(PairTheory(*np.exp(np.clip(log, -60, 60)), dx2, dy2), start, steps).state
            return np.stack([state.h2, state.y2, state.w])

        def deviations(log, followed=followed, measured=measured, unit=unit):
            return ((followed(log) - measured)[:, :half] / unit).ravel()

        found = lowest(deviations, guesses)
        if np.abs(found.x).max() < 30:  # a rate that tends to zero ends where a search gets tired
            compared += 1
            predicted = followed(found.x)
            for name, curve, one in zip(CURVES, measured, predicted, strict=True):
                reported = row[f"theory_{name}"]
                assert reported == pytest.approx(explained(curve[half:], one[half:]), abs=1e-3, rel=1e-3)

        def plain(log, first=measured[0, 0]):
            height, rate = (np.array(np.exp(np.clip(value, -60, 60))) for value in log)
            return Logistic(np.array(first), height, rate, 0.0).predict(steps)

        def plain_deviations(log, plain=plain, measured=measured):
            return (plain(log) - measured[0])[:half] / measured[0, :half].std()

        spread = [np.log([a * measured[0].max(), b / steps[-1]]) for a in (0.3, 1, 3) for b in (0.3, 1, 3, 10, 30, 100)]
        found = lowest(plain_deviations, spread)
        if np.abs(found.x).max() < 30:
            compared += 1
            expected = explained(measured[0, half:], plain(found.x)[half:])
            assert row["logistic_h2"] == pytest.approx(expected, abs=1e-3, rel=1e-3)
    assert compared >= 10
