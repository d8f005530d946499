"""The numbers of a comparison: pairs, measures, representations, maps, and alignment over training."""

from collections.abc import Hashable
from typing import Any, Final

import numpy as np
import pandas as pd

from syzygy.alignment import Alignment
from syzygy.alignment.embedding import embedding
from syzygy.axes import OTHER_REPRESENTATION, REPRESENTATION, STEP
from syzygy.comparison.doubts import LEVEL

#: A table of pairs has so many rows at most.
MOST_PAIRS: Final = 50_000
#: Smaller probabilities come from the far tail of an approximation, and mean no more than this.
LEAST_P: Final = 1e-9

NUMBERS: Final = ("score", "score_low", "score_high", "chance", "spread", "calibrated", "p", "q")

#: What tells one network from another.
NETWORK: Final = ("network", "seed", "gain")


def pairs(alignment: Alignment) -> pd.DataFrame:
    """Give a row per measure and pair, those farthest above chance first."""
    found = alignment.to_pandas().rename(columns={"low": "score_low", "high": "score_high"})
    names = ["measure", REPRESENTATION, OTHER_REPRESENTATION, *(name for name in NUMBERS if name in found)]
    distance = {one.label: one.kind == "distance" for one in alignment.measures}
    alike = found["score"].where(~found["measure"].map(distance).astype(bool), -found["score"])
    order = found.assign(alike=alike).sort_values(["calibrated", "alike"], ascending=False, kind="stable").index
    first = found.loc[order, names].groupby("measure", sort=False).head(MOST_PAIRS).reset_index(drop=True)
    chance = first["chance"].round(12) + 0.0  # what is 0 but for rounding
    return first.assign(chance=chance, p=first["p"].clip(lower=LEAST_P), q=first["q"].clip(lower=LEAST_P))


def nearest(alignment: Alignment, rows: pd.DataFrame) -> dict[Hashable, Any] | None:
    """Give the row of the most alike by the first measure, of different networks if there are any; none of two."""
    some = rows[(rows["measure"] == alignment.measures[0].label) & rows["score"].notna()]
    which = dict(zip(alignment.names, _networks(alignment), strict=True))
    alone = len(set(which.values())) < 2
    if not alone:
        some = some[some[REPRESENTATION].map(which) != some[OTHER_REPRESENTATION].map(which)]
    return some.iloc[0].to_dict() | {"alone": alone} if len(some) and len(alignment.names) > 2 else None


def measures(alignment: Alignment, points: pd.DataFrame) -> pd.DataFrame:
    """Give a row per measure: what it is, and what came out on average."""
    found = []
    for one in alignment.measures:
        data = alignment.data.sel(measure=one.label)
        off = ~np.eye(len(alignment.names), dtype=bool)
        means = {name: _mean(data[name].values[off]) for name in ("score", "chance", "calibrated")}
        q = data["q"].values[off]
        q = q[np.isfinite(q)]
        stress = points.loc[points["measure"] == one.label, "stress"]
        found.append({"measure": one.label, "what it is": one.about, "kind": one.kind, "chance puts it at": one.luck,
                      **means, "above chance": float(np.mean(q < LEVEL)) if len(q) else np.nan,
                      "stress": stress.iloc[0] if len(stress) else np.nan, "from": one.reference})  # fmt: skip
    return pd.DataFrame(found)


def representations(alignment: Alignment) -> pd.DataFrame:
    """Give a row per representation: how large it is, and what is most like it."""
    first = alignment.measures[0]
    data = alignment.data.sel(measure=first.label)
    alike = data["calibrated"].values
    if not np.isfinite(alike).any():
        alike = data["score"].values * (-1 if first.kind == "distance" else 1)
    alike = np.where(np.eye(len(alike), dtype=bool) | ~np.isfinite(alike), -np.inf, alike)
    nearest = alike.argmax(axis=1)
    names = np.array(alignment.names, dtype=object)
    found = pd.DataFrame({REPRESENTATION: names})
    if alignment.representations is not None:
        found["units"] = [one.units for one in alignment.representations]
    found["most like"] = np.where(np.isfinite(alike.max(axis=1)), names[nearest], "")
    found["score"] = data["score"].values[np.arange(len(names)), nearest]
    return found


def placed(alignment: Alignment, seed: int) -> pd.DataFrame:
    """Give where each measure's map puts each representation, and what is known of it."""
    found = []
    for one in alignment.measures:
        points = embedding(one, alignment.score(one), seed=seed)
        known = {name: _known(alignment, name) for name in ("network", "seed", "layer", STEP)}
        found.append(pd.DataFrame({"measure": one.label, REPRESENTATION: alignment.names, "1": points.values[:, 0],
                                   "2": points.values[:, 1], "stress": points.attrs["stress"], **known}))  # fmt: skip
    return pd.concat(found, ignore_index=True)


def training(alignment: Alignment) -> pd.DataFrame:
    """Give how alike networks are at each step, and each to its last; no rows where there are no steps."""
    if STEP not in alignment.data.coords or len(set(_known(alignment, STEP))) < 2:
        return pd.DataFrame()
    about = pd.DataFrame({"network": _known(alignment, "network"), "which": _networks(alignment),
                          "layer": _known(alignment, "layer"), "step": _known(alignment, STEP)},
                         index=list(alignment.names))  # fmt: skip
    rows = alignment.to_pandas()[["measure", REPRESENTATION, OTHER_REPRESENTATION, "score", "chance", "calibrated"]]
    one = about.loc[rows[REPRESENTATION]].reset_index(drop=True)
    other = about.loc[rows[OTHER_REPRESENTATION]].reset_index(drop=True)
    layer = np.where(len(set(about["layer"])) > 1, one["layer"].astype(str), "")
    same = (one["layer"] == other["layer"]) & one["step"].notna()
    between = same & (one["step"] == other["step"]) & (one["which"] != other["which"])
    last = about.groupby(["which", "layer"])["step"].max()
    ends = last.loc[list(zip(one["which"], one["layer"], strict=True))].to_numpy()
    own = same & (one["which"] == other["which"]) & (np.maximum(one["step"], other["step"]) == ends)
    kind = np.where(one["network"] == other["network"], "seeds of one kind", "different kinds")
    parts = []
    for name, where, line, group, step in (
        ("networks", between, one["which"] + " – " + other["which"], kind, one["step"]),
        ("own last step", own, one["which"], one["network"], np.minimum(one["step"], other["step"])),
    ):
        part = rows[where].copy()
        part["between"], part["step"] = name, np.asarray(step)[where]
        part["line"] = _with(line, layer)[where]
        part["group"] = _with(group, layer)[where]
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _networks(alignment: Alignment) -> list[str]:
    """Name the network of each representation; empty where nothing is known of it."""
    known = [_known(alignment, name) for name in NETWORK]
    return [" ".join(str(part) for part in parts if part != "") for parts in zip(*known, strict=True)]


def _known(alignment: Alignment, name: str) -> list[object]:
    if name not in alignment.data.coords:
        return [""] * len(alignment.names)
    values: list[object] = alignment.data[name].values.tolist()
    return values


def _with(words: object, layer: object) -> np.ndarray:
    both = zip(np.asarray(words, dtype=object), np.asarray(layer, dtype=object), strict=True)
    return np.array([", ".join(part for part in parts if part) for parts in both], dtype=object)


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan
