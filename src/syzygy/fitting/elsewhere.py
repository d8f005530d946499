"""Rates from elsewhere: what makes a prediction of something that the fit has not seen."""

import numpy as np

from syzygy.fitting.fit import Array, Fit


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


def _mean_of_others(log: Array, usable: np.ndarray) -> Array:
    """Exponential of the mean over all other rows, ``(network, pair)``."""
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
