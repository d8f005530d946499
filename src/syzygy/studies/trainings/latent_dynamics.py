"""Autoencoders of a trajectory in three wells, seen in warped coordinates: simulated, or from files."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from syzygy.cost import Cost
from syzygy.dimensions.latent_dynamics import (
    DynamicsAutoencoder,
    PlainAutoencoder,
    SlicedWassersteinAutoencoder,
    VariationalAutoencoder,
)
from syzygy.dimensions.latent_dynamics.estimator import LatentEstimator
from syzygy.dimensions.latent_dynamics.prior import Diffusion
from syzygy.dimensions.latent_dynamics.simulated import turned, wells
from syzygy.store import Store
from syzygy.studies.trainings.wells import Wells, digest, files, of_files, simulated
from syzygy.training.threads import one_thread
from syzygy.training.trainable import Progress
from syzygy.training.training import Training
from syzygy.trajectory import Trajectory
from syzygy.versions import versions

Array = NDArray[np.float64]
Kind = Literal["dynamics", "plain", "variational", "sliced_wasserstein"]

ESTIMATORS: Final[Mapping[Kind, type[LatentEstimator]]] = MappingProxyType(
    {
        "dynamics": DynamicsAutoencoder,
        "plain": PlainAutoencoder,
        "variational": VariationalAutoencoder,
        "sliced_wasserstein": SlicedWassersteinAutoencoder,
    }
)
#: Particles that move by the learned dynamics, from one well, and for how many frames.
PARTICLES: Final = 4000
FRAMES: Final = 2000
#: Layers of what is known at the end alone.
LATENT: Final = "latent"
NEXT, DRIFT, FORCE, MOVED = "next", "drift", "force", "moved"
#: Multiplications of an update, of a frame of its batch: what all that is not one costs, too.
EACH: Final = 2e4


@dataclass(frozen=True)
class LatentTraining(Training):
    """Autoencoders of one kind, one for each seed.

    What it gives is a trajectory of frames that are held out, a step for each epoch.  ``inputs`` are the coordinates
    that were given, ``targets`` the true ones, ``loss`` the share that is not rebuilt, of pairs that are held out.
    The layer ``latent`` is that of the frames.  Others are there at the last step alone: ``next``, the latent one lag
    on; ``force``, the true displacement per lag in true coordinates; and of dynamics ``drift``, the learned one in the
    latent, and ``moved``, where particles are that started in the first well and moved by the learned dynamics.

    Attributes
    ----------
    kind
        Of autoencoder.
    data
        Folder with ``positions.npy`` and ``warped.npy``, ``(frame, 2)``; None to simulate.
    frames
        In all, or so many first ones of the files.
    trajectories, draw
        Of the simulation: so many of one length, and its seed.
    angle
        In degrees; what is seen is turned by it.
    lag, epochs, batch, beta, clusters, diffusion, shown
        As the estimators have them; beta, clusters and diffusion of dynamics alone.
    device
        Where to learn; no part of what identifies the numbers, for only rounding differs.
    """

    kind: Kind = "dynamics"
    data: str | None = None
    frames: int = 200_000
    trajectories: int = 100
    draw: int = 0
    angle: float = 0.0
    lag: int = 1
    epochs: int = 15
    batch: int = 256
    beta: float = 10.0
    clusters: int = 32
    diffusion: Diffusion = "fixed"
    shown: int = 4000
    device: str = "cpu"

    def asked(self) -> dict[str, Any]:
        """Give what identifies the numbers; of files, what is in them and not where they are."""
        told = {name: value for name, value in asdict(self).items() if name not in ("device", "data", "seeds")}
        if self.kind != "dynamics":
            told = {name: value for name, value in told.items() if name not in ("beta", "clusters", "diffusion")}
        if self.data is not None:
            told = {name: value for name, value in told.items() if name not in ("trajectories", "draw")}
            told["files"] = [digest(path) for path in files(self.data)]
        return {"training": "latent-dynamics", **told, "seeds": list(self.seeds)}

    @property
    def work(self) -> float:
        """About how long it takes, in multiplications."""
        return EACH * self.frames * self.epochs * len(self.seeds)

    def estimate(self) -> Cost:
        """Measure a few updates of one, and say what all will take; particles that move take a tenth more."""
        with one_thread():
            cost = self._estimator(self.seeds[0]).cost(self._seen(self.wells()))
        kept = self.epochs * self.shown * 5 * 8
        return Cost(1.1 * cost.seconds * len(self.seeds), cost.bytes + kept * len(self.seeds))

    def run(self, store: Store, snapshot: Path | None, progress: Progress) -> Trajectory:  # noqa: ARG002
        """Learn, seed by seed."""
        there = self.wells()
        with one_thread():
            parts = [
                self._one(seed, there, snapshot and snapshot.with_name(f"{seed}-{snapshot.name}"), progress)
                for seed in self.seeds
            ]
        return Trajectory.join(parts)

    def wells(self) -> Wells:
        """Simulate, or read.

        Raises
        ------
        DataError
            Files that are missing, damaged, or of other shapes.
        """
        if self.data is not None:
            return of_files(self.data, self.frames, self.lag)
        return simulated(self.frames, self.trajectories, self.draw)

    def _one(self, seed: int, there: Wells, snapshot: Path | None, progress: Progress) -> Trajectory:
        each = self.work / len(self.seeds)
        found = self._estimator(seed)
        found.fit(self._seen(there), snapshot=snapshot, progress=lambda share: progress(share * each))
        true, given, force = (np.concatenate(some) for some in (there.true, self._seen(there), there.force))
        first = found.shown_
        latent = found.latents_.astype(np.float32)
        layers = {LATENT: latent, NEXT: found.transform(given[first + self.lag]), FORCE: force[first] * self.lag}
        if isinstance(found, DynamicsAutoencoder):
            layers[DRIFT] = found.displacement(latent[-1])
            layers[MOVED] = self._moved(found, latent[-1].astype(np.float64), true[first], there.centres, seed)
        steps = np.arange(1, self.epochs + 1)
        return Trajectory.of(
            steps=steps,
            loss=found.history_["reconstruction"].to_numpy()[None],
            outputs=None,
            representations={name: _at_the_end(values, len(steps))[None] for name, values in layers.items()},
            inputs=given[first].astype(np.float32),
            targets=true[first].astype(np.float32),
            items=[f"frame {place}" for place in first],
            seeds=[seed],
            about={
                "asked": self.asked(),
                "versions": versions(),
                "centres": there.centres.tolist(),
                "populations": there.populations.tolist(),
            },
        )

    def _moved(self, found: DynamicsAutoencoder, latent: Array, true: Array, centres: Array, seed: int) -> Array:
        """Start particles from frames of the first well, let them move, and say where they are, one for each frame."""
        start = latent[wells(true, centres) == 0]
        place = np.random.default_rng([seed, 5]).integers(len(start), size=len(latent))
        path: Array = start[place]
        for leg in range(10):  # in parts, for a path of all frames would fill the memory
            path = found.sample(path, -(-FRAMES // (10 * self.lag)), seed=1000 * seed + leg)[-1]
        return path

    def _seen(self, there: Wells) -> list[Array]:
        return [turned(one, np.deg2rad(self.angle)) for one in there.given] if self.angle else there.given

    def _estimator(self, seed: int) -> LatentEstimator:
        asked: dict[str, Any] = {
            "lag": self.lag, "epochs": self.epochs, "batch": self.batch, "shown": self.shown, "device": self.device,
            "seed": seed,
        }  # fmt: skip
        if self.kind == "dynamics":
            asked |= {"beta": self.beta, "clusters": self.clusters, "diffusion": self.diffusion}
        return ESTIMATORS[self.kind](**asked)


def _at_the_end(values: Array, steps: int) -> NDArray[np.float32]:
    """Put what is known at the end alone, ``(item, unit)``, behind steps of NaN: ``(step, item, unit)``."""
    if values.ndim == 3:
        return values.astype(np.float32)
    whole = np.full((steps, *values.shape), np.nan, np.float32)
    whole[-1] = values
    return whole
