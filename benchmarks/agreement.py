"""Compare the measures with those of others that are installed: who agrees, by how much, and why not.

Every row of :data:`PEERS` says what of ours is compared with what of theirs, and in which convention.  The table is the
one of docs/measures/agreement.md; tests/test_oracle.py holds every row.

Run: ``pip install syzygy[oracle]``, then ``python benchmarks/agreement.py``.
"""

import platform
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module, metadata, util
from unittest import mock

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist, pdist
from scipy.stats import pearsonr, spearmanr

from syzygy.linalg import double_centred, u_centred
from syzygy.measures import measure

Array = np.ndarray
Number = Callable[[Array, Array], float]

ITEMS, WIDTHS, SIGNAL, SEEDS = 100, (80, 60), 10, (0, 1, 2)
EQUAL, NARROW = (60, 60), (40, 30)
#: Two numbers are the same.
SAME = 1e-10


def pair(seed: int, shared: bool = True) -> tuple[Array, Array]:
    """Give two representations of different widths that share ten directions, or nothing."""
    draw = np.random.default_rng(seed)
    signal = draw.normal(size=(ITEMS, SIGNAL)) if shared else np.zeros((ITEMS, SIGNAL))
    return tuple(signal @ draw.normal(size=(SIGNAL, p)) + draw.normal(size=(ITEMS, p)) for p in WIDTHS)


