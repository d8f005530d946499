"""Final distances over random initialisations: of each network, and as distributions, measured and predicted.

Every second network gives rates, and the others are predicted with their mean.  (Leaving out one network at a time
would not do: a network whose own rate is high is left with a low mean, and so a correlation appears from nothing.)
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from syzygy.checks import Evidence
from syzygy.fitting import average_rates
from syzygy.fitting.score import last_finite
from syzygy.studies.tables.distances import correlation
from syzygy.theory import FinalDistance

Array = NDArray[np.float64]

#: Fewer networks than this give no distribution.
FEWEST: Final = 10
#: Resamples of the networks for an interval.
RESAMPLES: Final = 300
#: What A_high is taken to be over initialisations, by column of a Kolmogorov–Smirnov distance.
DENSITIES: Final = {
    "published": "mean 0, variance 2G², G of the network",
    "weights": "mean 0, variance 2G², G of the weights",
    "centred": "mean 0, measured mean square",
    "normal": "measured mean and variance",
}


def ends(gain: float, one: Evidence, learned: NDArray[np.bool_]) -> pd.DataFrame:
    """Give where each network of a gain began and ended, and where the theory says that it ends.

    Parameters
    ----------
    gain
        Of the initial weights.
    one
        The networks, with the theory fitted to their one pair.
    learned
        Which of them learned; the rates of the rest say nothing.

    Returns
    -------
    DataFrame
        A row per network; ``tested`` are those that learned and gave no rates.
    """
    assert one.trajectory is not None
    assert one.fit is not None
    fit, curves = one.fit, one.fit.curves
    giving = np.arange(len(learned)) % 2 == 0
    rates = average_rates(replace(fit, identified=fit.identified & (learned & giving)[:, None]))
    others = fit.with_rates(*map(np.asarray, rates))
    a_low = np.sqrt(others.eta_h.value / others.eta_y.value * curves.dx2 * curves.dy2)[:, 0]
    columns = {
        "last_loss": last_finite(one.trajectory.loss.astype(np.float64)),
        "learned": learned,
        "tested": learned & ~giving,
        "first_h2": curves.h2[:, 0, 0],
        "first_y2": curves.y2[:, 0, 0],
        "a_low": a_low,
        "a_high": others.richness[:, 0] * a_low,
        "last_h2": last_finite(curves.h2)[:, 0],
        "final_h2_others": others.final_h2[:, 0],
        "final_h2": fit.final_h2[:, 0],
        "eta_h": fit.eta_h.value[:, 0],
        "eta_y": fit.eta_y.value[:, 0],
        "identified": fit.identified[:, 0],
    }
    return pd.DataFrame({"gain": gain, "seed": one.trajectory.seeds, **columns})


def summed_up(networks: pd.DataFrame, dx2: float, dy2: float) -> dict[str, float]:
    """Sum up the networks of one gain: those that are tested.

    Parameters
    ----------
    networks
        As :func:`ends` gives them.
    dx2, dy2
        Squared distances of inputs and targets.
    """
    good = networks[networks["tested"]]
    row: dict[str, float] = {"gain": networks["gain"].iloc[0], "networks": len(networks)}
    row |= {"learned": int(networks["learned"].sum()), "tested": len(good)}
    row["identified"] = int((networks["identified"] & networks["learned"] & ~networks["tested"]).sum())
    row["network_gain"] = np.sqrt(good["first_y2"].mean() / dx2)
    row |= {"a_low": good["a_low"].median(), "a_high": good["a_high"].mean(), "a_high_deviation": good["a_high"].std()}
    row["richness"] = (good["a_high"] / good["a_low"]).median()
    for name in ("first_h2", "last_h2", "final_h2_others"):
        quantiles = [float(good[name].quantile(q)) for q in (0.5, 0.1, 0.9)]
        row |= dict(zip((name, f"{name}_low", f"{name}_high"), quantiles, strict=True))
    log = good[["last_h2", "final_h2_others", "final_h2"]].transform(np.log)
    row |= {"spread": log["last_h2"].std(), "spread_others": log["final_h2_others"].std()}
    row["correlation_others"] = correlation(log["last_h2"], log["final_h2_others"])
    row["correlation_own"] = correlation(log["last_h2"], log["final_h2"])
    row["moved"] = (good["last_h2"] / good["first_h2"]).median()
    row["moved_others"] = (good["final_h2_others"] / good["first_h2"]).median()
    parted, nearer = good["last_h2"] > good["first_h2"], good["first_y2"] < dy2
    row["direction"] = (parted == nearer).mean()
    return row | _distances(row, good, dx2)


def densities(row: Mapping[str, float], dx2: float) -> dict[str, FinalDistance]:
    """Give the densities of the final distance at a gain; none where too few networks are tested.

    Parameters
    ----------
    row
        As :func:`summed_up` gives it.
    dx2
        Squared distance of the inputs.
    """
    mean, deviation, low = row["a_high"], row["a_high_deviation"], row["a_low"]
    if row["tested"] < FEWEST or not (np.isfinite([mean, deviation, low]).all() and deviation > 0):
        return {}
    spread = {
        "published": (np.sqrt(2) * row["network_gain"] * dx2, 0.0),
        "weights": (np.sqrt(2) * row["gain"] * dx2, 0.0),
        "centred": (np.hypot(mean, deviation), 0.0),
        "normal": (deviation, mean),
    }
    return {name: FinalDistance(low, *spread[name]) for name in DENSITIES}


def rows(gains: pd.DataFrame) -> list[dict[str, float]]:
    """Give the rows of a table of gains as :func:`summed_up` gave them."""
    return [{str(name): value for name, value in row.items()} for row in gains.to_dict("records")]


def _distances(row: Mapping[str, float], good: pd.DataFrame, dx2: float) -> dict[str, float]:
    """Kolmogorov–Smirnov distances from what was measured, with 95% intervals over networks."""
    found = {
        f"ks_{name}{side}": np.nan for name in (*DENSITIES, "pushed") for side in ("", "_low", "_high")
    }  # the columns are there in any case
    last = good["last_h2"].to_numpy(dtype=float)
    for name, density in densities(row, dx2).items():
        found |= _interval(name, lambda one, cdf=density.cdf: stats.ks_1samp(one, cdf, method="asymp"), last)
    both = good[["last_h2", "final_h2_others"]].dropna()
    if len(both) >= FEWEST:
        found |= _interval("pushed", lambda one, two: stats.ks_2samp(one, two, method="asymp"), *both.to_numpy().T)
    return found


def _interval(name: str, test: Callable[..., Any], *samples: Array) -> dict[str, float]:
    """Give a test's statistic, and 95% of its values over resampled networks."""
    interval = stats.bootstrap(
        samples,
        lambda *some: test(*some).statistic,
        paired=True,
        vectorized=False,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    values = (test(*samples).statistic, interval.low, interval.high)
    return {f"ks_{name}{side}": float(value) for side, value in zip(("", "_low", "_high"), values, strict=True)}
