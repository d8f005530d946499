"""What the study of latent dynamics claims; the bounds were set before any was measured."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from syzygy.claims import Expectation

#: Names of the autoencoders, as tables have them; the last two are dynamics that see something else.
DYNAMICS, PLAIN, TURNED, LAGGED = "dynamics", "plain", "turned", "lag"

EXPECTATIONS: Final[tuple[Expectation, ...]] = (
    Expectation(
        "recovers_truth",
        "A latent with dynamics is the true coordinates, up to an affine map.",
        "literature",
        "out of sample",
        "R² of the latent by the true coordinates on frames that are held out, by seed",
        low=0.985,
    ),
    Expectation(
        "not_what_was_given",
        "It is not the coordinates that were given.",
        "literature",
        "out of sample",
        "that R² less the R² by the given coordinates, by seed",
        low=0.2,
    ),
    Expectation(
        "isometry",
        "The affine map neither stretches nor shears.",
        "literature",
        "out of sample",
        "largest over smallest singular value of the map from the true coordinates, by seed",
        high=1.4,
    ),
    Expectation(
        "increments",
        "Latent increments are those of a unit diffusion.",
        "literature",
        "out of sample",
        "largest |eigenvalue/2 − 1| of the covariance of latent increments, by seed",
        high=0.15,
    ),
    Expectation(
        "plain_is_given",
        "A plain autoencoder keeps what was given, and not what is true.",
        "literature",
        "out of sample",
        "R² of its latent by the given coordinates less the R² by the true ones, by seed",
        low=0.2,
    ),
    Expectation(
        "others_miss_truth",
        "Nor do variational and sliced-Wasserstein autoencoders recover the truth.",
        "literature",
        "out of sample",
        "R² of the latent by the true coordinates, by autoencoder, mean over seeds",
        high=0.95,
    ),
    Expectation(
        "turned",
        "Turning what is given changes nothing.",
        "derived",
        "out of sample",
        "|R² by the true coordinates, turned less as given|, by seed",
        high=0.01,
    ),
    Expectation(
        "lag",
        "A longer lag shrinks the latent as the true increments grow.",
        "derived",
        "out of sample",
        "scale of the latent at the longer lag over that at lag 1, over the root of the ratio of the variances of true "
        "increments, by seed",
        low=0.92,
        high=1.08,
    ),
    Expectation(
        "drift",
        "The learned drift is the true force.",
        "derived",
        "out of sample",
        "correlation of the learned drift with the true force over cells of the plane with enough frames, by seed",
        low=0.9,
    ),
    Expectation(
        "drift_size",
        "It is of the right size.",
        "derived",
        "out of sample",
        "slope of the learned drift on the true force over those cells, by seed",
        low=0.8,
        high=1.2,
    ),
    Expectation(
        "populations",
        "Particles that start in one well and move by the learned dynamics fill the wells as they should be.",
        "derived",
        "out of sample",
        "half the sum over wells of |share of particles less the true share|, by seed",
        high=0.1,
    ),
)


def measured(scores: pd.DataFrame, growth: float) -> dict[str, dict[str, float]]:
    """Measure every claim, by seed; claims on autoencoders that are not there have no cases.

    Parameters
    ----------
    scores
        :func:`~syzygy.studies.tables.latent_dynamics.scores`.
    growth
        Variance of the true increments at the longer lag over that at lag 1; NaN if there is none.
    """
    by = {name: some.set_index("seed") for name, some in scores.groupby("model", sort=False)}
    told: dict[str, dict[str, float]] = {}
    if DYNAMICS in by:
        own = by[DYNAMICS]
        told |= {
            "recovers_truth": _cases(own["r2_true"]),
            "not_what_was_given": _cases(own["r2_true"] - own["r2_given"]),
            "isometry": _cases(own["condition"]),
            "increments": _cases(own["isotropy_error"]),
            "drift": _cases(own["drift_correlation"]),
            "drift_size": _cases(own["drift_slope"]),
            "populations": _cases(own["wells_off"]),
        }
        if TURNED in by:
            told["turned"] = _cases((by[TURNED]["r2_true"] - own["r2_true"]).abs().dropna())
        if LAGGED in by:
            told["lag"] = _cases((by[LAGGED]["scale"] / own["scale"] * np.sqrt(growth)).dropna())
    if PLAIN in by:
        told["plain_is_given"] = _cases(by[PLAIN]["r2_given"] - by[PLAIN]["r2_true"])
    others = {name: float(by[name]["r2_true"].mean()) for name in ("variational", "sliced_wasserstein") if name in by}
    return told | ({"others_miss_truth": others} if others else {})


def _cases(values: pd.Series) -> dict[str, float]:
    return {f"seed {seed}": float(value) for seed, value in values.items()}


def summary(scores: pd.DataFrame, names: Sequence[str], told: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Answer the question with what was measured.

    Parameters
    ----------
    scores
        As of :func:`measured`.
    names
        Of the autoencoders that saw the same.
    told
        What that gave.
    """
    means = scores.groupby("model", sort=False)[["r2_true", "r2_given", "condition"]].mean()
    said = [
        f"{_spoken(str(name))}: the true coordinates explain {row['r2_true']:.1%} of the latent's variance, those "
        f"that were given {row['r2_given']:.1%}; condition {row['condition']:.2f}."
        for name, row in means.iterrows()
        if name in names
    ]
    if told.get("drift"):
        drift, size, off = (np.mean(list(told[name].values())) for name in ("drift", "drift_size", "populations"))
        said.append(
            f"The learned drift is the true force at r = {drift:.2f} with slope {size:.2f}; particles that move by it "
            f"leave {off:.1%} of the population in the wrong well."
        )
    return said


def _spoken(model: str) -> str:
    """Say a model's name at the beginning of a sentence; Wasserstein was a person."""
    return model.capitalize().replace("_", " ").replace("wasserstein", "Wasserstein")