@dataclass(frozen=True)
class Peer:
    """Somebody else's measure, and what it should be.

    Attributes
    ----------
    ours
        A measure, with options.
    package, module
        Where theirs is: to install, and to import.
    call
        What of theirs is called.
    theirs
        From the module and both representations to its number.
    as_theirs
        From our number to the same in their convention, and ``convention`` in words.
    differs
        Why theirs is another number; nothing if it is the same.
    explained
        The number that theirs is then, if it is known, from both representations.
    tolerance
        Up to which they are the same.
    shared
        Whether the two representations share anything.
    widths
        Of the two; fewer units where theirs compares equal widths only, or where more of them decide nothing: canonical
        directions of equal correlation, as there are if p + q > n, are anybody's choice, and so are their weights.
    """

    ours: str
    package: str
    module: str
    call: str
    theirs: Callable[..., float]
    as_theirs: Callable[[float], float] = float
    convention: str = ""
    differs: str = ""
    explained: Number | None = None
    tolerance: float = SAME
    shared: bool = True
    widths: tuple[int, int] = WIDTHS

    def given(self, seed: int) -> tuple[Array, Array]:
        """Give what is compared."""
        x, y = pair(seed, self.shared)
        return x[:, : self.widths[0]], y[:, : self.widths[1]]

    def numbers(self, seed: int) -> tuple[float, float]:
        """Give our number, in their convention, and theirs."""
        x, y = self.given(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # theirs, of which there are many
            theirs = float(self.theirs(import_module(self.module), x, y))
        with mock.patch("syzygy.measures.transport.find_spec", return_value=None):  # not by POT, which is compared
            return float(self.as_theirs(measure(self.ours)(x, y))), theirs


def _tensors(*arrays: Array) -> list[torch.Tensor]:
    return [torch.from_numpy(array) for array in arrays]


def _rdms(dissimilarity: str, comparison: str) -> Callable[..., float]:
    """RSAtoolbox: dissimilarities of two data sets, compared."""

    def theirs(_: object, x: Array, y: Array) -> float:
        data, rdm = import_module("rsatoolbox.data"), import_module("rsatoolbox.rdm")
        first, second = (rdm.calc_rdm(data.Dataset(one), method=dissimilarity) for one in (x, y))
        return rdm.compare(first, second, comparison)[0, 0]

    return theirs


def _scipy_rdms(dissimilarity: str, compare: Callable[..., tuple[float, float]]) -> Callable[..., float]:
    return lambda _, x, y: compare(pdist(x, dissimilarity), pdist(y, dissimilarity))[0]


def _neighbours(module: object, x: Array, y: Array, share: Callable[[set[int], set[int]], float]) -> float:
    near = [module.NearestNeighbors(n_neighbors=10, metric="cosine").fit(one).kneighbors() for one in (x, y)]
    return float(np.mean([share(set(a), set(b)) for a, b in zip(near[0][1], near[1][1], strict=True)]))


def _canonical(module: object, x: Array, y: Array) -> Array:
    first, second = module.CCA(n_components=min(x.shape[1], y.shape[1])).fit([x, y]).transform([x, y])
    return np.sum(_units(first) * _units(second), axis=1)


def _units(x: Array) -> Array:
    """Centred units of length one, ``(unit, item)``."""
    x = x - x.mean(axis=0)
    return (x / np.linalg.norm(x, axis=0)).T


def _transported(module: object, x: Array, y: Array) -> float:
    cosines = _units(x) @ _units(y).T
    plan = module.emd(
        np.full(len(cosines), 1 / len(cosines)), np.full(cosines.shape[1], 1 / cosines.shape[1]), 1 - cosines
    )
    return float(np.sum(plan * cosines))


def _padded(module: object, x: Array, y: Array) -> float:
    """SciPy's takes equal widths: columns of zeros change nothing."""
    wide = np.zeros((len(x), max(x.shape[1], y.shape[1])))
    first, second = wide.copy(), wide.copy()
    first[:, : x.shape[1]], second[:, : y.shape[1]] = x, y
    return module.procrustes(first, second)[2]


def _assigned(_: object, x: Array, y: Array) -> float:
    cosines = _units(x) @ _units(y).T
    return float(np.mean(cosines[linear_sum_assignment(-cosines)]))


def _predicted(ridge: str, order: str = "") -> Callable[..., float]:
    """R² over all units of predictions of held-out items: five contiguous folds, or one item at a time."""

    def theirs(module: object, x: Array, y: Array) -> float:
        guess = np.empty_like(y)
        for held in np.array_split(np.arange(len(x)), 5 if order == "folds" else len(x)):
            rest = np.delete(np.arange(len(x)), held)
            alpha = np.sum((x[rest] - x[rest].mean(axis=0)) ** 2) / len(rest)
            guess[held] = getattr(module, ridge)(alpha=alpha, fit_intercept=True).fit(x[rest], y[rest]).predict(x[held])
        return 1 - np.sum((y - guess) ** 2) / np.sum((y - y.mean(axis=0)) ** 2)

    return theirs


def _of(name: str, *options: object, **more: object) -> Callable[..., float]:
    """Call a function of theirs that compares a list of representations, or two tensors."""

    def theirs(module: object, x: Array, y: Array) -> float:
        return getattr(module, name)([x, y], *options, **more)[0, 1]

    return theirs


def _tensor(name: str, **more: object) -> Callable[..., float]:
    return lambda module, x, y: getattr(module, name)(*_tensors(x, y), **more).item()


def _arrays(name: str, **more: object) -> Callable[..., float]:
    return lambda module, x, y: getattr(module, name)(x, y, **more)


# What theirs are where they differ


def _cosine(a: Array, b: Array) -> float:
    return float(np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b)))


def _kernels(x: Array, y: Array) -> tuple[Array, Array]:
    return tuple((one - one.mean(axis=0)) @ (one - one.mean(axis=0)).T for one in (x, y))


def _half_biased(x: Array, y: Array) -> float:
    first, second = _kernels(x, y)
    unbiased = np.sum(u_centred(first) * u_centred(second)) / (ITEMS * (ITEMS - 3))
    return unbiased * (ITEMS - 1) ** 2 / np.sqrt(np.sum(first**2) * np.sum(second**2))


def _with_diagonal(x: Array, y: Array) -> float:
    """Take the diagonals off in the second and third sum of the unbiased HSIC, and not in the first."""
    hollow = [one - np.diag(np.diag(one)) for one in _kernels(x, y)]

    def hsic(i: int, j: int) -> float:
        a, b = hollow[i], hollow[j]
        found = np.sum(_kernels(x, y)[i] * _kernels(x, y)[j]) + a.sum() * b.sum() / ((ITEMS - 1) * (ITEMS - 2))
        return found - 2 * a.sum(axis=0) @ b.sum(axis=0) / (ITEMS - 2)

    return hsic(0, 1) / np.sqrt(hsic(0, 0) * hsic(1, 1))


