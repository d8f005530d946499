"""Do dynamics tell an autoencoder what is true?  A particle in three wells, seen in warped coordinates."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Literal

import numpy as np
from pydantic import Field

from syzygy.checks import Evidence, findings
from syzygy.claims import Expectation
from syzygy.dimensions.latent_dynamics.prior import Diffusion
from syzygy.errors import SpecificationError
from syzygy.result import Finding, Result, Table
from syzygy.studies.claims import latent_dynamics as claims
from syzygy.studies.claims.latent_dynamics import DYNAMICS, LAGGED, TURNED
from syzygy.studies.drawings import latent_dynamics as drawings
from syzygy.studies.study import Count, Seeds, Study
from syzygy.studies.tables import latent_dynamics as tables
from syzygy.studies.trainings.latent_dynamics import DRIFT, ESTIMATORS, Kind, LatentTraining
from syzygy.studies.trainings.wells import Wells
from syzygy.trajectory import Trajectory

Natural = Annotated[int, Field(ge=0)]

#: What has learned diffusion, as tables have it.
LEARNED: Final = "learned_diffusion"
#: Frames that are drawn.
DRAWN: Final = 1500


class LatentDynamics(Study):
    """Learn latents of a trajectory with and without dynamics, and hold them against the true coordinates.

    Attributes
    ----------
    data
        Folder with ``positions.npy``, the truth, and ``warped.npy``, what is given; by default both are simulated.
    frames
        In all; of files the first so many.
    trajectories, draw
        Of the simulation: so many, of one length; and its seed.
    seeds
        One autoencoder of each kind per seed.
    epochs, batch
        Of all of them.
    beta, clusters
        Of dynamics: weight of the distance of increments, and regions for batches.
    diffusion
        What else is learned besides dynamics of fixed diffusion: ``learned``, or nothing (``fixed``).
    others
        Autoencoders without dynamics.
    angle
        By which what is given is turned, once, in degrees; 0 for not at all.
    lag
        A longer lag; 1 for none.
    shown
        So many frames that are held out are recorded at the end of each epoch.
    """

    about: ClassVar[str] = "trajectories: do dynamics tell an autoencoder which coordinates are true?"
    title: ClassVar[str] = "Latent dynamics"
    question: ClassVar[str] = (
        "Does an autoencoder whose latent must move as a diffusing particle does find the true coordinates of what it "
        "sees only warped, where others do not; and are its dynamics the true ones?"
    )
    references: ClassVar[tuple[str, ...]] = ("dynamics", "variational", "sliced-wasserstein")
    expectations: ClassVar[tuple[Expectation, ...]] = claims.EXPECTATIONS

    study: Literal["latent-dynamics"] = "latent-dynamics"
    data: str | None = None
    frames: Annotated[int, Field(ge=1000)] = 100_000
    trajectories: Count = 100
    draw: Natural = 0
    seeds: Seeds = (0, 1, 2)
    epochs: Count = 15
    batch: Annotated[int, Field(ge=2)] = 256
    beta: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 10.0
    clusters: Count = 32
    diffusion: Diffusion = "learned"
    others: tuple[Kind, ...] = ("plain", "variational", "sliced_wasserstein")
    angle: Annotated[float, Field(ge=0, lt=360)] = 30.0
    lag: Count = 4
    shown: Annotated[int, Field(ge=100)] = 4000
    precision: Literal["float32"] = "float32"

    def jobs(self) -> dict[str, LatentTraining]:
        """Give what must be trained, by name."""
        if DYNAMICS in self.others or len(set(self.others)) != len(self.others):
            known = ", ".join(name for name in ESTIMATORS if name != DYNAMICS)
            raise SpecificationError(f"others are some of {known}, each once; got {', '.join(self.others)}")
        if self.data is None and self.frames // self.trajectories <= self.lag:
            raise SpecificationError(
                f"{self.frames} frames in {self.trajectories} trajectories have no pairs at a lag of {self.lag}; give "
                "fewer trajectories, or more frames"
            )
        jobs: dict[str, LatentTraining] = {DYNAMICS: self._job()}
        jobs |= {name: self._job(kind=name) for name in self.others}
        if self.diffusion == "learned":
            jobs[LEARNED] = self._job(diffusion="learned")
        if self.angle:
            jobs[TURNED] = self._job(angle=self.angle)
        if self.lag > 1:
            jobs[LAGGED] = self._job(lag=self.lag)
        return jobs

    def _job(
        self, kind: Kind = "dynamics", diffusion: Diffusion = "fixed", angle: float = 0.0, lag: int = 1
    ) -> LatentTraining:
        return LatentTraining(
            seeds=self.seeds, kind=kind, data=self.data, frames=self.frames, trajectories=self.trajectories,
            draw=self.draw, angle=angle, lag=lag, epochs=self.epochs, batch=self.batch, beta=self.beta,
            clusters=self.clusters, diffusion=diffusion, shown=self.shown,
        )  # fmt: skip

    def analyse(self, trajectories: Mapping[str, Trajectory]) -> Result:
        """Score every latent against the true coordinates."""
        jobs = self.jobs()
        seen = {name: trajectories[name] for name in jobs if name in trajectories}
        if not seen:
            return self.nothing(trajectories, "Nothing has been trained: there is no latent to look at.")
        evidence = [Evidence(name, trajectories.get(name), None, job.seeds) for name, job in jobs.items()]
        scores, training = tables.scores(seen), tables.over_training(seen)
        populations = tables.populations(seen)
        alike = {name: one for name, one in seen.items() if name not in (TURNED, LAGGED)}
        claimed = claims.measured(scores, self._growth() if LAGGED in seen else np.nan)
        lines = tables.doubts(seen)
        flat = [Finding("SZ025", "A latent has collapsed", tuple(lines))] if lines else []
        figures = [drawings.latents(tables.maps(alike, DRAWN)), drawings.over_training(training)] if alike else []
        if DYNAMICS in seen and DRIFT in seen[DYNAMICS].layers:
            figures += [drawings.drift(tables.drifts(seen[DYNAMICS])), drawings.populations(populations)]
        return self.answer(
            trajectories,
            summary=claims.summary(scores, list(alike), claimed),
            findings=[*findings(evidence), *flat],
            tables=(
                Table("scores", tables.SCORES_CAPTION, scores),
                Table("training", tables.TRAINING_CAPTION, training),
                Table("populations", tables.POPULATIONS_CAPTION, populations),
            ),
            figures=figures,
            claims=[self.claim(name, cases) for name, cases in claimed.items()],
            detail="simulated" if self.data is None else "from files",
        )

    def _growth(self) -> float:
        """Give the variance of the true increments at the longer lag over that at lag 1."""
        there = self._job(lag=self.lag).wells()
        return _variance(there, self.lag) / _variance(there, 1)


def _variance(there: Wells, lag: int) -> float:
    moved = np.concatenate([one[lag:] - one[:-lag] for one in there.true])
    return float(moved.var(axis=0).mean())
