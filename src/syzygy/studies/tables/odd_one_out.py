"""Embeddings of odd-one-out choices: what was learned, how well, how alike, and who shares it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from syzygy.dimensions.odd_one_out import (
    accuracy,
    cross_entropy,
    cumulative,
    pairwise,
    representational,
    reproducibility,
    similarity,
)
from syzygy.studies.claims.odd_one_out import AGAIN, ARCHITECTURES, REFERENCE, SEEDS
from syzygy.studies.trainings.odd_one_out import Embedding, embeddings
from syzygy.training import Trainable
from syzygy.trajectory import Trajectory

Array = NDArray[np.float64]

UNTRAINED, BETWEEN, TRAINED = "untrained", "between", "trained"
#: Halves of the objects for an interval.
HALVES: Final = 100
#: Fewer objects, or none that vary, have no correlation.
LEAST_DIMENSIONS: Final = 1

LEARNED_CAPTION: Final = (
    "Every embedding. dimensions: so many are kept; accuracy: on held-out triplets, ties counted by luck; ceiling: "
    "what nothing exceeds on average; cross_entropy: there, in nats (1.1 for no idea); classes: share of its "
    "dimensions' variance that lies between classes, weighed by their sums; settled: whether the number of dimensions "
    "had been stable as long as was asked."
)
ALIKE_CAPTION: Final = (
    "Every network at every step: correlation of its similarity matrix with the reference's, with 95% over halves of "
    "the objects, and p by shuffled objects; dimensions of its embedding, and how many of them, the largest first, "
    "reach 95% of the final r²."
)
SHARED_CAPTION: Final = (
    "Who shares dimensions with whom: mean, in Fisher's z, of the correlation of a dimension with its match, matched "
    "on one half of the objects and scored on the other; the lowest and highest of the pairs, and their number."
)
RECOVERED_CAPTION: Final = (
    "The dimensions that the reference chooser has, and the correlation of each with its match in the embedding of its "
    "choices, of which no two have the same."
)


@dataclass(frozen=True, eq=False)
class Learned:
    """Embeddings of the choices of a network at a step, or of the reference.

    Attributes
    ----------
    architecture, seed, step
        Of the network; ``reference``, 0 and −1 of the reference, and the step is −1 of what is in a file.
    state
        ``untrained``, ``between``, ``trained`` or ``reference``.
    every
        ``(object, dimension)``, by the embedding's seed.
    settled
        Whether each had settled.
    training
        What learned it; None for dimensions that were given.
    seen
        What the networks gave, if it is one.
    """

    architecture: str
    seed: int
    step: int
    state: str
    every: dict[int, Array]
    settled: dict[int, bool]
    training: Embedding | None = None
    seen: Trajectory | None = None

    @property
    def name(self) -> str:
        """Network and seed."""
        return self.architecture if self.state == REFERENCE else f"{self.architecture}/{self.seed}"

    @cached_property
    def usable(self) -> dict[int, Array]:
        """Those that kept a dimension."""
        return {seed: x for seed, x in self.every.items() if x.shape[1] >= LEAST_DIMENSIONS}

    @cached_property
    def best(self) -> Array:
        """The embedding whose dimensions come back best in the others; no columns if none kept any."""
        if len(self.usable) > 1:
            found = reproducibility({str(seed): x for seed, x in self.usable.items()})
            return self.usable[int(found.best)]
        return next(iter(self.usable.values()), next(iter(self.every.values())))

    @cached_property
    def matrix(self) -> Array:
        """How alike it finds objects."""
        return similarity(self.best)


def stem(path: str) -> str:
    """Name what is in a file."""
    return Path(path).stem


def learned(jobs: Mapping[str, Trainable], trajectories: Mapping[str, Trajectory]) -> list[Learned]:
    """Find the embeddings among what has been trained; networks that diverged are left out."""
    places = [(*parted(name), name) for name, job in jobs.items() if isinstance(job, Embedding)]
    last = {architecture: max(step for one, _, step, _ in places if one == architecture) for architecture, *_ in places}
    found = []
    for architecture, seed, step, name in places:
        job, seen = jobs[name], trajectories.get(architecture)
        if name not in trajectories or not isinstance(job, Embedding) or _diverged(seen, seed):
            continue
        state = REFERENCE if name == REFERENCE else TRAINED if step == last[architecture] else BETWEEN
        state = UNTRAINED if step == 0 else state
        every = embeddings(trajectories[name])
        fates = dict(zip(every, trajectories[name].fates, strict=True))
        settled = {one: fate == "learned" for one, fate in fates.items()}
        found.append(Learned(architecture, seed, step, state, every, settled, job, seen if job.needs else None))
    return found


def parted(name: str) -> tuple[str, int, int]:
    """Give architecture, seed and step of a name, as ``deep/0@2000``; the step is −1 of what has none."""
    network, _, step = name.partition("@")
    architecture, _, seed = network.partition("/")
    return architecture, int(seed or 0), int(step) if step.isdigit() else -1


def _diverged(seen: Trajectory | None, seed: int) -> bool:
    return seen is not None and seed in seen.seeds and seen.fates[seen.seeds.tolist().index(seed)] == "diverged"


def between_classes(x: Array, classes: Sequence[int]) -> Array:
    """Give the share of each dimension's variance that lies between classes, ``(dimension,)``; NaN without classes.

    Examples
    --------
    >>> between_classes(np.array([[1.0, 0], [1, 1], [0, 0], [0, 1]]), [3, 3, 5, 5]).tolist()
    [1.0, 0.0]
    """
    if not len(classes):
        return np.full(x.shape[1], np.nan)
    labels, total = np.asarray(classes), x.var(axis=0)
    means = np.stack([x[labels == one].mean(axis=0) for one in labels])
    return np.asarray(np.divide(means.var(axis=0), total, out=np.full(x.shape[1], np.nan), where=total > 0))


def weighed(x: Array, classes: Sequence[int]) -> float:
    """Give the mean over dimensions of :func:`between_classes`, weighed by their sums."""
    shares = between_classes(x, classes)
    there = np.isfinite(shares)
    return float(np.average(shares[there], weights=x.sum(axis=0)[there])) if there.any() else float("nan")


def by_embedding(some: Sequence[Learned], classes: Sequence[int]) -> pd.DataFrame:
    """Give a row for each embedding."""
    return pd.DataFrame([row for one in some for row in _rows(one, classes)])


def _rows(one: Learned, classes: Sequence[int]) -> Iterator[dict[str, object]]:
    held_out = one.training.sides(one.seen)[1] if one.training else None
    top = one.training.chooser.ceiling(held_out, one.seen) if one.training and held_out else float("nan")
    for seed, x in one.every.items():
        shown = x if x.shape[1] else np.zeros((len(x), 1))
        yield {
            "architecture": one.architecture, "network": one.name, "step": one.step if one.step >= 0 else None,
            "state": one.state, "embedding": seed, "dimensions": x.shape[1],
            "accuracy": accuracy(shown, held_out) if held_out else float("nan"), "ceiling": top,
            "cross_entropy": cross_entropy(shown, held_out) if held_out else float("nan"),
            "classes": weighed(x, classes), "settled": one.settled[seed],
        }  # fmt: skip


def by_network(some: Sequence[Learned], reference: Learned, permutations: int) -> pd.DataFrame:
    """Compare each network at each step with the reference."""
    rows = []
    for one in some:
        if one.state == REFERENCE or not one.usable:
            continue
        draws = 0 if one.state == BETWEEN else HALVES
        found = representational(one.matrix, reference.matrix, permutations=permutations, draws=draws)
        added = cumulative(one.best, reference.matrix)
        row = {"architecture": one.architecture, "network": one.name, "step": one.step, "state": one.state}
        for kind in ("pearson", "spearman"):
            ends = {kind: found.r[kind], f"{kind}_low": found.low[kind], f"{kind}_high": found.high[kind]}
            row |= ends | {f"p_{kind}": found.p[kind]}
        rows.append(row | {"dimensions": one.best.shape[1], "needed": added.needed})
    return pd.DataFrame(rows)


def sharing(some: Sequence[Learned], reference: Learned) -> pd.DataFrame:
    """Match dimensions of every two networks, of every embedding with its others, and with the reference's."""
    rows = []
    for state in (UNTRAINED, TRAINED):
        there = [one for one in some if one.state == state and one.usable]
        for one, other in combinations(there, 2):
            kind = SEEDS if one.architecture == other.architecture else ARCHITECTURES
            mean = reproducibility({"a": one.best, "b": other.best}).mean
            for who, whom, key in ((one, other, "a"), (other, one, "b")):
                rows.append({"architecture": who.architecture, "state": state, "kind": kind, "network": who.name,
                             "other": whom.name, "r": mean[key]})  # fmt: skip
        rows += [_shared(one, AGAIN, one.name, _again(one))
                 for one in there if len(one.usable) > 1]  # fmt: skip
        rows += [_shared(one, REFERENCE, REFERENCE, reproducibility({"a": one.best, "b": reference.best}).mean["a"])
                 for one in there]  # fmt: skip
    if len(reference.usable) > 1:
        rows.append(_shared(reference, AGAIN, REFERENCE, _again(reference)))
    return pd.DataFrame(rows)


