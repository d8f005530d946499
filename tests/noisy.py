"""Curves that obey the theory but for noise that remembers: what rates are, and how they scatter, is known."""

from dataclasses import replace

import numpy as np
from scipy.signal import lfilter

from syzygy.fitting import PairCurves
from syzygy.fitting.problems import CURVES
from syzygy.fitting.score import deviation
from syzygy.theory import PairState, PairTheory, solve

BASE = PairTheory(0.03, 0.06, 1.2, 0.5)
AGREEING = PairTheory(0.03, 0.06, 1.2, 0.0)

#: Theory, start, and the step at which it is over.
STARTS = {
    "rich": (BASE, PairState(1e-2, 1e-4, 1e-4 - np.sqrt(0.5e-4)), 400),
    "balanced": (BASE, PairState(0.5, 0.2, 0.2 - 0.3 * np.sqrt(0.1)), 400),
    "encoder-lazy": (BASE, PairState(4.0, 0.05, 0.05 - 0.5 * np.sqrt(0.025)), 100),
    "decoder-lazy": (BASE, PairState(0.1, 1.0, 1.0 - 0.2 * np.sqrt(0.5)), 400),
    "agreeing": (AGREEING, PairState(1.0, 0.3, 0.3), 400),
    "tiny start": (BASE, PairState(1e-8, 1e-8, 1e-8 - 0.5 * np.sqrt(0.5e-8)), 800),
}


def clean(theory, start, steps):
    """One pair of one network."""
    state = solve(theory, start, steps).state
    values = {name: getattr(state, name)[None, None] for name in CURVES}
    empty = np.full_like(values["h2"], np.nan)
    data = {"dx2": np.atleast_1d(theory.dx2), "dy2": np.atleast_1d(theory.dy2)}
    return PairCurves(steps, **values, mean_error=empty, **data, pairs=(("a", "b"),))


def noisy(curves, share, *, networks=1, seed=0, memory=0.0):
    """Many networks: the curves with AR(1) noise in units of each curve's deviation, and the exact start."""
    generator, values = np.random.default_rng(seed), {}
    for name in CURVES:
        exact = getattr(curves, name)
        noise = generator.standard_normal((networks, *exact.shape[1:]))
        noise[..., 0] /= np.sqrt(1 - memory**2)
        noise = np.sqrt(1 - memory**2) * lfilter([1], [1, -memory], noise, axis=-1)
        noise[..., 0] = 0
        values[name] = exact + share * deviation(exact)[..., None] * noise
    return replace(curves, **values, mean_error=np.full_like(values["h2"], np.nan))


def recorded(name, records, share, *, networks=1, seed=0, memory=0.0):
    """One of the starts, recorded so many times."""
    theory, start, last = STARTS[name]
    curves = clean(theory, start, np.linspace(0, last, records))
    return noisy(curves, share, networks=networks, seed=seed, memory=memory)


def coverage(interval, truth):
    """The share of intervals that hold the truth."""
    return float(np.mean((interval.low < truth) & (truth < interval.high)))
