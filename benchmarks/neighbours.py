"""Time mutual nearest neighbours of all pairs of representations, against loops over pairs.

Three loops: one that sorts the similarities of both representations for every pair (as published code does), one that
asks scikit-learn's ``NearestNeighbors`` for both, and one that sorts each representation once and intersects the
neighbours pair by pair.  Loops are measured on some pairs and extrapolated to all.  Representations share some of what
they represent; all are compared in float64, chance in closed form included on our side.

Run: ``python benchmarks/neighbours.py [--representations 64] [--items 1000] [--units 256] [--pairs 12]``.
"""

import argparse
import itertools
import platform
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors

from syzygy.measures import MutualKNN

K = 10


def drawn(representations: int, items: int, units: int) -> list[np.ndarray]:
    """Representations of the same items that share half of their variance."""
    draw = np.random.default_rng(0)
    common = draw.standard_normal((items, units))
    return [common @ np.linalg.qr(draw.standard_normal((units, units)))[0] + draw.standard_normal((items, units))
            for _ in range(representations)]  # fmt: skip


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def sorted_neighbours(x: np.ndarray) -> np.ndarray:
    similarity = x @ x.T
    np.fill_diagonal(similarity, -np.inf)
    return np.argsort(-similarity, axis=1)[:, :K]


def fitted_neighbours(x: np.ndarray) -> np.ndarray:
    return NearestNeighbors(n_neighbors=K, metric="cosine").fit(x).kneighbors(return_distance=False)


def shared(a: np.ndarray, b: np.ndarray) -> float:
    masks = np.zeros((2, len(a), len(a)), dtype=bool)
    for mask, neighbours in zip(masks, (a, b), strict=True):
        np.put_along_axis(mask, neighbours, True, axis=1)
    return float((masks[0] & masks[1]).sum() / a.size)


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    found = call()
    return time.perf_counter() - begun, found


def ours(some: list[np.ndarray]) -> tuple[float, float, np.ndarray]:
    """Seconds for every representation, seconds for all pairs, and the scores."""
    asked = MutualKNN(K)
    once, prepared = timed(lambda: [asked.prepare(x) for x in some])
    pairs, scores = timed(lambda: asked.block(prepared))
    chance, _ = timed(lambda: asked.chance(prepared, prepared))
    return once, pairs + chance, scores


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("representations", 64), ("items", 1000), ("units", 256), ("pairs", 12)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    some = drawn(given.representations, given.items, given.units)
    every = list(itertools.combinations_with_replacement(range(len(some)), 2))
    chosen = [every[i] for i in np.linspace(0, len(every) - 1, given.pairs).astype(int)]
    ours(some[:2])  # imports, and the first call of everything
    once, pairs, scores = min((ours(some) for _ in range(3)), key=lambda found: found[0] + found[1])
    print(f"{platform.machine()}: {len(some)} representations of {given.items} items by {given.units} units, k = {K}")
    print(f"syzygy: {once:.2f} s for what is done once, {pairs:.2f} s for {len(every):,} pairs with chance")
    units = [unit(x) for x in some]
    cached, kept = timed(lambda: [sorted_neighbours(x) for x in units])
    loops: dict[str, tuple[float, Callable[[int, int], float]]] = {
        "sorts for every pair": (0, lambda i, j: shared(sorted_neighbours(units[i]), sorted_neighbours(units[j]))),
        "scikit-learn for every pair": (0, lambda i, j: shared(fitted_neighbours(some[i]), fitted_neighbours(some[j]))),
        "sorts once, a loop over pairs": (cached, lambda i, j: shared(kept[i], kept[j])),
    }
    for name, (first, loop) in loops.items():
        took, found = timed(lambda loop=loop: [loop(i, j) for i, j in chosen])
        off = max(abs(score - scores[pair]) for score, pair in zip(found, chosen, strict=True))
        total = first + took / len(chosen) * len(every)
        print(f"    {name}: {total:.0f} s ({len(chosen)} pairs measured), off by {off:.0e}")
        print(f"        {total / (once + pairs):.0f} times; for the pairs alone {(total - first) / pairs:.0f} times")


if __name__ == "__main__":
    main()
