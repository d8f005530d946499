"""Odd-one-out dimensions: what makes two of three objects alike (Mahner et al. 2025)."""

from syzygy.dimensions.odd_one_out.accuracy import (
    Ceiling,
    accuracy,
    ceiling,
    ceiling_of_repeats,
    cross_entropy,
    shares,
)
from syzygy.dimensions.odd_one_out.embedding import OddOneOut
from syzygy.dimensions.odd_one_out.jackknife import Deciding, Divergent, deciding, divergent
from syzygy.dimensions.odd_one_out.matching import Cumulative, Pairs, cumulative, pairwise
from syzygy.dimensions.odd_one_out.representational import Alike, representational
from syzygy.dimensions.odd_one_out.reproducibility import Reproducibility, reproducibility
from syzygy.dimensions.odd_one_out.similarity import probabilities, similarity
from syzygy.dimensions.odd_one_out.triplets import Triplets

__all__ = [
    "Alike",
    "Ceiling",
    "Cumulative",
    "Deciding",
    "Divergent",
    "OddOneOut",
    "Pairs",
    "Reproducibility",
    "Triplets",
    "accuracy",
    "ceiling",
    "ceiling_of_repeats",
    "cross_entropy",
    "cumulative",
    "deciding",
    "divergent",
    "pairwise",
    "probabilities",
    "representational",
    "reproducibility",
    "shares",
    "similarity",
]
