"""Pairs of frames a lag apart, and which of them are held out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.errors import DataError, ShapeError, reason

Array = NDArray[np.float32]
Places = NDArray[np.int64]
#: One trajectory, or several.
Given = ArrayLike | Sequence[ArrayLike]

#: All frames are cut into so many blocks.
BLOCKS: Final = 20


@dataclass(frozen=True)
class Pairs:
    """Frames, and pairs of them.

    Attributes
    ----------
    frames
        All trajectories, one after another: ``(frame, feature)``, or ``(frame, channel, height, width)``.
    learned, held_out
        The first frame of each pair, ``(pair,)``; the second is ``lag`` frames on.
    """

    frames: Array
    learned: Places
    held_out: Places


def several(given: Given) -> bool:
    """Say whether it is a list of trajectories, and not one.

    Examples
    --------
    >>> several([[0.0, 1.0], [1.0, 2.0]]), several([[[0.0, 1.0], [1.0, 2.0]]])
    (False, True)
    """
    return isinstance(given, list | tuple) and len(given) > 0 and np.ndim(given[0]) > 1


def trajectories(given: Given) -> list[Array]:
    """Read one trajectory or several, and refuse what cannot be one.

    Raises
    ------
    ShapeError
        No frames of features or images, or trajectories of different ones.
    DataError
        What is no finite number, or a feature that never changes.
    """
    listed: Any = given if several(given) else [given]
    try:
        with np.errstate(over="ignore"):  # what single precision cannot hold is refused below
            read = [np.asarray(one, dtype=np.float32) for one in listed]
    except (TypeError, ValueError) as unreadable:
        raise DataError(f"a trajectory is an array of numbers: {reason(unreadable)}") from unreadable
    for one in read:
        if one.ndim not in (2, 4) or not one.size:
            raise ShapeError(
                "a trajectory is (frame, feature), or (frame, channel, height, width) for images; "
                f"got the shape {one.shape}"
            )
        if one.shape[1:] != read[0].shape[1:]:
            raise ShapeError(f"trajectories must have the same features; got {read[0].shape[1:]} and {one.shape[1:]}")
        if not np.isfinite(one).all():
            raise DataError(f"{int((~np.isfinite(one)).sum())} numbers are not finite; leave those frames out")
    return read


def vary(read: Sequence[Array]) -> None:
    """Refuse what never changes: a feature, or whole images.

    Raises
    ------
    DataError
        Which.
    """
    low, high = (np.stack([end(one, axis=0) for one in read]) for end in (np.min, np.max))
    still = low.min(axis=0) == high.max(axis=0)
    if still.ndim == 1 and still.any():
        raise DataError(f"feature {int(np.flatnonzero(still)[0])} is the same in all frames; leave it out")
    if still.all():
        raise DataError("all images are the same; there are no dynamics to learn")


def pairs(read: Sequence[Array], lag: int, test: float, batch: int) -> Pairs:
    """Pair frames, and hold out whole blocks of them.

    Neighbouring pairs share a frame, and neighbouring frames say nearly the same.  So frames are cut into
    :data:`BLOCKS` blocks, evenly spaced ones are held out, and a pair counts only if both of its frames lie in one
    block of one trajectory: ``lag`` pairs are left out at every border, and no frame of a pair that is held out is
    learned.

    Parameters
    ----------
    read
        Trajectories.
    lag
        Frames from the first to the second of a pair.
    test
        Share of the blocks that is held out.
    batch
        So many pairs are needed to learn from.

    Raises
    ------
    DataError
        Too few of them.

    Examples
    --------
    >>> cut = pairs([np.zeros((60, 2), np.float32)], lag=1, test=0.2, batch=8)
    >>> cut.held_out.tolist()
    [12, 13, 27, 28, 42, 43, 57, 58]
    """
    lengths = [len(one) for one in read]
    owner = np.repeat(np.arange(len(read)), lengths)
    block = np.arange(len(owner)) * BLOCKS // len(owner)
    first = np.arange(max(0, len(owner) - lag))
    inside = (owner[first] == owner[first + lag]) & (block[first] == block[first + lag])
    each = np.arange(BLOCKS + 1) * test
    out = (np.floor(each[1:] + 1e-9) > np.floor(each[:-1] + 1e-9))[block[first]]
    learned = first[inside & ~out]
    if len(learned) < batch:
        raise DataError(
            f"{len(owner)} frames in {len(read)} trajectories give {len(learned)} pairs to learn from at a lag of "
            f"{lag}; a batch needs {batch}: give longer ones, or a smaller batch or lag"
        )
    return Pairs(np.concatenate(read), learned, first[inside & out])
