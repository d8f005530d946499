"""What the estimators share: trajectories in, a latent of each frame out."""

import hashlib
import json
from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Self

import numpy as np
import pandas as pd
import torch
from torch import nn

from syzygy.cost import Cost
from syzygy.dimensions.latent_dynamics.autoencoders import Autoencoder
from syzygy.dimensions.latent_dynamics.coder import Coder
from syzygy.dimensions.latent_dynamics.encoders import coders
from syzygy.dimensions.latent_dynamics.learning import Learner, Plan
from syzygy.dimensions.latent_dynamics.options import refused
from syzygy.dimensions.latent_dynamics.pairs import Given, Pairs, pairs, trajectories, vary
from syzygy.dimensions.latent_dynamics.score import collapsed
from syzygy.errors import ShapeError
from syzygy.seeds import stream
from syzygy.snapshot import Snapshot

#: Updates that are timed.
TIMED: Final = 24


class LatentEstimator(Coder):
    """An autoencoder of frames of trajectories; what is special of each is in its subclass.

    Parameters
    ----------
    latent
        Coordinates of the latent.
    lag
        Frames from the first to the second of a pair.
    hidden
        Widths of the encoder's hidden layers, which the decoder has in reverse; images have convolutions.
    epochs, batch, learning_rate
        Of Adam.
    settle
        Over this share of the epochs, at the end, steps shrink evenly to 0.
    test
        Share of the frames, in whole blocks, that is held out.
    shown
        Of so many first frames of pairs that are held out (of learned ones if there are none), evenly spaced, the
        latents are kept at the end of every epoch.
    device
        Where to learn, as PyTorch names it.  All that is random is drawn on the CPU.
    seed
        Of weights, batches and noise.

    Attributes
    ----------
    history_
        A row for each epoch: its terms of the loss on pairs that are held out (on learned ones if there are none).
    increments_
        Second less first latent of the pairs that are held out, ``(pair, coordinate)``.
    shown_, latents_
        Places of the frames that are shown, in all trajectories one after another, ``(frame,)``; their latents at the
        end of each epoch, ``(epoch, frame, coordinate)``.
    notes_
        Lines for what a reader should know: a latent that has collapsed.
    """

    def __init__(
        self,
        *,
        latent: int = 2,
        lag: int = 1,
        hidden: Sequence[int] = (32, 32, 32),
        epochs: int = 15,
        batch: int = 256,
        learning_rate: float = 1e-3,
        settle: float = 1 / 3,
        test: float = 0.2,
        shown: int = 0,
        device: str = "cpu",
        seed: int = 0,
    ):
        self.latent = latent
        self.lag = lag
        self.hidden = hidden
        self.epochs = epochs
        self.batch = batch
        self.learning_rate = learning_rate
        self.settle = settle
        self.test = test
        self.shown = shown
        self.device = device
        self.seed = seed

    def fit(
        self,
        X: Given,
        y: None = None,  # noqa: ARG002
        *,
        snapshot: Path | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Self:
        """Learn a latent.

        Parameters
        ----------
        X
            A trajectory, ``(frame, feature)`` or ``(frame, channel, height, width)``; or a list of them: no pair goes
            from one to the next.
        y
            Not used.
        snapshot
            File in which the state is kept every 20 seconds.  The same call goes on from it, with the same numbers,
            and removes it at the end.
        progress
            Called with the share of the whole that has just been done.

        Raises
        ------
        SpecificationError
            Options out of range.
        ShapeError
            What is no trajectory, or has fewer features than the latent has coordinates.
        DataError
            What is no finite number, a feature that never changes, or trajectories shorter than a batch.
        RunError
            A snapshot of another fit.
        Diverged
            A loss that left the finite numbers.
        """
        learner, asked = self._learner(X)
        kept = Snapshot(snapshot) if snapshot else None
        learner.learn(kept, asked, progress or (lambda _: None))
        self.network_ = learner.network.eval()
        self._finish(learner)
        self.history_ = pd.DataFrame(learner.history)
        self.shown_ = learner.shown.cpu().numpy()
        latents = [one.numpy().astype(np.float64) for one in learner.latents]
        self.latents_ = np.stack(latents) if latents else np.empty((self.epochs, 0, self.latent))
        first = learner.held_out
        self.increments_ = (learner.latent(first + self.lag) - learner.latent(first)).cpu().numpy().astype(np.float64)
        self.notes_ = collapsed(learner.latent(learner.first).cpu().numpy())
        if kept:
            kept.done()
        return self

    def cost(self, X: Given) -> Cost:
        """Say what :meth:`fit` of this will take, from a few updates on this machine; nothing is kept of them.

        Raises
        ------
        SpecificationError, ShapeError, DataError
            As :meth:`fit`.
        """
        learner, _ = self._learner(X)
        each, once = learner.pace(TIMED)
        order = learner.updates * self.batch * 8
        parameters = sum(one.numel() for one in learner.network.parameters()) * 4 * 4
        held = 2 * learner.frames.nbytes + learner.first.nbytes + order + parameters
        updates = self.epochs * learner.updates + self._more(len(learner.first))
        return Cost(updates * each + self.epochs * once, held + self.epochs * self.shown * self.latent * 4)

    @abstractmethod
    def _network(self, shape: tuple[int, ...], frames: torch.Tensor) -> Autoencoder:
        """Make the network; the global generator has been seeded."""

    def _plan(self) -> Plan:
        return Plan(self.epochs, self.batch, self.learning_rate, self.settle, self.lag, self.seed)

    def _more(self, pairs: int) -> int:  # noqa: ARG002
        """Count the updates that follow."""
        return 0

    def _finish(self, learner: Learner) -> None:
        """Do what is left to do when it has learned."""

    def _learner(self, given: Given) -> tuple[Learner, str]:
        refused(self.get_params())
        read = trajectories(given)
        vary(read)
        shape = read[0].shape[1:]
        if self.latent > np.prod(shape):
            raise ShapeError(
                f"a latent of {self.latent} coordinates has more than the {np.prod(shape)} features it is of"
            )
        cut: Pairs = pairs(read, self.lag, self.test, self.batch)
        device = torch.device(self.device)
        frames = torch.from_numpy(cut.frames).to(device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream(self.seed, "weights"))
            network = self._network(shape, frames).to(device)
        seen = cut.held_out if len(cut.held_out) else cut.learned
        seen = seen[np.linspace(0, len(seen) - 1, min(self.shown, len(seen))).astype(np.int64)]
        first, held_out, shown = (torch.from_numpy(one).to(device) for one in (cut.learned, cut.held_out, seen))
        return Learner(network, frames, first, held_out, self._plan(), shown), self._asked(cut)

    def _asked(self, cut: Pairs) -> str:
        """Name this fit: its options, and what it learns from."""
        told = {name: value for name, value in self.get_params().items() if name != "device"}
        digest = hashlib.sha256(cut.frames.tobytes() + cut.learned.tobytes()).hexdigest()
        return json.dumps({"kind": type(self).__name__, "data": digest, **told}, sort_keys=True, default=list)

    def _coders(self, shape: tuple[int, ...], outputs: int) -> tuple[nn.Module, nn.Module]:
        return coders(shape, self.latent, tuple(self.hidden), outputs)
