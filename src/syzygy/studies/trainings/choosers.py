"""Who chooses odd ones out: a layer of a network, representations in a file, people, or what is known."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from syzygy.dimensions.odd_one_out import Triplets, ceiling, ceiling_of_repeats
from syzygy.dimensions.odd_one_out.choosing import Choice, Similarity, similarities
from syzygy.errors import DataError
from syzygy.studies.trainings.reading import array, digest
from syzygy.training import Job
from syzygy.trajectory import Trajectory

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Rule:
    """How representations choose.

    Attributes
    ----------
    count
        Of triplets.
    similarity, choice
        As in :meth:`~syzygy.dimensions.odd_one_out.Triplets.drawn`.
    seed
        Of triplets and choices.
    """

    count: int
    similarity: Similarity = "dot"
    choice: Choice = "argmax"
    seed: int = 0


class Chooser(ABC):
    """Someone who finds two of three objects alike."""

    @abstractmethod
    def asked(self) -> dict[str, Any]:
        """Give what identifies the choices, fit for JSON."""

    @property
    def needs(self) -> tuple[Job, ...]:
        """What must be trained before it can choose."""
        return ()

    @property
    @abstractmethod
    def count(self) -> int:
        """Number of triplets."""

    @abstractmethod
    def triplets(self, seen: Trajectory | None = None) -> Triplets:
        """Give the choices; ``seen`` is the trajectory of what it needs."""

    @abstractmethod
    def ceiling(self, asked: Triplets, seen: Trajectory | None = None) -> float:
        """Give the accuracy that nothing exceeds on some of its triplets, on average; NaN if nobody knows."""


class _Ruled(Chooser):
    """One who is asked as many triplets as a rule says."""

    rule: Rule

    @property
    def count(self) -> int:
        """Of the rule."""
        return self.rule.count


@dataclass(frozen=True)
class Layer(_Ruled):
    """A layer of a network of the catalogue at one recorded step.

    Attributes
    ----------
    job
        The networks.
    seed
        Of the network.
    layer
        Its layer.
    step
        Place among the recorded steps.
    rule
        How it chooses.
    """

    job: Job
    seed: int
    layer: str
    step: int
    rule: Rule

    def asked(self) -> dict[str, Any]:
        """Give the networks' own, and which of them, where and when."""
        place = {"seed": self.seed, "layer": self.layer, "step": self.step}
        return {"networks": self.job.asked(), **place, "rule": vars(self.rule)}

    @property
    def needs(self) -> tuple[Job, ...]:
        """The networks."""
        return (self.job,)

    def representation(self, seen: Trajectory | None) -> Array:
        """Give ``(object, unit)``."""
        assert seen is not None, "the networks are trained before"
        row = seen.seeds.tolist().index(self.seed)
        return np.asarray(seen.representation(self.layer)[row, self.step], dtype=np.float64)

    def triplets(self, seen: Trajectory | None = None) -> Triplets:
        """Let the representation choose."""
        return drawn(self.representation(seen), self.rule, seen.items if seen else None)

    def ceiling(self, asked: Triplets, seen: Trajectory | None = None) -> float:
        """Give that of the representation's own probabilities; 1 where it always takes the largest."""
        return sure(self.representation(seen), asked, self.rule)


@dataclass(frozen=True)
class File(_Ruled):
    """Representations ``(object, unit)`` in a ``.npy`` file, of any model."""

    path: str
    digest: str
    rule: Rule

    @classmethod
    def of(cls, path: str, rule: Rule) -> "File":
        """Find one, and know it again by its content."""
        return cls(path, digest(path), rule)

    def asked(self) -> dict[str, Any]:
        """Give the content's hash."""
        return {"representation": self.digest, "rule": vars(self.rule)}

    def triplets(self, seen: Trajectory | None = None) -> Triplets:  # noqa: ARG002  (nothing is trained)
        """Let it choose."""
        return drawn(array(self.path), self.rule, None)

    def ceiling(self, asked: Triplets, seen: Trajectory | None = None) -> float:  # noqa: ARG002
        """Give that of its own probabilities."""
        return sure(array(self.path), asked, self.rule)


@dataclass(frozen=True)
class Known(_Ruled):
    """A chooser with known dimensions, who chooses with the probabilities of their dot products.

    Attributes
    ----------
    weights
        ``(object, dimension)``, as nested tuples.
    names
        Of the objects.
    rule
        How many triplets, and their seed.
    """

    weights: tuple[tuple[float, ...], ...]
    names: tuple[str, ...]
    rule: Rule

    def asked(self) -> dict[str, Any]:
        """Give a hash of the weights."""
        told = hashlib.sha256(np.asarray(self.weights).tobytes()).hexdigest()[:16]
        return {"known": told, "count": self.rule.count, "seed": self.rule.seed}

    def triplets(self, seen: Trajectory | None = None) -> Triplets:  # noqa: ARG002
        """Draw choices."""
        return Triplets.sampled(np.asarray(self.weights), self.rule.count, names=self.names, seed=self.rule.seed)

    def ceiling(self, asked: Triplets, seen: Trajectory | None = None) -> float:  # noqa: ARG002
        """Give that of the true probabilities."""
        return ceiling(np.asarray(self.weights), asked).accuracy


@dataclass(frozen=True)
class People(Chooser):
    """Choices in a file; those of people, as a rule.

    Attributes
    ----------
    path, digest
        Of the file.
    objects
        How many there are.
    names
        Of the objects, if the file has names in place of numbers.
    """

    path: str
    digest: str
    objects: int
    names: tuple[str, ...] | None = None

    def asked(self) -> dict[str, Any]:
        """Give the content's hash."""
        return {"choices": self.digest, "objects": self.objects, "names": self.names and list(self.names)}

    @property
    def count(self) -> int:
        """Lines of the file."""
        return len(self.triplets())

    def triplets(self, seen: Trajectory | None = None) -> Triplets:  # noqa: ARG002
        """Read the file."""
        return Triplets.read(self.path, objects=self.objects, names=self.names)

    def ceiling(self, asked: Triplets, seen: Trajectory | None = None) -> float:  # noqa: ARG002
        """Give that of triplets that were asked several times, the upper one; NaN where none was."""
        try:
            return ceiling_of_repeats(asked).high
        except DataError:
            return float("nan")


def drawn(representation: Array, rule: Rule, names: Sequence[str] | None) -> Triplets:
    """Let a representation choose by a rule."""
    return Triplets.drawn(
        representation, rule.count, similarity=rule.similarity, choice=rule.choice, names=names, seed=rule.seed
    )


def sure(representation: Array, asked: Triplets, rule: Rule) -> float:
    """Give how often the most probable pair of a representation is chosen."""
    if rule.choice == "argmax":
        return 1.0
    return float(softmax(similarities(representation, asked.choices, rule.similarity), axis=1).max(axis=1).mean())
