"""Does the final distance follow the product of two distances?  A grid of pairs, predicted with rates of one pair."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Final, Literal

import pandas as pd
from pydantic import Field

from syzygy.checks import Evidence, findings
from syzygy.claims import Claim, Expectation
from syzygy.errors import SpecificationError
from syzygy.networks import Setting, setting
from syzygy.recording import Schedule
from syzygy.result import Finding, Result, Table
from syzygy.studies.claims.laws import BAND, EXPECTATIONS, cases, said
from syzygy.studies.drawings.laws import exponents, final, grids
from syzygy.studies.study import Count, Networks, PositiveFloat, Recorded, Seeds
from syzygy.studies.tables.laws import (
    NETWORKS_CAPTION,
    NOTEBOOK_STOP,
    READINGS_CAPTION,
    ROWS_CAPTION,
    averaged,
    exponents_of_readings,
    layer_of,
    networks_of_point,
    row_of_laws,
)
from syzygy.studies.two_items import TwoItems
from syzygy.training import Job
from syzygy.trajectory import Trajectory

Distance = Annotated[float, Field(ge=0, allow_inf_nan=False)]

#: Training losses that end a network of the grid.
STOPS: Final = {"strict": 1e-6, "notebook": NOTEBOOK_STOP}


#: The check that a study of many pairs has no use for.
ONE_PAIR: Final = "SZ007"
#: The last of those that say what became of networks; the grid's rates are fitted, but not used.
LAST_OF_FATES: Final = "SZ003"

EXPONENTS: Final = (
    "Least squares of logarithms over the grid's networks with dy > 0; intervals are in the table rows. The bounds "
    "were set before this run, but with the published exponents known, and those of a trial of the shallow network at "
    "width 100 (0.58, 1.27)."
)


class ProductLaw(TwoItems):
    """Train networks on a grid of pairs, and predict their final distances with rates of other networks on one pair.

    Attributes
    ----------
    seeds, dx2, dy2, settings, steps, learning_rate, record, stop_loss
        Of the networks that give the rates, as in :class:`~syzygy.studies.two_items.TwoItems`.
    most_loss
        Those that end above it give no rates.
    grid_dx, grid_dy
        Distances ‖dx‖ and ‖dy‖ of the grid's pairs, not squared.
    grid_networks, grid_seed
        Networks per pair, each of a seed of its own, counted from this one.
    grid_rate, grid_base
        They train at this share of the settings table's learning rate (``table``) or of half of it (``halved``).
    grid_steps
        Their number of updates, at most.
    stop, grid_stop_loss
        A network stops at the first recorded step with so small a loss: ``strict`` (1e-6), ``notebook`` (1e-4, where it
        is read in any case), or in place of these a number.
    grid_most_loss
        Those that end above it are discarded.
    grid_record
        Steps to record.
    """

    about: ClassVar[str] = "two items at many distances: does the final distance follow ‖dx‖·‖dy‖?"
    title: ClassVar[str] = "Product law"
    question: ClassVar[str] = (
        "Does the final distance of two representations follow ‖dx‖·‖dy‖, and do rates of one pair predict it for "
        "others?"
    )
    references: ClassVar[tuple[str, ...]] = ("theory", "initialisation")
    expectations: ClassVar[tuple[Expectation, ...]] = EXPECTATIONS

    study: Literal["product-law"] = "product-law"
    networks: Networks = (setting({"like": "shallow", "name": "shallow_100", "width": 100}),)
    seeds: Seeds = tuple(range(10))
    most_loss: PositiveFloat = 1e-2
    grid_dx: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = (0.5, 0.75, 1.0, 1.25, 1.5)
    grid_dy: Annotated[tuple[Distance, ...], Field(min_length=1)] = (0.0, 0.25, 0.5, 0.75, 1.0)
    grid_networks: Count = 2
    grid_seed: Annotated[int, Field(ge=0)] = 1000
    grid_rate: PositiveFloat = 1.0
    grid_base: Literal["table", "halved"] = "table"
    grid_steps: Count = 8000
    stop: Literal["strict", "notebook"] = "strict"
    grid_stop_loss: PositiveFloat | None = None
    grid_most_loss: PositiveFloat = 1e-3
    grid_record: Recorded = Schedule("every", 10)

    def jobs(self) -> dict[str, Job]:
        """Give what must be trained: networks for the rates by their setting's name, and those of each pair."""
        found = super().jobs()
        if common := sorted({*self.seeds} & {*self._grid_seeds}):
            raise SpecificationError(
                f"rates come from other networks: grid_seed and on must not be in seeds; got {common}"
            )
        for network in self.networks:
            points = dict(self._points(network))
            if len(points) != len(self.grid_dx) * len(self.grid_dy):
                raise SpecificationError(
                    f"the grid's distances must differ by 0.01; got {self.grid_dx}, {self.grid_dy}"
                )
            base = network.learning_rate * (0.5 if self.grid_base == "halved" else 1)
            learner = network.model_copy(update={"steps": self.grid_steps, "learning_rate": base * self.grid_rate})
            for index, (name, (dx, dy)) in enumerate(points.items()):
                found[name] = Job(
                    task="two-points",
                    options=found[network.name].options | {"dx2": dx**2, "dy2": dy**2},
                    network=learner,
                    seeds=self._grid_seeds[index * self.grid_networks :][: self.grid_networks],
                    record=self.grid_record,
                    stop_loss=self._stop,
                    precision=self.precision,
                )
        return found

    def analyse(self, trajectories: Mapping[str, Trajectory]) -> Result:
        """Average rates on one pair, predict the grid, and ask which power law its distances follow."""
        evidence = {one.name: one for one in self.evidence(trajectories)}
        rows, networks, readings = [], [], []
        for network in self.networks:
            row, seen = self._grid(network, evidence)
            rows.append(row)
            if len(seen):
                networks.append(seen)
                readings.append(exponents_of_readings(seen).assign(network=network.name))
        found, laws = self._findings(evidence), pd.DataFrame(rows)
        if not networks:
            return self.answer(trajectories, summary=["No network of a grid has been trained yet."], findings=found)
        every, powers = pd.concat(networks, ignore_index=True), pd.concat(readings, ignore_index=True)
        powers.insert(0, "network", powers.pop("network"))
        return self.answer(
            trajectories,
            summary=said(every, laws, powers),
            findings=found,
            tables=(
                Table("rows", ROWS_CAPTION, laws),
                Table("exponents", READINGS_CAPTION, powers),
                Table("networks", NETWORKS_CAPTION, every),
            ),
            figures=(final(every[every["kept"]]), exponents(powers, laws, BAND), grids(every[every["kept"]])),
            claims=self._claims(laws),
        )

    @property
    def _stop(self) -> float:
        return self.grid_stop_loss or STOPS[self.stop]

    @property
    def _grid_seeds(self) -> tuple[int, ...]:
        count = len(self.grid_dx) * len(self.grid_dy) * self.grid_networks
        return tuple(range(self.grid_seed, self.grid_seed + count))

    def _points(self, network: Setting) -> Iterator[tuple[str, tuple[float, float]]]:
        for dx in self.grid_dx:
            for dy in self.grid_dy:
                yield f"{network.name}, dx {dx:.2f}, dy {dy:.2f}", (dx, dy)

    def _grid(self, network: Setting, evidence: Mapping[str, Evidence]) -> tuple[dict[str, object], pd.DataFrame]:
        """Give a setting's row, and a row for each network of its grid."""
        row, rates = averaged(evidence[network.name], self.most_loss)
        there = [evidence[name] for name, _ in self._points(network) if evidence[name].fit is not None]
        frames = [networks_of_point(one, rates, self.grid_most_loss) for one in there]
        seen = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
        if len(seen):
            seen.insert(0, "network", network.name)
            row |= row_of_laws(network, seen, len(self._grid_seeds), self._stop)
        return row, seen

    def _findings(self, evidence: Mapping[str, Evidence]) -> tuple[Finding, ...]:
        """Doubt the rates as ever, but for their one pair; of the grid, no rates are used."""
        rates = {network.name for network in self.networks}
        merged: dict[str, Finding] = {}
        for of_rates in (True, False):
            for one in findings([some for name, some in evidence.items() if (name in rates) is of_rates]):
                if one.code != ONE_PAIR if of_rates else one.code <= LAST_OF_FATES:
                    before = merged[one.code].details if one.code in merged else ()
                    merged[one.code] = Finding(one.code, one.title, before + one.details)
        return tuple(merged[code] for code in sorted(merged))

    def _claims(self, laws: pd.DataFrame) -> list[Claim]:
        base = "settings table’s" if self.grid_base == "table" else "halved"
        rates = (
            f"Rates: geometric means of the identified rates of networks of other seeds on one pair (‖dx‖² = "
            f"{self.dx2:g}, ‖dy‖² = {self.dy2:g}). Networks of the grid train at {self.grid_rate:g} of the {base} "
            f"learning rate, for at most {self.grid_steps} steps, and stop at a loss of {self._stop:g}."
        )
        plain = [network.name for network in self.networks if layer_of(network)]
        seeds = (*self.seeds, *self._grid_seeds)
        return [
            self.claim(name, values, seeds=seeds, note=rates if name in ("correlation", "distance") else EXPONENTS)
            for name, values in cases(plain, laws).items()
        ]
