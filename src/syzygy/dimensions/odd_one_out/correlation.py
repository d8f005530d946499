"""Correlations of columns, and their mean."""

from typing import Final

import numpy as np

from syzygy.dimensions.odd_one_out.given import Array

#: Fisher's z of a correlation of one has no end.
LARGEST: Final = 1 - 1e-9


def correlation(x: Array, y: Array) -> float:
    """Correlate two columns of numbers; NaN where one does not vary."""
    return float(correlations(x[:, None], y[:, None])[0, 0])


def correlations(x: Array, y: Array) -> Array:
    """Correlate the columns of x with those of y, ``(column, other column)``; NaN for one that does not vary."""
    return np.asarray(np.clip(_standardised(x).T @ _standardised(y), -1, 1))


def fisher_mean(r: Array) -> Array:
    """Give the mean over the first axis of correlations, in Fisher's z; NaN where there is none.

    Examples
    --------
    >>> fisher_mean(np.array([0.0, 0.9])).round(3), fisher_mean(np.array([np.nan, 0.5]))
    (np.float64(0.627), np.float64(0.5))
    """
    there = np.isfinite(r)
    z = np.where(there, np.arctanh(np.clip(np.where(there, r, 0), -LARGEST, LARGEST)), 0)
    count = there.sum(axis=0)
    return np.asarray(np.where(count > 0, np.tanh(z.sum(axis=0) / np.maximum(count, 1)), np.nan))[()]


def _standardised(x: Array) -> Array:
    """Centre columns and give them norm one; those that are constant but for rounding become NaN."""
    away = x - x.mean(axis=0)
    size = np.linalg.norm(away, axis=0)
    varies = size > 1e-12 * np.sqrt(len(x)) * np.abs(x).max(axis=0)
    return np.asarray(np.divide(away, size, out=np.full(x.shape, np.nan), where=varies))
