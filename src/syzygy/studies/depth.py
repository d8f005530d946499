"""Where in the network does the theory hold?  Every hidden layer of one network, fitted by itself."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from syzygy.checks import findings
from syzygy.claims import Claim, Expectation
from syzygy.fitting import Fit, PairCurves, fit_pairs, from_other_networks, pair_curves
from syzygy.fitting.problems import CURVES
from syzygy.fitting.score import last_finite
from syzygy.networks import catalogue
from syzygy.published import chance, published
from syzygy.result import Result, Table
from syzygy.studies.drawings.depth import EXPECTED_LAYERS, PUBLISHED, where_it_holds
from syzygy.studies.study import Networks, Seeds
from syzygy.studies.two_items import TwoItems, held, least
from syzygy.training import Job
from syzygy.trajectory import Trajectory

#: The claims speak of the layers of the published network.
PUBLISHED_DEPTH = 20
EXPLAINED = 0.9

Array = NDArray[np.float64]


class Depth(TwoItems):
    """Train networks on two points, and fit the theory at every hidden layer."""

    about: ClassVar[str] = "two points: at which layers of a deep network does the theory hold?"
    title: ClassVar[str] = "Depth"
    question: ClassVar[str] = "At which layers of a deep network does the theory describe how two representations part?"
    references: ClassVar[tuple[str, ...]] = ("theory", "initialisation")
    expectations: ClassVar[tuple[Expectation, ...]] = (
        Expectation(
            "holds",
            "With rates of other networks the theory describes two points at a layer.",
            "code",
            "out of sample",
            "the smaller of the R² of ‖dh‖² and ‖dy‖², rates of the other seeds at that layer, median over seeds",
            low=0.9,
        ),
        Expectation(
            "best_layer_elsewhere",
            "The theory predicts best in the middle of the network, or a little after it.",
            "code",
            "out of sample",
            "layer with the least squared error, rates of the other seeds at that layer, seed by seed",
            *EXPECTED_LAYERS["objective"],
        ),
        Expectation(
            "first_over_best_elsewhere",
            "It predicts the first layer far worse.",
            "code",
            "out of sample",
            "squared error at layer 0 over that at the best layer, rates of the other seeds, seed by seed",
            low=10,
        ),
        Expectation(
            "best_layer",
            "The theory fits best in the middle of the network, or a little after it.",
            "code",
            "in sample",
            "layer with the least objective (squared error, not scaled), seed by seed",
            *EXPECTED_LAYERS["objective"],
        ),
        Expectation(
            "first_over_best",
            "It fits the first layer far worse.",
            "code",
            "in sample",
            "objective at layer 0 over that at the best layer, seed by seed",
            low=100,
        ),
        Expectation(
            "eta_h_growth",
            "The effective rate of the encoder grows with depth.",
            "code",
            "in sample",
            "eta_h at the last hidden layer over that at layer 0, seed by seed",
            low=20,
        ),
        Expectation(
            "eta_y_peak",
            "The effective rate of the decoder is largest in the middle.",
            "code",
            "in sample",
            "layer with the largest eta_y, seed by seed",
            *EXPECTED_LAYERS["eta_y"],
        ),
        Expectation(
            "published",
            "The published objectives and rates could be those of one more of our networks.",
            "code",
            "in sample",
            "p of a t-test of the published logarithm against ours, for each quantity and layer",
            low=0.001,
        ),
    )

    study: Literal["depth"] = "depth"
    networks: Annotated[Networks, Field(max_length=1)] = (catalogue()["default"],)
    seeds: Seeds = (0, 1, 2)
    settings: Literal["notebook", "table"] = "table"

    def jobs(self) -> dict[str, Job]:
        """Give what must be trained: one network per seed, watched at every hidden layer."""
        return {
            name: replace(job, layers=tuple(f"hidden.{index}" for index in range(job.network.depth)))
            for name, job in super().jobs().items()
        }

    def analyse(self, trajectories: Mapping[str, Trajectory]) -> Result:
        """Fit every layer by itself, and predict it with the rates of the other seeds."""
        watched = self.networks[0].layer
        found = findings(self.evidence(trajectories, watched if watched.startswith("hidden.") else None))
        if not trajectories:
            return self.answer(trajectories, summary=["Nothing has been trained yet."], findings=found)
        (trajectory,) = (held(one) for one in trajectories.values())
        fits = _fits(trajectory)
        layers = self._layers(fits)
        return self.answer(
            trajectories,
            summary=_summary(fits, layers),
            findings=found,
            claims=self._claims(fits, layers),
            tables=(Table("layers", LAYERS_CAPTION, layers), Table("fits", FITS_CAPTION, fits)),
            figures=(where_it_holds(fits, beside=self.as_by_default),),
        )

    def _layers(self, fits: pd.DataFrame) -> pd.DataFrame:
        """Average over seeds, beside the published: a row per layer."""
        rows = []
        for layer, one in fits.groupby("layer", sort=False):
            row: dict[str, object] = {"layer": layer, "seeds": int(one["objective"].notna().sum())}
            for name in PUBLISHED:
                row |= {name: np.exp(np.log(one[name]).mean()), f"{name}_scatter": np.exp(np.log(one[name]).std())}
                if self.as_by_default:
                    known = published("depth", name)[str(layer)]
                    row |= {f"{name}_published": known, f"{name}_chance": chance(known, one[name])}
            row |= {"objective_elsewhere": one["objective_elsewhere"].median()}
            r2 = {"r2": one[["r2_h2", "r2_y2"]], "r2_elsewhere": one[["r2_h2_elsewhere", "r2_y2_elsewhere"]]}
            rows.append(row | {name: least(values.to_numpy().min(axis=1)) for name, values in r2.items()})
        return pd.DataFrame(rows)

    def _claims(self, fits: pd.DataFrame, layers: pd.DataFrame) -> tuple[Claim, ...]:
        if self.networks[0].depth != PUBLISHED_DEPTH:
            return ()
        cases: dict[str, dict[str, float]] = {}
        for seed, one in fits.groupby("seed"):
            growth = _over(one["eta_h"].iloc[-1], one["eta_h"].iloc[0])
            values = {"eta_h_growth": growth, "eta_y_peak": _largest(one["eta_y"])}
            for suffix in ("", "_elsewhere"):
                error = one[f"objective{suffix}"]
                values |= {f"best_layer{suffix}": _largest(-error)}
                values |= {f"first_over_best{suffix}": _over(error.iloc[0], error.min())}
            for name, value in values.items():
                cases.setdefault(name, {})[f"seed {seed}"] = value
        cases["holds"] = dict(zip(layers["layer"], layers["r2_elsewhere"], strict=True))
        if self.as_by_default:
            rows = layers.set_index("layer")
            cases["published"] = {
                f"{n} at {layer}": row[f"{n}_chance"] for n in PUBLISHED for layer, row in rows.iterrows()
            }
        note = "Unscaled fits, as published; one published network."
        notes = {"holds": "Scaled fits.", "published": f"{note} With few seeds this refuses little."}
        return tuple(self.claim(name, values, note=notes.get(name, "")) for name, values in cases.items())


LAYERS_CAPTION = (
    "Layer by layer. objective: sum of squared errors over all steps (residuals not scaled, as published); with eta_h "
    "and eta_y the geometric mean over seeds, its scatter as a factor, the published number of one network, and the "
    "chance that one more of our networks lies as far away. objective_elsewhere: with the rates of the other seeds, "
    "median. r2: the smaller of the shares of variance of ‖dh‖² and ‖dy‖² explained, with residuals of each curve in "
    "its standard deviations, median over seeds; r2_elsewhere: with the rates of the other seeds."
)
FITS_CAPTION = (
    "Every layer of every network: rates per step of the unscaled fit with 95% intervals, its objective, the objective "
    "with the other seeds' rates (geometric means of those identified), R² of the scaled fit and with the other seeds' "
    "rates, and ‖dh‖² at the end, measured and predicted with either."
)


def _fits(trajectory: Trajectory) -> pd.DataFrame:
    """Fit every layer of every network: a row per layer and seed, layers in their order."""
    curves = _layers_as_pairs(trajectory)
    spacing = np.diff(curves.steps)
    unit = float(spacing[0]) if np.all(spacing == spacing[0]) else np.nan  # as if every step had been recorded
    plain, scaled = fit_pairs(curves, scaling="none"), fit_pairs(curves)
    others, scaled_others = from_other_networks(plain), from_other_networks(scaled)
    columns = {f"eta_{side}{end}": getattr(getattr(plain, f"eta_{side}"), what)
               for side in "hy" for end, what in (("", "value"), ("_low", "low"), ("_high", "high"))}  # fmt: skip
    columns |= {"identified": plain.identified}
    columns |= {"objective": plain.objective * unit, "objective_elsewhere": _squared_error(others) * unit}
    for name in CURVES:
        columns |= {f"r2_{name}": scaled.r2[name], f"r2_{name}_elsewhere": scaled_others.r2[name]}
    columns |= {"last_h2": last_finite(curves.h2)}
    columns |= {"final_h2": plain.final_h2, "final_h2_elsewhere": others.final_h2}
    names = {"layer": np.repeat(trajectory.layers, len(trajectory.seeds))}
    names |= {"seed": np.tile(trajectory.seeds, len(trajectory.layers))}
    return pd.DataFrame(names | {name: values.T.ravel() for name, values in columns.items()})


def _layers_as_pairs(trajectory: Trajectory) -> PairCurves:
    """Put the one pair of every layer side by side, where curves have their pairs, so that all are fitted in one go."""
    every = [pair_curves(trajectory, layer) for layer in trajectory.layers]
    h2, y2, w, mean = (
        np.concatenate([getattr(one, name) for one in every], axis=1) for name in (*CURVES, "mean_error")
    )
    dx2, dy2 = (np.concatenate([getattr(one, name) for one in every]) for name in ("dx2", "dy2"))
    return PairCurves(every[0].steps, h2, y2, w, mean, dx2, dy2, every[0].pairs * len(every))


def _squared_error(fit: Fit) -> Array:
    """Sum over curves and steps of the squared error of a prediction, ``(network, pair)``; NaN where there is none."""
    said, seen = fit.predict(), fit.curves
    left = sum(np.where(np.isfinite(getattr(seen, n)), getattr(said, n) - getattr(seen, n), 0) ** 2 for n in CURVES)
    return np.where(fit.fitted, np.sum(left, axis=-1), np.nan)


def _over(value: float, other: float) -> float:
    return float(value / other) if other > 0 else np.nan


def _largest(values: pd.Series) -> float:
    """Position of the largest value, NaN if there is none."""
    return float(np.argmax(values.fillna(-np.inf))) if values.notna().any() else np.nan


def _summary(fits: pd.DataFrame, layers: pd.DataFrame) -> tuple[str, ...]:
    if not fits["objective"].notna().any():
        return ("The theory could be fitted at no layer.",)
    best, peak = (layers.iloc[int(_largest(values))] for values in (-layers["objective"], layers["eta_y"]))
    inside = int((layers["r2"] >= EXPLAINED).sum())
    there = layers.loc[layers["r2_elsewhere"] >= EXPLAINED, "layer"]
    first, last = layers.iloc[0], layers.iloc[-1]
    listed = f" ({', '.join(there)})" if len(there) else ""
    return (
        f"In sample, the squared error is least at {best['layer']} ({best['objective']:.2g}; at {first['layer']} "
        f"{first['objective']:.2g}), and {inside} of {len(layers)} layers have an R² of ‖dh‖² and ‖dy‖² above "
        f"{EXPLAINED:g}. With the rates of the other seeds {len(there)} have{listed}.",
        f"From the first hidden layer to the last, eta_h goes from {first['eta_h']:.2g} to {last['eta_h']:.2g}; eta_y "
        f"is largest, {peak['eta_y']:.2g}, at {peak['layer']}.",
    )
