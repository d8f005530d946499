"""How latents score against the true coordinates, by autoencoder, seed and epoch."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from syzygy.dimensions.latent_dynamics import AffineMap, covariance, drift_agreement, isotropy_error
from syzygy.dimensions.latent_dynamics.score import cell_means, collapsed
from syzygy.dimensions.latent_dynamics.simulated import wells
from syzygy.errors import DataError
from syzygy.studies.trainings.latent_dynamics import DRIFT, FORCE, LATENT, MOVED, NEXT
from syzygy.trajectory import Trajectory

Array = NDArray[np.float64]
Seen = Mapping[str, Trajectory]

#: Share of the shown frames in a cell for its mean drift to count, and frames at least.
DENSE: Final = 1e-3
FEW: Final = 3

SCORES_CAPTION: Final = (
    "Every autoencoder and seed at the end, on frames that are held out. r2_true, r2_given: share of the latent's "
    "variance that an affine map of the true coordinates explains, and of those that were given; condition, scale: of "
    "the map from the true ones, largest over smallest singular value and their geometric mean; increments_1, _2, _12: "
    "covariance of latent increments (2·I is asked for), and isotropy_error the largest |eigenvalue/2 − 1|; rebuilt: "
    "share of the variance of what was given; drift_correlation, drift_slope: learned drift against the true force "
    "that is mapped into the latent, means over cells; wells_off: half the sum of |learned − true population|."
)
TRAINING_CAPTION: Final = (
    "By epoch, means over seeds: share of the latent's variance that an affine map of the true coordinates explains, "
    "and of those that were given; and the share of what was given that is not rebuilt."
)
POPULATIONS_CAPTION: Final = (
    "Share of each well, true (by the law that was simulated, or counted in the files), and of particles that started "
    "in the first well and moved by the learned dynamics, by autoencoder and seed."
)


def scores(seen: Seen) -> pd.DataFrame:
    """Score every autoencoder and seed: see the caption."""
    rows = []
    for name, one in seen.items():
        for index, seed in enumerate(one.seeds):
            true, given = one.targets.astype(float), one.inputs.astype(float)
            latent = one.seen(LATENT, index, -1).astype(float)
            row = {"model": name, "seed": int(seed), **_affine(latent, true, given)}
            increments = one.seen(NEXT, index, -1).astype(float) - latent
            spread = covariance(increments)
            row |= {
                "increments_1": spread[0, 0],
                "increments_2": spread[1, 1],
                "increments_12": spread[0, 1],
                "isotropy_error": isotropy_error(increments),
                "rebuilt": 1 - float(one.loss[index, -1]),
            }
            rows.append(row | _dynamics(one, index, latent, true))
    return pd.DataFrame(rows)


def _affine(latent: Array, true: Array, given: Array) -> dict[str, float]:
    try:
        of_true, of_given = AffineMap.fitted(latent, true), AffineMap.fitted(latent, given)
    except DataError:  # the latent is one point
        return dict.fromkeys(("r2_true", "r2_given", "condition", "scale"), np.nan)
    return {
        "r2_true": of_true.r2,
        "r2_given": of_given.r2,
        "condition": of_true.condition,
        "scale": of_true.scale,
    }


def _dynamics(one: Trajectory, index: int, latent: Array, true: Array) -> dict[str, float]:
    found = dict.fromkeys(("drift_correlation", "drift_slope", "wells_off"), np.nan)
    if DRIFT not in one.layers:
        return found
    try:
        there = AffineMap.fitted(latent, true)
        force = one.seen(FORCE, index, -1).astype(float) @ there.matrix
        drift = one.seen(DRIFT, index, -1).astype(float)
        agreed = drift_agreement(drift, force, true, least=max(FEW, round(DENSE * len(true))))
    except DataError:
        return found
    told = np.abs(_shares(one, index, there) - one.about["populations"]).sum() / 2
    return {"drift_correlation": agreed.correlation, "drift_slope": agreed.slope, "wells_off": float(told)}


def _shares(one: Trajectory, index: int, there: AffineMap) -> Array:
    """Give the share of particles in each well, after they moved by the learned dynamics."""
    centres = np.asarray(one.about["centres"])
    well = wells(there.back(one.seen(MOVED, index, -1).astype(float)), centres)
    return np.bincount(well, minlength=len(centres)) / len(well)


def populations(seen: Seen) -> pd.DataFrame:
    """Give the share of each well, a row for the truth and each autoencoder with dynamics and seed: see the caption."""
    rows: list[dict[str, object]] = []
    for name, one, index, there in _mapped(seen):
        if not rows:
            rows.append({"model": "true", "seed": "", **_named(np.asarray(one.about["populations"]))})
        if MOVED in one.layers:
            rows.append({"model": name, "seed": str(one.seeds[index]), **_named(_shares(one, index, there))})
    return pd.DataFrame(rows)


def _named(shares: Array) -> dict[str, float]:
    return {f"well {place}": float(share) for place, share in enumerate(shares, 1)}


def _mapped(seen: Seen) -> Iterator[tuple[str, Trajectory, int, AffineMap]]:
    """Give every latent that is more than a point, with the affine map from the true coordinates."""
    for name, one in seen.items():
        for index in range(len(one.seeds)):
            latent = one.seen(LATENT, index, -1).astype(float)
            if np.ptp(latent, axis=0).any():
                yield name, one, index, AffineMap.fitted(latent, one.targets.astype(float))


def over_training(seen: Seen) -> pd.DataFrame:
    """Score latents at the end of every epoch, means over seeds: see the caption."""
    rows = []
    for name, one in seen.items():
        true, given = one.targets.astype(float), one.inputs.astype(float)
        for place, step in enumerate(one.steps):
            each = [_affine(one.seen(LATENT, i, place).astype(float), true, given) for i in range(len(one.seeds))]
            means = pd.DataFrame(each)[["r2_true", "r2_given"]].mean()
            missed = float(one.loss[:, place].mean())
            rows.append({"model": name, "epoch": int(step), **means.to_dict(), "missed": missed})
    return pd.DataFrame(rows)


def maps(seen: Seen, most: int) -> pd.DataFrame:
    """Give some frames, true, as they were given, and as the first seed of each autoencoder sees them.

    Latents are mapped back by the affine map that is best, so that what is left to see is what no such map undoes.

    Parameters
    ----------
    seen
        By name.
    most
        Frames.

    Returns
    -------
    DataFrame
        ``model``, ``x``, ``y``, ``well`` of the frame, from 1.
    """
    frames: list[pd.DataFrame] = []
    for name, one, index, there in _mapped(seen):
        if index:
            continue
        some = slice(None, None, -(-len(one.items) // most))
        true = one.targets.astype(float)[some]
        well = wells(true, np.asarray(one.about["centres"])) + 1
        if not frames:
            frames += [_points("true", true, well), _points("given", one.inputs.astype(float)[some], well)]
        frames.append(_points(name, there.back(one.seen(LATENT, index, -1).astype(float)[some]), well))
    return pd.concat(frames, ignore_index=True)


def _points(model: str, points: Array, well: NDArray[np.intp]) -> pd.DataFrame:
    return pd.DataFrame({"model": model, "x": points[:, 0], "y": points[:, 1], "well": well})


def drifts(one: Trajectory) -> pd.DataFrame:
    """Give the mean drift in cells with enough frames, true and learned by the first seed, in true coordinates.

    Returns
    -------
    DataFrame
        ``x``, ``y`` of the cell's frames; ``true_x``, ``true_y``, ``learned_x``, ``learned_y``, displacement per lag.
    """
    true = one.targets.astype(float)
    there = AffineMap.fitted(one.seen(LATENT, 0, -1).astype(float), true)
    learned = one.seen(DRIFT, 0, -1).astype(float) @ np.linalg.pinv(there.matrix)
    values = np.hstack([true, one.seen(FORCE, 0, -1).astype(float), learned, np.ones((len(true), 1))])
    means, place = np.unique(cell_means(values, true), axis=0, return_inverse=True)
    enough = np.bincount(place.ravel()) >= max(FEW, round(DENSE * len(true)))
    names = ["x", "y", "true_x", "true_y", "learned_x", "learned_y"]
    return pd.DataFrame(means[enough, :-1], columns=names)


def doubts(seen: Seen) -> list[str]:
    """Say which latents have collapsed."""
    return [
        f"{name}, seed {seed}: {line}"
        for name, one in seen.items()
        for index, seed in enumerate(one.seeds)
        for line in collapsed(one.seen(LATENT, index, -1))
    ]
