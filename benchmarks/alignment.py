"""Time linear CKA of every two of many representations, against loops and against other libraries.

The pair stage is compared with a loop of ``numpy.vdot`` over centred float64 Gram matrices that are all at hand, and
with the machine: one product of all packed matrices with all takes 2R²m operations for R representations of
m = n(n + 1)/2 numbers (of few representations symmetry saves no time), at most at the rate of a float32 product of two
large square matrices in the same run.  The whole (Gram matrices, invariants, p-values and all) is compared with
whatever of rsatoolbox, pytorch-cka, repsim and shesha-geometry is installed, extrapolated from a few pairs.

Run: ``python benchmarks/alignment.py [--count R] [--items N] [--units P]``; ``--many 2000`` measures the memory of so
many representations in a process of its own, within ``--memory``.
"""

import argparse
import importlib
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import syzygy
from syzygy.alignment.calibration import compared
from syzygy.alignment.plan import plan
from syzygy.alignment.shelf import Shelf
from syzygy.linalg import FLOAT32, centred, u_centred
from syzygy.linalg.work import ROWS
from syzygy.measures import CKA
from syzygy.representations import Representation, Representations


def timed(call: Callable[[], Any], times: int = 3) -> tuple[float, Any]:
    """Seconds of the fastest of a few."""
    best, found = np.inf, None
    for _ in range(times):
        begun = time.perf_counter()
        found = call()
        best = min(best, time.perf_counter() - begun)
    return best, found


def drawn(index: int, items: int, units: int) -> np.ndarray:
    return np.random.default_rng(index).standard_normal((items, units), dtype=np.float32)


def stages(count: int, items: int, units: int) -> None:
    """Time the two stages alone: representations, and pairs."""
    one, shelf = CKA(), Shelf(count)
    x = [drawn(index, items, units).astype(np.float64) for index in range(min(count, 8))]
    preparing, _ = timed(lambda: [one.prepare(each, FLOAT32) for each in x])
    for index in range(count):
        shelf.put(index, one.prepare(x[index % len(x)], FLOAT32))
    prepared = shelf.some(range(count))
    a, b = (torch.from_numpy(drawn(i, 4096, 4096)) for i in range(2))
    flops, products, scored = 2.0 * len(a) ** 3, [], []
    for _ in range(5):  # by turns, for a shared machine is not always as fast
        products.append(timed(lambda: a @ b, 1)[0])
        scored.append(timed(lambda: one.products(prepared, None, FLOAT32), 1)[0])
    calibrated, _ = timed(lambda: compared(one, prepared, work=FLOAT32))
    grams = [u_centred(centred(each) @ centred(each).T) for each in x]
    pairs = count * (count + 1) // 2
    each, _ = timed(lambda: [np.vdot(p, q) for p in grams for q in grams])
    loop = each / len(grams) ** 2 * pairs
    m = items * (items + 1) // 2
    print(f"one representation: {preparing / len(x) * 1e3:.1f} ms; {pairs:,} pairs: {min(scored):.3f} s, with chance "
          f"{calibrated:.3f} s")  # fmt: skip
    print(f"    a loop of vdot: {loop:.2f} s, {loop / min(scored):.1f} times as long, {loop / calibrated:.1f} times "
          "that with chance")  # fmt: skip
    done = 2 * m * sum(len(a) * len(b) for a, b in blocks(count))
    reached, possible = done / min(scored) / 1e9, flops / min(products) / 1e9
    print(f"    {reached:.0f} of {possible:.0f} GFLOP/s of a large product: {reached / possible:.0%}")


def blocks(count: int) -> list[tuple[range, range]]:
    """Give the products that are made of all with all: halves down to ROWS, without what symmetry gives."""
    if count <= ROWS:
        return [(range(count), range(count))]
    half = count // 2
    return [(range(half), range(count - half)), *blocks(half), *blocks(count - half)]


