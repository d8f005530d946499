"""Every pair of networks and layers, at every step: how alike, against chance and against untrained networks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from syzygy.alignment import align
from syzygy.axes import STEP
from syzygy.measures import Measure
from syzygy.trajectory import Trajectory

#: The two kinds of pairs, as tables and legends name them.
SEEDS, ARCHITECTURES = "seeds of one architecture", "different architectures"
#: What is kept of each pair.
KEPT: Final = ("score", "chance", "calibrated", "p", "q")
#: Relative depths that differ by less are the same.
SAME_DEPTH: Final = 1e-9
#: What is smaller is zero.
ROUNDING: Final = 1e-12


class Place(NamedTuple):
    """A layer of a network.

    Attributes
    ----------
    network, row, seed
        Name of its setting, its place in the trajectory, and its seed.
    layer, depth
        Module path, and its number over the number of watched layers: 1 is the last.
    """

    network: str
    row: int
    seed: int
    layer: str
    depth: float

    @property
    def name(self) -> str:
        """What no other is called."""
        return f"{self.network} {self.seed} {self.layer}"


def places(trajectories: Mapping[str, Trajectory]) -> tuple[Place, ...]:
    """List the layers of all networks that did not diverge; by setting, then layer, then seed."""
    return tuple(
        Place(name, row, int(seen.seeds[row]), layer, (number + 1) / len(seen.layers))
        for name, seen in trajectories.items()
        for number, layer in enumerate(seen.layers)
        for row, fate in enumerate(seen.fates)
        if fate != "diverged"
    )


def every_pair(
    trajectories: Mapping[str, Trajectory], some: Sequence[Place], measures: Iterable[Measure], permutations: int
) -> xr.Dataset:
    """Compare every two layers of all networks, each step with the same step.

    Where chance has no closed form it is drawn, for one network of each setting: it hangs on how the variance of a
    representation is spread, which seeds share.  Such chance has no p.

    Parameters
    ----------
    trajectories
        By setting, all recorded at the same steps.
    some
        Their :func:`places`.
    measures
        By which to compare.
    permutations
        Number of draws.

    Returns
    -------
    Dataset
        :data:`KEPT` of ``(step, measure, representation, other representation)``.
    """
    chosen, steps = list(measures), next(iter(trajectories.values())).steps
    values = {(name, layer): seen.representation(layer) for name, seen in trajectories.items() for layer in seen.layers}
    found = []
    for index in range(len(steps)):
        seen = {one.name: values[one.network, one.layer][one.row, index] for one in some}
        compared = align(seen, chosen, permutations=0).to_xarray()[list(KEPT)]
        found.append(_with_chance(compared, seen, some, chosen, permutations))
    return xr.concat(found, pd.Index(steps, name=STEP))


def _with_chance(
    compared: xr.Dataset,
    seen: Mapping[str, NDArray[np.floating]],
    some: Sequence[Place],
    measures: Sequence[Measure],
    permutations: int,
) -> xr.Dataset:
    """Draw chance where it is still open."""
    left = [one for one in measures if np.isnan(compared["chance"].sel(measure=one.label)).all()]
    if not left:
        return compared
    kinds = [(one.network, one.layer) for one in some]
    first = {kind: some[kinds.index(kind)].name for kind in dict.fromkeys(kinds)}
    drawn = align({name: seen[name] for name in first.values()}, left, permutations=permutations).to_xarray()
    place = [list(first).index(kind) for kind in kinds]
    filled = compared.copy(deep=True)
    for one in left:
        at = {"measure": one.label}
        chance = drawn["chance"].sel(at).values[np.ix_(place, place)]
        filled["chance"].loc[at] = chance
        filled["calibrated"].loc[at] = (filled["score"].sel(at).values - chance) / (one.best - chance)
    return filled


def at_matched_depth(some: Sequence[Place]) -> NDArray[np.intp]:
    """Give the pairs of different networks whose layers match, as positions, ``(2, pair)``.

    In networks of one architecture these are the same layers; in those of two, layers of which one is the nearest in
    relative depth to the other.
    """
    depth, network = np.array([one.depth for one in some]), np.array([one.network for one in some])
    gap = np.abs(depth[:, None] - depth)
    nearest = np.empty(gap.shape)
    for name in dict.fromkeys(network.tolist()):
        nearest[:, network == name] = gap[:, network == name].min(axis=1, keepdims=True)
    match = gap <= nearest + SAME_DEPTH
    same = network[:, None] == network
    matched = np.where(same, gap < SAME_DEPTH, match | match.T)
    return np.stack(np.nonzero(np.triu(matched, 1)))


def matched(pairs: xr.Dataset, some: Sequence[Place]) -> pd.DataFrame:
    """Give a row for each measure, step and pair of layers at matched depth.

    Returns
    -------
    DataFrame
        ``measure``, ``step``, ``kind``, ``network``, ``other``, ``seed``, ``other_seed``, ``layer``, ``other_layer``,
        ``depth`` (of both, their mean), :data:`KEPT`, and ``untrained``: ``calibrated`` of the same pair at step 0.
    """
    first, second = at_matched_depth(some)
    left, right = ([some[index] for index in side] for side in (first, second))
    about = {
        "kind": [SEEDS if a.network == b.network else ARCHITECTURES for a, b in zip(left, right, strict=True)],
        "network": [one.network for one in left],
        "other": [one.network for one in right],
        "seed": [one.seed for one in left],
        "other_seed": [one.seed for one in right],
        "layer": [one.layer for one in left],
        "other_layer": [one.layer for one in right],
        "depth": [(a.depth + b.depth) / 2 for a, b in zip(left, right, strict=True)],
    }
    frames = []
    for measure in pairs["measure"].values:
        own = pairs.sel(measure=measure)
        untrained = own["calibrated"].values[0][first, second]
        for index, step in enumerate(pairs[STEP].values):
            numbers = {name: own[name].values[index][first, second] for name in KEPT}
            head = {"measure": str(measure), "step": int(step)}
            frames.append(pd.DataFrame(head | about | numbers | {"untrained": untrained}))
    return pd.concat(frames, ignore_index=True)


def over_training(frame: pd.DataFrame) -> pd.DataFrame:
    """Average :func:`matched` over pairs: a row for each measure, kind and step, with the scatter over pairs."""
    return _averaged(frame, ["measure", "kind", "step"])


def by_depth(frame: pd.DataFrame) -> pd.DataFrame:
    """Average the last step over pairs of the same third of depth: a row for each measure, kind and third."""
    last = frame[frame["step"] == frame["step"].max()]
    third = np.select([last["depth"] <= 1 / 3 + SAME_DEPTH, last["depth"] <= 2 / 3 + SAME_DEPTH], THIRDS[:2], THIRDS[2])
    return _averaged(last.assign(depth=third), ["measure", "kind", "depth"])


THIRDS: Final = ("first third", "second third", "last third")


def by_architecture(frame: pd.DataFrame) -> pd.DataFrame:
    """Average the last step by pair of architectures, those of one with itself being pairs of seeds."""
    last = frame[frame["step"] == frame["step"].max()]
    averaged = _averaged(last, ["measure", "kind", "network", "other"])
    return _by_measure(averaged.sort_values("calibrated", ascending=False, kind="stable"), frame)


def by_gain(frame: pd.DataFrame) -> pd.DataFrame:
    """Average over pairs of seeds and layers: a row for each measure, gain and step."""
    averaged = _averaged(frame, ["measure", "gain", "step"])
    return _by_measure(averaged.sort_values(["gain", "step"], kind="stable"), frame)


def apart(frame: pd.DataFrame, count: int) -> pd.DataFrame:
    """Give the pairs of networks that stay apart, over their matched layers: those least alike at the end, by measure.

    Returns
    -------
    DataFrame
        ``count`` rows for each measure and kind, the least alike first; ``above_untrained`` says which are more alike
        than they were at step 0, ``of`` how many pairs there are, and ``not_above`` how many of these are not.
    """
    last = frame[frame["step"] == frame["step"].max()]
    keys = ["measure", "kind", "network", "seed", "other", "other_seed"]
    averaged = last.groupby(keys, sort=False)[["calibrated", "untrained"]].mean().reset_index()
    averaged["above_untrained"] = averaged["calibrated"] > averaged["untrained"]
    grouped = averaged.groupby(["measure", "kind"], sort=False)
    averaged["of"] = grouped["calibrated"].transform("size")
    averaged["not_above"] = averaged["of"] - grouped["above_untrained"].transform("sum")
    ordered = averaged.sort_values("calibrated", kind="stable")
    lowest: pd.DataFrame = ordered.groupby(["measure", "kind"], sort=False).head(count)
    return _by_measure(lowest.sort_values(["kind", "calibrated"], ascending=[False, True], kind="stable"), frame)


def _by_measure(some: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Sort rows by measure, in the order that ``frame`` has; within one they stay as they are."""
    order = list(dict.fromkeys(frame["measure"]))
    return some.sort_values("measure", key=lambda names: names.map(order.index), kind="stable", ignore_index=True)


def rounded(numbers: pd.DataFrame) -> pd.DataFrame:
    """Call zero what is rounding: chance of a centred measure."""
    return numbers.mask(numbers.abs() < ROUNDING, 0.0)


def _averaged(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    grouped = frame.groupby(keys, sort=False)
    found = rounded(grouped[["score", "chance", "calibrated", "untrained"]].mean())
    found["gained"] = found["calibrated"] - found["untrained"]
    found["scatter"] = grouped["calibrated"].std()
    tested = frame["q"].notna()
    found["significant"] = (frame["q"] <= 0.05).where(tested).astype(float).groupby([frame[k] for k in keys]).mean()
    found["pairs"] = grouped.size()
    return found.reset_index()
