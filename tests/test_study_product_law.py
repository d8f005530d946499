"""The study of the product law, on networks that end where the test says, and on some that were really trained."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from synthetic import changed, gone
from syzygy.errors import SpecificationError
from syzygy.fitting.power_law import law_error, power_law
from syzygy.networks import catalogue, setting
from syzygy.published import chance, published
from syzygy.store import MemoryStore
from syzygy.studies import study
from syzygy.studies.tables.laws import layer_of
from syzygy.theory import PairState, PairTheory, solve
from syzygy.training import gathered, train_zoo
from syzygy.trajectory import Trajectory

STEPS = np.arange(0, 6001, 40)
DX, DY = (0.5, 1.0, 1.5), (0.0, 0.25, 1.0)
REFERENCE = Path(__file__).parents[1].parent / "shared" / "reference" / "rich_shallow.npz"
GRID = [(dx, dy) for dx in DX for dy in DY]
RATE = 0.012  # of the growth of every distance: all have ended well before the last step


def network(dx, dy, ratio, seeds, starts, gains=0.0, steps=STEPS):
    """Networks that follow the theory of one pair to its end, ``‖dy‖² = gain·‖dh‖²`` at the start, along the target."""
    h2 = np.broadcast_to(np.asarray(starts, dtype=float), len(seeds))
    y2, root = gains * h2, np.sqrt(ratio)
    speed = RATE / (dx * (dy or 0.5))
    theory = PairTheory(np.full(len(h2), speed * root), speed / root, dx**2, dy**2)
    state = solve(theory, PairState(h2, y2, y2 - np.sqrt(y2) * dy), steps).state
    along = (state.y2 - state.w) / dy if dy else np.sqrt(state.y2)
    outputs = (0.6 + dy * np.arange(2))[:, None, None] + np.array([-0.5, 0.5])[:, None, None] * (along - dy)
    outputs = outputs.transpose(1, 2, 0)[..., None]
    hidden = np.zeros((*state.h2.shape, 2, 3))
    hidden[:, :, 1, 2] = np.sqrt(state.h2)
    targets = np.array([[0.6], [0.6 + dy]])
    return Trajectory.of(
        steps=steps,
        loss=0.5 * np.square(outputs - targets).mean((2, 3)),
        outputs=outputs,
        representations={"hidden.1": hidden},
        inputs=np.array([[-1.0], [-1.0 + dx]]),
        targets=targets,
        items=("A", "B"),
        seeds=seeds,
    )


def stuck(trajectory, network, loss):
    """The same with one network's loss at a level from the start."""
    losses = trajectory.loss.copy()
    losses[network] = loss
    tree = trajectory.tree.copy(deep=True)
    tree["loss"] = xr.DataArray(losses, dims=tree["loss"].dims)
    return Trajectory(tree)


def asked(**keys):
    return study(
        {"study": "product-law", "networks": "shallow", "seeds": "0..3", "grid_networks": 1}
        | {"grid_dx": DX, "grid_dy": DY}
        | keys
    )


def grid(made, ratio, starts=1e-9, gains=0.0, name="shallow"):
    """Trajectories of a whole study; ``ratio`` of a grid network is a number, or a function of dx and dy."""
    found, of = {}, ratio if callable(ratio) else lambda _dx, _dy: ratio
    for job, what in made.jobs().items():
        if job == name:
            found[job] = network(1.0, np.sqrt(0.5), of(1.0, np.sqrt(0.5)), what.seeds, starts)
        elif job.startswith(f"{name}, "):
            dx, dy = (np.sqrt(what.options[key]) for key in ("dx2", "dy2"))
            start = starts * (1 + 0.1 * np.arange(len(what.seeds)))
            found[job] = network(dx, dy, of(dx, dy), what.seeds, start, gains)
    return found


def power(constant, a, b):
    """The ratio with which the theory, from a small start, ends at ``constant·dx^a·dy^b``."""
    return lambda dx, dy: (constant * dx ** (a - 1) * (dy or 1.0) ** (b - 1)) ** 2


