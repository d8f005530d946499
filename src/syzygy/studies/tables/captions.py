"""What the tables of the study of convergence hold."""

from typing import Final

from syzygy.studies.tables.predicted import COMPARISONS, PREDICTIONS

_COLUMNS: Final = (
    "score: the measure; chance: its mean over permutations of the items; calibrated: 0 at chance, 1 of a "
    "representation with itself; untrained: calibrated, of the same pairs at step 0; gained: their difference; "
    "scatter: standard deviation of calibrated over the pairs; significant: share of pairs with q ≤ 0.05"
)

ALIGNMENT: Final = (
    f"Means over all pairs of networks, layers at matched depth, by measure, kind of pair and step. {_COLUMNS}."
)
DEPTHS: Final = "The same at the last step, by depth in the network, the mean of both."
ARCHITECTURES: Final = (
    "The same at the last step, by pair of architectures; network and other are the same for pairs of seeds. For each "
    "measure the most alike come first."
)
APART: Final = (
    "Which stay apart: pairs of networks that are least alike at the last step, means over their matched layers. "
    "above_untrained: whether they are more alike than at step 0; not_above: of how many pairs that is not so; of: how "
    "many pairs there are."
)
LAYERS: Final = (
    "Which layers align first, medians over seeds with the first and the last. depth: number of the layer over the "
    "number of layers; start: score of the untrained layer with its own end; half_way: step at which half of what is "
    "missing there has been made up; half_seeds: step at which the calibrated alignment with other seeds is half-way "
    "from its start to its end (it may fall). Empty where they hardly change."
)
GAINS: Final = (
    "Seeds of the first network from several gains of the initial weights, means over pairs of seeds and layers at the "
    "last step; columns as in the table alignment."
)
THEORY: Final = (
    "Predicted squared distances of the held-out images against those measured at the last step, means over networks, "
    "seeds and layers, with their standard deviation, and the share with p ≤ 0.05. Comparisons: "
    + "; ".join(f"{name}: {about}" for name, about in COMPARISONS.items())
    + ". Predictions: "
    + "; ".join(f"{name}: {about}" for name, about in PREDICTIONS.items())
    + "."
)
NETWORKS: Final = "Each network: its last training loss, and the share of the held-out images that it classifies."
