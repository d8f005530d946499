"""Recorded runs as language: curves of what representations tell of words and of classes, and what is done right."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from syzygy.dimensions.language import Binned, Soft, language
from syzygy.studies.tables.turning import over_seeds, turn
from syzygy.tasks.commands import PADDING, ROLES, WORDS
from syzygy.training.sequence_learner import LAYER
from syzygy.training.sequences import PARTS
from syzygy.trajectory import Trajectory

#: Sets of labels, each by its name.
Labels = Mapping[str, NDArray[Any]]

#: Before the last step, chance is the mean of so many shuffles, where it has no closed form; p is of the last step.
SHUFFLES: Final = 9
#: What is kept of a table of :func:`syzygy.dimensions.language.language`.
COLUMNS: Final = (
    "label", "measure", "value", "chance", "corrected", "low", "high", "p", "floor", "empty", "items", "labels",
    "left_out", "single",
)  # fmt: skip
#: Columns of :func:`followed` and of :func:`done_right`.
FOLLOWED: Final = ("network", "seed", "step", "layer", "depth", "estimator", *COLUMNS)
RIGHT: Final = ("network", "seed", "step", "loss", *PARTS)
#: Measures of which the course is told.
COURSES: Final = ("information", "regularity", "disentanglement")


@dataclass(frozen=True)
class Ruler:
    """How representations are measured.

    Attributes
    ----------
    bins, points
        Of the binned and of the soft estimator.
    permutations
        Shuffles at the last step.
    seed
        Of shuffles and points.
    """

    bins: int
    points: int
    permutations: int
    seed: int = 0

    def of(
        self, x: NDArray[Any], labels: Labels, within: Mapping[str, str], *, last: bool
    ) -> Iterator[tuple[str, pd.DataFrame]]:
        """Measure ``(item, unit)`` with both estimators."""
        for name, estimator in (("binned", Binned(self.bins)), ("soft", Soft(self.points, seed=self.seed))):
            draws = self.permutations if last else min(self.permutations, SHUFFLES if name == "soft" else 0)
            told = language(x, labels, estimator=estimator, within=within, permutations=draws, seed=self.seed)
            yield name, told[list(COLUMNS)]


def words(seen: Trajectory) -> dict[str, NDArray[Any]]:
    """Label every word of the watched commands, in the order of the watched layer's items.

    Returns
    -------
    dict
        ``role``, its grammatical role; ``token``, the word; ``bigram``, it and the word before; ``position``, its
        place in the command.
    """
    codes = seen.inputs.astype(np.int64)
    previous = np.pad(codes[:, :-1], ((0, 0), (1, 0)))
    there = codes != WORDS.index(PADDING)
    names = np.array(WORDS)
    token, before = names[codes[there]], names[previous[there]]
    return {
        "role": np.array([ROLES[word] for word in token]),
        "token": token,
        "bigram": np.stack([before, token], axis=1),
        "position": np.nonzero(there)[1],
    }


def sequences(seen: Trajectory, name: str, ruler: Ruler) -> pd.DataFrame:
    """Follow what the encoder tells of words; a position is no kind of word, so it stands beside the others' order."""
    labels = words(seen)
    kinds = {key: labels[key] for key in ("role", "token", "bigram")}
    told = followed(seen, name, (LAYER,), kinds, ruler, {"bigram": "token"})
    place = followed(seen, name, (LAYER,), {"position": labels["position"]}, ruler)
    return pd.concat([told, place[(place["label"] == "position") & (place["measure"] != "residual")]])


def images(seen: Trajectory, name: str, ruler: Ruler) -> pd.DataFrame:
    """Follow what each layer tells of classes, which the targets are."""
    classes = seen.targets.argmax(axis=1)
    told = followed(seen, name, seen.layers, {"class": classes}, ruler)
    return told[told["measure"] != "residual"]


