"""What a grid of pairs says: network by network, and setting by setting with the laws that might describe it."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd

from syzygy.checks import Evidence
from syzygy.fitting import Fit, average_rates
from syzygy.fitting.power_law import law_error, power_law
from syzygy.fitting.score import last_finite, r_squared
from syzygy.networks import Setting
from syzygy.studies.tables.distances import correlation
from syzygy.theory import depth

#: The published notebook stops a network of the grid at this training loss.
NOTEBOOK_STOP = 1e-4

#: Columns of distances whose exponents are fitted, with their names on the page.
READINGS = {
    "measured": "at the end",
    "measured_notebook": f"at loss {NOTEBOOK_STOP:g}",
    "out_of_sample": "of the prediction",
}

NETWORKS_CAPTION = (
    "A row per network of the grid. kept: did not diverge, and learned. measured: ‖dh‖² at the end; measured_notebook: "
    f"at the first recorded step with a loss of at most {NOTEBOOK_STOP:g}, where the published code reads it. "
    "in_sample: the closed form with rates fitted to this network; out_of_sample: with the averaged rates of other "
    "seeds on one other pair. Both start from this network's own first ‖dh‖² and ‖dy‖². a_high: the initialisation's "
    "share of the prediction out of sample; where dy is 0, it is all there is, and 0 or less means a merger."
)
ROWS_CAPTION = (
    "A row per setting. ratio: η_h/η_y, averaged over rate_networks, which vary by ratio_scatter (deviation of the "
    "logarithm). Of the networks of the grid, kept count; discarded diverged or did not learn, missing are not trained "
    "yet, and moving were still above the loss that stops. correlation, r2 (about y = x) and error (median of "
    "|predicted/measured − 1| where dy > 0) are out of sample, and …_in_sample with each network's own rates, where it "
    "has some. scatter: between networks of one pair (deviation of the "
    "logarithm). power_dx, power_dy: exponents of the measured ‖dh‖² with 95% intervals from resampling networks; "
    "depth_dx, depth_dy: those of a deep linear network. product_error, depth_error: mean relative error of each law "
    "with one fitted constant."
)
READINGS_CAPTION = (
    "Exponents of ‖dh‖² in ‖dx‖ and ‖dy‖ over the same networks: at the end of training; where the published code "
    "stops, which leaves small dy further from its end than large; and of the closed form's prediction out of sample."
)


def layer_of(network: Setting) -> tuple[int, int] | None:
    """Give the weight matrices before the watched layer, and of the whole network.

    The law of depth speaks of perceptrons that descend the gradient only; None for others.

    Examples
    --------
    >>> from syzygy.networks import catalogue
    >>> layer_of(catalogue()["shallow"]), layer_of(catalogue()["cnn"])
    ((2, 3), None)
    """
    hidden = re.fullmatch(r"hidden\.(\d+)", network.layer)
    return (
        (int(hidden[1]) + 1, network.depth + 1)
        if hidden and (network.type, network.optimiser) == ("mlp", "sgd")
        else None
    )


def networks_of_point(one: Evidence, rates: tuple[float, float], most_loss: float) -> pd.DataFrame:
    """Give a row per network of one pair of the grid.

    Parameters
    ----------
    one
        The networks, with the theory fitted to each.
    rates
        ``eta_h`` and ``eta_y`` from elsewhere, of which only the ratio counts; NaN if there are none.
    most_loss
        Networks that end above it have not learned.
    """
    assert one.trajectory is not None
    assert one.fit is not None
    fit, fates = one.fit, np.asarray(one.trajectory.fates)
    loss, h2 = one.trajectory.loss.astype(np.float64), fit.curves.h2[:, 0]
    elsewhere = fit.with_rates(*(np.asarray(rate) for rate in rates))
    last, stopped = last_finite(loss), loss <= NOTEBOOK_STOP
    first = np.where(stopped.any(axis=1), np.argmax(stopped, axis=1), 0)
    return pd.DataFrame(
        {
            "dx": np.sqrt(fit.curves.dx2[0]).round(9),
            "dy": np.sqrt(fit.curves.dy2[0]).round(9),
            "seed": one.trajectory.seeds,
            "fate": fates,
            "last_loss": last,
            "kept": (fates != "diverged") & (last <= most_loss),
            "first_h2": h2[:, 0],
            "measured": last_finite(h2),
            "measured_notebook": np.where(stopped.any(axis=1), h2[np.arange(len(h2)), first], last_finite(h2)),
            "in_sample": fit.final_h2[:, 0],
            "out_of_sample": elsewhere.final_h2[:, 0],
            "a_high": _a_high(elsewhere),
        }
    )


def row_of_laws(network: Setting, networks: pd.DataFrame, asked: int, stop: float) -> dict[str, object]:
    """Say of one setting how well the closed form predicts its grid, and which power law describes it.

    Parameters
    ----------
    network
        The setting.
    networks
        Rows of :func:`networks_of_point`.
    asked
        How many there should be.
    stop
        Loss at which they stop.
    """
    kept = networks[networks["kept"]]
    apart = kept[kept["dy"] > 0]
    row: dict[str, object] = {
        "kept": len(kept),
        "discarded": len(networks) - len(kept),
        "missing": asked - len(networks),
        "moving": int((kept["last_loss"] > stop).sum()),
    }
    for column, whose in (("out_of_sample", ""), ("in_sample", "_in_sample")):
        fitted = kept if not whose else kept[kept[column].notna()]
        measured, predicted = fitted["measured"], fitted[column]
        row[f"correlation{whose}"] = correlation(measured, predicted) if len(fitted) > 1 else np.nan
        row[f"r2{whose}"] = float(r_squared(measured.to_numpy(), predicted.to_numpy())) if len(fitted) > 1 else np.nan
        off = (predicted / measured - 1).abs()[fitted["dy"] > 0]
        row[f"error{whose}"] = off.median(skipna=False) if len(off) else np.nan
    row["scatter"] = _scatter(apart)
    law = power_law(apart[["dx", "dy"]], apart["measured"])
    for index, name in enumerate(("dx", "dy")):
        row |= {f"power_{name}": law.exponents[index]}
        row |= {f"power_{name}_low": law.low[index], f"power_{name}_high": law.high[index]}
    place = layer_of(network)
    powers = depth.exponents(*place) if place else (np.nan, np.nan)
    row |= {"depth_dx": powers[0], "depth_dy": powers[1]}
    row["product_error"] = law_error(apart["dx"] * apart["dy"], apart["measured"])
    row["depth_error"] = law_error(apart["dx"] ** powers[0] * apart["dy"] ** powers[1], apart["measured"])
    return row


def exponents_of_readings(networks: pd.DataFrame) -> pd.DataFrame:
    """Fit the exponents of one setting's distances: measured, where the published code stops, and predicted."""
    apart = networks[networks["kept"] & (networks["dy"] > 0)]
    rows = []
    for column, reading in READINGS.items():
        law = power_law(apart[["dx", "dy"]], apart[column])
        row: dict[str, object] = {"reading": reading, "networks": law.points}
        for index, name in enumerate(("dx", "dy")):
            row |= {name: law.exponents[index], f"{name}_low": law.low[index], f"{name}_high": law.high[index]}
        rows.append(row)
    return pd.DataFrame(rows)