def table(result):
    return result.table("rows").set_index("network").loc["shallow"]


# Laws that are known


@pytest.mark.parametrize(("a", "b"), [(1, 1), (2 / 3, 4 / 3), (1.3, 0.45)])
def test_a_known_law_is_recovered(a, b):
    made = asked(grid_dy=(0.25, 0.6, 1.0))
    result = made.analyse(grid(made, power(0.7, a, b)))
    row = table(result)
    np.testing.assert_allclose([row["power_dx"], row["power_dy"]], [a, b], atol=1e-6)
    np.testing.assert_allclose([row["power_dx_low"], row["power_dy_high"]], [a, b], atol=1e-6)
    np.testing.assert_allclose([row["depth_dx"], row["depth_dy"]], [2 / 3, 4 / 3])
    claims = {name: result.claim(name) for name in ("product-law", "depth-law", "better-law")}
    assert claims["product-law"].cases == {"shallow": pytest.approx(max(abs(a - 1), abs(b - 1)), abs=1e-6)}
    assert claims["depth-law"].cases == {"shallow": pytest.approx(max(abs(a - 2 / 3), abs(b - 4 / 3)), abs=1e-6)}
    assert (claims["product-law"].verdict == "holds") is ((a, b) == (1, 1))
    assert (claims["depth-law"].verdict == "holds") is (a == 2 / 3)
    points = [(dx, dy) for dx in DX for dy in (0.25, 0.6, 1.0)]
    lasts = np.array([dx**a * dy**b for dx, dy in points])
    for name, law in (("product", (1, 1)), ("depth", (2 / 3, 4 / 3))):
        shape = np.array([dx ** law[0] * dy ** law[1] for dx, dy in points])
        share = np.exp(np.log(lasts / shape).mean()) * shape / lasts
        assert row[f"{name}_error"] == pytest.approx(np.abs(share - 1).mean(), abs=1e-6)


def test_networks_that_follow_the_theory_are_predicted_from_others():
    """Not from zero: the initialisation's share counts, and is each network's own."""
    made = asked(grid_networks=2)
    seen = grid(made, 0.5, starts=0.05, gains=0.1)
    result = made.analyse(seen)
    networks, row = result.table("networks"), table(result)
    assert len(networks) == 18
    for one in networks.itertuples():
        kappa = 0.5 * one.dx**2
        high, low = one.first_h2 - kappa * 0.1, np.sqrt(kappa) * one.dy
        assert one.out_of_sample == pytest.approx(high / 2 + np.sqrt(high**2 / 4 + low**2), rel=1e-4, abs=1e-6)
        assert one.a_high == pytest.approx(high, abs=1e-4)
    apart = networks[networks["dy"] > 0]
    np.testing.assert_allclose(apart["out_of_sample"], apart["measured"], rtol=1e-3)
    np.testing.assert_allclose(apart["in_sample"], apart["measured"], rtol=1e-3)
    assert row["ratio"] == pytest.approx(0.5, rel=1e-4)
    for name in ("correlation", "r2"):
        assert row[name] == pytest.approx(1, abs=1e-3)
    for name in ("correlation", "distance"):
        claim = result.claim(name)
        assert claim.verdict == "holds"
        assert claim.seeds == (*range(4), *range(1000, 1018))
        assert claim.published == published("product-law", name)
        assert claim.expectation.sample == "out of sample"


def test_agreeing_targets_keep_their_start_or_merge():
    made = asked()
    for gain, merges in ((0.02, False), (3.0, True)):
        networks = made.analyse(grid(made, 0.5, starts=0.05, gains=gain)).table("networks")
        agreeing = networks[networks["dy"] == 0]
        high = 0.05 - 0.5 * agreeing["dx"] ** 2 * gain
        np.testing.assert_allclose(agreeing["a_high"], high, rtol=1e-4)
        np.testing.assert_allclose(agreeing["out_of_sample"], np.maximum(high, 0), rtol=1e-4, atol=1e-12)
        assert (agreeing["out_of_sample"] == 0).all() == merges


