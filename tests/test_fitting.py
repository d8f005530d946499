"""Fits against curves whose rates are known, against scipy, and against textbook statistics."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import least_squares
from scipy.signal import lfilter
from scipy.stats import t as student

from syzygy.errors import ShapeError, SpecificationError, UnknownName
from syzygy.fitting import PairCurves, fit_pairs, pair_curves
from syzygy.fitting.baseline import Logistic, fit_logistic
from syzygy.fitting.certainty.intervals import Interval, autocorrelation_time, covariance
from syzygy.fitting.least_squares import jacobian, levenberg_marquardt
from syzygy.fitting.problems import CURVES, Problems
from syzygy.fitting.score import deviation, last_finite, r_squared, root_mean_square
from syzygy.fitting.starts import closed_form, valleys
from syzygy.theory import PairState, PairTheory, solve
from syzygy.trajectory import Trajectory


def start_towards(theory, h2, y2, cosine):
    """A start whose output has this cosine with the target."""
    return PairState(h2, y2, y2 - cosine * np.sqrt(y2 * theory.dy2))


def curves_of(theory, start, times, eta_y_mean=0.01):
    """One pair of one network that obeys the theory, first recorded at step 100."""
    state = solve(theory, start, times).state
    return PairCurves(
        steps=times + 100.0,
        **{name: getattr(state, name)[None, None] for name in CURVES},
        mean_error=0.9 * np.exp(-2 * eta_y_mean * times)[None, None],
        dx2=np.atleast_1d(theory.dx2),
        dy2=np.atleast_1d(theory.dy2),
        pairs=(("a", "b"),),
    )


def with_noise(curves, share, *, networks=1, seed=0, memory=0.0):
    """Many networks: the curves with AR(1) noise in units of each curve's deviation, and the exact start."""
    rng, noisy = np.random.default_rng(seed), {}
    for name in (*CURVES, "mean_error"):
        clean = getattr(curves, name)
        noise = rng.standard_normal((networks, *clean.shape[1:]))
        noise[..., 0] /= np.sqrt(1 - memory**2)
        noise = np.sqrt(1 - memory**2) * lfilter([1], [1, -memory], noise, axis=-1)
        noise[..., 0] = 0
        noisy[name] = clean + share * deviation(clean)[..., None] * noise
    return replace(curves, **noisy)


def side_by_side(*pairs):
    """One network, several pairs."""
    joined = {name: np.concatenate([getattr(p, name) for p in pairs], axis=1) for name in (*CURVES, "mean_error")}
    data = {name: np.concatenate([getattr(p, name) for p in pairs]) for name in ("dx2", "dy2")}
    return PairCurves(pairs[0].steps, **joined, **data, pairs=tuple((str(i), "b") for i in range(len(pairs))))


EVEN = np.linspace(0, 400, 401)
LOG = np.concatenate([[0.0], np.geomspace(0.1, 400, 200)])
BASE = PairTheory(0.03, 0.06, 1.2, 0.5)
STRONG = PairTheory(0.3, 0.6, 1.2, 0.5)
AGREEING = PairTheory(0.03, 0.06, 1.2, 0.0)

#: Theory, start, steps.
REGIMES = {
    "rich": (BASE, start_towards(BASE, 1e-2, 1e-4, 1.0), EVEN),
    "rich, slow encoder": (
        PairTheory(7e-4, 4e-2, 1.0, 0.5),
        PairState(8e-4, 1e-8, 1e-8 - np.sqrt(0.5e-8)),
        np.linspace(0, 6000, 601),
    ),
    "balanced": (BASE, start_towards(BASE, 0.5, 0.2, 0.3), EVEN),
    "encoder-lazy": (BASE, start_towards(BASE, 4.0, 0.05, 0.5), EVEN / 4),
    "decoder-lazy": (BASE, start_towards(BASE, 0.1, 1.0, 0.2), EVEN),
    "antiparallel, through zero": (STRONG, start_towards(STRONG, 0.4, 0.3, -1.0), EVEN / 10),
    "antiparallel, weak decoder": (BASE, start_towards(BASE, 0.6, 0.01, -1.0), EVEN),
    "agreeing, apart": (AGREEING, start_towards(AGREEING, 1.0, 0.3, 0.0), EVEN),
    "agreeing, merging": (AGREEING, start_towards(AGREEING, 0.2, 0.5, 0.0), EVEN / 4),
    "tiny start": (BASE, start_towards(BASE, 1e-8, 1e-8, 0.5), EVEN * 2),
    "log-spaced steps": (BASE, start_towards(BASE, 1e-2, 1e-4, 0.9), LOG),
    "fast and coarse": (PairTheory(3.0, 6.0, 1.2, 0.5), start_towards(BASE, 1e-2, 1e-4, 1.0), EVEN[:40]),
}
regimes = pytest.mark.parametrize(("theory", "start", "times"), REGIMES.values(), ids=REGIMES)


# ── From a trajectory to curves ──────────────────────────────────────────────────────────────────────


def random_trajectory(networks=2, steps=3, items=4, outputs=3, seed=0):
    rng = np.random.default_rng(seed)
    return Trajectory.of(
        steps=np.arange(steps) * 5,
        loss=rng.random((networks, steps)),
        outputs=rng.standard_normal((networks, steps, items, outputs)),
        representations={
            "hidden.0": rng.standard_normal((networks, steps, items, 5)),
            "hidden.1": rng.standard_normal((networks, steps, items, 7)),
        },
        inputs=rng.standard_normal((items, 6)),
        targets=rng.standard_normal((items, outputs)),
        items=tuple("pqrs"[:items]),
        seeds=range(networks),
    )


