"""Odd-one-out dimensions: a sparse non-negative embedding that explains which of three objects is the odd one."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax
from sklearn.base import BaseEstimator

from syzygy.cost import Cost
from syzygy.dimensions.odd_one_out.accuracy import shares
from syzygy.dimensions.odd_one_out.learner import Learner, Positive, Variational
from syzygy.dimensions.odd_one_out.learning import Learning
from syzygy.dimensions.odd_one_out.notes import notes, unsettled
from syzygy.dimensions.odd_one_out.options import Method, refused
from syzygy.dimensions.odd_one_out.prior import Shape, SpikeSlab
from syzygy.dimensions.odd_one_out.triplets import Triplets
from syzygy.errors import SpecificationError

Array = NDArray[np.float64]


class OddOneOut(BaseEstimator):  # type: ignore[misc]
    """Sparse non-negative dimensions, learned from which of three objects is the odd one.

    Of three objects a pair is called alike with the softmax of the dot products of the three pairs.  ``vice`` learns a
    normal posterior of every entry under a spike-and-slab prior (Muttenthaler et al. 2022), ``spose`` weights under an
    L1 penalty (Zheng et al. 2019).  Dimensions that few objects surely have are left out.

    Parameters
    ----------
    method
        ``vice`` or ``spose``.
    dimensions
        To begin with: more than are expected.
    prior, spike, slab, spike_share
        Of ``vice``: ``gaussian`` or ``laplace`` densities, their two scales, and the share of the narrow one.
    beta
        Of ``vice``: weight of the divergence of the posterior from the prior; 1 is the bound of the evidence.
    penalty
        Of ``spose``: of the mean over objects of the sum of their weights.
    rate
        Of Adam.  At the published .001 dimensions that have come apart take ten times as long to find together.
    batch
        Triplets of an update.
    epochs
        At most.
    stable
        Learning ends when so many epochs in a row have kept as many dimensions, fewer than there were to begin with.
    level, least
        A dimension is kept if more than ``least`` objects have a positive weight, at this rate of false discoveries
        among the objects (``vice``), or if its largest weight exceeds .1 (``spose``).
    device
        Of PyTorch.
    seed
        Of where it begins, of order and of noise.

    Attributes
    ----------
    embedding_
        ``(object, dimension)``: mean of the posterior, rectified; kept dimensions, the largest sum first.
    deviation_
        Of the posterior, of the same shape, before anything is rectified; zeros for ``spose``.
    kept_
        Dimensions kept after each epoch, ``(epoch,)``.
    history_
        ``loss``: mean of −log p over the epoch, with the noise of its draws; ``complexity``: what is added to it.
        Each ``(epoch,)``, in nats for a triplet.
    epochs_, converged_
        How many there were, and whether the number of dimensions became stable.
    accuracy_, cross_entropy_
        Of the held-out triplets, by the mean of the posterior, ties counted by luck; None without.
    names_
        Of the objects, or None.
    notes_
        Lines with reasons to doubt.

    Examples
    --------
    >>> draw = np.random.default_rng(0)
    >>> x = np.kron(np.eye(2), np.ones((10, 1))) * draw.gamma(4, 0.5, (20, 1))
    >>> model = OddOneOut(dimensions=4, batch=128, rate=0.02, epochs=60, stable=60).fit(Triplets.sampled(x, 1000))
    >>> model.embedding_.shape
    (20, 2)
    """

    def __init__(
        self,
        *,
        method: Method = "vice",
        dimensions: int = 100,
        prior: Shape = "gaussian",
        spike: float = 0.25,
        slab: float = 1.0,
        spike_share: float = 0.5,
        beta: float = 1.0,
        penalty: float = 0.008,
        rate: float = 0.01,
        batch: int = 256,
        epochs: int = 1000,
        stable: int = 200,
        level: float = 0.05,
        least: int = 5,
        device: str = "cpu",
        seed: int = 0,
    ):
        self.method = method
        self.dimensions = dimensions
        self.prior = prior
        self.spike = spike
        self.slab = slab
        self.spike_share = spike_share
        self.beta = beta
        self.penalty = penalty
        self.rate = rate
        self.batch = batch
        self.epochs = epochs
        self.stable = stable
        self.level = level
        self.least = least
        self.device = device
        self.seed = seed

    def fit(
        self,
        triplets: Triplets | ArrayLike,
        held_out: Triplets | ArrayLike | None = None,
        *,
        snapshot: Path | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Self:
        """Learn the embedding.

        Parameters
        ----------
        triplets
            To learn from; or ``(triplet, 3)`` numbers of objects, the odd one last.
        held_out
            To judge by, once, after learning.
        snapshot
            File in which the state is kept every 20 s.  The same call goes on from there, with the same numbers to
            the byte on the CPU, and removes it at the end.
        progress
            Told the share of the whole that was done since the last call; what was done before a kill at once.

        Raises
        ------
        SpecificationError
            Options out of range.
        DataError, ShapeError
            What are no triplets, or held-out ones of other objects.
        Diverged
            A loss that left the finite numbers.
        RunError
            A snapshot of something else, or a damaged one.
        """
        refused(self.get_params())
        given = Triplets.of(triplets)
        judged = None if held_out is None else Triplets.of(held_out, given.objects)
        learning, learner = self._prepared(given)
        history = learning.run(learner, snapshot, self._asked(given), progress or (lambda _: None))
        self._read(learner)
        self.names_, self.kept_, self.epochs_ = given.names, np.array(history.kept), len(history.kept)
        self.history_ = {"loss": np.array(history.loss), "complexity": np.array(history.complexity)}
        self.converged_ = learning.settled(history.kept, self.dimensions)
        self.accuracy_ = None if judged is None else self.score(judged)
        self.cross_entropy_ = None if judged is None else -float(self._logs(judged)[:, 0].mean())
        self.notes_ = [] if self.converged_ else [unsettled(self.stable, self.epochs_, self.dimensions)]
        self.notes_ += notes(given, self.embedding_.shape[1])
        return self

    def probabilities(self, triplets: Triplets | ArrayLike) -> Array:
        """Give the probabilities of the three pairs, by the mean of the posterior.

        Parameters
        ----------
        triplets
            Of the objects that were fitted.

        Returns
        -------
        Array
            ``(triplet, 3)``: of the chosen pair; of the first and the odd one; of the second and the odd one.

        Raises
        ------
        SpecificationError
            Before :meth:`fit`.
        ShapeError, DataError
            What are no triplets, or triplets of other objects.
        """
        return np.exp(self._logs(triplets))

    def score(self, triplets: Triplets | ArrayLike) -> float:
        """Give the accuracy: the share of triplets whose chosen pair comes first, of t tied pairs each 1/t.

        Raises
        ------
        SpecificationError, ShapeError, DataError
            As :meth:`probabilities`.
        """
        return float(shares(self._fitted(triplets).similarities(self.embedding_)).mean())

    def cost(self, triplets: Triplets | ArrayLike) -> Cost:
        """Say what :meth:`fit` of these will take at most, from a few updates on this machine; nothing is kept.

        Raises
        ------
        SpecificationError, DataError, ShapeError
            As :meth:`fit`.
        """
        refused(self.get_params())
        given = Triplets.of(triplets)
        learning, learner = self._prepared(given)
        return learning.cost(learner)

    def _prepared(self, triplets: Triplets) -> tuple[Learning, Learner]:
        choices = torch.from_numpy(triplets.choices).to(self.device)
        learning = Learning(choices, self.batch, self.epochs, self.stable, self.level, self.least, self.seed)
        objects, rest = triplets.objects, (self.rate, self.seed, self.device)
        if self.method == "spose":
            return learning, Positive(objects, self.dimensions, self.penalty, *rest)
        prior = SpikeSlab(self.spike, self.slab, self.spike_share, self.prior)
        return learning, Variational(objects, self.dimensions, prior, self.beta / len(triplets), *rest)

    def _asked(self, triplets: Triplets) -> str:
        """Say all that the numbers depend on."""
        choices = hashlib.sha256(triplets.choices.tobytes()).hexdigest()
        return json.dumps({**self.get_params(), "objects": triplets.objects, "choices": choices}, sort_keys=True)

    def _read(self, learner: Learner) -> None:
        mean, deviation = learner.posterior()
        embedding = np.maximum(mean, 0)
        there = np.flatnonzero(learner.surely(self.level) > self.least)
        order = there[np.argsort(-embedding[:, there].sum(axis=0), kind="stable")]
        self.embedding_, self.deviation_ = embedding[:, order], deviation[:, order]

    def _logs(self, triplets: Triplets | ArrayLike) -> Array:
        return np.asarray(log_softmax(self._fitted(triplets).similarities(self.embedding_), axis=1))

    def _fitted(self, triplets: Triplets | ArrayLike) -> Triplets:
        if not hasattr(self, "embedding_"):
            raise SpecificationError("nothing has been fitted; call fit(triplets) first")
        return Triplets.of(triplets, len(self.embedding_))