# Out of sample


def test_predictions_have_not_seen_the_end():
    """Other ends: what is measured changes, what is predicted with rates from elsewhere does not."""
    made = asked()
    seen = grid(made, 0.5, starts=0.02)
    before = made.analyse(seen).table("networks")
    moved = {name: changed(one, 0, 1, hidden=1.5) if "," in name else one for name, one in seen.items()}
    after = made.analyse(moved).table("networks")
    np.testing.assert_allclose(after["measured"], 1.5**2 * before["measured"])
    np.testing.assert_array_equal(after["out_of_sample"], before["out_of_sample"])
    apart = before["dy"] > 0
    assert (after["in_sample"] / before["in_sample"] > 1.5)[apart].all()
    rates = network(1.0, np.sqrt(0.5), 2.0, range(4), 1e-6)
    other = made.analyse(seen | {"shallow": rates}).table("networks")
    np.testing.assert_array_equal(other["in_sample"], before["in_sample"])
    assert (other["out_of_sample"] / before["out_of_sample"] > 1.5)[apart].all()


def test_rates_are_averaged_over_those_that_learned():
    made, ratios = asked(seeds="0..4"), np.array([0.2, 0.4, 0.8, 7.0, 9.0])
    parts = [network(1.0, np.sqrt(0.5), ratio, [seed], 1e-6) for seed, ratio in enumerate(ratios)]
    whole = Trajectory.join(parts)
    whole = stuck(whole, 3, 0.02)
    whole = gone(whole, 4, 120, "diverged")
    row = table(made.analyse(grid(made, 0.5) | {"shallow": whole}))
    assert row["rate_networks"] == 3
    assert row["ratio"] == pytest.approx(0.4, rel=1e-4)
    assert row["ratio_scatter"] == pytest.approx(np.log(2), rel=1e-4)


def test_the_published_stop_is_read_too():
    made = asked()
    seen = grid(made, 0.5)
    result = made.analyse(seen)
    networks, readings = result.table("networks"), result.table("exponents").set_index("reading")
    for job, one in seen.items():
        if job != "shallow":
            dx, dy = (float(part[3:]) for part in job.split(", ")[1:])
            (row,) = networks[(networks["dx"] == dx) & (networks["dy"] == dy)].to_dict("records")
            curve = np.square(one.representation("hidden.1")[0, :, 1]).sum(-1)
            first = np.flatnonzero(one.loss[0] <= 1e-4)[0]
            assert row["measured_notebook"] == pytest.approx(curve[first], rel=1e-12)
            assert row["measured"] == pytest.approx(curve[-1], rel=1e-12)
    assert readings.loc["at the end", "dy"] == pytest.approx(1, abs=1e-6)
    assert readings.loc["of the prediction", "dx"] == pytest.approx(1, abs=1e-4)
    assert readings.loc["at loss 0.0001", "dy"] > 1.02  # small dy is further from its end


# Less than was asked


def test_networks_that_did_not_learn_are_discarded_and_counted():
    made = asked()
    seen = grid(made, power(0.7, 2 / 3, 4 / 3))
    for name, factor in (("shallow, dx 0.50, dy 0.25", 3.0), ("shallow, dx 1.00, dy 1.00", 0.1)):
        seen[name] = stuck(changed(seen[name], 0, 1, hidden=factor), 0, 2e-3)
    seen["shallow, dx 1.50, dy 0.25"] = gone(seen["shallow, dx 1.50, dy 0.25"], 0, 100, "diverged")
    seen["shallow, dx 1.50, dy 0.00"] = gone(seen["shallow, dx 1.50, dy 0.00"], 0, 0, "diverged")
    del seen["shallow, dx 0.50, dy 0.00"]
    result = made.analyse(seen)
    row = table(result)
    assert (row["kept"], row["discarded"], row["missing"]) == (4, 4, 1)
    np.testing.assert_allclose([row["power_dx"], row["power_dy"]], [2 / 3, 4 / 3], atol=1e-6)
    assert "4 of 8 networks" in result.summary[0]
    codes = {finding.code: finding.details for finding in result.findings}
    assert "shallow, dx 0.50, dy 0.00: 1 of 1 networks are missing (seeds 1000)" in codes["SZ001"]
    assert len(codes["SZ002"]) == 2
    assert "SZ007" not in codes
    json.loads(result.to_json(), parse_constant=pytest.fail)