def test_curves_are_what_a_double_loop_measures():
    seen = random_trajectory()
    chosen = [(0, 1), (3, 1), (0, 2)]
    curves = pair_curves(seen, "hidden.1", chosen)
    assert curves.pairs == (("p", "q"), ("s", "q"), ("p", "r"))
    np.testing.assert_array_equal(curves.steps, [0, 5, 10])
    hidden = seen.representation("hidden.1")
    for pair, (i, j) in enumerate(chosen):
        target = seen.targets[j] - seen.targets[i]
        assert curves.dx2[pair] == pytest.approx(np.sum((seen.inputs[j] - seen.inputs[i]) ** 2), rel=1e-12)
        assert curves.dy2[pair] == pytest.approx(np.sum(target**2), rel=1e-12)
        for network in range(2):
            for step in range(3):
                dh = hidden[network, step, j] - hidden[network, step, i]
                y = seen.outputs[network, step]
                dy, mean = y[j] - y[i], (y[i] + y[j] - seen.targets[i] - seen.targets[j]) / 2
                at = network, pair, step
                assert curves.h2[at] == pytest.approx(dh @ dh, rel=1e-12)
                assert curves.y2[at] == pytest.approx(dy @ dy, rel=1e-12)
                assert curves.w[at] == pytest.approx(dy @ (dy - target), rel=1e-12)
                assert curves.mean_error[at] == pytest.approx(mean @ mean, rel=1e-12)
                error = np.sum((y[[i, j]] - seen.targets[[i, j]]) ** 2, axis=-1)
                assert curves.loss[at] == pytest.approx(0.5 * error.mean(), rel=1e-12)


def test_every_pair_of_the_first_layer_is_measured_by_default():
    seen = random_trajectory()
    curves, chosen = pair_curves(seen), pair_curves(seen, "hidden.0", [(1, 3)])
    assert len(curves.pairs) == 6
    assert curves.h2.shape == (2, 6, 3)
    np.testing.assert_array_equal(curves.h2[:, 4], chosen.h2[:, 0])


def test_tiny_distances_are_not_lost_to_cancellation():
    """Two representations of norm 30 at a distance of 1e-9: a Gram matrix in float64 gives noise of 1e-13."""
    rng = np.random.default_rng(1)
    base, offset = rng.standard_normal(900), rng.choice([-1.0, 1.0], 900) * 2.0**-35
    hidden = np.stack([np.float32(base).astype(np.float64), np.float32(base) + offset])
    seen = random_trajectory(1, 1, 2)
    seen = Trajectory.of(
        steps=[0], loss=seen.loss, outputs=seen.outputs, representations={"layer": hidden[None, None]},
        inputs=seen.inputs, targets=seen.targets, items=seen.items, seeds=[0],
    )  # fmt: skip
    assert pair_curves(seen).h2.item() == pytest.approx(900 * 2.0**-70, rel=1e-12)


def test_single_precision_is_subtracted_in_double_precision():
    """The difference of two float32 numbers need not be a float32 number."""
    hidden = np.array([[1.0], [1e-8]], dtype=np.float32)
    seen = random_trajectory(1, 1, 2)
    seen = Trajectory.of(
        steps=[0], loss=seen.loss, outputs=seen.outputs, representations={"layer": hidden[None, None]},
        inputs=seen.inputs, targets=seen.targets, items=seen.items, seeds=[0],
    )  # fmt: skip
    exact = (1.0 - float(np.float32(1e-8))) ** 2
    assert pair_curves(seen).h2.item() == pytest.approx(exact, rel=1e-15)


def test_curves_refuse_what_was_not_recorded():
    seen = random_trajectory()
    with pytest.raises(UnknownName, match=r"hidden\.9"):
        pair_curves(seen, "hidden.9")
    for wrong in ([(0, 0)], [(0, 4)], [(-1, 0)], []):
        with pytest.raises(SpecificationError, match="among the 4 probe items"):
            pair_curves(seen, pairs=wrong)


def test_curves_must_fit_together_and_rise():
    curves = pair_curves(random_trajectory())
    with pytest.raises(ShapeError, match="w must be"):
        replace(curves, w=curves.w[:, :2])
    with pytest.raises(ShapeError, match="rise"):
        replace(curves, steps=curves.steps[::-1])


def test_curves_are_cut_by_shares_of_the_steps():
    curves = curves_of(*REGIMES["rich"])
    early, late = curves.between(0, 0.5), curves.between(0.5, 1)
    assert early.steps[0] == 100
    assert early.steps[-1] < late.steps[0]
    np.testing.assert_array_equal(np.concatenate([early.w, late.w], axis=-1), curves.w)
    np.testing.assert_array_equal(np.concatenate([early.mean_error, late.mean_error], axis=-1), curves.mean_error)
    for wrong in ((0.5, 0.5), (0.7, 0.2), (0, 1.5), (-0.5, 1)):
        with pytest.raises(SpecificationError, match="shares"):
            curves.between(*wrong)


# ── Rates are recovered ──────────────────────────────────────────────────────────────────────────────


@regimes
@pytest.mark.parametrize("scaling", ["curve", "none"])
def test_rates_of_curves_without_noise_are_recovered_exactly(theory, start, times, scaling):
    fit = fit_pairs(curves_of(theory, start, times, eta_y_mean=0.5 / times[-1]), scaling=scaling)
    assert fit.converged.all()
    assert fit.fitted.all()
    assert fit.eta_h.value.item() == pytest.approx(float(theory.eta_h), rel=1e-6)
    assert fit.eta_y.value.item() == pytest.approx(float(theory.eta_y), rel=1e-6)
    assert fit.eta_y_mean.value.item() == pytest.approx(0.5 / times[-1], rel=1e-6)
    for name in (*CURVES, "mean_error"):
        assert fit.r2[name].item() == pytest.approx(1, abs=1e-9)
    assert fit.identified.all()


