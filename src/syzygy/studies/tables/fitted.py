"""The tables of the study of perfect fitting, by setting, and what they say."""

from collections.abc import Mapping

import pandas as pd

from syzygy.studies.claims.perfect_fitting import CKA, half_ways, left, peaks
from syzygy.studies.tables.fitting import REGIONS, Fitting


def fits(found: Mapping[str, Fitting]) -> pd.DataFrame:
    """Give a row for each setting: perfect fit, the test accuracy about it, and whether the error descends twice."""
    rows = []
    for name, one in found.items():
        seeds = peaks(one.curves)
        mean = seeds[["fit_step", "peak_step", "peak", "at_fit", "end", "train_end"]].mean(skipna=False)
        row = {"network": name, "seeds": len(seeds), "fitted": int(seeds["fit_step"].notna().sum())} | mean.to_dict()
        if one.descent:
            steps = one.curves["step"].unique()
            peak, trough, end = (int(steps[place]) for place in (one.descent.peak, one.descent.trough, one.descent.end))
            row |= {"twice": one.descent.twice, "from": peak, "through": trough, "to": end, "fall": one.descent.fall,
                    "rise": one.descent.rise, "score": one.descent.score, "needed": one.descent.needed}  # fmt: skip
        rows.append(row)
    return pd.DataFrame(rows)


def at_fit(ways: pd.DataFrame) -> pd.DataFrame:
    """Give a row for each setting, measure and layer: likeness to the end untrained, at its furthest, at perfect fit.

    Parameters
    ----------
    ways
        :func:`~syzygy.studies.claims.perfect_fitting.way` of all settings.
    """
    keys = ["network", "measure", "layer", "depth"]
    seeds = ways.groupby([*keys, "seed"], sort=False)
    frame = pd.DataFrame({"untrained": seeds["score"].first(), "furthest": seeds["score"].min()})
    frame["end"] = seeds["score"].last()
    highest = seeds["score"].max()
    frame["furthest"] = frame["furthest"].where(highest - frame["end"] <= frame["end"] - frame["furthest"], highest)
    before_the_end = ways[ways["perfect_fit"] & (ways["step"] < ways["other"])]
    frame["at_fit"] = before_the_end.groupby([*keys, "seed"], sort=False)["score"].first()
    frame["left"] = (frame["end"] - frame["at_fit"]) / (frame["end"] - frame["untrained"])
    return frame.groupby(keys, sort=False).mean().drop(columns="end").reset_index()


def by_setting(cuts: pd.DataFrame, ways: pd.DataFrame) -> pd.DataFrame:
    """Give a row for each setting: its phases, and how far its layers are apart when they are half-way."""
    layers = cuts.groupby(["network", "seed", "layer"], sort=False)[["phases", "explained", "three"]].first()
    frame = layers.groupby(level="network", sort=False).mean()
    frame["apart"] = [half_ways(ways[ways["network"] == name]).groupby(level=0).std().mean() for name in frame.index]
    return frame.reset_index()


def summary(found: Mapping[str, Fitting], ways: pd.DataFrame, table: pd.DataFrame) -> list[str]:
    """Answer the question with what was measured."""
    said, whole = [], table[table["fitted"] == table["seeds"]]
    without = table.loc[table["fitted"] < table["seeds"], "network"]
    said.append(
        f"{len(whole)} of {len(table)} settings fit every label in all their seeds"
        + (f"; {', '.join(without)} do not." if len(without) else ".")
    )
    for _, row in whole.iloc[:1].iterrows():
        some = ways[ways["network"] == row["network"]]
        said.append(
            f"{row['network']}: test accuracy is {row['peak']:.2f} at step {row['peak_step']:.0f}, {row['at_fit']:.2f} "
            f"at perfect fit (step {row['fit_step']:.0f}) and {row['end']:.2f} at the end. At perfect fit layers still "
            f"have {left(some, CKA).mean():.0%} of their way before them by CKA, and {left(some, REGIONS).mean():.0%} "
            "by their decision regions."
        )
    if "twice" in table:
        twice = table.loc[table["twice"].eq(other=True), "network"]
        where = f"in {', '.join(twice)}, and in no other setting" if len(twice) else "in none of the settings"
        said.append(f"Beyond what other test images would undo, the test error descends twice {where}.")
    return [*said, *(line for one in found.values() for line in one.left_out[:1])]
