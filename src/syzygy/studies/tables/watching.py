"""Which of the recorded items are what: learned, held out, or points of planes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.course import mixed, probed
from syzygy.errors import DataError, ShapeError, SpecificationError
from syzygy.linalg.planes import grids, triplets
from syzygy.tasks import by_lot
from syzygy.trajectory import Trajectory

Places = NDArray[np.intp]


@dataclass(frozen=True)
class Watched:
    """Places of items in a trajectory.

    Attributes
    ----------
    labels
        Of all items, ``(item,)``; of points of planes they say nothing.
    classes
        Number of outputs, one for each class.
    learned, held_out
        Places of what was learned, and of what was not; the same where nobody said what was.
    by_lot
        Which of the learned items got their label by lot, ``(learned item,)``.
    planes
        Places of the points of planes, ``(plane, point)``; or of the corners of planes, ``(plane, 3)``.
    weights
        Of the corners, ``(plane, point, 3)``; None if the points themselves were recorded.
    """

    labels: NDArray[np.intp]
    classes: int
    learned: Places
    held_out: Places
    by_lot: NDArray[np.bool_]
    planes: Places
    weights: NDArray[np.float64] | None = None

    @classmethod
    def of(
        cls,
        seen: Trajectory,
        *,
        labels: ArrayLike | None = None,
        learned: Sequence[int] | None = None,
        held_out: Sequence[int] | None = None,
        planes: ArrayLike | None = None,
        count: int = 20,
        side: int = 10,
        seed: int = 0,
    ) -> Self:
        """Say what the items of any recorded run are.

        Parameters
        ----------
        seen
            The run.
        labels
            ``(item,)``, from 0; by default the largest of one-hot targets.
        learned, held_out
            Places; by default all items that lie on no plane.
        planes
            Places of recorded points, ``(plane, point)``.  Without them planes go through drawn triplets of held-out
            items, in the space of each layer (:func:`syzygy.course.mixed`).
        count, side, seed
            Of these.

        Raises
        ------
        SpecificationError
            Targets that are no labels, where no labels are given; fewer than three items.
        ShapeError, DataError
            A label for each item, each a class; places that there are.
        """
        told = _labels(seen) if labels is None else np.asarray(labels, dtype=np.intp)
        items, classes = len(seen.items), seen.outputs.shape[-1]
        if told.shape != (items,):
            raise ShapeError(f"labels must be one per item, {items}; got shape {told.shape}")
        if told.min() < 0 or told.max() >= classes:
            raise DataError(f"labels lie between 0 and {classes - 1}, an output each; got {told.min()} to {told.max()}")
        points = None if planes is None else np.asarray(planes, dtype=np.intp)
        others = np.setdiff1d(np.arange(items), () if points is None else points)
        own = others if learned is None else np.asarray(learned, dtype=np.intp)
        kept = own if held_out is None else np.asarray(held_out, dtype=np.intp)
        for what, places in (("learned", own), ("held_out", kept), ("planes", others if points is None else points)):
            if not places.size or places.min() < 0 or places.max() >= items:
                raise DataError(f"{what} must be places of the {items} recorded items, at least one")
        lots = by_lot(np.array(seen.items, object)[own])
        if points is not None:
            return cls(told, classes, own, kept, lots, points)
        if len(kept) < 3 or count < 1 or side < 2:
            raise SpecificationError(
                "planes go through three items, and are 1 or more of 2 or more points a side; got "
                f"{len(kept)} items, count = {count}, side = {side}"
            )
        corners = kept[triplets(len(kept), count, seed)]
        weights = grids(seen.inputs[corners].astype(np.float64), side)
        if not np.isfinite(weights).all():
            raise DataError("three of the drawn items lie on one line; choose another seed, or give planes")
        return cls(told, classes, own, kept, lots, corners, weights)

    def decisions(self, values: NDArray[np.floating], penalty: float) -> NDArray[np.intp]:
        """Decide on planes by probes of a layer at each step.

        Parameters
        ----------
        values
            ``(step, item, unit)``.
        penalty
            Of the probes.

        Returns
        -------
        NDArray
            Classes, ``(step, plane, point)``.
        """
        scores = probed(values[:, self.learned], self.labels[self.learned], values[:, self.planes.ravel()],
                        self.classes, penalty)  # fmt: skip
        if self.weights is None:
            return np.asarray(scores.argmax(axis=-1).reshape(len(values), *self.planes.shape))
        return mixed(scores, np.arange(self.planes.size).reshape(self.planes.shape), self.weights)


def _labels(seen: Trajectory) -> NDArray[np.intp]:
    """Read one-hot targets; targets of zero, of points that nobody labelled, are 0."""
    labels: NDArray[np.intp] = seen.targets.argmax(axis=1)
    hot = np.eye(seen.targets.shape[1])[labels]
    if seen.targets.shape[1] < 2 or not ((seen.targets == hot).all(1) | (seen.targets == 0).all(1)).all():
        raise SpecificationError("the targets of this run are no labels; give labels=, one per item")
    return labels