@regimes
def test_rates_are_recovered_within_two_percent_from_one_percent_noise(theory, start, times):
    curves = with_noise(curves_of(theory, start, times, eta_y_mean=2 / times[-1]), 0.01, networks=24, seed=3)
    fit = fit_pairs(curves)
    assert fit.converged.all()
    for rate, truth in ((fit.eta_h, theory.eta_h), (fit.eta_y, theory.eta_y), (fit.eta_y_mean, 2 / times[-1])):
        np.testing.assert_allclose(rate.value, float(truth), rtol=0.02)
        assert np.all((rate.low < rate.value) & (rate.value < rate.high))


@pytest.mark.parametrize("decades", [-4, 4])
def test_rates_scale_with_the_unit_of_time(decades):
    theory, start, times = REGIMES["balanced"]
    curves = curves_of(theory, start, times)
    fit, other = fit_pairs(curves), fit_pairs(replace(curves, steps=curves.steps * 10.0**decades))
    for name in ("eta_h", "eta_y", "eta_y_mean"):
        ratio = getattr(other, name).value / getattr(fit, name).value
        np.testing.assert_allclose(ratio, 10.0**-decades, rtol=1e-6)


def test_many_networks_and_pairs_at_once_are_each_alone():
    names = ("rich", "balanced", "decoder-lazy", "antiparallel, weak decoder", "agreeing, apart")
    together = with_noise(side_by_side(*(curves_of(*REGIMES[name]) for name in names)), 0.05, networks=3, seed=8)
    together.h2[1, 3, 250:] = np.nan  # one of them stopped early
    together.y2[2, 1] = np.nan  # and one was never seen
    fit = fit_pairs(together)
    predicted = fit.predict()
    assert fit.fitted.sum() == 14
    for network in range(3):
        for pair in range(len(names)):
            one, columns = slice(network, network + 1), slice(pair, pair + 1)
            alone = replace(
                together,
                **{name: getattr(together, name)[one, columns] for name in (*CURVES, "mean_error")},
                dx2=together.dx2[columns], dy2=together.dy2[columns], pairs=together.pairs[columns],
            )  # fmt: skip
            single, at = fit_pairs(alone), (network, pair)
            for name in ("eta_h", "eta_y", "eta_y_mean"):
                for end in ("value", "low", "high"):
                    expected = getattr(getattr(single, name), end).item()
                    assert getattr(getattr(fit, name), end)[at] == pytest.approx(expected, rel=1e-6, nan_ok=True)
            for name in CURVES:
                assert fit.r2[name][at] == pytest.approx(single.r2[name].item(), rel=1e-9, nan_ok=True)
                np.testing.assert_allclose(
                    getattr(predicted, name)[at], getattr(single.predict(), name)[0, 0], rtol=1e-5, atol=1e-9
                )
            assert fit.converged[at] == single.converged.item()
            assert fit.identified[at] == single.identified.item()


@pytest.mark.parametrize("y2", [0.0, 1e-12, 0.3, 3.0])
def test_agreeing_pairs_never_crash(y2):
    curves = curves_of(AGREEING, PairState(0.4, y2, y2), EVEN)
    for share in (0.0, 0.1):
        fit = fit_pairs(with_noise(curves, share, seed=2))
        assert fit.fitted.all() == (y2 > 0)
        assert np.all(np.isfinite(fit.predict().h2)) == (y2 > 0)


# ── What cannot be fitted is flagged ─────────────────────────────────────────────────────────────────


def test_curves_that_cannot_be_fitted_are_flagged_and_spoil_no_other():
    good = curves_of(*REGIMES["balanced"])
    constant = replace(good, **{name: np.full_like(good.h2, 0.3) for name in (*CURVES, "mean_error")})
    zero = {name: getattr(good, name).copy() for name in CURVES}
    for values in zero.values():
        values[..., 0] = 0.0
    empty = {name: np.full_like(good.h2, np.nan) for name in (*CURVES, "mean_error")}
    short = {name: np.where(np.arange(401) < 3, getattr(good, name), np.nan) for name in (*CURVES, "mean_error")}
    late = {name: np.where(np.arange(401) > 3, getattr(good, name), np.nan) for name in (*CURVES, "mean_error")}
    fit = fit_pairs(
        side_by_side(constant, replace(good, **zero), replace(good, **empty), replace(good, **short),
                     replace(good, **late), good)
    )  # fmt: skip
    bad, last = np.s_[:, :5], np.s_[0, 5]
    for name in ("eta_h", "eta_y"):
        rate = getattr(fit, name)
        assert np.isnan(rate.value[bad]).all()
        assert np.isnan(rate.low[bad]).all()
        assert np.isnan(rate.high[bad]).all()
    assert np.isnan(fit.eta_y_mean.value[0, [0, 2, 3, 4]]).all()
    for flags in (fit.fitted, fit.converged, fit.identified):
        assert not flags[bad].any()
        assert flags[last]
    assert np.isnan(fit.objective[bad]).all()
    for values in (*(fit.r2[name] for name in CURVES), fit.final_h2, fit.relaxation_rate, fit.richness):
        assert np.isnan(values[bad]).all()
        assert np.isfinite(values[last])
    assert fit.regime.tolist() == [[""] * 5 + ["rich"]]
    assert np.isnan(fit.predict().h2[bad]).all()
    assert fit.eta_h.value[last] == pytest.approx(0.03, rel=1e-6)
    assert len(fit.to_pandas()) == 6


