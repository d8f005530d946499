"""Linear probes of a layer at every step: what can be read from its representation."""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.errors import DataError, ShapeError, SpecificationError

Array = NDArray[np.float64]

#: Of a probe, in units of the variance of an item, summed over units.
PENALTY: Final = 0.01


def probed(seen: ArrayLike, labels: ArrayLike, asked: ArrayLike, classes: int, penalty: float = PENALTY) -> Array:
    """Fit a probe at each step, and give what it says of other items.

    A probe is a ridge regression of one-hot targets with a free intercept (Hoerl & Kennard 1970), with
    λ = penalty × the mean eigenvalue of the centred ``(item, item)`` Gram matrix, as in :mod:`syzygy.linalg.ridge`.
    It decides for the class with the largest score.

    Parameters
    ----------
    seen
        What it learns from, ``(step, item, unit)``.
    labels
        Of these items, ``(item,)``, from 0.
    asked
        What it is asked about, ``(step, other item, unit)``.
    classes
        How many there are.
    penalty
        Positive.

    Returns
    -------
    NDArray
        Scores, ``(step, other item, class)``.

    Raises
    ------
    ShapeError
        Arrays that do not fit together.
    SpecificationError
        A penalty that is not positive, or fewer than two classes.
    DataError
        A class without items, labels that are no class, numbers that are not finite, or a step at which all items are
        the same.

    Examples
    --------
    >>> import numpy as np
    >>> line = np.linspace(-1, 1, 10)[None, :, None]
    >>> probed(line, line[0, :, 0] > 0, [[[-0.5], [0.7]]], classes=2).argmax(-1).tolist()
    [[0, 1]]
    """
    x, z, y = np.asarray(seen, dtype=np.float64), np.asarray(asked, dtype=np.float64), np.asarray(labels, dtype=np.intp)
    _check(x, z, y, classes, penalty)
    middle = x.mean(axis=1, keepdims=True)
    c, targets = x - middle, np.eye(classes)[y]
    variance = np.einsum("siu,siu->s", c, c) / c.shape[1]
    rounding = np.finfo(np.float64).eps * c.shape[1] * np.abs(x).max(axis=(1, 2)) ** 2
    if (same := variance <= rounding).any():
        raise DataError(
            f"at step {int(np.argmax(same))} all items have the same representation; no probe can tell them"
        )
    offset = targets.mean(axis=0)
    wide = c.shape[2] > c.shape[1]
    gram = c @ c.transpose(0, 2, 1) if wide else c.transpose(0, 2, 1) @ c
    gram[:, np.arange(gram.shape[1]), np.arange(gram.shape[1])] += penalty * variance[:, None]
    right = np.broadcast_to(targets - offset, (len(c), *targets.shape))
    if wide:
        weights = c.transpose(0, 2, 1) @ np.linalg.solve(gram, right)
    else:
        weights = np.linalg.solve(gram, c.transpose(0, 2, 1) @ right)
    return np.asarray((z - middle) @ weights + offset)


def _check(x: Array, z: Array, y: NDArray[np.intp], classes: int, penalty: float) -> None:
    if x.ndim != 3 or z.ndim != 3 or x.shape[::2] != z.shape[::2] or y.shape != x.shape[1:2]:
        raise ShapeError(
            "a probe learns from (step, item, unit) with a label per item, and is asked about (step, item, unit) of "
            f"the same steps and units; got {x.shape}, {y.shape} and {z.shape}"
        )
    if not penalty > 0 or classes < 2:
        raise SpecificationError(f"a probe needs a positive penalty and two classes; got {penalty:g} and {classes}")
    if y.size and (y.min() < 0 or y.max() >= classes):
        raise DataError(f"labels lie between 0 and {classes - 1}; got {y.min()} to {y.max()}")
    if missing := sorted(set(range(classes)) - set(y.tolist())):
        raise DataError(f"labels do not cover the classes: none of {len(y)} items is of class {missing[0]}; watch more")
    if not (np.isfinite(x).all() and np.isfinite(z).all()):
        raise DataError("representations for a probe are not finite; leave out what diverged")