def _gaussians(x: Array, y: Array, *bandwidths: float) -> tuple[Array, Array]:
    return tuple(np.exp(-(cdist(one, one) ** 2) / (2 * s**2)) for one, s in zip((x, y), bandwidths, strict=True))


def _with_zeros(x: Array, y: Array) -> float:
    middle = (ITEMS**2 - 1) // 2  # the lower of the two in the middle, as PyTorch has it
    return _cosine(
        *map(double_centred, _gaussians(x, y, *(np.sort(cdist(one, one).ravel())[middle] for one in (x, y))))
    )


def _one_bandwidth(x: Array, y: Array) -> float:
    return _cosine(*map(u_centred, _gaussians(x, y, np.median(pdist(x)), np.median(pdist(x)))))


DIAGONAL = "keeps the diagonals in one of three sums: noise scores as if biased"
PEERS: tuple[Peer, ...] = (
    Peer("cka", "pytorch-cka", "cka", "cka_from_features", _tensor("cka_from_features")),
    Peer(
        "cka",
        "pytorch-cka",
        "cka",
        "cka_from_features",
        _tensor("cka_from_features"),
        shared=False,
        differs="negative values are set to 0",
        explained=lambda x, y: max(measure("cka")(x, y), 0),
    ),
    Peer("cka", "ckatorch", "ckatorch.core", "cka_base(unbiased=True)", _tensor("cka_base", unbiased=True)),
    Peer(
        "cka",
        "repsim",
        "repsim",
        "hsic(linear, song)",
        lambda module, x, y: _over_root(module.hsic([x, y], "linear", "song")),
        convention="over the root of its own HSIC",
    ),
    Peer(
        "cka",
        "repsim",
        "repsim",
        "cka(linear, song)",
        _of("cka", "linear", "song"),
        differs="divides the unbiased HSIC by biased ones",
        explained=_half_biased,
    ),
    Peer(
        "cka",
        "shesha-geometry",
        "shesha.sim",
        "cka_debiased",
        _arrays("cka_debiased"),
        differs=DIAGONAL,
        explained=_with_diagonal,
    ),
    Peer(
        "cka",
        "shesha-geometry",
        "shesha.sim",
        "cka_debiased",
        _arrays("cka_debiased"),
        shared=False,
        differs=DIAGONAL,
        explained=_with_diagonal,
    ),
    Peer(
        "cka:estimator=biased",
        "rsatoolbox",
        "rsatoolbox",
        "compare(euclidean, cosine_cov)",
        _rdms("euclidean", "cosine_cov"),
    ),
    Peer("cka:estimator=biased", "ckatorch", "ckatorch.core", "cka_base", _tensor("cka_base")),
    Peer("cka:estimator=biased", "repsim", "repsim", "cka(linear, gretton)", _of("cka", "linear", "gretton")),
    Peer("cka:estimator=biased", "shesha-geometry", "shesha.sim", "cka_linear", _arrays("cka_linear")),
    Peer("cka:estimator=biased:kernel=rbf", "repsim", "repsim", "cka(rbf, gretton)", _of("cka", "rbf", "gretton")),
    Peer(
        "cka:estimator=biased:kernel=rbf",
        "ckatorch",
        "ckatorch.core",
        "cka_base(rbf)",
        _tensor("cka_base", kernel="rbf"),
        differs="the median distance counts those of items to themselves",
        explained=_with_zeros,
    ),
    Peer(
        "cka:kernel=rbf",
        "hyppo",
        "hyppo.independence",
        "Hsic",
        lambda module, x, y: module.Hsic().statistic(x, y),
        differs="the bandwidth of the first representation is used for both",
        explained=_one_bandwidth,
    ),
    Peer(
        "rv",
        "hoggorm",
        "hoggorm",
        "RVcoeff",
        lambda module, x, y: module.RVcoeff([x - x.mean(0), y - y.mean(0)])[0, 1],
        convention="of centred units",
    ),
    Peer(
        "rv",
        "hoggorm",
        "hoggorm",
        "RVcoeff",
        _of("RVcoeff"),
        differs="does not centre",
        explained=lambda x, y: _cosine(x @ x.T, y @ y.T),
    ),
    Peer("rv", "hyppo", "hyppo.independence", "RV", lambda module, x, y: module.RV().statistic(x, y)),
    Peer(
        "rv:estimator=modified",
        "hoggorm",
        "hoggorm",
        "RV2coeff",
        lambda module, x, y: module.RV2coeff([x - x.mean(0), y - y.mean(0)])[0, 1],
        convention="of centred units",
    ),
    Peer(
        "rv:estimator=modified",
        "repsim",
        "repsim",
        "hsic(linear, lange)",
        lambda module, x, y: _over_root(module.hsic([x, y], "linear", "lange")),
        convention="over the root of its own HSIC",
    ),
    Peer("distance_correlation", "dcor", "dcor", "u_distance_correlation_sqr", _arrays("u_distance_correlation_sqr")),
    Peer(
        "distance_correlation",
        "dcor",
        "dcor",
        "u_distance_correlation_sqr",
        _arrays("u_distance_correlation_sqr"),
        shared=False,
    ),
    Peer(
        "distance_correlation",
        "hyppo",
        "hyppo.independence",
        "Dcorr",
        lambda module, x, y: module.Dcorr().statistic(x, y),
    ),
    Peer(
        "distance_correlation:estimator=biased", "dcor", "dcor", "distance_correlation", _arrays("distance_correlation")
    ),
    Peer(
        "distance_correlation:estimator=biased",
        "hyppo",
        "hyppo.independence",
        "Dcorr(bias=True)",
        lambda module, x, y: module.Dcorr(bias=True).statistic(x, y),
    ),
    *(
        Peer(
            f"rsa:dissimilarity={ours}:comparison={how}",
            "rsatoolbox",
            "rsatoolbox",
            f"compare({theirs}, {name})",
            _rdms(theirs, name),
        )
        for ours, theirs in (("correlation", "correlation"), ("sqeuclidean", "euclidean"))
        for how, name in (
            ("pearson", "corr"),
            ("spearman", "spearman"),
            ("cosine", "cosine"),
            ("whitened", "cosine_cov"),
        )
    ),
    *(
        Peer(
            f"rsa:dissimilarity={metric}:comparison={how}",
            "scipy",
            "scipy",
            f"pdist({metric}), {compare.__name__}",
            _scipy_rdms(metric, compare),
        )
        for metric in ("correlation", "cosine", "euclidean")
        for how, compare in (("pearson", pearsonr), ("spearman", spearmanr))
    ),
    *(
        Peer(
            f"rsa:dissimilarity={metric}:comparison={how}",
            "shesha-geometry",
            "shesha.sim",
            f"rdm_similarity({metric}, {how})",
            _arrays("rdm_similarity", metric=metric, method=how),
        )
        for metric, how in (("correlation", "spearman"), ("cosine", "pearson"))
    ),
    Peer(
        "procrustes:form=score",
        "rsatoolbox",
        "rsatoolbox",
        "compare(euclidean, bures)",
        _rdms("euclidean", "bures"),
        tolerance=1e-6,
        convention="to half of the digits, for it takes roots of a singular kernel",
    ),
    Peer(
        "procrustes",
        "scipy",
        "scipy.spatial",
        "procrustes",
        _padded,
        as_theirs=lambda angle: np.sin(angle) ** 2,
        convention="sin² of the angle; padded with zeros",
    ),
    Peer(
        "procrustes:form=score",
        "shesha-geometry",
        "shesha.sim",
        "procrustes_similarity",
        _arrays("procrustes_similarity"),
        widths=EQUAL,
        convention="equal widths only, refuses others",
    ),
    Peer("cca", "cca-zoo", "cca_zoo.linear", "CCA", lambda *given: np.mean(_canonical(*given))),
    Peer("cca", "repsim", "repsim", "cca(pillai)", _of("cca", "pillai"), convention="called Pillai's trace"),
    Peer("cca_squared", "cca-zoo", "cca_zoo.linear", "CCA", lambda *given: np.mean(_canonical(*given) ** 2)),
    Peer("cca_squared", "repsim", "repsim", "cca(yanai)", _of("cca", "yanai")),
    Peer(
        "shape:alpha=0",
        "cca-zoo",
        "cca_zoo.linear",
        "CCA",
        lambda *given: np.sum(_canonical(*given)) / np.sqrt(WIDTHS[0] * WIDTHS[1]),
        as_theirs=np.cos,
        convention="cosine of the angle: the sum of correlations over √pq",
    ),
    Peer(
        "svcca",
        "repsim",
        "repsim",
        "svcca(pillai)",
        _of("svcca", "pillai"),
        differs="leaves out no direction, so that it is CCA",
        explained=measure("cca"),
        widths=NARROW,
    ),
    Peer(
        "pwcca",
        "repsim",
        "repsim",
        "pwcca",
        _of("pwcca"),
        differs="symmetric: the mean of ours in both directions",
        explained=lambda x, y: (measure("pwcca")(x, y) + measure("pwcca")(y, x)) / 2,
        widths=NARROW,
    ),
    Peer(
        "mutual_knn",
        "scikit-learn",
        "sklearn.neighbors",
        "NearestNeighbors(cosine)",
        lambda *given: _neighbours(*given, lambda a, b: len(a & b) / len(a)),
    ),
    Peer(
        "jaccard_knn",
        "scikit-learn",
        "sklearn.neighbors",
        "NearestNeighbors(cosine)",
        lambda *given: _neighbours(*given, lambda a, b: len(a & b) / len(a | b)),
    ),
    Peer(
        "linear_predictivity:order=contiguous",
        "scikit-learn",
        "sklearn.linear_model",
        "Ridge, five folds",
        _predicted("Ridge", "folds"),
    ),
    Peer(
        "linear_predictivity:folds=0",
        "scikit-learn",
        "sklearn.linear_model",
        "Ridge, one item left out",
        _predicted("Ridge"),
    ),
    Peer(
        "linear_predictivity:order=contiguous",
        "himalaya",
        "himalaya.ridge",
        "Ridge, five folds",
        _predicted("Ridge", "folds"),
    ),
    Peer("soft_matching", "POT", "ot", "emd", _transported),
    Peer("soft_matching", "scipy", "scipy.optimize", "linear_sum_assignment", _assigned, widths=EQUAL),
    Peer("permutation_matching", "scipy", "scipy.optimize", "linear_sum_assignment", _assigned, widths=EQUAL),
)