def test_nothing_to_fit_at_all_is_no_error():
    good = curves_of(*REGIMES["balanced"])
    fit = fit_pairs(replace(good, **{name: np.full_like(good.h2, np.nan) for name in (*CURVES, "mean_error")}))
    assert not fit.fitted.any()
    assert np.isnan(fit.predict().y2).all()
    assert fit.regime.tolist() == [[""]]
    assert not fit_pairs(good.between(0, 3 / 401)).fitted.any()


def test_networks_that_stopped_are_fitted_to_what_was_seen():
    whole = with_noise(curves_of(*REGIMES["rich"]), 0.02, seed=4)
    cut = {name: getattr(whole, name).copy() for name in (*CURVES, "mean_error")}
    for values in cut.values():
        values[..., 180:] = np.nan
    stopped, short = fit_pairs(replace(whole, **cut)), fit_pairs(whole.between(0, 180 / 401))
    for name in ("eta_h", "eta_y", "eta_y_mean"):
        for end in ("value", "low", "high"):
            got, expected = (getattr(getattr(fit, name), end).item() for fit in (stopped, short))
            assert got == pytest.approx(expected, rel=1e-4), (name, end)
    assert stopped.r2["h2"].item() == pytest.approx(short.r2["h2"].item(), abs=1e-9)
    assert np.isfinite(stopped.predict().h2).all()
    assert stopped.to_pandas()["last_h2"].item() == cut["h2"][0, 0, 179]


def test_one_constant_curve_does_not_count_but_does_not_hinder():
    """A frozen representation: ‖dh‖² is constant, ‖dy‖² and w still tell eta_y."""
    theory = PairTheory(1e-30, 0.06, 1.0, 0.5)
    fit = fit_pairs(with_noise(curves_of(theory, start_towards(theory, 1.0, 0.01, 1.0), EVEN), 0.01, networks=5))
    assert np.isnan(fit.r2["h2"]).all()
    np.testing.assert_allclose(fit.eta_y.value, 0.06, rtol=0.02)
    assert np.all(fit.r2["y2"] > 0.999)
    assert not fit.identified.any()
    assert not np.any(fit.eta_h.high < 2 * fit.eta_h.value)


def test_another_scaling_is_refused():
    with pytest.raises(SpecificationError, match="'curve' or 'none'"):
        fit_pairs(curves_of(*REGIMES["rich"]), scaling="log")


# ── The objective, and that it is the lowest ─────────────────────────────────────────────────────────


def doubled_outputs(theory, start, times):
    """Curves of another theory: Y' doubled."""

    def change(_, values):
        rate = theory.rate(PairState(*values))
        return [rate.h2, 2 * rate.y2, rate.w]

    solved = solve_ivp(change, (0, times[-1]), [start.h2, start.y2, start.w], "LSODA", times, rtol=1e-9, atol=1e-12)
    assert solved.success
    curves = curves_of(theory, start, times)
    return replace(curves, **{name: solved.y[i][None, None] for i, name in enumerate(CURVES)})


def three_logistics(theory, start, times):
    """Curves of no theory, with an overshoot."""
    curves = curves_of(theory, start, times)
    rise = 1 / (1 + np.exp(-(times - 120) / 25))
    bump = 0.3 * np.exp(-(((times - 170) / 30) ** 2))
    shape = {"h2": 0.6 * (rise + bump), "y2": 0.5 * rise, "w": 0.5 * (rise - np.sqrt(np.maximum(rise, 0)))}
    moved = {name: values - values[0] + getattr(curves, name)[0, 0, 0] for name, values in shape.items()}
    return replace(curves, **{name: values[None, None] for name, values in moved.items()})


HARD = {
    "noisy rich": with_noise(curves_of(*REGIMES["rich"]), 0.3, seed=1),
    "noisy decoder-lazy": with_noise(curves_of(*REGIMES["decoder-lazy"]), 0.3, seed=2),
    "noisy antiparallel": with_noise(curves_of(*REGIMES["antiparallel, through zero"]), 0.3, seed=3),
    "noisy log-spaced": with_noise(curves_of(*REGIMES["log-spaced steps"]), 0.3, seed=4),
    "noisy agreeing": with_noise(curves_of(*REGIMES["agreeing, apart"]), 0.3, seed=5),
    "noisy tiny start": with_noise(curves_of(*REGIMES["tiny start"]), 0.3, seed=6, memory=0.9),
    "doubled outputs, rich": doubled_outputs(*REGIMES["rich"]),
    "doubled outputs, balanced": doubled_outputs(*REGIMES["balanced"]),
    "logistics": three_logistics(*REGIMES["rich"]),
}


@pytest.mark.parametrize("curves", HARD.values(), ids=HARD)
@pytest.mark.parametrize("scaling", ["curve", "none"])
def test_objective_is_never_above_the_best_of_thirty_searches_by_scipy(curves, scaling):
    times = curves.steps - curves.steps[0]
    measured = np.stack([getattr(curves, name)[0, 0] for name in CURVES])
    unit = np.ones((3, 1)) if scaling == "none" else measured.std(axis=1, keepdims=True) * np.sqrt(len(times))
    start = PairState(*measured[:, 0])

    def deviations(log):
        theory = PairTheory(*np.exp(np.clip(log, -200, 200)), curves.dx2[0], curves.dy2[0])
        state = solve(theory, start, times).state
        return ((np.stack([state.h2, state.y2, state.w]) - measured) / unit).ravel()

    rng, lowest = np.random.default_rng(11), np.inf
    for _ in range(30):
        guess = np.log(10.0 ** rng.uniform(-4, 1, 2))
        lowest = min(lowest, 2 * least_squares(deviations, guess, x_scale=1.0, max_nfev=60).cost)
    fit = fit_pairs(curves, scaling=scaling)
    assert fit.objective.item() <= lowest * (1 + 1e-6)
    rates = np.log([fit.eta_h.value.item(), fit.eta_y.value.item()])
    assert fit.objective.item() == pytest.approx(np.sum(deviations(rates) ** 2), rel=1e-9)


