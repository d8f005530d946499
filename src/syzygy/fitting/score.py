"""How much of what was measured a prediction explains."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Relative variance below which a curve counts as constant: rounding, not movement.
CONSTANT = 1e-20


def r_squared(measured: Array, predicted: Array) -> Array:
    """Share of variance explained along the last axis, 1 − SSE/SST, over finite measurements.

    Returns
    -------
    Array
        One less axis; NaN where the measured curve does not vary or is not there.

    Examples
    --------
    >>> import numpy as np
    >>> r_squared(np.array([0.0, 1.0, 2.0, np.nan]), np.array([0.0, 1.0, 1.0, 5.0])).round(3).item()
    0.5
    """
    there = np.isfinite(measured)
    total = deviation(measured) ** 2 * there.sum(axis=-1)
    left = np.sum(np.where(there, np.where(there, measured, 0.0) - predicted, 0.0) ** 2, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 0, 1 - left / total, np.nan)


def deviation(measured: Array) -> Array:
    """Give the standard deviation along the last axis over finite values; zero where it is only rounding."""
    there = np.isfinite(measured)
    count = np.maximum(there.sum(axis=-1), 1)
    filled = np.where(there, measured, 0.0)
    mean = (filled.sum(axis=-1) / count)[..., None]
    variance = np.sum(np.where(there, filled - mean, 0.0) ** 2, axis=-1) / count
    return np.where(variance > CONSTANT * np.max(filled**2, axis=-1, initial=0.0), np.sqrt(variance), 0.0)


def root_mean_square(values: Array) -> Array:
    """Give the root mean square along the last axis over finite values, NaN where there is none."""
    there = np.isfinite(values)
    square = np.sum(np.where(there, values, 0.0) ** 2, axis=-1) / np.maximum(there.sum(axis=-1), 1)
    return np.where(there.any(axis=-1), np.sqrt(square), np.nan)


def last_finite(values: Array) -> Array:
    """Give the last finite value along the last axis, NaN where there is none."""
    there = np.isfinite(values)
    last = values.shape[-1] - 1 - np.argmax(there[..., ::-1], axis=-1)
    found = np.take_along_axis(values, last[..., None], axis=-1)[..., 0]
    return np.where(there.any(axis=-1), found, np.nan)


def correlation(measured: Array, predicted: Array) -> Array:
    """Pearson's correlation along the last axis, over entries of which both are finite.

    Returns
    -------
    Array
        One less axis, other axes broadcast; NaN where either does not vary.

    Examples
    --------
    >>> import numpy as np
    >>> correlation(np.array([1.0, 2.0, 3.0, np.nan]), np.array([2.0, 4.0, 6.0, 0.0])).round(9).item()
    1.0
    """
    measured, predicted = np.broadcast_arrays(measured, predicted)
    there = np.isfinite(measured) & np.isfinite(predicted)
    one, other = (np.where(there, values, np.nan) for values in (measured, predicted))
    scale = deviation(one) * deviation(other)
    count = np.maximum(there.sum(axis=-1), 1)
    centred = [
        np.where(there, x, 0.0) - (np.where(there, x, 0.0).sum(axis=-1) / count)[..., None] for x in (one, other)
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        shared = np.sum(np.where(there, centred[0] * centred[1], 0.0), axis=-1) / count
        return np.where(scale > 0, shared / scale, np.nan)
