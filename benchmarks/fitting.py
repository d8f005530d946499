"""Time the fit of 50 trajectories of 6,000 steps against the published procedure, and compare how good they are.

The published procedure, written plainly: guesses on the ray that the measured end suggests, 200 of them, each
solved by Radau at SciPy's default tolerance; the best goes to BFGS on the raw rates; the objective is the
absolute sum of squares.  (Published, it evaluates a grid stretched by n/(n − 1); here both use the steps.)

The trajectories are of two-layer linear networks trained by gradient descent from random weights, so the
theory does not fit them exactly.  Each solution is scored by one function, this script's, at the end.

Run: ``python benchmarks/fitting.py [--reference N]``, N trajectories for the published procedure (default 3).
"""

import argparse
import platform
import time

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import minimize

from syzygy import PairCurves, PairState, PairTheory, fit_pairs, solve

STEPS, TRAJECTORIES, GUESSES = 6000, 50, 200
DX2, DY2 = 1.0, 0.5


def trajectories(seed: int = 0, hidden: int = 60, rate: float = 0.004) -> PairCurves:
    """Train centred two-layer linear networks on two points from random weights of several gains."""
    draw = np.random.default_rng(seed)
    gain = np.geomspace(0.05, 0.6, TRAJECTORIES)[:, None]
    u, v = (gain * draw.standard_normal((TRAJECTORIES, hidden)) / np.sqrt(hidden) for _ in range(2))
    target, rates = np.sqrt(DY2), rate * draw.uniform(0.5, 2, (2, TRAJECTORIES, 1))
    h2, y = np.empty((2, TRAJECTORIES, STEPS))
    for step in range(STEPS):
        h2[:, step], y[:, step] = np.sum(u * u, axis=1), np.sum(u * v, axis=1)
        error = (y[:, step] - target)[:, None]
        u, v = u - rates[0] * DX2 / 2 * error * v, v - rates[1] / 2 * error * u
    curves = {"h2": h2, "y2": y**2, "w": y * (y - target)}
    return PairCurves(
        steps=np.arange(STEPS, dtype=float),
        **{name: curve[:, None] for name, curve in curves.items()},
        mean_error=np.zeros((TRAJECTORIES, 1, STEPS)),
        dx2=np.array([DX2]),
        dy2=np.array([DY2]),
        pairs=(("A", "B"),),
    )


def published(steps: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Fit ``(eta_h, eta_y)`` to ``(curve, step)`` as the published code does."""

    def right_hand_side(_: float, state: np.ndarray, eta_h: float, eta_y: float) -> list[float]:
        h, y, w = state
        return [
            -eta_h * DX2 * w,
            -w * (eta_y * h + eta_h * DX2 * y / h),
            -0.5 * eta_y * (3 * w - y + DY2) * h - 0.5 * eta_h * DX2 * (y + w) * w / h,
        ]

    def objective(rates: np.ndarray) -> float:
        solved = solve_ivp(right_hand_side, (0, steps[-1]), measured[:, 0], "Radau", steps, args=tuple(rates))
        if solved.y.shape != measured.shape:
            return np.inf
        return float(np.sum((solved.y - measured) ** 2))

    ratio = measured[0, -1] ** 2 / (DX2 * DY2)
    with np.errstate(all="ignore"):
        guesses = [np.array([scale * ratio, scale]) for scale in np.logspace(-6, 2, GUESSES)]
        best = min(guesses, key=objective)
        return np.asarray(minimize(objective, best).x)


def score(curves: PairCurves, index: int, eta_h: float, eta_y: float) -> float:
    """Give the absolute sum of squares of a trajectory with these rates; infinite if one is not positive."""
    if not (eta_h > 0 and eta_y > 0):
        return np.inf
    measured = np.stack([curves.h2[index, 0], curves.y2[index, 0], curves.w[index, 0]])
    state = solve(PairTheory(eta_h, eta_y, DX2, DY2), PairState(*measured[:, 0]), curves.steps).state
    return float(np.sum((np.stack([state.h2, state.y2, state.w]) - measured) ** 2))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=int, default=3, help="trajectories for the published procedure")
    count = parser.parse_args().reference
    curves = trajectories()
    fit_pairs(curves.between(0, 0.1))  # the first call imports
    start = time.perf_counter()
    fit = fit_pairs(curves, scaling="none")
    ours = time.perf_counter() - start
    print(f"{platform.machine()}: {TRAJECTORIES} trajectories of {STEPS:,} steps")
    print(f"syzygy:    {ours:.2f} s, {ours / TRAJECTORIES * 1e3:.1f} ms each; converged: {fit.converged.sum()}")
    chosen = np.linspace(0, TRAJECTORIES - 1, count).round().astype(int)
    elapsed, worse = 0.0, 0
    print(f"{'trajectory':>10} {'published':>24} {'objective':>12} {'syzygy':>24} {'objective':>12}")
    for index in chosen:
        measured = np.stack([curves.h2[index, 0], curves.y2[index, 0], curves.w[index, 0]])
        start = time.perf_counter()
        theirs = published(curves.steps, measured)
        elapsed += time.perf_counter() - start
        mine = float(fit.eta_h.value[index, 0]), float(fit.eta_y.value[index, 0])
        found = score(curves, index, *theirs), score(curves, index, *mine)
        worse += found[1] > found[0] * (1 + 1e-9)
        rates = ["({:.4g}, {:.4g})".format(*pair) for pair in (theirs, mine)]
        print(f"{index:>10} {rates[0]:>24} {found[0]:>12.6g} {rates[1]:>24} {found[1]:>12.6g}")
    ratio = elapsed / count / (ours / TRAJECTORIES)
    print(f"published: {elapsed / count:.1f} s each; syzygy is {ratio:,.0f}× as fast, and worse in {worse} of {count}")


if __name__ == "__main__":
    main()
