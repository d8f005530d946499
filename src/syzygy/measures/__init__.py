"""How alike two representations of the same items are.

A measure is a frozen dataclass of its options; :func:`measure` finds one by its name.  A function of the same name
compares two arrays at once.
"""

from syzygy.measures.cknna import CKNNA, cknna
from syzygy.measures.correlations import CCA, SVCCA, SquaredCCA, SquaredSVCCA, cca, svcca
from syzygy.measures.dependence import DistanceCorrelation, distance_correlation
from syzygy.measures.dissimilarities import RSA, rsa
from syzygy.measures.factors import Factors
from syzygy.measures.feature_space import LinearKernels
from syzygy.measures.kernels import CKA, RV, cka, rv
from syzygy.measures.matching import PermutationMatching, SoftMatching, permutation_matching, soft_matching
from syzygy.measures.measure import INVARIANCES, Inner, Measure, Paired
from syzygy.measures.minibatch import MinibatchCKA
from syzygy.measures.neighbours import JaccardKNN, MutualKNN, jaccard_knn, mutual_knn
from syzygy.measures.prediction import LinearPredictivity, linear_predictivity
from syzygy.measures.pwcca import PWCCA, pwcca
from syzygy.measures.registry import MEASURES, measure, variants
from syzygy.measures.representational import RepresentationalDistance, representational_distance
from syzygy.measures.shapes import Bures, Procrustes, Shape, bures, procrustes, shape

__all__ = [
    "CCA",
    "CKA",
    "CKNNA",
    "INVARIANCES",
    "MEASURES",
    "PWCCA",
    "RSA",
    "RV",
    "SVCCA",
    "Bures",
    "DistanceCorrelation",
    "Factors",
    "Inner",
    "JaccardKNN",
    "LinearKernels",
    "LinearPredictivity",
    "Measure",
    "MinibatchCKA",
    "MutualKNN",
    "Paired",
    "PermutationMatching",
    "Procrustes",
    "RepresentationalDistance",
    "Shape",
    "SoftMatching",
    "SquaredCCA",
    "SquaredSVCCA",
    "bures",
    "cca",
    "cka",
    "cknna",
    "distance_correlation",
    "jaccard_knn",
    "linear_predictivity",
    "measure",
    "mutual_knn",
    "permutation_matching",
    "procrustes",
    "pwcca",
    "representational_distance",
    "rsa",
    "rv",
    "shape",
    "soft_matching",
    "svcca",
    "variants",
]
