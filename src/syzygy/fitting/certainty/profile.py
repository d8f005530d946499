"""Profile likelihood: how far a rate can be moved, if the other one may follow, before the fit gets worse than noise.

An interval from the curvature at the best rates speaks of that point.  A valley that bends, or never ends, is only
seen by walking along it: one quantity is fixed, the other minimised over, and the sum of squares compared with what
correlated deviations make of it by chance (derived in ``docs/theory/identifiability.md``).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from syzygy.fitting.certainty.intervals import LEVEL, Interval, moments, sandwich
from syzygy.fitting.certainty.optimum import Optimum
from syzygy.fitting.fit import CHUNK, Fit
from syzygy.fitting.least_squares import Residuals, levenberg_marquardt
from syzygy.fitting.problems import CURVES, Rows, Scaling

Array = NDArray[np.float64]

#: What is profiled: how log eta_h and log eta_y change with its logarithm, and with that of what is minimised over.
QUANTITIES: Final = {
    "eta_h": ((1.0, 0.0), (0.0, 1.0)),
    "eta_y": ((0.0, 1.0), (1.0, 0.0)),
    "ratio": ((0.5, -0.5), (0.5, 0.5)),
    "product": ((0.5, 0.5), (0.5, -0.5)),
}

#: A factor that does not rule a quantity out, up or down, leaves it unlimited on that side; as a logarithm.  It is
#: large because the best value itself may lie anywhere where nothing depends on it.
REACH = float(np.log(1e24))
#: So far a side without a limit is drawn.
SHOWN = float(np.log(1e4))
#: Ends of intervals are sought to this share of their distance from the best value.
PRECISION = 1e-4
#: A drawn profile goes beyond the ends of its interval by this share.
MARGIN = 0.25


@dataclass(frozen=True)
class Profile:
    """How far the rates of a fit can be moved.  Intervals are ``(network, pair)``, curves ``(network, pair, grid)``.

    Attributes
    ----------
    eta_h, eta_y, ratio, product
        The rates, ``eta_h/eta_y`` and ``eta_h·eta_y``, with the 95% intervals of their profiles.  An end that a factor
        of 10²⁴ does not reach is 0 or infinite: on that side the data do not limit the quantity.  As for a fit, they
        speak of the deviations of this trajectory, not of other seeds.
    grid
        Values at which each quantity was fixed, by name; the best one is in the middle.
    fall
        How far the log-likelihood lies below its best there.
    other
        The valley: where the minimum over the other quantity lies (the other rate; of the ratio the product, and
        the other way round).
    level
        The fall at which the intervals end, ``(network, pair)``.
    """

    eta_h: Interval
    eta_y: Interval
    ratio: Interval
    product: Interval
    grid: dict[str, Array]
    fall: dict[str, Array]
    other: dict[str, Array]
    level: Array

    @property
    def identified(self) -> NDArray[np.bool_]:
        """Where both rates are limited on both sides."""
        return np.asarray((self.eta_h.low > 0) & (self.eta_y.low > 0) & np.isfinite(self.eta_h.high + self.eta_y.high))


def profile_rates(fit: Fit, *, scaling: Scaling = "curve", points: int = 25) -> Profile:
    """Profile the likelihood of the two rates, of their ratio and of their product.

    Parameters
    ----------
    fit
        Of :func:`syzygy.fitting.fit_pairs`.
    scaling
        The one that it was made with.
    points
        Of each drawn curve, half of them on either side of the best value; with 0 there are only intervals.

    Returns
    -------
    Profile
        NaN for pairs that could not be fitted.

    Raises
    ------
    SpecificationError
        A fit with another scaling, or rates from elsewhere.

    Examples
    --------
    >>> from syzygy.fitting import fit_pairs, pair_curves
    >>> from syzygy.tasks import two_points
    >>> from syzygy.training import train
    >>> fit = fit_pairs(pair_curves(train(two_points(), "two_layer", steps=1000)))
    >>> found = profile_rates(fit, points=0)
    >>> bool(found.identified.all()), bool((found.ratio.low < fit.eta_h.value / fit.eta_y.value).all())
    (True, True)
    """
    optimum, shape, half = Optimum.of(fit, scaling), fit.fitted.shape, points // 2
    ends = np.full((len(QUANTITIES), 2, fit.fitted.size), np.nan)
    drawn = np.full((3, len(QUANTITIES), fit.fitted.size, 2 * half + 1), np.nan)
    level = np.full(fit.fitted.size, np.nan)
    size = max(1, CHUNK // (2 * len(QUANTITIES) * len(fit.curves.steps)))
    for chunk in (np.arange(len(optimum.rows))[i : i + size] for i in range(0, len(optimum.rows), size)):
        rows, walk = optimum.rows[chunk], _Walk(optimum, chunk)
        found = walk.ends()
        ends[:, :, rows], level[rows] = found.reshape(len(QUANTITIES), 2, -1), walk.level
        if half:
            drawn[:, :, rows] = walk.drawn(found, half)
    curves = dict(zip(QUANTITIES, drawn.reshape(3, len(QUANTITIES), *shape, -1).swapaxes(0, 1), strict=True))
    log = np.log(np.stack([fit.eta_h.value, fit.eta_y.value]))
    intervals, grid, fall, other = [], {}, {}, {}
    for number, (name, (along, across)) in enumerate(QUANTITIES.items()):
        best, rest = (np.tensordot(_dual(direction), log, axes=1) for direction in (along, across))
        low, high = ends[number].reshape(2, *shape)
        intervals.append(Interval(np.exp(best), np.exp(best - low), np.exp(best + high)))
        moved, fall[name], followed = curves[name]
        grid[name], other[name] = np.exp(best[..., None] + moved), np.exp(rest[..., None] + followed)
    if not half:
        grid, fall, other = {}, {}, {}
    return Profile(intervals[0], intervals[1], intervals[2], intervals[3], grid, fall, other, level.reshape(shape))


class _Walk:
    """Every problem walked along in both directions of every quantity: one lane each, ``(quantity, side, problem)``.

    A lane stands at ``theta + moved·along + followed·across``; ``followed`` is what is minimised over.
    """

    def __init__(self, optimum: Optimum, chunk: Rows):
        residuals, theta = optimum.problems.residuals(optimum.rows[chunk]), optimum.theta[chunk]
        there = optimum.problems.there[optimum.rows[chunk]]
        bread, filling, effective = moments(residuals, theta, there, len(CURVES))
        quantile = student.ppf(0.5 + LEVEL / 2, np.maximum(effective - theta.shape[1], 1.0))
        self.level = 0.5 * quantile**2
        lanes = [(along, across, side) for along, across in QUANTITIES.values() for side in (-1.0, 1.0)]
        along, across = (np.repeat([lane[i] for lane in lanes], len(chunk), axis=0) for i in range(2))
        self._along = along * np.repeat([side for *_, side in lanes], len(chunk))[:, None]
        self._across = across
        self._problem, self._theta = np.tile(np.arange(len(chunk)), len(lanes)), np.tile(theta, (len(lanes), 1))
        self._residuals: Residuals = residuals
        self._best, self._target = np.tile(optimum.cost[chunk], len(lanes)), np.tile(quantile, len(lanes))
        self._unit, self._noise = self._curvature(bread, filling)
        pull = np.einsum("li,lij,lj->l", self._across, bread[self._problem], self._along)
        stiff = np.einsum("li,lij,lj->l", self._across, bread[self._problem], self._across)
        with np.errstate(divide="ignore", invalid="ignore"):
            self._slope = np.clip(np.nan_to_num(-pull / stiff), -10.0, 10.0)

    def _curvature(self, bread: Array, filling: Array) -> tuple[Array, Array]:
        """Give the standard error of each lane's quantity, and the variance that divides a rise of the sum of squares.

        To second order the rise is ``moved²/(A⁻¹)_ii``, and it is compared with chance as ``moved²/(A⁻¹BA⁻¹)_ii``.
        Where the data do not tell the parameters apart, the noise is the mean over both.
        """
        dual = self._along / np.sum(self._along**2, axis=1, keepdims=True)
        shape = np.einsum("li,lij,lj->l", dual, sandwich(bread, bread)[self._problem], dual)
        variance = np.einsum("li,lij,lj->l", dual, sandwich(bread, filling)[self._problem], dual)
        trace = [np.einsum("npp->np", matrix) for matrix in (filling, bread)]
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = np.nanmean(np.where(trace[1] > 0, trace[0] / trace[1], np.nan), axis=1)[self._problem]
            noise = np.where(np.isfinite(shape), variance / shape, mean)
        return np.sqrt(np.where(np.isfinite(shape), variance, 1.0)), noise

    def _lowest(self, lanes: Rows, moved: Array, *guesses: Array) -> tuple[Array, Array]:
        """Minimise over what follows, from the better guess: where it goes, and the rise in units of its end."""

        def residuals(followed: Array, rows: Rows) -> Array:
            at = lanes[rows]
            theta = self._theta[at] + moved[rows, None] * self._along[at] + followed * self._across[at]
            return self._residuals(theta, self._problem[at])

        everything = np.arange(len(lanes))
        costs = [np.sum(residuals(guess[:, None], everything) ** 2, axis=1) for guess in guesses]
        start = np.choose(np.argmin(costs, axis=0), guesses)
        found = levenberg_marquardt(residuals, start[:, None], iterations=30)
        rise = np.maximum(found.cost - self._best[lanes], 0.0) / self._noise[lanes]
        return found.theta[:, 0], np.sqrt(rise) / self._target[lanes]

    def ends(self) -> Array:
        """Give the distance, in the logarithm, at which each lane leaves its interval; infinite beyond reach."""
        lanes, end = np.arange(len(self._unit)), np.full(len(self._unit), np.inf)
        near, far = np.zeros((2, 3, len(lanes)))  # moved, followed, height
        trial = np.clip(self._target * self._unit, 1e-9, 1.0)
        guess = self._slope * trial
        while len(lanes):  # go out until it is crossed
            found = np.stack([trial[lanes], *self._lowest(lanes, trial[lanes], guess[lanes], near[1, lanes])])
            over, last = found[2] >= 1, trial[lanes] >= REACH
            far[:, lanes[over]], near[:, lanes[~over]] = found[:, over], found[:, ~over]
            lanes = lanes[~over & ~last]
            trial[lanes] = np.minimum(2 * trial[lanes], REACH)
            guess[lanes] = near[1, lanes] * trial[lanes] / near[0, lanes]
        lanes = np.flatnonzero(far[0] > 0)
        for turn in range(60):  # then between the two, where the height is nearly a straight line
            if not len(lanes):
                break
            low, high = near[:, lanes], far[:, lanes]
            share = np.full(len(lanes), 0.5) if turn % 4 == 3 else (1 - low[2]) / (high[2] - low[2])
            inner, guess[lanes] = low[:2] + share * (high - low)[:2]
            found = np.stack([inner, *self._lowest(lanes, inner, guess[lanes])])
            over = found[2] >= 1
            far[:, lanes[over]], near[:, lanes[~over]] = found[:, over], found[:, ~over]
            end[lanes] = inner
            narrow = (far[0, lanes] - near[0, lanes]) < PRECISION * inner
            lanes = lanes[~narrow & (np.abs(found[2] - 1) > PRECISION)]
        return end

    def drawn(self, ends: Array, half: int) -> Array:
        """Give ``moved``, the fall and ``followed`` on a grid, ``(3, quantity, problem, grid)``."""
        count, sides = len(self._unit), (len(QUANTITIES), 2, -1)
        last = np.where(np.isfinite(ends), np.minimum((1 + MARGIN) * ends, REACH), SHOWN)
        found, lanes = np.zeros((half + 1, 3, count)), np.arange(count)
        for point in range(1, half + 1):  # outwards, each from where the one before ended
            moved, before = last * point / half, found[point - 1, 2]
            ahead = self._slope * moved if point == 1 else 2 * before - found[point - 2, 2]
            followed, height = self._lowest(lanes, moved, ahead, before)
            found[point] = moved, 0.5 * (height * self._target) ** 2, followed
        found = found.reshape(half + 1, 3, *sides)
        found[:, 0, :, 0] *= -1
        both = np.concatenate([found[:0:-1, :, :, 0], found[:, :, :, 1]])
        return np.moveaxis(both, 0, -1)


def _dual(direction: tuple[float, float]) -> Array:
    """Give what a move along a direction changes by one: ``(½, −½)`` moves ``log eta_h − log eta_y``."""
    vector = np.array(direction)
    return np.asarray(vector / (vector @ vector))
