"""Distances of a few items at the end of learning: measured, and predicted with rates from several places."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from syzygy.checks import UNLEARNED, Evidence
from syzygy.fitting import score
from syzygy.fitting.elsewhere import rates_by_network, rates_of_others
from syzygy.fitting.score import last_finite

#: Predictions that need no rates to be handed over.
OWN = ("other_seeds", "in_sample", "start")


def distances(one: Evidence, rates: Mapping[str, tuple[float, float]]) -> pd.DataFrame:
    """Follow every pair from its start to its end, with rates from several places.

    Parameters
    ----------
    one
        Networks of one setting, with the theory fitted to every pair.
    rates
        From a name to ``eta_h`` and ``eta_y`` per step, of which only the ratio counts; NaN if there are none.

    Returns
    -------
    DataFrame
        A row for each network and pair; distances are ‖dh‖, not squared.  ``measured`` is NaN for networks that
        diverged.  Columns of predictions are those of ``rates`` and of :data:`OWN`: the average rates of
        the other networks, the pair's own, and no theory at all (nothing moves).  ``rich_limit`` is sqrt(A_low) with
        the first of ``rates``.
    """
    assert one.trajectory is not None
    assert one.fit is not None
    fit, trajectory = one.fit, one.trajectory
    final = {name: fit.with_rates(np.asarray(h), np.asarray(y)).final_h2 for name, (h, y) in rates.items()}
    h, y = next(iter(rates.values()))
    limit = (h / y * fit.curves.dx2 * fit.curves.dy2) ** 0.25
    final["other_seeds"] = fit.with_rates(*rates_of_others(rates_by_network(fit))[..., None]).final_h2
    final |= {"in_sample": fit.final_h2, "start": fit.curves.h2[..., 0]}
    network, pair = (index.ravel() for index in np.indices(fit.fitted.shape))
    loss, fates = trajectory.loss.astype(np.float64), np.asarray(trajectory.fates)
    last, there = last_finite(loss), fates != "diverged"
    columns = {
        "network": one.name,
        "seed": trajectory.seeds[network],
        "fate": fates[network],
        "last_loss": last[network],
        "learned": (there & (last <= UNLEARNED * loss[:, 0]))[network],
        "pair": np.array(["-".join(names) for names in fit.curves.pairs])[pair],
        "same_class": (fit.curves.dy2 == 0)[pair],
        "rich_limit": limit[pair],
        "measured": np.sqrt(np.where(there[:, None], last_finite(fit.curves.h2), np.nan)).ravel(),
    }
    return pd.DataFrame(columns | {name: np.sqrt(values).ravel() for name, values in final.items()})


def scores(frame: pd.DataFrame, predictions: Sequence[str]) -> pd.DataFrame:
    """Say of each network how its items are sorted, and how well each prediction does.

    Parameters
    ----------
    frame
        As :func:`distances` gives it.
    predictions
        Columns of it.

    Returns
    -------
    DataFrame
        A row for each network.  ``separation``: mean distance within classes over that between them; ``moved``: largest
        change of a distance, as a share of its start; ``edges``: mean distance between classes over that of the rich
        limit; ``correlation_…``: Pearson's over the pairs; ``error_…``: mean
        absolute error, as a share of the mean distance.  NaN where a distance is missing.
    """
    rows = []
    for (name, seed), some in frame.groupby(["network", "seed"], sort=False):
        measured, within = some["measured"], some["same_class"]
        row = {"network": name, "seed": seed} | some.iloc[0][["fate", "last_loss", "learned"]].to_dict()
        row["separation"] = measured[within].mean() / measured[~within].mean()
        row["moved"] = (measured / some["start"] - 1).abs().max()
        row["edges"] = measured[~within].mean() / some["rich_limit"][~within].mean()
        for column in predictions:
            row[f"correlation_{column}"] = correlation(measured, some[column])
        for column in predictions:
            row[f"error_{column}"] = (measured - some[column]).abs().mean(skipna=False) / measured.mean()
        rows.append(row)
    return pd.DataFrame(rows)


def averages(frame: pd.DataFrame, predictions: Sequence[str]) -> pd.DataFrame:
    """Average over the networks of a setting that did not diverge, pair by pair; with the deviation between them."""
    groups = frame[frame["fate"] != "diverged"].groupby(["network", "pair"], sort=False)
    means = groups[["same_class"]].first().join(groups[["measured", *predictions]].mean())
    means.insert(2, "measured_deviation", groups["measured"].std())
    return means.reset_index()


def correlation(measured: pd.Series, predicted: pd.Series) -> float:
    """Pearson's, NaN where a value is missing or either does not vary.

    Examples
    --------
    >>> round(correlation(pd.Series([1.0, 2.0, 3.0]), pd.Series([2.0, 4.0, 6.0])), 9)
    1.0
    """
    both = [one.to_numpy(dtype=float) for one in (measured, predicted)]
    return float(score.correlation(*both)) if all(np.isfinite(one).all() for one in both) else float("nan")
