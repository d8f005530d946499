"""Real images that need no download: the 1,797 handwritten digits that scikit-learn bundles."""

from collections.abc import Sequence

import numpy as np
from sklearn.datasets import load_digits

from syzygy.errors import SpecificationError
from syzygy.tasks.noise import noisy
from syzygy.tasks.task import Task, labelled


def digits(
    per_class: int = 2,
    probe_seed: int = 0,
    first: int | None = None,
    classes: Sequence[int] | None = None,
    held_out: bool = False,
    label_noise: float = 0.0,
    noise_seed: int = 0,
) -> Task:
    """8 × 8 digits, standardised over all pixels, with one-hot targets.

    Parameters
    ----------
    per_class
        Probe items per class; every pair of them is analysed.
    probe_seed
        Seed that draws them.
    first
        Watch the first so many digits instead, sorted by class.
    classes
        Use these digits alone, an output for each; by default all ten.
    held_out
        Whether the probe items are kept from training.
    label_noise, noise_seed
        Share of the learned items whose label is drawn again, and the seed of that; see :func:`syzygy.tasks.noisy`.

    Raises
    ------
    SpecificationError
        An argument out of range.

    Examples
    --------
    >>> task = digits(per_class=2)
    >>> task.inputs.shape, len(task.pairs)
    ((1797, 64), 190)
    """
    images, labels = load_digits(return_X_y=True)
    standardised = (images - images.mean()) / images.std()
    chosen = list(range(10)) if classes is None else sorted(set(classes))
    if len(chosen) < 2 or not set(chosen) <= set(range(10)):
        raise SpecificationError(f"classes are two or more of the digits 0 … 9; got {classes}")
    used = np.isin(labels, chosen)
    codes = np.searchsorted(chosen, labels[used])
    names = [str(one) for one in chosen]
    clean = labelled("digits", standardised[used], codes, per_class, probe_seed, first, names, held_out)
    return noisy(clean, label_noise, noise_seed)
