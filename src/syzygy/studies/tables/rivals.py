"""Seven models of the same curves, how sure their rates are, and whether networks may share them: as tables."""

from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from syzygy.checks import Evidence
from syzygy.fitting import PairCurves, bootstrap_rates, fit_jointly, profile_rates
from syzygy.fitting.rivals.comparison import compare_models
from syzygy.networks import Setting
from syzygy.theory import ExactState
from syzygy.trajectory import Trajectory

Array = NDArray[np.float64]

#: Fewer steps than this, fitted or held out, are no test.
FEWEST_STEPS = 4
QUANTITIES: Final = ("eta_h", "eta_y", "ratio", "product")
PAPER: Final = "paper"

MODELS_CAPTION: Final = (
    "Every model of every network. held_out: error on recorded steps that no fit has seen, from the cut to where the "
    "network has learned, in standard deviations of the curves; over_paper: over that of the paper's equations. aicc, "
    "bic: information criteria of the fit to all of these steps, with as many independent observations as the "
    "deviations' memory leaves; delta_…: above the best model's. eta_h, eta_y: rates per step; excess: the gain of "
    "the decoder across dh, where it was fitted."
)
RANKING_CAPTION: Final = (
    "Models by kind of network. error: held_out, median over seeds; over_paper: median of its ratio to the paper's. "
    "wins_held_out, wins_bic: networks in which the model is the best. failed: networks in which it could not be "
    "fitted or scored."
)
INTERVALS_CAPTION: Final = (
    "Rates of the paper's equations per step, their ratio and their product, with three kinds of 95% interval: from "
    "the curvature at the best fit, from the profile of the likelihood, from a parametric bootstrap. All speak of the "
    "deviations of one training, not of other seeds. An end at 0 or infinity: the data do not limit it."
)
SHARING_CAPTION: Final = (
    "One pair of rates for all seeds of a kind of network, with 95% intervals in which whole networks count as "
    "independent. statistic: how much worse the shared fit is than separate ones, over what chance would make of it; "
    "p: the probability of so much or more if all true rates were the same. scatter_…: standard deviation of the "
    "logarithm of separate rates over seeds."
)


def models_of(one: Evidence, network: Setting, cut: float, learned: float) -> pd.DataFrame:
    """Fit and score every model on every network of a kind, a row per seed and model.

    Parameters
    ----------
    one
        Its trajectory and fit.
    network
        As it was trained.
    cut
        Share of the rise of ‖dy‖² to ‖dy*‖² up to which models are fitted.
    learned
        Training loss at which scoring ends: later steps stand still.
    """
    assert one.trajectory is not None
    assert one.fit is not None
    trajectory, curves = one.trajectory, one.fit.curves
    target = (trajectory.targets[1] - trajectory.targets[0]).astype(np.float64)[None]
    layer, layers = network.matrices(trajectory.inputs.shape[1], target.shape[1])
    frames: list[pd.DataFrame] = []
    for index, seed in enumerate(trajectory.seeds):
        first = _first(curves.y2[index, 0] >= cut * curves.dy2[0])
        last = _first(trajectory.loss[index] <= learned, missing=len(curves.steps) - 1)
        if first is None or last is None or min(first, last - first) < FEWEST_STEPS:
            continue
        start = _start(trajectory, index)
        rivals = compare_models(
            _part(curves, index, last + 1),
            outputs=target.shape[1],
            start=start,
            target=None if start is None else target,
            layer=layer,
            layers=layers,
            share=(first + 1) / (last + 1),
        )
        frame = rivals.to_pandas().drop(columns=["network", "pair"])
        paper = rivals.held_out[0, 0, rivals.models.index(PAPER)]
        frame.insert(1, "over_paper", rivals.held_out[0, 0] / paper)
        frames.append(frame.assign(seed=int(seed), until=curves.steps[last], fitted_until=curves.steps[first]))
    if not frames:
        return pd.DataFrame()
    found = pd.concat(frames, ignore_index=True)
    found.insert(0, "network", one.name)
    found.insert(1, "seed", found.pop("seed"))
    return found


