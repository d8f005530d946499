"""Time Procrustes distances of all pairs, against loops of full singular value decompositions.

Every representation is noise of one width, so that nothing can be left out.  Ours prepares each (principal axes of the
centred units) and decomposes products of factors, values only, in float64; both are in the time.  The loop goes over
the same half of all pairs, and does what a distance of one pair takes, in float64:

- where units are fewer than items: on factors that were reduced beforehand, at no cost to it, ``FᵀG`` and
  ``numpy.linalg.svd`` with vectors;
- where units are more than items: on the centred units, ``XᵀY`` and the same.

SciPy's driver (the same LAPACK routine) is timed beside it.  Sampled pairs are extrapolated to all; ours is not.

Run: ``python benchmarks/shapes.py [--representations 64] [--sample 5] [--small]``
"""

import argparse
import platform
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
from threadpoolctl import threadpool_limits

from syzygy.linalg import FLOAT64, Work
from syzygy.measures.directions import rotated
from syzygy.measures.shapes import Procrustes


def timed(call: Callable[..., Any], *arguments: object) -> tuple[float, Any]:
    begun = time.perf_counter()
    found = call(*arguments)
    return time.perf_counter() - begun, found


def angle(f: np.ndarray, g: np.ndarray, svd: Callable[..., Any]) -> float:
    """Angle of two configurations of norm one, by a decomposition with vectors."""
    return float(np.arccos(min(svd(f.T @ g)[1].sum(), 1.0)))


def loop(some: list[np.ndarray], pairs: np.ndarray, svd: Callable[..., Any]) -> np.ndarray:
    return np.array([angle(some[i], some[j], svd) for i, j in pairs])


def normed(x: np.ndarray) -> np.ndarray:
    centred = x - x.mean(axis=0)
    return centred / np.linalg.norm(centred)


def compare(items: int, units: int, count: int, sample: int, work: Work) -> None:
    """Print one setting."""
    draw = np.random.default_rng(0)
    some = [draw.standard_normal((items, units)) for _ in range(count)]
    measure = Procrustes()
    prepare, prepared = timed(lambda: [measure.prepare(x, work) for x in some])
    block, found = timed(measure.block, prepared, None, work)
    ours, pairs = prepare + block, np.transpose(np.triu_indices(count, 1))
    chosen = pairs[np.linspace(0, len(pairs) - 1, sample).astype(int)]
    wide = units >= items
    inputs = {int(i): normed(some[i] if wide else rotated(some[i])) for i in np.unique(chosen)}
    print(f"n = {items}, p = {units}, R = {count} ({len(pairs):,} pairs), {work.dtype}: {ours:.2f} s", end=" ")
    print(f"({prepare:.2f} s to prepare, {1e3 * block / len(pairs):.1f} ms a pair)")
    for name, svd in (("numpy", np.linalg.svd), ("scipy", scipy.linalg.svd)):
        took, truth = timed(loop, inputs, chosen, svd)
        off = np.abs(truth - found[tuple(chosen.T)]).max()
        whole = took / sample * len(pairs)
        print(f"    {name}, full, on {'units' if wide else 'reduced factors'}: {1e3 * took / sample:.0f} ms a pair, "
              f"{whole:.0f} s extrapolated: {whole / ours:.1f} times as long (pairs alone {whole / block:.1f}), "
              f"off by {off:.0e}")  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--representations", type=int, default=64)
    parser.add_argument("--sample", type=int, default=5, help="pairs for the loops")
    parser.add_argument("--small", action="store_true", help="a quarter of every width, and of 1,000 items")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    part = 4 if given.small else 1
    print(f"{platform.machine()}, {given.threads} threads")
    with threadpool_limits(given.threads):
        for work in (FLOAT64, Work("float32")):
            compare(1000 // part, 512 // part, given.representations, given.sample, work)
            compare(200, 1024 // part, given.representations, given.sample, work)
        compare(200, 4096 // part, given.representations, min(given.sample, 2), FLOAT64)


if __name__ == "__main__":
    main()