def test_unscaled_objective_is_the_sum_of_squares_and_scaled_one_the_unexplained_variance():
    curves = HARD["noisy rich"]
    curves.h2[0, 0, 300:] = np.nan
    for scaling in ("curve", "none"):
        fit = fit_pairs(curves, scaling=scaling)
        left = {name: (getattr(fit.predict(), name) - getattr(curves, name))[..., :300] for name in CURVES}
        if scaling == "none":
            expected = sum(np.sum(values**2) for values in left.values())
        else:  # about the mean of the steps at which all three were seen
            expected = sum(
                np.mean(values**2) / np.var(getattr(curves, name)[..., :300]) for name, values in left.items()
            )
        assert fit.objective.item() == pytest.approx(expected, rel=1e-9)


def test_scaling_decides_which_curve_rules():
    curves = doubled_outputs(*REGIMES["balanced"])
    scaled, plain = fit_pairs(curves), fit_pairs(curves, scaling="none")
    assert abs(np.log(scaled.eta_h.value / plain.eta_h.value)).item() > 0.01

    def worst(fit):
        return sum(1 - fit.r2[name].item() for name in CURVES)

    assert worst(scaled) < worst(plain)
    assert scaled.objective.item() == pytest.approx(worst(scaled), rel=1e-9)


# ── Starts of the search ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["rich", "balanced", "decoder-lazy", "antiparallel, through zero", "tiny start"])
def test_closed_form_start_has_the_exact_ratio_and_rates_up_to_the_error_of_trapezoids(name):
    """Their ratio is an identity of the theory at any steps; ∫w is summed by trapezoids, of second order."""
    theory, start, times = REGIMES[name]
    errors = []
    for count in (101, 201, 401):
        problems = Problems(curves_of(theory, start, np.linspace(0, times[-1], count)), "curve")
        log = closed_form(problems, problems.usable)[0]
        assert np.exp(log[0] - log[1]) == pytest.approx(float(theory.eta_h / theory.eta_y), rel=1e-6)
        errors.append(abs(np.exp(log[0]) / float(theory.eta_h) - 1))
    assert errors[-1] < 1e-2
    assert errors[1] < errors[0] / 3
    assert errors[2] < errors[1] / 3


def test_closed_form_start_is_left_out_where_it_is_negative():
    curves = curves_of(*REGIMES["balanced"])
    problems = Problems(replace(curves, w=-curves.w), "curve")
    assert np.isnan(closed_form(problems, problems.usable)).all()
    assert np.isfinite(valleys(problems, problems.usable)).all()


@regimes
def test_scan_alone_finds_the_valley(theory, start, times, monkeypatch):
    monkeypatch.setattr("syzygy.fitting.starts.closed_form", lambda _, chosen: np.full((len(chosen), 2), np.nan))
    fit = fit_pairs(curves_of(theory, start, times))
    assert fit.eta_h.value.item() == pytest.approx(float(theory.eta_h), rel=1e-6)
    assert fit.eta_y.value.item() == pytest.approx(float(theory.eta_y), rel=1e-6)


# ── Many small least-squares problems ────────────────────────────────────────────────────────────────


def exponentials(seed=0, problems=12):
    """Noisy decays to a batch of different problems."""
    rng, times = np.random.default_rng(seed), np.linspace(0, 5, 60)
    height, rate = np.exp(rng.uniform(-1, 1, (2, problems)))[..., None]
    data = height * np.exp(-rate * times) + 0.05 * rng.standard_normal((problems, 60))

    def residuals(theta, rows):
        assert len(theta) == len(rows)
        return np.exp(theta[:, :1] - np.exp(theta[:, 1:]) * times) - data[rows]

    return residuals, times


def test_batch_of_exponentials_ends_where_scipy_ends():
    residuals, _ = exponentials()
    found = levenberg_marquardt(residuals, np.zeros((12, 2)))
    assert found.converged.all()
    for problem in range(12):
        rows = np.array([problem])
        alone = least_squares(lambda x, rows=rows: residuals(x[None], rows)[0], [0.0, 0.0], xtol=1e-12, ftol=1e-12)
        np.testing.assert_allclose(found.theta[problem], alone.x, atol=1e-6)
        assert found.cost[problem] == pytest.approx(2 * alone.cost, rel=1e-9)


def test_curved_valleys_are_followed_to_their_end():
    """Rosenbrock's: 100 (y − x²)² + (c − x)², from the customary start, for several c at once."""
    targets = np.array([1.0, -1.5, 0.3, 2.0])

    def residuals(theta, rows):
        return np.stack([10 * (theta[:, 1] - theta[:, 0] ** 2), targets[rows] - theta[:, 0]], axis=1)

    found = levenberg_marquardt(residuals, np.tile([-1.2, 1.0], (4, 1)), iterations=300)
    assert found.converged.all()
    np.testing.assert_allclose(found.theta, np.stack([targets, targets**2], axis=1), atol=1e-6)


def test_searches_that_are_cut_short_or_start_at_infinity_do_not_converge():
    residuals, _ = exponentials()
    start = np.zeros((12, 2))
    assert not levenberg_marquardt(residuals, start, iterations=1).converged.any()
    start[0] = np.nan
    found = levenberg_marquardt(residuals, start)
    assert found.converged.tolist() == [False] + [True] * 11
    assert found.cost[0] == np.inf
    np.testing.assert_array_equal(start[1:], 0)  # what was given is left alone


