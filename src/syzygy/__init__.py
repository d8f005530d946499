"""Say when, how and why the representations of neural networks align.

>>> import syzygy
>>> trajectory = syzygy.train(syzygy.two_points(), "two_layer", seeds=range(3), steps=1000)
>>> fit = syzygy.fit_pairs(syzygy.pair_curves(trajectory))
>>> fit.eta_h.value.shape
(3, 1)
"""

from importlib.metadata import version as _version

from syzygy import measures as measures
from syzygy.alignment import Alignment, align
from syzygy.claims import Claim, Expectation
from syzygy.comparison import universal_dimensions
from syzygy.dimensions import DynamicsAutoencoder, FeatureVariance, OddOneOut, Triplets, UniversalDimensions
from syzygy.extraction import extract
from syzygy.fitting import Fit, PairCurves, average_rates, fit_pairs, from_other_networks, pair_curves
from syzygy.linearisation import Linearisation, kernel_drift, linearise, tangent_kernel
from syzygy.networks import Setting, catalogue, setting
from syzygy.recorder import HuggingFaceRecorder, LightningRecorder, Recorder, record_series
from syzygy.recording import Schedule, every, log_spaced
from syzygy.regimes import regime_map
from syzygy.representations import Representation, Representations
from syzygy.reproduce import Reproduction
from syzygy.result import Result
from syzygy.run import Run, run
from syzygy.studies import STUDIES, MnistPair, Study, TwoPoints, study
from syzygy.tasks import TASKS, Task, digits, mnist, two_points
from syzygy.theory import (
    ExactState,
    ExactTheory,
    ManyState,
    ManyTheory,
    PairState,
    PairTheory,
    Solution,
    solve,
    solve_exact,
    solve_many,
)
from syzygy.training import Checkpoint, train
from syzygy.trajectory import Trajectory

__version__ = _version("syzygy")

__all__ = [
    "STUDIES",
    "TASKS",
    "Alignment",
    "Checkpoint",
    "Claim",
    "DynamicsAutoencoder",
    "ExactState",
    "ExactTheory",
    "Expectation",
    "FeatureVariance",
    "Fit",
    "HuggingFaceRecorder",
    "LightningRecorder",
    "Linearisation",
    "ManyState",
    "ManyTheory",
    "MnistPair",
    "OddOneOut",
    "PairCurves",
    "PairState",
    "PairTheory",
    "Recorder",
    "Representation",
    "Representations",
    "Reproduction",
    "Result",
    "Run",
    "Schedule",
    "Setting",
    "Solution",
    "Study",
    "Task",
    "Trajectory",
    "Triplets",
    "TwoPoints",
    "UniversalDimensions",
    "align",
    "average_rates",
    "catalogue",
    "digits",
    "every",
    "extract",
    "fit_pairs",
    "from_other_networks",
    "kernel_drift",
    "linearise",
    "log_spaced",
    "mnist",
    "pair_curves",
    "record_series",
    "regime_map",
    "run",
    "setting",
    "solve",
    "solve_exact",
    "solve_many",
    "study",
    "tangent_kernel",
    "train",
    "two_points",
    "universal_dimensions",
]
