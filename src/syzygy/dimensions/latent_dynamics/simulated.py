"""Trajectories whose truth is known: a particle in three wells, seen in coordinates that are warped."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

Array = NDArray[np.float64]

#: Small steps of the simulation from one frame to the next.
INNER: Final = 10
#: The plane, and points along each side of a grid over it, for integrals.
EDGES: Final = (-4.0, 4.0)
GRID: Final = 801


@dataclass(frozen=True)
class ThreeWells:
    """Overdamped Langevin dynamics ``dx = -∇V dt + √2 dW`` in the plane, the stationary law of which is known.

    It is ``p = Σₖ wₖ N(mₖ, sₖ² I)``, and the potential is ``V = -log p``: three wells on a circle, and a shallow
    bowl that joins them.

    Attributes
    ----------
    centres, widths, weights
        mₖ, ``(part, coordinate)``; sₖ and wₖ, ``(part,)``; the three wells first.
    interval
        Time between two frames.

    Examples
    --------
    >>> wells = ThreeWells()
    >>> true, warped = wells.simulate(trajectories=2, frames=100, seed=0)
    >>> bool(np.allclose(warped[0][:, 1], true[0][:, 1] + true[0][:, 0] ** 2))
    True
    >>> wells.populations().round(2)
    array([0.46, 0.33, 0.21])
    """

    centres: tuple[tuple[float, float], ...] = ((0.0, 1.4), (-1.25, -0.65), (1.25, -0.65), (0.0, 0.0))
    widths: tuple[float, ...] = (0.36, 0.36, 0.36, 0.8)
    weights: tuple[float, ...] = (0.4, 0.27, 0.15, 0.18)
    interval: float = 0.01

    def log_density(self, x: Array) -> Array:
        """Give log p at points, ``(item, coordinate)`` to ``(item,)``."""
        return np.asarray(logsumexp(self._parts(x), axis=1))

    def force(self, x: Array) -> Array:
        """Give ``-∇V = ∇ log p`` at points, ``(item, coordinate)``."""
        parts = self._parts(x)
        share = np.exp(parts - parts.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True) * np.square(self.widths)
        return np.asarray(share @ np.asarray(self.centres) - x * share.sum(axis=1, keepdims=True))

    def well(self, x: Array) -> NDArray[np.intp]:
        """Give the well of each point, the nearest of the three, ``(item,)``."""
        return wells(x, np.asarray(self.centres[:3]))

    def populations(self) -> Array:
        """Give the share of the stationary law in each well, ``(well,)``, by quadrature."""
        line = np.linspace(*EDGES, GRID)
        plane = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
        there = np.exp(self.log_density(plane))
        return np.asarray(np.bincount(self.well(plane), there, minlength=3) / there.sum())

    def simulate(self, *, trajectories: int, frames: int, seed: int) -> tuple[list[Array], list[Array]]:
        """Let particles move, by small steps of Euler and Maruyama, from starts drawn from the stationary law.

        Parameters
        ----------
        trajectories, frames
            So many, each so long.
        seed
            Of starts and noise.

        Returns
        -------
        list, list
            True positions of each, ``(frame, coordinate)``; and the same warped.
        """
        draw = np.random.default_rng([seed, 3])
        part = draw.choice(len(self.weights), trajectories, p=np.asarray(self.weights) / sum(self.weights))
        x = np.asarray(self.centres)[part] + np.asarray(self.widths)[part, None] * draw.normal(size=(trajectories, 2))
        step = self.interval / INNER
        path = np.empty((frames, trajectories, 2))
        for frame in range(frames):
            path[frame] = x
            for kick in draw.normal(scale=np.sqrt(2 * step), size=(INNER, trajectories, 2)):
                x = x + step * self.force(x) + kick
        true = [path[:, one].copy() for one in range(trajectories)]
        return true, [warped(one) for one in true]

    def _parts(self, x: Array) -> Array:
        away = np.square(np.asarray(x)[:, None] - np.asarray(self.centres)).sum(axis=2)
        variance = np.square(self.widths)
        return np.asarray(np.log(self.weights) - np.log(2 * np.pi * variance) - away / (2 * variance))


def warped(x: Array) -> Array:
    """Give ``(x, y + x²)``, ``(item, coordinate)``: areas stay, angles and lengths do not."""
    return np.stack([x[:, 0], x[:, 1] + x[:, 0] ** 2], axis=1)


def turned(x: Array, angle: float) -> Array:
    """Turn points of the plane by an angle in radians, ``(item, coordinate)``."""
    return np.asarray(x @ [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def wells(x: Array, centres: Array) -> NDArray[np.intp]:
    """Give the nearest centre of each point, ``(item,)``, of ``(item, coordinate)`` and ``(well, coordinate)``."""
    return np.asarray(np.square(x[:, None] - centres).sum(axis=2).argmin(axis=1))
