"""Five right-hand sides against each other: fits of the whole and of parts of the curves, as tables."""

from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import quantile_test

from syzygy.fitting import PairCurves
from syzygy.fitting.alternatives import fit_alternative
from syzygy.fitting.problems import CURVES, Scaling
from syzygy.fitting.score import deviation, root_mean_square
from syzygy.published import chance, published
from syzygy.theory.alternatives import ALTERNATIVES
from syzygy.trajectory import Trajectory

Array = NDArray[np.float64]

THEORY: Final = "theory"
CHANGED: Final = tuple(name for name in ALTERNATIVES if name != THEORY)
SCALINGS: Final[tuple[Scaling, ...]] = ("none", "curve")
SCORED: Final = ("total", *CURVES)

#: Fewer held-out steps than this are no test.
FEWEST_STEPS = 4
LEVEL = 0.95


def in_sample(curves: PairCurves, seeds: NDArray[np.int64]) -> pd.DataFrame:
    """Fit all recorded steps under both scalings: a row per seed, right-hand side and scaling.

    Unscaled objectives are multiplied by the spacing of the recorded steps, as if every step had been recorded.
    """
    spacing = np.diff(curves.steps)
    unit = {"none": float(spacing[0]) if np.all(spacing == spacing[0]) else np.nan, "curve": 1.0}
    frames = []
    for scaling in SCALINGS:
        for name in ALTERNATIVES:
            fit = fit_alternative(curves, name, scaling=scaling)
            rates = {"eta_h": fit.eta_h[:, 0], "eta_y": fit.eta_y[:, 0], "objective": fit.objective[:, 0]}
            frame = pd.DataFrame({"seed": seeds, "equations": name, "scaling": scaling, **rates})
            frames.append(frame.assign(objective=frame["objective"] * unit[scaling]))
    return pd.concat(frames, ignore_index=True)


def held_out(curves: PairCurves, trajectory: Trajectory, cut: float, learned: float) -> pd.DataFrame:
    """Fit up to a cut and score from there until the loss is small: a row per seed and right-hand side.

    Errors are root mean squares over the held-out steps, in standard deviations of the curve up to their end;
    ``total`` is the root mean square over curves.  NaN where a network never gets to the cut, infinite where equations
    run away.
    """
    index = np.arange(len(curves.steps))
    first = _first(curves.y2[:, 0] >= cut * curves.dy2[0], missing=len(index))
    last = _first(trajectory.loss <= learned, missing=len(index) - 1)
    late = (index > first) & (index <= last)
    enough = late.sum(axis=1, keepdims=True) >= FEWEST_STEPS
    early, counted = _only(curves, enough & (index <= first)), _only(curves, index <= last)
    frames = []
    for name in ALTERNATIVES:
        fit = fit_alternative(early, name)
        said = fit.predict(curves.steps[: last.max() + 1])
        row = {"seed": trajectory.seeds, "equations": name, "cut": cut, "until": curves.steps[last[:, 0]]}
        row |= {"fitted_until": np.where(enough, curves.steps[np.minimum(first, last)], np.nan)[:, 0]}
        row |= {"eta_h": fit.eta_h[:, 0], "eta_y": fit.eta_y[:, 0]}
        errors = {curve: _error(said[curve][:, 0], getattr(counted, curve)[:, 0], late) for curve in CURVES}
        for error in errors.values():
            error[np.isfinite(fit.objective[:, 0]) & np.isnan(error)] = np.inf
        frames.append(pd.DataFrame(row | {"total": root_mean_square(np.stack(list(errors.values()), axis=1))} | errors))
    return pd.concat(frames, ignore_index=True)


def _error(predicted: Array, measured: Array, late: NDArray[np.bool_]) -> Array:
    missed = np.where(late, measured, np.nan)
    missed[:, : predicted.shape[1]] -= predicted
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(root_mean_square(missed) / deviation(measured))


def _first(where: NDArray[np.bool_], missing: int) -> NDArray[np.intp]:
    """Position of the first true along the last axis, which is kept."""
    return np.where(where.any(axis=-1), np.argmax(where, axis=-1), missing)[..., None]


def _only(curves: PairCurves, where: NDArray[np.bool_]) -> PairCurves:
    """Keep some of the recorded steps of each network, ``(network, step)``."""
    h2, y2, w, mean = (np.where(where[:, None], values, np.nan)
                       for values in (curves.h2, curves.y2, curves.w, curves.mean_error))  # fmt: skip
    return replace(curves, h2=h2, y2=y2, w=w, mean_error=mean)


def against_theory(outside: pd.DataFrame) -> pd.DataFrame:
    """Compare held-out errors with the theory's over seeds: a row per cut, curve and changed right-hand side."""
    rows = []
    for cut, part in outside.groupby("cut", sort=False):
        for curve in SCORED:
            errors = part.pivot(index="seed", columns="equations", values=curve).dropna()
            for name in CHANGED:
                ratio = (errors[name] / errors[THEORY]).to_numpy()
                row = {"cut": cut, "curve": curve, "equations": name, "seeds": len(ratio), "better": (ratio > 1).sum()}
                row |= {"p": np.nan, "theory_error": errors[THEORY].median(), "error": errors[name].median()}
                row |= {"ratio": np.nan, "ratio_low": np.nan, "ratio_high": np.nan}
                if len(ratio):
                    low, high = np.asarray(quantile_test(ratio, q=1, p=0.5).confidence_interval(LEVEL))
                    row |= {"ratio": np.median(ratio), "ratio_low": low, "ratio_high": high}
                    row["p"] = quantile_test(ratio, q=1, p=0.5, alternative="greater").pvalue
                rows.append(row)
    return pd.DataFrame(rows)


def wins(outside: pd.DataFrame) -> pd.DataFrame:
    """Count the seeds in which each right-hand side has the least held-out error: a row per cut and curve."""
    rows = []
    for cut, part in outside.groupby("cut", sort=False):
        for curve in SCORED:
            errors = part.pivot(index="seed", columns="equations", values=curve).dropna()
            best = errors[list(ALTERNATIVES)].idxmin(axis=1)
            rows.append({"cut": cut, "curve": curve} | {name: int((best == name).sum()) for name in ALTERNATIVES})
    return pd.DataFrame(rows)


def over_theory(inside: pd.DataFrame) -> pd.DataFrame:
    """Compare objectives with the theory's and with the published: a row per scaling and right-hand side."""
    known, rows = published("alternatives", "objective"), []
    for scaling, part in inside.groupby("scaling", sort=False):
        objectives = part.pivot(index="seed", columns="equations", values="objective")
        for name in ALTERNATIVES:
            values, ratio = objectives[name], objectives[name] / objectives[THEORY]
            row = {"scaling": scaling, "equations": name, "seeds": values.notna().sum(), "objective": values.median()}
            row |= {"ratio": ratio.median(), "ratio_low": ratio.min(), "ratio_high": ratio.max()}
            beside = scaling == "none"
            row["published"] = known[name] if beside else np.nan
            row["chance"] = chance(known[name], values.to_numpy()) if beside else np.nan
            rows.append(row)
    return pd.DataFrame(rows)