def test_networks_still_moving_are_counted_and_kept():
    made = asked()
    seen = grid(made, 0.5)
    name = "shallow, dx 0.50, dy 0.25"
    seen[name] = stuck(seen[name], 0, 5e-4)
    result = made.analyse(seen)
    row = table(result)
    assert (row["kept"], row["discarded"], row["moving"]) == (9, 0, 1)
    one = result.table("networks").query("dx == 0.5 and dy == 0.25").iloc[0]
    assert one["measured_notebook"] == one["measured"]  # never at 1e-4: read where it got to


def test_without_rates_nothing_is_predicted():
    made = asked()
    seen = grid(made, 0.5)
    del seen["shallow"]
    result = made.analyse(seen)
    assert np.isnan(table(result)["correlation"])
    assert result.claim("correlation").verdict == result.claim("distance").verdict == "not reproduced"
    assert result.claim("product-law").verdict == "holds"
    assert not any("nan" in sentence for sentence in result.summary)
    json.loads(result.to_json(), parse_constant=pytest.fail)


@pytest.mark.parametrize("part", ["rates", "nothing", "one", "agreeing", "one dx"])
def test_a_part_of_the_grid(part):
    made = asked()
    whole = grid(made, 0.5)
    names = {
        "rates": ["shallow"],
        "nothing": [],
        "one": ["shallow, dx 1.00, dy 0.25"],
        "agreeing": ["shallow", *(name for name in whole if "dy 0.00" in name)],
        "one dx": ["shallow", *(name for name in whole if "dx 1.00" in name)],
    }[part]
    result = made.analyse({name: whole[name] for name in names})
    assert not any("nan" in sentence for sentence in result.summary)
    json.loads(result.to_json(), parse_constant=pytest.fail)
    for figure in result.figures:
        assert figure.svg()
    assert result.claim("depth-law").verdict in ("undecided", "not reproduced")


def test_everything_discarded():
    made = asked()
    seen = {name: stuck(one, 0, 1.0) for name, one in grid(made, 0.5).items()}
    result = made.analyse(seen)
    assert result.summary[0].startswith("0 of 9 networks")
    assert result.claim("correlation").verdict == "not reproduced"
    for figure in result.figures:
        assert figure.svg()


def test_settings_that_the_law_of_depth_does_not_speak_of():
    made = asked(networks=["shallow", "cnn"])
    result = made.analyse(grid(made, 0.5))
    assert set(result.claim("depth-law").cases) == {"shallow"}
    assert set(result.claim("product-law").cases) == {"shallow", "cnn"}
    assert layer_of(catalogue()["default"]) == (11, 21)
    assert layer_of(setting({"like": "shallow", "name": "first", "layer": "hidden.0"})) == (1, 3)
    for name in ("cnn", "skip", "dropout", "adam"):
        assert layer_of(catalogue()[name]) is None
    deep = asked(networks=[{"like": "default", "name": "shallow"}])
    assert not deep.analyse({}).claim("better-law").cases  # the two laws are one for its middle


# Jobs


