"""What theory says of a pair before it is learned: how far its representations will end, and when.

A forecast needs the start of a pair and two rates.  Both can be had of a network that has not been trained: distances
and Jacobians from a forward and a few backward passes, rates from :func:`syzygy.linearisation.linearise`.  Nothing is
fitted.  Forecasts differ in what they take for granted (:data:`FORECASTS`).
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syzygy.errors import SingularStart, SpecificationError, UnknownName
from syzygy.linearisation import Linearisation
from syzygy.theory import (
    ExactState,
    ExactTheory,
    ManyState,
    ManyTheory,
    PairState,
    PairTheory,
    solve,
    solve_exact,
    solve_many,
)
from syzygy.theory.depth import DepthTheory, solve_depth

Array = NDArray[np.float64]
Where = tuple[int | slice, ...]

#: A pair counts as learned once the squared error of its difference has fallen to this share of its start.
LEARNED = 0.25
#: Times at which it is looked for, between these shares of the fastest and multiples of the slowest time.
TIMES, EARLIEST, LATEST = 2000, 1e-3, 1e6
#: The same where equations must be integrated: a pair that has not been learned by then counts as never learned.
SOON = 1e2


@dataclass(frozen=True)
class Mean:
    """What the mean of a pair does to its difference, at the start.  Items are the two of the pair.

    Attributes
    ----------
    encoder_kernel, decoder_kernel
        Both parts of the tangent kernel, ``(..., item, item)``.
    hidden_gram
        Inner products of the representations, ``(..., item, item)``.
    y_mean
        ``D_y h̄``, ``(..., output)``.
    outputs, targets
        ``(..., item, output)``
    """

    encoder_kernel: Array
    decoder_kernel: Array
    hidden_gram: Array
    y_mean: Array
    outputs: Array
    targets: Array

    def __getitem__(self, where: Where) -> "Mean":
        return replace(self, **{field.name: getattr(self, field.name)[where] for field in fields(self)})


@dataclass(frozen=True)
class Start:
    """Everything of a pair that forecasts use.

    Attributes
    ----------
    state
        Distances and Jacobians at the start.
    target
        Difference ``dy*`` of the targets, ``(..., output)``.
    dx2
        Squared distance of the inputs.
    eta_h, eta_y
        Rates measured at the start, per step.
    goal
        Squared error ‖dy − dy*‖² at which a pair counts as learned.
    nominal
        Rate of both halves of a two-layer linear network, per step: half the learning rate over the number of outputs.
    layer, layers
        Weight matrices before the representation, and of the network.
    mean
        What the forecast with the pair's mean needs besides; without it, that one is not made.
    """

    state: ExactState
    target: Array
    dx2: Array
    eta_h: Array
    eta_y: Array
    goal: Array
    nominal: float
    layer: int = 1
    layers: int = 2
    mean: Mean | None = None

    @classmethod
    def of(cls, seen: Linearisation, learning_rate: float, layer: int = 1, layers: int = 2) -> Self:
        """From a network that has been linearised at its pairs, ``(pair,)``; learned is a quarter of the error now."""
        nominal = 0.5 * learning_rate / seen.target.shape[-1]
        goal = LEARNED * ((seen.dy_true - seen.target) ** 2).sum(-1)
        return cls(seen.state, seen.target, seen.dx2, seen.eta_h, seen.eta_y, goal, nominal, layer, layers)

    def __getitem__(self, where: Where) -> "Start":
        state = ExactState(self.state.h2[where], self.state.dy[where], self.state.gram[where])
        dx2, eta_h, eta_y, goal = (one[where] for one in (self.dx2, self.eta_h, self.eta_y, self.goal))
        mean = self.mean and self.mean[where]
        return Start(state, self.target[where], dx2, eta_h, eta_y, goal, self.nominal, self.layer, self.layers, mean)


@dataclass(frozen=True)
class Forecast:
    """The end of a pair, and the step at which it is learned.

    Attributes
    ----------
    final_h2
        Squared distance of the representations at the end of learning.
    learned
        Steps until ‖dy − dy*‖² has fallen to the goal; infinite if it never does.
    """

    final_h2: float
    learned: float


def forecast(start: Start, names: tuple[str, ...] | None = None) -> dict[str, dict[str, Array]]:
    """Make every forecast of every pair.

    Parameters
    ----------
    start
        Of pairs of any leading shape, as in ``Start.of(linearise(network, …), learning_rate)``.
    names
        Of :data:`FORECASTS`; by default all.

    Returns
    -------
    dict
        By forecast, then ``final_h2`` (squared distance) and ``learned`` (steps): the leading shape; NaN where the
        forecast cannot be made, for it has no rate or no start.

    Raises
    ------
    UnknownName
        A forecast that there is not.

    Examples
    --------
    >>> import torch
    >>> from syzygy.linearisation import linearise
    >>> network = torch.nn.Sequential(torch.nn.Linear(1, 9, bias=False), torch.nn.Linear(9, 1, bias=False))
    >>> seen = linearise(network, "0", [[-0.5], [0.5]], [[-0.4], [0.4]], learning_rate=0.01)
    >>> made = forecast(Start.of(seen, learning_rate=0.01))
    >>> bool(np.isclose(made["exact, nominal rates"]["final_h2"], made["exact"]["final_h2"]).all())
    True
    """
    leading = start.state.h2.shape
    chosen = tuple(FORECASTS) if names is None else names
    if unknown := [name for name in chosen if name not in FORECASTS]:
        raise UnknownName("forecast", unknown[0], FORECASTS)
    made = {name: {"final_h2": np.full(leading, np.nan), "learned": np.full(leading, np.nan)} for name in chosen}
    for where in np.ndindex(leading):
        for name in chosen:
            try:
                one = FORECASTS[name][1](start[where])
            except (SpecificationError, SingularStart):  # no rates to follow, or no start
                continue
            made[name]["final_h2"][where], made[name]["learned"][where] = one.final_h2, one.learned
    return made


def time_to_learn(steps: ArrayLike, error: ArrayLike, goal: ArrayLike | None = None) -> Array:
    """Give the step at which a curve has fallen to a goal, between steps on a straight line.

    Parameters
    ----------
    steps
        Rising, ``(step,)``.
    error
        ``(..., step)``; NaN where nothing was seen.
    goal
        ``(...)``; by default a quarter of the first value.

    Returns
    -------
    Array
        ``(...)``; infinite if it never does.

    Examples
    --------
    >>> time_to_learn([0, 10, 20], [1.0, 0.5, 0.0]).item()
    15.0
    """
    times, curve = np.asarray(steps, dtype=np.float64), np.asarray(error, dtype=np.float64)
    level = LEARNED * curve[..., :1] if goal is None else np.asarray(goal, dtype=np.float64)[..., None]
    below = curve <= level
    first = np.argmax(below, axis=-1)[..., None]
    before = np.maximum(first - 1, 0)
    high, low = (np.take_along_axis(curve, index, -1) for index in (before, first))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(high > low, (high - level) / (high - low), 0.0)
    crossed = times[before] + share * (times[first] - times[before])
    return np.asarray(np.where(below.any(-1), crossed[..., 0], np.inf))


def _paper(start: Start, eta_h: Array | float, eta_y: Array | float) -> Forecast:
    target = start.target
    theory = PairTheory(eta_h, eta_y, start.dx2, (target**2).sum())
    pair = start.state.pair(target)
    times = _times(start, eta_h, eta_y)
    return Forecast(float(theory.final_h2(pair)), _learned(start, times, solve(theory, pair, times).state))


def _exact(start: Start, eta_h: Array | float, eta_y: Array | float) -> Forecast:
    theory = ExactTheory(eta_h, eta_y, start.dx2, start.target)
    times = _times(start, eta_h, eta_y)
    solution = solve_exact(theory, start.state, times)
    return Forecast(float(solution.final_h2), _learned(start, times, solution.state))


def _growing(start: Start) -> Forecast:
    """Let the measured rates grow as the law of depth says, from what they are at the start."""
    pair = start.state.pair(start.target)
    if not (pair.h2 > 0 and pair.y2 > 0):
        raise SpecificationError("rates that grow from nothing stay nothing: the outputs must differ at the start")
    unit = DepthTheory(1.0, 1.0, start.dx2, (start.target**2).sum(), start.layer, start.layers)
    encoder, decoder = unit.rates(pair)
    theory = replace(unit, eta_h=start.eta_h / encoder, eta_y=start.eta_y / decoder)
    times = _times(start, start.eta_h, start.eta_y)
    return Forecast(float(theory.final_h2(pair)), _learned(start, times, solve_depth(theory, pair, times)))


def _with_mean(start: Start) -> Forecast:
    """Follow both items by the theory of many, whose inner products of inputs are the encoder's tangent kernel."""
    if start.mean is None or not np.isfinite(start.mean.encoder_kernel).all():
        raise SpecificationError("the forecast with the mean needs tangent kernels and representations")
    mean, outputs = start.mean, start.target.shape[-1]
    kernel = mean.encoder_kernel / np.trace(start.state.gram)
    # What the decoder's kernel has beside the representations' inner products moves all outputs alike: a bias.
    alike = float(mean.decoder_kernel.mean() / outputs - start.eta_y / start.nominal * mean.hidden_gram.mean())
    pace = start.nominal * alike if alike > 0 else None
    theory = ManyTheory(start.nominal, start.eta_y, kernel, mean.targets, output_bias=pace is not None, eta_bias=pace)
    bare = mean.y_mean + np.array([[-0.5], [0.5]]) * start.state.dy
    rest = mean.outputs.mean(0) - mean.y_mean
    state = ManyState(mean.hidden_gram, bare + rest, start.state.gram, rest)
    times = _times(start, start.eta_h, start.eta_y)
    times = times[times <= SOON * times[-1] / LATEST]  # they are integrated, and later ones would cost without end
    solution = solve_many(theory, state, [*times, np.inf])
    pair = PairState(solution.h2[0, :-1], solution.y2[0, :-1], solution.w[0, :-1])
    return Forecast(float(solution.h2[0, -1]), _learned(start, times, pair))


