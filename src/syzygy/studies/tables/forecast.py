"""Forecasts beside what came of them: a row per network, seed, step and forecast."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from syzygy.checks import Evidence
from syzygy.fitting import PairCurves
from syzygy.fitting.score import last_finite
from syzygy.forecast import FORECASTS, LEARNED, Mean, Start, forecast, time_to_learn
from syzygy.networks import Setting
from syzygy.theory import ExactState
from syzygy.trajectory import Trajectory

Array = NDArray[np.float64]

#: The one that claims are about.
EXACT, PAPER, NOMINAL = "exact", "paper", "exact, nominal rates"
RATES: Final = ("eta_h", "eta_y")

FORECASTS_CAPTION = (
    "Every forecast. step: when it was made, 0 is the untrained network. final_h2: the final ‖dh‖² that was foretold. "
    "learned: the step at which ‖dy − dy*‖² was foretold to fall to a quarter of its first value. measured_…: what "
    "came. "
    "Forecasts: " + "; ".join(f"{name}: {about}" for name, (about, _) in FORECASTS.items()) + "."
)
NETWORKS_CAPTION = (
    "Forecasts of untrained networks, medians over seeds. final_error: |forecast/measured − 1| of the final ‖dh‖², "
    "learned_factor: forecast and measured time to learn, the larger over the smaller, both for the exact formula with "
    "measured rates. exact_over_paper, measured_over_nominal: its error |log(forecast/measured)| of the final distance "
    "over the paper's, and over that with the rates of a two-layer linear network. rates_vary: largest over smallest "
    "measured rate until the pair is learned. error of …: |log(forecast/measured)| of the final distance, by forecast."
)
RATES_CAPTION = (
    "Measured effective learning rates per step, and what limits them. encoder_share, decoder_share: second order "
    "over first order of either map about the middle of the pair. encoder_coupling, decoder_coupling: how much the "
    "mean error moves the difference, over how much the theory says that the difference's own error does. fitted_…: "
    "the rate that was fitted to the whole curve."
)


def without_rates(one: Evidence) -> str:
    """Say why no rates were measured of a setting; nothing if they were."""
    assert one.trajectory is not None
    if "eta_h" in one.trajectory.measured(one.trajectory.layers[0]):
        return ""
    if one.trajectory.about.get("optimiser") == "adam":
        return "Adam has no effective learning rates"
    return f"it cannot be split after {one.trajectory.layers[0]}, or diverged at once"


def forecasts_of(one: Evidence, network: Setting) -> pd.DataFrame:
    """Make every forecast of the untrained networks, and one of them again at every later step until it is learned."""
    assert one.trajectory is not None
    assert one.fit is not None
    trajectory, curves = one.trajectory, one.fit.curves
    error = 2 * curves.w - curves.y2 + curves.dy2[:, None]
    learned, final = time_to_learn(curves.steps, error), last_finite(curves.h2)
    start, steps = _starts(trajectory, curves, network)
    made = forecast(start[:, :1]) | forecast(start, (EXACT,))
    frames: list[pd.DataFrame] = []
    for name, values in made.items():
        index, row, pair = (each.ravel() for each in np.indices(values["final_h2"].shape))
        when = steps[row]
        frame = pd.DataFrame(
            {
                "network": one.name,
                "seed": trajectory.seeds[index],
                "step": when,
                "forecast": name,
                "final_h2": values["final_h2"].ravel(),
                "measured_final_h2": final[index, pair],
                "learned": values["learned"].ravel() + when,
                "measured_learned": learned[index, pair],
            }
        )
        frames.append(frame.loc[(when == 0) | (when < learned[index, pair])])
    return pd.concat(frames, ignore_index=True)


def rates_of(one: Evidence) -> pd.DataFrame:
    """Give the measured rates and what limits them, a row per seed and measured step."""
    assert one.trajectory is not None
    assert one.fit is not None
    measured = one.trajectory.measured(one.trajectory.layers[0])
    there = np.isfinite(measured["h2"]).any(axis=(0, 2))
    steps = one.trajectory.steps[there]
    index, row, pair = (each.ravel() for each in np.indices(measured["h2"][:, there].shape))
    names = (*RATES, "encoder_share", "decoder_share", "encoder_coupling", "decoder_coupling")
    return pd.DataFrame(
        {
            "network": one.name,
            "seed": one.trajectory.seeds[index],
            "step": steps[row],
            **{name: measured[name][:, there].ravel() for name in names},
            **{f"fitted_{name}": getattr(one.fit, name).value[index, pair] for name in RATES},
        }
    )


def network_of(name: str, made: pd.DataFrame, inside: pd.DataFrame) -> dict[str, object]:
    """Sum up the forecasts of one kind of network at step 0."""
    first = made[(made["network"] == name) & (made["step"] == 0)]
    error = {forecast: _off(some, "final_h2") for forecast, some in first.groupby("forecast")}
    exact = first[first["forecast"] == EXACT]
    learned = dict(zip(exact["seed"], exact["measured_learned"], strict=True))
    own = inside[inside["network"] == name]
    until = own[own["step"] <= own["seed"].map(learned)].groupby("seed")[list(RATES)]
    spans = (until.max() / until.min()).max(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        over = {other: _median(error[EXACT] / error[other]) for other in (PAPER, NOMINAL)}
    return {
        "network": name,
        "networks": len(exact),
        "final_error": _median((exact["final_h2"] / exact["measured_final_h2"] - 1).abs().to_numpy()),
        "learned_factor": _median(np.exp(_off(exact, "learned"))),
        "exact_over_paper": over[PAPER],
        "measured_over_nominal": over[NOMINAL],
        "rates_vary": _median(spans.to_numpy()),
        **{f"error of {forecast}": _median(error[forecast]) for forecast in FORECASTS},
    }


def _starts(trajectory: Trajectory, curves: PairCurves, network: Setting) -> tuple[Start, NDArray[np.int64]]:
    """Give the starts ``(network, measured step, pair)``, and the measured steps."""
    measured = trajectory.measured(trajectory.layers[0])
    there = np.asarray(np.isfinite(measured["h2"]).any(axis=(0, 2)))
    found = {name: values[:, there].astype(np.float64) for name, values in measured.items() if values.ndim > 2}
    target = (trajectory.targets[1] - trajectory.targets[0]).astype(np.float64)
    shape = found["h2"].shape
    error = 2 * curves.w - curves.y2 + curves.dy2[:, None]
    # Where a network was lost nothing was measured, and nothing can be foretold; a start that moves nothing stands in.
    known = np.isfinite(found["h2"])
    state = ExactState(*(np.where(_as(known, found[name]), found[name], 0.0) for name in ("h2", "dy", "gram")))
    start = Start(
        state=state,
        target=np.broadcast_to(target, (*shape, len(target))),
        dx2=np.broadcast_to(curves.dx2, shape),
        eta_h=found["eta_h"],
        eta_y=found["eta_y"],
        goal=np.broadcast_to(LEARNED * error[:, None, :, 0], shape),
        nominal=0.5 * network.learning_rate / len(target),
        **dict(zip(("layer", "layers"), network.matrices(trajectory.inputs.shape[1], len(target)), strict=True)),
        mean=_mean(trajectory, found, there),
    )
    return start, trajectory.steps[there]


def _mean(trajectory: Trajectory, found: Mapping[str, Array], there: NDArray[np.bool_]) -> Mean:
    """Give what the mean of the two items needs, with an axis for their one pair."""
    hidden = trajectory.representation(trajectory.layers[0])[:, there].astype(np.float64)
    outputs = trajectory.outputs[:, there].astype(np.float64)
    targets = np.broadcast_to(trajectory.targets.astype(np.float64), outputs.shape)
    kernels = [found[name] for name in ("encoder_kernel", "decoder_kernel")]
    both = (*kernels, hidden @ hidden.swapaxes(-1, -2), found["y_mean"][:, :, 0], outputs, targets)
    return Mean(*(values[:, :, None] for values in both))


def _off(some: pd.DataFrame, side: str) -> Array:
    """By how much forecasts are off, |log(forecast/measured)|."""
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.log(some[side].to_numpy(dtype=float) / some[f"measured_{side}"].to_numpy(dtype=float))
    return np.asarray(np.abs(log))


def _as(where: NDArray[np.bool_], values: Array) -> NDArray[np.bool_]:
    return np.asarray(where.reshape(where.shape + (1,) * (values.ndim - where.ndim)))


def _median(values: Array) -> float:
    """Give the median; a network of which nothing could be foretold counts as the worst."""
    worst = np.where(np.isnan(values), np.inf, values)
    middle = float(np.median(worst)) if len(worst) else np.nan
    return middle if np.isfinite(middle) else np.nan
