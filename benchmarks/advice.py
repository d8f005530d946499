"""Make the numbers of "Which measure should I use?" (docs/measures/which.md) from representations that we know.

Every experiment is a function that gives one table, measures down and conditions across, means over a few draws.

Run: ``python benchmarks/advice.py [NAME ...] [--draws N] [--items N]``, all of them without a name.
"""

import argparse
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd
import torch
from sklearn.datasets import load_digits

from syzygy.chance import sidak, upper_tail
from syzygy.measures import measure

Array = np.ndarray
ALL = (
    "cka", "cka:kernel=rbf", "distance_correlation", "rsa", "procrustes", "cca", "mutual_knn", "soft_matching",
    "linear_predictivity",
)  # fmt: skip


def scored(names: Iterable[str], conditions: Mapping[str, tuple[Array, Array]]) -> pd.DataFrame:
    """Compare the two representations of every condition by every measure."""
    return pd.DataFrame({c: {name: measure(name)(x, y) for name in names} for c, (x, y) in conditions.items()})


def mean(draws: int, draw: Callable[[np.random.Generator], pd.DataFrame]) -> pd.DataFrame:
    """Average the table of several seeds."""
    tables = [draw(np.random.default_rng(seed)) for seed in range(draws)]
    return sum(tables[1:], tables[0]) / draws


def spectrum(draw: np.random.Generator, items: int, units: int = 40) -> Array:
    """Give a representation whose variances fall as 1/k, in directions that are no units."""
    axes = np.linalg.qr(draw.normal(size=(units, units)))[0]
    return draw.normal(size=(items, units)) / np.sqrt(1 + np.arange(units)) @ axes


def changes(draws: int = 5, items: int = 200) -> pd.DataFrame:
    """Compare a representation with changed copies of it."""

    def draw(rng: np.random.Generator) -> pd.DataFrame:
        x = spectrum(rng, items)
        units = x.shape[1]
        turn, other = (np.linalg.qr(rng.normal(size=(units, units)))[0] for _ in range(2))
        return scored(ALL, {
            "units shuffled": (x, x[:, rng.permutation(units)]),
            "rotated": (x, x @ turn),
            "stretched": (x, x @ turn @ np.diag(np.geomspace(1, 0.01, units)) @ other),
            "bent": (x, np.tanh(3 * x)),
            "half the units": (x, x[:, ::2]),
            "half noise": (x, x + x.std() * rng.normal(size=x.shape)),
            "nothing shared": (x, spectrum(rng, items)),
        })  # fmt: skip

    return mean(draws, draw)


def width(draws: int = 10, items: int = 100) -> pd.DataFrame:
    """Independent noise of ever more units."""
    names = ("cka", "cka:estimator=biased", "rsa", "distance_correlation", "procrustes", "cca", "svcca", "mutual_knn",
             "soft_matching", "linear_predictivity")  # fmt: skip
    widths = {f"p = {share:g} n": round(share * items) for share in (0.1, 1, 10)}

    def draw(rng: np.random.Generator) -> pd.DataFrame:
        pairs = {name: (rng.normal(size=(items, p)), rng.normal(size=(items, p))) for name, p in widths.items()}
        return scored(names, pairs)

    return mean(draws, draw)