def _over_root(hsic: Array) -> float:
    return hsic[0, 1] / np.sqrt(hsic[0, 0] * hsic[1, 1])


def there(peer: Peer) -> bool:
    """Whether a peer is installed."""
    return util.find_spec(peer.module.partition(".")[0]) is not None


def verdict(peer: Peer) -> tuple[str, str]:
    """Give one of ``agrees``, ``differs`` and ``wrong``, which is neither as said, and the numbers behind it."""
    ours, theirs = np.transpose([peer.numbers(seed) for seed in SEEDS])
    off = np.abs(ours - theirs).max()
    if not peer.differs:
        return ("agrees" if off < peer.tolerance else "wrong"), f"{off:.0e}"
    digits = 4 if abs(ours[0] - theirs[0]) > 1e-3 else 6
    known = not peer.explained or all(
        abs(peer.explained(*peer.given(seed)) - number) < peer.tolerance
        for seed, number in zip(SEEDS, theirs, strict=True)
    )
    said = "differs" if known and off > 1e4 * peer.tolerance else "wrong"
    return said, f"{ours[0]:.{digits}f} / {theirs[0]:.{digits}f}"


def rows() -> Iterator[tuple[str, str, str, str, str]]:
    """Give the rows of the table."""
    for peer in PEERS:
        whose = f"{peer.package} {metadata.version(peer.package)}" if there(peer) else peer.package
        said, number = verdict(peer) if there(peer) else ("not there", "–")
        drawn = "" if peer.shared else ", nothing shared"
        drawn += "" if peer.widths == WIDTHS else f", {peer.widths[0]} and {peer.widths[1]} units"
        notes = peer.differs or peer.convention or "–"
        yield f"`{peer.ours}`{drawn}", f"{whose}: `{peer.call}`", said, number, notes


def main() -> None:
    """Print the table."""
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, PyTorch {torch.__version__}\n")
    print("| Ours | Theirs | Verdict | Difference, or ours / theirs | Why, or in which convention |")
    print("|---" * 5 + "|")
    for row in rows():
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
