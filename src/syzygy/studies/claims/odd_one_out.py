"""What the study of odd-one-out dimensions claims; the bounds were set before any was measured."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from syzygy.claims import Expectation

#: A dimension is found again, or has a match, from here on.
MATCHED: Final = 0.8
#: Kinds of pairs of embeddings, from the nearest to the furthest.
AGAIN, SEEDS, ARCHITECTURES, REFERENCE = "learned again", "other seeds", "other architectures", "reference"

FROM: Final = {
    AGAIN: "in the same network's choices learned again",
    SEEDS: "in networks of other seeds",
    ARCHITECTURES: "in other architectures",
}

EXPECTATIONS: Final[tuple[Expectation, ...]] = (
    Expectation(
        "finds_what_decides",
        "The dimensions that decide are found from choices alone.",
        "literature",
        "out of sample",
        f"share of the reference chooser's known dimensions with a match of r ≥ {MATCHED:g} in the embedding of its "
        "choices",
        low=0.8,
    ),
    Expectation(
        "reaches_ceiling",
        "An embedding predicts choices that it has not seen nearly as well as they can be predicted.",
        "literature",
        "out of sample",
        "tie-aware accuracy on held-out triplets over its ceiling, reference and trained networks by architecture",
        low=0.85,
        high=1.05,
    ),
    Expectation(
        "comes_back",
        "The dimensions of a trained network come back when its embedding is learned again.",
        "literature",
        "out of sample",
        "correlation of a dimension with its match in the embedding of another seed, matched on one half of the images "
        "and scored on the other, mean in Fisher's z, by architecture",
        low=0.8,
    ),
    Expectation(
        "seeds_share",
        "Networks of other seeds have the same dimensions.",
        "derived",
        "out of sample",
        "the same with embeddings of networks of other seeds, by architecture",
        low=0.7,
    ),
    Expectation(
        "training_shares",
        "Untrained networks of different architectures share fewer dimensions than trained ones.",
        "derived",
        "out of sample",
        "the same with other architectures, trained less untrained, by architecture",
        low=0.0,
    ),
    Expectation(
        "training_aligns",
        "Training makes a network find alike what the reference finds alike.",
        "derived",
        "no fit",
        "Pearson's r of the network's similarity matrix with the reference's, trained less untrained, by architecture",
        low=0.0,
    ),
    Expectation(
        "few_suffice",
        "A few dimensions reach most of the similarity to the reference.",
        "literature",
        "no fit",
        "share of a trained network's dimensions that reach 95% of the final r², the largest first, by architecture",
        high=0.5,
    ),
    Expectation(
        "best_pairs",
        "The best dimensions of a network and of the reference are nearly the same.",
        "literature",
        "no fit",
        "largest correlation of a dimension of a trained network with one of the reference, by architecture",
        low=MATCHED,
    ),
    Expectation(
        "not_all_pairs",
        "Most dimensions of a network have no such match.",
        "literature",
        "no fit",
        f"share of a trained network's dimensions with a match of r ≥ {MATCHED:g} in the reference, by architecture",
        high=0.5,
    ),
    Expectation(
        "classes_come",
        "Dimensions that follow the classes come with training.",
        "derived",
        "no fit",
        "share of the dimensions' variance that lies between classes, weighed by their sums, trained less untrained, "
        "by architecture",
        low=0.0,
    ),
    Expectation(
        "form_stays",
        "What a network finds alike is told less by classes than what the reference finds alike.",
        "literature",
        "no fit",
        "the same share of a trained network less that of the reference, by architecture",
        high=0.0,
    ),
)

Cases = dict[str, dict[str, float]]


def measured(
    recovered: pd.DataFrame, learned: pd.DataFrame, shared: pd.DataFrame, alike: pd.DataFrame, pairs: pd.DataFrame
) -> Cases:
    """Measure every claim, by architecture.

    Parameters
    ----------
    recovered
        A row for each known dimension of the reference: ``r``; empty if nobody knows them.
    learned
        A row for each embedding: ``architecture``, ``state``, ``accuracy``, ``ceiling``, ``classes``.
    shared
        A row for each ordered pair of embeddings: ``architecture``, ``state``, ``kind``, ``r``.
    alike
        A row for each network and step: ``architecture``, ``state``, ``pearson``, ``needed``, ``dimensions``.
    pairs
        A row for each dimension of trained networks: ``architecture``, ``r``.
    """
    ends = {state: learned[learned["state"] == state] for state in ("untrained", "trained", REFERENCE)}
    relative = pd.concat([ends["trained"], ends[REFERENCE]])
    relative = relative.assign(relative=relative["accuracy"] / relative["ceiling"]).dropna(subset="relative")
    classes = {state: some.groupby("architecture")["classes"].mean() for state, some in ends.items()}
    trained = alike[alike["state"] == "trained"]
    reach = trained["needed"].where(trained["needed"] > 0) / trained["dimensions"]
    r = pairs["r"].groupby(pairs["architecture"], sort=False)
    reference = float(classes[REFERENCE].mean()) if len(classes[REFERENCE]) else float("nan")
    found: Mapping[str, pd.Series] = {
        "reaches_ceiling": relative.groupby("architecture", sort=False)["relative"].mean(),
        "comes_back": _between(shared, "trained", AGAIN),
        "seeds_share": _between(shared, "trained", SEEDS),
        "training_shares": _between(shared, "trained", ARCHITECTURES) - _between(shared, "untrained", ARCHITECTURES),
        "training_aligns": _by(alike, "trained") - _by(alike, "untrained"),
        "few_suffice": reach.groupby(trained["architecture"], sort=False).mean(),
        "best_pairs": r.max(),
        "not_all_pairs": r.agg(lambda some: float((some >= MATCHED).mean())),
        "classes_come": classes["trained"] - classes["untrained"],
        "form_stays": classes["trained"] - reference,
    }
    cases = {name: {str(key): float(value) for key, value in some.items()} for name, some in found.items()}
    if len(recovered):
        cases["finds_what_decides"] = {"reference": float((recovered["r"] >= MATCHED).mean())}
    return {name: {key: value for key, value in some.items() if np.isfinite(value)} for name, some in cases.items()}


def _between(shared: pd.DataFrame, state: str, kind: str) -> pd.Series:
    """Give the mean over pairs of one kind, in Fisher's z, by architecture."""
    some = shared[(shared["state"] == state) & (shared["kind"] == kind)]
    z = np.arctanh(some["r"].clip(-1 + 1e-9, 1 - 1e-9))
    means: pd.Series = np.tanh(z.groupby(some["architecture"], sort=False).mean())
    return means