def followed(
    seen: Trajectory,
    name: str,
    layers: Iterable[str],
    labels: Labels,
    ruler: Ruler,
    within: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Measure layers at every recorded step of networks that did not diverge.

    Returns
    -------
    DataFrame
        Rows of :func:`syzygy.dimensions.language.language` with ``network``, ``seed``, ``step``, ``layer``, its
        relative ``depth`` and ``estimator``.
    """
    chosen, found = list(layers), []
    trained = [(place, int(seed)) for place, seed in enumerate(seen.seeds) if seen.fates[place] == "trained"]
    for (depth, layer), (place, seed) in product(enumerate(chosen, 1), trained):
        for index, step in enumerate(seen.steps):
            x, last = seen.seen(layer, place, index), index == len(seen.steps) - 1
            for estimator, told in ruler.of(x, labels, within or {}, last=last):
                own = told.assign(network=name, seed=seed, step=int(step), layer=layer, estimator=estimator)
                found.append(own.assign(depth=depth / len(chosen))[list(FOLLOWED)])
    return joined(found, FOLLOWED)


def joined(parts: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """Put tables below each other; without any, give one of these columns."""
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(columns))


def is_last(spoken: pd.DataFrame) -> pd.Series:
    """Say which rows are of a network's last recorded step."""
    return spoken["step"] == spoken.groupby("network")["step"].transform("max")


def done_right(seen: Trajectory, name: str) -> pd.DataFrame:
    """Give the training loss, and the share of each part's commands all of whose actions are right, over training."""
    there = seen.targets != 0
    right = ((seen.outputs == seen.targets) | ~there).all(axis=-1)
    parts = {part: right[:, :, some].mean(axis=-1) for part, some in parted(seen).items()}
    rows = [
        {"network": name, "seed": int(seed), "step": int(step), "loss": float(seen.loss[place, index])}
        | {part: float(share[place, index]) for part, share in parts.items()}
        for place, seed in enumerate(seen.seeds)
        if seen.fates[place] == "trained"
        for index, step in enumerate(seen.steps)
    ]
    return pd.DataFrame(rows, columns=list(RIGHT))


def parted(seen: Trajectory) -> dict[str, slice]:
    """Say where the commands of each part are among the items."""
    each = len(seen.items) // len(PARTS)
    return {part: slice(place * each, (place + 1) * each) for place, part in enumerate(PARTS)}


def turns(seen: Trajectory, name: str) -> dict[tuple[str, int], int]:
    """Give the turn of each network that did not diverge, by name and seed."""
    return {
        (name, int(seed)): turn(seen.steps, seen.loss[place].astype(np.float64))
        for place, seed in enumerate(seen.seeds)
        if seen.fates[place] == "trained"
    }


def learning(right: pd.DataFrame, turned: Mapping[tuple[str, int], int]) -> pd.DataFrame:
    """Give a row for each network: its turn, and what it does right there and at the end."""
    rows = []
    for (name, seed), step in turned.items():
        one = right[(right["network"] == name) & (right["seed"] == seed)]
        if not len(one):
            continue
        at, end = one[one["step"] == step].iloc[0], one.iloc[-1]
        told = {"network": name, "seed": seed, "turn": step, "loss": end["loss"]}
        rows.append(told | {part: end[part] for part in PARTS} | {f"{part}_at_turn": at[part] for part in PARTS})
    columns = ["network", "seed", "turn", "loss", *PARTS, *(f"{part}_at_turn" for part in PARTS)]
    return pd.DataFrame(rows, columns=columns)


def summed(courses: pd.DataFrame) -> pd.DataFrame:
    """Give means and intervals over seeds of what is gained up to the turn, after it, and of the slope after it."""
    keys = ["network", "estimator", "layer", "measure", "label"]
    rows = []
    for key, some in courses[courses["measure"].isin(COURSES)].groupby(keys, sort=False):
        told = dict(zip(keys, key, strict=True))
        for what in ("before", "after", "slope"):
            told |= dict(zip((what, f"{what}_low", f"{what}_high"), over_seeds(some[what].tolist()), strict=True))
        rows.append(told)
    return pd.DataFrame(rows)


def at_the_end(spoken: pd.DataFrame) -> pd.DataFrame:
    """Give means over seeds at the last step, and the largest p: each number, by shuffled labels, without bias."""
    keys = ["network", "estimator", "layer", "label", "measure"]
    last = spoken[is_last(spoken)].groupby(keys, sort=False)
    means, told = last[["value", "chance", "corrected"]].mean(), last[["p", "items", "labels"]].max()
    untrained = spoken[spoken["step"] == 0].groupby(keys, sort=False)["corrected"].mean().rename("untrained")
    return means.join(told).join(untrained).reset_index()
