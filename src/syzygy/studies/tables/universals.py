"""Universality over training, what it keeps of a representation, and the theory's regime of each dimension."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial.distance import pdist
from scipy.stats import rankdata

from syzygy.dimensions import UniversalDimensions
from syzygy.dimensions.universal.layers import Layers
from syzygy.studies.tables.settling import half_way
from syzygy.trajectory import Trajectory

Array = NDArray[np.float64]

#: A dimension is universal from here on: other networks tell half of its variance.
UNIVERSAL: Final = float(np.sqrt(0.5))
#: So many of a layer are its largest.
LARGEST: Final = 10
#: Universality by fewer networks, or by fewer units.
FURTHER: Final = ("by_seeds", "by_architectures", "matched")
#: Which components are kept, as tables name it.
UNIVERSALLY, LEAST_UNIVERSAL = "universality", "least universal"

COMPONENTS_CAPTION: Final = (
    "Every component of every layer of the trained networks. universality: median over all other networks of the mean "
    "over folds of the correlation with its prediction; low, high: 95% over images; p, q: by chance, and corrected for "
    "their number; by_seeds, by_architectures: the median over these networks alone; matched: by the one best unit of "
    "each other network in place of all; untrained_tell: by the other networks before they were trained; eigenspace: "
    "components of a layer with one number may turn into one another; half_way: step at which other networks tell it "
    "half-way; start_share: variance of the untrained layer along it over its own; richness: A_high/A_low; regime."
)
TRAINING_CAPTION: Final = (
    "By step. universal: number of components with a universality of 0.71 or more; components: of all; median, "
    "largest: universality of the median component, and mean of the ten of largest variance of each layer; told: mean "
    "over the components that are universal at the end of how well the other networks tell them at that step."
)
SUMMARY_CAPTION: Final = (
    "By architecture, trained and untrained, means over networks: components, how many are universal, how many have "
    "q ≤ 0.05, and the universality below which 10, 50 and 90% of components lie; by other seeds and by other "
    "architectures alone, and by the one best unit of each."
)
KEPT_CAPTION: Final = (
    "Similarity to networks that were held out, on images that no score has seen, with some components of each layer "
    "alone: Spearman's correlation of dissimilarities (1 less the correlation of two images over units) with those of "
    "the layer at the nearest relative depth, mean over layers, networks and held-out networks of other architectures. "
    "chosen: by universality, by variance, or the least universal; kept: over that with all components."
)
REGIMES_CAPTION: Final = (
    "Components by the regime that the theory gives them, by architecture: how many, and their median universality, "
    "variance and share of variance that was there untrained."
)


def network_layers(trajectories: Mapping[str, Trajectory], seeds: Sequence[int], index: int) -> Layers:
    """Give networks of some seeds at one recorded step, ``architecture/seed`` to layer to ``(item, unit)``.

    Networks that diverged are left out.
    """
    return {
        f"{name}/{seed}": {layer: seen.representation(layer)[row, index].astype(np.float64) for layer in seen.layers}
        for name, seen in trajectories.items()
        for row, (seed, fate) in enumerate(zip(seen.seeds.tolist(), seen.fates, strict=True))
        if seed in seeds and fate != "diverged"
    }


def some_items(given: Layers, items: NDArray[np.intp]) -> Layers:
    """Give a part of the items."""
    return {name: {layer: x[items] for layer, x in layers.items()} for name, layers in given.items()}


def architecture(network: str) -> str:
    """Give the architecture of ``architecture/seed``."""
    return network.rpartition("/")[0]


def described(
    fitted: UniversalDimensions, told: Array, steps: NDArray[np.int64], untrained: Layers, matched: Array
) -> pd.DataFrame:
    """Say everything of each component, a row for each; columns as :data:`COMPONENTS_CAPTION` says.

    Parameters
    ----------
    fitted
        To the trained networks.
    told
        How well the others tell each component at each step, ``(step, component)``.
    steps
        Which.
    untrained
        The same networks at the start, items as fitted.
    matched
        Universality by the one best unit, ``(component,)``.
    """
    frame = fitted.table_.copy()
    frame.insert(0, "architecture", frame["network"].map(architecture))
    for column, same in (("by_seeds", True), ("by_architectures", False)):
        frame[column] = np.nan
        for name in dict.fromkeys(frame["architecture"]):
            by = [network for network in fitted.networks_ if (architecture(network) == name) == same]
            frame.loc[frame["architecture"] == name, column] = fitted.median(by)[frame["architecture"] == name]
    frame["matched"], frame["untrained_tell"] = matched, told[0]
    frame["half_way"] = [half_way(steps, curve) for curve in told.T]
    return frame.join(regimes(fitted, untrained))


def regimes(fitted: UniversalDimensions, untrained: Layers) -> pd.DataFrame:
    """Give ``start_share``, ``richness`` and ``regime`` of each component.

    Twice a component's variance is its squared distance, mean over all pairs: ``start_share`` is that of the untrained
    layer along the same direction over its own.
    """
    shares = []
    for network, layers in fitted.layers_.components.items():
        for layer, one in layers.items():
            before = one.scores(untrained[network][layer][fitted.items_]).var(axis=0)
            place = (fitted.table_["network"] == network) & (fitted.table_["layer"] == layer)
            with np.errstate(divide="ignore", invalid="ignore"):
                shares.append(before / fitted.targets_[:, place.to_numpy()].var(axis=0))
    share = np.concatenate(shares)
    ratio = richness(share)
    regime = np.where(ratio <= 1, "rich", "encoder-lazy")
    return pd.DataFrame({"start_share": share, "richness": ratio, "regime": regime})


def richness(share: Array) -> Array:
    """Give A_high/A_low of a dimension of whose final squared distance such a share was there at the start.

    From the end of a pair, ``H = A_high/2 + √(A_high²/4 + A_low²)``: with outputs near zero at the start A_high is the
    squared distance there, so with ``ρ = A_high/H`` it is ``ρ/√(1 − ρ)``; infinite where the dimension shrank.

    Examples
    --------
    >>> richness(np.array([0.0, 0.5, 2.0])).round(3)
    array([0.   , 0.707,   inf])
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(share < 1, share / np.sqrt(np.maximum(1 - share, 0)), np.inf))


