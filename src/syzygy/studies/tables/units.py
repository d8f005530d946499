"""Networks in units that the theory gives each of them: time from the half-rise over 1/Omega, distance over its end."""

from dataclasses import replace

import numpy as np
import pandas as pd

from syzygy.checks import Evidence
from syzygy.fitting import Fit, from_other_networks
from syzygy.fitting.collapse import half_rise, rescaled
from syzygy.fitting.score import Array, last_finite, root_mean_square
from syzygy.theory import universal

#: Times from the half-rise in units of 1/Omega: the theory's curve rises from 2% to 98% between them.
TIMES = np.linspace(-4.0, 4.0, 161)
#: Shares of training.
SHARES = np.linspace(0.0, 1.0, 161)

#: More and more in units of their own.
RAW, COLLAPSED = "as trained: steps, ‖dh‖²", "steps from the half-rise × Ω, ‖dh‖² over its end"
MEASURED_END, PREDICTED_TIME = "the same, measured end", "the same, predicted half-rise"

#: Why a network cannot be rescaled.
FATES = ("diverged", "unpredicted", "starts_high", "never_half")

DRAWN_STEPS = 300


class Units:
    """One setting's networks: what is measured, and the units that the theory gives each of them, ``(network,)``."""

    def __init__(self, one: Evidence):
        assert one.trajectory is not None
        assert one.fit is not None
        own, others = one.fit, from_other_networks(one.fit)
        lost = np.array([fate == "diverged" for fate in one.trajectory.fates])
        self.name, self.seeds, self.steps = one.name, one.trajectory.seeds, own.curves.steps
        self.h2 = np.where(lost[:, None], np.nan, own.curves.h2[:, 0])
        self.last = last_finite(self.h2)
        self.omega, self.end = others.relaxation_rate[:, 0], others.final_h2[:, 0]
        self.own_omega, self.own_end = own.relaxation_rate[:, 0], own.final_h2[:, 0]
        self.half = half_rise(self.steps, self.h2, self.end)
        self.far, self.said = _followed(others)
        self.said_half = half_rise(self.far, self.said, self.end)
        self.there = np.isfinite(self.half + self.omega)

    def stages(self) -> dict[str, Array]:
        """Curves of the networks that rise, ``(network, time)``, with more and more of their own units."""
        nothing, one = np.zeros(len(self.half)), np.ones(len(self.half))
        share = one / (self.steps[-1] - self.steps[0])
        stages = {
            RAW: (nothing + self.steps[0], share, one, SHARES),
            "steps, ‖dh‖² over its end": (nothing + self.steps[0], share, self.end, SHARES),
            COLLAPSED: (self.half, self.omega, self.end, TIMES),
            MEASURED_END: (half_rise(self.steps, self.h2, self.last), self.omega, self.last, TIMES),
            "the same, own Ω and own end": (self.own_half, self.own_omega, self.own_end, TIMES),
            PREDICTED_TIME: (self.said_half, self.omega, self.end, TIMES),
        }
        return {name: rescaled(self.steps, self.h2, *units)[self.there] for name, units in stages.items()}

    @property
    def own_half(self) -> Array:
        """Half-rise to the end that each network's own rates predict."""
        return half_rise(self.steps, self.h2, self.own_end)

    def table(self) -> pd.DataFrame:
        """Give a row per network."""
        seen = rescaled(self.steps, self.h2, self.half, self.omega, self.end, TIMES)
        own = rescaled(self.steps, self.h2, self.own_half, self.own_omega, self.own_end, TIMES)
        theory = rescaled(self.far, self.said, self.said_half, self.omega, self.end, TIMES)
        with np.errstate(invalid="ignore", divide="ignore"):
            return pd.DataFrame(
                {
                    "network": self.name,
                    "seed": self.seeds,
                    "fate": self._fates(),
                    "on_the_plot": self.there,
                    "omega": self.omega,
                    "end": self.end,
                    "last_h2": self.last,
                    "half_rise": self.half,
                    "half_rise_predicted": self.said_half,
                    "start_over_end": self.h2[:, 0] / self.end,
                    "deviation": root_mean_square(seen - universal(TIMES)),
                    "deviation_own": root_mean_square(own - universal(TIMES)),
                    "deviation_theory": root_mean_square(seen - theory),
                    "seen": np.isfinite(seen).mean(axis=1),
                }
            )

    def curves(self) -> pd.DataFrame:
        """Give what is drawn: a row per network and recorded step, in both kinds of units."""
        drawn = np.unique(np.linspace(0, len(self.steps) - 1, DRAWN_STEPS).round().astype(int))
        with np.errstate(invalid="ignore", divide="ignore"):  # agreeing items may end at no distance
            distance = self.h2[:, drawn] / self.end[:, None]
        frames = [
            pd.DataFrame(
                {
                    "network": self.name,
                    "seed": int(seed),
                    "step": self.steps[drawn],
                    "h2": self.h2[row, drawn],
                    "time": self.omega[row] * (self.steps[drawn] - self.half[row]),
                    "distance": distance[row],
                }
            )
            for row, seed in enumerate(self.seeds)
        ]
        return pd.concat(frames, ignore_index=True)

    def _fates(self) -> list[str]:
        """Say why a network is not that rise; empty for those that are."""
        high = self.h2[:, 0] >= 0.5 * self.end
        reasons = [~np.isfinite(self.last), ~np.isfinite(self.omega), high, ~self.there]
        return [str(fate) for fate in np.select(reasons, list(FATES), "")]


def _followed(others: Fit) -> tuple[Array, Array]:
    """Follow the theory to ten times the last step, where even late ones rise: steps, and ‖dh‖² of each network."""
    steps = others.curves.steps
    far = np.concatenate([steps, steps[-1] * np.geomspace(1.002, 10, 1000)])
    nothing = np.full((*others.fitted.shape, len(far)), np.nan)
    asked = replace(others.curves, steps=far, h2=nothing, y2=nothing, w=nothing, mean_error=nothing)
    return far, others.predict(asked).h2[:, 0]