def items(draws: int = 40, items: int = 400) -> pd.DataFrame:
    """How far one score may be off: standard deviations over draws, of independent and of related pairs."""
    counts = [max(items // by, 12) for by in (20, 5, 2, 1)]
    names = ("cka", "cka:estimator=biased", "rsa", "mutual_knn", "linear_predictivity")

    def draw(rng: np.random.Generator) -> pd.DataFrame:
        x, noise = spectrum(rng, counts[-1]), spectrum(rng, counts[-1])
        pairs = {f"{how}, {n} items": (x[:n], y[:n])
                 for how, y in (("independent", noise), ("related", x + noise)) for n in counts}  # fmt: skip
        return scored(names, pairs)

    tables = np.stack([draw(np.random.default_rng(seed)) for seed in range(draws)])
    like = draw(np.random.default_rng(0))
    return pd.DataFrame(tables.std(axis=0, ddof=1), like.index, like.columns)


def neighbours(draws: int = 5, items: int = 200) -> pd.DataFrame:
    """Classes in the same places with other items near each, and classes moved with the neighbours kept."""
    names = ("cka", "rsa", "procrustes", "mutual_knn", "cknna", "linear_predictivity")

    def draw(rng: np.random.Generator) -> pd.DataFrame:
        classes = np.arange(items) % 10
        places, others = 4 * rng.normal(size=(2, 10, 20))
        inside, stranger = rng.normal(size=(2, items, 20))
        x = places[classes] + inside
        return scored(names, {
            "classes kept, insides new": (x, places[classes] + stranger),
            "insides kept, classes moved": (x, others[classes] + inside),
        })  # fmt: skip

    return mean(draws, draw)


def dominant(draws: int = 5, items: int = 200) -> pd.DataFrame:
    """One direction of 50 is shared, ever stronger than all that are not."""
    names = ("cka", "rsa", "rsa:comparison=spearman", "procrustes", "cca", "mutual_knn", "linear_predictivity")

    def draw(rng: np.random.Generator) -> pd.DataFrame:
        one = rng.normal(size=(items, 1))
        x, y = rng.normal(size=(2, items, 50))
        axis, other = (v / np.linalg.norm(v) for v in rng.normal(size=(2, 1, 50)))
        pairs = {f"{s} times": (x + s * one * axis, y + s * one * other) for s in (0, 3, 10, 30)}
        return scored(names, pairs | {"30 times, taken off": tuple(map(without_leading, pairs["30 times"]))})

    return mean(draws, draw)


def without_leading(x: Array) -> Array:
    """Take the first principal component off."""
    x = x - x.mean(axis=0)
    axis = np.linalg.svd(x, full_matrices=False)[2][:1]
    return x - x @ axis.T @ axis


def outlier(draws: int = 5, items: int = 200) -> pd.DataFrame:
    """Independent representations, but for a few items that lie ten times as far out, together, in both."""
    names = ("cka", "cka:estimator=biased", "rsa:dissimilarity=euclidean",
             "rsa:dissimilarity=euclidean:comparison=spearman", "distance_correlation", "procrustes", "cca",
             "mutual_knn", "linear_predictivity")  # fmt: skip

    def draw(rng: np.random.Generator) -> pd.DataFrame:
        x, y = rng.normal(size=(2, items, 30))
        far = {count: 10 * np.sqrt(30) * (np.arange(items) < count)[:, None] * np.eye(1, 30) for count in (0, 1, 2, 5)}
        return scored(names, {f"{count} item{'s' * (count != 1)}": (x + away, y + away) for count, away in far.items()})

    return mean(draws, draw)


def nonlinear(draws: int = 5, items: int = 200) -> pd.DataFrame:
    """Two hidden numbers, each uniform, in another code."""
    names = ("cka", "cka:kernel=rbf", "cka:kernel=rbf:bandwidth=0.3", "distance_correlation",
             "rsa:dissimilarity=euclidean", "cca", "mutual_knn:nearness=euclidean", "linear_predictivity")  # fmt: skip

    def draw(rng: np.random.Generator) -> pd.DataFrame:
        hidden = rng.uniform(-1, 1, size=(items, 2))
        slow, fast = (np.hstack([np.cos(turns * np.pi * hidden), np.sin(turns * np.pi * hidden)]) for turns in (1, 2))
        return scored(names, {
            "cubes": (hidden, hidden**3),
            "squares": (hidden, hidden**2),
            "angle, twice as fast": (slow, fast),
            "independent": (hidden, rng.uniform(-1, 1, size=(items, 2))),
        })  # fmt: skip

    return mean(draws, draw)


def noise(draws: int = 10, items: int = 200) -> pd.DataFrame:
    """Two systems, each measured twice with noise: the score, its ceiling, and the score over the ceiling."""
    amounts = (0, 0.5, 1, 2)

    def draw(rng: np.random.Generator) -> pd.DataFrame:
        shared = spectrum(rng, items)
        systems = [shared + spectrum(rng, items) for _ in range(2)]
        found = {}
        for amount in amounts:
            (x, again), (y, anew) = ([one + amount * one.std() * rng.normal(size=one.shape) for _ in range(2)]
                                     for one in systems)  # fmt: skip
            column = {}
            for name in ("cka", "rsa", "mutual_knn"):
                score, repeated = measure(name)(x, y), measure(name)(x, again) * measure(name)(y, anew)
                ceiling = np.sqrt(max(repeated, 0))
                column |= {name: score, f"{name}, ceiling": ceiling, f"{name}, corrected": score / ceiling}
            found[f"noise {amount:g}"] = column
        return pd.DataFrame(found)

    return mean(draws, draw)


def recorded(draws: int = 5, items: int = 200) -> pd.DataFrame:
    """Record some of 1,000 noisy units, half of whose variance a model explains."""
    counts = (10, 30, 100, 300, 1000)

    def draw(rng: np.random.Generator) -> pd.DataFrame:
        model = spectrum(rng, items)
        mixed = model @ rng.normal(size=(40, counts[-1]))
        population = mixed / mixed.std() + rng.normal(size=mixed.shape)
        chosen = {f"{n} units": (model, population[:, :n]) for n in counts}
        return scored(("linear_predictivity", "cka", "cka:estimator=biased", "rsa", "procrustes", "cca"), chosen)

    return mean(draws, draw)


def direction(draws: int = 5, items: int = 200) -> pd.DataFrame:
    """Predict a part from the whole, and the whole from the part."""
    names = ("linear_predictivity", "cka", "procrustes", "cca", "mutual_knn")

    def draw(rng: np.random.Generator) -> pd.DataFrame:
        whole = rng.normal(size=(items, 40))
        return scored(names, {"whole to part": (whole, whole[:, :8]), "part to whole": (whole[:, :8], whole)})

    return mean(draws, draw)


def layers(draws: int = 40, items: int = 100) -> pd.DataFrame:
    """Two networks that share nothing: the best of all pairs of layers, and how often it passes a test at 5%."""
    counts = (1, 4, 12)

    def draw(rng: np.random.Generator) -> pd.DataFrame:
        one, other = (list(rng.normal(size=(counts[-1], items, 50))) for _ in range(2))
        found = {}
        for name in ("cka", "cka:estimator=biased", "mutual_knn"):
            chosen = measure(name)
            first, second = ([chosen.prepare(layer) for layer in layers] for layers in (one, other))
            scores = chosen.block(first, second)
            p = upper_tail(scores, chosen.chance(first, second))
            best = {n: (scores[:n, :n].max(), p[:n, :n].min()) for n in counts}
            found[name] = {f"{n} × {n}": score for n, (score, _) in best.items()}
            found[f"{name}, p < 0.05"] = {f"{n} × {n}": float(least < 0.05) for n, (_, least) in best.items()}
            found[f"{name}, corrected p < 0.05"] = {
                f"{n} × {n}": float(sidak(least, n * n) < 0.05) for n, (_, least) in best.items()
            }
        return pd.DataFrame(found).T

    return mean(draws, draw)


def training(draws: int = 3, items: int = 300) -> pd.DataFrame:
    """Two networks learn digits: their second hidden layers compared, untrained and as they learn."""
    steps = (0, 10, 30, 100, 300)
    images, labels = load_digits(return_X_y=True)
    inputs, targets = torch.tensor(images / 16, dtype=torch.float32), torch.tensor(labels)
    probe, rest = inputs[:items], slice(items, items + 400)

    def learned(seed: int) -> dict[int, Array]:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            body = torch.nn.Sequential(
                torch.nn.Linear(64, 100), torch.nn.Tanh(), torch.nn.Linear(100, 100), torch.nn.Tanh()
            )
            head = torch.nn.Linear(100, 10)
        chosen = torch.optim.Adam([*body.parameters(), *head.parameters()], 1e-3)
        found = {}
        for step in range(steps[-1] + 1):
            if step in steps:
                found[step] = body(probe).detach().double().numpy()
            loss = torch.nn.functional.cross_entropy(head(body(inputs[rest])), targets[rest])
            chosen.zero_grad()
            loss.backward()
            chosen.step()
        return found

    def draw(rng: np.random.Generator) -> pd.DataFrame:
        one, other = (learned(int(seed)) for seed in rng.integers(2**31, size=2))
        table = scored(("cka", "rsa", "procrustes", "mutual_knn", "linear_predictivity"),
                       {f"step {step}": (one[step], other[step]) for step in steps})  # fmt: skip
        shuffled = scored(table.index, {"items shuffled": (one[steps[-1]], other[steps[-1]][rng.permutation(items)])})
        return pd.concat([table, shuffled], axis=1)

    return mean(draws, draw)


EXPERIMENTS: dict[str, Callable[..., pd.DataFrame]] = {
    one.__name__: one
    for one in (changes, width, items, neighbours, dominant, outlier, nonlinear, noise, recorded, direction, layers,
                training)
}  # fmt: skip


def shown(table: pd.DataFrame) -> str:
    """Write a table as it stands in the page."""
    lines = [["", *table.columns]]
    digits = 3 if np.abs(table.to_numpy()).max() < 0.2 else 2
    for name, row in zip(table.index, table.to_numpy(), strict=True):
        measured, _, what = name.partition(", ")
        values = (f"{value:.{digits}f}" for value in row)
        lines.append(
            [f"`{measured}`" + (f", {what}" if what else ""), *(v.lstrip("-") if float(v) == 0 else v for v in values)]
        )
    head, *rest = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([head, "|---" * len(lines[0]) + "|", *rest])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(EXPERIMENTS)}")
    parser.add_argument("--draws", type=int, help="seeds to average over")
    parser.add_argument("--items", type=int, help="items of a representation")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(EXPERIMENTS):
        parser.error(f"no experiment is called {', '.join(sorted(unknown))}")
    sizes = {key: value for key, value in (("draws", asked.draws), ("items", asked.items)) if value}
    for name in asked.names or EXPERIMENTS:
        print(f"{name}: {EXPERIMENTS[name].__doc__}\n\n{shown(EXPERIMENTS[name](**sizes))}\n")


if __name__ == "__main__":
    main()
