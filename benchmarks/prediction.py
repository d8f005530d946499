"""Time cross-validated ridge regression between all ordered pairs of representations, against scikit-learn per pair.

Widths run from narrow to wide.  Scikit-learn fits ``Ridge`` in a loop over folds with the same penalties and folds, and
takes ``r2_score`` of all predictions together; it is measured on some pairs and extrapolated to all.  Ours includes
what is done once for each representation, and chance in closed form.

Run: ``python benchmarks/prediction.py [--representations 32] [--items 1000] [--narrow 128] [--wide 512] [--pairs 12]``.
"""

import argparse
import itertools
import platform
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from syzygy.linalg import Work
from syzygy.linalg.ridge import split
from syzygy.measures import LinearPredictivity

FOLDS = 5


def drawn(representations: int, items: int, narrow: int, wide: int) -> list[np.ndarray]:
    """Representations of the same items that share half of their variance, of widths between the two."""
    draw = np.random.default_rng(0)
    common = draw.standard_normal((items, 64))
    widths = np.linspace(narrow, wide, representations).astype(int)
    return [common @ draw.standard_normal((64, width)) / 8 + draw.standard_normal((items, width)) for width in widths]


def by_scikit_learn(x: np.ndarray, y: np.ndarray) -> float:
    guess = np.empty_like(y)
    for fold in split(len(x), FOLDS, 0):
        rest = np.delete(np.arange(len(x)), fold)
        variance = np.sum((x[rest] - x[rest].mean(axis=0)) ** 2) / len(rest)
        guess[fold] = Ridge(variance).fit(x[rest], y[rest]).predict(x[fold])
    return float(r2_score(y, guess, multioutput="variance_weighted"))


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    found = call()
    return time.perf_counter() - begun, found


def ours(some: list[np.ndarray], work: Work) -> tuple[float, float, np.ndarray]:
    """Seconds for every representation, seconds for all pairs, and the scores."""
    asked = LinearPredictivity(1.0, FOLDS)
    once, prepared = timed(lambda: [asked.prepare(x, work) for x in some])
    pairs, scores = timed(lambda: asked.block(prepared, None, work))
    chance, _ = timed(lambda: asked.chance(prepared, prepared) if work.chance else None)
    return once, pairs + chance, scores


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("representations", 32), ("items", 1000), ("narrow", 128), ("wide", 512), ("pairs", 12)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    some = drawn(given.representations, given.items, given.narrow, given.wide)
    every = list(itertools.permutations(range(len(some)), 2))
    chosen = [every[i] for i in np.linspace(0, len(every) - 1, given.pairs).astype(int)]
    widths = f"{given.narrow} to {given.wide} units"
    print(f"{platform.machine()}: {len(some)} representations of {given.items} items, {widths}, {FOLDS} folds")
    by_scikit_learn(some[0], some[1])
    took, found = timed(lambda: [by_scikit_learn(some[i], some[j]) for i, j in chosen])
    total = took / len(chosen) * len(every)
    print(f"scikit-learn: {total:.0f} s for {len(every):,} ordered pairs, from {len(chosen)} measured")
    for work in (Work("float64"), Work("float32"), Work("float32", chance=False)):
        ours(some[:2], work)
        once, pairs, scores = min((ours(some, work) for _ in range(2)), key=lambda one: one[0] + one[1])
        off = max(abs(score - scores[pair]) for score, pair in zip(found, chosen, strict=True))
        what = f"{work.dtype}{'' if work.chance else ', without chance'}"
        print(f"    syzygy, {what}: {once:.2f} s for each alone, {pairs:.3f} s for the pairs, off by {off:.0e}")
        print(
            f"        scikit-learn: {total / (once + pairs):.0f} times; for the pairs alone {total / pairs:,.0f} times"
        )


if __name__ == "__main__":
    main()