def test_jobs_train_as_asked():
    made = asked(grid_networks=3, grid_rate=0.2, grid_steps=40_000, grid_record="every 50")
    jobs = made.jobs()
    rates = jobs.pop("shallow")
    assert (rates.network.learning_rate, rates.network.steps) == (0.01, 6000)
    assert rates.asked() == study({"study": "two-points", "networks": "shallow"}).jobs()["shallow"].asked()
    assert list(jobs) == [f"shallow, dx {dx:.2f}, dy {dy:.2f}" for dx, dy in GRID]
    seeds = [seed for job in jobs.values() for seed in job.seeds]
    assert seeds == list(range(1000, 1027))
    for (dx, dy), job in zip(GRID, jobs.values(), strict=True):
        assert (job.network.steps, job.stop_loss, str(job.record)) == (40_000, 1e-6, "every 50")
        assert job.network.learning_rate == pytest.approx(0.004)
        assert job.options["dx2"] == pytest.approx(dx**2)
        assert job.options["dy2"] == pytest.approx(dy**2)
    other = asked(grid_base="halved", grid_rate=0.2, stop="notebook").jobs()["shallow, dx 1.00, dy 1.00"]
    assert other.network.learning_rate == pytest.approx(0.002)
    assert other.stop_loss == 1e-4
    assert asked(grid_stop_loss=3e-5).jobs()["shallow, dx 1.00, dy 1.00"].stop_loss == 3e-5


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"seeds": "0..4", "grid_seed": 3}, r"rates come from other networks.*\[3, 4\]"),
        ({"seeds": "1008"}, r"\[1008\]"),
        ({"grid_dx": [1.0, 1.001]}, "must differ by 0.01"),
        ({"grid_dy": [0.5, 0.5]}, "must differ by 0.01"),
    ],
)
def test_refused(keys, says):
    with pytest.raises(SpecificationError, match=says):
        asked(**keys).jobs()


@pytest.mark.parametrize("keys", [{"grid_dx": [0.0]}, {"grid_dy": [-0.1]}, {"grid_dx": []}, {"grid_networks": 0}])
def test_values_out_of_range(keys):
    with pytest.raises(SpecificationError, match=next(iter(keys))):
        asked(**keys)


# Exponents


def test_intervals_are_those_of_least_squares():
    """Where the noise is even, resampling finds the textbook's standard errors."""
    draw = np.random.default_rng(3)
    factors = np.array([point for point in GRID if point[1]] * 50)
    values = 0.7 * factors[:, 0] ** 0.6 * factors[:, 1] ** 1.3 * np.exp(0.1 * draw.standard_normal(len(factors)))
    law = power_law(factors, values)
    design = np.column_stack([np.ones(len(factors)), np.log(factors)])
    error = 0.1 * np.sqrt(np.diag(np.linalg.inv(design.T @ design)))[1:]
    np.testing.assert_allclose(law.high - law.low, 2 * 1.96 * error, rtol=0.15)
    assert ((law.low < [0.6, 1.3]) & (law.high > [0.6, 1.3])).all()
    assert power_law(factors, values).low.tolist() == law.low.tolist()
    assert power_law(factors, values, seed=1).low.tolist() != law.low.tolist()


@pytest.mark.parametrize("factors", [np.empty((0, 2)), [[1, 2], [2, 1]], [[1, 2], [1, 3], [1, 4]]])
def test_points_that_cannot_tell(factors):
    law = power_law(factors, np.ones(len(factors)))
    assert np.isnan([*law.exponents, *law.low, *law.high, law.constant]).all()
    assert law.points == len(factors)


def test_points_that_are_no_power_law_are_left_out():
    factors, values = [[1, 1], [2, 1], [1, 3], [2, 3], [1, 0], [3, 1]], [5, 10, 45, 90, 7, np.nan]
    assert power_law(factors, values).points == 4
    np.testing.assert_allclose(power_law(factors, values).exponents, [1, 2])
    assert law_error([1, 2, 0, 3], [2, 4, 9, np.nan]) == 0
    assert np.isnan(law_error([0.0, 1.0], [1.0, 1.0]))