def _times(start: Start, eta_h: Array | float, eta_y: Array | float) -> Array:
    """Give times from well before anything moves to well after everything has."""
    a, b = 0.5 * np.asarray(eta_h) * start.dx2, 0.5 * np.asarray(eta_y)
    fast = float(b * start.state.h2 + a * np.trace(start.state.gram) + np.sqrt(a * b * (start.target**2).sum()))
    slow = float(np.sqrt(a * b * (start.target**2).sum())) or fast
    if not (np.isfinite(fast) and fast > 0):
        raise SpecificationError(f"a forecast needs positive rates, got eta_h = {eta_h}, eta_y = {eta_y}")
    return np.concatenate([[0.0], np.geomspace(EARLIEST / fast, LATEST / slow, TIMES)])


def _learned(start: Start, times: Array, state: PairState) -> float:
    error = 2 * state.w - state.y2 + (start.target**2).sum()
    return float(time_to_learn(times, error, start.goal))


#: By name: what a forecast takes for granted, and how it is made of a start.
FORECASTS: Final = MappingProxyType[str, tuple[str, Callable[[Start], Forecast]]](
    {
        "paper, nominal rates": (
            "the paper's formula, with the rates of a two-layer linear network",
            lambda start: _paper(start, start.nominal, start.nominal),
        ),
        "exact, nominal rates": (
            "the exact formula, with the rates of a two-layer linear network",
            lambda start: _exact(start, start.nominal, start.nominal),
        ),
        "paper": (
            "the paper's formula, with measured rates",
            lambda start: _paper(start, start.eta_h, start.eta_y),
        ),
        "exact": (
            "the exact formula, with measured rates",
            lambda start: _exact(start, start.eta_h, start.eta_y),
        ),
        "exact, with the mean": (
            "the exact theory of both items, with the mean that they share and measured kernels",
            _with_mean,
        ),
        "growing": (
            "the paper's formula, with measured rates that grow by the law of depth",
            _growing,
        ),
    }
)
