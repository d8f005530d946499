"""What came out, in a few sentences made of the numbers."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from syzygy.explanation.inquiry import Inquiry
from syzygy.explanation.scores import MODELS
from syzygy.explanation.tables import DISTANCES


def summary(asked: Inquiry, frames: Mapping[str, pd.DataFrame], fitted: float) -> Iterator[str]:
    """Say which share of pairs is explained, where most and least, by whom else, and how it goes with distance."""
    layers, items = frames["layers"], frames["items"]
    networks = sum(len(part.seen.networks) for part in asked.parts)
    steps = " or ".join(sorted({str(len(part.seen.trajectory.steps)) for part in asked.parts}))
    pairs = sum(len(part.pairs) for part in asked.parts)
    counts = ", ".join(counted(*one) for one in ((pairs, "pair"), (len(layers), "layer"), (networks, "network")))
    yield f"{counts}; rates fitted to the first {fitted:.0%} of {steps} recorded steps forecast the rest."
    yield _most_and_least(layers)
    pooled = {
        name: np.average(layers[name], weights=layers["pairs"]) for name in ("forecast", *MODELS[1:], "in_sample")
    }
    simpler = ", ".join(f"a {name} {pooled[name]:.0%}".replace("a e", "an e") for name in MODELS[1:])
    yield (
        f"Whoever is closest, the theory forecasts {pooled['forecast']:.0%} of all pairs well enough; {simpler}. In "
        f"sample, rates fitted to all steps describe {pooled['in_sample']:.0%}."
    )
    yield from _trends(frames["trends"])
    worst, best = items.iloc[0], items["explained"].max()
    if len(items) > 2 and worst["explained"] < best:
        yield (
            f"Fewest pairs are explained of {worst['item']} at layer {worst['layer']}: {worst['explained']:.0%} of "
            f"{counted(worst['pairs'], 'pair')}."
        )


def counted(number: int, what: str) -> str:
    """Give a number of things.

    Examples
    --------
    >>> counted(1, "network"), counted(2, "network")
    ('1 network', '2 networks')
    """
    return f"{number} {what}{'' if number == 1 else 's'}"


def _most_and_least(layers: pd.DataFrame) -> str:
    shown = layers.sort_values("explained", ascending=False, kind="stable")
    most, least = shown.iloc[0], shown.iloc[-1]
    alone = layers["network"].nunique() == 1
    first, last = (f"layer {row['layer']}" + (f" of {row['network']}" * (not alone)) for row in (most, least))
    told = f"The theory explains {_interval(most, 'explained')} of the pairs at {first}"
    return told + (f", and {_interval(least, 'explained')} at {last}." if len(layers) > 1 else ".")


def _trends(trends: pd.DataFrame) -> Iterator[str]:
    """Say how scores go with distances, where the interval tells the sign."""
    sure = trends[(trends["correlation_low"] > 0) | (trends["correlation_high"] < 0)]
    said = [
        f"{DISTANCES[row['distance']]} at layer {row['layer']} {_interval(row, 'correlation', '+.2f')}".replace(
            "-", "−"
        )
        for _, row in sure.head(3).iterrows()
    ]
    if said:
        yield f"The score goes with the distance (rank correlation): {'; '.join(said)}."
    elif trends["correlation_low"].notna().any():
        yield "No rank correlation of the score with a distance is told from zero."


def _interval(row: Any, name: str, form: str = ".0%") -> str:
    value, low, high = (f"{row[name + end]:{form}}".replace("-", "−") for end in ("", "_low", "_high"))
    return value + (f" [{low}, {high}]" if np.isfinite(row[f"{name}_low"]) else "")