# Networks that were trained


def trained(made, names=None):
    store, jobs = MemoryStore(), made.jobs()
    some = {name: job for name, job in jobs.items() if names is None or name in names}
    list(train_zoo([part for job in some.values() for part in job.parts()], store))
    return {name: gathered(job, store) for name, job in some.items()}


def test_a_small_real_run():
    """One hidden layer without activation: its two laws are one, and hold."""
    small = {"like": "two_layer", "name": "shallow", "width": 30, "learning_rate": 0.1, "steps": 300}
    made = asked(networks=small, grid_dx=[0.8, 1.3], grid_dy=[0.6, 1.0], grid_steps=1500)
    result = made.analyse(trained(made))
    row = table(result)
    assert (row["kept"], row["discarded"], row["moving"]) == (4, 0, 0)
    np.testing.assert_allclose([row["power_dx"], row["power_dy"]], 1, atol=0.15)
    assert row["error"] < 0.1
    assert result.claim("better-law").verdict == "undecided"


@pytest.mark.skipif(not REFERENCE.exists(), reason="the published numbers are not there")
def test_the_table_of_published_numbers_is_what_the_published_code_gave():
    with np.load(REFERENCE) as file:
        rows, eta = file["rows"], (file["eta_h"].item(), file["eta_y"].item())
    dx, dy, measured, said = np.sqrt(rows[:, 0]), np.sqrt(rows[:, 1]), rows[:, 5], rows[:, 8]
    known = {name: published("product-law", name) for name in ("last_h2", "predicted_h2")}
    for name, values in (("last_h2", measured), ("predicted_h2", said)):
        for one, two, value in zip(dx, dy, values, strict=True):
            assert known[name][f"dx {one:.2f}, dy {two:.2f}"] == pytest.approx(value, rel=1e-3)
    assert list(published("product-law", "rates").values()) == pytest.approx(eta, rel=1e-3)
    apart = dy > 0
    powers = power_law(np.column_stack([dx, dy]), measured).exponents
    assert powers == pytest.approx(list(published("product-law", "exponents").values()), abs=5e-3)
    errors = [law_error((dx**a * dy**b)[apart], measured[apart]) for a, b in ((2 / 3, 4 / 3), (1, 1))]
    np.testing.assert_allclose(errors, [0.033, 0.201], atol=5e-4)
    for name, value in {
        "correlation": np.corrcoef(measured, said)[0, 1],
        "distance": np.median(np.abs(said / measured - 1)[apart]),
        "product-law": np.abs(powers - 1).max(),
        "depth-law": np.abs(powers - [2 / 3, 4 / 3]).max(),
        "better-law": errors[0] / errors[1],
    }.items():
        assert published("product-law", name)["shallow"] == pytest.approx(value, abs=2e-4)


@pytest.mark.slow
def test_published_distances_are_within_the_scatter_of_ours():
    """Full width, the published rate, stop and step count; the published networks are of seeds of their own."""
    full = bool(os.environ.get("SYZYGY_FULL"))
    dx, dy = ((0.5, 1.0, 1.5), (0.5, 0.75, 1.0)) if full else ((1.25, 1.5), (1.0,))
    count = 5 if full else 3
    made = asked(
        networks="shallow",
        grid_dx=dx,
        grid_dy=dy,
        grid_networks=count,
        grid_rate=0.2,
        grid_steps=40_000,
        stop="notebook",
    )
    seen = trained(made, [name for name in made.jobs() if name != "shallow"])
    networks = made.analyse(seen).table("networks")
    for (one, two), some in networks.groupby(["dx", "dy"]):
        assert set(some["fate"]) == {"learned"}
        number = published("product-law", "last_h2")[f"dx {one:.2f}, dy {two:.2f}"]
        assert chance(number, some["measured_notebook"]) > 0.001
        assert some["measured_notebook"].mean() == pytest.approx(number, rel=0.06)
