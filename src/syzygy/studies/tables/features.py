"""How much a representation keeps of each of two features, where a context says which one counts."""

import numpy as np
from numpy.typing import NDArray

from syzygy.trajectory import Trajectory

Array = NDArray[np.float64]


def side_of(trajectory: Trajectory) -> int:
    """Give the number of watched centres per side; items come in order of context, x and y."""
    return int(np.sqrt(len(trajectory.items) // 2) + 0.5)


def hidden_of(trajectory: Trajectory) -> Array:
    """Give the first watched layer on the grid of features, ``(network, step, context, x, y, unit)``."""
    hidden, side = trajectory.representation(trajectory.layers[0]).astype(np.float64), side_of(trajectory)
    return hidden.reshape(*hidden.shape[:2], 2, side, side, hidden.shape[-1])


def last_of(trajectory: Trajectory) -> NDArray[np.intp]:
    """Give the position of each network's last record of a finite loss, the first if there is none, ``(network,)``."""
    there = np.isfinite(trajectory.loss)
    found = there[:, ::-1].argmax(axis=1)
    return np.where(there.any(axis=1), there.shape[1] - 1 - found, 0)


def effects(hidden: Array) -> tuple[Array, Array, Array]:
    """Split the variance of representations on a grid of two features, within each context.

    A two-way analysis of variance: the means over the other feature (main effects), and what is left.

    Parameters
    ----------
    hidden
        ``(..., context, x, y, unit)``; in the first context x is relevant, in the second y.

    Returns
    -------
    relevant, irrelevant, interaction
        Variances per item, summed over units and averaged over contexts; each ``(...)``.  They add up to the whole.

    Examples
    --------
    >>> x, y = np.meshgrid([-1.0, 1.0], [-1.0, 1.0], indexing="ij")
    >>> [float(share) for share in effects(np.stack([2 * x + y, x + 2 * y])[..., None])]
    [4.0, 1.0, 0.0]
    """
    centred = hidden - hidden.mean(axis=(-3, -2), keepdims=True)
    x, y = (np.square(centred.mean(axis=axis)).sum(axis=-1).mean(axis=-1) for axis in (-2, -3))
    whole = np.square(centred).sum(axis=-1).mean(axis=(-1, -2))
    relevant, irrelevant = (x[..., 0] + y[..., 1]) / 2, (y[..., 0] + x[..., 1]) / 2
    return relevant, irrelevant, whole.mean(axis=-1) - relevant - irrelevant


def kept(hidden: Array) -> Array:
    """Give the irrelevant feature's variance over the relevant one's: 0 if it is gone, 1 if none is preferred.

    Parameters
    ----------
    hidden
        As in :func:`effects`.

    Returns
    -------
    Array
        ``(...)``; NaN where the relevant feature is not represented at all.
    """
    relevant, irrelevant, _ = effects(hidden)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(relevant > 0, irrelevant / relevant, np.nan)


def angle(hidden: Array) -> Array:
    """Give the angle between the directions along which the two contexts' relevant features are represented.

    Parameters
    ----------
    hidden
        As in :func:`effects`.

    Returns
    -------
    Array
        Degrees between 0 (one line) and 90, ``(...)``: between the first principal axes of the class means.
        NaN where an item is missing.
    """
    centred = np.nan_to_num(hidden - hidden.mean(axis=(-3, -2), keepdims=True))
    x, y = centred[..., 0, :, :, :].mean(axis=-2), centred[..., 1, :, :, :].mean(axis=-3)
    first, second = (np.linalg.svd(means, full_matrices=False)[2][..., 0, :] for means in (x, y))
    cosine = np.abs(np.sum(first * second, axis=-1))
    there = np.isfinite(hidden).all(axis=(-4, -3, -2, -1))
    return np.where(there, np.degrees(np.arccos(np.clip(cosine, 0, 1))), np.nan)


def embed(items: Array, dimensions: int = 2) -> Array:
    """Place items so that their Euclidean distances are kept as well as they can be: classical scaling.

    Parameters
    ----------
    items
        ``(item, unit)``; as many units as dimensions, or more.

    Returns
    -------
    Array
        Principal components, ``(item, dimension)``; which way an axis points means nothing.
    """
    centred = np.nan_to_num(items - items.mean(axis=0))
    left, scale, _ = np.linalg.svd(centred, full_matrices=False)
    return np.asarray(left[:, :dimensions] * scale[:dimensions])