def _by(alike: pd.DataFrame, state: str) -> pd.Series:
    some = alike[alike["state"] == state]
    return some.groupby("architecture", sort=False)["pearson"].mean()


def summary(
    learned: pd.DataFrame, alike: pd.DataFrame, shared: pd.DataFrame, every: pd.DataFrame, recovered: pd.DataFrame,
    who: str,
) -> list[str]:  # fmt: skip
    """Answer the question with what was measured.

    Parameters
    ----------
    learned, shared, alike, recovered
        As of :func:`measured`.
    every
        A row for each dimension of the reference and of trained networks.
    who
        The reference is.
    """
    said = [f"The reference is {who}."]
    counts = {state: some["dimensions"].median() for state, some in learned.groupby("state")}
    own = every[every["architecture"] != REFERENCE]
    matched = int((own["r"] >= MATCHED).sum())
    said.append(
        f"Its choices need {counts.get(REFERENCE, np.nan):.0f} dimensions, those of a trained network "
        f"{counts.get('trained', np.nan):.0f} (median); of {len(own)} dimensions of trained networks {matched} are one "
        f"of the reference's (r ≥ {MATCHED:g})."
    )
    ends = [alike[alike["state"] == state]["pearson"].mean() for state in ("untrained", "trained")]
    if np.isfinite(ends[0]):
        said.append(
            f"Similarity to the reference goes from {ends[0]:.2f} untrained to {ends[1]:.2f} trained (Pearson's r)."
        )
    else:
        said.append(f"Similarity to the reference is {ends[1]:.2f} (Pearson, mean).")
    means = {words: _between(shared, "trained", kind).mean() for kind, words in FROM.items()}
    if told := ", ".join(f"{r:.2f} {words}" for words, r in means.items() if np.isfinite(r)):
        said.append(f"Dimensions of trained networks come back with a correlation of {told}.")
    if len(recovered):
        many = int((recovered["r"] >= MATCHED).sum())
        said.append(f"Of the {len(recovered)} dimensions that decide its choices, {many} are found from these alone.")
    return said
