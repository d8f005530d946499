"""What is claimed of a grid of pairs before it is trained, and what came out, case by case and in words."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from syzygy.claims import MOST_NAMED, Expectation, ranged
from syzygy.studies.tables.laws import READINGS

#: How far exponents may lie from those of a law.  Set with the published exponents known, and those of a trial of the
#: shallow network at width 100: 0.58 and 1.27.
BAND = 0.1

PREDICTED = "with the other networks' ratio of rates and the network's own start"
EXPECTATIONS = (
    Expectation(
        "correlation",
        "The closed form orders the final distances of a grid of pairs, with rates of other networks on one pair.",
        "code",
        "out of sample",
        f"correlation of measured and predicted final ‖dh‖² over the networks of the grid, {PREDICTED}, per setting",
        low=0.9,
    ),
    Expectation(
        "distance",
        "It predicts the distances themselves.",
        "code",
        "out of sample",
        f"median of |predicted/measured − 1| of the final ‖dh‖² where dy > 0, {PREDICTED}, per setting",
        high=0.1,
    ),
    Expectation(
        "product-law",
        "In the rich regime data alone decide the final ‖dh‖², by the product ‖dx‖·‖dy‖.",
        "code",
        "no fit",
        "larger distance of the two exponents of the measured final ‖dh‖² in ‖dx‖ and ‖dy‖ from 1, per setting",
        high=BAND,
    ),
    Expectation(
        "depth-law",
        "The exponents are those of depth, 2(1 − l/N) and 2l/N, for the l-th of N weight matrices.",
        "derived",
        "no fit",
        "larger distance of the two exponents from those, per perceptron",
        high=BAND,
    ),
    Expectation(
        "better-law",
        "Where the two laws differ, the law of depth describes the distances better than the product law.",
        "derived",
        "in sample",
        "mean relative error of the law of depth over that of the product law, one fitted constant each, per "
        f"perceptron whose two laws differ by more than {BAND:g} in an exponent",
        high=1.0,
    ),
)


def cases(perceptrons: Sequence[str], laws: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Give the measured value of each claim by setting.

    Parameters
    ----------
    perceptrons
        Settings that the law of depth speaks of.
    laws
        A row per setting, with the columns that :func:`syzygy.studies.tables.laws.row_of_laws` gives.
    """
    table = {row["network"]: row for row in laws.to_dict("records")}
    powers = {name: (row["power_dx"], row["power_dy"]) for name, row in table.items()}
    depths = {name: (row["depth_dx"], row["depth_dy"]) for name, row in table.items()}
    differ = [name for name in perceptrons if furthest(depths[name], (1, 1)) > BAND]
    return {
        "correlation": {name: float(row["correlation"]) for name, row in table.items()},
        "distance": {name: float(row["error"]) for name, row in table.items()},
        "product-law": {name: furthest(powers[name], (1, 1)) for name in table},
        "depth-law": {name: furthest(powers[name], depths[name]) for name in perceptrons},
        "better-law": {
            name: float(np.divide(table[name]["depth_error"], table[name]["product_error"] or np.nan))
            for name in differ
        },
    }


def furthest(found: Sequence[float], expected: Sequence[float]) -> float:
    """Give the largest distance between exponents and those of a law, NaN if one is missing.

    Examples
    --------
    >>> furthest([0.75, 1.5], (1.0, 1.0))
    0.5
    """
    return float(np.max(np.abs(np.asarray(found, dtype=float) - np.asarray(expected))))


def said(networks: pd.DataFrame, laws: pd.DataFrame, powers: pd.DataFrame) -> tuple[str, ...]:
    """Sum up in words.

    Parameters
    ----------
    networks, laws, powers
        The tables of the study: by network, by setting, and by setting and reading.
    """
    kept, there = networks[networks["kept"]], laws[laws["kept"] > 0]
    settings = f"{len(there)} setting{'s' * (len(there) != 1)}"
    sentences = [f"{len(kept)} of {len(networks)} networks of {settings} learned their pair."]
    if there["correlation"].notna().any():
        sentences.append(
            f"With rates of other networks on one pair, predicted and measured final ‖dh‖² correlate "
            f"{ranged(there['correlation'])}; the prediction is off by {ranged(there['error'])} (share, median over a "
            "grid)."
        )
    told = there[there["power_dx"].notna()]
    if len(told):
        sentences.append(
            "Measured exponents of ‖dx‖ and ‖dy‖ in ‖dh‖²: "
            + _listed(f"{row.power_dx:.2f}, {row.power_dy:.2f} ({row.network})" for row in told.itertuples())
            + "."
        )
    dy = powers.pivot_table(index="network", columns="reading", values="dy")
    if {*READINGS.values()} <= {*dy}:
        early = (dy[READINGS["measured_notebook"]] - dy[READINGS["measured"]]).median()
        sentences.append(
            f"Read {READINGS['measured_notebook']}, as in the published code, the exponents of ‖dy‖ differ by "
            f"{early:+.2f} (median): small ‖dy‖ is then further from its end."
        )
    plain = told[told["depth_error"].notna()]
    if len(plain):
        better = plain["depth_error"] < plain["product_error"]
        sentences.append(
            f"With one constant, the product law is off by {ranged(plain['product_error'])} (mean share), the law of "
            f"depth by {ranged(plain['depth_error'])}; it is the better one for {better.sum()} of {len(plain)}."
        )
    agreeing = kept[kept["dy"] == 0]
    off = (agreeing["out_of_sample"] / agreeing["measured"] - 1).abs()
    if off.notna().any():
        sentences.append(
            f"Of {len(agreeing)} networks with agreeing targets the closed form lets {(agreeing['a_high'] <= 0).sum()} "
            f"merge; the distances of these pairs are off by {off.median():.0%} (median)."
        )
    return tuple(sentences)


def _listed(parts: Iterable[str]) -> str:
    """Name a few, and count the others."""
    listed = list(parts)
    more = f" and {len(listed) - MOST_NAMED} settings more" if len(listed) > MOST_NAMED else ""
    return "; ".join(listed[:MOST_NAMED]) + more
