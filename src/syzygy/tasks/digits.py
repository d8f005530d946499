"""Real images that need no download: the 1,797 handwritten digits that scikit-learn bundles."""

import numpy as np
from sklearn.datasets import load_digits

from syzygy.tasks.task import Task, labelled


def digits(per_class: int = 2, probe_seed: int = 0) -> Task:
    """8 × 8 digits, standardised over all pixels, with one-hot targets.

    Parameters
    ----------
    per_class
        Probe items per class; every pair of them is analysed.
    probe_seed
        Seed that draws them.

    Examples
    --------
    >>> task = digits(per_class=2)
    >>> task.inputs.shape, len(task.pairs)
    ((1797, 64), 190)
    """
    images, labels = load_digits(return_X_y=True)
    standardised = (images - images.mean()) / images.std()
    return labelled("digits", standardised, labels.astype(np.int64), per_class, probe_seed)
