"""Time all pairs of 200 digits in the exact theory, in one call, against a loop of SciPy's integrators.

A random two-layer network looks at the digits; each pair starts from its own representations and decoder.  With one
output the theory is solved in closed form, with more all pairs are integrated together.  The loop integrates the same
pairs one by one by the fastest of ``scipy.integrate.solve_ivp``'s methods, at the loosest tolerance, that reaches the
same accuracy: 1e-6, relative, of every squared distance.  Truth is SciPy's at 1e-12.

The floor is one pass: what NumPy takes to multiply all followed numbers once at each of about 250 evaluations.  An
evaluation needs some 25 such passes (the rate 17, the stages before it the rest), interpolation half as many.

Run: ``python benchmarks/exact.py [--reference N]``, N pairs for the loop (default 40), extrapolated to all.
"""

import argparse
import itertools
import platform
import time
from collections.abc import Callable
from operator import itemgetter
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp
from sklearn.datasets import load_digits

from syzygy.theory import ExactState, ExactTheory, solve_exact

ITEMS, HIDDEN, GAIN, RATE = 200, 100, 0.5, 0.01
STEPS = np.linspace(0, 1000, 51)
ACCURACY = 1e-6
METHODS = list(itertools.product(("RK45", "DOP853", "LSODA"), (1e-5, 3e-6, 1e-6, 3e-7, 1e-7)))


def pairs(outputs: int) -> tuple[ExactTheory, ExactState]:
    """All pairs of digits; targets are the digit, whether it is large, or its class."""
    images, digits = load_digits(return_X_y=True)
    images, digits = images[:ITEMS] / 16, digits[:ITEMS]
    targets = {1: digits[:, None] / 9, 2: np.eye(2)[(digits > 4).astype(int)], 10: np.eye(10)[digits]}[outputs]
    draw = np.random.default_rng(0)
    encoder = GAIN * draw.standard_normal((HIDDEN, images.shape[1])) / np.sqrt(HIDDEN)
    decoder = GAIN * draw.standard_normal((outputs, HIDDEN)) / np.sqrt(HIDDEN)
    first, second = np.triu_indices(ITEMS, 1)
    hidden = np.tanh(images @ encoder.T)
    # The decoder sees each pair through its own gates.
    gates = 1 - (0.5 * (hidden[first] + hidden[second])) ** 2
    start = ExactState.of(hidden[second] - hidden[first], decoder * gates[:, None])
    dx2 = ((images[second] - images[first]) ** 2).sum(-1)
    return ExactTheory(RATE / 2, RATE / 2, dx2, targets[second] - targets[first]), start


def alone(theory: ExactTheory, start: ExactState, pair: int, method: str, rtol: float) -> np.ndarray:
    """Squared distance of one pair over time, by SciPy."""
    a, b = 0.5 * float(theory.eta_h) * theory.dx2[pair], 0.5 * float(theory.eta_y)
    target = theory.target[pair]
    end = 1 + len(target)

    def change(_: float, state: np.ndarray) -> np.ndarray:
        h2, dy = state[0], state[1:end]
        error = dy - target
        moved = np.empty_like(state)
        moved[0] = -2 * a * (dy @ error)
        moved[1:end] = -a * (state[end:].reshape(len(target), -1) @ error) - b * h2 * error
        turned = np.multiply.outer(-b * error, dy)
        moved[end:] = (turned + turned.T).ravel()
        return moved

    first = np.concatenate([[start.h2[pair]], start.dy[pair], start.gram[pair].ravel()])
    return solve_ivp(change, (0, STEPS[-1]), first, method, STEPS, rtol=rtol, atol=rtol * 1e-3).y[0]


def timed(call: Callable[..., Any], *arguments: object) -> tuple[float, Any]:
    begun = time.perf_counter()
    found = call(*arguments)
    return time.perf_counter() - begun, found


def together(theory: ExactTheory, start: ExactState, rtol: float) -> np.ndarray:
    return solve_exact(theory, start, STEPS, rtol=rtol).state.h2


def loop(theory: ExactTheory, start: ExactState, some: np.ndarray, method: str, rtol: float) -> np.ndarray:
    return np.stack([alone(theory, start, pair, method, rtol) for pair in some])


def off(found: np.ndarray, truth: np.ndarray) -> float:
    return float(np.abs(found / truth - 1).max())


def floor(outputs: int, pairs: int, evaluations: int = 250) -> float:
    """Seconds to multiply the 2·outputs numbers of each pair once per evaluation, in pieces that fit a cache."""
    one, other = np.random.default_rng(0).random((2, 12_000))
    took, _ = timed(lambda: [np.multiply(one, other, one) for _ in range(2000)])
    return took / 2000 / len(one) * 2 * outputs * pairs * evaluations


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=int, default=40, help="pairs for the loop of SciPy")
    count = parser.parse_args().reference
    print(f"{platform.machine()}: all pairs of {ITEMS} digits, {len(STEPS)} steps each")
    for outputs in (1, 2, 10):
        theory, start = pairs(outputs)
        total = len(start.h2)
        some = np.linspace(0, total - 1, count).astype(int)
        truth = loop(theory, start, some, "DOP853", 1e-12)
        for rtol in (3e-7, 1e-7, 3e-8, 1e-8):  # the loosest that is accurate enough
            ours, found = min((timed(together, theory, start, rtol) for _ in range(3)), key=itemgetter(0))
            error = off(found[some], truth)
            if error < ACCURACY:
                break
        print(f"{outputs} outputs: syzygy {ours:.3f} s for {total:,} pairs, off by {error:.0e}")
        loops = []
        for method, tolerance in METHODS:
            took, curves = timed(loop, theory, start, some, method, tolerance)
            if off(curves, truth) < ACCURACY:
                loops.append((took / count * total, method, tolerance, off(curves, truth)))
        default = min(one for one in loops if one[1] == "RK45")  # what solve_ivp takes if it is not told
        for took, method, tolerance, error in (min(loops), default):
            print(
                f"    {method} at {tolerance:.0e}: {took:.0f} s, off by {error:.0e}: {took / ours:,.0f} times as long"
            )
        if outputs > 1:
            least = floor(outputs, total)
            print(f"    to multiply all numbers once: {least:.2f} s; syzygy takes {ours / least:.0f} times that")


if __name__ == "__main__":
    main()
