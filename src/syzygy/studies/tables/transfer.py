"""The tables of the study of transfer: what came out at each layer, and what became of each network."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from syzygy.result import Table
from syzygy.studies.drawings.pairs import KINDS
from syzygy.studies.tables.pair_scores import EXPLAINED, closer
from syzygy.theory.pair import REGIMES
from syzygy.trajectory import Trajectory


def by_layer(pairs: pd.DataFrame) -> Table:
    """Summarise the pairs of different classes by start and layer, in their order.

    Parameters
    ----------
    pairs
        As :func:`syzygy.studies.tables.pair_scores.score_pairs` gives them, with ``start``, ``layer``, and the theory's
        ``richness_others`` and ``regime_others``.
    """
    different = pairs[pairs["kind"] == KINDS[0]]
    rows = []
    for (start, layer), every in different.groupby(["start", "layer"], sort=False):
        some = every.where(every["fate"] != "diverged")  # all of a network that diverged counts as failed
        with np.errstate(divide="ignore", invalid="ignore"):
            moved = pd.Series(np.log(some["last_h2"] / some["first_h2"])).abs()
        row: dict[str, Any] = {"start": start, "layer": layer, "pairs": len(some)}
        for name, column in (("in_sample", "r2_h2"), ("second_half", "theory_h2"), ("other_pairs", "other_pairs_h2")):
            row[name] = (some[column] > EXPLAINED).mean()
        row["logistic"] = (some["logistic_h2"] > EXPLAINED).mean()
        row["beats_logistic"] = closer(some, "theory", "logistic").mean()
        row |= {"first_h2": some["first_h2"].median(), "last_h2": some["last_h2"].median(), "moved": _median(moved)}
        for name, column in (("final_error", "final_h2_others"), ("start_error", "first_h2")):
            row[name] = _median((some[column] / some["last_h2"] - 1).abs())
        row |= {regime.replace("-", "_"): (some["regime_others"] == regime).mean() for regime in REGIMES}
        rows.append(row | {"richness": some["richness_others"].median()})
    return Table(
        "layers",
        "Pairs of different classes at each layer, over all networks. Share with R² of ‖dh‖² above 0.9: in sample, of "
        "the second half of the steps with rates of the first, with rates of other pairs, and of the second half with "
        "a logistic; share for which the theory is closer there than that. Median squared distance at the first and "
        "last step, and median |ln| of their ratio (moved). Median relative error of the final distance: predicted "
        "with rates of other pairs, and left as it was at the start. Share in each regime, and median A_high/A_low, "
        "with rates of other pairs.",
        pd.DataFrame(rows),
    )


def networks(trajectories: Mapping[str, Trajectory]) -> Table:
    """Tell what became of each network."""
    frames = []
    for name, seen in trajectories.items():
        correct = (seen.outputs[:, -1].argmax(-1) == seen.targets.argmax(-1)).mean(axis=-1)
        columns = {
            "seed": seen.seeds.astype(int),
            "fate": seen.fates,
            "first_loss": seen.loss[:, 0],
            "last_loss": seen.loss[:, -1],
            "classified": np.where(np.isfinite(seen.loss[:, -1]), correct, np.nan),
            "started_from": str(seen.about.get("start") or "random weights")[:14],
        }
        frames.append(pd.DataFrame({"network": name, **columns}))
    return Table(
        "networks",
        "Training loss at the first and the last step, share of the probe images that are classified at the end, and "
        "the beginning of the hash of the weights that the networks started from.",
        pd.concat(frames, ignore_index=True),
    )


def summary(layers: pd.DataFrame, trajectories: Mapping[str, Trajectory]) -> tuple[str, ...]:
    """Say what came out, pretrained beside random, at the last layer that is watched."""
    told = networks(trajectories).frame.groupby("network", sort=False)[["last_loss", "classified"]].mean()
    trained = "; ".join(
        f"{name}: loss {row['last_loss']:.2g}, {row['classified']:.0%} of the probe images classified"
        for name, row in told.iterrows()
    )
    sentences = [f"At the end of training: {trained}."]
    for start, some in layers.groupby("start", sort=False):
        last = some.iloc[-1]
        sentences.append(
            f"From {start} weights, at {last['layer']}: distances of different classes change from "
            f"{last['first_h2']:.3g} to {last['last_h2']:.3g} (medians); the theory calls {last['encoder_lazy']:.0%} "
            f"of the pairs encoder-lazy, {last['rich']:.0%} rich; fitted to the first half it explains the second for "
            f"{last['second_half']:.0%}, a logistic for {last['logistic']:.0%}; with rates of other pairs its "
            f"final distance is off by {last['final_error']:.0%}, the first distance by {last['start_error']:.0%} "
            "(medians)."
        )
    return tuple(sentences)


def _median(values: "pd.Series[float]") -> float:
    """Take a median in which what could not be measured counts as worst; NaN if that is the median."""
    median = float(values.fillna(np.inf).median())
    return median if np.isfinite(median) else np.nan
