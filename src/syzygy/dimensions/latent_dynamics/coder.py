"""What a fitted autoencoder does: frames to latents, and back."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from syzygy.dimensions.latent_dynamics.autoencoders import Autoencoder
from syzygy.dimensions.latent_dynamics.learning import AT_ONCE
from syzygy.dimensions.latent_dynamics.pairs import Given, several, trajectories
from syzygy.errors import ShapeError, SpecificationError

Array = NDArray[np.float64]


class Coder(BaseEstimator):  # type: ignore[misc]
    """Both ways between frames and their latents, once something has been fitted.

    Attributes
    ----------
    latent
        Coordinates of the latent.
    network_
        What was fitted.
    """

    latent: int
    network_: Autoencoder

    def transform(self, X: Given) -> Any:
        """Give the latent of frames.

        Parameters
        ----------
        X
            A trajectory, or a list of them, of the features that were fitted.

        Returns
        -------
        Array or list
            ``(frame, coordinate)``, for each trajectory if a list is given.

        Raises
        ------
        SpecificationError
            Before anything has been fitted.
        ShapeError
            Other features than were fitted.
        DataError
            What is no finite number.
        """
        read = self._read(X)
        found = [self._through(self.network_.latent, one) for one in read]
        return found if several(X) else found[0]

    def inverse_transform(self, Z: Any) -> Array:
        """Give the frames of latents: ``(frame, coordinate)`` to ``(frame, ...)``.

        Raises
        ------
        SpecificationError
            As :meth:`transform`.
        ShapeError
            Another number of coordinates.
        """
        return self._through(self.network_.rebuilt, self._points(Z))

    def score(self, X: Given, y: None = None) -> float:  # noqa: ARG002
        """Give the share of the variance of frames that is rebuilt: 1 for all of it, as a ratio of sums.

        It does not say whether the latent means anything; :mod:`~syzygy.dimensions.latent_dynamics.score` does.

        Raises
        ------
        SpecificationError, ShapeError, DataError
            As :meth:`transform`.
        """
        frames = np.concatenate(self._read(X)).astype(np.float64)
        left = frames - self.inverse_transform(self._through(self.network_.latent, frames))
        return float(1 - (left**2).sum() / ((frames - frames.mean(axis=0)) ** 2).sum())

    def _read(self, given: Given) -> list[NDArray[np.float32]]:
        self._fitted()
        read, shape = trajectories(given), tuple(self.network_.mean.shape)
        if read[0].shape[1:] != shape:
            raise ShapeError(f"frames have the shape {read[0].shape[1:]}, and {shape} was fitted")
        return read

    def _points(self, given: Any) -> Array:
        self._fitted()
        points = np.asarray(given, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != self.latent:
            raise ShapeError(f"latents are (frame, {self.latent}); got the shape {points.shape}")
        return points

    @torch.no_grad()
    def _through(self, function: Callable[[torch.Tensor], torch.Tensor], values: Any) -> Array:
        parts = torch.split(torch.from_numpy(np.asarray(values, dtype=np.float32)), AT_ONCE)
        done = [function(part.to(self.network_.mean.device)).cpu() for part in parts]
        return torch.cat(done).numpy().astype(np.float64)

    def _fitted(self) -> None:
        if not hasattr(self, "network_"):
            raise SpecificationError("nothing has been fitted; call fit(X) first")