def test_searches_never_climb():
    residuals, _ = exponentials(seed=3)
    costs = [levenberg_marquardt(residuals, np.full((12, 2), 2.0), iterations=n).cost for n in range(8)]
    assert np.all(np.diff(costs, axis=0) <= 0)


def test_slopes_are_the_analytic_derivatives():
    residuals, times = exponentials()
    theta, rows = np.random.default_rng(5).uniform(-1, 1, (4, 2)), np.array([7, 0, 3, 3])
    value = np.exp(theta[:, :1] - np.exp(theta[:, 1:]) * times)
    analytic = np.stack([value, -value * np.exp(theta[:, 1:]) * times], axis=1)
    central = jacobian(residuals, theta, rows)
    forward = jacobian(residuals, theta, rows, residuals(theta, rows))
    np.testing.assert_allclose(central, analytic, atol=1e-8)
    np.testing.assert_allclose(forward, analytic, atol=2e-5)


# ── How sure a rate is ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9])
def test_autocorrelation_time_of_ar1_noise(memory):
    """(1 + a)/(1 − a), within 10% in the mean over forty series of twenty thousand steps."""
    noise = np.random.default_rng(6).standard_normal((40, 20_000))
    series = lfilter([1], [1, -memory], noise, axis=-1)
    time = autocorrelation_time(series[None], np.array([20_000]))
    assert time.mean() == pytest.approx((1 + memory) / (1 - memory), rel=0.1)


def test_autocorrelation_time_is_the_sum_up_to_the_first_negative_correlation():
    """Of a short slow series, where wrapping round its end would show."""
    series = np.linspace(1, -1, 30) + 0.1 * np.random.default_rng(4).standard_normal((3, 30))
    (found,) = autocorrelation_time(series[None], np.array([30]))
    for row, time in zip(series, found, strict=True):
        expected = 1.0
        for lag in range(1, 30):
            correlation = row[lag:] @ row[:-lag] / (row @ row)
            if correlation <= 0:
                break
            expected += 2 * correlation
        assert time == pytest.approx(expected, rel=1e-9)
        assert time < 15


def test_autocorrelation_time_lies_between_one_and_half_of_the_steps():
    alternating = np.where(np.arange(100) % 2, 1.0, -1.0)
    rows = np.stack([alternating, np.ones(100), np.zeros(100)])
    np.testing.assert_array_equal(autocorrelation_time(rows[None], np.array([100])), [[1, 50, 1]])
    np.testing.assert_array_equal(autocorrelation_time(rows[None], np.array([40])), [[1, 20, 1]])


def linear_problem(seed, curves=1, steps=200, sizes=(1.0,)):
    """A straight-line fit to several curves: residuals, the design and what is left at the minimum."""
    rng = np.random.default_rng(seed)
    design = rng.standard_normal((curves, steps, 2))
    noise = np.array(sizes)[:, None] * rng.standard_normal((curves, steps))
    flat, data = design.reshape(-1, 2), noise.ravel()
    best = np.linalg.lstsq(flat, data, rcond=None)[0]

    def residuals(theta, rows):
        return theta @ flat.T - data + 0 * rows[:, None]

    return residuals, best[None], design, (flat @ best - data).reshape(curves, steps)


def test_covariance_is_the_textbooks_for_white_noise():
    """One curve, s²(XᵀX)⁻¹ with s² = SSE/(n − p), times an autocorrelation time of one."""
    checked = 0
    for seed in range(8):
        residuals, best, design, left = linear_problem(seed)
        time = autocorrelation_time(left[None], np.array([200])).item()
        spread, freedom = covariance(residuals, best, np.ones((1, 200), dtype=bool), 1)
        textbook = np.sum(left**2) / 198 * np.linalg.inv(design[0].T @ design[0])
        np.testing.assert_allclose(spread[0], time * textbook, rtol=1e-5)
        assert freedom.item() == pytest.approx(200 / time - 2)
        checked += time == 1
    assert checked >= 2


def test_covariance_of_several_curves_knows_the_noise_of_each():
    residuals, best, design, left = linear_problem(3, curves=2, sizes=(1.0, 10.0))
    spread, _ = covariance(residuals, best, np.ones((1, 200), dtype=bool), 2)
    times = autocorrelation_time(left[None], np.array([200]))[0]
    bread = np.linalg.inv(sum(x.T @ x for x in design))
    filling = sum(t * np.sum(r**2) / 199 * x.T @ x for t, r, x in zip(times, left, design, strict=True))
    np.testing.assert_allclose(spread[0], bread @ filling @ bread, rtol=1e-5)


def test_covariance_is_infinite_where_parameters_cannot_be_told_apart():
    design = np.linspace(0, 1, 50)

    def residuals(theta, rows):
        return theta.sum(axis=1, keepdims=True) * design - np.sin(9 * design) + 0 * rows[:, None]

    def one_is_idle(theta, rows):
        return theta[:, :1] * design - np.sin(9 * design) + 0 * rows[:, None]

    for problem in (residuals, one_is_idle):
        spread, _ = covariance(problem, np.zeros((1, 2)), np.ones((1, 50), dtype=bool), 1)
        assert np.isinf(spread).all()


def test_interval_is_students_and_symmetric_in_the_logarithm():
    interval = Interval.of_log(np.log([2.0]), np.array([0.01]), np.array([5.0]))
    half = student.ppf(0.975, 5) * 0.1
    assert interval.high.item() == pytest.approx(2 * np.exp(half))
    assert interval.low.item() == pytest.approx(2 * np.exp(-half))
    assert interval.value.item() == pytest.approx(2)
    endless = Interval.of_log(np.zeros(1), np.array([np.inf]), np.array([5.0]))
    assert (endless.low.item(), endless.high.item()) == (0, np.inf)


