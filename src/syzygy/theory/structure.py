r"""The geometry of many items, as the paper's published code predicts it: from the products of two distances.

Every pair of items has the data's share of its final distance, in units of ``sqrt(eta_h/eta_y)``:

.. math:: A_{kl} = ‖x_k - x_l‖ · ‖y_k - y_l‖

The published code does not compare this matrix with what it measures, but ``exp(−A) @ A @ exp(−A)``, the exponential
taken element by element (:func:`smoothed`).  Items of one class have ``A = 0`` and the exponential 1; for images whose
pixels run from 0 to 255, those of different classes have ``A`` in the thousands and the exponential 0.  The
exponential is then the indicator of one class, and the product the sum of ``A`` over all pairs of the two classes
(:func:`class_pair_sums`): a number per pair of classes, in which the single items no longer figure, and which grows
with the number of items in each class.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import pairwise_distances

from syzygy.errors import ShapeError

Array = NDArray[np.float64]

#: Distance of two different one-hot targets.
ONE_HOT = float(np.sqrt(2.0))


def products(inputs: Array, targets: Array) -> Array:
    """Give ``‖x_k − x_l‖·‖y_k − y_l‖`` of every pair, ``(item, item)``.

    Parameters
    ----------
    inputs, targets
        ``(item, input)`` and ``(item, output)``.

    Raises
    ------
    ShapeError
        Inputs and targets of different numbers of items.

    Examples
    --------
    >>> products(np.array([[0.0], [3.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])).round(3).tolist()
    [[0.0, 4.243], [4.243, 0.0]]
    """
    if len(inputs) != len(targets):
        raise ShapeError(f"inputs and targets are of the same items; got {len(inputs)} and {len(targets)}")
    return np.asarray(squareform(pdist(inputs) * pdist(targets)))


def smoothed(a_low: Array) -> Array:
    """Give ``exp(−A) @ A @ exp(−A)``, the exponential element by element: the published prediction.

    It takes and makes a whole matrix, ``(item, item)``: 800 MB for 10,000 items.  Use :func:`class_pair_sums` for many.
    """
    near = np.exp(-a_low)
    return np.asarray(near @ a_low @ near)


def class_pair_sums(inputs: Array, labels: NDArray[np.integer], gap: float = ONE_HOT) -> Array:
    """Sum ``A`` over all pairs of items of two classes: what :func:`smoothed` is between images.

    Distances are taken one pair of classes at a time, so the largest array has one entry per pair of items of two
    classes (8 MB for 10,000 items in ten classes), not of all.

    Parameters
    ----------
    inputs
        ``(item, input)``
    labels
        Class of each item, from 0, ``(item,)``.
    gap
        Distance of the targets of two classes; by default that of one-hot targets, √2.

    Returns
    -------
    Array
        ``(class, class)``, zero on the diagonal, where the targets agree.

    Raises
    ------
    ShapeError
        Not one label per item.

    Examples
    --------
    >>> class_pair_sums(np.array([[0.0], [1.0], [5.0]]), np.array([0, 0, 1]), gap=1.0).tolist()
    [[0.0, 9.0], [9.0, 0.0]]
    """
    if np.shape(labels) != (len(inputs),):
        raise ShapeError(f"labels must be one per item, ({len(inputs)},); got {np.shape(labels)}")
    members = [np.asarray(inputs[labels == label], dtype=np.float64) for label in range(int(labels.max()) + 1)]
    sums = np.zeros((len(members), len(members)))
    for first in range(len(members)):
        for second in range(first):
            if len(members[first]) and len(members[second]):
                total = gap * pairwise_distances(members[first], members[second]).sum()
                sums[first, second] = sums[second, first] = total
    return sums
