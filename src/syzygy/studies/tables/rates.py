"""What fits say, as tables: network by network, and setting by setting."""

import numpy as np
import pandas as pd

from syzygy.checks import Evidence
from syzygy.fitting import from_other_networks
from syzygy.fitting.collapse import half_rise
from syzygy.fitting.score import last_finite
from syzygy.networks import Setting
from syzygy.studies.two_items import least, unlearned

ROWS_CAPTION = (
    "A row per setting. diverged, unlearned (loss at the end above 5% of its start, or diverged), unidentified: "
    "numbers of networks. r2_…: median over seeds of the share of variance that the theory explains, with each "
    "network's own rates and with the other seeds' (…_others); a network without a prediction counts as the worst. "
    "final_error: median of |predicted/measured − 1| of the final ‖dh‖². half_rise_error: the same of the step at "
    "which ‖dh‖² reaches half of the predicted end. uncertainty: how far a 95% interval reaches beyond its rate, as "
    "a factor, at worst."
)
RATES_CAPTION = (
    "Effective learning rates per step, fitted to each network, with 95% intervals; the share of variance that the "
    "theory explains, in sample and with the other seeds' rates (…_others); and the squared distance at the end: "
    "measured, predicted with the network's own rates (in sample), and predicted with the geometric mean of the other "
    "seeds' identified rates (out of sample). half_rise: the step at which ‖dh‖² reaches half of that end, measured "
    "and predicted out of sample."
)
SETTINGS_CAPTION = (
    "What was trained. The published notebooks train at half the learning rate of the published settings table, for "
    "twice its steps; where the two disagree, the claims use what is in the columns learning_rate and steps."
)


def setting_row(row: Setting, trained: Setting) -> dict[str, object]:
    """Give what was trained of a row of the settings table, beside what the table says."""
    columns = ("name", "type", "activation", "gain", "width", "depth", "layer", "optimiser")
    table = {"table_learning_rate": row.learning_rate, "table_steps": row.steps}
    named = {"network" if name == "name" else name: getattr(trained, name) for name in columns}
    return named | table | {"learning_rate": trained.learning_rate, "steps": trained.steps}


def rates_of_networks(one: Evidence) -> pd.DataFrame:
    """Give a row per network of one setting: rates, what they explain, and what the other seeds' rates explain."""
    assert one.trajectory is not None
    assert one.fit is not None
    fit, others = one.fit, from_other_networks(one.fit)
    frame = fit.to_pandas()
    frame["network"] = one.name
    frame.insert(1, "seed", one.trajectory.seeds)
    frame.insert(2, "fate", one.trajectory.fates)
    for name in ("h2", "y2", "w"):
        frame.insert(list(frame.columns).index(f"r2_{name}") + 1, f"r2_{name}_others", others.r2[name][:, 0])
    frame.insert(list(frame.columns).index("final_h2") + 1, "final_h2_others", others.final_h2[:, 0])
    for name, curves in (("half_rise", fit.curves), ("half_rise_others", others.predict())):
        frame[name] = half_rise(curves.steps, curves.h2[:, 0], others.final_h2[:, 0])
    frame["last_loss"] = last_finite(one.trajectory.loss.astype(np.float64))
    frame["unlearned"] = unlearned(one.trajectory)
    return frame.drop(columns=["pair", "dx2", "dy2"])


def row_of_setting(name: str, rates: pd.DataFrame) -> dict[str, object]:
    """Summarise the rows that :func:`rates_of_networks` gives for one setting."""
    row: dict[str, object] = {
        "network": name,
        "networks": len(rates),
        "diverged": int((rates["fate"] == "diverged").sum()),
        "unlearned": int(rates["unlearned"].sum()),
        "unidentified": int((~rates["identified"]).sum()),
    }
    for curve in ("h2", "y2", "w"):
        row |= {f"r2_{curve}{whose}": least(rates[f"r2_{curve}{whose}"].to_numpy()) for whose in ("", "_others")}
    for error, predicted, measured in (
        ("final_error", "final_h2", "last_h2"),
        ("final_error_others", "final_h2_others", "last_h2"),
        ("half_rise_error", "half_rise_others", "half_rise"),
    ):
        row[error] = -least(-(rates[predicted] / rates[measured] - 1).abs().to_numpy())
    factors = np.array([rates[f"{name}_high"] / rates[name] for name in ("eta_h", "eta_y")])
    widest = np.where(rates["converged"], factors.max(axis=0), np.inf)
    return row | {"uncertainty": float(widest.max()) if np.isfinite(widest).all() else np.nan}