@pytest.mark.parametrize("memory", [0.0, 0.9])
@pytest.mark.parametrize("name", ["rich", "balanced", "decoder-lazy"])
def test_intervals_cover_the_true_rates(name, memory):
    """95% intervals cover in 300 trajectories: 0.95 ± 4 binomial errors for white noise.

    With noise that remembers ten steps, 2,000 steps hold about a hundred independent ones, and the estimated time
    is a little short: at least 0.91, at most 0.99.
    """
    theory, start, times = REGIMES[name]
    clean = curves_of(theory, start, np.linspace(0, times[-1], 2000 if memory else 400))
    fit = fit_pairs(with_noise(clean, 0.02, networks=300, seed=21, memory=memory))
    assert fit.identified.all()
    for rate, truth in ((fit.eta_h, theory.eta_h), (fit.eta_y, theory.eta_y), (fit.eta_y_mean, 0.01)):
        covered = np.mean((rate.low < truth) & (truth < rate.high))
        assert (0.9 if not memory else 0.91) <= covered <= 0.99


def test_noise_that_remembers_widens_intervals():
    """By √((1 + a)/(1 − a)) = 4.4 at a = 0.9, within 25%."""
    clean = curves_of(*REGIMES["rich"][:2], np.linspace(0, 400, 2000))
    white, red = (fit_pairs(with_noise(clean, 0.02, networks=20, seed=1, memory=a)) for a in (0.0, 0.9))
    for name in ("eta_h", "eta_y", "eta_y_mean"):
        width = [np.median(np.log(getattr(fit, name).high / getattr(fit, name).low)) for fit in (white, red)]
        assert width[1] / width[0] == pytest.approx(np.sqrt(19), rel=0.25)


def test_rates_of_a_bare_plateau_are_not_identified():
    """Before anything has moved beyond the noise, other rates fit as well."""
    theory, start, times = REGIMES["tiny start"]
    early = curves_of(theory, start, times).between(0, 0.06)
    fit = fit_pairs(with_noise(early, 3.0, networks=20, seed=2))
    assert fit.fitted.all()
    assert not fit.identified.any()


def test_the_encoders_rate_is_not_identified_where_it_does_not_matter():
    """A distance far above A_low: the decoder learns alone, and ‖dh‖² hides in noise of a hundredth of its size."""
    theory = PairTheory(0.001, 0.0005, 1.0, 0.5)
    start = start_towards(theory, 100.0, 0.01, 1.0)
    clean = curves_of(theory, start, EVEN)
    noise = np.random.default_rng(3).standard_normal((20, 1, 401))
    noise[..., 0] = 0
    curves = replace(with_noise(clean, 0.02, networks=20, seed=4), h2=clean.h2 + noise)
    fit = fit_pairs(curves)
    assert fit.fitted.all()
    assert not fit.identified.any()
    assert set(fit.regime.ravel()) == {"encoder-lazy"}
    np.testing.assert_allclose(fit.eta_y.value, 0.0005, rtol=0.02)
    assert np.all(fit.eta_y.high < 1.1 * fit.eta_y.value)
    assert np.all(fit.eta_h.high > 2 * fit.eta_h.value)


# ── Scores ───────────────────────────────────────────────────────────────────────────────────────────


def test_share_of_variance_explained():
    measured = np.array([[0.0, 1, 2, 3], [0, 1, 2, 3], [5, 5, 5, 5], [0, 2, np.nan, np.nan], [np.nan] * 4])
    predicted = np.array([[0.0, 1, 2, 3], [1.5] * 4, [5, 5, 5, 4], [0, 1, 7, 7], [0.0] * 4])
    np.testing.assert_allclose(r_squared(measured, predicted), [1, 0, np.nan, 0.5, np.nan], atol=1e-12)
    assert np.isnan(r_squared(measured[0], predicted[0] * np.nan))


def test_deviation_ignores_what_is_not_there_and_what_is_rounding():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((3, 50))
    np.testing.assert_allclose(deviation(values), values.std(axis=1))
    values[1, 20:] = np.nan
    assert deviation(values)[1] == pytest.approx(values[1, :20].std())
    rounding = 1 + 1e-15 * rng.standard_normal(50)
    assert deviation(rounding) == 0
    assert deviation(1e-200 * rounding) == 0
    assert deviation(np.full(4, np.nan)) == 0
    assert deviation(1 + 1e-6 * np.sin(np.arange(50))) > 0


def test_last_finite_value():
    rows = np.array([[1.0, 2, 3], [1, 2, np.nan], [np.nan, 2, np.nan], [np.nan] * 3, [1, np.inf, np.inf]])
    np.testing.assert_array_equal(last_finite(rows), [3, 2, 2, np.nan, 1])


# ── A curve without theory ───────────────────────────────────────────────────────────────────────────


def test_logistic_is_recovered_and_passes_through_its_start():
    steps = 50 + np.linspace(0, 200, 101)
    truth = Logistic(np.array([0.01, 1.5, 0.3]), np.array([2.0, 0.4, 0.31]), np.array([0.08, 0.05, 0.02]), 50.0)
    found = fit_logistic(steps, truth.predict(steps)[:, None])
    np.testing.assert_allclose(found.height[:, 0], truth.height, rtol=1e-6)
    np.testing.assert_allclose(found.rate[:, 0], truth.rate, rtol=1e-5)
    np.testing.assert_allclose(found.predict(np.array([50.0]))[:, 0, 0], truth.start, rtol=1e-12)
    later = np.array([300.0, 1000.0])
    np.testing.assert_allclose(found.predict(later)[:, 0], truth.predict(later), rtol=1e-6)


