"""Embeddings of odd-one-out choices, trained, kept and resumed as networks are."""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from syzygy.cost import Cost
from syzygy.dimensions.odd_one_out import OddOneOut, Triplets
from syzygy.store import Store
from syzygy.studies.trainings.choosers import Chooser
from syzygy.training import Job, Progress, Training, gathered
from syzygy.trajectory import Trajectory
from syzygy.versions import versions

#: What is found for each object.
LAYER: Final = "embedding"
#: Share of the triplets that are held out.
HELD_OUT: Final = 0.1
#: What an update costs in multiplications, besides those of its triplets.
OVERHEAD: Final = 2e5


@dataclass(frozen=True)
class Embedding(Training):
    """Sparse dimensions of someone's choices, one embedding for each seed.

    Attributes
    ----------
    seeds
        Of the embeddings.
    chooser
        Who chooses.
    objects
        How many there are.
    options
        Of :class:`~syzygy.dimensions.odd_one_out.OddOneOut`.
    """

    chooser: Chooser
    objects: int
    options: dict[str, Any] = field(default_factory=dict)

    def asked(self) -> dict[str, Any]:
        """Give who chooses, what, and how it is learned."""
        told = {"embedding": self.chooser.asked(), "objects": self.objects, "held_out": HELD_OUT}
        return told | {"options": self.options, "seeds": list(self.seeds)}

    @property
    def needs(self) -> tuple[Job, ...]:
        """What the chooser needs."""
        return self.chooser.needs

    @property
    def work(self) -> float:
        """Updates of all seeds, as if none converged before."""
        asked = self._model(0).get_params()
        triplets = (1 - HELD_OUT) * self.chooser.count
        each = 12 * asked["batch"] * asked["dimensions"] + 20 * self.objects * asked["dimensions"] + OVERHEAD
        return float(len(self.seeds) * asked["epochs"] * np.ceil(triplets / asked["batch"]) * each)

    def estimate(self) -> Cost:
        """Measure a few updates on choices of luck."""
        one = _cost(self.objects, self.chooser.count, json.dumps(self.options, sort_keys=True))
        return Cost(len(self.seeds) * one.seconds, one.bytes)

    def sides(self, seen: Trajectory | None = None) -> tuple[Triplets, Triplets]:
        """Give the triplets that are learned, and those that are held out; none are on both sides."""
        learned, held_out = self.chooser.triplets(seen).split((1 - HELD_OUT, HELD_OUT))
        return learned, held_out

    def run(self, store: Store, snapshot: Path | None, progress: Progress) -> Trajectory:
        """Learn the embeddings; dimensions that were not kept are columns of zeros, so that all have one shape."""
        seen = gathered(self.needs[0], store) if self.needs else None
        learned, held_out = self.sides(seen)
        share = self.work / len(self.seeds)
        parts = []
        for seed in self.seeds:
            model = self._model(seed)
            model.fit(learned, held_out, snapshot=snapshot, progress=lambda done: progress(done * share))
            parts.append(self._seen(model, seed, held_out))
        return Trajectory.join(parts)

    def _model(self, seed: int) -> OddOneOut:
        return OddOneOut(**self.options, seed=seed)

    def _seen(self, model: OddOneOut, seed: int, held_out: Triplets) -> Trajectory:
        x = np.zeros((self.objects, model.dimensions))
        x[:, : model.embedding_.shape[1]] = model.embedding_
        loss = -np.log(np.maximum(model.probabilities(held_out)[:, 0], 1e-300)).mean()
        return Trajectory.of(
            steps=[model.epochs],
            loss=np.array([[loss]]),
            outputs=None,
            representations={LAYER: x[None, None].astype(np.float32)},
            inputs=None,
            targets=None,
            items=held_out.names or [str(number) for number in range(self.objects)],
            seeds=[seed],
            fates=["learned" if model.converged_ else "trained"],
            about={"versions": versions()},
        )


def embeddings(seen: Trajectory) -> dict[int, NDArray[np.float64]]:
    """Give the dimensions that were kept, ``(object, dimension)``, by seed."""
    every = seen.representation(LAYER)[:, -1].astype(np.float64)
    return {int(seed): x[:, x.any(axis=0)] for seed, x in zip(seen.seeds, every, strict=True)}


@cache
def _cost(objects: int, count: int, options: str) -> Cost:
    """Measure a few updates once for all that cost the same."""
    draw, half = np.random.default_rng(0), (objects - 1) // 2
    ends = ((0, objects), (1, half + 1), (half + 1, objects))
    first, second, third = (draw.integers(*one, size=round((1 - HELD_OUT) * count)) for one in ends)
    choices = np.stack([first, first + second, first + third], axis=1) % objects
    return OddOneOut(**json.loads(options)).cost(Triplets(choices, objects))