def ranking_of(models: pd.DataFrame) -> pd.DataFrame:
    """Sum up :func:`models_of` over seeds, a row per kind of network and model."""
    every = models.assign(
        wins_held_out=(models["rank_held_out"] == 1) & np.isfinite(models["held_out"]),
        wins_bic=(models["rank_bic"] == 1) & np.isfinite(models["bic"]),
        failed=~np.isfinite(models["held_out"]),
    )
    grouped = every.groupby(["network", "model"], sort=False)
    return grouped.agg(
        networks=("seed", "count"),
        error=("held_out", "median"),
        over_paper=("over_paper", "median"),
        wins_held_out=("wins_held_out", "sum"),
        wins_bic=("wins_bic", "sum"),
        delta_bic=("delta_bic", "median"),
        failed=("failed", "sum"),
    ).reset_index()


def intervals_of(one: Evidence, replicates: int) -> pd.DataFrame:
    """Give three kinds of interval of the fitted rates, a row per seed and quantity."""
    assert one.trajectory is not None
    assert one.fit is not None
    profile, bootstrap = profile_rates(one.fit, points=0), bootstrap_rates(one.fit, replicates=replicates)
    frames = []
    for name in QUANTITIES:
        walked, drawn = getattr(profile, name), getattr(bootstrap, name)
        columns = {"value": walked.value, "profile_low": walked.low, "profile_high": walked.high}
        columns |= {"bootstrap_low": drawn.low, "bootstrap_high": drawn.high}
        if name in ("eta_h", "eta_y"):
            bent = getattr(one.fit, name)
            columns |= {"curvature_low": bent.low, "curvature_high": bent.high}
        frame = {"network": one.name, "seed": one.trajectory.seeds, "quantity": name}
        frames.append(pd.DataFrame(frame | {key: values[:, 0] for key, values in columns.items()}))
    return pd.concat(frames, ignore_index=True)


def profiles_of(one: Evidence) -> pd.DataFrame:
    """Give the profiles of the likelihood of each network's rates and of their ratio, a row per point."""
    assert one.trajectory is not None
    assert one.fit is not None
    profile = profile_rates(one.fit)
    frames = []
    for name in QUANTITIES[:3]:
        for index, seed in enumerate(one.trajectory.seeds):
            best = getattr(profile, name).value[index, 0]
            points = {"share": profile.grid[name][index, 0] / best, "fall": profile.fall[name][index, 0]}
            told = {"network": one.name, "seed": int(seed), "quantity": name, "level": profile.level[index, 0]}
            frames.append(pd.DataFrame(told | points))
    return pd.concat(frames, ignore_index=True)


def sharing_of(one: Evidence) -> dict[str, object]:
    """Fit one pair of rates to all seeds of a kind of network, and say whether they may share it."""
    assert one.fit is not None
    joint = fit_jointly(one.fit.curves, "seeds", independent="seeds")
    row: dict[str, object] = {"network": one.name, "networks": int(joint.members[0])}
    for name in ("eta_h", "eta_y"):
        rate = getattr(joint, name)
        row |= {name: rate.value[0], f"{name}_low": rate.low[0], f"{name}_high": rate.high[0]}
        own = getattr(one.fit, name).value[one.fit.fitted]
        row[f"scatter_{name}"] = float(np.log(own).std(ddof=1)) if len(own) > 1 else np.nan
    return row | {"statistic": joint.sharing.statistic[0], "p": joint.sharing.p[0]}


def _part(curves: PairCurves, network: int, steps: int) -> PairCurves:
    """Keep one network's first so many recorded steps."""
    names = ("h2", "y2", "w", "mean_error")
    cut = {name: getattr(curves, name)[network : network + 1, :, :steps] for name in names}
    return replace(curves, steps=curves.steps[:steps], **cut)


def _start(trajectory: Trajectory, network: int) -> ExactState | None:
    """Give what was measured of an untrained network, ``(network, pair)``; none if nothing was."""
    measured = trajectory.measured(trajectory.layers[0])
    if "gram" not in measured or not np.isfinite(measured["h2"][network, 0]).all():
        return None
    h2, dy, gram = (measured[name][network : network + 1, 0].astype(np.float64) for name in ("h2", "dy", "gram"))
    return ExactState(h2, dy, gram)


def _first(where: NDArray[np.bool_], missing: int | None = None) -> int | None:
    """Position of the first true."""
    return int(np.argmax(where)) if where.any() else missing