def whole(count: int, items: int, units: int) -> None:
    """Everything, against other libraries."""
    given = {str(index): drawn(index, items, units) for index in range(count)}
    expected = plan(given, "cka")
    ours, _ = timed(lambda: syzygy.align(given, "cka"), 2)
    print(f"all of it, with chance: {ours:.2f} s (planned {expected.seconds:.2f})")
    pairs = count * (count - 1) // 2
    for name, peer in PEERS.items():
        try:
            took, what = peer(list(given.values())[:8], pairs)
        except ImportError:
            print(f"    {name} is not installed")
        except Exception as wrong:
            print(f"    {name} failed: {type(wrong).__name__}: {str(wrong)[:80]}")
        else:
            print(f"    {name} ({what}): {took:.1f} s, {took / ours:.1f} times as long")


def rsatoolbox(x: list[np.ndarray], pairs: int) -> tuple[float, str]:
    """Dissimilarities once for each, then whitened cosines of all with all: CKA under another name."""
    data, rdm = importlib.import_module("rsatoolbox.data"), importlib.import_module("rsatoolbox.rdm")
    making, found = timed(lambda: rdm.calc_rdm([data.Dataset(each) for each in x], method="euclidean"), 1)
    comparing, _ = timed(lambda: rdm.compare(found, found, method="cosine_cov"), 1)
    count = (1 + np.sqrt(1 + 8 * pairs)) / 2
    return making / len(x) * count + comparing / len(x) ** 2 * pairs, "whitened cosine"


def pytorch_cka(x: list[np.ndarray], pairs: int) -> tuple[float, str]:
    torch, cka = importlib.import_module("torch"), importlib.import_module("cka")
    a, b = (torch.from_numpy(each) for each in x[:2])
    return timed(lambda: cka.cka_from_features(a, b))[0] * pairs, "pair by pair"


def repsim(x: list[np.ndarray], pairs: int) -> tuple[float, str]:
    """All pairs in one call, written in C++; what it does for each representation is timed as a part of its pairs."""
    cka = importlib.import_module("repsim").cka
    wide = [each.astype(np.float64) for each in x]
    return timed(lambda: cka(wide, "linear", "gretton"), 1)[0] / (len(x) * (len(x) - 1) / 2) * pairs, "all at once"


def shesha(x: list[np.ndarray], pairs: int) -> tuple[float, str]:
    sim = importlib.import_module("shesha").sim
    return timed(lambda: sim.cka_linear(x[0], x[1]))[0] * pairs, "pair by pair, in feature space"


PEERS: dict[str, Callable[[list[np.ndarray], int], tuple[float, str]]] = {
    "rsatoolbox": rsatoolbox, "pytorch-cka": pytorch_cka, "repsim": repsim, "shesha-geometry": shesha,
}  # fmt: skip


def many(count: int, items: int, units: int, memory: str) -> None:
    """Compare very many in a process of its own, and say how much memory it held."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        asked = ["--child", folder, "--count", str(count), "--items", str(items), "--units", str(units)]
        subprocess.run([sys.executable, __file__, *asked, "--memory", memory], check=True)
        print(f"    {time.perf_counter() - begun:.0f} s")


def child(folder: Path, count: int, items: int, units: int, memory: str) -> None:
    """Representations are drawn when they are read, so that they take no memory."""
    some = Representations([
        Representation(str(i), lambda i=i: drawn(i, items, units), (items, units)) for i in range(count)
    ])  # fmt: skip
    before, expected = peak(), plan(some, "cka", memory=memory)
    syzygy.align(some, "cka", memory=memory, out=folder / "out")
    print(f"{count:,} representations of {items:,} items: peak of {peak() / 1e9:.2f} GB")
    print(f"    {before / 1e9:.2f} GB of them before it began")
    print(
        f"    planned: {expected.memory / 1e9:.2f} GB more, {expected.disk / 1e9:.2f} on disk, {expected.tiles} tiles"
    )


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="representations")
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--units", type=int, default=512)
    parser.add_argument("--many", type=int, default=0, help="representations, to measure memory")
    parser.add_argument("--memory", default="3GB")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.count, given.items, given.units, given.memory)
        return
    print(
        f"{platform.machine()}: linear CKA of {given.count} representations, {given.items} items, {given.units} units"
    )
    stages(given.count, given.items, given.units)
    whole(given.count, given.items, given.units)
    if given.many:
        many(given.many, given.items, min(given.units, 64), given.memory)


if __name__ == "__main__":
    main()
