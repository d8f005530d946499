"""From a trajectory to curves of pairs: the distances that the theory speaks of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from syzygy.errors import ShapeError, SpecificationError
from syzygy.theory import PairState
from syzygy.trajectory import Trajectory

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PairCurves:
    """What was measured of some pairs of items, at one layer.

    Attributes
    ----------
    steps
        Recorded steps, rising, ``(step,)``.
    h2, y2, w
        ‖dh‖², ‖dy‖² and dy·(dy − dy*), each ``(network, pair, step)``; NaN where nothing was recorded.
    mean_error
        Squared error of the mean output of the pair, ``(network, pair, step)``.
    dx2, dy2
        Squared distances of inputs and targets, ``(pair,)``.
    pairs
        Names of the two items of each pair.
    """

    steps: Array
    h2: Array
    y2: Array
    w: Array
    mean_error: Array
    dx2: Array
    dy2: Array
    pairs: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        shape = (len(self.h2), len(self.pairs), len(self.steps))
        for name in ("h2", "y2", "w", "mean_error"):
            if getattr(self, name).shape != shape:
                raise ShapeError(f"{name} must be (network, pair, step) = {shape}, got {getattr(self, name).shape}")
        if np.any(np.diff(self.steps) <= 0):
            raise ShapeError("steps must rise")

    @property
    def initial(self) -> PairState:
        """Where each pair starts, ``(network, pair)``."""
        return PairState(self.h2[..., 0], self.y2[..., 0], self.w[..., 0])

    @property
    def loss(self) -> Array:
        """Half the squared error of the two items, averaged over them, summed over outputs."""
        return 0.5 * self.mean_error + 0.25 * self.w + 0.125 * (self.dy2[:, None] - self.y2)

    def between(self, first: float, last: float) -> Self:
        """Give the curves between two shares of the recorded steps, as in ``between(0, 0.5)``."""
        low, high = (round(share * len(self.steps)) for share in (first, last))
        if not 0 <= low < high <= len(self.steps):
            raise SpecificationError(f"shares of the steps rise from 0 to 1; got {first} and {last}")
        cut = {name: getattr(self, name)[..., low:high] for name in ("steps", "h2", "y2", "w", "mean_error")}
        return replace(self, **cut)


def pair_curves(
    trajectory: Trajectory, layer: str | None = None, pairs: Sequence[tuple[int, int]] | None = None
) -> PairCurves:
    """Measure the distances of pairs of probe items over training.

    Parameters
    ----------
    trajectory
        What was recorded.
    layer
        A watched layer; by default the first.
    pairs
        Positions in the probe; by default every pair.

    Raises
    ------
    UnknownName
        A layer that was not watched.
    SpecificationError
        A pair of positions that the probe lacks.
    """
    names, count = trajectory.items, len(trajectory.items)
    chosen = [(i, j) for i in range(count) for j in range(i + 1, count)] if pairs is None else list(pairs)
    if not chosen or any(not (0 <= i < count and 0 <= j < count and i != j) for i, j in chosen):
        raise SpecificationError(f"pairs are two different positions among the {count} probe items; got {chosen[:5]}")
    hidden = trajectory.representation(trajectory.layers[0] if layer is None else layer)
    first, second = (np.array(side) for side in zip(*chosen, strict=True))
    inputs, targets = trajectory.inputs.astype(np.float64), trajectory.targets.astype(np.float64)
    outputs = trajectory.outputs.astype(np.float64)
    errors = outputs - targets
    dy = np.moveaxis(outputs[:, :, second] - outputs[:, :, first], 2, 1)  # (network, pair, step, output)
    target = (targets[second] - targets[first])[:, None]
    mean = 0.5 * np.moveaxis(errors[:, :, second] + errors[:, :, first], 2, 1)
    return PairCurves(
        steps=trajectory.steps.astype(np.float64),
        # Pair by pair: Gram matrices would lose the small distances of the rich regime to cancellation.
        h2=np.stack([_squared(hidden[:, :, i], hidden[:, :, j]) for i, j in chosen], axis=1),
        y2=np.sum(dy**2, axis=-1),
        w=np.sum(dy * (dy - target), axis=-1),
        mean_error=np.sum(mean**2, axis=-1),
        dx2=np.sum((inputs[second] - inputs[first]) ** 2, axis=-1),
        dy2=np.sum(target[:, 0] ** 2, axis=-1),
        pairs=tuple((names[i], names[j]) for i, j in chosen),
    )


def _squared(x: NDArray[np.floating], y: NDArray[np.floating]) -> Array:
    difference = x.astype(np.float64) - y
    return np.asarray(np.einsum("...u,...u->...", difference, difference))