def over_training(tables: Mapping[int, pd.DataFrame], told: Array, universal: NDArray[np.bool_]) -> pd.DataFrame:
    """Sum up every step.

    Parameters
    ----------
    tables
        ``table_`` of what was fitted at each step.
    told
        As of :func:`described`.
    universal
        Which components are, at the end.
    """
    rows = [
        {
            "step": step,
            "networks": some["network"].nunique(),
            "components": len(some),
            "universal": int((some["universality"] >= UNIVERSAL).sum()),
            "median": float(some["universality"].median()),
            "largest": float(some.loc[some["component"] < LARGEST, "universality"].mean()),
            "told": float(np.mean(row[universal])) if universal.any() else np.nan,
        }
        for (step, some), row in zip(tables.items(), told, strict=True)
    ]
    return pd.DataFrame(rows)


def by_architecture(trained: pd.DataFrame, untrained: pd.DataFrame) -> pd.DataFrame:
    """Sum up components by architecture; columns as :data:`SUMMARY_CAPTION` says."""
    rows = []
    for state, frame in (("untrained", untrained), ("trained", trained)):
        for name, some in frame.groupby("architecture", sort=False):
            networks = some["network"].nunique()
            u = some["universality"]
            rows.append(
                {"architecture": name, "state": state, "networks": networks, "components": len(some) / networks}
                | {"universal": (u >= UNIVERSAL).sum() / networks, "significant": (some["q"] <= 0.05).sum() / networks}
                | {f"quantile_{100 * part:.0f}": u.quantile(part) for part in (0.1, 0.5, 0.9)}
                | {column: some[column].median() for column in FURTHER if column in some}
            )
    return pd.DataFrame(rows)


def by_regime(components: pd.DataFrame) -> pd.DataFrame:
    """Sum up components by architecture and regime."""
    grouped = components.groupby(["architecture", "regime"], sort=False)
    found = grouped[["universality", "variance", "start_share"]].median()
    found.insert(0, "components", grouped.size())
    return found.reset_index()


def by_count(fitted: UniversalDimensions, judged: Layers, held_out: Layers, counts: Sequence[int]) -> pd.DataFrame:
    """Say how similar layers are to held-out networks with some components alone; as :data:`KEPT_CAPTION` says.

    Parameters
    ----------
    fitted
        To trained networks.
    judged, held_out
        Them, and networks that had no part in it, on other items.
    counts
        How many components are kept.
    """
    references = {name: {layer: _dissimilar(x) for layer, x in layers.items()} for name, layers in held_out.items()}
    rows = []
    for network, layers in judged.items():
        others = [layers for name, layers in references.items() if architecture(name) != architecture(network)]
        for place, (layer, x) in enumerate(layers.items()):
            depth = (place + 1) / len(layers)
            targets = np.array([_nearest(one, depth) for one in others])
            for (chosen, count), reduced in _reduced(fitted, network, layer, x, counts).items():
                score = float(np.mean(targets @ _dissimilar(reduced))) if len(targets) else np.nan
                rows.append({"architecture": architecture(network), "chosen": chosen, "count": count, "score": score})
    scores = pd.DataFrame(rows).groupby(["architecture", "chosen", "count"], sort=False)["score"].mean().reset_index()
    all_of_them = scores["chosen"] == "all"
    whole = scores[all_of_them].groupby("architecture")["score"].mean()
    found = scores[~all_of_them].reset_index(drop=True)
    return found.assign(kept=found["score"] / found["architecture"].map(whole))


def _reduced(
    fitted: UniversalDimensions, network: str, layer: str, x: Array, counts: Sequence[int]
) -> dict[tuple[str, int], Array]:
    """Give a layer with some of its components alone, by which and how many."""
    one, universality = fitted.layers_.components[network][layer], fitted.universality_[network][layer]
    scores = one.scores(x)
    order = np.argsort(-np.nan_to_num(universality, nan=-np.inf), kind="stable")
    orders = {UNIVERSALLY: order, "variance": np.arange(len(order)), LEAST_UNIVERSAL: order[::-1]}
    found = {("all", len(order)): x}
    for chosen, places in orders.items():
        found |= {(chosen, count): one.rebuilt(scores, places[:count]) for count in counts}
    return found


def _dissimilar(x: Array) -> Array:
    """Give the ranks of 1 less the correlation of every two items, centred and of norm one, ``(pair,)``."""
    apart = pdist(x, "correlation")
    ranks = rankdata(np.nan_to_num(apart, nan=1.0))
    ranks -= ranks.mean()
    size = np.linalg.norm(ranks)
    return np.asarray(ranks / size if size > 0 else ranks)


def _nearest(layers: Mapping[str, Array], depth: float) -> Array:
    """Give the layer at the nearest relative depth."""
    listed = list(layers.values())
    return listed[int(np.argmin([abs((place + 1) / len(listed) - depth) for place in range(len(listed))]))]