def test_logistic_is_as_good_as_scipys_on_noise_and_gaps():
    steps, rng = np.linspace(0, 100, 80), np.random.default_rng(9)
    truth = Logistic(np.array(0.05), np.array(1.0), np.array(0.12), 0.0)
    measured = truth.predict(steps) + 0.05 * rng.standard_normal((4, 80)) * (steps > 0)
    measured[2, 60:] = np.nan
    found = fit_logistic(steps, measured)
    for row in range(4):
        there = np.isfinite(measured[row])

        def deviations(log, row=row, there=there):
            curve = Logistic(np.array(measured[row, 0]), *(np.array(np.exp(value)) for value in log), 0.0)
            return (curve.predict(steps) - measured[row])[there]

        lowest = min(
            2 * least_squares(deviations, np.log([height, rate])).cost
            for height in (0.5, 1.0, 2.0) for rate in (0.03, 0.1, 0.3)
        )  # fmt: skip
        assert np.sum((found.predict(steps)[row] - measured[row])[there] ** 2) <= lowest * (1 + 1e-6)


def test_logistic_of_what_is_none_is_nan():
    steps = np.arange(6.0)
    rows = np.array([[1.0] * 6, [0, 1, 2, 3, 4, 5], [np.nan] * 6, [1, 2, 3, np.nan, np.nan, np.nan]])
    found = fit_logistic(steps, rows)
    assert np.isnan(found.height).all()
    assert np.isnan(found.rate).all()
    assert np.isnan(found.predict(steps)).all()


# ── What a fit says ──────────────────────────────────────────────────────────────────────────────────


def test_first_half_predicts_the_second():
    theory, start, times = REGIMES["rich"]
    curves = curves_of(theory, start, times)
    fit = fit_pairs(curves.between(0, 0.5))
    predicted, expected = fit.predict(curves.between(0.5, 1)), solve(theory, start, times).state
    for name in CURVES:
        np.testing.assert_allclose(getattr(predicted, name)[0, 0], getattr(expected, name)[200:], atol=1e-6)
    np.testing.assert_allclose(predicted.mean_error, curves.mean_error[..., 200:], rtol=1e-6)
    np.testing.assert_array_equal(predicted.steps, curves.steps[200:])
    np.testing.assert_allclose(predicted.loss, curves.loss[..., 200:], atol=1e-6)
    with_rates = PairTheory(fit.eta_h.value.item(), fit.eta_y.value.item(), theory.dx2, theory.dy2)
    again = solve(with_rates, start, times).state
    np.testing.assert_allclose(fit.predict(curves).w[0, 0], again.w, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ["rich", "encoder-lazy", "decoder-lazy"])
def test_regime_and_the_end_are_those_of_the_fitted_theory(name):
    theory, start, times = REGIMES[name]
    fit = fit_pairs(curves_of(theory, start, times))
    assert fit.regime.item() == name
    assert fit.richness.item() == pytest.approx(float(theory.a_high(start) / theory.a_low), rel=1e-5)
    assert fit.final_h2.item() == pytest.approx(float(theory.final_h2(start)), rel=1e-5)
    assert fit.relaxation_rate.item() == pytest.approx(float(theory.relaxation_rate(start)), rel=1e-5)


def test_richness_of_agreeing_pairs_is_infinite():
    fit = fit_pairs(side_by_side(curves_of(*REGIMES["agreeing, apart"])))
    assert fit.richness.item() == np.inf
    assert fit.regime.item() == "encoder-lazy"


def test_table_has_a_row_for_each_network_and_pair():
    pairs = side_by_side(
        curves_of(*REGIMES["rich"]), curves_of(*REGIMES["balanced"]), curves_of(*REGIMES["decoder-lazy"])
    )
    pairs = replace(pairs, dx2=np.array([1.2, 1.1, 1.0]))
    fit = fit_pairs(with_noise(pairs, 0.05, networks=2, seed=3))
    frame = fit.to_pandas()
    assert list(frame.columns) == [
        "network", "pair", "dx2", "dy2",
        "eta_h", "eta_h_low", "eta_h_high", "eta_y", "eta_y_low", "eta_y_high",
        "eta_y_mean", "eta_y_mean_low", "eta_y_mean_high",
        "r2_h2", "r2_y2", "r2_w", "r2_mean_error",
        "first_h2", "last_h2", "final_h2", "relaxation_rate", "richness", "regime", "converged", "identified",
    ]  # fmt: skip
    assert frame["network"].tolist() == [0, 0, 0, 1, 1, 1]
    assert frame["pair"].tolist() == ["0 – b", "1 – b", "2 – b"] * 2
    assert frame["dx2"].tolist() == [1.2, 1.1, 1.0] * 2
    row = frame.iloc[4]
    assert row["eta_h"] == fit.eta_h.value[1, 1]
    assert row["eta_y_low"] == fit.eta_y.low[1, 1]
    assert row["eta_y_mean_high"] == fit.eta_y_mean.high[1, 1]
    assert row["r2_w"] == fit.r2["w"][1, 1]
    assert row["first_h2"] == fit.curves.h2[1, 1, 0]
    assert row["last_h2"] == fit.curves.h2[1, 1, -1]
    assert row["regime"] == fit.regime[1, 1]


def test_root_mean_square_is_over_what_is_there():
    values = np.array([[3.0, np.nan, 4.0], [np.nan, np.nan, np.nan]])
    np.testing.assert_allclose(root_mean_square(values), [np.sqrt(12.5), np.nan])