def _again(one: Learned) -> float:
    """Give how well its dimensions come back when they are learned again, mean over embeddings."""
    return float(np.mean(list(reproducibility({str(seed): x for seed, x in one.usable.items()}).mean.values())))


def _shared(one: Learned, kind: str, other: str, r: float) -> dict[str, object]:
    row = {"architecture": one.architecture, "state": one.state, "kind": kind, "network": one.name}
    return row | {"other": other, "r": r}


def by_kind(shared: pd.DataFrame) -> pd.DataFrame:
    """Sum up :func:`sharing` by state, kind and architecture."""
    grouped = shared.assign(z=np.arctanh(shared["r"].clip(-1 + 1e-9, 1 - 1e-9))).groupby(
        ["state", "kind", "architecture"], sort=False
    )
    told = {"r": np.tanh(grouped["z"].mean()), "lowest": grouped["r"].min(), "highest": grouped["r"].max()}
    return pd.DataFrame(told | {"pairs": grouped.size()}).reset_index()


def recovered(known: Mapping[str, Array], reference: Learned) -> pd.DataFrame:
    """Find the known dimensions of the reference chooser in the embedding of its choices."""
    if not known or not reference.usable:
        return pd.DataFrame({"dimension": [], "found_as": [], "r": []})
    found = pairwise(np.stack(list(known.values()), axis=1), reference.best, replacement=False)
    as_number = [int(one) + 1 if one >= 0 else None for one in found.match]
    return pd.DataFrame({"dimension": list(known), "found_as": as_number, "r": found.r})