def averaged(one: Evidence, most_loss: float) -> tuple[dict[str, object], tuple[float, float]]:
    """Average the rates of the networks that learned one pair.

    Returns
    -------
    tuple
        The first columns of the setting's row, and ``eta_h`` and ``eta_y``: geometric means over networks whose rates
        are identified and whose last loss is at most ``most_loss``; NaN if there are none.
    """
    row: dict[str, object] = {"network": one.name, "rate_networks": 0, "eta_h": np.nan, "eta_y": np.nan}
    if one.fit is None or one.trajectory is None:
        return row | {"ratio": np.nan, "ratio_scatter": np.nan}, (np.nan, np.nan)
    learned = last_finite(one.trajectory.loss.astype(np.float64)) <= most_loss
    learned &= np.asarray(one.trajectory.fates) != "diverged"
    fit = replace(one.fit, identified=one.fit.identified & learned[:, None])
    rates = average_rates(fit)
    ratios = np.log(fit.eta_h.value / fit.eta_y.value)[fit.identified]
    row |= {"rate_networks": int(fit.identified.sum()), "eta_h": rates[0], "eta_y": rates[1]}
    scatter = float(ratios.std(ddof=1)) if len(ratios) > 1 else np.nan
    return row | {"ratio": rates[0] / rates[1], "ratio_scatter": scatter}, rates


def _scatter(apart: pd.DataFrame) -> float:
    """Pooled deviation of log ‖dh‖² between networks of one pair; NaN where every pair has but one."""
    groups = np.log(apart["measured"]).groupby([apart["dx"], apart["dy"]])
    freedom = int((groups.size() - 1).sum())
    return float(np.sqrt((groups.var(ddof=0) * groups.size()).sum() / freedom)) if freedom else np.nan


def _a_high(fit: Fit) -> np.ndarray:
    """Give the initialisation's share of the final distance, ``(network,)``."""
    start, kappa = fit.curves.initial, fit.eta_h.value * fit.curves.dx2 / fit.eta_y.value
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(start.h2 - kappa * start.y2 / start.h2)[:, 0]
