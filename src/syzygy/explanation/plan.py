"""What an explanation will take: pairs, layers, memory, time."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from syzygy.explanation.inquiry import Given, Part, inquiry
from syzygy.explanation.question import Asked
from syzygy.explanation.scores import HELD, judged
from syzygy.explanation.shares import DRAWS
from syzygy.fitting import PairCurves, fit_pairs
from syzygy.fitting.problems import CURVES
from syzygy.theory import PairState, PairTheory, solve
from syzygy.trajectory import LAYERS

#: Pairs that are fitted to measure the time, and how many numbers a fit holds for each recorded step of one.
MEASURED: Final = 24
NUMBERS: Final = 40


@dataclass(frozen=True)
class Plan:
    """What an explanation will take.

    Attributes
    ----------
    pairs, layers, networks
        How many there are; layers and pairs as the sum over recordings, if these are several.
    fits
        Pairs × layers × networks: how often rates are fitted to all steps, and again to the first of them.
    memory
        Most bytes that are held at once, beside the interpreter.
    seconds
        On this machine as it is now.
    """

    pairs: int
    layers: int
    networks: int
    fits: int
    memory: int
    seconds: float


def plan(
    given: Given, layers: Sequence[str] | None = None, pairs: Asked = None, *, fitted: float = 0.5, seed: int = 0
) -> Plan:
    """Say what :func:`syzygy.explanation.explanation` of the same arguments will take.

    Time follows from a measurement on pairs that obey the theory; it is an estimate.

    Raises
    ------
    SyzygyError
        As :func:`syzygy.explanation.explanation`, for arguments.
    """
    asked = inquiry(given, layers, pairs, fitted, seed)
    return Plan(
        pairs=sum(len(part.pairs) for part in asked.parts),
        layers=sum(len(part.layers) for part in asked.parts),
        networks=sum(len(part.seen.networks) for part in asked.parts),
        fits=sum(part.work for part in asked.parts),
        memory=max(_memory(part) for part in asked.parts),
        seconds=sum(part.work * _seconds(part.seen.trajectory.steps.astype(float), fitted) for part in asked.parts),
    )


def _memory(part: Part) -> int:
    """Give the largest layer, as read and as kept, all curves and scores, and the halves of the items."""
    shared, tree = part.seen.trajectory.outputs.nbytes, part.seen.trajectory.tree
    largest = max(tree[LAYERS][layer]["representation"].nbytes for layer in part.layers)
    curves = part.work * len(part.seen.trajectory.steps) * 8 * NUMBERS // 10
    return int(2 * largest + 3 * shared + 3 * HELD + curves + 8 * DRAWS * len(part.pairs))


def _seconds(steps: np.ndarray, fitted: float) -> float:
    """Measure what one pair takes."""
    rng = np.random.default_rng(0)
    rate = 20 / (steps[-1] - steps[0])
    start = PairState(*(np.full(MEASURED, value) for value in (0.1, 0.01, 0.01 - np.sqrt(0.01))))
    eta_h, eta_y = rate * np.exp(rng.normal(size=(2, MEASURED)))
    theory = PairTheory(eta_h, eta_y, 1.0, 1.0)
    state = solve(theory, start, steps - steps[0]).state
    noise = 0.02 * rng.normal(size=(len(CURVES), 1, MEASURED, len(steps)))
    noise[..., 0] = 0  # no other start would do: three numbers of two outputs
    values = {name: getattr(state, name)[None] * np.exp(more) for name, more in zip(CURVES, noise, strict=True)}
    one = np.ones(MEASURED)
    curves = PairCurves(steps, **values, mean_error=values["h2"], dx2=one, dy2=one, pairs=(("a", "b"),) * MEASURED)
    begun = time.perf_counter()
    fit_pairs(curves)
    judged(curves, fitted)
    return (time.perf_counter() - begun) / MEASURED
