"""Every measure by its name."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from syzygy.errors import SpecificationError, UnknownName
from syzygy.measures.cknna import CKNNA
from syzygy.measures.correlations import CCA, SVCCA, SquaredCCA, SquaredSVCCA
from syzygy.measures.dependence import DistanceCorrelation
from syzygy.measures.dissimilarities import RSA
from syzygy.measures.kernels import CKA, RV
from syzygy.measures.matching import PermutationMatching, SoftMatching
from syzygy.measures.measure import Measure
from syzygy.measures.neighbours import JaccardKNN, MutualKNN
from syzygy.measures.prediction import LinearPredictivity
from syzygy.measures.pwcca import PWCCA
from syzygy.measures.representational import RepresentationalDistance
from syzygy.measures.shapes import Bures, Procrustes, Shape

#: From its name to what makes it from its options.
MEASURES: Final[Mapping[str, type[Measure]]] = {
    kind.name: kind
    for kind in (
        CCA,
        CKA,
        CKNNA,
        PWCCA,
        RSA,
        RV,
        SVCCA,
        Bures,
        DistanceCorrelation,
        JaccardKNN,
        LinearPredictivity,
        MutualKNN,
        PermutationMatching,
        Procrustes,
        RepresentationalDistance,
        Shape,
        SoftMatching,
        SquaredCCA,
        SquaredSVCCA,
    )
}

#: Options worth testing, by name: the properties of every one of these are held by the tests.
VARIANTS: Final[tuple[Measure, ...]] = (
    CCA(),
    CKA(),
    CKA("biased"),
    CKA("debiased", "rbf"),
    CKA("biased", "rbf", 0.5),
    CKNNA(3),
    CKNNA(4, "dot"),
    PWCCA(),
    RSA(),
    RSA("cosine", "spearman"),
    RSA("correlation", "cosine"),
    RSA("cosine", "whitened"),
    RSA("euclidean", "pearson"),
    RSA("euclidean", "spearman"),
    RSA("sqeuclidean", "cosine"),
    RSA("sqeuclidean", "whitened"),
    RV(),
    RV("modified"),
    SVCCA(),
    SVCCA(0.9),
    Bures(),
    Bures("score"),
    DistanceCorrelation(),
    DistanceCorrelation("biased"),
    JaccardKNN(3),
    JaccardKNN(3, "euclidean"),
    LinearPredictivity(),
    LinearPredictivity(0.1, 0),
    LinearPredictivity(0.1, 3, "pearson"),
    LinearPredictivity((0.1, 1.0), 3),
    LinearPredictivity((0.1, 1.0), 3, "pearson", "contiguous"),
    MutualKNN(3),
    MutualKNN(3, "dot"),
    MutualKNN(3, "euclidean"),
    PermutationMatching(),
    PermutationMatching("distance"),
    PermutationMatching(assignment="best"),
    Procrustes(),
    Procrustes("euclidean"),
    Procrustes("score"),
    RepresentationalDistance(),
    Shape(),
    Shape(0.0),
    Shape(0.0, "score"),
    Shape(0.5, "euclidean"),
    Shape(1.0),
    SoftMatching(),
    SoftMatching("distance"),
    SquaredCCA(),
    SquaredSVCCA(),
)


def measure(asked: str | Measure) -> Measure:
    """Give a measure by its name, with options if any, as in ``cka:estimator=biased``.

    Raises
    ------
    UnknownName
        No measure, or no option, of that name.
    SpecificationError
        A value that the option does not take.

    Examples
    --------
    >>> measure("cka:estimator=biased")
    CKA(estimator='biased', kernel='linear', bandwidth=1.0)
    """
    if isinstance(asked, Measure):
        return asked
    name, *given = asked.split(":")
    if name not in MEASURES:
        raise UnknownName("measure", name, MEASURES)
    kind = MEASURES[name]
    known: dict[str, Any] = {field.name: field.default for field in fields(kind)}  # type: ignore[arg-type]
    options = {}
    for one in given:
        key, _, value = one.partition("=")
        if key not in known:
            raise UnknownName(f"option of {name}", key, known)
        options[key] = _read(value, known[key], f"{key} of {name}")
    return kind(**options)


def variants() -> tuple[Measure, ...]:
    """Give every measure with all options that change what is claimed of it."""
    return VARIANTS


def _read(value: str, default: Any, what: str) -> Any:
    if isinstance(default, str):
        return value
    try:
        if isinstance(default, float) and "," in value:
            return tuple(float(one) for one in value.split(","))
        return type(default)(value)
    except ValueError:
        raise SpecificationError(f"{what} must be a {type(default).__name__}, got {value!r}") from None
