"""The autoencoder whose latent follows overdamped Langevin dynamics (Wang, Wang, Evans & Tiwary 2024).

Derived in ``docs/dimensions/latent_dynamics.md``.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from syzygy.dimensions.latent_dynamics.autoencoders import Autoencoder, Dynamical
from syzygy.dimensions.latent_dynamics.coder import Array
from syzygy.dimensions.latent_dynamics.dynamics import learn_dynamics, updates_of
from syzygy.dimensions.latent_dynamics.estimator import LatentEstimator
from syzygy.dimensions.latent_dynamics.learning import Learner, Plan
from syzygy.dimensions.latent_dynamics.pairs import Given
from syzygy.dimensions.latent_dynamics.prior import Diffusion, Langevin
from syzygy.errors import DataError, SpecificationError
from syzygy.seeds import generator


class DynamicsAutoencoder(LatentEstimator):
    """An autoencoder whose latent moves as a particle does that is pulled by a force and kicked by noise.

    From frame to frame ``z₁ = z₀ + D F(z₀) + ∇·D(z₀) + √(2D) ξ``.  The force F is learned.  With D = 1 noise
    is the same everywhere and in all directions, and that determines the latent up to turning, mirroring and shifting.

    Parameters
    ----------
    latent, lag, hidden, epochs, batch, learning_rate, settle, test, shown, device, seed
        As :class:`~syzygy.dimensions.latent_dynamics.estimator.LatentEstimator`.
    beta
        Weight of the distance of increments from those that the dynamics draw.
    projections
        Random directions of that distance.
    clusters
        Regions of the latent, from one of which each batch is drawn; at most so many.
    bias_factor
        Regions have batches in proportion to their size to the power of one over this.
    drift_hidden
        Widths of the hidden layers of force and log D.
    drift_epochs
        So often all pairs teach the dynamics once more, when the latent no longer moves.
    diffusion
        ``fixed``: 1.  ``learned``: log D too, of mean 0 over frames for each coordinate.  That determines less: any
        latent whose noise is independent along its coordinates.

    Attributes
    ----------
    history_
        Besides: ``clusters`` of an epoch and their ``distance``.

    Examples
    --------
    >>> from syzygy.dimensions.latent_dynamics import ThreeWells
    >>> warped = ThreeWells().simulate(trajectories=4, frames=500, seed=0)[1]
    >>> found = DynamicsAutoencoder(epochs=2, hidden=(8,), drift_hidden=(8,)).fit(warped)
    >>> found.transform(warped)[0].shape, found.drift(np.zeros((1, 2))).shape
    ((500, 2), (1, 2))
    >>> found.sample(np.zeros((3, 2)), steps=10).shape
    (11, 3, 2)
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
        beta: float = 10.0,
        projections: int = 50,
        clusters: int = 32,
        bias_factor: float = 2.0,
        drift_hidden: Sequence[int] = (32, 32),
        drift_epochs: int = 20,
        diffusion: Diffusion = "fixed",
        shown: int = 0,
        device: str = "cpu",
        seed: int = 0,
    ):
        super().__init__(
            latent=latent, lag=lag, hidden=hidden, epochs=epochs, batch=batch, learning_rate=learning_rate,
            settle=settle, test=test, shown=shown, device=device, seed=seed,
        )  # fmt: skip
        self.beta = beta
        self.projections = projections
        self.clusters = clusters
        self.bias_factor = bias_factor
        self.drift_hidden = drift_hidden
        self.drift_epochs = drift_epochs
        self.diffusion = diffusion

    def drift(self, Z: Any) -> Array:
        """Give the force F at points of the latent, ``(item, coordinate)``, per lag.

        Raises
        ------
        SpecificationError, ShapeError
            Before :meth:`fit`; another number of coordinates.
        """
        points = self._points(Z)
        return self._through(self._dynamics.force, points)

    def diffusion_at(self, Z: Any) -> Array:
        """Give D at points of the latent, ``(item, coordinate)``, in squared units of the latent per lag.

        Raises
        ------
        SpecificationError, ShapeError
            As :meth:`drift`.
        """
        points = self._points(Z)
        return self._through(lambda z: self._dynamics.step(z)[1], points)

    def displacement(self, Z: Any) -> Array:
        """Give the mean step ``D F + ∇·D`` at points of the latent, ``(item, coordinate)``.

        Raises
        ------
        SpecificationError, ShapeError
            As :meth:`drift`.
        """
        points = self._points(Z)
        return self._through(lambda z: self._dynamics.step(z)[0], points)

    def log_likelihood(self, X: Given) -> float:
        """Give the mean of ``log r(z₁|z₀)`` over pairs, in nats: how well the dynamics tell the next latent.

        It is a density of latents, so it compares dynamics of one encoder, and not encoders.

        Raises
        ------
        SpecificationError, ShapeError, DataError
            As :meth:`transform`; trajectories no longer than the lag.
        """
        z = [self._through(self.network_.latent, one) for one in self._read(X)]
        first = np.concatenate([one[: -self.lag] for one in z])
        if not len(first):
            raise DataError(f"trajectories of up to {max(map(len, z))} frames have no pairs at a lag of {self.lag}")
        both = np.hstack([first, np.concatenate([one[self.lag :] for one in z])])
        return -float(self._through(lambda pair: self._dynamics.surprise(*pair.chunk(2, dim=1)), both).mean())

    def sample(self, Z: Any, steps: int, seed: int = 0) -> Array:
        """Let particles move by the learned dynamics.

        Parameters
        ----------
        Z
            Where they start, ``(particle, coordinate)``.
        steps
            So many, each of one lag.
        seed
            Of the noise.

        Returns
        -------
        Array
            ``(step, particle, coordinate)``; the start first.

        Raises
        ------
        SpecificationError, ShapeError
            As :meth:`drift`; no steps.
        """
        if steps < 1:
            raise SpecificationError(f"steps must be at least 1, got {steps}")
        z = torch.from_numpy(self._points(Z).astype(np.float32)).to(self.network_.mean.device)
        source, path = generator(seed, "noise"), [z]
        with torch.no_grad():
            for _ in range(steps):
                z = z + self._dynamics.draw(z, torch.randn(z.shape, generator=source).to(z.device))
                path.append(z)
        return torch.stack(path).cpu().numpy().astype(np.float64)

    @property
    def _dynamics(self) -> Langevin:
        assert isinstance(self.network_, Dynamical)
        return self.network_.prior

    def _network(self, shape: tuple[int, ...], frames: torch.Tensor) -> Autoencoder:
        encoder, decoder = self._coders(shape, self.latent)
        prior = Langevin(self.latent, tuple(self.drift_hidden), self.diffusion)
        return Dynamical(encoder, decoder, frames, self.beta, self.projections, prior)

    def _plan(self) -> Plan:
        return Plan(
            self.epochs, self.batch, self.learning_rate, self.settle, self.lag, self.seed, self.clusters,
            self.bias_factor,
        )  # fmt: skip

    def _more(self, pairs: int) -> int:
        return self.drift_epochs * updates_of(pairs)

    def _finish(self, learner: Learner) -> None:
        first = learner.latent(learner.first)
        second = learner.latent(learner.first + self.lag)
        learn_dynamics(self._dynamics, first, second, self.drift_epochs, self.learning_rate, self.seed)
