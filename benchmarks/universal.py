"""Time the universality of every component of many networks, against scikit-learn's ``RidgeCV`` per target.

Layers share some directions and have others of their own.  Ours is ``UniversalDimensions.fit``, all of it: components,
ridge with an exact leave-one-out choice of the penalty for each component and fold, chance and intervals.  Scikit-learn
fits ``RidgeCV`` (its own closed form of leaving one out) for each fold and target with the same penalties; it is
measured on a few targets of one predictor and one fold, and extrapolated to all.

Run: ``python benchmarks/universal.py [--networks 20] [--layers 4] [--components 500] [--items 1000] [--fitted 1500]
[--folds 5] [--targets 3] [--precision float32]``.
"""

import argparse
import platform
import resource
import time

import numpy as np
from sklearn.linear_model import RidgeCV

from syzygy.dimensions import UniversalDimensions
from syzygy.dimensions.universal.layers import Layers, joined
from syzygy.dimensions.universal.options import PENALTIES
from syzygy.linalg.ridge import split


def drawn(asked: argparse.Namespace, items: int, seed: int) -> Layers:
    """Networks whose layers share as many directions as they have components, with falling variance, and noise."""
    maps, draw = np.random.default_rng(0), np.random.default_rng(seed)
    width = asked.components
    shared = draw.standard_normal((items, width)) / np.sqrt(np.arange(1, width + 1))
    found: Layers = {}
    for network in range(asked.networks):
        mixed = (maps.standard_normal((width, width)) for _ in range(asked.layers))
        layers = [shared @ one / np.sqrt(width) + 0.1 * draw.standard_normal((items, width)) for one in mixed]
        found[f"network {network}"] = {f"layer {place}": x for place, x in enumerate(layers)}
    return found


def by_scikit_learn(x: np.ndarray, targets: np.ndarray, folds: int) -> tuple[float, np.ndarray]:
    """Seconds for a fold and target, and the correlations in that fold."""
    fold = split(len(x), folds, 0)[0]
    rest = np.setdiff1d(np.arange(len(x)), fold)
    c = x[rest] - x[rest].mean(axis=0)
    alphas = np.array(PENALTIES) * np.einsum("ij,ij->", c, c) / len(c)
    begun, found = time.perf_counter(), []
    for y in targets.T:
        guess = RidgeCV(alphas).fit(x[rest], y[rest]).predict(x[fold])
        found.append(np.corrcoef(guess, y[fold])[0, 1])
    return (time.perf_counter() - begun) / targets.shape[1], np.array(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("networks", 20), ("layers", 4), ("components", 500), ("items", 1000), ("fitted", 1500),
                          ("folds", 5), ("targets", 3)):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--precision", choices=["float32", "float64"], default="float32")
    asked = parser.parse_args()
    given, others = drawn(asked, asked.items, 1), drawn(asked, asked.fitted, 2)
    begun = time.perf_counter()
    fitted = UniversalDimensions(folds=asked.folds, precision=asked.precision).fit(given, others)
    seconds = time.perf_counter() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    count = len(fitted.table_)
    first, *_ = given.values()
    own = (fitted.table_["network"] != fitted.networks_[0]).to_numpy()
    each, _ = by_scikit_learn(joined(first), fitted.targets_[:, np.flatnonzero(own)[: asked.targets]], asked.folds)
    loop = each * count * (asked.networks - 1) * asked.folds
    print(f"{platform.processor() or platform.machine()}, {asked.precision}")
    print(f"{asked.networks} networks, {asked.layers} layers each, {count} components, {asked.items} items")
    print(f"all of it: {seconds:.0f} s, at most {memory:.1f} GB")
    print(f"RidgeCV: {each:.2f} s for a target and a fold; {loop / 3600:.0f} h for all: {loop / seconds:.0f} times")
    print(f"universality: {np.nanquantile(fitted.table_['universality'], [0.1, 0.5, 0.9]).round(2)}")


if __name__ == "__main__":
    main()
