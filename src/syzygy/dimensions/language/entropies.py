"""Entropies and divergences of what was counted, in nats.

Derived in ``docs/dimensions/language.md``, sections 2 and 4.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from syzygy.dimensions.language.given import Array


def entropy(counts: NDArray[Any]) -> Array:
    """Give the plug-in entropy along the last axis.

    Parameters
    ----------
    counts
        ``(…, point)``: whole numbers, or sums of shares.  Where they are all zero there is no entropy (NaN).

    Examples
    --------
    >>> bool(entropy(np.array([2, 2])) == np.log(2))
    True
    """
    total = counts.sum(axis=-1, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log(total) - _self_log(counts).sum(axis=-1) / total)


def spread(counts: NDArray[Any], squares: NDArray[Any]) -> Array:
    """Sum variance over mean of the shares at each point, along the last axis: in bins, the occupied ones less one.

    Parameters
    ----------
    counts, squares
        Sums over items of shares and of their squares, ``(…, point)``; in bins both are counts.

    Examples
    --------
    >>> spread(np.array([2, 0, 2]), np.array([2, 0, 2])).tolist()
    1.0
    """
    there = counts > 0
    return np.asarray(np.divide(squares, counts, out=np.zeros(counts.shape), where=there).sum(axis=-1) - 1)


def lacking(counts: NDArray[Any], squares: NDArray[Any]) -> Array:
    """Give what the plug-in entropy lacks to second order: in bins, the correction of Miller (1955) and Madow.

    Examples
    --------
    >>> lacking(np.array([2, 2]), np.array([2, 2])).tolist()  # 2 occupied bins, 4 items
    0.125
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(spread(counts, squares) / (2 * counts.sum(axis=-1, dtype=np.float64)))


def _self_log(counts: NDArray[Any]) -> Array:
    """Give x log x, looked up for whole numbers."""
    if counts.dtype.kind == "f":
        return np.asarray(xlogy(counts, counts))
    whole = np.arange(counts.max(initial=0) + 1.0)
    return np.asarray(xlogy(whole, whole)[counts])


def jensen_shannon(counts: NDArray[Any], others: NDArray[Any]) -> Array:
    """Give the Jensen–Shannon divergence of two distributions along the last axis (Lin 1991): at most log 2.

    Both weigh a half, however many items each has.  NaN where one has none.

    Examples
    --------
    >>> bool(jensen_shannon(np.array([3, 0]), np.array([0, 5])) == np.log(2))
    True
    """
    twice = _shares(counts) + _shares(others)
    together = np.log(2) - xlogy(twice, twice).sum(axis=-1) / 2
    return np.asarray(together - (entropy(counts) + entropy(others)) / 2)


def excess(counts: NDArray[Any], squares: NDArray[Any], others: NDArray[Any], other_squares: NDArray[Any]) -> Array:
    """Give what :func:`jensen_shannon` has too much to second order.

    Parameters
    ----------
    counts, squares
        Sums over items of shares and of their squares, ``(…, point)``.
    others, other_squares
        Of the other distribution.
    """
    p, q = _shares(counts), _shares(others)
    noise = _noise(p, counts, squares) + _noise(q, others, other_squares)
    together = np.divide(noise, p + q, out=np.zeros(noise.shape), where=p + q > 0).sum(axis=-1)
    return np.asarray((lacking(counts, squares) + lacking(others, other_squares)) / 2 - together / 4)


def _shares(counts: NDArray[Any]) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(counts / counts.sum(axis=-1, keepdims=True, dtype=np.float64))


def _noise(shares: Array, counts: NDArray[Any], squares: NDArray[Any]) -> Array:
    """Give the variance of mean shares."""
    total = np.maximum(counts.sum(axis=-1, keepdims=True, dtype=np.float64), 1)
    return np.asarray((squares / total - shares**2) / total)


def surprise(counts: NDArray[Any]) -> Array:
    """Give -log p of each point, ``(…, point)``; 0 where nothing was counted, where no item looks."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = -np.log(counts / counts.sum(axis=-1, keepdims=True))
    return np.where(np.isfinite(found), found, 0.0)


def pulls(counts: NDArray[Any], others: NDArray[Any]) -> tuple[Array, Array]:
    """Give how much the divergence of two distributions changes with items at each point, of the one and the other.

    They are the influence functions of :func:`jensen_shannon` (Hampel 1974), for shares of one item among its own.
    """
    p, q = (one / np.maximum(one.sum(axis=-1, keepdims=True), 1e-300) for one in (counts, others))
    middle = np.maximum((p + q) / 2, 1e-300)
    each = [np.log(np.maximum(one, 1e-300) / middle) / 2 * (one > 0) for one in (p, q)]
    return each[0] - np.sum(p * each[0], -1, keepdims=True), each[1] - np.sum(q * each[1], -1, keepdims=True)
