"""Time the theory of many items, and take its memory: exclusive or, two items with their mean, and digits.

Digits start from a linear network, where only as many directions of the items move as there are inputs, and from a
start that needs them all.  Memory is the most that the process held, beyond what it held before.

Run: ``python benchmarks/many.py [--items N] [--all N]``, N digits from the one start and from the other.
"""

import argparse
import platform
import resource
import time

import numpy as np

from syzygy.tasks.digits import digits
from syzygy.tasks.two_points import two_points
from syzygy.tasks.xor import xor
from syzygy.theory import ManyState, ManyTheory, solve_many

RATE, GAIN, UNITS = 0.01, 0.1, 100


def start(inputs: np.ndarray, targets: np.ndarray, spread: float = 0.0) -> tuple[ManyTheory, ManyState]:
    """Make a theory with both biases and a random start, whose representations may leave the span of the inputs."""
    draw = np.random.default_rng(0)
    theory = ManyTheory.of(inputs, targets, RATE / 2, RATE / 2, hidden_bias=True, output_bias=True)
    hidden = inputs @ (GAIN * draw.normal(size=(inputs.shape[1], UNITS)) / np.sqrt(inputs.shape[1]))
    if spread:
        hidden = np.concatenate([hidden, spread * np.eye(len(inputs))], axis=1)
    readout = GAIN * draw.normal(size=(targets.shape[1], hidden.shape[1])) / np.sqrt(UNITS)
    return theory, ManyState.of(hidden, readout)


def measure(name: str, inputs: np.ndarray, targets: np.ndarray, steps: list[float], spread: float = 0.0) -> None:
    """Solve once, and print seconds and memory."""
    theory, state = start(inputs, targets, spread)
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    solution = solve_many(theory, state, steps, pairs=[(0, 1)])
    elapsed = time.perf_counter() - begun
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{name:>34}: {elapsed:7.2f} s, {more:7.1f} MB more, loss {solution.loss[-1]:.6f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=300, help="digits from a linear start")
    parser.add_argument("--all", type=int, default=100, help="digits from a start that needs all directions")
    asked = parser.parse_args()
    print(platform.machine())
    way = np.linspace(0, 1000, 1001).tolist()
    for name, task in (("exclusive or", xor()), ("two items with their mean", two_points())):
        measure(f"{name}, 1,001 steps", task.inputs, task.targets, way)
        measure(f"{name}, end", task.inputs, task.targets, [np.inf])
    task = digits()
    for count, spread, ends in ((asked.items, 0.0, [1e3, np.inf]), (asked.all, 0.01, [1e3])):
        inputs, targets = task.inputs.reshape(len(task.inputs), -1)[:count], task.targets[:count]
        for end in ends:
            kind = "all directions" if spread else "linear"
            measure(f"{count} digits, {kind}, step {end:g}", inputs, targets, [end], spread)


if __name__ == "__main__":
    main()
