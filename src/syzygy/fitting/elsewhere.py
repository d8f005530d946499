"""Rates from elsewhere: what makes a prediction of something that the fit has not seen."""

import numpy as np
from numpy.typing import NDArray

from syzygy.fitting.fit import Array, Fit
from syzygy.fitting.pairs import PairCurves


def from_other_networks(fit: Fit) -> Fit:
    """Predict every network with the rates of the others.

    Each pair of each network gets the geometric mean of the identified rates of the same pair in all other
    networks, and keeps its own start.

    Parameters
    ----------
    fit
        Of two or more networks; with one there are no others, and nothing is predicted.

    Returns
    -------
    Fit
        The same curves with these rates; NaN where no other network has identified ones.
    """
    usable = fit.identified
    rates = []
    for interval in (fit.eta_h, fit.eta_y):
        log = np.where(usable, np.log(np.where(usable, interval.value, 1.0)), 0.0)
        rates.append(_mean_of_others(log, usable))
    return fit.with_rates(*rates)


def from_other_pairs(fit: Fit) -> Fit:
    """Predict every pair with the rates of the other pairs of its network.

    Each pair gets the geometric mean of the identified rates of all pairs of the same network that share no item with
    it (:func:`apart`), and keeps its own start.

    Parameters
    ----------
    fit
        Of pairs of four items or more; pairs without such others are not predicted.

    Returns
    -------
    Fit
        The same curves with these rates; NaN where no other pair has identified ones.
    """
    others = apart(fit.curves).astype(np.float64)
    count = fit.identified @ others
    rates = []
    for interval in (fit.eta_h, fit.eta_y):
        log = np.where(fit.identified, np.log(np.where(fit.identified, interval.value, 1.0)), 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            rates.append(np.where(count > 0, np.exp((log @ others) / count), np.nan))
    return fit.with_rates(*rates)


def apart(curves: PairCurves) -> NDArray[np.bool_]:
    """Say which pairs share no item, and are both of agreeing or both of differing targets, ``(pair, pair)``."""
    names = np.array(curves.pairs)
    shared = (names[:, None, :, None] == names[None, :, None, :]).any(axis=(2, 3))
    agree = curves.dy2 == 0
    return np.asarray(~shared & (agree[:, None] == agree))


def rates_by_network(fit: Fit) -> Array:
    """Give each network's geometric means of its identified ``eta_h`` and ``eta_y``, ``(2, network)``; NaN without."""
    usable = fit.identified
    with np.errstate(invalid="ignore", divide="ignore"):
        log = [np.where(usable, np.log(rate.value), 0.0).sum(axis=1) for rate in (fit.eta_h, fit.eta_y)]
        return np.where(usable.any(axis=1), np.exp(np.array(log) / usable.sum(axis=1)), np.nan)


def rates_of_others(rates: Array) -> Array:
    """Give each network the geometric mean of the rates of the others, ``(2, network)``; NaN where there is none."""
    usable = np.asarray(np.isfinite(rates).all(axis=0))
    log = np.where(usable, np.log(np.where(usable, rates, 1.0)), 0.0)
    return np.stack([_mean_of_others(one, usable) for one in log])


def _mean_of_others(log: Array, usable: np.ndarray) -> Array:
    """Exponential of the mean over all other rows, ``(network, …)``."""
    others = usable.sum(axis=0) - usable
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(others > 0, np.exp((log.sum(axis=0) - log) / others), np.nan)


def average_rates(fit: Fit) -> tuple[float, float]:
    """Give the geometric means of all identified ``eta_h`` and ``eta_y``, to predict other networks or other pairs.

    Returns
    -------
    tuple
        NaN if no rates are identified.
    """
    usable = fit.identified
    if not usable.any():
        return float("nan"), float("nan")
    return tuple(float(np.exp(np.log(rate.value[usable]).mean())) for rate in (fit.eta_h, fit.eta_y))  # type: ignore[return-value]
